"""Segmentations: Slicer's own reading of the same files, round trips, label maps with their tables, DICOM SEG."""

import gzip
import hashlib
import importlib.util
import json
import unittest

import highdicom
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.pixels.utils import pack_bits
from pydicom.sr.codedict import codes
from support.folders import Folder
from support.realdata import DATA, needs_data
from support.tiers import slow
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.acquisition.segmentation_files import read_segmentation, write_segmentation
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.regions.naming import undrawn_notices

SHAPE = (4, 5, 6)
needs_slicer = unittest.skipUnless(importlib.util.find_spec("slicer"), "slicer is not importable")


def oblique_grid():
    """Spacing 2, 1.5, 3 mm, turned by 0.3 rad about the head-foot axis, j running towards anterior."""
    turn = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ np.diag([2, -1.5, 3])
    matrix[:3, 3] = (-31.25, 17.5, -340.125)
    return Grid(SHAPE, matrix)


def box(*sides):
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(*side) for side in sides)] = True
    return mask


def sample():
    tags = {"TerminologyEntry": "Anatomy~SCT^2748008^Spinal cord~^^", "Segmentation.Status": "completed"}
    return Segmentation(
        oblique_grid(),
        (
            Segment("cord", "Spinal cord", box((0, 4), (2, 4), (2, 4)), (0.1, 0.25, 1.0), tags),
            Segment("f6", "foramen C6/C7 left é\\n", box((1, 3), (2, 5), (3, 6)), (1.0, 0.5, 0.0)),  # overlaps
            Segment("empty", "nothing", box((0, 0), (0, 0), (0, 0))),
            Segment("pool", "blood pool", box((0, 1), (0, 1), (0, 1))),
        ),
    )


class SegmentationFolder(Folder):
    def assert_same(self, first, second):
        self.assertTrue(first.grid.same_as(second.grid, 1e-6))
        self.assertEqual([s.id for s in first.segments], [s.id for s in second.segments])
        for one, other in zip(first.segments, second.segments, strict=True):
            self.assertEqual((one.name, dict(one.tags)), (other.name, dict(other.tags)))
            np.testing.assert_array_equal(one.mask, other.mask)
            if one.color:
                np.testing.assert_allclose(one.color, other.color, atol=1e-5)


