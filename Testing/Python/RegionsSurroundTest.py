"""What stands for the tissue around the blood pool: near it, and no vessel itself."""

import unittest

import numpy as np
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.regions.anatomy import Anatomy
from TSPOQuantLib.regions.region import Region
from TSPOQuantLib.regions.sampling import sample
from TSPOQuantLib.regions.surround import surround

PET = Grid((20, 24, 24), np.diag([2.5, 2.5, 3.0, 1.0]))
ARTERY, VEIN = (12, 12), (12, 8)
"""Their columns, j and i; the vein lies 10 mm aside, within the shell."""


def column(place, radius_mm):
    _, j, i = np.indices(PET.shape)
    return np.hypot(j - place[0], i - place[1]) * 2.5 <= radius_mm


def scan(starts_s, durations_s, noise=0.0):
    """Blood that falls in artery and vein, tissue that rises, kBq/mL."""
    timing = FrameTiming(np.array(starts_s, float), np.array(durations_s, float))
    activity = np.empty((len(timing), *PET.shape), np.float32)
    rng = np.random.default_rng(3)
    for frame, middle in enumerate(timing.mids_s):
        activity[frame] = 1 + middle / 300
        activity[frame][column(ARTERY, 3) | column(VEIN, 4)] = 50 * np.exp(-middle / 60)
    activity += noise * rng.standard_normal(activity.shape).astype(np.float32)
    return DynamicImage(activity, PET, timing, "injection", None, "simulated", Scan())


POOL = Region("blood pool", Anatomy("blood-pool"), column(ARTERY, 3), PET)


class SurroundTest(unittest.TestCase):
    def test_a_vein_beside_the_artery_is_no_tissue(self):
        for noise in (0.0, 3.0):
            with self.subTest(noise=noise):
                image = scan([0, 60, 120, 1800], [60, 60, 300, 600], noise)
                shell = surround(image, POOL, [POOL])
                self.assertFalse((shell.mask & column(VEIN, 4)).any())
                np.testing.assert_allclose(sample(image, shell).mean[2:], 1 + image.timing.mids_s[2:] / 300, atol=0.1)

    def test_it_lies_beside_the_pool_and_in_no_other_region(self):
        other = Region("other", Anatomy("other"), column((15, 12), 4), PET)
        shell = surround(scan([0, 60], [60, 60]), POOL, [POOL, other])
        self.assertTrue(shell.mask.any())
        self.assertFalse((shell.mask & other.mask).any())
        self.assertFalse((shell.mask & column(ARTERY, 8)).any())
        self.assertFalse((shell.mask & ~column(ARTERY, 17)).any())

    def test_what_was_not_drawn_takes_nothing_away(self):
        nothing = Region("vertebra C3", Anatomy("vertebra"), np.zeros(PET.shape, bool), PET)
        image = scan([0, 60], [60, 60])
        alone, beside = (surround(image, POOL, regions).mask for regions in ([POOL], [POOL, nothing]))
        np.testing.assert_array_equal(alone, beside)

    def test_without_frames_of_the_first_pass_the_whole_shell_counts(self):
        late, early = scan([0, 600], [600, 600]), scan([0, 60], [60, 60], noise=1.0)  # no two voxels alike
        whole, half = (surround(image, POOL, [POOL]).mask for image in (late, early))
        self.assertLess(abs(2 * half.sum() / whole.sum() - 1), 0.1)
        self.assertTrue((whole & column(VEIN, 4)).any())
        self.assertTrue((half <= whole).all())


if __name__ == "__main__":
    unittest.main()
