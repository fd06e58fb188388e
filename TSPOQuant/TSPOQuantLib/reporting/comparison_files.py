"""A comparison of visits as files: JSON, tables, and text for a terminal."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from .. import DISCLAIMER
from ..kinetics.models import MODELS
from ..messages import Notice
from ..outcome.budget import COMPONENTS, relative_error
from ..outcome.change import Change, Contrast, RegionChange, RegionValue
from ..outcome.clinical import ClinicalChange, Treatment
from ..outcome.compare import Comparison, comparison_record
from ..quantities import BY_KEY
from .coupled_files import coupled_text, write_coupled
from .reasons import reasons_text
from .tables import about_columns, cells_of, codes, write_json, write_tsv
from .terminal_tables import CORRECTED, by_pvc, columns_text, value_text
from .visit_text import table1_text, uptake_text

TABLE1_COLUMNS = (
    *("outcome", "baseline", "followup", "change", "change_unit", "difference", "percent"),
    *("baseline_se", "followup_se", "percent_low", "percent_high", "primary", "baseline_session", "followup_session"),
)
Truth = Mapping[str, tuple[float, float]]
"""Outcome to the phantom's V_T at both visits."""
NO_CELLS = ("budget", "flags", "baseline_flags", "followup_flags", "verdict")
"""Of a value or a change, what stands in columns or tables of its own."""
CHANGE_COLUMNS, VALUE_COLUMNS = (
    tuple(name for name in dict.fromkeys(("outcome", "region", *of)) if name not in NO_CELLS)
    for of in ([field.name for field in fields(kind)] for kind in (RegionChange, RegionValue))
)
UNITS = {
    "baseline": "mL/cm3",
    "followup": "mL/cm3",
    "baseline_se": "mL/cm3, of the fit",
    "followup_se": "mL/cm3, of the fit",
    "baseline_total_se": "mL/cm3, with the whole error budget",
    "followup_total_se": "mL/cm3, with the whole error budget",
    "difference": "mL/cm3",
    "difference_se": "mL/cm3",
    "percent": "%",
    "percent_low": "%, 95 % interval",
    "percent_high": "%, 95 % interval",
}

UNCORRECTED = (
    "V_T as measured lies below that of a small region's tissue: intervals of uncorrected values do not hold that, "
    "and none holds how much V_T varies from day to day."
)
VALUE_UNITS = {
    "VT": "mL/cm3",
    "VT_se": "mL/cm3, of the fit",
    "total_se": "mL/cm3, with the whole error budget",
    "low": "mL/cm3, 95 % interval with the whole error budget",
    "high": "mL/cm3, 95 % interval with the whole error budget",
    **{f"sd_{component}": "1, standard deviation of ln V_T" for component in COMPONENTS},
}

CANCELS = (
    "What an error does to both visits alike on average (a region beside its place always misses some of a peak) "
    "cancels in the change, which may so vary less than its two visits."
)
"""Why a component's change can be smaller than the two visits' errors in quadrature."""


def table1_record(change: Change) -> dict[str, object]:
    """A Change as other programs read it."""
    return {name: getattr(change, name) for name in TABLE1_COLUMNS}


def write_comparison(folder: Path, comparison: Comparison, truth: Truth | None = None) -> None:
    """comparison.json; values, contrasts and besides as TSV, of several visits changes, budget, findings and table1,
    too; table1.txt."""
    write_json(folder / "comparison.json", comparison_content(comparison))
    write_tsv(
        folder / "values.tsv",
        (*VALUE_COLUMNS, *(f"sd_{component}" for component in COMPONENTS), "flags"),
        [_value_cells(value) for value in comparison.values],
    )
    write_json(folder / "values.json", about_columns(VALUE_UNITS, "Units"))
    if len(comparison.visits) > 1:
        _write_changes(folder, comparison)
    if comparison.shared:
        write_coupled(folder, comparison)
    columns = [field.name for field in fields(Contrast)]
    write_tsv(folder / "contrasts.tsv", columns, [cells_of(contrast, columns) for contrast in comparison.contrasts])
    sessions = [visit.session for visit in comparison.visits]
    write_tsv(
        folder / "besides.tsv",
        ("measure", "region", "pvc", "unit", *sessions, *(f"percent_{session}" for session in sessions[1:])),
        [
            [measure.measure, measure.region, measure.pvc, measure.unit, *measure.values, *measure.percents]
            for measure in comparison.besides
        ],
    )
    (folder / "table1.txt").write_text(comparison_text(comparison, truth) + "\n", encoding="utf-8")


