"""The digital neck has the published sizes, in the right places, in both of its positions."""

import unittest
from functools import cache

import numpy as np
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.phantom.anatomy import build_anatomy, ct_grid, structures_at
from TSPOQuantLib.phantom.neck import (
    BONES,
    CENTERS_MM,
    FORAMEN_SIZE_MM,
    LABEL,
    STRUCTURES,
    Build,
    Pose,
    draw_build,
    draw_pose,
    spine_of,
)
from TSPOQuantLib.phantom.scanner import blur_between
from TSPOQuantLib.phantom.segments import segment_numbers, segments
from TSPOQuantLib.phantom.settings import REFERENCE_SEED, VISITS
from TSPOQuantLib.phantom.spine import tabulated
from TSPOQuantLib.progress import silent

UPRIGHT = Pose(np.eye(4))


def block(center_mm, size_mm, step_mm):
    """A cubic grid of fine voxels round a point."""
    n = round(size_mm / step_mm)
    matrix = np.diag([step_mm, step_mm, step_mm, 1.0])
    matrix[:3, 3] = np.asarray(center_mm) - step_mm * (n - 1) / 2
    return Grid((n, n, n), matrix)


def drawn(visit, grid):
    return build_anatomy(grid, Build(), draw_pose(REFERENCE_SEED, visit, np.random.default_rng(0)), silent)


@cache
def reference_table():
    return tabulated(spine_of(Build(), UPRIGHT), (-110, -110), (110, 110))


def names_at(points):
    labels, _ = structures_at(np.asarray(points, np.float32).T, reference_table())
    return [STRUCTURES[label] for label in labels]


class ForamenTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.foramina = {visit: {f.name: f for f in drawn(visit, block((0, 0, 0), 8, 4)).foramina} for visit in VISITS}

    def test_volume_and_center_of_the_drawn_canal(self):
        for visit in VISITS:
            for name in ("foramen C6/C7 left (root C7)", "foramen C3/C4 right (root C4)"):
                with self.subTest(visit=visit, name=name):
                    foramen = self.foramina[visit][name]
                    height, width = FORAMEN_SIZE_MM[foramen.level]
                    anatomy = drawn(visit, block(foramen.center_lps_mm, 14, 0.25))
                    inside = np.argwhere(anatomy.labels == LABEL[name])[:, ::-1]
                    volume = len(inside) * anatomy.grid.voxel_volume_mm3
                    # The coordinates bend with the discs, which changes volumes a little.
                    self.assertAlmostEqual(volume / (np.pi / 4 * 5 * height * width), 1.0, delta=0.02)
                    middle = anatomy.grid.to_lps(inside.mean(axis=0))
                    np.testing.assert_allclose(middle, foramen.center_lps_mm, atol=0.1)
                    spread = (anatomy.grid.to_lps(inside.astype(float)) - middle) @ foramen.axes_lps
                    np.testing.assert_allclose(np.ptp(spread, axis=0), (5, height, width), atol=0.5)

    def test_recovery_of_a_hot_foramen_in_a_cold_background(self):
        foramen = self.foramina["baseline"]["foramen C6/C7 left (root C7)"]
        anatomy = drawn("baseline", block(foramen.center_lps_mm, 36, 0.5))
        hot = (anatomy.labels == LABEL[foramen.name]).astype(np.float32)
        # Simulated independently, for voxels much smaller than the resolution.
        for fwhm, recovery in ((4, 0.48), (5, 0.39), (6, 0.31), (7, 0.24)):
            blurred = blur_between(anatomy.grid, anatomy.grid, anatomy.grid.spacing_mm, fwhm)(hot)
            self.assertAlmostEqual(blurred[hot > 0].mean(), recovery, delta=0.02)

    def test_directions_are_anatomical(self):
        for name, foramen in self.foramina["baseline"].items():
            with self.subTest(name):
                outward, up, across = foramen.axes_lps.T
                sign = 1 if foramen.side == "left" else -1
                self.assertGreater(sign * foramen.center_lps_mm[0], 10)
                np.testing.assert_allclose(foramen.axes_lps.T @ foramen.axes_lps, np.eye(3), atol=1e-12)
                self.assertGreater(sign * outward[0], 0.6)
                self.assertLess(outward[1], -0.4)
                self.assertGreater(up[2], 0.85)
                self.assertGreater(across[1], 0.5)

    def test_bounded_by_pedicles_body_and_facets(self):
        for name, foramen in self.foramina["baseline"].items():
            with self.subTest(name):
                center, (_, up, across) = foramen.center_lps_mm, foramen.axes_lps.T
                _, height, width = foramen.length_height_width_mm
                upper, lower = foramen.level.split("/")
                around = names_at(
                    [
                        center,
                        center + up * (height / 2 + 1.2),
                        center - up * (height / 2 + 1.2),
                        center + across * (width / 2 + 2.5),
                        center - across * (width / 2 + 1.5),
                    ]
                )
                self.assertEqual(around[:3], [name, f"vertebra {upper}", f"vertebra {lower}"])
                self.assertIn(around[3], (f"vertebra {upper}", f"vertebra {lower}", "cartilage"))
                self.assertIn(around[4], (f"vertebra {upper}", f"vertebra {lower}", "cartilage"))

    def test_opens_towards_the_canal_and_outwards(self):
        for name, foramen in self.foramina["baseline"].items():
            with self.subTest(name):
                outward = foramen.axes_lps[:, 0]
                ends = names_at([foramen.center_lps_mm - 3.2 * outward, foramen.center_lps_mm + 3.2 * outward])
                self.assertFalse(set(ends) & set(BONES), ends)


