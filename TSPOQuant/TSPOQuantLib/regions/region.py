"""Regions and the curves measured in them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..acquisition.segmentation import Segment
from ..errors import Notice
from ..grid import Grid
from .anatomy import Anatomy, identify


@dataclass(frozen=True, eq=False)
class Region:
    """A named set of voxels (k, j, i) on a grid of its own, usually the CT's."""

    name: str
    anatomy: Anatomy
    mask: NDArray[np.bool_]
    grid: Grid

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
    """A segment as a region; what it is follows from its tags or its name."""
    return Region(segment.name, identify(segment.name, segment.tags), segment.mask, grid)
