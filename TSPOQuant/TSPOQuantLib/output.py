"""Folders of results: written whole or not at all, never over somebody's work unasked."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .messages import InputRefused

MARKER = ".tspoquant"
"""A file that says: this folder was made by this program, so --force may replace it."""


@contextmanager
def whole_folder(out: Path, force: bool = False, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """A scratch folder beside ``out`` that becomes ``out`` when the block ends well and vanishes when it does not.

    inputs: what the results are made from; it is neither replaced nor written into.
    Raises InputRefused: "output-exists", unless ``force`` and this program made what is there ("output-foreign");
    "output-holds-input", "output-inside-input"; "output-unwritable" where nothing can be written.
    """
    out = Path(os.path.realpath(out))  # a link stays, what it points to is replaced
    try:
        _check_inputs(out, inputs)
        _check_free(out, force)
        missing = [folder for folder in out.parents if not folder.exists()]
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise InputRefused(
            "output-unwritable", "{out}: {strerror}; name another folder", out=out, strerror=error.strerror
        ) from error
    try:
        scratch.chmod(0o777 & ~_umask())
        yield scratch
        (scratch / MARKER).touch()
        _check_free(out, force)
        if out.exists():
            shutil.rmtree(out)
        scratch.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        if not out.exists():
            with suppress(OSError):
                for folder in missing:
                    folder.rmdir()


def _check_inputs(out: Path, inputs: Iterable[Path]) -> None:
    for given in inputs:
        path = Path(os.path.realpath(given))
        if path.is_relative_to(out):
            raise InputRefused(
                "output-holds-input", "{out} holds the input {given}; name another folder", out=out, given=given
            )
        if path.is_dir() and out.is_relative_to(path):
            raise InputRefused(
                "output-inside-input", "{out} lies inside the input {given}; name another folder", out=out, given=given
            )


def _check_free(out: Path, force: bool) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise InputRefused("output-exists", "{out} is a file; name a folder for the results", out=out)
    if not any(out.iterdir()):
        return
    if not force:
        raise InputRefused("output-exists", "{out} holds files already; name another folder or add --force", out=out)
    if not (out / MARKER).exists():
        raise InputRefused("output-foreign", "{out} holds files that are not ours; name another folder", out=out)


def _umask() -> int:
    """mkdtemp makes private folders; results take the user's ordinary permissions."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
