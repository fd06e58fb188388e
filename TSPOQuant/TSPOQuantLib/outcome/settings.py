"""Every choice of a visit's analysis, composed of what the rooms declare."""

import re
from dataclasses import dataclass

from ..acquisition.settings import AnatomySettings, ClockSettings, TracerSettings
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
UNNAMED = "unnamed"
"""Who is not called anything."""


COMPARED, IGNORED = "compare", "ignore"
"""What is done with the patients that images name."""


@dataclass(frozen=True)
class SubjectSettings:
    """Who was scanned, and when."""

    subject: str = setting(
        UNNAMED, "subject.id", LABELED, "label of the person", exempt="visits of different subjects never compare"
    )
    session: str = setting("baseline", "subject", LABELED, "label of the visit", exempt="it tells the visits apart")
    patient_ids: str = setting(
        COMPARED,
        "subject",
        Kind((COMPARED, IGNORED)),
        "compare: the images of all visits must name one patient (PatientID); ignore: they were made anonymous one by "
        "one, and the id here alone says that they are of one person",
        exempt="a visit that ignores them is compared by its subject alone",
    )
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
    TracerSettings,
    SubjectSettings,
):
    """Every choice of a visit's analysis, declared in the rooms that obey them, and printed in every output.

    The fields of the last base come first.
    """


SETTINGS = tuple(declared(StudySettings))
