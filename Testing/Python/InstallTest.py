"""As the Extension Manager installs it: only the files that CMake names, in Slicer's folder for scripted modules."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from importlib.util import cache_from_source
from pathlib import Path

import slicer
from support.tiers import slow

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = Path("lib/Slicer-5.12/qt-scripted-modules")
# Tests of what a missing file would break: the panel's texts, a computation with all its results, and the plugin.
TESTS = (
    "ModuleTest.QuantifyTest.test_volumes_of_distribution_are_the_true_ones",
    "PanelTest.ChoicesTest.test_selecting_all_makes_ready",
    "PanelTest.LongWorkTest.test_cancel_stops_and_changes_nothing",
)
RUN = """
import sys, unittest, host
host.install()
import TSPOQuant, TSPOQuantLib.cli, TSPOQuantLib.reporting.report, DICOMDynamicPETPlugin
for module in (TSPOQuant, TSPOQuantLib.cli, DICOMDynamicPETPlugin):
    assert module.__file__.startswith(sys.argv[1]), module.__file__
unittest.main(module=None, argv=["installed", *sys.argv[2:]])
"""


def installed(cmake):
    """Paths that a module's CMakeLists.txt has installed, below its folder."""
    text = cmake.read_text(encoding="utf-8")
    name = re.search(r"set\(MODULE_NAME\s+(\w+)\)", text)[1]
    for variable in ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES"):
        listed = re.search(rf"set\({variable}\s+(.*?)\)", text, re.DOTALL)
        yield from (entry.replace("${MODULE_NAME}", name) for entry in listed[1].split()) if listed else ()


def copy(source, target):
    """A file, and the bytecode that lies beside it: Python takes that for a file of the same time and size alone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)
    if source.suffix == ".py" and (code := Path(cache_from_source(source))).is_file():
        beside = target.parent / "__pycache__" / code.name
        beside.parent.mkdir(exist_ok=True)
        shutil.copy2(code, beside)


@unittest.skipUnless(hasattr(slicer, "standIn"), "inside Slicer its own modules are loaded already")
class InstallTest(unittest.TestCase):
    @slow
    def test_module_works_from_its_installed_files(self):
        with tempfile.TemporaryDirectory() as folder:
            target = Path(os.path.realpath(folder)) / FOLDER
            for module in ("TSPOQuant", "DICOMDynamicPETPlugin"):
                for name in installed(REPOSITORY / module / "CMakeLists.txt"):
                    copy(REPOSITORY / module / name, target / name)
            paths = [target, REPOSITORY / "Testing", REPOSITORY / "Testing" / "Python"]
            environment = {
                **os.environ,
                "PYTHONPATH": os.pathsep.join(map(str, paths)),
                "TSPOQUANT_INSTALLED": str(target),
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPYCACHEPREFIX": "",
            }
            ran = subprocess.run(
                [sys.executable, "-c", RUN, str(target), *TESTS],
                env=environment,
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn(f"Ran {len(TESTS)} tests", ran.stderr)


if __name__ == "__main__":
    unittest.main()
