"""Compartment models fitted to curves: from the scan's equation to results with uncertainty and flags."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..information import aic, aicc, bic
from ..input_function.curve import InputFunction
from ..lazy_modules import optimize
from ..messages import InputRefused
from ..quantities import UNITS
from .compartment import NAMES, Equation, best_of, highest_exponent, optimum, refine
from .convolution import BasisFactory, basis_factory, curve_frame_averages
from .flags import at_bound, beyond_scan_flags, bound_flags, outcome_flags, residual_flags
from .models import Model
from .options import FitOptions, frame_weights, resolved_bounds
from .result import KineticFit

Array = NDArray[np.float64]
Bounds = dict[str, tuple[float, float]]

# Seconds between the delays of the grid, and the precision of the refinement. Not published.
_DELAY_STEP_S = 2.5
_DELAY_PRECISION_S = 0.01
# Seconds to either side for the derivative with respect to the delay; the response is smooth on this scale.
_DELAY_DIFFERENCE_S = 0.05
# A rate below this (1/min) is no washout over any scan: V_T would be a division by zero.
NO_WASHOUT = 1e-7


@dataclass(frozen=True, eq=False)
class CompartmentScan:
    """One model on one scan: everything that many curves share."""

    model: Model
    timing: FrameTiming
    input_function: InputFunction
    weight: Array
    bounds: Bounds
    factory: BasisFactory
    tissue_vb: float

    @classmethod
    def prepare(
        cls, model: Model, timing: FrameTiming, input_function: InputFunction, options: FitOptions
    ) -> "CompartmentScan":
        """Raises InputRefused ("bounds-…", "weights-…", "fit-too-few-frames")."""
        bounds = resolved_bounds(model, options)
        factory = basis_factory(input_function, timing, highest_exponent(bounds))
        weight = frame_weights(options, len(timing))
        scan = cls(model, timing, input_function, weight, bounds, factory, options.tissue_vb)
        if scan.n_frames <= len(scan.fitted):
            raise InputRefused(
                "fit-too-few-frames",
                "{model_name} has {n_fitted} parameters for {n_frames} frames; fix some, or use more frames (a later "
                "until_min, fewer frames left out)",
                model_name=model.name,
                n_fitted=len(scan.fitted),
                n_frames=scan.n_frames,
            )
        return scan

    def equation(self, delay_s: float) -> Equation:
        """The weighted model equation with the input ``delay_s`` seconds later."""
        blood = curve_frame_averages(
            self.input_function.times_s, self.input_function.whole_blood, self.timing, delay_s
        )
        low, high = np.array([self.bounds[name] for name in NAMES]).T
        basis = self.factory.basis(delay_s)
        return Equation(basis, blood, basis(np.zeros(1))[0], np.sqrt(self.weight), low, high, self.tissue_vb)

    @property
    def fitted(self) -> tuple[str, ...]:
        """Names of the fitted parameters, the delay last."""
        return tuple(name for name in (*NAMES, "delay") if self.bounds[name][1] > self.bounds[name][0])

    @property
    def n_frames(self) -> int:
        return int((self.weight > 0).sum())


def fit_compartment(
    model: Model,
    timing: FrameTiming,
    curves: Array,
    input_function: InputFunction,
    options: FitOptions,
    near: Sequence[KineticFit] | None = None,
) -> tuple[KineticFit, ...]:
    """One result a curve; near: as for ``fit``."""
    scan = CompartmentScan.prepare(model, timing, input_function, options)
    if "delay" not in scan.fitted:
        delay_s = scan.bounds["delay"][0]
        equation = scan.equation(delay_s)
        if near:
            starts = np.array([[fit.parameters.get(name, scan.bounds[name][0]) for name in NAMES] for fit in near])
            found, _ = refine(equation, curves, starts)
        else:
            found, _ = optimum(equation, curves)
        rows = zip(curves, found, *equation.jacobian(found), strict=True)
        return tuple(_result(scan, curve, delay_s, *row) for curve, *row in rows)
    results = []
    for curve, (parameters, delay_s) in zip(curves, _search_delay(scan, curves), strict=True):
        predicted, slopes = scan.equation(delay_s).jacobian(parameters[None])
        results.append(_result(scan, curve, delay_s, parameters, predicted[0], slopes[0]))
    return tuple(results)


def _search_delay(scan: CompartmentScan, curves: Array) -> list[tuple[Array, float]]:
    """Each curve's parameters and delay: the global optimum at every delay of a grid, then a refined minimum."""
    low, high = scan.bounds["delay"]
    delays = np.linspace(low, high, int(np.ceil((high - low) / _DELAY_STEP_S)) + 1)
    found = [optimum(scan.equation(delay), curves) for delay in delays]
    profile = np.array([wrss for _, wrss in found])
    return [
        _refined_delay(
            scan, curve, delays, int(np.argmin(profile[:, index])), [parameters[index] for parameters, _ in found]
        )
        for index, curve in enumerate(curves)
    ]