def _write_changes(folder: Path, comparison: Comparison) -> None:
    """What one visit alone has none of: changes with their budgets, what the visits differ in, and Table 1."""
    write_tsv(
        folder / "changes.tsv",
        (*CHANGE_COLUMNS, "repeatability", "flags"),
        [
            [*cells_of(c, CHANGE_COLUMNS), c.verdict.code, codes((*c.baseline_flags, *c.followup_flags))]
            for c in comparison.changes
        ],
    )
    write_json(folder / "changes.json", about_columns(UNITS, "Units"))
    parts = ("component", "baseline", "followup", "correlation", "change", "assumed")
    write_tsv(
        folder / "budget.tsv",
        ("outcome", "model", "followup_session", *parts),
        [
            [change.outcome, change.model, change.followup_session, *cells_of(part, parts)]
            for change in comparison.changes
            for part in change.budget
        ],
    )
    write_tsv(
        folder / "findings.tsv",
        ("code", "severity", "accepted", "item", "values", "message"),
        [[f.code, f.severity, f.accepted, f.item, " | ".join(f.values), f.message] for f in comparison.findings],
    )
    of_table1 = TABLE1_COLUMNS if comparison.table1 else ("outcome",)
    write_tsv(folder / "table1.tsv", of_table1, [cells_of(change, of_table1) for change in comparison.table1])


def comparison_content(comparison: Comparison) -> dict[str, object]:
    """What comparison.json holds and ``--json`` prints."""
    rows = [table1_record(change) for change in comparison.table1]
    return {"about": DISCLAIMER, "table1": rows, **comparison_record(comparison)}


def _value_cells(value: RegionValue) -> list[object]:
    sizes = {part.component: part.size for part in value.budget}
    return [*cells_of(value, VALUE_COLUMNS), *(sizes.get(name) for name in COMPONENTS), codes(value.flags)]


# --- Text ------------------------------------------------------------------------------------------------------------


def comparison_text(comparison: Comparison, truth: Truth | None = None) -> str:
    """The comparison for a terminal. truth: of simulated visits, outcome to V_T at the first and at a later visit."""
    blocks = [main_text(comparison, truth)]
    blocks += [text for text in (_contrasts_text(comparison), _besides_text(comparison)) if text]
    blocks += [coupled_text(comparison)] if comparison.shared else []
    blocks += _budget_texts(comparison)
    blocks += [text for text in (_scores_text(comparison.scores), _treatment_text(comparison)) if text]
    warnings = [
        f"warning: {f.code}: {f.message} ({' | '.join(f.values)})" for f in comparison.findings if not f.accepted
    ]
    warnings += [f"warning: {notice.code}: {notice.message}" for notice in comparison.notices]
    if warnings:
        blocks.append("\n".join(warnings))
    return "\n\n".join([*blocks, DISCLAIMER])


def main_text(comparison: Comparison, truth: Truth | None = None) -> str:
    """What stands first, and Table 1 of every later visit."""
    blocks = ["\n".join(comparison.headline)] if comparison.headline else []
    for visit in comparison.visits[1:]:
        rows = [row for row in comparison.table1 if row.followup_session == visit.session]
        marked = {place for place, _ in _flagged(comparison)}
        title = f"Table 1: {comparison.baseline.session} and {visit.session}"
        blocks.append(f"{title}\n\n{table1_text(rows, truth, marked)}")
    if len(comparison.visits) == 1:
        blocks.append(_values_text(comparison) if comparison.values else uptake_text(comparison.baseline))
    if comparison.model:
        blocks.append(
            f"V_T in mL/cm³ ± standard error of the fit, by {comparison.model}{_others(comparison)}; intervals: 95 %, "
            "with the whole error budget; * flagged."
        )
    if len(comparison.visits) == 1 and comparison.values:
        blocks.append(UNCORRECTED)
    names = {
        (change.outcome, session): f"{change.region}{by_pvc(change.pvc, CORRECTED)}, {session}"
        for change, session in _shown(comparison)
    }
    flagged = [(names[place], flag) for place, flag in _flagged(comparison)]
    if len(comparison.visits) == 1:
        flagged = [(_value_title(value), flag) for value in _shown_values(comparison) for flag in value.flags]
    reasons = reasons_text(flagged)
    blocks += [reasons] if reasons else []
    return "\n\n".join(blocks)