class SlicerFileTest(SegmentationFolder):
    def written(self, segmentation=None):
        path = self.folder / "x.seg.nrrd"
        write_segmentation(path, segmentation or sample())
        return path

    def edited(self, *changes):
        """A written file with its header changed."""
        header, _, body = self.written().read_bytes().partition(b"\n\n")
        for old, new in changes:
            self.assertIn(old, header)
            header = header.replace(old, new)
        path = self.folder / "edited.seg.nrrd"
        path.write_bytes(header + b"\n\n" + body)
        return path

    def test_round_trip_of_overlapping_segments(self):
        self.assert_same(sample(), read_segmentation(self.written()))

    def test_round_trip_of_one_layer(self):
        whole = sample()
        single = Segmentation(whole.grid, (whole.segments[0], whole.segments[3]))
        path = self.written(single)
        self.assertIn(b"dimension: 3\n", path.read_bytes())
        self.assert_same(single, read_segmentation(path))

    def test_more_than_255_segments(self):
        grid = Grid((7, 7, 7), np.eye(4))
        segments = []
        for index in range(300):
            mask = np.zeros(343, bool)
            mask[index] = True
            segments.append(Segment(f"s{index}", f"s{index}", mask.reshape(7, 7, 7)))
        self.assert_same(
            Segmentation(grid, tuple(segments)), read_segmentation(self.written(Segmentation(grid, tuple(segments))))
        )

    def test_geometry_by_hand(self):
        """A file in RAS written by hand: the same point of space must carry the voxel."""
        labels = np.zeros((2, 3, 4), np.uint8)  # k, j, i
        labels[1, 2, 3] = 5
        header = (
            "NRRD0004\ntype: uint8\ndimension: 3\nspace: right-anterior-superior\nsizes: 4 3 2\n"
            "space directions: (2,0,0) (0,3,0) (0,0,4)\nkinds: domain domain domain\nencoding: {}\n"
            "space origin: (10,20,30)\nSegment0_ID:=a\nSegment0_LabelValue:=5\nSegment0_Layer:=0\n\n"
        )
        for encoding, body in (("raw", labels.tobytes()), ("gzip", gzip.compress(labels.tobytes()))):
            path = self.folder / f"{encoding}.seg.nrrd"
            path.write_bytes(header.format(encoding).encode() + body)
            read = read_segmentation(path)
            (segment,) = read.segments
            k, j, i = np.argwhere(segment.mask)[0]
            ras = np.array([10 + 2 * 3, 20 + 3 * 2, 30 + 4 * 1])
            np.testing.assert_allclose(read.grid.to_lps(np.array([i, j, k], float)), ras * (-1, -1, 1))
            self.assertEqual((segment.name, segment.color), ("a", None))

    def test_never_overwrites_and_leaves_nothing_behind(self):
        path = self.written()
        before = path.read_bytes()
        self.refused("segmentation-exists", write_segmentation, path, sample())
        self.assertEqual(path.read_bytes(), before)
        self.refused("segmentation-write", write_segmentation, self.folder / "no" / "x.seg.nrrd", sample())
        self.assertEqual([file.name for file in self.folder.iterdir()], ["x.seg.nrrd"])

    def test_what_is_not_written(self):
        grid, (first, *_) = sample().grid, sample().segments
        self.refused("segmentation-name", write_segmentation, self.folder / "x.nrrd", sample())
        self.refused("segmentation-ids", write_segmentation, self.folder / "x.seg.nrrd", Segmentation(grid, ()))
        twice = Segmentation(grid, (first, first))
        self.refused("segmentation-ids", write_segmentation, self.folder / "x.seg.nrrd", twice)
        other = Segmentation(Grid((4, 5, 7), grid.ijk_to_lps), (first,))
        self.refused("segmentation-shape", write_segmentation, self.folder / "x.seg.nrrd", other)

    def test_what_is_not_read(self):
        for code, old, new in (
            ("segmentation-layer", b"Segment1_Layer:=1", b"Segment1_Layer:=7"),
            ("segmentation-layer", b"Segment1_Layer:=1", b"Segment1_Layer:=one"),
            ("segmentation-layer", b"Segment1_LabelValue:=1", b"Segment1_LabelValue:=0"),
            ("segmentation-ids", b"Segment1_ID:=f6", b"Segment1_ID:=cord"),
            ("segmentation-source", b"MasterRepresentation:=Binary", b"MasterRepresentation:=Fractional"),
            ("segmentation-source", b"MasterRepresentation:=Binary", b"SourceRepresentation:=Fractional"),
            ("segmentation-unreadable", b"type: unsigned char", b"type: unsigned chair"),
            ("segmentation-unreadable", b"encoding: gzip", b"encoding: bzip2"),
            ("segmentation-space", b"space: left-posterior-superior", b"space dimension: 3"),
            ("segmentation-space", b"space: left-posterior-superior", b"space: scanner-xyz"),
        ):
            self.refused(code, read_segmentation, self.edited((old, new)))
            (self.folder / "x.seg.nrrd").unlink()
        legacy = self.edited((b"Segment0_Color", b"Segmentation_Extent:=0 5 0 4 0 3\nSegment0_Color"))
        self.refused("segmentation-legacy", read_segmentation, legacy)

    def test_segments_are_read_whatever_their_numbers(self):
        whole = sample()
        for changes in (((b"Segment1_", b"Segment7_"),), ((b"Segment0_", b"Segment12_"),)):
            read = read_segmentation(self.edited(*changes))
            self.assertEqual({one.name for one in read.segments}, {one.name for one in whole.segments})
            (self.folder / "x.seg.nrrd").unlink()

    def test_one_label_of_two_segments_and_a_label_of_none(self):
        whole = sample()
        single = Segmentation(whole.grid, (whole.segments[0], whole.segments[3]))
        header, _, body = self.written(single).read_bytes().partition(b"\n\n")
        path = self.folder / "edited.seg.nrrd"
        path.write_bytes(header.replace(b"Segment1_LabelValue:=2", b"Segment1_LabelValue:=1") + b"\n\n" + body)
        self.refused("segmentation-layer", read_segmentation, path)
        lines = [line for line in header.split(b"\n") if not line.startswith(b"Segment1_")]
        path.write_bytes(b"\n".join(lines) + b"\n\n" + body)
        read = read_segmentation(path)
        self.assertEqual(len(read.segments), 1)
        self.assertIn("label 2", {n.code: n.message for n in read.notices}["segmentation-undescribed"])

    def test_truncated(self):
        content = self.written().read_bytes()
        path = self.folder / "cut.seg.nrrd"
        path.write_bytes(content[:-20])
        self.refused("segmentation-unreadable", read_segmentation, path)

    def test_a_folder(self):
        self.refused("segmentation-missing", read_segmentation, self.folder)

    def test_no_segmentation_at_all(self):
        self.refused("segmentation-missing", read_segmentation, self.folder / "none.seg.nrrd")
        text = self.folder / "x.txt"
        text.write_text("hello")
        self.refused("segmentation-format", read_segmentation, text)


