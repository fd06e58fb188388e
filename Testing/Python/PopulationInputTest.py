"""A template of one's own cohort as input: made, tried on everybody left out, and carried into a visit's budget."""

import csv
import json
import math
import tempfile
import unittest
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from support.exacttissue import EDGES_S, FAST
from support.tinystudy import LEFT, TRUE_VT, DicomVisit, quantified, quiet
from support.without import without_pdf
from TSPOQuantLib.acquisition.blood import BloodSamples, SampledCurve, reconcile
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import Scan
from TSPOQuantLib.acquisition.population import FORMAT, CohortScan, Population, read_population
from TSPOQuantLib.input_function import InputFunction, PopulationSettings, population_input
from TSPOQuantLib.input_function.arrival import seen_arrival
from TSPOQuantLib.input_function.population import Measured, check_alike, population_of
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.budget import BudgetSettings, budget_of, degrees_of_freedom, errors_from, errors_of
from TSPOQuantLib.outcome.comparability import findings_of
from TSPOQuantLib.outcome.record import Sensitivity
from TSPOQuantLib.pipeline.population import _same_blood, _untried
from TSPOQuantLib.plain import to_json

K1, V_T = 0.24, 4.0
SECONDS = np.concatenate([np.arange(0, 300, 1.0), np.arange(300, 3601, 10.0)])
TRACER = "[11C]DPA-713 (simulated)"
SLOWS = (0.08, 0.07, 0.09, 0.085)


def plasma(seconds, height=60.0, slow=0.08, late_s=0.0):
    minutes = np.maximum(np.asarray(seconds) - late_s, 0) / 60
    return height * (np.exp(-slow * minutes) - np.exp(-FAST * minutes))


def tissue_frames(height, slow, late_s):
    """Frame means of one compartment with K1 and V_T, by a fine explicit integration."""
    step, k2 = 0.1, K1 / V_T
    fine = np.arange(0, 3600 + step, step)
    entered = K1 * plasma(fine, height, slow, late_s) / 60 * step
    values, level = np.zeros(len(fine)), 0.0
    for n in range(1, len(fine)):
        level = level * math.exp(-k2 * step / 60) + (entered[n - 1] + entered[n]) / 2
        values[n] = level
    return [values[(fine >= a) & (fine < b)].mean() for a, b in pairwise(EDGES_S)]


def write_cohort(dataset, people):
    """A PET-BIDS dataset without images: (height, slow rate, lateness of the clock in s, dose in MBq) a person."""
    for number, (height, slow, late_s, dose) in enumerate(people, start=1):
        folder = dataset / f"sub-{number:02}" / "pet"
        folder.mkdir(parents=True)
        stem = folder / f"sub-{number:02}"
        sidecar = {
            "FrameTimesStart": EDGES_S[:-1].tolist(),
            "FrameDuration": np.diff(EDGES_S).tolist(),
            "Units": "kBq/mL",
            "TracerName": TRACER,
            "TracerRadionuclide": "C11",
            "InjectedRadioactivity": dose,
            "InjectedRadioactivityUnits": "MBq",
            "InjectionStart": 0,
            "InjectionEnd": 20,
            "ModeOfAdministration": "bolus",
            "ImageDecayCorrected": True,
            "ImageDecayCorrectionTime": 0,
        }
        Path(f"{stem}_pet.json").write_text(json.dumps(sidecar), encoding="utf-8")
        curve = plasma(SECONDS, height, slow, late_s)
        rows = [f"{s:g}\t{v:.9g}\t{1.2 * v:.9g}" for s, v in zip(SECONDS, curve, strict=True)]
        table = ["time\tAIF\twhole_blood_radioactivity", *rows]
        Path(f"{stem}_bloodproc.tsv").write_text("\n".join(table) + "\n", encoding="utf-8")
        units = {name: {"Units": unit} for name, unit in (("time", "s"), ("AIF", "kBq/mL"))}
        units["whole_blood_radioactivity"] = {"Units": "kBq/mL"}
        Path(f"{stem}_bloodproc.json").write_text(json.dumps(units), encoding="utf-8")
        frames = zip(EDGES_S[:-1], EDGES_S[1:], tissue_frames(height, slow, late_s), strict=True)
        rows = [f"{a:g}\t{b:g}\t{v:.9g}" for a, b, v in frames]
        Path(f"{stem}_tacs.tsv").write_text(
            "\n".join(["frame_start\tframe_end\tcortex", *rows]) + "\n", encoding="utf-8"
        )
        Path(f"{stem}_tacs.json").write_text(json.dumps({"Units": "kBq/mL"}), encoding="utf-8")
    weights = [f"sub-{n:02}\t{70 + n}" for n in range(1, len(people) + 1)]
    (dataset / "participants.tsv").write_text("\n".join(["participant_id\tweight", *weights]), encoding="utf-8")


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def population(slows=SLOWS, **told):
    scans = tuple(
        CohortScan(n, plasma(SECONDS, slow=slow), 1.2 * plasma(SECONDS, slow=slow), 400.0, 80.0)
        for n, slow in enumerate(slows)
    )
    return Population(FORMAT, TRACER, None, None, SECONDS, scans, **told)


