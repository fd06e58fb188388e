"""The simulated scanner against brute force: resolution, voxels, motion, noise."""

import unittest

import numpy as np
from scipy.ndimage import gaussian_filter1d
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.phantom.neck import LABEL, STRUCTURES, rigid
from TSPOQuantLib.phantom.scanner import (
    axis_weights,
    blur_between,
    counts_per_activity,
    decay_factors,
    draw_motion,
    image_frames,
    majority_labels,
    with_count_noise,
)
from TSPOQuantLib.phantom.tracer import FRAME_DURATIONS_S, FRAME_STARTS_S, HALF_LIFE_S

FRAMES = len(FRAME_STARTS_S)


def grid(shape, spacing, center=(0.0, 0.0, 0.0)):
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = np.array(center) - np.array(spacing) * (np.array(shape[::-1]) - 1) / 2
    return Grid(shape, matrix)


OBJECT = grid((40, 60, 60), (0.6, 0.6, 1.0), (0.13, 0.11, 0.17))
IMAGE = grid((18, 16, 16), (2.0, 2.0, 2.0))


def ball(center=(0.0, 0.0, 0.0), radius=6.0):
    """Labels with a ball of the first structure in air."""
    k, j, i = np.indices(OBJECT.shape)
    points = OBJECT.to_lps(np.stack([i, j, k], axis=-1).astype(float))
    inside = ((points - np.array(center)) ** 2).sum(axis=-1) < radius**2
    return np.where(inside, 0, LABEL["air"]).astype(np.uint8)


def curves(value=10.0):
    found = np.zeros((len(STRUCTURES), FRAMES))
    found[0] = value
    return found


class ResolutionTest(unittest.TestCase):
    def test_weights_against_numerical_integration(self):
        edges, sigma, fine = np.arange(-6.0, 6.01, 0.6), 5 / 2.354820045, 0.005
        x = np.arange(-40, 40, fine)
        found = axis_weights(np.array([-3.0, 0.5]), 2.0, edges, sigma)
        for cell in (5, 9, 10):
            inside = ((x >= edges[cell]) & (x < edges[cell + 1])).astype(float)
            blurred = gaussian_filter1d(inside, sigma / fine, truncate=8)
            for sample, center in enumerate((-3.0, 0.5)):
                mean = blurred[np.abs(x - center) < 1.0].mean()
                self.assertAlmostEqual(found[sample, cell], mean, delta=2e-4)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)

    def test_uniform_object_stays_uniform_to_the_edge(self):
        found = blur_between(OBJECT, IMAGE, IMAGE.spacing_mm, 6.0)(np.full(OBJECT.shape, 7.0, np.float32))
        np.testing.assert_allclose(found, 7.0, rtol=1e-5)

    def test_activity_is_conserved_and_never_negative(self):
        labels = ball()
        image = next(image_frames(labels, OBJECT, IMAGE, curves(), np.stack([np.eye(4)] * FRAMES), 5.0))
        total = 10.0 * (labels == 0).sum() * OBJECT.voxel_volume_mm3
        self.assertAlmostEqual(image.sum() * IMAGE.voxel_volume_mm3 / total, 1, delta=2e-3)
        self.assertGreaterEqual(image.min(), 0)

    def test_majority_is_the_largest_overlap(self):
        rng = np.random.default_rng(3)
        source, target = grid((9, 12, 12), (0.6, 0.6, 1.0), (0.13, 0.11, 0.17)), grid((3, 3, 3), (2.0, 2.0, 2.0))
        labels = rng.integers(0, 4, source.shape).astype(np.uint8)
        wanted = np.zeros((4, *target.shape))
        for voxel in np.ndindex(target.shape):
            low = target.to_lps(np.array(voxel[::-1], float)) - 1
            shares = []
            for axis in range(3):
                centers = source.ijk_to_lps[axis, 3] + source.spacing_mm[axis] * np.arange(source.shape[2 - axis])
                half = source.spacing_mm[axis] / 2
                overlap = np.minimum(centers + half, low[axis] + 2) - np.maximum(centers - half, low[axis])
                shares.append(np.clip(overlap, 0, None))
            weight = shares[2][:, None, None] * shares[1][:, None] * shares[0]
            for label in range(4):
                wanted[(label, *voxel)] = weight[labels == label].sum()
        np.testing.assert_array_equal(majority_labels(labels, source, target), wanted.argmax(axis=0))

    def test_ideal_scanner_shows_whole_structures(self):
        images = list(image_frames(ball(), OBJECT, IMAGE, curves(), np.stack([np.eye(4)] * FRAMES), 0.0))
        self.assertEqual(set(np.unique(images[5])), {0.0, 10.0})