@needs_slicer
class SlicerTest(SegmentationFolder):
    """3D Slicer's own storage node reads the same thing from the same file."""

    def read_by_slicer(self, path):
        import slicer
        import vtk
        from vtk.util.numpy_support import vtk_to_numpy

        scene = slicer.vtkMRMLScene()
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(path))
        self.assertTrue(storage.ReadData(node))
        segmentation = node.GetSegmentation()
        read = {}
        for index in range(segmentation.GetNumberOfSegments()):
            segment_id = segmentation.GetNthSegmentID(index)
            segment = segmentation.GetSegment(segment_id)
            image = segment.GetRepresentation("Binary labelmap")
            matrix = vtk.vtkMatrix4x4()
            image.GetImageToWorldMatrix(matrix)
            to_ras = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
            extent = image.GetExtent()
            points = np.empty((0, 3))
            if image.GetNumberOfPoints():
                values = vtk_to_numpy(image.GetPointData().GetScalars())
                values = values.reshape(extent[5] - extent[4] + 1, extent[3] - extent[2] + 1, -1)
                first = np.array([extent[4], extent[2], extent[0]])
                kji = first + np.argwhere(values == segment.GetLabelValue())
                points = kji[:, ::-1] @ to_ras[:3, :3].T + to_ras[:3, 3]
            read[segment_id] = (segment.GetName(), segment.GetColor(), points * (-1, -1, 1), segment)
        return read

    def assert_slicer_agrees(self, path, segmentation):
        by_slicer = self.read_by_slicer(path)
        self.assertEqual(list(by_slicer), [segment.id for segment in segmentation.segments])
        for segment in segmentation.segments:
            name, color, points, node = by_slicer[segment.id]
            self.assertEqual(name, segment.name)
            if segment.color:
                np.testing.assert_allclose(color, segment.color, atol=1e-5)
            ours = segmentation.grid.to_lps(np.argwhere(segment.mask)[:, ::-1].astype(float))
            self.assertEqual(len(points), len(ours))
            np.testing.assert_allclose(
                points[np.lexsort(points.round(3).T)], ours[np.lexsort(ours.round(3).T)], atol=1e-3
            )
            self.assertTrue(all(node.HasTag(key) for key in segment.tags))

    def test_reads_what_is_written(self):
        path = self.folder / "x.seg.nrrd"
        write_segmentation(path, sample())
        self.assert_slicer_agrees(path, sample())

    def test_keeps_the_reference_geometry(self):
        path = self.folder / "x.seg.nrrd"
        write_segmentation(path, sample())
        image = self.slicer_geometry(path)
        self.assertEqual(image.GetDimensions(), SHAPE[::-1])
        np.testing.assert_allclose(image.GetSpacing(), sample().grid.spacing_mm)
        np.testing.assert_allclose(image.GetOrigin(), sample().grid.ijk_to_lps[:3, 3] * (-1, -1, 1))

    def slicer_geometry(self, path):
        import slicer

        scene = slicer.vtkMRMLScene()
        node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(path))
        self.assertTrue(storage.ReadData(node))
        image = slicer.vtkOrientedImageData()
        stated = node.GetSegmentation().GetConversionParameter("Reference image geometry")
        self.assertTrue(slicer.vtkSegmentationConverter.DeserializeImageGeometry(stated, image, False))
        return image

    @needs_data
    def test_real_files(self):
        for name in ("Segmentation.seg.nrrd", "SegmentationOverlapping.seg.nrrd"):
            path = DATA / "segmentations" / name
            self.assert_slicer_agrees(path, read_segmentation(path))


