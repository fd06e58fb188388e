"""The input function from blood samples: raw curves, or parent plasma given ready."""

from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples, SampledCurve, check_covers
from ..messages import InputRefused, Notices
from .bolus_models import fit_bolus
from .curve import gap_in_first_pass
from .dispersion import correct_dispersion
from .piecewise_linear import evaluate
from .plasma_ratio import PlasmaRatioFit, given_ratio
from .result import Curve, InputFunctionResult, assemble, check_choice, findings, parent_fraction_of, plasma_ratio_of
from .samples import route_notices
from .settings import CURVES, SampledSettings

Floats = NDArray[np.float64]

# Not from a source: a first sample above this part of the peak missed the rise; sampler and manual samples that
# differ by more than this part are mentioned; before the last rise through this part of the peak there is no blood.
MISSED_RISE = 0.1
SAMPLER_DIFFERS = 0.1
ARRIVAL = 0.02
FEWEST_FOR_FORMULA = 9


def sampled_input(samples: BloodSamples, until_s: float, settings: SampledSettings) -> InputFunctionResult:
    """Blood samples to the input function of a scan that ends at ``until_s`` seconds.

    Ready parent plasma is used as it is, with straight lines. Otherwise, where plasma was sampled as often as whole
    blood, parent plasma is the plasma samples × parent fraction; else it is whole blood (automatic sampler,
    dispersion-corrected when its constant is known, then manual samples) × plasma/blood ratio × parent fraction.
    Every curve rises in a straight line from 0 at time zero to its first sample and keeps its last value to the end
    of the scan.

    Raises InputRefused: "blood-missing", "blood-ends-early" (before 80 % of the scan), "blood-…", "curve-…",
    "parent-fraction-…", "plasma-ratio-…", "settings-choice", "dispersion-range".
    """
    check_choice("interpolation", settings.interpolation, CURVES)
    notices = Notices([*samples.notices, *route_notices(samples)])
    if samples.parent_plasma is not None:
        return _from_parent_plasma(samples.parent_plasma, samples.whole_blood, until_s, settings, notices)
    no_blood = samples.whole_blood is None and samples.autosampler is None
    if no_blood and samples.plasma is not None and settings.plasma_ratio is not None:
        given = given_ratio(settings.plasma_ratio)
        notices += given.notices
        whole = SampledCurve(samples.plasma.times_s, samples.plasma.values / given(samples.plasma.times_s / 60))
        samples = replace(samples, whole_blood=whole)
    fraction = parent_fraction_of(samples, settings, until_s)
    ratio = None
    counts = [len(curve.times_s) for curve in (samples.whole_blood, samples.autosampler) if curve is not None]
    if samples.plasma is not None and (samples.given == "plasma" or sum(counts) <= len(samples.plasma.times_s)):
        measured = _from_zero(samples.plasma, "plasma", notices)
        beside = samples.whole_blood or _corrected_sampler(samples, settings)
        whole_blood, corners = _whole_blood_beside(beside, samples.plasma.end_s, notices)
        total_plasma = _straight(measured)
    else:
        sampler = _corrected_sampler(samples, settings)
        ratio = plasma_ratio_of(_paired_with(sampler, samples), settings)
        notices += ratio.notices
        manual = _manual_whole_blood(samples, sampler, ratio, notices)
        merged = _merged(sampler, manual, settings.autosampler_until_s, notices)
        measured = _from_zero(merged, "whole blood", notices)
        whole_blood, corners, plasma_ratio = _straight(measured), measured.times_s, ratio

        def total_plasma(times_s: Floats) -> Floats:
            return whole_blood(times_s) * plasma_ratio(times_s)

    def parent_plasma(times_s: Floats) -> Floats:
        return total_plasma(times_s) * fraction(times_s)

    notices += check_covers(BloodSamples(parent_plasma=measured), until_s)
    notices += fraction.notices
    made_from = f"given-{samples.given}" if samples.given else "samples"
    record: dict[str, object] = {"source": made_from, **asdict(settings), "found": findings(fraction, ratio, None)}
    curve, knots = _shaped(parent_plasma, measured.times_s, settings.interpolation, record)
    made = assemble(np.union1d(knots, corners), curve, whole_blood, tuple(notices), record)
    return InputFunctionResult(made, fraction, ratio, None, None, made.notices, record)


