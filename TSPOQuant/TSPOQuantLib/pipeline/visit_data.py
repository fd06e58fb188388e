"""What is read of one visit, before anything is computed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples
from ..acquisition.blood_files import read_blood
from ..acquisition.clock import SAME_START_S, at_injection, blood_at, blood_clock_notices
from ..acquisition.dicom import read_anatomical, read_pet
from ..acquisition.frame_of_reference import check_frames_of_reference, check_placed
from ..acquisition.given_input import read_given, with_given
from ..acquisition.image import OF_PERSON, DynamicImage, Scan, Volume, tracer_told
from ..acquisition.population import read_population
from ..acquisition.segmentation import Segmentation
from ..acquisition.segmentation_files import read_segmentation
from ..acquisition.sequence_files import read_sequence
from ..acquisition.settings import ClockSettings
from ..acquisition.tacs import read_frame_table, read_frame_weights
from ..alignment.parts import join_parts
from ..alignment.visits import VisitAlignment, align_visits
from ..input_function import GivenSettings
from ..messages import InputRefused, Listed, Notice, Text
from ..outcome.settings import IGNORED
from ..progress import Progress, part, silent
from ..regions.carry import carry_segmentation, level_points
from ..regions.region import regions_of
from ..settings import part_of
from ..study import Study, StudySettings

PERSON_WORDS = dict(zip(OF_PERSON, (Text("date of birth"), Text("sex")), strict=True))
SAME_WEIGHT = 0.1
"""Weights of one person at different visits differ by less than this part (a choice); a slipped unit by more."""


@dataclass(frozen=True, eq=False)
class VisitData:
    """What was read of one visit.

    blood: None for a single late frame, which tells no V_T. carried: where the levels of the visit lie whose regions
    were carried to it. frame_weights: (frames,), from a file.
    """

    image: DynamicImage
    segmentation: Segmentation
    blood: BloodSamples | None
    ct: Volume | None
    carried: VisitAlignment | None = None
    frame_weights: NDArray[np.float64] | None = None


def read_visit(study: Study, progress: Progress = silent) -> VisitData:
    """Read a visit's files, and carry another visit's regions to its CT where the study asks for that.

    Raises InputRefused where something cannot be used.
    """
    image = read_scan((study.pet, *study.further_pet), study.frame_table, study.settings, part(progress, 0, 0.7))
    weight = image.scan.weight_kg or study.person.weight_kg
    notices = (
        *image.notices,
        *study.notices,
        *study.person.notices,
        *weight_notices(image.scan.weight_kg, study.person.weight_kg),
    )
    image = replace(image, scan=replace(image.scan, weight_kg=weight), notices=notices)
    progress(0.7, "Reading the CT or MR")
    ct = anatomical_of(study)
    other = anatomical_of(study.carried_from) if study.carried_from else None
    scans = [image.scan, *(volume.scan for volume in (ct, other) if volume)]
    also = study.carried_from.ct if study.carried_from else None
    named = ", ".join(str(path) for path in (study.pet, study.ct, also) if path)
    image = of_one_person(image, scans, named, study.settings.patient_ids)
    progress(0.8, "Reading the segmentation and the blood")
    drawn_on = (other if study.carried_from else ct) or image
    segmentation, carried = read_segmentation(study.segmentation, on=drawn_on.grid), None
    beside = ((study.ct, ct),) if study.ct and ct and not study.carried_from else ()
    check_placed(((study.pet, image), (study.segmentation, segmentation), *beside))
    registered = study.settings.motion_correction == "rigid"
    on = None if study.carried_from else segmentation
    placed = check_frames_of_reference(image.scan, ct.scan if ct else None, on, registered)
    image = replace(image, notices=(*image.notices, *placed))
    if study.carried_from and ct and other:
        session, stretch = study.carried_from.settings.session, part(progress, 0.8, 1)
        segmentation, carried = carry_regions(segmentation, other, ct, session, stretch)
    blood = None if len(image.timing) == 1 else blood_of(study)
    listed = read_frame_weights(study.frame_weights, image.timing) if study.frame_weights else None
    return on_one_clock(VisitData(image, segmentation, blood, ct, carried, listed), study.settings)


def weight_notices(own: float | None, other: float | None) -> tuple[Notice, ...]:
    """Tell of two weights of one person: the scan's, which SUV takes, and another."""
    if own is None or other is None or abs(own / other - 1) <= SAME_WEIGHT:
        return ()
    return (
        Notice(
            "weights-differ",
            "the PET states a weight of {own:.4g} kg, and what is stated of the person is {other:.4g} kg; SUV rests "
            "on the PET's: correct the one that is wrong",
            own=own,
            other=other,
        ),
    )


