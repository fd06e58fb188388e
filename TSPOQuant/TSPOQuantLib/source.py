"""Where the study file of a folder of results lies: what needs the images again finds them there."""

import json
import os
from dataclasses import replace
from pathlib import Path

from .messages import InputRefused, Text
from .outcome.record import VisitRecord
from .reporting.provenance import sha256_of
from .settings import restored
from .study import Study, StudySettings, read_study

FILE = "source.json"
"""In a visit's folder of results: where its study file lies."""
ABOUT = (
    "Points to the study file that these results were made from, relative to this folder; 'compare' needs it for "
    "what is made from images. "
    "A path may name a person: delete this file before passing the folder on."
)


def write_source(folder: Path, study: Study, final: Path | None = None) -> None:
    """Note in a folder of results where its study file lies; nothing for a visit of a PET-BIDS dataset.

    final: where the folder will lie; None where it is there already, or moves together with the study file.
    """
    if study.file is not None:
        path = os.path.relpath(os.path.realpath(study.file), os.path.realpath(final or folder))
        content = {"study": Path(path).as_posix(), "about": ABOUT}
        (folder / FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def study_of_results(results: Path, record: VisitRecord) -> Study:
    """The study that a folder of results was made from, with the settings of the results.

    Raises InputRefused: "dicom-source" (it is not named, or has moved), "dicom-source-changed", and what read_study
    raises.
    """
    try:
        content = json.loads((results / FILE).read_text(encoding="utf-8"))
        path = results / content["study"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputRefused(
            "dicom-source",
            "{results} does not say where its images lie ({file} is missing, as it is for a PET-BIDS dataset); "
            "quantify again from a study.toml, or leave out --dicom and what quantifies again",
            results=results,
            file=FILE,
        ) from error
    if not path.is_file():
        raise InputRefused(
            "dicom-source",
            "{results}: the study file {path} has moved; put it back, or correct 'study' in {record}",
            results=results,
            path=path,
            record=results / FILE,
        )
    study = read_study(path)
    known = {entry["sha256"] for entry in record.provenance["inputs"]}
    for file in (study.pet, study.ct, study.segmentation):
        if file is not None and sha256_of(file) not in known:
            message = Text(
                "{file} is not what {results} was made from; run quantify again", file=file, results=results
            )
            raise InputRefused("dicom-source-changed", message)
    try:
        settings = restored(StudySettings, record.settings)
    except (TypeError, ValueError) as error:
        message = Text("{results} was written by another version; run quantify again", results=results)
        raise InputRefused("dicom-source-changed", message) from error
    if settings.input_source == "given" and study.given_input is None:
        raise InputRefused(
            "dicom-source-changed",
            "{path} names another input function than {results} was made with",
            path=path,
            results=results,
        )
    return replace(study, settings=settings)
