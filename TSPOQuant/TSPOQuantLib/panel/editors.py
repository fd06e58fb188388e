"""Slicer's own editors inside the panel: the Segment Editor, and the buttons that place points."""

from collections.abc import Callable
from typing import Any

import qt
import slicer
import slicer.util

from .later import Later

SET = "TSPOQuant.EditorSet"
"""Attribute of the Segment Editor's node once it was set to draw soft tissue: afterwards the user's settings count."""


class SegmentEditor:
    """Slicer's Segment Editor on a parameter node of its own, in a section that can be folded up."""

    def __init__(self, section, moduleName: str) -> None:
        import qSlicerSegmentationsModuleWidgetsPythonQt

        self._section, self._tag = section, f"{moduleName}.SegmentEditor"
        self._node: Any = None
        self.widget = qSlicerSegmentationsModuleWidgetsPythonQt.qMRMLSegmentEditorWidget()
        self.widget.setMaximumNumberOfUndoStates(10)
        # Both are chosen above it.
        self.widget.segmentationNodeSelectorVisible = False
        self.widget.sourceVolumeNodeSelectorVisible = False
        self._selectNode()
        self.widget.setMRMLScene(slicer.mrmlScene)
        section.layout().addWidget(self.widget)

    def _selectNode(self) -> None:
        node = slicer.mrmlScene.GetSingletonNode(self._tag, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag(self._tag)
            node = slicer.mrmlScene.AddNode(node)
        if node is not self._node:
            self._node = node
            if node.GetSegmentationNode() is None:  # as above, after a scene was loaded
                node.SetActiveEffectName("")
            self.widget.setMRMLSegmentEditorNode(node)

    def show(self, visit) -> None:
        """What is chosen for the visit; nothing without one, or while the section is folded up."""
        wanted = bool(visit) and not self._section.collapsed
        segmentation = visit.segmentation if wanted else None
        ct = visit.ctVolume if segmentation else None
        if wanted:
            self._selectNode()
        if self.widget.segmentationNode() is not segmentation:
            if segmentation is None:  # an effect without a segmentation is complained of
                self.widget.setActiveEffect(None)
            self.widget.setSegmentationNode(segmentation)
        if self.widget.sourceVolumeNode() is not ct and (segmentation is not None or ct is None):
            self.widget.setSourceVolumeNode(ct)

    def unfold(self, visit, collapsed: bool, segmentID: str = "") -> None:
        """What folding the section up or down brings with it; segmentID: what is drawn on at first, where known."""
        if collapsed:
            self.widget.setActiveEffect(None)
            self.widget.uninstallKeyboardShortcuts()
        else:
            self.widget.installKeyboardShortcuts()
        self.show(visit)
        if not collapsed and visit and visit.segmentation and visit.ctVolume and not self._node.GetAttribute(SET):
            from ..mrml.regions import editor_settings

            editor_settings(self._node, visit.segmentation, visit.ctVolume, segmentID)
            self._node.SetAttribute(SET, "1")
            self._bringIntoSight()

    def _bringIntoSight(self) -> None:
        """The chosen segment, which Slicer's list does not scroll to by itself."""
        for table in slicer.util.findChildren(self.widget, name="SegmentsTable"):
            for index in table.selectionModel().selectedRows()[:1]:
                table.scrollTo(index)

    def saveStateForUndo(self) -> None:
        """So that one undo takes the next step back; folded up, the editor has nothing to undo."""
        if self.widget.segmentationNode() is not None:  # else Slicer complains in its log
            self.widget.saveStateForUndo()

    def enter(self) -> None:
        """The module is opened."""
        # They hold for Slicer's whole window: Space would press no button, and Ctrl+Z not undo in a plot.
        if not self._section.collapsed:
            self.widget.installKeyboardShortcuts()

    def exit(self) -> None:
        """Another module is opened."""
        self.widget.setActiveEffect(None)
        self.widget.uninstallKeyboardShortcuts()
        self.widget.removeViewObservations()

    def closeScene(self) -> None:
        """The scene, and with it the editor's node, is about to go."""
        self._node = None
        self.widget.setActiveEffect(None)
        self.widget.setSegmentationNode(None)
        self.widget.removeViewObservations()

    def cleanUp(self) -> None:
        """The panel is about to go: the node stays for the next one, with which this widget must not compete."""
        self.exit()
        self.widget.setMRMLSegmentEditorNode(None)


class PointPlacer:
    """Slicer's own buttons for placing the two points of a foramen; placed: called when points come or go."""

    def __init__(self, later: Later, frame, placed: Callable[[], None]) -> None:
        import qSlicerMarkupsModuleWidgetsPythonQt

        self.widget = qSlicerMarkupsModuleWidgetsPythonQt.qSlicerMarkupsPlaceWidget()
        self.widget.setMRMLScene(slicer.mrmlScene)
        self.widget.buttonsVisible = False
        self.widget.placeButton().show()
        self.widget.deleteButton().show()
        self.widget.placeMultipleMarkups = self.widget.ForcePlaceMultipleMarkups
        self.widget.toolTip = frame.toolTip
        layout = qt.QHBoxLayout(frame)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.widget)
        self._placed = placed
        self._full = later.timer(0, self.stop)
        self._points: Any = None
        self._tags: list[int] = []

    def show(self, logic, session: str, visit) -> None:
        """The points of the visit, once it is known what they mark."""
        known = visit and visit.clickedLevel.value and visit.clickedSide.value
        points = logic.points(session) if known and visit.ctVolume else None
        if self.widget.currentNode() is not points:
            self.stop()  # without its node the widget could no longer
            self.widget.setCurrentNode(points)
        self._follow(points)

    def _follow(self, points) -> None:
        if points is self._points:
            return
        if self._points is not None:
            for tag in self._tags:
                self._points.RemoveObserver(tag)
        self._points = points
        events = slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent, slicer.vtkMRMLMarkupsNode.PointRemovedEvent
        self._tags = [points.AddObserver(event, self._onPoints) for event in events] if points is not None else []

    def _onPoints(self, points, event) -> None:
        if points.GetNumberOfDefinedControlPoints() >= points.GetMaximumNumberOfControlPoints():
            # Slicer leaves its button pressed, with which nothing more can be placed; once it has placed this point.
            self._full.start()
        self._placed()

    def stop(self) -> None:
        """Let clicks in the views mean what they meant before."""
        if self.widget.placeModeEnabled:  # else it would end what another module or a tool bar began
            self.widget.setPlaceModeEnabled(False)

    def cleanUp(self) -> None:
        """The panel is about to go."""
        self.stop()
        self._follow(None)
