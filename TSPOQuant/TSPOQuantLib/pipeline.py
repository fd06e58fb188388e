"""The corridor: a visit from its files to V_T, one call a stage, in the order of the rooms."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .acquisition.bids import read_pet_json
from .acquisition.blood import BloodSamples, reconcile
from .acquisition.blood_files import read_blood
from .acquisition.dicom import read_ct, read_dynamic_pet
from .acquisition.frame_of_reference import check_frames_of_reference
from .acquisition.image import DynamicImage, Volume
from .acquisition.segmentation import Segmentation
from .acquisition.segmentation_files import read_segmentation
from .acquisition.sequence_files import read_sequence
from .acquisition.tacs import read_tacs
from .alignment.fused import FusedImages, fused_images
from .alignment.motion import FrameMotion, estimate_motion, motion_table, told_at
from .alignment.pet_to_ct import PetToCt, align_to_ct
from .alignment.resample import at_rest, mean_image
from .alignment.visits import VisitAlignment, align_visits
from .input_function import (
    ImageDerivedSettings,
    InputFunction,
    InputFunctionResult,
    SampledSettings,
    image_derived_input,
    sampled_input,
)
from .kinetics import FitChoices, FitOptions, KineticFit, fit, make_maps, with_start_of, within
from .kinetics import weights as frame_weights
from .kinetics.models import model_named
from .messages import InputRefused, Notice, Text
from .outcome.compare import Comparison
from .outcome.plan import Plan, make_plan, read_protocol
from .outcome.record import FORMAT, Sensitivity, VisitRecord
from .outcome.recording import acquisition_of, input_record, outcome_rows, region_record
from .outcome.sensitivity import Geometry, Measured, sensitivities
from .outcome.visit import FittedTable, VisitMaps, VisitResult
from .phantom.tables import true_input_times_min
from .phantom.tracer import HALF_LIFE_S, INJECTED_MBQ, blood_of
from .plain import plain
from .progress import Progress, part, silent
from .regions.carry import carry_segmentation, level_points
from .regions.measurements import measure
from .regions.partial_volume import PartialVolumeResult, correct
from .regions.planes import center_of, corners_of, cut_by_plane, edge_letters, foramen_centers, highest_in, plane_of
from .regions.quality import check as check_regions
from .regions.region import Region, TimeActivityCurve, plain_name, regions_of
from .regions.resolution import estimate_resolution
from .regions.sampling import sample
from .regions.surround import surround
from .reporting import provenance
from .reporting.deidentify import Hidden
from .reporting.figures import FusedPicture, outlined, round_top
from .reporting.fused_files import read_fused_images
from .settings import part_of
from .study import Study, StudySettings

ANATOMY_ONLY = ("vertebra", "blood-pool")
"""Structures that are drawn for orientation or for the input function, not quantified."""


Alignment = tuple[FrameMotion | None, PetToCt | None]
"""Where the neck lay in every frame, and the CT in the PET; None where the study does not ask for it."""


OUTLINE = (1.0, 1.0, 1.0)
"""Of regions whose files give no color."""


LONGEST_DELAY_S = 600.0
"""A delay beyond this is a slip of clock or unit, and shifts the input out of the scan: a choice."""


BODY_SHARE = 0.1
BODY_MASK = "voxels whose mean over the scan exceeds 10 % of its 99th percentile"
"""Where maps are made: the body, as told from air by a choice of ours."""


@dataclass(frozen=True, eq=False)
class VisitData:
    """What was read of one visit; carried: where the levels of the visit lie whose regions were carried to it."""

    image: DynamicImage
    segmentation: Segmentation
    blood: BloodSamples
    ct: Volume | None
    carried: VisitAlignment | None = None


def read_visit(study: Study, progress: Progress = silent) -> VisitData:
    """Read a visit's files, and carry another visit's regions to its CT where the study asks for that.

    Raises InputRefused where something cannot be used.
    """
    sequence = study.pet.name.endswith(".seq.nrrd")
    image = read_sequence(study.pet) if sequence else read_dynamic_pet(study.pet, progress=part(progress, 0, 0.7))
    progress(0.7, "Reading the CT")
    ct = read_ct(study.ct) if study.ct else None
    other = read_ct(study.carried_from.ct) if study.carried_from and study.carried_from.ct else None
    scans = [image.scan, *(volume.scan for volume in (ct, other) if volume)]
    if len({scan.patient_key for scan in scans if scan.patient_key}) > 1:
        also = study.carried_from.ct if study.carried_from else None
        named = ", ".join(str(path) for path in (study.pet, study.ct, also) if path)
        raise InputRefused("patients-differ", "{named} name different patients; check the paths", named=named)
    progress(0.8, "Reading the segmentation and the blood")
    segmentation, carried = read_segmentation(study.segmentation), None
    registered = study.settings.motion_correction == "rigid"
    on = None if study.carried_from else segmentation
    placed = check_frames_of_reference(image.scan, ct.scan if ct else None, on, registered)
    image = replace(image, notices=(*image.notices, *placed))
    if study.carried_from and ct and other:
        session, stretch = study.carried_from.settings.session, part(progress, 0.8, 1)
        segmentation, carried = carry_regions(segmentation, other, ct, session, stretch)
    paths = [study.given_input] if study.given_input else list(study.blood)
    if not paths:
        raise InputRefused("blood-missing", "the study names no blood file; add [blood] paths to the study file")
    blood = read_blood(paths, route=study.route)
    if study.given_input and blood.parent_plasma is None:
        raise InputRefused(
            "input-not-ready",
            "{given_input_name} has no AIF column; raw blood belongs under [blood] paths",
            given_input_name=study.given_input.name,
        )
    return VisitData(image, segmentation, blood, ct, carried)


def carry_regions(
    segmentation: Segmentation, drawn_on: Volume, ct: Volume, session: str, progress: Progress = silent
) -> tuple[Segmentation, VisitAlignment]:
    """The regions drawn on another visit's CT as segments on this visit's, where they can be looked at and corrected.

    session: the other visit's, with which the segments are tagged. Raises InputRefused ("levels-missing",
    "visits-mismatch").
    """
    alignment = align_visits(drawn_on, ct, level_points(regions_of(segmentation)), progress)
    return carry_segmentation(segmentation, alignment, ct.grid, session), alignment


def quantify_study(study: Study, progress: Progress = silent) -> VisitResult:
    """From a study file's content to V_T, with the hashes of every input."""
    return quantify_visit(study, read_visit(study, part(progress, 0, 0.2)), part(progress, 0.2, 1))


