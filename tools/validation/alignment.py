"""How well frames, CT and visits are brought together on simulated necks, and what is lost where they are not."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation
from TSPOQuantLib.acquisition.blood import BloodSamples, reconcile
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan, Volume
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.alignment.motion import FrameMotion, estimate_motion, relative_counts
from TSPOQuantLib.alignment.pet_to_ct import Frames, align_to_ct
from TSPOQuantLib.alignment.visits import align_visits
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.kinetics import FitOptions, fit, weights
from TSPOQuantLib.phantom.anatomy import build_anatomy, ct_grid, pet_grid, with_noise
from TSPOQuantLib.phantom.neck import Pose, draw_build
from TSPOQuantLib.phantom.scanner import counts_per_activity, decay_factors, draw_motion, image_frames
from TSPOQuantLib.phantom.segments import segment_numbers, segments
from TSPOQuantLib.phantom.tables import write_blood, write_true_input
from TSPOQuantLib.phantom.tracer import (
    ARRIVAL_MIN,
    FRAME_DURATIONS_S,
    FRAME_STARTS_S,
    HALF_LIFE_S,
    blood_of,
    frame_averages,
    kinetics_of,
)
from TSPOQuantLib.pipeline.placement import Placed, region_to_frame
from TSPOQuantLib.pipeline.plasma import input_of
from TSPOQuantLib.progress import silent
from TSPOQuantLib.regions.region import Region, regions_of
from TSPOQuantLib.regions.sampling import sample
from TSPOQuantLib.study import StudySettings

from .document import Goal, Section, goal_below, paragraphs, table

Array = NDArray[np.float64]

TITLE = "Alignment: simulated necks that move"
SEEDS = (1, 2, 3)
MOTION_MM, FWHM_MM = 3.0, 5.0
NOISE_PERCENT, DRAWS = 20.0, 10
OTHER_NOISE = {10.0: 2, 40.0: 2}
"""Noise levels that are reported without a goal, and how often each is drawn."""
LATE_S = 60.0
GOAL_LATE_MM, GOAL_CT_MM, GOAL_VISIT_MM, GOAL_REAL_MM = 0.5, 1.0, 0.7, 1.0
GOAL_PERCENT, GOAL_STILL_PERCENT, GOAL_S = 3.0, 1.0, 80.0
FLEXIONS_DEG = (6.0, 10.0, -12.0)
"""One for each seed: how much further the neck is bent at the second visit."""
FRAMES: tuple[Frames, ...] = ("all", "early", "late")
START_MM, START_DEG = (6.0, -6.0, 5.3), (3.0, -4.0, 0.0)
"""10 mm and 5 degrees."""
SECOND_POSE = ((-2.0, 1.5, 3.0), (3.0, -2.0, 1.5))
MODEL = "1TCM"
REAL_SHIFT_MM, REAL_DEG = (6.0, -5.0, 8.0), (4.0, -3.0, 5.0)
REAL_SPACING_MM = (4.195, 4.195, 2.5)
INPUTS = {"true": "true input", "image-derived": "image-derived input"}
"""The input of the image itself moves with the neck as well: its calibration to the samples hides some of that."""


@dataclass(frozen=True, eq=False)
class Neck:
    """One seed's neck: what the scanner sees on average with and without motion, its CT and its regions.

    still, moving: (frames, k, j, i) kBq/mL without noise. true: (frames, 4, 4), from the CT to each frame, LPS mm.
    points: (n, 3) the foramina's centers. samples: manual blood samples; plasma: the true input.
    """

    seed: int
    still: NDArray[np.float32]
    moving: NDArray[np.float32]
    true: Array
    curves: Array
    ct: Volume
    regions: tuple[Region, ...]
    levels: Mapping[str, Array]
    samples: BloodSamples
    plasma: BloodSamples

    @property
    def points(self) -> Array:
        return np.concatenate(list(self.levels.values()))


def rigid(shift_mm: Sequence[float], degrees: Sequence[float]) -> Array:
    """4 x 4 in LPS mm, the turn about the origin first."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    matrix[:3, 3] = shift_mm
    return matrix


def moved(points: Array, matrix: Array) -> Array:
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])


