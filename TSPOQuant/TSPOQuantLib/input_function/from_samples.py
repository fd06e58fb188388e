"""The input function from blood samples: raw curves, or parent plasma given ready."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples, SampledCurve
from ..errors import InputRefused, Notice
from .bolus_models import fit_bolus
from .dispersion import correct_dispersion
from .piecewise_linear import evaluate
from .result import (
    Curve,
    InputFunctionResult,
    assemble,
    check_choice,
    findings,
    parent_fraction_of,
    plasma_ratio_of,
)
from .samples import checked, route_notices

Floats = NDArray[np.float64]

CURVES = ("linear", "feng", "tri-exponential")
# Blood must reach this part of the scan: the command line's promise.
SHORTEST_BLOOD = 0.8
# Not from a source: a first sample above this part of the peak missed the rise; sampler and manual samples that
# differ by more than this part are mentioned; before the last rise through this part of the peak there is no blood.
MISSED_RISE = 0.1
SAMPLER_DIFFERS = 0.1
ARRIVAL = 0.02
FEWEST_FOR_FORMULA = 9


@dataclass(frozen=True)
class SampledSettings:
    """Choices for an input from blood samples. No default here is from a published source.

    curve: parent plasma between the samples: "linear", or one formula fitted to all of them, "feng" or
    "tri-exponential" (after a linear rise). Whole blood is always linear between the samples.
    autosampler_until_s: where manual samples take over from the automatic sampler (None: where it ends).
    smoothing_s: half-width of the smoothing window before and at the peak, for the dispersion correction.
    plasma_ratio: constant plasma-to-blood ratio, used only when plasma and whole blood were not sampled together.
    plasma_ratio_model, parent_fraction_model: "best" (lowest AICc), or a model by name.
    parent_fraction_weights: "equal", or "relative" (1 / fraction², for the sake of the late, low fractions).
    parent_fraction_extrapolation: after the last sample the fitted "model" runs on, or "hold" its value there.
    """

    curve: str = "linear"
    autosampler_until_s: float | None = None
    smoothing_s: float = 4.0
    plasma_ratio: float | None = None
    plasma_ratio_model: str = "best"
    parent_fraction_model: str = "best"
    parent_fraction_weights: str = "equal"
    parent_fraction_extrapolation: str = "model"


def sampled_input(samples: BloodSamples, until_s: float, settings: SampledSettings) -> InputFunctionResult:
    """Blood samples to the input function of a scan that ends at ``until_s`` seconds.

    Ready parent plasma is used as it is, with straight lines. Otherwise, with an automatic sampler, parent plasma is
    whole blood (sampler, dispersion-corrected when its constant is known, then manual samples) × plasma/blood ratio
    × parent fraction; without one, the plasma samples × parent fraction. Every curve rises in a straight line from 0
    at time zero to its first sample and keeps its last value to the end of the scan.

    Raises InputRefused: "blood-missing", "blood-short" (blood ends before 80 % of the scan), "blood-…",
    "parent-fraction-…", "plasma-ratio-…", "settings-choice", "dispersion-range".
    """
    check_choice("curve", settings.curve, CURVES)
    notices = [*samples.notices, *route_notices(samples)]
    if samples.parent_plasma is not None:
        return _from_parent_plasma(samples.parent_plasma, samples.whole_blood, until_s, settings, notices)
    fraction = parent_fraction_of(
        samples,
        settings.parent_fraction_model,
        settings.parent_fraction_weights,
        settings.parent_fraction_extrapolation,
        until_s,
    )
    ratio = None
    if samples.autosampler is None and samples.plasma is not None:
        times, values = _from_zero(checked(samples.plasma, "plasma"), "plasma", notices)
        whole_blood, corners = _whole_blood_beside(samples.whole_blood, notices)
        total_plasma = _straight(times, values)
    else:
        ratio = plasma_ratio_of(samples, settings.plasma_ratio, settings.plasma_ratio_model)
        notices += ratio.notices
        times, values = _from_zero(_merged_whole_blood(samples, settings, notices), "whole blood", notices)
        whole_blood, corners, plasma_ratio = _straight(times, values), times, ratio

        def total_plasma(times_s: Floats) -> Floats:
            return whole_blood(times_s) * plasma_ratio(times_s / 60)

    def parent_plasma(times_s: Floats) -> Floats:
        return total_plasma(times_s) * fraction(times_s / 60)

    _check_length(float(times[-1]), until_s, notices)
    notices += fraction.notices
    record: dict[str, object] = {"source": "samples", **asdict(settings), "found": findings(fraction, ratio, None)}
    curve, knots = _shaped(parent_plasma, times, settings.curve, record)
    made = assemble(np.union1d(knots, corners), curve, whole_blood, tuple(notices), record)
    return InputFunctionResult(made, fraction, ratio, None, None, made.notices, record)


def _from_parent_plasma(
    ready: SampledCurve, whole: SampledCurve | None, until_s: float, settings: SampledSettings, notices: list[Notice]
) -> InputFunctionResult:
    times, values = _from_zero(checked(ready, "parent plasma"), "parent plasma", notices)
    _check_length(float(times[-1]), until_s, notices)
    whole_blood, corners = _whole_blood_beside(whole, notices)
    record: dict[str, object] = {"source": "parent-plasma", **asdict(settings), "found": {}}
    curve, knots = _shaped(_straight(times, values), times, settings.curve, record)
    made = assemble(np.union1d(knots, corners), curve, whole_blood, tuple(notices), record)
    return InputFunctionResult(made, None, None, None, None, made.notices, record)


def _straight(times_s: Floats, values: Floats) -> Curve:
    return lambda where_s: evaluate(times_s, values, where_s)


def _from_zero(curve: tuple[Floats, Floats], what: str, notices: list[Notice]) -> tuple[Floats, Floats]:
    """The curve with a point of no activity at time zero when it begins later; a Notice when the rise was missed."""
    times, values = curve
    if times[0] <= 0:
        return times, values
    if values[0] > MISSED_RISE * values.max():
        notices.append(
            Notice(
                "blood-starts-late",
                f"the first {what} sample at {times[0]:.0f} s is already {values[0] / values.max():.0%} of the "
                "highest; a straight rise from time zero stands for what was missed",
            )
        )
    return np.insert(times, 0, 0.0), np.insert(values, 0, 0.0)


def _check_length(last_s: float, until_s: float, notices: list[Notice]) -> None:
    if last_s < SHORTEST_BLOOD * until_s:
        raise InputRefused(
            "blood-short",
            f"the last blood sample is at {last_s:.0f} s and the scan runs to {until_s:.0f} s; blood must reach "
            f"{SHORTEST_BLOOD:.0%} of it: add samples or fit fewer frames",
        )
    if last_s < until_s:
        notices.append(
            Notice(
                "blood-held",
                f"the scan runs {until_s - last_s:.0f} s past the last blood sample; its value is held",
            )
        )


def _whole_blood_beside(whole: SampledCurve | None, notices: list[Notice]) -> tuple[Curve, Floats]:
    """Whole blood that was measured beside plasma, with its corners; not a number where there is none."""
    if whole is None:
        notices.append(
            Notice("whole-blood-missing", "whole blood was not measured; models with V_B and TBR-WB are impossible")
        )
        return lambda where_s: np.full(len(where_s), np.nan), np.zeros(0)
    times, values = _from_zero(checked(whole, "whole blood"), "whole blood", [])
    return _straight(times, values), times


def _merged_whole_blood(
    samples: BloodSamples, settings: SampledSettings, notices: list[Notice]
) -> tuple[Floats, Floats]:
    """The automatic sampler's curve, dispersion-corrected, then the manual samples after it."""
    manual = None if samples.whole_blood is None else checked(samples.whole_blood, "whole blood")
    if samples.autosampler is None:
        if manual is None:
            raise InputRefused(
                "blood-missing", "no whole blood, plasma or parent plasma was found; check the blood file's columns"
            )
        return manual
    times, values = checked(samples.autosampler, "automatic sampler")
    if samples.dispersion_s is not None:
        if not (np.isfinite(samples.dispersion_s) and samples.dispersion_s >= 0):
            raise InputRefused("dispersion-range", f"the dispersion constant {samples.dispersion_s} s is not usable")
        values = correct_dispersion(times, values, samples.dispersion_s, settings.smoothing_s)
    peak = int(np.argmax(values))
    before = np.flatnonzero(values[:peak] <= ARRIVAL * values[peak])
    values = np.maximum(values, 0.0)
    if len(before):
        values[: before[-1] + 1] = 0.0
    if manual is None:
        return times, values
    _compare(manual, (times[peak:], values[peak:]), notices)
    end_s = float(times[-1]) if settings.autosampler_until_s is None else settings.autosampler_until_s
    kept, after = times <= end_s, manual[0] > end_s
    return np.concatenate([times[kept], manual[0][after]]), np.concatenate([values[kept], manual[1][after]])


