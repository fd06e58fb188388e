"""Where the CT, or the MR in its place, lies in the PET: rigid, from the mean of the frames in one position."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..acquisition.image import DynamicImage, Volume
from ..grid import Grid, box_of
from ..messages import InputRefused, Notice, Text
from .contrast import windowed
from .motion import FrameMotion, late_frames
from .resample import mean_image
from .rigid import displacement_mm, field_points, register_rigid, root_scaled, rotation_deg, similarity, to_sitk

# None of these is published for the neck: choices.
FIRST_S = 60.0
"""Frames from here on make the mean: the bolus shows vessels, not anatomy."""
EARLY_S = 600.0
"""The "early" mean ends here: blood and perfusion show more of the anatomy than what is bound later."""
WINDOW_HU = (-300.0, 700.0)
"""Air, soft tissue and bone stay apart; metal does not stretch the histogram."""
SMOOTHING_MM = 1.5
"""SD of the Gaussian on the mean PET, which is quiet already; the CT is brought down to the PET's resolution."""
CT_SMOOTHING_MM = 2.0
CT_VOXEL_MM = 1.3
"""Finer voxels of the CT are put together up to this size first: what is smoothed so far needs no more."""
FITS_MM = 0.5
"""Below this the scanner's frame of reference is kept: registration itself is 0.1 to 0.4 mm off on simulated necks."""
LIMIT_MM = 30.0
"""The scanner's own frame of reference is trusted to this; a fit beyond it is a failed registration."""
LEAST_OVERLAP = 0.3
"""Share of the smaller field, the PET's or the CT's, that both must show."""
LEAST_INFORMATION = 0.35
"""Nats of mutual information after registration. Simulated necks have 1.3 to 1.5; a simulated neck against the CT of
a simple chest 0.14, of a round head 0.29. No real pair was at hand: the limit is set low."""
FLIP_GAIN = 1.05
"""The CT mirrored must not fit better than the CT as it is by more than this factor."""
FLIP_SHRINK, FLIP_STEPS_MM = (4,), (8.0, 0.3)
"""Less than a third of a millimeter is near enough to tell how well a mirrored CT can fit."""
GO_ON = 'where you see that they fit, set motion_correction = "frames"'
"""How to go on where the limits, which rest on simulated necks, refuse a pair that is one."""

Frames = Literal["all", "early", "late"]


@dataclass(frozen=True, eq=False)
class PetToCt:
    """ct_to_reference: rigid 4 x 4 in LPS mm, carries a point of the CT to the PET's reference position.

    shift_mm, rotation_deg: what registration found, also where it was not needed (kept is True and ct_to_reference
    the identity): mean displacement over the middle half of the field that both show, and angle. information_before,
    information_after: mutual information in nats of the scanner's frame of reference and of ``ct_to_reference``.
    """

    ct_to_reference: NDArray[np.float64]
    shift_mm: float
    notices: tuple[Notice, ...] = ()
    rotation_deg: float = 0.0
    information_before: float = float("nan")
    information_after: float = float("nan")
    kept: bool = False


def align_to_ct(image: DynamicImage, ct: Volume, motion: FrameMotion, frames: Frames = "all") -> PetToCt:
    """Register the mean PET, frames brought to the reference position, to the CT.

    frames: "early" (first to tenth minute), "late" (the last 20 min) or "all" from the first minute on. Deterministic.
    Where the scanner's frame of reference already fits, it is kept ("pet-ct-fits").

    Raises InputRefused: "pet-ct-no-overlap" where the two have too little of their fields in common;
    "pet-ct-mismatch" where nothing fits: another part of the body, or one of both images upside down or back to front.
    A neck is its own mirror image: left exchanged for right cannot be seen.
    """
    mean = mean_image(image, _chosen(image, frames), list(motion.reference_to_frame))
    pet = root_scaled(to_sitk(mean.values, image.grid), SMOOTHING_MM)
    on_pet, shown = _ct_on_pet(ct, pet)
    seen = sitk.GetArrayViewFromImage(shown)
    overlap = float(seen.sum()) / _voxels_of_smaller(image.grid, ct.grid)
    if overlap < LEAST_OVERLAP:
        raise InputRefused(
            "pet-ct-no-overlap",
            "PET and {anatomy} have {overlap:.0%} of the smaller field in common (at least {least_overlap:.0%} is "
            "needed); check that both were taken in one session; {go_on}",
            anatomy=ct.called,
            overlap=overlap,
            least_overlap=LEAST_OVERLAP,
            go_on=GO_ON,
        )
    box = box_of(seen)
    on_pet, shown = (_cut(each, box) for each in (on_pet, shown))
    found = register_rigid(on_pet, pet, mask=shown)
    before, after = (similarity(on_pet, pet, matrix, mask=shown) for matrix in (np.eye(4), found))
    points = field_points(image.grid.part([side.start for side in box], [side.stop - side.start for side in box]))
    shift, angle = displacement_mm(found, points), rotation_deg(found)
    _refuse_mismatch(on_pet, shown, pet, after, shift, ct.called)
    if shift <= FITS_MM:
        notice = Notice(
            "pet-ct-fits",
            "PET and {anatomy} fit as the scanner placed them (registration would shift by {shift:.1f} mm); "
            "nothing done",
            anatomy=ct.called,
            shift=shift,
        )
        return PetToCt(np.eye(4), shift, (notice,), angle, before, before, kept=True)
    return PetToCt(found, shift, (), angle, before, after)


