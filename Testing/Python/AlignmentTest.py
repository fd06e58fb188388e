"""Rigid alignment on small synthetic images with known motion: frames, CT, files."""

import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy.spatial.transform import Rotation
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan, Volume
from TSPOQuantLib.alignment.motion import (
    FrameMotion,
    _settled,
    estimate_motion,
    groups,
    late_frames,
    motion_table,
)
from TSPOQuantLib.alignment.pet_to_ct import align_to_ct
from TSPOQuantLib.alignment.resample import mean_image
from TSPOQuantLib.alignment.rigid import field_points
from TSPOQuantLib.alignment.transform_files import read_transform, write_transform
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import Cancelled, InputRefused

SHAPE, SPACING = (30, 36, 32), 4.0
# Ellipsoids: center (x, y, z) and half axes in mm, activity kBq/mL in blood-rich and in late frames, HU.
BODIES = (
    ((0, 0, 0), (50, 58, 90), 4.0, 6.0, 50.0),
    ((0, -34, 0), (9, 9, 90), 0.2, 0.2, -1000.0),
    ((0, 8, 12), (14, 11, 34), 3.0, 11.0, 500.0),
    ((24, -14, -6), (7, 7, 40), 14.0, 3.0, 45.0),
    ((-26, -10, 8), (7, 7, 36), 13.0, 3.0, 45.0),
    ((22, 26, -18), (12, 9, 15), 2.0, 8.0, 70.0),
    ((-18, 32, 24), (10, 8, 13), 2.0, 7.5, 400.0),
)
COUNTS = 40.0


def grid():
    matrix = np.diag([SPACING, SPACING, SPACING, 1.0])
    matrix[:3, 3] = -SPACING * (np.array(SHAPE[::-1]) - 1) / 2
    return Grid(SHAPE, matrix)


def rigid(shift_mm, degrees):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = shift_mm
    return matrix


def picture(column, background, matrix=None, on=None):
    """The bodies with soft edges (one voxel), carried by ``matrix``, drawn at the voxel centers."""
    points = (on or grid()).centers
    back = np.linalg.inv(np.eye(4) if matrix is None else matrix)
    x = points @ back[:3, :3].T + back[:3, 3]
    values = np.full(points.shape[:3], float(background))
    for center, half, *contents in BODIES:
        radius = np.sqrt((((x - center) / half) ** 2).sum(axis=-1))
        inside = 1 / (1 + np.exp(np.clip((radius - 1) * min(half) / (SPACING / 2), -50, 50)))
        values += inside * (contents[column] - values)
    return values.astype(np.float32)


def dynamic(matrices, durations=(5, 5, 60, 300, 600, 600, 600), seed=1, on=None):
    """Frames from blood to tissue, each carried by its matrix, with counting noise."""
    rng = np.random.default_rng(seed)
    frames = []
    for n, matrix in enumerate(matrices):
        late = n / (len(matrices) - 1)
        clean = (1 - late) * picture(0, 0.0, matrix, on) + late * picture(1, 0.0, matrix, on)
        scale = COUNTS * durations[n] / 600
        frames.append(rng.poisson(np.maximum(clean, 0) * scale) / scale)
    starts = np.concatenate([[0.0], np.cumsum(durations)[:-1]])
    timing = FrameTiming(starts, np.array(durations, dtype=float))
    activity = np.array(frames, dtype=np.float32)
    return DynamicImage(activity, on or grid(), timing, "injection", None, "simulated", Scan(half_life_s=1224.0))


def still(image):
    return FrameMotion(np.tile(np.eye(4), (len(image.timing), 1, 1)), (4, 5, 6))


def ct(matrix=None):
    noise = np.random.default_rng(2).normal(0, 15, SHAPE)
    return Volume((picture(2, -1000.0, matrix) + noise).astype(np.float32), grid(), "HU")


def apart_mm(a, b):
    """Root mean square distance over the middle half of the field."""
    points = np.column_stack([field_points(grid()), np.ones(8)]).T
    return float(np.sqrt((((a - b) @ points)[:3] ** 2).sum(axis=0).mean()))


class RefusingTest(unittest.TestCase):
    def assert_refused(self, code, function, *arguments, **named):
        with self.assertRaises(InputRefused) as caught:
            function(*arguments, **named)
        self.assertEqual(caught.exception.code, code)
        return caught.exception.message


