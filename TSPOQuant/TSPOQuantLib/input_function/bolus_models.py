"""Blood curves after a bolus as formulas: Feng's, and a tri-exponential after a linear rise.

Both are sums of three non-negative amplitudes times known shapes, so the amplitudes drop out of the search
(variable projection, Golub and Pereyra 1973) and only onset and rates are sought.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..lazy_modules import optimize

Floats = NDArray[np.float64]

# Search ranges (1/s, and ratios between successive rates) and starting grids: this program's own, wide around the
# human curves of Feng 1993. The fastest rate is held to FASTEST_STEPS over the spacing of the data at the peak (but
# within FASTEST_RANGE): a narrower spike would be invented between the data.
FASTEST_STEPS = 2.0
FASTEST_RANGE = (0.1, 2.0)
SLOWEST = 1e-6
_SLOW_STARTS = (3e-5, 3e-4)
_MIDDLE_RATIO_STARTS = (8.0, 30.0)
_FAST_RATIO_STARTS = (3.0, 10.0, 30.0)
_RATIO_RANGE = (1.05, 1000.0)
_ONSET_STARTS = (0.15, 0.5, 0.85)
REFINED_STARTS = 2


def feng_shapes(times_s: Floats, onset_s: float, alpha: float, beta: float, gamma: float) -> Floats:
    """Columns (times, 3) that A, B, C multiply in Feng's curve; rates alpha > beta > gamma in 1/s.

    (A t' - B - C) e^(-alpha t') + B e^(-beta t') + C e^(-gamma t') for t' = t - onset > 0, else 0
    (Feng, Huang and Wang 1993, Int J Biomed Comput 32:95).
    """
    after = np.maximum(times_s - onset_s, 0.0)
    fast = np.exp(-alpha * after)
    return np.stack([after * fast, np.exp(-beta * after) - fast, np.exp(-gamma * after) - fast], axis=1)


def tri_exponential_shapes(
    times_s: Floats, onset_s: float, alpha: float, beta: float, gamma: float, peak_s: float
) -> Floats:
    """Columns (times, 3): a straight rise from 0 at the onset to 1 at the peak, then one exponential each."""
    rise = np.clip((times_s - onset_s) / max(peak_s - onset_s, 1e-6), 0.0, 1.0)
    after = np.maximum(times_s - peak_s, 0.0)
    return np.asarray(rise[:, None] * np.exp(-np.outer(after, [alpha, beta, gamma])))


@dataclass(frozen=True, eq=False)
class BolusFit:
    """A fitted formula: its name, parameters (onset_s and rates in 1/s, amplitudes A, B, C) and callable curve."""

    name: str
    parameters: dict[str, float]
    shapes: Callable[[Floats], Floats]
    amplitudes: Floats
    wrss: float

    def __call__(self, times_s: Floats) -> Floats:
        return np.asarray(self.shapes(np.asarray(times_s, dtype=float)) @ self.amplitudes)


def fit_bolus(
    name: str, average: Floats, knots_s: Floats, measured: Floats, sigma: Floats, peak_spacing_s: float
) -> BolusFit:
    """Fit "feng" or "tri-exponential" so that ``average @ curve(knots_s)`` meets ``measured`` (least squares / sigma).

    average: (data, knots), the frame averages of a curve given at the knots, or the identity for samples.
    peak_spacing_s: frame length, or distance between samples, at the peak; it limits the fastest rate.
    Deterministic: the best of a grid of starting points are refined.
    """
    peak = int(np.argmax(measured))
    peak_time = float(knots_s[np.argmax(average[peak])])
    first = float(knots_s[0])
    scaled = measured / sigma
    fastest = float(np.clip(FASTEST_STEPS / peak_spacing_s, *FASTEST_RANGE))

    def rates_of(theta: Floats) -> tuple[float, float, float]:
        gamma = float(np.exp(theta[1]))
        beta = min(gamma * float(np.exp(theta[2])), fastest / _RATIO_RANGE[0])
        return min(beta * float(np.exp(theta[3])), fastest), beta, gamma

    def shapes_of(theta: Floats) -> Callable[[Floats], Floats]:
        rates = rates_of(theta)
        if name == "feng":
            return lambda times: feng_shapes(times, theta[0], *rates)
        return lambda times: tri_exponential_shapes(times, theta[0], *rates, theta[0] + theta[4])

    def project(theta: Floats) -> tuple[Floats, Floats]:
        design = (average @ shapes_of(theta)(knots_s)) / sigma[:, None]
        amplitudes, _ = optimize.nnls(design, scaled)
        return amplitudes, design @ amplitudes - scaled

    onsets = [first + part * (peak_time - first) for part in _ONSET_STARTS]
    rates = list(product(np.log(_SLOW_STARTS), np.log(_MIDDLE_RATIO_STARTS), np.log(_FAST_RATIO_STARTS)))
    span = max(peak_time - first, 1.0)
    lower = [first - span, np.log(SLOWEST), *np.log([_RATIO_RANGE[0]] * 2)]
    upper = [peak_time + span, np.log(1e-2), *np.log([_RATIO_RANGE[1]] * 2)]
    if name == "feng":
        grid = [np.array([onset, *rate]) for onset, rate in product(onsets, rates)]
    else:
        grid = [np.array([onset, *rate, max(peak_time - onset, 0.5)]) for onset, rate in product(onsets, rates)]
        lower.append(0.1)
        upper.append(2 * span)
    order = np.argsort([np.sum(project(theta)[1] ** 2) for theta in grid], kind="stable")
    fits = [
        optimize.least_squares(
            lambda theta: project(theta)[1],
            np.clip(grid[index], np.add(lower, 1e-9), np.subtract(upper, 1e-9)),
            bounds=(lower, upper),
            x_scale=[span / 10, 1.0, 1.0, 1.0, span / 10][: len(lower)],
            max_nfev=60,
        )
        for index in order[:REFINED_STARTS]
    ]
    best = min(fits, key=lambda fit: float(fit.cost))
    amplitudes, residual = project(best.x)
    parameters = {"onset_s": float(best.x[0])}
    parameters |= dict(zip(("alpha", "beta", "gamma"), rates_of(best.x), strict=True))
    parameters |= dict(zip("ABC", amplitudes.tolist(), strict=True))
    if name != "feng":
        parameters["peak_s"] = float(best.x[0] + best.x[4])
    return BolusFit(name, parameters, shapes_of(best.x), amplitudes, float(np.sum(residual**2)))
