"""How V_T of each region would move, had the input, the place of the region or the resolution been a little different.

Computed where the images are, once a visit; what is assumed about the size of these errors comes later, in the
comparison, and can be changed there without the images.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..acquisition.frames import FrameTiming
from ..acquisition.image import DynamicImage, Volume
from ..alignment.motion import late_frames
from ..alignment.resample import mean_image
from ..input_function import Calibration, InputFunction, InputFunctionResult, ParentFractionFit, PlasmaRatioFit
from ..input_function.ensemble import varied
from ..input_function.result import ImageFrames
from ..kinetics import KineticFit
from ..kinetics.flags import LARGE_STANDARD_ERROR
from ..messages import InputRefused, Text
from ..progress import Progress, part, silent
from ..regions.partial_volume import FWHM_PER_SIGMA, FWHM_STEP_MM, PartialVolumeResult, corrected_means
from ..regions.region import Region
from ..regions.sampling import sample
from ..regions.tissues import surroundings
from .budget import KINETIC_MODEL
from .record import Sensitivity
from .second_tissue import ONE_TISSUE, TWO_TISSUES

Array = NDArray[np.float64]


class Refit(Protocol):
    """Fits as the visit's own were made."""

    def __call__(
        self,
        model: str,
        curves: Array,
        source: InputFunction,
        near: Sequence[KineticFit] | None = None,
        pvc: str = "none",
    ) -> Sequence[KineticFit]:
        """curves: (curves, frames), which went through this partial-volume correction. near: fits of the same curves
        with an input that hardly differs."""
        ...


# Steps of the finite differences, near the sizes that are assumed later; not published.
SCALE_STEP = 0.05
DELAY_STEP_S = 2.0
PLACE_STEP_MM = 0.6
AXES = ("x", "y", "z")
LEADING = 0.95
"""Of the variance of the blood's area that a calibration's errors make: the rest is not worth its fits. A choice."""
LEAST_AICC = 2.0
"""By so much AICc has to be lower: less tells nothing (Burnham & Anderson 2002, chapter 2)."""
STILL_FROM_S, SMOOTHING_MM = 600.0, 2.0
"""The image on which regions are moved: late enough to look like V_T, long and smooth enough that its noise does not
pass for a sensitivity (with the last 20 min alone it did, twofold, on the simulated neck)."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What V_T was computed from: regions with curves (regions, frames), and the fits of every model in that order.

    two_tissues: fits by two compartments that were made to choose the model; None where none were.
    """

    pvc: str
    regions: tuple[Region, ...]
    activity: Array
    fits: dict[str, tuple[KineticFit, ...]]
    two_tissues: tuple[KineticFit, ...] | None = None


@dataclass(frozen=True, eq=False)
class Geometry:
    """Where regions were read.

    image: as measured. moved: a rigid 4 x 4 a frame, as for ``sampling.sample``. ct: in HU, None without one.
    others: drawn regions that tell tissues apart but were not quantified. minimum_coverage: see regions.sampling.
    """

    image: DynamicImage
    moved: Sequence[Array] | None
    ct: Volume | None
    others: tuple[Region, ...]
    minimum_coverage: float


@dataclass(frozen=True, eq=False)
class _Varied:
    """An input a step below and above."""

    component: str
    factor: str
    unit: str
    step: float
    sd: float | None
    lower: InputFunction
    upper: InputFunction


