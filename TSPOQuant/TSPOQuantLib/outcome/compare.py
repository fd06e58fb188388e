"""Two visits or more against the first: what has changed, and how sure that is."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from ..kinetics.models import MODELS, first_of_volume
from ..messages import InputRefused, Listed, Notice, Notices, Text
from ..quantities import UNITS
from ..regions.anatomy import CONTRALATERAL, OPPOSITE, REFERENCE_RULES, Anatomy, read_name, reference_of
from ..regions.region import plain_name
from .budget import (
    BudgetSettings,
    Errors,
    budget_of,
    budget_of_one,
    change_variance,
    degrees_of_freedom,
    errors_of,
    reach,
)
from .change import (
    NO_PVC,
    Change,
    Contrast,
    ContrastKind,
    FurtherMeasure,
    RegionChange,
    RegionValue,
    table1,
    uptake_changes,
    vt_key,
)
from .clinical import NO_CAUSE, Clinical, ClinicalChange, Lesion, clinical_changes
from .comparability import checked
from .coupled import SharedFit, coupled_notices, coupled_visits, sharing_of
from .finding import Finding
from .ratio import vt_ratio
from .record import POPULATION, RegionOutcome, RegionRecord, VisitRecord
from .repeatability import Coefficient, coefficient_for, judge
from .second_tissue import leading, repeatability_notices, second_tissue_notices
from .sessions import dated
from .uptake import MEASURES, RegionUptake, region_uptake, window_of

ALWAYS = ("SUV", "TBR-PP", "TBR-WB")
"""What is shown where no visit has it, too: that it is not known is told."""
FEWEST_OTHERS = 2
"""Foramina whose mean stands for the levels that are not affected; one alone may be the reference anyhow."""
BLUR = Text(
    "V_T as measured lies below that of a small region's tissue, and its change is smaller than the tissue's: the "
    "intervals of uncorrected values do not hold that bias."
)
SIMULATED = Text("Simulated data: no person was scanned.")


@dataclass(frozen=True)
class Comparison:
    """Everything that the tables and the report say about two visits or more (or about one alone, without changes).

    visits: in the order given, the first is the baseline. model, pvc: of the primary outcome.
    headline: English sentences that stand first, overrides foremost. table1: the study's Table 1, one block a later
    visit. by_region: models of regions that are told by another than ``model``. values: V_T of every region,
    model and correction of every visit. scores: the clinical scores, one block a later visit. shared: fits of curves
    with one V_B and delay, where the study asks for them; apart: the same changes by separate fits, empty without.
    assumptions: English sentences, one for each assumed size of a change's error budget.
    """

    visits: tuple[VisitRecord, ...]
    model: str
    pvc: str
    by_region: dict[str, str]
    headline: tuple[str, ...]
    findings: tuple[Finding, ...]
    accepted: tuple[str, ...]
    values: tuple[RegionValue, ...]
    changes: tuple[RegionChange, ...]
    apart: tuple[RegionChange, ...]
    shared: tuple[SharedFit, ...]
    contrasts: tuple[Contrast, ...]
    besides: tuple[FurtherMeasure, ...]
    table1: tuple[Change, ...]
    scores: tuple[ClinicalChange, ...]
    clinical: Clinical | None
    lesion: Lesion | None
    repeatability: tuple[Coefficient, ...]
    budget: BudgetSettings
    assumptions: tuple[str, ...]
    notices: tuple[Notice, ...]

    @property
    def baseline(self) -> VisitRecord:
        return self.visits[0]

    @property
    def simulated(self) -> bool:
        return self.baseline.acquisition.simulated

    def model_of(self, region: str) -> str:
        """The model that V_T of a region is told by."""
        return self.by_region.get(region, self.model)

    def apart_from(self, change: RegionChange) -> RegionChange | None:
        """The same change by separate fits, where it is one of fits that share parameters."""

        def key(candidate: RegionChange) -> tuple[str, str, str, str]:
            return candidate.region, candidate.followup_session, candidate.model, candidate.pvc

        sharing = any(change.region in fit.regions and change.model == fit.model for fit in self.shared)
        return next((candidate for candidate in self.apart if sharing and key(candidate) == key(change)), None)

    def value(self, session: str, row: RegionOutcome) -> RegionValue:
        """A visit's row with its interval."""
        wanted = (session, row.region, row.model, row.pvc)
        return next(v for v in self.values if (v.session, v.region, v.model, v.pvc) == wanted)

    def change(self, outcome: str, followup: str) -> RegionChange | None:
        """The change of an outcome key at a later session, under the model that tells it."""
        changes = (c for c in self.changes if (c.outcome, c.followup_session) == (outcome, followup))
        return next((c for c in changes if c.model == self.model_of(c.region)), None)


