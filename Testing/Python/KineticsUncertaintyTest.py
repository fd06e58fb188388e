import unittest
import warnings
from dataclasses import replace

import numpy as np
from scipy.optimize import curve_fit
from scipy.stats import chi2
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution
from support.kineticstruth import arterial_input, schedule, tissue_curve
from support.tiers import slow
from TSPOQuantLib.input_function.curve import InputFunction
from TSPOQuantLib.kinetics import (
    FitOptions,
    blood_mean,
    bootstrap,
    compare,
    f_test,
    fit,
    fit_by_duration,
    likelihood_ratio,
    nested_tests,
    preferred,
    profile_interval,
    suv,
    weights,
    window_mean,
)
from TSPOQuantLib.messages import InputRefused


class CovarianceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.timing, cls.plasma = schedule(60), arterial_input(60)
        cls.curve = tissue_curve(cls.timing, cls.plasma, 0.3, 0.05, VB=0.05)
        cls.weights = weights("duration", cls.timing, None, None)
        noise = np.random.default_rng(11).normal(size=(500, len(cls.timing))) / np.sqrt(cls.weights)
        cls.noisy = cls.curve + 0.02 * cls.curve.mean() * noise
        cls.options = FitOptions(weights=cls.weights)
        cls.fits = fit("1TCM", cls.timing, cls.noisy, cls.plasma, cls.options)

    def test_covariance_meets_another_fitting_routine(self):
        def model(_, K1, k2, VB):
            return tissue_curve(self.timing, self.plasma, K1, k2, VB=VB)

        one = self.fits[0]
        names = ("K1", "k2", "VB")
        found, covariance = curve_fit(
            model,
            self.timing.mids_s,
            self.noisy[0],
            p0=[one.parameters[name] * 1.05 for name in names],
            sigma=1 / np.sqrt(self.weights),
            xtol=1e-12,
            ftol=1e-12,
        )
        np.testing.assert_allclose([one.parameters[name] for name in names], found, rtol=1e-4)
        np.testing.assert_allclose(one.covariance, covariance, rtol=1e-2)
        # V_T = K1/k2: var/VT^2 = var K1/K1^2 + var k2/k2^2 - 2 cov/(K1 k2).
        variance = covariance[0, 0] / found[0] ** 2 + covariance[1, 1] / found[1] ** 2
        variance -= 2 * covariance[0, 1] / (found[0] * found[1])
        error = found[0] / found[1] * np.sqrt(variance)
        self.assertAlmostEqual(one.standard_errors["VT"] / error, 1.0, delta=0.01)

    def test_standard_errors_meet_the_scatter_of_repeated_fits(self):
        for name in ("K1", "k2", "VB", "VT"):
            scatter = np.std([one.parameters[name] for one in self.fits])
            stated = np.sqrt(np.mean([one.standard_errors[name] ** 2 for one in self.fits]))
            self.assertAlmostEqual(stated / scatter, 1.0, delta=0.09)

    def test_student_intervals(self):
        one = self.fits[0]
        reach = t_distribution.ppf(0.975, len(self.timing) - 3) * one.standard_errors["VT"]
        np.testing.assert_allclose(np.diff(one.interval("VT", 0.95)), 2 * reach)
        low, high = one.interval("VT", 0.95, "log")
        self.assertAlmostEqual(np.log(high / low), 2 * reach / one.parameters["VT"])
        self.assertAlmostEqual(low * high, one.parameters["VT"] ** 2)

    def test_a_hopeless_estimate_reaches_from_zero_to_infinity(self):
        one = replace(self.fits[0], standard_errors={"VT": 1e6})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertEqual(one.interval("VT", 0.95, "log"), (0, np.inf))

    def test_profile_and_bootstrap_agree_with_student_where_the_model_is_nearly_linear(self):
        one = self.fits[3]
        student = np.array(one.interval("VT"))
        profile = np.array(profile_interval("1TCM", self.timing, self.noisy[3], self.plasma, self.options))
        np.testing.assert_allclose(profile, student, atol=0.1 * np.diff(student)[0])
        draws = bootstrap(one, self.timing, self.plasma, self.options, draws=400)["VT"]
        np.testing.assert_allclose(np.percentile(draws, [2.5, 97.5]), student, atol=0.2 * np.diff(student)[0])
        again = bootstrap(one, self.timing, self.plasma, self.options, draws=10)["VT"]
        np.testing.assert_array_equal(again, bootstrap(one, self.timing, self.plasma, self.options, draws=10)["VT"])

    @slow
    def test_profile_limits_have_the_stated_sum_of_squares(self):
        data, one = self.noisy[5], self.fits[5]
        limit = one.wrss * (1 + t_distribution.ppf(0.975, one.degrees_of_freedom) ** 2 / one.degrees_of_freedom)
        for end in profile_interval("1TCM", self.timing, data, self.plasma, self.options):
            # The best of a fine search at that volume, by the integrated equations.
            best = np.inf
            for k2 in one.parameters["k2"] * np.linspace(0.85, 1.15, 61):
                bare, blood = (tissue_curve(self.timing, self.plasma, end * k2, k2, VB=VB) for VB in (0.0, 0.5))
                extra = 2 * (blood - bare)  # frame averages of whole blood, less the tissue
                VB = np.clip((self.weights * extra) @ (data - bare) / (self.weights @ extra**2), 0.0, 0.5)
                best = min(best, self.weights @ (data - bare - VB * extra) ** 2)
            self.assertAlmostEqual(best / limit, 1.0, delta=0.002)

    def test_free_fraction_scales_the_volume(self):
        one = fit(
            "1TCM", self.timing, self.noisy[0], self.plasma, FitOptions(weights=self.weights, free_fraction=0.2)
        )[0]
        self.assertAlmostEqual(one.parameters["VT/fP"], 5 * one.parameters["VT"])
        self.assertAlmostEqual(one.standard_errors["VT/fP"], 5 * one.standard_errors["VT"])

    def test_duration_check_fits_what_an_earlier_end_would_have_left(self):
        ends = (2400.0, 3600.0)
        shorter, whole = fit_by_duration("1TCM", self.timing, self.noisy[:1], self.plasma, ends, self.options)
        self.assertAlmostEqual(whole[0].parameters["VT"], self.fits[0].parameters["VT"], places=9)
        self.assertEqual(shorter[0].n_frames, int((self.timing.ends_s <= 2400).sum()))


class SelectionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.timing, cls.plasma = schedule(60), arterial_input(60)
        cls.one = tissue_curve(cls.timing, cls.plasma, 0.3, 0.05, VB=0.05)
        cls.two = tissue_curve(cls.timing, cls.plasma, 0.3, 0.3, 0.1, 0.05, VB=0.05)
        cls.noise = np.random.default_rng(7).normal(size=len(cls.timing)) * 0.01 * cls.one.mean()

    def fits(self, curve):
        return [fit(name, self.timing, curve + self.noise, self.plasma)[0] for name in ("1TCM", "2TCM")]

    def test_criteria_by_their_definitions(self):
        one = self.fits(self.one)[0]
        n, p = len(self.timing), 3
        self.assertAlmostEqual(one.wrss, (one.residuals**2).sum())
        self.assertAlmostEqual(one.aic, n * np.log(one.wrss / n) + 2 * p)
        self.assertAlmostEqual(one.aicc, one.aic + 2 * p * (p + 1) / (n - p - 1))
        self.assertAlmostEqual(one.bic, n * np.log(one.wrss / n) + p * np.log(n))

    def test_each_model_wins_on_its_own_curve(self):
        for criterion in ("aic", "aicc", "bic"):
            self.assertEqual(preferred(self.fits(self.one), criterion).model, "1TCM")
            self.assertEqual(preferred(self.fits(self.two), criterion).model, "2TCM")
        table = compare(self.fits(self.two))
        self.assertAlmostEqual(sum(row.weight for row in table), 1.0)
        self.assertEqual(table[1].aic, 0.0)

    def test_f_test(self):
        simpler, larger = self.fits(self.two)
        ratio, chance = f_test(simpler, larger)
        n = len(self.timing)
        expected = (simpler.wrss - larger.wrss) / 2 / (larger.wrss / (n - 5))
        self.assertAlmostEqual(ratio, expected)
        self.assertAlmostEqual(chance, f_distribution.sf(expected, 2, n - 5))
        self.assertLess(chance, 0.001)
        self.assertGreater(f_test(*self.fits(self.one))[1], 0.05)

    def test_likelihood_ratio_and_what_is_nested(self):
        simpler, larger = self.fits(self.two)
        ratio, chance = likelihood_ratio(simpler, larger)
        self.assertAlmostEqual(ratio, len(self.timing) * np.log(simpler.wrss / larger.wrss))
        self.assertAlmostEqual(chance, chi2.sf(ratio, 2))
        middle = fit("2TCM3k", self.timing, self.two + self.noise, self.plasma)[0]
        tests = nested_tests([larger, simpler, middle])
        self.assertEqual({(t.simpler, t.larger) for t in tests}, {("2TCM3k", "2TCM"), ("1TCM", "2TCM3k")})
        self.assertEqual((tests[0].f, tests[0].f_chance), f_test(middle, larger))

    def test_unlike_fits_are_not_compared(self):
        logan = fit("Logan", self.timing, self.one, self.plasma)[0]
        with self.assertRaises(InputRefused):
            compare([self.fits(self.one)[0], logan])
        with self.assertRaises(InputRefused):
            f_test(*self.fits(self.one)[::-1])
        with self.assertRaises(InputRefused):
            preferred([])


