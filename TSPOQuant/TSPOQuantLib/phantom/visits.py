"""Both visits of the phantom, written as a site would have them, and the truth beside them."""

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..messages import Text
from ..output import whole_folder
from ..progress import Progress, part, silent
from .anatomy import Anatomy, build_anatomy, ct_grid, pet_grid, with_noise
from .dicom import Identity, write_ct, write_mr, write_pet
from .lumbar import LUMBAR, build_lumbar, grids, kinetics_at
from .mr import mr_signal, with_magnitude_noise
from .neck import NECK, Build, Plan, Pose, draw_build, draw_pose
from .neighbors import Neighbors, draw_neighbors, kinetics_with, tissues_of
from .osem import osem_frames, osem_scanner
from .scanner import counts_per_activity, draw_motion, image_frames, with_count_noise
from .segments import BLOOD_POOL, segments, write_segmentation
from .settings import CT, MR, VISITS, PhantomSettings
from .settings import LUMBAR as LUMBAR_SPINE
from .shape import described
from .tables import write_blood, write_true_input
from .tracer import (
    ARRIVAL_MIN,
    FRAME_DURATIONS_S,
    FRAME_STARTS_S,
    INJECTED_MBQ,
    WEIGHT_KG,
    Kinetics,
    SimulatedTracer,
    blood_of,
    frame_averages,
    simulated_tracer,
    with_truth,
)

Doubles = NDArray[np.float64]
Labels = NDArray[np.uint8]

NEIGHBORS_STREAM = 15
"""The neighbors' own source of chance, beside those of the visits, so that these stay as they are."""

ASSUMPTIONS = (
    "Everything is simulated: no person was scanned.",
    "A V_T given in the settings replaces the phantom's own.",
    "Another tracer changes its name, its code and its decay alone: V_T, K1 and blood stay those of this phantom.",
    "All other V_T, every K1 and every V_B are assumptions; foramina have K1 0.5, unless another is "
    "asked for, so that 60 min identify their V_T.",
    "Blood curves, parent fraction and whole-blood-to-plasma ratio are formulas of the phantom's own.",
    "One-tissue kinetics but where a structure has k3 and k4; delay 0; vessels hold whole blood; air and the outside "
    "hold nothing.",
    "A frame's activity is the plain mean over the frame of the decay-corrected curve.",
    "Beyond the field the object goes on as its last voxels do; no motion within a frame.",
    "Dose, weight, scores' dates and noise of the blood samples are assumptions.",
)
OF_NECK = (
    "V_T of foramen C6/C7 left (12.96, 6.21) and of the cord at C7 (6.43, 5.38) are the study's published values, "
    "taken as the truth; they were measured, most likely without partial-volume correction. Scores are the study's "
    "Table 1.",
    "Sizes of foramina and cord are published; every other size is an assumption.",
)
OF_SCANNER = (
    "One Gaussian resolution everywhere; Poisson noise independent between voxels.",
    "At a resolution of 0 there is no partial volume at all: each PET voxel has the activity of the structure that "
    "fills the largest share of it.",
)
OF_OSEM = (
    "Projected in parallel rays plane by plane, attenuated as the CT says, corrected for it without error; a smooth "
    "background of scattered (25 %) and random (15 %) coincidences whose mean is known; Poisson counts; OSEM; a "
    "Gaussian filter.",
    "The object's attenuation stays where the CT saw it when the head moves.",
)
OF_SHAPE = (
    "The neck's shape is as asked for; sizes of spurs, thick facets and implants are assumptions; an implant makes no "
    "streaks.",
)
OF_HOT = (
    "V_T, K1 and V_B of marrow, cortex, thyroid, glands and epidural veins are assumptions: no published values were "
    "found. V_T of a neck that is not the reference one is drawn from wide ranges.",
)

OF_LUMBAR = (
    "Of the lumbar spine only height and width of the foramina are published (their mean over L1/L2 to L5/S1); every "
    "V_T, every score and every other size is an assumption. The field cuts the trunk: the object goes on as its last "
    "voxels do.",
)
OF_MR = (
    "The MR has one signal a tissue, magnitude noise and no distortion; the attenuation is corrected without error, "
    "as no map made from an MR is.",
)

