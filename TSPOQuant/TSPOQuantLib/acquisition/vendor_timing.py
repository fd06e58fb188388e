"""When a PET frame began and to which moment its values are decay-corrected: what scanners mean by their time tags.

FrameReferenceTime (0054,1300), measured on real series of each manufacturer: the frame's start at GE, its
decay-weighted mean at Siemens, its arithmetic middle at Philips. DecayFactor (0054,1321): for GE and Siemens the
correction of the frame's average, 2^(start / half-life) x the frame factor; always 1 at Philips.
For other manufacturers there is no measured rule, and a convention must prove itself on the series.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from ..messages import InputRefused, Notice, Text
from .decay import frame_factor, growth, weighted_mean_s
from .time_slips import mixed_units, slip_between, whole_days, with_slip

# None of these is published. The three conventions were met within 0.9 s on real series, whose clocks are often
# written in whole seconds; DecayFactor within 0.01 %, so that half a percent (9 s of 11C) is another moment.
CLOCK_TOLERANCE_S = 1.0
REFERENCE_TOLERANCE_S = 1.5
FACTOR_TOLERANCE = 0.005
# Injection may follow the start of a scan that records a background first; after ten half-lives nothing is left.
MAX_BACKGROUND_S = 600.0
MAX_HALF_LIVES = 10.0
# SeriesTime may be when the protocol was started, so long before the scan itself.
LONGEST_PREPARATION_S = 150.0


class Vendor(Enum):
    GE = "GE"
    SIEMENS = "Siemens"
    PHILIPS = "Philips"
    OTHER = "other"


class Convention(Enum):
    """What FrameReferenceTime points at, counted from the frame's start."""

    START = "frame start"
    MEAN = "decay-weighted mean"
    MIDDLE = "arithmetic middle"


CONVENTION = {Vendor.GE: Convention.START, Vendor.SIEMENS: Convention.MEAN, Vendor.PHILIPS: Convention.MIDDLE}


def vendor_of(manufacturer: str) -> Vendor:
    name = manufacturer.upper()
    if name.startswith("GE") and not name[2:3].isalpha():
        return Vendor.GE
    if "SIEMENS" in name or name.startswith("CPS"):
        return Vendor.SIEMENS
    return Vendor.PHILIPS if "PHILIPS" in name else Vendor.OTHER


def reference_offset_s(
    convention: Convention, durations_s: NDArray[np.float64], half_life_s: float
) -> NDArray[np.float64]:
    """Seconds from each frame's start to the moment FrameReferenceTime names."""
    if convention is Convention.START:
        return np.zeros_like(durations_s)
    return durations_s / 2 if convention is Convention.MIDDLE else weighted_mean_s(durations_s, half_life_s)


@dataclass(frozen=True, eq=False)
class FrameTags:
    """The time tags of one series, one entry a frame; seconds, nan where a tag is absent.

    acquired_s: AcquisitionDate/Time counted from ``origin``, a wall clock. series_at, ge_scan_at: SeriesDate/Time
    and GE's private scan start, as wall clocks; decay_reference_at: the enhanced object's DecayCorrectionDateTime,
    which leaves nothing to infer.
    """

    vendor: Vendor
    half_life_s: float
    origin: datetime
    acquired_s: NDArray[np.float64]
    durations_s: NDArray[np.float64]
    reference_s: NDArray[np.float64]
    decay_factor: NDArray[np.float64]
    series_at: datetime | None = None
    ge_scan_at: datetime | None = None
    decay_reference_at: datetime | None = None

    @property
    def series_s(self) -> float:
        return np.nan if self.series_at is None else (self.series_at - self.origin).total_seconds()


@dataclass(frozen=True, eq=False)
class FrameClock:
    """Frame starts in seconds from ``FrameTags.origin``, which tags led, and what was found odd.

    convention: what FrameReferenceTime proved to be, None when it could not be checked.
    """

    starts_s: NDArray[np.float64]
    led_by: str
    convention: Convention | None
    notices: tuple[Notice, ...] = ()


