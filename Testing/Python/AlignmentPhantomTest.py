"""Alignment on the simulated neck, whose motion and positions are known, at the usual noise."""

import time
import unittest
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation
from support.tiers import slow
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan, Volume
from TSPOQuantLib.alignment.motion import estimate_motion, motion_table, relative_counts
from TSPOQuantLib.alignment.pet_to_ct import align_to_ct
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.phantom.anatomy import build_anatomy, ct_grid, pet_grid, with_noise
from TSPOQuantLib.phantom.neck import draw_build, draw_pose
from TSPOQuantLib.phantom.scanner import counts_per_activity, draw_motion, image_frames, with_count_noise
from TSPOQuantLib.phantom.tracer import (
    ARRIVAL_MIN,
    FRAME_DURATIONS_S,
    FRAME_STARTS_S,
    HALF_LIFE_S,
    blood_of,
    frame_averages,
    kinetics_of,
)
from TSPOQuantLib.progress import silent

NOISE_PERCENT, FWHM_MM, MOTION_MM = 20.0, 5.0, 3.0
C7 = "C6/C7"


def rms_mm(found, true, points):
    return float(np.sqrt((((found - true) @ points)[:3] ** 2).sum(axis=0).mean()))


class Neck:
    """One seed's neck, bent as at its second visit: its PET with the motion asked for, its CT, the true places."""

    def __init__(self, seed, motion_mm):
        grid = ct_grid(fast=True)
        pose = draw_pose(seed, "followup", np.random.default_rng([seed, 4]))
        anatomy = build_anatomy(grid, draw_build(seed, np.random.default_rng(seed)), pose, silent)
        blood = blood_of("baseline")
        kinetics = kinetics_of("baseline", {})
        curves = frame_averages(kinetics, blood.parent_plasma, blood.whole_blood, ARRIVAL_MIN)
        self.true = draw_motion(motion_mm, np.random.default_rng([seed, 1])) if motion_mm else None
        if self.true is None:
            self.true = np.tile(np.eye(4), (len(FRAME_STARTS_S), 1, 1))
        frames = image_frames(anatomy.labels, grid, pet_grid(fast=True), curves, self.true, FWHM_MM)
        per_activity = counts_per_activity(curves, NOISE_PERCENT)
        activity = [
            with_count_noise(frame, n, per_activity, np.random.default_rng([seed, 2, n]))
            for n, frame in enumerate(frames)
        ]
        timing = FrameTiming(FRAME_STARTS_S, FRAME_DURATIONS_S)
        scan = Scan(half_life_s=HALF_LIFE_S)
        self.image = DynamicImage(
            np.array(activity), pet_grid(fast=True), timing, "injection", None, "simulated", scan
        )
        self.ct = Volume(with_noise(anatomy.hounsfield, grid, np.random.default_rng([seed, 3])), grid, "HU")
        self.points = np.array([[*f.center_lps_mm, 1] for f in anatomy.foramina]).T
        self.c7 = np.array([[*f.center_lps_mm, 1] for f in anatomy.foramina if f.level == C7]).T

    def at_anchor(self, motion):
        """True position of the CT in the frame that defines the reference position."""
        counts = relative_counts(self.image)
        return self.true[max(motion.reference, key=lambda frame: counts[frame])]


@slow
class MovingNeckTest(unittest.TestCase):
    def test_frames_and_ct_are_found(self):
        neck = Neck(2, MOTION_MM)  # docs/validation.md has more
        began = time.process_time()
        motion = estimate_motion(neck.image)
        self.assertLess(time.process_time() - began, 80, "19 frames in 40 s on two cores")
        anchor = neck.at_anchor(motion)
        for frame in np.flatnonzero(FRAME_DURATIONS_S >= 60):
            error = rms_mm(motion.reference_to_frame[frame] @ anchor, neck.true[frame], neck.points)
            with self.subTest(frame=int(frame)):
                self.assertLess(error, 0.5)
        self.assertIn("motion-large", [notice.code for notice in motion.notices])
        moved = motion_table(motion, neck.points[:3].T).displacement_mm
        from_anchor = neck.true @ np.linalg.inv(anchor)
        expected = np.linalg.norm((from_anchor @ neck.points - neck.points)[:, :3], axis=1).mean(axis=1)
        np.testing.assert_allclose(moved[7:], expected[7:], atol=0.5)
        start = np.eye(4)
        start[:3, :3] = Rotation.from_rotvec(np.deg2rad([3, -4, 0])).as_matrix()
        middle = neck.c7[:3].mean(axis=1)
        start[:3, 3] = (anchor @ neck.c7)[:3].mean(axis=1) + np.array([6, -6, 5.3]) - start[:3, :3] @ middle
        self.assertAlmostEqual(rms_mm(start, anchor, neck.c7), 10.0, delta=1.0)
        shifted = replace(neck.ct, grid=Grid(neck.ct.grid.shape, start @ neck.ct.grid.ijk_to_lps))
        for frames in ("all", "early", "late"):
            found = align_to_ct(neck.image, shifted, motion, frames)
            with self.subTest(frames=frames):
                self.assertLess(rms_mm(found.ct_to_reference @ start, anchor, neck.c7), 1.0)

    def test_still_neck_is_left_as_it_is(self):
        neck = Neck(1, 0.0)
        motion = estimate_motion(neck.image)
        np.testing.assert_array_equal(motion.reference_to_frame, neck.true)
        self.assertTrue(align_to_ct(neck.image, neck.ct, motion).kept)
        for axis in (0, 1):
            turned = replace(neck.ct, values=np.ascontiguousarray(np.flip(neck.ct.values, axis)))
            with self.assertRaises(InputRefused) as caught:
                align_to_ct(neck.image, turned, motion)
            self.assertEqual(caught.exception.code, "pet-ct-mismatch")
            self.assertRegex(caught.exception.message, r"\d")


if __name__ == "__main__":
    unittest.main()
