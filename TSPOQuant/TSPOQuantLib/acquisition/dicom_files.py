"""Which DICOM series a path holds, and their pixels: one light record a slice, however many thousand files."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian

from ..lazy_modules import simpleitk
from ..messages import InputRefused
from ..progress import Progress, silent
from .dicom_header import NATIVE, is_dicom, plain_header
from .dicom_slice import ENHANCED_PET, LEGACY_PET, PET, Facts, Slice, key_of, rounded
from .dicom_values import Header, date_time, integer, is_lossy, number, numbers, spoken_text, text, texts
from .enhanced_pet import classic_frames, classic_header, enhanced_slices
from .files import POINTER_BYTES, check_content, check_link

# So many series of one frame each are frames of one scan rather than scans of their own (a choice).
FEWEST_JOINED = 3
# No image is scaled by more; beyond it, single precision overflows.
MAX_RESCALE = 1e30

PHILIPS_CREATOR = "Philips PET Private Group"
GE_CREATOR = "GEMS_PETD_01"

# What is read of every file: what ``Facts`` are made of, and what a slice has of its own. The first file of a series
# is read whole.
_OF_SERIES = (
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "SeriesDate",
    "SeriesTime",
    "Modality",
    "Manufacturer",
    "PatientID",
    "SeriesInstanceUID",
    "ImageOrientationPatient",
    "SamplesPerPixel",
    "Rows",
    "Columns",
    "PixelSpacing",
    "FrameOfReferenceUID",
    "BitsAllocated",
    "PixelRepresentation",
    "CorrectedImage",
    "SeriesType",
    "Units",
    "DecayCorrection",
    "LossyImageCompression",
)
_OF_SLICE = (
    "SOPInstanceUID",
    "AcquisitionDate",
    "AcquisitionTime",
    "ActualFrameDuration",
    "ImagePositionPatient",
    "BitsStored",
    "HighBit",
    "RescaleIntercept",
    "RescaleSlope",
    "NumberOfSlices",
    "NumberOfTimeSlices",
    "FrameReferenceTime",
    "DecayFactor",
    "ImageIndex",
)
_TAG = {keyword: Tag(keyword) for keyword in (*_OF_SERIES, *_OF_SLICE)}
_PHILIPS_BLOCK = Tag(0x7053, 0x0010)
_PHILIPS_SUV = Tag(0x7053, 0x1000)
_PHILIPS_ACTIVITY = Tag(0x7053, 0x1009)
_READ = [*_TAG.values(), _PHILIPS_BLOCK, _PHILIPS_SUV, _PHILIPS_ACTIVITY]
_PIXEL_DATA = b"\xe0\x7f\x10\0"
_UNDEFINED_LENGTH = b"\xff\xff\xff\xff"
_WANTED = frozenset(int(tag) for tag in _READ)
_FACTS = tuple(int(_TAG[keyword]) for keyword in _OF_SERIES)
_HEAD_BYTES = 1 << 15
"""Longer than the header of nearly every slice, and shorter than most slices."""


@dataclass(frozen=True)
class Series:
    """The slices of one series, in the order of their file names. Never empty.

    joined: how many series it was made of, where each held one frame.
    """

    slices: tuple[Slice, ...]
    joined: int = 1

    @property
    def facts(self) -> Facts:
        return self.slices[0].facts

    @property
    def files(self) -> int:
        return len({piece.path for piece in self.slices})

    @cached_property
    def header(self) -> Dataset:
        """Everything but the pixels of the series' first file; an enhanced object in the classic one's terms.

        Raises InputRefused: dicom-unreadable.
        """
        file = Path(self.slices[0].path)
        try:
            header, _ = _parse(file.read_bytes())
            if self.facts.sop_class == LEGACY_PET:
                return next(classic_frames(header))
            return classic_header(header) if self.facts.sop_class == ENHANCED_PET else header
        except Exception as reason:  # pydicom raises whatever its parser met in a damaged file
            raise InputRefused(
                "dicom-unreadable", "{file} cannot be read; copy the series again", file=file.name
            ) from reason


@dataclass(frozen=True)
class FolderContent:
    """What lies under a path: series, and how many files are no DICOM images, or damaged DICOM.

    imageless: modalities of the DICOM files without an image ("RTSTRUCT").
    """

    series: tuple[Series, ...]
    others: int
    unreadable: int
    imageless: tuple[str, ...] = ()

    @property
    def damaged(self) -> str:
        """How many files are damaged, behind what else there is."""
        return f" ({self.unreadable} damaged DICOM files)" if self.unreadable else ""


def find_series(path: Path, progress: Progress = silent) -> FolderContent:
    """All DICOM series under ``path`` (a file, or a folder with any nesting), in any file order.

    Raises InputRefused: path-missing, folder-empty, file-pointer (where nothing else lies there).
    """
    slices: dict[tuple[str, str, bool], list[Slice]] = {}
    shared = _Shared({}, {})
    imageless: dict[str, None] = {}
    others = unreadable = 0
    files = _files(path)
    for count, file in enumerate(files):
        if count % 64 == 0:
            progress(count / len(files), "reading DICOM headers")
        read = _dicom_bytes(file)
        if read is None:
            others += 1
            continue
        try:
            found = _slices(file, *read, shared)
        except Exception:  # pydicom raises whatever its parser met in a damaged file
            unreadable += 1
            continue
        if not found:
            others += 1
            imageless[_modality(file)] = None
        for piece in found:
            key = (piece.facts.series_uid, piece.facts.sop_class, piece.facts.localizer)
            slices.setdefault(key, []).append(piece)
    if not slices:
        _refuse_pointers(files)
    series = _joined([Series(tuple(pieces)) for pieces in slices.values()])
    return FolderContent(tuple(series), others, unreadable, tuple(imageless))


def _joined(series: Sequence[Series]) -> list[Series]:
    """The same, but PET series of one frame each that are alike in all but their time as one series: some scanners and
    archives give every frame of a scan a series of its own."""
    alike: dict[Facts, list[Series]] = {}
    for single in series:
        alike.setdefault(single.facts._replace(series_uid=""), []).append(single)
    joined = []
    for facts, group in alike.items():
        if facts.sop_class == PET and len(group) >= FEWEST_JOINED and _are_frames(group):
            group.sort(key=lambda frame: frame.slices[0].acquired or datetime.min)
            common = group[0].facts
            pieces = (replace(piece, facts=common) for frame in group for piece in frame.slices)
            joined.append(Series(tuple(pieces), len(group)))
        else:
            joined += group
    return joined


def _are_frames(group: Sequence[Series]) -> bool:
    """Whether each series holds the same places once, and each at another time."""
    places = {frozenset(piece.position_mm for piece in frame.slices) for frame in group}
    times = {frame.slices[0].acquired for frame in group} - {None}
    once = all(len(frame.slices) == len(next(iter(places))) for frame in group)
    return len(places) == 1 and once and len(times) == len(group)


def _refuse_pointers(files: Sequence[Path]) -> None:
    """Where nothing is DICOM: say so of files that were not fetched. Raises InputRefused: file-pointer."""
    for file in files:
        check_link(file)
        if file.is_file():
            with file.open("rb") as stream:
                check_content(file, stream.read(POINTER_BYTES))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        check_link(path)
        raise InputRefused("path-missing", "there is no file or folder {path}; check the path", path=path)
    files = sorted(Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    if not files:
        raise InputRefused("folder-empty", "the folder {path} holds no file; check the path", path=path)
    return files


def _dicom_bytes(file: Path) -> tuple[bytes, int] | None:
    """The file's beginning and its size, if it looks like DICOM."""
    try:
        with open(file, "rb", buffering=0) as stream:  # noqa: PTH123 (thousands of files: Path.open costs more)
            head = stream.read(_HEAD_BYTES)
            return (head, os.fstat(stream.fileno()).st_size) if is_dicom(head) else None
    except OSError:
        return None


