"""Checks that every measured blood curve must pass."""

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples, SampledCurve
from ..errors import InputRefused, Notice

# Two samples this close in time were drawn together. Not from a source.
SAME_DRAW_S = 1.0


def checked(curve: SampledCurve, what: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times in seconds and values of a curve. Raises InputRefused ("blood-shape", "blood-not-finite", "blood-order").

    what: the curve's name in the message, "whole blood".
    """
    times, values = np.asarray(curve.times_s, dtype=float), np.asarray(curve.values, dtype=float)
    if times.ndim != 1 or times.shape != values.shape or times.size == 0:
        raise InputRefused("blood-shape", f"the {what} samples need as many values as times, at least one")
    if not (np.isfinite(times).all() and np.isfinite(values).all()):
        raise InputRefused("blood-not-finite", f"a {what} sample is not a number; leave it out or correct it")
    if (np.diff(times) <= 0).any():
        row = int(np.argmax(np.diff(times) <= 0)) + 2
        raise InputRefused("blood-order", f"{what} sample {row} is not later than the one before it; sort the table")
    return times, values


def paired(
    first: tuple[NDArray[np.float64], NDArray[np.float64]], second: tuple[NDArray[np.float64], NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Times and both values of the samples of ``first`` and ``second`` that were drawn together."""
    nearest = np.argmin(np.abs(first[0][:, None] - second[0]), axis=1)
    together = np.abs(first[0] - second[0][nearest]) <= SAME_DRAW_S
    return first[0][together], first[1][together], second[1][nearest[together]]


def route_notices(samples: BloodSamples) -> tuple[Notice, ...]:
    """What the sampling route means for the input (Reference: JNM 2015;56:365, venous against arterial)."""
    if samples.route == "venous":
        return (Notice("blood-venous", "blood was sampled from a vein; its parent fraction may differ from arterial"),)
    if samples.route == "unknown":
        return (Notice("blood-route-unknown", "whether blood was arterial or venous is not stated"),)
    return ()
