"""Blood measurements, as a site wrote them, in seconds and kBq/mL, and whether they fit the scan."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..messages import InputRefused, Notice, Notices
from .frames import FrameTiming
from .population import Population

# Blood that ends earlier than this part of the fit window cannot carry the input: the program's rule, not a
# published one.
COVERAGE_NEEDED = 0.8
# A thousandfold slip between Bq and kBq shows as a tissue-to-blood ratio of average activity beyond this factor
# from 1: half of the slip on a log scale. Real ratios lie well within it (total distribution volumes of TSPO
# tracers are about 1 to 15 mL/cm3).
UNIT_SLIP = 1000**0.5
# From when the bolus has mixed, and how far off a sample is odd: choices (see ``odd_samples``).
BOLUS_OVER_S = 180.0
ODD = 2.0
SPARSE_S = 60.0
# What a ratio of curves has to do before decay is seen in it (choices): last for so many half-lives, with so many
# samples, along a straight line of the logarithm this closely, and as steeply as the tracer decays.
DECAY_SPAN = 1.5
FEWEST_RATIOS = 4
DECAY_SCATTER = 0.15
DECAY_TOLERANCE = 0.2
# From when total activity in blood falls slowly, and which tracers tell by that whether it was corrected: choices.
LATE_S, SHORT_LIVED_S, AS_DECAY = 1200.0, 1800.0, (0.8, 1.45)


@dataclass(frozen=True, eq=False)
class SampledCurve:
    """Measured points: times in seconds from time zero (increasing), values in kBq/mL, or a fraction of 1.

    Raises InputRefused ("curve-…") for lists of different length, none at all, NaN or inf, and times that do not
    increase.
    """

    times_s: NDArray[np.float64]
    values: NDArray[np.float64]

    def __post_init__(self) -> None:
        times = np.array(self.times_s, dtype=float)
        values = np.array(self.values, dtype=float)
        if times.ndim != 1 or times.size == 0 or times.shape != values.shape:
            raise InputRefused("curve-shape", "a curve needs as many times as values, and at least one")
        if not (np.isfinite(times).all() and np.isfinite(values).all()):
            raise InputRefused("curve-not-finite", "a time or value of a curve is not a number; leave it out")
        if (np.diff(times) <= 0).any():
            at = float(times[int(np.argmax(np.diff(times) <= 0)) + 1])
            raise InputRefused("curve-times", "the times of a curve must increase; they do not at {at:g} s", at=at)
        for array in (times, values):
            array.flags.writeable = False
        object.__setattr__(self, "times_s", times)
        object.__setattr__(self, "values", values)

    @property
    def end_s(self) -> float:
        return float(self.times_s[-1])

    def mean_over(self, begin_s: float, end_s: float) -> float:
        """Average of the piecewise-linear curve from ``begin_s`` to ``end_s``, both within its times."""
        inside = self.times_s[(self.times_s > begin_s) & (self.times_s < end_s)]
        knots = np.concatenate(([begin_s], inside, [end_s]))
        return float(np.trapezoid(np.interp(knots, self.times_s, self.values), knots) / (end_s - begin_s))


@dataclass(frozen=True, eq=False)
class BloodSamples:
    """What was measured in blood; None where nothing was.

    whole_blood, plasma: kBq/mL, decay-corrected to time zero. parent_fraction: 0 to 1. plasma is TOTAL plasma.
    autosampler: whole blood of a continuous sampler, not corrected for dispersion unless dispersion_s is None.
    parent_plasma: metabolite-corrected plasma given ready (the AIF column of a _bloodproc.tsv), else None.
    route: "arterial", "venous" or "unknown".
    given: "whole-blood" or "plasma" where that curve came ready as the input, and the samples only lead on from it:
    whole blood then stands in ``autosampler``, finished.
    population: a template that the samples only scale.
    counted_from: "injection", "scan" or both, where files say in words that their times count from there.
    """

    whole_blood: SampledCurve | None = None
    plasma: SampledCurve | None = None
    parent_fraction: SampledCurve | None = None
    autosampler: SampledCurve | None = None
    dispersion_s: float | None = None
    parent_plasma: SampledCurve | None = None
    route: str = "unknown"
    given: str = ""
    population: Population | None = None
    notices: tuple[Notice, ...] = ()
    counted_from: tuple[str, ...] = ()

    @property
    def activities(self) -> tuple[SampledCurve, ...]:
        """The curves in kBq/mL that there are, the one closest to the input first."""
        curves = (self.parent_plasma, self.plasma, self.whole_blood, self.autosampler)
        return tuple(curve for curve in curves if curve is not None)


def between(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of all points (..., n) but the first and the last, what the straight line between both neighbors says."""
    share = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
    return np.asarray((1 - share) * y[..., :-2] + share * y[..., 2:])


