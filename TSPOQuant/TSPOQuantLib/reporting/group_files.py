"""A group as files: tables for people and programs, and the coefficients that ``compare`` and ``plan`` take."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from .. import __version__
from ..groups.cohort import Cohort
from ..groups.estimates import Estimate
from ..groups.repeatability import BlandAltman, Repeatability
from ..groups.test_retest import ALL, INCLUDED, Repeat, TestRetest
from .tables import columns_text, number, write_json, write_tsv

COEFFICIENTS = "RC.toml"
ENDS = ("", "_low", "_high")
ABOUT_REPEATS = {
    "interval": "…_low and …_high are the ends of 95 % intervals",
    "difference": "second minus first visit, of each person's mean over the regions, in the unit",
    "percent": "the same of the logarithms, %",
    "wsd": "within-subject standard deviation: root of the mean of d^2/2, in the unit",
    "wcv_log": "within-subject coefficient of variation by the log rule: root of exp(s^2) - 1, a fraction",
    "wcv_difference": "the same by the difference rule: of d over the mean of the two visits, a fraction",
    "rc": "repeatability coefficient, 1.96 root(2) wsd, in the unit",
    "rc_percent": "1.96 root(2) wcv_log, %",
    "icc21": "ICC(2,1), absolute agreement, of each person's mean over the regions",
    "icc31": "ICC(3,1), consistency, of the same",
    "limit_lower": "lower limit of agreement, mean - 1.96 SD of the differences, in the unit; exact interval",
    "limit_upper": "upper limit",
    "proportional": "Kendall's tau of the difference's size and the mean; …_p its chance",
    "tilt": "Pearson's r of difference and mean; …_p its chance",
    "degrees_of_freedom": "of wsd: regions of one person count by how far their errors go together",
    "together": "correlation of the differences of one person's regions",
    "outliers": "people whose change stands out (generalized extreme Studentized deviate, 5 %, six people or more)",
    "way": "outliers included or left out",
}


def write_test_retest(folder: Path, cohort: Cohort, found: TestRetest) -> None:
    """test-retest.tsv with its JSON, and RC.toml where there is a coefficient."""
    rows = [_repeat_cells(row) for row in found.rows]
    columns = list(rows[0]) if rows else ["outcome"]
    write_tsv(folder / "test-retest.tsv", columns, [list(row.values()) for row in rows])
    write_json(folder / "test-retest.json", {**ABOUT_REPEATS, "Pairs": found.pairs, "Notices": found.notices})
    if found.coefficients:
        (folder / COEFFICIENTS).write_text(coefficients_toml(cohort, found), encoding="utf-8")


def _repeat_cells(row: Repeat) -> dict[str, str]:
    found = row.found
    cells = {name: getattr(row, name) for name in ("outcome", "unit", "model", "pvc", "structure", "region", "way")}
    cells["outliers"] = " ".join(row.outliers) or "n/a"
    cells |= {name: str(getattr(found, name)) for name in ("people", "regions")}
    cells |= {name: number(getattr(found, name)) for name in ("mean", "degrees_of_freedom", "together")}
    for one in fields(Repeatability):
        estimate = getattr(found, one.name)
        cells |= estimate_cells(one.name, estimate) if isinstance(estimate, Estimate) else {}
    return cells | _limits(found.agreement)


def _limits(agreement: BlandAltman) -> dict[str, str]:
    cells = estimate_cells("limit_lower", agreement.lower) | estimate_cells("limit_upper", agreement.upper)
    tests = {
        "proportional": agreement.proportional,
        "proportional_p": agreement.proportional_chance,
        "tilt": agreement.tilt,
        "tilt_p": agreement.tilt_chance,
    }
    return cells | {name: number(value) for name, value in tests.items()}


def estimate_cells(name: str, estimate: Estimate) -> dict[str, str]:
    """An estimate's three columns."""
    parts = (estimate.value, estimate.low, estimate.high)
    return {f"{name}{end}": number(part) for end, part in zip(ENDS, parts, strict=True)}


def coefficients_toml(cohort: Cohort, found: TestRetest) -> str:
    """RC.toml: a coefficient for every model, correction and structure, each with where it comes from."""
    tables = []
    for row in found.coefficients:
        keys: Mapping[str, object] = {
            "kind": "wCV",
            "value": float(f"{100 * row.found.wcv_log.value:.4g}"),
            "model": row.model,
            "structure": row.structure,
            "pvc": row.pvc,
            "source": coefficient_source(cohort, row),
        }
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]
        tables.append("\n".join(["[[coefficient]]", *lines]))
    return "\n\n".join(["# Within-subject coefficients of variation by the log rule, in %.", *tables]) + "\n"


def coefficient_source(cohort: Cohort, row: Repeat) -> str:
    """One line: whose test and retest, how many, and how sure."""
    found, interval = row.found, row.found.wcv_log
    regions = f"{found.regions} regions of each" if found.regions > 1 else "one region of each"
    said = (
        f"{'simulated ' if cohort.simulated else ''}test and retest of {found.people} people, {regions}, cohort "
        f"{cohort.name}: 95 % interval {100 * interval.low:.3g} to {_bounded(100 * interval.high)} %, by the log rule"
    )
    return f"{said}; TSPOQuant {__version__}"


def _bounded(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "any"


def test_retest_text(found: TestRetest) -> str:
    """How each structure repeats, for a terminal."""
    rows = [["", "n", "wCV, % (95 %)", "RC, %", "ICC(2,1) (95 %)", "shift, % (95 %)"]]
    for row in found.rows:
        one = row.found
        if row.region == ALL and row.way == INCLUDED:
            pvc = "" if row.pvc == "none" else f", {row.pvc}"
            rows.append(
                [
                    f"{row.outcome} {row.model}{pvc}, {row.structure}",
                    f"{one.people} × {one.regions}",
                    _told(one.wcv_log, 100),
                    f"{one.rc_percent.value:.1f}",
                    _told(one.icc21, 1, 2),
                    _told(one.percent, 1),
                ]
            )
    title = "Test and retest: n people × regions; ICC and shift of each person's mean over the regions"
    return "\n".join([title, columns_text(rows)])


def _told(estimate: Estimate, scale: float, digits: int = 1) -> str:
    parts = [f"{scale * part:.{digits}f}" for part in (estimate.value, estimate.low, estimate.high)]
    return f"{parts[0]} ({parts[1]} to {parts[2]})"
