import enum
import json
import logging
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLSequenceNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import (
    WithinRange,
    parameterNodeWrapper,
)
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin
from TSPOQuantLib.errors import Cancelled, InputRefused
from TSPOQuantLib.mrml import content, fusion, segmentations, sequence_io, study_nodes, tables, views, volumes
from TSPOQuantLib.mrml.language import told
from TSPOQuantLib.mrml.panel_state import SECTIONS, State, Step, fingerprint, state_of, study_state
from TSPOQuantLib.progress import Progress, part, silent
from TSPOQuantLib.regions.anatomy import FORAMINA, identify

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
# Choices. Saved scenes keep the names of the values.
#


class BloodRoute(enum.Enum):
    """Where the blood samples were drawn."""

    UNKNOWN = "unknown"
    ARTERIAL = "arterial"
    VENOUS = "venous"

    def label(self) -> str:
        return {"UNKNOWN": _("Not known"), "ARTERIAL": _("Artery"), "VENOUS": _("Vein")}[self.name]


class Genotype(enum.Enum):
    """Of rs6971, on which TSPO binding depends."""

    UNKNOWN = "unknown"
    HAB = "HAB"
    MAB = "MAB"
    LAB = "LAB"

    def label(self) -> str:
        return {
            "UNKNOWN": _("Not known"),
            "HAB": _("High-affinity binder"),
            "MAB": _("Mixed-affinity binder"),
            "LAB": _("Low-affinity binder"),
        }[self.name]


class Level(enum.Enum):
    """A cervical foramen, by the vertebrae above and below."""

    UNKNOWN = ""
    C2_C3 = "C2/C3"
    C3_C4 = "C3/C4"
    C4_C5 = "C4/C5"
    C5_C6 = "C5/C6"
    C6_C7 = "C6/C7"
    C7_T1 = "C7/T1"

    def label(self) -> str:
        if not self.value:
            return _("Not chosen")
        return _("{level} (root {root})").format(level=self.value, root=FORAMINA[self.value])


class Side(enum.Enum):
    """Of the patient."""

    UNKNOWN = ""
    LEFT = "left"
    RIGHT = "right"

    def label(self) -> str:
        return {"UNKNOWN": _("Not chosen"), "LEFT": _("Left"), "RIGHT": _("Right")}[self.name]


class Motion(enum.Enum):
    """What is brought in register."""

    RIGID = "rigid"
    FRAMES = "frames"
    NONE = "none"

    def label(self) -> str:
        return {
            "RIGID": _("Frames, and PET to CT"),
            "FRAMES": _("Frames alone"),
            "NONE": _("Not corrected"),
        }[self.name]


class InputSource(enum.Enum):
    """What the input function is made of."""

    IMAGE = "image-derived"
    SAMPLES = "blood"
    GIVEN = "given"

    def label(self) -> str:
        return {
            "IMAGE": _("Blood pool in the PET"),
            "SAMPLES": _("Blood samples"),
            "GIVEN": _("Ready, in the blood file"),
        }[self.name]


class Calibration(enum.Enum):
    """How an image-derived curve meets the blood samples."""

    RECOVERY = "recovery-spill-in"
    SCALE = "scale"

    def label(self) -> str:
        return {"RECOVERY": _("Recovery and spill-in"), "SCALE": _("One factor")}[self.name]


class BloodVolume(enum.Enum):
    """What the models do about blood within a region."""

    FITTED = "fit"
    FIXED = "fixed"
    NEGLECTED = "none"

    def label(self) -> str:
        return {"FITTED": _("Fitted"), "FIXED": _("Fixed at"), "NEGLECTED": _("Neglected")}[self.name]


class PartialVolume(enum.Enum):
    """Partial-volume correction beside the uncorrected results."""

    NONE = "none"
    GTM = "GTM"
    RBV = "RBV"
    IY = "IY"
    STC = "STC"

    def label(self) -> str:
        return _("Not corrected") if self is PartialVolume.NONE else self.value


class MapModel(enum.Enum):
    """Model of a map."""

    LOGAN = "Logan"
    MA1 = "MA1"
    ONE_TISSUE = "1TCM"
    TWO_TISSUE = "2TCM"

    def label(self) -> str:
        return {"LOGAN": "Logan", "MA1": "MA1", "ONE_TISSUE": "1T2k", "TWO_TISSUE": "2T4k"}[self.name]


class Language(enum.Enum):
    """Of the report."""

    EN = "en"
    FR = "fr"

    def label(self) -> str:
        return {"EN": "English", "FR": "français"}[self.name]


#
# TSPOQuantParameterNode
#


@parameterNodeWrapper
class TSPOQuantParameterNode:
    """
    What all visits of a study share.

    subject - Label of the subject.
    level, side - The affected foramen.
    genotype - Of rs6971; only warned of.
    sessions - Labels of the visits in their order.
    currentSession - The visit that the panel shows.
    clinicalFile - Scores and treatment; may be empty.
    repeatabilityFile - Repeatability coefficients; may be empty.
    accepted - Codes of differences between visits that the user accepts.
    language - Of the report.
    reportFolder - Where the report goes.
    """

    subject: str = "unnamed"
    level: Level = Level.UNKNOWN
    side: Side = Side.UNKNOWN
    genotype: Genotype = Genotype.UNKNOWN
    sessions: list[str]
    currentSession: str = "baseline"
    clinicalFile: str
    repeatabilityFile: str
    accepted: list[str]
    language: Language = Language.EN
    reportFolder: str


