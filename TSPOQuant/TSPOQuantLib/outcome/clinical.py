"""Clinical scores and treatment beside the images, read from a clinical.toml and checked against their scales.

Nothing here, or anywhere else, says that a treatment caused a change: one patient without a control cannot show it.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

from ..regions.anatomy import FORAMINA, SIDES
from .toml_file import TomlFile, read_toml


@dataclass(frozen=True)
class Threshold:
    """A published size that a change is read against, in the scale's points.

    kind: "MCID" (smallest change that matters to patients), "MDC" (smallest beyond measurement error at 95 %) or
    "repeatability". low, high: equal, or the range that different methods gave. population: whom it was found in.
    """

    kind: Literal["MCID", "MDC", "repeatability"]
    low: float
    high: float
    population: str
    citation: str

    def reached(self, difference: float) -> Literal["yes", "no", "depends"]:
        """Whether a change is that large; "depends" between the ends of a range."""
        size = abs(difference)
        return "yes" if size >= self.high else "no" if size < self.low else "depends"


@dataclass(frozen=True)
class Score:
    """A clinical scale. better: the direction of improvement; change: how it is told ("%", "points", "grade")."""

    key: str
    title: str
    low: float
    high: float
    better: Literal["lower", "higher"]
    change: str
    thresholds: tuple[Threshold, ...] = ()


_YOUNG = ("cervical radiculopathy, n = 165", "Young 2010, 10.1097/PHM.0b013e3181ec98e6")
_CLELAND = ("cervical radiculopathy, n = 38", "Cleland 2006, 10.1097/01.brs.0000201241.90914.22")
_MACDOWALL = (
    "cervical radiculopathy, surgery for disc degeneration, n = 151",
    "MacDowall 2018, 10.3171/2017.5.SPINE1732",
)

SCORES: dict[str, Score] = {
    score.key: score
    for score in (
        Score(
            "vas_arm",
            "Arm pain, VAS 0–100",
            0,
            100,
            "lower",
            "%",
            (Threshold("repeatability", 10.4, 10.4, *_MACDOWALL), Threshold("MCID", 1.1, 29.1, *_MACDOWALL)),
        ),
        Score(
            "nprs_arm",
            "Arm pain, NPRS 0–10",
            0,
            10,
            "lower",
            "points",
            (Threshold("MCID", 2.2, 2.2, *_YOUNG), Threshold("MDC", 4.1, 4.1, *_YOUNG)),
        ),
        Score("mrc_elbow_extension", "Elbow extension, MRC 0–5", 0, 5, "higher", "grade"),
        Score(
            "ndi",
            "Neck Disability Index, 0–50",
            0,
            50,
            "lower",
            "points",
            (
                Threshold("MCID", 8.5, 8.5, *_YOUNG),
                Threshold("MDC", 13.4, 13.4, *_YOUNG),
                Threshold("MCID", 7.0, 7.0, *_CLELAND),
                Threshold("MDC", 10.2, 10.2, *_CLELAND),
            ),
        ),
    )
}
"""Scales with their thresholds as published; strength of other muscles: see ``score_named``."""

MRC = re.compile(r"mrc(_[a-z]+)+")
MRC_GRADES = (
    "no contraction",
    "flicker or trace",
    "movement with gravity eliminated",
    "movement against gravity",
    "movement against gravity and resistance",
    "normal",
)
"""MRC 0 to 5 (10.5312/wjo.v8.i1.21). Ordinal: a change is told in grades; no threshold was found."""

NDI_ITEMS = 10
NDI_BANDS = ((4, "none"), (14, "mild"), (24, "moderate"), (34, "severe"), (50, "complete"))
"""Upper end of each band of the NDI sum (Vernon & Mior)."""

MISSING = "missing"
COMPONENTS = ("education", "joint mobilization", "nerve mobilization", "home program")
"""What neural tissue management is made of; other components may be named in words of one's own."""
NO_CAUSE = (
    "What was done between the visits stands beside the change, not as its cause: one patient without a control "
    "cannot show that."
)


def score_named(key: str) -> Score | None:
    """The scale of a key: one of ``SCORES``, or "mrc_" and a muscle or movement ("mrc_wrist_extension")."""
    if key in SCORES or not MRC.fullmatch(key):
        return SCORES.get(key)
    muscle = key.removeprefix("mrc_").replace("_", " ")
    return Score(key, f"{muscle.capitalize()}, MRC 0–5", 0, 5, "higher", "grade")


def ndi_band(score: float) -> str:
    """The band of an NDI sum; a sum with a replaced item may lie between two whole numbers."""
    return next(name for upper, name in NDI_BANDS if score < upper + 1)


