"""Frames brought to one position: one resampling each, straight from the original image."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..acquisition.image import DynamicImage, Volume
from ..acquisition.large import filled
from .rigid import to_sitk, to_sitk_transform

OUTSIDE = -1e30
"""No activity: beyond the field of a frame."""


def at_rest(image: DynamicImage, to_frame: Sequence[NDArray[np.float64]] | None) -> DynamicImage:
    """The image with every frame brought to one position by its rigid 4 x 4 (LPS mm) in ``to_frame``; linear."""
    if to_frame is None:
        return image
    moved = (carried(image, frame, matrix) for frame, matrix in enumerate(to_frame))
    return replace(image, activity=filled(image.activity.shape, moved))


def carried(
    image: DynamicImage, frame: int, to_frame: NDArray[np.float64], outside: float = 0.0
) -> NDArray[np.float32]:
    """One frame (k, j, i) resampled from where ``to_frame`` carries each voxel; ``outside`` beyond its field."""
    original = to_sitk(image.activity[frame], image.grid)
    moved = sitk.Resample(original, original, to_sitk_transform(to_frame), sitk.sitkLinear, outside)
    return np.asarray(sitk.GetArrayFromImage(moved), dtype=np.float32)


def mean_image(
    image: DynamicImage,
    frames: Sequence[int],
    to_frame: Sequence[NDArray[np.float64]] | None = None,
    seconds: NDArray[np.float64] | None = None,
) -> Volume:
    """The time-weighted mean of some frames, kBq/mL, on the PET's grid; 0 where no frame reaches.

    Each voxel is the mean of the frames that reach it: edges that faded where some frames end would draw a
    registration to themselves.

    to_frame: for every frame of the image a rigid 4 x 4 (LPS mm) from the wanted position to that frame; None where
    nothing moved. seconds: (frames of the image,), how much of each counts; None for all of it. For
    looking and for registration; regions are read off the frames themselves.
    """
    durations = (image.timing.durations_s if seconds is None else seconds)[list(frames)]
    total, reached = np.zeros((2, *image.grid.shape), dtype=np.float32)
    for frame, share in zip(frames, (durations / durations.sum()).astype(np.float32), strict=True):
        values = image.activity[frame] if to_frame is None else carried(image, frame, to_frame[frame], OUTSIDE)
        inside = values > OUTSIDE / 2
        total += share * np.where(inside, values, 0)
        reached += share * inside
    mean = np.divide(total, reached, out=np.zeros_like(total), where=reached > 0)
    return Volume(mean, image.grid, "kBq/mL", image.scan)
