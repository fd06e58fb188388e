"""PET from NIfTI with its PET-BIDS sidecar, and any 3-D volume file, on the grid that the other rooms use."""

import math
from dataclasses import fields
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..messages import InputRefused, Notice, Notices, Text, located
from .bids import PetSidecar, read_pet_json
from .decay import frame_factor, growth
from .dicom_values import clock_after, clock_of
from .frame_checks import check_factors, check_frames, check_growth, check_table, check_timing, saturated_notices
from .frames import FrameTiming
from .image import DynamicImage, Scan, Volume
from .large import StoredFrames, filled, is_large
from .tables import HIGHEST_KBQ_ML, LOWEST_PEAK_KBQ_ML, sidecars
from .time_slips import slip_between, with_slip
from .volume_files import VolumeFile, read_volume

# Clocks that agree within this are the same (not published); 1 s is 0.06 % of 11C.
SAME_CLOCK_S = 1.0
# Decay factors and the stated time of correction may differ by this part of activity (not published): clocks of real
# files were up to 9 s apart, 0.5 % of 11C.
DECAY_REFERENCE_TOLERANCE = 0.01
ASKED_VOXELS = 100_000
"""So many of an image tell its hottest thousandth: a choice."""


def read_dynamic_nifti(
    path: Path, frame_table: FrameTiming | None = None, may_be_static: bool = False, tracer: str = ""
) -> DynamicImage:
    """A 4-D NIfTI with the PET-BIDS JSON beside it; times count from the sidecar's TimeZero, as its blood's do.

    ``frame_table`` overrides FrameTimesStart and FrameDuration. may_be_static: take a 3-D image of one frame, whose
    times then count from the injection where the sidecar tells it. tracer: by the user, whose radionuclide counts
    where the sidecar names none. Raises InputRefused: nifti-…, pet-json-…, frames-…, pet-decay-correction,
    pet-half-life.
    """
    sidecar = _sidecar(path, tracer)
    values, file = _read(path)
    if values.ndim == 3 and may_be_static:
        values = values[None]
    if values.ndim != 4:
        raise InputRefused("pet-not-dynamic", "{file} has no time axis; give the dynamic PET", file=path.name)
    timing = sidecar.timing if frame_table is None else frame_table
    if frame_table is not None:
        check_table(frame_table, sidecar.timing.durations_s)
    timing_notices = check_timing(timing)
    if len(timing) != len(values):
        raise InputRefused(
            "frames-table-count",
            "{n_timing} frames are timed, {file} has {n_values}, and {n_timing} voxels along another axis: where "
            "that is time, move it to the end of the four axes, else correct the times"
            if len(timing) in values.shape[1:]
            else "{n_timing} frames are timed, {file} has {n_values}; correct the times",
            file=path.name,
            n_values=len(values),
            n_timing=len(timing),
        )
    notices = Notices([*sidecar.notices, *file.notices, *timing_notices])
    if frame_table is not None:
        notices.add("frames-by-table", "frame times are the given table's, not the sidecar's")
    if file.ceiling is not None and file.ceiling > 0:
        highest = np.nextafter(np.float32(file.ceiling), np.float32(0))
        notices += saturated_notices([int(np.count_nonzero(frame >= highest)) for frame in values])
    factors, words = _to_time_zero(sidecar, timing, notices)
    # What is asked of an image's frames, stored ones can.
    values = cast(NDArray[np.float32], _times(values, sidecar.kbq_ml_per_unit * factors))
    check_finite(path.name, values)
    notices += _activity_notices(path.name, values, sidecar.units)
    check_frames(values, factors)
    injected_s, zero_clock = (
        sidecar.injection_start_s,
        None if sidecar.time_zero is None else clock_of(sidecar.time_zero),
    )
    if may_be_static and len(timing) == 1 and injected_s:
        values *= growth(-injected_s, sidecar.half_life_s or math.inf)
        timing = FrameTiming(timing.starts_s - injected_s, timing.durations_s)
        words = Text("{before}; then to the injection, {seconds:+g} s from it", before=words, seconds=injected_s)
        zero_clock, injected_s = clock_after(zero_clock, injected_s), 0.0
    at_injection = injected_s is not None and abs(injected_s) <= SAME_CLOCK_S
    if not at_injection:
        when = "is not stated" if injected_s is None else Text("is {injected_s:g} s after it", injected_s=injected_s)
        notices.add("time-zero-not-injection", "times count from TimeZero; the injection {when}", when=when)
    return DynamicImage(
        activity=values,
        grid=file.grid,
        timing=timing,
        time_zero="injection" if at_injection else "TimeZero",
        time_zero_at=None,
        decay_correction=words,
        scan=scan_of(sidecar),
        notices=tuple(notices),
        sources=(str(path),),
        zero_clock=zero_clock,
    )


