"""The carotid arteries, below the neck the aorta, proposed as blood pool from a PET's first frames, with the recovery
that their width leaves.

Tested on simulated necks and a simulated trunk only: it is untested on real ones, where arteries and veins differ in
time as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_laplace
from scipy.special import i0e, i1e

from ..acquisition.image import DynamicImage
from ..acquisition.segmentation import Segment
from ..grid import Grid
from ..lazy_modules import optimize
from ..messages import Text
from .anatomy import Anatomy
from .nearby import surroundings
from .partial_volume import FWHM_PER_SIGMA
from .region import Region
from .template import segment_of

Floats = NDArray[np.float64]

# None of these is published: choices, tried on simulated necks.
HOT_SHARE = 0.002
"""Of the voxels, the hottest in a frame: they show when the bolus passes."""
ARRIVED = 0.25
"""Of the peak: from here to the peak the frames count as arterial."""
LEAST_BOLUS = 3.0
"""Peak over what is left in the last frame, in the peak's hottest voxels: less is no bolus, or frames too long to see
it. Glands, which may be hotter late than a blurred artery ever is, keep theirs."""
PASSED_S, PASSED = 120.0, 2.0
"""So much later, a bolus has fallen by so much."""
BODY_SHARE = 0.1
ALONG_SIGMA_MM = 6.0
STEP_PER_MM = 0.5
"""How far a vessel may run sideways for each millimeter along the neck."""
END_MARGIN_MM = 15.0
LEAST_LENGTH_MM = 30.0
LEAST_STRENGTH = 0.25
"""Of a tube's usual strength: where there is less of it along the neck, the vessel has ended or left the slices."""
LEAST_CONTRAST = 2.0
"""Of a vessel's model over the background around it."""
LEAST_ALIKE = 0.4
"""Of the activities on both sides: one is no carotid if it is so much weaker."""
NEIGHBOR_MM = (6.0, 16.0)
"""Where the second vessel of a side, artery beside vein, is looked for."""
SECOND_SHARE = 0.25
"""Of the first vessel's strength: less is no vessel."""
EARLIER = 1.15
"""Ratio of the shares of activity that came in the arterial frames, from which on two vessels differ in time."""
BLOCK_MM = 6.0
MOST_STEPS = 15
VENOUS_S = 30.0
UNKNOWN_FWHM_MM = 5.0
"""Shapes the vessels where the resolution is not known; no diameter or recovery is told then."""
KNOTS = 4
"""Of the polynomials that a vessel's two sideways coordinates follow along the neck."""


@dataclass(frozen=True)
class Caliber:
    """What vessels are looked for. blob_sigma_mm: width of the filter that shows them. patch_mm: half the width of the
    surroundings in which they are fitted. usual_mm: of the region where the resolution is not known.
    """

    blob_sigma_mm: float
    patch_mm: float
    diameter_mm: tuple[float, float]
    usual_mm: float


CAROTIDS = Caliber(2.0, 16.0, (3.0, 14.0), 6.0)
AORTA = Caliber(5.0, 24.0, (10.0, 30.0), 12.0)
AORTA_RIGHT_MM = 4.0
"""So far right of the body's middle its middle may lie; the vena cava lies further right."""


@dataclass(frozen=True, eq=False)
class Vessel:
    """One vessel. center_lps_mm: (slices, 3), from the lower end up. diameter_mm and recovery: None where the
    resolution is not known. recovery: of the mean over the vessel's own width (``cylinder_recovery``).
    contrast: its activity over that around it. activity: kBq/mL, of the unblurred vessel above its surroundings in the
    arterial frames. kind: "artery", or "vessel" where no vein beside it tells which.
    """

    side: str
    center_lps_mm: Floats
    diameter_mm: float | None
    recovery: float | None
    contrast: float
    activity: float
    kind: str


