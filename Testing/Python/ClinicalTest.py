"""clinical.toml, repeatability and budget files: scores, thresholds, treatment; what is refused, and in which line."""

import re
import tempfile
import unittest
from datetime import date
from pathlib import Path
from unittest.mock import patch

from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.budget import BudgetSettings, read_budget
from TSPOQuantLib.outcome.clinical import SCORES, Score, Threshold, clinical_changes
from TSPOQuantLib.outcome.clinical_file import read_clinical
from TSPOQuantLib.outcome.protocol_file import read_protocol
from TSPOQuantLib.outcome.repeatability import read_repeatability
from TSPOQuantLib.reporting.comparison_files import treatment_line
from TSPOQuantLib.reporting.report_document import English
from TSPOQuantLib.reporting.words import Words
from TSPOQuantLib.typography import LANGUAGES

README = Path(__file__).resolve().parents[2] / "README.md"
HEAD = '[[visit]]\nsession = "baseline"\n'
COEFFICIENT = '[[coefficient]]\nkind = "wCV"\nvalue = 10\nmodel = "1TCM"\nstructure = "foramen"\nsource = "A 2025"\n'


class FileTest(unittest.TestCase):
    def read(self, text, reader=read_clinical):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "file.toml"
            path.write_text(text, encoding="utf-8")
            return reader(path)

    def refusal(self, text, reader=read_clinical):
        with self.assertRaises(InputRefused) as caught:
            self.read(text, reader)
        return caught.exception


