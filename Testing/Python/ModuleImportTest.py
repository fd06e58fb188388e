"""Slicer imports the module files of every extension each time it starts: they bring in nothing that can wait."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

import slicer

TESTING = Path(__file__).resolve().parents[1]
HEAVY = ("scipy", "SimpleITK", "pydicom", "highdicom", "matplotlib", "TSPOQuantLib")
# Slicer's own modules are there when ours are loaded; then start-up is told to be over.
LOAD = """
import sys
from host import application, install
names, application.SCRIPTED_MODULES = application.SCRIPTED_MODULES, ()
slicer = install()
before = set(sys.modules)
for name in names:
    script = application.REPOSITORY / name / f"{name}.py"
    sys.path.insert(0, str(script.parent))
    setattr(slicer.modules, name.lower(), application.ScriptedModule(script))
for function in slicer.app._started:
    function()
for name in names:  # what Slicer looks for beside the classes that are there
    for suffix in ("FileDialog", "FileReader", "FileWriter"):
        assert not hasattr(sys.modules[name], name + suffix)
print(*sorted(set(sys.modules) - before))
"""


@unittest.skipUnless(hasattr(slicer, "standIn"), "needs a process that has not loaded the modules yet")
class StartTest(unittest.TestCase):
    def test_start_brings_in_the_module_files_alone(self):
        environment = {**os.environ, "PYTHONPATH": str(TESTING)}
        run = subprocess.run([sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True)
        self.assertEqual(run.returncode, 0, run.stderr)
        found = run.stdout.split()
        self.assertIn("TSPOQuant", found)
        self.assertEqual([name for name in found if name.split(".")[0] in HEAVY], [])
        self.assertLess(len(found), 12, found)

    def test_choices_and_steps_are_there_when_asked_for(self):
        import TSPOQuant

        for name in TSPOQuant.CHOICES:
            self.assertEqual(getattr(TSPOQuant, name).__name__, name)
        with self.assertRaises(AttributeError):
            _ = TSPOQuant.Nothing
        logic = TSPOQuant.TSPOQuantLogic()
        self.assertIn("quantify", dir(logic))
        with self.assertRaises(AttributeError):
            _ = logic.quantified


if __name__ == "__main__":
    unittest.main()
