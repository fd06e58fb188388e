"""What the panel watches: images and regions that are changed elsewhere, such as by a brush."""

from collections.abc import Callable

import slicer
import vtk
from slicer.util import VTKObservationMixin

from .later import Later

SETTLE_MS = 300
"""Changes of an image or a region are looked at when they have stopped for so long: every stroke of a brush is one."""
LIVE_MS = 30
"""Results follow sooner: Slicer tells a stroke when it ends, by several events at once."""


class ContentWatch(VTKObservationMixin):
    """settled: called once after a stretch of changes. live: called as soon as it can be, to let results follow."""

    def __init__(self, later: Later, settled: Callable[[], None], live: Callable[[], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._observed: dict = {}
        self.timer = later.timer(SETTLE_MS, settled)
        self.live = later.timer(LIVE_MS, live)

    def watch(self, visit) -> bool:
        """Follow the images and regions of this visit, and no others; whether the regions are other ones now."""
        moved = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        image = (vtk.vtkCommand.ModifiedEvent, moved, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent)
        drawn = (
            slicer.vtkSegmentation.SegmentAdded,
            slicer.vtkSegmentation.SegmentRemoved,
            slicer.vtkSegmentation.SegmentModified,
            slicer.vtkSegmentation.SourceRepresentationModified,
            moved,
        )
        self._follow("pet", visit.petSequence if visit else None, (vtk.vtkCommand.ModifiedEvent,))
        self._follow("ct", visit.ctVolume if visit else None, image)
        return self._follow("segmentation", visit.segmentation if visit else None, drawn)

    def _follow(self, role: str, node, events: tuple[int, ...]) -> bool:
        before, itsEvents = self._observed.get(role, (None, ()))
        if before is node:
            return False
        for event in itsEvents:
            self.removeObserver(before, event, self._onModified)
        self._observed.pop(role, None)
        if node is not None:
            for event in events:
                self.addObserver(node, event, self._onModified)
            self._observed[role] = node, events
        return True

    def _onModified(self, caller, event) -> None:
        self.timer.start()
        self.live.start()

    def cleanUp(self) -> None:
        """The panel is about to go."""
        self.removeObservers()
