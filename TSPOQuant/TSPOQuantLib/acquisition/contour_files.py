"""DICOM RT Structure Sets in: contours drawn on the slices of an image, to masks on its grid.

A voxel belongs to a region where its center lies within the contours of its slice (even-odd rule): a contour within
another one cuts a hole, as CLOSEDPLANAR_XOR says, as a keyhole shows, and as programs that write CLOSED_PLANAR twice
mean it (PS3.3, C.8.8.6).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from ..grid import Grid
from ..messages import InputRefused, Notices
from .dicom_slice import key_of
from .segmentation import Segment, Segmentation

CONTOURS = "RTSTRUCT"
CLOSED, EXCLUSIVE = "CLOSED_PLANAR", "CLOSEDPLANAR_XOR"
# Contours lie in the plane of a slice, to what decimal strings and the rounding of planning systems leave: parts of
# the distance between slices. Our choice; half a slice would be another one's.
PLANE_TOLERANCE = 0.1
SLICE_TOLERANCE = 0.25
FEWEST_POINTS = 3
# Two contours of the same voxels are one that was written twice, if their areas differ by no more than this part (our
# choice: rounding of coordinates); a corner may lie so many voxels beyond the outermost centers.
SAME_AREA, EDGE_VOXELS = 1e-3, 1.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Region:
    """One region of interest: its name, its color, and the points (n, 3) in LPS mm of each closed contour.

    reference: FrameOfReferenceUID, "" where none is stated.
    """

    number: int
    name: str
    reference: str
    color: tuple[float, float, float] | None
    contours: tuple[Floats, ...]
    open_contours: int
    exclusive: bool


def read_contours(file: str, dataset: Dataset, on: Grid | None) -> Segmentation:
    """The regions of an RT Structure Set as masks on the grid of the image that they were drawn on.

    Raises InputRefused ("contours-…"): without that grid, for contours that are not in its slices, for regions of
    several frames of reference, and where nothing was drawn within the image.
    """
    if on is None:
        raise InputRefused(
            "contours-image",
            "{file} holds contours, which need the image that they were drawn on; name a study.toml with it",
            file=file,
        )
    notices = Notices()
    regions = list(_regions(file, dataset))
    drawn = [region for region in regions if region.contours]
    references = {region.reference for region in drawn} - {""}
    if len(references) > 1:
        raise InputRefused(
            "contours-frames",
            "{file} holds regions of several frames of reference; export those of this image alone",
            file=file,
        )
    for region in regions:
        if region.open_contours:
            notices.add(
                "contours-open",
                "{file}, {region}: {count} contours are points or open lines; they enclose nothing",
                file=file,
                region=region.name,
                count=region.open_contours,
            )
    if not drawn:
        raise InputRefused("contours-none", "{file} holds no closed contour", file=file)
    masks = {region.number: _mask(file, region, on, notices) for region in drawn}
    segments = [
        Segment(f"Segment_{region.number}", region.name, mask, region.color)
        for region in drawn
        if (mask := masks[region.number]) is not None
    ]
    if not segments:
        raise InputRefused(
            "contours-outside",
            "{file}: every contour lies outside of the image; it was drawn on another image",
            file=file,
        )
    undrawn = (region.name for region in regions if masks.get(region.number) is None)
    key = key_of(next(iter(references))) if references else None
    return Segmentation(on, tuple(segments), tuple(notices), frame_of_reference_key=key, undrawn=tuple(undrawn))


def _regions(file: str, dataset: Dataset) -> Iterator[_Region]:
    """The regions in the order of the structure set; their contours are told in any other one, by number.

    Raises InputRefused: "contours-numbers", "contours-points".
    """
    drawn = {item.get("ReferencedROINumber"): item for item in dataset.get("ROIContourSequence", ())}
    _check_numbers(file, dataset)
    for item in dataset.get("StructureSetROISequence", ()):
        number = item.get("ROINumber")
        contours = list(drawn[number].get("ContourSequence", ()) if number in drawn else ())
        color = drawn[number].get("ROIDisplayColor") if number in drawn else None
        closed = [contour for contour in contours if contour.get("ContourGeometricType") in (CLOSED, EXCLUSIVE)]
        points = [_points(file, str(item.get("ROIName")), contour) for contour in closed]
        areas = [corners for corners in points if len(corners) >= FEWEST_POINTS]
        yield _Region(
            number=int(number),
            name=str(item.get("ROIName") or "").strip() or f"ROI_{number}",
            reference=str(item.get("ReferencedFrameOfReferenceUID") or ""),
            color=(color[0] / 255, color[1] / 255, color[2] / 255) if color and len(color) == 3 else None,
            contours=tuple(areas),
            open_contours=len(contours) - len(areas),
            exclusive=any(contour.get("ContourGeometricType") == EXCLUSIVE for contour in closed),
        )


def _check_numbers(file: str, dataset: Dataset) -> None:
    """Refuse ("contours-numbers") regions that share a number, and contours of one that is not listed."""
    listed = [item.get("ROINumber") for item in dataset.get("StructureSetROISequence", ())]
    drawn = [item.get("ReferencedROINumber") for item in dataset.get("ROIContourSequence", ())]
    twice = [number for numbers in (listed, drawn) for number in numbers if numbers.count(number) > 1]
    unlisted = [number for number in drawn if number not in listed]
    if twice or unlisted:
        raise InputRefused(
            "contours-numbers",
            "{file}: the number {number} of a region (ROINumber, ReferencedROINumber) stands twice or belongs to "
            "none: it is not known whose contours are whose; export the structure set again",
            file=file,
            number=str([*twice, *unlisted][0]),
        )


def _points(file: str, region: str, contour: Dataset) -> Floats:
    """The points (n, 3) of a contour in LPS mm, none where it was never drawn.

    Raises InputRefused ("contours-points") where some are missing or no numbers.
    """
    stated = contour.get("NumberOfContourPoints")
    written = contour.get_item("ContourData")
    if written is None or not written.value:
        return np.empty((0, 3))
    try:
        values = np.array(contour.ContourData, dtype=float)
    except ValueError:  # pydicom's, for what is written with a decimal comma
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        raise InputRefused(
            "contours-points",
            "{file}, {region}: a contour's coordinates are not all numbers (decimals take a point); export the "
            "structure set again",
            file=file,
            region=region,
        )
    if values.size % 3 or (stated is not None and values.size != 3 * int(stated)):
        raise InputRefused(
            "contours-points",
            "{file}, {region}: a contour states {stated} points (NumberOfContourPoints) and holds {values} "
            "coordinates, not three of each; export the structure set again",
            file=file,
            region=region,
            stated=str(stated),
            values=values.size,
        )
    return values.reshape(-1, 3)


def _mask(file: str, region: _Region, on: Grid, notices: Notices) -> NDArray[np.bool_] | None:
    """Which voxels the contours enclose; None where all of them lie outside of the image."""
    mask = np.zeros(on.shape, dtype=bool)
    nested = False
    cut = outside = 0
    drawn: dict[int, list[tuple[float, NDArray[np.bool_]]]] = {}
    for points in region.contours:
        ijk = on.to_ijk(points)
        level = float(ijk[:, 2].mean())
        k = round(level)
        if np.ptp(ijk[:, 2]) > PLANE_TOLERANCE or abs(level - k) > SLICE_TOLERANCE:
            raise InputRefused(
                "contours-plane",
                "{file}, {region}: a contour does not lie in a slice of the image; it was drawn on another image, or "
                "in another direction",
                file=file,
                region=region.name,
            )
        far = np.array([*on.shape[:0:-1], on.shape[0]], dtype=float)
        low, high = ijk.min(axis=0), ijk.max(axis=0)
        if (high < -0.5).any() or (low > far - 0.5).any():
            outside += 1
            continue
        cut += bool((low < -EDGE_VOXELS).any() or (high > far - 1 + EDGE_VOXELS).any())
        within, area = enclosed(ijk[:, :2], on.shape[1:]), _area(ijk[:, :2])
        others = drawn.setdefault(k, [])
        if any(abs(area - its) <= SAME_AREA * area and np.array_equal(within, other) for its, other in others):
            continue  # written twice; the two would cut each other out
        others.append((area, within))
        nested |= bool((mask[k] & within).any())
        mask[k] ^= within
    if cut or outside:
        notices.add(
            "contours-beyond",
            "{file}, {region}: {count} of {contours} contours reach beyond the image, and what lies there was left "
            "out; make sure that they were drawn on this image",
            file=file,
            region=region.name,
            count=cut + outside,
            contours=len(region.contours),
        )
    if outside == len(region.contours):
        return None
    if nested and not region.exclusive:
        notices.add(
            "contours-nested",
            "{file}, {region}: where contours of one slice overlap, what both enclose was taken for a hole",
            file=file,
            region=region.name,
        )
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    missing = int(np.ptp(slices)) + 1 - slices.size if slices.size else 0
    if missing:
        notices.add(
            "contours-gap",
            "{file}, {region}: {count} slices between its contours hold none; they were left empty",
            file=file,
            region=region.name,
            count=missing,
        )
    mask.flags.writeable = False
    return mask


def _area(corners: Floats) -> float:
    """Area of a polygon (n, 2), in voxels of its slice."""
    i, j = corners.T
    return abs(float(i @ np.roll(j, -1) - j @ np.roll(i, -1))) / 2


def enclosed(corners: Floats, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Which points with whole coordinates (rows j, columns i) lie within a closed polygon, by the even-odd rule.

    corners: (n, 2), i and j of each.
    """
    rows, columns = shape
    crossed = np.zeros((rows, columns + 1), dtype=np.int32)
    for (i, j), (next_i, next_j) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if j == next_j:
            continue
        first, last = (int(np.ceil(np.clip(one, 0, rows))) for one in sorted((j, next_j)))
        at = np.arange(first, last)
        crossing = i + (at - j) * (next_i - i) / (next_j - j)
        crossed[at, np.clip(np.ceil(crossing), 0, columns).astype(int)] += 1
    return np.asarray(np.cumsum(crossed[:, :-1], axis=1) % 2 == 1)


