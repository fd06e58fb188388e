"""Is the interval of a change honest, and is a change called one only where there is one? Simulated necks.

A neck's noise-free images are made once; every draw adds its own noise to them, and its own errors of all that the
error budget assumes. What is drawn once a neck is said in the text.
"""

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from TSPOQuantLib.acquisition.blood import BloodSamples, SampledCurve
from TSPOQuantLib.acquisition.image import DynamicImage, Volume
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.input_function import ImageDerivedSettings, InputFunction, image_derived_input
from TSPOQuantLib.kinetics import FitOptions, KineticFit, fit, weights
from TSPOQuantLib.outcome.budget import (
    BudgetSettings,
    Errors,
    budget_of,
    degrees_of_freedom,
    errors_from,
    reach,
    relative_error,
)
from TSPOQuantLib.outcome.record import Sensitivity
from TSPOQuantLib.outcome.repeatability import TWO_SIDED, Coefficient, judge
from TSPOQuantLib.outcome.sensitivity import (
    Array,
    Geometry,
    Measured,
    of_corrected_place,
    of_input,
    of_resolution,
    still_image,
)
from TSPOQuantLib.phantom import PhantomSettings, write_phantom
from TSPOQuantLib.phantom.anatomy import with_noise
from TSPOQuantLib.phantom.scanner import counts_per_activity, with_count_noise
from TSPOQuantLib.phantom.settings import VISITS
from TSPOQuantLib.phantom.tables import ACTIVITY_ERROR, FRACTION_ERROR, SAMPLES_MIN
from TSPOQuantLib.phantom.tracer import ARRIVAL_MIN, HALF_LIFE_S, PUBLISHED_VT, blood_of, frame_averages, kinetics_of
from TSPOQuantLib.pipeline.placement import align_visit, region_to_frame
from TSPOQuantLib.pipeline.visit_data import read_visit
from TSPOQuantLib.regions.anatomy import ANATOMY_ONLY
from TSPOQuantLib.regions.partial_volume import correct
from TSPOQuantLib.regions.region import Region, regions_of
from TSPOQuantLib.regions.sampling import coverage, sample
from TSPOQuantLib.regions.settings import TISSUE_VB
from TSPOQuantLib.regions.surround import surround
from TSPOQuantLib.study import read_study

from .document import Figure, Goal, Section, paragraphs, table

TITLE = "The verdict: intervals of a change, simulated necks"
NECKS, DRAWS = 5, 20
MODEL, METHOD, FWHM_MM, NOISE_PERCENT = "1TCM", "GTM", 5.0, 20.0
AFFECTED, CALM = "foramen C6/C7 left (root C7)", "foramen C3/C4 left (root C4)"
TRUE_LOG_RATIO = math.log(PUBLISHED_VT[AFFECTED]["followup"] / PUBLISHED_VT[AFFECTED]["baseline"])
WCV = 0.10
MARGIN_MM = 16.0
"""Around the affected foramen, as far as its correction looks."""
SEED = 81
GOAL_HELD, GOAL_HALF_WIDTH, GOAL_FALSE, GOAL_TRUE = (90, 99), 0.25, 10, 80


@dataclass(frozen=True, eq=False)
class Place:
    """Which voxels a region is read from in each frame, and with which weights."""

    voxels: tuple[NDArray[np.intp], ...]
    weights: tuple[Array, ...]

    def read(self, activity: NDArray[np.float32]) -> Array:
        """(frames,) of images (frames, k, j, i)."""
        flat = activity.reshape(len(activity), -1)
        pairs = enumerate(zip(self.voxels, self.weights, strict=True))
        return np.array([float(weight @ flat[frame, voxels]) for frame, (voxels, weight) in pairs])


@dataclass(frozen=True, eq=False)
class Neck:
    """One visit of one neck: noise-free images, and all that its draws share.

    needed: (k, j, i), the voxels that are looked at and so need noise. frame_weights: of the fits.
    """

    visit: str
    image: DynamicImage
    ct: Volume
    moved: tuple[Array, ...]
    affected: Region
    calm: Region
    others: tuple[Region, ...]
    pool: Place
    tissue: Place
    needed: NDArray[np.bool_]
    per_activity: float
    frame_weights: Array


@dataclass(frozen=True, eq=False)
class Draw:
    """One visit as measured once. V_T of both foramina as measured, and of the affected one corrected."""

    affected: float
    calm: float
    corrected: float
    errors: Errors


