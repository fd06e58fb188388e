"""The fraction of plasma activity that is unmetabolized tracer, as a function of time.

Sources of the models: Tonietto et al. 2016, J Cereb Blood Flow Metab 36:326 (doi 10.1177/0271678X15610585) and
Wu et al. 2007 (doi 10.1038/sj.jcbfm.9600428) for Hill, power, sigmoid and exponentials; the integrated gamma and
inverse gamma distributions as the kinfitr program writes them. Bounds of the searches are this program's own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from inspect import signature
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaincc

from ..acquisition.blood import SampledCurve
from ..information import EXACT_FIT, aicc
from ..lazy_modules import optimize
from ..messages import InputRefused, Notice, Notices

Floats = NDArray[np.float64]

INTERPOLATION = "interpolation"
# How far beyond 0 and 1 a measured fraction may lie before it is taken for another unit. Not from a source.
FRACTION_TOLERANCE = 0.1
# Fractions that rise by more than this and hardly fall are those of the metabolites: parent tracer is only used up.
# Not from a source.
LARGEST_RISE = 0.1
# How many of the best starting points are refined. Not from a source; the grids below are dense enough for it.
REFINED_STARTS = 3
# Step of the numerical derivative, as a part of a parameter above 1: where its error is least.
DIFFERENCE = float(np.finfo(float).eps) ** (1 / 3)
# Singular values of the slopes below this part of the largest are rounding.
LEAST_TOLD = 1e-6


@dataclass(frozen=True)
class ParentFractionModel:
    """A formula f(t) with t in minutes; bounds and starting values of its parameters, in the formula's order."""

    name: str
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    starts: tuple[tuple[float, ...], ...]
    function: Callable[..., Floats]

    @property
    def parameter_names(self) -> tuple[str, ...]:
        return tuple(signature(self.function).parameters)[1:]

    def at(self, times_s: Floats, values: Iterable[float]) -> Floats:
        """The fraction, within 0 to 1."""
        return np.clip(self.function(times_s / 60, *values), 0.0, 1.0)


def _lost_hill(times_min: Floats, b: float, c: float) -> Floats:
    """t^b / (10^c + t^b), without overflow."""
    return np.asarray(1 / (1 + 10 ** (c - b * np.log10(np.maximum(times_min, 1e-12)))))


def extended_hill(times_min: Floats, p0: float, a: float, b: float, c: float) -> Floats:
    """p0 - (p0 - a) t^b / (10^c + t^b)."""
    return p0 - (p0 - a) * _lost_hill(times_min, b, c)


def hill(times_min: Floats, a: float, b: float, c: float) -> Floats:
    """1 - (1 - a) t^b / (10^c + t^b)."""
    return extended_hill(times_min, 1.0, a, b, c)


def power(times_min: Floats, a: float, b: float, c: float) -> Floats:
    """1 / (1 + (a t)^b)^c."""
    return np.asarray((1 + (a * times_min) ** b) ** -c)


def bi_exponential(times_min: Floats, a: float, b: float, c: float) -> Floats:
    """a e^(-b t) + (1 - a) e^(-c t)."""
    return np.asarray(a * np.exp(-b * times_min) + (1 - a) * np.exp(-c * times_min))


def sigmoid(times_min: Floats, a: float, b: float, c: float) -> Floats:
    """((1 - t^3 / (t^3 + 10^a))^b + c) / (1 + c)."""
    return np.asarray(((1 - _lost_hill(times_min, 3.0, a)) ** b + c) / (1 + c))


def gamma(times_min: Floats, a: float, b: float, c: float) -> Floats:
    """1 - a F(t), F the cumulative gamma distribution of shape b and rate c (1/min)."""
    return np.asarray(1 - a * gammainc(b, c * times_min))


def inverse_gamma(times_min: Floats, a: float, b: float, c: float) -> Floats:
    """1 - a F(t), F the cumulative inverse gamma distribution of shape b and scale c (min)."""
    return np.asarray(1 - a * gammaincc(b, c / np.maximum(times_min, 1e-12)))


_PLATEAUS = (0.0, 0.15, 0.4)
_HILL_SHAPES = (1.0, 2.0, 4.0)
_HILL_SCALES = (0.0, 1.0, 2.0, 3.0, 5.0)