@dataclass(frozen=True, eq=False)
class BloodPoolProposal:
    """segment: all vessels, None where declined, with the reason. confidence: 0 to 1, no probability: how alike both
    sides are (1 of one vessel alone), times 1 - 1 / contrast. frames: indices of the arterial frames.
    """

    segment: Segment | None
    confidence: float
    vessels: tuple[Vessel, ...]
    frames: tuple[int, ...]
    reason: str = ""

    @property
    def recovery(self) -> float | None:
        """Of the whole region: the vessels' mean, weighted by volume; None where one is not known."""
        sizes = [
            (v.recovery, len(v.center_lps_mm) * v.diameter_mm**2) for v in self.vessels if v.recovery and v.diameter_mm
        ]
        if not sizes or len(sizes) < len(self.vessels):
            return None
        return float(np.average([recovery for recovery, _ in sizes], weights=[size for _, size in sizes]))


def cylinder_recovery(diameter_mm: float, fwhm_mm: float) -> float:
    """Mean over a long cylinder's own cross-section of its Gaussian-blurred image; activity 1, cold background.

    1 - exp(-z) (I0(z) + I1(z)) with z = R^2 / s^2: the mean of a disk blurred by exp(-k^2 s^2 / 2) is
    2 * integral of J1(kR)^2 exp(-k^2 s^2 / 2) / k dk, Weber's second exponential integral (Watson, Theory of Bessel
    Functions, 13.31). On the axis alone it would be 1 - exp(-R^2 / 2 s^2) [textbook].
    """
    sigma = fwhm_mm / FWHM_PER_SIGMA
    if sigma == 0:
        return 1.0
    z = (diameter_mm / 2 / sigma) ** 2
    return float(1 - (i0e(z) + i1e(z)))


def blurred_disk(distance_mm: Floats, diameter_mm: float, sigma_mm: float) -> Floats:
    """A disk of activity 1 after a Gaussian blur, at distances from its center.

    Integral over its radii s of s / sigma^2 exp(-(r^2 + s^2) / 2 sigma^2) I0(r s / sigma^2) [textbook], by Gauss-
    Legendre quadrature of 24 points.
    """
    points, weights = np.polynomial.legendre.leggauss(24)
    radii = diameter_mm / 4 * (points + 1)
    nodes = np.linspace(0, distance_mm.max(initial=0.0) + 1e-9, 128)
    r = nodes[:, None]
    spread = np.exp(-((r - radii) ** 2) / (2 * sigma_mm**2)) * i0e(r * radii / sigma_mm**2)
    profile = (spread * radii * weights).sum(axis=1) * diameter_mm / 4 / sigma_mm**2
    return np.asarray(np.interp(distance_mm, nodes, profile))


class _Declined(Exception):
    """Why no blood pool is proposed."""

    def __init__(self, template: str, /, **values: Any) -> None:
        super().__init__(Text(template, **values))


def propose_blood_pool(
    image: DynamicImage,
    fwhm_mm: float | None = None,
    target: Grid | None = None,
    below_neck: bool = False,
    regions: Sequence[Region] = (),
) -> BloodPoolProposal:
    """The carotids: hot in the first frames, tubular, left and right; on the voxels of ``target`` (None: the PET's).
    ``below_neck``: the aorta alone, the strongest wide tube that is not right of the body's middle. regions: in a scan
    that shows more of the body it is looked for around the foramina and the cord among these, or else the target.

    On each side the strongest tube is followed through the slices, then a second one beside it. Of two, the artery is
    the one whose activity comes earlier; where they do not differ in time, the one nearer to the middle (the internal
    jugular vein lies lateral to the common carotid artery). Positions and widths come from a fit of two blurred
    cylinders to the arterial frames; ``fwhm_mm`` must be known for the width.
    """
    frames: tuple[int, ...] = ()
    of_spine = [region for region in regions if region.anatomy.structure in ("foramen", "cord")]
    image = surroundings(image, of_spine, target)
    try:
        frames = _arterial_frames(image)
        middle = _middle_lines(image)
        caliber, sides = (AORTA, ("left",)) if below_neck else (CAROTIDS, ("left", "right"))
        vessels = tuple(_vessel(image, frames, middle, side, fwhm_mm, caliber) for side in sides)
    except _Declined as declined:
        return BloodPoolProposal(None, 0.0, (), frames, declined.args[0])
    weak, *_, strong = sorted(vessels * 2, key=lambda vessel: vessel.activity)
    alike = weak.activity / strong.activity
    if alike < LEAST_ALIKE:
        reason = Text(
            "the vessel on the {side} is {alike:.0%} as hot as that on the {other}",
            side=weak.side,
            alike=alike,
            other=strong.side,
        )
        return BloodPoolProposal(None, 0.0, vessels, frames, reason)
    mask = np.zeros((target or image.grid).shape, dtype=bool)
    for vessel in vessels:
        _draw(mask, target or image.grid, vessel, (vessel.diameter_mm or caliber.usual_mm) / 2)
    if not mask.any():
        return BloodPoolProposal(None, 0.0, vessels, frames, "the vessels lie beyond the segmentation's grid")
    confidence = alike * (1 - 1 / min(vessel.contrast for vessel in vessels))
    return BloodPoolProposal(segment_of(Anatomy("blood-pool"), mask), float(confidence), vessels, frames)


