"""The report of two visits or more, or of one: a self-contained HTML file and a PDF, in English or French."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from ..messages import InputRefused
from ..outcome.compare import Comparison
from ..output import unwritable
from ..progress import Progress, silent
from .figures import FusedPicture
from .report_clinician import first_page
from .report_document import Document
from .report_html import html
from .report_pdf import pdf
from .report_physicist import further_pages
from .report_terms import part_of
from .words import Words

STEM = "report"
NEEDED = {"matplotlib": "matplotlib", "jinja2": "jinja2", "fpdf": "fpdf2"}
"""What a report needs beyond the rest of the program: how it is imported, and how it is installed."""


def write_report(
    folder: Path,
    comparison: Comparison,
    pictures: Sequence[FusedPicture] = (),
    lang: str = "en",
    progress: Progress = silent,
) -> tuple[Path, Path]:
    """Write ``report_<lang>.html`` and ``report_<lang>.pdf`` into an existing folder: both, or none.

    pictures: fused slices of all visits, at one scale; may be empty. The same comparison gives the same bytes.
    Raises InputRefused: "report-unavailable" where matplotlib, jinja2 or fpdf2 is missing, "report-language",
    "output-unwritable".
    """
    check_available()
    progress(0.0, "Report: text and figures")
    document = report_document(comparison, pictures, lang)
    progress(0.4, "Report: HTML")
    contents = {folder / f"{STEM}_{lang}.html": html(document).encode()}
    progress(0.6, "Report: PDF")
    contents[folder / f"{STEM}_{lang}.pdf"] = pdf(document)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{STEM}-", dir=folder) as scratch:
            for path, content in contents.items():
                (Path(scratch) / path.name).write_bytes(content)
            for path in contents:
                (Path(scratch) / path.name).replace(path)
    except OSError as error:
        raise unwritable(folder, error) from error
    html_path, pdf_path = contents
    return html_path, pdf_path


def missing_packages() -> list[str]:
    """What a report needs and is not installed, by the names that pip knows."""
    return [package for module, package in NEEDED.items() if find_spec(module) is None]


def check_available() -> None:
    """Raise InputRefused ("report-unavailable") unless everything that a report needs is installed."""
    missing = missing_packages()
    if missing:
        names = ", ".join(missing)
        raise InputRefused(
            "report-unavailable",
            "a report needs {names}, not installed here; run: pip install {missing}",
            names=names,
            missing=" ".join(missing),
        )


def report_document(comparison: Comparison, pictures: Sequence[FusedPicture], lang: str) -> Document:
    """The report before it becomes HTML or PDF. Raises InputRefused ("report-language")."""
    words = Words(lang)
    visits = comparison.visits
    sessions = [visit.session for visit in visits]
    title = words(
        "title.one" if len(visits) == 1 else "title.several",
        what=words("title.vt" if comparison.model else "title.suv"),
        part=words(f"part.{part_of(visits)}"),
    )
    subject = words(
        "subject", subject=visits[0].subject, visits=" → ".join(sessions), tracer=visits[0].acquisition.tracer or "PET"
    )
    clinician, physicist = first_page(comparison, pictures, words), further_pages(comparison, words)
    if not clinician[-1].new_page:  # page one ends here, whatever follows it
        physicist[0] = replace(physicist[0], new_page=True)
    return Document(
        title=title,
        language=lang,
        subject=subject,
        sections=(*clinician, *physicist),
        footer=words("disclaimer"),
        skip=words("skip"),
        page=words("page"),
    )
