"""Foramina and pieces of cord proposed from labels of the vertebrae; where the geometry is not sure, none.

A foramen is looked for as what it is (``foramen``), in the frames of its two vertebrae (``vertebra``). What is not
between two pedicles, lies in bone or in the spinal canal, or is not sure enough is declined, and told why.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtr

from ..acquisition.image import HU, Volume
from ..acquisition.segmentation import Segment, Segmentation
from ..levels import LEVELS, VERTEBRAE
from ..levels import Level as SpineLevel
from ..messages import Notice, Text
from ..progress import Progress, silent
from .anatomy import FORAMINA, Anatomy, has_cord, identify
from .canal import LENGTH_MM, LUMBAR_LENGTH_MM, Canal, check_ct
from .foramen import BONES_HU, Level, Passage, agreed, expected, is_bone, level_between, measured
from .noise import quieted
from .region import CONFIDENCE_TAG, PLACEMENT_TAG
from .template import foramen_segment, name_of, segment_of
from .vertebra import BONE_HU, LabeledBone, Vertebra, labeled_bone, sampled, vertebrae_of
from .vertebra_labels import vertebra_segments

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# None of these is published: choices, tried on one real neck and on simulated ones.
RATIO = (0.6, 1.6)
"""Height of a vertebral body, and distance to the next, over their medians in this neck."""
FUSED_SHARE, TOUCHING_MM, COLUMN_MM, PIXEL_MM = 0.5, 1.6, 8.0, 1.5
TURNED_DEG = 40.0
"""Two neighbors whose frames differ by more were not both understood."""
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
CUT_MM = 4.0
"""A vertebra that ends nearer to the end of the CT may go on beyond it."""
LOW = VERTEBRAE[VERTEBRAE.index("T11") :]
"""Of one kind by their heights and distances."""
NUMBERING = ("vertebra-numbering", "numbering-unknown")
COUNTED = VERTEBRAE[VERTEBRAE.index("C2") : VERTEBRAE.index("T2") + 1]
COUNT_OFF, FEWEST_STEPS = 0.5, 2
"""Of usual steps from one vertebra to the next, that two labels may lie closer together or further apart than their
names say, and how many pairs of neighbors tell what is usual. One level off is 1."""
BELOW_SECOND = ("C3", "C4", "C5", "C6", "C7")
LABEL_HU = 2 * BONE_HU
"""Inside of a label that stands for bone."""
NO_VERTEBRA = Text(
    "no label is called like a vertebra, and numbers without names fit no tool's in their order in the body"
)
DENS_RATIO = 1.5
"""Height of C2 in its middle, with its dens, over that of C3's body: at least this."""
BLOCK_RATIO = 3.4
"""And over that of the neck's tallest body below it: at most this. Without a block it was 2.3 to 2.9 on one real neck
and others made from it, with C3 in C2's label 3.9."""


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


class Declined(Exception):
    """Why a region cannot be proposed: a stable code and a sentence."""

    def __init__(self, code: str, template: str, /, **values: Any) -> None:
        self.code, self.reason = code, template if isinstance(template, Text) else Text(template, **values)
        super().__init__(self.reason)


@dataclass(frozen=True, eq=False)
class Neck:
    """What labels and CT tell of the vertebrae. frames: by level, or why it is not usable.

    numbering: "vertebra-numbering" where the labels contradict the anatomy, "numbering-unknown" where nothing in the
    field tells whether they are one level off, None where the dens of C2 agrees with them.
    """

    bone: LabeledBone
    frames: Mapping[str, Vertebra | Declined]
    numbering: Notice | None

    def vertebra(self, level: str) -> Vertebra:
        """Raises Declined."""
        if self.numbering is not None and self.numbering.code == "vertebra-numbering":
            raise Declined(self.numbering.code, self.numbering.message)
        found = self.frames.get(level)
        if found is None:
            raise Declined("vertebra-missing", "no label is called vertebra {level}", level=level)
        if isinstance(found, Declined):
            raise found
        return found


