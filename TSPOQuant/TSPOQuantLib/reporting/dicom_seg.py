"""The regions as a DICOM SEG in the patient's study."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import highdicom
import numpy as np
from pydicom.uid import ExplicitVRLittleEndian

from ..acquisition.segmentation import Segment, Segmentation
from ..grid import Grid
from ..messages import InputRefused
from ..regions.anatomy import identify
from ..regions.region import plain_name
from .dicom_context import (
    DicomContext,
    finish,
    making,
    place_codes,
    region_codes,
    short,
    volume_of,
)


@dataclass(frozen=True, eq=False)
class DicomRegions:
    """A DICOM SEG, and the number of each region's segment by its plain name."""

    dataset: highdicom.seg.Segmentation
    numbers: dict[str, int]


def segmentation_object(
    context: DicomContext, segmentation: Segmentation, first_names: Sequence[str] = ()
) -> DicomRegions:
    """The segments that hold voxels, on their own grid, as binary segments that may overlap.

    first_names: regions that come first, in that order: 3D Slicer takes the nth group of a report for the nth segment.
    Slices in which nothing was drawn are left out. Raises InputRefused ("dicom-grid", "dicom-empty").
    """
    order = {name: number for number, name in enumerate(first_names)}
    segments = [segment for segment in segmentation.segments if segment.mask.any()]
    segments.sort(key=lambda segment: order.get(plain_name(segment.name), len(order)))
    if not segments:
        raise InputRefused("dicom-empty", "no region holds a voxel; draw one before writing DICOM")
    drawn = np.flatnonzero(np.any([segment.mask.any(axis=(1, 2)) for segment in segments], axis=0))
    first, last = int(drawn[0]), int(drawn[-1]) + 1
    masks = np.stack([segment.mask[first:last] for segment in segments], axis=-1).astype(np.uint8)
    grid = _slices(segmentation.grid, first, last)
    descriptions = [_description(number, segment, context) for number, segment in enumerate(segments, 1)]
    digest = hashlib.sha256(np.packbits(masks).tobytes() + grid.ijk_to_lps.tobytes())
    digest.update("\n".join(str(description.SegmentLabel) for description in descriptions).encode())
    dataset = highdicom.seg.Segmentation(
        source_images=list(context.image),
        pixel_array=volume_of(masks, grid, context, SegmentNumber=list(range(1, len(segments) + 1))),
        segmentation_type="BINARY",
        segment_descriptions=descriptions,
        content_label="REGIONS",
        content_description="Foramina and cord for TSPO PET",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **making(context, "SEG", 9101, "TSPOQuant regions", digest.hexdigest()),
    )
    finish(dataset, context, "SEG")
    return DicomRegions(dataset, {plain_name(segment.name): number for number, segment in enumerate(segments, 1)})


def _slices(grid: Grid, first: int, last: int) -> Grid:
    """The part of a grid from slice ``first`` up to ``last``."""
    matrix = grid.ijk_to_lps.copy()
    matrix[:3, 3] = grid.to_lps(np.array([0.0, 0.0, first]))
    return Grid((last - first, *grid.shape[1:]), matrix)


def _description(number: int, segment: Segment, context: DicomContext) -> highdicom.seg.SegmentDescription:
    name = plain_name(segment.name)
    anatomy = identify(segment.name, segment.tags)
    category, kind = region_codes(anatomy, segment.tags)
    site, side, level = place_codes(anatomy, context.field)
    description = highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=short(name),
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type="MANUAL",  # whatever proposed it, a person drew or accepted it
        tracking_uid=context.tracking_uid(name),
        tracking_id=short(name),
        anatomic_regions=[site],
        display_color=highdicom.color.CIELabColor.from_rgb(*(round(255 * part) for part in segment.color))
        if segment.color
        else None,
    )
    if side is not None:
        modifier = highdicom.sr.CodedConcept.from_code(side)
        description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [modifier]
    if level is not None:
        place = highdicom.sr.CodedConcept.from_code(level)
        description.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [place]
    return description
