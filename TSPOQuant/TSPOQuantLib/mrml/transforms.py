"""Where a node is in the world: its parent transforms composed, the node itself left as it is."""

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import NDArray

from ..messages import InputRefused

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def array_from_matrix(matrix: "vtk.vtkMatrix4x4") -> NDArray[np.float64]:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrix_from_array(array: NDArray[np.float64]) -> "vtk.vtkMatrix4x4":
    matrix = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            matrix.SetElement(row, column, float(array[row, column]))
    return matrix


VIEWS_ONLY = "TSPOQuant.ViewsOnly"
"""Attribute of a sequence of transforms by which views show a node elsewhere than where it counts. The transforms
themselves do not keep attributes while the frame is changed."""


def user_transform(node):
    """The transform above a node that the user put there, or None; past that which is for the views alone."""
    parent = node.GetParentTransformNode()
    while parent is not None and _for_views(parent):
        parent = parent.GetParentTransformNode()
    return parent


def _for_views(transform) -> bool:
    browsers = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
    sequences = (browser.GetSequenceNode(transform) for browser in browsers)
    return any(sequence is not None and sequence.GetAttribute(VIEWS_ONLY) is not None for sequence in sequences)


def parent_to_world(node, role: str) -> NDArray[np.float64]:
    """4 x 4 matrix from the coordinates of a transformable node to world RAS; identity without a parent transform.

    role: what the node is to the user ("CT or MR"), for the message; node names may name the patient.
    Raises InputRefused ("transform-not-linear") if any transform above the node bends space.
    """
    matrix = vtk.vtkMatrix4x4()
    parent = user_transform(node)
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
