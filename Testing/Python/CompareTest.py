"""The command ``compare``, the sensitivities that it rests on, and whether its intervals hold."""

import json
import math
import unittest
from dataclasses import replace
from unittest.mock import patch

import numpy as np
from support import checkout  # noqa: F401
from support import visitrecords as made
from support.commandline import run
from support.folders import Folder
from support.tiers import slow
from support.without import without_report
from TSPOQuantLib.acquisition.blood import BloodSamples, SampledCurve
from TSPOQuantLib.acquisition.image import DynamicImage, Scan
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.input_function import SampledSettings, sampled_input
from TSPOQuantLib.kinetics import FitOptions, fit, weights
from TSPOQuantLib.outcome.budget import BudgetSettings, budget_of, degrees_of_freedom, errors_from, reach
from TSPOQuantLib.outcome.sensitivity import Geometry, Measured, of_input, sensitivities
from TSPOQuantLib.phantom.tables import ACTIVITY_ERROR, FRACTION_ERROR, SAMPLES_MIN
from TSPOQuantLib.phantom.tracer import HALF_LIFE_S, blood_of
from TSPOQuantLib.plain import to_json
from TSPOQuantLib.regions.anatomy import Anatomy
from TSPOQuantLib.regions.region import Region
from TSPOQuantLib.regions.sampling import sample

from tools.validation.simulation import integrate, one_tissue, schedule, true_input, with_noise


@slow
class CommandTest(Folder):
    def setUp(self):
        super().setUp()
        half = {name: 0.5 * value for name, value in made.VT.items()}
        for name, visit in (
            ("a", made.visit()),
            ("b", made.visit("followup", vt=half)),
            ("other", made.visit("followup", vt=half, acquisition={"fwhm_mm": 4.0})),
        ):
            (self.folder / name).mkdir()
            (self.folder / name / "visit.json").write_text(to_json(visit), encoding="utf-8")

    def compare(self, *more, visits=("a", "b"), out="out"):
        return run("compare", *(self.folder / name for name in visits), *more, "--out", self.folder / out)

    def test_refusals_in_one_line_and_nothing_left(self):
        (self.folder / "c.toml").write_text("[lesion]\nlevels = 3\n")
        for more, visits, code in (
            ((), ("a", "a"), "visits-same"),
            ((), ("a", "other"), "visits-resolution"),
            ((), ("a", "absent"), "results-missing"),
            ((), ("a", "."), "results-foreign"),
            (("--accept", "nonsense"), ("a", "b"), "accept-unknown"),
            (("--clinical", self.folder / "c.toml"), ("a", "b"), "clinical-lesion"),
            (("--repeatability", self.folder / "c.toml"), ("a", "b"), "repeatability-key"),
        ):
            with self.subTest(code):
                exit_code, out, err = self.compare(*more, visits=visits)
                self.assertEqual((exit_code, out, len(err.splitlines())), (3, "", 1), err)
                self.assertIn(f"error: {code}: ", err)
                self.assertFalse((self.folder / "out").exists())
        self.assertIn("error: output-holds-input", self.compare("--force", out="a")[2])

    def test_usage(self):
        self.assertEqual(run("compare", self.folder / "a", "--out", self.folder / "x")[0], 2)
        self.assertEqual(self.compare("--lang", "de")[0], 2)

    @slow
    def test_writes_everything_once(self):
        code, out, err = self.compare("--accept", "visits-resolution", "--json", visits=("a", "other"))
        self.assertEqual((code, err), (0, ""))
        record = json.loads(out)
        self.assertEqual(record["accepted"], ["visits-resolution"])
        self.assertIn("Compared although", record["headline"][0])
        folder = self.folder / "out"
        self.assertEqual(json.loads((folder / "comparison.json").read_text())["table1"], record["table1"])
        header, *rows = (folder / "changes.tsv").read_text().splitlines()
        row = dict(zip(header.split("\t"), rows[0].split("\t"), strict=True))
        self.assertEqual(
            (row["outcome"], row["percent"], row["repeatability"]), ("VT_foramen_C6C7_left", "-50", "unknown")
        )
        for name in ("budget.tsv", "contrasts.tsv", "besides.tsv", "findings.tsv", "table1.tsv", "table1.txt"):
            self.assertTrue((folder / name).is_file(), name)
        self.assertTrue((folder / "report_en.html").is_file() and (folder / "report_en.pdf").is_file())
        self.assertIn("error: output-exists", self.compare()[2])

    def test_what_hidden_dates_no_longer_tell_is_told(self):
        pictured = "TSPOQuantLib.reporting.fused_pictures.comparison_pictures"
        with without_report(), patch(pictured, return_value=()):
            self.assertIn("visits-order", self.compare(visits=("b", "a"))[1])
            code, out, err = self.compare("--deidentify", visits=("b", "a"), out="hidden")
        self.assertEqual((code, err.split(": ")[:2]), (0, ["warning", "visits-order"]))
        self.assertNotIn("visits-order", out)

    def test_one_visit_alone_is_not_told_what_could_not_be_compared(self):
        visit = made.visit(acquisition={"reconstruction": None, "filter": None, "fwhm_mm": None})
        (self.folder / "a" / "visit.json").write_text(to_json(visit), encoding="utf-8")
        with without_report(), patch("TSPOQuantLib.reporting.fused_pictures.comparison_pictures", return_value=()):
            code, _, err = run("report", self.folder / "a", "--out", self.folder / "out")
        self.assertEqual((code, err), (0, ""))

    def test_a_record_stands_for_its_folder(self):
        pictured = "TSPOQuantLib.reporting.fused_pictures.comparison_pictures"
        with without_report(), patch(pictured, return_value=()) as pictures:
            self.assertEqual(self.compare(visits=("a/visit.json", "b"))[0], 0)
        self.assertEqual(pictures.call_args.args[1], [self.folder / "a", self.folder / "b"])


