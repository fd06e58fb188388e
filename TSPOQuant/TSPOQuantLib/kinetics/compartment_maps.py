"""Compartment models on blocks of voxels: the best of a grid of exponents by matrix products, then refined.

The same equations, bounds and standard errors as the region fits (compartment.py, compartment_fit.py), except that the
upper bound of K1 is applied after a 1TCM fit instead of within it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..input_function.curve import InputFunction
from .compartment import NAMES, Effort, Equation, from_amplitudes, mixtures, refine
from .compartment_fit import NO_WASHOUT, CompartmentScan, outcomes
from .convolution import Basis
from .flags import AT_BOUND
from .models import MODELS, Model
from .options import FitOptions
from .products import rows_dot, rows_times, times_columns

Array = NDArray[np.float64]
Block = NDArray[np.float32]
Mask = NDArray[np.bool_]

_K1, _K2, _K3, _K4, _VB, _ = range(len(NAMES))
_GRID_ONE = 32
_GRID_TWO = 22
# Nodes of the table of responses; fewer for 2TCM, whose steps look up whole rows: these then fit the cache.
_TABLE, _TABLE_TWO = 4096, 1024
# Around a node of 1TCM's grid: the polynomial's degree, how many steps of the grid it reaches, Newton's steps on it,
# and a curvature that is none.
_DEGREE, _REACH, _STEPS, _NO_BEND = 7, 1.25, 5, 1e-100
# Voxels of 2TCM at once, but for the refinement.
_PIECE = 2048
# A share of 3e-6 of WRSS is less than a hundredth of a standard error. With this damping a search along a valley takes
# fewer steps than a region's, and fewer end on its way.
_EFFORT = Effort(most_steps=150, least_gain=3e-6, stalls=1, damping=1e-2, relief=0.6)
# Shares of k4's bounds at which k3 is tried to leave 0.
_K4_SHARES = (0.0, 0.1)


@dataclass(frozen=True, eq=False)
class BlockEstimates:
    """values: by parameter name and "VT-se" (or "Ki-se"), each (voxels,). at_bound: by name, each (voxels,) bool."""

    values: dict[str, Array]
    at_bound: dict[str, Mask]


@dataclass(frozen=True, eq=False)
class TabulatedBasis:
    """Weighted responses at equal steps of x = log(theta + offset), with two derivatives in x, for very many rates.

    table, slope, curvature: (nodes, frames). Between nodes the response is a parabola, better than 1e-9 of it with
    4096 nodes, 2e-8 with 1024 (an error of 1e-6 would move a slow V_T by a percent). It has the calls of
    ``ExponentialBasis``.
    """

    table: Array
    slope: Array
    curvature: Array
    first: float
    step: float
    offset: float
    highest: float

    @classmethod
    def of(cls, basis: Basis, root: Array, nodes: int) -> "TabulatedBasis":
        """Tabulate another basis times sqrt(weight), ``root`` (frames,), in the frames that have any."""
        position = np.linspace(np.log(basis.offset), np.log(basis.highest + basis.offset), nodes)
        theta = np.clip(np.exp(position) - basis.offset, 0.0, basis.highest)
        table, by_theta = (array[:, root > 0] * root[root > 0] for array in basis.with_slope(theta))
        slope = by_theta * (theta + basis.offset)[:, None]
        step = float(position[1] - position[0])
        curvature = np.gradient(slope, step, axis=0)
        return cls(table, slope, curvature, float(position[0]), step, basis.offset, basis.highest)

    def node(self, position: Array) -> NDArray[np.intp]:
        """The nearest node of x."""
        return np.clip(np.rint((position - self.first) / self.step), 0, len(self.table) - 1).astype(np.intp)

    def __call__(self, theta: Array) -> Array:
        return self.with_slope(theta)[0]

    def with_slope(self, theta: Array) -> tuple[Array, Array]:
        averages, slope = self.at(np.log(theta + self.offset))
        slope /= (theta + self.offset)[:, None]
        return averages, slope

    def at(self, position: Array) -> tuple[Array, Array]:
        """The response at x and its slope in x."""
        node = self.node(position)
        away = (position - self.first - node * self.step)[:, None]
        bend = self.curvature.take(node, axis=0)
        bend *= away
        slope = self.slope.take(node, axis=0)
        averages = bend / 2
        averages += slope
        averages *= away
        averages += self.table.take(node, axis=0)
        slope += bend
        return averages, slope


class _WeightedEquation(Equation):
    """An equation whose parts are weighted beforehand (root: ones), for very many curves.

    Every derivative is a sum of few parts: responses to the two exponentials, their slopes, blood, trapping. So their
    products are worked out once a curve, and those of the derivatives on small matrices.
    """

    def normal_equations(self, activity: Array, parameters: Array) -> tuple[Array, Array, Array]:
        k1, _, _, _, vb, kb = parameters.T
        count, tissue = len(parameters), (1 - vb) * k1
        first, second, ((w1, w2, *_), *by_rates) = mixtures(parameters)
        averages, slopes = self.basis.with_slope(np.concatenate([first, second]))
        parts = [averages[:count], averages[count:], slopes[:count], slopes[count:]]
        residual = activity - (tissue * w1)[:, None] * parts[0]
        residual -= (tissue * w2)[:, None] * parts[1]
        residual -= vb[:, None] * self.blood
        if kb.any():
            residual -= (vb * kb)[:, None] * self.trapped
        fixed = np.stack([self.blood, self.trapped], axis=1)
        products, along = np.empty((count, 6, 6)), np.empty((count, 6, 1))
        for at, part in enumerate(parts):
            for other in range(at + 1):
                products[:, at, other] = products[:, other, at] = _dot(part, parts[other])
            products[:, at, 4:] = products[:, 4:, at] = part @ fixed
            along[:, at, 0] = _dot(part, residual)
        products[:, 4:, 4:] = fixed.T @ fixed
        along[:, 4:, 0] = residual @ fixed
        moves = np.zeros((count, 6, 6))  # of each parameter, in the amplitudes of the parts
        moves[:, 0, 0], moves[:, 0, 1] = (1 - vb) * w1, (1 - vb) * w2
        for row, by_rate in enumerate(by_rates, 1):
            for at, amplitude in enumerate(by_rate):
                np.multiply(amplitude, tissue, out=moves[:, row, at])
        moves[:, 4, 0], moves[:, 4, 1], moves[:, 4, 4], moves[:, 4, 5] = -k1 * w1, -k1 * w2, 1.0, kb
        moves[:, 5, 5] = vb
        moves = moves[:, self.free]
        return _dot(residual, residual), (moves @ along)[..., 0], moves @ products @ moves.transpose(0, 2, 1)

    def solve(self, matrices: Array, right: Array) -> Array:
        """By elimination in all systems at once: a call for each would cost more than its work."""
        size = right.shape[1]
        rows = np.concatenate([matrices, right[..., None]], axis=2).transpose(1, 2, 0).copy()
        for at in range(size):
            rows[at, at + 1 :] /= rows[at, at]
            for below in range(at + 1, size):
                rows[below, at + 1 :] -= rows[below, at] * rows[at, at + 1 :]
        for at in range(size - 2, -1, -1):
            rows[at, size] -= (rows[at, at + 1 : size] * rows[at + 1 :, size]).sum(axis=0)
        return np.asarray(rows[:, size].T)


@dataclass(frozen=True, eq=False)
class _Scan:
    """What one model's blocks share. Data and equation are weighted beforehand; frames without weight are gone.

    equation: with a tabulated basis and a root of ones. exact, kept: the basis before, and the frames kept of it.
    root: sqrt of the weights of the kept frames.
    """

    equation: Equation
    basis: TabulatedBasis
    exact: Basis
    kept: NDArray[np.intp]
    root: Array
    n_parameters: int
    low: dict[str, float]
    high: dict[str, float]

    @classmethod
    def prepare(cls, model: str, timing: FrameTiming, input_function: InputFunction, options: FitOptions) -> "_Scan":
        scan = CompartmentScan.prepare(MODELS[model], timing, input_function, options)
        full = scan.equation(scan.bounds["delay"][0])
        keep = full.root > 0
        root = full.root[keep]
        basis = TabulatedBasis.of(full.basis, full.root, _TABLE if full.one_tissue else _TABLE_TWO)
        blood, trapped = full.blood[keep] * root, full.trapped[keep] * root
        equation = _WeightedEquation(basis, blood, trapped, np.ones(len(root)), full.low, full.high)
        low, high = (dict(zip(NAMES, map(float, ends), strict=True)) for ends in (full.low, full.high))
        return cls(equation, basis, full.basis, np.flatnonzero(keep), root, len(scan.fitted), low, high)

    @property
    def vb_is_fitted(self) -> bool:
        return self.high["VB"] > self.low["VB"]

    @property
    def blood_square(self) -> float:
        return max(float(self.equation.blood @ self.equation.blood), np.finfo(float).tiny)

    def responses(self, rates: Array) -> Array:
        """Weighted responses (rates, frames), not from the table."""
        return np.asarray(self.exact(rates)[:, self.kept] * self.root)

    def rates(self, count: int, lowest: float, highest: float) -> Array:
        """``count`` rates at equal steps of log(theta + offset)."""
        ends = np.log(lowest + self.basis.offset), np.log(highest + self.basis.offset)
        return np.asarray(np.clip(np.exp(np.linspace(*ends, count)) - self.basis.offset, lowest, highest))

    def weighted(self, block: Block) -> Block:
        """A block of kept frames (frames, voxels) as weighted rows (voxels, frames)."""
        return np.ascontiguousarray(block.T) * self.root.astype(np.float32)


class OneTissueBlock:
    """1TCM with V_B none, fixed or fitted: k2 from a grid, then Newton's steps on a polynomial around its node.

    With V_B held, WRSS is least where the data's part along the tissue curve of unit length is largest; with V_B free,
    the same holds beside the blood. Near a node that part is a polynomial in x = log(k2 + offset), whose coefficients
    are a matrix product with the data, so that every step works on single numbers a voxel. V_B that leaves its bounds
    is held at the nearer one.
    """

    def __init__(self, timing: FrameTiming, input_function: InputFunction, options: FitOptions) -> None:
        self.scan = scan = _Scan.prepare("1TCM", timing, input_function, options)
        basis, blood, square = scan.basis, scan.equation.blood, scan.blood_square
        rates = scan.rates(_GRID_ONE, scan.low["k2"], scan.high["k2"])
        self.position = np.log(rates + basis.offset)
        self.spacing = float(self.position[1] - self.position[0])
        tissue = scan.responses(rates)
        (units, norms), (beside, beside_norms) = _unit(tissue), _unit(_beside(tissue, blood))
        along = tissue @ blood
        grid = np.vstack([beside, blood / square]) if scan.vb_is_fitted else units
        self.grid = (grid * scan.root).astype(np.float32)
        self.grid_blood = (units @ blood)[:, None].astype(np.float32)
        # V_B is its fraction without tissue less this share of the data's part beside blood; what it costs to hold it.
        self.share = (along / beside_norms / square)[:, None].astype(np.float32)
        self.cost = (square - (along / norms) ** 2)[:, None].astype(np.float32)
        # Chebyshev's points, in steps from each node and within the grid, and the polynomials through them.
        self.ends = np.clip(
            [[-_REACH], [_REACH]], *(self.position[[[0], [-1]]] - self.position)[:, None] / self.spacing
        )
        points = self.ends.mean(axis=0) + np.ptp(self.ends, axis=0) / 2 * chebyshev.chebpts1(_DEGREE + 1)[:, None]
        around = scan.responses(np.exp((self.position + self.spacing * points).T.ravel()) - basis.offset)
        through = np.linalg.inv(points.T[..., None] ** np.arange(_DEGREE + 1))
        curves = [_unit(around)[0], _unit(_beside(around, blood))[0]] if scan.vb_is_fitted else [_unit(around)[0]]
        parts = [through @ curve.reshape(len(rates), _DEGREE + 1, -1) for curve in curves]
        self.blood_parts = parts[0] @ blood
        self.parts = np.concatenate([*parts, np.broadcast_to(blood, (len(rates), 1, len(blood)))], axis=1)
        self.moments = _moments(basis, blood)

    def __call__(self, block: Block) -> BlockEstimates:
        """Estimates of a block (frames, voxels) of kept frames, kBq/mL."""
        scan, square = self.scan, self.scan.blood_square
        node = self._best_on_grid(block)
        order = np.argsort(node, kind="stable")
        node = node[order]
        data = block.take(order, axis=1) * scan.root[:, None] - scan.low["VB"] * scan.equation.blood[:, None]
        held, beside, by_blood = self._parts_of(data, node)
        left = np.einsum("fv,fv->v", data, data)
        if not scan.vb_is_fitted:
            position, part = self._climb(held, node)
            moments = self._moments_at(position)
            amplitude, vb = part / np.sqrt(moments[0]), np.zeros(len(node))
        else:
            position, part = self._climb(beside, node)
            moments = self._moments_at(position)
            amplitude = part / np.sqrt(moments[0] - moments[3] ** 2 / square)
            free = (by_blood - amplitude * moments[3]) / square
            vb = np.minimum(np.maximum(free, 0), scan.high["VB"] - scan.low["VB"])
            at = np.flatnonzero(free != vb)
            left -= by_blood**2 / square
            left[at] += (by_blood[at] / square - vb[at]) ** 2 * square
            own = held.take(at, axis=1) - vb[at] * self.blood_parts.T.take(node[at], axis=1)
            position[at], part[at] = self._climb(own, node[at])
            moments[:, at] = self._moments_at(position[at])
            amplitude[at] = part[at] / np.sqrt(moments[0, at])
        left = np.maximum(left - part**2, 0.0)
        found = np.empty((5, len(node)))
        found[:, order] = self._estimates(position, amplitude, vb + scan.low["VB"], left, moments)
        values = dict(zip(("VT", "VT-se", "K1", "k2", "VB"), found, strict=True))
        return BlockEstimates(values, _at_bounds(values, scan))

    def _best_on_grid(self, block: Block) -> NDArray[np.uint8]:
        """The node (voxels,) with the lowest sum of squares within the bounds of V_B."""
        low, half = np.float32(self.scan.low["VB"]), np.float32(self.scan.high["VB"] - self.scan.low["VB"]) / 2
        gain = times_columns(self.grid, block)
        if self.scan.vb_is_fitted:
            gain, fraction = gain[:-1], gain[-1] - low - half
            outside = np.abs(fraction - self.share * gain)
            outside -= half
            outside += np.abs(outside)
            outside *= outside
            outside *= self.cost / 4
            gain *= np.abs(gain)  # a negative amplitude is no gain
            gain -= outside
        elif low > 0:
            gain -= low * self.grid_blood
        index = np.arange(len(gain), dtype=np.uint8)[:, None]
        return np.asarray(((gain == gain.max(axis=0)) * index).max(axis=0))

    def _parts_of(self, data: Array, node: NDArray[np.uint8]) -> tuple[Array, Array, Array]:
        """Data (frames, voxels), sorted by node, along the tissue, along it beside blood, and times the blood: two
        polynomials (coefficients, voxels) of the steps from the node, and a number (voxels,)."""
        found = np.empty((self.parts.shape[1], len(node)))
        ends = np.searchsorted(node, np.arange(len(self.parts) + 1))
        for parts, begin, end in zip(self.parts, ends, ends[1:], strict=False):
            found[:, begin:end] = times_columns(parts, data[:, begin:end])
        return found[: _DEGREE + 1], found[_DEGREE + 1 : -1], found[-1]

    def _climb(self, part: Array, node: NDArray[np.uint8]) -> tuple[Array, Array]:
        """x (voxels,) of the highest value of a polynomial near its node, and that value or 0."""
        slopes = part[1:] * np.arange(1, _DEGREE + 1)[:, None]
        low, high = (ends.take(node) for ends in self.ends)
        steps = np.zeros(len(node))
        for _ in range(_STEPS):
            slope, bend = _polynomial(slopes, steps)
            steps += slope / (np.abs(bend) + _NO_BEND)
            np.minimum(np.maximum(steps, low, out=steps), high, out=steps)
        return self.position.take(node) + self.spacing * steps, np.maximum(_polynomial(part, steps)[0], 0.0)

    def _moments_at(self, position: Array) -> Array:
        """Products (5, voxels) of tissue t, its slope s in x, and blood b at x: tt, ts, ss, tb, sb."""
        basis = self.scan.basis
        node = basis.node(position)
        away = position - basis.first - basis.step * node
        value, slope, bend = (moment.take(node, axis=1) for moment in self.moments)
        bend *= away
        slope += bend
        slope *= away
        value += slope
        return value

    def _estimates(self, position: Array, amplitude: Array, vb: Array, left: Array, moments: Array) -> Array:
        """V_T, its standard error, K1, k2, V_B (5, voxels); left: WRSS."""
        scan, square = self.scan, self.scan.blood_square
        tt, ts, ss, tb, sb = moments
        rate = np.exp(position) - scan.basis.offset
        rate = np.minimum(np.maximum(rate, scan.low["k2"]), scan.high["k2"])
        fitted = (rate > NO_WASHOUT) & (amplitude > 0)
        nothing = np.where(fitted, 0.0, np.nan)
        k1 = amplitude / (1 - vb)
        rate_or_nan = rate + nothing
        # d log V_T = da/a + dVB/(1 - VB) - dk2/k2 with a dx = ds and square dVB = db - tb da - sb ds; all times a.
        by_tissue, by_slope = 1.0, -(1 + scan.basis.offset / rate_or_nan)
        if scan.vb_is_fitted:
            tt, ts, ss = tt - tb * tb / square, ts - tb * sb / square, ss - sb * sb / square
            by_tissue, by_slope = 1 - tb * k1 / square, by_slope - sb * k1 / square
        determinant = tt * ss - ts * ts
        form = by_tissue * by_tissue * ss - 2 * by_tissue * by_slope * ts + by_slope * by_slope * tt
        relative = form / determinant
        if scan.vb_is_fitted:
            relative += k1 * k1 / square
        variance = left / (len(scan.root) - scan.n_parameters)
        error = np.sqrt(relative * variance) / (rate_or_nan * (1 - vb))
        error[determinant <= 1e-12 * tt * ss] = np.nan
        return np.stack([k1 / rate_or_nan, error, np.minimum(k1, scan.high["K1"]), rate, vb])


def _moments(basis: TabulatedBasis, blood: Array) -> tuple[Array, Array, Array]:
    """On the nodes of the table: the products tt, ts, ss, tb, sb (5, nodes), their slopes in x, and half of the
    slopes' slopes, as far as they are known and matter."""
    t, s, c = basis.table, basis.slope, basis.curvature
    tt, ts, ss, tc, sc = _dot(t, t), _dot(t, s), _dot(s, s), _dot(t, c), _dot(s, c)
    tb, sb, cb = (rows_dot(rows, blood) for rows in (t, s, c))
    none = np.zeros_like(tt)
    values = np.stack([tt, ts, ss, tb, sb])
    slopes = np.stack([2 * ts, ss + tc, 2 * sc, sb, cb])
    return values, slopes, np.stack([ss + tc, none, none, cb / 2, none])


