"""The input function from a blood-pool region of the dynamic image."""

from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples, SampledCurve
from ..acquisition.frames import FrameTiming
from ..messages import InputRefused, Notice
from .arrival import check_arrival
from .calibration import (
    Calibration,
    given_calibration,
    plausible,
    recovery_calibration,
    scale_calibration,
    timed_calibration,
)
from .curve import InputFunction
from .frame_integrals import ContinuousCurve, checked_frames, continuous_curve
from .parent_fraction import ParentFractionFit
from .piecewise_linear import evaluate
from .plasma_ratio import PlasmaRatioFit
from .result import (
    Curve,
    ImageFrames,
    InputFunctionResult,
    assemble,
    check_choice,
    findings,
    parent_fraction_of,
    plasma_ratio_of,
)
from .samples import route_notices
from .settings import CALIBRATIONS, ImageDerivedSettings

Floats = NDArray[np.float64]

# The first pass lasts till then; earlier samples calibrate from this part of the highest on, and with so many in
# all and after it.
# Choices.
FIRST_PASS_S = 120.0
RISEN = 0.1
FEWEST_TIMED, FEWEST_LATE = 4, 2


def image_derived_input(
    timing: FrameTiming,
    blood_pool_activity: Floats,
    samples: BloodSamples,
    settings: ImageDerivedSettings,
    tissue_activity: Floats | None = None,
    until_s: float | None = None,
    half_life_s: float | None = None,
) -> InputFunctionResult:
    """Blood-pool frame averages (frames,) in kBq/mL to the input function, calibrated to blood.

    tissue_activity: frame averages of the tissue around the vessel, (frames,), for spill-in. until_s: where the fits
    end, None for the scan's end; the parent fraction has to last that long. half_life_s: by which late frames of a
    decayed tracer are noisier, None for no decay. The whole-blood curve's mean over every
    frame equals that frame's calibrated average.

    Raises InputRefused: "calibration-…", "input-…", "plasma-ratio-…", "parent-fraction-…", "blood-…",
    "settings-choice".
    """
    check_choice("calibration", settings.calibration, CALIBRATIONS)
    end_s = float(timing.ends_s[-1])
    fraction = parent_fraction_of(samples, settings, end_s if until_s is None else min(end_s, until_s))
    ratio = plasma_ratio_of(samples, settings)
    tissue = None if tissue_activity is None else checked_frames(timing, tissue_activity, "tissue")
    image = ImageFrames(timing, checked_frames(timing, blood_pool_activity, "blood-pool"), tissue)
    calibration = _calibrate(image, samples, settings, half_life_s)
    notices = (
        *samples.notices,
        *route_notices(samples),
        *check_arrival(timing, image.blood_pool, samples),
        *calibration.notices,
        *ratio.notices,
        *fraction.notices,
    )
    record: dict[str, object] = {
        "source": "image-derived",
        **asdict(settings),
        "found": findings(fraction, ratio, calibration),
    }
    made = input_from_frames(image, calibration, ratio, fraction, notices, record)
    return InputFunctionResult(made, fraction, ratio, calibration, image, made.notices, record)


def input_from_frames(
    image: ImageFrames,
    calibration: Calibration,
    ratio: PlasmaRatioFit,
    fraction: ParentFractionFit,
    notices: tuple[Notice, ...],
    settings: dict[str, object],
) -> InputFunction:
    """Whole blood from the frames; parent plasma = whole blood × plasma/blood ratio × parent fraction."""
    curve = continuous_curve(image.timing, calibration.blood(image.blood_pool, image.tissue))

    def whole_blood(times_s: Floats) -> Floats:
        return evaluate(curve.knots_s, curve.values, times_s)

    def parent_plasma(times_s: Floats) -> Floats:
        return whole_blood(times_s) * ratio(times_s) * fraction(times_s)

    return assemble(curve.knots_s, parent_plasma, whole_blood, (*notices, *curve.notices), settings)


