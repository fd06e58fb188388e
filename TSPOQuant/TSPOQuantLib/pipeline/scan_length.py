"""V_T against the length of the scan, from a visit's own results: what it would have been, had the scan ended earlier.

No image is read: the record holds curves, weights and input function. V_T of TSPO tracers drifts with the length of
the scan by 13 to 25 % (Endres 2009, PMC2883612); how much it does in this scan, this shows.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..input_function import InputFunction, InputFunctionResult
from ..kinetics import FitChoices, FitOptions, KineticFit, fit_by_duration
from ..messages import InputRefused
from ..outcome.record import VisitRecord
from ..outcome.scan_length import Shortened, shortened
from ..outcome.settings import StudySettings
from ..settings import part_of, restored
from .curves import only_seen, seen_frames
from .plasma import for_model

Array = NDArray[np.float64]

SHORTEST_MIN, STEP_MIN = 30.0, 10.0
"""Lengths that are tried where none are asked for: a choice."""


def by_length(record: VisitRecord, ends_min: Sequence[float] = ()) -> tuple[Shortened, ...]:
    """Every region, as measured, under every model at every length, the whole scan last.

    ends_min: lengths in minutes; empty takes every 10 min from 30 on. A frame counts where it ends by then. A line's
    t* stays that of the whole scan; what a shorter one is too short for is nan. Raises InputRefused ("length-none").
    """
    if not record.fits:
        raise InputRefused(
            "length-none",
            "nothing was fitted at {session}, whose PET is one frame: V_T against the length of the scan needs the "
            "dynamic PET",
            session=record.session,
        )
    settings = restored(StudySettings, record.settings)
    timing = record.acquisition.timing
    seen = seen_frames(timing, settings.leave_out)
    whole_s = float(timing.ends_s[seen & _used(record)].max())
    asked = ends_min or np.arange(SHORTEST_MIN, whole_s / 60, STEP_MIN)
    ends = [60 * float(end) for end in asked if 60 * end < whole_s]
    source = InputFunctionResult(record.input.function, None, None, None, None, (), record.input.settings)
    activity = np.array([region.mean for region in record.regions])
    rows: list[Shortened] = []
    for model in record.models:
        fits = [record.fit(region.name, model) for region in record.regions]
        weights = np.max([fit.weights for fit in fits], axis=0)
        starts = [fit.tstar_s for fit in fits if fit.tstar_s is not None]
        options = FitOptions(**asdict(part_of(FitChoices, settings)), weights=weights)
        options = replace(options, tstar_s=min(starts)) if starts else options
        plasma = for_model(source, model, options)
        short, chosen = timing.only(seen), only_seen(options, seen)
        tried = {end: _fits(model, short, activity[:, seen], plasma, end, chosen) for end in (*ends, whole_s)}
        for number, region in enumerate(record.regions):
            own = {end: fits[number] for end, fits in tried.items() if fits}
            rows += [shortened(region.name, model, end / 60, own.get(end), own.get(whole_s)) for end in tried]
    return tuple(rows)


def _fits(
    model: str, timing: FrameTiming, activity: Array, plasma: InputFunction, end_s: float, options: FitOptions
) -> tuple[KineticFit, ...]:
    """Every curve's fit; nothing where so short a scan does not carry the model."""
    try:
        return fit_by_duration(model, timing, activity, plasma, [end_s], options)[0]
    except InputRefused:
        return ()


def _used(record: VisitRecord) -> NDArray[np.bool_]:
    """Frames (frames,) that some fit used."""
    return np.asarray(np.any([fit.weights > 0 for fit in record.fits], axis=0))