def necks(count: int) -> Iterator[tuple[Neck, Neck]]:
    """Both visits of each neck; seed 1 is the reference neck, every other one has its own shape."""
    for seed in range(1, count + 1):
        with tempfile.TemporaryDirectory() as scratch:
            root = Path(scratch) / "neck"
            write_phantom(root, PhantomSettings(seed=seed, fwhm_mm=FWHM_MM, noise_percent=0.0, fast=True))
            yield _prepared(root, VISITS[0], seed), _prepared(root, VISITS[1], seed)


def _prepared(root: Path, visit: str, seed: int) -> Neck:
    """Align one noisy draw of the visit, and find out where everything is read."""
    study = read_study(root / f"ses-{visit}" / "study.toml")
    data = read_visit(study)
    assert data.ct is not None
    blood = blood_of(visit)
    curves = frame_averages(kinetics_of(visit, {}), blood.parent_plasma, blood.whole_blood, ARRIVAL_MIN)
    per_activity = counts_per_activity(curves, NOISE_PERCENT)
    image, (ct_seed, noise_seed) = data.image, np.random.SeedSequence([SEED, seed, VISITS.index(visit)]).spawn(2)
    ct = replace(data.ct, values=with_noise(data.ct.values, data.ct.grid, np.random.default_rng(ct_seed)))
    everywhere = np.ones(image.grid.shape, dtype=bool)
    noisy = _noisy(image, everywhere, per_activity, np.random.default_rng(noise_seed))
    moved = region_to_frame(*align_visit(noisy, ct, study.settings))
    assert moved is not None
    regions = regions_of(data.segmentation)
    by_name = {region.name: region for region in regions}
    pool = next(region for region in regions if region.anatomy.structure == "blood-pool")
    shell = surround(noisy, pool, regions, moved)
    assert shell is not None
    places = [_place(region, image.grid, moved) for region in (pool, shell, by_name[CALM])]
    needed = np.zeros(image.grid.shape, dtype=bool)
    for place in places:
        for voxels in place.voxels:
            needed.reshape(-1)[voxels] = True
    needed |= _around(by_name[AFFECTED], image.grid, moved) | _around(by_name[CALM], image.grid, moved, 4.0)
    targets = [region for region in regions if region.anatomy.structure not in ANATOMY_ONLY]
    mean = np.mean([sample(image, region, moved).mean for region in targets], axis=0)
    return Neck(
        visit=visit,
        image=image,
        ct=ct,
        moved=tuple(moved),
        affected=by_name[AFFECTED],
        calm=by_name[CALM],
        others=tuple(region for region in regions if region.name != AFFECTED),
        pool=places[0],
        tissue=places[1],
        needed=needed,
        per_activity=per_activity,
        frame_weights=weights("counts", image.timing, mean, image.scan.half_life_s),
    )


def _place(region: Region, grid: Grid, moved: Sequence[Array]) -> Place:
    """As ``sampling.sample`` reads the region."""
    voxels, shares = [], []
    for transform in moved:
        covered = coverage(region, grid, transform)
        keep = covered.fractions >= 0.5
        voxels.append(covered.voxels[keep])
        shares.append(covered.fractions[keep] / covered.fractions[keep].sum())
    return Place(tuple(voxels), tuple(shares))


