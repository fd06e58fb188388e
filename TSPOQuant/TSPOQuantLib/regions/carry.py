"""Regions of one visit at the other visit: carried level by level, never resampled until they are to be edited."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..alignment.visits import VisitAlignment
from ..errors import InputRefused
from ..grid import Grid
from .region import Region
from .sampling import coverage

HALF = 0.5
"""A voxel of the new grid belongs to the region when at least half of it is covered."""


def carry(region: Region, alignment: VisitAlignment, visit: str) -> Region:
    """The region where the level nearest to it lies at the other visit; marked as carried from ``visit``.

    The voxels stay as they were drawn: their grid is turned and shifted, so that nothing is lost to resampling.
    Raises InputRefused ("region-empty").
    """
    drawn = np.argwhere(region.mask)
    if len(drawn) == 0:
        raise InputRefused("region-empty", f"the region '{region.name}' holds no voxel; draw it or leave it out")
    middle = region.grid.to_lps(drawn.mean(axis=0)[::-1])
    matrix = alignment.nearest(middle).to_other @ region.grid.ijk_to_lps
    return replace(region, grid=Grid(region.grid.shape, matrix), carried_from=visit)


def drawn_on(region: Region, grid: Grid) -> NDArray[np.bool_]:
    """The region as voxels (k, j, i) of another grid, such as the visit's own CT, where it can be edited."""
    covered = coverage(region, grid)
    mask = np.zeros(grid.shape, dtype=bool)
    mask.flat[covered.voxels[covered.fractions >= HALF]] = True
    return mask