class RatiosTest(unittest.TestCase):
    def test_constant_curves_have_constant_ratios(self):
        timing = schedule(60)
        plasma = InputFunction(np.array([0.0]), np.array([2.0]), np.array([4.0]))
        curve = np.full(len(timing), 6.0)
        window = (1200.0, 3600.0)
        self.assertAlmostEqual(float(window_mean(timing, curve, window)), 6.0)
        self.assertAlmostEqual(float(blood_mean(timing, plasma, window, "PP")), 2.0)
        self.assertAlmostEqual(float(blood_mean(timing, plasma, window, "WB")), 4.0)
        # 6 kBq/mL, 370 MBq, 74 kg: 6 / (370/74) g/mL.
        self.assertAlmostEqual(float(suv(6.0, 370.0, 74.0)), 1.2)

    def test_numerator_and_blood_share_their_frames(self):
        timing, plasma = schedule(60), arterial_input(60)
        multiple = tissue_curve(timing, plasma, 0.0, 0.1, VB=0.5) * 2  # exact frame averages of whole blood
        means = window_mean(timing, multiple, (100, 2000)), blood_mean(timing, plasma, (100, 2000), "WB")
        self.assertAlmostEqual(float(means[0] / means[1]), 1.0, places=9)

    def test_frames_count_by_the_time_within(self):
        timing = schedule(60)
        shared = np.minimum(timing.ends_s, 3000) - np.maximum(timing.starts_s, 400)
        curve = np.arange(len(timing), dtype=float)
        expected = np.average(curve, weights=np.maximum(shared, 0))
        self.assertAlmostEqual(float(window_mean(timing, curve, (400, 3000))), expected)

    def test_refusals(self):
        timing, plasma = schedule(60), arterial_input(60)
        curve = np.ones(len(timing))
        for call in (
            lambda: window_mean(timing, curve, (4000, 5000)),
            lambda: suv(curve, 0.0, 70.0),
            lambda: blood_mean(timing, InputFunction(np.zeros(1), np.zeros(1), np.zeros(1)), (0, 3600), "PP"),
            lambda: blood_mean(timing, plasma, (0, 3600), "plasma"),
        ):
            self.assertRaises(InputRefused, call)


if __name__ == "__main__":
    unittest.main()
