"""Folders of results: written whole or not at all, never over somebody's work unasked."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from .messages import InputRefused

try:
    import fcntl as _fcntl
except ImportError:  # Windows
    _fcntl = None  # type: ignore[assignment]
fcntl: Any = _fcntl
LOCK = ".lock"

MARKER = ".tspoquant"
"""A file that says: this folder was made by this program, so --force may replace it, and which files are ours."""


NO_RESULTS = {"lost+found"}
"""What a file system of its own has at its top without anybody's doing."""
OF_SYSTEMS = {".DS_Store", "Thumbs.db", "desktop.ini"}
"""Files that are kept for nobody: they come by themselves."""
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


@contextmanager
def whole_folder(out: Path, force: bool = False, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """A scratch folder beside ``out`` that becomes ``out`` when the block ends well and vanishes when it does not.

    What is replaced is kept until the new results stand; files in it that this program did not write stay with them
    (as "name.kept" where a new result has that name). Where ``out`` is a mount point, which nothing can be renamed to,
    the scratch folder lies in it and its content moves up. What a run that was killed left is removed, or put back
    where the kill came between the old results and the new.

    inputs: what the results are made from; it is neither replaced nor written into.
    Raises InputRefused: "output-exists", unless ``force`` and this program made what is there ("output-foreign", also
    of results without a list of their files); "output-holds-input", "output-inside-input"; "output-unwritable" where
    nothing can be written.
    """
    out = Path(os.path.realpath(out))  # a link stays, what it points to is replaced
    try:
        if out.is_symlink():
            raise InputRefused("output-link", "{out} is a link that leads in a circle; name another folder", out=out)
        _check_inputs(out, inputs)
        remove_leftovers(out)
        check_free(out, force)
        missing = [folder for folder in out.parents if not folder.exists()]
        out.parent.mkdir(parents=True, exist_ok=True)
        place = out if os.path.ismount(out) else out.parent
        scratch = Path(tempfile.mkdtemp(prefix=_prefix(out), dir=place))
        lock = _locked(scratch)
    except OSError as error:
        raise unwritable(out, error) from error
    try:
        scratch.chmod(0o777 & ~_umask())
        yield scratch
        ours = [path.relative_to(scratch).as_posix() for path in _files(scratch)]
        (scratch / MARKER).write_text(json.dumps({"files": ours}) + "\n", encoding="utf-8")
        check_free(out, force)
        _keep_foreign(out, scratch)
        _swap(scratch, out)
    except OSError as error:
        if error.errno in DISK_ERRORS and error.filename is None:
            error.filename = str(out)  # writing to an open file does not say where
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        _release(scratch, lock)
        if not out.exists():
            with suppress(OSError):
                for folder in missing:
                    folder.rmdir()


def unwritable(out: Path, error: OSError) -> InputRefused:
    return InputRefused(
        "output-unwritable", "{out}: {strerror}; name another folder", out=out, strerror=error.strerror
    )


def _swap(scratch: Path, out: Path) -> None:
    """Put the new results in the place of the old, which go aside first and are deleted last."""
    old = _aside(scratch)
    if os.path.ismount(out):
        old.mkdir()
        for path in _results_in(out):
            path.rename(old / path.name)
        for path in sorted(scratch.iterdir()):
            path.rename(out / path.name)
        scratch.rmdir()
    elif out.exists():
        out.rename(old)
        try:
            scratch.rename(out)
        except OSError:
            old.rename(out)
            raise
    else:
        scratch.rename(out)
    shutil.rmtree(old, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    """Every file and link below a folder."""
    return [path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir()]


def _listed(out: Path) -> set[str] | None:
    """The files that a run wrote into a folder, as its marker lists them; None where it lists none."""
    try:
        content = json.loads((out / MARKER).read_text(encoding="utf-8"))
        return {str(name) for name in content["files"]}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def remove_results(out: Path) -> None:
    """Delete the files that a run wrote into a folder, by its list, and the folders that they leave empty."""
    listed = _listed(out) or set()
    ours = [path for path in _files(out) if path == out / MARKER or path.relative_to(out).as_posix() in listed]
    for path in ours if listed else []:
        path.unlink()
    for folder in sorted({parent for path in ours for parent in path.parents if parent.is_relative_to(out)})[::-1]:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def files_into(out: Path) -> Iterator[Path]:
    """A scratch folder whose files go into ``out``, beside what lies there, when the block ends well.

    The marker of ``out`` lists them from its second line on: those of the run before go. A file of such a name that
    no run wrote stays as "name.kept".
    """
    remove_leftovers(out)
    scratch = Path(tempfile.mkdtemp(prefix=_prefix(out), dir=out))
    lock = _locked(scratch)
    try:
        yield scratch
        first, *ours = (out / MARKER).read_text(encoding="utf-8").splitlines()
        written = sorted(path.name for path in scratch.iterdir())
        for path in [path for path in out.iterdir() if path.name in ours]:
            path.unlink()
        for name in written:
            if os.path.lexists(out / name):
                (out / name).rename(_free_name(out / name))
        (out / MARKER).write_text("\n".join([first, *written, ""]), encoding="utf-8")
        for name in written:
            (scratch / name).rename(out / name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        _release(scratch, lock)


def _free_name(path: Path) -> Path:
    """The path, or where something lies there "name.kept"."""
    while os.path.lexists(path):
        path = path.with_name(path.name + ".kept")
    return path


def _keep_foreign(out: Path, scratch: Path) -> None:
    """Give the new results what others put among the old, which lose nothing by it before they are replaced."""
    ours = _listed(out) or set()
    for path in _files(out) if out.is_dir() else []:
        name = path.relative_to(out)
        top = name.parts[0]
        if top in NO_RESULTS | {MARKER} or top.startswith(_prefix(out)):
            continue
        if name.name in OF_SYSTEMS or name.as_posix() in ours:
            continue
        target = _free_name(scratch / name)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target, follow_symlinks=False)
        except (OSError, NotImplementedError):  # no such links here
            shutil.copy2(path, target, follow_symlinks=False)


def remove_leftovers(out: Path) -> None:
    """Clear away what runs into ``out`` left behind that were killed; a run that goes on holds its lock."""
    for place in {out.parent, out} if out.is_dir() else {out.parent}:
        for lock in place.glob(f"{_prefix(out)}*{LOCK}"):
            held = _try_lock(lock)
            if held is None:
                continue
            scratch = lock.with_name(lock.name.removesuffix(LOCK))
            old = _aside(scratch)
            if old.exists() and place == out and scratch.exists():  # killed while contents changed places
                for path in old.iterdir():
                    shutil.rmtree(out / path.name, ignore_errors=True)
                    path.rename(out / path.name)
            elif old.exists() and place == out.parent and not out.exists():
                old.rename(out)
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
            _release(scratch, held)


def _prefix(out: Path) -> str:
    return f".{out.name or 'results'}-"


def _aside(scratch: Path) -> Path:
    return scratch.with_name(scratch.name + ".old")


def _locked(scratch: Path) -> IO[bytes] | None:
    """Hold a lock beside the scratch folder, which ends with this process; None where there are no such locks."""
    if fcntl is None:
        return None
    within = scratch / LOCK
    lock = within.open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX)
    within.rename(scratch.with_name(scratch.name + LOCK))  # nobody has seen it without its lock
    return lock


def _try_lock(path: Path) -> IO[bytes] | None:
    """The lock of a run that is over; None of one that goes on."""
    if fcntl is None:
        return None
    try:
        lock = path.open("rb+")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return None
    return lock


def _release(scratch: Path, lock: IO[bytes] | None) -> None:
    """End a lock; its file stays while there is something that could not be deleted, for the next run to try."""
    if lock is not None:
        if not scratch.exists() and not _aside(scratch).exists():
            scratch.with_name(scratch.name + LOCK).unlink(missing_ok=True)
        lock.close()


@contextmanager
def only_run_in(folder: Path) -> Iterator[None]:
    """Hold a folder into which several commands could write. Raises InputRefused ("output-busy") where one does."""
    path = folder / (MARKER + LOCK)
    path.touch()
    lock = _try_lock(path)
    if lock is None and fcntl is not None:
        raise InputRefused("output-busy", "{folder} is being written by another run; wait for its end", folder=folder)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        if lock is not None:
            lock.close()


def _results_in(out: Path) -> list[Path]:
    """What lies in a folder, but for what is no result of anybody."""
    return [p for p in sorted(out.iterdir()) if p.name not in NO_RESULTS and not p.name.startswith(_prefix(out))]


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


def check_free(out: Path, force: bool) -> None:
    """Raise InputRefused ("output-exists", "output-foreign") where results could not be put; see ``whole_folder``."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputRefused("output-exists", "{out} is a file; name a folder for the results", out=out)
    if not _results_in(out):
        return
    if not force:
        raise InputRefused("output-exists", "{out} holds files already; name another folder or add --force", out=out)
    if not (out / MARKER).exists():
        raise InputRefused("output-foreign", "{out} holds files that are not ours; name another folder", out=out)
    if _listed(out) is None:
        raise InputRefused(
            "output-foreign",
            "{out} holds results without a list of their files (a cohort's, or an earlier version's), among which "
            "yours could be lost; name another folder, or remove this one yourself",
            out=out,
        )


def _umask() -> int:
    """mkdtemp makes private folders; results take the user's ordinary permissions."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
