"""Visits of simulated necks on the reconstructing scanner, through ``quantify``: kept, so that a run can go on.

Every draw has image noise, CT noise and blood samples of its own, and an own size of every error that the budget
assumes: scale of the input, delay, place of each region, place of the CT. What is kept lies in ``.validation`` of the
clone, under the hash of the code that made it: images under the phantom's, records under that of all that quantifies.
How V_T answers to errors is what a visit costs most: to those of place it is computed in the first draw of a visit
and kept for the others, under either model, as it is a matter of the image; a case other than the main one takes all
of it from the main one of its draw.
"""

import hashlib
import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, center_of_mass
from TSPOQuantLib import phantom
from TSPOQuantLib.acquisition.blood import BloodSamples, SampledCurve
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan, Volume
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.input_function import InputFunctionResult
from TSPOQuantLib.kinetics.options import AS_NAMED
from TSPOQuantLib.outcome.budget import BudgetSettings
from TSPOQuantLib.outcome.record import Sensitivity, VisitRecord, from_json
from TSPOQuantLib.outcome.second_tissue import ONE_TISSUE, TWO_TISSUES
from TSPOQuantLib.outcome.sensitivity import (
    Measured,
    Refit,
    of_correction_model,
    of_input,
    of_kinetic_model,
    of_resolution,
)
from TSPOQuantLib.phantom.anatomy import with_noise
from TSPOQuantLib.phantom.neighbors import kinetics_with
from TSPOQuantLib.phantom.segments import segments
from TSPOQuantLib.phantom.settings import VISITS
from TSPOQuantLib.phantom.tables import ACTIVITY_ERROR, FRACTION_ERROR, SAMPLES_MIN
from TSPOQuantLib.phantom.tracer import (
    FRAME_DURATIONS_S,
    FRAME_STARTS_S,
    HALF_LIFE_S,
    INJECTED_MBQ,
    blood_of,
)
from TSPOQuantLib.phantom.visits import neighbors_of
from TSPOQuantLib.pipeline import quantification
from TSPOQuantLib.pipeline.visit_data import VisitData
from TSPOQuantLib.plain import to_json
from TSPOQuantLib.progress import Progress
from TSPOQuantLib.regions.partial_volume import PartialVolumeResult
from TSPOQuantLib.study import StudySettings

from .reconstructed import FWHM_MM
from .scans import SEED, scanned, settings_of, visit_of

Labels = NDArray[np.uint8]
Floats = NDArray[np.float32]

REGIONS = (
    *(f"foramen {level} {side}" for level in ("C5/C6", "C6/C7") for side in ("left", "right")),
    "cord C6",
    "cord C7",
)
WEIGHT_KG = 80.0
ROOMS = ("acquisition", "alignment", "regions", "input_function", "kinetics", "outcome", "pipeline")
END_PLANES = 4
MOST_COUNTS = 32000
"""Images are kept as whole numbers up to this in each frame, as scanners keep them."""


PLACES = ("placement", "registration")


@dataclass(frozen=True)
class Case:
    """What one way of measuring a pair of visits does; its errors are the follow-up's alone but for the resolution.

    resolution: "estimate", or "told" with an error of the size that the budget assumes; off_mm: told wrong by so much
    at both visits. scale, delay_s: of the input (a fraction; seconds). place_mm: root mean square of each region.
    size: of each region's lengths. image: "", "marrow" (30 % more V_T there) or "jump" (3 mm at 25 min).
    """

    resolution: str = "estimate"
    off_mm: float | None = None
    scale: float | None = None
    delay_s: float | None = None
    place_mm: float | None = None
    size: float = 1.0
    image: str = ""

    @property
    def at_baseline(self) -> "Case":
        """What the first visit shares with it."""
        return Case(self.resolution, self.off_mm)


MAIN = Case()


def digest(*places: Path) -> str:
    """Of sources: files, and all those in folders."""
    found = hashlib.sha256()
    for place in places:
        for file in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            found.update(file.read_bytes())
    return found.hexdigest()[:12]


