import unittest

import numpy as np
from support.kineticstruth import arterial_input, schedule, tissue_curve
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.kinetics import FitOptions, fit
from TSPOQuantLib.kinetics.graphical import plasma_integrals, tissue_double_integral, tissue_integral
from TSPOQuantLib.messages import InputRefused


def fine(minutes):
    """Short frames, so that the convention's half frames do not matter."""
    starts = np.arange(0, minutes * 60, 10.0)
    return FrameTiming(starts, np.full(len(starts), 10.0))


class GraphicalTest(unittest.TestCase):
    def test_tissue_integral_is_earlier_frames_plus_half_the_present_one(self):
        timing = FrameTiming(np.array([0.0, 60.0, 240.0]), np.array([60.0, 60.0, 120.0]))  # 2 min of gap
        curve = np.array([2.0, 4.0, 6.0])
        np.testing.assert_allclose(tissue_integral(timing) @ curve, [1.0, 2 + 2, 2 + 4 + 2 * 5 + 6])
        # Twice: area under the running integral, which is linear within a frame; quadratic in the gap's mean.
        expected = [1 * 0.5 / 2, (0 + 2) / 2 + (2 + 4) / 2 * 0.5, 1 + (2 + 6) / 2 + (6 + 16) / 2 * 2 + (16 + 22) / 2]
        np.testing.assert_allclose(tissue_double_integral(timing) @ curve, expected)

    def test_plasma_integrals_are_exact_at_the_middle_of_frames(self):
        timing, plasma = schedule(60, gaps=True), arterial_input(60)
        first = plasma_integrals(plasma, timing, 0.0).first
        minutes = plasma.times_s / 60
        for middle, integral in zip(timing.mids_s / 60, first, strict=True):
            knots = np.append(minutes[minutes < middle], middle)
            if len(knots) > 1:
                curve = np.interp(knots, minutes, plasma.parent_plasma)
                self.assertAlmostEqual(integral, np.trapezoid(curve, knots), places=9)

    def test_volume_of_the_integrated_equations(self):
        timing, plasma = fine(90), arterial_input(90)
        curve = tissue_curve(timing, plasma, 0.3, 0.1)
        two = tissue_curve(timing, plasma, 0.3, 0.2, 0.1, 0.06)
        # Logan and MA1 are exact for one tissue, and for two once the compartments keep pace.
        for model in ("Logan", "MA1"):
            for options in (FitOptions(tstar_s=1800), FitOptions(last_frames=100)):
                one = fit(model, timing, np.stack([curve, two]), plasma, options)
                self.assertAlmostEqual(one[0].parameters["VT"], 3.0, delta=0.003)
                self.assertAlmostEqual(one[1].parameters["VT"], 4.0, delta=0.12)
        one = fit("MA2", timing, np.stack([curve, two]), plasma)[1]
        self.assertAlmostEqual(one.parameters["VT"], 4.0, delta=0.02)
        self.assertAlmostEqual(one.parameters["VS"], 2.5, delta=0.05)

    def test_patlak_is_exact_once_exchange_is_over(self):
        timing, plasma = schedule(120), arterial_input(120)
        curve = tissue_curve(timing, plasma, 0.1, 2.0, 0.3)
        one = fit("Patlak", timing, curve, plasma, FitOptions(tstar_s=2400))[0]
        self.assertAlmostEqual(one.parameters["Ki"], 0.1 * 0.3 / 2.3, delta=2e-5)

    def test_fixed_blood_fraction_is_taken_out(self):
        timing, plasma = fine(60), arterial_input(60)
        curve = tissue_curve(timing, plasma, 0.3, 0.1, VB=0.1)
        with_blood = fit("Logan", timing, curve, plasma, FitOptions(vb=0.1, tstar_s=1200))[0]
        without = fit("Logan", timing, curve, plasma, FitOptions(vb="none", tstar_s=1200))[0]
        self.assertAlmostEqual(with_blood.parameters["VT"], 3.0, delta=0.005)
        self.assertGreater(abs(without.parameters["VT"] - 3.0), 0.01)

    def test_delay_moves_the_input(self):
        timing, plasma = fine(60), arterial_input(60)
        curve = tissue_curve(timing, plasma.delayed(20), 0.3, 0.1)
        one = fit("MA1", timing, curve, plasma, FitOptions(delay_s=20.0, tstar_s=1200))[0]
        self.assertAlmostEqual(one.parameters["VT"], 3.0, delta=0.003)

    def test_standard_error_is_that_of_the_regression(self):
        timing, plasma = schedule(60), arterial_input(60)
        curve = tissue_curve(timing, plasma, 0.3, 0.1)
        noisy = curve * (1 + 0.02 * np.random.default_rng(1).normal(size=len(timing)))
        one = fit("Logan", timing, noisy, plasma, FitOptions(last_frames=7))[0]
        x, y = one.line.abscissa[-7:], one.line.ordinate[-7:]
        slope = np.cov(x, y)[0, 1] / x.var(ddof=1)
        residual = y - y.mean() - slope * (x - x.mean())
        error = np.sqrt((residual**2).sum() / 5 / ((x - x.mean()) ** 2).sum())
        self.assertAlmostEqual(one.parameters["VT"], slope, places=9)
        self.assertAlmostEqual(one.standard_errors["VT"], error, places=9)
        self.assertEqual((one.n_frames, one.n_parameters), (7, 2))

    def test_ma1_error_is_the_delta_method_of_its_regression(self):
        timing, plasma = schedule(60), arterial_input(60)
        noise = np.random.default_rng(1).normal(size=len(timing)) * 0.1
        curve = tissue_curve(timing, plasma, 0.3, 0.1) + noise
        one = fit("MA1", timing, curve, plasma, FitOptions(last_frames=8))[0]
        design = np.stack([plasma_integrals(plasma, timing, 0.0).first, tissue_integral(timing) @ curve], axis=1)[-8:]
        (first, second), (rss,), _, _ = np.linalg.lstsq(design, curve[-8:])
        covariance = np.linalg.inv(design.T @ design) * rss / 6
        gradient = np.array([-1 / second, first / second**2])
        self.assertAlmostEqual(one.parameters["VT"], -first / second, places=9)
        self.assertAlmostEqual(one.standard_errors["VT"], np.sqrt(gradient @ covariance @ gradient), places=9)
        self.assertAlmostEqual(one.wrss, rss, places=9)

    def test_a_frame_without_weight_still_counts_in_the_integral(self):
        timing, plasma = fine(60), arterial_input(60)
        curve = tissue_curve(timing, plasma, 0.3, 0.1)
        weight = np.where(np.arange(len(timing)) % 7 == 3, 0.0, 1.0)
        one = fit("Logan", timing, curve, plasma, FitOptions(weights=weight, tstar_s=1200))[0]
        self.assertAlmostEqual(one.parameters["VT"], 3.0, delta=0.003)
        curve[10] = np.nan
        with self.assertRaises(InputRefused) as caught:
            fit("Logan", timing, curve, plasma, FitOptions(weights=weight, tstar_s=1200))
        self.assertEqual(caught.exception.code, "tac-not-finite")

    def test_automatic_start_keeps_residuals_within_ten_percent(self):
        timing, plasma = schedule(90), arterial_input(90)
        curve = tissue_curve(timing, plasma, 0.3, 0.2, 0.1, 0.02)
        one = fit("Logan", timing, curve, plasma)[0]
        self.assertLessEqual(one.line.largest_residual, 0.10)
        first = int(np.argmax(one.line.used))
        self.assertEqual(one.tstar_s, timing.starts_s[first])
        earlier = fit("Logan", timing, curve, plasma, FitOptions(last_frames=len(timing) - first + 1))[0]
        self.assertGreater(earlier.line.largest_residual, 0.10)
        self.assertIn("line-bent", [notice.code for notice in earlier.flags])
        again = fit("Logan", timing, curve, plasma, FitOptions(tstar_s=one.tstar_s))[0]
        self.assertEqual(again.parameters, one.parameters)

    def test_no_start_found_gives_no_volume_and_says_why(self):
        # A second tissue that fills for days: five frames of a short scan are no line.
        timing, plasma = schedule(60), arterial_input(60)
        slow = tissue_curve(timing, plasma, 0.05, 0.02, 0.3, 0.002)
        one = fit("Logan", timing, slow, plasma)[0]
        self.assertIn("tstar-not-found", [notice.code for notice in one.flags])
        self.assertTrue(np.isnan(one.parameters["VT"]) and one.tstar_s is None)
        asked = fit("Logan", timing, slow, plasma, FitOptions(last_frames=5))[0]
        self.assertTrue(np.isfinite(asked.parameters["VT"]))

    def test_noise_that_bends_some_curves_from_any_start_on_leaves_the_latest(self):
        """A scan whose last four frames are of 600 s, at 3 % of noise there: V_T was not to be had of any curve."""
        timing, plasma = schedule(60), arterial_input(60)
        curve = tissue_curve(timing, plasma, 0.2, 0.08, 0.05, 0.03, VB=0.05)
        spread = np.sqrt(curve * 2 ** (timing.mids_s / 1223) / timing.durations_s)
        noise = np.random.default_rng(5).normal(size=(18, len(timing))) * 0.03 * curve[-1] * spread / spread[-1]
        clean, fits = fit("Logan", timing, curve, plasma)[0], fit("Logan", timing, curve + noise, plasma)
        self.assertEqual({one.tstar_s for one in fits}, {timing.starts_s[-5]})
        volumes = np.array([one.parameters["VT"] for one in fits])
        self.assertAlmostEqual(volumes.mean() / clean.parameters["VT"], 1.0, delta=0.05)
        bent = [one for one in fits if "line-bent" in [notice.code for notice in one.flags]]
        self.assertTrue(0 < len(bent) <= 9, len(bent))

    def test_a_negative_volume_is_said(self):
        timing, plasma = schedule(60), arterial_input(60)
        one = fit("MA1", timing, tissue_curve(timing, plasma, 0.05, 0.0), plasma)[0]
        self.assertLess(one.parameters["VT"], 0)
        self.assertIn("not-positive", [notice.code for notice in one.flags])

    def test_scattered_curves_are_called_so(self):
        timing, plasma = schedule(60), arterial_input(60)
        one = fit("MA1", timing, np.where(np.arange(len(timing)) % 2, 0.1, 1.0), plasma)[0]
        self.assertIn("poor-fit", [notice.code for notice in one.flags])

    def test_noise_of_late_frames_does_not_move_the_start(self):
        # Two tissues over 120 min of carbon-11: noise of 3 % a 5-min frame at half an hour is 15 % at the end.
        timing, plasma = schedule(120), arterial_input(120)
        curve = tissue_curve(timing, plasma, 0.1, 0.15, 0.06, 0.03)
        spread = np.sqrt(curve * 2 ** (timing.mids_s / 1223) / timing.durations_s)
        spread *= 0.03 * curve[17] / spread[17]
        noise = np.random.default_rng(5).normal(size=(40, len(timing))) * spread
        for model in ("Logan", "MA1"):
            clean = fit(model, timing, curve, plasma)[0]
            fits = fit(model, timing, curve + noise, plasma)
            self.assertEqual(len({one.tstar_s for one in fits}), 1)
            self.assertLess(abs(fits[0].tstar_s - clean.tstar_s), 601)
            volumes = np.array([one.parameters["VT"] for one in fits])
            self.assertAlmostEqual(np.median(volumes) / clean.parameters["VT"], 1.0, delta=0.04)
            self.assertLess(volumes.std() / volumes.mean(), 0.1)

    def test_one_start_for_all_curves_and_odd_ones_are_flagged(self):
        timing, plasma = schedule(90), arterial_input(90)
        quick = tissue_curve(timing, plasma, 0.3, 0.2, 0.1, 0.1)
        slow = tissue_curve(timing, plasma, 0.1, 0.15, 0.06, 0.03)
        fits = fit("Logan", timing, np.stack([quick] * 19 + [slow]), plasma)
        alone = fit("Logan", timing, slow, plasma)[0]
        self.assertEqual(len({one.tstar_s for one in fits}), 1)
        self.assertGreater(alone.tstar_s, fits[0].tstar_s)
        self.assertIn("line-bent", [notice.code for notice in fits[-1].flags])
        self.assertNotIn("line-bent", [notice.code for notice in fits[0].flags])

    def test_a_scan_that_starts_late_is_said(self):
        timing, plasma = schedule(60), arterial_input(60)
        late = FrameTiming(timing.starts_s[9:], timing.durations_s[9:])
        one = fit("Logan", late, tissue_curve(late, plasma, 0.3, 0.1), plasma, FitOptions(last_frames=4))[0]
        self.assertIn("scan-starts-late", [notice.code for notice in one.flags])


if __name__ == "__main__":
    unittest.main()
