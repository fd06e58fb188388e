"""Visits quantified again from their images, on what all of them have."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..outcome.visit import VisitResult
from ..progress import Progress, part, silent
from ..study import Study
from .quantification import quantify_study


def quantified_alike(
    studies: Sequence[Study], changes: Mapping[str, Any], progress: Progress = silent
) -> tuple[VisitResult, ...]:
    """Every study with these settings, by name, in place of its own. Raises as ``quantify_study`` does."""
    count = len(studies)
    return tuple(
        quantify_study(
            replace(study, settings=replace(study.settings, **changes)),
            part(progress, number / count, (number + 1) / count),
        )
        for number, study in enumerate(studies)
    )
