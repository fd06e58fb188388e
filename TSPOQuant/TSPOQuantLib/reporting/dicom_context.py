"""What our DICOM objects share: the patient and study that they join, their codes, their UIDs, and who made them."""

import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.coding import Code
from pydicom.tag import Tag

from .. import DISCLAIMER, __version__
from ..acquisition.dicom import anatomical_series, pet_series
from ..acquisition.dicom_files import Series
from ..acquisition.dicom_slice import ENHANCED_PET, LEGACY_PET
from ..acquisition.dicom_values import date_time, number, numbers, text
from ..acquisition.modality import AUTO
from ..acquisition.segmentation import PRIVATE_SCHEME
from ..acquisition.volume_files import is_nifti, is_volume_file
from ..grid import Grid
from ..levels import LEVELS, in_neck
from ..messages import InputRefused
from ..quantities import BY_KEY, QUANTITIES
from ..regions.anatomy import Anatomy
from ..regions.template import CODES, codes_of

NAMESPACE = uuid.UUID("58bf54b3-c941-4363-9df0-a6022791da3f")
"""Ours alone, drawn once: every UID that we make is 2.25.<name-based UUID> below it (RFC 9562; PS3.5, B.2)."""

PRIVATE_CODES: Mapping[str, str] = {
    **{quantity.key: quantity.meaning for quantity in QUANTITIES},
    **{f"{quantity.key}-se": f"Standard error of {quantity.symbol}" for quantity in QUANTITIES},
    **{
        f"{key}-ci95-{end}": f"{limit} limit of the 95 % confidence interval of {BY_KEY[key].symbol}"
        for key in ("VT", "Ki")
        for end, limit in (("low", "Lower"), ("high", "Upper"))
    },
    "PVC": "Partial-volume correction",
    "FLAG": "Reason to doubt the fit",
}
"""Codes of our own scheme. No standard code exists for V_T or K1 of a PET; 126314 "ve" is another quantity."""
SIDES: Mapping[str, Code] = {"left": Code("7771000", "SCT", "Left"), "right": Code("24028007", "SCT", "Right")}
SPINE: Mapping[str, Code] = {
    "C": Code("122494005", "SCT", "Cervical spine"),
    "T": Code("122495006", "SCT", "Thoracic spine"),
    "L": Code("122496007", "SCT", "Lumbar spine"),
    "S": Code("54735007", "SCT", "Sacrum"),
}
"""By the first letter of a level (PS3.16, CID 4031)."""
SPINAL_CORD = Code("2748008", "SCT", "Spinal cord")
NECK, WHOLE_SPINE = Code("45048000", "SCT", "Neck"), Code("421060004", "SCT", "Spine")
OTHER_CODES: Mapping[str, tuple[str, str]] = {
    "vertebra": ("SCT^123037004^Anatomical Structure", "SCT^51282000^Vertebra"),
    "other": ("SCT^85756007^Tissue", "SCT^85756007^Tissue"),
}
"""Category and type of what regions.template does not draw; these codes are in PS3.16, CID 7150 and 7151."""
REMOVED_AT = datetime(1900, 1, 1)
"""Stands for every date that a DICOM object must state and that was removed."""
DEIDENTIFICATION = "PS3.15 Basic Profile: identity, dates removed; UIDs replaced"

COPIED = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyDate",
    "StudyTime",
)


@dataclass(frozen=True, eq=False)
class DicomContext:
    """The headers that our objects refer to, reduced to what they need, and the moment of writing.

    pet, ct: one header a file (ct empty where the CT is no DICOM); image: the series on which regions were drawn.
    salt: replaces identity and UIDs where it is not empty. field: where in the body regions without a level lie.
    """

    pet: tuple[Dataset, ...]
    ct: tuple[Dataset, ...]
    created: datetime
    salt: str = ""
    field: Code = NECK

    @property
    def image(self) -> tuple[Dataset, ...]:
        return self.ct or self.pet

    def uid(self, *parts: str) -> str:
        """The UID of a thing of this study: the same for the same study, moment of writing and parts."""
        return uid_of(str(self.pet[0].StudyInstanceUID), self.created.isoformat(), *parts)

    def tracking_uid(self, region: str) -> str:
        """The UID of a region of this patient: the same at every visit."""
        first = self.pet[0]
        patient = (
            f"{first.get('IssuerOfPatientID', '')}\\{first.PatientID}" if first.PatientID else first.StudyInstanceUID
        )
        return uid_of("tracking", self.salt, str(patient), region)