def _refined_delay(
    scan: CompartmentScan, curve: Array, delays: Array, at: int, starts: list[Array]
) -> tuple[Array, float]:
    """The minimum around the grid's best delay, ``delays[at]``, from that delay's parameters."""

    def refit(delay: float) -> tuple[Array, float]:
        parameters, wrss = best_of(scan.equation(delay), curve[None], np.zeros(1, dtype=np.intp), starts[at][None])
        return parameters[0], float(wrss[0])

    around = (float(delays[max(at - 1, 0)]), float(delays[min(at + 1, len(delays) - 1)]))
    search = optimize.minimize_scalar(
        lambda delay: refit(float(delay))[1],
        bounds=around,
        method="bounded",
        options={"xatol": _DELAY_PRECISION_S / 2},
    )
    # A bounded search never reaches the ends of its bracket, and the delay's limits may be the minimum.
    best = min((float(delays[at]), float(search.x)), key=lambda delay: refit(delay)[1])
    return refit(best)[0], best


def _result(
    scan: CompartmentScan, curve: Array, delay_s: float, found: Array, predicted: Array, slopes: Array
) -> KineticFit:
    """The result at parameters ``found`` (6,), given the prediction (frames,) and derivatives (6, frames) there."""
    values = {**dict(zip(NAMES, map(float, found), strict=True)), "delay": delay_s}
    fitted = scan.fitted
    residuals = curve - predicted
    wrss = float((scan.weight * residuals**2).sum())
    n, p = scan.n_frames, len(fitted)
    columns = {name: slopes[index] for index, name in enumerate(NAMES)}
    if "delay" in fitted:
        later, earlier = (
            scan.equation(delay_s + shift).predict(found[None])[0]
            for shift in (_DELAY_DIFFERENCE_S, -_DELAY_DIFFERENCE_S)
        )
        columns["delay"] = (later - earlier) / (2 * _DELAY_DIFFERENCE_S)
    inside = [name for name in fitted if at_bound(values[name], *scan.bounds[name]) == 0]
    weighted = {name: columns[name] * np.sqrt(scan.weight) for name in fitted}
    covariance = _covariance(weighted, inside, wrss / (n - p))
    errors = dict(zip(fitted, map(float, np.sqrt(np.diag(covariance))), strict=True))
    parameters, standard_errors = _reported(scan, values, errors, covariance)
    flags = bound_flags({name: values[name] for name in fitted}, scan.bounds, UNITS)
    flags += outcome_flags(scan.model.outcome, parameters[scan.model.outcome], standard_errors[scan.model.outcome])
    if scan.model.outcome == "VT":
        scan_min = float(scan.timing.ends_s[scan.weight > 0][-1] / 60)
        flags += beyond_scan_flags(_slowest_rate(values), scan_min)
    flags += residual_flags(residuals, predicted, scan.weight)
    return KineticFit(
        model=scan.model.name,
        parameters=parameters,
        standard_errors=standard_errors,
        parameter_names=fitted,
        covariance=covariance,
        predicted=predicted,
        residuals=residuals,
        weights=scan.weight,
        wrss=wrss,
        n_frames=n,
        n_parameters=p,
        aic=aic(wrss, n, p),
        aicc=aicc(wrss, n, p),
        bic=bic(wrss, n, p),
        delay_s=delay_s,
        flags=tuple(flags),
        settings={"bounds": {name: scan.bounds[name] for name in fitted}, "tissue_vb": scan.tissue_vb},
    )