def of_one_person(image: DynamicImage, scans: Sequence[Scan], named: str, patient_ids: str) -> DynamicImage:
    """The image, told of what speaks against its being of one person with the others.

    scans: of all images of the visit; named: where they come from. patient_ids: whether the patients that they name
    are compared; an image of which they are not names none any more. Raises InputRefused ("patients-differ").
    """
    notices = person_notices(*scans)
    if patient_ids == IGNORED:
        told = Notice(
            "patients-ignored",
            '[subject] patient_ids is "ignore": whether the images name one patient was not asked, and that they '
            "are of one person rests on [subject] id alone",
        )
        image, notices = nameless(image), (told, *notices)
    elif len({scan.patient_key for scan in scans if scan.patient_key}) > 1:
        raise InputRefused(
            "patients-differ",
            "{named} name different patients; check the paths, or, where they are one person's that were made "
            'anonymous apart, state [subject] patient_ids = "ignore"',
            named=named,
        )
    return replace(image, notices=(*image.notices, *notices))


def nameless(image: DynamicImage) -> DynamicImage:
    """The image without what tells whether another one is of the same patient."""
    return replace(image, scan=replace(image.scan, patient_key=None))


def person_notices(*scans: Scan) -> tuple[Notice, ...]:
    """Tell of images of one visit whose headers state two dates of birth or two sexes, as anonymized ones may."""
    stated = {what: {getattr(scan, what) for scan in scans} - {None} for what in OF_PERSON}
    differing = [PERSON_WORDS[what] for what, values in stated.items() if len(values) > 1]
    if not differing:
        return ()
    return (
        Notice(
            "persons-doubtful",
            "PET and CT (or MR) state different things of the person ({differing}): make sure that both are of one "
            "person",
            differing=Listed(differing, ", "),
        ),
    )


def anatomical_of(study: Study) -> Volume | None:
    """The CT or the MR of a visit; None without either. Raises what ``read_anatomical`` raises."""
    return read_anatomical(study.ct, study.settings.anatomical_modality) if study.ct else None


def blood_of(study: Study) -> BloodSamples:
    """The study's blood as its files have it, with the ready curve or the template where there is one.

    Raises InputRefused ("blood-missing", "input-not-ready", "given-…", "template-…", "blood-…").
    """
    given = part_of(GivenSettings, study.settings)
    if study.given_input and study.settings.input_source == "population":
        samples = read_blood(study.blood, route=study.route) if study.blood else BloodSamples(route=study.route)
        return replace(samples, population=read_population(study.given_input))
    if study.given_input:
        return blood_with_given(study.given_input, study.blood, given, study.route)
    if not study.blood:
        raise InputRefused("blood-missing", "the study names no blood file; add [blood] paths to the study file")
    return read_blood(study.blood, route=study.route)


def _blood_unused(path: Path, blood: Sequence[Path]) -> Notice:
    return Notice(
        "blood-unused",
        "{name} holds parent plasma, which is used as it is: {blood} has no effect; state what the curve is with "
        "[input] domain (--set domain=… of fit) to lead on from it with samples, or leave one of them out",
        name=path.name,
        blood=Listed(file.name for file in blood),
    )


