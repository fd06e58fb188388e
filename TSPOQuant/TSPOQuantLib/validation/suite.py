"""The command ``validate``: every section, its text for the terminal, and docs/validation.md with its figures."""

import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from ..errors import InputRefused
from ..progress import Progress, silent
from ..reporting.provenance import versions
from . import (
    alignment,
    coverage,
    digital_neck,
    exactness,
    image_derived,
    model_choice,
    people,
    regions,
    scan_length,
    verdict,
)
from .document import COMMAND, Section, markdown, paragraphs, plain_text, png

DOCUMENT = "validation.md"


def run(repository: Path, data: Path | None = None, quick: bool = False, progress: Progress = silent) -> str:
    """Measure every accuracy claim and return it as text for a terminal.

    repository: its docs/ receive validation.md and the figures, unless ``quick``; whole or not at all. data: the
    folder with the human curves, None where there is none. quick: a few curves each, to see that all of it runs.
    Raises InputRefused ("output-unwritable", "figures-unavailable").
    """
    if not quick and find_spec("matplotlib") is None:
        raise InputRefused("figures-unavailable", "the figures need matplotlib, which is not installed; install it")
    steps: dict[str, Callable[[], Section]] = {
        "exactness": lambda: exactness.section(quick),
        "human curves": lambda: people.section(data, quick),
        "coverage": lambda: coverage.section(quick),
        "scan length": lambda: scan_length.section(quick),
        "image-derived input": lambda: image_derived.section(quick),
        "digital neck": lambda: digital_neck.section(quick),
        "model selection": lambda: model_choice.section(quick),
        "alignment": lambda: alignment.section(data, quick),
        "verdict": lambda: verdict.section(quick),
        "regions": lambda: regions.section(quick),
    }
    sections = []
    for n, (name, step) in enumerate(steps.items()):
        progress(n / len(steps), f"Validating: {name}")
        sections.append(step())
    if not quick:
        contents = {DOCUMENT: markdown(introduction(), sections).encode()}
        contents |= {figure.name: png(figure) for section in sections for figure in section.figures}
        write(repository / "docs", contents)
    progress(1, "Done")
    return plain_text(sections)


def introduction() -> str:
    used = ", ".join(f"{name} {version}" for name, version in versions().items())
    return paragraphs(
        f"""Every figure here was measured by `{COMMAND}`, which writes this file; a second run on the same machine
        gives the same one. What is simulated is called simulated. V_T in mL/cm³, K1 in mL/cm³/min, rates per
        minute.""",
        f"Versions: {used}.",
        "For research use only; not a medical device.",
    )


def write(folder: Path, contents: dict[str, bytes]) -> None:
    """All files or none: they are written beside their places first, and renamed when all are there."""
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".validation-") as scratch:
            for name, content in contents.items():
                (Path(scratch) / name).write_bytes(content)
            for name in contents:
                (Path(scratch) / name).replace(folder / name)
    except OSError as error:
        raise InputRefused("output-unwritable", f"{folder}: {error.strerror}; make it writable") from error