class NeckTest(unittest.TestCase):
    def test_published_size_of_the_cord(self):
        spine = spine_of(Build(), UPRIGHT)
        for level, depth, width in (("C4", 8.7, 14.0), ("C7", 7.4, 11.4)):
            with self.subTest(level):
                along = CENTERS_MM[level]
                offsets = np.arange(-12, 12, 0.05)
                across = names_at([spine.to_lps(a, 6.5, along) for a in offsets])
                deep = names_at([spine.to_lps(0, 6.5 + a, along) for a in offsets])
                self.assertAlmostEqual(across.count(f"cord {level}") * 0.05, width, delta=0.11)
                self.assertAlmostEqual(deep.count(f"cord {level}") * 0.05, depth, delta=0.11)
                canal = [name for a, name in zip(offsets, across, strict=True) if abs(a) < 11]
                self.assertEqual(set(canal), {f"cord {level}", "csf", "fat"})

    def test_side_of_everything_paired(self):
        anatomy = drawn("baseline", ct_grid(True))
        for name in STRUCTURES:
            for side, sign in (("left", 1), ("right", -1)):
                if f" {side}" in name:
                    x = anatomy.grid.to_lps(np.argwhere(anatomy.labels == LABEL[name])[:, ::-1].astype(float))[:, 0]
                    self.assertGreater((sign * x).min(), 0, name)

    def test_every_segment_lies_in_the_fast_field_at_both_visits(self):
        for visit in VISITS:
            anatomy = drawn(visit, ct_grid(True))
            numbers = segment_numbers(anatomy.labels, anatomy.grid)
            for number, segment in enumerate(segments(), start=1):
                self.assertGreater((numbers == number).sum() * anatomy.grid.voxel_volume_mm3, 140, segment.name)

    def test_ct_numbers(self):
        anatomy = drawn("baseline", block((0, 0, 20), 60, 1.0))
        for name, low, high in (("air", -1010, -900), ("muscle", 30, 150), ("vertebra C4", 250, 900)):
            found = anatomy.hounsfield[anatomy.labels == LABEL[name]]
            if found.size:
                self.assertTrue(low < np.median(found) < high, (name, np.median(found)))

    def test_flexion_keeps_vertebrae_rigid_and_moves_the_head(self):
        straight, bent = spine_of(Build(), UPRIGHT), spine_of(Build(), Pose(np.eye(4), 6.0))
        corners = [(-8, -12, -4), (8, -12, -4), (0, 30, -4), (0, -1, 5)]
        for level in ("C3", "C6"):
            before, after = (
                np.array([spine.to_lps(u, v, CENTERS_MM[level] + s) for u, v, s in corners])
                for spine in (straight, bent)
            )
            distances = [np.linalg.norm(a[:, None] - a, axis=-1) for a in (before, after)]
            np.testing.assert_allclose(*distances, atol=0.01)
        self.assertGreater(
            np.linalg.norm(straight.to_lps(0, 0, CENTERS_MM["C2"]) - bent.to_lps(0, 0, CENTERS_MM["C2"])), 2
        )

    def test_table_inverts_the_spine(self):
        spine = spine_of(Build(scoliosis_mm=3), Pose(np.eye(4), 5.0))
        table = tabulated(spine, (-110, -110), (110, 110))
        rng = np.random.default_rng(2)
        wanted = rng.uniform((-25, -18, 5), (25, 30, 150), (200, 3))
        points = np.array([spine.to_lps(*p) for p in wanted], np.float32)
        found = np.stack(table.to_spine(*points.T), axis=1)
        np.testing.assert_allclose(found, wanted, atol=0.15)

    def test_reference_seed_is_the_reference_and_others_vary(self):
        rng = np.random.default_rng(1)
        self.assertEqual(draw_build(REFERENCE_SEED, rng), Build())
        self.assertNotEqual(draw_build(REFERENCE_SEED + 1, rng), draw_build(REFERENCE_SEED + 2, rng))


if __name__ == "__main__":
    unittest.main()
