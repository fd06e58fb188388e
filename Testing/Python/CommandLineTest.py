"""The command line in careless hands: one line that says what to do, nothing half-written, nothing silently wrong."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import SimpleITK as sitk
import TSPOQuantLib
from support.commandline import run
from support.folders import Folder
from support.tiers import slow
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.acquisition.segmentation_files import write_segmentation
from TSPOQuantLib.grid import Grid

FRAMES, SHAPE, FRAME_S = 20, (8, 8, 8), 180
PET_JSON = {
    "Units": "kBq/mL",
    "FrameTimesStart": [FRAME_S * i for i in range(FRAMES)],
    "FrameDuration": [FRAME_S] * FRAMES,
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 0,
    "InjectionStart": 0,
    "TracerRadionuclide": "C11",
}
BLOODPROC = "time\twhole_blood_radioactivity\tAIF\n0\t0\t0\n60\t20\t20\n600\t4\t3\n3600\t2\t1\n"
PLASMA_ONLY = "time\tAIF\n0\t0\n60\t20\n600\t3\n3600\t1\n"
STUDY = """
[subject]
id = "p1"
genotype = "HAB"
[pet]
path = "x_pet.nii.gz"
[segmentation]
path = "x.seg.nrrd"
[blood]
route = "arterial"
[input]
source = "given"
path = "x_bloodproc.tsv"
"""


class SmallStudy(Folder):
    """A visit of 8 x 8 x 8 voxels: a uniform PET, a region and its blood."""

    def setUp(self):
        super().setUp()
        self.study, self.out = self.folder / "study.toml", self.folder / "out"
        self.study.write_text(STUDY)
        (self.folder / "x_bloodproc.tsv").write_text(BLOODPROC)
        rising = [np.full(SHAPE, min(i + 1, 5), dtype=np.float32) for i in range(FRAMES)]
        volumes = [sitk.GetImageFromArray(values) for values in rising]
        sitk.WriteImage(sitk.JoinSeries(volumes), str(self.folder / "x_pet.nii.gz"))
        (self.folder / "x_pet.json").write_text(json.dumps(PET_JSON))
        self.draw("muscle")

    def draw(self, *names):
        mask = np.zeros(SHAPE, dtype=bool)
        mask[2:6, 2:6, 2:6] = True
        path = self.folder / "x.seg.nrrd"
        path.unlink(missing_ok=True)
        segments = tuple(Segment(f"S{i}", name, mask) for i, name in enumerate(names))
        write_segmentation(path, Segmentation(Grid(SHAPE, np.eye(4)), segments))

    def quantify(self, *more):
        return run("quantify", self.study, "--out", self.out, *more)

    def refused(self, code, *more):
        before = sorted(self.folder.rglob("*"))
        got, out, err = self.quantify(*more)
        self.assertEqual((got, out, len(err.splitlines())), (3, "", 1), err)
        self.assertRegex(err, rf"^error: {code}: \S")
        self.assertEqual(sorted(self.folder.rglob("*")), before)


class QuantifyTest(SmallStudy):
    def test_fit_reads_what_quantify_writes(self):
        self.draw("foramen C6/C7 left (root C7)", "é [upper]", 'a "b"\tc\n')
        self.study.write_text(STUDY + '[model]\nweights = "uniform"\n')
        code, _, err = self.quantify()
        self.assertEqual(code, 0, err)
        tacs, blood = (next(self.out.glob(pattern)) for pattern in ("*_tacs.tsv", "*_bloodproc.tsv"))
        code, out, err = run("fit", tacs, "--blood", blood, "--models", "1TCM", "--out", self.folder / "f", "--json")
        self.assertEqual(code, 0, err)
        fitted = [(row["region"], float(row["VT"])) for row in json.loads(out)["regions"]]
        rows = json.loads((self.out / "results.json").read_text(encoding="utf-8"))["regions"]
        self.assertEqual([name for name, _ in fitted], ["foramen C6/C7 left (root C7)", "é [upper]", "a 'b' c"])
        for (name, vt), row in zip(fitted, [row for row in rows if row["model"] == "1TCM"], strict=True):
            self.assertEqual(name, row["region"])
            self.assertAlmostEqual(vt, row["VT"], places=6)

    def test_regions_need_names_of_their_own(self):
        for names in (("cord", "cord"), ("a b", "a  b"), ("cord", " ")):
            with self.subTest(names):
                self.draw(*names)
                self.refused("region-name")

    def test_results_replace_no_input(self):
        (self.folder / ".tspoquant").touch()  # as in a folder that the phantom wrote
        self.out = self.folder
        self.refused("output-holds-input", "--force")

    def test_without_whole_blood_only_without_its_fraction(self):
        (self.folder / "x_bloodproc.tsv").write_text(PLASMA_ONLY)
        self.refused("whole-blood-missing")
        self.study.write_text(STUDY + '[model]\nvb = "none"\n')
        code, out, err = self.quantify("--json")
        self.assertEqual(code, 0, err)
        self.assertTrue(all(row["VT"] > 0 for row in json.loads(out)["regions"]))

    def test_a_given_input_must_be_ready(self):
        (self.folder / "x_bloodproc.tsv").write_text(PLASMA_ONLY.replace("AIF", "plasma_radioactivity"))
        self.refused("input-not-ready")

    def test_a_region_without_activity_is_no_matter_of_units(self):
        for corner, code in ((1.0, "blood-image-empty"), (0.0, "pet-empty")):
            values = np.zeros(SHAPE, dtype=np.float32)
            values[:2, :2, :2] = corner  # beyond the region
            sitk.WriteImage(
                sitk.JoinSeries([sitk.GetImageFromArray(values)] * FRAMES), str(self.folder / "x_pet.nii.gz")
            )
            with self.subTest(code):
                self.refused(code)

    def test_a_segmentation_is_no_ct(self):
        self.study.write_text(STUDY + '[ct]\npath = "x.seg.nrrd"\n')
        self.refused("ct-none")

    def test_options_of_a_dataset_beside_a_study_file(self):
        self.refused("study-options", "--session", "baseline")

    def test_delays_that_leave_the_scan(self):
        self.study.write_text(STUDY + "[model]\ndelay_s = 1e6\n")
        self.refused("delay-value")

    def test_an_unwritable_place_is_known_before_the_work(self):
        (self.folder / "file").touch()
        self.out = self.folder / "file" / "results"
        with mock.patch("TSPOQuantLib.pipeline.quantification.read_visit", side_effect=AssertionError):
            self.refused("output-unwritable")

    def test_a_refusal_leaves_no_folder_above(self):
        self.out = self.folder / "a" / "b" / "results"
        self.draw(" ")
        self.refused("region-name")

    def test_a_full_disk_is_not_our_fault(self):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with mock.patch("TSPOQuantLib.reporting.visit_files.write_json", side_effect=full):
            self.refused("system")

    def test_names_that_are_too_long(self):
        self.study = self.folder / ("x" * 5000)
        self.refused("(study-missing|system)")


class CheckoutTest(unittest.TestCase):
    def test_developers_commands_say_what_they_need(self):
        needed = r"^error: checkout: .* needs .*/(tools|Testing)/\w+, which is not installed; run .* in a clone"
        with (
            tempfile.TemporaryDirectory() as elsewhere,
            mock.patch("TSPOQuantLib.commands.developers.REPOSITORY", Path(elsewhere)),
        ):
            for command in ("validate", "bench", "test"):
                with self.subTest(command):
                    code, out, err = run(command)
                    self.assertEqual((code, out), (3, ""))
                    self.assertRegex(err, needed)


@unittest.skipIf(sys.platform == "win32", "a shell script")
class LauncherTest(unittest.TestCase):
    """With a Python that stands in for .venv's, so that nothing is installed."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(os.path.realpath(folder.name))
        self.clone = self.root / "clone"
        (self.clone / ".venv" / "bin").mkdir(parents=True)
        (self.clone / ".venv" / "created").touch()
        launcher = Path(__file__).resolve().parents[2] / "tspoquant"
        (self.clone / "tspoquant").write_bytes(launcher.read_bytes())
        (self.clone / "tspoquant").chmod(0o755)
        python = self.clone / ".venv" / "bin" / "python"
        shown = 'echo "$PYTHONSAFEPATH|$PYTHONPATH|$@"'
        python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit 0\n{shown}\n')
        python.chmod(0o755)

    def started(self, launcher, **environment):
        settings = {"PATH": os.environ["PATH"], **environment}
        ran = subprocess.run([launcher, "x"], cwd=self.root, env=settings, capture_output=True, text=True, check=True)
        return ran.stdout.strip()

    def test_current_folder_is_no_part_of_the_program(self):
        self.assertEqual(self.started(self.clone / "tspoquant"), f"1||{self.clone}/tspoquant x")

    def test_links_lead_to_the_clone(self):
        (self.root / "bin").mkdir()
        (self.root / "bin" / "direct").symlink_to(self.clone / "tspoquant")
        (self.root / "bin" / "again").symlink_to("direct")
        for name in ("direct", "again"):
            self.assertEqual(self.started(self.root / "bin" / name), f"1||{self.clone}/tspoquant x")


