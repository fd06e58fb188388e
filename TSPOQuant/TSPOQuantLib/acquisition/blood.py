"""Blood measurements, as a site wrote them, in seconds and kBq/mL."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import Notice


@dataclass(frozen=True, eq=False)
class SampledCurve:
    """Measured points: times in seconds from time zero (increasing), values in kBq/mL, or a fraction of 1."""

    times_s: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BloodSamples:
    """What was measured in blood; None where nothing was.

    whole_blood, plasma: kBq/mL, decay-corrected to time zero. parent_fraction: 0 to 1. plasma is TOTAL plasma.
    autosampler: whole blood of a continuous sampler, not corrected for dispersion unless dispersion_s is None.
    parent_plasma: metabolite-corrected plasma given ready (the AIF column of a _bloodproc.tsv), else None.
    route: "arterial", "venous" or "unknown".
    """

    whole_blood: SampledCurve | None = None
    plasma: SampledCurve | None = None
    parent_fraction: SampledCurve | None = None
    autosampler: SampledCurve | None = None
    dispersion_s: float | None = None
    parent_plasma: SampledCurve | None = None
    route: str = "unknown"
    notices: tuple[Notice, ...] = ()
