"""Curves fitted together: what all of them must share is one number, known better than any of them alone.

The blood that reaches the regions of a scan comes at one delay, V_B of like tissue is alike, and a region that nothing
happened to keeps its own from visit to visit. Given the shared parameters, the curves are separate fits at their
global optima; so only the shared ones are searched (variable projection over curves). A curve's residual variance is
that of its own separate fit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

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
from .models import Model, model_named
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
class ScanCurves:
    """Curves (curves, frames) of one scan in kBq/mL, with its input and the weights of its frames."""

    timing: FrameTiming
    activity: Array
    input_function: InputFunction
    options: FitOptions

    def fitted(self, model: str, given: Mapping[str, float] = MappingProxyType({})) -> tuple[KineticFit, ...]:
        """Every curve by itself, with these parameters held."""
        own = self.options
        chosen = replace(own, vb=given.get("VB", own.vb), delay_s=given.get("delay", own.delay_s))
        return fit(model, self.timing, self.activity, self.input_function, chosen)


@dataclass(frozen=True, eq=False)
class Coupled:
    """Curves of one scan, or of several, with shared parameters.

    fits: one a curve, scan by scan, the shared parameters the same in all; standard errors from the joint covariance.
    separate: the same curves, each by itself. shared, shared_errors: by name. covariance: (curves, curves) of the
    outcome, which the shared parameters make move together. f, f_chance: whether separate shared parameters explain
    more than chance would (F-test, and the chance of an F as large where they are one); nan with a single curve.
    spread: SD of V_B between curves of which each has its own (see ``similar``), None where it is one.
    """

    fits: tuple[KineticFit, ...]
    separate: tuple[KineticFit, ...]
    shared: dict[str, float]
    shared_errors: dict[str, float]
    covariance: Array
    f: float
    f_chance: float
    spread: float | None = None


def fit_coupled(
    model: str, timing: FrameTiming, activity: Array, input_function: InputFunction, options: FitOptions
) -> Coupled:
    """Fit a compartment model to curves (curves, frames) of one scan with one V_B and one delay, as far as both are
    fitted. Raises InputRefused ("coupled-model", "coupled-shared", and as ``fit``).
    """
    return fit_coupled_scans(model, [ScanCurves(timing, np.atleast_2d(activity), input_function, options)])


def fit_coupled_scans(model: str, scans: Sequence[ScanCurves]) -> Coupled:
    """The same for curves of several scans, each with its own frames, input and weights; what all scans fit is shared.

    Bounds are those of the first scan. Raises InputRefused as ``fit_coupled``.
    """
    chosen = model_named(model)
    if not chosen.compartmental:
        raise InputRefused(
            "coupled-model", "{model} has no V_B to share; name a compartment model, or share nothing", model=model
        )
    apart = [scan.fitted(model) for scan in scans]
    names = tuple(name for name in SHARED if all(name in fits[0].parameter_names for fits in apart))
    if not names:
        raise InputRefused(
            "coupled-shared", "neither V_B nor the delay is fitted, so that nothing is shared; fit one of them"
        )
    shared = _Shared(tuple(_Part.of(chosen, *one) for one in zip(scans, apart, strict=True)), names)
    separate = [fitted for fits in apart for fitted in fits]
    values = shared.searched(np.median([[fitted.parameters[name] for name in names] for fitted in separate], axis=0))
    fits = [fitted for scan in scans for fitted in scan.fitted(model, shared.named(values))]
    return _coupled(fits, separate, shared, values)


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
        """Covariance (own, own) of its own parameters from the residuals; shared: the shared ones' covariance if the
        noise were known; shared_noise: what the residuals say of it."""
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
class _Part:
    """One scan's curves (curves, frames), and each one's residual variance (curves,)."""

    scan: CompartmentScan
    activity: Array
    spread: Array

    @classmethod
    def of(cls, model: Model, scan: ScanCurves, apart: Sequence[KineticFit]) -> "_Part":
        spread = np.array([fitted.wrss / fitted.degrees_of_freedom for fitted in apart])
        prepared = CompartmentScan.prepare(model, scan.timing, scan.input_function, scan.options)
        return cls(prepared, np.atleast_2d(scan.activity), spread)

    def optima(self, given: Mapping[str, float]) -> tuple[Array, float]:
        """Every curve's parameters (curves, 6) at these shared values, and the sum of WRSS over spread."""
        equation = self.scan.equation(self._delay_s(given))
        low, high = (
            np.array([given.get(name, bound) for name, bound in zip(NAMES, end, strict=True)])
            for end in (equation.low, equation.high)
        )
        points, wrss = optimum(replace(equation, low=low, high=high), self.activity)
        return points, float((wrss / self.spread).sum())

    def _delay_s(self, given: Mapping[str, float]) -> float:
        return given.get("delay", float(self.scan.bounds["delay"][0]))

    def blocks(self, given: Mapping[str, float], points: Array) -> list[_Block]:
        """The blocks of the normal matrix at these shared values and parameters (curves, 6)."""
        delay_s = self._delay_s(given)
        predicted, slopes = self.scan.equation(delay_s).jacobian(points)
        earlier, later = (
            self.scan.equation(delay_s + shift).predict(points)
            for shift in (-_DELAY_DIFFERENCE_S, _DELAY_DIFFERENCE_S)
        )
        by_delay = (later - earlier) / (2 * _DELAY_DIFFERENCE_S)
        own = [name for name in self.scan.fitted if name not in given]
        blocks = []
        for number, point in enumerate(points):
            columns = dict(zip(NAMES, slopes[number], strict=True)) | {"delay": by_delay[number]}
            at = dict(zip(NAMES, point, strict=True))
            root = np.sqrt(self.scan.weight / self.spread[number])
            inside = [n for n in own if at_bound(at[n], *self.scan.bounds[n]) == 0 or np.any(columns[n])]
            mine = np.stack([columns[name] * root for name in inside], axis=1)
            theirs = np.stack([columns[name] * root for name in given], axis=1)
            inverse = np.linalg.pinv(mine.T @ mine)
            coupling = inverse @ mine.T @ theirs
            residuals = (self.activity[number] - predicted[number]) * root
            blocks.append(_Block(inside, mine, inverse, coupling, theirs - mine @ coupling, residuals))
        return blocks


