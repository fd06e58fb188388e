"""Exact responses of exponentials to a piecewise-linear input, averaged over frames.

An input curve c(t) is linear between its knots, 0 before the first (a step there is allowed) and keeps its last value.
E(t) = integral of exp(-theta (t - s)) c(s) ds has a closed form on every linear piece, and so has its antiderivative
F(t); the average of E over a frame is (F(end) - F(start)) / duration, so nothing is sampled or interpolated in time
and gaps between frames need no care. Times are seconds and rates 1/min, as everywhere; integrals are over minutes.
"""

from dataclasses import dataclass
from functools import cache
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..input_function.curve import InputFunction
from .products import rows_times

Array = NDArray[np.float64]

# Below this argument the phi functions come from their series: the recursion upward would cancel.
_SERIES_BELOW = 0.5
_SERIES_TERMS = 14
# Nodes of the interpolation in the rate constant. The response is an entire function of log(theta + offset); with 128
# nodes over five decades the interpolation error is below 1e-10 of the largest response (KineticsConvolutionTest).
_NODES = 128


def phi_functions(z: Array) -> tuple[Array, Array, Array]:
    """phi1 = (e^z - 1)/z, phi2 = (phi1 - 1)/z and phi3 = (phi2 - 1/2)/z for z <= 0, stable as z goes to 0.

    Source: the phi functions of exponential integrators (Hochbruck & Ostermann, Acta Numerica 2010;19:209).
    """
    z = np.asarray(z, dtype=float)
    small = np.abs(z) < _SERIES_BELOW
    near = np.where(small, z, 0.0)
    series = np.zeros_like(z)
    factorial = 1.0 / np.cumprod(np.arange(1.0, _SERIES_TERMS + 3))[2:]  # 1/3!, 1/4!, ...
    for coefficient in factorial[::-1]:
        series = series * near + coefficient
    far = np.where(small, -1.0, z)
    phi1 = np.expm1(far) / far
    phi2 = (phi1 - 1) / far
    phi3 = (phi2 - 0.5) / far
    phi3 = np.where(small, series, phi3)
    phi2 = np.where(small, near * phi3 + 0.5, phi2)
    phi1 = np.where(small, near * phi2 + 1.0, phi1)
    return phi1, phi2, phi3


@dataclass(frozen=True, eq=False)
class Response:
    """The response of exponentials with rates ``theta`` (rates,) to one input curve, known exactly at every time.

    knots_s: (knots,). level, slope: the input right after each knot, the slope per minute. state, area: E and F at
    each knot, (knots, rates).
    """

    theta: Array
    knots_s: Array
    level: Array
    slope: Array
    state: Array
    area: Array

    def at(self, times_s: Array) -> tuple[Array, Array]:
        """E and F at ``times_s`` (times,), each (times, rates)."""
        times = np.asarray(times_s, dtype=float)
        piece = np.searchsorted(self.knots_s, times, side="right") - 1
        before = piece < 0
        piece = np.where(before, 0, piece)
        step = np.where(before, 0.0, times - self.knots_s[piece])[:, None] / 60
        level, slope = self.level[piece, None], self.slope[piece, None]
        phi1, phi2, phi3 = phi_functions(-step * self.theta)
        state, area = self.state[piece], self.area[piece]
        end_state = np.exp(-step * self.theta) * state + step * phi1 * level + step**2 * phi2 * slope
        end_area = area + step * phi1 * state + step**2 * phi2 * level + step**3 * phi3 * slope
        return end_state, end_area

    def frame_averages(self, timing: FrameTiming, delay_s: float = 0.0) -> Array:
        """The average of E over every frame, (frames, rates), with the input ``delay_s`` seconds later."""
        _, start = self.at(timing.starts_s - delay_s)
        _, end = self.at(timing.ends_s - delay_s)
        return np.asarray((end - start) / (timing.durations_s[:, None] / 60))


def respond(times_s: Array, values: Array, theta: Array) -> Response:
    """March E and F over the knots of the input ``values`` (kBq/mL at ``times_s``), in closed form on each piece.

    theta: rates in 1/min, all >= 0 (0 is the running integral).
    """
    step = np.diff(times_s) / 60
    slope = np.append(np.diff(values) / step, 0.0)
    width, level, rise = step[:, None], values[:-1, None], slope[:-1, None]
    phi1, phi2, phi3 = phi_functions(-width * theta)
    decay = np.exp(-width * theta)
    gain = width * phi1 * level + width**2 * phi2 * rise
    carry = width * phi1
    own = width**2 * phi2 * level + width**3 * phi3 * rise
    state = np.zeros((len(times_s), len(theta)))
    for before, after, kept, added in zip(state[:-1], state[1:], decay, gain, strict=True):
        np.multiply(kept, before, out=after)
        after += added
    area = np.zeros_like(state)
    np.cumsum(carry * state[:-1] + own, axis=0, out=area[1:])
    return Response(np.asarray(theta, dtype=float), times_s, values, slope, state, area)


