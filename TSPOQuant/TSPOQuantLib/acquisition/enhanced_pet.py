"""Enhanced PET Image Storage: one file of many frames, told in the terms of the classic PET object.

DICOM PS3.3 A.56 and C.8.22: every frame's functional groups hold what the classic object has in a file of its own.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from .dicom_slice import ENHANCED_PET, Facts, Slice, key_of, rounded
from .dicom_values import (
    date_time,
    first_item,
    integer,
    is_lossy,
    items,
    number,
    numbers,
    real,
    single_date_time,
    spoken_text,
    text,
    texts,
)

# CID 84 "PET Units" (UCUM) by the classic object's defined terms.
UNITS = {
    "BQ/ML": "BQML",
    "G/ML{SUVBW}": "GML",
    "{SUVBW}G/ML": "GML",
    "{COUNTS}": "CNTS",
    "{COUNTS}/S": "CPS",
    "{PROPCOUNTS}": "PROPCNTS",
    "{PROPCOUNTS}/S": "PROPCPS",
}


def classic_header(header: Dataset) -> Dataset:
    """The attributes that SUV and scan facts are read from, as a classic PET file would state them."""
    classic = Dataset()
    for tag in header.keys():  # noqa: SIM118 (iterating a Dataset itself would decode every element)
        if tag.group in (0x0008, 0x0010, 0x0018, 0x0020):
            classic[tag] = header.get_item(tag)
    corrected, decay_correction = _corrections(header)
    frame = next(_groups(header), (Dataset(), Dataset()))
    content = _group(frame, "FrameContentSequence")
    classic.Units = _unit(_mapping(frame))
    classic.CorrectedImage = list(corrected)
    classic.DecayCorrection = decay_correction
    acquired = text(content, Tag("FrameAcquisitionDateTime"))
    classic.AcquisitionDate, classic.AcquisitionTime = acquired[:8], re.split("[+-]", acquired[8:])[0]
    duration = real(content, "FrameAcquisitionDuration")
    classic.ActualFrameDuration = None if duration is None else f"{duration:.0f}"
    classic.SliceThickness = text(_group(frame, "PixelMeasuresSequence"), Tag("SliceThickness")) or None
    classic.TimezoneOffsetFromUTC = _zone(header) or None
    classic.RadiopharmaceuticalInformationSequence = Sequence(
        _classic_agent(agent) for agent in items(header, "RadiopharmaceuticalInformationSequence")
    )
    return classic


def _classic_agent(agent: Dataset) -> Dataset:
    classic = Dataset()
    classic.update(agent)
    dose = number(agent, Tag("RadionuclideTotalDose"))
    if dose is not None:  # MBq here (PS3.3 C.8.22.4), Bq in the classic object
        classic.RadionuclideTotalDose = f"{dose * 1e6:.12g}"
    return classic


def _zone(header: Dataset) -> str:
    """The time zone of the file's clock: what it states, else that in which its frames state when they began."""
    frame = next(_groups(header), (Dataset(), Dataset()))
    acquired = text(_group(frame, "FrameContentSequence"), Tag("FrameAcquisitionDateTime"))
    own = re.search(r"[+-]\d{4}$", acquired)
    return text(header, Tag("TimezoneOffsetFromUTC")) or (own.group() if own else "")


def classic_frames(header: Dataset) -> Iterator[Dataset]:
    """Every frame of a Legacy Converted Enhanced PET as the classic file that it was made from (PS3.3 A.71)."""
    whole = [tag for tag in header.keys() if tag.group < 0x5200]  # noqa: SIM118 (as above)
    for own, shared in _groups(header):
        classic = Dataset()
        for tag in whole:
            classic[tag] = header.get_item(tag)
        classic.update(first_item(shared, "UnassignedSharedConvertedAttributesSequence"))
        classic.update(first_item(own, "UnassignedPerFrameConvertedAttributesSequence"))
        for name in ("PixelMeasures", "PlanePosition", "PlaneOrientation", "PixelValueTransformation"):
            classic.update(_group((own, shared), f"{name}Sequence"))
        content = _group((own, shared), "FrameContentSequence")
        acquired, duration = text(content, Tag("FrameAcquisitionDateTime")), real(content, "FrameAcquisitionDuration")
        if acquired and "AcquisitionTime" not in classic:
            classic.AcquisitionDate, classic.AcquisitionTime = acquired[:8], re.split("[+-]", acquired[8:])[0]
        if duration is not None and "ActualFrameDuration" not in classic:
            classic.ActualFrameDuration = f"{duration:.0f}"
        yield classic