def compare(
    records: Sequence[VisitRecord],
    clinical: Clinical | None = None,
    repeatability: Sequence[Coefficient] = (),
    accept: Sequence[str] = (),
    budget: BudgetSettings | None = None,
) -> Comparison:
    """Later visits against the first. One record alone gives a comparison without changes, for a report of one visit.

    accept: codes of differences between the visits that the user takes upon himself. Raises InputRefused: see
    comparability.checked; "visits-none" without any record.
    """
    if not records:
        raise InputRefused("visits-none", "no visit was given; name the folders that quantify wrote")
    given = tuple(records)
    settings = budget or BudgetSettings()
    findings = checked(given, accept) if len(given) > 1 else ()
    visits, sharing = coupled_visits(given)
    shared = [m for m in visits[0].models if all(m in visit.models for visit in visits)] or visits[0].models
    model = first_of_volume(shared) or next(iter(shared), "")
    by_region = leading(given, model)
    besides = _further_measures(visits, model, by_region)
    lesion = clinical.lesion if clinical else None
    changes = _changes(visits, model, by_region, settings, tuple(repeatability), lesion)
    scores: list[ClinicalChange] = []
    tables: list[Change] = []
    for visit in visits[1:]:
        changed_scores = clinical_changes(clinical, visits[0].session, visit.session) if clinical else ()
        scores += changed_scores
        own = [change for change in changes if change.followup_session == visit.session]
        leading_changes = [change for change in own if change.model == by_region.get(change.region, model)]
        tables += table1(leading_changes, changed_scores, lesion, reference_rule(visits[0]))
        tables += () if visits[0].models else uptake_changes(besides, visits, visits.index(visit))
    return Comparison(
        visits=visits,
        model=model,
        pvc=NO_PVC,
        by_region=by_region,
        headline=_headline(visits, findings, tables, changes, clinical),
        findings=findings,
        accepted=tuple(dict.fromkeys(f.code for f in findings if f.accepted)),
        values=tuple(_value(visit, row, settings) for visit in visits for row in visit.rows),
        changes=changes,
        apart=_changes(given, model, by_region, settings, tuple(repeatability), lesion) if sharing else (),
        shared=sharing,
        contrasts=_contrasts(visits, lesion, settings) if lesion else (),
        besides=besides,
        table1=tuple(tables),
        scores=tuple(scores),
        clinical=clinical,
        lesion=lesion,
        repeatability=tuple(repeatability),
        budget=settings,
        assumptions=settings.sentences if len(visits) > 1 else settings.sentences[-1:],
        notices=(
            *coupled_notices(sharing, sharing_of(given)),
            *(second_tissue_notices(given, model) if len(given) > 1 else ()),
            *(repeatability_notices(given[0], by_region, tuple(repeatability)) if len(given) > 1 else ()),
            *_notices(visits, clinical, lesion),
        ),
    )


# --- Change ----------------------------------------------------------------------------------------------------------


def _same_row(baseline: VisitRecord, visit: VisitRecord, row: RegionOutcome) -> RegionOutcome | None:
    """The row of another visit that tells of the same place, model and correction."""
    region = visit.same_place(baseline.region(row.region))
    return visit.row_of(region.name, row.model, row.pvc) if region else None