def sensitivities(
    measured: Measured,
    corrected: Measured | None,
    pvc: PartialVolumeResult | None,
    geometry: Geometry,
    source: InputFunctionResult,
    refit: Refit,
    delay_fitted: bool = False,
    width_se_mm: float | None = None,
    progress: Progress = silent,
) -> tuple[Sensitivity, ...]:
    """Every region's V_T under every model against each nuisance in turn.

    The input is varied and everything refitted: its scale, its delay, and each independent direction of the errors of
    calibration, plasma ratio and parent fraction (eigenvectors of their covariances, one standard deviation each).
    Regions are moved, alone ("placement") and with the CT ("registration"), on a mean of the later frames; the change
    of that mean stands for the change of V_T, which late activity is close to proportional to. The resolution is
    varied for corrected curves only, and these are refitted, as are the curves by every other correction and by other
    models of the neighbors. Where one tissue compartment does not do, see ``of_kinetic_model``. width_se_mm: the
    resolution's standard error where the images told it, FWHM in mm.
    """
    everything = [curves for curves in (measured, corrected) if curves is not None]
    rows = of_input(everything, source, refit, delay_fitted, part(progress, 0, 0.5))
    rows += [row for curves in everything for row in of_population(curves, source, refit)]
    rows += [row for curves in everything for row in of_kinetic_model(curves, source, refit)]
    still = still_image(geometry)
    for number, region in enumerate(measured.regions):
        progress(
            0.5 + 0.4 * number / len(measured.regions), Text("Error of place: {region_name}", region_name=region.name)
        )
        rows += _of_place(measured, number, _sampled_moves(still, region, geometry))
    if corrected is not None and pvc is not None:
        everything_drawn = (*measured.regions, *geometry.others)
        rows += of_corrected_place(corrected, everything_drawn, still, pvc, geometry, part(progress, 0.9, 0.95))
        progress(0.95, "Error of the resolution")
        rows += of_resolution(corrected, pvc, source, refit, width_se_mm)
        rows += of_correction_model(corrected, pvc, source, refit)
    return tuple(rows)


# --- The input -------------------------------------------------------------------------------------------------------


def of_input(
    everything: Sequence[Measured],
    source: InputFunctionResult,
    refit: Refit,
    delay_fitted: bool = False,
    progress: Progress = silent,
) -> list[Sensitivity]:
    """Scale, delay, calibration, plasma ratio and parent fraction."""
    rows: list[Sensitivity] = []
    inputs = list(_inputs(source, delay_fitted))
    for number, changed in enumerate(inputs):
        progress(number / len(inputs), Text("Error of the input: {component}", component=changed.component))
        for measured in everything:
            rows += _of_input(measured, changed, refit)
    return rows


def _inputs(source: InputFunctionResult, delay_fitted: bool) -> Iterator[_Varied]:
    original = source.input_function

    def scaled(factor: float) -> InputFunction:
        return replace(
            original, parent_plasma=factor * original.parent_plasma, whole_blood=factor * original.whole_blood
        )

    yield _Varied("input-scale", "input-scale", "1", SCALE_STEP, None, scaled(1 - SCALE_STEP), scaled(1 + SCALE_STEP))
    if not delay_fitted:  # else its error is in the fit's own
        ends = original.delayed(-DELAY_STEP_S), original.delayed(DELAY_STEP_S)
        yield _Varied("delay", "delay", "s", DELAY_STEP_S, None, *ends)
    fraction, ratio, calibration = source.parent_fraction, source.plasma_ratio, source.calibration
    if calibration is not None and source.image is not None:
        errors = _leading(calibration, source.image)
        yield from _either_side("input-calibration", errors, partial(_calibrated, source, calibration, source.image))
    if ratio is not None:

        def with_ratio(error: Array, known: PlasmaRatioFit = ratio) -> InputFunction:
            return varied(source, fraction, known.off_by(error))

        yield from _along("plasma-ratio", ratio.covariance, with_ratio)
    if fraction is not None:

        def with_fraction(error: Array, known: ParentFractionFit = fraction) -> InputFunction:
            return varied(source, known.off_by(error), ratio)

        yield from _along("parent-fraction", fraction.covariance, with_fraction)


def _calibrated(source: InputFunctionResult, known: Calibration, image: ImageFrames, error: Array) -> InputFunction:
    """The input had calibration and blood pool been off by one of ``Calibration.errors``."""
    blood = known.moved(error).blood(image.blood_pool + error[2:], image.tissue)
    return varied(source, source.parent_fraction, source.plasma_ratio, blood)


