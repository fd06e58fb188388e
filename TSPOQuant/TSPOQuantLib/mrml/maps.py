"""Maps of V_T as volumes in the scene, over the CT in the slice views."""

import numpy as np
import slicer
import slicer.util

from ..acquisition.image import Volume
from ..outcome.visit import VisitMaps
from .study_nodes import find_or_add
from .volumes import fill_node

ROLE = "map"
COLORS = ("vtkMRMLColorTableNodeFileViridis.txt", "vtkMRMLColorTableNodeRainbow")
"""Equal steps of V_T look equally large, to all eyes; the second where a Slicer lacks the first."""
TOP_PERCENTILE = 99.5
"""Of the voxels' V_T, the upper end of the color scale: a few noisy voxels do not darken the map (own choice)."""


def keep(found: VisitMaps):
    """Put a visit's map of V_T into the scene, in place of an earlier one; the volume node. 0 where there is none."""
    values = np.nan_to_num(found.maps.VT, nan=0.0, posinf=0.0, neginf=0.0)
    node = find_or_add(found.session, ROLE, "vtkMRMLScalarVolumeNode", f"{found.session} V_T {found.maps.model}")
    node.SetName(f"{found.session} V_T {found.maps.model}")
    volume = Volume(values, found.grid, "mL/cm3")
    fill_node(node, volume.values, volume.grid, volume.units)
    node.CreateDefaultDisplayNodes()
    _style(node.GetDisplayNode(), values)
    return node


def _style(display, values) -> None:
    inside = values[values > 0]
    top = float(np.percentile(inside, TOP_PERCENTILE)) if inside.size else 1.0
    color = next((one for one in COLORS if slicer.mrmlScene.GetNodeByID(one) is not None), COLORS[-1])
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
    legend.SetTitleText("V_T (mL/cm³)")
    legend.SetVisibility(True)