class ScoresTest(FileTest):
    def test_ndi_from_items(self):
        clinical = self.read(HEAD + "ndi_items = [3, 3, 3, 3, 3, 3, 3, 2, 3, 2]\n")
        self.assertEqual(clinical.visits["baseline"], {"ndi": 28.0})
        self.assertEqual(clinical.remarks, {})
        one = self.read(HEAD + 'ndi_items = [3, 3, 3, 3, 3, 3, 3, 2, 3, "missing"]\n')
        self.assertAlmostEqual(one.visits["baseline"]["ndi"], 26 + 26 / 9)
        self.assertIn("item 10", one.remarks["baseline"]["ndi"])

    def test_items_that_make_no_sum(self):
        for items in (
            '[3, 3, 3, 3, 3, 3, 3, 2, "missing", "missing"]',
            "[1, 2, 3]",
            "[6, 3, 3, 3, 3, 3, 3, 2, 3, 2]",
            "[1.5, 3, 3, 3, 3, 3, 3, 2, 3, 2]",
            "[true, 3, 3, 3, 3, 3, 3, 2, 3, 2]",
            "28",
        ):
            with self.subTest(items):
                self.assertEqual(self.refusal(HEAD + f"ndi_items = {items}\n").code, "clinical-items")
        both = HEAD + "ndi = 27\nndi_items = [3, 3, 3, 3, 3, 3, 3, 2, 3, 2]\n"
        self.assertEqual(self.refusal(both).code, "clinical-items")

    def test_lumbar_scores(self):
        clinical = self.read(
            HEAD
            + "vas_leg = 70\nnprs_leg = 6\nodi_items = [2, 2, 2, 2, 2, 2, 2, 2, 2, 1]\nmrc_ankle_dorsiflexion = 3\n"
            '[[visit]]\nsession = "followup"\nvas_leg = 30\nnprs_leg = 2\n'
            'odi_items = [1, 1, 1, 1, "missing", 1, 1, 1, 1, 1]\nmrc_ankle_dorsiflexion = 4\n'
        )
        self.assertEqual(clinical.visits["baseline"]["odi"], 38.0)
        self.assertAlmostEqual(clinical.visits["followup"]["odi"], 100 * 9 / 45)  # a missing item leaves the sum's end
        changes = {change.score.key: change for change in clinical_changes(clinical, "baseline", "followup")}
        self.assertEqual(list(changes), ["vas_leg", "nprs_leg", "odi", "mrc_ankle_dorsiflexion"])
        self.assertEqual((changes["odi"].baseline_band, changes["odi"].followup_band), ("moderate", "minimal"))
        self.assertEqual([(t.kind, a) for t, a in changes["odi"].thresholds], [("MDC", "yes")])
        self.assertEqual([(t.kind, a) for t, a in changes["vas_leg"].thresholds], [("MCID", "depends")])
        self.assertEqual(changes["nprs_leg"].thresholds, ())

    def test_bands(self):
        for score, band in (
            (0, "none"),
            (4, "none"),
            (5, "mild"),
            (14.4, "mild"),
            (15, "moderate"),
            (25, "severe"),
            (35, "complete"),
            (50, "complete"),
        ):
            self.assertEqual(SCORES["ndi"].band(score), band)
        self.assertEqual(SCORES["ndi"].bands[-1][0], SCORES["ndi"].high)

    def test_muscles(self):
        clinical = self.read(HEAD + "mrc_wrist_extension = 3\nmrc_elbow_extension = 4\n")
        self.assertEqual(clinical.visits["baseline"]["mrc_wrist_extension"], 3)
        self.assertEqual(self.refusal(HEAD + "mrc_triceps = 6\n").code, "clinical-scale")
        self.assertEqual(self.refusal(HEAD + "mrc_triceps = 4.5\n").code, "clinical-scale")
        self.assertEqual(self.refusal(HEAD + "mrc_2 = 4\n").code, "clinical-key")

    def test_changes_are_read_against_what_is_published(self):
        text = HEAD + "vas_arm = 42\nndi = 28\nmrc_elbow_extension = 4\nmrc_grip = 5\n[[visit]]\n"
        text += 'session = "followup"\nvas_arm = 22\nndi = 19\nmrc_elbow_extension = 5\nmrc_grip = 5\n'
        changes = {c.score.key: c for c in clinical_changes(self.read(text), "baseline", "followup")}
        self.assertEqual(list(changes), ["vas_arm", "mrc_elbow_extension", "ndi", "mrc_grip"])
        reached = {(t.kind, t.high): answer for t, answer in changes["ndi"].thresholds}
        self.assertEqual(
            reached, {("MCID", 8.5): "yes", ("MDC", 13.4): "no", ("MCID", 7.0): "yes", ("MDC", 10.2): "no"}
        )
        self.assertEqual([a for _, a in changes["vas_arm"].thresholds], ["yes", "depends"])
        directions = [changes[key].direction for key in ("vas_arm", "mrc_elbow_extension", "mrc_grip")]
        self.assertEqual(directions, ["better", "better", "same"])
        self.assertEqual(changes["mrc_grip"].score.title, "Strength, grip, MRC 0–5")
        self.assertEqual(changes["ndi"].baseline_band, "severe")

    def test_a_score_is_one_declaration(self):
        threshold = Threshold("MCID", 4.0, 4.0, "cervical radiculopathy", "A 2020, 10.1000/182")
        reach = Score(
            "arm_reach", "Arm reach, 10–80 cm", 10, 80, "higher", "points", (threshold,), items=2, item_high=40
        )
        with patch.dict(SCORES, {"arm_reach": reach}):
            text = HEAD + 'arm_reach = 30\n[[visit]]\nsession = "followup"\narm_reach_items = [20, 16]\n'
            (change,) = clinical_changes(self.read(text), "baseline", "followup")
            self.assertEqual((change.score.title, change.direction, change.difference), (reach.title, "better", 6))
            self.assertEqual([answer for _, answer in change.thresholds], ["yes"])
            for value in ("9", "81", "true"):
                refusal = self.refusal(HEAD + f"arm_reach = {value}\n")
                self.assertEqual(refusal.code, "clinical-scale")
                self.assertIn("10 to 80", refusal.message)
            self.assertEqual(self.refusal(HEAD + "arm_reach_items = [41, 2]\n").code, "clinical-items")
        self.assertEqual(self.refusal(HEAD + "arm_reach = 30\n").code, "clinical-key")
        self.assertEqual(self.refusal(HEAD + "vas_arm_items = [3]\n").code, "clinical-key")

    def test_every_score_has_its_own_title_in_every_language(self):
        titles = [score.title for score in SCORES.values()]
        self.assertEqual(len(set(titles)), len(titles))
        for language in LANGUAGES:
            told = [Words(language).message(title) for title in titles]
            self.assertEqual(len(set(told)), len(told))
            self.assertFalse([title for title in told if isinstance(title, English)])

    def test_every_threshold_has_a_source_and_a_population(self):
        for score in SCORES.values():
            for threshold in score.thresholds:
                self.assertRegex(threshold.citation, r"10\.\d{4,}/")
                self.assertRegex(threshold.population, "cervical|sciatica|lumbar")

    def test_a_file_that_says_nothing_is_refused(self):
        for text in ("", "# nothing yet\n", "visit = []\n", "[lesion]\n"):
            with self.subTest(text):
                self.assertEqual(self.refusal(text).code, "clinical-empty")

    def test_unknown_keys_are_named_with_their_line(self):
        text = HEAD + 'vas_arm = 42\n[[visit]]\nsession = "b"\nvas_am = 3\n'
        refusal = self.refusal(text)
        self.assertEqual(refusal.code, "clinical-key")
        self.assertIn("line 6", refusal.message)
        self.assertIn("'vas_am'", refusal.message)
        self.assertIn("line 3", self.refusal(HEAD + "[lesions]\n").message)


