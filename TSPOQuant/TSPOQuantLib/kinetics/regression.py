"""Weighted linear least squares of many curves at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A column whose part beside the earlier ones is below this share of it adds nothing: there is no solution.
_SMALLEST_SHARE = 1e-12
# A difference of sums of products below this share of them keeps fewer than some seven digits.
_KEPT = 1e-8


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

    root: of the weights, (frames, 1). weighted: the column times it, (frames,).
    """

    root: Array
    weighted: Array

    @classmethod
    def of(cls, column: Array, root: Array) -> "SharedColumn":
        """column, root: of the weights, both (frames, 1)."""
        return cls(root, (root * column)[:, 0])

    def regress(self, column: Array, ordinate: Array, square: Array) -> tuple[Regression, NDArray[np.intp]]:
        """Least squares on the shared column and another (frames, curves), from sums of products alone.

        Both are 0 in frames that a curve lacks; square: of the shared column's weighted length in those that it has,
        (curves,) or (1,). Beside the solutions: which curves, by index, lost digits, as what lies beside the shared
        column, or beside the line, is a small difference of large sums; ``regress`` must work these out.
        """
        if (self.root != 1).any():
            column, ordinate = self.root * column, self.root * ordinate
        xx, xy, yy = _dot(column, column), _dot(column, ordinate), _dot(ordinate, ordinate)
        x, y = self.weighted @ column, self.weighted @ ordinate
        along = x / square
        beside = xx - along * x
        common = xy - along * y
        second = common / beside
        wrss = yy - y * y / square - second * common
        lost = np.flatnonzero((beside < _KEPT * xx) | (wrss < _KEPT * yy))
        one = np.ones(1)
        coefficients = np.stack([y / square - along * second, second])
        return Regression(coefficients, [[one], [-along, one]], [square, beside], wrss), lost


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
