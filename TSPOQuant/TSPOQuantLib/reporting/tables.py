"""How every table and JSON is written, so that other programs and spreadsheets read it: BIDS's numbers and labels."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..messages import Notice
from ..plain import plain

LABELED = {
    "participant": "sub-",
    **dict.fromkeys(("session", "baseline_session", "followup_session", "visit"), "ses-"),
}
"""What stands before the labels in these columns of tables of many people: without it, 01 is 1 to a spreadsheet."""


def write_json(path: Path, content: object) -> None:
    """For other programs: what is no number is null."""
    path.write_text(json.dumps(plain(content, lossless=False), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def number(value: float | None) -> str:
    """A number for a TSV: nine digits, "n/a" where there is none (BIDS)."""
    return "n/a" if value is None or not math.isfinite(value) else f"{value:.9g}"


def no_formula(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe before a text that begins like one."""
    if cell.lstrip()[:1] not in ("=", "+", "-", "@"):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def cell_text(value: object) -> str:
    """What a TSV holds of a value; a text stays as it is."""
    if value is None or isinstance(value, float):
        return number(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def cells_of(row: object, names: Iterable[str]) -> list[object]:
    """A row's attributes, None for an empty text."""
    values = (getattr(row, name) for name in names)
    return [None if value == "" else value for value in values]


def codes(notices: Iterable[Notice]) -> str:
    """What a row is flagged for, in one cell."""
    return ";".join(notice.code for notice in notices)


def write_tsv(path: Path, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a TSV; tabs and line ends inside a cell become spaces, and no text is a formula."""
    lines = ["\t".join(no_formula(" ".join(cell_text(cell).split())) for cell in row) for row in (columns, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def about_columns(texts: Mapping[str, str], key: str = "Description") -> dict[str, object]:
    """Columns as the JSON beside a table tells of them. key: what the texts are ("Units")."""
    return {name: {key: text} for name, text in texts.items()}


def write_labeled(path: Path, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """The same with people and sessions as BIDS writes them, "sub-01" and "ses-01"; several sessions have blanks
    between."""
    before = [LABELED.get(name, "") for name in columns]
    write_tsv(path, columns, [[_labeled(*pair) for pair in zip(before, row, strict=True)] for row in rows])


def _labeled(before: str, cell: object) -> object:
    return " ".join(f"{before}{label}" for label in str(cell).split()) if before and cell is not None else cell
