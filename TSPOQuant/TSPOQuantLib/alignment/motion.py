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
from ..progress import Progress, silent
from .rigid import register_rigid, root_scaled, to_sitk

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


def _prepared(image: DynamicImage, frames: list[int]) -> sitk.Image:
    """The time-weighted mean of some frames, ready to be registered."""
    durations = image.timing.durations_s[frames]
    mean = np.tensordot(durations / durations.sum(), image.activity[frames], axes=1)
    return root_scaled(to_sitk(mean, image.grid), SMOOTHING_MM)
