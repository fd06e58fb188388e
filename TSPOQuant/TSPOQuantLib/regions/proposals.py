"""Foramina and pieces of cord proposed from labels of the vertebrae; where the geometry is not sure, none.

A foramen is looked for as what it is (``foramen``), in the frames of its two vertebrae (``vertebra``). What is not
between two pedicles, lies in bone or in the spinal canal, or is not sure enough is declined, and told why.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtr

from ..acquisition.image import HU, Volume
from ..acquisition.segmentation import Segment, Segmentation
from ..levels import LEVELS
from ..levels import Level as SpineLevel
from ..messages import Notice, Text
from ..progress import Progress, silent
from .anatomy import FORAMINA, Anatomy, has_cord, identify
from .canal import LENGTH_MM, LUMBAR_LENGTH_MM, Canal, check_ct
from .foramen import BONES_HU, Level, Passage, agreed, expected, is_bone, measured
from .neck import LOW, NUMBERING, Declined, Neck, level_of, neck_of, refuse_fused
from .noise import quieted
from .region import CONFIDENCE_TAG, PLACEMENT_TAG
from .template import foramen_segment, name_of, segment_of
from .vertebra import BONE_HU, LabeledBone, sampled
from .vertebra_labels import vertebra_segments

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# None of these is published: choices, tried on one real neck and on simulated ones.
NARROWEST_MM = 0.75
"""Radius of a passage, below which this CT shows none."""
FEWEST_RAYS = 3
PEDICLE_MM = 10.0
"""From a foramen's middle up and down, a pedicle of the right vertebra must come within this."""
MOST_BONE, MOST_CANAL = 0.25, 0.25
"""Of an ellipse of the measured size, what may be bone, and what may lie in the spinal canal."""
METAL_HU, METAL_MM = 2500.0, 12.0
EXPECTED_SHARE = 0.25
"""Of the way back to where the vertebrae alone put it, across the canal: a spur on one wall does not move a foramen as
far as the free space."""
FARTHEST_MM = 6.0
"""From where the vertebrae alone put it: half-way to what else could be meant."""
SIZE_RATIO = (0.5, 1.35)
"""Of a measured height or width over the usual one: what is drawn stays within."""
WITHIN_MM = 2.0
LEAST_CONFIDENCE = 0.5
BASE_MM, PER_VOXEL, PER_SPREAD, OPEN_MM = 0.55, 0.2, 0.3, 0.5
"""Error of a center along each axis (SD): what is always there, per mm of CT voxel, per mm that the thresholds of bone
differ, and for each wall that is missing. Fitted to one real neck, scanned, turned and spoilt in many ways."""
LABEL_HU = 2 * BONE_HU
"""Inside of a label that stands for bone."""
NO_VERTEBRA = Text(
    "no label is called like a vertebra, and numbers without names fit no tool's in their order in the body"
)


@dataclass(frozen=True, eq=False)
class Proposal:
    """One region that was looked for. segment: None where declined, for ``reason`` with its stable ``code``.

    confidence: how often a proposal like this one is within 2 mm of the truth; a piece of a cord that was drawn has 1.
    canal: where it is, or would have been. placement_mm: expected error of its center along each axis (SD).
    passage: what was measured of it.
    """

    name: str
    segment: Segment | None
    confidence: float
    reason: str = ""
    code: str = ""
    canal: Canal | None = None
    placement_mm: float | None = None
    passage: Passage | None = None