def quantify_visit(study: Study, data: VisitData, progress: Progress = silent) -> VisitResult:
    """From a visit's data to V_T, with the hashes of every input."""
    result = quantify(
        data.image,
        data.segmentation,
        data.blood,
        study.settings,
        data.ct,
        progress=progress,
        inputs=provenance.inputs(study.files),
    )
    return replace(result, carried=data.carried)


def visit_fused(data: VisitData, settings: StudySettings, aligned: Alignment) -> FusedImages | None:
    """What pictures of a visit are drawn from; None without a CT. aligned: what ``align_visit`` found."""
    if data.ct is None:
        return None
    targets = [r for r in regions_of(data.segmentation) if r.anatomy.structure not in ANATOMY_ONLY and r.mask.any()]
    reach = np.concatenate([corners_of(region) for region in targets])
    moved = region_to_frame(*aligned)
    return fused_images(data.image, data.ct, data.segmentation, reach, moved, settings.subject, settings.session)


def fused_pictures(
    visits: Sequence[FusedImages | Path],
    regions: Sequence[str],
    plane: str = "axial",
    size_mm: float = 110.0,
    top: float | None = None,
) -> tuple[FusedPicture, ...]:
    """CT and PET mixed by Slicer's own blending, with outlines: every region at every visit, all at one PET scale.

    visits: what quantification left (``VisitResult.fused``), or the folders that it was written into. regions: names;
    at the other visits the region of the same structure, level and side. plane: one of regions.planes.PLANES. top:
    end of the PET's scale; None takes the highest value in any region to be quantified, rounded up. The scale is in
    SUV where every visit's dose and weight are known, else in kBq/mL. Region by region, in the order of the visits; a
    visit without a region has no picture of it. Raises InputRefused ("region-missing", "fused-missing", …).
    """
    from .mrml.fusion import pet_colors, render_fused_slice  # Slicer's: only where pictures are wanted

    images = [read_fused_images(visit) if isinstance(visit, Path) else visit for visit in visits]
    known = [visit.suv_per_kbq_ml for visit in images]
    factors = [factor for factor in known if factor is not None]
    unit = "SUV" if len(factors) == len(images) else "kBq/mL"
    pets = [visit.pet for visit in images]
    if unit == "SUV":
        pets = [replace(pet, values=pet.values * np.float32(f)) for pet, f in zip(pets, factors, strict=True)]
    drawn = [[region for region in regions_of(visit.regions) if region.mask.any()] for visit in images]
    highest = [
        highest_in(region, pet)
        for pet, here in zip(pets, drawn, strict=True)
        for region in here
        if region.anatomy.structure not in ANATOMY_ONLY
    ]
    end = round_top(max(highest)) if top is None else top
    colors, pictures = pet_colors(), []
    for name in regions:
        places = [_same_region(name, drawn, here) for here in drawn]
        if not any(places):
            raise InputRefused(
                "region-missing", "no visit has a region called '{name}'; see the segment names", name=name
            )
        for visit, pet, here, region in zip(images, pets, drawn, places, strict=True):
            if region is None:
                continue
            axes, center = plane_of(region.anatomy, plane, foramen_centers(here)), center_of(region)
            rgba = render_fused_slice(visit.ct, pet, tuple(center.tolist()), axes, size_mm, pet_range=(0, end))
            inks = {plain_name(segment.name): segment.color for segment in visit.regions.segments}
            for other in here:
                if other.anatomy.structure not in ANATOMY_ONLY:
                    cut = cut_by_plane(other, center, axes, size_mm, len(rgba))
                    rgba = outlined(rgba, cut, inks[other.name] or OUTLINE, 2 if other is region else 1)
            right, up = axes.T
            edges = (edge_letters(-right), edge_letters(right), edge_letters(up), edge_letters(-up))
            pictures.append(FusedPicture(rgba, region.name, visit.session, size_mm, edges, end, unit, colors))
    return tuple(pictures)


