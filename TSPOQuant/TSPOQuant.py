import logging
import weakref
from pathlib import Path

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin
from TSPOQuantLib.messages import Cancelled, InputRefused
from TSPOQuantLib.mrml import study_nodes, tables, views
from TSPOQuantLib.mrml.choices import (  # noqa: F401 - scripts find the choices here
    BloodRoute,
    BloodVolume,
    Calibration,
    Genotype,
    InputSource,
    Language,
    Level,
    MapModel,
    Motion,
    PartialVolume,
    Side,
    TSPOQuantParameterNode,
    TSPOQuantVisitParameterNode,
)
from TSPOQuantLib.mrml.language import told
from TSPOQuantLib.mrml.panel_state import SECTIONS, State
from TSPOQuantLib.mrml.study_report import StudyReport

#
# TSPOQuant
#


class TSPOQuant(ScriptedLoadableModule):
    """Uses ScriptedLoadableModule base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        installTranslations()
        self.parent.title = _("TSPO PET Quantification")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = [
            "Markups",
            "Plots",
            "SegmentEditor",
            "Segmentations",
            "Sequences",
            "Tables",
            "Texts",
            "Volumes",
        ]
        self.parent.contributors = ["TSPOQuant contributors"]
        self.parent.helpText = _("""
Measures neuroinflammation in the neck from a dynamic TSPO PET and a CT: fuses them, reads activity over time in
neuroforaminal regions, builds the blood input, fits compartment models and reports the distribution volume
V<sub>T</sub> (shown as V<sub>r</sub>) and its change between visits. The six sections follow a study from top to
bottom; each says in its headline whether there is something to do, and whether its result is still up to date.
<p><b>For research use only; not a medical device.</b></p>
""")
        self.parent.acknowledgementText = _("""