MODELS: tuple[ParentFractionModel, ...] = (
    ParentFractionModel("hill", (0, 0.2, -3), (1, 10, 15), (_PLATEAUS, _HILL_SHAPES, _HILL_SCALES), hill),
    ParentFractionModel(
        "extended-hill",
        (0, 0, 0.2, -3),
        (1, 1, 10, 15),
        ((0.95, 1.0), _PLATEAUS, _HILL_SHAPES, _HILL_SCALES),
        extended_hill,
    ),
    ParentFractionModel(
        "power",
        (1e-4, 0.2, 0.01),
        (10, 10, 10),
        ((0.01, 0.03, 0.1, 0.3), (0.7, 1.5, 3.0), (0.1, 0.4, 1.5)),
        power,
    ),
    ParentFractionModel(
        "bi-exponential",
        (0, 0, 0),
        (1, 5, 5),
        ((0.3, 0.6, 0.9), (0.05, 0.15, 0.5), (0.0, 0.01, 0.03)),
        bi_exponential,
    ),
    ParentFractionModel(
        "sigmoid",
        (-3, 0.01, 0),
        (15, 10, 10),
        ((0.0, 1.5, 3.0, 4.5), (0.1, 0.3, 1.0), (0.0, 0.2, 0.7)),
        sigmoid,
    ),
    ParentFractionModel(
        "gamma",
        (0, 0.2, 1e-3),
        (1, 10, 5),
        ((0.6, 0.85, 1.0), (0.7, 1.5, 3.0), (0.02, 0.07, 0.2, 0.6)),
        gamma,
    ),
    ParentFractionModel(
        "inverse-gamma",
        (0, 0.1, 0.01),
        (1, 10, 200),
        ((0.6, 0.85, 1.0), (0.5, 1.0, 2.5), (1.0, 4.0, 12.0, 40.0)),
        inverse_gamma,
    ),
)
_BY_NAME = {model.name: model for model in MODELS}


@dataclass(frozen=True, eq=False)
class ParentFractionFit:
    """A fitted (or interpolated) parent fraction, callable on times in seconds, always within 0 to 1.

    model: a name of ``MODELS``, or "interpolation" (no parameters; linear between the samples from 1 at time zero,
    last value held). covariance: (parameters, parameters), 0 for a parameter at its bound; of "interpolation" that of
    the samples, empty where nothing is assumed of them.
    predicted, residuals (measured - predicted): at ``times_s``. aicc: every model that had enough samples.
    last_sample_s: nothing is measured after it; ``hold`` keeps the curve's value there instead of the model's.
    flags: "parameter-at-bound:NAME", "few-samples". error: of what the covariance is of, by which the curve is off to
    first order; None for the fit itself.
    """

    model: str
    parameters: dict[str, float]
    covariance: Floats
    times_s: Floats
    fractions: Floats
    predicted: Floats
    residuals: Floats
    aicc: dict[str, float]
    hold: bool = False
    flags: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    error: Floats | None = None

    @property
    def last_sample_s(self) -> float:
        return float(self.times_s[-1])

    def __call__(self, times_s: Floats) -> Floats:
        """Parent fraction at ``times_s`` (any shape); its value at time zero before time zero."""
        times = np.maximum(np.asarray(times_s, dtype=float), 0.0)
        if self.hold:
            times = np.minimum(times, self.last_sample_s)
        if self.model == INTERPOLATION:
            measured = self.fractions if self.error is None else self.fractions + self.error
            return _interpolate(self.times_s, measured, times)
        model, values = _BY_NAME[self.model], np.array(list(self.parameters.values()))
        off = first_order(lambda moved: model.function(times / 60, *moved), values, self.error)
        return np.clip(model.at(times, values) + off, 0.0, 1.0)

    def off_by(self, error: Floats) -> "ParentFractionFit":
        """The curve were its parameters off by ``error`` (parameters,), to first order.

        The covariance describes the curve's error no further: where samples tell parameters poorly apart, the formula
        with all of an error in its parameters is a curve that the samples exclude.
        """
        return replace(self, error=error)


