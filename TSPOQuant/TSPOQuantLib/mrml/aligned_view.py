"""Where the views show a PET: every frame where an alignment puts it on the CT.

A sequence of transforms lies beside the PET's in its browser, which changes both at once, whoever moves the slider. It
is for the views alone: what is computed passes such a transform by (transforms.user_transform), and a transform of the
user's stays above it.
"""

from collections.abc import Sequence

import numpy as np
import slicer
import slicer.util
from numpy.typing import NDArray

from . import fusion, study_nodes
from .transforms import VIEWS_ONLY, array_from_matrix, matrix_from_array, parent_to_world, to_parent, user_transform

SHOWN = "shown alignment"


def is_shown(session: str, made_from: str) -> bool:
    """Whether the views show the alignment with that fingerprint."""
    ours = _sequence_of(session)
    return ours is not None and ours.GetAttribute(study_nodes.MADE_FROM) == made_from


def show(session: str, sequence_node, to_frames: Sequence[NDArray[np.float64]], made_from: str) -> None:
    """Let the views show each frame of a PET on the CT; it needs a proxy, as fusion.show_sequence makes it.

    to_frames: for every frame the rigid 4 x 4 (LPS mm) that carries what was drawn on the CT into it.
    """
    remove(session)
    proxy, browser = fusion.proxy_of(sequence_node), fusion.browser_of(sequence_node)
    users = user_transform(proxy)
    to_world = parent_to_world(proxy, "PET sequence")
    ours = study_nodes.find_or_add(
        session, SHOWN, "vtkMRMLSequenceNode", f"TSPOQuant {session} PET as aligned, for the views"
    )
    ours.SetIndexName(sequence_node.GetIndexName())
    ours.SetIndexUnit(sequence_node.GetIndexUnit())
    ours.SetIndexType(sequence_node.GetIndexType())
    ours.SetAttribute(study_nodes.MADE_FROM, made_from)
    ours.SetAttribute(VIEWS_ONLY, session)
    for frame, matrix in enumerate(to_frames):
        onto_ct = matrix_from_array(np.linalg.inv(to_world) @ array_from_matrix(to_parent(matrix)) @ to_world)
        node = slicer.vtkMRMLLinearTransformNode()
        node.SetMatrixTransformToParent(onto_ct)
        ours.SetDataNodeAtValue(node, sequence_node.GetNthIndexValue(frame))
    browser.AddSynchronizedSequenceNode(ours)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    transform = browser.GetProxyNode(ours)
    transform.SetAndObserveTransformNodeID(users.GetID() if users is not None else None)
    proxy.SetAndObserveTransformNodeID(transform.GetID())


def remove(session: str) -> None:
    """Let the views show the PET where it was scanned."""
    ours = _sequence_of(session)
    if ours is None:
        return
    browser = fusion.browser_of(ours)
    transform = browser.GetProxyNode(ours) if browser is not None else None
    if transform is not None:
        for moved in slicer.util.getNodesByClass("vtkMRMLTransformableNode"):
            if moved.GetParentTransformNode() is transform:
                moved.SetAndObserveTransformNodeID(transform.GetTransformNodeID())
        browser.RemoveSynchronizedSequenceNode(ours.GetID())
        slicer.mrmlScene.RemoveNode(transform)
    slicer.mrmlScene.RemoveNode(ours)


def _sequence_of(session: str):
    return study_nodes.find(session, SHOWN, "vtkMRMLSequenceNode")