def propose_foramina(
    vertebrae: Segmentation, ct: Volume, progress: Progress = silent
) -> tuple[tuple[Proposal, ...], tuple[Notice, ...]]:
    """All foramina C2/C3 to C7/T1 on both sides from vertebra labels of any tool that ``vertebra_labels`` knows; of
    labels without a neck, and beside it, those of every lumbar level whose vertebrae are both labeled. And what is to
    be known of the CT, and of the labels' numbering.

    ct: the CT, or an MR, where the labels alone tell what is bone (``walls_of``). Segments are on its grid. Raises
    what ``canal.check_ct`` and ``vertebra_labels.vertebra_segments`` raise.
    """
    notices: tuple[Notice, ...] = ()
    if not ct.is_ct:
        ct = walls_of(vertebrae, ct)
        notices = (
            Notice(
                "walls-by-labels",
                "an MR does not show bone by its values: the labels of the vertebrae alone tell where a foramen's "
                "walls are; look at each",
            ),
        )
    check_ct(ct)
    progress(0.0, "Vertebrae")
    masks = [vertebrae.segments[place].mask for place in vertebra_segments(vertebrae).values()]
    ct, blur_mm = quieted(ct, masks, vertebrae.grid, METAL_HU)
    if blur_mm:
        noisy = Notice(
            "ct-noisy",
            "the CT's noise hides where bone ends: foramina are looked for in it smoothed by {blur_mm:.1f} mm (FWHM); "
            "look at each",
            blur_mm=blur_mm,
        )
        notices = (*notices, noisy)
    neck = neck_of(vertebrae, ct)
    proposals = []
    names = _looked_for(neck)
    for number, name in enumerate(names):
        progress(0.4 + 0.6 * number / len(names), Text("Foramina {level}", level=name))
        root = LEVELS[name].root
        anatomies = [Anatomy("foramen", name, root, side) for side in ("left", "right")]
        proposals += [_proposal(anatomy, neck, ct, blur_mm) for anatomy in anatomies]
    return tuple(proposals), (*notices, *((neck.numbering,) if neck and neck.numbering else ()))


def _looked_for(neck: Neck | None) -> tuple[str, ...]:
    """Levels by what is labeled: the neck's unless only what lies below it is, and lumbar ones between two labels."""
    labeled = set() if neck is None else set(neck.bone.levels)
    lumbar = [
        level.name for level in LEVELS.values() if level.part == "lumbar" and {level.upper, level.lower} <= labeled
    ]
    return (*(FORAMINA if not lumbar or _shows_neck(labeled) else ()), *lumbar)


def _shows_neck(labeled: Collection[str]) -> bool:
    """Whether the neck is meant: a vertebra of it is labeled, or none at all."""
    return not labeled or any(name[0] == "C" for name in labeled)


def walls_of(vertebrae: Segmentation, image: Volume) -> Volume:
    """On an image's grid, labels of vertebrae as a CT of nothing else would show them: ``LABEL_HU`` in a label, 0
    outside, linear at its border, so that half-way between is what counts as bone."""
    places = vertebra_segments(vertebrae).values()
    drawn = np.any([vertebrae.segments[place].mask for place in places], axis=0) if places else np.zeros((1, 1, 1))
    values = LABEL_HU * sampled(drawn.astype(np.float32), vertebrae.grid, image.grid.centers)
    return replace(image, values=values.astype(np.float32), units=HU)


def _proposal(anatomy: Anatomy, neck: Neck | None, ct: Volume, blur_mm: float) -> Proposal:
    try:
        if neck is None:
            raise Declined("vertebra-missing", NO_VERTEBRA)
        level = level_of(anatomy.level, neck)
        refuse_fused(level)
        return _foramen(anatomy, level, neck, ct, blur_mm)
    except Declined as declined:
        return Proposal(name_of(anatomy), None, 0.0, declined.reason, declined.code)


def propose_cord(vertebrae: Segmentation, notices: Collection[Notice] | None = None) -> tuple[Proposal, ...]:
    """Pieces of the segment of a whole cord ("spinal_cord", "cord"), cut half-way between vertebrae: C3 to C7, and of
    labels of T11 and below T12 and L1, behind which the cord ends.

    Each piece lies between the levels above and below its vertebra; on the segmentation's grid. Labels whose bodies
    touch cut it as well as others: a fused level has a middle, too. notices: what ``propose_foramina`` tells of the
    same labels, whose numbering is then judged with the CT; without it by the labels alone.
    """
    neck = neck_of(vertebrae, None)
    if neck is not None and notices is not None:
        neck = replace(neck, numbering=next((notice for notice in notices if notice.code in NUMBERING), None))
    cord = next((s for s in vertebrae.segments if identify(s.name, s.tags) == Anatomy("cord")), None)
    return tuple(_piece(upper.lower, upper.name, lower.name, neck, cord, vertebrae) for upper, lower in _pieces(neck))