def first_order(curve: Callable[[Floats], Floats], values: Floats, error: Floats | None) -> Floats | float:
    """What an error of its parameters does to a curve, by central differences [textbook: delta method]."""
    if error is None:
        return 0.0
    steps = np.diag(DIFFERENCE * np.maximum(1.0, np.abs(values)))
    slopes = [(curve(values + step) - curve(values - step)) / (2 * step.sum()) for step in steps]
    return np.asarray(sum(slope * part for slope, part in zip(slopes, error, strict=True)))


def inverse_information(jacobian: Floats) -> Floats:
    """(J'J)^-1 of J (samples, parameters), without what J tells no better than its numerical slopes are exact.

    Two equal rates of one formula, for one, move its curve alike: their difference may be anything, and moves nothing.
    """
    sizes = np.linalg.norm(jacobian, axis=0)
    scale = np.where(sizes > 0, sizes, 1.0)
    inverse = np.linalg.pinv(jacobian / scale, rcond=LEAST_TOLD) / scale[:, None]
    return np.asarray(inverse @ inverse.T)


def _interpolate(knots: Floats, fractions: Floats, times: Floats) -> Floats:
    values = np.clip(fractions, 0.0, 1.0)
    if knots[0] > 0:
        knots, values = np.insert(knots, 0, 0.0), np.insert(values, 0, 1.0)
    return np.interp(times, knots, values)


@dataclass(frozen=True, eq=False)
class _Candidate:
    model: ParentFractionModel
    values: Floats
    covariance: Floats
    aicc: float
    flags: tuple[str, ...]


def fit_parent_fraction(
    samples: SampledCurve | None, model: str = "best", weights: Floats | None = None, hold: bool = False
) -> ParentFractionFit:
    """Fit the models to measured fractions (times in seconds) by weighted least squares; the lowest AICc wins.

    model: "best", a name of ``MODELS``, or "interpolation". weights: one a sample (default equal), only their ratios
    matter. A model of p parameters needs at least p + 2 samples; with fewer than that for every model, "best" is a
    linear interpolation, and a Notice says so. Models other than "extended-hill" start at 1.

    Raises InputRefused: "parent-fraction-missing", "parent-fraction-range", "parent-fraction-model",
    "parent-fraction-complement" (it only
    rises), "parent-fraction-samples" (a named model with too few samples), "parent-fraction-weights".
    """
    if samples is None:
        raise InputRefused(
            "parent-fraction-missing",
            "the blood data hold no parent fraction; add a metabolite_parent_fraction column or ready parent plasma",
        )
    times, fractions = samples.times_s, samples.values
    _check_fractions(times, fractions)
    if model not in ("best", INTERPOLATION, *_BY_NAME):
        raise InputRefused(
            "parent-fraction-model",
            "no parent-fraction model is called {model!r}; choose one of best, {interpolation}, {by_name}",
            model=model,
            interpolation=INTERPOLATION,
            by_name=", ".join(_BY_NAME),
        )
    weight = _scaled_weights(weights, len(times))
    wanted = MODELS if model == "best" else tuple(m for m in MODELS if m.name == model)
    able = [m for m in wanted if len(times) >= len(m.parameter_names) + 2]
    if model in _BY_NAME and not able:
        needed = len(_BY_NAME[model].parameter_names) + 2
        raise InputRefused(
            "parent-fraction-samples",
            "{n_times} parent-fraction samples cannot carry the {model} model, which needs {needed}; choose "
            "interpolation or add samples",
            n_times=len(times),
            model=model,
            needed=needed,
        )
    if not able:
        few = () if model == INTERPOLATION else ("few-samples",)
        notice = Notice(
            "parent-fraction-interpolated",
            "{n_times} parent-fraction samples were joined by straight lines from 1 at time zero; no model fitted",
            n_times=len(times),
        )
        predicted = _interpolate(times, fractions, times)
        return ParentFractionFit(
            INTERPOLATION, {}, np.zeros((0, 0)), times, fractions, predicted, fractions - predicted, {}, hold, few,
            (notice,),
        )  # fmt: skip
    candidates = [_fit(m, times, fractions, weight) for m in able]
    best = min(candidates, key=lambda candidate: candidate.aicc)
    predicted = best.model.at(times, best.values)
    notices = Notices()
    if best.flags:
        notices.add(
            "parent-fraction-at-bound",
            "the {model_name} fit of the parent fraction ended with a parameter at its bound ({flags}); "
            "look at the curve",
            model_name=best.model.name,
            flags=", ".join(best.flags),
        )
    return ParentFractionFit(
        best.model.name,
        dict(zip(best.model.parameter_names, best.values.tolist(), strict=True)),
        best.covariance,
        times,
        fractions,
        predicted,
        fractions - predicted,
        {candidate.model.name: candidate.aicc for candidate in candidates},
        hold,
        best.flags,
        tuple(notices),
    )


