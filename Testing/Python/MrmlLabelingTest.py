"""Labels of vertebrae by the extension TotalSegmentator: asked for, taken over, or said to be missing."""

import unittest
from unittest import mock

import numpy as np
import slicer
import slicer.util
from support.mrmlstudy import grid, mr_node
from TSPOQuantLib.acquisition.image import Volume
from TSPOQuantLib.messages import Cancelled, InputRefused
from TSPOQuantLib.mrml import labeling, regions
from TSPOQuantLib.mrml.volumes import node_from_volume


class LabelingTest(unittest.TestCase):
    """With a stand-in for the other extension's logic: what it is asked for, and what becomes of its answers."""

    def setUp(self):
        slicer.mrmlScene.Clear()
        on = grid((2, 3, 4), 2.0)
        self.ct_node = node_from_volume(Volume(np.zeros(on.shape, np.float32), on, "HU"), "CT")

    def segmentations(self):
        return slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")

    def assert_refused(self, code):
        with self.assertRaises(InputRefused) as caught:
            labeling.label_vertebrae(self.ct_node)
        self.assertEqual((caught.exception.code, self.segmentations()), (code, 0))

    def logic(self, process):
        logic = mock.Mock(logCallback=None)
        logic.process.side_effect = process
        for target, value in (
            ("slicer.modules.totalsegmentator", None),
            ("slicer.util.getModuleLogic", lambda name: logic),
        ):
            patched = mock.patch(target, value, create=True)
            patched.start()
            self.addCleanup(patched.stop)
        return logic

    def test_without_the_extension_it_is_said_what_to_install(self):
        self.assertIn("TotalSegmentator", labeling.why_not())
        self.assert_refused("labels-missing-extension")

    def test_the_neck_is_asked_for_and_comes_as_labels(self):
        def process(volume, node, quality, subset, interactive):
            self.assertIs(volume, self.ct_node)
            self.assertLessEqual({"vertebrae_C2", "vertebrae_T1", "spinal_cord"}, set(subset))
            logic.logCallback("half-way")
            for name in subset:
                node.GetSegmentation().AddEmptySegment(name, name)

        logic, seen = self.logic(process), []
        node = labeling.label_vertebrae(self.ct_node, progress=lambda fraction, text: seen.append(text))
        self.assertIn(node, regions.find_vertebrae())
        self.assertIn("half-way", seen)
        self.assertIsNone(logic.logCallback)
        logic.setupPythonRequirements.assert_called_once_with()

    def asked(self, *given):
        """What it is asked for beside the quality, for a CT or MR and a part of the spine."""
        logic = self.logic(None)
        labeling.label_vertebrae(*given)
        return {key: value for key, value in logic.process.call_args.kwargs.items() if key in ("task", "subset")}

    def test_below_the_neck_other_vertebrae_are_asked_for(self):
        subset = set(self.asked(self.ct_node, "lumbar")["subset"])
        self.assertLessEqual({"vertebrae_T12", "vertebrae_L1", "vertebrae_S1", "spinal_cord"}, subset)
        self.assertNotIn("vertebrae_C7", subset)

    def test_of_an_mr_the_task_for_mr(self):
        self.assertEqual(self.asked(mr_node(grid((2, 3, 4), 2.0), "MR"), "lumbar"), {"task": "vertebrae_mr"})

    def test_nothing_is_left_of_what_failed_or_was_stopped(self):
        def stop(fraction, text):
            if text == "half-way":
                raise Cancelled

        logic = self.logic(lambda *given, **named: logic.logCallback("half-way"))
        with self.assertRaises(Cancelled):
            labeling.label_vertebrae(self.ct_node, progress=stop)
        self.assertEqual(self.segmentations(), 0)
        logic.process.side_effect = RuntimeError("Python was not found")
        self.assert_refused("labels-failed")


if __name__ == "__main__":
    unittest.main()
