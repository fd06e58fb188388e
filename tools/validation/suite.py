"""The command ``validate``: every section, its text for the terminal, and docs/validation.md with its figures."""

import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

from TSPOQuantLib.messages import InputRefused, Text
from TSPOQuantLib.progress import Progress, silent
from TSPOQuantLib.reporting.provenance import versions

from . import (
    alignment,
    coupled,
    coverage,
    digital_neck,
    exactness,
    groups,
    image_derived,
    intervals,
    model_choice,
    people,
    population,
    reconstructed,
    regions,
    scan_length,
    shapes,
    similar,
    verdict,
    vessels,
)
from .document import (
    COMMAND,
    EXACT,
    HUMAN,
    INDEPENDENT,
    SELF,
    Measured,
    Picture,
    Section,
    markdown,
    paragraphs,
    plain_text,
    png,
    renewed,
)

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENT = "validation.md"
SECTIONS: dict[str, Callable[[Path | None, bool], Section]] = {
    "exactness": lambda data, quick: exactness.section(quick),
    "human curves": people.section,
    "coverage": lambda data, quick: coverage.section(quick),
    "scan length": lambda data, quick: scan_length.section(quick),
    "image-derived input": lambda data, quick: image_derived.section(quick),
    "digital neck": lambda data, quick: digital_neck.section(quick),
    "model selection": lambda data, quick: model_choice.section(quick),
    "alignment": alignment.section,
    "verdict": lambda data, quick: verdict.section(quick),
    "regions": lambda data, quick: regions.section(quick),
    "reconstructed": lambda data, quick: reconstructed.section(quick),
    "shapes": lambda data, quick: shapes.section(quick),
    "population input": population.section,
    "intervals": lambda data, quick: intervals.section(REPOSITORY, quick),
    "coupled fit": coupled.section,
    "groups": lambda data, quick: groups.section(quick),
    "similar": lambda data, quick: similar.section(quick),
    "vessels": lambda data, quick: vessels.section(quick),
}
"""In the order of the document; each takes the folder of human data (or None) and whether to be quick."""
RULERS = {
    "exactness": EXACT,
    "human curves": HUMAN,
    "population input": HUMAN,
    "coverage": EXACT,
    "scan length": EXACT,
    "model selection": EXACT,
    "groups": EXACT,
    "reconstructed": INDEPENDENT,
    "intervals": INDEPENDENT,
    "coupled fit": EXACT,
    "similar": EXACT,
    "vessels": EXACT,
}
"""What a section measures with; the others do with the phantom's Gaussian blur."""


def run(
    repository: Path,
    data: Path | None = None,
    quick: bool = False,
    progress: Progress = silent,
    only: Sequence[str] = (),
) -> str:
    """Measure every accuracy claim and return it as text for a terminal.

    repository: its docs/ receive validation.md and the figures, unless ``quick``; whole or not at all. data: the
    folder with the human curves, None where there is none. quick: a few curves each, to see that all of it runs.
    only: names of ``SECTIONS``, each of which is renewed in the document as soon as it is measured, so that what was
    stopped goes on with those that are missing. Raises InputRefused ("output-unwritable", "figures-unavailable",
    "validation-section").
    """
    unknown = next((name for name in only if name not in SECTIONS), None)
    if unknown is not None:
        raise InputRefused(
            "validation-section",
            "no section is called {name!r}; there are {names}",
            name=unknown,
            names=", ".join(SECTIONS),
        )
    if not quick and find_spec("matplotlib") is None:
        raise InputRefused("figures-unavailable", "the figures need matplotlib, which is not installed; install it")
    docs, sections = repository / "docs", []
    if quick or only:
        for name in only or SECTIONS:
            sections.append(measured(name, data, quick))
            if not quick:
                known = (docs / DOCUMENT).read_text(encoding="utf-8")
                number = list(SECTIONS).index(name) + 1
                write(docs, {DOCUMENT: renewed(known, number, sections[-1]).encode(), **_pictures(sections[-1:])})
    else:
        sections = _measured_side_by_side(data, progress)
        write(docs, {DOCUMENT: markdown(introduction(), sections).encode(), **_pictures(sections)})
    progress(1, "Done")
    return plain_text(sections)


def _pictures(sections: Sequence[Measured]) -> dict[str, bytes]:
    return {picture.name: picture.png for section in sections for picture in section.pictures}


def _measured_side_by_side(data: Path | None, progress: Progress) -> list[Measured]:
    """Sections share nothing: each has a process of its own, a fresh one, as VTK and SimpleITK do not fork."""
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), max_tasks_per_child=1) as pool:
        pending = {name: pool.submit(measured, name, data, False) for name in SECTIONS}
        sections = []
        try:
            for n, (name, section) in enumerate(pending.items()):
                progress(n / len(pending), Text("Validating: {name}", name=name))
                sections.append(section.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return sections


def measured(name: str, data: Path | None, quick: bool) -> Measured:
    """One section, its figures drawn unless ``quick``."""
    section = SECTIONS[name](data, quick)
    drawn = () if quick else tuple(Picture(one.name, one.caption, png(one)) for one in section.figures)
    return Measured(section.title, section.text, section.goals, drawn, RULERS.get(name, SELF))


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
        raise InputRefused(
            "output-unwritable", "{folder}: {strerror}; make it writable", folder=folder, strerror=error.strerror
        ) from error
