"""Tables of numbers and JSON sidecars as sites write them: cells, units, and where a sidecar is looked for."""

import csv
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from ..messages import InputRefused
from .files import bytes_of

# BIDS writes a missing value as n/a; R and spreadsheets write NA or leave the cell empty.
MISSING_CELLS = frozenset({"", "n/a", "na"})
# Stands for a spreadsheet's formula that has no result.
FORMULA = "="
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
NOT_FINITE = re.compile(r"[+-]?(nan|inf|infinity)", re.IGNORECASE)
UNIT_IN_HEADER = re.compile(r"(?P<name>.*?)\s*[\[(](?P<unit>[^\])]*)[\])]\s*")

# A spreadsheet that unpacks to more than this is no table of samples.
SPREADSHEET_LIMIT_BYTES = 50_000_000
SPREADSHEET_NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
WORKBOOK, WORKBOOK_FILES = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
SHEET_FILE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
}
# What may follow a unit of time: "seconds since injection".
COUNTED_FROM = re.compile(r",? +\(?(after|from|post|p\.?i\b|relative|since)\b.*")
BECQUERELS = {
    **{"Bq": 1.0, "bq": 1.0, "kBq": 1e3, "kbq": 1e3, "KBq": 1e3, "MBq": 1e6, "GBq": 1e9},
    # 1 Ci = 3.7e10 Bq exactly (SI brochure, non-SI units).
    **{"nCi": 37.0, "uCi": 3.7e4, "µCi": 3.7e4, "μCi": 3.7e4, "mCi": 3.7e7},
}
VOLUME = re.compile(r"(/|\*|·|\.| )?(ml|mL|ML|cc|cm3|cm\^3|cm³)(-1|\^-1|⁻¹)?")

# What can be believed of a human study. These limits are the program's, not published; they lie between what a
# right file and one with a slipped unit (60 or 1000 times) would show.
SHORTEST_STUDY_S = 150.0  # frames or blood of a 60 to 120 min scan, in minutes, end below it
HIGHEST_KBQ_ML = 2000.0  # 1 GBq in the half liter that passes the heart in 6 s
LOWEST_PEAK_KBQ_ML = 0.1


Line = tuple[int, str]
"""Number and text of a line of a file."""
Row = tuple[int, list[str]]
"""Number of a line and its cells."""


@dataclass(frozen=True)
class Column:
    """A column as written: its name and unit from its header (``time[min]``), its cells, the lines they stand on."""

    file: str
    name: str
    unit: str | None
    cells: tuple[str, ...]
    lines: tuple[int, ...]

    def parted(self) -> "Column":
        """The same, a unit in brackets taken out of its name."""
        name, unit = split_unit(self.name)
        return replace(self, name=name, unit=unit)

    def numbers(self) -> NDArray[np.float64]:
        """The cells as numbers, NaN where a cell says missing; raises InputRefused ("table-…") for anything else."""
        numbered = zip(self.words(), self.lines, strict=True)
        return np.array([_number(cell, f"{self.file} line {line}, {self.name}") for cell, line in numbered])

    def words(self) -> tuple[str, ...]:
        """The cells as they are; raises InputRefused ("table-formula") where one has no content of its own."""
        if FORMULA in self.cells:
            raise InputRefused(
                "table-formula",
                "{file} line {line}: a cell holds a formula without its result; open the file in a "
                "spreadsheet program and save it, or save it as text",
                file=self.file,
                line=self.lines[self.cells.index(FORMULA)],
            )
        return self.cells


def read_table(path: Path, units: bool = True) -> tuple[Column, ...]:
    """Read a table: text with tabs, commas, semicolons or blanks, or a spreadsheet's first sheet.

    units: what a header holds in brackets is its unit; False leaves it in the name.

    Raises InputRefused ("table-…") for a file that is no table, a row of another length than the header, and columns
    without a name or of one name.
    """
    content = bytes_of(path, "table-missing")
    spreadsheet = content[:2] == b"PK"
    rows = list(_spreadsheet_rows(path) if spreadsheet else split_rows(text_lines(content, path.name), path.name))
    return columns_of(path.name, rows, units, spreadsheet)