def _polynomial(coefficients: Array, at: Array) -> tuple[Array, Array]:
    """Its value and slope, by Horner's rule; coefficients: (degree + 1, voxels), from the lowest."""
    value, slope = coefficients[-1].copy(), np.zeros_like(at)
    for coefficient in coefficients[-2::-1]:
        slope *= at
        slope += value
        value *= at
        value += coefficient
    return value, slope


def _beside(rows: Array, blood: Array) -> Array:
    """Rows (many, frames) less their parts along the blood (frames,)."""
    return np.asarray(rows - np.outer(rows @ blood, blood) / max(float(blood @ blood), np.finfo(float).tiny))


class TwoTissueBlock:
    """2TCM and its relatives: the best pair of exponents with positive amplitudes by matrix products, or with k2 at
    its upper bound, or the optimum of 1TCM; then ``refine`` within bounds; K_b starts at its lower one."""

    def __init__(self, model: Model, timing: FrameTiming, input_function: InputFunction, options: FitOptions) -> None:
        self.model = model
        self.scan = _Scan.prepare(model.name, timing, input_function, options)
        self.one_tissue = OneTissueBlock(timing, input_function, options)
        rates = self.scan.rates(_GRID_TWO, 0.0, self.scan.basis.highest)
        columns = self.scan.basis(rates)
        kept = "k4" not in model.parameters  # without release the slower exponent is 0
        self.grids: list[_PairGrid | _WashoutGrid] = []
        for blood in (None, self.scan.equation.blood) if self.scan.vb_is_fitted else (None,):
            self.grids.append(_PairGrid.of(columns, rates, blood, kept))
            if (rates < self.scan.high["k2"]).any():
                self.grids.append(_WashoutGrid.of(self.scan.equation, rates, blood))

    def __call__(self, block: Block) -> BlockEstimates:
        """Estimates of a block (frames, voxels) of kept frames, kBq/mL.

        Only the refinement takes the whole block at once: its last steps are of few voxels.
        """
        pieces = [slice(begin, begin + _PIECE) for begin in range(0, block.shape[1], _PIECE)]
        data = self.scan.weighted(block).astype(np.float64)
        simple = self._one_tissue_start(block)
        start = np.concatenate([self._start(simple[piece], data[piece]) for piece in pieces])
        found, wrss = refine(self.scan.equation, data, start, _EFFORT)
        estimates = [self._estimates(found[piece], wrss[piece]) for piece in pieces]
        values = {name: np.concatenate([one[name] for one in estimates]) for name in estimates[0]}
        return BlockEstimates(values, _at_bounds(values, self.scan))

    def _start(self, start: Array, data: Array) -> Array:
        """The best of a start and of the grid's pairs, (voxels, 6); data: weighted rows (voxels, frames)."""
        scan, single = self.scan, data.astype(np.float32)
        low, high = scan.equation.low, scan.equation.high
        best = self._sum_of_squares(start, data)
        for grid in self.grids:
            found = np.clip(grid.best(single, scan.equation.blood, scan.low["VB"], scan.high["VB"]), low, high)
            sums = self._sum_of_squares(found, data)
            start = np.where((sums < best)[:, None], found, start)
            best = np.minimum(sums, best)
        simple = np.flatnonzero(start[:, _K3] == low[_K3])
        start[simple] = self._with_release(start[simple], data[simple])
        return start

    def _with_release(self, start: Array, data: Array) -> Array:
        """Starts (voxels, 6) without a second compartment, with the k4 at which k3 gains most by leaving 0."""
        equation, found, most = self.scan.equation, start.copy(), np.zeros(len(start))
        free = equation.free
        moving = np.flatnonzero(free != _K4)  # k4 has no effect yet
        for share in _K4_SHARES if _K4 in free else ():
            trial = start.copy()
            trial[:, _K4] = equation.low[_K4] + share * (equation.high[_K4] - equation.low[_K4])
            _, gradient, hessian = equation.normal_equations(data, trial)
            with np.errstate(divide="ignore", invalid="ignore"):  # no activity
                step = equation.solve(hessian[:, moving][:, :, moving], gradient[:, moving])
            gain = np.where(step[:, free[moving] == _K3][:, 0] > 0, (step * gradient[:, moving]).sum(axis=1), 0.0)
            found = np.where((gain > most)[:, None], trial, found)
            most = np.fmax(gain, most)
        return found

    def _one_tissue_start(self, block: Block) -> Array:
        simple = self.one_tissue(block).values
        low, high = self.scan.equation.low, self.scan.equation.high
        start = np.tile((low + high) / 2, (block.shape[1], 1))
        for index, name in ((0, "K1"), (1, "k2"), (4, "VB")):
            start[:, index] = simple[name]
        start[:, [2, 5]] = low[[2, 5]]
        return np.clip(start, low, high)

    def _sum_of_squares(self, parameters: Array, data: Array) -> Array:
        residual = self.scan.equation.predict(parameters) - data
        return _dot(residual, residual)

    def _estimates(self, found: Array, wrss: Array) -> dict[str, Array]:
        equation = self.scan.equation
        volume, gradient = outcomes(self.model, found)
        known = np.isfinite(volume) & (found[:, 0] > 0)
        volume = np.where(known, volume, np.nan)
        free = equation.free
        slopes = equation.jacobian(found)[1][:, free]
        norms = np.sqrt((slopes**2).sum(axis=2))
        silent = norms == 0  # no effect on the curve: k4 where k3 is 0
        norms = np.where(silent, 1.0, norms)
        slopes /= norms[:, :, None]
        gradient = np.where(silent, 0.0, gradient[:, free] / norms)
        normal = slopes @ slopes.transpose(0, 2, 1)
        diagonal = np.arange(len(free))
        # A hair on the diagonal: a singular matrix then gives an error of many times V_T instead of no answer.
        normal[:, diagonal, diagonal] += np.where(silent, 1.0, 1e-12)
        solved = np.linalg.solve(normal, gradient[..., None])[..., 0]
        variance = wrss / (len(self.scan.root) - self.scan.n_parameters)
        error = np.where(known, np.sqrt(np.maximum((solved * gradient).sum(axis=1), 0.0) * variance), np.nan)
        fitted = {name: found[:, at] for at, name in enumerate(NAMES) if name in (*self.model.parameters, "VB")}
        return {self.model.outcome: volume, f"{self.model.outcome}-se": error, **fitted}


