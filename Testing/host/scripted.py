"""Stand-ins for ``slicer.ScriptedLoadableModule`` and ``slicer.i18n``, after Slicer's Base/Python/slicer."""

import inspect
import os
import sys
import unittest
from pathlib import Path
from types import ModuleType

import slicer


def translate(context, text):
    """As the translators say that a test has installed; without one untranslated, as in an English Slicer."""
    if not context or not isinstance(text, str):
        raise TypeError("translate takes a context and a text")
    if "PySide6.QtCore" not in sys.modules:
        return text
    return sys.modules["PySide6.QtCore"].QCoreApplication.translate(context, text)


def tr(text):
    """In the context that Slicer derives from the file of the caller: its name, below that of its package."""
    file = Path(inspect.currentframe().f_back.f_code.co_filename)
    package = f"{file.parent.name}." if (file.parent / "__init__.py").is_file() else ""
    return translate(package + file.stem, text)


class ScriptedLoadableModule:
    def __init__(self, parent):
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title = ""
        parent.categories = []
        parent.dependencies = []
        parent.contributors = []
        parent.helpText = ""
        parent.acknowledgementText = ""

    def resourcePath(self, filename):
        return os.path.join(os.path.dirname(self.parent.path), "Resources", filename)  # noqa: PTH118, PTH120


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None):
        import qt

        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = False
        if parent is None:
            self.parent = slicer.qMRMLWidget()
            self.parent.setLayout(qt.QVBoxLayout())
            self.parent.setMRMLScene(slicer.mrmlScene)
        else:
            self.parent = parent
        self.layout = self.parent.layout()
        if parent is None:
            self.setup()
            self.parent.show()

    def resourcePath(self, filename):
        return str(Path(inspect.getfile(type(self))).parent / "Resources" / filename)

    def setup(self):
        pass

    def cleanup(self):
        pass


class ScriptedLoadableModuleLogic:
    def __init__(self, parent=None):
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.AddNode(self.createParameterNode())
        node.SetAttribute("ModuleName", self.moduleName)
        return node

    def createParameterNode(self):
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    def delayDisplay(self, message, requestedDelay=None, msec=None):
        slicer.app.processEvents()

    def runTest(self):
        for name in [name for name in dir(self) if name.startswith("test")]:
            self.setUp()
            getattr(self, name)()
            self.tearDown()


def modules():
    """The two Python modules, to be put into ``sys.modules``."""
    scripted = ModuleType("slicer.ScriptedLoadableModule")
    kinds = ScriptedLoadableModule, ScriptedLoadableModuleWidget, ScriptedLoadableModuleLogic
    for kind in (*kinds, ScriptedLoadableModuleTest):
        setattr(scripted, kind.__name__, kind)
    i18n = ModuleType("slicer.i18n")
    i18n.tr, i18n.translate = tr, translate
    return scripted, i18n
