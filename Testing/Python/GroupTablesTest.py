"""Tables as people write them: other spellings, typos, rows twice, visits missing, people of two parts."""

import math
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
from support import visitrecords
from support.groupfolders import write_visit
from TSPOQuantLib.groups import cohort as groups
from TSPOQuantLib.groups import comparison, covariates
from TSPOQuantLib.groups.analysis import analyze
from TSPOQuantLib.groups.cohort import read_cohort
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.record import sealed
from TSPOQuantLib.reporting.group_report import person_document
from TSPOQuantLib.reporting.report_html import html
from TSPOQuantLib.reporting.words import Words

LEFT, RIGHT, LUMBAR = "foramen C6/C7 left", "foramen C6/C7 right", "foramen L4/L5 left"


class TablesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.cohort, self.dataset = Path(folder.name) / "cohort", Path(folder.name) / "dataset"
        self.dataset.mkdir()
        self.random = np.random.default_rng(1)

    def visit(self, who, session="a", value=4.0, places=(LEFT, RIGHT)):
        noise = np.exp(0.05 * self.random.standard_normal(len(places)))
        write_visit(self.cohort, who, session, dict(zip(places, value * noise, strict=True)))

    def people(self, *rows, header="participant_id\tgroup"):
        (self.dataset / "participants.tsv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")

    def read(self):
        return read_cohort(self.cohort, self.dataset)

    def codes(self, found):
        return [notice.code for notice in found.notices]

    def test_words_have_one_spelling(self):
        for who in ("01", "02", "03"):
            self.visit(who)
        self.people(
            "sub-01\tPatient\tM\tC/C",
            "02\tpatient \tmale\thab",
            "SUB-03\tPATIENT\tw\tAla/Thr",
            header="Participant_ID\tGroup\tSex\trs6971",
        )
        cells = [(v.covariates["group"], v.covariates["sex"], v.covariates["genotype"]) for v in self.read().visits]
        self.assertEqual(cells, [("Patient", "male", "HAB"), ("Patient", "male", "HAB"), ("Patient", "female", "MAB")])

    def test_what_contradicts_itself_or_says_nothing_is_refused(self):
        self.visit("01")
        with self.assertRaisesRegex(InputRefused, "group-tables"):
            self.read()
        for rows, header, code in (
            (("sub-01\tpatient", "01\tcontrol"), "participant_id\tgroup", "group-duplicate"),
            (("sub-01\tpatient",), "subject\tgroup", "group-key"),
            (("sub-01\tretset",), "participant_id\tcondition", "group-condition"),
        ):
            self.people(*rows, header=header)
            with self.assertRaisesRegex(InputRefused, code):
                self.read()
        self.people("sub-01\tpatient", "01\tpatient")
        self.assertEqual(self.read().visits[0].covariates["group"], "patient")

    def test_a_place_that_is_there_twice_and_tables_are_refused_by_their_visit(self):
        self.visit("01", places=(LEFT, f"{LEFT} (root C7)"))
        with self.assertRaisesRegex(InputRefused, "group-place.*sub-01 ses-a"):
            read_cohort(self.cohort)
        table = self.cohort / "sub-01/ses-a/model-1TCM_kinpar.tsv"
        for content, code in (("", "table-empty"), (f"region\tVT\n{LEFT}\t4,5\n", "table-number")):
            table.write_text(content)
            with self.assertRaisesRegex(InputRefused, f"{code}: sub-01 ses-a: "):
                read_cohort(self.cohort)

    def test_a_value_in_another_unit_is_told(self):
        for who in ("01", "02", "03", "04"):
            self.visit(who, value=4.0 if who != "04" else 12.0)
        self.assertEqual(read_cohort(self.cohort).notices, ())
        for value in (4000.0, 4.0 / 60):
            self.visit("03", value=value)
            self.assertEqual(self.codes(read_cohort(self.cohort)), ["group-value-odd"] * 2)

    def test_results_in_the_folder_of_another_are_told(self):
        for subject, told_of in (("01", []), ("unnamed", []), ("02", ["group-other"])):
            folder = self.cohort / "sub-01" / "ses-baseline"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "visit.json").write_text(
                sealed(replace(visitrecords.visit(), subject=subject, session="baseline")), encoding="utf-8"
            )
            self.assertEqual(self.codes(read_cohort(self.cohort)), told_of)

    def test_conditions_are_known_however_they_are_joined(self):
        for cell, word in (("Re-Test", "retest"), ("TEST", "test"), ("test_retest", "test-retest"), ("sham", "sham")):
            self.assertEqual(covariates.spelled({"condition": cell}, [])["condition"], word)

    def test_half_a_pair_is_told(self):
        for who in ("01", "02", "03"):
            self.visit(who)
            self.visit(who, "b")
        self.visit("03", "c")
        self.people(*(f"sub-{who}\ttest-retest" for who in ("01", "02", "03")), header="participant_id\tcondition")
        cohort = self.read()
        pairs = groups.test_retest_pairs(cohort)
        self.assertEqual([who for who, _, _ in pairs], ["01", "02"])
        self.assertIn("group-half-pair", self.codes(analyze(cohort, pairs)))

    def test_labels_that_a_spreadsheet_changed_and_groups_that_are_mistyped_are_told(self):
        for who in ("01", "02", "03"):
            self.visit(who)
        self.people("1\tcontrol", "sub-02\tpatient", "sub-03\tpateint")
        found = self.codes(analyze(self.read()))
        self.assertLessEqual({"group-unlisted", "group-none", "group-alike"}, set(found))
        self.assertIsNone(covariates.alike(("site1", "site2", "HAB", "MAB")))

    def test_a_later_visit_is_never_taken_for_a_first(self):
        for number in range(8):
            self.visit(f"{number:02d}", "pre")
        for number in range(4, 9):  # the last has no visit before
            self.visit(f"{number:02d}", "post", 1.0)
        self.people(*(f"sub-{n:02d}\t{'control' if n < 4 else 'patient'}" for n in range(9)))
        cohort = self.read()
        self.assertEqual(cohort.without_first(), ("08",))
        found = analyze(cohort)
        self.assertIn("group-first-missing", self.codes(found))
        one = next(x for x in found.effects if x.question == "group")
        self.assertEqual(one.people, (4, 4))
        self.assertLess(abs(one.percent.value), 15)

    def test_controls_with_two_visits_are_not_counted_with_patients(self):
        for number in range(6):
            self.visit(f"{number:02d}")
            self.visit(f"{number:02d}", "b", 4.0 if number < 3 else 2.0)
        self.people(*(f"sub-{n:02d}\t{'control' if n < 3 else 'patient'}" for n in range(6)))
        changes = {x.within: x.percent.value for x in analyze(self.read()).effects if x.question == "change"}
        self.assertAlmostEqual(changes["control"], 0, delta=8)
        self.assertAlmostEqual(changes["patient"], -50, delta=8)

    def test_people_without_a_common_region_are_not_compared(self):
        for number in range(12):
            self.visit(f"{number:02d}", "a", 4.0 if number < 6 else 8.0, (LEFT,) if number < 6 else (LUMBAR,))
        self.people(*(f"sub-{n:02d}\t{'control' if n < 6 else 'patient'}" for n in range(12)))
        self.assertEqual([x for x in analyze(self.read()).effects if x.question == "group"], [])

    def test_two_parts_of_the_spine_keep_the_difference_of_groups(self):
        """Lumbar values lie higher, and there are more lumbar patients: that is no difference of the groups."""
        group = np.array([0.0] * 8 + [1.0] * 8)
        lumbar = np.array([False] * 6 + [True] * 2 + [False] * 2 + [True] * 6)
        logs = np.where(lumbar, 2.0, 1.0) + 0.3 * group + 0.01 * self.random.standard_normal(16)
        table = np.column_stack([np.where(lumbar, np.nan, logs), np.where(lumbar, logs, np.nan)])
        parts = comparison.connected(np.isfinite(table))
        self.assertEqual(len(set(parts)), 2)
        means = comparison.person_means(table)
        found = comparison.between(means, group, (parts == parts[-1]).astype(float)[:, None])
        self.assertAlmostEqual(found.value.value, 0.3, delta=0.03)

    def test_covariates_that_go_with_the_groups_are_left_out_and_told(self):
        told_of = [{"site": str(n // 6), "scanner": str(n % 2), "age": "40.5" if n % 3 else "50"} for n in range(24)]
        for one, group in zip(told_of, np.repeat([0, 1], 12), strict=True):
            one["site"] = str(group)
        _, kept, dropped = comparison.design_of(
            told_of, ("site", "scanner", "age"), np.repeat([0.0, 1.0], 12)[:, None]
        )
        self.assertEqual((kept, dropped), (("scanner", "age"), ("site",)))
        told_of[3]["age"] = "40,5"
        with self.assertRaisesRegex(InputRefused, "group-number"):
            comparison.design_of(told_of, ("age",))

    def test_scores_with_a_decimal_comma_and_covariates_of_nobody_are_refused(self):
        for who in ("01", "02"):
            self.visit(who)
        self.people("sub-01\t4,5", "sub-02\t3", header="participant_id\tvas_arm")
        with self.assertRaisesRegex(InputRefused, "group-number"):
            analyze(self.read())
        self.people("sub-01\t4.5", "sub-02\t3", header="participant_id\tvas_arm")
        with self.assertRaisesRegex(InputRefused, "group-column"):
            analyze(self.read(), covariates=("agee",))

    def test_equal_values_and_one_person_are_no_fault(self):
        for who in ("01", "02"):
            write_visit(self.cohort, who, "a", {LEFT: 4.0, RIGHT: 4.0})
        write_visit(self.cohort, "03", "a", {RIGHT: 4.0})
        self.people("sub-01\tpatient", "sub-02\tcontrol", "sub-03\tcontrol")
        found = analyze(self.read())
        self.assertTrue(all(math.isnan(one.chance) for one in found.effects))

    def test_names_and_dates_of_tables_are_not_on_a_page(self):
        self.visit("01")
        self.people("sub-01\tpatient\tJ. Doe\t1961-02-03", header="participant_id\tgroup\tname\tbirth_date")
        cohort = self.read()
        page = html(person_document(cohort, "01", Words("en"), analyze(cohort).columns))
        self.assertIn("patient", page)
        self.assertNotIn("Doe", page)
        self.assertNotIn("1961", page)


if __name__ == "__main__":
    unittest.main()
