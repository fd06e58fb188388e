"""A continuous curve from frame averages: every frame's integral is met exactly."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..lazy_modules import optimize
from ..messages import InputRefused, Notice, Notices
from .bolus_models import BolusFit, fit_bolus
from .curve import gap_in_first_pass
from .piecewise_linear import averaging_weights

Floats = NDArray[np.float64]

# None of these is from a source; tests show what they cost on simulated curves.
KNOT_SPACING_S = 1.0
FEWEST_INTERVALS, MOST_INTERVALS = 4, 20
MOST_FRAMES = 400  # the time needed grows with the cube of the number
FRAMES_FOR_BOLUS_SHAPE = 9  # the shape has seven parameters
LATE_START = 0.5  # a first frame above this part of the highest one: the scan began after the bolus
HEAVY = 100.0  # how much more the integrals weigh than smoothness while it is decided what is 0
NEGLIGIBLE = 1e-12  # of the highest frame: what rounding leaves of an average of 0
NEGATIVE_TOLERANCE = 0.02  # of the highest frame: smaller negative averages are noise and not mentioned


@dataclass(frozen=True, eq=False)
class ContinuousCurve:
    """Piecewise-linear curve: knots in seconds, values in the frames' unit; 0 before the first knot.

    shape: the bolus formula that guided the curve between the frames' integrals, None when there were too few frames.
    """

    knots_s: Floats
    values: Floats
    shape: BolusFit | None
    notices: tuple[Notice, ...] = ()


def frame_knots(timing: FrameTiming) -> Floats:
    """Knots at every frame edge and evenly inside frames and gaps: about 1 s apart, 4 to 20 intervals each."""
    touching = timing.gaps_s == 0
    edges = np.concatenate([timing.starts_s, timing.ends_s[:-1][~touching], timing.ends_s[-1:]])
    edges.sort()
    pieces = []
    for start, end in pairwise(edges):
        intervals = int(np.clip(np.ceil((end - start) / KNOT_SPACING_S), FEWEST_INTERVALS, MOST_INTERVALS))
        pieces.append(np.linspace(start, end, intervals, endpoint=False))
    return np.concatenate([*pieces, edges[-1:]])


def checked_frames(timing: FrameTiming, activity: Floats, region: str) -> Floats:
    """Frame averages (frames,) as they are, when they can be a curve.

    region: its name in the messages. Raises InputRefused: "input-frames-shape", "input-frames-not-finite",
    "input-frames-empty", "input-frames-many".
    """
    measured = np.asarray(activity, dtype=float)
    if measured.shape != (len(timing),):
        raise InputRefused(
            "input-frames-shape",
            "{size} {region} values for {n_timing} frames; give one a frame",
            size=measured.size,
            region=region,
            n_timing=len(timing),
        )
    if not np.isfinite(measured).all():
        frame = int(np.argmin(np.isfinite(measured))) + 1
        raise InputRefused(
            "input-frames-not-finite",
            "the {region} value of frame {frame} is not a number; check the region",
            region=region,
            frame=frame,
        )
    if measured.max() <= 0:
        raise InputRefused(
            "input-frames-empty", "the {region} region holds no activity; check its place", region=region
        )
    if len(timing) > MOST_FRAMES:
        raise InputRefused(
            "input-frames-many",
            "{n_timing} frames are more than {most_frames}; join short frames first",
            n_timing=len(timing),
            most_frames=MOST_FRAMES,
        )
    return measured


def continuous_curve(timing: FrameTiming, activity: Floats, bolus: bool = True) -> ContinuousCurve:
    """The smooth, non-negative curve whose mean over every frame is ``activity`` (frames,).

    With ``bolus``, Feng's bolus curve, fitted to the frame averages, gives the shape within the frames; the smallest
    smooth correction (in the sense of its second derivative, scaled by the local frame length) makes every integral
    exact; where that would be negative the curve is 0. Gaps are bridged by the same two. Frames with a negative
    average are taken as 0, which a Notice tells when they are not small.

    Raises InputRefused: "input-frames-…", see ``checked_frames``.
    """
    measured = checked_frames(timing, activity, "blood-pool")
    peak = float(measured.max())
    notices = Notices()
    if measured.min() < -NEGATIVE_TOLERANCE * peak:
        frames = ", ".join(str(index + 1) for index in np.flatnonzero(measured < -NEGATIVE_TOLERANCE * peak))
        notices.add(
            "input-negative-frames", "blood-pool frames with negative averages taken as 0: {frames}", frames=frames
        )
    measured = np.where(measured > NEGLIGIBLE * peak, measured, 0.0)
    late_start = measured[0] > LATE_START * peak
    if late_start:
        notices.add(
            "input-late-start",
            "the first frame is already near the peak: the scan began after the bolus, and the input before it is "
            "taken as 0",
        )
    gap = gap_in_first_pass(timing.starts_s, timing.ends_s, measured) if bolus else None
    if gap is not None:
        notices.add(
            "input-peak-gap",
            "there is no frame from {begin_s:.0f} to {end_s:.0f} s, when the tracer passes; the shape of a bolus "
            "stands for the peak",
            begin_s=gap[0],
            end_s=gap[1],
        )
    knots = frame_knots(timing)
    average = averaging_weights(knots, timing.starts_s, timing.ends_s)
    shape = None
    prior = np.zeros(len(knots))
    if bolus and len(timing) >= FRAMES_FOR_BOLUS_SHAPE:
        sigma = np.sqrt((measured + 0.02 * peak) / timing.durations_s)  # counting noise, with a floor
        shape = fit_bolus("feng", average, knots, measured, sigma, float(timing.durations_s[np.argmax(measured)]))
        prior = shape(knots)
    elif bolus:
        notices.add(
            "input-few-frames",
            "{n_timing} frames are too few for a bolus shape; the curve is the smoothest one with their integrals",
            n_timing=len(timing),
        )
    pinned = np.zeros(len(knots), dtype=bool)
    pinned[0] = not late_start
    values = _smoothest(knots, timing, average, measured, prior, pinned)
    return ContinuousCurve(knots, values, shape, tuple(notices))


def _smoothest(
    knots: Floats, timing: FrameTiming, average: Floats, measured: Floats, prior: Floats, pinned: NDArray[np.bool_]
) -> Floats:
    """Non-negative values with the frames' averages that differ most smoothly from ``prior``."""
    empty = measured == 0
    free = ~(pinned | (average[empty] > 0).any(axis=0))
    roughness = _roughness(knots, timing)
    target = roughness @ prior
    constraints, means = average[~empty], measured[~empty]
    # Which values are 0 comes from a least-squares problem in which the constraints weigh a lot; then they are exact.
    heavy = HEAVY * np.sqrt(np.sum(roughness**2) / np.sum(constraints**2))
    stacked = np.concatenate([roughness[:, free], heavy * constraints[:, free]])
    values = np.zeros(len(knots))
    values[free], _ = optimize.nnls(stacked, np.concatenate([target, heavy * means]))
    while True:
        free = values > 0
        values = np.zeros(len(knots))
        values[free] = _constrained(roughness[:, free], target, constraints[:, free], means)
        if not (values < 0).any():
            return values


