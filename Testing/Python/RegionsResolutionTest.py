"""The resolution that is estimated from a simulated neck's skin and regions, and when it is refused."""

import math
import unittest
from dataclasses import replace

import numpy as np
from scipy.ndimage import binary_fill_holes, distance_transform_edt, gaussian_filter
from support import checkout  # noqa: F401
from support.realdata import needs_data
from support.realneck import RealNeck
from support.tiers import slow
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import Volume
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.phantom.anatomy import pet_grid
from TSPOQuantLib.phantom.scanner import counts_per_activity, image_frames, with_count_noise
from TSPOQuantLib.phantom.tracer import FRAME_DURATIONS_S, FRAME_STARTS_S
from TSPOQuantLib.regions.region import regions_of
from TSPOQuantLib.regions.resolution import (
    METHOD_DEEP_MM,
    METHOD_MM,
    METHOD_SKIN_ALONE_MM,
    estimate_resolution,
    jackknife,
    resolution_at,
)

from tools.validation.regions import NOISE_PERCENT, curves, drawn, neck, scan

TOLERANCE_MM = 0.3
SIGMAS = 2.3548
"""In the full width at half maximum of a Gaussian."""


class ErrorTest(unittest.TestCase):
    def test_a_width_that_hangs_on_one_region_is_not_known(self):
        """The others fit the coarser the better: without the one, no width within the range is the best."""
        widths = np.arange(3.0, 9.1)
        telling, silent = 200 * (widths - 5.2) ** 2, [-3 * widths, -4 * widths, -2 * widths]
        self.assertGreater(jackknife(np.array([telling, *silent]), widths), 2.0)
        self.assertLess(jackknife(np.array([telling, telling, *silent]), widths), 0.05)
        self.assertEqual(jackknife(telling[None], widths), np.inf)


class ResolutionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.anatomy, cls.ct = neck(2)
        cls.curves = curves()

    def image(self, fwhm_mm, count=4):
        """The last frames of the scan, which are those that are looked at."""
        last = range(len(FRAME_STARTS_S) - count, len(FRAME_STARTS_S))
        still = np.broadcast_to(np.eye(4), (count, 4, 4))
        curves = self.curves[:, last.start :]
        clean = image_frames(self.anatomy.labels, self.anatomy.grid, pet_grid(True), curves, still, fwhm_mm)
        scale, rng = counts_per_activity(self.curves, NOISE_PERCENT), np.random.default_rng(0)
        timing = FrameTiming(FRAME_STARTS_S[last.start :], FRAME_DURATIONS_S[last.start :])
        activity = np.stack([with_count_noise(one, n, scale, rng) for n, one in zip(last, clean, strict=True)])
        return replace(scan(activity), timing=timing)

    def at_regions(self, image, regions):
        targets = [region for region in regions if region.anatomy.structure in ("foramen", "cord")]
        others = [region for region in regions if region not in targets]
        return resolution_at(estimate_resolution(image, self.ct), image, targets, self.ct, others=others)

    def assert_refused(self, code, *arguments):
        with self.assertRaises(InputRefused) as caught:
            estimate_resolution(*arguments)
        self.assertEqual(caught.exception.code, code)

    @slow
    def test_simulated_resolutions_are_found_again(self):
        for fwhm in (4.0, 6.0):
            with self.subTest(fwhm):
                found = estimate_resolution(self.image(fwhm), self.ct)
                self.assertAlmostEqual(found.fwhm_mm, fwhm, delta=TOLERANCE_MM)
                self.assertLess(found.se_mm, 1.2 * METHOD_MM)
                self.assertEqual(found.notices, ())

    @slow
    def test_a_neck_that_is_less_sharp_where_the_regions_lie(self):
        regions = [region for region in regions_of(drawn(self.anatomy)) if region.mask.any()]
        skin_mm, deep_mm = 4.5, 6.5
        sharp, blurred = self.image(skin_mm, count=1), self.image(deep_mm, count=1)
        found = self.at_regions(sharp, regions)
        self.assertAlmostEqual(found.fwhm_mm, skin_mm, delta=METHOD_DEEP_MM)
        self.assertEqual([notice.code for notice in found.notices], ["resolution-estimated"])

        warm = gaussian_filter(sharp.activity[0], 2) > 0.2 * sharp.activity[0].mean()
        body = np.stack([np.pad(binary_fill_holes(plane), 1) for plane in warm])
        depth = np.stack([distance_transform_edt(plane, sampling=sharp.grid.spacing_mm[1::-1]) for plane in body])
        inner = np.clip((depth[:, 1:-1, 1:-1] - 12.0) / 6.0, 0, 1)
        mixed = (1 - inner) * sharp.activity[0] + inner * blurred.activity[0]
        image = replace(sharp, activity=mixed[None].astype(np.float32))
        self.assertAlmostEqual(estimate_resolution(image, self.ct).fwhm_mm, skin_mm, delta=TOLERANCE_MM)
        found = self.at_regions(image, regions)
        self.assertGreater(found.fwhm_mm, (skin_mm + deep_mm) / 2)
        self.assertLess(abs(found.fwhm_mm - deep_mm), 1.96 * found.se_mm)
        self.assertTrue(0 < found.own_se_mm < METHOD_DEEP_MM < found.se_mm < 2 * METHOD_DEEP_MM)
        self.assertAlmostEqual(math.hypot(found.own_se_mm, METHOD_DEEP_MM), found.se_mm)  # the method errs as before
        self.assertEqual([notice.code for notice in found.notices], ["resolution-estimated", "resolution-deep"])
        # Too few regions to tell: the skin's width, and how little that says of the regions'.
        few = self.at_regions(image, [region for region in regions if region.anatomy.structure == "cord"][:2])
        self.assertAlmostEqual(few.fwhm_mm, skin_mm, delta=TOLERANCE_MM)
        self.assertGreater(few.se_mm, METHOD_SKIN_ALONE_MM)
        self.assertEqual((found.skin_alone, few.skin_alone), (False, True))

    @slow
    def test_a_ct_that_is_elsewhere_needs_the_transform(self):
        image = self.image(5.0, count=1)
        shift = np.eye(4)
        shift[:3, 3] = (3.0, -2.0, 4.0)
        moved = replace(image, grid=Grid(image.grid.shape, shift @ image.grid.ijk_to_lps))
        found = estimate_resolution(moved, self.ct, [shift])
        self.assertAlmostEqual(found.fwhm_mm, 5.0, delta=TOLERANCE_MM)

    @slow
    def test_refusals(self):
        image = self.image(5.0, count=1)
        self.assert_refused("resolution-ct", image, replace(self.ct, units="kBq/mL"))
        self.assert_refused("resolution-edges", image, replace(self.ct, values=np.full_like(self.ct.values, -1000)))
        far = np.eye(4)
        far[0, 3] = 500.0
        away = replace(self.ct, grid=Grid(self.ct.grid.shape, far @ self.ct.grid.ijk_to_lps))
        self.assert_refused("resolution-edges", image, away)

    @slow
    def test_a_resolution_beyond_all_that_is_tried(self):
        self.assert_refused("resolution-unclear", self.image(15.0, count=1), self.ct)


