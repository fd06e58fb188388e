"""The work of the module's panel: one set of controls for all visits, bound to the parameter node of one of them."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qt
import slicer
import slicer.util
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from ..mrml import further, plots, study_nodes, tables, views
from ..mrml.choices import BloodVolume, InputSource, choose_model
from ..mrml.panel_state import SECTIONS, State
from ..mrml.study_report import KeptFinding
from ..mrml.study_review import READERS
from ..mrml.study_steps import PROPOSALS
from ..progress import Progress
from .buttons import Button, buttons
from .candidates import Candidates
from .cells import Cells
from .editors import PointPlacer, SegmentEditor
from .frames import FrameChoice
from .later import Later
from .model_list import ModelList
from .observed import ContentWatch
from .review import Review
from .runner import Runner
from .settings_table import SettingsTable

# Fields that no widget is bound to by name: Slicer binds ctkPathLineEdit to pathlib.Path only, which shows "." where
# nothing is chosen.
STUDY_PATHS = {
    "clinicalFile": "clinicalPathLineEdit",
    "repeatabilityFile": "repeatabilityPathLineEdit",
    "reportFolder": "reportFolderPathLineEdit",
}
VISIT_PATHS = {"bloodFile": "bloodFilePathLineEdit"}
TABLES = ("resultTableView", "modelTableView", "proposalsTableView", "readersTableView", "changeTableView")
WHOLE = "*"
"""In place of a segment's ID: the images as a whole, in the body's own planes."""


POINTS_CLICKED = "dataSelected(vtkStringArray*, vtkCollection*)"
EDITOR_WIDTH = 570
"""Of the module panel with a brush in the Segment Editor, in pixels, as seen in Slicer 5.13."""
NAME_WIDTH = 250
"""Half of the narrowest module panel there, in pixels: for names in tables before the panel is laid out."""


def ask_file(question: str) -> str:
    """The path of a file that the user chooses; "" for none."""
    return qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), question)


class StudyPanel(VTKObservationMixin):
    """The switch on top decides to whose parameter node the controls are bound.

    widget: what was made of the .ui file, whose top-level qMRMLWidget hands the scene to the selectors. logic: the
    module's. resourcePath: of the module's widget. isEntered: whether the module is shown.
    """

    def __init__(self, widget, logic, resourcePath, isEntered) -> None:
        VTKObservationMixin.__init__(self)  # needed for parameter node observation
        self.ui = slicer.util.childWidgetVariables(widget)
        # Note: in the .ui file, a Qt dynamic property called "SlicerParameterName" is set on each
        # ui element that needs connection.
        named = ((widget.property("SlicerParameterName"), widget) for widget in vars(self.ui).values())
        self._bound = {name: widget for name, widget in named if name}
        self.logic = logic
        self.study: Any = None
        self.visit: Any = None
        self.session = ""
        self._isEntered = isEntered
        self._guiTags: dict = {}
        self._plotViews: list = []
        self._tips: dict = {}
        self.askFile = ask_file
        self._fitted: dict[str, Any] = {}
        """By table, which node the widths of its columns were fitted to, and when that was filled."""
        self._updating = False
        self._surfacesWanted = False
        self.later = Later()
        self._surfaces = self.later.timer(0, self._makeSurfaces)
        self._result = self.later.timer(0, self._bringResultIntoSight)
        # Each widget of an unfolded section is laid out after that which holds it.
        self._table = self.later.timer(200, self._scrollToResults)
        # Slicer's window has its new size by then, to which each view is fitted.
        self._beside = self.later.timer(300, views.match_beside)
        self._buttons = buttons()
        self.sections = {section: getattr(self.ui, f"{section}CollapsibleButton") for section in SECTIONS}
        self._titles = {section: button.text for section, button in self.sections.items()}
        self._stateWords = {
            State.TO_DO: _("to do"),
            State.READY: _("ready"),
            State.DONE: _("done"),
            State.OUT_OF_DATE: _("out of date"),
        }
        widget.setMRMLScene(slicer.mrmlScene)
        for control in vars(self.ui).values():
            if control.className() == "qMRMLNodeComboBox":
                self._reachableByKeys(control)
        # Sequences of anything but volumes are no PET.
        self.ui.petSequenceSelector.addAttribute("vtkMRMLSequenceNode", "DataNodeClassName", "vtkMRMLScalarVolumeNode")
        self.content = ContentWatch(self.later, self.updateGUI, self.followChanges)
        self.runner = Runner(self.later, self.ui, self.updateGUI)
        self.editor = SegmentEditor(self.ui.editorCollapsibleButton, logic.moduleName)
        self.place = PointPlacer(self.later, self.ui.placeFrame, self.updateGUI)
        self.candidates = Candidates(logic)
        self.review = Review(self)
        self.frames = FrameChoice(self)
        self.models = ModelList(self.ui.modelsListWidget, self.onModelChosen)
        self.further = SettingsTable(self.ui.settingsTableWidget, self.onFurtherSettings, self.runner.say)
        self._cells = [Cells(getattr(self.ui, name)) for name in TABLES]
        for name, cells in zip(TABLES, self._cells, strict=True):
            getattr(self.ui, name).setItemDelegate(cells)
        policy = self.ui.progressBar.sizePolicy
        policy.setRetainSizeWhenHidden(True)  # nothing moves when work begins
        self.ui.progressBar.setSizePolicy(policy)

        # These connections ensure that we update parameter node when scene is closed
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeAddedEvent, self.onNodesChanged)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self.onNodesChanged)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeAboutToBeRemovedEvent, self.onNodeGoes)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)

        for button in self._buttons:
            control = getattr(self.ui, f"{button.name}Button")
            self._tips[button.name] = control.toolTip
            if button.icon:
                control.icon = qt.QIcon(resourcePath(f"Icons/{button.icon}.svg"))
            control.connect("clicked(bool)", lambda checked=False, button=button: self.press(button))
        self.ui.cancelButton.icon = qt.QIcon(resourcePath("Icons/Cancel.svg"))
        self._connectControls()

        self.logic.retell()
        # Make sure parameter node is initialized (needed for module reload)
        self.initializeParameterNode()

    @staticmethod
    def _reachableByKeys(selector) -> None:
        """Slicer's selector hands the focus of its combo box to itself, which takes none: Tab would pass it by."""
        for part in selector.children():
            if part.isWidgetType():
                part.setFocusProxy(None)

    def _connectControls(self) -> None:
        ui = self.ui
        ui.visitComboBox.connect("currentIndexChanged(int)", self.onVisitChosen)
        ui.bloodPoolComboBox.connect("currentIndexChanged(int)", self.onBloodPoolChosen)
        for name in (*STUDY_PATHS.values(), *VISIT_PATHS.values()):
            getattr(ui, name).connect("currentPathChanged(QString)", self.onPathChosen)
            # An empty path is no valid one, and only valid ones are announced by the signal above.
            getattr(ui, name).connect("validInputChanged(bool)", self.onPathChosen)
        ui.newVisitLineEdit.connect("textChanged(QString)", self._enableControls)
        ui.opacitySlider.connect("valueChanged(int)", self.onOpacity)
        ui.resultTableView.connect("selectionChanged()", self.onResultSelected)
        ui.proposalsTableView.connect("selectionChanged()", self.onProposalSelected)
        ui.findingsListWidget.connect("itemChanged(QListWidgetItem*)", self.onFindingChanged)
        ui.goToComboBox.connect("activated(int)", self.onGoTo)
        ui.otherVisitsCheckBox.connect("toggled(bool)", self.onOtherVisits)
        ui.editorCollapsibleButton.connect("contentsCollapsed(bool)", self.onEditorCollapsed)
        ui.cancelButton.connect("clicked(bool)", self.runner.onCancel)

    # Life of the panel

    def cleanUp(self) -> None:
        """Called when the application closes and the module widget is destroyed."""
        self.runner.stop()
        self.setParameterNode(None)
        self.later.stop()
        self.logic.unfollow()
        self.content.cleanUp()
        self.place.cleanUp()
        self.editor.cleanUp()
        self.removeObservers()
        for view in self._views():
            if view in self._plotViews:
                view.disconnect(POINTS_CLICKED, self.onPlotPointsSelected)
                self.frames.unlisten(view)

    def enter(self) -> None:
        """Called each time the user opens this module."""
        self.editor.enter()
        # Make sure parameter node exists and observed
        self.initializeParameterNode()

    def exit(self) -> None:
        """Called each time the user opens a different module."""
        self.place.stop()
        self.editor.exit()
        # Do not react to parameter node changes (GUI will be updated when the user enters into the module)
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event) -> None:
        """Called just before the scene is closed."""
        # Parameter node will be reset, do not use it anymore
        self.runner.stop()
        self.logic.unfollow()
        self.setParameterNode(None)
        self.editor.closeScene()

    def onSceneEndClose(self, caller, event) -> None:
        """Called just after the scene is closed."""
        self.runner.say("")
        self.candidates.forget()
        self.frames.forget()
        # If this module is shown while the scene is closed then recreate a new parameter node immediately
        if self._isEntered():
            self.initializeParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)  # type: ignore[untyped-decorator]
    def onNodeGoes(self, caller, event, node) -> None:
        """Called before anything is removed: its selector would go on to the next by itself, another visit's."""
        for control in self._bound.values():
            if control.className() == "qMRMLNodeComboBox" and control.currentNode() is node:
                self.candidates.pass_over(self.session, node)
                control.setCurrentNode(None)

    def onNodesChanged(self, caller, event) -> None:
        """Called when anything comes into the scene or goes: an image may be the only candidate, or be gone."""
        if self.study and not self.runner.running:
            self.content.timer.start()

    def onSceneStartImport(self, caller, event) -> None:
        """Called just before a scene is loaded."""
        # A selector that is bound would write into the parameter node that what it refers to is not there (yet).
        self.setParameterNode(None)

    def onSceneEndImport(self, caller, event) -> None:
        """Called just after a scene is loaded."""
        self.logic.retell()
        if not self.runner.running:
            self.runner.say("")  # what was said of the scene before
        # The parameter node is loaded before the nodes it refers to, and says nothing when they come.
        if self._isEntered():
            self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Ensure parameter node exists and observed."""
        # Parameter nodes store all user choices in parameter values, node selections, etc.
        # so that when the scene is saved and reloaded, these settings are restored.
        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, inputParameterNode) -> None:
        """
        Set and observe the parameter node of the study, and that of its current visit.
        Observation is needed because when the parameter node is changed then the GUI must be updated immediately.
        """
        self.content.live.stop()
        self.visit = self._rebind("visit", self.visit, None)
        self.study = self._rebind("study", self.study, inputParameterNode)
        self.session = ""
        self.updateGUI()

    def _rebind(self, which: str, old, new):
        """Unbind the controls from one parameter node and bind them to another; the new one."""
        if old:
            old.disconnectGui(self._guiTags.pop(which))
            self.removeObserver(old, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        if new:
            mine = {name: widget for name, widget in self._bound.items() if name in new.allParameters}
            self._guiTags[which] = new.connectParametersToGui(mine)
            self.addObserver(new, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        return new

    # From the parameter nodes to the panel

    def onParametersModified(self, caller, event) -> None:
        """Called when a choice was made; all but the buttons follows a text once the typing has stopped."""
        focus = qt.QApplication.focusWidget()
        if self._updating or focus is None or focus.className() != "QLineEdit":
            self.updateGUI()
        else:
            self._enableControls()
            self.content.timer.start()

    @contextmanager
    def _unmoved(self) -> Iterator[None]:
        """Lines that come and go above the sections move nothing of them under the mouse, unless they begin there."""
        area, bar = self.ui.sectionsScrollArea, self.ui.sectionsScrollArea.verticalScrollBar()
        top = area.y
        yield
        area.parentWidget().layout().activate()
        if bar.value:
            bar.value = bar.value + area.y - top

    def updateGUI(self, caller=None, event=None) -> None:
        """Everything that is not bound by name: the one place that enables, disables and explains."""
        if self._updating:
            return
        self._updating = True
        try:
            with self._unmoved():
                self._follow()
        finally:
            self._updating = False

    def _follow(self) -> None:
        study = self.study
        if study is not None:
            if study.currentSession not in study.sessions:
                study.currentSession = study.sessions[0]
            before, self.session = self.session, study.currentSession
            visit = self.logic.visit(self.session)
            if visit is not self.visit:
                self.visit = self._rebind("visit", self.visit, visit)
            if before and before != self.session:
                self.logic.followVisit(self.session)
                self._surfacesWanted = self.logic.lacksSurfaces(self.session)
            self.candidates.choose(self.session)
            self.logic.placePet(self.session)
        self._watchContent()
        self._fillComboBoxes()
        self._showPaths()
        self.further.show(self.visit)
        self.editor.show(self.visit)
        self.place.show(self.logic, self.session, self.visit)
        self._showResults()
        self._showFindings()
        self._showStates()
        self._enableControls()
        if self.visit and not self.runner.running and self.logic.follow(self.session):
            self.content.live.start()  # a choice may have changed
        if self._surfacesWanted and not self.runner.running:  # they take seconds
            self._surfacesWanted = False
            self._surfaces.start()

    def _makeSurfaces(self) -> None:
        """Let the 3-D view follow the visit."""
        if self.visit and self.logic.lacksSurfaces(self.session):
            self.runner.run(lambda progress: self.logic.showSurfaces(self.session, progress))

    def followChanges(self) -> None:
        """Called soon after a change: results, table and charts follow it; once more until all do."""
        if self.visit is None or self.runner.running:
            return
        # A table that is filled anew may choose another row, at which nobody clicked: the views stay where they are.
        wasBlocked = self.ui.resultTableView.blockSignals(True)
        try:
            followed = self.logic.followChanges(self.session)
        finally:
            self.ui.resultTableView.blockSignals(wasBlocked)
        if followed:
            with self._unmoved():
                self._showHeadline(self.session)  # the rest when the changes have stopped
            self.content.live.start()
        else:
            self._showReview(self.session)

    def _watchContent(self) -> None:
        visit = self.visit
        others = self.content.watch(visit)
        if others and visit and visit.segmentation is not None and not visit.bloodPoolSegmentID:
            # Shown in the panel, where the user can choose otherwise.
            visit.bloodPoolSegmentID = self.logic.findBloodPool(visit.segmentation)
        if others and visit:
            self.logic.followRegions(self.session)

    def _fill(self, comboBox, items, chosen) -> None:
        """Put (text, data) pairs into a combo box and choose one by its data; the first where it is not there."""
        wasBlocked = comboBox.blockSignals(True)
        comboBox.clear()
        for text, data in items:
            comboBox.addItem(text, data)
        comboBox.currentIndex = max(comboBox.findData(chosen), 0)
        comboBox.blockSignals(wasBlocked)

    def _fillComboBoxes(self) -> None:
        study, visit = self.study, self.visit
        self._fill(
            self.ui.visitComboBox, [(label, label) for label in (study.sessions if study else ())], self.session
        )
        segments: list[tuple[str, str]] = []
        if visit and visit.segmentation:
            segmentation = visit.segmentation.GetSegmentation()
            segments = [
                (segmentation.GetSegment(segment_id).GetName(), segment_id)
                for segment_id in segmentation.GetSegmentIDs()
            ]
        chosen = visit.bloodPoolSegmentID if visit else ""
        self._fill(self.ui.bloodPoolComboBox, [(_("None"), ""), *segments], chosen)
        places = [(_("Whole images"), WHOLE), *segments] if visit else []
        self._fill(self.ui.goToComboBox, places, self.ui.goToComboBox.currentData)

    def _paths(self):
        """(parameter node, field, widget) of every path."""
        for node, paths in ((self.study, STUDY_PATHS), (self.visit, VISIT_PATHS)):
            for field, name in paths.items():
                yield node, field, getattr(self.ui, name)

    def _showPaths(self) -> None:
        for node, field, lineEdit in self._paths():
            path = getattr(node, field) if node else ""
            if lineEdit.currentPath != path:
                lineEdit.currentPath = path

    def _say(self, label, text: str) -> None:
        label.text = text
        label.visible = bool(text)

    def _showHeadline(self, session: str) -> None:
        """V_T and what it is warned of; nothing without a visit."""
        self._say(self.ui.headlineLabel, self.logic.headline() if session else "")
        results = study_nodes.find(session, "results", "vtkMRMLTableNode")
        self._say(self.ui.noticesLabel, (results.GetAttribute(tables.NOTICES) or "") if results else "")

    def _showReview(self, session: str) -> None:
        self._say(self.ui.reviewLabel, self.review.about() if session else "")

    def _showResults(self) -> None:
        ui, session, study = self.ui, self.session if self.visit else "", study_nodes.WHOLE_STUDY
        self._showHeadline(session)
        section, what = self.logic.whatIsNext(session) if session else ("", "")
        if section:
            what = _("{section}: {what}").format(section=self._titles[section], what=what[:1].upper() + what[1:])
        self._say(ui.nextLabel, what)
        results = study_nodes.find(session, "results", "vtkMRMLTableNode")
        for name, node in (
            ("result", results),
            ("proposals", study_nodes.find(session, PROPOSALS, "vtkMRMLTableNode")),
            ("readers", study_nodes.find(session, READERS, "vtkMRMLTableNode")),
            ("model", study_nodes.find(session, "models", "vtkMRMLTableNode")),
            ("change", study_nodes.find(study, "changes", "vtkMRMLTableNode") if session else None),
        ):
            self._showTable(name, node)
        self._say(ui.frameLabel, self.frames.about() if session else "")
        ui.frameWidget.visible = bool(ui.frameLabel.text)
        self._showReview(session)
        self._say(ui.petLabel, self.logic.aboutPet(self.visit) if self.visit else "")
        self._say(ui.fusionLabel, self.logic.aboutAlignment(session) if session else "")
        self._say(ui.regionsLabel, self.logic.aboutRegions(session) if session else "")
        self._say(ui.changeLabel, study_nodes.text_of(study, "verdict") or "" if session else "")

    def _showTable(self, name: str, node) -> None:
        view = getattr(self.ui, f"{name}TableView")
        if view.mrmlTableNode() is not node:
            view.setMRMLTableNode(node)
        view.visible = node is not None
        stamp = (node.GetID(), node.GetMTime()) if node is not None else None
        if self._fitted.get(name) != stamp:  # Slicer does that for a new table alone
            self._fitted[name] = stamp
            view.resizeColumnsToContents()
            # A long name would leave no room for what was found.
            room = max(self.ui.sectionsScrollArea.width // 2, NAME_WIDTH)
            view.setColumnWidth(0, min(view.columnWidth(0), room))

    def _showFindings(self) -> None:
        """In what the visits differ; what bars a comparison can be checked to accept it."""
        findings: tuple[KeptFinding, ...] = self.logic.keptFindings() if self.study else ()
        listWidget = self.ui.findingsListWidget
        wasBlocked = listWidget.blockSignals(True)
        listWidget.clear()
        for finding in findings:
            item = qt.QListWidgetItem(finding.text())
            item.setData(qt.Qt.UserRole, finding.code)
            item.setToolTip(finding.code)
            flags = qt.Qt.ItemIsEnabled
            if finding.barring and finding.acceptable:
                flags = flags | qt.Qt.ItemIsUserCheckable
                accepted = finding.code in self.study.accepted
                item.setCheckState(qt.Qt.Checked if accepted else qt.Qt.Unchecked)
            item.setFlags(flags)
            listWidget.addItem(item)
        listWidget.blockSignals(wasBlocked)
        listWidget.visible = bool(findings)

    def _showStates(self) -> None:
        for section, button in self.sections.items():
            word = self._stateWords[self.logic.state(section, self.session)] if self.visit else ""
            button.text = f"{self._titles[section]} · {word}" if word else self._titles[section]

    def missing(self, section: str) -> str:
        """What the user has to do before a section of the visit that is shown can be run; empty if nothing."""
        return self.logic.whatIsMissing(section, self.session)

    def _enableControls(self) -> None:
        """A button that can be pressed says what it does, one that cannot says what is missing."""
        ui, visit, running = self.ui, self.visit, self.runner.running
        imageDerived = bool(visit) and visit.inputSource is InputSource.IMAGE
        ui.bloodPoolComboBox.enabled = imageDerived
        ui.fixedBloodVolumeSpinBox.enabled = bool(visit) and visit.bloodVolume is BloodVolume.FIXED
        usable = {
            "calibration": imageDerived,
            "fwhm": bool(visit) and visit.pvc.value != "none",
        }
        for name, fields in further.SHORTCUTS.items():
            typed = bool(visit) and f'"{name}"' in visit.furtherSettings  # which counts instead
            for field in fields:
                self._bound[field].enabled = usable.get(field, True) and not typed
        self.models.show(visit, bool(visit) and '"models"' in visit.furtherSettings)
        for button in self._buttons:
            control = getattr(ui, f"{button.name}Button")
            missing = button.missing(self) if visit else _("The module is not active.")
            control.enabled = not missing and not running
            control.toolTip = missing or self._tips[button.name]
        for control in (*self.sections.values(), ui.settingsCollapsibleButton, ui.visitComboBox):
            control.enabled = not running
        ui.cancelButton.enabled = running
        ui.progressBar.visible = running
        # What is being done is in the line above the bar.
        ui.nextLabel.visible = bool(ui.nextLabel.text) and not running

    # From the panel to the parameter nodes

    def onVisitChosen(self, index: int) -> None:
        """Called when the user switches to another visit."""
        if self.study:
            self.study.currentSession = self.ui.visitComboBox.itemData(index)
            if self.session != self.study.currentSession:  # while a text has the focus
                self.updateGUI()

    def onBloodPoolChosen(self, index: int) -> None:
        """Called when the user picks another segment as blood pool."""
        if self.visit:
            self.visit.bloodPoolSegmentID = self.ui.bloodPoolComboBox.itemData(index) or ""

    def onPathChosen(self, pathOrValidity: str | bool) -> None:
        """Called when another file is typed or browsed for, or a path is cleared."""
        if self._updating:
            return
        for node, field, lineEdit in self._paths():
            path = lineEdit.currentPath
            if node and getattr(node, field) != path:
                setattr(node, field, path)

    def onModelChosen(self, name: str, chosen: bool) -> None:
        """Called when a model is checked, or no longer."""
        if self.visit:
            choose_model(self.visit, name, chosen)

    def onFurtherSettings(self, text: str) -> None:
        """Called when a setting that has no control of its own is typed."""
        if self.visit:
            self.visit.furtherSettings = text

    def onFindingChanged(self, item) -> None:
        """Called when a difference between visits is accepted, or no longer."""
        self.logic.accept(item.data(qt.Qt.UserRole), item.checkState() == qt.Qt.Checked)

    def onEditorCollapsed(self, collapsed: bool) -> None:
        """Called when the Segment Editor is folded up or down."""
        self.editor.unfold(self.visit, collapsed, self.logic.lookedAt(self.session) if self.visit else "")
        if not collapsed:
            self._makeRoom()

    @staticmethod
    def _makeRoom() -> None:
        """A module panel that is wide enough for the Segment Editor, once: it stays so."""
        if slicer.app.layoutManager() is None:  # no window
            return
        window = slicer.util.mainWindow()
        dock = slicer.util.findChild(window, "PanelDockWidget")
        if dock.width < EDITOR_WIDTH:
            window.resizeDocks([dock], [EDITOR_WIDTH], qt.Qt.Horizontal)

    # Buttons: what is more than one step of the logic

    def press(self, button: Button) -> None:
        """Called when the user presses a button."""
        step = button.step
        if step is not None:
            self.runner.run(lambda progress: step(self, progress), button.done)
        elif button.press is not None:
            button.press(self)

    def addVisit(self) -> None:
        """Add a visit under the label that was typed, and show it."""
        session = self.ui.newVisitLineEdit.text.strip()
        self.logic.addVisit(session)
        self.study.currentSession = session
        self.ui.newVisitLineEdit.text = ""

    def loadPet(self) -> None:
        """Ask for the files of the visit's PET, and read them."""
        self._load(self.logic.loadPet, _("Dynamic PET: a NIfTI with its JSON, or any file of the DICOM series"))

    def loadAnatomical(self) -> None:
        """Ask for the files of the visit's CT or MR, and read them."""
        self._load(self.logic.loadAnatomical, _("CT or MR: a NIfTI, or any file of the DICOM series"))

    def _load(self, read, question: str) -> None:
        path = self.askFile(question)
        if path:
            self.runner.run(lambda progress: read(self.session, path, progress), _("Loaded."))

    def removeVisit(self) -> None:
        """Remove the visit that is shown, once that is confirmed."""
        question = _("Forget the choices and results of the visit '{session}'? Its images and regions stay.")
        if slicer.util.confirmOkCancelDisplay(question.format(session=self.session)):
            self.runner.run(lambda progress: self.logic.removeVisit(self.session))

    def showFused(self, progress: Progress) -> None:
        """PET over CT, in the mixture that the slider says."""
        self.logic.showFused(self.session, self.ui.opacitySlider.value / 100, progress)

    def showBeside(self) -> None:
        """CT beside PET, at the same places."""
        self.logic.showBeside(self.session)
        self._beside.start()  # once more

    def carryRegions(self, progress: Progress) -> str:
        """The first visit's regions here, with the views on the images that they are to be judged on."""
        said = self.logic.carryRegions(self.session, progress)
        self.logic.showVisit(self.session)
        return said

    def labelVertebrae(self) -> None:
        """Label the vertebrae with TotalSegmentator, once it is confirmed that it may download what it needs."""
        question = _(
            "TotalSegmentator takes minutes, and at its first use downloads several GB of packages and weights. Go on?"
        )
        if slicer.util.confirmOkCancelDisplay(question):
            self.runner.run(lambda progress: self.logic.labelVertebrae(self.session, progress))

    def checkRegions(self) -> str:
        """Look for mistakes in the regions."""
        said = self.logic.checkRegions(self.session)
        return _("Nothing to object to.") if not said else _("Objections: {count}.").format(count=len(said))

    def makeInput(self, progress: Progress) -> None:
        """Make the input function alone, and plot it."""
        self.logic.makeInput(self.session, progress)
        self.showChart("input")

    def compute(self, progress: Progress) -> str:
        """Run everything for the visit that is shown."""
        record = self.logic.quantify(self.session, progress)
        self.logic.showVisit(self.session)
        self.logic.goToRegion(self.session, self.logic.mainRow(record).region)
        self.showChart("curves")
        self._result.start()
        said = _("Results: {count}.").format(count=len(record.rows))
        return said + (" " + _("Read the warnings below the table.") if record.notices else "")

    def _bringResultIntoSight(self) -> None:
        """The table of results, with its first row chosen, once the panel has been laid out with it."""
        if self.visit is None:  # the scene was closed meanwhile
            return
        self.sections["kinetics"].collapsed = False
        wasBlocked = self.ui.resultTableView.blockSignals(True)
        self.ui.resultTableView.selectRow(0)
        self.ui.resultTableView.blockSignals(wasBlocked)
        self._table.start()

    def _scrollToResults(self) -> None:
        """Not with ensureWidgetVisible, to which the chosen row of a table is all of it."""
        table, area = self.ui.resultTableView, self.ui.sectionsScrollArea
        area.ensureVisible(0, table.mapTo(area.widget(), qt.QPoint(0, table.height)).y(), 0, 8)

    def writeReport(self) -> None:
        """Write the report, once its packages are there and what would be replaced is known."""
        folder = Path(self.study.reportFolder)
        question = _("The folder for the report is not empty. Replace what this module wrote there before?")
        filled = folder.is_dir() and any(folder.iterdir())
        if filled and not slicer.util.confirmOkCancelDisplay(question):
            return
        try:
            self.logic.ensurePackages()
        except RuntimeError:  # the user declined, or there is no network
            self.runner.say(_("A report needs these packages; nothing was written."))
            return

        def write(progress):
            self.logic.writeReport(replaceOld=filled, progress=progress)
            return _("The report is written.")

        self.runner.run(write)

    def openReport(self) -> None:
        """Show the report that was written."""
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(self.logic.reportFile()))

    # Tables, plots and views

    def onOpacity(self, value: int) -> None:
        """Called when the slider between CT and PET is moved."""
        if self.visit:
            views.set_opacity(value / 100)

    def onOtherVisits(self, shown: bool) -> None:
        """Called when the other visits' regions are asked for, or no longer."""
        if self.study and not self._updating:
            self.study.showOtherVisits = shown  # Slicer's binding may come later
            self.logic.showRegions(self.session)

    def onGoTo(self, index: int) -> None:
        """Called when the user picks a region to go to."""
        segmentID = self.ui.goToComboBox.itemData(index)
        if not (self.visit and segmentID):
            return
        if segmentID == WHOLE:
            self.runner.run(lambda progress: self.logic.showWhole())
        else:
            self.runner.run(lambda progress: self.logic.goTo(self.session, segmentID))

    def showChart(self, role: str) -> None:
        """Show a chart of the visit, and listen to clicks on its points."""
        if self.visit and self.logic.showChart(self.session, role):
            self._listenToPlots()
            self._bringPlotForward()

    @staticmethod
    def _bringPlotForward() -> None:
        """The tab with the plot, which may lie behind the 3-D view."""
        layoutManager = slicer.app.layoutManager()
        if layoutManager is None:
            return
        for tabs in slicer.util.findChildren(layoutManager.viewport(), className="QTabWidget"):
            for index in range(layoutManager.plotViewCount):
                place = tabs.indexOf(layoutManager.plotWidget(index))
                if place >= 0:
                    tabs.currentIndex = place

    def _listenToPlots(self) -> None:
        """Plot views are made by layouts; each is listened to once."""
        for view in self._views():
            if view not in self._plotViews:
                self._plotViews.append(view)
                view.connect(POINTS_CLICKED, self.onPlotPointsSelected)
                self.frames.listen(view)

    @staticmethod
    def _views() -> list:
        """The plot views that there are; no window has none."""
        layoutManager = slicer.app.layoutManager()
        count = layoutManager.plotViewCount if layoutManager is not None else 0
        return [layoutManager.plotWidget(index).plotView() for index in range(count)]

    def onPlotPointsSelected(self, seriesIDs, selections) -> None:
        """Called when points of a chart are clicked: the first that is a frame's selects it in the sequence."""
        for index in range(min(seriesIDs.GetNumberOfValues(), selections.GetNumberOfItems())):
            points = selections.GetItemAsObject(index)
            found = plots.frame_of(seriesIDs.GetValue(index), points.GetValue(0))
            if found is not None:
                self.logic.selectFrame(*found)
                self.frames.choose(*found)
                return

    def _clicked(self, view) -> tuple[Any, int]:
        """The table that a view shows and its row that was clicked; None in place of the former where none can be."""
        table, row = view.mrmlTableNode(), view.currentIndex().row()
        idle = self.visit is not None and not self.runner.running
        return (table if idle and table is not None and 0 <= row < table.GetNumberOfRows() else None), row

    def onProposalSelected(self) -> None:
        """Called when a row of the proposals is clicked: go to where it lies, or would have lain."""
        table, row = self._clicked(self.ui.proposalsTableView)
        if table is None:
            return
        place = [float(tables.cell(table, row, key)) for key in "ras"]
        if not any(map(math.isnan, place)):
            views.go_to_point(place)

    def onResultSelected(self) -> None:
        """Called when a row of the results is clicked: show its curve, and go there in the slice views."""
        table, row = self._clicked(self.ui.resultTableView)
        if table is None:
            return
        region, pvc = tables.cell(table, row, "region"), tables.cell(table, row, "pvc")

        def show(progress):
            self.logic.showRegion(self.session, region, pvc)
            self.logic.goToRegion(self.session, region)

        self.runner.run(show)
