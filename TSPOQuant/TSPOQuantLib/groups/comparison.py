"""What differs: affected against unaffected, a visit against the first, patients against controls.

Levels and sides of one person are not independent, so a person is one number: the mean of ln V over the regions, each
first brought to the region's own mean. Its linear model on group and covariates is, where nothing is missing, the
mixed model with persons as random effects; each group has its own variance (Welch). Beside it stands GEE
with all regions (persons as clusters, standard errors corrected for few clusters: Mancl & DeRouen 2001,
10.1111/j.0006-341X.2001.00126.x). Where people are few, chances come from permutations.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import nctdtrinc, stdtrit

from .covariates import COMMA, WORDS, is_number, number_of
from .estimates import FEWEST, TAIL, UNKNOWN, Array, Estimate, estimated, holm, mean_interval, two_sided

PERMUTED_BELOW = 30
"""People below whom chances come from permutations: a choice."""
PERMUTATIONS = 9999
SEED = 1
"""Of permutations, so that the same data give the same chance."""
TINY = 1e-9
"""People that a group's leverage leaves, below which there are none."""
PEOPLE_PER_PARAMETER = 5
"""People that each parameter of a model needs, or the covariate is left out and told: a choice."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One difference. question: "affected", "change", "group" or "group-change".

    within: the group whose people these are, for "change"; "" for all. by: the column that makes groups; first,
    second: its groups (second against first), or the sessions or places that are compared. session: the visit,
    or both as "a → b". people: in the first and the second group, or in pairs.
    percent: of the second against the first, by the log scale. size: Hedges' g (of the difference's SD for pairs).
    chance: two-sided, nan for fewer than FEWEST in a group; how: "permutations" (of groups: or Welch's t where that is
    less sure) or "t"; adjusted: for how many
    structures and visits one model was asked the question (Holm). gee: percent by GEE. covariates: that the model has.
    left_out: covariates that it could not have. values: (participant, group, ln of the value or of the ratio).
    """

    question: Literal["affected", "change", "group", "group-change"]
    outcome: str
    model: str
    pvc: str
    structure: str
    session: str
    within: str = ""
    by: str = ""
    first: str
    second: str
    people: tuple[int, int]
    percent: Estimate
    size: Estimate
    chance: float
    how: str
    adjusted: float = math.nan
    gee: Estimate
    covariates: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    values: tuple[tuple[str, str, float], ...]


@dataclass(frozen=True)
class Difference:
    """Of logarithms; chance as for Effect."""

    value: Estimate
    size: Estimate
    chance: float
    how: str


def as_percent(log: Estimate) -> Estimate:
    """A difference of logarithms as a change in %."""
    return Estimate(*(100 * math.expm1(min(part, 700.0)) for part in (log.value, log.low, log.high)))


def with_adjusted(effects: Sequence[Effect]) -> tuple[Effect, ...]:
    """The same, each chance adjusted within its question, column, outcome, model and correction."""
    families: dict[tuple[str, ...], list[int]] = {}
    for index, effect in enumerate(effects):
        families.setdefault((effect.question, effect.by, effect.outcome, effect.model, effect.pvc), []).append(index)
    adjusted = [math.nan] * len(effects)
    for members in families.values():
        for index, chance in zip(members, holm([effects[index].chance for index in members]), strict=True):
            adjusted[index] = chance
    return tuple(replace(effect, adjusted=chance) for effect, chance in zip(effects, adjusted, strict=True))


def person_means(logs: Array) -> Array:
    """(people,): each person's mean over the regions of (people, regions), as if nobody's region were missing.

    Rows and columns are fitted as sums (alternating means), which for whole tables is the plain mean. People without
    a common region have no common scale: each part of the table that hangs together has its own.
    """
    there = np.isfinite(logs)
    filled = np.where(there, logs, 0.0)
    person, place = np.zeros(len(logs)), np.zeros(logs.shape[1])
    each, all_ = np.maximum(there.sum(axis=1), 1), np.maximum(there.sum(axis=0), 1)
    for _ in range(200):
        place = (filled - there * person[:, None]).sum(axis=0) / all_
        before, person = person, (filled - there * place).sum(axis=1) / each
        if np.abs(person - before).max() < 1e-12:
            break
    parts = connected(there)
    for part in np.unique(parts):
        person[parts == part] += place[there[parts == part].any(axis=0)].mean() if there[parts == part].any() else 0.0
    return np.where(there.any(axis=1), person, np.nan)


