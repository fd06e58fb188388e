"""The validation's own tools against independent truth, and a quick run of all of it."""

import importlib.util
import re
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
from support import checkout  # noqa: F401
from support.kineticstruth import tissue_curve
from support.realdata import DATA
from support.tiers import slow
from TSPOQuantLib.messages import InputRefused

from tools.validation import exactness, run
from tools.validation.coverage import reach_of
from tools.validation.document import (
    INDEPENDENT,
    Figure,
    Goal,
    Measured,
    Picture,
    goal_below,
    markdown,
    plain_text,
    png,
    renewed,
    table,
)
from tools.validation.draws import Case, sized
from tools.validation.intervals import Found, Row, areas_of, cells, shares_of_others
from tools.validation.people import far_off
from tools.validation.reconstructed import chance
from tools.validation.simulation import (
    integrate,
    noisy_fits,
    one_tissue,
    schedule,
    true_input,
    two_tissues,
    with_noise,
    without,
)
from tools.validation.suite import write

DOCS = Path(__file__).resolve().parents[2] / "docs"
LARGEST_PICTURE = 150_000


class SimulationTest(unittest.TestCase):
    def test_curves_meet_the_matrix_exponential(self):
        timing, source = without(schedule(60), (8, 14)), true_input()
        one = one_tissue(np.array([0.1, 1.0]), np.array([13.0, 0.3]), np.array([0.0, 0.15]))
        two = two_tissues(*np.array([[0.3, 4.0, 2.0, 0.06, 0.05]]).T)
        for truth in (one, two):
            curves = integrate(truth, source, [timing, schedule(20)]).averages(timing, truth.values["VB"])
            for n, curve in enumerate(curves):
                rates = {name: truth.values[name][n] for name in ("K1", "k2", "k3", "k4", "VB")}
                np.testing.assert_allclose(curve, tissue_curve(timing, source, **rates), rtol=1e-7, atol=1e-9)
        self.assertAlmostEqual(two.values["K1"][0] / two.values["k2"][0] * (1 + 2.0), 4.0)

    def test_schedule_is_the_phantoms_cut_or_carried_on(self):
        for minutes, frames in ((20, 15), (60, 19), (120, 25)):
            timing = schedule(minutes)
            self.assertEqual((len(timing), timing.ends_s[-1]), (frames, minutes * 60))

    def test_noise_is_that_of_counts(self):
        timing, level = schedule(60), np.full((1, 19), 5.0)
        single = with_noise(level, timing, np.random.default_rng(1), 4000)[0]
        triple = with_noise(level, timing, np.random.default_rng(1), 4000, 3.0)[0]
        np.testing.assert_allclose(single[:, -4:].mean(axis=0), 5.0, rtol=0.01)
        np.testing.assert_allclose(triple[:, -4:].std(axis=0) / single[:, -4:].std(axis=0), 3.0, rtol=0.1)
        # Counts halve with each half-life: 600-s frames lose 2^(-10 min/20.364 min) of theirs.
        variance = single[:, -4:].var(axis=0)
        np.testing.assert_allclose(variance[1:] / variance[:-1], 2 ** (10 / 20.364), rtol=0.15)


class IntervalsTest(unittest.TestCase):
    def test_what_intervals_hold_is_counted(self):
        """Of four visits three are held, of two changes one; of the two without a change one was called one."""
        areas = (0.01, 0.03)
        rows = [
            Row(
                1,
                0,
                "foramen",
                "1TCM",
                "GTM",
                ((0.1, 0.2), (-0.1, 0.2)),
                (0.05, 0.2),
                areas,
                0.1,
                0.3,
                True,
                False,
                {},
            ),
            Row(
                1, 1, "foramen", "1TCM", "GTM", ((0.1, 0.2), (0.3, 0.2)), (0.05, 0.2), areas, 0.5, 0.3, True, True, {}
            ),
        ]
        told = cells(rows)
        first = [cell.split(" (")[0] for cell in told]
        self.assertEqual(first, [f"{np.exp(0.1):.2f}", "3 of 4", "1 of 2", "0.36", "0.30", "1 of 2"])
        self.assertEqual(cells([replace(rows[0], still=False)])[-1], "–")
        found = Found((*rows, rows[1]), ())
        with_it, without_it = shares_of_others(found, "foramen").split(" with it and ")  # not of the first draw
        self.assertTrue(with_it.startswith("2 of 4"))
        self.assertTrue(without_it.startswith("0 of 4"))
        self.assertEqual(areas_of(found), "+2.0 ± 1.2 % (largest 3.0 %, 4 visits)")

    def test_a_drawn_region_of_another_size_keeps_its_place(self):
        at = np.indices((31, 31, 31)) - 15
        ball = np.hypot(np.hypot(at[0], at[1]), at[2]) <= 8
        for size in (0.9, 1.1):
            other = sized(ball, size)
            self.assertAlmostEqual(other.sum() / ball.sum() / size**3, 1, delta=0.05)
            np.testing.assert_allclose(np.argwhere(other).mean(axis=0), 15, atol=0.05)

    def test_the_first_visit_of_a_broken_pair_is_as_assumed(self):
        self.assertEqual(Case("told", delay_s=5.0).at_baseline, Case("told"))
        self.assertEqual(Case("told", off_mm=1.0).at_baseline, Case("told", off_mm=1.0))  # one wrong width at both


