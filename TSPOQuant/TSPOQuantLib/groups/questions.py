"""The questions that a cohort answers: which values of which people go into each comparison and association."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..kinetics.models import MODELS
from ..outcome.clinical import score_named
from .association import Association, correlation
from .cohort import FORAMEN, MACRO, RATIOS, Cohort, Value, Visit, matrix
from .comparison import (
    Difference,
    Effect,
    as_percent,
    between,
    connected,
    design_of,
    gee,
    paired,
    person_means,
    with_adjusted,
)
from .covariates import GENOTYPE, GROUP, number_of
from .estimates import FEWEST, UNKNOWN, Array, Estimate, holm

ASKED = (*MACRO[:2], *RATIOS)
"""Numbers that groups are compared by."""
CONTROLS = re.compile(r"(healthy|control|unaffected|hc\b|ctrl)", re.IGNORECASE)
"""A group of that name is the one that others are compared with; else the first by name."""
AFFECTED, UNAFFECTED = "foramen, affected", "foramen, unaffected"


@dataclass(frozen=True)
class Measured:
    """One kind of number in one structure, or in its affected or unaffected part.

    places: of the structure. kept: by participant, the places that count; all where a person has no affected one.
    """

    outcome: str
    model: str
    pvc: str
    structure: str
    places: tuple[str, ...]
    values: tuple[Value, ...]
    kept: Mapping[str, tuple[str, ...]]

    def asks(self, people: Iterable[str]) -> bool:
        """Whether it is a question of its own among these: affected and unaffected are where somebody is affected."""
        return not self.kept or any(who in self.kept for who in people)

    def logs(self, people: Sequence[str], sessions: Sequence[str]) -> Array:
        """(people, places): ln of the values at a session of each, nan where there is none or it is not positive."""
        table = matrix(self.values, list(zip(people, sessions, strict=True)), self.places)
        for row, who in enumerate(people):
            table[row, [place not in self.kept.get(who, self.places) for place in self.places]] = np.nan
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(table > 0, np.log(table), np.nan)


def measured(cohort: Cohort) -> Iterator[Measured]:
    """Every kind of number that is asked about, by structure, and foramina also by whether they are affected."""
    affected = cohort.affected
    for outcome, model, pvc in cohort.kinds():
        if outcome not in ASKED or (model in MODELS and MODELS[model].outcome != outcome):
            continue
        values = cohort.of_kind(outcome, model, pvc)
        for structure in dict.fromkeys(value.structure for value in values):
            own = tuple(value for value in values if value.structure == structure)
            places = tuple(dict.fromkeys(value.place for value in own))
            yield Measured(outcome, model, pvc, structure, places, own, {})
            if structure == FORAMEN and affected:
                here = {who: (place,) for who, place in affected.items()}
                others = {who: tuple(p for p in places if p != place) for who, place in affected.items()}
                yield Measured(outcome, model, pvc, AFFECTED, places, own, here)
                yield Measured(outcome, model, pvc, UNAFFECTED, places, own, others)


def effects(cohort: Cohort, by: Sequence[str] = (), covariates: Sequence[str] = (GENOTYPE,)) -> tuple[Effect, ...]:
    """Everything that is compared. by: columns that make groups; empty for "group" and "genotype" where they do."""
    columns = tuple(by) or tuple(name for name in (GROUP, GENOTYPE) if len(_groups(cohort, name)) > 1)
    rows: list[Effect] = []
    within = _own_groups(cohort, columns)
    for number in measured(cohort):
        if number.structure == AFFECTED:
            rows += _affected(cohort, number)
        for first, second in cohort.session_pairs():
            for group, members in within.items():
                rows += _changed(number, members, first, second, group)
        for column in columns:
            names = tuple(name for name in covariates if name != column)
            rows += _between_groups(cohort, number, column, names)
    return with_adjusted(rows)


def _groups(cohort: Cohort, column: str) -> dict[str, list[str]]:
    """People by group, the group that others are compared with first."""
    members: dict[str, list[str]] = {}
    for visit in cohort.first_visits():
        if visit.covariates.get(column):
            members.setdefault(visit.covariates[column], []).append(visit.participant)
    return dict(sorted(members.items(), key=lambda item: (not CONTROLS.match(item[0]), item[0])))


def _own_groups(cohort: Cohort, columns: Sequence[str]) -> dict[str, Cohort]:
    """The cohort of each group apart, where groups are no genotypes: what happened to one did not to the other."""
    column = next((name for name in columns if name != GENOTYPE), "")
    groups = _groups(cohort, column)
    if len(groups) < 2:
        return {"": cohort}
    own = {
        name: tuple(visit for visit in cohort.visits if visit.participant in people) for name, people in groups.items()
    }
    return {name: replace(cohort, visits=visits) for name, visits in own.items()}


def _effect(number: Measured, difference: Difference, by_gee: Estimate = UNKNOWN, **more: Any) -> Effect:
    return Effect(
        outcome=number.outcome,
        model=number.model,
        pvc=number.pvc,
        structure=number.structure,
        percent=as_percent(difference.value),
        size=difference.size,
        chance=difference.chance,
        how=difference.how,
        gee=as_percent(by_gee),
        **more,
    )


def _affected(cohort: Cohort, number: Measured) -> list[Effect]:
    """The affected foramen against the mean of the person's others, at each session."""
    rows = []
    for session in dict.fromkeys(visit.session for visit in cohort.visits):
        people = [v.participant for v in cohort.visits if v.session == session and v.participant in number.kept]
        if len(people) < 2:
            continue
        logs = replace(number, kept={}).logs(people, [session] * len(people))
        mine = np.array([[place in number.kept[who] for place in number.places] for who in people])
        there = np.flatnonzero((np.isfinite(logs) & mine).any(axis=1) & (np.isfinite(logs) & ~mine).any(axis=1))
        if len(there) < 2:
            continue
        logs, mine = logs[there], mine[there]
        change = _mean(np.where(mine, logs, np.nan)) - _mean(np.where(mine, np.nan, logs))
        who = [people[int(row)] for row in there]
        rows.append(
            _effect(
                number,
                paired(change),
                question="affected",
                session=session,
                first=UNAFFECTED,
                second=AFFECTED,
                people=(len(who), len(who)),
                values=tuple(zip(who, [""] * len(who), change.tolist(), strict=True)),
            )
        )
    return rows


