"""The panel, clicked: what may be pressed when, what it says, and where the results go."""

import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import mrmlstudy
import slicer
import slicer.util
from TSPOQuantLib.errors import Cancelled, InputRefused, Notice
from TSPOQuantLib.study import StudySettings

try:
    import qt
except ImportError as error:
    raise unittest.SkipTest("no Qt for Python here") from error


def row(region, vt):
    names = ["structure", "level", "root", "side", "model", "VT_se", "K1", "k2", "VB"]
    return SimpleNamespace(region=region, VT=vt, flags=(), **dict.fromkeys(names))


class PanelTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear()
        slicer.util.selectModule("TSPOQuant")
        self.panel = slicer.util.getModuleWidget("TSPOQuant")
        self.ui = self.panel.ui
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def use(self, quantify):
        """Let the panel compute with this in place of the pipeline."""
        self.panel.logic._quantify = quantify
        self.addCleanup(setattr, self.panel.logic, "_quantify", None)

    def fill_in(self):
        """Select everything as a user would."""
        study = mrmlstudy.make(self.folder)
        self.ui.petSequenceSelector.setCurrentNode(study.pet)
        self.ui.ctVolumeSelector.setCurrentNode(study.ct)
        self.ui.segmentationSelector.setCurrentNode(study.segmentation)
        self.ui.bloodFilePathLineEdit.currentPath = study.blood
        return study

    def choose(self, comboBox, text):
        index = comboBox.findText(text)
        self.assertGreaterEqual(index, 0, text)
        comboBox.setCurrentIndex(index)

    def test_empty_panel_says_what_to_do(self):
        self.assertFalse(self.ui.computeButton.enabled)
        self.assertIn("PET", self.ui.computeButton.toolTip)
        self.assertFalse(self.ui.fuseButton.enabled)
        self.assertFalse(self.ui.cancelButton.enabled)
        self.assertFalse(self.ui.progressBar.visible)
        self.assertIsNone(self.ui.resultTableView.mrmlTableNode())

    def test_selecting_all_enables_compute(self):
        study = self.fill_in()
        self.assertTrue(self.ui.computeButton.enabled, self.ui.computeButton.toolTip)
        self.assertTrue(self.ui.fuseButton.enabled)
        parameters = self.panel.logic.getParameterNode()
        self.assertIs(parameters.petSequence, study.pet)
        self.assertEqual(parameters.bloodFile, study.blood)

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
        parameters = self.panel.logic.getParameterNode()
        self.assertEqual(self.panel.logic.bloodPoolName(parameters), "foramen C6/C7 left")
        self.ui.bloodPoolComboBox.setCurrentIndex(0)
        self.assertFalse(self.ui.computeButton.enabled)
        self.assertIn("blood pool", self.ui.computeButton.toolTip)
        # No blood pool is needed where blood was sampled.
        self.ui.inputSourceComboBox.setCurrentIndex(1)
        self.assertTrue(self.ui.computeButton.enabled)
        self.assertFalse(self.ui.bloodPoolComboBox.enabled)

    def test_removed_blood_pool_is_not_replaced_in_silence(self):
        study = self.fill_in()
        study.segmentation.GetSegmentation().RemoveSegment(
            study.segmentation.GetSegmentation().GetSegmentIdBySegmentName(mrmlstudy.BLOOD_POOL)
        )
        self.assertEqual(self.ui.bloodPoolComboBox.currentIndex, 0)
        self.assertFalse(self.ui.computeButton.enabled)

    def test_new_and_renamed_segments_are_offered(self):
        study = self.fill_in()
        segmentation = study.segmentation.GetSegmentation()
        segmentation.AddEmptySegment("", "aorta")
        self.assertGreaterEqual(self.ui.bloodPoolComboBox.findText("aorta"), 0)
        segmentation.GetNthSegment(0).SetName("renamed")
        self.assertGreaterEqual(self.ui.bloodPoolComboBox.findText("renamed"), 0)

    def test_missing_blood_file_is_named(self):
        self.fill_in()
        self.ui.bloodFilePathLineEdit.currentPath = "nowhere.tsv"
        self.assertFalse(self.ui.computeButton.enabled)
        self.assertIn("does not exist", self.ui.computeButton.toolTip)
        self.ui.bloodFilePathLineEdit.currentPath = ""
        self.assertFalse(self.ui.computeButton.enabled)
        self.assertIn("Select a file", self.ui.computeButton.toolTip)

    def test_fixed_blood_fraction_can_be_typed_only_if_it_is_fixed(self):
        self.assertFalse(self.ui.fixedBloodVolumeSpinBox.enabled)
        self.ui.bloodVolumeComboBox.setCurrentIndex(1)
        self.assertTrue(self.ui.fixedBloodVolumeSpinBox.enabled)
        self.ui.fixedBloodVolumeSpinBox.value = 0.07
        self.assertEqual(self.panel.logic.getParameterNode().fixedBloodVolume, 0.07)

    def test_compute_fills_the_table(self):
        self.fill_in()
        self.ui.inputSourceComboBox.setCurrentIndex(2)
        self.ui.bloodVolumeComboBox.setCurrentIndex(2)
        self.ui.computeButton.click()
        table = self.ui.resultTableView.mrmlTableNode()
        self.assertIsNotNone(table, self.ui.statusLabel.text)
        self.assertEqual(table.GetNumberOfRows(), 4)
        self.assertIs(self.panel.logic.getParameterNode().resultTable, table)
        self.assertIn("4", self.ui.statusLabel.text)
        self.assertTrue(self.ui.computeButton.enabled)
        # The second run goes to the same table.
        self.ui.computeButton.click()
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode"), 1)

    def test_motion_is_corrected_if_that_is_checked(self):
        self.fill_in()
        seen = []

        def quantify(image, segmentation, blood, settings, *rest):
            seen.append(settings.motion_correction)
            return SimpleNamespace(rows=(row("cord C7", 3.0),), notices=())

        self.use(quantify)
        self.ui.computeButton.click()
        self.ui.correctMotionCheckBox.checked = True
        self.ui.computeButton.click()
        self.assertEqual(seen, [StudySettings.motion_correction, "rigid"])

    def test_warnings_of_the_visit_are_shown(self):
        self.fill_in()
        notice = Notice("parent-fraction-venous", "the parent fraction is from a vein")
        self.use(lambda *given: SimpleNamespace(rows=(row("cord C7", 3.0),), notices=(notice,)))
        self.ui.computeButton.click()
        self.assertIn("from a vein", self.ui.noticesLabel.text)
        self.assertIn("warnings", self.ui.statusLabel.text)

    def test_pet_over_ct_has_coded_units(self):
        study = self.fill_in()
        self.ui.fuseButton.click()
        browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(study.pet)
        proxy = browser.GetProxyNode(study.pet)
        self.assertEqual(proxy.GetVoxelValueUnits().GetCodeValue(), "kBq/mL")

    def test_panel_is_locked_while_it_computes(self):
        self.fill_in()
        seen = []

        def quantify(image, segmentation, blood, settings, ct, progress):
            progress(0.5, "halfway")
            ui = self.ui
            seen.append((ui.computeButton.enabled, ui.cancelButton.enabled, ui.inputsCollapsibleButton.enabled))
            seen.append((ui.progressBar.value, ui.statusLabel.text))
            return SimpleNamespace(rows=(), notices=())

        self.use(quantify)
        self.ui.computeButton.click()
        self.assertEqual(seen[0], (False, True, False))
        self.assertEqual(seen[1][1], "halfway")
        self.assertGreater(seen[1][0], 15)
        self.assertTrue(self.ui.inputsCollapsibleButton.enabled)

    def test_cancel_stops_and_changes_nothing(self):
        self.fill_in()

        def quantify(image, segmentation, blood, settings, ct, progress):
            self.ui.cancelButton.click()
            progress(0.5, "should not get here")
            raise AssertionError("went on after Cancel")

        self.use(quantify)
        self.ui.computeButton.click()
        self.assertIn("Stopped", self.ui.statusLabel.text)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode"), 0)
        self.assertTrue(self.ui.computeButton.enabled)

    def test_closing_the_scene_stops_the_computation(self):
        self.fill_in()

        def quantify(image, segmentation, blood, settings, ct, progress):
            slicer.mrmlScene.Clear()
            progress(0.5, "should not get here")
            raise AssertionError("went on after the scene was closed")

        self.use(quantify)
        self.ui.computeButton.click()
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode"), 0)
        self.assertFalse(self.ui.computeButton.enabled)

    def test_refusal_is_shown_and_the_panel_stays_usable(self):
        study = self.fill_in()
        study.pet.RemoveAttribute("TSPOQuant.FrameDurations_s")
        with self.assertRaises(InputRefused):
            self.panel.onComputeButton()
        self.assertIn("how long its frames last", self.ui.statusLabel.text)
        self.assertTrue(self.ui.computeButton.enabled)
        self.assertFalse(self.ui.progressBar.visible)

    def test_closing_the_scene_empties_the_panel(self):
        self.fill_in()
        slicer.mrmlScene.Clear()
        self.assertIsNone(self.ui.petSequenceSelector.currentNode())
        self.assertEqual(self.ui.bloodFilePathLineEdit.currentPath, "")
        self.assertFalse(self.ui.computeButton.enabled)
        self.assertTrue(self.fill_in())
        self.assertTrue(self.ui.computeButton.enabled)

    def test_loaded_scene_is_shown(self):
        self.fill_in()
        self.use(lambda *given: SimpleNamespace(rows=(row("cord C7", 3.0),), notices=()))
        self.ui.computeButton.click()
        path = str(Path(self.folder) / "scene.mrml")
        slicer.mrmlScene.Commit(path)
        slicer.mrmlScene.Clear()
        self.assertEqual(self.ui.statusLabel.text, "")
        slicer.mrmlScene.SetURL(path)
        slicer.mrmlScene.Import()
        parameterNode = self.panel.logic.getParameterNode()
        self.assertIsNotNone(parameterNode.petSequence)
        self.assertIs(self.ui.petSequenceSelector.currentNode(), parameterNode.petSequence)
        self.assertIs(self.ui.segmentationSelector.currentNode(), parameterNode.segmentation)
        self.assertIs(self.ui.resultTableView.mrmlTableNode(), parameterNode.resultTable)

    def test_leaving_and_coming_back_keeps_the_choices(self):
        study = self.fill_in()
        self.panel.exit()
        self.assertFalse(self.ui.computeButton.enabled)
        self.panel.enter()
        self.assertIs(self.ui.petSequenceSelector.currentNode(), study.pet)
        self.assertEqual(self.ui.bloodFilePathLineEdit.currentPath, study.blood)
        self.assertTrue(self.ui.computeButton.enabled)

    def test_cancelled_is_not_an_error_of_ours(self):
        self.fill_in()

        def quantify(*given):
            raise Cancelled

        self.use(quantify)
        self.panel.onComputeButton()
        self.assertIn("Stopped", self.ui.statusLabel.text)

    def test_every_button_is_a_qt_button(self):
        for button in (self.ui.fuseButton, self.ui.computeButton, self.ui.cancelButton):
            self.assertIs(type(button), qt.QPushButton)


if __name__ == "__main__":
    unittest.main()