def _changes(
    visits: Sequence[VisitRecord],
    model: str,
    by_region: Mapping[str, str],
    settings: BudgetSettings,
    repeatability: tuple[Coefficient, ...],
    lesion: Lesion | None,
) -> tuple[RegionChange, ...]:
    """Every later visit against the first, in every row that both have; the affected foramen's first."""
    affected = lesion.foramen.place if lesion else None
    rows = sorted(visits[0].rows, key=lambda row: row.place != affected)
    return tuple(
        _change((visits[0], before), (visit, after), by_region.get(before.region, model), settings, repeatability)
        for visit in visits[1:]
        for before in rows
        if (after := _same_row(visits[0], visit, before)) is not None
    )


def _named(row: RegionOutcome) -> dict[str, Any]:
    """The row's names, as ``OfRegion`` has them."""
    return {"outcome": vt_key(row), "region": row.region, **row.named, "model": row.model, "pvc": row.pvc}


def _value(visit: VisitRecord, row: RegionOutcome, settings: BudgetSettings) -> RegionValue:
    errors = errors_of(visit, row.region, row.model, row.pvc, settings)
    variance = errors.variance()
    freedom = degrees_of_freedom(variance, errors)
    half = reach(variance, freedom) if _positive(row.VT) else math.nan
    return RegionValue(
        session=visit.session,
        **_named(row),
        VT=row.VT,
        VT_se=row.VT_se,
        total_se=row.VT * math.sqrt(variance) if _positive(row.VT) else math.nan,
        degrees_of_freedom=freedom,
        low=row.VT * _exp(-half),
        high=row.VT * _exp(half),
        budget=budget_of_one(errors, settings),
        flags=row.flags,
    )


def _change(
    first: tuple[VisitRecord, RegionOutcome],
    later: tuple[VisitRecord, RegionOutcome],
    primary_model: str,
    settings: BudgetSettings,
    repeatability: tuple[Coefficient, ...],
) -> RegionChange:
    (baseline, before), (followup, after) = first, later
    errors = [errors_of(visit, row.region, row.model, row.pvc, settings) for visit, row in (first, later)]
    parts = budget_of(errors[0], errors[1], settings)
    variance = float(sum(part.change**2 for part in parts))
    estimated = _positive(before.VT) and _positive(after.VT)
    log_ratio = math.log(after.VT / before.VT) if estimated else math.nan
    freedom = degrees_of_freedom(variance, *errors)
    half = reach(variance, freedom) if estimated else math.nan
    coefficient = coefficient_for(repeatability, before.model, before.structure, before.pvc)
    low, high = _exp(log_ratio - half), _exp(log_ratio + half)
    variances = [visit_errors.variance() for visit_errors in errors]
    totals = [
        math.sqrt(visit_variance) * row.VT for visit_variance, row in zip(variances, (before, after), strict=True)
    ]
    return RegionChange(
        baseline_session=baseline.session,
        followup_session=followup.session,
        **_named(before),
        primary=(before.model, before.pvc) == (primary_model, NO_PVC),
        baseline=before.VT,
        followup=after.VT,
        baseline_se=before.VT_se,
        followup_se=after.VT_se,
        baseline_total_se=totals[0],
        followup_total_se=totals[1],
        difference=after.VT - before.VT,
        difference_se=_difference_error((before.VT, after.VT), variances, variance),
        percent=100 * (after.VT / before.VT - 1) if estimated else math.nan,
        log_ratio=log_ratio,
        log_ratio_se=math.sqrt(variance),
        degrees_of_freedom=freedom,
        ratio_low=low,
        ratio_high=high,
        percent_low=100 * (low - 1),
        percent_high=100 * (high - 1),
        budget=parts,
        baseline_flags=before.flags,
        followup_flags=after.flags,
        verdict=judge(before.VT, after.VT, coefficient, math.sqrt(variance), half),
    )