def _leading(calibration: Calibration, image: ImageFrames) -> Array:
    """The errors of a calibration, turned so that few of them hold ``LEADING`` of what all do to the blood's area.

    Independent errors of one standard deviation each stay so when they are turned [textbook].
    """
    errors = calibration.errors(len(image.timing))
    blood = calibration.blood(image.blood_pool, image.tissue)
    tissue = np.zeros(len(blood)) if image.tissue is None else image.tissue
    does = (errors[:, 2:] - np.outer(errors[:, 1], tissue) - np.outer(errors[:, 0], blood)) * image.timing.durations_s
    turned, sizes, _ = np.linalg.svd(does, full_matrices=False)
    held = np.cumsum(sizes**2)
    needed = int(np.searchsorted(held, LEADING * held[-1])) + 1 if held.size and held[-1] > 0 else 0
    return np.asarray(turned[:, :needed].T @ errors)


def _along(component: str, covariance: Array, make: Callable[[Array], InputFunction]) -> Iterator[_Varied]:
    """As ``_either_side``, of a step whose errors have this covariance."""
    return _either_side(component, _directions(covariance), make)


def _either_side(component: str, errors: Iterable[Array], make: Callable[[Array], InputFunction]) -> Iterator[_Varied]:
    """One standard deviation to either side along every independent direction of a step's errors."""
    for number, direction in enumerate(errors):
        yield _Varied(component, f"{component}:{number + 1}", "SD", 1.0, 1.0, make(-direction), make(direction))


def _directions(covariance: Array) -> list[Array]:
    """Independent errors of one standard deviation each: eigenvectors times the roots of their eigenvalues, found of
    the correlations, since parameters of one formula may differ in size by many orders."""
    if covariance.size == 0 or not np.isfinite(covariance).all():
        return []
    sds = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    scale = np.where(sds > 0, sds, 1.0)
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    tiny = 1e-12 * max(float(values.max()), 0.0)
    return [scale * vectors[:, n] * np.sqrt(value) for n, value in enumerate(values) if value > tiny]


def _of_input(measured: Measured, varied_input: _Varied, refit: Refit) -> list[Sensitivity]:
    rows = []
    for model, fits in measured.fits.items():
        ends = [
            _volumes(refit, model, measured, measured.activity, end, fits)
            for end in (varied_input.lower, varied_input.upper)
        ]
        for number, (region, fit) in enumerate(zip(measured.regions, fits, strict=True)):
            lower, upper = (_log_ratio(end[number], fit.outcome_value) for end in ends)
            what = (varied_input.component, varied_input.factor, varied_input.unit, varied_input.step)
            rows.append(Sensitivity(region.name, model, measured.pvc, *what, lower, upper, varied_input.sd))
    return rows


def _volumes(
    refit: Refit,
    model: str,
    like: Measured,
    activity: Array,
    source: InputFunction,
    near: Sequence[KineticFit] | None = None,
) -> list[float]:
    """V_T of every curve, corrected as those of ``like``; nan where the varied input cannot be used."""
    try:
        return [fit.outcome_value for fit in refit(model, activity, source, near, like.pvc)]
    except InputRefused:
        return [float("nan")] * len(activity)


def _log_ratio(value: float, reference: float) -> float:
    return float(np.log(value / reference)) if value > 0 and reference > 0 else float("nan")


def of_population(measured: Measured, source: InputFunctionResult, refit: Refit) -> list[Sensitivity]:
    """How far V_T by each scan of the template lies from V_T by their mean; nothing for an input that was measured."""
    spread, rows = source.population, []
    if spread is None:
        return []
    for model, fits in measured.fits.items():
        for number, (other, sd) in enumerate(zip(spread.inputs, spread.sds, strict=True), start=1):
            volumes = _volumes(refit, model, measured, measured.activity, other)
            for region, fit, volume in zip(measured.regions, fits, volumes, strict=True):
                away = _log_ratio(volume, fit.outcome_value)
                place, factor = (region.name, model, measured.pvc), f"population-input:{number}"
                rows.append(Sensitivity(*place, "population-input", factor, "SD", 1.0, -away, away, sd, spread.df))
    return rows


