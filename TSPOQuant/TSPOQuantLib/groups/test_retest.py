"""Test and retest of a cohort: every outcome, model and correction, each region and each structure as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..kinetics.models import MODELS
from ..messages import InputRefused, Listed, Notice, Notices, Text
from ..outcome.repeatability import LEAST_WCV, MOST_PERCENT
from .cohort import MACRO, Cohort, Pair, Value, matrix
from .estimates import FEWEST, Array
from .repeatability import Repeatability, differing_people, repeatability, without

ALL = "all"
"""In the place of a region: all of the structure."""
FEWEST_FOR_COEFFICIENT = 3
"""People below whom no coefficient is written: a choice."""
INCLUDED, LEFT_OUT = "included", "left out"


@dataclass(frozen=True)
class Repeat:
    """How one kind of number repeats in a region, or in all of a structure.

    values: (people, regions, 2). who: the people. outliers: people whose change stands out. way: "included", or, where
    there are outliers, once more "left out".
    """

    outcome: str
    unit: str
    model: str
    pvc: str
    structure: str
    region: str
    who: tuple[str, ...]
    values: Array
    outliers: tuple[str, ...]
    way: str
    repeatability: Repeatability


@dataclass(frozen=True)
class TestRetest:
    pairs: tuple[Pair, ...]
    rows: tuple[Repeat, ...]
    notices: tuple[Notice, ...]

    @property
    def coefficients(self) -> tuple[Repeat, ...]:
        """Rows that a coefficient for single patients is written from: V_T of a whole structure, nobody left out."""
        return tuple(
            row
            for row in self.rows
            if row.region == ALL
            and row.way == INCLUDED
            and row.outcome == "VT" == MODELS[row.model].outcome
            and row.repeatability.people >= FEWEST_FOR_COEFFICIENT
            and LEAST_WCV <= row.repeatability.wcv_log.value <= MOST_PERCENT / 100
        )


def test_retest(cohort: Cohort, pairs: Sequence[Pair]) -> TestRetest:
    """Everything that repeats; notices say what could not be told.

    Raises InputRefused ("group-pairs") for fewer than two people.
    """
    if len(pairs) < 2:
        raise InputRefused(
            "group-pairs",
            "{who} alone has both visits, and one person tells no spread; name sessions that more people have",
            who=pairs[0][0] if pairs else Text("nobody"),
        )
    rows = [row for kind in cohort.kinds() for row in _of_kind(cohort.of_kind(*kind), pairs)]
    notices = Notices()
    if len(pairs) < FEWEST:
        notices.add(
            "group-few",
            "{people} people were measured twice: fewer than {fewest}, so that nothing is tested and no outlier "
            "sought; the intervals say how little so few can tell",
            people=len(pairs),
            fewest=FEWEST,
        )
    whole = [row for row in rows if row.region == ALL and row.way == INCLUDED and row.outcome in MACRO]
    notices += [
        Notice(
            "group-outlier",
            "{who} stands out between the two visits in {what}: with such a person, intervals hold less often, those "
            "of ICC most; look at both visits, and compare the rows with and without",
            who=Listed(f"sub-{who}" for who in out),
            what=Listed(_shift(row) for row in whole if row.outliers == out),
        )
        for out in sorted({row.outliers for row in whole if row.outliers})
    ]
    growing = [row for row in whole if row.repeatability.agreement.grows]
    if growing:
        notices.add(
            "group-proportional",
            "the difference between the visits grows with the value in {what}: use wCV and RC in %; wSD, RC and "
            "limits of agreement in the unit suppose that it does not",
            what=Listed(_shift(row) for row in growing),
        )
    shifted = sorted({_shift(row) for row in rows if row.region == ALL and row.way == INCLUDED and _moved(row)})
    notices += [
        Notice(
            "group-shift",
            "the second visit differs from the first on average in {what}: the coefficient counts that shift as error",
            what=what,
        )
        for what in shifted
    ]
    return TestRetest(tuple(pairs), tuple(rows), tuple(notices))


def _shift(row: Repeat) -> Text:
    return Text("{outcome} by {model}, {structure}", outcome=row.outcome, model=row.model, structure=row.structure)


def _moved(row: Repeat) -> bool:
    return row.repeatability.difference.low > 0 or row.repeatability.difference.high < 0


def _of_kind(values: Sequence[Value], pairs: Sequence[Pair]) -> list[Repeat]:
    rows: list[Repeat] = []
    for structure in dict.fromkeys(value.structure for value in values):
        own = [value for value in values if value.structure == structure]
        places = tuple(dict.fromkeys(value.place for value in own))
        first = matrix(own, [(who, before) for who, before, _ in pairs], places)
        second = matrix(own, [(who, after) for who, _, after in pairs], places)
        both = np.stack([first, second], axis=-1)
        for region, columns in ((ALL, list(range(len(places)))), *((p, [n]) for n, p in enumerate(places))):
            rows += _both_ways(own[0], region, both[:, columns], [who for who, _, _ in pairs])
    return rows


def _both_ways(kind: Value, region: str, values: Array, who: Sequence[str]) -> list[Repeat]:
    """With everybody, and without those who stand out; nothing for fewer than two people."""
    there = np.flatnonzero(np.isfinite(values).all(axis=-1).any(axis=-1))
    values, who = values[there], [who[int(row)] for row in there]
    if len(who) < 2:
        return []
    out = differing_people(values[..., 0], values[..., 1])
    named = tuple(who[index] for index in out)
    rows = []
    for way, dropped in ((INCLUDED, ()), (LEFT_OUT, out)):
        if way == INCLUDED or out:
            kept = without(dropped, values)
            people = tuple(name for index, name in enumerate(who) if index not in dropped)
            repeats = repeatability(kept[..., 0], kept[..., 1])
            rows.append(
                Repeat(
                    kind.outcome,
                    kind.unit,
                    kind.model,
                    kind.pvc,
                    kind.structure,
                    region,
                    people,
                    kept,
                    named,
                    way,
                    repeats,
                )
            )
    return rows