@dataclass(frozen=True, eq=False)
class _Shared:
    """All curves, scan by scan, and the names that they share."""

    parts: tuple[_Part, ...]
    names: tuple[str, ...]

    @property
    def spread(self) -> Array:
        return np.concatenate([part.spread for part in self.parts])

    @property
    def limits(self) -> Array:
        return np.array([self.parts[0].scan.bounds[name] for name in self.names])

    def named(self, values: Array) -> dict[str, float]:
        return dict(zip(self.names, map(float, values), strict=True))

    def searched(self, start: Array) -> Array:
        """The shared values of the least misfit, by Gauss and Newton's steps, halved until they gain."""
        low, high = self.limits.T
        width = high - low
        values = np.clip(start, low, high)
        points, misfit = self._optima(values)
        for _ in range(_STEPS):
            blocks = self.blocks(values, points)
            information = sum(block.information for block in blocks) * np.outer(width, width)
            step = width * (
                np.linalg.pinv(information) @ (width * sum(block.theirs.T @ block.residuals for block in blocks))
            )
            tried = np.clip(values + step, low, high)
            while np.any(np.abs(tried - values) > _PRECISION * width):
                points_tried, left = self._optima(tried)
                if left < misfit:
                    break
                tried = (values + tried) / 2
            else:
                return values
            values, points, misfit = tried, points_tried, left
        return values

    def _optima(self, values: Array) -> tuple[list[Array], float]:
        """By scan, every curve's parameters (curves, 6) at these shared values; the sum of WRSS over spread."""
        found = [part.optima(self.named(values)) for part in self.parts]
        return [points for points, _ in found], sum(misfit for _, misfit in found)

    def blocks(self, values: Array, points: Sequence[Array]) -> list[_Block]:
        """The blocks of all curves, scan by scan."""
        given = self.named(values)
        return [block for part, at in zip(self.parts, points, strict=True) for block in part.blocks(given, at)]

    def points(self, fits: Sequence[KineticFit]) -> list[Array]:
        """By scan, the fits' parameters (curves, 6); what the model lacks is fixed at its bound."""
        rows, points = iter(fits), []
        for part in self.parts:
            own = [next(rows) for _ in part.activity]
            lacking = {name: low for name, (low, _) in part.scan.bounds.items()}
            points.append(np.array([[{**lacking, **fitted.parameters}[name] for name in NAMES] for fitted in own]))
        return points


