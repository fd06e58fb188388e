"""Maps of V_T as volumes in the scene, over the CT in the slice views."""

import numpy as np
import slicer
import slicer.util
from numpy.typing import NDArray

from ..acquisition.image import Volume
from ..acquisition.segmentation import Segmentation
from ..grid import Grid
from ..outcome.visit import VisitMaps
from ..quantities import BY_KEY
from .study_nodes import MAP, find_or_add
from .views import match_scales
from .volumes import fill_node

COLORS = ("vtkMRMLColorTableNodeFileViridis.txt", "vtkMRMLColorTableNodeRainbow")
"""Equal steps of V_T look equally large, to all eyes; the second where a Slicer lacks the first."""
TOP_PERCENTILE, REGION_PERCENTILE = 99.5, 95.0
"""Of the V_T of all voxels and of a region's: a few noisy voxels do not darken the map (own choice)."""


def keep(visit_maps: VisitMaps, drawn: Segmentation):
    """Put a visit's map of V_T into the scene, in place of an earlier one; the volume node. 0 where there is none.

    drawn: the visit's regions, none of which the color scale saturates.
    """
    values = np.nan_to_num(visit_maps.maps.parameters[visit_maps.maps.outcome], nan=0.0, posinf=0.0, neginf=0.0)
    quantity = BY_KEY[visit_maps.maps.outcome]
    name = f"{visit_maps.session} {quantity.symbol} {visit_maps.maps.model}"
    node = find_or_add(visit_maps.session, MAP, "vtkMRMLScalarVolumeNode", name)
    node.SetName(name)
    volume = Volume(values, visit_maps.grid, quantity.unit)
    fill_node(node, volume.values, volume.grid, volume.units)
    node.CreateDefaultDisplayNodes()
    _style(node.GetDisplayNode(), values, top_of(values, visit_maps.grid, drawn))
    return node


def top_of(values: NDArray[np.floating], grid: Grid, drawn: Segmentation) -> float:
    """The upper end of the color scale: what all voxels but a few lie below, in the whole and in every region."""
    inside = values[values > 0]
    if not inside.size:
        return 1.0
    tops = [float(np.percentile(inside, TOP_PERCENTILE))]
    last = np.array(values.shape[::-1]) - 1
    for segment in drawn.segments:
        voxels = np.argwhere(segment.mask)[:, ::-1].astype(float)
        here = np.rint(grid.to_ijk(drawn.grid.to_lps(voxels))).astype(int)
        i, j, k = here[((here >= 0) & (here <= last)).all(axis=1)].T
        region = values[k, j, i]
        tops += [float(np.percentile(region[region > 0], REGION_PERCENTILE))] if (region > 0).any() else []
    return max(tops)


def _style(display, values: NDArray[np.floating], top: float) -> None:
    color = next((color for color in COLORS if slicer.mrmlScene.GetNodeByID(color) is not None), COLORS[-1])
    display.SetAndObserveColorNodeID(color)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0.0, top)
    # What has no V_T is left transparent.
    display.SetAutoThreshold(False)
    display.SetThreshold(float(np.nextafter(np.float32(0), np.float32(1))), max(top, float(values.max(initial=0.0))))
    display.SetApplyThreshold(True)


def show(node, ct_node, opacity: float = 0.5) -> None:
    """Put a map over the CT, or over nothing, in all slice views, with its color scale in the corner."""
    slicer.util.setSliceViewerLayers(background=ct_node, foreground=node, foregroundOpacity=opacity)
    legend = slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(node)
    # In a corner, since the neck is in the middle; its title is above it, centered, and must not be cut.
    legend.SetSize(0.11, 0.4)
    legend.SetPosition(0.92, 0.82)
    legend.SetNumberOfLabels(3)
    legend.SetTitleText("V_T (mL/cm³)")
    legend.SetVisibility(True)
    match_scales()
