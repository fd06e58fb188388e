"""The digital neck: every point of space to one structure, and every voxel of the CT grid to a label and a HU.

Front to back and side to side, soft tissue is drawn in cross-sections that ride on the spine; bone, cord and foramina
are drawn in the spine's own coordinates. Sizes without a source in ``neck`` are assumptions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, gaussian_filter

from ..grid import Grid
from ..progress import Progress
from .neck import (
    CANALS,
    CENTERS_MM,
    CORD_LEVELS,
    CORD_SIZE_MM,
    ENDS_MM,
    FORAMEN_LEFT_MM,
    FORAMEN_LENGTH_MM,
    FORAMEN_SIZE_MM,
    LABEL,
    NECK,
    STARTS_MM,
    VERTEBRAE,
    Build,
    CanalPlan,
    Plan,
    Pose,
    Vertebra,
    foramen_along_mm,
    foramen_size_mm,
    spine_of,
)
from .shape import PLAIN, Shape
from .spine import Spine, SpineTable, tabulated

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Labels = NDArray[np.uint8]

# CT numbers: textbook ranges, the figures within them assumed.
HOUNSFIELD = {
    "csf": 10.0,
    "cartilage": 95.0,
    "thyroid": 110.0,
    "muscle": 58.0,
    "bowel": 40.0,
    "fat": -95.0,
    "skin": 15.0,
    "air": -1000.0,
}
CORD_HU, BLOOD_HU, CANCELLOUS_HU, CORTICAL_HU = 36.0, 45.0, 260.0, 850.0
NERVE_HU, FORAMEN_FAT_HU = 42.0, -70.0
CONTRAST_HU, METAL_HU = 320.0, 4000.0
CT_BLUR_MM = 0.45
CT_NOISE_HU = 14.0
SLAB_VOXELS = 200_000
CENTER_LPS_MM, FAST_CENTER_LPS_MM = np.array([0.0, 0.0, 7.0]), np.array([0.0, 0.0, 0.0])
# CT and PET grids are not aligned, as in a real scanner; so no flat boundary halves a PET voxel exactly.
CT_SHIFT_MM = np.array([0.13, 0.11, 0.17])

# Where things lie, in mm beside, behind and along the axis.
SKIN_MM = 2.0
DENS_MM = 15.0
PILLAR_LEFT_MM, FACET_POSTERIOR_MM = 19.3, 10.5
PEDICLE_RIM_MM = 1.0
ARTERY_LEFT_MM, ARTERY_POSTERIOR_MM, ARTERY_RADIUS_MM = 17.8, -6.5, 1.9
CORD_POSTERIOR_MM = 6.5
NERVE_RADIUS_MM = 1.8
SLEEVE_MM = 1.0
"""Of bone around a foramen that is narrower than usual."""
IMPLANT_HALF_MM, IMPLANT_POSTERIOR_MM = 7.0, (-13.0, -3.0)
LARYNX_TOP_T = 0.72

# Cross-sections at heights t = 0 (middle of T1) to 1 (middle of C3): (center left, center behind the axis, half
# width, half depth, turn in degrees) in mm, below and above. Paired ones are given for the left side.
Section = tuple[float, float, float, float, float]
MUSCLES: dict[str, tuple[Section, Section]] = {
    "sternocleidomastoid": ((25, -44, 13, 6, -20), (47, -11, 8.5, 16, 10)),
    "longus colli": ((9, -21.5, 6, 3.5, 0), (8, -19, 6, 3, 0)),
    "scalenes": ((37, -10, 11, 10, 20), (31, -3, 7, 9, 0)),
    "levator scapulae": ((49, 20, 12, 16, 0), (43, 13, 9, 14, 10)),
    "semispinalis": ((15.5, 32, 14, 14.5, 0), (15, 30, 14, 12.5, 0)),
    "splenius": ((25, 49, 21, 5.5, -8), (28, 42, 16, 7, -28)),
    "trapezius": ((42, 51, 38, 5.5, -16), (22, 50, 19, 3.5, -22)),
    "strap": ((9, -53, 9, 3, 0), (9, -52, 8, 3, 0)),
    "esophagus": ((2, -26, 8, 4, 0), (0, -24, 12, 3, 0)),
    "submandibular": ((60, -60, 1, 1, 0), (24, -42, 9, 9, 0)),
}
JUGULAR: tuple[Section, Section] = ((31, -25, 6.5, 4.5, 10), (32, -19, 5.5, 4.5, 0))
CAROTID: tuple[Section, Section] = ((22, -31, 3, 3, 0), (25, -24, 3, 3, 0))  # a lumen of 6 mm
THYROID_LEFT, THYROID_BEHIND, THYROID_HALF_WIDTH, THYROID_HALF_DEPTH = 14, -40, 6, 9
THYROID_T, THYROID_HALF_T = 0.17, 0.28
# Knots over t of what changes its shape along the neck.
SKIN_T = (-0.5, -0.15, 0.25, 0.6, 1.0, 1.5)
SKIN_HALF_WIDTH = (86, 76, 62, 58, 60, 66)
SKIN_FRONT = (-66, -62, -60, -60, -63, -74)
SKIN_BACK = (70, 68, 66, 63, 60, 58)
AIRWAY_T = (-0.5, 0.3, 0.42, 0.5, 0.75, 0.95, 1.5)
AIRWAY_BEHIND = (-39, -41, -42, -42, -41, -34, -30)
AIRWAY_HALF_WIDTH = (8, 8, 6, 3, 6, 11, 12)
AIRWAY_HALF_DEPTH = (8, 8, 9, 9, 9, 5, 5)


@dataclass(frozen=True, eq=False)
class Foramen:
    """Where a foramen truly lies at one visit. axes: unit columns (canal outward, up, across) in LPS."""

    name: str
    level: str
    side: str
    root: str
    center_lps_mm: NDArray[np.float64]
    axes_lps: NDArray[np.float64]
    length_height_width_mm: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One visit's neck on the CT grid.

    labels: uint8 (k, j, i) into ``STRUCTURES``. hounsfield: float32 (k, j, i), without noise. nerve: where roots run.
    """

    grid: Grid
    labels: Labels
    hounsfield: Floats
    foramina: tuple[Foramen, ...]
    nerve: Bools