def read_static_nifti(path: Path) -> Volume:
    """A 3-D NIfTI with the PET-BIDS JSON beside it, in kBq/mL as the file is decay-corrected."""
    sidecar = _sidecar(path, "")
    volume = read_volume_file(path, "kBq/mL")
    return Volume(
        values=volume.values * np.float32(sidecar.kbq_ml_per_unit),
        grid=volume.grid,
        units="kBq/mL",
        scan=scan_of(sidecar),
        notices=(*sidecar.notices, *volume.notices),
        sources=volume.sources,
    )


def read_volume_file(path: Path, units: str) -> Volume:
    """A 3-D file of SimpleITK's formats, its values taken to be in ``units``. Raises InputRefused: nifti-…."""
    values, file = _read(path)
    if values.ndim != 3 or isinstance(values, StoredFrames):
        raise InputRefused(
            "nifti-dimensions",
            "{file} has {ndim} dimensions, not 3; give one volume",
            file=path.name,
            ndim=values.ndim,
        )
    check_finite(path.name, values)
    return Volume(values, file.grid, units, notices=file.notices, sources=(str(path),))


def _sidecar(path: Path, tracer: str) -> PetSidecar:
    json = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    if not sidecars(path):
        raise InputRefused(
            "nifti-no-sidecar",
            "{json_name} is not beside {file}; add it, for times and units",
            json_name=json.name,
            file=path.name,
        )
    return read_pet_json(json if json.is_file() else path, tracer)


def _read(path: Path) -> tuple[NDArray[np.float32] | StoredFrames, VolumeFile]:
    """float32 (k, j, i) or (frames, k, j, i) that may be written to, or frames as a large file has them; the file."""
    file = read_volume(path, as_stored=True)
    values = file.values
    if file.frames is not None:
        return file.frames, file
    as_needed = values.dtype == np.float32 and values.flags.c_contiguous and values.flags.writeable
    if as_needed and not is_large(values.nbytes):
        return values, file
    return filled(values.shape, values), file


def _times(
    values: NDArray[np.float32] | StoredFrames, factors: NDArray[np.float64]
) -> NDArray[np.float32] | StoredFrames:
    """Frames (frames, k, j, i) times their factors (frames,), in their place where they can be written to."""
    if isinstance(values, StoredFrames):
        return values.times(factors)
    with np.errstate(invalid="ignore", over="ignore"):
        for frame, factor in zip(values, factors, strict=True):
            frame *= factor
    return values


def check_finite(name: str, values: NDArray[np.float32]) -> None:
    """Refuse NaN and infinity in an image (k, j, i) or (frames, k, j, i): "nifti-not-finite", with the frame."""
    frames = values if values.ndim == 4 else values[None]
    counts = [frame.size - int(np.count_nonzero(np.isfinite(frame))) for frame in frames]
    bad = [number for number, count in enumerate(counts, 1) if count]
    if bad:
        raise InputRefused(
            "nifti-not-finite",
            "{file}: {count} voxels are no numbers (NaN or infinite), the first in frame {frame}; write what was "
            "measured there, or 0 (in a CT -1000) outside of the scanner's field",
            file=name,
            count=sum(counts),
            frame=bad[0],
        )


