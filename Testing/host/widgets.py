"""Stand-ins for the CTK and MRML widgets that our panels use, and the loader that builds them from a .ui file.

Each has the properties, signals and slots of the real widget that we use, under the same names, and no others.
What the real widgets do was read in Slicer's Libs/MRML/Widgets and in CTK's Libs/Widgets.
"""

# ruff: noqa: N801 - the names are those of the real widgets

import weakref
from xml.etree import ElementTree

import slicer
from PySide6 import QtCore, QtUiTools, QtWidgets
from PySide6.QtCore import Property, Signal

from .observing import observe
from .qtshim import Strict, guarded, strict

QWidget = strict(QtWidgets.QWidget)
QComboBox = strict(QtWidgets.QComboBox)


def stored(kind, name, default):
    """A Qt property that only keeps its value."""
    key = f"_{name}"
    return Property(kind, lambda self: self.__dict__.get(key, default), lambda self, value: setattr(self, key, value))


class qMRMLWidget(QWidget):
    mrmlSceneChanged = Signal(object)
    cxx_signals = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}

    def mrmlScene(self):
        return self.__dict__.get("_scene")

    def setMRMLScene(self, scene):
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)


class qMRMLNodeComboBox(QWidget):
    """Offers the nodes of ``nodeTypes``; the first one is taken by itself unless None may be chosen."""

    currentNodeChanged = Signal(object)
    cxx_signals = {
        "currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged",
        "currentNodeChanged(bool)": "currentNodeChanged",
    }
    nodeTypes = Property("QStringList", lambda self: self._types, lambda self, value: self._set_types(value))
    noneEnabled = Property(bool, lambda self: self._none_enabled, lambda self, value: self._set_none_enabled(value))
    noneDisplay = stored(str, "noneDisplay", "None")
    baseName = stored(str, "baseName", "")
    addEnabled = stored(bool, "addEnabled", True)
    removeEnabled = stored(bool, "removeEnabled", True)
    editEnabled = stored(bool, "editEnabled", False)
    renameEnabled = stored(bool, "renameEnabled", False)
    showHidden = stored(bool, "showHidden", False)
    showChildNodeTypes = stored(bool, "showChildNodeTypes", True)
    selectNodeUponCreation = stored(bool, "selectNodeUponCreation", False)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._types, self._none_enabled, self._attributes = (), False, []
        self._scene, self._node, self._tags = None, None, []
        self._combo = QComboBox(self)
        self._combo.currentIndexChanged.connect(self._on_index)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        self._combo.setEnabled(False)  # until a scene is set

    def _set_types(self, types):
        self._types = tuple(types)
        self._refresh()

    def _set_none_enabled(self, enabled):
        self._none_enabled = enabled
        self._refresh()

    def addAttribute(self, nodeType, attributeName, attributeValue=None):
        self._attributes.append((nodeType, attributeName, attributeValue))
        self._refresh()

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene = scene
        self._combo.setEnabled(scene is not None)
        if scene is not None and not self._tags:
            self._combo.setFocusProxy(self)  # as Slicer's does, whose selectors keys do not reach
        events = (slicer.vtkMRMLScene.NodeAddedEvent, slicer.vtkMRMLScene.NodeRemovedEvent)
        self._tags = [scene.AddObserver(event, lambda *_: self._refresh()) for event in events] if scene else []
        self._refresh()

    def nodes(self):
        return [node for kind in self._types for node in self._of_type(kind)] if self._scene else []

    def _of_type(self, kind):
        for node in slicer.util.getNodesByClass(kind, self._scene):
            shown = self.showChildNodeTypes or node.GetClassName() == kind
            wanted = all(
                node.GetAttribute(name) is not None if value is None else node.GetAttribute(name) == value
                for for_kind, name, value in self._attributes
                if node.IsA(for_kind)
            )
            if shown and wanted and not (node.GetHideFromEditors() and not self.showHidden):
                yield node

    def nodeCount(self):
        return len(self.nodes())

    def currentNode(self):
        return self._node

    def setCurrentNode(self, node):
        self._choose(node if node in self.nodes() else None)

    currentNodeID = Property(
        str,
        lambda self: self._node.GetID() if self._node else "",
        lambda self, node_id: self.setCurrentNode(self._scene.GetNodeByID(node_id) if node_id else None),
    )

    def setCurrentNodeID(self, node_id):
        self.currentNodeID = node_id

    def _refresh(self):
        nodes = self.nodes()
        self._combo.blockSignals(True)
        self._combo.clear()
        for node in ([None] if self._none_enabled else []) + nodes:
            self._combo.addItem(node.GetName() if node else self.noneDisplay, node)
        self._combo.blockSignals(False)
        if self._node in nodes or not nodes or (self._node is None and self._none_enabled):
            self._choose(self._node if self._node in nodes else None)
        else:  # whose node was removed goes on to another, in Slicer as well
            self._choose(nodes[0])

    def _on_index(self, index):
        self._choose(self._combo.itemData(index) if index >= 0 else None)

    def _choose(self, node):
        self._combo.blockSignals(True)
        rows = [self._combo.itemData(row) for row in range(self._combo.count)]
        self._combo.setCurrentIndex(rows.index(node) if node in rows else -1)
        self._combo.blockSignals(False)
        if node is not self._node:
            self._node = node
            self.currentNodeChanged.emit(node)


