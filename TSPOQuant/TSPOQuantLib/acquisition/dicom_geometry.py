"""From slice positions to one regular grid, or the reason why there is none."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid
from ..messages import InputRefused
from .dicom_slice import Facts, Slice

# None of these is published. Slices closer than the first are the same slice; a slice may lie off the stack's axis by
# the second; gaps may differ from their median by the third part of it, or by what is lost where positions are written
# with one decimal. A slice may lie off its place in a regular stack by the second or by that part of a gap: gaps that
# each differ little add up.
SAME_POSITION_MM = 0.05
OFF_AXIS_MM = 0.2
GAP_TOLERANCE = 0.1
ONE_DECIMAL_MM = 0.1 + 1e-6


# Geometry that is written in more digits than it is known to: slices of one stack may differ in the last ones. A
# direction cosine off by the tolerance moves the far end of a 300 mm image by 0.03 mm (not published).
JITTERING = ("orientation", "pixel_spacing_mm")
JITTER = 1e-4


def same_direction(mine: Any, its: Any) -> bool:
    """Whether two of JITTERING's facts are the same but for their last digits."""
    return len(mine) == len(its) and bool(np.allclose(mine, its, rtol=0, atol=JITTER))


def check_uniform(slices: Sequence[Slice]) -> None:
    """Refuse slices that cannot belong to one series (dicom-mixed-series) or be an image (dicom-geometry, …)."""
    facts = slices[0].facts
    for other in dict.fromkeys(piece.facts for piece in slices):
        differing = [
            name
            for name, mine, its in zip(Facts._fields, facts, other, strict=True)
            if mine != its and not (name in JITTERING and same_direction(mine, its))
        ]
        if "patient_key" in differing:
            raise InputRefused("patient-mismatch", "one series holds slices of two patients; separate them")
        if differing:
            raise InputRefused(
                "dicom-mixed-series",
                "one series holds slices that differ in {differing}, such as {first} and {second}; export the series "
                "again, unmixed",
                differing=", ".join(differing),
                first=Path(slices[0].path).name,
                second=Path(next(piece for piece in slices if piece.facts == other).path).name,
            )
    if not facts.rows or not facts.columns or facts.samples != 1 or facts.bits not in (8, 16, 32):
        raise InputRefused(
            "dicom-pixel-format",
            "pixels of {rows} x {columns}, {bits} bits, {samples} samples are not a gray-scale image that can "
            "be measured; export the original images",
            rows=facts.rows,
            columns=facts.columns,
            bits=facts.bits,
            samples=facts.samples,
        )
    across = np.array(facts.orientation)
    if (
        len(facts.pixel_spacing_mm) != 2
        or across.shape != (6,)
        or not np.isfinite([*facts.pixel_spacing_mm, *facts.orientation]).all()
        or min(facts.pixel_spacing_mm) <= 0
    ):
        raise InputRefused("dicom-geometry", "PixelSpacing or ImageOrientationPatient is absent or absurd")
    row, column = across[:3], across[3:]
    if abs(row @ row - 1) > 1e-3 or abs(column @ column - 1) > 1e-3 or abs(row @ column) > 1e-3:
        raise InputRefused("dicom-geometry", "ImageOrientationPatient is not a pair of perpendicular unit vectors")
    for piece in slices:
        if len(piece.position_mm) != 3 or not np.isfinite(piece.position_mm).all():
            raise InputRefused(
                "dicom-geometry",
                "{file} has no usable ImagePositionPatient (0020,0032); export the series again",
                file=Path(piece.path).name,
            )


def locations(slices: Sequence[Slice]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Distances along the slice normal of the distinct positions (mm, increasing), and each slice's index in them."""
    along = positions(slices) @ normal(slices[0].facts)
    order = np.argsort(along, kind="stable")
    starts_new = np.diff(along[order], prepend=-np.inf) > SAME_POSITION_MM
    index = np.empty(len(slices), dtype=np.intp)
    index[order] = np.cumsum(starts_new) - 1
    return along[order][starts_new], index


def normal(facts: Facts) -> NDArray[np.float64]:
    """Unit vector (LPS) in which slice index k grows: row direction x column direction."""
    row, column = np.array(facts.orientation[:3]), np.array(facts.orientation[3:])
    across = np.cross(row, column)
    return np.asarray(across / np.linalg.norm(across))


def positions(slices: Sequence[Slice]) -> NDArray[np.float64]:
    """(slices, 3) LPS mm of the first pixel's center."""
    return np.array([piece.position_mm for piece in slices], dtype=float)


def stack_grid(stack: Sequence[Slice], thickness_mm: float | None = None) -> Grid:
    """The grid of slices at different positions, ordered along the normal.

    A single slice takes ``thickness_mm`` as its depth. Raises InputRefused: dicom-gantry-tilt, dicom-missing-slices,
    dicom-irregular-spacing, dicom-geometry.
    """
    facts = stack[0].facts
    places, across = positions(stack), normal(facts)
    along = places @ across
    if len(stack) == 1:
        if thickness_mm is None or not thickness_mm > 0:
            raise InputRefused("dicom-geometry", "a single slice without SliceThickness has no volume; add slices")
        step = across * thickness_mm
    else:
        off_axis = np.linalg.norm((places - places[0]) - np.outer(along - along[0], across), axis=1)
        if off_axis.max() > OFF_AXIS_MM:
            raise InputRefused(
                "dicom-gantry-tilt",
                "slices are shifted by up to {highest:.3g} mm against each other (tilted gantry); resample the "
                "series to an untilted one",
                highest=off_axis.max(),
            )
        gaps = np.diff(along)
        usual = float(np.median(gaps))
        odd = np.abs(gaps - usual) > max(GAP_TOLERANCE * usual, ONE_DECIMAL_MM)
        if odd.any():
            where = int(np.argmax(odd))
            missing = gaps[where] > 1.5 * usual
            raise InputRefused(
                "dicom-missing-slices" if missing else "dicom-irregular-spacing",
                "slices {first} and {second} are {gap:.4g} mm apart where {usual:.4g} mm is usual; {what_to_do}",
                first=where + 1,
                second=where + 2,
                gap=gaps[where],
                usual=usual,
                what_to_do="export the series again, complete"
                if missing
                else "resample the series to a regular spacing",
            )
        off = np.abs(along - np.linspace(along[0], along[-1], len(stack)))
        if off.max() > max(GAP_TOLERANCE * usual, OFF_AXIS_MM):
            raise InputRefused(
                "dicom-irregular-spacing",
                "slice {slice} lies {off:.3g} mm off its place in a stack of one spacing ({lowest:.4g} to "
                "{highest:.4g} mm between slices); resample the series to a regular spacing",
                slice=int(off.argmax()) + 1,
                off=off.max(),
                lowest=gaps.min(),
                highest=gaps.max(),
            )
        step = across * (along[-1] - along[0]) / (len(stack) - 1)
    matrix = np.eye(4)
    matrix[:3, 0] = np.array(facts.orientation[:3]) * facts.pixel_spacing_mm[1]
    matrix[:3, 1] = np.array(facts.orientation[3:]) * facts.pixel_spacing_mm[0]
    matrix[:3, 2] = step
    matrix[:3, 3] = places[0]
    return Grid((len(stack), facts.rows or 0, facts.columns or 0), matrix)
