"""The views of a fused study: layouts, linked slices, blinking, and going to a region in the planes of its canal."""

from collections.abc import Sequence

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import NDArray
from slicer.i18n import tr as _

from ..messages import InputRefused
from ..regions.anatomy import identify
from . import segmentations
from .transforms import LPS_FROM_RAS, matrix_from_array

FUSION_LAYOUT, BESIDE_LAYOUT = 5710, 5711
"""Numbers of our layouts; Slicer's own are below 1000 (vtkMRMLLayoutNode::SlicerLayout)."""
SLICE_VIEWS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}
_COLORS = {"Red": "#F34A33", "Yellow": "#EDD54C", "Green": "#6EB04B"}
OBLIQUE = {"Red": "along canal", "Yellow": "across canal", "Green": "coronal"}
"""Which plane each view takes at a foramen; the third is the body's, to see where one is."""
BESIDE = "TSPOQuantPET"
"""Begins the names of the views that show the PET alone, beside those that show the CT alone."""
SHARE = 0.1
"""Of a view's shorter side, what a region takes up that the views are brought to [own choice]."""
FIELD_MM = (60.0, 250.0)
"""The shorter side of a view shows so much at least, to see where in the neck it is, and at most [own choice]."""
PRESET = "TSPOQuant"
"""Name of an oblique plane among a view's orientations."""
OPACITY = "TSPOQuant.Opacity"
"""Attribute of a slice composite node: the opacity to come back to after blinking."""


def _slice(tag: str, color: str) -> str:
    name = tag.removeprefix(BESIDE)
    label = name[0] if tag == name else f"{name[0]} PET"
    return (
        f'<item><view class="vtkMRMLSliceNode" singletontag="{tag}">'
        f'<property name="orientation" action="default">{SLICE_VIEWS[name]}</property>'
        f'<property name="viewlabel" action="default">{label}</property>'
        f'<property name="viewcolor" action="default">{_COLORS[color]}</property></view></item>'
    )


def _row(items: str) -> str:
    return f'<item><layout type="horizontal">{items}</layout></item>'


def _rows(*rows: str) -> str:
    return f'<layout type="vertical">{"".join(_row(row) for row in rows)}</layout>'


def _tabs() -> str:
    """The 3-D view and the plot, one behind the other."""
    three_d = (
        f'<item name="{_("3-D")}"><view class="vtkMRMLViewNode" singletontag="1">'
        '<property name="viewlabel" action="default">1</property></view></item>'
    )
    plot = (
        f'<item name="{_("Plot")}"><view class="vtkMRMLPlotViewNode" singletontag="PlotView1">'
        '<property name="viewlabel" action="default">P</property></view></item>'
    )
    return f'<item><layout type="tab">{three_d}{plot}</layout></item>'


def layouts() -> dict[int, str]:
    """Our layouts as Slicer reads them, in the language of the application.

    No more than two slice views in a row: the bar of one is about 350 pixels wide, and Slicer's window must fit on a
    screen of 1280 beside the panel.
    """
    return {
        FUSION_LAYOUT: _rows(_slice("Red", "Red") + _slice("Yellow", "Yellow"), _slice("Green", "Green") + _tabs()),
        BESIDE_LAYOUT: _rows(*(_slice(name, name) + _slice(BESIDE + name, name) for name in SLICE_VIEWS)),
    }


