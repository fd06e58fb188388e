"""The tissue around the blood pool, whose activity spills into it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..acquisition.image import DynamicImage
from ..alignment.resample import mean_image
from .anatomy import Anatomy
from .partial_volume import FWHM_PER_SIGMA
from .region import Region
from .sampling import coverage

# None of these is published: choices.
INNER_MM, OUTER_MM = 6.0, 12.0
"""The shell around the blood pool that stands for the tissue: far enough for the vessel's own spill-out to have
faded at usual resolutions, near enough to be its neighbor."""
MARGIN_MM = 15.0
"""The shell keeps away from the end of the PET's field by more than a neck drifts."""

FIRST_PASS_S, SMOOTHING_MM = 120.0, 3.0
"""What is full of blood is seen in the mean till then, smoothed by so much (FWHM) that noise does not choose."""


def surround(
    image: DynamicImage,
    pool: Region,
    regions: Sequence[Region],
    to_frames: Sequence[NDArray[np.float64]] | None = None,
) -> Region | None:
    """The shell around ``pool`` that no other region touches, on the PET's grid, without its half that shows most of
    the first pass; None where nothing is left.

    That half is where veins lie. A jugular vein in the shell gives the tissue a bolus of its own, which then is taken
    from the artery's: on the simulated scanner that reconstructs, the area under whole blood from 2 to 10 min is off
    by 0 ± 5 % without that half and by 2 ± 7 % with it. to_frames: as for ``sampling.sample``.
    """
    pet = image.grid
    outside = np.ones(pet.shape, dtype=bool)
    outside.reshape(-1)[coverage(pool, pet).voxels] = False
    if outside.all():
        return None
    spacing = pet.spacing_mm[::-1]
    distance = ndimage.distance_transform_edt(outside, sampling=spacing)
    shell = (distance >= INNER_MM) & (distance <= OUTER_MM)
    for region in regions:
        if region is not pool and region.mask.any():
            shell.reshape(-1)[coverage(region, pet).voxels] = False
    margins = [min(int(np.ceil(MARGIN_MM / step)), size // 2) for step, size in zip(spacing, pet.shape, strict=True)]
    inner = np.zeros_like(shell)
    inner[tuple(slice(margin, -margin) for margin in margins)] = True
    shell &= inner
    early = np.flatnonzero(image.timing.ends_s <= FIRST_PASS_S).tolist()
    if early and shell.any():
        sigmas = [SMOOTHING_MM / FWHM_PER_SIGMA / step for step in spacing]
        seen = ndimage.gaussian_filter(mean_image(image, early, to_frames).values, sigmas)
        shell &= seen <= np.median(seen[shell])
    return Region("surround", Anatomy("other"), shell, pet) if shell.any() else None
