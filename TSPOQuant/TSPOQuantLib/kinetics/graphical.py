"""Graphical (linear) methods: Logan, MA1, MA2, Patlak.

The field's convention for Logan, MA1 and MA2 abscissae: the integral of parent plasma is exact to the middle of each
frame, the integral of the tissue curve is the earlier frames plus half the present one (a gap between frames counts
with the mean of its neighbors). Patlak divides exact frame averages by exact frame averages.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..input_function.curve import InputFunction
from ..messages import InputRefused, Notice
from .convolution import curve_frame_averages, respond
from .flags import outcome_flags
from .options import FitOptions, fixed_vb, frame_weights
from .result import KineticFit, Line, information_criteria

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Automatic t*: the earliest frame from which no residual exceeds this share of the line (a common rule of PET tools).
LARGEST_RESIDUAL = 0.10
# Not published: an automatic t* keeps at least this many frames.
FEWEST_FRAMES = 5
# Not published: the share of the plasma integral that may lie before the first frame.
MISSED_INPUT = 0.01


def tissue_integral(timing: FrameTiming) -> Array:
    """The matrix (frames, frames), minutes, that turns frame averages into their integral to each frame's middle."""
    durations = timing.durations_s / 60
    matrix = np.tril(np.broadcast_to(durations, (len(timing), len(timing))), -1) + np.diag(durations / 2)
    for frame, gap in enumerate(timing.gaps_s / 60):
        if gap > 0:
            matrix[frame + 1 :, frame : frame + 2] += gap / 2
    return np.asarray(matrix)


def tissue_double_integral(timing: FrameTiming) -> Array:
    """The matrix (frames, frames), minutes squared: the integral of the integral, each frame held constant."""
    durations = timing.durations_s / 60
    first = tissue_integral(timing)
    starts = first - np.diag(durations / 2)  # integral to each frame's start
    n = len(timing)
    matrix = np.zeros((n, n))
    whole = np.zeros(n)  # double integral to the present frame's start
    for frame in range(n):
        unit = np.eye(n)[frame]
        matrix[frame] = whole + starts[frame] * durations[frame] / 2 + unit * durations[frame] ** 2 / 8
        whole = whole + starts[frame] * durations[frame] + unit * durations[frame] ** 2 / 2
        if frame + 1 < n and timing.gaps_s[frame] > 0:
            end = starts[frame] + unit * durations[frame]
            whole = whole + (end + starts[frame + 1]) / 2 * timing.gaps_s[frame] / 60
    return matrix


@dataclass(frozen=True, eq=False)
class PlasmaIntegrals:
    """Integrals of parent plasma per frame: ``first`` and ``second`` at mid-frame (kBq/mL min, min2), and the exact
    frame averages of the plasma (``level``) and of its integral (``mean_first``)."""

    first: Array
    second: Array
    level: Array
    mean_first: Array


def plasma_integrals(input_function: InputFunction, timing: FrameTiming, delay_s: float) -> PlasmaIntegrals:
    """Exact integrals of the input, ``delay_s`` seconds later."""
    running = respond(input_function.times_s, input_function.parent_plasma, np.zeros(1))
    first, second = running.at(timing.mids_s - delay_s)
    level = curve_frame_averages(input_function.times_s, input_function.parent_plasma, timing, delay_s)
    return PlasmaIntegrals(first[:, 0], second[:, 0], level, running.frame_averages(timing, delay_s)[:, 0])


def remove_blood(
    activity: Array, vb: float, input_function: InputFunction, timing: FrameTiming, delay_s: float
) -> Array:
    """Tissue curves (curves, frames): (C_PET - V_B C_WB) / (1 - V_B)."""
    if vb == 0:
        return activity
    blood = curve_frame_averages(input_function.times_s, input_function.whole_blood, timing, delay_s)
    return np.asarray((activity - vb * blood) / (1 - vb))


@dataclass(frozen=True, eq=False)
class _Regression:
    """A weighted linear regression: ordinate = design @ coefficients in the frames used."""

    coefficients: Array
    covariance: Array
    fitted: Array
    wrss: float


