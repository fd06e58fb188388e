import contextlib
import json
import unittest
from dataclasses import replace

import numpy as np
from support.inputtruth import (
    DURATIONS_S,
    STARTS_S,
    TIMES_S,
    feng_bolus,
    fitted_volume,
    frame_means,
    gamma_bolus,
    parent_fraction,
    plasma_ratio,
    tissue,
)
from support.realdata import DATA, needs_data
from support.tiers import slow
from TSPOQuantLib.acquisition.blood import BloodSamples, SampledCurve
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.input_function import (
    ImageDerivedSettings,
    continuous_curve,
    image_derived_input,
)
from TSPOQuantLib.input_function.calibration import recovery_calibration, timed_calibration
from TSPOQuantLib.input_function.image_derived import first_sample_s
from TSPOQuantLib.messages import InputRefused

# Where the model choice is not the point: one model, for speed.
FAST = {"parent_fraction_model": "hill"}
TIMING = FrameTiming(STARTS_S, DURATIONS_S)
HALF_LIFE_S = 1223.4
FIRST_PASS_AND_LATER = np.array([30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 2400, 3540], dtype=float)


def at(knots, values, times):
    return np.interp(times, knots, values, left=0.0)


def means_of(curve, timing):
    """Frame means by trapezoids on the knots and the frame's own edges."""
    means = []
    for start, end in zip(timing.starts_s, timing.ends_s, strict=True):
        inside = curve.knots_s[(curve.knots_s > start) & (curve.knots_s < end)]
        times = np.concatenate([[start], inside, [end]])
        means.append(np.trapezoid(at(curve.knots_s, curve.values, times), times) / (end - start))
    return np.array(means)


def codes(notices):
    return [notice.code for notice in notices]


def blood(truth, times_s=(60, 300, 600, 1200, 2400, 3540), **other):
    """Samples of a whole-blood curve, its plasma and parent fraction at ``times_s``."""
    times = np.array(times_s, dtype=float)
    values = np.interp(times, TIMES_S, truth)
    fractions_s = np.array([60, 180, 300, 600, 1200, 1800, 2400, 3600], dtype=float)
    parts = {
        "whole_blood": SampledCurve(times, values),
        "plasma": SampledCurve(times, values * plasma_ratio(times / 60)),
        "parent_fraction": SampledCurve(fractions_s, parent_fraction(fractions_s / 60)),
        "route": "arterial",
    }
    return BloodSamples(**{**parts, **other})


