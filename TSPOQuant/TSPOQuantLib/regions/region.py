"""Regions and the curves measured in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..acquisition.segmentation import TAG_PREFIX, Segment, Segmentation
from ..grid import Grid, box_of
from ..messages import InputRefused, Notice
from .anatomy import CARRIED_TAG, Anatomy, identify, read_name

PLACEMENT_TAG, CONFIDENCE_TAG = TAG_PREFIX + "PlacementMm", TAG_PREFIX + "Confidence"
"""On a segment that was proposed: see ``proposals.Proposal``."""


@dataclass(frozen=True, eq=False)
class Region:
    """A named set of voxels (k, j, i) on a grid of its own, usually the CT's.

    carried_from: the visit that it was drawn at, where another visit's region was brought here. placement_mm: the
    expected error of its center along each axis (SD), where it was proposed and says so; None for what was drawn.
    """

    name: str
    anatomy: Anatomy
    mask: NDArray[np.bool_]
    grid: Grid
    carried_from: str = ""
    placement_mm: float | None = None

    @property
    def volume_mm3(self) -> float:
        return float(np.count_nonzero(self.mask)) * self.grid.voxel_volume_mm3


@dataclass(frozen=True, eq=False)
class TimeActivityCurve:
    """What one region measured in every frame.

    mean, sd: (frames,) kBq/mL, over the PET voxels with the covered fraction as weight.
    effective_voxels: (sum of weights)^2 / sum of squared weights, smallest over the frames.
    """

    region: str
    timing: FrameTiming
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    effective_voxels: float
    notices: tuple[Notice, ...] = ()


def region_of(segment: Segment, grid: Grid) -> Region:
    """A segment as a region, cropped to its own box; what it is follows from its tags or its name."""
    mask = segment.mask
    if mask.any():
        box = box_of(mask)
        mask = mask[box]
        grid = grid.part([side.start for side in box], mask.shape)
    anatomy, carried = identify(segment.name, segment.tags), segment.tags.get(CARRIED_TAG, "")
    return Region(
        plain_name(segment.name), anatomy, mask, grid, carried, _millimeters(segment.tags.get(PLACEMENT_TAG))
    )


def _millimeters(text: str | None) -> float | None:
    """A tag's positive number, None for anything else."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < np.inf else None


def regions_of(segmentation: Segmentation) -> tuple[Region, ...]:
    """Every segment as a region. Raises InputRefused ("region-name") where a name is missing or stands twice."""
    regions = tuple(region_of(segment, segmentation.grid) for segment in segmentation.segments)
    check_apart([region.name for region in regions])
    return regions


def called(regions: Sequence[Region], name: str) -> Region | None:
    """The region of this name, else the only one that the name says: "L1-2 left" is "foramen L1/L2 left (root L1)"."""
    wanted, anatomy = plain_name(name), read_name(name).anatomy
    same = [region for region in regions if region.name == wanted]
    if not same and anatomy.structure != "other":
        same = [region for region in regions if region.anatomy == anatomy]
    return same[0] if len(same) == 1 else None


def check_apart(names: Sequence[str]) -> None:
    """Refuse ("region-name") names of regions of which one is missing or stands twice."""
    wrong = next((name for name in names if not name or names.count(name) > 1), None)
    if wrong is not None:
        what = f"several segments are called '{wrong}'" if wrong else "a segment has no name"
        raise InputRefused("region-name", "{what}; give every segment a name of its own", what=what)


def plain_name(name: str) -> str:
    """A segment's name as tables and terminals can hold it: in one line, without control characters and '"'."""
    visible = "".join(letter if letter.isprintable() else " " for letter in name)
    return " ".join(visible.split()).replace('"', "'")