_STUDY = """[subject]
id = "phantom"
session = "{visit}"
genotype = "HAB"

[pet]
path = "pet"
motion_correction = "{motion_correction}"

[{anatomy}]
path = "{anatomy}"

[segmentation]
path = "segmentation.seg.nrrd"

[blood]
paths = ["sub-phantom_ses-{visit}_recording-manual_blood.tsv"]
route = "arterial"

[input]
source = "image-derived"
blood_pool = "{blood_pool}"

[model]
names = ["1TCM", "Logan"]
vb = "fit"
"""

# The study's patient, treatment and Table 1.
_CLINICAL = """[lesion]
level = "C6/C7"
side = "left"

[[treatment]]
type = "neural tissue management"
sessions_planned = 12
sessions_done = 12
components = ["education", "joint mobilization", "nerve mobilization", "home program"]
pain_during_exercise = "below the pain threshold"
notes = "6 weeks, as in the study; simulated here"

[[visit]]
session = "baseline"
vas_arm = 42
mrc_elbow_extension = 4
ndi = 28

[[visit]]
session = "followup"
vas_arm = 6
mrc_elbow_extension = 5
ndi = 13
"""


_LUMBAR_CLINICAL = """[lesion]
level = "L4/L5"
side = "left"

[[visit]]
session = "baseline"
vas_leg = 60
mrc_ankle_dorsiflexion = 4
odi = 42

[[visit]]
session = "followup"
vas_leg = 20
mrc_ankle_dorsiflexion = 5
odi = 22
"""


