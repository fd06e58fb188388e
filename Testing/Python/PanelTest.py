"""The panel, clicked: what may be pressed when, what it says, and where the results go."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import slicer
import slicer.util
import vtk
from support import mrmlstudy
from support.tiers import slow
from TSPOQuantLib import pipeline
from TSPOQuantLib.kinetics.models import MODELS
from TSPOQuantLib.messages import Cancelled
from TSPOQuantLib.mrml import further, study_nodes, tables, views
from TSPOQuantLib.mrml.panel_state import SECTIONS
from TSPOQuantLib.outcome.settings import SETTINGS

try:
    import qt
except ImportError as error:
    raise unittest.SkipTest("no Qt for Python here") from error


class PanelTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear()
        slicer.util.selectModule("TSPOQuant")
        self.panel = slicer.util.getModuleWidget("TSPOQuant").panel
        self.ui = self.panel.ui
        self.logic = self.panel.logic
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def use(self, quantify):
        """Let the panel compute with this in place of the pipeline."""
        self.logic.steps._quantify = quantify
        self.addCleanup(setattr, self.logic.steps, "_quantify", None)

    def fill_in(self, part=1.0):
        """Select everything as a user would."""
        study = mrmlstudy.make(self.folder, part)
        self.ui.petSequenceSelector.setCurrentNode(study.pet)
        self.ui.ctVolumeSelector.setCurrentNode(study.ct)
        self.ui.segmentationSelector.setCurrentNode(study.segmentation)
        self.ui.bloodFilePathLineEdit.currentPath = study.blood
        return study

    def choose_quick(self):
        """A ready input, nothing to align, no blood within the regions: what the small study can give exactly."""
        self.choose(self.ui.inputSourceComboBox, "Ready, in the blood file")
        self.choose(self.ui.bloodVolumeComboBox, "Neglected")
        self.choose(self.ui.motionComboBox, "Not corrected")

    def computed(self):
        study = self.fill_in()
        self.choose_quick()
        self.ui.computeButton.click()
        return study

    def check(self, model, checked):
        models = self.ui.modelsListWidget
        (item,) = (models.item(row) for row in range(models.count) if models.item(row).text() == model)
        item.setCheckState(qt.Qt.Checked if checked else qt.Qt.Unchecked)

    def choose(self, comboBox, text):
        index = comboBox.findText(text)
        self.assertGreaterEqual(index, 0, text)
        comboBox.setCurrentIndex(index)

    def settle(self):
        """What the panel does a moment after an image or a region was changed."""
        self.panel.content.timer.stop()
        self.panel.updateGUI()

    def click_point(self, series_id, point):
        """What a plot view tells when a point of a series is clicked."""
        series, points, selections = vtk.vtkStringArray(), vtk.vtkIdTypeArray(), vtk.vtkCollection()
        series.InsertNextValue(series_id)
        points.InsertNextValue(point)
        selections.AddItem(points)
        self.panel.onPlotPointsSelected(series, selections)

    def states(self):
        return [getattr(self.ui, f"{section}CollapsibleButton").text.split(" · ")[1] for section in SECTIONS]


class ChoicesTest(PanelTest):
    def test_empty_panel_says_what_to_do(self):
        self.assertEqual(self.states(), ["to do"] * 6)
        self.assertFalse(self.ui.computeButton.enabled)
        self.assertIn("PET", self.ui.computeButton.toolTip)
        self.assertFalse(self.ui.fuseButton.enabled)
        self.assertFalse(self.ui.cancelButton.enabled)
        self.assertFalse(self.ui.progressBar.visible)
        self.assertIsNone(self.ui.resultTableView.mrmlTableNode())

    def test_selecting_all_makes_ready(self):
        study = self.fill_in()
        self.assertTrue(self.ui.computeButton.enabled, self.ui.computeButton.toolTip)
        self.assertEqual(self.states(), ["ready"] * 5 + ["to do"])
        visit = self.logic.visit("baseline")
        self.assertIs(visit.petSequence, study.pet)
        self.assertEqual(visit.bloodFile, study.blood)
        self.choose(self.ui.levelComboBox, "C6/C7 (root C7)")
        self.choose(self.ui.sideComboBox, "Left")
        self.assertEqual(self.states()[0], "done")
        self.assertIn("60 min", self.ui.petLabel.text)

    def test_only_sequences_of_volumes_are_offered(self):
        other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "transforms")
        other.SetDataNodeAtValue(slicer.vtkMRMLLinearTransformNode(), "0")
        self.assertEqual(self.ui.petSequenceSelector.nodeCount(), 0)
        self.fill_in()
        self.assertEqual(self.ui.petSequenceSelector.nodeCount(), 1)

    def test_blood_pool_is_proposed_and_can_be_changed(self):
        self.fill_in()
        self.assertEqual(self.ui.bloodPoolComboBox.currentText, mrmlstudy.BLOOD_POOL)
        self.choose(self.ui.bloodPoolComboBox, "foramen C6/C7 left")
        self.assertEqual(self.logic.bloodPoolName(self.logic.visit("baseline")), "foramen C6/C7 left")
        self.ui.bloodPoolComboBox.setCurrentIndex(0)
        self.assertFalse(self.ui.computeButton.enabled)
        self.assertIn("blood pool", self.ui.computeButton.toolTip)
        # No blood pool is needed where blood was sampled.
        self.ui.inputSourceComboBox.setCurrentIndex(1)
        self.assertTrue(self.ui.computeButton.enabled)
        self.assertFalse(self.ui.bloodPoolComboBox.enabled)
        self.assertFalse(self.ui.calibrationComboBox.enabled)

    def test_removed_blood_pool_is_not_replaced_in_silence(self):
        study = self.fill_in()
        segmentation = study.segmentation.GetSegmentation()
        segmentation.RemoveSegment(segmentation.GetSegmentIdBySegmentName(mrmlstudy.BLOOD_POOL))
        self.settle()
        self.assertEqual(self.ui.bloodPoolComboBox.currentIndex, 0)
        self.assertFalse(self.ui.computeButton.enabled)

    def test_new_and_renamed_segments_are_offered(self):
        study = self.fill_in()
        segmentation = study.segmentation.GetSegmentation()
        segmentation.AddEmptySegment("", "aorta")
        self.assertTrue(self.panel.content.timer.active)
        self.settle()
        self.assertGreaterEqual(self.ui.bloodPoolComboBox.findText("aorta"), 0)
        segmentation.GetNthSegment(0).SetName("renamed")
        self.settle()
        self.assertGreaterEqual(self.ui.bloodPoolComboBox.findText("renamed"), 0)

    def test_missing_blood_file_is_named(self):
        self.fill_in()
        self.ui.bloodFilePathLineEdit.currentPath = "nowhere.tsv"
        self.assertFalse(self.ui.computeButton.enabled)
        self.assertIn("does not exist", self.ui.computeButton.toolTip)
        self.ui.bloodFilePathLineEdit.currentPath = ""
        self.assertFalse(self.ui.computeButton.enabled)
        self.assertIn("Select a file", self.ui.computeButton.toolTip)

    def test_what_belongs_to_a_choice_can_be_typed_only_with_it(self):
        self.assertFalse(self.ui.fixedBloodVolumeSpinBox.enabled)
        self.choose(self.ui.bloodVolumeComboBox, "Fixed at")
        self.assertTrue(self.ui.fixedBloodVolumeSpinBox.enabled)
        self.ui.fixedBloodVolumeSpinBox.value = 0.07
        self.assertEqual(self.logic.visit("baseline").fixedBloodVolume, 0.07)
        self.assertFalse(self.ui.fwhmSpinBox.enabled)
        self.choose(self.ui.pvcComboBox, "GTM")
        self.assertTrue(self.ui.fwhmSpinBox.enabled)

    def test_a_pet_that_cannot_be_used_says_why(self):
        study = self.fill_in()
        study.pet.RemoveAttribute("TSPOQuant.FrameDurations_s")
        self.settle()
        self.assertIn("how long its frames last", self.ui.petLabel.text)

    def test_tab_goes_from_top_to_bottom(self):
        names = {widget: name for name, widget in vars(self.ui).items()}
        chain, widget = [], self.ui.visitComboBox
        for _ in range(2000):
            widget = widget.nextInFocusChain()
            if widget is self.ui.visitComboBox:
                break
            chain.append(widget)
        found = [names[widget] for widget in chain if widget in names]
        wanted = ["computeButton", "cancelButton", "subjectLineEdit", "petSequenceSelector", "addVisitButton"]
        wanted += ["motionComboBox", "opacitySlider"]
        wanted += ["segmentationSelector", "editorCollapsibleButton", "checkButton", "inputSourceComboBox"]
        wanted += ["inputButton", "modelsListWidget", "curvesPlotButton", "mapButton", "clinicalPathLineEdit"]
        wanted += ["reportButton"]
        self.assertEqual([name for name in found if name in wanted], wanted)
        for widget, name in names.items():
            if name.endswith("Selector"):
                (part,) = (part for part in widget.children() if part.isWidgetType())
                self.assertIs(part.focusProxy(), None, name)
                self.assertIn(part, chain)
            if name.endswith(("TableView", "TableWidget")):
                self.assertFalse(widget.tabKeyNavigation, "Tab would never leave it")

    def test_every_model_of_the_library_can_be_fitted(self):
        models = self.ui.modelsListWidget
        shown = [models.item(row).text() for row in range(models.count)]
        self.assertEqual(sorted(shown), sorted(MODELS))
        for name in shown:
            self.check(name, True)
        settings = self.logic.settingsOf("baseline")
        self.assertEqual(list(settings.models), shown)
        self.assertEqual(set(settings.models), set(MODELS))
        outcomes = [MODELS[name].outcome for name in settings.models]
        self.assertEqual(outcomes, sorted(outcomes, reverse=True))  # V_T before K_i: the first is the primary one
        for name in shown[1:]:
            self.check(name, False)
        self.assertEqual(self.logic.settingsOf("baseline").models, settings.models[:1])
        self.choose(self.ui.visitComboBox, "followup")
        self.assertEqual(self.logic.settingsOf("followup").models, ("1TCM", "Logan"))
        checked = [
            models.item(row).text() for row in range(models.count) if models.item(row).checkState() == qt.Qt.Checked
        ]
        self.assertEqual(checked, ["1TCM", "Logan"])

    def test_every_button_is_a_qt_button(self):
        for button in (self.ui.fuseButton, self.ui.computeButton, self.ui.cancelButton):
            self.assertIs(type(button), qt.QPushButton)


class FurtherSettingsTest(PanelTest):
    def type(self, name, text):
        table = self.ui.settingsTableWidget
        rows = [row for row in range(table.rowCount) if table.item(row, 0).text().split(" ")[0] == name]
        table.item(rows[0], 1).setText(text)

    def typed(self, name):
        table = self.ui.settingsTableWidget
        return next(table.item(row, 1).text() for row in range(table.rowCount) if table.item(row, 0).text() == name)

    def test_the_panel_can_set_every_setting(self):
        fields = set(self.logic.getParameterNode().allParameters) | set(self.logic.visit("baseline").allParameters)
        rows = {one.name for one in further.offered()}
        for one in SETTINGS:
            with self.subTest(setting=one.name):
                self.assertTrue(one.name in rows or further.CONTROLLED[one.name] in fields)
        self.assertLessEqual(set(further.SHORTCUTS), rows)

    def test_what_is_typed_is_checked_and_counts(self):
        self.fill_in()
        for name, text, value in (
            ("registration_window", "late", "late"),
            ("motion_reference", "12, 10", (10, 12)),
            ("minimum_coverage", "0.7", 0.7),
            ("calibration", "none", "none"),
            ("recovery", "0.8", 0.8),
            ("bounds", "{ k2 = [0, 0.4] }", {"k2": (0.0, 0.4)}),
            ("pvc_regions", "foramen C6/C7 left, cord C7", ("foramen C6/C7 left", "cord C7")),
            ("models", "MA1", ("MA1",)),
            ("delay_s", "-3", -3.0),
            ("fwhm_mm", "estimate", "estimate"),
            ("until_min", "45", 45.0),
        ):
            with self.subTest(setting=name):
                self.type(name, text)
                self.assertEqual(getattr(self.logic.settingsOf("baseline"), name), value)
        self.assertFalse(self.ui.modelsListWidget.enabled)
        self.type("models", "")
        self.assertTrue(self.ui.modelsListWidget.enabled)
        self.assertEqual(self.logic.settingsOf("baseline").models, ("1TCM", "Logan"))
        self.type("registration_window", "sometimes")
        self.assertIn("registration_window must be", self.ui.statusLabel.text)
        self.assertEqual(self.logic.settingsOf("baseline").registration_window, "late")
        # Each visit has its own.
        self.choose(self.ui.visitComboBox, "followup")
        self.assertEqual(self.typed("minimum_coverage"), "")
        self.choose(self.ui.visitComboBox, "baseline")
        self.assertEqual(self.typed("minimum_coverage"), "0.7")

    def test_a_setting_of_a_newer_program_is_named(self):
        self.fill_in()
        self.logic.visit("baseline").furtherSettings = '{"unheard_of": 3}'
        self.assertFalse(self.ui.computeButton.enabled)
        self.assertIn("unheard_of", self.ui.computeButton.toolTip)
        self.assertEqual(self.states(), ["to do"] * 6)


class VisitsTest(PanelTest):
    def test_one_set_of_controls_serves_all_visits(self):
        study = self.fill_in()
        self.ui.washoutLineEdit.text = "none"
        self.choose(self.ui.visitComboBox, "followup")
        self.assertIsNone(self.ui.petSequenceSelector.currentNode())
        self.assertEqual((self.ui.washoutLineEdit.text, self.ui.bloodFilePathLineEdit.currentPath), ("", ""))
        self.ui.washoutLineEdit.text = "ibuprofen"
        self.choose(self.ui.visitComboBox, "baseline")
        self.assertIs(self.ui.petSequenceSelector.currentNode(), study.pet)
        self.assertEqual(self.ui.washoutLineEdit.text, "none")
        self.assertEqual(self.logic.visit("followup").washout, "ibuprofen")
        self.assertIs(self.logic.visit("followup").petSequence, None)

    def test_a_third_visit_is_added_and_removed(self):
        self.assertFalse(self.ui.addVisitButton.enabled)
        self.ui.newVisitLineEdit.text = "week12"
        self.ui.addVisitButton.click()
        self.assertEqual(self.ui.visitComboBox.currentText, "week12")
        self.assertEqual(self.ui.newVisitLineEdit.text, "")
        with mock.patch("slicer.util.confirmOkCancelDisplay", return_value=False):
            self.ui.removeVisitButton.click()
        self.assertEqual(self.ui.visitComboBox.count, 3)
        with mock.patch("slicer.util.confirmOkCancelDisplay", return_value=True):
            self.ui.removeVisitButton.click()
        self.assertEqual(self.ui.visitComboBox.currentText, "baseline")
        self.assertEqual(self.ui.visitComboBox.count, 2)
        for label in ("week 12", "followup"):
            self.ui.newVisitLineEdit.text = label
            self.assertFalse(self.ui.addVisitButton.enabled, label)
            self.assertIn("letters and digits", self.ui.addVisitButton.toolTip)
        self.ui.newVisitLineEdit.text = "week12"
        self.assertTrue(self.ui.addVisitButton.enabled)

    @slow
    def test_two_visits_are_computed_and_compared(self):
        self.computed()
        self.choose(self.ui.visitComboBox, "followup")
        self.assertEqual(self.states()[4], "to do")
        self.fill_in(0.5)
        self.choose_quick()
        self.ui.computeButton.click()
        self.ui.compareButton.click()
        table = self.ui.changeTableView.mrmlTableNode()
        self.assertEqual(table.GetNumberOfRows(), 4, self.ui.statusLabel.text)
        self.assertAlmostEqual(float(tables.cell(table, 0, "percent")), -50, delta=0.2)

    @slow
    def test_a_difference_is_shown_and_can_be_accepted(self):
        self.computed()
        self.choose(self.ui.visitComboBox, "followup")
        self.fill_in(0.5)
        self.choose_quick()
        self.choose(self.ui.bloodVolumeComboBox, "Fitted")
        self.ui.computeButton.click()
        self.ui.compareButton.click()
        self.assertIsNone(self.ui.changeTableView.mrmlTableNode())
        items = [self.ui.findingsListWidget.item(row) for row in range(self.ui.findingsListWidget.count)]
        barring = [item for item in items if item.flags() & qt.Qt.ItemIsUserCheckable]
        self.assertEqual(len(barring), 1)
        barring[0].setCheckState(qt.Qt.Checked)
        self.assertEqual(len(self.logic.getParameterNode().accepted), 1)
        self.ui.compareButton.click()
        self.assertIsNotNone(self.ui.changeTableView.mrmlTableNode(), self.ui.statusLabel.text)


@slow
class ComputeTest(PanelTest):
    def test_compute_fills_tables_and_charts(self):
        self.computed()
        table = self.ui.resultTableView.mrmlTableNode()
        self.assertIsNotNone(table, self.ui.statusLabel.text)
        self.assertEqual(table.GetNumberOfRows(), 4)
        self.assertIn("4", self.ui.statusLabel.text)
        self.assertIn("genotype", self.ui.noticesLabel.text)
        self.assertIn("warnings", self.ui.statusLabel.text)
        self.assertEqual(self.states()[1:], ["done"] * 4 + ["ready"])
        self.assertTrue(self.ui.computeButton.enabled)
        self.assertTrue(self.ui.curvesPlotButton.enabled)
        # The second run goes to the same table.
        self.ui.computeButton.click()
        self.assertIs(self.ui.resultTableView.mrmlTableNode(), table)

    def test_out_of_date_is_said_until_it_is_computed_again(self):
        study = self.computed()
        self.check("Logan", False)
        self.assertEqual(self.states()[1:], ["done", "done", "done", "out of date", "ready"])
        self.ui.computeButton.click()
        self.assertEqual(self.states()[4], "done")
        mrmlstudy.erase_a_voxel(study.segmentation)
        self.assertTrue(self.panel.content.timer.active)
        self.settle()
        self.assertEqual(self.states()[1:], ["done", "out of date", "done", "out of date", "ready"])

    def test_a_clicked_row_shows_its_region(self):
        study = self.computed()
        slice_node = views.slice_nodes().get("Red")
        if slice_node is None:  # no window
            slice_node = slicer.vtkMRMLSliceNode()
            slice_node.SetLayoutName("Red")
            slicer.mrmlScene.AddNode(slice_node)
            self.addCleanup(slicer.mrmlScene.RemoveNode, slice_node)
        self.ui.resultTableView.selectRow(1)
        region = tables.cell(self.ui.resultTableView.mrmlTableNode(), 1, "region")
        chart = study_nodes.find("baseline", "chart curves", "vtkMRMLPlotChartNode")
        self.assertIn(region, chart.GetTitle())
        segmentation = study.segmentation
        center = segmentation.GetSegmentCenterRAS(segmentation.GetSegmentation().GetSegmentIdBySegmentName(region))
        matrix = slice_node.GetSliceToRAS()
        for axis in range(3):
            self.assertAlmostEqual(matrix.GetElement(axis, 3), center[axis], delta=2.1)  # half a voxel of the CT

    def test_a_clicked_point_selects_its_frame(self):
        study = self.computed()
        chart = study_nodes.find("baseline", "chart curves", "vtkMRMLPlotChartNode")
        self.click_point(chart.GetNthPlotSeriesNodeID(0), 7)
        browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(study.pet)
        self.assertEqual(browser.GetSelectedItemNumber(), 7)

    def test_each_section_can_be_run_alone(self):
        self.fill_in()
        self.choose(self.ui.motionComboBox, "Frames alone")
        self.choose(self.ui.inputSourceComboBox, "Ready, in the blood file")
        self.assertFalse(self.ui.motionPlotButton.enabled)
        self.ui.alignButton.click()
        self.assertTrue(self.ui.motionPlotButton.enabled, self.ui.statusLabel.text)
        self.ui.checkButton.click()
        self.ui.inputButton.click()
        self.assertTrue(self.ui.inputPlotButton.enabled, self.ui.statusLabel.text)
        self.assertEqual(self.states()[1:], ["done", "done", "done", "ready", "to do"])
        self.assertIn("side", self.ui.regionsLabel.text)

    def test_pet_over_ct_has_coded_units(self):
        study = self.fill_in()
        self.ui.fuseButton.click()
        browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(study.pet)
        proxy = browser.GetProxyNode(study.pet)
        self.assertEqual(proxy.GetVoxelValueUnits().GetCodeValue(), "kBq/mL")


@slow
class LongWorkTest(PanelTest):
    def during(self, act):
        """Let something happen while the panel computes, which then goes on."""

        def quantify(*given, progress, **named):
            act()
            progress(0.5, "halfway")
            seen.append("went on")
            return pipeline.quantify(*given, progress=progress, **named)

        seen = []
        self.use(quantify)
        self.ui.computeButton.click()
        return seen

    def test_panel_is_locked_while_it_computes(self):
        self.fill_in()
        self.choose_quick()
        seen = []

        def look():
            slicer.app.processEvents()
            ui = self.ui
            seen.append((ui.computeButton.enabled, ui.cancelButton.enabled, ui.studyCollapsibleButton.enabled))
            seen.append((ui.progressBar.visible or not ui.computeButton.isVisible(), ui.visitComboBox.enabled))
            self.panel.runner.run(self.panel.compute)  # a second run on top of the first does nothing

        self.assertEqual(self.during(look), ["went on"])
        self.assertEqual(seen, [(False, True, False), (True, False)])
        self.assertTrue(self.ui.studyCollapsibleButton.enabled)

    def test_progress_is_told_in_the_language_of_the_application(self):
        said = []
        with mock.patch.object(slicer, "app", mock.Mock(wraps=slicer.app, applicationLocaleName="fr_FR")):
            self.panel.runner.run(
                lambda progress: (progress(0.5, "drawing the neck"), said.append(self.ui.statusLabel.text))
            )
        self.assertEqual(said, ["Dessin du cou"])

    def test_cancel_stops_and_changes_nothing(self):
        self.fill_in()
        self.choose_quick()
        before = slicer.mrmlScene.GetNumberOfNodes()
        self.assertEqual(self.during(self.ui.cancelButton.click), [])
        self.assertIn("Stopped", self.ui.statusLabel.text)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)
        self.assertTrue(self.ui.computeButton.enabled)
        self.assertEqual(self.states()[4], "ready")

    def test_closing_the_scene_stops_the_computation(self):
        self.fill_in()
        self.choose_quick()
        self.assertEqual(self.during(slicer.mrmlScene.Clear), [])
        self.assertFalse(study_nodes.has_record("baseline"))
        self.assertFalse(self.ui.computeButton.enabled)
        self.assertEqual(self.states(), ["to do"] * 6)

    def test_leaving_the_module_does_not_stop_it(self):
        self.fill_in()
        self.choose_quick()
        self.assertEqual(self.during(self.panel.exit), ["went on"])
        self.assertTrue(study_nodes.has_record("baseline"))
        self.panel.enter()
        self.assertEqual(self.states()[4], "done")

    def test_refusal_is_one_sentence_and_the_panel_stays_usable(self):
        study = self.fill_in()
        self.choose_quick()
        study.pet.RemoveAttribute("TSPOQuant.FrameDurations_s")
        self.ui.computeButton.click()
        self.assertIn("how long its frames last", self.ui.statusLabel.text)
        self.assertNotIn("sequence-no-times", self.ui.statusLabel.text)
        self.assertTrue(self.ui.computeButton.enabled)
        self.assertFalse(self.ui.progressBar.visible)

    def test_a_fault_of_ours_is_told_without_a_traceback(self):
        self.fill_in()
        self.choose_quick()

        def quantify(*given, **named):
            raise ZeroDivisionError("division by zero")

        self.use(quantify)
        with self.assertLogs(level="ERROR") as log:
            self.ui.computeButton.click()
        self.assertIn("ZeroDivisionError", "".join(log.output))
        self.assertNotIn("division", self.ui.statusLabel.text)
        self.assertIn("log", self.ui.statusLabel.text)

    def test_cancelled_is_not_an_error_of_ours(self):
        self.fill_in()
        self.choose_quick()

        def quantify(*given, **named):
            raise Cancelled

        self.use(quantify)
        self.ui.computeButton.click()
        self.assertIn("Stopped", self.ui.statusLabel.text)


@slow
class SceneTest(PanelTest):
    def test_closing_the_scene_empties_the_panel(self):
        self.fill_in()
        slicer.mrmlScene.Clear()
        self.assertIsNone(self.ui.petSequenceSelector.currentNode())
        self.assertEqual(self.ui.bloodFilePathLineEdit.currentPath, "")
        self.assertFalse(self.ui.computeButton.enabled)
        self.assertTrue(self.fill_in())
        self.assertTrue(self.ui.computeButton.enabled)

    def test_loaded_scene_is_shown(self):
        self.computed()
        views.reset_planes()  # views outlive a scene, and Slicer reports an error where it reads an oblique one
        table = self.ui.resultTableView.mrmlTableNode()
        table.SetCellText(0, 0, "as an earlier program told it")
        bundle = str(Path(self.folder) / "study.mrb")
        self.assertTrue(slicer.mrmlScene.WriteToMRB(bundle))
        slicer.mrmlScene.Clear()
        self.assertEqual(self.ui.statusLabel.text, "")
        self.assertEqual(self.states(), ["to do"] * 6)
        self.assertTrue(slicer.mrmlScene.ReadFromMRB(bundle, True))
        told = tables.cell(self.ui.resultTableView.mrmlTableNode(), 0, "region")
        self.assertIn(told, mrmlstudy.TRUE_VT, "as this program tells it")
        visit = self.logic.visit("baseline")
        self.assertIsNotNone(visit.petSequence)
        self.assertIs(self.ui.petSequenceSelector.currentNode(), visit.petSequence)
        self.assertIs(self.ui.segmentationSelector.currentNode(), visit.segmentation)
        self.assertEqual(self.ui.resultTableView.mrmlTableNode().GetNumberOfRows(), 4)
        self.assertEqual(self.states()[1:], ["done"] * 4 + ["ready"])

    def test_leaving_and_coming_back_keeps_the_choices(self):
        study = self.fill_in()
        self.panel.exit()
        self.assertFalse(self.ui.computeButton.enabled)
        self.panel.enter()
        self.assertIs(self.ui.petSequenceSelector.currentNode(), study.pet)
        self.assertEqual(self.ui.bloodFilePathLineEdit.currentPath, study.blood)
        self.assertTrue(self.ui.computeButton.enabled)

    def test_segment_editor_follows_the_visit(self):
        study = self.fill_in()
        editor = self.panel.editor.widget
        self.assertIsNone(editor.segmentationNode())  # folded up
        self.ui.editorCollapsibleButton.collapsed = False
        self.addCleanup(setattr, self.ui.editorCollapsibleButton, "collapsed", True)
        self.assertIs(editor.segmentationNode(), study.segmentation)
        self.assertIs(editor.sourceVolumeNode(), study.ct)
        self.choose(self.ui.visitComboBox, "followup")
        self.assertIsNone(editor.segmentationNode())
        self.choose(self.ui.visitComboBox, "baseline")
        self.assertIs(editor.segmentationNode(), study.segmentation)
        slicer.mrmlScene.Clear()
        self.assertIsNone(editor.segmentationNode())
        self.assertIs(editor.mrmlSegmentEditorNode().GetScene(), slicer.mrmlScene)

    def test_nothing_is_called_of_a_panel_that_is_gone(self):
        """Reloaded with every timer running, its points full and the sections unfolded: the old panel stays silent."""
        self.fill_in()
        self.choose(self.ui.twoClickLevelComboBox, "C5/C6 (root C6)")
        self.choose(self.ui.twoClickSideComboBox, "Left")
        points = self.panel.place.widget.currentNode()
        for x in (-10, -18):
            points.AddControlPointWorld(x, 0, 0)
        panel, called = self.panel, []
        timers = [one for part in (panel, panel.content, panel.place) for one in vars(part).values()]
        timers = [one for one in timers if isinstance(one, qt.QTimer) and one is not panel.content.live]
        self.assertEqual(len(timers), 6)
        for one in timers:
            one.setInterval(0)
            one.connect("timeout()", lambda: called.append(panel.later.over))
            one.start()
        slicer.util.reloadScriptedModule("TSPOQuant")
        ask = mock.Mock(side_effect=AssertionError("the old panel was called"))
        with mock.patch.multiple(panel, ui=ask, logic=ask, updateGUI=ask, visit=ask):
            for _ in range(5):
                slicer.app.processEvents()
            points.RemoveAllControlPoints()
            slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
            panel.runner.run(ask)
            panel.runner.say("late")
        self.assertEqual(called, [True] * 6)
        ask.assert_not_called()

    def test_module_can_be_reloaded_while_it_computes(self):
        self.fill_in()
        self.choose_quick()

        def quantify(*given, progress, **named):
            slicer.util.reloadScriptedModule("TSPOQuant")
            with mock.patch.multiple(self.panel, ui=None, updateGUI=None):
                progress(0.5, "halfway")

        self.use(quantify)
        self.ui.computeButton.click()
        again = slicer.util.getModuleWidget("TSPOQuant").panel
        self.assertFalse(study_nodes.has_record("baseline"))
        self.assertEqual(again.ui.kineticsCollapsibleButton.text, "Kinetics · ready")
        self.assertTrue(again.ui.computeButton.enabled)

    def test_module_can_be_reloaded(self):
        self.computed()
        slicer.util.reloadScriptedModule("TSPOQuant")
        again = slicer.util.getModuleWidget("TSPOQuant").panel
        self.assertIsNot(again, self.panel)
        self.assertEqual(again.ui.kineticsCollapsibleButton.text, "Kinetics · done")
        self.choose(again.ui.visitComboBox, "followup")
        self.assertEqual(again.ui.kineticsCollapsibleButton.text, "Kinetics · to do")


if __name__ == "__main__":
    unittest.main()
