"""The phantom's DICOM: a CT series and a dynamic PET series of each visit, as one of three vendors would write them.

Classic single-frame objects. Timing follows what was measured on real headers: FrameReferenceTime is the frame's start
at GE, its decay-weighted mean at Siemens, its middle at Philips; DecayFactor is the frame's average at GE and Siemens
and 1 at Philips. All three correct for decay to the start of the series (DecayCorrection START). The activity of a
frame is the plain mean over the frame of the decay-corrected curve, which is what models are compared with; a scanner,
that multiplies the mean of the decaying activity by the DecayFactor, differs from it by little in short frames.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    UID,
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

from ..grid import Grid
from .scanner import decay_factors
from .settings import CT
from .tracer import (
    AGE_YEARS,
    FRAME_DURATIONS_S,
    FRAME_STARTS_S,
    HEIGHT_M,
    INJECTED_MBQ,
    WEIGHT_KG,
    SimulatedTracer,
)

Floats = NDArray[np.float32]

# Fixed dates, 42 days apart; simulated.
SCAN_START = {"baseline": datetime(2020, 1, 6, 10, 0, 0), "followup": datetime(2020, 2, 17, 10, 30, 0)}
CT_BEFORE_PET = timedelta(minutes=4)
MR_ATTENUATION = "MRAC, simulated"
MODEL_NAME = "TSPOQuant digital neck"
CT_INTERCEPT_HU = -1024
INSTANCE_UID, INSTANCE_NUMBER, PIXEL_DATA = 0x00080018, 0x00200013, 0x7FE00010
RESCALE_SLOPE, IMAGE_INDEX = 0x00281053, 0x00541330


@dataclass(frozen=True)
class Vendor:
    """What differs between vendors: names, stored numbers, and the words for the corrections."""

    manufacturer: str
    signed: bool
    corrected: tuple[str, ...]
    reconstruction: str
    attenuation: str
    scatter: str


VENDOR = {
    "ge": Vendor(
        "GE MEDICAL SYSTEMS",
        True,
        ("DECY", "ATTN", "SCAT", "DTIM", "RAN", "DCAL", "SLSENS", "NORM"),
        "VPFX",
        "measured,, 0.096000 cm-1,",
        "Model Based",
    ),
    "siemens": Vendor(
        "SIEMENS",
        False,
        ("NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"),
        "PSF+TOF 3i21s",
        "measured,AC CT",
        "Model-based",
    ),
    "philips": Vendor(
        "Philips Medical Systems",
        True,
        ("DECY", "RADL", "ATTN", "SCAT", "DTIM", "RAN", "NORM"),
        "BLOB-OS-TF",
        "CTAC-SG",
        "SS-SIMUL",
    ),
}


def reference_times_ms(vendor: str, half_life_s: float) -> NDArray[np.float64]:
    """FrameReferenceTime of every frame, in ms from the series' start, by the vendor's rule.

    The decay-weighted mean is where the decaying activity equals its mean over the frame:
    t + ln(x / (1 - e^-x)) / lambda, with x = lambda d [textbook].
    """
    per_s = np.log(2) / half_life_s
    x = per_s * FRAME_DURATIONS_S
    into = {
        "ge": np.zeros_like(x),
        "siemens": np.log(x / -np.expm1(-x)) / per_s,
        "philips": FRAME_DURATIONS_S / 2,
    }[vendor]
    return np.asarray((FRAME_STARTS_S + into) * 1000)


@dataclass(frozen=True)
class Identity:
    """What ties a visit's files together; all UIDs come from the entropy and are the same in every run."""

    entropy: tuple[str, ...]
    visit: str

    def uid(self, what: str) -> str:
        """A UID of at most 58 characters, so that a file's number fits behind it."""
        return str(generate_uid(entropy_srcs=[*self.entropy, self.visit, what]))[:57].rstrip(".")