@dataclass(frozen=True, eq=False)
class Kept:
    """Where images and records lie."""

    images: Path
    records: Path

    @classmethod
    def beside(cls, repository: Path) -> "Kept":
        room = Path(phantom.__file__).parent
        own = Path(__file__)
        made = digest(room, own.with_name("scans.py"))
        read = digest(room, own.with_name("scans.py"), own, *(room.parent / name for name in ROOMS))
        root = repository / ".validation"
        kept = cls(root / f"images-{made}", root / f"records-{read}")
        for folder in (kept.images, kept.records):
            folder.mkdir(parents=True, exist_ok=True)
        return kept

    def image(self, seed: int, visit: str, image: str, draw: int) -> Floats:
        """(frames, k, j, i) in kBq/mL, with the noise of this draw."""
        file = self.images / f"{seed}-{visit}-{image}-{draw}.npz"
        if not file.is_file():
            activity = scanned(seed, visit, image, draw)
            slope = np.maximum(activity.max(axis=(1, 2, 3)), 1e-9) / MOST_COUNTS
            whole = np.rint(activity / slope[:, None, None, None]).astype(np.int16)
            partial = file.with_suffix(".part")
            with partial.open("wb") as stream:
                np.savez(stream, whole=whole, slope=slope)
            partial.replace(file)
        with np.load(file) as content:
            return np.asarray(content["whole"] * content["slope"][:, None, None, None], np.float32)

    def record(self, seed: int, visit: str, draw: int, case: Case) -> VisitRecord:
        """As ``quantify`` makes it."""
        told = hashlib.sha256(repr(case).encode()).hexdigest()[:12]
        file = self.records / f"{seed}-{visit}-{draw}-{told}.json"
        if not file.is_file():
            text = to_json(measured(self, seed, visit, draw, case))
            partial = file.with_suffix(".part")
            partial.write_text(text, encoding="utf-8")
            partial.replace(file)
        return from_json(file.read_text(encoding="utf-8"))


@dataclass(frozen=True, eq=False)
class Errors:
    """What was drawn for one visit: the resolution's and the delay's error, the input's factor; rng: for the rest."""

    rng: np.random.Generator
    off_mm: float
    scale: float
    delay_s: float


def drawn_errors(seed: int, number: int, draw: int, case: Case) -> Errors:
    """The errors of visit ``number`` that hold for all its regions; what a case breaks has the case's size."""
    rng = np.random.default_rng([SEED, seed, number, draw])
    shared = np.random.default_rng([SEED, seed, 2, draw]).standard_normal()
    assumed = BudgetSettings()
    z_scale, z_delay, z_width = rng.standard_normal(3)
    rho = assumed.resolution_correlation
    width = assumed.fwhm_mm * (math.sqrt(rho) * shared + math.sqrt(1 - rho) * z_width)
    off = width if case.off_mm is None else case.off_mm
    scale = math.exp(assumed.input_scale * z_scale) if case.scale is None else 1 + case.scale
    delay = assumed.delay_s * z_delay if case.delay_s is None else case.delay_s
    return Errors(rng, float(off), float(scale), float(delay))


def measured(kept: Kept, seed: int, visit: str, draw: int, case: Case) -> VisitRecord:
    """One visit of one draw."""
    number = VISITS.index(visit)
    drawn_by_lot = drawn_errors(seed, number, draw, case)
    rng, off, scale, delay = drawn_by_lot.rng, drawn_by_lot.off_mm, drawn_by_lot.scale, drawn_by_lot.delay_s
    assumed = BudgetSettings()
    away = np.eye(4)
    away[:3, 3] = assumed.registration_mm / math.sqrt(3) * rng.standard_normal(3)

    prepared = visit_of(seed, visit, case.image)
    grid = Grid(prepared.ct.shape, away @ prepared.ct.ijk_to_lps)
    place = assumed.placement_mm if case.place_mm is None else case.place_mm
    drawn = segmentation(prepared.numbers, grid, place / math.sqrt(3), case.size, rng)
    noisy = with_noise(prepared.hounsfield, prepared.ct, rng)
    image = DynamicImage(
        kept.image(seed, visit, case.image, draw),
        prepared.scanner.target,
        FrameTiming(FRAME_STARTS_S, FRAME_DURATIONS_S),
        "injection",
        None,
        "none needed, simulated",
        Scan(
            patient_key="simulated",
            manufacturer="simulated",
            scanner_model="osem",
            reconstruction="OSEM",
            tracer="simulated [11C]DPA-713",
            injected_mbq=INJECTED_MBQ[visit],
            weight_kg=WEIGHT_KG,
            half_life_s=HALF_LIFE_S,
        ),
    )
    settings = StudySettings(
        subject=f"neck{seed}",
        session=visit,
        fwhm_mm="estimate" if case.resolution == "estimate" else round(FWHM_MM + off, 3),
        pvc="GTM",
        pvc_regions=tuple(one.name for one in drawn.segments if one.name.split(" (")[0] in REGIONS),
        models=("1TCM",),
        motion_correction="rigid" if case.image == "jump" else "none",
        delay_s=round(float(delay), 3),
    )
    data = VisitData(image, drawn, samples(visit, scale, rng), Volume(noisy, grid, "HU"))
    if case != MAIN:
        main = kept.record(seed, visit, draw, MAIN)
        if TWO_TISSUES not in main.models:  # how V_T by it answers is not known
            settings = replace(settings, second_tissue=AS_NAMED)
        answers = tuple(replace(one, sd=None) if one.component == "resolution" else one for one in main.sensitivities)
    elif draw > 0:
        first = kept.record(seed, visit, 0, MAIN).sensitivities
        moved = [one for one in first if one.component in PLACES and one.model == ONE_TISSUE]
        answers = tuple(replace(one, model=model) for model in (ONE_TISSUE, TWO_TISSUES) for one in moved)
    else:
        return quantification.quantify(data, settings).record
    with (
        patch.object(quantification, "sensitivities", partial(answered, answers, case == MAIN)),
        patch.object(quantification, "check_regions", return_value=()),
    ):
        return quantification.quantify(data, settings).record


