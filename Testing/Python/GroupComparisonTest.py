"""Groups, changes and the clinic: estimates against scipy and statsmodels, intervals and chances by simulation."""

import importlib.util
import math
import re
import tempfile
import unittest
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from GroupRepeatabilityTest import columns
from scipy import stats
from support import visitrecords as made
from support.groupfolders import write_visit
from support.tiers import slow
from support.tinystudy import quiet
from TSPOQuantLib.groups import association, comparison
from TSPOQuantLib.groups.analysis import analyze
from TSPOQuantLib.groups.cohort import Lost, read_cohort
from TSPOQuantLib.groups.estimates import UNKNOWN, holm
from TSPOQuantLib.groups.methods import _of_scans, methods
from TSPOQuantLib.reporting.group_report import group_document
from TSPOQuantLib.reporting.report_document import Bullets, English
from TSPOQuantLib.reporting.words import Words

REPETITIONS = 500
NEEDS_STATSMODELS = unittest.skipUnless(importlib.util.find_spec("statsmodels"), "statsmodels is not installed")


def clustered(rng, people, regions, between=0.3, within=0.1):
    """(people, regions) logarithms: people differ, and regions of one go together."""
    return between * rng.standard_normal((people, 1)) + within * rng.standard_normal((people, regions))


class AgainstOthersTest(unittest.TestCase):
    def setUp(self):
        rng = np.random.default_rng(1)
        self.values, self.group = rng.standard_normal(40), np.repeat([0.0, 1.0], 20)
        self.none = np.zeros((40, 0))

    def test_two_groups_are_those_of_welch(self):
        self.values[20:] *= 2
        found = comparison.between(self.values, self.group, self.none)
        known = stats.ttest_ind(self.values[20:], self.values[:20], equal_var=False)
        interval = known.confidence_interval()
        self.assertAlmostEqual(found.chance, known.pvalue, places=10)
        self.assertAlmostEqual(found.value.low, interval.low, places=10)
        self.assertAlmostEqual(found.value.high, interval.high, places=10)
        pooled = math.sqrt((self.values[20:].var(ddof=1) + self.values[:20].var(ddof=1)) / 2)
        self.assertAlmostEqual(found.size.value, (1 - 3 / (4 * known.df - 1)) * found.value.value / pooled, places=6)

    def test_pairs_are_those_of_student(self):
        found = comparison.paired(self.values)
        self.assertAlmostEqual(found.chance, stats.ttest_1samp(self.values, 0).pvalue, places=10)

    def test_few_people_get_the_exact_chance_of_signs(self):
        self.assertAlmostEqual(comparison.paired(np.arange(1.0, 9.0)).chance, 2 / 2**8)
        self.assertTrue(math.isnan(comparison.paired(np.arange(1.0, 6.0)).chance))

    def test_correlations_are_those_of_scipy(self):
        x, y = self.values, np.round(self.values + np.roll(self.values, 1), 1)  # with equal ranks
        found = association.correlation(x, y)
        self.assertAlmostEqual(found.spearman.value, stats.spearmanr(x, y).statistic, places=10)
        known = stats.pearsonr(x, y)
        self.assertAlmostEqual(found.pearson.value, known.statistic, places=10)
        self.assertAlmostEqual(found.pearson_chance, known.pvalue, places=10)
        self.assertAlmostEqual(found.pearson.low, known.confidence_interval().low, places=6)
        self.assertTrue(math.isnan(association.correlation(x[:5], y[:5]).spearman.value))

    def test_holm_is_that_of_the_book(self):
        self.assertEqual(holm([0.01, math.nan, 0.04, 0.03])[:1], (0.03,))
        self.assertTrue(math.isnan(holm([0.01, math.nan])[1]))

    @NEEDS_STATSMODELS
    def test_gee_of_people_whose_regions_do_not_differ_says_nothing(self):
        """Its variance is no number then, and no library's warning reaches the terminal."""
        logs = np.repeat(np.random.default_rng(1).standard_normal((12, 1)), 3, axis=1)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = comparison.gee(logs, np.repeat([0.0, 1.0], 6), np.zeros((12, 0)))
        self.assertTrue(found == UNKNOWN or math.isfinite(found.low))

    def test_gee_of_whole_tables_has_the_same_estimate(self):
        logs = clustered(np.random.default_rng(2), 20, 5) + np.linspace(0, 1, 5)
        group = np.repeat([0.0, 1.0], 10)
        one = comparison.between(comparison.person_means(logs), group, np.zeros((20, 0)))
        other = comparison.gee(logs, group, np.zeros((20, 0)))
        self.assertAlmostEqual(one.value.value, other.value, places=6)
        self.assertAlmostEqual((one.value.high - one.value.low) / (other.high - other.low), 1.0, delta=0.1)

    def test_a_missing_region_does_not_move_its_person(self):
        logs = np.array([[0.0, 1.0, 5.0]]) + np.array([[0.0], [0.1], [0.2]])
        whole = comparison.person_means(logs)
        logs[1, 2] = np.nan  # the region where all are high
        np.testing.assert_allclose(comparison.person_means(logs) - whole[0], [0, 0.1, 0.2], atol=1e-6)


