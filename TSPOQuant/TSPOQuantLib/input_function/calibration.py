"""From the image's blood pool to blood: one factor, or recovery and spill-in, from blood samples."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..lazy_modules import optimize
from ..messages import InputRefused, Notice, Notices

Floats = NDArray[np.float64]
Curve = Callable[[Floats], Floats]

# Search range of recovery RC and spill-in m, and the relative standard error of RC above which it is said.
# Not from a source. RC above 1 is possible: it also holds any difference between scanner and well counter.
RECOVERY_RANGE = (0.05, 2.0)
SPILL_IN_RANGE = (0.0, 1.0)
UNCERTAIN = 0.2
USUAL_RECOVERY = (0.2, 1.15)
HIGHEST_RECOVERY = 1.5
"""A blood pool reads less than its blood, but for what scanner and well counter differ in. Far above, one of the two
curves is wrong as a whole: its unit, its decay correction, or the place of the pool. Choices."""

# How far samples may run late against the image, how finely that is searched, and its standard deviation before the
# data speak; the error of the pool's curve in time. Choices.
LONGEST_SHIFT_S, SHIFT_STEP_S, SHIFT_SD_S = 15.0, 0.5, 5.0
TIMING_SD_S = 1.0
NOISE_ROUNDS = 5
"""Shift and image noise are found in turn, so often at most."""
SHIFT_NOTED_S, MISFIT_NOTED = 5.0, 0.10
"""From here on the shift is said, and how far (root mean square) the pool is off what the samples make of it. On the
simulated scanner that reconstructs the latter was 5 % (SD of the image's noise), in 1 of 100 visits more than 10 %;
choices."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """C_img = recovery * C_WB + spill_in * C_tissue.

    method: "scale" (one factor from samples), "recovery-spill-in" (both from samples), "given" (from the settings).
    covariance: (2, 2) of (recovery, spill_in). sample_times_s: the samples used, none for "given". shift_s: how late
    they run against the image, where samples of the first pass told it. frame_errors: (frames, 3), what an error of
    one standard deviation in each frame of the blood pool does to recovery, to spill_in and, in kBq/mL, to that frame;
    part of the covariance. None where the samples tell nothing of the image's noise.
    flags: "one-sample", "recovery-at-bound", "spill-in-at-bound", "uncertain".
    """

    method: str
    recovery: float
    spill_in: float
    covariance: Floats
    sample_times_s: Floats
    flags: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    shift_s: float = 0.0
    frame_errors: Floats | None = None

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

    def errors(self, frames: int) -> Floats:
        """(directions, 2 + frames): independent errors of one standard deviation each, of recovery, spill_in and the
        blood pool's frames (kBq/mL).

        A frame that reads too high makes the recovery too high as well where samples lie in it, so that the error in
        blood cancels in part: the two are one direction.
        """
        if not np.isfinite(self.covariance).all():
            return np.zeros((0, 2 + frames))
        by_frame = np.zeros((frames, 3)) if self.frame_errors is None else self.frame_errors
        moved = by_frame[:, :2]
        values, vectors = np.linalg.eigh(self.covariance - moved.T @ moved)
        alone = np.hstack([(vectors * np.sqrt(np.maximum(values, 0.0))).T, np.zeros((2, frames))])
        together = np.hstack([moved, np.diag(by_frame[:, 2])])
        return np.vstack([alone, together])

    def moved(self, error: Floats) -> "Calibration":
        """With recovery and spill_in off by one of ``errors``."""
        return replace(self, recovery=self.recovery + float(error[0]), spill_in=self.spill_in + float(error[1]))

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
    notices = Notices()
    if count == 1:
        notices.add("calibration-one-sample", "the input was scaled to a single blood sample")
    flags = ("one-sample",) if count == 1 else ()
    covariance = np.diag([(error / factor**2) ** 2, 0.0])
    return Calibration("scale", 1 / factor, 0.0, covariance, times_s, flags, tuple(notices))


def recovery_calibration(
    times_s: Floats, blood: Floats, image: Floats, tissue: Floats, sample_cv: float
) -> Calibration:
    """RC and m of image = RC blood + m tissue by least squares within their ranges.

    blood, image, tissue: (samples >= 2,), kBq/mL at ``times_s``. Divided by blood the model is a straight line,
    image / blood = RC + m tissue / blood, whose error is RC times the relative error of the blood sample.
    Covariance: from the design and the larger of the residual variance (n - 2 degrees of freedom) and
    (RC sample_cv) squared, as if neither had bounds: where samples tell the two poorly apart, one of them ends at its
    bound and the other is no better known for it. Raises InputRefused ("calibration-undetermined") where RC ends at
    the lowest that is looked for.
    """
    design = np.stack([np.ones(len(blood)), tissue / blood], axis=1)
    lower, upper = zip(RECOVERY_RANGE, SPILL_IN_RANGE, strict=True)
    fit = optimize.lsq_linear(design, image / blood, bounds=(lower, upper), method="bvls")
    recovery, spill_in = (float(value) for value in fit.x)
    if recovery <= RECOVERY_RANGE[0]:
        raise InputRefused(
            "calibration-undetermined",
            "the blood samples do not tell recovery and spill-in apart: the blood pool would hardly show its blood; "
            "add samples of the first ten minutes, or state [input] recovery and spill_in",
        )
    free = np.array([lower[i] < fit.x[i] < upper[i] for i in range(2)])
    degrees = len(image) - 2
    variance = max(2 * float(fit.cost) / degrees if degrees else 0.0, (recovery * sample_cv) ** 2)
    covariance = np.linalg.pinv(design.T @ design) * variance
    return _noted(recovery, spill_in, covariance, free, times_s)


def timed_calibration(
    times_s: Floats,
    blood: Floats,
    pool: Curve,
    tissue: Curve,
    frames: NDArray[np.int_],
    noise: Floats,
    sample_cv: float,
) -> Calibration:
    """RC and m as by ``recovery_calibration``, and how late the samples run against the image.

    Samples of the first pass tell recovery much better than late ones do, for then there is little in the tissue; but
    they compare only where both clocks agree, and blood drawn from a wrist comes later and is dispersed, which a shift
    undoes in the mean. For every shift s the model image(t - s) = RC blood(t) + m tissue(t - s) is linear; the lowest
    sum of squares, with s/``SHIFT_SD_S`` as one more residual, wins. times_s, blood: (samples >= 4,). pool, tissue:
    kBq/mL at times in s. frames: (samples,), samples in one frame share its error. noise: (frames of the image,), the
    variance of each, by any one factor. That factor is what the residuals ask for beyond the errors of samples and
    time: their sum of squares comes to the degrees of freedom (Paule & Mandel, J Res Natl Bur Stand 1982;87:377).
    Covariance: what those errors, each of its own, do to the weighted solution for all three [textbook].
    """
    level = float(pool(times_s).sum() / blood.sum())
    together = np.array([np.count_nonzero(frames == frame) for frame in frames])
    lower, upper = zip(RECOVERY_RANGE, SPILL_IN_RANGE, strict=True)
    degrees = max(len(blood) - 3, 1)
    in_frame = noise[frames]

    def design(shift_s: float, factor: float) -> tuple[Floats, Floats, Floats, Floats]:
        """(samples, 3) what recovery, spill-in and a later image add; what they come to; each sample's error, and that
        without the frame's."""
        at = times_s - shift_s
        slope = (pool(at + TIMING_SD_S) - pool(at - TIMING_SD_S)) / (2 * TIMING_SD_S)
        own = (sample_cv * level * blood) ** 2 + (TIMING_SD_S * slope) ** 2
        error = np.sqrt((own + factor * in_frame) * together)
        return np.stack([blood, tissue(at), slope], axis=1), pool(at), error, np.sqrt(own)

    def solved(shift_s: float, factor: float) -> tuple[float, Floats]:
        """Sum of squared residuals, and RC and m."""
        rows, seen, error, _ = design(shift_s, factor)
        fit = optimize.lsq_linear(rows[:, :2] / error[:, None], seen / error, bounds=(lower, upper), method="bvls")
        return 2 * float(fit.cost), fit.x

    def best_shift(factor: float) -> float:
        count = round(LONGEST_SHIFT_S / SHIFT_STEP_S)
        shifts = SHIFT_STEP_S * np.arange(-count, count + 1)
        return float(min(shifts, key=lambda one: solved(one, factor)[0] + (one / SHIFT_SD_S) ** 2))

    def excess(factor: float, shift_s: float) -> float:
        return solved(shift_s, factor)[0] - degrees

    factor, shift_s = 0.0, best_shift(0.0)
    for _ in range(NOISE_ROUNDS):
        before, most = shift_s, len(blood) * float(np.max((pool(times_s) + blood) ** 2 / in_frame))  # no signal at all
        noisy = excess(0.0, shift_s) > 0
        factor = float(optimize.brentq(excess, 0.0, most, (shift_s,))) if noisy else 0.0
        shift_s = best_shift(factor)
        if shift_s == before:
            break
    rows, _, error, own = design(shift_s, factor)
    recovery, spill_in = (float(value) for value in solved(shift_s, factor)[1])
    free = np.array([low < value < high for low, value, high in zip(lower, (recovery, spill_in), upper, strict=True)])
    columns = rows[:, [*free, True]] / error[:, None]
    information = columns.T @ columns
    information[-1, -1] += 1 / SHIFT_SD_S**2
    inverse = np.zeros((2, columns.shape[1]))
    inverse[free] = np.linalg.pinv(information)[:-1]
    gain = inverse @ columns.T / error
    by_sample, by_shift = gain * own, inverse[:, -1:] / SHIFT_SD_S
    frame_errors = np.zeros((len(noise), 3))
    frame_errors[:, 2] = np.sqrt(factor * noise)
    np.add.at(frame_errors[:, :2], frames, (gain * frame_errors[frames, 2]).T)
    by_frame = frame_errors[:, :2]
    covariance = by_sample @ by_sample.T + by_shift @ by_shift.T + by_frame.T @ by_frame
    calibration = _noted(recovery, spill_in, covariance, free, times_s)
    notices = Notices(calibration.notices)
    if abs(shift_s) >= SHIFT_NOTED_S:
        notices.add(
            "calibration-shift",
            "the first pass comes {shift_s:+.1f} s later in the blood samples than in the image (place of sampling, "
            "line, or clock); the calibration of the input allows for it",
            shift_s=shift_s,
        )
    modeled = recovery * blood + spill_in * tissue(times_s - shift_s)
    off, in_time = pool(times_s - shift_s) / modeled - 1, TIMING_SD_S * rows[:, 2] / modeled
    misfit = float(np.sqrt(np.mean(np.maximum(off**2 - in_time**2, 0.0))))  # on the rise, a second is half the value
    if misfit > MISFIT_NOTED:
        notices.add(
            "calibration-misfit",
            "the calibrated blood pool is off the blood samples by {misfit:.0%} (root mean square), more than noise "
            "explains: the shape of the input is uncertain by as much, its first minutes most; look at the place of "
            "the pool, at what lies beside it, and at the samples, or take the input from arterial samples alone",
            misfit=misfit,
        )
    return replace(calibration, shift_s=shift_s, notices=tuple(notices), frame_errors=frame_errors)


def _noted(
    recovery: float, spill_in: float, covariance: Floats, free: NDArray[np.bool_], times_s: Floats
) -> Calibration:
    """A calibration with what has to be known of it. free: which of the two lie within their ranges."""
    flags = [f"{name}-at-bound" for name, inside in zip(("recovery", "spill-in"), free, strict=True) if not inside]
    notices = Notices(
        Notice("calibration-at-bound", "{flag} ended at the edge of its range; look at the samples", flag=flag[:-9])
        for flag in flags
    )
    error = float(np.sqrt(covariance[0, 0]))
    if error > UNCERTAIN * recovery:
        flags.append("uncertain")
        notices.add(
            "calibration-uncertain",
            "the samples tell recovery and spill-in poorly apart: recovery {recovery:.2f} with standard error "
            "{error:.2f}",
            recovery=recovery,
            error=error,
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
