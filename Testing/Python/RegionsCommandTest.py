"""``propose`` and ``regions compare``: what they write, print and refuse."""

import json
import shutil
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import SimpleITK as sitk
from support import checkout  # noqa: F401
from support.commandline import run
from support.realdata import DATA, needs_data
from support.tiers import slow
from support.tinystudy import LEFT, RIGHT, DicomVisit
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.acquisition.segmentation_files import read_segmentation, write_segmentation
from TSPOQuantLib.commands import regions
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.levels import SIZES_MM
from TSPOQuantLib.regions.canal import Canal
from TSPOQuantLib.regions.foramen import canal_axes
from TSPOQuantLib.regions.region import regions_of
from TSPOQuantLib.regions.template import foramen_segment

from tools.validation.regions import labeled, neck
from tools.validation.shapes import LEVELS, middle_grid

NECK = DATA / "necks" / "vhf_neck"


def drawn(shift_mm):
    """C5/C6 on both sides, moved along its canals."""
    matrix = np.eye(4)
    matrix[:3, 3] = -30.0
    grid = Grid((60, 60, 60), matrix)
    segments = []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        axes = canal_axes(sign)
        center = np.array([sign * 13.0, 0.0, 0.0]) + shift_mm * axes[:, 0]
        segments.append(foramen_segment("C5/C6", side, Canal(center, axes, 5.0, *SIZES_MM["C5/C6"]).mask(grid)))
    return Segmentation(grid, tuple(segments))


class CompareTest(unittest.TestCase):
    def test_a_shift_along_the_canal(self):
        with tempfile.TemporaryDirectory() as name:
            files = [Path(name) / f"{letter}.seg.nrrd" for letter in "ab"]
            for path, shift in zip(files, (0.0, 2.0), strict=True):
                write_segmentation(path, drawn(shift))
            code, out, err = run("regions", "compare", *files, "--json")
            self.assertEqual(code, 0, err)
            told = json.loads(out)
            self.assertEqual(len(told["regions"]), 2)
            for row in told["regions"]:
                self.assertAlmostEqual(row["along_mm"], 2.0, delta=0.4)
                self.assertLess(row["across_mm"], 0.6)
                self.assertTrue(0.4 < row["dice"] < 0.75)
            self.assertAlmostEqual(told["placement_mm"], 2.0 / np.sqrt(6), delta=0.15)
            code, out, _ = run("regions", "compare", files[0], files[0])
            self.assertEqual(code, 0)
            self.assertIn("1.00", out)

    def test_left_and_right_swapped_are_told(self):
        with tempfile.TemporaryDirectory() as name:
            files = [Path(name) / f"{letter}.seg.nrrd" for letter in "abc"]
            good = drawn(0.0)
            left, right = good.segments
            swapped = replace(left, mask=right.mask), replace(right, mask=left.mask)
            for path, segments in zip(files, (good.segments, drawn(2.0).segments, swapped), strict=True):
                write_segmentation(path, replace(good, segments=segments))
            for other, told in ((files[1], False), (files[2], True)):
                code, _, err = run("regions", "compare", files[0], other)
                self.assertEqual((code, "sides-swapped" in err), (0, told), err)

    def test_segmentations_of_two_images_are_refused(self):
        with tempfile.TemporaryDirectory() as name:
            files = [Path(name) / f"{letter}.seg.nrrd" for letter in "ab"]
            first = drawn(0.0)
            matrix = first.grid.ijk_to_lps.copy()
            matrix[2, 3] += 300.0
            write_segmentation(files[0], first)
            write_segmentation(files[1], replace(first, grid=Grid(first.grid.shape, matrix)))
            code, _, err = run("regions", "compare", *files)
            self.assertEqual(code, 3)
            self.assertIn("regions-apart", err)


