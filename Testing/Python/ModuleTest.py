"""The module's logic: nodes in, results out, the same numbers as the library, nothing half done, all in the scene."""

import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import slicer
import slicer.util
from support import mrmlstudy
from support.exacttissue import EDGES_S
from support.tiers import slow
from TSPOQuantLib.messages import Cancelled, InputRefused, Notice
from TSPOQuantLib.mrml import plots, sequence_io, study_nodes, tables, views
from TSPOQuantLib.mrml.panel_state import SECTIONS, State
from TSPOQuantLib.pipeline import placement
from TSPOQuantLib.plain import to_json

import TSPOQuant


class Recorder:
    """In place of the pipeline: keeps what it is given, and passes it on."""

    def __call__(self, *given, **named):
        from TSPOQuantLib import pipeline

        self.given = SimpleNamespace(**dict(zip(("data", "settings"), given, strict=True)), **named)
        return pipeline.quantify(*given, **named)


class SceneTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.recorder = Recorder()
        self.logic = TSPOQuant.TSPOQuantLogic(self.recorder)

    def fill_in(self, session="baseline", part=1.0, **changed):
        """A visit with true V_T, a ready input and nothing to align."""
        study = mrmlstudy.make(self.folder, part)
        visit = self.logic.visit(session)
        given = {
            "petSequence": study.pet,
            "ctVolume": study.ct,
            "segmentation": study.segmentation,
            "bloodPoolSegmentID": self.logic.findBloodPool(study.segmentation),
            "bloodFile": study.blood,
            "inputSource": TSPOQuant.InputSource.GIVEN,
            "bloodVolume": TSPOQuant.BloodVolume.NEGLECTED,
            "motion": TSPOQuant.Motion.NONE,
        }
        for name, value in (given | changed).items():
            setattr(visit, name, value)
        return study

    def states(self, session="baseline"):
        return {section: self.logic.state(section, session) for section in SECTIONS}

    def assert_refused(self, code, function, *given, **named):
        with self.assertRaises(InputRefused) as caught:
            function(*given, **named)
        self.assertEqual(caught.exception.code, code)

    def table(self, session, role):
        return study_nodes.find(session, role, "vtkMRMLTableNode")