def _activity_notices(name: str, values: NDArray[np.float32], units: str) -> tuple[Notice, ...]:
    """Tell of activities (frames, k, j, i) in kBq/mL that no one has: a unit has slipped.

    Asked of all but the hottest thousandth of the frame that holds most, of its voxels some hundred thousand.
    """
    highest = values[int(np.argmax([frame.sum(dtype=np.float64) for frame in values]))].ravel()
    highest = highest[:: max(1, highest.size // ASKED_VOXELS)]
    hot = float(np.quantile(highest[highest > 0], 0.999)) if (highest > 0).any() else 0.0
    if not hot or LOWEST_PEAK_KBQ_ML <= hot <= HIGHEST_KBQ_ML:
        return ()
    return (
        Notice(
            "pet-activity-odd",
            "{file}: read in {units}, as its JSON says, the hottest tissue holds {hot:.3g} kBq/mL, where {lowest:g} "
            "to {highest:g} can be; SUV rests on it: check the Units in the JSON (Bq/mL, kBq/mL)",
            file=name,
            units=units,
            hot=hot,
            lowest=LOWEST_PEAK_KBQ_ML,
            highest=HIGHEST_KBQ_ML,
        ),
    )


def _to_time_zero(sidecar: PetSidecar, timing: FrameTiming, notices: Notices) -> tuple[NDArray[np.float64], str]:
    """Per frame, the factor from stored values to values decay-corrected to TimeZero, and what was done in words."""
    half_life = sidecar.half_life_s
    if sidecar.decay_corrected is None:
        raise InputRefused("pet-decay-correction", "the sidecar does not state ImageDecayCorrected; add it")
    if half_life is None:
        raise InputRefused(
            "pet-half-life",
            "the sidecar names no known TracerRadionuclide; add it, or say what was injected by [pet] tracer",
        )
    if not sidecar.decay_corrected:
        if sidecar.decay_factors is not None:
            raise InputRefused(
                "pet-decay-contradiction",
                "ImageDecayCorrected is false, but the frames have decay factors other than 1; correct the one that "
                "is wrong, or leave the factors out",
            )
        notices.add("pet-decay-by-us", "values were not decay-corrected: corrected here, frame by frame")
        since = growth(timing.starts_s, half_life)
        check_growth(since)
        return frame_factor(timing.durations_s, half_life) * since, Text(
            "none in the file; each frame corrected to TimeZero, half-life {half_life:g} s", half_life=half_life
        )
    reference = _decay_reference(sidecar, timing, half_life, notices)
    try:
        check_growth(growth(np.array([reference]), half_life))
    except InputRefused as reason:
        where = located(reason, Text("ImageDecayCorrectionTime of {seconds:g} s", seconds=reference))
        raise with_slip(where, slip_between(reference, 0.0)) from None
    factor = float(growth(reference, half_life))
    return (
        np.full(len(timing), factor),
        Text(
            "to {reference:g} s from TimeZero in the file; brought to TimeZero by the factor {factor:.6g}, "
            "half-life {half_life:g} s",
            reference=reference,
            factor=factor,
            half_life=half_life,
        ),
    )


def _decay_reference(sidecar: PetSidecar, timing: FrameTiming, half_life: float, notices: Notices) -> float:
    """Seconds from TimeZero to which the image is decay-corrected, by what the sidecar says and by its factors.

    Raises InputRefused: "pet-decay-factor" (they contradict the frame times), "pet-decay-reference" (they contradict
    ImageDecayCorrectionTime).
    """
    stated = sidecar.decay_correction_time_s
    shown = None if sidecar.decay_factors is None else check_factors(sidecar.decay_factors, timing, half_life)
    if stated is None:
        if shown is None:
            notices.add("pet-decay-reference", "no ImageDecayCorrectionTime: TimeZero was assumed")
            return 0.0
        notices.add(
            "pet-decay-reference",
            "no ImageDecayCorrectionTime: {seconds:.1f} s was taken, to which the decay factors point",
            seconds=shown,
        )
        return shown
    off = 0.0 if shown is None else abs(float(growth(shown - stated, half_life)) - 1)
    if shown is not None and off > DECAY_REFERENCE_TOLERANCE:
        refusal = InputRefused(
            "pet-decay-reference",
            "the decay factors correct to {seconds:.0f} s from TimeZero, ImageDecayCorrectionTime says {stated:g} s, "
            "which is {off:.0%} of activity; correct the one that is wrong",
            seconds=shown,
            stated=stated,
            off=off,
        )
        raise with_slip(refusal, slip_between(stated, shown))
    began = (0.0, sidecar.scan_start_s, sidecar.injection_start_s, float(timing.starts_s[0]))
    near = min(abs(float(growth(stated - moment, half_life)) - 1) for moment in began if moment is not None)
    if shown is None and near > DECAY_REFERENCE_TOLERANCE:
        notices.add(
            "pet-decay-reference-odd",
            "by its JSON the image is decay-corrected to {seconds:g} s from TimeZero, when neither the injection nor "
            "the scan began, and activity was multiplied by {factor:.4g} for that; check ImageDecayCorrectionTime",
            seconds=stated,
            factor=float(growth(stated, half_life)),
        )
    return stated


def scan_of(sidecar: PetSidecar) -> Scan:
    """What a sidecar says of the scan."""
    return Scan(**{field.name: getattr(sidecar, field.name) for field in fields(Scan)})