def neck_of(vertebrae: Segmentation, ct: Volume | None, only: Collection[str] = ()) -> Neck | None:
    """The vertebrae's frames from their labels, with the edges of the CT's bone; None without a label of one.

    only: levels that are wanted; all without it.
    """
    named = {level: place for level, place in vertebra_segments(vertebrae).items() if not only or level in only}
    if not named:
        return None
    bone = labeled_bone(vertebrae, named, ct)
    frames: dict[str, Vertebra | Declined] = {}
    for level, frame in vertebrae_of(bone).items():
        frames[level] = frame if isinstance(frame, Vertebra) else Declined(frame.code, frame.message)
    return Neck(bone, frames, _numbering(frames, bone, ct))


def _numbering(frames: Mapping[str, Vertebra | Declined], bone: LabeledBone, ct: Volume | None) -> Notice | None:
    """Count from the dens: only C2 is far taller in its middle than the vertebra below it; and from label to label."""
    second, third = frames.get("C2"), frames.get("C3")
    miscounted = _miscounted(frames)
    if miscounted is not None:
        return miscounted
    if not any(name[0] == "C" for name in frames):
        return Notice(
            "numbering-unknown",
            "nothing tells whether the vertebrae are numbered one level off, or four or six are lumbar; count them "
            "from the sacrum and from C2",
        )
    if not isinstance(second, Vertebra) or not isinstance(third, Vertebra):
        tall = _taller_than_below(frames)
        if tall:
            return Notice(
                "vertebra-numbering",
                "the label of {level} is as tall as a C2 with its dens: the vertebrae are numbered one level off, or "
                "it holds two of them; correct the labels",
                level=tall,
            )
        return Notice(
            "numbering-unknown",
            "without labels of C2 and C3 nothing tells whether the vertebrae are numbered one level off; count them",
        )
    if second.height >= DENS_RATIO * third.height:
        return _two_in_second(second, frames)
    fourth = frames.get("C4")
    if isinstance(fourth, Vertebra) and third.height >= DENS_RATIO * fourth.height:
        return Notice(
            "vertebra-numbering",
            "the label of C3 is as tall as a C2 with its dens, and that of C2 is not: the vertebrae are numbered one "
            "level off, or C3 holds two of them; correct the labels",
        )
    if ct is not None:
        above = np.array([*second.body[:2], bone.points("C2")[:, 2].max() + CUT_MM])
        index = ct.grid.to_ijk(above)
        if (index < 0).any() or (index > np.array(ct.grid.shape[::-1]) - 1).any():
            return Notice(
                "numbering-unknown",
                "the dens of C2 lies beyond the image: nothing tells whether the vertebrae are numbered one level "
                "off; count them",
            )
    return Notice(
        "vertebra-numbering",
        "the label of C2 has no dens: the vertebrae are numbered one level off, or C2 is labeled in part; correct the "
        "labels",
    )


def _miscounted(frames: Mapping[str, Vertebra | Declined]) -> Notice | None:
    """Two labels of the neck that lie a vertebra closer together or further apart than their names say.

    Labels that hold two vertebrae are left out, so that the next ones above and below tell what they were counted as.
    """
    row = [vertebra for name in COUNTED if isinstance(vertebra := frames.get(name), Vertebra)]
    heights = [vertebra.height for vertebra in row if vertebra.level != "C2"]
    row = [vertebra for vertebra in row if vertebra.level == "C2" or vertebra.height < RATIO[1] * np.median(heights)]
    pairs = list(pairwise(row))
    named = [COUNTED.index(lower.level) - COUNTED.index(upper.level) for upper, lower in pairs]
    steps_mm = [float(np.linalg.norm(upper.canal - lower.canal)) for upper, lower in pairs]
    usual_mm = [step for step, count in zip(steps_mm, named, strict=True) if count == 1]
    if len(usual_mm) < FEWEST_STEPS:
        return None
    for (upper, lower), step_mm, count in zip(pairs, steps_mm, named, strict=True):
        if abs(step_mm / np.median(usual_mm) - count) > COUNT_OFF:
            return Notice(
                "vertebra-numbering",
                "the labels of {upper} and {lower} lie {step_mm:.0f} mm apart, where the neck's vertebrae follow one "
                "another every {usual_mm:.0f} mm: a vertebra between them is left out of the numbers, or of the "
                "labels; correct the labels",
                upper=upper.level,
                lower=lower.level,
                step_mm=step_mm,
                usual_mm=float(np.median(usual_mm)),
            )
    return None


