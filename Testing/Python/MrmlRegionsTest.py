"""Template, two clicks, proposals and measurements on nodes: what is written, and what is left alone."""

import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
import slicer
import slicer.util
from support import checkout  # noqa: F401
from support.mrmlstudy import add_segment
from support.tiers import slow
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.segmentation_files import read_segmentation, write_segmentation
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.mrml import regions, segmentations, sequence_io, transforms, volumes
from TSPOQuantLib.phantom.neck import LABEL
from TSPOQuantLib.regions.anatomy import identify

from tools.validation.regions import center, clean_frames, curves, labeled, neck, noisy, scan
from tools.validation.surface_route import through_surface

SEED = 2


def setUpModule():
    """One simulated neck for all tests."""
    anatomy, ct = neck(SEED)
    labels = labeled(anatomy, SEED)
    shared.update(anatomy=anatomy, ct=ct, labels=labels)


shared: dict = {}


class NodeTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear()
        self.anatomy, self.ct, self.labels = shared["anatomy"], shared["ct"], shared["labels"]
        self.ct_node = volumes.node_from_volume(self.ct, "CT")
        self.node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "regions")
        self.saved = 0

    def save(self):
        self.saved += 1

    def names(self):
        source = self.node.GetSegmentation()
        return [source.GetSegment(one).GetName() for one in source.GetSegmentIDs()]

    def masks(self):
        drawn = segmentations.segmentation_from_node(self.node)
        return drawn.grid, {segment.name: segment.mask for segment in drawn.segments}

    def add_labels(self, *left_out):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "labels")
        for segment in self.labels.segments:
            if segment.name not in left_out:
                add_segment(node, segment.name, segment.mask, self.labels.grid)
        return node

    def clicks(self, true):
        half = true.axes_lps[:, 0] * true.length_height_width_mm[0] / 2
        return [(true.center_lps_mm + sign * half) * (-1, -1, 1) for sign in (-1, 1)]

    def assert_refused(self, code, function, *arguments, **named):
        before = [*self.names()]
        with self.assertRaises(InputRefused) as caught:
            function(*arguments, before_change=self.save, **named)
        self.assertEqual(caught.exception.code, code)
        self.assertEqual((self.names(), self.saved), (before, 0))

    def assert_is_drawn(self, name, true, grid=None):
        found_grid, masks = self.masks()
        self.assertLess(np.linalg.norm(center(masks[name], grid or found_grid) - true.center_lps_mm), 2, name)