def _modality(file: Path) -> str:
    """The modality of a file without an image, "?" where it states none."""
    return text(_parse(file.read_bytes(), [_TAG["Modality"]])[0], _TAG["Modality"]) or "?"


def _parse(content: bytes, only: list[Any] | None = None) -> tuple[Dataset, int]:
    """The header, and the byte at which the pixel data element starts (or the content ends)."""
    stream = BytesIO(content)
    with warnings.catch_warnings():
        # Values that break a length or character rule are common and harmless here.
        warnings.simplefilter("ignore")
        header = dcmread(stream, stop_before_pixels=True, specific_tags=only, force=content[128:132] != b"DICM")
    return header, stream.tell()


@dataclass(frozen=True, eq=False)
class _Shared:
    """What slices share, so that it is kept and understood once: facts by themselves, and by the bytes of a file."""

    facts: dict[Facts, Facts]
    by_bytes: dict[tuple[object, ...], Facts]


def _slices(file: Path, head: bytes, size: int, shared: _Shared) -> list[Slice]:
    """The slices of a file of ``size`` bytes that begins with ``head``. Raises what pydicom raises."""
    plain = plain_header(head, _WANTED)
    if plain is not None and text(plain, _TAG["SOPClassUID"]) not in (ENHANCED_PET, LEGACY_PET):
        if not _is_image(plain):
            return []
        given = tuple(plain.elements.get(tag) for tag in _FACTS)
        facts = shared.by_bytes.get(given)
        if facts is None:
            facts = shared.by_bytes[given] = _facts(plain, shared)
        return [_classic_slice(file, plain, facts, plain.pixels_at, size)]
    content = head if len(head) == size else file.read_bytes()
    header, pixels_at = _parse(content, _READ)
    if not _is_image(header):
        return []
    start = _native_pixels(header, content, pixels_at)
    kind = text(header, _TAG["SOPClassUID"])
    whole = _parse(content)[0] if kind in (ENHANCED_PET, LEGACY_PET) else header
    if kind == ENHANCED_PET:
        return list(enhanced_slices(file, whole, start, len(content)))
    if kind == LEGACY_PET:
        return [
            _of_many(_classic_slice(file, frame, _facts(frame, shared), start, len(content)), number, len(content))
            for number, frame in enumerate(classic_frames(whole))
        ]
    return [_classic_slice(file, header, _facts(header, shared), start, len(content))]


