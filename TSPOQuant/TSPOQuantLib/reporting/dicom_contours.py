"""The regions as a DICOM RT Structure Set in the patient's study, for programs that know contours alone."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, RTStructureSetStorage

from .. import __version__
from ..acquisition.contour_files import CLOSED, CONTOURS, EXCLUSIVE, outlines
from ..acquisition.segmentation import Segment, Segmentation
from ..grid import Grid
from ..messages import InputRefused
from ..regions.region import plain_name
from .dicom_context import COPIED, DicomContext, decimals, finish, item, short

DEFAULT_COLOR = (0.5, 0.5, 0.5)
STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"  # detached study management, retired, and still what the standard asks for
Floats = NDArray[np.float64]


def contours_object(context: DicomContext, segmentation: Segmentation, on: Grid) -> Dataset:
    """The segments that hold voxels, outlined along the voxels' edges in the slices of the image.

    on: the grid of ``context.image``; regions of another grid are taken at the centers of its voxels. Read back on
    that grid they are the same voxels. Raises InputRefused ("dicom-empty").
    """
    masks = [(segment, _mask_on(segment.mask, segmentation.grid, on)) for segment in segmentation.segments]
    masks = [(segment, mask) for segment, mask in masks if mask.any()]
    if not masks:
        raise InputRefused("dicom-empty", "no region holds a voxel; draw one before writing DICOM")
    digest = hashlib.sha256(on.ijk_to_lps.tobytes())
    for segment, mask in masks:
        digest.update(plain_name(segment.name).encode() + np.packbits(mask).tobytes())
    named = digest.hexdigest()
    first = context.image[0]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = RTStructureSetStorage, ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    for keyword in (*COPIED, "StudyInstanceUID", "FrameOfReferenceUID"):
        if keyword in first:
            setattr(dataset, keyword, first[keyword].value)
    dataset.PositionReferenceIndicator = ""
    dataset.Modality, dataset.SOPClassUID = CONTOURS, RTStructureSetStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = UID(context.uid(CONTOURS, "instance", named))
    dataset.SeriesInstanceUID = context.uid(CONTOURS, "series", named)
    dataset.SeriesNumber, dataset.InstanceNumber = 9104, 1
    dataset.SeriesDescription, dataset.StructureSetLabel = "TSPOQuant regions, contours", "REGIONS"
    dataset.OperatorsName = ""
    dataset.Manufacturer = dataset.ManufacturerModelName = "TSPOQuant"
    dataset.SoftwareVersions, dataset.DeviceSerialNumber = __version__, "none (software)"
    dataset.StructureSetDate = context.created.strftime("%Y%m%d")
    dataset.StructureSetTime = context.created.strftime("%H%M%S")
    images = [_reference(header) for header in context.image]
    series = item(SeriesInstanceUID=first.SeriesInstanceUID, ContourImageSequence=images)
    study = item(
        ReferencedSOPClassUID=STUDY_CLASS,
        ReferencedSOPInstanceUID=first.StudyInstanceUID,
        RTReferencedSeriesSequence=[series],
    )
    frame = item(FrameOfReferenceUID=first.FrameOfReferenceUID, RTReferencedStudySequence=[study])
    dataset.ReferencedFrameOfReferenceSequence = [frame]
    numbered = list(enumerate(masks, 1))
    dataset.StructureSetROISequence = [
        item(
            ROINumber=number,
            ReferencedFrameOfReferenceUID=first.FrameOfReferenceUID,
            ROIName=short(plain_name(segment.name)),
            ROIGenerationAlgorithm="MANUAL",
        )
        for number, (segment, _) in numbered
    ]
    dataset.ROIContourSequence = [
        _contours(number, segment, mask, on, context) for number, (segment, mask) in numbered
    ]
    dataset.RTROIObservationsSequence = [
        item(ObservationNumber=number, ReferencedROINumber=number, RTROIInterpretedType="", ROIInterpreter="")
        for number, _ in numbered
    ]
    finish(dataset, context, CONTOURS)
    return dataset


def _mask_on(mask: NDArray[np.bool_], grid: Grid, on: Grid) -> NDArray[np.bool_]:
    """A mask at the centers of another grid's voxels."""
    if grid.same_as(on) or not mask.any():
        return mask
    filled = np.zeros(on.shape, dtype=bool)
    drawn = np.argwhere(mask)
    ends = np.array([drawn.min(axis=0), drawn.max(axis=0) + 1])[:, ::-1] - 0.5
    corners = np.stack(np.meshgrid(*ends.T), axis=-1).reshape(-1, 3)
    there = on.to_ijk(grid.to_lps(corners))
    low = np.clip(np.floor(there.min(axis=0)).astype(int), 0, None)
    high = np.minimum(np.ceil(there.max(axis=0)).astype(int) + 1, on.shape[::-1])
    if (low >= high).any():
        return filled
    k, j, i = np.meshgrid(*(np.arange(a, b) for a, b in zip(low[::-1], high[::-1], strict=True)), indexing="ij")
    at = np.rint(grid.to_ijk(on.to_lps(np.stack([i, j, k], axis=-1).astype(float)))).astype(int)[..., ::-1]
    inside = ((at >= 0) & (at < grid.shape)).all(axis=-1)
    at[~inside] = 0
    filled[k, j, i] = inside & mask[at[..., 0], at[..., 1], at[..., 2]]
    return filled


def _contours(number: int, segment: Segment, mask: NDArray[np.bool_], on: Grid, context: DicomContext) -> Dataset:
    polygons = [(k, polygon) for k in np.flatnonzero(mask.any(axis=(1, 2))) for polygon in outlines(mask[k])]
    kind = EXCLUSIVE if any(_is_hole(polygon) for _, polygon in polygons) else CLOSED
    contours = []
    for k, polygon in polygons:
        points = on.to_lps(np.column_stack([polygon, np.full(len(polygon), float(k))]))
        contour = item(
            ContourGeometricType=kind, NumberOfContourPoints=len(points), ContourData=decimals(points.ravel().tolist())
        )
        image = _image_of(on.to_lps(np.array([0.0, 0.0, float(k)])), on, context)
        if image is not None:
            contour.ContourImageSequence = [_reference(image)]
        contours.append(contour)
    color = [round(255 * part) for part in segment.color or DEFAULT_COLOR]
    return item(ROIDisplayColor=color, ContourSequence=contours, ReferencedROINumber=number)


def _is_hole(polygon: Floats) -> bool:
    """Whether the corners run against the clock on the screen (i to the right, j down)."""
    i, j = polygon.T
    return float(np.dot(i, np.roll(j, -1)) - np.dot(j, np.roll(i, -1))) < 0


def _image_of(origin_mm: Floats, on: Grid, context: DicomContext) -> Dataset | None:
    """The header of the slice with that origin; None where the image is one file, or is no DICOM of slices."""
    half = on.spacing_mm[2] / 2
    there = (header for header in context.image if "ImagePositionPatient" in header)
    near = (
        header
        for header in there
        if np.linalg.norm(np.array(header.ImagePositionPatient, dtype=float) - origin_mm) < half
    )
    return next(near, None)


def _reference(header: Dataset) -> Dataset:
    return item(ReferencedSOPClassUID=header.SOPClassUID, ReferencedSOPInstanceUID=header.SOPInstanceUID)