@parameterNodeWrapper
class TSPOQuantVisitParameterNode:
    """
    The choices of one visit.

    petSequence - The dynamic PET: one volume a frame, with frame times.
    ctVolume - The CT of the same visit; may be missing.
    injectedDose - MBq at injection; 0 takes what the images say.
    weight - kg; 0 takes what the images say.
    washout - A note; changes no number.
    motion - What is brought in register.
    segmentation - The regions to quantify, and the blood pool.
    labels - Segmentation with vertebrae, from which regions are proposed.
    clickedLevel, clickedSide - The foramen that two points mark.
    inputSource - What the input function is made of.
    bloodPoolSegmentID - The segment that holds blood only; needed for an image-derived input.
    calibration - How an image-derived curve meets the samples.
    bloodFile - Blood measurements of the visit.
    bloodRoute - Where the blood samples were drawn.
    oneTissue, twoTissue, logan, ma1 - Which models are fitted.
    bloodVolume - How the models treat the blood fraction V_B of a region.
    fixedBloodVolume - V_B if it is fixed. 0.05 is a common value for brain, assumed here.
    fitDelay - Whether the input's delay is fitted.
    pvc - Partial-volume correction.
    fwhm - Resolution in mm; 0 where it is not known.
    mapModel - Model of the map.
    """

    petSequence: vtkMRMLSequenceNode
    ctVolume: vtkMRMLScalarVolumeNode
    injectedDose: Annotated[float, WithinRange(0, 2000)] = 0.0
    weight: Annotated[float, WithinRange(0, 300)] = 0.0
    washout: str
    motion: Motion = Motion.RIGID
    segmentation: vtkMRMLSegmentationNode
    labels: vtkMRMLSegmentationNode
    clickedLevel: Level = Level.UNKNOWN
    clickedSide: Side = Side.UNKNOWN
    inputSource: InputSource = InputSource.IMAGE
    bloodPoolSegmentID: str
    calibration: Calibration = Calibration.RECOVERY
    bloodFile: str
    bloodRoute: BloodRoute = BloodRoute.UNKNOWN
    oneTissue: bool = True
    twoTissue: bool = False
    logan: bool = True
    ma1: bool = False
    bloodVolume: BloodVolume = BloodVolume.FITTED
    fixedBloodVolume: Annotated[float, WithinRange(0, 0.5)] = 0.05
    fitDelay: bool = False
    pvc: PartialVolume = PartialVolume.NONE
    fwhm: Annotated[float, WithinRange(0, 20)] = 0.0
    mapModel: MapModel = MapModel.LOGAN


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


def _nothing() -> None:
    """Where no undo is kept."""


