"""Hot neighbors of foramina and cord: marrow apart from cortex, glands, epidural veins.

How much of a TSPO tracer marrow, thyroid and salivary glands take up in a neck has not been published, as far as was
found: all values here are assumptions, and the ranges from which a drawn neck takes its own are wide on purpose.
The plain neck leaves all of this out; its labels, and what is drawn from them as regions, stay the same with it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from .anatomy import Anatomy, Section, ellipse, height_of, slabs_of, spine_table
from .neck import BONES, CANALS, FORAMEN_LENGTH_MM, LABEL, NEIGHBORS, STRUCTURES, Build, Pose
from .settings import REFERENCE_SEED, PhantomSettings
from .spine import SpineTable
from .tracer import Kinetics, kinetics_of

Floats = NDArray[np.float32]
Labels = NDArray[np.uint8]

NEIGHBOR_LABEL = {name: len(STRUCTURES) + n for n, name in enumerate(NEIGHBORS)}

# Not published: K1 and V_B fixed, V_T of the reference neck, and the range of V_T for any other neck.
KINETICS = {
    "marrow": Kinetics(0.20, 8.0, 0.08),
    "thyroid": Kinetics(0.40, 10.0, 0.10),
    "parotid gland": Kinetics(0.30, 8.0, 0.08),
    "submandibular gland": Kinetics(0.30, 8.0, 0.08),
    "epidural vein": Kinetics(0.0, 0.0, 1.0),
}
VT_RANGES = {
    "marrow": (4.0, 15.0),
    "thyroid": (4.0, 20.0),
    "parotid gland": (4.0, 15.0),
    "submandibular gland": (4.0, 15.0),
}
CORTEX = Kinetics(0.03, 1.0, 0.02)
TWO_TISSUE_RATES = (0.06, 0.04)
"""k3 and k4 in 1/min of the structures that have a second compartment, where asked for (assumption)."""

# Where they lie: (side, behind the axis, half width, half depth, turn) at the heights of ``anatomy``, in mm.
SUBMANDIBULAR: tuple[Section, Section] = ((60, -60, 1, 1, 0), (24, -42, 9, 9, 0))
PAROTID: tuple[Section, Section] = ((45, -26, 8, 11, 0), (45, -26, 8, 11, 0))
PAROTID_BOTTOM_T = 1.0
PLEXUS_SIDE_MM, PLEXUS_POSTERIOR_MM = 8.5, 1.2
VEIN_LENGTH_MM = 6.0


@dataclass(frozen=True)
class Neighbors:
    """One neck's hot neighbors: V_T (mL/cm3) by structure, size of the glands, radius of the veins in mm."""

    vt: dict[str, float]
    gland_size: float = 1.0
    vein_mm: float = 1.3


def draw_neighbors(seed: int, rng: np.random.Generator) -> Neighbors:
    """The reference for the reference seed; else V_T evenly in the logarithm over its range, and sizes of its own."""
    if seed == REFERENCE_SEED:
        return Neighbors({name: KINETICS[name].vt for name in VT_RANGES})
    vt = {name: float(np.exp(rng.uniform(*np.log(limits)))) for name, limits in VT_RANGES.items()}
    return Neighbors(vt, gland_size=float(rng.uniform(0.85, 1.15)), vein_mm=float(rng.uniform(1.0, 1.8)))


def kinetics_with(settings: PhantomSettings, visit: str, neighbors: Neighbors | None) -> dict[str, Kinetics]:
    """The true parameters of every structure of this neck at a visit; raises what ``tracer.kinetics_of`` raises."""
    hot: dict[str, Kinetics] = {}
    if neighbors is not None:
        hot = dict.fromkeys(BONES, CORTEX)
        hot |= {name: replace(KINETICS[name], vt=neighbors.vt.get(name, KINETICS[name].vt)) for name in KINETICS}
        hot = {name: hot[name] for name in (*BONES, "thyroid", *NEIGHBORS)}
    table = kinetics_of(visit, settings.truth, hot)
    k3, k4 = TWO_TISSUE_RATES
    for name, kinetics in table.items():
        if settings.two_tissue and (name.startswith("cord ") or name in VT_RANGES):
            table[name] = replace(kinetics, k3=k3, k4=k4)
        elif name.startswith("foramen "):
            table[name] = replace(kinetics, k1=settings.foramen_k1)
    return table


def tissues_of(anatomy: Anatomy, build: Build, pose: Pose, neighbors: Neighbors) -> Labels:
    """The anatomy's labels (k, j, i), but for what is a hot neighbor: those have the numbers of ``NEIGHBOR_LABEL``."""
    tissues = anatomy.labels.copy()
    table = spine_table(anatomy.grid, build, pose)
    for slab, points in slabs_of(anatomy.grid, build, pose):
        flat = tissues[slab].reshape(-1)
        _draw_glands(flat, points, table, neighbors)
        _draw_veins(flat, points, table, neighbors)
        tissues[slab] = flat.reshape(tissues[slab].shape)
    bone = np.isin(anatomy.labels, [LABEL[name] for name in BONES])
    tissues[binary_erosion(bone, border_value=1)] = NEIGHBOR_LABEL["marrow"]
    return tissues


def _draw_glands(tissues: Labels, points: Floats, table: SpineTable, neighbors: Neighbors) -> None:
    x, y, z = points
    behind = y - np.interp(z, table.spine.z_mm, table.spine.y_mm).astype(np.float32)
    t = height_of(np.interp(z, table.spine.z_mm, table.spine.along_mm).astype(np.float32))
    soft = np.isin(tissues, [LABEL["muscle"], LABEL["fat"]])
    for name, (low, high), bottom in (
        ("submandibular gland", SUBMANDIBULAR, 0.0),
        ("parotid gland", PAROTID, PAROTID_BOTTOM_T),
    ):
        low, high = (_sized(section, neighbors.gland_size) for section in (low, high))
        tissues[soft & (t > bottom) & ellipse(np.abs(x), behind, t, low, high)] = NEIGHBOR_LABEL[name]


def _sized(section: Section, size: float) -> Section:
    side, behind, half_width, half_depth, turn = section
    return side, behind, size * half_width, size * half_depth, turn


def _draw_veins(tissues: Labels, points: Floats, table: SpineTable, neighbors: Neighbors) -> None:
    """Two along the front of the canal, and one outward from every foramen in its upper half."""
    near = np.flatnonzero((np.abs(points[0]) < 30) & np.isin(tissues, [LABEL["muscle"], LABEL["fat"]]))
    left, posterior, along = table.to_spine(*(row[near] for row in points))
    found = np.hypot(np.abs(left) - PLEXUS_SIDE_MM, posterior - PLEXUS_POSTERIOR_MM) < neighbors.vein_mm
    for canal in CANALS:
        outward, up, across = canal.local(left, posterior, along)
        beyond = outward - FORAMEN_LENGTH_MM / 2
        vein = np.hypot(up - canal.size_mm[1] / 4, across) < neighbors.vein_mm
        found |= vein & (beyond >= 0) & (beyond < VEIN_LENGTH_MM)
    tissues[near[found]] = NEIGHBOR_LABEL["epidural vein"]
