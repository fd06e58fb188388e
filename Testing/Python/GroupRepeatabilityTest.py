"""Test and retest: coefficients against published examples and another program, intervals by simulation, files."""

import json
import math
import tempfile
import unittest
from pathlib import Path

import numpy as np
from support.folders import Folder
from support.groupfolders import log_normal, write_visit
from support.realdata import DATA, needs_data
from support.tinystudy import quiet
from TSPOQuantLib.acquisition.tables import read_table
from TSPOQuantLib.groups import repeatability as rule
from TSPOQuantLib.groups.estimates import mean_interval
from TSPOQuantLib.outcome.protocol_file import read_protocol, with_coefficient
from TSPOQuantLib.outcome.repeatability import TWO_SIDED, coefficient_for, judge, read_repeatability

# Shrout & Fleiss 1979, table 2: six targets, four judges.
SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
# Bland & Altman 1986, table 1: peak expiratory flow (L/min), each meter twice.
WRIGHT = [(494, 490), (395, 397), (516, 512), (434, 401), (476, 470), (557, 611), (413, 415), (442, 431), (650, 638)]
WRIGHT += [(433, 429), (417, 420), (656, 633), (267, 275), (478, 492), (178, 165), (423, 372), (427, 421)]
MINI = [(512, 525), (430, 415), (520, 508), (428, 444), (500, 500), (600, 625), (364, 460), (380, 390), (658, 642)]
MINI += [(445, 432), (432, 420), (626, 605), (260, 227), (477, 467), (259, 268), (350, 370), (451, 443)]
# Made: drawn once with numpy, additive and multiplicative error.
MADE = [(3.42, 3.69), (2.76, 2.31), (3.46, 4.23), (4.48, 3.9), (5.11, 4.79), (3.92, 3.96), (3.23, 3.61), (3.2, 3.04)]
MADE_LOG = [(2.72, 2.61), (3.92, 3.21), (1.68, 1.57), (1.82, 2.56), (1.56, 1.85), (2.55, 1.88), (1.57, 1.56)]
MADE_LOG += [(3.17, 2.3), (2.99, 2.27), (2.29, 2.12), (2.22, 1.95), (3.34, 2.55)]
# By pingouin 0.7.0, intraclass_corr: ICC(A,1) and ICC(C,1), each with its interval.
PINGOUIN = (
    (SHROUT_FLEISS, (0.289764, 0.02, 0.76), (0.714841, 0.34, 0.95)),
    (WRIGHT, (0.983164, 0.96, 0.99), (0.983046, 0.95, 0.99)),
    (MINI, (0.968471, 0.92, 0.99), (0.966905, 0.91, 0.99)),
    (MADE, (0.836276, 0.36, 0.97), (0.817195, 0.33, 0.96)),
    (MADE_LOG, (0.658238, 0.18, 0.89), (0.706579, 0.25, 0.91)),
)
REPETITIONS = 2000


class PublishedTest(unittest.TestCase):
    def test_intraclass_correlations_are_those_of_another_program(self):
        for table, *known in PINGOUIN:
            values = np.array(table, float)
            normal, told = rule.intraclass_intervals(values), rule.intraclass(values)
            for (found, start, end), wider, (value, low, high) in zip(normal, told, known, strict=True):
                self.assertAlmostEqual(float(found), value, places=5)
                self.assertAlmostEqual(float(start), low, delta=0.0051)
                self.assertAlmostEqual(float(end), high, delta=0.0051)
                self.assertEqual(wider.value, float(found))
                self.assertLessEqual(wider.low, float(start))
                self.assertGreaterEqual(wider.high, float(end))

    def test_limits_of_agreement_are_those_published(self):
        """Bland & Altman 1986: first readings, mean difference -2.1, SD 38.8; with twice the SD -79.7 to 75.5."""
        difference = np.array(WRIGHT, float)[:, 0] - np.array(MINI, float)[:, 0]
        lower, upper = rule.limits_of_agreement(difference)
        mean, sd = float(difference.mean()), float((upper[0] - lower[0]) / 2 / rule.NORMAL_QUANTILE)
        self.assertAlmostEqual(mean, -2.1, delta=0.05)
        self.assertAlmostEqual(sd, 38.8, delta=0.05)
        self.assertAlmostEqual(mean - 2 * sd, -79.7, delta=0.1)
        self.assertAlmostEqual(mean + 2 * sd, 75.5, delta=0.1)
        # Its rough interval, of standard error root(3 s^2 / n), is -114.3 to -45.1; the exact one leans outward.
        self.assertTrue(-130 < lower[1] < -114.3 and -60 < lower[2] < -45.1)

    def test_repeatability_is_that_published(self):
        """Bland & Altman 1986: coefficients of repeatability, twice the SD of the differences: 43.2 and 56.4."""
        for table, published in ((WRIGHT, 43.2), (MINI, 56.4)):
            first, second = np.array(table, float).T
            found = rule.repeatability(first[:, None], second[:, None])
            self.assertAlmostEqual(2 * math.sqrt(2) * found.wsd.value, published, delta=0.1)
            self.assertAlmostEqual(found.rc.value, TWO_SIDED * found.wsd.value, places=9)

    def test_values_without_any_spread_are_no_fault(self):
        for table in ([(4, 3), (4, 3)], [(4, 4), (4, 4)], [(4, 4), (5, 5), (6, 6)]):
            first, second = np.array(table, float).T
            found = rule.repeatability(first[:, None], second[:, None])
            self.assertAlmostEqual(found.wsd.value, math.sqrt(np.mean((second - first) ** 2) / 2))

    def test_both_rules_agree_for_small_errors_and_not_for_large(self):
        rng = np.random.default_rng(4)
        small, large = (
            rule.repeatability(*(x[:, [n]] for n in (0, 1)))
            for x in (log_normal(rng, 40, 2, 0.3, 0.03), log_normal(rng, 40, 2, 0.3, 0.6))
        )
        self.assertAlmostEqual(small.wcv_log.value / small.wcv_difference.value, 1, delta=0.01)
        self.assertGreater(large.wcv_log.value, 1.1 * large.wcv_difference.value)


