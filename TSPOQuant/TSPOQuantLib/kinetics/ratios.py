"""Ratios that need no fit: SUV, SUVR, and the target-to-blood ratios TBR-PP and TBR-WB.

A window counts every frame by the time that both share: the mean of a frame that it cuts counts for that part.
Curve and blood are averaged over exactly those frames with those weights.
"""

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import EDGE_TOLERANCE_S, FrameTiming
from ..input_function.curve import InputFunction
from ..messages import InputRefused, Listed, Notice, Notices, Text
from .convolution import curve_frame_averages

Array = NDArray[np.float64]


def suv(activity: Array, injected_mbq: float, weight_kg: float) -> Array:
    """Standardized uptake value (g/mL): kBq/mL over injected activity per body weight (MBq/kg = kBq/g)."""
    if not (np.isfinite([injected_mbq, weight_kg]).all() and injected_mbq > 0 and weight_kg > 0):
        raise InputRefused("suv-dose", "SUV needs an injected activity and a body weight above 0; give both")
    return np.asarray(activity) * (weight_kg / injected_mbq)


def window_mean(timing: FrameTiming, activity: Array, window_s: tuple[float, float]) -> Array:
    """Mean of curves (..., frames) over a window; raises InputRefused ("window-empty")."""
    shared = window_seconds(timing, window_s)
    inside = shared > 0
    return np.asarray(np.asarray(activity)[..., inside] @ (shared[inside] / shared.sum()))


def window_seconds(timing: FrameTiming, window_s: tuple[float, float]) -> Array:
    """(frames,): how many seconds of each frame lie in a window. Raises InputRefused ("window-empty")."""
    shared = np.minimum(timing.ends_s, window_s[1]) - np.maximum(timing.starts_s, window_s[0])
    shared = np.where(shared > EDGE_TOLERANCE_S, shared, 0.0)
    if not shared.any():
        raise InputRefused(
            "window-empty",
            "no frame lies in {begin:g} to {end:g} min; choose another [outcome] window_min",
            begin=window_s[0] / 60,
            end=window_s[1] / 60,
        )
    return shared


def window_notices(timing: FrameTiming, window_s: tuple[float, float]) -> tuple[Notice, ...]:
    """Tell of frames that a window cuts, and of a part of it where there is no data."""
    shared = window_seconds(timing, window_s)
    cut = np.flatnonzero((shared > 0) & (shared < timing.durations_s - EDGE_TOLERANCE_S))
    notices = Notices()
    if cut.size:
        parts = Listed(
            Text("frame {frame}, {share:.0%} of it", frame=int(f) + 1, share=float(shared[f] / timing.durations_s[f]))
            for f in cut
        )
        notices.add(
            "window-cuts-frames",
            "the window of SUV cuts frames, whose means count by the time that lies in it: {parts}",
            parts=parts,
        )
    lacking = window_s[1] - window_s[0] - float(shared.sum())
    if lacking > EDGE_TOLERANCE_S * len(timing):
        notices.add("window-lacks-data", "{seconds:.0f} s of the window of SUV hold no frame", seconds=lacking)
    return tuple(notices)


def blood_mean(timing: FrameTiming, input_function: InputFunction, window_s: tuple[float, float], blood: str) -> Array:
    """Parent plasma ("PP") or whole blood ("WB") over a window: what a curve's mean is divided by for its ratio.

    TBR-PP is the SUV ratio of 10.3389/fnume.2025.1569991 (dose and weight cancel); TBR-WB is its analogue. Raises
    InputRefused ("tbr-blood", "window-empty", "window-zero").
    """
    curves = {"PP": input_function.parent_plasma, "WB": input_function.whole_blood}
    if blood not in curves:
        raise InputRefused("tbr-blood", "{blood!r} is neither PP (parent plasma) nor WB (whole blood)", blood=blood)
    averages = curve_frame_averages(input_function.times_s, curves[blood], timing)
    mean = window_mean(timing, averages, window_s)
    if not mean > 0:
        raise InputRefused("window-zero", "the blood curve is not above 0 in the window; choose another window")
    return mean