def blood_with_given(
    path: Path, blood: Sequence[Path], given: GivenSettings, route: str = "unknown", json: Path | None = None
) -> BloodSamples:
    """A ready curve with the samples that lead on from it; json: what describes the latter."""
    if given.given_domain is None:
        blood_read = read_blood([path], route=route, unit=given.given_unit)
        if blood_read.parent_plasma is None:
            raise InputRefused(
                "input-not-ready",
                "{given_input_name} has no AIF column; state what the curve is with [input] domain (--set domain=… "
                "of fit), or put raw blood under [blood] paths",
                given_input_name=path.name,
            )
        return replace(blood_read, notices=(*blood_read.notices, *([_blood_unused(path, blood)] if blood else [])))
    samples = read_blood(blood, json, route) if blood else BloodSamples(route=route)
    return with_given(samples, read_given(path, given.given_domain, given.given_unit), given.given_domain)


def read_scan(
    paths: Sequence[Path], frame_table: Path | None, settings: StudySettings, progress: Progress = silent
) -> DynamicImage:
    """The PET of a visit: one dynamic image, a static one as a single frame, or several parts of one scan as one.

    Raises InputRefused ("frames-table-sequence", "frames-table-parts", and what reading and joining raise).
    """
    table = read_frame_table(frame_table) if frame_table else None
    if table and paths[0].name.endswith(".seq.nrrd"):
        raise InputRefused(
            "frames-table-sequence", "a sequence of Slicer has its own frame times; leave [pet] frames out"
        )
    if table and len(paths) > 1:
        raise InputRefused(
            "frames-table-parts", "a scan in several parts takes its times from them; leave [pet] frames out"
        )
    images = [
        tracer_told(read_sequence(path), settings.tracer)
        if path.name.endswith(".seq.nrrd")
        else read_pet(path, table, part(progress, number / len(paths), (number + 1) / len(paths)), settings.tracer)
        for number, path in enumerate(paths)
    ]
    if settings.patient_ids == IGNORED:
        images = [nameless(image) for image in images]
    registered = settings.motion_correction != "none"
    return images[0] if len(images) == 1 else join_parts(images, registered)


def on_one_clock(data: VisitData, settings: ClockSettings) -> VisitData:
    """The visit with image and blood counted from the moments that the settings state, where they state any.

    Raises InputRefused ("injection-time", "blood-time-zero", "pet-half-life").
    """
    image, blood = data.image, data.blood
    if settings.injection_time is not None:
        image = at_injection(image, settings.injection_time)
        moved_s = float(data.image.timing.starts_s[0] - image.timing.starts_s[0])
        of_bids = data.image.time_zero_at is None  # a BIDS table counts from TimeZero, which has no date
        if blood and of_bids and settings.blood_time_zero is None and abs(moved_s) > SAME_START_S:
            blood = replace(blood, notices=(*blood.notices, _blood_from_injection(moved_s)))
    if blood is not None and settings.blood_time_zero is None:
        first_s, at_injection_zero = float(image.timing.starts_s[0]), image.time_zero == "injection"
        clocks = blood_clock_notices(blood.counted_from, first_s, at_injection_zero)
        blood = replace(blood, notices=(*blood.notices, *clocks))
    elif blood is not None and settings.blood_time_zero is not None:
        blood = blood_at(blood, image, settings.blood_time_zero)
    return replace(data, image=image, blood=blood)


def _blood_from_injection(moved_s: float) -> Notice:
    return Notice(
        "blood-clock-assumed",
        "the given injection is {seconds:+.1f} s from the image's own zero, and the blood was taken to count from the "
        "injection; where it counts from the scan's start, as of a dataset whose TimeZero that is, state [blood] "
        "time_zero",
        seconds=moved_s,
    )


def carry_regions(
    segmentation: Segmentation, drawn_on: Volume, ct: Volume, session: str, progress: Progress = silent
) -> tuple[Segmentation, VisitAlignment]:
    """The regions drawn on another visit's CT as segments on this visit's, where they can be looked at and corrected.

    session: the other visit's, with which the segments are tagged. Raises InputRefused ("levels-missing",
    "visits-mismatch").
    """
    alignment = align_visits(drawn_on, ct, level_points(regions_of(segmentation)), progress)
    return carry_segmentation(segmentation, alignment, ct.grid, session), alignment
