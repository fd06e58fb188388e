"""A CT is read as HU, an MR as MR signal, and what may be either is asked for: by every road into the program."""

import json
import re
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from support import dicommaker
from support.tinystudy import CT_MM, CT_SHAPE, PET_MM, PET_SHAPE, DicomVisit, grid_of, quiet, write_bids_visit
from support.visitrecords import visit
from TSPOQuantLib.acquisition.bids_anatomy import one_lattice
from TSPOQuantLib.acquisition.dicom import read_anatomical, read_ct
from TSPOQuantLib.acquisition.image import HU, MR_SIGNAL
from TSPOQuantLib.acquisition.inspect import inspect
from TSPOQuantLib.alignment.rigid import to_sitk
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.comparability import findings_of
from TSPOQuantLib.outcome.compare import compare
from TSPOQuantLib.outcome.compared_items import attenuation_source
from TSPOQuantLib.pipeline.quantification import quantify_study
from TSPOQuantLib.reporting.fused_files import read_fused_images
from TSPOQuantLib.reporting.report import report_document
from TSPOQuantLib.reporting.report_html import html
from TSPOQuantLib.reporting.visit_files import write_visit
from TSPOQuantLib.study import read_study, study_of_bids

RANDOM = np.random.default_rng(4)


def body(shape=CT_SHAPE):
    """A CT in HU: air at the edges, soft tissue with fat, and a piece of bone."""
    values = np.full(shape, -1000.0)
    values[:, 4:-4, 4:-4] = RANDOM.normal(40, 30, values[:, 4:-4, 4:-4].shape)
    values[:, 6:8, 6:-6], values[:, 9:12, 9:12] = -100, 700
    return values.round()


HOUNSFIELD = body()
MAGNITUDE = RANDOM.gamma(2.0, 200.0, CT_SHAPE).round()
PHASE = RANDOM.integers(-4096, 4096, CT_SHAPE).astype(float)
NORMALIZED = RANDOM.normal(0, 1, CT_SHAPE)
STORED_WITH_OFFSET = HOUNSFIELD + 1024


