"""Compartment models on blocks of voxels: the best of a grid of exponents by matrix products, then refined.

The same equations, bounds and standard errors as the region fits (compartment.py, compartment_fit.py), except that the
upper bound of K1 is applied after a 1TCM fit instead of within it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..input_function.curve import InputFunction
from .compartment import NAMES, Effort, Equation, from_amplitudes, refine
from .compartment_fit import NO_WASHOUT, CompartmentScan, outcomes
from .convolution import Basis
from .flags import AT_BOUND
from .models import MODELS, Model
from .options import FitOptions
from .products import rows_dot, rows_times

Array = NDArray[np.float64]
Block = NDArray[np.float32]
Mask = NDArray[np.bool_]

_GRID_ONE = 40
_GRID_TWO = 22
# Nodes of the table of responses.
_TABLE = 4096
# The most Gauss-Newton steps of 1TCM, and the step in x whose square is small enough to make it the last.
_STEPS = 10
_LAST_STEP = 0.004
# A share of 1e-5 of WRSS is about a hundredth of a standard error.
_EFFORT = Effort(most_steps=150, least_gain=1e-5, stalls=1)


@dataclass(frozen=True, eq=False)
class BlockEstimates:
    """values: by parameter name and "VT-se" (or "Ki-se"), each (voxels,). at_bound: by name, each (voxels,) bool."""

    values: dict[str, Array]
    at_bound: dict[str, Mask]


@dataclass(frozen=True, eq=False)
class TabulatedBasis:
    """Weighted responses at equal steps of x = log(theta + offset), with two derivatives in x, for very many rates.

    table, slope, curvature: (nodes, frames). Between nodes the response is a parabola, better than 1e-9 of it (a line,
    1e-6 of it, would move a slow V_T by a percent). It has the calls of ``ExponentialBasis``.
    """

    table: Array
    slope: Array
    curvature: Array
    first: float
    step: float
    offset: float
    highest: float

    @classmethod
    def of(cls, basis: Basis, root: Array) -> "TabulatedBasis":
        """Tabulate another basis times sqrt(weight), ``root`` (frames,), in the frames that have any."""
        position = np.linspace(np.log(basis.offset), np.log(basis.highest + basis.offset), _TABLE)
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


@dataclass(frozen=True, eq=False)
class _Scan:
    """What one model's blocks share. Data and equation are weighted beforehand; frames without weight are gone.

    equation: with a tabulated basis and a root of ones. root: sqrt of the weights of the kept frames.
    """

    equation: Equation
    basis: TabulatedBasis
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
        basis = TabulatedBasis.of(full.basis, full.root)
        blood, trapped = full.blood[keep] * root, full.trapped[keep] * root
        equation = Equation(basis, blood, trapped, np.ones(len(root)), full.low, full.high)
        low, high = (dict(zip(NAMES, map(float, ends), strict=True)) for ends in (full.low, full.high))
        return cls(equation, basis, root, len(scan.fitted), low, high)

    @property
    def vb_is_fitted(self) -> bool:
        return self.high["VB"] > self.low["VB"]

    @property
    def blood_square(self) -> float:
        return max(float(self.equation.blood @ self.equation.blood), np.finfo(float).tiny)

    def rates(self, count: int, lowest: float, highest: float) -> Array:
        """``count`` rates at equal steps of log(theta + offset)."""
        ends = np.log(lowest + self.basis.offset), np.log(highest + self.basis.offset)
        return np.asarray(np.clip(np.exp(np.linspace(*ends, count)) - self.basis.offset, lowest, highest))

    def weighted(self, block: Block) -> Block:
        """A block of kept frames (frames, voxels) as weighted rows (voxels, frames)."""
        return np.ascontiguousarray(block.T) * self.root.astype(np.float32)


class OneTissueBlock:
    """1TCM with V_B none, fixed or fitted: k2 from a grid, then Newton's steps on the nodes of the table.

    On a node, K1, V_B and the step to the optimum in x = log(k2 + offset) are one linear least squares, whose step the
    curvature along the residual then corrects. The last but one step is not rounded to a node and is shorter than
    0.004; the last one starts where that ends, so that the estimate is exact to the fourth power of it.
    """

    def __init__(self, timing: FrameTiming, input_function: InputFunction, options: FitOptions) -> None:
        self.scan = _Scan.prepare("1TCM", timing, input_function, options)
        basis, blood, square = self.scan.basis, self.scan.equation.blood, self.scan.blood_square
        rates = self.scan.rates(_GRID_ONE, self.scan.low["k2"], self.scan.high["k2"])
        self.position = np.log(rates + basis.offset)
        columns = basis(rates)
        self.alone, self.alone_norm = _unit(columns)
        self.overlap = columns @ blood
        self.beside, self.beside_norm = _unit(columns - np.outer(self.overlap, blood) / square)
        # Products of tissue t, its slope s and blood b on every node: they do not depend on the data.
        self.tt, self.ts = _dot(basis.table, basis.table), _dot(basis.table, basis.slope)
        self.ss = _dot(basis.slope, basis.slope)
        self.tb, self.sb = rows_dot(basis.table, blood), rows_dot(basis.slope, blood)
        # And of the curvature.
        self.tc, self.sc = _dot(basis.table, basis.curvature), _dot(basis.slope, basis.curvature)
        self.bc = rows_dot(basis.curvature, blood)

    def __call__(self, block: Block) -> BlockEstimates:
        """Estimates of a block (frames, voxels) of kept frames, kBq/mL."""
        data = self.scan.weighted(block)
        return self._refined(data.astype(np.float64), self._best_on_grid(data))

    def _best_on_grid(self, data: Block) -> Array:
        """x (voxels,) of the lowest sum of squares within bounds, by a parabola around the grid's best."""
        low, high = np.float32(self.scan.low["VB"]), np.float32(self.scan.high["VB"])
        square = np.float32(self.scan.blood_square)
        by_blood = rows_dot(data, self.scan.equation.blood.astype(np.float32))[:, None]
        alone = rows_times(data, self.alone.T.astype(np.float32))
        along = (self.overlap / self.alone_norm).astype(np.float32)
        gain = _gain_at(low, alone, along, by_blood, square)
        if self.scan.vb_is_fitted:
            # V_B at its best beside each rate's tissue curve; outside its bounds, at the nearer one.
            beside = rows_times(data, self.beside.T.astype(np.float32))
            share = (self.overlap / self.beside_norm / self.scan.blood_square).astype(np.float32)
            fraction = by_blood / square - share * beside
            free = np.maximum(beside, 0)
            free *= free
            free += by_blood * by_blood / square
            np.copyto(gain, free, where=fraction >= low)
            over = np.flatnonzero(fraction.max(axis=1) > high)
            if len(over):
                at_high = _gain_at(high, alone[over], along, by_blood[over], square)
                gain[over] = np.where(fraction[over] > high, at_high, gain[over])
        voxel, best = np.arange(len(data)), np.clip(np.argmax(gain, axis=1), 1, _GRID_ONE - 2)
        before, here, after = (gain[voxel, best + shift] for shift in (-1, 0, 1))
        bend = before - 2 * here + after
        shift = np.where(bend < 0, (before - after) / np.where(bend < 0, 2 * bend, 1), 0)
        spacing = self.position[1] - self.position[0]
        return np.asarray(self.position[best] + np.clip(shift, -1, 1) * spacing)

    def _refined(self, data: Array, start: Array) -> BlockEstimates:
        basis = self.scan.basis
        reach = int(1.5 * (self.position[1] - self.position[0]) / basis.step) + 1
        ends = basis.node(self.position[[0, -1]])
        node = basis.node(start)
        lowest, highest = np.maximum(node - reach, ends[0]), np.minimum(node + reach, ends[1])
        steps = self._solve(data, node).step
        running = np.arange(len(node))
        for _ in range(_STEPS):
            step = steps[running]
            moved = np.clip(node[running] + np.rint(step / basis.step), lowest[running], highest[running])
            far = (np.abs(step) > _LAST_STEP) & (moved != node[running])
            running = running[far]
            if not len(running):
                break
            node[running] = moved[far]
            steps[running] = self._solve(data.take(running, axis=0), node[running]).step
        return self._estimates(data, node, steps)

    def _solve(self, data: Array, node: NDArray[np.intp]) -> "_OneTissueSolution":
        """The solution of data (voxels, frames) on the nodes of the table."""
        tables = (self.scan.basis.table, self.scan.basis.slope, self.tt, self.ts, self.ss, self.tb, self.sb)
        return self._least_squares(data, node, *(table.take(node, axis=0) for table in tables))

    def _solve_at(self, data: Array, position: Array) -> "_OneTissueSolution":
        """The same anywhere between the nodes, at x (voxels,)."""
        blood = self.scan.equation.blood
        tissue, slope = self.scan.basis.at(position)
        products = _dot(tissue, tissue), _dot(tissue, slope), _dot(slope, slope)
        by_blood = rows_dot(tissue, blood), rows_dot(slope, blood)
        return self._least_squares(data, self.scan.basis.node(position), tissue, slope, *products, *by_blood)

    def _least_squares(
        self,
        data: Array,
        node: NDArray[np.intp],
        tissue: Array,
        slope: Array,
        tt: Array,
        ts: Array,
        ss: Array,
        tb: Array,
        sb: Array,
    ) -> "_OneTissueSolution":
        """Data (voxels, frames) on tissue, its slope in x, and blood within its bounds, from their products.

        node: the nearest, whose curvature corrects the step.
        """
        blood = self.scan.equation.blood
        ty, sy = _dot(tissue, data), _dot(slope, data)
        vb = np.full(len(data), self.scan.low["VB"])
        ptt, pts, pss = tt, ts, ss
        if self.scan.vb_is_fitted:
            square = self.scan.blood_square
            by = rows_dot(data, blood) / square
            ptt, pts, pss = tt - tb * tb / square, ts - tb * sb / square, ss - sb * sb / square
            amplitude, along = _two(ptt, pts, pss, ty - tb * by, sy - sb * by)
            vb = by - (amplitude * tb + along * sb) / square
            vb = np.clip(vb, self.scan.low["VB"], self.scan.high["VB"])
        amplitude, along = _two(tt, ts, ss, ty - vb * tb, sy - vb * sb)
        free = (vb > self.scan.low["VB"]) & (vb < self.scan.high["VB"])
        bend = amplitude * np.where(free, _own_square(ptt, pts, pss), _own_square(tt, ts, ss))
        left = _dot(self.scan.basis.curvature.take(node, axis=0), data)
        left -= amplitude * self.tc.take(node) + along * self.sc.take(node) + vb * self.bc.take(node)
        # Far from the optimum Newton's step can lead anywhere: it is kept near that of least squares.
        known = bend > 0
        bend = np.where(known, bend, 1.0)
        newton = bend / np.clip(bend - left, bend / 2, bend * 2)
        step = np.where(known, newton * along / np.where(known, amplitude, 1.0), 0.0)
        return _OneTissueSolution(amplitude, step, vb, tissue, slope, tb, sb, ptt, pts, pss)

    def _estimates(self, data: Array, node: NDArray[np.intp], steps: Array) -> BlockEstimates:
        """steps: from each voxel's node to its optimum in x."""
        scan, basis = self.scan, self.scan.basis
        # A rate at its bound, or a voxel without a clear optimum, stays on its node.
        near = np.abs(steps) <= _LAST_STEP
        position = basis.first + basis.step * node + np.where(near, steps, 0.0)
        position = np.clip(position, self.position[0], self.position[-1])
        solved = self._solve_at(data, position)
        step = np.where(near & (np.abs(solved.step) <= _LAST_STEP), solved.step, 0.0)
        position = np.clip(position + step, self.position[0], self.position[-1])
        rate = np.clip(np.exp(position) - basis.offset, scan.low["k2"], scan.high["k2"])
        vb, amplitude = solved.vb, np.maximum(solved.amplitude, 0.0)
        residual = solved.slope * step[:, None]
        residual += solved.tissue
        residual *= -amplitude[:, None]
        residual += data
        residual -= vb[:, None] * scan.equation.blood
        variance = _dot(residual, residual) / (data.shape[1] - scan.n_parameters)
        fitted = (rate > NO_WASHOUT) & (amplitude > 0)
        rate_or_one, amplitude_or_one = np.where(fitted, rate, 1.0), np.where(fitted, amplitude, 1.0)
        k1 = amplitude / (1 - vb)
        volume = np.where(fitted, k1 / rate_or_one, np.nan)
        # d log V_T = da/a + dVB/(1 - VB) - dk2/k2 with a dx = ds and square dVB = db - tb da - sb ds.
        by_tissue = 1 / amplitude_or_one
        by_slope = -(rate_or_one + basis.offset) / (rate_or_one * amplitude_or_one)
        relative = np.zeros(len(data))
        if scan.vb_is_fitted:
            square = scan.blood_square
            by_tissue = by_tissue - solved.tb / (square * (1 - vb))
            by_slope = by_slope - solved.sb / (square * (1 - vb))
            relative = 1 / (square * (1 - vb) ** 2)
        determinant = solved.ptt * solved.pss - solved.pts**2
        known = determinant > 1e-12 * solved.ptt * solved.pss
        form = by_tissue**2 * solved.pss - 2 * by_tissue * by_slope * solved.pts + by_slope**2 * solved.ptt
        relative = relative + form / np.where(known, determinant, np.inf)
        error = np.where(known, volume * np.sqrt(np.maximum(relative * variance, 0.0)), np.nan)
        values = {"VT": volume, "VT-se": error, "K1": np.minimum(k1, scan.high["K1"]), "k2": rate, "VB": vb}
        return BlockEstimates(values, _at_bounds(values, scan))


