"""Frame-to-frame motion: one rigid transform a frame.

Each frame, or a group of neighboring short frames, is registered to the sum of the reference frames by mutual
information, which stands the change of contrast between blood and tissue.
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..acquisition.image import DynamicImage
from ..errors import Notice
from ..grid import Grid
from ..progress import Progress, silent

# None of these is published for the neck: choices.
GROUP_S = 240.0
"""Frames shorter than this borrow from their neighbors until together they last this long."""
REFERENCE_S = 1200.0
"""The reference is the sum of the last frames that together last this long: the most counts, the flattest contrast."""
SMOOTHING_MM = 4.0
"""SD of the Gaussian that quiets noise before registration; the image that is measured is never smoothed."""
LIMIT_MM = 15.0
"""A displacement beyond this is a failed registration, not a neck that moved: the frame stays where it was."""


@dataclass(frozen=True, eq=False)
class FrameMotion:
    """Where the neck lay in every frame.

    reference_to_frame: (frames, 4, 4) rigid, LPS mm: carries a point from where it lies in the reference frames to
    where it lies in each frame. reference: indices of the frames that define the reference position.
    """

    reference_to_frame: NDArray[np.float64]
    reference: tuple[int, ...]
    notices: tuple[Notice, ...] = ()


def groups(timing: FrameTiming, shortest_s: float = GROUP_S) -> list[list[int]]:
    """Frame indices in runs that last at least ``shortest_s`` each; what is left at the start joins the first run."""
    runs: list[list[int]] = []
    run: list[int] = []
    for frame in reversed(range(len(timing))):
        run.insert(0, frame)
        if timing.durations_s[run].sum() >= shortest_s:
            runs.insert(0, run)
            run = []
    if run and runs:
        runs[0] = run + runs[0]
    return runs or [run]


def estimate_motion(image: DynamicImage, progress: Progress = silent) -> FrameMotion:
    """Register every frame group of ``image`` to its reference frames.

    Deterministic. Raises Cancelled through ``progress``. A group whose registration runs away keeps the identity and
    is named in the notices ("motion-failed").
    """
    timing = image.timing
    reference: list[int] = []
    for frame in reversed(range(len(timing))):
        reference.insert(0, frame)
        if timing.durations_s[reference].sum() >= REFERENCE_S:
            break
    fixed = _prepared(image, reference)
    transforms = np.tile(np.eye(4), (len(timing), 1, 1))
    notices = []
    runs = groups(timing)
    for done, run in enumerate(runs):
        progress(done / len(runs), f"Motion: frames {run[0] + 1} to {run[-1] + 1}")
        found = register_rigid(fixed, _prepared(image, run))
        center = image.grid.to_lps((np.array(image.grid.shape[::-1]) - 1) / 2)
        shift = float(np.linalg.norm((found @ [*center, 1])[:3] - center))
        if shift > LIMIT_MM:
            text = (
                f"frames {run[0] + 1} to {run[-1] + 1} could not be registered ({shift:.0f} mm); left where they were"
            )
            notices.append(Notice("motion-failed", text))
        else:
            transforms[run] = found
    return FrameMotion(transforms, tuple(reference), tuple(notices))


def register_rigid(fixed: sitk.Image, moving: sitk.Image) -> NDArray[np.float64]:
    """The rigid 4 x 4 (LPS mm) that carries points of ``fixed`` to ``moving``: mutual information, two resolutions."""
    center = fixed.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 for size in fixed.GetSize()])
    transform = sitk.Euler3DTransform()
    transform.SetCenter(center)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=32)
    method.SetMetricSamplingStrategy(method.NONE)  # every voxel: nothing random
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0, minStep=0.01, numberOfIterations=60, relaxationFactor=0.6, gradientMagnitudeTolerance=1e-6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2])
    method.SetSmoothingSigmasPerLevel([0, 0])
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(fixed, moving)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    matrix[:3, 3] = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    return matrix


def _prepared(image: DynamicImage, frames: list[int]) -> sitk.Image:
    """The time-weighted mean of some frames, smoothed, on a square-root scale so that hot vessels do not rule."""
    durations = image.timing.durations_s[frames]
    mean = np.tensordot(durations / durations.sum(), image.activity[frames], axes=1)
    smooth = sitk.SmoothingRecursiveGaussian(to_sitk(mean, image.grid), SMOOTHING_MM)
    return sitk.Sqrt(sitk.Maximum(smooth, 0.0))


def to_sitk(values: NDArray[np.floating], grid: Grid) -> sitk.Image:
    """An array (k, j, i) on its grid as a SimpleITK image (float32)."""
    result = sitk.GetImageFromArray(np.ascontiguousarray(values, dtype=np.float32))
    spacing = np.array(grid.spacing_mm)
    result.SetSpacing(spacing.tolist())
    result.SetOrigin(grid.ijk_to_lps[:3, 3].tolist())
    result.SetDirection((grid.ijk_to_lps[:3, :3] / spacing).ravel().tolist())
    return result