def outlines(mask: NDArray[np.bool_]) -> list[Floats]:
    """The closed polygons (n, 2), i and j of each corner, along the edges of the voxels of a slice (j, i).

    ``enclosed`` makes the very same slice of them. Outer ones run clockwise on the screen (i to the right, j down),
    holes the other way round.
    """
    padded = np.pad(mask, 1)
    edges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    # An edge between a voxel and its empty neighbor runs so that the voxel lies to its right.
    for step_j, step_i, begin, end in (
        (-1, 0, (0, 0), (1, 0)),
        (0, 1, (1, 0), (1, 1)),
        (1, 0, (1, 1), (0, 1)),
        (0, -1, (0, 1), (0, 0)),
    ):
        bare = mask & ~np.roll(padded, (-step_j, -step_i), axis=(0, 1))[1:-1, 1:-1]
        for j, i in np.argwhere(bare).tolist():
            edges.setdefault((i + begin[0], j + begin[1]), []).append((i + end[0], j + end[1]))
    polygons = []
    while edges:
        start = next(iter(edges))
        loop = [start]
        while loop[-1] != start or len(loop) == 1:
            ends = edges[loop[-1]]
            following = ends.pop()
            if not ends:
                del edges[loop[-1]]
            loop.append(following)
        corners = np.array(loop[:-1], dtype=float)
        steps = np.roll(corners, -1, axis=0) - corners
        turns = (steps != np.roll(steps, 1, axis=0)).any(axis=1)
        polygons.append(corners[turns] - 0.5)
    return polygons
