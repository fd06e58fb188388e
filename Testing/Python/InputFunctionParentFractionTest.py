import unittest

import numpy as np
from scipy import stats
from support.realdata import DATA, needs_data
from TSPOQuantLib.acquisition.blood import SampledCurve
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.input_function import fit_parent_fraction
from TSPOQuantLib.input_function.parent_fraction import MODELS
from TSPOQuantLib.messages import InputRefused

TIMES_MIN = np.array([0.5, 1, 2, 3, 5, 8, 10, 15, 20, 30, 40, 60, 90])
# Each model written once more, from its definition, with the parameters of a plausible curve.
TRUTHS = {
    "hill": ((0.1, 1.8, 2.0), lambda t, a, b, c: 1 - (1 - a) * t**b / (10**c + t**b)),
    "extended-hill": ((0.95, 0.1, 1.8, 2.0), lambda t, p, a, b, c: p - (p - a) * t**b / (10**c + t**b)),
    "power": ((0.15, 2.0, 0.6), lambda t, a, b, c: 1 / (1 + (a * t) ** b) ** c),
    "bi-exponential": ((0.7, 0.15, 0.01), lambda t, a, b, c: a * np.exp(-b * t) + (1 - a) * np.exp(-c * t)),
    "sigmoid": ((2.5, 0.5, 0.1), lambda t, a, b, c: ((1 - t**3 / (t**3 + 10**a)) ** b + c) / (1 + c)),
    "gamma": ((0.9, 1.4, 0.08), lambda t, a, b, c: 1 - a * stats.gamma.cdf(t, b, scale=1 / c)),
    "inverse-gamma": ((0.95, 0.8, 5.0), lambda t, a, b, c: 1 - a * stats.invgamma.cdf(t, b, scale=c)),
}


def samples(fractions, times_min=TIMES_MIN):
    return SampledCurve(np.asarray(times_min) * 60.0, np.asarray(fractions))


