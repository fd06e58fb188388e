"""The stand-ins for Slicer's widgets and parameter nodes refuse what Slicer would refuse."""

import gc
import tempfile
import unittest
from pathlib import Path
from typing import Annotated

import slicer
import slicer.util
import vtk
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

try:
    import ctk
    import qt
except ImportError as error:
    raise unittest.SkipTest("no Qt for Python here") from error

UI = """<ui version="4.0"><class>Panel</class><widget class="qMRMLWidget" name="Panel"><layout class="QVBoxLayout">
<item>{widget}</item></layout></widget><customwidgets>{custom}</customwidgets>
<connections><connection><sender>Panel</sender><signal>{signal}</signal><receiver>w</receiver><slot>{slot}</slot>
</connection></connections></ui>"""
CUSTOM = "".join(
    f"<customwidget><class>{kind}</class><extends>QWidget</extends></customwidget>"
    for kind in ("qMRMLWidget", "qMRMLNodeComboBox")
)
SCENE, SET_SCENE = "mrmlSceneChanged(vtkMRMLScene*)", "setMRMLScene(vtkMRMLScene*)"


only_on_stand_ins = unittest.skipUnless(hasattr(slicer, "standIn"), "this is Slicer itself")


@only_on_stand_ins
class WidgetsTest(unittest.TestCase):
    def test_properties_are_attributes(self):
        button = qt.QPushButton("Go")
        button.enabled = False
        self.assertFalse(button.isEnabled())
        self.assertEqual(button.text, "Go")
        path = ctk.ctkPathLineEdit()
        seen = []
        path.connect("currentPathChanged(QString)", seen.append)
        path.currentPath = "a"
        self.assertEqual(seen, ["a"])

    def test_unknown_attribute_signal_and_slot_are_refused(self):
        button = qt.QPushButton()
        with self.assertRaises(AttributeError):
            button.enable = True
        with self.assertRaises(AttributeError):
            _ = button.tooltip
        with self.assertRaises(AttributeError):
            button.setEnabled = True
        with self.assertRaises(ValueError):
            button.connect("pushed()", print)
        with self.assertRaises(ValueError):
            ctk.ctkPathLineEdit().connect("pathChanged(QString)", print)
        with self.assertRaises(TypeError):
            button.enabled = [1, 2]

    def test_surplus_arguments_are_dropped(self):
        seen = []
        button = qt.QPushButton()
        button.connect("clicked(bool)", lambda: seen.append("clicked"))
        button.click()
        self.assertEqual(seen, ["clicked"])

    def load(self, widget, custom=CUSTOM, signal=SCENE, slot=SET_SCENE):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "panel.ui"
            path.write_text(UI.format(widget=widget, custom=custom, signal=signal, slot=slot), encoding="utf-8")
            return slicer.util.loadUI(str(path))

    def test_wrong_ui_files_are_refused(self):
        good = '<widget class="qMRMLNodeComboBox" name="w">{}</widget>'
        self.assertIsNotNone(self.load(good.format("")))
        with self.assertRaises(ValueError):
            self.load(good.format('<property name="noneEnable"><bool>true</bool></property>'))
        with self.assertRaises(ValueError):
            self.load('<widget class="qMRMLTreeView" name="w"/>')
        with self.assertRaises(ValueError):
            self.load(good.format(""), custom="")
        with self.assertRaises(ValueError):
            self.load(good.format(""), signal="sceneChanged(vtkMRMLScene*)")
        with self.assertRaises(ValueError):
            self.load(good.format(""), slot="setScene(vtkMRMLScene*)")


@only_on_stand_ins
class ParameterNodeTest(unittest.TestCase):
    def test_unknown_types_and_fields_are_refused(self):
        with self.assertRaises(TypeError):

            @parameterNodeWrapper
            class WithSet:
                things: set

        with self.assertRaises(TypeError):

            @parameterNodeWrapper
            class WithWords:
                thing: Annotated[int, "between 1 and 3"]

        with self.assertRaises(ValueError):

            @parameterNodeWrapper
            class WithReservedName:
                connectGui: int

        @parameterNodeWrapper
        class Good:
            part: Annotated[float, WithinRange(0, 1)] = 0.5

        good = Good(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
        self.assertEqual(good.part, 0.5)
        with self.assertRaises(ValueError):
            good.part = 2.0
        with self.assertRaises(AttributeError):
            good.parts = 0.2

    def test_a_node_does_not_call_a_wrapper_that_is_gone(self):
        """Collected with the node's Python object, its callback would be called emptied, which ends the program."""

        @parameterNodeWrapper
        class Good:
            part: float = 0.5

        before = {slicer.mrmlScene.GetNthNode(n).GetID() for n in range(slicer.mrmlScene.GetNumberOfNodes())}
        good = Good(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
        spin = qt.QDoubleSpinBox()
        good.connectParametersToGui({"part": spin})
        good.__dict__["itself"] = good
        del good, spin
        gc.collect()
        nodes = (slicer.mrmlScene.GetNthNode(n) for n in range(slicer.mrmlScene.GetNumberOfNodes()))
        (node,) = [one for one in nodes if one.GetID() not in before]
        self.assertFalse(node.HasObserver(vtk.vtkCommand.ModifiedEvent))


if __name__ == "__main__":
    unittest.main()