def curve_frame_averages(times_s: Array, values: Array, timing: FrameTiming, delay_s: float = 0.0) -> Array:
    """The exact average over every frame (frames,) of the piecewise-linear curve itself, ``delay_s`` later."""
    running = respond(times_s, values, np.zeros(1))
    start, _ = running.at(timing.starts_s - delay_s)
    end, _ = running.at(timing.ends_s - delay_s)
    return np.asarray((end - start)[:, 0] / (timing.durations_s / 60))


class Basis(Protocol):
    """Frame averages of exp(-theta t) convolved with parent plasma, for rates from 0 to ``highest`` (1/min)."""

    @property
    def offset(self) -> float: ...

    @property
    def highest(self) -> float: ...

    def __call__(self, theta: Array) -> Array: ...

    def with_slope(self, theta: Array) -> tuple[Array, Array]: ...


@dataclass(frozen=True, eq=False)
class ExponentialBasis:
    """Frame averages of exp(-theta t) convolved with parent plasma, for any rate, as Chebyshev series.

    coefficients: (nodes, frames), of the series in x = log(theta + offset), scaled to [-1, 1] from theta = 0 to
    ``highest``. slope_coefficients: of its derivative with respect to the scaled x.
    The series makes many rates cost one matrix product; it agrees with ``Response`` to 1e-10 of its maximum.
    """

    coefficients: Array
    slope_coefficients: Array
    offset: float
    highest: float

    def _polynomials(self, theta: Array) -> tuple[Array, float]:
        half = float(np.log((self.highest + self.offset) / self.offset) / 2)
        position = np.log((theta + self.offset) / self.offset) / half - 1
        angle = np.arccos(np.clip(position, -1.0, 1.0))
        return np.cos(angle[:, None] * np.arange(len(self.coefficients))), half

    def __call__(self, theta: Array) -> Array:
        """Frame averages (rates, frames) for ``theta`` (rates,) in 1/min between 0 and ``highest``."""
        polynomials, _ = self._polynomials(theta)
        return rows_times(polynomials, self.coefficients)

    def with_slope(self, theta: Array) -> tuple[Array, Array]:
        """Frame averages and their derivative with respect to theta, each (rates, frames)."""
        polynomials, half = self._polynomials(theta)
        slope = rows_times(polynomials[:, :-1], self.slope_coefficients)
        return rows_times(polynomials, self.coefficients), slope / (half * (theta + self.offset))[:, None]


@dataclass(frozen=True, eq=False)
class BasisFactory:
    """One input and one timing, ready to give the basis for any delay without marching over the knots again."""

    response: Response
    timing: FrameTiming
    offset: float
    highest: float

    def basis(self, delay_s: float = 0.0) -> ExponentialBasis:
        """The basis with the input ``delay_s`` seconds later."""
        averages = self.response.frame_averages(self.timing, delay_s).T
        coefficients = _to_coefficients() @ averages
        return ExponentialBasis(
            coefficients, np.asarray(chebyshev.chebder(coefficients), dtype=float), self.offset, self.highest
        )


@cache
def _to_coefficients() -> Array:
    """Makes the coefficients of a Chebyshev series from its values at the nodes."""
    # Discrete orthogonality of Chebyshev polynomials on their own nodes.
    transform = chebyshev.chebvander(chebyshev.chebpts1(_NODES), _NODES - 1).T * (2 / _NODES)
    transform[0] /= 2
    return np.asarray(transform, dtype=float)


_KNOWN: WeakKeyDictionary[InputFunction, dict[tuple[bytes, bytes, float], BasisFactory]] = WeakKeyDictionary()
"""What was worked out for an input, by the frames and the highest rate; it goes with the input. Measured and corrected
curves are fitted with one input, and so is every stroke while a region is drawn."""


def basis_factory(input_function: InputFunction, timing: FrameTiming, highest: float) -> BasisFactory:
    """Responses of parent plasma for rates from 0 to ``highest`` (1/min), worked out once for each input."""
    known = _KNOWN.setdefault(input_function, {})
    frames = (timing.starts_s.tobytes(), timing.durations_s.tobytes(), float(highest))
    if frames not in known:
        offset = 0.1 / (timing.ends_s[-1] / 60)  # below a tenth of 1/scan length the response is all but linear
        half = np.log((highest + offset) / offset) / 2
        theta = np.maximum(offset * np.exp(half * (chebyshev.chebpts1(_NODES) + 1)) - offset, 0.0)
        response = respond(input_function.times_s, input_function.parent_plasma, theta)
        known[frames] = BasisFactory(response, timing, float(offset), float(highest))
    return known[frames]
