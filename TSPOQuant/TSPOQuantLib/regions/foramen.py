"""A foramen found by what it is: the narrowest free way from the spinal canal to the side, between two pedicles."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter1d, map_coordinates

from ..acquisition.image import Volume
from ..levels import LEVELS
from .canal import DOWNWARD_DEG, FORWARD_DEG, LUMBAR_DOWNWARD_DEG, LUMBAR_FORWARD_DEG
from .vertebra import LabeledBone, Vertebra, axes_about, sampled

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# None of these is published: choices, tried on one real neck and on simulated ones.
STEP_MM, HALF_MM = 0.5, 9.5
"""Of the block of space that is looked at around an expected foramen."""
ALONG_MM, ASIDE_MM = 7.0, 6.5
"""How far along the canal, and beside its expected course, the passage is followed."""
BONES_HU = (150.0, 200.0, 270.0)
"""What is bone from this CT number on: the passage is measured with each, and should not depend on it."""
DEEP_MM = 1.2
"""A vertebra's inside is bone deeper than this, whatever the CT shows: cancellous bone may be as dark as muscle."""
MOUTH_MM = 0.75
"""The passage ends where its radius is larger than at the narrowest place by this much."""
RAYS, FAR_MM, NARROW_MM = 16, 6.0, 0.8
"""How narrow the passage is at a place along it: mean free distance of so many rays across it, each at most so long.
It counts as narrow where that is less than so much above its least."""
PEDICLE_HALF_MM, PEDICLE_OFF_MM, FEWEST_LINES = 6.0, 2.0, 5
"""A pedicle is looked for within this of its column along the foramen's canal, on lines this far beside each other and
beside the column; with fewer lines that show both its borders it has none."""
LIMIT_MM = 5.0
"""A wall is looked for within this of the middle: half of the widest foramina."""
BEYOND_EDGE_MM = 1.0
"""The narrowest place is expected this far beside the spinal canal's edge."""
BEFORE_FRONT_MM = 0.5
"""And this far before its front."""
DISC_SHARE = 0.7
"""Of the canal's half width, within which what lies before the canal is disc, and no way out."""
LUMBAR_BEYOND_MM, LUMBAR_BEHIND_MM, LUMBAR_DISC_SHARE, LUMBAR_LIMIT_MM = 4.5, 4.5, 1.8, 9.2
"""The same of a lumbar level, where the disc closes the front of the foramen, too."""
TURNS = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
WALL_COST, NEVER = 50.0, 1e6


@dataclass(frozen=True, eq=False)
class Level:
    """Between two vertebrae. origin: (3,) LPS mm, in the canal's middle; axes: unit columns (left, posterior, up).

    edges: left, right and front edge of the canal, in mm from the origin.
    """

    upper: Vertebra
    lower: Vertebra
    origin: Floats
    axes: Floats
    edges: tuple[float, float, float]

    @property
    def lumbar(self) -> bool:
        return self.upper.level.startswith("L")

    @property
    def limit_mm(self) -> float:
        return LUMBAR_LIMIT_MM if self.lumbar else LIMIT_MM

    def local(self, points: Floats) -> Floats:
        """LPS points (..., 3) in the level's frame."""
        return np.asarray((points - self.origin) @ self.axes)


@dataclass(frozen=True, eq=False)
class Passage:
    """One foramen as measured. center (3,), inner and outer mouth: LPS mm. axes: unit columns (outward, up, across).

    radius: of the largest ball that passes. height, width: free distance through the center, 2 ``LIMIT_MM`` at most.
    closed: whether bone was met above, below, behind and in front. at_end: the narrowest place is the last one that
    was looked at.
    """

    center: Floats
    axes: Floats
    inner: Floats
    outer: Floats
    radius: float
    height: float
    width: float
    closed: tuple[bool, bool, bool, bool]
    at_end: bool


def level_between(upper: Vertebra, lower: Vertebra) -> Level:
    """The frame half-way between two vertebrae."""
    axes = axes_about(upper.axes[:, 2] + lower.axes[:, 2], upper.axes[:, 0] + lower.axes[:, 0])
    left_edge, right_edge, front = (
        float(np.mean(pair)) for pair in zip(upper.edges[:3], lower.edges[:3], strict=True)
    )
    return Level(upper, lower, (upper.canal + lower.canal) / 2, axes, (left_edge, right_edge, front))


