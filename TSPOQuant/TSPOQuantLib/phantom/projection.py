"""Parallel projections of a slice: which ray sees how much of which pixel, with or without time of flight.

Every axial plane is projected for itself, as after rebinning: the oblique rays of a real scanner are taken as already
assigned to the planes they cross in their middle, without the small axial loss that this has off the axis.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import ndtr

Doubles = NDArray[np.float64]

TOF_BIN_MM = 45.0
TOF_FWHM_MM = 60.0
"""400 ps, as of present scanners (assumption)."""
FWHM_PER_SIGMA = float(np.sqrt(8 * np.log(2)))
GOLDEN = (np.sqrt(5) - 1) / 2
LEAST_SHARE = 1e-4
"""Shares of a pixel's time-of-flight below this are left out."""


@dataclass(frozen=True)
class Rays:
    """The rays of one plane, in the order (subset, angle of it, time-of-flight bin, radial bin).

    Angles are spread evenly over half a turn; each subset's are, too. tof_bins: 1 is no time of flight.
    """

    subsets: int
    angles_a_subset: int
    bins: int
    bin_mm: float
    tof_bins: int = 1

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.subsets, self.angles_a_subset, self.tof_bins, self.bins

    @property
    def edges_mm(self) -> Doubles:
        """Edges (bins + 1,) along the detector, 0 in the middle."""
        return np.asarray(self.bin_mm * (np.arange(self.bins + 1) - self.bins / 2))

    def angles(self, subset: int) -> Doubles:
        """Radians (angles,); subsets that follow each other lie far apart."""
        order = np.argsort(np.arange(self.subsets) * GOLDEN % 1)
        every = np.pi / (self.subsets * self.angles_a_subset)
        return np.asarray((order[subset] + self.subsets * np.arange(self.angles_a_subset)) * every)


def footprint(distance: Doubles, width: float, depth: float) -> Doubles:
    """The share of a pixel's strip integral below ``distance`` from its middle, 0 to 1.

    Two boxes (the pixel's sides seen from the angle) folded with each other, integrated [elementary].
    """
    a, b = max(width, depth), max(min(width, depth), 1e-3 * max(width, depth))
    total = np.zeros_like(distance)
    for sign, shift in ((1, (a + b) / 2), (-1, (a - b) / 2), (-1, (b - a) / 2), (1, -(a + b) / 2)):
        total += sign * np.maximum(distance + shift, 0) ** 2 / 2
    return total / (a * b)


def ray_matrix(x_mm: Doubles, y_mm: Doubles, pixel_mm: tuple[float, float], rays: Rays, angles: Doubles) -> csr_matrix:
    """(pixels, angles * tof bins * radial bins): length in mm by which each ray, a strip one bin wide, meets a pixel.

    x_mm, y_mm: (pixels,) centers from the middle of the scanner. The transposed matrix projects.
    """
    wx, wy = pixel_mm
    first_edge, last = rays.edges_mm[0], rays.bins - 1
    steps = int(np.ceil(np.hypot(wx, wy) / rays.bin_mm)) + 1
    tof_edges = TOF_BIN_MM * (np.arange(1, rays.tof_bins) - rays.tof_bins / 2)
    columns = np.empty((x_mm.size, angles.size, rays.tof_bins, steps), np.int32)
    lengths = np.empty(columns.shape, np.float32)
    for n, angle in enumerate(angles):
        cosine, sine = float(np.cos(angle)), float(np.sin(angle))
        across = x_mm * cosine + y_mm * sine
        reach = (wx * abs(cosine) + wy * abs(sine)) / 2
        first = np.floor((across - reach - first_edge) / rays.bin_mm).astype(np.int32)
        edges = first_edge + rays.bin_mm * (first[:, None] + np.arange(steps + 1))
        share = np.diff(footprint(edges - across[:, None], wx * abs(cosine), wy * abs(sine)), axis=1)
        along = (y_mm * cosine - x_mm * sine)[:, None]
        below = ndtr((tof_edges - along) * FWHM_PER_SIGMA / TOF_FWHM_MM)
        when = np.diff(below, axis=1, prepend=0, append=1)
        lengths[:, n] = (wx * wy / rays.bin_mm) * when[:, :, None] * share[:, None]
        radial = first[:, None, None] + np.arange(steps)
        columns[:, n] = (n * rays.tof_bins + np.arange(rays.tof_bins)[:, None]) * rays.bins + np.clip(radial, 0, last)
        lengths[:, n][np.broadcast_to((radial < 0) | (radial > last), lengths[:, n].shape)] = 0
    row = columns[0].size
    matrix = csr_matrix(
        (lengths.ravel(), columns.ravel(), np.arange(x_mm.size + 1) * row),
        shape=(x_mm.size, angles.size * rays.tof_bins * rays.bins),
    )
    matrix.data[matrix.data < LEAST_SHARE * wx * wy / rays.bin_mm] = 0
    matrix.eliminate_zeros()
    return matrix
