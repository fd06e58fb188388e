"""Blood curves, frames and tissue with known truth, by fine-step numerics that share nothing with the program."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.signal import lfilter

Floats = NDArray[np.float64]

STEP_S = 0.05
DURATIONS_S = np.array([15] + [5] * 3 + [10] * 3 + [60] * 4 + [150] * 2 + [300] * 2 + [600] * 4, dtype=float)
STARTS_S = np.cumsum(DURATIONS_S) - DURATIONS_S
TIMES_S = np.arange(0, 3600 + STEP_S / 2, STEP_S)


def feng_bolus(times_s: Floats, onset_s: float = 20.0, alpha: float = 0.05, slope: float = 3.0) -> Floats:
    """Feng's curve with a peak about 45 to 60 s after time zero."""
    after = np.maximum(times_s - onset_s, 0.0)
    return (
        (slope * after - 38.0) * np.exp(-alpha * after)
        + 20.0 * np.exp(-0.0018 * after)
        + 18 * np.exp(-0.00012 * after)
    )


def gamma_bolus(times_s: Floats, onset_s: float = 25.0, to_peak_s: float = 14.0) -> Floats:
    """A gamma-variate first pass over a slow recirculation: not of Feng's family."""
    after = np.maximum(times_s - onset_s, 0.0)
    first = 100 * (after / to_peak_s) ** 3 * np.exp(3 * (1 - after / to_peak_s))
    return first + (1 - np.exp(-after / 25)) * (14 * np.exp(-after / 400) + 9 * np.exp(-after / 6000))


def parent_fraction(times_min: Floats) -> Floats:
    return 1 - 0.8 * times_min**1.5 / (times_min**1.5 + 10**1.7)


def plasma_ratio(times_min: Floats) -> Floats:
    return 1.1 + 0.005 * times_min


def frame_means(values: Floats, starts_s: Floats = STARTS_S, durations_s: Floats = DURATIONS_S) -> Floats:
    """Means over frames of a curve sampled at ``TIMES_S``."""
    integral = np.concatenate([[0.0], np.cumsum((values[1:] + values[:-1]) / 2 * STEP_S)])
    ends = np.interp(starts_s + durations_s, TIMES_S, integral)
    return (ends - np.interp(starts_s, TIMES_S, integral)) / durations_s


def tissue(parent_plasma: Floats, k1: float, volume: float) -> Floats:
    """dC/dt = K1 C_P - K1/V_T C at ``TIMES_S`` by the exponential trapezoid step; K1 in mL/cm3/min."""
    decay = np.exp(-k1 / volume * STEP_S / 60)
    gain = k1 * STEP_S / 60 * (parent_plasma[1:] + decay * parent_plasma[:-1]) / 2
    return np.concatenate([[0.0], lfilter([1.0], [1.0, -decay], gain)])


def fitted_volume(parent_plasma: Floats, measured: Floats, k1: float, volume: float) -> float:
    """V_T that a one-tissue fit of frame means finds with this input (duration-weighted)."""

    def residuals(parameters: Floats) -> Floats:
        return (frame_means(tissue(parent_plasma, *parameters)) - measured) * np.sqrt(DURATIONS_S)

    return float(least_squares(residuals, [k1, volume], x_scale=[k1, volume]).x[1])