def _check_fractions(times: Floats, fractions: Floats) -> None:
    if (times < 0).any():
        raise InputRefused("parent-fraction-range", "a parent-fraction sample lies before time zero; correct its time")
    if fractions.max() > 1 + FRACTION_TOLERANCE or fractions.min() < -FRACTION_TOLERANCE:
        raise InputRefused(
            "parent-fraction-range",
            "parent fractions run from {lowest:.3g} to {highest:.3g}; they must be fractions of 1, not percent",
            lowest=fractions.min(),
            highest=fractions.max(),
        )
    third = max(len(fractions) // 3, 1)
    rise = float(fractions[-third:].mean() - fractions[:third].mean())
    fall = float((np.maximum.accumulate(fractions) - fractions).max())
    if len(fractions) > 1 and rise > LARGEST_RISE and fall < rise / 2:
        raise InputRefused(
            "parent-fraction-complement",
            "the parent fraction only rises, from {first:.3g} to {last:.3g}: these are the metabolites' shares; write "
            "1 minus them",
            first=float(fractions[0]),
            last=float(fractions[-1]),
        )


def _scaled_weights(weights: Floats | None, count: int) -> Floats:
    if weights is None:
        return np.ones(count)
    weight = np.asarray(weights, dtype=float)
    if weight.shape != (count,) or not np.isfinite(weight).all() or (weight <= 0).any():
        raise InputRefused(
            "parent-fraction-weights",
            "{count} parent-fraction samples need {count} positive, finite weights",
            count=count,
        )
    return np.asarray(weight / weight.mean())


def _fit(model: ParentFractionModel, times_s: Floats, fractions: Floats, weight: Floats) -> _Candidate:
    minutes, root = times_s / 60, np.sqrt(weight)

    def residuals(values: Floats) -> Floats:
        """(samples,) of (parameters,), or (points, samples) of (points, parameters)."""
        return np.asarray(root * (model.function(minutes, *values.T[..., None]) - fractions))

    def slopes(values: Floats) -> Floats:
        """(samples, parameters), by central differences of all parameters in one call."""
        step = np.diag(DIFFERENCE * np.maximum(1.0, np.abs(values)))
        low, high = np.maximum(values - step, model.lower), np.minimum(values + step, model.upper)
        below, above = np.split(residuals(np.concatenate([low, high])), 2)
        return np.asarray((above - below).T / np.diagonal(high - low))

    grid = np.array(list(product(*model.starts)))
    grid = np.clip(grid, np.asarray(model.lower) + 1e-6, np.asarray(model.upper) - 1e-6)
    order = np.argsort(np.sum(residuals(grid) ** 2, axis=1), kind="stable")
    fits = [
        optimize.least_squares(residuals, start, bounds=(model.lower, model.upper), jac=slopes, x_scale="jac")
        for start in grid[order[:REFINED_STARTS]]
    ]
    fit = min(fits, key=lambda fitted: float(fitted.cost))
    values = np.asarray(fit.x)
    count, free = len(minutes), fit.active_mask == 0
    wrss = 2 * float(fit.cost)
    number = len(values)
    covariance = np.zeros((number, number))
    covariance[np.ix_(free, free)] = inverse_information(fit.jac[:, free]) * wrss / (count - number)
    flags = tuple(
        f"parameter-at-bound:{name}" for name, inside in zip(model.parameter_names, free, strict=True) if not inside
    )
    return _Candidate(model, values, covariance, aicc(wrss, count, number, EXACT_FIT), flags)