class SimulationTest(unittest.TestCase):
    """500 repetitions: intervals hold the truth in 93 to 97 of 100, and nothing is found in 5 ± 2."""

    def holds(self, low, high, truth):
        self.assertTrue(0.93 <= float(np.mean((np.array(low) <= truth) & (truth <= np.array(high)))) <= 0.97)

    def test_groups_with_a_covariate(self):
        rng, effect = np.random.default_rng(3), 0.25
        group, genotype = np.repeat([0.0, 1.0], 12), rng.integers(0, 2, 24).astype(float)
        design = np.column_stack([group, np.ones(24), genotype])
        logs = np.stack([clustered(rng, 24, 10).mean(axis=1) for _ in range(REPETITIONS)])
        found = comparison.slopes(logs + effect * group + 0.5 * genotype, design)
        half = stats.t.ppf(0.975, found.free) * found.error
        self.holds(found.effect - half, found.effect + half, effect)
        chances = [comparison.label_chance(one + 0.5 * genotype, design, 199) for one in logs]
        self.assertAlmostEqual(np.mean(np.array(chances) <= 0.05), 0.05, delta=0.02)
        # Each region taken for a person finds far too much.
        naive = [stats.ttest_ind(*(clustered(rng, 12, 10).ravel() for _ in range(2))).pvalue for _ in range(200)]
        self.assertGreater(np.mean(np.array(naive) < 0.05), 0.3)

    def test_a_small_group_that_spreads_more_is_no_difference(self):
        rng, group = np.random.default_rng(9), np.repeat([0.0, 1.0], [8, 16])
        logs = rng.standard_normal((REPETITIONS, 24)) * np.where(group, 1.0, 2.5)
        design = np.column_stack([group, np.ones(24)])
        found = comparison.slopes(logs, design)
        half = stats.t.ppf(0.975, found.free) * found.error
        self.holds(found.effect - half, found.effect + half, 0.0)
        alone = np.mean([comparison.label_chance(one, design, 199) <= 0.05 for one in logs])
        both = np.mean([comparison.between(one, group, np.zeros((24, 0))).chance <= 0.05 for one in logs[:250]])
        self.assertTrue(both <= 0.07 <= alone, (both, alone))
        student = stats.ttest_ind(logs[:, 8:], logs[:, :8], axis=1).pvalue
        self.assertGreater(np.mean(student <= 0.05), 0.1)  # one spread for both finds too much

    def test_effect_sizes(self):
        rng, truth = np.random.default_rng(4), 0.8
        a, b = rng.standard_normal((REPETITIONS, 12)), truth + rng.standard_normal((REPETITIONS, 12))
        t = stats.ttest_ind(b, a, axis=1).statistic
        sizes = [comparison.standardized(float(one), 22, math.sqrt(2 / 12)) for one in t]
        correction = 1 - 3 / 87
        self.holds([s.low / correction for s in sizes], [s.high / correction for s in sizes], truth)

    def test_pairs(self):
        rng = np.random.default_rng(5)
        draws = rng.normal(0.1, 0.2, (REPETITIONS, 12))
        found = [comparison.paired(one).value for one in draws[:, :12]]
        self.holds([one.low for one in found], [one.high for one in found], 0.1)
        chances = [comparison.sign_chance(one) for one in rng.standard_normal((REPETITIONS, 9))]
        self.assertAlmostEqual(np.mean(np.array(chances) <= 0.05), 0.05, delta=0.02)

    def test_correlations(self):
        rng, r = np.random.default_rng(6), 0.6
        spearman = 6 / math.pi * math.asin(r / 2)
        kinds = {"pearson": ([], r), "spearman": ([], spearman)}
        for _ in range(REPETITIONS):
            x = rng.standard_normal(20)
            y = r * x + math.sqrt(1 - r * r) * rng.standard_normal(20)
            kinds["pearson"][0].append(association.fisher_interval(association.pearson(x, y), 20, 1.0))
            rank = association.pearson(association.ranked(x), association.ranked(y))
            kinds["spearman"][0].append(association.fisher_interval(rank, 20, 1 + rank**2 / 2))
        for found, truth in kinds.values():
            self.holds([one.low for one in found], [one.high for one in found], truth)


