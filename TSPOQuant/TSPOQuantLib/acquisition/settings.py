"""What can be chosen about the anatomical image, and about the clock that image and blood share."""

from dataclasses import dataclass

from ..settings import Kind, Moment, setting
from .modality import AUTO, MODALITIES


@dataclass(frozen=True)
class AnatomySettings:
    """What the image is on which the regions were drawn, where its file does not say it."""

    anatomical_modality: str = setting(
        AUTO,
        "ct.modality",
        Kind(MODALITIES),
        "what the image of [ct] path is; auto: what its file says, or its values where they are plainly HU",
        exempt="what the image turned out to be is compared",
    )


@dataclass(frozen=True)
class ClockSettings:
    """When the injection was, and from when the blood counts, where the files do not say it or say it wrong."""

    injection_time: str | float | None = setting(
        None,
        "pet",
        Moment(optional=True),
        "when the injection was, instead of what the image says of it",
        exempt="every visit has its own clock",
    )
    blood_time_zero: str | float | None = setting(
        None,
        "blood.time_zero",
        Moment(optional=True, words=("injection", "scan")),
        "from when the blood samples count and to when they are decay-corrected, where that is not the image's own "
        "time zero",
        exempt="every visit has its own clock",
    )
