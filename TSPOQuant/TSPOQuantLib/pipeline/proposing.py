"""Regions of one visit proposed from its CT, labels of its vertebrae and its PET, as a segmentation on the CT."""

from dataclasses import dataclass
from pathlib import Path

from ..acquisition.dicom import read_anatomical, read_dynamic_pet
from ..acquisition.image import DynamicImage, Volume
from ..acquisition.label_names import read_folder
from ..acquisition.modality import AUTO, MR
from ..acquisition.segmentation import Segment, Segmentation
from ..acquisition.segmentation_files import read_segmentation
from ..acquisition.sequence_files import read_sequence
from ..messages import InputRefused, Notice, Text
from ..progress import Progress, part, silent
from ..regions.anatomy import Anatomy, identify
from ..regions.blood_pool import propose_blood_pool
from ..regions.carry import drawn_on
from ..regions.proposals import Proposal, propose_cord, propose_foramina
from ..regions.region import region_of
from ..regions.template import name_of
from ..regions.vertebra_labels import level_named
from ..toml_file import read_toml


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

    Of the file [ct] or [mr], and [pet], are read: its segmentation need not exist yet. Raises InputRefused
    ("study-ct", and what the readers raise).
    """
    study = read_toml(file, "study", missing="missing")
    folder = file.absolute().parent
    paths = {table: study.data.get(table, {}).get("path") for table in ("ct", "mr", "pet")}
    anatomical = paths["ct"] or paths["mr"]
    if not isinstance(anatomical, str):
        raise InputRefused("study-ct", "{study} names no CT and no MR; add [ct] path, or [mr] path", study=file)
    modality = str(study.data["ct"].get("modality", AUTO)) if paths["ct"] else MR
    image, width = None, study.data.get("pet", {}).get("fwhm_mm")
    if isinstance(paths["pet"], str):
        progress(0.0, "Reading the PET")
        pet = folder / paths["pet"]
        image = read_sequence(pet) if pet.name.endswith(".seq.nrrd") else read_dynamic_pet(pet)
    fwhm_mm = float(width) if isinstance(width, int | float) else None
    return propose_for_ct(folder / anatomical, labels, part(progress, 0.3, 1.0), image, fwhm_mm, modality)


def propose_for_ct(
    ct_path: Path,
    labels: Path,
    progress: Progress = silent,
    pet: DynamicImage | None = None,
    fwhm_mm: float | None = None,
    modality: str = AUTO,
) -> ProposedRegions:
    """Foramina and pieces of cord; with a PET also the blood pool. Raises InputRefused."""
    progress(0.0, "Reading the CT or MR")
    ct = read_anatomical(ct_path, modality)
    vertebrae = read_labels(labels)
    foramina, notices = propose_foramina(vertebrae, ct, part(progress, 0.1, 0.8))
    cord = propose_cord(vertebrae, notices)
    proposals = [*foramina, *cord]
    segments = [foramen.segment for foramen in foramina if foramen.segment is not None]
    segments += [_on(region.segment, vertebrae, ct) for region in cord if region.segment is not None]
    if pet is not None:
        progress(0.9, "Blood pool")
        levels = [level for foramen in foramina if (level := identify(foramen.name, {}).level)]
        below_neck = all(level[0] != "C" for level in levels)
        drawn = [region_of(segment, ct.grid) for segment in segments]
        pool = propose_blood_pool(pet, fwhm_mm, ct.grid, below_neck, drawn)
        code = "" if pool.segment is not None else "blood-pool"
        proposals.append(Proposal(name_of(Anatomy("blood-pool")), pool.segment, pool.confidence, pool.reason, code))
        segments += [pool.segment] if pool.segment is not None else []
    segmentation = Segmentation(ct.grid, tuple(segments))
    return ProposedRegions(tuple(proposals), segmentation, ct, (*vertebrae.notices, *ct.notices, *notices))


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
