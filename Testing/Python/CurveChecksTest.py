"""Single frames, columns and orders of curves that cannot be: found where they are made, and never on real curves."""

import unittest

import numpy as np
from support.exacttissue import EDGES_S, frame_means
from support.realdata import DATA, needs_data
from TSPOQuantLib.acquisition.curve_checks import copied_curves, curve_notices, exchanged_frames, odd_frames
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.tacs import read_tacs
from TSPOQuantLib.kinetics import FitChoices
from TSPOQuantLib.pipeline.curves import unit_notices

TIMING = FrameTiming(EDGES_S[:-1], np.diff(EDGES_S))
FRAMES = len(TIMING)
CURVE = frame_means(4.0)


def noisy(seed, part=0.02):
    return CURVE * (1 + part * np.random.default_rng(seed).standard_normal(FRAMES))


class OddFrameTest(unittest.TestCase):
    def test_a_frame_that_its_neighbors_speak_against(self):
        self.assertEqual(odd_frames(TIMING, CURVE), [])
        for factor in (10.0, 0.1, 1000.0, 0.0, -1.0, 3.0):
            for frame in (10, 14, 15, 16, FRAMES - 1):
                if frame == FRAMES - 1 and factor == 3.0:
                    continue  # of the last frame one side alone is known
                curve = noisy(frame)
                curve[frame] *= factor
                with self.subTest(factor=factor, frame=frame):
                    self.assertEqual(odd_frames(TIMING, curve), [frame])

    def test_two_of_them(self):
        curve = CURVE.copy()
        curve[12] *= 10
        curve[15] = 0
        self.assertEqual(odd_frames(TIMING, curve), [12, 15])

    def test_nothing_before_the_tracer_is_no_slip_and_nothing_after_it_is(self):
        early, lost = CURVE.copy(), CURVE.copy()
        early[:2] = 0
        lost[6] = 0
        self.assertEqual((odd_frames(TIMING, early), odd_frames(TIMING, lost)), ([], [6]))
        self.assertEqual(odd_frames(TIMING, np.zeros(FRAMES)), [])

    def test_it_is_named_with_what_to_do(self):
        activity = np.array([CURVE, 2 * CURVE, 3 * CURVE, CURVE, CURVE])
        activity[1:, 15] = 0
        kept = list(range(2, FRAMES + 2))  # the first frame was left out before
        (notice,) = curve_notices(TIMING, "abcde", activity, kept, lambda numbers: f"--leave-out {numbers[0]}")
        self.assertEqual(notice.code, "tacs-frame-odd")
        for part in ("frame 17 of 'b', 'c', 'd' and 1 more: 0 kBq/mL beside", "(--leave-out 17)"):
            self.assertIn(part, notice.message)


class OrderTest(unittest.TestCase):
    def test_two_late_frames_that_changed_places(self):
        curves = np.array([noisy(1, 0.002), noisy(2, 0.002)])
        self.assertIsNone(exchanged_frames(TIMING, curves))
        for one, other in ((15, 16), (13, 16)):
            changed = curves.copy()
            changed[:, [one, other]] = changed[:, [other, one]]
            with self.subTest(one=one, other=other):
                self.assertEqual(exchanged_frames(TIMING, changed), (one, other))
        (notice,) = curve_notices(TIMING, "ab", changed, range(1, FRAMES + 1), lambda numbers: f"leave out {numbers}")
        self.assertIn("frames 14 and 17 seem to be exchanged", notice.message)
        self.assertIn("leave out [14, 17]", notice.message)


class CopyTest(unittest.TestCase):
    def test_two_columns_of_one_region(self):
        other = frame_means(2.0) * (1 + 0.01 * np.sin(np.arange(FRAMES)))
        for copy, told in (
            (CURVE, "'d' has the values of 'a'"),
            (1000 * CURVE, "'d' has 1000 times the values of 'a'"),
        ):
            (notice,) = copied_curves("abcd", np.array([CURVE, other, noisy(3, 1e-4), copy]))
            self.assertIn(told, notice.message)
        self.assertEqual(len(copied_curves("abc", np.array([CURVE] * 3))), 2)
        self.assertEqual(copied_curves("ab", np.array([CURVE, 2 * CURVE])), ())
        self.assertEqual(copied_curves("ab", np.zeros((2, FRAMES))), ())


class UnitTest(unittest.TestCase):
    def test_times_in_the_other_unit(self):
        for tstar_s, until_min, codes in (
            (30.0, None, ["tstar-early"]),
            (300.0, 45.0, []),
            (0.0, 70.0, []),  # every frame on purpose; a window that other scans reach
            ("auto", 3600.0, ["until-beyond"]),
        ):
            with self.subTest(tstar_s=tstar_s, until_min=until_min):
                found = unit_notices(TIMING, ["1TCM", "Logan"], FitChoices(tstar_s=tstar_s), until_min)
                self.assertEqual([notice.code for notice in found], codes)
        self.assertEqual(unit_notices(TIMING, ["1TCM"], FitChoices(tstar_s=30.0), None), ())


@needs_data
class RealCurvesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scans = [read_tacs(path) for path in sorted(DATA.rglob("*_tacs.tsv"))]

    def test_no_real_curve_is_told_of(self):
        self.assertGreaterEqual(sum(len(scan.regions) for scan in self.scans), 900)
        for scan in self.scans:
            numbers = range(1, len(scan.timing) + 1)
            self.assertEqual(curve_notices(scan.timing, scan.regions, scan.activity, numbers, str), ())
            self.assertEqual([n.code for n in scan.notices if n.code == "tacs-copied"], [])

    def test_each_real_curve_tells_of_a_slip(self):
        rng = np.random.default_rng(0)
        for scan in self.scans:
            late = np.flatnonzero(scan.timing.mids_s >= 180)
            for curve in scan.activity[::20]:
                for factor in (10.0, 0.1, 0.0):
                    changed, frame = curve.copy(), int(rng.choice(late))
                    changed[frame] *= factor
                    self.assertIn(frame, odd_frames(scan.timing, changed))


if __name__ == "__main__":
    unittest.main()
