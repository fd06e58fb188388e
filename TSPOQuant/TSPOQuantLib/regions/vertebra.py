"""Vertebrae in their own frames: labels brought onto the CT's bone, then canal, axes, body and pedicles of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, label, map_coordinates

from ..acquisition.image import Volume
from ..acquisition.segmentation import Segmentation
from ..grid import Grid, box_of
from ..messages import InputRefused, Notice

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# None of these is published: choices, tried on one real neck and on simulated ones.
STEP_MM = 1.0
"""Of the working grid on which vertebrae are measured."""
MARGIN_MM = 9.0
"""Around the labels: their largest shift and the blur that finds it, and more than bone lies beyond them."""
BONE_HU = 200.0
LARGEST_LABEL_SHIFT_MM = 3.0
ELSEWHERE_MM, ELSEWHERE_STEP_MM, ELSEWHERE_POINTS = (12.0, 12.0, 24.0), 4.0, 400
"""How far to the side, forward and up labels are tried for a better place, in steps of so much, by so many points."""
ELSEWHERE_SHARE, ELSEWHERE_LEAST_MM, STILL_SEEN = 1.05, 2.0, 0.8
"""Labels with so many times more bone under them at a place so far away or farther belong there: right ones have at
most 0.87 times as much anywhere else (one real neck), ones that are off by 5 mm 1.1 times. Judged where so much of
what the CT shows of them stays within it."""
REACH_MM = 1.0
"""A voxel of bone belongs to the nearest label within this and a voxel of the labels."""
BRIGHT_SHARE, MOST_SHELLS = 0.2, 3
"""Labels that end more than this share short of bright bone, in shells of 1 mm around them, are taken as drawn too
small by a shell; what is bright further out is no bone: a vessel with contrast, or bone of another part."""
DEEP_MM = 1.0
"""A label's inside is bone, whatever the CT shows, deeper than this and half a voxel of the labels."""
FEWEST, FEWEST_IN_BODY = 500, 50
"""Voxels of ``STEP_MM`` that make a vertebra, and the middle of its body."""
SMALLEST_CANAL_MM2 = 70.0
PITCH_DEG, ROLL_DEG, YAW_DEG = 40.0, 16.0, 40.0
MIDDLE_MM = 5.0
"""Half the width of the part of a body, beside the middle, that is measured."""


@dataclass(frozen=True, eq=False)
class Pedicle:
    """One side's bridge from body to joint, in the vertebra's frame (left, posterior, up), mm from its canal's center.

    center: (3,); bottom, top: along the vertebra's up.
    """

    center: Floats
    bottom: float
    top: float


@dataclass(frozen=True, eq=False)
class Vertebra:
    """One vertebra in its own frame.

    canal: (3,) LPS mm, the middle of its part of the spinal canal. axes: unit columns (left, posterior, up), LPS.
    edges: left, right, front and back of the canal, in mm from its middle, in that frame. body: (3,) LPS mm;
    height: of the body, mm. pedicles: by side.
    """

    level: str
    points: Floats
    canal: Floats
    axes: Floats
    edges: tuple[float, float, float, float]
    body: Floats
    height: float
    pedicles: Mapping[str, Pedicle]

    def local(self, points: Floats) -> Floats:
        """LPS points (..., 3) in the vertebra's frame."""
        return np.asarray((points - self.canal) @ self.axes)


@dataclass(frozen=True, eq=False)
class LabeledBone:
    """Vertebrae on one grid of ``STEP_MM``: which voxel belongs to which, by CT and labels together.

    numbers: (k, j, i), 0 for none, else 1 + the position in ``levels``. shift_mm: (3,), how far the labels had to be
    moved onto the CT's bone. voxel_mm: the labels' own largest voxel. outside_mm, depth_mm: (k, j, i), distance to the
    nearest label, and into a vertebra. reach_mm: a bright voxel within this of a label is bone.
    """

    grid: Grid
    numbers: NDArray[np.uint8]
    levels: tuple[str, ...]
    shift_mm: Floats
    voxel_mm: float
    outside_mm: Floats
    depth_mm: Floats
    reach_mm: float

    def points(self, level: str) -> Floats:
        """(n, 3) LPS mm of one vertebra's voxels."""
        found = np.argwhere(self.numbers == 1 + self.levels.index(level))
        return self.grid.to_lps(found[:, ::-1].astype(float))


