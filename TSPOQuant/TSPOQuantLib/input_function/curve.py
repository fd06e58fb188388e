"""The input function that every kinetic model takes."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..messages import Notice


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
    def has_whole_blood(self) -> bool:
        """Whether whole blood is known; V_B and TBR-WB need it."""
        return bool(np.isfinite(self.whole_blood).all())

    def delayed(self, delay_s: float) -> "InputFunction":
        """Both curves shifted later by ``delay_s`` seconds."""
        return replace(self, times_s=self.times_s + delay_s)