@needs_data
class RealNeckTest(unittest.TestCase):
    """Activities that are simulated, in the anatomy of a real neck, the edge of whose CT stands for its skin."""

    def test_glands_and_vessels_that_the_ct_does_not_tell_do_not_pass_for_blur(self):
        fwhm, voxel, rim = 6.5, 2, 12
        around = ((0, 0), (rim, rim + 1), (rim, rim))
        hounsfield = np.pad(RealNeck().ct(noise_hu=12.0).values, around, constant_values=-1000)
        matrix = np.eye(4)
        activity = np.select([hounsfield < -300, hounsfield < -30, hounsfield < 250], [0, 2.5, 8.0], 4.0)
        k, j, i = np.indices(hounsfield.shape) - np.array([60, 34, 73]).reshape(3, 1, 1, 1)
        glands = (np.abs(i) / 1.0 - 46) ** 2 / 81 + j**2 / 64 + k**2 / 256 < 1
        jugular = (np.abs(i) - 36) ** 2 / 21 + (j - 8) ** 2 / 13 < 1
        for hot, value in ((glands, 34.0), (jugular, 20.0)):
            activity[hot & (activity > 0)] = value
        seen = gaussian_filter(activity, fwhm / SIGMAS)
        seen = seen.reshape(*(side for n in seen.shape for side in (n // voxel, voxel))).mean(axis=(1, 3, 5))
        noise = gaussian_filter(np.random.default_rng(0).normal(size=seen.shape), 1.2)
        seen = seen * (1 + 0.18 * noise / noise.std())
        on = matrix @ np.diag([voxel, voxel, voxel, 1.0])
        on[:3, 3] = (voxel - 1) / 2
        image = replace(scan(seen[None].astype(np.float32)), grid=Grid(seen.shape, on))
        timing = FrameTiming(FRAME_STARTS_S[-1:], FRAME_DURATIONS_S[-1:])
        ct = Volume(hounsfield.astype(np.float32), Grid(hounsfield.shape, matrix), "HU")
        found = estimate_resolution(replace(image, timing=timing), ct)
        self.assertLess(abs(found.fwhm_mm - fwhm), 2 * found.se_mm)
        self.assertLess(abs(found.fwhm_mm - fwhm), 0.8)
        self.assertLess(found.se_mm, 0.8)
        # A gland misleads the second frame as it does the first: another look at it is no further evidence.
        twice = replace(image, activity=np.repeat(image.activity, 2, axis=0))
        timing = FrameTiming(FRAME_STARTS_S[-2:], FRAME_DURATIONS_S[-2:])
        moved = np.eye(4)
        moved[0, 3] = 0.01
        again = estimate_resolution(replace(twice, timing=timing), ct, [np.eye(4), moved])
        self.assertAlmostEqual(again.fwhm_mm, found.fwhm_mm, delta=0.2)
        self.assertGreater(again.se_mm, 0.9 * found.se_mm)


if __name__ == "__main__":
    unittest.main()
