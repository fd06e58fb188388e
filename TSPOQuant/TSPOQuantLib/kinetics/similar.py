"""V_B of like curves drawn towards their mean by what each one's own data leave open: neither one number nor many.

Random effects, empirical Bayes: the V_B of like tissue scatter around a mean by an SD that their fits tell (Paule &
Mandel 1982, 10.6028/jres.087.022), and each estimate gives way to that mean by its share of noise in what is seen of
it (Morris 1983, 10.1080/01621459.1983.10477920). Where V_B hardly differs this is nearly one V_B for all; where it
differs much, nearly each curve's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from ..messages import InputRefused
from .compartment import NAMES
from .compartment_fit import outcomes
from .coupled import Coupled, ScanCurves
from .fit import fit
from .models import model_named
from .result import KineticFit

Array = NDArray[np.float64]

FEWEST = 4
"""Curves that tell a spread: Morris's formulas need as many."""
_HALVINGS = 60


@dataclass(frozen=True, eq=False)
class Shrunk:
    """Estimates (n,) of one quantity in like places, drawn together.

    variances: of ``values``, the spread's own error included. shares: of the mean in each value. mean, mean_variance;
    spread: SD between the places.
    """

    values: Array
    variances: Array
    shares: Array
    mean: float
    mean_variance: float
    spread: float


def shrunk(estimates: Array, errors: Array) -> Shrunk:
    """estimates, errors: (n >= 4,), each with its standard error above 0.

    With v the errors squared and A the spread squared, B = (n-3)/(n-1) v/(v+A) is the share of the mean m, and the
    variance v (1 - B (n-1)/n) + 2/(n-3) B² (mean of v + A)/(v+A) (estimate - m)² (Morris 1983, section 5).
    """
    count, variances = len(estimates), errors**2
    spread = _spread(estimates, variances)
    seen = variances + spread**2
    mean = float(np.average(estimates, weights=1 / seen))
    shares = (count - 3) / (count - 1) * variances / seen
    away = estimates - mean
    left = variances * (1 - (count - 1) / count * shares)
    left += 2 / (count - 3) * shares**2 * seen.mean() / seen * away**2
    return Shrunk(estimates - shares * away, left, shares, mean, float(1 / np.sum(1 / seen)), spread)


def _spread(estimates: Array, variances: Array) -> float:
    """The SD between places at which the weighted squares come to their degrees of freedom; 0 where they are fewer."""

    def squares(between: float) -> float:
        weight = 1 / (variances + between)
        return float(np.sum(weight * (estimates - np.average(estimates, weights=weight)) ** 2))

    freedom = len(estimates) - 1
    if squares(0.0) <= freedom:
        return 0.0
    low, high = 0.0, float(np.sum((estimates - estimates.mean()) ** 2))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if squares(middle) > freedom else (low, middle)
    return float(np.sqrt(high))


def fit_similar_scans(model: str, scans: Sequence[ScanCurves]) -> Coupled | None:
    """Curves of one structure, of one scan or of several, each fitted with its V_B drawn towards the mean of all.

    A curve whose own fit does not determine V_B keeps that fit; None where fewer than ``FEWEST`` do. Covariance of the
    outcome: that of a fit with V_B known, plus the error of V_B along the fit's own valley, of which what the mean
    leaves open moves all curves together. Raises InputRefused ("coupled-shared", and as ``fit``).
    """
    apart = [(scan, n, fitted) for scan in scans for n, fitted in enumerate(scan.fitted(model))]
    if any("VB" not in fitted.parameter_names for _, _, fitted in apart):
        raise InputRefused("coupled-shared", "V_B is not fitted, so that nothing is shared; fit it")
    separate = [fitted for _, _, fitted in apart]
    errors = np.array([fitted.standard_errors["VB"] for fitted in separate])
    own = np.array([fitted.parameters["VB"] for fitted in separate])
    slopes = np.array([_slope(fitted) for fitted in separate])
    known = np.isfinite(errors) & (errors > 0) & np.isfinite(slopes)
    if known.sum() < FEWEST:
        return None
    drawn = shrunk(own[known], errors[known])
    at = dict(zip(np.flatnonzero(known).tolist(), range(known.sum()), strict=True))
    fits, variances = [], []
    for number, (scan, n, alone) in enumerate(apart):
        if number not in at:
            fits.append(alone)
            variances.append(alone.outcome_error**2)
            continue
        options = replace(scan.options, vb=float(drawn.values[at[number]]))
        (again,) = fit(model, scan.timing, scan.activity[n : n + 1], scan.input_function, options)
        of_vb = float(drawn.variances[at[number]])
        variances.append(again.outcome_error**2 + slopes[number] ** 2 * of_vb)
        whole = {"VB": float(np.sqrt(of_vb)), alone.outcome: float(np.sqrt(variances[-1]))}
        fits.append(replace(again, standard_errors={**again.standard_errors, **whole}))
    reach = np.zeros(len(apart))
    reach[known] = slopes[known] * drawn.shares
    covariance = drawn.mean_variance * np.outer(reach, reach)
    np.fill_diagonal(covariance, variances)
    weight = 1 / errors[known] ** 2
    f = float(np.sum(weight * (own[known] - np.average(own[known], weights=weight)) ** 2) / (known.sum() - 1))
    freedom = sum(fitted.degrees_of_freedom for fitted in separate)
    return Coupled(
        tuple(fits),
        tuple(separate),
        {"VB": drawn.mean},
        {"VB": float(np.sqrt(drawn.mean_variance))},
        covariance,
        f,
        float(fdtrc(known.sum() - 1, freedom, f)),
        drawn.spread,
    )


def _slope(fitted: KineticFit) -> float:
    """By how much the outcome moves against V_B while the other parameters follow it."""
    _, (gradient,) = outcomes(
        model_named(fitted.model), np.array([[fitted.parameters.get(name, 0.0) for name in NAMES]])
    )
    at = fitted.parameter_names.index("VB")
    with_vb = np.array([gradient[NAMES.index(name)] if name in NAMES else 0.0 for name in fitted.parameter_names])
    return float(with_vb @ fitted.covariance[:, at] / fitted.covariance[at, at])
