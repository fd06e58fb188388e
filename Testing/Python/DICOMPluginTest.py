"""The DICOM browser is offered one sequence for a dynamic PET, and nothing for anything else."""

import tempfile
import unittest
from datetime import datetime
from pathlib import Path
from unittest import mock

import numpy as np
import slicer
import slicer.util
from AcquisitionEnhancedTest import enhanced
from DICOMLib import DICOMLoadable, DICOMPlugin, DICOMUtils
from support.dicommaker import VENDORS, PetPlan, save, write_ct, write_pet
from support.realdata import DATA, needs_data
from TSPOQuantLib.acquisition import dicom_files
from TSPOQuantLib.acquisition.sequence_files import NOTICES
from TSPOQuantLib.mrml import sequence_io

PLUGIN = "DICOMDynamicPETPlugin"
CORE = "StandInForCore"
HAS_BROWSER = hasattr(slicer, "dicomDatabase") or hasattr(slicer.modules, "dicom")


class CorePlugin(DICOMPlugin):
    """Offers every series twice: as DICOMScalarVolumePlugin does, and as MultiVolumeImporter does where it can."""

    def examineForImport(self, fileLists):
        return [self.loadable(files, confidence) for files in fileLists for confidence in (0.5, 1.0)]

    def loadable(self, files, confidence):
        loadable = DICOMLoadable()
        loadable.files, loadable.confidence, loadable.selected = list(files), confidence, True
        return loadable


def setting(**values):
    def edit(header, frame, k):
        for keyword, value in values.items():
            setattr(header, keyword, value)

    return edit


@unittest.skipUnless(HAS_BROWSER, "this Slicer was built without its DICOM module, whose database the tests fill")
class PluginTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        database = DICOMUtils.TemporaryDICOMDatabase(str(self.folder / "database"))
        self.database = database.__enter__()
        self.addCleanup(database.__exit__, None, None, None)
        self.addCleanup(setattr, slicer.modules, "dicomPlugins", slicer.modules.dicomPlugins)
        slicer.modules.dicomPlugins = {CORE: CorePlugin, PLUGIN: slicer.modules.dicomPlugins[PLUGIN]}

    def imported(self, *folders):
        """File lists of every series, as the DICOM browser gives them to the plugins."""
        lists = {}
        for folder in folders or (self.folder / "series",):
            DICOMUtils.importDicom(str(folder))
            for path in sorted(folder.rglob("*.dcm")):
                lists.setdefault(self.database.seriesForFile(str(path)), None)
        self.assertNotIn("", lists, "not imported")
        return [list(self.database.filesForSeries(series)) for series in lists]

    def written(self, **plan):
        truth = write_pet(self.folder / "series", PetPlan(**plan))
        return truth, self.imported()

    def examined(self, lists, names=(PLUGIN,)):
        self.by_plugin, _ = DICOMUtils.getLoadablesFromFileLists(lists, list(names))
        return [loadable for loadables in self.by_plugin.values() for loadable in loadables]

    def loaded(self, lists):
        """The loadables, and the sequences that loading them made."""
        loadables = self.examined(lists)
        messages = []
        DICOMUtils.loadLoadables(self.by_plugin, messages)
        self.assertFalse(messages)
        return loadables, slicer.util.getNodesByClass("vtkMRMLSequenceNode")