class Folder(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def written(self, values, says=None, name="image.nii.gz"):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        sitk.WriteImage(to_sitk(values, grid_of(CT_SHAPE, CT_MM)), str(path))
        if says is not None:
            path.with_name(name.split("/")[-1].split(".")[0] + ".json").write_text(json.dumps(says))
        return path

    def refused(self, code, work, *arguments):
        with self.assertRaises(InputRefused) as caught:
            work(*arguments)
        self.assertEqual(caught.exception.code, code)
        return caught.exception.message


class VolumeFileTest(Folder):
    def test_what_a_file_says_holds(self):
        for says, values, units in (
            ({"Modality": "MR"}, MAGNITUDE, MR_SIGNAL),
            ({"Modality": "mr"}, HOUNSFIELD, MR_SIGNAL),
            ({"EchoTime": 0.01, "MagneticFieldStrength": 3}, MAGNITUDE, MR_SIGNAL),
            ({"Modality": "CT"}, MAGNITUDE, HU),
            ({"Modality": "CT"}, HOUNSFIELD, HU),
        ):
            for name in ("image.nii.gz", "image.nii", "image.nrrd", "image.mha"):
                found = read_anatomical(self.written(values, says, name))
                self.assertEqual(found.units, units, (says, name))
                np.testing.assert_allclose(found.values, values, atol=1e-3)
                self.assertEqual([n.code for n in found.notices], ["anatomy-mr"] if units == MR_SIGNAL else [])

    def test_a_file_that_says_nothing_is_a_ct_only_where_its_values_are_hu(self):
        self.assertEqual(read_anatomical(self.written(HOUNSFIELD)).units, HU)
        self.assertEqual(read_anatomical(self.written(HOUNSFIELD, {"Manufacturer": "Nobody"})).units, HU)
        for values in (MAGNITUDE, PHASE, NORMALIZED, STORED_WITH_OFFSET, np.zeros(CT_SHAPE), -PHASE.clip(0)):
            said = self.refused("anatomy-unlabeled", read_anatomical, self.written(values, name="bare.nii.gz"))
            self.assertIn('[ct] modality = "CT" or "MR"', said)
            self.refused("anatomy-unlabeled", read_anatomical, self.written(values, name="bare.mha"))

    def test_values_above_the_offset_are_no_hu_whatever_is_said(self):
        unsigned = np.where(HOUNSFIELD < 0, HOUNSFIELD + 65536, HOUNSFIELD)
        for values, word in ((STORED_WITH_OFFSET, "offset"), (HOUNSFIELD + 1000, "offset"), (unsigned, "unsigned")):
            path = self.written(values, {"Modality": "CT"}, "stored.nii.gz")
            self.assertIn(word, self.refused("ct-units", read_anatomical, path))
            self.assertIn(word, self.refused("ct-units", read_anatomical, self.written(values, name="bare.mha"), "CT"))

    def test_what_the_study_says_fills_the_gap_and_contradicts_nothing(self):
        bare, hounsfield = self.written(MAGNITUDE, name="bare.nii"), self.written(HOUNSFIELD, name="hu.nii")
        self.assertEqual(read_anatomical(bare, "MR").units, MR_SIGNAL)
        self.assertEqual(read_anatomical(bare, "CT").units, HU)
        self.assertEqual(read_anatomical(hounsfield, "CT").units, HU)
        self.refused("anatomy-modality", read_anatomical, hounsfield, "MR")
        mr = self.written(MAGNITUDE, {"Modality": "MR"}, "mr.nii")
        ct = self.written(HOUNSFIELD, {"Modality": "CT"}, "ct.nii")
        self.assertIn("mr.nii was given as CT, but is MR", self.refused("anatomy-modality", read_anatomical, mr, "CT"))
        self.refused("anatomy-modality", read_anatomical, ct, "MR")
        self.refused("ct-none", read_ct, mr)
        pet = self.written(HOUNSFIELD, {"Modality": "PT"}, "pt.nii")
        self.assertIn("PT", self.refused("anatomy-modality", read_anatomical, pet))

    def test_a_sidecar_is_inherited_as_bids_has_it(self):
        (self.folder / "dataset_description.json").write_text("{}")
        (self.folder / "T1w.json").write_text(json.dumps({"Modality": "MR"}))
        path = self.written(MAGNITUDE, name="sub-1/anat/sub-1_T1w.nii.gz")
        self.assertEqual(read_anatomical(path).units, MR_SIGNAL)

    def test_inspect_names_what_it_is(self):
        for says, values, kind in (
            ({"Modality": "MR"}, MAGNITUDE, "mr"),
            (None, HOUNSFIELD, "ct"),
            (None, MAGNITUDE, "other"),
        ):
            path = self.written(values, says, f"{kind}.nii.gz")
            self.assertEqual(inspect(path)["series"][0]["kind"], kind)


class DicomTest(Folder):
    def test_an_mr_is_read_where_there_is_no_ct(self):
        truth = dicommaker.write_mr(self.folder / "mr")
        found = read_anatomical(self.folder / "mr")
        np.testing.assert_array_equal(found.values, truth)
        self.assertEqual((found.units, [n.code for n in found.notices]), (MR_SIGNAL, ["anatomy-mr"]))
        self.refused("ct-none", read_anatomical, self.folder / "mr", "CT")
        self.refused("ct-none", read_ct, self.folder / "mr")

    def test_philips_scales_each_slice(self):
        def edit(header, frame, k):
            header.RescaleSlope, header.RescaleIntercept, header.RescaleType = str(2 + k), "5", "normalized"

        truth = dicommaker.write_mr(self.folder / "mr", dicommaker.PetPlan(edit=edit))
        slope = np.array([2, 3, 4])[:, None, None]
        np.testing.assert_array_equal(read_anatomical(self.folder / "mr").values, slope * truth + 5)

    def test_of_both_the_ct_is_taken_unless_the_mr_is_asked_for(self):
        dicommaker.write_mr(self.folder / "mr")
        dicommaker.write_ct(self.folder / "ct")
        self.assertEqual(read_anatomical(self.folder).units, HU)
        self.assertEqual(read_anatomical(self.folder, "MR").units, MR_SIGNAL)
        self.refused("mr-none", read_anatomical, self.folder / "ct", "MR")
        dicommaker.write_mr(self.folder / "again", dicommaker.PetPlan(seed=9))
        self.refused("mr-several", read_anatomical, self.folder, "MR")
        kinds = sorted(one["kind"] for one in inspect(self.folder)["series"])
        self.assertEqual(kinds, ["ct", "mr", "mr"])


class StudyTest(Folder):
    def study(self, anatomical, more=""):
        text = DicomVisit().write(self.folder / "visit").read_text(encoding="utf-8")
        study = self.folder / "visit" / "study.toml"
        study.write_text(text.replace('[ct]\npath = "ct"\n', anatomical).replace("[segmentation]", more, 1))
        return study

    def test_the_table_mr_says_that_it_is_one(self):
        path = self.written(MAGNITUDE, name="visit/t1.nii.gz")
        path.parent.rename(self.folder / "kept")
        study = self.study('[mr]\npath = "../kept/t1.nii.gz"\n', "[segmentation]")
        self.assertEqual(read_study(study).settings.anatomical_modality, "MR")
        both = study.read_text(encoding="utf-8") + '[ct]\npath = "ct"\n'
        study.write_text(both)
        self.assertIn("left out: [ct] path", self.refused("study-value", read_study, study))

    def test_an_mr_given_as_ct_is_an_mr_all_the_way(self):
        path = self.written(MAGNITUDE, {"Modality": "MR"}, "kept/t1.nii.gz")
        study = self.study(f'[ct]\npath = "{path}"\n', '[segmentation]\npvc = "GTM"')
        study.write_text(study.read_text().replace("[pet]", "[pet]\nfwhm_mm = 5"))
        code, told = quiet("quantify", study, "--out", self.folder / "out")
        self.assertEqual(code, 0, told)
        self.assertIn("t1.nii.gz is an MR", told)
        self.assertIn("without one all that was not drawn", " ".join(told.split()))
        names = " ".join(file.name for file in (self.folder / "out").iterdir())
        self.assertIn("_desc-neck_mr.nii.gz", names)
        self.assertNotIn("ct.nii.gz", names)
        np.testing.assert_allclose(read_fused_images(self.folder / "out").ct.values.max(), MAGNITUDE.max())
        record = json.loads((self.folder / "out" / "visit.json").read_text())
        self.assertEqual(record["acquisition"]["anatomy"], "MR")

    def test_no_resolution_is_told_from_an_mr(self):
        path = self.written(MAGNITUDE, name="kept/t1.nii.gz")
        study = self.study(f'[mr]\npath = "{path}"\n', '[segmentation]\npvc = "GTM"')
        study.write_text(study.read_text().replace("[pet]", '[pet]\nfwhm_mm = "estimate"'))
        code, told = quiet("quantify", study, "--out", self.folder / "out")
        self.assertEqual(code, 3)
        self.assertIn("resolution-ct", told)

    def test_an_unlabeled_one_is_asked_for(self):
        path = self.written(MAGNITUDE, name="kept/t1.nii.gz")
        study = self.study(f'[ct]\npath = "{path}"\n', "[segmentation]")
        code, told = quiet("quantify", study, "--out", self.folder / "out")
        self.assertEqual((code, "anatomy-unlabeled" in told), (3, True), told)
        study.write_text(study.read_text().replace("[ct]\n", '[ct]\nmodality = "MR"\n'))
        self.assertEqual(quiet("quantify", study, "--out", self.folder / "out")[0], 0)


class BidsTest(Folder):
    """Which image in anat/ the regions were drawn on is told by their voxels."""

    def setUp(self):
        super().setUp()
        self.dataset = self.folder / "bids"
        write_bids_visit(self.dataset, "1", "baseline")  # its regions lie on the grid of CT_SHAPE

    def study(self):
        return study_of_bids(self.dataset, "1", "baseline", None)

    def image(self, name, values=MAGNITUDE, mm=CT_MM):
        path = self.dataset / "sub-1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(to_sitk(values, grid_of(CT_SHAPE, mm)), str(path))
        return path

    def test_the_mr_whose_voxels_the_regions_have(self):
        self.assertIsNone(self.study().ct)
        self.image("ses-baseline/anat/sub-1_ses-baseline_T2w.nii.gz", mm=(1.0, 1.0, 1.0))
        self.assertEqual([one.code for one in self.study().notices], ["bids-anatomy"])
        mr = self.image("ses-baseline/anat/sub-1_ses-baseline_T1w.nii.gz")
        study = self.study()
        self.assertEqual((study.ct, study.settings.anatomical_modality, study.notices), (mr, "MR", ()))
        self.assertIn(mr, study.files)

    def test_of_several_the_one_that_the_regions_name(self):
        names = [f"anat/sub-1_{kind}.nii.gz" for kind in ("T1w", "T2w")]
        images = [self.image(name) for name in names]
        self.image("anat/sub-1_desc-neck_dseg.nii.gz")
        self.refused("bids-anatomy", self.study)
        (drawn,) = self.dataset.rglob("*_regions.seg.nrrd")
        drawn.rename(drawn.with_name("sub-1_ses-baseline_space-T2w_regions.seg.nrrd"))
        self.assertEqual(self.study().ct, images[1])

    def test_regions_on_the_pet_s_own_voxels_stay_there(self):
        self.image("anat/sub-1_T1w.nii.gz")
        (drawn,) = self.dataset.rglob("*_regions.seg.nrrd")
        drawn.unlink()
        labels = np.ones(PET_SHAPE, np.uint8)
        path = drawn.with_name("sub-1_ses-baseline_dseg.nii.gz")
        sitk.WriteImage(sitk.Cast(to_sitk(labels, grid_of(PET_SHAPE, PET_MM)), sitk.sitkUInt8), str(path))
        self.assertEqual((self.study().ct, self.study().notices), (None, ()))

    def test_a_cropped_or_turned_piece_is_of_the_same_lattice(self):
        whole = grid_of(CT_SHAPE, CT_MM)
        matrix = whole.ijk_to_lps.copy()
        matrix[:3, 3] = whole.to_lps(np.array([3.0, 2.0, 1.0]))
        piece = Grid((4, 5, 6), matrix)
        self.assertTrue(one_lattice(piece, whole))
        turned = matrix.copy()
        turned[:3, 3] = piece.to_lps(np.array([5.0, 0.0, 0.0]))
        turned[:3, 0] *= -1
        self.assertTrue(one_lattice(Grid((4, 5, 6), turned), whole))
        for off in ((0.5, 0, 0), (0, 0, 40)):
            moved = matrix.copy()
            moved[:3, 3] = whole.to_lps(np.array([3.0, 2.0, 1.0]) + off)
            self.assertFalse(one_lattice(Grid((4, 5, 6), moved), whole), off)
        self.assertFalse(one_lattice(Grid((4, 5, 6), matrix @ np.diag([0.5, 0.5, 0.5, 1])), whole))

    def test_a_visit_names_the_mr_everywhere(self):
        """The report in two languages, settings and names of files; a sentence may say CT where it says MR, too."""
        self.image("anat/sub-1_T1w.nii.gz")
        study = self.study()
        study = replace(study, settings=replace(study.settings, motion_correction="none", models=("1TCM",)))
        found = quantify_study(study)
        out = self.folder / "out"
        out.mkdir()
        write_visit(out, found)
        self.assertEqual(found.record.acquisition.anatomy, "MR")
        self.assertFalse([file.name for file in out.rglob("*") if "ct" in file.name.lower().split(".")[0].split("_")])
        regions = [replace(one, mean=tuple(0.9 * value for value in one.mean)) for one in found.record.regions]
        later = replace(found.record, session="later", regions=tuple(regions))
        later = replace(later, acquisition=replace(later.acquisition, time_zero_at=None))
        twice = [found.record, later]
        for lang, wrong in (("en", r"\bCT\b"), ("fr", r"\bTDM\b")):
            page = html(report_document(compare(twice, accept=["visits-blood-same"]), [], lang))
            self.assertIn("anatom", page)  # the error budget's own sentence
            said = [line for line in re.sub(r"<[^>]*>", "\n", page).splitlines() if re.search(wrong, line)]
            self.assertFalse([one for one in said if not re.search(r"\b(MR|IRM)\b", one)], said)
            self.assertNotIn("[ct]", page)


class AttenuationTest(unittest.TestCase):
    def finding(self, *told):
        visits = [visit("baseline"), visit("followup")]
        made = [
            replace(one, acquisition=replace(one.acquisition, attenuation=says, anatomy=anatomy))
            for one, (says, anatomy) in zip(visits, told, strict=True)
        ]
        return {one.code: one.severity for one in findings_of(made)}

    def test_what_scanners_write(self):
        for told, source in (
            ("measured,AC_CT_Brain", "CT"),
            ("CT-derived mu-map", "CT"),
            ("MR-based DIXON", "MR"),
            ("MRAC ZTE", "MR"),
            ("measured,, 0.096000 cm-1,", ""),
            ("NONE", ""),
        ):
            self.assertEqual(attenuation_source(told), source, told)

    def test_a_map_from_mr_does_not_compare_with_one_from_ct(self):
        self.assertEqual(self.finding(("CTAC", "CT"), ("MR DIXON", "MR"))["visits-attenuation"], "refuse")
        self.assertEqual(self.finding(("CTAC", "CT"), ("MR DIXON", "MR"))["visits-anatomy"], "warn")
        self.assertEqual(self.finding(("MR DIXON", "MR"), ("MR UTE", "MR"))["visits-attenuation"], "warn")
        self.assertNotIn("visits-attenuation", self.finding(("CTAC", "CT"), ("CTAC", "CT")))
        told = self.finding((None, None), (None, None))
        self.assertFalse({"visits-attenuation", "visits-anatomy"} & set(told))


if __name__ == "__main__":
    unittest.main()