class ParentFractionModelsTest(unittest.TestCase):
    def test_every_model_is_here(self):
        self.assertEqual({model.name for model in MODELS}, set(TRUTHS))

    def test_each_model_finds_its_own_parameters_and_curve(self):
        for name, (values, formula) in TRUTHS.items():
            fit = fit_parent_fraction(samples(formula(TIMES_MIN, *values)), name)
            dense = np.linspace(0.1, 90, 300)
            np.testing.assert_allclose(fit(60 * dense), formula(dense, *values), atol=2e-4, err_msg=name)
            np.testing.assert_allclose(list(fit.parameters.values()), values, rtol=0.03, err_msg=name)
            self.assertEqual(fit.model, name)

    def test_best_is_as_good_as_the_truth_for_every_family(self):
        for name, (values, formula) in TRUTHS.items():
            fit = fit_parent_fraction(samples(formula(TIMES_MIN, *values)))
            self.assertLess(np.abs(fit.residuals).max(), 1e-3, name)

    def test_aicc_is_the_stated_formula_and_the_lowest_wins(self):
        generator = np.random.default_rng(2)
        values, formula = TRUTHS["power"]
        measured = np.clip(formula(TIMES_MIN, *values) + 0.02 * generator.normal(size=len(TIMES_MIN)), 0, 1)
        fit = fit_parent_fraction(samples(measured))
        self.assertEqual(set(fit.aicc), set(TRUTHS))
        self.assertEqual(fit.model, min(fit.aicc, key=fit.aicc.get))
        count, number = len(TIMES_MIN), len(fit.parameters)
        wrss = np.sum((measured - fit(60 * TIMES_MIN)) ** 2)
        expected = count * np.log(wrss / count) + 2 * number + 2 * number * (number + 1) / (count - number - 1)
        self.assertAlmostEqual(fit.aicc[fit.model], expected, places=6)
        np.testing.assert_allclose(fit.residuals, measured - fit.predicted)

    def test_standard_errors_match_the_scatter(self):
        generator = np.random.default_rng(4)
        values, formula = TRUTHS["hill"]
        fits = [
            fit_parent_fraction(
                samples(formula(TIMES_MIN, *values) + 0.01 * generator.normal(size=len(TIMES_MIN))), "hill"
            )
            for _ in range(80)
        ]
        scatter = np.std([list(fit.parameters.values()) for fit in fits], axis=0, ddof=1)
        stated = np.mean([np.sqrt(np.diag(fit.covariance)) for fit in fits], axis=0)
        self.assertTrue((np.abs(np.log(stated / scatter)) < np.log(1.3)).all(), stated / scatter)

    def test_error_of_the_curve_matches_its_scatter_where_parameters_are_poorly_told_apart(self):
        """Eight samples within 0.015 leave two of three parameters an error of half their size, but the curve hardly
        any."""
        times_min, generator = np.array([2.0, 5, 10, 20, 30, 40, 50, 60]), np.random.default_rng(6)
        truth = 0.16 + 0.84 * np.exp(-((times_min / 35) ** 1.2))
        for model in ("power", "gamma", "hill"):
            curves, ends = [], []
            for _ in range(40):
                fit = fit_parent_fraction(samples(truth + 0.015 * generator.normal(size=8), times_min), model)
                variances, vectors = np.linalg.eigh(fit.covariance)
                errors = (vectors * np.sqrt(np.maximum(variances, 0))).T
                ends.append([fit.off_by(sign * error)(60 * times_min) for error in errors for sign in (-1, 1)])
                curves.append(fit(60 * times_min))
            scatter = np.std(curves, axis=0, ddof=1)
            stated = np.sqrt(np.mean(np.sum((np.array(ends) - np.array(curves)[:, None]) ** 2, axis=1) / 2, axis=0))
            np.testing.assert_array_less(np.abs(np.log(stated[2:] / scatter[2:])), np.log(1.6), model)

    def test_two_equal_rates_leave_the_curve_an_error_no_larger_than_a_sample(self):
        """The variance of a fitted value is at most that of a sample (its leverage is at most 1)."""
        times_min, generator = np.array([2.0, 5, 10, 20, 30, 40, 50, 60]), np.random.default_rng(6)
        alike = 0
        for _ in range(25):
            measured = np.exp(-times_min / 48) + 0.015 * generator.normal(size=8)
            fit = fit_parent_fraction(samples(np.minimum(measured, 1), times_min), "bi-exponential")
            alike += abs(fit.parameters["b"] / fit.parameters["c"] - 1) < 1e-4
            variances, vectors = np.linalg.eigh(fit.covariance)
            errors = (vectors * np.sqrt(np.maximum(variances, 0))).T
            curve = fit(60 * times_min)
            stated = np.sqrt(sum((fit.off_by(error)(60 * times_min) - curve) ** 2 for error in errors))
            sample = np.sqrt(np.sum(fit.residuals**2) / 5)
            self.assertLess(stated.max(), 1.01 * sample)
        self.assertGreater(alike, 0)

    def test_weights_pull_the_curve(self):
        values, formula = TRUTHS["hill"]
        measured = formula(TIMES_MIN, *values)
        measured[-1] += 0.1
        weights = np.ones(len(TIMES_MIN))
        weights[-1] = 1e4
        light, heavy = (fit_parent_fraction(samples(measured), "hill", w) for w in (None, weights))
        self.assertLess(abs(heavy.residuals[-1]), 1e-3)
        self.assertGreater(abs(light.residuals[-1]), 0.02)
        again = fit_parent_fraction(samples(measured), "hill", 7 * weights)
        self.assertAlmostEqual(again.aicc["hill"], heavy.aicc["hill"], places=6)

    def test_curve_stays_between_zero_and_one_and_hold_holds(self):
        values, formula = TRUTHS["bi-exponential"]
        fit = fit_parent_fraction(samples(np.minimum(formula(TIMES_MIN, *values) + 0.05, 1.05)))
        everywhere = fit(60 * np.linspace(-5, 500, 1000))
        self.assertGreaterEqual(everywhere.min(), 0.0)
        self.assertLessEqual(everywhere.max(), 1.0)
        held = fit_parent_fraction(samples(formula(TIMES_MIN, *values)), hold=True)
        self.assertEqual(held(np.array([30000.0]))[0], held(np.array([5400.0]))[0])
        free = fit_parent_fraction(samples(formula(TIMES_MIN, *values)))
        self.assertLess(free(np.array([30000.0]))[0], free(np.array([5400.0]))[0])