def columns_of(file: str, rows: Sequence[Row], units: bool = True, ragged: bool = False) -> tuple[Column, ...]:
    """The columns of a header and the rows below it. ragged: a row may leave out empty cells at its end.

    Raises InputRefused ("table-…") as ``read_table`` does.
    """
    if len(rows) < 2:
        raise InputRefused("table-empty", "{file} has no header with rows of numbers below it", file=file)
    header = _trimmed(rows[0][1])
    for line, row in rows[1:]:
        if len(_trimmed(row)) > len(header) or (len(row) < len(header) and not ragged):
            raise InputRefused(
                "table-row",
                "{file} line {line} has {n_row} cells under a header of {n_header}; correct it",
                file=file,
                line=line,
                n_row=len(row),
                n_header=len(header),
            )
    lines = tuple(line for line, _ in rows[1:])
    columns = []
    for index, cell in enumerate(header):
        cells = tuple(row[index].strip() if index < len(row) else "" for _, row in rows[1:])
        column = Column(file, cell.strip(), None, cells, lines)
        columns.append(column.parted() if units else column)
    counts = [[str(number) for number in range(first, first + len(lines))] for first in (0, 1)]
    if len(columns) > 1 and not columns[0].name and list(columns[0].cells) in counts:
        columns = columns[1:]  # pandas writes its index so
    names = Column(file, "", None, tuple(column.name for column in columns), (rows[0][0],) * len(columns)).words()
    if len(set(names)) < len(names) or not all(names):
        raise InputRefused(
            "table-header",
            "{file} has a column without a name, or two of one name: {names}",
            file=file,
            names=list(names),
        )
    return tuple(columns)


def _trimmed(row: list[str]) -> list[str]:
    """The row without the empty cells at its end, which spreadsheets leave behind."""
    filled = [index for index, cell in enumerate(row) if cell.strip()]
    return row[: filled[-1] + 1] if filled else []


def split_unit(header: str) -> tuple[str, str | None]:
    """The name and unit in a header such as ``time[minutes]`` or ``Whole blood (kBq/cc)``; None without a unit."""
    match = UNIT_IN_HEADER.fullmatch(header)
    if match is None:
        return header.strip(), None
    return match["name"].strip(), match["unit"].strip()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; raises InputRefused ("json-…", "file-pointer") for anything else.

    "json-twice": one object has a key twice; programs differ in which of both they take.
    """

    def entries(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        unique = dict(pairs)
        if len(unique) < len(pairs):
            keys = [key for key, _ in pairs]
            raise InputRefused(
                "json-twice",
                "{file} has the key {key} twice; keep the right one",
                file=path.name,
                key=next(key for key in keys if keys.count(key) > 1),
            )
        return unique

    content = bytes_of(path, "json-missing")
    try:
        found = json.loads(content.decode("utf-8-sig"), parse_constant=_no_constant, object_pairs_hook=entries)
    except InputRefused:
        raise
    except (ValueError, RecursionError) as error:
        raise InputRefused(
            "json-invalid", "{file} is not valid JSON ({error}); correct it", file=path.name, error=error
        ) from None
    if not isinstance(found, dict):
        raise InputRefused("json-invalid", "{file} must hold one JSON object with named entries", file=path.name)
    return found


def sidecar(path: Path) -> dict[str, Any]:
    """The JSON metadata that belongs to a table or image, {} if there is none; see ``sidecars``."""
    found: dict[str, Any] = {}
    for file in sidecars(path):
        found |= read_json(file)
    return found


def sidecars(path: Path) -> tuple[Path, ...]:
    """The JSON files that belong to a table or image, the one that wins last: BIDS' inheritance principle."""
    return inherited(path, ".json")