def uid_of(*parts: str) -> str:
    """The UID named by ``parts``."""
    name = "\n".join(f"{len(part)}:{part}" for part in parts)
    return f"2.25.{uuid.uuid5(NAMESPACE, name).int}"


def read_context(
    pet: Path, ct: Path | None, created: datetime, salt: str = "", subject: str = "", modality: str = AUTO
) -> DicomContext:
    """The headers of a visit's PET and CT (or MR, by ``modality``). salt: where not empty, identity is replaced by
    ``subject``, UIDs by ours.

    Raises InputRefused: "dicom-source" (the PET is no DICOM, or several enhanced files), "dicom-study" (PET and CT
    belong to different studies or frames of reference), and what the readers of series raise.
    """
    if is_nifti(pet) or pet.name.endswith(".nrrd"):
        raise InputRefused(
            "dicom-source",
            "{pet_name} is no DICOM: its patient and study are unknown; --dicom needs a DICOM PET",
            pet_name=pet.name,
        )
    first = _headers(pet_series(pet), salt, subject)
    other = None if ct is None or is_volume_file(ct) else anatomical_series(ct, modality)
    second = _headers(other, salt, subject) if other else ()
    for name, keyword in (("study", "StudyInstanceUID"), ("frame of reference", "FrameOfReferenceUID")):
        values = {str(headers[0].get(keyword, "")) for headers in (first, second or first)}
        if len(values) > 1 or "" in values:
            raise InputRefused(
                "dicom-study",
                "the files of PET and CT (or MR) do not state one and the same {name} ({keyword}), which objects "
                "made from both must name; leave --dicom out, or use an image of the PET's own study",
                name=name,
                keyword=keyword,
            )
    return DicomContext(first, second, REMOVED_AT if salt else created, salt)


def _headers(series: Series, salt: str, subject: str) -> tuple[Dataset, ...]:
    """One reduced header a file: what references and geometry need, and the patient and study.

    Raises InputRefused ("dicom-source").
    """
    header, facts = series.header, series.facts
    if series.joined > 1 or not facts.series_uid:
        raise InputRefused(
            "dicom-source",
            "the {modality} images do not state one and the same series (SeriesInstanceUID), which references to them "
            "must name; leave --dicom out",
            modality=facts.modality,
        )
    base = Dataset()
    for keyword in COPIED:
        setattr(base, keyword, "" if salt else _copied(header, keyword))
    if salt:
        base.PatientID = subject
    if not base.IssuerOfPatientID:
        del base.IssuerOfPatientID
    base.SOPClassUID, base.Modality = facts.sop_class, facts.modality
    base.Manufacturer = text(header, Tag("Manufacturer")) or "unknown"
    base.Rows, base.Columns = facts.rows, facts.columns
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        value = text(header, Tag(keyword))
        setattr(base, keyword, uid_of("replaced", salt, value) if salt and value else value)
    base.PositionReferenceIndicator = ""
    spacing = [*numbers(header, Tag("PixelSpacing"))] or [*facts.pixel_spacing_mm]
    orientation = [*numbers(header, Tag("ImageOrientationPatient"))] or [*facts.orientation]
    thickness = number(header, Tag("SliceThickness")) or 1.0

    def instance(uid: str) -> Dataset:
        dataset = Dataset()
        dataset.update(base)
        dataset.SOPInstanceUID = uid_of("replaced", salt, uid) if salt else uid
        return dataset

    if facts.sop_class in (ENHANCED_PET, LEGACY_PET):
        if series.files > 1:
            raise InputRefused(
                "dicom-source",
                "the enhanced PET lies in {files} files; --dicom knows those of one file alone",
                files=series.files,
            )
        whole = instance(series.slices[0].instance_uid.partition("/")[0])  # a frame's own ends in /<number>
        whole.NumberOfFrames = len(series.slices)
        plane = highdicom.PlaneOrientationSequence("PATIENT", orientation)
        pixels = item(PixelSpacing=decimals(spacing), SliceThickness=_decimal(thickness))
        whole.SharedFunctionalGroupsSequence = [item(PixelMeasuresSequence=[pixels], PlaneOrientationSequence=plane)]
        whole.PerFrameFunctionalGroupsSequence = [
            item(PlanePositionSequence=highdicom.PlanePositionSequence("PATIENT", piece.position_mm))
            for piece in sorted(series.slices, key=lambda piece: piece.frame)
        ]
        return (whole,)
    base.PixelSpacing, base.ImageOrientationPatient = decimals(spacing), decimals(orientation)
    base.SliceThickness = _decimal(thickness)
    headers = []
    for piece in series.slices:
        headers.append(instance(piece.instance_uid))
        headers[-1].ImagePositionPatient = decimals(piece.position_mm)
    return tuple(headers)


