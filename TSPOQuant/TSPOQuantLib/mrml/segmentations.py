"""vtkMRMLSegmentationNode -> Segmentation, on the segmentation's own grid."""

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support
from numpy.typing import NDArray

from ..acquisition.segmentation import TAG_PREFIX, Segment, Segmentation
from ..grid import Grid
from ..messages import InputRefused
from .transforms import LPS_FROM_RAS, array_from_matrix, parent_to_world

# vtkSegment cannot list its tags in Python: these are the ones that mean something to us.
TAGS = (
    *(TAG_PREFIX + key for key in ("Structure", "Level", "Root", "Side", "CarriedFrom")),
    "TerminologyEntry",
    "Segmentation.Status",
)
# Two labelmaps are on one lattice if their voxel centers agree within this part of a voxel [own choice].
LATTICE_TOLERANCE = 1e-3


def _labelmap(node, segment_id: str) -> "slicer.vtkOrientedImageData":
    """The segment alone as 0 and 1."""
    image = slicer.vtkOrientedImageData()
    if not node.GetBinaryLabelmapRepresentation(segment_id, image):
        raise InputRefused("segmentation-voxels", "a segment has no voxels to read; draw it again")
    return image


def _voxels(image) -> NDArray[np.bool_]:
    """Mask (k, j, i) over the labelmap's extent; empty (a side of 0) for a segment without voxels."""
    i0, i1, j0, j1, k0, k1 = image.GetExtent()
    shape = max(k1 - k0 + 1, 0), max(j1 - j0 + 1, 0), max(i1 - i0 + 1, 0)
    if 0 in shape or image.GetPointData().GetScalars() is None:
        return np.zeros((0, 0, 0), dtype=bool)
    return vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape) > 0


def _corner_to_ras(image) -> NDArray[np.float64]:
    """4 x 4, from voxel indices counted from the extent's first voxel to the segmentation's RAS."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    shift = np.eye(4)
    shift[:3, 3] = image.GetExtent()[::2]
    return array_from_matrix(matrix) @ shift


def is_blank(node) -> bool:
    """Whether nothing was drawn yet: there are no segments, or empty ones alone, as of a template.

    A segment of which all was erased keeps its labelmap, and counts as drawn here.
    """
    segmentation = node.GetSegmentation()
    labelmaps = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    layers = (segmentation.GetSegment(one).GetRepresentation(labelmaps) for one in segmentation.GetSegmentIDs())
    return all(layer is not None and layer.IsEmpty() for layer in layers)


def tags_of(segment) -> dict[str, str]:
    """The tags of a vtkSegment that mean something to us."""
    found = {}
    for key in TAGS:
        value = vtk.reference("")
        if segment.GetTag(key, value):
            found[key] = str(value)
    return found


def segment_places(node, role: str = "segmentation") -> dict[str, tuple[NDArray[np.float64], float]]:
    """Segment ID to the middle of its voxels in the world, (3,) LPS mm, and the longest side of the box around them,
    mm; segments without voxels are left out.

    Raises InputRefused ("transform-not-linear", "segmentation-voxels").
    """
    to_world = LPS_FROM_RAS @ parent_to_world(node, role)
    found = {}
    for segment_id in node.GetSegmentation().GetSegmentIDs():
        image = _labelmap(node, segment_id)
        drawn = np.argwhere(_voxels(image))
        if len(drawn):
            middle = np.append(drawn.mean(axis=0)[::-1], 1.0)
            sides = (np.ptp(drawn, axis=0) + 1)[::-1] * np.array(image.GetSpacing())
            found[segment_id] = (to_world @ _corner_to_ras(image) @ middle)[:3], float(sides.max())
    return found


def segment_centers(node, role: str = "segmentation") -> dict[str, NDArray[np.float64]]:
    """Segment ID to the middle of its voxels, as ``segment_places`` finds it."""
    return {segment_id: center for segment_id, (center, _) in segment_places(node, role).items()}


def segmentation_from_node(node, role: str = "segmentation") -> Segmentation:
    """All segments, overlapping or not, on one grid: the smallest that holds them, where parent transforms put it.

    Raises InputRefused ("segmentation-empty", "segmentation-surfaces", "segmentation-geometry",
    "segmentation-voxels", "transform-not-linear").
    """
    to_world = parent_to_world(node, role)
    source = node.GetSegmentation()
    segment_ids = list(source.GetSegmentIDs())
    labelmaps = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    if segment_ids and not source.ContainsRepresentation(labelmaps):
        raise InputRefused(
            "segmentation-surfaces",
            "the {role} holds surfaces only, which leaves the voxel size open; create its binary labelmap in "
            "the Segmentations module",
            role=role,
        )
    images = [_labelmap(node, segment_id) for segment_id in segment_ids]
    masks = [_voxels(image) for image in images]
    drawn = [index for index, mask in enumerate(masks) if mask.any()]
    if not drawn:
        raise InputRefused("segmentation-empty", "the {role} has no drawn segment; draw the regions first", role=role)

    # Each labelmap covers its own part of a common lattice: find each part's first voxel in the first one's indices.
    reference = _corner_to_ras(images[drawn[0]])
    firsts, lasts = {}, {}
    for index in drawn:
        offset = np.linalg.inv(reference) @ _corner_to_ras(images[index])
        firsts[index] = np.rint(offset[:3, 3]).astype(int)
        lasts[index] = firsts[index] + masks[index].shape[::-1]
        offset[:3, 3] -= firsts[index]
        far_corner = np.array([*masks[index].shape[::-1], 1.0])
        if np.abs((offset - np.eye(4)) @ far_corner).max() > LATTICE_TOLERANCE:
            raise InputRefused(
                "segmentation-geometry",
                "the segments of the {role} lie on different grids; set one source geometry in the Segment Editor",
                role=role,
            )
    low = np.min(list(firsts.values()), axis=0)
    high = np.max(list(lasts.values()), axis=0)
    i, j, k = (int(n) for n in high - low)
    shape = (k, j, i)

    segments = []
    for index, segment_id in enumerate(segment_ids):
        mask = np.zeros(shape, dtype=bool)
        if index in firsts:
            begin = firsts[index] - low
            end = lasts[index] - low
            mask[begin[2] : end[2], begin[1] : end[1], begin[0] : end[0]] = masks[index]
        segment = source.GetSegment(segment_id)
        segments.append(Segment(segment_id, segment.GetName(), mask, tuple(segment.GetColor()), tags_of(segment)))
    shift = np.eye(4)
    shift[:3, 3] = low
    return Segmentation(Grid(shape, LPS_FROM_RAS @ to_world @ reference @ shift), tuple(segments))
