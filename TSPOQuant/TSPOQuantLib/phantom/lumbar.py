"""The lumbar spine of the phantom: T12 to S1 with five foramina a side, of the same kind of shapes as the neck.

Every size here is an assumption but the foramina's height and width (17.46 and 9.08 mm: the mean over L1/L2 to L5/S1
of 600 people, Harianja et al., by CT); every V_T is an assumption. The cord ends behind L1; below, the canal holds
CSF, in which no single roots are drawn. The field cuts the trunk: beyond it the object goes on as its last voxels do.
"""

import numpy as np

from ..grid import Grid
from ..progress import Progress
from .anatomy import (
    CT_SHIFT_MM,
    Anatomy,
    Bools,
    Floats,
    Labels,
    centered_grid,
    foramina_at,
    hounsfield_of,
    slabs_of,
    table_of,
    within_body,
    within_capsule,
)
from .neck import Build, CanalPlan, Plan, Pose, Vertebra, canal_axes
from .spine import bent_spine
from .tracer import Kinetics, kinetics_named

# Lowest first, as the axis runs. The tilts make a lordosis.
VERTEBRAE = (
    Vertebra("S1", 30.0, 10.0, 48.0, 32.0, 50.0, -14.0),
    Vertebra("L5", 27.0, 11.0, 48.0, 34.0, 62.0, -8.0),
    Vertebra("L4", 27.0, 11.0, 47.0, 34.0, 66.0, -3.0),
    Vertebra("L3", 27.0, 10.0, 46.0, 34.0, 66.0, 0.0),
    Vertebra("L2", 26.0, 9.0, 44.0, 33.0, 64.0, 3.0),
    Vertebra("L1", 25.0, 8.0, 43.0, 32.0, 62.0, 5.0),
    Vertebra("T12", 24.0, 0.0, 42.0, 31.0, 58.0, 6.0),
)
STARTS_MM = tuple(float(sum(v.height_mm + v.disc_mm for v in VERTEBRAE[:n])) for n in range(len(VERTEBRAE)))
ENDS_MM = tuple(start + v.height_mm for start, v in zip(STARTS_MM, VERTEBRAE, strict=True))
LEVELS = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
HEIGHT_MM, WIDTH_MM, LENGTH_MM = 17.46, 9.08, 8.0
FORWARD_DEG, DOWNWARD_DEG = 10.0, 10.0
LEFT_MM, POSTERIOR_MM, ABOVE_DISC_MM = 17.0, 4.2, 2.0
SIDES = ("left", "right")
CORDS = ("T12", "L1")
CONUS_MM = STARTS_MM[5] + 8.0
"""The cord ends at the lower third of L1."""
CORD_HALF_MM, CORD_POSTERIOR_MM = (4.5, 4.0), 8.5
CANAL_HALF_MM, CANAL_POSTERIOR_MM = (12.5, 8.2), 8.2
SAC_HALF_MM = (9.0, 6.8)
NERVE_RADIUS_MM = 3.0
PILLAR, JOINT_MM = (20.0, 16.5, 7.5, 7.6), 0.9
AORTA, CAVA, SKIN_BACK_MM = (9.0, -46.0, 8.5), (-14.0, -45.0, 9.5), 78.0
# Side, behind the axis, half width, half depth.
MUSCLES = ((38.0, -18.0, 17.0, 22.0), (30.0, 44.0, 27.0, 21.0), (66.0, 6.0, 14.0, 14.0), (14.0, 34.0, 12.0, 10.0))
FIELD_MM = {"x": 156.0, "y": 168.0, "z": 240.0}
CENTER_LPS_MM = np.array([0.0, 6.0, 0.0])


def _along(level: str) -> float:
    lower = [v.name for v in VERTEBRAE].index(level.split("/")[1])
    return ENDS_MM[lower] + VERTEBRAE[lower].disc_mm / 2 + ABOVE_DISC_MM


CANALS = tuple(
    CanalPlan(
        level,
        side,
        level.split("/")[0],
        ((1.0 if side == "left" else -1.0) * LEFT_MM, POSTERIOR_MM, _along(level)),
        canal_axes(side, FORWARD_DEG, DOWNWARD_DEG),
        (LENGTH_MM, HEIGHT_MM, WIDTH_MM),
    )
    for level in LEVELS
    for side in SIDES
)
_VT = (4.70, 4.85, 4.60, 4.95, 5.05, 4.80, 9.40, 5.15, 5.30, 5.00)
FORAMEN_VT = dict(zip((canal.name for canal in CANALS), _VT, strict=True))
AFFECTED = "foramen L4/L5 left (root L4)"
FOLLOWUP_VT = {AFFECTED: 5.80, "cord L1": 5.00}
CORD_VT = {"cord T12": 4.90, "cord L1": 5.20}

