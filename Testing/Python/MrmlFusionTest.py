"""PET over CT in the views: layouts, links, blinking, planes of a foramen, ranges, and frames brought to the CT."""

import unittest
from unittest import mock
from xml.etree import ElementTree

import numpy as np
import slicer
import slicer.util
import vtk
from support.exacttissue import centers
from support.mrmlstudy import add_segment, grid
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan, Volume
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.mrml import carry, fusion, segmentations, sequence_io, transforms, views, volumes
from TSPOQuantLib.regions.anatomy import identify
from TSPOQuantLib.regions.planes import edge_letters, plane_of

FORAMEN = "foramen C6/C7 left"
PLACE = np.array([14.0, 2.0, -6.0])


def slice_to_lps(node):
    return transforms.LPS_FROM_RAS @ transforms.array_from_matrix(node.GetSliceToRAS())


class ScenesTest(unittest.TestCase):
    """In Slicer's own scene the views are there; elsewhere their nodes are made here."""

    def setUp(self):
        slicer.mrmlScene.Clear()
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(slicer.mrmlScene)
        for name in views.SLICE_VIEWS:
            self.add_slice_view(name)
        if slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode") is None:
            slicer.mrmlScene.AddNode(slicer.vtkMRMLLayoutNode())
        on = grid((20, 24, 28), 3.0)
        self.ct = volumes.node_from_volume(Volume(np.zeros(on.shape, np.float32), on, "HU"), "CT")
        hot = np.linalg.norm(centers(on) - PLACE, axis=-1) < 6
        self.frames = np.stack([level * np.where(hot, 10.0, 1.0) for level in (1.0, 4.0, 2.0)]).astype(np.float32)
        timing = FrameTiming(np.array([0.0, 60.0, 360.0]), np.array([60.0, 300.0, 600.0]))
        self.image = DynamicImage(self.frames, on, timing, "injection", None, "simulated", Scan(half_life_s=1224.0))

    def add_slice_view(self, name):
        if name in views.slice_nodes():
            return
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSliceNode")
        node.UnRegister(None)
        node.SetLayoutName(name)
        slicer.mrmlScene.AddNode(node).SetOrientation(views.SLICE_VIEWS[name.removeprefix(views.BESIDE)])
        composite = slicer.vtkMRMLSliceCompositeNode()
        composite.SetLayoutName(name)
        slicer.mrmlScene.AddNode(composite)

    def sequence(self):
        node = sequence_io.node_from_dynamic(self.image, "PET")
        return node, fusion.show_sequence(node)

    def segmentation(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "regions")
        on = grid((40, 40, 40), 1.5)
        where = centers(on)
        self.ids = {}
        for name, place in (
            (FORAMEN, PLACE),
            ("foramen C6/C7 right", PLACE * (-1, 1, 1)),
            ("foramen C5/C6 left", PLACE + np.array([0, -4, 16])),
            ("foramen C5/C6 right", PLACE * (-1, 1, 1) + (0, -4, 16)),
            ("cord C7", PLACE * (0, 1, 1)),
        ):
            self.ids[name] = add_segment(node, name, np.linalg.norm(where - place, axis=-1) < 4, on)
        self.ids["not drawn"] = node.GetSegmentation().AddEmptySegment("", "not drawn")
        return node


class LayoutTest(ScenesTest):
    def test_a_scene_that_was_saved_with_a_layout_of_ours_finds_it(self):
        import TSPOQuant

        layout = slicer.vtkMRMLLayoutNode()
        layout.SetSingletonTag("another")
        layout = slicer.mrmlScene.AddNode(layout)
        self.addCleanup(slicer.mrmlScene.RemoveNode, layout)
        for number in views.layouts():
            self.assertFalse(layout.IsLayoutDescription(number))
        TSPOQuant.registerLayouts()
        slicer.mrmlScene.InvokeEvent(slicer.mrmlScene.StartImportEvent)
        for number, description in views.layouts().items():
            self.assertTrue(layout.IsLayoutDescription(number))
            self.assertEqual(layout.GetLayoutDescription(number), description)

    def test_a_screen_of_1280_pixels_has_room_for_them_and_the_panel(self):
        # Seen in Slicer 5.13: the bar of a slice view, of any other view, and the module panel.
        slice_bar, bar, panel = 360, 130, 500

        def width(item):
            if item.tag == "view":
                return slice_bar if item.get("class") == "vtkMRMLSliceNode" else bar
            widths = [width(child) for child in item if child.tag in ("item", "layout", "view")]
            return sum(widths) if item.get("type") == "horizontal" else max(widths)

        for number, description in views.layouts().items():
            with self.subTest(number):
                self.assertLessEqual(panel + width(ElementTree.fromstring(description)), 1280)


