"""A region is read off the PET by the exact fraction of every voxel that it covers."""

import unittest
from unittest import mock

import numpy as np
from scipy.stats import qmc
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.regions import sampling
from TSPOQuantLib.regions.anatomy import Anatomy
from TSPOQuantLib.regions.region import Region

FOV = np.array([40.0, 36.0, 30.0])


def grid(spacing, origin=(0.0, 0.0, 0.0), flip=(1, 1, 1)):
    """A grid over the field of view; ``flip`` turns axes round, as scanners do."""
    size = np.round(FOV / spacing).astype(int)
    matrix = np.diag([*(np.array(spacing) * flip), 1.0])
    matrix[:3, 3] = np.array(origin) + np.where(np.array(flip) < 0, FOV - np.array(spacing) / 2, np.array(spacing) / 2)
    return Grid(tuple(size[::-1]), matrix)


def ball(on, center, radius):
    k, j, i = np.indices(on.shape)
    points = on.to_lps(np.stack([i, j, k], axis=-1).astype(float))
    return Region("ball", Anatomy("other"), ((points - center) ** 2).sum(axis=-1) <= radius**2, on)


def brute_force(region, pet, transform=None):
    """Coverage by counting 2,048 well-spread points in every region voxel."""
    offsets = qmc.Sobol(3, rng=np.random.default_rng(1)).random(2048) - 0.5
    ijk = (np.argwhere(region.mask)[:, ::-1][:, None] + offsets).reshape(-1, 3)
    lps = region.grid.to_lps(ijk)
    if transform is not None:
        lps = lps @ transform[:3, :3].T + transform[:3, 3]
    cells = np.round(pet.to_ijk(lps)).astype(int)
    fractions = np.zeros(pet.shape)
    np.add.at(fractions, tuple(cells[:, ::-1].T), region.grid.voxel_volume_mm3 / len(offsets) / pet.voxel_volume_mm3)
    return fractions


def full(covered, pet):
    fractions = np.zeros(pet.shape)
    fractions.reshape(-1)[covered.voxels] = covered.fractions
    return fractions


