"""PMOD's text files: where their tables stand, and what is around them.

Sources: PKIN's manual (file-based data import; composite import format), the Turku PET Centre's description of CRV,
and the ``.voistat`` and ``.acqtimes`` files that PMOD 3.8 writes. Titles of ``.kinPar``: as the public analysis of
10.1186/s13550-020-00664-8 reads them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..messages import InputRefused
from .files import bytes_of
from .tables import Column, Line, columns_of, read_table, split_rows, text_lines

# Curves of tissue and of blood, each a title line with numbers below; a spreadsheet under such a name is read as one.
CURVES = (".tac", ".crv", ".bld")
STATISTICS = ".voistat"
COMPOSITE = ".kmdata"
PARAMETERS = ".kinpar"
FRAMES = ".acqtimes"
COMMENT, HEADER = "#", "//"
# The columns of .voistat that are read; others tell who was scanned.
REGION, TIME, AVERAGED, CORRECTED, VOLUME = "VoiName(Region)", "Time", "Averaged", "PVC", "Volume"
SCAN = ("Component", "File", "SeriesDescription", "StudyDate")


def tables_in(path: Path, units: bool = True) -> tuple[tuple[Column, ...], ...]:
    """The tables of a file: one, but of a composite ``.kmData`` one for each of its data sections.

    units: as for ``read_table``, which reads what is none of PMOD's. Raises InputRefused ("table-…", "pmod-sections").
    """
    suffix = path.suffix.lower()
    if suffix not in (*CURVES, STATISTICS, COMPOSITE, PARAMETERS):
        return (read_table(path, units),)
    content = bytes_of(path, "table-missing")
    if content[:2] == b"PK":
        return (read_table(path, units),)
    lines = text_lines(content, path.name)
    if suffix == COMPOSITE:
        sections = list(_sections(lines))
        if not sections:
            raise InputRefused(
                "pmod-sections", "{file} has no section # DATA with a table below it; prepare it anew", file=path.name
            )
    else:
        statements = [(number, line.removeprefix(HEADER)) for number, line in lines if not line.startswith(COMMENT)]
        sections = [statements]
    return tuple(columns_of(path.name, list(split_rows(section, path.name)), units) for section in sections)


def _sections(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The lines below each # DATA, up to the next line that begins with #."""
    section: list[Line] | None = None
    for number, line in [*lines, (0, COMMENT)]:
        if line.startswith(COMMENT):
            if section:
                yield section
            section = [] if line.lstrip(COMMENT).strip().upper() == "DATA" else None
        elif section is not None and not line.startswith(HEADER):
            section.append((number, line))


def frame_times_beside(path: Path) -> tuple[Column, Column] | None:
    """Starts and ends of the frames from the ``.acqtimes`` beside a file; None without exactly one that fits.

    It fits where its name is how the file's begins; PMOD adds to the latter. Raises InputRefused ("table-…").
    """
    named = [table for table in path.parent.glob(f"*{FRAMES}") if path.stem.startswith(table.stem)]
    if len(named) != 1:
        return None
    file = named[0].name
    lines = text_lines(bytes_of(named[0], "table-missing"), file)
    # The second line counts the frames and calls itself so in a comment behind the number.
    rows = [(number, line) for number, line in lines if COMMENT not in line]
    start, end = columns_of(file, list(split_rows([(0, "start\tend"), *rows], file)))
    return start, end
