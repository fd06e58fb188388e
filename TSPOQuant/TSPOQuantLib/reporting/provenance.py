"""What a result was made from: hashes of every input, versions of everything that computed."""

import hashlib
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from .. import __version__

PERSON = "participants.tsv, this participant"
LIBRARIES = ("numpy", "scipy", "SimpleITK", "pydicom", "highdicom")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file; of a folder: over the sorted hashes of its files, so that names and order do not matter."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    hashes = sorted(sha256_of(file) for file in path.rglob("*") if file.is_file())
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def inputs(paths: Iterable[Path], person: str = "") -> list[dict[str, str]]:
    """Name (without its folder, which may name a patient) and hash of every input.

    person: what was read of a dataset's table of participants, which tells of others too.
    """
    read = [{"name": path.name, "sha256": sha256_of(path)} for path in paths]
    named = [{"name": PERSON, "sha256": hashlib.sha256(person.encode()).hexdigest()}] if person else []
    return read + named


def versions() -> dict[str, str]:
    """This program, Python, and the libraries that are installed here."""
    known = {"TSPOQuant": __version__, "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            known[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return known