class TemplateTest(NodeTest):
    def test_segments_say_what_they_are(self):
        ids = regions.add_template(self.node, self.ct_node, "C6/C7", "left", self.save)
        self.assertEqual(len(set(ids)), 7)
        source = self.node.GetSegmentation()
        for segment_id in ids:
            segment = source.GetSegment(segment_id)
            tags = segmentations.tags_of(segment)
            with self.subTest(segment.GetName()):
                self.assertEqual(identify("", tags), identify(segment.GetName(), {}))
                self.assertNotEqual(segment.GetColor(), (0.5, 0.5, 0.5))
        self.assertEqual(self.saved, 1)
        self.assertIsNotNone(self.node.GetDisplayNode())

    def test_what_is_there_is_kept_and_not_doubled(self):
        mask = np.zeros(self.ct.grid.shape, dtype=bool)
        mask[40:44, 60:66, 70:75] = True
        drawn = add_segment(self.node, "foramen C6/C7 left", mask, self.ct.grid)
        ids = regions.add_template(self.node, self.ct_node, "C6/C7", "left")
        again = regions.add_template(self.node, self.ct_node, "C6/C7", "left", self.save)
        self.assertEqual(ids, again)
        self.assertEqual(ids[0], drawn)
        self.assertEqual((len(self.names()), self.saved), (7, 0))
        self.assertEqual(np.count_nonzero(self.masks()[1]["foramen C6/C7 left"]), np.count_nonzero(mask))

    def test_refusals_change_nothing(self):
        self.assert_refused("template-level", regions.add_template, self.node, self.ct_node, "C1/C2", "left")
        self.assert_refused("template-side", regions.add_template, self.node, self.ct_node, "C6/C7", "both")
        empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
        self.assert_refused("volume-empty", regions.add_template, self.node, empty, "C6/C7", "left")

    def test_drawing_is_kept_to_soft_tissue(self):
        ids = regions.add_template(self.node, self.ct_node, "C6/C7", "left")
        editor = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        regions.editor_settings(editor, self.node, self.ct_node, ids[0])
        logic = slicer.vtkSlicerSegmentEditorLogic()
        logic.SetMRMLScene(slicer.mrmlScene)
        logic.SetSegmentEditorNode(editor)
        logic.UpdateReferenceGeometryImage()
        logic.ResetModifierLabelmapToDefault()
        logic.UpdateAlignedSourceVolume()
        logic.UpdateMaskLabelmap()
        stroke = regions.labelmap_of(np.ones(self.ct.grid.shape, bool), self.ras_matrix())
        logic.ModifySegmentByLabelmap(self.node, ids[0], stroke, logic.ModificationModeAdd, False, False)
        painted = self.ct.values[self.full(ids[0])]
        low, high = regions.SOFT_TISSUE_HU
        self.assertGreater(len(painted), 1000)
        self.assertTrue(((painted >= low) & (painted <= high)).all())
        self.assertEqual(len(painted), np.count_nonzero((self.ct.values >= low) & (self.ct.values <= high)))
        self.assertEqual(editor.GetAttribute("BrushSphere"), "1")
        self.assertEqual(float(editor.GetAttribute("BrushAbsoluteDiameter")), regions.BRUSH_MM)

    def ras_matrix(self):
        return transforms.matrix_from_array(transforms.LPS_FROM_RAS @ self.ct.grid.ijk_to_lps)

    def full(self, segment_id):
        """The segment's mask on the CT's grid."""
        drawn = segmentations.segmentation_from_node(self.node)
        first = np.rint(self.ct.grid.to_ijk(drawn.grid.to_lps(np.zeros(3)))).astype(int)[::-1]
        mask = np.zeros(self.ct.grid.shape, dtype=bool)
        box = tuple(slice(a, a + n) for a, n in zip(first, drawn.grid.shape, strict=True))
        mask[box] = next(segment.mask for segment in drawn.segments if segment.id == segment_id)
        return mask


@slow
class TagsTest(NodeTest):
    def test_what_a_segment_is_survives_slicers_own_files(self):
        """Written by Slicer and read by us, and the other way round."""
        labels = self.add_labels("vertebrae_C2", "vertebrae_C3", "vertebrae_C4", "vertebrae_C5")
        regions.propose_foramina(labels, self.ct_node, self.node, levels=("C6/C7",))
        source = self.node.GetSegmentation()
        before = {one: segmentations.tags_of(source.GetSegment(one)) for one in source.GetSegmentIDs()}
        self.assertEqual(len(before), 3)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "by-slicer.seg.nrrd"
            storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
            storage.SetFileName(str(path))
            self.assertTrue(storage.WriteData(self.node))
            ours = read_segmentation(path)
            again = Path(folder) / "by-us.seg.nrrd"
            write_segmentation(again, ours)
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "again")
            storage.SetFileName(str(again))
            self.assertTrue(storage.ReadData(node))
        for segment in ours.segments:
            with self.subTest(segment.name):
                self.assertEqual({key: segment.tags[key] for key in before[segment.id]}, before[segment.id])
                back = node.GetSegmentation().GetSegment(segment.id)
                self.assertEqual(segmentations.tags_of(back), before[segment.id])