class qMRMLTableView(strict(QtWidgets.QTableView)):
    """Shows a table node as it is; without a view node it must not be given a scene."""

    cellsSelected = Signal()
    cxx_signals = {"selectionChanged()": "cellsSelected"}

    def __init__(self, parent=None):
        super().__init__(parent)
        self._node = None

    def selectionChanged(self, selected, deselected):
        super().selectionChanged(selected, deselected)
        self.cellsSelected.emit()

    def mrmlTableNode(self):
        return self._node

    def setMRMLTableNode(self, node):
        if self._node:
            self._node.RemoveObserver(self._tag)
        self._node = node
        if node:
            me = weakref.ref(self)
            self._tag = observe(self, node, lambda *_: me() and me()._show())
        self._show()

    def _show(self):
        from PySide6.QtGui import QStandardItem, QStandardItemModel

        model = QStandardItemModel(self)
        node = self._node
        columns = range(node.GetNumberOfColumns()) if node else []
        for row in range(node.GetNumberOfRows()) if node else []:
            model.appendRow([QStandardItem(node.GetCellText(row, column)) for column in columns])
        titled = node and node.GetUseColumnTitleAsColumnHeader()
        for column in columns:
            name = node.GetColumnName(column)
            model.setHorizontalHeaderItem(column, QStandardItem(node.GetColumnTitle(name) if titled else name))
        self.setModel(model)
        self.resizeColumnsToContents()


class ctkCollapsibleButton(QWidget):
    """A headline that hides what is below it."""

    contentsCollapsed = Signal(bool)
    text = Property(str, lambda self: self._button.text, lambda self, value: self._button.setText(value))
    collapsed = Property(bool, lambda self: self._collapsed, lambda self, value: self._collapse(value))
    flat = stored(bool, "flat", False)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._collapsed = False
        self._button = strict(QtWidgets.QPushButton)(self)
        self._button.clicked.connect(lambda: self._collapse(not self._collapsed))
        self.setContentsMargins(0, self._button.sizeHint().height() + 2, 0, 0)

    def _collapse(self, collapsed):
        self._collapsed = collapsed
        self.setMaximumHeight(self._button.sizeHint().height() + 2 if collapsed else 16777215)
        for child in self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindDirectChildrenOnly):
            if child is not self._button:
                child.setVisible(not collapsed)
        self.contentsCollapsed.emit(collapsed)

    def resizeEvent(self, event):
        self._button.setGeometry(0, 0, self.width, self._button.sizeHint().height())