def _regress(design: Array, ordinate: Array, weight: Array, used: Mask) -> _Regression:
    root = np.sqrt(weight * used)[:, None]
    rows = np.where(used[:, None], design, 0.0)
    target = np.where(used, ordinate, 0.0)
    scale = np.sqrt((root**2 * rows**2).sum(axis=0))
    scale[scale == 0] = 1.0
    inverse = np.linalg.pinv(root * rows / scale)
    coefficients = inverse @ (root[:, 0] * target) / scale
    fitted = rows @ coefficients
    wrss = float((root[:, 0] ** 2 * (target - fitted) ** 2).sum())
    room = int((used & (weight > 0)).sum()) - design.shape[1]
    variance = wrss / room if room > 0 else np.nan
    covariance = inverse @ inverse.T / np.outer(scale, scale) * variance
    return _Regression(coefficients, covariance, fitted, wrss)


def _nothing(design: Array) -> _Regression:
    frames, size = design.shape
    nan = float("nan")
    return _Regression(np.full(size, nan), np.full((size, size), nan), np.full(frames, nan), nan)


def _largest_residual(regression: _Regression, ordinate: Array, used: Mask) -> float:
    line = np.abs(regression.fitted[used])
    if (line == 0).any():
        return float("inf")
    return float((np.abs(ordinate[used] - regression.fitted[used]) / line).max())


def _delta(gradient: Array, covariance: Array) -> float:
    return float(np.sqrt(gradient @ covariance @ gradient))


@dataclass(frozen=True, eq=False)
class _Equation:
    """One method's linear equation for one curve and what its coefficients mean.

    design: (frames, p); ordinate: (frames,); valid: frames where the coordinates exist. outcome: coefficients ->
    parameter values and the gradient of each. per_activity: the ordinate is kBq/mL and so predicts the curve.
    """

    design: Array
    ordinate: Array
    valid: Mask
    outcome: Callable[[Array], dict[str, tuple[float, Array]]]
    predicted: Callable[[Array], Array]


def _logan(tissue: Array, plasma: PlasmaIntegrals, first: Array, second: Array) -> _Equation:
    """Logan 1990: int C_T / C_T = V_T int C_P / C_T + intercept."""
    del second
    valid = tissue > 0
    safe = np.where(valid, tissue, 1.0)
    abscissa = np.where(valid, plasma.first / safe, 0.0)
    ordinate = np.where(valid, first / safe, 0.0)

    def outcome(c: Array) -> dict[str, tuple[float, Array]]:
        return {"VT": (c[0], np.array([1.0, 0.0])), "intercept": (c[1], np.array([0.0, 1.0]))}

    def predicted(c: Array) -> Array:
        return np.asarray((first - c[0] * plasma.first) / c[1]) if c[1] else np.full_like(tissue, np.nan)

    return _Equation(np.stack([abscissa, np.ones_like(tissue)], axis=1), ordinate, valid, outcome, predicted)


def _ratio(numerator: int, denominator: int, size: int, c: Array) -> tuple[float, Array]:
    """-c[numerator] / c[denominator] and its gradient; nan where the denominator is 0."""
    gradient = np.zeros(size)
    if c[denominator] == 0:
        return float("nan"), np.full(size, np.nan)
    value = -c[numerator] / c[denominator]
    gradient[numerator] = -1 / c[denominator]
    gradient[denominator] = -value / c[denominator]
    return float(value), gradient


def _ma1(tissue: Array, plasma: PlasmaIntegrals, first: Array, second: Array) -> _Equation:
    """Ichise 2002, MA1: C_T = g1 int C_P + g2 int C_T, V_T = -g1/g2."""
    del second
    design = np.stack([plasma.first, first], axis=1)
    return _Equation(
        design, tissue, np.ones(len(tissue), dtype=bool), lambda c: {"VT": _ratio(0, 1, 2, c)}, lambda c: design @ c
    )


def _ma2(tissue: Array, plasma: PlasmaIntegrals, first: Array, second: Array) -> _Equation:
    """Ichise 2002, MA2: C_T = g1 iint C_P + g2 iint C_T + g3 int C_T + g4 int C_P.

    V_T = -g1/g2; V_S = V_T - V_N with V_N = K1/k2 = -g4^2 / (g1 + g3 g4).
    """
    design = np.stack([plasma.second, second, first, plasma.first], axis=1)

    def outcome(c: Array) -> dict[str, tuple[float, Array]]:
        total, gradient = _ratio(0, 1, 4, c)
        below = c[0] + c[2] * c[3]
        if below == 0:
            return {"VT": (total, gradient), "VS": (float("nan"), np.full(4, np.nan))}
        free = -(c[3] ** 2) / below
        free_gradient = np.array([-free / below, 0.0, -free * c[3] / below, -2 * c[3] / below - free * c[2] / below])
        return {"VT": (total, gradient), "VS": (total - free, gradient - free_gradient)}

    return _Equation(design, tissue, np.ones(len(tissue), dtype=bool), outcome, lambda c: design @ c)