class CoverageTest(unittest.TestCase):
    """Simulated: how often a 95 % interval holds the truth."""

    def holds(self, interval, truth, low=0.93, high=0.97):
        _, below, above = interval
        self.assertTrue(low <= float(np.mean((below <= truth) & (truth <= above))) <= high)

    def test_intervals_of_one_region(self):
        rng = np.random.default_rng(1)
        for people in (6, 12, 24):
            with self.subTest(people=people):
                logs = rng.normal(0, 0.3, (REPETITIONS, people, 1)) + rng.normal(0, 0.15, (REPETITIONS, people, 2))
                values = 5 * np.exp(logs)
                change = np.log(values[..., 1] / values[..., 0])[..., None]
                self.holds(rule.spread_interval(*rule.within_subject(change)[:2]), 0.15)
                relative = (np.diff(values)[..., 0] / values.mean(axis=-1))[..., None]
                self.holds(rule.spread_interval(*rule.within_subject(relative)[:2]), 0.15)
                added = 5 + rng.normal(0, 1, (REPETITIONS, people, 1)) + rng.normal(0, 0.4, (REPETITIONS, people, 2))
                difference = np.diff(added)[..., 0]
                self.holds(rule.spread_interval(*rule.within_subject(difference[..., None])[:2]), 0.4)
                self.holds(mean_interval(difference), 0.0)
                for interval in rule.intraclass_intervals(added):
                    self.holds(interval, 1 / 1.16)
                limit = rule.NORMAL_QUANTILE * 0.4 * math.sqrt(2)
                for interval, truth in zip(rule.limits_of_agreement(difference), (-limit, limit), strict=True):
                    self.holds(interval, truth, high=0.98)

    def test_regions_of_one_person_are_not_independent(self):
        rng = np.random.default_rng(2)
        for people, shared in ((8, 0.0), (8, 0.5), (8, 0.9), (20, 0.5)):
            with self.subTest(people=people, shared=shared):
                own = math.sqrt(1 - shared) * rng.standard_normal((REPETITIONS, people, 8))
                change = math.sqrt(shared) * rng.standard_normal((REPETITIONS, people, 1)) + own
                sd, df, _ = rule.within_subject(change)
                self.holds(rule.spread_interval(sd, df), math.sqrt(0.5), high=0.975)
                if shared == 0.9:  # as if each region were a person, it would claim far too much
                    _, low, high = rule.spread_interval(sd, np.full_like(df, people * 8))
                    self.assertLess(np.mean((low <= math.sqrt(0.5)) & (math.sqrt(0.5) <= high)), 0.7)

    def test_errors_that_grow_with_the_value_or_differ_between_people(self):
        rng = np.random.default_rng(6)
        half = np.where(np.arange(12) % 2, 1.5, 0.5)[:, None]
        grows = np.exp(0.3 * rng.standard_normal((REPETITIONS, 12, 1)))
        for factor, truth in ((grows, math.exp(0.09)), (half, math.sqrt(1.25))):
            change = math.sqrt(2) * factor * rng.standard_normal((REPETITIONS, 12, 1))
            self.holds(rule.spread_of(change), truth, 0.92, 0.985)
            sd, df, _ = rule.within_subject(change)
            _, low, high = rule.spread_interval(sd, df)
            self.assertLess(np.mean((low <= truth) & (truth <= high)), 0.92)  # chi squared alone
        values = 5 * np.exp(0.3 * rng.standard_normal((300, 20, 1)) + 0.12 * rng.standard_normal((300, 20, 2)))
        found = [rule.bland_altman(one) for one in values]
        self.assertTrue(0.02 <= np.mean(np.array([one.tilt_chance for one in found]) < 0.05) <= 0.08)

    def test_outliers_are_rarely_found_where_there_are_none_and_found_where_there_is_one(self):
        rng = np.random.default_rng(3)
        draws = rng.standard_normal((1000, 12))
        self.assertAlmostEqual(np.mean([bool(rule.outliers(one)) for one in draws]), 0.05, delta=0.02)
        self.assertEqual(rule.outliers(np.append(draws[0], 9.0)), (12,))
        self.assertEqual(rule.outliers(np.array([0.0, 0, 0, 0, 50])), ())

    def test_proportional_error_is_found_and_only_then(self):
        rng = np.random.default_rng(5)
        even = [
            rule.bland_altman(x).proportional_chance
            for x in 5 + rng.normal(0, 1, (300, 20, 1)) + rng.normal(0, 0.3, (300, 20, 2))
        ]
        self.assertTrue(0.02 <= np.mean(np.array(even) < 0.05) <= 0.08)
        growing = [rule.bland_altman(log_normal(rng, 20, 2, 1.0, 0.15)).proportional_chance for _ in range(100)]
        self.assertGreater(np.mean(np.array(growing) < 0.05), 0.8)


