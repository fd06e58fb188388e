"""V_T against the length of the scan: what it would have been, had the scan ended earlier."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from ..kinetics import KineticFit
from ..messages import Notice

LEVEL = 0.975


@dataclass(frozen=True)
class Shortened:
    """One region under one model, had the scan ended at ``end_min``. value, error: of V_T (or K_i), mL/cm³ (/min).

    low, high: its 95 % interval. change: of the value at the end of the whole scan, % of that, with the 95 % interval
    change_low to change_high. nan where no value came out.
    """

    region: str
    model: str
    end_min: float
    value: float
    error: float
    low: float
    high: float
    change: float
    change_low: float
    change_high: float
    flags: tuple[Notice, ...]


@dataclass(frozen=True)
class Settled:
    """From ``end_min`` on the model's outcome changes by less than ``percent``, in every region and at every longer
    length; ``percent_high``: by the ends of the 95 % intervals."""

    model: str
    end_min: float
    percent: float
    percent_high: float


def shortened(
    region: str, model: str, end_min: float, shorter: KineticFit | None, whole: KineticFit | None
) -> Shortened:
    """whole: the fit to the whole scan; either None where so short a scan does not carry the model."""
    if shorter is None or whole is None:
        unknown = float("nan")
        return Shortened(region, model, end_min, unknown, unknown, unknown, unknown, unknown, unknown, unknown, ())
    value, error, full = shorter.outcome_value, shorter.outcome_error, whole.outcome_value
    low, high = shorter.interval(shorter.outcome)
    change = 100 * (value / full - 1)
    # The longer fit holds the shorter one's frames: their difference varies by what the shorter one lacks (Hausman
    # 1978, 10.2307/1913827).
    spread = np.sqrt(max(error**2 - whole.outcome_error**2, 0.0)) if shorter is not whole else 0.0
    reach = 100 * float(stdtrit(shorter.degrees_of_freedom, LEVEL)) * spread / abs(full)
    return Shortened(
        region, model, end_min, value, error, low, high, change, change - reach, change + reach, shorter.flags
    )


def settled(shortened: Sequence[Shortened]) -> tuple[Settled, ...]:
    """For every model and length, how far the outcome still moves from there on."""
    rows = []
    for model, end in dict.fromkeys((row.model, row.end_min) for row in shortened):
        later = [row for row in shortened if row.model == model and row.end_min >= end]
        moves = [abs(row.change) for row in later]  # nan where one of them is not known
        reaches = [max(abs(row.change_low), abs(row.change_high)) for row in later]
        rows.append(Settled(model, end, float(np.max(moves)), float(np.max(reaches))))
    return tuple(rows)


def drift(shortened: Sequence[Shortened], model: str) -> list[tuple[float, float]]:
    """(minutes, %): median over the regions of the change against the whole scan; empty without the model."""
    moved: dict[float, list[float]] = {}
    for row in shortened:
        if row.model == model and np.isfinite(row.change):
            moved.setdefault(row.end_min, []).append(row.change)
    return [(end, float(np.median(values))) for end, values in list(moved.items())[:-1]]
