"""The panel's own door for files: PET and CT of a visit from folders of DICOM and NIfTI with its JSON."""

import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import slicer
import slicer.util
from PanelTest import PanelTest
from support import mrmlstudy, tinystudy
from support.dicommaker import PetPlan, write_mr
from TSPOQuantLib.acquisition.dicom import read_anatomical, read_dynamic_pet
from TSPOQuantLib.acquisition.sequence_files import SCAN
from TSPOQuantLib.mrml import sequence_io, volumes


class LoadTest(PanelTest):
    def load(self, button, path):
        asked = []
        with mock.patch.object(self.panel, "askFile", lambda question: asked.append(question) or str(path)):
            button.click()
        self.assertEqual(len(asked), 1)

    def refused(self, button, path):
        with mock.patch("slicer.util.errorDisplay") as told:
            self.load(button, path)
        return told.call_args[0][0]

    def test_the_folder_of_any_dicom_file(self):
        folder = Path(self.folder) / "visit"
        tinystudy.DicomVisit().write(folder)
        self.load(self.ui.loadPetButton, sorted((folder / "pet").iterdir())[3])
        visit = self.logic.visit("baseline")
        self.assertEqual(visit.petSequence.GetName(), "baseline PET")
        found, truth = sequence_io.dynamic_from_node(visit.petSequence), read_dynamic_pet(folder / "pet")
        np.testing.assert_array_equal(found.activity, truth.activity)
        np.testing.assert_array_equal(found.timing.durations_s, truth.timing.durations_s)
        self.assertEqual(found.scan.patient_key, truth.scan.patient_key)
        self.assertIn("60 min", self.ui.petLabel.text)
        self.load(self.ui.loadAnatomicalButton, sorted((folder / "ct").iterdir())[0])
        ct = volumes.anatomical_from_node(visit.ctVolume)
        self.assertTrue(ct.is_ct)
        np.testing.assert_array_equal(ct.values, read_anatomical(folder / "ct").values)
        self.assertTrue(ct.grid.same_as(read_anatomical(folder / "ct").grid))
        self.assertEqual(ct.scan.patient_key, found.scan.patient_key)
        self.assertNotIn("Doe", visit.ctVolume.GetAttribute(SCAN))
        self.assertTrue(self.ui.fuseButton.enabled)

    def test_nifti_with_its_json(self):
        folder = tinystudy.write_bids_visit(Path(self.folder) / "dataset", "p1", "baseline")
        self.load(self.ui.loadPetButton, next(folder.glob("*_pet.nii.gz")))
        self.assertIn("[11C]DPA-713", self.ui.petLabel.text)
        self.assertEqual(self.logic.state("study", "baseline").value, "ready")
        for sidecar in folder.glob("*_pet.json"):
            sidecar.unlink()
        before = self.logic.visit("baseline").petSequence
        said = self.refused(self.ui.loadPetButton, next(folder.glob("*_pet.nii.gz")))
        self.assertIn("_pet.json is not beside", said)
        self.assertIs(self.logic.visit("baseline").petSequence, before)

    def test_nothing_is_chosen(self):
        nodes = slicer.mrmlScene.GetNumberOfNodes()
        for button in (self.ui.loadPetButton, self.ui.loadAnatomicalButton):
            self.load(button, "")
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), nodes)

    def test_an_mr_is_known_as_one(self):
        write_mr(Path(self.folder) / "mr", PetPlan())
        self.load(self.ui.loadAnatomicalButton, next((Path(self.folder) / "mr").iterdir()))
        node = self.logic.visit("baseline").ctVolume
        self.assertEqual(node.GetName(), "baseline MR")
        self.assertFalse(volumes.anatomical_from_node(node).is_ct)

    def test_images_of_two_persons_are_refused_and_two_frames_of_reference_told(self):
        first, second = Path(self.folder) / "first", Path(self.folder) / "second"
        tinystudy.DicomVisit().write(first)
        tinystudy.DicomVisit("followup", edit=lambda header: setattr(header, "PatientID", "other")).write(second)
        third = Path(self.folder) / "third"
        tinystudy.DicomVisit("followup").write(third)
        self.load(self.ui.loadPetButton, first / "pet")
        self.load(self.ui.loadAnatomicalButton, second / "ct")
        with self.assertRaisesRegex(Exception, "different patients"):
            self.logic.steps._read("baseline", regions=False)
        self.load(self.ui.loadAnatomicalButton, third / "ct")
        notices = self.logic.steps._read("baseline", regions=False).image.notices
        self.assertIn("frame-of-reference", [notice.code for notice in notices])
        self.choose(self.ui.motionComboBox, "Frames alone")
        with self.assertRaisesRegex(Exception, "different frames of reference"):
            self.logic.steps._read("baseline", regions=False)

    def test_what_is_loaded_is_shown(self):
        composite = slicer.mrmlScene.AddNode(slicer.vtkMRMLSliceCompositeNode())
        folder = Path(self.folder) / "visit"
        tinystudy.DicomVisit().write(folder)
        self.load(self.ui.loadPetButton, folder / "pet")
        proxy = composite.GetBackgroundVolumeID()
        self.assertIsNotNone(proxy)
        display = slicer.mrmlScene.GetNodeByID(proxy).GetDisplayNode()
        self.assertEqual(display.GetWindowLevelMin(), 0)
        self.assertGreater(display.GetWindowLevelMax(), slicer.util.array(proxy).mean())
        self.load(self.ui.loadAnatomicalButton, folder / "ct")
        self.assertEqual(composite.GetBackgroundVolumeID(), self.logic.visit("baseline").ctVolume.GetID())
        self.assertEqual(composite.GetForegroundVolumeID(), proxy)

    def test_the_only_regions_of_a_scene_are_taken_and_no_others(self):
        study = mrmlstudy.make(self.folder)
        self.settle()
        self.assertIs(self.logic.visit("baseline").segmentation, study.segmentation)
        self.ui.segmentationSelector.setCurrentNode(None)
        self.settle()
        self.assertIsNone(self.logic.visit("baseline").segmentation, "taken out again, it stays out")
        self.ui.segmentationSelector.setCurrentNode(study.segmentation)
        mrmlstudy.make(self.folder, 0.5)  # another visit's, or another reader's: nothing tells which
        self.choose(self.ui.visitComboBox, "followup")
        self.settle()
        self.assertIsNotNone(self.logic.visit("followup").petSequence)
        self.assertIsNone(self.logic.visit("followup").segmentation)

    def test_drawing_begins_on_the_region_that_is_looked_at(self):
        self.fill_in()
        self.assertTrue(self.logic.goToRegion("baseline", "foramen C6/C7 right"))
        self.ui.editorCollapsibleButton.collapsed = False
        self.addCleanup(setattr, self.ui.editorCollapsibleButton, "collapsed", True)
        chosen = self.panel.editor.widget.mrmlSegmentEditorNode().GetSelectedSegmentID()
        segment = self.logic.visit("baseline").segmentation.GetSegmentation().GetSegment(chosen)
        self.assertEqual(segment.GetName(), "foramen C6/C7 right")


if __name__ == "__main__":
    unittest.main()
