"""The claims about images again, on a scanner that is not the correction's own formula.

Projections, counts and reconstruction make the images here: noise is correlated, and what is recovered of a foramen
depends on contrast, place and time. A still neck, in a field of a few centimeters; noise is drawn anew in every draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from scipy.stats import t as student
from TSPOQuantLib.acquisition.blood import BloodSamples, SampledCurve
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan, Volume
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.input_function import ImageDerivedSettings, InputFunction, image_derived_input
from TSPOQuantLib.kinetics import FitOptions, KineticFit, fit, weights
from TSPOQuantLib.phantom import PhantomSettings
from TSPOQuantLib.phantom.anatomy import build_anatomy, ct_grid, pet_grid, with_noise
from TSPOQuantLib.phantom.neck import LABEL, Pose, draw_build, draw_pose
from TSPOQuantLib.phantom.neighbors import kinetics_with, tissues_of
from TSPOQuantLib.phantom.osem import counts_per_length, osem_scanner
from TSPOQuantLib.phantom.segments import segment_numbers, segments
from TSPOQuantLib.phantom.settings import VISITS, OsemOptions
from TSPOQuantLib.phantom.tables import ACTIVITY_ERROR, FRACTION_ERROR, SAMPLES_MIN, true_input_times_min
from TSPOQuantLib.phantom.tracer import (
    ARRIVAL_MIN,
    FRAME_DURATIONS_S,
    FRAME_STARTS_S,
    HALF_LIFE_S,
    blood_of,
    frame_averages,
)
from TSPOQuantLib.phantom.visits import neighbors_of
from TSPOQuantLib.progress import silent
from TSPOQuantLib.regions.anatomy import identify
from TSPOQuantLib.regions.partial_volume import correct
from TSPOQuantLib.regions.region import Region
from TSPOQuantLib.regions.sampling import sample
from TSPOQuantLib.regions.settings import TISSUE_VB
from TSPOQuantLib.regions.surround import surround

from .document import Goal, Section, paragraphs, table

Array = NDArray[np.float64]

TITLE = "A scanner that reconstructs: simulated necks with hot neighbors"
NECKS, DRAWS = (1, 2), 4
FIELD_MM = (-52.0, 32.0)
"""Along the axis, from the middle of the phantom's field: from below the cord at C7 to above the foramina at C5/C6."""
REGIONS = (
    *(f"foramen {level} {side}" for level in ("C5/C6", "C6/C7") for side in ("left", "right")),
    "cord C6",
    "cord C7",
)
AFFECTED = "foramen C6/C7 left"
NOISE_PERCENT, FWHM_MM, MODEL = 20.0, 5.0, "1TCM"
WAYS = ("as measured", "GTM", "RBV", "IY", "STC", "one bone", "one soft tissue")
DEFAULT = "96 updates"
UPDATES = {"36 updates": OsemOptions(3, 12), DEFAULT: OsemOptions()}
SAMPLES_FROM_S = (600.0, 120.0)
SEED = 151
GOAL_BIAS_PERCENT, GOAL_HELD_PERCENT = 10.0, 90.0


@dataclass(frozen=True, eq=False)
class Visit:
    """One visit: row 0 without noise, then the draws.

    curves: by way, (draws + 1, regions, frames). pool, shell: (draws + 1, frames). true_vt: (regions,).
    """

    visit: str
    curves: dict[str, Array]
    pool: Array
    shell: Array
    true_vt: Array


def cut(grid: Grid) -> Grid:
    """The planes of an axis-aligned grid that lie in the field."""
    z = grid.ijk_to_lps[2, 3] + grid.spacing_mm[2] * np.arange(grid.shape[0])
    kept = np.flatnonzero((z > FIELD_MM[0]) & (z < FIELD_MM[1]))
    matrix = grid.ijk_to_lps.copy()
    matrix[2, 3] = z[kept[0]]
    return Grid((kept.size, grid.shape[1], grid.shape[2]), matrix)


