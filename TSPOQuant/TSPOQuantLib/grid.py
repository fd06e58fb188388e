"""Where voxels are: the one geometry class that every room shares."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular voxel grid in patient space.

    shape: (slices k, rows j, columns i), the order of the numpy arrays that live on this grid.
    ijk_to_lps: 4 x 4, maps the homogeneous voxel index (i, j, k, 1) of a voxel's center to LPS millimeters.
    """

    shape: tuple[int, int, int]
    ijk_to_lps: NDArray[np.float64]

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centers along i, j and k, in mm."""
        i, j, k = np.linalg.norm(self.ijk_to_lps[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def voxel_volume_mm3(self) -> float:
        return float(abs(np.linalg.det(self.ijk_to_lps[:3, :3])))

    @property
    def upward_axis(self) -> int:
        """The axis (0, 1, 2 for i, j, k) that runs most along the body: scanners write k, some programs another."""
        return int(np.argmax(np.abs(self.ijk_to_lps[2, :3]) / self.spacing_mm))

    @property
    def centers(self) -> NDArray[np.float64]:
        """(k, j, i, 3) LPS mm of every voxel's center."""
        k, j, i = np.indices(self.shape)
        return self.to_lps(np.stack([i, j, k], axis=-1).astype(float))

    @property
    def corners(self) -> NDArray[np.float64]:
        """(8, 3) LPS mm of the outermost voxels' centers."""
        far = np.array(self.shape[::-1], dtype=float) - 1
        return self.to_lps(np.array([[i, j, k] for i in (0, far[0]) for j in (0, far[1]) for k in (0, far[2])]))

    def part(self, first: Sequence[int], shape: Sequence[int]) -> "Grid":
        """The grid of ``shape`` (k, j, i) of the voxels, from voxel ``first`` (k, j, i) on."""
        matrix = self.ijk_to_lps.copy()
        matrix[:3, 3] = self.to_lps(np.array(first[::-1], dtype=float))
        k, j, i = map(int, shape)
        return Grid((k, j, i), matrix)

    def box_around(self, points_lps: NDArray[np.float64], margin_mm: float) -> tuple[slice, slice, slice]:
        """The box (k, j, i) of the voxels that touch the box in LPS around points (n, 3) and a margin; never empty."""
        low, high = points_lps.min(axis=0) - margin_mm, points_lps.max(axis=0) + margin_mm
        corners = np.array(
            [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
        )
        index, last = self.to_ijk(corners)[:, ::-1], np.array(self.shape) - 1
        begin = np.clip(np.floor(index.min(axis=0)), 0, last).astype(int)
        end = np.clip(np.ceil(index.max(axis=0)), begin, last).astype(int) + 1
        k, j, i = (slice(int(a), int(b)) for a, b in zip(begin, end, strict=True))
        return k, j, i

    def to_lps(self, ijk: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (..., 3) in voxel indices (i, j, k) to LPS mm."""
        return np.asarray(ijk @ self.ijk_to_lps[:3, :3].T + self.ijk_to_lps[:3, 3])

    def to_ijk(self, lps_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (..., 3) in LPS mm to continuous voxel indices (i, j, k)."""
        inverse = np.linalg.inv(self.ijk_to_lps)
        return np.asarray(lps_mm @ inverse[:3, :3].T + inverse[:3, 3])

    def same_as(self, other: "Grid", tolerance_mm: float = 1e-3) -> bool:
        """Whether both grids have the same shape and every voxel center agrees within ``tolerance_mm``."""
        if self.shape != other.shape:
            return False
        return bool(np.abs(self.corners - other.corners).max() <= tolerance_mm)


def box_of(values: NDArray[np.generic]) -> tuple[slice, slice, slice]:
    """The box (k, j, i) that holds all voxels that are not 0, of which there must be one.

    Slices are looked at first, which lie one after the other; only what is left of them for the other two axes.
    """
    k = np.flatnonzero(np.any(values, axis=(1, 2)))
    slices = slice(int(k[0]), int(k[-1]) + 1)
    seen = np.any(values[slices], axis=0)
    j, i = (np.flatnonzero(np.any(seen, axis=axis)) for axis in (1, 0))
    return slices, slice(int(j[0]), int(j[-1]) + 1), slice(int(i[0]), int(i[-1]) + 1)