class QuantifyTest(SceneTest):
    def test_volumes_of_distribution_are_the_true_ones(self):
        self.fill_in()
        record = self.logic.quantify("baseline")
        table = self.table("baseline", "results")
        self.assertEqual(table.GetNumberOfRows(), len(record.rows))
        vt = slicer.util.arrayFromTableColumn(table, "VT")
        found = {}
        for row in range(table.GetNumberOfRows()):
            found[tables.cell(table, row, "region"), tables.cell(table, row, "model")] = vt[row]
        for region, truth in mrmlstudy.TRUE_VT.items():
            # What is left is the straight line between blood samples.
            self.assertAlmostEqual(found[region, "1TCM"] / truth, 1, delta=0.002)
            self.assertIn((region, "Logan"), found)
        self.assertEqual(table.GetAttribute(tables.NOTICES).count("genotype"), 1)

    def test_library_gets_what_was_chosen(self):
        self.fill_in(
            motion=TSPOQuant.Motion.FRAMES,
            bloodVolume=TSPOQuant.BloodVolume.FIXED,
            fixedBloodVolume=0.03,
            bloodRoute=TSPOQuant.BloodRoute.VENOUS,
            injectedDose=370.0,
            weight=71.5,
            washout="none in 6 weeks",
            ma1=True,
            oneTissue=False,
        )
        study = self.logic.getParameterNode()
        study.subject, study.genotype = "p01", TSPOQuant.Genotype.MAB
        self.logic.quantify("baseline")
        given = self.recorder.given
        data, settings = given.data, given.settings
        self.assertEqual((settings.subject, settings.session, settings.genotype), ("p01", "baseline", "MAB"))
        self.assertEqual((settings.input_source, settings.vb, settings.models), ("given", 0.03, ("Logan", "MA1")))
        self.assertEqual((settings.motion_correction, settings.washout), ("frames", "none in 6 weeks"))
        self.assertEqual((data.image.scan.injected_mbq, data.image.scan.weight_kg), (370.0, 71.5))
        self.assertEqual((data.blood.route, data.ct.units), ("venous", "HU"))
        self.assertEqual(len(data.image.timing), len(EDGES_S) - 1)
        names = [segment.name for segment in data.segmentation.segments]
        self.assertEqual(names, [*mrmlstudy.TRUE_VT, mrmlstudy.BLOOD_POOL])
        told = {one["name"]: len(one["sha256"]) for one in given.inputs}
        self.assertLessEqual({"PET sequence", "CT volume", f"segment {mrmlstudy.BLOOD_POOL}"}, set(told))
        self.assertEqual(set(told.values()), {64})

    def test_patients_that_are_ignored_are_in_no_record(self):
        """With an image of the anatomy or without."""
        study = mrmlstudy.make(self.folder)
        image = sequence_io.dynamic_from_node(study.pet)
        named = replace(image, scan=replace(image.scan, patient_key="a1b2"))
        pet = sequence_io.node_from_dynamic(named, "named")
        for ct, asked, key in ((study.ct, "ignore", None), (None, "ignore", None), (None, "compare", "a1b2")):
            with self.subTest(ct=ct and ct.GetName(), asked=asked):
                self.fill_in(petSequence=pet, ctVolume=ct, furtherSettings=json.dumps({"patient_ids": asked}))
                record = self.logic.quantify("baseline")
                self.assertEqual(record.acquisition.patient_key, key)
                self.assertEqual("patients-ignored" in [notice.code for notice in record.notices], key is None)

    def test_defaults_are_the_librarys(self):
        from TSPOQuantLib.study import StudySettings

        self.logic.visit("baseline")
        ours, theirs = self.logic.settingsOf("baseline"), StudySettings()
        differing = {name for name, value in vars(theirs).items() if getattr(ours, name) != value}
        self.assertEqual(differing, {"blood_pool"})  # a name there, a segment here

    @slow
    def test_second_run_goes_to_the_same_nodes(self):
        self.fill_in()
        self.logic.quantify("baseline")
        nodes = slicer.mrmlScene.GetNumberOfNodes()
        self.logic.quantify("baseline")
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), nodes)

    @slow
    def test_any_segment_can_be_quantified(self):
        study = self.fill_in()
        segmentation = study.segmentation.GetSegmentation()
        segmentation.GetNthSegment(0).SetName("left trapezius")
        self.assertIn("left trapezius", {row.region for row in self.logic.quantify("baseline").rows})

    def test_progress_runs_from_start_to_end(self):
        self.fill_in()
        seen = []
        self.logic.quantify("baseline", lambda fraction, text: seen.append(fraction))
        self.assertEqual(seen, sorted(seen))
        self.assertEqual((seen[0], seen[-1]), (0, 1))

    @slow
    def test_refusal_and_cancel_leave_the_scene_as_it_was(self):
        study = self.fill_in(motion=TSPOQuant.Motion.FRAMES)
        self.logic.quantify("baseline")
        self.logic.getParameterNode().subject = "changed"
        before = self.content()

        for where in (0.02, 0.3, 0.7, 0.999, 1.0):

            def stop(fraction, text, where=where):
                if fraction >= where:
                    raise Cancelled

            for step in (self.logic.quantify, self.logic.align, self.logic.makeInput, self.logic.makeMap):
                with self.subTest(step=step.__name__, where=where), self.assertRaises(Cancelled):
                    step("baseline", stop)
                self.assertEqual(self.content(), before)
        study.pet.RemoveAttribute("TSPOQuant.FrameDurations_s")
        before = self.content()
        for step in (self.logic.quantify, self.logic.align, self.logic.makeInput, self.logic.makeMap):
            self.assert_refused("sequence-no-times", step, "baseline")
            self.assertEqual(self.content(), before)

    def content(self):
        """Every node with when it was last modified, but for what a view keeps."""
        nodes = slicer.util.getNodesByClass("vtkMRMLNode")
        return {node.GetID(): node.GetMTime() for node in nodes}

    def test_incomplete_choices_are_refused(self):
        for step in (self.logic.quantify, self.logic.align, self.logic.makeInput, self.logic.makeMap):
            self.assert_refused("input-missing", step, "baseline")
        self.assert_refused("input-missing", self.logic.checkRegions, "baseline")
        self.assert_refused("input-missing", self.logic.compare)
        self.assert_refused("input-missing", self.logic.record, "baseline")
        self.assert_refused("visit-unknown", self.logic.visit, "never")