SCAN = Scan(tracer=TRACER, injected_mbq=200.0, weight_kg=80.0)


def samples(*minutes, **more):
    times = 60 * np.array(minutes, dtype=float)
    return BloodSamples(parent_plasma=SampledCurve(times, plasma(times)), population=population(**more))


class UseTest(unittest.TestCase):
    def refused(self, code, call, *given):
        with self.assertRaises(InputRefused) as caught:
            call(*given)
        self.assertEqual(caught.exception.code, code)

    def test_people_of_one_shape_give_it_back_by_samples_and_by_dose(self):
        blood = samples(30, slows=(0.08,) * 3)
        for scale, factor in (("samples", 1.0), ("suv", 0.5)):
            made = population_input(blood, SCAN, 15.0, 3600.0, PopulationSettings(population_scale=scale))
            found = np.interp(SECONDS + 15, made.input_function.times_s, made.input_function.parent_plasma)
            arrived = plasma(30 * 60) / plasma(30 * 60 - 15) if scale == "samples" else 1.0
            np.testing.assert_allclose(found, factor * arrived * plasma(SECONDS), rtol=1e-4)
            self.assertLess(made.settings["found"]["population"]["area_sd"], 1e-9)

    def test_its_spread_is_that_of_a_person_who_is_not_in_it(self):
        made = population_input(samples(30), SCAN, 0.0, 3600.0, PopulationSettings())
        curves = np.array([one.parent_plasma for one in made.population.inputs])
        at_sample = curves[:, np.searchsorted(SECONDS, 1800)]
        np.testing.assert_allclose(at_sample, plasma(1800), rtol=1e-9)  # each is brought to the sample
        areas = np.trapezoid(curves, SECONDS, axis=1)
        wanted = np.std(areas, ddof=1) * np.sqrt(1 + 1 / 4) / areas.mean()
        self.assertAlmostEqual(made.settings["found"]["population"]["area_sd"], wanted, places=6)
        self.assertEqual(made.population.df, 3)
        self.assertIn("template-people", [notice.code for notice in made.notices])

    def test_scans_of_one_person_count_as_one(self):
        one = population((0.08, 0.07, 0.09))
        twice = replace(one, scans=(*one.scans, one.scans[0]))
        np.testing.assert_allclose(twice.weights, [1 / 6, 1 / 3, 1 / 3, 1 / 6])
        self.assertEqual((twice.people, twice.without(0).people), (3, 2))

    def test_whole_blood_scales_where_no_sample_tells_parent_plasma(self):
        times = np.array([1800.0])
        blood = BloodSamples(whole_blood=SampledCurve(times, 0.6 * plasma(times)), population=population((0.08,) * 3))
        made = population_input(blood, SCAN, 0.0, 3600.0, PopulationSettings())
        self.assertEqual(made.settings["found"]["population"]["scaled_by"], "whole-blood")
        np.testing.assert_allclose(made.input_function.parent_plasma, 0.5 * plasma(SECONDS), rtol=1e-9)

    def test_what_it_cannot_be_used_for(self):
        for scan in (replace(SCAN, tracer="[11C]PBR28 (simulated)"), replace(SCAN, tracer=None)):
            self.refused("template-tracer", check_alike, population(), scan)
        bolus = replace(population(), administration="bolus", infusion_s=20.0)
        for told in ({"infusion_s": 60.0}, {"administration": "infusion"}):
            self.refused("template-infusion", check_alike, bolus, replace(SCAN, **told))
        self.assertEqual(check_alike(bolus, replace(SCAN, infusion_s=25.0)), ())
        (unknown,) = check_alike(bolus, SCAN)
        self.assertEqual(unknown.code, "template-infusion-unknown")
        how = PopulationSettings()
        early = samples(5)
        self.refused("template-samples", population_input, early, SCAN, 0.0, 3600.0, how)
        by_dose = PopulationSettings(population_scale="suv")
        self.refused("template-suv", population_input, early, replace(SCAN, weight_kg=None), 0.0, 3600.0, by_dose)
        self.refused("blood-ends-early", population_input, samples(30), SCAN, 0.0, 5400.0, how)
        timing = FrameTiming(EDGES_S[:-1], np.diff(EDGES_S))
        in_bq = np.full((1, len(timing)), 1e4)
        self.refused("blood-image-units", reconcile, samples(30), timing, in_bq)

    def test_two_people_make_no_template(self):
        source = InputFunction(SECONDS, plasma(SECONDS), plasma(SECONDS))
        two = [Measured(n, source, 3600.0, SCAN) for n in (1, 2)]
        self.refused("template-few-people", population_of, two)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "template.json"
            path.write_text(to_json(population((0.08, 0.07))), encoding="utf-8")
            self.refused("template-few-people", read_population, path)
            path.write_text('{"format": 1}', encoding="utf-8")
            self.refused("template-unreadable", read_population, path)
            path.write_text(to_json(population()), encoding="utf-8")
            self.assertEqual(read_population(path).key, population().key)

    def test_arrival_is_seen_between_frames(self):
        timing = FrameTiming(np.arange(0.0, 50, 10), np.full(5, 10.0))
        self.assertAlmostEqual(seen_arrival(timing, np.array([0, 0, 2, 10, 8.0])), 20.0)
        self.assertIsNone(seen_arrival(timing, np.array([5, 6, 10, 9, 8.0])))


