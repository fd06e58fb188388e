"""From the image's blood pool to blood: one factor, or recovery and spill-in, from late blood samples."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from ..messages import InputRefused, Notice

Floats = NDArray[np.float64]

# Search range of recovery RC and spill-in m, and the relative standard error of RC above which it is said.
# Not from a source. RC above 1 is possible: it also holds any difference between scanner and well counter.
RECOVERY_RANGE = (0.05, 2.0)
SPILL_IN_RANGE = (0.0, 1.0)
UNCERTAIN = 0.2
USUAL_RECOVERY = (0.2, 1.15)
HIGHEST_RECOVERY = 1.5
"""A blood pool reads less than its blood, but for what scanner and well counter differ in. Far above, one of the two
curves is wrong as a whole: its unit, its decay correction, or the place of the pool. Choices."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """C_img = recovery * C_WB + spill_in * C_tissue.

    method: "scale" (one factor from samples), "recovery-spill-in" (both from samples), "given" (from the settings).
    covariance: (2, 2) of (recovery, spill_in). sample_times_s: the samples used, none for "given".
    flags: "one-sample", "recovery-at-bound", "spill-in-at-bound", "uncertain".
    """

    method: str
    recovery: float
    spill_in: float
    covariance: Floats
    sample_times_s: Floats
    flags: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def scale(self) -> float:
        """The factor that multiplies the image's blood pool."""
        return 1 / self.recovery

    @property
    def recovery_se(self) -> float:
        return float(np.sqrt(self.covariance[0, 0]))

    @property
    def spill_in_se(self) -> float:
        return float(np.sqrt(self.covariance[1, 1]))

    @property
    def scale_se(self) -> float:
        """Standard error of the factor by the delta method."""
        return self.recovery_se / self.recovery**2

    def blood(self, image: Floats, tissue: Floats | None) -> Floats:
        """C_WB of image values and the surrounding tissue's values (same shape; None where there is no spill-in)."""
        around = 0.0 if tissue is None else self.spill_in * tissue
        return np.asarray((image - around) / self.recovery)


def scale_calibration(times_s: Floats, blood: Floats, image: Floats, sample_cv: float) -> Calibration:
    """One factor: the mean of blood / image over the samples.

    blood, image: (samples,), kBq/mL at ``times_s``. Standard error: of that mean, at least sample_cv / sqrt(n).
    """
    ratios = blood / image
    factor, count = float(ratios.mean()), len(ratios)
    spread = float(ratios.std(ddof=1)) if count > 1 else 0.0
    error = max(spread, sample_cv * factor) / np.sqrt(count)
    flags: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    if count == 1:
        flags = ("one-sample",)
        notices = (Notice("calibration-one-sample", "the input was scaled to a single blood sample"),)
    covariance = np.diag([(error / factor**2) ** 2, 0.0])
    return Calibration("scale", 1 / factor, 0.0, covariance, times_s, flags, notices)


def recovery_calibration(
    times_s: Floats, blood: Floats, image: Floats, tissue: Floats, sample_cv: float
) -> Calibration:
    """RC and m of image = RC blood + m tissue by least squares within their ranges.

    blood, image, tissue: (samples >= 2,), kBq/mL at ``times_s``. Divided by blood the model is a straight line,
    image / blood = RC + m tissue / blood, whose error is RC times the relative error of the blood sample.
    Covariance: from the design and the larger of the residual variance (n - 2 degrees of freedom) and
    (RC sample_cv) squared; 0 for a parameter at its bound.
    """
    design = np.stack([np.ones(len(blood)), tissue / blood], axis=1)
    lower, upper = zip(RECOVERY_RANGE, SPILL_IN_RANGE, strict=True)
    fit = lsq_linear(design, image / blood, bounds=(lower, upper), method="bvls")
    recovery, spill_in = (float(value) for value in fit.x)
    free = np.array([lower[i] < fit.x[i] < upper[i] for i in range(2)])
    degrees = len(image) - 2
    variance = max(2 * float(fit.cost) / degrees if degrees else 0.0, (recovery * sample_cv) ** 2)
    covariance = np.zeros((2, 2))
    covariance[np.ix_(free, free)] = np.linalg.pinv(design[:, free].T @ design[:, free]) * variance
    flags = [f"{name}-at-bound" for name, inside in zip(("recovery", "spill-in"), free, strict=True) if not inside]
    notices = [
        Notice("calibration-at-bound", "{flag} ended at the edge of its range; look at the samples", flag=flag[:-9])
        for flag in flags
    ]
    error = float(np.sqrt(covariance[0, 0]))
    if error > UNCERTAIN * recovery:
        flags.append("uncertain")
        notices.append(
            Notice(
                "calibration-uncertain",
                "the samples tell recovery and spill-in poorly apart: recovery {recovery:.2f} with standard error "
                "{error:.2f}",
                recovery=recovery,
                error=error,
            )
        )
    return Calibration("recovery-spill-in", recovery, spill_in, covariance, times_s, tuple(flags), tuple(notices))


def given_calibration(recovery: float, spill_in: float) -> Calibration:
    """Recovery and spill-in that the settings state. Raises InputRefused ("calibration-range")."""
    if not (RECOVERY_RANGE[0] <= recovery <= RECOVERY_RANGE[1] and SPILL_IN_RANGE[0] <= spill_in <= SPILL_IN_RANGE[1]):
        raise InputRefused(
            "calibration-range",
            "recovery {recovery} must lie in {recovery_range} and spill-in {spill_in} in {spill_in_range}",
            recovery=recovery,
            recovery_range=RECOVERY_RANGE,
            spill_in=spill_in,
            spill_in_range=SPILL_IN_RANGE,
        )
    notice = Notice(
        "calibration-given",
        "recovery {recovery:.3g} and spill-in {spill_in:.3g} come from the settings, not from blood",
        recovery=recovery,
        spill_in=spill_in,
    )
    return Calibration("given", recovery, spill_in, np.zeros((2, 2)), np.zeros(0), (), (notice,))


def plausible(calibration: Calibration) -> Calibration:
    """A calibration by samples, with a notice where a blood pool hardly reads so much or so little of its blood.

    Raises InputRefused ("calibration-recovery") above ``HIGHEST_RECOVERY``.
    """
    recovery = calibration.recovery
    if recovery > HIGHEST_RECOVERY:
        raise InputRefused(
            "calibration-recovery",
            "the blood pool reads {recovery:.2f} times the blood samples, and can only read less; check the units and "
            "the decay correction of image and blood, and that [input] blood_pool names a vessel",
            recovery=recovery,
        )
    if USUAL_RECOVERY[0] <= recovery <= USUAL_RECOVERY[1]:
        return calibration
    notice = Notice(
        "calibration-recovery-odd",
        "the blood pool reads {recovery:.2f} of the blood samples, where {low:g} to {high:g} is usual; check the "
        "units and the decay correction of image and blood, and the place of the pool",
        recovery=recovery,
        low=USUAL_RECOVERY[0],
        high=USUAL_RECOVERY[1],
    )
    return replace(calibration, notices=(*calibration.notices, notice))
