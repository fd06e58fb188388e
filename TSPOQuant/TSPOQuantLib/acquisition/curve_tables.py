"""Tables of regional curves in the spellings of other programs, brought into one: a column a region, a row a frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..messages import InputRefused, Listed, Notice, Notices
from . import pmod
from .tables import Column, parts_of, read_table, split_unit, stated_unit, text_in, unboxed

STARTS = ("FrameTimesStart", "frame_start", "start")
ENDS = ("FrameTimesEnd", "frame_end", "end")
DURATIONS = ("FrameDuration", "frame_duration", "frame_dur", "duration")
MIDDLES = ("frame_mid", "time", "sample-time")
# petfit's long tables: a row a region and frame.
LONG_REGION, LONG_VALUE, LONG_VOLUME = "region", "TAC", "volume_mm3"
LONG_SCAN = ("pet", "sub", "ses", "trc", "rec", "task", "run", "segmentation")
# Behind a region's name PMOD writes this for its curve corrected for partial volume.
CORRECTED = "_C"
MM3_PER_CCM = 1000.0
# What petprep's region volumes are called, and where a program keeps them: with the scan, or with the anatomy.
MORPH_VOLUME = "volume-mm3"
MORPH_FOLDERS = ("pet", "anat", ".")


@dataclass(frozen=True)
class CurveTable:
    """Columns of frame times and of regions, with units in their headers as a file would have them.

    volumes_mm3: of the regions, as far as they are known. pvc: the partial-volume correction that the curves went
    through, as the file calls it, "none" without one; fwhm_mm: the resolution along x, y and z that it assumed.
    """

    columns: tuple[Column, ...]
    volumes_mm3: Mapping[str, float] = field(default_factory=dict)
    pvc: str = "none"
    fwhm_mm: tuple[float, ...] = ()
    notices: tuple[Notice, ...] = ()


def read_curve_table(path: Path, metadata: Mapping[str, Any]) -> CurveTable:
    """Read the curves of a file: BIDS derivatives and petprep, petfit's long tables, PMOD's .tac, .voistat, .kmData.

    metadata: of its JSON. Raises InputRefused ("tacs-…", "pmod-sections", "table-…", "units-…").
    """
    tables = pmod.tables_in(path, units=False)
    if path.suffix.lower() == pmod.COMPOSITE:
        tables = tuple(table for table in tables if split_unit(table[0].name)[0] in STARTS)
        if len(tables) != 1:
            raise InputRefused(
                "tacs-regions",
                "{file} has {count} sections of tissue curves; it must have one",
                file=path.name,
                count=len(tables),
            )
    (columns,) = tables
    if path.suffix.lower() == pmod.STATISTICS:
        return _without_empty(path.name, _with_corrected_notice(path.name, _of_statistics(path.name, columns)))
    by_name = {column.name: column for column in columns}
    table = CurveTable(columns)
    if LONG_REGION in by_name and LONG_VALUE in by_name:
        table = _of_long(path.name, by_name, metadata)
    elif path.suffix.lower() in (*pmod.CURVES, pmod.COMPOSITE):
        table = _without_empty(path.name, _with_corrected_notice(path.name, table))
    return _with_correction(path, replace(table, volumes_mm3=table.volumes_mm3 or morph_volumes(path)), metadata)


def _of_long(file: str, columns: Mapping[str, Column], metadata: Mapping[str, Any]) -> CurveTable:
    """petfit's tables: one value a row, beside its region, frame and scan."""
    for name in LONG_SCAN:
        found = sorted(set(columns[name].words())) if name in columns else []
        if len(found) > 1:
            raise InputRefused(
                "tacs-several",
                "{file} holds the curves of several scans ({column}: {found}); give the file of one scan",
                file=file,
                column=name,
                found=", ".join(found),
            )
    unit = stated_unit(metadata, LONG_VALUE)
    if unit is None:
        raise InputRefused(
            "tacs-units",
            "{file}: no JSON states the unit of its column {column}, which petfit writes in kBq/mL; write it as Units "
            "of {column} into a JSON beside it",
            file=file,
            column=LONG_VALUE,
        )
    regions = columns[LONG_REGION]
    times = [columns[name] for name in (*STARTS, *ENDS, *DURATIONS) if name in columns]
    values = {"": replace(columns[LONG_VALUE], unit=unit)}
    volumes = _volumes(regions, columns[LONG_VOLUME], 1.0) if LONG_VOLUME in columns else {}
    return CurveTable(_wide(file, regions, times, values), volumes)


def _of_statistics(file: str, columns: Sequence[Column]) -> CurveTable:
    """PMOD's .voistat: averages of the regions, and those corrected for partial volume, at the middles of frames."""
    by_name = {column.name: column for column in map(Column.parted, columns)}
    lacking = [name for name in (pmod.REGION, pmod.TIME, pmod.AVERAGED) if name not in by_name]
    if lacking:
        raise InputRefused(
            "tacs-regions",
            "{file} lacks {lacking}; export the averages of the regions over time from PMOD",
            file=file,
            lacking=", ".join(lacking),
        )
    scans = set(zip(*(by_name[name].cells for name in pmod.SCAN if name in by_name), strict=True))
    if len(scans) > 1:
        raise InputRefused(
            "tacs-several", "{file} holds the curves of {count} scans; export one", file=file, count=len(scans)
        )
    regions = by_name[pmod.REGION]
    values = {"": by_name[pmod.AVERAGED]}
    if pmod.CORRECTED in by_name:
        values[CORRECTED] = by_name[pmod.CORRECTED]
    time = replace(by_name[pmod.TIME], name=MIDDLES[0])
    volumes = {}
    if pmod.VOLUME in by_name:
        volume = by_name[pmod.VOLUME]
        volumes = _volumes(regions, volume, MM3_PER_CCM) if (volume.unit or "ccm") == "ccm" else {}
    return CurveTable(_wide(file, regions, [time], values), volumes)


