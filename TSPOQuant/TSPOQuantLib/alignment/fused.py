"""What fused pictures are drawn from, once the original files are gone: a piece of CT and the mean PET on it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..acquisition.image import DynamicImage, Volume, possible_for_suv
from ..acquisition.segmentation import Segmentation
from ..grid import box_of
from .resample import mean_image

# Both are choices.
LONG_FRAME_S = 300.0
"""Frames at least this long make the mean that is shown."""
MARGIN_MM = 45.0
"""Around the regions: enough of the neck to see where they are."""


@dataclass(frozen=True, eq=False)
class FusedImages:
    """One visit's CT around its regions and its mean PET, in one position; neither says whose they are.

    ct: HU. pet: kBq/mL, mean of ``frames`` (indices), on the PET's own voxels. regions: every segment, on their own
    grid. suv_per_kbq_ml: what turns the PET into SUVbw, None where dose or weight are not known.
    """

    subject: str
    session: str
    ct: Volume
    pet: Volume
    regions: Segmentation
    frames: tuple[int, ...]
    suv_per_kbq_ml: float | None


def fused_images(
    image: DynamicImage,
    ct: Volume,
    segmentation: Segmentation,
    points_lps: NDArray[np.float64],
    to_frame: Sequence[NDArray[np.float64]] | None,
    subject: str,
    session: str,
) -> FusedImages:
    """Cut CT and PET to the surroundings of what is quantified.

    points_lps: (n, 3) that reach as far as it does. to_frame: for every frame the rigid 4 x 4 (LPS mm) that carries a
    point of the CT into it; None without motion.
    """
    long = long_frames(image.timing)
    return FusedImages(
        subject,
        session,
        _cut(ct, points_lps),
        _cut(mean_image(image, long, to_frame), points_lps),
        _tight(segmentation),
        tuple(long),
        suv_per_kbq_ml(image),
    )


def long_frames(timing: FrameTiming) -> list[int]:
    """Indices of the frames of at least ``LONG_FRAME_S``; all where none is."""
    return np.flatnonzero(timing.durations_s >= LONG_FRAME_S).tolist() or list(range(len(timing)))


def suv_per_kbq_ml(image: DynamicImage) -> float | None:
    """SUVbw of 1 kBq/mL: weight in g over the dose in kBq, both at the injection, to which the PET is corrected."""
    dose, weight = image.scan.injected_mbq, image.scan.weight_kg
    if image.time_zero != "injection" or not dose or not weight or not possible_for_suv(dose, weight):
        return None
    return weight / dose


def _cut(volume: Volume, points_lps: NDArray[np.float64]) -> Volume:
    """The surroundings of points (n, 3) in a volume."""
    box = volume.grid.box_around(points_lps, MARGIN_MM)
    values = np.ascontiguousarray(volume.values[box])
    return replace(
        volume, values=values, grid=volume.grid.part([side.start for side in box], values.shape), sources=()
    )


def _tight(segmentation: Segmentation) -> Segmentation:
    """The same segments on the smallest grid that holds them."""
    boxes = [box_of(segment.mask) for segment in segmentation.segments if segment.mask.any()]
    axes = list(zip(*boxes, strict=True))
    box = tuple(slice(min(side.start for side in axis), max(side.stop for side in axis)) for axis in axes)
    grid = segmentation.grid.part([side.start for side in box], [side.stop - side.start for side in box])
    segments = tuple(replace(segment, mask=segment.mask[box].copy()) for segment in segmentation.segments)
    return replace(segmentation, grid=grid, segments=segments)
