"""Images larger than memory, of which one frame at a time is in memory: arrays in a file that is gone with them, and
the frames of a file as it stores them."""

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike, NDArray

LARGEST_IN_MEMORY = 2**30
"""Bytes; a larger array lies in a file of the system's folder for temporary ones. A choice."""
LET_GO_BYTES = 2**26
"""What is written in one go is let go of this often."""


class Frames(np.ndarray[Any, np.dtype[Any]]):
    """An array in a file. Whoever asks for a frame, or for a part of all frames, lets go of the memory that was taken
    up before."""

    _store: mmap.mmap | None = None

    def __array_finalize__(self, other: object) -> None:
        self._store = getattr(other, "_store", None)

    def __getitem__(self, key: Any) -> Any:
        first = key[0] if isinstance(key, tuple) and key else None
        if isinstance(key, SupportsIndex) or isinstance(first, slice):
            let_go(self._store)
        return np.asarray(super().__getitem__(key))


class StoredFrames:
    """The frames (frames, ...) of a large file as it stores them; float32 is made of what is asked for.

    That is slope x stored + intercept, worked in double precision, then times the frame's factors one by one. What is
    read can be read again, and nothing is written: many times as fast as a copy in float32 that memory cannot hold.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self, stored: NDArray[Any], slope: float = 1.0, intercept: float = 0.0, factors: tuple[NDArray[Any], ...] = ()
    ) -> None:
        """factors: each (frames,)."""
        self._stored, self._slope, self._intercept, self._factors = stored, np.float64(slope), intercept, factors

    @property
    def shape(self) -> tuple[int, ...]:
        return self._stored.shape

    @property
    def ndim(self) -> int:
        return self._stored.ndim

    @property
    def nbytes(self) -> int:
        return self._stored.size * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self._stored)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (self[number] for number in range(len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.stack(list(self)).astype(dtype or self.dtype, copy=False)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, int | np.integer):
            return self._made(int(first), tuple(rest))
        let_go(self._stored)  # a part of every frame: the pages of the part before are needed no more
        return np.stack([self._made(int(number), tuple(rest)) for number in np.arange(len(self))[first]])

    def _made(self, number: int, part: tuple[Any, ...]) -> NDArray[np.float32]:
        """A part of one frame; slice by slice where it has slices, so that no whole frame is there twice."""
        stored = self._stored[(number, *part)] if part else self._stored[number]
        made = np.empty(np.shape(stored), dtype=self.dtype)
        whole = stored.ndim < 2
        for into, values in zip((made,) if whole else made, (stored,) if whole else stored, strict=True):
            np.add(values * self._slope, self._intercept, out=into, casting="unsafe")
            for factors in self._factors:
                into *= factors[number]
        return made

    def __mul__(self, factor: float) -> "StoredFrames":
        return self.times(np.full(len(self), factor))

    def times(self, factors: NDArray[Any]) -> "StoredFrames":
        """Each frame times its own factor (frames,)."""
        return StoredFrames(self._stored, self._slope, self._intercept, (*self._factors, factors))

    def reshape(self, *shape: int) -> "StoredFrames":
        """The same frames with their voxels in another shape."""
        return StoredFrames(self._stored.reshape(shape), self._slope, self._intercept, self._factors)

    def astype(self, dtype: DTypeLike) -> NDArray[Any]:
        return np.asarray(self).astype(dtype)

    def min(self) -> np.float32:
        return min(frame.min() for frame in self)

    def max(self) -> np.float32:
        return max(frame.max() for frame in self)


def is_large(size: int) -> bool:
    """Whether so many bytes are more than what is kept in memory."""
    return size > LARGEST_IN_MEMORY


def room(shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """An array to be filled: in memory, or in a file where it is large and the disk has room for it."""
    size = int(np.prod(shape, dtype=object)) * np.dtype(dtype).itemsize
    store = _stored(size) if is_large(size) else None
    if store is None:
        return np.empty(shape, dtype)
    return of_file(np.frombuffer(store, dtype).reshape(shape), store)


def of_file(array: NDArray[Any], owner: object) -> NDArray[Any]:
    """An array as ``Frames`` where its bytes are those of a file; owner: what holds them."""
    store = owner._store if isinstance(owner, Frames) else owner
    if not isinstance(store, mmap.mmap):
        return array
    frames = array.view(Frames)
    frames._store = store
    return frames


def filled(shape: tuple[int, ...], parts: Iterable[NDArray[Any]]) -> NDArray[np.float32]:
    """``room`` in float32, filled with the parts along its first axis, each as it comes."""
    array = room(shape)
    for into, values in zip(array, parts, strict=True):
        into[...] = values
    return array


def _stored(size: int) -> mmap.mmap | None:
    """A file of so many bytes as memory; None where there is no room for it, or no such thing on this system."""
    if not hasattr(os, "posix_fallocate"):
        return None
    try:
        with tempfile.TemporaryFile() as file:
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk is found here, not while the array is filled
            return mmap.mmap(file.fileno(), size)
    except OSError:
        return None


def mapped(path: os.PathLike[str]) -> mmap.mmap:
    """A large file as memory that is read when it is looked at."""
    with open(path, "rb") as file:  # noqa: PTH123 (any path-like)
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def let_go(content: object) -> None:
    """Take the pages of a file out of this process's memory; they come back from the file when they are looked at."""
    content = content._store if isinstance(content, Frames) else content
    if isinstance(content, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        content.madvise(mmap.MADV_DONTNEED)