def _with_corrected_notice(file: str, table: CurveTable) -> CurveTable:
    names = {split_unit(column.name)[0] for column in table.columns}
    if not any(name + CORRECTED in names for name in names):
        return table
    notice = Notice(
        "tacs-corrected",
        "{file}: regions whose name ends in {ending} are corrected for partial volume, as PMOD writes them",
        file=file,
        ending=CORRECTED,
    )
    return replace(table, notices=(*table.notices, notice))


def _without_empty(file: str, table: CurveTable) -> CurveTable:
    """Without the regions for which PMOD has NaN in every frame: it could not correct them, or they hold no voxel."""
    empty = [column.name for column in table.columns if {cell.lower() for cell in column.cells} <= {"nan", ""}]
    if not empty:
        return table
    notice = Notice(
        "tacs-empty", "{file}: not a number in any frame, and left out: {regions}", file=file, regions=Listed(empty)
    )
    kept = tuple(column for column in table.columns if column.name not in empty)
    return replace(table, columns=kept, notices=(*table.notices, notice))


def _wide(file: str, regions: Column, times: Sequence[Column], values: Mapping[str, Column]) -> tuple[Column, ...]:
    """A column a region from rows of regions and frames. values: by what the region's name is followed by."""
    rows: dict[str, list[int]] = {}
    for index, region in enumerate(regions.words()):
        rows.setdefault(region, []).append(index)
    first = next(iter(rows))
    kept = [_rows(time, rows[first]) for time in times]
    for region, indices in rows.items():
        for time, theirs in zip(times, kept, strict=True):
            if not np.array_equal(_rows(time, indices).numbers(), theirs.numbers(), equal_nan=True):
                raise InputRefused(
                    "tacs-frames",
                    "{file}: region {region} has other frames than {first}; every region needs all of them, once",
                    file=file,
                    region=region,
                    first=first,
                )
    curves = [
        replace(_rows(value, indices), name=region + ending)
        for region, indices in rows.items()
        for ending, value in values.items()
    ]
    return (*kept, *curves)


def _rows(column: Column, indices: Sequence[int]) -> Column:
    return replace(
        column,
        cells=tuple(column.cells[index] for index in indices),
        lines=tuple(column.lines[index] for index in indices),
    )


def _volumes(regions: Column, volumes: Column, mm3_per_unit: float) -> dict[str, float]:
    numbers = zip(regions.cells, volumes.numbers() * mm3_per_unit, strict=True)
    return {region: float(volume) for region, volume in numbers if np.isfinite(volume)}


def _with_correction(path: Path, table: CurveTable, metadata: Mapping[str, Any]) -> CurveTable:
    """With the partial-volume correction that petprep's JSON (PVCMethod, FWHM_x …) or the name (pvc-) states."""
    named = next((part.removeprefix("pvc-") for part in parts_of(path) if part.startswith("pvc-")), None)
    stated = text_in(metadata, "PVCMethod")
    method = stated or named
    if method is None:
        return table
    widths = [unboxed(metadata.get(f"FWHM_{axis}")) for axis in "xyz"]
    fwhm_mm = tuple(float(width) for width in widths if isinstance(width, int | float) and not isinstance(width, bool))
    fwhm_mm = fwhm_mm if len(fwhm_mm) == len(widths) else ()
    notices = Notices(table.notices)
    notices.add(
        "tacs-pvc",
        "{file}: its curves were corrected for partial volume before ({method}, {fwhm} mm FWHM)",
        file=path.name,
        method=method,
        fwhm=" × ".join(f"{width:g}" for width in fwhm_mm) or "?",
    )
    if named is not None and stated is not None and named.lower() != stated.lower():
        notices.add(
            "tacs-pvc-contradicts",
            "{file}: its name says pvc-{named}, its JSON {stated}",
            file=path.name,
            named=named,
            stated=stated,
        )
    return replace(table, pvc=method, fwhm_mm=fwhm_mm, notices=tuple(notices))


def morph_volumes(path: Path) -> dict[str, float]:
    """Volumes of the regions in mm³ from the ``_morph.tsv`` of a ``_tacs.tsv``; {} without one.

    It has the same sub- and seg- (or label-), the same ses- and run- where it has one, and lies with the scan or the
    subject's or session's anatomy; the others' entities (desc-, pvc-, rec-) are of no account. Raises InputRefused
    ("table-…").
    """
    wanted = _entities(path)
    if not {"seg", "label"} & set(wanted) or "sub" not in wanted:
        return {}
    subject = next((folder for folder in path.parents if folder.name == f"sub-{wanted['sub']}"), path.parent)
    folders = [path.parent, *(place / name for place in {path.parent.parent, subject} for name in MORPH_FOLDERS)]
    there = {file.resolve() for folder in folders for file in folder.glob("*_morph.tsv")}
    fitting = [
        file
        for file in sorted(there)
        if all((its := _entities(file)).get(key) == wanted.get(key) for key in ("sub", "seg", "label"))
        and all(its[key] == wanted.get(key) for key in ("ses", "run") if key in its)
    ]
    if not fitting:
        return {}
    nearest = max(fitting, key=lambda file: len(set(_entities(file)) & {"ses", "run"}))
    columns = {column.name: column for column in read_table(nearest, units=False)}
    if "name" not in columns or MORPH_VOLUME not in columns:
        return {}
    return _volumes(columns["name"], columns[MORPH_VOLUME], 1.0)


def _entities(path: Path) -> dict[str, str]:
    pairs = (part.partition("-") for part in parts_of(path)[:-1])
    return {key: value for key, dash, value in pairs if dash}
