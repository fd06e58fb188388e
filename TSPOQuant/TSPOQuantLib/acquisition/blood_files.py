"""Blood files in: PET-BIDS and PMOD tables and plain CSV, to curves in seconds and kBq/mL."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..messages import InputRefused, Notice, Notices
from .blood import UNIT_SLIP, BloodSamples, SampledCurve, odd_samples
from .curve_tables import STARTS
from .pmod import COMPOSITE, CURVES, tables_in
from .tables import (
    BECQUERELS,
    HIGHEST_KBQ_ML,
    LOWEST_PEAK_KBQ_ML,
    SHORTEST_STUDY_S,
    Column,
    decay_corrected,
    is_missing,
    kbq_ml_per,
    number_in,
    parts_of,
    read_json,
    seconds_per,
    sidecar,
    split_unit,
    stated_unit,
    truth,
    unboxed,
)

TIME = "time"
WHOLE_BLOOD = "whole_blood_radioactivity"
PLASMA = "plasma_radioactivity"
PARENT_FRACTION = "metabolite_parent_fraction"
PARENT_PLASMA = "AIF"
PLASMA_RATIO = "plasma_to_whole_blood_ratio"
ACTIVITIES = (WHOLE_BLOOD, PLASMA, PARENT_PLASMA)
QUANTITIES = (TIME, *ACTIVITIES, PARENT_FRACTION, PLASMA_RATIO)
# Columns that BIDS defines and that no model here uses.
UNUSED = frozenset({"metabolite_polar_fraction", "metabolite_lipophilic_fraction", "hplc_recovery_fractions"})
# The units of the BIDS specification's own _blood.tsv example, taken (with a Notice) where a BIDS table says nothing.
BIDS_UNITS = {TIME: "s", **dict.fromkeys(ACTIVITIES, "kBq/mL")}

# How PMOD and spreadsheets head their columns, letters only.
HEADERS = {
    **dict.fromkeys(("time", "sampletime"), TIME),
    **dict.fromkeys(("wholeblood", "wholebloodactivity", "blood", "bloodactivity"), WHOLE_BLOOD),
    **dict.fromkeys(("plasma", "plasmaactivity", "totalplasma"), PLASMA),
    **dict.fromkeys(("parentfraction", "plasmaparentfraction"), PARENT_FRACTION),
    **dict.fromkeys(("aif", "parent", "parentplasma", "plasmaparent"), PARENT_PLASMA),
    **dict.fromkeys(("plasmawholebloodratio", "plasmatowholebloodratio", "plasmabloodratio"), PLASMA_RATIO),
    # PKIN: total plasma is whole blood times the plasma fraction.
    "plasmafraction": PLASMA_RATIO,
    # BIDS' own names in capitals, or with blanks.
    **{re.sub(r"[^a-z]", "", name): name for name in (WHOLE_BLOOD, PLASMA, PARENT_FRACTION)},
}

# Times that only a slipped unit brings about (the program's limits, not published).
LONGEST_BLOOD_S = 6 * 3600.0  # 17 half-lives of C-11; seconds taken for minutes, or a clock of day, end above it
SHORTEST_INTERVAL_S = 0.1  # between an autosampler's samples; 1 s in minutes is 0.017
# Counting noise before arrival may be negative, as far below zero as this part of the peak (our choice).
NEGATIVE_PART = 0.05
FRACTION_UNITS = frozenset(
    {"", "1", "1/1", "a.u.", "arbitrary", "arbitrary units", "dimensionless", "fraction", "none", "n/a", "ratio"}
    | {"unitless"}
)
EXPLICIT_FRACTIONS = frozenset({"1", "1/1", "fraction"})
PERCENT_UNITS = frozenset({"%", "percent", "percentage"})
# A fraction this little above 1 is the noise of its measurement (our choice).
HIGHEST_FRACTION = 1.1
# Two columns of so many samples or more that agree this closely in all of them are one (choices).
FEWEST_EQUAL, SAME_COUNT = 3, 1e-6
# Rounding moves a ratio that was one number by no more than this; two counts of blood differ by percents. A choice.
SAME_RATIO = 2e-3
# A parent fraction of so many samples or more that falls by less than this until so late was hardly measured: choices.
FEWEST_FRACTIONS, HARDLY_FALLS, HARDLY_FALLS_UNTIL_S = 3, 0.03, 1200.0
# A parent fraction that rises by more than this from its first sample to its last, and so much of its ups and downs
# is that rise, is no parent fraction (our choice).
RISES, MOSTLY_RISES = 0.2, 0.8
METABOLITES_OUT = re.compile(
    r"metabolite[- ]?(free|corrected)|correct\w+ for (the )?(radio-?)?(labell?ed )?metabolites"
    r"|(parent|unchanged|intact|unmetaboli[sz]ed) (plasma|compound|(radio)?(tracer|ligand|activity))",
    re.IGNORECASE,
)
OF_METABOLITES = re.compile(
    r"(fraction|share|part|proportion|percent(age)?|%) (of|as) (the )?((radio)?labell?ed |radio-?)?metabolites?\b"
    r"|\b(radio-?)?metabolites?['\u2019]? (fraction|share|percentage)",
    re.IGNORECASE,
)
OF_PARENT = re.compile(r"parent|intact|un(changed|metaboli[sz]ed|modified)|1 ?[-\u2212]", re.IGNORECASE)
METABOLITES_IN = re.compile(
    r"\b(not|non|un|without|before|total)\b|(\b(and|plus|with|including)|\+) ?(its |all |the )?(radio-?)?metabolites",
    re.IGNORECASE,
)
# A parent fraction that rises again by more than this is named (our choice; HPLC repeats to a few percent).
FRACTION_RISE = 0.05
# A first parent fraction below this is named; above it is the noise of its measurement (our choice).
LOWEST_FIRST = 0.99
# Plasma or parent plasma so many times whole blood, or less than that part of it, is in another unit: cells that took
# up nothing at a hematocrit of 0.55 leave 2.2 times. Choices.
PLASMA_AT_MOST, PLASMA_AT_LEAST, PARENT_AT_LEAST = 5.0, 0.1, 1 / UNIT_SLIP
# Total plasma below this part of whole blood is named: most TSPO tracers are the other way round, as
# cells fill two fifths of the blood and take up little (our choice).
PLASMA_BELOW = 1.0
# What BIDS calls recording-autosampler, as datasets spell it.
AUTOSAMPLER = re.compile(r"recording-(auto\w*|continuous\w*)", re.IGNORECASE)
# From when its times count, in the words of a file, on their unit or of the column.
_SINCE = r"\b(after|from|post|relative to|since)[- ](the )?((start|begin\w*|onset|time) of (the )?)?"
COUNTED_FROM = {
    "injection": re.compile(_SINCE + r"((radio)?tracer |radioligand )?(inj(ection)?|administration)\b|\bp\.i\.", re.I),
    "scan": re.compile(_SINCE + r"(pet |emission |dynamic )?(scan|acquisition|emission|imaging)\b", re.I),
}
CLOCK = re.compile(r"(?P<h>\d{1,2}):(?P<min>[0-5]\d):(?P<s>[0-5]\d(\.\d+)?)")
CLOCK_UNIT = re.compile(r"h{1,2}:m{1,2}:s{1,2}(\.s+)?", re.IGNORECASE)
AVAILABLE = {"PlasmaAvail": PLASMA, "WholeBloodAvail": WHOLE_BLOOD, "MetaboliteAvail": PARENT_FRACTION}
"""PET-BIDS' keys that say whether a column holds values."""
CALIBRATION = re.compile(r"calibration_?factor", re.IGNORECASE)
ROUTES = ("arterial", "venous", "unknown")