def sampled(volume: NDArray[Any], grid: Grid, points: Floats, order: int = 1, fill: float = 0.0) -> NDArray[Any]:
    """Values of an array on a grid at LPS points (..., 3)."""
    index = np.moveaxis(grid.to_ijk(points)[..., ::-1], -1, 0)
    return np.asarray(map_coordinates(volume, index, order=order, mode="constant", cval=fill))


def labeled_bone(labels: Segmentation, levels: Mapping[str, int], ct: Volume | None) -> LabeledBone:
    """Labels say where a vertebra is, the CT where its edge is.

    levels: vertebra to the position of its segment. The labels are first moved as a whole onto the bone. Without a CT
    they are taken as they are. Raises InputRefused "labels-elsewhere" for labels that are not this CT's.
    """
    names = tuple(levels)
    voxel = max(labels.grid.spacing_mm)
    numbers = np.zeros(labels.grid.shape, np.uint8)
    for number, name in enumerate(names, start=1):
        numbers[labels.segments[levels[name]].mask] = number
    drawn = labels.grid.to_lps(np.argwhere(numbers)[:, ::-1].astype(float))
    low, high = drawn.min(axis=0) - MARGIN_MM, drawn.max(axis=0) + MARGIN_MM
    matrix = np.diag([STEP_MM] * 3 + [1.0])
    matrix[:3, 3] = low
    i, j, k = (int(n) for n in np.ceil((high - low) / STEP_MM) + 1)
    grid = Grid((k, j, i), matrix)
    at = grid.centers
    shift = np.zeros(3)
    if ct is not None:
        hu = sampled(ct.values, ct.grid, at, fill=-1000.0)
        shift = _shift_onto_bone(drawn, hu, grid)
        _refuse_elsewhere(drawn, shift, ct)
    near = sampled(numbers, labels.grid, at - shift, order=0)
    outside, nearest = distance_transform_edt(near == 0, sampling=STEP_MM, return_indices=True)
    kept, reach = near > 0, 0.0
    if ct is not None:
        reach = _reach(hu, outside, voxel)
        inside = depth_in(kept)
        kept = ((hu > BONE_HU) & (outside <= REACH_MM + voxel)) | (inside > DEEP_MM + voxel / 2)
        kept |= enclosed(kept)[0] > 0
    depth = depth_in(kept)
    found = np.where(kept, near[tuple(nearest)], 0).astype(np.uint8)
    return LabeledBone(grid, found, names, shift, voxel, outside, depth, reach)


def enclosed(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], int]:
    """The holes of a mask, numbered from 1 on, and how many there are: what no way along the axes leads to from
    outside. One numbering of all that is not in the mask is faster than to flood it from its border."""
    parts, count = label(~mask)
    outer = np.zeros(count + 1, dtype=bool)
    for axis in range(mask.ndim):
        for end in (0, -1):
            outer[np.take(parts, end, axis=axis)] = True
    outer[0] = True
    numbers = np.where(outer, 0, np.cumsum(~outer))
    return numbers[parts], int(count + 1 - np.count_nonzero(outer))


def depth_in(mask: Bools) -> Floats:
    """Distance of every voxel of a mask to what is not in it, in mm; 0 outside.

    Only the mask's box with one voxel around it is looked at: nothing outside lies nearer than that voxel. Beyond the
    array all is taken for inside, as ``distance_transform_edt`` does.
    """
    depth = np.zeros(mask.shape)
    if mask.any():
        box = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box_of(mask))
        depth[box] = distance_transform_edt(mask[box], sampling=STEP_MM)
    return depth


