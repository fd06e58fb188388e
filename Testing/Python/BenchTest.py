"""The benchmark runs on a tiny problem and tells what it measured; how fast it is belongs in no test."""

import os
import re
import sys
import tempfile
import tomllib
import unittest
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from support import checkout  # noqa: F401
from TSPOQuantLib.messages import InputRefused

from tools.bench import run
from tools.bench.machine import best_cpu_s, product_once, read_once
from tools.bench.peers import PINNED, Peer, environment, measure, median_error
from tools.bench.problem import TRUTHS, Size, simulate
from tools.bench.suite import GOAL_US, Limits, Task, aligned, goals, plain_loops, report
from tools.bench.whole import TIMES, Taken, memory_text, visit_cpu_s

TINY = Size((2, 8, 8), 16, 64, 3, 4, 8, 4, 1)


class RunTest(unittest.TestCase):
    def test_every_task_is_in_the_table(self):
        steps = []
        with patch("tools.bench.suite.visit_cpu_s", return_value=(2.5, 4.5)) as visited:
            text = run(False, lambda fraction, _: steps.append(fraction), TINY)
        visited.assert_called_once()
        self.assertEqual(steps, sorted(steps))
        self.assertEqual((steps[0], steps[-1]), (0, 1))
        for task in ("Logan map, 128", "MA1 map, 128", "1TCM map, 128", "2TCM map, 16 voxels", "1TCM fit, 3 curves"):
            self.assertIn(task, text)
        for task in (
            "2TCM fit, 3",
            "DICOM reading, 76 files",
            "motion and its uncertainty, 19 frames",
            "stroke to V_T, 1 regions",
            "GTM, 18 regions",
            "quantify, 1 visits",
            "quantify with GTM, 1 visits",
            "start of --help, 1 starts",
            "start of quantify, 1 starts",
        ):
            self.assertIn(task, text)
        for peer in ("numpy lstsq loop", "pydicom.dcmread alone"):
            self.assertIn(peer, text)
        self.assertRegex(" ".join(text.split()), r"made NIfTI of 128, 256, 512 voxels × 22 frames, .* bytes a voxel")
        self.assertNotIn("petpal", text)
        self.assertNotIn("nan", text)
        self.assertEqual(len(re.findall(r"(?m)^(?:met|MISSED): ", text)), len(GOAL_US))


class ProblemTest(unittest.TestCase):
    def test_voxels_and_curves_have_the_truth_they_are_said_to_have(self):
        problem = simulate(Size(shape=(8, 32, 32), curves=TRUTHS + 3))
        self.assertEqual(problem.activity.shape, (22, 8, 32, 32))
        self.assertEqual(problem.activity.dtype, np.float32)
        self.assertEqual(problem.curves.shape, (TRUTHS + 3, 22))
        mean = problem.activity.reshape(22, -1, TRUTHS).mean(axis=1)
        self.assertGreater(np.corrcoef(mean[-3], problem.curves[:TRUTHS, -3])[0, 1], 0.95)
        self.assertLess(np.corrcoef(mean[-3], np.roll(problem.curves[:TRUTHS, -3], 1))[0, 1], 0.5)

    def test_plain_loops_find_the_truth_where_there_is_little_noise(self):
        size = Size(shape=(1, 1, TRUTHS), curves=TRUTHS)
        noisy = simulate(size)
        regions = noisy.curves.T.astype(np.float32).reshape(noisy.activity.shape)
        for peer in plain_loops(replace(noisy, activity=regions), size):
            self.assertLess(abs(peer.vt_off), 0.1, peer.task)


class MeasureTest(unittest.TestCase):
    def test_limits_do_the_work_they_are_named_for(self):
        voxels = np.arange(22 * 5000, dtype=np.float32).reshape(22, 5000)
        self.assertAlmostEqual(read_once(voxels) / voxels.sum(dtype=float), 1, places=5)
        product_once(voxels)

    def test_the_least_of_the_repeats_counts(self):
        calls = []
        self.assertGreaterEqual(best_cpu_s(lambda: calls.append(1), 3), 0)
        self.assertEqual(len(calls), 3)

    def test_median_error_passes_over_what_is_not_finite(self):
        self.assertAlmostEqual(median_error(np.array([1.1, np.nan, 2.2, np.inf]), np.array([1.0, 1, 2, 1])), 0.1)


