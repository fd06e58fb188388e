"""What the readers return: images in kBq/mL or HU on a known grid, with a known clock."""

from dataclasses import dataclass, field, replace
from datetime import datetime, time

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid
from ..messages import InputRefused, Notice, Text
from ..tracers import SIMULATED, radionuclide_of
from .decay import HALF_LIFE_S, of_half_life
from .frames import FrameTiming
from .large import filled

HU, MR_SIGNAL = "HU", "MR signal"
"""Units of an anatomical image: an MR's values mean nothing by themselves, and change from scan to scan."""


# Plausibility limits, not published: a weight in grams or pounds, a dose in MBq or mCi are not believed.
MAX_WEIGHT_KG = 500.0
MIN_DOSE_BQ = 1e5
MAX_DOSE_BQ = 1e11


def possible_for_suv(injected_mbq: float, weight_kg: float) -> bool:
    """Whether dose and weight can be those of a person."""
    return MIN_DOSE_BQ <= 1e6 * injected_mbq <= MAX_DOSE_BQ and 0 < weight_kg <= MAX_WEIGHT_KG


@dataclass(frozen=True)
class Acquired:
    """What two visits must share to be comparable, and what SUV needs; None where the file does not say.

    ``patient_key`` is the beginning of an unsalted SHA-256 of PatientID, for telling whether two files claim the same
    patient. Whoever knows all patient numbers can invert it: results keep a few digits of it (see outcome.recording).
    ``attenuation``: how the file says that its attenuation was corrected, in its own words.
    """

    patient_key: str | None = None
    manufacturer: str | None = None
    scanner_model: str | None = None
    reconstruction: str | None = None
    filter: str | None = None
    tracer: str | None = None
    injected_mbq: float | None = None
    weight_kg: float | None = None
    half_life_s: float | None = None
    attenuation: str | None = None


@dataclass(frozen=True)
class Scan(Acquired):
    """All that files say of a scan.

    ``frame_of_reference_key``: as ``patient_key``, of FrameOfReferenceUID, which images share whose places can be
    compared. ``administration``: "bolus" and the like, lower case; ``infusion_s``: how long the tracer was injected.
    OF_PERSON: ``birth_key``, two digits of a SHA-256 of the date of birth, and ``sex`` as DICOM has it, for telling
    whether two files can be of one person; they are kept in no file.
    """

    frame_of_reference_key: str | None = None
    administration: str | None = None
    infusion_s: float | None = None
    birth_key: str | None = None
    sex: str | None = None


OF_PERSON = ("birth_key", "sex")


def tracer_told(image: "DynamicImage", tracer: str) -> "DynamicImage":
    """The image as one of what the user says was injected, with the half-life of that where it states none.

    tracer: a name that tells its radionuclide; "" changes nothing. What is simulated stays called so.
    Raises InputRefused ("tracer-radionuclide").
    """
    named, stated, own = radionuclide_of(tracer), image.scan.half_life_s, image.scan.tracer or ""
    if named is None or tracer == own:
        return image
    known = HALF_LIFE_S[named]
    if stated is not None and not of_half_life(stated, named):
        raise InputRefused(
            "tracer-radionuclide",
            "[pet] tracer is '{tracer}', whose half-life is {known:g} s, and the PET was corrected for the decay of "
            "{stated:g} s; correct the one that is wrong",
            tracer=tracer,
            known=known,
            stated=stated,
        )
    if SIMULATED in own.lower():
        return image
    told = Notice(
        "tracer-told",
        "[pet] tracer says that {tracer} was injected, and the PET {stated}",
        tracer=tracer,
        stated=Text("names '{own}'", own=own) if own else Text("names no tracer"),
    )
    scan = replace(image.scan, tracer=tracer, half_life_s=stated or known)
    return replace(image, scan=scan, notices=(*image.notices, told))


def half_life_of(*scans: Scan) -> float:
    """Of the first scan that names it, in seconds. Raises InputRefused ("pet-half-life")."""
    known = next((scan.half_life_s for scan in scans if scan.half_life_s), None)
    if known is None:
        raise InputRefused(
            "pet-half-life",
            "the PET names no half-life, so that it cannot be corrected to injection; say what was injected by [pet] "
            "tracer",
        )
    return known


@dataclass(frozen=True, eq=False)
class DynamicImage:
    """A dynamic PET.

    activity: float32 (frames, k, j, i) in kBq/mL, decay-corrected to time zero.
    timing: frames in seconds from time zero.
    time_zero: what zero is ("injection", "first frame"); time_zero_at: its wall clock, None if unknown.
    zero_clock: the time of day of zero where no date is known.
    decay_correction: how the stored values were brought to time zero, in words, for the provenance.
    """

    activity: NDArray[np.float32]
    grid: Grid
    timing: FrameTiming
    time_zero: str
    time_zero_at: datetime | None
    decay_correction: str
    scan: Scan
    notices: tuple[Notice, ...] = ()
    sources: tuple[str, ...] = field(default=(), repr=False)
    zero_clock: time | None = None

    @property
    def clock(self) -> time | None:
        """The time of day of zero, None where the file tells none."""
        return self.zero_clock or (self.time_zero_at.time() if self.time_zero_at else None)

    def around(self, points_lps: NDArray[np.float64], margin_mm: float) -> "DynamicImage":
        """The same scan of the surroundings of points (n, 3) alone; the image itself where they reach all of it."""
        box = self.grid.box_around(points_lps, margin_mm)
        shape = tuple(side.stop - side.start for side in box)
        if shape == self.grid.shape:
            return self
        part = self.grid.part([side.start for side in box], shape)
        activity = filled((len(self.timing), *shape), (self.activity[n][box] for n in range(len(self.timing))))
        return replace(self, activity=activity, grid=part)


@dataclass(frozen=True, eq=False)
class Volume:
    """One 3-D image: float32 (k, j, i) in ``units`` ("HU", "MR signal", "kBq/mL")."""

    values: NDArray[np.float32]
    grid: Grid
    units: str
    scan: Scan = Scan()
    notices: tuple[Notice, ...] = ()
    sources: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_ct(self) -> bool:
        """Whether its values are CT numbers, by which air, fat, soft tissue and bone can be told apart."""
        return self.units == HU

    @property
    def called(self) -> Text:
        """What sentences call an image on which regions were drawn."""
        return Text("the CT") if self.is_ct else Text("the MR")