class ExamineTest(PluginTest):
    def test_dynamic_series_of_each_vendor_is_one_loadable(self):
        for seed, vendor in enumerate(VENDORS):
            with self.subTest(vendor=vendor):
                folder = self.folder / vendor
                write_pet(folder, PetPlan(vendor=vendor, seed=seed))
                lists = self.imported(folder)
                (loadable,) = self.examined(lists)
                self.assertEqual(loadable.name, "dynamic PET, 5 frames, 16.7 min")
                self.assertEqual(sorted(loadable.files), sorted(lists[0]))
                self.assertEqual(loadable.warning, "")
                self.assertTrue(loadable.selected)
                self.assertNotIn("Nomen", loadable.name + loadable.tooltip)

    def test_an_hour_is_sixty_minutes(self):
        _, lists = self.written(starts_s=range(0, 3600, 150), durations_s=[150] * 24, shape=(2, 2, 2))
        self.assertEqual(self.examined(lists)[0].name, "dynamic PET, 24 frames, 60 min")

    def test_enhanced_file_is_one_loadable(self):
        header, _ = enhanced(PetPlan(vendor="philips"))
        (self.folder / "series").mkdir()
        save(header, self.folder / "series" / "e.dcm")
        (loadable,) = self.examined(self.imported())
        self.assertEqual(loadable.name, "dynamic PET, 5 frames, 16.7 min")

    def test_it_is_preferred_over_what_core_plugins_offer(self):
        _, lists = self.written()
        loadables = self.examined(lists, (CORE, PLUGIN))
        self.assertEqual(len(loadables), 3)
        DICOMUtils.selectHighestConfidenceLoadables(self.by_plugin)
        self.assertEqual([each.name for each in loadables if each.selected], ["dynamic PET, 5 frames, 16.7 min"])

    def test_headers_of_one_slice_are_read_and_no_pixels(self):
        _, lists = self.written(shape=(7, 4, 5))
        with (
            mock.patch.object(dicom_files, "find_series", wraps=dicom_files.find_series) as find,
            mock.patch.object(dicom_files, "read_pixels", side_effect=AssertionError("pixels were read")),
        ):
            plugin = slicer.modules.dicomPlugins[PLUGIN]()
            found = plugin.examineForImport(lists)
            self.assertEqual(find.call_count, 5)
            self.assertEqual(plugin.examineForImport(lists), found)
            self.assertEqual(find.call_count, 5)
        self.assertLessEqual(set(plugin.tags.values()), set(self.database.tagsToPrecache))
        # In Slicer nothing counts the files that the database had to open.
        self.assertEqual(getattr(self.database, "filesOpened", []), [])

    def assert_silent(self, lists):
        with mock.patch.object(dicom_files, "find_series", wraps=dicom_files.find_series) as find:
            self.assertEqual(self.examined(lists), [])
        return find.call_count

    def test_silent_for_other_series_without_opening_a_file(self):
        def beds(header, frame, k):
            """Frame becomes bed: each 3 slices further."""
            header.SeriesType = ["WHOLE BODY", "IMAGE"]
            header.ImagePositionPatient = [0, 0, 3.0 * (3 * frame + k)]

        def overlapping_beds(header, frame, k):
            header.SeriesType = ["WHOLE BODY", "IMAGE"]
            header.ImagePositionPatient = [0, 0, 3.0 * (5 * frame + k)]

        static = {"starts_s": [0.0], "durations_s": [600.0]}
        cases = {
            "static": PetPlan(**static, edit=setting(SeriesType=["STATIC", "IMAGE"])),
            "one frame": PetPlan(**static),
            "beds": PetPlan(edit=beds),
            "overlapping beds": PetPlan(shape=(6, 4, 5), edit=overlapping_beds),
            "no position": PetPlan(**static, edit=setting(ImagePositionPatient=None)),
        }
        for seed, (name, plan) in enumerate(cases.items(), start=10):
            with self.subTest(name):
                write_pet(self.folder / name, plan, prefix=f"p{seed}")
                self.assertEqual(self.assert_silent(self.imported(self.folder / name)), 0)
        write_ct(self.folder / "ct")
        self.assertEqual(self.assert_silent(self.imported(self.folder / "ct")), 0)

    def test_silent_for_repeated_images_that_are_no_frames(self):
        for seed, (name, series_type) in enumerate({"gated": "GATED", "copies": "STATIC"}.items(), start=30):
            with self.subTest(name):
                times = {"AcquisitionDate": "20210304", "AcquisitionTime": "103000", "FrameReferenceTime": "0"}
                plan = PetPlan(edit=setting(SeriesType=[series_type, "IMAGE"], **times))
                write_pet(self.folder / name, plan, prefix=f"p{seed}")
                self.assert_silent(self.imported(self.folder / name))

    def test_one_loadable_among_other_series(self):
        write_ct(self.folder / "series" / "ct")
        _, lists = self.written()
        self.assertEqual(len(lists), 2)
        self.assertEqual(len(self.examined(lists)), 1)

    def test_what_is_odd_can_be_read(self):
        _, lists = self.written(starts_s=(0.0, 10.0, 55.0), durations_s=(10.0, 30.0, 60.0))
        self.assertIn("no data for 15 s", self.examined(lists)[0].warning)

    def test_what_is_wrong_can_be_read(self):
        _, lists = self.written(edit=setting(Units="PROPCPS"))
        self.assertIn("pet-units", self.examined(lists)[0].warning)

    @needs_data
    def test_silent_for_a_real_whole_body_pet(self):
        """Six beds of a Discovery ST, with six FrameReferenceTimes and up to six NumberOfTimeSlices."""
        self.assertEqual(self.assert_silent(self.imported(DATA / "pet_dicom" / "ge_sts001")), 0)

    def test_silent_where_the_files_are_gone(self):
        _, lists = self.written()
        for file in lists[0]:
            Path(file).unlink()
        self.assertEqual(self.examined(lists), [])

    def test_series_without_files_does_not_hide_the_others(self):
        """As a query of another database leaves them in this one."""
        _, lists = self.written()
        self.assertEqual(len(self.examined([[], *lists])), 1)

    def test_missing_frames_are_told(self):
        _, lists = self.written(edit=setting(NumberOfTimeSlices=6))
        self.assertIn("pet-missing-frames", self.examined(lists)[0].warning)


