"""Rigid transforms as ITK files, which Slicer, ITK-SNAP and ANTs read."""

import re
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..messages import InputRefused
from .rigid import to_matrix, to_sitk_transform

SUFFIXES = (".tfm", ".txt", ".h5")
ORTHONORMAL_TOLERANCE = 1e-4


def write_transform(path: Path, matrix: NDArray[np.float64]) -> None:
    """Write a 4 x 4 (LPS mm) as ITK's affine transform: it carries points of the fixed image to the moving one.

    Slicer shows a moving image on the fixed one when it is put under the node that it makes of this file.
    Raises InputRefused ("transform-suffix", "output-exists").
    """
    if path.suffix not in SUFFIXES:
        raise InputRefused(
            "transform-suffix",
            "{path}: a transform file ends in {suffixes}; rename it",
            path=path,
            suffixes=", ".join(SUFFIXES),
        )
    if path.exists():
        raise InputRefused("output-exists", "{path} exists; remove it or choose another name", path=path)
    sitk.WriteTransform(to_sitk_transform(matrix), str(path))


def read_transform(path: Path) -> NDArray[np.float64]:
    """The rigid 4 x 4 (LPS mm) of an ITK transform file, fixed to moving.

    Raises InputRefused: "transform-missing", "transform-unreadable", "transform-truncated", "transform-not-rigid" (it
    bends, shears, scales or mirrors).
    """
    if not path.is_file():
        raise InputRefused("transform-missing", "{path} is no file; correct the path", path=path)
    try:
        transform = sitk.ReadTransform(str(path))
    except RuntimeError as error:
        raise InputRefused(
            "transform-unreadable", "{path} is no ITK transform file; save the transform as .tfm or .h5", path=path
        ) from error
    if path.suffix != ".h5" and not _whole(path.read_text(encoding="utf-8", errors="replace")):
        raise InputRefused(
            "transform-truncated", "{path} ends before its last parameter does; copy it again", path=path
        )
    matrix = to_matrix(transform)
    rotation = matrix[:3, :3]
    straight = transform.IsLinear()
    if (
        not straight
        or np.abs(rotation @ rotation.T - np.eye(3)).max() > ORTHONORMAL_TOLERANCE
        or np.linalg.det(rotation) < 0
    ):
        raise InputRefused(
            "transform-not-rigid", "{path} does more than shift and turn; give a rigid transform", path=path
        )
    return matrix


def _whole(text: str) -> bool:
    """Whether a text transform file has all of its lines to their ends: ITK takes what is missing for zeros."""
    kinds = re.findall(r"^Transform: *(\S+)", text, re.MULTILINE)
    single = sum(not kind.startswith("Composite") for kind in kinds)
    counts = [
        len(re.findall(line, text, re.MULTILINE)) for line in (r"^Parameters: *\S.*\n", r"^FixedParameters:.*\n")
    ]
    return single > 0 and counts == [single, single]