def _patlak(tissue: Array, plasma: PlasmaIntegrals, first: Array, second: Array) -> _Equation:
    """Patlak 1983: C_T / C_P = Ki int C_P / C_P + V_0, exact for frame averages of both sides."""
    del first, second
    valid = plasma.level > 0
    safe = np.where(valid, plasma.level, 1.0)
    design = np.stack([np.where(valid, plasma.mean_first / safe, 0.0), np.ones_like(tissue)], axis=1)

    def outcome(c: Array) -> dict[str, tuple[float, Array]]:
        return {"Ki": (c[0], np.array([1.0, 0.0])), "V0": (c[1], np.array([0.0, 1.0]))}

    return _Equation(
        design,
        np.where(valid, tissue / safe, 0.0),
        valid,
        outcome,
        lambda c: c[0] * plasma.mean_first + c[1] * plasma.level,
    )


_EQUATIONS = {"Logan": _logan, "MA1": _ma1, "MA2": _ma2, "Patlak": _patlak}


def late_frames(timing: FrameTiming, options: FitOptions) -> Mask | None:
    """The frames the options ask for (frames,) bool, or None when t* is automatic.

    Raises InputRefused ("tstar-value", "frames-last").
    """
    if options.last_frames is not None:
        if not 1 <= options.last_frames <= len(timing):
            raise InputRefused(
                "frames-last",
                "the last {last_frames} frames of {n_timing} do not exist; ask for fewer",
                last_frames=options.last_frames,
                n_timing=len(timing),
            )
        return np.arange(len(timing)) >= len(timing) - options.last_frames
    if options.tstar_s == "auto":
        return None
    if isinstance(options.tstar_s, str) or not np.isfinite(options.tstar_s) or options.tstar_s < 0:
        raise InputRefused(
            "tstar-value", "{tstar_s!r} is no t*; give seconds from the scan's start, or auto", tstar_s=options.tstar_s
        )
    return np.asarray(timing.mids_s >= options.tstar_s)


def _choose_frames(equation: _Equation, weight: Array, asked: Mask | None, every: bool) -> tuple[Mask, Notice | None]:
    usable = equation.valid & (weight > 0)
    if asked is not None:
        return usable & asked, None
    if every:
        return usable, None
    order = np.flatnonzero(usable)
    fewest = max(FEWEST_FRAMES, equation.design.shape[1] + 1)
    for first in order[: max(len(order) - fewest + 1, 0)]:
        used = usable & (np.arange(len(usable)) >= first)
        regression = _regress(equation.design, equation.ordinate, weight, used)
        if _largest_residual(regression, equation.ordinate, used) <= LARGEST_RESIDUAL:
            return used, None
    last = np.zeros(len(usable), dtype=bool)
    last[order[-fewest:]] = True
    return last, Notice(
        "tstar-not-found",
        "no start of the line keeps every residual within {largest_residual:.0%}; the last {sum} frames serve",
        largest_residual=LARGEST_RESIDUAL,
        sum=last.sum(),
    )


