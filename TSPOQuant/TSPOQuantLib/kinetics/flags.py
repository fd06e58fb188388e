"""Why a fit may not be trusted, in words a user understands. No threshold here is published; each is a choice."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ..messages import Notice, Notices, Text

Array = NDArray[np.float64]

LARGE_STANDARD_ERROR = 0.25  # of the outcome
POOR_FIT = 0.10  # residual standard deviation over the mean of the curve
RUNS_PROBABILITY = 0.01  # of so few runs of residual signs by chance
AT_BOUND = 1e-6  # of the width between the bounds


def bound_flags(
    values: dict[str, float], bounds: dict[str, tuple[float, float]], units: Mapping[str, str]
) -> list[Notice]:
    """One "at-bound:NAME" (or "delay-at-limit") for each fitted value at an end of its bounds."""
    flags = Notices()
    for name, value in values.items():
        low, high = bounds[name]
        if at_bound(value, low, high) == 0:
            continue
        end = low if at_bound(value, low, high) < 0 else high
        code = "delay-at-limit" if name == "delay" else f"at-bound:{name}"
        flags.add(
            code,
            "{name} stopped at its bound {end:g} {units}; it is not an estimate",
            name=name,
            end=end,
            units=units[name],
        )
    return flags


def at_bound(value: float, low: float, high: float) -> int:
    """-1 at the lower bound, 1 at the upper, else 0 (also when the bounds are equal)."""
    reach = AT_BOUND * (high - low)
    if high <= low:
        return 0
    return -1 if value <= low + reach else 1 if value >= high - reach else 0


def outcome_flags(name: str, value: float, error: float) -> Notices:
    """ "not-identifiable", "not-positive" or "se-large" for the outcome (V_T or Ki)."""
    flags = Notices()
    if not np.isfinite(value) or not np.isfinite(error) or error >= abs(value):
        flags.add(
            "not-identifiable", "these data do not determine {name}: its standard error is as large as it", name=name
        )
    elif value < 0:
        flags.add("not-positive", "{name} came out below 0, which no tissue has; see the fit", name=name)
    elif error > LARGE_STANDARD_ERROR * abs(value):
        flags.add("se-large", "the standard error of {name} is {error:.0%} of it", name=name, error=error / abs(value))
    return flags


def beyond_scan_flags(slowest_rate: float, scan_min: float) -> Notices:
    """ "vt-beyond-scan" when the slowest half-life (ln 2 / rate, 1/min) is longer than the scan."""
    flags = Notices()
    if slowest_rate * scan_min < np.log(2):
        half_life = Text("{minutes:.0f} min", minutes=np.log(2) / slowest_rate) if slowest_rate > 0 else "without end"
        flags.add(
            "vt-beyond-scan",
            "the slowest tissue half-life ({half_life}) is longer than the {scan_min:.0f} min of the scan, so "
            "V_T is extrapolated",
            half_life=half_life,
            scan_min=scan_min,
        )
    return flags


def residual_flags(residuals: Array, predicted: Array, weights: Array) -> Notices:
    """ "poor-fit" and "residual-runs" from the frames with weight."""
    used = weights > 0
    spread, level = _spread_and_level(residuals[used], predicted[used], weights[used])
    flags = poor_fit_flags(residuals, predicted, weights)
    # Rounding noise of an exact fit has runs too, and they mean nothing.
    if spread > 1e-9 * level and runs_probability(residuals[used]) < RUNS_PROBABILITY:
        flags.add("residual-runs", "the residuals keep their sign for long: the model misses the curve's shape")
    return flags


def poor_fit_flags(residuals: Array, predicted: Array, weights: Array) -> Notices:
    """ "poor-fit" from the frames with weight."""
    used, flags = weights > 0, Notices()
    spread, level = _spread_and_level(residuals[used], predicted[used], weights[used])
    if spread > POOR_FIT * level:
        text = Text("the residuals are {share:.0%} of the curve", share=spread / level) if level else "no signal"
        flags.append(Notice("poor-fit", text))
    return flags


def _spread_and_level(residuals: Array, predicted: Array, weights: Array) -> tuple[float, float]:
    total = weights.sum()
    spread = float(np.sqrt((weights * residuals**2).sum() / total))
    return spread, float((weights * np.abs(predicted)).sum() / total)


def runs_probability(residuals: Array) -> float:
    """The chance of so few runs of equal signs among independent residuals (Wald & Wolfowitz 1940, normal form)."""
    signs = residuals[residuals != 0] > 0
    positive = int(signs.sum())
    negative = signs.size - positive
    if positive == 0 or negative == 0:
        return float(2.0 ** (1 - signs.size)) if signs.size else 1.0
    total = positive + negative
    expected = 2 * positive * negative / total + 1
    variance = (expected - 1) * (expected - 2) / (total - 1)
    runs = 1 + int((signs[1:] != signs[:-1]).sum())
    if variance <= 0:
        return 1.0
    return float(ndtr((runs + 0.5 - expected) / np.sqrt(variance)))
