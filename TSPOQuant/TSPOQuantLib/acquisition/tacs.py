"""Regional time-activity curves in: BIDS derivatives' _tacs.tsv, to kBq/mL with the frames they belong to."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..messages import InputRefused, Notice, Notices, located
from . import pmod
from .blood import UNIT_SLIP
from .curve_checks import copied_curves
from .curve_tables import DURATIONS, ENDS, MIDDLES, STARTS, read_curve_table
from .frame_checks import ROUNDED_S, check_timing
from .frames import FrameTiming
from .tables import (
    HIGHEST_KBQ_ML,
    LOWEST_PEAK_KBQ_ML,
    SHORTEST_STUDY_S,
    Column,
    decay_corrected,
    kbq_ml_per,
    numbers_in,
    read_json,
    read_table,
    seconds_per,
    sidecar,
    split_unit,
    stated_unit,
    text_in,
)

FRAME_COLUMNS = (*STARTS, *ENDS, *DURATIONS, *MIDDLES)
# What else tables say of their frames, and no region is called: letters and digits of the header, lower case.
OF_FRAMES = re.compile(
    r"frame(s|no|number|index)?|index|unnamed0|dur|(frame)?mid(time)?|frametimesmid|(frame)?weights?|decayfactor"
)
# How the spread of a region's voxels is called beside the region itself: "cord_sd", "cord (SD)".
SPREAD = re.compile(r"(?P<region>.*?)(^|[\s_.(\[-]+)(sd|std|stdev|std ?dev|sem?|var(iance)?)[)\]]?", re.IGNORECASE)
# A column that holds one number in so many frames or more is no region: a choice.
FEWEST_CONSTANT = 5
# What regional curves of BIDS derivatives are in where nothing else is said.
DEFAULT_UNIT = "Bq/mL"
# Frame times of the table and of its JSON may be rounded apart by this much.
FRAME_TOLERANCE_S = 0.1
# What is in brackets behind a region's name is a unit when it looks like one, else part of the name: "cord (upper)".
ACTIVITY_LIKE = re.compile(r"Bq|Ci\b|SUV|/ ?(mL|cc|cm)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Tacs:
    """Curves of several regions on shared frames: activity (regions, frames) in kBq/mL, decay-corrected as given.

    corrected: whether the files say that they are decay-corrected; None where they say nothing. volumes_mm3: of the
    regions, as far as the files tell. pvc: the partial-volume correction that the curves went
    through before, as their program calls it, "none" without one; fwhm_mm: the resolution along x, y and z that it
    assumed, empty where nothing says.
    """

    timing: FrameTiming
    regions: tuple[str, ...]
    activity: NDArray[np.float64]
    notices: tuple[Notice, ...] = ()
    volumes_mm3: Mapping[str, float] = field(default_factory=dict)
    pvc: str = "none"
    fwhm_mm: tuple[float, ...] = ()
    corrected: bool | None = None


def read_tacs(path: Path, json: Path | None = None, frames: FrameTiming | None = None) -> Tacs:
    """Read a table of frames (rows) by regions (columns), or what ``curve_tables`` brings into that form.

    Frames: FrameTimesStart or frame_start, with FrameTimesEnd, frame_end or FrameDuration; seconds unless a header or
    the JSON says otherwise. Activity: Bq/mL unless a header or the JSON (``Units`` of the region, or of the file) says
    otherwise. json: the metadata; without it the table's own sidecars are looked for. frames: those of the scan, for
    a table that holds only their middles; else they come from its JSON, or from PMOD's ``.acqtimes`` beside it.
    Raises InputRefused ("tacs-…", "frames-…", "table-…", "units-…"), among them "tacs-time-units" for minutes taken
    for seconds, "tacs-decay", "tacs-activity-units" for Bq taken for kBq or the other way round, and
    "tacs-units-mixed" for that in some of the regions.
    """
    path = Path(path)
    metadata = read_json(json) if json else sidecar(path)
    columns: dict[str, Column] = {}
    table = read_curve_table(path, metadata)
    for column in map(_with_unit, table.columns):
        if column.name in columns:
            raise InputRefused(
                "table-header",
                "{file} has two columns of one name: {column}; rename one",
                file=path.name,
                column=column.name,
            )
        columns[column.name] = column
    columns = _without_pmod_unit(columns)
    timing = _timing(path, columns, metadata, frames)
    if timing.ends_s[-1] < SHORTEST_STUDY_S:
        raise _in_minutes(path.name, timing)
    _check_frames(path.name, timing, metadata)
    named = [name for name in columns if name not in FRAME_COLUMNS]
    unused = [name for name in named if OF_FRAMES.fullmatch(re.sub(r"[^a-z0-9]", "", name.lower()))]
    no_curves = [name for name in named if name not in unused and _is_no_curve(columns[name], named)]
    regions = [name for name in named if name not in unused and name not in no_curves]
    if not regions:
        raise InputRefused("tacs-regions", "{file} holds frames but no region", file=path.name)
    of_file = text_in(metadata, "Units")
    units = {name: columns[name].unit or stated_unit(metadata, name) or of_file for name in regions}
    notices = Notices(table.notices)
    notices += check_timing(timing)
    if no_curves:
        notices.add(
            "tacs-columns-unused",
            "{path_name}: not used, as they are no curves of regions but a spread, or one number in every frame: "
            "{unused}",
            path_name=path.name,
            unused=", ".join(no_curves),
        )
    if unused:
        notices.add(
            "tacs-columns-unused",
            "{path_name}: not used, as they tell of frames and are no regions: {unused}",
            path_name=path.name,
            unused=", ".join(unused),
        )
    if not all(units.values()):
        notices.add(
            "tacs-units-assumed",
            "{path_name} states no unit of activity; taken as {default_unit}",
            path_name=path.name,
            default_unit=DEFAULT_UNIT,
        )
    activity = np.stack([_activity(columns[name], units[name] or DEFAULT_UNIT) for name in regions])
    _check_same_scale(path.name, dict(zip(regions, activity, strict=True)), units)
    _check_activity(path.name, activity, sorted({unit or f"{DEFAULT_UNIT} (assumed)" for unit in units.values()}))
    activity.flags.writeable = False
    volumes = {region: volume for region, volume in table.volumes_mm3.items() if region in regions}
    notices += copied_curves(regions, activity)
    corrected = decay_corrected(metadata)
    if corrected is False:
        raise InputRefused(
            "tacs-decay",
            "{file}: its JSON says that the curves are not decay-corrected; correct them to the time zero of the "
            "blood, and say so there",
            file=path.name,
        )
    return Tacs(timing, tuple(regions), activity, tuple(notices), volumes, table.pvc, table.fwhm_mm, corrected)


def read_frame_table(path: Path) -> FrameTiming:
    """The frames of a PET from a table: FrameTimesStart or frame_start, with FrameDuration or FrameTimesEnd.

    Seconds, unless a header or the JSON beside it says otherwise. Raises InputRefused ("tacs-frames",
    "tacs-time-units" (minutes taken for seconds), "frames-…", "table-…", "units-time").
    """
    columns = {column.name: column for column in map(_with_unit, read_table(path, units=False))}
    table = _frames(path.name, _without_pmod_unit(columns), sidecar(path))
    if len(table) > 1 and table.ends_s[-1] < SHORTEST_STUDY_S:
        raise _in_minutes(path.name, table)
    return table


def _in_minutes(file: str, timing: FrameTiming) -> InputRefused:
    return InputRefused(
        "tacs-time-units",
        "{file}: the last frame ends at {ends_s:g} s: the times look like minutes; write the unit into the "
        "header, such as FrameTimesStart[min]",
        file=file,
        ends_s=timing.ends_s[-1],
    )


def read_frame_weights(path: Path, timing: FrameTiming) -> NDArray[np.float64]:
    """Weights of the frames (frames,) from a table: its column weight, one row a frame in their order.

    Where the table also has the frames' starts, they must be those of ``timing``, counted from the first of them.
    Raises InputRefused ("weights-file", "table-…").
    """
    columns = {column.name: column for column in map(_with_unit, read_table(path, units=False))}
    if "weight" not in columns:
        raise InputRefused("weights-file", "{file} has no column weight; add it", file=path.name)
    weights = columns["weight"].numbers()
    if not (weights >= 0).all() or not (weights > 0).any():
        raise InputRefused(
            "weights-file",
            "{file}: a weight is missing or negative, or all are 0; give one of at least 0 for every frame",
            file=path.name,
        )
    if len(weights) != len(timing):
        raise InputRefused(
            "weights-file",
            "{file} holds {found} weights, and there are {wanted} frames; give one a frame",
            file=path.name,
            found=len(weights),
            wanted=len(timing),
        )
    starts = next((_seconds(columns[name], sidecar(path)) for name in STARTS if name in columns), timing.starts_s)
    late = np.abs(starts - starts[0] - timing.starts_s + timing.starts_s[0])
    if late.max() > FRAME_TOLERANCE_S:
        raise InputRefused(
            "weights-file",
            "{file}: the start of frame {frame} is another than in the scan; give the weights of these frames",
            file=path.name,
            frame=int(np.argmax(late)) + 1,
        )
    return weights


def _without_pmod_unit(columns: dict[str, Column]) -> dict[str, Column]:
    """PMOD's .tac heads its second column with the unit of the regions: ``end[kBq/cc]``, the time as the start's.

    Without starts and ends the second column is a region, whose unit is that of the others as well.
    """
    end, start = columns.get("end"), columns.get("start")
    middle = next((name for name in MIDDLES if name in columns), None)
    if middle is not None and start is None and len(columns) > 1:
        unit = list(columns.values())[1].unit
        return {name: column if column.unit else replace(column, unit=unit) for name, column in columns.items()}
    if end is None or start is None or end.unit is None or not ACTIVITY_LIKE.search(end.unit):
        return columns
    regions = {name: column if column.unit else replace(column, unit=end.unit) for name, column in columns.items()}
    return {**regions, "start": start, "end": replace(end, unit=start.unit)}


def _frames(file: str, columns: Mapping[str, Column], metadata: Mapping[str, Any]) -> FrameTiming:
    start = _first(columns, STARTS, file)
    end = _first(columns, (*ENDS, *DURATIONS), file)
    starts, ends = (_seconds(column, metadata) for column in (start, end))
    also = next((columns[name] for name in DURATIONS if name in columns and end.name in ENDS), None)
    off = np.zeros(1) if also is None else np.abs(ends - starts - _seconds(also, metadata))
    if also is not None and off.max() > FRAME_TOLERANCE_S:
        raise InputRefused(
            "tacs-frames",
            "{file}: {end} and {duration} of frame {frame} contradict each other; correct one",
            file=file,
            end=end.name,
            duration=also.name,
            frame=int(np.argmax(off)) + 1,
        )
    try:
        return FrameTiming(starts, ends if end.name in DURATIONS else ends - starts)
    except InputRefused as reason:
        raise located(reason, file) from None


def _timing(
    path: Path, columns: Mapping[str, Column], metadata: Mapping[str, Any], frames: FrameTiming | None
) -> FrameTiming:
    """The frames that the table holds; where it holds only their middles, those that are told elsewhere."""
    middle = next((columns[name] for name in MIDDLES if name in columns), None)
    if middle is None:
        return _frames(path.name, columns, metadata)
    if any(name in columns for name in STARTS):
        timing = _frames(path.name, columns, metadata)
        _check_middles(path.name, middle, metadata, timing)
        return timing
    starts, durations = (numbers_in(metadata, key, path.name) for key in ("FrameTimesStart", "FrameDuration"))
    beside = pmod.frame_times_beside(path)
    if frames is None and starts and durations:
        frames = FrameTiming(np.array(starts), np.array(durations))
    elif frames is None and beside is not None:
        start, end = (column.numbers() for column in beside)
        frames = FrameTiming(start, end - start)
    if frames is None:
        raise InputRefused(
            "tacs-frames",
            "{file} holds only the middles of its frames; name the scan's JSON with --pet-json, write FrameTimesStart "
            "and FrameDuration into a JSON beside it, or put PMOD's .acqtimes beside it",
            file=path.name,
        )
    found = _seconds(middle, metadata)
    if found.shape != frames.mids_s.shape or np.abs(found - frames.mids_s).max() > FRAME_TOLERANCE_S:
        raise InputRefused(
            "tacs-frames",
            "{file}: the middles of its frames are not those of the frames that are told beside it; correct one",
            file=path.name,
        )
    return frames


def _check_middles(file: str, middle: Column, metadata: Mapping[str, Any], timing: FrameTiming) -> None:
    """Refuse ("tacs-frames") a column that is called a time, and runs with its frames in no unit of time.

    Programs write the frames' starts, middles, decay-weighted means or ends there, counted from the injection, the
    scan's start or midnight; the frames are stated beside it. Times of day are no numbers, as a region's values are.
    """
    try:
        times_s = _seconds(middle, metadata)
        numbers = middle.numbers()
    except InputRefused:
        return
    if any(np.array_equal(numbers, np.arange(first, first + len(timing))) for first in (0, 1)):
        return  # it numbers the frames
    for factor, digit in ((0.001, 1.0), (1.0, 1.0), (60.0, 1.0), (3600.0, 0.1)):
        moments = times_s * factor
        rounded = max(ROUNDED_S, 0.51 * digit * factor)  # to a minute, or a tenth of an hour
        at_least, at_most = timing.starts_s - rounded - moments, timing.ends_s + rounded - moments
        if at_least.max() <= at_most.min():
            return
    raise InputRefused(
        "tacs-frames",
        "{file}: its column {column} does not hold the times of its frames; correct it, or call it otherwise "
        "where it is a region",
        file=file,
        column=middle.name,
    )


def _with_unit(column: Column) -> Column:
    name, unit = split_unit(column.name)
    of_frames = name in FRAME_COLUMNS
    return replace(column, name=name, unit=unit) if unit and (of_frames or ACTIVITY_LIKE.search(unit)) else column


def _first(columns: Mapping[str, Column], names: Sequence[str], file: str) -> Column:
    found = next((columns[name] for name in names if name in columns), None)
    if found is None:
        raise InputRefused(
            "tacs-frames", "{file} has no column {names}; add the frame times", file=file, names=" or ".join(names)
        )
    return found


def _seconds(column: Column, metadata: Mapping[str, Any]) -> NDArray[np.float64]:
    values = column.numbers()
    if np.isnan(values).any():
        raise InputRefused(
            "tacs-frames", "{file}, {column}: a frame time is missing", file=column.file, column=column.name
        )
    unit = column.unit or stated_unit(metadata, column.name) or "s"
    return values * seconds_per(unit, f"{column.file}, {column.name}")


def _check_frames(file: str, timing: FrameTiming, metadata: Mapping[str, Any]) -> None:
    if not isinstance(metadata.get("FrameTimesStart"), list):
        return  # it may also describe the column
    listed = np.array(numbers_in(metadata, "FrameTimesStart", file))
    if listed.shape != timing.starts_s.shape or np.abs(listed - timing.starts_s).max() > FRAME_TOLERANCE_S:
        raise InputRefused(
            "tacs-frames", "{file}: its JSON lists other FrameTimesStart than the table; correct one", file=file
        )


def _activity(column: Column, unit: str) -> NDArray[np.float64]:
    values = column.numbers()
    if np.isnan(values).any():
        line = column.lines[int(np.argmax(np.isnan(values)))]
        raise InputRefused(
            "tacs-missing",
            "{file} line {line}: region {column} has no value; leave the region out",
            file=column.file,
            line=line,
            column=column.name,
        )
    return values * kbq_ml_per(unit, f"{column.file}, {column.name}")


def _is_no_curve(column: Column, names: Collection[str]) -> bool:
    """Whether a column is the spread of another one, or holds one number other than 0 in every frame.

    A region may do that in few frames, rounded.
    """
    spread = SPREAD.fullmatch(column.name)
    if spread and (not spread["region"] or spread["region"] in names):
        return True
    many = len(column.cells) >= FEWEST_CONSTANT
    return many and len(set(column.cells)) == 1 and bool(np.nan_to_num(column.numbers()).any())


def _check_same_scale(file: str, curves: Mapping[str, NDArray[np.float64]], units: Mapping[str, str | None]) -> None:
    """Refuse ("tacs-units-mixed") regions in different units that these set as far apart as no regions are.

    curves: activity (frames,) of every region in kBq/mL. Peaks alone do not tell: an artery's is that of the bolus.
    """
    groups: dict[str, list[str]] = {}
    for name, curve in curves.items():
        if curve.max() > 0:
            groups.setdefault(units[name] or DEFAULT_UNIT, []).append(name)
    usual = {unit: float(np.median([curves[name].max() for name in names])) for unit, names in groups.items()}
    later = {unit: float(np.median([np.median(curves[name]) for name in names])) for unit, names in groups.items()}
    if len(usual) < 2:
        return
    low, high = min(usual, key=lambda unit: usual[unit]), max(usual, key=lambda unit: usual[unit])
    if all(level[high] > UNIT_SLIP * level[low] for level in (usual, later)):
        raise InputRefused(
            "tacs-units-mixed",
            "{file}: in {low_unit}, as is said or assumed, {low} reaches {lowest:.3g} kBq/mL, and "
            "in {high_unit} {high} reaches {highest:.3g} kBq/mL, which no regions of one scan do: state the unit of "
            "every region, and the right one",
            file=file,
            low_unit=low,
            low=groups[low][0],
            lowest=usual[low],
            high_unit=high,
            high=groups[high][0],
            highest=usual[high],
        )


def _check_activity(file: str, activity: NDArray[np.float64], units: Sequence[str]) -> None:
    peak = float(activity.max())
    if not LOWEST_PEAK_KBQ_ML <= peak <= HIGHEST_KBQ_ML:
        raise InputRefused(
            "tacs-activity-units",
            "{file}: read in {units}, the highest activity is {peak:.4g} kBq/mL, outside {lowest_peak_kbq_ml:g} "
            "to {highest_kbq_ml:g}; write the right Units into its JSON",
            file=file,
            units=", ".join(units),
            peak=peak,
            lowest_peak_kbq_ml=LOWEST_PEAK_KBQ_ML,
            highest_kbq_ml=HIGHEST_KBQ_ML,
        )


def without_frames(tacs: Tacs, leave_out: Collection[int], until_min: float | None) -> Tacs:
    """The curves as a file without some frames would give them.

    leave_out: numbers of frames, counted from 1. until_min: frames that end later are left out too; None: none is.
    Raises InputRefused ("leave-out-frame", "until-short").
    """
    kept = tacs.timing.without(leave_out)
    if until_min is not None:
        kept &= tacs.timing.ends_s <= 60 * until_min
    if not kept.any():
        raise InputRefused("until-short", "no frame of the curves is left; leave out fewer, or choose a later --until")
    return replace(tacs, timing=tacs.timing.only(kept), activity=tacs.activity[:, kept])
