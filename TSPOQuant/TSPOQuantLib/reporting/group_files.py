"""A group as files: tables for people and programs, and the coefficients that ``compare`` and ``plan`` take."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from .. import DISCLAIMER, __version__
from ..groups.analysis import Analysis
from ..groups.association import Association
from ..groups.cohort import NO_PVC, Cohort
from ..groups.comparison import Effect
from ..groups.estimates import Estimate
from ..groups.methods import Exclusion, Flow, Methods
from ..groups.model_choice import Agreement, LostFits, Preferred
from ..groups.repeatability import Repeatability
from ..groups.test_retest import ALL, INCLUDED, Repeat, TestRetest
from .tables import cells_of, write_json, write_labeled, write_tsv
from .terminal_tables import by_pvc, columns_text

COEFFICIENTS = "RC.toml"
Cells = dict[str, object]
ABOUT_EFFECTS = {
    "question": "affected: affected against the person's other foramina; change: a visit against the first; group: "
    "second group against the first, at the first visit; group-change: the same of the change",
    "within": "the group whose people these are, where groups changed apart",
    "percent": "of the second against the first, by the log scale, %; …_low and …_high: 95 % interval",
    "size": "Hedges' g",
    "p": "two-sided; n/a for fewer than six people in a group",
    "how": "permutations, or Student's t",
    "p_adjusted": "Holm, over the structures and visits that one model was asked the question about",
    "gee": "percent by GEE over all regions, persons as clusters",
    "left_out": "covariates that the model could not have: missing for somebody, the same for all, too few people, "
    "or not to be told apart from the groups",
}
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


def write_group(folder: Path, analysis: Analysis) -> None:
    """Every table of a group."""
    if analysis.repeats is not None:
        write_test_retest(folder, analysis.cohort, analysis.repeats)
    write_effects(folder, analysis.effects)
    write_associations(folder, analysis.associations)
    write_model_choice(folder, analysis.preferred, analysis.lost, analysis.agreements)
    write_methods(folder, analysis.methods)


def group_content(analysis: Analysis) -> dict[str, object]:
    """What ``--json`` prints."""
    return {
        "test_retest": analysis.repeats.rows if analysis.repeats else [],
        "effects": analysis.effects,
        "associations": analysis.associations,
        "preferred": analysis.preferred,
        "lost": analysis.lost,
        "agreements": analysis.agreements,
        "flow": analysis.methods.flow,
    }


def group_text(analysis: Analysis) -> str:
    """What a terminal shows."""
    parts = [test_retest_text(analysis.repeats)] if analysis.repeats else []
    parts += [effects_text(analysis.effects)] if analysis.effects else []
    parts += [associations_text(analysis.associations)] if analysis.associations else []
    header, *rows = analysis.methods.table1
    parts.append(columns_text([list(header), *map(list, rows)]))
    return "\n\n".join([*parts, DISCLAIMER])


def write_test_retest(folder: Path, cohort: Cohort, repeats: TestRetest) -> None:
    """test-retest.tsv with its JSON, and RC.toml where there is a coefficient."""
    _write_cells(folder / "test-retest.tsv", [_repeat_cells(row) for row in repeats.rows])
    write_json(folder / "test-retest.json", {**ABOUT_REPEATS, "Pairs": repeats.pairs, "Notices": repeats.notices})
    if repeats.coefficients:
        (folder / COEFFICIENTS).write_text(coefficients_toml(cohort, repeats), encoding="utf-8")


def _repeat_cells(row: Repeat) -> Cells:
    repeats, agreement = row.repeatability, row.repeatability.agreement
    cells = _named(row, ("outcome", "unit", "model", "pvc", "structure", "region", "way"))
    cells["outliers"] = " ".join(f"sub-{who}" for who in row.outliers) or None
    cells |= _named(repeats, ("people", "regions", "mean", "degrees_of_freedom", "together"))
    for field in fields(Repeatability):
        estimate = getattr(repeats, field.name)
        cells |= estimate_cells(field.name, estimate) if isinstance(estimate, Estimate) else {}
    cells |= estimate_cells("limit_lower", agreement.lower) | estimate_cells("limit_upper", agreement.upper)
    cells |= {"proportional": agreement.proportional, "proportional_p": agreement.proportional_chance}
    return cells | {"tilt": agreement.tilt, "tilt_p": agreement.tilt_chance}


def _named(row: object, names: Sequence[str]) -> Cells:
    return dict(zip(names, cells_of(row, names), strict=True))


def estimate_cells(name: str, estimate: Estimate) -> Cells:
    """An estimate's three columns."""
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def coefficients_toml(cohort: Cohort, repeats: TestRetest) -> str:
    """RC.toml: a coefficient for every model, correction and structure, each with where it comes from."""
    tables = []
    for row in repeats.coefficients:
        keys: Mapping[str, object] = {
            "kind": "wCV",
            "value": float(f"{100 * row.repeatability.wcv_log.value:.4g}"),
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
    repeats, interval = row.repeatability, row.repeatability.wcv_log
    regions = f"{repeats.regions} regions of each" if repeats.regions > 1 else "one region of each"
    line = (
        f"{'simulated ' if cohort.simulated else ''}test and retest of {repeats.people} people, {regions}, cohort "
        f"{cohort.name}: 95 % interval {100 * interval.low:.3g} to {_bounded(100 * interval.high)} %, by the log rule"
    )
    out = f"; with {', '.join(f'sub-{who}' for who in row.outliers)} standing out" if row.outliers else ""
    return f"{line}{out}; TSPOQuant {__version__}"


def _bounded(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "any"


def write_effects(folder: Path, effects: Sequence[Effect]) -> None:
    """effects.tsv with its JSON."""
    names = ("question", "outcome", "model", "pvc", "structure", "session", "within", "by", "first", "second")
    rows = []
    for effect in effects:
        cells = _named(effect, names)
        of_sessions = {"affected": ("session",), "change": ("first", "second")}.get(effect.question, ())
        cells |= {name: f"ses-{cells[name]}" for name in of_sessions}  # a spreadsheet takes 01 for 1
        cells |= {"people_first": effect.people[0], "people_second": effect.people[1]}
        cells |= estimate_cells("percent", effect.percent) | estimate_cells("size", effect.size)
        cells |= {"p": effect.chance, "how": effect.how or None, "p_adjusted": effect.adjusted}
        cells |= estimate_cells("gee", effect.gee)
        rows.append(cells | {name: " ".join(getattr(effect, name)) or None for name in ("covariates", "left_out")})
    _write_cells(folder / "effects.tsv", rows)
    write_json(folder / "effects.json", ABOUT_EFFECTS)


def write_associations(folder: Path, associations: Sequence[Association]) -> None:
    """associations.tsv: a row a pair of imaging and clinic."""
    names = ("session", "within", "outcome", "model", "pvc", "structure", "score")
    rows = []
    for association in associations:
        cells = {"told": association.kind, **_named(association, names), "people": len(association.who)}
        cells |= estimate_cells("spearman", association.correlation.spearman)
        cells |= {"spearman_p": association.correlation.chance, "spearman_p_adjusted": association.adjusted}
        cells |= estimate_cells("pearson", association.correlation.pearson)
        rows.append(cells | {"pearson_p": association.correlation.pearson_chance})
    _write_cells(folder / "associations.tsv", rows)


def write_model_choice(
    folder: Path, preferred: Sequence[Preferred], lost: Sequence[LostFits], agreements: Sequence[Agreement]
) -> None:
    """model-preferred.tsv, model-lost.tsv, model-agreement.tsv."""
    _write_cells(
        folder / "model-preferred.tsv",
        [
            _named(row, ("structure", "pvc", "criterion", "curves")) | {"model": model, "preferred": wins}
            for row in preferred
            for model, wins in row.wins
        ],
    )
    _write_cells(
        folder / "model-lost.tsv",
        [
            _named(row, ("structure", "model", "pvc", "curves", "lost"))
            | {"reasons": "; ".join(f"{reason} {count}" for reason, count in row.reasons) or None}
            for row in lost
        ],
    )
    rows = []
    for agreement in agreements:
        cells = _named(agreement, ("structure", "measure", "pvc", "people", "curves"))
        for name in ("r", "slope", "percent", "lower", "upper"):
            cells |= estimate_cells(name, getattr(agreement, name))
        rows.append(cells)
    _write_cells(folder / "model-agreement.tsv", rows)


def write_methods(folder: Path, methods: Methods) -> None:
    """methods.md, references.bib, group_table1.tsv, exclusions.tsv and flow.tsv."""
    dois = [f"- [{source.key}] {source.doi or source.title}" for source in methods.sources]
    (folder / "methods.md").write_text("\n".join([methods.paragraph, "", *dois]) + "\n", encoding="utf-8")
    entries = "\n\n".join(source.bibtex for source in methods.sources)
    (folder / "references.bib").write_text(entries + "\n", encoding="utf-8")
    header, *rows = methods.table1
    write_tsv(folder / "group_table1.tsv", ["what", *header[1:]], rows)
    for name, kind, records in (("exclusions", Exclusion, methods.exclusions), ("flow", Flow, methods.flow)):
        columns = [field.name for field in fields(kind)]
        write_labeled(folder / f"{name}.tsv", columns, [cells_of(row, columns) for row in records])


def _write_cells(path: Path, rows: Sequence[Cells]) -> None:
    """A table of rows of the same columns; nothing where there is no row."""
    if rows:
        write_tsv(path, list(rows[0]), [list(row.values()) for row in rows])


Compared = TypeVar("Compared", Effect, Association)


def primary(rows: Sequence[Compared]) -> list[Compared]:
    """Those of the first kind of number alone, without correction for partial volume; the tables hold all."""
    return [row for row in rows if (row.outcome, row.model, row.pvc) == (rows[0].outcome, rows[0].model, NO_PVC)]


def effects_text(effects: Sequence[Effect]) -> str:
    """The comparisons of the first model that has them, for a terminal."""
    rows = [["", "people", "difference, % (95 %)", "p", "p, Holm"]]
    for effect in primary(effects):
        asked = {"affected": effect.session, "change": effect.session}.get(
            effect.question, f"{effect.second} / {effect.first}"
        )
        more = "" if effect.question in ("affected", "change", "group") else f", {effect.session}"
        more += f", {effect.within}" if effect.within else ""
        number = f"{effect.outcome} {effect.model}{by_pvc(effect.pvc)}, {effect.structure}"
        title = f"{effect.question}: {number}, {asked}{more}"
        first, second = effect.people
        people = str(first) if effect.question in ("affected", "change") else f"{first} / {second}"
        rows.append([title, people, _in_words(effect.percent, 1), _chance(effect.chance), _chance(effect.adjusted)])
    return columns_text(rows)


def associations_text(associations: Sequence[Association]) -> str:
    rows = [["", "people", "Spearman (95 %)", "Pearson (95 %)", "p, Holm"]]
    rows += [
        [
            f"{association.kind}: {association.outcome} {association.model}{by_pvc(association.pvc)}, "
            f"{association.structure}, {association.score}, {association.session}"
            + (f", {association.within}" if association.within else ""),
            str(len(association.who)),
            _in_words(association.correlation.spearman, 1, 2),
            _in_words(association.correlation.pearson, 1, 2),
            _chance(association.adjusted),
        ]
        for association in primary(associations)
    ]
    return columns_text(rows)


def _chance(value: float) -> str:
    return "not tested" if not math.isfinite(value) else f"{value:.4f}"


def test_retest_text(repeats: TestRetest) -> str:
    """How each structure repeats, for a terminal."""
    rows = [["", "n", "wCV, % (95 %)", "RC, %", "ICC(2,1) (95 %)", "shift, % (95 %)"]]
    for row in repeats.rows:
        repeated = row.repeatability
        if row.region == ALL and row.way == INCLUDED:
            rows.append(
                [
                    f"{row.outcome} {row.model}{by_pvc(row.pvc)}, {row.structure}",
                    f"{repeated.people} × {repeated.regions}",
                    _in_words(repeated.wcv_log, 100),
                    f"{repeated.rc_percent.value:.1f}",
                    _in_words(repeated.icc21, 1, 2),
                    _in_words(repeated.percent, 1),
                ]
            )
    title = "Test and retest: n people × regions; ICC and shift of each person's mean over the regions"
    return "\n".join([title, columns_text(rows)])


def _in_words(estimate: Estimate, scale: float, digits: int = 1) -> str:
    if not math.isfinite(estimate.value):
        return "n/a"
    parts = [f"{scale * part:.{digits}f}" for part in (estimate.value, estimate.low, estimate.high)]
    return f"{parts[0]} ({parts[1]} to {parts[2]})"
