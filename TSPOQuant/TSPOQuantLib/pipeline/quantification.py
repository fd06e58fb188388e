"""One visit from its images and its blood to V_T per region and model."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples, reconcile
from ..acquisition.curve_checks import curve_notices
from ..acquisition.frames import FrameTiming
from ..acquisition.image import DynamicImage
from ..alignment.motion import motion_table
from ..input_function import InputFunction
from ..kinetics import KineticFit
from ..kinetics.models import first_of_volume
from ..kinetics.options import ALONE, AS_NAMED, FROM_FILE
from ..messages import InputRefused, Listed, Notice, Notices, Text
from ..outcome.budget import KINETIC_MODEL, BudgetSettings
from ..outcome.ratio import with_dvr
from ..outcome.record import FORMAT, NO_INPUT, InputRecord, Sensitivity, VisitRecord
from ..outcome.recording import acquisition_of, input_record, outcome_rows, region_record
from ..outcome.second_tissue import LEAST_CHANGE, ONE_TISSUE, TWO_TISSUES, asking_structures, leading
from ..outcome.sensitivity import Geometry, Measured, sensitivities
from ..outcome.uptake import uptake_notices
from ..outcome.visit import VisitResult
from ..plain import plain
from ..progress import Progress, part, silent
from ..regions.measurements import measure
from ..regions.naming import check_names, undrawn_notices
from ..regions.nearby import surroundings
from ..regions.partial_volume import PartialVolumeResult, correct
from ..regions.planes import center_of
from ..regions.quality import check as check_regions
from ..regions.region import TimeActivityCurve
from ..regions.resolution import Resolution, estimate_resolution, resolution_at
from ..regions.sampling import TOO_SMALL
from ..regions.smoothing import smoothed_to
from ..reporting import provenance
from ..study import Study, StudySettings
from ..tracers import tracer_named
from .curves import Fitting, corrected_vb, fitting_of, seen_frames, unit_notices
from .placement import Alignment, Placed, place, regions_to_correct, visit_fused
from .plasma import body_curve, body_of, input_of
from .uptake import hottest_of, reference_of
from .visit_data import VisitData, read_visit

LARGEST_BY_WIDTH = 0.2
"""Above this SD of ln V_T by the resolution a corrected value is not to be led with: a choice."""
MOST_BLOOD = 0.1
"""More blood than this, by two standard errors of V_B, tissue of foramina or cord is not taken to hold: a choice."""


def quantify_study(study: Study, progress: Progress = silent) -> VisitResult:
    """From a study file's content to V_T, with the hashes of every input."""
    return quantify_visit(study, read_visit(study, part(progress, 0, 0.2)), part(progress, 0.2, 1))


def quantify_visit(study: Study, data: VisitData, progress: Progress = silent) -> VisitResult:
    """From a visit's data to V_T, with the hashes of every input."""
    return quantify(data, study.settings, progress=progress, inputs=provenance.inputs(study.files, study.person.read))


