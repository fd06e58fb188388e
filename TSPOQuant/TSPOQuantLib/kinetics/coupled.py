"""Curves of one scan fitted together: what all of them must share is one number, known better than any of them alone.

The blood that reaches the regions of a scan comes at one delay, and V_B of like tissue is alike. Given the shared
parameters, the regions are separate fits at their global optima; so only the shared ones are searched (variable
projection over regions). A region's residual variance is that of its own separate fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from ..acquisition.frames import FrameTiming
from ..input_function.curve import InputFunction
from ..messages import InputRefused
from .compartment import NAMES, optimum
from .compartment_fit import CompartmentScan, outcomes
from .fit import fit
from .flags import at_bound
from .models import model_named
from .options import FitOptions
from .result import KineticFit

Array = NDArray[np.float64]

SHARED = ("VB", "delay")
"""What can be shared, as far as it is fitted."""
# The search ends where the shared parameters move by less than this part of their bounds, or after so many steps.
# Not published.
_PRECISION = 3e-4
_STEPS = 20
_DELAY_DIFFERENCE_S = 0.05
# The least part of a frame's noise that counts as left by the fit.
_LEAST_LEFT = 0.05


@dataclass(frozen=True, eq=False)
class Coupled:
    """Curves of one scan with shared parameters.

    fits: one a curve, the shared parameters the same in all; standard errors from the joint covariance. separate: the
    same curves, each by itself. shared, shared_errors: by name. covariance: (curves, curves) of the outcome, which the
    shared parameters make move together. f, f_chance: whether separate shared parameters explain more than chance
    would (F-test, and the chance of an F as large where they are one); nan with a single curve.
    """

    fits: tuple[KineticFit, ...]
    separate: tuple[KineticFit, ...]
    shared: dict[str, float]
    shared_errors: dict[str, float]
    covariance: Array
    f: float
    f_chance: float


def fit_coupled(
    model: str, timing: FrameTiming, activity: Array, input_function: InputFunction, options: FitOptions
) -> Coupled:
    """Fit a compartment model to curves (curves, frames) of one scan with one V_B and one delay, as far as both are
    fitted. Raises InputRefused ("coupled-model", "coupled-shared", and as ``fit``).
    """
    if not model_named(model).compartmental:
        raise InputRefused(
            "coupled-model",
            "{model} has no V_B to share; name a compartment model, or leave --coupled out",
            model=model,
        )
    separate = fit(model, timing, activity, input_function, options)
    names = tuple(name for name in SHARED if name in separate[0].parameter_names)
    if not names:
        raise InputRefused(
            "coupled-shared", "neither V_B nor the delay is fitted, so that nothing is shared; fit one of them"
        )
    scan = CompartmentScan.prepare(model_named(model), timing, input_function, options)
    spread = np.array([one.wrss / one.degrees_of_freedom for one in separate])
    shared = _Shared(scan, activity, names, spread)
    values = shared.searched(np.median([[one.parameters[name] for name in names] for one in separate], axis=0))
    given = dict(zip(names, map(float, values), strict=True))
    chosen = replace(options, vb=given.get("VB", options.vb), delay_s=given.get("delay", options.delay_s))
    return _coupled(fit(model, timing, activity, input_function, chosen), separate, shared, values)


@dataclass(frozen=True, eq=False)
class _Block:
    """One curve around given shared values, every frame divided by its noise. inside: its own parameters that move.

    mine: their slopes (frames, own); inverse: of their normal matrix; coupling (own, shared): by how much they move
    against the shared ones; theirs: the shared ones' slopes (frames, shared) once its own have followed; residuals:
    (frames,).
    """

    inside: list[str]
    mine: Array
    inverse: Array
    coupling: Array
    theirs: Array
    residuals: Array

    @property
    def information(self) -> Array:
        """On the shared parameters (shared, shared)."""
        return np.asarray(self.theirs.T @ self.theirs)

    def robust(self, shared: Array, shared_noise: Array) -> Array:
        """Covariance of its own parameters from the residuals; shared: the shared
        ones' covariance if the noise were known; shared_noise: what the residuals say of it."""
        noise = self.noise(shared)[:, None]
        own = self.inverse @ self.mine.T
        across = own @ (noise * self.theirs) @ shared @ self.coupling.T
        return np.asarray(
            own @ (noise * own.T)
            - across
            - across.T
            + self.coupling @ shared @ shared_noise @ shared @ self.coupling.T
        )

    def noise(self, shared: Array) -> Array:
        """Variance of every frame (frames,): its squared residual over what the fit left of it."""
        taken = np.einsum("ij,jk,ik->i", self.mine, self.inverse, self.mine)
        taken += np.einsum("ij,jk,ik->i", self.theirs, shared, self.theirs)
        return np.asarray(self.residuals**2 / np.maximum(1 - taken, _LEAST_LEFT))