class TwoClickTest(NodeTest):
    def test_it_fills_the_templates_segment(self):
        ids = regions.add_template(self.node, self.ct_node, "C6/C7", "left")
        true = next(f for f in self.anatomy.foramina if (f.level, f.side) == ("C6/C7", "left"))
        found = regions.add_two_click(self.node, self.ct_node, *self.clicks(true), "C6/C7", "left", self.save)
        self.assertEqual(found, ids[0])
        self.assertEqual((len(self.names()), self.saved), (7, 1))
        self.assert_is_drawn("foramen C6/C7 left (root C7)", true)

    def test_twice_replaces_and_a_neighbor_keeps_its_voxels(self):
        by_side = {f.side: f for f in self.anatomy.foramina if f.level == "C5/C6"}
        for side in ("left", "right", "left"):
            regions.add_two_click(self.node, self.ct_node, *self.clicks(by_side[side]), "C5/C6", side)
        self.assertEqual(len(self.names()), 2)
        for side, true in by_side.items():
            self.assert_is_drawn(f"foramen C5/C6 {side} (root C6)", true)

    def test_nodes_under_transforms(self):
        turn = np.eye(4)
        angle = np.deg2rad(10)
        turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        turn[:3, 3] = (20.0, -5.0, 8.0)
        for moved in (self.ct_node, self.node):
            parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
            parent.SetMatrixTransformToParent(transforms.matrix_from_array(turn))
            moved.SetAndObserveTransformNodeID(parent.GetID())
        true = next(f for f in self.anatomy.foramina if (f.level, f.side) == ("C4/C5", "right"))
        clicks = [(turn @ [*click, 1.0])[:3] for click in self.clicks(true)]
        regions.add_two_click(self.node, self.ct_node, *clicks, "C4/C5", "right")
        grid, masks = self.masks()
        there = (turn @ [*(true.center_lps_mm * (-1, -1, 1)), 1.0])[:3] * (-1, -1, 1)
        self.assertLess(np.linalg.norm(center(masks["foramen C4/C5 right (root C5)"], grid) - there), 2)

    def test_a_segmentation_on_another_lattice_keeps_it(self):
        grid = Grid((40, 40, 40), self.ct.grid.ijk_to_lps @ np.diag([1.3, 1.3, 0.9, 1.0]))
        mask = np.zeros(grid.shape, dtype=bool)
        mask[3:9, 3:9, 3:9] = True
        add_segment(self.node, "lymph node", mask, grid)
        true = next(f for f in self.anatomy.foramina if (f.level, f.side) == ("C6/C7", "right"))
        regions.add_two_click(self.node, self.ct_node, *self.clicks(true), "C6/C7", "right")
        self.assert_is_drawn("foramen C6/C7 right (root C7)", true)
        found_grid, masks = self.masks()
        self.assertEqual(np.count_nonzero(masks["lymph node"]), 6**3)
        np.testing.assert_allclose(found_grid.spacing_mm, grid.spacing_mm)

    def test_refusals_change_nothing(self):
        true = self.anatomy.foramina[0]
        inner, outer = self.clicks(true)
        call = (regions.add_two_click, self.node, self.ct_node)
        self.assert_refused("foramen-side", *call, outer, inner, true.level, true.side)
        self.assert_refused("foramen-clicks", *call, inner, inner, true.level, true.side)


