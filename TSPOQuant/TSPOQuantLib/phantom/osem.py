"""The simulated scanner that projects, counts and reconstructs: noise is correlated, never negative, and depends on
the object; what is recovered of a small structure depends on its contrast, its place and the frame.

Each plane is projected in parallel rays (``projection``). The detectors blur along the rays' bins and along the axis;
the object attenuates as its CT says (bilinear in HU), and the correction for it is exact; scattered and random
coincidences lie smoothly over all rays, and the reconstruction knows their mean; counts are Poisson. The frames are
reconstructed by ordered subsets (Hudson & Larkin, IEEE Trans Med Imaging 1994;13:601), with the detectors' blur in
its model or without, then filtered. All figures that have no source named here are assumptions.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_matrix

from ..grid import Grid
from .projection import FWHM_PER_SIGMA, Rays, ray_matrix
from .scanner import axis_weights, centers_and_spacing, decay_factors, edges_of, moved_labels
from .settings import OsemOptions
from .tracer import FRAME_DURATIONS_S, HALF_LIFE_S

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Labels = NDArray[np.uint8]

# The resolution of a converged image: 0.8 of it from the detectors, 0.6 from the filter, which add in quadrature.
DETECTOR_SHARE, FILTER_SHARE = 0.8, 0.6
BIN_MM, FINE_BIN_MM = 2.0, 1.0
ANGLES = 96
"""At least so many; more where the subsets ask for it."""
SCATTER_SHARE, RANDOM_SHARE = 0.25, 0.15
"""Of all counts of a frame."""
SCATTER_SIGMA_BINS, SCATTER_SIGMA_PLANES = 20.0, 10.0
REFERENCE_NOISE_PERCENT = 20.0
COUNTS_PER_LENGTH = 0.0018
"""Counts of a ray per kBq/mL, mm and second at ``REFERENCE_NOISE_PERCENT``, before attenuation: chosen so that a
voxel of muscle has that coefficient of variation in the first 600-s frame with the default reconstruction."""
LEAST_ACTIVITY = 1e-6
"""Of the mean: no voxel falls below it between updates, or a frame of few counts could never refill it."""
LEAST_WEIGHT = 1e-7


def attenuation_per_mm(hounsfield: Floats) -> Floats:
    """Linear attenuation at 511 keV, 1/mm, from HU at 120 kVp.

    Bilinear, Carney et al., Med Phys 2006;33:976: 9.6e-3 (1 + HU/1000) up to 47 HU, 5.1e-6 (HU + 1000) + 4.71e-3
    above.
    """
    raised = np.maximum(hounsfield + 1000, 0)
    return np.asarray(np.where(hounsfield <= 47, 9.6e-6 * raised, 5.1e-6 * raised + 4.71e-3), np.float32)


@dataclass(frozen=True, eq=False)
class OsemScanner:
    """One object's rays and reconstruction; all that does not change from frame to frame.

    trace: (pixels of the object, fine rays of all subsets). detect: (bins, fine bins) and planes: (planes, object's
    planes) take fine rays to what the detectors see. system: (pixels, rays) of each subset; blur: (bins, bins) and
    blur_planes: what the reconstruction knows of the detectors, None without a model of resolution.
    kept: (*rays.shape, planes), what attenuation leaves of each ray. sensitivity: (subsets, pixels, planes).
    """

    target: Grid
    rays: Rays
    iterations: int
    filter_mm: float
    trace: csr_matrix
    detect: Floats
    planes: Floats
    system: tuple[csr_matrix, ...]
    blur: tuple[Floats, Floats] | None
    kept: Floats
    sensitivity: Floats

    def seen(self, image: Floats) -> Floats:
        """What the detectors see of an object (k, j, i): (*rays.shape, planes), activity times mm, not attenuated."""
        rows = self.planes @ image.reshape(len(image), -1)
        return _detected(self.trace, self.rays, self.detect, rows)

    def expected(self, image: Floats, counts_per_length: float) -> tuple[Floats, Floats]:
        """Mean counts of every ray, all of them and the background alone."""
        true = self.kept * self.seen(image) * np.float32(counts_per_length)
        total = float(true.sum(dtype=float)) / (1 - SCATTER_SHARE - RANDOM_SHARE)
        profile = true.mean(axis=(0, 1, 2))
        smooth = gaussian_filter(profile, (SCATTER_SIGMA_BINS, SCATTER_SIGMA_PLANES), mode="constant")
        smooth *= SCATTER_SHARE * total / max(float(smooth.sum(dtype=float)), np.finfo(float).tiny)
        each = smooth + RANDOM_SHARE * total / smooth.size
        rays = self.rays.subsets * self.rays.angles_a_subset * self.rays.tof_bins
        background = np.broadcast_to(np.asarray(each / rays, np.float32), true.shape)
        return true + background, background

    def reconstruct(self, counts: Floats, background: Floats, counts_per_length: float) -> Floats:
        """The filtered image (k, j, i) of a frame's counts; 0 throughout where there are none."""
        everything = float(self.sensitivity.sum(dtype=float)) * counts_per_length
        mean = (
            max(float(counts.sum(dtype=float) - background.sum(dtype=float)), 0.01 * float(counts.sum())) / everything
        )
        shape = self.target.shape
        if mean <= 0:
            return np.zeros(shape, np.float32)
        image = np.full(self.sensitivity.shape[1:], mean, np.float32)
        scaled, known = counts / np.float32(counts_per_length), background / np.float32(counts_per_length)
        for _ in range(self.iterations):
            for subset, matrix in enumerate(self.system):
                modeled = self.kept[subset] * self._forward(matrix, image) + known[subset]
                ratio = np.divide(scaled[subset], modeled, out=np.zeros_like(modeled), where=modeled > 0)
                image *= self._back(matrix, self.kept[subset] * ratio) / self.sensitivity[subset]
                np.maximum(image, np.float32(LEAST_ACTIVITY * mean), out=image)
        sigma = [self.filter_mm / FWHM_PER_SIGMA / spacing for spacing in reversed(self.target.spacing_mm)]
        return np.asarray(gaussian_filter(image.T.reshape(shape), sigma, mode="nearest"), np.float32)

    def _forward(self, matrix: csr_matrix, image: Floats) -> Floats:
        blurred = image if self.blur is None else image @ self.blur[1].T
        rays = (matrix.T @ blurred).reshape(*self.rays.shape[1:], -1)
        return rays if self.blur is None else np.asarray(self.blur[0] @ rays)

    def _back(self, matrix: csr_matrix, rays: Floats) -> Floats:
        blurred = rays if self.blur is None else self.blur[0].T @ rays
        image = matrix @ blurred.reshape(matrix.shape[1], -1)
        return np.asarray(image if self.blur is None else image @ self.blur[1])


