"""A small study in the scene with known V_T: two foramina that follow one tissue compartment exactly."""

import json
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

# Parent plasma in kBq/mL, minutes: AMPLITUDE * (exp(-SLOW t) - exp(-FAST t)).
AMPLITUDE, SLOW, FAST = 60.0, 0.08, 2.0
K2 = 0.06
TRUE_VT = {"foramen C6/C7 left": 4.0, "foramen C6/C7 right": 2.0}
BLOOD_POOL = "carotids"
EDGES_S = np.array([0, 10, 20, 30, 40, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1200, 1800, 2400, 3000, 3600.0])


def parent_plasma(minutes):
    return AMPLITUDE * (np.exp(-SLOW * minutes) - np.exp(-FAST * minutes))


def tissue(minutes, vt):
    """One tissue compartment in closed form: K1 exp(-k2 t) convolved with each exponential of the input."""

    def part(rate):
        return (np.exp(-rate * minutes) - np.exp(-K2 * minutes)) / (K2 - rate)

    return vt * K2 * AMPLITUDE * (part(SLOW) - part(FAST))


def frame_means(curve):
    """Means of a curve of minutes over the frames, from 400 points a frame."""
    points = (np.arange(400) + 0.5) / 400
    seconds = EDGES_S[:-1, None] + points * np.diff(EDGES_S)[:, None]
    return curve(seconds / 60).mean(axis=1)


def grid(shape, spacing_mm):
    matrix = np.diag([spacing_mm, spacing_mm, spacing_mm, 1.0])
    matrix[:3, 3] = -spacing_mm * (np.array(shape[::-1]) - 1) / 2
    return Grid(shape, matrix)


def centers(on):
    k, j, i = np.indices(on.shape)
    return on.to_lps(np.stack([i, j, k], axis=-1).astype(float))


def write_blood(folder: Path) -> Path:
    """Ready parent plasma as a PET-BIDS table with its sidecar."""
    seconds = np.concatenate([np.arange(0, 60, 1.0), np.arange(60, 300, 4.0), np.arange(300, 3601, 30.0)])
    path = folder / "sub-x_recording-manual_bloodproc.tsv"
    lines = [f"{s:g}\t{parent_plasma(s / 60):.8g}\t{1.2 * parent_plasma(s / 60):.8g}" for s in seconds]
    path.write_text("\n".join(["time\tAIF\twhole_blood_radioactivity", *lines]) + "\n", encoding="utf-8")
    units = {"time": "s", "AIF": "kBq/mL", "whole_blood_radioactivity": "kBq/mL"}
    sidecar = {name: {"Description": name, "Units": unit} for name, unit in units.items()}
    path.with_suffix(".json").write_text(json.dumps(sidecar), encoding="utf-8")
    return path


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


def erase_a_voxel(node) -> None:
    """From the first segment, as an effect of the Segment Editor would."""
    segment_id = node.GetSegmentation().GetNthSegmentID(0)
    image = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(segment_id, image)
    values = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    values[np.flatnonzero(values)[0]] = 0
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.SetBinaryLabelmapToSegment(image, node, segment_id, logic.MODE_REPLACE)


def make(folder, part=1.0) -> SimpleNamespace:
    """PET sequence, CT, segmentation and blood file: left half (LPS +x) and right half have their own V_T.

    part: of the true V_T that is in this study's images.
    """
    on_pet, on_ct = grid((6, 10, 12), 4.0), grid((12, 20, 24), 2.0)
    left = centers(on_pet)[..., 0] > 0
    curves = {name: frame_means(lambda t, vt=vt: tissue(t, part * vt)) for name, vt in TRUE_VT.items()}
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
    for name, x in (("foramen C6/C7 left", 12.0), ("foramen C6/C7 right", -12.0)):
        add_segment(segmentation, name, np.linalg.norm(where - (x, 0, 0), axis=-1) < 5, on_ct)
    add_segment(segmentation, BLOOD_POOL, np.linalg.norm(where - (12, 12, 0), axis=-1) < 4, on_ct)
    return SimpleNamespace(
        pet=sequence_io.node_from_dynamic(image, "PET"),
        ct=volumes.node_from_volume(Volume(np.zeros(on_ct.shape, np.float32), on_ct, "HU"), "CT"),
        segmentation=segmentation,
        blood=str(write_blood(Path(folder))),
    )
