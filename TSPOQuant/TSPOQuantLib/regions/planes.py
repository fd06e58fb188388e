"""The planes in which a region is looked at: the body's own, and those of a foramen's canal."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from ..acquisition.image import Volume
from ..levels import LEVELS
from .anatomy import Anatomy
from .foramen import canal_axes
from .region import Region
from .vertebra import axes_about

Floats = NDArray[np.float64]
Plane = Literal["axial", "sagittal", "coronal", "across canal", "along canal"]
PLANES: tuple[str, ...] = get_args(Plane)

LEFT, POSTERIOR, UP = np.eye(3)
PIXELS = 512
"""A picture's rows and columns."""
_BODY = {
    "axial": np.stack([LEFT, -POSTERIOR], axis=1),
    "sagittal": np.stack([POSTERIOR, UP], axis=1),
    "coronal": np.stack([LEFT, UP], axis=1),
}
_LETTERS = ("RL", "AP", "IS")
CLEAR = 0.5
"""An axis is named at a picture's edge when it makes up at least this much of its direction: a choice."""


def center_of(region: Region) -> Floats:
    """(3,) LPS mm: the middle of a region's voxels."""
    return region.grid.to_lps(np.argwhere(region.mask).mean(axis=0)[::-1])


def plane_of(anatomy: Anatomy, plane: str, foramina: Mapping[tuple[str, str], Floats]) -> Floats:
    """(3, 2) unit columns in LPS: what is to the right and what is up in a picture of a region.

    plane: "across canal" is at right angles to a foramen's canal, which it shows as a hole, the front on the left;
    "along canal" holds the canal, seen from below as an axial slice is. For what is no foramen they are the sagittal
    and the axial plane. foramina: see ``foramen_centers``; the canal's direction is the published one
    (regions.canal) about the spine as they show it. Raises ValueError for another plane.
    """
    if plane in _BODY:
        return _BODY[plane]
    if plane not in PLANES:
        raise ValueError(f"plane must be one of {', '.join(PLANES)}")
    if anatomy.structure != "foramen" or anatomy.side == "midline":
        return _BODY["sagittal" if plane == "across canal" else "axial"]
    spine = spine_axes(anatomy.level, foramina)
    _, up, across = (spine @ canal_axes(1.0 if anatomy.side == "left" else -1.0, anatomy.level.startswith("L"))).T
    if plane == "across canal":
        return np.stack([across, up], axis=1)
    right = spine[:, 0] - up * (up @ spine[:, 0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(right, up)], axis=1)  # left × up is to the front


def foramen_centers(regions: Sequence[Region]) -> dict[tuple[str, str], Floats]:
    """Where each drawn foramen lies, by level and side: (3,) LPS mm."""
    drawn = [region for region in regions if region.anatomy.structure == "foramen" and region.mask.any()]
    return {(region.anatomy.level, region.anatomy.side): center_of(region) for region in drawn}


def spine_axes(level: str, foramina: Mapping[tuple[str, str], Floats]) -> Floats:
    """(3, 3) unit columns (left, posterior, up) of the spine at a foramen's level, LPS.

    Up runs through the middles between both foramina of the levels around it, left from the right one to the left one;
    without them they are the body's.
    """
    order = list(LEVELS)
    at = order.index(level) if level in order else -1
    middles = [
        (foramina[near, "left"] + foramina[near, "right"]) / 2
        for near in order[max(at - 1, 0) : at + 2]
        if (near, "left") in foramina and (near, "right") in foramina
    ]
    up = middles[0] - middles[-1] if len(middles) > 1 else UP  # LEVELS runs downward
    both = (level, "left") in foramina and (level, "right") in foramina
    return axes_about(up, foramina[level, "left"] - foramina[level, "right"] if both else LEFT)


def corners_of(region: Region) -> Floats:
    """(8, 3) LPS mm: the corners of the box around a region's voxels."""
    drawn = np.argwhere(region.mask)[:, ::-1]
    ends = (drawn.min(axis=0) - 0.5, drawn.max(axis=0) + 0.5)
    return region.grid.to_lps(np.array([[i[0], j[1], k[2]] for i in ends for j in ends for k in ends]))


def highest_in(region: Region, volume: Volume) -> float:
    """The highest value of an image, between its voxels linear, at the middles of a region's voxels."""
    points = region.grid.to_lps(np.argwhere(region.mask)[:, ::-1].astype(float))
    index = volume.grid.to_ijk(points)[:, ::-1]
    return float(map_coordinates(volume.values, index.T, order=1, mode="nearest").max())


def plane_points(center_lps: Floats, axes_lps: Floats, size_mm: float, pixels: int = PIXELS) -> Floats:
    """(pixels, pixels, 3) LPS mm: where the pixels of a square picture lie, first row on top.

    center_lps: (3,), the picture's middle, which is the left upper corner of a pixel, as in Slicer's views. axes_lps:
    (3, 2), what is to its right and up.
    """
    across = (np.arange(pixels) / pixels - 0.5) * size_mm
    return center_lps + across[None, :, None] * axes_lps[:, 0] + across[::-1, None, None] * axes_lps[:, 1]


def cut_by_plane(region: Region, points_lps: Floats) -> NDArray[np.bool_]:
    """Where a picture's points (rows, columns, 3) show a region: trilinear between voxels, cut at one half."""
    index = region.grid.to_ijk(points_lps)[..., ::-1]
    values = map_coordinates(region.mask.astype(np.float32), np.moveaxis(index, -1, 0), order=1, cval=0.0)
    return np.asarray(values >= 0.5)


def edge_letters(direction: Floats) -> str:
    """What lies that way: the patient's left (L), right (R), front (A), back (P), head (S), feet (I), or two of them.

    direction: (3,) LPS, of length 1.
    """
    order = np.argsort(-np.abs(direction))
    return "".join(_LETTERS[axis][int(direction[axis] > 0)] for axis in order if abs(direction[axis]) >= CLEAR)
