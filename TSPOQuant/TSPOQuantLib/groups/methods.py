"""What a paper needs beside the numbers: how they were made, of whom, and who is missing; in English."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .. import __version__
from ..kinetics.models import MODELS
from ..outcome.record import VisitRecord
from .association import Association
from .cohort import MACRO, NO_PVC, Cohort, Value, Visit
from .comparison import PERMUTED_BELOW, Effect
from .covariates import WORDS, is_number
from .estimates import FEWEST
from .sources import SOURCES, Source, source_of
from .test_retest import TestRetest

DESCRIBED = ("age", "sex", "genotype", "scanner", "injected_mbq", "motion_mm")
"""Columns of Table 1 beside V_T."""


@dataclass(frozen=True)
class Exclusion:
    """Who is missing where, and why. what: "visit", "comparison" or a number of a region."""

    participant: str
    session: str
    what: str
    code: str
    message: str


@dataclass(frozen=True)
class Flow:
    """One line of the flow of people: how many people and visits are left, and of what."""

    step: str
    people: int
    visits: int


@dataclass(frozen=True)
class Methods:
    """paragraph: with keys of ``sources`` in brackets. table1: rows of (what, one cell a group), the header first."""

    paragraph: str
    sources: tuple[Source, ...]
    table1: tuple[tuple[str, ...], ...]
    exclusions: tuple[Exclusion, ...]
    flow: tuple[Flow, ...]


def methods(
    cohort: Cohort,
    repeats: TestRetest | None,
    effects: Sequence[Effect],
    associations: Sequence[Association],
    by: str = "group",
) -> Methods:
    """Told from what was done. by: the column whose groups are the columns of Table 1."""
    records = [visit.record for visit in cohort.visits if visit.record is not None]
    models = tuple(dict.fromkeys(value.model for value in cohort.values if value.model in MODELS))
    sentences = [_of_people(cohort)]
    cited = ["tspoquant", "lutkeschipholt2025", "innis2007"]
    if records:
        sentences += _of_scans(records)
    sentences.append(_of_models(models))
    cited += [key for key in map(source_of, models) if key]
    left = len(cohort.left_out)
    if left:
        sentences.append(
            f"{left} of {left + len(cohort.values)} estimates were left out because the data did not determine them "
            "(standard error above the program's limit, not identifiable, not positive, or slower than the scan)."
        )
    if repeats is not None:
        sentences.append(
            f"Repeatability was assessed in {len(repeats.pairs)} people with two visits: within-subject standard "
            "deviation and coefficient of variation (log-normal), repeatability coefficient 1.96 √2 wSD [qiba2015], "
            "ICC(2,1) and ICC(3,1) [shrout1979], limits of agreement with exact intervals [carkeet2015]; differences "
            "of several regions of one person were counted by how far they go together, and intervals were widened "
            "where the spread was uneven between people."
        )
        cited += ["qiba2015", "shrout1979", "carkeet2015"]
    if effects:
        sentences.append(_of_effects(effects))
        cited += ["welch1947", "mancl2001"]
    if associations:
        sentences.append(
            "Changes of imaging and of clinical scores were correlated across people (Spearman and Pearson, intervals "
            "by Fisher's z [bonett2000])."
        )
        cited.append("bonett2000")
    if effects or associations:
        sentences.append("Chances were adjusted for how many were looked at by Holm's method.")
    sentences.append(f"Nothing was tested with fewer than {FEWEST} people in a group. Intervals are of 95 %.")
    sentences.append(f"All was computed with TSPOQuant {__version__}{_versions(records)} [tspoquant].")
    if cohort.simulated:
        sentences.insert(0, "SIMULATED DATA.")
    return Methods(
        " ".join(sentences),
        tuple(SOURCES[key] for key in dict.fromkeys(cited)),
        table1(cohort, by),
        exclusions(cohort),
        flow(cohort, repeats),
    )


def _of_people(cohort: Cohort) -> str:
    counts = Counter(len(cohort.sessions(who)) for who in cohort.participants)
    people_by_visits = ", ".join(
        f"{people} with {visits} visit{'s' * (visits > 1)}" for visits, people in sorted(counts.items())
    )
    analyzed = f"{len(cohort.participants)} people were analyzed ({people_by_visits})"
    lost = {(visit.participant, visit.session): visit.code for visit in cohort.lost_visits}
    for visit in cohort.visits:
        lost.pop((visit.participant, visit.session), None)
    if not lost:
        return f"{analyzed}."
    reasons = ", ".join(f"{code} {count}" for code, count in sorted(Counter(lost.values()).items()))
    return f"{analyzed}; {len(lost)} of {len(lost) + len(cohort.visits)} visits could not be quantified ({reasons})."


def _of_scans(records: Sequence[VisitRecord]) -> list[str]:
    scans = [record.acquisition for record in records]
    tracers = _listed(scan.tracer or "the tracer" for scan in scans)
    scanners = _listed(" ".join(filter(None, (scan.manufacturer, scan.scanner_model))) for scan in scans)
    doses = [scan.injected_mbq for scan in scans if scan.injected_mbq is not None]
    minutes = [scan.timing.ends_s[-1] / 60 for scan in scans]
    frames = sorted({len(scan.frame_starts_s) for scan in scans})
    dose = f" after injection of {_spread(doses)} MBq" if doses else ""
    sentences = [
        f"Dynamic PET with {tracers} was acquired{f' on {scanners}' if scanners else ''}{dose}, over "
        f"{_spread(minutes)} min in {' or '.join(map(str, frames))} frames."
    ]

    def chosen(name: str) -> str:
        return _listed(str(record.settings.get(name)) for record in records)

    sources = {"image-derived": "derived from the image", "blood": "sampled from blood", "given": "a ready curve"}
    routes = _listed(sources.get(record.input.source, record.input.source) for record in records)
    sentences.append(
        f"Motion correction was {chosen('motion_correction')}; the input function was {routes}; frames were weighted "
        f"by {chosen('weights')}; the blood volume fraction was {chosen('vb')}; partial-volume correction: "
        f"{_listed(record.pvc for record in records)} [lutkeschipholt2025]."
    )
    fits = [fit for record in records for fit in record.fits if fit.pvc != "none"]
    parts = [part for fit in fits if isinstance(part := fit.settings.get("tissue_vb"), float) and part < 1]
    if parts:
        sentences.append(
            f"In curves corrected for partial volume at most {_listed(f'{part:g}' for part in parts)} of it took the "
            "place of tissue."
        )
    return sentences


def _of_models(models: Sequence[str]) -> str:
    cites = {model: f"[{key}]" if (key := source_of(model)) else f"({MODELS[model].source})" for model in models}
    named = ", ".join(f"{MODELS[model].study_name} {cites[model]}" for model in models)
    return f"Regional curves were fitted by {named}; V_T is the total volume of distribution [innis2007]."


def _of_effects(effects: Sequence[Effect]) -> str:
    covariates = _listed(name for effect in effects for name in effect.covariates)
    return (
        "Logarithms of each person's values, averaged over regions, were compared: pairs by Student's t, groups by a "
        f"linear model{f' with {covariates}' if covariates else ''} in which each group has its own variance "
        "[welch1947], beside GEE with persons as clusters [mancl2001]; "
        f"with fewer than {PERMUTED_BELOW} people, chances come from permutations of signs or residuals (of groups: "
        "the larger of these and Welch's). Effect sizes are Hedges' g."
    )


def _versions(records: Sequence[VisitRecord]) -> str:
    known: dict[str, set[str]] = {}
    for record in records:
        for name, version in record.provenance.get("versions", {}).items():
            known.setdefault(name, set()).add(str(version))
    listed = [f"{name} {' and '.join(sorted(several))}" for name, several in known.items()]
    return f" (visits: {', '.join(listed)})" if listed else ""


def _listed(items: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(item for item in items if item))


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "n/a"
    sd = f" ± {np.std(values, ddof=1):.3g}" if len(values) > 1 and np.ptp(values) > 0 else ""
    return f"{np.mean(values):.4g}{sd}"


# --- Table 1 and who is missing --------------------------------------------------------------------------------------


def table1(cohort: Cohort, by: str) -> tuple[tuple[str, ...], ...]:
    """People at their first visit by group: number, what is known of them, and V_T of each structure and model."""
    visits = list(cohort.first_visits())
    groups: dict[str, list[Visit]] = {"all": visits}
    for visit in visits:
        if visit.covariates.get(by):
            groups.setdefault(visit.covariates[by], []).append(visit)
    if len(groups) == 2:  # all of one group
        groups = {"all": visits}
    rows = [("", *groups), ("n", *(str(len(group)) for group in groups.values()))]
    known = {name for visit in visits for name in visit.covariates}
    rows += [(name, *(_cells(group, name) for group in groups.values())) for name in DESCRIBED if name in known]
    for outcome, model, pvc in cohort.kinds():
        if outcome not in MACRO[:2] or MODELS[model].outcome != outcome:
            continue
        values = cohort.of_kind(outcome, model, pvc)
        corrected = "" if pvc == NO_PVC else f", {pvc}"
        for structure in dict.fromkeys(value.structure for value in values):
            own = [value for value in values if value.structure == structure]
            spreads = (_spread(_person_means(own, group)) for group in groups.values())
            rows.append((f"{outcome}, {model}{corrected}, {structure} (mean ± SD of people)", *spreads))
    return tuple(rows)


def _person_means(values: Sequence[Value], visits: Sequence[Visit]) -> list[float]:
    """The mean of each person's values at these visits."""
    wanted = {(visit.participant, visit.session) for visit in visits}
    by_person: dict[str, list[float]] = {}
    for value in values:
        if (value.participant, value.session) in wanted:
            by_person.setdefault(value.participant, []).append(value.value)
    return [float(np.mean(own)) for own in by_person.values()]


