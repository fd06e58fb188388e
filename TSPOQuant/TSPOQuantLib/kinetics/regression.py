"""Weighted linear least squares of many curves at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .products import times_columns

Array = NDArray[np.float64]

# A column whose part beside the earlier ones is below this share of it adds nothing: there is no solution.
_SMALLEST_SHARE = 1e-12


@dataclass(frozen=True, eq=False)
class Regression:
    """Solutions of curves whose ordinate is a sum of columns; nan where the columns of a curve are dependent.

    coefficients: (p, curves). directions: the columns made orthogonal one after the other are columns @ directions;
    by column, its rows down to the diagonal. squares: of the directions' weighted lengths, so that the covariance is
    directions / squares @ directions.T times the variance of weight 1. Each (curves,) or (1,). wrss: (curves,).
    """

    coefficients: Array
    directions: Sequence[Sequence[Array]]
    squares: Sequence[Array]
    wrss: Array

    def line(self, columns: Sequence[Array]) -> Array:
        """The sum of columns (frames, curves) that the coefficients make, (frames, curves)."""
        terms = (coefficient * column for coefficient, column in zip(self.coefficients, columns, strict=True))
        return np.asarray(sum(terms))

    def covariance(self, room: Array) -> Array:
        """(p, p, curves), with the variance estimated from the residuals and their degrees of freedom (curves,)."""
        matrix = np.zeros((len(self.squares), *self.coefficients.shape))
        for at, (column, square) in enumerate(zip(self.directions, self.squares, strict=True)):
            for row, part in enumerate(column):
                matrix[row, at] = part / np.sqrt(square)
        return np.asarray(np.einsum("ijc,kjc->ikc", matrix, matrix) * self._variance(room))

    def standard_error(self, gradient: Sequence[Array] | Array, room: Array) -> Array:
        """Of a function of the coefficients with that gradient (p, curves), by the delta method, (curves,)."""
        along = (sum(g * part for g, part in zip(gradient, column, strict=False)) for column in self.directions)
        relative = sum(part * part / square for part, square in zip(along, self.squares, strict=True))
        return np.asarray(np.sqrt(relative * self._variance(room)))

    def _variance(self, room: Array) -> Array:
        return np.asarray(self.wrss / np.where(room > 0, room, np.nan))


def regress(columns: Sequence[Array], ordinate: Array, root: Array) -> Regression:
    """Least squares by modified Gram-Schmidt, all curves at once; the ordinate is treated as one more column.

    columns: p arrays, each (frames, curves), or (frames, 1) where it is the same for all; ordinate: (frames, curves);
    root: sqrt of the weights, (frames, curves) or (frames, 1), 0 where a frame is not used.
    """
    directions: list[list[Array]] = []
    squares: list[Array] = []
    beside: list[Array] = []
    for column in (*columns, ordinate):
        rest, along = root * column, list[Array]()
        for earlier, length in zip(beside, squares, strict=True):
            along.append(_dot(earlier, rest) / length)
            rest = rest - along[-1] * earlier
        square = _dot(rest, rest)
        multiples = _columns_times(directions, along)
        if len(beside) < len(columns):
            whole = square + sum(part * part * length for part, length in zip(along, squares, strict=True))
            squares.append(_unless_dependent(square, whole))
            directions.append([*(-part for part in multiples), np.ones(1)])
            beside.append(rest)
    return Regression(np.stack(np.broadcast_arrays(*multiples)), directions, squares, square)


@dataclass(frozen=True, eq=False)
class SharedColumn:
    """The first of two columns, where it and the weights are the same for very many curves.

    turn: (frames, frames), weights a column and gives its part along the shared one, then what lies beside it, in
    orthonormal directions. length: of the shared one, weighted.
    """

    turn: Array
    length: float

    @classmethod
    def of(cls, column: Array, root: Array) -> "SharedColumn":
        """column, root: of the weights, both (frames, 1)."""
        orthogonal, triangle = np.linalg.qr(root * column, mode="complete")
        return cls((root * orthogonal).T.copy(), float(triangle[0, 0]))

    def regress(self, column: Array, ordinate: Array) -> Regression:
        """Least squares on the shared column and another (frames, curves), as ``regress`` does it."""
        (x, *_), (y, *_) = turned = [times_columns(self.turn, one) for one in (column, ordinate)]
        xx, xy, yy = (_dot(turned[one][1:], turned[other][1:]) for one, other in ((0, 0), (0, 1), (1, 1)))
        xx = _unless_dependent(xx, xx + x * x)
        along, second = x / self.length, xy / xx
        wrss = np.maximum(yy - second * xy, 0.0)
        one = np.ones(1)
        squares = [np.full(1, self.length**2), xx]
        return Regression(np.stack([y / self.length - along * second, second]), [[one], [-along, one]], squares, wrss)


def _unless_dependent(square: Array, whole: Array) -> Array:
    """The square of a column's part beside the earlier ones; nan where it is no share of the whole column's."""
    return np.asarray(np.where(square > _SMALLEST_SHARE**2 * whole, square, np.nan))


def _columns_times(columns: Sequence[Sequence[Array]], multiples: Sequence[Array]) -> list[Array]:
    """A triangle, given by columns, times a vector; by row."""
    size = range(len(columns))
    return [np.asarray(sum(columns[at][row] * multiples[at] for at in size[row:])) for row in size]


def _dot(one: Array, other: Array) -> Array:
    """Sums over frames of products, (curves,) or (1,)."""
    if one.shape[1] == 1 and other.shape[1] > 1:
        return np.asarray(np.einsum("f,fc->c", one[:, 0], other))
    if other.shape[1] == 1 and one.shape[1] > 1:
        return np.asarray(np.einsum("fc,f->c", one, other[:, 0]))
    return np.asarray(np.einsum("fc,fc->c", one, other))
