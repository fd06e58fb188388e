"""Small DICOM series for tests, with known frames and known activity, as three vendors would write them.

The formulas are written here a second time on purpose: what reads must not be checked with itself.
"""

import pickle
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    generate_uid,
)

HALF_LIFE_S = 1220.4
VENDORS = {"ge": "GE MEDICAL SYSTEMS", "siemens": "SIEMENS", "philips": "Philips Medical Systems"}
PATIENT_NAME = "Verysecret^Nomen"
PATIENT_ID = "SECRET-ID-4711"
STUDY_UID = generate_uid(entropy_srcs=["study"])

Edit = Callable[[Dataset, int, int], None]


def unchanged(header: Dataset, frame: int, k: int) -> None:
    """An edit that edits nothing."""


@dataclass(frozen=True, eq=False)
class PetPlan:
    """A dynamic PET. Times in seconds from the injection; scan_s: SeriesTime, to which START corrects.

    edit(header, frame, k) changes each file's header last; frame is -1 in a CT or MR.
    """

    vendor: str = "siemens"
    starts_s: Sequence[float] = (0.0, 10.0, 40.0, 100.0, 400.0)
    durations_s: Sequence[float] = (10.0, 30.0, 60.0, 300.0, 600.0)
    scan_s: float = 0.0
    shape: tuple[int, int, int] = (3, 4, 5)
    correction: str = "START"
    injection: datetime = datetime(2021, 3, 4, 10, 30, 0)
    half_life_s: float = HALF_LIFE_S
    orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0)
    spacing_mm: tuple[float, float, float] = (2.5, 2.0, 3.0)
    seed: int = 1
    edit: Edit = field(default=unchanged)

    @property
    def normal(self) -> NDArray[np.float64]:
        return np.cross(self.orientation[:3], self.orientation[3:])

    def position(self, k: int) -> NDArray[np.float64]:
        return np.array([-30.0, -40.0, 50.0]) + k * self.spacing_mm[2] * self.normal


def decay_factors(plan: PetPlan, reference_s: float) -> NDArray[np.float64]:
    """Activity at ``reference_s`` over the average of the decaying activity in each frame, by its integral."""
    starts, durations = np.array(plan.starts_s, float) - reference_s, np.array(plan.durations_s, float)
    rate = np.log(2) / plan.half_life_s
    average = (np.exp(-rate * starts) - np.exp(-rate * (starts + durations))) / (rate * durations)
    return 1 / average


def reference_times_s(plan: PetPlan) -> NDArray[np.float64]:
    """FrameReferenceTime from SeriesTime: GE the start, Philips the middle, Siemens where activity is average."""
    starts, durations = np.array(plan.starts_s, float) - plan.scan_s, np.array(plan.durations_s, float)
    if plan.vendor == "ge":
        return starts
    if plan.vendor == "philips":
        return starts + durations / 2
    return np.log2(decay_factors(plan, plan.scan_s)) * plan.half_life_s


def write_pet(folder: Path, plan: PetPlan = PetPlan(), prefix: str = "pet") -> NDArray[np.float64]:
    """Write the series and return its true activity: kBq/mL (frames, k, j, i), corrected to the injection."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(plan.seed)
    frames, slices = len(plan.starts_s), plan.shape[0]
    stored = random.integers(0, 30000, (frames, *plan.shape)).astype("<i2")
    slopes = np.round(random.uniform(0.1, 3, (frames, slices)), 6)
    to_injection = {
        "START": np.full(frames, 2 ** (plan.scan_s / plan.half_life_s)),
        "ADMIN": np.ones(frames),
        "NONE": decay_factors(plan, 0.0),
    }[plan.correction]
    factors = decay_factors(plan, plan.scan_s if plan.correction == "START" else 0.0)
    if plan.vendor == "philips" or plan.correction == "NONE":
        factors = np.ones(frames)
    references = reference_times_s(plan)
    uid = generate_uid(entropy_srcs=["series", prefix, str(plan.seed)])
    common = _header(plan, PositronEmissionTomographyImageStorage, "PT", uid)
    _pet_facts(common, plan, frames)
    packed = pickle.dumps(common)  # an edit may reach any depth of a header; this copies it faster than deepcopy
    for frame in range(frames):
        for k in range(slices):
            header = pickle.loads(packed)
            header.ImagePositionPatient = [f"{value:.8g}" for value in plan.position(k)]
            acquired = plan.injection + timedelta(seconds=float(plan.starts_s[frame]))
            header.SOPInstanceUID = f"{uid[:50]}.{frame}.{k}"
            header.AcquisitionDate, header.AcquisitionTime = f"{acquired:%Y%m%d}", f"{acquired:%H%M%S.%f}"
            header.ActualFrameDuration = f"{plan.durations_s[frame] * 1000:.10g}"
            header.FrameReferenceTime = f"{references[frame] * 1000:.12g}"
            header.DecayFactor = f"{factors[frame]:.6g}"
            header.ImageIndex = frame * slices + k + 1
            header.RescaleSlope, header.RescaleIntercept = f"{slopes[frame, k]:.6f}", "0"
            header.PixelData = stored[frame, k].tobytes()
            _edited(plan, header, frame, k)
            save(header, folder / f"{prefix}{(frame * 7919 + k * 104729) % 100003:06d}.dcm")
    return stored * slopes[:, :, None, None] * to_injection[:, None, None, None] / 1000


def write_ct(folder: Path, plan: PetPlan = PetPlan(), prefix: str = "ct") -> NDArray[np.float64]:
    """Write a CT on the PET's grid and return its HU (k, j, i)."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = np.random.default_rng(plan.seed).integers(0, 3000, plan.shape).astype("<i2")
    uid = generate_uid(entropy_srcs=["series", prefix, str(plan.seed)])
    for k in range(plan.shape[0]):
        header = _header(plan, CTImageStorage, "CT", uid)
        header.ImagePositionPatient = [f"{value:.8g}" for value in plan.position(k)]
        header.SOPInstanceUID = f"{uid[:50]}.{k}"
        header.RescaleSlope, header.RescaleIntercept, header.RescaleType = "1", "-1024", "HU"
        header.PixelData = stored[k].tobytes()
        _edited(plan, header, -1, k)
        save(header, folder / f"{prefix}{k:04d}.dcm")
    return stored.astype(float) - 1024