@dataclass(frozen=True, eq=False)
class _OneTissueSolution:
    """Amplitude of the tissue, step in x, V_B; weighted tissue and slope (voxels, frames) on the nodes; products.

    ptt, pts, pss: products of tissue and slope with the blood projected out if V_B is fitted.
    """

    amplitude: Array
    step: Array
    vb: Array
    tissue: Array
    slope: Array
    tb: Array
    sb: Array
    ptt: Array
    pts: Array
    pss: Array


class TwoTissueBlock:
    """2TCM and its relatives: the best pair of exponents with positive amplitudes by matrix products, then ``refine``
    within bounds; K_b starts at its lower one."""

    def __init__(self, model: Model, timing: FrameTiming, input_function: InputFunction, options: FitOptions) -> None:
        self.model = model
        self.scan = _Scan.prepare(model.name, timing, input_function, options)
        self.one_tissue = OneTissueBlock(timing, input_function, options)
        rates = self.scan.rates(_GRID_TWO, 0.0, self.scan.basis.highest)
        columns = self.scan.basis(rates)
        kept = "k4" not in model.parameters  # without release the slower exponent is 0
        self.grids = [_PairGrid.of(columns, rates, None, kept)]
        if self.scan.vb_is_fitted:
            self.grids.append(_PairGrid.of(columns, rates, self.scan.equation.blood, kept))

    def __call__(self, block: Block) -> BlockEstimates:
        """Estimates of a block (frames, voxels) of kept frames, kBq/mL."""
        scan = self.scan
        low, high = scan.equation.low, scan.equation.high
        single = scan.weighted(block)
        data = single.astype(np.float64)
        start = self._one_tissue_start(block)
        best = self._sum_of_squares(start, data)
        for grid in self.grids:
            found = np.clip(grid.best(single, scan.equation.blood, scan.low["VB"], scan.high["VB"]), low, high)
            sums = self._sum_of_squares(found, data)
            start = np.where((sums < best)[:, None], found, start)
            best = np.minimum(sums, best)
        found, wrss = refine(scan.equation, data, start, _EFFORT)
        return self._estimates(found, wrss)

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

    def _estimates(self, found: Array, wrss: Array) -> BlockEstimates:
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
        values = {self.model.outcome: volume, f"{self.model.outcome}-se": error, **fitted}
        return BlockEstimates(values, _at_bounds(values, self.scan))


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