def _difference_error(values: tuple[float, float], variances: Sequence[float], joint: float) -> float:
    """Standard error of b - a: d(b - a) = b dln b - a dln a, the two errors correlated as those of the log ratio are.

    variances: of ln a and ln b. joint: of the log ratio.
    """
    (a, b), (first, second) = values, variances
    spread = first * a**2 + second * b**2 - a * b * (first + second - joint)
    return math.sqrt(max(spread, 0.0)) if math.isfinite(spread) else math.inf


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _exp(value: float) -> float:
    """e^value, where a hopeless interval runs from 0 to infinity."""
    return math.exp(value) if value < 700 else math.inf if value == value else math.nan


# --- Contrasts -------------------------------------------------------------------------------------------------------


def _contrasts(visits: Sequence[VisitRecord], lesion: Lesion, settings: BudgetSettings) -> tuple[Contrast, ...]:
    """Foramen against unaffected, contralateral and those of all other levels, cord against unaffected, for every
    model and correction."""
    ways = [(model, pvc) for model in visits[0].models for pvc in dict.fromkeys((NO_PVC, visits[0].pvc))]
    return (
        *(
            contrast
            for kind, place, against in _pairs(lesion, reference_rule(visits[0]))
            for way in ways
            for contrast in _contrasts_of(visits, kind, _contrasted(visits, place, against, *way), settings)
        ),
        *(
            contrast
            for way in ways
            for contrast in _contrasts_of(visits, "other levels", _at_other_levels(visits, lesion, *way), settings)
        ),
    )


Contrasted = tuple[VisitRecord, RegionOutcome, tuple[RegionOutcome, ...]]
"""A visit, the affected region's row there, and the rows that it is held against."""


def _contrasted(
    visits: Sequence[VisitRecord], place: Anatomy, against: Anatomy | str, model: str, pvc: str
) -> Iterator[Contrasted]:
    """The visits that have both places with a V_T, and their rows."""
    for visit in visits:
        row = _estimated(visit.row(*place.place, model, pvc))
        if isinstance(against, str):
            other = _estimated(visit.row_of(against, model, pvc))
        else:
            other = _estimated(visit.row(*against.place, model, pvc))
        if row is not None and other is not None:
            yield visit, row, (other,)


def _at_other_levels(visits: Sequence[VisitRecord], lesion: Lesion, model: str, pvc: str) -> Iterator[Contrasted]:
    """The affected foramen and all foramina of other levels that every visit has with a V_T: the same at every visit,
    and none where they are fewer than two."""
    places = dict.fromkeys(row.place for row in visits[0].rows if row.structure == "foramen" and row.level)
    known = {place: [row for v in visits if (row := _estimated(v.row(*place, model, pvc)))] for place in places}
    complete = {place: rows for place, rows in known.items() if len(rows) == len(visits)}
    affected = complete.get(lesion.foramen.place)
    others = [rows for (_, level, _), rows in complete.items() if level != lesion.level]
    if affected and len(others) >= FEWEST_OTHERS:
        for visit, row, *against in zip(visits, affected, *others, strict=True):
            yield visit, row, tuple(against)


def _estimated(row: RegionOutcome | None) -> RegionOutcome | None:
    return row if row is not None and _positive(row.VT) else None


def _contrasts_of(
    visits: Sequence[VisitRecord],
    kind: ContrastKind,
    contrasted: Iterable[Contrasted],
    settings: BudgetSettings,
) -> Iterator[Contrast]:
    """One contrast at every visit; its change counts from the first one, where that has it."""
    first: tuple[Errors, float] | None = None
    for visit, row, others in contrasted:
        contrast, errors = _contrast(visit, kind, row, others, first, settings)
        yield contrast
        if visit is visits[0]:
            first = errors, math.log(contrast.ratio)


def reference_rule(visit: VisitRecord) -> str:
    """What stands for unaffected tissue, as the visit's study says it."""
    return str(visit.settings.get("unaffected", REFERENCE_RULES[0]))


def _pairs(lesion: Lesion, rule: str) -> Iterator[tuple[ContrastKind, Anatomy, Anatomy | str]]:
    """What is held against what: a region that stands at no level of the spine goes by its name."""
    foramen, cord = lesion.foramen, lesion.cord
    apart = rule not in REFERENCE_RULES and read_name(rule).anatomy.structure == "other"
    named = plain_name(rule) if apart else ""
    if rule != CONTRALATERAL and (against := named or reference_of(foramen, rule)):
        yield "unaffected", foramen, against
    yield "contralateral", foramen, replace(foramen, side=OPPOSITE[foramen.side])
    if cord.level and (against := named or reference_of(cord, rule)):
        yield "unaffected", cord, against