class MeasureTest(unittest.TestCase):
    def test_exactness_sees_an_error(self):
        source, timing = true_input(), schedule(60)
        truth = exactness.one_tissue_truths(quick=True)
        curves = integrate(truth, source, [timing]).averages(timing, truth.values["VB"])
        exact = exactness.errors_of("1TCM", truth, timing, curves, source)
        wrong = exactness.errors_of("1TCM", truth, timing, curves * 1.01, source)
        self.assertLess(exact.vt, exactness.GOAL_VT_PERCENT)
        self.assertGreater(wrong.vt, 0.9)

    def test_mid_frame_values_are_worse_than_averages(self):
        cost = exactness.shortcuts()
        width = {name: high - low for name, (low, _, high) in cost.items()}
        ours, middle, frames, joined = width.values()
        self.assertLess(ours, 1e-3)
        self.assertGreater(middle, 100 * ours)
        self.assertGreater(joined, 10 * frames)

    def test_intervals_that_miss_are_counted(self):
        truth = one_tissue(np.array([0.5]), np.array([6.0]), np.array([0.05]))
        (fits,) = noisy_fits("1TCM", truth, schedule(60), 40, seed=1)
        self.assertGreater(reach_of(fits, 6.0).holds.mean(), 0.8)
        self.assertEqual(reach_of(fits, 9.0).holds.mean(), 0.0)
        np.testing.assert_allclose(reach_of(fits, 9.0).off, 1 / 3, atol=0.1)

    def test_volumes_far_off_are_counted_apart(self):
        ratio, sure = np.array([1.0, 1.2, 0.9, 3.0]), np.array([True, True, True, False])
        self.assertEqual(far_off(ratio, sure), "2 of 3 + 1 of 1")

    def test_chance_is_the_exact_binomial_range(self):
        # 95 of 100 and 0 of 10: tables of Clopper & Pearson's limits.
        self.assertEqual(chance(95, 100), "95 of 100 (89 to 98 %)")
        self.assertEqual(chance(0, 10), "0 of 10 (0 to 31 %)")
        self.assertEqual(chance(10, 10), "10 of 10 (69 to 100 %)")


class DocumentTest(unittest.TestCase):
    def test_only_numbers_stand_right(self):
        lines = table(["a", "b", "c"], [["x", "1", "1"], ["2", "< 3", "none"]]).splitlines()
        self.assertEqual(lines[1], "| --- | ---: | --- |")

    def test_markdown_and_terminal(self):
        goals = (goal_below("q", 0.5, 1), goal_below("r", 2, 1))
        section = Measured("A", table(["x", "y"], [["a", "1"]]), goals, (Picture("a.png", "What it shows", b""),))
        text = markdown("Intro", [section])
        self.assertIn("![What it shows](a.png)", text)
        self.assertIn("| 1 | q | 0.5 % | at most 1 % | yes | self-consistency |", text)
        self.assertIn("| 1 | r | 2 % | at most 1 % | **no** | self-consistency |", text)
        self.assertIn("MISSED: r", plain_text([section]))
        self.assertNotIn("---", plain_text([section]))
        self.assertEqual(goal_below("tiny", 1e-9, 1), Goal("tiny", "below 0.01 %", "at most 1 %", True))

    def test_one_section_is_renewed_and_the_others_stay(self):
        goal = goal_below("q", 0.5, 1)
        first, second, third = (Measured(name, f"text of {name}", (goal,), ()) for name in "ABC")
        whole = markdown("Intro", [first, second, third])
        again = Measured("B", "another text", (goal_below("r", 2, 1),), (), INDEPENDENT)
        self.assertEqual(renewed(whole, 2, again), markdown("Intro", [first, again, third]))
        self.assertEqual(renewed(markdown("Intro", [first, second]), 3, third), whole)

    def test_a_section_that_does_not_exist_is_refused_with_those_that_do(self):
        with tempfile.TemporaryDirectory() as place, self.assertRaisesRegex(InputRefused, "exactness.*reconstructed"):
            run(Path(place), only=("exactnes",))

    @unittest.skipUnless(importlib.util.find_spec("matplotlib"), "matplotlib is not installed")
    def test_pictures_are_the_same_every_time(self):
        figure = Figure("a.png", "a", lambda canvas: canvas.subplots().plot([1, 2]))
        self.assertEqual(png(figure), png(figure))

    def test_written_whole_or_not_at_all(self):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "docs"
            with self.assertRaises(InputRefused):
                write(folder, {"a.md": b"a", "absent/b.png": b"b"})
            self.assertEqual(list(folder.iterdir()), [])
            write(folder, {"a.md": b"a", "b.png": b"b"})
            self.assertEqual({path.name for path in folder.iterdir()}, {"a.md", "b.png"})

    def test_the_document_shows_only_pictures_that_are_there(self):
        text = (DOCS / "validation.md").read_text(encoding="utf-8")
        pictures = re.findall(r"\]\((\S+\.png)\)", text)
        self.assertGreaterEqual(len(pictures), 3)
        for name in pictures:
            self.assertLess((DOCS / name).stat().st_size, LARGEST_PICTURE, name)
        for line in text.splitlines():
            if line.startswith("##") and "simulated" in line.lower():
                self.assertIn("**Simulated**", text.split(line)[1].split("\n## ")[0], line)


@slow
class RunTest(unittest.TestCase):
    def test_quick_run_measures_everything_and_writes_nothing(self):
        steps = []
        with tempfile.TemporaryDirectory() as place:
            data = DATA if DATA.is_dir() else None
            text = run(Path(place), data, quick=True, progress=lambda fraction, _: steps.append(fraction))
            self.assertEqual(list(Path(place).iterdir()), [])
        self.assertEqual(steps, sorted(steps))
        self.assertEqual(steps[-1], 1)
        for n in range(1, 8):
            self.assertRegex(text, rf"(?m)^{n}\. ")
        for claim in ("noise-free: worst V_T error", "WRSS over the exact" if data else "Skipped"):
            self.assertIn(claim, text)
        self.assertNotRegex(text, r"MISSED: .*noise-free")
        self.assertNotIn("nan", text)


if __name__ == "__main__":
    unittest.main()
