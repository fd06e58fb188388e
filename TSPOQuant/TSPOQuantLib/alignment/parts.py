"""A scan that is kept in several parts as one image: a dynamic scan that was interrupted, or one with a late frame.

The parts are brought to the first one's clock, decay and grid. Where the person lay otherwise in a later part is found
as for every frame: by the registration of frames.
"""

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..acquisition.decay import growth
from ..acquisition.dicom_values import DAY
from ..acquisition.frame_checks import check_frames, check_growth, check_timing
from ..acquisition.frames import EDGE_TOLERANCE_S, FrameTiming
from ..acquisition.image import DynamicImage, Scan, half_life_of
from ..grid import Grid
from ..messages import InputRefused, Listed, Notice, Notices, Text
from ..tracers import same_tracer
from .rigid import to_sitk

# None of these is published: choices.
SAME_INJECTION_S = 1.0
"""Two moments of injection within this are one."""
SAME_DOSE, SAME_HALF_LIFE, SAME_WEIGHT = 0.01, 0.01, 0.01
"""Parts of one scan state one activity and one half-life; what differs by more belongs to another injection."""
DAY_S = 24 * 3600.0
OF_EACH_PART = ("frames-gaps", "injection-not-at-start", "time-zero-first-frame", "time-zero-not-injection")
"""What a part alone is warned of and the whole scan may not be: told anew of the whole, or of the first part."""


def join_parts(images: Sequence[DynamicImage], registered: bool) -> DynamicImage:
    """Several parts of one scan, in their order, as one image on the first one's clock and grid.

    registered: whether frames are brought together by their content. Raises InputRefused: "patients-differ",
    "pet-parts-tracer", "pet-parts-dose", "pet-parts-injection", "pet-parts-clock", "pet-parts-order",
    "pet-parts-place", "pet-half-life", and what timing and frames raise.
    """
    first = images[0]
    joined = [first]
    notices = Notices(first.notices)
    for number, other in enumerate(images[1:], start=2):
        _check_same(first.scan, other.scan, number)
        notices += _differences(first.scan, other.scan, number, registered)
        shifted = _on_clock_of(first, other, number)
        gap = float(shifted.timing.starts_s[0] - joined[-1].timing.ends_s[-1])
        if gap < -EDGE_TOLERANCE_S:
            raise InputRefused(
                "pet-parts-order",
                "part {number} of the PET starts {seconds:.0f} s before part {before} ends; name the parts in their "
                "order, or correct their times",
                number=number,
                seconds=-gap,
                before=number - 1,
            )
        notices.add(
            "pet-parts",
            "part {number} of the PET ({frames} frames) starts {seconds:.0f} s after the end of part {before}",
            number=number,
            frames=len(other.timing),
            seconds=gap,
            before=number - 1,
        )
        notices += [notice for notice in other.notices if notice.code not in OF_EACH_PART]
        joined.append(shifted)
    timing = FrameTiming(
        np.concatenate([part.timing.starts_s for part in joined]),
        np.concatenate([part.timing.durations_s for part in joined]),
    )
    activity, grid, regridded = _on_one_grid(joined)
    check_frames(activity)
    kept = [notice for notice in notices if notice.code != "frames-gaps"]
    return replace(
        first,
        activity=activity,
        grid=grid,
        timing=timing,
        decay_correction=Text(
            "{first}; of the later parts: {others}",
            first=first.decay_correction,
            others=Listed((part.decay_correction for part in joined[1:]), "; "),
        ),
        scan=_whole(images),
        notices=tuple(dict.fromkeys([*kept, *regridded, *check_timing(timing)])),
        sources=tuple(path for part in joined for path in part.sources),
    )


def _check_same(first: Scan, other: Scan, number: int) -> None:
    """Refuse a part of another person, tracer or injection."""
    if first.patient_key and other.patient_key and first.patient_key != other.patient_key:
        raise InputRefused(
            "patients-differ",
            "part {number} of the PET names another patient than part 1; check the paths",
            number=number,
        )
    lives = first.half_life_s, other.half_life_s
    if (first.tracer and other.tracer and not same_tracer(first.tracer, other.tracer)) or _apart(
        *lives, SAME_HALF_LIFE
    ):
        raise InputRefused(
            "pet-parts-tracer",
            "part {number} of the PET is of {other}, part 1 of {first}; name the parts of one scan",
            number=number,
            other=other.tracer or _seconds(other),
            first=first.tracer or _seconds(first),
        )
    if _apart(first.injected_mbq, other.injected_mbq, SAME_DOSE):
        raise InputRefused(
            "pet-parts-dose",
            "part {number} of the PET states {other:.4g} MBq injected, part 1 {first:.4g} MBq; they are of two "
            "injections, or one is wrong: correct it",
            number=number,
            other=other.injected_mbq,
            first=first.injected_mbq,
        )


def _apart(one: float | None, other: float | None, tolerance: float) -> bool:
    return one is not None and other is not None and abs(one / other - 1) > tolerance


def _seconds(scan: Scan) -> str:
    return f"{scan.half_life_s:g} s"