@slow
class StateTest(SceneTest):
    def test_each_missing_thing_is_named_in_turn(self):
        study = mrmlstudy.make(self.folder)
        # Not the visit that an open panel shows, into which it proposes a blood pool.
        visit = self.logic.visit("followup")
        visit.motion = TSPOQuant.Motion.NONE
        said = [self.logic.whatIsMissing("kinetics", "followup")]
        for name, value in (
            ("petSequence", study.pet),
            ("segmentation", study.segmentation),
            ("bloodPoolSegmentID", self.logic.findBloodPool(study.segmentation)),
            ("bloodFile", f"{study.blood}.gone"),
            ("bloodFile", study.blood),
            ("pvc", TSPOQuant.PartialVolume.GTM),
            ("fwhm", 5.0),
        ):
            setattr(visit, name, value)
            said.append(self.logic.whatIsMissing("kinetics", "followup"))
        self.assertEqual([bool(text) for text in said], [True] * 5 + [False, True, False])
        self.assertEqual(len(set(said)), 7)
        for name in ("oneTissue", "logan"):
            setattr(visit, name, False)
        self.assertIn("model", self.logic.whatIsMissing("kinetics", "followup"))

    def test_sections_go_from_to_do_over_ready_to_done(self):
        self.assertEqual(set(self.states().values()), {State.TO_DO})
        self.fill_in(motion=TSPOQuant.Motion.FRAMES)
        found = self.states()
        self.assertEqual(found.pop("report"), State.TO_DO)
        self.assertEqual(set(found.values()), {State.READY})
        study = self.logic.getParameterNode()
        study.level, study.side = TSPOQuant.Level("C6/C7"), TSPOQuant.Side.LEFT
        self.assertIs(self.states()["study"], State.DONE)
        for step, section in (
            (self.logic.align, "fusion"),
            (self.logic.checkRegions, "regions"),
            (self.logic.makeInput, "input"),
            (self.logic.quantify, "kinetics"),
        ):
            self.assertIs(self.states()[section], State.READY, section)
            step("baseline")
            self.assertIs(self.states()[section], State.DONE, section)
        self.assertIs(self.states()["report"], State.READY)
        self.assertEqual(set(self.states("followup").values()), {State.TO_DO, State.READY})

    def test_results_are_out_of_date_when_what_made_them_changes(self):
        study = self.fill_in(motion=TSPOQuant.Motion.FRAMES)
        self.logic.quantify("baseline")
        visit = self.logic.visit("baseline")
        done = {section for section, state in self.states().items() if state is State.DONE}
        self.assertEqual(done, {"fusion", "regions", "input", "kinetics"})

        def stale():
            return {section for section in done if self.states()[section] is State.OUT_OF_DATE}

        visit.logan = False
        self.assertEqual(stale(), {"kinetics"})
        visit.logan = True
        self.assertEqual(stale(), set())  # as it was
        visit.motion = TSPOQuant.Motion.RIGID
        self.assertEqual(stale(), {"fusion", "kinetics"})  # a given input asks for no alignment
        visit.motion = TSPOQuant.Motion.FRAMES
        segment = study.segmentation.GetSegmentation().GetNthSegment(0)
        segment.SetName("foramen C5/C6 left")
        self.assertEqual(stale(), {"regions", "kinetics"})
        segment.SetName("foramen C6/C7 left")
        self.assertEqual(stale(), set())
        Path(study.blood).write_text(Path(study.blood).read_text().replace("\n60\t", "\n60.5\t"))
        self.assertEqual(stale(), {"input", "kinetics"})
        frame = slicer.util.arrayFromVolume(study.pet.GetNthDataNode(3))
        frame[...] *= 1.01
        slicer.util.arrayFromVolumeModified(study.pet.GetNthDataNode(3))
        self.assertEqual(stale(), done)

    def test_moved_images_and_drawn_voxels_count(self):
        study = self.fill_in()
        self.logic.quantify("baseline")
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        study.segmentation.SetAndObserveTransformNodeID(transform.GetID())
        self.assertIs(self.states()["kinetics"], State.DONE)
        transform.SetMatrixTransformToParent(mrmlstudy.shift(2.0))
        self.assertIs(self.states()["kinetics"], State.OUT_OF_DATE)
        study.segmentation.SetAndObserveTransformNodeID(None)
        self.assertIs(self.states()["kinetics"], State.DONE)
        mrmlstudy.erase_a_voxel(study.segmentation)
        self.assertIs(self.states()["kinetics"], State.OUT_OF_DATE)
        self.assertIs(self.states()["regions"], State.OUT_OF_DATE)

    def test_looking_changes_nothing(self):
        self.fill_in(motion=TSPOQuant.Motion.FRAMES)
        self.logic.quantify("baseline")
        states = self.states()
        self.logic.showFused("baseline")
        self.logic.selectFrame("baseline", 3)
        self.logic.showRegion("baseline", next(iter(mrmlstudy.TRUE_VT)))
        self.logic.makeMap("baseline")
        self.assertEqual(self.states(), states)

    def test_a_kept_alignment_is_used_again(self):
        self.fill_in(motion=TSPOQuant.Motion.FRAMES)
        self.logic.align("baseline")
        kept = study_nodes.stored_alignment("baseline")
        self.logic.quantify("baseline")
        used = self.recorder.given.aligned
        np.testing.assert_array_equal(used[0].reference_to_frame, kept[0].reference_to_frame)

    def test_what_lies_around_the_drawn_regions_is_aligned(self):
        """As the command line does it, which knows them from the start."""
        self.fill_in(motion=TSPOQuant.Motion.FRAMES)
        aligned = placement.align_visit
        with mock.patch("TSPOQuantLib.pipeline.placement.align_visit", side_effect=aligned) as called:
            self.logic.align("baseline")
        self.assertLessEqual(set(mrmlstudy.TRUE_VT), {region.name for region in called.call_args.args[4]})


