"""The phantom's curves against closed forms, and its truth against the input that it writes."""

import unittest

import numpy as np
from scipy.optimize import least_squares
from scipy.signal import lfilter
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.phantom.neck import STRUCTURES
from TSPOQuantLib.phantom.settings import VISITS, PhantomSettings
from TSPOQuantLib.phantom.tables import true_input_times_min
from TSPOQuantLib.phantom.tracer import (
    ARRIVAL_MIN,
    BLOOD_KINETICS,
    FRAME_DURATIONS_S,
    FRAME_STARTS_S,
    Kinetics,
    blood_of,
    frame_averages,
    kinetics_of,
)

TARGET = "foramen C6/C7 left (root C7)"


def means_from_lines(k1, k2, vb, minutes, plasma, whole_blood):
    """Frame means of the one-tissue model for inputs that are straight between samples, by the exact recursion."""
    step = 0.25 / 60
    t = np.arange(0, 3600 * 4 + 1) * step
    cp, cw = np.interp(t, minutes, plasma), np.interp(t, minutes, whole_blood)
    decay = np.exp(-k2 * step)
    late = 1 / k2 - (1 - decay) / (k2**2 * step)
    early = (1 - decay) / k2 - late
    drive = k1 * np.concatenate([[0.0], early * cp[:-1] + late * cp[1:]])
    tissue = lfilter([1.0], [1.0, -decay], drive)
    running = [np.concatenate([[0.0], np.cumsum((c[1:] + c[:-1]) / 2 * step)]) for c in (cp, cw)]
    tissue_integral = (k1 * running[0] - tissue) / k2
    edges = np.append(FRAME_STARTS_S, 3600.0) / 60
    at = np.rint(edges / step).astype(int)
    return ((1 - vb) * np.diff(tissue_integral[at]) + vb * np.diff(running[1][at])) / np.diff(edges)


class FrameAverageTest(unittest.TestCase):
    def test_constant_input_has_a_closed_form(self):
        k1, vt, vb, onset = 0.3, 6.0, 0.1, 0.25
        k2 = k1 / vt
        found = frame_averages({"x": Kinetics(k1, vt, vb)}, lambda t: 2.0 + 0 * t, lambda t: 3.0 + 0 * t, onset)[0]
        edges = np.maximum(np.append(FRAME_STARTS_S, 3600) / 60 - onset, 0)
        tissue = k1 * 2.0 / k2 * (edges + np.expm1(-k2 * edges) / k2)
        wanted = np.diff((1 - vb) * tissue + vb * 3.0 * edges) / (FRAME_DURATIONS_S / 60)
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10)

    def test_blood_structures_hold_whole_blood(self):
        blood = blood_of("baseline")
        found = frame_averages({"x": BLOOD_KINETICS}, blood.parent_plasma, blood.whole_blood, ARRIVAL_MIN)[0]
        t = np.linspace(FRAME_STARTS_S[9], FRAME_STARTS_S[9] + 60, 4001) / 60
        self.assertAlmostEqual(found[9], np.trapezoid(blood.whole_blood(t), t), delta=1e-6 * found[9])
        self.assertEqual(found[0], 0)

    def test_schedule(self):
        self.assertEqual((len(FRAME_STARTS_S), FRAME_STARTS_S[-1] + FRAME_DURATIONS_S[-1]), (19, 3600))
        np.testing.assert_array_equal(FRAME_STARTS_S[1:], (FRAME_STARTS_S + FRAME_DURATIONS_S)[:-1])


class TruthTest(unittest.TestCase):
    def test_published_values_and_what_does_not_change(self):
        before, after = (kinetics_of(visit, {}) for visit in VISITS)
        self.assertEqual((before[TARGET].vt, after[TARGET].vt), (12.96, 6.21))
        self.assertEqual((before["cord C7"].vt, after["cord C7"].vt), (6.43, 5.38))
        changed = {name for name in STRUCTURES if before[name] != after[name]}
        self.assertEqual(changed, {TARGET, "cord C7"})
        self.assertLess(before["foramen C3/C4 left (root C4)"].vt, 6.21)
        self.assertLess(before["cord C4"].vt, 5.38)

    def test_written_input_gives_back_the_vt(self):
        minutes = true_input_times_min()
        for visit in VISITS:
            blood, kinetics = blood_of(visit), kinetics_of(visit, {})
            curves = frame_averages(kinetics, blood.parent_plasma, blood.whole_blood, ARRIVAL_MIN)
            plasma, whole = blood.parent_plasma(minutes), blood.whole_blood(minutes)
            for name in (TARGET, "cord C7", "cord C4", "muscle"):
                with self.subTest(visit=visit, name=name):
                    k, curve = kinetics[name], curves[STRUCTURES.index(name)]

                    def residual(p, curve=curve, plasma=plasma, whole=whole):
                        return means_from_lines(*p, minutes, plasma, whole) - curve

                    fit = least_squares(residual, (0.2, 0.1, 0.02), x_scale=(0.1, 0.02, 0.02), xtol=1e-12)
                    self.assertAlmostEqual(fit.x[0] / fit.x[1] / k.vt, 1, delta=5e-4)
                    self.assertAlmostEqual(fit.x[2], k.vb, delta=1e-3)

    def test_override(self):
        asked = {"foramen C6/C7 left": {"baseline": 9.5}, "muscle": {"followup": 2.0}}
        before, after = (kinetics_of(visit, asked) for visit in VISITS)
        self.assertEqual((before[TARGET].vt, after[TARGET].vt), (9.5, 6.21))
        self.assertEqual((before["muscle"].vt, after["muscle"].vt), (1.6, 2.0))
        self.assertEqual(before[TARGET].k1, kinetics_of("baseline", {})[TARGET].k1)

    def test_override_of_nothing_is_refused(self):
        for name in ("foramen C8/T1 left", "carotid artery left", "air"):
            with self.subTest(name), self.assertRaises(InputRefused) as refused:
                kinetics_of("baseline", {name: {"baseline": 3.0}})
            self.assertEqual(refused.exception.code, "phantom-truth")


class BloodTest(unittest.TestCase):
    def test_curves_are_consistent_and_plausible(self):
        t = np.linspace(0.3, 60, 500)
        for visit in VISITS:
            blood = blood_of(visit)
            np.testing.assert_allclose(
                blood.total_plasma(t) * blood.parent_fraction(t), blood.parent_plasma(t), rtol=1e-12
            )
            self.assertTrue((np.diff(blood.parent_fraction(t)) < 0).all())
            self.assertTrue((blood.parent_plasma(t) > 0).all())
            self.assertEqual(float(blood.whole_blood(np.array(ARRIVAL_MIN - 0.01))), 0)
            self.assertAlmostEqual(float(blood.parent_fraction(np.array(0.0))), 1)


class SettingsTest(unittest.TestCase):
    def test_bad_settings_are_refused(self):
        for wrong in (
            {"seed": -1},
            {"seed": 1.5},
            {"vendor": "canon"},
            {"fwhm_mm": -1.0},
            {"fwhm_mm": float("nan")},
            {"noise_percent": "20"},
            {"motion_mm": float("inf")},
            {"truth": {"muscle": {"third": 1.0}}},
            {"truth": {"muscle": {"baseline": -1.0}}},
            {"truth": {"muscle": 1.0}},
        ):
            with self.subTest(wrong), self.assertRaises(InputRefused) as refused:
                PhantomSettings(**wrong)
            self.assertEqual(refused.exception.code, "phantom-setting")


if __name__ == "__main__":
    unittest.main()
