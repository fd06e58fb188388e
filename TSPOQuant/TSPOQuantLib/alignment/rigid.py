"""Rigid registration of two images, and the images that it takes."""

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..grid import Grid

SHRINK = (4, 2)
"""Coarse to fine; on PET voxels of 2 mm. A choice."""


def register_rigid(
    fixed: sitk.Image, moving: sitk.Image, initial: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """The rigid 4 x 4 (LPS mm) that carries points of ``fixed`` to ``moving``.

    Mattes mutual information (32 bins, every voxel: nothing random), two resolutions, regular-step gradient descent
    about the middle of ``fixed``, from ``initial`` (default identity).
    """
    center = fixed.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in fixed.GetSize()])
    transform = sitk.Euler3DTransform()
    transform.SetCenter(center)
    if initial is not None:
        transform.SetMatrix(initial[:3, :3].ravel().tolist(), 1e-6)
        transform.SetTranslation((initial[:3, :3] @ center + initial[:3, 3] - center).tolist())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=32)
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0, minStep=0.01, numberOfIterations=60, relaxationFactor=0.6, gradientMagnitudeTolerance=1e-6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(SHRINK)
    method.SetSmoothingSigmasPerLevel([0] * len(SHRINK))
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(fixed, moving)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    matrix[:3, 3] = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    return matrix


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
