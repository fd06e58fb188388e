"""Clinical scores and treatment beside the images, read from a clinical.toml and checked against their scales.

Nothing here, or anywhere else, says that a treatment caused a change: one patient without a control cannot show it.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from ..levels import LEVELS
from ..messages import Text
from ..regions.anatomy import Anatomy


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
    """A clinical scale: all that the program knows of it.

    title: in English, and in the catalogues of the other languages. low, high: its ends. better: the direction of
    improvement. change: how it is told ("%", "points", "grade"); grades are whole numbers. measures: what it is a
    measure of, where another scale may measure the same. items: of how many questions it is made, each from 0 to
    ``item_high``; given as ``<key>_items``, their sum stretched to the scale. bands: upper end and name of each.
    """

    key: str
    title: str
    low: float
    high: float
    better: Literal["lower", "higher"]
    change: Literal["%", "points", "grade"]
    thresholds: tuple[Threshold, ...] = ()
    measures: str = ""
    items: int = 0
    item_high: int = 0
    bands: tuple[tuple[float, str], ...] = ()

    def band(self, value: float) -> str:
        """The band of a value, "" for a scale without bands; a sum with a replaced item may lie between two whole
        numbers."""
        return next((name for upper, name in self.bands if value < upper + 1), "")


PAIN, LEG_PAIN = "arm pain", "leg pain"
FIRST = (PAIN, LEG_PAIN)
"""What stands first in Table 1, as in the study."""
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


def _strength(movement: str) -> Score:
    """Strength of a muscle or movement ("wrist_extension")."""
    title = Text("Strength, {movement}, MRC 0–5", movement=movement.replace("_", " "))
    return Score(f"mrc_{movement}", title, 0, len(MRC_GRADES) - 1, "higher", "grade")


_YOUNG = ("cervical radiculopathy, n = 165", "Young 2010, 10.1097/PHM.0b013e3181ec98e6")
_CLELAND = ("cervical radiculopathy, n = 38", "Cleland 2006, 10.1097/01.brs.0000201241.90914.22")
_MACDOWALL = (
    "cervical radiculopathy, surgery for disc degeneration, n = 151",
    "MacDowall 2018, 10.3171/2017.5.SPINE1732",
)

_SCIATICA = ("sciatica, by how bad the pain was at first", "J Clin Epidemiol 2014, 10.1016/j.jclinepi.2014.07.008")
_STENOSIS = ("lumbar spinal stenosis, n = 128", "J Clin Neurosci 2025, 10.1016/j.jocn.2025.111717")

SCORES: dict[str, Score] = {
    score.key: score
    for score in (
        Score(
            "vas_arm",
            Text("Arm pain, VAS 0–100"),
            0,
            100,
            "lower",
            "%",
            (Threshold("repeatability", 10.4, 10.4, *_MACDOWALL), Threshold("MCID", 1.1, 29.1, *_MACDOWALL)),
            measures=PAIN,
        ),
        Score(
            "nprs_arm",
            Text("Arm pain, NPRS 0–10"),
            0,
            10,
            "lower",
            "points",
            (Threshold("MCID", 2.2, 2.2, *_YOUNG), Threshold("MDC", 4.1, 4.1, *_YOUNG)),
            measures=PAIN,
        ),
        _strength("elbow_extension"),
        Score(
            "ndi",
            Text("Neck Disability Index, 0–50"),
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
            items=10,
            item_high=5,
            bands=((4, "none"), (14, "mild"), (24, "moderate"), (34, "severe"), (50, "complete")),  # Vernon & Mior
        ),
        Score(
            "vas_leg",
            Text("Leg pain, VAS 0–100"),
            0,
            100,
            "lower",
            "%",
            (Threshold("MCID", 17.2, 53.5, *_SCIATICA),),
            measures=LEG_PAIN,
        ),
        Score("nprs_leg", Text("Leg pain, NPRS 0–10"), 0, 10, "lower", "points", measures=LEG_PAIN),
        Score(
            "odi",
            Text("Oswestry Disability Index, 0–100"),
            0,
            100,
            "lower",
            "points",
            (Threshold("MDC", 8.5, 8.5, *_STENOSIS),),
            items=10,
            item_high=5,
            bands=((20, "minimal"), (40, "moderate"), (60, "severe"), (80, "crippled"), (100, "bed-bound")),
        ),
    )
}
"""Scales with their thresholds as published; strength of other muscles: see ``score_named``."""

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
    return _strength(key.removeprefix("mrc_"))


@dataclass(frozen=True)
class Lesion:
    """The affected foramen: its level ("C6/C7") and side."""

    level: str
    side: str

    @property
    def root(self) -> str:
        return LEVELS[self.level].root

    @property
    def foramen(self) -> Anatomy:
        return Anatomy("foramen", self.level, self.root, self.side)

    @property
    def cord(self) -> Anatomy:
        """Beside it; of no level where the cord has ended."""
        return Anatomy("cord", LEVELS[self.level].cord)


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

    direction: "better", "worse" or "same", by the scale's own direction. bands: see ``Score.band``. thresholds: each
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
        Text("{session}: {remark}", session=session, remark=clinical.remarks[session][key])
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
        baseline_band=score.band(before),
        followup_band=score.band(after),
        remarks=tuple(remarks),
        thresholds=tuple((threshold, threshold.reached(after - before)) for threshold in score.thresholds),
    )
