"""Two segmentations of one visit: how well two observers, or an observer and a proposal, agree."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..messages import InputRefused, Notice
from .foramen import canal_axes
from .planes import center_of, foramen_centers, spine_axes
from .region import Region

ONE_IMAGE_MM = 50.0
"""Farther apart than this, two levels or more, no two regions of one place were drawn on one image: a choice."""
OTHER_SIDE = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class Agreement:
    """One region of both; other: its name in the second.

    dice: overlap, 0 to 1. distance_mm: between centers; along_mm, across_mm: of it, along the canal (outward positive,
    None for what is no foramen) and at right angles to it. volume_ratio: second over first.
    """

    region: str
    dice: float
    distance_mm: float
    along_mm: float | None
    across_mm: float | None
    volume_ratio: float
    other: str = ""


def agreements(first: Sequence[Region], second: Sequence[Region]) -> tuple[Agreement, ...]:
    """The regions that both hold, matched by structure, level and side, else by name; empty ones are left out.

    Raises InputRefused "regions-unlike" where they share none, "regions-apart" where all are far from each other.
    """
    others = {_key(drawn): drawn for drawn in second if drawn.mask.any()}
    centers = foramen_centers(first)
    agreed = []
    for region in first:
        other = others.get(_key(region))
        if other is None or not region.mask.any():
            continue
        step = center_of(other) - center_of(region)
        along = across = None
        if region.anatomy.structure == "foramen" and region.anatomy.side in ("left", "right"):
            sign = 1.0 if region.anatomy.side == "left" else -1.0
            level = region.anatomy.level
            outward = (spine_axes(level, centers) @ canal_axes(sign, level.startswith("L")))[:, 0]
            along = float(step @ outward)
            across = float(np.linalg.norm(step - along * outward))
        # Each one's voxels are looked up in the other: exact on one grid, good to half a voxel on two.
        dice = (_inside(region, other) + _inside(other, region)) / (region.volume_mm3 + other.volume_mm3)
        ratio = other.volume_mm3 / region.volume_mm3
        agreed.append(Agreement(region.name, dice, float(np.linalg.norm(step)), along, across, ratio, other.name))
    if not agreed:
        raise InputRefused(
            "regions-unlike", "the two segmentations share no region of one structure, level and side; check the files"
        )
    nearest = min(agreement.distance_mm for agreement in agreed)
    if nearest > ONE_IMAGE_MM:
        raise InputRefused(
            "regions-apart",
            "every region of the one lies at least {nearest:.0f} mm from that of the other: the two were not drawn on "
            "one image; give two segmentations of one visit",
            nearest=nearest,
        )
    return tuple(agreed)


def swapped_sides(first: Sequence[Region], second: Sequence[Region]) -> tuple[Notice, ...]:
    """Tell ("sides-swapped") where every foramen of a side lies nearer to the second's of the other side."""
    others = {drawn.anatomy.place: center_of(drawn) for drawn in second if drawn.mask.any()}
    apart = []
    for region in first:
        structure, level, side = region.anatomy.place
        pair = [others.get((structure, level, place)) for place in (side, OTHER_SIDE.get(side, side))]
        if (
            structure == "foramen"
            and side in OTHER_SIDE
            and region.mask.any()
            and pair[0] is not None
            and pair[1] is not None
        ):
            here = center_of(region)
            apart.append((np.linalg.norm(pair[0] - here), np.linalg.norm(pair[1] - here)))
    if not apart or any(same <= across for same, across in apart):
        return ()
    return (
        Notice(
            "sides-swapped",
            "every foramen of one side lies nearer to that of the other side in the other segmentation: in one of the "
            "two, left and right are swapped; correct it",
        ),
    )


def placement_mm(agreed: Sequence[Agreement]) -> float | None:
    """What one observer's placement errs along each axis (SD), from how far the foramina of two lie apart.

    Each observer errs alike: the squared distance of two is on average 2 x 3 x SD^2. None without two foramina.
    """
    apart = [agreement.distance_mm for agreement in agreed if agreement.along_mm is not None]
    return float(np.sqrt(np.mean(np.square(apart)) / 6)) if len(apart) > 1 else None


def _key(region: Region) -> tuple[str, ...]:
    anatomy = region.anatomy
    if anatomy.structure == "other":
        return ("other", region.name)
    return anatomy.place


def _inside(one: Region, other: Region) -> float:
    """mm3 of the voxels whose middles lie in the other region."""
    points = one.grid.to_lps(np.argwhere(one.mask)[:, ::-1].astype(float))
    index = np.round(other.grid.to_ijk(points)).astype(int)[:, ::-1]
    within = ((index >= 0) & (index < np.array(other.mask.shape))).all(axis=1)
    return float(np.count_nonzero(other.mask[tuple(index[within].T)])) * one.grid.voxel_volume_mm3
