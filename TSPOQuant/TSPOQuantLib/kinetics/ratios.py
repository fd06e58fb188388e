"""Ratios that need no fit: SUV, SUVR, and the target-to-blood ratios TBR-PP and TBR-WB.

A window counts the frames whose middle lies in it; curve and blood are averaged over exactly those frames.
"""

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..input_function.curve import InputFunction
from ..messages import InputRefused
from .convolution import curve_frame_averages

Array = NDArray[np.float64]


def suv(activity: Array, injected_mbq: float, weight_kg: float) -> Array:
    """Standardized uptake value (g/mL): kBq/mL over injected activity per body weight (MBq/kg = kBq/g)."""
    if not (np.isfinite([injected_mbq, weight_kg]).all() and injected_mbq > 0 and weight_kg > 0):
        raise InputRefused("suv-dose", "SUV needs an injected activity and a body weight above 0; give both")
    return np.asarray(activity) * (weight_kg / injected_mbq)


def window_mean(timing: FrameTiming, activity: Array, window_s: tuple[float, float]) -> Array:
    """Mean of curves (..., frames) over a window, each frame by its duration; raises InputRefused ("window-empty")."""
    inside = (timing.mids_s >= window_s[0]) & (timing.mids_s <= window_s[1])
    if not inside.any():
        raise InputRefused(
            "window-empty",
            "no frame's middle lies in {window_s:g} to {second_window_s:g} s; choose another window",
            window_s=window_s[0],
            second_window_s=window_s[1],
        )
    duration = timing.durations_s[inside]
    return np.asarray(np.asarray(activity)[..., inside] @ (duration / duration.sum()))


def suvr(timing: FrameTiming, activity: Array, reference: Array, window_s: tuple[float, float]) -> Array:
    """Ratio of curves (..., frames) to a reference curve (frames,) over a window."""
    return window_mean(timing, activity, window_s) / _positive(window_mean(timing, reference, window_s), "reference")


def tbr(
    timing: FrameTiming, activity: Array, input_function: InputFunction, window_s: tuple[float, float], blood: str
) -> Array:
    """Curves (..., frames) over parent plasma ("PP") or whole blood ("WB") in the same window.

    TBR-PP is the SUV ratio of 10.3389/fnume.2025.1569991 (dose and weight cancel); TBR-WB is its analogue.
    """
    curves = {"PP": input_function.parent_plasma, "WB": input_function.whole_blood}
    if blood not in curves:
        raise InputRefused("tbr-blood", "{blood!r} is neither PP (parent plasma) nor WB (whole blood)", blood=blood)
    averages = curve_frame_averages(input_function.times_s, curves[blood], timing)
    return window_mean(timing, activity, window_s) / _positive(window_mean(timing, averages, window_s), "blood")


def _positive(mean: Array, what: str) -> Array:
    if not mean > 0:
        raise InputRefused(
            "window-zero", "the {what} curve is not above 0 in the window; choose another window", what=what
        )
    return mean