def canal_axes(sign: float, lumbar: bool = False) -> Floats:
    """Unit columns (outward, up, across) of a foramen's canal in (left, posterior, up); sign 1 left, -1 right."""
    degrees = (LUMBAR_FORWARD_DEG, LUMBAR_DOWNWARD_DEG) if lumbar else (FORWARD_DEG, DOWNWARD_DEG)
    forward, down = np.deg2rad(degrees)
    outward = np.array([sign * np.cos(forward) * np.cos(down), -np.sin(forward) * np.cos(down), -np.sin(down)])
    across = np.array([sign * np.sin(forward), np.cos(forward), 0.0])
    up = np.array([sign * np.cos(forward) * np.sin(down), -np.sin(forward) * np.sin(down), np.cos(down)])
    return np.stack([outward, up, across], axis=1)


def expected(level: Level, side: str) -> tuple[Floats, Floats]:
    """Where the vertebrae alone put a foramen: its center and its axes, LPS.

    Beside the front corner of the canal and half-way between the pedicles above and below. Raises KeyError where a
    vertebra has no pedicle on that side.
    """
    sign = 1.0 if side == "left" else -1.0
    heights = []
    for vertebra, end in ((level.upper, "bottom"), (level.lower, "top")):
        pedicle = vertebra.pedicles[side]
        point = vertebra.canal + vertebra.axes @ np.array([*pedicle.center[:2], getattr(pedicle, end)])
        heights.append(float(level.local(point)[2]))
    edge = level.edges[0] if sign > 0 else -level.edges[1]
    beyond, behind = (LUMBAR_BEYOND_MM, LUMBAR_BEHIND_MM) if level.lumbar else (BEYOND_EDGE_MM, -BEFORE_FRONT_MM)
    place = np.array([sign * (edge + beyond), level.edges[2] + behind, np.mean(heights)])
    return level.origin + level.axes @ place, level.axes @ canal_axes(sign, level.lumbar)


def measured(level: Level, side: str, name: str, ct: Volume, bone: LabeledBone) -> list[Passage]:
    """The passage near where it is expected, for each of ``BONES_HU`` that leaves a way through.

    name: of the level, for the usual size. It is looked for twice, the second time around what was found first.
    """
    center, axes = expected(level, side)
    course = [float(center @ axes[:, 0])]
    pedicles = [_pedicle_middle(vertebra, side, axes, bone) for vertebra in (level.upper, level.lower)]
    if pedicles[0] is not None and pedicles[1] is not None:
        course.append((pedicles[0] + pedicles[1]) / 2)
    first = _narrowest(_block(_Space.at(center, axes, ct, bone), BONES_HU[1], level), level, name, course)
    if first is None:
        return []
    space = _Space.at(first.center, axes, ct, bone)
    found = [_narrowest(_block(space, bone_hu, level), level, name, course) for bone_hu in BONES_HU]
    return [passage for passage in found if passage is not None]


def _pedicle_middle(vertebra: Vertebra, side: str, axes: Floats, bone: LabeledBone) -> float | None:
    """Where along a foramen's canal (LPS . axes[:, 0], mm) the middle of a pedicle lies, between its own two borders.

    Its inner border is the spinal canal's, its outer one that of the transverse foramen or of what lies beside the
    spine. A CT whose voxels thicken bone moves both alike, and their middle not.
    """
    pedicle = vertebra.pedicles[side]
    center = vertebra.canal + vertebra.axes @ pedicle.center
    heights = np.arange(pedicle.bottom, pedicle.top + 0.1, 1.0) - pedicle.center[2]
    beside = np.arange(-PEDICLE_OFF_MM, PEDICLE_OFF_MM + 0.1, 1.0)
    along = np.arange(-PEDICLE_HALF_MM, PEDICLE_HALF_MM + 0.1, 0.25)
    lines = heights[:, None, None, None] * vertebra.axes[:, 2] + beside[:, None, None] * axes[:, 2]
    points = center + lines + along[:, None] * axes[:, 0]
    own = (bone.numbers == 1 + bone.levels.index(vertebra.level)).astype(np.float32)
    middles = [
        float(along[run].mean())
        for line in (sampled(own, bone.grid, points) >= 0.5).reshape(-1, len(along))
        if (run := _run_at_middle(line)) is not None
    ]
    return float(center @ axes[:, 0] + np.median(middles)) if len(middles) >= FEWEST_LINES else None


