"""The input function that every kinetic model takes."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..messages import Notice

Floats = NDArray[np.float64]

# Notices of an input whose first pass was not measured: what stands for it is a guess, and with it every outcome.
PASS_MISSED = ("input-late-start", "input-peak-gap", "blood-starts-late", "blood-peak-gap")
# A pass through the arteries lasts about a minute; a gap in it longer than this hides the peak. Not from a source.
FIRST_PASS_S = 60.0
LONGEST_GAP_S = 40.0
ARRIVED = 0.1  # of the highest value


@dataclass(frozen=True, eq=False)
class InputFunction:
    """Parent plasma and whole blood as piecewise-linear curves on shared knots.

    times_s: knots in seconds from time zero, increasing; both curves are 0 before the first knot and keep their
    last value after the last one. A step at the first knot is allowed (first value not 0).
    parent_plasma: metabolite-corrected plasma, kBq/mL. whole_blood: kBq/mL, for V_B and TBR-WB; not a number where
    whole blood was not measured (``has_whole_blood`` is False), so that no model takes it for zero.
    """

    times_s: NDArray[np.float64]
    parent_plasma: NDArray[np.float64]
    whole_blood: NDArray[np.float64]
    notices: tuple[Notice, ...] = ()
    settings: dict[str, object] = field(default_factory=dict)

    @property
    def pass_missed(self) -> tuple[Notice, ...]:
        """Why the first pass of the tracer is a guess; empty where it was measured."""
        return tuple(notice for notice in self.notices if notice.code in PASS_MISSED)

    @property
    def has_whole_blood(self) -> bool:
        """Whether whole blood is known; V_B and TBR-WB need it."""
        return bool(np.isfinite(self.whole_blood).all())

    def delayed(self, delay_s: float) -> "InputFunction":
        """Both curves shifted later by ``delay_s`` seconds."""
        return replace(self, times_s=self.times_s + delay_s)


def gap_in_first_pass(starts_s: Floats, ends_s: Floats, values: Floats) -> tuple[float, float] | None:
    """The first stretch without measurement, in seconds, that hides the peak; None without one.

    starts_s, ends_s: of the measurements, the same for samples. The pass begins with the last measurement before the
    tracer has arrived.
    """
    arrived = int(np.argmax(values > ARRIVED * values.max()))
    begin_s = float(ends_s[max(arrived - 1, 0)])
    gaps = starts_s[1:] - ends_s[:-1]
    hidden = (gaps > LONGEST_GAP_S) & (ends_s[:-1] >= begin_s) & (ends_s[:-1] < begin_s + FIRST_PASS_S)
    if not hidden.any():
        return None
    at = int(np.argmax(hidden))
    return float(ends_s[at]), float(starts_s[at + 1])
