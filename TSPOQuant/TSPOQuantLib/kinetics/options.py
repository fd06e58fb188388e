"""What can be chosen about a fit, and the weights of the frames."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..messages import InputRefused, Text
from ..settings import Kind, Limits, Number, Reasons, Several, Shared, setting
from .models import DEFAULT_BOUNDS, MODELS, Model

Array = NDArray[np.float64]

# Not published: frames with less than this share of the largest count are weighted as if they had it, so that an
# empty first frame does not take all the weight.
FEWEST_COUNTS = 0.01
WEIGHT_KINDS = ("uniform", "duration", "counts")
FROM_FILE = "file"
"""Weights that a file lists."""
ALONE = "none"
SIMILAR = "similar"
SHARING = (ALONE, "regions", "visits", "all", SIMILAR)
"""Which curves have one V_B and one delay: none; the regions of a visit; a region's visits; all of a comparison. Or
V_B is drawn to the mean of a structure's curves, as far as they are alike."""
AS_NAMED = "as named"
WHERE_ASKED = "where asked"
SECOND_TISSUE = (WHERE_ASKED, AS_NAMED)
"""Which model tells V_T: 2TCM instead of 1TCM for a cord that asks for it, or the models as they are named."""
WINDOW = Shared("window", Text("V_T of a graphical method depends on where its line begins"))


@dataclass(frozen=True)
class FitChoices:
    """What a user chooses about every fit."""

    vb: str | float = setting(
        "fit",
        "model",
        Number(words=("fit", "none"), low=0, high=1, below=True),
        "blood volume fraction: fitted within its bounds, none, or fixed; graphical methods cannot fit it",
        shared=Shared("blood-volume", Text("V_T depends on how V_B is treated")),
    )
    tstar_s: str | float = setting(
        "auto",
        "model",
        Number(words=("auto",)),
        "graphical methods use frames whose middle is at or after it; auto: one for all curves of the scan, the "
        "earliest from which the lines of nine in ten keep within 10 % once noise is taken out, or the latest that "
        "leaves 5 frames, where those of half do; MA2 takes every frame",
        unit="s",
        shared=WINDOW,
    )
    last_frames: int | None = setting(
        None,
        "model",
        Number(optional=True, low=2, whole=True),
        "graphical methods use so many last frames, whatever t* is",
        shared=WINDOW,
    )
    delay_s: str | float = setting(
        0.0,
        "model",
        Number(words=("fit",)),
        "of the input, positive is later; fit: searched within its bounds (compartment models only)",
        unit="s",
        shared=Shared("delay", Text("V_T depends on how the delay is treated")),
    )
    bounds: Mapping[str, tuple[float, float]] = setting(
        {},
        "model",
        Limits(names=tuple(DEFAULT_BOUNDS)),
        "of parameters, over the defaults; equal bounds fix a parameter; delay in seconds",
        shared=Shared("bounds", Text("a parameter at another bound makes another V_T")),
    )
    free_fraction: float | None = setting(
        None,
        "model",
        Number(optional=True, low=0, high=1, above=True),
        "f_P of the tracer in plasma; adds V_T/f_P",
        exempt="it changes V_T/f_P alone, and one visit's plasma may bind more than another's",
    )


@dataclass(frozen=True)
class FitSettings(FitChoices):
    """What a study chooses about its fits."""

    models: tuple[str, ...] = setting(
        ("1TCM", "Logan"),
        "model.names",
        Several(each=Kind(tuple(MODELS)), empty=False),
        "PET-BIDS names; the first that gives V_T is the primary one",
        shared=Shared("model", Text("another model has another bias")),
    )
    second_tissue: str = setting(
        WHERE_ASKED,
        "model",
        Kind(SECOND_TISSUE),
        "where 1TCM is the primary model and two tissue compartments fit the cord clearly better (AICc over all "
        "its regions) and determine V_T, 2TCM is fitted as well, and tells V_T there if all visits ask for it; as "
        "named: the primary model tells all",
        shared=Shared("second-tissue", Text("another model has another bias")),
    )
    weights: str = setting(
        "counts",
        "model",
        Kind((*WEIGHT_KINDS, FROM_FILE)),
        'of the frames in the fit; file: the column weight of the table that weights_path = "…" names',
        shared=Shared("weights", Text("V_T depends on the weights where the model does not fit")),
    )
    coupled: str = setting(
        ALONE,
        "model",
        Kind(SHARING),
        "compare and report hold V_B and the delay, as far as they are fitted, to one value: for the regions of a "
        "visit, for a region's visits, or for all; similar: V_B of a structure's regions at all visits is drawn to "
        "their mean, the more the less they are seen to differ",
        shared=Shared("sharing", Text("V_T depends on the curves with which V_B and the delay are shared")),
    )
    until_min: float | None = setting(
        None,
        "model",
        Number(optional=True, low=0, above=True),
        "frames that end later are left out of the fits; unset: none is",
        unit="min",
        exempt="visits are compared in the window that was fitted",
    )
    leave_out: Mapping[str, str] = setting(
        {},
        "model",
        Reasons(),
        "frames that the fits do not see, as if the scan had a gap there; the input function still does",
        shared=Shared("left-out", Text("frames that the fits of one visit alone do not see"), "warn"),
    )


@dataclass(frozen=True, eq=False)
class FitOptions(FitChoices):
    """How to fit: the choices with the weights as numbers.

    weights: (frames,), 0 leaves a frame out; None is uniform, the documented default (not published as best: it needs
        no model of the noise). Scaled to mean 1 over the frames used.
    tissue_vb: so much of V_B at most takes the place of tissue; 1, all of it, is the published equation.
    """

    weights: NDArray[np.float64] | None = None
    tissue_vb: float = 1.0