def _others(comparison: Comparison) -> str:
    """Regions that are told by another model: " (cord C6, cord C7 by 2TCM)"."""
    apart = {row.region: row.model for row in comparison.baseline.rows if row.model != comparison.model}
    models = {model: [region for region in apart if comparison.model_of(region) == model] for model in apart.values()}
    return "".join(f" ({', '.join(regions)} by {model})" for model, regions in models.items() if regions)


def _shown(comparison: Comparison) -> list[tuple[RegionChange, str]]:
    """The changes that Table 1 shows, each with either session."""
    outcomes = {row.outcome for row in comparison.table1}
    return [
        (change, session)
        for change in comparison.changes
        if change.model == comparison.model_of(change.region) and change.outcome in outcomes
        for session in (change.baseline_session, change.followup_session)
    ]


def _flagged(comparison: Comparison) -> list[tuple[tuple[str, str], Notice]]:
    """Outcome and session of every value of Table 1 that is flagged, with each reason."""
    flagged = [
        ((change.outcome, session), flag)
        for change, session in _shown(comparison)
        for flag in (change.baseline_flags if session == change.baseline_session else change.followup_flags)
    ]
    return list(dict.fromkeys(flagged))


def _shown_values(comparison: Comparison) -> list[RegionValue]:
    return [value for value in comparison.values if value.model == comparison.model_of(value.region)]


def _value_title(value: RegionValue) -> str:
    return f"{value.region}{by_pvc(value.pvc, CORRECTED)}"


def _values_text(comparison: Comparison) -> str:
    """V_T of every region of a visit that stands alone."""
    rows = [["region", "V_T", "95 % interval"]]
    for value in _shown_values(comparison):
        interval = f"{value.low:.2f} to {value.high:.2f}" if math.isfinite(value.high) else "unknown"
        rows.append([_value_title(value), value_text(value.VT, value.VT_se) + "*" * bool(value.flags), interval])
    return columns_text(rows)


def _contrasts_text(comparison: Comparison) -> str:
    chosen = [c for c in comparison.contrasts if c.model == comparison.model_of(c.region)]
    rows = [["affected against", "visit", "ratio (95 %)", "difference", "change of the ratio (95 %)"]]
    for c in chosen:
        change = ""
        if c.change_percent is not None and c.change_low is not None and c.change_high is not None:
            change = f"{c.change_percent:+.1f} % ({c.change_low:+.1f} to {c.change_high:+.1f})"
        rows.append(
            [
                f"{c.structure}: {c.against}, {c.kind}{by_pvc(c.pvc, CORRECTED)}",
                c.session,
                f"{c.ratio:.2f} ({c.ratio_low:.2f} to {c.ratio_high:.2f})",
                f"{c.difference:+.2f} ± {c.difference_se:.2f}",
                change,
            ]
        )
    if len(comparison.visits) == 1:
        rows = [row[:-1] for row in rows]
    return columns_text(rows) if chosen else ""


def _besides_text(comparison: Comparison) -> str:
    """SUV, TBR and other models of the affected foramen."""
    lesion = comparison.lesion
    if lesion is None:
        return ""
    chosen = [further for further in comparison.besides if further.place == lesion.foramen.place]
    sessions = [visit.session for visit in comparison.visits]
    rows = [["beside V_T, affected foramen", *sessions, *(f"change, {session}" for session in sessions[1:])]]
    for b in chosen:
        window = "" if b.window_s is None else f", {b.window_s[0] / 60:g} to {b.window_s[1] / 60:g} min"
        quantity = BY_KEY[MODELS[b.measure].outcome if b.window_s is None else b.measure]
        measure = f"{quantity.symbol}, {b.measure}" if b.window_s is None else b.measure
        values = [f"{value:.{quantity.decimals}f}" if math.isfinite(value) else "n/a" for value in b.values]
        moves = [f"{move:+.1f} %" if math.isfinite(move) else "n/a" for move in b.percents]
        rows.append([f"{measure}{window}{by_pvc(b.pvc, CORRECTED)}", *values, *moves])
    return columns_text(rows) if chosen else ""


