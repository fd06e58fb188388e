"""What the tubing of an automatic sampler does to the blood curve, undone."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The smoothing window widens with the time since the peak, up to a limit: the curve changes ever more slowly.
# Not from a source.
WIDENING = 0.15
WIDEST_S = 30.0
FEWEST_NEIGHBORS = 5


def correct_dispersion(times_s: Floats, measured: Floats, dispersion_s: float, half_width_s: float) -> Floats:
    """C = C_m + tau dC_m/dt: what entered a tube of mono-exponential dispersion (1/tau) e^(-t/tau).

    (Meyer 1989, J Nucl Med 30:1115.) times_s, measured: (samples,). The value and the slope of C_m come from one
    local quadratic with tricube weights (Cleveland 1979), within ``half_width_s`` up to the peak and wider after it,
    so that noise is not amplified by the derivative.
    """
    peak_s = float(times_s[np.argmax(measured)])
    corrected = np.empty(len(times_s))
    neighbors = min(FEWEST_NEIGHBORS, len(times_s))
    for index, time in enumerate(times_s):
        distance = np.abs(times_s - time)
        enough = 1.001 * float(np.partition(distance, neighbors - 1)[neighbors - 1])
        width = max(half_width_s, min(WIDENING * (time - peak_s), WIDEST_S), enough)
        near = distance < width
        root = np.sqrt((1 - (distance[near] / width) ** 3) ** 3)
        offset = (times_s[near] - time) / width
        design = np.stack([np.ones_like(offset), offset, offset**2], axis=1)
        value, slope, _ = np.linalg.lstsq(design * root[:, None], measured[near] * root, rcond=None)[0]
        corrected[index] = value + dispersion_s * slope / width
    return corrected