def measure(seed: int, visit: str, draws: int, options: OsemOptions) -> Visit:
    """One visit of one neck, as drawn from its seed."""
    settings = PhantomSettings(seed=seed, scanner="osem", fast=True)
    build = draw_build(seed, np.random.default_rng([SEED, seed]))
    pose = Pose(np.eye(4)) if visit == VISITS[0] else draw_pose(seed, visit, np.random.default_rng([SEED, seed, 1]))
    hot = neighbors_of(settings)
    assert hot is not None
    ct, pet = cut(ct_grid(True, wide=True)), cut(pet_grid(True, wide=True))
    neck = build_anatomy(ct, build, pose, silent)
    tissues = tissues_of(neck, build, pose, hot)
    kinetics, blood = kinetics_with(settings, visit, hot), blood_of(visit)
    curves = frame_averages(kinetics, blood.parent_plasma, blood.whole_blood, ARRIVAL_MIN).astype(np.float32)
    scanner = osem_scanner(neck.hounsfield, ct, pet, FWHM_MM, options)
    images = np.empty((draws + 1, curves.shape[1], *pet.shape), np.float32)
    for frame in range(curves.shape[1]):
        scale = counts_per_length(frame, NOISE_PERCENT)
        mean, background = scanner.expected(curves[tissues, frame], scale)
        for draw in range(draws + 1):
            rng = np.random.default_rng([SEED, seed, VISITS.index(visit), frame, draw])
            counts = rng.poisson(mean).astype(np.float32) if draw else mean
            images[draw, frame] = scanner.reconstruct(counts, background, scale)
    noisy_ct = with_noise(neck.hounsfield, ct, np.random.default_rng([SEED, seed, 2]))
    return _read(visit, images, pet, Volume(noisy_ct, ct, "HU"), neck.labels, [kinetics[n].vt for n in _full_names()])


def _full_names() -> list[str]:
    return [next(name for name in LABEL if name == short or name.startswith(f"{short} (")) for short in REGIONS]


def _read(
    visit: str,
    images: NDArray[np.float32],
    pet: Grid,
    ct: Volume,
    labels: NDArray[np.uint8],
    true_vt: Sequence[float],
) -> Visit:
    """All draws as one long scan: what the correction needs of the anatomy is the same for all."""
    draws, frames = images.shape[:2]
    numbers = segment_numbers(labels, ct.grid)
    regions = {
        s.name: Region(s.name, identify(s.name, s.tags), numbers == n, ct.grid)
        for n, s in enumerate(segments(), start=1)
        if (numbers == n).any()
    }
    timing = FrameTiming(np.arange(draws * frames, dtype=float), np.ones(draws * frames))
    image = DynamicImage(
        images.reshape(-1, *pet.shape), pet, timing, "injection", None, "none needed, simulated", Scan()
    )
    wanted = [regions[name] for name in _full_names()]
    others = [region for region in regions.values() if region not in wanted]
    found = correct(image, wanted, "GTM", FWHM_MM, ct=ct, others=others).curves

    def shaped(curves: Sequence[Array]) -> Array:
        return np.stack([curve.reshape(draws, frames) for curve in curves], axis=1)

    ways = {
        "as measured": shaped([one.measured.mean for one in found]),
        "GTM": shaped([one.corrected.mean for one in found]),
    }
    ways |= {name: shaped([one.corrected.alternatives[name] for one in found]) for name in WAYS[2:]}
    pool = next(region for region in regions.values() if region.anatomy.structure == "blood-pool")
    timed = FrameTiming(FRAME_STARTS_S, FRAME_DURATIONS_S)
    shell = surround(replace(image, activity=images[-1], timing=timed), pool, list(regions.values()))
    assert shell is not None
    blood, around = (sample(image, region).mean.reshape(draws, frames) for region in (pool, shell))
    return Visit(visit, ways, blood, around, np.array(true_vt))


def true_input(visit: str) -> InputFunction:
    times, blood = true_input_times_min(), blood_of(visit)
    return InputFunction(60 * times, blood.parent_plasma(times), blood.whole_blood(times))


def derived_input(visit: Visit, draw: int, from_s: float) -> InputFunction:
    """From the image of a draw; the blood samples have their errors but in draw 0."""
    truth, seconds = blood_of(visit.visit), SAMPLES_MIN * 60
    rng = np.random.default_rng([SEED, draw, 9])
    noisy = float(draw > 0)
    whole, plasma = (
        values * (1 + noisy * ACTIVITY_ERROR * rng.standard_normal(values.size))
        for values in (truth.whole_blood(SAMPLES_MIN), truth.total_plasma(SAMPLES_MIN))
    )
    fraction = truth.parent_fraction(SAMPLES_MIN) + noisy * FRACTION_ERROR * rng.standard_normal(seconds.size)
    samples = BloodSamples(
        SampledCurve(seconds, whole),
        SampledCurve(seconds, plasma),
        SampledCurve(seconds, np.clip(fraction, 0.01, 1.0)),
    )
    settings = ImageDerivedSettings(calibration="recovery-spill-in", calibration_from_s=from_s)
    timing = FrameTiming(FRAME_STARTS_S, FRAME_DURATIONS_S)
    curves = (visit.pool[draw], samples, settings, visit.shell[draw])
    return image_derived_input(timing, *curves, half_life_s=HALF_LIFE_S).input_function


