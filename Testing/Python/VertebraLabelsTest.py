"""Labels of vertebrae as the tools that make them write them."""

import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import SimpleITK as sitk
from support.realdata import DATA, needs_data
from TSPOQuantLib.acquisition.label_names import names_in_header, read_folder
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.acquisition.segmentation_files import _other_names, read_segmentation
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.regions.neck import _numbering
from TSPOQuantLib.regions.vertebra import Vertebra
from TSPOQuantLib.regions.vertebra_labels import LEVELS, level_named, level_of, vertebra_segments

NECK = DATA / "necks" / "vhf_neck"


def stacked(*names, tags=None, apart_mm=4.0):
    """One block a name, the first on top, so far apart."""
    grid = Grid((4 * len(names), 3, 3), np.diag([1, 1, apart_mm / 4, 1]))
    segments = []
    for place, name in enumerate(names):
        mask = np.zeros(grid.shape, bool)
        top = 4 * (len(names) - place)
        mask[top - 3 : top] = True
        segments.append(Segment(f"id{place}", name, mask, tags=(tags or {}).get(name, {})))
    return Segmentation(grid, tuple(segments))


def found(*names, **more):
    return list(vertebra_segments(stacked(*names, **more)))


class DensTest(unittest.TestCase):
    """The heights of one real neck's vertebrae, C2's with its dens."""

    def told(self, *levels, heights=(13.9, 36.6, 13.4, 11.4, 11.2)):
        frames = {}
        for place, (level, height) in enumerate(zip(levels, heights, strict=True)):
            canal = np.array([0.0, 0.0, -15.0 * place])
            frames[level] = Vertebra(level, np.zeros(3), canal, np.zeros(3), (0.0,) * 4, np.zeros(3), height, {})
        bone = SimpleNamespace(points=lambda level: np.zeros((1, 3)))
        notice = _numbering(frames, bone, None)
        return notice.code if notice else None

    def test_the_dens_tells_labels_that_are_one_off(self):
        self.assertIsNone(self.told("C1", "C2", "C3", "C4", "C5"))
        self.assertEqual(self.told("C2", "C3", "C4", "C5", "C6"), "vertebra-numbering")

    def test_a_block_of_two_under_the_label_of_c2_shifts_what_lies_below(self):
        block = (52.0, 12.5, 13.2, 13.0)  # with C3 in it, as measured on such a neck
        self.assertEqual(self.told("C2", "C3", "C4", "C5", heights=block), "vertebra-numbering")
        single = (37.0, 14.1, 13.3, 13.2)
        self.assertIsNone(self.told("C2", "C3", "C4", "C5", heights=single))


class CountedTest(unittest.TestCase):
    """Vertebrae every 15 mm, of 13 mm of height, C2 with its dens; labels by the places that they are drawn at."""

    def told(self, places, tall=()):
        frames = {}
        for level, place in places.items():
            canal = np.array([0.0, 0.0, -15.0 * place])
            height = 37.0 if level == "C2" else 28.0 if level in tall else 13.0
            frames[level] = Vertebra(level, np.zeros((0, 3)), canal, np.eye(3), (0.0,) * 4, canal, height, {})
        notice = _numbering(frames, SimpleNamespace(points=lambda level: np.zeros((1, 3))), None)
        return notice.code if notice else None

    def test_right_labels_with_and_without_gaps(self):
        self.assertIsNone(self.told({"C2": 2, "C3": 3, "C4": 4, "C5": 5, "C6": 6, "C7": 7, "T1": 8}))
        self.assertIsNone(self.told({"C2": 2, "C3": 3, "C4": 4, "C6": 6, "C7": 7}))
        self.assertIsNone(self.told({"C2": 2, "C3": 3, "C4": 4, "C7": 7, "T1": 8}))
        self.assertIsNone(self.told({"C2": 2, "C3": 3, "C4": 4, "C5": 5.5, "C7": 7}, tall=("C5",)))

    def test_numbers_that_leave_a_vertebra_out(self):
        self.assertEqual(self.told({"C2": 2, "C3": 3, "C4": 4, "C6": 5, "C7": 6, "T1": 7}), "vertebra-numbering")

    def test_a_vertebra_that_has_no_label_and_was_not_counted(self):
        self.assertEqual(self.told({"C2": 2, "C3": 3, "C4": 4, "C5": 6, "C6": 7}), "vertebra-numbering")

    def test_two_vertebrae_that_were_counted_as_one(self):
        places = {"C2": 2, "C3": 3, "C4": 4.5, "C5": 6, "C6": 7, "C7": 8}
        self.assertEqual(self.told(places, tall=("C4",)), "vertebra-numbering")