LUMBAR = Plan(
    foramina=CANALS,
    vertebrae=tuple(v.name for v in VERTEBRAE),
    cords=CORDS,
    structures=(
        *(canal.name for canal in CANALS),
        *(f"cord {level}" for level in CORDS),
        "aorta",
        "inferior vena cava",
        "csf",
        *(f"vertebra {v.name}" for v in reversed(VERTEBRAE)),
        "cartilage",
        "bowel",
        "muscle",
        "fat",
        "skin",
        "air",
    ),
    blood=("aorta", "inferior vena cava"),
    pool=("aorta",),
    cord_margin_mm=6.0,
)


def kinetics_at(visit: str) -> dict[str, Kinetics]:
    """The true parameters of every structure at a visit, in the order of the plan."""
    vt = FORAMEN_VT | CORD_VT | (FOLLOWUP_VT if visit != "baseline" else {})
    return {name: kinetics_named(name, LUMBAR, vt) for name in LUMBAR.structures}


def grids(fast: bool) -> tuple[Grid, Grid]:
    """Of the CT or MR, and of the PET, over nearly the same field; fast: coarser voxels of the former."""
    x, y, z = (FIELD_MM[axis] for axis in "xyz")
    step = (1.0, 1.0, 1.5) if fast else (0.75, 0.75, 1.0)
    shape = (round(z / step[2]), round(y / step[1]), round(x / step[0]))
    pet = (round(z / 2) - 1, round(y / 2) - 1, round(x / 2) - 1)
    return (
        centered_grid(shape, step, CENTER_LPS_MM + CT_SHIFT_MM),
        centered_grid(pet, (2.0, 2.0, 2.0), CENTER_LPS_MM),
    )


def build_lumbar(grid: Grid, build: Build, pose: Pose, progress: Progress) -> Anatomy:
    """Draw the lumbar spine on an axis-aligned grid."""
    tilts = [v.tilt_deg + (n / (len(VERTEBRAE) - 1)) * pose.flexion_deg for n, v in enumerate(VERTEBRAE)]
    spine = bent_spine(STARTS_MM, ENDS_MM, tilts, build.scoliosis_mm)
    labels, nerve = np.empty(grid.shape, np.uint8), np.empty(grid.shape, np.bool_)
    table = table_of(spine, grid, build, pose)
    for slab, points in slabs_of(grid, build, pose):
        left, posterior, along = table.to_spine(*points)
        behind = points[1] - np.interp(points[2], spine.z_mm, spine.y_mm).astype(np.float32)
        found = _soft_tissue(points[0], behind)
        near = np.flatnonzero((np.abs(left) < 52) & (posterior > -38) & (posterior < 70))
        column, is_nerve = _column(left[near], posterior[near], along[near], found[near])
        found[near] = column
        roots = np.zeros(found.shape, np.bool_)
        roots[near] = is_nerve
        labels[slab], nerve[slab] = found.reshape(labels[slab].shape), roots.reshape(labels[slab].shape)
        progress(slab.stop / grid.shape[0], "drawing the spine")
    hounsfield = hounsfield_of(grid, labels, nerve, LUMBAR)
    return Anatomy(grid, labels, hounsfield, foramina_at(CANALS, spine, build, pose), nerve)


def _soft_tissue(x: Floats, behind: Floats) -> Labels:
    label = LUMBAR.label
    labels = np.full(x.shape, label["fat"], np.uint8)
    labels[behind < -56] = label["bowel"]
    side = np.abs(x)
    for left, back, half_width, half_depth in MUSCLES:
        labels[((side - left) / half_width) ** 2 + ((behind - back) / half_depth) ** 2 < 1] = label["muscle"]
    for name, (left, back, radius) in (("aorta", AORTA), ("inferior vena cava", CAVA)):
        labels[(x - left) ** 2 + (behind - back) ** 2 < radius**2] = label[name]
    labels[behind > SKIN_BACK_MM - 2] = label["skin"]
    labels[behind > SKIN_BACK_MM] = label["air"]
    return labels


