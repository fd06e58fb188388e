"""t*: from which frame on the line of a graphical method is straight, one for all curves of a scan.

A start counts when no residual exceeds 10 % of the line (a common rule of PET tools) in nearly all curves. Noise would
decide that for late carbon-11 frames, so the rule looks at curves without noise: each measured one is replaced by the
sum of positive exponentials convolved with plasma that lies nearest to it (spectral analysis, Cunningham & Jones 1993,
10.1038/jcbfm.1993.5), which any chain of compartments is, in whatever number.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..input_function.curve import InputFunction
from ..lazy_modules import optimize
from .convolution import basis_factory, curve_frame_averages

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

LARGEST_RESIDUAL = 0.10
# Not published, each a choice: the frames that an automatic t* keeps at least; the share of the curves that must be
# straight from it on; the share that does for the latest start, where noise bends some curves from any start on: of
# four noisy scans of 60 min whose last frames were of 600 s, three had no V_T by Logan otherwise (simulated necks).
FEWEST_FRAMES = 5
STRAIGHT_SHARE = 0.9
LEAST_STRAIGHT = 0.5
# The exponentials, 1/min: so fast that plasma itself is the next; so many that the sum of two is met within 0.1 %.
_FASTEST = 5.0
_EXPONENTIALS = 48


def without_noise(
    timing: FrameTiming, activity: Array, input_function: InputFunction, delay_s: float, weight: Array
) -> Array:
    """The nearest sums of positive exponentials and blood to curves (frames, curves).

    Frames count by their weight (frames,) and duration.
    """
    basis = basis_factory(input_function, timing, _FASTEST).basis(delay_s)
    rates = np.exp(np.linspace(np.log(basis.offset), np.log(_FASTEST + basis.offset), _EXPONENTIALS)) - basis.offset
    blood = [input_function.parent_plasma]
    if input_function.has_whole_blood:
        blood.append(input_function.whole_blood)
    columns = [curve_frame_averages(input_function.times_s, samples, timing, delay_s) for samples in blood]
    design = np.stack([*basis(np.clip(rates, 0.0, _FASTEST)), *columns], axis=1)
    size = np.sqrt((design**2).sum(axis=0))
    design = design / np.where(size > 0, size, 1.0)
    root = np.sqrt(weight * timing.durations_s)
    nearest = [optimize.nnls(design * root[:, None], curve * root)[0] for curve in activity.T]
    return np.asarray(design @ np.array(nearest).T)


def is_bent(ordinate: Array, line: Array, used: Mask) -> Mask:
    """Which curves (curves,) leave the line by more than 10 % of it; all (frames, curves)."""
    return np.asarray((used & ~(np.abs(ordinate - line) <= LARGEST_RESIDUAL * np.abs(line))).any(axis=0))


def earliest_start(frames: NDArray[np.intp], fewest: int, bent_from: Callable[[int], Mask]) -> int | None:
    """The earliest of ``frames``, of which ``fewest`` stay, from which nearly all curves are straight; or the latest,
    where half are; None without.

    bent_from: for a first frame, which curves (curves,) are bent.
    """
    straight = 0.0
    for first in frames[: max(len(frames) - fewest + 1, 0)]:
        straight = float((~bent_from(int(first))).mean())
        if straight >= STRAIGHT_SHARE:
            break
    return int(first) if straight >= LEAST_STRAIGHT else None
