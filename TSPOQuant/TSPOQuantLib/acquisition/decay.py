"""Radioactive decay: half-lives, and the two factors of a frame-by-frame decay correction."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Half-lives in seconds for when a file names its radionuclide but not the half-life it was corrected with. A header's
# own value comes first. Sources: 11C 20.3402(53) min, NUBASE2020 (10.1088/1674-1137/abddae); 13N 9.965 min, 15O
# 122.24 s and 18F 109.77 min, the values of ENSDF that scanners write into their headers.
HALF_LIFE_S = {"C11": 1220.412, "N13": 597.9, "O15": 122.24, "F18": 6586.2}
HALF_LIFE_TOLERANCE = 0.02
"""A stated half-life further than this from the radionuclide's own is another one's, or in another unit: a choice."""


def of_half_life(stated_s: float, radionuclide: str) -> bool:
    """Whether a stated half-life is that of a radionuclide of ``HALF_LIFE_S``."""
    return abs(stated_s / HALF_LIFE_S[radionuclide] - 1) <= HALF_LIFE_TOLERANCE


def growth(seconds: ArrayLike, half_life_s: float) -> NDArray[np.float64]:
    """2^(t / half-life): what an activity is multiplied by to refer it to ``seconds`` earlier; inf when absurd."""
    with np.errstate(over="ignore"):
        return np.exp2(np.asarray(seconds, dtype=float) / half_life_s)


def frame_factor(durations_s: ArrayLike, half_life_s: float) -> NDArray[np.float64]:
    """Factor (>= 1) from a frame's average activity to the activity at the frame's start, for decay alone.

    x / (1 - e^-x) with x = ln 2 * duration / half-life [textbook]; 1 for a duration of 0.
    """
    x = np.log(2) * np.asarray(durations_s, dtype=float) / half_life_s
    return np.asarray(np.divide(x, -np.expm1(-x), out=np.ones_like(x), where=x > 0))


def weighted_mean_s(durations_s: ArrayLike, half_life_s: float) -> NDArray[np.float64]:
    """Seconds from a frame's start to the moment whose activity equals the frame's average, for decay alone.

    ln(x / (1 - e^-x)) / lambda: the "average count rate time within frame" of the QIBA SUV pseudo-code.
    """
    return np.log2(frame_factor(durations_s, half_life_s)) * half_life_s
