"""What makes visits no cohort, or an entry of a table no entry: told, so that nobody takes it for a finding.

``compare`` refuses two visits that were not measured alike. A cohort holds many, of which some may differ for a
reason that the design of the study knows; it is computed all the same, and what differs is told.
"""

import itertools
import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ..kinetics.models import MODELS
from ..messages import InputRefused, Listed, Notice, Notices, Text
from ..outcome.comparability import findings_of
from ..outcome.compared_items import ITEMS, Item
from ..outcome.record import VisitRecord
from ..outcome.sessions import dated, moment, order_guesses
from .cohort import ANOTHER_UNIT, FORAMEN, NO_PVC, Cohort, Pair, Visit
from .covariates import AFFECTED, COMMA, GENOTYPE, WORDS, is_number
from .estimates import Array

FEWEST_NUMBERS = 6
"""So many numbers of two visits have to be equal to the last digit before they are taken for one visit's: a choice."""
FAR, FAR_FACTOR, FAR_LOG, FAR_LINEAR = 30.0, 3.0, 12.0, 5.0
"""A number further from the median than FAR times the median distance is told of: choices. Of numbers above 0, which
may be skewed as durations are, it has to be by FAR_FACTOR, by FAR_LOG times the median distance of logarithms, and by
FAR_LINEAR times that of the numbers: a score of 1 among scores of 20 is far by its logarithm alone."""
NOBODY_AFFECTED = ("none", "no", "healthy", "control")
"""In the column "affected" of people without an affected foramen."""
OF_PEOPLE = (GENOTYPE,)
"""Items in which people may differ."""


def doubts(cohort: Cohort, pairs: Sequence[Pair], numbers: Sequence[str]) -> list[Notice]:
    """All of them. pairs: of test and retest. numbers: columns that enter the analysis as covariates."""
    return [
        *_within_people(cohort),
        *_between_people(cohort),
        *_order(cohort, pairs),
        *_changes_alone(cohort, pairs),
        *_one_visit_twice(cohort),
        *_of_some_alone(cohort),
        *_affected(cohort),
        *_far_numbers(cohort, numbers),
    ]


def _records(cohort: Cohort, who: str) -> list[VisitRecord]:
    return [v.record for v in cohort.visits if v.participant == who and v.record is not None]


def _within_people(cohort: Cohort) -> list[Notice]:
    """Visits of one person that ``compare`` would refuse, by what they differ in."""
    found: dict[str, tuple[Text, list[str]]] = {}
    for who in cohort.participants:
        records = _records(cohort, who)
        if len(records) < 2:
            continue
        try:
            problems = [(f.code, f.message) for f in findings_of(records) if f.severity == "refuse"]
        except InputRefused as refusal:
            problems = [(refusal.code, refusal.message)]
        for code, message in problems:
            found.setdefault(code, (message, []))[1].append(f"sub-{who}")
    return [
        Notice(
            "group-visits-differ",
            "{people}: {message}; compare would refuse these visits ({finding}): correct what is wrong, or leave a "
            "visit out",
            people=Listed(people),
            message=message,
            finding=code,
        )
        for code, (message, people) in found.items()
    ]


def _between_people(cohort: Cohort) -> list[Notice]:
    """In what people's first visits differ so that values of one are no values of the other."""
    firsts = [records[0] for who in cohort.participants if (records := _records(cohort, who))]
    notices = Notices()
    if len({record.acquisition.simulated for record in firsts}) > 1:
        notices.add(
            "group-simulated", "some visits are simulated and others measured; leave out those that do not belong here"
        )
    for item in (item for item in ITEMS if item.item not in OF_PEOPLE):
        alike: list[list[VisitRecord]] = []
        for record in firsts:
            own = next((others for others in alike if not _refused(item, others[0], record)), None)
            if own is None:
                alike.append([record])
            else:
                own.append(record)
        finding = item.finding([others[0] for others in alike]) if len(alike) > 1 else None
        if finding is not None:
            counts = zip(finding.values, alike, strict=True)
            notices.add(
                "group-people-differ",
                "people were not measured alike: {message} ({values}); a difference of groups may be that of the "
                "measurement: compare those who were measured alike, or tell them apart by a column and --covariates",
                message=finding.message,
                values=Listed(
                    (Text("{value}: {count} people", value=value, count=len(others)) for value, others in counts),
                    " | ",
                ),
            )
    return notices


