"""How well a measurement repeats where nothing happened between two visits.

Within-subject SD and coefficient of variation, repeatability coefficient (QIBA, 10.1177/0962280214537344), intraclass
correlations (Shrout & Fleiss 1979, 10.1037/0033-2909.86.2.420; McGraw & Wong 1996, 10.1037/1082-989X.1.1.30), limits
of agreement (Bland & Altman 1986, 10.1016/S0140-6736(86)90837-8; exact intervals: Carkeet 2015,
10.1097/OPX.0000000000000513). Functions of arrays (..., n, …) serve many samples at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri, fdtri, nctdtrit, stdtrit

from ..outcome.repeatability import TWO_SIDED
from .association import pearson
from .estimates import FEWEST, NORMAL_QUANTILE, TAIL, UNKNOWN, Array, Estimate, estimated, mean_interval, two_sided

CHANCE = 0.05
"""Below which differences are said to grow with the value: a choice."""
OUTLIER_CHANCE = 0.05
"""Of a set without outliers in which one is found: a choice."""
OUTLIER_SHARE = 5
"""At most one value in so many, and at least one, can be an outlier: a choice."""


@dataclass(frozen=True)
class BlandAltman:
    """Difference (second - first) against mean. lower, upper: limits of agreement, each with its own interval.

    proportional: Kendall's tau of the difference's size and the mean (an error that grows with the value), with its
    chance; tilt: Pearson's r of difference and mean (of unequal spread, as Pitman's test), with its chance by
    Student's t of people's products, which an error that grows with the value leaves right. nan for fewer than FEWEST.
    """

    mean: Estimate
    lower: Estimate
    upper: Estimate
    proportional: float
    proportional_chance: float
    tilt: float
    tilt_chance: float

    @property
    def grows(self) -> bool:
        """Whether the difference grows with the value."""
        return self.proportional > 0 and self.proportional_chance < CHANCE


@dataclass(frozen=True)
class Repeatability:
    """One kind of number under one model, in one region or in all of a structure.

    people: with both visits. regions: in the structure. degrees_of_freedom: of the within-subject SD; regions of one
    person count by how far their errors go together (``together``, their correlation).
    difference: second - first, of each person's mean over the regions; percent: the same of the logarithms, in %.
    wsd: in the value's unit. wcv_log, wcv_difference: fractions. rc = 1.96 sqrt(2) wsd; rc_percent = 1.96 sqrt(2)
    wcv_log, in %. icc21, icc31, agreement: of each person's mean over the regions.
    """

    people: int
    regions: int
    mean: float
    degrees_of_freedom: float
    together: float
    difference: Estimate
    percent: Estimate
    wsd: Estimate
    wcv_log: Estimate
    wcv_difference: Estimate
    rc: Estimate
    rc_percent: Estimate
    icc21: Estimate
    icc31: Estimate
    agreement: BlandAltman


def repeatability(first: Array, second: Array) -> Repeatability:
    """Of values (people, regions) at two visits, nan where one is missing; people without a pair do not count.

    Raises ValueError for fewer than two people with a pair.
    """
    there = np.isfinite(first) & np.isfinite(second)
    kept = there.any(axis=1)
    if kept.sum() < 2:
        raise ValueError("repeatability needs two people with two visits")
    there = there[kept]
    first, second = np.where(there, first[kept], np.nan), np.where(there, second[kept], np.nan)
    means = np.stack([np.nanmean(first, axis=1), np.nanmean(second, axis=1)], axis=-1)
    positive = bool((first[there] > 0).all() and (second[there] > 0).all())
    _, df, together = within_subject(second - first)
    half = (first + second) / 2
    unknown = (np.array(math.nan),) * 3
    log_spread = spread_of(np.log(second / first)) if positive else unknown
    relative = spread_of((second - first) / half) if positive else unknown
    wcv_log = estimated(tuple(_as_wcv(part) for part in log_spread))  # type: ignore[arg-type]
    spread = estimated(spread_of(second - first))
    logs = np.log(means[:, 1] / means[:, 0]) if positive else np.full(len(means), np.nan)
    percent = tuple(100 * np.expm1(part) for part in mean_interval(logs))
    two_one, three_one = intraclass(means)
    return Repeatability(
        people=len(means),
        regions=first.shape[1],
        mean=float(means.mean()),
        degrees_of_freedom=float(df),
        together=float(together),
        difference=estimated(mean_interval(means[:, 1] - means[:, 0])),
        percent=estimated(percent),  # type: ignore[arg-type]
        wsd=spread,
        wcv_log=wcv_log,
        wcv_difference=estimated(relative),
        rc=_times(spread, TWO_SIDED),
        rc_percent=_times(wcv_log, 100 * TWO_SIDED),
        icc21=two_one,
        icc31=three_one,
        agreement=bland_altman(means),
    )


def within_subject(difference: Array) -> tuple[Array, Array, Array]:
    """Within-subject SD, its degrees of freedom, and how errors of one person's regions go together.

    difference: (..., people, regions) between two visits, nan where there is none. wSD^2 is the mean of d^2 / 2
    (QIBA), so that a shift between the visits counts as error. Regions share person, input and scanner: with the
    correlation r between them, N^2 / sum(m + m (m - 1) r^2) is the number of independent differences they are worth
    (all N for r = 0, the people alone for r = 1). Few people tell r badly: it counts as larger by its standard error,
    with which the intervals cover what they should in simulation.
    """
    there = np.isfinite(difference)
    filled = np.where(there, difference, 0.0)
    each = there.sum(axis=-1)
    total = each.sum(axis=-1)
    squares = (filled**2).sum(axis=(-2, -1))
    variance = squares / total
    pairs = (each * (each - 1)).sum(axis=-1)
    products = (filled.sum(axis=-1) ** 2).sum(axis=-1) - squares
    with np.errstate(invalid="ignore", divide="ignore"):
        together = np.where(pairs > 0, products / np.maximum(pairs, 1) / variance, 0.0)
    together = np.clip(np.nan_to_num(together), -1.0, 1.0)
    with np.errstate(divide="ignore"):
        error = (1 - together) * (1 + (pairs / total) * together) * np.sqrt(2 / np.maximum(pairs, 1))
    cautious = np.where(pairs > 0, np.minimum(abs(together) + abs(error), 1.0), 0.0)
    df = total**2 / (each + each * (each - 1) * cautious[..., None] ** 2).sum(axis=-1)
    return np.sqrt(variance / 2), np.asarray(df), np.asarray(together)


def spread_interval(sd: Array, degrees_of_freedom: Array) -> tuple[Array, Array, Array]:
    """A standard deviation with its 95 % interval, by chi squared."""
    low, high = (np.sqrt(degrees_of_freedom / chdtri(degrees_of_freedom, tail)) for tail in (TAIL, 1 - TAIL))
    return sd, sd * low, sd * high


def spread_of(difference: Array) -> tuple[Array, Array, Array]:
    """Within-subject SD with its 95 % interval, of differences (..., people, regions).

    Chi squared holds where the error is the same for everybody. Where it grows with the value, or differs between
    people, few of them decide, and chi squared holds in 75 to 90 of 100. So its variance of ln wSD counts half, that
    of how people's own squares scatter the other half, and the interval reaches as far as that of ln wSD by Student's
    t from the latter alone, and as far up as skewed squares let the mean be too low, where that is further. The half
    is a choice by simulation.
    """
    sd, df, _ = within_subject(difference)
    there = np.isfinite(difference)
    squares, each = (np.where(there, difference, 0.0) ** 2).sum(axis=-1), there.sum(axis=-1)
    people = difference.shape[-2]
    with np.errstate(invalid="ignore", divide="ignore"):
        away = (squares - 2 * each * sd[..., None] ** 2) / each.mean(axis=-1)[..., None]  # of 2 wSD^2
        own = away / (4 * sd[..., None] ** 2)  # of ln wSD
        scatter = own.var(axis=-1, ddof=1) / people
        reach = reach_of(own)
        _, low, high = spread_interval(sd, np.where(np.isfinite(scatter), 1 / (scatter + 1 / (2 * df)), df))
        skewed = np.sqrt(sd**2 + highest(away) / 2)
        return sd, np.fmin(low, sd / reach), np.fmax(np.fmax(high, sd * reach), skewed)


def highest(influence: Array) -> Array:
    """How far above its estimate a mean may be at most, of each person's influence (..., people) on it.

    Hall's transformation of Student's t for skewed values (1992, On the removal of skewness by transformation), with
    the unbiased skewness; nan for fewer than three people, or of values that do not differ or are not skewed.
    """
    people = influence.shape[-1]
    if people < 3:
        return np.full(influence.shape[:-1], np.nan)
    away = influence - influence.mean(axis=-1)[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        skew = (away**3).mean(axis=-1) / away.std(axis=-1) ** 3 * math.sqrt(people * (people - 1)) / (people - 2)
        t = stdtrit(people - 1, 1 - TAIL) / math.sqrt(people)
        return np.asarray((1 - np.cbrt(1 - skew * (t + skew / (6 * people)))) * 3 / skew * away.std(axis=-1, ddof=1))


def reach_of(influence: Array) -> Array:
    """The factor by which an estimate may be off, of each person's influence (..., people) on its logarithm."""
    people = influence.shape[-1]
    half = stdtrit(people - 1, 1 - TAIL) * influence.std(axis=-1, ddof=1) / math.sqrt(people)
    return np.asarray(np.exp(np.minimum(np.nan_to_num(half), 700.0)))