class MotionTest(RefusingTest):
    def test_known_motion_is_found_and_told(self):
        moves = [rigid((0.4 * n, -0.3 * n, 0.9 * n), (0.5 * n, 0, -0.3 * n)) for n in range(7)]
        image = dynamic(moves)
        seen = []
        motion = estimate_motion(image, lambda fraction, text: seen.append(fraction))
        self.assertEqual(motion.reference, (5, 6))
        anchor = next(n for n in (5, 6) if np.array_equal(motion.reference_to_frame[n], np.eye(4)))
        for frame in range(2, 7):
            true = moves[frame] @ np.linalg.inv(moves[anchor])
            self.assertLess(apart_mm(motion.reference_to_frame[frame], true), 0.5, frame)
        self.assertEqual(seen, sorted(seen))
        large = [notice.message for notice in motion.notices if notice.code == "motion-large"]
        self.assertRegex(large[0], r"against frames 6-7; look at their alignment$")
        again = estimate_motion(image)
        np.testing.assert_array_equal(again.reference_to_frame, motion.reference_to_frame)

    def test_a_poor_frame_lies_where_its_neighbor_does_rather_than_back_at_the_reference(self):
        """A neck that moved in the last minutes moved away from all frames before, those of the bolus too."""
        points = np.array([[0.0, 0, 0], [40, 0, 0], [0, 40, 0], [0, 0, 40]])
        found, moved = rigid((0.2, 0.1, 3.9), (0, 0, 0)), rigid((0, 0, 3.8), (0.5, 0, 0))
        for error, neighbor, expected in (
            (1.2, moved, found),  # sure
            (1.4, moved, moved),  # not sure: as the neighbor
            (1.4, np.eye(4), np.eye(4)),  # not sure, and nothing else moved
        ):
            np.testing.assert_array_equal(_settled(found, error, neighbor, points), expected)
        small = rigid((0, 0, 0.3), (0, 0, 0))
        np.testing.assert_array_equal(_settled(small, 1.4, moved, points), np.eye(4))

    def test_what_lies_still_is_left_still(self):
        motion = estimate_motion(dynamic([np.eye(4)] * 7))
        np.testing.assert_array_equal(motion.reference_to_frame, np.tile(np.eye(4), (7, 1, 1)))
        self.assertEqual(motion.notices, ())
        self.assertTrue((motion.uncertainty_mm[np.isfinite(motion.uncertainty_mm)] > 0).all())

    def test_choice_of_reference(self):
        moves = [np.eye(4)] * 4 + [rigid((0, 0, 2.5), (0, 0, 0))] * 3
        motion = estimate_motion(dynamic(moves), reference=[3])
        np.testing.assert_array_equal(motion.reference_to_frame[3], np.eye(4))
        np.testing.assert_allclose(motion.reference_to_frame[6][:3, 3], (0, 0, 2.5), atol=0.6)
        for wrong in ([], [7], [-1]):
            self.assert_refused("motion-reference", estimate_motion, dynamic(moves), reference=wrong)

    def test_cancelled(self):
        def stop(fraction, text):
            raise Cancelled

        with self.assertRaises(Cancelled):
            estimate_motion(dynamic([np.eye(4)] * 7), stop)

    def test_nothing_to_register(self):
        image = dynamic([np.eye(4)] * 7)
        self.assert_refused("pet-empty", estimate_motion, replace(image, activity=np.zeros_like(image.activity)))

    def test_poor_frames_borrow(self):
        self.assertEqual(groups(np.array([0, 0.02, 0.05, 0.04, 0.5, 1])), [[0, 1, 2, 3], [4], [5]])
        self.assertEqual(groups(np.array([0.06, 0.06, 0.5, 1])), [[0, 1], [2], [3]])
        timing = FrameTiming(np.array([0.0, 100, 700, 1300]), np.array([100.0, 600, 600, 600]))
        self.assertEqual(late_frames(timing), [2, 3])

    def test_mean_does_not_fade_where_frames_end(self):
        image = dynamic([np.eye(4)] * 7)
        image = replace(image, activity=np.full_like(image.activity, 5.0))
        mean = mean_image(image, [5, 6], [np.eye(4)] * 6 + [rigid((0, 0, 22), (0, 0, 0))])
        np.testing.assert_allclose(mean.values, 5.0, rtol=1e-6)
        away = mean_image(image, [6], [np.eye(4)] * 6 + [rigid((0, 0, 22), (0, 0, 0))])
        self.assertEqual(set(np.unique(away.values[[0, -1]])), {0.0, 5.0})

    def test_table_tells_the_pose_about_the_middle(self):
        center = np.array([10.0, -20.0, 30.0])
        turn = rigid((0, 0, 0), (0, 0, 90))
        about = turn.copy()
        about[:3, 3] = center - turn[:3, :3] @ center + (0, 0, 2)
        table = motion_table(FrameMotion(np.array([np.eye(4), about]), (0,), center_lps=center), center[None])
        np.testing.assert_allclose(table.translation_mm, [(0, 0, 0), (0, 0, 2)], atol=1e-9)
        np.testing.assert_allclose(table.rotation_deg, [(0, 0, 0), (0, 0, 90)], atol=1e-9)
        np.testing.assert_allclose(table.displacement_mm, [0, 2], atol=1e-9)


