"""Where the CT lies in the PET: rigid, from the mean of the frames brought to one position."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..acquisition.image import DynamicImage, Volume
from ..errors import Notice
from .motion import FrameMotion
from .resample import mean_image
from .rigid import register_rigid, root_scaled, to_sitk

# None of these is published for the neck: choices.
FIRST_S = 60.0
"""Frames from here on make the mean: the bolus shows vessels, not anatomy."""
WINDOW_HU = (-300.0, 700.0)
"""Air, soft tissue and bone stay apart; metal does not stretch the histogram."""
SMOOTHING_MM = 1.5
"""SD of the Gaussian on the mean PET, which is quiet already; the CT is brought down to the PET's resolution."""
CT_SMOOTHING_MM = 2.0
LIMIT_MM = 15.0
"""The scanner's own frame of reference is trusted to this; a fit beyond it is a failed registration."""


@dataclass(frozen=True, eq=False)
class PetToCt:
    """ct_to_reference: rigid 4 x 4 in LPS mm, carries a point of the CT to the PET's reference position.

    shift_mm: how far the middle of the PET's field moved.
    """

    ct_to_reference: NDArray[np.float64]
    shift_mm: float
    notices: tuple[Notice, ...] = ()


def align_to_ct(image: DynamicImage, ct: Volume, motion: FrameMotion) -> PetToCt:
    """Register the mean PET, frames brought to the reference position, to the CT.

    Deterministic. A registration that runs away keeps the scanner's frame of reference ("pet-ct-failed").
    """
    late = [frame for frame, start in enumerate(image.timing.starts_s) if start >= FIRST_S]
    mean = mean_image(image, late or range(len(image.timing)), list(motion.reference_to_frame))
    pet = root_scaled(to_sitk(mean.values, image.grid), SMOOTHING_MM)
    low, high = WINDOW_HU
    smooth = sitk.SmoothingRecursiveGaussian(
        sitk.Clamp(to_sitk(ct.values, ct.grid), sitk.sitkFloat32, low, high), CT_SMOOTHING_MM
    )
    on_pet = sitk.Resample(smooth, pet, sitk.Transform(), sitk.sitkLinear, low)
    found = register_rigid(on_pet, pet)
    center = image.grid.to_lps((np.array(image.grid.shape[::-1]) - 1) / 2)
    shift = float(np.linalg.norm((found @ [*center, 1])[:3] - center))
    if shift > LIMIT_MM:
        text = f"PET and CT could not be registered ({shift:.0f} mm); the scanner's frame of reference was kept"
        return PetToCt(np.eye(4), 0.0, (Notice("pet-ct-failed", text),))
    return PetToCt(found, shift)