def _from_parent_plasma(
    ready: SampledCurve, whole: SampledCurve | None, until_s: float, settings: SampledSettings, notices: Notices
) -> InputFunctionResult:
    measured = _from_zero(ready, "parent plasma", notices)
    notices += check_covers(BloodSamples(parent_plasma=measured), until_s)
    whole_blood, corners = _whole_blood_beside(whole, ready.end_s, notices)
    record: dict[str, object] = {"source": "parent-plasma", **asdict(settings), "found": {}}
    curve, knots = _shaped(_straight(measured), measured.times_s, settings.interpolation, record)
    made = assemble(np.union1d(knots, corners), curve, whole_blood, tuple(notices), record)
    return InputFunctionResult(made, None, None, None, None, made.notices, record)


def _straight(curve: SampledCurve) -> Curve:
    return lambda times_s: evaluate(curve.times_s, curve.values, times_s)


def _from_zero(curve: SampledCurve, what: str, notices: Notices) -> SampledCurve:
    """The curve with a point of no activity at time zero when it begins later; a Notice when the rise was missed."""
    first_s, first, peak = float(curve.times_s[0]), float(curve.values[0]), float(curve.values.max())
    if first > MISSED_RISE * peak:
        notices.add(
            "blood-starts-late",
            "the first {what} sample at {first_s:.0f} s is already {first:.0%} of the highest; the tracer was "
            "injected before time zero, and what came before is missing"
            if first_s <= 0
            else "the first {what} sample at {first_s:.0f} s is already {first:.0%} of the highest; a straight "
            "rise from time zero stands for what was missed",
            what=what,
            first_s=first_s,
            first=first / peak,
        )
    gap = gap_in_first_pass(curve.times_s, curve.times_s, curve.values)
    if gap is not None:
        notices.add(
            "blood-peak-gap",
            "there is no {what} sample from {begin_s:.0f} to {end_s:.0f} s, when the tracer passes; a straight "
            "line stands for the peak",
            what=what,
            begin_s=gap[0],
            end_s=gap[1],
        )
    if first_s <= 0:
        return curve
    return SampledCurve(np.insert(curve.times_s, 0, 0.0), np.insert(curve.values, 0, 0.0))


def _whole_blood_beside(whole: SampledCurve | None, until_s: float, notices: Notices) -> tuple[Curve, Floats]:
    """Whole blood measured beside plasma that ends at ``until_s``, with its corners; not a number without any."""
    if whole is None:
        notices.add("whole-blood-missing", "whole blood was not measured; models with V_B and TBR-WB are impossible")
        return lambda where_s: np.full(len(where_s), np.nan), np.zeros(0)
    if whole.end_s < until_s:
        notices.add(
            "whole-blood-short",
            "whole blood ends at {end_s:.0f} s, before plasma; its last value is held",
            end_s=whole.end_s,
        )
    measured = _from_zero(whole, "whole blood", Notices())
    return _straight(measured), measured.times_s


def _corrected_sampler(samples: BloodSamples, settings: SampledSettings) -> SampledCurve | None:
    """The automatic sampler without dispersion, without noise before the bolus arrives, and not negative."""
    sampler = samples.autosampler
    dispersion_s = samples.dispersion_s if settings.dispersion_s is None else settings.dispersion_s
    if sampler is None or samples.given == "whole-blood":
        return sampler
    values = sampler.values
    if dispersion_s is not None:
        if not (np.isfinite(dispersion_s) and dispersion_s >= 0):
            raise InputRefused(
                "dispersion-range", "the dispersion constant {dispersion_s} s is not usable", dispersion_s=dispersion_s
            )
        values = correct_dispersion(sampler.times_s, values, dispersion_s, settings.sampler_smoothing_s)
    peak = int(np.argmax(values))
    before = np.flatnonzero(values[:peak] <= ARRIVAL * values[peak])
    values = np.maximum(values, 0.0)
    if len(before):
        values[: before[-1] + 1] = 0.0
    return SampledCurve(sampler.times_s, values)


