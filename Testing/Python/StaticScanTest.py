"""A late static scan alone: SUV and SUVR without blood, V_T refused by name, visits compared by uptake time."""

import json
import re
import shutil
import tempfile
import unittest
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
from support.rawdicom import read_raw, sphere_mean
from support.realdata import DATA
from support.tinystudy import LEFT, RIGHT, DicomVisit, activity, quantified, quiet
from TSPOQuantLib.acquisition.dicom import read_pet
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.acquisition.segmentation_files import write_segmentation
from TSPOQuantLib.exports import write_dicom
from TSPOQuantLib.outcome.comparability import findings_of
from TSPOQuantLib.outcome.compare import compare
from TSPOQuantLib.outcome.uptake import uptake_of
from TSPOQuantLib.reporting.comparison_files import comparison_text
from TSPOQuantLib.reporting.report import report_document
from TSPOQuantLib.reporting.report_html import html

FRAME = 16
"""40 to 50 min."""


def static_visit(folder, session="baseline"):
    """The tiny study's one late frame, as a static series; no blood."""
    study = DicomVisit(session=session, with_ct=False).write(folder)
    headers = [(path, pydicom.dcmread(path)) for path in (folder / "pet").rglob("*.dcm")]
    times = sorted({header.AcquisitionTime for _, header in headers})
    for path, header in headers:
        if header.AcquisitionTime != times[FRAME]:
            path.unlink()
            continue
        header.SeriesType, header.NumberOfTimeSlices = ["STATIC", "IMAGE"], 1
        header.save_as(path)
    text = study.read_text().split("[input]")[0]
    study.write_text(text + f'[outcome]\nreference = "{RIGHT}"\n')
    return study


class StaticTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        cls.studies = {s: static_visit(cls.scratch / s, s) for s in ("baseline", "followup")}
        cls.records = [quantified(study, cls.scratch / f"out-{s}") for s, study in cls.studies.items()]

    def test_suv_and_ratio_are_those_of_the_image(self):
        for session, record in zip(self.studies, self.records, strict=True):
            frame = activity(session)[FRAME]
            left, right = frame[:, :, -1].mean(), frame[:, :, 0].mean()
            found = {row.region: row for row in uptake_of(record)}
            self.assertAlmostEqual(found[LEFT].SUV, left * 80 / 400, delta=2e-3 * left)
            self.assertAlmostEqual(found[LEFT].SUVR, left / right, delta=2e-3)
            self.assertEqual((record.acquisition.time_zero, record.acquisition.frame_starts_s), ("injection", (2400,)))

    def test_vt_is_refused_by_name_with_the_reason(self):
        (told,) = [notice for notice in self.records[0].notices if notice.code == "vt-static"]
        self.assertIn("single frame of 10 min", told.message)
        self.assertEqual((self.records[0].rows, self.records[0].models), ((), ()))
        code, said = quiet("maps", self.studies["baseline"], "--model", "Logan", "--out", self.scratch / "maps")
        self.assertEqual((code, "vt-static" in said), (3, True))
        code, said = quiet("length", self.scratch / "out-baseline", "--out", self.scratch / "length")
        self.assertEqual((code, "error: length-none" in said), (3, True), said)

    def test_two_visits_compare_in_suv_and_suvr(self):
        out = self.scratch / "comparison"
        named = (self.scratch / "out-baseline", self.scratch / "out-followup")
        code, told = quiet("compare", *named, "--dicom", "--out", out)
        self.assertEqual(code, 0, told)
        rows = json.loads((out / "comparison.json").read_text())["table1"]
        keys = {row["outcome"]: row for row in rows}
        self.assertIn("SUVR_foramen_C6C7_left", keys)
        first, later = (uptake_of(record)[0] for record in self.records)
        self.assertAlmostEqual(keys["SUV_foramen_C6C7_left"]["percent"], 100 * (later.SUV / first.SUV - 1), places=6)
        made = sorted(path.relative_to(out / "dicom").as_posix() for path in (out / "dicom").rglob("*.dcm"))
        names = ("rtstruct.dcm", "seg.dcm", "sr-uptake.dcm")  # no map and no report of a V_T that there is not
        self.assertEqual(made, [f"ses-{session}/{name}" for session in ("baseline", "followup") for name in names])
        later_sr = str(pydicom.dcmread(out / "dicom/ses-followup/sr-uptake.dcm"))
        self.assertIn(f"{later.SUV:.6g}"[:6], later_sr)

    def test_the_report_in_both_languages(self):
        for records in (self.records[:1], self.records):
            comparison = compare(records)
            for lang, words in (("en", "V<sub>T</sub> cannot be had"), ("fr", "V<sub>T</sub> ne peut être obtenu")):
                page = html(report_document(comparison, [], lang))
                self.assertIn(words, page)
                self.assertIn("SUVpeak", page)
                self.assertNotIn("Vr (V<sub>T</sub>)", page.split("</table>")[0])
        self.assertIn("SUVpeak", comparison_text(compare(self.records[:1])))

    def test_dicom_objects_without_a_map(self):
        """SUVbw by its standard code (DCM 126401), as measured."""
        folder = self.scratch / "dicom"
        self.assertIsNone(write_dicom(folder, self.scratch / "out-baseline", self.records[0], datetime(2026, 1, 1)))
        names = sorted(path.name for path in folder.iterdir())
        self.assertEqual(names, ["rtstruct.dcm", "seg.dcm", "sr-uptake.dcm"])
        told = str(pydicom.dcmread(folder / "sr-uptake.dcm"))
        self.assertEqual(told.count("126401"), 4 * len(self.records[0].regions))
        values = [float(value) for value in re.findall(r"Numeric Value\s+DS: '?([0-9.]+)", told)]
        self.assertAlmostEqual(values[0], uptake_of(self.records[0])[0].SUV, places=6)

    def test_uptake_times_are_compared(self):
        base = self.records[0]

        def codes(minutes):
            scan = replace(self.records[1].acquisition, frame_starts_s=(2400 + 60 * minutes,))
            return {one.code: one.severity for one in findings_of([base, replace(self.records[1], acquisition=scan)])}

        self.assertNotIn("visits-uptake-time", codes(0.5))
        self.assertEqual(codes(5)["visits-uptake-time"], "warn")
        self.assertEqual(codes(15)["visits-uptake-time"], "refuse")
        self.assertNotIn("visits-window", codes(15))

    def test_doses_and_weights_that_differ_are_told(self):
        """SUV is divided by the one and multiplied by the other: a wrong entry is a wrong change."""
        base = self.records[0]
        for change, code in (({"injected_mbq": 150.0}, "visits-dose"), ({"weight_kg": 110.0}, "visits-weight")):
            scan = replace(self.records[1].acquisition, **change)
            found = {one.code: one.severity for one in findings_of([base, replace(self.records[1], acquisition=scan)])}
            self.assertEqual(found.get(code), "warn", change)

    def test_another_reference_is_refused_where_ratios_are_all_there_is(self):
        other = replace(self.records[1], settings=self.records[1].settings | {"reference": "cord C7"})
        found = {one.code: one.severity for one in findings_of([self.records[0], other])}
        self.assertEqual(found["visits-outcome-reference"], "refuse")


