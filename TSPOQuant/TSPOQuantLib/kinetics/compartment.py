"""The compartment models as one equation, its derivatives, and its global least-squares optimum.

C_PET = (1 - V_B) K1 R + V_B C_WB + V_B K_b int C_P, with R the two-tissue impulse response convolved with plasma:
R = [(s - a1) B(a1) + (a2 - s) B(a2)] / (a2 - a1), s = k3 + k4, a1 and a2 the roots of a^2 - (k2+k3+k4) a + k2 k4 = 0,
B(a) the plasma convolved with exp(-a t) (Gunn 2001, 10.1097/00004647-200106000-00002). 1TCM is k3 = k4 = 0, 2TCM3k is
k4 = 0, K_b is the endothelial trapping of 2TCM-1K (10.1038/jcbfm.2014.55). A parameter whose bounds are equal is a
fixed number, so that one code serves all models, with or without V_B.

In a region that was corrected for partial volume, blood may lie beside the tissue, not in its place: the part 1 - V_B
that the tissue fills then is 1 - min(V_B, ``tissue_vb``). What is beyond adds to the curve and takes nothing from it.

The optimum is global because nothing is guessed: given the two exponents, what remains is linear in amplitudes that
live in a polytope (K1, V_B and K_b bounds, and the share of each exponent that the bounds of k2, k3 and k4 allow), and
its least-squares solution is exact. The exponents run over a grid; its local minima are then refined in the rate
constants, within their bounds.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .convolution import Basis

Array = NDArray[np.float64]
Bounds = dict[str, tuple[float, float]]

NAMES = ("K1", "k2", "k3", "k4", "VB", "Kb")
_K1, _K2, _K3, _K4, _VB, _KB = range(6)

# Below this share of their sum two exponents count as this far apart: R is smooth there, its formula is not.
_CLOSEST = 1e-4
# Grid points from 0 to the highest exponent: one dimension (1TCM, 2TCM3k) and each of two.
_GRID_ONE = 160
_GRID_TWO = 40
_CANDIDATES = 6
_K4_SHARES = (0.0, 0.02, 0.2, 1.0)
_CURVES_AT_ONCE = 32
_PROBLEMS_AT_ONCE = 2048
# A corner lies downhill where the way to it gains more than this share of the objective.
_DOWNHILL = 1e-12


@dataclass(frozen=True, eq=False)
class Equation:
    """Everything about one scan that the model needs, weighted: rows are multiplied by sqrt(weight).

    basis: parent plasma; blood, trapped: frame averages of whole blood and of the integral of plasma (frames,);
    root: sqrt of the weights (frames,).
    low, high: bounds in the order of ``NAMES`` (6,).
    tissue_vb: so much of V_B at most takes the place of tissue.
    """

    basis: Basis
    blood: Array
    trapped: Array
    root: Array
    low: Array
    high: Array
    tissue_vb: float = 1.0

    @property
    def free(self) -> NDArray[np.intp]:
        """Indices into ``NAMES`` of the parameters that are fitted."""
        return np.flatnonzero(self.high > self.low)

    @property
    def one_tissue(self) -> bool:
        return bool(self.high[_K3] == 0 and self.high[_K4] == 0)

    def predict(self, parameters: Array) -> Array:
        """Frame averages (curves, frames), not weighted, of parameters (curves, 6)."""
        if self.one_tissue:
            return self._observed(parameters, self.basis(parameters[:, _K2]))
        first, second, _, w1, w2 = _exponents(parameters)
        b1, b2 = np.split(self.basis(np.concatenate([first, second])), 2)
        return self._observed(parameters, w1[:, None] * b1 + w2[:, None] * b2)

    def _observed(self, parameters: Array, response: Array) -> Array:
        k1, vb, kb = (parameters[:, index, None] for index in (_K1, _VB, _KB))
        return np.asarray(filled(vb, self.tissue_vb) * k1 * response + vb * (self.blood + kb * self.trapped))

    def jacobian(self, parameters: Array) -> tuple[Array, Array]:
        """Prediction (curves, frames) and its derivatives (curves, 6, frames), not weighted."""
        k1, k2, _, _, vb, kb = parameters.T
        part = filled(vb, self.tissue_vb)[:, None]
        tissue = part * k1[:, None]
        slopes = np.zeros((len(parameters), 6, len(self.root)))
        if self.one_tissue:
            response, slope = self.basis.with_slope(k2)
            slopes[:, _K2] = tissue * slope
        else:
            response, rates = self._two_tissues(parameters)
            slopes[:, _K2 : _K4 + 1] = tissue[:, None] * rates
        slopes[:, _K1] = part * response
        displaced = np.where(vb < self.tissue_vb, k1, 0.0)
        slopes[:, _VB] = self.blood + kb[:, None] * self.trapped - displaced[:, None] * response
        slopes[:, _KB] = vb[:, None] * self.trapped
        return self._observed(parameters, response), slopes

    def _two_tissues(self, parameters: Array) -> tuple[Array, Array]:
        """R (curves, frames) and its derivatives with respect to k2, k3 and k4 (curves, 3, frames)."""
        first, second, (shares, *by_rates) = mixtures(parameters)
        averages, by_rate = self.basis.with_slope(np.concatenate([first, second]))
        (b1, b2), (slope1, slope2) = np.split(averages, 2), np.split(by_rate, 2)
        slopes = np.empty((len(b1), 3, b1.shape[1]))
        for index, (d_w1, d_w2, along1, along2) in enumerate(by_rates):
            slopes[:, index] = (
                d_w1[:, None] * b1 + d_w2[:, None] * b2 + along1[:, None] * slope1 + along2[:, None] * slope2
            )
        return shares[0][:, None] * b1 + shares[1][:, None] * b2, slopes

    def normal_equations(self, activity: Array, parameters: Array) -> tuple[Array, Array, Array]:
        """WRSS (curves,), and J'r (curves, p) and J'J (curves, p, p) of the residuals r and the derivatives J of the
        prediction with respect to the ``free`` parameters."""
        predicted, slopes = self.jacobian(parameters)
        residual = (activity - predicted) * self.root
        jacobian = slopes[:, self.free] * self.root
        gradient = (jacobian @ residual[..., None])[..., 0]
        return (residual**2).sum(axis=1), gradient, jacobian @ jacobian.transpose(0, 2, 1)

    def solve(self, matrices: Array, right: Array) -> Array:
        """Solutions (curves, p) of positive definite systems (curves, p, p)."""
        return np.asarray(np.linalg.solve(matrices, right[..., None])[..., 0])


def filled(vb: Array, tissue_vb: float) -> Array:
    """The part of a region that tissue fills."""
    return np.asarray(1 - np.minimum(vb, tissue_vb))


def _exponents(parameters: Array) -> tuple[Array, Array, Array, Array, Array]:
    """a1, a2, their distance, and their shares w1 and w2 in R, each (curves,)."""
    _, k2, k3, k4, _, _ = parameters.T
    total, slow = k2 + k3 + k4, k3 + k4
    gap = np.sqrt(np.maximum(total**2 - 4 * k2 * k4, (_CLOSEST * total) ** 2 + 1e-12))
    first, second = np.maximum((total - gap) / 2, 0.0), (total + gap) / 2
    return first, second, gap, (slow - first) / gap, (second - slow) / gap


def mixtures(parameters: Array) -> tuple[Array, Array, list[tuple[Array, ...]]]:
    """a1, a2 (curves,), and what R and its derivatives with respect to k2, k3 and k4 hold of B(a1), B(a2) and their
    slopes in the rate: four rows of four (curves,)."""
    _, k2, k3, k4, _, _ = parameters.T
    first, second, gap, w1, w2 = _exponents(parameters)
    total, none = k2 + k3 + k4, 0 * k2
    rows: list[tuple[Array, ...]] = [(w1, w2, none, none)]
    for d_slow, d_product in ((0, k4), (1, none), (1, k2)):
        d_gap = (total - 2 * d_product) / gap
        d_first, d_second = (1 - d_gap) / 2, (1 + d_gap) / 2
        d_w1 = (d_slow - d_first - w1 * d_gap) / gap
        d_w2 = (d_second - d_slow - w2 * d_gap) / gap
        rows.append((d_w1, d_w2, w1 * d_first, w2 * d_second))
    return first, second, rows


def highest_exponent(bounds: Bounds) -> float:
    """The largest exponent that the bounds of the rate constants allow, 1/min."""
    return max(sum(bounds[name][1] for name in ("k2", "k3", "k4")), 1e-3)


def optimum(equation: Equation, activity: Array) -> tuple[Array, Array]:
    """The global least-squares optimum: parameters (curves, 6) and WRSS (curves,) of curves (curves, frames).

    The optima of the models nested in this one are among the starts: the larger model never fits worse than they do,
    also where its landscape is as flat as a valley floor.
    """
    return _optimum(equation, activity, {})


def _optimum(equation: Equation, activity: Array, known: dict[bytes, Array]) -> tuple[Array, Array]:
    """known: optima (curves, 6) of nested models by their bounds, for models may be nested in several ways."""
    owners, starts = [], []
    for begin in range(0, len(activity), _CURVES_AT_ONCE):
        owner, found = grid_starts(equation, activity[begin : begin + _CURVES_AT_ONCE])
        owners.append(owner + begin)
        starts.append(found)
    for nested in _nested_starts(equation, activity, known):
        owners.append(np.arange(len(activity)))
        starts.append(nested)
    return best_of(equation, activity, np.concatenate(owners), np.concatenate(starts))


def _nested_starts(equation: Equation, activity: Array, known: dict[bytes, Array]) -> list[Array]:
    """Optima (curves, 6) without a second compartment (k3 = 0), release from it (k4 = 0), or trapping (K_b = 0)."""
    low, high = equation.low, equation.high

    def without(*names: int) -> Array:
        keep = np.where(np.isin(np.arange(6), names), 0.0, 1.0)
        nested = replace(equation, low=low * keep, high=high * keep)
        bounds = nested.low.tobytes() + nested.high.tobytes()
        if bounds not in known:
            known[bounds] = _optimum(nested, activity, known)[0]
        return known[bounds].copy()

    starts = []
    if high[_K3] > 0 and low[_K3] == 0 and high[_K2] > 0:
        empty = without(_K3, _K4)
        for share in _K4_SHARES:  # whether k3 should leave 0 depends on k4
            empty[:, _K4] = low[_K4] + share * (high[_K4] - low[_K4])
            starts.append(empty.copy())
    if high[_K4] > 0 and low[_K4] == 0 and high[_K3] > 0:
        starts.append(without(_K4))
    if high[_KB] > 0 and low[_KB] == 0:
        starts.append(without(_KB))
    return starts


def best_of(equation: Equation, activity: Array, owner: NDArray[np.intp], starts: Array) -> tuple[Array, Array]:
    """Refine every start (starts, 6), of the curve ``owner`` (starts,), and keep each curve's best."""
    parameters, wrss = refine(equation, activity[owner], starts)
    order = np.lexsort((wrss, owner))
    _, first = np.unique(owner[order], return_index=True)
    best = order[first]
    return parameters[best], wrss[best]


