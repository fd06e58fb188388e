"""Where the files of a folder of results lie: what needs the images again finds them there."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from .acquisition.participants import Person
from .messages import InputRefused, Text
from .outcome.record import VisitRecord
from .plain import plain
from .plain import restored as restored_plain
from .reporting.provenance import sha256_of
from .settings import restored
from .study import Study, StudySettings, read_study

FILE = "source.json"
"""In a visit's folder of results: where its study file lies, or the files of a visit of a dataset."""
ABOUT = (
    "Points to what these results were made from, relative to this folder; 'compare' needs it for "
    "what is made from images. "
    "A path may name a person: delete this file before passing the folder on."
)


def write_source(folder: Path, study: Study, final: Path | None = None) -> None:
    """Note in a folder of results where its study file lies, or each file of a visit of a PET-BIDS dataset.

    final: where the folder will lie; None where it is there already, or moves together with the files.
    """

    def relative(file: Path) -> str:
        return Path(os.path.relpath(os.path.realpath(file), os.path.realpath(final or folder))).as_posix()

    content: dict[str, Any] = {"about": ABOUT}
    if study.file is not None:
        content["study"] = relative(study.file)
    else:
        content["visit"] = {
            "pet": relative(study.pet),
            "segmentation": relative(study.segmentation),
            "blood": [relative(file) for file in study.blood],
            "input": relative(study.given_input) if study.given_input else None,
            "person": plain(study.person),
        }
    (folder / FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _named(results: Path) -> Study:
    """The study that source.json leads to. Raises InputRefused ("dicom-source") and what read_study raises."""
    try:
        content = json.loads((results / FILE).read_text(encoding="utf-8"))
        files = content.get("visit")
        if files is None:
            named = [results / content["study"]]
        else:
            given = results / files["input"] if files["input"] else None
            visit = Study(
                pet=results / files["pet"],
                ct=None,
                segmentation=results / files["segmentation"],
                blood=tuple(results / file for file in files["blood"]),
                route="unknown",
                given_input=given,
                person=restored_plain(Person, files["person"]),
            )
            named = [file for file in visit.files if file.suffix != ".json"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputRefused(
            "dicom-source",
            "{results} does not say where its images lie ({file} is missing); quantify again, or leave out --dicom "
            "and what quantifies again",
            results=results,
            file=FILE,
        ) from error
    gone = next((path for path in named if not path.is_file()), None)
    if gone is not None:
        raise InputRefused(
            "dicom-source",
            "{results}: the file {path} has moved; put it back, or correct its place in {record}",
            results=results,
            path=gone,
            record=results / FILE,
        )
    return visit if files is not None else read_study(named[0])


def study_of_results(results: Path, record: VisitRecord) -> Study:
    """The study that a folder of results was made from, with the settings of the results.

    Raises InputRefused: "dicom-source" (it is not named, or has moved), "dicom-source-changed", and what read_study
    raises.
    """
    study = _named(results)
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
    if settings.input_source in ("given", "population") and study.given_input is None:
        raise InputRefused(
            "dicom-source-changed",
            "{path} names another input function than {results} was made with",
            path=study.file or results / FILE,
            results=results,
        )
    return replace(study, settings=settings)