@needs_data
class RealSegmentationTest(SegmentationFolder):
    def test_overlap_and_terminology(self):
        read = read_segmentation(DATA / "segmentations" / "SegmentationOverlapping.seg.nrrd")
        self.assertEqual(len(read.segments), 8)
        sphere = next(segment for segment in read.segments if segment.name == "overlapping sphere")
        others = np.any([segment.mask for segment in read.segments if segment is not sphere], axis=0)
        self.assertTrue((sphere.mask & others).any())
        # A sphere fills pi/6 of its box, here 49 x 49 x 15 voxels.
        self.assertAlmostEqual(sphere.mask.sum() / (49 * 49 * 15), np.pi / 6, delta=0.03)
        cervical = read.segments[1]
        self.assertIn("SCT^122494005^Cervical spine", cervical.tags["TerminologyEntry"])
        path = self.folder / "copy.seg.nrrd"
        write_segmentation(path, read)
        self.assert_same(read, read_segmentation(path))

    def test_an_image_is_no_label_map(self):
        self.refused("segmentation-values", read_segmentation, DATA / "segmentations" / "CTChest4.nrrd")


SNAP = """################################################
# ITK-SnAP Label Description File
# IDX   -R-  -G-  -B-  -A--  VIS MSH  LABEL
################################################
    0     0    0    0        0  0  0    "Clear Label"
    1   255    0    0        1  1  1    "cord"
   42     0  255    0      0.5  1  0    "foramen C6/C7"
"""


