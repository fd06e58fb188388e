"""What goes with what across people: the change of V_T and the change of a clinical score."""

import math
from dataclasses import dataclass

import numpy as np

from .comparison import PERMUTED_BELOW, orders
from .estimates import FEWEST, NORMAL_QUANTILE, UNKNOWN, Array, Estimate, two_sided


@dataclass(frozen=True)
class Correlation:
    """Over people. chance: two-sided, of Spearman's; nan for fewer than FEWEST people."""

    spearman: Estimate
    pearson: Estimate
    chance: float
    pearson_chance: float


@dataclass(frozen=True)
class Association:
    """A number's change against a score's, or both at one visit.

    x: ln of the ratio (change) or of the value; y: the score's difference or value. kind: "change" or "visit".
    within: the group whose people these are; "" for all.
    adjusted: Spearman's chance, for how many associations were looked at (Holm).
    """

    kind: str
    session: str
    within: str
    outcome: str
    model: str
    pvc: str
    structure: str
    score: str
    who: tuple[str, ...]
    x: Array
    y: Array
    correlation: Correlation
    adjusted: float


def correlation(x: Array, y: Array) -> Correlation:
    """Spearman's and Pearson's correlation of (people,) with 95 % intervals by Fisher's z.

    The variance of z is 1 / (n - 3), for Spearman's times 1 + r^2 / 2 (Bonett & Wright 2000, 10.1007/BF02294183).
    """
    n = len(x)
    if n < FEWEST or not np.ptp(x) > 0 or not np.ptp(y) > 0:
        return Correlation(UNKNOWN, UNKNOWN, math.nan, math.nan)
    ranks = ranked(x), ranked(y)
    rank_r, r = pearson(*ranks), pearson(x, y)
    few = n < PERMUTED_BELOW
    chances = [
        order_chance(*pair) if few else two_sided(value * math.sqrt((n - 2) / max(1 - value * value, 1e-300)), n - 2)
        for pair, value in ((ranks, rank_r), ((x, y), r))
    ]
    return Correlation(fisher_interval(rank_r, n, 1 + rank_r**2 / 2), fisher_interval(r, n, 1.0), *chances)


def ranked(values: Array) -> Array:
    """Ranks of (n,), equal ones with their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[place])


def pearson(x: Array, y: Array) -> float:
    dx, dy = x - x.mean(), y - y.mean()
    return float(np.clip((dx @ dy) / math.sqrt((dx @ dx) * (dy @ dy)), -1.0, 1.0))


def fisher_interval(r: float, n: int, inflation: float) -> Estimate:
    z = math.atanh(min(max(r, -1 + 1e-15), 1 - 1e-15))
    half = NORMAL_QUANTILE * math.sqrt(inflation / (n - 3))
    return Estimate(r, math.tanh(z - half), math.tanh(z + half))


def order_chance(x: Array, y: Array) -> float:
    """Two-sided chance of a correlation as large if y belonged to people in any order."""
    dx = x - x.mean()
    sums = np.abs(np.concatenate([[dx @ y], y[orders(len(y))] @ dx]))
    return float(np.mean(sums >= sums[0] * (1 - 1e-12)))
