"""The tables of a cohort: what became of every visit, the values and changes of all people, each group's spread."""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from ..outcome.change import FurtherMeasure
from ..outcome.compare import Comparison
from ..outcome.record import VisitRecord
from ..outcome.uptake import MEASURES
from ..output import remove_results, whole_folder
from ..quantities import COLUMN_KEYS
from .bids import write_derivatives
from .tables import cells_of, codes, write_labeled
from .visit_files import UPTAKE_COLUMNS, uptake_records

TABLE = "cohort.tsv"
DERIVATIVES = "bids"
SESSIONS = ("baseline_session", "followup_session")
REGION_COLUMNS = ("region", "structure", "level", "root", "side", "model", "pvc")
CHANGE_COLUMNS = ("difference", "percent", "log_ratio", "log_ratio_se", "ratio_low", "ratio_high")


@dataclass(frozen=True)
class Row:
    """What became of a visit or a comparison. status: "done", "kept" (of an earlier run), "refused" or "failed".

    reason: why a visit was made, where an earlier run had it. warnings: codes of what is to be known of its results,
    with semicolons between; their words are in the visit's own folder.
    """

    participant: str
    session: str
    status: str
    code: str = ""
    message: str = ""
    reason: str = ""
    warnings: str = ""


def write_cohort(
    out: Path,
    rows: Sequence[Row],
    comparison_rows: Sequence[Row],
    records: Sequence[tuple[str, VisitRecord]],
    comparisons: Sequence[tuple[str, Comparison]],
) -> None:
    """cohort.tsv and comparisons.tsv, the tables of regions, uptake and changes with those of the groups, and bids/.

    rows: of every visit. records, comparisons: with the participant.
    """
    columns = [field.name for field in fields(Row)]
    for name, named in (("comparisons.tsv", comparison_rows), (TABLE, rows)):
        write_labeled(out / name, columns, [cells_of(row, columns) for row in named])
    _write_regions(out, records)
    _write_uptake(out, records)
    _write_changes(out, comparisons)
    _write_further_measures(out, comparisons)
    if records:
        with whole_folder(out / DERIVATIVES, True) as folder:
            write_derivatives(folder, [record for _, record in records])
    else:
        remove_results(out / DERIVATIVES)


def _write_regions(out: Path, records: Sequence[tuple[str, VisitRecord]]) -> None:
    """regions.tsv and group_regions.tsv."""
    regions = [(participant, row) for participant, record in records for row in record.rows]
    columns = (*REGION_COLUMNS, *COLUMN_KEYS)
    write_labeled(
        out / "regions.tsv",
        ["participant", "session", *columns, "flags"],
        [[participant, row.visit, *cells_of(row, columns), codes(row.flags) or None] for participant, row in regions],
    )
    _write_group(
        out / "group_regions.tsv",
        ("session", *REGION_COLUMNS),
        [((row.visit, *(getattr(row, name) for name in REGION_COLUMNS)), row.VT) for _, row in regions],
    )


def _write_uptake(out: Path, records: Sequence[tuple[str, VisitRecord]]) -> None:
    """uptake.tsv and group_uptake.tsv."""
    uptake = [(participant, row) for participant, record in records for row in uptake_records(record)]
    cells = [[participant, *(None if value == "" else value for value in row.values())] for participant, row in uptake]
    write_labeled(out / "uptake.tsv", ["participant", *UPTAKE_COLUMNS], cells)
    named = UPTAKE_COLUMNS[: UPTAKE_COLUMNS.index("SUV")]
    _write_group(
        out / "group_uptake.tsv",
        (*named, "measure"),
        [((*(row[name] for name in named), key), row[key]) for _, row in uptake for key in MEASURES],
    )


def _write_changes(out: Path, comparisons: Sequence[tuple[str, Comparison]]) -> None:
    """changes.tsv and group_changes.tsv."""
    changes = [(participant, change) for participant, comparison in comparisons for change in comparison.changes]
    keys = (*SESSIONS, *REGION_COLUMNS)
    columns = [*keys, "baseline", "followup", *CHANGE_COLUMNS]
    write_labeled(
        out / "changes.tsv",
        ["participant", *columns],
        [[participant, *cells_of(change, columns)] for participant, change in changes],
    )
    _write_group(
        out / "group_changes.tsv",
        keys,
        [(tuple(getattr(change, name) for name in keys), change.log_ratio) for _, change in changes],
    )


def _write_further_measures(out: Path, comparisons: Sequence[tuple[str, Comparison]]) -> None:
    """besides.tsv."""
    about = ("measure", "region", "pvc", "unit")
    cells = [
        [participant, *cells_of(measure, about), *pair]
        for participant, comparison in comparisons
        for measure in comparison.besides
        for pair in _pairs(comparison, measure)
    ]
    write_labeled(out / "besides.tsv", ["participant", *about, *SESSIONS, "baseline", "followup", "percent"], cells)


def _pairs(comparison: Comparison, measure: FurtherMeasure) -> Iterator[list[object]]:
    """Both sessions, both values and the change in percent, for every later visit."""
    first, *later = comparison.visits
    for visit, value, percent in zip(later, measure.values[1:], measure.percents, strict=True):
        yield [first.session, visit.session, measure.values[0], value, percent]


def _write_group(path: Path, keys: Sequence[str], values: Sequence[tuple[tuple[str, ...], float]]) -> None:
    """One row a group: number, mean, standard deviation, median and range of V_T (mL/cm3) or of the log ratio."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for key, value in values:
        if math.isfinite(value):
            groups.setdefault(key, []).append(value)
    statistic: list[tuple[str, Callable[[list[float]], float]]] = [
        ("mean", statistics.fmean),
        ("sd", lambda values: statistics.stdev(values) if len(values) > 1 else math.nan),
        ("median", statistics.median),
        ("min", min),
        ("max", max),
    ]
    rows = [
        [*(cell or None for cell in key), len(members), *(function(members) for _, function in statistic)]
        for key, members in groups.items()
    ]
    write_labeled(path, [*keys, "n", *(name for name, _ in statistic)], rows)