def enhanced_slices(file: Path, header: Dataset, pixel_start: int | None, length: int) -> Iterator[Slice]:
    """A slice record for every frame of the file."""
    corrected, decay_correction = _corrections(header)
    patient = spoken_text(header, Tag("PatientID"))
    zone = _zone(header)
    reference = text(header, Tag("FrameOfReferenceUID"))
    for number_of_frame, groups in enumerate(_groups(header)):
        mapping = _mapping(groups)
        content = _group(groups, "FrameContentSequence")
        duration = real(content, "FrameAcquisitionDuration")
        facts = Facts(
            series_uid=text(header, Tag("SeriesInstanceUID")),
            sop_class=ENHANCED_PET,
            modality=text(header, Tag("Modality")),
            manufacturer=text(header, Tag("Manufacturer")),
            patient_key=key_of(patient) if patient else None,
            rows=integer(header, Tag("Rows")),
            columns=integer(header, Tag("Columns")),
            pixel_spacing_mm=rounded(numbers(_group(groups, "PixelMeasuresSequence"), Tag("PixelSpacing"))),
            orientation=rounded(numbers(_group(groups, "PlaneOrientationSequence"), Tag("ImageOrientationPatient"))),
            frame_of_reference_key=key_of(reference) if reference else None,
            bits=integer(header, Tag("BitsAllocated")),
            signed=integer(header, Tag("PixelRepresentation")) == 1,
            samples=integer(header, Tag("SamplesPerPixel")) or 1,
            localizer="LOCALIZER" in texts(header, Tag("ImageType")),
            series_type=_series_type(texts(header, Tag("ImageType"))),
            units=_unit(mapping),
            decay_correction=decay_correction,
            corrected=corrected,
            series_at=date_time(text(header, Tag("SeriesDate")), text(header, Tag("SeriesTime"))),
            decay_reference_at=single_date_time(text(header, Tag("DecayCorrectionDateTime")), zone),
            lossy=is_lossy(header),
        )
        size = (facts.rows or 0) * (facts.columns or 0) * (facts.bits or 0) // 8
        yield Slice(
            facts=facts,
            path=str(file),
            pixel_start=pixel_start,
            truncated=pixel_start is not None and pixel_start + (number_of_frame + 1) * size > length,
            frame=number_of_frame,
            instance_uid=f"{text(header, Tag('SOPInstanceUID'))}/{number_of_frame}",
            position_mm=numbers(_group(groups, "PlanePositionSequence"), Tag("ImagePositionPatient")),
            slope=real(mapping, "RealWorldValueSlope"),
            intercept=real(mapping, "RealWorldValueIntercept"),
            acquired=single_date_time(text(content, Tag("FrameAcquisitionDateTime")), zone),
            duration_s=None if duration is None else duration / 1000,
            reference_s=None,
            decay_factor=None,
            slices_stated=None,
            times_stated=None,
            index_stated=number_of_frame + 1,
            bits_stored=integer(header, Tag("BitsStored")),
            high_bit=integer(header, Tag("HighBit")),
            philips_suv=None,
            philips_activity=None,
        )


Groups = tuple[Dataset, Dataset]


def _groups(header: Dataset) -> Iterator[Groups]:
    """Functional groups of every frame: its own, and those shared by all; one more where frames lack their own."""
    shared = first_item(header, "SharedFunctionalGroupsSequence")
    groups = items(header, "PerFrameFunctionalGroupsSequence")
    for own in groups:
        yield own, shared
    if (integer(header, Tag("NumberOfFrames")) or 0) > len(groups):
        yield Dataset(), shared  # which is refused for what it lacks


def _group(groups: Groups, keyword: str) -> Dataset:
    own, shared = groups
    return first_item(own if keyword in own else shared, keyword)


def _mapping(groups: Groups) -> Dataset:
    """What stored values mean: in Bq/mL where that is one of several mappings, else by the first."""
    own, shared = groups
    mappings = items(own if "RealWorldValueMappingSequence" in own else shared, "RealWorldValueMappingSequence")
    activity = (mapping for mapping in mappings if _unit(mapping) == "BQML")
    return next(activity, mappings[0] if mappings else Dataset())


def _unit(mapping: Dataset) -> str:
    written = text(first_item(mapping, "MeasurementUnitsCodeSequence"), Tag("CodeValue"))
    return UNITS.get(written.upper(), written)


def _corrections(header: Dataset) -> tuple[tuple[str, ...], str]:
    """CorrectedImage and DecayCorrection as the classic object would state them; () and "" unless both are told."""
    stated = {
        "ATTN": text(header, Tag("AttenuationCorrected")).upper(),
        "DECY": text(header, Tag("DecayCorrected")).upper(),
    }
    if not set(stated.values()) <= {"YES", "NO"}:
        return (), ""
    corrected = tuple(name for name, answer in stated.items() if answer == "YES")
    return corrected or ("NONE",), "START" if "DECY" in corrected else "NONE"


def _series_type(image_type: tuple[str, ...]) -> tuple[str, ...]:
    """ImageType's flavor (value 3) and derived contrast (value 4) as SeriesType (PS3.3 C.8.22.5)."""
    flavor = image_type[2] if len(image_type) > 2 else ""
    contrast = image_type[3] if len(image_type) > 3 else ""
    kind = "GATED" if "GATED" in flavor else flavor
    return (kind, "REPROJECTION" if contrast.endswith("_IP") else "IMAGE")