def _two_in_second(second: Vertebra, frames: Mapping[str, Vertebra | Declined]) -> Notice | None:
    """Whether the label of C2 holds C3 as well, as a block's may: what lies below is then numbered from there."""
    bodies = [
        vertebra.height
        for vertebra in frames.values()
        if isinstance(vertebra, Vertebra) and vertebra.level in BELOW_SECOND
    ]
    ratio = second.height / max(bodies)
    if ratio <= BLOCK_RATIO:
        return None
    return Notice(
        "vertebra-numbering",
        "the label of C2 is {ratio:.1f} times as tall as the tallest body below it, and holds two vertebrae: those "
        "below may be numbered one level off; correct the labels",
        ratio=ratio,
    )


def _taller_than_below(frames: Mapping[str, Vertebra | Declined]) -> str:
    """The highest whole vertebra of the neck, where it is not C2 and as much taller than the next one as C2 is."""
    known = [
        (name, vertebra) for name, vertebra in frames.items() if name[0] == "C" and isinstance(vertebra, Vertebra)
    ]
    if len(known) < 2 or known[0][0] in ("C1", "C2"):
        return ""
    (name, upper), (_, lower) = known[:2]
    return name if upper.height >= DENS_RATIO * lower.height else ""


def propose_foramina(vertebrae: Segmentation, ct: Volume, progress: Progress = silent) -> tuple[Proposal, ...]:
    """All foramina C2/C3 to C7/T1 on both sides from vertebra labels of any tool that ``vertebra_labels`` knows; of
    labels without a neck, and beside it, those of every lumbar level whose vertebrae are both labeled.

    ct: the CT, or an MR, where the labels alone tell what is bone (``walls_of``). Segments are on its grid. Raises
    what ``canal.check_ct`` and ``vertebra_labels.vertebra_segments`` raise.
    """
    return look_for_foramina(vertebrae, ct, progress)[0]


def look_for_foramina(
    vertebrae: Segmentation, ct: Volume, progress: Progress = silent
) -> tuple[tuple[Proposal, ...], tuple[Notice, ...]]:
    """``propose_foramina``, and what is to be known of the labels' numbering."""
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
    found = []
    names = _looked_for(neck)
    for number, name in enumerate(names):
        progress(0.4 + 0.6 * number / len(names), Text("Foramina {level}", level=name))
        root = LEVELS[name].root
        anatomies = [Anatomy("foramen", name, root, side) for side in ("left", "right")]
        found += [_proposal(anatomy, neck, ct, blur_mm) for anatomy in anatomies]
    return tuple(found), (*notices, *((neck.numbering,) if neck and neck.numbering else ()))


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
        level = _level(anatomy.level, neck)
        _refuse_fused(level)
        return _foramen(anatomy, level, neck, ct, blur_mm)
    except Declined as declined:
        return Proposal(name_of(anatomy), None, 0.0, declined.reason, declined.code)


