"""Parametric maps of one visit."""

from collections.abc import Sequence

from ..acquisition.blood import reconcile
from ..alignment.resample import at_rest
from ..kinetics import make_maps
from ..messages import InputRefused, Notice, Text
from ..outcome.visit import VisitMaps
from ..progress import Progress, part, silent
from ..regions.nearby import surroundings
from ..reporting import provenance
from ..study import Study, StudySettings
from .curves import fit_options, only_seen, seen_frames
from .placement import Alignment, Placed, place
from .plasma import BODY_MASK, body_curve, body_of, for_model, input_of
from .quantification import (
    frame_notices,
    read_targets,
    smoothed_as_asked,
    visit_notices,
    visit_provenance,
    with_resolution,
)
from .visit_data import VisitData, read_visit

BODY = "the body"
"""In the place of a region's name."""


def study_maps(study: Study, model: str, progress: Progress = silent) -> VisitMaps:
    """Parametric maps of one visit, frames brought to the CT's position first where the study corrects motion."""
    data = read_visit(study, part(progress, 0, 0.2))
    inputs = provenance.inputs(study.files, study.person.read)
    return make_visit_maps(data, study.settings, model, None, part(progress, 0.2, 1), inputs)


def make_visit_maps(
    data: VisitData,
    settings: StudySettings,
    model: str,
    aligned: Alignment | None = None,
    progress: Progress = silent,
    inputs: Sequence[dict[str, str]] = (),
) -> VisitMaps:
    """Parametric maps from a visit's data; aligned, inputs: as for ``quantify``.

    Raises InputRefused ("vt-static", "smooth-…", and as placing, reading and fitting do).
    """
    if data.blood is None:
        raise InputRefused(
            "vt-static",
            "a map of {model} needs the course of tissue and blood, and the PET is one frame; give the dynamic series",
            model=model,
        )
    placed = place(data, settings, aligned, part(progress, 0, 0.5))
    width: tuple[Notice, ...] = ()
    if settings.smooth_to_mm is not None:
        placed, _, _ = read_targets(placed, settings.minimum_coverage)
        settings, resolution = with_resolution(placed, settings, part(progress, 0.5, 0.55))
        width = resolution.notices if resolution else ()
    image = at_rest(smoothed_as_asked(data.image, settings), placed.to_frames)
    mask = body_of(image)
    curve = body_curve(image, mask)
    odd = frame_notices(image.timing, [BODY], curve[None], settings)
    blood = reconcile(data.blood, image.timing, curve[None], settings.input_source != "image-derived")
    source = input_of(Placed(surroundings(image, placed.regions), placed.regions), blood, settings)
    options = fit_options(image, curve, settings, data.frame_weights)
    progress(0.6, Text("{model} maps", model=model))
    plasma = for_model(source, model, options)
    timing, activity = image.timing, image.activity
    if settings.leave_out:
        seen = seen_frames(timing, settings.leave_out)
        timing, activity, options = timing.only(seen), activity[seen], only_seen(options, seen)
    maps = make_maps(model, timing, activity, plasma, options, mask, part(progress, 0.6, 1))
    return VisitMaps(
        subject=settings.subject,
        session=settings.session,
        maps=maps,
        grid=image.grid,
        notices=visit_notices(placed, settings, (*width, *odd, *blood.notices, *source.notices)),
        provenance=visit_provenance(image, source.settings, settings, inputs) | {"mask": BODY_MASK},
    )