def rms_mm(found: Array, true: Array, points: Array) -> float:
    return float(np.sqrt(((moved(points, found) - moved(points, true)) ** 2).sum(axis=1).mean()))


def build(seed: int, pose: Pose) -> tuple[Volume, Segmentation, dict[str, Array], NDArray[np.uint8]]:
    """CT with noise, segmentation, the foramina's centers (2, 3) by level, and the labels."""
    grid = ct_grid(fast=True)
    anatomy = build_anatomy(grid, draw_build(seed, np.random.default_rng(seed)), pose, silent)
    noise = np.random.default_rng([seed, 3, int(10 * pose.flexion_deg) % 1000])
    ct = Volume(with_noise(anatomy.hounsfield, grid, noise), grid, "HU")
    numbers = segment_numbers(anatomy.labels, grid)
    drawn = [Segment(s.name, s.name, numbers == n, s.color, s.tags) for n, s in enumerate(segments(), start=1)]
    levels: dict[str, list[Array]] = {}
    for foramen in anatomy.foramina:
        levels.setdefault(foramen.level, []).append(foramen.center_lps_mm)
    found = {level: np.array(centers) for level, centers in levels.items()}
    return ct, Segmentation(grid, tuple(drawn)), found, anatomy.labels


def neck(seed: int) -> Neck:
    ct, segmentation, levels, labels = build(seed, Pose(np.eye(4)))
    blood = blood_of("baseline")
    curves = frame_averages(kinetics_of("baseline", {}), blood.parent_plasma, blood.whole_blood, ARRIVAL_MIN)
    true = draw_motion(MOTION_MM, np.random.default_rng([seed, 1]))
    nowhere = np.tile(np.eye(4), (len(true), 1, 1))
    still, moving = (
        np.array(list(image_frames(labels, ct.grid, pet_grid(fast=True), curves, matrices, FWHM_MM)))
        for matrices in (nowhere, true)
    )
    with tempfile.TemporaryDirectory() as scratch:
        stem = Path(scratch) / "recording-manual_blood"
        write_blood(stem, blood, np.random.default_rng([seed, 4]))
        samples = read_blood([stem.with_suffix(".tsv")], route="arterial")
        stem = Path(scratch) / "bloodproc"
        write_true_input(stem, blood)
        plasma = read_blood([stem.with_suffix(".tsv")])
    regions = tuple(r for r in regions_of(segmentation) if r.anatomy.structure != "vertebra")
    return Neck(seed, still, moving, true, curves, ct, regions, levels, samples, plasma)


def noisy_pair(of: Neck, noise_percent: float, draw: int) -> tuple[DynamicImage, DynamicImage]:
    """The same decays with the neck still and moving: each voxel's deviation from its expected counts goes along.

    The deviation is taken to the nearest voxel, which keeps it independent between voxels, as Poisson noise is.
    """
    grid, per_activity = pet_grid(fast=True), counts_per_activity(of.curves, noise_percent)
    to_index = np.linalg.inv(grid.ijk_to_lps)
    still, moving = [], []
    for frame, matrix in enumerate(of.true):
        rng = np.random.default_rng([of.seed, 2, frame, draw, round(noise_percent)])
        scale = per_activity * FRAME_DURATIONS_S[frame] / decay_factors()[frame]
        deviation = (rng.poisson(of.still[frame] * scale) / scale - of.still[frame]).astype(np.float32)
        back = (to_index @ np.linalg.inv(matrix) @ grid.ijk_to_lps)[:3]
        along = affine_transform(deviation, back[::-1, 2::-1], back[::-1, 3], order=0, mode="reflect")
        still.append(of.still[frame] + deviation)
        moving.append(np.maximum(of.moving[frame] + along, 0))
    return scan(np.array(still)), scan(np.array(moving))


def scan(activity: NDArray[np.floating]) -> DynamicImage:
    timing = FrameTiming(FRAME_STARTS_S, FRAME_DURATIONS_S)
    known = Scan(half_life_s=HALF_LIFE_S)
    values = activity.astype(np.float32)
    return DynamicImage(values, pet_grid(fast=True), timing, "injection", None, "simulated", known)