class ctkPathLineEdit(QWidget):
    """A path to type or to browse for. As in CTK, an empty path is not valid, and only valid ones are announced."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)
    currentPath = Property(str, lambda self: self._edit.text, lambda self, value: self._edit.setText(value))
    settingKey = stored(str, "settingKey", "")
    label = stored(str, "label", "")
    showHistoryButton = stored(bool, "showHistoryButton", True)
    showBrowseButton = stored(bool, "showBrowseButton", True)

    Dirs, Files, Drives, Readable = 0x1, 0x2, 0x4, 0x10
    filters = stored(int, "filters", 0x7)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._edit = strict(QtWidgets.QLineEdit)(self)
        self._edit.textChanged.connect(self._on_text)
        self._valid = False
        browse = strict(QtWidgets.QToolButton)(self)
        browse.setText("…")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._edit)
        layout.addWidget(browse)

    def setCurrentPath(self, path):
        self.currentPath = path

    def _on_text(self, text):
        was_valid, self._valid = self._valid, bool(text)
        if self._valid:
            self.currentPathChanged.emit(text)
        if self._valid != was_valid:
            self.validInputChanged.emit(self._valid)


class qMRMLSegmentEditorWidget(QWidget):
    """What a panel does with the Segment Editor; it edits nothing, and says so where the real one stands."""

    segmentationNodeSelectorVisible = stored(bool, "segmentationNodeSelectorVisible", True)
    sourceVolumeNodeSelectorVisible = stored(bool, "sourceVolumeNodeSelectorVisible", True)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = self._editor = None
        self._shortcuts, self._saved = 0, 0
        layout = QtWidgets.QVBoxLayout(self)
        frame = strict(QtWidgets.QLabel)("Segment Editor")
        frame.setFrameShape(QtWidgets.QFrame.StyledPanel)
        frame.setAlignment(QtCore.Qt.AlignCenter)
        frame.setMinimumHeight(60)
        layout.addWidget(frame)

    def setMaximumNumberOfUndoStates(self, count):
        pass

    def setMRMLScene(self, scene):
        self._scene = scene

    def setMRMLSegmentEditorNode(self, node):
        self._editor = node

    def mrmlSegmentEditorNode(self):
        return self._editor

    def _of_editor(self, name):
        there = self._editor is not None and self._scene is not None and self._scene.IsNodePresent(self._editor)
        return getattr(self._editor, name)() if there else None

    def segmentationNode(self):
        return self._of_editor("GetSegmentationNode")

    def sourceVolumeNode(self):
        return self._of_editor("GetSourceVolumeNode")

    def setSegmentationNode(self, node):
        if self._editor is None:
            raise RuntimeError("the Segment Editor has no parameter node")
        if node is None and self._editor.GetActiveEffectName():
            raise RuntimeError("an effect stays active without a segmentation, which Slicer complains of")
        self._editor.SetAndObserveSegmentationNode(node)

    def setSourceVolumeNode(self, node):
        if self._editor is None:
            raise RuntimeError("the Segment Editor has no parameter node")
        if node is not None and self.segmentationNode() is None:
            raise RuntimeError("the Segment Editor has no segmentation to which a source volume could belong")
        self._editor.SetAndObserveSourceVolumeNode(node)

    def setActiveEffect(self, effect):
        if effect is not None:
            raise NotImplementedError("no stand-in for effects")
        if self._of_editor("GetActiveEffectName"):
            self._editor.SetActiveEffectName("")

    def saveStateForUndo(self):
        if self.segmentationNode() is None:
            raise RuntimeError("no segmentation whose state the Segment Editor could keep: a warning in the log")
        self._saved += 1

    def updateWidgetFromMRML(self):
        pass

    def installKeyboardShortcuts(self):
        self._shortcuts += 1

    def uninstallKeyboardShortcuts(self):
        self._shortcuts -= 1

    def removeViewObservations(self):
        pass


class qSlicerMarkupsPlaceWidget(QWidget):
    """Buttons to place and to delete points of a markups node."""

    ShowPlaceMultipleMarkupsOption, HidePlaceMultipleMarkupsOption = 0, 1
    ForcePlaceSingleMarkup, ForcePlaceMultipleMarkups = 2, 3
    buttonsVisible = Property(bool, lambda self: True, lambda self, visible: self._show_buttons(visible))
    placeMultipleMarkups = stored(int, "placeMultipleMarkups", 0)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._node, self._placing = None, False
        self._place, self._delete = strict(QtWidgets.QToolButton)(self), strict(QtWidgets.QToolButton)(self)
        self._place.setText("+")
        self._delete.setText("×")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for button in (self._place, self._delete):
            layout.addWidget(button)
            button.setEnabled(False)

    def _show_buttons(self, visible):
        for button in (self._place, self._delete):
            button.setVisible(visible)

    def placeButton(self):
        return self._place

    def deleteButton(self):
        return self._delete

    def setMRMLScene(self, scene):
        pass

    def currentNode(self):
        return self._node

    def setCurrentNode(self, node):
        self._node = node
        for button in (self._place, self._delete):
            button.setEnabled(node is not None)

    def setPlaceModeEnabled(self, enabled):
        self._placing = enabled and self._node is not None

    @property
    def placeModeEnabled(self):
        return self._placing


# Python modules of Slicer's loadable modules, by which their widgets are imported.
WIDGET_MODULES = {
    "qSlicerSegmentationsModuleWidgetsPythonQt": qMRMLSegmentEditorWidget,
    "qSlicerMarkupsModuleWidgetsPythonQt": qSlicerMarkupsPlaceWidget,
}
CTK_WIDGETS = {kind.__name__: kind for kind in (ctkCollapsibleButton, ctkPathLineEdit)}
MRML_WIDGETS = {kind.__name__: kind for kind in (qMRMLWidget, qMRMLNodeComboBox, qMRMLTableView)}
CUSTOM_WIDGETS = CTK_WIDGETS | MRML_WIDGETS


def _checked(root, built):
    """Refuse widget classes that are not declared, and properties and connections that the widgets do not have."""
    declared = {element.text for element in root.findall("./customwidgets/customwidget/class")}
    for element in root.iter("widget"):
        kind = element.get("class")
        if kind in CUSTOM_WIDGETS and kind not in declared:
            raise ValueError(f"{kind} is missing among the customwidgets of the .ui file")
        meta = built(kind).staticMetaObject
        for prop in element.findall("property"):
            if prop.get("stdset") != "0" and meta.indexOfProperty(prop.get("name")) < 0:
                raise ValueError(f"{kind} {element.get('name')} has no property {prop.get('name')}")


def widget_class(kind):
    found = CUSTOM_WIDGETS.get(kind) or getattr(QtWidgets, kind, None)
    if found is None:
        raise ValueError(f"the .ui file uses {kind}, for which there is no stand-in")
    return found if kind in CUSTOM_WIDGETS else strict(found)


class QUiLoader(QtUiTools.QUiLoader):
    """Builds strict widgets and makes the connections of the .ui file, each of which must exist."""

    def createWidget(self, kind, parent=None, name=""):
        widget = widget_class(kind)(parent)
        widget.setObjectName(name)
        return widget

    def load(self, device):
        root = ElementTree.fromstring(bytes(device.readAll().data()))
        _checked(root, widget_class)
        connections = root.find("connections")
        wires = [] if connections is None else list(connections)
        if connections is not None:
            root.remove(connections)
        buffer = QtCore.QBuffer(self)
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QtCore.QIODevice.ReadOnly)
        Strict.loading = True
        try:
            top = super().load(buffer)
        finally:
            Strict.loading = False
        for area in top.findChildren(QtWidgets.QScrollArea):
            area.setVerticalScrollBar(strict(QtWidgets.QScrollBar)(area))  # what Qt makes by itself is not strict
        for wire in wires:
            self._wire(top, wire)
        return top

    def _wire(self, top, wire):
        def named(role):
            name = wire.findtext(role)
            found = top if top.objectName == name else top.findChild(QtWidgets.QWidget, name)
            if found is None:
                raise ValueError(f"a connection of the .ui file names {name}, which is not there")
            return found

        sender, receiver = named("sender"), named("receiver")
        slot = getattr(receiver, wire.findtext("slot").split("(")[0], None)
        if not callable(slot):
            raise ValueError(f"{receiver.className()} has no slot {wire.findtext('slot')}")
        sender._signal(wire.findtext("signal")).connect(guarded(slot))