def _roughness(knots: Floats, timing: FrameTiming) -> Floats:
    """Second differences (knots - 2, knots), scaled to the local frame length so that all frames weigh alike."""
    steps = np.diff(knots)
    count = len(knots) - 2
    rows = np.arange(count)
    second = np.zeros((count, len(knots)))
    second[rows, rows] = 2 / (steps[:-1] * (steps[:-1] + steps[1:]))
    second[rows, rows + 1] = -2 / (steps[:-1] * steps[1:])
    second[rows, rows + 2] = 2 / (steps[1:] * (steps[:-1] + steps[1:]))
    length = np.exp(np.interp(knots[1:-1], timing.mids_s, np.log(timing.durations_s)))
    return np.asarray(second * np.sqrt(length**3 * (steps[:-1] + steps[1:]) / 2)[:, None])


def _constrained(roughness: Floats, target: Floats, constraints: Floats, measured: Floats) -> Floats:
    """Minimize |roughness x - target|^2 subject to constraints x = measured."""
    number, unknowns = constraints.shape
    system = np.zeros((unknowns + number, unknowns + number))
    system[:unknowns, :unknowns] = roughness.T @ roughness
    scale = float(np.trace(system)) / unknowns
    system[:unknowns, unknowns:] = scale * constraints.T
    system[unknowns:, :unknowns] = scale * constraints
    right = np.concatenate([roughness.T @ target, scale * measured])
    return np.linalg.solve(system, right)[:unknowns]