PLACES = [f"foramen {level} {side}" for level in ("C5/C6", "C6/C7", "C7/T1") for side in ("left", "right")]


class MethodsTest(unittest.TestCase):
    def test_paper_says_where_blood_lies_beside_corrected_tissue(self):
        def told(pvc):
            visit = made.visit()
            fits = tuple(replace(fit, pvc=pvc, settings={"tissue_vb": 0.05}) for fit in visit.fits)
            return " ".join(_of_scans([visit, replace(visit, fits=fits)]))

        self.assertIn("corrected for partial volume at most 0.05 of it took the place of tissue.", told("GTM"))
        self.assertNotIn("took the place", told("none"))


@slow
class CohortOf24Test(unittest.TestCase):
    """Made: 12 patients before and after, 12 controls once; the affected foramen is raised and falls with the pain."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        root = Path(folder.name)
        cls.cohort, cls.dataset, cls.out = root / "cohort", root / "dataset", root / "out"
        cls.dataset.mkdir()
        rng = np.random.default_rng(8)
        people = ["participant_id\tgroup\tgenotype\taffected\tage"]
        for n in range(24):
            who, patient = f"{n:02d}", n < 12
            hab = n % 2
            own = math.log(4) + 0.4 * hab + 0.2 * rng.standard_normal()
            fall = rng.uniform(0.1, 0.9)
            people.append(
                f"sub-{who}\t{'patient' if patient else 'control'}\t{'HAB' if hab else 'MAB'}\t"
                f"{'C6/C7 left' if patient else 'n/a'}\t{40 + n}"
            )
            scores = ["session_id\tvas_arm\tndi"]
            for session, raised in (("baseline", 0.9), ("followup", 0.9 - fall))[: 2 if patient else 1]:
                logs = {place: own + 0.08 * rng.standard_normal() for place in PLACES}
                logs["foramen C6/C7 left"] += raised if patient else 0.0
                values = {place: math.exp(value) for place, value in logs.items()}
                write_visit(cls.cohort, who, session, values, "1TCM", criteria=(1, 1, 1))
                logan = {place: 0.95 * value for place, value in values.items()}
                write_visit(cls.cohort, who, session, logan, "Logan", criteria=(0, 0, 0))
                odd = {place: value * 1.1 for place, value in values.items()}
                flags = {PLACES[0]: "se-large"} if n == 3 else {}
                write_visit(cls.cohort, who, session, odd, "2TCM", flags, criteria=(0, 2, 2))
                pain = 80 - (0 if session == "baseline" else 70 * fall) + 3 * rng.standard_normal()
                scores.append(f"ses-{session}\t{min(max(pain, 0), 100):.1f}\t{rng.integers(5, 30)}")
            (cls.dataset / f"sub-{who}").mkdir()
            (cls.dataset / f"sub-{who}" / f"sub-{who}_sessions.tsv").write_text("\n".join(scores), encoding="utf-8")
        (cls.dataset / "participants.tsv").write_text("\n".join(people), encoding="utf-8")
        cls.code, cls.told = quiet("group", cls.cohort, "--dataset", cls.dataset, "--out", cls.out)

    def effect(self, question, structure, by="n/a", model="1TCM"):
        rows = columns(self.out / "effects.tsv")
        key = {"question": question, "structure": structure, "by": by, "model": model}
        found = [row for row in rows if all(row[name] == value for name, value in key.items())]
        self.assertEqual(len({row["session"] for row in found}), len(found))
        return found[0]

    def test_what_was_put_in_is_found(self):
        self.assertEqual(self.code, 0, self.told)
        raised = 100 * math.expm1(0.9)
        affected = self.effect("affected", "foramen, affected")
        self.assertLess(float(affected["p_adjusted"]), 0.01)
        self.assertAlmostEqual(float(affected["percent"]), raised, delta=20)
        against = self.effect("group", "foramen, affected", "group")
        self.assertEqual(
            (against["first"], against["second"], against["covariates"]), ("control", "patient", "genotype")
        )
        self.assertTrue(float(against["percent_low"]) < raised < float(against["percent_high"]))
        self.assertLess(float(against["p_adjusted"]), 0.01)
        change = self.effect("change", "foramen, affected")
        self.assertEqual((change["people_first"], change["session"]), ("12", "baseline → followup"))
        self.assertLess(float(change["p_adjusted"]), 0.01)
        genotype = self.effect("group", "foramen, unaffected", "genotype")
        self.assertTrue(float(genotype["percent_high"]) < 0 or float(genotype["percent_low"]) > 0)

    def test_and_no_more(self):
        for one in (
            self.effect("group", "foramen, unaffected", "group"),
            self.effect("change", "foramen, unaffected"),
        ):
            self.assertGreater(float(one["p_adjusted"]), 0.05)
            self.assertTrue(float(one["percent_low"]) < 0 < float(one["percent_high"]))

    def test_pain_goes_with_the_affected_foramen_and_nothing_else_does(self):
        rows = {
            (row["structure"], row["score"]): row
            for row in columns(self.out / "associations.tsv")
            if row["model"] == "1TCM"
        }
        pain = rows["foramen, affected", "vas_arm"]
        self.assertEqual((pain["people"], pain["told"]), ("12", "change"))
        self.assertGreater(float(pain["spearman_low"]), 0.2)
        self.assertLess(float(pain["spearman_p_adjusted"]), 0.05)
        for key in (("foramen, unaffected", "vas_arm"), ("foramen, affected", "ndi")):
            self.assertGreater(float(rows[key]["spearman_p_adjusted"]), 0.05, key)

    def test_models_are_counted_as_they_were_fitted(self):
        rows = {(row["criterion"], row["model"]): row for row in columns(self.out / "model-preferred.tsv")}
        self.assertEqual(set(rows), {(c, m) for c in ("AIC", "AICc", "BIC") for m in ("1TCM", "2TCM")})
        self.assertEqual((rows["AIC", "2TCM"]["preferred"], rows["AICc", "1TCM"]["preferred"]), ("216", "216"))
        lost = {row["model"]: row for row in columns(self.out / "model-lost.tsv")}
        self.assertEqual((lost["2TCM"]["lost"], lost["2TCM"]["reasons"]), ("2", "se-large 2"))
        logan = next(row for row in columns(self.out / "model-agreement.tsv") if row["measure"] == "Logan")
        self.assertAlmostEqual(float(logan["slope"]), 0.95, places=6)
        self.assertAlmostEqual(float(logan["r"]), 1.0, places=6)
        self.assertAlmostEqual(float(logan["percent"]), -100 * 0.05 / 0.975, places=5)

    def test_paper_and_flow(self):
        text = (self.out / "methods.md").read_text(encoding="utf-8")
        for said in (
            "24 people",
            "12 with 2 visits",
            "1T2k [innis2007], 2T4k [innis2007], Logan [logan1990]",
            "Hedges' g",
            "10.1038/jcbfm.1990.127",
        ):
            self.assertIn(said, text)
        self.assertIn("doi = {10.1038/jcbfm.1990.127}", (self.out / "references.bib").read_text(encoding="utf-8"))
        table = {row["what"]: row for row in columns(self.out / "group_table1.tsv")}
        self.assertEqual((table["n"]["all"], table["n"]["patient"], table["n"]["control"]), ("24", "12", "12"))
        self.assertEqual(table["genotype"]["patient"], "HAB 6, MAB 6")
        flow = {row["step"]: (row["people"], row["visits"]) for row in columns(self.out / "flow.tsv")}
        self.assertEqual(flow["quantified"], ("24", "36"))
        self.assertEqual(flow["with two visits or more"], ("12", "24"))
        missing = columns(self.out / "exclusions.tsv")
        self.assertEqual({(row["participant"], row["code"]) for row in missing}, {("sub-03", "se-large")})

    def test_paper_says_how_many_visits_are_missing_and_why(self):
        cohort = read_cohort(self.cohort, self.dataset)
        there = cohort.visits[0]
        lost = (
            Lost("p90", "baseline", "blood-missing", ""),
            Lost("p91", "baseline", "blood-missing", ""),
            Lost("p91", "baseline followup", "visits-window", ""),  # a comparison is no visit
            Lost(there.participant, there.session, "pet-frames", ""),  # quantified since
        )
        told = methods(replace(cohort, lost=lost), None, (), ()).paragraph
        self.assertIn("; 2 of 38 visits could not be quantified (blood-missing 2).", told)

    def test_the_report_answers_on_page_one_and_leads_to_every_person(self):
        text = (self.out / "group_en.html").read_text(encoding="utf-8")
        first = text[: text.index("Differences</h2>")]
        self.assertTrue("foramen, affected, VT by 1TCM: patient against control: +119 %" in first)
        self.assertTrue("more than chance explains" in first)
        self.assertEqual(first.count("<img"), 1)
        self.assertLess(first.count("<li>"), 15)
        links = re.findall(r'href="(people/[^"]+)"', text)
        self.assertEqual(len(links), 24)
        for link in links:
            self.assertTrue("../group_en.html" in (self.out / link).read_text(encoding="utf-8"))
        self.assertTrue("se-large" in (self.out / "people" / "sub-03_en.html").read_text(encoding="utf-8"))
        self.assertTrue((self.out / "group_en.pdf").read_bytes().startswith(b"%PDF"))

    def test_the_report_is_french_where_french_is_asked_for(self):
        cohort = read_cohort(self.cohort, self.dataset)
        document = group_document(analyze(cohort), Words("fr"))
        self.assertEqual(document.sections[0].title, "La réponse")
        told = [block for section in document.sections for block in section.blocks]
        items = [item for block in told if isinstance(block, Bullets) for item in block.items]
        self.assertIn("foramen atteint", " ".join(items))
        english = [item for item in items if isinstance(item, English)]
        self.assertTrue(all(item.startswith("[") for item in english), english)  # references alone

    def test_columns_that_nobody_has_are_refused(self):
        for option in ("--by", "--scores"):
            code, told = quiet("group", self.cohort, "--out", self.out.with_name("no"), option, "shoe_size")
            self.assertEqual((code, "error: group-column: " in told), (3, True), told)

    def test_few_people_are_not_tested_and_that_is_said(self):
        few = self.cohort.with_name("few")
        for n in range(4):
            for session in ("a", "b"):
                write_visit(few, f"{n}", session, {PLACES[0]: 4.0 + n, PLACES[1]: 5.0 + (session == "b")})
        code, told = quiet("group", few, "--out", few.with_name("few-out"))
        self.assertEqual((code, "group-untested" in told), (0, True), told)
        row = columns(few.with_name("few-out") / "effects.tsv")[0]
        self.assertEqual((row["p"], row["p_adjusted"]), ("n/a", "n/a"))


if __name__ == "__main__":
    unittest.main()