# --- The model of the tissue -----------------------------------------------------------------------------------------


def of_kinetic_model(measured: Measured, source: InputFunctionResult, refit: Refit) -> list[Sensitivity]:
    """How far V_T by two tissue compartments lies from V_T by one, where AICc asks for the second and determines V_T.

    In the log it counts as one standard deviation: two visits err alike in it, and only what they differ in stays.
    """
    if ONE_TISSUE not in measured.fits:
        return []
    try:
        fitted: Sequence[KineticFit] | None = measured.fits.get(TWO_TISSUES, measured.two_tissues)
        larger = fitted or refit(TWO_TISSUES, measured.activity, source.input_function, None, measured.pvc)
    except InputRefused:  # an input that only the visit's own models can use
        return []
    rows, component = [], KINETIC_MODEL
    for region, one, two in zip(measured.regions, measured.fits[ONE_TISSUE], larger, strict=True):
        known = two.outcome_error <= LARGE_STANDARD_ERROR * two.outcome_value
        away = _log_ratio(two.outcome_value, one.outcome_value)
        if known and two.aicc < one.aicc - LEAST_AICC and np.isfinite(away):
            place = (region.name, ONE_TISSUE, measured.pvc)
            rows.append(Sensitivity(*place, component, component, "SD", 1.0, -away, away, 1.0))
    return rows


# --- The place -------------------------------------------------------------------------------------------------------


def still_image(geometry: Geometry) -> DynamicImage:
    """The mean of all frames from ``STILL_FROM_S`` on, brought to the position in which the regions were drawn and
    smoothed by ``SMOOTHING_MM``, as a scan of one frame."""
    image = geometry.image
    frames = np.flatnonzero(image.timing.starts_s >= STILL_FROM_S).tolist() or late_frames(image.timing)
    mean = mean_image(image, frames, geometry.moved).values
    sigmas = [SMOOTHING_MM / FWHM_PER_SIGMA / step for step in image.grid.spacing_mm[::-1]]
    smooth = gaussian_filter(mean, sigmas, mode="nearest")
    return replace(image, activity=smooth[None], timing=FrameTiming(np.zeros(1), np.ones(1)))


def _shift(axis: int, distance_mm: float) -> Array:
    matrix = np.eye(4)
    matrix[axis, 3] = distance_mm
    return matrix


def _moves(here: float, measure: Callable[[Array], float]) -> list[tuple[float, float]]:
    """ln of the mean, moved a step down and up along each axis, over the mean where it is."""
    return [
        (
            _log_ratio(measure(_shift(axis, -PLACE_STEP_MM)), here),
            _log_ratio(measure(_shift(axis, PLACE_STEP_MM)), here),
        )
        for axis in range(3)
    ]


def _sampled_moves(still: DynamicImage, region: Region, geometry: Geometry) -> dict[str, list[tuple[float, float]]]:
    """A region that is read off the image does not care whether it or the image moved."""

    def measure(shift: Array) -> float:
        try:
            return float(sample(still, region, [shift], geometry.minimum_coverage).mean[0])
        except InputRefused:  # moved beyond the field
            return float("nan")

    moves = _moves(measure(np.eye(4)), measure)
    return {"placement": moves, "registration": moves}