class CoverageTest(unittest.TestCase):
    def test_volume_is_kept_and_equals_brute_force(self):
        pet = grid((2.0, 2.0, 2.0))
        for flip in ((1, 1, 1), (-1, 1, -1)):
            region = ball(grid((0.5, 0.6, 1.0), flip=flip), np.array([19.3, 17.2, 14.1]), 4.2)
            found = sampling.coverage(region, pet)
            self.assertAlmostEqual(found.fractions.sum() * pet.voxel_volume_mm3, region.volume_mm3, places=6)
            self.assertEqual(found.outside, 0)
            self.assertLess(np.abs(full(found, pet) - brute_force(region, pet)).max(), 1e-3)

    def test_grids_whose_faces_meet_are_exact(self):
        pet, fine = grid((2.0, 2.0, 2.0)), grid((0.5, 0.5, 1.0))
        region = ball(fine, np.array([19.3, 17.2, 14.1]), 5.0)
        counted = region.mask.reshape(15, 2, 18, 4, 20, 4).sum(axis=(1, 3, 5)) / 32
        np.testing.assert_allclose(full(sampling.coverage(region, pet), pet), counted, atol=1e-12)

    def test_oblique_equals_brute_force(self):
        angle = np.deg2rad(3.0)
        turned = np.eye(4)
        turned[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        turned[:3, 3] = [0.7, -1.1, 0.4]
        pet = grid((2.0, 2.0, 2.0))
        region = ball(grid((0.5, 0.6, 1.0)), np.array([19.3, 17.2, 14.1]), 4.2)
        found = full(sampling.coverage(region, pet, turned), pet)
        self.assertLess(np.abs(found - brute_force(region, pet, turned)).max(), 2e-3)
        self.assertAlmostEqual(found.sum() * pet.voxel_volume_mm3, region.volume_mm3, places=6)

    def test_what_lies_outside_is_counted(self):
        pet, fine = grid((2.0, 2.0, 2.0)), grid((0.5, 0.5, 0.5), origin=(-20.0, 0.0, 0.0))
        region = ball(fine, np.array([0.0, 18.0, 15.0]), 5.0)
        self.assertAlmostEqual(sampling.coverage(region, pet).outside, 0.5, places=6)

    def test_every_place_of_a_region_is_worked_out_once(self):
        pet = grid((2.0, 2.0, 2.0))
        shifted = np.eye(4)
        shifted[0, 3] = 1.3
        region, other = (ball(grid((0.5, 0.5, 0.5)), np.array([19.0, 17.0, 13.0]), 4.0) for _ in range(2))
        with mock.patch.object(sampling, "_covered", wraps=sampling._covered) as worked_out:
            for move in (None, shifted, np.eye(4), shifted.copy()):
                sampling.coverage(region, pet, move)
            self.assertEqual(worked_out.call_count, 2)
            sampling.coverage(other, pet)
            self.assertEqual(worked_out.call_count, 3)
            sampling.coverage(region, grid((4.0, 4.0, 2.0)))
            self.assertEqual(worked_out.call_count, 4)


class SampleTest(unittest.TestCase):
    def setUp(self):
        self.pet = grid((2.0, 2.0, 2.0))
        self.timing = FrameTiming(np.array([0.0, 60.0]), np.array([60.0, 60.0]))

    def image(self, activity):
        return DynamicImage(
            activity.astype(np.float32), self.pet, self.timing, "injection", None, "none needed", Scan()
        )

    def test_linear_image_gives_the_value_at_the_center(self):
        # The mean of a linear function over a symmetric weighting is its value at the center.
        k, j, i = np.indices(self.pet.shape)
        x = self.pet.to_lps(np.stack([i, j, k], axis=-1).astype(float))
        ramp = x @ np.array([1.0, -2.0, 0.5]) + 100
        center = np.array([20.0, 18.0, 15.0])
        curve = sampling.sample(self.image(np.stack([ramp, 2 * ramp])), ball(grid((0.5, 0.5, 0.5)), center, 5.0))
        expected = center @ np.array([1.0, -2.0, 0.5]) + 100
        np.testing.assert_allclose(curve.mean, [expected, 2 * expected], rtol=1e-6)
        self.assertTrue((curve.sd > 0).all())

    def test_region_follows_the_frame(self):
        hot = np.zeros((2, *self.pet.shape))
        region = ball(grid((0.5, 0.5, 0.5)), np.array([19.0, 17.0, 13.0]), 4.0)
        hot[0].reshape(-1)[sampling.coverage(region, self.pet).voxels] = 5.0
        hot[1] = np.roll(hot[0], 2, axis=2)  # the second frame moved 4 mm to +L
        shifted = np.eye(4)
        shifted[0, 3] = 4.0
        image = self.image(hot)
        np.testing.assert_allclose(sampling.sample(image, region, [np.eye(4), shifted]).mean, [5.0, 5.0], rtol=1e-6)
        self.assertLess(sampling.sample(image, region).mean[1], 4.0)

    def test_what_lies_inside_stands_for_a_region_of_which_little_lies_outside(self):
        image = self.image(np.full((2, *self.pet.shape), 3.0))
        fine = grid((0.5, 0.5, 0.5), origin=(-20.0, 0.0, 0.0))
        edge = float(self.pet.to_lps(np.array([-0.5, 0.0, 0.0]))[0])
        slightly, half = (ball(fine, np.array([edge + inside, 18.0, 15.0]), 5.0) for inside in (4.0, 0.0))
        curve = sampling.sample(image, slightly)
        np.testing.assert_allclose(curve.mean, 3.0)
        share = 0.028  # a cap of height h of a ball of radius r: h^2 (3r - h) / (4 r^3), here 1 and 5 mm
        (told,) = [notice for notice in curve.notices if notice.code == "region-partly-outside"]
        self.assertAlmostEqual(float(str(told.message).split("%")[0]), 100 * share, delta=0.4)
        with self.assertRaises(InputRefused) as caught:
            sampling.sample(image, half)
        self.assertEqual(caught.exception.code, "region-outside")
        vessel = sampling.sample(image, half, most_outside=0.6)
        np.testing.assert_allclose(vessel.mean, 3.0)

    def test_refusals(self):
        fine = grid((0.5, 0.5, 0.5), origin=(-20.0, 0.0, 0.0))
        image = self.image(np.ones((2, *self.pet.shape)))
        bad = self.image(np.full((2, *self.pet.shape), np.nan))
        inside = ball(grid((0.5, 0.5, 0.5)), np.array([20.0, 18.0, 15.0]), 4.0)
        cases = {
            "region-outside": (image, ball(fine, np.array([0.0, 18.0, 15.0]), 5.0)),
            "region-empty": (image, ball(fine, np.array([500.0, 0.0, 0.0]), 5.0)),
            "region-too-small": (image, ball(grid((0.5, 0.5, 0.5)), np.array([20.0, 18.0, 15.0]), 0.5)),
            "pet-not-finite": (bad, inside),
        }
        for code, (on, region) in cases.items():
            with self.subTest(code), self.assertRaises(InputRefused) as caught:
                sampling.sample(on, region)
            self.assertEqual(caught.exception.code, code)


if __name__ == "__main__":
    unittest.main()