class VisitsTest(SceneTest):
    def test_visits_are_apart_and_there_may_be_more_than_two(self):
        first = self.logic.visit("baseline")
        first.bloodFile = "one.tsv"
        self.assertEqual(self.logic.visit("followup").bloodFile, "")
        self.logic.addVisit("week12").bloodFile = "three.tsv"
        self.assertEqual(self.logic.sessions(), ["baseline", "followup", "week12"])
        other = TSPOQuant.TSPOQuantLogic()
        self.assertEqual(other.visit("baseline").bloodFile, "one.tsv")
        self.assertEqual(other.visit("week12").bloodFile, "three.tsv")
        for label in ("week12", "", "week 12", "a/b"):
            self.assert_refused("visit-label", self.logic.addVisit, label)

    @slow
    def test_a_removed_visit_leaves_its_images(self):
        study = self.fill_in()
        self.logic.quantify("baseline")
        self.logic.removeVisit("baseline")
        self.assertEqual(self.logic.sessions(), ["followup"])
        self.assertEqual(self.logic.getParameterNode().currentSession, "followup")
        self.assertFalse(study_nodes.has_record("baseline"))
        self.assertTrue(slicer.mrmlScene.IsNodePresent(study.pet))
        self.assert_refused("visit-last", self.logic.removeVisit, "followup")
        self.assertEqual(self.logic.addVisit("baseline").bloodFile, "")

    @slow
    def test_two_visits_are_compared(self):
        self.fill_in()
        self.logic.quantify("baseline")
        self.assertEqual(self.logic.comparable(), ["baseline"])
        self.fill_in("followup", 0.5)
        self.logic.quantify("followup")
        study = self.logic.getParameterNode()
        study.level, study.side = TSPOQuant.Level("C6/C7"), TSPOQuant.Side.LEFT
        comparison = self.logic.compare()
        self.assertEqual([record.session for record in comparison.visits], ["baseline", "followup"])
        table = self.table(study_nodes.WHOLE_STUDY, "changes")
        np.testing.assert_allclose(slicer.util.arrayFromTableColumn(table, "percent"), -50, atol=0.2)
        self.assertEqual(comparison.lesion.level, "C6/C7")
        self.logic.visit("followup").logan = False
        self.assert_refused("visits-out-of-date", self.logic.compare)

    @slow
    def test_what_can_fake_a_change_has_to_be_accepted(self):
        self.fill_in()
        self.logic.quantify("baseline")
        self.fill_in("followup", 0.5, bloodVolume=TSPOQuant.BloodVolume.FITTED)
        self.logic.quantify("followup")
        barring = [finding for finding in self.logic.findings() if finding.severity == "refuse"]
        self.assertTrue(barring)
        self.assert_refused(barring[0].code, self.logic.compare)
        self.assertIsNone(self.table(study_nodes.WHOLE_STUDY, "changes"))
        for finding in barring:
            self.logic.accept(finding.code)
        self.assertEqual(set(self.logic.compare().accepted), {finding.code for finding in barring})
        self.logic.accept(barring[0].code, False)
        self.assert_refused(barring[0].code, self.logic.compare)


