"""Folders of results: written whole or not at all, never over somebody's work unasked."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputRefused

MARKER = ".tspoquant"
"""A file that says: this folder was made by this program, so --force may replace it."""


def check_free(out: Path, force: bool = False) -> None:
    """Refuse a folder that holds anything, unless ``force`` and this program made it ("output-exists")."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputRefused("output-exists", f"{out} is a file; name a folder for the results")
    if not any(out.iterdir()):
        return
    if not force:
        raise InputRefused("output-exists", f"{out} holds files already; name another folder or add --force")
    if not (out / MARKER).exists():
        raise InputRefused("output-foreign", f"{out} holds files that are not ours; name another folder")


@contextmanager
def whole_folder(out: Path, force: bool = False) -> Iterator[Path]:
    """A scratch folder beside ``out`` that becomes ``out`` when the block ends well and vanishes when it does not.

    Raises InputRefused as ``check_free`` does, and "output-unwritable" where nothing can be written.
    """
    out = out.absolute()
    check_free(out, force)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise InputRefused("output-unwritable", f"{out.parent}: {error.strerror}; name another folder") from error
    try:
        scratch.chmod(0o777 & ~_umask())
        yield scratch
        (scratch / MARKER).touch()
        check_free(out, force)
        if out.exists():
            shutil.rmtree(out)
        scratch.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _umask() -> int:
    """mkdtemp makes private folders; results take the user's ordinary permissions."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
