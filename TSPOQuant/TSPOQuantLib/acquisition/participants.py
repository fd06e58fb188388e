"""What participants.tsv and sessions.tsv of a BIDS dataset say of a person that the analysis uses."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from ..messages import InputRefused, Notice
from .tables import Column, read_json, read_table

# rs6971 as laboratories write it: the alleles of the reported strand (C is Ala147), the amino acids, or the binding.
GENOTYPES = {
    **dict.fromkeys(("hab", "highaffinitybinder", "high", "cc", "alaala"), "HAB"),
    **dict.fromkeys(("mab", "mixedaffinitybinder", "mixed", "ct", "tc", "alathr", "thrala"), "MAB"),
    **dict.fromkeys(("lab", "lowaffinitybinder", "low", "tt", "thrthr"), "LAB"),
}
UNKNOWN_GENOTYPE = "unknown"
GENOTYPE_COLUMNS = ("genotype", "rs6971", "tspogenotype", "tspo", "tspors6971", "binding", "bindingstatus", "affinity")
WEIGHT_COLUMNS = ("weight", "weightkg", "bodyweight", "bodyweightkg")
KILOGRAMS = {"kg": 1.0, "g": 1e-3, "lb": 0.45359237, "lbs": 0.45359237}
# A person's weight; outside it a unit has slipped (our choice).
WEIGHT_RANGE_KG = (2.0, 400.0)
MISSING = ("", "n/a", "na", "unknown")


@dataclass(frozen=True)
class Person:
    """Genotype "HAB", "MAB", "LAB" or "unknown"; weight None where it is not known; read: the cells it comes from."""

    genotype: str = UNKNOWN_GENOTYPE
    weight_kg: float | None = None
    read: str = ""
    notices: tuple[Notice, ...] = ()


def read_person(dataset: Path, participant: str, session: str | None) -> Person:
    """A participant ("sub-01") at a session ("ses-a"), whose own sessions.tsv says it before participants.tsv does.

    Raises InputRefused ("participants-twice", "table-…", "json-…").
    """
    cells: dict[str, tuple[str, str]] = {}
    notices: list[Notice] = []
    for path, key, label in (
        (dataset / "participants.tsv", "participant_id", participant),
        (dataset / participant / f"{participant}_sessions.tsv", "session_id", session),
    ):
        if label is not None and path.is_file():
            cells |= _row(path, key, label, notices)
    genotype = genotype_of(next((cells[name][0] for name in GENOTYPE_COLUMNS if name in cells), ""), notices)
    told = next((cells[name] for name in WEIGHT_COLUMNS if name in cells), None)
    weight = None if told is None else _weight(*told, notices)
    used = {name: cells[name] for name in (*GENOTYPE_COLUMNS, *WEIGHT_COLUMNS) if name in cells}
    return Person(genotype, weight, json.dumps(used, sort_keys=True) if used else "", tuple(notices))


def _row(path: Path, key: str, label: str, notices: list[Notice]) -> dict[str, tuple[str, str]]:
    """Cells and units of one row by column, letters and digits of the name alone; missing ones left out.

    Raises InputRefused ("participants-twice") where the table has several rows of it.
    """
    columns = {column.name: column for column in read_table(path)}
    cells = columns[key].cells if key in columns else ()
    names = [cell if "-" in cell else f"{label.partition('-')[0]}-{cell}" for cell in cells]
    if label not in names:
        notices.append(
            Notice(
                "participants-row",
                "{file} has no row of {label} in its column {key}, so that nothing of it was used; add the row, or "
                "write the label there as its folder is called",
                file=path.name,
                label=label,
                key=key,
            )
        )
        return {}
    beside = path.with_suffix(".json")
    described = read_json(beside) if beside.is_file() else {}
    row = names.index(label)
    if names.count(label) > 1:
        raise InputRefused(
            "participants-twice",
            "{file} has {count} rows of {label}; keep the right one",
            file=path.name,
            count=names.count(label),
            label=label,
        )
    return {
        re.sub(r"[^a-z0-9]", "", name.lower()): (column.cells[row], _unit(column, described.get(name)))
        for name, column in columns.items()
        if column.cells[row].lower() not in MISSING
    }


def _unit(column: Column, described: object) -> str:
    stated = described.get("Units") if isinstance(described, dict) else None
    return column.unit or (stated if isinstance(stated, str) else "")


def genotype_of(cell: str, notices: list[Notice]) -> str:
    """ "HAB", "MAB" or "LAB", however it is written; UNKNOWN_GENOTYPE, with a notice, for what is none."""
    found = GENOTYPES.get(re.sub(r"[^a-z]", "", cell.lower()))
    if cell and found is None:
        notices.append(
            Notice("participants-genotype", "'{cell}' is no rs6971 genotype known here; it was not used", cell=cell)
        )
    return found or UNKNOWN_GENOTYPE


def _weight(cell: str, unit: str, notices: list[Notice]) -> float | None:
    try:
        weight = float(cell) * KILOGRAMS[unit.strip().lower() or "kg"]
    except (ValueError, KeyError):
        weight = float("nan")
    if WEIGHT_RANGE_KG[0] <= weight <= WEIGHT_RANGE_KG[1]:
        return weight
    notices.append(
        Notice(
            "participants-weight",
            "a weight of {cell} {unit} is not a person's; it was not used",
            cell=cell,
            unit=unit or "kg",
        )
    )
    return None