def vt(of: Neck, image: DynamicImage, source: str, to_frame: list[Array] | None) -> dict[str, float]:
    """V_T (mL/cm3) by region, as the program finds it with its defaults."""
    settings = StudySettings(input_source="image-derived" if source == "image-derived" else "given")
    targets = [region for region in of.regions if region.anatomy.structure != "blood-pool"]
    activity = np.array([sample(image, region, to_frame).mean for region in targets])
    blood = reconcile(of.samples if source == "image-derived" else of.plasma, image.timing, activity)
    plasma = input_of(Placed(image, of.regions, to_frame), blood, settings).input_function
    by_counts = weights("counts", image.timing, activity.mean(axis=0), HALF_LIFE_S)
    fits = fit(MODEL, image.timing, activity, plasma, FitOptions(weights=by_counts))
    return {region.name: found.parameters["VT"] for region, found in zip(targets, fits, strict=True)}


def at_anchor(of: Neck, image: DynamicImage, motion: FrameMotion) -> Array:
    """Where the CT truly lies in the frame that makes the reference position."""
    counts = relative_counts(image)
    return np.asarray(of.true[max(motion.reference, key=lambda frame: counts[frame])])


@dataclass(frozen=True, eq=False)
class Drawn:
    """One noise realization: late_mm: (frames,) error at the foramina; V_T errors in %, by (input, region), against
    the still neck: without and with correction of the moving neck, and with correction of the still one."""

    late_mm: Array
    without: Mapping[tuple[str, str], float]
    corrected: Mapping[tuple[str, str], float]
    still: Mapping[tuple[str, str], float]
    seconds: float


def draw(of: Neck, noise_percent: float, number: int, still_too: bool) -> Drawn:
    still, moving = noisy_pair(of, noise_percent, number)
    began = time.process_time()
    motion = estimate_motion(moving)
    seconds = time.process_time() - began
    to_frame = region_to_frame(motion, align_to_ct(moving, of.ct, motion)) or []
    anchor = at_anchor(of, moving, motion)
    late = np.flatnonzero(FRAME_DURATIONS_S >= LATE_S)
    late_mm = [rms_mm(motion.reference_to_frame[f] @ anchor, of.true[f], of.points) for f in late]
    errors: list[dict[tuple[str, str], float]] = [{}, {}, {}]
    for source in INPUTS:
        truth = vt(of, still, source, None)
        found = [vt(of, moving, source, None), vt(of, moving, source, to_frame)]
        if still_too:
            at_rest = estimate_motion(still)
            found.append(vt(of, still, source, region_to_frame(at_rest, align_to_ct(still, of.ct, at_rest))))
        for error, values in zip(errors, found, strict=False):
            error.update({(source, name): 100 * (values[name] / truth[name] - 1) for name in truth})
    return Drawn(np.array(late_mm), errors[0], errors[1], errors[2], seconds)


def ct_errors_mm(of: Neck) -> dict[Frames, float]:
    """At C7, from 10 mm and 5 degrees off: how far the CT ends from where it truly lies, by the frames registered."""
    _, moving = noisy_pair(of, NOISE_PERCENT, 0)
    motion = estimate_motion(moving)
    anchor, c7 = at_anchor(of, moving, motion), of.levels["C6/C7"]
    start = np.eye(4)
    start[:3, :3] = Rotation.from_rotvec(np.deg2rad(START_DEG)).as_matrix()
    goes_to = moved(c7, anchor).mean(axis=0) + np.array(START_MM)
    start[:3, 3] = goes_to - start[:3, :3] @ c7.mean(axis=0)
    there = replace(of.ct, grid=Grid(of.ct.grid.shape, start @ of.ct.grid.ijk_to_lps))
    return {
        frames: rms_mm(align_to_ct(moving, there, motion, frames).ct_to_reference @ start, anchor, c7)
        for frames in FRAMES
    }