def _reach(hu: Floats, outside: Floats, voxel: float) -> float:
    """How far beyond the labels bright voxels are their bone, in mm: by shells around them that are bright."""
    reach = voxel / 2 + 0.25
    for shell in range(MOST_SHELLS):
        around = hu[(outside > shell) & (outside <= shell + 0.95)]
        if len(around) == 0 or float(np.mean(around > BONE_HU)) <= BRIGHT_SHARE:
            break
        reach += 1.0
    return reach


def _shift_onto_bone(drawn: Floats, hu: NDArray[Any], grid: Grid) -> Floats:
    """The shift of the labels as a whole, within ``LARGEST_LABEL_SHIFT_MM``, with most bone under them.

    The bone is blurred, so that labels drawn too large or too small come to lie centered on it.
    """
    some = drawn[:: max(1, len(drawn) // 4000)]
    bone = gaussian_filter(np.clip((hu - 100.0) / 300.0, 0, 1), 1.5 / STEP_MM)

    def share(shift: Floats) -> float:
        return float(sampled(bone, grid, some + shift).mean())

    return _climbed(share, np.zeros(3), LARGEST_LABEL_SHIFT_MM)[0]


def _climbed(share: Callable[[Floats], float], start: Floats, limit_mm: float) -> tuple[Floats, float]:
    """The shift from ``start`` on uphill, at most ``limit_mm`` along each axis from none, and what share it has."""
    best, most = start, share(start)
    for step in (1.0, 0.5):
        while True:
            around = [best + step * np.array(direction) for direction in np.vstack([np.eye(3), -np.eye(3)])]
            around = [place for place in around if np.abs(place).max() <= limit_mm]
            shares = [share(place) for place in around]
            if max(shares) <= most + 1e-4:
                break
            best, most = around[int(np.argmax(shares))], max(shares)
    return best, most


def _refuse_elsewhere(drawn: Floats, shift: Floats, ct: Volume) -> None:
    """Refuse labels (their points, LPS, still to be shifted) under which the CT has less bone than beside them, or
    that lie beyond it: a level further up or down they would find foramina as well, and give them a wrong level."""
    places = drawn + shift
    index = ct.grid.to_ijk(places)
    seen = places[((index >= 0) & (index <= np.array(ct.grid.shape[::-1]) - 1)).all(axis=1)]
    if len(seen) == 0:
        raise InputRefused(
            "labels-elsewhere",
            "the labels of the vertebrae lie beyond the image: they were made on another one, or lie in another "
            "space; give labels of this image",
        )
    some = seen[:: max(1, len(seen) // ELSEWHERE_POINTS)]

    def share(move: Floats) -> float:
        hu = sampled(ct.values, ct.grid, some + move, fill=np.nan)
        hu = hu[np.isfinite(hu)]
        return float(np.clip((hu - 100.0) / 300.0, 0, 1).mean()) if len(hu) >= STILL_SEEN * len(some) else 0.0

    tried = [np.arange(-far, far + 0.1, ELSEWHERE_STEP_MM) for far in ELSEWHERE_MM]
    start = max(np.stack(np.meshgrid(*tried, indexing="ij"), axis=-1).reshape(-1, 3), key=share)
    move, most = _climbed(share, start, 2 * max(ELSEWHERE_MM))
    if np.abs(move).max() >= ELSEWHERE_LEAST_MM and most > ELSEWHERE_SHARE * share(np.zeros(3)):
        left, back, up = (round(float(part)) for part in shift + move)
        raise InputRefused(
            "labels-elsewhere",
            "the labels of the vertebrae do not lie on the image's bone, and would if they were moved by {left:+d} mm "
            "to the left, {back:+d} mm to the back and {up:+d} mm up: they were made on another image, or lie in "
            "another space; give labels of this image",
            left=left,
            back=back,
            up=up,
        )


# --- The frame of one vertebra ---------------------------------------------------------------------------------------


def vertebrae_of(bone: LabeledBone) -> dict[str, Vertebra | Notice]:
    """The frame of each labeled vertebra, or why it has none."""
    points = {level: bone.points(level) for level in bone.levels}
    middles = [points[level].mean(axis=0) for level in bone.levels if len(points[level]) >= FEWEST]
    usable = [level for level in bone.levels if len(points[level]) >= FEWEST]
    found: dict[str, Vertebra | Notice] = {
        level: Notice("vertebra-small", "vertebra {level} has hardly a voxel on the CT's bone", level=level)
        for level in bone.levels
        if level not in usable
    }
    for place, level in enumerate(usable):
        above, below = middles[max(place - 1, 0)], middles[min(place + 1, len(usable) - 1)]
        up = above - below if len(usable) > 1 else np.array([0.0, 0.0, 1.0])
        found[level] = _frame(level, points[level], up)
    return found


def _frame(level: str, points: Floats, up: Floats) -> Vertebra | Notice:
    """A vertebra from its points and a rough upward direction.

    Up is the direction in which the canal is seen widest, left is at right angles to the plane about which the
    vertebra is most alike on both sides.
    """
    axes = axes_about(up, np.array([1.0, 0.0, 0.0]))
    few = points[:: max(1, len(points) // 4000)]
    best = _widest(few, axes, [(p, r) for p in _steps(PITCH_DEG, 8) for r in _steps(ROLL_DEG, 8)])
    if best is None:
        return _open(level)
    best = _widest(few, best, [(p, r) for p in (-4, 0, 4) for r in (-4, 0, 4)])
    assert best is not None
    axes = _facing(few, best)
    hole = _hole(points @ axes)
    if hole is None:  # some of its points left a gap where all of them leave none
        return _open(level)
    middle, (left, right, front, back) = hole
    canal = axes[:, :2] @ middle + axes[:, 2] * float(np.median(points @ axes[:, 2]))
    local = (points - canal) @ axes
    column = local[(np.abs(local[:, 0]) < MIDDLE_MM) & (local[:, 1] < front - 2) & (local[:, 1] > front - 11)]
    if len(column) < FEWEST_IN_BODY:
        return Notice("vertebra-bodiless", "the label of vertebra {level} has no body before its canal", level=level)
    low, high = np.percentile(column[:, 2], [3, 97])
    body = canal + axes @ np.array([0.0, float(column[:, 1].mean()), (low + high) / 2])
    pedicles = {}
    for side, sign, edge in (("left", 1.0, left), ("right", -1.0, -right)):
        pedicle = _pedicle(local * [sign, 1, 1], edge, front)
        if pedicle is not None:
            pedicles[side] = replace(pedicle, center=pedicle.center * [sign, 1, 1])
    return Vertebra(level, points, canal, axes, (left, right, front, back), body, float(high - low), pedicles)


def _open(level: str) -> Notice:
    return Notice(
        "vertebra-open",
        "the label of vertebra {level} encloses no spinal canal: it is labeled in part, or its body alone",
        level=level,
    )


def _steps(half_deg: float, step: float) -> list[float]:
    return np.arange(-half_deg, half_deg + 1, step).tolist()


def axes_about(up: Floats, left: Floats) -> Floats:
    """Unit columns (left, posterior, up) about a direction (3,), left as near to the one given as it allows."""
    up = up / np.linalg.norm(up)
    left = left - up * (up @ left)
    left = left / np.linalg.norm(left)
    return np.stack([left, np.cross(up, left), up], axis=1)


def turned(axes: Floats, pitch_deg: float = 0.0, roll_deg: float = 0.0, yaw_deg: float = 0.0) -> Floats:
    """Axes turned about their own left, then posterior, then up."""
    a, b, c = np.deg2rad([pitch_deg, roll_deg, yaw_deg])
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(axes @ x @ y @ z)


def _widest(points: Floats, axes: Floats, turns: list[tuple[float, float]]) -> Floats | None:
    """Of the turns (pitch, roll), the axes along which the largest canal is seen."""
    best, most = None, 0.0
    for pitch, roll in turns:
        tilted = turned(axes, pitch, roll)
        area = float(_holes(points @ tilted)[1].max(initial=0))
        if area >= SMALLEST_CANAL_MM2 and area > most:
            best, most = tilted, area
    return best


def _holes(local: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """The holes seen along the last axis in pixels of 1 mm, numbered from 1, their sizes, and the first pixel's place.

    Gaps up to 4 mm are closed, by a diamond.
    """
    across = np.ascontiguousarray(local[:, :2].T)
    low = across.min(axis=1) - 4
    pixels = np.round(across - low[:, None]).astype(int)
    seen = np.zeros(pixels.max(axis=1) + 5, dtype=bool)
    seen[tuple(pixels)] = True
    holes, _ = enclosed(~_grown(~_grown(seen)))
    return holes, np.bincount(holes.ravel())[1:], low


def _grown(mask: Bools) -> Bools:
    """A mask (2-D) and what is at most two steps along the axes away from it; nothing comes in from the border."""
    for _ in range(2):
        grown = mask.copy()
        for to, from_ in ((np.s_[1:], np.s_[:-1]), (np.s_[:-1], np.s_[1:])):
            grown[to] |= mask[from_]
            grown[:, to] |= mask[:, from_]
        mask = grown
    return mask


def _hole(local: Floats) -> tuple[Floats, tuple[float, float, float, float]] | None:
    """The largest hole seen along the last axis: its middle (left, posterior); left, right, front and back edge from
    there."""
    holes, sizes, low = _holes(local)
    if sizes.max(initial=0) < SMALLEST_CANAL_MM2:
        return None
    inside = np.argwhere(holes == np.argmax(sizes) + 1) + low
    x, y = inside.mean(axis=0).tolist()
    column = inside[np.abs(inside[:, 0] - x) < MIDDLE_MM - 1]
    left, right = float(inside[:, 0].max() + 0.5) - x, float(inside[:, 0].min() - 0.5) - x
    front, back = float(column[:, 1].min() - 0.5) - y, float(column[:, 1].max() + 0.5) - y
    return np.array([x, y]), (left, right, front, back)


def _facing(points: Floats, axes: Floats) -> Floats:
    """Axes turned about up so that left and right are most alike, seen along up."""
    hole = _hole(points @ axes)
    assert hole is not None
    flat = points @ axes - np.array([*hole[0], 0.0])
    scores = []
    turns = _steps(YAW_DEG, 2)
    for yaw in turns:
        seen = flat @ turned(np.eye(3), yaw_deg=yaw)
        x, y = np.clip(np.round(seen[:, :2]).astype(int) + 60, 0, 120).T
        image = np.bincount(121 * x + y, minlength=121**2).reshape(121, 121)
        mirrored = image[::-1]
        scores.append(max(float((image * np.roll(mirrored, shift, axis=0)).sum()) for shift in range(-4, 5)))
    return turned(axes, yaw_deg=turns[int(np.argmax(scores))])


def _pedicle(local: Floats, edge: float, front: float) -> Pedicle | None:
    """On the left (points mirrored for the right): the bone beside the front corner of the canal."""
    x, y = local[:, 0] - edge, local[:, 1] - front
    column = local[(x > 0.5) & (x < 3.5) & (y > -2) & (y < 2)]
    if len(column) < 10:
        return None
    bottom, top = np.percentile(column[:, 2], [10, 90])
    return Pedicle(column.mean(axis=0), float(bottom), float(top))
