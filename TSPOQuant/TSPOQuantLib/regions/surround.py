"""The tissue around the blood pool, whose activity spills into it."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from ..grid import Grid
from .anatomy import Anatomy
from .region import Region
from .sampling import coverage

# None of these is published: choices.
INNER_MM, OUTER_MM = 6.0, 12.0
"""The shell around the blood pool that stands for the tissue: far enough for the vessel's own spill-out to have
faded at usual resolutions, near enough to be its neighbor."""
MARGIN_MM = 15.0
"""The shell keeps away from the end of the PET's field by more than a neck drifts."""


def surround(pet: Grid, pool: Region, regions: Sequence[Region]) -> Region | None:
    """The shell around ``pool`` that no other region touches, on the PET's grid; None where nothing is left."""
    outside = np.ones(pet.shape, dtype=bool)
    outside.reshape(-1)[coverage(pool, pet).voxels] = False
    if outside.all():
        return None
    spacing = pet.spacing_mm[::-1]
    distance = ndimage.distance_transform_edt(outside, sampling=spacing)
    shell = (distance >= INNER_MM) & (distance <= OUTER_MM)
    for region in regions:
        if region is not pool:
            shell.reshape(-1)[coverage(region, pet).voxels] = False
    margins = [min(int(np.ceil(MARGIN_MM / step)), size // 2) for step, size in zip(spacing, pet.shape, strict=True)]
    inner = np.zeros_like(shell)
    inner[tuple(slice(margin, -margin) for margin in margins)] = True
    shell &= inner
    return Region("surround", Anatomy("other"), shell, pet) if shell.any() else None
