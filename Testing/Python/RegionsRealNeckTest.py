"""Foramina proposed on a real neck whose foramina are known, as it is and as other scans and labels would show it."""

import unittest
from dataclasses import replace

import numpy as np
from support.realdata import needs_data
from support.realneck import RealNeck
from support.tiers import slow
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.regions.anatomy import Anatomy
from TSPOQuantLib.regions.canal import Canal
from TSPOQuantLib.regions.foramen import canal_axes
from TSPOQuantLib.regions.proposals import propose_foramina
from TSPOQuantLib.regions.quality import check
from TSPOQuantLib.regions.region import Region, region_of
from TSPOQuantLib.regions.two_click import foramen_between

# What is asked of every case: as many proposed, and how far off at most.
MEDIAN_MM, LARGEST_MM, MOST_INWARD, MOST_BONE = 1.5, 3.0, 0.5, 0.25


def looked_for(neck, labels, ct):
    """The proposals of the levels that the neck holds whole, by name without the root."""
    found = {one.name.split(" (")[0]: one for one in propose_foramina(labels, ct)[0]}
    return {name: found[name] for name in neck.truth}


class RealNeckCase(unittest.TestCase):
    def assert_true(self, neck, labels, ct, least=0):
        proposals = looked_for(neck, labels, ct)
        judged = [neck.judged(n, p.segment.mask, ct.grid) for n, p in proposals.items() if p.segment is not None]
        self.assertGreaterEqual(len(judged), least, {name: one.reason for name, one in proposals.items()})
        for one in proposals.values():
            self.assertTrue(one.segment is not None or (one.code and one.reason))
        if judged:
            self.assertLessEqual(np.median([one.distance for one in judged]), MEDIAN_MM)
            self.assertLessEqual(max(one.distance for one in judged), LARGEST_MM)
            self.assertLessEqual(max(one.inward for one in judged), MOST_INWARD)
            self.assertLessEqual(max(one.bone for one in judged), MOST_BONE)
        return proposals


@needs_data
class AsScannedTest(RealNeckCase):
    @classmethod
    def setUpClass(cls):
        cls.neck = RealNeck()
        cls.ct, cls.labels = cls.neck.ct(), cls.neck.labels()

    def test_all_six_are_proposed(self):
        for name, one in self.assert_true(self.neck, self.labels, self.ct, least=6).items():
            with self.subTest(name):
                self.assertGreaterEqual(one.confidence, 0.5)
                self.assertTrue(0.2 < one.placement_mm < 2)
                true = self.neck.truth[name]
                self.assertAlmostEqual(one.passage.height, true["height_mm"], delta=2.0)
                self.assertAlmostEqual(one.passage.width, true["width_mm"], delta=2.0)
                self.assertGreater(one.canal.axes[:, 0] @ true["tangent"], np.cos(np.deg2rad(20)))

    def test_labels_of_another_space_are_refused(self):
        for shift_mm in ((0, 0, -16), (8, 0, 0), (300, 0, 0)):
            with self.subTest(shift_mm), self.assertRaises(InputRefused) as caught:
                propose_foramina(self.neck.labels(shift_mm=shift_mm), self.ct)
            self.assertEqual(caught.exception.code, "labels-elsewhere")

    def test_labels_one_level_too_low(self):
        names = {f"vertebrae_C{n}": f"vertebrae_C{n + 1}" for n in range(2, 6)}
        lower = tuple(replace(one, name=names[one.name], id="") for one in self.labels.segments)
        proposals, _ = propose_foramina(replace(self.labels, segments=lower), self.ct)
        self.assertEqual({one.code for one in proposals}, {"vertebra-numbering"})

    def test_one_side_of_the_neck_alone(self):
        values, first = self.ct.values[:, :, 48:], self.ct.grid.to_lps(np.array([48.0, 0.0, 0.0]))
        matrix = self.ct.grid.ijk_to_lps.copy()
        matrix[:3, 3] = first
        grid = Grid(values.shape, matrix)
        pair = [one for one in self.labels.segments if one.name in ("vertebrae_C3", "vertebrae_C4")]
        labels = Segmentation(grid, tuple(replace(one, mask=one.mask[:, :, 48:]) for one in pair))
        found = {
            one.name.split(" (")[0]: one
            for one in propose_foramina(labels, replace(self.ct, values=values, grid=grid))[0]
        }
        self.assertIsNone(found["foramen C3/C4 right"].segment)
        left = found["foramen C3/C4 left"]
        if left.segment is not None:
            self.assertLess(self.neck.judged("foramen C3/C4 left", left.segment.mask, grid).distance, LARGEST_MM)

    @slow
    def test_a_vertebra_named_as_its_neighbor(self):
        names = {"vertebrae_C3": "vertebrae_C4", "vertebrae_C4": "vertebrae_C3"}
        swapped = [replace(one, name=names.get(one.name, one.name), id="") for one in self.labels.segments]
        proposals = looked_for(self.neck, replace(self.labels, segments=tuple(swapped)), self.ct)
        self.assertTrue(all(one.segment is None for one in proposals.values()))

    @slow
    def test_labels_of_bodies_alone_are_told_from_whole_ones(self):
        bodies = []
        for one in self.labels.segments:
            mask = one.mask.copy()
            mask[:, 50:] = False  # behind y = 255, the back of the bodies
            bodies.append(Segment(one.id, one.name, mask))
        proposals = looked_for(self.neck, replace(self.labels, segments=tuple(bodies)), self.ct)
        self.assertEqual({one.code for one in proposals.values()} & {"vertebra-missing"}, set())