def show_layout(layout: int) -> bool:
    """Switch to one of ``layouts``: three slices with 3-D or a plot, or CT beside PET. False where there is none."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if node is None:  # no window
        return False
    register_layouts()
    node.SetViewArrangement(layout)
    return True


def register_layouts() -> None:
    """Make ``layouts`` known to Slicer: a scene that was saved with one shows no views where it is not known."""
    for node in slicer.util.getNodesByClass("vtkMRMLLayoutNode"):
        for layout, description in layouts().items():
            if not node.IsLayoutDescription(layout):
                node.AddLayoutDescription(layout, description)


def composites() -> list:
    """Every slice view's composite node."""
    return list(slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"))


def slice_nodes() -> dict:
    """The slice nodes by view name ("Red", …)."""
    return {node.GetLayoutName(): node for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")}


def link(linked: bool = True) -> None:
    """Let all slice views follow what is changed in one: volumes, opacity, field of view, and while dragging too."""
    for composite in composites():
        composite.SetLinkedControl(linked)
        composite.SetHotLinkedControl(linked)


def match_scales() -> None:
    """Show the color scale of a map in the views that show the map, and in no others.

    Slicer looks when a scale is changed, or when a user changes what a view shows
    (vtkMRMLColorLegendDisplayableManager::ProcessMRMLNodesEvents), but not when a script does.
    """
    for scale in slicer.util.getNodesByClass("vtkMRMLColorLegendDisplayNode"):
        scale.Modified()


def set_opacity(opacity: float) -> None:
    """How much of the PET shows in all slice views, 0 to 1; ends blinking."""
    for composite in composites():
        composite.RemoveAttribute(OPACITY)
        composite.SetForegroundOpacity(opacity)


def blink() -> bool:
    """PET off, or on again as it was, in all slice views; whether it is on now. For a timer or a key."""
    found = composites()
    kept = [composite.GetAttribute(OPACITY) for composite in found]
    on = not any(kept)
    # All is read before the first is changed, which linked views follow at once.
    new = 0.0 if on else float(next(filter(None, kept)))
    for composite in found:
        if on:
            composite.SetAttribute(OPACITY, repr(composite.GetForegroundOpacity()))
        else:
            composite.RemoveAttribute(OPACITY)
    for composite in found:
        composite.SetForegroundOpacity(new)
    return not on


def is_beside() -> bool:
    """Whether the views are those of ``show_beside``."""
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    return node is not None and node.GetViewArrangement() == BESIDE_LAYOUT


def show_beside(ct_node, pet_node) -> bool:
    """CT left, PET right, the same places, for judging their alignment; False where there is no layout."""
    # New views begin at 0 mm, and would take those that they are linked with there.
    link(False)
    kept = view_places()
    if not show_layout(BESIDE_LAYOUT):
        return False
    for composite in composites():
        pet_alone = (composite.GetLayoutName() or "").startswith(BESIDE)
        composite.SetBackgroundVolumeID((pet_node if pet_alone else ct_node).GetID())
        composite.SetForegroundVolumeID(None)
    go_back(kept)
    match_beside()
    link()
    match_scales()
    return True


def view_places() -> list:
    """Every slice node with copies of where it is and of how much it shows, for ``go_back``."""
    found = []
    for node in slice_nodes().values():
        matrix = vtk.vtkMatrix4x4()
        matrix.DeepCopy(node.GetSliceToRAS())
        found.append((node, matrix, node.GetFieldOfView()))
    return found


def go_back(kept: list) -> None:
    """Bring slice views of a new layout to what ``view_places`` kept; each shows as wide a part as before."""
    slicer.app.processEvents()  # Slicer lays new views out, and fits each to its image
    for node, matrix, field in kept:
        node.GetSliceToRAS().DeepCopy(matrix)
        columns, rows = node.GetDimensions()[:2]
        node.SetFieldOfView(field[0], field[0] * rows / columns if columns else field[1], field[2])
        node.UpdateMatrices()


def match_beside() -> None:
    """Bring the views of the PET to the place and the zoom of those of the CT beside them."""
    for name, node in slice_nodes().items():
        source = slice_nodes().get(name.removeprefix(BESIDE))
        if name.startswith(BESIDE) and source is not None:
            _same_place(node, source)


def shown_volumes() -> set[str]:
    """IDs of the volumes that some slice view shows."""
    return {
        getattr(composite, f"Get{layer}VolumeID")() or ""
        for composite in composites()
        for layer in ("Background", "Foreground")
    }


def replace_volumes(replaced: dict) -> bool:
    """In all slice views, volumes by their IDs through other volume nodes, or through none; whether any was there."""
    found = False
    for composite in composites():
        for layer in ("Background", "Foreground"):
            shown = getattr(composite, f"Get{layer}VolumeID")()
            if shown in replaced:
                found = True
                node = replaced[shown]
                getattr(composite, f"Set{layer}VolumeID")(node.GetID() if node is not None else None)
    match_scales()
    return found


def bring_in(volume_node, opacity: float) -> None:
    """Put a volume in front in the slice views that do not show it; those that do stay as they are."""
    for composite in composites():
        if volume_node.GetID() not in (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID()):
            composite.SetForegroundVolumeID(volume_node.GetID())
            composite.SetForegroundOpacity(opacity)
        elif composite.GetAttribute(OPACITY):  # taken away by blinking
            composite.SetForegroundOpacity(float(composite.GetAttribute(OPACITY)))
            composite.RemoveAttribute(OPACITY)
    match_scales()


def fit_slices() -> None:
    """Show the whole images in all slice views."""
    logics = slicer.app.applicationLogic().GetSliceLogics()
    for number in range(logics.GetNumberOfItems() if logics is not None else 0):
        logics.GetItemAsObject(number).FitSliceToBackground()


def go_to_segment(segmentation_node, segment_id: str, oblique: bool = True) -> None:
    """Bring a segment into the middle of every slice view, a tenth of the view wide; a foramen in the planes of its
    canal if ``oblique``.

    What is no foramen, or not ``oblique``, is shown in the body's own planes. Raises InputRefused ("segment-empty",
    "transform-not-linear").
    """
    from ..regions.planes import plane_of  # Slicer's start need not wait for scipy

    places = segmentations.segment_places(segmentation_node)
    centers = {found: center for found, (center, _) in places.items()}
    if segment_id not in centers:
        raise InputRefused("segment-empty", "this segment has no voxel to go to; draw it first")
    source = segmentation_node.GetSegmentation()
    known = {i: source.GetSegment(i) for i in centers}
    anatomy = {i: identify(s.GetName(), segmentations.tags_of(s)) for i, s in known.items()}
    foramina = {(a.level, a.side): centers[i] for i, a in anatomy.items() if a.structure == "foramen"}
    canal = oblique and anatomy[segment_id].structure == "foramen"
    for name, node in slice_nodes().items():
        view = name.removeprefix(BESIDE)
        if view in SLICE_VIEWS:
            plane = OBLIQUE[view] if canal else SLICE_VIEWS[view].lower()
            set_slice_plane(node, centers[segment_id], plane_of(anatomy[segment_id], plane, foramina))
            zoom(node, places[segment_id][1] / SHARE)


def go_to_point(ras: Sequence[float]) -> None:
    """Bring a point of the world into the middle of every slice view, in the planes that it has."""
    for name, node in slice_nodes().items():
        if name.removeprefix(BESIDE) in SLICE_VIEWS:
            node.JumpSliceByCentering(*ras)
            zoom(node, FIELD_MM[0])


def zoom(slice_node, field_mm: float) -> None:
    """Let the shorter side of a slice view be so long, within ``FIELD_MM``."""
    columns, rows, _ = slice_node.GetDimensions()
    shorter = min(columns, rows)
    if shorter > 0:  # a view that is laid out
        field = min(max(field_mm, FIELD_MM[0]), FIELD_MM[1])
        slice_node.SetFieldOfView(field * columns / shorter, field * rows / shorter, slice_node.GetFieldOfView()[2])
        slice_node.UpdateMatrices()


def reset_planes() -> None:
    """The body's own planes in every slice view, in the place where it is."""
    for name, node in slice_nodes().items():
        view = name.removeprefix(BESIDE)
        if view in SLICE_VIEWS:
            node.SetOrientation(SLICE_VIEWS[view])


def set_slice_plane(slice_node, center_lps: NDArray[np.float64], axes_lps: NDArray[np.float64]) -> None:
    """Turn a slice node so that its middle is a point (3,) and axes_lps (3, 2) say what is to the right and up.

    Slices count upwards in what is near to axial, as in Slicer's own axial orientation, which is left-handed.
    """
    normal = np.cross(axes_lps[:, 0], axes_lps[:, 1])
    downwards = normal[2] < -np.abs(normal[:2]).max()
    slice_to_lps = np.eye(4)
    slice_to_lps[:3, :2] = axes_lps
    slice_to_lps[:3, 2] = -normal if downwards else normal
    slice_to_lps[:3, 3] = center_lps
    slice_to_ras = LPS_FROM_RAS @ slice_to_lps
    slice_node.GetSliceToRAS().DeepCopy(matrix_from_array(slice_to_ras))
    slice_node.UpdateMatrices()
    if slice_node.GetOrientation() == slice_node.GetReformatOrientationName():
        # Under a name: Slicer complains of a saved orientation that has none when the scene is loaded.
        orientation = vtk.vtkMatrix3x3()
        for row in range(3):
            for column in range(3):
                orientation.SetElement(row, column, slice_to_ras[row, column])
        slice_node.AddSliceOrientationPreset(PRESET, orientation)


def _same_place(slice_node, source) -> None:
    slice_node.GetSliceToRAS().DeepCopy(source.GetSliceToRAS())
    width, height, depth = source.GetFieldOfView()
    columns, rows = slice_node.GetDimensions()[:2]
    slice_node.SetFieldOfView(width, width * rows / columns if columns else height, depth)
    slice_node.UpdateMatrices()
