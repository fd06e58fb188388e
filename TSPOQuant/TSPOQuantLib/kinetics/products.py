"""Matrix products in pieces that stay on one thread.

The products here are thin (tens of columns). Handing them to BLAS threads costs several times the work itself, all of
it waiting, and makes the last bit depend on the number of threads. OpenBLAS starts threads above 4 x 65536
multiplications, so the pieces are smaller.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", np.float32, np.float64)

_MULTIPLICATIONS = 4 * 65536
_WORK_SPACE_BYTES = 24 * 2**20


def keep_work_space() -> None:
    """Let the process keep the memory of temporary arrays, instead of giving it back after each block of work.

    glibc gives back what is free beyond twice the largest piece that was ever freed (at most 32 MiB count); taking
    those pages anew costs more than the work on them. Nothing happens where memory is kept otherwise.
    """
    np.empty(_WORK_SPACE_BYTES, dtype=np.uint8)


def rows_times(rows: NDArray[Number], matrix: NDArray[Number]) -> NDArray[Number]:
    """``rows`` (many, k) @ ``matrix`` (k, m)."""
    result = np.empty((len(rows), matrix.shape[1]), dtype=rows.dtype)
    size = max(_MULTIPLICATIONS // matrix.size, 1)
    for begin in range(0, len(rows), size):
        np.matmul(rows[begin : begin + size], matrix, out=result[begin : begin + size])
    return result


def times_columns(matrix: NDArray[Number], columns: NDArray[np.floating]) -> NDArray[Number]:
    """``matrix`` (m, k) @ ``columns`` (k, many), in the precision of ``matrix``."""
    result = np.empty((len(matrix), columns.shape[1]), dtype=matrix.dtype)
    size = max(_MULTIPLICATIONS // matrix.size, 1)
    for begin in range(0, columns.shape[1], size):
        piece = columns[:, begin : begin + size].astype(matrix.dtype, copy=False)
        np.matmul(matrix, piece, out=result[:, begin : begin + size])
    return result


def rows_dot(rows: NDArray[Number], vector: NDArray[Number]) -> NDArray[Number]:
    """``rows`` (many, k) @ ``vector`` (k,)."""
    return np.asarray(np.einsum("nk,k->n", rows, vector))