class ToldTest(unittest.TestCase):
    def scan(self, person, scale, end_s=3600.0):
        drawn = SimpleNamespace(times_s=np.arange(5.0), parent_plasma=scale * np.arange(5.0))
        return SimpleNamespace(name=f"sub-{person}", person=person, input=drawn, end_s=end_s)

    def test_one_draw_of_blood_for_two_people_is_told(self):
        told = _same_blood([self.scan(1, 1.0), self.scan(2, 1.1), self.scan(3, 1.0), self.scan(3, 1.0)])
        self.assertEqual([one.code for one in told], ["template-blood-same"] * 2)
        self.assertIn("sub-1 and sub-3", told[0].message)
        self.assertEqual(_same_blood([self.scan(1, 1.0), self.scan(1, 1.0)]), ())

    def test_late_samples_that_no_scan_reaches_are_told(self):
        scans = [self.scan(1, 1.0), self.scan(2, 1.1, end_s=2400.0)]
        self.assertIn("1800, 3600 min", _untried((30, 60, 1800, 3600), scans)[0].message)
        self.assertEqual(_untried((30, 60), scans), ())


class BudgetTest(unittest.TestCase):
    def test_few_people_widen_the_interval(self):
        away = np.array([0.1, -0.1, 0.05, -0.05])
        rows = [
            Sensitivity("r", "1TCM", "none", "population-input", f"population-input:{n}", "SD", 1.0, -d, d, 0.5, 3)
            for n, d in enumerate(away)
        ]
        errors = errors_from("r", 0.0, 20, rows, BudgetSettings())
        variance = errors.variance("population-input")
        self.assertAlmostEqual(variance, 0.25 * (away**2).sum())
        self.assertAlmostEqual(degrees_of_freedom(variance, errors), 3)
        self.assertAlmostEqual(degrees_of_freedom(2 * variance, errors, errors), 6)


