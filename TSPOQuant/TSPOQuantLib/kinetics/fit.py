"""``fit``: one model, many curves, one input."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..input_function.curve import InputFunction
from ..messages import InputRefused
from .compartment_fit import fit_compartment
from .graphical import fit_graphical
from .models import DEFAULT_BOUNDS, model_named
from .options import FitOptions, frame_weights
from .result import KineticFit

Array = NDArray[np.float64]


def fit(
    model: str,
    timing: FrameTiming,
    activity: Array,
    input_function: InputFunction,
    options: FitOptions | None = None,
    near: Sequence[KineticFit] | None = None,
) -> tuple[KineticFit, ...]:
    """Fit one model to curves (curves, frames) in kBq/mL, decay-corrected like the input; one result a curve.

    Compartment models: weighted least squares between model and datum averaged over each frame, at its global optimum
    within the bounds (see compartment.py). The covariance is that of the weighted Jacobian at the optimum times
    WRSS/(n - p); V_T's standard error is by the delta method with all covariances.
    near: fits of the same curves with an input that hardly differs. A compartment model of known delay is then refined
    from them instead of sought everywhere, which is several times as fast.
    Raises InputRefused ("model-…", "tac-…", "input-…", "weights-…", "bounds-…", "fit-too-few-frames", …).
    """
    chosen = model_named(model)
    options = FitOptions() if options is None else options
    weight = frame_weights(options, len(timing))
    # A graphical method integrates every frame; a compartment model looks only at those with weight.
    needed = weight > 0 if chosen.compartmental else np.ones_like(weight, dtype=bool)
    curves = _checked_curves(activity, timing, needed)
    check_input(input_function, timing, options)
    if options.free_fraction is not None and not 0 < options.free_fraction <= 1:
        raise InputRefused(
            "free-fraction",
            "a free fraction of {free_fraction:g} is impossible; give one above 0 and up to 1",
            free_fraction=options.free_fraction,
        )
    if chosen.compartmental:
        fits = fit_compartment(chosen, timing, curves, input_function, options, near)
    else:
        fits = fit_graphical(model, timing, curves, input_function, options)
    missed = input_function.pass_missed  # every row says so: no fit can tell
    return tuple(
        _with_free_fraction(replace(fitted, flags=(*missed, *fitted.flags)), options.free_fraction) for fitted in fits
    )


def with_start_of(options: FitOptions, fits: Sequence[KineticFit]) -> FitOptions:
    """The options with the t* that these fits found, so that one scan's other curves are fitted in the same frames."""
    starts = [fitted.tstar_s for fitted in fits if fitted.tstar_s is not None]
    if options.tstar_s != "auto" or options.last_frames is not None or not starts:
        return options
    return replace(options, tstar_s=min(starts))


def _checked_curves(activity: Array, timing: FrameTiming, needed: NDArray[np.bool_]) -> Array:
    curves = np.atleast_2d(np.asarray(activity, dtype=float))
    if curves.ndim != 2 or curves.shape[1] != len(timing):
        raise InputRefused(
            "tac-shape",
            "curves of {shape} values for {n_timing} frames; give one a frame",
            shape=curves.shape[-1],
            n_timing=len(timing),
        )
    curves = np.where(needed, curves, 0.0)
    if not np.isfinite(curves).all():
        row = int(np.argmax(~np.isfinite(curves).all(axis=1))) + 1
        raise InputRefused(
            "tac-not-finite", "curve {row} holds a value that is no number; correct it or leave its frame out", row=row
        )
    return curves


def check_input(input_function: InputFunction, timing: FrameTiming, options: FitOptions) -> None:
    """Refuse an input that no model can use on this scan ("input-…")."""
    times, plasma, blood = input_function.times_s, input_function.parent_plasma, input_function.whole_blood
    if times.ndim != 1 or times.size == 0 or plasma.shape != times.shape or blood.shape != times.shape:
        raise InputRefused("input-shape", "the input function's times and curves must be lists of one length")
    if not all(np.isfinite(array).all() for array in (times, plasma, blood)):
        raise InputRefused(
            "input-not-finite", "the input function holds a value that is no number; correct the blood data"
        )
    if (np.diff(times) <= 0).any():
        raise InputRefused("input-backwards", "the input function's times do not increase; correct the blood data")
    if not (plasma > 0).any():
        raise InputRefused("input-empty", "parent plasma is never above 0; check the blood data and their units")
    earliest = options.bounds.get("delay", DEFAULT_BOUNDS["delay"])[0]
    delay_s = earliest if isinstance(options.delay_s, str) else options.delay_s
    rises_s = float(times[max(int(np.argmax(plasma > 0)) - 1, 0)]) + delay_s
    if rises_s >= timing.ends_s[-1]:
        raise InputRefused(
            "input-after-scan",
            "the input rises at {rises_s:g} s and the scan ends at {ends_s:g} s; bring them to one clock",
            rises_s=rises_s,
            ends_s=timing.ends_s[-1],
        )


def _with_free_fraction(fitted: KineticFit, free_fraction: float | None) -> KineticFit:
    if free_fraction is None or "VT" not in fitted.parameters:
        return fitted
    return replace(
        fitted,
        parameters={**fitted.parameters, "VT/fP": fitted.parameters["VT"] / free_fraction},
        standard_errors={**fitted.standard_errors, "VT/fP": fitted.standard_errors["VT"] / free_fraction},
        settings={**fitted.settings, "free_fraction": free_fraction},
    )