def item(**elements: object) -> Dataset:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return item


def decimals(values: Sequence[float]) -> list[str]:
    return [_decimal(value) for value in values]


def _decimal(value: float) -> str:
    """A DICOM decimal string: at most 16 characters."""
    return f"{value:.10g}"


def _copied(header: Dataset, keyword: str) -> str:
    """An element of patient or study as plain text; what breaks the standard is left out rather than passed on."""
    value = text(header, Tag(keyword)) if keyword not in ("PatientName", "ReferringPhysicianName") else ""
    if keyword in ("PatientName", "ReferringPhysicianName"):
        value = str(header.get(keyword) or "")
    elif keyword == "PatientSex":
        return value if value in ("M", "F", "O") else ""
    elif keyword in ("PatientBirthDate", "StudyDate"):
        return value if date_time(value, "00") and re.fullmatch(r"\d{8}", value) else ""
    elif keyword == "StudyTime":
        return value if date_time("20000101", value) and re.fullmatch(r"[\d.]+", value) else ""
    return value


# --- Codes ----------------------------------------------------------------------------------------------------------


def private_code(value: str, meaning: str = "") -> Code:
    """A code of our own scheme."""
    return Code(value, PRIVATE_SCHEME, short(meaning or PRIVATE_CODES[value]))


def unit_code(key: str) -> Code:
    """The UCUM code of a quantity's unit."""
    unit = BY_KEY[key].ucum
    return Code(unit, "UCUM", unit)


def short(label: str) -> str:
    """A text as DICOM's long strings (LO) hold it: no backslash, which separates values, and at most 64 letters."""
    return " ".join(label.replace("\\", "/").split())[:64].rstrip()


def region_codes(anatomy: Anatomy, tags: Mapping[str, str]) -> tuple[Code, Code]:
    """Category and type of a region: by what it is, and for an "other" one by the terms it was drawn with."""
    if anatomy.structure in CODES:
        category, kind = codes_of(anatomy)
        return _code(category), _code(kind)
    drawn = tags.get("TerminologyEntry", "").split("~")[1:3]
    drawn = drawn or [tags.get(f"SegmentedProperty{name}", "") for name in ("Category", "Type")]
    if anatomy.structure == "other" and len(drawn) == 2 and all(_is_code(term) for term in drawn):
        return _code(drawn[0]), _code(drawn[1])
    category, kind = OTHER_CODES[anatomy.structure]
    return _code(category), _code(kind)


def _is_code(term: str) -> bool:
    return term.count("^") == 2 and all(part.strip() for part in term.split("^"))


