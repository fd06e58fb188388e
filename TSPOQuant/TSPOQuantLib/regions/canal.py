"""The neuroforamen as a shape: a short oriented canal of elliptic cross-section, and its fit to the bone of a CT."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from ..acquisition.image import Volume
from ..grid import Grid
from ..lazy_modules import optimize
from ..messages import InputRefused

Floats = NDArray[np.float64]

LENGTH_MM = 5.0
"""The canal is 4 to 5 mm long [published anatomy]; the longest is taken."""
FORWARD_DEG, DOWNWARD_DEG = 45.0, 12.5
"""The canal runs about 45 degrees to the coronal plane and 10 to 15 degrees downward [published anatomy]."""
LUMBAR_LENGTH_MM, LUMBAR_FORWARD_DEG, LUMBAR_DOWNWARD_DEG = 8.0, 10.0, 10.0
"""Of a lumbar canal: choices, no figures were at hand. It runs to the side, and is as long as a pedicle is wide."""

# None of these is published: choices.
BONE_FROM_HU, BONE_FULL_HU = 150.0, 350.0
"""Between these a CT value counts as partly bone."""
COARSEST_MM = 2.8
"""The narrowest foramen is 5.73 mm wide: two voxels across are the least that tell a void from its walls."""
SCALES = (0.85, 1.2)
WALL = (1.05, 1.3)
"""Where bone is looked for, in radii of the ellipse; it is unwanted within ``INSIDE``."""
INSIDE = 0.9
INSIDE_WEIGHT = 2.0
STARTS_MM = (-0.8, 0.0, 0.8)
MOVING = 0.15
"""Of the score, what moving to a bound costs."""


@dataclass(frozen=True, eq=False)
class Canal:
    """center (3,) LPS mm; axes: unit columns (outward along the canal, up, across) in LPS; sizes in mm."""

    center: Floats
    axes: Floats
    length: float
    height: float
    width: float

    def mask(self, grid: Grid) -> NDArray[np.bool_]:
        """The voxels (k, j, i) whose centers lie in the canal."""
        found = np.zeros(grid.shape, dtype=bool)
        radius = np.linalg.norm([self.length, self.height, self.width]) / 2
        middle = grid.to_ijk(self.center)[::-1]
        reach = radius * np.linalg.norm(np.linalg.inv(grid.ijk_to_lps[:3, :3]), axis=1)[::-1] + 1
        low = np.clip(np.floor(middle - reach), 0, grid.shape).astype(int)
        high = np.clip(np.ceil(middle + reach) + 1, 0, grid.shape).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        k, j, i = np.mgrid[box]
        offset = (grid.to_lps(np.stack([i, j, k], axis=-1).astype(float)) - self.center) @ self.axes
        inside = (2 * offset[..., 1] / self.height) ** 2 + (2 * offset[..., 2] / self.width) ** 2 <= 1
        found[box] = inside & (np.abs(offset[..., 0]) <= self.length / 2)
        return found


def check_ct(ct: Volume) -> None:
    """Raises InputRefused "ct-units", and "ct-coarse" for voxels too large to show a foramen between its walls."""
    if ct.units != "HU":
        raise InputRefused(
            "ct-units",
            "the image is in '{units}', not in HU, so that bone cannot be told by its values; give a CT",
            units=ct.units,
        )
    if max(ct.grid.spacing_mm) > COARSEST_MM:
        size = " × ".join(f"{step:.3g}" for step in ct.grid.spacing_mm)
        raise InputRefused(
            "ct-coarse",
            "the image's voxels of {size} mm do not show a foramen; {coarsest_mm:g} mm is the most",
            size=size,
            coarsest_mm=COARSEST_MM,
        )


def bone_of(ct: Volume) -> Volume:
    """The CT as bone from 0 to 1. Raises what ``check_ct`` raises."""
    check_ct(ct)
    share = np.clip((ct.values - BONE_FROM_HU) / (BONE_FULL_HU - BONE_FROM_HU), 0, 1)
    return replace(ct, values=share.astype(np.float32), units="bone")


def fit_across(start: Canal, bone: Volume, across_mm: float, along_mm: float) -> Canal:
    """Shift and scale a canal, within bounds, until its wall meets bone and its inside does not.

    across_mm, along_mm: how far it may move at right angles to its course, and along it. bone: 0 to 1. The score is
    mean bone in the wall less ``INSIDE_WEIGHT`` times mean bone inside, sampled linearly, less a toll on moving that
    grows with the square of it; it is climbed by the simplex method from the best of 9 starts. The direction and the
    proportions stay.
    """
    wall, inside = _samples(start, WALL), _samples(start, (0.0, INSIDE))
    to_ijk = np.linalg.inv(bone.grid.ijk_to_lps)
    limits = np.array([along_mm, across_mm, across_mm])

    def bone_at(offsets: Floats, shift: Floats, scale: float) -> float:
        points = start.center + (shift + offsets * [1, scale, scale]) @ start.axes.T
        index = (points @ to_ijk[:3, :3].T + to_ijk[:3, 3])[:, ::-1].T
        return float(map_coordinates(bone.values, index, order=1, mode="nearest").mean())

    def cost(change: Floats) -> float:
        shift, scale = change[:3], change[3]
        toll = MOVING * float(np.sum(np.square(shift / limits)))
        return INSIDE_WEIGHT * bone_at(inside, shift, scale) - bone_at(wall, shift, scale) + toll

    starts = [np.array([0.0, up, across, 1.0]) for up in STARTS_MM for across in STARTS_MM]
    bounds = [(-limit, limit) for limit in limits] + [SCALES]
    first = min(starts, key=cost)
    simplex = np.vstack([first, first + np.diag([along_mm / 2, across_mm / 2, across_mm / 2, 0.1])])
    best = optimize.minimize(
        cost, first, method="Nelder-Mead", bounds=bounds, options={"initial_simplex": simplex, "xatol": 0.01}
    ).x
    return replace(
        start,
        center=start.center + start.axes @ best[:3],
        height=start.height * float(best[3]),
        width=start.width * float(best[3]),
    )


def _samples(canal: Canal, radii: tuple[float, float]) -> Floats:
    """Points (n, 3) of an elliptic ring, in mm along the canal's axes, evenly dense."""
    spread = np.linspace(0, 1, 4)[:, None, None]
    radius = np.sqrt(radii[0] ** 2 + (radii[1] ** 2 - radii[0] ** 2) * (spread + 0.1) / 1.1)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)[None, :, None]
    along = np.linspace(-0.5, 0.5, 7)[None, None, :] * canal.length
    up, across = radius * np.sin(angle) * canal.height / 2, radius * np.cos(angle) * canal.width / 2
    return np.stack([a.ravel() for a in np.broadcast_arrays(along, up, across)], axis=1)