def _is_image(header: Header) -> bool:
    """Not a directory, a report or a plan: there is something to look at."""
    return integer(header, _TAG["Rows"]) is not None


def _of_many(piece: Slice, frame: int, length: int) -> Slice:
    """The slice as the given frame of a file of many."""
    start = piece.pixel_start
    cut = start is not None and start + (frame + 1) * slice_bytes(piece.facts) > length
    return replace(piece, frame=frame, truncated=cut, instance_uid=f"{piece.instance_uid}/{frame}")


def _native_pixels(header: Dataset, content: bytes, at: int) -> int | None:
    """The byte where plain little-endian pixels start; None where there are none.

    A file need not state its transfer syntax to be read: the parser then tells what the elements themselves showed.
    """
    stated = str(getattr(header.file_meta, "TransferSyntaxUID", ""))
    implicit, little = (stated == str(ImplicitVRLittleEndian), True) if stated else header.original_encoding
    if (stated and stated not in NATIVE) or not little or content[at : at + 4] != _PIXEL_DATA:
        return None
    start = at + (8 if implicit else 12)
    return None if content[start - 4 : start] == _UNDEFINED_LENGTH else start


def _facts(header: Header, shared: _Shared) -> Facts:
    """What the slice has in common with others."""

    def value(keyword: str) -> str:
        return text(header, _TAG[keyword])

    series_at = date_time(value("SeriesDate"), value("SeriesTime"))
    patient = spoken_text(header, _TAG["PatientID"])
    facts = Facts(
        series_uid=value("SeriesInstanceUID"),
        sop_class=value("SOPClassUID"),
        modality=value("Modality"),
        manufacturer=value("Manufacturer"),
        patient_key=key_of(patient) if patient else None,
        rows=integer(header, _TAG["Rows"]),
        columns=integer(header, _TAG["Columns"]),
        pixel_spacing_mm=rounded(numbers(header, _TAG["PixelSpacing"])),
        orientation=rounded(numbers(header, _TAG["ImageOrientationPatient"])),
        frame_of_reference_key=key_of(reference) if (reference := value("FrameOfReferenceUID")) else None,
        bits=integer(header, _TAG["BitsAllocated"]),
        signed=integer(header, _TAG["PixelRepresentation"]) == 1,
        samples=integer(header, _TAG["SamplesPerPixel"]) or 1,
        localizer="LOCALIZER" in texts(header, _TAG["ImageType"]),
        series_type=texts(header, _TAG["SeriesType"]),
        units=value("Units").upper(),
        decay_correction=value("DecayCorrection").upper(),
        corrected=texts(header, _TAG["CorrectedImage"]),
        series_at=series_at,
        decay_reference_at=None,
        lossy=is_lossy(header),
    )
    return shared.facts.setdefault(facts, facts)


