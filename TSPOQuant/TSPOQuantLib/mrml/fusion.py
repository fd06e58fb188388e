"""CT below, PET above, in Slicer's slice views."""

import numpy as np
import slicer
import slicer.util
from numpy.typing import NDArray

from ..display import CT_LEVEL_HU, CT_WINDOW_HU, PET_OPACITY, signal_window
from ..regions.anatomy import identify
from . import views
from .segmentations import tags_of
from .volumes import is_ct_node

BONE_OPACITY = 0.15
"""Of vertebrae in the 3-D view: what lies behind them is seen (own choice)."""


def style_ct(ct_node) -> None:
    """Gray, in a window that shows bone with soft tissue; of an MR in one that its own voxels make."""
    if ct_node.GetDisplayNode() is None:
        ct_node.CreateDefaultDisplayNodes()
    ct_node.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    display, hounsfield = ct_node.GetDisplayNode(), (CT_LEVEL_HU - CT_WINDOW_HU / 2, CT_LEVEL_HU + CT_WINDOW_HU / 2)
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(
        *(hounsfield if is_ct_node(ct_node) else signal_window(slicer.util.arrayFromVolume(ct_node)))
    )


def style_pet(pet_node, pet_range: tuple[float, float] | None = None) -> None:
    """The standard's palette for PET; pet_range: its ends in the values of the node, None for what suits them."""
    if pet_node.GetDisplayNode() is None:
        pet_node.CreateDefaultDisplayNodes()
    palette = slicer.vtkMRMLColorLogic.GetPETColorNodeID(slicer.vtkMRMLPETProceduralColorNode.PETDICOM)
    pet_node.GetDisplayNode().SetAndObserveColorNodeID(palette)
    set_pet_range(pet_node, pet_range)


def _window_pet(display, pet_range: tuple[float, float]) -> None:
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(*pet_range)


def pet_range_of(values: NDArray) -> tuple[float, float]:
    """From 0 to the 99.9th percentile, so that a few hot voxels do not darken the neck [own choice]."""
    top = float(np.nanpercentile(values, 99.9))
    return 0.0, top if top > 0 else 1.0


def show_fused(
    ct_node,
    pet_node,
    opacity: float = PET_OPACITY,
    pet_range: tuple[float, float] | None = None,
    layout: int | None = views.FUSION_LAYOUT,
) -> None:
    """CT in a bone window behind, PET in color in front, in every slice view, linked, in a layout of ours.

    pet_range: both ends of the PET's colors in the values of the node; None for what it shows now (``set_pet_range``
    for another frame, the mean, or SUV). layout: None leaves the layout as it is.
    """
    kept = views.view_places() if layout is not None and views.is_beside() else []
    if kept:
        views.link(False)
    if layout is not None:
        views.show_layout(layout)
    style_ct(ct_node)
    style_pet(pet_node, pet_range)
    slicer.util.setSliceViewerLayers(background=ct_node, foreground=pet_node)
    views.match_scales()
    views.set_opacity(opacity)
    if kept:
        views.go_back(kept)
    views.link()


def set_pet_range(
    pet_node, pet_range: tuple[float, float] | None = None, suv_per_kbq_ml: float | None = None
) -> tuple[float, float]:
    """Both ends of the PET's colors; returned in the unit asked for.

    pet_range: in kBq/mL, as the voxels are, or in SUV where ``suv_per_kbq_ml`` says what one kBq/mL is; None takes
    what suits the voxels that the node shows now, the end rounded up in that unit.
    """
    from ..reporting.figures import round_top  # as above

    factor = suv_per_kbq_ml or 1.0
    if pet_range is None:
        pet_range = (0.0, round_top(factor * pet_range_of(slicer.util.arrayFromVolume(pet_node))[1]))
    _window_pet(pet_node.GetDisplayNode(), (pet_range[0] / factor, pet_range[1] / factor))
    return pet_range


def outline(segmentation_node, visible: bool, opacity: float = 1.0) -> None:
    """Show regions as outlines in all views, or hide them; how single segments are shown stays as it is."""
    if segmentation_node.GetDisplayNode() is None:
        segmentation_node.CreateDefaultDisplayNodes()
    display = segmentation_node.GetDisplayNode()
    display.SetVisibility(visible)
    display.SetVisibility2DFill(False)
    display.SetVisibility2DOutline(True)
    display.SetOpacity2DOutline(opacity)


def show_regions(segmentation_node) -> None:
    """Regions as outlines on the slices and as surfaces in 3-D, where vertebrae let the rest be seen."""
    outline(segmentation_node, True)
    display, source = segmentation_node.GetDisplayNode(), segmentation_node.GetSegmentation()
    display.SetAllSegmentsVisibility2DFill(False)
    for segment_id in source.GetSegmentIDs():
        segment = source.GetSegment(segment_id)
        bone = identify(segment.GetName(), tags_of(segment)).structure == "vertebra"
        display.SetSegmentOpacity3D(segment_id, BONE_OPACITY if bone else 1.0)
    segmentation_node.CreateClosedSurfaceRepresentation()


def has_surfaces(segmentation_node) -> bool:
    """Whether the 3-D view shows regions, while they are visible."""
    surfaces = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    return segmentation_node is not None and segmentation_node.GetSegmentation().ContainsRepresentation(surfaces)


def proxy_of(sequence_node):
    """The volume node that stands for a sequence in the views, or None where it has none."""
    browser = browser_of(sequence_node) if sequence_node is not None else None
    return browser.GetProxyNode(sequence_node) if browser is not None else None


def show_sequence(sequence_node):
    """The volume node that stands for a sequence in the views: its proxy. The tool bar moves through its frames.

    A sequence browser is made if need be. It starts at the last frame, where most of the blood's activity is gone.
    """
    browser = browser_of(sequence_node) or _new_browser(sequence_node)
    slicer.modules.sequences.setToolBarActiveBrowserNode(browser)
    return browser.GetProxyNode(sequence_node)


def browser_of(sequence_node):
    """The sequence browser that shows a sequence by a proxy node, or None."""
    browsers = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
    shown = (browser for browser in browsers if browser.IsSynchronizedSequenceNodeID(sequence_node.GetID(), True))
    return next((browser for browser in shown if browser.GetProxyNode(sequence_node) is not None), None)


def _new_browser(sequence_node):
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", sequence_node.GetName())
    browser.AddSynchronizedSequenceNode(sequence_node)
    browser.SetSelectedItemNumber(sequence_node.GetNumberOfDataNodes() - 1)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return browser