def odd_samples(curve: SampledCurve) -> list[int]:
    """Indices of samples after the bolus that their neighbors speak against, the first in time first.

    Activity in blood falls smoothly then: between two neighbors it is close to a straight line of both logarithms, so
    that a decimal point in the wrong place stands out. The oddest is taken away until none is left that is ``ODD``
    times what the line says, or less than one ``ODD``-th of it; of the last sample only twice that is asked, of both
    samples before it. A sample of nothing at all is odd in itself. No manual sample of the real curves
    at hand is; where samples follow each other within seconds, as an automatic sampler's do, none of them decides a
    model, and noise is left alone.
    """
    left = [i for i in range(len(curve.times_s)) if curve.times_s[i] > 0 and curve.values[i] > 0]
    gaps = np.diff(curve.times_s, prepend=-np.inf)
    late = (curve.values <= 0) & (curve.times_s >= BOLUS_OVER_S) & (gaps >= SPARSE_S)
    odd: list[int] = np.flatnonzero(late).tolist() if left else []
    while len(left) > 3:
        x, y = np.log(curve.times_s[left]), np.log(curve.values[left])
        apart = np.abs(y[1:-1] - between(x, y))
        apart = np.concatenate(([0.0], apart, [np.abs(y[-1] - y[-3:-1]).min()]))
        allowed = np.full(len(left), np.log(ODD))
        allowed[-1] = np.log(2 * ODD)
        times = curve.times_s[left]
        reach = np.concatenate(([0.0], times[2:] - times[:-2], [times[-1] - times[-2]]))
        apart[(apart <= allowed) | (reach < SPARSE_S) | (times < BOLUS_OVER_S)] = 0.0
        worst = int(np.argmax(apart))
        if apart[worst] == 0:
            break
        odd.append(left.pop(worst))
    return sorted(odd)


def check_decay(curve: SampledCurve, against: SampledCurve, half_life_s: float) -> str | None:
    """Which of two curves of one blood was most likely not decay-corrected: "first", "second"; None for neither.

    Their ratio then falls, or rises, as the tracer decays. Asked only of samples after the bolus that span at least
    ``DECAY_SPAN`` half-lives, over which no ratio of plasma, whole blood and vessel changes by so much.
    """
    both = (curve.times_s >= max(BOLUS_OVER_S, against.times_s[0])) & (curve.times_s <= against.end_s)
    other = np.interp(curve.times_s[both], against.times_s, against.values)
    alive = (curve.values[both] > 0) & (other > 0)
    times, ratio = curve.times_s[both][alive], curve.values[both][alive] / other[alive]
    if times.size < FEWEST_RATIOS or np.ptp(times) < DECAY_SPAN * half_life_s:
        return None
    slope, begin = np.polyfit(times, np.log(ratio), 1)
    scatter = float(np.std(np.log(ratio) - begin - slope * times))
    decays = float(slope) * half_life_s / np.log(2)
    if scatter > DECAY_SCATTER or abs(abs(decays) - 1) > DECAY_TOLERANCE:
        return None
    return "first" if decays < 0 else "second"


def falls_as_decay(curve: SampledCurve, half_life_s: float) -> bool:
    """Whether total activity in blood falls late as the tracer decays, which decay-corrected blood does not.

    Asked of tracers that decay within the scan alone, from ``LATE_S`` on over at least ``DECAY_SPAN`` half-lives. In
    units of the decay, 13 real curves of two tracers fall by -0.11 to 0.28; uncorrected they fall by 1 more. What
    falls faster than that is cleared so.
    """
    late = (curve.times_s >= LATE_S) & (curve.values > 0)
    times = curve.times_s[late]
    if half_life_s > SHORT_LIVED_S or times.size < FEWEST_RATIOS or np.ptp(times) < DECAY_SPAN * half_life_s:
        return False
    slope, _ = np.polyfit(times, np.log(curve.values[late]), 1)
    return AS_DECAY[0] <= -float(slope) * half_life_s / math.log(2) <= AS_DECAY[1]


def check_covers(blood: BloodSamples, until_s: float) -> tuple[Notice, ...]:
    """Whether blood lasts to the end of a fit window that runs to ``until_s`` seconds after time zero.

    Ready parent plasma decides where there is one, else the longest of the activity curves. A little short is a
    Notice ("blood-short"): the last value is held. Raises InputRefused ("blood-ends-early") before 80 % of the
    window, ("blood-time-units") where the times look like minutes, ("blood-none") without any activity curve.
    """
    if not blood.activities:
        raise InputRefused("blood-none", "the blood files hold no activity, only a parent fraction; add blood samples")
    end = blood.parent_plasma.end_s if blood.parent_plasma else max(curve.end_s for curve in blood.activities)
    if end < COVERAGE_NEEDED * until_s:
        if COVERAGE_NEEDED <= end * 60 / until_s <= 1 / COVERAGE_NEEDED:
            raise InputRefused(
                "blood-time-units",
                "blood ends at {end:g} s and the fit window at {until_s:g} s: the blood's times look like "
                "minutes; state their unit",
                end=end,
                until_s=until_s,
            )
        raise InputRefused(
            "blood-ends-early",
            "blood ends at {end:g} s, before {coverage_needed:.0%} of the fit window, which runs to {until_s:g} "
            "s; add samples, or end the fits earlier ([model] until_min, --until of fit)",
            end=end,
            coverage_needed=COVERAGE_NEEDED,
            until_s=until_s,
        )
    if end >= until_s:
        return ()
    return (
        Notice(
            "blood-short",
            "blood ends {missing_s:.0f} s before the fit window; its last value is held",
            missing_s=until_s - end,
        ),
    )