@dataclass(frozen=True, eq=False)
class _Polytope:
    """Amplitudes x = (u1, u2, V_B, V_B K_b): A x <= limit.

    faces: (point, directions) of each affine face, those of most dimensions first. corners: (corners, m).
    """

    constraints: Array
    limit: Array
    faces: tuple[tuple[Array, Array], ...]
    corners: Array


@lru_cache(maxsize=64)
def _polytope(low: tuple[float, ...], high: tuple[float, ...]) -> _Polytope:
    """u1 and u2 >= 0 add up to (1 - V_B) K1; all bounds are linear in x, so every face is an affine subspace.

    low, high: bounds in the order of ``NAMES``.
    """
    size = 4 if high[_KB] > 0 else 3

    def row(u1: float = 0, u2: float = 0, vb: float = 0, trapped: float = 0) -> Array:
        return np.array([u1, u2, vb, trapped][:size])

    def side(rows: Array, values: tuple[float, ...]) -> list[tuple[Array, float]]:
        return [(line, value) for line, value in zip(rows, values, strict=True)]

    k1_low, k1_high = row(1, 1, low[_K1]), row(1, 1, high[_K1])
    groups = [
        side(row(1)[None], (0.0,)),
        side(row(0, 1)[None], (0.0,)),
        side(np.array([k1_low, k1_high]), (low[_K1], high[_K1])),
        side(np.array([row(0, 0, 1)] * 2), (low[_VB], high[_VB])),
    ]
    if size == 4:
        groups.append(side(np.array([row(0, 0, -low[_KB], 1), row(0, 0, -high[_KB], 1)]), (0.0, 0.0)))
    signs = [(-1.0,), (-1.0,), (-1.0, 1.0), (-1.0, 1.0), (-1.0, 1.0)]
    constraints = np.array(
        [s * a for g, ss in zip(groups, signs, strict=False) for (a, _), s in zip(g, ss, strict=True)]
    )
    limit = np.array([s * v for g, ss in zip(groups, signs, strict=False) for (_, v), s in zip(g, ss, strict=True)])
    faces = []
    for choice in product(*[[None, *group] for group in groups]):
        active = [picked for picked in choice if picked is not None]
        if not active:
            faces.append((np.zeros(size), np.eye(size)))
            continue
        matrix = np.array([a for a, _ in active])
        values = np.array([v for _, v in active])
        left, singular, right = np.linalg.svd(matrix)
        rank = int((singular > 1e-12).sum())
        point = right[:rank].T @ ((left.T @ values)[:rank] / singular[:rank])
        if np.abs(matrix @ point - values).max() < 1e-9:
            faces.append((point, right[rank:].T))
    faces.sort(key=lambda face: -face[1].shape[1])
    points = np.array([point for point, directions in faces if not directions.shape[1]])
    corners = points[(points @ constraints.T <= limit + 1e-9).all(axis=1)]
    return _Polytope(constraints, limit, tuple(faces), corners)


