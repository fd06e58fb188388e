"""The curved axis of the neck, and the coordinates (left, posterior, along) that follow it.

The axis is the line of the posterior walls of the vertebral bodies. It is straight within each vertebra and bends,
as an arc, only within the discs: so a vertebra keeps its shape when the neck flexes, and a disc becomes a wedge.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

AXIS_STEP_MM = 0.1
TABLE_STEP_MM = 1.0
TAIL_MM = 40.0


@dataclass(frozen=True, eq=False)
class Spine:
    """Samples of the axis every ``AXIS_STEP_MM``, from below upwards, in the neck's own LPS frame.

    along_mm: arc length, 0 at the lower end plate of the lowest vertebra.
    x_mm, y_mm, z_mm: position (x only from scoliosis). tilt_rad: forward lean of the axis from the vertical.
    """

    along_mm: Doubles
    x_mm: Doubles
    y_mm: Doubles
    z_mm: Doubles
    tilt_rad: Doubles

    def to_lps(self, left_mm: float, posterior_mm: float, along_mm: float) -> Doubles:
        """The point (3,) in the neck's LPS frame of one point in coordinates of the spine."""
        curves = (self.x_mm, self.y_mm, self.z_mm, self.tilt_rad)
        x, y, z, tilt = (np.interp(along_mm, self.along_mm, curve) for curve in curves)
        return np.array([x + left_mm, y + posterior_mm * np.cos(tilt), z + posterior_mm * np.sin(tilt)])

    def axes(self, along_mm: float) -> Doubles:
        """Unit vectors (3, 3) of the spine's frame there: columns left, posterior, along."""
        tilt = float(np.interp(along_mm, self.along_mm, self.tilt_rad))
        return np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])


def bent_spine(
    starts_mm: Sequence[float], ends_mm: Sequence[float], tilts_deg: Sequence[float], scoliosis_mm: float
) -> Spine:
    """The axis through vertebrae, lowest first, each straight from start to end (arc lengths) with its own tilt.

    scoliosis_mm: sideways shift at mid-neck, a half sine along the neck.
    """
    along = np.arange(starts_mm[0] - TAIL_MM, ends_mm[-1] + TAIL_MM, AXIS_STEP_MM)
    knots = np.stack([starts_mm, ends_mm], axis=1).ravel()
    tilt = np.interp(along, knots, np.deg2rad(np.repeat(tilts_deg, 2)))
    y = np.concatenate([[0.0], np.cumsum(-np.sin((tilt[1:] + tilt[:-1]) / 2) * AXIS_STEP_MM)])
    z = np.concatenate([[0.0], np.cumsum(np.cos((tilt[1:] + tilt[:-1]) / 2) * AXIS_STEP_MM)])
    middle = int(np.searchsorted(along, (starts_mm[0] + ends_mm[-1]) / 2))
    height = ends_mm[-1] - starts_mm[0]
    x = scoliosis_mm * np.sin(np.pi * np.clip((along - starts_mm[0]) / height, 0, 1))
    return Spine(along, x, y - y[middle], z - z[middle], tilt)


@dataclass(frozen=True, eq=False)
class SpineTable:
    """The spine's coordinates tabulated over the sagittal plane of the neck's frame, for many points at once."""

    spine: Spine
    origin_yz_mm: Doubles
    along_mm: Floats
    posterior_mm: Floats

    def to_spine(self, x_mm: Floats, y_mm: Floats, z_mm: Floats) -> tuple[Floats, Floats, Floats]:
        """Points (n,) of the neck's LPS frame to (left, posterior, along) in mm, by the nearest point of the axis."""
        index = np.stack([y_mm - self.origin_yz_mm[0], z_mm - self.origin_yz_mm[1]]) / np.float32(TABLE_STEP_MM)
        along = map_coordinates(self.along_mm, index, order=1, mode="nearest")
        posterior = map_coordinates(self.posterior_mm, index, order=1, mode="nearest")
        shift = np.interp(along, self.spine.along_mm, self.spine.x_mm).astype(np.float32)
        return x_mm - shift, posterior, along


def tabulated(spine: Spine, low_yz_mm: Sequence[float], high_yz_mm: Sequence[float]) -> SpineTable:
    """Tabulate the coordinates between two corners (y, z) of the sagittal plane."""
    y = np.arange(low_yz_mm[0], high_yz_mm[0] + TABLE_STEP_MM, TABLE_STEP_MM)
    z = np.arange(low_yz_mm[1], high_yz_mm[1] + TABLE_STEP_MM, TABLE_STEP_MM)
    points = np.stack(np.meshgrid(y, z, indexing="ij"), axis=-1)
    _, nearest = cKDTree(np.stack([spine.y_mm, spine.z_mm], axis=1)).query(points)
    dy, dz = points[..., 0] - spine.y_mm[nearest], points[..., 1] - spine.z_mm[nearest]
    sine, cosine = np.sin(spine.tilt_rad[nearest]), np.cos(spine.tilt_rad[nearest])
    along = spine.along_mm[nearest] - dy * sine + dz * cosine
    posterior = dy * cosine + dz * sine
    return SpineTable(spine, np.array([y[0], z[0]]), along.astype(np.float32), posterior.astype(np.float32))