def comparison_pictures(
    comparison: Comparison, visits: Sequence[Path | FusedImages], hidden: Hidden | None = None
) -> tuple[FusedPicture, ...]:
    """Fused slices through the affected foramen, or the first foramen where none is named, at every visit; none where
    a visit has no CT. hidden: what stands for names and sessions, where the comparison does not show them."""
    lesion, first = comparison.lesion, comparison.baseline
    foramina = [region for region in first.regions if region.structure == "foramen"]
    affected = [region for region in foramina if lesion and (region.level, region.side) == (lesion.level, lesion.side)]
    try:
        images = [read_fused_images(visit) if isinstance(visit, Path) else visit for visit in visits]
    except InputRefused as refusal:
        if refusal.code != "fused-missing":
            raise
        return ()
    shown = [hidden.images(one) for one in images] if hidden else images
    return fused_pictures(shown, [region.name for region in (affected or foramina)[:1]])


def _same_region(name: str, visits: Sequence[Sequence[Region]], here: Sequence[Region]) -> Region | None:
    """The region of a visit that has this name, or is the same place as one that has it at another visit."""
    found = next((region for region in here if region.name == name), None)
    known = {region.anatomy for visit in visits for region in visit if region.name == name}
    known = {anatomy for anatomy in known if anatomy.structure != "other"}
    return found or next((region for region in here if region.anatomy in known), None)


