"""Slips of time that numbers tell plainly: two units mixed up, a day at midnight, an hour between two clocks."""

import numpy as np
from numpy.typing import NDArray

from ..messages import InputRefused, Text

# Times that differ by one of these factors, to this part of it, were written in two units.
MIXED = {
    60.0: Text("minutes and seconds"),
    1000.0: Text("seconds and milliseconds"),
    60_000.0: Text("minutes and milliseconds"),
}
SAME_FACTOR = 0.05
DAY_S, HOUR_S = 24 * 3600.0, 3600.0
# Clocks that differ by whole days or hours, to so many seconds, differ by their date or their time zone (a choice).
SAME_CLOCK_S = 2.0
MOST_HOURS = 12


def mixed_units(ratio: float) -> Text | None:
    """Which two units of time are mixed up where times have this ratio; None where it is no plain one."""
    if not ratio > 0:
        return None
    off = {factor: abs(abs(np.log(ratio)) - np.log(factor)) for factor in MIXED}
    nearest = min(off, key=lambda factor: off[factor])
    return MIXED[nearest] if off[nearest] < SAME_FACTOR else None


def whole_days(apart_s: NDArray[np.float64]) -> bool:
    """Whether moments that should be one are days apart, some of them at least one."""
    days = np.rint(apart_s / DAY_S)
    return bool(days.any() and np.abs(apart_s - days * DAY_S).max() <= SAME_CLOCK_S)


def slip_between(stated_s: float, due_s: float) -> Text | None:
    """What plainly lies between a time and the one that is due, in seconds from one zero; None where nothing does."""
    apart = stated_s - due_s
    if whole_days(np.array([apart])):
        return Text("they are exactly one day apart: a date was not advanced at midnight")
    hours = round(abs(apart) / HOUR_S)
    if 1 <= hours <= MOST_HOURS and abs(abs(apart) - hours * HOUR_S) <= SAME_CLOCK_S:
        return Text("they are {hours} h apart, as clocks of summer time or of two time zones are", hours=hours)
    units = mixed_units(stated_s / due_s) if due_s else None
    return Text("{units} are mixed up", units=units) if units else None


def with_slip(refusal: InputRefused, slip: Text | None) -> InputRefused:
    """A refusal that also says what plainly went wrong, where that is known."""
    if slip is None:
        return refusal
    return InputRefused(refusal.code, "{problem} ({slip})", problem=refusal.message, slip=slip)