def fits(visit: Visit, way: str, draw: int, source: InputFunction) -> tuple[KineticFit, ...]:
    timing = FrameTiming(FRAME_STARTS_S, FRAME_DURATIONS_S)
    mean = visit.curves["as measured"][draw].mean(axis=0)
    tissue_vb = 1.0 if way == "as measured" else TISSUE_VB
    options = FitOptions(weights=weights("counts", timing, mean, HALF_LIFE_S), tissue_vb=tissue_vb)
    return fit(MODEL, timing, visit.curves[way][draw], source, options)


def chance(held: int, of: int) -> str:
    """ "17 of 36 (31 to 64 %)": exact binomial 95 % range (Clopper-Pearson) [textbook]."""
    low = beta.ppf(0.025, held, of - held + 1) if held else 0.0
    high = beta.ppf(0.975, held + 1, of - held) if held < of else 1.0
    return f"{held} of {of} ({100 * low:.0f} to {100 * high:.0f} %)"


def recovery_rows(visits: dict[str, Visit]) -> list[list[str]]:
    """V_T over the truth, without noise, true input, by reconstruction and way: foramina, cord."""
    rows = []
    for told, visit in visits.items():
        for way in WAYS:
            ratios = np.array([one.parameters["VT"] for one in fits(visit, way, 0, true_input(visit.visit))])
            ratios /= visit.true_vt
            cord = np.array([name.startswith("cord") for name in REGIONS])
            rows.append(
                [told, way, *(f"{v:.2f}" for v in (ratios[~cord].mean(), ratios[~cord].min(), ratios[~cord].max()))]
            )
            rows[-1].append(f"{ratios[cord].mean():.2f}")
    return rows


@dataclass(frozen=True, eq=False)
class Judged:
    """V_T over truth (draws, regions) and whether the interval of the fit holds the truth; and of the change."""

    ratio: Array
    held: NDArray[np.bool_]
    change_off: Array
    change_held: NDArray[np.bool_]


def judged(pairs: Sequence[tuple[Visit, Visit]], way: str) -> Judged:
    """Every draw of every neck, true input: the fit's own standard error, which knows of noise alone."""
    ratio, held, change_off, change_held = [], [], [], []
    for pair in pairs:
        for draw in range(1, len(pair[0].pool)):
            logs, errors = [], []
            for visit in pair:
                found = fits(visit, way, draw, true_input(visit.visit))
                vt = np.array([one.parameters["VT"] for one in found])
                se = np.array([one.standard_errors["VT"] for one in found])
                reach = student.ppf(0.975, [one.degrees_of_freedom for one in found])
                ratio.append(vt / visit.true_vt)
                held.append(np.abs(vt - visit.true_vt) <= reach * se)
                logs.append(np.log(np.maximum(vt, 1e-6) / visit.true_vt))
                errors.append(se / np.maximum(vt, 1e-6))
            change_off.append(logs[1] - logs[0])
            change_held.append(np.abs(change_off[-1]) <= reach * np.hypot(*errors))
    return Judged(np.array(ratio), np.array(held), np.array(change_off), np.array(change_held))


def input_errors(pairs: Sequence[tuple[Visit, Visit]], from_s: float) -> Array:
    """Area under parent plasma over the whole scan, off in %: a row a visit and draw (draw 0 left out)."""
    minutes = np.arange(0, 60.0001, 0.005)
    off = []
    for pair in pairs:
        for visit in pair:
            true = np.trapezoid(blood_of(visit.visit).parent_plasma(minutes), minutes)
            for draw in range(1, len(visit.pool)):
                found = derived_input(visit, draw, from_s)
                area = np.trapezoid(np.interp(60 * minutes, found.times_s, found.parent_plasma), minutes)
                off.append(100 * (area / true - 1))
    return np.array(off)


def section(quick: bool) -> Section:
    if quick:
        return Section(TITLE, "Left out of the quick run: a neck takes minutes.")
    pairs = [
        (measure(seed, VISITS[0], DRAWS, OsemOptions()), measure(seed, VISITS[1], DRAWS, OsemOptions()))
        for seed in NECKS
    ]
    clean = {
        told: pairs[0][0] if told == DEFAULT else measure(NECKS[0], VISITS[0], 0, options)
        for told, options in UPDATES.items()
    }
    return told(clean, pairs)


