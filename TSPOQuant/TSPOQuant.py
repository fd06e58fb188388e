import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

if TYPE_CHECKING:
    from TSPOQuantLib.panel.study_panel import StudyPanel

# Slicer imports this file of every extension each time it starts: TSPOQuantLib is imported where it is needed, when
# the panel is opened or a step is run.

CHOICES = (
    "BloodRoute",
    "BloodVolume",
    "Calibration",
    "Genotype",
    "InputSource",
    "Language",
    "Level",
    "MapModel",
    "Motion",
    "PartialVolume",
    "Side",
)


def __getattr__(name):
    """The choices of the panel, which scripts find here."""
    if name not in CHOICES:
        raise AttributeError(f"module 'TSPOQuant' has no attribute '{name}'")
    from TSPOQuantLib.mrml import choices

    return getattr(choices, name)


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
Measures neuroinflammation along the spine from a dynamic PET and a CT or MR: fuses them, reads activity over time in
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
        slicer.app.connect("startupCompleted()", registerLayouts)


#
# Translations
#


TRANSLATORS: list = []  # Qt does not keep them alive


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
# Register layouts of views
#


def registerLayouts():
    """Let scenes be loaded that were saved with this module's layouts, also where its panel was never opened."""

    def onStartImport(caller, event):
        from TSPOQuantLib.mrml import views

        views.register_layouts()

    slicer.mrmlScene.AddObserver(slicer.mrmlScene.StartImportEvent, onStartImport)


#
# Register sample data sets in Sample Data module
#


def registerSampleData():
    """Offer the simulated neck in the Sample Data module."""
    import SampleData

    category = "TSPOQuant"
    if hasattr(SampleData.SampleDataLogic, "registerCustomSampleDataCategory"):  # new in Slicer 5.13
        SampleData.SampleDataLogic.registerCustomSampleDataCategory(category, title=_("TSPO PET Quantification"))
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=category,
        sampleName="TSPOQuant: digital neck (baseline, follow-up)",
        # No address: nothing is downloaded.
        uris="",
        fileNames="TSPOQuant-digital-neck",
        nodeNames="TSPOQuant-digital-neck",
        customDownloader=lambda source: loadSampleData(),
        thumbnailFileName=str(Path(__file__).parent / "Resources" / "Icons" / "DigitalNeck.png"),
    )
    for source in SampleData.SampleDataLogic.sampleDataSourcesByCategory(category):
        # The name is the one that scripts ask for; this is what people see.
        source.sampleDescription = _("TSPOQuant: digital neck (baseline, follow-up)")


def loadSampleData():
    """Make the digital neck on this machine, with a progress dialog, and show it in this module."""
    from TSPOQuantLib.messages import Cancelled
    from TSPOQuantLib.mrml.language import sentence
    from TSPOQuantLib.progress import part

    progressDialog = slicer.util.createProgressDialog(maximum=100, windowTitle=_("Digital neck"))
    progressDialog.minimumWidth = 360  # holds every text: one that grows before it is shown goes to a corner

    def progress(fraction, text):
        progressDialog.labelText = sentence(text)
        progressDialog.value = round(100 * fraction)
        slicer.app.processEvents()
        if progressDialog.wasCanceled:
            raise Cancelled

    slicer.app.processEvents()  # shown before the library is imported, which takes seconds
    logic = TSPOQuantLogic()
    try:
        first = logic.loadDigitalNeck(part(progress, 0, 0.9))[0]
        logic.showFused(first, progress=part(progress, 0.9, 1))
        logic.goToAffected(first)
    except Cancelled:
        return
    finally:
        progressDialog.close()
    slicer.util.selectModule("TSPOQuant")


#
# TSPOQuantWidget
#


class TSPOQuantWidget(ScriptedLoadableModuleWidget):
    """A shell around TSPOQuantLib.panel.study_panel.StudyPanel, which does the work.
    Uses ScriptedLoadableModuleWidget base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, parent=None) -> None:
        """Called when the user opens the module the first time and the widget is initialized."""
        self.panel: StudyPanel | None = None
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self) -> None:
        """Called when the user opens the module the first time and the widget is initialized."""
        from TSPOQuantLib.panel.study_panel import StudyPanel

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/TSPOQuant.ui"))
        self.layout.addWidget(uiWidget, 1)  # all the height that developer mode's buttons above it leave
        self.panel = StudyPanel(uiWidget, TSPOQuantLogic(), self.resourcePath, lambda: self.parent.isEntered)

    def cleanup(self) -> None:
        """Called when the application closes and the module widget is destroyed."""
        if self.panel:
            self.panel.cleanUp()

    def enter(self) -> None:
        """Called each time the user opens this module."""
        if self.panel:
            self.panel.enter()

    def exit(self) -> None:
        """Called each time the user opens a different module."""
        if self.panel:
            self.panel.exit()


#
# TSPOQuantLogic
#


class TSPOQuantLogic(ScriptedLoadableModuleLogic):
    """Takes nodes to the library and its results back to the scene; computes nothing itself.
    Can be used without the panel, from scripts: every step is one method, visits are named by their labels. The
    methods are those of TSPOQuantLib.mrml.study_report.StudyReport.
    Uses ScriptedLoadableModuleLogic base class, available at:
    https://github.com/Slicer/Slicer/blob/main/Base/Python/slicer/ScriptedLoadableModule.py
    """

    def __init__(self, quantify=None) -> None:
        """:param quantify: replaces TSPOQuantLib.pipeline.quantify, for tests."""
        from TSPOQuantLib.mrml.study_report import StudyReport

        ScriptedLoadableModuleLogic.__init__(self)
        self.steps = StudyReport(self.moduleName, quantify)
        # Wrappers remember what they read, also of nodes that were not there yet while a scene was being loaded.
        forget, scene = weakref.WeakMethod(self.steps.forget), slicer.mrmlScene

        def onEndImport(caller, event):
            method = forget()
            if method is not None:
                method()

        tag = scene.AddObserver(scene.EndImportEvent, onEndImport, 1.0)
        weakref.finalize(self, scene.RemoveObserver, tag)

    def getParameterNode(self):
        """The choices that all visits of the study share, which are kept in the scene."""
        return self.steps.getParameterNode()

    def __getattr__(self, name):
        """Every step of a study."""
        if name == "steps":  # not made yet
            raise AttributeError(name)
        return getattr(self.steps, name)

    def __dir__(self):
        return sorted({*super().__dir__(), *dir(self.steps)})


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
        from TSPOQuantLib.mrml.panel_state import SECTIONS, State

        logic = TSPOQuantLogic()
        for section in SECTIONS:
            self.assertTrue(logic.whatIsMissing(section, "baseline"))
            self.assertIs(logic.state(section, "baseline"), State.TO_DO)