def _arterial_frames(image: DynamicImage) -> tuple[int, ...]:
    """From the bolus's arrival to its peak, as the hottest voxels of each frame show it that do not stay hot."""
    count = max(int(HOT_SHARE * np.prod(image.grid.shape)), 1)
    mids = image.timing.mids_s
    hot, gone = np.zeros(len(mids)), np.zeros(len(mids))
    for frame, soon in enumerate(np.searchsorted(mids[:-1], mids + PASSED_S)):
        here = np.argpartition(image.activity[frame].reshape(-1), -count)[-count:]
        hot[frame], later, left = (float(image.activity[n].reshape(-1)[here].mean()) for n in (frame, soon, -1))
        gone[frame] = hot[frame] - left if hot[frame] > max(PASSED * later, LEAST_BOLUS * left) else 0.0
    peak = int(np.argmax(gone))
    if gone[peak] == 0:
        raise _Declined("no bolus passes: the first frames are missing, or too long to show it")
    return tuple(int(frame) for frame in range(peak + 1) if hot[frame] >= ARRIVED * hot[peak])


def _by_slices(grid: Grid) -> Grid:
    """The same voxels, their third index along the body, whatever order an image has them in."""
    order = [0, 1, 2]
    order[grid.upward_axis], order[2] = 2, grid.upward_axis
    sizes = np.array(grid.shape[::-1])[order]
    return Grid((int(sizes[2]), int(sizes[1]), int(sizes[0])), grid.ijk_to_lps[:, [*order, 3]])


def _summed(image: DynamicImage, frames: Sequence[int]) -> Floats:
    """Mean over frames, weighted by their durations, on the grid that ``_by_slices`` gives."""
    weights = image.timing.durations_s[list(frames)]
    total = np.zeros(image.grid.shape)
    for frame, weight in zip(frames, weights, strict=True):
        total += weight * image.activity[frame]
    return np.swapaxes(total / weights.sum(), 0, 2 - image.grid.upward_axis)