def _compare(manual: tuple[Floats, Floats], sampler: tuple[Floats, Floats], notices: list[Notice]) -> None:
    both = (manual[0] >= sampler[0][0]) & (manual[0] <= sampler[0][-1])
    there = np.interp(manual[0][both], *sampler)
    if both.any() and (there > 0).all():
        ratio = float(np.median(manual[1][both] / there))
        if abs(ratio - 1) > SAMPLER_DIFFERS:
            notices.append(
                Notice(
                    "autosampler-differs",
                    f"manual whole blood is {ratio:.2f} times the automatic sampler's after the peak (median of "
                    f"{both.sum()}); neither was scaled",
                )
            )


def _shaped(curve: Curve, times_s: Floats, shape: str, record: dict[str, object]) -> tuple[Curve, Floats]:
    """The curve itself, or the formula fitted to its values at the sample times; and where it has corners."""
    if shape == "linear":
        return curve, times_s
    if len(times_s) < FEWEST_FOR_FORMULA:
        raise InputRefused(
            "blood-few-samples", f"{len(times_s)} samples cannot carry the {shape} formula; choose linear"
        )
    values = curve(times_s)
    spacing = np.gradient(times_s)
    peak = int(np.argmax(values))
    # Counting noise with a floor, each sample standing for the time around it, so that a fast sampler's many points
    # do not outvote the tail.
    sigma = np.sqrt((np.maximum(values, 0.0) + ARRIVAL * values[peak]) / spacing)
    fitted = fit_bolus(shape, np.eye(len(times_s)), times_s, values, sigma, float(spacing[peak]))
    record["formula"] = {"name": fitted.name, "parameters": fitted.parameters}
    corners = [fitted.parameters[key] for key in ("onset_s", "peak_s") if key in fitted.parameters]
    return fitted, np.union1d(times_s, corners)
