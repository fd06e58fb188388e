"""``qt`` on PySide6 as PythonQt presents it: properties are attributes, ``connect("signal(type)", function)``.

Every QObject class is replaced by a subclass that has its Qt properties as Python attributes and refuses any other
attribute. Exceptions in slots, which Qt prints and forgets, are kept in ``slot_errors`` for the test to raise.
"""

import functools
import inspect
import os
from types import ModuleType

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

slot_errors: list[BaseException] = []

# These properties share their name with a virtual function that Qt itself looks up on the Python class.
_VIRTUAL = {"sizeHint", "minimumSizeHint", "text@QProgressBar"}
# These with a static method, which Slicer's Python has under the same name.
_VIRTUAL |= {"singleShot@QTimer"}


def guarded(function, argument_count=None):
    """``function`` as a slot: surplus arguments are dropped as PythonQt does, exceptions are kept."""
    parameters = inspect.signature(function).parameters.values()
    takes_all = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    takes = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)

    def slot(*arguments):
        arguments = arguments[:argument_count]
        try:
            function(*(arguments if takes_all else arguments[:takes]))
        except BaseException as error:
            slot_errors.append(error)
            raise

    return slot


class Strict:
    """Mixed into every QObject class: properties as attributes, old-style connections, nothing unknown."""

    # Signals of stand-ins by the C++ signature that the real widget has: {"currentNodeChanged(vtkMRMLNode*)": name}
    cxx_signals: dict[str, str] = {}
    loading = False  # PySide6 hands every child to the form as an attribute, PythonQt does not

    def __getattribute__(self, name):
        # PySide6 finds its own connect before that of any subclass.
        if name in ("connect", "disconnect"):
            name = f"_{name}"
        return super().__getattribute__(name)

    def __setattr__(self, name, value):
        if name.startswith("_"):  # the stand-ins' own state
            super().__setattr__(name, value)
            return
        if Strict.loading:
            return
        described = inspect.getattr_static(type(self), name, None)
        if not isinstance(described, property | QtCore.Property):
            raise AttributeError(f"{type(self).__name__} has no property {name!r}")
        super().__setattr__(name, value)

    @property
    def name(self):
        return self.objectName

    @name.setter
    def name(self, value):
        self.setObjectName(value)

    def className(self):
        return type(self).__name__

    def _signal(self, signature):
        signature = signature.replace(" ", "")
        if signature in self.cxx_signals:
            return getattr(self, self.cxx_signals[signature])
        normalized = bytes(QtCore.QMetaObject.normalizedSignature(signature).data()).decode()
        if self.metaObject().indexOfSignal(normalized) < 0:
            raise ValueError(f"{type(self).__name__} has no signal {signature}")
        return getattr(self, normalized.split("(")[0])

    def _connect(self, signature, function):
        arguments = signature[signature.index("(") + 1 : -1]
        count = len(arguments.split(",")) if arguments else 0
        slot = guarded(function, count)
        self.__dict__.setdefault("_slots", {})[signature, function] = slot
        self._signal(signature).connect(slot)
        return True

    def _disconnect(self, signature, function):
        slot = self.__dict__.get("_slots", {}).pop((signature, function), None)
        if slot is None:
            raise ValueError(f"{signature} of {type(self).__name__} was not connected to {function}")
        self._signal(signature).disconnect(slot)
        return True


def _property(name):
    return property(
        lambda self: QtCore.QObject.property(self, name),
        lambda self, value: _set(self, name, value),
    )


def _set(widget, name, value):
    if not QtCore.QObject.setProperty(widget, name, value):
        raise TypeError(f"{type(widget).__name__}.{name} does not take {value!r}")


@functools.cache
def strict(base):
    """The strict subclass of a PySide6 QObject class, under the same name."""
    meta = base.staticMetaObject
    names = [meta.property(index).name() for index in range(meta.propertyCount())]
    names = [name for name in names if name not in _VIRTUAL and f"{name}@{base.__name__}" not in _VIRTUAL]
    return type(base)(base.__name__, (Strict, base), {name: _property(name) for name in names})


def make_module(loader_class) -> ModuleType:
    """The flat ``qt`` module, its widget classes strict, with ``loader_class`` as its QUiLoader."""
    qt = ModuleType("qt", __doc__)

    def lookup(name):
        if name == "QUiLoader":
            return loader_class
        for module in (QtWidgets, QtGui, QtCore, QtUiTools):
            found = getattr(module, name, None)
            if found is not None:
                is_object = inspect.isclass(found) and issubclass(found, QtCore.QObject)
                return strict(found) if is_object else found
        raise AttributeError(f"qt has no {name}")

    qt.__getattr__ = lookup
    return qt