def _refused(item: Item, one: VisitRecord, other: VisitRecord) -> bool:
    finding = item.finding([one, other])
    return finding is not None and finding.severity == "refuse"


def _order(cohort: Cohort, pairs: Sequence[Pair]) -> list[Notice]:
    """People whose visits follow their labels and not their dates, or where neither tell the first one."""
    starts = dated([_began(visit) for visit in cohort.visits])
    began = {(visit.participant, visit.session): start for visit, start in zip(cohort.visits, starts, strict=True)}
    asked = {who: [first, second] for who, first, second in pairs}
    people = {
        who: [(session, began[who, session]) for session in asked.get(who, cohort.sessions(who))]
        for who in cohort.participants
    }
    before_first: list[str] = []
    swapped: list[str] = []
    for who, visits in people.items():
        for (first, start), (second, later) in itertools.combinations(visits, 2):
            if start is not None and later is not None and later < start:
                (before_first if first == visits[0][0] else swapped).append(f"sub-{who} ({first} → {second})")
    notices = Notices()
    if before_first:
        notices.add(
            "group-order",
            "a later visit was scanned before the first: {people}, so that its change has the wrong sign; visits "
            "follow their labels, baseline, pre and the like first: rename the folders, or correct the dates",
            people=Listed(before_first),
        )
    if swapped:
        notices.add(
            "group-order",
            "later visits were not scanned in the order of their labels: {people}; make sure that each bears its own, "
            "or correct the dates",
            people=Listed(swapped),
        )
    guessed = {who: visits for who, visits in people.items() if who not in asked}
    return [*notices, *order_guesses(guessed)]


def _began(visit: Visit) -> datetime | None:
    """When a visit's scan began: by its record, else by BIDS's column acq_time of the dataset's tables."""
    start = visit.record.acquisition.started if visit.record else None
    return start or moment(visit.covariates.get("acq_time", ""))


def _changes_alone(cohort: Cohort, pairs: Sequence[Pair]) -> list[Notice]:
    """Tell of changes between sessions that nobody else has, as where sessions are called by their dates."""
    others = {*cohort.without_first(), *(who for who, _, _ in pairs)}
    held: dict[tuple[str, str], list[str]] = {}
    for who in (who for who in cohort.participants if who not in others):
        first, *later = cohort.sessions(who)
        for session in later:
            held.setdefault((first, session), []).append(who)
    alone = [f"sub-{who[0]} ({first} → {second})" for (first, second), who in held.items() if len(who) == 1]
    if not alone or len({who for people in held.values() for who in people}) < 2:
        return []
    return [
        Notice(
            "group-change-alone",
            "nobody else has the sessions of {people}: these changes are in no comparison; call visits of one time "
            "alike in all people",
            people=Listed(alone),
        )
    ]


def _one_visit_twice(cohort: Cohort) -> list[Notice]:
    """Visits whose numbers are all equal, which those of two scans never are."""
    numbers: dict[tuple[str, str], set[tuple[str, str, str, str, float]]] = {}
    for value in (*cohort.values, *cohort.left_out):
        if math.isfinite(value.value):
            key = (value.outcome, value.model, value.pvc, value.place)
            numbers.setdefault((value.participant, value.session), set()).add((*key, value.value))
    same: dict[frozenset[tuple[str, str, str, str, float]], list[str]] = {}
    for (who, session), own in numbers.items():
        if len(own) >= FEWEST_NUMBERS:
            same.setdefault(frozenset(own), []).append(f"sub-{who} ses-{session}")
    return [
        Notice(
            "group-same",
            "{visits} have the same numbers in all regions, which two scans never have; give each its own",
            visits=Listed(visits),
        )
        for visits in same.values()
        if len(visits) > 1
    ]


