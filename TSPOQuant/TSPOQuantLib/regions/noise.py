"""A CT whose noise hides where bone ends, and the same smoothed."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..acquisition.image import Volume
from ..grid import Grid

# None of these is published: choices.
NOISY_HU, QUIET_HU = 60.0, 30.0
"""Noise of a CT's voxels (SD) above which it is smoothed, and what is then left of it: bone is told from 150 HU on."""
SOFT_HU = 150.0
"""Soft tissue lies between this and its negative."""
SLICES = 0.9
"""Share of the slices that are less noisy than what counts: shoulders make the lower ones worse."""
NORMAL_MEDIAN, FWHM_PER_SD = 0.6745, 2.3548
"""Of a normal distribution: median of the absolute value over the SD, and full width at half maximum over it."""


def quieted(ct: Volume, masks: Iterable[NDArray[np.bool_]], grid: Grid, keep_hu: float) -> tuple[Volume, float]:
    """A CT smoothed until its noise is ``QUIET_HU`` where it is above ``NOISY_HU``, and by how much: FWHM in mm, or 0.

    masks, on ``grid``: around them noise counts. keep_hu: voxels above it, metal, stay as they are. A Gaussian of
    s voxels (SD) leaves 1 / (2 sqrt(pi) s)^(3/2) of noise that is independent between voxels [textbook].
    """
    drawn = [np.argwhere(mask)[:, ::-1].astype(float) for mask in masks]
    noise = noise_hu(ct, grid.to_lps(np.concatenate(drawn))) if drawn else 0.0
    if noise <= NOISY_HU:
        return ct, 0.0
    width = (noise / QUIET_HU) ** (2 / 3) / (2 * np.sqrt(np.pi))
    smoothed = np.where(ct.values > keep_hu, ct.values, gaussian_filter(ct.values, width))
    blur_mm = float(FWHM_PER_SD * width * max(ct.grid.spacing_mm))
    return replace(ct, values=smoothed.astype(ct.values.dtype)), blur_mm


def noise_hu(ct: Volume, points: NDArray[np.float64]) -> float:
    """SD of a voxel's noise in soft tissue in the box around points (n, 3), LPS mm, in all but the noisiest slices:
    from the median difference of each slice's voxels from the next one's. 0 where there is no soft tissue."""
    index = ct.grid.to_ijk(points)[:, ::-1]
    low = np.clip(np.floor(index.min(axis=0)), 0, None).astype(int)
    high = np.clip(np.ceil(index.max(axis=0)) + 1, 0, None).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    near = ct.values[box].astype(float)
    pairs = zip(near[1:], near[:-1], strict=True)
    differences = [(one - other)[np.abs(one + other) < 2 * SOFT_HU] for one, other in pairs]
    medians = [float(np.median(np.abs(some))) for some in differences if some.size]
    return float(np.quantile(medians, SLICES) / NORMAL_MEDIAN / np.sqrt(2)) if medians else 0.0