@dataclass(frozen=True)
class Lesion:
    """The affected foramen: its level ("C6/C7") and side."""

    level: str
    side: str

    @property
    def root(self) -> str:
        return FORAMINA[self.level]


@dataclass(frozen=True)
class Treatment:
    """What was done between the visits, as it was recorded; None or empty where it was not.

    kind: "neural tissue management" or other words. components: see ``COMPONENTS``. pain_during_exercise, notes: free
    text. adverse_events: one text each; an empty tuple with ``adverse_events_recorded`` means that there were none.
    """

    kind: str
    start: date | None = None
    end: date | None = None
    sessions_planned: int | None = None
    sessions_done: int | None = None
    components: tuple[str, ...] = ()
    pain_during_exercise: str = ""
    adverse_events: tuple[str, ...] = ()
    adverse_events_recorded: bool = False
    notes: str = ""


@dataclass(frozen=True)
class Clinical:
    """Scores by session label and score key, and the affected foramen where it is named.

    remarks: by session and score key, what was done about a missing item. dates: of the sessions that have one.
    treatments: in the order of the file.
    """

    visits: Mapping[str, Mapping[str, float]]
    lesion: Lesion | None
    remarks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    dates: Mapping[str, date] = field(default_factory=dict)
    treatments: tuple[Treatment, ...] = ()


@dataclass(frozen=True)
class ClinicalChange:
    """One score at the first and at a later visit.

    direction: "better", "worse" or "same", by the scale's own direction. bands: of the NDI, else "". thresholds: each
    with whether the change reaches it ("yes", "no", "depends").
    """

    baseline_session: str
    followup_session: str
    score: Score
    baseline: float
    followup: float
    direction: Literal["better", "worse", "same"]
    baseline_band: str
    followup_band: str
    remarks: tuple[str, ...]
    thresholds: tuple[tuple[Threshold, Literal["yes", "no", "depends"]], ...]

    @property
    def difference(self) -> float:
        return self.followup - self.baseline

    @property
    def percent(self) -> float:
        return 100 * self.difference / self.baseline if self.baseline else math.nan


def clinical_changes(clinical: Clinical, baseline: str, followup: str) -> tuple[ClinicalChange, ...]:
    """Every score that both sessions have, in the order of ``SCORES``, then other muscles by name."""
    before, after = (clinical.visits.get(session, {}) for session in (baseline, followup))
    shared = [key for key in SCORES if key in before and key in after]
    shared += sorted(key for key in before if key in after and key not in SCORES)
    return tuple(_change(clinical, baseline, followup, key) for key in shared)


def _change(clinical: Clinical, baseline: str, followup: str, key: str) -> ClinicalChange:
    score = score_named(key)
    assert score is not None, "an unknown key was refused when the file was read"
    before, after = clinical.visits[baseline][key], clinical.visits[followup][key]
    gain = (after - before) * (1 if score.better == "higher" else -1)
    remarks = [
        f"{session}: {clinical.remarks[session][key]}"
        for session in (baseline, followup)
        if key in clinical.remarks.get(session, {})
    ]
    return ClinicalChange(
        baseline_session=baseline,
        followup_session=followup,
        score=score,
        baseline=before,
        followup=after,
        direction="better" if gain > 0 else "worse" if gain < 0 else "same",
        baseline_band=ndi_band(before) if key == "ndi" else "",
        followup_band=ndi_band(after) if key == "ndi" else "",
        remarks=tuple(remarks),
        thresholds=tuple((threshold, threshold.reached(after - before)) for threshold in score.thresholds),
    )


# --- The file --------------------------------------------------------------------------------------------------------