def fit_graphical(
    model: str, timing: FrameTiming, activity: Array, input_function: InputFunction, options: FitOptions
) -> tuple[KineticFit, ...]:
    """Fit a graphical method to curves (curves, frames) in kBq/mL; see ``FitOptions`` for t* and V_B.

    Standard errors are those of the weighted linear regression (V_T of MA1 and MA2 by the delta method); they treat
    the regressors as exact, as the field does, though these hold the noise of the curve: Logan's does not cover its
    noise bias, and MA1's is often too large.
    """
    if options.delay_s == "fit":
        raise InputRefused(
            "delay-graphical", "{model} cannot fit a delay; give seconds, or fit it with 1TCM first", model=model
        )
    delay_s = float(options.delay_s)
    vb = fixed_vb(options)
    weight = frame_weights(options, len(timing))
    tissue = remove_blood(activity, vb, input_function, timing, delay_s)
    plasma = plasma_integrals(input_function, timing, delay_s)
    first = tissue @ tissue_integral(timing).T
    second = tissue @ tissue_double_integral(timing).T
    asked = late_frames(timing, options)
    enough_frames(model, (weight > 0) & (True if asked is None else asked))
    common = _missed_input(timing, plasma, input_function, delay_s)
    fits = []
    for curve, single, double in zip(tissue, first, second, strict=True):
        equation = _EQUATIONS[model](curve, plasma, single, double)
        used, notice = _choose_frames(equation, weight, asked, model == "MA2")
        size = equation.design.shape[1]
        if used.sum() <= size:
            used = np.zeros_like(used)  # this curve has no coordinates: nothing is fitted, and its flags say so
        flags = common + (() if notice is None else (notice,))
        fits.append(_result(model, equation, curve, weight, used, timing, delay_s, vb, flags))
    return tuple(fits)


def enough_frames(model: str, available: Mask) -> None:
    """Refuse ("fit-too-few-frames") frames (frames,) too few for the method's coefficients and a residual."""
    needed = (4 if model == "MA2" else 2) + 1
    if available.sum() < needed:
        raise InputRefused(
            "fit-too-few-frames",
            "{model} has {sum} frames with weight after t* and needs {needed}; start it earlier",
            model=model,
            sum=available.sum(),
            needed=needed,
        )


def _missed_input(
    timing: FrameTiming, plasma: PlasmaIntegrals, input_function: InputFunction, delay_s: float
) -> tuple[Notice, ...]:
    running = respond(input_function.times_s, input_function.parent_plasma, np.zeros(1))
    before = running.at(timing.starts_s[:1] - delay_s)[0][0, 0]
    if before <= MISSED_INPUT * plasma.first[-1]:
        return ()
    return (
        Notice(
            "scan-starts-late",
            "{before:.0%} of the input came before the first frame; the tissue integral misses it",
            before=before / plasma.first[-1],
        ),
    )


def _result(
    model: str,
    equation: _Equation,
    tissue: Array,
    weight: Array,
    used: Mask,
    timing: FrameTiming,
    delay_s: float,
    vb: float,
    flags: tuple[Notice, ...],
) -> KineticFit:
    in_use = np.where(used, weight, 0.0)
    if used.any():
        in_use = in_use / in_use[used].mean()
        regression = _regress(equation.design, equation.ordinate, in_use, used)
        largest = _largest_residual(regression, equation.ordinate, used)
    else:
        regression = _nothing(equation.design)
        largest = float("nan")
    outcome = equation.outcome(regression.coefficients)
    parameters = {name: float(value) for name, (value, _) in outcome.items()}
    errors = {name: _delta(gradient, regression.covariance) for name, (_, gradient) in outcome.items()}
    gradients = np.array([gradient for _, gradient in outcome.values()])
    predicted = np.where(used, equation.predicted(regression.coefficients), np.nan)
    n, p = int(used.sum()), equation.design.shape[1]
    aic, aicc, bic = information_criteria(regression.wrss, n, p) if n else (float("nan"),) * 3
    name = next(iter(parameters))
    flags += tuple(outcome_flags(name, parameters[name], errors[name]))
    if largest > LARGEST_RESIDUAL:
        flags += (
            Notice("line-bent", "a residual of the line reaches {largest:.0%}; start it later", largest=largest),
        )
    two = regression.coefficients if p == 2 else np.full(2, np.nan)
    line = Line(
        equation.design[:, 0],
        equation.ordinate,
        float(two[0]),
        float(two[1]),
        used,
        largest,
    )
    return KineticFit(
        model=model,
        parameters=parameters,
        standard_errors=errors,
        parameter_names=tuple(parameters),
        covariance=gradients @ regression.covariance @ gradients.T,
        predicted=predicted,
        residuals=tissue - predicted,
        weights=in_use,
        wrss=regression.wrss,
        n_frames=n,
        n_parameters=p,
        aic=aic,
        aicc=aicc,
        bic=bic,
        tstar_s=float(timing.starts_s[np.argmax(used)]) if n else None,
        delay_s=delay_s,
        flags=flags,
        line=line,
        settings={"vb": vb},
    )
