"""Regions of one visit proposed from its CT, labels of its vertebrae and its PET, as a segmentation on the CT."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..acquisition.dicom import read_anatomical
from ..acquisition.image import DynamicImage, Volume
from ..acquisition.label_names import read_folder
from ..acquisition.segmentation import Segment, Segmentation
from ..acquisition.segmentation_files import read_segmentation
from ..messages import InputRefused, Notice, Text
from ..progress import Progress, part, silent
from ..regions.anatomy import Anatomy, identify
from ..regions.blood_pool import propose_blood_pool
from ..regions.carry import drawn_on
from ..regions.proposals import Proposal, propose_cord, propose_foramina
from ..regions.region import Region, region_of
from ..regions.template import name_of
from ..regions.vertebra_labels import level_named
from ..study import StudySettings, study_file
from .visit_data import of_one_person, read_scan


@dataclass(frozen=True, eq=False)
class ProposedRegions:
    """What was looked for, in order, and the segmentation on the CT's grid of all that is proposed."""

    proposals: tuple[Proposal, ...]
    segmentation: Segmentation
    ct: Volume
    notices: tuple[Notice, ...]


def read_labels(path: Path) -> Segmentation:
    """Labels of vertebrae, of a cord as well: a file, or TotalSegmentator's folder of masks.

    Raises InputRefused as ``read_segmentation`` and ``read_folder`` do.
    """
    if not path.is_dir():
        return read_segmentation(path)
    return read_folder(
        path, lambda name: bool(level_named(name)) or identify(name, {}).structure in ("cord", "vertebra")
    )


def propose_for_study(file: Path, labels: Path, progress: Progress = silent) -> ProposedRegions:
    """Foramina, pieces of cord, and the blood pool from the PET's first frames, of the visit of a study.toml.

    Of the images that it names alone are read: its segmentation and its blood need not exist yet. Raises InputRefused
    ("study-ct", "patients-differ", and what the readers raise).
    """
    study = study_file(file)
    settings, anatomical = study.settings, study.anatomical
    if anatomical is None:
        raise InputRefused("study-ct", "{study} names no CT and no MR; add [ct] path, or [mr] path", study=file)
    image = None
    if "pet" in study.file.data:
        progress(0.0, "Reading the PET")
        image = read_scan(study.pet_parts(), study.frame_table, settings, part(progress, 0.0, 0.3))
    return propose_for_ct(anatomical, labels, part(progress, 0.3, 1.0), image, settings)


def propose_for_ct(
    ct_path: Path,
    labels: Path,
    progress: Progress = silent,
    pet: DynamicImage | None = None,
    settings: StudySettings | None = None,
) -> ProposedRegions:
    """Foramina and pieces of cord; with a PET also the blood pool. Raises InputRefused."""
    settings = settings or StudySettings()
    progress(0.0, "Reading the CT or MR")
    ct = read_anatomical(ct_path, settings.anatomical_modality)
    if pet is not None:
        pet = of_one_person(pet, (pet.scan, ct.scan), f"PET, {ct_path.name}", settings.patient_ids)
    vertebrae = read_labels(labels)
    foramina, notices = propose_foramina(vertebrae, ct, part(progress, 0.1, 0.8))
    cord = propose_cord(vertebrae, notices)
    proposals = [*foramina, *cord]
    segments = [foramen.segment for foramen in foramina if foramen.segment is not None]
    segments += [_on(region.segment, vertebrae, ct) for region in cord if region.segment is not None]
    if pet is not None:
        progress(0.9, "Blood pool")
        drawn = [region_of(segment, ct.grid) for segment in segments]
        pool = _blood_pool(pet, ct, settings, [foramen.name for foramen in foramina], drawn)
        proposals.append(pool)
        segments += [pool.segment] if pool.segment is not None else []
    segmentation, of_pet = Segmentation(ct.grid, tuple(segments)), pet.notices if pet is not None else ()
    return ProposedRegions(tuple(proposals), segmentation, ct, (*of_pet, *vertebrae.notices, *ct.notices, *notices))


def _blood_pool(
    pet: DynamicImage, ct: Volume, settings: StudySettings, foramina: Sequence[str], drawn: Sequence[Region]
) -> Proposal:
    """The blood pool by the PET's first frames, where the scanner placed them on the CT; declined where it did not."""
    name = name_of(Anatomy("blood-pool"))
    if len({pet.scan.frame_of_reference_key, ct.scan.frame_of_reference_key} - {None}) > 1:
        reason = Text(
            "PET and CT (or MR) state different frames of reference (FrameOfReferenceUID), so that a vessel's place "
            "in the PET is none on the image of the anatomy; draw the blood pool"
        )
        return Proposal(name, None, 0.0, reason, "frame-of-reference")
    levels = [level for foramen in foramina if (level := identify(foramen, {}).level)]
    below_neck = all(level[0] != "C" for level in levels)
    width = settings.fwhm_mm if isinstance(settings.fwhm_mm, float) else None
    pool = propose_blood_pool(pet, width, ct.grid, below_neck, drawn)
    return Proposal(name, pool.segment, pool.confidence, pool.reason, "" if pool.segment is not None else "blood-pool")


def _on(segment: Segment, drawn: Segmentation, ct: Volume) -> Segment:
    """A segment on the CT's grid, whatever grid it was drawn on."""
    mask = drawn_on(region_of(segment, drawn.grid), ct.grid)
    return Segment(segment.id, segment.name, mask, segment.color, segment.tags)


def described(proposal: Proposal) -> str:
    """One proposal in a line."""
    if proposal.segment is None:
        return Text(
            "{name}: declined ({code}): {reason}", name=proposal.name, code=proposal.code, reason=proposal.reason
        )
    if proposal.placement_mm is None:
        return Text("{name}: proposed", name=proposal.name)
    return Text(
        "{name}: proposed, within 2 mm in {confidence:.0%} of such cases",
        name=proposal.name,
        confidence=proposal.confidence,
    )
