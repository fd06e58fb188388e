"""Frame-to-frame motion: one rigid transform a frame.

Each frame, or a group of neighboring frames with few counts, is registered to the mean of the reference frames:
mutual information, which stands the change of contrast between blood and tissue, finds the way on a coarse lattice,
and least squares the place, where the reference's values predict the frame's best; where they do not predict it well,
mutual information finds that as well. What cannot be told from noise is not corrected.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..acquisition.image import DynamicImage
from ..messages import InputRefused, Notice, Text
from ..progress import Progress, part, silent
from .resample import mean_image
from .rigid import (
    displacement_mm,
    field_points,
    middle,
    register_rigid,
    root_scaled,
    to_matrix,
    to_sitk,
    to_sitk_transform,
)

# None of these is published for the neck: choices.
COUNTS_SHARE = 0.1
"""Frames with less of the richest frame's counts borrow from their neighbors until together they have this share."""
REFERENCE_S = 1200.0
"""The "late" reference: the last frames that together last this long: the flattest contrast."""
SMOOTHING_MM = 3.0
"""SD of the Gaussian that quiets noise before registration; the image that is measured is never smoothed."""
COMPARED_MM = (10.0, 6.0)
"""How far apart the points lie at which frames are compared, coarse to fine: what smoothing left needs no more."""
COARSE_STEPS_MM = (8.0, 1.0)
"""First and last step of the coarse search, which only has to come near enough for least squares to go on."""
LEAST_EXPLAINED = 0.95
"""Share of a frame's variance that the reference has to predict, or mutual information finds the place as well: blood
that tissue has not taken up yet is predicted by no value of it (0.6 to 0.8 in simulated first frames, 0.97 after)."""
MOST_STEPS, LAST_STEP_MM = 15, 0.01
"""Of least squares, which end where a step moves the field's middle half by less."""
STILL_UNCERTAINTIES = 3.0
STILL_MM = 0.2
"""A frame is moved only if its displacement is more than ``STILL_MM``, which interpolation alone can feign, and more
than so many times its own uncertainty: else correction would add noise to a neck that lay still."""
LIMIT_MM = 3.0
"""Frames displaced by more are named: what moved so far between frames also moved within them."""
PAUSE_S = 60.0
"""After a longer gap between frames the person may lie elsewhere: frames on both sides of it are not put together."""
FAILED_MM = 30.0
"""A displacement beyond this is a failed registration, not a neck that moved: the frame stays where it was."""


@dataclass(frozen=True, eq=False)
class FrameMotion:
    """Where the neck lay in every frame.

    reference_to_frame: (frames, 4, 4) rigid, LPS mm: carries a point from its reference position to where it lies in
    each frame. reference: indices of the frames of the reference; the reference position is that of the one with most
    counts. uncertainty_mm: (frames,) standard error of the displacement, mean over the field; NaN where nothing was
    registered. center_lps: middle of the field, about which rotations are told.
    """

    reference_to_frame: NDArray[np.float64]
    reference: tuple[int, ...]
    notices: tuple[Notice, ...] = ()
    uncertainty_mm: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    center_lps: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))


@dataclass(frozen=True, eq=False)
class MotionTable:
    """One row a frame: translation_mm (frames, 3) of the field's middle along L, P, S; rotation_deg (frames, 3) about
    these axes, in the order L, P, S; displacement_mm (frames,): mean over the points given. uncertainty_mm,
    reference and matrices (reference to frame): as in FrameMotion."""

    translation_mm: NDArray[np.float64]
    rotation_deg: NDArray[np.float64]
    displacement_mm: NDArray[np.float64]
    uncertainty_mm: NDArray[np.float64]
    reference: tuple[int, ...]
    matrices: NDArray[np.float64]


