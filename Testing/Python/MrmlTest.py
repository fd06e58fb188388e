"""MRML nodes become plain objects and come back, where the user sees them and with the units they have."""

import tempfile
import unittest
from datetime import datetime
from pathlib import Path

import numpy as np
import slicer
import slicer.util
import vtk
from support.mrmlstudy import add_segment
from TSPOQuantLib.acquisition import sequence_files
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan, Volume
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused, Notice
from TSPOQuantLib.mrml import fusion, language, segmentations, sequence_io, tables, transforms, volumes
from TSPOQuantLib.outcome.record import RegionOutcome
from TSPOQuantLib.outcome.uptake import RegionUptake
from TSPOQuantLib.regions.anatomy import Anatomy


def rotation(degrees):
    """About the body axis, and a little about the left-right axis: no axis stays on a grid axis."""
    a, b = np.deg2rad(degrees), np.deg2rad(degrees / 3)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return about_z @ about_x


def oblique_grid(shape=(3, 4, 5)):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(20) * (2.0, 3.0, 4.0)
    matrix[:3, 3] = (10.0, -20.0, 30.0)
    return Grid(shape, matrix)


def centered_grid(shape, spacing):
    """Axis-aligned, around the origin."""
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = -np.array(spacing) * (np.array(shape[::-1]) - 1) / 2
    return Grid(shape, matrix)


def dynamic(grid=None):
    grid = grid or oblique_grid()
    timing = FrameTiming(np.array([0.0, 10.0, 45.5]), np.array([10.0, 30.0, 60.25]))
    values = np.arange(3 * np.prod(grid.shape), dtype=np.float32).reshape(3, *grid.shape)
    scan = Scan(patient_key="0123abcd", tracer="[11C]PBR28", injected_mbq=370.5)
    at = datetime(2020, 1, 2, 9, 30, 1, 500000)
    return DynamicImage(values, grid, timing, "injection", at, "by the scanner, to the injection", scan)


def transform_node(matrix_ras):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(transforms.matrix_from_array(matrix_ras))
    return node


def two_transforms():
    """A node under a rotation under a shift (RAS), and the matrix from node to world in LPS."""
    outer, inner = np.eye(4), np.eye(4)
    outer[:3, 3] = (5.0, 6.0, -7.0)
    inner[:3, :3] = rotation(30)
    outer_node, inner_node = transform_node(outer), transform_node(inner)
    inner_node.SetAndObserveTransformNodeID(outer_node.GetID())
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    return inner_node, flip @ outer @ inner @ flip


def bending_transform():
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    spline = vtk.vtkThinPlateSplineTransform()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for point in ((0, 0, 0), (50, 0, 0), (0, 50, 0), (0, 0, 50), (50, 50, 50)):
        source.InsertNextPoint(point)
        target.InsertNextPoint(point[0] + (9 if point[0] and point[1] else 0), *point[1:])
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    spline.SetBasisToR()
    node.SetAndObserveTransformToParent(spline)
    return node


class SceneTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear()

    def assert_refused(self, code, function, *arguments):
        with self.assertRaises(InputRefused) as caught:
            function(*arguments)
        self.assertEqual(caught.exception.code, code)