def connected(there: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(people,): which part of a table (people, regions) each belongs to; a region that two have joins them."""
    parts = np.arange(len(there))
    for column in there.T:
        joined = np.unique(parts[column])
        parts[np.isin(parts, joined[1:])] = joined[0] if len(joined) else 0
    return parts


def paired(differences: Array) -> Difference:
    """Of (people,) differences of logarithms from 0."""
    n = len(differences)
    value = estimated(mean_interval(differences))
    sd = float(differences.std(ddof=1)) if n > 1 else 0.0
    if n < 2 or not sd > 0:
        return Difference(value, UNKNOWN, math.nan, "")
    t = value.value / (sd / math.sqrt(n))
    size = standardized(t, n - 1, 1 / math.sqrt(n))
    if n < FEWEST:
        return Difference(value, size, math.nan, "")
    if n < PERMUTED_BELOW:
        return Difference(value, size, sign_chance(differences), "permutations")
    return Difference(value, size, two_sided(t, n - 1), "t")


def standardized(t: float, degrees_of_freedom: float, scale: float) -> Estimate:
    """Hedges' g and its exact interval (of the noncentral t distribution); g = J t scale."""
    correction = 1 - 3 / (4 * degrees_of_freedom - 1) if degrees_of_freedom > 1 else 1.0
    low, high = (float(nctdtrinc(degrees_of_freedom, tail, t)) for tail in (1 - TAIL, TAIL))
    return Estimate(*(correction * part * scale for part in (t, low, high)))


def sign_chance(differences: Array) -> float:
    """Two-sided chance of a mean as far from 0 if each difference might as well have the other sign.

    All signs where they are few enough, else PERMUTATIONS of them, the one that is there included.
    """
    n = len(differences)
    if 2**n <= PERMUTATIONS:
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    else:
        signs = np.random.default_rng(SEED).choice([-1, 1], size=(PERMUTATIONS + 1, n))
        signs[0] = 1
    sums = np.abs(signs @ differences)
    return float(np.mean(sums >= sums[0] * (1 - 1e-12)))


def between(values: Array, second: Array, covariates: Array) -> Difference:
    """Of the second group against the first, of (people,) logarithms, with (people, columns) covariates.

    second: (people,) 1 in the second group, 0 in the first.
    """
    people, sizes = len(values), (int((second == 0).sum()), int(second.sum()))
    reduced = np.column_stack([np.ones(people), covariates])
    design = np.column_stack([second, reduced])
    df = people - design.shape[1]
    if min(sizes) < 2 or df < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        mean = float(values[second == 1].mean() - values[second == 0].mean()) if min(sizes) else math.nan
        return Difference(Estimate(mean, math.nan, math.nan), UNKNOWN, math.nan, "")
    slope = slopes(values[None], design)
    effect, error, free, spread = (float(part[0]) for part in (slope.effect, slope.error, slope.free, slope.spread))
    if not free > 1 - TINY:  # no spread, or covariates leave a group none of its own
        return Difference(Estimate(effect, math.nan, math.nan), UNKNOWN, math.nan, "")
    half = float(stdtrit(free, 1 - TAIL)) * error
    value = Estimate(effect, effect - half, effect + half)
    size = standardized(effect / error, free, error / spread)
    if min(sizes) < FEWEST:
        return Difference(value, size, math.nan, "")
    chance = two_sided(effect / error, free)
    if people < PERMUTED_BELOW:  # a small group that spreads more makes permutations too sure, and Welch's t not
        return Difference(value, size, max(chance, label_chance(values, design)), "permutations")
    return Difference(value, size, chance, "t")


@dataclass(frozen=True, eq=False)
class Slopes:
    """The second group against the first in many samples: effect, its standard error, their degrees of freedom (nan
    where a group has no spread of its own), and the root of the groups' mean variance; each (samples,)."""

    effect: Array
    error: Array
    free: Array
    spread: Array


def slopes(values: Array, design: Array) -> Slopes:
    """Least squares of each row of (samples, people); the design's first column is 1 in the second group, else 0.

    Each group has a variance of its own, of its residuals over what its leverage leaves of its people: without
    covariates, Welch's test (1947, 10.1093/biomet/34.1-2.28). With one variance for both, a larger spread of the
    smaller group would be taken for a difference three times as often as it should.
    """
    inverse = np.linalg.pinv(design)
    fitted = values @ inverse.T
    rest = (values - fitted @ design.T) ** 2
    groups = np.stack([design[:, 0] == 0, design[:, 0] != 0]).astype(float)
    left = groups @ (1 - (design * inverse.T).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = (rest @ groups.T) / np.where(left > TINY, left, np.nan)
        parts = variance * (groups @ inverse[0] ** 2)
        free = parts.sum(axis=1) ** 2 / (parts**2 / left).sum(axis=1)
    return Slopes(fitted[:, 0], np.sqrt(parts.sum(axis=1)), free, np.sqrt(variance.mean(axis=1)))


@lru_cache(maxsize=4)
def orders(people: int, permutations: int = PERMUTATIONS) -> NDArray[np.intp]:
    """(permutations, people): the orders in which people are exchanged; the same in every call."""
    return np.argsort(np.random.default_rng(SEED).random((permutations, people)), axis=1)


def label_chance(values: Array, design: Array, permutations: int = PERMUTATIONS) -> float:
    """Two-sided chance of a t as large if the first column of the design told nothing (Freedman & Lane 1983).

    Residuals of the model without that column are exchanged between people.
    """
    reduced = design[:, 1:]
    fitted = reduced @ (np.linalg.pinv(reduced) @ values)
    residuals = values - fitted
    permuted = slopes(fitted + np.vstack([residuals, residuals[orders(len(values), permutations)]]), design)
    t = np.abs(permuted.effect) / np.maximum(permuted.error, np.finfo(float).tiny)
    return float(np.mean(t >= t[0] * (1 - 1e-12)))


def gee(logs: Array, second: Array, covariates: Array) -> Estimate:
    """The group's difference of logarithms by GEE over all regions of (people, regions); UNKNOWN without statsmodels.

    Exchangeable within a person, regions as fixed effects, bias-reduced standard errors, t with the degrees of freedom
    of people's means.
    """
    try:
        from statsmodels.genmod.cov_struct import Exchangeable  # 2 s to import
        from statsmodels.genmod.generalized_estimating_equations import GEE
    except ImportError:
        return UNKNOWN
    people, regions = logs.shape
    rows = np.argwhere(np.isfinite(logs))
    of_person = np.column_stack([second, np.ones(people), covariates])
    used = [column for column in range(1, regions) if np.isfinite(logs[:, column]).any()]
    places = (rows[:, 1:] == np.array(used, dtype=int)).astype(float)
    design = np.column_stack([of_person[rows[:, 0]], places])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return UNKNOWN
    free = float(slopes(person_means(logs)[None], of_person).free[0])
    if not free > 1 - TINY:
        return UNKNOWN
    model = GEE(logs[tuple(rows.T)], design, groups=rows[:, 0], cov_struct=Exchangeable())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = model.fit(cov_type="bias_reduced")
        effect, error = float(fitted.params[0]), float(fitted.bse[0])
    if caught:  # it has not converged, or persons have no spread of their own
        return UNKNOWN
    half = float(stdtrit(free, 1 - TAIL)) * error
    return Estimate(effect, effect - half, effect + half)


def design_of(
    rows: Sequence[dict[str, str]], names: Sequence[str], beside: Array | None = None
) -> tuple[Array, tuple[str, ...], tuple[str, ...]]:
    """Covariates of people as (people, columns), those that are in it, and those that are not.

    Numbers are centered; words become a column for each but the first by name. Left out: what is missing for somebody,
    is the same for all, needs more parameters than people can bear, or goes with the groups, or with another
    covariate, so that nobody can tell them apart. beside: (people, columns) of the groups. Raises InputRefused
    ("group-number") for a decimal comma.
    """
    design = np.column_stack([np.ones(len(rows)), *([] if beside is None else [beside])])
    alone = design.shape[1]
    kept: list[str] = []
    dropped: list[str] = []
    for name in names:
        cells = [row.get(name, "") for row in rows]
        wider = np.column_stack([design, *(_columns(name, cells) if all(cells) else [])])
        room = len(rows) >= PEOPLE_PER_PARAMETER * (2 + wider.shape[1] - alone)
        more = wider.shape[1] > design.shape[1] and room and np.linalg.matrix_rank(wider) == wider.shape[1]
        (kept if more else dropped).append(name)
        design = wider if more else design
    return design[:, alone:], tuple(kept), tuple(dropped)


def _columns(name: str, cells: Sequence[str]) -> list[Array]:
    comma = next((cell for cell in cells if COMMA.fullmatch(cell)), "")
    if name not in WORDS and (comma or all(map(is_number, cells))):
        numbers = np.array([number_of(name, comma or cell) for cell in cells])
        return [numbers - numbers.mean()] if np.isfinite(numbers).all() and np.ptp(numbers) > 0 else []
    words = sorted(set(cells))
    return [np.array([float(cell == word) for cell in cells]) for word in words[1:]]