@slow
class ProposalsTest(NodeTest):
    def test_all_are_written_where_they_are(self):
        labels = self.add_labels()
        self.assertEqual(regions.find_vertebrae(), (labels,))
        placed, _ = regions.propose_foramina(labels, self.ct_node, self.node, before_change=self.save)
        self.assertEqual((len(placed), self.saved), (17, 1))
        self.assertTrue(all(one.segment_id and 0 < one.confidence <= 1 for one in placed))
        for true in self.anatomy.foramina:
            self.assert_is_drawn(true.name, true)
        _, masks = self.masks()
        self.assertIn("cord C7", masks)
        self.assertEqual([n.code for n in regions.region_quality(self.node)], [])
        add_segment(self.node, "moelle C7", masks["cord C7"], self.ct.grid)
        self.assertIn("region-twice", [n.code for n in regions.region_quality(self.node)])

    def test_what_is_drawn_is_kept_and_what_is_declined_is_told(self):
        true = next(f for f in self.anatomy.foramina if (f.level, f.side) == ("C6/C7", "left"))
        mask = np.zeros(self.ct.grid.shape, dtype=bool)
        mask[40:44, 60:66, 70:75] = True
        add_segment(self.node, "foramen C6/C7 left", mask, self.ct.grid)
        labels = self.add_labels("vertebrae_C2", "vertebrae_C4", "vertebrae_C5")
        levels = ("C3/C4", "C6/C7")
        found, notices = regions.propose_foramina(labels, self.ct_node, self.node, levels=levels)
        self.assertEqual([notice.code for notice in notices], ["numbering-unknown"])
        placed = {p.name: p for p in found}
        kept = placed["foramen C6/C7 left (root C7)"]
        self.assertEqual((kept.segment_id, kept.reason), ("", "it is drawn already, and was kept"))
        self.assertEqual(kept.code, "kept")
        np.testing.assert_allclose(kept.center_ras, np.array([-1, -1, 1]) * true.center_lps_mm, atol=2.5)
        declined = placed["foramen C3/C4 right (root C4)"]
        self.assertEqual((declined.code, declined.center_ras), ("vertebra-missing", None))
        self.assertIn("no label is called vertebra C4", declined.reason)
        self.assertTrue(placed["foramen C6/C7 right (root C7)"].segment_id)
        self.assertEqual(len(placed), 6)
        self.assertEqual(np.count_nonzero(self.masks()[1]["foramen C6/C7 left"]), np.count_nonzero(mask))
        regions.propose_foramina(labels, self.ct_node, self.node, levels=levels, replace_drawn=True)
        self.assert_is_drawn("foramen C6/C7 left", true)

    def test_a_label_map_with_a_look_up_table(self):
        values = np.zeros(self.labels.grid.shape, dtype=np.uint8)
        names = {}
        for number, segment in enumerate(self.labels.segments[4:], start=1):
            values[segment.mask] = number
            names[number] = segment.name
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
        volumes.fill_node(node, values, self.labels.grid, "")
        self.assert_refused("vertebrae-missing", regions.propose_foramina, node, self.ct_node, self.node)
        placed, _ = regions.propose_foramina(node, self.ct_node, self.node, names)
        self.assertEqual({one.name[8:13] for one in placed if one.segment_id}, {"C2/C3", "C3/C4", "C4/C5", ""})

    def test_all_declined_changes_nothing(self):
        labels = self.add_labels("vertebrae_C3", "vertebrae_C5", "vertebrae_C7", "vertebrae_T1")
        placed, _ = regions.propose_foramina(labels, self.ct_node, self.node, before_change=self.save)
        self.assertTrue(all(one.reason for one in placed))
        self.assertEqual((self.names(), self.saved), ([], 0))

    def test_names_of_other_programs(self):
        conventions = (("C5 vertebra", "C6 vertebra"), ("vertebrae_C5", "vertebrae_C6"), ("C5", "C6"))
        for names in (*conventions, ("VERT_C5", "VERT_C6"), ("vertèbre C5", "vertèbre C6")):
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "labels")
            for name in names:
                node.GetSegmentation().AddEmptySegment(name, name)
            self.assertIn(node, regions.find_vertebrae())
        by_id = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "labels")
        for level in ("C5", "C6"):
            by_id.GetSegmentation().AddEmptySegment(f"vertebrae_{level}", "Wirbel")
        self.assertIn(by_id, regions.find_vertebrae())
        by_code = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "labels")
        for number, code in enumerate(("36978003", "36054005"), start=5):  # C5, C6
            segment_id = by_code.GetSegmentation().AddEmptySegment(f"Segment_{number}", f"Segment {number}")
            entry = f"Segmentation category~SCT^123037004^Anatomical Structure~SCT^{code}^Bone~^^~^^~^^~^^"
            by_code.GetSegmentation().GetSegment(segment_id).SetTag("TerminologyEntry", entry)
        self.assertIn(by_code, regions.find_vertebrae())
        self.assertNotIn(self.node, regions.find_vertebrae())


