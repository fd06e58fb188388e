"""Which frames the fits see and how each counts: the same from a study file as from a table that lacks the others."""

import csv
import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
from support.exacttissue import EDGES_S
from support.tinystudy import LEFT, DicomVisit, quantified, quiet
from TSPOQuantLib.outcome.comparability import findings_of
from TSPOQuantLib.reporting.deidentify import REMOVED, hide

LEFT_OUT = '{ 3 = "moved", 17 = "coughed" }'
MODELS = ("1TCM", "Logan")


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


class FramesChosenTest(unittest.TestCase):
    """One visit, once with every frame and once with choices; uniform weights, whose numbers are the same for both."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.study = DicomVisit(names=(LEFT,), with_ct=False).write(cls.folder / "visit")
        cls.text = cls.study.read_text(encoding="utf-8").replace('["1TCM", "Logan"]', json.dumps(MODELS))
        cls.whole = cls.quantify("whole", 'weights = "uniform"')
        cls.chosen = cls.quantify("chosen", f'weights = "uniform"\nleave_out = {LEFT_OUT}')
        (cls.tacs,) = (cls.folder / "whole").glob("*seg-regions_tacs.tsv")
        (cls.blood,) = (cls.folder / "whole").glob("*_bloodproc.tsv")

    @classmethod
    def quantify(cls, name, *lines):
        study = cls.study.with_name(f"{name}.toml")
        study.write_text("\n".join([cls.text, *lines]) + "\n", encoding="utf-8")
        return quantified(study, cls.folder / name)

    def test_a_visit_is_fitted_as_a_table_without_these_frames(self):
        short = self.folder / "short_tacs.tsv"
        header, *rows = self.tacs.read_text(encoding="utf-8").splitlines()
        kept = [row for number, row in enumerate(rows, start=1) if number not in (3, 17)]
        short.write_text("\n".join([header, *kept]) + "\n", encoding="utf-8")
        short.with_suffix(".json").write_bytes(self.tacs.with_suffix(".json").read_bytes())
        out = self.folder / "fitted"
        code, told = quiet("fit", short, "--blood", self.blood, "--models", ",".join(MODELS), "--out", out)
        self.assertEqual(code, 0, told)
        for model in MODELS:
            ours, theirs = (rows_of(place / f"model-{model}_kinpar.tsv") for place in (self.folder / "chosen", out))
            for one, other in zip(ours, theirs, strict=True):
                # The curves are exact: what is left of them is the ninth digit of the table.
                for key, close in (("VT", 1e-8), ("VT-se", 1e-3), ("nframes", 0), ("tstar", 0)):
                    if one[key] != other[key]:
                        np.testing.assert_allclose(float(one[key]), float(other[key]), rtol=close, err_msg=key)

    def test_the_record_keeps_all_frames_and_the_reasons(self):
        fit = self.chosen.fit(LEFT, "1TCM")
        self.assertEqual(fit.n_frames, len(EDGES_S) - 3)
        self.assertEqual(np.flatnonzero(fit.weights == 0).tolist(), [2, 16])
        self.assertTrue(np.isnan(fit.predicted[[2, 16]]).all())
        self.assertEqual(np.flatnonzero(np.isnan(fit.predicted)).tolist(), [2, 16])
        self.assertEqual(self.chosen.settings["leave_out"], {"3": "moved", "17": "coughed"})
        hidden = hide([self.chosen])[0][0]
        self.assertEqual(hidden.settings["leave_out"], {"3": REMOVED, "17": REMOVED})

    def test_visits_that_see_other_frames_are_told_apart(self):
        found = {one.item: one for one in findings_of([self.whole, self.chosen])}
        self.assertEqual(found["left-out"].severity, "warn")
        self.assertIn("moved", found["left-out"].values[1])
        self.assertEqual(found["window"].severity, "warn")  # Logan begins elsewhere, by one rule
        last = {str(number): "moved" for number in range(len(EDGES_S) - 4, len(EDGES_S))}
        shorter = replace(self.whole, settings={**self.whole.settings, "leave_out": last})
        found = {one.item: one for one in findings_of([self.whole, shorter])}
        self.assertEqual(found["window"].severity, "refuse")

    def test_weights_of_a_file_are_those_of_the_fits_and_of_the_record(self):
        count = len(EDGES_S) - 1
        numbers = np.linspace(1, 3, count)
        table = self.study.with_name("weights.tsv")

        def listed(name, weights, more=""):
            table.write_text("weight\n" + "".join(f"{weight}\n" for weight in weights), encoding="utf-8")
            return self.quantify(name, f'weights = "file"\nweights_path = "{table.name}"\n{more}')

        record = listed("listed", numbers)
        np.testing.assert_allclose(record.fit(LEFT, "1TCM").weights, numbers / numbers.mean())
        np.testing.assert_allclose(record.provenance["frame_weights"], numbers)
        self.assertIn(table.name, [Path(one["name"]).name for one in record.provenance["inputs"]])
        self.assertNotIn("weights", {one.item for one in findings_of([record, record])})
        other = listed("other", np.ones(count))
        for pair in ([record, other], [record, self.whole]):
            finding = next(one for one in findings_of(pair) if one.item == "weights")
            self.assertEqual(finding.severity, "refuse")
        self.assertEqual(other.fit(LEFT, "1TCM").parameters["VT"], self.whole.fit(LEFT, "1TCM").parameters["VT"])

    def test_fit_takes_weights_from_a_file(self):
        table = self.folder / "w.tsv"
        starts = EDGES_S[:-1]
        table.write_text(
            "frame_start\tweight\n" + "".join(f"{start}\t{1 + n}\n" for n, start in enumerate(starts)),
            encoding="utf-8",
        )
        for out, more in (("all", ()), ("some", ("--leave-out", "3=moved,17"))):
            code, told = quiet(
                "fit", self.tacs, "--blood", self.blood, "--models", "1TCM", "--weights", f"file:{table}", *more,
                "--out", self.folder / "file" / out,
            )  # fmt: skip
            self.assertEqual(code, 0, told)
        about = json.loads((self.folder / "file" / "some" / "model-1TCM_kinpar.json").read_text(encoding="utf-8"))
        self.assertEqual(about["settings"]["leave_out"], {"3": "moved", "17": ""})
        self.assertEqual(about["settings"]["weights"], "file")
        self.assertEqual(len(about["inputs"]), 3)

    def test_what_cannot_be_weights_is_refused(self):
        table = self.study.with_name("wrong.tsv")
        count = len(EDGES_S) - 1
        good = ["1"] * count
        for content, words in (
            (["weights", *good], "no column weight"),
            (["weight", *good[1:]], f"{count} frames"),
            (["weight", "-1", *good[1:]], "negative"),
            (["weight", "n/a", *good[1:]], "missing"),
            (["weight", *["0"] * count], "all are 0"),
            (["weight\tstart", *(f"1\t{60 * n}" for n in range(count))], "another than in the scan"),
        ):
            table.write_text("\n".join(content) + "\n", encoding="utf-8")
            told = quiet(
                "fit", self.tacs, "--blood", self.blood, "--models", "1TCM", "--weights", f"file:{table}",
                "--out", self.folder / "no",
            )  # fmt: skip
            self.assertEqual(told[0], 3)
            self.assertIn("error: weights-file: ", told[1])
            self.assertIn(words, told[1])
        for lines, code in (
            (('weights = "file"',), "study-value"),
            (('weights_path = "wrong.tsv"',), "study-value"),
            (('leave_out = { 99 = "moved" }',), "leave-out-frame"),
        ):
            study = self.study.with_name("refused.toml")
            study.write_text("\n".join([self.text, *lines]) + "\n", encoding="utf-8")
            found, told = quiet("quantify", study, "--out", self.folder / "no")
            self.assertEqual((found, code in told), (3, True), told)


if __name__ == "__main__":
    unittest.main()
