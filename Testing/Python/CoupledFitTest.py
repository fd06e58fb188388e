"""Curves of a scan or of two visits fitted with one V_B: right on simulation, surer, tested against separate ones."""

import json
import math
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
from support import inputtruth as truth
from support import visitrecords as made
from support.tiers import slow
from support.tinystudy import quiet
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.input_function import InputFunction
from TSPOQuantLib.kinetics import FitOptions, ScanCurves, fit, fit_coupled, fit_coupled_scans
from TSPOQuantLib.kinetics.coupled import shared_covariance
from TSPOQuantLib.kinetics.similar import fit_similar_scans, shrunk
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.budget import BudgetSettings
from TSPOQuantLib.outcome.compare import compare
from TSPOQuantLib.outcome.coupled import sharing_as
from TSPOQuantLib.outcome.recording import outcome_rows
from TSPOQuantLib.reporting.comparison_files import comparison_text, write_comparison
from TSPOQuantLib.reporting.report import report_document

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
        self.assertLess(np.median(volumes), 0.9)
        self.assertLess(max(volumes), 1.25)  # no error is smaller than the residuals show
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


NOISE_ALONE = BudgetSettings(0, 0, 0, 0, 0, 0)
CHANGED = {made.LEFT: 0.5, made.CORD: 0.9}


