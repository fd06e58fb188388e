"""The scanner that projects, counts and reconstructs: against closed forms, and against what is known of OSEM."""

import unittest

import numpy as np
from support.tiers import slow
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.phantom.neck import LABEL, STRUCTURES, rigid
from TSPOQuantLib.phantom.osem import attenuation_per_mm, counts_per_length, osem_frames, osem_scanner
from TSPOQuantLib.phantom.projection import Rays, ray_matrix
from TSPOQuantLib.phantom.settings import OsemOptions, PhantomSettings, osem_options
from TSPOQuantLib.phantom.tracer import FRAME_DURATIONS_S, FRAME_STARTS_S

FRAMES = len(FRAME_STARTS_S)
LATE = int(np.argmax(FRAME_DURATIONS_S == 600))


def grid(shape, spacing, center=(0.0, 0.0, 0.0)):
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = np.array(center) - np.array(spacing) * (np.array(shape[::-1]) - 1) / 2
    return Grid(shape, matrix)


OBJECT = grid((12, 100, 100), (1.0, 1.0, 1.5), (0.13, 0.11, 0.17))
IMAGE = grid((9, 50, 50), (2.0, 2.0, 2.0))
BALL = 4.0


def cylinder(hot=5.0, radius=40.0, center=(10.0, -6.0)):
    """(labels, HU, curves): a cylinder of water of activity 1 with a hot rod in it, in air."""
    y, x = (OBJECT.ijk_to_lps[a, 3] + OBJECT.spacing_mm[a] * np.arange(100) for a in (1, 0))
    distance = np.hypot(x, y[:, None])
    rod = np.hypot(x - center[0], y[:, None] - center[1]) < BALL
    plane = np.where(rod, 0, np.where(distance < radius, LABEL["muscle"], LABEL["air"]))
    labels = np.broadcast_to(plane, OBJECT.shape).astype(np.uint8)
    curves = np.zeros((len(STRUCTURES), FRAMES))
    curves[LABEL["muscle"]], curves[0] = 1.0, hot
    return labels, np.where(labels == LABEL["air"], -1000.0, 0.0).astype(np.float32), curves


def rod_and_rest(image, center=(10.0, -6.0)):
    """Voxels in the rod, and voxels of the cylinder far from it and from the rim."""
    y, x = (IMAGE.ijk_to_lps[a, 3] + 2.0 * np.arange(50) for a in (1, 0))
    near = np.hypot(x - center[0], y[:, None] - center[1])
    return image[:, near < BALL], image[:, (near > 16) & (np.hypot(x, y[:, None]) < 28)]


def frames(options, labels, hounsfield, curves, noise=0.0, motion=None, wanted=(LATE,)):
    scanner = osem_scanner(hounsfield, OBJECT, IMAGE, 5.0, options)
    moved = np.stack([np.eye(4) if motion is None else motion] * FRAMES)
    streams = [np.random.default_rng([7, n]) for n in range(FRAMES)]
    every = osem_frames(scanner, labels, OBJECT, curves, moved, noise, streams)
    return [image for n, image in zip(range(max(wanted) + 1), every, strict=False) if n in wanted]


class ProjectionTest(unittest.TestCase):
    def test_an_ellipse_projects_as_its_radon_transform(self):
        rays = Rays(1, 24, 60, 2.0)
        spacing, a, b, center = 0.5, 31.0, 17.0, np.array([6.0, -4.0])
        x, y = np.meshgrid(*(spacing * (np.arange(200) - 99.5),) * 2)
        inside = ((x - center[0]) / a) ** 2 + ((y - center[1]) / b) ** 2 < 1
        angles = rays.angles(0)
        lengths = ray_matrix(x[inside], y[inside], (spacing, spacing), rays, angles).sum(axis=0)
        found = np.asarray(lengths).reshape(24, 60)
        fine = (rays.edges_mm[:-1, None] + 2.0 * (np.arange(40) + 0.5) / 40)[None]
        along = np.array([np.cos(angles), np.sin(angles)])
        reach = np.sqrt((a * along[0]) ** 2 + (b * along[1]) ** 2)[:, None, None]
        away = fine - (center @ along)[:, None, None]
        # Chord of an ellipse: 2 a b sqrt(w^2 - s^2) / w^2, w its half width as seen from the angle [textbook].
        chords = 2 * a * b * np.sqrt(np.maximum(reach**2 - away**2, 0)) / reach**2
        wanted = chords.mean(axis=2)
        self.assertLess(np.abs(found - wanted).max(), 0.03 * wanted.max())
        self.assertLess(np.abs(found - wanted).mean(), 0.002 * wanted.max())
        np.testing.assert_allclose(found.sum(axis=1) * 2.0, np.pi * a * b, rtol=2e-3)

    def test_times_of_flight_add_up_and_tell_where_along_the_ray(self):
        x, y = np.array([3.0, 3.0]), np.array([-40.0, 40.0])
        plain, timed = Rays(1, 1, 30, 2.0), Rays(1, 1, 30, 2.0, 5)
        angle = np.array([0.0])
        whole = ray_matrix(x, y, (2.0, 2.0), plain, angle).toarray()
        parts = ray_matrix(x, y, (2.0, 2.0), timed, angle).toarray().reshape(2, 5, 30)
        np.testing.assert_allclose(parts.sum(axis=1), whole, atol=2e-3)
        middle = parts.sum(axis=2) @ np.arange(5) / parts.sum(axis=(1, 2))
        self.assertGreater(middle[1] - middle[0], 1.2)

    def test_water_attenuates_as_the_tables_say(self):
        found = attenuation_per_mm(np.array([-1000.0, 0.0, 1000.0], np.float32))
        np.testing.assert_allclose(found, [0.0, 0.0096, 0.0149], rtol=0.01)


