"""The blood pool proposed from the first frames of a simulated neck, and how much of itself a vessel keeps."""

import unittest
from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter
from support import checkout  # noqa: F401
from support.tiers import slow
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.segmentation import Segment
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.phantom.neck import LABEL
from TSPOQuantLib.phantom.tracer import FRAME_DURATIONS_S, FRAME_STARTS_S
from TSPOQuantLib.regions.blood_pool import blurred_disk, cylinder_recovery, propose_blood_pool
from TSPOQuantLib.regions.partial_volume import FWHM_PER_SIGMA
from TSPOQuantLib.regions.region import region_of

from tools.validation.regions import clean_frames, curves, dice, neck, noisy, scan

FWHM_MM = 5.0


def dynamic(anatomy, activity):
    """The scanner's noisy image of a simulated neck at rest."""
    return scan(noisy(clean_frames(anatomy, activity, FWHM_MM), activity, np.random.default_rng(0)))


class CylinderTest(unittest.TestCase):
    def test_recovery_is_that_of_a_numeric_convolution(self):
        step = 0.1
        axis = np.arange(-25, 25 + step / 2, step)
        y, x = np.meshgrid(axis, axis, indexing="ij")
        for diameter, fwhm in ((6.0, 5.0), (10.0, 4.0), (5.0, 8.0)):
            with self.subTest(diameter=diameter, fwhm=fwhm):
                inside = (np.hypot(x, y) <= diameter / 2).astype(float)
                seen = gaussian_filter(inside, fwhm / FWHM_PER_SIGMA / step)
                self.assertAlmostEqual(cylinder_recovery(diameter, fwhm), seen[inside > 0].mean(), delta=5e-3)
                middle = len(axis) // 2
                profile = blurred_disk(np.abs(axis), diameter, fwhm / FWHM_PER_SIGMA)
                np.testing.assert_allclose(profile, seen[middle], atol=5e-3)

    def test_limits(self):
        self.assertEqual(cylinder_recovery(6.0, 0.0), 1.0)
        sigma = 6.0 / FWHM_PER_SIGMA
        self.assertAlmostEqual(cylinder_recovery(0.1, 6.0), 0.05**2 / (2 * sigma**2), delta=1e-6)
        self.assertAlmostEqual(blurred_disk(np.zeros(1), 6.0, sigma)[0], 1 - np.exp(-9 / (2 * sigma**2)), places=6)