class ReportTest(unittest.TestCase):
    def test_ratios_and_goals(self):
        tasks = [Task("Logan map", "voxels", 0.1, 2_000_000, 0.01), Task("2TCM map", "voxels", 0.6, 10_000)]
        beside = [Peer("Logan map", "other", 8.0, 4_000_000), Peer("Logan map", "slow", 0.5, 1_000, -0.1)]
        absent = {"third": "no wheel for this Python"}
        text = report(Size(), Limits(0.05, 0.1), tasks, beside, {"other": "1.0"}, 0.0, [], absent)
        rows = [re.split(r"  +", line.strip()) for line in text.splitlines() if "voxels  " in line or "slow" in line]
        ours = ["Logan map, 2,000,000 voxels", "0.1", "0.05", "1", "0.5"]
        self.assertEqual(rows[0], [*ours, "other", "8", "2", "0.025"])
        self.assertEqual(rows[1], ["slow", "0.5", "500", "0.0001"])
        self.assertEqual([goal.met for goal in goals(tasks)], [True, False])
        self.assertIn("Logan map slow -10.0 %", " ".join(text.split()))
        self.assertIn("other 1.0", text)
        self.assertIn("Not beside: third (no wheel for this Python).", text)

    def test_memory_and_time_are_told_by_voxel(self):
        taken = [Taken(1000 * times, 150_000 * times, 5e-4 * times) for times in TIMES]
        text = memory_text(taken)
        self.assertIn("1,000, 2,000, 4,000 voxels × 22 frames", text)
        self.assertIn("150, 150, 150 bytes a voxel", text)
        self.assertIn("0.50, 0.50, 0.50 µs", text)

    def test_a_visit_is_quantified_as_it_is_and_corrected(self):
        called = []

        def child(arguments, _repeats):
            called.append(arguments)
            if "phantom" in arguments:
                study = Path(arguments[-1]) / "ses-baseline" / "study.toml"
                study.parent.mkdir(parents=True)
                study.write_text('[pet]\npath = "pet"\n\n[segmentation]\npath = "x.seg.nrrd"\n')
            return float(len(called))

        with tempfile.TemporaryDirectory() as place, patch("tools.bench.whole.child_cpu_s", side_effect=child):
            self.assertEqual(visit_cpu_s(Path(place)), (2.0, 3.0))
            plain, corrected = (tomllib.loads(Path(one[3]).read_text()) for one in called[1:])
        self.assertEqual(corrected["segmentation"].pop("pvc"), "GTM")
        self.assertEqual(corrected["pet"].pop("fwhm_mm"), 5.0)
        self.assertEqual(plain, corrected)

    def test_columns_stand_below_one_another(self):
        lines = aligned([("a", "1", "", "", "", "b"), ("long", "22", "", "", "", "c")]).splitlines()
        self.assertEqual(lines[0].index("b"), lines[2].index("c"))
        self.assertEqual(lines[0].index("1"), lines[2].index("22") + 1)


class PeersTest(unittest.TestCase):
    @unittest.skipUnless(Path(sys.executable).name.startswith("python"), "needs a Python that starts as one")
    def test_peers_that_do_not_run_are_refused_with_their_reason(self):
        size = Size((1, 1, TRUTHS), curves=1)
        with tempfile.TemporaryDirectory() as place, patch.dict(os.environ, XDG_CACHE_HOME=place):
            cache = Path(place) / "tspoquant" / "peers-3.12"
            (cache / "bin").mkdir(parents=True)
            (cache / "installed").write_text(" ".join(PINNED))
            stand_in = cache / "bin" / "python"  # has numpy, but no petpal: everything before it is reached
            stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
            stand_in.chmod(0o755)
            self.assertEqual(environment(), stand_in)
            with self.assertRaises(InputRefused) as refused:
                measure(simulate(size), size, 1200.0, Path(place))
            voxels = np.load(Path(place) / "voxels.npy")
        self.assertEqual(refused.exception.code, "peers-run")
        self.assertIn("petpal", refused.exception.message)
        self.assertEqual(voxels.shape, (1, 1, TRUTHS, 22))


if __name__ == "__main__":
    unittest.main()
