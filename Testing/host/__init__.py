"""What stands in for the Slicer application where there is none: a scene, module logics, a Qt panel. Never shipped.

``install()`` fills in what the slicer-core wheel lacks (``slicer.app``, ``slicer.modules``, ``slicer.mrmlScene``,
``slicer.ScriptedLoadableModule``, ``slicer.i18n``, ``slicer.parameterNodeWrapper``, ``qt``, ``ctk``), so that one test
file runs in both places. Inside Slicer it does nothing. The stand-ins are as strict as Slicer or stricter: an
attribute, signal, slot or .ui property that the real widget does not have is an error.
"""

import importlib.util
import sys
from types import ModuleType


def inside_slicer() -> bool:
    """Whether a real Slicer application runs this Python."""
    slicer = sys.modules.get("slicer")
    return slicer is not None and hasattr(slicer, "app") and not hasattr(slicer, "standIn")


def has_qt() -> bool:
    return importlib.util.find_spec("PySide6") is not None


def install() -> ModuleType:
    """The ``slicer`` module, completed if need be; repeated calls change nothing."""
    import slicer

    if inside_slicer() or hasattr(slicer, "standIn"):
        return slicer
    from . import application

    application.install()
    return slicer
