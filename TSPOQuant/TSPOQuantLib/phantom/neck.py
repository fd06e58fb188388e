"""The neck's plan: which structures there are, how large they are, and how one neck differs from the next.

Published figures (each with its source) are the sizes of the foramina and of the cord; every other size is an
assumption, chosen to look like an adult's neck.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .settings import REFERENCE_SEED
from .shape import PLAIN, Shape
from .spine import Spine, bent_spine

SIDES = ("left", "right")


@dataclass(frozen=True)
class Vertebra:
    """Sizes in mm; disc_mm is the height of the disc above it; tilt_deg its forward lean; all assumptions."""

    name: str
    height_mm: float
    disc_mm: float
    width_mm: float
    depth_mm: float
    spinous_tip_mm: float
    tilt_deg: float


# Lowest first, as the axis runs.
VERTEBRAE = (
    Vertebra("T2", 17.0, 4.5, 26.0, 18.0, 52.0, 26.0),
    Vertebra("T1", 15.5, 4.5, 26.0, 17.0, 53.0, 23.0),
    Vertebra("C7", 13.0, 5.0, 23.0, 16.5, 51.0, 18.0),
    Vertebra("C6", 11.5, 5.0, 20.0, 16.0, 41.0, 14.0),
    Vertebra("C5", 11.5, 4.5, 19.0, 15.5, 35.0, 10.0),
    Vertebra("C4", 11.5, 4.5, 18.0, 15.0, 33.0, 6.0),
    Vertebra("C3", 12.0, 4.5, 17.5, 15.0, 33.0, 3.0),
    Vertebra("C2", 18.0, 0.0, 17.0, 15.0, 38.0, 0.0),
)
STARTS_MM = tuple(float(sum(v.height_mm + v.disc_mm for v in VERTEBRAE[:n])) for n in range(len(VERTEBRAE)))
ENDS_MM = tuple(start + v.height_mm for start, v in zip(STARTS_MM, VERTEBRAE, strict=True))
CENTERS_MM = {v.name: (a + b) / 2 for v, a, b in zip(VERTEBRAE, STARTS_MM, ENDS_MM, strict=True)}

# Height and width of the foramina: a published CT study of 320 people aged 16 to 37.
FORAMEN_SIZE_MM = {
    "C2/C3": (10.15, 6.34),
    "C3/C4": (8.09, 5.73),
    "C4/C5": (8.00, 6.03),
    "C5/C6": (8.18, 6.11),
    "C6/C7": (8.43, 6.83),
    "C7/T1": (7.97, 7.33),
}
ROOTS = {"C2/C3": "C3", "C3/C4": "C4", "C4/C5": "C5", "C5/C6": "C6", "C6/C7": "C7", "C7/T1": "C8"}
# The canal is 4 to 5 mm long, runs about 45 degrees to the coronal plane and 10 to 15 degrees downward (published
# anatomy); of the lengths the longest is taken, of the angles the middle.
FORAMEN_LENGTH_MM = 5.0
FORAMEN_FORWARD_DEG = 45.0
FORAMEN_DOWNWARD_DEG = 12.5
# Where the canal's middle lies beside and behind the axis: an assumption that puts it between body and facets.
FORAMEN_LEFT_MM, FORAMEN_POSTERIOR_MM = 14.0, 1.0

# Cord, front to back and across: AJNR 1990;11:369 gives C4 and C7; linear between, held above and below (assumption).
CORD_SIZE_MM = {"C4": (8.7, 14.0), "C7": (7.4, 11.4)}
CORD_LEVELS = ("C2", "C3", "C4", "C5", "C6", "C7", "T1")


@dataclass(frozen=True, eq=False)
class CanalPlan:
    """One foramen of a spine's plan. center_mm: (left, posterior, along); axes: unit columns (canal outward, up,
    across) in the spine's frame; size_mm: length, height and width."""

    level: str
    side: str
    root: str
    center_mm: tuple[float, float, float]
    axes: NDArray[np.float64]
    size_mm: tuple[float, float, float]

    @property
    def name(self) -> str:
        return f"foramen {self.level} {self.side} (root {self.root})"

    def local(self, *place_mm: NDArray[np.floating]) -> NDArray[np.floating]:
        """Points (left, posterior, along) of the spine's frame as (outward, up, across) from the canal's middle."""
        offset = np.stack([at - center for at, center in zip(place_mm, self.center_mm, strict=True)])
        return np.asarray(self.axes.T @ offset)


def canal_axes(side: str, forward_deg: float, downward_deg: float) -> NDArray[np.float64]:
    """Unit columns (canal outward, up, across) of a foramen in the spine's frame (left, posterior, along)."""
    sign = 1.0 if side == "left" else -1.0
    forward, down = np.deg2rad(forward_deg), np.deg2rad(downward_deg)
    outward = np.array([sign * np.cos(forward) * np.cos(down), -np.sin(forward) * np.cos(down), -np.sin(down)])
    across = np.array([sign * np.sin(forward), np.cos(forward), 0.0])
    up = np.array([sign * np.cos(forward) * np.sin(down), -np.sin(forward) * np.sin(down), np.cos(down)])
    return np.stack([outward, up, across], axis=1)


def foramen_along_mm(level: str) -> float:
    """Where on the axis a foramen lies: at the middle of its disc."""
    lower = [v.name for v in VERTEBRAE].index(level.split("/")[1])
    return ENDS_MM[lower] + VERTEBRAE[lower].disc_mm / 2