@slow
class SavedSceneTest(SceneTest):
    def test_a_scene_gives_back_the_whole_study(self):
        self.fill_in(motion=TSPOQuant.Motion.FRAMES, washout="é <&> «none»")
        study = self.logic.getParameterNode()
        study.level, study.side = TSPOQuant.Level("C6/C7"), TSPOQuant.Side.LEFT
        self.logic.addVisit("week12").fwhm = 5.5
        record = self.logic.quantify("baseline")
        states = self.states()
        views.reset_planes()  # views outlive a scene, and Slicer reports an error where it reads an oblique one
        bundle = self.folder / "study.mrb"
        self.assertTrue(slicer.mrmlScene.WriteToMRB(str(bundle)))
        slicer.mrmlScene.Clear()
        self.assertEqual(set(self.states().values()), {State.TO_DO})
        self.assertTrue(slicer.mrmlScene.ReadFromMRB(str(bundle), True))
        self.assertEqual(self.logic.sessions(), ["baseline", "followup", "week12"])
        self.assertEqual(self.logic.visit("week12").fwhm, 5.5)
        self.assertEqual(self.logic.visit("baseline").washout, "é <&> «none»")
        self.assertEqual(to_json(self.logic.record("baseline")), to_json(record))
        self.assertEqual(self.states(), states)
        self.assertEqual(self.table("baseline", "results").GetNumberOfRows(), len(record.rows))
        chart = study_nodes.find("baseline", "chart curves", "vtkMRMLPlotChartNode")
        self.assertEqual(chart.GetNumberOfPlotSeriesNodes(), 5)
        self.logic.visit("baseline").logan = False
        self.assertIs(self.states()["kinetics"], State.OUT_OF_DATE)

    def test_a_scene_of_the_first_version_is_read(self):
        bundle = Path(__file__).parents[1] / "Data" / "scene-v0.1.mrb"
        views.reset_planes()
        self.assertTrue(slicer.mrmlScene.ReadFromMRB(str(bundle), True))
        record = self.logic.record("baseline")
        self.assertEqual((record.subject, record.models), ("p01", ("1TCM", "Logan", "MA1")))
        self.assertAlmostEqual(record.row("foramen", "C6/C7", "left", "1TCM").VT, 4.0, delta=0.01)
        visit = self.logic.visit("baseline")
        self.assertEqual((visit.washout, visit.ma1, visit.motion.name), ("none in 6 weeks", True, "FRAMES"))
        motion, to_ct = study_nodes.stored_alignment("baseline")
        self.assertEqual((len(motion.reference_to_frame), to_ct), (len(EDGES_S) - 1, None))


