"""Every choice of a visit's analysis, composed of what the rooms declare."""

import re
from dataclasses import dataclass

from ..acquisition.settings import AnatomySettings, ClockSettings
from ..alignment.settings import MotionSettings
from ..input_function.settings import ImageDerivedSettings, PopulationSettings, SampledSettings, SourceSettings
from ..kinetics.options import FitSettings
from ..messages import Text
from ..regions.settings import RegionSettings
from ..settings import Kind, Line, Shared, Span, declared, setting

GENOTYPES = ("HAB", "MAB", "LAB", "unknown")
LABEL = re.compile(r"[A-Za-z0-9+]+")
"""A BIDS label."""
LABELED = Line(pattern=LABEL.pattern, like=Text("letters and digits alone, as a BIDS label is"))
FIRST_SESSIONS = ("baseline", "bl", "pre", "preop", "before", "test", "screening", "initial", "start")
"""Labels of a first visit that do not come first by letters."""
DAYS = {"d": 1, "day": 1, "w": 7, "wk": 7, "week": 7, "m": 30, "mo": 30, "month": 30, "y": 365, "yr": 365, "year": 365}
AFTER = re.compile(
    rf"(?P<unit>{'|'.join(DAYS)})s?(?P<number>\d+)|(?P<count>\d+)(?P<name>{'|'.join(DAYS)})s?", re.IGNORECASE
)
"""Labels that say how long after the first visit one was: week12, 6months."""


UNNAMED = "unnamed"
"""Who is not called anything."""
LONGEST_NUMBER = 20
"""Digits of a number in a label; a date with its time has 14."""


def session_order(session: str) -> tuple[int, str]:
    """Sessions by label, those of FIRST_SESSIONS first: a dataset without dates tells no other order.

    Numbers in labels count as numbers, and times as times: m6 comes before m12, and week12 before month6. A time
    beyond the first day comes after words that say none: month6 after inclusion and followup, day1 before post.
    """
    place = int(session.lower() not in FIRST_SESSIONS)
    after = AFTER.fullmatch(session)
    if after:
        unit, number = after["unit"] or after["name"], after["number"] or after["count"]
        days = int(number) * DAYS[unit.lower()]
        session, place = f"day{days}", 1 if days <= 1 else 2
    return place, re.sub(r"\d+", lambda match: match[0].zfill(LONGEST_NUMBER), session)


@dataclass(frozen=True)
class SubjectSettings:
    """Who was scanned, and when."""

    subject: str = setting(
        UNNAMED, "subject.id", LABELED, "label of the person", exempt="visits of different subjects never compare"
    )
    session: str = setting("baseline", "subject", LABELED, "label of the visit", exempt="it tells the visits apart")
    genotype: str = setting(
        "unknown",
        "subject",
        Kind(GENOTYPES),
        "of rs6971, on which TSPO binding depends; it changes no number",
        shared=Shared("genotype", Text("one person has one genotype: an entry is wrong")),
    )
    washout: str = setting(
        "",
        "subject",
        Line(optional=True),
        "what was taken before the visit that may change TSPO, in your words",
        exempt="a note that changes no number",
    )


@dataclass(frozen=True)
class OutcomeSettings:
    """Outcomes that need no fit: SUV, and its ratios to a region and to blood."""

    window_min: tuple[float, float] | None = setting(
        None,
        "outcome",
        Span(optional=True, low=0.0),
        "SUV, SUVR and TBR are means from one minute to another after time zero; unset: the last 20 min of the scan",
        unit="min",
        shared=Shared("outcome-window", Text("SUV and its ratios change with time (V_T does not need them)"), "warn"),
    )
    reference: str = setting(
        "",
        "outcome",
        Line(optional=True),
        "the segment whose SUV and V_T the regions' are divided by (SUVR, DVR), the blood pool or any other",
        shared=Shared("outcome-reference", Text("ratios to another region are other numbers"), "warn"),
    )


@dataclass(frozen=True)
class StudySettings(
    OutcomeSettings,
    FitSettings,
    SampledSettings,
    PopulationSettings,
    ImageDerivedSettings,
    SourceSettings,
    RegionSettings,
    MotionSettings,
    AnatomySettings,
    ClockSettings,
    SubjectSettings,
):
    """Every choice of a visit's analysis, declared in the rooms that obey them, and printed in every output.

    The fields of the last base come first.
    """


SETTINGS = tuple(declared(StudySettings))
