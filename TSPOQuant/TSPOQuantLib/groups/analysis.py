"""Everything that a cohort tells, in one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..messages import InputRefused, Listed, Notice, Notices
from .association import Association
from .cohort import Cohort, Pair, half_pairs
from .comparison import Effect
from .covariates import AFFECTED, CONDITION, GENOTYPE, GROUP, alike
from .doubts import doubts
from .estimates import FEWEST
from .methods import DESCRIBED, Methods, methods
from .model_choice import Agreement, LostFits, Preferred, agreements, lost_fits, preferred
from .questions import associations, effects, scores_of
from .test_retest import TestRetest, test_retest


@dataclass(frozen=True)
class Analysis:
    cohort: Cohort
    repeats: TestRetest | None
    effects: tuple[Effect, ...]
    associations: tuple[Association, ...]
    preferred: tuple[Preferred, ...]
    lost: tuple[LostFits, ...]
    agreements: tuple[Agreement, ...]
    methods: Methods
    notices: tuple[Notice, ...]
    columns: frozenset[str]
    """Of the tables that something was made of."""


def analyze(
    cohort: Cohort,
    pairs: Sequence[Pair] = (),
    by: Sequence[str] = (),
    covariates: Sequence[str] = (GENOTYPE,),
    scores: Sequence[str] = (),
) -> Analysis:
    """Repeatability of the pairs, and every comparison that the cohort's own columns allow.

    People who are pairs of test and retest are measured twice with nothing between: their changes are no effect of
    anything, and are not told as such. Raises InputRefused ("group-column") for columns that nobody has.
    """
    known = dict.fromkeys(name for visit in cohort.visits for name in visit.covariates)
    by, covariates, scores = (tuple(name.lower() for name in names) for names in (by, covariates, scores))
    asked = (*by, *scores, *(name for name in covariates if name != GENOTYPE))
    unknown = next((name for name in asked if name not in known), None)
    if unknown is not None:
        raise InputRefused(
            "group-column",
            "no visit has a column {unknown}; name one of {known}, or name the dataset with --dataset",
            unknown=unknown,
            known=Listed(known) if known else "-",
        )
    repeats = test_retest(cohort, pairs) if pairs else None
    others = _without_retests(cohort, pairs)
    compared = effects(others, by, covariates)
    related = associations(others, scores, by)
    described = methods(cohort, repeats, compared, related, by[0] if by else GROUP)
    return Analysis(
        cohort,
        repeats,
        compared,
        related,
        preferred(cohort),
        lost_fits(cohort),
        agreements(cohort),
        described,
        (
            *cohort.notices,
            *doubts(cohort, pairs, covariates),
            *_of_people(cohort, pairs, by or (GROUP,)),
            *_without_groups(cohort, by),
            *_notices(cohort, compared),
            *(repeats.notices if repeats else ()),
        ),
        frozenset((*DESCRIBED, GROUP, CONDITION, AFFECTED, *by, *covariates, *scores_of(others, scores))),
    )


def _of_people(cohort: Cohort, pairs: Sequence[Pair], by: Sequence[str]) -> list[Notice]:
    """Who does not count where one would expect it."""
    notices = Notices()
    missing = cohort.without_first()
    if missing:
        notices.add(
            "group-first-missing",
            "the first visit of {people} is missing: their later ones are in no comparison of groups or visits",
            people=Listed(f"sub-{who}" for who in missing),
        )
    half = (
        half_pairs(cohort, pairs) if not pairs or any(CONDITION in visit.covariates for visit in cohort.visits) else ()
    )
    if half:
        notices.add(
            "group-half-pair",
            "the column condition marks {people}, who have no visit marked test with one marked retest, nor two "
            "visits alone that are test-retest",
            people=Listed(f"sub-{who}" for who in half),
        )
    for column in by:
        group_of = {visit.participant: visit.covariates.get(column, "") for visit in cohort.first_visits()}
        without = [who for who, group in group_of.items() if not group]
        if without and len(without) < len(group_of):
            notices.add(
                "group-none",
                "{people} have no {column}: they are in no comparison of groups, nor of visits within one",
                people=Listed(f"sub-{who}" for who in without),
                column=column,
            )
        pair = alike(sorted({group for group in group_of.values() if group}))
        if pair is not None:
            notices.add(
                "group-alike",
                "'{one}' and '{other}' of the column {column} are taken for two groups; give them one spelling if "
                "they are one",
                one=pair[0],
                other=pair[1],
                column=column,
            )
    return notices


def _without_groups(cohort: Cohort, by: Sequence[str]) -> list[Notice]:
    """Columns that were to make groups and make none."""
    return [
        Notice(
            "group-one",
            "the column {column} makes no groups: everybody who has it is '{cell}'",
            column=column,
            cell=next(iter(cells), "n/a"),
        )
        for column in by
        if len(cells := {v.covariates[column] for v in cohort.first_visits() if v.covariates.get(column)}) < 2
    ]


def _without_retests(cohort: Cohort, pairs: Sequence[Pair]) -> Cohort:
    """The cohort without second visits of test and retest."""
    again = {(who, second) for who, _, second in pairs}
    return replace(
        cohort,
        visits=tuple(visit for visit in cohort.visits if (visit.participant, visit.session) not in again),
        values=tuple(value for value in cohort.values if (value.participant, value.session) not in again),
    )


def _notices(cohort: Cohort, compared: Sequence[Effect]) -> list[Notice]:
    notices = Notices()
    if cohort.left_out:
        codes = Listed(dict.fromkeys(reason for value in cohort.left_out for reason in value.reasons))
        notices.add(
            "group-left-out",
            "{count} of {all} values are left out because the data do not tell them ({codes}); --keep-flagged "
            "keeps them",
            count=len(cohort.left_out),
            all=len(cohort.left_out) + len(cohort.values),
            codes=codes,
        )
    untested = sum(min(effect.people) < FEWEST for effect in compared)
    if untested:
        notices.add(
            "group-untested",
            "{count} of {all} comparisons have fewer than {fewest} people in a group and are not tested; their "
            "intervals say how little so few can tell",
            count=untested,
            all=len(compared),
            fewest=FEWEST,
        )
    return notices