def _detected(trace: csr_matrix, rays: Rays, detect: Floats, rows: Floats) -> Floats:
    """Rows of the object (planes, pixels) along the fine rays, gathered into the detectors' bins."""
    fine = (trace.T @ np.ascontiguousarray(rows.T)).reshape(*rays.shape[:3], detect.shape[1], len(rows))
    return np.asarray(detect @ fine)


def osem_scanner(hounsfield: Floats, source: Grid, target: Grid, fwhm_mm: float, options: OsemOptions) -> OsemScanner:
    """The scanner for one object, whose CT (k, j, i) on ``source`` says how it attenuates; both grids axis-aligned.

    target: the image's grid. fwhm_mm: resolution of a converged image.
    """
    x, y = (centers_and_spacing(target, axis) for axis in (0, 1))
    middle = [float(centers.mean()) for centers, _ in (x, y)]
    far = float(np.hypot(x[1] * x[0].size, y[1] * y[0].size))
    sigma = DETECTOR_SHARE * fwhm_mm / FWHM_PER_SIGMA
    each = -(-ANGLES // options.subsets)
    tof_bins = int(np.ceil(far / np.sqrt(2) / 45.0)) | 1 if options.tof else 1
    rays = Rays(options.subsets, each, int(np.ceil(far / BIN_MM)), BIN_MM, tof_bins)
    fine = Rays(rays.subsets, each, round(rays.bins * BIN_MM / FINE_BIN_MM), FINE_BIN_MM, tof_bins)

    system = tuple(_matrix(target, middle, rays, rays.angles(subset)) for subset in range(rays.subsets))
    angles = np.concatenate([rays.angles(subset) for subset in range(rays.subsets)])
    trace = _matrix(source, middle, fine, angles)
    plane_centers, plane_mm = centers_and_spacing(target, 2)
    object_edges = edges_of(*centers_and_spacing(source, 2))
    bin_centers = (rays.edges_mm[1:] + rays.edges_mm[:-1]) / 2
    sharp = axis_weights(bin_centers, BIN_MM, fine.edges_mm, 0.0)
    thin = axis_weights(plane_centers, plane_mm, object_edges, 0.0)
    blur = None
    if options.psf:
        along_bins = axis_weights(bin_centers, BIN_MM, rays.edges_mm, sigma)
        along_planes = axis_weights(plane_centers, plane_mm, edges_of(plane_centers, plane_mm), sigma)
        blur = (_without_tails(along_bins), _without_tails(along_planes))
    lengths = _detected(trace, fine, sharp, thin @ attenuation_per_mm(hounsfield).reshape(len(hounsfield), -1))
    kept = np.exp(-lengths.sum(axis=2, keepdims=True)) * np.ones((tof_bins, 1, 1), np.float32)
    scanner = OsemScanner(
        target,
        rays,
        options.iterations,
        FILTER_SHARE * fwhm_mm,
        trace,
        _without_tails(axis_weights(bin_centers, BIN_MM, fine.edges_mm, sigma)),
        _without_tails(axis_weights(plane_centers, plane_mm, object_edges, sigma)),
        system,
        blur,
        kept,
        np.empty((rays.subsets, target.shape[1] * target.shape[2], target.shape[0]), np.float32),
    )
    for subset, matrix in enumerate(system):
        scanner.sensitivity[subset] = np.maximum(scanner._back(matrix, kept[subset]), np.finfo(np.float32).tiny)
    return scanner


def _without_tails(weights: Floats) -> Floats:
    """Weights too small to matter become 0: numbers near the smallest that there are make processors slow."""
    return np.asarray(np.where(weights < LEAST_WEIGHT, 0, weights), np.float32)


def _matrix(grid: Grid, middle: list[float], rays: Rays, angles: Doubles) -> csr_matrix:
    """``ray_matrix`` of a grid's plane, pixels in the order of its array."""
    (x, wx), (y, wy) = (centers_and_spacing(grid, axis) for axis in (0, 1))
    ys, xs = np.meshgrid(y - middle[1], x - middle[0], indexing="ij")
    return ray_matrix(xs.ravel(), ys.ravel(), (wx, wy), rays, angles)


def counts_per_length(frame: int, noise_percent: float, half_life_s: float = HALF_LIFE_S) -> float:
    """Counts of a ray per kBq/mL (decay-corrected) and mm in a frame, before attenuation."""
    late = int(np.argmax(FRAME_DURATIONS_S == 600))
    factors, alike = decay_factors(half_life_s), decay_factors()[late] / decay_factors(half_life_s)[late]
    scale = COUNTS_PER_LENGTH * (REFERENCE_NOISE_PERCENT / noise_percent) ** 2 if noise_percent else COUNTS_PER_LENGTH
    return float(scale / alike * FRAME_DURATIONS_S[frame] / factors[frame])


def osem_frames(
    scanner: OsemScanner,
    labels: Labels,
    source: Grid,
    curves: Doubles,
    motion: Doubles,
    noise_percent: float,
    streams: list[np.random.Generator],
    half_life_s: float = HALF_LIFE_S,
) -> Iterator[Floats]:
    """Each frame's image (k, j, i) in kBq/mL, in order; labels, curves and motion as for ``scanner.image_frames``.

    noise_percent: 0 reconstructs the mean counts. streams: one source of chance a frame.
    """
    values = curves.T.astype(np.float32)
    for frame, (activity, matrix) in enumerate(zip(values, motion, strict=True)):
        per_length = counts_per_length(frame, noise_percent, half_life_s)
        here = labels if np.array_equal(matrix, np.eye(4)) else moved_labels(labels, source, matrix)
        mean, background = scanner.expected(activity[here], per_length)
        counts = streams[frame].poisson(mean).astype(np.float32) if noise_percent else mean
        yield scanner.reconstruct(counts, background, per_length)
