"""vtkMRMLSequenceNode <-> DynamicImage; what its index and attributes mean is told in acquisition/sequence_files."""

import numpy as np
import slicer
import slicer.util
from numpy.typing import NDArray

from ..acquisition.image import DynamicImage
from ..acquisition.sequence_files import NAMES, UNITS, attributes_of, sequence_header
from ..grid import Grid
from ..messages import InputRefused
from .transforms import parent_to_world
from .volumes import UNIT_CODES, array_from_node, fill_node, grid_of


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