def told(clean: dict[str, Visit], pairs: Sequence[tuple[Visit, Visit]]) -> Section:
    """The section of what was measured."""
    cord = np.array([name.startswith("cord") for name in REGIONS])
    of_way, rows = {way: judged(pairs, way) for way in WAYS}, []
    for way, found in of_way.items():
        for words, place in (("foramina", ~cord), ("cord", cord)):
            rows.append(
                [
                    way,
                    words,
                    f"{found.ratio[:, place].mean():.2f}",
                    f"{100 * _within(found.ratio[:, place], pairs):.0f}",
                    chance(int(found.held[:, place].sum()), found.held[:, place].size),
                    chance(int(found.change_held[:, place].sum()), found.change_held[:, place].size),
                    f"{np.sqrt((found.change_off[:, place] ** 2).mean()):.2f}",
                ]
            )
    areas = {from_s: input_errors(pairs, from_s) for from_s in SAMPLES_FROM_S}
    inputs = [
        [f"{from_s:g} s", f"{off.mean():+.1f}", f"{off.std(ddof=1):.1f}", f"{np.abs(off).max():.1f}"]
        for from_s, off in areas.items()
    ]
    gtm = of_way["GTM"]
    bias = 100 * abs(float(gtm.ratio[:, ~cord].mean()) - 1)
    held = 100 * float(gtm.change_held.mean())
    draws = sum(len(pair[0].pool) - 1 for pair in pairs)
    return Section(
        TITLE,
        paragraphs(
            f"""**Simulated**, on the phantom's scanner `osem`: projections of the neck plane by plane, attenuation,
            40 % background, Poisson counts, OSEM, a filter; {FWHM_MM:g} mm FWHM at convergence, {NOISE_PERCENT:g} %
            noise in a voxel of muscle with the default reconstruction. Marrow, cortex, thyroid, glands and epidural
            veins have V_T of their own, drawn from wide ranges that are not published. A still neck, its regions as
            drawn, the true resolution, no error of delay or place: what is left is noise, reconstruction and
            neighbors.""",
            """V_T over the truth without noise, true input, the reference neck, by updates of the reconstruction and
            by correction; "one bone" and "one soft tissue" are GTM with marrow and cortex, or fat and muscle, taken
            as one:""",
            table(
                ["reconstruction", "correction", "foramina, mean", "lowest", "highest", "cord"], recovery_rows(clean)
            ),
            f"""{len(pairs)} necks, {draws} draws of both visits, noise drawn anew in every frame of every draw: few,
            so that the ranges in brackets matter. True input; the 95 % interval is the fit's own, which knows of noise
            alone, and in brackets stands what chance
            allows. SD: within a neck and region, over the draws:""",
            table(
                [
                    "correction",
                    "regions",
                    "V_T over truth",
                    "SD, %",
                    "interval of a visit holds the truth",
                    "interval of the change holds it",
                    "RMS error of the log ratio",
                ],
                rows,
            ),
            f"""Image-derived input from the carotids of the same images, recovery and spill-in calibrated by samples
            from 600 s (or 120 s): area under parent plasma, {areas[600.0].size} visits, off by, %. The pool is what
            lies of the carotids in these {FIELD_MM[1] - FIELD_MM[0]:g} mm, less 15 mm at both ends; a longer one is
            less noisy:""",
            table(["samples from", "mean", "SD", "largest"], inputs),
        ),
        (
            Goal(
                f"reconstructing scanner, {draws} draws: corrected V_T of foramina, mean, off by",
                f"{bias:.2g} %",
                f"at most {GOAL_BIAS_PERCENT:g} %",
                bias <= GOAL_BIAS_PERCENT,
            ),
            Goal(
                "reconstructing scanner: the fit's interval of the corrected change holds the truth",
                f"{held:.0f} %",
                f"at least {GOAL_HELD_PERCENT:g} %",
                held >= GOAL_HELD_PERCENT,
            ),
        ),
    )


def _within(ratio: Array, pairs: Sequence[tuple[Visit, Visit]]) -> float:
    """Relative SD over the draws, pooled over necks, visits and regions."""
    draws = len(pairs[0][0].pool) - 1
    grouped = ratio.reshape(len(pairs), draws, 2, -1)
    return float(np.sqrt(grouped.var(axis=1, ddof=1).mean()) / ratio.mean()) if draws > 1 else 0.0
