"""Frame timing of a dynamic acquisition."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..messages import InputRefused, Text
from .time_slips import mixed_units

# Frame edges are written in tenths of milliseconds at best; closer than this they are the same edge.
EDGE_TOLERANCE_S = 0.0015
# Durations that exceed the time to the next start by this factor are in another unit: well below that of minutes and
# seconds, which frames that overlap by a slip of another kind do not reach.
ANOTHER_UNIT = 1000**0.5


@dataclass(frozen=True, eq=False)
class FrameTiming:
    """Start and duration of every frame in seconds from the acquisition's named time zero; gaps are allowed.

    Raises InputRefused ("frames-…") for frames that overlap, run backwards, or have no duration.
    """

    starts_s: NDArray[np.float64]
    durations_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        starts = np.array(self.starts_s, dtype=float)
        durations = np.array(self.durations_s, dtype=float)
        if starts.ndim != 1 or starts.size == 0 or starts.shape != durations.shape:
            raise InputRefused(
                "frames-shape",
                "there are {starts} frame starts and {durations} durations; every frame needs one of each",
                starts=starts.size,
                durations=durations.size,
            )
        if not (np.isfinite(starts).all() and np.isfinite(durations).all()):
            raise InputRefused("frames-not-finite", "a frame start or duration is not a number; correct it")
        if (durations <= 0).any():
            frame = int(np.argmax(durations <= 0)) + 1
            raise InputRefused(
                "frames-duration", "frame {frame} has no positive duration; correct the frame times", frame=frame
            )
        if (np.diff(starts) <= 0).any():
            frame = int(np.argmax(np.diff(starts) <= 0)) + 2
            raise InputRefused("frames-backwards", "frame {frame} does not start after the one before it", frame=frame)
        usual = float(np.median(durations[:-1] / np.diff(starts))) if starts.size > 1 else 1.0
        if usual > ANOTHER_UNIT:
            raise InputRefused(
                "frames-time-units",
                "the frames' durations are {factor:.4g} times the time from one start to the next: {units} are mixed "
                "up; give both in seconds",
                factor=usual,
                units=mixed_units(usual) or Text("two units"),
            )
        overlap = (starts + durations)[:-1] - starts[1:]
        if (overlap > EDGE_TOLERANCE_S).any():
            frame = int(np.argmax(overlap)) + 1
            raise InputRefused(
                "frames-overlap",
                "frame {frame} ends {highest:.3g} s after frame {frame_2} starts; correct the frame times",
                frame=frame,
                highest=overlap.max(),
                frame_2=frame + 1,
            )
        for array in (starts, durations):
            array.flags.writeable = False
        object.__setattr__(self, "starts_s", starts)
        object.__setattr__(self, "durations_s", durations)

    @property
    def ends_s(self) -> NDArray[np.float64]:
        return self.starts_s + self.durations_s

    @property
    def mids_s(self) -> NDArray[np.float64]:
        return self.starts_s + self.durations_s / 2

    @property
    def gaps_s(self) -> NDArray[np.float64]:
        """Seconds without data between each frame and the next (length frames - 1; 0 where they touch)."""
        gaps = self.starts_s[1:] - self.ends_s[:-1]
        return np.where(gaps > EDGE_TOLERANCE_S, gaps, 0.0)

    def __len__(self) -> int:
        return len(self.starts_s)

    def only(self, kept: NDArray[np.bool_]) -> "FrameTiming":
        """The frames in ``kept`` (frames,), with gaps where the others were."""
        return FrameTiming(self.starts_s[kept], self.durations_s[kept])

    def without(self, leave_out: Collection[int]) -> NDArray[np.bool_]:
        """Which frames (frames,) stay; leave_out: numbers counted from 1. Raises InputRefused ("leave-out-frame")."""
        unknown = sorted(number for number in leave_out if not 1 <= number <= len(self))
        if unknown:
            raise InputRefused(
                "leave-out-frame",
                "there is no frame {unknown} to leave out; the curves have {count} frames, counted from 1",
                unknown=unknown[0],
                count=len(self),
            )
        kept = np.ones(len(self), dtype=bool)
        kept[[number - 1 for number in leave_out]] = False
        if not kept.any():
            raise InputRefused("leave-out-frame", "every frame is left out; leave out fewer")
        return kept