def of_corrected_place(
    corrected: Measured,
    drawn: Sequence[Region],
    still: DynamicImage,
    pvc: PartialVolumeResult,
    geometry: Geometry,
    progress: Progress = silent,
) -> list[Sensitivity]:
    """Every corrected region, moved alone and with all that tells tissues apart; drawn: all that does but the CT."""
    around = surroundings(drawn, geometry.ct)
    i, j, k = (float(np.hypot(width, SMOOTHING_MM)) for width in pvc.fwhm_mm)
    least = geometry.minimum_coverage

    def measure(own: Sequence[Array], rest: Array) -> Array:
        return corrected_means(still, corrected.regions, around, pvc.method, (i, j, k), own, rest, least)

    here = np.eye(4)
    shifts = [_shift(axis, sign * PLACE_STEP_MM) for axis in range(3) for sign in (-1, 1)]
    progress(0, "Error of place, corrected")
    center, *alone = measure([here, *shifts], here)
    with_all = []
    for done, shift in enumerate(shifts, 1):
        progress(done / (1 + len(shifts)), "Error of place, corrected")
        with_all.append(measure([shift], shift)[0])
    rows = []
    for number in range(len(corrected.regions)):
        moves = {
            name: [
                (_log_ratio(lower[number], center[number]), _log_ratio(upper[number], center[number]))
                for lower, upper in zip(means[::2], means[1::2], strict=True)
            ]
            for name, means in (("placement", alone), ("registration", with_all))
        }
        rows += _of_place(corrected, number, moves)
    return rows


def _of_place(measured: Measured, number: int, moves: dict[str, list[tuple[float, float]]]) -> list[Sensitivity]:
    """A region whose own place is known with an error says so; the CT's place has no estimate of its own."""
    region = measured.regions[number]
    sd = {"placement": region.placement_mm, "registration": None}
    rows = []
    for model in measured.fits:
        for component, along in moves.items():
            for axis, ends in zip(AXES, along, strict=True):
                what = (component, f"{component}:{axis}", "mm", PLACE_STEP_MM)
                rows.append(Sensitivity(region.name, model, measured.pvc, *what, *ends, sd[component]))
    return rows


# --- The resolution --------------------------------------------------------------------------------------------------


def of_resolution(
    corrected: Measured,
    pvc: PartialVolumeResult,
    source: InputFunctionResult,
    refit: Refit,
    width_se_mm: float | None = None,
) -> list[Sensitivity]:
    rows = []
    finer, coarser = (
        np.array([getattr(curve.corrected, end) for curve in pvc.curves]) for end in ("finer", "coarser")
    )
    for model, fits in corrected.fits.items():
        ends = [_volumes(refit, model, corrected, curves, source.input_function, fits) for curves in (finer, coarser)]
        for number, (region, fit) in enumerate(zip(corrected.regions, fits, strict=True)):
            lower, upper = (_log_ratio(end[number], fit.outcome_value) for end in ends)
            what = ("resolution", "resolution", "mm", FWHM_STEP_MM)
            rows.append(Sensitivity(region.name, model, corrected.pvc, *what, lower, upper, width_se_mm))
    return rows


def of_correction_model(
    corrected: Measured, pvc: PartialVolumeResult, source: InputFunctionResult, refit: Refit
) -> list[Sensitivity]:
    """How far V_T by each alternative correction lies from the one that was chosen.

    Which of them is right no image tells: each is one direction of the model's error, and together they have the
    variance of their mean square. Two visits err alike in it, so that only what they differ in stays in a change.
    """
    rows = []
    names = list(dict.fromkeys(name for curve in pvc.curves for name in curve.corrected.alternatives))
    sd = 1 / np.sqrt(max(len(names), 1))
    for model, fits in corrected.fits.items():
        for name in names:
            curves = np.array([curve.corrected.alternatives.get(name, curve.corrected.mean) for curve in pvc.curves])
            volumes = _volumes(refit, model, corrected, curves, source.input_function, fits)
            for region, fit, volume in zip(corrected.regions, fits, volumes, strict=True):
                away = _log_ratio(volume, fit.outcome_value)
                place, factor = (region.name, model, corrected.pvc), f"correction-model:{name}"
                rows.append(Sensitivity(*place, "correction-model", factor, "SD", 1.0, -away, away, sd))
    return rows