def _constrained_least_squares(gram: Array, cross: Array, polytope: _Polytope) -> tuple[Array, Array]:
    """min x'Gx - 2 c'x over the polytope, by the best feasible point among the optima of its faces.

    The objective is convex: a feasible point from which no corner lies downhill is its minimum, and the other faces
    are not looked at. gram: (points, m, m); cross: (points, m, curves). Returns x (points, m, curves) and the
    objective (points, curves).
    """
    m = gram.shape[1]
    ridge = 1e-12 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(m)
    best = np.full((gram.shape[0], cross.shape[2]), np.inf)
    solution = np.zeros_like(cross)
    undecided = np.ones(best.shape, dtype=bool)
    for point, directions in polytope.faces:
        at = np.flatnonzero(undecided.any(axis=1))
        if not len(at):
            break
        g, firm, c = gram[at], (gram + ridge)[at], cross[at]
        x = np.broadcast_to(point[:, None], c.shape)
        if directions.shape[1]:
            slope = directions.T @ (c - (g @ point)[:, :, None])
            x = x + directions @ np.linalg.solve(directions.T @ firm @ directions, slope)
        inside = undecided[at] & (polytope.constraints @ x <= polytope.limit[:, None] + 1e-9).all(axis=1)
        value = (x * (g @ x - 2 * c)).sum(axis=1)
        better = inside & (value < best[at])
        best[at] = np.where(better, value, best[at])
        solution[at] = np.where(better[:, None], x, solution[at])
        uphill = firm @ x - c
        gain = (x * uphill).sum(axis=1) - (polytope.corners @ uphill).min(axis=1)
        undecided[at] &= ~(inside & (gain <= _DOWNHILL * np.abs(value)))
    return solution, best