def _contrast(
    visit: VisitRecord,
    kind: ContrastKind,
    row: RegionOutcome,
    others: tuple[RegionOutcome, ...],
    first: tuple[Errors, float] | None,
    settings: BudgetSettings,
) -> tuple[Contrast, Errors]:
    quotient = vt_ratio(visit, row, *others, settings=settings)
    errors, variance, log_ratio = quotient.errors, quotient.variance, math.log(quotient.ratio)
    half = reach(variance, degrees_of_freedom(variance, errors))
    moved: tuple[float | None, float | None, float | None] = (None, None, None)
    if first is not None:
        before, log_before = first
        components = {term.component for visit_errors in (before, errors) for term in visit_errors.terms.values()}
        change = sum(max(change_variance(before, errors, settings, c), 0.0) for c in components)
        wide = reach(change, degrees_of_freedom(change, before, errors))
        move = log_ratio - log_before
        low, middle, high = (100 * (_exp(move + at) - 1) for at in (-wide, 0.0, wide))
        moved = (middle, low, high)
    return Contrast(
        kind=kind,
        session=visit.session,
        region=row.region,
        against=", ".join(other.region for other in others),
        structure=row.structure,
        model=row.model,
        pvc=row.pvc,
        value=row.VT,
        other=quotient.other,
        ratio=quotient.ratio,
        ratio_se=quotient.error,
        ratio_low=_exp(log_ratio - half),
        ratio_high=_exp(log_ratio + half),
        difference=row.VT - quotient.other,
        difference_se=_difference_error((row.VT, quotient.other), (quotient.own, quotient.others), variance),
        change_percent=moved[0],
        change_low=moved[1],
        change_high=moved[2],
    ), errors


# --- Beside V_T ------------------------------------------------------------------------------------------------------


def _further_measures(
    visits: Sequence[VisitRecord], model: str, by_region: Mapping[str, str]
) -> tuple[FurtherMeasure, ...]:
    """What needs no fit, over the window, and V_T by the other models, of every region of the first visit."""
    measures: list[FurtherMeasure] = []
    for region in visits[0].regions:
        at_visits = [visit.same_place(region) for visit in visits]
        for pvc in (NO_PVC, visits[0].pvc) if region.corrected else (NO_PVC,):
            uptakes = [_uptake(visit, at, pvc) for visit, at in zip(visits, at_visits, strict=True)]
            for measure in MEASURES:
                values = tuple(math.nan if uptake is None else uptake.value(measure) for uptake in uptakes)
                if measure in ALWAYS or any(map(math.isfinite, values)):
                    measures.append(_further_measure(region, measure, pvc, values, window_of(visits[0])))
            for other in visits[0].models:
                outcome = MODELS[other].outcome
                if other == by_region.get(region.name, model) and outcome == "VT":
                    continue
                rows = [v.row_of(at.name, other, pvc) if at else None for v, at in zip(visits, at_visits, strict=True)]
                values = tuple(getattr(row, outcome) if row else math.nan for row in rows)
                measures.append(_further_measure(region, other, pvc, values, None, outcome))
    return tuple(measures)


def _uptake(visit: VisitRecord, region: RegionRecord | None, pvc: str) -> RegionUptake | None:
    """None where the visit lacks the region, its correction, or frames in the window."""
    if region is None or (pvc != NO_PVC and region.corrected is None):
        return None
    try:
        return region_uptake(visit, region, pvc)
    except InputRefused:
        return None


