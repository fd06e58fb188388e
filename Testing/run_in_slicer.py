"""Run every test of Testing/Python inside a real Slicer.

    python Testing/run_in_slicer.py /path/to/Slicer [--screenshot FILE.png] [TestModule …]

The last line is "N passed, N failed, N skipped"; the exit code is 0 only if tests ran and none failed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
TESTS = REPOSITORY / "Testing" / "Python"
MODULES = [REPOSITORY / "TSPOQuant", REPOSITORY / "DICOMDynamicPETPlugin"]
INSIDE = "TSPOQUANT_RUN_IN_SLICER"  # arguments of the inner run: Slicer takes some command-line options for itself


def outside() -> int:
    """Start Slicer on this same file and hand on its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slicer", type=Path, help="the Slicer executable")
    parser.add_argument("--screenshot", type=Path, default=None, help="keep a picture of the panel in the main window")
    parser.add_argument("tests", nargs="*", help="test modules, e.g. PanelTest (default: all)")
    options = parser.parse_args()
    picture = options.screenshot.absolute() if options.screenshot else ""
    command = [options.slicer.absolute(), "--testing", "--no-splash", "--additional-module-paths", *MODULES]
    environment = {**os.environ, INSIDE: "\n".join([str(picture), *options.tests])}
    command += ["--python-script", Path(__file__).resolve()]
    with tempfile.TemporaryDirectory() as folder:  # a closed temporary DICOM database leaves one where Slicer started
        return subprocess.run(command, cwd=folder, env=environment, check=False).returncode


def inside(picture: str, names: list[str]) -> int:
    """Run the tests in this Slicer."""
    sys.path[:0] = [str(TESTS), str(REPOSITORY / "Testing")]
    names = names or sorted(path.stem for path in TESTS.glob("*Test.py"))
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    if picture:
        take_screenshot(picture)
    failed = len({test.id() for test, _ in result.failures + result.errors})
    passed = result.testsRun - failed - len(result.skipped)
    print(f"{passed} passed, {failed} failed, {len(result.skipped)} skipped", flush=True)
    return 0 if passed > 0 and failed == 0 else 1


def take_screenshot(picture: str) -> None:
    """The panel as users first see it."""
    import slicer

    slicer.util.selectModule("TSPOQuant")
    slicer.app.processEvents()
    slicer.util.mainWindow().grab().save(picture)


if __name__ == "__main__":
    if INSIDE in os.environ:
        import slicer

        chosen_picture, *chosen_tests = os.environ[INSIDE].split("\n")
        slicer.util.exit(inside(chosen_picture, chosen_tests))
    else:
        sys.exit(outside())