def quantify(
    data: VisitData,
    settings: StudySettings,
    aligned: Alignment | None = None,
    progress: Progress = silent,
    inputs: Sequence[dict[str, str]] = (),
) -> VisitResult:
    """One visit from images and blood to V_T per region and model.

    aligned: what ``align_visit`` found for this image, CT and settings; None works it out. inputs: names and hashes
    of the files, for the provenance. Raises InputRefused; Cancelled through ``progress``.
    """
    unclear = (*check_names(data.segmentation.segments), *undrawn_notices(data.segmentation))
    placed = place(data, settings, aligned, part(progress, 0, 0.68), to_quantify=True)
    progress(0.68, "Reading the regions off the PET")
    placed, curves, too_small = read_targets(placed, settings.minimum_coverage)
    settings, resolution = with_resolution(placed, settings, part(progress, 0.68, 0.7))
    width_se_mm = resolution.se_mm if resolution else None
    whole = smoothed_as_asked(data.image, settings)
    if whole is not data.image:
        placed = replace(placed, image=surroundings(whole, placed.regions))
        curves = tuple(placed.read(region, settings.minimum_coverage) for region in placed.targets)
    image, targets = placed.image, placed.targets
    reference, hot = reference_of(placed, settings), hottest_of(placed, settings)
    corrected = _corrected(placed, settings, part(progress, 0.75, 0.8))
    if data.blood is None:
        fitted = _without_vt(image.timing)
    else:
        read = _Read(placed, curves, corrected, body_curve(whole, body_of(whole)), width_se_mm)
        fitted = _fitted(read, data.blood, data.frame_weights, settings, part(progress, 0.8, 1))
    recovered = {} if corrected is None else {curve.measured.region: curve.corrected for curve in corrected.curves}
    records = tuple(
        region_record(region, curve, recovered.get(region.name), measure(region, placed.regions, image.grid), warm)
        for region, curve, warm in zip(targets, curves, hot, strict=True)
    )
    centers = np.array([center_of(region) for region in targets])
    made_from = visit_provenance(image, fitted.input.settings, settings, inputs)
    record = VisitRecord(
        format=FORMAT,
        subject=settings.subject,
        session=settings.session,
        genotype=settings.genotype,
        acquisition=acquisition_of(data.image, _width(settings), resolution, placed.ct),
        settings=plain(settings, lossless=False),
        models=fitted.models,
        rows=outcome_rows(settings.session, records, fitted.fits),
        regions=records,
        fits=fitted.fits,
        sensitivities=fitted.sensitivities,
        pvc=corrected.method if corrected else "none",
        pvc_fwhm_mm=corrected.fwhm_mm if corrected else None,
        input=fitted.input,
        motion=motion_table(placed.motion, centers) if placed.motion else None,
        pet_to_ct=placed.to_ct,
        quality=check_regions(placed.regions, image.grid, _width(settings), placed.ct),
        notices=(
            *data.segmentation.notices,
            *unclear,
            *too_small,
            *visit_notices(placed, settings, fitted.notices),
            *(resolution.notices if resolution else ()),
            *(corrected.notices if corrected else ()),
            *width_notices(fitted.sensitivities),
            *vessel_notices(fitted.fits, first_of_volume(settings.models), corrected_vb(settings)),
            *([SHARED_LATER] if settings.coupled != ALONE else []),
        ),
        provenance=plain(made_from | _listed(data, settings), lossless=False),
        reference=reference,
    )
    asked = two_tissue_notices(record.sensitivities, leading([record], first_of_volume(settings.models)))
    record = replace(record, notices=(*record.notices, *asked))
    record, ratios = with_dvr(record)
    record = replace(record, notices=(*record.notices, *uptake_notices(record), *ratios))
    fused = visit_fused(placed, data.segmentation, settings)
    progress(1, "Done")
    return VisitResult(record, fused, data.carried)


def read_targets(
    placed: Placed, minimum_coverage: float
) -> tuple[Placed, tuple[TimeActivityCurve, ...], tuple[Notice, ...]]:
    """The curve of every region to quantify, without those that cover no PET voxel and were proposed, not drawn.

    Raises InputRefused as ``sample`` does, of a region that was drawn, or where none is left.
    """
    curves: dict[str, TimeActivityCurve] = {}
    notices = Notices()
    refusals = []
    for region in placed.targets:
        try:
            curves[region.name] = placed.read(region, minimum_coverage)
        except InputRefused as refusal:
            if refusal.code != TOO_SMALL or region.placement_mm is None:
                raise
            refusals.append(refusal)
            notices.add(
                TOO_SMALL,
                "{problem}; it was proposed, and is left out",
                problem=refusal.message,
            )
    if refusals and not curves:
        raise refusals[0]
    targets = tuple(region for region in placed.targets if region.name in curves)
    return replace(placed, targets=targets), tuple(curves.values()), tuple(notices)


SHARED_LATER = Notice(
    "coupled-later",
    "V_T here is of every curve by itself: V_B and the delay are shared when visits are compared or reported ([model] "
    "coupled)",
)


@dataclass(frozen=True, eq=False)
class _Read:
    """What was read off the images: a curve of every region to quantify, and what correction made of them.

    counts: (frames,) kBq/mL, what stands for the scan's counts: of all that it shows, since what else is drawn must
    not move a region's V_T.
    """

    placed: Placed
    curves: tuple[TimeActivityCurve, ...]
    corrected: PartialVolumeResult | None
    counts: NDArray[np.float64]
    width_se_mm: float | None


@dataclass(frozen=True)
class _Fitted:
    """What a visit's input and fits came to; notices: of blood and input."""

    models: tuple[str, ...]
    fits: tuple[KineticFit, ...]
    sensitivities: tuple[Sensitivity, ...]
    input: InputRecord
    notices: tuple[Notice, ...]


