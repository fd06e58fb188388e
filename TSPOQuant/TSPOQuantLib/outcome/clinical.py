"""Clinical scores of the visits, read from a clinical.toml and checked against their scales."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputRefused
from ..regions.anatomy import FORAMINA, SIDES


@dataclass(frozen=True)
class Score:
    """A clinical scale. better: the direction of improvement; change: how it is told ("%", "points", "grade")."""

    key: str
    title: str
    low: float
    high: float
    better: str
    change: str


SCORES = {
    score.key: score
    for score in (
        Score("vas_arm", "Arm pain, VAS 0–100", 0, 100, "lower", "%"),
        Score("nprs_arm", "Arm pain, NPRS 0–10", 0, 10, "lower", "points"),
        Score("mrc_elbow_extension", "Elbow extension, MRC 0–5", 0, 5, "higher", "grade"),
        Score("ndi", "Neck Disability Index, 0–50", 0, 50, "lower", "points"),
    )
}

NDI_BANDS = ((4, "none"), (14, "mild"), (24, "moderate"), (34, "severe"), (50, "complete"))
"""Upper end of each band of the NDI sum (Vernon & Mior)."""


def ndi_band(score: float) -> str:
    return next(name for upper, name in NDI_BANDS if score <= upper)


@dataclass(frozen=True)
class Lesion:
    """The affected foramen: its level ("C6/C7") and side."""

    level: str
    side: str

    @property
    def root(self) -> str:
        return FORAMINA[self.level]


@dataclass(frozen=True)
class Clinical:
    """Scores by session label and score key, and the affected foramen where it is named."""

    visits: Mapping[str, Mapping[str, float]]
    lesion: Lesion | None


def read_clinical(path: Path) -> Clinical:
    """Read a clinical.toml: ``[lesion]`` with level and side, and a ``[[visit]]`` table for every session.

    Raises InputRefused for unknown keys and for scores off their scale.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputRefused("clinical-unreadable", f"{path}: {error}; correct the file") from error
    unknown = sorted(set(data) - {"visit", "lesion"})
    if unknown:
        raise InputRefused("clinical-key", f"{path}: unknown table '{unknown[0]}'; known are [lesion] and [[visit]]")
    entries, lesion = data.get("visit", []), data.get("lesion", {})
    if not isinstance(entries, list) or not all(isinstance(table, dict) for table in (*entries, lesion)):
        raise InputRefused("clinical-key", f"{path}: [lesion] and every [[visit]] must be tables, written just so")
    visits: dict[str, dict[str, float]] = {}
    for entry in entries:
        session = entry.get("session")
        if not isinstance(session, str) or session in visits:
            raise InputRefused("clinical-session", f"{path}: every [[visit]] needs a session label of its own")
        visits[session] = {key: _score(path, session, key, entry[key]) for key in entry if key != "session"}
    return Clinical(visits, _lesion(path, data["lesion"]) if "lesion" in data else None)


def _score(path: Path, session: str, key: str, value: object) -> float:
    if key not in SCORES:
        raise InputRefused(
            "clinical-key", f"{path}, visit {session}: unknown score '{key}'; known: {', '.join(SCORES)}"
        )
    score = SCORES[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not score.low <= value <= score.high:
        raise InputRefused(
            "clinical-scale",
            f"{path}, visit {session}: {key} = {value!r} is not on its scale {score.low}–{score.high}",
        )
    return float(value)


def _lesion(path: Path, table: Mapping[str, object]) -> Lesion:
    level, side = table.get("level"), table.get("side")
    if level not in FORAMINA or side not in SIDES[:2] or set(table) - {"level", "side"}:
        raise InputRefused(
            "clinical-lesion", f"{path}: [lesion] takes level ({', '.join(FORAMINA)}) and side (left or right) alone"
        )
    return Lesion(str(level), str(side))