class PetToCtTest(RefusingTest):
    @classmethod
    def setUpClass(cls):
        cls.image = dynamic([np.eye(4)] * 7)

    def test_known_shift(self):
        # The CT lies where it was drawn; the person has moved since.
        shift = rigid((5, -4, 6), (2, -1, 3))
        found = align_to_ct(self.image, ct(shift), still(self.image))
        self.assertLess(apart_mm(found.ct_to_reference, np.linalg.inv(shift)), 1.0)
        self.assertGreater(found.information_after, found.information_before)
        self.assertAlmostEqual(found.rotation_deg, 3.7, delta=0.7)
        self.assertFalse(found.kept)

    def test_what_fits_is_left(self):
        for frames in ("all", "early", "late"):
            found = align_to_ct(self.image, ct(), still(self.image), frames)
            self.assertTrue(found.kept)
            np.testing.assert_array_equal(found.ct_to_reference, np.eye(4))
            self.assertEqual([notice.code for notice in found.notices], ["pet-ct-fits"])

    def test_elsewhere(self):
        far = ct()
        far = replace(far, grid=Grid(SHAPE, rigid((0, 0, 100), (0, 0, 0)) @ grid().ijk_to_lps))
        message = self.assert_refused("pet-ct-no-overlap", align_to_ct, self.image, far, still(self.image))
        self.assertRegex(message, r"\d+%")

    def test_back_to_front(self):
        turned = replace(ct(), values=np.ascontiguousarray(ct().values[:, ::-1]))
        message = self.assert_refused("pet-ct-mismatch", align_to_ct, self.image, turned, still(self.image))
        self.assertRegex(message, r"\d")

    def test_nothing_in_common(self):
        noise = np.random.default_rng(3).normal(0, 300, SHAPE).astype(np.float32)
        self.assert_refused("pet-ct-mismatch", align_to_ct, self.image, Volume(noise, grid(), "HU"), still(self.image))


class TransformFilesTest(RefusingTest):
    def test_comes_back_in_every_format(self):
        matrix = rigid((1.5, -20, 300), (10, -5, 3))
        point = np.array([7.0, 8.0, 9.0])
        with tempfile.TemporaryDirectory() as folder:
            for suffix in (".tfm", ".h5"):
                path = Path(folder) / f"a{suffix}"
                write_transform(path, matrix)
                np.testing.assert_allclose(read_transform(path), matrix, atol=1e-9)
                carried = sitk.ReadTransform(str(path)).TransformPoint(point.tolist())
                np.testing.assert_allclose(carried, matrix[:3, :3] @ point + matrix[:3, 3], atol=1e-9)
                self.assert_refused("output-exists", write_transform, path, matrix)

    def test_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.tfm"
            self.assert_refused("transform-missing", read_transform, path)
            broken = Path(folder) / "b.txt"
            broken.write_text("not a transform")
            self.assert_refused("transform-unreadable", read_transform, broken)
            self.assert_refused("transform-suffix", write_transform, path.with_suffix(".xyz"), np.eye(4))
            write_transform(path, np.diag([1.1, 1, 1, 1]))
            self.assert_refused("transform-not-rigid", read_transform, path)

    def test_a_cut_file_is_never_another_transform(self):
        with tempfile.TemporaryDirectory() as folder:
            path, cut = Path(folder) / "a.tfm", Path(folder) / "b.tfm"
            write_transform(path, rigid((1.5, -20, 300.25), (10, -5, 3)))
            sitk.WriteTransform(sitk.TranslationTransform(3, (1.0, 2.0, 3.25)), str(Path(folder) / "c.tfm"))
            np.testing.assert_allclose(read_transform(Path(folder) / "c.tfm")[:3, 3], (1.0, 2.0, 3.25))
            whole = path.read_text()
            for length in range(len(whole)):
                cut.write_text(whole[:length])
                with self.assertRaises(InputRefused) as caught:
                    read_transform(cut)
                self.assertIn(caught.exception.code, ("transform-truncated", "transform-unreadable"))


if __name__ == "__main__":
    unittest.main()