@dataclass(frozen=True, eq=False)
class _PairGrid:
    """All pairs of exponents, orthogonalized once: blood (if free), then the slower, then the faster response.

    slower, faster: (frames, pairs) unit columns, the faster beside its slower one. The rest, (pairs,), turns
    coefficients on these columns back into amplitudes.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    rates: Array
    slower: Block
    faster: Block
    slower_norm: Block
    faster_norm: Block
    slope: Block
    slower_overlap: Block
    faster_overlap: Block
    with_blood: bool

    @classmethod
    def of(cls, columns: Array, rates: Array, blood: Array | None, slowest_only: bool) -> "_PairGrid":
        """columns: weighted responses (rates, frames); blood: weighted (frames,), None where V_B is not free.

        slowest_only: pairs with the slowest rate alone.
        """
        first, second = np.triu_indices(len(rates), 1)
        if slowest_only:
            first, second = first[first == 0], second[first == 0]
        overlap = np.zeros(len(columns))
        beside = columns
        if blood is not None:
            overlap = columns @ blood / max(float(blood @ blood), np.finfo(float).tiny)
            beside = columns - np.outer(overlap, blood)
        slower, slower_norm = _unit(beside)
        slope = (slower[first] * beside[second]).sum(axis=1)
        faster, faster_norm = _unit(beside[second] - slope[:, None] * slower[first])
        return cls(
            first=first,
            second=second,
            rates=rates,
            slower=slower[first].T.astype(np.float32),
            faster=faster.T.astype(np.float32),
            slower_norm=slower_norm[first].astype(np.float32),
            faster_norm=faster_norm.astype(np.float32),
            slope=slope.astype(np.float32),
            slower_overlap=overlap[first].astype(np.float32),
            faster_overlap=overlap[second].astype(np.float32),
            with_blood=blood is not None,
        )

    def best(self, data: Block, blood: Array, low: float, high: float) -> Array:
        """Parameters (voxels, 6) of the pair that explains most of data (voxels, frames) with positive amplitudes.

        V_B is at ``low``, or free within its bounds; where no pair does, the amplitudes are 0.
        """
        if self.with_blood:
            by_blood = rows_dot(data, (blood / max(float(blood @ blood), np.finfo(float).tiny)).astype(np.float32))
        elif low > 0:
            data = data - (low * blood).astype(np.float32)
        slower = rows_times(data, self.slower)
        faster = rows_times(data, self.faster)
        fast = faster / self.faster_norm
        slow = slower - self.slope * fast
        slow /= self.slower_norm
        inside = (fast >= 0) & (slow >= 0)
        if self.with_blood:
            fraction = by_blood[:, None] - self.slower_overlap * slow - self.faster_overlap * fast
            inside &= (fraction >= low) & (fraction <= high)
        slower *= slower
        faster *= faster
        slower += faster
        slower *= inside
        voxel, pair = np.arange(len(data)), np.argmax(slower, axis=1)
        vb = fraction[voxel, pair] if self.with_blood else np.full(len(data), low)
        amplitudes = np.stack([slow[voxel, pair], fast[voxel, pair], np.clip(vb, low, high)], axis=1)
        amplitudes[~inside[voxel, pair], :2] = 0.0
        one, two = self.rates[self.first[pair]], self.rates[self.second[pair]]
        found = from_amplitudes(amplitudes.astype(np.float64)[:, :, None], one, two, np.stack([one, two]))
        return np.asarray(found[0])


@dataclass(frozen=True, eq=False)
class _WashoutGrid:
    """Pairs of exponents around the upper bound of k2, with k2 at it: k3 and k4 follow, and one amplitude is left.

    points: (pairs, 6), without K1 and V_B. units: (frames, pairs) unit columns of their responses, beside blood where
    that is free; norms, overlap: (pairs,), of the responses, and their blood.
    """

    points: Array
    units: Block
    norms: Block
    overlap: Block
    with_blood: bool

    @classmethod
    def of(cls, equation: Equation, rates: Array, blood: Array | None) -> "_WashoutGrid":
        """rates: the exponents, rising from 0; blood: weighted (frames,), None where V_B is not free."""
        k2 = equation.high[_K2]
        slower, faster = (ends.ravel() for ends in np.meshgrid(rates[rates < k2], rates[rates > k2], indexing="ij"))
        points = np.tile(np.array([1.0, k2, 0.0, 0.0, 0.0, 0.0]), (len(slower), 1))
        points[:, _K4] = slower * faster / k2
        points[:, _K3] = slower + faster - k2 - points[:, _K4]
        points = np.clip(points, [1, *equation.low[1:4], 0, 0], [1, *equation.high[1:4], 0, 0])
        tissue = equation.predict(points)
        square = 1.0 if blood is None else max(float(blood @ blood), np.finfo(float).tiny)
        units, norms = _unit(tissue if blood is None else _beside(tissue, blood))
        overlap = np.zeros(len(tissue)) if blood is None else tissue @ blood / square
        single = [array.astype(np.float32) for array in (units.T, norms, overlap)]
        return cls(points, single[0], single[1], single[2], blood is not None)

    def best(self, data: Block, blood: Array, low: float, high: float) -> Array:
        """As ``_PairGrid.best``."""
        along = rows_times(data - (low * blood).astype(np.float32), self.units)
        amplitude = along / self.norms
        inside = along > 0
        if self.with_blood:
            by_blood = rows_dot(data, (blood / max(float(blood @ blood), np.finfo(float).tiny)).astype(np.float32))
            fraction = by_blood[:, None] - self.overlap * amplitude
            inside &= (fraction >= low) & (fraction <= high)
        voxel, pair = np.arange(len(data)), np.argmax(along * inside, axis=1)
        vb = np.clip(fraction[voxel, pair], low, high) if self.with_blood else np.full(len(data), low)
        found = np.asarray(self.points[pair])
        found[:, _K1] = amplitude[voxel, pair] * inside[voxel, pair] / (1 - vb)
        found[:, _VB] = vb
        return found


def _unit(rows: Array) -> tuple[Array, Array]:
    norms = np.sqrt((rows**2).sum(axis=1))
    norms = np.where(norms > 1e-9 * max(float(norms.max()), np.finfo(float).tiny), norms, np.inf)
    return rows / norms[:, None], norms


def _dot(one: Array, other: Array) -> Array:
    return np.asarray(np.einsum("vf,vf->v", one, other))


def _at_bounds(values: dict[str, Array], scan: _Scan) -> dict[str, Mask]:
    flags = {}
    for name, low in scan.low.items():
        high = scan.high[name]
        if name in values and high > low:
            reach = AT_BOUND * (high - low)
            flags[name] = (values[name] <= low + reach) | (values[name] >= high - reach)
    return flags
