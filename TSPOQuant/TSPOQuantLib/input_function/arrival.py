"""When the bolus reaches the blood pool: a second witness of the injection's clock."""

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples
from ..acquisition.frames import FrameTiming
from ..messages import InputRefused, Notice, Notices

# None of these is published. Arrival is the rise through this part of the peak. From an arm vein the bolus reaches the
# neck within about half a minute; after a minute the injection's clock is not believable.
ARRIVED = 0.1
LATEST_S = 60.0
EARLIEST_S = 5.0
# Image and blood whose arrivals are further apart than this do not share one clock.
APART_S = 45.0


def check_arrival(timing: FrameTiming, blood_pool: NDArray[np.float64], blood: BloodSamples) -> tuple[Notice, ...]:
    """Hold the bolus' arrival in the blood pool (frames,) against the injection, and against the blood's own arrival.

    Nothing is said where the rise was not seen: the first frame holds activity already. Raises InputRefused:
    "injection-after-bolus".
    """
    frame = int(np.argmax(blood_pool > ARRIVED * blood_pool.max()))
    start, end = float(timing.starts_s[frame]), float(timing.ends_s[frame])
    if end <= 0:
        raise InputRefused(
            "injection-after-bolus",
            "the blood pool holds activity in frame {frame}, which ends {seconds:.0f} s before the injection: the "
            "injection's clock is wrong; state or correct [pet] injection_time",
            frame=frame + 1,
            seconds=-end,
        )
    if frame == 0 and start > -SCAN_START_S:
        return ()
    notices = Notices()
    if end < EARLIEST_S:
        notices.add(
            "bolus-early",
            "the bolus is in the blood pool {seconds:.0f} s after the injection, sooner than it can flow there; "
            "check the injection's clock, or state or correct [pet] injection_time",
            seconds=end,
        )
    if start > LATEST_S:
        notices.add(
            "bolus-late",
            "the bolus reaches the blood pool only {seconds:.0f} s after the injection; about a minute is the "
            "most that is plausible, and V_T rests on that time: check it, or state or correct [pet] "
            "injection_time",
            seconds=start,
        )
    sampled = _blood_arrival(blood)
    if sampled is not None:
        apart = max(start - sampled[1], sampled[0] - end)
        if apart > APART_S:
            notices.add(
                "arrivals-differ",
                "the bolus arrives in the image and in the blood samples at least {seconds:.0f} s apart: they do "
                "not share one clock; state or correct [blood] time_zero or [pet] injection_time",
                seconds=apart,
            )
    return tuple(notices)


def seen_arrival(timing: FrameTiming, activity: NDArray[np.float64]) -> float | None:
    """When a curve (frames,) rises through a tenth of its peak, in seconds, straight between the frames' middles; None
    where the first frame lies above it."""
    return risen(timing.mids_s, activity)


def risen(times_s: NDArray[np.float64], values: NDArray[np.float64]) -> float | None:
    """When a curve of straight lines rises through a tenth of its peak, in seconds; None where it begins above it."""
    level = ARRIVED * float(values.max())
    at = int(np.argmax(values > level))
    if at == 0:
        return None
    share = (level - values[at - 1]) / (values[at] - values[at - 1])
    return float(times_s[at - 1] + share * (times_s[at] - times_s[at - 1]))


SCAN_START_S = 5.0
"""A scan that starts earlier than this before the injection saw the time before the bolus."""


def _blood_arrival(blood: BloodSamples) -> tuple[float, float] | None:
    """Between which times the blood first rises; None where it was not seen to rise."""
    for curve in reversed(blood.activities):
        at = int(np.argmax(curve.values > ARRIVED * curve.values.max()))
        if at > 0:
            return float(curve.times_s[at - 1]), float(curve.times_s[at])
    return None