def _vessel(
    image: DynamicImage, frames: Sequence[int], middle: Floats, side: str, fwhm_mm: float | None, caliber: Caliber
) -> Vessel:
    grid = _by_slices(image.grid)
    spacing = np.array(grid.spacing_mm[::-1])
    early = _summed(image, frames)
    margin = int(np.ceil(END_MARGIN_MM / spacing[0]))
    slices = np.arange(margin, grid.shape[0] - margin)
    if len(slices) * spacing[0] < LEAST_LENGTH_MM:
        raise _Declined(
            "the PET shows less than {least_length_mm:g} mm of the body away from its ends",
            least_length_mm=LEAST_LENGTH_MM,
        )
    edge = middle - (AORTA_RIGHT_MM if caliber is AORTA else 0.0)
    own = (grid.centers[..., 0] > edge[:, None, None]) == (side == "left")
    strength = np.where(own, _tubeness(early, spacing, caliber), 0.0)[slices]
    first = _followed(strength, spacing)
    seen = _along(strength, first)
    kept = _longest_run(seen > max(LEAST_STRENGTH * float(np.percentile(seen, 75)), 0.0))
    if (kept.stop - kept.start) * spacing[0] < LEAST_LENGTH_MM:
        raise _Declined(
            "no hot vessel is seen over {least_length_mm:g} mm on the {side}",
            least_length_mm=LEAST_LENGTH_MM,
            side=side,
        )
    slices, strength, first = slices[kept], strength[kept], first[kept]
    paths = [first]
    if caliber is CAROTIDS:
        second = _followed(_near(strength, first, spacing), spacing)
        if np.median(_along(strength, second)) > SECOND_SHARE * np.median(_along(strength, first)):
            paths.append(second)
    # A voxel's own width blurs as well: the variance of a uniform spread is its square over 12.
    width_mm = float(np.hypot(fwhm_mm or UNKNOWN_FWHM_MM, FWHM_PER_SIGMA * np.sqrt((spacing[1:] ** 2).mean() / 12)))
    tubes = _fit_tubes(early, slices, paths, spacing, width_mm, caliber)
    chosen = _artery(image, frames, slices, tubes, middle, width_mm) if len(tubes) > 1 else 0
    tube = tubes[chosen]
    contrast = tube.activity / tube.background + 1
    if contrast < LEAST_CONTRAST:
        raise _Declined(
            "the vessel on the {side} is only {contrast:.1f} times as hot as what lies around it",
            side=side,
            contrast=contrast,
        )
    recovery = None if fwhm_mm is None else cylinder_recovery(tube.diameter_mm, width_mm)
    diameter = None if fwhm_mm is None else tube.diameter_mm
    kind = "artery" if len(tubes) > 1 or caliber is AORTA else "vessel"
    return Vessel(side, grid.to_lps(tube.ijk(slices)), diameter, recovery, contrast, tube.activity, kind)


def _tubeness(early: Floats, spacing: Floats, caliber: Caliber) -> Floats:
    """How much a place looks like the middle of a tube along the neck: minus the in-plane Laplacian, smoothed."""
    along = gaussian_filter(early, np.array([ALONG_SIGMA_MM / spacing[0], 0, 0]))
    return np.stack([-gaussian_laplace(plane, caliber.blob_sigma_mm / spacing[1:]) for plane in along])


def _middle_lines(image: DynamicImage) -> Floats:
    """(slices,): where the body's middle lies in LPS x, mm."""
    mean = _summed(image, range(len(image.timing)))
    body = mean > BODY_SHARE * np.percentile(mean, 99)
    x, count = _by_slices(image.grid).centers[..., 0], body.sum(axis=(1, 2))
    return np.asarray(np.where(body, x, 0).sum(axis=(1, 2)) / np.maximum(count, 1))


def _followed(strength: Floats, spacing: Floats) -> NDArray[np.intp]:
    """(slices, 2): row and column of the path of largest summed strength, by dynamic programming."""
    reach = np.maximum(np.ceil(STEP_PER_MM * spacing[0] / spacing[1:]), 1).astype(int)
    shape = strength.shape[1:]
    moves = [(a, b) for a in range(-reach[0], reach[0] + 1) for b in range(-reach[1], reach[1] + 1)]
    best, came = strength[0].copy(), []
    for plane in strength[1:]:
        padded = np.pad(best, ((reach[0],) * 2, (reach[1],) * 2), constant_values=-np.inf)
        choices = np.stack(
            [padded[reach[0] + a : reach[0] + a + shape[0], reach[1] + b : reach[1] + b + shape[1]] for a, b in moves]
        )
        came.append(choices.argmax(axis=0))
        best = choices.max(axis=0) + plane
    path = [np.array(np.unravel_index(np.argmax(best), shape))]
    for origin in reversed(came):
        path.append(path[-1] + moves[origin[tuple(path[-1])]])
    return np.array(path[::-1])


