"""``slicer.app``, ``slicer.modules`` and the scripted modules of this repository, on the slicer-core wheel."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import slicer
import slicer.util

from . import dicom, has_qt, packaging, parameter_node, sample_data, scene, scripted

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPTED_MODULES = ("TSPOQuant", "DICOMDynamicPETPlugin")


class Application:
    """The part of qSlicerApplication that our modules and slicer.util use."""

    applicationName = "Slicer"
    applicationLocaleName = "en_US"

    def __init__(self, boot, qt_application):
        self._boot = boot
        self._qt = qt_application
        self._started = []
        self.cursors = 0

    def applicationLogic(self):
        return self._boot.application_logic

    def layoutManager(self):
        return None  # as in a Slicer without main window

    def moduleManager(self):
        return self

    def module(self, name):
        return getattr(slicer.modules, name.lower(), None)

    def testingEnabled(self):
        return True

    def translate(self, context, text):
        return scripted.translate(context, text)

    def processEvents(self):
        if self._qt:
            self._qt.processEvents()

    def setOverrideCursor(self, cursor):
        self.cursors += 1

    def restoreOverrideCursor(self):
        self.cursors -= 1

    def connect(self, signal, function):
        if signal != "startupCompleted()":
            raise ValueError(f"no stand-in for the application's signal {signal}")
        self._started.append(function)


class CoreModule:
    """A loadable module of Slicer's core: its logic, no panel."""

    def __init__(self, name, logic):
        self.name = name
        self._logic = logic

    def logic(self):
        return self._logic


class SequencesModule(CoreModule):
    """Also the sequence tool bar, and what shows a browser in it; ``shown`` is the last one."""

    shown = None

    def showSequenceBrowser(self, browser):
        if not isinstance(browser, slicer.vtkMRMLSequenceBrowserNode):
            raise ValueError(f"showSequenceBrowser takes a browser node, not {browser!r}")
        self.setToolBarActiveBrowserNode(browser)
        return True

    def setToolBarActiveBrowserNode(self, browser):
        self.shown = browser

    def toolBar(self):
        return self

    def activeBrowserNode(self):
        return self.shown


class ModuleParent:
    """What a module class fills in: the properties of qSlicerScriptedLoadableModule, no others."""

    __slots__ = (
        "acknowledgementText",
        "associatedNodeTypes",
        "categories",
        "contributors",
        "dependencies",
        "helpText",
        "hidden",
        "icon",
        "index",
        "path",
        "title",
    )


def _widget_classes():
    """qSlicerScriptedLoadableModuleWidget: the frame that Slicer puts around a scripted panel."""
    import qt

    class qSlicerScriptedLoadableModuleWidget(slicer.qMRMLWidget):  # noqa: N801 - its real name
        def __init__(self, python_class):
            super().__init__()
            self._entered = False
            self.setLayout(qt.QVBoxLayout())
            self.setMRMLScene(slicer.mrmlScene)
            self._make(python_class)

        def _make(self, python_class):
            self._python = python_class(self)
            setattr(slicer.modules, python_class.__name__, self._python)
            self._python.setup()

        def reload(self):
            name = type(self._python).__name__
            self._make(getattr(sys.modules[name.removesuffix("Widget")], name))

        @property
        def isEntered(self):
            return self._entered

        def self(self):
            return self._python

        def enter(self):
            self._entered = True
            self._python.enter()

        def exit(self):
            self._entered = False
            self._python.exit()

    return qSlicerScriptedLoadableModuleWidget


class ScriptedModule:
    """A scripted module as ``slicer.modules.<name>``; its panel is made when it is first asked for."""

    def __init__(self, path):
        self.path = str(path)
        self.name = path.stem
        spec = importlib.util.spec_from_file_location(self.name, path)
        python = importlib.util.module_from_spec(spec)
        sys.modules[self.name] = python
        spec.loader.exec_module(python)
        self.python = python
        self.parent = ModuleParent()
        self.parent.path = self.path
        self.instance = getattr(python, self.name)(self.parent)
        self._widget = None

    @property
    def title(self):
        return self.parent.title

    def widgetRepresentation(self):
        widget_class = getattr(self.python, f"{self.name}Widget", None)
        if self._widget is None and widget_class is not None:
            self._widget = slicer.qSlicerScriptedLoadableModuleWidget(widget_class)
        return self._widget


def select_module(module):
    """``slicer.util.selectModule``: leave the panel that is open, enter this one."""
    wanted = slicer.app.module(module if isinstance(module, str) else module.name)
    if wanted is None:
        raise RuntimeError(f"Could not find module {module}")
    for other in vars(slicer.modules).values():
        frame = getattr(other, "_widget", None)
        if frame is not None and frame.isEntered and other is not wanted:
            frame.exit()
    frame = wanted.widgetRepresentation()
    if not frame.isEntered:
        frame.enter()


def install():
    """Complete the ``slicer`` module; call through ``host.install``."""
    slicer.standIn = True
    boot = scene.Boot()
    slicer.mrmlScene = boot.scene
    slicer.modules = SimpleNamespace(
        **{name.lower(): CoreModule(name, logic) for name, logic in boot.logics.items()},
    )
    slicer.modules.sequences = SequencesModule("Sequences", boot.logics["Sequences"])
    made = [*scripted.modules(), parameter_node.module(), *dicom.modules(), sample_data.module(), packaging.module()]
    qt_application = None
    if has_qt():
        from . import qtshim, widgets

        qt = qtshim.make_module(widgets.QUiLoader)
        qt_application = qt.QApplication.instance() or qt.QApplication([])
        ctk = ModuleType("ctk")
        vars(ctk).update(widgets.CTK_WIDGETS)
        vars(slicer).update(widgets.MRML_WIDGETS)
        made += [qt, ctk]
        for name, widget_class in widgets.WIDGET_MODULES.items():
            module = ModuleType(name)
            setattr(module, widget_class.__name__, widget_class)
            made.append(module)
    for module in made:
        sys.modules[module.__name__] = module
        if module.__name__.startswith("slicer."):
            setattr(slicer, module.__name__.removeprefix("slicer."), module)
    slicer.app = Application(boot, qt_application)
    if has_qt():
        slicer.qSlicerScriptedLoadableModuleWidget = _widget_classes()
    slicer.util.selectModule = select_module
    slicer.dicomDatabase = dicom.Database()
    for name in SCRIPTED_MODULES:
        # A test loads them as Slicer's Extension Manager installs them: all in one folder.
        script = Path(os.environ.get("TSPOQUANT_INSTALLED") or REPOSITORY / name) / f"{name}.py"
        sys.path.insert(0, str(script.parent))
        setattr(slicer.modules, name.lower(), ScriptedModule(script))
    for function in slicer.app._started:
        function()
