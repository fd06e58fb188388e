"""Stand-in for ``slicer.parameterNodeWrapper``: the field types and widgets that we use, errors for all others.

Values are stored as Slicer stores them (numbers and strings as text, bool as True/False, enumerations by name, nodes
as references, lists of strings with their length and one parameter an element), so that a scene written here reads
there.
"""

import enum
import functools
import typing
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import slicer

from .observing import observe


class Default:
    def __init__(self, value=None):
        self.value = value


@dataclass
class WithinRange:
    minimum: float
    maximum: float

    def validate(self, value):
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class Field:
    """One typed field: how it is checked, written to the node and read back."""

    def __init__(self, name, annotation, default):
        self.name = name
        self.kind, *extra = typing.get_args(typing.Annotated[annotation, None])[:-1]
        self.ranges = [item for item in extra if isinstance(item, WithinRange)]
        defaults = [item.value for item in extra if isinstance(item, Default)]
        if len(self.ranges) + len(defaults) != len(extra):
            raise TypeError(f"{name}: unknown annotation among {extra}")
        self.is_node = isinstance(self.kind, type) and issubclass(self.kind, slicer.vtkMRMLNode)
        self.is_enum = isinstance(self.kind, type) and issubclass(self.kind, enum.Enum)
        self.is_list = self.kind == list[str]
        if not (self.is_node or self.is_enum or self.is_list or self.kind in (int, float, str, bool, Path)):
            raise TypeError(f"{name}: no serializer for {self.kind}")
        blank = None if self.is_node else next(iter(self.kind)) if self.is_enum else self.kind()
        self.default = default if default is not None else defaults[0] if defaults else blank

    def check(self, value):
        if value is None and self.is_node:
            return
        if self.is_list:
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise TypeError(f"{self.name} must be a list of strings, is {value!r}")
            return
        allowed = (int, float) if self.kind is float else self.kind
        if not isinstance(value, allowed):
            raise TypeError(f"{self.name} must be of type {self.kind}, is {value!r}")
        for limits in self.ranges:
            limits.validate(value)

    def write(self, node, value):
        self.check(value)
        with slicer.util.NodeModify(node):
            if self.is_node:
                node.SetParameter(self.name, "")
                node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
            elif self.is_list:
                before = int(node.GetParameter(f"{self.name}.len") or 0)
                for index, item in enumerate(value):
                    node.SetParameter(f"{self.name}.{index}", item)
                node.SetParameter(f"{self.name}.len", str(len(value)))
                for index in range(len(value), before):
                    node.UnsetParameter(f"{self.name}.{index}")
            else:
                node.SetParameter(self.name, value.name if self.is_enum else str(value))

    def read(self, node):
        if not node.HasParameter(f"{self.name}.len" if self.is_list else self.name):
            self.write(node, self.default)
        if self.is_list:
            return [node.GetParameter(f"{self.name}.{n}") for n in range(int(node.GetParameter(f"{self.name}.len")))]
        if self.is_node:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        if self.is_enum:
            return self.kind[text]
        return text == "True" if self.kind is bool else self.kind(text)


@functools.cache
def connectors():
    """(widget class, accepts field?, its signal, its attribute, preparation) for every pair that may be bound."""
    import ctk
    import qt

    def fill(widget, field):
        widget.clear()
        label = getattr(field.kind, "label", lambda value: value.name)
        for value in field.kind:
            widget.addItem(label(value))

    def limit(widget, field):
        for limits in field.ranges:
            widget.setRange(limits.minimum, limits.maximum)

    def nothing(widget, field):
        pass

    return [
        (qt.QCheckBox, lambda f: f.kind is bool, "stateChanged", "checked", nothing),
        (qt.QLineEdit, lambda f: f.kind is str, "textChanged", "text", nothing),
        (qt.QSpinBox, lambda f: f.kind is int, "valueChanged", "value", limit),
        (qt.QDoubleSpinBox, lambda f: f.kind is float, "valueChanged", "value", limit),
        (qt.QComboBox, lambda f: f.is_enum, "currentIndexChanged", "currentIndex", fill),
        (ctk.ctkPathLineEdit, lambda f: f.kind is Path, "currentPathChanged", "currentPath", nothing),
        (slicer.qMRMLNodeComboBox, lambda f: f.is_node, "currentNodeChanged", "currentNode", nothing),
    ]