@slow
class ReconstructionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.object = cylinder()
        cls.few, cls.many, cls.modeled = (
            frames(options, *cls.object)[0]
            for options in (OsemOptions(1, 12), OsemOptions(8, 12), OsemOptions(8, 12, psf=True))
        )

    def test_the_mean_of_a_large_structure_is_its_activity(self):
        for image in (self.few, self.many, self.modeled):
            _, rest = rod_and_rest(image)
            self.assertAlmostEqual(rest.mean(), 1.0, delta=0.02)

    def test_more_updates_and_a_model_of_the_blur_recover_more_of_a_small_one(self):
        few, many, modeled = (rod_and_rest(image)[0].mean() for image in (self.few, self.many, self.modeled))
        self.assertLess(few, 0.85 * many)
        self.assertGreater(modeled, 1.05 * many)
        self.assertLess(many, 5.0)

    def test_recovery_depends_on_contrast(self):
        (cold,) = frames(OsemOptions(2, 12), *cylinder(hot=0.0))
        (hot,) = frames(OsemOptions(2, 12), *cylinder(hot=6.0))
        lost, gained = 1 - rod_and_rest(cold)[0].mean(), rod_and_rest(hot)[0].mean() - 1
        self.assertGreater(abs(gained / 5.0 - lost), 0.02)

    def test_times_of_flight_change_the_noise_not_the_mean(self):
        options = (OsemOptions(2, 12), OsemOptions(2, 12, tof=True))
        clean = [rod_and_rest(frames(one, *self.object)[0])[1].mean() for one in options]
        np.testing.assert_allclose(clean, 1.0, atol=0.03)

    def test_the_image_moves_with_the_object(self):
        motion = rigid(np.zeros(3), np.array([6.0, -4.0, 0.0]))
        (image,) = frames(OsemOptions(4, 12), *self.object, motion=motion)
        rod, _ = rod_and_rest(image, center=(16.0, -10.0))
        away, _ = rod_and_rest(image)
        self.assertGreater(rod.mean(), 1.5 * away.mean())


class NoiseTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        labels, hounsfield, curves = cylinder(hot=1.0)
        curves[:, 0] = 0.0
        cls.empty, cls.short, cls.late = frames(OsemOptions(), labels, hounsfield, curves, 20.0, wanted=(0, 1, LATE))

    def test_noise_is_never_negative_and_correlated(self):
        self.assertGreaterEqual(min(self.short.min(), self.late.min()), 0)
        off = self.late[:, 10:40, 10:40] - 1
        neighbors = (off[..., 1:] * off[..., :-1]).mean() / (off**2).mean()
        self.assertGreater(neighbors, 0.3)

    def test_a_frame_of_few_counts_keeps_its_mean_and_one_without_any_is_empty(self):
        self.assertTrue(np.isfinite(self.short).all())
        self.assertAlmostEqual(rod_and_rest(self.short)[1].mean(), 1.0, delta=0.2)
        self.assertGreater(rod_and_rest(self.short)[1].std(), 2 * rod_and_rest(self.late)[1].std())
        self.assertEqual(self.empty.max(), 0.0)

    def test_counts_follow_duration_decay_and_the_noise_asked(self):
        self.assertAlmostEqual(counts_per_length(LATE, 10.0) / counts_per_length(LATE, 20.0), 4.0)
        per_second = [counts_per_length(n, 20.0) / FRAME_DURATIONS_S[n] for n in (LATE, FRAMES - 1)]
        self.assertAlmostEqual(per_second[0] / per_second[1], 2 ** (1800 / 1221.84), delta=1e-6)


class SettingsTest(unittest.TestCase):
    def test_what_a_scanner_may_be_called(self):
        self.assertEqual(osem_options("osem"), OsemOptions())
        self.assertEqual(osem_options("osem:10,12"), OsemOptions(10, 12))
        self.assertEqual(osem_options("osem:3,21,psf,tof"), OsemOptions(3, 21, True, True))
        self.assertEqual(osem_options("osem:psf"), OsemOptions(psf=True))
        for said in ("oscm", "osem:3", "osem:0,12", "osem:3,12,pfs", "osem:3,12,2", "osem:3,400", "gaussian:2", ""):
            with self.subTest(said), self.assertRaises(InputRefused) as refused:
                PhantomSettings(scanner=said)
            self.assertEqual(refused.exception.code, "phantom-scanner")

    def test_hot_neighbors_come_with_the_scanner_unless_said_otherwise(self):
        self.assertFalse(PhantomSettings().hot)
        self.assertTrue(PhantomSettings(scanner="osem").hot)
        self.assertTrue(PhantomSettings(hot_neighbors=True).hot)
        self.assertFalse(PhantomSettings(scanner="osem", hot_neighbors=False).hot)


if __name__ == "__main__":
    unittest.main()
