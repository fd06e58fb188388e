"""Simulated curves of known truth: compartment equations integrated numerically, and count noise like the phantom's.

Nothing here uses the program's own convolution, so that no error of it can hide itself. The blood curves are the
phantom's formulas, read at knots; the straight lines between these knots are the true input, for the integration and
for the fit alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.input_function.curve import InputFunction
from TSPOQuantLib.kinetics import FitOptions, KineticFit, fit, weights
from TSPOQuantLib.phantom.scanner import counts_per_activity
from TSPOQuantLib.phantom.settings import PhantomSettings
from TSPOQuantLib.phantom.tracer import ARRIVAL_MIN, FRAME_DURATIONS_S, HALF_LIFE_S, blood_of, kinetics_of
from TSPOQuantLib.phantom.tracer import frame_averages as phantom_averages

Array = NDArray[np.float64]

LONGEST_MIN = 120
REGION_VOXELS = 28
"""PET voxels of 2 mm in a foramen: what its published size holds."""
NOISE_PERCENT = PhantomSettings().noise_percent
VISIT = "baseline"
# So tight that what is left is the program's own error.
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-10, 1e-11


def schedule(minutes: float) -> FrameTiming:
    """The phantom's 19 frames in 60 min, cut short or carried on with frames of 600 s."""
    more = np.full(max(0, round((minutes * 60 - FRAME_DURATIONS_S.sum()) / 600)), 600.0)
    durations = np.concatenate([FRAME_DURATIONS_S, more])
    ends = np.cumsum(durations)
    kept = ends <= minutes * 60 + 1e-6
    return FrameTiming((ends - durations)[kept], durations[kept])


def without(timing: FrameTiming, frames: Sequence[int]) -> FrameTiming:
    """The schedule without some frames: gaps, as a bed that moved leaves."""
    return FrameTiming(np.delete(timing.starts_s, frames), np.delete(timing.durations_s, frames))


def true_input() -> InputFunction:
    """The phantom's blood at its first visit, read at knots up to ``LONGEST_MIN``."""
    since = [
        np.arange(0, 1.5, 0.02),
        np.arange(1.5, 3, 0.05),
        np.arange(3, 10, 0.25),
        np.arange(10, 30, 1.0),
        np.arange(30, LONGEST_MIN + 2.5, 2.5),
    ]
    times = ARRIVAL_MIN + np.concatenate(since)
    blood = blood_of(VISIT)
    return InputFunction(60 * times, blood.parent_plasma(times), blood.whole_blood(times))


@dataclass(frozen=True, eq=False)
class Truth:
    """Parameters of curves, each (curves,), by name: K1 mL/cm3/min, k2, k3, k4 per minute, VB as a fraction, VT."""

    values: dict[str, Array]

    def __len__(self) -> int:
        return len(self.values["K1"])

    def first(self, count: int) -> "Truth":
        return Truth({name: values[:count] for name, values in self.values.items()})


def one_tissue(k1: Array, vt: Array, vb: Array) -> Truth:
    """k2 = K1 / V_T."""
    nothing = np.zeros_like(k1)
    return Truth({"K1": k1, "k2": k1 / vt, "k3": nothing, "k4": nothing, "VB": vb, "VT": vt})


def two_tissues(k1: Array, vt: Array, binding: Array, k4: Array, vb: Array) -> Truth:
    """k3 = BP_ND k4, k2 = K1 (1 + BP_ND) / V_T (Innis 2007)."""
    return Truth({"K1": k1, "k2": k1 * (1 + binding) / vt, "k3": binding * k4, "k4": k4, "VB": vb, "VT": vt})


@dataclass(frozen=True, eq=False)
class Integrals:
    """Running integrals from time zero at ``edges_min``: tissue (curves, edges), whole blood (edges,), kBq min/mL."""

    edges_min: Array
    tissue: Array
    blood: Array

    def averages(self, timing: FrameTiming, vb: Array) -> Array:
        """(1 - V_B) C_T + V_B C_WB averaged over each frame: (curves, frames)."""
        tissue, blood = self._means(self.tissue, timing), self._means(self.blood, timing)
        return np.asarray((1 - vb)[:, None] * tissue + vb[:, None] * blood)

    def blood_averages(self, timing: FrameTiming) -> Array:
        """Whole blood averaged over each frame: (frames,)."""
        return self._means(self.blood, timing)

    def _means(self, integral: Array, timing: FrameTiming) -> Array:
        begin, end = (np.searchsorted(self.edges_min, edge / 60 - 1e-9) for edge in (timing.starts_s, timing.ends_s))
        return np.asarray((integral[..., end] - integral[..., begin]) / (timing.durations_s / 60))


