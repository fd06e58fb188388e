"""Digital necks that are unlike the textbook's: what is drawn is what was asked for, and proposals hold or decline."""

import unittest

import numpy as np
from support import checkout  # noqa: F401
from support.tiers import slow
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.phantom import PhantomSettings
from TSPOQuantLib.phantom.anatomy import build_anatomy
from TSPOQuantLib.phantom.neck import FORAMEN_SIZE_MM, LABEL, Build, Pose, draw_pose
from TSPOQuantLib.phantom.segments import segment_numbers, segments
from TSPOQuantLib.phantom.shape import PLAIN, Shape, described, shape_of
from TSPOQuantLib.progress import silent
from TSPOQuantLib.regions.anatomy import Anatomy
from TSPOQuantLib.regions.canal import Canal
from TSPOQuantLib.regions.region import Region
from TSPOQuantLib.regions.whereabouts import check_places

from tools.validation.regions import labeled, neck
from tools.validation.shapes import middle_grid, proposals

LEFT = "foramen C5/C6 left (root C6)"


def around(center, size_mm, step_mm):
    count = round(size_mm / step_mm)
    matrix = np.diag([step_mm] * 3 + [1.0])
    matrix[:3, 3] = np.asarray(center) - step_mm * (count - 1) / 2
    return Grid((count, count, count), matrix)


def drawn(shape, center=None, size_mm=14.0, step_mm=0.5):
    """The reference neck of a shape, around the left foramen of C5/C6 or another place; and that foramen."""
    pose = draw_pose(1, "baseline", np.random.default_rng(0), shape)
    build = Build(shape=shape)
    true = {f.name: f for f in build_anatomy(around((0, 0, 0), 4, 2), build, pose, silent).foramina}[LEFT]
    place = true.center_lps_mm if center is None else center
    return build_anatomy(around(place, size_mm, step_mm), build, pose, silent), true


def mm3(anatomy, name):
    return anatomy.grid.voxel_volume_mm3 * np.count_nonzero(anatomy.labels == LABEL[name])


class SaidTest(unittest.TestCase):
    def test_what_is_said_is_what_is_drawn(self):
        said = "foramina=0.75, spurs=2,lean=-20,fused=C5/C6+C6/C7,missing=C4,contrast"
        shape = shape_of(said)
        expected = Shape(foramina=0.75, spurs=2, lean=-20, fused=("C5/C6", "C6/C7"), missing=("C4",), contrast=True)
        self.assertEqual(shape, expected)
        self.assertEqual(described(shape)["fused"], ["C5/C6", "C6/C7"])
        self.assertEqual((shape_of(""), described(PLAIN)), (PLAIN, {}))
        self.assertEqual(PhantomSettings(shape=said).neck_shape, shape)

    def test_what_cannot_be(self):
        for said in (
            "spurs=9",
            "spurs=x",
            "spurs=nan",
            "fused=C5",
            "missing=C5/C6",
            "metal=L4/L5",
            "big",
            "contrast=1",
        ):
            with self.subTest(said), self.assertRaises(InputRefused) as caught:
                PhantomSettings(shape=said)
            self.assertEqual(caught.exception.code, "phantom-shape")
        with self.assertRaises(InputRefused):
            shape_of("spurs=1,spurs=2")


