"""Levels, sides and roots, from tags and from names."""

import unittest

import numpy as np
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.regions.anatomy import FORAMINA, REFERENCE_RULES, Anatomy, identify, reference_of
from TSPOQuantLib.regions.region import Region, called


class AnatomyTest(unittest.TestCase):
    def test_the_root_leaves_above_its_vertebra(self):
        self.assertEqual(FORAMINA["C6/C7"], "C7")
        self.assertEqual(FORAMINA["C7/T1"], "C8")

    def test_the_reference_by_every_rule(self):
        left, cord = Anatomy("foramen", "C6/C7", "C7", "left"), Anatomy("cord", "C7")
        for place, rule, wanted in (
            (left, "three-above", Anatomy("foramen", "C3/C4", "C4", "left")),
            (left, "one-above", Anatomy("foramen", "C5/C6", "C6", "left")),
            (left, "contralateral", Anatomy("foramen", "C6/C7", "C7", "right")),
            (left, "foramen C4/C5 right", Anatomy("foramen", "C4/C5", "C5", "right")),
            (left, "cord C4", None),
            (left, "muscle", None),
            (cord, "three-above", Anatomy("cord", "C4")),
            (cord, "one-above", Anatomy("cord", "C6")),
            (cord, "contralateral", None),
            (cord, "cord C4", Anatomy("cord", "C4")),
            (cord, "foramen C4/C5 right", None),
            (Anatomy("foramen", "C3/C4", "C4", "left"), "three-above", None),
            (Anatomy("cord", "T1"), "three-above", Anatomy("cord", "C5")),
            (Anatomy("foramen", "L5/S1", "L5", "right"), "one-above", Anatomy("foramen", "L4/L5", "L4", "right")),
        ):
            self.assertEqual(reference_of(place, rule), wanted, (place, rule))
        self.assertEqual(REFERENCE_RULES[0], "three-above")

    def test_names(self):
        expected = {
            "foramen C6/C7 left (root C7)": Anatomy("foramen", "C6/C7", "C7", "left"),
            "Foramen c7-t1 RIGHT": Anatomy("foramen", "C7/T1", "C8", "right"),
            "FIV C6C7 G": Anatomy("foramen", "C6/C7", "C7", "left"),
            "RC6C7": Anatomy("foramen", "C6/C7", "C7", "right"),
            "cord C7": Anatomy("cord", "C7"),
            "Spinal cord": Anatomy("cord"),
            "blood pool": Anatomy("blood-pool"),
            "left carotid": Anatomy("blood-pool", side="left"),
            "vertebra C5": Anatomy("vertebra", "C5"),
            "leftover": Anatomy("other"),
            "trapezius right": Anatomy("other", side="right"),
        }
        for name, anatomy in expected.items():
            with self.subTest(name):
                self.assertEqual(identify(name, {}), anatomy)

    def test_a_region_is_called_by_its_name_or_by_what_it_is(self):
        names = "foramen L4/L5 left (root L4)", "foramen L4/L5 right", "cord L1", "L4-5 G", "muscle"
        grid, mask = Grid((1, 1, 1), np.eye(4)), np.ones((1, 1, 1), bool)
        left, right, cord, second, muscle = regions = [Region(one, identify(one, {}), mask, grid) for one in names]
        for name, wanted in (
            ("L4-5 G", second),
            ("foramen L4/L5 left", None),  # two are this
            ("LN L5 D", None),
            ("foramen L4-5 R", right),
            ("moelle L1", cord),
            ("muscle", muscle),
            ("fat", None),
        ):
            self.assertIs(called(regions, name), wanted, name)
        self.assertIs(called(regions[:3], "foramen L4/L5 left"), left)

    def test_tags_win_over_the_name(self):
        tags = {"TSPOQuant.Structure": "foramen", "TSPOQuant.Level": "C5/C6", "TSPOQuant.Side": "right"}
        self.assertEqual(identify("cord C7", tags), Anatomy("foramen", "C5/C6", "C6", "right"))


if __name__ == "__main__":
    unittest.main()