class CohortTest(unittest.TestCase):
    """Four people with one tissue: all of one shape, or each with its own."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        heights, doses = (60, 30, 90, 45), (400, 202.7, 620, 315)
        for name, slows in (("alike", (0.08,) * 4), ("apart", SLOWS)):
            people = list(zip(heights, slows, (0, 20, 5, 12), doses, strict=True))
            write_cohort(cls.folder / name, people)
            code, told = quiet(
                "input",
                "template",
                cls.folder / name,
                "--samples",
                "30,50",
                "--models",
                "1TCM",
                "--out",
                cls.out(name),
            )
            assert code == 0, told

    @classmethod
    def out(cls, name):
        return cls.folder / f"template-{name}"

    def test_shapes_that_are_alike_cost_nothing_but_the_clock(self):
        rows = rows_of(self.out("alike") / "leave_one_out.tsv")
        self.assertEqual(len(rows), 4 * 4)  # by dose, at 30, at 50 and at both
        self.assertEqual({row["scaled_by"] for row in rows if "sample" not in row["scaled_by"]}, {"suv"})
        for row in rows:
            self.assertLess(abs(float(row["median"])), 4, row)

    def test_shapes_that_differ_are_told_with_intervals_that_hold(self):
        rows = rows_of(self.out("apart") / "leave_one_out.tsv")
        off = [abs(float(row["median"])) for row in rows if row["scaled_by"] == "samples at 50 min"]
        self.assertGreater(max(off), 10)
        self.assertGreaterEqual(sum(int(row["inside"]) for row in rows), 15)
        template = read_population(self.out("apart") / "template.json")
        self.assertEqual((template.people, template.infusion_s, template.administration), (4, 20.0, "bolus"))
        curves = rows_of(self.out("apart") / "template.tsv")
        area = np.trapezoid(*[[float(row[key]) for row in curves] for key in ("parent_plasma", "time")])
        self.assertAlmostEqual(area, 1, places=2)

    def test_ready_curves_are_fitted_with_it(self):
        pet = self.folder / "apart" / "sub-01" / "pet"
        late = self.folder / "late.tsv"
        at = (1800, 3000)
        late.write_text("time\tAIF\n" + "".join(f"{t}\t{plasma(t):.9g}\n" for t in at), encoding="utf-8")
        late.with_suffix(".json").write_text('{"time": {"Units": "s"}, "AIF": {"Units": "kBq/mL"}}', encoding="utf-8")
        names = {"models": "1TCM", "template": self.out("apart") / "template.json", "blood": late}
        arguments = [text for key, value in names.items() for text in (f"--{key}", value)]
        sidecar = ("--pet-json", pet / "sub-01_pet.json")
        code, told = quiet("fit", pet / "sub-01_tacs.tsv", *arguments, *sidecar, "--out", self.folder / "fit")
        self.assertEqual(code, 0, told)
        self.assertIn("the input is a template's", told)
        (row,) = rows_of(self.folder / "fit" / "model-1TCM_kinpar.tsv")
        about = json.loads((self.folder / "fit" / "model-1TCM_kinpar.json").read_text(encoding="utf-8"))
        error = about["PopulationInput"]["LogVTStandardDeviation"]["cortex"]
        self.assertTrue(0.01 < error < 0.5)
        self.assertLess(abs(math.log(float(row["VT"]) / V_T)), 3.18 * error)
        code, told = quiet("fit", pet / "sub-01_tacs.tsv", *arguments, "--out", self.folder / "no")
        self.assertEqual((code, "template-tracer" in told), (3, True), told)


class VisitTest(unittest.TestCase):
    """A small visit whose own parent plasma is the first shape of the template."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)

        def edit(header):
            if "RadiopharmaceuticalInformationSequence" in header:
                header.RadiopharmaceuticalInformationSequence[0].Radiopharmaceutical = TRACER

        study = DicomVisit("baseline", names=(LEFT,), with_ct=False, edit=edit).write(cls.folder / "visit")
        (study.parent / "template.json").write_text(to_json(population()), encoding="utf-8")
        rows = "".join(f"{t}\t{plasma(t):.9g}\n" for t in (1800, 3000))
        (study.parent / "late.tsv").write_text("time\tAIF\n" + rows, encoding="utf-8")
        about = '{"time": {"Units": "s"}, "AIF": {"Units": "kBq/mL"}}'
        (study.parent / "late.json").write_text(about, encoding="utf-8")
        text = study.read_text(encoding="utf-8").replace('["1TCM", "Logan"]', '["1TCM"]')
        text = text.replace('source = "given"', 'source = "population"\narrival_s = 0')
        text = text.replace("blood_bloodproc.tsv", "template.json").replace(
            "[input]", '[blood]\npaths = ["late.tsv"]\n[input]'
        )
        study.write_text(text, encoding="utf-8")
        cls.record = quantified(study, cls.folder / "out")

    def test_the_error_of_the_template_is_in_the_budget_and_in_the_record(self):
        errors = errors_of(self.record, LEFT, "1TCM", "none", BudgetSettings())
        (part,) = [one for one in budget_of(errors, errors, BudgetSettings()) if one.component == "population-input"]
        found = self.record.input.settings["found"]["population"]
        self.assertTrue(0.5 * found["area_sd"] < part.baseline < 3 * found["area_sd"])
        self.assertEqual(
            (self.record.input.source, found["people"], found["sample_times_s"]), ("population", 4, [1800, 3000])
        )
        vt = self.record.fit(LEFT, "1TCM").outcome_value
        self.assertLess(abs(math.log(vt / TRUE_VT["baseline"]["left"])), 3.18 * part.baseline)
        self.assertIn("input-population", [notice.code for notice in self.record.notices])

    def test_another_template_is_another_input(self):
        settings = {**self.record.input.settings, "found": {"population": {"template": "other", "people": 9}}}
        other = replace(
            self.record,
            session="followup",
            input=replace(self.record.input, settings=settings),
            regions=tuple(replace(one, mean=tuple(0.9 * value for value in one.mean)) for one in self.record.regions),
        )
        codes = [finding.code for finding in findings_of([self.record, other]) if finding.severity == "refuse"]
        self.assertIn("visits-input", codes)

    def test_the_report_says_so_in_plain_words(self):
        for language, words in (("en", "not measured: the mean curve of other people"), ("fr", "courbe moyenne")):
            out = self.folder / f"report-{language}"
            with without_pdf():
                code, told = quiet("report", self.folder / "out", "--lang", language, "--out", out)
            self.assertEqual(code, 0, told)
            self.assertIn(words, next(out.glob("*report*.html")).read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