def _without_vt(timing: FrameTiming) -> _Fitted:
    """A single late frame: SUV and its ratios are all that it tells."""
    notice = Notice(
        "vt-static",
        "V_T cannot be had of this visit: the PET is a single frame of {minutes:.3g} min, and V_T needs the course of "
        "tissue and blood; SUV and SUVR are given",
        minutes=float(timing.durations_s[0]) / 60,
    )
    return _Fitted((), (), (), NO_INPUT, (notice,))


def _fitted(
    read: _Read,
    samples: BloodSamples,
    frame_weights: NDArray[np.float64] | None,
    settings: StudySettings,
    progress: Progress,
) -> _Fitted:
    """The input function, every model on every region, and how V_T answers to errors."""
    progress(0, "Input function")
    placed, corrected = read.placed, read.corrected
    image, targets = placed.image, placed.targets
    activity = np.array([curve.mean for curve in read.curves])
    blood = reconcile(samples, image.timing, activity, settings.input_source != "image-derived")
    source = input_of(placed, blood, settings)
    fitting = fitting_of(image, read.counts, source, settings, frame_weights)
    fits = {}
    for index, model in enumerate(settings.models):
        progress(0.25 + 0.25 * index / len(settings.models), Text("Fitting {model}", model=model))
        fits[model] = fitting.named(model, [region.name for region in targets], activity)
    larger = _larger(fitting, settings, fits, activity, [region.name for region in targets])
    if larger and asking_structures([region.anatomy.structure for region in targets], fits[ONE_TISSUE], larger):
        fits[TWO_TISSUES] = larger
    measured = Measured("none", targets, activity, fits, larger)
    again = None
    if corrected is not None:
        by_name = {region.name: region for region in targets}
        regions = tuple(by_name[curve.measured.region] for curve in corrected.curves)
        means = np.array([curve.corrected.mean for curve in corrected.curves])
        names = [region.name for region in regions]
        corrected_fits = {
            model: fitting.starting_as(fits[model]).named(model, names, means, corrected.method) for model in fits
        }
        again = Measured(corrected.method, regions, means, corrected_fits)
    both = (measured, again)
    errors = _sensitivities(placed, settings, fitting, both, corrected, read.width_se_mm, part(progress, 0.5, 1))
    odd = frame_notices(image.timing, [region.name for region in targets], activity, settings)
    return _Fitted(
        tuple(fits),
        tuple(fit for done in both if done is not None for each in done.fits.values() for fit in each),
        errors,
        input_record(source, blood),
        (
            *odd,
            *unit_notices(image.timing, tuple(fits), settings, settings.until_min),
            *blood.notices,
            *source.notices,
        ),
    )


def _larger(
    fitting: Fitting,
    settings: StudySettings,
    fits: Mapping[str, tuple[KineticFit, ...]],
    activity: NDArray[np.float64],
    names: Sequence[str],
) -> tuple[KineticFit, ...] | None:
    """Every region by two tissue compartments, where one is the primary model and the study leaves the choice to the
    curves; None where it does not, or the two are fitted anyway."""
    if settings.second_tissue == AS_NAMED or first_of_volume(settings.models) != ONE_TISSUE or TWO_TISSUES in fits:
        return None
    try:
        return fitting.named(TWO_TISSUES, names, activity)
    except InputRefused:  # an input that only the visit's own models can use
        return None


def frame_notices(
    timing: FrameTiming, regions: Sequence[str], activity: NDArray[np.float64], settings: StudySettings
) -> tuple[Notice, ...]:
    """What speaks against single frames that the fits see; activity: (regions, frames) in kBq/mL."""
    seen = seen_frames(timing, settings.leave_out)
    numbers = (np.flatnonzero(seen) + 1).tolist()
    return curve_notices(timing.only(seen), regions, activity[:, seen], numbers, _leave_out)


def _leave_out(numbers: Sequence[int]) -> str:
    reasons = ", ".join(f'{number} = "…"' for number in numbers)
    return f"[model] leave_out = {{ {reasons} }}"