def region_to_frame(motion: FrameMotion | None, to_ct: PetToCt | None) -> list[NDArray[np.float64]] | None:
    """For every frame the rigid 4 x 4 (LPS mm) that carries what was drawn on the CT into it; None without motion."""
    if motion is None:
        return None
    first = to_ct.ct_to_reference if to_ct else np.eye(4)
    return [frame @ first for frame in motion.reference_to_frame]


def quantify(
    image: DynamicImage,
    segmentation: Segmentation,
    blood: BloodSamples,
    settings: StudySettings,
    ct: Volume | None = None,
    progress: Progress = silent,
    inputs: Sequence[dict[str, str]] = (),
    aligned: Alignment | None = None,
) -> VisitResult:
    """One visit from images and blood to V_T per region and model.

    inputs: names and hashes of the files, for the provenance. aligned: what ``align_visit`` found for this image, CT
    and settings; None works it out. Raises InputRefused; Cancelled through ``progress``.
    """
    regions = regions_of(segmentation)
    targets = [region for region in regions if region.anatomy.structure not in ANATOMY_ONLY]
    if not targets:
        raise InputRefused(
            "regions-missing", "the segmentation holds no region to quantify; draw a foramen or the cord"
        )
    motion, to_ct = aligned or align_visit(image, ct, settings, part(progress, 0, 0.7))
    if motion is not None:
        motion = told_at(motion, np.array([center_of(region) for region in targets if region.mask.any()]))
    moved = region_to_frame(motion, to_ct)
    settings, resolved = _resolved(image, ct, settings, moved, part(progress, 0.68, 0.7))
    progress(0.7, "Reading the regions off the PET")
    curves = tuple(sample(image, region, moved, settings.minimum_coverage) for region in targets)
    progress(0.8, "Input function")
    activity = np.array([curve.mean for curve in curves])
    blood = reconcile(blood, image.timing, activity)
    source = input_of(image, regions, blood, settings, moved)
    options = _options(image, activity.mean(axis=0), settings)
    fits = {}
    for index, model in enumerate(settings.models):
        progress(0.85 + 0.05 * index / len(settings.models), Text("Fitting {model}", model=model))
        fits[model] = _fit_curves(model, image, curves, _for_model(source, model, options), options)
    corrected = _corrected(image, regions, targets, settings, moved, ct, part(progress, 0.9, 0.95))
    corrected_fits = {}
    if corrected is not None:
        again = [replace(one.measured, mean=one.corrected.mean) for one in corrected.curves]
        for model in settings.models:
            chosen = with_start_of(options, fits[model])
            plasma = _for_model(source, model, chosen)
            corrected_fits[model] = _fit_curves(model, image, again, plasma, chosen, corrected.method)
    measured = Measured("none", tuple(targets), activity, fits)
    errors = _sensitivities(
        image,
        regions,
        settings,
        moved,
        ct,
        options,
        source,
        measured,
        corrected,
        corrected_fits,
        part(progress, 0.95, 1),
    )
    by_name = {} if corrected is None else {one.measured.region: one.corrected for one in corrected.curves}
    records = tuple(
        region_record(region, curve, by_name.get(region.name), measure(region, regions, image.grid))
        for region, curve in zip(targets, curves, strict=True)
    )
    all_fits = tuple(one for each in (*fits.values(), *corrected_fits.values()) for one in each)
    record = VisitRecord(
        format=FORMAT,
        subject=settings.subject,
        session=settings.session,
        genotype=settings.genotype,
        acquisition=acquisition_of(image, _width(settings)),
        settings=plain(settings, lossless=False),
        models=settings.models,
        rows=outcome_rows(settings.session, records, all_fits),
        regions=records,
        fits=all_fits,
        sensitivities=errors,
        pvc=corrected.method if corrected else "none",
        pvc_fwhm_mm=corrected.fwhm_mm if corrected else None,
        input=input_record(source, blood),
        motion=motion_table(motion, np.array([center_of(region) for region in targets])) if motion else None,
        pet_to_ct=to_ct,
        quality=check_regions(regions, image.grid, _width(settings)),
        notices=segmentation.notices + _notices(image, blood, ct, motion, to_ct, source, settings) + resolved,
        provenance=plain(_provenance(image, source, settings, inputs), lossless=False),
    )
    fused = visit_fused(VisitData(image, segmentation, blood, ct), settings, (motion, to_ct))
    progress(1, "Done")
    return VisitResult(record, fused)


