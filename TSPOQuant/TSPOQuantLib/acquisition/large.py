"""Images larger than memory: arrays in a file that is gone with them, of which one frame at a time is in memory."""

import mmap
import os
import tempfile
from collections.abc import Iterable
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