def _cells(group: Sequence[Visit], name: str) -> str:
    cells = [visit.covariates[name] for visit in group if name in visit.covariates]
    missing = f"; {len(group) - len(cells)} unknown" if len(cells) < len(group) else ""
    if name not in WORDS and all(map(is_number, cells)):
        return _spread([float(cell) for cell in cells]) + missing
    return ", ".join(f"{cell} {count}" for cell, count in sorted(Counter(cells).items())) + missing


def exclusions(cohort: Cohort) -> tuple[Exclusion, ...]:
    """Visits and comparisons that could not be made, then every number that the data do not tell."""
    excluded = [
        Exclusion(lost.participant, lost.session, "comparison" if lost.of_visits else "visit", lost.code, lost.message)
        for lost in cohort.lost
    ]
    excluded += [
        Exclusion(value.participant, value.session, ", ".join(part for part in named if part != NO_PVC), reason, "")
        for value in cohort.left_out
        for named in [(value.outcome, value.model, value.pvc, value.place)]
        for reason in value.reasons[:1]
    ]
    return tuple(excluded)


def flow(cohort: Cohort, repeats: TestRetest | None) -> tuple[Flow, ...]:
    """How many people and visits there were, were quantified, and are compared."""
    lost = {(visit.participant, visit.session) for visit in cohort.lost_visits}
    done = {(visit.participant, visit.session) for visit in cohort.visits}
    both = [who for who in cohort.participants if len(cohort.sessions(who)) > 1]
    measured = {(value.participant, value.session) for value in cohort.values}
    steps = [
        Flow("visits in the dataset", len({who for who, _ in done | lost}), len(done | lost)),
        Flow("not quantified", len({who for who, _ in lost - done}), len(lost - done)),
        Flow("quantified", len(cohort.participants), len(done)),
        Flow("with a number that the data tell", len({who for who, _ in measured}), len(measured)),
        Flow("with two visits or more", len(both), sum(len(cohort.sessions(who)) for who in both)),
    ]
    if repeats is not None:
        steps.append(Flow("test and retest", len(repeats.pairs), 2 * len(repeats.pairs)))
    return tuple(steps)
