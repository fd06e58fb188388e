"""What a visit needs and the scene holds one of: chosen once, where the user can choose otherwise."""

import slicer
import slicer.util

from ..mrml import study_nodes
from ..mrml.regions import find_foramina, find_vertebrae


class Candidates:
    """Chooses the only PET sequence, CT, regions and vertebrae of a scene for the visit that is shown."""

    def __init__(self, logic) -> None:
        self._logic = logic
        self._offered: set[tuple[str, str]] = set()
        """(visit, node ID) of what was chosen before: where it was taken out again, it is not chosen once more."""

    def forget(self) -> None:
        """A new scene: the IDs of its nodes are those of others."""
        self._offered.clear()

    def pass_over(self, session: str, node) -> None:
        """A node that is about to go is no candidate any more."""
        self._offered.add((session, node.GetID()))

    def choose(self, session: str) -> None:
        """Fill in what is not chosen yet."""
        visit = self._logic.visit(session)
        if visit.petSequence is None:
            self._take(session, "petSequence", self._sequences())
        if visit.ctVolume is None and visit.petSequence is not None:
            self._take(session, "ctVolume", self._volumes())
        if visit.segmentation is None and visit.petSequence is not None:
            # Beside another's, that which is left may be of another reader, or of another visit.
            drawn = list(find_foramina())
            self._take(session, "segmentation", drawn if len(drawn) == 1 else [])
        if visit.labels is None and visit.ctVolume is not None:
            self._take(session, "labels", list(find_vertebrae()))

    def _take(self, session: str, field: str, nodes: list) -> None:
        others = [getattr(self._logic.visit(other), field) for other in self._logic.sessions()]
        free = [node for node in nodes if node not in others]
        if len(free) == 1 and (session, free[0].GetID()) not in self._offered:
            self._offered.add((session, free[0].GetID()))
            setattr(self._logic.visit(session), field, free[0])

    @staticmethod
    def _sequences() -> list:
        """Sequences of volumes with what a PET says of itself."""
        nodes = slicer.util.getNodesByClass("vtkMRMLSequenceNode")
        return [node for node in nodes if node.GetDataNodeClassName() == "vtkMRMLScalarVolumeNode"]

    @staticmethod
    def _volumes() -> list:
        """Scalar volumes that stand for no sequence, and are no map of ours."""
        browsers = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
        nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
        return [
            node
            for node in nodes
            if node.GetClassName() == "vtkMRMLScalarVolumeNode"
            and not node.GetAttribute(study_nodes.ROLE)
            and not any(browser.IsProxyNodeID(node.GetID()) for browser in browsers)
        ]
