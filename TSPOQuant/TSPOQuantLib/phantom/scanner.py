"""The simulated scanner: resolution, voxels, motion and count noise.

Assumptions: the resolution is one Gaussian everywhere, noise is Poisson and independent between voxels, head motion is
a random walk between frames with none within a frame, and the object goes on beyond the field as its last voxels do.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from scipy.stats import norm

from ..grid import Grid
from .neck import LABEL, rigid
from .projection import FWHM_PER_SIGMA
from .tracer import FRAME_DURATIONS_S, FRAME_STARTS_S, HALF_LIFE_S

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Labels = NDArray[np.uint8]

BEYOND_MM = 1000.0
# Below this resolution the PET grid is too coarse to interpolate a blurred image on.
COARSE_ENOUGH_FWHM_MM = 4.0


def decay_factors(half_life_s: float = HALF_LIFE_S) -> Doubles:
    """What turns each frame's mean activity into decay-corrected activity: lambda d / (1 - e^-lambda d) e^lambda t."""
    per_s = np.log(2) / half_life_s
    x = per_s * FRAME_DURATIONS_S
    return np.asarray(x / -np.expm1(-x) * np.exp(per_s * FRAME_STARTS_S))


def axis_weights(centers_mm: Doubles, width_mm: float, edges_mm: Doubles, sigma_mm: float) -> Floats:
    """(samples, cells): the mean over a sample's width of each cell's indicator after a Gaussian blur, exactly.

    The blurred indicator of [a, b] is Phi((x-a)/s) - Phi((x-b)/s), and the integral of Phi(x/s) is
    x Phi(x/s) + s phi(x/s) [textbook]. The outermost cells reach ``BEYOND_MM`` beyond the field.
    """
    edges = edges_mm.copy()
    edges[[0, -1]] += -BEYOND_MM, BEYOND_MM
    ends = centers_mm[:, None, None] + width_mm * np.array([-0.5, 0.5])[:, None] - edges
    if sigma_mm > 0:
        integral = ends * norm.cdf(ends / sigma_mm) + sigma_mm * norm.pdf(ends / sigma_mm)
    else:
        integral = np.maximum(ends, 0.0)
    mean = (integral[:, 1] - integral[:, 0]) / width_mm
    return np.asarray(np.maximum(mean[:, :-1] - mean[:, 1:], 0.0), np.float32)


def centers_and_spacing(grid: Grid, axis: int) -> tuple[Doubles, float]:
    """Voxel centers along x, y or z of an axis-aligned grid, and their spacing, in mm."""
    spacing = float(grid.ijk_to_lps[axis, axis])
    return grid.ijk_to_lps[axis, 3] + spacing * np.arange(grid.shape[2 - axis]), spacing


def edges_of(centers: Doubles, spacing: float) -> Doubles:
    return np.append(centers - spacing / 2, centers[-1] + spacing / 2)


@dataclass(frozen=True, eq=False)
class Blur:
    """Three small matrices that take an image on the object's grid to samples of the scanner's image of it."""

    along_x: Floats
    along_y: Floats
    along_z: Floats

    def __call__(self, image: Floats) -> Floats:
        rows = image @ self.along_x.T
        planes = np.matmul(self.along_y, rows)
        return np.asarray(np.tensordot(self.along_z, planes, axes=1), np.float32)


def blur_between(source: Grid, target: Grid, voxel_mm: tuple[float, float, float], fwhm_mm: float) -> Blur:
    """Gaussian resolution and averaging over ``voxel_mm``, sampled at the centers of ``target``."""
    weights = []
    for axis in range(3):
        centers, _ = centers_and_spacing(target, axis)
        weights.append(
            axis_weights(
                centers, voxel_mm[axis], edges_of(*centers_and_spacing(source, axis)), fwhm_mm / FWHM_PER_SIGMA
            )
        )
    return Blur(*weights)


def majority_labels(labels: Labels, source: Grid, target: Grid) -> Labels:
    """The label that fills the largest share of each target voxel, by exact overlap; of equals the lowest number."""
    cells, shares = zip(*(_overlaps(source, target, axis) for axis in range(3)), strict=True)
    covered = np.zeros((int(labels.max()) + 1, *target.shape), np.float32)
    voxel = np.ogrid[tuple(slice(n) for n in target.shape)]
    for dz in range(cells[2].shape[1]):
        for dy in range(cells[1].shape[1]):
            plane = shares[2][:, dz, None, None] * shares[1][None, :, dy, None]
            for dx in range(cells[0].shape[1]):
                label = labels[cells[2][:, dz, None, None], cells[1][None, :, dy, None], cells[0][None, None, :, dx]]
                covered[(label, *voxel)] += plane * shares[0][None, None, :, dx]
    return np.asarray(covered.round(5).argmax(axis=0), np.uint8)


def _overlaps(source: Grid, target: Grid, axis: int) -> tuple[NDArray[np.intp], Floats]:
    """For each target voxel along an axis: the source cells it meets, and the share of its width each covers."""
    centers, width = centers_and_spacing(target, axis)
    source_centers, spacing = centers_and_spacing(source, axis)
    edges = edges_of(source_centers, spacing)
    first = np.floor((centers - width / 2 - edges[0]) / spacing + 1e-9).astype(np.intp)
    cells = first[:, None] + np.arange(int(np.ceil(width / spacing)) + 1)
    low = np.maximum(edges[0] + cells * spacing, (centers - width / 2)[:, None])
    high = np.minimum(edges[0] + (cells + 1) * spacing, (centers + width / 2)[:, None])
    shares = np.maximum(high - low, 0) / width
    return np.clip(cells, 0, source_centers.size - 1), shares.astype(np.float32)


