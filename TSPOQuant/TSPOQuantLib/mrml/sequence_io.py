"""vtkMRMLSequenceNode <-> DynamicImage.

The sequence's index is the frame start in seconds from time zero (name "time", unit "s"). What an index cannot hold
stands in attributes of the sequence node, whose names are stable because saved scenes and .seq.nrrd files have them:

- ``TSPOQuant.FrameDurations_s``: one duration a frame, in seconds, separated by spaces. A sequence without it is
  refused ("sequence-no-times"): the time to the next frame is not a duration where the scan had gaps.
- ``TSPOQuant.Units``: "kBq/mL" or "Bq/mL".
- ``TSPOQuant.TimeZero``: what zero is, "injection" or "first frame".
- ``TSPOQuant.TimeZeroAt``: its wall clock in ISO 8601, absent if unknown.
- ``TSPOQuant.DecayCorrection``: how the values were brought to time zero, in words.
- ``TSPOQuant.Scan``: the fields of ``Scan`` that are known, as JSON.
"""

import dataclasses
import json
from datetime import datetime

import numpy as np
import slicer
import slicer.util
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..acquisition.image import DynamicImage, Scan
from ..errors import InputRefused
from ..grid import Grid
from .transforms import parent_to_world
from .volumes import array_from_node, fill_node, grid_of

DURATIONS = "TSPOQuant.FrameDurations_s"
UNITS = "TSPOQuant.Units"
TIME_ZERO = "TSPOQuant.TimeZero"
TIME_ZERO_AT = "TSPOQuant.TimeZeroAt"
DECAY_CORRECTION = "TSPOQuant.DecayCorrection"
SCAN = "TSPOQuant.Scan"

# To kBq/mL.
FACTORS = {"kBq/mL": 1.0, "Bq/mL": 1e-3}


def _timing(node) -> FrameTiming:
    durations = node.GetAttribute(DURATIONS)
    if not durations:
        raise InputRefused(
            "sequence-no-times",
            f"the PET sequence does not say how long its frames last (attribute {DURATIONS}); load the series with "
            "TSPOQuant's DICOM plugin, or set that attribute to the durations in seconds, separated by spaces",
        )
    if node.GetIndexUnit() != "s":
        raise InputRefused(
            "sequence-index-unit",
            f"the index of the PET sequence is in '{node.GetIndexUnit()}'; it must be the frame start in s",
        )
    try:
        starts = np.array([float(node.GetNthIndexValue(frame)) for frame in range(node.GetNumberOfDataNodes())])
        return FrameTiming(starts, np.array([float(word) for word in durations.split()]))
    except InputRefused:
        raise
    except ValueError as error:
        raise InputRefused("sequence-times", "a frame start or duration of the PET sequence is no number") from error


def _time_zero(node) -> tuple[str, datetime | None]:
    name, at = node.GetAttribute(TIME_ZERO), node.GetAttribute(TIME_ZERO_AT)
    if not name:
        raise InputRefused(
            "sequence-time-zero", f"the PET sequence does not say what its time zero is; set attribute {TIME_ZERO}"
        )
    try:
        return name, datetime.fromisoformat(at) if at else None
    except ValueError as error:
        raise InputRefused(
            "sequence-time-zero", f"attribute {TIME_ZERO_AT} of the PET sequence is no ISO 8601 date and time"
        ) from error


def _scan(node) -> Scan:
    text = node.GetAttribute(SCAN)
    if not text:
        return Scan()
    try:
        return Scan(**json.loads(text))
    except (TypeError, ValueError) as error:
        raise InputRefused("sequence-scan", f"attribute {SCAN} of the PET sequence cannot be read") from error


def _to_world(node) -> NDArray[np.float64]:
    """The transform that the user sees the sequence under: that of its proxy in a sequence browser, if any."""
    for browser in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode"):
        if browser.IsSynchronizedSequenceNodeID(node.GetID(), True):
            proxy = browser.GetProxyNode(node)
            if proxy is not None:
                return parent_to_world(proxy, "PET sequence")
    return np.eye(4)


def dynamic_from_node(node) -> DynamicImage:
    """A dynamic PET in kBq/mL, where the parent transforms of its proxy node put it.

    Raises InputRefused: "sequence-empty", "sequence-not-volumes", "sequence-no-times", "sequence-index-unit",
    "sequence-times", "sequence-units", "sequence-time-zero", "sequence-geometry", "sequence-scan",
    "volume-components", "transform-not-linear", "frames-…".
    """
    count = node.GetNumberOfDataNodes()
    if count == 0:
        raise InputRefused("sequence-empty", "the PET sequence has no frames; pick another sequence")
    frames = [node.GetNthDataNode(frame) for frame in range(count)]
    if not all(frame is not None and frame.IsA("vtkMRMLScalarVolumeNode") for frame in frames):
        raise InputRefused("sequence-not-volumes", "the PET sequence holds nodes that are no volumes; pick another")
    timing = _timing(node)
    units = node.GetAttribute(UNITS)
    if units not in FACTORS:
        raise InputRefused(
            "sequence-units",
            f"the PET sequence is in {units or 'unknown units'}; set attribute {UNITS} to one of {', '.join(FACTORS)}",
        )
    time_zero, time_zero_at = _time_zero(node)
    to_world = _to_world(node)
    activity, grid = [], None
    for number, frame in enumerate(frames, start=1):
        activity.append(np.float32(FACTORS[units]) * array_from_node(frame, f"PET frame {number}").astype(np.float32))
        here = grid_of(frame, to_world)
        if grid is not None and not grid.same_as(here):
            raise InputRefused("sequence-geometry", f"PET frame {number} lies on another grid than frame 1")
        grid = grid or here
    return DynamicImage(
        activity=np.stack(activity),
        grid=grid,
        timing=timing,
        time_zero=time_zero,
        time_zero_at=time_zero_at,
        decay_correction=node.GetAttribute(DECAY_CORRECTION) or "not stated by the sequence",
        scan=_scan(node),
    )


def _frame_node(values: NDArray[np.float32], grid: Grid):
    """A volume node outside the scene, for the sequence to copy."""
    node = slicer.vtkMRMLScalarVolumeNode()
    fill_node(node, values, grid, "kBq/mL")
    return node


def node_from_dynamic(image: DynamicImage, name: str):
    """A new sequence node in the scene."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    node.SetIndexName("time")
    node.SetIndexUnit("s")
    node.SetIndexType(slicer.vtkMRMLSequenceNode.NumericIndex)
    for start, values in zip(image.timing.starts_s, image.activity, strict=True):
        node.SetDataNodeAtValue(_frame_node(values, image.grid), repr(float(start)))
    known = {key: value for key, value in dataclasses.asdict(image.scan).items() if value is not None}
    node.SetAttribute(DURATIONS, " ".join(repr(float(duration)) for duration in image.timing.durations_s))
    node.SetAttribute(UNITS, "kBq/mL")
    node.SetAttribute(TIME_ZERO, image.time_zero)
    if image.time_zero_at is not None:
        node.SetAttribute(TIME_ZERO_AT, image.time_zero_at.isoformat())
    node.SetAttribute(DECAY_CORRECTION, image.decay_correction)
    node.SetAttribute(SCAN, json.dumps(known))
    return node
