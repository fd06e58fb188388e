"""The resolution that is estimated from a simulated neck's skin, and when it is refused."""

import unittest
from dataclasses import replace

import numpy as np
from support import checkout  # noqa: F401
from support.tiers import slow
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.phantom.anatomy import pet_grid
from TSPOQuantLib.phantom.scanner import counts_per_activity, image_frames, with_count_noise
from TSPOQuantLib.phantom.tracer import FRAME_DURATIONS_S, FRAME_STARTS_S
from TSPOQuantLib.regions.resolution import estimate_resolution

from tools.validation.regions import NOISE_PERCENT, curves, neck, scan

TOLERANCE_MM = 0.3


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
                self.assertLess(found.se_mm, TOLERANCE_MM)
                self.assertEqual(found.notices, ())
                self.assertEqual(found.unlikeliness.min(), 0.0)

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
        self.assert_refused("resolution-unclear", self.image(12.0, count=1), self.ct)


if __name__ == "__main__":
    unittest.main()