@slow
class BloodPoolTest(NodeTest):
    """On a segmentation of nothing, on the CT's and on the PET's voxels."""

    @classmethod
    def setUpClass(cls):
        activity = curves()
        frames = clean_frames(shared["anatomy"], activity, 5.0)
        cls.image = scan(noisy(frames, activity, np.random.default_rng(0)))

    def test_it_is_drawn_over_the_carotids(self):
        sequence = sequence_io.node_from_dynamic(self.image, "PET")
        placed, found = regions.propose_blood_pool(sequence, self.node, fwhm_mm=5.0, before_change=self.save)
        self.assertEqual((placed.name, self.names(), self.saved), ("blood pool", ["blood pool"], 1))
        self.assertTrue(placed.confidence > 0.5 and 0.3 < found.recovery < 0.7)
        grid, masks = self.masks()
        np.testing.assert_allclose(grid.spacing_mm, [1, 1, 1])
        where = np.rint(self.ct.grid.to_ijk(grid.to_lps(np.argwhere(masks["blood pool"])[:, ::-1].astype(float))))
        labels = self.anatomy.labels[tuple(where.astype(int)[:, ::-1].T)]
        carotids = [LABEL["carotid artery left"], LABEL["carotid artery right"]]
        self.assertGreater(np.isin(labels, carotids).mean(), 0.65)
        again, _ = regions.propose_blood_pool(sequence, self.node, before_change=self.save)
        self.assertEqual((again.segment_id, again.reason, self.saved), ("", regions.KEPT, 1))

    def test_declined_changes_nothing(self):
        late = replace(
            self.image,
            activity=self.image.activity[10:],
            timing=FrameTiming(self.image.timing.starts_s[10:], self.image.timing.durations_s[10:]),
        )
        sequence = sequence_io.node_from_dynamic(late, "PET")
        placed, _ = regions.propose_blood_pool(sequence, self.node, self.ct_node, before_change=self.save)
        self.assertIn("no bolus", placed.reason)
        self.assertEqual((self.names(), self.saved), ([], 0))


class SurfaceRouteTest(NodeTest):
    def test_a_large_block_keeps_its_voxels_and_a_foramen_does_not(self):
        """Slicer's own way to another grid, which the regions' fractions are compared with."""
        pet = Grid((49, 80, 68), self.ct.grid.ijk_to_lps @ np.diag([2.0, 2.0, 2.0, 1.0]))
        block = np.zeros(self.ct.grid.shape, dtype=bool)
        block[20:60, 40:100, 30:100] = True
        found = through_surface(block, self.ct.grid, pet, 0.0)
        self.assertAlmostEqual(np.count_nonzero(found) * 8 / np.count_nonzero(block), 1, delta=0.05)
        self.assertLess(np.linalg.norm(center(found, pet) - center(block, self.ct.grid)), 1.5)
        foramen = self.anatomy.labels == LABEL["foramen C6/C7 left (root C7)"]
        smoothed = through_surface(foramen, self.ct.grid, pet)
        self.assertLess(np.count_nonzero(smoothed) * 8, 0.95 * np.count_nonzero(foramen))


class MeasurementsTest(NodeTest):
    def test_values(self):
        true = next(f for f in self.anatomy.foramina if (f.level, f.side) == ("C6/C7", "left"))
        drawn = self.anatomy.labels == LABEL[true.name]
        segment_id = add_segment(self.node, true.name, drawn, self.ct.grid)
        cord = np.isin(self.anatomy.labels, [n for name, n in LABEL.items() if name.startswith("cord")])
        add_segment(self.node, "cord", cord, self.ct.grid)
        found = regions.measurements(self.node)[segment_id]
        self.assertEqual(found["voxel_count"], np.count_nonzero(drawn))
        self.assertAlmostEqual(found["volume_cm3"] * 1000, np.count_nonzero(drawn) * 1.5)
        self.assertTrue(0.7 < found["size_ratio"] < 1.4)
        self.assertTrue(5 < found["cord_distance_mm"] < 15)


if __name__ == "__main__":
    unittest.main()
