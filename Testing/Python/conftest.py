"""Under pytest, tests that import slicer find it complete: inside Slicer these files run without this one."""

import host
import pytest


def pytest_pycollect_makemodule(module_path, parent):
    if "import slicer" in module_path.read_text(encoding="utf-8"):
        host.install()


@pytest.fixture(autouse=True)
def no_error_in_slots():
    """An exception in a slot is only printed by Qt; here it fails the test."""
    yield
    if host.has_qt() and "host.qtshim" in __import__("sys").modules:
        errors = list(host.qtshim.slot_errors)
        host.qtshim.slot_errors.clear()
        if errors:
            raise errors[0]