def _run_at_middle(line: Bools) -> slice | None:
    """The run of True nearest to the middle of a line; None where there is none or it does not end within the line."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], line, [False]]).astype(int)))
    if len(edges) == 0:
        return None
    middle = len(line) // 2
    begins, ends = edges[::2], edges[1::2]
    nearest = int(np.argmin(np.maximum(np.maximum(begins - middle, middle - ends + 1), 0)))
    begin, end = int(begins[nearest]), int(ends[nearest])
    return slice(begin, end) if begin > 0 and end < len(line) else None


AT_MM = np.arange(-HALF_MM, HALF_MM + STEP_MM / 2, STEP_MM)


@dataclass(frozen=True, eq=False)
class _Space:
    """A block of space about a center (3,) LPS, along a canal's axes: at each point (along, up, across) its CT number,
    mm to the nearest label, and mm of depth in a vertebra."""

    center: Floats
    axes: Floats
    points: Floats
    hu: Floats
    outside: Floats
    depth: Floats

    @classmethod
    def at(cls, center: Floats, axes: Floats, ct: Volume, bone: LabeledBone) -> "_Space":
        points = center + np.stack(np.meshgrid(AT_MM, AT_MM, AT_MM, indexing="ij"), axis=-1) @ axes.T
        return cls(center, axes, points, *_looked_up(points, ct, bone))


@dataclass(frozen=True, eq=False)
class _Block:
    """The same block with one limit of bone. free_mm: distance to what is no way."""

    center: Floats
    axes: Floats
    free_mm: Floats

    def value(self, array: Floats, offsets: Floats) -> Floats:
        """Linear between voxels, at offsets (..., 3) in mm along the axes."""
        index = np.moveaxis((offsets + HALF_MM) / STEP_MM, -1, 0)
        return np.asarray(map_coordinates(array, index, order=1, mode="nearest"))


def _block(space: _Space, bone_hu: float, level: Level) -> _Block:
    bone = (space.hu > bone_hu) & (space.outside <= 0) | (space.depth > DEEP_MM)
    free = distance_transform_edt(~bone, sampling=STEP_MM)
    local = level.local(space.points)
    half = (LUMBAR_DISC_SHARE if level.lumbar else DISC_SHARE) * min(level.edges[0], -level.edges[1])
    free[(np.abs(local[..., 0]) < half) & (local[..., 1] < level.edges[2] - BEFORE_FRONT_MM)] = 0
    return _Block(space.center, space.axes, free)


def _looked_up(points: Floats, ct: Volume, bone: LabeledBone) -> tuple[Floats, Floats, Floats]:
    """At LPS points (..., 3): the CT number, mm beyond the reach of the labels (0 and below: within), and depth."""
    hu = sampled(ct.values, ct.grid, points, fill=-1000.0)
    outside = sampled(bone.outside_mm, bone.grid, points, fill=99.0) - bone.reach_mm
    return hu, outside, sampled(bone.depth_mm, bone.grid, points)


def is_bone(points: Floats, ct: Volume, bone: LabeledBone, bone_hu: float) -> Bools:
    """Whether LPS points (..., 3) lie in what no region may hold: bright voxels, and the depth of vertebrae."""
    hu, _, depth = _looked_up(points, ct, bone)
    return np.asarray((hu > bone_hu) | (depth > DEEP_MM))


def _narrowest(block: _Block, level: Level, name: str, course: Sequence[float]) -> Passage | None:
    """The passage of a block; course: where along the canal (LPS . axes[:, 0], mm) the vertebrae alone would have it.

    Where along its course its center is, three tell: where it is narrow, the middle of the pedicles, and the edge of
    the spinal canal. The middle one of them is taken, so that none can be far off alone: a passage as wide as long has
    no one narrowest place, and a lip or spur makes one beside its middle.
    """
    path = _way(block, level)
    if path is None:
        return None
    radius = block.value(block.free_mm, path)
    low = int(np.argmin(radius))
    ends = [_mouth(path, radius, low, step) for step in (-1, 1)]
    along = float(np.median([_narrow_middle(block, path), *(at - block.center @ block.axes[:, 0] for at in course)]))
    middle = np.array([np.interp(along, path[:, 0], path[:, n]) for n in range(3)])
    reach, closed = _walls(block, middle, level.limit_mm)
    sizes = []
    for axis, usual, (one, other), (met, met_other) in zip(
        (1, 2),
        LEVELS[name].size_mm or (math.inf, math.inf),
        (reach[:2], reach[2:]),
        (closed[:2], closed[2:]),
        strict=True,
    ):
        # Where one wall is missing, the canal is of its usual size beside the other.
        if met and not met_other:
            other = min(other, usual - one)
        elif met_other and not met:
            one = min(one, usual - other)
        sizes.append(one + other)
        middle[axis] += (one - other) / 2
    center, inner, outer = (block.center + block.axes @ point for point in (middle, *ends))
    at_end = low in (0, len(path) - 1)
    return Passage(center, block.axes, inner, outer, float(radius[low]), sizes[0], sizes[1], closed, at_end)


def _way(block: _Block, level: Level) -> Floats | None:
    """(n, 3) mm along the block's axes: from the spinal canal outward where most room is, by dynamic programming.

    It goes one step along the canal at a time, at most one aside, and pays by the inverse square of its distance to
    bone, a little for each step aside, and a little for being far from its expected course.
    """
    steps = np.flatnonzero(np.abs(AT_MM) <= ALONG_MM)
    up, across = np.meshgrid(AT_MM, AT_MM, indexing="ij")
    aside = np.hypot(up, across)
    cost = 1.0 / np.maximum(block.free_mm, 0.2) ** 2 + 0.02 * (aside / 3.0) ** 2
    cost[block.free_mm <= 0] = WALL_COST
    cost[:, aside > ASIDE_MM] = NEVER
    first = level.local(
        block.center + np.stack([np.full_like(up, AT_MM[steps[0]]), up, across], axis=-1) @ block.axes.T
    )
    in_canal = (first[..., 0] < level.edges[0]) & (first[..., 0] > level.edges[1]) & (first[..., 1] > level.edges[2])
    total = np.where(in_canal, cost[steps[0]], NEVER)
    came = []
    count = len(AT_MM)
    for step in steps[1:]:
        padded = np.pad(total, 1, constant_values=2 * NEVER)
        options = np.stack(
            [padded[1 + a : 1 + a + count, 1 + b : 1 + b + count] + 0.03 * (abs(a) + abs(b)) for a, b in TURNS]
        )
        came.append(options.argmin(axis=0))
        total = options.min(axis=0) + cost[step]
    if total.min() >= WALL_COST:
        return None
    at = np.unravel_index(int(total.argmin()), total.shape)
    path = [at]
    for back in reversed(came):
        a, b = TURNS[back[at]]
        at = (at[0] + a, at[1] + b)
        path.append(at)
    across_path = gaussian_filter1d(AT_MM[np.array(path[::-1])], 1.5, axis=0, mode="nearest")
    return np.column_stack([AT_MM[steps], across_path])


def _narrow_middle(block: _Block, path: Floats) -> float:
    """Where along a path its narrow part has its middle, each place weighted by how narrow it is, seen all around."""
    angle = np.arange(RAYS) * 2 * np.pi / RAYS
    rays = np.stack([np.zeros(RAYS), np.sin(angle), np.cos(angle)], axis=1)
    far = np.arange(0.0, FAR_MM + 0.01, 0.25)
    wall = (block.free_mm <= 0).astype(float)
    hit = block.value(wall, path[:, None, None, :] + far[:, None] * rays[:, None, :]) >= 0.5
    free = np.where(hit.any(axis=-1), far[hit.argmax(axis=-1)], FAR_MM).mean(axis=1)
    narrow = np.clip(np.sort(free)[1] + NARROW_MM - free, 0, None)
    return float(path[:, 0] @ narrow / narrow.sum())


def _mouth(path: Floats, radius: Floats, low: int, step: int) -> Floats:
    """From the narrowest place on, the point (3,) where the passage has widened by ``MOUTH_MM``, or its end."""
    rim, at = radius[low] + MOUTH_MM, low
    while 0 < at < len(path) - 1 and radius[at] < rim:
        at += step
    if at == low:
        return np.asarray(path[at])
    gained = radius[at] - radius[at - step]
    share = np.clip((rim - radius[at - step]) / gained, 0, 1) if gained > 0 else 1.0
    return np.asarray(path[at - step] + share * (path[at] - path[at - step]))


def _walls(block: _Block, at: Floats, limit_mm: float) -> tuple[list[float], tuple[bool, bool, bool, bool]]:
    """From a point up, down, back and to the front: mm to what is no way, ``limit_mm`` at most; was it met."""
    far = np.arange(0.0, limit_mm + 0.01, 0.1)
    wall = (block.free_mm <= 0).astype(float)
    reach, met = [], []
    for axis, sign in ((1, 1.0), (1, -1.0), (2, 1.0), (2, -1.0)):
        offsets = np.zeros((len(far), 3))
        offsets[:, axis] = sign * far
        hit = np.flatnonzero(block.value(wall, at + offsets) >= 0.5)
        met.append(len(hit) > 0)
        reach.append(float(far[hit[0]]) if len(hit) else limit_mm)
    return reach, (met[0], met[1], met[2], met[3])


def agreed(passages: Sequence[Passage]) -> tuple[Floats, Floats]:
    """Where several passages lie: their middle (3,) LPS, and the range (3,) of their centers along their axes."""
    centers = np.array([passage.center for passage in passages])
    return np.median(centers, axis=0), np.ptp(centers @ passages[0].axes, axis=0)
