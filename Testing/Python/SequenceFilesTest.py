"""Sequences that Slicer saved are read without it; those of other readers are completed from their DICOM files."""

import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicer
import slicer.util
from MrmlTest import dynamic
from TSPOQuantLib.acquisition import sequence_files
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan
from TSPOQuantLib.acquisition.sequence_files import read_sequence
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused, Notice, Text
from TSPOQuantLib.mrml import fusion, sequence_io, volumes


def save(node, path):
    writer = slicer.vtkMRMLVolumeSequenceStorageNode()
    writer.SetFileName(str(path))
    assert writer.WriteData(node)


def header_of(path):
    return path.read_bytes().partition(b"\n\n")[0].decode()


class FileTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "PET.seq.nrrd"

    def assert_refused(self, code, function, *arguments):
        with self.assertRaises(InputRefused) as caught:
            function(*arguments)
        self.assertEqual(caught.exception.code, code)

    def assert_same(self, back, image):
        np.testing.assert_array_equal(back.activity, image.activity)
        self.assertEqual(back.activity.dtype, np.float32)
        np.testing.assert_array_equal(back.timing.starts_s, image.timing.starts_s)
        np.testing.assert_array_equal(back.timing.durations_s, image.timing.durations_s)
        self.assertTrue(back.grid.same_as(image.grid, 1e-6))
        for field in ("time_zero", "time_zero_at", "decay_correction", "scan", "notices"):
            self.assertEqual(getattr(back, field), getattr(image, field))


class ReadSequenceTest(FileTest):
    def saved(self, image=None, change=lambda node: None):
        node = sequence_io.node_from_dynamic(image or dynamic(), "PET")
        change(node)
        save(node, self.path)
        return self.path

    def edited(self, before, after):
        """The saved file with another header."""
        content = self.saved().read_bytes()
        self.assertIn(before.encode(), content)
        self.path.write_bytes(content.replace(before.encode(), after.encode(), 1))
        return self.path

    def test_image_comes_back(self):
        image = dynamic()
        words = 'by us; "frame" by frame: <1 %> & é \\ := \n end'
        image = DynamicImage(
            **{**vars(image), "decay_correction": words, "notices": (Notice("frames-gaps", "5 s"), Notice("x", "é"))}
        )
        back = read_sequence(self.saved(image))
        self.assert_same(back, image)
        self.assertEqual(back.sources, (str(self.path),))

    def test_words_can_be_told_in_other_languages_and_those_of_earlier_versions_are_read(self):
        image = replace(
            dynamic(),
            decay_correction=Text("to {zero}, half-life {life:g} s", zero="injection", life=1221.5),
            notices=(Notice("frames-gaps", "no data for {gap:g} s", gap=15),),
        )
        back = read_sequence(self.saved(image))
        self.assert_same(back, image)
        self.assertEqual(back.decay_correction.template, "to {zero}, half-life {life:g} s")
        self.assertEqual(back.notices[0].message.values, {"gap": 15})
        slicer.mrmlScene.Clear()
        older = '[["frames-gaps", "no data for 15 s"]]'
        self.saved(image, lambda node: node.SetAttribute(sequence_files.NOTICES, older))
        self.assert_same(read_sequence(self.path), image)

    def test_one_frame_comes_back(self):
        grid = dynamic().grid
        values = np.arange(np.prod(grid.shape), dtype=np.float32).reshape(1, *grid.shape)
        timing = FrameTiming(np.array([12.5]), np.array([30.0]))
        image = DynamicImage(values, grid, timing, "first frame", None, "none", Scan())
        self.assert_same(read_sequence(self.saved(image)), image)

    def test_it_is_what_slicer_reads(self):
        self.saved()
        loaded = slicer.modules.sequences.logic().AddSequence(str(self.path))
        self.assert_same(read_sequence(self.path), sequence_io.dynamic_from_node(loaded))

    def test_frames_may_come_first(self):
        """As Slicer wrote before 5.0: each voxel's time course together."""
        image = dynamic()
        self.saved(image)
        header = header_of(self.path)
        directions = next(line for line in header.splitlines() if line.startswith("space directions"))
        vectors = directions.removeprefix("space directions: ").removesuffix(" none")
        for before, after in (
            ("sizes: 5 4 3 3", "sizes: 3 5 4 3"),
            (directions, f"space directions: none {vectors}"),
            ("kinds: domain domain domain list", "kinds: list domain domain domain"),
            ('labels: "" "" "" "time"', 'labels: "time" "" "" ""'),
            ('units: "" "" "" "s"', 'units: "s" "" "" ""'),
            ("encoding: gzip", "encoding: raw"),
            ("axis 3 index", "axis 0 index"),
        ):
            self.assertIn(before, header)
            header = header.replace(before, after)
        values = np.moveaxis(image.activity, 0, -1).astype("<f4").tobytes()
        self.path.write_bytes(header.encode() + b"\n\n" + values)
        self.assert_same(read_sequence(self.path), image)

    def test_becquerel_become_kilobecquerel(self):
        path = self.saved(change=lambda node: node.SetAttribute(sequence_files.UNITS, "Bq/mL"))
        np.testing.assert_allclose(read_sequence(path).activity, dynamic().activity / 1000, rtol=1e-6)

    def test_what_is_not_known_is_refused(self):
        self.assert_refused("path-missing", read_sequence, self.folder / "other.seq.nrrd")
        for code, before, after in (
            ("sequence-no-times", sequence_files.DURATIONS, "Durations"),
            ("frames-shape", ":=10.0 30.0 60.25", ":=10.0 30.0"),
            ("sequence-times", "values:=0.0 10.0 45.5", "values:=0.0 10.0 later"),
            ("frames-shape", "values:=0.0 10.0 45.5", "values:=0.0 10.0"),
            ("frames-backwards", "values:=0.0 10.0 45.5", "values:=0.0 45.5 10.0"),
            ("sequence-index-unit", '"" "" "" "s"', '"" "" "" "ms"'),
            ("sequence-index-unit", 'units: "" "" "" "s"\n', ""),
            ("sequence-units", ":=kBq/mL", ":=SUV"),
            ("sequence-time-zero", "TSPOQuant.TimeZero:=", "TSPOQuant.Zero:="),
            ("sequence-scan", '"patient_key"', '"shoe_size"'),
            ("sequence-not-volumes", "domain list", "domain domain"),
        ):
            with self.subTest(code=code, after=after):
                self.assert_refused(code, read_sequence, self.edited(before, after))

    def test_frames_and_times_must_be_as_many(self):
        self.edited(":=10.0 30.0 60.25", ":=10.0 30.0")
        content = self.path.read_bytes().replace(b"values:=0.0 10.0 45.5", b"values:=0.0 10.0")
        self.path.write_bytes(content)
        self.assert_refused("sequence-times", read_sequence, self.path)

    def test_damaged_file_is_refused(self):
        content = self.saved().read_bytes()
        for length in (0, 40, 300, len(content) - 20):
            with self.subTest(length=length):
                self.path.write_bytes(content[:length])
                with self.assertRaises(InputRefused):
                    read_sequence(self.path)

    def test_attributes_of_others_may_be_anything(self):
        content = self.saved().read_bytes().replace(b"\nTSPOQuant.Units", b"\n\xff\xfe:=\xff\nTSPOQuant.Units", 1)
        self.path.write_bytes(content)
        self.assert_same(read_sequence(self.path), dynamic())

    def test_one_volume_is_no_sequence(self):
        sitk.WriteImage(sitk.Image(3, 4, 5, sitk.sitkFloat32), str(self.path))
        self.assert_refused("sequence-not-volumes", read_sequence, self.path)

    def test_no_numbers_are_refused(self):
        image = dynamic()
        image.activity[1, 0, 0, 0] = np.nan
        self.saved(image)
        self.assert_refused("sequence-not-finite", read_sequence, self.path)


