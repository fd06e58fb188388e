"""Whatever is missing from a DICOM SEG or an RT Structure Set of others, its regions are right, told of or refused."""

import unittest
import warnings

import ContoursTest
import numpy as np
import pydicom
import SegmentationFilesTest
from support.tiers import slow
from TSPOQuantLib.acquisition.segmentation_files import read_segmentation
from TSPOQuantLib.messages import InputRefused

UNDRAWN = ("ContourSequence", "ContourImageSequence")
"""Without them a region was never drawn."""


def elements(dataset, above=()):
    """The path of every element but the voxels: keywords, and the items between them (the first and the last)."""
    for element in dataset:
        if element.keyword == "PixelData":
            continue
        yield (*above, element.keyword)
        if element.VR == "SQ" and len(element.value):
            for item in sorted({0, len(element.value) - 1}):
                yield from elements(element.value[item], (*above, element.keyword, item))


def holder(dataset, path):
    for keyword, item in zip(path[:-1:2], path[1::2], strict=True):
        dataset = dataset[keyword].value[item]
    return dataset


def places(read):
    """By name, the centers of the voxels of each segment in LPS mm, in a fixed order."""
    found = {}
    for segment in read.segments:
        points = read.grid.to_lps(np.argwhere(segment.mask)[:, ::-1].astype(float))
        found[segment.id] = points[np.lexsort(points.round(2).T)]
    return found


def read_of_altered(path, grid):
    """Delete, or empty, each element in turn; how many of these files were read, and rightly."""
    whole, truth = path.read_bytes(), places(read_segmentation(path, on=grid))
    read = 0
    for where in list(elements(pydicom.dcmread(path))):
        for empty in (False, True):
            path.write_bytes(whole)
            dataset = pydicom.dcmread(path)
            target = holder(dataset, where)
            if empty:
                target[where[-1]].value = [] if target[where[-1]].VR == "SQ" else None
            else:
                delattr(target, where[-1])
            try:
                dataset.save_as(path)
            except Exception:  # such a file cannot be written at all
                continue
            try:
                found = read_segmentation(path, on=grid)
            except InputRefused:
                continue
            read += 1
            if found.notices or where[-1] in UNDRAWN:
                continue
            seen = places(found)
            assert seen.keys() == truth.keys(), where
            for name, points in truth.items():
                np.testing.assert_allclose(seen[name], points, atol=0.01, err_msg=str(where))
    return read


class SegmentationTest(SegmentationFilesTest.DicomFolder):
    @slow
    def test_what_is_missing_makes_no_other_region(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for kind in ("BINARY", "LABELMAP"):
                self.assertGreater(read_of_altered(self.written(kind)[0], None), 100)


class ContoursMutationsTest(ContoursTest.ContourFolder):
    @slow
    def test_what_is_missing_makes_no_other_region(self):
        square, contour = ContoursTest.square, ContoursTest.contour
        regions = {
            "cord C7": [contour(square(k, 3, 6)) for k in (1, 2, 3)],
            "foramen": [contour(square(2, 10, 12))],
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.assertGreater(read_of_altered(self.write_contours(regions), ContoursTest.GRID), 10)


if __name__ == "__main__":
    unittest.main()
