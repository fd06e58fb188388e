"""What the views show while the panel is used: this visit's images, regions and charts, where one is looking.

The nodes are Slicer's own; what their views make of them, only Slicer shows.
"""

import re
import unittest
from unittest import mock

import numpy as np
import qt
import slicer
import slicer.util
import vtk
from PanelTest import PanelTest
from support import mrmlstudy
from support.tiers import slow
from support.visitrecords import outcome
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.alignment.motion import FrameMotion
from TSPOQuantLib.mrml import content, fusion, maps, plots, study_nodes, tables, transforms, views
from TSPOQuantLib.mrml.choices import Level, Side

FORAMEN = "foramen C6/C7 left"


class ViewsTest(PanelTest):
    def setUp(self):
        super().setUp()
        self.composite = slicer.mrmlScene.AddNode(slicer.vtkMRMLSliceCompositeNode())
        self.plot_view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotViewNode")

    def two_visits(self):
        first = self.fill_in()
        self.choose(self.ui.visitComboBox, "followup")
        second = self.fill_in(0.5)
        self.choose(self.ui.visitComboBox, "baseline")
        return first, second

    def slice_node(self, name, columns=300, rows=200):
        node = views.slice_nodes().get(name)
        if node is None:  # no window
            slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(slicer.mrmlScene)
            node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode")
            node.SetLayoutName(name)
            self.addCleanup(slicer.mrmlScene.RemoveNode, node)
        node.SetDimensions(columns, rows, 1)
        return node

    def assert_shown(self, segmentation, shown, opacity=1.0):
        display = segmentation.GetDisplayNode()
        self.assertEqual(bool(display.GetVisibility()), shown)
        if shown:
            self.assertFalse(display.GetVisibility2DFill())
            self.assertTrue(display.GetVisibility2DOutline())
            self.assertEqual(display.GetOpacity2DOutline(), opacity)

    def map_of(self, session, study):
        node = study_nodes.find_or_add(session, study_nodes.MAP, "vtkMRMLScalarVolumeNode", f"{session} V_T")
        slicer.util.updateVolumeFromArray(node, np.ones((4, 4, 4), np.float32))
        node.CreateDefaultDisplayNodes()
        return node

    def shown(self):
        nodes = (self.composite.GetBackgroundVolumeID(), self.composite.GetForegroundVolumeID())
        return [slicer.mrmlScene.GetNodeByID(node) if node else None for node in nodes]


