"""Rigid registration of two images, and the images that it takes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..grid import Grid
from ..messages import InputRefused

SHRINK = (4, 2)
"""Coarse to fine; on PET voxels of 2 mm. A choice."""

JUDGED_AT, FEWEST_JUDGED = 2, 16
"""Every which voxel along an axis tells how alike two images are, where so many are left. Choices."""

Metric = str
MUTUAL_INFORMATION, CORRELATION = "mutual information", "correlation"
"""Mattes' for images of different contrast; normalized correlation for two CTs."""


def register_rigid(
    fixed: sitk.Image,
    moving: sitk.Image,
    initial: NDArray[np.float64] | None = None,
    metric: Metric = MUTUAL_INFORMATION,
    shrink: Sequence[int] = SHRINK,
    mask: sitk.Image | None = None,
    center: NDArray[np.float64] | None = None,
    smooth: bool = False,
    steps_mm: tuple[float, float] = (0.0, 0.01),
) -> NDArray[np.float64]:
    """The rigid 4 x 4 (LPS mm) that carries points of ``fixed`` to ``moving``.

    Every voxel (of ``mask``, on the grid of ``fixed``) counts: nothing random, the same result every time.
    Regular-step gradient descent about ``center`` (default: the middle of ``fixed``) from ``initial`` (default:
    identity). smooth: both images are; slopes are then taken where they are asked for, not of a whole blurred image.
    steps_mm: how far the first step goes (0: as far as the compared voxels lie apart) and below which it ends.
    Raises InputRefused ("registration-failed") where the images do not overlap or hold nothing.
    """
    transform = sitk.Euler3DTransform()
    transform.SetCenter(middle(fixed) if center is None else np.asarray(center).tolist())
    if initial is not None:
        pivot = np.array(transform.GetCenter())
        transform.SetMatrix(initial[:3, :3].ravel().tolist(), 1e-6)
        transform.SetTranslation((initial[:3, :3] @ pivot + initial[:3, 3] - pivot).tolist())
    method = _method(metric, mask)
    if smooth:
        method.MetricUseMovingImageGradientFilterOff()
    first_mm, last_mm = steps_mm
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0,
        minStep=last_mm,
        numberOfIterations=60,
        relaxationFactor=0.6,
        gradientMagnitudeTolerance=1e-6,
        maximumStepSizeInPhysicalUnits=first_mm,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(list(shrink))
    method.SetSmoothingSigmasPerLevel([0] * len(shrink))
    method.SetInitialTransform(transform, inPlace=True)
    with _deterministic():
        method.Execute(fixed, moving)
    return to_matrix(transform)