def visit_errors_mm(of: Neck, flexion_deg: float) -> tuple[dict[str, float], float]:
    """For each level the larger error of its two foramina, carried to a visit with a bent neck; and the worst if one
    rigid transform had carried them all."""
    shift, degrees = SECOND_POSE[1], SECOND_POSE[0]
    other, _, there, _ = build(of.seed, Pose(rigid(shift, degrees), flexion_deg))
    found = align_visits(of.ct, other, of.levels)
    errors = {
        level.level: float(
            np.linalg.norm(moved(of.levels[level.level], level.to_other) - there[level.level], axis=1).max()
        )
        for level in found.levels
    }
    whole = max(np.linalg.norm(moved(of.levels[n], found.whole) - there[n], axis=1).max() for n in there)
    return errors, float(whole)


def real_error_mm(data: Path) -> float:
    """A person's head-and-neck CT, turned, shifted and with other noise: the worst of five heights along its cord."""
    folder = data / "ct" / "openkbp_pt277"
    order = (0, 2, 1)  # the files' axes run to the back, to the left and downwards
    stored = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "ct_hu_minus1000.nii.gz"))).astype(np.float32)
    values = np.ascontiguousarray(stored.transpose(order)[::-1])
    cord = (sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "SpinalCord.nii.gz"))) > 0).transpose(order)[::-1]
    grid = Grid((values.shape[0], values.shape[1], values.shape[2]), np.diag([*REAL_SPACING_MM, 1.0]))
    drawn = np.flatnonzero(cord.any(axis=(1, 2)))
    heights = np.linspace(drawn[0] + 8, drawn[-1] - 8, 5).astype(int)
    points = {}
    for height in heights:
        row, column = np.argwhere(cord[height]).mean(axis=0)
        middle = grid.to_lps(np.array([column, row, height]))
        points[f"slice {height}"] = middle + np.array([[-15.0, 0, 0], [15.0, 0, 0]])
    center = grid.to_lps((np.array(values.shape[::-1]) - 1) / 2)
    true = rigid((0, 0, 0), REAL_DEG)
    true[:3, 3] = center - true[:3, :3] @ center + REAL_SHIFT_MM
    back = (np.linalg.inv(grid.ijk_to_lps) @ np.linalg.inv(true) @ grid.ijk_to_lps)[:3]
    turned = affine_transform(values, back[::-1, 2::-1], back[::-1, 3], order=1, cval=-1000)
    turned += np.random.default_rng(1).normal(0, 20, turned.shape).astype(np.float32)
    found = align_visits(Volume(values, grid, "HU"), Volume(turned, grid, "HU"), points)
    off = [moved(points[level.level], level.to_other) - moved(points[level.level], true) for level in found.levels]
    return float(max(np.linalg.norm(each, axis=1).max() for each in off))


def medians(draws: Sequence[Mapping[tuple[str, str], float]], source: str) -> dict[str, float]:
    """By region, the median over noise realizations; those in which no V_T came out are left out."""
    keys = [key for key in draws[0] if key[0] == source]
    values = {key[1]: np.array([each[key] for each in draws]) for key in keys}
    return {name: float(np.median(v[np.isfinite(v)])) for name, v in values.items() if np.isfinite(v).any()}


def worst(errors: Mapping[str, float]) -> tuple[float, str]:
    name = max(errors, key=lambda key: abs(errors[key]))
    return errors[name], name


