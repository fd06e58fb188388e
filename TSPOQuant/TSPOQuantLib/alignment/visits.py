"""Visit to visit: where each level of the spine lies in the other visit's CT, or in its MR.

The neck bends between visits, so no one rigid transform fits all of it: one for the whole gives the start, then one a
level follows the bone around that level's foramina; of an MR everything around them, since bone is no edge there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..acquisition.image import Volume
from ..messages import InputRefused, Notice, Notices, Text
from ..progress import Progress, silent
from .contrast import windowed
from .rigid import CORRELATION, cut_around, middle, register_rigid, similarity, to_sitk_transform

Matrix = NDArray[np.float64]

# None of these is published: choices.
WINDOW_HU = (-200.0, 900.0)
BONE_HU = 180.0
WHOLE_SPACING_MM, LEVEL_SPACING_MM = 3.0, 1.2
"""Voxels of the images that are registered."""
START_STEP_MM, START_REACH_MM = 12.0, 72.0
"""The other visit may lie this much higher or lower in its CT: every step is tried."""
HALF_BOX_MM = (34.0, 36.0, 18.0)
"""Half the box around a level's points, across, front to back and along: both vertebrae that make the foramina."""
AROUND_MM = (26.0, 30.0)
"""Of an MR what lies this far across and front to back of a level's middle: vertebra, canal and the muscles on it."""
LEVEL_REACH_MM = 20.0
"""A level is looked for so far around the place that its neighbor or the whole spine puts it at."""
MARGIN_MM = 3.0
"""Around bone that counts: its edges carry the information."""
WHOLE_SHRINK, LEVEL_SHRINK = (2, 1), (2, 1)
LEAST_CORRELATION = 0.5
"""Squared correlation of a level's bone below which it was not found."""


@dataclass(frozen=True, eq=False)
class LevelTransform:
    """One level. to_other: rigid 4 x 4 (LPS mm), carries points of this visit to the other. center_lps: where it is.

    residual_mm: root mean square distance between both visits' bone surfaces there (about half a voxel where the fit
    is perfect). correlation: squared, of the bone and its edges, 1 at best.
    """

    level: str
    to_other: Matrix
    center_lps: NDArray[np.float64]
    residual_mm: float
    correlation: float


@dataclass(frozen=True, eq=False)
class VisitAlignment:
    """whole: the rigid 4 x 4 of the neck at large, from which the levels started; levels: from below upwards."""

    whole: Matrix
    levels: tuple[LevelTransform, ...]
    notices: tuple[Notice, ...] = ()

    def nearest(self, point_lps: NDArray[np.float64]) -> LevelTransform:
        """The level whose center is nearest to a point (3,) of this visit."""
        return min(self.levels, key=lambda level: float(np.linalg.norm(level.center_lps - point_lps)))


def align_visits(
    ct: Volume, other: Volume, points_lps: Mapping[str, NDArray[np.float64]], progress: Progress = silent
) -> VisitAlignment:
    """Find every level of ``ct`` in the ``other`` visit's CT.

    points_lps: level to points (n, 3) in ``ct``, such as the centers of its two foramina. Deterministic. Both are CTs,
    or MRs of one contrast. Raises InputRefused: "levels-missing" without points, "visits-modality" for a CT and an MR,
    "visits-mismatch" where no level is found, Cancelled through ``progress``. A level that is not found keeps its
    neighbor's transform, with the notice "level-not-found".
    """
    if not points_lps:
        raise InputRefused("levels-missing", "no level was given to align; name the centers of the foramina")
    if ct.is_ct != other.is_ct:
        raise InputRefused(
            "visits-modality",
            "one visit has a CT, the other an MR, so that regions cannot be carried between them; draw them at each "
            "visit",
        )
    progress(0, "Visit to visit: the whole spine")
    moving = windowed(other, WINDOW_HU)
    whole = _align_whole(windowed(ct, WINDOW_HU), moving)
    centers = {level: np.mean(points, axis=0) for level, points in points_lps.items()}
    order = sorted(centers, key=lambda level: float(centers[level][2]))
    boxes = {level: _level_box(ct, centers[level]) for level in order}
    first = max(order, key=lambda level: _likeness(boxes[level].image, moving, whole, boxes[level].mask))
    start = order.index(first)
    found: dict[str, LevelTransform] = {}
    notices = Notices()
    for done, at in enumerate([*range(start, len(order)), *range(start - 1, -1, -1)]):
        level = order[at]
        progress(0.3 + 0.7 * done / len(order), Text("Visit to visit: {level}", level=level))
        neighbor = order[at - 1] if at > start else order[at + 1] if at < start else ""
        initial = found[neighbor].to_other if neighbor else whole
        fixed, mask = boxes[level].image, boxes[level].mask
        near = cut_around(moving, fixed, initial, LEVEL_REACH_MM)
        matrix = register_rigid(fixed, near, initial, CORRELATION, LEVEL_SHRINK, mask, centers[level])
        correlation = similarity(fixed, moving, matrix, CORRELATION, mask)
        if correlation < LEAST_CORRELATION:
            notices.add(
                "level-not-found",
                "{level} was not found at the other visit (correlation {correlation:.2f}); its neighbor's was kept",
                level=level,
                correlation=correlation,
            )
            matrix = initial
        residual = _surface_distance_mm(boxes[level], moving, matrix)
        found[level] = LevelTransform(level, matrix, centers[level], residual, correlation)
    best = max(level.correlation for level in found.values())
    if best < LEAST_CORRELATION:
        raise InputRefused(
            "visits-mismatch",
            "no level of one visit's image was found in the other's (best squared correlation {best:.2f}, at "
            "least {least_correlation:g} is needed); check that both show the same part of the same person",
            best=best,
            least_correlation=LEAST_CORRELATION,
        )
    return VisitAlignment(whole, tuple(found[level] for level in order), tuple(notices))


