"""What is measured of a drawn region, each with its unit and its DICOM codes, as Slicer's Segment Statistics does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..acquisition.segmentation import PRIVATE_SCHEME
from ..grid import Grid
from ..levels import SIZES_MM
from .canal import LENGTH_MM
from .region import Region
from .sampling import coverage

Code = tuple[str, str, str]
"""Value, scheme, meaning."""


@dataclass(frozen=True)
class Measurement:
    """One kind of measurement. ``unit`` is UCUM; ``method``: how it is measured, where there is a code for it."""

    key: str
    name: str
    description: str
    unit: str
    quantity: Code
    unit_code: Code
    method: Code | None = None


_VOLUME: Code = ("118565006", "SCT", "Volume")
_VOXELS: Code = ("voxels", "UCUM", "voxels")
_RATIO: Code = ("1", "UCUM", "no units")
_MILLIMETER: Code = ("mm", "UCUM", "millimeter")
_SUMMED: Code = ("126030", "DCM", "Sum of segmented voxel volumes")

MEASUREMENTS = (
    Measurement(
        "voxel_count",
        "Voxel count",
        "Number of voxels of the segment",
        "voxels",
        ("nvoxels", "99QIICR", "Number of voxels"),  # as Slicer's LabelmapSegmentStatisticsPlugin codes it
        _VOXELS,
    ),
    Measurement(
        "volume_mm3",
        "Volume mm3",
        "Volume of the segment's voxels",
        "mm3",
        _VOLUME,
        ("mm3", "UCUM", "cubic millimeter"),
        _SUMMED,
    ),
    Measurement(
        "volume_cm3",
        "Volume cm3",
        "Volume of the segment's voxels",
        "cm3",
        _VOLUME,
        ("cm3", "UCUM", "cubic centimeter"),
        _SUMMED,
    ),
    Measurement(
        "effective_voxels",
        "Effective PET voxels",
        "Squared sum over sum of squares of the fractions of PET voxels that the segment covers",
        "voxels",
        ("EFFECTIVE_VOXELS", PRIVATE_SCHEME, "Effective number of voxels"),
        _VOXELS,
    ),
    Measurement(
        "size_ratio",
        "Size over normal",
        "Volume over that of an elliptic canal of the level's published size",
        "1",
        ("SIZE_RATIO", PRIVATE_SCHEME, "Volume relative to the published size of a cervical neuroforamen"),
        _RATIO,
    ),
    Measurement(
        "cord_distance_mm",
        "Distance from the cord",
        "From the center of the segment to the nearest drawn cord",
        "mm",
        ("CORD_DISTANCE", PRIVATE_SCHEME, "Distance to the spinal cord"),
        _MILLIMETER,
    ),
)
"""In the order of tables. No standard code is known for the last three: they are of our own declared scheme."""


def usual_mm3(level: str) -> float:
    """The volume of an elliptic canal of the published size at a foramen's level."""
    height, width = SIZES_MM[level]
    return float(np.pi / 4 * height * width * LENGTH_MM)


def measure(region: Region, regions: Sequence[Region], pet: Grid | None = None) -> dict[str, float]:
    """Every measurement that makes sense for a region, by key; an empty region has only its volumes, of 0.

    regions: where a drawn cord is looked for. pet: for the effective voxels.
    """
    voxels = np.argwhere(region.mask)
    volume = region.volume_mm3
    values = {"voxel_count": float(len(voxels)), "volume_mm3": volume, "volume_cm3": volume / 1000}
    if len(voxels) == 0:
        return values
    if pet is not None:
        fractions = coverage(region, pet).fractions
        if len(fractions):
            values["effective_voxels"] = float(fractions.sum() ** 2 / (fractions**2).sum())
    if region.anatomy.structure == "foramen":
        if region.anatomy.level in SIZES_MM:
            values["size_ratio"] = volume / usual_mm3(region.anatomy.level)
        cord = [other for other in regions if other.anatomy.structure == "cord" and other.mask.any()]
        if cord:
            center = region.grid.to_lps(voxels.mean(axis=0)[::-1])
            points = [region.grid.to_lps(np.argwhere(region.mask)[:, ::-1].astype(float)) for region in cord]
            values["cord_distance_mm"] = float(np.linalg.norm(np.concatenate(points) - center, axis=1).min())
    return values