def _classic_slice(file: Path, header: Header, facts: Facts, start: int | None, length: int) -> Slice:
    def value(keyword: str) -> str:
        return text(header, _TAG[keyword])

    def seconds(keyword: str) -> float | None:
        milliseconds = number(header, _TAG[keyword])
        return None if milliseconds is None else milliseconds / 1000

    philips = text(header, _PHILIPS_BLOCK) == PHILIPS_CREATOR
    return Slice(
        facts=facts,
        path=str(file),
        pixel_start=start,
        truncated=start is not None and start + slice_bytes(facts) > length,
        frame=0,
        instance_uid=value("SOPInstanceUID"),
        position_mm=numbers(header, _TAG["ImagePositionPatient"]),
        slope=number(header, _TAG["RescaleSlope"]),
        intercept=number(header, _TAG["RescaleIntercept"]),
        acquired=_acquired(value("AcquisitionDate"), value("AcquisitionTime"), facts.series_at),
        duration_s=seconds("ActualFrameDuration"),
        reference_s=seconds("FrameReferenceTime"),
        decay_factor=number(header, _TAG["DecayFactor"]),
        slices_stated=integer(header, _TAG["NumberOfSlices"]),
        times_stated=integer(header, _TAG["NumberOfTimeSlices"]),
        index_stated=integer(header, _TAG["ImageIndex"]),
        bits_stored=integer(header, _TAG["BitsStored"]),
        high_bit=integer(header, _TAG["HighBit"]),
        philips_suv=number(header, _PHILIPS_SUV) if philips else None,
        philips_activity=number(header, _PHILIPS_ACTIVITY) if philips else None,
    )


def _acquired(date: str, time: str, series_at: datetime | None) -> datetime | None:
    """Acquisition wall clock; without a date of its own it is the one nearest to the series' start."""
    if date or series_at is None:
        return date_time(date, time)
    same_day = date_time(series_at.strftime("%Y%m%d").zfill(8), time)
    if same_day is None:
        return None
    half_day = timedelta(hours=12)
    days = (same_day - series_at < -half_day) - (same_day - series_at > half_day)
    try:
        return same_day + timedelta(days=days)
    except OverflowError:
        return None


def slice_bytes(facts: Facts) -> int:
    return (facts.rows or 0) * (facts.columns or 0) * (facts.bits or 0) // 8


TWO_OVERLAYS = 4
"""So many patterns make the bits of two overlays."""


