"""Which model a cohort's curves prefer, what each lost, and how others agree with one, as method papers report it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..kinetics.models import MODELS
from .cohort import CRITERIA, Cohort, Value
from .estimates import FEWEST, TAIL, UNKNOWN, Array, Estimate, estimated, mean_interval
from .repeatability import limits_of_agreement

RESAMPLES = 2000
SEED = 1
REFERENCE = "1TCM"
OTHERS = ("TBR-PP", "TBR-WB", "SUV", "SUVR")
"""Ratios that need no fit, compared with V_T of the reference model."""


@dataclass(frozen=True)
class Preferred:
    """How often each compartment model had the lowest value of a criterion, over ``curves`` that all fitted."""

    structure: str
    pvc: str
    criterion: str
    curves: int
    wins: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class LostFits:
    """V_T (or K_i) of a model that the data did not tell: how many of all, and how often for which reason."""

    structure: str
    model: str
    pvc: str
    curves: int
    lost: int
    reasons: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Agreement:
    """Another measure against V_T of the reference model, over every curve that has both.

    r, slope: over curves, their intervals by resampling people (nan for fewer than FEWEST). percent, lower, upper:
    difference in % of the mean of both, of each person's mean, with limits of agreement; nan for ratios, which have
    another unit. x, y: the curves.
    """

    structure: str
    measure: str
    pvc: str
    people: int
    curves: int
    r: Estimate
    slope: Estimate
    percent: Estimate
    lower: Estimate
    upper: Estimate
    x: Array
    y: Array


def preferred(cohort: Cohort) -> tuple[Preferred, ...]:
    """By structure, correction and criterion; criteria of a fit hold for it whether or not its V_T is told."""
    fits: dict[tuple[str, str], dict[str, dict[tuple[str, str, str], Mapping[str, float]]]] = {}
    for value in (*cohort.values, *cohort.left_out):
        if value.model in MODELS and MODELS[value.model].compartmental:
            of_model = fits.setdefault((value.structure, value.pvc), {}).setdefault(value.model, {})
            of_model[(value.participant, value.session, value.place)] = value.criteria
    rows = []
    for (structure, pvc), by_model in fits.items():
        curves = dict.fromkeys(curve for of_model in by_model.values() for curve in of_model)
        models = tuple(by_model)
        for criterion in CRITERIA if len(models) > 1 else ():
            table = [[by_model[model].get(curve, {}).get(criterion, np.nan) for model in models] for curve in curves]
            whole = [row for row in table if np.isfinite(row).all()]
            wins = Counter(models[int(np.argmin(row))] for row in whole)
            by_wins = tuple((model, wins[model]) for model in models)
            rows.append(Preferred(structure, pvc, criterion, len(whole), by_wins))
    return tuple(rows)


def lost_fits(cohort: Cohort) -> tuple[LostFits, ...]:
    """By structure, model and correction."""
    all_fits = [value for value in (*cohort.values, *cohort.left_out) if _main(value)]
    rows = []
    for key in dict.fromkeys((value.structure, value.model, value.pvc) for value in all_fits):
        own = [value for value in all_fits if (value.structure, value.model, value.pvc) == key]
        lost = [
            value for value in cohort.left_out if _main(value) and (value.structure, value.model, value.pvc) == key
        ]
        reasons = Counter(reason for value in lost for reason in value.reasons)
        rows.append(LostFits(*key, len(own), len(lost), tuple(sorted(reasons.items()))))
    return tuple(rows)


def _main(value: Value) -> bool:
    return value.model in MODELS and value.outcome == MODELS[value.model].outcome


def agreements(cohort: Cohort) -> tuple[Agreement, ...]:
    """Every other V_T, and the ratios, against V_T of 1TCM; nothing where 1TCM was not fitted."""
    rows = []
    measures = [(value.outcome, value.model) for value in cohort.values]
    wanted = [m for m in dict.fromkeys(measures) if (m[0] == "VT" and m[1] != REFERENCE) or m[0] in OTHERS]
    for structure, pvc in dict.fromkeys((value.structure, value.pvc) for value in cohort.values):
        reference = _curves(cohort, "VT", REFERENCE, structure, pvc)
        for outcome, model in wanted:
            other = _curves(cohort, outcome, model, structure, pvc)
            both = [key for key in reference if key in other]
            if len(both) >= 2:
                x, y = (np.array([table[key] for key in both]) for table in (reference, other))
                name = model if outcome == "VT" else outcome
                rows.append(_agreement(structure, name, pvc, [key[0] for key in both], x, y, outcome == "VT"))
    return tuple(rows)


def _curves(cohort: Cohort, outcome: str, model: str, structure: str, pvc: str) -> dict[tuple[str, str, str], float]:
    own = (value for value in cohort.of_kind(outcome, model, pvc) if value.structure == structure)
    return {(value.participant, value.session, value.place): value.value for value in own}


def _agreement(
    structure: str, measure: str, pvc: str, who: Sequence[str], x: Array, y: Array, same_unit: bool
) -> Agreement:
    people = list(dict.fromkeys(who))
    member = np.array([people.index(participant) for participant in who])
    r, slope = _resampled(x, y, member, len(people))
    nothing = UNKNOWN, UNKNOWN, UNKNOWN
    percent = nothing
    if same_unit:
        each = np.bincount(member, 200 * (y - x) / (x + y)) / np.bincount(member)
        lower, upper = limits_of_agreement(each)
        percent = estimated(mean_interval(each)), estimated(lower), estimated(upper)
    return Agreement(structure, measure, pvc, len(people), len(x), r, slope, *percent, x, y)


def _resampled(x: Array, y: Array, member: Array, people: int) -> tuple[Estimate, Estimate]:
    """Correlation and least-squares slope over curves, with intervals by drawing people with replacement."""
    if not (np.ptp(x) > 0 and np.ptp(y) > 0):
        return UNKNOWN, UNKNOWN
    parts = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    sums = np.stack([np.bincount(member, part, people) for part in parts])
    value = _line(sums.sum(axis=1)[:, None])
    ends = [(np.nan, np.nan)] * 2
    if people >= FEWEST:
        drawn = np.random.default_rng(SEED).multinomial(people, np.full(people, 1 / people), RESAMPLES).T.astype(float)
        with np.errstate(invalid="ignore", divide="ignore"):
            ends = [tuple(np.nanquantile(resampled, (TAIL, 1 - TAIL))) for resampled in _line(sums @ drawn)]
    r, slope = (
        Estimate(float(estimate[0]), float(low), float(high))
        for estimate, (low, high) in zip(value, ends, strict=True)
    )
    return r, slope


def _line(sums: Array) -> tuple[Array, Array]:
    """Correlation and slope from sums of 1, x, y, xx, xy, yy in the rows."""
    n, sx, sy, sxx, sxy, syy = sums
    cov, vx, vy = sxy - sx * sy / n, sxx - sx * sx / n, syy - sy * sy / n
    return cov / np.sqrt(vx * vy), cov / vx
