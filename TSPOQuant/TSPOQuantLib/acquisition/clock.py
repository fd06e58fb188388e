"""One clock for image and blood: when the injection really was, and from which moment the blood counts."""

import math
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from ..messages import InputRefused, Notice, Text
from .blood import BloodSamples, SampledCurve
from .decay import growth
from .dicom_values import DAY, clock_after, clock_of
from .frames import FrameTiming
from .image import DynamicImage, half_life_of
from .time_slips import slip_between

# An injection further than this from the start of the scan is a slip of clock or unit (not published).
FARTHEST_S = 6 * 3600.0
# Injection and start of the scan that differ by more than this are told: 3 s move V_T by about 0.3 %.
SAME_START_S = 3.0


def start_notices(first_start_s: float, stated_by: str) -> tuple[Notice, ...]:
    """Tell where the scan does not start with the injection: V_T rests on that difference being true.

    first_start_s: start of the first frame after the injection. stated_by: what says so.
    """
    if abs(first_start_s) <= SAME_START_S:
        return ()
    when = Text("before the scan's start") if first_start_s > 0 else Text("after the scan's start")
    slip = slip_between(first_start_s, 0.0)
    if slip is not None:
        when = Text("{when} ({slip})", when=when, slip=slip)
    return (
        Notice(
            "injection-not-at-start",
            "by {stated_by} the injection was {seconds:.0f} s {when}, and frames and decay count from it; where that "
            "is when the dose was measured, V_T is wrong: state the injection by [pet] injection_time",
            stated_by=stated_by,
            seconds=abs(first_start_s),
            when=when,
        ),
    )


def blood_clock_notices(
    counted_from: Collection[str], first_start_s: float, zero_is_injection: bool
) -> tuple[Notice, ...]:
    """Tell of blood that by its own words counts from another moment than the image, whose clock it is taken to share.

    counted_from: as in ``BloodSamples``. first_start_s: start of the first frame from the image's zero.
    """
    moments = []
    if "scan" in counted_from and abs(first_start_s) > SAME_START_S:
        moments.append(Text("the start of the scan"))
    if "injection" in counted_from and not zero_is_injection:
        moments.append(Text("the injection"))
    return tuple(
        Notice(
            "blood-clock-stated",
            "the blood's file says that its times count from {moment}, which is not the image's time zero, and both "
            "were taken for one moment; bring them to one clock ([blood] time_zero, [pet] injection_time)",
            moment=moment,
        )
        for moment in moments
    )


def at_injection(image: DynamicImage, injection: str | float) -> DynamicImage:
    """The image with times and decay counted from ``injection``, whatever its header says.

    injection: a time of day "HH:MM:SS", or seconds after the start of the first frame (negative before it).
    Raises InputRefused: "injection-time" (no clock in the file, far from the scan), "pet-half-life".
    """
    half_life = half_life_of(image.scan)
    first = float(image.timing.starts_s[0])
    shift = _clock_s(image, injection, first) if isinstance(injection, str) else first + float(injection)
    if not math.isfinite(shift) or abs(first - shift) > FARTHEST_S:
        raise InputRefused(
            "injection-time",
            "[pet] injection_time is {hours:.1f} h from the start of the scan; correct it",
            hours=abs(first - shift) / 3600,
        )
    factor = float(growth(-shift, half_life))
    warned = Notice(
        "injection-given",
        "the injection was given as {seconds:.1f} s before the first frame; what the image says of it was not used",
        seconds=first - shift,
    )
    kept = tuple(notice for notice in image.notices if notice.code not in ABOUT_INJECTION)
    return replace(
        image,
        activity=image.activity * np.float32(factor),
        timing=FrameTiming(image.timing.starts_s - shift, image.timing.durations_s),
        time_zero="injection",
        time_zero_at=image.time_zero_at and image.time_zero_at + timedelta(seconds=shift),
        decay_correction=Text(
            "{before}; then to the given injection by the factor {factor:.6g}",
            before=image.decay_correction,
            factor=factor,
        ),
        notices=(*kept, warned),
        zero_clock=clock_after(image.zero_clock, shift),
    )


ABOUT_INJECTION = (
    "injection-not-at-start",
    "time-zero-first-frame",
    "time-zero-not-injection",
    "pet-injection-date",
    "pet-injection-twice",
)


def blood_at(blood: BloodSamples, image: DynamicImage, zero: str | float) -> BloodSamples:
    """The blood on the image's clock, where it counts from another moment and is decay-corrected to that.

    zero: "injection" (the image's own zero), "scan" (the start of its first frame), a time of day "HH:MM:SS", or
    seconds after the start of the first frame.
    Raises InputRefused: "blood-time-zero", "pet-half-life".
    """
    first = float(image.timing.starts_s[0])
    if zero == "injection":
        if image.time_zero != "injection":
            raise InputRefused(
                "blood-time-zero",
                "the blood counts from the injection and the image from {zero}; state [pet] injection_time",
                zero=image.time_zero,
            )
        return blood
    after = 0.0 if zero == "scan" else zero
    shift = _clock_s(image, after, first) if isinstance(after, str) else first + after
    half_life = half_life_of(image.scan)
    if abs(shift) > FARTHEST_S:
        raise InputRefused(
            "blood-time-zero",
            "[blood] time_zero is {hours:.1f} h from the image's time zero; correct it",
            hours=abs(shift) / 3600,
        )
    factor = float(growth(shift, half_life))

    def moved(curve: SampledCurve | None, scale: float = factor) -> SampledCurve | None:
        return None if curve is None else SampledCurve(curve.times_s + shift, curve.values * scale)

    notice = Notice(
        "blood-time-zero",
        "the blood counts from {seconds:+.1f} s on the image's clock; its times and its decay were brought to that "
        "clock",
        seconds=shift,
    )
    return replace(
        blood,
        whole_blood=moved(blood.whole_blood),
        plasma=moved(blood.plasma),
        parent_fraction=moved(blood.parent_fraction, 1.0),
        autosampler=moved(blood.autosampler),
        parent_plasma=moved(blood.parent_plasma),
        notices=(*blood.notices, notice),
    )


def _clock_s(image: DynamicImage, clock: str, first_s: float) -> float:
    """A time of day in seconds from the image's zero, on the day on which it is nearest to the first frame."""
    given, zero = clock_of(clock), image.clock
    if given is None:
        raise InputRefused("injection-time", "'{clock}' is no time of day; write HH:MM:SS", clock=clock)
    if zero is None:
        raise InputRefused(
            "injection-time",
            "the image does not say what time it was at its zero; give seconds after the first frame's start instead "
            "of {clock}",
            clock=clock,
        )
    apart = (datetime.combine(DAY, given) - datetime.combine(DAY, zero)).total_seconds()
    return first_s + math.remainder(apart - first_s, 24 * 3600.0)