class NameTest(unittest.TestCase):
    @unittest.skipUnless(sys.platform == "linux", "other systems have no such names")
    def test_names_that_are_not_utf8_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(os.fsencode(folder), b"caf\xe9")  # noqa: PTH118  # bytes
            os.mkdir(path)  # noqa: PTH102
            for arguments in (("inspect", os.fsdecode(path)), ("phantom", "--out", os.fsdecode(path))):
                code, _, err = run(*arguments)
                self.assertEqual(code, 3)
                self.assertRegex(err, "^error: path-name: .*caf")


class HelpTest(unittest.TestCase):
    def test_help_loads_no_science(self):
        show = "import sys; from TSPOQuantLib.cli import main; main(sys.argv[1:]); print(*sys.modules)"
        settings = {**os.environ, "PYTHONPATH": str(Path(TSPOQuantLib.__file__).parents[1])}
        for arguments in (["--help"], ["quantify", "--help"], ["--version"]):
            command = [sys.executable, "-c", show, *arguments]
            ran = subprocess.run(command, env=settings, capture_output=True, text=True, check=True)
            loaded = {name.split(".")[0] for name in ran.stdout.split()}
            with self.subTest(arguments):
                self.assertIn("argparse", loaded)
                self.assertFalse(
                    loaded & {"numpy", "scipy", "SimpleITK", "pydicom", "highdicom", "matplotlib", "dask"}
                )
            own = [name for name in ran.stdout.split() if name.startswith("TSPOQuantLib.")]
            with self.subTest(arguments, of="rooms"):
                light = ("cli", "commands", "messages", "progress", "terminal", "typography")
                self.assertFalse([name for name in own if name.split(".")[1] not in light])


