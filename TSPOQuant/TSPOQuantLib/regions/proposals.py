"""Foramina and pieces of cord proposed from labels of the vertebrae; where the geometry is not sure, none.

Tested on simulated necks only: no public CT of a neck with labels of its vertebrae was found.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, binary_fill_holes, label

from ..acquisition.image import Volume
from ..acquisition.segmentation import Segment, Segmentation
from ..levels import SIZES_MM
from .anatomy import FORAMINA, Anatomy, identify
from .canal import DOWNWARD_DEG, FORWARD_DEG, LENGTH_MM, Canal, bone_of, fit_to_bone
from .template import foramen_segment, name_of, segment_of

Floats = NDArray[np.float64]

# None of these is published: choices, tried on simulated necks.
PIXEL_MM = 1.5
NEAR_MM = 14.0
"""Bone this far above and below the middle of a level is looked at."""
BODY_HALF_WIDTH_MM = 8.0
SMALLEST_CANAL_MM2 = 60.0
COLUMN_MM = 2.5
GAP_MM = (3.0, 16.0)
"""Between the pedicles of two neighbors."""
RATIO = (0.6, 1.6)
"""Height of a vertebral body, and distance to the next, over their medians in this neck."""
FUSED_SHARE = 0.5
TOUCHING_MM = 1.6
LARGEST_SHIFT_MM = 4.0
LEAST_WALL, MOST_INSIDE = 0.25, 0.25


@dataclass(frozen=True, eq=False)
class Proposal:
    """One region that was looked for. segment: None where declined, with the reason; confidence 0 to 1.

    confidence: of a foramen, the share of its wall that is bone less the share of its inside that is: no probability.
    A piece of a cord that was drawn has 1.
    """

    name: str
    segment: Segment | None
    confidence: float
    reason: str = ""


@dataclass(frozen=True, eq=False)
class _Bone:
    """One labeled vertebra: points (n, 3) LPS mm of its voxels, and its body's center and height."""

    level: str
    points: Floats
    body: Floats
    height: float


@dataclass(frozen=True, eq=False)
class _Level:
    """Between two vertebrae. axes: unit columns (left, posterior, up). canal: left, right and front edge in mm."""

    middle: Floats
    axes: Floats
    canal_left: float
    canal_right: float
    canal_front: float
    canal_center: Floats


class _Declined(Exception):
    """Why a level cannot be proposed."""


def propose_foramina(vertebrae: Segmentation, ct: Volume) -> tuple[Proposal, ...]:
    """All foramina C2/C3 to C7/T1 on both sides from vertebra labels ("vertebra C5", "vertebrae_C5").

    Between the pedicles of two neighbors, beside the canal: found by projecting both vertebrae along their axis. Then
    an elliptic canal of the published size and direction is fitted to the CT's bone: labels alone are not enough (on
    simulated necks their own fit was up to 4 mm off). Segments are on the CT's grid. Raises what ``canal.bone_of``
    raises for the CT.
    """
    bones = _bones(vertebrae)
    bone = bone_of(ct)
    found = []
    for name in FORAMINA:
        try:
            level, reason = _level(name, bones), ""
        except _Declined as declined:
            level, reason = None, str(declined)
        for side in ("left", "right"):
            anatomy = Anatomy("foramen", name, FORAMINA[name], side)
            if level is None:
                found.append(Proposal(name_of(anatomy), None, 0.0, reason))
            else:
                found.append(_foramen(anatomy, level, bones, bone))
    return tuple(found)


def propose_cord(vertebrae: Segmentation) -> tuple[Proposal, ...]:
    """Pieces of cord C3 to C7: the segment of a whole cord ("spinal_cord", "cord") cut half-way between vertebrae.

    Each piece lies between the levels above and below its vertebra; on the segmentation's grid.
    """
    bones = _bones(vertebrae)
    cord = next((s for s in vertebrae.segments if identify(s.name, s.tags) == Anatomy("cord")), None)
    planes: dict[str, _Level | str] = {}
    for name in FORAMINA:
        try:
            planes[name] = _level(name, bones)
        except _Declined as declined:
            planes[name] = str(declined)
    found = []
    for upper, lower in pairwise(FORAMINA):
        anatomy = Anatomy("cord", lower.split("/")[0])
        above, below = planes[upper], planes[lower]
        reason = next((plane for plane in (above, below) if isinstance(plane, str)), "")
        if cord is None or not cord.mask.any():
            reason = "no cord is drawn"
        if reason or cord is None or isinstance(above, str) or isinstance(below, str):
            found.append(Proposal(name_of(anatomy), None, 0.0, reason))
            continue
        voxels = np.argwhere(cord.mask)
        points = vertebrae.grid.to_lps(voxels[:, ::-1].astype(float))
        under = (points - above.middle) @ above.axes[:, 2] < 0
        over = (points - below.middle) @ below.axes[:, 2] >= 0
        mask = np.zeros_like(cord.mask)
        mask[tuple(voxels[under & over].T)] = True
        if not mask.any():
            found.append(Proposal(name_of(anatomy), None, 0.0, "the cord that is drawn does not reach there"))
            continue
        found.append(Proposal(name_of(anatomy), segment_of(anatomy, mask), 1.0))
    return tuple(found)


