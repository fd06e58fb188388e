import unittest
from dataclasses import replace

import numpy as np
from support.kineticstruth import arterial_input, schedule, tissue_curve
from support.tiers import slow
from TSPOQuantLib.input_function.curve import InputFunction
from TSPOQuantLib.kinetics import MODELS, FitOptions, fit, weights
from TSPOQuantLib.messages import InputRefused, Notice


def values(one, *names):
    return np.array([one.parameters[name] for name in names])


def codes(one):
    return [notice.code for notice in one.flags]


class CompartmentRecoveryTest(unittest.TestCase):
    """Noise-free curves of the integrated equations come back, over the range that the program promises."""

    def test_one_tissue(self):
        for minutes in (20, 60, 120):
            timing, plasma = schedule(minutes), arterial_input(minutes)
            truths = [
                (K1, K1 / VT, VB, VT) for K1 in (0.02, 0.2, 1.0) for VT in (0.3, 3, 13, 30) for VB in (0, 0.05, 0.15)
            ]
            curves = np.array([tissue_curve(timing, plasma, K1, k2, VB=VB) for K1, k2, VB, _ in truths])
            for one, truth in zip(fit("1TCM", timing, curves, plasma), truths, strict=True):
                np.testing.assert_allclose(values(one, "K1", "k2", "VB", "VT"), truth, rtol=1e-6, atol=1e-9)

    def test_two_tissues(self):
        for minutes in (20, 60, 120):
            timing, plasma = schedule(minutes), arterial_input(minutes)
            truths = []
            for K1, VT, VB in [(0.02, 30, 0.15), (0.1, 0.3, 0.0), (0.3, 13, 0.05), (1.0, 3, 0.05), (0.5, 6.2, 0.15)]:
                truths += [
                    (K1, K1 / VT * (1 + k3 / k4), k3, k4, VB, VT) for k3, k4 in ((0.05, 0.03), (0.3, 0.1), (0.02, 0.1))
                ]
            curves = np.array([tissue_curve(timing, plasma, *truth[:5]) for truth in truths])
            for one, truth in zip(fit("2TCM", timing, curves, plasma), truths, strict=True):
                np.testing.assert_allclose(one.parameters["VT"], truth[5], rtol=1e-6)
                np.testing.assert_allclose(values(one, "K1", "k2", "k3", "k4", "VB"), truth[:5], rtol=1e-4, atol=1e-8)

    def test_every_row_says_that_the_bolus_was_missed(self):
        said = Notice("input-late-start", "the scan began after the bolus")
        timing, plasma = schedule(60), arterial_input(60)
        plasma = replace(plasma, notices=(said, Notice("blood-venous", "from a vein")))
        curve = tissue_curve(timing, plasma, 0.3, 0.1)
        for model in ("1TCM", "2TCM", "Logan", "MA1", "Patlak"):
            for one in fit(model, timing, np.stack([curve, 2 * curve]), plasma):
                self.assertIn(said, one.flags)
                self.assertNotIn("blood-venous", [flag.code for flag in one.flags])

    def test_gaps_between_frames_and_a_late_start(self):
        timing, plasma = schedule(60, gaps=True), arterial_input(60)
        curve = tissue_curve(timing, plasma, 0.2, 0.06, 0.05, 0.04, VB=0.04)
        one = fit("2TCM", timing, curve, plasma)[0]
        np.testing.assert_allclose(values(one, "K1", "k2", "k3", "k4", "VB"), (0.2, 0.06, 0.05, 0.04, 0.04), rtol=1e-6)

    def test_irreversible_and_endothelial_trapping(self):
        timing, plasma = schedule(90), arterial_input(90)
        one = fit("2TCM3k", timing, tissue_curve(timing, plasma, 0.1, 0.15, 0.05, VB=0.05), plasma)[0]
        np.testing.assert_allclose(values(one, "K1", "k2", "k3", "Ki"), (0.1, 0.15, 0.05, 0.025), rtol=1e-6)
        self.assertNotIn("VT", one.parameters)
        curve = tissue_curve(timing, plasma, 0.1, 0.15, 0.08, 0.05, VB=0.05, Kb=0.2)
        one = fit("2TCM1K", timing, curve, plasma)[0]
        truth = (0.1, 0.15, 0.08, 0.05, 0.05, 0.2)
        np.testing.assert_allclose(values(one, "K1", "k2", "k3", "k4", "VB", "Kb"), truth, rtol=1e-5)

    def test_blood_fraction_absent_fixed_or_fitted(self):
        timing, plasma = schedule(60), arterial_input(60)
        curve = tissue_curve(timing, plasma, 0.2, 0.05, VB=0.08)
        fixed = fit("1TCM", timing, curve, plasma, FitOptions(vb=0.08))[0]
        np.testing.assert_allclose(values(fixed, "K1", "k2", "VB"), (0.2, 0.05, 0.08), rtol=1e-7)
        self.assertEqual(fixed.parameter_names, ("K1", "k2"))
        self.assertEqual(fixed.n_parameters, 2)
        bare = tissue_curve(timing, plasma, 0.2, 0.05)
        none = fit("1TCM", timing, bare, plasma, FitOptions(vb="none"))[0]
        np.testing.assert_allclose(values(none, "K1", "k2", "VB"), (0.2, 0.05, 0.0), rtol=1e-7)

    def test_blood_of_a_vessel_beside_the_tissue_takes_no_place_in_it(self):
        """Blood is added to the integrated curve of a tissue that holds some: V_T stays; by the published equation it
        grows as 1 / (1 - V_B)."""
        timing, plasma = schedule(60), arterial_input(60)
        blood = tissue_curve(timing, plasma, 0.0, 0.0, VB=1.0)
        for model, rates in (("1TCM", ()), ("2TCM", (0.05, 0.04)), ("2TCM1K", (0.05, 0.04))):
            tissue = tissue_curve(timing, plasma, 0.3, 0.05, *rates, VB=0.04)
            vt = 6.0 * (1 + rates[0] / rates[1]) if rates else 6.0
            for beside in (0.0, 0.01, 0.1, 0.4):
                curve = tissue + beside * blood
                (one,) = fit(model, timing, curve, plasma, FitOptions(tissue_vb=0.04))
                np.testing.assert_allclose(values(one, "K1", "VB", "VT"), (0.3, 0.04 + beside, vt), rtol=1e-4)
                self.assertEqual(one.settings["tissue_vb"], 0.04)
                (plain,) = fit(model, timing, curve, plasma)
                np.testing.assert_allclose(plain.parameters["VT"], vt * 0.96 / (0.96 - beside), rtol=1e-4)
                (near,) = fit(model, timing, curve, plasma, FitOptions(tissue_vb=0.04), [plain])
                np.testing.assert_allclose(near.parameters["VT"], vt, rtol=1e-4)

    def test_v_t_is_as_sure_beside_a_vessel_as_its_curves_say(self):
        """Over many draws of noise the standard error is the scatter of V_T, and V_T is right in the mean."""
        timing, plasma = schedule(60), arterial_input(60)
        blood = tissue_curve(timing, plasma, 0.0, 0.0, VB=1.0)
        curve = tissue_curve(timing, plasma, 0.3, 0.05, VB=0.04) + 0.3 * blood
        noisy = curve + np.random.default_rng(7).normal(size=(200, len(timing))) * 0.03 * curve.mean()
        fits = fit("1TCM", timing, noisy, plasma, FitOptions(tissue_vb=0.05))
        vt, se = (np.array([getattr(one, name) for one in fits]) for name in ("outcome_value", "outcome_error"))
        self.assertAlmostEqual(vt.mean(), 6.0 * 0.96 / 0.95, delta=3 * vt.std() / np.sqrt(len(vt)))
        self.assertAlmostEqual(np.median(se) / vt.std(), 1, delta=0.15)

    @slow
    def test_a_fitted_delay_is_found(self):
        timing, plasma = schedule(60), arterial_input(60)
        for delay in (-7.4, 0.0, 11.8):
            curve = tissue_curve(timing, plasma.delayed(delay), 0.2, 0.05, VB=0.05)
            one = fit("1TCM", timing, curve, plasma, FitOptions(delay_s="fit"))[0]
            self.assertAlmostEqual(one.delay_s, delay, delta=0.02)
            np.testing.assert_allclose(one.parameters["VT"], 4.0, rtol=1e-4)
            self.assertEqual(one.n_parameters, 4)
        fixed = fit("1TCM", timing, curve, plasma, FitOptions(delay_s=11.8))[0]
        np.testing.assert_allclose(values(fixed, "K1", "k2"), (0.2, 0.05), rtol=1e-6)
        limited = fit("1TCM", timing, curve, plasma, FitOptions(delay_s="fit", bounds={"delay": (-5, 5)}))[0]
        self.assertIn("delay-at-limit", codes(limited))

    def test_fits_near_known_ones_end_where_the_search_everywhere_does(self):
        timing, plasma = schedule(60), arterial_input(60)
        curve = tissue_curve(timing, plasma, 0.2, 0.05, 0.02, 0.04, VB=0.05)
        noisy = curve + np.random.default_rng(5).normal(size=(6, len(timing))) * 0.03 * curve.mean()
        more = replace(plasma, parent_plasma=1.05 * plasma.parent_plasma, whole_blood=1.05 * plasma.whole_blood)
        for options in (FitOptions(), FitOptions(vb=0.05), FitOptions(vb="none", bounds={"K1": (0.0, 0.19)})):
            known = fit("1TCM", timing, noisy, plasma, options)
            near, everywhere = (fit("1TCM", timing, noisy, more, options, start) for start in (known, None))
            for one, sought in zip(near, everywhere, strict=True):
                self.assertAlmostEqual(one.parameters["VT"], sought.parameters["VT"], delta=1e-6)
                self.assertAlmostEqual(one.standard_errors["VT"], sought.standard_errors["VT"], delta=1e-6)

    def test_a_larger_model_never_fits_worse(self):
        timing, plasma = schedule(60), arterial_input(60)
        curve = tissue_curve(timing, plasma, 0.2, 0.05, VB=0.05)
        noisy = curve + np.random.default_rng(4).normal(size=(12, len(timing))) * 0.05 * curve.mean()
        for one, irreversible, two, trapping in zip(
            *(fit(name, timing, noisy, plasma) for name in ("1TCM", "2TCM3k", "2TCM", "2TCM1K")), strict=True
        ):
            self.assertLessEqual(irreversible.wrss, one.wrss * (1 + 1e-9))
            self.assertLessEqual(two.wrss, irreversible.wrss * (1 + 1e-9))
            self.assertLessEqual(trapping.wrss, two.wrss * (1 + 1e-6))


class BoundsAndFlagsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.timing, cls.plasma = schedule(60), arterial_input(60)
        cls.curve = tissue_curve(cls.timing, cls.plasma, 0.4, 0.08, VB=0.05)

    def test_bounds_hold_and_are_flagged(self):
        for bounds, code in (
            ({"K1": (0, 0.3)}, "at-bound:K1"),
            ({"k2": (0, 0.05)}, "at-bound:k2"),
            ({"VB": (0.1, 0.5)}, "at-bound:VB"),
        ):
            one = fit("1TCM", self.timing, self.curve, self.plasma, FitOptions(bounds=bounds))[0]
            self.assertIn(code, codes(one))
            name = code.split(":")[1]
            low, high = bounds[name]
            self.assertTrue(low <= one.parameters[name] <= high)
            # A parameter held at its bound must not make the volume look surer than it is.
            held = fit(
                "1TCM", self.timing, self.curve, self.plasma, FitOptions(bounds={name: (one.parameters[name],) * 2})
            )
            self.assertGreater(one.standard_errors["VT"], held[0].standard_errors["VT"])

    def test_equal_bounds_fix_a_parameter(self):
        one = fit("2TCM", self.timing, self.curve, self.plasma, FitOptions(bounds={"k4": (0.05, 0.05)}))[0]
        self.assertEqual(one.parameters["k4"], 0.05)
        self.assertEqual(one.parameter_names, ("K1", "k2", "k3", "VB"))

    def test_a_clean_fit_has_no_flags(self):
        noise = np.random.default_rng(8).normal(size=len(self.timing)) * 0.01 * self.curve.mean()
        self.assertEqual(codes(fit("1TCM", self.timing, self.curve + noise, self.plasma)[0]), [])

    def test_slow_washout_is_beyond_the_scan(self):
        slow = tissue_curve(self.timing, self.plasma, 0.1, 0.1 / 12.96)
        one = fit("1TCM", self.timing, slow, self.plasma, FitOptions(vb="none"))[0]
        self.assertEqual(codes(one), ["vt-beyond-scan"])
        self.assertIn("90 min", one.flags[0].message)

    def test_no_washout_has_no_volume(self):
        trapped = tissue_curve(self.timing, self.plasma, 0.1, 0.0)
        one = fit("1TCM", self.timing, trapped, self.plasma, FitOptions(vb="none"))[0]
        self.assertTrue(np.isnan(one.parameters["VT"]) or one.parameters["VT"] > 1e3)
        self.assertIn("not-identifiable", codes(one))
        self.assertIn("vt-beyond-scan", codes(one))

    def test_a_wrong_model_shows_in_runs_of_residuals(self):
        two = tissue_curve(self.timing, self.plasma, 0.3, 0.3, 0.1, 0.02)
        one = fit("1TCM", self.timing, two, self.plasma)[0]
        self.assertIn("residual-runs", codes(one))
        self.assertIn(
            "poor-fit", codes(fit("1TCM", self.timing, two, self.plasma, FitOptions(bounds={"k2": (1, 2)}))[0])
        )

    def test_noise_is_flagged(self):
        noise = np.random.default_rng(3).normal(size=(4, len(self.timing)))
        for one in fit("2TCM", self.timing, self.curve + noise * self.curve.mean(), self.plasma):
            self.assertTrue({"not-identifiable", "se-large"} & set(codes(one)))

    def test_empty_and_absurd_curves_end_in_flags_not_in_errors(self):
        junk = np.stack([np.zeros(len(self.timing)), -np.ones(len(self.timing)), np.full(len(self.timing), 1e7)])
        for name in MODELS:
            for one in fit(name, self.timing, junk, self.plasma):
                self.assertEqual(one.predicted.shape, (len(self.timing),))
            self.assertIn("not-identifiable", codes(fit(name, self.timing, junk[0], self.plasma)[0]))


class WeightsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.timing, cls.plasma = schedule(60), arterial_input(60)
        cls.curve = tissue_curve(cls.timing, cls.plasma, 0.2, 0.05, VB=0.05)

    def test_kinds_have_mean_one(self):
        for kind in ("uniform", "duration", "counts"):
            self.assertAlmostEqual(weights(kind, self.timing, self.curve, 1223.0).mean(), 1.0, places=12)
        duration = weights("duration", self.timing, None, None)
        self.assertAlmostEqual(duration[-1] / duration[0], self.timing.durations_s[-1] / self.timing.durations_s[0])

    def test_counts_are_the_inverse_of_poisson_variance(self):
        half_life_s = 1223.0
        # Simulate: decays are Poisson, the datum is decay-corrected counts per second.
        rate = np.log(2) / half_life_s
        timing = self.timing
        survive = (np.exp(-rate * timing.starts_s) - np.exp(-rate * timing.ends_s)) / (rate * timing.durations_s)
        expected = self.curve * 50 * survive * timing.durations_s
        draws = np.random.default_rng(0).poisson(expected, size=(20000, len(timing)))
        data = draws / survive / timing.durations_s / 50
        good = expected > 0.02 * expected.max()
        ours = weights("counts", timing, self.curve, half_life_s)[good]
        product = ours * data.var(axis=0)[good]
        np.testing.assert_allclose(product / product.mean(), 1.0, atol=0.05)

    def test_frames_without_weight_do_not_count(self):
        mask = np.ones(len(self.timing))
        mask[5:9] = 0
        spoiled = self.curve.copy()
        spoiled[5:9] = np.nan
        one = fit("1TCM", self.timing, spoiled, self.plasma, FitOptions(weights=mask))[0]
        np.testing.assert_allclose(one.parameters["VT"], 4.0, rtol=1e-7)
        self.assertEqual(one.n_frames, len(self.timing) - 4)
        self.assertAlmostEqual(one.weights[mask > 0].mean(), 1.0)

    def test_the_scale_of_given_weights_does_not_matter(self):
        noisy = self.curve + np.random.default_rng(2).normal(size=len(self.timing))
        given = np.random.default_rng(3).uniform(0.5, 2, len(self.timing))
        one, other = (
            fit("1TCM", self.timing, noisy, self.plasma, FitOptions(weights=scale * given))[0] for scale in (1, 1e3)
        )
        self.assertAlmostEqual(one.wrss, other.wrss, places=9)
        self.assertAlmostEqual(one.aic, other.aic, places=9)


class RefusalTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.timing, cls.plasma = schedule(30), arterial_input(30)
        cls.curve = tissue_curve(cls.timing, cls.plasma, 0.2, 0.05)

    def refused(self, code, model="1TCM", curve=None, plasma=None, **options):
        curve = self.curve if curve is None else curve
        with self.assertRaises(InputRefused) as caught:
            fit(model, self.timing, curve, plasma or self.plasma, FitOptions(**options))
        self.assertEqual(caught.exception.code, code)

    def test_named_refusals(self):
        times, values_ = self.plasma.times_s, self.plasma.parent_plasma
        self.refused("model-unknown", model="3TCM")
        self.refused("tac-shape", curve=self.curve[:-1])
        self.refused("tac-not-finite", curve=np.where(np.arange(len(self.curve)) == 3, np.nan, self.curve))
        self.refused("weights-shape", weights=np.ones(3))
        self.refused("weights-value", weights=-np.ones(len(self.timing)))
        self.refused("weights-value", weights=np.zeros(len(self.timing)))
        self.refused("bounds-name", bounds={"k9": (0, 1)})
        self.refused("bounds-value", bounds={"k2": (1, 0)})
        self.refused("bounds-value", bounds={"VB": (0, 1)})
        self.refused("bounds-value", bounds={"k2": (0, 1e300)})
        self.refused("vb-value", vb=1.2)
        self.refused("vb-value", vb="some")
        self.refused("delay-value", delay_s="auto")
        self.refused("free-fraction", free_fraction=0.0)
        self.refused("tstar-value", model="Logan", tstar_s="late")
        self.refused("tstar-value", model="Logan", tstar_s=-60.0)
        self.refused("frames-last", model="Logan", last_frames=99)
        self.refused("fit-too-few-frames", model="Logan", tstar_s=1700.0)
        self.refused("fit-too-few-frames", weights=np.arange(len(self.timing)) < 3)
        self.refused("delay-graphical", model="Logan", delay_s="fit")
        self.refused("input-empty", plasma=InputFunction(times, 0 * values_, values_))
        self.refused("input-backwards", plasma=InputFunction(times[::-1], values_, values_))
        self.refused("input-not-finite", plasma=InputFunction(times, values_ * np.nan, values_))
        self.refused("input-after-scan", plasma=InputFunction(times + 1800, values_, values_))
        self.refused("input-after-scan", model="Logan", delay_s=1800.0)
        self.refused("input-shape", plasma=InputFunction(times[1:], values_, values_))

    def test_weights_refuse(self):
        for arguments in (("odd", None, None), ("counts", None, 1223.0), ("counts", self.curve, None)):
            with self.assertRaises(InputRefused):
                weights(arguments[0], self.timing, *arguments[1:])


if __name__ == "__main__":
    unittest.main()