@slow
@needs_data
class DrawnTest(RealNeckCase):
    """Regions that somebody drew, and two clicks."""

    @classmethod
    def setUpClass(cls):
        cls.neck = RealNeck()
        cls.ct = cls.neck.ct()
        cls.labels = [region_of(one, cls.neck.labels().grid) for one in cls.neck.labels().segments]

    def drawn(self, along=0.0, up=0.0, across=0.0):
        """All six, moved in mm along their canals' axes."""
        regions = []
        for name, true in self.neck.truth.items():
            level, side = name.split()[1:]
            axes = canal_axes(1.0 if side == "left" else -1.0)
            center = true["center"] + axes @ np.array([along, up, across])
            canal = Canal(center, axes, 5.0, true["height_mm"], true["width_mm"])
            regions.append(Region(name, Anatomy("foramen", level, side=side), canal.mask(self.ct.grid), self.ct.grid))
        return regions

    def objections(self, regions, ct=None):
        return [n.code for n in check(regions, ct=ct) if n.code.startswith("region-")]

    def test_the_truth_is_not_objected_to(self):
        self.assertEqual(self.objections(self.drawn() + self.labels, self.ct), [])
        self.assertEqual(self.objections(self.drawn(), self.ct), [])

    def test_regions_of_another_space_lie_around_no_bone(self):
        matrices = [
            one.grid.ijk_to_lps + np.array([[0.0] * 4, [0, 0, 0, -20], [0.0] * 4, [0.0] * 4]) for one in self.drawn()
        ]
        away = [replace(one, grid=Grid(one.grid.shape, m)) for one, m in zip(self.drawn(), matrices, strict=True)]
        self.assertEqual(self.objections(away, self.ct).count("region-no-bone"), 1)

    def test_regions_in_the_canal_in_bone_and_between_no_pedicles(self):
        inward = self.objections(self.drawn(along=-5) + self.labels, self.ct)
        self.assertEqual(inward.count("region-in-canal"), 6)
        self.assertEqual(self.objections(self.drawn(across=-5), self.ct).count("region-in-bone"), 6)
        raised = self.objections(self.drawn(up=6) + self.labels)
        self.assertEqual(raised.count("region-in-bone"), 6)
        self.assertEqual(raised.count("region-no-pedicle"), 6)

    def test_two_clicks_keep_the_clicks(self):
        rng = np.random.default_rng(0)
        for name, true in self.neck.truth.items():
            half = np.array(true["tangent"]) * 2.5
            for spread, most in ((0.0, 1.0), (1.0, 2.0)):
                clicks = [true["center"] + sign * half + rng.normal(0, spread, 3) for sign in (-1, 1)]
                with self.subTest(name, spread=spread):
                    segment = foramen_between(*clicks, *name.split()[1:], self.ct)
                    self.assertLess(self.neck.judged(name, segment.mask, self.ct.grid).distance, most)


@slow
@needs_data
class OtherScansTest(RealNeckCase):
    def test_other_voxels(self):
        neck = RealNeck()
        for voxel in (0.5, 2.0, (0.98, 0.98, 2.5)):
            with self.subTest(voxel=voxel):
                self.assert_true(neck, neck.labels(), neck.ct(voxel), least=5)

    def test_leaning_and_turned(self):
        for pose in ({"lean": 30}, {"turn": -20}, {"roll": 20, "lean": -15}):
            neck = RealNeck(**pose)
            with self.subTest(**pose):
                self.assert_true(neck, neck.labels(), neck.ct(), least=5)

    def test_spurs(self):
        for spurs, wall in ((2, "uncus"), (3, "facet")):
            neck = RealNeck(spurs=spurs, wall=wall)
            with self.subTest(spurs=spurs, wall=wall):
                self.assert_true(neck, neck.labels(), neck.ct())

    def test_labels_that_are_coarse_thin_thick_or_shifted(self):
        neck = RealNeck()
        ct = neck.ct()
        for labels in (
            {"voxel_mm": 3.0},
            {"change": "eroded"},
            {"change": "dilated"},
            {"shift_mm": (0, 2, -1)},
        ):
            with self.subTest(**labels):
                self.assert_true(neck, neck.labels(**labels), ct, least=5)


if __name__ == "__main__":
    unittest.main()
