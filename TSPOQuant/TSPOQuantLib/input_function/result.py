"""What the room hands on: the input function with everything that made it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples
from ..acquisition.frames import FrameTiming
from ..messages import InputRefused, Notice
from .calibration import Calibration
from .curve import InputFunction
from .parent_fraction import INTERPOLATION, ParentFractionFit, fit_parent_fraction
from .piecewise_linear import dense_knots
from .plasma_ratio import PlasmaRatioFit, fit_plasma_ratio, given_ratio
from .samples import paired
from .settings import EXTRAPOLATIONS, WEIGHTINGS, PlasmaSettings

Floats = NDArray[np.float64]
Curve = Callable[[Floats], Floats]

# Linear interpolation between the knots of parent plasma is right to this part of its value; shortest interval.
KNOT_TOLERANCE = 1e-4
SHORTEST_INTERVAL_S = 0.05
# Below this fraction, "relative" weights stop growing: counting error does not shrink with the fraction for ever.
# Not from a source.
RELATIVE_FLOOR = 0.05
# Parts of the fitted time: a parent fraction that ends before the first carries no model to the end, one that ends
# after the second needs no word. Choices.
FRACTION_NEEDED = 0.5
FRACTION_ENOUGH = 0.9


@dataclass(frozen=True, eq=False)
class ImageFrames:
    """What an image-derived input was read from: frame averages of the blood pool and the tissue around it."""

    timing: FrameTiming
    blood_pool: Floats
    tissue: Floats | None


@dataclass(frozen=True, eq=False)
class PopulationSpread:
    """Inputs that the person might have had, one a scan of the template.

    sds: (scans,) what one standard normal step along each is worth, so that their squares add up to the variance of a
    person who is not in the template. df: degrees of freedom of that variance. arrival_s: of the tracer.
    """

    inputs: tuple[InputFunction, ...]
    arrival_s: float
    sds: tuple[float, ...]
    df: int


@dataclass(frozen=True, eq=False)
class InputFunctionResult:
    """The input function, each step that led to it, and the settings and findings as a JSON-able dictionary.

    parent_fraction: None when parent plasma was given ready. plasma_ratio: None then, and when measured plasma was
    used as it is. calibration, image: None unless image-derived. notices: of all steps; the same as
    ``input_function.notices``. population: None unless the input is a template's.
    """

    input_function: InputFunction
    parent_fraction: ParentFractionFit | None
    plasma_ratio: PlasmaRatioFit | None
    calibration: Calibration | None
    image: ImageFrames | None
    notices: tuple[Notice, ...]
    settings: dict[str, object]
    population: PopulationSpread | None = None


def plasma_ratio_of(samples: BloodSamples, settings: PlasmaSettings) -> PlasmaRatioFit:
    """The ratio from samples drawn together; else the given constant; else InputRefused ("plasma-ratio-missing")."""
    given = settings.plasma_ratio
    if samples.plasma is not None and samples.whole_blood is not None:
        pairs = paired(samples.plasma, samples.whole_blood)
        if len(pairs[0]) or given is None:
            return _with_least_error(fit_plasma_ratio(*pairs, settings.plasma_ratio_model), settings.sample_cv)
    if given is None:
        raise InputRefused(
            "plasma-ratio-missing",
            "plasma and whole blood were not both sampled; add the missing one or state a constant plasma-to-blood "
            "ratio",
        )
    return given_ratio(given)


def _with_least_error(fit: PlasmaRatioFit, sample_cv: float) -> PlasmaRatioFit:
    """Where no residual tells an error, that of samples as the settings assume it: of two, since a ratio has two."""
    cv = np.sqrt(2) * sample_cv
    if fit.model == INTERPOLATION:
        return replace(fit, covariance=np.diag((cv * fit.ratios) ** 2))
    if fit.aicc:
        return fit
    least = np.array([[(cv * fit.parameters["a"]) ** 2 / len(fit.ratios)]])
    return replace(fit, covariance=np.maximum(fit.covariance, least))


def parent_fraction_of(samples: BloodSamples, settings: PlasmaSettings, until_s: float) -> ParentFractionFit:
    """The fitted parent fraction with a Notice appended when it is needed far beyond its last sample.

    Samples weigh alike, or as 1 / fraction² where the settings say "relative" (the error is a part of the fraction).
    Raises InputRefused: "parent-fraction-…" ("parent-fraction-ends-early" before half of the time), and
    "settings-choice" for an unknown extrapolation or weighting.
    """
    extrapolation, weighting = settings.parent_fraction_extrapolation, settings.parent_fraction_weights
    check_choice("parent_fraction_extrapolation", extrapolation, EXTRAPOLATIONS)
    check_choice("parent_fraction_weights", weighting, WEIGHTINGS)
    weights = None
    if weighting == "relative" and samples.parent_fraction is not None:
        weights = np.maximum(samples.parent_fraction.values, RELATIVE_FLOOR) ** -2.0
    model, hold = settings.parent_fraction_model, extrapolation == "hold"
    fit = fit_parent_fraction(samples.parent_fraction, model, weights, hold)
    if fit.model == INTERPOLATION:
        fit = replace(fit, covariance=np.diag((settings.sample_cv * fit.fractions) ** 2))
    if fit.last_sample_s < FRACTION_NEEDED * until_s:
        raise InputRefused(
            "parent-fraction-ends-early",
            "the last parent fraction was measured at {last_sample_min:.1f} min, before {needed:.0%} of the scan, "
            "which is fitted to {until_min:.1f} min: no model carries it that far; add later samples, or end the "
            "fits earlier ([model] until_min, --until of fit)",
            last_sample_min=fit.last_sample_s / 60,
            needed=FRACTION_NEEDED,
            until_min=until_s / 60,
        )
    if fit.last_sample_s >= FRACTION_ENOUGH * until_s:
        return fit
    held = fit.hold or not fit.parameters
    notice = Notice(
        "parent-fraction-extrapolated",
        "the last parent fraction was measured at {last_sample_min:.1f} min and the scan runs to {until_s:.1f} "
        "min; {continuation}",
        last_sample_min=fit.last_sample_s / 60,
        until_s=until_s / 60,
        continuation="its value is held" if held else "the fitted model runs on",
    )
    return replace(fit, notices=(*fit.notices, notice))


def check_choice(setting: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise InputRefused ("settings-choice") unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise InputRefused(
            "settings-choice",
            "{setting} is {value!r}; choose one of {choices}",
            setting=setting,
            value=value,
            choices=", ".join(choices),
        )


def assemble(
    knots_s: Floats, parent_plasma: Curve, whole_blood: Curve, notices: tuple[Notice, ...], settings: dict[str, object]
) -> InputFunction:
    """Two curves of time in seconds (kBq/mL) on knots that make straight lines between them good enough.

    knots_s: where the curves have corners. Whole blood is straight between them; parent plasma need not be.
    """
    dense = dense_knots(parent_plasma, knots_s, KNOT_TOLERANCE, SHORTEST_INTERVAL_S)
    return InputFunction(dense, parent_plasma(dense), whole_blood(dense), notices, settings)


def findings(
    fraction: ParentFractionFit | None, ratio: PlasmaRatioFit | None, calibration: Calibration | None
) -> dict[str, object]:
    """What the steps found, JSON-able, to stand beside the settings."""
    found: dict[str, object] = {}
    fits: tuple[tuple[str, ParentFractionFit | PlasmaRatioFit | None], ...]
    fits = ("parent_fraction", fraction), ("plasma_ratio", ratio)
    for name, fit in fits:
        if fit is not None:
            found[name] = {
                "model": fit.model,
                "parameters": fit.parameters,
                "standard_errors": dict(zip(fit.parameters, np.sqrt(np.diag(fit.covariance)).tolist(), strict=False)),
                "AICc": fit.aicc,
                "samples": len(fit.times_s),
                **({"flags": list(fit.flags)} if isinstance(fit, ParentFractionFit) else {}),
            }
    if calibration is not None:
        found["calibration"] = {
            "method": calibration.method,
            "scale": calibration.scale,
            "scale_se": calibration.scale_se,
            "recovery": calibration.recovery,
            "recovery_se": calibration.recovery_se,
            "spill_in": calibration.spill_in,
            "spill_in_se": calibration.spill_in_se,
            "sample_times_s": calibration.sample_times_s.tolist(),
            "sample_shift_s": calibration.shift_s,
            "flags": list(calibration.flags),
        }
    return found
