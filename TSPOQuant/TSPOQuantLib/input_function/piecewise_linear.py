"""Exact integrals of piecewise-linear curves, and knots dense enough for what is done to them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def integral_weights(knots: Floats, times: Floats) -> Floats:
    """Weights W (times, knots) such that W @ values is the integral of the curve up to each time.

    The curve is 0 before the first knot, linear between knots, and keeps its last value after the last one.
    """
    widths = np.diff(knots)
    covered = np.clip(times[:, None] - knots[:-1], 0.0, widths)
    to_right = covered**2 / (2 * widths)
    weights = np.zeros((len(times), len(knots)))
    weights[:, :-1] = covered - to_right
    weights[:, 1:] += to_right
    weights[:, -1] += np.maximum(times - knots[-1], 0.0)
    return weights


def averaging_weights(knots: Floats, starts: Floats, ends: Floats) -> Floats:
    """Weights (frames, knots) such that their product with the knots' values is the curve's mean over each frame."""
    difference = integral_weights(knots, ends) - integral_weights(knots, starts)
    return np.asarray(difference / (ends - starts)[:, None])


def evaluate(knots: Floats, values: Floats, times: Floats) -> Floats:
    """The curve at any time: 0 before the first knot, linear between knots, the last value held."""
    return np.where(times < knots[0], 0.0, np.interp(times, knots, values))


def dense_knots(curve: Callable[[Floats], Floats], knots: Floats, tolerance: float, shortest: float) -> Floats:
    """``knots`` with midpoints added until linear interpolation of ``curve`` is right to ``tolerance``.

    The error is taken relative to the curve's own value, and to 1/1000 of its maximum where it is smaller than
    that. Intervals are not cut below ``shortest`` (same unit as the knots).
    """
    while True:
        values = curve(knots)
        floor = 1e-3 * float(np.max(np.abs(values), initial=0.0))
        cut = np.zeros(len(knots) - 1, dtype=bool)
        for fraction in (0.25, 0.5, 0.75):
            there = knots[:-1] + fraction * np.diff(knots)
            truth = curve(there)
            linear = values[:-1] + fraction * np.diff(values)
            cut |= np.abs(linear - truth) > tolerance * np.maximum(np.abs(truth), floor)
        cut &= np.diff(knots) > 2 * shortest
        if not cut.any():
            return knots
        middles = knots[:-1] + np.diff(knots) / 2
        knots = np.sort(np.concatenate([knots, middles[cut]]))
