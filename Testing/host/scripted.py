"""Stand-ins for ``slicer.ScriptedLoadableModule`` and ``slicer.i18n``, after Slicer's Base/Python/slicer."""

import inspect
import os
import unittest
from pathlib import Path
from types import ModuleType

import slicer


def translate(context, text):
    """Untranslated, as in an English Slicer."""
    if not context or not isinstance(text, str):
        raise TypeError("translate takes a context and a text")
    return text


def tr(text):
    return translate("module", text)


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
