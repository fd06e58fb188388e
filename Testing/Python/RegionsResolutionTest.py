"""The resolution that is estimated from a simulated neck's skin, and when it is refused."""

import unittest
from dataclasses import replace

import numpy as np
from support import checkout  # noqa: F401
from support.tiers import slow
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.regions.resolution import estimate_resolution

from tools.validation.regions import clean_frames, curves, neck, noisy, scan

TOLERANCE_MM = 0.3


class ResolutionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.anatomy, cls.ct = neck(2)
        cls.curves = curves()

    def image(self, fwhm_mm):
        frames = clean_frames(self.anatomy, self.curves, fwhm_mm)
        return scan(noisy(frames, self.curves, np.random.default_rng(0)))

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
        whole = self.image(5.0)
        timing = FrameTiming(whole.timing.starts_s[-1:], whole.timing.durations_s[-1:])
        image = replace(whole, activity=whole.activity[-1:], timing=timing)
        shift = np.eye(4)
        shift[:3, 3] = (3.0, -2.0, 4.0)
        moved = replace(image, grid=Grid(image.grid.shape, shift @ image.grid.ijk_to_lps))
        found = estimate_resolution(moved, self.ct, [shift])
        self.assertAlmostEqual(found.fwhm_mm, 5.0, delta=TOLERANCE_MM)

    def test_refusals(self):
        image = self.image(5.0)
        self.assert_refused("resolution-ct", image, replace(self.ct, units="kBq/mL"))
        self.assert_refused("resolution-edges", image, replace(self.ct, values=np.full_like(self.ct.values, -1000)))
        far = np.eye(4)
        far[0, 3] = 500.0
        away = replace(self.ct, grid=Grid(self.ct.grid.shape, far @ self.ct.grid.ijk_to_lps))
        self.assert_refused("resolution-edges", image, away)

    @slow
    def test_a_resolution_beyond_all_that_is_tried(self):
        self.assert_refused("resolution-unclear", self.image(12.0), self.ct)


if __name__ == "__main__":
    unittest.main()
