"""What participants.tsv and sessions.tsv of a BIDS dataset say of a person that the analysis uses."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..messages import InputRefused, Notice, Notices, Text
from .tables import MISSING_CELLS, read_json, read_table, stated_unit

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
PERSON, SESSION = "participant_id", "session_id"
"""Columns that say whom, and at which visit, a row is of."""
MISSING = MISSING_CELLS | {"unknown", "not known", "missing", "nan", "null", "#n/a", "?", "-", "--", "."}
"""Cells of tables of people, in lower case, that say that nothing is known."""


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
    notices = Notices()
    people = dataset / "participants.tsv"
    if people.is_file():
        cells |= _row(people, {PERSON: participant} | ({SESSION: session} if session else {}), notices)
    sessions = dataset / participant / f"{participant}_sessions.tsv"
    if session is not None and sessions.is_file():
        cells |= _row(sessions, {SESSION: session}, notices)
    stated_genotypes = [cells[name][0] for name in GENOTYPE_COLUMNS if name in cells]
    genotype = genotype_of(stated_genotypes[0] if stated_genotypes else "", notices)
    if len({known for cell in stated_genotypes if (known := _genotype(cell))}) > 1:
        raise InputRefused(
            "participants-genotypes",
            "what is said of {participant} names two genotypes ({genotypes}); correct the one that is wrong",
            participant=participant,
            genotypes=", ".join(stated_genotypes),
        )
    stated = next((cells[name] for name in WEIGHT_COLUMNS if name in cells), None)
    weight = None if stated is None else _weight(*stated, notices)
    used = {name: cells[name] for name in (*GENOTYPE_COLUMNS, *WEIGHT_COLUMNS) if name in cells}
    return Person(genotype, weight, json.dumps(used, sort_keys=True) if used else "", tuple(notices))


def is_label(cell: str, wanted: str) -> bool:
    """Whether a cell is a label, with or without its "sub-" or "ses-", in whatever case."""
    return cell.casefold() in (wanted.casefold(), wanted.partition("-")[2].casefold())


def _row(path: Path, keys: Mapping[str, str], notices: Notices) -> dict[str, tuple[str, str]]:
    """Cells and units of one row by column, letters and digits of the name alone; missing ones left out.

    keys: labels by column, the first of which the table must have. Raises InputRefused ("participants-twice") where
    several rows of them say different things.
    """
    columns = {column.name: column for column in read_table(path)}
    first, known = next(iter(keys)), {key: label for key, label in keys.items() if key in columns}
    rows = [
        row
        for row in range(len(columns[first].cells) if first in columns else 0)
        if all(is_label(columns[key].cells[row], label) for key, label in known.items())
    ]
    if not rows:
        notices.add(
            "participants-row",
            "{file} has no row of {label} in its column {key}, so that nothing of it was used; add the row, or "
            "write the label there as its folder is called",
            file=path.name,
            label=" ".join(known.values()) or keys[first],
            key=first,
        )
        return {}
    beside = path.with_suffix(".json")
    described = read_json(beside) if beside.is_file() else {}
    found: dict[str, tuple[str, str]] = {}
    for written, column in columns.items():
        name = re.sub(r"[^a-z0-9]", "", written.lower())
        cells = {column.cells[row] for row in rows} - {cell for cell in column.cells if cell.lower() in MISSING}
        if len(cells) > 1 and name in (*GENOTYPE_COLUMNS, *WEIGHT_COLUMNS):
            hint = Text("keep the right one")
            if SESSION not in columns:
                hint = Text("keep the right one, or say the visit of each in a column session_id")
            raise InputRefused(
                "participants-twice",
                "{file} has {count} rows of {label} that differ in {column}; {hint}",
                file=path.name,
                count=len(rows),
                label=" ".join(known.values()),
                column=written,
                hint=hint,
            )
        if cells:
            found[name] = (cells.pop(), column.unit or stated_unit(described, written) or "")
    return found


def genotype_of(cell: str, notices: Notices) -> str:
    """ "HAB", "MAB" or "LAB", however it is written; UNKNOWN_GENOTYPE, with a notice, for what is none."""
    found = _genotype(cell)
    if cell and found is None:
        notices.add("participants-genotype", "'{cell}' is no rs6971 genotype known here; it was not used", cell=cell)
    return found or UNKNOWN_GENOTYPE


def _genotype(cell: str) -> str | None:
    return GENOTYPES.get(re.sub(r"[^a-z]", "", cell.lower()))


def _weight(cell: str, unit: str, notices: Notices) -> float | None:
    try:
        weight = float(cell) * KILOGRAMS[unit.strip().lower() or "kg"]
    except (ValueError, KeyError):
        weight = float("nan")
    if WEIGHT_RANGE_KG[0] <= weight <= WEIGHT_RANGE_KG[1]:
        return weight
    notices.add(
        "participants-weight",
        "a weight of {cell} {unit} is not a person's; it was not used",
        cell=cell,
        unit=unit or "kg",
    )
    return None