def _longest_run(good: NDArray[np.bool_]) -> slice:
    """Where most neighbors are all true; empty where none is."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(int), [0]])))
    runs = [(int(b - a), int(a)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    length, start = max(runs, default=(0, 0))
    return slice(start, start + length)


def _along(strength: Floats, path: NDArray[np.intp]) -> Floats:
    return np.asarray(strength[np.arange(len(path)), path[:, 0], path[:, 1]])


def _near(strength: Floats, path: NDArray[np.intp], spacing: Floats) -> Floats:
    """The strength where a second vessel may lie beside the first."""
    rows, columns = np.indices(strength.shape[1:])
    away = np.hypot((rows - path[:, 0, None, None]) * spacing[1], (columns - path[:, 1, None, None]) * spacing[2])
    return np.where((away >= NEIGHBOR_MM[0]) & (away <= NEIGHBOR_MM[1]), strength, 0.0)


@dataclass(frozen=True, eq=False)
class _Tube:
    """rows, columns: (slices,), continuous PET indices. background: kBq/mL, like ``activity`` above it."""

    rows: Floats
    columns: Floats
    diameter_mm: float
    activity: float
    background: float

    def ijk(self, slices: NDArray[np.intp]) -> Floats:
        return np.stack([self.columns, self.rows, slices.astype(float)], axis=1)


def _fit_tubes(
    early: Floats,
    slices: NDArray[np.intp],
    paths: Sequence[NDArray[np.intp]],
    spacing: Floats,
    fwhm_mm: float,
    caliber: Caliber,
) -> list[_Tube]:
    """Blurred cylinders on a uniform background, by least squares over patches around the paths.

    Each cylinder's middle follows a polynomial along the neck, and each has a width and an activity of its own.
    Slices are averaged in blocks first, for speed.
    """
    step = max(int(BLOCK_MM / spacing[0]), 1)
    blocks = [slices[n : n + step] for n in range(0, len(slices) - step + 1, step)]
    half = np.ceil(caliber.patch_mm / spacing[1:]).astype(int)
    rows, columns = np.mgrid[-half[0] : half[0] + 1, -half[1] : half[1] + 1]
    middle = np.mean(paths, axis=0)
    patches, row_mm, column_mm = [], [], []
    for block in blocks:
        corner = np.clip(
            np.rint(middle[block - slices[0]].mean(axis=0)).astype(int), half, np.array(early.shape[1:]) - half - 1
        )
        patches.append(early[block][:, corner[0] + rows, corner[1] + columns].mean(axis=0))
        row_mm.append((corner[0] + rows) * spacing[1])
        column_mm.append((corner[1] + columns) * spacing[2])
    seen, y, x = np.array(patches), np.array(row_mm), np.array(column_mm)

    def along_at(where: Floats) -> Floats:
        scaled = 2 * (where - slices[0]) / (slices[-1] - slices[0]) - 1
        return np.asarray(np.polynomial.legendre.legvander(scaled, KNOTS - 1))

    basis, whole = along_at(np.array([block.mean() for block in blocks])), along_at(slices.astype(float))
    starts = [np.linalg.lstsq(whole, path * spacing[1:], rcond=None)[0].ravel() for path in paths]
    n, count = 2 * KNOTS, len(paths)
    level = float(np.median(seen))

    def residuals(values: Floats) -> Floats:
        model = np.full(seen.shape, values[-1])
        for t in range(count):
            center = basis @ values[n * t : n * (t + 1)].reshape(KNOTS, 2)
            away = np.hypot(y - center[:, 0, None, None], x - center[:, 1, None, None])
            width, activity = values[n * count + 2 * t : n * count + 2 * t + 2]
            model += activity * blurred_disk(away, float(width), fwhm_mm / FWHM_PER_SIGMA)
        return np.asarray((model - seen).ravel())

    inner = [caliber.usual_mm, float(seen.max()) - level] * count
    first = np.concatenate([*starts, inner, [level]])
    low = np.concatenate([np.full(n * count, -np.inf), [caliber.diameter_mm[0], 0.0] * count, [0.0]])
    high = np.concatenate([np.full(n * count, np.inf), [caliber.diameter_mm[1], np.inf] * count, [np.inf]])
    found = optimize.least_squares(
        residuals, first, bounds=(low, high), x_scale="jac", tr_solver="lsmr", max_nfev=MOST_STEPS
    ).x
    background = max(float(found[-1]), np.finfo(float).tiny)
    tubes = []
    for t in range(count):
        center = whole @ found[n * t : n * (t + 1)].reshape(KNOTS, 2) / spacing[1:]
        width, activity = found[n * count + 2 * t : n * count + 2 * t + 2]
        tubes.append(_Tube(center[:, 0], center[:, 1], float(width), float(activity), background))
    return tubes


def _artery(
    image: DynamicImage,
    frames: Sequence[int],
    slices: NDArray[np.intp],
    tubes: Sequence[_Tube],
    middle: Floats,
    fwhm_mm: float,
) -> int:
    """Which of two vessels is the artery: the earlier one, else the one nearer to the middle.

    Earlier is told by each vessel's own activity, apart from the other's and the tissue's, in the arterial frames over
    that in the frames of the next ``VENOUS_S``.
    """
    grid = _by_slices(image.grid)
    spacing = np.array(grid.spacing_mm[::-1])
    ends = image.timing.ends_s
    after = [f for f in range(frames[-1] + 1, len(ends)) if ends[f] <= ends[frames[-1]] + VENOUS_S]
    if after:
        half = np.ceil(CAROTIDS.patch_mm / spacing[1:]).astype(int)
        rows, columns = np.mgrid[-half[0] : half[0] + 1, -half[1] : half[1] + 1]
        between = np.mean([[tube.rows, tube.columns] for tube in tubes], axis=0)
        corner = np.clip(np.rint(between).astype(int).T, half, np.array(grid.shape[1:]) - half - 1)
        at = (slices[:, None, None], corner[:, 0, None, None] + rows, corner[:, 1, None, None] + columns)
        design = [np.ones(at[1].shape)]
        for tube in tubes:
            away = np.hypot(
                (at[1] - tube.rows[:, None, None]) * spacing[1], (at[2] - tube.columns[:, None, None]) * spacing[2]
            )
            design.append(blurred_disk(away, tube.diameter_mm, fwhm_mm / FWHM_PER_SIGMA))
        matrix = np.array(design).reshape(len(design), -1).T
        images = np.stack([_summed(image, which)[at].ravel() for which in (frames, after)], axis=1)
        found = np.maximum(np.linalg.lstsq(matrix, images, rcond=None)[0][1:], np.finfo(float).tiny)
        early = found[:, 0] / found.sum(axis=1)
        if early.max() > EARLIER * early.min():
            return int(np.argmax(early))
    aside = [np.abs(grid.to_lps(tube.ijk(slices))[:, 0] - middle[slices]).mean() for tube in tubes]
    return int(np.argmin(aside))


def _draw(mask: NDArray[np.bool_], grid: Grid, vessel: Vessel, radius: float) -> None:
    """Mark the voxels whose centers lie within ``radius`` mm of the vessel's middle line."""
    line = vessel.center_lps_mm
    reach = radius * np.linalg.norm(np.linalg.inv(grid.ijk_to_lps[:3, :3]), axis=1)[::-1] + 1
    index = grid.to_ijk(line)[:, ::-1]
    low = np.clip(np.floor(index.min(axis=0) - reach), 0, grid.shape).astype(int)
    high = np.clip(np.ceil(index.max(axis=0) + reach) + 1, 0, grid.shape).astype(int)
    if (low >= high).any():
        return
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    k, j, i = np.mgrid[box]
    points = grid.to_lps(np.stack([i, j, k], axis=-1).astype(float))
    order = np.argsort(line[:, 2])
    z = line[order, 2]
    center = np.stack([np.interp(points[..., 2], z, line[order, axis]) for axis in (0, 1)], axis=-1)
    inside = np.linalg.norm(points[..., :2] - center, axis=-1) <= radius
    mask[box] |= inside & (points[..., 2] >= z[0]) & (points[..., 2] <= z[-1])