def ct_grid(fast: bool, wide: bool = False) -> Grid:
    """The CT's grid, which is also the object's: 180 x 180 x 170 mm, in voxels of 0.6 x 0.6 x 1 mm.

    fast: 136 x 160 x 147 mm, without the dens and the lower half of T2, in voxels of 1 x 1 x 1.5 mm.
    wide: the shoulders are in the fast field, too: 184 mm; a scanner that projects must see the whole of a slice.
    """
    if fast:
        columns = 184 if wide else 136
        return centered_grid((98, 160, columns), (1.0, 1.0, 1.5), FAST_CENTER_LPS_MM + CT_SHIFT_MM)
    return centered_grid((170, 300, 300), (0.6, 0.6, 1.0), CENTER_LPS_MM + CT_SHIFT_MM)


def pet_grid(fast: bool, wide: bool = False) -> Grid:
    """The PET's grid over nearly the same field, in voxels of 2 x 2 x 2 mm."""
    if fast:
        return centered_grid((73, 80, 92 if wide else 68), (2.0, 2.0, 2.0), FAST_CENTER_LPS_MM)
    return centered_grid((85, 90, 90), (2.0, 2.0, 2.0), CENTER_LPS_MM)


def centered_grid(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], center_lps_mm: NDArray[np.float64]
) -> Grid:
    matrix = np.diag([*spacing_mm, 1.0])
    matrix[:3, 3] = center_lps_mm - np.array(spacing_mm) * (np.array(shape[::-1]) - 1) / 2
    return Grid(shape, matrix)


