"""Levels of the neck found again at another visit, on the phantom's CT and on a real one."""

import unittest
from dataclasses import replace

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import affine_transform, binary_dilation
from scipy.spatial.transform import Rotation
from support.realdata import DATA, needs_data
from support.tiers import slow
from TSPOQuantLib.acquisition.image import Volume
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.alignment.visits import LevelTransform, VisitAlignment, align_visits
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import Cancelled, InputRefused
from TSPOQuantLib.phantom.anatomy import build_anatomy, ct_grid, with_noise
from TSPOQuantLib.phantom.neck import Pose, draw_build
from TSPOQuantLib.progress import silent
from TSPOQuantLib.regions.carry import carry_segmentation, drawn_on
from TSPOQuantLib.regions.region import region_of, regions_of


def rigid(shift_mm, degrees):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = shift_mm
    return matrix


def carried(points, matrix):
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def by_level(foramina):
    levels = {}
    for foramen in foramina:
        levels.setdefault(foramen.level, []).append(foramen.center_lps_mm)
    return {level: np.array(points) for level, points in levels.items()}


def neck(seed, pose, noise_seed):
    grid = ct_grid(fast=True)
    anatomy = build_anatomy(grid, draw_build(seed, np.random.default_rng(seed)), pose, silent)
    values = with_noise(anatomy.hounsfield, grid, np.random.default_rng(noise_seed))
    return Volume(values, grid, "HU"), by_level(anatomy.foramina)


@slow
class FlexedNeckTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.straight = neck(2, Pose(np.eye(4)), 10)

    def test_every_level_is_found_again(self):
        for seed, flexion in ((2, 10.0), (3, -12.0)):
            first, points = self.straight if seed == 2 else neck(seed, Pose(np.eye(4)), 10)
            second, truth = neck(seed, Pose(rigid((3, -2, 1.5), (-2, 1.5, 3)), flexion), 20)
            alignment = align_visits(first, second, points)
            self.assertEqual(alignment.notices, ())
            self.assertEqual(len(alignment.levels), 6)
            for level in alignment.levels:
                away = np.linalg.norm(carried(points[level.level], level.to_other) - truth[level.level], axis=1)
                with self.subTest(seed=seed, level=level.level):
                    self.assertLess(away.max(), 0.7)
                    self.assertLess(level.residual_mm, 1.2)
            whole = max(
                np.linalg.norm(carried(points[name], alignment.whole) - truth[name], axis=1).max() for name in points
            )
            self.assertGreater(whole, 0.7, "one rigid transform would have done: the neck did not bend")

    def test_another_person_or_part_is_refused(self):
        first, points = self.straight
        points = {"C6/C7": points["C6/C7"]}
        noise = np.random.default_rng(1).normal(0, 200, first.values.shape).astype(np.float32)
        with self.assertRaises(InputRefused) as caught:
            align_visits(first, replace(first, values=noise), points)
        self.assertEqual(caught.exception.code, "visits-mismatch")
        self.assertRegex(caught.exception.message, r"0\.\d\d")