@slow
class ProposalTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.anatomy, cls.ct = neck(2)
        cls.curves = curves()
        cls.image = dynamic(cls.anatomy, cls.curves)

    def test_it_finds_the_carotids_and_not_the_veins(self):
        found = propose_blood_pool(self.image, FWHM_MM, self.anatomy.grid)
        self.assertFalse(found.segment is None, found.reason)
        carotids = np.isin(self.anatomy.labels, [LABEL["carotid artery left"], LABEL["carotid artery right"]])
        margin = int(15 / self.anatomy.grid.spacing_mm[2]) + 1
        carotids[:margin] = carotids[-margin:] = False
        self.assertGreater(dice(found.segment.mask, carotids), 0.75)
        veins = np.isin(self.anatomy.labels, [LABEL["jugular vein left"], LABEL["jugular vein right"]])
        self.assertLess(np.mean(veins[found.segment.mask]), 0.05)
        for vessel in found.vessels:
            self.assertEqual(vessel.kind, "artery")
            self.assertAlmostEqual(vessel.diameter_mm, 6.0, delta=1.2)
        self.assertAlmostEqual(found.recovery, cylinder_recovery(6.0, FWHM_MM), delta=0.1)
        self.assertTrue(0.5 < found.confidence < 1)
        self.assertEqual(found.segment.tags["TSPOQuant.Structure"], "blood-pool")

    def test_voxels_in_another_order_are_the_same_image(self):
        found = propose_blood_pool(self.image, FWHM_MM, self.anatomy.grid)
        k, j, i = self.image.grid.shape
        coronal = Grid((j, k, i), self.image.grid.ijk_to_lps[:, [0, 2, 1, 3]])
        same = replace(self.image, activity=np.swapaxes(self.image.activity, 1, 2), grid=coronal)
        again = propose_blood_pool(same, FWHM_MM, self.anatomy.grid)
        np.testing.assert_array_equal(again.segment.mask, found.segment.mask)

    def test_a_heart_far_below_the_regions_is_not_looked_at(self):
        slices, gap = (int(np.ceil(mm / self.image.grid.spacing_mm[2])) for mm in (160, 50))
        below = np.zeros((len(self.image.timing), slices, *self.image.grid.shape[1:]), np.float32)
        tube = self.curves[LABEL["carotid artery left"]][:, None, None, None]
        below[:, :-gap, 20:40, 5:15], below[:, :-gap, 20:40, -15:-5] = 4 * tube, 4 * tube
        grid = self.image.grid.part((-slices, 0, 0), (slices + self.image.grid.shape[0], *self.image.grid.shape[1:]))
        body = replace(self.image, activity=np.concatenate([below, self.image.activity], axis=1), grid=grid)
        middle = np.zeros(self.anatomy.grid.shape, dtype=bool)
        middle[tuple(n // 2 for n in middle.shape)] = True
        drawn = [region_of(Segment("1", "foramen C5/C6 left", middle, None, {}), self.anatomy.grid)]
        alone = propose_blood_pool(self.image, FWHM_MM, self.anatomy.grid)
        among = propose_blood_pool(body, FWHM_MM, self.anatomy.grid, regions=drawn)
        self.assertFalse(among.segment is None, among.reason)
        self.assertGreater(dice(among.segment.mask, alone.segment.mask), 0.85)  # one more slice at its lower end
        heart = propose_blood_pool(body, FWHM_MM)  # where nothing says where the neck is
        self.assertLess(
            min(vessel.center_lps_mm[:, 2].min() for vessel in heart.vessels), grid.centers[slices, 0, 0, 2]
        )

    def test_glands_that_are_hot_late_hide_no_bolus(self):
        """They rise to more than the blurred arteries ever show, and keep it."""
        alone = propose_blood_pool(self.image, FWHM_MM, self.anatomy.grid)
        hottest = self.image.activity.max(axis=(1, 2, 3)).max()
        late = hottest * (1 - np.exp(-self.image.timing.mids_s / 600)) * np.exp(-self.image.timing.mids_s / 3600)
        with_glands = self.image.activity.copy()
        with_glands[:, -8:, 40:52, 5:17] += 2 * late[:, None, None, None]
        found = propose_blood_pool(replace(self.image, activity=with_glands), FWHM_MM, self.anatomy.grid)
        self.assertFalse(found.segment is None, found.reason)
        self.assertEqual(found.frames, alone.frames)
        self.assertGreater(dice(found.segment.mask, alone.segment.mask), 0.95)

    def test_without_a_resolution_no_width_is_told(self):
        found = propose_blood_pool(self.image)
        self.assertTrue(found.segment.mask.any())
        self.assertEqual([(v.diameter_mm, v.recovery) for v in found.vessels], [(None, None)] * 2)
        self.assertIsNone(found.recovery)

    @slow
    def test_it_ends_where_the_vessels_end(self):
        names = [f"{vessel} {side}" for vessel in ("carotid artery", "jugular vein") for side in ("left", "right")]
        labels = self.anatomy.labels.copy()
        end = int(0.6 * len(labels))
        labels[end:][np.isin(labels[end:], [LABEL[name] for name in names])] = LABEL["muscle"]
        found = propose_blood_pool(dynamic(replace(self.anatomy, labels=labels), self.curves), FWHM_MM)
        height = self.anatomy.grid.to_lps(np.array([0.0, 0.0, end]))[2]
        for vessel in found.vessels:
            self.assertAlmostEqual(vessel.center_lps_mm[:, 2].max(), height, delta=8)

    @slow
    def test_of_two_vessels_the_earlier_one_is_the_artery(self):
        """With the veins first, which no body does, they are taken: time goes before place."""
        changed = self.curves.copy()
        late = np.interp(FRAME_STARTS_S - 8, FRAME_STARTS_S, changed[LABEL["carotid artery left"]], left=0)
        for side in ("left", "right"):
            changed[LABEL[f"carotid artery {side}"]] = late
        found = propose_blood_pool(dynamic(self.anatomy, changed), FWHM_MM)
        for vessel in found.vessels:
            vein = np.argwhere(self.anatomy.labels == LABEL[f"jugular vein {vessel.side}"])
            middle = self.anatomy.grid.to_lps(vein[:, ::-1].astype(float))
            nearest = [
                np.hypot(*(middle[np.abs(middle[:, 2] - p[2]) < 2, :2].mean(0) - p[:2])) for p in vessel.center_lps_mm
            ]
            self.assertLess(np.median(nearest), 2)

    @slow
    def test_it_declines_and_says_why(self):
        late = replace(
            self.image,
            activity=self.image.activity[10:],
            timing=FrameTiming(FRAME_STARTS_S[10:], FRAME_DURATIONS_S[10:]),
        )
        self.assertIn("no bolus", propose_blood_pool(late, FWHM_MM).reason)
        changed = self.curves.copy()
        for vessel in ("carotid artery", "jugular vein", "vertebral artery"):
            changed[LABEL[f"{vessel} right"]] = changed[LABEL["muscle"]]
        bare = propose_blood_pool(dynamic(self.anatomy, changed), FWHM_MM)
        self.assertTrue(bare.segment is None, "no vessel is there")
        self.assertIn("right", bare.reason)
        short = replace(self.image, activity=self.image.activity[:, :20])
        short = replace(short, grid=replace(self.image.grid, shape=short.activity.shape[1:]))
        self.assertIn("less than 30 mm", propose_blood_pool(short, FWHM_MM).reason)


if __name__ == "__main__":
    unittest.main()
