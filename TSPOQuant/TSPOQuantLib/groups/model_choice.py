"""Which model a cohort's curves prefer, what each lost, and how others agree with one, as method papers report it."""

from collections import Counter
from collections.abc import Sequence
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
    fits = {}
    for one in (*cohort.values, *cohort.left_out):
        if MODELS[one.model].compartmental if one.model in MODELS else False:
            fits[(one.participant, one.session, one.place, one.structure, one.pvc, one.model)] = one.criteria
    rows = []
    for structure, pvc in dict.fromkeys((key[3], key[4]) for key in fits):
        models = tuple(dict.fromkeys(key[5] for key in fits if key[3:5] == (structure, pvc)))
        curves = dict.fromkeys(key[:3] for key in fits if key[3:5] == (structure, pvc))
        for criterion in CRITERIA if len(models) > 1 else ():
            table = [
                [fits.get((*curve, structure, pvc, model), {}).get(criterion, np.nan) for model in models]
                for curve in curves
            ]
            whole = [row for row in table if np.isfinite(row).all()]
            wins = Counter(models[int(np.argmin(row))] for row in whole)
            by_model = tuple((model, wins[model]) for model in models)
            rows.append(Preferred(structure, pvc, criterion, len(whole), by_model))
    return tuple(rows)


def lost_fits(cohort: Cohort) -> tuple[LostFits, ...]:
    """By structure, model and correction."""
    all_fits = [one for one in (*cohort.values, *cohort.left_out) if _main(one)]
    rows = []
    for key in dict.fromkeys((one.structure, one.model, one.pvc) for one in all_fits):
        own = [one for one in all_fits if (one.structure, one.model, one.pvc) == key]
        lost = [one for one in cohort.left_out if _main(one) and (one.structure, one.model, one.pvc) == key]
        reasons = Counter(reason for one in lost for reason in one.reasons)
        rows.append(LostFits(*key, len(own), len(lost), tuple(sorted(reasons.items()))))
    return tuple(rows)


def _main(one: Value) -> bool:
    return one.model in MODELS and one.outcome == MODELS[one.model].outcome


def agreements(cohort: Cohort) -> tuple[Agreement, ...]:
    """Every other V_T, and the ratios, against V_T of 1TCM; nothing where 1TCM was not fitted."""
    rows = []
    measures = [(one.outcome, one.model) for one in cohort.values]
    wanted = [m for m in dict.fromkeys(measures) if (m[0] == "VT" and m[1] != REFERENCE) or m[0] in OTHERS]
    for structure, pvc in dict.fromkeys((one.structure, one.pvc) for one in cohort.values):
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
    own = (one for one in cohort.of_kind(outcome, model, pvc) if one.structure == structure)
    return {(one.participant, one.session, one.place): one.value for one in own}


def _agreement(
    structure: str, measure: str, pvc: str, who: Sequence[str], x: Array, y: Array, same_unit: bool
) -> Agreement:
    people = list(dict.fromkeys(who))
    member = np.array([people.index(one) for one in who])
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
            ends = [tuple(np.nanquantile(one, (TAIL, 1 - TAIL))) for one in _line(sums @ drawn)]
    r, slope = (Estimate(float(one[0]), float(low), float(high)) for one, (low, high) in zip(value, ends, strict=True))
    return r, slope


def _line(sums: Array) -> tuple[Array, Array]:
    """Correlation and slope from sums of 1, x, y, xx, xy, yy in the rows."""
    n, sx, sy, sxx, sxy, syy = sums
    cov, vx, vy = sxy - sx * sy / n, sxx - sx * sx / n, syy - sy * sy / n
    return cov / np.sqrt(vx * vy), cov / vx
