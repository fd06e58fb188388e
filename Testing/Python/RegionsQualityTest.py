"""What is objected to in drawn regions, and what the template and its names hold."""

import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydicom.sr import codedict
from TSPOQuantLib.acquisition.segmentation import Segmentation
from TSPOQuantLib.acquisition.segmentation_files import read_segmentation, write_segmentation
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.levels import SIZES_MM
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.regions.anatomy import Anatomy, identify
from TSPOQuantLib.regions.canal import Canal
from TSPOQuantLib.regions.measurements import MEASUREMENTS, measure, usual_mm3
from TSPOQuantLib.regions.quality import check
from TSPOQuantLib.regions.region import Region, region_of
from TSPOQuantLib.regions.template import CODES, name_of, template

GRID = Grid(
    (80, 60, 60), np.diag([1.0, 1.0, 1.0, 1.0]) + np.array([[0, 0, 0, -30.0]] * 2 + [[0, 0, 0, -40.0]] + [[0] * 4])
)
HEIGHTS_MM = {"C4/C5": 20.0, "C5/C6": 0.0, "C6/C7": -20.0}


def foramen(level, side, center, size=1.0):
    anatomy = Anatomy("foramen", level, side=side)
    height, width = SIZES_MM[level]
    canal = Canal(np.array(center), np.eye(3), 5.0 * size, height * size, width * size)
    return Region(name_of(anatomy), anatomy, canal.mask(GRID), GRID)


def cord():
    k, j, i = np.indices(GRID.shape)
    x = GRID.to_lps(np.stack([i, j, k], axis=-1).astype(float))
    return Region("cord C6", Anatomy("cord", "C6"), np.hypot(x[..., 0], x[..., 1]) < 5, GRID)


def good():
    sides = (("left", 14.0), ("right", -14.0))
    return [foramen(level, side, (x, -3.0, z)) for level, z in HEIGHTS_MM.items() for side, x in sides] + [cord()]


def codes(regions, pet=None):
    return [notice.code for notice in check(regions, pet)]


class QualityTest(unittest.TestCase):
    def test_good_regions_pass(self):
        self.assertEqual(codes(good()), [])

    def test_a_swap_and_one_wrong_side(self):
        swapped = [replace(r, grid=Grid(GRID.shape, np.diag([-1.0, 1, 1, 1]) @ r.grid.ijk_to_lps)) for r in good()]
        self.assertEqual(codes(swapped), ["sides-swapped"])
        one = [foramen("C4/C5", "left", (-14.0, -3.0, 20.0)), *good()[2:]]
        self.assertEqual(codes(one), ["side-wrong"])
        self.assertEqual(codes(good()[:-1]), ["side-unknown"])

    def test_levels_in_the_wrong_order(self):
        upside = [foramen("C4/C5", "left", (14.0, -3.0, -20.0)), foramen("C6/C7", "left", (14.0, -3.0, 20.0)), cord()]
        self.assertEqual(codes(upside), ["levels-order"])

    def test_overlap_size_and_distance(self):
        self.assertEqual(codes([*good(), Region("x", Anatomy("other"), good()[0].mask, GRID)]), ["regions-overlap"])
        self.assertEqual(codes([foramen("C5/C6", "left", (14.0, -3.0, 0.0), size=0.6), cord()]), ["region-size"])
        self.assertEqual(codes([foramen("C5/C6", "left", (27.0, 3.0, 0.0)), cord()]), ["cord-distance"])

    def test_a_forgotten_stroke(self):
        regions = good()
        mask = regions[0].mask.copy()
        away = np.argwhere(mask).mean(axis=0).round().astype(int)
        away[2] = 3 if away[2] > mask.shape[2] / 2 else mask.shape[2] - 4
        mask[away[0] - 1 : away[0] + 2, away[1] - 1 : away[1] + 2, away[2] - 1 : away[2] + 2] = True
        stroke = replace(regions[0], mask=mask)
        self.assertIn("region-pieces", codes([stroke, *regions[1:]]))
        self.assertNotIn("region-pieces", codes(regions))

    def test_a_size_that_is_not_published_is_not_checked_in_silence(self):
        lumbar = replace(foramen("C5/C6", "left", (14.0, -3.0, 0.0), size=0.6), anatomy=Anatomy("foramen", "L4/L5"))
        (notice,) = check([lumbar, cord()])
        self.assertEqual(notice.code, "size-unchecked")
        self.assertIn("L4/L5", notice.message)

    def test_the_end_of_the_field(self):
        matrix = np.diag([2.0, 2.0, 2.0, 1.0])
        matrix[:3, 3] = [-30, -30, -30]
        pet = Grid((60, 30, 30), matrix)
        self.assertEqual(codes([good()[4], cord()], pet).count("region-at-end"), 2)
        # The same voxels in coronal order, as some programs write them.
        coronal = Grid((30, 60, 30), matrix[:, [0, 2, 1, 3]])
        self.assertEqual(codes([good()[4], cord()], coronal).count("region-at-end"), 2)
        self.assertEqual(
            codes([good()[2], Region("y", Anatomy("other"), good()[3].mask, GRID)], pet), ["side-unknown"]
        )

    def test_regions_too_narrow_for_the_scanner(self):
        self.assertEqual([notice.code for notice in check(good(), None, 1.5)], [])
        (notice,) = check(good(), None, 4.0)
        self.assertEqual(notice.code, "region-resolution")
        self.assertIn("6 of 7 regions", notice.message)  # the cord is 10 mm wide


