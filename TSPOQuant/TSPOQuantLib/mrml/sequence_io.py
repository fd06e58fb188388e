"""vtkMRMLSequenceNode <-> DynamicImage; what its index and attributes mean is told in acquisition/sequence_files."""

from pathlib import Path

import numpy as np
import slicer
import slicer.util
from numpy.typing import NDArray

from ..acquisition.image import DynamicImage
from ..acquisition.sequence_files import NAMES, UNITS, attributes_of, sequence_header
from ..grid import Grid
from ..messages import InputRefused
from ..progress import Progress, silent
from .transforms import parent_to_world
from .volumes import UNIT_CODES, array_from_node, fill_node, grid_of

# Voxels of another reader and of ours are the same up to a factor; this much of their norm may differ, for values
# that were stored as integers on the way (not published).
SAME_VALUES = 1e-3


def _browsers_of(node) -> list:
    browsers = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
    return [browser for browser in browsers if browser.IsSynchronizedSequenceNodeID(node.GetID(), True)]


def _to_world(node) -> NDArray[np.float64]:
    """The transform that the user sees the sequence under: that of its proxy in a sequence browser, if any."""
    for browser in _browsers_of(node):
        proxy = browser.GetProxyNode(node)
        if proxy is not None:
            return parent_to_world(proxy, "PET sequence")
    return np.eye(4)


def _frames(node) -> list:
    frames = [node.GetNthDataNode(frame) for frame in range(node.GetNumberOfDataNodes())]
    if not frames:
        raise InputRefused("sequence-empty", "the PET sequence has no frames; pick another sequence")
    if not all(frame is not None and frame.IsA("vtkMRMLScalarVolumeNode") for frame in frames):
        raise InputRefused("sequence-not-volumes", "the PET sequence holds nodes that are no volumes; pick another")
    return frames


def _voxels(frames: list, to_world: NDArray[np.float64]) -> tuple[NDArray[np.float32], Grid]:
    """float32 (frames, k, j, i) as stored, and the grid that all frames share."""
    grid = grid_of(frames[0], to_world)
    values = []
    for number, frame in enumerate(frames, start=1):
        values.append(array_from_node(frame, f"PET frame {number}").astype(np.float32))
        if not grid.same_as(grid_of(frame, to_world)):
            raise InputRefused(
                "sequence-geometry", "PET frame {number} lies on another grid than frame 1", number=number
            )
    return np.stack(values), grid


def dynamic_from_node(node) -> DynamicImage:
    """A dynamic PET in kBq/mL, where the parent transforms of its proxy node put it.

    Raises InputRefused: "sequence-empty", "sequence-not-volumes", "sequence-no-times", "sequence-index-unit",
    "sequence-times", "sequence-units", "sequence-time-zero", "sequence-geometry", "sequence-scan",
    "sequence-not-finite", "volume-components", "transform-not-linear", "frames-…".
    """
    frames = _frames(node)
    header = sequence_header(
        {name: node.GetAttribute(name) for name in node.GetAttributeNames()},
        node.GetIndexUnit(),
        [node.GetNthIndexValue(frame) for frame in range(len(frames))],
    )
    return header.image(*_voxels(frames, _to_world(node)))


def _frame_node(values: NDArray[np.float32], grid: Grid):
    """A volume node outside the scene, for the sequence to copy."""
    node = slicer.vtkMRMLScalarVolumeNode()
    fill_node(node, values, grid, "kBq/mL")
    return node


def _fill(node, image: DynamicImage) -> None:
    node.SetIndexName("time")
    node.SetIndexUnit("s")
    node.SetIndexType(slicer.vtkMRMLSequenceNode.NumericIndex)
    for start, values in zip(image.timing.starts_s, image.activity, strict=True):
        node.SetDataNodeAtValue(_frame_node(values, image.grid), repr(float(start)))
    attributes = attributes_of(image)
    for name in NAMES:
        node.SetAttribute(name, attributes.get(name))  # None removes what the node said before
    restore_units(node)


def node_from_dynamic(image: DynamicImage, name: str):
    """A new sequence node in the scene."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    _fill(node, image)
    return node


def restore_units(node) -> None:
    """Code the units of frames, and of the proxies that show them, that have none, as the sequence's attribute says.

    A sequence does not copy the coded units of the volumes it is given, and a .seq.nrrd file does not keep them.
    """
    code = UNIT_CODES.get(node.GetAttribute(UNITS) or "")
    if code is None:
        return
    volumes = [node.GetNthDataNode(frame) for frame in range(node.GetNumberOfDataNodes())]
    volumes += [browser.GetProxyNode(node) for browser in _browsers_of(node)]
    for volume in volumes:
        if volume is not None and volume.IsA("vtkMRMLVolumeNode") and volume.GetVoxelValueUnits() is None:
            entry = slicer.vtkCodedEntry()
            entry.SetValueSchemeMeaning(*code)
            volume.SetVoxelValueUnits(entry)


def complete_from_dicom(node, path: Path, progress: Progress = silent) -> None:
    """Give a sequence that another reader made of a DICOM series that series' times, units and values in kBq/mL.

    The node stays, with its browsers and transforms; frames, index and attributes become what our reader finds. It is
    left as it was unless every frame of it shows the same image as the series, up to a factor.
    Raises InputRefused: "sequence-other-series", and as ``read_dynamic_pet`` and ``dynamic_from_node`` do.
    """
    from ..acquisition.dicom import read_dynamic_pet  # here, because Slicer's start need not wait for SimpleITK

    values, grid = _voxels(_frames(node), np.eye(4))
    image = read_dynamic_pet(path, progress=progress)
    if len(values) != len(image.timing):
        raise _other_series(f"has {len(values)} frames, the series {len(image.timing)}")
    if not (image.grid.same_as(grid) or image.grid.same_as(_flipped(grid))):
        raise _other_series("lies on another grid than the series")
    order = 1 if image.grid.same_as(grid) else -1
    for number, (theirs, ours) in enumerate(zip(values[:, ::order], image.activity, strict=True), start=1):
        if not _same_up_to_a_factor(theirs, ours):
            raise _other_series(f"shows another image in frame {number}")
    selected = [(browser, browser.GetSelectedItemNumber()) for browser in _browsers_of(node)]
    with slicer.util.NodeModify(node):
        node.RemoveAllDataNodes()
        _fill(node, image)
    for browser, item in selected:
        browser.SetSelectedItemNumber(item)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)


def _other_series(how: str) -> InputRefused:
    return InputRefused(
        "sequence-other-series", "the PET sequence {how}; give the DICOM series that the sequence was made of", how=how
    )


def _flipped(grid: Grid) -> Grid:
    """The same voxels with the slices in the opposite order."""
    matrix = grid.ijk_to_lps.copy()
    matrix[:3, 3] += matrix[:3, 2] * (grid.shape[0] - 1)
    matrix[:3, 2] *= -1
    return Grid(grid.shape, matrix)


def _same_up_to_a_factor(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether the angle between two images, seen as vectors, is small; an empty image is like an empty one only."""
    a, b = one.ravel().astype(float), other.ravel().astype(float)
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    if not all(lengths):
        return not any(lengths)
    return bool(np.linalg.norm(a / lengths[0] - b / lengths[1]) <= SAME_VALUES)