def frame_clock(tags: FrameTags) -> FrameClock:
    """Start of every frame: AcquisitionTime leads and FrameReferenceTime confirms.

    Where AcquisitionTime stands still (older GE and Philips series), FrameReferenceTime leads.
    Raises InputRefused: frames-no-duration, frames-no-times, frames-times-disagree, frames-unknown-convention.
    """
    bad = ~(tags.durations_s > 0)
    if bad.any():
        raise InputRefused(
            "frames-no-duration",
            "frame {bad} has no ActualFrameDuration (0018,1242); give a frame table ([pet] frames)",
            bad=int(np.argmax(bad)) + 1,
        )
    if len(np.unique(tags.acquired_s)) == len(tags.acquired_s) and np.isfinite(tags.acquired_s).all():
        return _confirmed(tags)
    if not np.isfinite(tags.reference_s).all() or len(np.unique(tags.reference_s)) < len(tags.reference_s):
        raise frames_without_times()
    known = np.isfinite(tags.acquired_s)
    stands_still = known.all() and np.ptp(tags.acquired_s) == 0
    if known.any() and not stands_still:
        raise InputRefused(
            "frames-times-disagree",
            "AcquisitionTime (0008,0032) is absent in some frames, or the same in some only; give a frame table "
            "([pet] frames)",
        )
    return _by_reference(tags)


def frames_without_times() -> InputRefused:
    return InputRefused(
        "frames-no-times",
        "neither AcquisitionTime (0008,0032) nor FrameReferenceTime (0054,1300) differs from frame to frame; "
        "give a frame table ([pet] frames)",
    )


def _by_reference(tags: FrameTags) -> FrameClock:
    if tags.vendor is Vendor.OTHER:
        raise InputRefused(
            "frames-unknown-convention",
            "only FrameReferenceTime (0054,1300) tells the frames apart, and what this manufacturer means by it is "
            "not known; give a frame table ([pet] frames)",
        )
    scan_start = tags.acquired_s[0] if np.isfinite(tags.acquired_s[0]) else tags.series_s
    if tags.series_s < scan_start - CLOCK_TOLERANCE_S:
        raise InputRefused(
            "frames-times-disagree",
            "AcquisitionTime is the same in all frames but {scan_start:.0f} s after SeriesTime, so that it is "
            "not known from when FrameReferenceTime counts; give a frame table ([pet] frames)",
            scan_start=scan_start - tags.series_s,
        )
    convention = CONVENTION[tags.vendor]
    starts = scan_start + tags.reference_s - reference_offset_s(convention, tags.durations_s, tags.half_life_s)
    notice = Notice(
        "frames-by-reference-time",
        "AcquisitionTime does not tell the frames apart; their starts were taken from FrameReferenceTime, which "
        "at {vendor_value} is the {convention_value}",
        vendor_value=tags.vendor.value,
        convention_value=convention.value,
    )
    return FrameClock(starts, "FrameReferenceTime", convention, (notice,))


def _confirmed(tags: FrameTags) -> FrameClock:
    if tags.decay_reference_at is not None:
        return FrameClock(tags.acquired_s, "FrameAcquisitionDateTime", None)
    if not np.isfinite(tags.reference_s).all():
        notice = Notice("frames-unconfirmed", "no FrameReferenceTime (0054,1300): AcquisitionTime stands alone")
        return FrameClock(tags.acquired_s, "AcquisitionTime", None, (notice,))
    spread = {convention: float(np.ptp(zero_s(tags, convention))) for convention in Convention}
    own = CONVENTION.get(tags.vendor)
    if own is not None and spread[own] <= REFERENCE_TOLERANCE_S:
        return FrameClock(tags.acquired_s, "AcquisitionTime", own)
    # Frames of one duration fit every convention; the zero that each would mean tells them apart.
    first = float(tags.acquired_s.min())
    anchor = tags.series_s if tags.series_s <= first + CLOCK_TOLERANCE_S else first
    best = min(
        Convention,
        key=lambda convention: spread[convention] + abs(float(np.median(zero_s(tags, convention))) - anchor),
    )
    if spread[best] > REFERENCE_TOLERANCE_S:
        shown = own or best
        zeros = zero_s(tags, shown)
        frame = int(np.argmax(np.abs(zeros - np.median(zeros)))) + 1
        refusal = InputRefused(
            "frames-unknown-convention" if own is None else "frames-times-disagree",
            "AcquisitionTime and FrameReferenceTime disagree by {spread:.4g} s (worst in frame {frame}) when "
            "the latter is the {best}; give a frame table ([pet] frames)",
            spread=spread[shown],
            frame=frame,
            best=shown.value,
        )
        raise with_slip(refusal, _slip(tags))
    if own is None:
        return FrameClock(tags.acquired_s, "AcquisitionTime", best)
    notice = Notice(
        "frames-other-convention",
        "FrameReferenceTime is the {best} in every frame, which is not usual at {vendor}; AcquisitionTime led",
        best=best.value,
        vendor=tags.vendor.value,
    )
    return FrameClock(tags.acquired_s, "AcquisitionTime", best, (notice,))