class CompareWithStudyTest(unittest.TestCase):
    def test_what_a_moved_region_does_to_vt(self):
        with tempfile.TemporaryDirectory() as name:
            study = DicomVisit(names=(LEFT, RIGHT)).write(Path(name) / "visit")
            first = study.parent / "regions.seg.nrrd"
            drawn = read_segmentation(first)
            left, right = drawn.segments
            # As another reader names it, and half of it moved to the other half of the neck, whose V_T is half.
            moved = Segment(left.id, "C6-C7 left", np.roll(left.mask, -6, axis=2))
            second = Path(name) / "second.seg.nrrd"
            write_segmentation(second, Segmentation(drawn.grid, (moved, right)))
            code, out, err = run("regions", "compare", first, second, study, "--json")
            self.assertEqual(code, 0, err)
            told = {row["region"]: row for row in json.loads(out)["regions"]}
            self.assertAlmostEqual(told[LEFT]["distance_mm"], 12.0, delta=0.1)
            self.assertTrue(-0.35 < told[LEFT]["VT_change"] < -0.15, told[LEFT])
            self.assertAlmostEqual(told[RIGHT]["VT_change"], 0.0, delta=1e-9)


@slow
class StudyTest(unittest.TestCase):
    """A study.toml with a PET, on a part of a simulated neck."""

    def test_regions_and_blood_pool_of_a_study(self):
        anatomy, ct = neck(3, grid=middle_grid())
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            study = DicomVisit(with_ct=False).write(folder / "visit")
            image = sitk.GetImageFromArray(ct.values)
            image.SetSpacing(ct.grid.spacing_mm)
            image.SetOrigin(ct.grid.ijk_to_lps[:3, 3].tolist())
            sitk.WriteImage(image, str(folder / "ct.nii.gz"))
            write_segmentation(folder / "labels.seg.nrrd", labeled(anatomy, 3))
            told = '[ct]\npath = "../ct.nii.gz"\nmodality = "CT"\n'
            study.write_text(told + study.read_text(encoding="utf-8"), encoding="utf-8")
            (study.parent / "regions.seg.nrrd").unlink()  # it is what is to be made
            out = folder / "proposed.seg.nrrd"
            code, text, err = run("propose", study, "--labels", folder / "labels.seg.nrrd", "--out", out, "--json")
            self.assertEqual(code, 0, err)
            rows = {row["region"]: row for row in json.loads(text)["regions"]}
            proposed = {name for name, row in rows.items() if row["proposed"]}
            true = {f.name: f.center_lps_mm for f in anatomy.foramina if f.level in LEVELS}
            self.assertLessEqual(set(true), proposed)
            for name, center in true.items():
                self.assertLess(np.linalg.norm(np.array(rows[name]["center_lps_mm"]) - center), 2)
            self.assertLessEqual({"cord C5", "cord C6"}, proposed)
            # No bolus reaches the few voxels of this PET.
            self.assertEqual((rows["blood pool"]["proposed"], rows["blood pool"]["code"]), (False, "blood-pool"))
            self.assertTrue(rows["blood pool"]["reason"])
            self.assertEqual({one.name for one in regions_of(read_segmentation(out))}, proposed)

    def test_what_a_study_says_is_checked(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            study = DicomVisit().write(folder / "visit")
            text = study.read_text(encoding="utf-8")
            elsewhere = DicomVisit(edit=lambda header: setattr(header, "PatientID", "another")).write(folder / "other")
            for changed, code in (
                (text.replace('[pet]\npath = "pet"', 'pet = "pet"'), "study-key"),
                (text.replace('path = "pet"', 'pth = "pet"'), "study-key"),
                (text.replace('path = "ct"', 'path = "ct"\nmodality = "PT"'), "study-value"),
                (text.replace("[pet]\n", "[pet]\nfwhm_mm = true\n"), "study-value"),
                (text.replace('"pet"', f'["{elsewhere.parent}/pet"]'), "patients-differ"),
            ):
                with self.subTest(code=code, changed=changed):
                    study.write_text(changed, encoding="utf-8")
                    status, _, err = run("propose", study, "--labels", study, "--out", folder / "r.seg.nrrd")
                    self.assertEqual((status, f"error: {code}" in err), (3, True), err)

    def test_a_study_without_a_ct(self):
        with tempfile.TemporaryDirectory() as name:
            study = Path(name) / "study.toml"
            study.write_text('[pet]\npath = "pet"\n', encoding="utf-8")
            code, _, err = run("propose", study, "--labels", study, "--out", Path(name) / "r.seg.nrrd")
            self.assertEqual(code, 3)
            self.assertIn("study-ct", err)


class WrittenTest(unittest.TestCase):
    def test_files_of_others_among_the_pictures_stay(self):
        found = SimpleNamespace(segmentation=drawn(0.0), proposals=(), ct=None)
        with tempfile.TemporaryDirectory() as name:
            out, pictures = Path(name) / "r.seg.nrrd", Path(name) / "r_pictures"
            regions._write(found, out, pictures, False)
            (pictures / "notes.txt").write_text("mine", encoding="utf-8")
            regions._write(found, out, pictures, True)
            self.assertEqual((pictures / "notes.txt").read_text(encoding="utf-8"), "mine")
            self.assertEqual({path.name for path in Path(name).iterdir()}, {out.name, pictures.name})

    def test_neither_inputs_nor_pictures_of_others_are_replaced(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            labels = folder / "labels.seg.nrrd"
            write_segmentation(labels, drawn(0.0))
            (folder / "neck_pictures").mkdir()
            (folder / "neck_pictures" / "mine.png").touch()
            for out, code in (("labels", "output-holds-input"), ("neck", "output-foreign")):
                where = ("--labels", labels, "--out", folder / f"{out}.seg.nrrd", "--force")
                status, _, err = run("propose", folder / "ct.nii.gz", *where)
                self.assertEqual((status, code in err), (3, True), err)
            self.assertTrue((folder / "neck_pictures" / "mine.png").exists())
            (folder / "folder.seg.nrrd").mkdir()
            where = ("--labels", labels, "--out", folder / "folder.seg.nrrd", "--force")
            status, _, err = run("propose", folder / "ct.nii.gz", *where)
            self.assertEqual((status, "error: output-exists" in err), (3, True), err)


@slow
@needs_data
class ProposeTest(unittest.TestCase):
    def test_a_ct_and_a_folder_of_masks(self):
        with tempfile.TemporaryDirectory() as name:
            out = Path(name) / "regions.seg.nrrd"
            arguments = ("propose", NECK / "ct.nii.gz", "--labels", NECK / "segmentations", "--out", out)
            code, text, err = run(*arguments, "--json")
            self.assertEqual(code, 0, err)
            rows = json.loads(text)["regions"]
            proposed = [row for row in rows if row["proposed"]]
            self.assertEqual(len(proposed), 6)
            self.assertTrue(all(row["code"] and row["reason"] for row in rows if not row["proposed"]))
            self.assertTrue(all(Path(row["picture"]).is_file() for row in proposed))
            regions = regions_of(read_segmentation(out))
            self.assertEqual({region.name for region in regions}, {row["region"] for row in proposed})
            self.assertTrue(all(region.placement_mm for region in regions))
            before = out.read_bytes()
            code, _, err = run(*arguments)
            self.assertEqual((code, out.read_bytes()), (3, before))
            self.assertIn("output-exists", err)

    def test_what_cannot_be_used(self):
        with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory() as alone:
            shutil.copy(
                NECK / "segmentations" / "vertebrae_C2.nii.gz", alone
            )  # there is no foramen without a neighbor
            for labels, out, expected in (
                (NECK / "segmentations", "regions.nii.gz", "output-name"),
                (NECK, "regions.seg.nrrd", "segmentation-folder"),
                (alone, "r.seg.nrrd", "regions-none"),
                (
                    DATA / "necks" / "verse_sample" / "sub-verse004_seg-vert_msk.nii.gz",
                    "r.seg.nrrd",
                    "labels-elsewhere",
                ),
            ):
                with self.subTest(expected):
                    where = ("--labels", labels, "--out", Path(name) / out)
                    code, _, err = run("propose", NECK / "ct.nii.gz", *where)
                    self.assertEqual(code, 3)
                    self.assertIn(expected, err)
                    self.assertEqual(list(Path(name).iterdir()), [])


if __name__ == "__main__":
    unittest.main()