def with_resolution(
    placed: Placed, settings: StudySettings, progress: Progress
) -> tuple[StudySettings, Resolution | None]:
    """The settings with the resolution as a number, and what is known of it where it was estimated."""
    if settings.fwhm_mm != "estimate":
        return settings, None
    if placed.ct is None:
        raise InputRefused(
            "resolution-ct",
            "the resolution is estimated with a CT; add [ct] path, or give [pet] fwhm_mm as a number",
        )
    image, ct, where, least = placed.image, placed.ct, placed.to_frames, settings.minimum_coverage
    skin = estimate_resolution(image, ct, where, part(progress, 0, 0.6))
    others = [region for region in placed.regions if region not in placed.targets]
    found = resolution_at(skin, image, placed.targets, ct, where, least, others, part(progress, 0.6, 1))
    return replace(settings, fwhm_mm=round(found.fwhm_mm, 2)), found


def smoothed_as_asked(image: DynamicImage, settings: StudySettings) -> DynamicImage:
    """The image in the resolution in which the study wants it read. Raises InputRefused ("smooth-…")."""
    if settings.smooth_to_mm is None:
        return image
    own_mm = None if isinstance(settings.fwhm_mm, str) else settings.fwhm_mm
    return smoothed_to(image, own_mm, settings.smooth_to_mm)


def _width(settings: StudySettings) -> float | None:
    """The resolution, of smoothed images that to which they were, where it is a number."""
    if settings.smooth_to_mm is not None:
        return settings.smooth_to_mm
    return None if isinstance(settings.fwhm_mm, str) else settings.fwhm_mm


def _corrected(placed: Placed, settings: StudySettings, progress: Progress) -> PartialVolumeResult | None:
    """The regions' curves corrected for partial volume, where the study asks for it."""
    if settings.pvc == "none":
        return None
    width = _width(settings)
    if width is None:
        raise InputRefused(
            "pvc-fwhm-missing",
            'partial-volume correction needs the resolution; add [pet] fwhm_mm, as a number or "estimate"',
        )
    chosen = regions_to_correct(placed.targets, settings)
    if not chosen:  # they were proposed, and left out
        return None
    others = [region for region in placed.regions if region not in chosen]
    where, least = placed.to_frames, settings.minimum_coverage
    return correct(placed.image, chosen, settings.pvc, width, where, placed.hounsfield, least, others, progress)


def _sensitivities(
    placed: Placed,
    settings: StudySettings,
    fitting: Fitting,
    measured: tuple[Measured, Measured | None],
    corrected: PartialVolumeResult | None,
    width_se_mm: float | None,
    progress: Progress,
) -> tuple[Sensitivity, ...]:
    """How V_T of every region answers to errors of input, place and resolution; measured: as it is, and corrected."""

    def refit(
        model: str,
        curves: NDArray[np.float64],
        source: InputFunction,
        near: Sequence[KineticFit] | None = None,
        pvc: str = "none",
    ) -> tuple[KineticFit, ...]:
        varied = replace(fitting.source, input_function=source)
        same = fitting.starting_as(measured[0].fits.get(model, ()))
        return replace(same, source=varied).fits(model, curves, near, pvc)

    others = tuple(region for region in placed.regions if region not in placed.targets)
    geometry = Geometry(placed.image, placed.to_frames, placed.hounsfield, others, settings.minimum_coverage)
    delayed = settings.delay_s == "fit"
    return sensitivities(*measured, corrected, geometry, fitting.source, refit, delayed, width_se_mm, progress)


def visit_provenance(
    image: DynamicImage, source: Mapping[str, object], settings: StudySettings, inputs: Sequence[dict[str, str]]
) -> dict[str, object]:
    """What the results of a visit were made from, and with what."""
    return {
        "inputs": list(inputs),
        "versions": provenance.versions(),
        "settings": asdict(settings),
        "input_function": source,
        "time_zero": image.time_zero,
        "decay_correction": image.decay_correction,
    }


def _listed(data: VisitData, settings: StudySettings) -> dict[str, object]:
    """The weights of a file as numbers, for those who do not have the file."""
    return {"frame_weights": data.frame_weights} if settings.weights == FROM_FILE else {}


def visit_notices(placed: Placed, settings: StudySettings, of_input: Sequence[Notice]) -> tuple[Notice, ...]:
    """Every warning of the visit, in the order of the rooms, each once; of_input: those of blood and input."""
    notices = [*placed.image.notices, *placed.notices, *of_input, *placed.unsure]
    notices += tracer_notices(placed.image.scan.tracer, settings.genotype)
    return tuple(dict.fromkeys(notices))