def _fit_curves(
    model: str,
    image: DynamicImage,
    curves: Sequence[TimeActivityCurve],
    source: InputFunction,
    options: FitOptions,
    pvc: str = "none",
) -> tuple[KineticFit, ...]:
    """A model fitted to every curve; the fits say to which, and which partial-volume correction it went through."""
    fits = fit(model, image.timing, np.array([curve.mean for curve in curves]), source, options)
    return _named([curve.region for curve in curves], fits, pvc)


def _named(regions: Sequence[str], fits: Sequence[KineticFit], pvc: str = "none") -> tuple[KineticFit, ...]:
    """The fits with the regions whose curves they are of."""
    return tuple(replace(one, region=region, pvc=pvc) for region, one in zip(regions, fits, strict=True))


def _resolved(
    image: DynamicImage,
    ct: Volume | None,
    settings: StudySettings,
    moved: Sequence[NDArray[np.float64]] | None,
    progress: Progress,
) -> tuple[StudySettings, tuple[Notice, ...]]:
    """The settings with the resolution as a number, estimated where the study asks for that."""
    if settings.fwhm_mm != "estimate":
        return settings, ()
    if ct is None:
        raise InputRefused(
            "resolution-ct",
            "the resolution is estimated with the CT; add [ct] path, or give [pet] fwhm_mm as a number",
        )
    found = estimate_resolution(image, ct, moved, progress)
    said = Notice(
        "resolution-estimated",
        "the resolution was estimated from the images: {fwhm_mm:.1f} mm FWHM (standard error {se_mm:.1f} mm)",
        fwhm_mm=found.fwhm_mm,
        se_mm=found.se_mm,
    )
    return replace(settings, fwhm_mm=round(found.fwhm_mm, 2)), (said, *found.notices)


def _width(settings: StudySettings) -> float | None:
    """The resolution where it is a number."""
    return None if isinstance(settings.fwhm_mm, str) else settings.fwhm_mm


def _sensitivities(
    image: DynamicImage,
    regions: Sequence[Region],
    settings: StudySettings,
    moved: Sequence[NDArray[np.float64]] | None,
    ct: Volume | None,
    options: FitOptions,
    source: InputFunctionResult,
    measured: Measured,
    corrected: PartialVolumeResult | None,
    corrected_fits: dict[str, tuple[KineticFit, ...]],
    progress: Progress,
) -> tuple[Sensitivity, ...]:
    """How V_T of every region answers to errors of input, place and resolution."""
    again, by_name = None, {region.name: region for region in measured.regions}
    if corrected is not None:
        again = Measured(
            corrected.method,
            tuple(by_name[curve.measured.region] for curve in corrected.curves),
            np.array([curve.corrected.mean for curve in corrected.curves]),
            corrected_fits,
        )

    def refit(model: str, curves: NDArray[np.float64], shifted: InputFunction) -> tuple[KineticFit, ...]:
        chosen = with_start_of(options, measured.fits[model])
        plasma = _for_model(replace(source, input_function=shifted), model, chosen)
        return fit(model, image.timing, curves, plasma, chosen)

    others = tuple(region for region in regions if region not in measured.regions)
    geometry = Geometry(image, moved, ct, others, settings.minimum_coverage)
    return sensitivities(measured, again, corrected, geometry, source, refit, settings.delay_s == "fit", progress)