def write_ct(folder: Path, hounsfield: Floats, grid: Grid, identity: Identity, vendor: str) -> None:
    """One file a slice, from the head down."""
    header = _dataset(
        Modality="CT",
        SOPClassUID=CTImageStorage,
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        SeriesInstanceUID=identity.uid("ct"),
        SeriesDescription="CT neck, simulated",
        KVP=120,
        ConvolutionKernel="STANDARD",
        RescaleIntercept=CT_INTERCEPT_HU,
        RescaleSlope=1,
        RescaleType="HU",
        WindowCenter=40,
        WindowWidth=400,
    )
    _write_slices(folder, header, np.rint(hounsfield) - CT_INTERCEPT_HU, grid, identity, vendor)


def write_mr(folder: Path, signal: Floats, grid: Grid, identity: Identity, vendor: str) -> None:
    """One file a slice, from the head down, without rescaling, as an MR is mostly written."""
    header = _dataset(
        Modality="MR",
        SOPClassUID=MRImageStorage,
        ImageType=["ORIGINAL", "PRIMARY", "M"],
        SeriesInstanceUID=identity.uid("mr"),
        SeriesDescription="T1 3D, simulated",
        ScanningSequence="GR",
        SequenceVariant="SP",
        MRAcquisitionType="3D",
        MagneticFieldStrength=3,
        RepetitionTime=20,
        EchoTime=2.5,
        FlipAngle=25,
    )
    _write_slices(folder, header, np.rint(signal), grid, identity, vendor)


def _write_slices(folder: Path, own: Dataset, values: Floats, grid: Grid, identity: Identity, vendor: str) -> None:
    """A CT or MR (k, j, i) of 12 bits; own: what its header has beside that of the visit."""
    started = SCAN_START[identity.visit] - CT_BEFORE_PET
    header = _common(identity, vendor, started)
    header.update(own)
    header.PatientPosition, header.SeriesNumber, header.AcquisitionNumber = "HFS", 2, 1
    header.AcquisitionDate, header.AcquisitionTime = _date(started), _time(started)
    header.ContentDate, header.ContentTime = header.AcquisitionDate, header.AcquisitionTime
    _add_grid(header, grid, signed=False)
    stored = np.clip(values, 0, 4095).astype("<u2")
    series = SeriesWriter(folder, header)
    for number, k in enumerate(range(grid.shape[0] - 1, -1, -1), start=1):
        series.write(number, encoded(_place(grid, k)), stored[k])