class TreatmentTest(FileTest):
    TEXT = (
        '[treatment]\ntype = "neural tissue management"\nstart = 2026-01-06\nend = 2026-02-14\nsessions_planned = 12\n'
        'sessions_done = 11\ncomponents = ["education", "nerve mobilization"]\npain_during_exercise = "VAS 2"\n'
        'adverse_events = []\nnotes = "off work <b>"\n'
    )

    def test_everything_is_kept(self):
        (treatment,) = self.read(self.TEXT).treatments
        self.assertEqual((treatment.start, treatment.sessions_done), (date(2026, 1, 6), 11))
        self.assertTrue(treatment.adverse_events_recorded)
        line = treatment_line(treatment)
        for words in (
            "11 of 12 sessions",
            "2026-01-06 to 2026-02-14",
            "adverse events: none",
            "off work <b>",
            "VAS 2",
        ):
            self.assertIn(words, line)
        several = self.read(self.TEXT.replace("[treatment]", "[[treatment]]") + '[[treatment]]\ntype = "surgery"\n')
        self.assertEqual([one.kind for one in several.treatments], ["neural tissue management", "surgery"])
        self.assertNotIn("adverse", treatment_line(several.treatments[1]))

    def test_wrong_values(self):
        for old, new in (
            ("2026-01-06", '"6 January"'),
            ("2026-01-06", "2026-03-06"),
            ("12", "-1"),
            ("12", "10"),
            ("12", "1.5"),
            ('["education", "nerve mobilization"]', '"education"'),
            ('"VAS 2"', "2"),
            ('type = "neural tissue management"', ""),
        ):
            with self.subTest(new):
                self.assertEqual(self.refusal(self.TEXT.replace(old, new)).code, "clinical-value")
        unknown = self.refusal(self.TEXT.replace("notes", "note"))
        self.assertEqual(unknown.code, "clinical-key")
        self.assertIn("line 10", unknown.message)


class CoefficientTest(FileTest):
    def test_both_kinds(self):
        (one,) = self.read(COEFFICIENT, read_repeatability)
        self.assertAlmostEqual(one.wcv, 0.1)
        (one,) = self.read(COEFFICIENT.replace("wCV", "RC%").replace("10", "27.72"), read_repeatability)
        self.assertAlmostEqual(one.wcv, 0.1, places=4)
        self.assertEqual((one.pvc, one.source), ("none", "A 2025"))

    def test_what_is_refused(self):
        for old, new, code in (
            ('source = "A 2025"', "", "source"),
            ('"A 2025"', '"  "', "source"),
            ("wCV", "ICC", "value"),
            ("1TCM", "Patlak", "value"),
            ("value = 10", "value = nan", "value"),
            ("value = 10", "value = 0", "value"),
            ("value = 10", "value = -10", "value"),
            ("value = 10", "value = 101", "value"),
            ("value = 10", "value = 0.1", "value"),  # 10 % as a fraction
            ('wCV"\nvalue = 10', 'RC%"\nvalue = 0.28', "value"),
            ('wCV"\nvalue = 10', 'RC%"\nvalue = 2.5', "value"),
            ("value = 10\n", "", "value"),
            ("source", "sources", "key"),
            ("[[coefficient]]", "[coefficient]", "key"),
            (COEFFICIENT, "", "empty"),
            (COEFFICIENT, COEFFICIENT + COEFFICIENT, "twice"),
            (COEFFICIENT, "[", "unreadable"),
        ):
            with self.subTest(new):
                refusal = self.refusal(COEFFICIENT.replace(old, new), read_repeatability)
                self.assertEqual(refusal.code, f"repeatability-{code}")

    def test_a_fraction_is_asked_about_with_the_percentage_it_may_be(self):
        refusal = self.refusal(COEFFICIENT.replace("value = 10", "value = 0.1"), read_repeatability)
        self.assertIn("write 10", refusal.message)
        self.assertIn("line 3", refusal.message)


class ReadmeTest(FileTest):
    @unittest.skipUnless(README.is_file(), "the README is not installed with the module")
    def test_its_examples_are_read(self):
        text = README.read_text(encoding="utf-8")
        for name, reader in (
            ("clinical.toml", read_clinical),
            ("RC.toml", read_repeatability),
            ("PROTOCOL.toml", read_protocol),
        ):
            (example,) = re.findall(rf"```toml\n# {re.escape(name)}.*?\n(.*?)```", text, re.DOTALL)
            self.read(example, reader)


class BudgetFileTest(FileTest):
    def test_sizes(self):
        self.assertEqual(self.read("", read_budget), BudgetSettings())
        self.assertEqual(self.read("[budget]\ndelay_s = 0\n", read_budget), BudgetSettings(delay_s=0.0))
        for text, code in (
            ("[budget]\ndelay = 1\n", "key"),
            ("[budget]\nfwhm_mm = -1\n", "value"),
            ("x = 1\n", "key"),
        ):
            self.assertEqual(self.refusal(text, read_budget).code, f"budget-{code}")


if __name__ == "__main__":
    unittest.main()