def _pieces(neck: Neck | None) -> list[tuple[SpineLevel, SpineLevel]]:
    """The levels above and below each vertebra whose piece of cord is looked for."""
    labeled = set() if neck is None else set(neck.bone.levels)
    below = [
        (upper, lower)
        for upper, lower in pairwise(LEVELS.values())
        if upper.upper in LOW and has_cord(upper.lower) and {upper.upper, upper.lower, lower.lower} <= labeled
    ]
    cervical = [(LEVELS[upper], LEVELS[lower]) for upper, lower in pairwise(FORAMINA)]
    return [*(cervical if _shows_neck(labeled) else ()), *below]


def _piece(level: str, upper: str, lower: str, neck: Neck | None, cord: Segment | None, on: Segmentation) -> Proposal:
    anatomy = Anatomy("cord", level)
    name = name_of(anatomy)
    try:
        if cord is None or not cord.mask.any():
            raise Declined("cord-missing", "no cord is drawn")
        if neck is None:
            raise Declined("vertebra-missing", NO_VERTEBRA)
        above, below = level_of(upper, neck), level_of(lower, neck)
        voxels = np.argwhere(cord.mask)
        points = on.grid.to_lps(voxels[:, ::-1].astype(float))
        inside = (above.local(points)[:, 2] < 0) & (below.local(points)[:, 2] >= 0)
        if not inside.any():
            raise Declined("cord-short", "the cord that is drawn does not reach there")
    except Declined as declined:
        return Proposal(name, None, 0.0, declined.reason, declined.code)
    mask = np.zeros_like(cord.mask)
    mask[tuple(voxels[inside].T)] = True
    return Proposal(name, segment_of(anatomy, mask), 1.0)


# --- One foramen -----------------------------------------------------------------------------------------------------


