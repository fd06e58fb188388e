"""What one DICOM PET series is: frames, clock, the way of its values to kBq/mL, and all that speaks against it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from ..grid import Grid
from ..messages import InputRefused, Notice, Notices, Text, located
from .clock import SAME_START_S, start_notices
from .decay import frame_factor, growth
from .dicom_files import MAX_RESCALE, Series, truncated
from .dicom_geometry import OFF_AXIS_MM, check_uniform, locations, positions, stack_grid
from .dicom_slice import ENHANCED_PET, Facts, Slice, key_of
from .dicom_values import lossy_notices, number, text
from .frame_checks import check_growth, check_table, check_timing
from .frames import FrameTiming
from .image import Scan
from .suv import (
    Injection,
    becquerel_factor,
    check_corrections,
    check_half_life,
    check_units,
    checked_scale,
    correction_notices,
    ge_scan_at,
    read_injection,
)
from .time_slips import slip_between
from .vendor_timing import (
    FrameClock,
    FrameTags,
    at_s,
    check_decay_factor,
    check_scan_start,
    correction_start_s,
    frame_clock,
    frames_without_times,
    tags_of,
    vendor_of,
)

T = TypeVar("T")

# Slices of one frame share their times; this much is clock noise, more is another bed position (not published).
SAME_FRAME_S = 0.5
# Of the key of a date of birth: 255 of 256 pairs of persons differ in them, and some hundred dates share each.
BIRTH_DIGITS = 2


@dataclass(frozen=True, eq=False)
class PetSeries:
    """A PET series understood, as far as it can be; ``refusals`` holds every reason not to use it.

    kind: "dynamic-pet", "static-pet" or "other" (gated, reprojected). stacks: frames of slices along the normal, ()
    when they could not be sorted. to_kbq: per frame, kBq/mL at time zero for a value of 1 Bq/mL as stored.
    bq_per_value: Bq/mL for a rescaled pixel of 1, per slice of ``stacks``.
    """

    series: Series
    kind: str
    stacks: tuple[tuple[Slice, ...], ...]
    bed_positions: int
    grid: Grid | None
    timing: FrameTiming | None
    time_zero: str | None
    time_zero_at: datetime | None
    decay_correction: str
    to_kbq: NDArray[np.float64]
    bq_per_value: Callable[[Slice], float]
    scan: Scan
    injection: Injection
    refusals: tuple[InputRefused, ...]
    notices: tuple[Notice, ...]


@dataclass(frozen=True, eq=False)
class _Clocked:
    """The time part of a dynamic series."""

    timing: FrameTiming
    time_zero: str
    time_zero_at: datetime | None
    decay_correction: str
    to_kbq: NDArray[np.float64]
    notices: tuple[Notice, ...]


def understand_pet(series: Series, frame_table: FrameTiming | None = None, tracer: str = "") -> PetSeries:
    """Sort, time and scale a PET series without reading its pixels; reasons against it are collected, not raised.

    tracer: by the user, see ``suv.read_injection``.
    """
    refusals: list[InputRefused] = []

    def attempt(step: Callable[[], T]) -> T | None:
        try:
            return step()
        except InputRefused as reason:
            refusals.append(reason)
            return None

    facts, header = series.facts, series.header
    injection = read_injection(header, tracer)
    notices = Notices([*injection.notices, *lossy_notices(Text("the PET"), facts.lossy)])
    if series.joined > 1:
        notices.add(
            "pet-series-joined",
            "{joined} series of one frame each, alike in all but their times, were read as the frames of one scan",
            joined=series.joined,
        )
    kind = _kind(series)
    if kind == "other":
        refusals.append(_not_an_acquisition(facts))
    attempt(lambda: check_half_life(injection))
    scale = attempt(lambda: bq_scale(series)) or (lambda _: np.nan)
    attempt(lambda: check_corrections(facts.corrected, facts.decay_correction))
    notices += correction_notices(facts.corrected) if facts.sop_class != ENHANCED_PET else ()
    attempt(lambda: _check_values(series))
    stacks = attempt(lambda: _stacks(series, kind, frame_table is not None)) or ()
    grid = attempt(lambda: stack_grid(stacks[0], number(header, Tag("SliceThickness")))) if stacks else None
    clocked = None
    if kind == "dynamic-pet" and stacks:
        clocked = attempt(lambda: _clocked(series, stacks, injection, frame_table))
        notices += clocked.notices if clocked else ()
        if "DYNAMIC" not in facts.series_type:
            stated = "\\".join(facts.series_type) or "absent"
            notices.add(
                "pet-series-type", "SeriesType is {stated}, but each slice was imaged repeatedly", stated=stated
            )
    if kind == "static-pet" and len(series.slices) == 1:
        notices.add("dicom-single-slice", "the series is a single slice")
    return PetSeries(
        series=series,
        kind=kind,
        stacks=stacks,
        bed_positions=len({_times(piece) for piece in series.slices}) if kind == "static-pet" else 1,
        grid=grid,
        timing=clocked.timing if clocked else None,
        time_zero=clocked.time_zero if clocked else None,
        time_zero_at=clocked.time_zero_at if clocked else None,
        decay_correction=clocked.decay_correction if clocked else facts.decay_correction,
        to_kbq=clocked.to_kbq if clocked else np.array([1e-3]),
        bq_per_value=scale,
        scan=scan_of(facts, header, injection),
        injection=injection,
        refusals=tuple(refusals),
        notices=tuple(notices),
    )


def scan_of(facts: Facts, header: Dataset, injection: Injection | None = None) -> Scan:
    """What the header says of scanner, reconstruction and subject, without naming the subject."""

    def stated(keyword: str) -> str | None:
        return text(header, Tag(keyword)) or None

    weight = number(header, Tag("PatientWeight"))
    born = stated("PatientBirthDate")
    return Scan(
        patient_key=facts.patient_key,
        frame_of_reference_key=facts.frame_of_reference_key,
        manufacturer=facts.manufacturer or None,
        scanner_model=stated("ManufacturerModelName"),
        reconstruction=stated("ReconstructionMethod"),
        filter=stated("ConvolutionKernel"),
        tracer=injection.tracer if injection else None,
        injected_mbq=injection.dose_bq / 1e6 if injection and injection.dose_bq else None,
        weight_kg=weight if weight is not None and weight > 0 else None,
        half_life_s=injection.half_life_s if injection else None,
        attenuation=stated("AttenuationCorrectionMethod"),
        infusion_s=injection.infusion_s if injection else None,
        birth_key=key_of(born)[:BIRTH_DIGITS] if born else None,
        sex=stated("PatientSex"),
    )


def _kind(series: Series) -> str:
    facts = series.facts
    if {"GATED", "REPROJECTION"} & set(facts.series_type):
        return "other"
    try:
        check_uniform(series.slices)
        repeats = np.bincount(locations(series.slices)[1])
    except InputRefused:
        return "dynamic-pet" if "DYNAMIC" in facts.series_type else "static-pet"
    # Beds that overlap repeat some slices; frames repeat them all.
    several_stated = "DYNAMIC" in facts.series_type and (series.slices[0].times_stated or 1) > 1
    return "dynamic-pet" if np.median(repeats) > 1 or several_stated else "static-pet"


def _not_an_acquisition(facts: Facts) -> InputRefused:
    if "GATED" in facts.series_type:
        return InputRefused("pet-gated", "the series is gated: its images are phases of a cycle, not frames in time")
    return InputRefused("pet-reprojection", "the series is a reprojection (a view of a volume), not an image volume")


def _check_values(series: Series) -> None:
    for piece in series.slices:
        slope = piece.slope is not None and 0 <= piece.slope < MAX_RESCALE
        if not slope or not abs(piece.intercept or 0.0) < MAX_RESCALE:
            raise InputRefused(
                "dicom-rescale",
                "{file}: RescaleIntercept (0028,1052) is not a number; export the series again"
                if slope
                else "{file}: RescaleSlope (0028,1053) is absent or no positive number; export the series again",
                file=Path(piece.path).name,
            )
        if piece.truncated:
            raise truncated(piece)


def _times(piece: Slice) -> tuple[datetime, float]:
    return (
        piece.acquired or datetime.min,
        piece.reference_s if piece.reference_s is not None and np.isfinite(piece.reference_s) else -np.inf,
    )


def _stacks(series: Series, kind: str, timed_by_table: bool) -> tuple[tuple[Slice, ...], ...]:
    check_uniform(series.slices)
    if kind == "static-pet":
        return (_static_stack(series),)
    return _frame_stacks(series, timed_by_table) if kind == "dynamic-pet" else ()


def _static_stack(series: Series) -> tuple[Slice, ...]:
    along, index = locations(series.slices)
    if len(along) < len(series.slices):
        raise duplicate_slice(series.slices, along, index)
    stated = series.slices[0].slices_stated or 0
    if 1 < len(series.slices) < stated:
        raise InputRefused(
            "dicom-missing-slices",
            "the series has {n_slices} of the {stated} slices it states (0054,0081); export it again",
            n_slices=len(series.slices),
            stated=stated,
        )
    return tuple(series.slices[position] for position in np.argsort(index))


def duplicate_slice(slices: Sequence[Slice], along: NDArray[np.float64], index: NDArray[np.intp]) -> InputRefused:
    """Names two of the files that hold one place at one time, or just one place."""
    where = int(np.argmax(np.bincount(index)))
    there = sorted((slices[at] for at in np.flatnonzero(index == where).tolist()), key=_times)
    first, second = next((pair for pair in pairwise(there) if _times(pair[0]) == _times(pair[1])), there[:2])
    paths = [Path(piece.path) for piece in (first, second)]
    names = [path.name if paths[0].name != paths[1].name else f"{path.parent.name}/{path.name}" for path in paths]
    return InputRefused(
        "dicom-duplicate-slice",
        "the slice at {place:.2f} mm along the stack is there more than once, in {first} and {second} for two; remove "
        "the copies",
        place=along[where],
        first=names[0],
        second=names[1],
    )


def _frame_stacks(series: Series, timed_by_table: bool) -> tuple[tuple[Slice, ...], ...]:
    """Frames of slices: at every location the images are ranked by time, and each rank is one frame."""
    along, index = locations(series.slices)
    columns: list[list[Slice]] = [[] for _ in along]
    for place, piece in zip(index, series.slices, strict=True):
        columns[place].append(piece)
    for column in columns:
        column.sort(key=lambda piece: (*_times(piece), piece.index_stated or 0))
    _check_repeats(series.slices, columns, along, index, timed_by_table)
    depth = max(map(len, columns))
    for place, column in zip(along, columns, strict=True):
        if len(column) < depth:
            raise _missing_slice(place, column, next(full for full in columns if len(full) == depth))
    first = columns[0][0]
    for code, what, stated, have in (
        ("dicom-missing-slices", "slices (0054,0081)", first.slices_stated, len(columns)),
        ("pet-missing-frames", "time slices (0054,0101)", first.times_stated, depth),
    ):
        if stated is not None and have < stated:
            raise InputRefused(
                code,
                "the series has {have} of the {stated} {what} it states; export it again, complete",
                have=have,
                stated=stated,
                what=what,
            )
    stacks = tuple(zip(*columns, strict=True))
    for number_of_frame, stack in enumerate(stacks, 1):
        _check_one_frame(number_of_frame, stack)
        if np.abs(positions(stack) - positions(stacks[0])).max() > OFF_AXIS_MM:
            raise InputRefused(
                "dicom-mixed-series",
                "frame {number_of_frame} lies elsewhere than frame 1; export the series again",
                number_of_frame=number_of_frame,
            )
    return stacks


def _missing_slice(place: float, column: list[Slice], full: list[Slice]) -> InputRefused:
    """Which frames lack the slice at a place, by the times of a place that has all."""
    there = {_times(piece) for piece in column}
    lacking = [frame for frame, piece in enumerate(full, 1) if _times(piece) not in there]
    known = len(lacking) == len(full) - len(column)
    return InputRefused(
        "dicom-missing-slices",
        "{lacking} of {frames} frames miss the slice at {place:.2f} mm along the stack, {which}; export the series "
        "again, complete",
        lacking=len(full) - len(column),
        frames=len(full),
        place=place,
        which=Text("the first of them is frame {frame}", frame=lacking[0])
        if known
        else Text("which ones is not told"),
    )


def _check_repeats(
    slices: Sequence[Slice],
    columns: list[list[Slice]],
    along: NDArray[np.float64],
    index: NDArray[np.intp],
    timed_by_table: bool,
) -> None:
    """Refuse two images of the same place and time, unless they are frames whose times a table will give."""
    repeated = any(_times(one) == _times(two) for column in columns for one, two in pairwise(column))
    if not repeated:
        return
    timeless = all(len({_times(piece) for piece in column}) == 1 for column in columns)
    distinct = all(len({piece.instance_uid for piece in column}) == len(column) for column in columns)
    if not (timeless and distinct):
        raise duplicate_slice(slices, along, index)
    if not timed_by_table:
        raise frames_without_times()


def _check_one_frame(frame: int, stack: tuple[Slice, ...]) -> None:
    first = stack[0]
    for piece in stack:
        apart = 0.0
        if piece.acquired and first.acquired:
            apart = abs((piece.acquired - first.acquired).total_seconds())
        elif piece.acquired or first.acquired:
            apart = np.inf
        for mine, its in ((piece.reference_s, first.reference_s), (piece.duration_s, first.duration_s)):
            if mine is not None and its is not None:
                apart = max(apart, abs(mine - its))
            elif mine is not None or its is not None:
                apart = np.inf
        if not apart <= SAME_FRAME_S:
            known = np.isfinite(apart)
            how = (
                Text("differ by {apart:.4g} s in their times", apart=apart)
                if known
                else "do not all state their times"
            )
            raise InputRefused(
                "frames-mixed-times",
                "the slices of frame {frame} {how}: several bed positions or mixed series; only a single bed "
                "position imaged repeatedly is dynamic",
                frame=frame,
                how=how,
            )


def bq_scale(series: Series) -> Callable[[Slice], float]:
    """Bq/mL for a rescaled pixel of 1, as a function of the slice.

    CNTS takes Philips' activity scale, or its SUV scale back through dose and weight; GML goes back through dose and
    weight. Raises InputRefused: pet-units, pet-philips-scale, suv-….
    """
    facts, header = series.facts, series.header
    check_units(facts.units)
    if facts.units == "BQML":
        return lambda _: 1.0
    if facts.units == "CNTS" and any(piece.philips_activity is not None for piece in series.slices):
        for piece in series.slices:
            checked_scale(piece.philips_activity, "activity scale factor (7053,1009)")
        return lambda piece: piece.philips_activity or np.nan
    if facts.units == "CNTS":
        for piece in series.slices:
            checked_scale(piece.philips_suv, "SUV scale factor (7053,1000)")
    if facts.decay_correction == "NONE":
        raise InputRefused("pet-units", "SUV of values that are not decay-corrected cannot be brought to kBq/mL")
    if facts.units == "GML" and text(header, Tag("SUVType")).upper() not in ("", "BW"):
        raise InputRefused("suv-type", "values are SUV of another type than body weight; use the BQML series")
    back = 1 / becquerel_factor(header)
    return lambda piece: back if facts.units == "GML" else back * (piece.philips_suv or np.nan)


def _clocked(
    series: Series, stacks: tuple[tuple[Slice, ...], ...], injection: Injection, table: FrameTiming | None
) -> _Clocked:
    half_life = injection.half_life_s
    if half_life is None:
        raise InputRefused(
            "pet-half-life",
            "RadionuclideHalfLife (0018,1075) is absent or not positive, and the header names no radionuclide; say "
            "what was injected by [pet] tracer",
        )
    firsts = [stack[0] for stack in stacks]
    facts = series.facts
    tags = tags_of(
        vendor_of(facts.manufacturer),
        half_life,
        [piece.acquired for piece in firsts],
        [piece.duration_s for piece in firsts],
        [piece.reference_s for piece in firsts],
        [piece.decay_factor for piece in firsts],
        facts.series_at,
        ge_scan_at(series.header),
        facts.decay_reference_at,
    )
    if table is not None:
        return _timed_by_table(tags, facts.decay_correction, injection, table)
    clock = frame_clock(tags)
    first_start = at_s(tags, clock.starts_s[0])
    injected = injection.at(first_start, half_life)
    notices = Notices(clock.notices)
    if injected is None:
        zero_s, zero_at, name = float(clock.starts_s[0]), first_start, "first frame"
        notices.add(
            "time-zero-first-frame",
            "the time of injection is not in the header or not plausible: times count from the first frame",
        )
    else:
        zero_s, zero_at, name = (injected - tags.origin).total_seconds(), injected, "injection"
        if injection.dated is not None and injection.dated != injected:
            notices.add("pet-injection-date", "the date of injection is not plausible: its time of day was used")
        notices += _injection_twice(injection, injected)
    try:
        timing = FrameTiming(clock.starts_s - zero_s, tags.durations_s)
    except InputRefused as reason:
        raise located(reason, _led_by(clock)) from None
    notices += check_timing(timing)
    if injected is not None:
        notices += start_notices(float(timing.starts_s[0]), Text("the header"))
    to_zero, words = _to_time_zero(tags, clock, facts.decay_correction, injected, zero_s, name)
    if facts.decay_correction == "START":
        notices += check_scan_start(tags, clock, correction_start_s(tags, clock)[0])
    elif facts.decay_correction == "NONE":
        notices.add("pet-decay-by-us", "values were not decay-corrected: corrected here, frame by frame")
    elif injected is not None:
        check_decay_factor(tags, clock, zero_s)
    return _Clocked(timing, name, zero_at, words, 1e-3 * to_zero, tuple(notices))


def _injection_twice(injection: Injection, taken: datetime) -> tuple[Notice, ...]:
    """Tell of a header whose two statements of the injection's time of day differ.

    A midnight of another day is what is left of a date and time that were made anonymous, and states nothing.
    """
    if injection.dated is None or injection.time_of_day is None:
        return ()
    if injection.dated != taken and injection.dated.time() == time():
        return ()
    apart_s = (injection.dated.replace(tzinfo=None) - injection.time_of_day).total_seconds()
    apart_s = math.remainder(apart_s, 24 * 3600.0)
    if abs(apart_s) <= SAME_START_S:
        return ()
    slip = slip_between(apart_s, 0.0)
    return (
        Notice(
            "pet-injection-twice",
            "RadiopharmaceuticalStartDateTime (0018,1078) and RadiopharmaceuticalStartTime (0018,1072) are "
            "{seconds:.0f} s apart{slip}; {taken} was taken: where that is wrong, state [pet] injection_time",
            seconds=abs(apart_s),
            slip=Text(" ({slip})", slip=slip) if slip else "",
            taken=f"{taken:%H:%M:%S}",
        ),
    )


def _led_by(clock: FrameClock) -> str:
    """Which attributes gave the frames their starts and durations."""
    if clock.led_by != "FrameReferenceTime" or clock.convention is None:
        return Text("{attribute} and ActualFrameDuration", attribute=clock.led_by)
    return Text(
        "FrameReferenceTime, taken as the frames' {convention}, and ActualFrameDuration",
        convention=Text.of(clock.convention.value),
    )


def as_one_frame(pet: PetSeries) -> PetSeries:
    """A static series as a dynamic one of a single frame, from the start of the first bed position to the last's end.

    Raises InputRefused as the times of a dynamic series do.
    """
    at = sorted(pet.stacks[0], key=_times)
    first, last = at[0], at[-1]
    clocked = _clocked(pet.series, ((first,),), pet.injection, None)
    # A late scan starts long after the injection: its uptake time is told, not warned of.
    timing = clocked.timing
    notices = Notices(notice for notice in clocked.notices if notice.code != "injection-not-at-start")
    if pet.bed_positions > 1 and first.acquired and last.acquired and last.duration_s:
        whole = (last.acquired - first.acquired).total_seconds() + last.duration_s
        timing = FrameTiming(timing.starts_s, np.array([whole]))
        notices.add(
            "pet-bed-positions",
            "the scan has {beds} bed positions within {minutes:.1f} min: by so much uptake times may differ",
            beds=pet.bed_positions,
            minutes=whole / 60,
        )
    return replace(
        pet,
        timing=timing,
        time_zero=clocked.time_zero,
        time_zero_at=clocked.time_zero_at,
        decay_correction=clocked.decay_correction,
        to_kbq=clocked.to_kbq,
        notices=(*pet.notices, *notices),
    )


def _timed_by_table(tags: FrameTags, correction: str, injection: Injection, table: FrameTiming) -> _Clocked:
    """The user's frame table instead of the header's times: the first frame of both is the same moment."""
    check_table(table, tags.durations_s)
    if len(table) != len(tags.acquired_s):
        raise InputRefused(
            "frames-table-count",
            "the frame table has {n_table} frames, the series {n_acquired_s}; correct the table",
            n_table=len(table),
            n_acquired_s=len(tags.acquired_s),
        )
    first_s = float(np.nanmin(tags.acquired_s)) if np.isfinite(tags.acquired_s).any() else tags.series_s
    zero_s = first_s - float(table.starts_s[0])
    clock = FrameClock(table.starts_s + zero_s, "frame table", None)
    injected = injection.at(at_s(tags, first_s), tags.half_life_s)
    to_zero, words = _to_time_zero(tags, clock, correction, injected, zero_s, "the frame table's zero", table)
    notice = Notice("frames-by-table", "frame times are the given table's, not the header's")
    notices = (notice, *check_timing(table))
    return _Clocked(table, "frame table", at_s(tags, zero_s), words, 1e-3 * to_zero, notices)


def _to_time_zero(
    tags: FrameTags,
    clock: FrameClock,
    correction: str,
    injected: datetime | None,
    zero_s: float,
    zero_name: str,
    table: FrameTiming | None = None,
) -> tuple[NDArray[np.float64], str]:
    """Per frame, the factor from stored values to values decay-corrected to time zero, and what was done in words."""
    durations = tags.durations_s if table is None else table.durations_s
    half_life = tags.half_life_s
    if correction == "NONE":
        since = growth(clock.starts_s - zero_s, half_life)
        check_growth(since)
        factors = frame_factor(durations, half_life) * since
        return factors, Text(
            "none in the file; each frame corrected to {zero_name}, half-life {half_life:g} s",
            zero_name=zero_name,
            half_life=half_life,
        )
    if correction == "ADMIN":
        if injected is None:
            raise InputRefused(
                "pet-decay-reference",
                "values are corrected to the injection (ADMIN), whose time is absent or not plausible; add it",
            )
        reference_s, rule = (injected - tags.origin).total_seconds(), "injection"
    else:
        reference_s, rule = correction_start_s(tags, clock if table is None else None)
    factor = float(growth(reference_s - zero_s, half_life))
    if not 1e-6 < factor < 1e6:
        raise InputRefused("pet-decay-reference", "the times give an absurd decay correction; correct the header")
    return (
        np.full(len(clock.starts_s), factor),
        Text(
            "{correction} in the file ({rule}, {reference_s:+.3f} s from {zero_name}); brought to {zero_name} "
            "by the factor {factor:.6g}, half-life {half_life:g} s",
            correction=correction,
            rule=rule,
            reference_s=reference_s - zero_s,
            zero_name=zero_name,
            factor=factor,
            half_life=half_life,
        ),
    )
