"""The ratio of total plasma to whole-blood activity as a function of time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import signature

import numpy as np
from numpy.typing import NDArray

from ..information import EXACT_FIT, aicc
from ..lazy_modules import optimize
from ..messages import InputRefused, Notice
from .parent_fraction import first_order, inverse_information

Floats = NDArray[np.float64]

INTERPOLATION = "interpolation"
# Pairs in which whole blood is below this part of its highest sample, before that sample, are counting noise.
# Not from a source.
BEFORE_ARRIVAL = 0.05
_RATES = np.geomspace(1e-3, 1.0, 25)  # 1/min, the starting grid of the exponential models; not from a source
_FASTEST, _SLOWEST = 3.0, 1e-4


def constant(times_min: Floats, a: float) -> Floats:
    """a."""
    return np.full(np.shape(times_min), a)


def linear(times_min: Floats, a: float, b: float) -> Floats:
    """a + b t."""
    return np.asarray(a + b * times_min)


def exponential(times_min: Floats, a: float, b: float, rate: float) -> Floats:
    """a + b e^(-rate t)."""
    return np.asarray(a + b * np.exp(-rate * times_min))


def bi_exponential(times_min: Floats, a: float, b: float, rate_1: float, rate_2: float) -> Floats:
    """a e^(-rate_1 t) + b e^(-rate_2 t)."""
    return np.asarray(a * np.exp(-rate_1 * times_min) + b * np.exp(-rate_2 * times_min))


MODELS: dict[str, Callable[..., Floats]] = {
    "constant": constant,
    "linear": linear,
    "exponential": exponential,
    "bi-exponential": bi_exponential,
}
PARAMETER_NAMES = {name: tuple(signature(model).parameters)[1:] for name, model in MODELS.items()}


@dataclass(frozen=True, eq=False)
class PlasmaRatioFit:
    """A fitted ratio, callable on times in seconds; before the first and after the last sample the value there holds.

    model: a name of ``MODELS``, "interpolation", or "given" (a constant from the settings, without samples).
    covariance: (parameters, parameters); of "interpolation" that of the samples, empty where nothing is assumed of
    them. ratios, predicted: at ``times_s``. aicc: every model that was able. error: of what the covariance is of, by
    which the curve is off to first order; None for the fit itself.
    """

    model: str
    parameters: dict[str, float]
    covariance: Floats
    times_s: Floats
    ratios: Floats
    predicted: Floats
    aicc: dict[str, float]
    notices: tuple[Notice, ...] = ()
    error: Floats | None = None

    def __call__(self, times_s: Floats) -> Floats:
        times = np.asarray(times_s, dtype=float)
        if self.model == INTERPOLATION:
            measured = self.ratios if self.error is None else self.ratios + self.error
            return np.asarray(np.interp(times, self.times_s, measured))
        formula, values = MODELS.get(self.model, constant), np.array(list(self.parameters.values()))
        minutes = (times if self.model == "given" else np.clip(times, self.times_s[0], self.times_s[-1])) / 60
        return formula(minutes, *values) + first_order(lambda moved: formula(minutes, *moved), values, self.error)

    def off_by(self, error: Floats) -> "PlasmaRatioFit":
        """The curve were its parameters off by ``error``, to first order: as ``ParentFractionFit.off_by``."""
        return replace(self, error=error)


def given_ratio(value: float) -> PlasmaRatioFit:
    """A constant ratio that the settings state. Raises InputRefused ("plasma-ratio-range") unless it is positive."""
    if not (np.isfinite(value) and value > 0):
        raise InputRefused(
            "plasma-ratio-range", "the plasma-to-blood ratio {value} must be a positive number", value=value
        )
    none = np.zeros(0)
    notice = Notice(
        "plasma-ratio-given", "plasma-to-blood ratio {value:.3g} taken from the settings, not measured", value=value
    )
    return PlasmaRatioFit("given", {"a": float(value)}, np.zeros((1, 1)), none, none, none, {}, (notice,))


def fit_plasma_ratio(times_s: Floats, plasma: Floats, whole_blood: Floats, model: str = "best") -> PlasmaRatioFit:
    """Fit plasma / whole blood of samples drawn together (each (samples,), kBq/mL).

    "best": among constant, linear, a + b e^(-ct) and bi-exponential, those with at least two samples more than
    parameters, the lowest AICc wins (equal weights); the mean where there are one or two samples. The rule is this
    program's own. Pairs before the bolus has arrived are left out.

    Raises InputRefused: "plasma-ratio-missing", "plasma-ratio-range", "plasma-ratio-model", "plasma-ratio-samples".
    """
    if model not in ("best", INTERPOLATION, *MODELS):
        raise InputRefused(
            "plasma-ratio-model",
            "no plasma-ratio model is called {model!r}; choose one of best, {interpolation}, {models}",
            model=model,
            interpolation=INTERPOLATION,
            models=", ".join(MODELS),
        )
    if len(times_s) == 0:
        raise InputRefused(
            "plasma-ratio-missing",
            "no plasma sample was drawn together with whole blood; add them or state a constant plasma-to-blood ratio",
        )
    peak = int(np.argmax(whole_blood))
    arrived = (np.arange(len(whole_blood)) >= peak) | (whole_blood > BEFORE_ARRIVAL * whole_blood[peak])
    times, plasma, whole_blood = np.asarray(times_s)[arrived], plasma[arrived], whole_blood[arrived]
    if (whole_blood <= 0).any() or (plasma <= 0).any():
        raise InputRefused("plasma-ratio-range", "a plasma or whole-blood sample after the bolus is not positive")
    ratios = plasma / whole_blood
    if model == INTERPOLATION:
        return PlasmaRatioFit(INTERPOLATION, {}, np.zeros((0, 0)), times, ratios, ratios, {})
    wanted = tuple(MODELS) if model == "best" else (model,)
    able = [name for name in wanted if len(times) >= len(PARAMETER_NAMES[name]) + 2]
    if not able and model not in ("best", "constant"):
        raise InputRefused(
            "plasma-ratio-samples",
            "{n_times} plasma-ratio samples cannot carry the {model} model; choose constant or add samples",
            n_times=len(times),
            model=model,
        )
    if not able:
        mean = float(ratios.mean())
        variance = float(ratios.var(ddof=1) / len(ratios)) if len(ratios) > 1 else 0.0
        notice = Notice(
            "plasma-ratio-few-samples", "{n_times} samples: the mean plasma-to-blood ratio is used", n_times=len(times)
        )
        return PlasmaRatioFit(
            "constant", {"a": mean}, np.array([[variance]]), times, ratios, np.full(len(times), mean), {}, (notice,)
        )
    fits = {name: _fit(name, times / 60, ratios) for name in able}
    best = min(fits, key=lambda name: fits[name][2])
    values, covariance, _ = fits[best]
    return PlasmaRatioFit(
        best,
        dict(zip(PARAMETER_NAMES[best], values.tolist(), strict=True)),
        covariance,
        times,
        ratios,
        MODELS[best](times / 60, *values),
        {name: fit[2] for name, fit in fits.items()},
    )


def _fit(name: str, times_min: Floats, ratios: Floats) -> tuple[Floats, Floats, float]:
    """Parameters, covariance, AICc (equal weights)."""

    def residuals(values: Floats) -> Floats:
        return np.asarray(MODELS[name](times_min, *values) - ratios)

    number = len(PARAMETER_NAMES[name])
    rates = number - min(number, 2)  # the parameters beyond a and b
    lower = [-np.inf] * (number - rates) + [_SLOWEST] * rates
    upper = [np.inf] * (number - rates) + [_FASTEST] * rates
    start = _start(name, times_min, ratios)
    fit = optimize.least_squares(residuals, start, bounds=(lower, upper), jac="3-point", x_scale="jac")
    count = len(times_min)
    wrss = 2 * float(fit.cost)
    covariance = inverse_information(fit.jac) * wrss / (count - number)
    return np.asarray(fit.x), covariance, aicc(wrss, count, number, EXACT_FIT)


def _start(name: str, times_min: Floats, ratios: Floats) -> Floats:
    """Starting values: the rates from a grid, a and b by linear least squares for each."""
    if name == "constant":
        return np.array([ratios.mean()])
    if name == "linear":
        return np.asarray(np.polyfit(times_min, ratios, 1)[::-1])
    if name == "exponential":
        grid = [(0.0, rate) for rate in _RATES]
    else:
        grid = [(slow, fast) for i, slow in enumerate(_RATES) for fast in _RATES[i + 1 :]]
    best, best_wrss = np.zeros(4), np.inf
    for slow, fast in grid:
        design = np.stack([np.exp(-slow * times_min), np.exp(-fast * times_min)], axis=1)
        amplitudes = np.linalg.lstsq(design, ratios, rcond=None)[0]
        wrss = float(np.sum((design @ amplitudes - ratios) ** 2))
        if wrss < best_wrss:
            best, best_wrss = np.array([*amplitudes, slow, fast]), wrss
    return best if name == "bi-exponential" else best[[0, 1, 3]]