def _code(term: str) -> Code:
    scheme, value, meaning = term.split("^")
    return Code(value, scheme, short(meaning))


def field_of(levels: Iterable[str]) -> Code:
    """Where in the body the images are, by the levels of all regions: the neck unless one lies below it."""
    return NECK if in_neck(levels) else WHOLE_SPINE


def place_codes(anatomy: Anatomy, field: Code = NECK) -> tuple[Code, Code | None, Code | None]:
    """Where a region is: the anatomic site, ``field`` where its level does not tell it, its side, and the level as a
    modifier of our own."""
    spine = SPINE.get(anatomy.level[:1], field)
    site = {"foramen": spine, "vertebra": spine, "cord": SPINAL_CORD}.get(anatomy.structure, field)
    level = None
    if anatomy.level:
        root = f", root {anatomy.root}" if anatomy.root else ""
        code = LEVELS[anatomy.level].code if anatomy.level in LEVELS else anatomy.level
        level = private_code(code, f"Level {anatomy.level}{root}")
    return site, SIDES.get(anatomy.side), level


# --- What every object carries --------------------------------------------------------------------------------------


def volume_of(values: NDArray[Any], grid: Grid, context: DicomContext, **channels: Any) -> highdicom.Volume:
    """Values (k, j, i) or (k, j, i, channel) on a grid, as highdicom has volumes.

    Raises InputRefused ("dicom-grid") for a grid whose axes are not at right angles, which DICOM cannot tell.
    """
    axes = grid.ijk_to_lps[:3, :3] / np.array(grid.spacing_mm)
    if np.abs(axes.T @ axes - np.eye(3)).max() > 1e-4:
        raise InputRefused(
            "dicom-grid", "the regions' grid is skewed, which DICOM cannot hold; draw them on an untilted image"
        )
    affine = grid.ijk_to_lps[:, [2, 1, 0, 3]]  # highdicom orders slice, row, column
    uid = str(context.image[0].FrameOfReferenceUID)
    return highdicom.Volume(values, affine, "PATIENT", frame_of_reference_uid=uid, channels=channels or None)


def making(context: DicomContext, kind: str, number: int, description: str, digest: str) -> dict[str, Any]:
    """What every constructor of highdicom wants to know of the maker, the series and the instance.

    digest: tells contents apart, so that no UID ever names two of them.
    """
    return {
        "series_instance_uid": context.uid(kind, "series", digest),
        "series_number": number,
        "series_description": description,
        "sop_instance_uid": context.uid(kind, "instance", digest),
        "instance_number": 1,
        "manufacturer": "TSPOQuant",
        "manufacturer_model_name": "TSPOQuant",
        "software_versions": __version__,
        "device_serial_number": "none (software)",
        "content_date": context.created.date(),
        "content_time": context.created.time(),
        "coding_schemes": [
            CodingSchemeIdentificationItem(
                designator=PRIVATE_SCHEME,
                name=f"TSPOQuant, private scheme. {DISCLAIMER}",
                version=__version__,
                responsible_organization="TSPOQuant",
            )
        ],
    }


def finish(dataset: Dataset, context: DicomContext, kind: str) -> None:
    """Give an object the times and UIDs that follow from the context, and say so where identity was removed."""
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.InstanceCreationDate = dataset.SeriesDate = context.created.strftime("%Y%m%d")
    dataset.InstanceCreationTime = dataset.SeriesTime = context.created.strftime("%H%M%S")
    for item in dataset.get("ContributingEquipmentSequence", []):
        if "ContributionDateTime" in item:
            item.ContributionDateTime = context.created.strftime("%Y%m%d%H%M%S")
    for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in dataset.get(keyword, []):
            item.DimensionOrganizationUID = context.uid(kind, "dimensions")
    if context.salt:
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = DEIDENTIFICATION
        dataset.LongitudinalTemporalInformationModified = "REMOVED"