def _calibrate(
    image: ImageFrames, samples: BloodSamples, settings: ImageDerivedSettings, half_life_s: float | None
) -> Calibration:
    if image.tissue is None and (settings.spill_in != 0 or settings.calibration == "recovery-spill-in"):
        raise InputRefused(
            "calibration-tissue-missing",
            "spill-in needs the curve of the tissue around the vessel; give that region or calibrate by scale",
        )
    from_s = first_sample_s(samples, settings, image.timing)
    times, blood = _samples_from(from_s, image.timing, samples)
    late = times >= FIRST_PASS_S
    timed = settings.calibration == "recovery-spill-in" and not late.all() and len(times) >= FEWEST_TIMED
    if settings.calibration == "none" or len(times) == 0:
        if settings.recovery is None:
            raise InputRefused(
                "calibration-missing",
                "no whole-blood sample lies between {calibration_from_s:g} s and the end of the scan, and no "
                "recovery is given; add a sample, choose an earlier calibration_from_s, or state the recovery",
                calibration_from_s=max(from_s, float(image.timing.starts_s[0])),
            )
        return given_calibration(settings.recovery, settings.spill_in)
    seen = continuous_curve(image.timing, image.blood_pool)
    pool = evaluate(seen.knots_s, seen.values, times)
    empty = (pool <= 0) & (late | (not timed))
    if empty.any():
        raise InputRefused(
            "calibration-empty",
            "the blood-pool region shows no activity {minutes:.1f} min after time zero, when blood was drawn (frame "
            "{frame}); check that frame, the region's place, and that image and blood share one clock",
            minutes=float(times[int(np.argmax(empty))]) / 60,
            frame=int(np.searchsorted(image.timing.starts_s, times[int(np.argmax(empty))], "right")),
        )
    if settings.calibration == "scale":
        return plausible(scale_calibration(times, blood, pool, settings.sample_cv))
    if len(times) == 1:
        scaled = scale_calibration(times, blood, pool, settings.sample_cv)
        notice = Notice(
            "calibration-scale-only",
            "recovery and spill-in need two late samples; only a scale was fitted, which takes what tissue spills "
            "into the late frames for blood: on simulated necks the area under the input came out 15 to 29 % too low "
            "and V_T too high, which no interval holds; add samples of the first ten minutes",
        )
        return plausible(replace(scaled, notices=(*scaled.notices, notice)))
    assert image.tissue is not None  # refused above
    around = continuous_curve(image.timing, image.tissue, bolus=False)
    if timed:
        frames = np.searchsorted(image.timing.starts_s, times, "right") - 1
        curves, noise = (_curve_of(seen), _curve_of(around)), frame_noise(image, half_life_s)
        return plausible(timed_calibration(times, blood, *curves, frames, noise, settings.sample_cv))
    tissue = evaluate(around.knots_s, around.values, times)
    return plausible(recovery_calibration(times, blood, pool, tissue, settings.sample_cv))


def frame_noise(image: ImageFrames, half_life_s: float | None) -> Floats:
    """Variance of the blood pool in every frame, by one unknown factor: counts are as activity and duration, less
    decay, which the image is corrected for. What reads nothing is as noisy as the least that reads anything."""
    timing, seen = image.timing, image.blood_pool
    raised = 1.0 if half_life_s is None else 2 ** (timing.mids_s / half_life_s)
    return np.asarray(np.maximum(seen, seen[seen > 0].min()) * raised / timing.durations_s)


def _curve_of(found: ContinuousCurve) -> Curve:
    return lambda times_s: evaluate(found.knots_s, found.values, times_s)


def first_sample_s(samples: BloodSamples, settings: ImageDerivedSettings, timing: FrameTiming) -> float:
    """From when on samples calibrate: as stated; else arterial blood from the start, where there are enough samples
    during the scan to tell recovery together with the time at which it comes, and all other from the end of the first
    pass on."""
    if settings.calibration_from_s is not None:
        return settings.calibration_from_s
    if samples.route != "arterial" or settings.calibration != "recovery-spill-in" or samples.whole_blood is None:
        return FIRST_PASS_S
    times = samples.whole_blood.times_s[_comparable(samples.whole_blood, timing)]
    enough = len(times) >= FEWEST_TIMED and np.count_nonzero(times >= FIRST_PASS_S) >= FEWEST_LATE
    return 0.0 if enough else FIRST_PASS_S


def _comparable(whole: SampledCurve, timing: FrameTiming) -> NDArray[np.bool_]:
    """Samples during the scan, but for those of the first pass that the tracer has hardly reached."""
    seen = (whole.times_s >= timing.starts_s[0]) & (whole.times_s <= timing.ends_s[-1])
    return np.asarray(seen & ((whole.times_s >= FIRST_PASS_S) | (whole.values > RISEN * whole.values.max())))


def _samples_from(from_s: float, timing: FrameTiming, samples: BloodSamples) -> tuple[Floats, Floats]:
    """Whole blood during the scan from that time on; of the first pass without what came before the tracer."""
    if samples.whole_blood is None:
        return np.zeros(0), np.zeros(0)
    times, blood = samples.whole_blood.times_s, samples.whole_blood.values
    used = (times >= from_s) & _comparable(samples.whole_blood, timing)
    if (blood[used] <= 0).any():
        raise InputRefused(
            "blood-not-positive", "a late whole-blood sample is not positive; leave it out or correct it"
        )
    return times[used], blood[used]
