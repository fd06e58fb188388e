"""Files of any kind as bytes; what is missing, or only stands for a file that was not fetched, is refused by name."""

from pathlib import Path

from ..messages import InputRefused

LFS = b"version https://git-lfs.github.com/spec/"
ANNEX = "annex/objects/"
POINTER_BYTES = 200
"""A pointer shows itself in these."""


def content_of(path: Path) -> bytes:
    """The whole file. Raises InputRefused: "path-missing", "file-pointer"."""
    check_link(path)
    if not path.is_file():
        raise InputRefused("path-missing", "there is no file {path}; check the path", path=path)
    try:
        content = path.read_bytes()
    except OSError as reason:
        raise InputRefused(
            "path-missing", "{path} cannot be read ({reason}); check the path", path=path, reason=str(reason.strerror)
        ) from reason
    check_content(path, content[:POINTER_BYTES])
    return content


def bytes_of(path: Path, code: str, most: int = -1) -> bytes:
    """A file, or its first ``most`` bytes. Raises InputRefused: ``code`` where it cannot be read, "file-pointer"."""
    check_link(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(most)
    except OSError as error:
        raise InputRefused(
            code, "{file} cannot be read ({strerror}); check the path", file=path.name, strerror=error.strerror
        ) from None
    check_content(path, content[:POINTER_BYTES])
    return content


def check_link(path: Path) -> None:
    """Refuse a link of git-annex to content that was not fetched. Raises InputRefused: "file-pointer"."""
    if path.is_symlink() and not path.exists() and ANNEX in path.readlink().as_posix():
        raise _pointer(path, "git-annex", "git annex get, or datalad get")


def check_content(path: Path, start: bytes) -> None:
    """Refuse a file that begins as a pointer of git-annex or Git LFS does. Raises InputRefused: "file-pointer"."""
    if start.startswith(LFS):
        raise _pointer(path, "Git LFS", "git lfs pull")
    if start.startswith(b"/" + ANNEX.encode()):
        raise _pointer(path, "git-annex", "git annex get, or datalad get")


def _pointer(path: Path, kind: str, command: str) -> InputRefused:
    return InputRefused(
        "file-pointer",
        "{path} is a pointer of {kind}: the file itself was not fetched; fetch it ({command})",
        path=path,
        kind=kind,
        command=command,
    )
