"""``propose`` and ``regions compare``: what they write, print and refuse."""

import contextlib
import io
import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
from support.realdata import DATA, needs_data
from TSPOQuantLib.acquisition.segmentation import Segmentation
from TSPOQuantLib.acquisition.segmentation_files import read_segmentation, write_segmentation
from TSPOQuantLib.cli import main
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.levels import SIZES_MM
from TSPOQuantLib.regions.canal import Canal
from TSPOQuantLib.regions.foramen import canal_axes
from TSPOQuantLib.regions.region import regions_of
from TSPOQuantLib.regions.template import foramen_segment

NECK = DATA / "necks" / "vhf_neck"


def run(*arguments):
    """Exit code, standard output and standard error of one command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()


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
        with tempfile.TemporaryDirectory() as name:
            for labels, out, expected in (
                (NECK / "segmentations", "regions.nii.gz", "output-name"),
                (NECK, "regions.seg.nrrd", "segmentation-folder"),
                (DATA / "necks" / "verse_sample" / "sub-verse004_seg-vert_msk.nii.gz", "r.seg.nrrd", "regions-none"),
            ):
                with self.subTest(expected):
                    where = ("--labels", labels, "--out", Path(name) / out)
                    code, _, err = run("propose", NECK / "ct.nii.gz", *where)
                    self.assertEqual(code, 3)
                    self.assertIn(expected, err)
                    self.assertEqual(list(Path(name).iterdir()), [])


if __name__ == "__main__":
    unittest.main()