def propose_cord(vertebrae: Segmentation, notices: Collection[Notice] | None = None) -> tuple[Proposal, ...]:
    """Pieces of the segment of a whole cord ("spinal_cord", "cord"), cut half-way between vertebrae: C3 to C7, and of
    labels of T11 and below T12 and L1, behind which the cord ends.

    Each piece lies between the levels above and below its vertebra; on the segmentation's grid. Labels whose bodies
    touch cut it as well as others: a fused level has a middle, too. notices: what ``look_for_foramina`` tells of the
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
        above, below = _level(upper, neck), _level(lower, neck)
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


# --- Two neighbors ---------------------------------------------------------------------------------------------------


def _level(name: str, neck: Neck) -> Level:
    """The frame between two vertebrae. Raises Declined."""
    upper, lower = map(neck.vertebra, name.split("/"))
    _refuse_order(upper, lower)
    _refuse_odd_sizes(upper, lower, neck)
    return level_between(upper, lower)


def _refuse_order(upper: Vertebra, lower: Vertebra) -> None:
    step = upper.canal - lower.canal
    turned = np.degrees(np.arccos(np.clip((np.trace(upper.axes.T @ lower.axes) - 1) / 2, -1, 1)))
    if step @ (upper.axes[:, 2] + lower.axes[:, 2]) <= 0 or step[2] < 0:
        raise Declined(
            "vertebra-order",
            "vertebra {upper} does not lie above {lower}; check the labels and the orientation",
            upper=upper.level,
            lower=lower.level,
        )
    if turned > TURNED_DEG:
        raise Declined(
            "vertebra-turned",
            "vertebrae {upper} and {lower} seem turned by {turned:.0f} degrees against each other; check the labels",
            upper=upper.level,
            lower=lower.level,
            turned=turned,
        )


def _refuse_odd_sizes(upper: Vertebra, lower: Vertebra, neck: Neck) -> None:
    """Decline a body far taller or lower than this neck's others (two in one label), and a gap in the row.

    C2 is left out: its dens belongs to it.
    """
    known = {name: frame for name, frame in neck.frames.items() if isinstance(frame, Vertebra)}
    row = ("C3", "C4", "C5", "C6", "C7", "T1") if upper.level[0] == "C" else LOW
    order = [name for name in row if name in known]
    heights = np.median([known[name].height for name in order])
    steps = [
        float(np.linalg.norm(known[a].canal - known[b].canal)) for a, b in pairwise(order) if f"{a}/{b}" in LEVELS
    ]
    for vertebra in (upper, lower):
        if vertebra.level != "C2" and not RATIO[0] < vertebra.height / heights < RATIO[1]:
            raise Declined(
                "vertebra-height",
                "vertebra {level} is not of its neighbors' height: fused, or labeled in part",
                level=vertebra.level,
            )
    if steps:
        step = float(np.linalg.norm(upper.canal - lower.canal))
        if not RATIO[0] < step / np.median(steps) < RATIO[1]:
            raise Declined(
                "vertebra-gap",
                "{upper} and {lower} are not neighbors by their distance; check the labels",
                upper=upper.level,
                lower=lower.level,
            )


def _refuse_fused(level: Level) -> None:
    """Decline where the two bodies touch over most of their cross-section."""
    undersides, tops = _ends(level, level.upper, np.minimum), _ends(level, level.lower, np.maximum)
    gaps = undersides - tops
    met = np.isfinite(gaps)
    if met.any() and np.mean(gaps[met] <= TOUCHING_MM) > FUSED_SHARE:
        raise Declined(
            "vertebrae-fused",
            "vertebrae {upper} and {lower} are fused",
            upper=level.upper.level,
            lower=level.lower.level,
        )


def _ends(level: Level, vertebra: Vertebra, pick: np.ufunc) -> Floats:
    """Seen along up, the lowest (minimum) or highest point of a body in pixels of ``PIXEL_MM``; inf where none is."""
    local = level.local(vertebra.points)
    body = local[(local[:, 1] < level.edges[2] - 1) & (np.abs(local[:, 0]) < COLUMN_MM)]
    count = 2 * round(COLUMN_MM / PIXEL_MM) + 1
    end = np.full((count, 4 * count), np.inf if pick is np.minimum else -np.inf)
    pixels = np.round(body[:, :2] / PIXEL_MM).astype(int) + np.array([count // 2, 4 * count - 1])
    keep = pixels[:, 1] >= 0
    pick.at(end, tuple(pixels[keep].T), body[keep, 2])
    return end


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