class LabelMapTest(SegmentationFolder):
    def label_map(self, name="labels.nii.gz", dtype=np.int16, labels=None):
        if labels is None:
            labels = np.zeros(SHAPE, dtype)
            labels[1, 2, 3] = 1
            labels[2:4, 0, 0] = 42
        image = sitk.GetImageFromArray(labels)
        grid = oblique_grid()
        image.SetSpacing(grid.spacing_mm)
        image.SetDirection((grid.ijk_to_lps[:3, :3] / grid.spacing_mm).ravel().tolist())
        image.SetOrigin(grid.ijk_to_lps[:3, 3].tolist())
        sitk.WriteImage(image, str(self.folder / name))
        return self.folder / name

    def names(self, path, table=None):
        read = read_segmentation(path, table)
        self.assertEqual([int(segment.mask.sum()) for segment in read.segments], [1, 2])
        return [segment.name for segment in read.segments]

    def test_geometry_and_masks(self):
        for dtype in (np.uint8, np.int32, np.float32):
            read = read_segmentation(self.label_map(dtype=dtype))
            self.assertTrue(read.grid.same_as(oblique_grid(), 1e-3))
            self.assertEqual(np.argwhere(read.segments[0].mask).tolist(), [[1, 2, 3]])
        self.assertEqual([notice.code for notice in read.notices], ["segmentation-unnamed"])

    def test_tables_of_every_kind(self):
        path = self.label_map()
        for name, content in (
            ("labels.tsv", "index\tname\tcolor\n1\tcord\t#ff0000\n42\tforamen C6/C7\t#00ff00\n7\tabsent\tn/a\n"),
            ("labels.csv", "LabelValue,Name,Color_R\n1,cord,1\n42,foramen C6/C7,0\n"),
            ("labels.json", json.dumps({"1": "cord", "42": "foramen C6/C7"})),
            (
                "labels.json",
                json.dumps({"labels": {"background": 0, "cord": 1, "foramen C6/C7": 42}, "numTraining": 3}),
            ),
            (
                "labels.ctbl",
                "# Color table file\n0 Background 0 0 0 0\n1 cord 255 0 0 255\n42 foramen C6/C7 0 255 0 255\n",
            ),
            (
                "labels.txt",
                "#No. Label Name: R G B A\n0  Unknown 0 0 0 0\n\n1   cord  255 0 0 0\n42  foramen C6/C7 0 255 0 0\n",
            ),
            ("labels.label", SNAP),
            ("labels.txt", SNAP),
        ):
            beside = self.folder / name
            beside.write_text(content)
            self.assertEqual(self.names(path), ["cord", "foramen C6/C7"], name)
            elsewhere = beside.rename(self.folder / f"other{beside.suffix}")
            self.assertEqual(self.names(path, elsewhere), ["cord", "foramen C6/C7"], name)

    def test_the_table_of_a_folder(self):
        """nnU-Net names its labels in dataset.json: by name, in its first version by value."""
        path = self.label_map()
        for labels in (
            {"background": 0, "cord": 1, "foramen C6/C7": 42},
            {"0": "x", "1": "cord", "42": "foramen C6/C7"},
        ):
            (self.folder / "dataset.json").write_text(json.dumps({"channel_names": {"0": "CT"}, "labels": labels}))
            self.assertEqual(self.names(path), ["cord", "foramen C6/C7"])

    def test_names_whose_labels_hold_no_voxel(self):
        path = self.label_map()
        (self.folder / "labels.tsv").write_text("index\tname\n0\tbackground\n1\tcord\n42\tC6\n7\tforamen C6/C7 left\n")
        read = read_segmentation(path)
        self.assertEqual(read.undrawn, ("foramen C6/C7 left",))
        self.assertIn("'foramen C6/C7 left'", undrawn_notices(read)[0].message)
        atlas = "".join(f"{label}\torgan {label}\n" for label in range(50, 90))
        with (self.folder / "labels.tsv").open("a") as table:
            table.write(atlas)
        (told,) = undrawn_notices(read_segmentation(path))
        self.assertEqual(told.code, "segmentation-empty")
        self.assertNotIn("organ", told.message)
        (self.folder / "labels.tsv").write_text("index\tname\n1\tcord\n42\tC6\n" + atlas)
        self.assertEqual(undrawn_notices(read_segmentation(path)), ())

    def test_two_tables_that_contradict_each_other(self):
        path = self.label_map()
        (self.folder / "labels.tsv").write_text("index\tname\n1\tleft\n42\tright\n")
        for content in ({"1": "left", "42": "right"}, {"Modality": "SEG", "Run": 1}):
            (self.folder / "labels.json").write_text(json.dumps(content))
            self.assertEqual(self.names(path), ["left", "right"])
        (self.folder / "labels.json").write_text(json.dumps({"1": "right", "42": "left"}))
        self.refused("segmentation-tables", read_segmentation, path)
        self.assertEqual(self.names(path, self.folder / "labels.json"), ["right", "left"])

    def test_numbers_that_describe_the_image_name_no_label(self):
        path = self.label_map()
        (self.folder / "labels.json").write_text(json.dumps({"Version": 1, "Reader": "AB", "Slices": 42}))
        self.assertEqual(self.names(path), ["Segment_1", "Segment_42"])

    def test_colors(self):
        path = self.label_map()
        (self.folder / "labels.ctbl").write_text("1 cord 255 0 51 255\n42 x 0 0 0 0\n")
        self.assertEqual(read_segmentation(path).segments[0].color, (1.0, 0.0, 0.2))

    def test_labels_without_a_name(self):
        path = self.label_map()
        (self.folder / "labels.json").write_text(json.dumps({"1": "cord"}))
        self.assertEqual(self.names(path), ["cord", "Segment_42"])

    def test_plain_nrrd(self):
        self.assertEqual(self.names(self.label_map("labels.nrrd")), ["Segment_1", "Segment_42"])

    def test_what_is_refused(self):
        path = self.label_map()
        for name, content, code in (
            ("a.tsv", "index\tlabel text\n1\tx\n", "segmentation-table"),
            ("a.tsv", "index\tname\n1\tx\n1\ty\n", "segmentation-table"),
            ("a.tsv", "index\tname\n0\tcord\n41\tforamen C6/C7\n", "segmentation-table"),
            ("a.tsv", "index\tname\n1.5\tx\n", "segmentation-table"),
            ("a.txt", "1 cord red\n", "table-row"),
            ("a.txt", "1 cord 0 0 0 0\n1 bone 0 0 0 0\n", "segmentation-table"),
            ("a.json", '{"labels": {"cord": 1, "bone": 1}}', "segmentation-table"),
            ("a.json", '{"labels": {"cord": 1, "whole": [1, 42]}}', "segmentation-table"),
            ("a.txt", '1 0 0 0 1 1 1 "cord\n', "table-row"),
            ("a.json", "[", "json-invalid"),
        ):
            table = self.folder / name
            table.write_text(content)
            self.refused(code, read_segmentation, path, table)
        self.refused("table-encoding", read_segmentation, path, self.folder / "none.ctbl")
        for labels, code in (
            (np.zeros(SHAPE, np.uint8), "segmentation-empty"),
            (np.full(SHAPE, 0.5, np.float32), "segmentation-values"),
            (np.full(SHAPE, -1, np.int16), "segmentation-values"),
            (np.full(SHAPE, 2e9, np.float32), "segmentation-values"),
            (np.zeros((2, *SHAPE), np.uint8), "segmentation-shape"),
        ):
            file = self.folder / "bad.nii.gz"
            sitk.WriteImage(sitk.GetImageFromArray(labels), str(file))
            self.refused(code, read_segmentation, file)
        broken = self.folder / "broken.nii.gz"
        broken.write_bytes(b"no gzip")
        self.refused("segmentation-unreadable", read_segmentation, broken)


