"""What a dataset's own tables say of people and visits: labels, names and words in one spelling, or refused."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ..acquisition.participants import GENOTYPE_COLUMNS, PERSON, SESSION, UNKNOWN_GENOTYPE, genotype_of, is_label
from ..acquisition.tables import MISSING_CELLS, read_table
from ..messages import InputRefused, Listed, Notice, Notices
from ..outcome.clinical_file import read_clinical

GENOTYPE, SEX, CONDITION, AFFECTED = "genotype", "sex", "condition", "affected"
WORDS = ("group", GENOTYPE, SEX, "scanner", "site")
"""Columns whose cells are names, even where they look like numbers."""
SEXES = {
    **dict.fromkeys(("m", "male", "man"), "male"),
    **dict.fromkeys(("f", "female", "woman", "w"), "female"),
}
TEST, RETEST, BOTH = "test", "retest", "test-retest"
CONDITIONS = {re.sub(r"[^a-z]", "", word): word for word in (TEST, RETEST, BOTH)}
ALIKE = 0.75
"""From which likeness on two words look like one that is mistyped (difflib's ratio): a choice."""
COMMA = re.compile(r"[+-]?\d+,\d+")

Cells = dict[str, str]
Row = Mapping[str, str]


def covariates_of(dataset: Path, visits: Sequence[tuple[str, str]]) -> tuple[list[Cells], tuple[Notice, ...]]:
    """What the tables say of each visit (participant, session), by column in lower case, and what was left unsaid.

    participants.tsv comes first, then phenotype/*.tsv, the person's own sessions.tsv and clinical.toml, and the
    dataset's sessions.tsv; later ones overrule. Raises InputRefused: "group-tables", "group-key", "group-duplicate",
    "group-condition", and what reading a table raises.
    """
    people = dataset / "participants.tsv"
    shared = [path for path in (people, *sorted((dataset / "phenotype").glob("*.tsv"))) if path.is_file()]
    last = [path for path in (dataset / "sessions.tsv",) if path.is_file()]
    own = {who: _own(dataset / f"sub-{who}") for who in dict.fromkeys(who for who, _ in visits)}
    if not (shared or last or any(own.values())):
        raise InputRefused(
            "group-tables",
            "{dataset} has none of participants.tsv, sessions.tsv, phenotype/*.tsv, sub-*/sub-*_sessions.tsv and "
            "sub-*/clinical.toml; name the folder that holds them",
            dataset=dataset,
        )
    known = {path: read_rows(path, PERSON) for path in (*shared, *last)}
    notices = Notices()
    rows = []
    for who, session in visits:
        keys = {PERSON: f"sub-{who}", SESSION: f"ses-{session}"}
        cells: Cells = {}
        for path in shared:
            cells |= row_of(path, known[path], keys)
        for path in own[who]:
            if path.suffix == ".tsv":
                cells |= row_of(path, read_rows(path, SESSION), keys)
        for path in last:
            cells |= row_of(path, known[path], keys)
        cells = spelled(cells, notices)
        rows.append(cells | _clinical(own[who], session))
    if people in known:
        notices += _unlisted(visits, known[people])
    return rows, tuple(dict.fromkeys(notices))


def _own(folder: Path) -> list[Path]:
    paths = (folder / f"{folder.name}_sessions.tsv", folder / "clinical.toml")
    return [path for path in paths if path.is_file()]


def _clinical(paths: Iterable[Path], session: str) -> Cells:
    """Scores of the visit, and the affected foramen, where a person's folder holds a clinical.toml."""
    cells: Cells = {}
    for path in paths:
        if path.suffix == ".toml":
            clinical = read_clinical(path)
            cells |= {key: f"{value:g}" for key, value in clinical.visits.get(session, {}).items()}
            cells |= {AFFECTED: f"{clinical.lesion.level} {clinical.lesion.side}"} if clinical.lesion else {}
    return cells


def read_rows(path: Path, key: str) -> list[Cells]:
    """A table's rows, cells by column; names of columns in lower case, those of a genotype as one."""
    columns = read_table(path, units=False)
    names = [_column(column.name) for column in columns]
    if key not in names:
        raise InputRefused(
            "group-key", "{name} has no column {key}, which says whom a row is of; add it", name=path.name, key=key
        )
    cells = [[" ".join(cell.split()) for cell in column.cells] for column in columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]


def _column(name: str) -> str:
    plain = " ".join(name.lower().split())
    return GENOTYPE if re.sub(r"[^a-z0-9]", "", plain) in GENOTYPE_COLUMNS else plain


def row_of(path: Path, rows: Sequence[Row], keys: Mapping[str, str]) -> Cells:
    """The cells of the row of these keys, as far as the table has them; missing cells left out."""
    own = [row for row in rows if all(is_label(row[key], wanted) for key, wanted in keys.items() if key in row)]
    cells: dict[str, list[str]] = {}
    for row in own:
        for name, cell in row.items():
            if name not in keys and cell.lower() not in MISSING_CELLS:
                cells.setdefault(name, []).append(cell)
    differ = [name for name, values in cells.items() if len(set(values)) > 1]
    if differ:
        raise InputRefused(
            "group-duplicate",
            "{name} has {count} rows of {who} that differ in {columns}; leave one, or say the visit of each in a "
            "column session_id",
            name=path.name,
            count=len(own),
            who=" ".join(keys[key] for key in keys if key in own[0]),
            columns=Listed(differ),
        )
    return {name: values[0] for name, values in cells.items()}


def spelled(cells: Mapping[str, str], notices: Notices) -> Cells:
    """Genotype, sex and condition as the program calls them; a genotype that is none is left out, and told."""
    known = dict(cells)
    if GENOTYPE in known:
        known[GENOTYPE] = genotype_of(known[GENOTYPE], notices)
        if known[GENOTYPE] == UNKNOWN_GENOTYPE:
            del known[GENOTYPE]
    if SEX in known:
        known[SEX] = SEXES.get(known[SEX].lower(), known[SEX])
    if CONDITION in known:
        known[CONDITION] = _condition(known[CONDITION])
    return known


def _condition(cell: str) -> str:
    """test, retest or test-retest however they are joined, and other words as they are.

    Raises InputRefused ("group-condition") for what looks like one of the three, and is none.
    """
    bare = re.sub(r"[^a-z]", "", cell.lower())
    if bare in CONDITIONS:
        return CONDITIONS[bare]
    alike = difflib.get_close_matches(bare, CONDITIONS, 1, ALIKE)
    if alike:
        raise InputRefused(
            "group-condition",
            "the column condition says '{cell}', which looks like '{word}' and is not; correct it, or name the two "
            "sessions with --test-retest",
            cell=cell,
            word=CONDITIONS[alike[0]],
        )
    return cell


def _unlisted(visits: Sequence[tuple[str, str]], rows: Sequence[Row]) -> list[Notice]:
    people = dict.fromkeys(who for who, _ in visits)
    missing = [who for who in people if not any(is_label(row[PERSON], f"sub-{who}") for row in rows)]
    if not missing:
        return []
    return [
        Notice(
            "group-unlisted",
            "participants.tsv has no row of {people}, who belong to no group; labels count letter by letter, and a "
            "spreadsheet drops their leading zeros",
            people=Listed(f"sub-{who}" for who in missing),
        )
    ]


def one_spelling(rows: Sequence[Mapping[str, str]]) -> list[Cells]:
    """Words that differ in case, blanks or hyphens alone become the first of them, column by column."""
    first: dict[tuple[str, str], str] = {}
    return [
        {name: first.setdefault((name, re.sub(r"[\s_-]+", " ", cell).casefold()), cell) for name, cell in row.items()}
        for row in rows
    ]


def alike(words: Sequence[str]) -> tuple[str, str] | None:
    """Two of a column's words that look like one, mistyped; None where there are none. Digits tell words apart."""
    for index, word in enumerate(words):
        for other in words[index + 1 :]:
            a, b = (re.sub(r"\d", "", spelling.casefold()) for spelling in (word, other))
            near = difflib.SequenceMatcher(None, a, b).ratio() >= ALIKE
            if near and a != b and min(len(a), len(b)) > 3:
                return word, other
    return None


def number_of(column: str, cell: str) -> float:
    """A cell as a number. Raises InputRefused ("group-number")."""
    try:
        return float(cell)
    except ValueError:
        raise InputRefused(
            "group-number",
            "the column {column} holds '{cell}', which is no number; write numbers with a point, and n/a where there "
            "is none",
            column=column,
            cell=cell,
        ) from None