class LoadTest(PluginTest):
    def test_sequence_has_values_times_and_units(self):
        truth, lists = self.written(scan_s=30.0, starts_s=(30.0, 40.0, 100.0), durations_s=(10.0, 30.0, 60.0))
        _, (node,) = self.loaded(lists)
        self.assertEqual((node.GetIndexName(), node.GetIndexUnit()), ("time", "s"))
        self.assertEqual([float(node.GetNthIndexValue(frame)) for frame in range(3)], [30.0, 40.0, 100.0])
        image = sequence_io.dynamic_from_node(node)
        np.testing.assert_array_equal(image.timing.durations_s, [10.0, 30.0, 60.0])
        np.testing.assert_allclose(image.activity, truth, rtol=1e-6)
        self.assertEqual(image.time_zero, "injection")
        self.assertEqual(node.GetNthDataNode(0).GetVoxelValueUnits().GetCodeValue(), "kBq/mL")

    def test_midnight_changes_nothing(self):
        _, lists = self.written(injection=datetime(2021, 3, 4, 23, 58, 0))
        loadables, (node,) = self.loaded(lists)
        self.assertEqual(loadables[0].name, "dynamic PET, 5 frames, 16.7 min")
        starts = [float(node.GetNthIndexValue(frame)) for frame in range(5)]
        np.testing.assert_allclose(starts, PetPlan().starts_s, atol=1e-6)

    def test_it_is_shown(self):
        composite = slicer.mrmlScene.AddNode(slicer.vtkMRMLSliceCompositeNode())
        _, lists = self.written()
        _, (node,) = self.loaded(lists)
        browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(node)
        proxy = browser.GetProxyNode(node)
        self.assertEqual(composite.GetBackgroundVolumeID(), proxy.GetID())
        self.assertEqual(proxy.GetVoxelValueUnits().GetCodeValue(), "kBq/mL")
        self.assertGreater(proxy.GetDisplayNode().GetWindowLevelMax(), 0)
        browser.SetSelectedItemNumber(1)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        self.assertEqual(proxy.GetVoxelValueUnits().GetCodeValue(), "kBq/mL")
        # In Slicer the tool bar cannot be asked without a main window.
        self.assertIs(getattr(slicer.modules.sequences, "shown", browser), browser)

    def test_it_stands_under_its_patient_and_study(self):
        _, lists = self.written()
        _, (node,) = self.loaded(lists)
        proxy = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(node).GetProxyNode(node)
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        item = hierarchy.GetItemByDataNode(proxy)
        uid = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMUIDName()
        self.assertEqual(hierarchy.GetItemUID(item, uid), self.database.seriesForFile(lists[0][0]))

    def test_series_beside_it_are_left_alone(self):
        first = write_pet(self.folder / "series", PetPlan(seed=1), prefix="a")
        second = write_pet(self.folder / "series", PetPlan(seed=2, vendor="ge"), prefix="b")
        loadables, nodes = self.loaded(self.imported())
        self.assertEqual(len(loadables), 2)
        self.assertEqual(len({node.GetName() for node in nodes}), 2)
        found = sorted(sequence_io.dynamic_from_node(node).activity.sum() for node in nodes)
        np.testing.assert_allclose(found, sorted([first.sum(), second.sum()]), rtol=1e-5)

    def test_refused_series_leaves_the_scene_alone_and_says_why(self):
        _, lists = self.written()
        Path(lists[0][3]).unlink()
        remaining = [lists[0][:3] + lists[0][4:]]
        (loadable,) = self.examined(remaining)
        before = slicer.mrmlScene.GetNumberOfNodes()
        with mock.patch.object(slicer.util, "errorDisplay") as display:
            messages = []
            DICOMUtils.loadLoadables(self.by_plugin, messages)
        self.assertFalse(loadable.loadSuccess)
        self.assertEqual(len(messages), 1)
        self.assertIn("dicom-missing-slices", loadable.warning)
        self.assertIn("dicom-missing-slices", display.call_args.args[0])
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)

    def test_warnings_stay_with_the_sequence(self):
        _, lists = self.written(starts_s=(0.0, 10.0, 55.0), durations_s=(10.0, 30.0, 60.0))
        (loadable,), (node,) = self.loaded(lists)
        self.assertIn("no data for 15 s", loadable.warning)
        self.assertIn("no data for 15 s", node.GetAttribute(NOTICES))
        self.assertEqual([notice.code for notice in sequence_io.dynamic_from_node(node).notices], ["frames-gaps"])

    def test_files_are_copied_where_links_cannot_be_made(self):
        truth, lists = self.written()
        with mock.patch("os.symlink", side_effect=OSError), mock.patch("os.link", side_effect=OSError):
            _, (node,) = self.loaded(lists)
        np.testing.assert_allclose(sequence_io.dynamic_from_node(node).activity, truth, rtol=1e-6)


if __name__ == "__main__":
    unittest.main()