class DrawnTest(unittest.TestCase):
    def test_small_foramina_and_thick_facets(self):
        height, width = FORAMEN_SIZE_MM["C5/C6"]
        for shape, tall, wide in (
            (PLAIN, height, width),
            (Shape(foramina=0.7), 0.7 * height, 0.7 * width),
            (Shape(facets=1.5), height, width - 1.5),
        ):
            with self.subTest(shape=shape):
                anatomy, true = drawn(shape)
                inside = anatomy.labels == LABEL[LEFT]
                offsets = anatomy.grid.to_lps(np.argwhere(inside)[:, ::-1].astype(float)) - true.center_lps_mm
                np.testing.assert_allclose(offsets.mean(axis=0), 0, atol=0.2)
                size = np.ptp(offsets @ true.axes_lps, axis=0)
                np.testing.assert_allclose(size[1:], (tall, wide), atol=0.9)
                np.testing.assert_allclose(true.length_height_width_mm, (5, tall, wide), atol=1e-9)

    def test_a_spur_takes_half_a_ball(self):
        plain, spurred = (mm3(drawn(shape)[0], LEFT) for shape in (PLAIN, Shape(spurs=3)))
        self.assertAlmostEqual((plain - spurred) / (2 / 3 * np.pi * 3**3 * 0.8), 1, delta=0.25)  # its wall is curved

    def test_fused_bodies_metal_and_contrast(self):
        _, true = drawn(PLAIN)
        disc = true.center_lps_mm + np.array([-14.0, -9.0, 0.0])
        for shape, label, low, high in (
            (PLAIN, "cartilage", 50, 140),
            (Shape(fused=("C5/C6",)), "vertebra C6", 200, 1000),
            (Shape(metal=("C5/C6",)), "cartilage", 2500, 4001),
        ):
            with self.subTest(shape=shape):
                anatomy, _ = drawn(shape, disc, 3.0)
                self.assertEqual(np.bincount(anatomy.labels.ravel()).argmax(), LABEL[label])
                self.assertTrue(low < np.median(anatomy.hounsfield) < high)
        artery = true.center_lps_mm + np.array([3.8, -7.5, 0.0])
        for shape, low, high in ((PLAIN, 20, 70), (Shape(contrast=True), 250, 400)):
            anatomy, _ = drawn(shape, artery, 8.0)
            blood = anatomy.hounsfield[anatomy.labels == LABEL["vertebral artery left"]]
            self.assertTrue(low < np.median(blood) < high, np.median(blood))

    def test_a_neck_that_leans_and_turns(self):
        shape = Shape(lean=20, turn=10, tilt=-5)
        (_, upright), (_, bent) = drawn(PLAIN), drawn(shape)
        turned = shape.turned[:3, :3]
        np.testing.assert_allclose(bent.center_lps_mm, turned @ upright.center_lps_mm, atol=1e-9)
        np.testing.assert_allclose(bent.axes_lps, turned @ upright.axes_lps, atol=1e-9)
        self.assertLess((turned @ [0, 0, 1])[1], 0)  # leaning forward, the head comes to lie before the chest
        self.assertIsInstance(draw_pose(1, "followup", np.random.default_rng(0), shape), Pose)

    def test_a_missing_vertebra_is_in_no_segment(self):
        anatomy, _ = drawn(PLAIN)
        names = [one.name for one in segments(("C5",))]
        self.assertNotIn("vertebra C5", names)
        numbers = segment_numbers(anatomy.labels, anatomy.grid, ("C5",))
        self.assertEqual(set(numbers[anatomy.labels == LABEL["vertebra C5"]].tolist()), {0})
        c6 = numbers[anatomy.labels == LABEL["vertebra C6"]]
        self.assertEqual(set(c6.tolist()), {1 + names.index("vertebra C6")})


@slow
class ProposedTest(unittest.TestCase):
    def test_worn_and_fused(self):
        found = proposals(Shape(spurs=2, lean=20, contrast=True, fused=("C5/C6",)), 3)
        codes = [one.proposal.code for one in found]
        self.assertEqual(codes[2:4], ["vertebrae-fused"] * 2)
        near = [one.distance_mm for one in found if one.proposed]
        self.assertGreaterEqual(len(near), 3)
        self.assertLess(max(near), 3)
        self.assertLess(np.median(near), 1.5)

    def test_what_lies_in_the_canal_in_bone_or_beside_pedicles_is_objected_to(self):
        shape = Shape(foramina=0.8, spurs=2)
        anatomy, ct = neck(3, shape, middle_grid())
        expected = {
            (0, 0, 0): set(),
            (-5, 0, 0): {"region-in-canal", "region-no-pedicle"},
            (0, 6, 0): {"region-in-bone", "region-no-pedicle"},
            (0, -6, 0): {"region-in-bone", "region-no-pedicle"},
            (0, 0, 5): {"region-in-bone", "region-no-pedicle"},
        }
        drawn_wrong = []
        for true in (one for one in anatomy.foramina if one.level == "C5/C6"):
            for along, up, across in expected:
                center = true.center_lps_mm + true.axes_lps @ np.array([along, up, across], dtype=float)
                mask = Canal(center, true.axes_lps, *true.length_height_width_mm).mask(ct.grid)
                name = f"{true.side} {along} {up} {across}"
                drawn_wrong.append(Region(name, Anatomy("foramen", true.level, side=true.side), mask, ct.grid))
        told = check_places(drawn_wrong, ct, labeled(anatomy, 3))
        for side in ("left", "right"):
            for move, codes in expected.items():
                name = f"{side} {move[0]} {move[1]} {move[2]}"
                with self.subTest(name):
                    self.assertEqual({n.code for n in told if f"'{name}'" in n.message}, codes)


if __name__ == "__main__":
    unittest.main()
