"""A clinical.toml: the scores of every visit, the affected level and the treatment, checked against their scales."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from ..levels import LEVELS
from ..messages import Listed, Text
from ..regions.anatomy import SIDES
from ..settings import Number
from ..toml_file import TomlFile, read_toml
from .clinical import MISSING, MRC, SCORES, Clinical, Lesion, Score, Treatment, score_named

ITEMS = "_items"
"""Ends the key of a score that is given item by item ("ndi_items")."""
VISIT_KEYS = ("session", "date")
TREATMENT_KEYS = (
    "type",
    "start",
    "end",
    "sessions_planned",
    "sessions_done",
    "components",
    "pain_during_exercise",
    "adverse_events",
    "notes",
)


def read_clinical(path: Path) -> Clinical:
    """Read a clinical.toml: ``[lesion]`` with level and side, ``[[visit]]`` for every session with its scores, and
    ``[[treatment]]`` (or one ``[treatment]``).

    Raises InputRefused: "clinical-unreadable", "clinical-empty", "clinical-key" (with the line), "clinical-session",
    "clinical-scale" for scores off their scale, "clinical-items", "clinical-lesion", "clinical-value".
    """
    file = read_toml(path, "clinical")
    if isinstance(file.data.get("treatment"), dict):
        file.data["treatment"] = [file.data["treatment"]]
    file.check_tables(("lesion",), ("visit", "treatment"))
    if not any(file.data.values()):
        raise file.refuse(
            "empty", Text("there is no [[visit]], [lesion] or [[treatment]]; add one, or leave the file out")
        )
    visits: dict[str, dict[str, float]] = {}
    remarks: dict[str, dict[str, str]] = {}
    dates: dict[str, date] = {}
    for index, entry in enumerate(file.data.get("visit", [])):
        session = entry.get("session")
        if not isinstance(session, str) or not session or session in visits:
            raise file.refuse("session", Text("every [[visit]] needs a session label of its own"))
        file.check_keys("visit", entry, _visit_keys(entry), index)
        if "date" in entry:
            dates[session] = _date(file, Text("visit {session}: {key}", session=session, key="date"), entry["date"])
        visits[session], remarks[session] = _scores(file, session, entry)
    return Clinical(
        visits=visits,
        lesion=_lesion(file, file.data["lesion"]) if "lesion" in file.data else None,
        remarks={session: remark for session, remark in remarks.items() if remark},
        dates=dates,
        treatments=tuple(_treatment(file, n, entry) for n, entry in enumerate(file.data.get("treatment", []))),
    )


def _visit_keys(entry: Mapping[str, Any]) -> list[str]:
    """The keys that a visit may have: every score, the items of those that have some, and any muscle."""
    items = [f"{key}{ITEMS}" for key, score in SCORES.items() if score.items]
    return [*VISIT_KEYS, *SCORES, *items, *(key for key in entry if MRC.fullmatch(key) and key not in SCORES)]


def _scores(file: TomlFile, session: str, entry: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    """A visit's scores, and what was done about missing items, by key."""
    given = {key: score for key in entry if (score := score_named(key)) is not None}
    scores = {key: _score(file, session, score, entry[key]) for key, score in given.items()}
    remarks: dict[str, str] = {}
    for key, score in SCORES.items():
        if not score.items or key + ITEMS not in entry:
            continue
        total, remark = _sum(file, session, score, entry[key + ITEMS])
        total *= score.high / (score.items * score.item_high)
        if abs(scores.get(key, total) - total) > 1e-9:
            problem = Text(
                "visit {session}: {key} is {given:g} but its items add up to {total:g}; correct one",
                session=session,
                key=key,
                given=scores[key],
                total=total,
            )
            raise file.refuse("items", problem)
        scores[key] = total
        remarks |= {key: remark} if remark else {}
    return scores, remarks