LEFT, RIGHT = "foramen C6/C7 left", "foramen C6/C7 right"


def columns(path):
    found = {column.name: column.cells for column in read_table(path, units=False)}
    return [dict(zip(found, cells, strict=True)) for cells in zip(*found.values(), strict=True)]


class CommandTest(Folder):
    def setUp(self):
        super().setUp()
        self.cohort, self.out = self.folder / "cohort", self.folder / "out"

    def write_cohort(self, people=10, within=0.1, flags=None, sessions=("a", "b")):
        rng = np.random.default_rng(7)
        values = {name: log_normal(rng, people, 2, 0.3, within) for name in (LEFT, RIGHT)}
        for n in range(people):
            for v, session in enumerate(sessions):
                write_visit(
                    self.cohort, f"{n:02d}", session, {name: x[n, v] for name, x in values.items()}, flags=flags
                )
        return values

    def run_group(self, *more):
        return quiet("group", self.cohort, "--out", self.out, *more)

    def test_the_coefficient_is_taken_as_it_is(self):
        values = self.write_cohort()
        code, told = self.run_group("--test-retest", "ses-a", "b")
        self.assertEqual(code, 0, told)
        change = np.concatenate([np.log(x[:, 1] / x[:, 0]) for x in values.values()])
        wcv = math.sqrt(math.expm1(float(np.mean(change**2)) / 2))
        known = read_repeatability(self.out / "RC.toml")
        one = coefficient_for(known, "1TCM", "foramen", "none")
        self.assertAlmostEqual(one.wcv, wcv, places=4)
        self.assertIn("10 people, 2 regions", one.source)
        self.assertEqual(judge(12.96, 6.21, one, 0.01, 0.02).code, "beyond")
        protocol = self.folder / "protocol.toml"
        protocol.write_text('[plan]\nmodel = "1TCM"\n', encoding="utf-8")
        self.assertEqual(with_coefficient(read_protocol(protocol), known).wcv, one.wcv)
        rows = columns(self.out / "test-retest.tsv")
        self.assertEqual([row["region"] for row in rows], ["all", LEFT, RIGHT])
        self.assertAlmostEqual(float(rows[0]["wcv_log"]), wcv, places=8)
        self.assertTrue(float(rows[0]["wcv_log_low"]) < wcv < float(rows[0]["wcv_log_high"]))

    def test_a_column_marks_test_and_retest(self):
        self.write_cohort()
        dataset = self.folder / "dataset"
        dataset.mkdir()
        people = [f"sub-{n:02d}\t{'test-retest' if n < 4 else 'treated'}" for n in range(10)]
        (dataset / "participants.tsv").write_text("participant_id\tcondition\n" + "\n".join(people), encoding="utf-8")
        code, told = self.run_group("--dataset", dataset)
        self.assertEqual(code, 0, told)
        self.assertEqual(columns(self.out / "test-retest.tsv")[0]["people"], "4")
        self.assertIn("group-few", told)

    def test_an_outlier_is_told_both_ways(self):
        self.write_cohort()
        write_visit(self.cohort, "03", "b", {LEFT: 30.0, RIGHT: 30.0})
        code, told = self.run_group("--test-retest", "a", "b")
        self.assertEqual((code, "group-outlier: sub-03 stands out" in told), (0, True), told)
        rows = [row for row in columns(self.out / "test-retest.tsv") if row["region"] == "all"]
        self.assertEqual(
            [(row["way"], row["people"], row["outliers"]) for row in rows],
            [("included", "10", "sub-03"), ("left out", "9", "sub-03")],
        )
        (one,) = read_repeatability(self.out / "RC.toml")
        self.assertIn("; with sub-03 standing out; ", one.source)
        self.assertGreater(float(rows[0]["wcv_log"]), 2 * float(rows[1]["wcv_log"]))

    def test_what_the_data_do_not_tell_is_left_out_and_said(self):
        self.write_cohort(flags={LEFT: "se-large"})
        code, told = self.run_group("--test-retest", "a", "b")
        self.assertEqual((code, "group-left-out" in told), (0, True), told)
        self.assertEqual([row["region"] for row in columns(self.out / "test-retest.tsv")], ["all", RIGHT])
        self.assertEqual(self.run_group("--test-retest", "a", "b", "--keep-flagged", "--force")[0], 0)
        self.assertEqual(len(columns(self.out / "test-retest.tsv")), 3)

    def test_two_people_give_no_coefficient(self):
        self.write_cohort(people=2)
        code, told = self.run_group("--test-retest", "a", "b")
        self.assertEqual((code, (self.out / "RC.toml").exists()), (0, False), told)

    def test_refusals_say_what_to_do(self):
        self.write_cohort(people=3)
        for arguments, code in (
            (("--test-retest", "a", "c"), "group-session"),
            (("--test-retest", "a", "a"), "group-session"),
        ):
            self.assertEqual(self.run_group(*arguments)[0], 3)
            self.assertIn(f"error: {code}: ", self.run_group(*arguments)[1])
        empty = self.folder / "empty"
        empty.mkdir()
        self.assertIn("error: group-empty: ", quiet("group", empty, "--out", self.out)[1])
        self.assertFalse(self.out.exists())

    def test_a_plan_refuses_a_coefficient_of_another_model(self):
        self.write_cohort()
        self.run_group("--test-retest", "a", "b")
        protocol = self.folder / "protocol.toml"
        for text in ('[plan]\nmodel = "Logan"\n', "[plan]\nwcv_percent = 5\n"):
            protocol.write_text(text, encoding="utf-8")
            code, told = quiet("plan", protocol, "--repeatability", self.out / "RC.toml")
            self.assertEqual((code, "error: protocol-repeatability: " in told), (3, True), told)


