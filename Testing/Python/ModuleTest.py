"""The module's logic: nodes in, table out, the same numbers as the library, and nothing half done."""

import tempfile
import unittest
from types import SimpleNamespace

import mrmlstudy
import numpy as np
import slicer
import slicer.util
from TSPOQuantLib.errors import Cancelled, InputRefused, Notice
from TSPOQuantLib.mrml import tables

import TSPOQuant


class Recorder:
    """In place of the pipeline: keeps what it is given, returns no rows."""

    def __call__(self, image, segmentation, blood, settings, ct=None, progress=None):
        self.given = SimpleNamespace(
            image=image, segmentation=segmentation, blood=blood, settings=settings, ct=ct, progress=progress
        )
        return SimpleNamespace(rows=(), notices=(Notice("blood-venous", "drawn from a vein"),))


class LogicTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.study = mrmlstudy.make(folder.name)

    def process(self, logic=None, **changed):
        given = {
            "petSequence": self.study.pet,
            "segmentation": self.study.segmentation,
            "bloodFile": self.study.blood,
            "inputSource": "given",
            "vb": "none",
        }
        return (logic or TSPOQuant.TSPOQuantLogic()).process(**(given | changed))

    def test_volumes_of_distribution_are_the_true_ones(self):
        table = self.process(ctVolume=self.study.ct)
        columns = [table.GetColumnName(index) for index in range(table.GetNumberOfColumns())]
        vt = slicer.util.arrayFromTableColumn(table, "VT")
        found = {}
        for row in range(table.GetNumberOfRows()):
            region = table.GetCellText(row, columns.index("region"))
            found[region, table.GetCellText(row, columns.index("model"))] = vt[row]
        for region, truth in mrmlstudy.TRUE_VT.items():
            # What is left is the straight line between blood samples.
            self.assertAlmostEqual(found[region, "1TCM"] / truth, 1, delta=0.002)
            self.assertIn((region, "Logan"), found)
        self.assertEqual(columns, [column.key for column in tables.RESULT_COLUMNS])

    def test_pipeline_gets_what_was_chosen(self):
        recorder = Recorder()
        table = self.process(
            TSPOQuant.TSPOQuantLogic(recorder),
            ctVolume=self.study.ct,
            bloodPool="carotids",
            genotype="MAB",
            vb=0.03,
            bloodRoute="venous",
        )
        given = recorder.given
        self.assertEqual(given.settings.blood_pool, "carotids")
        self.assertEqual(given.settings.input_source, "given")
        self.assertEqual(given.settings.genotype, "MAB")
        self.assertEqual(given.settings.vb, 0.03)
        self.assertEqual(given.blood.route, "venous")
        self.assertEqual(given.ct.units, "HU")
        self.assertEqual(len(given.image.timing), len(mrmlstudy.EDGES_S) - 1)
        names = [segment.name for segment in given.segmentation.segments]
        self.assertEqual(names, [*mrmlstudy.TRUE_VT, mrmlstudy.BLOOD_POOL])
        self.assertEqual(table.GetAttribute(tables.NOTICES), "blood-venous: drawn from a vein")

    def test_given_table_is_filled_again(self):
        table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "mine")
        self.assertIs(self.process(resultTable=table), table)
        self.assertGreater(table.GetNumberOfRows(), 0)

    def test_progress_runs_from_start_to_end(self):
        seen = []
        self.process(progress=lambda fraction, text: seen.append(fraction))
        self.assertEqual(seen, sorted(seen))
        self.assertEqual((seen[0], seen[-1]), (0, 1))

    def test_refusal_and_cancel_leave_the_scene_as_it_was(self):
        table = self.process()
        rows, nodes = table.GetNumberOfRows(), slicer.mrmlScene.GetNumberOfNodes()

        def stop(fraction, text):
            if fraction > 0.5:
                raise Cancelled

        with self.assertRaises(Cancelled):
            self.process(progress=stop, resultTable=table)
        self.study.pet.RemoveAttribute("TSPOQuant.FrameDurations_s")
        with self.assertRaises(InputRefused):
            self.process(resultTable=table)
        with self.assertRaises(InputRefused):
            self.process()
        self.assertEqual(table.GetNumberOfRows(), rows)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), nodes)


class ParameterNodeTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear()
        self.logic = TSPOQuant.TSPOQuantLogic()

    def test_choices_are_kept_in_the_scene(self):
        pet = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode")
        first = self.logic.getParameterNode()
        first.petSequence = pet
        first.bloodFile = "blood.tsv"
        first.bloodVolume = TSPOQuant.BloodVolume.FIXED
        first.fixedBloodVolume = 0.12
        again = self.logic.getParameterNode()
        self.assertIs(again.petSequence, pet)
        self.assertEqual(again.bloodFile, "blood.tsv")
        self.assertIs(again.bloodVolume, TSPOQuant.BloodVolume.FIXED)
        self.assertEqual(again.fixedBloodVolume, 0.12)

    def test_names_in_saved_scenes_stay(self):
        """A scene holds these words; renaming one would break it."""
        names = {kind: [value.name for value in kind] for kind in (TSPOQuant.BloodRoute, TSPOQuant.BloodVolume)}
        self.assertEqual(names[TSPOQuant.BloodRoute], ["UNKNOWN", "ARTERIAL", "VENOUS"])
        self.assertEqual(names[TSPOQuant.BloodVolume], ["FITTED", "FIXED", "NEGLECTED"])
        self.assertEqual([value.name for value in TSPOQuant.InputSource], ["IMAGE", "SAMPLES", "GIVEN"])
        self.assertEqual([value.name for value in TSPOQuant.Genotype], ["UNKNOWN", "HAB", "MAB", "LAB"])

    def test_choices_are_the_librarys(self):
        from TSPOQuantLib.acquisition.blood_files import ROUTES
        from TSPOQuantLib.study import GENOTYPES, StudySettings

        self.assertEqual({route.value for route in TSPOQuant.BloodRoute}, set(ROUTES))
        self.assertEqual({genotype.value for genotype in TSPOQuant.Genotype}, set(GENOTYPES))
        parameters = self.logic.getParameterNode()
        self.assertEqual(parameters.genotype.value, StudySettings.genotype)
        self.assertEqual(parameters.inputSource.value, StudySettings.input_source)
        self.assertEqual(parameters.bloodVolume.value, StudySettings.vb)

    def test_values_out_of_range_are_refused(self):
        parameters = self.logic.getParameterNode()
        for value in (-0.01, 0.51):
            with self.assertRaises(ValueError):
                parameters.fixedBloodVolume = value
        with self.assertRaises(TypeError):
            parameters.bloodFile = 3
        with self.assertRaises(TypeError):
            parameters.petSequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")

    def test_each_missing_thing_is_named_in_turn(self):
        # Not the panel's own parameter node, into which an open panel would propose a blood pool.
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
        parameters = TSPOQuant.TSPOQuantParameterNode(node)
        said = [self.logic.whatIsMissing(parameters)]
        with tempfile.TemporaryDirectory() as folder:
            study = mrmlstudy.make(folder)
            for name, value in (
                ("petSequence", study.pet),
                ("segmentation", study.segmentation),
                ("bloodPoolSegmentID", self.logic.findBloodPool(study.segmentation)),
                ("bloodFile", f"{study.blood}.gone"),
                ("bloodFile", study.blood),
            ):
                setattr(parameters, name, value)
                said.append(self.logic.whatIsMissing(parameters))
        self.assertEqual(len(set(said)), 6)
        self.assertEqual(said[-1], "")

    def test_incomplete_choices_are_refused_in_scripts_too(self):
        with self.assertRaises(InputRefused) as caught:
            self.logic.processParameterNode(self.logic.getParameterNode())
        self.assertEqual(caught.exception.code, "input-missing")

    def test_blood_pool_is_found_by_name(self):
        with tempfile.TemporaryDirectory() as folder:
            segmentation = mrmlstudy.make(folder).segmentation
        found = self.logic.findBloodPool(segmentation)
        self.assertEqual(segmentation.GetSegmentation().GetSegment(found).GetName(), mrmlstudy.BLOOD_POOL)
        segmentation.GetSegmentation().RemoveSegment(found)
        self.assertEqual(self.logic.findBloodPool(segmentation), "")
        self.assertEqual(self.logic.findBloodPool(None), "")


class FusionTest(unittest.TestCase):
    def test_pet_is_shown_over_ct(self):
        slicer.mrmlScene.Clear()
        composite = slicer.mrmlScene.AddNode(slicer.vtkMRMLSliceCompositeNode())
        with tempfile.TemporaryDirectory() as folder:
            study = mrmlstudy.make(folder)
        TSPOQuant.TSPOQuantLogic().showFused(study.pet, study.ct)
        self.assertEqual(composite.GetBackgroundVolumeID(), study.ct.GetID())
        shown = slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID())
        last = study.pet.GetNthDataNode(study.pet.GetNumberOfDataNodes() - 1)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(shown), slicer.util.arrayFromVolume(last))


if __name__ == "__main__":
    unittest.main()