class DicomFolder(SegmentationFolder):
    def written(self, kind, numbers=((1, "cord"), (2, "foramen C6/C7 left")), **options):
        """A DICOM SEG of two overlapping boxes (BINARY) or two that do not (LABELMAP), on an oblique grid; further
        segments hold no voxel."""
        grid = oblique_grid()
        first = box((0, 3), (2, 4), (2, 4))
        second = box((1, 3), (2, 5), (3, 6)) & (~first if kind == "LABELMAP" else True)
        affine = grid.ijk_to_lps[:, [2, 1, 0, 3]]
        reference = []
        row = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
        column = affine[:3, 1] / np.linalg.norm(affine[:3, 1])
        uids = [highdicom.UID() for _ in range(3)]
        for k in range(SHAPE[0]):
            image = pydicom.Dataset()
            image.file_meta = pydicom.dataset.FileMetaDataset()
            image.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
            image.SOPClassUID, image.SOPInstanceUID = pydicom.uid.CTImageStorage, highdicom.UID()
            image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = uids
            image.PatientID = image.PatientName = image.PatientBirthDate = image.PatientSex = ""
            image.StudyID = image.StudyDate = image.StudyTime = image.AccessionNumber = ""
            image.ReferringPhysicianName = ""
            image.Modality, image.Rows, image.Columns = "CT", SHAPE[1], SHAPE[2]
            image.PixelSpacing, image.SliceThickness = [1.5, 2], 3
            image.ImageOrientationPatient = [*row, *column]
            image.ImagePositionPatient = list(grid.to_lps(np.array([0.0, 0, k])))
            image.InstanceNumber = k + 1
            reference.append(image)
        descriptions = [
            highdicom.seg.SegmentDescription(
                number, name, codes.SCT.AnatomicalStructure, codes.SCT.SpinalCord, "MANUAL"
            )
            for number, name in numbers
        ]
        empty = [np.zeros_like(first)] * (len(numbers) - 2)
        pixels = np.stack([first, second, *empty], axis=-1).astype(np.uint8)
        segmentation = highdicom.seg.Segmentation(
            reference,
            pixels,
            kind,
            descriptions,
            highdicom.UID(),
            1,
            highdicom.UID(),
            1,
            "maker",
            "model",
            "1",
            "serial",
            **options,
        )
        path = self.folder / f"{kind}.dcm"
        segmentation.save_as(path)
        return path, (first, second)


