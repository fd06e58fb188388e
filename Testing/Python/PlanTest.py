"""The planner: its noise, its error model, and what it refuses."""

import contextlib
import io
import json
import math
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from support.tiers import slow
from support.visitrecords import visit
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.cli import main
from TSPOQuantLib.input_function import InputFunction
from TSPOQuantLib.kinetics import FitOptions, fit, weights
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome import plan
from TSPOQuantLib.outcome.budget import BudgetSettings
from TSPOQuantLib.outcome.plan import CALIBRATION, PER_MM, Protocol, _counts, _one_tissue, detectable, recovery_at
from TSPOQuantLib.outcome.protocol_file import read_protocol
from TSPOQuantLib.outcome.region_noise import counts_of, independent_voxels, undecayed_s

MINUTES = np.concatenate([np.arange(0, 5, 0.05), np.arange(5, 121, 1.0)])
PLASMA = 900 * MINUTES * np.exp(-5 * MINUTES) + 5 * np.exp(-0.28 * MINUTES) + np.exp(-0.009 * MINUTES)
SOURCE = InputFunction(60 * MINUTES, PLASMA, 0.8 * PLASMA)
EXAMPLE = """[scan]
injected_mbq = 370
minutes = 60
fwhm_mm = 4.5
[tissue]
K1 = [0.5, 0.5]
VT = [13, 6.2]
[plan]
wcv_percent = 10
"""


def case(corrected, minutes=60.0, **changes):
    """One case of K1 0.5, with 30 draws."""
    protocol = Protocol(**changes)
    factor = protocol.injected_mbq / 400
    source = InputFunction(60 * MINUTES, factor * PLASMA, factor * 0.8 * PLASMA)
    return detectable(protocol, 0.5, minutes, corrected, source, np.random.default_rng(1), 30)


def without_outcome(found):
    return replace(found, parameters=found.parameters | {"VT": math.nan})


class ProtocolTest(unittest.TestCase):
    def test_frames_fill_the_scan(self):
        self.assertEqual(len(Protocol().timing), 19)
        for minutes in (20.0, 47.0, 90.0):
            timing = Protocol(minutes=minutes).timing
            self.assertAlmostEqual(timing.ends_s[-1], 60 * minutes)
        own = Protocol(minutes=30, frames_s=(300.0,) * 8).timing
        self.assertEqual((len(own), own.ends_s[-1]), (6, 1800))

    def test_recovery_between_the_simulated_resolutions(self):
        for width, recovery in ((4, 0.48), (5, 0.39), (6, 0.31), (7, 0.24)):
            self.assertAlmostEqual(recovery_at(width), recovery)
        self.assertTrue(0.39 < recovery_at(4.5) < 0.48 and recovery_at(8) < 0.24 and recovery_at(3) > 0.48)
        self.assertLessEqual(recovery_at(0.1), 1)