def _slip(tags: FrameTags) -> Text | None:
    """What plainly keeps AcquisitionTime, ActualFrameDuration and FrameReferenceTime from agreeing; None: nothing."""
    for convention in Convention:
        zeros = zero_s(tags, convention)
        if whole_days(zeros - zeros.min()):
            return Text("some frames are exactly one day off: AcquisitionDate was not advanced at midnight")
    for factor in (1000.0, 0.001, 60_000.0, 60.0, 1 / 60):
        for attribute, other in (
            (Text("FrameReferenceTime"), replace(tags, reference_s=tags.reference_s * factor)),
            (Text("ActualFrameDuration"), replace(tags, durations_s=tags.durations_s * factor)),
        ):
            if min(np.ptp(zero_s(other, convention)) for convention in Convention) <= REFERENCE_TOLERANCE_S:
                return Text(
                    "all would agree if {attribute} were {factor:g} times what it is: {units} are mixed up, DICOM "
                    "wants milliseconds",
                    attribute=attribute,
                    factor=factor,
                    units=mixed_units(factor),
                )
    return None


def zero_s(tags: FrameTags, convention: Convention) -> NDArray[np.float64]:
    """The moment from which each frame's FrameReferenceTime counts, in seconds from ``tags.origin``."""
    return tags.acquired_s + reference_offset_s(convention, tags.durations_s, tags.half_life_s) - tags.reference_s


def scan_start_s(tags: FrameTags, clock: FrameClock | None) -> tuple[float, str]:
    """The series' reference time, to which START means corrected: seconds from ``tags.origin``, and the rule used.

    The QIBA SUV pseudo-code (robust version): SeriesTime, unless it is after the acquisition (a series that was
    post-processed); then GE's private scan start, else back from FrameReferenceTime, else the first acquisition.
    """
    if tags.decay_reference_at is not None:
        return (tags.decay_reference_at - tags.origin).total_seconds(), "DecayCorrectionDateTime"
    first = float(np.nanmin(tags.acquired_s)) if np.isfinite(tags.acquired_s).any() else np.nan
    if np.isfinite(tags.series_s) and not tags.series_s > first + CLOCK_TOLERANCE_S:
        return tags.series_s, "SeriesTime"
    if not np.isfinite(first):
        raise InputRefused(
            "suv-scan-time", "SeriesDate/Time or AcquisitionDate/Time is absent or absurd; correct the header"
        )
    if clock is not None and clock.led_by == "FrameReferenceTime":
        return first, "AcquisitionTime"
    if tags.ge_scan_at is not None:
        return (tags.ge_scan_at - tags.origin).total_seconds(), "GE scan start (0009,100D)"
    usable = (tags.reference_s > 0) & (tags.durations_s > 0)
    convention = CONVENTION.get(tags.vendor, Convention.MEAN) if clock is None else clock.convention
    if usable.any() and convention is not None:
        return float(np.median(zero_s(tags, convention)[usable])), "AcquisitionTime less FrameReferenceTime"
    return first, "first AcquisitionTime"


def correction_start_s(tags: FrameTags, clock: FrameClock | None) -> tuple[float, str]:
    """As ``scan_start_s``; but where SeriesTime lies up to two minutes before the moment on which FrameReferenceTime
    and DecayFactor agree, that moment: SeriesTime is then when the protocol was started, not the scan."""
    start, rule = scan_start_s(tags, clock)
    if clock is None or clock.convention is None or rule != "SeriesTime" or not _writes_factors(tags):
        return start, rule
    shown = float(np.median(zero_s(tags, clock.convention)))
    if not REFERENCE_TOLERANCE_S < shown - start <= LONGEST_PREPARATION_S:
        return start, rule
    off = np.abs(tags.decay_factor / expected_factor(tags, clock.starts_s, shown) - 1)
    return (start, rule) if off.max() > FACTOR_TOLERANCE else (shown, "FrameReferenceTime and DecayFactor")


def _writes_factors(tags: FrameTags) -> bool:
    return tags.vendor in (Vendor.GE, Vendor.SIEMENS) and bool(np.isfinite(tags.decay_factor).all())


def expected_factor(tags: FrameTags, starts_s: NDArray[np.float64], decay_zero_s: float) -> NDArray[np.float64]:
    """DecayFactor of every frame if values are corrected to ``decay_zero_s``: to the frame's start, and to there."""
    within = frame_factor(tags.durations_s, tags.half_life_s)
    return within * growth(starts_s - decay_zero_s, tags.half_life_s)


