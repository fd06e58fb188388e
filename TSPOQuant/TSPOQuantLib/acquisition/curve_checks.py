"""What speaks against single frames, columns and the order of regional curves, wherever they come from.

None of the limits is published. On the 900 curves of the 14 real scans at hand none is exceeded, while a frame that
was multiplied by 10, or set to 0, is found in every curve.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..messages import Listed, Notice, Notices, Text, named
from .blood import BOLUS_OVER_S, between
from .frames import FrameTiming

Array = NDArray[np.float64]
Cure = Callable[[Sequence[int]], str]
"""How frames of these numbers are left out, as the user writes it."""

LEAST_ODD, ODD_NOISE = 2.0, 6.0
"""A frame is odd where it is at least so many times, or less than that part of, what the frames beside it say, and so
many times as far off as frames around it usually are."""
AROUND = 6
"""Frames that tell how far off is usual there."""
HERE = 0.05
"""Of its highest, what a curve has reached once the tracer is there."""
SAME_CURVE = 1e-6
"""Curves that agree this closely in every frame are one curve."""
EXCHANGED = 6.0
"""Two frames are told to be exchanged where that makes the curves so many times smoother: at most 1.4 in real scans,
and 4.2 in a few noisy regions of them."""
FEWEST_LATE = 5
FEWEST_AFTER = 3
"""So many late frames have to stay when one is taken away."""


def curve_notices(
    timing: FrameTiming, regions: Sequence[str], activity: Array, numbers: Sequence[int], cure: Cure
) -> tuple[Notice, ...]:
    """Frames that do not fit those beside them, and two that seem exchanged.

    activity: (regions, frames) in kBq/mL. numbers: of the frames, from 1, as the user counts them.
    """
    odd: dict[int, list[int]] = {}
    for region, curve in enumerate(activity):
        for frame in odd_frames(timing, curve):
            odd.setdefault(frame, []).append(region)
    notices = Notices(
        _odd_frame(regions, activity, frame, where, numbers, cure) for frame, where in sorted(odd.items())
    )
    pair = None if odd else exchanged_frames(timing, activity)
    if pair is not None:
        notices.add(
            "frames-exchanged",
            "frames {one} and {other} seem to be exchanged: the other way round the curves are smooth, as tissue "
            "is; correct their order, or leave both out ({cure})",
            one=numbers[pair[0]],
            other=numbers[pair[1]],
            cure=cure([numbers[at] for at in pair]),
        )
    return tuple(notices)


def _odd_frame(
    regions: Sequence[str], activity: Array, frame: int, where: Sequence[int], numbers: Sequence[int], cure: Cure
) -> Notice:
    beside = [activity[where[0], at] for at in (frame - 1, frame + 1) if 0 <= at < activity.shape[1]]
    return Notice(
        "tacs-frame-odd",
        "frame {frame} of {regions}: {value:.3g} kBq/mL beside {beside} in the next frames; correct it, or leave the "
        "frame out ({cure})",
        frame=numbers[frame],
        regions=named([regions[at] for at in where]),
        value=float(activity[where[0], frame]),
        beside=Listed((f"{value:.3g}" for value in beside), " / "),
        cure=cure([numbers[frame]]),
    )


def odd_frames(timing: FrameTiming, curve: Array) -> list[int]:
    """Indices of the frames (frames,) that speak against those beside them, the first in time first.

    After the bolus a curve is close to a straight line from the frame before to the frame after; how close, its other
    frames tell. The oddest is taken away until none is left; of the last frame twice that is asked, as of it one
    side alone is known. A frame without activity, or below it, is odd wherever the tracer has come before.
    """
    middles = timing.mids_s
    before = np.maximum.accumulate(np.concatenate(([0.0], curve[:-1])))
    odd = np.flatnonzero((curve <= 0) & (before > HERE * curve.max())).tolist() if curve.max() > 0 else []
    left = np.flatnonzero(curve > 0)
    while np.count_nonzero(middles[left] >= BOLUS_OVER_S) > FEWEST_AFTER:
        off = _off_line(middles[left], curve[left])
        late = np.flatnonzero(middles[left] >= BOLUS_OVER_S)
        odds = []
        for at in late:
            others = late[np.abs(late - at) > 1]
            around = others[np.argsort(np.abs(others - at), kind="stable")[:AROUND]]
            usual = float(np.median(off[around])) if around.size else 0.0
            sides = 2 if at == len(left) - 1 else 1
            if off[at] > sides * max(np.log(LEAST_ODD), ODD_NOISE * usual):
                odds.append(int(at))
        if not odds:
            break
        worst = max(odds, key=lambda at: off[at])
        odd.append(int(left[worst]))
        left = np.delete(left, worst)
    return sorted(odd)


def _off_line(times: Array, values: Array) -> Array:
    """|ln| of each value over the line between its neighbors; of the last, over the nearer of the two before."""
    last = np.abs(np.log(values[-1] / values[-3:-1])).min()
    return np.concatenate(([0.0], np.abs(np.log(values[1:-1] / between(times, values))), [last]))


def exchanged_frames(timing: FrameTiming, activity: Array) -> tuple[int, int] | None:
    """Two late frames (their indices) whose exchange makes all curves far smoother; None where there are none."""
    late = np.flatnonzero(timing.mids_s >= BOLUS_OVER_S)
    alive = activity[(activity[:, late] > 0).all(axis=1)][:, late]
    if len(late) < FEWEST_LATE or not alive.size:
        return None
    times, values = np.log(timing.mids_s[late]), np.log(alive)
    as_given = _roughness(times, values)
    tried = {}
    for one in range(len(late) - 1):
        for other in range(one + 1, len(late)):
            order = np.arange(len(late))
            order[[one, other]] = other, one
            tried[one, other] = _roughness(times, values[:, order])
    best = min(tried, key=lambda pair: tried[pair])
    return (int(late[best[0]]), int(late[best[1]])) if as_given > EXCHANGED * tried[best] else None


def _roughness(times: Array, values: Array) -> float:
    return float(((values[:, 1:-1] - between(times, values)) ** 2).sum())


def copied_curves(regions: Sequence[str], activity: Array) -> tuple[Notice, ...]:
    """Curves that are another one in every frame, or that times a power of ten; activity: (regions, frames)."""
    notices, known = Notices(), set()
    for one in range(len(regions)):
        for other in range(one + 1, len(regions)):
            if other in known or not activity[one].any():
                continue
            tens = _power_of_ten(activity[one], activity[other])
            if tens is None:
                continue
            known.add(other)
            how = Text("the values") if tens == 0 else Text("{factor:g} times the values", factor=10.0**tens)
            notices.add(
                "tacs-copied",
                "'{other}' has {how} of '{one}' in every frame, which no two regions have: one column is a copy "
                "of the other; correct it",
                other=regions[other],
                one=regions[one],
                how=how,
            )
    return tuple(notices)


def _power_of_ten(one: Array, other: Array) -> int | None:
    """By which power of ten two curves differ in every frame; None where by none."""
    top = int(np.argmax(np.abs(one)))
    ratio = other[top] / one[top]
    if ratio <= 0:
        return None
    tens = round(float(np.log10(ratio)))
    if abs(ratio / 10.0**tens - 1) > SAME_CURVE:
        return None
    return tens if np.allclose(other, one * 10.0**tens, rtol=SAME_CURVE, atol=0) else None
