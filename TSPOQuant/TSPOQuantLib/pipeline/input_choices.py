"""What a visit's input function could be made of, from its blood alone: no image is read unless the clock asks it."""

from collections.abc import Sequence
from pathlib import Path

from ..acquisition.blood import BloodSamples, check_covers
from ..acquisition.blood_files import read_blood
from ..input_function import ImageDerivedSettings, SampledSettings
from ..input_function.candidates import Candidates, candidates
from ..input_function.settings import PlasmaSettings
from ..messages import InputRefused
from ..progress import Progress, silent
from ..settings import part_of
from ..study import Study
from .visit_data import blood_of, read_visit


def candidates_of_study(study: Study, until_min: float | None = None, progress: Progress = silent) -> Candidates:
    """The candidates of a study; until_min: the end of the scan, None takes that of the fits or of the blood.

    Raises InputRefused ("candidates-template", and what reading and fitting raise).
    """
    settings = study.settings
    if settings.input_source == "population":
        raise InputRefused(
            "candidates-template",
            "the input of this study is a template, which is not made of its own samples, so that there is nothing to "
            'choose; to see what samples would make, name their files, or state [input] source = "blood"',
        )
    moved = None if settings.blood_time_zero is None else read_visit(study, progress).blood
    blood = blood_of(study) if moved is None else moved
    sampled = settings.input_source != "image-derived"
    chosen: PlasmaSettings = part_of(SampledSettings if sampled else ImageDerivedSettings, settings)
    return candidates(blood, _end_s(blood, until_min or settings.until_min), chosen)


def candidates_of_files(
    paths: Sequence[Path], json: Path | None, settings: SampledSettings, until_min: float | None = None
) -> Candidates:
    """The candidates of blood files."""
    blood = read_blood(paths, json)
    return candidates(blood, _end_s(blood, until_min), settings)


def _end_s(blood: BloodSamples, until_min: float | None) -> float:
    """Seconds; raises InputRefused ("blood-none") where no activity was sampled."""
    check_covers(blood, 0.0)
    return 60 * until_min if until_min else max(curve.end_s for curve in blood.activities)