def _unit(rows: Array) -> tuple[Array, Array]:
    norms = np.sqrt((rows**2).sum(axis=1))
    norms = np.where(norms > 1e-9 * max(float(norms.max()), np.finfo(float).tiny), norms, np.inf)
    return rows / norms[:, None], norms


def _dot(one: Array, other: Array) -> Array:
    return np.asarray(np.einsum("vf,vf->v", one, other))


def _own_square(tt: Array, ts: Array, ss: Array) -> Array:
    """The square of the slope's part beside the tissue, from their products."""
    return np.asarray(ss - ts * ts / np.where(tt > 0, tt, np.inf))


def _two(tt: Array, ts: Array, ss: Array, ty: Array, sy: Array) -> tuple[Array, Array]:
    """The 2 x 2 normal equations; the first unknown alone where they are singular."""
    determinant = tt * ss - ts * ts
    regular = determinant > 1e-14 * tt * ss
    safe = np.where(regular, determinant, 1.0)
    alone = ty / np.where(tt > 0, tt, np.inf)
    return np.where(regular, (ty * ss - sy * ts) / safe, alone), np.where(regular, (sy * tt - ty * ts) / safe, 0.0)


def _gain_at(vb: np.float32, alone: Block, along: Block, by_blood: Block, square: np.float32) -> Block:
    """How much tissue and a fixed V_B reduce the sum of squares: alone (voxels, rates) is data on unit tissue."""
    gain = np.maximum(alone if vb == 0 else alone - vb * along, 0)
    gain *= gain
    if vb:
        gain += 2 * vb * by_blood - vb * vb * square
    return gain


def _at_bounds(values: dict[str, Array], scan: _Scan) -> dict[str, Mask]:
    flags = {}
    for name, low in scan.low.items():
        high = scan.high[name]
        if name in values and high > low:
            reach = AT_BOUND * (high - low)
            flags[name] = (values[name] <= low + reach) | (values[name] >= high - reach)
    return flags