def _coupled(fits: Sequence[KineticFit], separate: Sequence[KineticFit], shared: _Shared, values: Array) -> Coupled:
    """The joint covariance: every curve's own parameters and the shared ones, by the blocks of the normal matrix.

    Weights are one set for a scan, and a curve's noise need not follow them. Held to a shared V_B, V_T rests on the
    late frames more than the weights know; so no error is smaller than the one that the residuals themselves show
    (White's covariance with their leverage taken out: MacKinnon & White 1985, 10.1016/0304-4076(85)90158-7).
    """
    names, spread = shared.names, shared.spread
    points = shared.points(fits)
    blocks = shared.blocks(values, points)
    total = float(sum(fitted.wrss / s for fitted, s in zip(fits, spread, strict=True)))
    freedom = sum(fitted.degrees_of_freedom for fitted in fits) - len(names)
    scale = max(total / freedom, 1.0)  # where sharing fits worse than chance, the errors say so
    information = [block.information for block in blocks]
    plain = np.asarray(np.linalg.pinv(np.sum(information, axis=0)), dtype=float)
    seen_in = [block.theirs.T @ (block.noise(plain)[:, None] * block.theirs) for block in blocks]
    noise = np.asarray(np.sum(seen_in, axis=0), dtype=float)
    joint = scale * shared_covariance(information, [fitted.degrees_of_freedom for fitted in separate])
    joint = _at_least(joint, np.diag(plain @ noise @ plain))
    _, gradients = outcomes(model_named(fits[0].model), np.concatenate(points))
    slopes = [
        np.array([gradient[NAMES.index(name)] for name in block.inside])
        for gradient, block in zip(gradients, blocks, strict=True)
    ]
    robust = [block.robust(plain, noise) for block in blocks]
    reach = np.array([-slope @ block.coupling for slope, block in zip(slopes, blocks, strict=True)])
    alone = [slope @ block.inverse @ slope * scale for slope, block in zip(slopes, blocks, strict=True)]
    seen = np.array([slope @ shown @ slope for slope, shown in zip(slopes, robust, strict=True)])
    covariance = _at_least(reach @ joint @ reach.T + np.diag(alone), seen)
    errors = dict(zip(names, map(float, np.sqrt(np.diag(joint))), strict=True))
    given = shared.named(values)
    results = []
    for number, (fitted, block) in enumerate(zip(fits, blocks, strict=True)):
        own = np.diag(block.inverse * scale + block.coupling @ joint @ block.coupling.T)
        own_errors = np.sqrt(np.maximum(own, np.diag(robust[number])))
        standard_errors = dict(zip(block.inside, map(float, own_errors), strict=True)) | errors
        standard_errors[fitted.outcome] = float(np.sqrt(covariance[number, number]))
        results.append(
            replace(
                fitted,
                parameters={**fitted.parameters, **given},
                standard_errors={**fitted.standard_errors, **standard_errors},
            )
        )
    return Coupled(
        tuple(results), tuple(separate), given, errors, covariance, *_test(total, separate, spread, len(names))
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
    for part, left in zip(information, freedom, strict=True):
        share = plain @ part
        lost += (share - share @ share) @ plain / left
    return plain + 4 * (lost + lost.T) / 2


def _test(total: float, separate: Sequence[KineticFit], spread: Array, shared: int) -> tuple[float, float]:
    """F of the shared parameters against separate ones, and its chance."""
    apart = float(sum(fitted.wrss / s for fitted, s in zip(separate, spread, strict=True)))
    extra = shared * (len(separate) - 1)
    left = sum(fitted.degrees_of_freedom for fitted in separate)
    if extra == 0 or left <= 0:
        return float("nan"), float("nan")
    f = max(total - apart, 0.0) / extra / (apart / left)
    return f, float(fdtrc(extra, left, f))