@dataclass(frozen=True, eq=False)
class _Shared:
    """Curves (curves, frames) of one scan, the names that they share, and each one's residual variance (curves,)."""

    scan: CompartmentScan
    activity: Array
    names: tuple[str, ...]
    spread: Array

    @property
    def limits(self) -> Array:
        return np.array([self.scan.bounds[name] for name in self.names])

    def searched(self, start: Array) -> Array:
        """The shared values of the least misfit, by Gauss and Newton's steps, halved until they gain."""
        low, high = self.limits.T
        width = high - low
        values = np.clip(start, low, high)
        points, misfit = self._optima(values)
        for _ in range(_STEPS):
            blocks = self.blocks(values, points)
            information = sum(one.information for one in blocks) * np.outer(width, width)
            step = width * (
                np.linalg.pinv(information) @ (width * sum(one.theirs.T @ one.residuals for one in blocks))
            )
            tried = np.clip(values + step, low, high)
            while np.any(np.abs(tried - values) > _PRECISION * width):
                found, left = self._optima(tried)
                if left < misfit:
                    break
                tried = (values + tried) / 2
            else:
                return values
            values, points, misfit = tried, found, left
        return values

    def _optima(self, values: Array) -> tuple[Array, float]:
        """Every curve's parameters (curves, 6) at these shared values, and the sum of WRSS over spread."""
        given = dict(zip(self.names, map(float, values), strict=True))
        equation = self.scan.equation(self._delay_s(values))
        low, high = (
            np.array([given.get(name, bound) for name, bound in zip(NAMES, end, strict=True)])
            for end in (equation.low, equation.high)
        )
        points, wrss = optimum(replace(equation, low=low, high=high), self.activity)
        return points, float((wrss / self.spread).sum())

    def _delay_s(self, values: Array) -> float:
        at = self.names.index("delay") if "delay" in self.names else None
        return float(self.scan.bounds["delay"][0] if at is None else values[at])

    def blocks(self, values: Array, points: Array) -> list[_Block]:
        """The blocks of the normal matrix at these shared values and parameters (curves, 6)."""
        delay_s = self._delay_s(values)
        predicted, slopes = self.scan.equation(delay_s).jacobian(points)
        earlier, later = (
            self.scan.equation(delay_s + shift).predict(points)
            for shift in (-_DELAY_DIFFERENCE_S, _DELAY_DIFFERENCE_S)
        )
        by_delay = (later - earlier) / (2 * _DELAY_DIFFERENCE_S)
        own = [name for name in self.scan.fitted if name not in self.names]
        blocks = []
        for number, point in enumerate(points):
            columns = dict(zip(NAMES, slopes[number], strict=True)) | {"delay": by_delay[number]}
            at = dict(zip(NAMES, point, strict=True))
            root = np.sqrt(self.scan.weight / self.spread[number])
            inside = [n for n in own if at_bound(at[n], *self.scan.bounds[n]) == 0 or np.any(columns[n])]
            mine = np.stack([columns[name] * root for name in inside], axis=1)
            theirs = np.stack([columns[name] * root for name in self.names], axis=1)
            inverse = np.linalg.pinv(mine.T @ mine)
            coupling = inverse @ mine.T @ theirs
            residuals = (self.activity[number] - predicted[number]) * root
            blocks.append(_Block(inside, mine, inverse, coupling, theirs - mine @ coupling, residuals))
        return blocks


