"""DICOM SEG, SR and Parametric Map of a visit: read back by others, exact in geometry, numbers and codes."""

import math
import shutil
import subprocess
import tempfile
import unittest
import warnings
from argparse import Namespace
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import AcquisitionEnhancedTest
import highdicom
import numpy as np
import pydicom
import scipy.stats
from support import tinystudy
from support import visitrecords as made
from support.dicommaker import PetPlan, write_pet
from support.exacttissue import centers
from support.folders import Folder
from support.tinystudy import CORD, LEFT, RIGHT, DicomVisit
from TSPOQuantLib.acquisition.dicom import pet_series
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.acquisition.segmentation_files import read_segmentation
from TSPOQuantLib.commands.regions import both_segmentations
from TSPOQuantLib.exports import write_dicom
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.kinetics import ParametricMaps
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.visit import VisitMaps
from TSPOQuantLib.regions.anatomy import identify
from TSPOQuantLib.regions.region import plain_name
from TSPOQuantLib.regions.template import segment_of
from TSPOQuantLib.reporting.dicom_context import read_context
from TSPOQuantLib.reporting.dicom_contours import contours_object
from TSPOQuantLib.reporting.dicom_map import PADDING_VT, map_object
from TSPOQuantLib.reporting.dicom_seg import segmentation_object
from TSPOQuantLib.reporting.dicom_sr import _measurements, report_object
from TSPOQuantLib.source import study_of_results
from TSPOQuantLib.study import read_study

WHEN = datetime(2026, 1, 2, 3, 4, 5)
OBJECTS = ("seg", "rtstruct", "sr", "sr-Logan", "vt-map")


def places(mask, grid):
    """Centers of the voxels of a mask in LPS mm, in a fixed order."""
    found = grid.to_lps(np.argwhere(mask)[:, ::-1].astype(float))
    return found[np.lexsort(np.round(found, 3).T)]


class InfluxTest(unittest.TestCase):
    def test_a_model_without_a_volume_reports_its_influx(self):
        fitted = made.fit(LEFT, "Patlak", 0.0, 0.0, parameters={"Ki": 0.02}, standard_errors={"Ki": 0.001})
        row = made.outcome(
            "baseline", LEFT, "Patlak", math.nan, math.nan, Ki=0.02, Ki_se=0.001, K1=None, k2=None, VB=None
        )
        record = replace(made.visit(vt={LEFT: 4.0}), models=("Patlak",), fits=(fitted,), rows=(row,))
        told = {one.name.value: one for one in _measurements(record, row)}
        self.assertEqual(list(told), ["Ki", "Ki-se", "Ki-ci95-low", "Ki-ci95-high"])
        self.assertEqual((told["Ki"].value, told["Ki"].unit.value), (0.02, "mL/cm3/min"))


