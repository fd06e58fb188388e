"""Flat tables for spreadsheets and statistics programs: one row a value, everything that names it in columns."""

import csv
from collections.abc import Sequence
from pathlib import Path

from ..outcome.compare import Comparison
from ..outcome.record import VisitRecord
from ..quantities import COLUMN_KEYS
from .comparison_files import CHANGE_COLUMNS
from .tables import UPTAKE_COLUMNS, no_formula, number, uptake_records

REGION_COLUMNS = (
    "visit",
    "region",
    "structure",
    "level",
    "root",
    "side",
    "model",
    "pvc",
    *COLUMN_KEYS,
)


def write_regions_csv(path: Path, records: Sequence[VisitRecord]) -> None:
    """V_T and rate constants of every visit, region, model and correction; units as in _kinpar.json."""
    rows = [
        [record.subject, *(_cell(getattr(row, name)) for name in REGION_COLUMNS), ";".join(f.code for f in row.flags)]
        for record in records
        for row in record.rows
    ]
    _write(path, ["subject", *REGION_COLUMNS, "flags"], rows)


def write_uptake_csv(path: Path, records: Sequence[VisitRecord]) -> None:
    """SUV and its ratios of every visit and region; units and definitions as in _uptake.json."""
    rows = [
        [record.subject, *(_cell(value) for value in row.values())]
        for record in records
        for row in uptake_records(record)
    ]
    _write(path, ["subject", *UPTAKE_COLUMNS], rows)


def write_changes_csv(path: Path, comparison: Comparison) -> None:
    """Every change; units as in changes.json."""
    rows = [[_cell(getattr(change, name)) for name in CHANGE_COLUMNS] for change in comparison.changes]
    _write(path, CHANGE_COLUMNS, rows)


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([no_formula(cell) for cell in row] for row in rows)


def _cell(value: object) -> str:
    """Numbers in nine digits; an empty cell where there is none."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return number(float(value)).replace("n/a", "")
    return "" if value is None else str(value)