def _of_some_alone(cohort: Cohort) -> list[Notice]:
    """Models and corrections that some people have no results of: they are in no comparison of them."""
    people: dict[tuple[str, str, str], set[str]] = {}
    for value in (*cohort.values, *cohort.left_out):
        if value.model in MODELS and MODELS[value.model].outcome == value.outcome:
            people.setdefault((value.outcome, value.model, value.pvc), set()).add(value.participant)
    return [
        Notice(
            "group-partly",
            "{people} have no {outcome} by {model}{corrected}: they are in no comparison of it",
            people=Listed(f"sub-{who}" for who in cohort.participants if who not in own),
            outcome=outcome,
            model=model,
            corrected="" if pvc == NO_PVC else f", {pvc}",
        )
        for (outcome, model, pvc), own in people.items()
        if len(own) < len(cohort.participants)
    ]


def _affected(cohort: Cohort) -> list[Notice]:
    """Entries of the affected foramen that name none, or one that was not measured."""
    notices = Notices()
    measured: dict[str, set[str]] = {}
    for value in (*cohort.values, *cohort.left_out):
        if value.structure == FORAMEN:
            measured.setdefault(value.participant, set()).add(value.place)
    unread = Listed(
        dict.fromkeys(
            f"sub-{visit.participant}: {visit.covariates[AFFECTED]}"
            for visit in cohort.visits
            if visit.covariates.get(AFFECTED, "").lower() not in ("", *NOBODY_AFFECTED) and not visit.affected
        )
    )
    if unread:
        notices.add(
            "group-affected",
            'the column affected names no foramen for some ({people}); write its level and side, as "C6/C7 left", or '
            "n/a where there is none",
            people=unread,
        )
    places = cohort.affected.items()
    lacking = Listed(f"sub-{who}: {place}" for who, place in places if place not in measured.get(who, {place}))
    if lacking:
        notices.add(
            "group-affected-missing",
            "the affected foramen is not among the regions of some people ({people}), who are in no comparison of it",
            people=lacking,
        )
    return notices


def _far_numbers(cohort: Cohort, columns: Sequence[str]) -> list[Notice]:
    """Numbers of a column that are far from all others: codes of what is missing, and slips of a unit."""
    notices = Notices()
    for column in dict.fromkeys(columns):
        cells = {v.participant: v.covariates[column] for v in cohort.first_visits() if v.covariates.get(column)}
        if column in WORDS or not all(is_number(cell) and not COMMA.fullmatch(cell) for cell in cells.values()):
            continue
        numbers = np.array([float(cell) for cell in cells.values()])
        if len(numbers) < FEWEST_NUMBERS or not np.isfinite(numbers).all():
            continue
        far = zip(cells.items(), _far(numbers), strict=True)
        who = Listed(f"sub-{name}: {cell}" for (name, cell), odd in far if odd)
        if who:
            notices.add(
                "group-number-odd",
                "the column {column} holds numbers far from the others, of which the median is {middle:g} ({people}): "
                "are they in another unit, or stand for what is missing? correct them, or write n/a",
                column=column,
                middle=float(np.median(numbers)),
                people=who,
            )
    return notices


def _far(numbers: Array) -> NDArray[np.bool_]:
    """(people,): which numbers are far from the others."""
    apart, spread = _apart(numbers)
    far = (spread > 0) & (apart > FAR * spread)
    above = numbers > 0
    if above.mean() <= 0.5:
        return np.asarray(far)
    logs, log_spread = _apart(np.log(numbers[above]))
    odd = logs > (max(math.log(FAR_FACTOR), FAR_LOG * log_spread) if log_spread > 0 else math.log(ANOTHER_UNIT))
    far[above] = odd & (apart[above] > FAR_LINEAR * spread)
    return np.asarray(far | ((numbers < 0) & ((numbers < 0).sum() == 1)))


def _apart(numbers: Array) -> tuple[Array, float]:
    """How far numbers are from their median, and the median of that."""
    apart = np.abs(numbers - np.median(numbers))
    return apart, float(np.median(apart))
