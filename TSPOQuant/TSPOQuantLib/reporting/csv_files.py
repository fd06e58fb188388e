"""Flat tables for spreadsheets and statistics programs: one row a value, everything that names it in columns."""

import csv
from collections.abc import Sequence
from pathlib import Path

from ..outcome.compare import Comparison
from ..outcome.record import VisitRecord
from ..outcome.uptake import REGION_FIELDS, uptake_of
from ..quantities import COLUMN_KEYS
from .comparison_files import CHANGE_COLUMNS
from .tables import cell_text, cells_of, codes, no_formula
from .visit_files import UPTAKE_COLUMNS

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
        [record.subject, *cells_of(row, REGION_COLUMNS), codes(row.flags)] for record in records for row in record.rows
    ]
    _write(path, ["subject", *REGION_COLUMNS, "flags"], rows)


def write_uptake_csv(path: Path, records: Sequence[VisitRecord]) -> None:
    """SUV and its ratios of every visit and region; units and definitions as in _uptake.json."""
    rows = [[record.subject, *cells_of(row, REGION_FIELDS)] for record in records for row in uptake_of(record)]
    _write(path, ["subject", *UPTAKE_COLUMNS], rows)


def write_changes_csv(path: Path, comparison: Comparison) -> None:
    """Every change; units as in changes.json."""
    _write(path, CHANGE_COLUMNS, [cells_of(change, CHANGE_COLUMNS) for change in comparison.changes])


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """An empty cell where there is no value."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([no_formula(text) if text != "n/a" else "" for text in map(cell_text, row)] for row in rows)
