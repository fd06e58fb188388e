"""What can be chosen about motion. No default is published: each is a choice."""

from dataclasses import dataclass
from typing import Literal

from ..messages import Text
from ..settings import Frames, Kind, Shared, setting

CORRECTIONS = ("rigid", "frames", "none")
WINDOWS = ("all", "early", "late")
PLACE = Text("regions may lie in a slightly different place")


@dataclass(frozen=True)
class MotionSettings:
    """How frames, PET and CT are brought together; docs/validation.md shows what leaving it out costs."""

    motion_correction: str = setting(
        "rigid",
        "pet",
        Kind(CORRECTIONS),
        "rigid: frames to each other and to the CT on which the regions were drawn; frames: to each other only, the "
        "scanner's placing of PET and CT kept",
        shared=Shared("motion", Text("uncorrected motion blurs, and with it small regions")),
    )
    motion_reference: Literal["late"] | tuple[int, ...] = setting(
        "late",
        "pet",
        Frames(words=("late",)),
        "frames that show the reference position; late: the last 20 min",
        shared=Shared("motion-reference", PLACE, "warn"),
        applies=("motion_correction", ("rigid", "frames")),
    )
    registration_window: Literal["all", "early", "late"] = setting(
        "all",
        "pet",
        Kind(WINDOWS),
        "frames whose mean is registered to the CT: all from the first minute on, early (to the tenth minute), late "
        "(the last 20 min)",
        shared=Shared("registration-window", PLACE, "warn"),
        applies=("motion_correction", ("rigid",)),
    )
