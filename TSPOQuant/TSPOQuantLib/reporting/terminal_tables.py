"""Tables for a terminal: cells in aligned columns, values to the digit that their errors reach."""

import math
import textwrap
from collections.abc import Sequence

from ..outcome.change import NO_PVC
from ..quantities import decimals_for
from .reasons import WIDTH

INDENT = 4
"""Of what terminals show below a line; tables stay within WIDTH."""
CORRECTED = ", corrected ({})"


def by_pvc(pvc: str, text: str = ", {}") -> str:
    """What a row's title ends with where its curve was corrected for partial volume, for a terminal."""
    return "" if pvc == NO_PVC else text.format(pvc)


def columns_text(rows: Sequence[Sequence[str]]) -> str:
    """Cells in aligned columns, the first to the left and the rest to the right, a rule below the header.

    Where that is wider than ``WIDTH``, each row's first cell has a line of its own, with the others aligned below it;
    where even these are wider, each of them has its line, after its header.
    """
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    rest = sum(widths[1:]) + 2 * (len(widths) - 2)
    if widths[0] + 2 + rest <= WIDTH:
        return "\n".join(_ruled([f"{row[0].ljust(widths[0])}  {_aligned(row, widths)}".rstrip() for row in rows]))
    if INDENT + rest <= WIDTH:
        return "\n".join(_ruled([f"{row[0]}\n{' ' * INDENT}{_aligned(row, widths)}".rstrip() for row in rows]))
    names = max(len(name) for name in rows[0][1:])
    blocks = []
    for row in rows[1:]:
        lines = [f"{name.ljust(names)}  {cell}" for name, cell in zip(rows[0][1:], row[1:], strict=True) if cell]
        further = " " * (INDENT + names + 2)
        cells = [textwrap.fill(line, WIDTH, initial_indent=" " * INDENT, subsequent_indent=further) for line in lines]
        blocks.append("\n".join([row[0], *cells]))
    return "\n".join(_ruled([rows[0][0], *blocks]))


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))


def _ruled(lines: Sequence[str]) -> list[str]:
    """With a rule below the first one, as long as the longest line."""
    longest = max(len(line) for text in lines for line in text.split("\n"))
    return [lines[0], "─" * longest, *lines[1:]]


def value_text(value: float, error: float | None, decimals: int = 2) -> str:
    """A value to the digit that its standard error reaches; ``decimals``: where there is none."""
    if not math.isfinite(value):
        return "n/a"
    if error is None:
        return f"{value:g}"
    if not math.isfinite(error):
        return f"{value:.{decimals}f} ± n/a"
    digits = decimals_for(error, decimals)
    return f"{value:.{digits}f} ± {error:.{digits}f}"