def inherited(path: Path, ending: str) -> tuple[Path, ...]:
    """Files of this ending that a file inherits, the one that wins last.

    BIDS' inheritance principle: those with the same suffix and no entity that the file lacks, in its folder and the
    folders above it up to the one with dataset_description.json; the nearer and more specific one wins.
    """
    parts = parts_of(path)
    folders = [path.parent]
    root = next((folder for folder in _above(path) if (folder / "dataset_description.json").is_file()), None)
    if root is not None:
        folders = [folder for folder in _above(path) if folder.is_relative_to(root)]
    found: list[Path] = []
    for folder in reversed(folders):
        candidates = [file for file in folder.glob(f"*{ending}") if parts_of(file)[-1] == parts[-1]]
        fitting = [file for file in candidates if set(parts_of(file)) <= set(parts)]
        found += sorted(fitting, key=lambda file: (len(parts_of(file)), file.name))
    return tuple(found)


def _above(path: Path) -> tuple[Path, ...]:
    """The folders that a file lies in, the nearest first; of a link, as git-annex keeps files, where the link lies."""
    here = path.parent.resolve()
    return here, *here.parents


def parts_of(path: Path) -> list[str]:
    """Entities and suffix of a BIDS file's name: ["sub-1", "ses-a", "pet"]."""
    return re.sub(r"(\.nii(\.gz)?|\.[A-Za-z]+)$", "", path.name).split("_")


def number_in(metadata: Mapping[str, Any], key: str, file: str) -> float | None:
    """The number under ``key``, None without one or where it says n/a; raises InputRefused ("json-number")."""
    value = unboxed(metadata.get(key))
    return None if value is None or is_missing(value) else _finite(value, key, file)


def text_in(metadata: Mapping[str, Any], key: str) -> str | None:
    """The text under ``key``, None without one or where it is blank or says n/a."""
    value = unboxed(metadata.get(key))
    return value.strip() if isinstance(value, str) and not is_missing(value) else None


def is_missing(value: object) -> bool:
    """Whether a text says that nothing is known, as PET-BIDS allows it for injected mass and the like."""
    return isinstance(value, str) and value.strip().lower() in MISSING_CELLS