def _differences(first: Scan, other: Scan, number: int, registered: bool) -> list[Notice]:
    """What parts of one scan should share. Raises InputRefused ("pet-parts-place")."""
    notices = Notices()
    keys = first.frame_of_reference_key, other.frame_of_reference_key
    if all(keys) and keys[0] != keys[1]:
        if not registered:
            raise InputRefused(
                "pet-parts-place",
                "part {number} of the PET has another frame of reference than part 1 (the person was moved), so that "
                'only a registration brings them together: set [pet] motion_correction to "rigid" or "frames"',
                number=number,
            )
        notices.add(
            "pet-parts-place",
            "part {number} of the PET has another frame of reference than part 1: only the registration of its "
            "frames brings them together; look at their alignment",
            number=number,
        )
    if _apart(first.weight_kg, other.weight_kg, SAME_WEIGHT):
        notices.add(
            "pet-parts-weight",
            "part {number} of the PET states {other:.4g} kg body weight, part 1 {first:.4g} kg: SUV counts with "
            "that of part 1 (V_T needs none)",
            number=number,
            other=other.weight_kg,
            first=first.weight_kg,
        )
    names = ("manufacturer", "scanner_model", "reconstruction", "filter", "attenuation")
    unlike = [name for name in names if getattr(first, name) != getattr(other, name)]
    if unlike:
        notices.add(
            "pet-parts-differ",
            "part {number} of the PET differs from part 1 in {what}: its frames may be sharper, softer or "
            "otherwise calibrated",
            number=number,
            what=Listed(name.replace("_", " ") for name in unlike),
        )
    return notices


def _on_clock_of(first: DynamicImage, other: DynamicImage, number: int) -> DynamicImage:
    """A part with times and decay counted from the first one's zero."""
    shift = _zero_after(first, other)
    both = first.time_zero == other.time_zero == "injection"
    if shift is None and both:
        shift = 0.0
    if shift is None:
        raise InputRefused(
            "pet-parts-clock",
            "it is not known how long after part 1 of the PET part {number} was: one counts from {first}, the other "
            "from {other}, and not both say at what time that was; correct the files",
            number=number,
            first=first.time_zero,
            other=other.time_zero,
        )
    if both and abs(shift) > SAME_INJECTION_S:
        raise InputRefused(
            "pet-parts-injection",
            "by part {number} of the PET the injection was {seconds:+.0f} s from where part 1 has it; correct the one "
            "that is wrong",
            number=number,
            seconds=shift,
        )
    if both:
        return other
    factor = growth(np.array([shift]), half_life_of(first.scan, other.scan))
    check_growth(factor)
    return replace(
        other,
        activity=other.activity * np.float32(factor[0]),
        timing=FrameTiming(other.timing.starts_s + shift, other.timing.durations_s),
        decay_correction=Text(
            "{before}; then to the zero of part 1 by the factor {factor:.6g}",
            before=other.decay_correction,
            factor=float(factor[0]),
        ),
    )


def _zero_after(first: DynamicImage, other: DynamicImage) -> float | None:
    """Seconds from the first one's zero to the other's; None where a clock is not told."""
    if first.time_zero_at is not None and other.time_zero_at is not None:
        return (other.time_zero_at - first.time_zero_at).total_seconds()
    if first.clock is None or other.clock is None:
        return None
    apart = (datetime.combine(DAY, other.clock) - datetime.combine(DAY, first.clock)).total_seconds()
    return math.remainder(apart, DAY_S)


def _whole(images: Sequence[DynamicImage]) -> Scan:
    """The first part's facts; what it does not tell, from the later ones."""
    shared = {
        field.name: next((value for image in images if (value := getattr(image.scan, field.name)) is not None), None)
        for field in fields(Scan)
    }
    return Scan(**shared)


def _on_one_grid(images: Sequence[DynamicImage]) -> tuple[NDArray[np.float32], Grid, list[Notice]]:
    """Frames of all parts on the first one's grid, as far as every part's field reaches."""
    grid = images[0].grid
    others = [number for number, image in enumerate(images) if not image.grid.same_as(grid)]
    if not others:
        return np.concatenate([image.activity for image in images]), grid, []
    resampled = [image.activity for image in images]
    held = np.ones(grid.shape, dtype=bool)
    for number in others:
        resampled[number] = _resampled(images[number], grid)
        held &= _held(grid, images[number].grid)
    reach = _held_box(held)
    within = (slice(None), *reach)
    activity = np.concatenate([frames[within] for frames in resampled])
    reached = grid.part([side.start for side in reach], activity.shape[1:])
    notice = Notice(
        "pet-parts-grid",
        "{parts} of the PET have other voxels than part 1 and were brought to its grid, which softens them a little",
        parts=Listed(Text("part {number}", number=number + 1) for number in others),
    )
    return np.ascontiguousarray(activity), reached, [notice]


def _resampled(image: DynamicImage, grid: Grid) -> NDArray[np.float32]:
    target = to_sitk(np.zeros(grid.shape, np.float32), grid)
    frames = [
        sitk.GetArrayFromImage(sitk.Resample(to_sitk(frame, image.grid), target, sitk.Transform(), sitk.sitkLinear))
        for frame in image.activity
    ]
    return np.asarray(np.stack(frames), dtype=np.float32)


def _held(grid: Grid, other: Grid) -> NDArray[np.bool_]:
    """Which voxels (k, j, i) of a grid have their centers within another grid's field."""
    inside = other.to_ijk(grid.centers)
    within = (inside >= -1e-6) & (inside <= np.array(other.shape[::-1]) - 1 + 1e-6)
    return np.asarray(within.all(axis=-1))


def _held_box(held: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """A box (k, j, i) without a voxel that is not held: the face with the largest share of such goes first."""
    begin, end = np.zeros(3, int), np.array(held.shape)
    while (begin < end).all():
        box = (slice(begin[0], end[0]), slice(begin[1], end[1]), slice(begin[2], end[2]))
        inside = held[box]
        if inside.all():
            return box
        faces = [(axis, side) for axis in range(3) for side in (0, -1)]
        axis, side = min(faces, key=lambda face: float(inside.take(face[1], axis=face[0]).mean()))
        begin[axis] += side == 0
        end[axis] -= side == -1
    raise InputRefused("pet-parts-field", "the fields of the PET's parts do not overlap; check the paths")