def _mean(values: Array) -> Array:
    return np.asarray(np.nanmean(values, axis=1))


def changes(cohort: Cohort, number: Measured, first: str, second: str) -> tuple[list[str], Array]:
    """People with both sessions, and (people, places) ln of the ratio."""
    people = [v.participant for v in cohort.first_visits() if {first, second} <= set(cohort.sessions(v.participant))]
    ratio = number.logs(people, [second] * len(people)) - number.logs(people, [first] * len(people))
    kept = np.flatnonzero(np.isfinite(ratio).any(axis=1))
    return [people[int(row)] for row in kept], ratio[kept]


def _changed(number: Measured, cohort: Cohort, first: str, second: str, within: str) -> list[Effect]:
    people, ratio = changes(cohort, number, first, second)
    if len(people) < 2 or not number.asks(people):
        return []
    means = person_means(ratio)
    return [
        _effect(
            number,
            paired(means),
            question="change",
            within=within,
            session=f"{first} → {second}",
            first=first,
            second=second,
            people=(len(people), len(people)),
            values=tuple(zip(people, [""] * len(people), means.tolist(), strict=True)),
        )
    ]


def _between_groups(cohort: Cohort, number: Measured, column: str, covariates: Sequence[str]) -> list[Effect]:
    """Each group against the one that others are compared with, at the first visit and in every change."""
    visits = {visit.participant: visit for visit in cohort.first_visits()}
    tables: list[tuple[Literal["group", "group-change"], str, list[str], Array]] = []
    people = list(visits)
    logs = number.logs(people, [visits[who].session for who in people])
    tables.append(("group", "first visit", people, logs))
    tables += [
        ("group-change", f"{first} → {second}", *changes(cohort, number, first, second))
        for first, second in cohort.session_pairs()
    ]
    rows = []
    reference, *others = _groups(cohort, column) or [""]
    for question, session, everybody, table in tables:
        for other in others:
            rows += _two_groups(
                number, visits, (everybody, table), (column, reference, other), covariates, (question, session)
            )
    return rows


