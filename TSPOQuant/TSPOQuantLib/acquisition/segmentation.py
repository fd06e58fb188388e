"""Segmentations: named masks on a grid of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import Notice
from ..grid import Grid


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
    grid: Grid
    segments: tuple[Segment, ...]
    notices: tuple[Notice, ...] = ()