def _coupled(fits: Sequence[KineticFit], separate: Sequence[KineticFit], shared: _Shared, values: Array) -> Coupled:
    """The joint covariance: every region's own parameters and the shared ones, by the blocks of the normal matrix.

    Weights are one set for the scan, and a curve's noise need not follow them. Held to a shared V_B, V_T rests on the
    late frames more than the weights know; so no error is smaller than the one that the residuals themselves show
    (White's covariance with their leverage taken out: MacKinnon & White 1985, 10.1016/0304-4076(85)90158-7).
    """
    scan, names, spread = shared.scan, shared.names, shared.spread
    points = np.array([[_value(one, name, scan) for name in NAMES] for one in fits])
    blocks = shared.blocks(values, points)
    total = float(sum(one.wrss / s for one, s in zip(fits, spread, strict=True)))
    freedom = len(fits) * (scan.n_frames - len(scan.fitted) + len(names)) - len(names)
    scale = max(total / freedom, 1.0)  # where sharing fits worse than chance, the errors say so
    information = [one.information for one in blocks]
    plain = np.asarray(np.linalg.pinv(np.sum(information, axis=0)), dtype=float)
    seen_in = [one.theirs.T @ (one.noise(plain)[:, None] * one.theirs) for one in blocks]
    noise = np.asarray(np.sum(seen_in, axis=0), dtype=float)
    joint = scale * shared_covariance(information, [one.degrees_of_freedom for one in separate])
    joint = _at_least(joint, np.diag(plain @ noise @ plain))
    (_, gradients) = outcomes(scan.model, points)
    slopes = [
        np.array([gradient[NAMES.index(name)] for name in one.inside])
        for gradient, one in zip(gradients, blocks, strict=True)
    ]
    robust = [one.robust(plain, noise) for one in blocks]
    reach = np.array([-slope @ one.coupling for slope, one in zip(slopes, blocks, strict=True)])
    alone = [slope @ one.inverse @ slope * scale for slope, one in zip(slopes, blocks, strict=True)]
    seen = np.array([slope @ one @ slope for slope, one in zip(slopes, robust, strict=True)])
    covariance = _at_least(reach @ joint @ reach.T + np.diag(alone), seen)
    errors = dict(zip(names, map(float, np.sqrt(np.diag(joint))), strict=True))
    given = dict(zip(names, map(float, values), strict=True))
    results = []
    for number, (one, block) in enumerate(zip(fits, blocks, strict=True)):
        own = np.diag(block.inverse * scale + block.coupling @ joint @ block.coupling.T)
        own_errors = np.sqrt(np.maximum(own, np.diag(robust[number])))
        told = dict(zip(block.inside, map(float, own_errors), strict=True)) | errors
        told[one.outcome] = float(np.sqrt(covariance[number, number]))
        results.append(
            replace(one, parameters={**one.parameters, **given}, standard_errors={**one.standard_errors, **told})
        )
    return Coupled(
        tuple(results),
        tuple(separate),
        given,
        errors,
        covariance,
        *_test(total, separate, spread, len(names), scan.n_frames),
    )


def _at_least(covariance: Array, variances: Array) -> Array:
    """The covariance with no variance below these, its correlations kept."""
    own = np.diag(covariance)
    with np.errstate(divide="ignore", invalid="ignore"):
        wider = np.sqrt(np.where(own > 0, np.maximum(variances / own, 1.0), 1.0))
    return np.asarray(covariance * np.outer(wider, wider))


def shared_covariance(information: Sequence[Array], freedom: Sequence[int]) -> Array:
    """Covariance (p, p) of parameters that curves share, from each one's information (p, p) on them.

    The inverse of the sum would be it if every curve's noise were known. It is estimated, by so many degrees of
    freedom (curves,): a curve that happens to look quiet counts for too much. For one parameter this is Meier's
    variance of a weighted mean, 1/W (1 + 4 sum p (1 - p)/freedom), p the shares of the weight W (1953,
    10.2307/3001633); for several it is written here in matrices.
    """
    plain = np.linalg.pinv(np.sum(information, axis=0))
    lost = np.zeros_like(plain)
    for one, left in zip(information, freedom, strict=True):
        share = plain @ one
        lost += (share - share @ share) @ plain / left
    return plain + 4 * (lost + lost.T) / 2


def _test(
    total: float, separate: Sequence[KineticFit], spread: Array, shared: int, frames: int
) -> tuple[float, float]:
    """F of the shared parameters against separate ones, and its chance."""
    apart = float(sum(one.wrss / s for one, s in zip(separate, spread, strict=True)))
    extra = shared * (len(separate) - 1)
    left = sum(frames - one.n_parameters for one in separate)
    if extra == 0 or left <= 0:
        return float("nan"), float("nan")
    f = max(total - apart, 0.0) / extra / (apart / left)
    return f, float(fdtrc(extra, left, f))


def _value(one: KineticFit, name: str, scan: CompartmentScan) -> float:
    """A parameter of the fit; what the model lacks is fixed at its bound."""
    return one.parameters.get(name, scan.bounds[name][0])
