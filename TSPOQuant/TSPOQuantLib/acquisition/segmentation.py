"""Segmentations: named masks on a grid of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid
from ..messages import Notice

TAG_PREFIX = "TSPOQuant."
"""Of the tags that say what a segment is: Structure, Level, Side and Root, see regions.anatomy."""
PRIVATE_SCHEME = "99TSPOQUANT"
"""Coding scheme of our own, declared as private (DICOM PS3.16, 8.2)."""
TERMINOLOGY = (
    "Segmentation category and type - 3D Slicer General Anatomy list~{category}~{kind}~^^~"
    "Anatomic codes - DICOM master list~^^~^^"
)
"""Slicer's tag for what a segment is, with two codes of its segment editor's vocabulary."""


@dataclass(frozen=True, eq=False)
class Segment:
    """One segment: its name, its boolean mask (k, j, i) on the segmentation's grid, and its tags as written.

    Masks may overlap. color: red, green, blue from 0 to 1.
    """

    id: str
    name: str
    mask: NDArray[np.bool_]
    color: tuple[float, float, float] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Segments on their grid.

    frame_of_reference_key: of the image that a DICOM SEG was drawn on, see image.Scan. undrawn: names that a label
    map's table lists, and whose labels hold no voxel.
    """

    grid: Grid
    segments: tuple[Segment, ...]
    notices: tuple[Notice, ...] = ()
    frame_of_reference_key: str | None = None
    undrawn: tuple[str, ...] = ()