def unboxed(value: object) -> object:
    """A value that stands alone in a list as the value: R's jsonlite writes every single value so by default."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


UNCORRECTED = re.compile(
    r"\b(not|non|un|never)[- ]?((yet|been|being) )*(decay[- ]?corrected|corrected for (the )?(radioactive )?decay)"
    r"|\b(no|without) decay[- ]correction|\bdecay[- ](not |un|non-?)corrected"
    r"|\bdecay[- ]correction:? ((is|was|has|been) )*(not|none|no|false|off)\b",
    re.IGNORECASE,
)
CORRECTED = re.compile(r"\bdecay[- ]?corrected|\bcorrected for (the )?(radioactive )?decay", re.IGNORECASE)
DECAY_KEYS = ("decaycorrected", "decaycorrection")
"""How keys end, in lower case, that say whether activity is decay-corrected."""
YES, NO = frozenset({"true", "yes", "y", "1"}), frozenset({"false", "no", "n", "0", "none", "off"})


def truth(value: object) -> bool | None:
    """Whether a value of JSON says yes or no, as a boolean or in words; None where it says neither."""
    answer = unboxed(value)
    word = "" if answer is None else str(answer).strip().lower()
    return True if word in YES else False if word in NO else None


def decay_corrected(metadata: Mapping[str, Any]) -> bool | None:
    """Whether activity is decay-corrected, by keys ("ImageDecayCorrected", DICOM's "DecayCorrection") and
    descriptions; None where none says it.

    What says that it is not weighs more than what says that it is.
    """
    answers = {truth(value) for key, value in metadata.items() if key.lower().endswith(DECAY_KEYS)}
    entries = [unboxed(entry.get("Description")) for entry in metadata.values() if isinstance(entry, dict)]
    description = " ".join(text for text in (*entries, unboxed(metadata.get("Description"))) if isinstance(text, str))
    if False in answers or UNCORRECTED.search(description):
        return False
    return True if True in answers or CORRECTED.search(description) else None


def numbers_in(metadata: Mapping[str, Any], key: str, file: str) -> list[float] | None:
    """The list of numbers under ``key``, None without one; raises InputRefused ("json-number")."""
    values = metadata.get(key)
    if values is None:
        return None
    if not isinstance(values, list):
        raise InputRefused("json-number", "{file}: {key} is not a list of numbers", file=file, key=key)
    return [_finite(value, key, file) for value in values]


def stated_unit(metadata: Mapping[str, Any], *names: str) -> str | None:
    """``Units`` of the first entry among ``names`` that states it, else None; in capitals or not, "unit" as well."""
    lower = {key.lower(): entry for key, entry in metadata.items()}
    for name in names:
        entry = metadata.get(name, lower.get(name.lower()))
        stated = entry.items() if isinstance(entry, dict) else ()
        unit = next((unboxed(value) for key, value in stated if key.lower() in ("units", "unit")), None)
        if isinstance(unit, str) and unit.strip():
            return unit.strip()
    return None


def seconds_per(unit: str, where: str) -> float:
    """Factor from a unit of time to seconds; raises InputRefused ("units-time")."""
    factor = SECONDS.get(COUNTED_FROM.sub("", unit.strip().lower()).rstrip("."))
    if factor is None:
        raise InputRefused(
            "units-time", "{where}: '{unit}' is not a unit of time; write s or min", where=where, unit=unit
        )
    return factor


OTHER_QUANTITY = re.compile(
    r"\b(suv\w*|g/ml|counts?|cnts|cps|prop\w*|unitless|arbitrary|a\.?u\.?)\b|%|\bid/", re.IGNORECASE
)
"""Of a unit: standardized uptake, counts, parts of a dose, and nothing at all."""


def kbq_ml_per(unit: str, where: str) -> float:
    """Factor from a unit of activity concentration to kBq/mL; raises InputRefused ("units-activity")."""
    text = unit.strip()
    if text.upper() == "BQML":  # DICOM's name for it
        return 1e-3
    volume = VOLUME.search(text)
    named = text[: volume.start()].strip() if volume and volume.end() == len(text) else ""
    activity = BECQUERELS.get(named) or BECQUERELS.get({"BQ": "Bq", "KBQ": "kBq"}.get(named, ""))
    if activity is None:
        raise InputRefused(
            "units-activity",
            "{where}: values in '{unit}' are no activity concentration, and writing another unit over it does not "
            "make them one: use the data in Bq/mL"
            if OTHER_QUANTITY.search(text)
            else "{where}: '{unit}' is not a known unit of activity; write kBq/mL or Bq/mL",
            where=where,
            unit=unit,
        )
    return activity / 1e3


def mbq_per(unit: str, where: str) -> float:
    """Factor from a unit of activity to MBq; raises InputRefused ("units-activity")."""
    activity = BECQUERELS.get(unit.strip())
    if activity is None:
        raise InputRefused(
            "units-activity", "{where}: '{unit}' is not a unit of activity; write MBq or Bq", where=where, unit=unit
        )
    return activity / 1e6


def _finite(value: object, key: str, file: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputRefused("json-number", "{file}: {key} is not a number", file=file, key=key)
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if not np.isfinite(number):
        raise InputRefused("json-number", "{file}: {key} holds a number that is too large", file=file, key=key)
    return number


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _number(text: str, where: str) -> float:
    if is_missing(text):
        return float("nan")
    if NUMBER.fullmatch(text) and np.isfinite(value := float(text)):
        return value
    if NUMBER.fullmatch(text) or NOT_FINITE.fullmatch(text):
        raise InputRefused(
            "table-not-finite", "{where}: '{text}'; write n/a where nothing is known", where=where, text=text
        )
    if ":" in text:
        raise InputRefused(
            "table-clock",
            "{where}: '{text}' is a time with colons; write times as one number, in seconds from time zero",
            where=where,
            text=text[:40],
        )
    raise InputRefused(
        "table-number", "{where}: '{text}' is not a number (decimals take a point)", where=where, text=text[:40]
    )


def text_lines(content: bytes, file: str) -> list[Line]:
    """Numbers and texts of the lines that are not blank; raises InputRefused ("table-encoding")."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputRefused("table-encoding", "{file} is not UTF-8 text; save it as UTF-8", file=file) from None
    if "\0" in text:
        raise InputRefused("table-encoding", "{file} is not a text table; save it as UTF-8 text", file=file)
    return [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def split_rows(lines: Sequence[Line], file: str) -> Iterator[Row]:
    """Line numbers and cells; the header tells what parts them. Raises InputRefused ("table-row")."""
    delimiter = next((mark for mark in "\t;," if lines and mark in lines[0][1]), None)
    try:
        for number, line in lines:
            if delimiter is None:
                yield number, re.sub(r"\s+([\[(])", r"\1", line).split()
            else:
                yield number, next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputRefused(
            "table-row",
            "{file} line {number} cannot be split into cells ({error})",
            file=file,
            number=number,
            error=error,
        ) from None


def _spreadsheet_rows(path: Path) -> Iterator[Row]:
    """Rows of the first sheet of an Office Open XML workbook (ECMA-376, part 1, section 18.3)."""
    tag = SPREADSHEET_NAMESPACE
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(item.file_size for item in archive.infolist()) > SPREADSHEET_LIMIT_BYTES:
                raise InputRefused("table-spreadsheet", "{file} is too large for a table of samples", file=path.name)
            sheet = ElementTree.fromstring(archive.read(_first_sheet(archive)))
            shared: Sequence[str] = ()
            if "xl/sharedStrings.xml" in archive.namelist():
                items = ElementTree.fromstring(archive.read("xl/sharedStrings.xml")).iter(f"{tag}si")
                shared = ["".join(text.text or "" for text in item.iter(f"{tag}t")) for item in items]
        for number, row in enumerate(sheet.iter(f"{tag}row"), 1):
            cells: dict[int, str] = {}
            for cell in row.iter(f"{tag}c"):
                text = "".join(part.text or "" for part in cell.iter() if part.tag in (f"{tag}v", f"{tag}t"))
                column = _column_number(cell.get("r", ""))
                unsolved = cell.find(f"{tag}f") is not None and cell.find(f"{tag}v") is None
                cells[column] = FORMULA if unsolved else shared[int(text)] if cell.get("t") == "s" else text
            if any(text.strip() for text in cells.values()):
                yield number, [cells.get(column, "") for column in range(max(cells) + 1)]
    except (
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        IndexError,
        ElementTree.ParseError,
        NotImplementedError,
        OSError,
    ):
        raise InputRefused(
            "table-spreadsheet", "{file} is not a readable spreadsheet; save it as text", file=path.name
        ) from None


def _first_sheet(archive: zipfile.ZipFile) -> str:
    """The file of the sheet that is shown first: files are numbered as sheets were made, and people move them.

    Raises KeyError or ValueError where the workbook does not tell.
    """
    if not {WORKBOOK, WORKBOOK_FILES} <= set(archive.namelist()):
        return "xl/worksheets/sheet1.xml"
    sheets = ElementTree.fromstring(archive.read(WORKBOOK)).iter(f"{SPREADSHEET_NAMESPACE}sheet")
    shown = [sheet.get(SHEET_FILE) for sheet in sheets if sheet.get("state", "visible") == "visible"]
    files = {file.get("Id"): file.get("Target", "") for file in ElementTree.fromstring(archive.read(WORKBOOK_FILES))}
    if not shown:
        raise ValueError(WORKBOOK)
    target = files[shown[0]]
    return target[1:] if target.startswith("/") else f"xl/{target}"


def _column_number(reference: str) -> int:
    """Zero-based column of a cell reference: A1 is 0, AA7 is 26."""
    letters = re.match(r"[A-Z]{1,3}", reference)
    if letters is None:
        raise ValueError(reference)
    number = 0
    for letter in letters.group():
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