@dataclass(frozen=True, eq=False)
class _Recording:
    """What one file holds: curves by quantity, each in seconds and kBq/mL or a fraction."""

    file: str
    autosampler: bool
    curves: Mapping[str, SampledCurve]
    dispersion_s: float | None
    notices: tuple[Notice, ...]
    counted_from: str


def read_blood(
    paths: Sequence[Path],
    json: Path | None = None,
    route: str = "unknown",
    columns: Mapping[str, str] | None = None,
    unit: str | None = None,
) -> BloodSamples:
    """Read blood from one or several files and merge them.

    paths: PET-BIDS ``_blood.tsv`` (manual, autosampler) or ``_bloodproc.tsv`` (AIF is ready parent plasma);
    ``_inputfunction.tsv`` of bloodstream and petfit; PMOD ``.bld``, ``.crv``, ``.kmData`` or ``.txt``, as text or
    spreadsheet; plain CSV.
    json: metadata for all of them; without it, each table's own JSON sidecars are looked for.
    route: "arterial", "venous" or "unknown".
    columns: for other tables, which header means which quantity: {"t (min)": "time", "Cwb": "AIF"}, quantities by
    their BIDS names, "AIF" for parent plasma and "plasma_to_whole_blood_ratio". Units come from brackets in the header
    or from ``Units`` in the JSON.
    unit: of the activities, where the files say none.

    Whole blood of a file named ``recording-autosampler`` becomes ``autosampler``. Raises InputRefused ("blood-…",
    "parent-fraction-…", "units-…", "table-…", "json-…") for what cannot be believed; the Notices name the rest.
    """
    if route not in ROUTES:
        raise InputRefused(
            "blood-route", "the sampling route '{route}' is not one of {routes}", route=route, routes=", ".join(ROUTES)
        )
    if not paths:
        raise InputRefused("blood-files", "no blood file was given")
    given = read_json(json) if json else None
    recordings = [
        _read_recording(path, table, sidecar(path) if given is None else given, columns or {}, unit)
        for path in map(Path, paths)
        for table in _blood_tables(path)
    ]
    ready = [recording for recording in recordings if PARENT_PLASMA in recording.curves]
    whole = [recording for recording in recordings if WHOLE_BLOOD in recording.curves]
    if len(ready) > 1 or (ready and len(whole) > 1):
        raise InputRefused(
            "blood-mixed", "raw blood and ready parent plasma were given together; give the raw files or the ready one"
        )
    notices = Notices(notice for recording in recordings for notice in recording.notices)
    curves: dict[str, SampledCurve] = {}
    for quantity in QUANTITIES[1:]:
        holding = [recording for recording in recordings if quantity in recording.curves]
        manual = [recording for recording in holding if quantity != WHOLE_BLOOD or not recording.autosampler]
        if manual:
            curves[quantity] = _merged(quantity, manual, notices)
    sampled = [recording for recording in whole if recording.autosampler]
    autosampler = _merged(WHOLE_BLOOD, sampled, notices) if sampled else None
    constants = {recording.dispersion_s for recording in recordings if recording.autosampler}
    if len(constants) > 1:
        raise InputRefused(
            "blood-dispersion", "the autosampler files state different dispersion constants; correct them"
        )
    if PLASMA_RATIO in curves and PLASMA not in curves:
        curves[PLASMA] = _plasma_from_ratio(curves[PLASMA_RATIO], curves.get(WHOLE_BLOOD) or autosampler)
        notices.add(
            "blood-plasma-from-ratio", "plasma is the plasma-to-blood ratio times whole blood at the ratio's times"
        )
    _tell_merged([recording for recording in whole if not recording.autosampler], notices)
    _check_same_unit(curves, autosampler)
    _tell_alike(curves, notices)
    _tell_unmeasured(curves.get(PARENT_FRACTION), notices)
    for quantity in ACTIVITIES:
        for at in odd_samples(curves[quantity]) if quantity in curves else ():
            notices.add(
                "blood-sample-odd",
                "{quantity}: {value:.4g} kBq/mL at {seconds:g} s does not fit the samples before and after it; check "
                "it, or write n/a",
                quantity=quantity,
                value=curves[quantity].values[at],
                seconds=curves[quantity].times_s[at],
            )
    if route == "venous" and PARENT_FRACTION in curves:
        notices.add(
            "parent-fraction-venous", "venous parent fractions may disagree with arterial ones (JNM 2015;56:365)"
        )
    blood = BloodSamples(
        whole_blood=curves.get(WHOLE_BLOOD),
        plasma=curves.get(PLASMA),
        parent_fraction=curves.get(PARENT_FRACTION),
        autosampler=autosampler,
        dispersion_s=next(iter(constants), None),
        parent_plasma=curves.get(PARENT_PLASMA),
        route=route,
        notices=tuple(notices),
        counted_from=tuple(
            dict.fromkeys(recording.counted_from for recording in recordings if recording.counted_from)
        ),
    )
    _check_times(blood)
    return blood