def answered(
    known: tuple[Sensitivity, ...],
    further: bool,
    measured: Measured,
    corrected: Measured,
    pvc: PartialVolumeResult,
    geometry: object,
    source: InputFunctionResult,
    refit: Refit,
    delay_fitted: bool,
    width_se_mm: float | None,
    progress: Progress,
) -> tuple[Sensitivity, ...]:
    """What is known already of how V_T answers to errors, and where ``further`` what hangs on this draw's images."""
    if not further:
        return known
    found = of_input([measured, corrected], source, refit, delay_fitted)
    found += [row for one in (measured, corrected) for row in of_kinetic_model(one, source, refit)]
    found += of_resolution(corrected, pvc, source, refit, width_se_mm)
    return (*known, *found, *of_correction_model(corrected, pvc, source, refit))


def segmentation(numbers: Labels, grid: Grid, axis_mm: float, size: float, rng: np.random.Generator) -> Segmentation:
    """Foramina, cord, blood pool and vertebrae as a reader draws them: each foramen and cord out of place and size.

    What reaches the ends of the field is left out.
    """
    found = []
    for number, one in enumerate(segments(), start=1):
        mask = numbers == number
        steps = np.rint(axis_mm * rng.standard_normal(3) / grid.spacing_mm).astype(int)
        drawn = one.structure in ("foramen", "cord")
        cut_off = drawn and (mask[:END_PLANES].any() or mask[-END_PLANES:].any())
        elsewhere = one.structure == "foramen" and one.name.split(" (")[0] not in REGIONS
        if not mask.any() or cut_off or elsewhere:
            continue
        if drawn:
            mask = np.roll(sized(mask, size), tuple(steps[::-1].tolist()), (0, 1, 2))
        found.append(Segment(one.name, one.name, mask, None, one.tags))
    return Segmentation(grid, tuple(found))


def sized(mask: NDArray[np.bool_], size: float) -> NDArray[np.bool_]:
    """The same shape with all lengths ``size`` times as long."""
    if size == 1:
        return mask
    center = np.array(center_of_mass(mask))
    scaled = affine_transform(mask.astype(np.float32), np.full(3, 1 / size), center * (1 - 1 / size), order=1)
    return np.asarray(scaled >= 0.5)


def samples(visit: str, scale: float, rng: np.random.Generator) -> BloodSamples:
    """The phantom's samples with the errors of counter and assay, and one error of scale for all of them."""
    truth, seconds = blood_of(visit), SAMPLES_MIN * 60
    whole, plasma = (
        scale * values * (1 + ACTIVITY_ERROR * rng.standard_normal(values.size))
        for values in (truth.whole_blood(SAMPLES_MIN), truth.total_plasma(SAMPLES_MIN))
    )
    fraction = truth.parent_fraction(SAMPLES_MIN) + FRACTION_ERROR * rng.standard_normal(seconds.size)
    return BloodSamples(
        SampledCurve(seconds, whole),
        SampledCurve(seconds, plasma),
        SampledCurve(seconds, np.clip(fraction, 0.01, 1.0)),
        route="arterial",
    )


def pair(kept: Kept, seed: int, draw: int, case: Case) -> tuple[VisitRecord, VisitRecord]:
    """Both visits. Raises InputRefused as ``quantify`` does."""
    return kept.record(seed, VISITS[0], draw, case.at_baseline), kept.record(seed, VISITS[1], draw, case)


def truth(seed: int, region: str) -> tuple[float, float]:
    """V_T at both visits; of the marrow as it is at the first."""
    settings = settings_of(seed)
    first, second = (kinetics_with(settings, visit, neighbors_of(settings))[region].vt for visit in VISITS)
    return first, second
