"""What the benchmark works on: simulated images, curves and DICOM files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from TSPOQuantLib.acquisition.blood import BloodSamples
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.input_function import InputFunction, InputFunctionResult
from TSPOQuantLib.outcome.record import FORMAT, VisitRecord
from TSPOQuantLib.outcome.recording import acquisition_of, input_record
from TSPOQuantLib.outcome.settings import StudySettings
from TSPOQuantLib.phantom.anatomy import build_anatomy, pet_grid
from TSPOQuantLib.phantom.dicom import Identity, write_pet
from TSPOQuantLib.phantom.neck import draw_build, draw_pose
from TSPOQuantLib.phantom.scanner import counts_per_activity, draw_motion, image_frames, with_count_noise
from TSPOQuantLib.phantom.settings import REFERENCE_SEED, PhantomSettings
from TSPOQuantLib.phantom.tracer import (
    ARRIVAL_MIN,
    FRAME_DURATIONS_S,
    FRAME_STARTS_S,
    HALF_LIFE_S,
    blood_of,
    frame_averages,
    kinetics_of,
    simulated_tracer,
)
from TSPOQuantLib.pipeline.live import Live
from TSPOQuantLib.pipeline.placement import Placed
from TSPOQuantLib.pipeline.plasma import body_curve, body_of
from TSPOQuantLib.progress import silent
from TSPOQuantLib.regions.anatomy import Anatomy
from TSPOQuantLib.regions.region import Region

from ..validation.simulation import REGION_VOXELS, VISIT, Truth, integrate, true_input, two_tissues, with_noise

Array = NDArray[np.float64]
Image = NDArray[np.float32]

# 22 frames in 60 minutes, a usual number; the phantom's own schedule has 19.
DURATIONS_S = np.array([15.0] + [5.0] * 3 + [10.0] * 3 + [60.0] * 4 + [150.0] * 2 + [300.0] * 8 + [600.0])
TRUTHS = 64
FOLLOWED = 18
"""Regions of a visit: the foramina from C2/C3 to C7/T1 with cord and muscle."""


@dataclass(frozen=True)
class Size:
    """How large the problem is.

    shape: (k, j, i) of the image for the maps. two_tissue_voxels: how many of them the 2TCM map computes. loop_voxels:
    how many a loop over voxels computes. curves: regions that are fitted. slices, pixels: of each DICOM frame, whose
    number is the phantom's. coarser: the neck's voxels for the motion are so many times 2 mm wide. repeats: the best
    of so many counts.
    """

    shape: tuple[int, int, int] = (64, 128, 128)
    two_tissue_voxels: int = 32_768
    loop_voxels: int = 4_096
    curves: int = 100
    slices: int = 138
    pixels: int = 64
    coarser: int = 1
    repeats: int = 3


@dataclass(frozen=True, eq=False)
class Problem:
    """Simulated two-tissue curves in every voxel, with the phantom's noise.

    activity: float32 (frames, k, j, i). curves: (curves, frames) with a region's noise. true_vt: (k, j, i), mL/cm3.
    """

    timing: FrameTiming
    source: InputFunction
    activity: Image
    curves: Array
    true_vt: Array


def simulate(size: Size) -> Problem:
    """The image and the curves; voxel n has truth n modulo ``TRUTHS``, so that a block of voxels holds all of them."""
    rng = np.random.default_rng(1)
    ends = np.cumsum(DURATIONS_S)
    timing = FrameTiming(ends - DURATIONS_S, DURATIONS_S)
    source = true_input()
    truth = _truths(rng)
    clean = integrate(truth, source, [timing]).averages(timing, truth.values["VB"])
    count = int(np.prod(size.shape))
    voxels = np.empty((len(timing), count), dtype=np.float32)
    for n in range(TRUTHS):
        places = voxels[:, n::TRUTHS]
        places[:] = with_noise(clean[[n]], timing, rng, places.shape[1], REGION_VOXELS**0.5)[0].T
    regions = with_noise(clean, timing, rng, -(-size.curves // TRUTHS))
    return Problem(
        timing,
        source,
        voxels.reshape(len(timing), *size.shape),
        regions.transpose(1, 0, 2).reshape(-1, len(timing))[: size.curves],
        np.resize(truth.values["VT"], count).reshape(size.shape),
    )


def _truths(rng: np.random.Generator) -> Truth:
    """Within the bounds that the programs beside us have by default: K1, k2, k3 and k4 up to 0.5 per minute."""
    low, high = np.array([[0.05, 2.0, 0.2, 0.03, 0.0], [0.45, 12.0, 3.0, 0.1, 0.08]])
    k1, vt, binding, k4, vb = rng.uniform(low, high, (TRUTHS, len(low))).T
    return two_tissues(k1, np.maximum(vt, 2 * k1 * (1 + binding)), binding, k4, vb)


def write_series(folder: Path, size: Size) -> int:
    """The phantom's own DICOM of a dynamic PET, as Siemens would write it; returns the number of files."""
    rng = np.random.default_rng(1)
    grid = Grid((size.slices, size.pixels, size.pixels), np.diag([2.0, 2.0, 2.0, 1.0]))
    frames = (rng.gamma(2.0, 3.0, grid.shape).astype(np.float32) for _ in FRAME_STARTS_S)
    write_pet(folder, frames, grid, Identity(("benchmark",), VISIT), "siemens", simulated_tracer("[11C]DPA-713"))
    return len(FRAME_STARTS_S) * size.slices