def section(data: Path | None, quick: bool) -> Section:
    if quick:
        return Section(TITLE, "Left out of the quick run; some noise realizations of it are among the tests.")
    rows, ct_rows, visit_rows, seconds = [], [], [], []
    worst_vt = dict.fromkeys(INPUTS, 0.0)
    worst_late, worst_still, worst_ct, worst_visit, same = 0.0, 0.0, 0.0, 0.0, True
    for seed, flexion in zip(SEEDS, FLEXIONS_DEG, strict=True):
        of = neck(seed)
        for noise, draws in {NOISE_PERCENT: DRAWS, **OTHER_NOISE}.items():
            found = [draw(of, noise, n, still_too=noise == NOISE_PERCENT and n == 0) for n in range(draws)]
            late = max(float(each.late_mm.max()) for each in found)
            for source, words in INPUTS.items():
                off = medians([each.without for each in found], source)
                fixed = medians([each.corrected for each in found], source)
                far, where = worst(fixed)
                rows.append(
                    [
                        f"{seed}",
                        f"{noise:g}",
                        f"{draws}",
                        words,
                        f"{np.median(np.abs(list(off.values()))):.0f}",
                        f"{np.median(np.abs(list(fixed.values()))):.2f}",
                        f"{far:+.2f}",
                        where,
                        f"{late:.2f}",
                    ]
                )
                if noise == NOISE_PERCENT:
                    worst_vt[source] = max(worst_vt[source], abs(far))
            if noise == NOISE_PERCENT:
                worst_late = max(worst_late, late)
                worst_still = max(worst_still, *(abs(value) for value in found[0].still.values()))
                seconds += [each.seconds for each in found]
        if seed == SEEDS[0]:
            _, moving = noisy_pair(of, NOISE_PERCENT, 0)
            twice = [estimate_motion(moving).reference_to_frame for _ in range(2)]
            same = bool(np.array_equal(twice[0], twice[1]))
        errors = ct_errors_mm(of)
        ct_rows.append([f"{seed}", *(f"{error:.2f}" for error in errors.values())])
        worst_ct = max(worst_ct, *errors.values())
        levels, whole = visit_errors_mm(of, flexion)
        visit_rows.append([f"{seed}", f"{flexion:+g}", *(f"{levels[name]:.2f}" for name in of.levels), f"{whole:.1f}"])
        worst_visit = max(worst_visit, *levels.values())
    goals = [
        *(
            goal_below(f"{MOTION_MM:g} mm motion, corrected, {INPUTS[source]}: V_T, worst region", value, GOAL_PERCENT)
            for source, value in worst_vt.items()
        ),
        goal_below("still neck, corrected: V_T, worst region", worst_still, GOAL_STILL_PERCENT),
        goal_below("frames of 60 s and more: foramina, RMS", worst_late, GOAL_LATE_MM, "mm"),
        goal_below("PET to CT at C7 from 10 mm and 5° off, RMS", worst_ct, GOAL_CT_MM, "mm"),
        goal_below("visit to visit with a bent neck, worst foramen", worst_visit, GOAL_VISIT_MM, "mm"),
        goal_below(
            "motion of 19 frames, CPU time to the next 10 s", float(np.ceil(max(seconds) / 10) * 10), GOAL_S, "s"
        ),
        Goal("the same motion found twice", "yes" if same else "no", "yes", same),
    ]
    real = "No real CT was at hand."
    if data is not None and (data / "ct" / "openkbp_pt277").is_dir():
        error = real_error_mm(data)
        goals.append(goal_below("a person's CT moved by a known transform, worst height", error, GOAL_REAL_MM, "mm"))
        real = f"""A person's head-and-neck CT in voxels of 4 mm, turned by 4°, −3° and 5°, shifted by 11 mm and given
            other noise, was found again to {error:.2f} mm at the worst of five heights."""
    return Section(
        TITLE,
        paragraphs(
            f"""**Simulated**, three necks (`--fast`), {FWHM_MM:g} mm resolution, and a drift whose standard deviation
            over the frames is {MOTION_MM:g} mm along and {MOTION_MM:g}° about each axis. V_T (1TCM) of 12 foramina and
            6 pieces of cord is compared, region by region, with the V_T of the same decays had the neck lain still:
            what noise did to each voxel goes along with the tissue. Per region the median over the noise realizations
            is taken; below are the median over the regions of its size, and the worst region. Without correction
            some fits end at no V_T at all; those are left out of the median. The last column is the worst error of
            any frame of 60 s or more at the foramina, in mm.""",
            table(
                [
                    "seed",
                    "noise, %",
                    "realizations",
                    "input",
                    "not corrected, %",
                    "corrected, %",
                    "worst, %",
                    "where",
                    "late frames, mm",
                ],
                rows,
            ),
            """PET to CT, from a start 10 mm and 5° off, registered from all frames after the first minute, from early
            ones or from late ones: what remains at C7, in mm.""",
            table(["seed", "all", "early", "late"], ct_rows),
            f"""Visit to visit: the neck lies elsewhere and is bent further by the angle given; what remains at the
            foramina of each level, in mm, and what would remain at the worst one if a single rigid transform carried
            them all. {real}""",
            table(["seed", "bent, °", *of.levels, "one transform"], visit_rows),
        ),
        tuple(goals),
    )