class VisitTest(ViewsTest):
    @slow
    def test_from_side_by_side_a_chart_comes_with_the_fused_images(self):
        if slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode") is None:  # no window
            slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLayoutNode")
        self.fill_in()
        self.choose_quick()
        self.ui.computeButton.click()
        self.ui.besideButton.click()
        self.assertTrue(views.is_beside())
        with mock.patch.object(plots, "show"):
            self.ui.curvesPlotButton.click()
        self.assertFalse(views.is_beside())

    def test_regions_that_the_visit_does_not_have_are_hidden(self):
        first, second = self.two_visits()
        other = mrmlstudy.make(self.folder).segmentation
        other.CreateDefaultDisplayNodes()
        self.ui.fuseButton.click()
        self.assert_shown(other, False)
        self.ui.segmentationSelector.setCurrentNode(other)
        self.assert_shown(other, True)
        self.assert_shown(first.segmentation, False)
        self.assert_shown(second.segmentation, False)

    def test_regions_of_the_next_scene_are_not_those_of_the_last(self):
        first = self.fill_in().segmentation.GetID()
        self.ui.fuseButton.click()
        slicer.mrmlScene.Clear()
        other = mrmlstudy.make(self.folder).segmentation
        other.CreateDefaultDisplayNodes()
        self.assertEqual(other.GetID(), first)
        self.logic.showRegions("baseline")
        self.assertTrue(other.GetDisplayNode().GetVisibility())

    def test_the_regions_of_one_visit_are_shown_as_outlines(self):
        first, second = self.two_visits()
        self.ui.fuseButton.click()
        self.assert_shown(first.segmentation, True)
        self.assert_shown(second.segmentation, False)
        self.choose(self.ui.visitComboBox, "followup")
        self.assert_shown(first.segmentation, False)
        self.assert_shown(second.segmentation, True)
        self.ui.otherVisitsCheckBox.checked = True
        self.assert_shown(first.segmentation, True, 0.4)
        self.assert_shown(second.segmentation, True)
        self.ui.besideButton.click()
        self.assert_shown(first.segmentation, True, 0.4)
        self.ui.otherVisitsCheckBox.checked = False
        self.assert_shown(first.segmentation, False)

    def test_regions_that_both_visits_share_stay(self):
        first, _second = self.two_visits()
        self.logic.visit("followup").segmentation = first.segmentation
        self.choose(self.ui.visitComboBox, "followup")
        self.assert_shown(first.segmentation, True)

    def test_slices_follow_the_visit(self):
        first, second = self.two_visits()
        slice_node = self.slice_node("Red")
        self.ui.fuseButton.click()
        self.assertEqual(self.shown(), [first.ct, fusion.proxy_of(first.pet)])
        self.logic.goToRegion("baseline", FORAMEN)
        place = [slice_node.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)]
        slice_node.GetSliceToRAS().SetElement(0, 3, 500.0)
        before = fusion.proxy_of(first.pet).GetDisplayNode().GetWindowLevelMax()
        self.choose(self.ui.visitComboBox, "followup")
        self.assertEqual(self.shown(), [second.ct, fusion.proxy_of(second.pet)])
        browser = slicer.modules.sequences.toolBar().activeBrowserNode()
        self.assertIs(browser.GetProxyNode(second.pet), fusion.proxy_of(second.pet))
        # The same place, in the same colors.
        found = [slice_node.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)]
        np.testing.assert_allclose(found, place, atol=1e-6)
        self.assertEqual(fusion.proxy_of(second.pet).GetDisplayNode().GetWindowLevelMax(), before)

    def test_surfaces_follow_the_visit(self):
        first, second = self.two_visits()
        self.choose(self.ui.visitComboBox, "followup")
        slicer.app.processEvents()
        self.assertFalse(fusion.has_surfaces(second.segmentation), "nobody looks at any in 3-D")
        self.choose(self.ui.visitComboBox, "baseline")
        self.ui.fuseButton.click()
        self.assertTrue(fusion.has_surfaces(first.segmentation))
        self.choose(self.ui.visitComboBox, "followup")
        self.assertFalse(fusion.has_surfaces(second.segmentation), "not before the panel shows the visit")
        slicer.app.processEvents()
        self.assertTrue(fusion.has_surfaces(second.segmentation))

    def test_views_of_other_images_are_left_alone(self):
        self.two_visits()
        other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "other")
        self.composite.SetBackgroundVolumeID(other.GetID())
        self.choose(self.ui.visitComboBox, "followup")
        self.assertEqual(self.shown(), [other, None])

    def test_the_scale_of_a_map_goes_with_the_map(self):
        first, _second = self.two_visits()
        ours = self.map_of("baseline", first)
        maps.show(ours, first.ct)
        (scale,) = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
        seen = []
        # Slicer looks at the views when a scale says that it was changed.
        scale.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: seen.append(self.shown()[1]))
        self.assertEqual(self.shown(), [first.ct, ours])
        self.ui.fuseButton.click()
        self.assertEqual(self.shown(), [first.ct, fusion.proxy_of(first.pet)])
        self.assertIs(seen[-1], self.shown()[1])
        for show in (lambda: maps.show(ours, first.ct), lambda: self.logic.selectFrame("baseline", 1)):
            show()
            self.assertIs(seen[-1], self.shown()[1])

    def test_a_visit_without_a_map_shows_its_pet_where_the_other_showed_its_map(self):
        first, second = self.two_visits()
        ours = self.map_of("baseline", first)
        maps.show(ours, first.ct)
        (scale,) = slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode")
        seen = []
        scale.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: seen.append(self.shown()[1]))
        self.choose(self.ui.visitComboBox, "followup")
        self.assertEqual(self.shown(), [second.ct, fusion.proxy_of(second.pet)])
        self.assertIs(seen[-1], self.shown()[1])
        self.choose(self.ui.visitComboBox, "baseline")
        maps.show(ours, first.ct)
        other = self.map_of("followup", second)
        self.choose(self.ui.visitComboBox, "followup")
        self.assertEqual(self.shown(), [second.ct, other])

    @slow
    def test_review_is_of_the_pet_where_a_map_was_looked_at(self):
        study = self.computed()
        maps.show(self.map_of("baseline", study), study.ct)
        self.ui.nextButton.click()
        self.assertEqual(self.shown(), [study.ct, fusion.proxy_of(study.pet)])

    @slow
    def test_charts_follow_the_visit(self):
        self.two_visits()
        for session in ("followup", "baseline"):
            self.choose(self.ui.visitComboBox, session)
            self.choose_quick()
            self.ui.computeButton.click()
        charts = {
            session: study_nodes.find(session, "chart curves", "vtkMRMLPlotChartNode")
            for session in ("baseline", "followup")
        }
        self.plot_view.SetPlotChartNodeID(charts["baseline"].GetID())
        self.choose(self.ui.visitComboBox, "followup")
        self.assertEqual(self.plot_view.GetPlotChartNodeID(), charts["followup"].GetID())
        self.ui.newVisitLineEdit.text = "week12"
        self.ui.addVisitButton.click()
        self.assertIsNone(self.plot_view.GetPlotChartNodeID())
        self.choose(self.ui.visitComboBox, "baseline")
        self.assertEqual(self.plot_view.GetPlotChartNodeID(), charts["baseline"].GetID())
        # The last line of each visit at the top of the panel, with its error.
        lines = self.ui.headlineLabel.text.splitlines()
        self.assertEqual([line.split(":")[0] for line in lines[1:]], ["baseline", "followup"])
        self.assertRegex(lines[1], r"^baseline: 4\.0000 ± 0\.0000 \((3\.9999|4\.0000) to 4\.0000\)$")