CANALS = tuple(
    CanalPlan(
        level,
        side,
        ROOTS[level],
        ((1.0 if side == "left" else -1.0) * FORAMEN_LEFT_MM, FORAMEN_POSTERIOR_MM, foramen_along_mm(level)),
        canal_axes(side, FORAMEN_FORWARD_DEG, FORAMEN_DOWNWARD_DEG),
        (FORAMEN_LENGTH_MM, *FORAMEN_SIZE_MM[level]),
    )
    for level in FORAMEN_SIZE_MM
    for side in SIDES
)
FORAMINA = tuple(canal.name for canal in CANALS)
# Small structures of interest first: of two that fill a voxel equally, the earlier one has it.
STRUCTURES = (
    *FORAMINA,
    *(f"cord {level}" for level in CORD_LEVELS),
    "cord above C2",
    "cord below T1",
    "carotid artery left",
    "carotid artery right",
    "vertebral artery left",
    "vertebral artery right",
    "jugular vein left",
    "jugular vein right",
    "csf",
    *(f"vertebra {v.name}" for v in reversed(VERTEBRAE)),
    "vertebra C1",
    "mandible",
    "cartilage",
    "thyroid",
    "muscle",
    "fat",
    "skin",
    "air",
)
NEIGHBORS = ("marrow", "parotid gland", "submandibular gland", "epidural vein")
"""Structures that only the neck with hot neighbors has; see ``neighbors``."""
LABEL = {name: number for number, name in enumerate(STRUCTURES)}
BONES = tuple(name for name in STRUCTURES if name.startswith("vertebra ") or name == "mandible")
BLOOD = tuple(name for name in STRUCTURES if "artery" in name or "vein" in name)


@dataclass(frozen=True, eq=False)
class Plan:
    """Which structures a spine has. structures: in the order of their labels, small ones of interest first. cords:
    levels of the cord's pieces that are drawn as regions. blood: vessels; pool: those that make the blood pool.
    cord_margin_mm: how far drawn cord stays from the field's upper and lower ends, so that it does not leave it when
    the body moves."""

    foramina: tuple[CanalPlan, ...]
    vertebrae: tuple[str, ...]
    cords: tuple[str, ...]
    structures: tuple[str, ...]
    blood: tuple[str, ...]
    pool: tuple[str, ...]
    cord_margin_mm: float = 0.0

    @cached_property
    def label(self) -> dict[str, int]:
        """The number of each structure in a label map."""
        return {name: number for number, name in enumerate(self.structures)}

    @property
    def bones(self) -> tuple[str, ...]:
        return tuple(name for name in self.structures if name.startswith("vertebra ") or name == "mandible")


@dataclass(frozen=True)
class Build:
    """How one neck differs from the reference neck; assumptions."""

    size: float = 1.0
    lordosis_deg: float = 0.0
    scoliosis_mm: float = 0.0
    shape: Shape = PLAIN


@dataclass(frozen=True, eq=False)
class Pose:
    """How the neck lies in the scanner: 4 x 4 from the neck's frame to the scanner's (LPS mm), and its flexion."""

    neck_to_lps: NDArray[np.float64]
    flexion_deg: float = 0.0


def draw_build(seed: int, rng: np.random.Generator, shape: Shape = PLAIN) -> Build:
    """The reference neck for the reference seed; else one drawn from plausible (assumed) spreads."""
    if seed == REFERENCE_SEED:
        return Build(shape=shape)
    return Build(
        size=float(np.clip(rng.normal(1.0, 0.03), 0.94, 1.06)),
        lordosis_deg=float(np.clip(rng.normal(0.0, 5.0), -10, 10)),
        scoliosis_mm=float(np.clip(rng.normal(0.0, 2.0), -4, 4)),
        shape=shape,
    )


def rotation(degrees_xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """3 x 3: turn about x, then y, then z, right-handed, in degrees."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.deg2rad(degrees_xyz)), np.sin(np.deg2rad(degrees_xyz))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def rigid(degrees_xyz: NDArray[np.float64], shift_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """4 x 4 rigid transform about the origin, rotation first."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(degrees_xyz)
    matrix[:3, 3] = shift_mm
    return matrix


def draw_pose(seed: int, visit: str, rng: np.random.Generator, shape: Shape = PLAIN) -> Pose:
    """Straight at baseline; another position and some flexion at the second visit (assumed sizes); posed as told."""
    matrix, flexion_deg = np.eye(4), 0.0
    if visit != "baseline" and seed == REFERENCE_SEED:
        matrix, flexion_deg = rigid(np.array([-2.0, 1.5, 3.0]), np.array([3.0, -2.0, 1.5])), 6.0
    elif visit != "baseline":
        matrix, flexion_deg = rigid(rng.uniform(-3, 3, 3), rng.uniform(-3, 3, 3)), float(rng.uniform(-6, 6))
    return Pose(matrix @ shape.turned, flexion_deg)


def spine_of(build: Build, pose: Pose) -> Spine:
    """The axis of this neck in this pose: lordosis and flexion are spread evenly over the discs above T1."""
    rise = np.clip((np.array(STARTS_MM) - STARTS_MM[1]) / (STARTS_MM[-1] - STARTS_MM[1]), 0, 1)
    tilts = np.array([v.tilt_deg for v in VERTEBRAE]) + rise * (pose.flexion_deg - build.lordosis_deg)
    return bent_spine(STARTS_MM, ENDS_MM, [float(t) for t in tilts], build.scoliosis_mm)


def foramen_size_mm(level: str, shape: Shape) -> tuple[float, float]:
    """Height and width of a foramen before spurs and facets narrow it."""
    height, width = FORAMEN_SIZE_MM[level]
    return shape.foramina * height, shape.foramina * width


NECK = Plan(
    foramina=CANALS,
    vertebrae=tuple(v.name for v in VERTEBRAE),
    cords=CORD_LEVELS[1:],
    structures=STRUCTURES,
    blood=BLOOD,
    pool=("carotid artery left", "carotid artery right"),
)
