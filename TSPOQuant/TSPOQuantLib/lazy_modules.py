"""Libraries that take long to import and that many runs never come to need."""

from importlib import import_module
from typing import Any


class LazyModule:
    """A module that is imported when something of it is first asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)


optimize = LazyModule("scipy.optimize")
"""Half a CPU second of a start, a sixth of it: it brings ``scipy.linalg``, ``scipy.spatial`` and ``scipy.sparse``."""
sparse = LazyModule("scipy.sparse")
ndimage = LazyModule("scipy.ndimage")
"""A tenth of a CPU second; ``inspect`` and readers of volumes need it for labels alone."""
simpleitk = LazyModule("SimpleITK")
"""As much; readers of DICOM need it for JPEG Lossless alone."""
