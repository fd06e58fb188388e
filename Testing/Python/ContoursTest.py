"""DICOM RT Structure Sets of other makers, made here: their contours become the voxels that they enclose."""

import unittest

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from support.folders import Folder
from TSPOQuantLib.acquisition.contour_files import enclosed, outlines
from TSPOQuantLib.acquisition.dicom_slice import key_of
from TSPOQuantLib.acquisition.segmentation_files import is_contours, read_segmentation
from TSPOQuantLib.grid import Grid

SHAPE = (6, 24, 30)
FRAME = "1.2.826.0.1.3680043.10.1.9"


def oblique_grid():
    turn = np.deg2rad(20)
    axes = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = axes * [0.9, 1.1, 2.5]
    matrix[:3, 3] = [-40.0, 12.0, 300.0]
    return Grid(SHAPE, matrix)


GRID = oblique_grid()


def square(k, low, high, shift=0.0):
    """Corners (n, 3) in LPS mm of a square from voxel ``low`` to ``high`` of slice ``k``, their edges included."""
    a, b = low - 0.5, high + 0.5
    level = k + shift
    return GRID.to_lps(np.array([[a, a, level], [b, a, level], [b, b, level], [a, b, level]]))


def box(*sides):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[tuple(slice(low, high + 1) for low, high in sides)] = True
    return mask


def item(**elements):
    made = pydicom.Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def contour(points, kind="CLOSED_PLANAR"):
    data = [f"{value:.6f}" for value in np.asarray(points).ravel()]
    return item(ContourGeometricType=kind, NumberOfContourPoints=len(points), ContourData=data)


def first(dataset):
    return dataset.ROIContourSequence[0].ContourSequence[0]


class ContourFolder(Folder):
    def write_contours(self, regions, frames=None, reverse=True):
        """regions: contours by name, numbered from 11 on; their contours are told in the reverse order."""
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = pydicom.uid.RTStructureSetStorage
        meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian  # as most planning systems write
        dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        dataset.Modality, dataset.Manufacturer = "RTSTRUCT", "Another"
        numbered = list(enumerate(regions.items(), 11))
        frames = frames or [FRAME] * len(numbered)
        dataset.StructureSetROISequence = [
            item(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=uid)
            for (number, (name, _)), uid in zip(numbered, frames, strict=True)
        ]
        drawn = [
            item(ReferencedROINumber=number, ROIDisplayColor=[255, 0, 51], ContourSequence=contours)
            for number, (_, contours) in numbered
            if contours
        ]
        dataset.ROIContourSequence = drawn[::-1] if reverse else drawn
        path = self.folder / "rs.dcm"
        dataset.save_as(path, enforce_file_format=True)
        return path

    def read(self, regions, **keywords):
        return read_segmentation(self.write_contours(regions, **keywords), on=GRID)