class NamesTest(unittest.TestCase):
    def test_names_of_every_tool(self):
        for name in ("vertebrae_C5", "vertebra C5", "C5", "VERT_C5", "vertèbre C5", "C5 vertebra", "vertebra_c5"):
            with self.subTest(name):
                self.assertEqual(level_named(name), "C5")

    def test_names_in_other_languages(self):
        expected = {
            "C5": (
                "HWK 5",
                "HWK5",
                "5. Halswirbel",
                "Wirbelkörper C5",
                "C5-Wirbel",
                "vertèbre cervicale C5",
                "vertebra C05",
            ),
            "T1": ("Th1", "BWK 1", "vertèbre D1", "vertebra Th 1", "thoracic_vertebra_1"),
            "C1": ("atlas", "C1 (Atlas)"),
            "C2": ("axis", "Axis_(C2)"),
        }
        for level, names in expected.items():
            for name in names:
                with self.subTest(name):
                    self.assertEqual(level_named(name), level)

    def test_what_is_no_vertebra(self):
        for name in (
            "disc_C5_C6",
            "vertebrae_body",
            "C9",
            "foramen C5/C6 left",
            "spinal_cord",
            "C5 root",
            "rib_left_1",
            "D1",
            "HWK 5/6",
            "Bandscheibe C5",
        ):
            with self.subTest(name):
                self.assertEqual(level_named(name), "")

    def test_codes_tell_what_names_do_not(self):
        tags = {"SegmentedPropertyType": "SCT^36978003^C5 vertebra"}
        self.assertEqual(level_of(Segment("Segment_5", "Segment 5", np.ones((1, 1, 1), bool), tags=tags)), "C5")
        older = {"SegmentedPropertyType": "SRT^T-11650^C5 vertebra"}
        self.assertEqual(level_of(Segment("Segment_5", "Segment 5", np.ones((1, 1, 1), bool), tags=older)), "C5")

    def test_a_name_and_a_code_that_disagree_are_refused(self):
        tags = {"C4": {"SegmentedPropertyType": "SCT^36978003^C5 vertebra"}}
        with self.assertRaises(InputRefused) as caught:
            found("C3", "C4", tags=tags)
        self.assertEqual(caught.exception.code, "vertebrae-code")
        renamed = Segment("vertebrae_C5", "vertebrae_C4", np.ones((1, 1, 1), bool))  # IDs stay when Slicer renames
        self.assertEqual(level_of(renamed), "C4")

    def test_a_copy_under_another_name_is_refused(self):
        drawn = stacked("C3", "C4", "C5")
        copied = replace(drawn.segments[2], mask=drawn.segments[1].mask)
        with self.assertRaises(InputRefused) as caught:
            vertebra_segments(Segmentation(drawn.grid, (*drawn.segments[:2], copied)))
        self.assertEqual(caught.exception.code, "vertebrae-overlap")
        touching = drawn.segments[1].mask | np.roll(drawn.segments[1].mask, -1, axis=0)
        resampled = replace(drawn.segments[1], mask=touching)
        two_of_three = Segmentation(drawn.grid, (drawn.segments[0], resampled, drawn.segments[2]))
        self.assertEqual(list(vertebra_segments(two_of_three)), ["C3", "C4", "C5"])

    def test_a_table_that_the_header_contradicts_is_told(self):
        self.assertEqual(_other_names(Path("a"), Path("t"), {41: ("C1", None)}, {41: "vertebrae_C1"}), [])
        told = _other_names(Path("a"), Path("t"), {41: ("C2", None)}, {41: "vertebrae_C1"})
        self.assertEqual([one.code for one in told], ["segmentation-names"])

    def test_bodies_without_levels_are_refused(self):
        with self.assertRaises(InputRefused) as caught:
            vertebra_segments(stacked("vertebrae_body"))
        self.assertEqual(caught.exception.code, "vertebrae-bodies")

    def test_a_level_twice_is_refused(self):
        with self.assertRaises(InputRefused) as caught:
            vertebra_segments(stacked("vertebrae_C5", "C5"))
        self.assertEqual(caught.exception.code, "vertebrae-twice")