def _around(region: Region, grid: Grid, moved: Sequence[Array], margin_mm: float = MARGIN_MM) -> NDArray[np.bool_]:
    """The box of voxels within a margin of where the region lies in any frame."""
    inside = np.zeros(grid.shape, dtype=bool)
    where = [np.unravel_index(coverage(region, grid, transform).voxels, grid.shape) for transform in moved]
    index = np.concatenate([np.stack(one) for one in where], axis=1)
    reach_voxels = np.ceil(margin_mm / np.array(grid.spacing_mm[::-1])).astype(int)
    low, high = np.maximum(index.min(axis=1) - reach_voxels, 0), index.max(axis=1) + reach_voxels + 1
    inside[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return inside


def _noisy(
    image: DynamicImage, needed: NDArray[np.bool_], per_activity: float, rng: np.random.Generator
) -> DynamicImage:
    """Count noise in the voxels that are looked at; all others are empty."""
    activity = np.zeros_like(image.activity)
    for frame in range(len(activity)):
        clean = np.maximum(image.activity[frame][needed], 0)
        activity[frame][needed] = with_count_noise(clean, frame, per_activity, rng)
    return replace(image, activity=activity)


def _blood(visit: str, budget: BudgetSettings, rng: np.random.Generator) -> BloodSamples:
    """The phantom's samples with the errors of counter and assay, and one error of scale for all of them."""
    truth, seconds = blood_of(visit), SAMPLES_MIN * 60
    scale = math.exp(budget.input_scale * rng.standard_normal())
    whole, plasma = (
        scale * values * (1 + ACTIVITY_ERROR * rng.standard_normal(values.size))
        for values in (truth.whole_blood(SAMPLES_MIN), truth.total_plasma(SAMPLES_MIN))
    )
    fraction = truth.parent_fraction(SAMPLES_MIN)
    fraction = np.clip(fraction + FRACTION_ERROR * rng.standard_normal(fraction.size), 0.01, 1.0)
    return BloodSamples(SampledCurve(seconds, whole), SampledCurve(seconds, plasma), SampledCurve(seconds, fraction))


def _misplaced(region: Region, size_mm: float, rng: np.random.Generator) -> Region:
    shift = np.eye(4)
    shift[:3, 3] = size_mm / math.sqrt(3) * rng.standard_normal(3)
    return replace(region, grid=Grid(region.grid.shape, shift @ region.grid.ijk_to_lps))


class Measurer:
    """Draws of one visit. The sensitivity to place is computed in the first draw and kept."""

    def __init__(self, neck: Neck, budget: BudgetSettings) -> None:
        self.neck = neck
        self.budget = budget
        self.of_place: list[Sensitivity] | None = None

    def draw(self, fwhm_mm: float, rng: np.random.Generator) -> Draw:
        """One measurement with an assumed resolution; all else is drawn here."""
        neck, budget = self.neck, self.budget
        timing = neck.image.timing
        image = _noisy(neck.image, neck.needed, neck.per_activity, rng)
        source = image_derived_input(
            timing,
            neck.pool.read(image.activity),
            _blood(neck.visit, budget, rng),
            ImageDerivedSettings(),
            neck.tissue.read(image.activity),
            half_life_s=HALF_LIFE_S,
        )
        delay_s = budget.delay_s * rng.standard_normal()
        affected, calm = (_misplaced(region, budget.placement_mm, rng) for region in (neck.affected, neck.calm))
        pvc = correct(image, [affected], METHOD, fwhm_mm, neck.moved, neck.ct, 0.5, neck.others)
        curves = np.array(
            [pvc.curves[0].measured.mean, sample(image, calm, neck.moved).mean, pvc.curves[0].corrected.mean]
        )
        options = FitOptions(weights=neck.frame_weights)

        def refit(
            model: str,
            curves: Array,
            source: InputFunction,
            near: Sequence[KineticFit] | None = None,
            pvc: str = "none",
        ) -> tuple[KineticFit, ...]:
            chosen = options if pvc == "none" else replace(options, tissue_vb=TISSUE_VB)
            return fit(model, timing, curves, source.delayed(delay_s), chosen, near)

        measured, unchanged = refit(MODEL, curves[:2], source.input_function)
        (corrected,) = refit(MODEL, curves[2:], source.input_function, None, METHOD)
        again = Measured(METHOD, (affected,), curves[2:], {MODEL: (corrected,)})
        if self.of_place is None:
            geometry = Geometry(image, neck.moved, neck.ct, neck.others, 0.5)
            self.of_place = of_corrected_place(again, (affected, *neck.others), still_image(geometry), pvc, geometry)
        sensitivities = [*of_input([again], source, refit), *of_resolution(again, pvc, source, refit), *self.of_place]
        relative = relative_error(corrected.parameters["VT"], corrected.standard_errors["VT"])
        errors = errors_from(AFFECTED, relative, corrected.degrees_of_freedom, sensitivities, budget)
        return Draw(measured.parameters["VT"], unchanged.parameters["VT"], corrected.parameters["VT"], errors)


@dataclass(frozen=True, eq=False)
class Found:
    """One row a draw. log_ratio, half_width: of the affected foramen, corrected; parts: SD of each component.

    vt: (draws, visits, 3), V_T of the affected foramen and the unaffected one as measured, and of the affected one
    corrected. neck: which neck each draw is of.
    """

    log_ratio: Array
    half_width: Array
    parts: dict[str, Array]
    vt: Array
    neck: NDArray[np.intp]


def measure(count: int, draws: int) -> Found:
    """``draws`` of each of ``count`` necks."""
    budget = BudgetSettings()
    rows, parts, neck_of = [], [], []
    for number, both in enumerate(necks(count)):
        measurers = [Measurer(neck, budget) for neck in both]
        for draw in range(draws):
            rng = np.random.default_rng(np.random.SeedSequence([SEED, number, draw, 7]))
            rho = budget.resolution_correlation
            shared = math.sqrt(rho) * rng.standard_normal()
            errors_mm = shared + math.sqrt(1 - rho) * rng.standard_normal(2)
            found = [
                measurer.draw(FWHM_MM + budget.fwhm_mm * float(error), rng)
                for measurer, error in zip(measurers, errors_mm, strict=True)
            ]
            rows.append(found)
            parts.append({p.component: p.change for p in budget_of(found[0].errors, found[1].errors, budget)})
            neck_of.append(number)
    vt = np.array([[[one.affected, one.calm, one.corrected] for one in pair] for pair in rows])
    half = []
    for pair, part in zip(rows, parts, strict=True):
        variance = sum(value**2 for value in part.values())
        half.append(reach(variance, degrees_of_freedom(variance, *(one.errors for one in pair))))
    return Found(
        log_ratio=np.log(vt[:, 1, 2] / vt[:, 0, 2]),
        half_width=np.array(half),
        parts={name: np.array([part[name] for part in parts]) for name in parts[0]},
        vt=vt,
        neck=np.array(neck_of),
    )


@dataclass(frozen=True)
class Called:
    """How many draws were called changed by each rule, and by both."""

    by_difference: int
    by_log: int
    both: int


def called(before: Array, after: Array, wcv: float) -> Called:
    """Pairs (draws,) judged against a repeatability of ``wcv``."""
    known = Coefficient("wCV", 100 * wcv, wcv, MODEL, "foramen", "none", "simulated")
    verdicts = [judge(float(a), float(b), known) for a, b in zip(before, after, strict=True)]
    return Called(
        sum(bool(v.beyond_by_difference) for v in verdicts),
        sum(bool(v.beyond_by_log) for v in verdicts),
        sum(v.code == "beyond" for v in verdicts),
    )


def day_to_day(vt: Array, measured_sd: float, rng: np.random.Generator) -> Array:
    """V_T (draws, visits) with a log-normal variation of the neck itself, so that all of it has ``WCV``."""
    sigma = math.sqrt(max(math.log1p(WCV**2) - measured_sd**2, 0.0))
    return np.asarray(vt * np.exp(sigma * rng.standard_normal(vt.shape)))


def section(quick: bool) -> Section:
    if quick:
        return Section(TITLE, "Left out of the quick run: a neck alone takes most of a minute.")
    count, draws = NECKS, DRAWS
    found = measure(count, draws)
    total = count * draws
    held = np.abs(found.log_ratio - TRUE_LOG_RATIO) <= found.half_width
    width = float(np.median(found.half_width))
    budget = BudgetSettings()
    rng = np.random.default_rng(SEED)
    # Within-subject SD of ln V_T by measurement alone, from the foramen without change: SD of the log ratio / sqrt 2.
    calm_sd = float(np.std(np.log(found.vt[:, 1, 1] / found.vt[:, 0, 1]), ddof=1) / math.sqrt(2)) if total > 1 else 0.0
    wcv = max(WCV, math.sqrt(math.expm1(calm_sd**2)))
    calm, changed, raw = (day_to_day(found.vt[:, :, n], calm_sd, rng) for n in (1, 2, 0))
    none, real, blurred = (called(pairs[:, 0], pairs[:, 1], wcv) for pairs in (calm, changed, raw))
    by_neck = [
        [
            f"{n + 1}",
            f"{int(held[found.neck == n].sum())} of {draws}",
            f"{found.log_ratio[found.neck == n].mean():+.3f}",
            f"{found.log_ratio[found.neck == n].std(ddof=1):.3f}",
            f"{np.median(found.half_width[found.neck == n]):.3f}",
        ]
        for n in range(count)
    ]
    parts = [[name, f"{np.median(values):.3f}"] for name, values in found.parts.items()]
    goals = (
        Goal(
            f"true log ratio inside the corrected 95 % interval, of {total}",
            f"{int(held.sum())}",
            f"{GOAL_HELD[0]} to {GOAL_HELD[1]} of 100",
            GOAL_HELD[0] <= 100 * float(held.mean()) <= GOAL_HELD[1],
        ),
        Goal(
            "median half width of that interval",
            f"{width:.3f}",
            f"at most {GOAL_HALF_WIDTH:g}",
            width <= GOAL_HALF_WIDTH,
        ),
        Goal(
            f"no change, called changed, of {total}",
            f"{none.by_log} (log rule), {none.by_difference} (difference rule)",
            f"at most {GOAL_FALSE} of 100",
            100 * max(none.by_log, none.by_difference) <= GOAL_FALSE * total,
        ),
        Goal(
            f"-52 %, called changed, of {total}",
            f"{real.by_log} (log rule), {real.by_difference} (difference rule)",
            f"at least {GOAL_TRUE} of 100",
            100 * min(real.by_log, real.by_difference) >= GOAL_TRUE * total,
        ),
    )
    return Section(
        TITLE,
        paragraphs(
            f"""**Simulated**: {count} necks of the phantom (`--fast`, seeds 1 to {count}), {draws} draws of each; V_T
            of the left C6/C7 foramen falls from 12.96 to 6.21 (log ratio {TRUE_LOG_RATIO:.3f}). A neck's noise-free
            images with their motion are made once; noisy frames and a noisy CT are aligned once a neck and visit, so
            that the error of registration is the real one but the same for the draws of a neck. Every draw has its
            own count noise ({NOISE_PERCENT:g} % in a voxel of muscle), its own errors of the blood samples
            ({ACTIVITY_ERROR:g} of activity, {FRACTION_ERROR:g} of parent fraction), and the errors that the budget
            assumes: scale of the input {100 * budget.input_scale:g} %, delay {budget.delay_s:g} s, place of the region
            {budget.placement_mm:g} mm, assumed resolution {budget.fwhm_mm:g} mm FWHM (correlation between visits
            {budget.resolution_correlation:g}). Image-derived input, {MODEL}, V_B fitted, correction by {METHOD}. The
            budget's sensitivity to place is computed in the first draw of a neck and visit, all else in every
            draw.""",
            table(["neck", "interval holds the truth", "mean log ratio", "SD", "median half width"], by_neck),
            """What the budget gives each component of the log ratio's error (median SD); the correction's own error,
            from tissue that is not as uniform as it assumes, is not in it:""",
            table(["component", "SD of the log ratio"], parts),
            f"""Called changed: against a within-subject coefficient of variation of {100 * wcv:.3g} %. The measurement
            alone has {100 * calm_sd:.1f} % (the left C3/C4 foramen, which does not change, as measured); what is
            missing is drawn as a variation of V_T itself from day to day. Without a change that foramen is called
            changed
            {none.by_log} times of {total} by the log rule and {none.by_difference} by the difference rule (nominal:
            5 %, RC = {TWO_SIDED:.2f} wCV). The affected foramen is, corrected, {real.by_log} and
            {real.by_difference} times; as measured, where blur leaves less of the change,
            {blurred.by_log} and {blurred.by_difference} times.""",
        ),
        goals,
        (Figure("validation-verdict.png", CAPTION, lambda canvas: draw(canvas, found)),),
    )


CAPTION = (
    "Simulated: corrected log ratio of the affected foramen with its 95 % interval in every draw, by neck; the line "
    "is the truth, red intervals miss it"
)


def draw(canvas: "object", found: Found) -> None:
    """All intervals side by side."""
    axes = canvas.subplots()  # type: ignore[attr-defined]
    order = np.arange(len(found.log_ratio))
    held = np.abs(found.log_ratio - TRUE_LOG_RATIO) <= found.half_width
    for chosen, color in ((held, "tab:blue"), (~held, "tab:red")):
        axes.errorbar(
            order[chosen], found.log_ratio[chosen], found.half_width[chosen], fmt=".", color=color, linewidth=1
        )
    axes.axhline(TRUE_LOG_RATIO, color="0.3", linewidth=1)
    for border in np.flatnonzero(np.diff(found.neck)):
        axes.axvline(border + 0.5, color="0.8", linewidth=1)
    axes.set_xlabel("draw, neck by neck", fontsize=8)
    axes.set_ylabel("ln(follow-up / baseline)", fontsize=8)
