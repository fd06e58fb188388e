"""The tissue around the blood pool, whose activity spills into it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..acquisition.image import DynamicImage
from .region import Region
from .sampling import coverage

INNER_MM, OUTER_MM = 6.0, 12.0
"""The shell around the blood pool that stands for the tissue: far enough for the vessel's own spill-out to have
faded at usual resolutions, near enough to be its neighbor. A choice, not published."""


def surround(
    image: DynamicImage,
    pool: Region,
    regions: Sequence[Region],
    region_to_frame: Sequence[NDArray[np.float64]] | None = None,
) -> NDArray[np.float64] | None:
    """Mean activity (frames,) in kBq/mL of the shell around ``pool`` that no region touches; None if it is empty.

    With motion the shell is carried along in each frame.
    """
    means = np.empty(len(image.timing))
    shell: NDArray[np.intp] | None = None
    for frame in range(len(means)):
        if shell is None or region_to_frame is not None:
            shell = _shell(image, pool, regions, None if region_to_frame is None else region_to_frame[frame])
        if shell.size == 0:
            return None
        means[frame] = image.activity[frame].reshape(-1)[shell].mean(dtype=float)
    return means


def _shell(
    image: DynamicImage, pool: Region, regions: Sequence[Region], transform: NDArray[np.float64] | None
) -> NDArray[np.intp]:
    """Flat indices of the PET voxels in the shell."""
    outside = np.ones(image.grid.shape, dtype=bool)
    outside.reshape(-1)[coverage(pool, image.grid, transform).voxels] = False
    distance = ndimage.distance_transform_edt(outside, sampling=image.grid.spacing_mm[::-1])
    shell = (distance >= INNER_MM) & (distance <= OUTER_MM)
    for region in regions:
        if region is not pool:
            shell.reshape(-1)[coverage(region, image.grid, transform).voxels] = False
    return np.flatnonzero(shell)