def check_decay_factor(tags: FrameTags, clock: FrameClock, decay_zero_s: float) -> bool:
    """Hold the moment of decay correction against DecayFactor; False where the vendor does not write it.

    Raises InputRefused: pet-decay-factor.
    """
    if not _writes_factors(tags):
        return False
    off = np.abs(tags.decay_factor / expected_factor(tags, clock.starts_s, decay_zero_s) - 1)
    if off.max() > FACTOR_TOLERANCE:
        raise InputRefused(
            "pet-decay-factor",
            "DecayFactor (0054,1321) of frame {off} differs by {highest:.1%} from what the frame's times and the "
            "half-life give; the header was altered, use the original series",
            off=int(np.argmax(off)) + 1,
            highest=off.max(),
        )
    return True


def check_scan_start(tags: FrameTags, clock: FrameClock, scan_start: float) -> tuple[Notice, ...]:
    """Hold the scan's start, to which START corrects, against DecayFactor, or else FrameReferenceTime's own zero.

    Raises InputRefused: pet-decay-factor, pet-decay-reference.
    """
    if tags.decay_reference_at is not None or check_decay_factor(tags, clock, scan_start):
        return ()
    if clock.convention is None:
        return (Notice("pet-decay-unconfirmed", "nothing in the header confirms the moment of decay correction"),)
    apart = float(np.median(zero_s(tags, clock.convention))) - scan_start
    if clock.led_by == "AcquisitionTime" and abs(apart) > REFERENCE_TOLERANCE_S:
        refusal = InputRefused(
            "pet-decay-reference",
            "FrameReferenceTime counts from {apart:+.4g} s after SeriesTime, so that the moment of decay "
            "correction is not known; use the original series",
            apart=apart,
        )
        raise with_slip(refusal, slip_between(apart, 0.0))
    return ()


def plausible_injection(
    dated: datetime | None, time_of_day: datetime | None, scan_start: datetime, half_life_s: float
) -> datetime | None:
    """The injection's wall clock, None when nothing plausible is known.

    dated: RadiopharmaceuticalStartDateTime. time_of_day: RadiopharmaceuticalStartTime on the scan's date.
    A date may be wrong (dates are shifted when a study is anonymized) while its time of day is right, so that the
    time of day is then placed on the scan's day or the day before: a scan across midnight.
    """
    candidates = [] if dated is None else [dated]
    clocks = [moment for moment in (dated, time_of_day) if moment is not None]
    for clock in clocks:
        today = datetime.combine(scan_start.date(), clock.time())
        candidates += [today, today - timedelta(days=1), today + timedelta(days=1)]
    for moment in candidates:
        elapsed = (scan_start - moment).total_seconds()
        if -MAX_BACKGROUND_S <= elapsed <= MAX_HALF_LIVES * half_life_s:
            return moment
    return None


def at_s(tags: FrameTags, seconds: float) -> datetime:
    """Wall clock of ``seconds`` after ``tags.origin``. Raises InputRefused: suv-scan-time when it is out of range."""
    try:
        return tags.origin + timedelta(seconds=float(seconds))
    except (OverflowError, ValueError) as reason:
        raise InputRefused("suv-scan-time", "a date or FrameReferenceTime is absurd; correct the header") from reason


def tags_of(
    vendor: Vendor,
    half_life_s: float,
    acquired: Sequence[datetime | None],
    durations_s: Sequence[float | None],
    reference_s: Sequence[float | None],
    decay_factor: Sequence[float | None],
    series_at: datetime | None,
    ge_scan_at: datetime | None,
    decay_reference_at: datetime | None = None,
) -> FrameTags:
    """FrameTags from values that may be absent. Raises InputRefused: suv-scan-time when there is no clock at all."""
    moments = [moment for moment in acquired if moment is not None] or ([series_at] if series_at else [])
    if not moments:
        raise InputRefused(
            "suv-scan-time", "SeriesDate/Time and AcquisitionDate/Time are absent or absurd; correct the header"
        )
    origin = min(moments)
    seconds = [np.nan if moment is None else (moment - origin).total_seconds() for moment in acquired]

    def array(values: Sequence[float | None]) -> NDArray[np.float64]:
        return np.array([np.nan if value is None else value for value in values], dtype=float)

    return FrameTags(
        vendor,
        half_life_s,
        origin,
        array(seconds),
        array(durations_s),
        array(reference_s),
        array(decay_factor),
        series_at,
        ge_scan_at,
        decay_reference_at,
    )