class ContinuousCurveTest(unittest.TestCase):
    def test_every_frame_integral_is_met_and_nothing_is_negative(self):
        for truth in (feng_bolus(TIMES_S), gamma_bolus(TIMES_S), gamma_bolus(TIMES_S, 38.0, 10.0)):
            measured = frame_means(truth)
            curve = continuous_curve(TIMING, measured)
            np.testing.assert_allclose(means_of(curve, TIMING), measured, rtol=1e-9, atol=1e-9)
            self.assertGreaterEqual(curve.values.min(), 0.0)
            self.assertEqual(curve.values[0], 0.0)

    def test_volume_bias_is_below_a_promille_where_mid_frame_points_miss_by_half_a_percent(self):
        for truth in (feng_bolus(TIMES_S), feng_bolus(TIMES_S, 12.0, 0.1, 8.0), gamma_bolus(TIMES_S)):
            chain = parent_fraction(TIMES_S / 60) * plasma_ratio(TIMES_S / 60)
            measured = frame_means(truth)
            curve = continuous_curve(TIMING, measured)
            ours = at(curve.knots_s, curve.values, TIMES_S)
            joined = np.interp(TIMES_S, [0, *TIMING.mids_s], [0, *measured])
            for k1, volume in ((0.1, 3.0), (0.1, 12.96), (0.5, 6.21), (0.5, 12.96)):
                tac = frame_means(tissue(truth * chain, k1, volume))
                bias = fitted_volume(ours * chain, tac, k1, volume) / volume - 1
                naive = fitted_volume(joined * chain, tac, k1, volume) / volume - 1
                self.assertLess(abs(bias), 1e-3)
                self.assertLess(abs(bias), abs(naive) / 5)

    def test_peak_is_plausible_and_the_curve_does_not_oscillate(self):
        for truth in (feng_bolus(TIMES_S), gamma_bolus(TIMES_S), gamma_bolus(TIMES_S, 38.0, 10.0)):
            curve = continuous_curve(TIMING, frame_means(truth))
            self.assertLess(abs(curve.values.max() / truth.max() - 1), 0.12)
            self.assertLess(abs(curve.knots_s[curve.values.argmax()] - TIMES_S[truth.argmax()]), 3.0)
            variation, true_variation = np.abs(np.diff(curve.values)).sum(), np.abs(np.diff(truth)).sum()
            self.assertLess(variation, 1.08 * true_variation)

    def test_noisy_frames_keep_their_integrals_and_give_no_spike(self):
        truth = frame_means(feng_bolus(TIMES_S))
        generator = np.random.default_rng(3)
        for _ in range(10):
            noise = 0.04 * np.sqrt((truth + 0.05 * truth.max()) * truth.max() * 10 / DURATIONS_S)
            measured = np.maximum(truth + noise * generator.normal(size=len(truth)), 0.0)
            curve = continuous_curve(TIMING, measured)
            np.testing.assert_allclose(means_of(curve, TIMING), measured, rtol=1e-9, atol=1e-9)
            self.assertLess(curve.values.max(), 1.5 * measured.max())

    def test_gaps_are_bridged(self):
        kept = np.array([i for i in range(len(DURATIONS_S)) if i not in (8, 13)])
        timing = FrameTiming(STARTS_S[kept], DURATIONS_S[kept])
        truth = feng_bolus(TIMES_S)
        measured = frame_means(truth)[kept]
        curve = continuous_curve(timing, measured)
        np.testing.assert_allclose(means_of(curve, timing), measured, rtol=1e-9)
        in_gaps = (STARTS_S[13] < TIMES_S) & (STARTS_S[14] > TIMES_S)
        np.testing.assert_allclose(at(curve.knots_s, curve.values, TIMES_S)[in_gaps], truth[in_gaps], rtol=0.02)

    def test_few_frames_are_joined_without_a_bolus_shape(self):
        timing = FrameTiming(np.array([0.0, 60, 300, 900]), np.array([60.0, 240, 600, 900]))
        curve = continuous_curve(timing, np.array([5.0, 20, 12, 9]))
        np.testing.assert_allclose(means_of(curve, timing), [5, 20, 12, 9], rtol=1e-9)
        self.assertIsNone(curve.shape)
        self.assertIn("input-few-frames", codes(curve.notices))

    def test_late_start_steps_and_is_said(self):
        timing = FrameTiming(np.array([0.0, 60, 300, 900]), np.array([60.0, 240, 600, 900]))
        curve = continuous_curve(timing, np.array([20.0, 16, 12, 9]))
        self.assertGreater(curve.values[0], 15)
        self.assertIn("input-late-start", codes(curve.notices))

    def test_negative_frames_are_zero_and_said(self):
        measured = frame_means(feng_bolus(TIMES_S))
        measured[0] = -5.0
        curve = continuous_curve(TIMING, measured)
        self.assertEqual(at(curve.knots_s, curve.values, np.array([7.0]))[0], 0.0)
        self.assertIn("input-negative-frames", codes(curve.notices))

    def test_useless_frames_are_refused(self):
        bad = frame_means(feng_bolus(TIMES_S))
        bad[3] = np.nan
        for values, code in (
            (np.zeros(19), "input-frames-empty"),
            (bad, "input-frames-not-finite"),
            (np.ones(5), "input-frames-shape"),
            (np.ones(19) - 2, "input-frames-empty"),
        ):
            with self.assertRaises(InputRefused) as refused:
                continuous_curve(TIMING, values)
            self.assertEqual(refused.exception.code, code)


