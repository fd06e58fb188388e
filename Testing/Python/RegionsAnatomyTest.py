"""Levels, sides and roots, from tags and from names."""

import unittest

from TSPOQuantLib.regions.anatomy import FORAMINA, Anatomy, identify, three_levels_above


class AnatomyTest(unittest.TestCase):
    def test_the_root_leaves_above_its_vertebra(self):
        self.assertEqual(FORAMINA["C6/C7"], "C7")
        self.assertEqual(FORAMINA["C7/T1"], "C8")

    def test_three_levels_above(self):
        self.assertEqual(three_levels_above("C6/C7"), "C3/C4")
        self.assertEqual(three_levels_above("C7"), "C4")
        self.assertEqual(three_levels_above("T1"), "C5")
        self.assertIsNone(three_levels_above("C3/C4"))

    def test_names(self):
        expected = {
            "foramen C6/C7 left (root C7)": Anatomy("foramen", "C6/C7", "C7", "left"),
            "Foramen c7-t1 RIGHT": Anatomy("foramen", "C7/T1", "C8", "right"),
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

    def test_tags_win_over_the_name(self):
        tags = {"TSPOQuant.Structure": "foramen", "TSPOQuant.Level": "C5/C6", "TSPOQuant.Side": "right"}
        self.assertEqual(identify("cord C7", tags), Anatomy("foramen", "C5/C6", "C6", "right"))


if __name__ == "__main__":
    unittest.main()
