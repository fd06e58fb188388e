"""V_T against the length of the scan, from a visit's results alone."""

import csv
import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
from support.tinystudy import LEFT, DicomVisit, quantified, quiet
from TSPOQuantLib.outcome import plan
from TSPOQuantLib.outcome.plan import Protocol, with_drift_of
from TSPOQuantLib.outcome.scan_length import drift, settled
from TSPOQuantLib.pipeline.scan_length import by_length


class ScanLengthTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.study = DicomVisit(names=(LEFT,), with_ct=False).write(cls.folder / "visit")
        cls.record = quantified(cls.study, cls.folder / "out")
        cls.found = by_length(cls.record)
        cls.whole_min = float(cls.record.acquisition.timing.ends_s[-1] / 60)

    def test_the_whole_scan_is_what_the_visit_says(self):
        for model in self.record.models:
            (last,) = [one for one in self.found if (one.model, one.end_min) == (model, self.whole_min)]
            fit = self.record.fit(LEFT, model)
            self.assertAlmostEqual(last.value, fit.outcome_value, delta=1e-9 * fit.outcome_value)
            self.assertAlmostEqual(last.error, fit.outcome_error, delta=1e-6 * fit.outcome_error)
            self.assertEqual((last.change, last.change_low, last.change_high), (0, 0, 0))

    def test_a_shorter_scan_is_the_visit_quantified_to_that_length(self):
        text = self.study.read_text(encoding="utf-8")
        short = self.study.with_name("short.toml")
        short.write_text(text.replace('["1TCM", "Logan"]', '["1TCM"]') + "until_min = 30\n", encoding="utf-8")
        wanted = quantified(short, self.folder / "short").fit(LEFT, "1TCM")
        (found,) = [one for one in self.found if (one.model, one.end_min) == ("1TCM", 30)]
        self.assertAlmostEqual(found.value, wanted.outcome_value, delta=1e-9 * wanted.outcome_value)

    def test_what_drifts_settles_late_and_what_is_too_short_is_not_told(self):
        """A curve that goes on rising: one tissue compartment reads more of it, the longer it looks."""
        region = self.record.regions[0]
        timing = self.record.acquisition.timing
        grown = np.array(region.mean) * (1 + 0.01 * np.maximum(timing.mids_s / 60 - 30, 0))
        drifting = replace(self.record, regions=(replace(region, mean=tuple(grown)),))
        rows = {one.end_min: one for one in settled(by_length(drifting)) if one.model == "1TCM"}
        still = {one.end_min: one for one in settled(self.found) if one.model == "1TCM"}
        self.assertGreater(rows[30].percent, 5)
        self.assertGreater(rows[30].percent, rows[50].percent)
        self.assertGreaterEqual(rows[30].percent_high, rows[30].percent)
        self.assertLess(still[30].percent, 0.1)
        moved = dict(drift(by_length(drifting), "1TCM"))
        self.assertAlmostEqual(abs(moved[30]), rows[30].percent, places=9)
        self.assertEqual(drift(self.found, "MA2"), [])
        late = by_length(replace(self.record, models=("Logan",)), [1])
        self.assertTrue(np.isnan(late[0].value))

    def test_the_command_and_the_plan(self):
        out = self.folder / "length"
        code, told = quiet("length", self.folder / "out", "--ends", "30,45", "--out", out)
        self.assertEqual(code, 0, told)
        self.assertIn("1TCM, 45 min", told)
        with (out / "length.tsv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        self.assertEqual([float(row["end"]) for row in rows if row["model"] == "1TCM"], [30, 45, self.whole_min])
        self.assertEqual((out / "length.png").read_bytes()[:4], b"\x89PNG")
        about = json.loads((out / "length.json").read_text(encoding="utf-8"))
        self.assertEqual(about["settled"][0]["end_min"], 30)
        code, told = quiet("length", self.folder / "out", "--ends", "500", "--out", out, "--force")
        self.assertEqual((code, "length-short" in told), (3, True), told)
        planned = with_drift_of(replace(Protocol(), noise_from="p1, baseline"), [(30.0, 7.25), (40.0, 3.0)])
        self.assertTrue([one for one in plan._assumptions(planned) if "30 min +7.2 %, 40 min +3.0 %" in one])


if __name__ == "__main__":
    unittest.main()
