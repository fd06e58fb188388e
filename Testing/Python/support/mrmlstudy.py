"""A small study in the scene with known V_T: two foramina that follow one tissue compartment exactly."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import slicer
import slicer.util
import vtk
import vtk.util.numpy_support
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan, Volume
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.mrml import sequence_io, volumes

from support.exacttissue import EDGES_S, centers, frame_means, write_blood

TRUE_VT = {"foramen C6/C7 left": 4.0, "foramen C6/C7 right": 2.0}
BLOOD_POOL = "carotids"


def grid(shape, spacing_mm):
    matrix = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    matrix[:3, 3] = -spacing_mm * (np.array(shape[::-1]) - 1) / 2
    return Grid(shape, matrix)


def add_segment(node, name, mask, on):
    """Add a segment from a mask (k, j, i) on a grid."""
    labelmap = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    volumes.fill_node(labelmap, mask.astype(np.uint8), on, "")
    image = slicer.vtkSlicerSegmentationsModuleLogic.CreateOrientedImageDataFromVolumeNode(labelmap)
    image.UnRegister(None)
    slicer.mrmlScene.RemoveNode(labelmap)
    return node.AddSegmentFromBinaryLabelmapRepresentation(image, name)


def shift(millimeters) -> "vtk.vtkMatrix4x4":
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, millimeters)
    return matrix


def erase_a_voxel(node, name="") -> None:
    """From the segment of that name, else the first one, as an effect of the Segment Editor would."""
    segmentation = node.GetSegmentation()
    segment_id = segmentation.GetSegmentIdBySegmentName(name) if name else segmentation.GetNthSegmentID(0)
    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(segment_id, image)
    values = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    values[np.flatnonzero(values)[0]] = 0
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetBinaryLabelmapToSegment(image, node, segment_id, logic.MODE_REPLACE)


def mr_node(on, name="MR"):
    """A volume as Slicer's DICOM reader leaves an MR: magnitude, coded as signal intensity."""
    signal = np.random.default_rng(6).gamma(2.0, 200.0, on.shape).round().astype(np.float32)
    node = volumes.node_from_volume(Volume(signal, on, ""), name)
    quantity = slicer.vtkCodedEntry()
    quantity.SetValueSchemeMeaning(*volumes.MR_QUANTITY, "Signal Intensity")
    node.SetVoxelValueQuantity(quantity)
    return node


def make(folder, part=1.0, names=tuple(TRUE_VT), mr=False) -> SimpleNamespace:
    """PET sequence, CT, segmentation and blood file: left half (LPS +x) and right half have their own V_T.

    part: of the true V_T that is in this study's images. names: of the left and the right region. mr: in place of the
    CT.
    """
    on_pet, on_ct = grid((6, 10, 12), 4.0), grid((12, 20, 24), 2.0)
    left = centers(on_pet)[..., 0] > 0
    curves = {name: frame_means(part * vt) for name, vt in TRUE_VT.items()}
    shape = (-1, 1, 1, 1)
    activity = np.where(
        left, curves["foramen C6/C7 left"].reshape(shape), curves["foramen C6/C7 right"].reshape(shape)
    )
    image = DynamicImage(
        activity=activity.astype(np.float32),
        grid=on_pet,
        timing=FrameTiming(EDGES_S[:-1], np.diff(EDGES_S)),
        time_zero="injection",
        time_zero_at=None,
        decay_correction="none needed",
        scan=Scan(half_life_s=1223.4),
    )
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "regions")
    where = centers(on_ct)
    for name, x in zip(names, (12.0, -12.0), strict=True):
        add_segment(segmentation, name, np.linalg.norm(where - (x, 0, 0), axis=-1) < 5, on_ct)
    add_segment(segmentation, BLOOD_POOL, np.linalg.norm(where - (12, 12, 0), axis=-1) < 4, on_ct)
    draw = 0 if part == 1.0 else 1  # no two visits share their blood
    blood = Path(folder) / f"sub-x_run-{draw + 1}_recording-manual_bloodproc.tsv"
    write_blood(blood, draw)
    return SimpleNamespace(
        pet=sequence_io.node_from_dynamic(image, "PET"),
        ct=mr_node(on_ct)
        if mr
        else volumes.node_from_volume(Volume(np.zeros(on_ct.shape, np.float32), on_ct, "HU"), "CT"),
        segmentation=segmentation,
        blood=str(blood),
    )