def _two_groups(
    number: Measured,
    visits: Mapping[str, Visit],
    data: tuple[Sequence[str], Array],
    groups: tuple[str, str, str],
    covariates: Sequence[str],
    asked: tuple[str, str],
) -> list[Effect]:
    column, first, second = groups
    everybody, table = data
    rows = [
        row
        for row, who in enumerate(everybody)
        if visits[who].covariates.get(column) in (first, second) and np.isfinite(table[row]).any()
    ]
    people, logs = [everybody[row] for row in rows], table[rows]
    belongs = np.array([float(visits[who].covariates[column] == second) for who in people])
    parts = connected(np.isfinite(logs))
    both = [row for row in range(len(people)) if 0 < belongs[parts == parts[row]].mean() < 1]
    if not both:
        return []
    people, logs, belongs, parts = [people[row] for row in both], logs[both], belongs[both], parts[both]
    apart = np.column_stack([np.zeros((len(people), 0)), *(parts == part for part in np.unique(parts)[1:])])
    covariate_rows = [dict(visits[who].covariates) for who in people]
    design, kept, dropped = design_of(covariate_rows, covariates, np.column_stack([belongs, apart]))
    design = np.column_stack([design, apart])
    means = person_means(logs)
    return [
        _effect(
            number,
            between(means, belongs, design),
            gee(logs, belongs, design) if FEWEST <= belongs.sum() <= len(people) - FEWEST else UNKNOWN,
            question=asked[0],
            session=asked[1],
            by=column,
            first=first,
            second=second,
            people=(int((belongs == 0).sum()), int(belongs.sum())),
            covariates=kept,
            left_out=dropped,
            values=tuple(
                (who, visits[who].covariates[column], float(mean)) for who, mean in zip(people, means, strict=True)
            ),
        )
    ]


# --- Imaging against clinic ------------------------------------------------------------------------------------------


def scores_of(cohort: Cohort, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Columns that are clinical scores, by their names or because they are asked for."""
    names = dict.fromkeys(name for visit in cohort.visits for name in visit.covariates)
    return tuple(name for name in names if name in asked or score_named(name.lower()) is not None)


def associations(cohort: Cohort, asked: Sequence[str] = (), by: Sequence[str] = ()) -> tuple[Association, ...]:
    """Changes of numbers against changes of scores, and both at the first visit where there is but one.

    In each group apart, see ``effects``: patients and controls together would correlate by being two groups.
    """
    rows = []
    for within, own in _own_groups(cohort, tuple(by) or (GROUP,)).items():
        for number in measured(cohort):
            for score in scores_of(cohort, asked):
                rows += _associated(number, own, score, within)
    adjusted = [math.nan] * len(rows)
    for family in dict.fromkeys((a.kind, a.outcome, a.model, a.pvc) for a in rows):
        members = [n for n, a in enumerate(rows) if (a.kind, a.outcome, a.model, a.pvc) == family]
        for index, chance in zip(members, holm([rows[n].correlation.chance for n in members]), strict=True):
            adjusted[index] = chance
    return tuple(replace(row, adjusted=chance) for row, chance in zip(rows, adjusted, strict=True))


def _associated(number: Measured, cohort: Cohort, score: str, within: str) -> list[Association]:
    pairs = cohort.session_pairs()
    rows = []
    for first, second in pairs:
        people, ratio = changes(cohort, number, first, second)
        y = _score(cohort, people, score, second) - _score(cohort, people, score, first)
        rows += _association(number, score, ("change", f"{first} → {second}", within), people, ratio, y)
    if not pairs:
        visits = cohort.first_visits()
        people, sessions = [v.participant for v in visits], [v.session for v in visits]
        y = np.array([_number(v, score) for v in visits])
        rows += _association(number, score, ("visit", "first visit", within), people, number.logs(people, sessions), y)
    return rows


def _score(cohort: Cohort, people: Sequence[str], score: str, session: str) -> Array:
    return np.array([_number(cohort.visit(who, session), score) for who in people], dtype=float)


def _number(visit: Visit | None, score: str) -> float:
    cell = visit.covariates.get(score, "") if visit is not None else ""
    return number_of(score, cell) if cell else math.nan


def _association(
    number: Measured, score: str, about: tuple[str, str, str], people: Sequence[str], logs: Array, y: Array
) -> list[Association]:
    rows = np.flatnonzero(np.isfinite(logs).any(axis=1) & np.isfinite(y))
    if about[0] == "visit" and len(rows):  # people without a common region have no common scale
        parts = connected(np.isfinite(logs[rows]))
        rows = rows[parts == np.bincount(parts).argmax()]
    who = tuple(people[int(row)] for row in rows)
    if len(rows) < 2 or not number.asks(who):
        return []
    x = person_means(logs[rows])
    related = correlation(x, y[rows])
    kind = (number.outcome, number.model, number.pvc, number.structure)
    return [Association(*about, *kind, score, who, x, y[rows], related, math.nan)]
