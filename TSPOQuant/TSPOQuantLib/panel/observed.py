"""What the panel watches: images and regions that are changed elsewhere, such as by a brush."""

from collections.abc import Callable

import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

SETTLE_MS = 300
"""Changes of an image or a region are looked at when they have stopped for so long: every stroke of a brush is one."""


class ContentWatch(VTKObservationMixin):
    """settled: called once after a stretch of changes."""

    def __init__(self, settled: Callable[[], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._observed: dict = {}
        self.timer = qt.QTimer()
        self.timer.setSingleShot(True)
        self.timer.setInterval(SETTLE_MS)
        self.timer.connect("timeout()", settled)

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

    def stop(self) -> None:
        """The panel is about to go."""
        self.timer.stop()
        self.removeObservers()