class ReadContoursTest(ContourFolder):
    def test_each_name_has_its_own_contours(self):
        read = self.read(
            {
                "cord C7": [contour(square(k, 3, 6)) for k in (1, 2, 3)],
                "foramen C6/C7 left": [contour(square(2, 10, 12))],
                "never drawn": [],
            }
        )
        cord, foramen = read.segments
        self.assertEqual((cord.name, foramen.name), ("cord C7", "foramen C6/C7 left"))
        np.testing.assert_array_equal(cord.mask, box((1, 3), (3, 6), (3, 6)))
        np.testing.assert_array_equal(foramen.mask, box((2, 2), (10, 12), (10, 12)))
        self.assertEqual((cord.color, read.frame_of_reference_key), ((1.0, 0.0, 0.2), key_of(FRAME)))
        self.assertEqual((read.notices, read.undrawn), ((), ("never drawn",)))

    def test_a_contour_that_is_there_twice_encloses_once(self):
        read = self.read({"cord C7": [contour(square(2, 3, 6)), contour(square(2, 3, 6))]})
        np.testing.assert_array_equal(read.segments[0].mask, box((2, 2), (3, 6), (3, 6)))
        self.assertEqual(read.notices, ())

    def test_a_contour_that_is_there_twice_in_another_form(self):
        once = square(2, 3, 6)
        for again in (np.roll(once, 1, axis=0), once[::-1], once + 1e-4, np.concatenate([once, once[:1]])):
            read = self.read({"cord C7": [contour(once), contour(again)]})
            np.testing.assert_array_equal(read.segments[0].mask, box((2, 2), (3, 6), (3, 6)))
            self.assertEqual(read.notices, ())

    def test_what_lies_beyond_the_image_is_told(self):
        inside = contour(square(2, 3, 6))
        drawn = box((2, 2), (3, 6), (3, 6))
        for other in (square(6, 3, 6), square(-1, 3, 6), square(2, 50, 60), square(2, -60, -50)):
            read = self.read({"cord C7": [inside, contour(other)], "couch": [contour(other)]})
            np.testing.assert_array_equal(read.segments[0].mask, drawn)
            self.assertEqual([notice.code for notice in read.notices], ["contours-beyond"] * 2)
            self.assertEqual(([segment.name for segment in read.segments], read.undrawn), (["cord C7"], ("couch",)))
            self.assertIn("another image", self.refused("contours-outside", self.read, {"couch": [contour(other)]}))
        cut = self.read({"cord C7": [contour(square(2, 18, 40))]})
        np.testing.assert_array_equal(cut.segments[0].mask, box((2, 2), (18, 23), (18, 29)))
        self.assertIn("1 of 1 contours", cut.notices[0].message)

    def test_coordinates_that_are_no_numbers(self):
        def written(data):
            path = self.write_contours({"x": [contour(square(1, 3, 4))]})
            dataset = pydicom.dcmread(path)
            contours = first(dataset)
            tag = pydicom.tag.Tag("ContourData")
            raw = pydicom.dataelem.RawDataElement(tag, "DS", len(data), data, 0, True, True)
            contours._dict[tag] = raw
            dataset.save_as(path)
            return path

        numbers = "\\".join(f"{value:.3f}" for value in square(1, 3, 4).ravel())
        for data in (numbers.replace(".", ","), numbers.replace("-", "nan"), "x"):
            said = self.refused("contours-points", read_segmentation, written(data.encode()), on=GRID)
            self.assertIn("decimals take a point", said)

    def test_a_file_without_preamble(self):
        path = self.write_contours({"x": [contour(square(1, 3, 4))]})
        bare = pydicom.Dataset()
        bare.update(pydicom.dcmread(path))
        for implicit in (True, False):
            bare.save_as(path, implicit_vr=implicit, little_endian=True)
            self.assertTrue(is_contours(path))
            np.testing.assert_array_equal(
                read_segmentation(path, on=GRID).segments[0].mask, box((1, 1), (3, 4), (3, 4))
            )

    def test_contours_and_frames_of_regions_that_were_never_drawn(self):
        path = self.write_contours(
            {"x": [contour(square(1, 3, 4)), contour(square(2, 3, 4))], "y": []}, frames=["1.2", "1.3"]
        )
        dataset = pydicom.dcmread(path)
        del first(dataset).ContourData
        dataset.save_as(path)
        read = read_segmentation(path, on=GRID)
        np.testing.assert_array_equal(read.segments[0].mask, box((2, 2), (3, 4), (3, 4)))
        self.assertEqual([notice.code for notice in read.notices], ["contours-open"])

    def test_holes_of_all_three_kinds(self):
        ring = box((2, 2), (3, 12), (3, 12)) & ~box((2, 2), (6, 8), (6, 8))
        outer, inner = square(2, 3, 12), square(2, 6, 8)
        keyhole = np.concatenate([outer, outer[:1], inner[::-1], inner[-1:]])
        for kinds, told in (
            ([contour(outer, "CLOSEDPLANAR_XOR"), contour(inner, "CLOSEDPLANAR_XOR")], []),
            ([contour(keyhole)], []),
            ([contour(inner), contour(outer)], ["contours-nested"]),
        ):
            read = self.read({"ring": kinds})
            np.testing.assert_array_equal(read.segments[0].mask, ring)
            self.assertEqual([notice.code for notice in read.notices], told)

    def test_a_circle_has_its_area(self):
        angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
        points = np.column_stack([14 + 7.3 * np.cos(angle), 11.5 + 7.3 * np.sin(angle), np.full(200, 2.0)])
        read = self.read({"disc": [contour(GRID.to_lps(points))]})
        self.assertAlmostEqual(np.count_nonzero(read.segments[0].mask) / (np.pi * 7.3**2), 1, delta=0.02)

    def test_points_and_gaps_are_told(self):
        read = self.read(
            {"x": [contour(square(1, 3, 4)), contour(square(4, 3, 4)), contour(square(1, 9, 9)[:1], "POINT")]}
        )
        self.assertEqual([notice.code for notice in read.notices], ["contours-open", "contours-gap"])
        self.assertIn("2 slices", read.notices[1].message)

    def test_what_is_refused(self):
        good = {"x": [contour(square(1, 3, 4))]}
        self.assertIn("study.toml", self.refused("contours-image", read_segmentation, self.write_contours(good)))
        tilted = square(1, 3, 4)
        tilted[2:, 2] += 2.5
        for code, regions in (
            ("contours-none", {"x": [contour(square(1, 3, 4)[:1], "POINT")]}),
            ("contours-plane", {"x": [contour(square(1, 3, 4, shift=0.4))]}),
            ("contours-plane", {"x": [contour(tilted)]}),
            ("contours-outside", {"x": [contour(square(9, 3, 4))]}),
        ):
            self.refused(code, self.read, regions)
        two = {"x": good["x"], "y": good["x"]}
        self.refused("contours-frames", self.read, two, frames=[FRAME, FRAME + ".1"])

    def test_numbers_and_points_that_do_not_fit(self):
        two = {"x": [contour(square(1, 3, 4))], "y": [contour(square(2, 3, 4))]}
        for code, edit in (
            ("contours-points", lambda data: setattr(first(data), "ContourData", ["1", "2"])),
            ("contours-points", lambda data: setattr(first(data), "ContourData", first(data).ContourData[:9])),
            ("contours-numbers", lambda data: setattr(data.StructureSetROISequence[0], "ROINumber", 12)),
            ("contours-numbers", lambda data: setattr(data.ROIContourSequence[0], "ReferencedROINumber", 99)),
            ("contours-numbers", lambda data: setattr(data.ROIContourSequence[0], "ReferencedROINumber", 11)),
        ):
            dataset = pydicom.dcmread(self.write_contours(two))
            edit(dataset)
            dataset.save_as(self.folder / "cut.dcm", enforce_file_format=True)
            self.refused(code, read_segmentation, self.folder / "cut.dcm", on=GRID)


class OutlineTest(unittest.TestCase):
    """Outlines along the voxels' edges, and what they enclose, undo each other."""

    def test_any_slice_comes_back(self):
        random = np.random.default_rng(4)
        for density in (0.2, 0.5, 0.8, 1.0):
            mask = random.random((13, 17)) < density
            found = np.zeros_like(mask)
            for polygon in outlines(mask):
                found ^= enclosed(polygon, mask.shape)
            np.testing.assert_array_equal(found, mask)

    def test_corners_alone(self):
        mask = np.zeros((8, 9), dtype=bool)
        mask[2:5, 3:7] = True
        (polygon,) = outlines(mask)
        self.assertEqual({tuple(corner) for corner in polygon}, {(2.5, 1.5), (6.5, 1.5), (6.5, 4.5), (2.5, 4.5)})


if __name__ == "__main__":
    unittest.main()