class FewSamplesTest(unittest.TestCase):
    def test_few_samples_are_joined_by_straight_lines(self):
        fit = fit_parent_fraction(samples([0.8, 0.4], [5, 20]))
        np.testing.assert_allclose(fit(60 * np.array([0, 2.5, 5, 12.5, 20, 60])), [1, 0.9, 0.8, 0.6, 0.4, 0.4])
        self.assertEqual((fit.model, fit.flags), ("interpolation", ("few-samples",)))
        self.assertEqual([notice.code for notice in fit.notices], ["parent-fraction-interpolated"])

    def test_five_samples_leave_out_the_model_of_four_parameters(self):
        values, formula = TRUTHS["hill"]
        times = np.array([2.0, 5, 10, 20, 60])
        fit = fit_parent_fraction(samples(formula(times, *values), times))
        self.assertEqual(set(TRUTHS) - set(fit.aicc), {"extended-hill"})

    def test_fractions_that_rise_a_little_again_are_kept(self):
        for values in ([1, 0.9, 0.6, 0.4, 0.45], [0.96, 0.9, 0.8, 0.63, 0.74], [0.5, 0.52, 0.51, 0.5, 0.53]):
            fit_parent_fraction(samples(values, [1, 10, 20, 60, 120]), "interpolation")

    def test_refusals(self):
        for curve, options, code in (
            (None, {}, "parent-fraction-missing"),
            (samples([98.0, 50.0, 20.0], [1, 10, 30]), {}, "parent-fraction-range"),
            (samples([0.9, 0.5], [-1, 10]), {}, "parent-fraction-range"),
            (samples([0.007, 0.1, 0.3, 0.5, 0.645], [1, 5, 15, 30, 60]), {}, "parent-fraction-complement"),
            (samples([0.01, 0.2, 0.18, 0.5, 0.6], [1, 5, 15, 30, 60]), {}, "parent-fraction-complement"),
            (samples([0.0, 0.4], [1, 30]), {"model": "interpolation"}, "parent-fraction-complement"),
            (samples([0.9, 0.5, 0.3], [1, 10, 20]), {"model": "hill"}, "parent-fraction-samples"),
            (samples([0.9, 0.5, 0.3], [1, 10, 20]), {"model": "cubic"}, "parent-fraction-model"),
            (samples([0.9, 0.5, 0.3], [1, 10, 20]), {"weights": np.ones(2)}, "parent-fraction-weights"),
        ):
            with self.assertRaises(InputRefused) as refused:
                fit_parent_fraction(curve, **options)
            self.assertEqual(refused.exception.code, code)


@needs_data
class RealParentFractionTest(unittest.TestCase):
    def test_measured_fractions_are_met_within_their_own_scatter(self):
        files = sorted((DATA / "pet_bids_ds004869").glob("sub-*/ses-baseline/pet/*_blood.tsv"))
        self.assertEqual(len(files), 4)
        for path in files:
            fit = fit_parent_fraction(read_blood([path]).parent_fraction)
            self.assertLess(np.sqrt(np.mean(fit.residuals**2)), 0.03, path.name)
            self.assertNotIn("parameter-at-bound", " ".join(fit.flags))


if __name__ == "__main__":
    unittest.main()
