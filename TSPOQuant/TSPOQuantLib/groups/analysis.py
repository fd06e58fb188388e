"""Everything that a cohort tells, in one."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..messages import InputRefused, Listed, Notice
from .association import Association
from .cohort import Cohort, Pair
from .comparison import Effect
from .estimates import FEWEST
from .methods import Methods, methods
from .model_choice import Agreement, LostFits, Preferred, agreements, lost_fits, preferred
from .questions import GENOTYPE, GROUP, associations, effects
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
    known = dict.fromkeys(name for visit in cohort.visits for name in visit.told)
    unknown = next((name for name in (*by, *scores) if name not in known), None)
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
    related = associations(others, scores)
    told = methods(cohort, repeats, compared, related, by[0] if by else GROUP)
    return Analysis(
        cohort,
        repeats,
        compared,
        related,
        preferred(cohort),
        lost_fits(cohort),
        agreements(cohort),
        told,
        (*_notices(cohort, compared), *(repeats.notices if repeats else ())),
    )


def _without_retests(cohort: Cohort, pairs: Sequence[Pair]) -> Cohort:
    """The cohort without second visits of test and retest."""
    again = {(who, second) for who, _, second in pairs}
    return Cohort(
        cohort.name,
        tuple(one for one in cohort.visits if (one.participant, one.session) not in again),
        tuple(one for one in cohort.values if (one.participant, one.session) not in again),
        cohort.lost,
        cohort.left_out,
    )


def _notices(cohort: Cohort, compared: Sequence[Effect]) -> list[Notice]:
    notices = []
    if cohort.left_out:
        codes = Listed(dict.fromkeys(reason for one in cohort.left_out for reason in one.reasons))
        notices.append(
            Notice(
                "group-left-out",
                "{count} of {all} values are left out because the data do not tell them ({codes}); --keep-flagged "
                "keeps them",
                count=len(cohort.left_out),
                all=len(cohort.left_out) + len(cohort.values),
                codes=codes,
            )
        )
    untested = sum(min(one.people) < FEWEST for one in compared)
    if untested:
        notices.append(
            Notice(
                "group-untested",
                "{count} of {all} comparisons have fewer than {fewest} people in a group and are not tested; their "
                "intervals say how little so few can tell",
                count=untested,
                all=len(compared),
                fewest=FEWEST,
            )
        )
    return notices