def integrate(truth: Truth, source: InputFunction, timings: Sequence[FrameTiming]) -> Integrals:
    """The curves' integrals at every edge of the frames, by one general ODE solver from knot to knot.

    dC1/dt = K1 C_P - (k2 + k3) C1 + k4 C2, dC2/dt = k3 C1 - k4 C2, C_T = C1 + C2 (Innis 2007).
    """
    k1, k2, k3, k4 = (truth.values[name] for name in ("K1", "k2", "k3", "k4"))
    n = len(truth)
    wanted = np.concatenate([edge for timing in timings for edge in (timing.starts_s, timing.ends_s)]) / 60
    edges = np.unique(np.round(np.append(wanted, 0.0), 12))
    knots = source.times_s / 60
    steps = np.unique(np.concatenate([knots[0], edges[edges > knots[0]], knots[knots < edges[-1]]], axis=None))
    state = np.zeros(3 * n + 1)
    found = {0.0: state}
    for begin, end in pairwise(steps):
        middle = (begin + end) / 2
        at = min(int(np.searchsorted(knots, middle)), len(knots) - 1)
        left, right = knots[at - 1], knots[at]

        def line(values: Array, t: float, at: int = at, left: float = left, right: float = right) -> float:
            return float(values[at - 1] + (values[at] - values[at - 1]) * (t - left) / (right - left))

        def slope(t: float, y: Array) -> Array:
            first, second = y[:n], y[n : 2 * n]
            plasma, blood = line(source.parent_plasma, t), line(source.whole_blood, t)
            exchange = k3 * first - k4 * second
            return np.concatenate([k1 * plasma - k2 * first - exchange, exchange, first + second, [blood]])

        state = solve_ivp(slope, (begin, end), state, "DOP853", rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_TOLERANCE).y[
            :, -1
        ]
        found[float(end)] = state
    at_edges = np.array([found[float(edge)] if edge > knots[0] else found[0.0] for edge in edges])
    return Integrals(edges, at_edges[:, 2 * n : 3 * n].T, at_edges[:, -1])


@cache
def counts_of_voxel() -> float:
    """Counts of one voxel per kBq/mL decaying for a second, at the phantom's default noise."""
    kinetics, blood = kinetics_of(VISIT, {}), blood_of(VISIT)
    curves = phantom_averages(kinetics, blood.parent_plasma, blood.whole_blood, ARRIVAL_MIN)
    return counts_per_activity(curves, NOISE_PERCENT)


def with_noise(curves: Array, timing: FrameTiming, rng: np.random.Generator, draws: int, noise: float = 1.0) -> Array:
    """Poisson counts of a region of ``REGION_VOXELS`` voxels, back to activity: (curves, draws, frames).

    noise: how many times the phantom's default noise.
    """
    rate = np.log(2) / HALF_LIFE_S
    surviving = -np.expm1(-rate * timing.durations_s) / rate * np.exp(-rate * timing.starts_s)
    scale = counts_of_voxel() * REGION_VOXELS / noise**2 * surviving
    counts = rng.poisson(np.maximum(curves, 0)[:, None] * scale, (len(curves), draws, len(timing)))
    return np.asarray(counts / scale)


def noisy_fits(
    model: str, truth: Truth, timing: FrameTiming, draws: int, seed: int, noise: float = 1.0
) -> list[tuple[KineticFit, ...]]:
    """Fits of noisy curves, ``draws`` of each of the truths, with weights by counts as a study has them."""
    source = true_input()
    curves = integrate(truth, source, [timing]).averages(timing, truth.values["VB"])
    noisy = with_noise(curves, timing, np.random.default_rng(seed), draws, noise)
    return [
        fit(model, timing, same, source, FitOptions(weights=weights("counts", timing, same, HALF_LIFE_S)))
        for same in noisy
    ]