def write_pet(
    folder: Path,
    frames: Iterator[Floats],
    grid: Grid,
    identity: Identity,
    vendor: str,
    tracer: SimulatedTracer,
    anatomy: str = CT,
) -> None:
    """One file a slice and frame, in Bq/mL, each slice with its own RescaleSlope; frames: kBq/mL (k, j, i).

    anatomy: what the attenuation map is said to be made from.
    """
    kind = VENDOR[vendor]
    started = SCAN_START[identity.visit]
    header = _common(identity, vendor, started)
    header.Modality = "PT"
    header.SOPClassUID = PositronEmissionTomographyImageStorage
    header.ImageType = ["ORIGINAL", "PRIMARY"]
    header.SeriesInstanceUID = identity.uid("pet")
    header.SeriesNumber = 3
    header.SeriesDescription = "PET neck dynamic, simulated"
    header.SeriesType = ["DYNAMIC", "IMAGE"]
    header.Units = "BQML"
    header.CountsSource = "EMISSION"
    header.CorrectedImage = list(kind.corrected)
    header.DecayCorrection = "START"
    header.RandomsCorrectionMethod = "DLYD"
    header.AttenuationCorrectionMethod = kind.attenuation if anatomy == CT else MR_ATTENUATION
    header.ScatterCorrectionMethod = kind.scatter
    header.ReconstructionMethod = kind.reconstruction
    header.CollimatorType = "NONE"
    header.AcquisitionDate = header.ContentDate = _date(started)
    header.NumberOfSlices = grid.shape[0]
    header.NumberOfTimeSlices = len(FRAME_STARTS_S)
    header.RescaleIntercept = 0
    window = _dataset(EnergyWindowLowerLimit=435, EnergyWindowUpperLimit=650)
    header.EnergyWindowRangeSequence = DicomSequence([window])
    header.RadiopharmaceuticalInformationSequence = DicomSequence([_radiopharmaceutical(identity.visit, tracer)])
    recumbent = _code("102538003", "SCT", "recumbent")
    recumbent.PatientOrientationModifierCodeSequence = DicomSequence([_code("40199007", "SCT", "supine")])
    header.PatientOrientationCodeSequence = DicomSequence([recumbent])
    header.PatientGantryRelationshipCodeSequence = DicomSequence([_code("102540001", "SCT", "headfirst")])
    _add_grid(header, grid, signed=kind.signed)
    largest = 32767 if kind.signed else 65535
    factors = np.ones(len(FRAME_STARTS_S)) if vendor == "philips" else decay_factors(tracer.half_life_s)
    series = SeriesWriter(folder, header)
    from_head = range(grid.shape[0] - 1, -1, -1)
    places = [encoded(_place(grid, k)) for k in from_head]
    for f, (image, reference) in enumerate(zip(frames, reference_times_ms(vendor, tracer.half_life_s), strict=True)):
        at = _time(started + timedelta(seconds=float(FRAME_STARTS_S[f])))
        timing = _dataset(
            AcquisitionTime=at,
            ContentTime=at,
            ActualFrameDuration=round(FRAME_DURATIONS_S[f] * 1000),
            FrameReferenceTime=_decimal(reference),
            DecayFactor=_decimal(factors[f]),
        )
        for_frame = encoded(timing)
        for n, k in enumerate(from_head):
            number = f * len(from_head) + n + 1
            slope = _slope(float(image[k].max()) * 1000 / largest)
            stored = np.rint(image[k] * 1000 / float(slope)).clip(0, largest).astype("<i2" if kind.signed else "<u2")
            own = {
                RESCALE_SLOPE: element(RESCALE_SLOPE, "DS", slope.encode()),
                IMAGE_INDEX: element(IMAGE_INDEX, "US", struct.pack("<H", number)),
            }
            series.write(number, for_frame | places[n] | own, stored)


class SeriesWriter:
    """Writes a series' files from one header: only what varies is encoded again, which makes thousands of files fast.

    The files are numbered from 1 to 89999, so that their UIDs all have the same length.
    """

    def __init__(self, folder: Path, header: Dataset) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._modality = header.Modality
        self._series_uid = header.SeriesInstanceUID
        self._constant = encoded(header)
        meta = FileMetaDataset()
        meta.FileMetaInformationVersion = b"\x00\x01"
        meta.MediaStorageSOPClassUID = header.SOPClassUID
        meta.MediaStorageSOPInstanceUID = self._uid(0)
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
        out = DicomBytesIO()
        write_file_meta_info(out, meta)
        self._preamble = b"\x00" * 128 + b"DICM" + out.getvalue()

    def _uid(self, number: int) -> UID:
        return UID(f"{self._series_uid}.{10000 + number}")

    def write(self, number: int, varying: dict[int, bytes], stored: NDArray[np.generic]) -> None:
        """One file: its number in the series, its own encoded elements by tag, its 16-bit pixels."""
        uid = self._uid(number)
        own = {
            INSTANCE_UID: element(INSTANCE_UID, "UI", uid.encode()),
            INSTANCE_NUMBER: element(INSTANCE_NUMBER, "IS", str(number).encode()),
            PIXEL_DATA: element(PIXEL_DATA, "OW", stored.tobytes()),
        }
        elements = self._constant | varying | own
        preamble = self._preamble.replace(self._uid(0).encode(), uid.encode())
        data = preamble + b"".join(elements[tag] for tag in sorted(elements))
        (self._folder / f"{self._modality}{number:05d}.dcm").write_bytes(data)