class TwoVisitsTest(unittest.TestCase):
    """A foramen that halves its V_T and a cord that loses a tenth, V_B 0.05 at both visits; simulated."""

    @classmethod
    def setUpClass(cls):
        cls.timing = FrameTiming(truth.STARTS_S, truth.DURATIONS_S)
        cls.blood = truth.gamma_bolus(truth.TIMES_S)
        knots = np.flatnonzero((truth.TIMES_S % 2 == 0) & ((truth.TIMES_S < 120) | (truth.TIMES_S % 60 == 0)))
        cls.input = InputFunction(truth.TIMES_S[knots], cls.blood[knots], cls.blood[knots])
        cls.records = [cls.visit("baseline", 1, {}, VB), cls.visit("followup", 2, CHANGED, VB)]
        cls.plain = compare(cls.records, budget=NOISE_ALONE)
        cls.together = compare([sharing_as(one, "visits") for one in cls.records], budget=NOISE_ALONE)

    @classmethod
    def visit(cls, session, seed, change, vb):
        volumes = {made.LEFT: 4.0, made.CORD: 3.0}
        means = truth.frame_means(cls.blood)
        rng, curves = np.random.default_rng(seed), []
        for name, volume in volumes.items():
            tissue = truth.frame_means(truth.tissue(cls.blood, 0.15, volume * change.get(name, 1)))
            clean = (1 - vb) * tissue + vb * means
            size = NOISE * clean.mean() * np.sqrt(300 / cls.timing.durations_s)
            curves.append(clean + size * rng.normal(size=clean.shape))
        options = FitOptions(weights=cls.timing.durations_s)
        fits = fit("1TCM", cls.timing, np.array(curves), cls.input, options)
        fits = tuple(replace(one, region=name) for name, one in zip(volumes, fits, strict=True))
        regions = tuple(made.region(name, tuple(curve)) for name, curve in zip(volumes, curves, strict=True))
        blank = made.visit(session)
        return replace(
            blank,
            acquisition=replace(
                blank.acquisition,
                frame_starts_s=tuple(cls.timing.starts_s),
                frame_durations_s=tuple(cls.timing.durations_s),
            ),
            input=replace(
                blank.input,
                times_s=tuple(cls.input.times_s),
                parent_plasma=tuple(cls.input.parent_plasma),
                whole_blood=tuple(cls.input.whole_blood),
            ),
            models=("1TCM",),
            regions=regions,
            fits=fits,
            rows=outcome_rows(session, regions, fits),
            sensitivities=(),
            motion=None,
        )

    def test_a_record_holds_all_that_the_fit_needs(self):
        """Separate fits made from the records are those that the records hold."""
        scans = [
            ScanCurves(
                self.timing, np.array([one.regions[0].mean]), self.input, FitOptions(weights=one.fits[0].weights)
            )
            for one in self.records
        ]
        found = fit_coupled_scans("1TCM", scans)
        for one, record in zip(found.separate, self.records, strict=True):
            self.assertAlmostEqual(one.outcome_value / record.rows[0].VT, 1, places=9)
        change = self.together.changes[0]
        self.assertAlmostEqual(change.baseline, found.fits[0].outcome_value, places=9)
        self.assertEqual(self.together.shared[0].values, found.shared)
        # The joint covariance: var(ln b - ln a) with what both share taken out.
        errors = [one.outcome_error / one.outcome_value for one in found.fits]
        joint = found.covariance[0, 1] / (found.fits[0].outcome_value * found.fits[1].outcome_value)
        self.assertGreater(joint, 0)
        self.assertAlmostEqual(change.log_ratio_se**2, errors[0] ** 2 + errors[1] ** 2 - 2 * joint, places=12)

    def test_a_change_is_surer_and_holds_the_truth(self):
        for change, apart in zip(self.together.changes, self.together.apart, strict=True):
            self.assertLess(change.log_ratio_se, 0.9 * apart.log_ratio_se)
            expected = 100 * (CHANGED[change.region] - 1)
            self.assertLess(abs(change.percent - expected), 4 * 100 * change.log_ratio_se)
        self.assertEqual(self.together.apart, self.plain.changes)
        self.assertEqual({one.f_chance > 0.01 for one in self.together.shared}, {True})

    def test_regions_and_all_share_too(self):
        for how, fits, curves in (("regions", 2, 2), ("all", 1, 4)):
            found = compare([sharing_as(one, how) for one in self.records], budget=NOISE_ALONE)
            self.assertEqual(len(found.shared), fits)
            values = [row.VB for visit in found.visits for row in visit.rows]
            self.assertEqual(len(set(values)), 4 // curves)
            part = next(part for part in found.changes[0].budget if part.component == "noise")
            self.assertEqual(part.correlation > 0, how == "all")

    def test_another_blood_volume_is_told(self):
        other = self.visit("followup", 2, CHANGED, 0.12)
        found = compare([sharing_as(one, "visits") for one in (self.records[0], other)])
        self.assertIn("coupled-against", [one.code for one in found.notices])
        self.assertNotIn("coupled-against", [one.code for one in self.together.notices])

    def test_it_is_refused_and_left_alone_where_it_must_be(self):
        graphical = [replace(one, models=("Logan",), fits=(), rows=()) for one in self.records]
        with self.assertRaises(InputRefused) as caught:
            compare([sharing_as(one, "visits") for one in graphical])
        self.assertEqual(caught.exception.code, "coupled-model")
        with self.assertRaises(InputRefused) as caught:  # both studies must ask for the same
            compare([sharing_as(self.records[0], "visits"), self.records[1]])
        self.assertEqual(caught.exception.code, "visits-sharing")
        alone = compare([sharing_as(self.records[0], "visits")])
        self.assertEqual((alone.shared, alone.visits), ((), (sharing_as(self.records[0], "visits"),)))

    def test_it_stands_in_files_text_and_report(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_comparison(folder, self.together)
            rows = [row.split("\t") for row in (folder / "coupled.tsv").read_text().splitlines()]
            shared = (folder / "shared.tsv").read_text().splitlines()
        self.assertEqual(len(rows), 3)
        self.assertLess(float(rows[1][rows[0].index("noise")]), 0.9)
        self.assertEqual(len(shared), 3)
        self.assertIn("fitted together", comparison_text(self.together))
        for language, title in (("en", "Curves fitted together"), ("fr", "Courbes ajustées ensemble")):
            titles = [one.title for one in report_document(self.together, (), language).sections]
            self.assertIn(title, titles)
        self.assertNotIn("fitted together", comparison_text(self.plain))
        self.assertTrue(math.isfinite(self.together.shared[0].f_chance))


class ShrunkTest(unittest.TestCase):
    def test_equal_errors_by_hand(self):
        """Variance 2.5 between estimates of variance 1: A = 1.5, B = 2/4 of 1/2.5, and Morris's variance."""
        found = shrunk(np.arange(5.0), np.ones(5))
        self.assertAlmostEqual(found.spread**2, 1.5, places=9)
        self.assertAlmostEqual(found.mean_variance, 0.5, places=9)
        np.testing.assert_allclose(found.values, 2 + 0.8 * (np.arange(5.0) - 2), atol=1e-9)
        np.testing.assert_allclose(found.variances, 0.84 + 0.04 * (np.arange(5.0) - 2) ** 2, atol=1e-9)

    def test_no_spread_is_told_from_less_than_chance(self):
        found = shrunk(np.array([1.0, 1.1, 0.9, 1.0]), np.full(4, 0.5))
        self.assertEqual(found.spread, 0)
        self.assertAlmostEqual(found.mean, 1)

    def test_intervals_hold_and_errors_are_smaller_for_every_spread(self):
        rng, errors = np.random.default_rng(3), np.array([0.5, 0.7, 0.9, 1.0, 1.0, 1.1, 1.3, 1.5])
        for spread in (0.0, 0.5, 1.0, 3.0):
            held, off = [], []
            for _ in range(500):
                true = 2 + spread * rng.standard_normal(8)
                seen = true + errors * rng.standard_normal(8)
                found = shrunk(seen, errors)
                held.append(np.abs(found.values - true) <= 1.96 * np.sqrt(found.variances))
                off.append([(found.values - true) ** 2, (seen - true) ** 2])
            after, before = np.mean(off, axis=(0, 2))
            self.assertLess(after, before)
            self.assertGreater(np.mean(held), 0.93)


class SimilarFitTest(unittest.TestCase):
    """The curves of ``TwoVisitsTest``, all of one structure, with their V_B drawn together."""

    @classmethod
    def setUpClass(cls):
        TwoVisitsTest.setUpClass()
        cls.records = [cls.alike(one) for one in TwoVisitsTest.records]
        cls.together = cls.compared(cls.records)

    @staticmethod
    def alike(record, structure="foramen"):
        return replace(record, regions=tuple(replace(one, structure=structure) for one in record.regions))

    @staticmethod
    def compared(records):
        return compare([sharing_as(one, "similar") for one in records], budget=NOISE_ALONE)

    def fitted(self, records):
        scans = [
            ScanCurves(
                TwoVisitsTest.timing,
                np.array([region.mean for region in one.regions]),
                TwoVisitsTest.input,
                FitOptions(weights=one.fits[0].weights),
            )
            for one in records
        ]
        return fit_similar_scans("1TCM", scans)

    def test_every_v_b_is_its_own_and_nearer_to_the_mean(self):
        found = self.fitted(self.records)
        for after, before in zip(found.fits, found.separate, strict=True):
            own, mean = before.parameters["VB"], found.shared["VB"]
            self.assertLess(abs(after.parameters["VB"] - mean), abs(own - mean))
            self.assertLess(abs(after.parameters["VB"] - VB), 4 * after.standard_errors["VB"])
        errors = [[one.outcome_error for one in fits] for fits in (found.fits, found.separate)]
        self.assertLess(*np.mean(errors, axis=1))
        self.assertEqual(len({one.parameters["VB"] for one in found.fits}), 4)
        self.assertLess(abs(found.shared["VB"] - VB), 4 * found.shared_errors["VB"])

    def test_the_change_is_surer_and_holds_the_truth(self):
        for change, apart in zip(self.together.changes, self.together.apart, strict=True):
            self.assertLess(change.log_ratio_se, apart.log_ratio_se)
            expected = 100 * (CHANGED[change.region] - 1)
            self.assertLess(abs(change.percent - expected), 4 * 100 * change.log_ratio_se)
        found, change = self.fitted(self.records), self.together.changes[0]
        errors = [found.fits[n].outcome_error / found.fits[n].outcome_value for n in (0, 2)]
        joint = found.covariance[0, 2] / (found.fits[0].outcome_value * found.fits[2].outcome_value)
        self.assertGreater(joint, 0)
        self.assertAlmostEqual(change.log_ratio_se**2, errors[0] ** 2 + errors[1] ** 2 - 2 * joint, places=12)

    def test_regions_of_no_known_structure_are_not_taken_for_alike(self):
        found = self.compared([self.alike(one, "other") for one in TwoVisitsTest.records])
        self.assertEqual([one.code for one in found.notices if one.code.startswith("coupled")], ["coupled-none"])
        self.assertEqual([one.percent for one in found.changes], [one.percent for one in self.together.apart])

    def test_curves_of_quite_another_v_b_keep_theirs(self):
        """V_B 0.05 at one visit and 0.3 at the other: what one V_B for all would spoil."""
        other = self.alike(TwoVisitsTest.visit("followup", 2, CHANGED, 0.3))
        found = self.fitted([self.records[0], other])
        self.assertGreater(found.spread, 0.1)
        self.assertLess(found.f_chance, 0.001)
        for after, before in zip(found.fits, found.separate, strict=True):
            self.assertLess(abs(after.outcome_value - before.outcome_value), before.outcome_error)
        self.assertNotIn("coupled-against", [one.code for one in self.compared([self.records[0], other]).notices])

    def test_fewer_than_four_curves_of_a_structure_stay_alone(self):
        self.assertEqual(self.compared(TwoVisitsTest.records).shared, ())
        self.assertIsNone(self.fitted(self.records[:1]))

    def test_a_fixed_v_b_is_refused(self):
        scan = ScanCurves(
            TwoVisitsTest.timing,
            np.array([self.records[0].regions[0].mean] * 4),
            TwoVisitsTest.input,
            FitOptions(vb=VB),
        )
        with self.assertRaises(InputRefused) as caught:
            fit_similar_scans("1TCM", [scan])
        self.assertEqual(caught.exception.code, "coupled-shared")

    def test_the_spread_stands_in_files_and_the_report_says_what_was_done(self):
        with tempfile.TemporaryDirectory() as name:
            write_comparison(Path(name), self.together)
            header, row = ((Path(name) / "shared.tsv").read_text().splitlines())[:2]
        self.assertEqual(header.split("\t")[-1], "VB_spread")
        self.assertAlmostEqual(float(row.split("\t")[-1]), self.together.shared[0].spread, places=9)
        sections = report_document(self.together, (), "en").sections
        texts = [block.text for one in sections for block in one.blocks if hasattr(block, "text")]
        self.assertTrue(any("drawn to the mean" in text for text in texts))


if __name__ == "__main__":
    unittest.main()
