"""vtkMRMLScalarVolumeNode <-> Volume."""

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import NDArray

from ..acquisition.image import HU, MR_SIGNAL, Scan, Volume
from ..acquisition.modality import AUTO, CT, MR, as_mr, as_what_it_is, hold_to
from ..acquisition.sequence_files import SCAN, scan_of, words_of
from ..grid import Grid
from ..messages import InputRefused, Text
from .transforms import LPS_FROM_RAS, array_from_matrix, matrix_from_array, parent_to_world

# Units as Slicer's own DICOM reader codes them; UCUM for the activity.
UNIT_CODES = {
    "HU": ("[hnsf'U]", "UCUM", "Hounsfield unit"),
    "kBq/mL": ("kBq/mL", "UCUM", "kilobecquerel per milliliter"),
}
MR_QUANTITY = ("110852", "DCM")
"""What Slicer's own DICOM reader says that an MR's voxels are: signal intensity."""


def array_from_node(node, role: str) -> NDArray:
    """A copy of a volume node's voxels (k, j, i).

    Raises InputRefused ("volume-empty", "volume-components").
    """
    if node.GetImageData() is None or node.GetImageData().GetNumberOfPoints() == 0:
        raise InputRefused(
            "volume-empty", "the {role} holds no voxels; load it again or pick another volume", role=role
        )
    array = slicer.util.arrayFromVolume(node)
    if array.ndim != 3:
        raise InputRefused(
            "volume-components", "the {role} holds several values a voxel; pick a scalar volume", role=role
        )
    return np.array(array)


def grid_of(node, to_world: NDArray[np.float64]) -> Grid:
    """The grid of a volume node whose parent transforms are ``to_world`` (RAS to RAS)."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    columns, rows, slices = node.GetImageData().GetDimensions()
    return Grid((slices, rows, columns), LPS_FROM_RAS @ to_world @ array_from_matrix(matrix))


def volume_from_node(node, units: str, role: str = "volume") -> Volume:
    """A scalar volume where its parent transforms put it; ``units`` is what the caller knows its values to be.

    Raises InputRefused ("volume-empty", "volume-components", "transform-not-linear").
    """
    values = array_from_node(node, role).astype(np.float32)
    return Volume(values, grid_of(node, parent_to_world(node, role)), units)


def anatomical_from_node(node, role: str = "CT or MR", modality: str = AUTO) -> Volume:
    """The CT or MR in a volume node: by the units that its DICOM reader left, else as ``read_anatomical`` has it.

    modality: "CT" or "MR" where the user states it. Raises InputRefused (what ``volume_from_node`` raises,
    "anatomy-modality", "anatomy-unlabeled").
    """
    volume = replace(volume_from_node(node, "", role), scan=_scan_of(node))
    storage = node.GetStorageNode()
    file = Path((storage.GetFileName() if storage is not None else None) or node.GetName() or role)
    hounsfield = _coded(node.GetVoxelValueUnits()) == UNIT_CODES[HU][:2]
    if not hounsfield and _coded(node.GetVoxelValueQuantity()) != MR_QUANTITY:
        try:
            return as_what_it_is(file, volume, modality)
        except InputRefused as refused:
            if refused.code != "anatomy-unlabeled":
                raise
            raise InputRefused(
                "anatomy-unlabeled",
                "nothing says whether {name} is a CT or an MR; type CT or MR beside anatomical_modality in the "
                "further settings",
                name=file.name,
            ) from refused
    hold_to(file, modality, CT if hounsfield else MR, Text("the DICOM that it was loaded from says so"))
    return replace(volume, units=HU) if hounsfield else as_mr(volume, file)


def is_ct_node(node) -> bool:
    """Whether a volume node is known to hold a CT."""
    try:
        return anatomical_from_node(node).is_ct
    except InputRefused:
        return False


def _scan_of(node) -> Scan:
    """What is known of the scan of a volume that was loaded by this module; nothing of any other."""
    with contextlib.suppress(TypeError, ValueError):
        return scan_of(node.GetAttribute(SCAN))
    return Scan()


def _coded(entry) -> tuple[str, str] | None:
    return None if entry is None else (entry.GetCodeValue(), entry.GetCodingSchemeDesignator())


def fill_node(node, values: NDArray, grid: Grid, units: str) -> None:
    """Put voxels, geometry and coded units into a volume node."""
    slicer.util.updateVolumeFromArray(node, values)
    node.SetIJKToRASMatrix(matrix_from_array(LPS_FROM_RAS @ grid.ijk_to_lps))
    if units in UNIT_CODES:
        entry = slicer.vtkCodedEntry()
        entry.SetValueSchemeMeaning(*UNIT_CODES[units])
        node.SetVoxelValueUnits(entry)


def node_from_volume(volume: Volume, name: str):
    """A new scalar volume node in the scene, with display."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    fill_node(node, volume.values, volume.grid, volume.units)
    if volume.units == MR_SIGNAL:
        entry = slicer.vtkCodedEntry()
        entry.SetValueSchemeMeaning(*MR_QUANTITY, "Signal Intensity")
        node.SetVoxelValueQuantity(entry)
    if volume.scan != Scan():
        node.SetAttribute(SCAN, words_of(volume.scan))
    node.CreateDefaultDisplayNodes()
    return node
