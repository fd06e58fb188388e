"""Names of labels that are not beside a label map: in a NIfTI header's extension, or as the files of a folder."""

import gzip
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ..grid import Grid
from ..messages import InputRefused
from .segmentation import Segment, Segmentation
from .volume_files import is_nifti, read_volume

HEADER_BYTES = 352
"""Of NIfTI-1, with the four bytes that tell of extensions."""
MOST_BYTES = 2**20
"""Of all extensions of a header."""


def names_in_header(path: Path) -> dict[int, str]:
    """Label values and names from the label table that TotalSegmentator writes into a NIfTI-1 header's extension.

    The table is Connectome Workbench's XML (CaretExtension). Empty where there is none, or none that can be read.
    """
    try:
        with gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb") as file:
            header = file.read(HEADER_BYTES)
            if len(header) < HEADER_BYTES or header[344:348] != b"n+1\0" or header[348] == 0:
                return {}
            order = "<" if struct.unpack("<i", header[:4])[0] == HEADER_BYTES - 4 else ">"
            length = int(struct.unpack(order + "f", header[108:112])[0]) - HEADER_BYTES
            extensions = file.read(min(max(length, 0), MOST_BYTES))
    except (OSError, EOFError, zlib.error, ValueError, OverflowError):
        return {}
    start, end = extensions.find(b"<CaretExtension"), extensions.find(b"</CaretExtension>")
    if start < 0 or end < 0:
        return {}
    try:
        table = ElementTree.fromstring(extensions[start : end + len(b"</CaretExtension>")])
    except ElementTree.ParseError:
        return {}
    found = {}
    for label in table.iter("Label"):
        key, name = label.get("Key", ""), (label.text or "").strip()
        if key.isdecimal() and name:
            found[int(key)] = name
    return found


def read_folder(folder: Path, wanted: Callable[[str], bool]) -> Segmentation:
    """A folder of NIfTI masks, a segment a file with the file's name, as TotalSegmentator writes it by default.

    wanted: which names to read; empty masks are left out. Raises InputRefused "segmentation-folder" (nothing wanted,
    or no mask) and "segmentation-grids" (files on different grids), and what ``volume_files.read_volume`` raises.
    """
    grid: Grid | None = None
    segments = []
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(".gz").removesuffix(".nii")
        if not is_nifti(path) or not wanted(name):
            continue
        file = read_volume(path)
        if grid is not None and not grid.same_as(file.grid):
            raise InputRefused(
                "segmentation-grids",
                "{name} has other voxels than the files beside it; put masks of one image into a folder",
                name=path.name,
            )
        if file.values.ndim != 3 or not np.isin(np.unique(file.values), (0, 1)).all():
            raise InputRefused(
                "segmentation-folder", "{name} is no mask of 0 and 1; give it alone, as a label map", name=path.name
            )
        grid = file.grid
        mask = file.values > 0
        if mask.any():
            segments.append(Segment(name, name, mask))
    if grid is None or not segments:
        raise InputRefused(
            "segmentation-folder",
            "{folder} holds no mask of what is looked for, such as vertebrae_C5.nii.gz; give the folder that does",
            folder=folder.name,
        )
    return Segmentation(grid, tuple(segments))