class FusedViewsTest(ScenesTest):
    def test_one_call_sets_all(self):
        _, proxy = self.sequence()
        fusion.show_fused(self.ct, proxy, 0.4)
        layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        self.assertEqual(layout.GetViewArrangement(), views.FUSION_LAYOUT)
        for part in ("Red", "Yellow", "Green", "vtkMRMLViewNode", "vtkMRMLPlotViewNode"):
            self.assertIn(part, layout.GetLayoutDescription(views.FUSION_LAYOUT))
        for composite in views.composites():
            self.assertEqual(composite.GetBackgroundVolumeID(), self.ct.GetID())
            self.assertEqual(composite.GetForegroundVolumeID(), proxy.GetID())
            self.assertAlmostEqual(composite.GetForegroundOpacity(), 0.4)
            self.assertTrue(composite.GetLinkedControl() and composite.GetHotLinkedControl())
        display = self.ct.GetDisplayNode()
        self.assertEqual((display.GetWindow(), display.GetLevel()), (fusion.CT_WINDOW_HU, fusion.CT_LEVEL_HU))
        views.link(False)
        self.assertFalse(any(composite.GetLinkedControl() for composite in views.composites()))

    def test_range_suits_what_is_shown_and_its_unit(self):
        _, proxy = self.sequence()
        fusion.show_fused(self.ct, proxy)
        display = proxy.GetDisplayNode()
        top = display.GetWindowLevelMax()
        self.assertAlmostEqual(display.GetWindowLevelMin(), 0)
        self.assertTrue(20 <= top <= 22, "the last frame's hot spot has 20 kBq/mL")
        self.assertEqual(fusion.set_pet_range(proxy, (0, 3), 0.2), (0, 3))
        self.assertAlmostEqual(display.GetWindowLevelMax(), 15)
        self.assertEqual(fusion.set_pet_range(proxy, None, 0.2), (0, 4))  # 20 kBq/mL are 4 SUV
        self.assertAlmostEqual(display.GetWindowLevelMax(), 20)

    def test_blinking_comes_back_to_where_it_was(self):
        views.set_opacity(0.35)
        self.assertFalse(views.blink())
        self.assertTrue(all(composite.GetForegroundOpacity() == 0 for composite in views.composites()))
        self.assertTrue(views.blink())
        self.assertTrue(all(composite.GetForegroundOpacity() == 0.35 for composite in views.composites()))
        views.blink()
        views.set_opacity(0.6)
        self.assertFalse(views.blink(), "setting an opacity ends blinking")

    def test_linked_views_blink_together(self):
        """As Slicer links them: what is changed in one is set in all others at once."""
        found = views.composites()
        self.assertGreater(len(found), 1)

        def follow(caller, event):
            for other in found:
                if other is not caller and other.GetForegroundOpacity() != caller.GetForegroundOpacity():
                    other.SetForegroundOpacity(caller.GetForegroundOpacity())

        views.set_opacity(0.35)
        for composite in found:
            tag = composite.AddObserver(vtk.vtkCommand.ModifiedEvent, follow)
            self.addCleanup(composite.RemoveObserver, tag)
        for expected in (0.0, 0.35, 0.0, 0.35):
            views.blink()
            self.assertEqual({composite.GetForegroundOpacity() for composite in found}, {expected})

    def test_pet_over_anatomy_ends_blinking(self):
        _, proxy = self.sequence()
        views.blink()
        fusion.show_fused(self.ct, proxy, 0.5)
        self.assertFalse(views.blink(), "the PET goes at the first press")

    def test_back_from_beside_views_show_as_much_as_before(self):
        """Slicer fits a view that gets another shape to its new size by the height that it showed."""
        _, proxy = self.sequence()
        fusion.show_fused(self.ct, proxy)
        red = views.slice_nodes()["Red"]
        red.SetDimensions(400, 200, 1)
        red.SetFieldOfView(80.0, 40.0, 1.0)
        views.show_beside(self.ct, proxy)
        show_layout = views.show_layout

        def relayout(layout):
            red.SetDimensions(400, 400, 1)
            red.SetFieldOfView(40.0, 40.0, 1.0)
            return show_layout(layout)

        with mock.patch.object(views, "show_layout", relayout):
            fusion.show_fused(self.ct, proxy)
        columns, rows, _ = red.GetDimensions()  # in a window those that its layout gives
        np.testing.assert_allclose(red.GetFieldOfView(), (80.0, 80.0 * rows / columns, 1.0))

    def test_ct_and_pet_beside_each_other(self):
        _, proxy = self.sequence()
        views.show_layout(views.BESIDE_LAYOUT)
        for name in views.SLICE_VIEWS:
            self.add_slice_view(views.BESIDE + name)
        views.slice_nodes()["Red"].SetFieldOfView(80.0, 60.0, 1.0)
        self.assertTrue(views.show_beside(self.ct, proxy))
        shown = {c.GetLayoutName(): c.GetBackgroundVolumeID() for c in views.composites()}
        self.assertEqual(shown["Red"], self.ct.GetID())
        self.assertEqual(shown[views.BESIDE + "Red"], proxy.GetID())
        nodes = views.slice_nodes()
        np.testing.assert_allclose(slice_to_lps(nodes[views.BESIDE + "Red"]), slice_to_lps(nodes["Red"]), atol=1e-9)
        self.assertAlmostEqual(nodes[views.BESIDE + "Red"].GetFieldOfView()[0], nodes["Red"].GetFieldOfView()[0])

    def test_new_views_beside_do_not_take_the_others_away(self):
        _, proxy = self.sequence()
        red = views.slice_nodes()["Red"]
        red.SetFieldOfView(80.0, 60.0, 1.0)
        red.JumpSliceByCentering(*PLACE)
        before = slice_to_lps(red)

        def lay_out():  # what Slicer does with the views that a new one is linked with
            red.SetSliceOffset(0.0)
            red.SetFieldOfView(250.0, 250.0, 1.0)

        # In place of Slicer's application, whose methods cannot be replaced.
        with mock.patch.object(slicer, "app", mock.Mock(wraps=slicer.app, processEvents=lay_out)):
            self.assertTrue(views.show_beside(self.ct, proxy))
        np.testing.assert_allclose(slice_to_lps(red), before, atol=1e-9)
        self.assertEqual(red.GetFieldOfView()[0], 80.0)

    def test_regions_are_outlines_and_surfaces(self):
        node = self.segmentation()
        fusion.show_regions(node)
        self.assertFalse(node.GetDisplayNode().GetSegmentVisibility2DFill(self.ids[FORAMEN]))
        surface = node.GetClosedSurfaceInternalRepresentation(self.ids[FORAMEN])
        self.assertGreater(surface.GetNumberOfPoints(), 10)


