import enum
from pathlib import Path
from typing import Annotated

import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLSequenceNode, vtkMRMLTableNode
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
from TSPOQuantLib.mrml import fusion, segmentations, sequence_io, tables, volumes
from TSPOQuantLib.progress import Progress, part, silent
from TSPOQuantLib.regions.anatomy import identify

#
# TSPOQuant
#


class TSPOQuant(ScriptedLoadableModule):
    """Uses ScriptedLoadableModule base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("TSPO PET Quantification")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = ["Sequences", "Segmentations", "Tables", "Volumes"]
        self.parent.contributors = ["TSPOQuant contributors"]
        self.parent.helpText = _("""
Measures neuroinflammation in the neck from a dynamic TSPO PET and a CT: fuses them, reads activity over time in
neuroforaminal regions, builds the blood input, fits compartment models and reports the distribution volume
V<sub>T</sub> (shown as V<sub>r</sub>).<p><b>For research use only; not a medical device.</b></p>
""")
        self.parent.acknowledgementText = _("""
Built on 3D Slicer. The source of each formula is given where it is computed.
""")


#
# TSPOQuantParameterNode
#


class BloodRoute(enum.Enum):
    """Where the blood samples were drawn. Saved scenes keep these names."""

    UNKNOWN = "unknown"
    ARTERIAL = "arterial"
    VENOUS = "venous"

    def label(self) -> str:
        return {"UNKNOWN": _("Not known"), "ARTERIAL": _("Artery"), "VENOUS": _("Vein")}[self.name]


class Genotype(enum.Enum):
    """Of rs6971, on which TSPO binding depends. Saved scenes keep these names."""

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


class InputSource(enum.Enum):
    """What the input function is made of. Saved scenes keep these names."""

    IMAGE = "image-derived"
    SAMPLES = "blood"
    GIVEN = "given"

    def label(self) -> str:
        labels = {
            "IMAGE": _("Blood pool in the PET"),
            "SAMPLES": _("Blood samples"),
            "GIVEN": _("Ready, in the blood file"),
        }
        return labels[self.name]


class BloodVolume(enum.Enum):
    """What the models do about blood within a region. Saved scenes keep these names."""

    FITTED = "fit"
    FIXED = "fixed"
    NEGLECTED = "none"

    def label(self) -> str:
        return {"FITTED": _("Fitted"), "FIXED": _("Fixed at"), "NEGLECTED": _("Neglected")}[self.name]


@parameterNodeWrapper
class TSPOQuantParameterNode:
    """
    The parameters needed by module.

    petSequence - The dynamic PET: one volume a frame, with frame times.
    ctVolume - The CT of the same visit; must be in register with the PET unless motion is corrected; may be missing.
    segmentation - The regions to quantify, and the blood pool.
    correctMotion - Whether frames are brought in register with each other and with the CT.
    genotype - Of rs6971; only warned of.
    inputSource - What the input function is made of.
    bloodPoolSegmentID - The segment that holds blood only; needed for an image-derived input.
    bloodFile - Blood measurements of the visit.
    bloodRoute - Where the blood samples were drawn.
    bloodVolume - How the models treat the blood fraction V_B of a region.
    fixedBloodVolume - V_B if it is fixed. 0.05 is a common value for brain, assumed here.
    resultTable - The table that the results are written to.
    """

    petSequence: vtkMRMLSequenceNode
    ctVolume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    correctMotion: bool = False
    genotype: Genotype = Genotype.UNKNOWN
    inputSource: InputSource = InputSource.IMAGE
    bloodPoolSegmentID: str
    bloodFile: str
    bloodRoute: BloodRoute = BloodRoute.UNKNOWN
    bloodVolume: BloodVolume = BloodVolume.FITTED
    fixedBloodVolume: Annotated[float, WithinRange(0, 0.5)] = 0.05
    resultTable: vtkMRMLTableNode


#
# TSPOQuantWidget
#


class TSPOQuantWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Uses ScriptedLoadableModuleWidget base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, parent=None) -> None:
        """Called when the user opens the module the first time and the widget is initialized."""
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)  # needed for parameter node observation
        self.logic = None
        self._parameterNode = None
        self._parameterNodeGuiTag = None
        self._observedSegmentation = None
        self._running = False
        self._cancelRequested = False

    def setup(self) -> None:
        """Called when the user opens the module the first time and the widget is initialized."""
        ScriptedLoadableModuleWidget.setup(self)

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/TSPOQuant.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)

        # The top-level qMRMLWidget hands the scene to the selectors, as connected in the .ui file.
        uiWidget.setMRMLScene(slicer.mrmlScene)
        # Sequences of anything but volumes are no PET.
        self.ui.petSequenceSelector.addAttribute("vtkMRMLSequenceNode", "DataNodeClassName", "vtkMRMLScalarVolumeNode")

        self.logic = TSPOQuantLogic()

        # Connections

        # These connections ensure that we update parameter node when scene is closed
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)

        # What has no widget that parameter nodes can be bound to
        self.ui.bloodPoolComboBox.connect("currentIndexChanged(int)", self.onBloodPoolChosen)
        self.ui.bloodFilePathLineEdit.connect("currentPathChanged(QString)", self.onBloodFileChosen)
        # An empty path is no valid one, and only valid ones are announced by the signal above.
        self.ui.bloodFilePathLineEdit.connect("validInputChanged(bool)", self.onBloodFileChosen)

        # Buttons
        self.ui.fuseButton.connect("clicked(bool)", self.onFuseButton)
        self.ui.computeButton.connect("clicked(bool)", self.onComputeButton)
        self.ui.cancelButton.connect("clicked(bool)", self.onCancelButton)

        # Make sure parameter node is initialized (needed for module reload)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """Called when the application closes and the module widget is destroyed."""
        self._cancelRequested = True
        self.removeObservers()

    def enter(self) -> None:
        """Called each time the user opens this module."""
        # Make sure parameter node exists and observed
        self.initializeParameterNode()

    def exit(self) -> None:
        """Called each time the user opens a different module."""
        # Do not react to parameter node changes (GUI will be updated when the user enters into the module)
        self.setParameterNode(None)

    def onSceneStartClose(self, caller, event) -> None:
        """Called just before the scene is closed."""
        # Parameter node will be reset, do not use it anymore
        self._cancelRequested = True
        self.setParameterNode(None)

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
        # Parameter node stores all user choices in parameter values, node selections, etc.
        # so that when the scene is saved and reloaded, these settings are restored.

        self.setParameterNode(self.logic.getParameterNode())

    def setParameterNode(self, inputParameterNode: TSPOQuantParameterNode | None) -> None:
        """
        Set and observe parameter node.
        Observation is needed because when the parameter node is changed then the GUI must be updated immediately.
        """

        if self._parameterNode:
            self._parameterNode.disconnectGui(self._parameterNodeGuiTag)
            self.removeObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._updateGUI)
        self._parameterNode = inputParameterNode
        self._observeSegmentation(None)
        if self._parameterNode:
            # Note: in the .ui file, a Qt dynamic property called "SlicerParameterName" is set on each
            # ui element that needs connection.
            self._parameterNodeGuiTag = self._parameterNode.connectGui(self.ui)
            self.addObserver(self._parameterNode, vtk.vtkCommand.ModifiedEvent, self._updateGUI)
        self._updateGUI()

    def _observeSegmentation(self, segmentation: vtkMRMLSegmentationNode | None) -> None:
        """Follow the segments of this segmentation, and of no other."""
        events = (
            slicer.vtkSegmentation.SegmentAdded,
            slicer.vtkSegmentation.SegmentRemoved,
            slicer.vtkSegmentation.SegmentModified,
        )
        if self._observedSegmentation is not None:
            for event in events:
                self.removeObserver(self._observedSegmentation, event, self._updateGUI)
        self._observedSegmentation = segmentation
        if segmentation is not None:
            for event in events:
                self.addObserver(segmentation, event, self._updateGUI)

    def _updateGUI(self, caller=None, event=None) -> None:
        """Everything that is not bound by name: the one place that enables, disables and explains."""
        parameterNode = self._parameterNode
        segmentation = parameterNode.segmentation if parameterNode else None
        if segmentation is not self._observedSegmentation:
            self._observeSegmentation(segmentation)
            if parameterNode and not parameterNode.bloodPoolSegmentID:
                # Shown in the panel, where the user can choose otherwise.
                parameterNode.bloodPoolSegmentID = self.logic.findBloodPool(segmentation)
        self._fillBloodPoolComboBox(segmentation)
        bloodFile = parameterNode.bloodFile if parameterNode else ""
        if self.ui.bloodFilePathLineEdit.currentPath != bloodFile:
            self.ui.bloodFilePathLineEdit.currentPath = bloodFile
        table = parameterNode.resultTable if parameterNode else None
        if self.ui.resultTableView.mrmlTableNode() is not table:
            self.ui.resultTableView.setMRMLTableNode(table)
        self.ui.noticesLabel.text = (table.GetAttribute(tables.NOTICES) or "") if table else ""
        self.ui.noticesLabel.visible = bool(self.ui.noticesLabel.text)

        imageDerived = bool(parameterNode) and parameterNode.inputSource is InputSource.IMAGE
        self.ui.bloodPoolComboBox.enabled = imageDerived
        fixed = bool(parameterNode) and parameterNode.bloodVolume is BloodVolume.FIXED
        self.ui.fixedBloodVolumeSpinBox.enabled = fixed
        canFuse = bool(parameterNode and parameterNode.petSequence and parameterNode.ctVolume)
        self.ui.fuseButton.enabled = canFuse and not self._running
        self.ui.fuseButton.toolTip = (
            _("Show the PET over the CT in the slice views.")
            if canFuse
            else _("Select a PET sequence and a CT volume.")
        )
        missing = self.logic.whatIsMissing(parameterNode) if parameterNode else _("The module is not active.")
        self.ui.computeButton.enabled = not missing and not self._running
        self.ui.computeButton.toolTip = missing or _("Fit the models to all regions and fill the results table.")
        self.ui.inputsCollapsibleButton.enabled = not self._running
        self.ui.modelCollapsibleButton.enabled = not self._running
        self.ui.cancelButton.enabled = self._running
        self.ui.progressBar.visible = self._running

    def _fillBloodPoolComboBox(self, segmentation: vtkMRMLSegmentationNode | None) -> None:
        comboBox = self.ui.bloodPoolComboBox
        wasBlocked = comboBox.blockSignals(True)
        comboBox.clear()
        comboBox.addItem(_("None"), "")
        if segmentation is not None:
            for segmentID in segmentation.GetSegmentation().GetSegmentIDs():
                comboBox.addItem(segmentation.GetSegmentation().GetSegment(segmentID).GetName(), segmentID)
        chosen = self._parameterNode.bloodPoolSegmentID if self._parameterNode else ""
        comboBox.currentIndex = max(comboBox.findData(chosen), 0)
        comboBox.blockSignals(wasBlocked)

    def onBloodPoolChosen(self, index: int) -> None:
        """Called when the user picks another segment as blood pool."""
        if self._parameterNode:
            self._parameterNode.bloodPoolSegmentID = self.ui.bloodPoolComboBox.itemData(index) or ""

    def onBloodFileChosen(self, pathOrValidity: str | bool) -> None:
        """Called when another blood file is typed or browsed for, or the path is cleared."""
        if self._parameterNode:
            self._parameterNode.bloodFile = self.ui.bloodFilePathLineEdit.currentPath

    def onFuseButton(self) -> None:
        """Show PET over CT when user clicks "Show PET over CT" button."""
        with slicer.util.tryWithErrorDisplay(_("The images could not be shown together."), waitCursor=True):
            self.logic.showFused(self._parameterNode.petSequence, self._parameterNode.ctVolume)

    def onCancelButton(self) -> None:
        """Ask the running computation to stop; it does so at its next report."""
        self._cancelRequested = True
        self.ui.statusLabel.text = _("Stopping…")

    def onComputeButton(self) -> None:
        """Run processing when user clicks "Compute" button."""
        parameterNode = self._parameterNode
        self._running = True
        self._cancelRequested = False
        self._updateGUI()
        try:
            with slicer.util.tryWithErrorDisplay(_("Quantification failed."), waitCursor=True):
                try:
                    table = self.logic.processParameterNode(parameterNode, self._onProgress)
                except Cancelled:
                    self.ui.statusLabel.text = _("Stopped. Nothing was changed.")
                except Exception as error:
                    self.ui.statusLabel.text = str(error)
                    raise
                else:
                    parameterNode.resultTable = table
                    self.ui.statusLabel.text = _("{count} results.").format(count=table.GetNumberOfRows())
                    if table.GetAttribute(tables.NOTICES):
                        self.ui.statusLabel.text += " " + _("Read the warnings below the table.")
        finally:
            self._running = False
            self._updateGUI()

    def _onProgress(self, fraction: float, text: str) -> None:
        self.ui.progressBar.value = round(100 * fraction)
        self.ui.statusLabel.text = text
        slicer.app.processEvents()
        if self._cancelRequested:
            raise Cancelled


#
# TSPOQuantLogic
#


class TSPOQuantLogic(ScriptedLoadableModuleLogic):
    """Takes nodes to the library and its results back to the scene; computes nothing itself.
    Can be used without the panel, from scripts.
    Uses ScriptedLoadableModuleLogic base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, quantify=None) -> None:
        """:param quantify: replaces TSPOQuantLib.pipeline.quantify, for tests."""
        ScriptedLoadableModuleLogic.__init__(self)
        self._quantify = quantify

    def getParameterNode(self):
        return TSPOQuantParameterNode(super().getParameterNode())

    def whatIsMissing(self, parameterNode: TSPOQuantParameterNode) -> str:
        """What the user has to do before the results can be computed; empty if all is there."""
        if not parameterNode.petSequence:
            return _("Select a PET sequence.")
        if not parameterNode.segmentation:
            return _("Select a segmentation with the regions to quantify.")
        if parameterNode.inputSource is InputSource.IMAGE and not self.bloodPoolName(parameterNode):
            return _("Select the segment that is the blood pool, or another source of the input function.")
        if not parameterNode.bloodFile:
            return _("Select a file with blood measurements.")
        if not Path(parameterNode.bloodFile).is_file():
            return _("The file with blood measurements does not exist.")
        return ""

    def bloodPoolName(self, parameterNode: TSPOQuantParameterNode) -> str:
        """Name of the chosen blood pool; empty if none is chosen, or it is no longer in the segmentation."""
        segment = parameterNode.segmentation.GetSegmentation().GetSegment(parameterNode.bloodPoolSegmentID)
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

    def showFused(self, petSequence: vtkMRMLSequenceNode, ctVolume: vtkMRMLScalarVolumeNode) -> None:
        """Put the PET over the CT in the slice views."""
        proxy = fusion.show_sequence(petSequence)
        sequence_io.restore_units(petSequence)
        fusion.show_fused(ctVolume, proxy)

    def processParameterNode(
        self, parameterNode: TSPOQuantParameterNode, progress: Progress = silent
    ) -> vtkMRMLTableNode:
        """Run :meth:`process` with the choices made in the panel; refuses ("input-missing") what is not complete."""
        missing = self.whatIsMissing(parameterNode)
        if missing:
            raise InputRefused("input-missing", missing)
        fixed = parameterNode.bloodVolume is BloodVolume.FIXED
        return self.process(
            petSequence=parameterNode.petSequence,
            segmentation=parameterNode.segmentation,
            bloodFile=parameterNode.bloodFile,
            ctVolume=parameterNode.ctVolume,
            motionCorrection="rigid" if parameterNode.correctMotion else "none",
            genotype=parameterNode.genotype.value,
            inputSource=parameterNode.inputSource.value,
            bloodPool=self.bloodPoolName(parameterNode),
            bloodRoute=parameterNode.bloodRoute.value,
            vb=parameterNode.fixedBloodVolume if fixed else parameterNode.bloodVolume.value,
            resultTable=parameterNode.resultTable,
            progress=progress,
        )

    def process(
        self,
        petSequence: vtkMRMLSequenceNode,
        segmentation: vtkMRMLSegmentationNode,
        bloodFile: str,
        ctVolume: vtkMRMLScalarVolumeNode | None = None,
        motionCorrection: str = "none",
        genotype: str = "unknown",
        inputSource: str = "image-derived",
        bloodPool: str = "blood pool",
        bloodRoute: str = "unknown",
        vb: str | float = "fit",
        resultTable: vtkMRMLTableNode | None = None,
        progress: Progress = silent,
    ) -> vtkMRMLTableNode:
        """
        Quantify one visit. Nothing in the scene changes before all is computed.

        :param petSequence: dynamic PET, with the attributes that TSPOQuantLib/mrml/sequence_io.py names
        :param segmentation: regions, and the blood pool if there is one
        :param bloodFile: blood measurements
        :param ctVolume: CT on which the regions were drawn; in register with the PET unless motion is corrected
        :param motionCorrection: "none" or "rigid"; see TSPOQuantLib/study.py
        :param genotype: "HAB", "MAB", "LAB" or "unknown"; only warned of
        :param inputSource: "image-derived", "blood" or "given"; see TSPOQuantLib/study.py
        :param bloodPool: name of the segment that holds blood only, for an image-derived input
        :param bloodRoute: "arterial", "venous" or "unknown"
        :param vb: "fit", "none" or a fixed fraction
        :param resultTable: table to fill; a new one is made if it is None
        :param progress: called with a fraction and a text; may raise Cancelled
        :return: the table; what the whole visit is warned of is in its attribute TSPOQuantLib.mrml.tables.NOTICES
        :raises InputRefused: if the input cannot be used; says why
        """
        # Imported here because they bring in all of scipy and SimpleITK, which Slicer's start need not wait for.
        from TSPOQuantLib import pipeline
        from TSPOQuantLib.acquisition.blood_files import read_blood

        progress(0.0, _("Reading the images"))
        image = sequence_io.dynamic_from_node(petSequence)
        regions = segmentations.segmentation_from_node(segmentation)
        ct = volumes.volume_from_node(ctVolume, "HU", "CT volume") if ctVolume else None
        progress(0.1, _("Reading the blood measurements"))
        blood = read_blood([Path(bloodFile)], route=bloodRoute)
        settings = pipeline.StudySettings(
            motion_correction=motionCorrection,
            genotype=genotype,
            input_source=inputSource,
            blood_pool=bloodPool,
            vb=vb,
        )
        quantify = self._quantify or pipeline.quantify
        result = quantify(image, regions, blood, settings, ct, part(progress, 0.15, 1.0))

        if resultTable is None:
            resultTable = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", _("TSPOQuant results"))
        tables.fill_table(resultTable, result.rows, result.notices)
        return resultTable


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
        """A fresh parameter node says what to select first."""
        logic = TSPOQuantLogic()
        self.assertTrue(logic.whatIsMissing(logic.getParameterNode()))