def draw_motion(motion_mm: float, rng: np.random.Generator) -> Doubles:
    """4 x 4 of each frame (frames, 4, 4): from a point of the CT to where it is in that frame, LPS mm.

    Settling: a random walk in the square root of time from the CT's position, so the first frame is the CT's; scaled
    so that each translation's standard deviation over frames is ``motion_mm`` mm, each rotation's as many degrees.
    """
    middles = FRAME_STARTS_S + FRAME_DURATIONS_S / 2
    steps = rng.standard_normal((6, middles.size - 1)) * np.sqrt(np.diff(middles))
    walk = np.concatenate([np.zeros((6, 1)), np.cumsum(steps, axis=1)], axis=1)
    walk *= motion_mm / walk.std(axis=1, keepdims=True)
    return np.stack([rigid(pose[3:], pose[:3]) for pose in walk.T])


def image_frames(
    labels: Labels, source: Grid, target: Grid, curves: Doubles, motion: Doubles, fwhm_mm: float
) -> Iterator[Floats]:
    """Each frame's noise-free image (k, j, i) in kBq/mL on ``target``, in order.

    labels: the object, on ``source``. curves: (structures, frames). motion: (frames, 4, 4), the identity for none.
    Without motion the image is exact. With motion and a blur, the exact image is interpolated (cubic splines) at the
    moved places; with motion and the ideal scanner, the labels are moved (nearest voxel).
    """
    values = curves.T.astype(np.float32)
    still = np.array_equal(motion, np.broadcast_to(np.eye(4), motion.shape))
    if fwhm_mm == 0:
        return _ideal_frames(labels, source, target, values, None if still else motion)
    return _blurred_frames(labels, source, target, values, None if still else motion, fwhm_mm)


def _ideal_frames(
    labels: Labels, source: Grid, target: Grid, values: Floats, motion: Doubles | None
) -> Iterator[Floats]:
    if motion is None:
        still = majority_labels(labels, source, target)
        for activity in values:
            yield activity[still]
        return
    for activity, matrix in zip(values, motion, strict=True):
        yield activity[majority_labels(moved_labels(labels, source, matrix), source, target)]


def moved_labels(labels: Labels, source: Grid, matrix: Doubles) -> Labels:
    """The object (nearest voxel) after a rigid motion (4, 4) in LPS mm; beyond the field it goes on as it ends."""
    back = np.linalg.inv(source.ijk_to_lps) @ np.linalg.inv(matrix) @ source.ijk_to_lps
    return np.asarray(affine_transform(labels, back[2::-1, 2::-1], back[2::-1, 3], order=0, mode="nearest"), np.uint8)


def _blurred_frames(
    labels: Labels, source: Grid, target: Grid, values: Floats, motion: Doubles | None, fwhm_mm: float
) -> Iterator[Floats]:
    if motion is None:
        exact = blur_between(source, target, target.spacing_mm, fwhm_mm)
        for activity in values:
            yield exact(activity[labels])
        return
    samples = target if fwhm_mm >= COARSE_ENOUGH_FWHM_MM else _halved(target)
    blur = blur_between(source, samples, target.spacing_mm, fwhm_mm)
    for activity, matrix in zip(values, motion, strict=True):
        back = np.linalg.inv(samples.ijk_to_lps) @ np.linalg.inv(matrix) @ target.ijk_to_lps
        image = blur(activity[labels])
        moved = affine_transform(image, back[2::-1, 2::-1], back[2::-1, 3], target.shape, order=3, mode="nearest")
        yield np.maximum(moved, 0)


def _halved(grid: Grid) -> Grid:
    """The same field in voxels half as wide along each axis."""
    matrix = grid.ijk_to_lps.copy()
    matrix[:3, 3] -= np.diag(matrix)[:3] / 4
    matrix[:3, :3] /= 2
    return Grid((2 * grid.shape[0], 2 * grid.shape[1], 2 * grid.shape[2]), matrix)


def counts_per_activity(
    curves: Doubles, noise_percent: float, half_life_s: float = HALF_LIFE_S, muscle: int = LABEL["muscle"]
) -> float:
    """Counts of a voxel per (kBq/mL decaying for a second) for the noise asked in muscle's first 600-s frame.

    muscle: its number among the structures.
    """
    frame = int(np.argmax(FRAME_DURATIONS_S == 600))
    exposure = curves[muscle, frame] * FRAME_DURATIONS_S[frame] / decay_factors(half_life_s)[frame]
    return float((100 / noise_percent) ** 2 / exposure)


def with_count_noise(
    image: Floats, frame: int, per_activity: float, rng: np.random.Generator, half_life_s: float = HALF_LIFE_S
) -> Floats:
    """Poisson counts in each voxel, independent, then back to decay-corrected activity."""
    scale = per_activity * FRAME_DURATIONS_S[frame] / decay_factors(half_life_s)[frame]
    return np.asarray(rng.poisson(image * scale) / scale, np.float32)
