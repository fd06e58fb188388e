"""How Slicer itself would bring a segment to the PET's voxels: through a closed surface. For comparison only."""

from typing import Any

import numpy as np
import slicer
import vtk.util.numpy_support
from numpy.typing import NDArray
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.mrml.regions import labelmap_of
from TSPOQuantLib.mrml.transforms import LPS_FROM_RAS, matrix_from_array

SMOOTHING = 0.5
"""Slicer's default smoothing factor of closed surfaces."""


def through_surface(
    mask: NDArray[np.bool_], grid: Grid, target: Grid, smoothing: float = SMOOTHING
) -> NDArray[np.bool_]:
    """A mask (k, j, i) on ``grid`` as a closed surface, and that as a binary labelmap on ``target``."""
    converter = slicer.vtkSegmentationConverter
    labelmaps = converter.GetSegmentationBinaryLabelmapRepresentationName()
    surfaces = converter.GetSegmentationClosedSurfaceRepresentationName()
    image = labelmap_of(mask, matrix_from_array(LPS_FROM_RAS @ grid.ijk_to_lps))
    drawn = _converted(labelmaps, image, surfaces, {"Smoothing factor": f"{smoothing:g}"})
    extent = [number for size in target.shape[::-1] for number in (0, size - 1)]
    geometry = converter.SerializeImageGeometry(matrix_from_array(LPS_FROM_RAS @ target.ijk_to_lps), extent)
    name = converter.GetReferenceImageGeometryParameterName()
    again = _converted(surfaces, drawn, labelmaps, {name: geometry, "Crop to reference image geometry": "1"})
    i0, i1, j0, j1, k0, k1 = again.GetExtent()
    found = np.zeros(target.shape, dtype=bool)
    values = vtk.util.numpy_support.vtk_to_numpy(again.GetPointData().GetScalars())
    found[k0 : k1 + 1, j0 : j1 + 1, i0 : i1 + 1] = values.reshape(k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1) > 0
    return found


def _converted(kind: str, representation: Any, wanted: str, parameters: dict[str, str]) -> Any:
    """One representation of a segment into another. Slicer registers the rules; its libraries alone do not."""
    for attempt in range(2):
        segment = slicer.vtkSegment()
        segment.AddRepresentation(kind, representation)
        segmentation = slicer.vtkSegmentation()
        segmentation.SetSourceRepresentationName(kind)
        segmentation.AddSegment(segment, "segment")
        for name, value in parameters.items():
            segmentation.SetConversionParameter(name, value)
        if segmentation.CreateRepresentation(wanted):
            return segmentation.GetSegment("segment").GetRepresentation(wanted)
        if attempt == 0:
            factory = slicer.vtkSegmentationConverterFactory.GetInstance()
            factory.RegisterConverterRule(slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule())
            factory.RegisterConverterRule(slicer.vtkClosedSurfaceToBinaryLabelmapConversionRule())
    raise RuntimeError(f"Slicer does not convert {kind} to {wanted}")