def _k2_pieces(first: Array, second: Array, low: Array, high: Array) -> list[tuple[Array, Array]]:
    """For exponents a1 < a2 the one or two intervals of k2 in which k2, k3 and k4 keep their bounds.

    k4 = a1 a2 / k2 and k3 = a1 + a2 - k2 - k4, so k3 >= b between the roots of k2^2 - (a1 + a2 - b) k2 + a1 a2.
    An empty interval has its ends in the wrong order or nan.
    """
    total, product_ = first + second, first * second

    def between(k3: float) -> tuple[Array, Array]:
        middle = (total - k3) / 2
        squared = middle**2 - product_
        squared = np.where(np.abs(squared) <= 1e-12 * total**2, 0.0, squared)
        half = np.sqrt(np.where((squared >= 0) & (middle >= 0), squared, np.nan))
        upper = middle + half
        return np.where(upper > 0, product_ / np.where(upper > 0, upper, 1.0), 0.0), upper

    def over(k4: float) -> Array:
        return product_ / k4 if k4 > 0 else np.where(product_ > 0, np.inf, 0.0)

    inner, outer = between(low[_K3])
    begin = np.maximum(np.maximum(inner, low[_K2]), over(high[_K4]))
    end = np.minimum(outer, high[_K2])
    if low[_K4] > 0:
        end = np.minimum(end, over(low[_K4]))
    hole_begin, hole_end = between(high[_K3])
    whole = np.isnan(hole_begin)
    return [
        (begin, np.where(whole, end, np.minimum(end, hole_begin))),
        (np.where(whole, np.nan, np.maximum(begin, hole_end)), end),
    ]