Built on 3D Slicer. The source of each formula is given where it is computed.
""")
        # Additional initialization step after application startup is complete
        slicer.app.connect("startupCompleted()", registerSampleData)


#
# Translations
#


TRANSLATORS = []  # Qt does not keep them alive


def installTranslations():
    """Let Qt translate this module's texts into the application's language.

    Slicer itself loads translations from its own folder alone, to which language packs add theirs; files and contexts
    here are as Slicer's Utilities/Scripts/update_translations.py makes them, so that a language pack can take over.
    """
    try:
        import qt
    except ImportError:  # no window, no words
        return
    locale = slicer.app.applicationLocaleName.replace("_", "-")
    folder = Path(__file__).parent / "Resources" / "Translations"
    for path in sorted(folder.glob("TSPOQuant_*.qm")):
        language = path.stem.removeprefix("TSPOQuant_")
        if locale == language or locale == language.split("-")[0]:
            translator = qt.QTranslator()
            if translator.load(str(path)):
                qt.QCoreApplication.installTranslator(translator)
                TRANSLATORS.append(translator)


#
# Register sample data sets in Sample Data module
#


def registerSampleData():
    """Offer the simulated neck in the Sample Data module."""
    from TSPOQuantLib.mrml import sample_data

    icons = Path(__file__).parent / "Resources" / "Icons"
    sample_data.register(icons, loadSampleData, _("TSPO PET Quantification"))


def loadSampleData():
    """Make the digital neck on this machine, with a progress dialog, and show it in this module."""
    progressDialog = slicer.util.createProgressDialog(maximum=100, windowTitle=_("Digital neck"))

    def progress(fraction, text):
        progressDialog.labelText = text
        progressDialog.value = round(100 * fraction)
        slicer.app.processEvents()
        if progressDialog.wasCanceled:
            raise Cancelled

    try:
        TSPOQuantLogic().loadDigitalNeck(progress)
    except Cancelled:
        return
    finally:
        progressDialog.close()
    slicer.util.selectModule("TSPOQuant")


#
# TSPOQuantWidget
#


class TSPOQuantWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """One set of controls for all visits: the switch on top decides whose parameter node they are bound to.
    Uses ScriptedLoadableModuleWidget base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    # Fields that no widget is bound to by name: Slicer binds ctkPathLineEdit to pathlib.Path only, which shows "."
    # where nothing is chosen.
    STUDY_PATHS = {
        "clinicalFile": "clinicalPathLineEdit",
        "repeatabilityFile": "repeatabilityPathLineEdit",
        "reportFolder": "reportFolderPathLineEdit",
    }
    VISIT_PATHS = {"bloodFile": "bloodFilePathLineEdit"}
    SET = "TSPOQuant.EditorSet"
    ICONS = {
        "alignButton": "Align",
        "motionPlotButton": "Plot",
        "fuseButton": "Fuse",
        "besideButton": "Beside",
        "templateButton": "Template",
        "bloodPoolButton": "Propose",
        "proposeButton": "Propose",
        "carryButton": "Align",
        "twoClickButton": "Template",
        "checkButton": "Check",
        "inputButton": "Blood",
        "inputPlotButton": "Plot",
        "curvesPlotButton": "Plot",
        "linePlotButton": "Plot",
        "mapButton": "Map",
        "compareButton": "Compare",
        "reportButton": "Report",
        "computeButton": "Compute",
        "cancelButton": "Cancel",
    }
    # Changes of an image or a region are looked at when they have stopped for so long: every stroke of a brush is one.
    SETTLE_MS = 300

    def __init__(self, parent=None) -> None:
        """Called when the user opens the module the first time and the widget is initialized."""
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)  # needed for parameter node observation
        self.logic = None
        self.editor = None
        self.place = None
        self._study = None
        self._visit = None
        self._session = ""
        self._guiTags = {}
        self._observed = {}
        self._editorNode = None
        self._plotViews = []
        self._tips = {}
        self._running = False
        self._cancelRequested = False
        self._updating = False

    def setup(self) -> None:
        """Called when the user opens the module the first time and the widget is initialized."""
        import qt

        ScriptedLoadableModuleWidget.setup(self)

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/TSPOQuant.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        self._sections = {section: getattr(self.ui, f"{section}CollapsibleButton") for section in SECTIONS}
        self._titles = {section: button.text for section, button in self._sections.items()}
        self._stateWords = {
            State.TO_DO: _("to do"),
            State.READY: _("ready"),
            State.DONE: _("done"),
            State.OUT_OF_DATE: _("out of date"),
        }

        for name, icon in self.ICONS.items():
            getattr(self.ui, name).icon = qt.QIcon(self.resourcePath(f"Icons/{icon}.svg"))

        # The top-level qMRMLWidget hands the scene to the selectors, as connected in the .ui file.
        uiWidget.setMRMLScene(slicer.mrmlScene)
        # Sequences of anything but volumes are no PET.
        self.ui.petSequenceSelector.addAttribute("vtkMRMLSequenceNode", "DataNodeClassName", "vtkMRMLScalarVolumeNode")

        self.logic = TSPOQuantLogic()
        self._settleTimer = qt.QTimer()
        self._settleTimer.setSingleShot(True)
        self._settleTimer.setInterval(self.SETTLE_MS)
        self._settleTimer.connect("timeout()", self._updateGUI)
        self._setUpEditor()
        self._setUpPlace()

        # These connections ensure that we update parameter node when scene is closed
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)

        self._connectControls()

        # Make sure parameter node is initialized (needed for module reload)
        self.initializeParameterNode()

    def _connectControls(self) -> None:
        ui = self.ui
        ui.visitComboBox.connect("currentIndexChanged(int)", self.onVisitChosen)
        ui.bloodPoolComboBox.connect("currentIndexChanged(int)", self.onBloodPoolChosen)
        for name in (*self.STUDY_PATHS.values(), *self.VISIT_PATHS.values()):
            getattr(ui, name).connect("currentPathChanged(QString)", self.onPathChosen)
            # An empty path is no valid one, and only valid ones are announced by the signal above.
            getattr(ui, name).connect("validInputChanged(bool)", self.onPathChosen)
        ui.newVisitLineEdit.connect("textChanged(QString)", self._enableControls)
        ui.opacitySlider.connect("valueChanged(int)", self.onOpacity)
        ui.resultTableView.connect("selectionChanged()", self.onResultSelected)
        ui.findingsListWidget.connect("itemChanged(QListWidgetItem*)", self.onFindingChanged)
        ui.goToComboBox.connect("activated(int)", self.onGoTo)
        ui.editorCollapsibleButton.connect("contentsCollapsed(bool)", self.onEditorCollapsed)
        for button, function in (
            (ui.addVisitButton, self.onAddVisit),
            (ui.removeVisitButton, self.onRemoveVisit),
            (ui.alignButton, self.onAlign),
            (ui.fuseButton, self.onFuse),
            (ui.besideButton, self.onBeside),
            (ui.blinkButton, self.onBlink),
            (ui.templateButton, self.onTemplate),
            (ui.bloodPoolButton, self.onBloodPool),
            (ui.proposeButton, self.onPropose),
            (ui.carryButton, self.onCarry),
            (ui.twoClickButton, self.onTwoClick),
            (ui.checkButton, self.onCheck),
            (ui.inputButton, self.onMakeInput),
            (ui.mapButton, self.onMap),
            (ui.compareButton, self.onCompare),
            (ui.reportButton, self.onReport),
            (ui.openReportButton, self.onOpenReport),
            (ui.computeButton, self.onCompute),
            (ui.cancelButton, self.onCancel),
        ):
            button.connect("clicked(bool)", function)
        for button, role in (
            (ui.motionPlotButton, "motion"),
            (ui.inputPlotButton, "input"),
            (ui.curvesPlotButton, "curves"),
            (ui.linePlotButton, "line"),
        ):
            button.connect("clicked(bool)", lambda checked=False, role=role: self.onPlot(role))

    # Slicer's own editors

    def _setUpEditor(self) -> None:
        """The Segment Editor, on a parameter node of its own, below the tools that propose regions."""
        import qSlicerSegmentationsModuleWidgetsPythonQt

        self.editor = qSlicerSegmentationsModuleWidgetsPythonQt.qMRMLSegmentEditorWidget()
        self.editor.setMaximumNumberOfUndoStates(10)
        # Both are chosen above.
        self.editor.segmentationNodeSelectorVisible = False
        self.editor.sourceVolumeNodeSelectorVisible = False
        self._selectEditorNode()
        self.editor.setMRMLScene(slicer.mrmlScene)
        self.ui.editorCollapsibleButton.layout().addWidget(self.editor)

    def _selectEditorNode(self) -> None:
        tag = f"{self.moduleName}.SegmentEditor"
        node = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
            node.UnRegister(None)
            node.SetSingletonTag(tag)
            node = slicer.mrmlScene.AddNode(node)
        if node is not self._editorNode:
            self._editorNode = node
            self.editor.setMRMLSegmentEditorNode(node)

    def _showInEditor(self) -> None:
        """What is chosen for the visit; nothing while another module is open, or the editor is folded up."""
        wanted = bool(self._visit) and not self.ui.editorCollapsibleButton.collapsed
        segmentation = self._visit.segmentation if wanted else None
        ct = self._visit.ctVolume if segmentation else None
        if wanted:
            self._selectEditorNode()
        if self.editor.segmentationNode() is not segmentation:
            self.editor.setSegmentationNode(segmentation)
        if self.editor.sourceVolumeNode() is not ct and (segmentation is not None or ct is None):
            self.editor.setSourceVolumeNode(ct)

    def onEditorCollapsed(self, collapsed: bool) -> None:
        """Called when the Segment Editor is folded up or down."""
        if collapsed:
            self.editor.setActiveEffect(None)
        self._showInEditor()
        visit, node = self._visit, self._editorNode
        if not collapsed and visit and visit.segmentation and visit.ctVolume and not node.GetAttribute(self.SET):
            from TSPOQuantLib.mrml.regions import editor_settings

            # Once: afterwards the user's own settings count.
            editor_settings(node, visit.segmentation, visit.ctVolume)
            node.SetAttribute(self.SET, "1")

    def _setUpPlace(self) -> None:
        """Slicer's own buttons for placing points."""
        import qSlicerMarkupsModuleWidgetsPythonQt
        import qt

        self.place = qSlicerMarkupsModuleWidgetsPythonQt.qSlicerMarkupsPlaceWidget()
        self.place.setMRMLScene(slicer.mrmlScene)
        self.place.buttonsVisible = False
        self.place.placeButton().show()
        self.place.deleteButton().show()
        self.place.placeMultipleMarkups = self.place.ForcePlaceMultipleMarkups
        self.place.toolTip = self.ui.placeFrame.toolTip
        layout = qt.QHBoxLayout(self.ui.placeFrame)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.place)

    # Life of the module

    def cleanup(self) -> None:
        """Called when the application closes and the module widget is destroyed."""
        self._cancelRequested = True
        self._settleTimer.stop()
        self.setParameterNode(None)
        self.editor.setActiveEffect(None)
        self.editor.removeViewObservations()
        self.removeObservers()

    def enter(self) -> None:
        """Called each time the user opens this module."""
        self.editor.installKeyboardShortcuts()
        # Make sure parameter node exists and observed
        self.initializeParameterNode()

    def exit(self) -> None:
        """Called each time the user opens a different module."""
        self.place.setPlaceModeEnabled(False)
        self.editor.setActiveEffect(None)
        self.editor.uninstallKeyboardShortcuts()
        self.editor.removeViewObservations()
        # Do not react to parameter node changes (GUI will be updated when the user enters into the module)
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event) -> None:
        """Called just before the scene is closed."""
        # Parameter node will be reset, do not use it anymore
        self._cancelRequested = True
        self.setParameterNode(None)
        self._editorNode = None
        self.editor.setSegmentationNode(None)
        self.editor.removeViewObservations()

    def onSceneEndClose(self, caller, event) -> None:
        """Called just after the scene is closed."""
        self.ui.statusLabel.text = ""
        # If this module is shown while the scene is closed then recreate a new parameter node immediately
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneStartImport(self, caller, event) -> None:
        """Called just before a scene is loaded."""
        # A selector that is bound would write into the parameter node that what it refers to is not there (yet).
        self.setParameterNode(None)

    def onSceneEndImport(self, caller, event) -> None:
        """Called just after a scene is loaded."""
        # The parameter node is loaded before the nodes it refers to, and says nothing when they come.
        if self.parent.isEntered:
            self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Ensure parameter node exists and observed."""
        # Parameter nodes store all user choices in parameter values, node selections, etc.
        # so that when the scene is saved and reloaded, these settings are restored.

        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, inputParameterNode: TSPOQuantParameterNode | None) -> None:
        """
        Set and observe the parameter node of the study, and that of its current visit.
        Observation is needed because when the parameter node is changed then the GUI must be updated immediately.
        """
        self._visit = self._rebind("visit", self._visit, None)
        self._study = self._rebind("study", self._study, inputParameterNode)
        self._session = ""
        self._updateGUI()

    def _rebind(self, which: str, old, new):
        """Unbind the controls from one parameter node and bind them to another; the new one."""
        if old:
            old.disconnectGui(self._guiTags.pop(which))
            self.removeObserver(old, vtk.vtkCommand.ModifiedEvent, self._updateGUI)
        if new:
            # Note: in the .ui file, a Qt dynamic property called "SlicerParameterName" is set on each
            # ui element that needs connection.
            names = ((widget.property("SlicerParameterName"), widget) for widget in vars(self.ui).values())
            mine = {name: widget for name, widget in names if name and name in new.allParameters}
            self._guiTags[which] = new.connectParametersToGui(mine)
            self.addObserver(new, vtk.vtkCommand.ModifiedEvent, self._updateGUI)
        return new

    def _observe(self, role: str, node, events) -> None:
        """Follow these events of this node, and of no other in that role."""
        before, itsEvents = self._observed.pop(role, (None, ()))
        for event in itsEvents:
            self.removeObserver(before, event, self._onContentModified)
        if node is not None:
            for event in events:
                self.addObserver(node, event, self._onContentModified)
            self._observed[role] = node, events

    def _observeInputs(self) -> None:
        visit = self._visit
        image = (vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLTransformableNode.TransformModifiedEvent)
        drawn = (
            slicer.vtkSegmentation.SegmentAdded,
            slicer.vtkSegmentation.SegmentRemoved,
            slicer.vtkSegmentation.SegmentModified,
            slicer.vtkSegmentation.SourceRepresentationModified,
            slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
        )
        wanted = {
            "pet": (visit.petSequence if visit else None, (vtk.vtkCommand.ModifiedEvent,)),
            "ct": (visit.ctVolume if visit else None, (*image, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent)),
            "segmentation": (visit.segmentation if visit else None, drawn),
        }
        for role, (node, events) in wanted.items():
            if self._observed.get(role, (None, ()))[0] is not node:
                self._observe(role, node, events)
                if role == "segmentation" and visit and node is not None and not visit.bloodPoolSegmentID:
                    # Shown in the panel, where the user can choose otherwise.
                    visit.bloodPoolSegmentID = self.logic.findBloodPool(node)

    def _onContentModified(self, caller, event) -> None:
        self._settleTimer.start()

    # From the parameter nodes to the panel

    def _updateGUI(self, caller=None, event=None) -> None:
        """Everything that is not bound by name: the one place that enables, disables and explains."""
        if self._updating:
            return
        self._updating = True
        try:
            study = self._study
            if study is not None:
                if study.currentSession not in study.sessions:
                    study.currentSession = study.sessions[0]
                if study.currentSession != self._session or self._visit is None:
                    self._session = study.currentSession
                    self._visit = self._rebind("visit", self._visit, self.logic.visit(self._session))
            self._observeInputs()
            self._fillComboBoxes()
            self._showPaths()
            self._showInEditor()
            self._showPoints()
            self._showResults()
            self._showFindings()
            self._showStates()
            self._enableControls()
        finally:
            self._updating = False

    def _fill(self, comboBox, items, chosen) -> None:
        """Put (text, data) pairs into a combo box and choose one by its data; the first where it is not there."""
        wasBlocked = comboBox.blockSignals(True)
        comboBox.clear()
        for text, data in items:
            comboBox.addItem(text, data)
        comboBox.currentIndex = max(comboBox.findData(chosen), 0)
        comboBox.blockSignals(wasBlocked)

    def _fillComboBoxes(self) -> None:
        study, visit = self._study, self._visit
        self._fill(self.ui.visitComboBox, [(one, one) for one in (study.sessions if study else [])], self._session)
        segments = []
        if visit and visit.segmentation:
            segmentation = visit.segmentation.GetSegmentation()
            segments = [(segmentation.GetSegment(one).GetName(), one) for one in segmentation.GetSegmentIDs()]
        chosen = visit.bloodPoolSegmentID if visit else ""
        self._fill(self.ui.bloodPoolComboBox, [(_("None"), ""), *segments], chosen)
        self._fill(self.ui.goToComboBox, segments, self.ui.goToComboBox.currentData)

    def _showPaths(self) -> None:
        for node, paths in ((self._study, self.STUDY_PATHS), (self._visit, self.VISIT_PATHS)):
            for field, name in paths.items():
                path, lineEdit = getattr(node, field) if node else "", getattr(self.ui, name)
                if lineEdit.currentPath != path:
                    lineEdit.currentPath = path

    def _say(self, label, text: str) -> None:
        label.text = text
        label.visible = bool(text)

    def _showResults(self) -> None:
        session = self._session if self._visit else ""
        results = study_nodes.find(session, "results", "vtkMRMLTableNode")
        models = study_nodes.find(session, "models", "vtkMRMLTableNode")
        changes = study_nodes.find(study_nodes.WHOLE_STUDY, "changes", "vtkMRMLTableNode") if session else None
        for view, node in (
            (self.ui.resultTableView, results),
            (self.ui.modelTableView, models),
            (self.ui.changeTableView, changes),
        ):
            if view.mrmlTableNode() is not node:
                view.setMRMLTableNode(node)
            view.visible = node is not None
        self._say(self.ui.noticesLabel, (results.GetAttribute(tables.NOTICES) or "") if results else "")
        self._say(self.ui.petLabel, self.logic.aboutPet(self._visit) if self._visit else "")
        self._say(self.ui.fusionLabel, self.logic.aboutAlignment(session) if session else "")
        self._say(self.ui.regionsLabel, self.logic.aboutRegions(session) if session else "")
        self._say(self.ui.inputLabel, "")
        self._say(
            self.ui.changeLabel, study_nodes.text_of(study_nodes.WHOLE_STUDY, "verdict") or "" if session else ""
        )

    def _showFindings(self) -> None:
        """In what the visits differ; what bars a comparison can be checked to accept it."""
        import qt

        findings = self.logic.keptFindings() if self._study else ()
        listWidget = self.ui.findingsListWidget
        wasBlocked = listWidget.blockSignals(True)
        listWidget.clear()
        for finding in findings:
            item = qt.QListWidgetItem(f"{told(finding['message'])} ({' | '.join(finding['values'])})")
            item.setData(qt.Qt.UserRole, finding["code"])
            item.setToolTip(finding["code"])
            flags = qt.Qt.ItemIsEnabled
            if finding["severity"] == "refuse" and finding["acceptable"]:
                flags = flags | qt.Qt.ItemIsUserCheckable
                accepted = finding["code"] in self._study.accepted
                item.setCheckState(qt.Qt.Checked if accepted else qt.Qt.Unchecked)
            item.setFlags(flags)
            listWidget.addItem(item)
        listWidget.blockSignals(wasBlocked)
        listWidget.visible = bool(findings)

    def onFindingChanged(self, item) -> None:
        """Called when a difference between visits is accepted, or no longer."""
        import qt

        self.logic.accept(item.data(qt.Qt.UserRole), item.checkState() == qt.Qt.Checked)

    def _showStates(self) -> None:
        for section, button in self._sections.items():
            word = self._stateWords[self.logic.state(section, self._session)] if self._visit else ""
            button.text = f"{self._titles[section]} · {word}" if word else self._titles[section]

    def _enable(self, button, missing: str) -> None:
        """A button that can be pressed says what it does, one that cannot says what is missing."""
        tip = self._tips.setdefault(button.objectName, button.toolTip)
        button.enabled = not missing and not self._running
        button.toolTip = missing or tip

    def _missing(self, section: str) -> str:
        if self._visit is None:
            return _("The module is not active.")
        return self.logic.whatIsMissing(section, self._session)

    def _enableControls(self) -> None:
        ui, visit, session = self.ui, self._visit, self._session
        imageDerived = bool(visit) and visit.inputSource is InputSource.IMAGE
        ui.bloodPoolComboBox.enabled = imageDerived
        ui.calibrationComboBox.enabled = imageDerived
        ui.fixedBloodVolumeSpinBox.enabled = bool(visit) and visit.bloodVolume is BloodVolume.FIXED
        ui.fwhmSpinBox.enabled = bool(visit) and visit.pvc is not PartialVolume.NONE
        noCt = "" if visit and visit.ctVolume else _("Select a CT volume.")
        noRegions = "" if visit and visit.segmentation else _("Select or create a segmentation.")
        for button in (ui.fuseButton, ui.besideButton, ui.blinkButton):
            self._enable(button, self._missing("study") or noCt)
        self._enable(ui.alignButton, self._missing("fusion"))
        self._enable(ui.checkButton, self._missing("regions"))
        self._enable(ui.inputButton, self._missing("input"))
        self._enable(ui.computeButton, self._missing("fusion") or self._missing("kinetics"))
        self._enable(ui.mapButton, self._missing("fusion") or self._missing("input"))
        self._enable(ui.compareButton, self._missing("report"))
        self._enable(ui.templateButton, noCt or noRegions or self._noForamen())
        self._enable(ui.bloodPoolButton, self._missing("study") or noRegions)
        noLabels = "" if visit and visit.labels else _("Select a segmentation with vertebrae.")
        self._enable(ui.proposeButton, noCt or noRegions or noLabels)
        self._enable(ui.twoClickButton, noCt or noRegions)
        self._enable(ui.carryButton, noCt or self.logic.whyNotCarried(session))
        for button, role in (
            (ui.motionPlotButton, "motion"),
            (ui.inputPlotButton, "input"),
            (ui.curvesPlotButton, "curves"),
            (ui.linePlotButton, "line"),
        ):
            there = study_nodes.find(session, f"chart {role}", "vtkMRMLPlotChartNode") is not None
            self._enable(button, "" if visit and there else _("Nothing was computed yet that could be plotted."))
        noFolder = "" if self._study and self._study.reportFolder else _("Select a folder for the report.")
        self._enable(ui.reportButton, self._missing("report") or noFolder)
        self._enable(ui.openReportButton, "" if self.logic.reportFile() else _("Write a report first."))
        self._enable(ui.addVisitButton, "" if ui.newVisitLineEdit.text.strip() else _("Type a label first."))
        for control in (*self._sections.values(), ui.visitComboBox):
            control.enabled = not self._running
        ui.cancelButton.enabled = self._running
        ui.progressBar.visible = self._running

    def _noForamen(self) -> str:
        study = self._study
        known = study and study.level is not Level.UNKNOWN and study.side is not Side.UNKNOWN
        return "" if known else _("Choose the affected foramen in the first section.")

    def _showPoints(self) -> None:
        """The points of the visit in Slicer's placing buttons, once it is known what they mark."""
        visit = self._visit
        known = visit and visit.clickedLevel is not Level.UNKNOWN and visit.clickedSide is not Side.UNKNOWN
        points = self.logic.points(self._session) if known and visit.ctVolume else None
        if self.place.currentNode() is not points:
            self.place.setCurrentNode(points)

    # From the panel to the parameter nodes

    def onVisitChosen(self, index: int) -> None:
        """Called when the user switches to another visit."""
        if self._study:
            self._study.currentSession = self.ui.visitComboBox.itemData(index)

    def onAddVisit(self) -> None:
        """Add a visit under the label that was typed, and show it."""

        def add(progress):
            session = self.ui.newVisitLineEdit.text.strip()
            self.logic.addVisit(session)
            self._study.currentSession = session
            self.ui.newVisitLineEdit.text = ""

        self._run(add)

    def onRemoveVisit(self) -> None:
        """Remove the visit that is shown, once that is confirmed."""
        question = _("Forget the choices and results of the visit '{session}'? Its images and regions stay.")
        if slicer.util.confirmOkCancelDisplay(question.format(session=self._session)):
            self._run(lambda progress: self.logic.removeVisit(self._session))

    def onBloodPoolChosen(self, index: int) -> None:
        """Called when the user picks another segment as blood pool."""
        if self._visit:
            self._visit.bloodPoolSegmentID = self.ui.bloodPoolComboBox.itemData(index) or ""

    def onPathChosen(self, pathOrValidity: str | bool) -> None:
        """Called when another file is typed or browsed for, or a path is cleared."""
        if self._updating:
            return
        for node, paths in ((self._study, self.STUDY_PATHS), (self._visit, self.VISIT_PATHS)):
            for field, name in paths.items():
                path = getattr(self.ui, name).currentPath
                if node and getattr(node, field) != path:
                    setattr(node, field, path)

    # Buttons

    def _run(self, work, done: str = "") -> None:
        """Do ``work(progress)`` with the panel locked; say what came of it in one sentence."""
        if self._running:
            return
        self._running, self._cancelRequested = True, False
        self._updateGUI()
        failure = ""
        try:
            with slicer.util.WaitCursor():
                said = work(self._onProgress) or done
            self.ui.statusLabel.text = said
        except Cancelled:
            self.ui.statusLabel.text = _("Stopped. Nothing was changed.")
        except InputRefused as refused:
            logging.exception("TSPOQuant: %s", refused)
            message = told(refused.message)
            failure = message[:1].upper() + message[1:].removesuffix(".") + "."
        except Exception:
            logging.exception("TSPOQuant")
            failure = _("This failed through a fault of the program. Nothing was changed; the error log has details.")
        finally:
            self._running = False
            self._updateGUI()
        if failure:
            self.ui.statusLabel.text = failure
            slicer.util.errorDisplay(failure)

    def _onProgress(self, fraction: float, text: str) -> None:
        self.ui.progressBar.value = round(100 * fraction)
        self.ui.statusLabel.text = text
        slicer.app.processEvents()
        if self._cancelRequested:
            raise Cancelled

    def onCancel(self) -> None:
        """Ask the running work to stop; it does so at its next report."""
        self._cancelRequested = True
        self.ui.statusLabel.text = _("Stopping…")

    def onAlign(self) -> None:
        """Align frames and CT when user clicks "Align" button."""
        self._run(lambda progress: self.logic.align(self._session, progress), _("Aligned."))

    def onFuse(self) -> None:
        """Show PET over CT when user clicks "Show PET over CT" button."""
        self._run(lambda progress: self.logic.showFused(self._session, self.ui.opacitySlider.value / 100))

    def onBlink(self) -> None:
        """Take the PET away, or bring it back."""
        views.blink()

    def onBeside(self) -> None:
        """Show CT and PET apart, for judging their alignment."""
        self._run(lambda progress: self.logic.showBeside(self._session))

    def onOpacity(self, value: int) -> None:
        """Called when the slider between CT and PET is moved."""
        if self._visit:
            views.set_opacity(value / 100)

    def onGoTo(self, index: int) -> None:
        """Called when the user picks a region to go to."""
        segmentID = self.ui.goToComboBox.itemData(index)
        if self._visit and segmentID:
            self._run(lambda progress: self.logic.goTo(self._session, segmentID))

    def onTemplate(self) -> None:
        """Add the template's segments for the affected foramen."""
        self._run(lambda progress: self.logic.addTemplate(self._session, self.editor.saveStateForUndo))

    def onBloodPool(self) -> None:
        """Propose a blood pool."""
        self._run(lambda progress: self.logic.proposeBloodPool(self._session, self.editor.saveStateForUndo))

    def onPropose(self) -> None:
        """Propose foramina from vertebrae."""
        self._run(lambda progress: self.logic.proposeForamina(self._session, self.editor.saveStateForUndo))

    def onCarry(self) -> None:
        """Bring the first visit's regions here."""
        self._run(lambda progress: self.logic.carryRegions(self._session, progress))

    def onTwoClick(self) -> None:
        """Make a foramen of the two points that were placed."""
        self._run(lambda progress: self.logic.addTwoClick(self._session, self.editor.saveStateForUndo))

    def onCheck(self) -> None:
        """Look for mistakes in the regions."""

        def check(progress):
            said = self.logic.checkRegions(self._session)
            return _("Nothing to object to.") if not said else _("{count} objections.").format(count=len(said))

        self._run(check)

    def onMakeInput(self) -> None:
        """Make the input function alone, and plot it."""

        def make(progress):
            self.logic.makeInput(self._session, progress)
            self.onPlot("input")

        self._run(make, _("The input function is made."))

    def onCompute(self) -> None:
        """Run everything for the visit that is shown when user clicks "Compute" button."""

        def compute(progress):
            record = self.logic.quantify(self._session, progress)
            said = _("{count} results.").format(count=len(record.rows))
            return said + (" " + _("Read the warnings below the table.") if record.notices else "")

        self._run(compute)

    def onMap(self) -> None:
        """Make a map and show it over the CT."""
        self._run(lambda progress: self.logic.makeMap(self._session, progress) and _("The map is made."))

    def onCompare(self) -> None:
        """Compare the visits that have results."""
        self._run(lambda progress: self.logic.compare() and _("Compared."))

    def onReport(self) -> None:
        """Write the report, once its packages are there and what would be replaced is known."""
        folder = Path(self._study.reportFolder)
        question = _("The folder for the report is not empty. Replace what this module wrote there before?")
        filled = folder.is_dir() and any(folder.iterdir())
        if filled and not slicer.util.confirmOkCancelDisplay(question):
            return
        try:
            self.logic.ensurePackages()
        except RuntimeError:  # the user declined, or there is no network
            self.ui.statusLabel.text = _("A report needs these packages; nothing was written.")
            return
        self._run(
            lambda progress: (
                self.logic.writeReport(replaceOld=filled, progress=progress) and _("The report is written.")
            )
        )

    def onOpenReport(self) -> None:
        """Show the report that was written."""
        import qt

        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(self.logic.reportFile()))

    # Tables, plots and views

    def onPlot(self, role: str) -> None:
        """Show a chart of the visit, and listen to clicks on its points."""
        if self._visit and self.logic.showChart(self._session, role):
            self._listenToPlots()

    def _listenToPlots(self) -> None:
        """Plot views are made by layouts; each is listened to once."""
        layoutManager = slicer.app.layoutManager()
        if layoutManager is None:
            return
        for index in range(layoutManager.plotViewCount):
            view = layoutManager.plotWidget(index).plotView()
            if view not in self._plotViews:
                self._plotViews.append(view)
                view.connect("dataSelected(vtkStringArray*, vtkCollection*)", self.onPlotPointsSelected)

    def onPlotPointsSelected(self, seriesIDs, selections) -> None:
        """Called when points of a chart are clicked: the first that is a frame's selects it in the sequence."""
        from TSPOQuantLib.mrml import plots

        for index in range(seriesIDs.GetNumberOfValues()):
            points = selections.GetItemAsObject(index)
            found = plots.frame_of(seriesIDs.GetValue(index), points.GetValue(0))
            if found is not None:
                self.logic.selectFrame(*found)
                return

    def onResultSelected(self) -> None:
        """Called when a row of the results is clicked: show its curve, and go there in the slice views."""
        table = self.ui.resultTableView.mrmlTableNode()
        row = self.ui.resultTableView.currentIndex().row()
        if self._running or self._visit is None or table is None or not 0 <= row < table.GetNumberOfRows():
            return
        region, pvc = tables.cell(table, row, "region"), tables.cell(table, row, "pvc")

        def show(progress):
            self.logic.showRegion(self._session, region, pvc)
            self.logic.goToRegion(self._session, region)

        self._run(show)


