"""The panel while a region is drawn or the model is changed: results follow, and say that they do."""

import unittest
from dataclasses import replace
from unittest import mock

import slicer
from PanelTest import PanelTest
from support import mrmlstudy
from support.tiers import slow
from TSPOQuantLib.mrml import content, study_nodes, tables

LEFT, RIGHT = mrmlstudy.TRUE_VT


@slow
class LiveTest(PanelTest):
    def setUp(self):
        super().setUp()
        budget = mock.patch("TSPOQuantLib.pipeline.quantification.sensitivities", return_value=())
        budget.start()  # no live result has any, and they take the longest
        self.addCleanup(budget.stop)
        self.choose(self.ui.levelComboBox, "C6/C7 (root C7)")
        self.choose(self.ui.sideComboBox, "Left")
        self.study = self.computed()
        self.follow()

    def follow(self):
        """What the panel does within moments of a change."""
        for _ in range(20):
            self.panel.content.live.stop()
            self.panel.followChanges()
            if not self.panel.content.live.active:
                return
        self.fail("it never ends")

    def table(self):
        table = self.ui.resultTableView.mrmlTableNode()
        return {
            (tables.cell(table, row, "region"), tables.cell(table, row, "model")): float(tables.cell(table, row, "VT"))
            for row in range(table.GetNumberOfRows())
        }

    def test_a_stroke_of_the_brush_moves_the_result_without_a_button(self):
        self.assertNotIn("live", self.ui.headlineLabel.text)
        before = self.table()
        record = study_nodes.text_of("baseline", study_nodes.RECORD)
        mrmlstudy.erase_a_voxel(self.study.segmentation)
        self.assertTrue(self.panel.content.live.active)
        self.follow()
        self.assertIn("– live", self.ui.headlineLabel.text)
        self.assertIn("error budget", self.ui.noticesLabel.text)
        live = self.table()
        self.assertEqual(set(live), set(before))
        self.assertEqual(live[RIGHT, "1TCM"], before[RIGHT, "1TCM"])
        self.assertEqual(study_nodes.text_of("baseline", study_nodes.RECORD), record)
        self.settle()
        self.assertIn("– live", self.ui.headlineLabel.text)
        self.assertEqual(self.states()[4], "out of date")
        self.ui.computeButton.click()
        self.follow()
        self.assertNotIn("live", self.ui.headlineLabel.text)
        self.assertEqual(self.table(), live)

    def test_undone_is_as_it_was(self):
        before, read = self.table(), self.ui.reviewLabel.text
        self.check("Logan", False)
        self.check("MA1", True)
        self.follow()
        self.assertIn("– live", self.ui.headlineLabel.text)
        self.assertEqual({model for _, model in self.table()}, {"1TCM", "MA1"})
        self.assertIn("\nMA1: ", self.ui.reviewLabel.text)
        self.assertNotIn("Logan", self.ui.reviewLabel.text)
        self.assertIn("These results follow", self.ui.reviewLabel.text)
        self.check("MA1", False)
        self.check("Logan", True)
        self.follow()
        self.assertEqual(self.ui.reviewLabel.text, read)
        self.assertNotIn("live", self.ui.headlineLabel.text)
        self.assertEqual(self.table(), before)

    def test_what_only_moved_to_another_layer_is_as_it_was(self):
        node, segmentation = self.study.segmentation, self.study.segmentation.GetSegmentation()
        segmentation.CollapseBinaryLabelmaps(True)
        before = content.drawing(node)
        labels = {before.places[segment_id] for segment_id in segmentation.GetSegmentIDs()}
        self.assertEqual({layer for layer, _ in labels}, {0})
        for segment_id in segmentation.GetSegmentIDs():  # as painting over another segment does
            segmentation.SeparateSegmentLabelmap(segment_id)
        after = content.drawing(node)
        self.assertNotEqual(after.places, before.places)
        self.assertEqual(after.changed_since(before), ())
        mrmlstudy.erase_a_voxel(node, RIGHT)
        right = segmentation.GetSegmentIdBySegmentName(RIGHT)
        self.assertEqual(content.drawing(node).changed_since(before), (right,))

    def test_a_clicked_frame_is_left_out_and_comes_back(self):
        before = self.table()
        self.assertFalse(self.ui.leaveOutButton.enabled)
        chart = study_nodes.find("baseline", "chart curves", "vtkMRMLPlotChartNode")
        self.click_point(chart.GetNthPlotSeriesNodeID(0), 7)
        self.assertIn("Frame 8, ", self.ui.frameLabel.text)
        self.panel.frames.ask = lambda number: " "
        self.ui.leaveOutButton.click()
        self.assertEqual(self.logic.leftOut("baseline"), {}, "nothing without a reason")
        self.panel.frames.ask = lambda number: "moved"
        self.ui.leaveOutButton.click()
        self.assertEqual(self.logic.settingsOf("baseline").leave_out, {"8": "moved"})
        self.assertIn("8 (moved)", self.ui.frameLabel.text)
        self.assertFalse(self.ui.leaveOutButton.enabled)
        self.follow()
        self.assertEqual(self.states()[4], "out of date")
        live = self.logic.liveRecord("baseline")
        self.assertEqual({fit.weights[7] for fit in live.fits}, {0.0})
        shown = [slicer.mrmlScene.GetNodeByID(chart.GetNthPlotSeriesNodeID(n)).GetName() for n in (0, 5)]
        self.assertEqual(shown, ["Measured", "Frames left out"])
        rows = [chart.GetNthPlotSeriesNode(n).GetTableNode().GetNumberOfRows() for n in (0, 5)]
        self.assertEqual(rows, [len(live.fits[0].weights) - 1, 2], "one point is no line to Slicer")
        self.click_point(chart.GetNthPlotSeriesNodeID(5), 0)
        self.assertIn("Frame 8, ", self.ui.frameLabel.text)
        self.ui.bringBackButton.click()
        self.assertEqual(self.logic.leftOut("baseline"), {})
        self.panel.frames.undo()
        self.assertEqual(self.logic.leftOut("baseline"), {"8": "moved"})
        self.panel.frames.undo()
        self.panel.frames.undo()
        self.follow()
        self.assertEqual(self.table(), before)
        self.assertEqual(self.states()[4], "done")

    def test_a_changed_model_setting_is_followed_in_all_regions(self):
        before = self.table()
        self.choose(self.ui.bloodVolumeComboBox, "Fixed at")
        self.ui.fixedBloodVolumeSpinBox.value = 0.1
        self.follow()
        live = self.table()
        self.assertEqual(set(live), set(before))
        for key, vt in live.items():
            self.assertGreater(abs(vt - before[key]), 0.01, key)
        chart = study_nodes.find("baseline", "chart curves", "vtkMRMLPlotChartNode")
        self.assertIn(LEFT, chart.GetTitle())

    def test_the_changed_region_is_charted_and_named(self):
        chart = study_nodes.find("baseline", "chart curves", "vtkMRMLPlotChartNode")
        self.assertIn(LEFT, chart.GetTitle())
        mrmlstudy.erase_a_voxel(self.study.segmentation, RIGHT)
        self.follow()
        self.assertIn(RIGHT, chart.GetTitle())
        study_nodes.store_record(replace(self.logic.record("baseline"), session="followup"), "")
        self.settle()
        # Each visit's line below what it is about.
        lines = self.ui.headlineLabel.text.split("\n")
        starts = [f"{LEFT}, 1TCM", "baseline: ", "followup: ", f"{RIGHT}, 1TCM", "baseline: "]
        self.assertEqual([line[: len(start)] for line, start in zip(lines, starts, strict=True)], starts)

    def test_what_cannot_be_followed_is_said(self):
        segmentation = self.study.segmentation.GetSegmentation()
        for segment_id in list(segmentation.GetSegmentIDs())[:2]:
            segmentation.RemoveSegment(segment_id)
        self.settle()
        self.follow()
        self.assertNotIn("– live", self.ui.headlineLabel.text)
        self.assertIn("out of date", self.ui.headlineLabel.text)
        self.choose(self.ui.inputSourceComboBox, "Blood samples")
        self.settle()
        self.follow()
        self.assertIn("no longer those of the results", self.ui.headlineLabel.text)

    def test_nothing_follows_while_it_computes_or_the_scene_is_closed(self):
        mrmlstudy.erase_a_voxel(self.study.segmentation)
        self.panel.runner.running = True
        try:
            self.panel.followChanges()
        finally:
            self.panel.runner.running = False
        self.assertNotIn("live", self.ui.headlineLabel.text)
        slicer.mrmlScene.Clear()
        self.assertFalse(self.panel.content.live.active)
        self.panel.followChanges()
        self.assertEqual(self.ui.headlineLabel.text, "")

    def test_a_visit_that_is_shown_again_is_followed_again(self):
        self.choose(self.ui.visitComboBox, "followup")
        self.choose(self.ui.visitComboBox, "baseline")
        self.follow()
        mrmlstudy.erase_a_voxel(self.study.segmentation)
        self.follow()
        self.assertIn("– live", self.ui.headlineLabel.text)


if __name__ == "__main__":
    unittest.main()
