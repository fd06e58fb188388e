"""Input functions that the measurements would have allowed as well, for error propagation."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .curve import InputFunction
from .parent_fraction import ParentFractionFit
from .plasma_ratio import PlasmaRatioFit
from .result import InputFunctionResult

Floats = NDArray[np.float64]


def varied(
    result: InputFunctionResult,
    fraction: ParentFractionFit | None,
    ratio: PlasmaRatioFit | None,
    blood: Floats | None = None,
) -> InputFunction:
    """The input function had its steps come out as given, each in place of ``result``'s own (None where it has none).

    blood: (frames,) kBq/mL, whole blood of an image-derived input in every frame; None as it is. The curves are
    multiplied at their knots.
    """
    original = result.input_function
    scale = np.ones(len(original.times_s)) if blood is None else _by_frame(result, blood)
    factor = scale * _change(fraction, result.parent_fraction, original.times_s)
    factor = factor * _change(ratio, result.plasma_ratio, original.times_s)
    return replace(original, parent_plasma=original.parent_plasma * factor, whole_blood=original.whole_blood * scale)


def _by_frame(result: InputFunctionResult, blood: Floats) -> Floats:
    """Whole blood over the original at the knots: that of the frame, at an edge of two the mean of both; 1 where the
    original is 0."""
    assert result.image is not None and result.calibration is not None  # image-derived
    timing, times = result.image.timing, result.input_function.times_s
    before = result.calibration.blood(result.image.blood_pool, result.image.tissue)
    change = np.divide(np.maximum(blood, 0.0), before, out=np.ones(len(before)), where=before > 0)
    last = len(change) - 1
    sides = (np.clip(np.searchsorted(timing.starts_s, times, side) - 1, 0, last) for side in ("left", "right"))
    return np.asarray(sum(change[side] for side in sides) / 2)


def _change(
    drawn: ParentFractionFit | PlasmaRatioFit | None,
    original: ParentFractionFit | PlasmaRatioFit | None,
    times_s: Floats,
) -> Floats:
    """Drawn over original at the knots; 1 where the original is 0."""
    if drawn is None or original is None:
        return np.ones(len(times_s))
    before = original(times_s)
    return np.divide(drawn(times_s), before, out=np.ones(len(times_s)), where=before > 0)