def _blood_tables(path: Path) -> tuple[tuple[Column, ...], ...]:
    """The tables of blood in a file; of PMOD's composite .kmData the sections without tissue.

    PMOD's files may state a unit of activity once, behind the name of the second column.
    """
    tables = tables_in(path)
    if path.suffix.lower() == COMPOSITE:
        tables = tuple(table for table in tables if table[0].name not in STARTS)
        if not tables:
            raise InputRefused("blood-empty", "{file} holds no measured value", file=path.name)
    if path.suffix.lower() not in (COMPOSITE, *CURVES):
        return tables
    return tuple(
        tuple(
            column
            if column.unit or quantity_of(path, column) not in ACTIVITIES
            else replace(column, unit=table[1].unit)
            for column in table
        )
        for table in tables
    )


def _read_recording(
    path: Path,
    table: Sequence[Column],
    metadata: Mapping[str, Any],
    columns: Mapping[str, str],
    user_unit: str | None = None,
) -> _Recording:
    notices = Notices()
    _refuse_uncorrected(path.name, metadata)
    by_quantity, unknown = _identify(path, table, columns)
    _refuse_corrected_twice(path.name, by_quantity, metadata)
    by_quantity[TIME] = _in_seconds(path.name, by_quantity[TIME])
    numbers = {quantity: column.numbers() for quantity, column in by_quantity.items()}
    used = ~np.all([np.isnan(values) for values in numbers.values()], axis=0)
    if unknown:
        notices.add(
            "blood-columns-unused", "{path_name}: not used: {unknown}", path_name=path.name, unknown=", ".join(unknown)
        )
    bids = path.suffix == ".tsv" and all(column.name == quantity for quantity, column in by_quantity.items())
    times = numbers[TIME][used]
    if np.isnan(times).any():
        raise InputRefused("blood-times", "{file}: a row has no time; correct it", file=path.name)
    if (np.diff(times) < 0).any():
        line = np.array(by_quantity[TIME].lines)[used][int(np.argmax(np.diff(times) < 0)) + 1]
        raise InputRefused(
            "blood-times",
            "{file} line {line}: time runs backwards; sort or correct the rows",
            file=path.name,
            line=line,
        )
    understood = {} if user_unit else _understood_units(path.name, by_quantity, numbers, metadata, notices)
    unit = _unit(path.name, TIME, by_quantity[TIME], metadata, bids, notices)
    times = times * seconds_per(unit, f"{path.name}, time")
    said = f"{unit} {_described(metadata, by_quantity[TIME], TIME)}"
    counted_from = next((moment for moment, words in COUNTED_FROM.items() if words.search(said)), "")
    curves = {}
    for quantity, column in by_quantity.items():
        measured = numbers[quantity][used]
        known = ~np.isnan(measured)
        if quantity == TIME or not known.any():
            continue
        where = f"{path.name}, {column.name}"
        if quantity == PARENT_FRACTION:
            stated = column.unit or stated_unit(metadata, quantity, column.name)
            at, values = _fractions(where, times[known], measured[known], stated, notices)
            _tell_of_metabolites(where, _described(metadata, column, quantity), values, notices)
        elif quantity == PLASMA_RATIO:
            at, values = times[known], measured[known]
            if (values <= 0).any() or (values > 10).any():
                raise InputRefused(
                    "blood-ratio", "{where}: a plasma-to-blood ratio lies outside 0 to 10; correct it", where=where
                )
        else:
            unit = understood.get(quantity) or _unit(path.name, quantity, column, metadata, bids, notices, user_unit)
            at, values = times[known], measured[known] * kbq_ml_per(unit, where)
            _check_activity(where, unit, values)
        curves[quantity] = _without_repeats(where, at, values, notices)
    if not curves:
        raise InputRefused("blood-empty", "{file} holds no measured value", file=path.name)
    _tell_metadata(path.name, metadata, curves, notices)
    autosampler = any(AUTOSAMPLER.fullmatch(part) for part in parts_of(path))
    dispersion_s = _dispersion(path.name, metadata, notices) if autosampler else None
    return _Recording(path.name, autosampler, curves, dispersion_s, tuple(notices), counted_from)