class MeasurementsTest(unittest.TestCase):
    def test_values_of_a_canal(self):
        matrix = np.diag([2.0, 2.0, 2.0, 1.0])
        matrix[:3, 3] = [-30.0, -30.0, -40.0]
        found = measure(good()[2], good(), Grid((40, 30, 30), matrix))
        self.assertAlmostEqual(found["volume_mm3"], found["voxel_count"])
        self.assertAlmostEqual(found["size_ratio"], found["volume_mm3"] / usual_mm3("C5/C6"))
        self.assertAlmostEqual(found["size_ratio"], 1, delta=0.15)
        self.assertAlmostEqual(found["cord_distance_mm"], 14.0 - 4.5, delta=0.6)
        # n equal weights give n: the canal covers its PET voxels by less than that.
        self.assertTrue(found["volume_mm3"] / 8 <= found["effective_voxels"] < found["voxel_count"])
        self.assertEqual(set(found), {one.key for one in MEASUREMENTS})

    def test_an_empty_region_has_no_place(self):
        empty = Region("x", Anatomy("foramen", "C5/C6", side="left"), np.zeros(GRID.shape, bool), GRID)
        self.assertEqual(measure(empty, good()), {"voxel_count": 0, "volume_mm3": 0, "volume_cm3": 0})


class TemplateTest(unittest.TestCase):
    def test_it_names_what_the_study_compares(self):
        names = [segment.name for segment in template("C6/C7", "left", GRID).segments]
        self.assertEqual(
            names,
            [
                "foramen C6/C7 left (root C7)",
                "foramen C6/C7 right (root C7)",
                "foramen C3/C4 left (root C4)",
                "foramen C3/C4 right (root C4)",
                "cord C7",
                "cord C4",
                "blood pool",
            ],
        )
        # Three levels above C4/C5 there is no foramen.
        self.assertEqual(len(template("C4/C5", "right", GRID).segments), 4)

    def test_what_a_segment_is_survives_a_file(self):
        drawn = template("C6/C7", "left", GRID)
        filled = [
            replace(s, mask=np.roll(foramen("C6/C7", "left", (0.0, 0, 0)).mask, n))
            for n, s in enumerate(drawn.segments)
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "regions.seg.nrrd"
            write_segmentation(path, Segmentation(GRID, tuple(filled)))
            back = read_segmentation(path)
        for before, after in zip(drawn.segments, back.segments, strict=True):
            self.assertEqual(after.tags, before.tags)
            self.assertEqual(region_of(after, GRID).anatomy, identify(before.name, before.tags))
            self.assertEqual(identify(before.name, {}).level, identify("", before.tags).level)

    def test_standard_codes_are_those_of_dicom(self):
        """As pydicom's dictionary of PS3.16 has them; what is of our own scheme says so."""
        known = {
            f"SCT^{code.value}^{code.meaning}" for code in (codedict.codes.SCT.SpinalCord, codedict.codes.SCT.Artery)
        }
        for structure, (category, kind) in CODES.items():
            with self.subTest(structure):
                self.assertTrue(kind in known or kind.startswith("99TSPOQUANT^"), kind)
                self.assertIn(category, ("SCT^123037004^Anatomical Structure", "SCT^85756007^Tissue"))
        volume = next(one for one in MEASUREMENTS if one.key == "volume_mm3")
        self.assertEqual(volume.quantity[:2], (codedict.codes.SCT.Volume.value, "SCT"))

    def test_refusals(self):
        for code, level, side in (("template-level", "C1/C2", "left"), ("template-side", "C6/C7", "both")):
            with self.subTest(code), self.assertRaises(InputRefused) as caught:
                template(level, side, GRID)
            self.assertEqual(caught.exception.code, code)


if __name__ == "__main__":
    unittest.main()
