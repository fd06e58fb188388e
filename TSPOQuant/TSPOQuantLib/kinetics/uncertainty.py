"""Uncertainty beyond the covariance matrix: profile likelihood, bootstrap, scan duration."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ..acquisition.frames import FrameTiming
from ..input_function.curve import InputFunction
from ..lazy_modules import optimize
from ..messages import InputRefused
from .compartment import NAMES, Equation
from .compartment_fit import CompartmentScan, outcomes
from .fit import fit
from .models import Model, model_named
from .options import FitOptions, frame_weights
from .result import KineticFit

Array = NDArray[np.float64]

# Doublings of the distance from the estimate before a limit counts as not existing. Not published.
_DOUBLINGS = 12
_SEED = 0
TAIL = 0.025
"""Of either end of a 95 % interval."""


@dataclass(frozen=True, eq=False)
class _Profile:
    """The misfit of one curve (frames,) where its outcome is held to a value and everything else is fitted.

    point: all parameters of the best fit. others: the places in it of those that are fitted, but K1, which follows
    from the outcome; low, high: their bounds.
    """

    model: Model
    equation: Equation
    curve: Array
    point: Array
    others: list[int]
    low: Array
    high: Array

    @property
    def start(self) -> Array:
        return self.point[self.others]

    def completed(self, free: Array, target: float) -> tuple[Array, dict[str, float]]:
        """All parameters with which the outcome is ``target``, and how K1 moves with each of them."""
        point = self.point.copy()
        point[self.others] = free
        (value,), (gradient,) = outcomes(self.model, np.array([[1.0, *point[1:]]]))
        point[0] = target / value
        return point, dict(zip(NAMES, -point[0] * gradient / value, strict=True))

    def residuals(self, free: Array, target: float) -> Array:
        predicted = self.equation.predict(self.completed(free, target)[0][None])[0]
        return np.asarray((predicted - self.curve) * self.equation.root)

    def jacobian(self, free: Array, target: float) -> Array:
        point, chain = self.completed(free, target)
        slopes = self.equation.jacobian(point[None])[1][0]
        columns = [slopes[index] + slopes[0] * chain.get(NAMES[index], 0.0) for index in self.others]
        return np.stack(columns, axis=1) * self.equation.root[:, None]

    def least(self, target: float, start: Array) -> tuple[float, Array]:
        """The least WRSS at an outcome, searched from ``start``, and the parameters that give it."""
        if not self.others:
            return float((self.residuals(start, target) ** 2).sum()), start
        found = optimize.least_squares(
            self.residuals,
            np.clip(start, self.low, self.high),
            self.jacobian,
            bounds=(self.low, self.high),
            x_scale="jac",
            args=(target,),
        )
        return 2 * float(found.cost), found.x

    def end(self, estimate: float, step: float, direction: float, limit: float) -> float:
        """Where the least WRSS passes the limit, above (direction 1) or below (-1) the estimate; infinity or 0 where
        it does not. step: how far to look first; twice as far each time after it."""

        def excess(distance: float, start: Array) -> float:
            return self.least(estimate * np.exp(direction * distance), start)[0] - limit

        near, start = 0.0, self.start
        for doubling in range(_DOUBLINGS):
            # On a log scale, so that the lower end stays positive.
            far = step / estimate * 2.0**doubling
            wrss, moved = self.least(estimate * np.exp(direction * far), start)
            if wrss > limit:
                ends_between = excess(near, start) < 0
                at = optimize.brentq(excess, near, far, (start,), rtol=1e-6) if ends_between else near
                return float(estimate * np.exp(direction * at))
            near, start = far, moved
        return 0.0 if direction < 0 else float("inf")


def profile_interval(
    model: str,
    timing: FrameTiming,
    curve: Array,
    input_function: InputFunction,
    options: FitOptions | None = None,
) -> tuple[float, float]:
    """The 95 % profile-likelihood interval of V_T (or Ki) for one curve (frames,).

    All values whose best WRSS stays below WRSS_min (1 + t^2/(n - p)) with the other parameters refitted within their
    bounds (Bates & Watts 1988). K1 follows from the outcome and so is not bounded here. A delay stays at its estimate.
    A limit that is not found is 0 or infinity.
    """
    options = FitOptions() if options is None else options
    best = fit(model, timing, curve[None], input_function, options)[0]
    chosen = model_named(model)
    if not chosen.compartmental or "K1" not in best.parameter_names:
        raise InputRefused(
            "profile-model", "a profile needs a compartment model with K1 fitted; {model} has none here", model=model
        )
    estimate = best.parameters[chosen.outcome]
    if not np.isfinite(estimate) or estimate <= 0:
        return 0.0, float("inf")
    scan = CompartmentScan.prepare(chosen, timing, input_function, replace(options, delay_s=best.delay_s))
    equation = scan.equation(best.delay_s)
    others = [index for index in equation.free if NAMES[index] != "K1"]
    point = np.array([best.parameters.get(name, scan.bounds[name][0]) for name in NAMES])
    if options.vb != "fit":
        point[NAMES.index("VB")] = scan.bounds["VB"][0]
    low, high = equation.low[others], equation.high[others]
    # Rates stay off 0, where the outcome has no value.
    low = np.where(low == 0, np.minimum(1e-6, high / 2), low)
    profile = _Profile(chosen, equation, curve, point, others, low, high)
    reach = float(stdtrit(best.degrees_of_freedom, 1 - TAIL))
    limit = best.wrss * (1 + reach**2 / best.degrees_of_freedom)
    error = best.standard_errors[chosen.outcome]
    step = error if np.isfinite(error) and 0 < error < estimate else 0.1 * estimate
    return profile.end(estimate, step, -1.0, limit), profile.end(estimate, step, 1.0, limit)


def bootstrap(
    best: KineticFit,
    timing: FrameTiming,
    input_function: InputFunction,
    options: FitOptions | None = None,
    draws: int = 500,
) -> dict[str, Array]:
    """Parametric bootstrap: refit ``draws`` curves, predicted plus normal noise of variance WRSS/(n-p)/weight.

    Returns every parameter's values (draws,), by name; the same in every call.
    """
    if best.line is not None:
        raise InputRefused(
            "bootstrap-model", "the bootstrap needs a compartment model; {model} predicts no curve", model=best.model
        )
    used = best.weights > 0
    spread = np.zeros(len(timing))
    spread[used] = np.sqrt(best.wrss / best.degrees_of_freedom / best.weights[used])
    noise = np.random.default_rng(_SEED).normal(size=(draws, len(timing))) * spread
    fits = fit(best.model, timing, best.predicted + noise, input_function, options)
    return {name: np.array([fitted.parameters[name] for fitted in fits]) for name in best.parameters}


def with_intervals(
    fits: Sequence[KineticFit],
    timing: FrameTiming,
    activity: Array,
    input_function: InputFunction,
    options: FitOptions,
    profile: bool,
    draws: int,
) -> tuple[KineticFit, ...]:
    """Fits of curves (curves, frames) with the 95 % intervals that were asked for; graphical methods have none.

    profile: the profile-likelihood interval; draws: refits of the parametric bootstrap (0: none), whose interval holds
    the middle 95 % of them.
    """
    if not model_named(fits[0].model).compartmental:
        return tuple(fits)
    results = []
    for fitted, curve in zip(fits, activity, strict=True):
        intervals = {}
        if profile:
            intervals["profile"] = profile_interval(fitted.model, timing, curve, input_function, options)
        if draws:
            values = bootstrap(fitted, timing, input_function, options, draws)[model_named(fitted.model).outcome]
            low, high = np.percentile(np.where(np.isnan(values), np.inf, values), (2.5, 97.5))  # no washout: no end
            intervals["bootstrap"] = (float(low), float(high))
        results.append(replace(fitted, intervals=intervals))
    return tuple(results)


def fit_by_duration(
    model: str,
    timing: FrameTiming,
    activity: Array,
    input_function: InputFunction,
    ends_s: Sequence[float],
    options: FitOptions | None = None,
) -> tuple[tuple[KineticFit, ...], ...]:
    """The same fit as if the scan had stopped at each of ``ends_s``: per end, one result a curve.

    V_T of TSPO tracers drifts with scan length (Endres 2009, PMC2883612), which this shows. With ``last_frames`` it
    would compare different windows, so t* decides.
    """
    options = FitOptions() if options is None else options
    weight = frame_weights(options, len(timing))
    return tuple(
        fit(
            model,
            timing,
            activity,
            input_function,
            replace(options, last_frames=None, weights=np.where(timing.ends_s <= end, weight, 0.0)),
        )
        for end in ends_s
    )
