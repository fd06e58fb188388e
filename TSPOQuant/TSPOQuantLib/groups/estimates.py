"""What every table of a group is made of: an estimate with its 95 % interval, and a chance with what it was of."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

Array = NDArray[np.float64]

FEWEST = 6
"""Below so many people nothing is tested and no correlation told. Not published, a choice: with five pairs no rank
test can reach 5 % two-sided."""
TAIL = 0.025
"""Of either end of a 95 % interval."""
NORMAL_QUANTILE = 1.959963984540054
"""Of the normal distribution, at either end of a 95 % interval."""


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its 95 % interval; nan where the data do not tell it."""

    value: float
    low: float
    high: float


UNKNOWN = Estimate(math.nan, math.nan, math.nan)


def mean_interval(values: Array) -> tuple[Array, Array, Array]:
    """Mean of (..., n) and its 95 % interval by Student's t; nan ends for fewer than two."""
    n = values.shape[-1]
    mean = values.mean(axis=-1)
    if n < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    half = stdtrit(n - 1, 1 - TAIL) * values.std(axis=-1, ddof=1) / math.sqrt(n)
    return mean, mean - half, mean + half


def estimated(parts: tuple[Array, Array, Array]) -> Estimate:
    """An estimate from numpy's scalars."""
    return Estimate(*map(float, parts))


def two_sided(t: float, degrees_of_freedom: float) -> float:
    """Chance of a Student's t as far from 0; nan where there is none."""
    if not (math.isfinite(t) and degrees_of_freedom > 0):
        return math.nan
    return float(2 * stdtr(degrees_of_freedom, -abs(t)))


def holm(chances: Sequence[float]) -> tuple[float, ...]:
    """Chances adjusted for how many were looked at (Holm 1979); nan stays, and does not count.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    known = sorted((chance, index) for index, chance in enumerate(chances) if math.isfinite(chance))
    adjusted, highest = list(chances), 0.0
    for place, (chance, index) in enumerate(known):
        highest = min(1.0, max(highest, (len(known) - place) * chance))
        adjusted[index] = highest
    return tuple(adjusted)