def _column(left: Floats, posterior: Floats, along: Floats, around: Labels) -> tuple[Labels, Bools]:
    """Vertebrae, discs, canal, cord and foramina over what is around them; and where roots run."""
    labels, label, side = around.copy(), LUMBAR.label, np.abs(left)
    deep = ((side / 30) ** 2 + ((posterior - 18) / 16) ** 2 < 1) & (labels == label["fat"])
    labels[deep] = label["muscle"]
    lip = (side > 11) & (side < 23) & (posterior > -6) & (posterior < 0)
    for vertebra, end in zip(VERTEBRAE[:-1], ENDS_MM, strict=False):
        between = (along >= end) & (along <= end + vertebra.disc_mm)
        labels[between & (within_body(vertebra, side, posterior, 1.0) | lip)] = label["cartilage"]
    for n, vertebra in enumerate(VERTEBRAE):
        labels[_vertebra(n, side, posterior, along, lip)] = label[f"vertebra {vertebra.name}"]
    pillar = _pillar(side, posterior)
    for vertebra, end in zip(VERTEBRAE[:-1], ENDS_MM, strict=False):
        gap = np.abs(along - end - vertebra.disc_mm / 2 + (posterior - PILLAR[1])) < JOINT_MM
        labels[pillar & gap] = label["cartilage"]
    canal = (side / CANAL_HALF_MM[0]) ** 2 + ((posterior - CANAL_POSTERIOR_MM) / CANAL_HALF_MM[1]) ** 2 < 1
    labels[canal] = label["fat"]
    sac = (side / SAC_HALF_MM[0]) ** 2 + ((posterior - CANAL_POSTERIOR_MM) / SAC_HALF_MM[1]) ** 2 < 1
    labels[sac] = label["csf"]
    cord = (side / CORD_HALF_MM[0]) ** 2 + ((posterior - CORD_POSTERIOR_MM) / CORD_HALF_MM[1]) ** 2 < 1
    cord &= along > CONUS_MM
    disc_mm = ENDS_MM[5] + VERTEBRAE[5].disc_mm / 2
    labels[cord] = np.where(along[cord] > disc_mm, label["cord T12"], label["cord L1"])
    nerve = np.zeros(labels.shape, np.bool_)
    for foramen in CANALS:
        outward, up, across = foramen.local(left, posterior, along)
        inside = (2 * up / HEIGHT_MM) ** 2 + (2 * across / WIDTH_MM) ** 2 < 1
        inside &= np.abs(outward) < LENGTH_MM / 2
        labels[inside] = label[foramen.name]
        nerve |= inside & (np.hypot(up - HEIGHT_MM / 5, across) < NERVE_RADIUS_MM)
    return labels, nerve


def _pillar(side: Floats, posterior: Floats) -> Bools:
    left, back, half_width, half_depth = PILLAR
    return np.asarray(((side - left) / half_width) ** 2 + ((posterior - back) / half_depth) ** 2 < 1)


def _vertebra(n: int, side: Floats, posterior: Floats, along: Floats, lip: Bools) -> Bools:
    """Body with its hind corners, pedicles, articular pillars, laminae, spinous and transverse processes."""
    vertebra, start, end = VERTEBRAE[n], STARTS_MM[n], ENDS_MM[n]
    center, half = (start + end) / 2, (end - start) / 2
    rise = along - center
    waist = 0.94 + 0.06 * np.clip(np.abs(rise) / half, 0, 1)
    bone = (within_body(vertebra, side, posterior, waist) | lip) & (np.abs(rise) < half)
    disc_above = vertebra.disc_mm / 2
    disc_below = VERTEBRAE[n - 1].disc_mm / 2 if n else 5.0
    top = end + disc_above + ABOVE_DISC_MM - HEIGHT_MM / 2
    bottom = start - disc_below + ABOVE_DISC_MM + HEIGHT_MM / 2
    bridge = within_capsule(side, posterior, (14.0, 0.0), (20.0, 12.0), 6.0)
    bone |= (along < top + 1) & (along > bottom - 1) & bridge
    pillar = _pillar(side, posterior)
    slope = posterior - PILLAR[1]
    pillar &= (along < end + disc_above - slope) & (along > start - disc_below - slope)
    bone |= pillar
    arch = np.abs(rise + 0.35 * (posterior - 16)) < 0.7 * half
    bone |= arch & within_capsule(side, posterior, (16.0, 18.0), (0.0, 22.0), 3.0)
    bone |= arch & (side < 3.0) & (posterior > 20) & (posterior < vertebra.spinous_tip_mm)
    bone |= (np.abs(rise) < 4.5) & within_capsule(side, posterior, (22.0, 10.0), (42.0, 12.0), 4.0)
    return np.asarray(bone)
