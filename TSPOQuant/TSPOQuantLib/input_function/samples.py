"""What blood samples say about each other and about the input."""

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples, SampledCurve
from ..messages import Notice

# Two samples this close in time were drawn together. Not from a source.
SAME_DRAW_S = 1.0


def paired(
    first: SampledCurve, second: SampledCurve
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Times in seconds and both values of the samples of ``first`` and ``second`` that were drawn together."""
    nearest = np.argmin(np.abs(first.times_s[:, None] - second.times_s), axis=1)
    together = np.abs(first.times_s - second.times_s[nearest]) <= SAME_DRAW_S
    return first.times_s[together], first.values[together], second.values[nearest[together]]


def route_notices(samples: BloodSamples) -> tuple[Notice, ...]:
    """What the sampling route means for the input (Reference: JNM 2015;56:365, venous against arterial)."""
    if samples.route == "venous":
        return (Notice("blood-venous", "blood was sampled from a vein; its parent fraction may differ from arterial"),)
    if samples.route == "unknown":
        return (Notice("blood-route-unknown", "whether blood was arterial or venous is not stated"),)
    return ()
