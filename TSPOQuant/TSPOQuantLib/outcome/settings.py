"""Every choice of a visit's analysis, composed of what the rooms declare."""

import re
from dataclasses import dataclass

from ..acquisition.settings import AnatomySettings, ClockSettings
from ..alignment.settings import MotionSettings
from ..input_function.settings import ImageDerivedSettings, SampledSettings, SourceSettings
from ..kinetics.options import FitSettings
from ..messages import Text
from ..regions.settings import RegionSettings
from ..settings import Kind, Line, Shared, declared, setting

GENOTYPES = ("HAB", "MAB", "LAB", "unknown")
LABEL = re.compile(r"[A-Za-z0-9+]+")
"""A BIDS label."""
LABELED = Line(pattern=LABEL.pattern, like=Text("letters and digits alone, as a BIDS label is"))


@dataclass(frozen=True)
class SubjectSettings:
    """Who was scanned, and when."""

    subject: str = setting(
        "unnamed", "subject.id", LABELED, "label of the person", exempt="visits of different subjects never compare"
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
class StudySettings(
    FitSettings,
    SampledSettings,
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