@slow
class PlotTest(SceneTest):
    def test_a_point_knows_its_frame(self):
        self.fill_in(motion=TSPOQuant.Motion.FRAMES)
        record = self.logic.quantify("baseline")
        chart = study_nodes.find("baseline", "chart curves", "vtkMRMLPlotChartNode")
        measured = chart.GetNthPlotSeriesNode(0)
        self.assertEqual(plots.frame_of(measured.GetID(), 4), ("baseline", 4))
        self.assertIsNone(plots.frame_of(measured.GetID(), 1000))
        # A fit lies over the points, and is what a click reports.
        for number in range(chart.GetNumberOfPlotSeriesNodes()):
            node = chart.GetNthPlotSeriesNode(number)
            session, frame = plots.frame_of(node.GetID(), 4)
            shown = slicer.util.arrayFromTableColumn(node.GetTableNode(), "x")[4]
            self.assertEqual(session, "baseline")
            self.assertAlmostEqual(shown, record.acquisition.timing.mids_s[frame] / 60, places=9)
        minutes = slicer.util.arrayFromTableColumn(measured.GetTableNode(), "x")
        np.testing.assert_allclose(minutes, record.acquisition.timing.mids_s / 60)
        # A graphical method leaves out early frames: its points still name the right ones.
        line = study_nodes.find("baseline", "chart line", "vtkMRMLPlotChartNode").GetNthPlotSeriesNode(0)
        used = np.flatnonzero(record.fit(record.rows[0].region, "Logan").line.used)
        self.assertEqual(plots.frame_of(line.GetID(), 0), ("baseline", used[0]))

    def test_a_frame_is_selected_in_the_sequence(self):
        study = self.fill_in()
        self.logic.selectFrame("baseline", 5)
        browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(study.pet)
        self.assertEqual(browser.GetSelectedItemNumber(), 5)
        self.logic.selectFrame("baseline", 500)
        self.assertEqual(browser.GetSelectedItemNumber(), 5)

    def test_another_region_takes_the_place_of_the_first(self):
        self.fill_in()
        record = self.logic.quantify("baseline")
        nodes = slicer.mrmlScene.GetNumberOfNodes()
        self.logic.showRegion("baseline", record.rows[1].region)
        chart = study_nodes.find("baseline", "chart curves", "vtkMRMLPlotChartNode")
        self.assertIn(record.rows[1].region, chart.GetTitle())
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), nodes)
        shown = slicer.util.arrayFromTableColumn(chart.GetNthPlotSeriesNode(0).GetTableNode(), "y")
        np.testing.assert_allclose(shown, record.region(record.rows[1].region).mean)

    def test_models_are_compared(self):
        self.fill_in(twoTissue=True)
        self.logic.quantify("baseline")
        table = self.table("baseline", "models")
        names = [tables.cell(table, row, "model") for row in range(table.GetNumberOfRows())]
        self.assertEqual(names, ["1TCM", "2TCM", "Logan"])
        differences = [tables.cell(table, row, "aicc") for row in range(table.GetNumberOfRows())]
        self.assertIn("0", differences[:2])
        self.assertEqual(differences[2], "nan")