def _covariance(columns: dict[str, Array], inside: list[str], variance: float) -> Array:
    """Covariance (p, p) of the parameters whose weighted derivatives are ``columns``; nan where not determined.

    Parameters at a bound take part as if the bound were not there: held fixed, they would make the others look far
    surer than repeated scans are. Only if the data then determine nothing are they held (``inside`` stay). A parameter
    without any effect on the curve (k4 when k3 is 0) is left out.
    """
    names = list(columns)
    moving = [name for name in names if np.any(columns[name])]
    result = np.full((len(names), len(names)), np.nan)
    for kept in (moving, [name for name in moving if name in inside]):
        if not kept:
            continue
        block = covariance_of(np.stack([columns[name] for name in kept], axis=1), variance)
        if np.isfinite(block).all():
            at = [names.index(name) for name in kept]
            result[np.ix_(at, at)] = block
            break
    return result


def covariance_of(jacobian: Array, variance: float) -> Array:
    """(J'J)^-1 x variance of a weighted Jacobian (frames, p) without zero columns; all nan where J'J is singular."""
    norms = np.sqrt((jacobian**2).sum(axis=0))
    triangle = np.linalg.qr(jacobian / norms, mode="r")
    if np.linalg.cond(triangle) > 1e10:
        return np.full((len(norms), len(norms)), np.nan)
    inverse = np.linalg.inv(triangle)
    return np.asarray(inverse @ inverse.T / np.outer(norms, norms) * variance)


def outcomes(model: Model, parameters: Array) -> tuple[Array, Array]:
    """V_T = K1/k2 (1 + k3/k4), or Ki = K1 k3/(k2 + k3), of parameters (curves, 6), and the gradients (curves, 6).

    Source: Innis 2007. nan where there is no washout (V_T) or no exchange at all (Ki).
    """
    k1, k2, k3, k4 = parameters.T[:4]
    gradient = np.zeros_like(parameters)
    if model.outcome == "Ki":
        known = k2 + k3 > NO_WASHOUT
        total = np.where(known, k2 + k3, 1.0)
        value = k1 * k3 / total
        gradient[:, :3] = np.stack([k3 / total, -k1 * k3 / total**2, k1 * k2 / total**2], axis=1)
    else:
        bound = (k3 > NO_WASHOUT) & ("k4" in model.parameters)
        known = (k2 > NO_WASHOUT) & ~(bound & (k4 <= NO_WASHOUT))
        out, back = np.where(known, k2, 1.0), np.where(known & bound, k4, 1.0)
        ratio, free = np.where(bound, k3 / back, 0.0), k1 / out
        value = free * (1 + ratio)
        gradient[:, 0], gradient[:, 1] = (1 + ratio) / out, -free * (1 + ratio) / out
        gradient[:, 2], gradient[:, 3] = np.where(bound, free / back, 0.0), np.where(bound, -free * ratio / back, 0.0)
    return np.where(known, value, np.nan), np.where(known[:, None], gradient, 0.0)


def _reported(
    scan: CompartmentScan, values: dict[str, float], errors: dict[str, float], covariance: Array
) -> tuple[dict[str, float], dict[str, float]]:
    names = [name for name in NAMES if name in scan.model.parameters or name == "VB"]
    if "delay" in scan.fitted:
        names.append("delay")
    parameters = {name: values[name] for name in names}
    standard_errors = {name: errors.get(name, float("nan")) for name in names}
    (value,), (gradient,) = outcomes(scan.model, np.array([[values[name] for name in NAMES]]))
    slope = np.array([gradient[NAMES.index(name)] if name in NAMES else 0.0 for name in scan.fitted])
    touched = slope != 0
    variance = float(slope[touched] @ covariance[np.ix_(touched, touched)] @ slope[touched])
    parameters[scan.model.outcome] = float(value)
    standard_errors[scan.model.outcome] = float(np.sqrt(variance)) if variance > 0 else float("nan")
    return parameters, standard_errors


def _slowest_rate(values: dict[str, float]) -> float:
    """The smaller root of a^2 - (k2 + k3 + k4) a + k2 k4 (k2 itself where nothing binds), 1/min."""
    total = values["k2"] + values["k3"] + values["k4"]
    if values["k3"] == 0 or total == 0:
        return values["k2"]
    return (
        2
        * values["k2"]
        * values["k4"]
        / (total + float(np.sqrt(max(total**2 - 4 * values["k2"] * values["k4"], 0.0))))
    )