class Binding:
    """One field bound to one widget."""

    def __init__(self, owner, field, widget):
        found = [how for kind, accepts, *how in connectors() if type(widget) is kind and accepts(field)]
        if not found:
            raise RuntimeError(f"Unable to create GUI connector from {field.kind} to {type(widget)}")
        signal, attribute, prepare = found[0]
        self.owner, self.field, self.widget, self.attribute = owner, field, widget, attribute
        self.signal = getattr(widget, signal)
        if field.is_node:
            widget.nodeTypes = (field.kind().GetClassName(),)
        prepare(widget, field)
        self.show()
        self.signal.connect(self.changed)

    def release(self):
        self.signal.disconnect(self.changed)

    def show(self):
        value = self.field.read(self.owner.parameterNode)
        if self.field.is_node:
            self.widget.setCurrentNode(value)
        elif self.field.is_enum:
            self.widget.currentIndex = list(self.field.kind).index(value)
        else:
            value = str(value) if self.field.kind is Path else value
            if getattr(self.widget, self.attribute) != value:
                setattr(self.widget, self.attribute, value)

    def changed(self, *_):
        if self.owner._showing:
            return
        value = getattr(self.widget, self.attribute)
        if self.field.is_node:
            value = value()
        elif self.field.is_enum:
            value = list(self.field.kind)[value]
        self.field.write(self.owner.parameterNode, Path(value) if self.field.kind is Path else value)


class Wrapper:
    """What every class under @parameterNodeWrapper gains."""

    def __init__(self, parameterNode):
        self.__dict__.update(parameterNode=parameterNode, _bindings={}, _showing=False, _values={})
        self._remember()
        # As Slicer's: a value is read again when the node is modified, not when what it refers to is gone.
        me = weakref.ref(self)
        observe(self, parameterNode, lambda *_: me() and me()._remember(), 1.0)

    def _remember(self):
        self._values.update({name: field.read(self.parameterNode) for name, field in self.allParameters.items()})

    def _write(self, field, value):
        with slicer.util.NodeModify(self.parameterNode):
            field.write(self.parameterNode, value)
            self._values[field.name] = field.read(self.parameterNode)

    def __setattr__(self, name, value):
        if name not in self.allParameters:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}")
        super().__setattr__(name, value)

    def AddObserver(self, event, callback, priority=0.0):
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag):
        self.parameterNode.RemoveObserver(tag)

    def StartModify(self):
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified):
        return self.parameterNode.EndModify(wasModified)

    def connectGui(self, gui):
        names = ((widget.property("SlicerParameterName"), widget) for widget in gui.__dict__.values())
        return self.connectParametersToGui({name: widget for name, widget in names if name})

    def connectParametersToGui(self, mapping):
        for name in mapping:
            if name not in self.allParameters:
                raise ValueError(f"Cannot find a param with the given name: {name}")
        bindings = [Binding(self, self.allParameters[name], widget) for name, widget in mapping.items()]
        tag, me = len(self._bindings), weakref.ref(self)
        observer = observe(self, self.parameterNode, lambda *_: me() and me()._show(tag))
        self._bindings[tag] = bindings, observer
        return tag

    def disconnectGui(self, tag):
        bindings, observer = self._bindings.pop(tag, ((), None))
        for binding in bindings:
            binding.release()
        if observer is not None:
            self.RemoveObserver(observer)

    def _show(self, tag):
        if self._showing:
            return
        self.__dict__["_showing"] = True
        try:
            for binding in self._bindings[tag][0]:
                binding.show()
        finally:
            self.__dict__["_showing"] = False


def parameterNodeWrapper(described):
    """A class like ``described`` whose annotated fields live in a parameter node."""
    hints = typing.get_type_hints(described, include_extras=True)
    fields = {name: Field(name, hint, getattr(described, name, None)) for name, hint in hints.items()}
    reserved = [name for name in fields if hasattr(Wrapper, name)]
    if reserved:
        raise ValueError(f"Cannot use reserved names {reserved} in a parameterNodeWrapper")

    def access(field):
        return property(lambda self: self._values[field.name], lambda self, value: self._write(field, value))

    members = {name: access(field) for name, field in fields.items()}
    members |= {"allParameters": fields, "__doc__": described.__doc__, "__module__": described.__module__}
    return type(described.__name__, (Wrapper,), members)


def module():
    made = ModuleType("slicer.parameterNodeWrapper")
    made.parameterNodeWrapper, made.WithinRange, made.Default = parameterNodeWrapper, WithinRange, Default
    return made