class PlanTest(unittest.TestCase):
    def test_noise_goes_as_one_over_the_root_of_the_dose(self):
        for corrected in (False, True):
            strong, weak = (case(corrected, injected_mbq=dose, noise_fwhm_mm=0.0).noise for dose in (1600.0, 400.0))
            for one, other in zip(strong, weak, strict=True):
                self.assertAlmostEqual(other / one, 2, delta=0.15)

    def test_voxel_noise_is_the_stated_one(self):
        """One voxel of muscle alone, one frame from 20 to 30 min: 20 %."""
        protocol = Protocol(volume_mm3=8.0, noise_fwhm_mm=0.0)
        frame = FrameTiming(np.array([1200.0]), np.array([600.0]))
        muscle = _one_tissue(frame, SOURCE, 0.06, 1.6, 0.05)
        self.assertAlmostEqual(float(np.sqrt(muscle * _counts(protocol, frame, SOURCE))[0]), 5)

    def test_the_error_is_the_budgets(self):
        """Without noise and delay what is left is known: scale, calibration and place, twice."""
        for corrected in (False, True):
            quiet = case(corrected, noise_percent=0.001, budget=BudgetSettings(0.05, 0, 1.0, 0, 0, 0))
            expected = math.sqrt(2 * (0.05**2 + CALIBRATION**2 + PER_MM[corrected] ** 2))
            self.assertAlmostEqual(quiet.error, expected, places=4)
        limit = (1.959964 + 0.841621) * quiet.error
        self.assertAlmostEqual(quiet.fall_percent, 100 * (math.exp(-limit) - 1), places=3)
        self.assertAlmostEqual(quiet.rise_percent, 100 * (math.exp(limit) - 1), places=3)

    def test_power_at_the_detectable_change_is_the_wanted_one(self):
        for corrected in (False, True):
            fall = case(corrected).fall_percent
            again = case(corrected, vt=(12.96, 12.96 * (1 + fall / 100)))
            self.assertAlmostEqual(again.power, 0.8, delta=0.05)

    def test_fluorine_keeps_the_counts_that_carbon_loses(self):
        """Its late frames see more, so that V_T of the same dose on the same scanner is less noisy, the more so in the
        longer scan."""
        timing = FrameTiming(np.array([0.0, 3000.0]), np.array([600.0, 600.0]))
        noise = {}
        for tracer, half_life_s in (("[11C]DPA-713", 1221.84), ("[18F]DPA-714", 6586.2)):
            protocol = Protocol(tracer=tracer, half_life_s=half_life_s)
            seen = [np.mean(2 ** -((start + np.linspace(0, 600, 20001)) / half_life_s)) for start in timing.starts_s]
            first, late = _counts(protocol, timing, SOURCE)
            self.assertAlmostEqual(late / first, seen[1] / seen[0], places=5, msg=tracer)
            noise[tracer] = [
                case(False, minutes, tracer=tracer, half_life_s=half_life_s, region_counts=1.0).noise[0]
                for minutes in (60.0, 30.0)
            ]
        carbon, fluorine = noise.values()
        self.assertLess(fluorine[0], 0.8 * carbon[0])
        self.assertLess(fluorine[0] / carbon[0], fluorine[1] / carbon[1])

    def test_what_makes_it_harder(self):
        usual = case(True)
        self.assertGreater(case(True, minutes=30.0).error, usual.error)
        self.assertGreater(case(True, wcv=0.2).error, math.sqrt(2) * 0.19)
        self.assertGreater(case(True, fwhm_mm=7.0).noise[0], 1.3 * usual.noise[0])