#
# TSPOQuantLogic
#


class TSPOQuantLogic(StudyReport, ScriptedLoadableModuleLogic):
    """Takes nodes to the library and its results back to the scene; computes nothing itself.
    Can be used without the panel, from scripts: every step is one method, visits are named by their labels. The
    methods are in TSPOQuantLib/mrml/study_logic.py, study_steps.py and study_report.py.
    Uses ScriptedLoadableModuleLogic base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, quantify=None) -> None:
        """:param quantify: replaces TSPOQuantLib.pipeline.quantify, for tests."""
        ScriptedLoadableModuleLogic.__init__(self)
        self._quantify = quantify
        self._wrapped = {}
        # Wrappers remember what they read, also of nodes that were not there yet while a scene was being loaded.
        me, scene = weakref.ref(self), slicer.mrmlScene
        tag = scene.AddObserver(scene.EndImportEvent, lambda caller, event: me() and me()._wrapped.clear(), 1.0)
        weakref.finalize(self, scene.RemoveObserver, tag)

    def getParameterNode(self):
        study = self._wrap(TSPOQuantParameterNode, super().getParameterNode())
        if not study.sessions:
            study.sessions = list(self.SESSIONS)
        return study

    @staticmethod
    def ensurePackages() -> None:
        """Install what reports need beyond Slicer, with the user's consent; RuntimeError where that is refused."""
        import slicer.packaging

        requirements = Path(__file__).parent / "Resources" / "requirements.txt"
        slicer.packaging.pip_ensure(slicer.packaging.load_requirements(requirements), requester="TSPOQuant")


#
# TSPOQuantTest
#


class TSPOQuantTest(ScriptedLoadableModuleTest):
    """
    This is the test case for your scripted module.
    Uses ScriptedLoadableModuleTest base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def setUp(self):
        """Do whatever is needed to reset the state - typically a scene clear will be enough."""
        slicer.mrmlScene.Clear()

    def runTest(self):
        """Run as few or as many tests as needed here."""
        self.setUp()
        self.test_NothingSelected()

    def test_NothingSelected(self):
        """A fresh study says what to select first."""
        logic = TSPOQuantLogic()
        for section in SECTIONS:
            self.assertTrue(logic.whatIsMissing(section, "baseline"))
            self.assertIs(logic.state(section, "baseline"), State.TO_DO)
