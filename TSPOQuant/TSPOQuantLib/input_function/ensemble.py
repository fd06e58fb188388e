"""Input functions that the measurements would have allowed as well, for error propagation."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..messages import InputRefused, Notice
from .calibration import RECOVERY_RANGE, SPILL_IN_RANGE, Calibration
from .curve import InputFunction
from .image_derived import input_from_frames
from .parent_fraction import ParentFractionFit
from .plasma_ratio import PlasmaRatioFit
from .result import InputFunctionResult

Floats = NDArray[np.float64]


def ensemble(result: InputFunctionResult, n: int, seed: int) -> tuple[InputFunction, ...]:
    """``n`` input functions, drawn from the covariances of parent fraction, plasma ratio and calibration.

    Each draw is multivariate normal, moved into the parameters' bounds; ``seed`` makes it repeatable. What has no
    covariance (interpolated, given by the settings) does not vary; when nothing varies every member is the original
    with a Notice. The choice of the models, and errors common to all samples, are not in it.

    Raises InputRefused ("ensemble-size") unless n is positive.
    """
    if n < 1:
        raise InputRefused(
            "ensemble-size", "an ensemble of {n} input functions was asked for; ask for at least one", n=n
        )
    covariances = [
        part.covariance for part in (result.parent_fraction, result.plasma_ratio, result.calibration) if part
    ]
    if not any(covariance.any() for covariance in covariances):
        notice = Notice(
            "ensemble-no-uncertainty", "nothing that made this input has a standard error; it does not vary"
        )
        same = replace(result.input_function, notices=(*result.input_function.notices, notice))
        return (same,) * n
    generator = np.random.default_rng(seed)
    return tuple(_drawn(result, generator) for _ in range(n))


def _drawn(result: InputFunctionResult, generator: np.random.Generator) -> InputFunction:
    fraction, ratio, calibration = result.parent_fraction, result.plasma_ratio, result.calibration
    if fraction is not None:
        fraction = fraction.with_parameters(_draw(fraction, generator))
    if ratio is not None:
        ratio = ratio.with_parameters(_draw(ratio, generator))
    if calibration is not None and result.image is not None and fraction is not None and ratio is not None:
        calibration = _drawn_calibration(calibration, generator)
    return varied(result, fraction, ratio, calibration)


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
    scale = _scale_change(calibration, result.calibration)
    factor = _change(fraction, result.parent_fraction, original.times_s / 60)
    factor = scale * factor * _change(ratio, result.plasma_ratio, original.times_s / 60)
    return replace(original, parent_plasma=original.parent_plasma * factor, whole_blood=original.whole_blood * scale)


def _scale_change(drawn: Calibration | None, original: Calibration | None) -> float:
    return 1.0 if drawn is None or original is None else drawn.scale / original.scale


def _draw(fit: ParentFractionFit | PlasmaRatioFit, generator: np.random.Generator) -> Floats:
    center = np.array(list(fit.parameters.values()))
    return generator.multivariate_normal(center, fit.covariance, method="svd") if len(center) else center


def _drawn_calibration(calibration: Calibration, generator: np.random.Generator) -> Calibration:
    center = [calibration.recovery, calibration.spill_in]
    recovery, spill_in = generator.multivariate_normal(center, calibration.covariance, method="svd")
    return replace(
        calibration,
        recovery=float(np.clip(recovery, *RECOVERY_RANGE)),
        spill_in=float(np.clip(spill_in, *SPILL_IN_RANGE)),
    )


def _change(
    drawn: ParentFractionFit | PlasmaRatioFit | None,
    original: ParentFractionFit | PlasmaRatioFit | None,
    times_min: Floats,
) -> Floats:
    """Drawn over original at the knots; 1 where the original is 0."""
    if drawn is None or original is None:
        return np.ones(len(times_min))
    before = original(times_min)
    return np.divide(drawn(times_min), before, out=np.ones(len(times_min)), where=before > 0)
