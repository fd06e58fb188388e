"""What can be said about the scan where its files do not: the tracer, the anatomical image, and the clock."""

from dataclasses import dataclass

from ..messages import Text
from ..settings import Kind, Line, Moment, setting
from ..tracers import radionuclide_of
from .decay import HALF_LIFE_S
from .modality import AUTO, MODALITIES


@dataclass(frozen=True)
class TracerName(Line):
    """The name of a tracer whose radionuclide, and so its half-life, is known."""

    def _accept(self, value: object) -> str:
        name = super()._accept(value)
        if name and radionuclide_of(name) not in HALF_LIFE_S:
            raise ValueError(value)
        return name

    def _wanted(self) -> str:
        return Text("a name that tells a radionuclide of 11C, 13N, 15O or 18F, such as [11C]DPA-713")


@dataclass(frozen=True)
class TracerSettings:
    """What was injected, where the PET does not say it."""

    tracer: str = setting(
        "",
        "pet",
        TracerName(optional=True),
        "what was injected, where the PET does not say it or says it under another name; where the PET states no "
        "half-life, that of its radionuclide counts",
        exempt="the tracers of the images are compared",
    )


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
