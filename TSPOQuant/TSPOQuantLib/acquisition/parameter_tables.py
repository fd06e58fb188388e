"""Kinetic parameters that another program fitted, by region, to stand beside ours.

petfit's ``_desc-…_kinpar.tsv``, ours, PMOD's ``.voistat`` of a parametric map and ``.kinPar`` of PKIN, and plain
tables with a column of regions and columns of parameters, their units in brackets behind the names.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..messages import InputRefused, Listed, Notice, Notices
from . import pmod
from .tables import Column, seconds_per, sidecar, text_in

REGIONS = ("region", "voi", "voiname(region)", "name")
SCANS = ("pet", "sub", "ses")
# Names of parameters, in small letters, by the keys that we give them; Innis 2007 and what programs write.
KEYS = {
    **{key.lower(): key for key in ("K1", "k2", "k3", "k4", "VB", "VT", "VS", "Ki", "Kb", "delay")},
    **{"inpshift": "delay", "blood_timeshift": "delay"},
}
IN_MINUTES = ("inpshift", "blood_timeshift")  # kinfitr shifts by minutes and says so nowhere in the table
ERROR_ENDINGS = ("-se", ".se", "_se")
PERCENT_ERROR = "se_"  # PKIN's SE_K1 [%]
THEIR_MODELS = {"2tcm_irr": "2TCM3k", "2tcmirr": "2TCM3k"}
MODEL_IN_NAME = re.compile(r"(?:^|_)model[-_](?P<model>[A-Za-z0-9]+)(?=_|$)")
PER_MINUTE = {"1/min": 1.0, "min-1": 1.0, "ml/cm3/min": 1.0, "ml/min/cm3": 1.0, "1/s": 60.0, "ml/cm3/s": 60.0}
VOLUMES = {"ml/cm3": 1.0, "ml/ml": 1.0, "1/1": 1.0, "1": 1.0, "%": 0.01}


@dataclass(frozen=True)
class ParameterTable:
    """Values by region and key, in our units. region "" stands for every one. model: "" where the file says none.

    errors: standard errors in the unit of their value; kinfitr's are parts of it and are multiplied.
    """

    file: str
    model: str
    values: Mapping[str, Mapping[str, float]]
    errors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()


def read_parameters(path: Path, spellings: Mapping[str, str]) -> ParameterTable:
    """Read a table of parameters. spellings: names of the models by how they may be written, in small letters.

    Raises InputRefused ("parameters-…", "table-…", "units-time").
    """
    models = {**THEIR_MODELS, **spellings}
    columns, *_ = pmod.tables_in(path, units=False)
    metadata = sidecar(path)
    by_name = {column.name.lower(): column for column in map(Column.parted, columns)}
    regions = next((by_name[name] for name in REGIONS if name in by_name), None)
    for name in SCANS:
        if name in by_name and len(set(by_name[name].cells)) > 1:
            raise InputRefused(
                "parameters-several", "{file} holds the parameters of several scans; give those of one", file=path.name
            )
    if path.suffix.lower() == pmod.STATISTICS:
        return _of_map(path.name, by_name, regions, models)
    found = {name: column for name, column in by_name.items() if name in KEYS}
    if not found or (regions is None and len(columns[0].cells) > 1):
        raise InputRefused(
            "parameters-columns",
            "{file} needs a column of regions and one of {keys}; it has {names}",
            file=path.name,
            keys=Listed(sorted(set(KEYS.values()))),
            names=Listed([column.name for column in columns]),
        )
    names = regions.words() if regions is not None else ("",)
    values = _by_region(names, {KEYS[name]: _in_our_unit(path.name, name, column) for name, column in found.items()})
    relative = "ModelName" in metadata
    notices = Notices()
    errors: dict[str, dict[str, float]] = {}
    absolute = {
        KEYS[name.removesuffix(ending)]: list(column.numbers())
        for name, column in by_name.items()
        for ending in ERROR_ENDINGS
        if name.endswith(ending) and name.removesuffix(ending) in KEYS
    }
    percent = {
        KEYS[name.removeprefix(PERCENT_ERROR)]: list(column.numbers() / 100)
        for name, column in by_name.items()
        if name.removeprefix(PERCENT_ERROR) in KEYS and name not in KEYS and column.unit == "%"
    }
    if percent:
        absolute, relative = percent, True
    if absolute and not relative and "Model" not in metadata:
        notices.add(
            "parameters-errors",
            "{file}: no JSON tells whether its standard errors are parts of the values; they were left out",
            file=path.name,
        )
    elif absolute:
        errors = _by_region(names, absolute)
        if relative:
            errors = {
                region: {key: error * abs(values[region].get(key, np.nan)) for key, error in row.items()}
                for region, row in errors.items()
            }
    return ParameterTable(path.name, _model(path, metadata, models), values, errors, tuple(notices))


def _of_map(
    file: str, by_name: Mapping[str, Column], regions: Column | None, models: Mapping[str, str]
) -> ParameterTable:
    """Regional means of one map; which parameter it shows stands in the description of its series."""
    average, described = by_name.get(pmod.AVERAGED.lower()), by_name.get(pmod.SCAN[2].lower())
    words = re.split(r"[^A-Za-z0-9]+", described.cells[0]) if described else []
    name = next((word.lower() for word in words if word.lower() in KEYS), None)
    if regions is None or average is None or name is None:
        raise InputRefused(
            "parameters-map",
            "{file} does not say which parameter it holds: its SeriesDescription names none of {keys}",
            file=file,
            keys=Listed(sorted(set(KEYS.values()))),
        )
    model = next((models[word.lower()] for word in words if word.lower() in models), "")
    return ParameterTable(file, model, _by_region(regions.words(), {KEYS[name]: _in_our_unit(file, name, average)}))


def _by_region(names: Sequence[str], columns: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    return {
        name: {key: float(values[index]) for key, values in columns.items() if np.isfinite(values[index])}
        for index, name in enumerate(names)
    }


def _in_our_unit(file: str, name: str, column: Column) -> Sequence[float]:
    key, unit = KEYS[name], column.unit
    if name in IN_MINUTES or (key == "delay" and unit):
        return list(column.numbers() * seconds_per("min" if name in IN_MINUTES else unit or "s", file))
    if not unit:
        return list(column.numbers())
    plain = re.sub(r"[ ·*]", "", unit.lower()).replace("ccm", "cm3").replace("cc", "cm3").replace("sec", "s")
    known = VOLUMES if key in ("VT", "VS", "VB") else PER_MINUTE
    if plain not in known:
        raise InputRefused(
            "parameters-units",
            "{file}, {name}: '{unit}' is not a unit of {key} known here; write {known}",
            file=file,
            name=name,
            unit=unit,
            key=key,
            known=Listed(sorted(known), " / "),
        )
    return list(column.numbers() * known[plain])


def _model(path: Path, metadata: Mapping[str, Any], models: Mapping[str, str]) -> str:
    """The model that the JSON or the name of the file tells; petfit writes model_2TCM where BIDS has model-2TCM."""
    stated = text_in(metadata, "ModelName") or text_in(metadata, "Model") or ""
    named = MODEL_IN_NAME.search(path.stem)
    written = (stated, named["model"] if named else "")
    return next((models[text.lower()] for text in written if text.lower() in models), "")
