"""What frames of any file format must satisfy before they are believed: one set of checks for all doors.

None of the limits is published; each lies between what real dynamic scans show and what a slip brings about.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..messages import InputRefused, Notice, Text
from .decay import growth, weighted_mean_s
from .frames import FrameTiming
from .time_slips import mixed_units
from .vendor_timing import FACTOR_TOLERANCE, MAX_HALF_LIVES

# Frames that last less than this part of the time to the next one are a slip of unit (seconds for milliseconds).
SLIPPED_PART = 0.05
# Frames of different lengths that all leave the same part of the time to the next one empty, to this tolerance, were
# not measured so: a pause between frames has a length of its own.
SAME_PART_TOLERANCE = 0.02
# Frames of so many lengths are in the pattern of a slip by chance hardly ever; times may be rounded to seconds.
FEWEST_LENGTHS, ROUNDED_S = 3, 0.51
# A scan that runs beyond this is one whose times are in another unit.
LONGEST_SCAN_S = 24 * 3600.0
# Before the image's activity first exceeds this part of its highest, a frame may be empty: nothing has arrived. After
# a frame that holds the second part none may.
ARRIVED, ARRIVING = 0.1, 0.01
# A slice that elsewhere holds less than this part of the usual slice may be empty: the field's end, or air.
BARELY_ALIVE = 0.1
# Frames that differ by less than this part are the same stored frame, scaled in single precision.
SAME_FRAME = 2e-6
# A frame of different tissues holds more different values than this; made ones that are the same everywhere are no
# copies.
FEWEST_VALUES = 3
# The last frame of a scan holds at least this part of the highest frame, decay corrected: no tissue clears faster.
# Sums of images that are as negative as positive, which no PET is, do not tell.
LEAST_AT_END, MOST_NEGATIVE = 0.01, 0.5
# Slices of a volume that are scaled alike do not all reach the same highest stored value: this part of them.
MOST_ALIKE = 0.9
FEWEST_SLICES = 20
# So many voxels that hold the highest number of their type were cut off there: a choice.
FEWEST_CUT = 10


def check_timing(timing: FrameTiming) -> tuple[Notice, ...]:
    """Refuse frame times that only a slip can bring about, and tell of gaps.

    Raises InputRefused: "frames-time-units", "frames-sparse", "frames-not-starts".
    """
    end = float(timing.ends_s[-1])
    if end > LONGEST_SCAN_S:
        raise InputRefused(
            "frames-time-units",
            "the last frame ends {hours:.0f} h after time zero: the times look like milliseconds; give them in "
            "seconds",
            hours=end / 3600,
        )
    if len(timing) > 1:
        _check_filled(timing)
    check_starts(timing)
    gaps = timing.gaps_s
    if not gaps.any():
        return ()
    where = int(np.argmax(gaps)) + 1
    return (
        Notice(
            "frames-gaps",
            "there is no data for {seconds:.4g} s between the frames, {part:.0%} of the scan (longest after frame "
            "{frame}: {longest:.4g} s)",
            seconds=float(gaps.sum()),
            part=float(gaps.sum() / (timing.ends_s[-1] - timing.starts_s[0])),
            frame=where,
            longest=float(gaps.max()),
        ),
    )


def check_starts(timing: FrameTiming) -> None:
    """Refuse ("frames-not-starts") times given as starts that are the frames' middles or ends: as those, frames of
    different lengths follow each other without a gap from time zero or later on, which as starts they do not."""
    if len(np.unique(timing.durations_s.round())) < FEWEST_LENGTHS or not timing.gaps_s.any():
        return
    for part, what in ((0.5, Text("middles")), (1.0, Text("ends"))):
        starts = timing.starts_s - part * timing.durations_s
        apart = starts[1:] - (starts + timing.durations_s)[:-1]
        if starts[0] > -ROUNDED_S and np.abs(apart).max() < ROUNDED_S:
            raise InputRefused(
                "frames-not-starts",
                "the frames' times are their {what}, not their starts: as {what} frames of these durations follow "
                "each other without a gap, as starts they do not; give the starts, of which the first is {start:g} s",
                what=what,
                start=float(starts[0]),
            )


def _check_filled(timing: FrameTiming) -> None:
    parts = timing.durations_s[:-1] / np.diff(timing.starts_s)
    usual = float(np.median(parts))
    same = len(np.unique(timing.durations_s[:-1].round(3))) > 2 and float(np.ptp(parts)) < SAME_PART_TOLERANCE
    units = mixed_units(usual)
    slipped = usual < SLIPPED_PART or (same and usual < 1 - SAME_PART_TOLERANCE)
    if units is not None or slipped:
        raise InputRefused(
            "frames-sparse",
            "every frame lasts only {part:.2%} of the time to the next one: {units} are mixed up; correct the "
            "durations or the starts, or give a frame table ([pet] frames)"
            if units is not None
            else "every frame lasts only {part:.2%} of the time to the next one: its duration is in another unit, or "
            "wrong; correct the durations, or give a frame table ([pet] frames)",
            part=usual,
            units=units,
        )


def check_table(table: FrameTiming, own_durations_s: NDArray[np.float64]) -> None:
    """Refuse a frame table whose durations are the image's own in another unit. Raises InputRefused:
    "frames-time-units"."""
    ratio = table.durations_s / own_durations_s if len(table) == len(own_durations_s) else np.full(1, np.nan)
    units = mixed_units(float(np.median(ratio)))
    if units is not None:
        raise InputRefused(
            "frames-time-units",
            "the frame table's durations are {ratio:.3g} times those of the image itself: {units} are mixed up; write "
            "the table in seconds, or its unit into the header, such as FrameDuration[min]",
            ratio=float(np.median(ratio)),
            units=units,
        )


def check_growth(factors: NDArray[np.float64]) -> None:
    """Refuse decay corrections over more than ten half-lives. Raises InputRefused: "pet-decay-reference"."""
    highest = float(np.abs(np.log2(factors)).max())
    if not highest <= MAX_HALF_LIVES:
        raise InputRefused(
            "pet-decay-reference",
            "the times ask for a decay correction over {half_lives:.3g} half-lives; correct them",
            half_lives=highest,
        )


def decay_zeros(factors: NDArray[np.float64], timing: FrameTiming, half_life_s: float) -> NDArray[np.float64]:
    """The moment (frames,), in seconds, that each frame's decay factor was computed for.

    With decay constant λ, a frame's factor is exp(λ(start - zero)) λd / (1 - exp(-λd)), exact for constant activity
    over its duration d, or exp(λ(middle - zero)), as real Siemens files hold. The rule by which the frames point to
    one zero more closely is the one that was used.
    """
    since = np.log2(factors) * half_life_s
    average = timing.starts_s + weighted_mean_s(timing.durations_s, half_life_s)
    return min(timing.mids_s - since, average - since, key=np.ptp)


def check_factors(factors: NDArray[np.float64], timing: FrameTiming, half_life_s: float) -> float:
    """The moment, in seconds, that the frames' decay factors were computed for.

    Raises InputRefused: "pet-decay-factor" where they point to no one moment.
    """
    zeros = decay_zeros(factors, timing, half_life_s)
    zero = float(np.median(zeros))
    off = np.abs(growth(zeros - zero, half_life_s) - 1)
    if not off.max() <= FACTOR_TOLERANCE:
        raise InputRefused(
            "pet-decay-factor",
            "the decay factor of frame {frame} differs by {off:.1%} from what the frames' times and the half-life "
            "give; times or factors are wrong: correct them",
            frame=int(np.argmax(off)) + 1,
            off=float(off.max()),
        )
    return zero


def check_frames(activity: NDArray[np.float32], factors: NDArray[np.float64] | None = None) -> None:
    """Refuse frames and slices that hold nothing where there must be something, and frames that are there twice.

    activity: (frames, k, j, i). factors: what each stored frame was multiplied by, where that differs.
    Raises InputRefused: "pet-frame-empty", "pet-slice-empty", "pet-frame-order", "pet-frame-repeated".
    """
    sums = np.stack([frame.sum(axis=(1, 2), dtype=np.float64) for frame in activity])  # (frames, slices)
    filled = sums != 0
    unclear = ~filled
    filled[unclear] = [activity[frame, k].any() for frame, k in np.argwhere(unclear).tolist()]
    totals = sums.sum(axis=1)
    if len(activity) < 2 or not totals.max() > 0:
        return
    arrived = int(np.argmax(totals > ARRIVED * totals.max()))
    empty = ~filled.any(axis=1)
    late = np.flatnonzero(empty & (np.arange(len(empty)) > int(np.argmax(totals > ARRIVING * totals.max()))))
    if late.size:
        raise InputRefused(
            "pet-frame-empty",
            "frame {frame} holds no activity, all of its voxels are 0; export the series again, complete",
            frame=int(late[0]) + 1,
        )
    _check_slices(filled[arrived:], sums[arrived:], arrived)
    if totals[-1] < LEAST_AT_END * totals.max() and activity.min() > -MOST_NEGATIVE * activity.max():
        raise InputRefused(
            "pet-frame-order",
            "the last frame holds {part:.2%} of the activity of frame {frame}, decay corrected, which no tissue does: "
            "the frames are in reverse order or the last one is damaged; correct their order or export the series "
            "again",
            part=float(totals[-1] / totals.max()),
            frame=int(totals.argmax()) + 1,
        )
    _check_repeated(activity, totals, np.ones(len(activity)) if factors is None else factors)


def saturated_notices(counts: Sequence[int]) -> tuple[Notice, ...]:
    """Tell of frames whose hottest voxels were cut off at the highest number that could be stored.

    counts: of the voxels that hold it, in every frame. A volume that was scaled to that number holds it in one or a
    few voxels; so ``FEWEST_CUT`` at least are asked.
    """
    frames = [number for number, count in enumerate(counts, 1) if count >= FEWEST_CUT]
    if not frames:
        return ()
    return (
        Notice(
            "pet-saturated",
            "{count} voxels of {frames} frames, the first of them frame {first}, hold the highest number that can be "
            "stored: what was above it was cut off, and activity is too low there; export the series with another "
            "scale",
            count=sum(counts[number - 1] for number in frames),
            frames=len(frames),
            first=frames[0],
        ),
    )


def check_slopes(activity: NDArray[np.float32], factors: NDArray[np.float64], slopes: set[float]) -> None:
    """Refuse slices that were stored each to its full range, and whose own slopes one constant has replaced.

    activity: (frames, k, j, i); factors: what each stored frame was multiplied by besides the slope; slopes: all that
    the slices state. Raises InputRefused: "dicom-slopes-alike".
    """
    if len(slopes) != 1:
        return
    highest = np.stack([frame.max(axis=(1, 2)) for frame in activity]) / factors[:, None]
    reached = highest[highest > 0]
    same = np.isclose(reached, reached.max(), rtol=SAME_FRAME, atol=0) if reached.size else np.zeros(0, bool)
    if reached.size >= FEWEST_SLICES and len(activity) > 1 and same.mean() > MOST_ALIKE:
        raise InputRefused(
            "dicom-slopes-alike",
            "all slices of all frames state the same RescaleSlope (0028,1053) and reach the same highest stored "
            "value: each was stored with a slope of its own, which was overwritten; export the series again",
        )


def _check_slices(filled: NDArray[np.bool_], sums: NDArray[np.float64], first: int) -> None:
    share = np.median(sums, axis=0)
    alive = share > BARELY_ALIVE * np.median(share[share > 0]) if (share > 0).any() else np.zeros(len(share), bool)
    where = np.argwhere(~filled[1:] & alive) + np.array([1, 0])  # in the first frame the bolus need not be everywhere
    inside = np.flatnonzero(alive)
    dead = [k for k in range(inside[0], inside[-1]) if not filled[:, k].any()] if inside.size else []
    if where.size or dead:
        frame, k = (first + int(where[0][0]) + 1, int(where[0][1])) if where.size else (first + 1, dead[0])
        raise InputRefused(
            "pet-slice-empty",
            "slice {slice} of frame {frame} holds no activity, all of its voxels are 0 between slices that are not; "
            "export the series again, complete",
            slice=k + 1,
            frame=frame,
        )


def _check_repeated(activity: NDArray[np.float32], totals: NDArray[np.float64], factors: NDArray[np.float64]) -> None:
    stored = totals / factors
    order = np.argsort(stored, kind="stable")
    for one, other in zip(order[:-1].tolist(), order[1:].tolist(), strict=True):
        if stored[one] == 0 or abs(stored[other] / stored[one] - 1) > SAME_FRAME:
            continue
        ratio = np.float32(factors[other] / factors[one])
        if len(np.unique(activity[one])) > FEWEST_VALUES and np.allclose(
            activity[other], activity[one] * ratio, rtol=SAME_FRAME, atol=0
        ):
            raise InputRefused(
                "pet-frame-repeated",
                "frames {first} and {second} hold the same voxels, so that one is a copy of the other; export the "
                "series again",
                first=min(one, other) + 1,
                second=max(one, other) + 1,
            )