def write_mr(folder: Path, plan: PetPlan = PetPlan(), prefix: str = "mr") -> NDArray[np.float64]:
    """Write an MR on the PET's grid, which states no rescaling, and return its signal (k, j, i)."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = np.random.default_rng(plan.seed).integers(0, 900, plan.shape).astype("<i2")
    uid = generate_uid(entropy_srcs=["series", prefix, str(plan.seed)])
    for k in range(plan.shape[0]):
        header = _header(plan, MRImageStorage, "MR", uid)
        header.ImagePositionPatient = [f"{value:.8g}" for value in plan.position(k)]
        header.SOPInstanceUID = f"{uid[:50]}.{k}"
        header.PixelData = stored[k].tobytes()
        _edited(plan, header, -1, k)
        save(header, folder / f"{prefix}{k:04d}.dcm")
    return stored.astype(float)


def _edited(plan: PetPlan, header: Dataset, frame: int, k: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tests write absurd values on purpose
        plan.edit(header, frame, k)


def save(header: Dataset, path: Path) -> None:
    """The bytes of ``header.save_as(path, enforce_file_format=True)``, without its checks and in one piece."""
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, False
    file.write(bytes(128) + b"DICM")
    write_file_meta_info(file, header.file_meta)
    write_dataset(file, header)
    path.write_bytes(file.getvalue())


def _header(plan: PetPlan, sop_class: str, modality: str, uid: str) -> Dataset:
    scan = plan.injection + timedelta(seconds=plan.scan_s)
    header = Dataset()
    header.SOPClassUID, header.Modality = sop_class, modality
    header.PatientName, header.PatientID = PATIENT_NAME, PATIENT_ID
    header.StudyInstanceUID = STUDY_UID
    header.PatientWeight, header.PatientSize, header.PatientSex = "80", "1.8", "M"
    header.Manufacturer, header.ManufacturerModelName = VENDORS.get(plan.vendor, plan.vendor), "Test"
    header.SeriesInstanceUID, header.SeriesNumber = uid, 3 if modality == "PT" else 2
    header.SeriesDate, header.SeriesTime = f"{scan:%Y%m%d}", f"{scan:%H%M%S.%f}"
    header.ImageOrientationPatient = [f"{value:.10g}" for value in plan.orientation]
    header.PixelSpacing = [plan.spacing_mm[1], plan.spacing_mm[0]]
    header.SliceThickness = plan.spacing_mm[2]
    header.Rows, header.Columns = plan.shape[1:]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 1
    return header


def _pet_facts(header: Dataset, plan: PetPlan, frames: int) -> None:
    header.SeriesType = ["DYNAMIC", "IMAGE"]
    header.Units = "BQML"
    header.DecayCorrection = plan.correction
    header.CorrectedImage = ["NORM", "ATTN", "SCAT", "DTIM"] + (["DECY"] if plan.correction != "NONE" else [])
    header.NumberOfSlices, header.NumberOfTimeSlices = plan.shape[0], frames
    item = Dataset()
    item.Radiopharmaceutical = "[11C]DPA-713"
    item.RadiopharmaceuticalStartTime = f"{plan.injection:%H%M%S.%f}"
    item.RadiopharmaceuticalStartDateTime = f"{plan.injection:%Y%m%d%H%M%S.%f}"
    item.RadionuclideTotalDose = "400000000"
    item.RadionuclideHalfLife = f"{plan.half_life_s:g}"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "C-105A1", "SRT", "^11^Carbon"
    item.RadionuclideCodeSequence = Items([code])
    header.RadiopharmaceuticalInformationSequence = Items([item])
