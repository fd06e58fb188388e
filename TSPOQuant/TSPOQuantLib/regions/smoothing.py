"""Images of one resolution as images of a coarser one, so that scans of two scanners or filters see alike."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter

from ..acquisition.image import DynamicImage
from ..acquisition.large import filled
from ..messages import InputRefused
from .partial_volume import FWHM_PER_SIGMA


def smoothed_to(image: DynamicImage, fwhm_mm: float | None, to_mm: float) -> DynamicImage:
    """The image had the scanner's resolution been ``to_mm`` FWHM instead of ``fwhm_mm``; both taken as Gaussian.

    Raises InputRefused: "smooth-unknown" where its own resolution is not known, "smooth-finer" where that is coarser
    than what is asked for.
    """
    if fwhm_mm is None:
        raise InputRefused(
            "smooth-unknown",
            'smoothing to {to_mm:g} mm needs the resolution; add [pet] fwhm_mm, as a number or "estimate"',
            to_mm=to_mm,
        )
    if fwhm_mm > to_mm:
        raise InputRefused(
            "smooth-finer",
            "images of {fwhm_mm:.2f} mm cannot be brought to {to_mm:g} mm, which is finer; ask for at least the "
            "coarsest resolution of the visits",
            fwhm_mm=fwhm_mm,
            to_mm=to_mm,
        )
    sigma_mm = np.sqrt(to_mm**2 - fwhm_mm**2) / FWHM_PER_SIGMA
    sigmas = [sigma_mm / step for step in image.grid.spacing_mm[::-1]]
    smooth = (gaussian_filter(frame, sigmas, mode="nearest") for frame in image.activity)
    return replace(image, activity=filled(image.activity.shape, smooth))