@needs_data
class RealRetestTest(unittest.TestCase):
    def test_three_people_of_the_pbr28_data(self):
        root = DATA / "pbr28"
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for pet in sorted(root.glob("sub-*/ses-*/pet")):
                who, session = pet.parts[-3:-1]
                stem = pet / f"{who}_{session}"
                code, told = quiet(
                    "fit",
                    f"{stem}_seg-rois_tacs.tsv",
                    "--blood",
                    f"{stem}_bloodproc.tsv",
                    "--models",
                    "MA1,Logan",
                    "--vb",
                    "fixed:0.05",
                    "--out",
                    folder / "fits" / who / session,
                )
                self.assertEqual(code, 0, told)
            code, told = quiet(
                "group", folder / "fits", "--test-retest", "test", "retest", "--out", folder / "out", "--json"
            )
            self.assertEqual(code, 0, told)
            rows = {(r["model"], r["region"]): r for r in columns(folder / "out" / "test-retest.tsv")}
            one = rows["MA1", "THA"]
            self.assertEqual(one["people"], "3")
            self.assertTrue(0.01 < float(one["wcv_log"]) < 0.2)
            self.assertGreater(float(one["icc21"]), 0.9)
            known = read_repeatability(folder / "out" / "RC.toml")
            self.assertEqual({(c.model, c.structure) for c in known}, {("MA1", "other"), ("Logan", "other")})
            self.assertTrue(json.loads(told[told.index("{") :])["test_retest"])


if __name__ == "__main__":
    unittest.main()