@slow
class MapTest(SceneTest):
    def test_map_shows_the_true_values_with_a_fitting_range(self):
        self.fill_in(inputSource=TSPOQuant.InputSource.GIVEN)
        node = self.logic.makeMap("baseline")
        values = slicer.util.arrayFromVolume(node)
        truth = max(mrmlstudy.TRUE_VT.values())
        self.assertAlmostEqual(float(values.max()), truth, delta=0.05 * truth)
        display = node.GetDisplayNode()
        self.assertAlmostEqual(display.GetWindowLevelMax(), truth, delta=0.05 * truth)
        self.assertEqual(display.GetWindowLevelMin(), 0)
        self.assertIs(self.logic.makeMap("baseline"), node)


class ParameterNodeTest(SceneTest):
    def test_choices_are_kept_in_the_scene(self):
        pet = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode")
        first = self.logic.visit("baseline")
        first.petSequence = pet
        first.bloodVolume = TSPOQuant.BloodVolume.FIXED
        first.fixedBloodVolume = 0.12
        again = TSPOQuant.TSPOQuantLogic().visit("baseline")
        self.assertIs(again.petSequence, pet)
        self.assertIs(again.bloodVolume, TSPOQuant.BloodVolume.FIXED)
        self.assertEqual(again.fixedBloodVolume, 0.12)

    def test_names_in_saved_scenes_stay(self):
        """A scene holds these words; renaming one would break it."""
        names = {
            TSPOQuant.BloodRoute: "UNKNOWN ARTERIAL VENOUS",
            TSPOQuant.BloodVolume: "FITTED FIXED NEGLECTED",
            TSPOQuant.InputSource: "IMAGE SAMPLES GIVEN POPULATION",
            TSPOQuant.Genotype: "UNKNOWN HAB MAB LAB",
            TSPOQuant.Level: "UNKNOWN C2_C3 C3_C4 C4_C5 C5_C6 C6_C7 C7_T1 T1_T2 T2_T3 T3_T4 T4_T5 T5_T6 T6_T7 T7_T8 "
            "T8_T9 T9_T10 T10_T11 T11_T12 T12_L1 L1_L2 L2_L3 L3_L4 L4_L5 L5_S1 S1_S2",
            TSPOQuant.Side: "UNKNOWN LEFT RIGHT",
            TSPOQuant.Motion: "RIGID FRAMES NONE",
            TSPOQuant.Calibration: "RECOVERY SCALE",
            TSPOQuant.PartialVolume: "NONE GTM RBV IY STC",
            TSPOQuant.MapModel: "LOGAN MA1 ONE_TISSUE TWO_TISSUE TWO_TISSUE_IRREVERSIBLE TWO_TISSUE_ENDOTHELIAL MA2 "
            "PATLAK",
            TSPOQuant.Language: "EN FR",
        }
        for kind, known in names.items():
            self.assertEqual({value.name for value in kind}, set(known.split()), kind)

    def test_choices_are_the_librarys(self):
        from TSPOQuantLib.acquisition.blood_files import ROUTES
        from TSPOQuantLib.kinetics import MODELS
        from TSPOQuantLib.levels import LEVELS
        from TSPOQuantLib.regions.partial_volume import METHODS
        from TSPOQuantLib.study import GENOTYPES

        for kind, known in (
            (TSPOQuant.BloodRoute, ROUTES),
            (TSPOQuant.Genotype, GENOTYPES),
            (TSPOQuant.Level, ("", *(name for name, level in LEVELS.items() if level.bony))),
            (TSPOQuant.PartialVolume, ("none", *METHODS)),
            (TSPOQuant.MapModel, MODELS),
        ):
            self.assertEqual({value.value for value in kind}, set(known), kind)
            self.assertTrue(all(value.label() for value in kind))

    def test_values_out_of_range_are_refused(self):
        visit = self.logic.visit("baseline")
        for value in (-0.01, 0.51):
            with self.assertRaises(ValueError):
                visit.fixedBloodVolume = value
        with self.assertRaises(TypeError):
            visit.bloodFile = 3
        with self.assertRaises(TypeError):
            visit.petSequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")

    def test_blood_pool_is_found_by_name(self):
        segmentation = mrmlstudy.make(self.folder).segmentation
        found = self.logic.findBloodPool(segmentation)
        self.assertEqual(segmentation.GetSegmentation().GetSegment(found).GetName(), mrmlstudy.BLOOD_POOL)
        segmentation.GetSegmentation().RemoveSegment(found)
        self.assertEqual(self.logic.findBloodPool(segmentation), "")
        self.assertEqual(self.logic.findBloodPool(None), "")