class CarryTest(unittest.TestCase):
    def setUp(self):
        upper, lower = rigid((0, 0, 5), (10, 0, 0)), rigid((2, 0, 5), (0, 0, 0))
        self.alignment = VisitAlignment(
            np.eye(4),
            (
                LevelTransform("C6/C7", lower, np.array([0.0, 0, -20]), 0.5, 0.9),
                LevelTransform("C4/C5", upper, np.array([0.0, 0, 20]), 0.5, 0.9),
            ),
        )
        matrix = np.eye(4)
        matrix[:3, 3] = (-5, -5, -24)
        mask = np.zeros((12, 12, 12), bool)
        mask[2:8, 3:9, 2:7] = True
        self.drawn = Segmentation(Grid(mask.shape, matrix), (Segment("1", "foramen C6/C7 left", mask),))
        self.moved = Grid(mask.shape, rigid((2, 0, 5), (0, 0, 0)) @ matrix)

    def carried(self, grid):
        return carry_segmentation(self.drawn, self.alignment, grid, "baseline")

    def test_goes_with_the_nearest_level_and_is_marked(self):
        carried = self.carried(self.moved)
        (region,), (found,) = regions_of(self.drawn), regions_of(carried)
        self.assertEqual((found.carried_from, region.carried_from), ("baseline", ""))
        self.assertEqual((found.name, found.anatomy), (region.name, region.anatomy))
        np.testing.assert_array_equal(carried.segments[0].mask, self.drawn.segments[0].mask)

    def test_is_drawn_on_the_other_visits_voxels(self):
        matrix = np.eye(4)
        matrix[:3, 3] = (-20, -20, -40)
        large = Grid((60, 40, 40), matrix)
        found, drawn = self.carried(large).segments[0].mask, self.drawn.segments[0]
        self.assertEqual(np.count_nonzero(found), np.count_nonzero(drawn.mask))
        self.assertEqual(np.argwhere(found).min(axis=0).tolist(), [2 - 24 + 5 + 40, 3 - 5 + 20, 2 - 5 + 2 + 20])
        np.testing.assert_array_equal(drawn_on(region_of(drawn, self.moved), large), found)

    def test_refused(self):
        volume = Volume(np.zeros((4, 4, 4), np.float32), Grid((4, 4, 4), np.eye(4)), "HU")
        with self.assertRaises(InputRefused) as caught:
            align_visits(volume, volume, {})
        self.assertEqual(caught.exception.code, "levels-missing")

    def test_cancelled(self):
        def stop(fraction, text):
            raise Cancelled

        volume = Volume(np.zeros((4, 4, 4), np.float32), Grid((4, 4, 4), np.eye(4)), "HU")
        with self.assertRaises(Cancelled):
            align_visits(volume, volume, {"C6/C7": np.zeros((1, 3))}, stop)


@slow
@needs_data
class RealCtTest(unittest.TestCase):
    """A head-and-neck CT turned, shifted and given other noise; its levels stand along its own cord."""

    def test_known_transform_is_recovered(self):
        folder = DATA / "ct" / "openkbp_pt277"
        stored = sitk.ReadImage(str(folder / "ct_hu_minus1000.nii.gz"))
        cord = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "SpinalCord.nii.gz"))) > 0
        # Axes of the files, first to last: to the back, to the left, downwards; their spacing is 4.195, 4.195, 2.5 mm.
        order = (0, 2, 1)
        values = sitk.GetArrayFromImage(stored).astype(np.float32).transpose(order)[::-1]
        cord = cord.transpose(order)[::-1]
        matrix = np.diag([4.195, 4.195, 2.5, 1.0])
        grid = Grid(values.shape, matrix)
        slices = np.flatnonzero(binary_dilation(cord).any(axis=(1, 2)))
        heights = np.linspace(slices[0] + 8, slices[-1] - 8, 5).astype(int)
        middle = {f"slice {k}": np.argwhere(cord[k]).mean(axis=0)[::-1] for k in heights if cord[k].any()}
        points = {
            name: grid.to_lps(np.array([[*ij, int(name.split()[1])]])) + np.array([[-15.0, 0, 0], [15, 0, 0]])
            for name, ij in middle.items()
        }
        center = grid.to_lps((np.array(values.shape[::-1]) - 1) / 2)
        true = rigid((0, 0, 0), (4, -3, 5))
        true[:3, 3] = center - true[:3, :3] @ center + (6, -5, 8)
        back = np.linalg.inv(grid.ijk_to_lps) @ np.linalg.inv(true) @ grid.ijk_to_lps
        turned = affine_transform(values, back[2::-1, 2::-1], back[2::-1, 3], order=1, cval=-1000)
        turned += np.random.default_rng(1).normal(0, 20, turned.shape).astype(np.float32)
        # The neck out of half a meter of shoulders and air, as the CT of a neck shows it: a sixth of the voxels.
        _, rows, columns = (slice(max(at.min() - 24, 0), at.max() + 25) for at in np.nonzero(cord))
        offset = np.eye(4)
        offset[:2, 3] = columns.start, rows.start
        cut = Grid(values[:, rows, columns].shape, grid.ijk_to_lps @ offset)
        first, second = (Volume(np.ascontiguousarray(v[:, rows, columns]), cut, "HU") for v in (values, turned))
        alignment = align_visits(first, second, points)
        for level in alignment.levels:
            away = carried(points[level.level], level.to_other) - carried(points[level.level], true)
            with self.subTest(level=level.level):
                self.assertLess(np.linalg.norm(away, axis=1).max(), 1.0)


if __name__ == "__main__":
    unittest.main()
