"""What is drawn in a vtkMRMLSegmentationNode at one moment, so that it can be told which segments were changed since.

Slicer keeps segments that do not overlap as labels of one shared layer: two moments are compared a layer at a time.
"""

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from ..acquisition.segmentation import TAG_PREFIX, Segment
from ..grid import Grid, box_of
from ..regions.region import Region, region_of
from .segmentations import LATTICE_TOLERANCE, tags_of
from .transforms import LPS_FROM_RAS, array_from_matrix

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Layer:
    """Labels (k, j, i) in the box around all that is drawn on it.

    to_ras: 4 x 4 from indices (i, j, k) there to the RAS in which the node keeps them.
    """

    labels: NDArray
    to_ras: Matrix

    def mask(self, label: int) -> tuple[NDArray[np.bool_], Matrix]:
        """One label in the box around it, and the same 4 x 4 for that box."""
        return self._in(box_of(self.labels == label), label)

    def masks(self) -> dict[int, tuple[NDArray[np.bool_], Matrix]]:
        """The same of every label that is drawn, in one pass over the layer."""
        if not self.labels.size:
            return {}
        boxes = enumerate(find_objects(self.labels), 1)
        return {label: self._in(box, label) for label, box in boxes if box is not None}

    def _in(self, box: tuple[slice, ...], label: int) -> tuple[NDArray[np.bool_], Matrix]:
        corner = self.to_ras @ np.array([*(part.start for part in reversed(box)), 1.0])
        to_ras = self.to_ras.copy()
        to_ras[:3, 3] = corner[:3]
        return self.labels[box] == label, to_ras


@dataclass(frozen=True, eq=False)
class Drawing:
    """All segments of a node.

    world: 4 x 4, where parent transforms put it (RAS to RAS). segments: of each, by ID in their order, its name
    and its tags that mean something. places: of those with voxels, the layer's number and the label there.
    """

    world: Matrix
    segments: dict[str, tuple[str, dict[str, str]]]
    layers: tuple[Layer, ...]
    places: dict[str, tuple[int, int]]

    @property
    def names(self) -> tuple[str, ...]:
        """Of all segments, in their order."""
        return tuple(name for name, _ in self.segments.values())

    def changed_since(self, before: "Drawing") -> tuple[str, ...]:
        """IDs of the segments that are new, or called, drawn or placed in another way."""
        if not np.array_equal(self.world, before.world):
            return tuple(self.segments)
        touched: dict[tuple[int, int], tuple[set[int], set[int]] | None] = {}

        def redrawn(segment_id: str) -> bool:
            here, there = self.places.get(segment_id), before.places.get(segment_id)
            if here is None or there is None:
                return here is not there
            pair = there[0], here[0]
            if pair not in touched:
                touched[pair] = _difference(before.layers[pair[0]], self.layers[pair[1]])
            labels = touched[pair]
            if labels is not None and there[1] not in labels[0] and here[1] not in labels[1]:
                return False
            # What was moved to another layer, as by painting over another segment, may have another label there.
            return here == there or not _alike(before.region(segment_id), self.region(segment_id))

        return tuple(
            segment_id
            for segment_id, named in self.segments.items()
            if before.segments.get(segment_id) != named or redrawn(segment_id)
        )

    def region(self, segment_id: str) -> Region:
        """A segment as results are read from it; without a voxel where none is drawn."""
        name, tags = self.segments[segment_id]
        mask, to_ras = np.zeros((1, 1, 1), dtype=bool), np.eye(4)
        if segment_id in self.places:
            layer, label = self.places[segment_id]
            if (self.layers[layer].labels == label).any():
                mask, to_ras = self.layers[layer].mask(label)
        k, j, i = mask.shape
        grid = Grid((k, j, i), LPS_FROM_RAS @ self.world @ to_ras)
        return region_of(Segment(segment_id, name, mask, None, tags), grid)


def drawing_of(node, world: Matrix, keep: bool = False) -> Drawing:
    """What is drawn now; keep: as it is now, also when it is drawn on."""
    segmentation = node.GetSegmentation()
    labelmaps = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    numbers: dict[object, int] = {}
    layers: list[Layer] = []
    names, places = {}, {}
    for segment_id in segmentation.GetSegmentIDs():
        segment = segmentation.GetSegment(segment_id)
        # Status and terminology, which Slicer's views set by themselves, change no result.
        tags = {key: value for key, value in tags_of(segment).items() if key.startswith(TAG_PREFIX)}
        names[segment_id] = segment.GetName(), tags
        labelmap = segment.GetRepresentation(labelmaps)
        if labelmap is None:
            continue
        if labelmap not in numbers:
            numbers[labelmap] = len(layers)
            layer = _layer(labelmap)
            layers.append(Layer(layer.labels.copy(), layer.to_ras) if keep else layer)
        places[segment_id] = numbers[labelmap], int(segment.GetLabelValue())
    return Drawing(world, names, tuple(layers), places)


def _layer(labelmap) -> Layer:
    i0, i1, j0, j1, k0, k1 = labelmap.GetExtent()
    shape = max(k1 - k0 + 1, 0), max(j1 - j0 + 1, 0), max(i1 - i0 + 1, 0)
    if 0 in shape or labelmap.GetPointData().GetScalars() is None:
        return Layer(np.zeros((0, 0, 0), dtype=np.uint8), np.eye(4))
    values = vtk.util.numpy_support.vtk_to_numpy(labelmap.GetPointData().GetScalars()).reshape(shape)
    if not values.any():
        return Layer(np.zeros((0, 0, 0), dtype=np.uint8), np.eye(4))
    box = box_of(values)
    matrix = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(matrix)
    shift = np.eye(4)
    shift[:3, 3] = np.array([part.start for part in reversed(box)]) + np.array([i0, j0, k0])
    # Slicer keeps integers of some kind; what a file made floating-point numbers are labels as well.
    labels = values[box] if values.dtype.kind in "iu" else values[box].astype(np.int32)
    return Layer(labels, array_from_matrix(matrix) @ shift)


def _alike(before: Region, now: Region) -> bool:
    """Whether both have the same voxels in the same places."""
    return np.array_equal(before.mask, now.mask) and np.allclose(before.grid.ijk_to_lps, now.grid.ijk_to_lps)


def _difference(before: Layer, now: Layer) -> tuple[set[int], set[int]] | None:
    """The labels of one layer, then of the other, in the voxels in which they differ; None where they lie on other
    grids, or one of them is empty."""
    if not (before.labels.size and now.labels.size):
        return None
    shift = np.linalg.inv(before.to_ras) @ now.to_ras
    start = np.rint(shift[:3, 3]).astype(int)
    shift[:3, 3] -= start
    far = np.array([*now.labels.shape[::-1], 1.0])
    if np.abs((shift - np.eye(4)) @ far).max() > LATTICE_TOLERANCE:
        return None
    starts = np.zeros(3, dtype=int), start[::-1]
    low = np.minimum(*starts)
    ends = [first + np.array(layer.labels.shape) for first, layer in zip(starts, (before, now), strict=True)]
    both = []
    for first, layer in zip(starts, (before, now), strict=True):
        whole = np.zeros(np.maximum(*ends) - low, dtype=layer.labels.dtype)
        whole[tuple(slice(a, a + n) for a, n in zip(first - low, layer.labels.shape, strict=True))] = layer.labels
        both.append(whole)
    differs = both[0] != both[1]
    return set(np.unique(both[0][differs]).tolist()), set(np.unique(both[1][differs]).tolist())