def _further_measure(
    region: RegionRecord,
    measure: str,
    pvc: str,
    values: tuple[float, ...],
    window: tuple[float, float] | None,
    quantity: str = "VT",
) -> FurtherMeasure:
    """quantity: what a model gives, by its key."""
    first = values[0]
    percents = tuple(100 * (value / first - 1) if _positive(first) else math.nan for value in values[1:])
    return FurtherMeasure(
        measure=measure,
        region=region.name,
        **region.named,
        pvc=pvc,
        unit=UNITS[measure if measure in UNITS else quantity],
        values=values,
        percents=percents,
        window_s=window,
    )


# --- Words -----------------------------------------------------------------------------------------------------------


def _headline(
    visits: Sequence[VisitRecord],
    findings: Sequence[Finding],
    rows: Sequence[Change],
    changes: Sequence[RegionChange],
    clinical: Clinical | None,
) -> tuple[str, ...]:
    lines: list[str] = [
        Text(
            "Compared although {finding_message} ({values}): accepted by the user ({code_}).",
            finding_message=finding.message,
            values=Listed(finding.values, " | "),
            code_=finding.code,
        )
        for finding in findings
        if finding.accepted
    ]
    if visits[0].acquisition.simulated:
        lines.append(SIMULATED)
    primary = [row for row in rows if row.primary]
    for row in primary:
        measured = next(
            c for c in changes if c.primary and (c.outcome, c.followup_session) == (row.outcome, row.followup_session)
        )
        lines.append(_primary(measured, row.title))
        lines.append(measured.verdict.text)
        lines += [_disagreement(change) for change in changes if _disagree(measured, change)]
    if any(math.isfinite(row.percent) for row in primary):
        lines.append(BLUR)
    if len(visits) > 1 and clinical is not None and clinical.treatments:
        lines.append(NO_CAUSE)
    return tuple(dict.fromkeys(lines))


def _primary(change: RegionChange, title: str) -> Text:
    """The primary outcome in one sentence, as far as it is known."""
    if not math.isfinite(change.percent):
        return Text(
            "Primary outcome: {title} by {model}, as measured: the change from {baseline_session} to "
            "{followup_session} is not known.",
            title=title,
            model=change.model,
            baseline_session=change.baseline_session,
            followup_session=change.followup_session,
        )
    return Text(
        "Primary outcome: {title} by {model}, as measured: {baseline:.2f} at {baseline_session}, "
        "{followup:.2f} mL/cm³ at {followup_session}: {percent:+.1f} % ({interval}).",
        title=title,
        model=change.model,
        baseline=change.baseline,
        baseline_session=change.baseline_session,
        followup=change.followup,
        followup_session=change.followup_session,
        percent=change.percent,
        interval=_interval(change),
    )


def _interval(change: RegionChange) -> Text:
    """The 95 % interval of a change in words: an error of unknown size bounds nothing."""
    if not math.isfinite(change.percent_high):
        return Text("95 % interval unknown, as the size of an error is")
    return Text("95 % interval {low:+.1f} to {high:+.1f} %", low=change.percent_low, high=change.percent_high)


def _disagree(measured: RegionChange, other: RegionChange) -> bool:
    """Whether the same change, corrected for partial volume, leads to another conclusion than as measured."""

    judged = "unknown" not in (measured.verdict.code, other.verdict.code)

    def conclusion(change: RegionChange) -> tuple[str, int]:
        side = (change.percent_low > 0) - (change.percent_high < 0)  # of no change: -1 below, 1 above, 0 neither
        return change.verdict.code if judged else "", side

    def place(change: RegionChange) -> tuple[str, str, str]:
        return change.region, change.followup_session, change.model

    same = place(other) == place(measured) and other.pvc != measured.pvc
    return same and math.isfinite(other.percent) and conclusion(other) != conclusion(measured)


def _disagreement(corrected: RegionChange) -> Text:
    return Text(
        "Corrected for partial volume ({pvc}) it changed by {percent:+.1f} % ({interval}): as measured and as "
        "corrected do not lead to the same conclusion.",
        pvc=corrected.pvc,
        percent=corrected.percent,
        interval=_interval(corrected),
    )