def grid_starts(equation: Equation, activity: Array) -> tuple[NDArray[np.intp], Array]:
    """The best local minima over the grid of exponents: their curves (starts,) and parameters (starts, 6)."""
    low, high = equation.low, equation.high
    highest = equation.basis.highest
    one = high[_K4] == 0
    count = _GRID_ONE if one else _GRID_TWO
    offset = equation.basis.offset
    axis = np.maximum(offset * ((highest + offset) / offset) ** np.linspace(0, 1, count) - offset, 0.0)
    axis[-1] = highest
    i, j = (np.zeros(count - 1, dtype=int), np.arange(1, count)) if one else np.triu_indices(count, 1)
    first, second = axis[i], axis[j]
    columns = equation.basis(axis) * equation.root
    blood, trapped = equation.blood * equation.root, equation.trapped * equation.root
    data = activity * equation.root
    polytope = _polytope(tuple(low.tolist()), tuple(high.tolist()))
    curves = len(activity)
    rows = int(i.max()) + 1
    landscape = np.full((curves, rows + 2, count + 2), np.inf)
    found = np.zeros((curves, rows, count, 6))
    for begin, end in _k2_pieces(first, second, low, high):
        valid = begin <= end
        if not valid.any():
            continue
        a1, a2, k2 = first[valid], second[valid], np.stack([begin[valid], end[valid]])
        left, right = columns[i[valid]], columns[j[valid]]
        tissue = ((a2 - k2)[..., None] * left + (k2 - a1)[..., None] * right) / (a2 - a1)[:, None]
        parts = [*tissue, np.broadcast_to(blood, left.shape)]
        if polytope.constraints.shape[1] == 4:
            parts.append(np.broadcast_to(trapped, left.shape))
        design = np.stack(parts, axis=1)
        x, value = _constrained_least_squares(design @ design.transpose(0, 2, 1), design @ data.T, polytope)
        parameters = from_amplitudes(x, a1, a2, k2, equation.tissue_vb)
        at = i[valid] + 1, j[valid] + 1
        better = landscape[:, at[0], at[1]] > value.T
        landscape[:, at[0], at[1]] = np.where(better, value.T, landscape[:, at[0], at[1]])
        inner = i[valid], j[valid]
        found[:, inner[0], inner[1]] = np.where(better[..., None], parameters, found[:, inner[0], inner[1]])
    return _local_minima(landscape, found, low, high)


def from_amplitudes(x: Array, first: Array, second: Array, k2_ends: Array, tissue_vb: float = 1.0) -> Array:
    """Parameters (curves, points, 6) of the amplitudes x (points, m, curves)."""
    u1, u2, vb = x[:, 0].T, x[:, 1].T, x[:, 2].T
    amplitude = np.maximum(u1 + u2, 0.0)
    share = np.where(amplitude > 0, np.maximum(u1, 0.0) / np.where(amplitude > 0, amplitude, 1.0), 0.5)
    k2 = share * k2_ends[0] + (1 - share) * k2_ends[1]
    k4 = np.where(k2 > 0, first * second / np.where(k2 > 0, k2, 1.0), 0.0)
    k3 = first + second - k2 - k4
    kb = np.zeros_like(vb) if x.shape[1] == 3 else x[:, 3].T / np.where(vb > 0, vb, np.inf)
    return np.stack([amplitude / filled(vb, tissue_vb), k2, k3, k4, vb, kb], axis=-1)