VISIT_KEYS = ("session", "date", "ndi_items", *SCORES)
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

    Raises InputRefused: "clinical-unreadable", "clinical-key" (with the line), "clinical-session",
    "clinical-scale" for scores off their scale, "clinical-items", "clinical-lesion", "clinical-value".
    """
    file = read_toml(path, "clinical")
    if isinstance(file.data.get("treatment"), dict):
        file.data["treatment"] = [file.data["treatment"]]
    file.check_tables(("lesion",), ("visit", "treatment"))
    visits: dict[str, dict[str, float]] = {}
    remarks: dict[str, dict[str, str]] = {}
    dates: dict[str, date] = {}
    for index, entry in enumerate(file.data.get("visit", [])):
        session = entry.get("session")
        if not isinstance(session, str) or not session or session in visits:
            raise file.refuse("session", ": every [[visit]] needs a session label of its own")
        file.check_keys("visit", entry, [*VISIT_KEYS, *(key for key in entry if MRC.fullmatch(key))], index)
        if "date" in entry:
            dates[session] = _date(file, f"visit {session}, date", entry["date"])
        visits[session], remarks[session] = _scores(file, session, entry)
    return Clinical(
        visits=visits,
        lesion=_lesion(file, file.data["lesion"]) if "lesion" in file.data else None,
        remarks={session: told for session, told in remarks.items() if told},
        dates=dates,
        treatments=tuple(_treatment(file, n, one) for n, one in enumerate(file.data.get("treatment", []))),
    )


def _scores(file: TomlFile, session: str, entry: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    scores = {
        key: _score(file, session, key, value)
        for key, value in entry.items()
        if key not in ("session", "date", "ndi_items")
    }
    if "ndi_items" not in entry:
        return scores, {}
    total, remark = _ndi_sum(file, session, entry["ndi_items"])
    if abs(scores.get("ndi", total) - total) > 1e-9:
        raise file.refuse(
            "items", f", visit {session}: ndi is {scores['ndi']:g} but ndi_items add up to {total:g}; correct one"
        )
    return scores | {"ndi": total}, {"ndi": remark} if remark else {}


def _ndi_sum(file: TomlFile, session: str, items: object) -> tuple[float, str]:
    """The sum of ten items; one that is missing takes the mean of the others (Vernon & Mior), more are refused."""
    where = f", visit {session}: ndi_items"
    if not isinstance(items, list) or len(items) != NDI_ITEMS:
        raise file.refuse("items", f'{where} must be a list of {NDI_ITEMS} items, "{MISSING}" for one not answered')
    answered = [item for item in items if item != MISSING]
    if not all(type(item) is int and 0 <= item <= 5 for item in answered):
        raise file.refuse("items", f'{where} must be whole numbers from 0 to 5, or "{MISSING}"')
    if len(answered) < NDI_ITEMS - 1:
        missing = NDI_ITEMS - len(answered)
        raise file.refuse("items", f"{where}: {missing} are missing; the sum allows for one, so leave the NDI out")
    if len(answered) == NDI_ITEMS:
        return float(sum(answered)), ""
    mean = sum(answered) / len(answered)
    place = items.index(MISSING) + 1
    return sum(answered) + mean, f"item {place} was not answered and took the mean of the others ({mean:.2f})"


def _score(file: TomlFile, session: str, key: str, value: object) -> float:
    score = score_named(key)
    assert score is not None, "keys were checked"
    if isinstance(value, bool) or not isinstance(value, int | float) or not score.low <= value <= score.high:
        raise file.refuse(
            "scale", f", visit {session}: {key} = {value!r} is not on its scale {score.low:g}–{score.high:g}"
        )
    if score.change == "grade" and value != int(value):
        raise file.refuse("scale", f", visit {session}: {key} = {value!r}; MRC knows whole grades")
    return float(value)


def _lesion(file: TomlFile, table: Mapping[str, object]) -> Lesion:
    level, side = table.get("level"), table.get("side")
    if level not in FORAMINA or side not in SIDES[:2] or set(table) - {"level", "side"}:
        raise file.refuse("lesion", f": [lesion] takes level ({', '.join(FORAMINA)}) and side (left or right) alone")
    return Lesion(str(level), str(side))


def _treatment(file: TomlFile, index: int, table: Mapping[str, Any]) -> Treatment:
    file.check_keys("treatment", table, TREATMENT_KEYS, index)

    def text(key: str) -> str:
        return file.words(f"[treatment] {key}", table[key]) if key in table else ""

    def count(key: str) -> int | None:
        value = table.get(key)
        if value is not None and (type(value) is not int or value < 0):
            raise file.refuse("value", f": [treatment] {key} is {value!r}; give a whole number from 0")
        return value

    def day(key: str) -> date | None:
        return _date(file, f"[treatment] {key}", table[key]) if key in table else None

    def texts(key: str) -> tuple[str, ...]:
        value = table.get(key, [])
        if not isinstance(value, list):
            raise file.refuse("value", f": [treatment] {key} must be a list of texts")
        return tuple(file.words(f"[treatment] {key}", item) for item in value)

    if "type" not in table:
        raise file.refuse("value", ': [treatment] needs a type, such as "neural tissue management"')
    planned, done, start, end = count("sessions_planned"), count("sessions_done"), day("start"), day("end")
    if start and end and end < start:
        raise file.refuse("value", f": [treatment] ends on {end}, before it starts on {start}; correct one")
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
        raise file.refuse("value", f": {where} is {value!r}; write a date such as 2026-01-31, without quotes")
    return value
