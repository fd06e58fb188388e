"""The planes in which a region is looked at: the body's own, and those of a foramen's canal."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from .anatomy import FORAMINA, Anatomy
from .proposals import canal_axes
from .region import Region

Floats = NDArray[np.float64]
Plane = Literal["axial", "sagittal", "coronal", "across canal", "along canal"]
PLANES: tuple[str, ...] = get_args(Plane)

LEFT, POSTERIOR, UP = np.eye(3)
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


def plane_of(region: Region, plane: str, regions: Sequence[Region] = ()) -> Floats:
    """(3, 2) unit columns in LPS: what is to the right and what is up in a picture of a region.

    plane: "across canal" is at right angles to a foramen's canal, which it shows as a hole, the front on the left;
    "along canal" holds the canal, seen from below as an axial slice is. For what is no foramen they are the sagittal
    and the axial plane. The canal's direction is the published one (regions.canal), about the spine as the foramina
    among ``regions`` show it. Raises ValueError for another plane.
    """
    if plane in _BODY:
        return _BODY[plane]
    if plane not in PLANES:
        raise ValueError(f"plane must be one of {', '.join(PLANES)}")
    if region.anatomy.structure != "foramen" or region.anatomy.side == "midline":
        return _BODY["sagittal" if plane == "across canal" else "axial"]
    spine = spine_axes(region.anatomy, regions)
    _, up, across = (spine @ canal_axes(1.0 if region.anatomy.side == "left" else -1.0)).T
    if plane == "across canal":
        return np.stack([across, up], axis=1)
    right = spine[:, 0] - up * (up @ spine[:, 0])
    right /= np.linalg.norm(right)
    forward = np.cross(right, up)  # left × up is anterior in LPS
    return np.stack([right, forward], axis=1)


def spine_axes(anatomy: Anatomy, regions: Sequence[Region]) -> Floats:
    """(3, 3) unit columns (left, posterior, up) of the spine at a foramen's level, LPS.

    Up runs through the middles between both foramina of the levels around it, left from the right one to the left one;
    without them they are the body's.
    """
    centers = {(r.anatomy.level, r.anatomy.side): center_of(r) for r in regions if _is_drawn_foramen(r)}
    order = list(FORAMINA)
    at = order.index(anatomy.level) if anatomy.level in order else -1
    middles = [
        (centers[level, "left"] + centers[level, "right"]) / 2
        for level in order[max(at - 1, 0) : at + 2]
        if (level, "left") in centers and (level, "right") in centers
    ]
    up = middles[0] - middles[-1] if len(middles) > 1 else UP  # FORAMINA runs downward
    up = up / np.linalg.norm(up)
    pair = [centers.get((anatomy.level, side)) for side in ("left", "right")]
    left = LEFT if pair[0] is None or pair[1] is None else pair[0] - pair[1]
    left = left - up * (up @ left)
    left /= np.linalg.norm(left)
    return np.stack([left, np.cross(up, left), up], axis=1)


def corners_of(region: Region) -> Floats:
    """(8, 3) LPS mm: the corners of the box around a region's voxels."""
    drawn = np.argwhere(region.mask)[:, ::-1]
    ends = (drawn.min(axis=0) - 0.5, drawn.max(axis=0) + 0.5)
    return region.grid.to_lps(np.array([[i[0], j[1], k[2]] for i in ends for j in ends for k in ends]))


def cut_by_plane(
    region: Region, center_lps: Floats, axes_lps: Floats, size_mm: float, pixels: int
) -> NDArray[np.bool_]:
    """Where a picture (pixels, pixels), first row on top, shows a region: trilinear between voxels, cut at one half.

    center_lps: (3,), the picture's middle. axes_lps: (3, 2), what is to its right and up.
    """
    across = (np.arange(pixels) / pixels - 0.5) * size_mm
    points = center_lps + across[None, :, None] * axes_lps[:, 0] + across[::-1, None, None] * axes_lps[:, 1]
    index = region.grid.to_ijk(points)[..., ::-1]
    values = map_coordinates(region.mask.astype(np.float32), np.moveaxis(index, -1, 0), order=1, cval=0.0)
    return np.asarray(values >= 0.5)


def edge_letters(direction: Floats) -> str:
    """What lies that way: the patient's left (L), right (R), front (A), back (P), head (S), feet (I), or two of them.

    direction: (3,) LPS, of length 1.
    """
    order = np.argsort(-np.abs(direction))
    return "".join(_LETTERS[axis][int(direction[axis] > 0)] for axis in order if abs(direction[axis]) >= CLEAR)


def _is_drawn_foramen(region: Region) -> bool:
    return region.anatomy.structure == "foramen" and bool(region.mask.any())
