"""What a study asks of its regions, from study.toml to the written files, on one simulated visit."""

import csv
import importlib
import json
import math
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from support.phantomvisit import write_one
from support.tiers import slow
from support.tinystudy import LEFT, DicomVisit, segmentation
from TSPOQuantLib.alignment import motion
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.phantom import PhantomSettings
from TSPOQuantLib.pipeline.placement import place
from TSPOQuantLib.pipeline.quantification import quantify, quantify_visit
from TSPOQuantLib.pipeline.visit_data import read_visit
from TSPOQuantLib.regions import sampling
from TSPOQuantLib.reporting.visit_files import write_visit
from TSPOQuantLib.study import read_study

AFFECTED = "foramen C6/C7 left (root C7)"


@slow
class VisitTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        root = Path(folder.name) / "neck"
        write_one(root, PhantomSettings(fast=True, motion_mm=0.0), "baseline")
        path = root / "ses-baseline" / "study.toml"
        text = path.read_text(encoding="utf-8").replace("[ct]", 'fwhm_mm = "estimate"\n\n[ct]')
        text = text.replace("[blood]", f'pvc = "GTM"\npvc_regions = ["{AFFECTED}"]\n\n[blood]')
        path.write_text(text, encoding="utf-8")
        study = read_study(path)
        cls.study = replace(study, settings=replace(study.settings, models=("1TCM",)))
        cls.data = read_visit(cls.study)
        cls.result = quantify_visit(cls.study, cls.data)
        cls.out = Path(folder.name) / "out"
        write_visit(cls.out, cls.result)

    def test_the_resolution_is_estimated_told_and_used(self):
        self.assertAlmostEqual(self.result.record.acquisition.fwhm_mm, 5.0, delta=0.3)
        self.assertEqual(self.result.record.pvc_fwhm_mm[0], self.result.record.acquisition.fwhm_mm)
        codes = [notice.code for notice in self.result.record.warnings]
        self.assertIn("resolution-estimated", codes)
        self.assertIn("region-resolution", codes)
        with self.assertRaises(InputRefused) as caught:
            quantify_visit(self.study, replace(self.data, ct=None))
        self.assertEqual(caught.exception.code, "resolution-ct")

    def test_corrected_values_have_their_sensitivity_beside_them(self):
        about = json.loads((self.out / "model-1TCM_pvc-GTM_kinpar.json").read_text(encoding="utf-8"))
        one = about["PartialVolume"]["Regions"][AFFECTED]
        (vt,) = (row.VT for row in self.result.record.rows if (row.model, row.pvc) == ("1TCM", "GTM"))
        self.assertTrue(one["VTFiner"] < vt < one["VTCoarser"])
        self.assertAlmostEqual(math.log(one["VTCoarser"] / vt), 0.19, delta=0.08)
        self.assertEqual(one["FWHMStep_mm"], 1.0)

    def test_regions_have_a_table_with_units_and_codes(self):
        path = self.out / "sub-phantom_ses-baseline_seg-regions_measurements.tsv"
        with path.open(encoding="utf-8") as file:
            rows = {row["region"]: row for row in csv.DictReader(file, delimiter="\t")}
        self.assertEqual(set(rows), {region.name for region in self.result.record.regions})
        self.assertEqual((rows[AFFECTED]["level"], rows[AFFECTED]["side"]), ("C6/C7", "left"))
        self.assertAlmostEqual(float(rows[AFFECTED]["volume_mm3"]), 219.0)
        self.assertEqual(rows["cord C7"]["size_ratio"], "n/a")
        about = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        self.assertEqual(about["volume_mm3"]["UnitsCode"], ["mm3", "UCUM", "cubic millimeter"])
        self.assertEqual([one["code"] for one in about["Quality"]], ["region-resolution"])


class PlaceTest(unittest.TestCase):
    def test_a_ct_of_another_place_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            study = read_study(DicomVisit().write(Path(folder) / "visit"))
            data = read_visit(study)
        place(data, study.settings)
        for shift in (np.array([300.0, 0, 0]), np.array([0, 0, -250.0])):
            matrix = data.ct.grid.ijk_to_lps.copy()
            matrix[:3, 3] += shift
            elsewhere = replace(data.ct, grid=Grid(data.ct.grid.shape, matrix))
            with self.assertRaises(InputRefused) as caught:
                place(replace(data, ct=elsewhere), study.settings)
            self.assertEqual(caught.exception.code, "ct-elsewhere")


class EffortTest(unittest.TestCase):
    """What speed rests on, as numbers of calls."""

    def test_nothing_is_worked_out_twice(self):
        with tempfile.TemporaryDirectory() as folder:
            study = read_study(DicomVisit().write(Path(folder) / "visit"))
            data = read_visit(study)
        fitting = importlib.import_module("TSPOQuantLib.kinetics.fit")  # the package has a function of that name
        with (
            mock.patch.object(sampling, "_covered", wraps=sampling._covered) as covered,
            mock.patch.object(fitting, "fit_compartment", wraps=fitting.fit_compartment) as fitted,
            mock.patch.object(motion, "register_rigid", wraps=motion.register_rigid) as registered,
        ):
            quantify(data, study.settings)
            still = registered.call_count
            moving = replace(study.settings, models=("1TCM",), motion_correction="frames")
            quantify(data, moving)
        self.assertEqual(still, 0)
        self.assertLessEqual(registered.call_count, len(data.image.timing))  # each frame once at most
        # A region is looked up where it lies, and a step to either side along each axis for the error of its place.
        regions, places = len(data.segmentation.segments), 1 + 2 * 3
        self.assertLessEqual(covered.call_count, 2 * regions * places)
        # All curves are fitted in one call: as they are, with two tissues beside one, and at both ends of each error
        # of a given input.
        errors = ("scale", "delay")
        self.assertLessEqual(fitted.call_count, 2 * (1 + 1 + 2 * len(errors)))


class WeightsTest(unittest.TestCase):
    def test_what_else_is_drawn_moves_no_region(self):
        with tempfile.TemporaryDirectory() as folder:
            study = read_study(DicomVisit().write(Path(folder) / "visit"))
            data = read_visit(study)
        settings = replace(study.settings, models=("1TCM",))
        fewer = replace(data, segmentation=segmentation((LEFT,)))
        both = [quantify(one, settings).record.row("foramen", "C6/C7", "left", "1TCM") for one in (data, fewer)]
        self.assertEqual(both[0].VT, both[1].VT)


if __name__ == "__main__":
    unittest.main()
