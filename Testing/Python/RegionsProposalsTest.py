"""Foramina from two clicks and from vertebra labels, on simulated necks whose foramina are known."""

import unittest
from dataclasses import replace

import numpy as np
import SimpleITK as sitk
from support import checkout  # noqa: F401
from support.realdata import DATA, needs_data
from support.tiers import slow
from TSPOQuantLib.acquisition.image import Volume
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused, Notice
from TSPOQuantLib.phantom.neck import LABEL
from TSPOQuantLib.regions.proposals import propose_cord, propose_foramina
from TSPOQuantLib.regions.two_click import foramen_between

from tools.validation.regions import center, dice, labeled, neck, proposals
from tools.validation.shapes import middle_grid

SOME = (5, 11)
"""Of the five necks that docs/validation.md has."""


def without(labels, *names):
    return replace(labels, segments=tuple(s for s in labels.segments if s.name not in names))


class OneNeckTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.anatomy, cls.ct = neck(2)
        cls.labels = labeled(cls.anatomy, 2)

    @slow
    def test_all_are_found_at_the_right_level_and_side(self):
        distances = []
        for proposal, true in zip(propose_foramina(self.labels, self.ct)[0], self.anatomy.foramina, strict=True):
            with self.subTest(true.name):
                self.assertIsNotNone(proposal.segment, proposal.reason)
                self.assertEqual(proposal.segment.name, true.name)
                self.assertEqual(proposal.segment.tags["TSPOQuant.Root"], true.root)
                mask = proposal.segment.mask
                distances.append(np.linalg.norm(center(mask, self.ct.grid) - true.center_lps_mm))
                self.assertLess(distances[-1], 2)
                self.assertGreater(dice(mask, self.anatomy.labels == LABEL[true.name]), 0.6)
        self.assertLess(np.median(distances), 1)

    def test_no_labels_at_all(self):
        found, _ = propose_foramina(replace(self.labels, segments=()), self.ct)
        self.assertEqual([one.segment for one in found], [None] * 12)

    def test_the_cord_is_cut_between_vertebrae(self):
        pieces = propose_cord(self.labels)
        self.assertEqual([piece.name for piece in pieces], ["cord C3", "cord C4", "cord C5", "cord C6", "cord C7"])
        for piece in pieces:
            with self.subTest(piece.name):
                true = center(self.anatomy.labels == LABEL[piece.name], self.anatomy.grid)
                self.assertLess(np.linalg.norm(center(piece.segment.mask, self.labels.grid) - true), 2)
        self.assertTrue(all(piece.segment is None for piece in propose_cord(without(self.labels, "spinal_cord"))))
        doubt = Notice("vertebra-numbering", "the labels are one level off")
        self.assertEqual({piece.code for piece in propose_cord(self.labels, (doubt,))}, {"vertebra-numbering"})

    def test_two_clicks(self):
        rng = np.random.default_rng(1)
        for true in self.anatomy.foramina:
            half = true.axes_lps[:, 0] * true.length_height_width_mm[0] / 2
            clicks = [true.center_lps_mm + sign * half + rng.normal(0, 0.5, 3) for sign in (-1, 1)]
            with self.subTest(true.name):
                segment = foramen_between(*clicks, true.level, true.side, self.ct)
                self.assertEqual(segment.name, true.name)
                self.assertLess(np.linalg.norm(center(segment.mask, self.ct.grid) - true.center_lps_mm), 2)
                self.assertGreater(dice(segment.mask, self.anatomy.labels == LABEL[true.name]), 0.6)

    def test_clicks_that_cannot_be(self):
        inner, outer = np.array([12.0, 0.0, 0.0]), np.array([15.5, -3.5, -1.0])
        cases = {
            "foramen-level": (inner, outer, "C1/C2", "left"),
            "foramen-clicks": (inner, outer + 30, "C5/C6", "left"),
            "foramen-side": (inner, outer, "C5/C6", "right"),
        }
        for code, (first, second, level, side) in cases.items():
            with self.subTest(code), self.assertRaises(InputRefused) as caught:
                foramen_between(first, second, level, side, self.ct)
            self.assertEqual(caught.exception.code, code)