def read_pixels(piece: Slice) -> NDArray[Any]:
    """Stored values (rows, columns) of one slice, before rescaling: BitsStored bits, the highest of which is HighBit
    (PS3.5, 8.1.1). The other bits may hold anything: overlays, flags, or copies of the sign.

    Raises InputRefused: dicom-truncated, dicom-compressed, dicom-pixel-format.
    """
    cells = _read_cells(piece)
    bits = piece.facts.bits or 16
    stored = bits if piece.bits_stored is None else piece.bits_stored
    high = stored - 1 if piece.high_bit is None else piece.high_bit
    if not 1 <= stored <= high + 1 <= bits:
        raise InputRefused(
            "dicom-pixel-format",
            "{file} states {stored} bits up to bit {high} of {bits} (BitsStored, HighBit, BitsAllocated), which "
            "cannot be; correct the header",
            file=Path(piece.path).name,
            stored=stored,
            high=high,
            bits=bits,
        )
    if stored == bits or not np.issubdtype(cells.dtype, np.integer):  # all bits count, or GDCM has parted them
        return cells
    width = 8 * cells.dtype.itemsize
    whole = cells.view(f"u{cells.dtype.itemsize}") << np.uint8(width - 1 - high)
    return whole.view(f"{'i' if piece.facts.signed else 'u'}{cells.dtype.itemsize}") >> np.uint8(width - stored)


def beyond_bits(piece: Slice, patterns: int = TWO_OVERLAYS) -> bool:
    """Whether the bits above BitsStored hold numbers: more patterns than zeros, signs or overlays make."""
    bits, stored = piece.facts.bits or 16, piece.bits_stored or 0
    if not 0 < stored < bits:
        return False
    cells = _read_cells(piece)
    if not np.issubdtype(cells.dtype, np.integer):
        return False
    return len(np.unique(cells >> np.uint8(stored if piece.high_bit is None else piece.high_bit + 1))) > patterns


def _read_cells(piece: Slice) -> NDArray[Any]:
    """The pixels (rows, columns) of one slice with all of their bits."""
    facts = piece.facts
    shape = (facts.rows or 0, facts.columns or 0)
    if piece.pixel_start is None:
        return _decoded(piece, shape)
    size = slice_bytes(facts)
    with open(piece.path, "rb", buffering=0) as stream:  # noqa: PTH123 (thousands of files: Path.open costs more)
        stream.seek(piece.pixel_start + piece.frame * size)
        content = stream.read(size)
    if len(content) < size:
        raise truncated(piece)
    kind = f"<{'i' if facts.signed else 'u'}{(facts.bits or 16) // 8}"
    return np.frombuffer(content, kind).reshape(shape)


def truncated(piece: Slice) -> InputRefused:
    return InputRefused(
        "dicom-truncated",
        "{file} ends before its pixels do; copy the series again from its source",
        file=Path(piece.path).name,
    )


def _decoded(piece: Slice, shape: tuple[int, int]) -> NDArray[Any]:
    try:
        found: NDArray[Any] | None = pixel_array(piece.path, index=piece.frame, raw=True)
    except Exception:  # each decoder raises its own kind
        found = _decoded_by_gdcm(piece)
    if found is None:
        raise InputRefused(
            "dicom-compressed",
            "the compressed pixels of {file} cannot be decoded; export the series uncompressed (Explicit "
            "VR Little Endian)",
            file=Path(piece.path).name,
        )
    if found.shape != shape:
        raise InputRefused(
            "dicom-truncated", "{file} holds pixels of another size than it states", file=Path(piece.path).name
        )
    return found


def _decoded_by_gdcm(piece: Slice) -> NDArray[Any] | None:
    """Stored values of a classic file through SimpleITK, which knows JPEG Lossless and hands out rescaled values."""
    if piece.facts.sop_class in (ENHANCED_PET, LEGACY_PET) or not piece.slope:
        return None
    try:
        image: Any = simpleitk.ReadImage(piece.path)
    except RuntimeError:
        return None
    rescaled = simpleitk.GetArrayFromImage(image).astype(float)
    return np.asarray(np.rint((rescaled[0] - (piece.intercept or 0.0)) / piece.slope))
