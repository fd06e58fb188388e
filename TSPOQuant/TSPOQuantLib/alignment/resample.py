"""Frames brought to one position: one resampling each, straight from the original image."""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..acquisition.image import DynamicImage, Volume
from .rigid import to_sitk, to_sitk_transform


def mean_image(
    image: DynamicImage, frames: Sequence[int], to_frame: Sequence[NDArray[np.float64]] | None = None
) -> Volume:
    """The time-weighted mean of some frames, kBq/mL, on the PET's grid.

    to_frame: for every frame of the image a rigid 4 x 4 (LPS mm) from the wanted position to that frame; None where
    nothing moved. For looking and for registration; regions are read off the frames themselves.
    """
    durations = image.timing.durations_s[list(frames)]
    total = np.zeros(image.grid.shape, dtype=np.float32)
    for frame, share in zip(frames, durations / durations.sum(), strict=True):
        if to_frame is None:
            total += np.float32(share) * image.activity[frame]
        else:
            original = to_sitk(image.activity[frame], image.grid)
            carried = sitk.Resample(original, original, to_sitk_transform(to_frame[frame]), sitk.sitkLinear)
            total += np.float32(share) * sitk.GetArrayViewFromImage(carried)
    return Volume(total, image.grid, "kBq/mL", image.scan)