def motion_table(motion: FrameMotion, points_lps: NDArray[np.float64]) -> MotionTable:
    """The motion in figures; points_lps (n, 3): where the displacement counts, such as the foramina's centers."""
    from scipy.spatial.transform import Rotation  # it brings what nothing else here needs at the start

    matrices = motion.reference_to_frame
    center = motion.center_lps
    return MotionTable(
        matrices[:, :3, :3] @ center + matrices[:, :3, 3] - center,
        Rotation.from_matrix(matrices[:, :3, :3]).as_euler("xyz", degrees=True),
        np.array([displacement_mm(matrix, points_lps) for matrix in matrices]),
        motion.uncertainty_mm,
        tuple(int(frame) for frame in motion.reference),
        matrices,
    )


def relative_counts(image: DynamicImage) -> NDArray[np.float64]:
    """(frames,) decays seen in each frame, 1 for the richest.

    Without a half-life as if nothing decayed: early frames then look poorer and borrow more, which is safe.
    """
    timing, half_life = image.timing, image.scan.half_life_s
    decayed = 2.0 ** (-timing.mids_s / half_life) if half_life else 1.0
    sums = np.array([frame.sum(dtype=float) for frame in image.activity])
    counts = np.maximum(sums, 0) * timing.durations_s * decayed
    if counts.max() <= 0:
        raise InputRefused("pet-empty", "the PET holds no activity in any frame; check the series")
    return np.asarray(counts / counts.max())


def groups(counts: NDArray[np.float64], least: float = COUNTS_SHARE, breaks: Sequence[int] = ()) -> list[list[int]]:
    """Frame indices in runs that hold at least ``least`` counts each; what is left at the start joins the first.

    breaks: frames before which the person may have got up; no run goes on beyond one, however few counts it has.
    """
    edges = [0, *breaks, len(counts)]
    return [run for begin, end in itertools.pairwise(edges) for run in _groups(counts[begin:end], least, begin)]


def _groups(counts: NDArray[np.float64], least: float, first: int) -> list[list[int]]:
    runs: list[list[int]] = []
    run: list[int] = []
    for frame in reversed(range(len(counts))):
        run.insert(0, frame)
        if counts[run].sum() >= least:
            runs.insert(0, run)
            run = []
    if run and runs:
        runs[0] = run + runs[0]
    return [[first + frame for frame in part] for part in runs or [run]]


def late_frames(timing: FrameTiming) -> list[int]:
    """The last frames that together last ``REFERENCE_S``, or all."""
    long_enough = timing.durations_s[::-1].cumsum() >= REFERENCE_S
    count = int(np.argmax(long_enough)) + 1 if long_enough.any() else len(timing)
    return list(range(len(timing) - count, len(timing)))


def estimate_motion(
    image: DynamicImage, progress: Progress = silent, reference: Literal["late"] | Sequence[int] = "late"
) -> FrameMotion:
    """Register every frame, or group of frames, of ``image`` to its reference.

    reference: "late" or frame indices from 0. Deterministic. Raises InputRefused ("motion-reference", "pet-empty") and
    Cancelled through ``progress``. Notices: "motion-failed" for frames that could not be registered and stay where
    they were, "motion-large" for frames beyond ``LIMIT_MM``.
    """
    frames = late_frames(image.timing) if isinstance(reference, str) else sorted(set(reference))
    if not frames or not 0 <= frames[0] <= frames[-1] < len(image.timing):
        raise InputRefused(
            "motion-reference",
            "the reference must name frames from 1 to {n_timing}; correct it",
            n_timing=len(image.timing),
        )
    counts = relative_counts(image)
    transforms, uncertainty = np.tile(np.eye(4), (len(counts), 1, 1)), np.full(len(counts), np.nan)
    notices = []
    anchor = max(frames, key=lambda frame: counts[frame])
    fixed = _seen(_reference(image, frames, anchor, part(progress, 0, 0.1)))
    pauses = np.flatnonzero(image.timing.gaps_s > PAUSE_S) + 1
    runs = [run for run in groups(counts, breaks=pauses.tolist()) if anchor not in run]
    runs.sort(key=lambda run: min(abs(frame - anchor) for frame in run))  # each after its neighbor
    for done, run in enumerate(runs):
        progress(0.1 + 0.9 * done / len(runs), Text("Motion: {run}", run=_named(run)))
        moving = _prepared(image, run)
        found = _register(fixed, moving)
        if found is None:
            notices.append(Notice("motion-failed", "{run} could not be registered; left in place", run=_named(run)))
            continue
        error = _uncertainty_mm(fixed, moving, found, field_points(image.grid))
        uncertainty[run] = error
        neighbor = transforms[run[-1] + 1 if run[-1] < anchor else run[0] - 1]
        transforms[run] = _settled(found, error, neighbor, field_points(image.grid))
    center = image.grid.to_lps((np.array(image.grid.shape[::-1]) - 1) / 2)
    motion = FrameMotion(transforms, tuple(frames), tuple(notices), uncertainty, center)
    return judged_at(motion, field_points(image.grid))