class VolumesTest(SceneTest):
    def test_volume_comes_back(self):
        volume = Volume(np.arange(60, dtype=np.float32).reshape(3, 4, 5), oblique_grid(), "HU")
        node = volumes.node_from_volume(volume, "CT")
        back = volumes.volume_from_node(node, "HU")
        np.testing.assert_array_equal(back.values, volume.values)
        self.assertTrue(back.grid.same_as(volume.grid, 1e-9))
        self.assertEqual(node.GetVoxelValueUnits().GetCodeValue(), "[hnsf'U]")

    def test_first_voxel_is_where_mrml_puts_it(self):
        node = volumes.node_from_volume(Volume(np.zeros((3, 4, 5), np.float32), oblique_grid(), "HU"), "CT")
        bounds = np.empty(6)
        node.GetRASBounds(bounds)
        corners = oblique_grid().to_lps(
            np.array([(i, j, k) for i in (-0.5, 4.5) for j in (-0.5, 3.5) for k in (-0.5, 2.5)])
        )
        ras = corners * (-1, -1, 1)
        np.testing.assert_allclose(bounds[::2], ras.min(axis=0), atol=1e-6)
        np.testing.assert_allclose(bounds[1::2], ras.max(axis=0), atol=1e-6)

    def test_transforms_above_are_composed_and_left_alone(self):
        volume = Volume(np.zeros((3, 4, 5), np.float32), oblique_grid(), "HU")
        node = volumes.node_from_volume(volume, "CT")
        parent, to_world_lps = two_transforms()
        node.SetAndObserveTransformNodeID(parent.GetID())
        back = volumes.volume_from_node(node, "HU")
        np.testing.assert_allclose(back.grid.ijk_to_lps, to_world_lps @ volume.grid.ijk_to_lps, atol=1e-9)
        self.assertIs(node.GetParentTransformNode(), parent)

    def test_bent_space_is_refused(self):
        node = volumes.node_from_volume(Volume(np.zeros((3, 4, 5), np.float32), oblique_grid(), "HU"), "CT")
        node.SetAndObserveTransformNodeID(bending_transform().GetID())
        self.assert_refused("transform-not-linear", volumes.volume_from_node, node, "HU")

    def test_empty_and_colored_volumes_are_refused(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        self.assert_refused("volume-empty", volumes.volume_from_node, node, "HU")
        colored = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode")
        slicer.util.updateVolumeFromArray(colored, np.zeros((2, 3, 4, 3)))
        self.assert_refused("volume-components", volumes.volume_from_node, colored, "HU")


class SequenceTest(SceneTest):
    def assert_same(self, back, image):
        np.testing.assert_array_equal(back.activity, image.activity)
        np.testing.assert_array_equal(back.timing.starts_s, image.timing.starts_s)
        np.testing.assert_array_equal(back.timing.durations_s, image.timing.durations_s)
        self.assertTrue(back.grid.same_as(image.grid, 1e-6))
        for field in ("time_zero", "time_zero_at", "decay_correction", "scan"):
            self.assertEqual(getattr(back, field), getattr(image, field))

    def test_sequence_comes_back(self):
        image = dynamic()
        node = sequence_io.node_from_dynamic(image, "PET")
        self.assertEqual(node.GetAttribute("DataNodeClassName"), "vtkMRMLScalarVolumeNode")
        self.assert_same(sequence_io.dynamic_from_node(node), image)

    def test_sequence_comes_back_from_its_file(self):
        image = dynamic()
        node = sequence_io.node_from_dynamic(image, "PET")
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "PET.seq.nrrd")
            writer = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeSequenceStorageNode")
            writer.SetFileName(path)
            self.assertTrue(writer.WriteData(node))
            loaded = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode")
            reader = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeSequenceStorageNode")
            reader.SetFileName(path)
            self.assertTrue(reader.ReadData(loaded))
        self.assert_same(sequence_io.dynamic_from_node(loaded), image)

    def test_attributes_survive_a_saved_scene(self):
        node = sequence_io.node_from_dynamic(dynamic(), "PET")
        node.SetAttribute(sequence_files.DECAY_CORRECTION, 'by us; "frame" by frame: <1 %> & é')
        before = {name: node.GetAttribute(name) for name in node.GetAttributeNames()}
        slicer.mrmlScene.SetSaveToXMLString(1)
        self.addCleanup(slicer.mrmlScene.SetSaveToXMLString, 0)
        slicer.mrmlScene.Commit()
        loaded = slicer.vtkMRMLScene()
        loaded.SetLoadFromXMLString(1)
        loaded.SetSceneXMLString(slicer.mrmlScene.GetSceneXMLString())
        loaded.Import()
        again = loaded.GetFirstNodeByName("PET")
        self.assertEqual({name: again.GetAttribute(name) for name in again.GetAttributeNames()}, before)
        self.assertGreaterEqual(len(before), 7)

    def test_becquerel_become_kilobecquerel(self):
        node = sequence_io.node_from_dynamic(dynamic(), "PET")
        node.SetAttribute(sequence_files.UNITS, "Bq/mL")
        np.testing.assert_allclose(sequence_io.dynamic_from_node(node).activity, dynamic().activity / 1000, rtol=1e-6)

    def test_what_is_not_known_is_refused(self):
        def refused(code, change):
            node = sequence_io.node_from_dynamic(dynamic(), "PET")
            change(node)
            with self.subTest(code=code):
                self.assert_refused(code, sequence_io.dynamic_from_node, node)

        refused("sequence-no-times", lambda node: node.RemoveAttribute(sequence_files.DURATIONS))
        refused("sequence-times", lambda node: node.SetAttribute(sequence_files.DURATIONS, "10 30 long"))
        refused("frames-shape", lambda node: node.SetAttribute(sequence_files.DURATIONS, "10 30"))
        refused("frames-overlap", lambda node: node.SetAttribute(sequence_files.DURATIONS, "10 300 60"))
        refused("sequence-index-unit", lambda node: node.SetIndexUnit("ms"))
        refused("sequence-units", lambda node: node.RemoveAttribute(sequence_files.UNITS))
        refused("sequence-units", lambda node: node.SetAttribute(sequence_files.UNITS, "SUV"))
        refused("sequence-time-zero", lambda node: node.RemoveAttribute(sequence_files.TIME_ZERO))
        refused("sequence-time-zero", lambda node: node.SetAttribute(sequence_files.TIME_ZERO_AT, "yesterday"))
        refused("sequence-scan", lambda node: node.SetAttribute(sequence_files.SCAN, '{"shoe_size": 43}'))
        refused("sequence-geometry", lambda node: node.GetNthDataNode(2).SetOrigin(0, 0, 1))
        refused("sequence-empty", lambda node: node.RemoveAllDataNodes())

    def test_sequence_of_transforms_is_refused(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode")
        node.SetDataNodeAtValue(slicer.vtkMRMLLinearTransformNode(), "0")
        self.assert_refused("sequence-not-volumes", sequence_io.dynamic_from_node, node)

    def test_transform_of_the_proxy_moves_the_image(self):
        image = dynamic()
        node = sequence_io.node_from_dynamic(image, "PET")
        proxy = fusion.show_sequence(node)
        parent, to_world_lps = two_transforms()
        proxy.SetAndObserveTransformNodeID(parent.GetID())
        back = sequence_io.dynamic_from_node(node)
        np.testing.assert_allclose(back.grid.ijk_to_lps, to_world_lps @ image.grid.ijk_to_lps, atol=1e-9)
        proxy.SetAndObserveTransformNodeID(bending_transform().GetID())
        self.assert_refused("transform-not-linear", sequence_io.dynamic_from_node, node)


class SegmentationsTest(SceneTest):
    def setUp(self):
        super().setUp()
        self.node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        self.grid = oblique_grid((6, 7, 8))
        rng = np.random.default_rng(1)
        self.first = np.zeros(self.grid.shape, bool)
        self.first[1:4, 2:6, 1:5] = rng.random((3, 4, 4)) > 0.3
        self.second = np.zeros(self.grid.shape, bool)
        self.second[3:6, 4:7, 3:8] = rng.random((3, 3, 5)) > 0.3

    def points(self, segmentation, index):
        """Where a segment's voxels are, as sorted rows of LPS mm."""
        k, j, i = np.nonzero(segmentation.segments[index].mask)
        return np.array(sorted(segmentation.grid.to_lps(np.stack([i, j, k], axis=1).astype(float)).round(6).tolist()))

    def truth(self, mask, matrix=None):
        k, j, i = np.nonzero(mask)
        grid = self.grid if matrix is None else Grid(self.grid.shape, matrix @ self.grid.ijk_to_lps)
        return np.array(sorted(grid.to_lps(np.stack([i, j, k], axis=1).astype(float)).round(6).tolist()))

    def test_overlapping_segments_keep_all_their_voxels(self):
        self.assertTrue((self.first & self.second).any())
        add_segment(self.node, "foramen C6/C7 left", self.first, self.grid)
        add_segment(self.node, "blood pool", self.second, self.grid)
        back = segmentations.segmentation_from_node(self.node)
        self.assertEqual([segment.name for segment in back.segments], ["foramen C6/C7 left", "blood pool"])
        np.testing.assert_allclose(self.points(back, 0), self.truth(self.first), atol=1e-5)
        np.testing.assert_allclose(self.points(back, 1), self.truth(self.second), atol=1e-5)

    def test_each_segment_may_have_its_own_part_of_the_lattice(self):
        def add_cropped(name, mask):
            used = [np.flatnonzero(mask.any(axis=other)) for other in ((1, 2), (0, 2), (0, 1))]
            part = tuple(slice(axis[0], axis[-1] + 1) for axis in used)
            matrix = self.grid.ijk_to_lps.copy()
            matrix[:3, 3] = self.grid.to_lps(np.array([axis[0] for axis in used[::-1]], dtype=float))
            add_segment(self.node, name, mask[part], Grid(mask[part].shape, matrix))

        # The second lies before the first on every axis, and is cut off elsewhere.
        add_cropped("later", self.second)
        add_cropped("earlier", self.first)
        back = segmentations.segmentation_from_node(self.node)
        np.testing.assert_allclose(self.points(back, 0), self.truth(self.second), atol=1e-5)
        np.testing.assert_allclose(self.points(back, 1), self.truth(self.first), atol=1e-5)
        self.assertLess(np.prod(back.grid.shape), np.prod(self.grid.shape))

    def test_shared_labelmap_is_taken_apart(self):
        second = self.second & ~self.first
        add_segment(self.node, "a", self.first, self.grid)
        add_segment(self.node, "b", second, self.grid)
        self.node.GetSegmentation().CollapseBinaryLabelmaps(False)
        self.assertEqual(self.node.GetSegmentation().GetNumberOfLayers(), 1)
        back = segmentations.segmentation_from_node(self.node)
        np.testing.assert_allclose(self.points(back, 0), self.truth(self.first), atol=1e-5)
        np.testing.assert_allclose(self.points(back, 1), self.truth(second), atol=1e-5)

    def test_parent_transform_moves_the_regions(self):
        add_segment(self.node, "a", self.first, self.grid)
        parent, to_world_lps = two_transforms()
        self.node.SetAndObserveTransformNodeID(parent.GetID())
        back = segmentations.segmentation_from_node(self.node)
        np.testing.assert_allclose(self.points(back, 0), self.truth(self.first, to_world_lps), atol=1e-5)
        self.node.SetAndObserveTransformNodeID(bending_transform().GetID())
        self.assert_refused("transform-not-linear", segmentations.segmentation_from_node, self.node)

    def test_tags_and_colors_come_along(self):
        segment_id = add_segment(self.node, "a", self.first, self.grid)
        segment = self.node.GetSegmentation().GetSegment(segment_id)
        segment.SetTag("TSPOQuant.Structure", "foramen")
        segment.SetColor(0.1, 0.2, 0.3)
        back = segmentations.segmentation_from_node(self.node).segments[0]
        self.assertEqual(back.tags["TSPOQuant.Structure"], "foramen")
        np.testing.assert_allclose(back.color, (0.1, 0.2, 0.3), atol=1e-4)  # a QColor has 16 bits

    def test_segment_without_voxels_stays_and_is_empty(self):
        add_segment(self.node, "a", self.first, self.grid)
        self.node.GetSegmentation().AddEmptySegment("", "not drawn yet")
        back = segmentations.segmentation_from_node(self.node)
        self.assertEqual(back.segments[1].name, "not drawn yet")
        self.assertFalse(back.segments[1].mask.any())
        self.assertEqual(back.segments[1].mask.shape, back.grid.shape)

    def test_nothing_drawn_is_refused(self):
        self.assert_refused("segmentation-empty", segmentations.segmentation_from_node, self.node)
        self.node.GetSegmentation().AddEmptySegment("", "a")
        self.assert_refused("segmentation-empty", segmentations.segmentation_from_node, self.node)

    def test_segments_on_different_lattices_are_refused(self):
        add_segment(self.node, "a", self.first, self.grid)
        shifted = self.grid.ijk_to_lps.copy()
        shifted[:3, 3] += 0.3
        add_segment(self.node, "b", self.second, Grid(self.grid.shape, shifted))
        self.assert_refused("segmentation-geometry", segmentations.segmentation_from_node, self.node)

    def test_surfaces_without_voxels_are_refused(self):
        sphere = vtk.vtkSphereSource()
        sphere.Update()
        self.node.SetSourceRepresentationToClosedSurface()
        self.node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "ball")
        self.assert_refused("segmentation-surfaces", segmentations.segmentation_from_node, self.node)