class FitTest(unittest.TestCase):
    def test_wrong_options_are_told_in_one_line(self):
        for option, value in (
            ("--models", ""),
            ("--models", "1TCM,"),
            ("--models", "1TCM,1TCM"),
            ("--vb", "2"),
            ("--vb", "fixed:2"),
            ("--vb", "fixed:nan"),
            ("--vb", "fixed:x"),
            ("--tstar", "nan"),
            ("--tstar", "late"),
            ("--delay", "inf"),
            ("--frames", "last:x"),
            ("--frames", "last:-3"),
            ("--bounds", ""),
            ("--bounds", "k2=a:b"),
            ("--bounds", "k2=1:0"),
            ("--bounds", "k2=0:inf"),
            ("--bounds", "k2=0:1,k2=0:2"),
        ):
            with self.subTest(f"{option} {value}"):
                code, out, err = run("fit", "t", "--blood", "b", "--out", "o", "--models=1TCM", f"{option}={value}")
                self.assertEqual((code, out, len(err.splitlines())), (2, "", 1), err)
                self.assertRegex(err, rf"^error: usage: argument {option}: say .*--help")

    def test_delays_beyond_reason_are_not_searched(self):
        with tempfile.TemporaryDirectory() as name:
            tacs, blood = Path(name) / "x_tacs.tsv", Path(name) / "x_bloodproc.tsv"
            rows = "".join(f"{60 * i}\t{60 * (i + 1)}\t{1000 * min(i + 1, 5)}\n" for i in range(60))
            tacs.write_text("FrameTimesStart\tFrameTimesEnd\tmuscle\n" + rows)
            blood.write_text(BLOODPROC)
            for delay in ("--delay=1e9", "--delay=fit --bounds=delay=-1e9:1e9"):
                with self.subTest(delay):
                    arguments = ("--models", "1TCM", "--out", Path(name) / "out", *delay.split())
                    code, _, err = run("fit", tacs, "--blood", blood, *arguments)
                    self.assertEqual((code, err.split(": ")[1]), (3, "delay-value"))