def _bones(vertebrae: Segmentation) -> dict[str, _Bone]:
    """The labeled vertebrae by level."""
    found = {}
    for segment in vertebrae.segments:
        anatomy = identify(segment.name, segment.tags)
        if anatomy.structure == "vertebra" and anatomy.level and segment.mask.any():
            points = vertebrae.grid.to_lps(np.argwhere(segment.mask)[:, ::-1].astype(float))
            body = _body(points, np.eye(3))
            if len(body):
                low, high = np.percentile(body[:, 2], [2, 98])
                found[anatomy.level] = _Bone(anatomy.level, points, body.mean(axis=0), float(high - low))
    return found


def _body(points: Floats, axes: Floats) -> Floats:
    """The points of a vertebra's body: before the canal, near the middle."""
    local = points @ axes
    hole = _canal(local)
    if hole is None:
        return points[:0]
    center, front = hole[0], hole[3]
    inside = (local[:, 1] < front) & (np.abs(local[:, 0] - center[0]) < BODY_HALF_WIDTH_MM)
    return np.asarray(points[inside])


def _canal(local: Floats) -> tuple[Floats, float, float, float] | None:
    """The largest hole of bone seen along the axis: center (left, posterior), left, right and front edge in mm."""
    low = local[:, :2].min(axis=0) - 2 * PIXEL_MM
    pixels = np.round((local[:, :2] - low) / PIXEL_MM).astype(int)
    seen = np.zeros(pixels.max(axis=0) + 3, dtype=bool)
    seen[tuple(pixels.T)] = True
    seen = binary_closing(seen)
    holes, count = label(binary_fill_holes(seen) & ~seen)
    if count == 0:
        return None
    sizes = np.bincount(holes.ravel())[1:]
    if sizes.max() * PIXEL_MM**2 < SMALLEST_CANAL_MM2:
        return None
    inside = np.argwhere(holes == np.argmax(sizes) + 1) * PIXEL_MM + low
    center = inside.mean(axis=0)
    middle = inside[np.abs(inside[:, 0] - center[0]) < BODY_HALF_WIDTH_MM / 2]
    edges = inside[:, 0].max() + PIXEL_MM / 2, inside[:, 0].min() - PIXEL_MM / 2
    return center, float(edges[0]), float(edges[1]), float(middle[:, 1].min() - PIXEL_MM / 2)


def _level(name: str, bones: Mapping[str, _Bone]) -> _Level:
    """The frame between two vertebrae, or ``_Declined``."""
    upper, lower = name.split("/")
    for vertebra in (upper, lower):
        if vertebra not in bones:
            raise _Declined(f"vertebra {vertebra} has no usable label")
    _refuse_odd_sizes(upper, lower, bones)
    step = bones[upper].body - bones[lower].body
    up = step / np.linalg.norm(step)
    if up[2] < 0.5:
        raise _Declined(f"vertebra {upper} does not lie above {lower}; check the labels and the orientation")
    left = np.array([1.0, 0.0, 0.0]) - up[0] * up
    left /= np.linalg.norm(left)
    axes = np.stack([left, np.cross(up, left), up], axis=1)
    middle = (bones[upper].body + bones[lower].body) / 2
    above, below = ((bones[v].points - middle) @ axes for v in (upper, lower))
    near = np.concatenate([above, below])
    hole = _canal(near[np.abs(near[:, 2]) < NEAR_MM])
    if hole is None:
        raise _Declined(f"no canal is enclosed between {upper} and {lower}")
    center, left_edge, right_edge, front = hole
    _refuse_fused(upper, lower, above, below, center, front)
    return _Level(middle, axes, left_edge, right_edge, front, middle + axes[:, :2] @ center)