def write_phantom(out: Path, settings: PhantomSettings, progress: Progress = silent, force: bool = False) -> None:
    """Write both visits and truth.json into ``out``, whole or not at all; the same bytes for the same settings.

    Raises InputRefused: as ``output.whole_folder`` does, and "phantom-truth" for a truth of a region that the phantom
    does not have. What ``progress`` raises stops the work and leaves nothing behind.
    """
    tracer, neighbors = simulated_tracer(settings.tracer), neighbors_of(settings)
    kinetics = {visit: _kinetics_of(settings, visit, neighbors) for visit in VISITS}
    with whole_folder(out, force) as folder:
        truth = _write_all(folder, settings, tracer, kinetics, neighbors, progress)
        (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
        clinical = _LUMBAR_CLINICAL if settings.spine == LUMBAR_SPINE else _CLINICAL
        (folder / "clinical.toml").write_text(clinical, encoding="utf-8")
    progress(1.0, "the phantom is written")


def _kinetics_of(settings: PhantomSettings, visit: str, neighbors: Neighbors | None) -> dict[str, Kinetics]:
    """Raises InputRefused ("phantom-truth")."""
    if settings.spine == LUMBAR_SPINE:
        table = with_truth(kinetics_at(visit), visit, settings.truth)
        return {
            name: replace(constants, k1=settings.foramen_k1) if name.startswith("foramen ") else constants
            for name, constants in table.items()
        }
    return kinetics_with(settings, visit, neighbors)


def neighbors_of(settings: PhantomSettings) -> Neighbors | None:
    """The neck's hot neighbors, None where it is to have none."""
    stream = np.random.default_rng(np.random.SeedSequence([settings.seed, NEIGHBORS_STREAM]))
    return draw_neighbors(settings.seed, stream) if settings.hot else None


def _write_all(
    folder: Path,
    settings: PhantomSettings,
    tracer: SimulatedTracer,
    kinetics: dict[str, dict[str, Kinetics]],
    neighbors: Neighbors | None,
    progress: Progress,
) -> dict[str, object]:
    build_seed, *visit_seeds = np.random.SeedSequence(settings.seed).spawn(1 + len(VISITS))
    build = draw_build(settings.seed, np.random.default_rng(build_seed), settings.neck_shape)
    visits = {}
    for n, visit in enumerate(VISITS):
        share = part(progress, n / len(VISITS), (n + 1) / len(VISITS))
        visits[visit] = _write_visit(
            folder / f"ses-{visit}", visit, settings, tracer, kinetics[visit], build, neighbors, visit_seeds[n], share
        )
    truth = {region: dict(by_visit) for region, by_visit in settings.truth.items()}
    chosen = {field.name: getattr(settings, field.name) for field in fields(settings)}
    chosen |= {"hot_neighbors": settings.hot, "truth": truth}
    return {
        "simulated": True,
        "software": f"TSPOQuant {__version__}",
        "tracer": tracer.name,
        "seed": settings.seed,
        "settings": {key: value for key, value in chosen.items() if key not in ("seed", "tracer")},
        "units": {"VT": "mL/cm3", "K1": "mL/cm3/min", "k2": "1/min", "VB": "1", "lengths": "mm", "coordinates": "LPS"},
        "assumptions": [
            *ASSUMPTIONS,
            *(OF_SCANNER if settings.osem is None else OF_OSEM),
            *(OF_HOT if neighbors else ()),
            *(OF_SHAPE if settings.shape else ()),
            *(OF_MR if settings.anatomy == MR else ()),
            *(OF_LUMBAR if settings.spine == LUMBAR_SPINE else OF_NECK),
        ],
        "shape": described(build.shape),
        "build": {"size": build.size, "lordosis_deg": build.lordosis_deg, "scoliosis_mm": build.scoliosis_mm},
        "half_life_s": tracer.half_life_s,
        "weight_kg": WEIGHT_KG,
        "delay_s": 0.0,
        "frame_starts_s": FRAME_STARTS_S.tolist(),
        "frame_durations_s": FRAME_DURATIONS_S.tolist(),
        "visits": visits,
    }


def _write_visit(
    folder: Path,
    visit: str,
    settings: PhantomSettings,
    tracer: SimulatedTracer,
    kinetics: dict[str, Kinetics],
    build: Build,
    neighbors: Neighbors | None,
    seed: np.random.SeedSequence,
    progress: Progress,
) -> dict[str, object]:
    """One visit's folder; returns its part of the truth. Each source of chance has a stream of its own."""
    pose_seed, motion_seed, ct_seed, blood_seed, count_seed = seed.spawn(5)
    folder.mkdir()
    blood = blood_of(visit)
    curves = frame_averages(kinetics, blood.parent_plasma, blood.whole_blood, ARRIVAL_MIN)
    pose = draw_pose(settings.seed, visit, np.random.default_rng(pose_seed), build.shape)
    motion = draw_motion(settings.motion_mm, np.random.default_rng(motion_seed))

    wide = settings.osem is not None
    lumbar = settings.spine == LUMBAR_SPINE
    grid = grids(settings.fast)[0] if lumbar else ct_grid(settings.fast, wide)
    draw, plan = (build_lumbar, LUMBAR) if lumbar else (build_anatomy, NECK)
    anatomy = draw(grid, build, pose, part(progress, 0.0, 0.3))
    tissues = anatomy.labels if neighbors is None else tissues_of(anatomy, build, pose, neighbors)
    identity = Identity((f"TSPOQuant phantom {settings!r}",), visit)
    noisy = settings.noise_percent > 0
    _write_anatomy(folder, anatomy, plan, settings, identity, np.random.default_rng(ct_seed) if noisy else None)
    write_segmentation(folder / "segmentation.seg.nrrd", anatomy.labels, anatomy.grid, build.shape.missing, plan)
    progress(0.4, Text("{visit}: anatomy and segmentation written", visit=visit))

    _write_pet(
        folder / "pet",
        anatomy,
        tissues,
        curves,
        motion,
        settings,
        tracer,
        identity,
        count_seed,
        part(progress, 0.4, 1.0),
    )
    stem = f"sub-phantom_ses-{visit}"
    write_blood(folder / f"{stem}_recording-manual_blood", blood, np.random.default_rng(blood_seed) if noisy else None)
    write_true_input(folder / f"{stem}_desc-truth_bloodproc", blood)
    correction = "rigid" if settings.motion_mm > 0 else "none"
    study = _STUDY.format(visit=visit, motion_correction=correction, blood_pool=BLOOD_POOL, anatomy=settings.anatomy)
    (folder / "study.toml").write_text(study, encoding="utf-8")
    truth = _truth_of(visit, kinetics, curves, anatomy, tissues, pose, motion)
    drawn = segments(build.shape.missing, plan)
    return {**truth, "segments": {segment.name: list(segment.labels) for segment in drawn}}


def _write_anatomy(
    folder: Path,
    anatomy: Anatomy,
    plan: Plan,
    settings: PhantomSettings,
    identity: Identity,
    rng: np.random.Generator | None,
) -> None:
    """The CT, or the MR of a PET/MR; rng: of their noise, None for none."""
    if settings.anatomy == MR:
        signal = mr_signal(anatomy, plan)
        signal = signal if rng is None else with_magnitude_noise(signal, rng)
        write_mr(folder / MR, signal, anatomy.grid, identity, settings.vendor)
        return
    ct = anatomy.hounsfield if rng is None else with_noise(anatomy.hounsfield, anatomy.grid, rng)
    write_ct(folder / CT, ct, anatomy.grid, identity, settings.vendor)


def _write_pet(
    folder: Path,
    anatomy: Anatomy,
    tissues: Labels,
    curves: Doubles,
    motion: Doubles,
    settings: PhantomSettings,
    tracer: SimulatedTracer,
    identity: Identity,
    seed: np.random.SeedSequence,
    progress: Progress,
) -> None:
    streams = [np.random.default_rng(s) for s in seed.spawn(curves.shape[1])]
    half_life_s = tracer.half_life_s
    lumbar = settings.spine == LUMBAR_SPINE
    grid = grids(settings.fast)[1] if lumbar else pet_grid(settings.fast, settings.osem is not None)
    muscle = (LUMBAR if lumbar else NECK).label["muscle"]
    if settings.osem is None:
        frames = image_frames(tissues, anatomy.grid, grid, curves, motion, settings.fwhm_mm)
        if settings.noise_percent > 0:
            per_activity = counts_per_activity(curves, settings.noise_percent, half_life_s, muscle)
            frames = (
                with_count_noise(image, f, per_activity, streams[f], half_life_s) for f, image in enumerate(frames)
            )
    else:
        scanner = osem_scanner(anatomy.hounsfield, anatomy.grid, grid, settings.fwhm_mm, settings.osem)
        frames = osem_frames(
            scanner, tissues, anatomy.grid, curves, motion, settings.noise_percent, streams, half_life_s
        )

    def reported() -> Iterator[NDArray[np.float32]]:
        for f, image in enumerate(frames):
            progress(
                f / curves.shape[1],
                Text("{visit}: PET frame {f} of {shape}", visit=identity.visit, f=f + 1, shape=curves.shape[1]),
            )
            yield image

    write_pet(folder, reported(), grid, identity, settings.vendor, tracer, settings.anatomy)


def _truth_of(
    visit: str,
    kinetics: dict[str, Kinetics],
    curves: Doubles,
    anatomy: Anatomy,
    tissues: Labels,
    pose: Pose,
    motion: Doubles,
) -> dict[str, object]:
    volume = anatomy.grid.voxel_volume_mm3 * np.bincount(tissues.ravel(), minlength=len(kinetics))
    return {
        "injected_mbq": INJECTED_MBQ[visit],
        "neck_to_lps": pose.neck_to_lps.tolist(),
        "flexion_deg": pose.flexion_deg,
        "regions": {
            name: {
                "VT": k.vt,
                "K1": k.k1,
                "k2": k.k2,
                "VB": k.vb,
                **({"k3": k.k3, "k4": k.k4} if k.k3 > 0 else {}),
                "volume_mm3": round(float(volume[n]), 3),
                "activity_kbq_per_ml": curves[n].tolist(),
            }
            for n, (name, k) in enumerate(kinetics.items())
        },
        "foramina": {
            f.name: {
                "level": f.level,
                "side": f.side,
                "root": f.root,
                "center_lps_mm": f.center_lps_mm.tolist(),
                "outward_lps": f.axes_lps[:, 0].tolist(),
                "up_lps": f.axes_lps[:, 1].tolist(),
                "across_lps": f.axes_lps[:, 2].tolist(),
                "length_height_width_mm": list(f.length_height_width_mm),
            }
            for f in anatomy.foramina
        },
        "motion_ct_to_frame_lps": motion.tolist(),
    }
