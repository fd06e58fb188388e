"""Under pytest, tests that import slicer find it complete; inside Slicer these tests run without this file."""

import sys

import host
import pytest


def pytest_pycollect_makemodule(module_path, parent):
    if "import slicer" in module_path.read_text(encoding="utf-8"):
        host.install()


@pytest.fixture(autouse=True)
def nothing_fails_silently():
    """VTK only prints its errors, and Qt prints exceptions in slots: here both fail the test."""
    if "host.application" not in sys.modules:
        yield
        return
    import vtk

    before = vtk.vtkOutputWindow.GetInstance()
    said = vtk.vtkStringOutputWindow()
    vtk.vtkOutputWindow.SetInstance(said)
    yield
    vtk.vtkOutputWindow.SetInstance(before)
    errors = list(host.qtshim.slot_errors) if host.has_qt() else []
    if errors:
        host.qtshim.slot_errors.clear()
        raise errors[0]
    assert not said.GetOutput(), said.GetOutput()
