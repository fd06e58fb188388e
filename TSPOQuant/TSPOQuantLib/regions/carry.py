"""Regions of one visit at the other visit: carried level by level, and drawn on that visit's voxels once."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..acquisition.segmentation import Segmentation
from ..alignment.visits import VisitAlignment
from ..grid import Grid
from ..messages import Notice, named
from .anatomy import CARRIED_TAG
from .planes import center_of
from .region import Region, region_of
from .sampling import coverage

WHOLE = 0.9
"""Of a region's volume that must lie within the other visit's CT or MR, or it is told to be cut off (a choice)."""
HALF = 0.5
"""A voxel of the new grid belongs to the region when at least half of it is covered."""


def level_points(regions: Sequence[Region]) -> dict[str, NDArray[np.float64]]:
    """Where each level lies: the centers (n, 3) of its foramina, LPS mm; those of the cord's pieces without any."""
    for structure in ("foramen", "cord"):
        points: dict[str, list[NDArray[np.float64]]] = {}
        for region in regions:
            if region.anatomy.structure == structure and region.anatomy.level and region.mask.any():
                points.setdefault(region.anatomy.level, []).append(center_of(region))
        if points:
            return {level: np.array(centers) for level, centers in points.items()}
    return {}


def carry_segmentation(drawn: Segmentation, alignment: VisitAlignment, grid: Grid, visit: str) -> Segmentation:
    """All segments of another visit on the grid of this one's CT, tagged and told as carried from ``visit``.

    A foramen goes as a whole with the level nearest to it, everything else voxel by voxel, since the cord and the
    vessels reach over several levels and bend with them. Segments without voxels stay empty.
    """
    segments, cut = [], []
    for segment in drawn.segments:
        region = region_of(segment, drawn.grid)
        covered = np.zeros(np.prod(grid.shape))
        for part, matrix in _parts(region, alignment):
            found = coverage(_moved(part, matrix, visit), grid)
            covered[found.voxels] += found.fractions
        mask = covered.reshape(grid.shape) >= HALF
        if covered.sum() * grid.voxel_volume_mm3 < WHOLE * region.volume_mm3:
            cut.append(region.name)
        segments.append(replace(segment, mask=mask, tags={**segment.tags, CARRIED_TAG: visit}))
    residuals = [level.residual_mm for level in alignment.levels]
    carried = Notice(
        "regions-carried",
        "the regions are those of {visit}, carried to this visit's CT or MR level by level (surfaces there agree "
        "to {lowest:.1f} to {highest:.1f} mm); look at them on it and correct them where they are off",
        visit=visit,
        lowest=min(residuals),
        highest=max(residuals),
    )
    beyond = Notice(
        "regions-carried-cut",
        "this visit's CT or MR does not show all of where {names} would lie: what is beyond it was cut off, and what "
        "is left is no measure of the whole; draw it anew or leave it out",
        names=named(cut),
    )
    notices = (*drawn.notices, *alignment.notices, *((beyond,) if cut else ()), carried)
    return Segmentation(grid, tuple(segments), notices, undrawn=drawn.undrawn)


def _parts(region: Region, alignment: VisitAlignment) -> list[tuple[Region, NDArray[np.float64]]]:
    """The region in pieces, each with the transform that it goes with; none where it has no voxel."""
    voxels = np.argwhere(region.mask)
    if len(voxels) == 0:
        return []
    if region.anatomy.structure == "foramen":
        return [(region, alignment.nearest(center_of(region)).to_other)]
    points = region.grid.to_lps(voxels[:, ::-1].astype(float))
    nearest = np.argmin([np.linalg.norm(points - level.center_lps, axis=1) for level in alignment.levels], axis=0)
    parts = []
    for number in np.unique(nearest):
        mask = np.zeros_like(region.mask)
        mask[tuple(voxels[nearest == number].T)] = True
        parts.append((replace(region, mask=mask), alignment.levels[number].to_other))
    return parts


def _moved(region: Region, matrix: NDArray[np.float64], visit: str) -> Region:
    return replace(region, grid=Grid(region.grid.shape, matrix @ region.grid.ijk_to_lps), carried_from=visit)


def drawn_on(region: Region, grid: Grid) -> NDArray[np.bool_]:
    """The region as voxels (k, j, i) of another grid, such as the visit's own CT, where it can be edited."""
    covered = coverage(region, grid)
    mask = np.zeros(grid.shape, dtype=bool)
    mask.flat[covered.voxels[covered.fractions >= HALF]] = True
    return mask