def _notices(visits: Sequence[VisitRecord], clinical: Clinical | None, lesion: Lesion | None) -> tuple[Notice, ...]:
    notices = Notices()
    if clinical is None:
        notices.add("clinical-missing", "no clinical data were given; Table 1 shows what was measured alone")
    else:
        absent = [visit.session for visit in visits if visit.session not in clinical.visits]
        if absent:
            notices.add("clinical-session-missing", "no clinical data for {absent}", absent=", ".join(absent))
        sessions = {visit.session for visit in visits}
        unused = [session for session in clinical.visits if session not in sessions]
        if unused:
            notices.add(
                "clinical-session-unused", "clinical data of {unused} belong to no visit", unused=", ".join(unused)
            )
    if clinical is not None and lesion is None:
        notices.add("lesion-missing", "the clinical file names no [lesion]; no region is called affected")
    if visits[0].models and not first_of_volume(visits[0].models):
        notices.add(
            "comparison-no-vt",
            "{models} give K_i, which stands among the other measures, and no V_T: no change of V_T is told; add "
            "a model of V_T to [model] names, such as 2TCM",
            models=Listed(visits[0].models),
        )
    notices += _of_dates(visits, clinical) if clinical is not None else []
    for visit in visits:
        if visit.models and visit.input.parent_fraction is None and visit.input.source != POPULATION:
            text = Text(
                "{session}: parent plasma was given ready; its parent fraction's error is not in the budget",
                session=visit.session,
            )
            notices.add("budget-input-given", text)
        row = visit.row(*lesion.foramen.place, visit.models[0]) if lesion and visit.models else None
        if lesion and visit.models and row is None:
            place = f"foramen {lesion.level} {lesion.side}"
            notices.add(
                "affected-missing", "{session} has no region called {place}", session=visit.session, place=place
            )
        if row is not None and row.flags:
            flags = Listed((flag.message for flag in row.flags), "; ")
            notices.add(
                "affected-flagged", "{session}, {region}: {told}", session=visit.session, region=row.region, told=flags
            )
    return tuple(notices)


def _of_dates(visits: Sequence[VisitRecord], clinical: Clinical) -> list[Notice]:
    """Scores that were taken nearer to another visit's scan, and treatments that were not between the scans."""
    starts = {visit.session: visit.acquisition.started for visit in visits}
    scans = {session: start.date() for session, start in starts.items() if start is not None}
    notices = Notices()
    for session, day in clinical.dates.items():
        if session not in scans:
            continue
        nearest = min(scans, key=lambda candidate: (abs(scans[candidate] - day), candidate != session))
        if nearest != session:
            notices.add(
                "clinical-date",
                "the scores of {session} are dated {day}, nearer to the scan of {nearest} ({other}) than to its "
                "own ({own}); make sure that they are not those of another visit",
                session=session,
                day=day.isoformat(),
                nearest=nearest,
                other=scans[nearest].isoformat(),
                own=scans[session].isoformat(),
            )
    if len(scans) < len(visits) or not any(dated(list(starts.values()))):
        return notices
    first, last = min(scans.values()), max(scans.values())
    outside = [
        treatment
        for treatment in clinical.treatments
        if (treatment.start and not first <= treatment.start <= last) or (treatment.end and treatment.end < first)
    ]
    return notices + [
        Notice(
            "treatment-outside",
            "'{kind}' ({start} to {end}) did not begin between the scans of {first} and {last}, though the "
            "record tells it as done between them; correct its dates, or read the change with that in mind",
            kind=treatment.kind,
            start="?" if treatment.start is None else treatment.start.isoformat(),
            end="?" if treatment.end is None else treatment.end.isoformat(),
            first=first.isoformat(),
            last=last.isoformat(),
        )
        for treatment in outside
    ]


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """The comparison as other programs read it: all but the visits' own records, which lie in their folders."""
    record: dict[str, Any] = {
        "visits": [
            {"subject": v.subject, "session": v.session, "models": v.models, "pvc": v.pvc} for v in comparison.visits
        ]
    }
    for field in fields(comparison):
        if field.name not in ("visits", "table1"):
            record[field.name] = getattr(comparison, field.name)
    return record