class DeclinedTest(unittest.TestCase):
    """Labels that are wrong, on the middle of a neck, which does not show C2."""

    beyond = frozenset({"foramen C2/C3 left", "foramen C2/C3 right"})

    @classmethod
    def setUpClass(cls):
        anatomy, cls.ct = neck(2, grid=middle_grid())
        cls.labels = labeled(anatomy, 2)

    def without(self, *names):
        return without(self.labels, *names)

    def merged(self, kept, gone):
        """Both vertebrae under the first one's label."""
        masks = {s.name: s.mask for s in self.labels.segments}
        both = masks[kept] | masks[gone]
        segments = [replace(s, mask=both) if s.name == kept else s for s in self.without(gone).segments]
        return replace(self.labels, segments=tuple(segments))

    def declined(self, labels):
        return {p.name.split(" (")[0] for p in propose_foramina(labels, self.ct)[0] if p.segment is None}

    def test_a_missing_vertebra_is_not_guessed(self):
        sides = ("left", "right")
        gone = self.declined(self.without("vertebrae_C5"))
        lost = {f"foramen {level} {side}" for level in ("C4/C5", "C5/C6") for side in sides}
        self.assertEqual(gone, lost | self.beyond)

    @slow
    def test_two_vertebrae_under_one_label_are_not_guessed(self):
        gone = self.declined(self.merged("vertebrae_C5", "vertebrae_C6"))
        for level in ("C4/C5", "C5/C6", "C6/C7"):
            self.assertIn(f"foramen {level} left", gone)

    @slow
    def test_fused_vertebrae_are_not_guessed(self):
        masks = {s.name: s.mask for s in self.labels.segments}
        upper, lower = masks["vertebrae_C5"], masks["vertebrae_C6"]
        disc = np.zeros_like(upper)
        for j, i in np.argwhere((upper | lower).any(axis=0)):
            tops, undersides = np.flatnonzero(lower[:, j, i]), np.flatnonzero(upper[:, j, i])
            if len(tops) and len(undersides) and 0 < undersides.min() - tops.max() < 8:
                disc[tops.max() + 1 : undersides.min(), j, i] = True
        fused = [replace(s, mask=s.mask | disc) if s.name == "vertebrae_C6" else s for s in self.labels.segments]
        labels = replace(self.labels, segments=tuple(fused))
        gone = self.declined(labels)
        self.assertEqual(gone, {"foramen C5/C6 left", "foramen C5/C6 right"} | self.beyond)
        cut = {one.name: one.segment for one in propose_cord(labels)}
        apart = {one.name: one.segment for one in propose_cord(self.labels)}
        for name in ("cord C5", "cord C6"):
            shared = np.count_nonzero(cut[name].mask & apart[name].mask)
            self.assertGreater(shared, 0.9 * np.count_nonzero(apart[name].mask))

    @slow
    def test_upside_down_labels_are_not_guessed(self):
        names = {"vertebrae_C5": "vertebrae_C6", "vertebrae_C6": "vertebrae_C5"}
        swapped = [replace(s, name=names.get(s.name, s.name)) for s in self.labels.segments]
        self.assertIn("foramen C5/C6 left", self.declined(replace(self.labels, segments=tuple(swapped))))


@needs_data
class RealNeckTest(unittest.TestCase):
    def test_a_planning_ct_is_too_coarse_to_show_a_foramen(self):
        image = sitk.ReadImage(str(DATA / "ct" / "openkbp_pt277" / "ct_hu_minus1000.nii.gz"))
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) @ np.diag(image.GetSpacing())
        matrix[:3, 3] = image.GetOrigin()
        values = sitk.GetArrayFromImage(image).astype(np.float32)
        ct = Volume(values, Grid(values.shape, matrix), "HU")
        middle = ct.grid.to_lps((np.array(values.shape[::-1]) - 1) / 2)
        with self.assertRaises(InputRefused) as caught:
            foramen_between(middle, middle + np.array([3.5, -3.5, -1.0]), "C5/C6", "left", ct)
        self.assertEqual(caught.exception.code, "ct-coarse")
        self.assertIn("4.2", caught.exception.message)


@slow
class OtherNecksTest(unittest.TestCase):
    def test_centers_and_overlap(self):
        found = list(proposals(SOME))
        self.assertEqual(len(found), 12 * len(SOME))
        self.assertEqual([one for one in found if one is None], [])
        self.assertTrue(all(one.right for one in found))
        distances = [one.distance_mm for one in found]
        self.assertLess(max(distances), 2)
        self.assertLess(np.median(distances), 1)
        self.assertGreater(min(one.dice for one in found), 0.6)


if __name__ == "__main__":
    unittest.main()