def _budget_texts(comparison: Comparison) -> list[str]:
    """The error budget of the affected foramen, or of the first region where none is called affected."""
    if len(comparison.visits) == 1:
        return _budget_of_one_texts(comparison)
    keys = [row.outcome for row in comparison.table1 if row.primary]
    stems = tuple(dict.fromkeys(keys)) or tuple(c.outcome for c in comparison.changes[:1])
    chosen = [
        c
        for c in comparison.changes
        if c.model == comparison.model_of(c.region)
        and any(c.outcome == k or c.outcome.startswith(f"{k}_pvc-") for k in stems)
    ]
    texts = [_budget_text(change) for change in chosen]
    return [*texts, f"{CANCELS}\n\nAssumed: {' '.join(comparison.assumptions)}"] if texts else []


def _budget_of_one_texts(comparison: Comparison) -> list[str]:
    lesion, shown = comparison.lesion, _shown_values(comparison)
    affected = [value for value in shown if lesion and value.place == lesion.foramen.place]
    chosen = affected or [value for value in shown if value.region == shown[0].region]
    if not chosen:
        return []
    sizes = [{part.component: part.size for part in value.budget} for value in chosen]
    assumed = {part.component: part.assumed for value in chosen for part in value.budget}
    rows = [["component", *("as measured" if value.pvc == "none" else value.pvc for value in chosen), "assumed"]]
    for component, size in assumed.items():
        cells = [f"{100 * known[component]:.1f}" if component in known else "" for known in sizes]
        rows.append([component, *cells, size or "from the data"])
    totals = [100 * relative_error(value.VT, value.total_se) for value in chosen]
    rows.append(["all", *(f"{total:.1f}" if math.isfinite(total) else "n/a" for total in totals), ""])
    title = f"Error budget of ln V_T, {chosen[0].region} (SD in %)"
    return [f"{title}\n{columns_text(rows)}", " ".join(comparison.assumptions)]


def _budget_text(change: RegionChange) -> str:
    corrected = "as measured" if change.pvc == "none" else f"corrected ({change.pvc})"
    title = f"Error budget of ln V_T, {change.region}, {corrected}, {change.followup_session} (SD in %)"
    rows = [["component", change.baseline_session, change.followup_session, "change", "assumed"]]
    for part in change.budget:
        cells = [f"{100 * value:.1f}" for value in (part.baseline, part.followup, part.change)]
        rows.append([part.component, *cells, part.assumed or "from the data"])
    totals = [*change.relative_errors, change.log_ratio_se]
    rows.append(["all", *(f"{100 * total:.1f}" for total in totals), ""])
    return f"{title}\n{columns_text(rows)}"


def _scores_text(scores: Sequence[ClinicalChange]) -> str:
    lines = []
    for score in scores:
        for threshold, reached in score.thresholds:
            size = (
                f"{threshold.low:g}" if threshold.low == threshold.high else f"{threshold.low:g} to {threshold.high:g}"
            )
            lines.append(
                f"{score.score.title}, {score.followup_session}: changed by {score.difference:+.3g}; {threshold.kind} "
                f"{size} reached: {reached} ({threshold.population}; {threshold.citation})"
            )
    return "\n".join(lines)


def _treatment_text(comparison: Comparison) -> str:
    treatments = comparison.clinical.treatments if comparison.clinical and len(comparison.visits) > 1 else ()
    return "\n".join(treatment_line(treatment) for treatment in treatments)


def treatment_line(treatment: Treatment) -> str:
    """A treatment in one line of English."""
    parts = [f"Recorded between visits: {treatment.kind}"]
    if treatment.start or treatment.end:
        parts.append(f"{treatment.start or '?'} to {treatment.end or '?'}")
    if treatment.sessions_done is not None or treatment.sessions_planned is not None:
        done, planned = ("?" if n is None else n for n in (treatment.sessions_done, treatment.sessions_planned))
        parts.append(f"{done} of {planned} sessions")
    if treatment.components:
        parts.append(", ".join(treatment.components))
    if treatment.pain_during_exercise:
        parts.append(f"pain during exercise: {treatment.pain_during_exercise}")
    if treatment.adverse_events_recorded:
        parts.append(f"adverse events: {', '.join(treatment.adverse_events) or 'none'}")
    if treatment.notes:
        parts.append(treatment.notes)
    return "; ".join(parts) + "."
