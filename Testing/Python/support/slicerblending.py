"""A fused slice as Slicer's own views blend it: what the pictures of the library are held to."""

import numpy as np
import slicer
import vtk.util.numpy_support
from numpy.typing import NDArray
from TSPOQuantLib.acquisition.image import Volume
from TSPOQuantLib.display import CT_LEVEL_HU, CT_WINDOW_HU, PET_OPACITY
from TSPOQuantLib.mrml import views
from TSPOQuantLib.mrml.volumes import fill_node


def _add_volume(scene, volume: Volume, color_node):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    fill_node(node, volume.values, volume.grid, volume.units)
    display = scene.AddNewNodeByClass("vtkMRMLScalarVolumeDisplayNode")
    display.SetAndObserveColorNodeID(color_node.GetID())
    node.SetAndObserveDisplayNodeID(display.GetID())
    return node, display


def blended_by_slicer(
    ct: Volume,
    pet: Volume,
    center_lps: NDArray[np.float64],
    axes_lps: NDArray[np.float64],
    size_mm: float,
    pixels: int,
    pet_range: tuple[float, float],
    opacity: float = PET_OPACITY,
) -> NDArray[np.uint8]:
    """A square picture of CT and PET mixed by Slicer itself, in a scene of its own; needs no window.

    center_lps: (3,), the middle of the picture, mm. axes_lps: (3, 2) unit columns: what is to the right and what is
    up. pet_range: values of ``pet`` at both ends of the color scale.
    Returns RGBA (pixels, pixels, 4), first row on top, opaque; black outside both images.
    """
    scene = slicer.vtkMRMLScene()
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    gray = scene.AddNewNodeByClass("vtkMRMLColorTableNode")
    gray.SetTypeToGrey()
    palette = scene.AddNode(slicer.vtkMRMLPETProceduralColorNode())
    palette.SetTypeToDICOM()
    ct_node, ct_display = _add_volume(scene, ct, gray)
    pet_node, pet_display = _add_volume(scene, pet, palette)
    for display in (ct_display, pet_display):
        display.SetAutoWindowLevel(False)
    ct_display.SetWindowLevel(CT_WINDOW_HU, CT_LEVEL_HU)
    pet_display.SetWindowLevelMinMax(*pet_range)

    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLScene(scene)
    slice_node = logic.AddSliceNode("Picture")
    composite = logic.GetSliceCompositeNode()
    composite.SetBackgroundVolumeID(ct_node.GetID())
    composite.SetForegroundVolumeID(pet_node.GetID())
    composite.SetForegroundOpacity(opacity)
    views.set_slice_plane(slice_node, center_lps, axes_lps)
    slice_node.SetDimensions(pixels, pixels, 1)
    slice_node.SetFieldOfView(size_mm, size_mm, 1.0)
    slice_node.UpdateMatrices()
    logic.UpdatePipeline()

    producer = logic.GetImageDataConnection().GetProducer()
    producer.Update()
    image = producer.GetOutputDataObject(0)
    colors = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    columns, rows, _ = image.GetDimensions()
    picture = np.array(colors.reshape(rows, columns, -1)[::-1])
    # A slice view lies on black: what both images leave transparent is black here as well.
    picture[..., :3] = np.rint(picture[..., :3] * (picture[..., 3:] / 255.0))
    picture[..., 3] = 255
    return picture
