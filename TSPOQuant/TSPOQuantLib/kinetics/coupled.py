"""Curves of one scan fitted together: what all of them must share is one number, known better than any of them alone.

The blood that reaches the regions of a scan comes at one delay, and V_B of like tissue is alike. Given the shared
parameters, the regions are separate fits at their global optima; so only the shared ones are searched (variable
projection over regions). A region's residual variance is that of its own separate fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import fdtrc

from ..acquisition.frames import FrameTiming
from ..input_function.curve import InputFunction
from ..messages import InputRefused
from .compartment import NAMES, optimum
from .compartment_fit import CompartmentScan, outcomes
from .fit import fit
from .flags import at_bound
from .models import model_named
from .options import FitOptions
from .result import KineticFit

Array = NDArray[np.float64]

SHARED = ("VB", "delay")
"""What can be shared, as far as it is fitted."""
# The search ends where the shared parameters move by less than this part of their bounds. Not published.
_PRECISION = 3e-4
_DELAY_DIFFERENCE_S = 0.05


@dataclass(frozen=True, eq=False)
class Coupled:
    """Curves of one scan with shared parameters.

    fits: one a curve, the shared parameters the same in all; standard errors from the joint covariance. separate: the
    same curves, each by itself. shared, shared_errors: by name. covariance: (curves, curves) of the outcome, which the
    shared parameters make move together. f, f_chance: whether separate shared parameters explain more than chance
    would (F-test, and the chance of an F as large where they are one); nan with a single curve.
    """

    fits: tuple[KineticFit, ...]
    separate: tuple[KineticFit, ...]
    shared: dict[str, float]
    shared_errors: dict[str, float]
    covariance: Array
    f: float
    f_chance: float


def fit_coupled(
    model: str, timing: FrameTiming, activity: Array, input_function: InputFunction, options: FitOptions
) -> Coupled:
    """Fit a compartment model to curves (curves, frames) of one scan with one V_B and one delay, as far as both are
    fitted. Raises InputRefused ("coupled-model", "coupled-shared", and as ``fit``).
    """
    if not model_named(model).compartmental:
        raise InputRefused(
            "coupled-model",
            "{model} has no V_B to share; name a compartment model, or leave --coupled out",
            model=model,
        )
    separate = fit(model, timing, activity, input_function, options)
    names = tuple(name for name in SHARED if name in separate[0].parameter_names)
    if not names:
        raise InputRefused(
            "coupled-shared", "neither V_B nor the delay is fitted, so that nothing is shared; fit one of them"
        )
    spread = np.array([one.wrss / one.degrees_of_freedom for one in separate])
    scan = CompartmentScan.prepare(model_named(model), timing, input_function, options)

    def chosen(values: Array) -> FitOptions:
        given = dict(zip(names, map(float, values), strict=True))
        return replace(options, vb=given.get("VB", options.vb), delay_s=given.get("delay", options.delay_s))

    def misfit(values: Array) -> float:
        given = dict(zip(names, map(float, values), strict=True))
        equation = scan.equation(given.get("delay", scan.bounds["delay"][0]))
        low, high = (
            np.array([given.get(name, bound) for name, bound in zip(NAMES, end, strict=True)])
            for end in (equation.low, equation.high)
        )
        _, wrss = optimum(replace(equation, low=low, high=high), activity)
        return float((wrss / spread).sum())

    limits = np.array([scan.bounds[name] for name in names])
    width = limits[:, 1] - limits[:, 0]
    start = np.clip(np.median([[one.parameters[name] for name in names] for one in separate], axis=0), *limits.T)
    found = minimize(
        lambda unit: misfit(np.clip(limits[:, 0] + unit * width, *limits.T)),
        (start - limits[:, 0]) / width,
        method="Nelder-Mead",
        options={"xatol": _PRECISION, "fatol": 1e-4, "initial_simplex": _simplex((start - limits[:, 0]) / width)},
    )
    values = np.clip(limits[:, 0] + found.x * width, *limits.T)
    fits = fit(model, timing, activity, input_function, chosen(values))
    return _coupled(fits, separate, scan, names, values, spread)


def _simplex(start: Array) -> Array:
    """Corners a twentieth of the bounds away from the start, inside of them."""
    corners = [start]
    for index in range(len(start)):
        corner = start.copy()
        corner[index] += 0.05 if start[index] < 0.5 else -0.05
        corners.append(corner)
    return np.array(corners)


def _coupled(
    fits: Sequence[KineticFit],
    separate: Sequence[KineticFit],
    scan: CompartmentScan,
    names: tuple[str, ...],
    values: Array,
    spread: Array,
) -> Coupled:
    """The joint covariance: every region's own parameters and the shared ones, by the blocks of the normal matrix."""
    delay_s = float(values[names.index("delay")]) if "delay" in names else float(scan.bounds["delay"][0])
    own = [name for name in scan.fitted if name not in names]
    points = np.array([[_value(one, name, scan) for name in NAMES] for one in fits])
    equation = scan.equation(delay_s)
    _, slopes = equation.jacobian(points)
    earlier, later = (
        scan.equation(delay_s + shift).predict(points) for shift in (-_DELAY_DIFFERENCE_S, _DELAY_DIFFERENCE_S)
    )
    by_delay = (later - earlier) / (2 * _DELAY_DIFFERENCE_S)
    total = float(sum(one.wrss / s for one, s in zip(fits, spread, strict=True)))
    frames, regions = scan.n_frames, len(fits)
    freedom = regions * (frames - len(own)) - len(names)
    scale = max(total / freedom, 1.0)  # where sharing fits worse than chance, the errors say so
    local, cross = [], []
    information = np.zeros((len(names), len(names)))
    for number, one in enumerate(fits):
        columns = dict(zip(NAMES, slopes[number], strict=True)) | {"delay": by_delay[number]}
        root = np.sqrt(scan.weight / spread[number])
        inside = [n for n in own if at_bound(one.parameters[n], *scan.bounds[n]) == 0 or np.any(columns[n])]
        mine = np.stack([columns[name] * root for name in inside], axis=1)
        theirs = np.stack([columns[name] * root for name in names], axis=1)
        inverse = np.linalg.pinv(mine.T @ mine)
        coupling = inverse @ mine.T @ theirs
        information += theirs.T @ theirs - theirs.T @ mine @ coupling
        (gradient,) = outcomes(scan.model, points[number][None])[1]
        slope = np.array([gradient[NAMES.index(name)] for name in inside])
        local.append((inside, slope, inverse * scale))
        cross.append(coupling)
    joint = np.linalg.pinv(information) * scale
    reach = np.array([-slope @ coupling for (_, slope, _), coupling in zip(local, cross, strict=True)])
    covariance = reach @ joint @ reach.T + np.diag([slope @ inverse @ slope for _, slope, inverse in local])
    errors = dict(zip(names, map(float, np.sqrt(np.diag(joint))), strict=True))
    results = []
    for number, (one, (inside, _, inverse), coupling) in enumerate(zip(fits, local, cross, strict=True)):
        block = np.sqrt(np.diag(inverse + coupling @ joint @ coupling.T))
        told = dict(zip(inside, map(float, block), strict=True)) | errors
        told[one.outcome] = float(np.sqrt(covariance[number, number]))
        shared = dict(zip(names, map(float, values), strict=True))
        results.append(
            replace(one, parameters={**one.parameters, **shared}, standard_errors={**one.standard_errors, **told})
        )
    return Coupled(
        tuple(results),
        tuple(separate),
        dict(zip(names, map(float, values), strict=True)),
        errors,
        covariance,
        *_test(total, separate, spread, len(names), frames),
    )


def _test(
    total: float, separate: Sequence[KineticFit], spread: Array, shared: int, frames: int
) -> tuple[float, float]:
    """F of the shared parameters against separate ones, and its chance."""
    apart = float(sum(one.wrss / s for one, s in zip(separate, spread, strict=True)))
    extra = shared * (len(separate) - 1)
    left = sum(frames - one.n_parameters for one in separate)
    if extra == 0 or left <= 0:
        return float("nan"), float("nan")
    f = max(total - apart, 0.0) / extra / (apart / left)
    return f, float(fdtrc(extra, left, f))


def _value(one: KineticFit, name: str, scan: CompartmentScan) -> float:
    """A parameter of the fit; what the model lacks is fixed at its bound."""
    return one.parameters.get(name, scan.bounds[name][0])