def _corrected(
    image: DynamicImage,
    regions: Sequence[Region],
    targets: Sequence[Region],
    settings: StudySettings,
    moved: Sequence[NDArray[np.float64]] | None,
    ct: Volume | None,
    progress: Progress,
) -> PartialVolumeResult | None:
    """The regions' curves corrected for partial volume, where the study asks for it."""
    if settings.pvc == "none":
        return None
    width = _width(settings)
    if width is None:
        raise InputRefused(
            "pvc-fwhm-missing",
            'partial-volume correction needs the resolution; add [pet] fwhm_mm, as a number or "estimate"',
        )
    unknown = sorted(set(settings.pvc_regions) - {region.name for region in targets})
    if unknown:
        raise InputRefused(
            "pvc-region", "no region to correct is called '{unknown}'; see the segment names", unknown=unknown[0]
        )
    chosen = [region for region in targets if not settings.pvc_regions or region.name in settings.pvc_regions]
    others = [region for region in regions if region not in chosen]
    return correct(image, chosen, settings.pvc, width, moved, ct, settings.minimum_coverage, others, progress)


def study_maps(study: Study, model: str, progress: Progress = silent) -> VisitMaps:
    """Parametric maps of one visit, frames brought to the CT's position first where the study corrects motion."""
    data = read_visit(study, part(progress, 0, 0.2))
    found = provenance.inputs(study.files)
    return make_visit_maps(data, study.settings, model, None, part(progress, 0.2, 1), found)


def make_visit_maps(
    data: VisitData,
    settings: StudySettings,
    model: str,
    aligned: Alignment | None = None,
    progress: Progress = silent,
    inputs: Sequence[dict[str, str]] = (),
) -> VisitMaps:
    """Parametric maps from a visit's data; aligned, inputs: as for ``quantify``."""
    motion, to_ct = aligned or align_visit(data.image, data.ct, settings, part(progress, 0, 0.5))
    image = at_rest(data.image, region_to_frame(motion, to_ct))
    regions = regions_of(data.segmentation)
    mask = _body(image)
    curve = image.activity[:, mask].mean(axis=1, dtype=float)
    blood = reconcile(data.blood, image.timing, curve[None])
    source = input_of(image, regions, blood, settings)
    options = _options(image, curve, settings)
    progress(0.6, Text("{model} maps", model=model))
    plasma = _for_model(source, model, options)
    maps = make_maps(model, image.timing, image.activity, plasma, options, mask, part(progress, 0.6, 1))
    return VisitMaps(
        subject=settings.subject,
        session=settings.session,
        maps=maps,
        grid=image.grid,
        notices=_notices(image, blood, data.ct, motion, to_ct, source, settings),
        provenance=_provenance(image, source, settings, inputs) | {"mask": BODY_MASK},
    )


def plan_protocol(path: Path, progress: Progress = silent) -> Plan:
    """Which change a protocol could detect, with the phantom's blood for an input. Raises InputRefused."""
    protocol = read_protocol(path)
    minutes = true_input_times_min()
    minutes = np.append(minutes, np.arange(minutes[-1] + 0.5, protocol.minutes + 1, 0.5))
    blood, scale = blood_of("baseline"), protocol.injected_mbq / INJECTED_MBQ["baseline"]
    source = InputFunction(60 * minutes, scale * blood.parent_plasma(minutes), scale * blood.whole_blood(minutes))
    return make_plan(protocol, source, HALF_LIFE_S, progress=progress)