def _in_seconds(file: str, column: Column) -> Column:
    """Times that are all written as hours:minutes:seconds, in seconds; any other column as it is.

    Raises InputRefused ("blood-units") where the header says another unit.
    """
    found = [CLOCK.fullmatch(cell) for cell in column.cells if not is_missing(cell)]
    if not found or None in found:
        return column
    unit = "s" if column.unit is None or CLOCK_UNIT.fullmatch(column.unit) else column.unit
    if seconds_per(unit, f"{file}, {column.name}") != 1:
        raise InputRefused(
            "blood-units",
            "{file}, {column}: the header says {unit}, and the times are hours:minutes:seconds; correct one",
            file=file,
            column=column.name,
            unit=unit,
        )
    cells = (
        repr(3600 * int(clock["h"]) + 60 * int(clock["min"]) + float(clock["s"]))
        if (clock := CLOCK.fullmatch(cell))
        else cell
        for cell in column.cells
    )
    return replace(column, cells=tuple(cells), unit=unit)


def _identify(path: Path, table: Sequence[Column], stated: Mapping[str, str]) -> tuple[dict[str, Column], list[str]]:
    """Columns by quantity, and the names of those that mean nothing here."""
    headers = {split_unit(header)[0]: quantity for header, quantity in stated.items()}
    wrong = sorted(set(headers.values()) - set(QUANTITIES)) + sorted(set(headers) - {column.name for column in table})
    if wrong:
        raise InputRefused(
            "blood-columns",
            "{file}: the stated columns do not fit: {wrong} is neither in the file nor one of {quantities}",
            file=path.name,
            wrong=", ".join(wrong),
            quantities=", ".join(QUANTITIES),
        )
    found: dict[str, Column] = {}
    unknown = []
    for column in table:
        quantity = headers.get(column.name) if headers else quantity_of(path, column)
        if quantity is None:
            unknown += [] if column.name in UNUSED else [column.name]
        elif quantity in found:
            raise InputRefused(
                "blood-columns",
                "{file}: '{found_name}' and '{column}' both mean {quantity}",
                file=path.name,
                found_name=found[quantity].name,
                column=column.name,
                quantity=quantity,
            )
        else:
            found[quantity] = column
    if TIME not in found or len(found) < 2:
        names = ", ".join(column.name for column in table)
        raise InputRefused(
            "blood-columns",
            "{file} needs a time column and one of {quantities}; it has {names}; call them so",
            file=path.name,
            quantities=", ".join(QUANTITIES[1:]),
            names=names,
        )
    return found, unknown


def quantity_of(path: Path, column: Column) -> str | None:
    if column.name in QUANTITIES:
        return column.name
    letters = _letters(column.name)
    if letters == "value":  # PMOD files that only their name tells apart
        stem = _letters(path.stem)
        names = [name for name, quantity in HEADERS.items() if quantity != TIME and name in stem]
        letters = max(names, key=lambda name: (stem.endswith(name), len(name)), default="")
    quantity = HEADERS.get(letters)
    if quantity == PARENT_PLASMA and (column.unit or "").lower() in FRACTION_UNITS | PERCENT_UNITS and column.unit:
        return PARENT_FRACTION
    return quantity


def _letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


def _refuse_uncorrected(file: str, metadata: Mapping[str, Any]) -> None:
    """Blood is decay-corrected to time zero (BIDS specification, PET, figure 1) unless its metadata says otherwise."""
    if decay_corrected(metadata) is False:
        raise InputRefused(
            "blood-decay",
            "{file}: its metadata says that it is not decay-corrected; correct the activities to time zero",
            file=file,
        )
    for key, value in metadata.items():
        if "decaycorrectiontime" in key.lower() and unboxed(value) not in (0, None):
            raise InputRefused(
                "blood-decay",
                "{file}: {key} is {value}, not 0; bring the activities to time zero of the scan",
                file=file,
                key=key,
                value=value,
            )


