"""What a dataset's own tables say of people and visits: labels, names and words in one spelling, or refused."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..acquisition.participants import (
    GENOTYPE_COLUMNS,
    MISSING,
    PERSON,
    SESSION,
    UNKNOWN_GENOTYPE,
    genotype_of,
    is_label,
)
from ..acquisition.tables import read_table
from ..messages import InputRefused, Listed, Notice, Notices, quoted
from ..outcome.clinical import score_named
from ..outcome.clinical_file import read_clinical

GROUP, GENOTYPE, SEX, CONDITION, AFFECTED = "group", "genotype", "sex", "condition", "affected"
WORDS = (GROUP, GENOTYPE, SEX, "scanner", "site")
"""Columns whose cells are names, even where they look like numbers."""
LASTING = (GROUP, GENOTYPE, SEX, AFFECTED)
"""Columns of which a person has one value at all visits."""
SEXES = {
    **dict.fromkeys(("m", "male", "man", "homme", "masculin"), "male"),
    **dict.fromkeys(("f", "female", "woman", "w", "femme", "féminin"), "female"),
}
TEST, RETEST, BOTH = "test", "retest", "test-retest"
CONDITIONS = {re.sub(r"[^a-z]", "", word): word for word in (TEST, RETEST, BOTH)}
OTHER_CONDITIONS = ("rest", "pretest", "latest")
"""Words of their own, though they look like one of these."""
ALIKE = 0.75
"""From which likeness on two words look like one that is mistyped (difflib's ratio): a choice."""
COMMA = re.compile(r"[+-]?\d+,\d+")

Cells = dict[str, str]
Row = Mapping[str, str]


def covariates_of(
    dataset: Path, visits: Sequence[tuple[str, str]], of_scans: Sequence[Row] = ()
) -> tuple[list[Cells], tuple[Notice, ...]]:
    """What the tables say of each visit (participant, session), by column in lower case, and what was left unsaid.

    of_scans: what is known of each visit already; of what tables say otherwise is told. participants.tsv comes first,
    then phenotype/*.tsv, the person's own sessions.tsv, the dataset's, and the person's clinical.toml; later ones
    overrule. Raises InputRefused: "group-tables", "group-key", "group-columns", "group-duplicate", "group-condition",
    and what reading a table raises.
    """
    people = dataset / "participants.tsv"
    paths = [people, *sorted((dataset / "phenotype").glob("*.tsv"))]
    shared = {path: read_rows(path, PERSON) for path in paths if path.is_file()}
    last = {path: read_rows(path, PERSON) for path in (dataset / "sessions.tsv",) if path.is_file()}
    tables = {who: {**shared, **_own_rows(dataset / f"sub-{who}", last)} for who, _ in visits}
    if not any(tables.values()):
        raise InputRefused(
            "group-tables",
            "{dataset} has none of participants.tsv, sessions.tsv, phenotype/*.tsv, sub-*/sub-*_sessions.tsv and "
            "sub-*/clinical.toml; name the folder that holds them",
            dataset=dataset,
        )
    notices = Notices()
    stated: dict[tuple[str, str], list[str]] = {}
    rows = []
    for (who, session), of_scan in zip(visits, of_scans or [{}] * len(visits), strict=True):
        keys = {PERSON: f"sub-{who}", SESSION: f"ses-{session}"}
        layers = [dict(of_scan), *(spelled(row_of(path, known, keys), notices) for path, known in tables[who].items())]
        for cells in layers:
            for column in set(LASTING) & set(cells):
                stated.setdefault((column, who), []).append(cells[column])
        rows.append({name: cell for cells in layers[1:] for name, cell in cells.items()})
    if people in shared:
        notices += _unlisted(visits, shared[people])
    notices += [*_in_two_ways(stated), *_other_labels(visits, tables)]
    return rows, tuple(dict.fromkeys(notices))


def _own_rows(folder: Path, last: Mapping[Path, Sequence[Row]]) -> dict[Path, Sequence[Row]]:
    """A person's rows by file: the own sessions.tsv, the last tables of all, and the own clinical.toml."""
    sessions, clinical = folder / f"{folder.name}_sessions.tsv", folder / "clinical.toml"
    rows: dict[Path, Sequence[Row]] = {sessions: read_rows(sessions, SESSION)} if sessions.is_file() else {}
    rows |= last
    return rows | ({clinical: _clinical_rows(clinical)} if clinical.is_file() else {})


def _clinical_rows(path: Path) -> list[Cells]:
    """The affected foramen, and the scores of each session, of a clinical.toml."""
    clinical = read_clinical(path)
    rows = [
        {SESSION: session, **{key: f"{value:g}" for key, value in scores.items()}}
        for session, scores in clinical.visits.items()
    ]
    return rows + ([{AFFECTED: f"{clinical.lesion.level} {clinical.lesion.side}"}] if clinical.lesion else [])


def read_rows(path: Path, key: str) -> list[Cells]:
    """A table's rows, cells by column; names of columns in lower case, those of a genotype as one.

    Raises InputRefused: "group-key", and "group-columns" where two columns of one name contradict each other.
    """
    columns = read_table(path, units=False)
    names = [_column(column.name) for column in columns]
    if key not in names:
        raise InputRefused(
            "group-key", "{name} has no column {key}, which says whom a row is of; add it", name=path.name, key=key
        )
    rows = []
    for row in zip(*(column.cells for column in columns), strict=True):
        cells: dict[str, list[str]] = {}
        for name, cell in zip(names, row, strict=True):
            cells.setdefault(name, []).append(" ".join(cell.split()))
        rows.append({name: _of_columns(path, name, several) for name, several in cells.items()})
    return rows


def _of_columns(path: Path, name: str, cells: Sequence[str]) -> str:
    """What a row says in all columns of one name."""
    filled = [cell for cell in cells if cell.lower() not in MISSING]
    meanings = {_folded(cell): cell for cell in filled}
    if name == GENOTYPE:  # one of its names may be another thing's, such as "binding"
        known = {genotype_of(cell, Notices()): cell for cell in filled}
        known.pop(UNKNOWN_GENOTYPE, None)
        meanings = known or dict(list(meanings.items())[:1])
    if len(meanings) > 1:
        raise InputRefused(
            "group-columns",
            "{file} has several columns {column}, which say {cells} in one row; leave one of the columns",
            file=path.name,
            column=name,
            cells=quoted(meanings.values()),
        )
    return next(iter(meanings.values()), cells[0])


def _column(name: str) -> str:
    plain = " ".join(name.lower().split())
    return GENOTYPE if re.sub(r"[^a-z0-9]", "", plain) in GENOTYPE_COLUMNS else plain


def row_of(path: Path, rows: Sequence[Row], keys: Mapping[str, str]) -> Cells:
    """The cells of the row of these keys, as far as the table has them; missing cells left out."""
    own = [row for row in rows if all(is_label(row[key], wanted) for key, wanted in keys.items() if key in row)]
    cells: dict[str, list[str]] = {}
    for row in own:
        for name, cell in row.items():
            if name not in keys and cell.lower() not in MISSING:
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
    if alike and bare not in OTHER_CONDITIONS:
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


def _in_two_ways(stated: Mapping[tuple[str, str], Sequence[str]]) -> list[Notice]:
    """Tell of people of whom two things are said that are one. stated: by column and person."""
    differing: dict[str, list[str]] = {}
    for (column, who), cells in stated.items():
        ways: dict[str, str] = {}
        for cell in cells:
            ways.setdefault(_folded(cell), cell)
        if len(ways) > 1:
            differing.setdefault(column, []).append(f"sub-{who}: {', '.join(ways.values())}")
    return [
        Notice(
            "group-contradicted",
            "two things are said of the {column} of people ({people}), by tables or with the results; what the last "
            "table says of the first visit counts: correct what is wrong",
            column=column,
            people=Listed(people, "; "),
        )
        for column, people in differing.items()
    ]


def _other_labels(
    visits: Sequence[tuple[str, str]], tables: Mapping[str, Mapping[Path, Sequence[Row]]]
) -> list[Notice]:
    """Tell of rows whose sessions are called otherwise than the visits, which nothing is said of."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for who, known in tables.items():
        own = [session for person, session in visits if person == who]
        for path, rows in known.items():
            labels = {
                row[SESSION]
                for row in rows
                if SESSION in row and is_label(row.get(PERSON, f"sub-{who}"), f"sub-{who}")
            }
            here = {(label, session) for label in labels for session in own if is_label(label, f"ses-{session}")}
            strange = labels - {label for label, _ in here}
            if strange and set(own) - {session for _, session in here}:
                name = path.name.replace(f"sub-{who}", "sub-*")
                found.setdefault((name, tuple(sorted(strange))), []).append(f"sub-{who}")
    return [
        Notice(
            "group-sessions",
            "{file} has rows of sessions {labels} for {people}, which are no visits with results, and none of some "
            "that are; write sessions there as the folders of the results are called",
            file=file,
            labels=Listed(labels),
            people=Listed(people),
        )
        for (file, labels), people in found.items()
    ]


def _folded(cell: str) -> str:
    """A word without what makes no other word of it: case, blanks and hyphens."""
    return re.sub(r"[\s_-]+", " ", cell).casefold()


def one_spelling(rows: Sequence[Mapping[str, str]]) -> list[Cells]:
    """Words that differ in case, blanks or hyphens alone become the first of them, column by column."""
    first: dict[tuple[str, str], str] = {}
    return [{name: first.setdefault((name, _folded(cell)), cell) for name, cell in row.items()} for row in rows]


def alike(words: Sequence[str]) -> tuple[str, str] | None:
    """Two of a column's words that look like one, mistyped; None where there are none. Digits tell words apart."""
    for index, word in enumerate(words):
        for other in words[index + 1 :]:
            a, b = (re.sub(r"\d", "", spelling.casefold()) for spelling in (word, other))
            near = difflib.SequenceMatcher(None, a, b).ratio() >= ALIKE
            if near and a != b and min(len(a), len(b)) > 3:
                return word, other
    return None


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def number_of(column: str, cell: str) -> float:
    """A cell as a number. Raises InputRefused: "group-number", "group-score" for a score that is not on its scale."""
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputRefused(
            "group-number",
            "the column {column} holds '{cell}', which is no number; write numbers with a point, and n/a where there "
            "is none",
            column=column,
            cell=cell,
        )
    score = score_named(column)
    if score is not None and not score.low <= number <= score.high:
        raise InputRefused(
            "group-score",
            "the column {column} holds {cell}, which is not on its scale: {low:g} to {high:g}; correct it, or write "
            "n/a where there is none",
            column=column,
            cell=cell,
            low=score.low,
            high=score.high,
        )
    return number