def fit_tacs(
    tacs_path: Path,
    blood_paths: Sequence[Path],
    models: Sequence[str],
    options: FitOptions,
    weights: str = "uniform",
    blood_json: Path | None = None,
    pet_json: Path | None = None,
) -> FittedTable:
    """Fit models to ready curves with blood from files; ``options.weights`` is filled from ``weights``."""
    for model in models:
        model_named(model)  # an unknown one is refused before the work
    tacs = read_tacs(tacs_path)
    sidecar = read_pet_json(pet_json) if pet_json else None
    blood = reconcile(read_blood(blood_paths, blood_json), tacs.timing, tacs.activity)
    source = sampled_input(blood, float(tacs.timing.ends_s[-1]), SampledSettings())
    half_life = sidecar.half_life_s if sidecar else None
    chosen = replace(options, weights=frame_weights(weights, tacs.timing, tacs.activity.mean(axis=0), half_life))
    files = [tacs_path, *blood_paths, *(path for path in (blood_json, pet_json) if path)]
    return FittedTable(
        regions=tacs.regions,
        timing=tacs.timing,
        activity=tacs.activity,
        fits={
            model: _named(
                tacs.regions, fit(model, tacs.timing, tacs.activity, _for_model(source, model, chosen), chosen)
            )
            for model in models
        },
        input=source,
        notices=tuple(dict.fromkeys([*tacs.notices, *blood.notices, *source.notices])),
        provenance={
            "inputs": provenance.inputs(files),
            "versions": provenance.versions(),
            "settings": asdict(options) | {"weights": weights, "models": list(models)},
            "input_function": source.settings,
        },
    )


def input_of(
    image: DynamicImage,
    regions: Sequence[Region],
    blood: BloodSamples,
    settings: StudySettings,
    moved: Sequence[NDArray[np.float64]] | None = None,
) -> InputFunctionResult:
    """The visit's input function, from the blood pool of the image, from blood samples, or given."""
    if settings.input_source != "image-derived":
        end_s = float(image.timing.ends_s[-1])
        until_s = end_s if settings.until_min is None else min(end_s, 60 * settings.until_min)
        return sampled_input(blood, until_s, part_of(SampledSettings, settings))
    pool = next((region for region in regions if region.name == plain_name(settings.blood_pool)), None)
    if pool is None:
        names = ", ".join(f"'{region.name}'" for region in regions)
        raise InputRefused(
            "blood-pool-missing",
            "no segment is called '{blood_pool}'; draw it, or name the one that is the blood pool: {names}",
            blood_pool=settings.blood_pool,
            names=names,
        )
    curve = sample(image, pool, moved, settings.minimum_coverage)
    shell = surround(image.grid, pool, regions)
    tissue = sample(image, shell, moved).mean if shell else None
    return image_derived_input(image.timing, curve.mean, blood, part_of(ImageDerivedSettings, settings), tissue)


def _body(image: DynamicImage) -> NDArray[np.bool_]:
    """BODY_MASK, (k, j, i). Raises InputRefused ("pet-empty")."""
    mean = mean_image(image, range(len(image.timing))).values
    mask: NDArray[np.bool_] = mean > BODY_SHARE * np.percentile(mean, 99)
    if not mask.any():
        raise InputRefused("pet-empty", "the PET holds no activity; check the series")
    return mask


def visit_input(data: VisitData, settings: StudySettings, aligned: Alignment) -> InputFunctionResult:
    """The input function alone, as ``quantify`` makes it; aligned: what ``align_visit`` found."""
    curve = data.image.activity[:, _body(data.image)].mean(axis=1, dtype=float)
    blood = reconcile(data.blood, data.image.timing, curve[None])
    return input_of(data.image, regions_of(data.segmentation), blood, settings, region_to_frame(*aligned))