class GoToTest(ScenesTest):
    def test_segment_is_in_the_middle_of_every_view(self):
        node = self.segmentation()
        shift = np.eye(4)
        shift[:3, 3] = (3.0, -2.0, 5.0)  # RAS
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(transforms.matrix_from_array(shift))
        node.SetAndObserveTransformNodeID(transform.GetID())
        views.go_to_segment(node, self.ids["cord C7"])
        expected = PLACE * (0, 1, 1) + (-3.0, 2.0, 5.0)
        for name, slice_node in views.slice_nodes().items():
            with self.subTest(name):
                np.testing.assert_allclose(slice_to_lps(slice_node)[:3, 3], expected, atol=0.3)
        self.assertEqual(views.slice_nodes()["Red"].GetOrientation(), "Axial")

    def test_foramen_shows_as_a_hole(self):
        node = self.segmentation()
        views.go_to_segment(node, self.ids[FORAMEN])
        nodes = views.slice_nodes()
        normal = slice_to_lps(nodes["Yellow"])[:3, 2]
        # Left, forward, and 12.5 degrees down about a spine that leans forward by atan(4 / 16) upwards.
        forward, down, lean = np.deg2rad((45, 12.5)), np.deg2rad(12.5), np.arctan2(4, 16)
        canal = np.array([np.cos(forward[0]) * np.cos(down), -np.sin(forward[0]) * np.cos(down), -np.sin(down)])
        turn = np.array([[1, 0, 0], [0, np.cos(lean), -np.sin(lean)], [0, np.sin(lean), np.cos(lean)]])
        np.testing.assert_allclose(normal, turn @ canal, atol=0.03)
        self.assertLess(abs(slice_to_lps(nodes["Red"])[:3, 2] @ normal), 1e-6, "the red view holds the canal")
        self.assertEqual(nodes["Green"].GetOrientation(), "Coronal")
        for slice_node in nodes.values():
            np.testing.assert_allclose(slice_to_lps(slice_node)[:3, 3], PLACE, atol=0.3)
        views.reset_planes()
        self.assertEqual(
            [nodes[name].GetOrientation() for name in views.SLICE_VIEWS], list(views.SLICE_VIEWS.values())
        )

    def test_sides_mirror_and_edges_are_named(self):
        found = {}
        for side in ("left", "right"):
            axes = plane_of(identify(f"foramen C6/C7 {side}", {}), "across canal", {})
            found[side] = axes
            self.assertEqual(edge_letters(axes[:, 1]), "S")
            self.assertIn("P", edge_letters(axes[:, 0]))
        np.testing.assert_allclose(found["left"] * [[-1], [1], [1]], found["right"], atol=1e-12)
        self.assertEqual(edge_letters(np.array([1.0, 0, 0])), "L")
        self.assertEqual(edge_letters(np.array([-0.8, -0.6, 0])), "RA")
        with self.assertRaises(ValueError):
            plane_of(identify(FORAMEN, {}), "diagonal", {})

    def test_nothing_drawn_is_refused(self):
        node = self.segmentation()
        with self.assertRaises(InputRefused) as caught:
            views.go_to_segment(node, self.ids["not drawn"])
        self.assertEqual(caught.exception.code, "segment-empty")
        self.assertNotIn(self.ids["not drawn"], segmentations.segment_centers(node))