@unittest.skipUnless((DATA / "pet_dicom/ge_sts001").is_dir(), "the real series is not here")
class RealSeriesTest(unittest.TestCase):
    def test_a_whole_body_scan_of_six_beds_through_the_command(self):
        """Against the files' own bytes, read by numpy alone: its published SUVmax, a ragged region and a plain one."""
        scratch = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, scratch)
        image = read_pet(DATA / "pet_dicom/ge_sts001")
        self.assertEqual(len(image.timing), 1)
        self.assertIn("pet-bed-positions", [notice.code for notice in image.notices])
        raw = read_raw(DATA / "pet_dicom/ge_sts001", static=True)
        suv = raw.suv[0]
        top = np.unravel_index(suv.argmax(), suv.shape)
        self.assertAlmostEqual(suv[top], 66.5215, delta=1e-3)
        near = np.linalg.norm((np.indices(suv.shape).T - top).T * raw.spacing_mm[:, None, None, None], axis=0) < 18
        mask, low = near & (suv > 0.3 * suv[top]), np.zeros(suv.shape, bool)
        low[100:104, 60:64, 60:64] = True
        segments = (Segment("a", "hot", mask), Segment("b", "muscle", low))
        write_segmentation(scratch / "r.seg.nrrd", Segmentation(image.grid, segments))
        study = scratch / "study.toml"
        study.write_text(
            '[subject]\nid = "s1"\n[pet]\n'
            f'path = "{DATA / "pet_dicom/ge_sts001"}"\nmotion_correction = "none"\n'
            '[segmentation]\npath = "r.seg.nrrd"\n[outcome]\nreference = "muscle"\n'
        )
        found = {row.region: row for row in uptake_of(quantified(study, scratch / "out"))}
        peak = max(sphere_mean(suv, raw.spacing_mm, center) for center in np.argwhere(mask & (suv > 0.7 * suv[top])))
        for name, wanted, relative in (
            ("SUV", suv[mask].mean(), 1e-6),
            ("SUVmax", suv[mask].max(), 1e-6),
            ("SUVpeak", peak, 2e-3),
            ("SUVsd", suv[mask].std(), 1e-5),
            ("SUVR", suv[mask].mean() / suv[low].mean(), 1e-6),
        ):
            self.assertAlmostEqual(getattr(found["hot"], name) / wanted, 1, delta=relative, msg=name)


if __name__ == "__main__":
    unittest.main()