def _paired_with(sampler: SampledCurve | None, samples: BloodSamples) -> BloodSamples:
    """Where no whole blood was drawn by hand, the sampler's at the times of the plasma samples stands for it."""
    if samples.whole_blood is not None or sampler is None or samples.plasma is None:
        return samples
    times = samples.plasma.times_s
    times = times[(times >= sampler.times_s[0]) & (times <= sampler.end_s)]
    if len(times) == 0:
        return samples
    return replace(samples, whole_blood=SampledCurve(times, np.interp(times, sampler.times_s, sampler.values)))


def _manual_whole_blood(
    samples: BloodSamples, sampler: SampledCurve | None, ratio: PlasmaRatioFit, notices: Notices
) -> SampledCurve | None:
    """Whole blood drawn by hand; without any, plasma samples after the sampler's end over the plasma/blood ratio."""
    if samples.whole_blood is not None or sampler is None or samples.plasma is None:
        return samples.whole_blood
    later = samples.plasma.times_s > sampler.end_s
    if not later.any():
        return None
    notices.add(
        "whole-blood-from-plasma",
        "after the automatic sampler's end whole blood is plasma over the plasma-to-blood ratio",
    )
    times = samples.plasma.times_s[later]
    return SampledCurve(times, samples.plasma.values[later] / ratio(times))


def _merged(
    sampler: SampledCurve | None, manual: SampledCurve | None, until_s: float | None, notices: Notices
) -> SampledCurve:
    """The sampler's whole blood until its end, or until ``until_s``; then the samples drawn by hand."""
    if sampler is None or manual is None:
        only = sampler or manual
        if only is None:
            raise InputRefused(
                "blood-missing", "no whole blood, plasma or parent plasma was found; check the blood file's columns"
            )
        return only
    _compare(manual, sampler, notices)
    end_s = sampler.end_s if until_s is None else until_s
    kept, after = sampler.times_s <= end_s, manual.times_s > end_s
    return SampledCurve(
        np.concatenate([sampler.times_s[kept], manual.times_s[after]]),
        np.concatenate([sampler.values[kept], manual.values[after]]),
    )


def _compare(manual: SampledCurve, sampler: SampledCurve, notices: Notices) -> None:
    """A Notice when manual samples after the sampler's peak differ from the sampler."""
    peak_s = float(sampler.times_s[np.argmax(sampler.values)])
    both = (manual.times_s >= peak_s) & (manual.times_s <= sampler.end_s)
    there = np.interp(manual.times_s[both], sampler.times_s, sampler.values)
    if both.any() and (there > 0).all():
        ratio = float(np.median(manual.values[both] / there))
        if abs(ratio - 1) > SAMPLER_DIFFERS:
            notices.add(
                "autosampler-differs",
                "manual whole blood is {ratio:.2f} times the automatic sampler's after the peak (median of "
                "{sum}); neither was scaled",
                ratio=ratio,
                sum=both.sum(),
            )


def _shaped(curve: Curve, times_s: Floats, shape: str, record: dict[str, object]) -> tuple[Curve, Floats]:
    """The curve itself, or the formula fitted to its values at the sample times; and where it has corners."""
    if shape == "linear":
        return curve, times_s
    if len(times_s) < FEWEST_FOR_FORMULA:
        raise InputRefused(
            "blood-few-samples",
            "{n_times_s} samples cannot carry the {shape} formula; choose linear",
            n_times_s=len(times_s),
            shape=shape,
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