def _local_minima(landscape: Array, found: Array, low: Array, high: Array) -> tuple[NDArray[np.intp], Array]:
    inner = landscape[:, 1:-1, 1:-1]
    lowest = np.isfinite(inner)
    for di, dj in product((0, 1, 2), repeat=2):
        if (di, dj) != (1, 1):
            lowest &= inner <= landscape[:, di : di + inner.shape[1], dj : dj + inner.shape[2]]
    score = np.where(lowest, inner, np.inf).reshape(len(inner), -1)
    order = np.argsort(score, axis=1)[:, :_CANDIDATES]
    starts = np.take_along_axis(found.reshape(len(inner), -1, 6), order[..., None], axis=1)
    missing = ~np.isfinite(np.take_along_axis(score, order, axis=1))
    none = missing.all(axis=1)
    starts[none, 0] = (low + high) / 2  # the bounds are narrower than the grid
    missing[none, 0] = False
    owner, _ = np.nonzero(~missing)
    return owner, np.clip(starts[~missing], low, high)


@dataclass(frozen=True)
class Effort:
    """When a refinement ends: after ``stalls`` steps in a row that gain less than ``least_gain`` of WRSS, or
    ``most_steps`` in all; damping: of its first step; relief: what each step that gains leaves of the damping."""

    most_steps: int
    least_gain: float
    stalls: int
    damping: float
    relief: float


THOROUGH = Effort(most_steps=300, least_gain=1e-10, stalls=3, damping=1e-3, relief=0.2)


def refine(equation: Equation, activity: Array, starts: Array, effort: Effort = THOROUGH) -> tuple[Array, Array]:
    """Bounded Levenberg-Marquardt from starts (problems, 6), all problems at once; parameters and WRSS.

    A parameter at its bound whose gradient points outward is held there for the step; a step is cut at the bounds.
    """
    free = equation.free
    low, high = equation.low[free], equation.high[free]
    parameters = np.array(starts)
    found = [equation.normal_equations(activity[at], parameters[at]) for at in _pieces(np.arange(len(parameters)))]
    value, gradient, hessian = (np.concatenate(array) for array in zip(*found, strict=True))
    floor = 1e-26 * np.maximum(((activity * equation.root) ** 2).sum(axis=1), np.finfo(float).tiny)
    damping = np.full(len(parameters), effort.damping)
    stalled = np.zeros(len(parameters), dtype=int)
    diagonal = np.arange(len(free))

    def advance(at: NDArray[np.intp]) -> NDArray[np.intp]:
        """One step of the problems ``at``; those that go on."""
        trial = parameters.take(at, axis=0)
        p, g, h = trial[:, free], gradient.take(at, axis=0), hessian.take(at, axis=0)
        moves = ((p > low) | (g >= 0)) & ((p < high) | (g <= 0))
        g *= moves
        h *= moves[:, :, None] & moves[:, None, :]
        scale = h[:, diagonal, diagonal]
        largest = np.maximum(scale.max(axis=1, keepdims=True), np.finfo(float).tiny)
        h[:, diagonal, diagonal] = np.where(moves, scale * (1 + damping[at, None]) + 1e-15 * largest, 1.0)
        step = equation.solve(h, g)
        trial[:, free] = np.minimum(np.maximum(p + step, low), high)
        new_value, new_gradient, new_hessian = equation.normal_equations(activity.take(at, axis=0), trial)
        before = value[at]
        gain = before - new_value
        better = gain > 0
        small = np.abs(gain) <= effort.least_gain * before
        stalled[at] = np.where(small, stalled[at] + 1, np.where(better, 0, stalled[at]))
        damping[at] = np.maximum(damping[at] * np.where(better, effort.relief, 4.0), 1e-9)
        taken = at[better]
        parameters[taken], value[taken] = trial[better], new_value[better]
        gradient[taken], hessian[taken] = new_gradient[better], new_hessian[better]
        going = (value[at] > floor[at]) & (stalled[at] < effort.stalls) & (damping[at] <= 1e9)
        return np.asarray(at[going])

    running = np.arange(len(parameters)) if len(free) else np.arange(0)
    for _ in range(effort.most_steps):
        if not len(running):
            break
        running = np.concatenate([advance(at) for at in _pieces(running)])
    return parameters, value


def _pieces(problems: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Problems in pieces whose arrays fit a core's cache."""
    return [
        problems[begin : begin + _PROBLEMS_AT_ONCE] for begin in range(0, max(len(problems), 1), _PROBLEMS_AT_ONCE)
    ]
