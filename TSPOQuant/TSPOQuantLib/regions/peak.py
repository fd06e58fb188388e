"""The largest voxel, the hottest cubic centimeter and the scatter of a region in one image."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..acquisition.image import Volume
from .region import Region
from .sampling import coverage

PEAK_MM3 = 1000.0
"""SUVpeak: the highest mean of a sphere of 1 cm³ (10.1186/s13550-016-0177-8), here one centered on a voxel of the
region. It reaches beyond a region that is smaller or narrower, as a foramen is."""
STEP_MM = 0.3
"""Distance of the points that tell how much of a voxel lies in the sphere: a choice. Its volume is met to 0.5 %."""


@dataclass(frozen=True)
class Hottest:
    """Of one region in one image, in the image's unit; peak: nan where no sphere lies within the field.

    sd: over the voxels of the region, each by the share that the region covers.
    """

    maximum: float
    peak: float
    sd: float


def hottest(volume: Volume, region: Region, minimum_coverage: float) -> Hottest:
    """The voxels are those of the region's mean: covered by at least ``minimum_coverage``, which some are."""
    covered = coverage(region, volume.grid)
    keep = covered.fractions >= minimum_coverage
    voxels, weights = covered.voxels[keep], covered.fractions[keep]
    values = volume.values.reshape(-1)[voxels].astype(float)
    mean = np.average(values, weights=weights)
    return Hottest(
        maximum=float(values.max()),
        peak=_peak(volume, voxels),
        sd=math.sqrt(np.average((values - mean) ** 2, weights=weights)),
    )


@cache  # the same for every region of an image
def sphere(spacing_mm: tuple[float, float, float]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Voxels of the peak's sphere round the middle of a voxel: offsets (n, 3) as k, j, i, and how much of each lies in
    it. spacing_mm: along i, j, k."""
    radius = (PEAK_MM3 * 3 / (4 * math.pi)) ** (1 / 3)
    spacing = np.array(spacing_mm)[::-1]
    reach = np.ceil(radius / spacing + 0.5).astype(int)
    offsets = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1).reshape(-1, 3)
    steps = [(np.arange(n) + 0.5) / n - 0.5 for n in np.ceil(spacing / STEP_MM).astype(int)]
    parts = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3)
    inside = np.linalg.norm((offsets[:, None] + parts) * spacing, axis=-1) <= radius
    shares = inside.mean(axis=1)
    return offsets[shares > 0], shares[shares > 0]


def _peak(volume: Volume, voxels: NDArray[np.intp]) -> float:
    offsets, shares = sphere(volume.grid.spacing_mm)
    shape = np.array(volume.grid.shape)
    centers = np.stack(np.unravel_index(voxels, volume.grid.shape), -1)
    centers = centers[((centers + offsets.min(0) >= 0) & (centers + offsets.max(0) < shape)).all(axis=1)]
    if not len(centers):
        return math.nan
    where = centers[:, None] + offsets
    means = volume.values[where[..., 0], where[..., 1], where[..., 2]] @ shares / shares.sum()
    return float(means.max())
