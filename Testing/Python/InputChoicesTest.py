"""What an input can be made of: candidates beside each other, ready curves of every domain, and the file written."""

import csv
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from support import inputtruth as truth
from support.tinystudy import LEFT, DicomVisit, quiet
from TSPOQuantLib.acquisition.blood import BloodSamples, SampledCurve
from TSPOQuantLib.input_function import SampledSettings
from TSPOQuantLib.input_function.candidates import FRACTION, PLASMA, RATIO, candidates
from TSPOQuantLib.pipeline.visit_data import read_visit
from TSPOQuantLib.study import read_study

SAMPLES_S = np.array([10, 25, 30, 35, 40, 45, 50, 60, 75, 90, 120, 180, 300, 600, 900, 1200, 1800, 2400, 3000, 3600.0])
FRACTIONS_S = np.array([60, 180, 300, 600, 900, 1200, 1800, 2400, 3000, 3600.0])
VT = 4.0


def blood():
    """Whole blood, total plasma, parent fraction and parent plasma of the truth, as functions of seconds."""
    whole = truth.gamma_bolus
    return {
        "whole-blood": whole,
        "plasma": lambda t: whole(t) * truth.plasma_ratio(t / 60),
        "parent-plasma": lambda t: whole(t) * truth.plasma_ratio(t / 60) * truth.parent_fraction(t / 60),
    }


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def table(columns):
    rows = zip(*columns.values(), strict=True)
    return "\n".join("\t".join(map(str, row)) for row in (tuple(columns), *rows)) + "\n"


class NoActivityTest(unittest.TestCase):
    def test_parent_fractions_alone(self):
        with tempfile.TemporaryDirectory() as name:
            file = Path(name) / "fractions_blood.tsv"
            file.write_text("time\tmetabolite_parent_fraction\n60\t0.9\n600\t0.6\n1800\t0.3\n", encoding="utf-8")
            for more in ((), ("--until", "30")):
                code, told = quiet("input", "candidates", file, "--out", Path(name) / "out", *more)
                self.assertEqual((code, "error: blood-none" in told), (3, True), told)


class TemplateTest(unittest.TestCase):
    def test_a_template_is_not_made_of_samples(self):
        with tempfile.TemporaryDirectory() as name:
            study = DicomVisit().write(Path(name) / "visit")
            (study.parent / "template.json").write_text("{}", encoding="utf-8")
            text = study.read_text(encoding="utf-8").replace('"given"', '"population"')
            study.write_text(text.replace("blood_bloodproc.tsv", "template.json"), encoding="utf-8")
            code, told = quiet("input", "candidates", study, "--out", Path(name) / "out")
            self.assertEqual((code, "error: candidates-template" in told), (3, True), told)


class CandidatesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        curves = blood()
        cls.samples = BloodSamples(
            whole_blood=SampledCurve(SAMPLES_S, curves["whole-blood"](SAMPLES_S)),
            plasma=SampledCurve(SAMPLES_S, curves["plasma"](SAMPLES_S)),
            parent_fraction=SampledCurve(FRACTIONS_S, truth.parent_fraction(FRACTIONS_S / 60)),
        )
        cls.found = candidates(cls.samples, 3600, SampledSettings())

    def test_the_true_curve_has_the_lowest_criterion_and_is_the_one_that_is_used(self):
        found = self.found
        fractions = [one for one in found.candidates if one.step == FRACTION]
        self.assertEqual(min(fractions[:-1], key=lambda one: one.aicc).choice, "hill")
        self.assertEqual([one.choice for one in fractions if one.used], ["hill"])
        for step in (FRACTION, PLASMA):
            (used,) = [one for one in found.candidates if one.step == step and one.used]
            self.assertAlmostEqual(used.area, 1, places=9)
        self.assertEqual([one for one in found.candidates if one.step == RATIO], [])  # plasma itself leads

    def test_a_choice_is_the_one_in_use_and_another_costs_the_area_that_it_says(self):
        held = candidates(self.samples, 3600, SampledSettings(parent_fraction_model="interpolation"))
        (used,) = [one for one in held.candidates if one.step == FRACTION and one.used]
        self.assertEqual(used.choice, "interpolation")
        (other,) = [one for one in self.found.candidates if one.choice == "interpolation"]
        (hill,) = [one for one in held.candidates if one.choice == "hill"]
        self.assertAlmostEqual(hill.area * other.area, 1, delta=2e-4)  # straight lines between knots differ a little
        self.assertGreater(abs(other.area - 1), 1e-3)

    def test_what_cannot_be_made_says_why(self):
        few = BloodSamples(
            whole_blood=self.samples.whole_blood,
            plasma=self.samples.plasma,
            parent_fraction=SampledCurve(FRACTIONS_S[::3], truth.parent_fraction(FRACTIONS_S[::3] / 60)),
        )
        found = {
            one.choice: one for one in candidates(few, 3600, SampledSettings()).candidates if one.step == FRACTION
        }
        self.assertIn("cannot carry", found["hill"].refused)
        self.assertTrue(np.isnan(found["hill"].curve).all())
        self.assertTrue(found["interpolation"].used)