def _as_wcv(log_sd: Array) -> Array:
    """Coefficient of variation of a log-normal error; of a huge interval's end it may be infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(np.sqrt(np.expm1(log_sd**2)))


def _times(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(factor * estimate.value, factor * estimate.low, factor * estimate.high)


def intraclass(values: Array) -> tuple[Estimate, Estimate]:
    """ICC(2,1) (absolute agreement) and ICC(3,1) (consistency) of values (people, visits), with 95 % intervals.

    Those of normal values, or as far as each person's influence on the ratio of variances, where that is further.
    """
    if len(values) < 2 or not np.ptp(values):
        return UNKNOWN, UNKNOWN
    rows = values.mean(axis=-1) - values.mean()
    rest = ((values - values.mean(axis=0) - rows[:, None]) ** 2).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        influence = rows**2 / (rows**2).mean() - rest / rest.mean()
    two, three = intraclass_intervals(values, reach_of(influence))
    return estimated(two), estimated(three)


def intraclass_intervals(
    values: Array, reach: Array | float = 1.0
) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]]:
    """The same for (..., people, visits): value, low, high of ICC(2,1) and of ICC(3,1), of normal values.

    reach: the factor up to which the ratio of variances may be off at least.
    """
    n, k = values.shape[-2:]
    rows, columns = values.mean(axis=-1), values.mean(axis=-2)
    between = k * rows.var(axis=-1, ddof=1)
    visits = n * columns.var(axis=-1, ddof=1)
    rest = values - rows[..., None] - columns[..., None, :] + values.mean(axis=(-2, -1))[..., None, None]
    error = (rest**2).sum(axis=(-2, -1)) / ((n - 1) * (k - 1))
    error = np.maximum(error, np.finfo(float).eps * (values**2).mean(axis=(-2, -1)))  # of equal rows: not 0 / 0
    ratio = between / error
    down, up = (fdtri(*free, 1 - TAIL) for free in ((n - 1, (n - 1) * (k - 1)), ((n - 1) * (k - 1), n - 1)))
    low, high = ratio / np.maximum(down, reach), ratio * np.maximum(up, reach)
    three = tuple(np.asarray((f - 1) / (f + k - 1)) for f in (ratio, low, high))
    two = (between - error) / (between + (k - 1) * error + k * (visits - error) / n)
    between_0_and_1 = np.clip(two, 0.0, 1 - 1e-12)
    share = k * between_0_and_1 / (n * (1 - between_0_and_1))
    a, b = share, 1 + share * (n - 1)
    df = (a * visits + b * error) ** 2 / ((a * visits) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1)))
    lower, upper = (np.maximum(fdtri(*free, 1 - TAIL), reach) for free in ((n - 1, df), (df, n - 1)))
    other = k * visits + (k * n - k - n) * error
    ends = (
        n * (between - lower * error) / (lower * other + n * between),
        n * (upper * between - error) / (other + n * upper * between),
    )
    return (np.asarray(two), np.asarray(ends[0]), np.asarray(ends[1])), three  # type: ignore[return-value]


def bland_altman(values: Array) -> BlandAltman:
    """Of values (people, 2)."""
    difference, mean = values[:, 1] - values[:, 0], values.mean(axis=1)
    lower, upper = limits_of_agreement(difference)
    tau = tau_chance = tilt = tilt_chance = math.nan
    if len(values) >= FEWEST and np.ptp(mean) > 0 and np.ptp(difference) > 0:
        from scipy.stats import kendalltau  # 0.5 s to import

        tau, tau_chance = (float(part) for part in kendalltau(abs(difference), mean))
        tilt = pearson(difference, mean)
        products = (difference - difference.mean()) * (mean - mean.mean())
        t = float(products.mean() / products.std(ddof=1)) * math.sqrt(len(products))
        tilt_chance = two_sided(t, len(products) - 1)
    return BlandAltman(
        estimated(mean_interval(difference)), estimated(lower), estimated(upper), tau, tau_chance, tilt, tilt_chance
    )


def limits_of_agreement(difference: Array) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]]:
    """Lower and upper limit, mean -+ 1.96 SD of differences (..., n), each with its 95 % interval.

    The exact one of normal differences, or as far as that by Student's t from each difference's own influence on the
    limit, where that is further: of errors that grow with the value the exact one holds in 90 of 100.
    """
    n = difference.shape[-1]
    mean = difference.mean(axis=-1)
    if n < 2:
        nothing = np.full_like(mean, np.nan)
        return (nothing,) * 3, (nothing,) * 3
    sd = difference.std(axis=-1, ddof=1)
    near, far = (nctdtrit(n - 1, NORMAL_QUANTILE * math.sqrt(n), tail) / math.sqrt(n) for tail in (TAIL, 1 - TAIL))
    away = difference - mean[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = NORMAL_QUANTILE * (away**2 / sd[..., None] - sd[..., None]) / 2
    halves = [
        np.nan_to_num(stdtrit(n - 1, 1 - TAIL) * (away + sign * spread).std(axis=-1, ddof=1) / math.sqrt(n))
        for sign in (-1, 1)
    ]
    lower, upper = mean - NORMAL_QUANTILE * sd, mean + NORMAL_QUANTILE * sd
    return (
        (lower, np.minimum(mean - far * sd, lower - halves[0]), np.maximum(mean - near * sd, lower + halves[0])),
        (upper, np.minimum(mean + near * sd, upper - halves[1]), np.maximum(mean + far * sd, upper + halves[1])),
    )


def outliers(values: Array) -> tuple[int, ...]:
    """Which of (n,) values lie too far out for a normal distribution, by the generalized extreme Studentized deviate.

    Rosner 1983, 10.1080/00401706.1983.10487848. Fewer than FEWEST values are not judged.
    """
    n = len(values)
    if n < FEWEST:
        return ()
    left, removed, outside = list(range(n)), [], 0
    for count in range(1, max(1, n // OUTLIER_SHARE) + 1):
        kept = values[left]
        spread = kept.std(ddof=1)
        if not spread > 0:
            break
        away = abs(kept - kept.mean()) / spread
        worst = int(np.argmax(away))
        rest = n - count + 1
        t = float(stdtrit(rest - 2, 1 - OUTLIER_CHANCE / (2 * rest)))
        limit = (rest - 1) * t / math.sqrt((rest - 2 + t * t) * rest)
        removed.append(left.pop(worst))
        outside = count if away[worst] > limit else outside
    return tuple(sorted(removed[:outside]))


def differing_people(first: Array, second: Array) -> tuple[int, ...]:
    """The people (rows) whose change stands out among those of values (people, regions) at two visits.

    Judged by the person's mean log ratio over the regions; by the mean difference where a value is not positive.
    """
    there = np.isfinite(first) & np.isfinite(second)
    rows = np.flatnonzero(there.any(axis=1))
    positive = bool((first[there] > 0).all() and (second[there] > 0).all())
    change = np.where(there, np.log(np.where(there, second / first, 1.0)) if positive else second - first, np.nan)
    return tuple(int(rows[index]) for index in outliers(np.nanmean(change[rows], axis=1)))


def without(people: Sequence[int], values: Array) -> Array:
    """Values (people, …) without some rows."""
    return np.delete(values, list(people), axis=0)