WAITS = """
import time
from TSPOQuantLib.cli import command
from TSPOQuantLib.phantom import visits

def write(folder, *_):
    folder.mkdir()
    (folder / "1.dcm").touch()
    time.sleep(240)

visits._write_visit = write
command()
"""
"""The command line, which stays at the first file that the phantom writes until it is stopped."""


@slow
@unittest.skipUnless(Path(sys.executable).name.startswith("python"), "starts Python by itself")
class ProcessTest(SmallStudy):
    """What only a process of its own shows."""

    def start(self, *arguments, program=("-m", "TSPOQuantLib.cli"), stdout=subprocess.PIPE, **environment):
        own = {"PYTHONPATH": str(Path(TSPOQuantLib.__file__).parents[1]), "PYTHONUNBUFFERED": ""}
        command = [sys.executable, *program, *map(str, arguments)]
        settings = {**os.environ, **own, **environment}
        return subprocess.Popen(
            command,
            env=settings,
            stdout=stdout,
            stderr=subprocess.PIPE,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )

    def test_stopping_leaves_nothing(self):
        for number, expected in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with self.subTest(number), tempfile.TemporaryDirectory() as name:
                process = self.start("phantom", "--out", Path(name) / "a" / "neck", program=("-c", WAITS))
                deadline = time.monotonic() + 240
                while not list(Path(name).rglob("*.dcm")) and time.monotonic() < deadline:
                    time.sleep(0.02)
                process.send_signal(number)
                _, err = process.communicate(timeout=240)
                self.assertEqual(process.returncode, expected)
                self.assertNotIn(b"Traceback", err)
                self.assertEqual(list(Path(name).iterdir()), [])

    def test_a_reader_that_has_gone_is_no_error(self):
        reading, writing = os.pipe()
        os.close(reading)
        process = self.start("quantify", self.study, "--out", self.out, "--json", stdout=writing)
        os.close(writing)
        err = process.communicate(timeout=240)[1].decode()
        self.assertEqual((process.returncode, [x for x in err.splitlines() if not x.startswith("warning")]), (0, []))
        self.assertTrue((self.out / "results.json").exists())

    def test_a_terminal_that_lacks_our_letters_is_no_error(self):
        process = self.start("quantify", self.study, "--out", self.out, PYTHONIOENCODING="ascii")
        out = process.communicate(timeout=240)[0]
        self.assertEqual(process.returncode, 0)
        self.assertIn(b"muscle", out)


if __name__ == "__main__":
    unittest.main()