def _unit(
    file: str,
    quantity: str,
    column: Column,
    metadata: Mapping[str, Any],
    bids: bool,
    notices: Notices,
    user_unit: str | None = None,
) -> str:
    """user_unit: the unit that the user states, where the file states none, or an activity without its volume."""
    stated = stated_unit(metadata, quantity, column.name)
    factor = seconds_per if quantity == TIME else kbq_ml_per
    where = f"{file}, {column.name}"
    if column.unit and stated and factor(column.unit, where) != factor(stated, where):
        raise InputRefused(
            "blood-units",
            "{where}: the header says {column_unit}, the JSON {stated}; correct one",
            where=where,
            column_unit=column.unit,
            stated=stated,
        )
    unit = column.unit or stated
    if user_unit and (unit is None or (unit in BECQUERELS and user_unit.startswith(f"{unit}/"))):
        return user_unit
    if user_unit and unit and kbq_ml_per(unit, where) != kbq_ml_per(user_unit, where):
        raise InputRefused(
            "blood-units",
            "{where}: the file says {unit}, and {user_unit} was stated; correct one",
            where=where,
            unit=unit,
            user_unit=user_unit,
        )
    if unit is None and bids:
        unit = BIDS_UNITS[quantity]
        notices.add(
            "blood-units-assumed",
            "{where}: no unit stated; taken as {unit}, as BIDS writes it",
            where=where,
            unit=unit,
        )
    if unit is None:
        raise InputRefused(
            "blood-units", "{where}: no unit; write it in the header in brackets or in a JSON", where=where
        )
    return unit


def _understood_units(
    file: str,
    by_quantity: Mapping[str, Column],
    numbers: Mapping[str, NDArray[np.float64]],
    metadata: Mapping[str, Any],
    notices: Notices,
) -> dict[str, str]:
    """Units with "/mL" for activities whose own unit names no volume, where the file leaves no doubt of it.

    kinfitr, bloodstream and petfit write ``_inputfunction.tsv`` with the unit "Bq", and mean Bq/mL. That is taken from
    whole blood or plasma beside parent plasma alone: two concentrations that then agree with each other, and with what
    blood can hold. Raises InputRefused ("units-activity") for any other activity without a volume.
    """
    stated = {
        quantity: column.unit or stated_unit(metadata, quantity, column.name) or ""
        for quantity, column in by_quantity.items()
        if quantity in ACTIVITIES
    }
    bare = [quantity for quantity, unit in stated.items() if unit in BECQUERELS]
    if not bare:
        return {}
    full = {quantity: f"{unit}/mL" if quantity in bare else unit for quantity, unit in stated.items()}
    peaks = [
        float(np.nanmax(numbers[quantity])) * kbq_ml_per(unit, f"{file}, {by_quantity[quantity].name}")
        for quantity, unit in full.items()
        if unit and not np.isnan(numbers[quantity]).all()
    ]
    pair = PARENT_PLASMA in stated and len(peaks) > 1
    if not pair or max(peaks) > UNIT_SLIP * min(peaks):
        raise InputRefused(
            "units-activity",
            "{file}, {name}: '{unit}' is an activity without a volume; write the concentration that it is, such as "
            "Bq/mL, as its Units into the JSON",
            file=file,
            name=by_quantity[bare[0]].name,
            unit=stated[bare[0]],
        )
    notices.add(
        "blood-volume-understood",
        "{file}: '{unit}' names no volume; read as {unit}/mL, as kinfitr, bloodstream and petfit mean it: whole "
        "blood and parent plasma stand side by side and agree",
        file=file,
        unit=stated[bare[0]],
    )
    return {quantity: full[quantity] for quantity in bare}


def _check_activity(where: str, unit: str, values: NDArray[np.float64]) -> None:
    peak = float(values.max())
    if not LOWEST_PEAK_KBQ_ML <= peak <= HIGHEST_KBQ_ML:
        raise InputRefused(
            "blood-activity-units",
            "{where}: the peak is {peak:.4g} kBq/mL, more than blood can hold; the numbers look smaller in unit "
            "than the stated {unit} (Bq/mL?); correct the unit"
            if peak > HIGHEST_KBQ_ML
            else "{where}: the peak is only {peak:.4g} kBq/mL; the numbers look larger in unit than the stated "
            "{unit} (kBq/mL?); correct the unit",
            where=where,
            peak=peak,
            unit=unit,
        )
    if values.min() < -NEGATIVE_PART * peak:
        raise InputRefused(
            "blood-negative",
            "{where}: {lowest:.4g} kBq/mL is too far below zero for noise; correct it",
            where=where,
            lowest=values.min(),
        )