def _settled(
    transform: NDArray[np.float64], error_mm: float, neighbor: NDArray[np.float64], points_lps: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where a frame lies: where it was found if that is surely another place than the reference's.

    Else nothing says that it moved by itself, and it lies where the neck already was: at the reference, or where the
    ``neighbor`` frame towards the reference lies, whichever is nearer to what was found. All are 4 x 4, LPS mm.
    """
    if displacement_mm(transform, points_lps) > max(STILL_MM, STILL_UNCERTAINTIES * error_mm):
        return transform
    places = (np.eye(4), neighbor)
    return min(places, key=lambda place: displacement_mm(np.linalg.inv(place) @ transform, points_lps))


def judged_at(motion: FrameMotion, points_lps: NDArray[np.float64]) -> FrameMotion:
    """The same motion with its notice "motion-large" for the displacement at points (n, 3) that matter."""
    moved = motion_table(motion, points_lps).displacement_mm
    notices = [notice for notice in motion.notices if notice.code != "motion-large"]
    if (moved > LIMIT_MM).any():
        far = _named(np.flatnonzero(moved > LIMIT_MM).tolist())
        text = Text(
            "{far} moved by more than {limit_mm:g} mm (up to {highest:.1f} mm) against {reference}; look at their "
            "alignment",
            far=far,
            reference=_named(motion.reference),
            limit_mm=LIMIT_MM,
            highest=moved.max(),
        )
        notices.append(Notice("motion-large", text))
    return replace(motion, notices=tuple(notices))


def _reference(image: DynamicImage, frames: Sequence[int], anchor: int, progress: Progress) -> sitk.Image:
    """The mean of the reference frames, each first brought to where the richest of them lay."""
    fixed = _seen(_prepared(image, [anchor]))
    to_frame = [np.eye(4)] * len(image.timing)
    for done, frame in enumerate(frames):
        progress(done / len(frames), Text("Motion: reference frame {frame}", frame=frame + 1))
        if frame != anchor:
            found = _register(fixed, _prepared(image, [frame]))
            to_frame[frame] = np.eye(4) if found is None else found
    return root_scaled(to_sitk(mean_image(image, frames, to_frame).values, image.grid), SMOOTHING_MM)


@dataclass(frozen=True, eq=False)
class _Seen:
    """An image at the points at which frames are compared.

    lattice: of these points, (k, j, i). values: (n,) at them. slopes: (n, 6), their change, a mm or a radian, as what
    is seen is shifted along and turned about the axes (LPS) through ``center``, the middle of the field. around:
    (8, 3) LPS mm, the corners of its middle half.
    """

    image: sitk.Image
    lattice: sitk.Image
    values: NDArray[np.float64]
    slopes: NDArray[np.float64]
    center: NDArray[np.float64]
    around: NDArray[np.float64]


def _seen(image: sitk.Image) -> _Seen:
    lattice, inner = _compared(image)
    values = sitk.GetArrayViewFromImage(image)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    shape, center = values[inner].shape, np.array(middle(image))
    index = np.indices(shape)[::-1].reshape(3, -1).T
    arm = (index * np.array(lattice.GetSpacing())) @ direction.T + np.array(lattice.GetOrigin()) - center
    slopes = _slopes(values, inner, image.GetSpacing()).reshape(-1, 3) @ direction.T
    at_points = values[inner].ravel().astype(float)
    half = (np.array(image.GetSize()) - 1) / 4 * np.array(image.GetSpacing())
    around = center + (np.array(list(itertools.product((-1, 1), repeat=3))) * half) @ direction.T
    return _Seen(image, lattice, at_points, np.hstack([slopes, np.cross(arm, slopes)]), center, around)


def _register(fixed: _Seen, moving: sitk.Image) -> NDArray[np.float64] | None:
    """Where ``fixed`` lies in ``moving``; None where that cannot be found."""
    coarse, fine = _shrink(max(fixed.image.GetSpacing()))
    try:
        start = register_rigid(fixed.image, moving, shrink=(coarse,), smooth=True, steps_mm=COARSE_STEPS_MM)
        found, explained = _refined(fixed, moving, start)
        if explained < LEAST_EXPLAINED:
            found = register_rigid(fixed.image, moving, start, shrink=(fine,), smooth=True)
    except InputRefused:
        return None
    return found if displacement_mm(found, np.atleast_2d(fixed.center)) <= FAILED_MM else None


@dataclass(frozen=True, eq=False)
class _Predicted:
    """A frame as the reference predicts it, at the points that it shows: what is left over (n,), its root mean square,
    the share of the frame's variance that is not, and the prediction's change (n, 6) with the parameters of
    ``_Seen.slopes``."""

    left: NDArray[np.float64]
    rms: float
    explained: float
    jacobian: NDArray[np.float64]


def _predicted(fixed: _Seen, moving: sitk.Image, placed: NDArray[np.float64]) -> _Predicted | None:
    """The moved image where ``placed`` puts it by a quadratic of the reference's values; None where too few different
    values are left to predict anything from."""
    there = sitk.Resample(moving, fixed.lattice, to_sitk_transform(placed), sitk.sitkLinear, -1.0)
    carried = sitk.GetArrayFromImage(there).ravel().astype(float)
    seen = carried >= 0
    here, carried = fixed.values[seen], carried[seen]
    if len(here) <= fixed.slopes.shape[1]:
        return None
    coefficients, (_, rank, _, _) = np.polynomial.polynomial.polyfit(here, carried, 2, full=True)
    if rank < len(coefficients):
        return None
    left = carried - np.polynomial.polynomial.polyval(here, coefficients)
    steepness = np.polynomial.polynomial.polyval(here, np.polynomial.polynomial.polyder(coefficients))
    mean_square, variance = float(np.mean(left**2)), float(carried.var())
    explained = 1 - mean_square / variance if variance > 0 else 0.0
    return _Predicted(left, mean_square**0.5, explained, steepness[:, None] * fixed.slopes[seen])


def _refined(fixed: _Seen, moving: sitk.Image, start: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """From ``start``, where the reference predicts the moved image best, and the share that it explains there: least
    squares by Gauss and Newton.

    The slopes are the reference's, which is the quieter of both: a step is what the reference would have to be moved
    by, and goes to the other one inversely [Baker & Matthews 2004,
    10.1023/B:VISI.0000011205.11775.fd]. Every step has to leave less over.
    """
    placed, predicted = start, _predicted(fixed, moving, start)
    for _ in range(MOST_STEPS):
        if predicted is None:
            break
        try:
            step = np.linalg.solve(predicted.jacobian.T @ predicted.jacobian, predicted.jacobian.T @ predicted.left)
        except np.linalg.LinAlgError:
            break
        turned = sitk.Euler3DTransform(fixed.center.tolist(), *step[3:].tolist(), step[:3].tolist())
        closer = placed @ np.linalg.inv(to_matrix(turned))
        again = _predicted(fixed, moving, closer)
        if again is None or again.rms >= predicted.rms:
            break
        placed, predicted = closer, again
        if displacement_mm(to_matrix(turned), fixed.around) < LAST_STEP_MM:
            break
    return placed, 0.0 if predicted is None else predicted.explained


def _shrink(spacing_mm: float) -> tuple[int, int]:
    """Every which voxel is compared, coarse and fine; never the same, since the coarse level finds the way."""
    coarse, fine = COMPARED_MM
    return max(2, int(np.ceil(coarse / spacing_mm))), max(1, int(fine / spacing_mm))


def _prepared(image: DynamicImage, frames: Sequence[int]) -> sitk.Image:
    """The time-weighted mean of some frames, ready to be registered."""
    return root_scaled(to_sitk(mean_image(image, frames).values, image.grid), SMOOTHING_MM)


def _uncertainty_mm(
    fixed: _Seen, moving: sitk.Image, found: NDArray[np.float64], points_lps: NDArray[np.float64]
) -> float:
    """Standard error of the displacement, root mean square over points, from how badly one image predicts the other.

    Least squares have the covariance s^2 V (J'J)^-1 [textbook], with J the prediction's change with the six
    parameters, s the residual, and V the number of voxels over which smoothed noise is alike:
    (2 sqrt(pi) SD / voxel)^3 for white noise behind a Gaussian filter.
    """
    predicted = _predicted(fixed, moving, found)
    if predicted is None:
        return float("inf")
    alike = np.prod(2 * np.sqrt(np.pi) * SMOOTHING_MM / np.array(fixed.lattice.GetSpacing()))
    try:
        covariance = predicted.rms**2 * alike * np.linalg.inv(predicted.jacobian.T @ predicted.jacobian)
    except np.linalg.LinAlgError:
        return float("inf")
    arms = points_lps - fixed.center
    turn = np.cross(np.eye(3)[None], arms[:, None, :])  # (points, axis, 3)
    motions = np.concatenate([np.tile(np.eye(3), (len(arms), 1, 1)), turn], axis=1)  # (points, 6, 3)
    variance = np.einsum("pai,ab,pbi->p", motions, covariance, motions)
    return float(np.sqrt(variance.mean()))


def _compared(image: sitk.Image) -> tuple[sitk.Image, tuple[slice, ...]]:
    """The lattice of the points that are compared, without the outermost voxels, and how they are cut (k, j, i)."""
    spacing, size = np.array(image.GetSpacing()), image.GetSize()
    steps = [_shrink(step_mm)[-1] for step_mm in spacing]
    inner = [slice(1, n - 1, step) for n, step in zip(size, steps, strict=True)]
    lattice = sitk.Image([len(range(n)[cut]) for n, cut in zip(size, inner, strict=True)], image.GetPixelID())
    lattice.SetDirection(image.GetDirection())
    lattice.SetOrigin(image.TransformIndexToPhysicalPoint((1, 1, 1)))
    lattice.SetSpacing((spacing * steps).tolist())
    return lattice, tuple(reversed(inner))


def _slopes(values: NDArray[np.float32], inner: tuple[slice, ...], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """(..., 3) change of an image (k, j, i) along i, j, k in a mm, by central differences at the inner voxels."""
    found = []
    for axis, spacing in zip((2, 1, 0), spacing_mm, strict=True):
        before, after = list(inner), list(inner)
        before[axis] = slice(0, values.shape[axis] - 2, inner[axis].step)
        after[axis] = slice(2, None, inner[axis].step)
        found.append((values[tuple(after)] - values[tuple(before)]) / (2 * spacing))
    return np.stack(found, axis=-1).astype(float)


def _named(frames: Sequence[int]) -> Text:
    """ "frames 1-3, 7" as people count them."""
    spans: list[list[int]] = []
    for frame in frames:
        if spans and frame == spans[-1][-1] + 1:
            spans[-1].append(frame)
        else:
            spans.append([frame])
    text = ", ".join(f"{span[0] + 1}-{span[-1] + 1}" if len(span) > 1 else f"{span[0] + 1}" for span in spans)
    return Text("frames {frames}", frames=text) if len(frames) > 1 else Text("frame {frame}", frame=text)