class DicomTest(DicomFolder):
    def test_binary_and_labelmap(self):
        for kind in ("BINARY", "LABELMAP"):
            path, masks = self.written(kind)
            read = read_segmentation(path)
            self.assertEqual([segment.name for segment in read.segments], ["cord", "foramen C6/C7 left"])
            self.assertIn("Spinal cord", read.segments[0].tags["SegmentedPropertyType"])
            for segment, mask in zip(read.segments, masks, strict=True):
                ours = read.grid.to_lps(np.argwhere(segment.mask)[:, ::-1].astype(float))
                truth = oblique_grid().to_lps(np.argwhere(mask)[:, ::-1].astype(float))
                self.assertEqual(len(ours), len(truth))
                np.testing.assert_allclose(
                    ours[np.lexsort(ours.round(3).T)], truth[np.lexsort(truth.round(3).T)], atol=1e-3
                )

    def test_frames_that_are_empty_or_in_any_order_and_a_segment_without_voxels(self):
        """Other makers keep frames without a voxel, order them by slice, and describe what they did not draw."""
        three = ((1, "cord"), (2, "foramen C6/C7 left"), (3, "foramen C6/C7 right"))
        plain = read_segmentation(self.written("BINARY")[0])
        for numbers, options in ((three[:2], {"omit_empty_frames": False}), (three, {}), (three[:2], {})):
            path, _ = self.written("BINARY", numbers, **options)
            dataset = pydicom.dcmread(path)
            frames = dataset.pixel_array
            order = np.random.default_rng(3).permutation(len(frames))
            dataset.PixelData = pack_bits(frames[order])
            groups = dataset.PerFrameFunctionalGroupsSequence
            dataset.PerFrameFunctionalGroupsSequence = [groups[n] for n in order]
            dataset.save_as(path)
            read = read_segmentation(path)
            drawn = {segment.name: segment.mask for segment in read.segments if segment.mask.any()}
            self.assertEqual(list(drawn), [name for _, name in three[:2]])
            for segment in plain.segments:
                places = [
                    grid.to_lps(np.argwhere(mask)[:, ::-1].astype(float)).round(3)
                    for grid, mask in ((plain.grid, segment.mask), (read.grid, drawn[segment.name]))
                ]
                self.assertEqual(*({tuple(point) for point in one} for one in places))
            empty = [segment.name for segment in read.segments if not segment.mask.any()]
            self.assertEqual(empty, [name for _, name in numbers[2:]])

    @slow
    def test_what_is_refused(self):
        path, _ = self.written("BINARY")
        dataset = pydicom.dcmread(path)
        for code, attribute, value in (
            ("segmentation-format", "Modality", "CT"),
            ("segmentation-fractional", "SegmentationType", "FRACTIONAL"),
            ("segmentation-dicom", "SOPClassUID", "1.2.3"),
        ):
            before = dataset[attribute].value
            setattr(dataset, attribute, value)
            bad = self.folder / "bad.dcm"
            dataset.save_as(bad)
            setattr(dataset, attribute, before)
            self.refused(code, read_segmentation, bad)
        cut = self.folder / "cut.dcm"
        for kind in ("BINARY", "LABELMAP"):
            whole = self.written(kind)[0].read_bytes()
            for length in (2000, len(whole) // 2, len(whole) - 4):
                cut.write_bytes(whole[:length])
                self.refused("segmentation-dicom", read_segmentation, cut)

    def test_bits_that_no_segmentation_has(self):
        for kind in ("BINARY", "LABELMAP"):
            dataset = pydicom.dcmread(self.written(kind)[0])
            for attribute, value in (("BitsStored", 7), ("HighBit", 5), ("PixelRepresentation", 1)):
                before = dataset[attribute].value
                setattr(dataset, attribute, value)
                dataset.save_as(self.folder / "bad.dcm")
                setattr(dataset, attribute, before)
                self.refused("segmentation-bits", read_segmentation, self.folder / "bad.dcm")

    def test_fractional_segments_that_hold_no_fraction(self):
        plain = read_segmentation(self.written("BINARY")[0])
        for options in ({}, {"fractional_type": "OCCUPANCY"}):
            read = read_segmentation(self.written("FRACTIONAL", **options)[0])
            for segment, other in zip(read.segments, plain.segments, strict=True):
                np.testing.assert_array_equal(segment.mask, other.mask)
        path, _ = self.written("FRACTIONAL")
        dataset = pydicom.dcmread(path)
        dataset.PixelData = dataset.PixelData.replace(b"\xff", b"\x7f", 1)
        dataset.save_as(path)
        self.refused("segmentation-fractional", read_segmentation, path)

    def test_numbers_of_segments(self):
        """Two of one number are refused, and frames of a number that no segment has are told; 0 is a number, too."""

        def renumbered(kind, change, shift=0):
            path = self.written(kind)[0]
            dataset = pydicom.dcmread(path)
            change(dataset.SegmentSequence)
            for group in dataset.PerFrameFunctionalGroupsSequence if shift else ():
                group.SegmentIdentificationSequence[0].ReferencedSegmentNumber += shift
            dataset.save_as(self.folder / "numbers.dcm")
            return self.folder / "numbers.dcm"

        def alike(segments):
            segments[-1].SegmentNumber = 1

        def one_less(segments):
            for segment in segments:
                segment.SegmentNumber -= 1

        for kind in ("BINARY", "LABELMAP"):
            self.refused("segmentation-ids", read_segmentation, renumbered(kind, alike))
            read = read_segmentation(renumbered(kind, lambda segments: segments.pop()))
            self.assertEqual([segment.name for segment in read.segments], ["cord"])
            self.assertEqual([notice.code for notice in read.notices], ["segmentation-undescribed"])
            self.assertIn("label 2", read.notices[0].message)
        read = read_segmentation(renumbered("BINARY", one_less, shift=-1))
        plain = read_segmentation(self.written("BINARY")[0])
        self.assertEqual([segment.name for segment in read.segments], [segment.name for segment in plain.segments])
        for segment, other in zip(read.segments, plain.segments, strict=True):
            np.testing.assert_array_equal(segment.mask, other.mask)

    def test_a_label_map_of_more_labels_than_a_byte_holds(self):
        path, (first, _) = self.written("LABELMAP", tuple((number, f"r{number}") for number in range(1, 301)))
        dataset = pydicom.dcmread(path)
        dataset.PixelData = np.where(dataset.pixel_array == 2, 257, dataset.pixel_array).astype("<u2").tobytes()
        dataset.save_as(path)
        drawn = {segment.name: np.count_nonzero(segment.mask) for segment in read_segmentation(path).segments}
        self.assertEqual({name for name, count in drawn.items() if count}, {"r1", "r257"})
        self.assertEqual(drawn["r1"], np.count_nonzero(first))

    def altered(self, change):
        dataset = pydicom.dcmread(self.written("BINARY")[0])
        dataset.Manufacturer = "Another"
        for segment in dataset.SegmentSequence:
            change(segment)
        dataset.save_as(self.folder / "other.dcm")
        return read_segmentation(self.folder / "other.dcm")

    def test_what_other_makers_leave_out_is_told(self):
        def bare(segment):
            del segment.SegmentLabel, segment.SegmentedPropertyCategoryCodeSequence
            del segment.SegmentedPropertyTypeCodeSequence

        def empty(segment):
            segment.SegmentLabel, segment.SegmentedPropertyCategoryCodeSequence = "", []
            segment.SegmentedPropertyTypeCodeSequence = []

        for change in (bare, empty):
            read = self.altered(change)
            self.assertEqual([segment.name for segment in read.segments], ["Segment 1", "Segment 2"])
            self.assertEqual([notice.code for notice in read.notices], 2 * ["segmentation-undescribed"])
            self.assertEqual(np.count_nonzero(read.segments[0].mask), np.count_nonzero(self.written("BINARY")[1][0]))

    def test_what_no_voxel_rests_on_may_be_missing(self):
        def references(dataset):
            del dataset.ReferencedSeriesSequence[0].ReferencedInstanceSequence
            for group in dataset.PerFrameFunctionalGroupsSequence:
                del group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID

        def identifiers(dataset):
            del dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID

        def thickness(dataset):
            measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
            measures.SpacingBetweenSlices = measures.SliceThickness
            del measures.SliceThickness

        def meaning(dataset):
            del dataset.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeMeaning

        for kind in ("BINARY", "LABELMAP"):
            path, _ = self.written(kind)
            plain, content = read_segmentation(path), path.read_bytes()
            for change, told in ((references, 0), (identifiers, 0), (thickness, 0), (meaning, 1)):
                path.write_bytes(content)
                dataset = pydicom.dcmread(path)
                change(dataset)
                dataset.save_as(path)
                read = read_segmentation(path)
                self.assertEqual(len(read.notices), told)
                self.assertEqual(read.frame_of_reference_key is None, change is identifiers)
                self.assertTrue(read.grid.same_as(plain.grid))
                for segment, other in zip(read.segments, plain.segments, strict=True):
                    np.testing.assert_array_equal(segment.mask, other.mask)
            path.write_bytes(content)
            dataset = pydicom.dcmread(path)
            for stated in (None, 1, dataset.NumberOfFrames + 1):
                dataset.NumberOfFrames = stated
                dataset.save_as(path)
                self.refused("segmentation-dicom", read_segmentation, path)

    def test_how_it_was_drawn_need_not_be_stated(self):
        def unsaid(segment):
            del segment.SegmentAlgorithmType

        self.assertEqual(self.altered(unsaid).notices, ())

    @slow
    def test_a_code_tells_what_a_label_does_not(self):
        def numbered(segment):
            segment.SegmentLabel = f"Segment {segment.SegmentNumber}"
            code = segment.SegmentedPropertyTypeCodeSequence[0]
            if segment.SegmentNumber == 1:  # SNOMED's code of old for the same
                code.CodeValue, code.CodingSchemeDesignator = "T-A7010", "SRT"
            else:
                code.CodeValue, code.CodeMeaning = "51114001", "Artery"

        cord, artery = self.altered(numbered).segments
        self.assertEqual((cord.name, cord.tags["TSPOQuant.Structure"]), ("Spinal cord (Segment 1)", "cord"))
        self.assertEqual(artery.name, "Segment 2")
        self.assertNotIn("TSPOQuant.Structure", artery.tags)  # any artery, not the blood pool

    def test_tells_its_frame_of_reference(self):
        path, _ = self.written("BINARY")
        uid = str(pydicom.dcmread(path).FrameOfReferenceUID)
        self.assertEqual(read_segmentation(path).frame_of_reference_key, hashlib.sha256(uid.encode()).hexdigest()[:16])


if __name__ == "__main__":
    unittest.main()