class PlaceTest(ViewsTest):
    def test_the_affected_foramen_is_found_by_what_it_is(self):
        study = self.fill_in()
        node = self.slice_node("Red")
        chosen = self.logic.getParameterNode()
        chosen.level, chosen.side = Level("C6/C7"), Side("left")
        segments = study.segmentation.GetSegmentation()
        segment = segments.GetSegment(segments.GetSegmentIdBySegmentName(FORAMEN))
        self.assertTrue(self.logic.goToRegion("baseline", FORAMEN))
        place = [node.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)]
        segment.SetName(segment.GetName() + " (root C7)")
        node.GetSliceToRAS().SetElement(0, 3, 500.0)
        self.assertTrue(self.logic.goToAffected("baseline"))
        found = [node.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)]
        np.testing.assert_allclose(found, place, atol=1e-6)

    def test_a_study_without_an_affected_foramen_goes_nowhere(self):
        self.fill_in()
        self.logic.getParameterNode().level = Level.UNKNOWN
        self.assertFalse(self.logic.goToAffected("baseline"))

    def test_a_region_takes_a_tenth_of_the_view(self):
        study = self.fill_in()
        node = self.slice_node("Red")
        segmentation = study.segmentation.GetSegmentation()
        self.logic.goTo("baseline", segmentation.GetSegmentIdBySegmentName(FORAMEN))
        width, height, _depth = node.GetFieldOfView()
        self.assertAlmostEqual(height, 100, delta=21)  # a ball of 10 mm, in voxels of 2 mm
        self.assertAlmostEqual(width / height, 1.5)

    def test_the_way_back_to_the_whole(self):
        study = self.fill_in()
        node = self.slice_node("Red")
        self.choose(self.ui.goToComboBox, FORAMEN)
        self.panel.onGoTo(self.ui.goToComboBox.currentIndex)
        self.assertEqual(node.GetOrientation(), views.PRESET)
        self.choose(self.ui.goToComboBox, "Whole images")
        self.panel.onGoTo(self.ui.goToComboBox.currentIndex)
        self.assertEqual(node.GetOrientation(), "Axial")
        self.assertIs(self.logic.visit("baseline").segmentation, study.segmentation)

    def test_pet_and_ct_side_by_side_have_one_zoom(self):
        if views.show_layout(views.BESIDE_LAYOUT):  # Slicer's own views: it dies of nodes that are in no layout
            slicer.app.processEvents()
        above, below = self.slice_node("Red"), self.slice_node(f"{views.BESIDE}Red", 240, 160)
        above.SetFieldOfView(90, 60, 1)
        below.SetFieldOfView(300, 200, 1)  # as a new layout fits a view to its image
        views.match_beside()
        np.testing.assert_allclose(below.GetFieldOfView()[:2], (90, 60))

    def test_an_oblique_view_is_saved_and_loaded_without_a_complaint(self):
        study = self.fill_in()
        self.slice_node("Red")
        self.logic.goTo("baseline", study.segmentation.GetSegmentation().GetNthSegmentID(0))
        bundle = f"{self.folder}/oblique.mrb"
        window = vtk.vtkStringOutputWindow()
        before = vtk.vtkOutputWindow.GetInstance()
        vtk.vtkOutputWindow.SetInstance(window)
        try:
            self.assertTrue(slicer.mrmlScene.WriteToMRB(bundle))
            self.assertTrue(slicer.mrmlScene.ReadFromMRB(bundle, True))
        finally:
            vtk.vtkOutputWindow.SetInstance(before)
        self.assertNotIn("orientation preset", window.GetOutput())


