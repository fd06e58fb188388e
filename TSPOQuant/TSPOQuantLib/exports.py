"""Results as files that others can use: CSV, BIDS derivatives, and DICOM objects in the patient's study."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pydicom import Dataset

from .alignment.motion import FrameMotion
from .alignment.pet_to_ct import PetToCt
from .outcome.compare import Comparison
from .outcome.record import VisitRecord
from .outcome.visit import VisitMaps
from .pipeline.mapping import make_visit_maps
from .pipeline.plasma import BODY_MASK
from .pipeline.visit_data import read_visit
from .progress import Progress, part, silent
from .reporting.bids import write_derivatives
from .reporting.csv_files import write_changes_csv, write_regions_csv, write_uptake_csv
from .reporting.deidentify import Hidden
from .source import study_of_results


def write_dicom(
    folder: Path,
    results: Path,
    record: VisitRecord,
    created: datetime,
    shown: VisitRecord | None = None,
    hidden: Hidden | None = None,
    progress: Progress = silent,
) -> VisitMaps | None:
    """``seg.dcm``, ``rtstruct.dcm``, ``vt-map.dcm``, ``sr.dcm``, ``sr-<model>….dcm`` and ``sr-uptake.dcm`` of one
    visit into ``folder``, in the patient's study; gives the map, None without a V_T. ``sr.dcm`` holds the
    primary model without partial-volume correction.

    results: the folder that the record lies in. shown, hidden: the record as it may be told and what stands for
    what, where identity is removed. Raises InputRefused as ``study_of_results`` and the writers of the objects do.
    """
    # highdicom is slow to load, and not installed where no DICOM objects are asked for.
    from .reporting.dicom_context import field_of, read_context
    from .reporting.dicom_contours import contours_object
    from .reporting.dicom_map import map_object
    from .reporting.dicom_seg import segmentation_object
    from .reporting.dicom_sr import report_names, report_object, uptake_object

    exported = shown or record
    progress(0, "DICOM: checking the sources")
    study = study_of_results(results, record)
    salt, modality = hidden.salt if hidden else "", study.settings.anatomical_modality
    context = read_context(study.pet, study.ct, created, salt, exported.subject, modality)
    context = replace(context, field=field_of(region.level for region in record.regions))
    data = read_visit(study, part(progress, 0.1, 0.5))
    drawn = hidden.segmentation(data.segmentation) if hidden else data.segmentation
    regions = segmentation_object(context, drawn, [region.name for region in exported.regions])
    contours = contours_object(context, drawn, (data.ct if context.ct and data.ct else data.image).grid)
    uptake = uptake_object(context, exported, regions)
    drawn_and_read = {"seg": regions.dataset, "rtstruct": contours} | ({"sr-uptake": uptake} if uptake else {})
    if not exported.models:
        _save(folder, drawn_and_read)
        return None
    found = make_visit_maps(data, study.settings, record.models[0], _alignment(record), part(progress, 0.5, 0.9))
    about = exported.provenance | {"mask": BODY_MASK}
    maps = replace(found, subject=exported.subject, session=exported.session, notices=(), provenance=about)
    progress(0.9, "DICOM: writing")
    values = map_object(context, maps)
    objects = drawn_and_read | {"vt-map": values}
    for (kind, pvc), name in report_names(exported).items():
        objects[name] = report_object(context, exported, kind, pvc, regions, [values])
    _save(folder, objects)
    progress(1, "DICOM: done")
    return maps


def _save(folder: Path, objects: Mapping[str, Dataset]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, dataset in objects.items():
        dataset.save_as(folder / f"{name}.dcm", enforce_file_format=True)


def write_for_others(
    folder: Path,
    comparison: Comparison,
    sources: Sequence[tuple[Path, VisitRecord]] = (),
    hidden: Hidden | None = None,
    progress: Progress = silent,
) -> None:
    """``regions.csv``, ``uptake.csv``, of two visits or more ``changes.csv``, and ``bids/``; with ``sources`` also
    ``dicom/ses-<label>/`` and V_T in bids/.

    sources: the folders that quantify wrote and the records in them, in the order of the comparison's visits.
    hidden: where the comparison was made of records without identity.
    """
    write_regions_csv(folder / "regions.csv", comparison.visits)
    write_uptake_csv(folder / "uptake.csv", comparison.visits)
    if len(comparison.visits) > 1:
        write_changes_csv(folder / "changes.csv", comparison)
    maps, created = [], datetime.now()
    for number, (path, record) in enumerate(sources):
        shown = comparison.visits[number]
        stretch = part(progress, number / len(sources), (number + 1) / len(sources))
        target = folder / "dicom" / f"ses-{shown.session}"
        written = write_dicom(target, path, record, created, shown, hidden, stretch)
        maps += [] if written is None else [written]
    (folder / "bids").mkdir()
    write_derivatives(folder / "bids", comparison.visits, maps)


def _alignment(record: VisitRecord) -> tuple[FrameMotion | None, PetToCt | None]:
    """The alignment that the results were made with."""
    motion = record.motion
    return FrameMotion(motion.matrices, motion.reference) if motion else None, record.pet_to_ct