def similarity(
    fixed: sitk.Image,
    moving: sitk.Image,
    fixed_to_moving: NDArray[np.float64],
    metric: Metric = MUTUAL_INFORMATION,
    mask: sitk.Image | None = None,
) -> float:
    """How alike both images are where ``fixed_to_moving`` puts them, at every other voxel along each axis: more is
    better.

    Mutual information in nats, or the squared normalized correlation. Raises InputRefused ("registration-failed").
    """
    every = [min(JUDGED_AT, max(1, size // FEWEST_JUDGED)) for size in fixed.GetSize()]
    method = _method(metric, None if mask is None else sitk.Shrink(mask, every))
    method.MetricUseMovingImageGradientFilterOff()  # a value needs no slopes, which cost far more than it
    method.MetricUseFixedImageGradientFilterOff()
    method.SetInitialTransform(to_sitk_transform(fixed_to_moving))
    with _deterministic():
        return -float(method.MetricEvaluate(sitk.Shrink(fixed, every), moving))


def _method(metric: Metric, mask: sitk.Image | None) -> sitk.ImageRegistrationMethod:
    method = sitk.ImageRegistrationMethod()
    if metric == MUTUAL_INFORMATION:
        method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=32)
    else:
        method.SetMetricAsCorrelation()
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    if mask is not None:
        method.SetMetricFixedMask(mask)
    return method


@contextmanager
def _deterministic() -> Iterator[None]:
    """One thread, since several add up their parts of the metric in a different order every time; and ITK's only way
    to say what is wrong with two images, a RuntimeError, as a refusal."""
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    except RuntimeError as error:
        raise InputRefused(
            "registration-failed",
            "two images could not be registered: they do not overlap or one is empty; check that they show one place",
        ) from error
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


def cut_around(image: sitk.Image, box: sitk.Image, matrix: NDArray[np.float64], margin_mm: float) -> sitk.Image:
    """The part of an image that a rigid 4 x 4 carries a box to, with a margin; all of it where that is elsewhere.

    A registration takes the slopes of the whole image it is given: of a whole body to find one vertebra.
    """
    last = np.array(box.GetSize()) - 1.0
    ends = [box.TransformContinuousIndexToPhysicalPoint((last * at).tolist()) for at in np.ndindex(2, 2, 2)]
    carried = np.array(ends) @ matrix[:3, :3].T + matrix[:3, 3]
    index = np.array([image.TransformPhysicalPointToContinuousIndex(point) for point in carried.tolist()])
    margin = margin_mm / np.array(image.GetSpacing())
    low = np.clip(np.floor(index.min(axis=0) - margin), 0, None).astype(int)
    high = np.minimum(np.ceil(index.max(axis=0) + margin) + 1, image.GetSize()).astype(int)
    if (high - low < 4).any():  # fewer voxels than slopes are taken over
        return image
    return sitk.RegionOfInterest(image, (high - low).tolist(), low.tolist())


def middle(image: sitk.Image) -> tuple[float, ...]:
    """The middle of an image's field, LPS mm."""
    point: tuple[float, ...] = image.TransformContinuousIndexToPhysicalPoint(
        [(size - 1) / 2 for size in image.GetSize()]
    )
    return point


def field_points(grid: Grid) -> NDArray[np.float64]:
    """(8, 3) LPS mm: the corners of the middle half of a field, where displacements are judged without landmarks."""
    quarters = np.array([[i, j, k] for i in (0.25, 0.75) for j in (0.25, 0.75) for k in (0.25, 0.75)])
    return grid.to_lps(quarters * (np.array(grid.shape[::-1]) - 1))


def displacement_mm(matrix: NDArray[np.float64], points_lps: NDArray[np.float64]) -> float:
    """How far a rigid 4 x 4 carries points (n, 3), on average, in mm."""
    moved = points_lps @ matrix[:3, :3].T + matrix[:3, 3] - points_lps
    return float(np.linalg.norm(moved, axis=1).mean())


def rotation_deg(matrix: NDArray[np.float64]) -> float:
    """The angle of a rigid 4 x 4, in degrees."""
    return float(np.rad2deg(np.arccos(np.clip((np.trace(matrix[:3, :3]) - 1) / 2, -1, 1))))


def root_scaled(image: sitk.Image, smoothing_mm: float) -> sitk.Image:
    """An activity image for registration: smoothed, on a square-root scale so that hot vessels do not rule."""
    smooth: sitk.Image = sitk.SmoothingRecursiveGaussian(image, smoothing_mm)
    scaled: sitk.Image = sitk.Sqrt(sitk.Maximum(smooth, 0.0))
    return scaled


def to_sitk(values: NDArray[np.floating], grid: Grid) -> sitk.Image:
    """An array (k, j, i) on its grid as a SimpleITK image (float32)."""
    result = sitk.GetImageFromArray(np.ascontiguousarray(values, dtype=np.float32))
    spacing = np.array(grid.spacing_mm)
    result.SetSpacing(spacing.tolist())
    result.SetOrigin(grid.ijk_to_lps[:3, 3].tolist())
    result.SetDirection((grid.ijk_to_lps[:3, :3] / spacing).ravel().tolist())
    return result


def to_sitk_transform(matrix: NDArray[np.float64]) -> sitk.AffineTransform:
    """A 4 x 4 in LPS mm as a SimpleITK transform."""
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform


def to_matrix(transform: sitk.Transform) -> NDArray[np.float64]:
    """A linear SimpleITK transform, whatever its center, as a 4 x 4 in LPS mm."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([transform.TransformPoint(axis) for axis in np.eye(3).tolist()]).T - origin[:, None]
    matrix[:3, 3] = origin
    return matrix