class RegionNoiseTest(unittest.TestCase):
    def test_a_graphical_method_is_planned_with_the_start_of_its_scan(self):
        """Draws are scans: those whose noise alone bends a line do not take V_T from all others."""
        found = case(True, model="Logan", noise_percent=90.0)
        self.assertLess(found.lost, 0.1)
        self.assertTrue(all(map(math.isfinite, (*found.noise, found.bias_percent, found.error))))

    def test_a_scan_without_an_outcome_has_no_bias(self):
        with mock.patch("TSPOQuantLib.outcome.plan.fit", lambda *given: [without_outcome(one) for one in fit(*given)]):
            found = case(False)
        self.assertEqual(found.lost, 1)
        self.assertTrue(math.isnan(found.bias_percent))

    def test_independent_voxels_against_all_pairs(self):
        for volume, voxel, fwhm in ((220.0, 2.0, 2.8), (220.0, 1.0, 5.0), (4000.0, 2.0, 6.0)):
            radius = (3 * volume / (4 * math.pi)) ** (1 / 3)
            at = np.arange(-radius, radius + voxel, voxel)
            points = np.stack(np.meshgrid(at, at, at), axis=-1).reshape(-1, 3)
            points = points[np.linalg.norm(points, axis=1) <= radius]
            apart2 = ((points[:, None] - points[None]) ** 2).sum(axis=-1)
            correlation = np.exp(-apart2 * 2 * math.log(2) / fwhm**2)  # 4 s² = fwhm² / (2 ln 2)
            found = independent_voxels(len(points) * voxel**3, voxel, fwhm)
            self.assertAlmostEqual(found * correlation.mean(), 1, delta=0.15)
        self.assertEqual(independent_voxels(220.0, 2.0, 0.0), 27.5)
        self.assertLess(independent_voxels(220.0, 2.0, 40.0), 1.05)

    def test_counts_come_back_from_the_residuals_of_fits(self):
        protocol = Protocol(frames_s=(60.0,) * 10 + (300.0,) * 10)
        timing, counts = protocol.timing, 3.0
        rng = np.random.default_rng(3)
        clean = _one_tissue(timing, SOURCE, 0.3, 6.0, 0.05)
        spread = np.sqrt(clean / (counts * undecayed_s(timing, protocol.half_life_s)))
        curves = clean + spread * rng.standard_normal((60, len(timing)))
        options = FitOptions(weights=weights("counts", timing, clean[None], protocol.half_life_s))
        names = [f"foramen {n}" for n in range(60)]
        fits = fit("1TCM", timing, curves, SOURCE, options)
        scan = {"frame_starts_s": tuple(timing.starts_s), "frame_durations_s": tuple(timing.durations_s)}
        one = visit(acquisition=scan | {"half_life_s": protocol.half_life_s})
        record = replace(
            one,
            regions=tuple(replace(one.regions[0], name=name) for name in names),
            fits=tuple(replace(each, region=name) for name, each in zip(names, fits, strict=True)),
        )
        self.assertAlmostEqual(counts_of(record) / counts, 1, delta=0.15)
        planned = plan.with_noise_of(protocol, record)
        again = _counts(planned, timing, SOURCE) / undecayed_s(timing, protocol.half_life_s)
        np.testing.assert_allclose(again, counts, rtol=0.15)
        with self.assertRaises(InputRefused) as caught:
            counts_of(replace(record, fits=record.fits[:1]))
        self.assertEqual(caught.exception.code, "plan-noise")