@slow
class ClickTest(ViewsTest):
    def test_every_series_shows_its_frame_and_the_pet(self):
        study = self.computed()
        for role in ("curves", "line", "input"):
            chart = study_nodes.find("baseline", f"chart {role}", "vtkMRMLPlotChartNode")
            for number in range(chart.GetNumberOfPlotSeriesNodes()):
                node = chart.GetNthPlotSeriesNode(number)
                for point in (0, node.GetTableNode().GetNumberOfRows() - 1):
                    with self.subTest(role=role, series=node.GetName(), point=point):
                        self.composite.SetForegroundVolumeID(None)
                        self.click_point(node.GetID(), point)
                        _session, frame = plots.frame_of(node.GetID(), point)
                        browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(study.pet)
                        self.assertEqual(browser.GetSelectedItemNumber(), frame)
                        self.assertIs(self.shown()[1], fusion.proxy_of(study.pet))

    def test_redrawing_a_chart_that_is_shown_brings_no_complaint(self):
        self.computed()
        chart = study_nodes.find("baseline", "chart curves", "vtkMRMLPlotChartNode")
        self.plot_view.SetPlotChartNodeID(chart.GetID())
        columns = []

        def count(node, event):
            columns.append(node.GetNumberOfColumns())

        for number in range(chart.GetNumberOfPlotSeriesNodes()):
            table = chart.GetNthPlotSeriesNode(number).GetTableNode()
            # What a plot view would read at every event: both columns are there.
            table.AddObserver(vtk.vtkCommand.ModifiedEvent, count)
        self.logic.showRegion("baseline", "foramen C6/C7 right")
        self.assertEqual(set(columns), {2})


@slow
class ResultTest(ViewsTest):
    def test_the_affected_foramen_comes_first_and_into_the_views(self):
        self.choose(self.ui.levelComboBox, "C6/C7 (root C7)")
        self.choose(self.ui.sideComboBox, "Right")
        slice_node = self.slice_node("Red")
        study = self.computed()
        slicer.app.processEvents()
        table = self.ui.resultTableView.mrmlTableNode()
        self.assertEqual(tables.cell(table, 0, "region"), "foramen C6/C7 right")
        self.assertIs(self.shown()[0], study.ct)
        self.assertLess(slice_node.GetSliceToRAS().GetElement(0, 3) * -1, 0)  # RAS: right is positive
        self.assertFalse(self.ui.kineticsCollapsibleButton.collapsed)
        self.assertIn("foramen C6/C7 right", self.ui.headlineLabel.text)
        self.assertIn("followup", self.ui.nextLabel.text)
        models = self.ui.modelTableView.mrmlTableNode()
        self.assertEqual([tables.cell(models, 1, key) for key in ("aicc", "aic", "bic")], ["nan"] * 3)

    def test_one_statement_of_motion(self):
        self.fill_in()
        self.choose_quick()
        self.choose(self.ui.motionComboBox, "Frames alone")
        self.ui.alignButton.click()
        alone = self.ui.fusionLabel.text
        self.assertIn("where this alignment puts it", alone)
        self.ui.computeButton.click()
        self.assertEqual(self.ui.fusionLabel.text, alone)

    def test_motion_is_told_where_regions_are_quantified(self):
        study = self.fill_in()
        on = mrmlstudy.grid((6, 10, 12), 4.0)
        away = np.zeros(on.shape, dtype=bool)
        away[:, 0, :] = True
        mrmlstudy.add_segment(study.segmentation, "vertebra C7", away, on)
        turned = np.tile(np.eye(4), (2, 1, 1))
        turned[0, :2, :2] = [[0.98, -0.2], [0.2, 0.98]]
        motion = FrameMotion(turned, (1,), (), np.zeros(2), np.zeros(3))
        self.assertEqual(self.logic.steps._judgedAtRegions("baseline", motion).notices, ())
        turned[0, 0, 3] = 5.0
        (notice,) = self.logic.steps._judgedAtRegions("baseline", motion).notices
        self.assertEqual(notice.code, "motion-large")

    def test_each_frame_is_seen_where_alignment_puts_it_and_counts_where_it_was_scanned(self):
        study = self.fill_in()
        self.choose_quick()
        self.choose(self.ui.motionComboBox, "Frames alone")
        proxy = fusion.show_sequence(study.pet)
        users = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "the user's")
        turned = np.array([[0.0, -1, 0, 3], [1, 0, 0, -4], [0, 0, 1, 5], [0, 0, 0, 1]])
        users.SetMatrixTransformToParent(transforms.matrix_from_array(turned))
        proxy.SetAndObserveTransformNodeID(users.GetID())
        place, key = transforms.parent_to_world(proxy, "PET"), content.sequence_key(study.pet)
        frames = study.pet.GetNumberOfDataNodes()
        moved = np.tile(np.eye(4), (frames, 1, 1))
        moved[:, 0, 3] = np.arange(frames)  # LPS mm, from the CT into the frame
        motion = FrameMotion(moved, (frames - 1,), uncertainty_mm=np.zeros(frames))
        browser = fusion.browser_of(study.pet)
        with mock.patch("TSPOQuantLib.pipeline.align_visit", return_value=(motion, None)):
            self.ui.alignButton.click()
        for frame in (0, frames - 1):
            self.logic.selectFrame("baseline", frame)
            slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
            shown = vtk.vtkMatrix4x4()
            proxy.GetParentTransformNode().GetMatrixTransformToWorld(shown)
            onto_ct = np.eye(4)
            onto_ct[0, 3] = frame  # back by that, in RAS
            np.testing.assert_allclose(transforms.array_from_matrix(shown), onto_ct @ turned, atol=1e-9)
        np.testing.assert_array_equal(transforms.parent_to_world(proxy, "PET"), place)
        self.assertEqual(content.sequence_key(study.pet), key)
        self.assertEqual(self.states()[1], "done")
        self.choose(self.ui.motionComboBox, "Not corrected")
        self.assertIs(proxy.GetParentTransformNode(), users)
        named = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLLinearTransformNode")]
        self.assertEqual([name for name in named if "aligned" in name], [])  # Slicer's views have some of their own
        self.choose(self.ui.motionComboBox, "Frames alone")
        self.assertIsNot(proxy.GetParentTransformNode(), users)
        self.logic.addVisit("later")
        self.logic.removeVisit("baseline")
        self.assertIs(proxy.GetParentTransformNode(), users)