def element(tag: int, vr: str, value: bytes) -> bytes:
    """One element in explicit VR little endian, its value padded to an even length: of what every file has its own."""
    value += (b"\x00" if vr in ("UI", "OW") else b" ") * (len(value) % 2)
    length = struct.pack("<2xI" if vr == "OW" else "<H", len(value))
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode() + length + value


def encoded(dataset: Dataset) -> dict[int, bytes]:
    """Each element's bytes by tag."""
    by_tag = {}
    for element in dataset:
        alone = Dataset()
        alone.add(element)
        out = DicomBytesIO()
        out.is_little_endian, out.is_implicit_VR = True, False
        write_dataset(out, alone)
        by_tag[int(element.tag)] = out.getvalue()
    return by_tag


def _common(identity: Identity, vendor: str, started: datetime) -> Dataset:
    """Patient, study, frame of reference and equipment: the same in both series of a visit."""
    scan_start = SCAN_START[identity.visit]
    return _dataset(
        SpecificCharacterSet="ISO_IR 100",
        PatientName="Phantom^Digital",
        PatientID="PHANTOM",
        PatientBirthDate="",
        PatientSex="M",
        PatientAge=f"{AGE_YEARS:03d}Y",
        PatientWeight=WEIGHT_KG,
        PatientSize=HEIGHT_M,
        BodyPartExamined="NECK",
        StudyInstanceUID=identity.uid("study"),
        StudyID=identity.visit,
        StudyDate=_date(scan_start),
        StudyTime=_time(scan_start - CT_BEFORE_PET),
        StudyDescription="Simulated neck, not a patient",
        SeriesDate=_date(started),
        SeriesTime=_time(started),
        AccessionNumber="",
        ReferringPhysicianName="",
        FrameOfReferenceUID=identity.uid("frame of reference"),
        PositionReferenceIndicator="",
        Manufacturer=VENDOR[vendor].manufacturer,
        ManufacturerModelName=MODEL_NAME,
        InstitutionName="Simulated",
        ImageComments="simulated by TSPOQuant",
    )


def _add_grid(header: Dataset, grid: Grid, signed: bool) -> None:
    i, j, k = grid.spacing_mm
    header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    header.PixelSpacing = [_decimal(j), _decimal(i)]
    header.SliceThickness = header.SpacingBetweenSlices = _decimal(k)
    header.Rows, header.Columns = grid.shape[1], grid.shape[2]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
    header.PixelRepresentation = int(signed)


def _place(grid: Grid, k: int) -> Dataset:
    """Where slice k lies."""
    x, y, z = (_decimal(value) for value in grid.to_lps(np.array([0.0, 0.0, k])))
    return _dataset(ImagePositionPatient=[x, y, z], SliceLocation=z)


def _radiopharmaceutical(visit: str, tracer: SimulatedTracer) -> Dataset:
    started = SCAN_START[visit]
    return _dataset(
        Radiopharmaceutical=tracer.name,
        RadiopharmaceuticalRoute="Intravenous route",
        RadiopharmaceuticalStartTime=_time(started),
        RadiopharmaceuticalStartDateTime=_date(started) + _time(started),
        RadionuclideTotalDose=_decimal(INJECTED_MBQ[visit] * 1e6),
        RadionuclideHalfLife=_decimal(tracer.half_life_s),
        RadionuclidePositronFraction=tracer.positron_fraction,
        RadionuclideCodeSequence=DicomSequence([_code(*tracer.radionuclide)]),
        RadiopharmaceuticalCodeSequence=DicomSequence([_code(*tracer.code)]),
    )


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    return _dataset(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _dataset(**elements: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def _decimal(value: float) -> str:
    """A DICOM decimal string: at most 16 characters."""
    return f"{value:.10g}"


def _slope(value: float) -> str:
    """A RescaleSlope no smaller than asked, so that the largest value still fits; 1 for an empty slice."""
    return f"{value * (1 + 1e-9):.10g}" if value > 0 else "1"


def _date(at: datetime) -> str:
    return at.strftime("%Y%m%d")


def _time(at: datetime) -> str:
    return at.strftime("%H%M%S.%f")