class DicomOutTest(unittest.TestCase):
    """One visit with a CT, written once."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.study = DicomVisit().write(cls.folder / "base")
        cls.results = cls.folder / "results"
        cls.record = tinystudy.quantified(cls.study, cls.results)
        cls.out = cls.folder / "dicom"
        write_dicom(cls.out, cls.results, cls.record, WHEN)
        cls.objects = {name: pydicom.dcmread(cls.out / f"{name}.dcm") for name in OBJECTS}

    def test_patient_study_and_space_are_those_of_the_images(self):
        for name, dataset in self.objects.items():
            with self.subTest(name):
                self.assertEqual(dataset.PatientID, "SECRET-ID-4711")
                self.assertEqual(dataset.PatientName, "Verysecret^Nomen")
                self.assertEqual(dataset.PatientBirthDate, "19610203")
                self.assertEqual(dataset.AccessionNumber, "A1")
                self.assertEqual(dataset.StudyInstanceUID, f"{tinystudy.FRAME_OF_REFERENCE['baseline']}.9")
                self.assertNotIn("PatientWeight", dataset)
                if name == "rtstruct":
                    continue  # it holds no codes
                scheme = dataset.CodingSchemeIdentificationSequence[0]
                self.assertEqual(scheme.CodingSchemeDesignator, "99TSPOQUANT")
        for name in ("seg", "vt-map"):
            self.assertEqual(self.objects[name].FrameOfReferenceUID, tinystudy.FRAME_OF_REFERENCE["baseline"])

    def test_segments_come_back_by_our_own_reader(self):
        truth, found = tinystudy.segmentation(), read_segmentation(self.out / "seg.dcm")
        self.assertEqual([segment.name for segment in found.segments], [LEFT, RIGHT, CORD])
        for before, after in zip(truth.segments, found.segments, strict=True):
            np.testing.assert_allclose(
                places(after.mask, found.grid), places(before.mask, truth.grid), rtol=0, atol=1e-6
            )
        overlap = truth.segments[0].mask & truth.segments[2].mask
        self.assertGreater(np.count_nonzero(overlap), 0)  # or overlapping segments would not have been tested
        self.assertEqual(found.segments[0].tags["SegmentedPropertyType"], "99TSPOQUANT^FORAMEN^Cervical neuroforamen")
        self.assertEqual(found.segments[2].tags["SegmentedPropertyType"], "SCT^2748008^Spinal cord")
        for before, after in zip(truth.segments, found.segments, strict=True):
            self.assertEqual(identify("", after.tags), identify(before.name, before.tags))  # not by its name
            written = segment_of(identify(before.name, before.tags), before.mask)
            self.assertEqual({key: after.tags[key] for key in written.tags}, written.tags)

    def test_contours_are_the_same_voxels_on_the_ct_and_give_the_same_results(self):
        truth, contours = tinystudy.segmentation(), self.out / "rtstruct.dcm"
        found = read_segmentation(contours, on=truth.grid)
        self.assertEqual([segment.name for segment in found.segments], [LEFT, RIGHT, CORD])
        for before, after in zip(truth.segments, found.segments, strict=True):
            np.testing.assert_array_equal(after.mask, before.mask)
        files = {pydicom.dcmread(path).SOPInstanceUID for path in (self.study.parent / "ct").iterdir()}
        drawn = self.objects["rtstruct"].ROIContourSequence[0].ContourSequence
        self.assertLessEqual({one.ContourImageSequence[0].ReferencedSOPInstanceUID for one in drawn}, files)
        other = self.study.with_name("contours.toml")
        drawn_in = read_study(self.study).segmentation.name
        other.write_text(self.study.read_text().replace(drawn_in, str(contours)))
        record = tinystudy.quantified(other, self.folder / "by-contours")
        self.assertEqual([row.VT for row in record.rows], [row.VT for row in self.record.rows])
        code, told = tinystudy.quiet("regions", "compare", read_study(self.study).segmentation, contours)
        self.assertEqual((code, told.count(" 1.00 ")), (0, 3), told)
        both = Namespace(first=contours, second=contours, study=self.study)
        self.assertTrue(both_segmentations(both)[1].grid.same_as(truth.grid))
        both.study = None
        with self.assertRaises(InputRefused) as caught:
            both_segmentations(both)
        self.assertEqual(caught.exception.code, "contours-image")

    def test_contours_of_another_grid_are_taken_at_the_centers_of_the_ct(self):
        truth = tinystudy.segmentation()
        fine = Grid(tuple(2 * size for size in truth.grid.shape), truth.grid.ijk_to_lps @ np.diag([0.5, 0.5, 0.5, 1]))
        doubled = [
            replace(segment, mask=np.kron(segment.mask, np.ones((2, 2, 2), dtype=bool))) for segment in truth.segments
        ]
        drawn = Segmentation(fine, tuple(doubled))
        context = read_context(self.study.parent / "pet", self.study.parent / "ct", WHEN)
        contours_object(context, drawn, truth.grid).save_as(self.folder / "fine.dcm")
        found = read_segmentation(self.folder / "fine.dcm", on=truth.grid)
        for before, after in zip(truth.segments, found.segments, strict=True):
            np.testing.assert_array_equal(after.mask, before.mask)

    def test_segments_come_back_by_highdicom(self):
        seg = highdicom.seg.segread(self.out / "seg.dcm")
        self.assertEqual(seg.segment_numbers, [1, 2, 3])
        description = seg.get_segment_description(1)
        self.assertEqual(description.segment_label, LEFT)
        self.assertEqual(description.tracking_id, LEFT)
        modifier = description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence[0]
        self.assertEqual((modifier.CodeValue, modifier.CodeMeaning), ("7771000", "Left"))
        files = {pydicom.dcmread(path).SOPInstanceUID for path in (self.study.parent / "ct").iterdir()}
        referred = {
            item.ReferencedSOPInstanceUID for item in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
        }
        self.assertEqual(referred, files)

    def test_report_holds_every_value_with_unit_method_and_place(self):
        groups = []
        for name in ("sr", "sr-Logan"):
            report = highdicom.sr.srread(self.out / f"{name}.dcm")
            found = report.content.get_volumetric_roi_measurement_groups()
            items = {tuple(m.name.value for m in group.get_measurements()) for group in found}
            self.assertEqual((len(found), len(items)), (3, 1))  # a table, as 3D Slicer makes of it
            groups += found
        self.assertEqual(len(groups), len(self.record.rows))
        numbers = {LEFT: 1, RIGHT: 2, CORD: 3}
        for group, row in zip(groups, self.record.rows, strict=True):
            values = {m.name.value: m for m in group.get_measurements()}
            self.assertAlmostEqual(values["VT"].value, row.VT, places=9)
            self.assertAlmostEqual(values["VT-se"].value, row.VT_se, places=9)
            low, high = values["VT-ci95-low"].value, values["VT-ci95-high"].value
            self.assertAlmostEqual((low + high) / 2, row.VT, places=9)
            freedom = self.record.fit(row.region, row.model).degrees_of_freedom
            reach = scipy.stats.t.ppf(0.975, freedom) * row.VT_se
            self.assertAlmostEqual((high - low) / 2, reach, delta=1e-6 * reach + 1e-12)
            self.assertEqual((values["VT"].unit.value, values["VT"].unit.scheme_designator), ("mL/cm3", "UCUM"))
            self.assertEqual("K1" in values, row.K1 is not None)
            self.assertEqual((group.method.scheme_designator, group.method.value), ("99TSPOQUANT", row.model))
            self.assertEqual(group.tracking_identifier, row.region)
            segment = group.referenced_segment
            self.assertEqual(segment.referenced_sop_instance_uid, self.objects["seg"].SOPInstanceUID)
            self.assertEqual(segment.referenced_segment_numbers[0], numbers[row.region])
            site = group.finding_sites[0]
            side = {"left": "7771000", "right": "24028007"}.get(row.side)
            self.assertEqual(site.laterality and site.laterality.value, side)
            self.assertIn(row.level, site.topographical_modifier.meaning)

    def test_nothing_comes_after_what_could_not_be_determined(self):
        rows = {row.region: row for row in self.record.rows if row.model == "1TCM"}
        changed = (rows[LEFT], replace(rows[RIGHT], VT_se=math.nan), replace(rows[CORD], VT=math.nan))
        context = read_context(self.study.parent / "pet", self.study.parent / "ct", WHEN)
        regions = segmentation_object(context, tinystudy.segmentation())
        report = report_object(context, replace(self.record, rows=changed), "1TCM", "none", regions)
        path = self.folder / "partial.dcm"
        report.save_as(path)
        groups = highdicom.sr.srread(path).content.get_volumetric_roi_measurement_groups()
        names = [[m.name.value for m in group.get_measurements()] for group in groups]
        self.assertEqual(
            names[0], ["VT", "K1", "k2", "VB", "VT-se", "VT-ci95-low", "VT-ci95-high", "K1-se", "k2-se", "VB-se"]
        )
        self.assertEqual(names[1:], [["VT", "K1", "k2", "VB"], []])

    def test_map_holds_the_true_values_where_they_are(self):
        found = self.objects["vt-map"]
        grid = tinystudy.grid_of(tinystudy.PET_SHAPE, tinystudy.PET_MM)
        values = np.frombuffer(found.FloatPixelData, "<f4").reshape(grid.shape)
        left = centers(grid)[..., 0] > tinystudy.MIDDLE_LPS_MM[0]
        fitted = values != PADDING_VT
        self.assertTrue(fitted.any())
        np.testing.assert_allclose(values[left & fitted], 4.0, rtol=1e-3)
        np.testing.assert_allclose(values[~left & fitted], 2.0, rtol=1e-3)
        mapping = found.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
        self.assertEqual(mapping.MeasurementUnitsCodeSequence[0].CodeValue, "mL/cm3")
        quantity, method = (item.ConceptCodeSequence[0].CodeValue for item in mapping.QuantityDefinitionSequence)
        self.assertEqual((quantity, method), ("VT", "1TCM"))

    def test_every_frame_of_a_map_lies_where_it_was_computed(self):
        grid = tinystudy.grid_of(tinystudy.PET_SHAPE, tinystudy.PET_MM)
        values = np.random.default_rng(1).uniform(1, 9, grid.shape).astype(np.float32)
        values[2, 3, 4] = np.nan
        context = read_context(self.study.parent / "pet", self.study.parent / "ct", WHEN)
        found = map_object(
            context, VisitMaps("p", "s", ParametricMaps("Logan", {"VT": values}, {}, {}, None), grid, ())
        )
        stored = np.frombuffer(found.FloatPixelData, "<f4").reshape(grid.shape)
        seen = set()
        for frame, plane in zip(found.PerFrameFunctionalGroupsSequence, stored, strict=True):
            i, j, k = grid.to_ijk(np.array(frame.PlanePositionSequence[0].ImagePositionPatient, dtype=float))
            np.testing.assert_allclose((i, j, k), (0, 0, round(k)), atol=1e-6)
            np.testing.assert_array_equal(plane, np.nan_to_num(values[round(k)], nan=PADDING_VT))
            seen.add(round(k))
        self.assertEqual(seen, set(range(len(values))))
        mapping = found.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
        self.assertEqual(mapping.DoubleFloatRealWorldValueFirstValueMapped, float(np.nanmin(values)))
        self.assertEqual(found.FloatPixelPaddingValue, PADDING_VT)

    def test_same_moment_gives_the_same_bytes_and_another_one_other_objects(self):
        again, later = self.folder / "again", self.folder / "later"
        write_dicom(again, self.results, self.record, WHEN)
        write_dicom(later, self.results, self.record, WHEN.replace(second=6))
        for name in OBJECTS:
            self.assertEqual((again / f"{name}.dcm").read_bytes(), (self.out / f"{name}.dcm").read_bytes(), name)
            other = pydicom.dcmread(later / f"{name}.dcm")
            self.assertNotEqual(other.SOPInstanceUID, self.objects[name].SOPInstanceUID)
            self.assertNotEqual(other.SeriesInstanceUID, self.objects[name].SeriesInstanceUID)
        self.assertEqual(
            pydicom.dcmread(later / "seg.dcm").SegmentSequence[0].TrackingUID,
            self.objects["seg"].SegmentSequence[0].TrackingUID,
        )

    @unittest.skipUnless(shutil.which("dciodvfy"), "dciodvfy (dicom3tools) is not installed")
    def test_standard_is_kept(self):
        for name in OBJECTS:
            told = subprocess.run(["dciodvfy", self.out / f"{name}.dcm"], capture_output=True, text=True, check=False)
            lines = (told.stderr + told.stdout).splitlines()
            self.assertEqual([line for line in lines if line.startswith("Error")], [], name)
            kinds = {"seg": "Segmentation", "vt-map": "ParametricMap", "rtstruct": "RTStructureSet"}
            self.assertIn(kinds.get(name, "Comprehensive3DSR"), lines)  # or nothing was verified

    def test_any_grid_is_kept_exactly(self):
        """Oblique, left-handed, of its own spacing and not the CT's."""
        turn = np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
        matrix = turn @ np.diag([0.7, 0.9, -1.3, 1.0])
        matrix[:3, 3] = [-12.345678, 3.25, 101.1]
        grid = Grid((7, 6, 5), matrix)
        mask = np.zeros(grid.shape, dtype=bool)
        mask[2, 1, 3] = mask[4, 5, 0] = mask[4, 5, 1] = True
        context = read_context(self.study.parent / "pet", self.study.parent / "ct", WHEN)
        path = self.folder / "own-grid.dcm"
        segmentation_object(context, Segmentation(grid, (Segment("a", "Ohr α", mask),))).dataset.save_as(path)
        found = read_segmentation(path)
        self.assertEqual(found.segments[0].name, "Ohr α")
        np.testing.assert_allclose(places(found.segments[0].mask, found.grid), places(mask, grid), atol=1e-6)
        skewed = Grid((7, 6, 5), matrix @ np.array([[1, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
        with self.assertRaises(InputRefused) as caught:
            segmentation_object(context, Segmentation(skewed, (Segment("a", "a", mask),)))
        self.assertEqual(caught.exception.code, "dicom-grid")

    def test_moved_or_changed_sources_are_refused(self):
        copy = self.folder / "copy" / "deeper"
        shutil.copytree(self.results, copy)
        self.assertEqual(self.refusal(copy), "dicom-source")  # its relative path leads nowhere
        (copy / "source.json").unlink()
        self.assertEqual(self.refusal(copy), "dicom-source")
        inputs = [entry | {"sha256": "0" * 64} for entry in self.record.provenance["inputs"]]
        changed = replace(self.record, provenance={**self.record.provenance, "inputs": inputs})
        self.assertEqual(self.refusal(self.results, changed), "dicom-source-changed")

    def refusal(self, results, record=None):
        with self.assertRaises(InputRefused) as caught:
            study_of_results(results, record or self.record)
        return caught.exception.code


class HeadersTest(Folder):
    """What files say that standard and patience do not foresee."""

    def context(self, edit, with_ct=True):
        study = DicomVisit(edit=edit, with_ct=with_ct).write(self.folder / "visit")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # absurd values on purpose
            return read_context(study.parent / "pet", study.parent / "ct" if with_ct else None, WHEN)

    def test_names_in_any_script_and_broken_values(self):
        def edit(header):
            header.SpecificCharacterSet = "ISO_IR 192"
            header.PatientName, header.PatientSex = "Lefèvre^Zoë=山田^太郎", "unknown"
            header.PatientBirthDate, header.StudyTime = "196", "half past"
            del header.AccessionNumber

        name = "Höhle " + "x" * 90
        regions = tinystudy.segmentation((LEFT, RIGHT, name))
        context = self.context(edit)
        path = self.folder / "seg.dcm"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            segmentation_object(context, regions).dataset.save_as(path)
            warnings.simplefilter("ignore")  # pydicom counts 64 bytes where the standard counts characters
            found = pydicom.dcmread(path)
            label = found.SegmentSequence[2].SegmentLabel
        self.assertEqual(str(found.PatientName), "Lefèvre^Zoë=山田^太郎")
        self.assertEqual((found.PatientSex, found.PatientBirthDate, found.AccessionNumber), ("", "", ""))
        self.assertEqual(label, plain_name(name)[:64])

    def test_ct_of_another_study_or_space_is_refused(self):
        for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):

            def edit(header, keyword=keyword):
                if header.Modality == "CT":
                    setattr(header, keyword, "1.2.3.4")

            with self.subTest(keyword), self.assertRaises(InputRefused) as caught:
                self.context(edit)
            self.assertEqual(caught.exception.code, "dicom-study")
            shutil.rmtree(self.folder / "visit")

    def test_without_a_ct_regions_refer_to_the_pet(self):
        context = self.context(None, with_ct=False)
        dataset = segmentation_object(context, tinystudy.segmentation()).dataset
        self.assertEqual(dataset.ReferencedSeriesSequence[0].SeriesInstanceUID, context.pet[0].SeriesInstanceUID)

    def test_one_enhanced_file_is_referred_to_as_a_whole(self):
        header, activity = AcquisitionEnhancedTest.enhanced(PetPlan(shape=(3, 4, 5)))
        header.FrameOfReferenceUID = "1.2.3.5"
        AcquisitionEnhancedTest.save(header, self.folder / "pet.dcm")
        context = read_context(self.folder / "pet.dcm", None, WHEN)
        grid = tinystudy.grid_of((3, 4, 5), (2.5, 2.0, 3.0))
        mask = np.zeros(grid.shape, dtype=bool)
        mask[1:, 2, 3] = True
        dataset = segmentation_object(context, Segmentation(grid, (Segment("a", LEFT, mask),))).dataset
        referred = dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence
        self.assertEqual([one.ReferencedSOPInstanceUID for one in referred], ["1.2.3.4"])
        fitted = ParametricMaps("1TCM", {"VT": activity[-1].astype(np.float32)}, {}, {}, None)
        values = map_object(context, VisitMaps("p", "s", fitted, grid, ()))
        self.assertEqual(values.NumberOfFrames, 3)
        self.assertEqual(values.FrameOfReferenceUID, "1.2.3.5")

    def test_frames_that_are_series_of_their_own_cannot_be_referred_to_by_one(self):
        """Nor can those that lost the name of their series: read they are all the same."""
        for of_frame in ("1.2.3.{}", ""):

            def edit(header, frame, _, of_frame=of_frame):
                header.FrameOfReferenceUID, header.SeriesInstanceUID = "1.2.3", of_frame.format(frame)
                header.SeriesType, header.NumberOfTimeSlices = ["DYNAMIC", "IMAGE"], None

            shutil.rmtree(self.folder / "pet", ignore_errors=True)
            write_pet(self.folder / "pet", PetPlan(edit=edit))
            self.assertEqual(len(pet_series(self.folder / "pet").slices), 15)
            with self.assertRaises(InputRefused) as caught:
                read_context(self.folder / "pet", None, WHEN)
            self.assertEqual(caught.exception.code, "dicom-source")

    def test_images_that_are_no_dicom_are_refused(self):
        with self.assertRaises(InputRefused) as caught:
            read_context(self.folder / "pet.nii.gz", None, WHEN)
        self.assertEqual(caught.exception.code, "dicom-source")


if __name__ == "__main__":
    unittest.main()