class SensitivityTest(unittest.TestCase):
    """A slab whose activity rises along x by 2 % a millimeter, read in a cube of 6 mm; V_B is 0.

    The tissue had its input 2 s later than the one that is used.
    """

    @classmethod
    def setUpClass(cls):
        timing, source = schedule(60), true_input()
        truth = one_tissue(*np.array([[0.5], [6.0], [0.0]]))
        curve = integrate(truth, source.delayed(2.0), [timing]).averages(timing, np.zeros(1))[0]
        rise = 1 + 0.02 * (2.0 * np.arange(16) - 14.0)
        activity = (curve[:, None, None, None] * rise).astype(np.float32) * np.ones((1, 12, 12, 1), np.float32)
        grid = Grid((12, 12, 16), np.diag([2.0, 2.0, 2.0, 1.0]))
        image = DynamicImage(activity, grid, timing, "injection", None, "", Scan(half_life_s=HALF_LIFE_S))
        corner = np.eye(4)
        corner[:3, 3] = (11.5, 9.5, 9.5)  # from 11 to 17 mm along x
        region = Region("cube", Anatomy("other"), np.ones((6, 6, 6), dtype=bool), Grid((6, 6, 6), corner))
        options = FitOptions(vb="none", weights=weights("counts", timing, curve[None], HALF_LIFE_S))
        given = BloodSamples(parent_plasma=SampledCurve(source.times_s, source.parent_plasma))
        result = replace(sampled_input(given, 3600.0, SampledSettings()), input_function=source)
        curves = sample(image, region).mean[None]

        def refit(model, activity, other, near=None, pvc="none"):
            return fit(model, timing, activity, other, options, near)

        fits = refit("1TCM", curves, source)
        measured = Measured("none", (region,), curves, {"1TCM": fits})
        found = sensitivities(measured, None, None, Geometry(image, None, None, (), 0.01), result, refit)
        cls.found = {one.factor: one for one in found}
        cls.vt = fits[0].parameters["VT"]

    def test_scale_is_exact_without_blood(self):
        scale = self.found["input-scale"]
        self.assertAlmostEqual(scale.lower, -math.log(0.95), places=5)
        self.assertAlmostEqual(scale.upper, -math.log(1.05), places=5)

    def test_place_follows_the_slope(self):
        for component in ("placement", "registration"):
            along = self.found[f"{component}:x"]
            self.assertAlmostEqual(along.upper, math.log1p(0.02 * along.step), places=5)
            self.assertAlmostEqual(along.lower, math.log1p(-0.02 * along.step), places=5)
            for axis in "yz":
                self.assertAlmostEqual(self.found[f"{component}:{axis}"].upper, 0, places=5)

    def test_the_right_delay_finds_the_true_volume(self):
        delay = self.found["delay"]
        self.assertEqual(delay.step, 2.0)
        self.assertGreater(abs(self.vt / 6.0 - 1), 1e-3)
        self.assertAlmostEqual(self.vt * math.exp(delay.upper), 6.0, delta=0.002)