class GivenCurveTest(unittest.TestCase):
    """One truth, told in every domain: V_T comes out the same."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        curves, dense = blood(), np.arange(0, 3601, 5.0)
        tissue = truth.frame_means(truth.tissue(curves["parent-plasma"](truth.TIMES_S), 0.3, VT))
        ends = truth.STARTS_S + truth.DURATIONS_S
        columns = {"frame_start": truth.STARTS_S, "frame_end": ends, "muscle [kBq/mL]": tissue}
        (cls.folder / "x_tacs.tsv").write_text(table(columns), encoding="utf-8")
        for domain, curve in curves.items():
            values = {"time": dense, "mine": curve(dense)}
            (cls.folder / f"{domain}.txt").write_text(table(values), encoding="utf-8")
            (cls.folder / f"{domain}.json").write_text(json.dumps({"time": {"Units": "s"}}), encoding="utf-8")
        late = SAMPLES_S[SAMPLES_S >= 60]
        samples = {
            "time": late,
            "whole_blood_radioactivity": curves["whole-blood"](late),
            "plasma_radioactivity": curves["plasma"](late),
            "metabolite_parent_fraction": truth.parent_fraction(late / 60),
        }
        (cls.folder / "x_recording-manual_blood.tsv").write_text(table(samples), encoding="utf-8")

    def fit(self, *more, out="out"):
        arguments = ("fit", self.folder / "x_tacs.tsv", "--models", "1TCM", "--vb", "none", "--force")
        code, told = quiet(*arguments, "--out", self.folder / out, *more)
        return code, told, rows_of(self.folder / out / "model-1TCM_kinpar.tsv")[0] if code == 0 else {}

    def given(self, domain, *more, unit="kBq/mL", out="out"):
        samples = () if domain == "parent-plasma" else ("--blood", self.folder / "x_recording-manual_blood.tsv")
        chosen = ("--set", f"domain={domain}", "--set", f"unit={unit}")
        return self.fit("--given", self.folder / f"{domain}.txt", *samples, *chosen, *more, out=out)

    def test_every_domain_leads_to_the_same_volume(self):
        for domain in blood():
            with self.subTest(domain):
                code, told, row = self.given(domain)
                self.assertEqual(code, 0, told)
                self.assertAlmostEqual(float(row["VT"]), VT, delta=0.01 * VT)
                about = json.loads((self.folder / "out" / "model-1TCM_kinpar.json").read_text(encoding="utf-8"))
                source = "parent-plasma" if domain == "parent-plasma" else f"given-{domain}"
                self.assertEqual(about["input_function"]["source"], source)
                self.assertEqual(about["settings"]["given_domain"], domain)

    def test_taken_for_another_domain_it_is_another_volume(self):
        """Else the domain would not matter, and the test above could not fail."""
        whole = self.folder / "whole-blood.txt"
        code, _, row = self.fit("--given", whole, "--set", "domain=parent-plasma", "--set", "unit=kBq/mL")
        self.assertEqual(code, 0)
        self.assertLess(float(row["VT"]), 0.8 * VT)

    def test_the_unit_is_that_of_the_file_or_stated(self):
        self.assertEqual(self.given("plasma", unit="Bq/mL")[0], 3)  # a thousandth of the tissue's
        code, told, _ = self.fit("--given", self.folder / "parent-plasma.txt", "--set", "domain=parent-plasma")
        self.assertEqual((code, "blood-units" in told), (3, True), told)
        text = (self.folder / "parent-plasma.txt").read_text(encoding="utf-8").replace("mine", "mine (kBq/mL)")
        named = self.folder / "named.txt"
        named.write_text(text.replace("time", "time (s)"), encoding="utf-8")
        self.assertEqual(self.fit("--given", named, "--set", "domain=parent-plasma")[0], 0)
        code, told, _ = self.fit("--given", named, "--set", "domain=parent-plasma", "--set", "unit=Bq/mL")
        self.assertEqual((code, "blood-units" in told), (3, True), told)

    def test_what_is_no_curve_is_refused(self):
        odd = self.folder / "odd.txt"
        for columns, code in (
            ({"time (s)": SAMPLES_S, "a": SAMPLES_S, "b": SAMPLES_S}, "given-columns"),
            ({"a": SAMPLES_S, "b": SAMPLES_S}, "given-columns"),
        ):
            odd.write_text(table(columns), encoding="utf-8")
            found, told, _ = self.fit("--given", odd, "--set", "domain=plasma", "--set", "unit=kBq/mL")
            self.assertEqual((found, code in told), (3, True), told)
        found, told, _ = self.fit("--given", self.folder / "x_recording-manual_blood.tsv")
        self.assertEqual((found, "input-not-ready" in told), (3, True), told)
        found, told, _ = self.fit(
            "--given", self.folder / "plasma.txt", "--set", "domain=plasma", "--set", "unit=kBq/mL"
        )
        self.assertEqual((found, "parent-fraction-missing" in told), (3, True), told)
        self.assertIn("blood-missing", self.fit()[1])

    def test_the_input_that_is_written_leads_to_the_same_volume(self):
        first = self.given("whole-blood", out="first")[2]
        written = self.folder / "first" / "inputfunction.tsv"
        columns = rows_of(written)[0]
        self.assertEqual(
            list(columns),
            ["time", "whole_blood_radioactivity", "plasma_radioactivity", "metabolite_parent_fraction", "AIF"],
        )
        for file in (written, written.with_name("bloodproc.tsv")):
            code, told, again = self.fit("--blood", file, out="again")
            self.assertEqual(code, 0, told)
            self.assertAlmostEqual(float(again["VT"]), float(first["VT"]), delta=1e-6)

    def test_a_study_takes_a_ready_curve(self):
        study = DicomVisit(names=(LEFT,), with_ct=False).write(self.folder / "visit")
        rows = (study.parent / "blood_bloodproc.tsv").read_text(encoding="utf-8").splitlines()
        names = rows[0].split("\t")
        cells = [[row.split("\t")[names.index(name)] for name in ("time", "AIF")] for row in rows[1:]]
        (study.parent / "curve.csv").write_text(
            "\n".join(["time (s),Cp", *(",".join(row) for row in cells)]) + "\n", encoding="utf-8"
        )
        text = study.read_text(encoding="utf-8").replace('["1TCM", "Logan"]', '["1TCM"]\nvb = "none"')
        study.write_text(text, encoding="utf-8")
        ready = read_visit(read_study(study)).blood.parent_plasma
        changed = text.replace(
            'path = "blood_bloodproc.tsv"', 'path = "curve.csv"\ndomain = "parent-plasma"\nunit = "kBq/mL"'
        )
        study.write_text(changed, encoding="utf-8")
        ours = read_visit(read_study(study)).blood.parent_plasma
        np.testing.assert_allclose(ours.times_s, ready.times_s)
        np.testing.assert_allclose(ours.values, ready.values, rtol=1e-12)

    def test_the_command_writes_a_table_curves_and_a_picture(self):
        out = self.folder / "candidates"
        sampled = self.folder / "x_recording-manual_blood.tsv"
        code, told = quiet(
            "input", "candidates", sampled, "--until", "60", "--set", "parent_fraction_model=gamma", "--out", out
        )
        self.assertEqual(code, 0, told)
        self.assertIn("parent_fraction_model = gamma (used)", told)
        rows = rows_of(out / "candidates.tsv")
        (used,) = [row for row in rows if row["used"] == "1" and row["key"] == "parent_fraction_model"]
        self.assertEqual((used["choice"], float(used["area"])), ("gamma", 0.0))
        curves = rows_of(out / "candidates_curves.tsv")
        self.assertEqual(float(curves[-1]["time"]), 3600)
        self.assertEqual(len(curves[0]), 1 + len(rows))
        self.assertEqual((out / "candidates.png").read_bytes()[:4], b"\x89PNG")
        code, told = quiet("input", "candidates", sampled, self.folder / "study.toml", "--out", out, "--force")
        self.assertEqual((code, "candidates-study" in told), (3, True), told)


if __name__ == "__main__":
    unittest.main()
