"""Regions of one visit on another visit's CT, as a segmentation node that can be looked at and corrected."""

import slicer

from ..acquisition.modality import AUTO
from ..messages import InputRefused, Notice
from ..progress import Progress, silent
from .segmentations import segmentation_from_node
from .transforms import node_from_matrix
from .volumes import anatomical_from_node, fill_node


def carry_regions(
    segmentation_node,
    drawn_on_node,
    ct_node,
    session: str,
    progress: Progress = silent,
    modality: str = AUTO,
) -> tuple[object, tuple[Notice, ...]]:
    """A new segmentation node with the segments of another visit where that visit's levels lie in this one's CT.

    segmentation_node, drawn_on_node: the other visit's regions and CT; neither is changed. session: its label, with
    which every segment is tagged. Returns the node and what to tell the user. Each level's transform is left in the
    scene: under it, this visit's CT is shown on the other one's, there. The scene changes only when all is computed.
    Raises InputRefused ("levels-missing", "visits-mismatch", …); what ``progress`` raises stops the work.
    """
    from ..pipeline.visit_data import carry_regions as carry  # Slicer's start need not wait for what this brings in

    drawn = segmentation_from_node(segmentation_node, "segmentation of the other visit")
    other = anatomical_from_node(drawn_on_node, "CT or MR of the other visit", modality)
    here = anatomical_from_node(ct_node, modality=modality)
    found, alignment = carry(drawn, other, here, session, progress)
    empty = [segment.name for segment in found.segments if not segment.mask.any()]
    if len(empty) == len(found.segments):
        raise InputRefused(
            "regions-beyond",
            "no region lies within {anatomy} of this visit; check that both show the same part of one spine",
            anatomy=here.called,
        )
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"regions of {session}, carried")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(ct_node)
    labelmap = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    source = node.GetSegmentation()
    for segment in found.segments:
        if segment.mask.any():
            fill_node(labelmap, segment.mask.astype("uint8"), found.grid, "")
            image = slicer.vtkSlicerSegmentationsModuleLogic.CreateOrientedImageDataFromVolumeNode(labelmap)
            image.UnRegister(None)
            added = source.GetSegment(node.AddSegmentFromBinaryLabelmapRepresentation(image, segment.name))
        else:
            added = source.GetSegment(source.AddEmptySegment("", segment.name))
        if segment.color is not None:
            added.SetColor(*segment.color)
        for key, value in segment.tags.items():
            added.SetTag(key, value)
    slicer.mrmlScene.RemoveNode(labelmap)
    for level in alignment.levels:
        node_from_matrix(level.to_other, f"{level.level}: {session} to here")
    return node, found.notices