class TSPOQuantLogic(ScriptedLoadableModuleLogic):
    """Takes nodes to the library and its results back to the scene; computes nothing itself.
    Can be used without the panel, from scripts: every step is one method, visits are named by their labels.
    What a step computes enters the scene at its end, all or nothing; it raises InputRefused, and Cancelled through
    ``progress``.
    Uses ScriptedLoadableModuleLogic base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    SESSIONS = ("baseline", "followup")

    def __init__(self, quantify=None) -> None:
        """:param quantify: replaces TSPOQuantLib.pipeline.quantify, for tests."""
        ScriptedLoadableModuleLogic.__init__(self)
        self._quantify = quantify
        self._wrapped = {}

    # Visits and choices

    def _wrap(self, wrapper, node):
        """A parameter node in its wrapper, which is made once a node: it reads every parameter."""
        if self._wrapped.get(node.GetSingletonTag(), (None,))[0] is not node:
            self._wrapped[node.GetSingletonTag()] = node, wrapper(node)
        return self._wrapped[node.GetSingletonTag()][1]

    def getParameterNode(self):
        study = self._wrap(TSPOQuantParameterNode, super().getParameterNode())
        if not study.sessions:
            study.sessions = list(self.SESSIONS)
        return study

    def sessions(self) -> list[str]:
        """Labels of all visits, the first one is the baseline."""
        return list(self.getParameterNode().sessions)

    def visit(self, session: str) -> TSPOQuantVisitParameterNode:
        """The choices of a visit, which are kept in the scene."""
        if session not in self.sessions():
            raise InputRefused("visit-unknown", _("No visit is called '{session}'; add it.").format(session=session))
        tag = f"{self.moduleName}-{session}"
        node = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(tag)
            node.SetAttribute("ModuleName", self.moduleName)
            node.SetName(f"{self.moduleName} {session}")
            node = slicer.mrmlScene.AddNode(node)
        return self._wrap(TSPOQuantVisitParameterNode, node)

    def addVisit(self, session: str) -> TSPOQuantVisitParameterNode:
        """Add a visit after the others; refuses ("visit-label") what is no label or is there already."""
        from TSPOQuantLib.study import LABEL

        study = self.getParameterNode()
        if not LABEL.fullmatch(session) or session in study.sessions:
            raise InputRefused(
                "visit-label", _("A visit needs a label of its own, of letters and digits alone, such as 'week12'.")
            )
        study.sessions = [*study.sessions, session]
        return self.visit(session)

    def removeVisit(self, session: str) -> None:
        """Forget a visit's choices and results; its images, regions and files stay. The last visit cannot go."""
        study = self.getParameterNode()
        left = [one for one in study.sessions if one != session]
        if not left:
            raise InputRefused("visit-last", _("A study needs at least one visit; add another one first."))
        node = self.visit(session).parameterNode
        study.sessions = left
        if study.currentSession == session:
            study.currentSession = left[0]
        study_nodes.remove_results(session)
        slicer.mrmlScene.RemoveNode(node)

    def settingsOf(self, session: str):
        """A visit's choices as TSPOQuantLib.study.StudySettings."""
        from TSPOQuantLib.study import StudySettings

        study, visit = self.getParameterNode(), self.visit(session)
        chosen = {"1TCM": visit.oneTissue, "2TCM": visit.twoTissue, "Logan": visit.logan, "MA1": visit.ma1}
        fixed = visit.bloodVolume is BloodVolume.FIXED
        return StudySettings(
            subject=study.subject,
            session=session,
            genotype=study.genotype.value,
            washout=visit.washout,
            blood_pool=self.bloodPoolName(visit),
            input_source=visit.inputSource.value,
            calibration=visit.calibration.value,
            models=tuple(name for name, on in chosen.items() if on),
            vb=visit.fixedBloodVolume if fixed else visit.bloodVolume.value,
            delay_s="fit" if visit.fitDelay else 0.0,
            motion_correction=visit.motion.value,
            pvc=visit.pvc.value,
            fwhm_mm=visit.fwhm or None,
        )

    def bloodPoolName(self, visit: TSPOQuantVisitParameterNode) -> str:
        """Name of the chosen blood pool; empty if none is chosen, or it is no longer in the segmentation."""
        if visit.segmentation is None:
            return ""
        segment = visit.segmentation.GetSegmentation().GetSegment(visit.bloodPoolSegmentID)
        return segment.GetName() if segment else ""

    def findBloodPool(self, segmentation: vtkMRMLSegmentationNode | None) -> str:
        """ID of the first segment that is called or tagged a blood pool; empty if there is none."""
        if segmentation is None:
            return ""
        for segmentID in segmentation.GetSegmentation().GetSegmentIDs():
            segment = segmentation.GetSegmentation().GetSegment(segmentID)
            if identify(segment.GetName(), segmentations.tags_of(segment)).structure == "blood-pool":
                return segmentID
        return ""

    def loadDigitalNeck(self, progress: Progress = silent, settings=None) -> list[str]:
        """Put the simulated neck into the scene, and fill in the study with its two visits; their labels.

        :param settings: TSPOQuantLib.phantom.PhantomSettings; None takes a quick one
        """
        from TSPOQuantLib.mrml import sample_data

        visits = sample_data.load_neck(progress, settings)
        study = self.getParameterNode()
        study.sessions = [neck.session for neck in visits]
        study.subject, study.genotype = "phantom", Genotype.HAB
        study.level, study.side = Level.C6_C7, Side.LEFT
        study.clinicalFile = str(visits[0].blood.parents[1] / "clinical.toml")
        for neck in visits:
            visit = self.visit(neck.session)
            visit.petSequence, visit.ctVolume = neck.sequence_node, neck.ct_node
            visit.segmentation = neck.segmentation_node
            visit.bloodPoolSegmentID = self.findBloodPool(neck.segmentation_node)
            visit.bloodFile, visit.bloodRoute = str(neck.blood), BloodRoute.ARTERIAL
        study.currentSession = visits[0].session
        return list(study.sessions)

    # States

    def whatIsMissing(self, section: str, session: str) -> str:
        """What the user has to do before a section can be run; empty if all is there."""
        from TSPOQuantLib.study import LABEL

        if section == "report":
            return "" if self.comparable() else _("Compute at least one visit.")
        study, visit = self.getParameterNode(), self.visit(session)
        if not LABEL.fullmatch(study.subject):
            return _("Give the subject a label of letters and digits.")
        if not visit.petSequence:
            return _("Select a PET sequence.")
        if section == "study":
            return ""
        if section == "fusion":
            needsCt = visit.motion is Motion.RIGID and not visit.ctVolume
            return _("Select a CT volume, or leave PET and CT where they lie.") if needsCt else ""
        if section in ("regions", "kinetics") or visit.inputSource is InputSource.IMAGE:
            if not visit.segmentation:
                return _("Select a segmentation with the regions to quantify.")
            if not visit.segmentation.GetSegmentation().GetNumberOfSegments():
                return _("Draw the regions to quantify.")
        if section == "regions":
            return ""
        if visit.inputSource is InputSource.IMAGE and not self.bloodPoolName(visit):
            return _("Select the segment that is the blood pool, or another source of the input function.")
        if not visit.bloodFile:
            return _("Select a file with blood measurements.")
        if not Path(visit.bloodFile).is_file():
            return _("The file with blood measurements does not exist.")
        if section == "kinetics":
            if not self.settingsOf(session).models:
                return _("Check at least one model.")
            if visit.pvc is not PartialVolume.NONE and not visit.fwhm:
                return _("Give the scanner's resolution, which partial-volume correction needs.")
        return ""

    def step(self, section: str, session: str) -> Step:
        """A section's case: what is missing, from what it would be made, and from what its result was made."""
        missing = self.whatIsMissing(section, session)
        node = self._resultOf(section, session)
        madeFrom = (node.GetAttribute(study_nodes.MADE_FROM) or "") if node is not None else ""
        inputs = self._inputsOf(section, session)
        if section == "fusion" and self.visit(session).motion is Motion.NONE and not missing:
            madeFrom = inputs  # nothing to be done is done
        return Step(missing, inputs, madeFrom)

    def state(self, section: str, session: str) -> State:
        """What is to be done about a section of a visit."""
        if section == "study":
            study, visit = self.getParameterNode(), self.visit(session)
            openQuestions = (study.level is Level.UNKNOWN, study.side is Side.UNKNOWN, not visit.ctVolume)
            return study_state(self.whatIsMissing(section, session), any(openQuestions))
        return state_of(self.step(section, session))

    _RESULTS = {
        "fusion": (study_nodes.ALIGNMENT, "vtkMRMLTextNode"),
        "regions": (study_nodes.QUALITY, "vtkMRMLTextNode"),
        "input": ("chart input", "vtkMRMLPlotChartNode"),
        "kinetics": (study_nodes.RECORD, "vtkMRMLTextNode"),
    }

    def _resultOf(self, section: str, session: str):
        if section == "report":
            return study_nodes.find(study_nodes.WHOLE_STUDY, study_nodes.REPORT, "vtkMRMLTextNode")
        return study_nodes.find(session, *self._RESULTS[section]) if section in self._RESULTS else None

    def _inputsOf(self, section: str, session: str) -> str:
        """Fingerprint of everything that a section's result depends on."""
        study, visit = self.getParameterNode(), self.visit(session)
        if section == "report":
            results = {one: self._resultOf("kinetics", one) for one in study.sessions}
            parts = {
                one: node.GetAttribute(study_nodes.MADE_FROM) for one, node in results.items() if node is not None
            }
            parts |= {
                " clinical": content.file_key(study.clinicalFile),
                " repeatability": content.file_key(study.repeatabilityFile),
                " choices": [sorted(study.accepted), study.level.value, study.side.value, study.language.value],
            }
            return fingerprint(parts)
        pet = {"pet": content.sequence_key(visit.petSequence)}
        drawn = {"regions": content.segmentation_key(visit.segmentation)}
        if section in ("study", "regions"):
            return fingerprint(pet | drawn)
        placed = pet | {"ct": content.volume_key(visit.ctVolume), "motion": visit.motion.value}
        if section == "fusion":
            return fingerprint(placed)
        settings = self.settingsOf(session)
        blood = {"blood": content.file_key(visit.bloodFile), "route": visit.bloodRoute.value}
        blood["source"] = settings.input_source
        if section == "input" and visit.inputSource is not InputSource.IMAGE:
            return fingerprint(pet | blood)
        if section == "input":
            chosen = {"pool": settings.blood_pool, "calibration": settings.calibration}
            return fingerprint(placed | drawn | blood | chosen)
        scan = {"dose": visit.injectedDose, "weight": visit.weight}
        return fingerprint(placed | drawn | blood | scan | vars(settings))

    # Steps

    def _read(self, session: str, *, regions: bool, progress: Progress = silent):
        """A visit's nodes and files as TSPOQuantLib.pipeline.VisitData."""
        from TSPOQuantLib import pipeline
        from TSPOQuantLib.acquisition.blood_files import read_blood

        visit = self.visit(session)
        progress(0.0, _("Reading the images"))
        image = sequence_io.dynamic_from_node(visit.petSequence)
        said = {"injected_mbq": visit.injectedDose or None, "weight_kg": visit.weight or None}
        image = replace(image, scan=replace(image.scan, **{key: value for key, value in said.items() if value}))
        ct = volumes.volume_from_node(visit.ctVolume, "HU", "CT volume") if visit.ctVolume else None
        drawn, blood = None, None
        if regions and visit.segmentation and visit.segmentation.GetSegmentation().GetNumberOfSegments():
            drawn = segmentations.segmentation_from_node(visit.segmentation)
        if visit.bloodFile and regions:
            progress(0.5, _("Reading the blood measurements"))
            blood = read_blood([Path(visit.bloodFile)], route=visit.bloodRoute.value)
        return pipeline.VisitData(image, drawn, blood, ct)

    def _require(self, section: str, session: str) -> None:
        missing = self.whatIsMissing(section, session)
        if missing:
            raise InputRefused("input-missing", missing)

    def _alignment(self, session: str, data, settings, progress: Progress):
        """The kept alignment where it is up to date, else a new one."""
        from TSPOQuantLib import pipeline

        step = self.step("fusion", session)
        node = self._resultOf("fusion", session)
        if node is not None and state_of(step) is State.DONE and settings.motion_correction != "none":
            return study_nodes.stored_alignment(session)
        return pipeline.align_visit(data.image, data.ct, settings, progress)

    def align(self, session: str, progress: Progress = silent) -> None:
        """Register the frames of a visit to each other, and its PET to its CT, as far as the visit asks for it."""
        from TSPOQuantLib import pipeline

        self._require("fusion", session)
        inputs, settings = self._inputsOf("fusion", session), self.settingsOf(session)
        data = self._read(session, regions=False, progress=part(progress, 0, 0.1))
        aligned = pipeline.align_visit(data.image, data.ct, settings, part(progress, 0.1, 1))
        progress(1.0, _("Done"))
        self._keepAlignment(session, data, aligned, inputs)

    def _keepAlignment(self, session: str, data, aligned, inputs: str) -> None:
        from TSPOQuantLib.alignment.motion import motion_table
        from TSPOQuantLib.alignment.rigid import field_points
        from TSPOQuantLib.mrml import plots

        motion = aligned[0]
        study_nodes.store_alignment(session, aligned, inputs)
        if motion is not None:
            table = motion_table(motion, field_points(data.image.grid))
            chart = plots.motion_chart(session, data.image.timing, table.translation_mm, table.displacement_mm)
            plots.draw(chart, session)

    def makeInput(self, session: str, progress: Progress = silent) -> None:
        """Make a visit's input function alone, and its plot."""
        from TSPOQuantLib import pipeline
        from TSPOQuantLib.outcome.record import input_record

        self._require("input", session)
        settings = self.settingsOf(session)
        inputs, fusionInputs = self._inputsOf("input", session), self._inputsOf("fusion", session)
        data = self._read(session, regions=True, progress=part(progress, 0, 0.1))
        aligned = None, None
        if settings.input_source == "image-derived":
            aligned = self._alignment(session, data, settings, part(progress, 0.1, 0.9))
        progress(0.9, _("Input function"))
        found = pipeline.visit_input(data, settings, aligned)
        progress(1.0, _("Done"))
        if settings.input_source == "image-derived":
            self._keepAlignment(session, data, aligned, fusionInputs)
        self._keepInput(session, data.image.timing, input_record(found, data.blood), inputs)

    def _keepInput(self, session: str, timing, found, inputs: str) -> None:
        from TSPOQuantLib.mrml import plots

        chart = plots.draw(plots.input_chart(session, timing, found), session)
        chart.SetAttribute(study_nodes.MADE_FROM, inputs)

    def checkRegions(self, session: str) -> list[str]:
        """Every objection to the drawn regions, as sentences; kept with the visit."""
        from TSPOQuantLib.mrml.regions import region_quality

        self._require("regions", session)
        inputs, visit = self._inputsOf("regions", session), self.visit(session)
        said = [told(notice.message) for notice in region_quality(visit.segmentation, visit.petSequence)]
        study_nodes.store_text(session, study_nodes.QUALITY, "\n".join(said), inputs)
        return said

    def addTemplate(self, session: str, beforeChange=None) -> None:
        """Empty segments for the affected foramen, its counterparts, the cord and the blood pool."""
        from TSPOQuantLib.mrml import regions

        study, visit = self.getParameterNode(), self.visit(session)
        self._requireNodes(visit.ctVolume, visit.segmentation)
        regions.add_template(
            visit.segmentation, visit.ctVolume, study.level.value, study.side.value, beforeChange or _nothing
        )

    def proposeBloodPool(self, session: str, beforeChange=None) -> str:
        """Both carotids from the early frames, as one segment; what came of it."""
        from TSPOQuantLib.mrml import regions

        visit = self.visit(session)
        self._requireNodes(visit.petSequence, visit.segmentation)
        placed, _found = regions.propose_blood_pool(
            visit.petSequence,
            visit.segmentation,
            visit.ctVolume,
            visit.fwhm or None,
            before_change=beforeChange or _nothing,
        )
        if placed.segment_id and not self.bloodPoolName(visit):
            visit.bloodPoolSegmentID = placed.segment_id
        return self._whatCameOf([placed])

    def proposeForamina(self, session: str, beforeChange=None) -> str:
        """Foramina and pieces of cord from vertebrae; what came of them."""
        from TSPOQuantLib.mrml import regions

        visit = self.visit(session)
        self._requireNodes(visit.ctVolume, visit.segmentation, visit.labels)
        placed = regions.propose_foramina(
            visit.labels, visit.ctVolume, visit.segmentation, before_change=beforeChange or _nothing
        )
        return self._whatCameOf(placed)

    @staticmethod
    def _whatCameOf(placed) -> str:
        made = sum(bool(one.segment_id) for one in placed)
        said = [_("{count} of {all} proposed; look at each before it is used.").format(count=made, all=len(placed))]
        said += [f"{one.name}: {told(one.reason)}" for one in placed if one.reason]
        return "\n".join(said)

    def points(self, session: str):
        """The markups node for the two mouths of a foramen, made where there is none."""
        node = study_nodes.find(session, "clicks", "vtkMRMLMarkupsFiducialNode")
        if node is None:
            node = study_nodes.find_or_add(session, "clicks", "vtkMRMLMarkupsFiducialNode", _("foramen, two points"))
            node.SetMaximumNumberOfControlPoints(2)
            node.CreateDefaultDisplayNodes()
        return node

    def addTwoClick(self, session: str, beforeChange=None) -> None:
        """A foramen between the two points that were placed, first the inner mouth; the points are used up."""
        from TSPOQuantLib.mrml import regions

        visit, points = self.visit(session), self.points(session)
        self._requireNodes(visit.ctVolume, visit.segmentation)
        if visit.clickedLevel is Level.UNKNOWN or visit.clickedSide is Side.UNKNOWN:
            raise InputRefused("input-missing", _("Choose level and side of the foramen that the points mark."))
        if points.GetNumberOfDefinedControlPoints() != 2:
            raise InputRefused(
                "input-missing", _("Place two points: the inner mouth of the foramen, then the outer one.")
            )
        inner, outer = [0.0] * 3, [0.0] * 3
        points.GetNthControlPointPositionWorld(0, inner)
        points.GetNthControlPointPositionWorld(1, outer)
        regions.add_two_click(
            visit.segmentation,
            visit.ctVolume,
            inner,
            outer,
            visit.clickedLevel.value,
            visit.clickedSide.value,
            beforeChange or _nothing,
        )
        points.RemoveAllControlPoints()

    @staticmethod
    def _requireNodes(*nodes) -> None:
        if not all(nodes):
            raise InputRefused("input-missing", _("Select the images and a segmentation first."))

    def quantify(self, session: str, progress: Progress = silent):
        """A visit from its images to V_T; the TSPOQuantLib.outcome.record.VisitRecord that the scene keeps."""
        from TSPOQuantLib import pipeline

        for section in ("fusion", "kinetics"):
            self._require(section, session)
        inputs = {section: self._inputsOf(section, session) for section in SECTIONS[1:-1]}
        settings = self.settingsOf(session)
        data = self._read(session, regions=True, progress=part(progress, 0, 0.05))
        if data.segmentation is None:
            raise InputRefused("input-missing", _("Draw the regions to quantify."))
        aligned = self._alignment(session, data, settings, part(progress, 0.05, 0.5))
        result = (self._quantify or pipeline.quantify)(
            data.image,
            data.segmentation,
            data.blood,
            settings,
            data.ct,
            progress=part(progress, 0.5, 1.0),
            inputs=self._provenance(session, data),
            aligned=aligned,
        )
        progress(1.0, _("Done"))
        record = result.record
        study_nodes.store_record(record, inputs["kinetics"])
        self._keepAlignment(session, data, aligned, inputs["fusion"])
        self._keepInput(session, record.acquisition.timing, record.input, inputs["input"])
        quality = "\n".join(told(notice.message) for notice in record.quality)
        study_nodes.store_text(session, study_nodes.QUALITY, quality, inputs["regions"])
        table = study_nodes.find_or_add(session, "results", "vtkMRMLTableNode", f"TSPOQuant {session} results")
        tables.fill_table(table, record.rows, tables.result_columns(), record.notices)
        self.showRegion(session, self._mainRegion(record))
        return record

    def _provenance(self, session: str, data) -> list[dict[str, str]]:
        """What a visit was computed from, as the command line tells its files: voxels of nodes, bytes of files."""
        from TSPOQuantLib.reporting.provenance import inputs

        arrays = {"PET sequence": data.image.activity, "CT volume": data.ct.values if data.ct else None}
        arrays |= {f"segment {segment.name}": segment.mask for segment in data.segmentation.segments}
        return [
            *(content.hashed(name, array) for name, array in arrays.items() if array is not None),
            *inputs([Path(self.visit(session).bloodFile)]),
        ]

    def _mainRegion(self, record) -> str:
        """The affected foramen where the study names it, else the first region."""
        study = self.getParameterNode()
        row = record.row("foramen", study.level.value, study.side.value, record.models[0])
        return row.region if row else record.rows[0].region

    def showRegion(self, session: str, region: str, pvc: str = "none") -> None:
        """Draw a region's curves and line into that visit's charts, and compare its models in a table."""
        from TSPOQuantLib.mrml import plots

        record = self.record(session)
        plots.draw(plots.curves_chart(record, region, pvc), session)
        line = plots.line_chart(record, region, pvc)
        if line is not None:
            plots.draw(line, session)
        table = study_nodes.find_or_add(session, "models", "vtkMRMLTableNode", f"TSPOQuant {session} models")
        tables.fill_table(table, tables.model_rows(record, region, pvc), tables.model_columns())

    def record(self, session: str):
        """The results of a visit as TSPOQuantLib.outcome.record.VisitRecord; refuses ("input-missing") without any."""
        record = study_nodes.stored_record(session)
        if record is None:
            raise InputRefused("input-missing", _("Compute the visit '{session}' first.").format(session=session))
        return record

    def comparable(self) -> list[str]:
        """Labels of the visits that have results, in the order of the study."""
        return [session for session in self.sessions() if study_nodes.has_record(session)]

    def makeMap(self, session: str, progress: Progress = silent):
        """A map of V_T, kept in the scene and shown over the CT; the volume node."""
        from TSPOQuantLib import pipeline
        from TSPOQuantLib.mrml import maps

        for section in ("fusion", "input"):
            self._require(section, session)
        settings, visit = self.settingsOf(session), self.visit(session)
        if not visit.segmentation:
            raise InputRefused("input-missing", _("Select a segmentation with the regions to quantify."))
        fusionInputs = self._inputsOf("fusion", session)
        data = self._read(session, regions=True, progress=part(progress, 0, 0.05))
        aligned = self._alignment(session, data, settings, part(progress, 0.05, 0.6))
        found = pipeline.make_visit_maps(data, settings, visit.mapModel.value, aligned, part(progress, 0.6, 1))
        progress(1.0, _("Done"))
        self._keepAlignment(session, data, aligned, fusionInputs)
        node = maps.keep(found)
        maps.show(node, visit.ctVolume)
        return node

    # Change and report

    def findings(self):
        """In what the visits with results differ, as TSPOQuantLib.outcome.comparability.Finding."""
        from TSPOQuantLib.outcome.comparability import findings_of

        records = [self.record(session) for session in self.comparable()]
        return findings_of(records) if len(records) > 1 else ()

    def keptFindings(self) -> list[dict]:
        """What the last comparison found, as Finding's fields by name."""
        return json.loads(study_nodes.text_of(study_nodes.WHOLE_STUDY, "findings") or "[]")

    def accept(self, code: str, accepted: bool = True) -> None:
        """Take a difference between the visits upon oneself, which the report then says; or no longer."""
        study = self.getParameterNode()
        others = [one for one in study.accepted if one != code]
        study.accepted = [*others, code] if accepted else others

    def compare(self):
        """All visits with results against the first one: a TSPOQuantLib.outcome.compare.Comparison.

        What it finds is kept in the scene; refuses ("visits-…") where visits differ in what can fake a change, and
        that is not accepted.
        """
        from TSPOQuantLib.outcome.clinical import Clinical, Lesion, read_clinical
        from TSPOQuantLib.outcome.compare import compare
        from TSPOQuantLib.outcome.repeatability import read_repeatability

        self._require("report", "")
        study = self.getParameterNode()
        found = self.findings()
        codes = {finding.code for finding in found}
        for role in ("changes", "verdict"):
            study_nodes.remove_role(study_nodes.WHOLE_STUDY, role)
        text = json.dumps([asdict(finding) for finding in found])
        study_nodes.store_text(study_nodes.WHOLE_STUDY, "findings", text, "")
        clinical = read_clinical(Path(study.clinicalFile)) if study.clinicalFile else Clinical({}, None)
        if study.level is not Level.UNKNOWN and study.side is not Side.UNKNOWN:
            chosen = Lesion(study.level.value, study.side.value)
            if clinical.lesion not in (None, chosen):
                raise InputRefused(
                    "lesion-differs", _("The clinical file names another foramen than the first section; correct one.")
                )
            clinical = replace(clinical, lesion=chosen)
        comparison = compare(
            [self.record(session) for session in self.comparable()],
            clinical,
            read_repeatability(Path(study.repeatabilityFile)) if study.repeatabilityFile else (),
            [code for code in study.accepted if code in codes],
        )
        table = study_nodes.find_or_add(study_nodes.WHOLE_STUDY, "changes", "vtkMRMLTableNode", _("TSPOQuant changes"))
        tables.fill_table(table, comparison.changes, tables.change_columns())
        headline = "\n".join(told(sentence) for sentence in comparison.headline)
        study_nodes.store_text(study_nodes.WHOLE_STUDY, "verdict", headline, "")
        return comparison

    def writeReport(self, folder: str = "", replaceOld: bool = False, progress: Progress = silent) -> str:
        """Write the comparison's tables and the report as HTML and PDF; the path of the HTML file.

        :param folder: a new or empty one; empty takes what is chosen in the panel
        :param replaceOld: whether results that this program wrote there may be replaced
        """
        from TSPOQuantLib.output import whole_folder
        from TSPOQuantLib.reporting.comparison_files import write_comparison
        from TSPOQuantLib.reporting.report import write_report

        study = self.getParameterNode()
        target = Path(folder or study.reportFolder)
        if not (folder or study.reportFolder):
            raise InputRefused("input-missing", _("Select a folder for the report."))
        progress(0.0, _("Comparing the visits"))
        comparison = self.compare()
        inputs = self._inputsOf("report", study.currentSession)
        pictures = self._pictures(comparison, part(progress, 0.1, 0.7))
        progress(0.7, _("Writing the report"))
        files = [Path(path) for path in (study.clinicalFile, study.repeatabilityFile) if path]
        with whole_folder(target, replaceOld, files) as scratch:
            write_comparison(scratch, comparison)
            html, _pdf = write_report(scratch, comparison, pictures, study.language.value)
        path = str(target / html.name)
        study_nodes.store_text(study_nodes.WHOLE_STUDY, study_nodes.REPORT, path, inputs)
        progress(1.0, _("Done"))
        return path

    @staticmethod
    def ensurePackages() -> None:
        """Install what reports need beyond Slicer, with the user's consent; RuntimeError where that is refused."""
        import slicer.packaging

        requirements = Path(__file__).parent / "Resources" / "requirements.txt"
        slicer.packaging.pip_ensure(slicer.packaging.load_requirements(requirements), requester="TSPOQuant")

    def reportFile(self) -> str:
        """The report that was written last; empty where there is none, or it is no longer there."""
        path = study_nodes.text_of(study_nodes.WHOLE_STUDY, study_nodes.REPORT) or ""
        return path if path and Path(path).is_file() else ""

    def _pictures(self, comparison, progress: Progress):
        """The affected foramen at every visit whose images are in the scene; none unless all are."""
        from TSPOQuantLib import pipeline

        images = []
        lesion = comparison.lesion
        sessions = [record.session for record in comparison.visits]
        for number, session in enumerate(sessions):
            visit = self.visit(session)
            if lesion is None or not (visit.petSequence and visit.ctVolume and visit.segmentation):
                return ()
            progress(number / len(sessions), _("Reading the images"))
            data, settings = self._read(session, regions=True), self.settingsOf(session)
            aligned = self._alignment(session, data, settings, part(progress, number / len(sessions), 1))
            images.append(pipeline.visit_fused(data, settings, aligned))
        row = comparison.visits[0].row("foramen", lesion.level, lesion.side, comparison.model)
        return pipeline.fused_pictures(images, [row.region]) if row else ()

    # What the panel says

    def aboutPet(self, visit: TSPOQuantVisitParameterNode) -> str:
        """A PET sequence in one sentence; why it cannot be used, where it cannot."""
        from TSPOQuantLib.acquisition.sequence_files import sequence_header

        node = visit.petSequence
        if node is None:
            return ""
        said = {name: node.GetAttribute(name) for name in node.GetAttributeNames()}
        starts = [node.GetNthIndexValue(frame) for frame in range(node.GetNumberOfDataNodes())]
        try:
            header = sequence_header(said, node.GetIndexUnit(), starts)
        except InputRefused as refused:
            return told(refused.message)
        tracer = header.scan.tracer or _("unknown tracer")
        zero = {"injection": _("injection"), "first frame": _("the first frame")}.get(
            header.time_zero, header.time_zero
        )
        return _("{frames} frames to {minutes:.0f} min from {zero}, {tracer}.").format(
            frames=len(header.timing), minutes=header.timing.ends_s[-1] / 60, zero=zero, tracer=tracer
        )

    def aboutAlignment(self, session: str) -> str:
        """What the kept alignment found."""
        try:
            aligned = study_nodes.stored_alignment(session)
        except InputRefused as refused:
            return told(refused.message)
        if aligned is None or aligned[0] is None:
            return ""
        motion, toCt = aligned
        said = [told(notice.message) for notice in (*motion.notices, *(toCt.notices if toCt else ()))]
        if toCt is not None:
            found = _("PET to CT: {shift:.1f} mm, {angle:.1f}°.").format(shift=toCt.shift_mm, angle=toCt.rotation_deg)
            said.insert(0, found)
        return "\n".join(said)

    def aboutRegions(self, session: str) -> str:
        """What the last check of the regions found."""
        return study_nodes.text_of(session, study_nodes.QUALITY) or ""

    # Display

    def showFused(self, session: str, opacity: float = fusion.PET_OPACITY) -> None:
        """Put the PET over the CT in the slice views."""
        visit = self.visit(session)
        proxy = fusion.show_sequence(visit.petSequence)
        sequence_io.restore_units(visit.petSequence)
        fusion.show_fused(visit.ctVolume, proxy, opacity)
        if visit.segmentation:
            fusion.show_regions(visit.segmentation)

    def showBeside(self, session: str) -> None:
        """Put the CT above the PET, at the same places."""
        visit = self.visit(session)
        proxy = fusion.show_sequence(visit.petSequence)
        fusion.show_fused(visit.ctVolume, proxy, layout=None)
        views.show_beside(visit.ctVolume, proxy)

    def goTo(self, session: str, segmentID: str) -> None:
        """Move all slice views to the middle of a segment, a foramen in the planes of its canal."""
        views.go_to_segment(self.visit(session).segmentation, segmentID)

    def goToRegion(self, session: str, region: str) -> None:
        """Move all slice views to the region of that name, as results name it."""
        from TSPOQuantLib.regions.region import plain_name

        segmentation = self.visit(session).segmentation
        for segmentID in segmentation.GetSegmentation().GetSegmentIDs() if segmentation else ():
            if plain_name(segmentation.GetSegmentation().GetSegment(segmentID).GetName()) == region:
                self.goTo(session, segmentID)
                return

    def selectFrame(self, session: str, frame: int) -> None:
        """Show a frame of a visit's PET wherever the sequence is shown."""
        sequence = self.visit(session).petSequence
        if sequence is not None and 0 <= frame < sequence.GetNumberOfDataNodes():
            fusion.show_sequence(sequence)
            browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(sequence)
            browser.SetSelectedItemNumber(frame)

    def showChart(self, session: str, role: str) -> bool:
        """Show one of a visit's charts in a plot view; False where there is none."""
        from TSPOQuantLib.mrml import plots

        chart = study_nodes.find(session, f"chart {role}", "vtkMRMLPlotChartNode")
        if chart is not None:
            plots.show(chart)
        return chart is not None


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