def reconcile(
    blood: BloodSamples, timing: FrameTiming, activity: NDArray[np.float64], from_samples: bool = True
) -> BloodSamples:
    """Check that blood and image share one clock and one unit.

    activity: (regions, frames) in kBq/mL, of tissue or of a vessel. Averages over the time that blood and image
    share are compared, so that neither a bolus peak nor a late sample decides.
    from_samples: whether the samples are the input, so that what comes before the first of them matters.
    Returns the blood, with a Notice ("blood-after-start") where the first sample then comes after the first frame;
    raises InputRefused ("blood-image-units") for a thousandfold slip, ("blood-image-empty") where one holds no
    activity, ("blood-image-clock") where they share no time, and ("blood-time-units") where the blood's times look
    like minutes.
    """
    if not blood.activities:
        return blood
    if blood.population is not None:
        _check_late_unit(blood, timing, np.asarray(activity))
        return blood
    curve = max(blood.activities, key=lambda curve: curve.end_s - float(curve.times_s[0]))
    start, end = float(timing.starts_s[0]), float(timing.ends_s[-1])
    if COVERAGE_NEEDED <= curve.end_s * 60 / end <= 1 / COVERAGE_NEEDED:
        raise InputRefused(
            "blood-time-units",
            "blood ends at {end_s:g} s and the scan at {end:g} s: the blood's times look like minutes; state "
            "their unit",
            end_s=curve.end_s,
            end=end,
        )
    shared = (timing.starts_s >= curve.times_s[0]) & (timing.ends_s <= curve.end_s)
    if not shared.any():
        raise InputRefused(
            "blood-image-clock",
            "blood runs from {times_s:g} to {end_s:g} s and the scan from {start:g} to {end:g} s: no whole "
            "frame lies within both; bring both to one time zero, or end the fit later",
            times_s=curve.times_s[0],
            end_s=curve.end_s,
            start=start,
            end=end,
        )
    weights = timing.durations_s[shared]
    tissue = float(np.max(np.asarray(activity)[:, shared] @ weights) / weights.sum())
    first, last = np.flatnonzero(shared)[[0, -1]]
    in_blood = curve.mean_over(float(timing.starts_s[first]), float(timing.ends_s[last]))
    if tissue <= 0 or in_blood <= 0:
        empty = "the regions hold" if tissue <= 0 else "the blood holds"
        raise InputRefused(
            "blood-image-empty",
            "over the time that both share, {empty} no activity; check that the segmentation, the scan and the "
            "blood belong together",
            empty=empty,
        )
    if not 1 / UNIT_SLIP < tissue / in_blood < UNIT_SLIP:
        raise _other_unit(tissue, in_blood)
    notices = Notices()
    first_sample = min(float(curve.times_s[0]) for curve in blood.activities)
    if from_samples and first_sample > timing.ends_s[0]:
        notices.add(
            "blood-after-start",
            "the first blood sample ({times_s:g} s) comes after the first frame; the curve before it is not measured",
            times_s=first_sample,
        )
    return replace(blood, notices=(*blood.notices, *notices))


def _check_late_unit(blood: BloodSamples, timing: FrameTiming, activity: NDArray[np.float64]) -> None:
    """Refuse ("blood-image-units") the last of a few late samples where it is in another unit than the image says."""
    curve = blood.activities[0]
    frame = int(np.argmin(np.abs((timing.starts_s + timing.ends_s) / 2 - curve.end_s)))
    tissue, sampled = float(activity[:, frame].max()), float(curve.values[-1])
    if tissue > 0 and sampled > 0 and not 1 / UNIT_SLIP < tissue / sampled < UNIT_SLIP:
        raise _other_unit(tissue, sampled)


def _other_unit(tissue: float, in_blood: float) -> InputRefused:
    return InputRefused(
        "blood-image-units",
        "over the same time the image averages {tissue:.3g} kBq/mL and the blood {in_blood:.3g} kBq/mL: one "
        "of them is most likely in another unit than it says (Bq/mL, kBq/mL, nCi/mL); correct the unit",
        tissue=tissue,
        in_blood=in_blood,
    )