class ImageDerivedInputTest(unittest.TestCase):
    def setUp(self):
        self.truth = feng_bolus(TIMES_S)
        # Muscle beside the vessel: slow uptake
        self.around = tissue(self.truth, 0.1, 1.5)

    def test_chain_to_parent_plasma(self):
        made = image_derived_input(
            TIMING, frame_means(self.truth), blood(self.truth), ImageDerivedSettings(calibration="scale")
        )
        times = np.linspace(600, 3600, 200)
        expected = np.interp(times, TIMES_S, self.truth) * plasma_ratio(times / 60) * parent_fraction(times / 60)
        made_there = np.interp(times, made.input_function.times_s, made.input_function.parent_plasma)
        np.testing.assert_allclose(made_there, expected, rtol=5e-3)
        whole = np.interp(times, made.input_function.times_s, made.input_function.whole_blood)
        np.testing.assert_allclose(whole, np.interp(times, TIMES_S, self.truth), rtol=3e-3)
        self.assertTrue(made.input_function.has_whole_blood)

    def test_straight_lines_between_the_knots_are_good_enough(self):
        made = image_derived_input(
            TIMING, frame_means(self.truth), blood(self.truth), ImageDerivedSettings(calibration="scale")
        )
        source = made.input_function
        middle = (source.times_s[1:] + source.times_s[:-1]) / 2
        whole = np.interp(middle, source.times_s, source.whole_blood)
        product = whole * made.plasma_ratio(middle) * made.parent_fraction(middle)
        linear = np.interp(middle, source.times_s, source.parent_plasma)
        seen = product > 1e-3 * product.max()
        self.assertLess(np.abs(linear / np.where(seen, product, 1) - 1)[seen].max(), 1.05e-4)

    def test_scale_undoes_a_factor(self):
        made = image_derived_input(
            TIMING, 0.7 * frame_means(self.truth), blood(self.truth), ImageDerivedSettings(calibration="scale", **FAST)
        )
        self.assertAlmostEqual(made.calibration.scale, 1 / 0.7, delta=0.003)
        np.testing.assert_array_equal(made.calibration.sample_times_s, [300, 600, 1200, 2400, 3540])
        self.assertAlmostEqual(made.calibration.scale_se / made.calibration.scale, 0.03 / np.sqrt(5), places=6)
        means = frame_means(at(made.input_function.times_s, made.input_function.whole_blood, TIMES_S))
        np.testing.assert_allclose(means, 0.7 * frame_means(self.truth) * made.calibration.scale, rtol=2e-4)

    def test_recovery_and_spill_in_are_found_where_a_scale_misleads(self):
        pool = frame_means(0.55 * self.truth + 0.3 * self.around)
        settings = ImageDerivedSettings(calibration="recovery-spill-in", **FAST)
        made = image_derived_input(TIMING, pool, blood(self.truth), settings, frame_means(self.around))
        self.assertAlmostEqual(made.calibration.recovery, 0.55, delta=0.01)
        self.assertAlmostEqual(made.calibration.spill_in, 0.3, delta=0.01)
        chain = parent_fraction(TIMES_S / 60) * plasma_ratio(TIMES_S / 60)
        tac = frame_means(tissue(self.truth * chain, 0.2, 12.96))
        biases = []
        for result in (
            made,
            image_derived_input(TIMING, pool, blood(self.truth), ImageDerivedSettings(calibration="scale", **FAST)),
        ):
            source = result.input_function
            plasma = at(source.times_s, source.parent_plasma, TIMES_S)
            biases.append(abs(fitted_volume(plasma, tac, 0.2, 12.96) / 12.96 - 1))
        self.assertLess(biases[0], 0.02)
        self.assertGreater(biases[1], 3 * biases[0])

    def test_a_bound_does_not_make_the_other_parameter_known(self):
        """Two late samples tell the two poorly apart; where noise ends spill-in at its bound, recovery errs all the
        same."""
        generator = np.random.default_rng(5)
        times = np.array([1800.0, 3540.0])
        drawn, around = np.interp(times, TIMES_S, self.truth), np.interp(times, TIMES_S, self.around)
        pool, ended, held = 0.55 * drawn + 0.05 * around, 0, 0
        for _ in range(200):
            noisy = drawn * (1 + 0.03 * generator.normal(size=2))
            with contextlib.suppress(InputRefused):  # where it is recovery that ends at its lowest
                one = recovery_calibration(times, noisy, pool, around, sample_cv=0.03)
                bound = "spill-in-at-bound" in one.flags
                ended, held = ended + bound, held + (bound and abs(one.recovery - 0.55) < 2 * one.recovery_se)
        self.assertGreater(ended, 30)
        self.assertGreater(held, 0.9 * ended)

    def test_a_recovery_at_its_lowest_is_no_calibration(self):
        """Late samples that run together with the tissue rather than with blood."""
        pool, settings = frame_means(2 * self.around), ImageDerivedSettings(calibration_from_s=600.0, **FAST)
        with self.assertRaises(InputRefused) as refused:
            image_derived_input(TIMING, pool, blood(self.truth, (1800, 3540)), settings, frame_means(2 * self.around))
        self.assertEqual(refused.exception.code, "calibration-undetermined")

    def test_standard_errors_of_recovery_and_spill_in_match_the_scatter(self):
        generator = np.random.default_rng(5)
        times = np.array([300, 600, 900, 1200, 1800, 2400, 3000, 3540], dtype=float)
        drawn, around = np.interp(times, TIMES_S, self.truth), np.interp(times, TIMES_S, self.around)
        pool = 0.55 * drawn + 0.3 * around
        found = []
        for _ in range(300):
            noisy = drawn * (1 + 0.02 * generator.normal(size=len(times)))
            found.append(recovery_calibration(times, noisy, pool, around, sample_cv=0.02))
        for value, error in (("recovery", "recovery_se"), ("spill_in", "spill_in_se")):
            scatter = np.std([getattr(one, value) for one in found], ddof=1)
            stated = np.mean([getattr(one, error) for one in found])
            # The larger of two variances is taken, so the stated error is a little too large.
            self.assertGreater(stated, 0.9 * scatter, value)
            self.assertLess(stated, 1.4 * scatter, value)

    def timed(self, shift_s=0.0, noise=0.0, generator=None):
        """RC 0.55 and m 0.3 from samples of the whole course that come ``shift_s`` late, the pool's frames noisy."""
        drawn = np.interp(FIRST_PASS_AND_LATER - shift_s, TIMES_S, self.truth)
        frame = np.searchsorted(STARTS_S, TIMES_S, "right") - 1
        factor = 1 + noise * generator.normal(size=len(STARTS_S))[frame] if noise else 1.0
        pool = (0.55 * self.truth + 0.3 * self.around) * factor

        def seen(times_s):
            return np.interp(times_s, TIMES_S, pool)

        def beside(times_s):
            return np.interp(times_s, TIMES_S, self.around)

        frames = np.searchsorted(STARTS_S, FIRST_PASS_AND_LATER, "right") - 1
        alike = np.maximum(frame_means(pool), 0.01) ** 2
        return timed_calibration(FIRST_PASS_AND_LATER, drawn, seen, beside, frames, alike, 0.02)

    def test_samples_of_the_first_pass_calibrate_whatever_their_clock(self):
        """Without their shift, samples of the falling bolus would pass for another recovery."""
        for shift in (-4.0, 0.0, 7.0):
            with self.subTest(shift=shift):
                found = self.timed(shift)
                self.assertLess(abs(found.shift_s - shift), 2.0)  # drawn towards 0 a little
                self.assertAlmostEqual(found.recovery, 0.55, delta=0.03)
                self.assertAlmostEqual(found.spill_in, 0.3, delta=0.03)
                self.assertEqual("calibration-shift" in codes(found.notices), shift > 5)
        late = np.interp(FIRST_PASS_AND_LATER - 7, TIMES_S, self.truth)
        pool, around = (np.interp(FIRST_PASS_AND_LATER, TIMES_S, curve) for curve in (self.truth, self.around))
        unshifted = recovery_calibration(FIRST_PASS_AND_LATER, late, 0.55 * pool + 0.3 * around, around, 0.02)
        self.assertGreater(abs(unshifted.recovery - 0.55), 0.1)

    def test_standard_errors_of_recovery_hold_where_the_pool_is_noisy(self):
        generator = np.random.default_rng(8)
        found = [self.timed(2 * generator.normal(), 0.08, generator) for _ in range(30)]
        scatter = np.std([one.recovery for one in found], ddof=1)
        stated = np.mean([one.recovery_se for one in found])
        self.assertLess(abs(np.log(stated / scatter)), np.log(1.7))
        self.assertLess(abs(np.mean([one.recovery for one in found]) - 0.55), 0.04)

    def test_late_frames_of_few_counts_do_not_tell_as_much_as_the_first_pass(self):
        """Where noise goes by counts recovery is known better than by equal weights, and is stated so."""
        generator, after = np.random.default_rng(11), np.maximum(TIMES_S - 20, 0)
        truth = 10 * after * np.exp(-after / 12) + 3 * np.exp(-after / 300) + 1
        exact = 0.4 * truth + 0.4 * self.around
        variance = np.maximum(frame_means(exact), 0.1) * 2 ** (TIMING.mids_s / HALF_LIFE_S) / DURATIONS_S
        frames = np.searchsorted(STARTS_S, FIRST_PASS_AND_LATER, "right") - 1
        drawn = np.interp(FIRST_PASS_AND_LATER, TIMES_S, truth)

        equal = np.ones(len(STARTS_S))
        np.maximum.at(equal, frames, drawn**2)

        def beside(times_s):
            return np.interp(times_s, TIMES_S, self.around)

        def calibrated(samples, error, assumed):
            def seen(times_s):
                return np.interp(times_s, TIMES_S, exact) + error[np.searchsorted(STARTS_S, times_s, "right") - 1]

            return timed_calibration(FIRST_PASS_AND_LATER, samples, seen, beside, frames, assumed, 0.02)

        by_counts, alike = [], []
        for _ in range(40):
            error = np.sqrt(variance) * generator.standard_normal(len(variance))
            samples = drawn * (1 + 0.02 * generator.standard_normal(len(drawn)))
            by_counts.append(calibrated(samples, error, variance))
            alike.append(calibrated(samples, error, equal))
        scatter, wider = (np.std([one.recovery for one in some], ddof=1) for some in (by_counts, alike))
        self.assertLess(scatter, 0.8 * wider)
        stated = np.sqrt(np.mean([one.recovery_se**2 for one in by_counts]))
        self.assertLess(abs(np.log(stated / scatter)), np.log(1.7))

    def test_a_frame_that_misleads_the_calibration_errs_itself_and_is_counted_once(self):
        """The pool reads too high at the peak: so do recovery and the curve it divides, and blood hardly errs."""
        generator = np.random.default_rng(12)
        exact, tissue_seen = 0.4 * self.truth + 0.4 * self.around, frame_means(self.around)
        noise = 1.5 * np.sqrt(np.maximum(frame_means(exact), 0.1) * 2 ** (TIMING.mids_s / HALF_LIFE_S) / DURATIONS_S)
        frames = np.searchsorted(STARTS_S, FIRST_PASS_AND_LATER, "right") - 1
        drawn = np.interp(FIRST_PASS_AND_LATER, TIMES_S, self.truth)

        def beside(times_s):
            return np.interp(times_s, TIMES_S, self.around)

        def area(known, pool):
            return known.blood(pool, tissue_seen) @ DURATIONS_S

        areas, together, apart = [], [], []
        for _ in range(60):
            error = noise * generator.standard_normal(len(noise))
            samples = drawn * (1 + 0.02 * generator.standard_normal(len(drawn)))

            def seen(times_s, error=error):
                return np.interp(times_s, TIMES_S, exact) + error[np.searchsorted(STARTS_S, times_s, "right") - 1]

            known = timed_calibration(FIRST_PASS_AND_LATER, samples, seen, beside, frames, noise**2, 0.02)
            pool, errors = frame_means(exact) + error, known.errors(len(TIMING))
            np.testing.assert_allclose(errors[:, :2].T @ errors[:, :2], known.covariance, rtol=1e-6)
            here = area(known, pool)
            areas.append(here)
            together.append(sum((area(known.moved(one), pool + one[2:]) - here) ** 2 for one in errors))
            without = replace(known, frame_errors=None)
            apart.append(sum((area(known.moved(one), pool) - here) ** 2 for one in without.errors(len(TIMING))))
        scatter = np.std(areas, ddof=1)
        stated, twice = (np.sqrt(np.mean(some)) / scatter for some in (together, apart))
        self.assertLess(abs(np.log(stated)), np.log(1.3))
        self.assertGreater(twice, 1.4)  # what the covariance alone would say

    def test_an_average_of_0_that_rounding_left_positive(self):
        seen = [0, 17, 40, 44, 42, 29, 16, 6, 2.8, 2.2, 2, 1.8, 1.3, 1.2, 1, 1.2, 1.2, 1.3, 1.1]
        for frame in (0, 15, 16):
            for tiny in (1e-18, 1e-17, 1e-16):
                with self.subTest(frame=frame, tiny=tiny):
                    frames = np.where(np.arange(len(seen)) == frame, tiny, seen)
                    np.testing.assert_allclose(means_of(continuous_curve(TIMING, frames), TIMING), frames, atol=1e-6)

    def test_a_calibration_that_does_not_fit_says_so(self):
        """What spills in takes up late, and what stands for it takes up at once."""
        pool, samples = frame_means(0.4 * self.truth + 2 * self.around), blood(self.truth, FIRST_PASS_AND_LATER)
        settings = ImageDerivedSettings(**FAST)
        for k1, misfits in ((0.1, False), (1.0, True)):
            beside = 4 * frame_means(tissue(self.truth, k1, 1.5))
            made = image_derived_input(TIMING, pool, samples, settings, beside, half_life_s=HALF_LIFE_S)
            with self.subTest(k1=k1):
                self.assertEqual("calibration-misfit" in codes(made.notices), misfits)

    def test_a_noisy_frame_of_the_rise_is_no_misfit_and_a_late_one_is(self):
        """Where blood rises steeply, much of it is a second, and little of the area."""
        exact = 0.4 * self.truth + 0.4 * self.around
        noise = np.maximum(frame_means(exact), 0.1) / DURATIONS_S
        rising = float(TIMES_S[np.argmax(self.truth > 0.25 * self.truth.max())])
        times = np.array([rising, *FIRST_PASS_AND_LATER[1:]])
        drawn, frames = np.interp(times, TIMES_S, self.truth), np.searchsorted(STARTS_S, times, "right") - 1
        for wrong, told in ((0, False), (11, True)):

            def seen(times_s, frame=frames[wrong]):
                inside = np.searchsorted(STARTS_S, times_s, "right") - 1 == frame
                return np.interp(times_s, TIMES_S, exact) * np.where(inside, 0.3, 1.0)

            known = timed_calibration(
                times, drawn, seen, lambda at_s: np.interp(at_s, TIMES_S, self.around), frames, noise, 0.02
            )
            with self.subTest(sample_s=times[wrong]):
                self.assertEqual("calibration-misfit" in codes(known.notices), told)

    def test_only_arterial_blood_calibrates_in_the_first_pass(self):
        samples = blood(self.truth, FIRST_PASS_AND_LATER)
        for route, stated, first in (
            ("arterial", None, 0.0),
            ("venous", None, 120.0),
            ("unknown", None, 120.0),
            ("venous", 600.0, 600.0),
        ):
            settings = ImageDerivedSettings(calibration_from_s=stated)
            self.assertEqual(first_sample_s(replace(samples, route=route), settings, TIMING), first)
        self.assertEqual(first_sample_s(samples, ImageDerivedSettings(calibration="scale"), TIMING), 120.0)
        for few in ((60, 600, 1800), (30, 45, 60, 90, 1800)):
            self.assertEqual(first_sample_s(blood(self.truth, few), ImageDerivedSettings(), TIMING), 120.0)

    def test_samples_before_the_scan_are_compared_with_nothing(self):
        """A scan that starts late shows nothing then: neither what it reads before its start nor a refusal."""
        pool, around = frame_means(0.6 * self.truth + 0.1 * self.around), frame_means(self.around)
        for start_s in (40, 180):
            seen = TIMING.starts_s >= start_s
            late, scan = TIMING.starts_s[seen][0], FrameTiming(STARTS_S[seen], DURATIONS_S[seen])
            during = FIRST_PASS_AND_LATER[late <= FIRST_PASS_AND_LATER]
            made, without = (
                image_derived_input(
                    scan, pool[seen], blood(self.truth, times), ImageDerivedSettings(**FAST), around[seen]
                ).calibration
                for times in (FIRST_PASS_AND_LATER, during)
            )
            np.testing.assert_array_equal(made.sample_times_s, without.sample_times_s)
            self.assertEqual((made.recovery, made.spill_in), (without.recovery, without.spill_in))
            self.assertGreaterEqual(made.sample_times_s[0], late)

    def test_few_samples(self):
        pool, around = frame_means(0.55 * self.truth + 0.3 * self.around), frame_means(self.around)
        settings = ImageDerivedSettings(calibration="recovery-spill-in", **FAST)
        one = image_derived_input(TIMING, pool, blood(self.truth, (60, 1800)), settings, around)
        self.assertEqual(one.calibration.method, "scale")
        self.assertIn("calibration-scale-only", codes(one.notices))
        self.assertIn("one-sample", one.calibration.flags)
        none = blood(self.truth, (60, 90))
        for method in ("scale", "recovery-spill-in", "none"):
            with self.assertRaises(InputRefused) as refused:
                image_derived_input(TIMING, pool, none, ImageDerivedSettings(calibration=method, **FAST), around)
            self.assertEqual(refused.exception.code, "calibration-missing")
        given = ImageDerivedSettings(calibration="none", recovery=0.55, spill_in=0.3, **FAST)
        made = image_derived_input(TIMING, pool, none, given, around)
        means = frame_means(at(made.input_function.times_s, made.input_function.whole_blood, TIMES_S))
        np.testing.assert_allclose(means, frame_means(self.truth), rtol=1e-3, atol=1e-3)
        self.assertIn("calibration-given", codes(made.notices))

    @slow
    def test_a_blood_pool_cannot_read_more_than_its_blood(self):
        """A whole image wrong by one factor, such as a decay correction applied twice, shows nowhere else."""
        around = frame_means(self.around)
        for factor, code in (
            (2.78, None),
            (1.6, None),
            (1.3, "calibration-recovery-odd"),
            (0.9, ""),
            (0.1, "calibration-recovery-odd"),
        ):
            for method in ("scale", "recovery-spill-in"):
                settings = ImageDerivedSettings(calibration=method, **FAST)
                pool = factor * frame_means(self.truth)
                with self.subTest(factor=factor, method=method):
                    if code is None:
                        with self.assertRaises(InputRefused) as refused:
                            image_derived_input(TIMING, pool, blood(self.truth), settings, factor * around)
                        self.assertEqual(refused.exception.code, "calibration-recovery")
                    else:
                        made = image_derived_input(TIMING, pool, blood(self.truth), settings, factor * around)
                        self.assertEqual("calibration-recovery-odd" in codes(made.notices), bool(code))

    def test_refusals_and_warnings(self):
        pool, settings = frame_means(self.truth), ImageDerivedSettings(calibration="scale", **FAST)
        spill = ImageDerivedSettings(calibration="recovery-spill-in", **FAST)
        for samples, chosen, code in (
            (blood(self.truth, parent_fraction=None), settings, "parent-fraction-missing"),
            (blood(self.truth, plasma=None), settings, "plasma-ratio-missing"),
            (blood(self.truth), spill, "calibration-tissue-missing"),
            (blood(self.truth), ImageDerivedSettings(calibration="guess", **FAST), "settings-choice"),
            (blood(self.truth), ImageDerivedSettings(calibration="none", recovery=7.0, **FAST), "calibration-range"),
            (
                blood(self.truth),
                ImageDerivedSettings(calibration="scale", parent_fraction_model="spline"),
                "parent-fraction-model",
            ),
        ):
            with self.assertRaises(InputRefused) as refused:
                image_derived_input(TIMING, pool, samples, chosen)
            self.assertEqual(refused.exception.code, code)
        venous = image_derived_input(TIMING, pool, blood(self.truth, route="venous"), settings)
        self.assertIn("blood-venous", codes(venous.notices))
        stated = ImageDerivedSettings(calibration="scale", plasma_ratio=1.2, **FAST)
        constant = image_derived_input(TIMING, pool, blood(self.truth, plasma=None), stated)
        self.assertIn("plasma-ratio-given", codes(constant.notices))

    def test_tissue_must_have_a_value_a_frame(self):
        settings = ImageDerivedSettings(calibration="recovery-spill-in", **FAST)
        with self.assertRaises(InputRefused) as refused:
            image_derived_input(TIMING, frame_means(self.truth), blood(self.truth), settings, np.ones(4))
        self.assertEqual(refused.exception.code, "input-frames-shape")

    def test_settings_and_findings_are_json(self):
        settings = ImageDerivedSettings(calibration="scale", **FAST)
        made = image_derived_input(TIMING, 0.7 * frame_means(self.truth), blood(self.truth), settings)
        again = json.loads(json.dumps(made.settings, allow_nan=False))
        self.assertEqual(again["calibration"], "scale")
        self.assertAlmostEqual(again["found"]["calibration"]["scale"], made.calibration.scale)
        self.assertEqual(again["found"]["parent_fraction"]["model"], "hill")


@needs_data
class RealBolusTest(unittest.TestCase):
    """Arterial blood of six people ([11C]PBR28, 10.1186/s13550-017-0304-1), seen through the 19 frames."""

    def test_volume_bias_of_real_boluses(self):
        files = sorted((DATA / "pbr28").glob("*/*/pet/*_bloodproc.tsv"))
        self.assertEqual(len(files), 6)
        for path in files:
            source = read_blood([path], route="arterial")
            whole = np.interp(TIMES_S, source.whole_blood.times_s, source.whole_blood.values)
            plasma = np.interp(TIMES_S, source.parent_plasma.times_s, source.parent_plasma.values)
            chain = np.divide(plasma, whole, out=np.zeros_like(whole), where=whole > 1e-3)
            curve = continuous_curve(TIMING, frame_means(whole))
            ours = at(curve.knots_s, curve.values, TIMES_S)
            for k1, volume in ((0.1, 12.96), (0.5, 6.21)):
                tac = frame_means(tissue(plasma, k1, volume))
                bias = fitted_volume(ours * chain, tac, k1, volume) / volume - 1
                self.assertLess(abs(bias), 3e-3, path.name)


if __name__ == "__main__":
    unittest.main()