def weights(kind: str, timing: FrameTiming, activity: Array | None, half_life_s: float | None) -> Array:
    """Frame weights (frames,) of mean 1.

    "uniform"; "duration"; "counts": duration squared over (counts times decay factor squared), the inverse variance of
    a decay-corrected frame average whose counts are Poisson (Thiele & Buchert 2008, Nucl Med Commun 29:179). Counts
    are activity x duration with the decay correction taken out exactly over the frame.
    activity: (frames,) or (curves, frames), kBq/mL, decay-corrected to time zero; averaged over curves, so that one
    scan has one set of weights. Raises InputRefused ("weights-…").
    """
    if kind == "uniform":
        return np.ones(len(timing))
    duration = timing.durations_s
    if kind == "duration":
        return np.asarray(duration / duration.mean())
    if kind != "counts":
        raise InputRefused(
            "weights-kind",
            "there are no {kind!r} weights; choose from {weight_kinds}",
            kind=kind,
            weight_kinds=", ".join(WEIGHT_KINDS),
        )
    if activity is None or half_life_s is None or not half_life_s > 0:
        raise InputRefused("weights-counts", "weights by counts need the curves and the half-life; give both")
    mean = np.atleast_2d(np.asarray(activity, dtype=float)).mean(axis=0)
    if mean.shape != duration.shape or not np.isfinite(mean).all() or mean.max() <= 0:
        raise InputRefused("weights-counts", "weights by counts need finite curves with one value a frame, not all 0")
    rate = np.log(2) / half_life_s
    surviving = np.exp(-rate * timing.starts_s) * -np.expm1(-rate * duration) / (rate * duration)
    counts = mean * surviving * duration
    counts = np.maximum(counts, FEWEST_COUNTS * counts.max())
    result = duration**2 * surviving**2 / counts
    return np.asarray(result / result.mean())


def within(weights: Array, timing: FrameTiming, until_min: float | None) -> Array:
    """Weights (frames,) with 0 for every frame that ends after ``until_min``; None leaves none out.

    Raises InputRefused ("until-short").
    """
    if until_min is None:
        return weights
    inside = timing.ends_s <= 60 * until_min
    if not inside.any():
        raise InputRefused(
            "until-short",
            "no frame ends within the first {until_min:g} min, where the fits are to end; choose a later end "
            "(until_min, in minutes)",
            until_min=until_min,
        )
    return np.where(inside, weights, 0.0)


def frame_weights(options: FitOptions, n_frames: int) -> Array:
    """The option's weights, checked and scaled to mean 1 over the frames that have any."""
    if options.weights is None:
        return np.ones(n_frames)
    given = np.asarray(options.weights, dtype=float)
    if given.shape != (n_frames,):
        raise InputRefused(
            "weights-shape",
            "there are {size} weights for {n_frames} frames; give one a frame",
            size=given.size,
            n_frames=n_frames,
        )
    if not np.isfinite(given).all() or (given < 0).any() or not (given > 0).any():
        raise InputRefused("weights-value", "weights must be finite, not negative, and not all 0; correct them")
    return np.asarray(given / given[given > 0].mean())


LARGEST_BOUND = 1e4
"""Of rate constants in 1/min and of the delay in s: beyond it there is nothing that a scan could tell."""


def resolved_bounds(model: Model, options: FitOptions) -> dict[str, tuple[float, float]]:
    """Bounds of every parameter of ``DEFAULT_BOUNDS`` for this model: those it lacks are fixed at 0."""
    bounds = {}
    known = (*model.parameters, "VB", "delay")
    for name, given in options.bounds.items():
        if name not in DEFAULT_BOUNDS:
            raise InputRefused(
                "bounds-name",
                "no parameter {name!r} has bounds; use {default_bounds}",
                name=name,
                default_bounds=", ".join(DEFAULT_BOUNDS),
            )
        low, high = given
        limit = 0.99 if name == "VB" else LARGEST_BOUND
        if not (np.isfinite([low, high]).all() and low <= high <= limit and (low >= 0 or name == "delay")):
            raise InputRefused(
                "bounds-value",
                "the bounds {low:g} to {high:g} of {name} are not usable; correct them",
                low=low,
                high=high,
                name=name,
            )
    for name in DEFAULT_BOUNDS:
        low, high = options.bounds.get(name, model.bounds[name])
        bounds[name] = (float(low), float(high)) if name in known else (0.0, 0.0)
    if options.vb != "fit":
        fixed = fixed_vb(options)
        bounds["VB"] = (fixed, fixed)
    if options.delay_s != "fit":
        fixed = _number(options.delay_s, "delay")
        bounds["delay"] = (fixed, fixed)
    return bounds


def fixed_vb(options: FitOptions) -> float:
    """The blood fraction when it is not fitted: 0 for "none" and for "fit" (graphical methods)."""
    if options.vb in ("none", "fit"):
        return 0.0
    fraction = _number(options.vb, "vb")
    if not 0 <= fraction < 1:
        raise InputRefused(
            "vb-value", "a blood fraction of {fraction:g} is impossible; give one from 0 up to 1", fraction=fraction
        )
    return fraction


def _number(value: str | float, what: str) -> float:
    if isinstance(value, str) or not np.isfinite(value):
        raise InputRefused(
            f"{what}-value",
            "{value!r} is no usable {what}; give a number or a word that is offered",
            value=value,
            what=what,
        )
    return float(value)