class UnitsTest(FileTest):
    """Coded units do not survive the file; our module puts them back when the sequence comes into the scene."""

    def units(self, node):
        entry = node.GetVoxelValueUnits()
        return entry.GetCodeValue() if entry else None

    def test_they_are_restored_when_a_file_is_loaded(self):
        save(sequence_io.node_from_dynamic(dynamic(), "PET"), self.path)
        without = slicer.vtkMRMLSequenceNode()
        reader = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeSequenceStorageNode")
        reader.SetFileName(str(self.path))
        self.assertTrue(reader.ReadData(without))
        self.assertIsNone(self.units(without.GetNthDataNode(0)), "nothing to restore: the file keeps units by itself")
        node = slicer.modules.sequences.logic().AddSequence(str(self.path))
        self.assertEqual([self.units(node.GetNthDataNode(frame)) for frame in range(3)], ["kBq/mL"] * 3)

    def test_they_are_restored_when_a_scene_is_loaded(self):
        node = sequence_io.node_from_dynamic(dynamic(), "PET")
        storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeSequenceStorageNode")
        storage.SetFileName(str(self.path))
        node.SetAndObserveStorageNodeID(storage.GetID())
        self.assertTrue(storage.WriteData(node))
        scene = self.folder / "scene.mrml"
        slicer.mrmlScene.SetRootDirectory(str(self.folder))
        slicer.mrmlScene.SetURL(str(scene))
        self.assertTrue(slicer.mrmlScene.Commit(str(scene)))
        slicer.mrmlScene.Clear()
        slicer.mrmlScene.SetURL(str(scene))
        self.assertTrue(slicer.mrmlScene.Import())
        node = slicer.mrmlScene.GetFirstNodeByName("PET")
        self.assertEqual(self.units(node.GetNthDataNode(2)), "kBq/mL")

    def test_the_proxy_gets_them_too(self):
        node = sequence_io.node_from_dynamic(dynamic(), "PET")
        proxy = fusion.show_sequence(node)
        sequence_io.restore_units(node)
        self.assertEqual(self.units(proxy), "kBq/mL")

    def test_sequences_of_others_are_left_alone(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode")
        node.SetDataNodeAtValue(slicer.vtkMRMLLinearTransformNode(), "0")
        node.SetAttribute(sequence_files.UNITS, "kBq/mL")
        sequence_io.restore_units(node)
        node.SetAttribute(sequence_files.UNITS, "furlong")
        sequence_io.restore_units(node)


class ForeignTest(FileTest):
    def test_a_sequence_that_only_counts_its_frames_is_refused(self):
        """As MultiVolumeImporter leaves it."""
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "PET")
        for frame in range(3):
            volume = slicer.vtkMRMLScalarVolumeNode()
            volumes.fill_node(volume, np.ones((6, 4, 5), np.float32), Grid((6, 4, 5), np.eye(4)), "")
            node.SetDataNodeAtValue(volume, str(frame))
        self.assert_refused("sequence-no-times", sequence_io.dynamic_from_node, node)


if __name__ == "__main__":
    unittest.main()
