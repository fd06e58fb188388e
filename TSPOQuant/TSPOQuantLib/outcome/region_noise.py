"""How noisy a region's curve is: from a voxel's noise and how far it reaches, or from a scan of one's own."""

import math

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..messages import InputRefused
from .record import VisitRecord

Array = NDArray[np.float64]

FEWEST_REGIONS = 2
"""A scan tells its noise by at least so many foramina: one may fit badly for another reason."""
MODEL = "1TCM"


def independent_voxels(volume_mm3: float, voxel_mm: float, noise_fwhm_mm: float) -> float:
    """How many independent voxels average as a region's correlated ones do.

    noise_fwhm_mm: of the Gaussian that would make this noise out of a white one; 0 for independent voxels. The noise
    of two places r apart then correlates by exp(-r²/4s²), s its SD, and the variance of a mean is the mean of that
    over all pairs: of a voxel with itself, and of two points of a ball of this volume, whose distance r has the
    density 3r²/R³ - 9r³/4R⁴ + 3r⁵/16R⁶ [textbook: ball line picking].
    """
    voxels = max(volume_mm3 / voxel_mm**3, 1.0)
    if noise_fwhm_mm <= 0:
        return voxels
    radius = (3 * volume_mm3 / (4 * math.pi)) ** (1 / 3)
    r = np.linspace(0, 2 * radius, 2001)
    density = 3 * r**2 / radius**3 - 9 * r**3 / (4 * radius**4) + 3 * r**5 / (16 * radius**6)
    sigma = noise_fwhm_mm / math.sqrt(8 * math.log(2))
    pairs = float(np.trapezoid(density * np.exp(-((r / (2 * sigma)) ** 2)), r))
    return 1 / (1 / voxels + (1 - 1 / voxels) * pairs)


def undecayed_s(timing: FrameTiming, half_life_s: float) -> Array:
    """(frames,): seconds of undecayed activity that a frame sees of 1 at time zero."""
    rate = math.log(2) / half_life_s
    return np.asarray(np.exp(-rate * timing.starts_s) * -np.expm1(-rate * timing.durations_s) / rate)


def counts_of(record: VisitRecord) -> float:
    """Counts of a foramen in a scan for 1 kBq/mL of decay-corrected activity that is seen for one undecayed second.

    By the residuals of the foramina's one-tissue fits: counts that average to m in a frame have the variance
    m / (c u), u its undecayed seconds, so 1 / c is the mean of residual² u / m, one frame less for each parameter that
    was fitted. The median over the foramina, as measured; what a model misses counts as noise.
    Raises InputRefused ("plan-noise").
    """
    scan = record.acquisition
    timing = FrameTiming(np.array(scan.frame_starts_s), np.array(scan.frame_durations_s))
    foramina = {region.name for region in record.regions if region.structure == "foramen"}
    scales = []
    for fit in record.fits:
        measured = fit.model == MODEL and fit.pvc == "none" and fit.region in foramina
        if not measured or not np.isfinite(fit.parameters["VT"]):
            continue
        used = (fit.weights > 0) & (fit.predicted > 0)
        freedom = int(used.sum()) - fit.n_parameters
        if freedom > 0 and scan.half_life_s:
            spread = fit.residuals[used] ** 2 * undecayed_s(timing, scan.half_life_s)[used] / fit.predicted[used]
            scales.append(freedom / float(spread.sum()))
    if len(scales) < FEWEST_REGIONS:
        raise InputRefused(
            "plan-noise",
            "{session} has {found} foramina fitted by {model}, and {needed} are needed to tell its noise; quantify "
            "more of them, or state noise_percent",
            session=record.session,
            found=len(scales),
            model=MODEL,
            needed=FEWEST_REGIONS,
        )
    return float(np.median(scales))