def _voxels_of_smaller(pet: Grid, ct: Grid) -> float:
    """How many of the PET's voxels fill the smaller field: a small CT of the neck may lie in a PET of the body."""
    volumes = [float(np.prod(grid.shape)) * grid.voxel_volume_mm3 for grid in (pet, ct)]
    return min(volumes) / pet.voxel_volume_mm3


def _chosen(image: DynamicImage, frames: Frames) -> list[int]:
    """Frame indices of the mean; all frames where the choice would leave none."""
    timing = image.timing
    if frames == "late":
        return late_frames(timing)
    last = EARLY_S if frames == "early" else np.inf
    within = (timing.starts_s >= FIRST_S) & (timing.ends_s <= last)
    return np.flatnonzero(within).tolist() or list(range(len(timing)))


def _ct_on_pet(ct: Volume, pet: sitk.Image) -> tuple[sitk.Image, sitk.Image]:
    """The CT or MR, windowed and as blurred as the PET, on the PET's grid; and where on it that shows anything."""
    low, high = WINDOW_HU
    together = [max(1, int(CT_VOXEL_MM / step)) for step in ct.grid.spacing_mm]
    smooth = sitk.SmoothingRecursiveGaussian(sitk.BinShrink(windowed(ct, WINDOW_HU), together), CT_SMOOTHING_MM)
    outside = low - 1000.0
    on_pet = sitk.Resample(smooth, pet, sitk.Transform(), sitk.sitkLinear, outside)
    return sitk.Clamp(on_pet, sitk.sitkFloat32, low, high), on_pet > low - 500.0


def _cut(image: sitk.Image, box: tuple[slice, slice, slice]) -> sitk.Image:
    """The box (k, j, i) of an image: the optimizer's steps are those that its field asks for."""
    sides = box[::-1]
    return sitk.RegionOfInterest(image, [side.stop - side.start for side in sides], [side.start for side in sides])


def _refuse_mismatch(
    on_pet: sitk.Image, shown: sitk.Image, pet: sitk.Image, information: float, shift_mm: float, anatomy: Text
) -> None:
    advice = Text("check that both are of one person, one part of the body and one orientation; {go_on}", go_on=GO_ON)
    if shift_mm > LIMIT_MM:
        raise InputRefused(
            "pet-ct-mismatch",
            "registration shifted the PET by {shift_mm:.0f} mm (limit {limit_mm:g} mm); {advice}",
            shift_mm=shift_mm,
            limit_mm=LIMIT_MM,
            advice=advice,
        )
    if information < LEAST_INFORMATION:
        raise InputRefused(
            "pet-ct-mismatch",
            "PET and {anatomy} share {information:.2f} nats of information (at least {least_information:g}); {advice}",
            anatomy=anatomy,
            information=information,
            least_information=LEAST_INFORMATION,
            advice=advice,
        )
    for axis, name in ((1, "back to front"), (2, "upside down")):
        mirrored, seen = (sitk.Flip(each, [n == axis for n in range(3)]) for each in (on_pet, shown))
        for each in (mirrored, seen):
            each.CopyInformation(on_pet)
        fit = register_rigid(mirrored, pet, shrink=FLIP_SHRINK, mask=seen, smooth=True, steps_mm=FLIP_STEPS_MM)
        flipped = similarity(mirrored, pet, fit, mask=seen)
        if flipped > FLIP_GAIN * information:
            raise InputRefused(
                "pet-ct-mismatch",
                "{anatomy} fits the PET better {name} ({flipped:.2f} against {information:.2f} nats); {advice}",
                anatomy=anatomy,
                name=name,
                flipped=flipped,
                information=information,
                advice=advice,
            )
