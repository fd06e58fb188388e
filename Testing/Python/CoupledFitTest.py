"""Regions of one scan fitted with one V_B: right on simulation, surer, and tested against separate ones."""

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from support import inputtruth as truth
from support.tiers import slow
from support.tinystudy import quiet
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.input_function import InputFunction
from TSPOQuantLib.kinetics import FitOptions, fit_coupled
from TSPOQuantLib.kinetics.coupled import shared_covariance
from TSPOQuantLib.messages import InputRefused

VB = 0.05
VOLUMES = np.array([2.0, 3.0, 4.0, 5.0])
NOISE = 0.03
DRAWS = 6


class CoupledFitTest(unittest.TestCase):
    """One tissue compartment with V_B 0.05 in four regions; simulated."""

    @classmethod
    def setUpClass(cls):
        blood = truth.gamma_bolus(truth.TIMES_S)
        means = truth.frame_means(blood)
        tissue = [truth.frame_means(truth.tissue(blood, 0.15, volume)) for volume in VOLUMES]
        cls.clean = np.array([(1 - VB) * one + VB * means for one in tissue])
        cls.timing = FrameTiming(truth.STARTS_S, truth.DURATIONS_S)
        knots = np.flatnonzero((truth.TIMES_S % 2 == 0) & ((truth.TIMES_S < 120) | (truth.TIMES_S % 60 == 0)))
        cls.input = InputFunction(truth.TIMES_S[knots], blood[knots], blood[knots])
        cls.options = FitOptions(weights=cls.timing.durations_s)

    def curves(self, seed, clean=None):
        clean = self.clean if clean is None else clean
        size = NOISE * clean.mean(axis=1)[:, None] * np.sqrt(300 / self.timing.durations_s)
        return clean + size * np.random.default_rng(seed).normal(size=clean.shape)

    def fitted(self, curves, options=None):
        return fit_coupled("1TCM", self.timing, curves, self.input, options or self.options)

    def test_without_noise_it_finds_the_truth(self):
        found = self.fitted(self.clean * (1 + 1e-9 * np.arange(4)[:, None]))
        self.assertAlmostEqual(found.shared["VB"], VB, delta=2e-3)  # the input is a line every second
        np.testing.assert_allclose([one.outcome_value for one in found.fits], VOLUMES, rtol=2e-3)

    def test_the_command_writes_it_beside_the_separate_fits(self):
        rows = [f"{60 * n}\t{60 * n + 60}\t{1000 * min(n, 5) + 1}\t{800 * min(n, 6) + 1}" for n in range(60)]
        blood = "time\twhole_blood_radioactivity\tAIF\n0\t0\t0\n60\t20\t20\n600\t4\t3\n3600\t2\t1\n"
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "x_tacs.tsv").write_text("\n".join(["frame_start\tframe_end\ta\tb", *rows]) + "\n")
            (folder / "x_bloodproc.tsv").write_text(blood)
            files = folder / "x_tacs.tsv", "--blood", folder / "x_bloodproc.tsv"
            code, told = quiet("fit", *files, "--models", "1TCM,Logan", "--coupled", "--out", folder / "out")
            self.assertEqual(code, 0, told)
            about = json.loads((folder / "out" / "desc-coupled_model-1TCM_kinpar.json").read_text())
            table = (folder / "out" / "desc-coupled_model-1TCM_kinpar.tsv").read_text().splitlines()
        at = table[0].split("\t").index("VB")
        self.assertEqual(len({row.split("\t")[at] for row in table[1:]}), 1)
        self.assertEqual(len(about["Coupled"]["OutcomeCovariance"]), 2)
        self.assertIn("FChance", about["Coupled"])

    @slow
    def test_its_intervals_hold_the_truth_and_are_narrower(self):
        inside, gain, shared, volumes = [], [], [], []
        for seed in range(DRAWS):
            found = self.fitted(self.curves(seed))
            for one, apart, volume in zip(found.fits, found.separate, VOLUMES, strict=True):
                low, high = one.interval("VT")
                inside.append(low <= volume <= high)
                gain.append(one.standard_errors["VB"] / apart.standard_errors["VB"])
                volumes.append(one.outcome_error / apart.outcome_error)
            shared.append((found.shared["VB"] - VB) / found.shared_errors["VB"])
        self.assertGreater(np.mean(inside), 0.8)  # 95 % of 24 are 22.8 with a standard deviation of 1.1
        self.assertLess(np.median(gain), 0.7)
        self.assertLess(np.median(volumes), 1)
        self.assertLess(np.abs(shared).max(), 4)

    def test_regions_that_do_not_share_it_are_told(self):
        blood = truth.frame_means(truth.gamma_bolus(truth.TIMES_S))
        other = self.clean.copy()
        other[0] = (other[0] - VB * blood) / (1 - VB) * 0.8 + 0.2 * blood
        self.assertGreater(self.fitted(self.curves(1)).f_chance, 0.01)
        self.assertLess(self.fitted(self.curves(1, other)).f_chance, 1e-4)

    def test_the_outcomes_move_together_as_one_shared_parameter_moves_them(self):
        found = self.fitted(self.curves(2))
        self.assertEqual(found.covariance.shape, (4, 4))
        errors = [one.outcome_error for one in found.fits]
        np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), errors, rtol=1e-12)
        self.assertGreater(found.covariance[0, 1], 0)
        self.assertGreater(np.linalg.eigvalsh(found.covariance).min(), 0)

    def test_noise_that_the_weights_do_not_know_is_told(self):
        late = self.timing.starts_s >= 2400
        uneven = self.clean.copy()
        uneven[0, late] *= 1 + 0.1 * (-1.0) ** np.arange(late.sum())
        uneven[1:] = self.curves(1)[1:]
        even, odd = self.fitted(self.curves(1)), self.fitted(uneven)
        ratio = [one.fits[0].outcome_error / one.separate[0].outcome_error for one in (even, odd)]
        self.assertGreater(ratio[1], 1.2 * ratio[0])

    def test_noise_that_is_estimated_costs_certainty(self):
        rng, draws, freedom = np.random.default_rng(1), 20000, (8, 12, 16, 16)
        variances = np.array([1.0, 2.0, 0.5, 4.0])
        means = rng.normal(size=(draws, 4)) * np.sqrt(variances)
        told = variances * rng.chisquare(freedom, (draws, 4)) / freedom
        found = (means / told).sum(axis=1) / (1 / told).sum(axis=1)
        by_formula = [shared_covariance([np.array([[1 / s]]) for s in one], freedom)[0, 0] for one in told[:2000]]
        self.assertAlmostEqual(np.mean(by_formula) / np.var(found), 1, delta=0.05)
        self.assertLess(np.mean(1 / (1 / told).sum(axis=1)) / np.var(found), 0.85)

    def test_what_cannot_be_coupled_is_refused(self):
        for model, options, code in (
            ("Logan", self.options, "coupled-model"),
            ("1TCM", FitOptions(vb=0.05), "coupled-shared"),
        ):
            with self.assertRaises(InputRefused) as caught:
                fit_coupled(model, self.timing, self.clean, self.input, options)
            self.assertEqual(caught.exception.code, code)


if __name__ == "__main__":
    unittest.main()
