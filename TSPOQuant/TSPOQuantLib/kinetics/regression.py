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

    coefficients: (p, curves). inverse: (p, p, curves), of the triangle of the weighted columns' QR decomposition, so
    that the covariance is inverse @ inverse.T times the variance of weight 1. wrss: (curves,).
    """

    coefficients: Array
    inverse: Array
    wrss: Array

    def line(self, columns: Sequence[Array]) -> Array:
        """The sum of columns (frames, curves) that the coefficients make, (frames, curves)."""
        terms = (one * column for one, column in zip(self.coefficients, columns, strict=True))
        return np.asarray(sum(terms))

    def covariance(self, room: Array) -> Array:
        """(p, p, curves), with the variance estimated from the residuals and their degrees of freedom (curves,)."""
        return np.asarray(np.einsum("ijc,kjc->ikc", self.inverse, self.inverse) * self._variance(room))

    def standard_error(self, gradient: Array, room: Array) -> Array:
        """Of a function of the coefficients with that gradient (p, curves), by the delta method, (curves,)."""
        along = np.einsum("ic,ijc->jc", gradient, self.inverse)
        return np.asarray(np.sqrt((along**2).sum(axis=0) * self._variance(room)))

    def _variance(self, room: Array) -> Array:
        return np.asarray(np.where(room > 0, self.wrss / np.where(room > 0, room, 1), np.nan))


def regress(columns: Sequence[Array], ordinate: Array, root: Array) -> Regression:
    """Least squares by modified Gram-Schmidt, all curves at once; the ordinate is treated as one more column.

    columns: p arrays, each (frames, curves), or (frames, 1) where it is the same for all; ordinate: (frames, curves);
    root: sqrt of the weights, (frames, curves) or (frames, 1), 0 where a frame is not used.
    """
    size, curves = len(columns), ordinate.shape[1]
    triangle = np.zeros((size + 1, size + 1, curves))
    regular = np.ones(curves, dtype=bool)
    units: list[Array] = []
    shared = _leading(columns) if root.shape[1] == 1 else 0
    for at, column in enumerate((*columns, ordinate)):
        along: list[Array] = []
        if 0 < shared <= at:
            if at == shared:
                beside = _beside(units, root)
            projected = times_columns(beside, column)
            along, rest = list(projected[:shared]), projected[shared:]
        else:
            rest = root * column
        for unit in units[len(along) :]:
            along.append(_dot(unit, rest))
            rest = rest - along[-1] * unit
        for earlier, part in enumerate(along):
            triangle[earlier, at] = part
        square = _dot(rest, rest)
        if at < size:
            independent = square > _SMALLEST_SHARE**2 * (square + sum(part * part for part in along))
            length = np.sqrt(np.where(independent, square, 1.0))
            triangle[at, at] = length
            regular &= independent
            units.append(rest / length)
    inverse = _inverse(triangle[:size, :size])
    coefficients = np.where(regular, np.einsum("ijc,jc->ic", inverse, triangle[:size, size]), np.nan)
    return Regression(coefficients, inverse, np.where(regular, square, np.nan))


def _leading(columns: Sequence[Array]) -> int:
    """How many columns from the first on are the same for all curves."""
    return next((at for at, column in enumerate(columns) if column.shape[1] > 1), len(columns))


def _beside(units: Sequence[Array], root: Array) -> Array:
    """Matrix (p + frames, frames): weights a column and gives its parts along p units (frames, 1), and the rest."""
    along = np.hstack(units)
    return np.asarray(np.vstack([along.T, np.eye(len(root)) - along @ along.T]) * root[:, 0])


def _inverse(triangle: Array) -> Array:
    """Of upper triangles (p, p, curves)."""
    inverse = np.zeros_like(triangle)
    for column in range(len(triangle)):
        inverse[column, column] = 1 / triangle[column, column]
        for row in range(column - 1, -1, -1):
            between = slice(row + 1, column + 1)
            inverse[row, column] = (
                -(triangle[row, between] * inverse[between, column]).sum(axis=0) / triangle[row, row]
            )
    return inverse


def _dot(one: Array, other: Array) -> Array:
    """Sums over frames of products, (curves,) or (1,)."""
    if one.shape[1] == 1 and other.shape[1] > 1:
        return np.asarray(np.einsum("f,fc->c", one[:, 0], other))
    if other.shape[1] == 1 and one.shape[1] > 1:
        return np.asarray(np.einsum("fc,f->c", one, other[:, 0]))
    return np.asarray(np.einsum("fc,fc->c", one, other))
