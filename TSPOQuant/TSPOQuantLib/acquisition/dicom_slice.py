"""One 2-D image of a DICOM series, as light as thousands of them must be."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

PET = str(PositronEmissionTomographyImageStorage)
ENHANCED_PET = str(EnhancedPETImageStorage)
LEGACY_PET = str(LegacyConvertedEnhancedPETImageStorage)
"""A classic series as one file: what has no place of its own stands unassigned, per frame or shared by all."""
CT = str(CTImageStorage)
ENHANCED_CT = (str(EnhancedCTImageStorage), str(LegacyConvertedEnhancedCTImageStorage))
MR = str(MRImageStorage)
ENHANCED_MR = (str(EnhancedMRImageStorage), str(LegacyConvertedEnhancedMRImageStorage))


class Facts(NamedTuple):
    """What every slice of a series must share; rounded where only the last digits may differ."""

    series_uid: str
    sop_class: str
    modality: str
    manufacturer: str
    patient_key: str | None
    rows: int | None
    columns: int | None
    pixel_spacing_mm: tuple[float, ...]
    orientation: tuple[float, ...]
    frame_of_reference_key: str | None
    bits: int | None
    signed: bool
    samples: int
    localizer: bool
    series_type: tuple[str, ...]
    units: str
    decay_correction: str
    corrected: tuple[str, ...]
    series_at: datetime | None
    decay_reference_at: datetime | None
    lossy: bool = False


@dataclass(frozen=True, slots=True)
class Slice:
    """One 2-D image of a file; times as the file has them, in seconds where they are durations."""

    facts: Facts
    path: str
    # Byte where the pixels start; None when they are compressed or otherwise not plain little-endian.
    pixel_start: int | None
    truncated: bool
    frame: int
    instance_uid: str
    position_mm: tuple[float, ...]
    slope: float | None
    intercept: float | None
    acquired: datetime | None
    duration_s: float | None
    reference_s: float | None
    decay_factor: float | None
    slices_stated: int | None
    times_stated: int | None
    index_stated: int | None
    bits_stored: int | None
    high_bit: int | None
    philips_suv: float | None
    philips_activity: float | None


def key_of(identifier: str) -> str:
    """A short SHA-256 of an identifier: tells whether two files claim the same one, and nothing else."""
    return hashlib.sha256(identifier.encode()).hexdigest()[:16]


def rounded(values: tuple[float, ...]) -> tuple[float, ...]:
    """Values in which only noise of the last digits is lost."""
    return tuple(round(value, 5) for value in values)
