"""Where a node is in the world: its parent transforms composed, the node itself left as it is."""

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from ..messages import InputRefused

ALIGNMENT = "TSPOQuant.Alignment"
"""Attribute of transforms that show what alignment found: they are for looking, reading an image skips them."""
LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def array_from_matrix(matrix: "vtk.vtkMatrix4x4") -> NDArray[np.float64]:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrix_from_array(array: NDArray[np.float64]) -> "vtk.vtkMatrix4x4":
    matrix = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            matrix.SetElement(row, column, float(array[row, column]))
    return matrix


def parent_to_world(node, role: str) -> NDArray[np.float64]:
    """4 x 4 matrix from the coordinates of a transformable node to world RAS; identity without a parent transform.

    Our own transforms, which show an alignment, are left out: what they do is done in the computation.
    role: what the node is to the user ("CT volume"), for the message; node names may name the patient.
    Raises InputRefused ("transform-not-linear") if any transform above the node bends space.
    """
    matrix = vtk.vtkMatrix4x4()
    parent = node.GetParentTransformNode()
    while parent is not None and parent.GetAttribute(ALIGNMENT):
        parent = parent.GetParentTransformNode()
    if parent is not None and not (parent.IsTransformToWorldLinear() and parent.GetMatrixTransformToWorld(matrix)):
        raise InputRefused(
            "transform-not-linear",
            "the {role} is under a non-linear transform; harden that transform or take the {role} out of it",
            role=role,
        )
    return array_from_matrix(matrix)


def node_from_matrix(fixed_to_moving, name: str):
    """A linear transform node from a rigid 4 x 4 (LPS mm): the moving image under it lies on the fixed one."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    node.SetMatrixTransformToParent(to_parent(fixed_to_moving))
    return node


def to_parent(fixed_to_moving: NDArray[np.float64]) -> "vtk.vtkMatrix4x4":
    """What a transform node above the moving image has to hold, in RAS, to bring it onto the fixed one."""
    return matrix_from_array(LPS_FROM_RAS @ np.linalg.inv(fixed_to_moving) @ LPS_FROM_RAS)


def show_alignment(sequence_node, to_frame, name: str = "alignment"):
    """Bring every frame of a sequence to the CT in the views: a sequence of transform nodes beside the PET's.

    to_frame: for every frame the rigid 4 x 4 (LPS mm) that carries a point of the CT into it. The browser changes
    transform and frame together; the frames themselves stay as they are, and reading them skips these transforms.
    A transform that the sequence was put under stays above. Returns the sequence of transforms; calling again
    replaces its content.
    """
    browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(sequence_node)
    if browser is None or len(to_frame) != sequence_node.GetNumberOfDataNodes():
        raise ValueError("the sequence needs a browser, and one transform for every frame")
    proxy = browser.GetProxyNode(sequence_node)
    shown = proxy.GetParentTransformNode()
    sequence = browser.GetSequenceNode(shown) if shown is not None and shown.GetAttribute(ALIGNMENT) else None
    if sequence is None:
        sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
        sequence.SetIndexName(sequence_node.GetIndexName())
        sequence.SetIndexUnit(sequence_node.GetIndexUnit())
    for frame, matrix in enumerate(to_frame):
        node = slicer.vtkMRMLLinearTransformNode()
        node.SetMatrixTransformToParent(to_parent(matrix))
        node.SetAttribute(ALIGNMENT, "1")  # on each: the browser copies attributes to the node that it shows
        sequence.SetDataNodeAtValue(node, sequence_node.GetNthIndexValue(frame))
    if browser.GetProxyNode(sequence) is None:
        browser.AddSynchronizedSequenceNode(sequence)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        transform = browser.GetProxyNode(sequence)
        if shown is not None:
            transform.SetAndObserveTransformNodeID(shown.GetID())
        proxy.SetAndObserveTransformNodeID(transform.GetID())
    else:
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return sequence
