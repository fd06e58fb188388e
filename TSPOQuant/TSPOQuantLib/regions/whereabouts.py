"""Where a drawn foramen cannot be: in bone, in the spinal canal, between no pedicles."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..acquisition.image import Volume
from ..acquisition.segmentation import Segment, Segmentation
from ..levels import LEVELS
from ..messages import InputRefused, Notice, Notices, named
from .canal import COARSEST_MM
from .foramen import BONES_HU, Level, canal_axes, is_bone, level_between
from .neck import Neck, neck_of
from .planes import center_of
from .proposals import in_canal, met_by
from .region import Region
from .vertebra import Vertebra, sampled

Floats = NDArray[np.float64]

# None of these is published: choices.
MOST_BONE, MOST_CANAL = 0.35, 0.35
"""More of a region than this in bone or in the spinal canal is objected to: edges of coarse voxels overlap both."""
AROUND_MM, AROUND_LUMBAR_MM, BALL_STEP_MM = 10.0, 15.0, 2.0
LEAST_AROUND = 0.15
"""Of a ball so large about a foramen's center, the least that is bone: six of a real neck have 0.56 to 0.61 (0.43 with
its bone made as dim as a porous one's), places 20 mm before or behind them and 25 mm beside them up to 0.16."""


def labels_among(regions: Sequence[Region]) -> Segmentation | None:
    """The vertebrae among regions of one lattice as labels on one grid; None without two of them."""
    drawn = [
        region
        for region in regions
        if region.anatomy.structure == "vertebra" and region.anatomy.level and region.mask.any()
    ]
    if len(drawn) < 2:
        return None
    lattice = drawn[0].grid
    corners = [np.round(lattice.to_ijk(region.grid.ijk_to_lps[:3, 3])).astype(int) for region in drawn]
    low = np.min(corners, axis=0)
    high = np.max([corner + region.mask.shape[::-1] for corner, region in zip(corners, drawn, strict=True)], axis=0)
    grid = lattice.part(low[::-1].tolist(), (high - low)[::-1].tolist())
    segments = []
    for corner, region in zip(corners, drawn, strict=True):
        mask = np.zeros(grid.shape, dtype=bool)
        first = (corner - low)[::-1]
        box = tuple(slice(a, a + n) for a, n in zip(first, region.mask.shape, strict=True))
        mask[box] = region.mask
        segments.append(Segment(region.anatomy.level, region.anatomy.level, mask))
    return Segmentation(grid, tuple(segments))


def check_places(foramina: Sequence[Region], ct: Volume | None, vertebrae: Segmentation | None) -> tuple[Notice, ...]:
    """Objections to places of foramina, as far as the CT (in HU) and labels of the vertebrae can tell.

    "region-in-bone": by labels and CT, or by the CT alone. "region-no-bone": by the CT. "region-in-canal" and
    "region-no-pedicle": by labels.
    """
    if ct is not None and (ct.units != "HU" or max(ct.grid.spacing_mm) > COARSEST_MM):
        ct = None
    known = [foramen for foramen in foramina if foramen.anatomy.level in LEVELS and foramen.mask.any()]
    neck = _neck(known, ct, vertebrae)
    notices = Notices()
    for region in known:
        points = region.grid.to_lps(np.argwhere(region.mask)[:, ::-1].astype(float))
        share = _bone_share(points, ct, neck)
        if share is not None and share > MOST_BONE:
            notices.add(
                "region-in-bone", "{share:.0%} of '{region_name}' lies in bone", share=share, region_name=region.name
            )
        level = _level(region, neck)
        if level is not None and neck is not None:
            notices += _about_canal_and_pedicles(region, points, level, neck)
    bare = [foramen.name for foramen in known if ct is not None and _lacks_bone(foramen, ct)]
    if bare:
        notices.add(
            "region-no-bone",
            "the CT shows hardly any bone around {names}, where pedicles and joints lie around every foramen: "
            "what was drawn lies elsewhere, or in another space than the CT",
            names=named(bare),
        )
    return tuple(notices)


def _lacks_bone(region: Region, ct: Volume) -> bool:
    """Whether there is hardly any bone around a foramen; not told where most of its surroundings lie beyond the CT."""
    radius = AROUND_LUMBAR_MM if LEVELS[region.anatomy.level].part == "lumbar" else AROUND_MM
    steps = np.arange(-radius, radius + 0.1, BALL_STEP_MM)
    ball = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    ball = ball[np.linalg.norm(ball, axis=1) <= radius]
    hu = sampled(ct.values, ct.grid, center_of(region) + ball, fill=np.nan)
    seen = hu[np.isfinite(hu)]
    return bool(len(seen) >= len(ball) / 2 and np.mean(seen > BONES_HU[0]) < LEAST_AROUND)


def _neck(foramina: Sequence[Region], ct: Volume | None, vertebrae: Segmentation | None) -> Neck | None:
    """The vertebrae above and below what is drawn; None where the labels are of no use."""
    if vertebrae is None or not foramina:
        return None
    levels = [LEVELS[foramen.anatomy.level] for foramen in foramina]
    try:
        return neck_of(vertebrae, ct, {name for level in levels for name in (level.upper, level.lower)})
    except InputRefused:
        return None


def _bone_share(points: Floats, ct: Volume | None, neck: Neck | None) -> float | None:
    if ct is not None and neck is not None:
        return float(is_bone(points, ct, neck.bone, BONES_HU[1]).mean())
    if ct is not None:
        return float((sampled(ct.values, ct.grid, points, fill=-1000.0) > BONES_HU[1]).mean())
    if neck is not None:
        return float((sampled(neck.bone.numbers, neck.bone.grid, points, order=0) > 0).mean())
    return None


def _level(region: Region, neck: Neck | None) -> Level | None:
    if neck is None:
        return None
    declared = LEVELS[region.anatomy.level]
    upper, lower = neck.frames.get(declared.upper), neck.frames.get(declared.lower)
    if not isinstance(upper, Vertebra) or not isinstance(lower, Vertebra):
        return None
    return level_between(upper, lower)


def _about_canal_and_pedicles(region: Region, points: Floats, level: Level, neck: Neck) -> list[Notice]:
    notices = Notices()
    share = float(in_canal(points, level).mean())
    if share > MOST_CANAL:
        notices.add(
            "region-in-canal",
            "{share:.0%} of '{region_name}' lies in the spinal canal",
            share=share,
            region_name=region.name,
        )
    sign = 1.0 if level.local(points.mean(axis=0))[0] > 0 else -1.0
    axes = level.axes @ canal_axes(sign, level.lumbar)
    missing = [
        vertebra.level
        for up, vertebra in ((1.0, level.upper), (-1.0, level.lower))
        if not met_by(points.mean(axis=0), axes, up, vertebra.level, neck.bone)
    ]
    if missing:
        notices.add(
            "region-no-pedicle",
            "'{region_name}' does not lie between the pedicles of {upper} and {lower}",
            region_name=region.name,
            upper=level.upper.level,
            lower=level.lower.level,
        )
    return notices