@slow
class CoverageTest(unittest.TestCase):
    """Curves of known V_T with the errors that the budget claims: the interval of the log ratio holds the truth."""

    def test_intervals_hold_the_true_log_ratio(self):
        timing, budget, draws = schedule(60), BudgetSettings(), 24
        rng = np.random.default_rng(17)
        volumes = (6.0, 3.5)
        truth = one_tissue(np.full(2, 0.5), np.array(volumes), np.full(2, 0.05))
        curves = integrate(truth, true_input(), [timing]).averages(timing, truth.values["VB"])
        noisy = with_noise(curves, timing, rng, draws)
        options = FitOptions(weights=weights("counts", timing, curves, HALF_LIFE_S))

        def refit(model, activity, source, near=None, pvc="none"):
            return fit(model, timing, activity, source, options, near)

        settings = SampledSettings(parent_fraction_model="hill", plasma_ratio_model="exponential")

        def measured(curve):
            blood, at = blood_of("baseline"), SAMPLES_MIN
            dense = np.concatenate([np.arange(0.3, 3, 0.1), np.arange(3, 60.1, 1.5)])
            scale = math.exp(budget.input_scale * rng.standard_normal())
            fraction = blood.parent_fraction(at) + FRACTION_ERROR * rng.standard_normal(at.size)
            samples = BloodSamples(
                *(
                    SampledCurve(
                        60 * dense, scale * of(dense) * (1 + ACTIVITY_ERROR * rng.standard_normal(dense.size))
                    )
                    for of in (blood.whole_blood, blood.total_plasma)
                ),
                SampledCurve(60 * at, np.clip(fraction, 0.01, 1)),
            )
            source = sampled_input(samples, 3600.0, settings)
            late = source.input_function.delayed(budget.delay_s * rng.standard_normal())
            source = replace(source, input_function=late)
            (one,) = refit("1TCM", curve[None], late)
            region = Region("r", Anatomy("other"), np.ones((1, 1, 1), dtype=bool), Grid((1, 1, 1), np.eye(4)))
            errors = of_input([Measured("none", (region,), curve[None], {"1TCM": (one,)})], source, refit)
            vt, se = one.parameters["VT"], one.standard_errors["VT"]
            return vt, errors_from("r", se / vt, one.degrees_of_freedom, errors, budget)

        held, widths = 0, []
        for draw in range(draws):
            (first, before), (second, after) = (measured(curve) for curve in noisy[:, draw])
            variance = sum(part.change**2 for part in budget_of(before, after, budget))
            widths.append(reach(variance, degrees_of_freedom(variance, before, after)))
            held += abs(math.log(second / first) - math.log(volumes[1] / volumes[0])) <= widths[-1]
        # Of 24, 95 % intervals hold 20 or more with a probability of 99.5 %.
        self.assertGreaterEqual(held, 20)
        self.assertLess(np.median(widths), 0.25)
        self.assertGreater(np.median(widths), 1.96 * math.sqrt(2) * budget.input_scale)


if __name__ == "__main__":
    unittest.main()