class CarriedTest(ScenesTest):
    def test_regions_land_on_the_other_visits_ct_marked_and_editable(self):
        node = self.segmentation()
        on = grid((40, 40, 40), 1.5)
        bone = (np.abs(centers(on)) < (20, 8, 24)).all(axis=-1) & (np.linalg.norm(centers(on) - PLACE, axis=-1) > 5)
        bone |= np.linalg.norm(centers(on) - (-9, 12, 10), axis=-1) < 6
        values = np.where(bone, 700.0, 0.0).astype(np.float32)
        first = volumes.node_from_volume(Volume(values, on, "HU"), "first CT")
        shifted = on.ijk_to_lps.copy()
        shifted[:3, 3] += (3.0, -4.5, 6.0)
        second = volumes.node_from_volume(Volume(values, Grid(on.shape, shifted), "HU"), "second CT")
        before = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
        found, notices = carry.carry_regions(node, first, second, "baseline")
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), before + 1)
        self.assertEqual(notices[-1].code, "regions-carried")
        back = segmentations.segmentation_from_node(found)
        segment = next(s for s in back.segments if s.name == FORAMEN)
        self.assertEqual(segment.tags["TSPOQuant.CarriedFrom"], "baseline")
        middle = back.grid.to_lps(np.argwhere(segment.mask).mean(axis=0)[::-1])
        np.testing.assert_allclose(middle, PLACE + np.array([3.0, -4.5, 6.0]), atol=1.0)
        self.assertFalse(next(s for s in back.segments if s.name == "not drawn").mask.any())
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLLabelMapVolumeNode"), 0)
        level = slicer.mrmlScene.GetFirstNodeByName("C6/C7: baseline to here")
        self.assertIsNotNone(level)


if __name__ == "__main__":
    unittest.main()