def _sum(file: TomlFile, session: str, score: Score, items: object) -> tuple[float, str]:
    """The sum of a score's items.

    One that is missing takes the mean of the others (Vernon & Mior), more are refused.
    """
    where = Text("visit {session}: {key}", session=session, key=score.key + ITEMS)
    if not isinstance(items, list) or len(items) != score.items:
        raise file.refuse(
            "items",
            Text(
                '{where} must be a list of {items} items, "{missing}" for one not answered',
                where=where,
                items=score.items,
                missing=MISSING,
            ),
        )
    answered = [item for item in items if item != MISSING]
    if not all(type(item) is int and 0 <= item <= score.item_high for item in answered):
        raise file.refuse(
            "items",
            Text(
                '{where} must be whole numbers from 0 to {high}, or "{missing}"',
                where=where,
                high=score.item_high,
                missing=MISSING,
            ),
        )
    missing = score.items - len(answered)
    if missing > 1:
        raise file.refuse(
            "items",
            Text(
                "{where}: {missing} are missing; the sum allows for one, so leave the score out",
                where=where,
                missing=missing,
            ),
        )
    if not missing:
        return float(sum(answered)), ""
    mean = sum(answered) / len(answered)
    place = items.index(MISSING) + 1
    return sum(answered) + mean, Text(
        "item {place} was not answered and took the mean of the others ({mean:.2f})", place=place, mean=mean
    )


def _score(file: TomlFile, session: str, score: Score, value: object) -> float:
    try:
        return float(Number(low=score.low, high=score.high, whole=score.change == "grade").accept(value))
    except ValueError as error:
        scale = (
            Text("whole grades from {low:g} to {high:g}", low=score.low, high=score.high)
            if score.change == "grade"
            else Text("{low:g} to {high:g}", low=score.low, high=score.high)
        )
        problem = Text(
            "visit {session}: {key} = {value!r} is not on its scale: {scale}",
            session=session,
            key=score.key,
            value=value,
            scale=scale,
        )
        raise file.refuse("scale", problem) from error


def _lesion(file: TomlFile, table: Mapping[str, object]) -> Lesion:
    level, side = table.get("level"), table.get("side")
    if level not in LEVELS or side not in SIDES[:2] or set(table) - {"level", "side"}:
        problem = Text("[lesion] takes level ({levels}) and side (left or right) alone", levels=Listed(LEVELS))
        raise file.refuse("lesion", problem)
    return Lesion(str(level), str(side))


def _treatment(file: TomlFile, index: int, table: Mapping[str, Any]) -> Treatment:
    file.check_keys("treatment", table, TREATMENT_KEYS, index)

    def text(key: str) -> str:
        return file.words(f"[treatment] {key}", table[key]) if key in table else ""

    def count(key: str) -> int | None:
        value = table.get(key)
        if value is not None and (type(value) is not int or value < 0):
            problem = Text("[treatment] {key} is {value!r}; give a whole number from 0", key=key, value=value)
            raise file.refuse("value", problem)
        return value

    def day(key: str) -> date | None:
        return _date(file, f"[treatment] {key}", table[key]) if key in table else None

    def texts(key: str) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list):
            raise file.refuse("value", Text("[treatment] {key} must be a list of texts", key=key))
        return tuple(file.words(f"[treatment] {key}", item) for item in value)

    if "type" not in table:
        raise file.refuse("value", Text('[treatment] needs a type, such as "neural tissue management"'))
    planned, done, start, end = count("sessions_planned"), count("sessions_done"), day("start"), day("end")
    if start and end and end < start:
        problem = Text("[treatment] ends on {end}, before it starts on {start}; correct one", end=end, start=start)
        raise file.refuse("value", problem)
    if planned is not None and done is not None and done > planned:
        problem = Text(
            "[treatment] {done} sessions were done of {planned} that were planned; correct one",
            done=done,
            planned=planned,
        )
        raise file.refuse("value", problem)
    return Treatment(
        kind=text("type"),
        start=start,
        end=end,
        sessions_planned=planned,
        sessions_done=done,
        components=texts("components"),
        pain_during_exercise=text("pain_during_exercise"),
        adverse_events=texts("adverse_events"),
        adverse_events_recorded="adverse_events" in table,
        notes=text("notes"),
    )


def _date(file: TomlFile, where: str, value: object) -> date:
    if type(value) is not date:  # a time of day is more than a record needs
        problem = Text(
            "{where} is {value!r}; write a date such as 2026-01-31, without quotes", where=where, value=value
        )
        raise file.refuse("value", problem)
    return value