@dataclass(frozen=True, eq=False)
class _Box:
    """A level's surroundings. mask: what counts. edge: the value whose surface tells how well a fit is."""

    image: sitk.Image
    mask: sitk.Image
    edge: float


def _resampled(
    image: sitk.Image, spacing_mm: float, center: NDArray[np.float64], half_mm: NDArray[np.float64]
) -> sitk.Image:
    """A box of an image along the patient's axes in cubic voxels; smoothed first where it has finer ones."""
    if spacing_mm > max(image.GetSpacing()):
        image = sitk.SmoothingRecursiveGaussian(image, spacing_mm / 2)
    size = np.ceil(2 * half_mm / spacing_mm).astype(int) + 1
    origin = center - (size - 1) / 2 * spacing_mm
    box: sitk.Image = sitk.Resample(
        image,
        size.tolist(),
        sitk.Transform(),
        sitk.sitkLinear,
        origin.tolist(),
        [spacing_mm] * 3,
        np.eye(3).ravel().tolist(),
        WINDOW_HU[0],
        sitk.sitkFloat32,
    )
    return box


def _half_extent(image: sitk.Image) -> NDArray[np.float64]:
    """Half of what an image shows along the patient's axes, in whatever order and direction its own run, mm."""
    lengths = np.array(image.GetSize()) * np.array(image.GetSpacing())
    return np.asarray(np.abs(np.array(image.GetDirection()).reshape(3, 3)) @ lengths / 2)


def _align_whole(fixed: sitk.Image, moving: sitk.Image) -> Matrix:
    """One rigid transform for everything both CTs show, from the best of many starts along the body."""
    extent = [_half_extent(image) for image in (fixed, moving)]
    coarse, target = (
        _resampled(image, WHOLE_SPACING_MM, np.array(middle(image)), half)
        for image, half in zip((fixed, moving), extent, strict=True)
    )
    between = np.array(middle(moving)) - np.array(middle(fixed))
    starts = [np.eye(4)]
    for step in np.arange(-START_REACH_MM, START_REACH_MM + 1, START_STEP_MM):
        shifted = np.eye(4)
        shifted[:3, 3] = between + np.array([0, 0, step])
        starts.append(shifted)
    best = max(starts, key=lambda start: _likeness(coarse, target, start))
    return register_rigid(coarse, target, best, CORRELATION, WHOLE_SHRINK)


def _level_box(ct: Volume, center: NDArray[np.float64]) -> _Box:
    """The image around a level: of a CT its bone with a margin counts, of an MR all that is near."""
    box = _resampled(windowed(ct, WINDOW_HU), LEVEL_SPACING_MM, center, np.array(HALF_BOX_MM))
    if ct.is_ct:
        reach = [round(MARGIN_MM / LEVEL_SPACING_MM)] * 3
        return _Box(box, sitk.BinaryDilate(box > BONE_HU, reach, sitk.sitkBall, 0.0, 1.0), BONE_HU)
    slices, rows, columns = sitk.GetArrayViewFromImage(box).shape
    y, x = (LEVEL_SPACING_MM * (np.arange(n) - (n - 1) / 2) for n in (rows, columns))
    near = (x / AROUND_MM[0]) ** 2 + (y[:, None] / AROUND_MM[1]) ** 2 <= 1
    mask = sitk.GetImageFromArray(np.repeat(near[None].astype(np.uint8), slices, axis=0))
    mask.CopyInformation(box)
    between = sitk.OtsuThresholdImageFilter()
    between.SetMaskOutput(False)
    between.SetMaskValue(1)
    between.Execute(box, mask)
    return _Box(box, mask, float(between.GetThreshold()))


def _likeness(fixed: sitk.Image, moving: sitk.Image, matrix: Matrix, mask: sitk.Image | None = None) -> float:
    """The squared correlation; 0 where nothing overlaps."""
    try:
        return similarity(fixed, moving, matrix, CORRELATION, mask)
    except InputRefused:
        return 0.0


def _surface_distance_mm(box: _Box, moving: sitk.Image, matrix: Matrix) -> float:
    """Root mean square distance of one visit's bone surface from the other's; of an MR, of bright from dark."""
    fixed, mask, edge = box.image, box.mask, box.edge
    carried = sitk.Resample(moving, fixed, to_sitk_transform(matrix), sitk.sitkLinear, WINDOW_HU[0]) > edge
    surface = sitk.GetArrayFromImage(sitk.LabelContour(fixed > edge)) > 0
    if not surface.any() or not sitk.GetArrayViewFromImage(carried).any():
        return float("inf")
    away = sitk.SignedMaurerDistanceMap(carried, squaredDistance=False, useImageSpacing=True)
    inside = surface & (sitk.GetArrayViewFromImage(mask) > 0)
    return float(np.sqrt(np.mean(sitk.GetArrayViewFromImage(away)[inside].astype(float) ** 2)))