def two_tissue_notices(rows: Sequence[Sensitivity], led: Collection[str]) -> list[Notice]:
    """Regions that one tissue compartment fits worse than two, and how far V_T by the two lies from it; nothing where
    that is no matter. First those that are told by the two; led: these, by name."""
    asked = [row for row in rows if row.component == KINETIC_MODEL and abs(row.upper) >= LEAST_CHANGE]
    leads = [row for row in asked if row.region in led]
    others = [row for row in asked if row.region not in led]
    return [
        Notice(
            "two-tissues",
            "two tissue compartments fit {regions} better than one (AICc); V_T by 2TCM differs from that by 1TCM by "
            "{difference}, {use}",
            regions=Listed(dict.fromkeys(row.region for row in some)),
            difference=_apart(some),
            use=use,
        )
        for some, use in (
            (leads, Text("and is what tells V_T there ([model] second_tissue)")),
            (others, Text("which is in the error budget")),
        )
        if some
    ]


def _apart(asked: Sequence[Sensitivity]) -> Text:
    """How far V_T of two models lies apart, in words."""
    percents = sorted({round(100 * math.expm1(row.upper)) for row in asked})
    if len(percents) > 1:
        return Text("{least:+d} to {most:+d} %", least=percents[0], most=percents[-1])
    return Text("{percent:+d} %", percent=percents[0])


def vessel_notices(fits: Sequence[KineticFit], model: str, tissue_vb: float) -> list[Notice]:
    """Corrected regions in which this model, the first of those that give V_T, finds more blood than tissue holds.

    tissue_vb: so much of V_B at most takes the place of tissue.
    """
    blood = {
        fit.region: fit.parameters["VB"]
        for fit in fits
        if (fit.model, fit.pvc != "none") == (model, True)
        and fit.parameters.get("VB", 0.0) - 2 * fit.standard_errors.get("VB", math.nan) > MOST_BLOOD
    }
    if not blood:
        return []
    return [
        Notice(
            "pvc-vessel",
            "corrected for partial volume, {model} finds up to {most:.0%} of blood (V_B) in {regions}, more than "
            "tissue holds: a vessel beside it spills into the early frames, which the correction enlarges; {use}",
            model=model,
            most=max(blood.values()),
            regions=Listed(blood),
            use=Text("what is beyond {part:.0%} takes nothing from the tissue there", part=tissue_vb)
            if tissue_vb <= MOST_BLOOD
            else Text("V_T is too high, as all of it takes the place of tissue there ([segmentation] pvc_tissue_vb)"),
        )
    ]


def width_notices(rows: Sequence[Sensitivity]) -> list[Notice]:
    """Regions whose corrected V_T the error of an estimated resolution moves so far that it leads nobody."""
    moved: dict[str, float] = {}
    for row in rows:
        if row.component == "resolution" and row.sd is not None:
            ends = [abs(end) for end in (row.lower, row.upper) if math.isfinite(end)]
            reach = max(ends, default=0.0) * BudgetSettings().size(row) / row.step
            moved[row.region] = max(moved.get(row.region, 0.0), reach)
    far = {region: reach for region, reach in moved.items() if reach > LARGEST_BY_WIDTH}
    if not far:
        return []
    return [
        Notice(
            "pvc-resolution",
            "the estimated resolution may be off by so much that corrected V_T of {regions} moves by {most:.0f} % "
            "(SD): lead with the measured values, or give fwhm_mm as a number that was measured",
            regions=Listed(far),
            most=100 * max(far.values()),
        )
    ]


def tracer_notices(name: str | None, genotype: str) -> list[Notice]:
    """What has to be known of a tracer and is not, and a genotype on which its binding depends."""
    tracer, notices = tracer_named(name), Notices()
    if name and tracer is None:
        notices.add(
            "tracer-unknown",
            "the tracer {name} is not in the table of tracers: which model suits it, whether its binding depends "
            "on rs6971 and how repeatable it is are not known here",
            name=name,
        )
    if genotype in ("LAB", "unknown") and (tracer is None or tracer.genotype is not False):
        known = Text("a low-affinity binder") if genotype == "LAB" else Text("not known")
        notices.add("genotype", "the rs6971 genotype is {known}; TSPO binding depends on it", known=known)
    return notices
