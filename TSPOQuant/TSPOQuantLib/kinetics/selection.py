"""Which model the data support: information criteria, F-test and likelihood ratio, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, fdtrc

from ..messages import InputRefused
from .models import MODELS
from .result import KineticFit


@dataclass(frozen=True)
class Comparison:
    """One model among several fitted to the same curve.

    aic, aicc, bic: differences from the best of the compared models (0 for the best). weight: Akaike weight by AICc,
    or by AIC where AICc does not exist (Burnham & Anderson 2002).
    """

    model: str
    wrss: float
    n_parameters: int
    aic: float
    aicc: float
    bic: float
    weight: float


def compare(fits: Sequence[KineticFit]) -> tuple[Comparison, ...]:
    """The models of ``fits``, in their order; raises InputRefused ("selection-data") unless all fit the same data."""
    _same_data(fits)
    table = np.array([(fit.aic, fit.aicc, fit.bic) for fit in fits])
    differences = table - np.where(np.isfinite(table), table, np.inf).min(axis=0)
    deciding = differences[:, 1] if np.isfinite(table[:, 1]).all() else differences[:, 0]
    likelihood = np.exp(-deciding / 2)
    shares = likelihood / likelihood.sum()
    return tuple(
        Comparison(fit.model, fit.wrss, fit.n_parameters, float(row[0]), float(row[1]), float(row[2]), float(share))
        for fit, row, share in zip(fits, differences, shares, strict=True)
    )


def preferred(fits: Sequence[KineticFit], criterion: str = "aic") -> KineticFit:
    """The fit with the lowest "aic", "aicc" or "bic"; the earlier one of equals."""
    _same_data(fits)
    if criterion not in ("aic", "aicc", "bic"):
        raise InputRefused(
            "selection-criterion", "there is no criterion {criterion!r}; choose aic, aicc or bic", criterion=criterion
        )
    return min(fits, key=lambda fit: float(getattr(fit, criterion)))


@dataclass(frozen=True)
class NestedTest:
    """Whether a larger model explains more than chance would: F-test and likelihood ratio, each with its chance."""

    simpler: str
    larger: str
    f: float
    f_chance: float
    ratio: float
    ratio_chance: float


def nested_tests(fits: Sequence[KineticFit]) -> tuple[NestedTest, ...]:
    """Every compartment model against the largest of ``fits`` that is nested in it, with some of its parameters."""
    tests = []
    for larger in fits:
        within = [fit for fit in fits if set(MODELS[fit.model].parameters) < set(MODELS[larger.model].parameters)]
        if within:
            simpler = max(within, key=lambda fit: fit.n_parameters)
            tests.append(
                NestedTest(simpler.model, larger.model, *f_test(simpler, larger), *likelihood_ratio(simpler, larger))
            )
    return tuple(tests)


def likelihood_ratio(simpler: KineticFit, larger: KineticFit) -> tuple[float, float]:
    """n ln(WRSS1/WRSS2) and its chance, by chi squared with p2 - p1 degrees of freedom, for normal errors.

    It holds for many frames; with few, F is the exact one.
    """
    _same_data((simpler, larger))
    least = np.finfo(float).tiny
    ratio = simpler.n_frames * float(np.log(max(simpler.wrss, least) / max(larger.wrss, least)))
    return max(ratio, 0.0), float(chdtrc(larger.n_parameters - simpler.n_parameters, max(ratio, 0.0)))


def f_test(simpler: KineticFit, larger: KineticFit) -> tuple[float, float]:
    """F and the chance of an F as large if the simpler, nested model were true.

    F = ((WRSS1 - WRSS2)/(p2 - p1)) / (WRSS2/(n - p2)) with p2 - p1 and n - p2 degrees of freedom; whether the models
    are nested is the caller's to know.
    """
    _same_data((simpler, larger))
    extra = larger.n_parameters - simpler.n_parameters
    if extra <= 0:
        raise InputRefused(
            "selection-order",
            "{model} has no more parameters than {simpler}; give the simpler one first",
            model=larger.model,
            simpler=simpler.model,
        )
    explained = max(simpler.wrss - larger.wrss, 0.0) / extra
    left = max(larger.wrss / larger.degrees_of_freedom, np.finfo(float).tiny)
    return explained / left, float(fdtrc(extra, larger.degrees_of_freedom, explained / left))


def _same_data(fits: Sequence[KineticFit]) -> None:
    if not fits:
        raise InputRefused("selection-data", "there is no fit to compare; fit at least one model")
    first = fits[0]
    for fit in fits[1:]:
        same_frames = fit.weights.shape == first.weights.shape and np.array_equal(fit.weights, first.weights)
        same_ordinate = (fit.line is None) == (first.line is None)
        if not (same_frames and same_ordinate):
            raise InputRefused(
                "selection-data",
                "{model} and {model_2} were not fitted to the same frames and ordinate; refit them alike",
                model=first.model,
                model_2=fit.model,
            )
