"""What is read of one visit, before anything is computed."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples
from ..acquisition.blood_files import read_blood
from ..acquisition.clock import at_injection, blood_at
from ..acquisition.dicom import read_anatomical, read_dynamic_pet
from ..acquisition.frame_of_reference import check_frames_of_reference
from ..acquisition.image import DynamicImage, Volume
from ..acquisition.segmentation import Segmentation
from ..acquisition.segmentation_files import read_segmentation
from ..acquisition.sequence_files import read_sequence
from ..acquisition.settings import ClockSettings
from ..acquisition.tacs import read_frame_table, read_frame_weights
from ..alignment.visits import VisitAlignment, align_visits
from ..messages import InputRefused
from ..progress import Progress, part, silent
from ..regions.carry import carry_segmentation, level_points
from ..regions.region import regions_of
from ..study import Study


@dataclass(frozen=True, eq=False)
class VisitData:
    """What was read of one visit.

    carried: where the levels of the visit lie whose regions were carried to it. frame_weights: (frames,), from a file.
    """

    image: DynamicImage
    segmentation: Segmentation
    blood: BloodSamples
    ct: Volume | None
    carried: VisitAlignment | None = None
    frame_weights: NDArray[np.float64] | None = None


def read_visit(study: Study, progress: Progress = silent) -> VisitData:
    """Read a visit's files, and carry another visit's regions to its CT where the study asks for that.

    Raises InputRefused where something cannot be used.
    """
    sequence = study.pet.name.endswith(".seq.nrrd")
    table = read_frame_table(study.frame_table) if study.frame_table else None
    if sequence and table:
        raise InputRefused(
            "frames-table-sequence", "a sequence of Slicer has its own frame times; leave [pet] frames out"
        )
    image = read_sequence(study.pet) if sequence else read_dynamic_pet(study.pet, table, part(progress, 0, 0.7))
    weight = image.scan.weight_kg or study.person.weight_kg
    told = (*image.notices, *study.person.notices)
    image = replace(image, scan=replace(image.scan, weight_kg=weight), notices=told)
    progress(0.7, "Reading the CT")
    ct = anatomical_of(study)
    other = anatomical_of(study.carried_from) if study.carried_from else None
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
    listed = read_frame_weights(study.frame_weights, image.timing) if study.frame_weights else None
    return on_one_clock(VisitData(image, segmentation, blood, ct, carried, listed), study.settings)


def anatomical_of(study: Study) -> Volume | None:
    """The CT or the MR of a visit; None without either. Raises what ``read_anatomical`` raises."""
    return read_anatomical(study.ct, study.settings.anatomical_modality) if study.ct else None


def on_one_clock(data: VisitData, settings: ClockSettings) -> VisitData:
    """The visit with image and blood counted from the moments that the settings state, where they state any.

    Raises InputRefused ("injection-time", "blood-time-zero", "pet-half-life").
    """
    image, blood = data.image, data.blood
    if settings.injection_time is not None:
        image = at_injection(image, settings.injection_time)
    if blood is not None and settings.blood_time_zero is not None:
        blood = blood_at(blood, image, settings.blood_time_zero)
    return replace(data, image=image, blood=blood)


def carry_regions(
    segmentation: Segmentation, drawn_on: Volume, ct: Volume, session: str, progress: Progress = silent
) -> tuple[Segmentation, VisitAlignment]:
    """The regions drawn on another visit's CT as segments on this visit's, where they can be looked at and corrected.

    session: the other visit's, with which the segments are tagged. Raises InputRefused ("levels-missing",
    "visits-mismatch").
    """
    alignment = align_visits(drawn_on, ct, level_points(regions_of(segmentation)), progress)
    return carry_segmentation(segmentation, alignment, ct.grid, session), alignment