def moving_neck(size: Size) -> DynamicImage:
    """The phantom's neck with its default motion, resolution and noise."""
    settings = PhantomSettings()
    rng = np.random.default_rng(1)
    grid = pet_grid(fast=True)
    anatomy = build_anatomy(grid, draw_build(REFERENCE_SEED, rng), draw_pose(REFERENCE_SEED, VISIT, rng), silent)
    blood = blood_of(VISIT)
    curves = frame_averages(kinetics_of(VISIT, {}), blood.parent_plasma, blood.whole_blood, ARRIVAL_MIN)
    seen = _coarser(grid, size.coarser)
    motion = draw_motion(settings.motion_mm, rng)
    frames = image_frames(anatomy.labels, grid, seen, curves, motion, settings.fwhm_mm)
    per_activity = counts_per_activity(curves, settings.noise_percent)
    activity = np.stack([with_count_noise(frame, f, per_activity, rng) for f, frame in enumerate(frames)])
    timing = FrameTiming(FRAME_STARTS_S, FRAME_DURATIONS_S)
    return DynamicImage(activity, seen, timing, "injection", None, "to the start", Scan(half_life_s=HALF_LIFE_S))


def followed_neck(size: Size) -> tuple[Live, tuple[Region, ...]]:
    """A visit of the moving neck that was computed, as the panel holds it while one draws, and its regions.

    These are balls of 5 mm, drawn at 0.8 mm as a CT has it.
    """
    image, settings, source = moving_neck(size), StudySettings(), true_input()
    found = InputFunctionResult(source, None, None, None, None, (), {})
    motion = draw_motion(PhantomSettings().motion_mm, np.random.default_rng(2))
    record = VisitRecord(
        format=FORMAT,
        subject=settings.subject,
        session=settings.session,
        genotype=settings.genotype,
        acquisition=acquisition_of(image, None),
        settings={},
        models=(),
        rows=(),
        regions=(),
        fits=(),
        sensitivities=(),
        pvc="none",
        pvc_fwhm_mm=None,
        input=input_record(found, BloodSamples()),
        motion=None,
        pet_to_ct=None,
        quality=(),
        notices=(),
        provenance={},
    )
    regions = tuple(_ball(image.grid, number, 0.8 * size.coarser) for number in range(FOLLOWED))
    live = Live(Placed(image, (), list(motion)), found, body_curve(image, body_of(image)), settings, record)
    return live.with_changes(settings, [region.name for region in regions], regions), regions


def _ball(within: Grid, number: int, voxel_mm: float) -> Region:
    """Around the middle of the field, each at a place of its own."""
    half = np.arange(-7, 8) * voxel_mm
    k, j, i = np.meshgrid(half, half, half, indexing="ij")
    middle = within.to_lps(np.array(within.shape[::-1]) / 2.0) + np.array([1.3, 0.7, 0.9]) * (number - FOLLOWED / 2)
    matrix = np.diag([voxel_mm, voxel_mm, voxel_mm, 1.0])
    matrix[:3, 3] = middle + half[0]
    return Region(
        f"ball {number + 1}", Anatomy("other"), i**2 + j**2 + k**2 < (6.3 * voxel_mm) ** 2, Grid((15, 15, 15), matrix)
    )


def _coarser(grid: Grid, times: int) -> Grid:
    """The same field in voxels ``times`` as wide along each axis."""
    matrix = grid.ijk_to_lps.copy()
    matrix[:3, 3] = grid.to_lps(np.full(3, (times - 1) / 2))
    matrix[:3, :3] *= times
    k, j, i = grid.shape
    return Grid((k // times, j // times, i // times), matrix)