def _fractions(
    where: str, times: NDArray[np.float64], values: NDArray[np.float64], unit: str | None, notices: Notices
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Parent fractions from 0 to 1, percent converted."""
    stated = (unit or "").lower()
    if stated not in FRACTION_UNITS | PERCENT_UNITS:
        raise InputRefused(
            "parent-fraction-units",
            "{where}: '{unit}' is neither a fraction nor percent; correct it",
            where=where,
            unit=unit,
        )
    peak = float(values.max())
    # In percent, hardly any value is below 1; among fractions, a slipped 97 for 0.97 stands alone.
    like_percent = peak <= 105 and np.count_nonzero(values[values > 0] <= 1) * 2 < np.count_nonzero(values > 0)
    percent = like_percent and (stated in PERCENT_UNITS or (peak > 20 and stated not in EXPLICIT_FRACTIONS))
    if not percent and (stated in PERCENT_UNITS or peak > HIGHEST_FRACTION):
        raise InputRefused(
            "parent-fraction-range",
            "{where}: the highest value is {peak:g} with the unit '{unit}'; write fractions from 0 to 1, or "
            "percent and say so",
            where=where,
            peak=peak,
            unit=unit or "not stated",
        )
    if percent:
        values = values / 100
        if stated not in PERCENT_UNITS:
            notices.add(
                "parent-fraction-percent",
                "{where}: values up to {peak:g} were read as percent",
                where=where,
                peak=peak,
            )
    if (values < 0).any():
        raise InputRefused("parent-fraction-range", "{where}: a parent fraction is below 0; correct it", where=where)
    if (values > 1).any():
        notices.add(
            "parent-fraction-above-1",
            "{where}: values up to {highest:.3f} were set to 1, the most there can be",
            where=where,
            highest=values.max(),
        )
        values = np.minimum(values, 1.0)
    if not (values > 0).any():
        raise InputRefused("parent-fraction-range", "{where}: every parent fraction is 0; correct it", where=where)
    if values[0] == 0:
        first = int(np.argmax(values > 0))
        notices.add(
            "parent-fraction-zero-first",
            "{where}: 0 before {times:g} s was left out: before arrival it is a fraction of nothing",
            where=where,
            times=times[first],
        )
        times, values = times[first:], values[first:]
    if values[0] < LOWEST_FIRST:
        notices.add(
            "parent-fraction-first",
            "{where}: the first value is {values:.3f} at {times:g} s, below 1",
            where=where,
            values=values[0],
            times=times[0],
        )
    _refuse_metabolites(where, values)
    rise = float((values - np.minimum.accumulate(values)).max())
    if rise > FRACTION_RISE:
        notices.add(
            "parent-fraction-rises", "{where}: the parent fraction rises again by {rise:.2f}", where=where, rise=rise
        )
    return times, values


def _refuse_metabolites(where: str, values: NDArray[np.float64]) -> None:
    """Refuse ("parent-fraction-metabolites") fractions that rise all the way: they are the metabolites' share."""
    rise = float(values[-1] - values[0])
    if values.size >= FEWEST_FRACTIONS and rise > RISES and rise >= MOSTLY_RISES * np.abs(np.diff(values)).sum():
        raise InputRefused(
            "parent-fraction-metabolites",
            "{where}: from {first:.2f} to {last:.2f} the values rise, as the metabolites' share does and no parent "
            "fraction; write 1 - value",
            where=where,
            first=values[0],
            last=values[-1],
        )


def _without_repeats(
    where: str, times: NDArray[np.float64], values: NDArray[np.float64], notices: Notices
) -> SampledCurve:
    repeated = np.flatnonzero(np.diff(times) == 0)
    if (values[repeated] != values[repeated + 1]).any():
        at = times[repeated[np.argmax(values[repeated] != values[repeated + 1])]]
        raise InputRefused("blood-times", "{where}: two different values at {at:g} s; keep one", where=where, at=at)
    if repeated.size:
        notices.add(
            "blood-repeated",
            "{where}: {size} samples are written twice; one was kept",
            where=where,
            size=repeated.size,
        )
    keep = np.delete(np.arange(times.size), repeated + 1)
    return SampledCurve(times[keep], values[keep])


def _described(metadata: Mapping[str, Any], column: Column, quantity: str) -> str:
    """What the metadata says of a column in words, "" where nothing."""
    entry = metadata.get(quantity, metadata.get(column.name))
    description = unboxed(entry.get("Description")) if isinstance(entry, dict) else None
    return description if isinstance(description, str) else ""


def _tell_of_metabolites(where: str, description: str, values: NDArray[np.float64], notices: Notices) -> None:
    """Tell of a parent fraction that is described as the metabolites' share, and falls as theirs never does."""
    if OF_METABOLITES.search(description) and not OF_PARENT.search(description) and values[-1] < values[0]:
        notices.add(
            "parent-fraction-described",
            "{where}: its description is '{description}', the metabolites' share, while its values fall as the parent "
            "fraction does; taken as the parent fraction: correct the description, or the values",
            where=where,
            description=description,
        )


def _refuse_corrected_twice(file: str, by_quantity: Mapping[str, Column], metadata: Mapping[str, Any]) -> None:
    """Plasma that is said to be parent plasma already, beside a parent fraction."""
    if PLASMA not in by_quantity or PARENT_FRACTION not in by_quantity:
        return
    description = _described(metadata, by_quantity[PLASMA], PLASMA)
    if METABOLITES_OUT.search(description) and not METABOLITES_IN.search(description):
        raise InputRefused(
            "blood-parent-twice",
            "{file}: its metadata says that plasma is metabolite-corrected already, and a parent fraction is given, "
            "too; leave the parent fraction out and call the plasma AIF, or correct the description",
            file=file,
        )


def _tell_unmeasured(fraction: SampledCurve | None, notices: Notices) -> None:
    """Tell of a parent fraction that was most likely not measured: it does not fall, or a sample is 0."""
    if fraction is None:
        return
    for seconds in fraction.times_s[fraction.values <= 0].tolist():
        notices.add(
            "parent-fraction-zero",
            "the parent fraction is 0 at {seconds:g} s: nothing was found there rather than nothing left; check it, "
            "or write n/a",
            seconds=seconds,
        )
    flat = len(fraction.values) >= FEWEST_FRACTIONS and float(np.ptp(fraction.values)) < HARDLY_FALLS
    if flat and fraction.end_s >= HARDLY_FALLS_UNTIL_S:
        notices.add(
            "parent-fraction-constant",
            "the parent fraction is still {lowest:.3f} or more at {minutes:.0f} min: it looks as if it had not "
            "been measured, and metabolites count as tracer",
            lowest=fraction.values.min(),
            minutes=fraction.end_s / 60,
        )


def _tell_metadata(
    file: str, metadata: Mapping[str, Any], curves: Mapping[str, SampledCurve], notices: Notices
) -> None:
    """Tell of what the metadata says and the values do not show: factors of calibration, columns of nothing."""
    for key, value in metadata.items():
        factor = unboxed(value)
        if CALIBRATION.search(key) and isinstance(factor, int | float) and factor != 1:
            notices.add(
                "blood-calibration",
                "{file}: its metadata states {key} {factor:g}, by which activities are taken to be multiplied "
                "already; where they are not, multiply them",
                file=file,
                key=key,
                factor=float(factor),
            )
    for key, quantity in AVAILABLE.items():
        if quantity in curves and truth(metadata.get(key)) is False:
            notices.add(
                "blood-availability",
                "{file}: its metadata says by {key} that there is no {quantity}, and the file holds values of it, "
                "which were used; correct the one that is wrong",
                file=file,
                key=key,
                quantity=quantity,
            )


def _dispersion(file: str, metadata: Mapping[str, Any], notices: Notices) -> float | None:
    """Dispersion constant in seconds that is still to be corrected for; None where nothing is to be done."""
    if truth(metadata.get("DispersionCorrected")):
        return None
    constant = number_in(metadata, "DispersionConstant", file)
    if constant is None:
        notices.add(
            "blood-dispersion-unknown",
            "{file} does not state a dispersion constant; the autosampler's curve is used as measured",
            file=file,
        )
        return None
    unit = unboxed(metadata.get("DispersionConstantUnits", "s"))
    if not isinstance(unit, str):
        raise InputRefused("blood-dispersion", "{file}: DispersionConstantUnits must be a unit of time", file=file)
    seconds = constant * seconds_per(unit, f"{file}, DispersionConstant")
    if not 0 <= seconds <= 60:
        raise InputRefused(
            "blood-dispersion",
            "{file}: a dispersion constant of {seconds:g} s; correct it or its unit",
            file=file,
            seconds=seconds,
        )
    return seconds or None


def _merged(quantity: str, recordings: Sequence[_Recording], notices: Notices) -> SampledCurve:
    times = np.concatenate([recording.curves[quantity].times_s for recording in recordings])
    values = np.concatenate([recording.curves[quantity].values for recording in recordings])
    order = np.argsort(times, kind="stable")
    where = f"{', '.join(recording.file for recording in recordings)}, {quantity}"
    return _without_repeats(where, times[order], values[order], notices)


def _plasma_from_ratio(ratio: SampledCurve, whole_blood: SampledCurve | None) -> SampledCurve:
    if whole_blood is None:
        raise InputRefused("blood-ratio", "a plasma-to-blood ratio was given without whole blood; add the whole blood")
    covered = (ratio.times_s >= whole_blood.times_s[0]) & (ratio.times_s <= whole_blood.end_s)
    if not covered.any():
        raise InputRefused(
            "blood-ratio", "no plasma-to-blood ratio falls within the whole-blood samples; check the times"
        )
    times = ratio.times_s[covered]
    return SampledCurve(times, ratio.values[covered] * np.interp(times, whole_blood.times_s, whole_blood.values))


def _tell_merged(recordings: Sequence[_Recording], notices: Notices) -> None:
    """Tell of whole blood from several files that lies between each other's samples: two ways of counting, often."""
    if len(recordings) < 2:
        return
    one, other, *_ = sorted(recordings, key=lambda r: -r.curves[WHOLE_BLOOD].times_s.size)
    ratio = _over_whole_blood(other.curves[WHOLE_BLOOD], one.curves[WHOLE_BLOOD])
    if ratio is not None and one.file != other.file:
        notices.add(
            "blood-recordings-merged",
            "{one} and {other} both hold whole blood of the same time, the second {ratio:.3g} times the first "
            "(median), and were made one curve; where one of them is an automatic sampler's, say so by its name "
            "(recording-autosampler)",
            one=one.file,
            other=other.file,
            ratio=ratio,
        )


def _over_whole_blood(curve: SampledCurve | None, whole: SampledCurve | None) -> float | None:
    """How many times whole blood a curve is (median of where there is much of it); None where nothing tells."""
    if curve is None or whole is None:
        return None
    both = (curve.times_s >= whole.times_s[0]) & (curve.times_s <= whole.end_s)
    there = np.interp(curve.times_s[both], whole.times_s, whole.values)
    high = there > NEGATIVE_PART * whole.values.max()
    return float(np.median(curve.values[both][high] / there[high])) if np.count_nonzero(high) > 1 else None


def _check_same_unit(curves: Mapping[str, SampledCurve], autosampler: SampledCurve | None) -> None:
    """Refuse ("blood-plasma-units", "blood-sampler-units") plasma, whole blood and an automatic sampler's of one
    person that only a slipped unit sets so far apart."""
    ratio = _over_whole_blood(curves.get(WHOLE_BLOOD), autosampler)
    if ratio and not 1 / UNIT_SLIP < ratio < UNIT_SLIP:
        raise InputRefused(
            "blood-sampler-units",
            "manual whole blood is {ratio:.3g} times the automatic sampler's (median): one of the two is in another "
            "unit than it says (Bq/mL, kBq/mL, nCi/mL), or not calibrated; correct its unit",
            ratio=ratio,
        )
    for quantity, least in ((PLASMA, PLASMA_AT_LEAST), (PARENT_PLASMA, PARENT_AT_LEAST)):
        ratio = _over_whole_blood(curves.get(quantity), curves.get(WHOLE_BLOOD) or autosampler)
        if ratio and not least <= ratio <= PLASMA_AT_MOST:  # no slip of a unit makes 0
            raise InputRefused(
                "blood-plasma-units",
                "{quantity} is {ratio:.3g} times whole blood (median), which no blood is: one of the two is in "
                "another unit than it says (Bq/mL, kBq/mL, nCi/mL), or not calibrated; correct its unit",
                quantity=quantity,
                ratio=ratio,
            )


def _tell_alike(curves: Mapping[str, SampledCurve], notices: Notices) -> None:
    """Tell of plasma and whole blood that look like each other's columns, that are one column twice, or of which one
    was worked out from the other by a constant: two counts of two things never keep to one ratio throughout.
    """
    plasma, whole = curves.get(PLASMA), curves.get(WHOLE_BLOOD)
    usual = _over_whole_blood(plasma, whole)
    if usual is not None and usual < PLASMA_BELOW:
        notices.add(
            "plasma-below-whole-blood",
            "plasma is {ratio:.2f} times whole blood (median); most tracers are higher in plasma: make sure that the "
            "two columns are not exchanged",
            ratio=usual,
        )
    if plasma is None or whole is None or not np.array_equal(plasma.times_s, whole.times_s):
        return
    there = whole.values != 0
    if np.count_nonzero(there) < FEWEST_EQUAL:
        return
    ratio = float(np.median(plasma.values[there] / whole.values[there]))
    if np.allclose(plasma.values, whole.values, rtol=SAME_COUNT, atol=0):
        notices.add(
            "blood-columns-same",
            "plasma and whole blood are equal in all of {count} samples, which no two measurements are: one column is "
            "a copy of the other; correct it",
            count=len(whole.values),
        )
    elif np.allclose(plasma.values, ratio * whole.values, rtol=SAME_RATIO, atol=0):
        notices.add(
            "blood-columns-scaled",
            "plasma is {ratio:.3g} times whole blood in all of {count} samples, which no two measurements are: "
            "one was worked out from the other; make sure that this constant was meant, since in most tracers the "
            "ratio changes with time",
            ratio=ratio,
            count=len(whole.values),
        )


def _check_times(blood: BloodSamples) -> None:
    sampled = (blood.whole_blood, blood.plasma, blood.parent_fraction, blood.parent_plasma)
    ends = [curve.end_s for curve in sampled if curve is not None]
    dense = blood.autosampler
    if dense is not None and dense.times_s.size > 1 and np.median(np.diff(dense.times_s)) < SHORTEST_INTERVAL_S:
        raise InputRefused(
            "blood-time-units",
            "the autosampler's samples are hardly apart: its times look like minutes; write min as the unit of time",
        )
    # The autosampler stops early; what shows a slipped unit of the manual samples is where those end.
    end = max(ends) if ends or dense is None else dense.end_s
    if end < SHORTEST_STUDY_S:
        raise InputRefused(
            "blood-time-units",
            "the last blood sample is at {end:g} s: its times are minutes (write min as their unit), or blood ended "
            "too early for any model (add later samples)",
            end=end,
        )
    if end > LONGEST_BLOOD_S:
        raise InputRefused(
            "blood-time-units",
            "the last blood sample is {end:.1f} h after time zero: the times look like seconds said to be "
            "minutes, or like a clock; write seconds from time zero",
            end=end / 3600,
        )