class DigitsTest(unittest.TestCase):
    def test_two_digits_of_the_error(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
        self.addCleanup(slicer.mrmlScene.RemoveNode, node)
        wanted = {
            (3.00959, 0.0612): ("3.010", "0.061"),
            (12.956, 1.234): ("13.0", "1.2"),
            (3.5, 0.1): ("3.50", "0.10"),
            (3.1149, 0.0996): ("3.11", "0.10"),
            (2.0, 0.0): ("2.00", "0.00"),
            (4.0, None): ("4.00", "–"),
        }
        rows = [outcome("baseline", "cord C7", "1TCM", vt, error, K1=0.1, k2=None, VB=0.0) for vt, error in wanted]
        tables.fill_table(node, rows, tables.result_columns(rows))
        column = {node.GetColumnName(index): index for index in range(node.GetNumberOfColumns())}
        said = [tuple(tables.shown(node, row, column[key]) for key in ("VT", "VT_se")) for row in range(len(rows))]
        self.assertEqual(said, list(wanted.values()))
        self.assertEqual(tables.shown(node, 0, column["K1"]), "0.1000")
        self.assertEqual(tables.cell(node, 0, "VT"), "3.01")  # a number for machines


class DecimalSignTest(ViewsTest):
    def test_numbers_are_as_the_language_of_the_application_writes_them(self):
        # The error budget takes the longest.
        with mock.patch("TSPOQuantLib.pipeline.quantification.sensitivities", return_value=()):
            self.computed()
        english = self.shown_numbers()
        with mock.patch.object(slicer, "app", mock.Mock(wraps=slicer.app, applicationLocaleName="fr_FR")):
            self.panel.updateGUI()
            french = self.shown_numbers()
        for said, another in zip(english, french, strict=True):
            self.assertRegex(said, r"\d\.\d")
            self.assertNotRegex(another, r"\d\.\d")
            self.assertEqual(re.sub(r"(?<=\d),(?=\d)", ".", another), said)

    def shown_numbers(self):
        """The line on top, a number of the panel's table, and the slope in the line's chart."""
        self.logic.showRegion("baseline", FORAMEN)
        table = self.ui.resultTableView
        self.assertEqual(self.drawn(table, "region"), FORAMEN)
        line = study_nodes.find("baseline", "chart line", "vtkMRMLPlotChartNode")
        names = (line.GetNthPlotSeriesNode(number).GetName() for number in range(line.GetNumberOfPlotSeriesNodes()))
        slope = next(name for name in names if "slope" in name)
        return [self.ui.headlineLabel.text.split("\n")[1], self.drawn(table, "VT"), slope]

    @staticmethod
    def drawn(table, key):
        """What Qt draws of a cell of the first row."""
        node = table.mrmlTableNode()
        column = [node.GetColumnName(index) for index in range(node.GetNumberOfColumns())].index(key)
        option = qt.QStyleOptionViewItem()
        table.itemDelegate().initStyleOption(option, table.model().index(0, column))
        return option.text


class MapScaleTest(unittest.TestCase):
    def test_a_small_lesion_is_not_saturated(self):
        values = np.ones((20, 20, 20))
        lesion = np.zeros(values.shape, dtype=bool)
        lesion[10, 10, 8:12] = True  # 0.05 % of the voxels
        values[lesion] = 6.38
        on = mrmlstudy.grid(values.shape, 2.0)
        drawn = Segmentation(on, (Segment("1", FORAMEN, lesion),))
        self.assertEqual(maps.top_of(values, on, drawn), 6.38)
        self.assertEqual(maps.top_of(values, on, Segmentation(on, ())), 1.0)


class StatesTest(ViewsTest):
    def test_a_pet_that_cannot_be_used_is_to_do(self):
        self.choose(self.ui.levelComboBox, "C6/C7 (root C7)")
        self.choose(self.ui.sideComboBox, "Left")
        study = self.fill_in()
        self.assertEqual(self.states()[0], "done")
        study.pet.RemoveAttribute("TSPOQuant.FrameDurations_s")
        self.settle()
        self.assertEqual(self.states()[0], "to do")
        self.assertIn("how long its frames last", self.ui.nextLabel.text)

    def test_what_is_deleted_is_missed(self):
        self.choose(self.ui.levelComboBox, "C6/C7 (root C7)")
        self.choose(self.ui.sideComboBox, "Left")
        study = self.fill_in()
        self.ui.checkButton.click()
        self.assertEqual([self.states()[n] for n in (0, 2)], ["done", "done"])
        slicer.mrmlScene.RemoveNode(study.ct)
        slicer.mrmlScene.RemoveNode(study.segmentation)
        self.settle()
        self.assertEqual([self.states()[n] for n in (0, 2)], ["ready", "to do"])
        self.assertIsNone(self.logic.visit("baseline").ctVolume)

    def test_another_visits_image_does_not_take_the_place_of_one_that_is_deleted(self):
        first, second = self.two_visits()
        for node, field in ((first.pet, "petSequence"), (first.ct, "ctVolume"), (first.segmentation, "segmentation")):
            slicer.mrmlScene.RemoveNode(node)
            self.settle()
            self.assertIsNone(getattr(self.logic.visit("baseline"), field), field)
        self.assertEqual(self.states()[0], "to do")
        self.assertIs(self.logic.visit("followup").petSequence, second.pet)

    @slow
    def test_a_report_is_of_the_visits_that_were_there(self):
        study = self.computed()
        logic = self.logic

        def write():
            inputs = logic.steps._inputsOf("report", "baseline")
            study_nodes.store_text(study_nodes.WHOLE_STUDY, study_nodes.REPORT, "report.html", inputs)

        write()
        self.settle()
        self.assertEqual(self.states()[5], "done")
        self.check("Logan", False)
        self.assertEqual(self.states()[5], "out of date")
        self.check("Logan", True)
        self.assertEqual(self.states()[5], "done")
        mrmlstudy.erase_a_voxel(study.segmentation)
        self.settle()
        self.assertEqual(self.states()[5], "out of date")
        logic.quantify("baseline")
        write()
        self.settle()
        self.assertEqual(self.states()[5], "done")
        logic.addVisit("week12")
        self.settle()
        self.assertEqual(self.states()[5], "out of date")


class StepsTest(ViewsTest):
    def test_two_points_are_enough(self):
        self.fill_in()
        self.choose(self.ui.twoClickLevelComboBox, "T1/T2 (root T1)")
        self.assertIn("side", self.ui.twoClickButton.toolTip)
        self.choose(self.ui.twoClickSideComboBox, "Left")
        self.assertIn("No size", self.ui.twoClickButton.toolTip)
        self.choose(self.ui.twoClickLevelComboBox, "C5/C6 (root C6)")
        self.assertFalse(self.ui.twoClickButton.enabled)
        self.assertIn("two points", self.ui.twoClickButton.toolTip)
        points = self.panel.place.widget.currentNode()
        self.panel.place.widget.setPlaceModeEnabled(True)
        for number, x in enumerate((-10, -18)):
            self.assertTrue(self.panel.place.widget.placeModeEnabled, number)
            points.AddControlPointWorld(x, 0, 0)
        slicer.app.processEvents()
        self.assertFalse(self.panel.place.widget.placeModeEnabled)
        self.assertTrue(self.ui.twoClickButton.enabled, self.ui.twoClickButton.toolTip)

    def test_clicks_place_nothing_once_their_foramen_is_no_longer_chosen(self):
        self.fill_in()
        self.choose(self.ui.twoClickLevelComboBox, "C5/C6 (root C6)")
        self.choose(self.ui.twoClickSideComboBox, "Left")
        place = self.panel.place.widget
        place.setPlaceModeEnabled(True)
        self.assertTrue(place.placeModeEnabled)
        self.choose(self.ui.twoClickSideComboBox, "Not chosen")
        self.assertIsNone(place.currentNode())
        self.assertFalse(place.placeModeEnabled)

    def test_a_template_alone_is_nothing_to_quantify(self):
        study = self.fill_in()
        self.choose(self.ui.levelComboBox, "C6/C7 (root C7)")
        self.choose(self.ui.sideComboBox, "Left")
        drawn, empty = study.segmentation, slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "new")
        self.ui.segmentationSelector.setCurrentNode(empty)
        self.ui.templateButton.click()
        self.settle()
        self.assertGreater(empty.GetSegmentation().GetNumberOfSegments(), 4)
        self.assertEqual(self.states()[2], "to do")
        self.assertIn("Draw the regions", self.ui.nextLabel.text)
        self.assertIn("Draw the regions", self.ui.checkButton.toolTip)
        self.assertFalse(self.ui.computeButton.enabled)
        on = mrmlstudy.grid((12, 20, 24), 2.0)
        mrmlstudy.add_segment(empty, "cord C7 too", np.ones(on.shape, dtype=bool), on)
        self.settle()
        self.assertTrue(self.ui.checkButton.enabled, self.ui.checkButton.toolTip)
        self.ui.segmentationSelector.setCurrentNode(drawn)
        self.assertTrue(self.ui.computeButton.enabled, self.ui.computeButton.toolTip)

    def test_a_template_that_adds_nothing_says_so(self):
        self.fill_in()
        self.choose(self.ui.levelComboBox, "C6/C7 (root C7)")
        self.choose(self.ui.sideComboBox, "Left")
        self.ui.templateButton.click()
        self.assertIn("Empty segments added: 4", self.ui.statusLabel.text)
        self.ui.templateButton.click()
        self.assertIn("already", self.ui.statusLabel.text)

    def test_the_only_pet_and_ct_are_chosen_once(self):
        study = mrmlstudy.make(self.folder)
        self.settle()
        visit = self.logic.visit("baseline")
        self.assertIs(visit.petSequence, study.pet)
        self.assertIs(visit.ctVolume, study.ct)
        self.ui.ctVolumeSelector.setCurrentNode(None)
        self.settle()
        self.assertIsNone(visit.ctVolume)
        # They belong to the first visit; the next one waits for its own.
        self.choose(self.ui.visitComboBox, "followup")
        self.assertIsNone(self.logic.visit("followup").petSequence)

    def test_vertebrae_are_found_by_their_names(self):
        study = self.fill_in()
        labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "vertebrae")
        for level in ("C5", "C6"):
            labels.GetSegmentation().AddEmptySegment("", f"vertebrae_{level}")
        self.settle()
        self.assertIs(self.logic.visit("baseline").labels, labels)
        self.assertIs(self.logic.visit("baseline").segmentation, study.segmentation)

    def test_none_of_several_is_chosen(self):
        mrmlstudy.make(self.folder)
        mrmlstudy.make(self.folder)
        self.settle()
        self.assertIsNone(self.logic.visit("baseline").petSequence)
        self.assertIn("PET", self.ui.nextLabel.text)