def _refuse_odd_sizes(upper: str, lower: str, bones: Mapping[str, _Bone]) -> None:
    """Decline a body far taller or lower than this neck's others (two in one label), and a gap in the row.

    C2 is left out: its dens belongs to it.
    """
    order = [name for name in ("C3", "C4", "C5", "C6", "C7", "T1") if name in bones]
    heights = np.median([bones[name].height for name in order])
    steps = [
        float(np.linalg.norm(bones[a].body - bones[b].body)) for a, b in pairwise(order) if f"{a}/{b}" in FORAMINA
    ]
    for vertebra in (upper, lower):
        if vertebra != "C2" and not RATIO[0] < bones[vertebra].height / heights < RATIO[1]:
            raise _Declined(f"vertebra {vertebra} is not of its neighbors' height: fused, or labeled in part")
    if upper != "C2" and steps:
        step = float(np.linalg.norm(bones[upper].body - bones[lower].body))
        if not RATIO[0] < step / np.median(steps) < RATIO[1]:
            raise _Declined(f"{upper} and {lower} are not neighbors by their distance; check the labels")


def _refuse_fused(upper: str, lower: str, above: Floats, below: Floats, center: Floats, front: float) -> None:
    """Decline where the two bodies touch over most of their cross-section."""
    undersides: dict[tuple[int, int], float] = {}
    tops: dict[tuple[int, int], float] = {}
    for points, edge, pick in ((above, undersides, min), (below, tops, max)):
        body = points[(points[:, 1] < front) & (np.abs(points[:, 0] - center[0]) < BODY_HALF_WIDTH_MM)]
        for x, y, z in body.tolist():
            at = (round(x / PIXEL_MM), round(y / PIXEL_MM))
            edge[at] = pick(edge.get(at, z), z)
    gaps = [undersides[at] - tops[at] for at in undersides.keys() & tops.keys()]
    if gaps and np.mean(np.array(gaps) <= TOUCHING_MM) > FUSED_SHARE:
        raise _Declined(f"vertebrae {upper} and {lower} are fused")


def _foramen(anatomy: Anatomy, level: _Level, bones: Mapping[str, _Bone], bone: Volume) -> Proposal:
    """One side of a level: beside the canal's edge, half-way between the pedicles, then fitted to bone."""
    name = name_of(anatomy)
    sign = 1.0 if anatomy.side == "left" else -1.0
    edge = level.canal_left if sign > 0 else level.canal_right
    axes = level.axes @ canal_axes(sign)
    half = LENGTH_MM / 2 * (level.axes.T @ axes[:, 0])
    # The inner mouth opens at the canal's front corner; the canal's middle is half its length further out.
    across = np.array([edge + half[0], level.canal_front - half[1] / 2])
    upper, lower = anatomy.level.split("/")
    faces = []
    for vertebra, share in ((upper, 10.0), (lower, 90.0)):
        local = (bones[vertebra].points - level.middle) @ level.axes
        column = local[np.hypot(*(local[:, :2] - across).T) < COLUMN_MM, 2]
        column = column[np.abs(column) < NEAR_MM]
        if len(column) == 0:
            return Proposal(name, None, 0.0, f"no pedicle of {vertebra} is found beside the canal")
        faces.append(float(np.percentile(column, share)))
    gap = faces[0] - faces[1]
    if not GAP_MM[0] <= gap <= GAP_MM[1]:
        return Proposal(name, None, 0.0, f"the pedicles of {upper} and {lower} are {gap:.0f} mm apart")
    center = level.middle + level.axes @ np.array([*across, (faces[0] + faces[1]) / 2])
    height, width = SIZES_MM[anatomy.level]
    fitted = fit_to_bone(Canal(center, axes, LENGTH_MM, height, width), bone, LARGEST_SHIFT_MM)
    if fitted.wall < LEAST_WALL or fitted.inside > MOST_INSIDE:
        reason = f"bone bounds {fitted.wall:.0%} of the canal's wall and fills {fitted.inside:.0%} of its inside"
        return Proposal(name, None, 0.0, reason)
    mask = fitted.canal.mask(bone.grid)
    if not mask.any():
        return Proposal(name, None, 0.0, "it lies beyond the CT")
    segment = foramen_segment(anatomy.level, anatomy.side, mask)
    return Proposal(name, segment, float(np.clip(fitted.wall - fitted.inside, 0, 1)))


def canal_axes(sign: float) -> Floats:
    """Unit columns (outward, up, across) of a foramen's canal in (left, posterior, up); sign 1 left, -1 right."""
    forward, down = np.deg2rad(FORWARD_DEG), np.deg2rad(DOWNWARD_DEG)
    outward = np.array([sign * np.cos(forward) * np.cos(down), -np.sin(forward) * np.cos(down), -np.sin(down)])
    across = np.array([sign * np.sin(forward), np.cos(forward), 0.0])
    up = np.array([sign * np.cos(forward) * np.sin(down), -np.sin(forward) * np.sin(down), np.cos(down)])
    return np.stack([outward, up, across], axis=1)