class RegionToolsTest(SceneTest):
    def test_template_goes_into_the_segmentation(self):
        self.fill_in()
        study, visit = self.logic.getParameterNode(), self.logic.visit("baseline")
        study.level, study.side = TSPOQuant.Level("C6/C7"), TSPOQuant.Side.LEFT
        before = visit.segmentation.GetSegmentation().GetNumberOfSegments()
        self.logic.addTemplate("baseline")
        # Both foramina of the level are there already, and so is a blood pool.
        self.assertEqual(visit.segmentation.GetSegmentation().GetNumberOfSegments(), before + 4)

    def test_what_is_known_of_all_proposals_is_told(self):
        self.fill_in()
        visit = self.logic.visit("baseline")
        visit.labels = visit.segmentation
        noisy = Notice("ct-noisy", "the CT was smoothed")
        with mock.patch("TSPOQuantLib.mrml.regions.propose_foramina", return_value=((), (noisy,))):
            message, line = self.logic.proposeForamina("baseline").split("\n")
        self.assertTrue(message.startswith("0 of 0 proposed"), message)
        self.assertEqual(line, "The CT was smoothed")

    def test_regions_are_carried_from_the_first_visit(self):
        source = self.fill_in()
        here = self.fill_in("followup", segmentation=None, bloodPoolSegmentID="")
        self.assertTrue(self.logic.whyNotCarried("baseline"))
        self.assertEqual(self.logic.whyNotCarried("followup"), "")
        notice = Notice("region-carried", "one region lies beyond this CT")
        with mock.patch("TSPOQuantLib.mrml.carry.carry_regions", return_value=(here.segmentation, (notice,))) as carry:
            said = self.logic.carryRegions("followup")
        self.assertEqual(carry.call_args.args[:4], (source.segmentation, source.ct, here.ct, "baseline"))
        self.assertIn("beyond this CT", said)
        self.assertIs(self.logic.visit("followup").segmentation, here.segmentation)
        self.assertEqual(self.logic.bloodPoolName(self.logic.visit("followup")), mrmlstudy.BLOOD_POOL)
        self.assert_refused("input-missing", self.logic.carryRegions, "baseline")

    def test_two_points_need_a_level_a_side_and_two_points(self):
        self.fill_in()
        visit = self.logic.visit("baseline")
        self.assert_refused("input-missing", self.logic.addTwoClick, "baseline")
        visit.clickedLevel, visit.clickedSide = TSPOQuant.Level("C5/C6"), TSPOQuant.Side.LEFT
        self.assert_refused("input-missing", self.logic.addTwoClick, "baseline")
        points = self.logic.points("baseline")
        self.assertIs(self.logic.points("baseline"), points)
        for x in (-10, -30):
            points.AddControlPointWorld(x, 0, 0)
        self.assert_refused("foramen-clicks", self.logic.addTwoClick, "baseline")  # 20 mm apart
        self.assertEqual(points.GetNumberOfControlPoints(), 2)  # to be corrected


class FusionTest(SceneTest):
    def test_pet_is_shown_over_ct(self):
        composite = slicer.mrmlScene.AddNode(slicer.vtkMRMLSliceCompositeNode())
        study = self.fill_in()
        self.logic.showFused("baseline")
        self.assertEqual(composite.GetBackgroundVolumeID(), study.ct.GetID())
        shown = slicer.mrmlScene.GetNodeByID(composite.GetForegroundVolumeID())
        last = study.pet.GetNthDataNode(study.pet.GetNumberOfDataNodes() - 1)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(shown), slicer.util.arrayFromVolume(last))


if __name__ == "__main__":
    unittest.main()
