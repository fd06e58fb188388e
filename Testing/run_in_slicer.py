"""Run every test of Testing/Python inside a real Slicer.

    python Testing/run_in_slicer.py /path/to/Slicer [--screenshots FOLDER] [--headless] [TestModule …]

--screenshots: keep pictures of every section of the panel, with the simulated neck computed, in the main window.
--headless: also compute the simulated neck without a window (quantify, demo) in Slicer and in the Python that runs
this file, and compare every number; they are the same to the last digit where both have the same libraries.

The last line ends in "N passed, N failed"; the exit code is 0 only if tests ran and none failed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
TESTS = REPOSITORY / "Testing" / "Python"
MODULES = [REPOSITORY / "TSPOQuant", REPOSITORY / "DICOMDynamicPETPlugin"]
CLI = REPOSITORY / "TSPOQuant" / "TSPOQuantLib" / "slicer_cli.py"
INSIDE = "TSPOQUANT_RUN_IN_SLICER"  # arguments of the inner run: Slicer takes some command-line options for itself


def outside() -> int:
    """Start Slicer on this same file and hand on its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slicer", type=Path, help="the Slicer executable")
    parser.add_argument("--screenshots", type=Path, default=None, help="folder for pictures of the panel")
    parser.add_argument("--headless", action="store_true", help="compare the command line in Slicer with this Python")
    parser.add_argument("tests", nargs="*", help="test modules, e.g. PanelTest (default: all)")
    options = parser.parse_intermixed_args()
    slicer = options.slicer.absolute()
    pictures = options.screenshots.absolute() if options.screenshots else ""
    command = [slicer, "--testing", "--no-splash", "--additional-module-paths", *MODULES]
    environment = {**os.environ, INSIDE: "\n".join([str(pictures), *options.tests])}
    command += ["--python-script", Path(__file__).resolve()]
    with tempfile.TemporaryDirectory() as folder:  # a closed temporary DICOM database leaves one where Slicer started
        same = not options.headless or headless(slicer, Path(folder))
        code = subprocess.run(command, cwd=folder, env=environment, check=False).returncode
    return code if same else code or 1


def headless(slicer: Path, folder: Path) -> bool:
    """Whether quantify and demo give the same numbers in Slicer without a window and in this Python."""
    doors = {
        "Slicer": [slicer, "--no-splash", "--no-main-window", "--python-script", CLI],
        "Python": [sys.executable, CLI],
    }

    def run(door: str, *arguments: object) -> None:
        subprocess.run([*doors[door], *map(str, arguments)], cwd=folder, check=True, stdout=subprocess.DEVNULL)

    run("Python", "phantom", "--fast", "--out", folder / "phantom")
    results: dict[str, list[dict]] = {}
    for door in doors:
        run(door, "quantify", folder / "phantom" / "ses-baseline" / "study.toml", "--out", folder / door / "quantify")
        run(door, "demo", "--fast", "--out", folder / door / "demo")
        files = sorted((folder / door).rglob("results.json"))
        results[door] = [json.loads(file.read_text(encoding="utf-8"))["regions"] for file in files]
    same = results["Slicer"] == results["Python"]
    worst = max(
        abs(one["VT"] / other["VT"] - 1)
        for ours, theirs in zip(results["Slicer"], results["Python"], strict=True)
        for one, other in zip(ours, theirs, strict=True)
    )
    print(f"headless: {'identical' if same else f'V_T differ by up to {worst:.1e} of their value'}", flush=True)
    return same


def inside(pictures: str, names: list[str]) -> int:
    """Run the tests in this Slicer."""
    sys.path[:0] = [str(TESTS), str(REPOSITORY / "Testing")]
    names = names or sorted(path.stem for path in TESTS.glob("*Test.py"))
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    if pictures:
        take_screenshots(Path(pictures))
    failed = len({test.id() for test, _ in result.failures + result.errors})
    passed = result.testsRun - failed - len(result.skipped)
    print(f"{len(result.skipped)} skipped, {passed} passed, {failed} failed", flush=True)
    return 0 if passed > 0 and failed == 0 else 1


def take_screenshots(folder: Path) -> None:
    """Every section of the panel, the simulated neck computed at both visits, and the plots."""
    import slicer
    import slicer.util

    folder.mkdir(parents=True, exist_ok=True)
    slicer.mrmlScene.Clear()
    window = slicer.util.mainWindow()
    window.resize(1280, 780)  # the smallest screen that the panel is made for
    slicer.util.selectModule("TSPOQuant")
    panel = slicer.util.getModuleWidget("TSPOQuant").panel
    ui, logic = panel.ui, panel.logic

    def keep(name: str) -> None:
        for _ in range(10):
            slicer.app.processEvents()
        window.grab().save(str(folder / f"{name}.png"))

    def unfold(section: str) -> None:
        for name, button in panel.sections.items():
            button.collapsed = name != section

    logic.loadDigitalNeck()
    for session in reversed(logic.sessions()):
        logic.quantify(session)
    logic.getParameterNode().currentSession = "baseline"
    ui.fuseButton.click()
    ui.resultTableView.selectRow(8)
    for number, section in enumerate(panel.sections, start=1):
        unfold(section)
        if section == "regions":
            ui.editorCollapsibleButton.collapsed = False
        if section == "report":
            ui.compareButton.click()
        keep(f"section-{number}-{section}")
    ui.editorCollapsibleButton.collapsed = True
    unfold("kinetics")
    for role in ("curves", "line", "input", "motion"):
        panel.showChart(role)
        keep(f"plot-{role}")
    ui.mapButton.click()
    panel.showChart("curves")
    keep("map")


if __name__ == "__main__":
    if INSIDE in os.environ:
        import slicer

        chosen_pictures, *chosen_tests = os.environ[INSIDE].split("\n")
        slicer.util.exit(inside(chosen_pictures, chosen_tests))
    else:
        sys.exit(outside())