class NumbersTest(unittest.TestCase):
    def test_each_tool_by_numbers_and_order(self):
        neck = list(LEVELS[1:9])
        numbers = {
            "VerSe, SPINEPS, CTSpine1K, RSNA": range(2, 10),
            "TotalSegmentator 2": range(49, 41, -1),
            "TotalSegmentator vertebrae_mr": range(24, 16, -1),
            "TotalSpineSeg": (12, 13, 14, 15, 16, 17, 21, 22),
        }
        for tool, one in numbers.items():
            with self.subTest(tool):
                self.assertEqual(found(*[f"Segment_{n}" for n in one]), neck)
        self.assertEqual(found(*[f"Segment_{n}" for n in range(41, 34, -1)]), list(LEVELS[:7]))  # TotalSegmentator 1

    def test_lumbar_vertebrae_are_told_by_how_far_they_lie_apart(self):
        lumbar = ["L1", "L2", "L3", "L4", "L5"]
        for tool, one in {
            "VerSe": range(20, 25),
            "TotalSegmentator 2": range(31, 26, -1),
            "TotalSegmentator 1": range(22, 17, -1),
            "TotalSegmentator vertebrae_mr": range(6, 1, -1),
            "TotalSpineSeg": range(41, 46),
        }.items():
            with self.subTest(tool):
                self.assertEqual(found(*[f"Segment_{n}" for n in one], apart_mm=34), lumbar)
        # 22 to 18 are T10 to L5 of one tool and C4 to T1 of another: a neck's vertebrae lie half as far apart.
        self.assertEqual(
            found(*[f"Segment_{n}" for n in range(22, 17, -1)], apart_mm=16), ["C4", "C5", "C6", "C7", "T1"]
        )
        extra = [f"Segment_{n}" for n in (1, 41, 42, 43, 44, 45, 46, 50)]  # cord, and a sixth lumbar vertebra
        self.assertEqual(found(*extra, apart_mm=36), lumbar)
        self.assertEqual(found("vertebrae_L5", "vertebrae_S1"), ["L5", "S1"])

    def test_organs_beside_them_do_not_matter(self):
        self.assertEqual(found("Segment_90", "Segment_49", "Segment_48", "Segment_1"), ["C2", "C3"])

    def test_numbers_of_two_tools_are_not_guessed(self):
        with self.assertRaises(InputRefused) as caught:
            found(*[f"Segment_{n}" for n in (43, 42, 41, 40)])
        self.assertEqual(caught.exception.code, "vertebrae-numbers")

    def test_what_lies_upside_down_fits_no_tool(self):
        self.assertEqual(found("Segment_5", "Segment_4", "Segment_3"), [])


@needs_data
class FilesTest(unittest.TestCase):
    def assert_neck(self, segmentation, levels=("C2", "C3", "C4", "C5")):
        self.assertLessEqual(set(levels), set(vertebra_segments(segmentation)))

    def test_files_of_the_real_neck(self):
        for name in (
            "vertebrae_verse.nii.gz",
            "vertebrae_totalsegmentator_ml.nii.gz",
            "vertebrae_totalsegmentator.seg.nrrd",
            "vertebrae_totalsegmentator_seg.dcm",
        ):
            with self.subTest(name):
                self.assert_neck(read_segmentation(NECK / name))

    def test_a_folder_of_masks(self):
        folder = read_folder(NECK / "segmentations", lambda name: bool(level_named(name)))
        self.assert_neck(folder)
        only = read_folder(NECK / "segmentations", lambda name: name == "vertebrae_C3")
        self.assertEqual([one.name for one in only.segments], ["vertebrae_C3"])

    def test_names_in_the_header(self):
        names = names_in_header(DATA / "necks" / "totalsegmentator_ml" / "example_seg.nii.gz")
        self.assertEqual(names[1], "spleen")
        self.assertEqual(names_in_header(NECK / "vertebrae_verse.nii.gz"), {})

    def test_a_folder_that_does_not_fit_together(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with self.assertRaises(InputRefused) as caught:
                read_folder(folder, lambda name: True)
            self.assertEqual(caught.exception.code, "segmentation-folder")
            for level, size in (("C3", 4), ("C4", 5)):
                sitk.WriteImage(
                    sitk.GetImageFromArray(np.ones((size,) * 3, np.uint8)), str(folder / f"vertebrae_{level}.nii.gz")
                )
            with self.assertRaises(InputRefused) as caught:
                read_folder(folder, lambda name: True)
            self.assertEqual(caught.exception.code, "segmentation-grids")

    def test_a_verse_file_from_below_the_neck(self):
        verse = read_segmentation(DATA / "necks" / "verse_sample" / "sub-verse004_seg-vert_msk.nii.gz")
        levels = list(vertebra_segments(verse))
        self.assertEqual(levels[-5:], ["L1", "L2", "L3", "L4", "L5"])
        self.assertFalse([level for level in levels if level.startswith("C")])


if __name__ == "__main__":
    unittest.main()
