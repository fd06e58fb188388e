"""CT and MR on one scale: a CT has its window in HU, an MR, whose values mean nothing alone, one of its own."""

import numpy as np
import SimpleITK as sitk

from ..acquisition.image import Volume
from ..display import signal_window
from .rigid import to_sitk


def window_of(image: Volume, window_hu: tuple[float, float]) -> tuple[float, float]:
    """From black to white: the given window of a CT, of an MR the one that its own voxels make."""
    return window_hu if image.is_ct else signal_window(image.values)


def windowed(image: Volume, window_hu: tuple[float, float]) -> sitk.Image:
    """The image for registration, clamped to ``window_hu``; an MR's own window is stretched to these numbers first."""
    low, high = window_hu
    values = image.values
    if not image.is_ct:
        first, last = signal_window(values)
        values = (low + (values - first) * ((high - low) / (last - first))).astype(np.float32)
    found: sitk.Image = sitk.Clamp(to_sitk(values, image.grid), sitk.sitkFloat32, low, high)
    return found
