"""Every curve that an input function could be made of, side by side, before one of them is used."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples, SampledCurve
from ..messages import InputRefused, Text
from .curve import InputFunction
from .ensemble import varied
from .from_samples import sampled_input
from .parent_fraction import INTERPOLATION, ParentFractionFit
from .parent_fraction import MODELS as FRACTION_MODELS
from .piecewise_linear import evaluate, integral_weights
from .plasma_ratio import MODELS as RATIO_MODELS
from .plasma_ratio import PlasmaRatioFit, fit_plasma_ratio
from .result import InputFunctionResult, parent_fraction_of, plasma_ratio_of
from .settings import CURVES, PlasmaSettings, SampledSettings

Floats = NDArray[np.float64]
Fit = TypeVar("Fit", ParentFractionFit, PlasmaRatioFit)

FRACTION, RATIO, PLASMA = "parent fraction", "plasma-to-blood ratio", "parent plasma"
POINTS = 241
"""Of each curve, most of them early: a choice for pictures."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One curve that could be used.

    step: what it is a curve of: FRACTION, RATIO or PLASMA. key: of the setting that chooses it, choice: its value.
    used: whether the settings take it. curve: (POINTS,) at the times of all candidates, nan where it cannot be made,
    for the reason ``refused``. aicc: nan where nothing was fitted. last, end: at the last sample, and at the end.
    area: under parent plasma to the end, over that of the input as it is used; nan where that is not known.
    """

    step: str
    key: str
    choice: str
    used: bool
    curve: Floats
    aicc: float = float("nan")
    last: float = float("nan")
    end: float = float("nan")
    area: float = float("nan")
    flags: tuple[str, ...] = ()
    refused: Text | None = None


@dataclass(frozen=True, eq=False)
class Candidates:
    """All of them at ``times_s`` (POINTS,), with the samples that they should meet, by step.

    input: as the settings make it from samples; None where the image has to be read for it.
    """

    times_s: Floats
    candidates: tuple[Candidate, ...]
    samples: dict[str, SampledCurve]
    blood: BloodSamples
    input: InputFunctionResult | None


def candidates(blood: BloodSamples, until_s: float, settings: PlasmaSettings) -> Candidates:
    """What could be made of the samples for a scan that ends at ``until_s``, one choice changed at a time.

    settings: with SampledSettings the samples make the input, and parent plasma by every interpolation is shown, too;
    with others the image does. Raises InputRefused where the input as it is chosen cannot be made ("blood-…", …).
    """
    times = until_s * np.linspace(0, 1, POINTS) ** 2
    made = sampled_input(blood, until_s, settings) if isinstance(settings, SampledSettings) else None
    found: list[Candidate] = []
    samples: dict[str, SampledCurve] = {}
    if blood.parent_plasma is None:
        found += _fractions(blood, until_s, settings, made, times)
        assert blood.parent_fraction is not None  # refused above
        samples[FRACTION] = blood.parent_fraction
        ratio = made.plasma_ratio if made else plasma_ratio_of(blood, settings)
        if ratio is not None and len(ratio.times_s):
            found += _ratios(until_s, made, times, ratio)
            samples[RATIO] = SampledCurve(ratio.times_s, ratio.ratios)
    if made is not None and isinstance(settings, SampledSettings):
        found += _curves(blood, until_s, settings, made, times)
    return Candidates(times, tuple(found), samples, blood, made)


def _fractions(
    blood: BloodSamples, until_s: float, settings: PlasmaSettings, made: InputFunctionResult | None, times: Floats
) -> Iterator[Candidate]:
    def fit(model: str) -> ParentFractionFit:
        return parent_fraction_of(blood, replace(settings, parent_fraction_model=model), until_s)

    def area(fitted: ParentFractionFit) -> float:
        return _area(made, lambda known: varied(known, fitted, known.plasma_ratio), until_s)

    used = fit(settings.parent_fraction_model).model
    for model in (*(model.name for model in FRACTION_MODELS), INTERPOLATION):
        yield _fitted(FRACTION, "parent_fraction_model", model, model == used, fit, area, times)


def _ratios(
    until_s: float, made: InputFunctionResult | None, times: Floats, used: PlasmaRatioFit
) -> Iterator[Candidate]:
    """Every model on the points that the one in use was fitted to."""

    def fit(model: str) -> PlasmaRatioFit:
        return fit_plasma_ratio(used.times_s, used.ratios, np.ones(len(used.ratios)), model)

    def area(fitted: PlasmaRatioFit) -> float:
        return _area(made, lambda known: varied(known, known.parent_fraction, fitted), until_s)

    for model in (*RATIO_MODELS, INTERPOLATION):
        yield _fitted(RATIO, "plasma_ratio_model", model, model == used.model, fit, area, times)


def _fitted(
    step: str,
    key: str,
    model: str,
    used: bool,
    fit: Callable[[str], Fit],
    area: Callable[[Fit], float],
    times: Floats,
) -> Candidate:
    try:
        fitted = fit(model)
    except InputRefused as refused:
        return Candidate(step, key, model, False, np.full(len(times), np.nan), refused=refused.message)
    curve = fitted(times)
    return Candidate(
        step,
        key,
        model,
        used,
        curve,
        aicc=fitted.aicc.get(model, float("nan")),
        last=float(fitted(fitted.times_s[-1:])[0]),
        end=float(curve[-1]),
        area=area(fitted),
        flags=getattr(fitted, "flags", ()),
    )


def _curves(
    blood: BloodSamples, until_s: float, settings: SampledSettings, made: InputFunctionResult, times: Floats
) -> Iterator[Candidate]:
    measured = blood.parent_plasma or blood.plasma or blood.whole_blood or blood.autosampler
    last_s = measured.end_s if measured else until_s
    for shape in CURVES:
        used = shape == settings.interpolation
        try:
            result = made if used else sampled_input(blood, until_s, replace(settings, interpolation=shape))
        except InputRefused as refused:
            nothing = np.full(len(times), np.nan)
            yield Candidate(PLASMA, "interpolation", shape, False, nothing, refused=refused.message)
            continue
        source = result.input_function
        curve = evaluate(source.times_s, source.parent_plasma, times)
        last = float(evaluate(source.times_s, source.parent_plasma, np.array([last_s]))[0])
        area = _integral(source, until_s) / _integral(made.input_function, until_s)
        yield Candidate(PLASMA, "interpolation", shape, used, curve, last=last, end=float(curve[-1]), area=area)


def _area(
    made: InputFunctionResult | None, change: Callable[[InputFunctionResult], InputFunction], until_s: float
) -> float:
    """Area under the changed input over that of the input as it is made; nan where that is not known."""
    if made is None:
        return float("nan")
    return _integral(change(made), until_s) / _integral(made.input_function, until_s)


def _integral(source: InputFunction, until_s: float) -> float:
    return float((integral_weights(source.times_s, np.array([until_s])) @ source.parent_plasma)[0])