class MotionTest(unittest.TestCase):
    def test_spread_over_frames_is_what_was_asked(self):
        motion = draw_motion(1.5, np.random.default_rng(8))
        np.testing.assert_array_equal(motion[0], np.eye(4))
        np.testing.assert_allclose(motion[:, :3, 3].std(axis=0), 1.5, rtol=1e-9)
        about_z = np.degrees(np.arctan2(motion[:, 1, 0], motion[:, 0, 0]))
        self.assertAlmostEqual(about_z.std(), 1.5, delta=1e-6)

    def test_moved_image_is_the_image_of_the_moved_object(self):
        shift = np.array([1.2, -0.6, 2.0])  # whole voxels of the object
        still, moved = np.stack([np.eye(4)] * FRAMES), np.stack([rigid(np.zeros(3), shift)] * FRAMES)
        for fwhm in (5.0, 3.0):
            with self.subTest(fwhm):
                wanted = next(image_frames(ball(shift), OBJECT, IMAGE, curves(), still, fwhm))
                found = next(image_frames(ball(), OBJECT, IMAGE, curves(), moved, fwhm))
                self.assertLess(np.abs(found - wanted).max(), 0.1)

    def test_moved_object_of_the_ideal_scanner(self):
        shift = np.array([0.0, 1.2, 2.0])  # whole voxels of the object
        still, moved = np.stack([np.eye(4)] * FRAMES), np.stack([rigid(np.zeros(3), shift)] * FRAMES)
        wanted = next(image_frames(ball(shift), OBJECT, IMAGE, curves(), still, 0.0))
        found = next(image_frames(ball(), OBJECT, IMAGE, curves(), moved, 0.0))
        np.testing.assert_array_equal(found, wanted)

    def test_rotation_turns_the_right_way(self):
        center, turn = np.array([8.0, 0.0, 0.0]), np.array([0.0, 0.0, 30.0])
        wanted_center = np.array([8 * np.cos(np.pi / 6), 8 * np.sin(np.pi / 6), 0])
        still, moved = np.stack([np.eye(4)] * FRAMES), np.stack([rigid(turn, np.zeros(3))] * FRAMES)
        wanted = next(image_frames(ball(wanted_center, 4), OBJECT, IMAGE, curves(), still, 5.0))
        found = next(image_frames(ball(center, 4), OBJECT, IMAGE, curves(), moved, 5.0))
        # The two balls are voxelised differently; turned the other way they would differ by 6.
        self.assertLess(np.abs(found - wanted).max(), 0.4)


class NoiseTest(unittest.TestCase):
    def setUp(self):
        self.curves = np.zeros((len(STRUCTURES), FRAMES))
        self.curves[LABEL["muscle"]] = 2.0

    def test_muscle_has_the_noise_asked_in_its_first_600_s_frame(self):
        frame = int(np.argmax(FRAME_DURATIONS_S == 600))
        image = np.full((40, 50, 50), 2.0, np.float32)
        noisy = with_count_noise(image, frame, counts_per_activity(self.curves, 20.0), np.random.default_rng(0))
        self.assertAlmostEqual(noisy.std() / 2.0, 0.20, delta=0.003)
        self.assertAlmostEqual(noisy.mean(), 2.0, delta=0.01)

    def test_short_and_late_frames_are_noisier(self):
        per_activity = counts_per_activity(self.curves, 20.0)
        image = np.full((20, 40, 40), 2.0, np.float32)
        spread = [with_count_noise(image, f, per_activity, np.random.default_rng(f)).std() / 2 for f in (7, 15, 18)]
        counts = FRAME_DURATIONS_S / decay_factors()
        np.testing.assert_allclose(spread, 0.2 * np.sqrt(counts[15] / counts[[7, 15, 18]]), rtol=0.05)

    def test_decay_factor_is_the_frame_average(self):
        for frame in (0, 8, 18):
            t = np.linspace(0, FRAME_DURATIONS_S[frame], 20001) + FRAME_STARTS_S[frame]
            decaying = np.trapezoid(0.5 ** (t / HALF_LIFE_S), t) / FRAME_DURATIONS_S[frame]
            self.assertAlmostEqual(decay_factors()[frame] * decaying, 1, delta=1e-7)


if __name__ == "__main__":
    unittest.main()
