"""Tables as people write them: other spellings, typos, rows twice, visits missing, people of two parts."""

import math
import shutil
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
from TSPOQuantLib.outcome.record import read_record, sealed
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

    def records(self, *people, dates=("2020-01-06", "2020-02-17"), **changed):
        """Two visits of each person as records; changed: of the acquisition of the last one."""
        for who in people:
            for session, date in zip(("a", "b"), dates, strict=True):
                record = visitrecords.visit(session)
                acquisition = replace(record.acquisition, patient_key=who, time_zero_at=f"{date}T10:00:00")
                if who == people[-1]:
                    acquisition = replace(acquisition, **changed)
                regions = tuple(
                    replace(one, mean=tuple(float(x * (1 + 0.05 * self.random.random())) for x in one.mean))
                    for one in record.regions
                )
                folder = self.cohort / f"sub-{who}" / f"ses-{session}"
                folder.mkdir(parents=True)
                record = replace(record, subject=who, session=session, acquisition=acquisition, regions=regions)
                (folder / "visit.json").write_text(sealed(record), encoding="utf-8")

    def change(self, who, session, **changed):
        """Write a record again with another acquisition."""
        path = self.cohort / f"sub-{who}" / f"ses-{session}" / "visit.json"
        record = read_record(path)
        path.write_text(sealed(replace(record, acquisition=replace(record.acquisition, **changed))), encoding="utf-8")

    def told(self, **options):
        """The notices of an analysis by code, in one text each."""
        found = analyze(read_cohort(self.cohort, self.dataset if any(self.dataset.iterdir()) else None), **options)
        return {notice.code: str(notice.message) for notice in found.notices}

    def test_people_who_were_not_measured_alike_are_told(self):
        """compare would refuse them; a group of one tracer against a group of another is no finding."""
        for changed, words in (
            ({"tracer": "[11C]PBR28"}, "tracer"),
            ({"voxel_mm": (4.0, 4.0, 4.0)}, "voxel"),
            ({"reconstruction": "FBP"}, "reconstruction"),
        ):
            with self.subTest(words):
                shutil.rmtree(self.cohort, ignore_errors=True)
                self.records("01", "02", "03", **changed)
                self.assertRegex(self.told()["group-people-differ"], f"{words}.*2 people.*1 people")

    def test_alike_people_are_told_of_nothing(self):
        self.records("01", "02", "03")
        self.assertFalse({"group-people-differ", "group-order", "group-same", "group-partly"} & set(self.told()))

    def test_visits_of_one_person_that_compare_would_refuse_are_told(self):
        self.records("01", "02")
        path = self.cohort / "sub-02" / "ses-b" / "visit.json"
        record = read_record(path)
        path.write_text(sealed(replace(record, acquisition=replace(record.acquisition, patient_key="x"))), "utf-8")
        self.assertIn("sub-02", self.told()["group-visits-differ"])
        self.assertIn("visits-patient", self.told()["group-visits-differ"])

    def test_visits_against_their_dates_are_told(self):
        """Labels make the order; where dates say otherwise, every change would have the wrong sign."""
        self.records("01", "02", dates=("2020-02-17", "2020-01-06"))
        self.assertIn("sub-01 (a → b)", self.told()["group-order"])
        pairs = [("01", "b", "a"), ("02", "b", "a")]
        self.assertNotIn("group-order", self.told(pairs=pairs))

    def test_one_date_for_everybody_tells_no_order(self):
        """Headers that were made anonymous bear one date, and the hours of different days."""
        self.records("01", "02", dates=("2000-01-01", "2000-01-01"))
        for who, session, at in (("01", "a", "14:00:00"), ("01", "b", "09:00:00")):
            self.change(who, session, time_zero_at=f"2000-01-01T{at}")
        self.assertNotIn("group-order", self.told())

    def test_a_date_that_is_none_tells_no_order(self):
        self.records("01", "02")
        self.change("01", "a", time_zero_at="6 January 2020")
        self.assertNotIn("group-order", self.told())

    def test_later_visits_in_another_order_leave_the_changes_right(self):
        self.records("01", "02")
        folder = self.cohort / "sub-01"
        shutil.copytree(folder / "ses-b", folder / "ses-c")
        self.change("01", "c", time_zero_at="2020-02-01T10:00:00")
        self.assertIn("sub-01 (b → c)", self.told()["group-order"])
        self.assertNotIn("wrong sign", self.told()["group-order"])

    def test_a_first_visit_that_labels_and_dates_leave_open_is_told(self):
        """Who has dates, or labels that say it, is not asked."""
        self.records("01", "02")
        for labels, guessed in ((("day7", "followup"), True), (("active", "sham"), True), (("pre", "post"), False)):
            with self.subTest(labels):
                shutil.rmtree(self.cohort)
                for who in ("01", "02"):
                    for session in labels:
                        self.visit(who, session)
                found = self.told()
                self.assertEqual("session-order" in found, guessed)
                if guessed:
                    self.assertIn(f"{labels[0]} is taken for the first visit", found["session-order"])
        shutil.rmtree(self.cohort)
        self.records("01", "02")
        for who in ("01", "02"):
            for old, new in (("a", "active"), ("b", "sham")):
                (self.cohort / f"sub-{who}" / f"ses-{old}").rename(self.cohort / f"sub-{who}" / f"ses-{new}")
        self.assertNotIn("session-order", self.told())

    def test_dates_of_a_table_tell_the_first_visit_where_there_are_no_records(self):
        for first, second, told in (
            ("2026-01-05T10:00:00", "2026-03-05", set()),
            ("2026-03-05T10:00:00", "2026-01-05T10:00:00", {"group-order"}),
            ("1900-01-01T00:00:00", "1900-01-01T00:00:00", {"session-order"}),
            ("n/a", "spring", {"session-order"}),
        ):
            with self.subTest(first=first, second=second):
                for who in ("01", "02"):
                    for session in ("active", "sham"):
                        self.visit(who, session)
                    own = self.dataset / f"sub-{who}"
                    own.mkdir(exist_ok=True)
                    (own / f"sub-{who}_sessions.tsv").write_text(
                        f"session_id\tacq_time\nses-active\t{first}\nses-sham\t{second}\n", encoding="utf-8"
                    )
                self.assertEqual({"group-order", "session-order"} & set(self.told()), told)

    def test_a_comparison_that_was_refused_takes_nobody_the_first_visit(self):
        for who in ("01", "02", "03"):
            for session in ("month3", "month12"):
                self.visit(who, session)
        (self.cohort / "comparisons.tsv").write_text(
            "participant\tsession\tstatus\tcode\tmessage\nsub-02\tses-month3 ses-month12\trefused\tvisits-voxel\tx\n",
            encoding="utf-8",
        )
        cohort = read_cohort(self.cohort)
        self.assertEqual(cohort.without_first(), ())
        self.assertEqual([one.people for one in analyze(cohort).effects if one.question == "change"], [(3, 3)])

    def test_an_affected_foramen_that_one_visit_tells_is_the_persons(self):
        for who in ("01", "02", "03"):
            for session in ("a", "b"):
                self.visit(who, session)
            own = self.dataset / f"sub-{who}"
            own.mkdir()
            table = own / f"sub-{who}_sessions.tsv"
            table.write_text("session_id\taffected\nses-a\tC6/C7 left\nses-b\tn/a\n", encoding="utf-8")
        asked = [(x.session, x.people) for x in analyze(self.read()).effects if x.question == "affected"]
        self.assertEqual(asked, [("a", (3, 3)), ("b", (3, 3))])

    def test_what_is_not_estimated_hides_no_visit_given_twice(self):
        places = [f"foramen C{level}/C{level + 1} {side}" for level in (3, 4, 5) for side in ("left", "right")]
        for who in ("01", "02"):
            self.visit(who, places=places)
            table = self.cohort / f"sub-{who}" / "ses-a" / "model-1TCM_kinpar.tsv"
            table.write_text(f"{table.read_text()}cord C6\tn/a\t1\t1\t1\tn/a\n", encoding="utf-8")
        self.assertNotIn("group-same", self.told())
        shutil.rmtree(self.cohort / "sub-02")
        shutil.copytree(self.cohort / "sub-01", self.cohort / "sub-02")
        self.assertIn("sub-01 ses-a, sub-02 ses-a", self.told()["group-same"])

    def test_sexes_by_number_are_counted_and_not_averaged(self):
        for who in ("01", "02", "03"):
            self.visit(who)
        self.people("sub-01\t0", "sub-02\t1", "sub-03\t1", header="participant_id\tsex")
        self.assertIn(("sex", "0 1, 1 2"), analyze(self.read()).methods.table1)

    def test_changes_between_sessions_that_nobody_else_has_are_told(self):
        for who in ("01", "02", "03"):
            for session in ("baseline", "followup"):
                self.visit(who, session)
        self.visit("04", "baseline")
        self.assertNotIn("group-change-alone", self.told())
        for who, second in (("05", "6wk"), ("06", "20200217")):
            self.visit(who, "baseline")
            self.visit(who, second)
        told = self.told()["group-change-alone"]
        self.assertIn("sub-05 (baseline → 6wk), sub-06 (baseline → 20200217)", told)
        pairs = [(who, "baseline", second) for who, second in (("05", "6wk"), ("06", "20200217"))]
        self.assertNotIn("group-change-alone", self.told(pairs=pairs))

    def test_two_visits_of_the_same_numbers_are_told(self):
        places = [f"foramen C{level}/C{level + 1} {side}" for level in (3, 4, 5) for side in ("left", "right")]
        for who in ("01", "02", "03"):
            self.visit(who, places=places)
        shutil.copytree(self.cohort / "sub-01", self.cohort / "sub-04")
        self.assertIn("sub-01 ses-a, sub-04 ses-a", self.told()["group-same"])

    def test_people_without_a_model_of_others_are_told(self):
        self.visit("01")
        write_visit(self.cohort, "02", "a", {LEFT: 4.0}, model="Logan")
        found = [str(n.message) for n in analyze(read_cohort(self.cohort)).notices if n.code == "group-partly"]
        self.assertRegex(found[0], "^sub-02 have no VT by 1TCM")
        self.assertRegex(found[1], "^sub-01 have no VT by Logan")

    def test_what_cannot_be_read_is_told(self):
        self.visit("01")
        for name, header in (("1TC", "region\tVT"), ("1TCM", "region\tV_T"), ("Logan", "place\tVT")):
            folder = self.cohort / f"sub-{name}" / "ses-a"
            folder.mkdir(parents=True)
            (folder / f"model-{name}_kinpar.tsv").write_text(f"{header}\n{LEFT}\t4\n", encoding="utf-8")
        (self.cohort / "sub-05" / "ses-a").mkdir(parents=True)
        self.visit("06")
        (self.cohort / "sub-06").rename(self.cohort / "06")
        self.visit("07")
        (self.cohort / "sub-07" / "ses-a").rename(self.cohort / "sub-07" / "a")
        (self.cohort / "sub-07").rename(self.cohort / "07")
        found = [str(notice.message) for notice in read_cohort(self.cohort).notices]
        for words in ("sub-1TC", "sub-1TCM", "sub-Logan", "sub-05", "06/ses-a", "07/a"):
            self.assertTrue(any(words in message for message in found), words)

    def test_names_of_columns_and_models_in_other_capitals_are_read(self):
        folder = self.cohort / "sub-01" / "ses-a"
        folder.mkdir(parents=True)
        text = f"Region\tvt (mL/cm3)\tFlags\n{LEFT}\t4\tse-large, poor-fit\n{RIGHT}\t5\tn/a\ncord C6\t-3\tn/a\n"
        (folder / "model-1tcm_kinpar.tsv").write_text(text, encoding="utf-8")
        found = read_cohort(self.cohort)
        self.assertEqual([(value.model, value.value) for value in found.values], [("1TCM", 5.0)])
        self.assertEqual([value.reasons for value in found.left_out], [("se-large",), ("not-positive",)])

    def test_a_region_in_other_capitals_is_one_region(self):
        self.visit("01", places=("Frontal_Lobe",))
        self.visit("02", places=("frontal lobe",))
        self.assertEqual({value.place for value in read_cohort(self.cohort).values}, {"Frontal_Lobe"})

    def test_words_for_what_is_missing_are_no_group(self):
        for who in ("01", "02", "03"):
            self.visit(who)
        for word in ("NaN", "unknown", "?", "-", ".", "missing", "null", "N/A", "#N/A"):
            with self.subTest(word):
                self.people("sub-01\tpatient", "sub-02\tcontrol", f"sub-03\t{word}")
                self.assertNotIn("group", self.read().visits[2].covariates)
        self.people("sub-01\tpatient", "sub-02\tnone", "sub-03\t0")
        self.assertEqual([v.covariates["group"] for v in self.read().visits], ["patient", "none", "0"])

    def test_two_columns_of_one_name_do_not_overrule_each_other(self):
        self.visit("01")
        for header, cells in (("group\tGROUP", "patient\tcontrol"), ("genotype\trs6971", "HAB\tT/T")):
            with self.subTest(header), self.assertRaisesRegex(InputRefused, "group-columns"):
                self.people(f"sub-01\t{cells}", header=f"participant_id\t{header}")
                self.read()
        for header, cells in (("genotype\trs6971", "HAB\tC/C"), ("genotype\tbinding", "HAB\t3.2")):
            with self.subTest(header):
                self.people(f"sub-01\t{cells}", header=f"participant_id\t{header}")
                self.assertEqual(self.read().visits[0].covariates["genotype"], "HAB")

    def test_tables_that_say_two_things_of_a_person_are_told(self):
        for who in ("01", "02"):
            self.visit(who)
        self.people("sub-01\tpatient", "sub-02\tcontrol")
        (self.dataset / "phenotype").mkdir()
        table = self.dataset / "phenotype" / "more.tsv"
        table.write_text("participant_id\tgroup\nsub-01\tControl\nsub-02\tCONTROL\n", encoding="utf-8")
        self.assertIn("(sub-01: patient, Control)", self.told()["group-contradicted"])

    def test_a_genotype_that_contradicts_the_results_is_told(self):
        self.records("01", "02")
        known = read_record(self.cohort / "sub-01" / "ses-a").genotype
        other = "LAB" if known != "LAB" else "HAB"
        self.people(f"sub-01\t{other}", f"sub-02\t{known}", header="participant_id\tgenotype")
        self.assertIn("sub-01", self.told()["group-contradicted"])
        self.assertNotIn("sub-02", self.told()["group-contradicted"])

    def test_sessions_that_are_called_otherwise_are_told(self):
        for session in ("a", "b"):
            self.visit("01", session)
        own = self.dataset / "sub-01"
        own.mkdir()
        table = own / "sub-01_sessions.tsv"
        table.write_text("session_id\tvas_arm\nses-a\t50\nses-followup\t20\n", encoding="utf-8")
        self.assertIn("ses-followup", self.told()["group-sessions"])
        table.write_text("session_id\tvas_arm\nA\t50\nses-b\t20\nses-c\t20\n", encoding="utf-8")
        self.assertNotIn("group-sessions", self.told())
        table.unlink()
        clinical = own / "clinical.toml"
        clinical.write_text('[[visit]]\nsession = "ses-A"\nvas_arm = 42\n', encoding="utf-8")
        self.assertEqual([v.covariates.get("vas_arm") for v in self.read().visits], ["42", None])
        clinical.write_text('[[visit]]\nsession = "first"\nvas_arm = 42\n', encoding="utf-8")
        self.assertIn("first", self.told()["group-sessions"])

    def test_scores_that_are_not_on_their_scale_are_refused(self):
        for cell, code in (("950", "group-score"), ("-9", "group-score"), ("inf", "group-number"), ("42", "")):
            with self.subTest(cell):
                if code:
                    with self.assertRaisesRegex(InputRefused, code):
                        covariates.number_of("vas_arm", cell)
                else:
                    self.assertEqual(covariates.number_of("vas_arm", cell), 42)

    def test_numbers_far_from_all_others_are_told(self):
        for number in range(8):
            self.visit(f"0{number}")
        ages = [f"sub-0{number}\t{30 + 3 * number}" for number in range(8)]
        for cell, found in (("999", True), ("-9", True), ("n/a", False), ("75", False)):
            with self.subTest(cell):
                self.people(*ages[:7], f"sub-07\t{cell}", header="participant_id\tage")
                self.assertEqual("group-number-odd" in self.told(covariates=("age",)), found)

    def test_numbers_of_a_skewed_column_are_not_far(self):
        """How long complaints last is skewed; twelve times the age of others is an age in months."""
        for number in range(8):
            self.visit(f"0{number}")
        months, years = (1, 2, 2, 3, 3, 4, 9, 120), (30, 33, 36, 39, 42, 45, 48, 504)
        scores, liters = (1, 12, 17, 19, 21, 23, 26, 30), (0.02, 16, 18, 20, 21, 22, 22, 23)
        skewed = (0, 0, 0, 1, 1, 2, 3, 40)
        for numbers, found in ((months, False), (years, True), (skewed, False), (scores, False), (liters, True)):
            with self.subTest(numbers):
                rows = (f"sub-0{number}\t{cell}" for number, cell in enumerate(numbers))
                self.people(*rows, header="participant_id\tx")
                self.assertEqual("group-number-odd" in self.told(covariates=("x",)), found)

    def test_an_affected_foramen_that_is_none_is_told(self):
        for who in ("01", "02"):
            self.visit(who)
        for cell, code in (
            ("left", "group-affected"),
            ("C6/C7", "group-affected"),
            ("C9/C10 left", "group-affected"),
            ("C6/C7 both", "group-affected"),
            ("C3/C4 left", "group-affected-missing"),
            ("links C6-C7", ""),
            ("none", ""),
            ("n/a", ""),
        ):
            with self.subTest(cell):
                self.people("sub-01\tC6/C7 left", f"sub-02\t{cell}", header="participant_id\taffected")
                found = {code for code in self.told() if code.startswith("group-affected")}
                self.assertEqual(found, {code} - {""})

    def test_a_column_that_makes_no_groups_is_told(self):
        for who in ("01", "02"):
            self.visit(who)
        self.people("sub-01\ta", "sub-02\ta", header="participant_id\tsite")
        self.assertIn("'a'", self.told(by=("site",))["group-one"])

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

    def test_next_to_no_blood_in_a_region_is_no_other_unit(self):
        for who, blood in (("01", 0.05), ("02", 0.06), ("03", 0.0004)):
            self.visit(who)
            table = self.cohort / f"sub-{who}" / "ses-a" / "model-1TCM_kinpar.tsv"
            table.write_text(f"region\tVT\tVB\n{LEFT}\t4\t{blood}\n", encoding="utf-8")
        self.assertEqual(read_cohort(self.cohort).notices, ())
        table.write_text(f"region\tVT\tVB\n{LEFT}\t4\t5\n", encoding="utf-8")  # in percent
        self.assertEqual(self.codes(read_cohort(self.cohort)), ["group-value-odd"])

    def test_results_in_the_folder_of_another_are_told(self):
        for subject, told_of in (("01", []), ("unnamed", []), ("02", ["group-other"])):
            folder = self.cohort / "sub-01" / "ses-baseline"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "visit.json").write_text(
                sealed(replace(visitrecords.visit(), subject=subject, session="baseline")), encoding="utf-8"
            )
            self.assertEqual(self.codes(read_cohort(self.cohort)), told_of)

    def test_conditions_are_known_however_they_are_joined(self):
        for cell, word in (
            ("Re-Test", "retest"),
            ("TEST", "test"),
            ("test_retest", "test-retest"),
            ("sham", "sham"),
            ("Rest", "Rest"),
            ("pre-test", "pre-test"),
        ):
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