def _foramen(anatomy: Anatomy, level: Level, neck: Neck, ct: Volume, blur_mm: float) -> Proposal:
    """One side of a level. Raises Declined where nothing can be said; declines with its place what is not sure."""
    side = anatomy.side
    for vertebra, code in ((level.upper, "pedicle-above"), (level.lower, "pedicle-below")):
        if side not in vertebra.pedicles:
            raise Declined(code, "no pedicle of {level} is found beside the canal", level=vertebra.level)
    passages = measured(level, side, anatomy.level, ct, neck.bone)
    if len(passages) < 2:
        raise Declined("no-passage", "no free way leads from the spinal canal to the side")
    center, spread = agreed(passages)
    middle = passages[len(passages) // 2]
    aside = (expected(level, side)[0] - center) @ middle.axes * [0, 1, 1]
    center = center + middle.axes @ (EXPECTED_SHARE * aside)
    canal = _canal(center, middle, anatomy.level)
    seen_mm = float(np.hypot(max(ct.grid.spacing_mm), blur_mm))
    placement = _placement(middle, float(np.linalg.norm(spread)), seen_mm)
    confidence = float(chdtr(3, (WITHIN_MM / placement) ** 2))
    proposal = Proposal(name_of(anatomy), None, confidence, "", "", canal, placement, middle)
    mask = canal.mask(ct.grid)
    try:
        _refuse_place(proposal, mask, middle, level, neck, ct, expected(level, side)[0])
    except Declined as declined:
        return replace(proposal, reason=declined.reason, code=declined.code)
    voxels = np.argwhere(mask)
    bone = is_bone(ct.grid.to_lps(voxels[:, ::-1].astype(float)), ct, neck.bone, BONES_HU[1])
    mask[tuple(voxels[bone].T)] = False
    segment = foramen_segment(anatomy.level, side, mask)
    stated = {PLACEMENT_TAG: f"{placement:.2f}", CONFIDENCE_TAG: f"{confidence:.2f}"}
    return replace(proposal, segment=replace(segment, tags={**segment.tags, **stated}))


def _canal(center: Floats, passage: Passage, level: str) -> Canal:
    """An ellipse of the measured size, within bounds, of the usual length."""
    low, high = SIZE_RATIO
    height, width = (
        float(np.clip(size, low * usual, high * usual))
        for size, usual in zip((passage.height, passage.width), LEVELS[level].size_mm or (0.0, 0.0), strict=True)
    )
    length = LUMBAR_LENGTH_MM if LEVELS[level].part == "lumbar" else LENGTH_MM
    return Canal(center, passage.axes, length, height, width)


def _placement(passage: Passage, spread: float, voxel_mm: float) -> float:
    missing = sum(not met for met in passage.closed)
    parts = (BASE_MM, PER_VOXEL * voxel_mm, PER_SPREAD * spread, OPEN_MM * missing)
    return float(np.sqrt(np.sum(np.square(parts))))


def _refuse_place(
    proposal: Proposal, mask: Bools, passage: Passage, level: Level, neck: Neck, ct: Volume, start: Floats
) -> None:
    """Raises Declined for a place that is none, or not sure."""
    canal = proposal.canal
    assert canal is not None
    points = ct.grid.to_lps(np.argwhere(mask)[:, ::-1].astype(float))
    edge = np.array(ct.grid.shape[::-1]) - 1.0
    corners = ct.grid.to_ijk(np.stack([passage.inner, passage.outer, canal.center]))
    if len(points) == 0 or (corners < 0).any() or (corners > edge).any():
        raise Declined("beyond-ct", "it lies beyond the image")
    if passage.at_end or np.linalg.norm(canal.center - start) > FARTHEST_MM:
        raise Declined(
            "at-bound", "the narrowest place lies at the end of where it is looked for, not between the pedicles"
        )
    if passage.radius < NARROWEST_MM:
        raise Declined(
            "too-narrow", "its radius of {radius:.1f} mm is less than this image can show", radius=passage.radius
        )
    for sign, vertebra, code in ((1.0, level.upper, "pedicle-above"), (-1.0, level.lower, "pedicle-below")):
        if not met_by(canal.center, canal.axes, sign, vertebra.level, neck.bone):
            where = Text("above") if sign > 0 else Text("below")
            raise Declined(code, "no pedicle of {level} lies right {where} it", level=vertebra.level, where=where)
    share = float(is_bone(points, ct, neck.bone, BONES_HU[1]).mean())
    if share > MOST_BONE:
        raise Declined("in-bone", "{share:.0%} of it would lie in bone", share=share)
    share = float(in_canal(points, level).mean())
    if share > MOST_CANAL:
        raise Declined("in-canal", "{share:.0%} of it would lie in the spinal canal", share=share)
    if _metal_near(canal.center, ct):
        raise Declined("metal", "metal lies within {distance:g} mm of it", distance=METAL_MM)
    if proposal.confidence < LEAST_CONFIDENCE:
        raise Declined(
            "confidence-low",
            "it would be within {within:g} mm of its place in {confidence:.0%} of such cases only",
            within=WITHIN_MM,
            confidence=proposal.confidence,
        )


def met_by(center: Floats, axes: Floats, sign: float, level: str, bone: LabeledBone) -> bool:
    """Whether the first bone met upward (sign 1) or downward of a center is a vertebra's, by most of nine rays.

    Rays that begin in bone, in the wall or a spur of a narrow foramen, tell nothing of what is above; with fewer than
    ``FEWEST_RAYS`` others it is not met. axes: of the foramen's canal, as ``canal.Canal`` has them.
    """
    far = np.arange(1.0, PEDICLE_MM + 0.1, 0.5)
    rays = [np.array([along, 0.0, across]) for along in (-1.5, 0.0, 1.5) for across in (-1.5, 0.0, 1.5)]
    free = hits = 0
    for ray in rays:
        points = center + (ray + far[:, None] * [0, sign, 0]) @ axes.T
        numbers = sampled(bone.numbers, bone.grid, points, order=0)
        if numbers[0] == 0:
            free += 1
            first = np.flatnonzero(numbers)
            hits += len(first) > 0 and bone.levels[numbers[first[0]] - 1] == level
    return free >= FEWEST_RAYS and hits > free / 2


def in_canal(points: Floats, level: Level) -> Bools:
    """Whether LPS points (n, 3) lie in the spinal canal, well within its side edges and front."""
    local = level.local(points)
    left, right, front = level.edges
    return np.asarray((local[:, 0] < left - 2) & (local[:, 0] > right + 2) & (local[:, 1] > front - 1))


def _metal_near(center: Floats, ct: Volume) -> bool:
    middle = ct.grid.to_ijk(center)[::-1]
    reach = METAL_MM / np.array(ct.grid.spacing_mm)[::-1]
    low = np.clip(np.floor(middle - reach), 0, None).astype(int)
    high = np.ceil(middle + reach).astype(int) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    return bool((ct.values[box] > METAL_HU).any())
