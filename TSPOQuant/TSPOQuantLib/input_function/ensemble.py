"""Input functions that the measurements would have allowed as well, for error propagation."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .calibration import Calibration
from .curve import InputFunction
from .image_derived import input_from_frames
from .parent_fraction import ParentFractionFit
from .plasma_ratio import PlasmaRatioFit
from .result import InputFunctionResult

Floats = NDArray[np.float64]


def varied(
    result: InputFunctionResult,
    fraction: ParentFractionFit | None,
    ratio: PlasmaRatioFit | None,
    calibration: Calibration | None,
) -> InputFunction:
    """The input function had its steps come out as given, each in place of ``result``'s own (None where it has none).

    Where only scale, ratio or fraction change, the curves are multiplied at their knots; a changed spill-in makes
    them anew from the image.
    """
    original = result.input_function
    anew = calibration is not None and calibration is not result.calibration and calibration.method != "scale"
    if anew and calibration is not None and result.image is not None and fraction is not None and ratio is not None:
        made = input_from_frames(result.image, calibration, ratio, fraction, (), original.settings)
        return replace(made, notices=original.notices)
    before = result.calibration
    scale = 1.0 if calibration is None or before is None else calibration.scale / before.scale
    factor = _change(fraction, result.parent_fraction, original.times_s)
    factor = scale * factor * _change(ratio, result.plasma_ratio, original.times_s)
    return replace(original, parent_plasma=original.parent_plasma * factor, whole_blood=original.whole_blood * scale)


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