class TablesTest(SceneTest):
    def row(self, **changed):
        row = {
            "visit": "baseline",
            "region": "foramen C6/C7 left",
            "structure": "foramen",
            "level": "C6/C7",
            "root": "C7",
            "side": "left",
            "model": "1TCM",
            "pvc": "none",
            "VT": 3.25,
            "VT_se": 0.125,
            "K1": 0.1,
            "k2": None,
            "VB": 0.05,
            "K1_se": 0.01,
            "flags": (Notice("vt-se", "large"), Notice("vb-bound", "at a bound")),
        }
        return RegionOutcome(**(row | changed))

    def columns(self):
        return tables.result_columns([self.row()])

    def test_text_and_numbers_have_their_columns(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        tables.fill_table(node, [self.row(), self.row(model="Logan", flags=())], self.columns())
        self.assertEqual(node.GetNumberOfRows(), 2)
        column = {node.GetColumnName(index): index for index in range(node.GetNumberOfColumns())}
        self.assertEqual(node.GetCellText(0, column["region"]), "foramen C6/C7 left")
        self.assertEqual(node.GetCellText(0, column["model"]), "1TCM")
        self.assertEqual(node.GetCellText(0, column["flags"]), "large; at a bound")
        self.assertEqual(node.GetCellText(1, column["flags"]), "")
        np.testing.assert_array_equal(slicer.util.arrayFromTableColumn(node, "VT"), [3.25, 3.25])
        self.assertEqual(slicer.util.arrayFromTableColumn(node, "K1_se")[0], 0.01)
        self.assertTrue(np.isnan(slicer.util.arrayFromTableColumn(node, "VB_se")).all())
        self.assertNotIn("k2", column)  # no row has one
        self.assertEqual(node.GetColumnUnitLabel("VT"), "mL/cm3")
        self.assertEqual(node.GetColumnTitle("VT"), "Vr (V_T)")  # to which Slicer's views add the unit
        self.assertEqual(node.GetColumnTitle("region"), "Region")

    def test_symbols_are_no_words_and_what_has_no_unit_shows_none(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        rows = [self.row(k2=0.05, DVR=1.1)]
        tables.fill_table(node, rows, tables.result_columns(rows))
        self.assertEqual([node.GetColumnTitle(key) for key in ("K1", "k2")], ["K1", "k2"])
        self.assertEqual([node.GetColumnUnitLabel(key) for key in ("k2", "DVR")], ["1/min", ""])

    def test_uptake_stands_beside_the_row_of_its_region_and_correction(self):
        def uptake(pvc, value):
            place = Anatomy("foramen", "C6/C7", "C7", "left").named
            return RegionUptake(visit="baseline", region="foramen C6/C7 left", **place, pvc=pvc, SUV=value)

        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        rows = [self.row(), self.row(pvc="GTM"), self.row(region="cord C7")]
        tables.fill_table(node, rows, tables.result_columns(rows, [uptake("none", 1.234), uptake("GTM", 2.0)]))
        np.testing.assert_array_equal(slicer.util.arrayFromTableColumn(node, "SUV"), [1.23, 2.0, np.nan])
        self.assertNotIn("SUVR", [node.GetColumnName(index) for index in range(node.GetNumberOfColumns())])

    def test_filling_again_replaces(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        tables.fill_table(node, [self.row(), self.row()], self.columns())
        tables.fill_table(node, [self.row()], self.columns())
        self.assertEqual(node.GetNumberOfRows(), 1)
        self.assertEqual(node.GetNumberOfColumns(), len(self.columns()))


class SentenceTest(unittest.TestCase):
    def test_names_of_files_and_symbols_begin_no_sentence_with_a_capital(self):
        for text in ("sub-x_blood.tsv, plasma: it is empty", "k2 is at its bound", "blood.json: no time"):
            self.assertEqual(language.sentence(text), text)
        self.assertEqual(language.sentence("frames 1-3 moved"), "Frames 1-3 moved")


class FusionTest(SceneTest):
    def setUp(self):
        super().setUp()
        self.ct = Volume(np.full((40, 40, 40), 0.0, np.float32), centered_grid((40, 40, 40), (2.0, 2.0, 2.0)), "HU")
        grid = centered_grid((20, 20, 20), (4.0, 4.0, 4.0))
        k, j, i = np.indices(grid.shape)
        lps = grid.to_lps(np.stack([i, j, k], axis=-1).astype(float))
        # Left, anterior (LPS: -y) and superior of the middle.
        hot = np.linalg.norm(lps - (20.0, -12.0, 6.0), axis=-1) < 7
        self.pet = Volume(np.where(hot, 10.0, 0.0).astype(np.float32), grid, "kBq/mL")

    def test_slice_views_show_pet_over_ct(self):
        composite = slicer.mrmlScene.AddNode(slicer.vtkMRMLSliceCompositeNode())
        ct = volumes.node_from_volume(self.ct, "CT")
        pet = volumes.node_from_volume(self.pet, "PET")
        fusion.show_fused(ct, pet, opacity=0.4)
        self.assertEqual(composite.GetBackgroundVolumeID(), ct.GetID())
        self.assertEqual(composite.GetForegroundVolumeID(), pet.GetID())
        self.assertEqual(composite.GetForegroundOpacity(), 0.4)
        self.assertIsNotNone(pet.GetDisplayNode().GetColorNode())
        self.assertNotEqual(pet.GetDisplayNode().GetColorNodeID(), ct.GetDisplayNode().GetColorNodeID())

    def test_sequence_has_one_proxy(self):
        node = sequence_io.node_from_dynamic(dynamic(), "PET")
        proxy = fusion.show_sequence(node)
        self.assertTrue(proxy.IsA("vtkMRMLScalarVolumeNode"))
        self.assertIs(fusion.show_sequence(node), proxy)


if __name__ == "__main__":
    unittest.main()