def align_visit(
    image: DynamicImage, ct: Volume | None, settings: StudySettings, progress: Progress = silent
) -> Alignment:
    """Where the neck lay in each frame, and the CT in the PET, as far as the study asks for it."""
    if settings.motion_correction == "none":
        return None, None
    chosen = settings.motion_reference
    reference = chosen if isinstance(chosen, str) else [frame - 1 for frame in chosen]
    motion = estimate_motion(image, part(progress, 0, 0.9), reference)
    if settings.motion_correction == "frames" or ct is None:
        return motion, None
    progress(0.9, "PET to CT")
    return motion, align_to_ct(image, ct, motion, settings.registration_window)


def _options(image: DynamicImage, curve: NDArray[np.float64], settings: StudySettings) -> FitOptions:
    """The study's choices for the fits; ``curve`` (frames,) in kBq/mL stands for the scan's counts."""
    by_frame = frame_weights(settings.weights, image.timing, curve, image.scan.half_life_s)
    chosen = within(by_frame, image.timing, settings.until_min)
    return FitOptions(**asdict(part_of(FitChoices, settings)), weights=chosen)


def _for_model(source: InputFunctionResult, model: str, options: FitOptions) -> InputFunction:
    """The input as a model needs it: where whole blood was not measured, only a fit without V_B is possible.

    Raises InputRefused ("whole-blood-missing", "delay-value").
    """
    delays = options.bounds.get("delay", ()) if isinstance(options.delay_s, str) else (options.delay_s,)
    beyond = next((delay for delay in delays if abs(delay) > LONGEST_DELAY_S), None)
    if beyond is not None:
        raise InputRefused(
            "delay-value",
            "a delay of {beyond:g} s is no sampling delay; stay within {longest_delay_s:g} s, or bring blood "
            "and scan to one clock",
            beyond=beyond,
            longest_delay_s=LONGEST_DELAY_S,
        )
    curve = source.input_function
    if curve.has_whole_blood:
        return curve
    if options.vb not in ("none", 0) and not (options.vb == "fit" and not model_named(model).compartmental):
        raise InputRefused(
            "whole-blood-missing",
            "{model} with V_B needs whole blood, and the blood files hold none; add a whole_blood_radioactivity "
            'column, or leave V_B out (--vb none; in a study file vb = "none")',
            model=model,
        )
    return replace(curve, whole_blood=np.zeros_like(curve.whole_blood))  # with V_B at 0 nothing depends on it


def _provenance(
    image: DynamicImage, source: InputFunctionResult, settings: StudySettings, inputs: Sequence[dict[str, str]]
) -> dict[str, object]:
    return {
        "inputs": list(inputs),
        "versions": provenance.versions(),
        "settings": asdict(settings),
        "input_function": source.settings,
        "time_zero": image.time_zero,
        "decay_correction": image.decay_correction,
    }


def _nowhere(image: DynamicImage) -> NDArray[np.float64]:
    """The transforms of a neck that lay still."""
    return np.tile(np.eye(4), (len(image.timing), 1, 1))


def _notices(
    image: DynamicImage,
    blood: BloodSamples,
    ct: Volume | None,
    motion: FrameMotion | None,
    to_ct: PetToCt | None,
    source: InputFunctionResult,
    settings: StudySettings,
) -> tuple[Notice, ...]:
    """Every warning of the visit, in the order of the rooms, each once."""
    found = [*image.notices, *blood.notices, *(ct.notices if ct else ()), *(motion.notices if motion else ())]
    found += [*(to_ct.notices if to_ct else ()), *source.notices]
    if motion is not None and ct is None and not np.array_equal(motion.reference_to_frame, _nowhere(image)):
        frames = ", ".join(str(frame + 1) for frame in motion.reference)
        text = Text(
            "without a CT the regions are taken to lie where the reference, frames {frames}, shows the neck",
            frames=frames,
        )
        found.append(Notice("regions-on-reference", text))
    if settings.genotype in ("LAB", "unknown"):
        known = "a low-affinity binder" if settings.genotype == "LAB" else "not known"
        found.append(Notice("genotype", "the rs6971 genotype is {known}; TSPO binding depends on it", known=known))
    return tuple(dict.fromkeys(found))