class SightTest(ViewsTest):
    """Progress, status and Cancel lie above what is scrolled, and the panel stays where it is."""

    def setUp(self):
        super().setUp()
        self.frame = slicer.util.getModuleWidget("TSPOQuant").parent
        self.frame.setFixedSize(400, 600)
        self.frame.show()
        self.addCleanup(self.frame.hide)
        for button in self.panel.sections.values():
            self.addCleanup(setattr, button, "collapsed", button.collapsed)
            button.collapsed = False
        slicer.app.processEvents()

    def test_what_is_done_is_seen_wherever_the_panel_is_scrolled(self):
        area = self.ui.sectionsScrollArea
        bar = area.verticalScrollBar()
        self.assertGreater(bar.maximum, 300)
        for control in (self.ui.progressBar, self.ui.statusLabel, self.ui.cancelButton, self.ui.computeButton):
            self.assertFalse(area.isAncestorOf(control), control.objectName)
        seen = []

        def look(progress):
            progress(0.5, "halfway")
            seen.append((bar.value, self.ui.progressBar.isVisible(), self.ui.progressBar.value))

        self.fill_in()
        self.frame.activateWindow()
        slicer.app.processEvents()
        active = qt.QApplication.activeWindow() is not None  # where no window manager is, no second window ever is
        self.ui.checkButton.setFocus()
        area.ensureWidgetVisible(self.ui.checkButton)
        slicer.app.processEvents()
        before = bar.value
        self.assertGreater(before, 0)
        self.panel.runner.run(look)
        slicer.app.processEvents()
        self.assertEqual(seen, [(before, True, 50)])
        self.assertIs(qt.QApplication.focusWidget(), self.ui.checkButton if active else None)
        self.assertEqual(bar.value, before)

    def test_the_focus_is_where_it_was_before_a_dialog(self):
        self.fill_in()
        self.ui.checkButton.setFocus()
        dialog = qt.QDialog()
        dialog.show()
        dialog.activateWindow()
        slicer.app.processEvents()  # the panel's window is not active any more
        self.panel.runner.run(lambda progress: dialog.hide(), "Done.")
        self.assertIs(self.ui.checkButton.window().focusWidget(), self.ui.checkButton)

    def test_work_may_take_away_what_had_the_focus(self):
        lock, gone = self.panel.runner._lock, mock.Mock()
        gone.setFocus.side_effect = ValueError("Trying to call 'setFocus' on a destroyed QTabBar object")
        self.frame.activateWindow()
        slicer.app.processEvents()
        with mock.patch.object(self.panel.runner, "_lock", lambda: (gone, lock()[1])):
            self.panel.runner.run(lambda progress: self.ui.cancelButton.setFocus(), "Done.")
        gone.setFocus.assert_called_once_with()
        self.assertEqual(self.ui.statusLabel.text, "Done.")
        self.assertFalse(self.panel.runner.running)

    def test_a_text_is_followed_when_the_typing_has_stopped(self):
        self.fill_in()
        field = self.ui.reportFolderPathLineEdit
        (line,) = (one for one in field.children() if one.isWidgetType() and one.className() == "QLineEdit")
        self.frame.activateWindow()
        line.setFocus()
        slicer.app.processEvents()
        if qt.QApplication.focusWidget() is None:
            self.skipTest("no window can be active here")
        with mock.patch.object(self.panel, "_follow", wraps=self.panel._follow) as follow:
            for length in range(1, 9):
                field.currentPath = "/reports"[:length]
            self.ui.subjectLineEdit.setFocus()
            self.ui.subjectLineEdit.text = "no label"
            self.assertEqual(follow.call_count, 0)
            self.assertTrue(self.panel.content.timer.active)
            study = self.logic.getParameterNode()
            self.assertEqual((study.reportFolder, study.subject), ("/reports", "no label"))
            self.assertFalse(self.ui.computeButton.enabled, "buttons follow at once")
        self.settle()
        self.assertEqual(self.states()[0], "to do")
        self.choose(self.ui.visitComboBox, "followup")
        self.assertEqual(self.panel.session, "followup", "another visit is shown at once")

    def test_lines_that_come_and_go_move_nothing_under_the_mouse(self):
        area, headline = self.ui.sectionsScrollArea, self.ui.headlineLabel
        self.fill_in()
        area.ensureWidgetVisible(self.ui.checkButton)
        slicer.app.processEvents()

        def height():
            slicer.app.processEvents()
            return self.ui.checkButton.mapTo(self.frame, qt.QPoint(0, 0)).y(), area.y

        lines = ["one line", "\n".join(["four lines"] * 4), "two lines\n", "one line"]
        places, tops = [], []
        for text in lines:
            with mock.patch.object(self.logic.steps, "headline", lambda text=text: text):
                self.panel.updateGUI()
                self.assertEqual(headline.text, text)
                place, top = height()
                places.append(place)
                tops.append(top)
        self.assertGreater(tops[1], tops[0] + 20)
        self.assertEqual(len(set(places)), 1, places)
        area.verticalScrollBar().value = 0
        with mock.patch.object(self.logic.steps, "headline", lambda: lines[1]):
            self.panel.updateGUI()
        self.assertEqual(area.verticalScrollBar().value, 0, "the first section stays whole")

    def test_long_names_leave_room_for_their_results(self):
        self.fill_in()
        table = study_nodes.find_or_add("baseline", "results", "vtkMRMLTableNode", "results")
        names = vtk.vtkStringArray()
        names.SetName("region")
        names.InsertNextValue(5 * "foramen C6/C7 left on the reformatted CT ")
        table.AddColumn(names)
        self.settle()
        view = self.ui.resultTableView
        self.assertLessEqual(view.columnWidth(0), max(self.ui.sectionsScrollArea.width // 2, 250))
        self.assertGreater(view.columnWidth(0), 100)

    def test_long_names_make_no_section_wider(self):
        labels = [
            label
            for label in slicer.util.findChildren(self.ui.sectionsScrollArea, className="QLabel")
            if label.wordWrap
        ]
        self.assertGreater(len(labels), 5)
        for label in labels:
            label.text = ""
            label.visible = True
        # Slicer's section is never narrower than this (ctkCollapsibleButton::init).
        before = {name: section.layout().sizeHint().width() for name, section in self.panel.sections.items()}
        for label in labels:
            label.text = 20 * "foramen C6/C7 left on the reformatted CT "
        after = {name: section.layout().sizeHint().width() for name, section in self.panel.sections.items()}
        self.assertEqual(after, before)

    def test_the_panel_takes_the_height_that_is_there(self):
        layout = slicer.util.getModuleWidget("TSPOQuant").layout  # in developer mode with Slicer's buttons above
        self.assertEqual([layout.stretch(row) for row in range(layout.count())][-1], 1)

    def test_folding_changes_no_width(self):
        widths = set()
        for button in self.panel.sections.values():
            button.collapsed = True
            slicer.app.processEvents()
            widths.add(self.frame.layout().totalMinimumSize().width())
        self.assertEqual(len(widths), 1)
        self.assertLessEqual(max(widths), 400)


if __name__ == "__main__":
    unittest.main()