class FileTest(unittest.TestCase):
    def refusal(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "protocol.toml"
            path.write_text(text, encoding="utf-8")
            try:
                return read_protocol(path)
            except InputRefused as refused:
                return refused

    def test_reads_every_key(self):
        protocol = self.refusal(EXAMPLE)
        self.assertEqual(protocol, Protocol(injected_mbq=370, fwhm_mm=4.5, k1=(0.5, 0.5), vt=(13, 6.2), wcv=0.1))

    def test_any_radionuclide(self):
        def half_life(lines):
            return self.refusal(EXAMPLE.replace("[scan]", f"[scan]\n{lines}")).half_life_s

        self.assertEqual(half_life('tracer = "[18F]DPA-714"'), 6586.2)
        self.assertEqual(half_life('tracer = "[64Cu]new"\nhalf_life_s = 45721'), 45721)
        self.assertEqual(half_life('tracer = "DPA-714"'), 6586.2)
        self.assertAlmostEqual(self.refusal(EXAMPLE).half_life_s, 1220, delta=2)

    def test_a_tracer_given_beside_the_file_takes_the_place_of_its_own(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "protocol.toml"
            path.write_text(EXAMPLE.replace("[scan]", '[scan]\ntracer = "[11C]PBR28"\nhalf_life_s = 1220'), "utf-8")
            given = read_protocol(path, "GE-180")
            self.assertEqual((given.tracer, given.half_life_s, given.injected_mbq), ("GE-180", 6586.2, 370))
            self.assertEqual(read_protocol(path, "[64Cu]new", 45721).half_life_s, 45721)
            for wrong in (("[64Cu]new", None), (None, 6586.0), (None, -1.0), (None, math.nan)):
                with self.subTest(wrong), self.assertRaises(InputRefused) as refused:
                    read_protocol(path, *wrong)
                self.assertEqual(refused.exception.code, "protocol-value")

    def test_what_is_published_of_the_tracer_is_told(self):
        for tracer, told in (("DPA-713", "±70 %"), ("[18F]GE-180", "No published"), ("[18F]new", "not known here")):
            self.assertTrue(any(told in text for text in plan._assumptions(Protocol(tracer=tracer))), tracer)

    def test_what_is_refused(self):
        for old, new, code in (
            ("fwhm_mm", "fwhm", "key"),
            ("[tissue]", "[tissues]", "key"),
            ("60", "0", "value"),
            ("60", '"an hour"', "value"),
            ("[0.5, 0.5]", "[0.5, 0.1]", "value"),
            ("[0.5, 0.5]", "0.5", "value"),
            ("[13, 6.2]", "[13, -1]", "value"),
            ("[plan]", '[plan]\nmodel = "2TCM"', "value"),
            ("[tissue]", "frames_s = [600, 600]\n[tissue]", "value"),
            ("[scan]", '[scan]\ntracer = "DPA-715"', "value"),
            ("[scan]", '[scan]\ntracer = "[18F]DPA-714"\nhalf_life_s = 1221', "value"),
            ("[scan]", "[scan]\nhalf_life_s = 0", "value"),
            ("[scan]", "[scan]\nnoise_percent = 0.2", "value"),
            ("wcv_percent = 10", "wcv_percent = 0.1", "value"),
            ("[scan]", "[scan", "unreadable"),
        ):
            with self.subTest(new):
                self.assertEqual(self.refusal(EXAMPLE.replace(old, new)).code, f"protocol-{code}")

    def test_lengths_of_too_few_frames_are_not_tried(self):
        """A plan of 6 frames of 10 min has no curve of 30 min to fit, and is a plan all the same."""
        protocol = Protocol(k1=(0.3, 0.3), frames_s=(600.0,) * 6)
        found = plan.make_plan(protocol, InputFunction(60 * MINUTES, PLASMA, 0.8 * PLASMA))
        self.assertEqual({case.minutes for case in found.by_minutes}, {60.0})

    def test_the_whole_scan_is_among_the_lengths(self):
        protocol = Protocol(k1=(0.3, 0.3), minutes=60.4, frames_s=(302.0,) * 12)
        found = plan.make_plan(protocol, InputFunction(60 * MINUTES, PLASMA, 0.8 * PLASMA))
        self.assertAlmostEqual(found.by_minutes[-1].minutes, 60.4)
        self.assertEqual(found.by_minutes[-1].error, found.by_k1[-1].error)
        self.assertEqual([sentence for sentence in found.assumptions if "correction itself: SD" in sentence], [])

    @slow
    def test_the_command(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "protocol.toml"
            path.write_text(EXAMPLE.replace("[scan]", '[scan]\ntracer = "[18F]DPA-714"'), encoding="utf-8")
            out = io.StringIO()
            with contextlib.redirect_stdout(out), mock.patch.object(plan, "SHORTER", ()):
                code = main(["plan", str(path), "--out", f"{folder}/plan", "--json"])
            self.assertEqual(code, 0)
            self.assertEqual(len(json.loads(out.getvalue())["by_k1"]), 2)
            names = {file.name for file in (Path(folder) / "plan").iterdir()}
            self.assertEqual(names, {".tspoquant", "plan.json", "plan.txt", "plan.png"})
            text = (Path(folder) / "plan" / "plan.txt").read_text(encoding="utf-8")
            for words in (
                "Simulated",
                "370 MBq",
                "[18F]DPA-714",
                "none is published",
                "within-subject",
                "independent voxels",
            ):
                self.assertIn(words, text)

    @slow
    def test_takes_its_noise_from_a_visit(self):
        record = Path(__file__).parents[1] / "Data" / "visit-v0.1.json"
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(plan, "SHORTER", ()):
            path = Path(folder) / "p.toml"
            path.write_text(EXAMPLE, encoding="utf-8")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                self.assertEqual(main(["plan", str(path), "--from", str(record)]), 0)
        self.assertRegex(out.getvalue(), "Noise as the foramina of the scan .*, baseline had it in their fits")


if __name__ == "__main__":
    unittest.main()