def build_anatomy(grid: Grid, build: Build, pose: Pose, progress: Progress) -> Anatomy:
    """Draw the neck on an axis-aligned grid."""
    labels = np.empty(grid.shape, np.uint8)
    nerve = np.empty(grid.shape, np.bool_)
    metal = np.zeros(grid.shape, np.bool_)
    table, shape = spine_table(grid, build, pose), build.shape
    for slab, points in slabs_of(grid, build, pose):
        found, is_nerve = structures_at(points, table, shape)
        labels[slab], nerve[slab] = found.reshape(labels[slab].shape), is_nerve.reshape(labels[slab].shape)
        if shape.metal:
            metal[slab] = _implants(points, table, shape).reshape(labels[slab].shape)
        progress(slab.stop / grid.shape[0], "drawing the neck")
    hounsfield = hounsfield_of(grid, labels, nerve, NECK, metal, shape.contrast)
    return Anatomy(grid, labels, hounsfield, foramina_at(CANALS, table.spine, build, pose), nerve)


def slabs_of(grid: Grid, build: Build, pose: Pose) -> Iterator[tuple[slice, Floats]]:
    """A grid in slabs along k: which, and where its voxels (3, n) lie in the reference-sized neck's frame."""
    to_neck = np.linalg.inv(pose.neck_to_lps)
    x, y, z = (grid.ijk_to_lps[a, 3] + grid.ijk_to_lps[a, a] * np.arange(grid.shape[2 - a]) for a in range(3))
    depth = max(1, SLAB_VOXELS // (y.size * x.size))
    for first in range(0, z.size, depth):
        slab = slice(first, min(first + depth, z.size))
        zs, ys, xs = np.meshgrid(z[slab], y, x, indexing="ij", copy=False)
        neck = [(row[0] * xs + row[1] * ys + row[2] * zs + row[3]).ravel() / build.size for row in to_neck[:3]]
        yield slab, np.stack(neck).astype(np.float32)


def spine_table(grid: Grid, build: Build, pose: Pose) -> SpineTable:
    """The spine's coordinates over all that the grid can reach of the neck's sagittal plane."""
    return table_of(spine_of(build, pose), grid, build, pose)


def table_of(spine: Spine, grid: Grid, build: Build, pose: Pose) -> SpineTable:
    """A spine's coordinates over all that the grid can reach of its sagittal plane."""
    far = np.array(grid.shape[::-1]) - 1.0
    corners = grid.to_lps(np.array([[i, j, k] for i in (0, far[0]) for j in (0, far[1]) for k in (0, far[2])]))
    neck = ((corners - pose.neck_to_lps[:3, 3]) @ pose.neck_to_lps[:3, :3]) / build.size
    low, high = neck.min(axis=0), neck.max(axis=0)
    return tabulated(spine, low[1:], high[1:])


def structures_at(points: Floats, table: SpineTable, shape: Shape = PLAIN) -> tuple[Labels, Bools]:
    """The label of each point (3, n) of the reference-sized neck's frame, and whether a nerve root runs through it."""
    x, y, z = points
    spine = table.spine
    behind = y - np.interp(z, spine.z_mm, spine.y_mm).astype(np.float32)
    t = height_of(np.interp(z, spine.z_mm, spine.along_mm).astype(np.float32))
    labels = np.full(x.shape, LABEL["air"], np.uint8)
    nerve = np.zeros(x.shape, np.bool_)
    inside = np.flatnonzero(_within_skin(x, behind, t, 0.0))
    labels[inside] = soft_tissue(x[inside], behind[inside], t[inside])
    near = inside[(np.abs(x[inside]) < 40) & (behind[inside] > -34) & (behind[inside] < 62)]
    left, posterior, along = table.to_spine(x[near], y[near], z[near])
    labels[near], nerve[near] = spinal_column(left, posterior, along, labels[near], shape)
    return labels, nerve


def soft_tissue(x: Floats, behind: Floats, t: Floats) -> Labels:
    """Everything that is not the spine, for points within the skin."""
    labels = np.full(x.shape, LABEL["fat"], np.uint8)
    side = np.abs(x)
    for section in MUSCLES.values():
        labels[ellipse(side, behind, t, *section)] = LABEL["muscle"]
    thickness = 1 - ((t - THYROID_T) / THYROID_HALF_T) ** 2
    lobe = ((side - THYROID_LEFT) / THYROID_HALF_WIDTH) ** 2 + ((behind - THYROID_BEHIND) / THYROID_HALF_DEPTH) ** 2
    labels[lobe < thickness] = LABEL["thyroid"]
    _draw_mandible(labels, side, behind, t)
    low_airway = t < LARYNX_TOP_T
    labels[_airway(x, behind, t, 2.2) & low_airway] = LABEL["cartilage"]
    labels[_airway(x, behind, t, 4.0) & ~low_airway] = LABEL["muscle"]
    labels[_airway(x, behind, t, 0.0)] = LABEL["air"]
    labels[~_within_skin(x, behind, t, SKIN_MM)] = LABEL["skin"]
    for vessel, section in (("jugular vein", JUGULAR), ("carotid artery", CAROTID)):
        inside = ellipse(side, behind, t, *section)
        labels[inside & (x > 0)] = LABEL[f"{vessel} left"]
        labels[inside & (x <= 0)] = LABEL[f"{vessel} right"]
    return labels


def spinal_column(
    left: Floats, posterior: Floats, along: Floats, around: Labels, shape: Shape
) -> tuple[Labels, Bools]:
    """Vertebrae, discs, canal, cord, vertebral arteries and foramina over what is around them."""
    labels = around.copy()
    side = np.abs(left)
    deep = ((side / 25) ** 2 + ((posterior - 12) / 13) ** 2 < 1) & (labels == LABEL["fat"])
    labels[deep] = LABEL["muscle"]
    _draw_discs(labels, side, posterior, along, shape)
    for vertebra, start, end in zip(VERTEBRAE, STARTS_MM, ENDS_MM, strict=True):
        near = np.flatnonzero((along > start - 26) & (along < end + 22))
        bone = _vertebra(vertebra, start, end, side[near], posterior[near], along[near], shape)
        labels[near[bone]] = LABEL[f"vertebra {vertebra.name}"]
    _draw_facet_joints(labels, side, posterior, along, shape)
    _draw_atlas(labels, side, posterior, along)
    _draw_canal(labels, side, posterior, along)
    _draw_vertebral_arteries(labels, left, posterior, along)
    return labels, _draw_foramina(labels, left, posterior, along, shape)


def height_of(along: Floats) -> Floats:
    """0 at the middle of T1, 1 at the middle of C3."""
    return np.asarray((along - CENTERS_MM["T1"]) / (CENTERS_MM["C3"] - CENTERS_MM["T1"]), np.float32)


def ellipse(side: Floats, behind: Floats, t: Floats, low: Section, high: Section) -> Bools:
    """Within the cross-section that runs linearly from ``low`` (t = 0) to ``high`` (t = 1) and on beyond both."""
    blend = np.clip(t, -0.3, 1.25)
    left, back, half_width, half_depth, turn = (a + np.float32(b - a) * blend for a, b in zip(low, high, strict=True))
    cosine, sine = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    dx, dy = side - left, behind - back
    across, along = (cosine * dx + sine * dy) / half_width, (cosine * dy - sine * dx) / half_depth
    return np.asarray(across**2 + along**2 < 1)


def _within_skin(x: Floats, behind: Floats, t: Floats, depth_mm: float) -> Bools:
    """Deeper than ``depth_mm`` below the outer contour."""
    half_width, front, back = (
        np.interp(t, SKIN_T, knots).astype(np.float32) for knots in (SKIN_HALF_WIDTH, SKIN_FRONT, SKIN_BACK)
    )
    middle, half_depth = (front + back) / 2, (back - front) / 2
    return np.asarray(
        np.abs(x / (half_width - depth_mm)) ** 2.3 + np.abs((behind - middle) / (half_depth - depth_mm)) ** 2.3 < 1
    )


def _airway(x: Floats, behind: Floats, t: Floats, wall_mm: float) -> Bools:
    """Within the airway and ``wall_mm`` of its wall: trachea, larynx and pharynx from below upwards."""
    middle, half_width, half_depth = (
        np.interp(t, AIRWAY_T, knots).astype(np.float32)
        for knots in (AIRWAY_BEHIND, AIRWAY_HALF_WIDTH, AIRWAY_HALF_DEPTH)
    )
    return np.asarray((x / (half_width + wall_mm)) ** 2 + ((behind - middle) / (half_depth + wall_mm)) ** 2 < 1)


def _draw_mandible(labels: Labels, side: Floats, behind: Floats, t: Floats) -> None:
    """The lower jaw: a horseshoe above the third vertebra, with the floor of the mouth inside it."""
    inner = (side / 33) ** 2 + ((behind + 20) / 38) ** 2 < 1
    outer = (side / 41) ** 2 + ((behind + 20) / 46) ** 2 < 1
    jaw = (t > 1.14) & (behind < -14)
    labels[inner & jaw & (behind < -38)] = LABEL["muscle"]
    labels[outer & ~inner & jaw] = LABEL["mandible"]


def within_body(vertebra: Vertebra, side: Floats, posterior: Floats, waist: Floats | float) -> Bools:
    """Within the cross-section of a vertebral body (or of the disc on it): flat behind, round in front."""
    half_width, half_depth = vertebra.width_mm / 2, vertebra.depth_mm / 2
    return np.asarray((side / (half_width * waist)) ** 2.6 + np.abs((posterior + half_depth) / half_depth) ** 2.6 < 1)


def within_capsule(p: Floats, q: Floats, begin: tuple[float, float], end: tuple[float, float], radius: float) -> Bools:
    """Within ``radius`` of the segment between two points of the (side, posterior) plane."""
    direction = np.array(end) - np.array(begin)
    part = np.clip(((p - begin[0]) * direction[0] + (q - begin[1]) * direction[1]) / (direction @ direction), 0, 1)
    dp, dq = p - begin[0] - part * direction[0], q - begin[1] - part * direction[1]
    return np.asarray(dp**2 + dq**2 < radius**2)


def _joint_mm(posterior: Floats, disc_mm: float) -> Floats:
    """Where along the axis the facet joint at a disc lies: it slopes 45 degrees down towards the back."""
    return np.asarray(disc_mm - (posterior - FACET_POSTERIOR_MM))


def _vertebra(
    vertebra: Vertebra, start: float, end: float, side: Floats, posterior: Floats, along: Floats, shape: Shape
) -> Bools:
    """Body, uncinate processes, pedicles, articular pillars, laminae, spinous and transverse processes, dens."""
    name, center, half = vertebra.name, (start + end) / 2, (end - start) / 2
    above, below = _neighbours(name)
    rise = along - center
    waist = 0.94 + 0.06 * np.clip(np.abs(rise) / half, 0, 1)
    bone = within_body(vertebra, side, posterior, waist) & (np.abs(rise) < half)
    if name != "C2" and not name.startswith("T"):
        lip = (side > vertebra.width_mm / 2 - 2.5) & (side < max(vertebra.width_mm / 2 + 1.2, 11.8))
        bone |= lip & (posterior > -10) & (posterior < -0.5) & (rise > half - 4) & (rise < half + 3.5)
    top = foramen_along_mm(above) - foramen_size_mm(above, shape)[0] / 2 if above in FORAMEN_SIZE_MM else center + 5
    bottom = foramen_along_mm(below) + foramen_size_mm(below, shape)[0] / 2 if below in FORAMEN_SIZE_MM else center - 5
    # The foramina are carved out afterwards; a little more bone here closes their round tops and bottoms.
    level = (along < top + PEDICLE_RIM_MM) & (along > bottom - PEDICLE_RIM_MM)
    bone |= level & within_capsule(side, posterior, (9.0, -4.0), (18.0, 6.0), 3.2)
    pillar = _pillar(side, posterior, shape)
    pillar &= along < (_joint_mm(posterior, end + vertebra.disc_mm / 2) if above else center + 6)
    pillar &= along > (_joint_mm(posterior, start - _disc_below(start)) if below else center - 8)
    bone |= pillar
    arch = np.abs(rise + 0.35 * (posterior - 12)) < 0.84 * half
    bone |= arch & within_capsule(side, posterior, (15.0, 13.0), (0.0, 20.0), 2.6)
    bone |= arch & (side < 2.4 + 0.06 * (posterior - 18)) & (posterior > 18) & (posterior < vertebra.spinous_tip_mm)
    bone |= _transverse_process(name, side, posterior, rise)
    if name == "C2":
        dens = (side / 5.2) ** 2 + ((posterior + 7) / 5.4) ** 2 < 1
        bone |= dens & (along >= end) & (along < end + DENS_MM)
    return np.asarray(bone)


def _pillar(side: Floats, posterior: Floats, shape: Shape) -> Bools:
    """Within the column of the facet joints, thicker by half of what arthrosis adds."""
    half_width, half_depth = 6.3 + shape.facets / 2, 7.0 + shape.facets / 2
    return np.asarray(
        ((side - PILLAR_LEFT_MM) / half_width) ** 2 + ((posterior - FACET_POSTERIOR_MM) / half_depth) ** 2 < 1
    )


def _neighbours(name: str) -> tuple[str, str]:
    """Names of the levels above and below a vertebra ("" where the phantom has none)."""
    names = [v.name for v in VERTEBRAE]
    at = names.index(name)
    above = f"{names[at + 1]}/{name}" if at + 1 < len(names) else ""
    below = f"{name}/{names[at - 1]}" if at > 0 else ""
    return above, below


def _disc_below(start: float) -> float:
    """Half the height of the disc under the vertebra that starts there."""
    at = STARTS_MM.index(start)
    return (start - ENDS_MM[at - 1]) / 2 if at else 0.0


def _transverse_process(name: str, side: Floats, posterior: Floats, rise: Floats) -> Bools:
    """A ring round the vertebral artery with a bar behind it at C2 to C6; a plain bar at C7 and below."""
    if name in ("C7", "T1", "T2"):
        reach, radius = {"C7": (29.0, 3.5), "T1": (34.0, 4.2), "T2": (32.0, 4.2)}[name]
        return np.asarray(within_capsule(side, posterior, (16.0, 6.0), (reach, 9.0), radius) & (np.abs(rise) < 4))
    distance = np.hypot(side - ARTERY_LEFT_MM, posterior - ARTERY_POSTERIOR_MM)
    ring = (distance > 2.7) & (distance < 5.0)
    bar = within_capsule(side, posterior, (20.0, 2.0), (25.0, -2.0), 2.2)
    return np.asarray((ring | bar) & (np.abs(rise) < 3))


def _draw_discs(labels: Labels, side: Floats, posterior: Floats, along: Floats, shape: Shape) -> None:
    for vertebra, end in zip(VERTEBRAE[:-1], ENDS_MM, strict=False):
        between = (along >= end) & (along <= end + vertebra.disc_mm)
        bone = _neighbours(vertebra.name)[0] in shape.fused
        labels[between & within_body(vertebra, side, posterior, 1.0)] = LABEL[
            f"vertebra {vertebra.name}" if bone else "cartilage"
        ]
    below = (along < 0) & (along > -VERTEBRAE[0].disc_mm)
    labels[below & within_body(VERTEBRAE[0], side, posterior, 1.0)] = LABEL["cartilage"]


def _draw_facet_joints(labels: Labels, side: Floats, posterior: Floats, along: Floats, shape: Shape) -> None:
    pillar = _pillar(side, posterior, shape)
    for vertebra, end in zip(VERTEBRAE[:-1], ENDS_MM, strict=False):
        if _neighbours(vertebra.name)[0] in shape.fused:
            continue
        gap = np.abs(along - _joint_mm(posterior, end + vertebra.disc_mm / 2)) < 0.9
        labels[pillar & gap] = LABEL["cartilage"]


def _draw_atlas(labels: Labels, side: Floats, posterior: Floats, along: Floats) -> None:
    """C1 as a ring with lateral masses, round the dens."""
    rise = along - (ENDS_MM[-1] + 8)
    ring = ((side / 22) ** 2 + ((posterior - 4) / 21) ** 2 < 1) & ((side / 18) ** 2 + ((posterior - 4) / 17) ** 2 > 1)
    mass = ((side - 18) / 7) ** 2 + ((posterior + 1) / 8.5) ** 2 + (rise / 8) ** 2 < 1
    labels[(ring & (np.abs(rise) < 4.5)) | mass] = LABEL["vertebra C1"]


def _draw_canal(labels: Labels, side: Floats, posterior: Floats, along: Floats) -> None:
    """Epidural fat, dural sac with CSF, and the cord cut into pieces half-way between vertebrae."""
    canal = (side / 12.0) ** 2 + ((posterior - 5.3) / 5.4) ** 2 < 1
    canal |= (side / 7.5) ** 2 + ((posterior - 8.0) / 7.4) ** 2 < 1
    labels[canal] = LABEL["fat"]
    labels[(side / 9.6) ** 2 + ((posterior - CORD_POSTERIOR_MM) / 6.0) ** 2 < 1] = LABEL["csf"]
    levels = sorted(CORD_SIZE_MM, key=lambda name: CENTERS_MM[name])
    depth, width = (
        np.interp(along, [CENTERS_MM[n] for n in levels], [CORD_SIZE_MM[n][axis] for n in levels]) for axis in (0, 1)
    )
    cord = (side / (width / 2)) ** 2 + ((posterior - CORD_POSTERIOR_MM) / (depth / 2)) ** 2 < 1
    pieces = ("cord below T1", *reversed([f"cord {name}" for name in CORD_LEVELS]), "cord above C2")
    edges = [*(end + v.disc_mm / 2 for v, end in zip(VERTEBRAE[:-1], ENDS_MM, strict=False)), ENDS_MM[-1]]
    numbers = np.array([LABEL[piece] for piece in pieces], np.uint8)
    labels[cord] = numbers[np.searchsorted(edges, along[cord])]


def _draw_vertebral_arteries(labels: Labels, left: Floats, posterior: Floats, along: Floats) -> None:
    """Through the transverse foramina from C6 upwards, in front of the processes below."""
    knots = [CENTERS_MM["T2"], CENTERS_MM["C7"], CENTERS_MM["C6"]]
    side = np.interp(along, knots, [24.0, 20.0, ARTERY_LEFT_MM])
    back = np.interp(along, knots, [-22.0, -12.0, ARTERY_POSTERIOR_MM])
    inside = np.hypot(np.abs(left) - side, posterior - back) < ARTERY_RADIUS_MM
    labels[inside & (left > 0)] = LABEL["vertebral artery left"]
    labels[inside & (left <= 0)] = LABEL["vertebral artery right"]


def _draw_foramina(labels: Labels, left: Floats, posterior: Floats, along: Floats, shape: Shape) -> Bools:
    """Carve the twelve canals (elliptic cylinders) and return where the nerve root runs, low in each of them.

    Bone that narrows them is the upper vertebra's above, else the lower one's, whose uncus and joint bound a foramen.
    """
    nerve = np.zeros(labels.shape, np.bool_)
    for canal in CANALS:
        height, width = foramen_size_mm(canal.level, shape)
        upper, lower = (LABEL[f"vertebra {name}"] for name in canal.level.split("/"))
        beside = np.abs(np.abs(left) - FORAMEN_LEFT_MM) < 12
        near = np.flatnonzero((np.abs(along - canal.center_mm[2]) < height) & beside)
        outward, up, across = canal.local(left[near], posterior[near], along[near])
        within = np.abs(outward) < FORAMEN_LENGTH_MM / 2
        inside = within & ((2 * up / height) ** 2 + (2 * across / width) ** 2 < 1)
        if shape.foramina < 1:
            tall, wide = (size + 2 * SLEEVE_MM for size in canal.size_mm[1:])
            sleeve = within & ((2 * up / tall) ** 2 + (2 * across / wide) ** 2 < 1)
            labels[near[sleeve]] = np.where(up[sleeve] > height / 4, upper, lower)
        if shape.spurs or shape.facets:
            closed = inside & (np.hypot(np.hypot(outward, up), across + width / 2) < shape.spurs)
            closed |= inside & ((2 * up / height) ** 2 + (2 * (across + shape.facets) / width) ** 2 >= 1)
            labels[near[closed]] = lower
            inside &= ~closed
        labels[near[inside]] = LABEL[canal.name]
        nerve[near] |= inside & (np.hypot(up + height / 5, across) < NERVE_RADIUS_MM)
    return nerve


def foramina_at(canals: Sequence[CanalPlan], spine: Spine, build: Build, pose: Pose) -> tuple[Foramen, ...]:
    """Where a spine's foramina truly lie, and how large they are; thick facets narrow them from behind."""
    turn, shift = pose.neck_to_lps[:3, :3], pose.neck_to_lps[:3, 3]
    places = []
    for canal in canals:
        place = np.array(canal.center_mm) - build.shape.facets / 2 * canal.axes[:, 2]
        length, height, width = np.array(canal.size_mm) * (1.0, build.shape.foramina, build.shape.foramina)
        sizes = (build.size * length, build.size * height, build.size * (width - build.shape.facets))
        center = turn @ (build.size * spine.to_lps(*place)) + shift
        axes = turn @ spine.axes(canal.center_mm[2]) @ canal.axes
        places.append(Foramen(canal.name, canal.level, canal.side, canal.root, center, axes, sizes))
    return tuple(places)


def _implants(points: Floats, table: SpineTable, shape: Shape) -> Bools:
    """Where metal is instead of a disc."""
    side, posterior, along = table.to_spine(*points)
    front, back = IMPLANT_POSTERIOR_MM
    metal = np.zeros(side.shape, np.bool_)
    for vertebra, end in zip(VERTEBRAE[:-1], ENDS_MM, strict=False):
        if _neighbours(vertebra.name)[0] in shape.metal:
            metal |= (along > end) & (along < end + vertebra.disc_mm)
    return metal & (np.abs(side) < IMPLANT_HALF_MM) & (posterior > front) & (posterior < back)


def hounsfield_of(
    grid: Grid, labels: Labels, nerve: Bools, plan: Plan = NECK, metal: Bools | None = None, contrast: bool = False
) -> Floats:
    """What a noise-free CT of the labels shows, a little blurred; bone has a cortex one voxel thick."""
    tissues = {"bone": CANCELLOUS_HU, "foramen": FORAMEN_FAT_HU, "cord": CORD_HU, "blood": BLOOD_HU, **HOUNSFIELD}
    numbers = values_of(plan, tissues, CONTRAST_HU if contrast else BLOOD_HU)
    image = with_cortex(numbers[labels], labels, nerve, plan, (NERVE_HU, CORTICAL_HU))
    if metal is not None:
        image[metal] = METAL_HU
    return blurred(image, grid)


def values_of(plan: Plan, tissues: Mapping[str, float], arteries: float) -> Floats:
    """What an image shows of every label (256,); tissues: by name, "bone" all that is not named."""
    values = np.full(256, tissues["bone"], np.float32)
    for name, number in plan.label.items():
        kind = name.split()[0]
        if name in plan.blood:
            values[number] = arteries if "artery" in name else tissues["blood"]
        elif kind in ("foramen", "cord") or name in tissues:
            values[number] = tissues[kind]
    return values


def with_cortex(image: Floats, labels: Labels, nerve: Bools, plan: Plan, values: tuple[float, float]) -> Floats:
    """An image of the tissues with roots and the cortex of bones drawn in: ``values`` of both."""
    image[nerve], cortex = values
    bone = np.isin(labels, [plan.label[name] for name in plan.bones])
    image[bone & ~binary_erosion(bone, border_value=1)] = cortex
    return image


def blurred(image: Floats, grid: Grid) -> Floats:
    """As sharp as the scanner of the CT, or of the MR, is."""
    sigma = [CT_BLUR_MM / spacing for spacing in reversed(grid.spacing_mm)]
    return np.asarray(gaussian_filter(image, sigma, mode="nearest"))


def with_noise(hounsfield: Floats, grid: Grid, rng: np.random.Generator) -> Floats:
    """The CT with noise of ``CT_NOISE_HU`` that has the same grain as the image."""
    sigma = [CT_BLUR_MM / spacing for spacing in reversed(grid.spacing_mm)]
    grain = gaussian_filter(rng.standard_normal(grid.shape, np.float32), sigma, mode="nearest")
    return np.asarray(hounsfield + grain * np.float32(CT_NOISE_HU / grain.std()))
