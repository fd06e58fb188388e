"""The report: what it says, in both languages, for whole and for broken data, as HTML and as PDF."""

import importlib.util
import io
import re
import tempfile
import unittest
from dataclasses import replace
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import numpy as np
from support.reportrecords import POOR, clinical, picture, unfitted, visit_record
from support.tiers import slow
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.compare import compare
from TSPOQuantLib.outcome.record import with_accepted
from TSPOQuantLib.outcome.repeatability import Coefficient
from TSPOQuantLib.reporting import report
from TSPOQuantLib.reporting.plots import fused, png
from TSPOQuantLib.reporting.report_document import (
    Bullets,
    Document,
    English,
    Paragraph,
    Picture,
    Row,
    Section,
    Table,
)
from TSPOQuantLib.reporting.report_pdf import pdf
from TSPOQuantLib.reporting.report_terms import main_places, point_of
from TSPOQuantLib.reporting.words import Words, catalog
from TSPOQuantLib.typography import LANGUAGES

LIBRARY = Path(report.__file__).resolve().parents[1]
AVAILABLE = all(find_spec(module) for module in report.NEEDED)
NASTY = 'Zoë <b>"O\'Neil"</b> & $x_T$ ' + 30 * "très long "


def two_visits(**options):
    visits = [visit_record("baseline"), visit_record("sixweeks")]
    return compare(visits, clinical("baseline", "sixweeks"), **options)


def first_table(document):
    return next(block for block in document.sections[0].blocks if isinstance(block, Table))


def texts(document):
    """Every text of a document, as a list; table rows joined by " | "."""
    found = [document.title, document.subject, document.footer]
    for section in document.sections:
        found.append(section.title)
        for block in section.blocks:
            if isinstance(block, Paragraph):
                found.append(block.text)
            elif isinstance(block, Bullets):
                found += block.items
            elif isinstance(block, Table):
                found += [
                    block.caption,
                    " | ".join(block.header),
                    *(" | ".join(row) for row in block.rows),
                    *block.notes,
                ]
            else:
                for one in block.pictures if isinstance(block, Row) else (block,):
                    found += [one.alt, one.caption]
    return found


class WordsTest(unittest.TestCase):
    def test_every_word_is_used(self):
        sources = [LIBRARY / "reporting" / f"{name}.py" for name in ("plots", "words")]
        sources += sorted((LIBRARY / "reporting").glob("report*.py"))
        text = "".join(path.read_text(encoding="utf-8") for path in sources).replace("'", '"')
        beginnings = tuple(re.findall(r'f"([a-z_]+\.)\{', text)) + tuple(re.findall(r'f"([a-z_.]+)\{', text))
        for key in catalog("en")["words"]:
            self.assertTrue(f'"{key}"' in text or key.startswith(beginnings), f"{key} is used nowhere")

    def test_numbers_as_each_language_writes_them(self):
        english, french = Words("en"), Words("fr")
        self.assertEqual(english.percent(-52.08, signed=True), "−52.1\u00a0%")
        self.assertEqual(french.percent(-52.08, signed=True), "−52,1\u202f%")
        self.assertEqual(french.with_error(12.96, 0.44), "12,96\u00a0±\u00a00,44")
        self.assertEqual(english.interval(5.1, 7.32), "5.10 to 7.32")
        self.assertEqual(french.interval(-60.0, -42.4, 1, percent=True), "−60,0 à −42,4\u202f%")
        self.assertEqual(french.significant(1.5e-7), "1,5\u00a0×\u00a010⁻⁷")
        self.assertEqual(english.number(-0.001), "0.00")
        for value in (None, float("nan"), float("inf")):
            self.assertEqual(english.number(value), "n/a")
        self.assertEqual(english.interval(0.0, float("inf")), "unbounded")

    def test_french_signs_have_their_spaces(self):
        french = Words("fr")
        for key in catalog("fr")["words"]:
            with self.subTest(key=key):
                self.assertNotRegex(french.template(key), r"(?<![\u202f\u00a0])[;!?»]|(?<!\u00a0): |« | %")
        self.assertEqual(french.labeled("a", "b"), "a\u00a0: b")

    def test_unknown_language(self):
        with self.assertRaises(InputRefused) as refused:
            Words("de")
        self.assertEqual(refused.exception.code, "report-language")


@unittest.skipUnless(AVAILABLE, "what a report needs is not installed here")
class DocumentTest(unittest.TestCase):
    """What the report says, before it is drawn."""

    def document(self, comparison, lang="en", pictures=()):
        return report.report_document(comparison, pictures, lang)

    def test_the_conclusion_and_the_days_stand_above_table_1(self):
        before = [block.text for block in self.document(two_visits()).sections[0].blocks[:2]]
        self.assertRegex(before[0], r"changed by −52\.1\u00a0% .*no repeatability coefficient was given")
        self.assertEqual(before[1], "Scanned: baseline: 2026-01-05; sixweeks: 2026-02-05, 31 days later.")
        french = self.document(two_visits(), "fr").sections[0].blocks[1].text
        self.assertIn("05/02/2026, 31 jours plus tard", french)

    def test_titles_say_which_part_of_the_body_and_which_visit(self):
        for language, title in (("en", "Vr (V_T) in the neck: the visits compared"), ("fr", "Vr (V_T) dans le cou")):
            document = self.document(two_visits(), language)
            self.assertTrue(document.title.startswith(title), document.title)
            twice = [one.title for one in document.sections if one.level == 3 and "baseline" not in one.title]
            self.assertFalse([title for title in twice if "sixweeks" not in title])

    def test_one_visit_is_told_without_a_word_of_change(self):
        for language, word in (("en", "change"), ("fr", "changement")):
            document = self.document(compare([visit_record("baseline")], clinical("baseline")), language)
            said = " ".join(texts(document))
            self.assertNotIn(word, said.lower())
            self.assertIn("12.96 (11.66" if language == "en" else "12,96 (11,66", document.sections[0].blocks[0].text)

    def test_more_scores_than_markers_are_told_apart(self):
        muscles = ("elbow_extension", "elbow_flexion", "finger_flexion", "shoulder_abduction", "wrist_extension")
        scores = {"vas_arm": 42.0, "ndi": 28.0, "odi": 20.0} | {f"mrc_{one}": 4.0 for one in muscles}
        record = replace(clinical("baseline", "sixweeks"), visits={"baseline": scores, "sixweeks": scores})
        document = self.document(compare([visit_record("baseline"), visit_record("sixweeks")], record))
        (section,) = [one for one in document.sections if one.title == "Imaging and clinic together"]
        lines = section.blocks[0].figure.axes[1].lines
        self.assertEqual(len({(one.get_color(), one.get_marker(), one.get_linestyle()) for one in lines}), len(scores))

    def test_french_names_regions_in_french_on_every_page(self):
        said = " ".join(texts(self.document(two_visits(), "fr")))
        self.assertNotIn("C6/C7 left", said)

    def test_who_accepted_a_region_is_said(self):
        first, second = visit_record("baseline"), visit_record("sixweeks")
        first = with_accepted(first, first.regions[1].name, "A. B.")
        found = texts(self.document(compare([first, second], clinical("baseline", "sixweeks"))))
        self.assertEqual([row.endswith("A. B.") for row in found].count(True), 1)
        self.assertTrue(any(row.endswith("Accepted by") for row in found))

    def test_table1_holds_the_study(self):
        table = first_table(self.document(two_visits()))
        self.assertEqual(table.header, ("Outcome", "baseline", "sixweeks", "Change", "What published thresholds say"))
        rows = {row[0]: row[1:] for row in table.rows}
        self.assertEqual(rows["Arm pain, VAS 0–100"][:3], ("42", "6", "−85.7\u00a0%"))
        measured = "Vr (V_T), foramen C6/C7 left (root C7), affected: as measured"
        corrected = measured.replace("as measured", "corrected (GTM)")
        self.assertEqual(rows[measured][:2], ("12.96\u00a0±\u00a00.26", "6.21\u00a0±\u00a00.12"))
        self.assertEqual(rows[measured][2:], ("−52.1\u00a0%", "primary outcome"))
        self.assertEqual(rows[corrected][0], "24.62\u00a0±\u00a00.49")
        order = [row[0] for row in table.rows]
        self.assertEqual(order.index(corrected), order.index(measured) + 1)
        self.assertEqual([table.rows[index][0] for index in table.strong], [measured])
        self.assertEqual(rows["Neck Disability Index, 0–50"][0], "28 (severe)")
        self.assertIn("MCID 8.5 [2]: reached", rows["Neck Disability Index, 0–50"][3])
        self.assertIn("Young 2010, 10.1097/PHM.0b013e3181ec98e6", " ".join(table.notes))

    def test_what_a_corrected_regions_signal_is_made_of(self):
        said = " ".join(texts(self.document(two_visits())))
        self.assertIn("What the signal of visit baseline's regions is made of", said)
        # The region itself, bone, no marrow, soft tissue or fat, the rest, and no disagreement told.
        self.assertIn(" | 37 | 46 | 0 | 0 | 0 | 17 | 0", said)

    def test_without_a_repeatability_coefficient_none_is_claimed(self):
        said = " ".join(texts(self.document(two_visits())))
        self.assertIn("no repeatability coefficient was given", said)
        self.assertIn("10.1186/s40658-021-00381-8", said)
        self.assertNotIn("is beyond measurement error by", said)

    def test_with_one_it_is_named(self):
        known = Coefficient("wCV", 10.0, 0.10, "1TCM", "foramen", "none", "own data, 2026 <unpublished>")
        said = " ".join(texts(self.document(two_visits(repeatability=(known,)))))
        self.assertIn("beyond measurement error by both rules", said)
        self.assertIn("own data, 2026 <unpublished>", said)
        poor = replace(known, value=40.0, wcv=0.40)
        said = " ".join(texts(self.document(two_visits(repeatability=(poor,)), "fr")))
        self.assertIn("dans les limites de l’erreur de mesure", said)

    def test_overrides_come_first(self):
        other = replace(visit_record("sixweeks"), genotype="MAB")
        comparison = compare(
            [visit_record("baseline"), other], clinical("baseline", "sixweeks"), (), ("visits-genotype",)
        )
        first = self.document(comparison).sections[0].blocks[0]
        self.assertIsInstance(first, Bullets)
        self.assertEqual(first.kind, "warning")
        self.assertIn("HAB | MAB", first.items[0])

    def test_no_word_of_a_cause(self):
        causal = r"\b(because of|due to|thanks to|effect of|led to|result of|grâce à|dû à|effet du|entraîné)\b"
        for lang in LANGUAGES:
            document = self.document(two_visits(), lang)
            self.assertNotRegex(" ".join(texts(document)), causal)
            said = " ".join(texts(document))
            self.assertTrue("not as its cause" in said or "non comme sa cause" in said)

    def test_both_languages_say_the_same(self):
        english, french = (self.document(two_visits(), lang) for lang in LANGUAGES)
        self.assertEqual(len(english.sections), len(french.sections))
        for one, other in zip(english.sections, french.sections, strict=True):
            self.assertEqual([type(block) for block in one.blocks], [type(block) for block in other.blocks])
        left = [text for text in texts(french) if isinstance(text, English)]
        self.assertEqual(left, [])

    def test_pictures_name_regions_in_words(self):
        document = self.document(two_visits(), "fr", [picture("baseline"), picture("sixweeks")])
        rows = [block for block in document.sections[0].blocks if isinstance(block, Row)]
        self.assertIn("foramen C6/C7 gauche (racine C7)", rows[0].pictures[0].alt)
        self.assertIn("Coupes passant par foramen C6/C7 gauche (racine C7)\u00a0:", " ".join(texts(document)))

    @unittest.skipUnless(AVAILABLE, "the report's packages are not installed")
    def test_no_fused_picture_is_cut_off(self):
        """Ink at the very edge is the rest of a letter that the picture had no room for."""
        from matplotlib.image import imread

        for top in (1.0, 2.0, 10.0):
            drawn = Picture("", "", lambda top=top: fused(replace(picture("baseline"), top=top), Words("en")))
            pixels = imread(io.BytesIO(png(drawn).content))[..., :3].min(axis=2)
            with self.subTest(top):
                self.assertGreater(min(pixels[at].min() for at in (0, -1, np.s_[:, 0], np.s_[:, -1])), 0.9)

    def test_one_visit_alone(self):
        comparison = compare([visit_record("baseline")], clinical("baseline"))
        said = " ".join(texts(self.document(comparison)))
        self.assertNotIn("Error budget of the change", said)
        self.assertIn("Error budget of V_T", said)
        self.assertIn("Intervals of the whole error budget", said)
        # It is the interval that the same visit has where another one stands beside it.
        place = main_places(comparison)[0]
        alone, beside = (point_of(one, place, "none", 0) for one in (comparison, two_visits()))
        self.assertEqual(alone, beside)
        self.assertGreater(alone.high, 12.96 * np.exp(2.1199 * 0.02))  # more than the fit's own, with its t of 16
        french = " ".join(texts(self.document(comparison, "fr")))
        self.assertIn("Bilan d’erreur de V_T", french)

    def test_three_visits(self):
        visits = [visit_record("baseline"), visit_record("sixweeks"), visit_record("sixmonths")]
        document = self.document(compare(visits, clinical("baseline", "sixweeks", "sixmonths")))
        table = first_table(document)
        self.assertEqual(
            table.header[1:6], ("baseline", "sixweeks", "sixmonths", "Change at sixweeks", "Change at sixmonths")
        )
        self.assertIn("Strength, wrist extension, MRC 0–5 | – | – | 5 | – | – |", " ".join(texts(document)))

    def test_without_clinical_data(self):
        document = self.document(compare([visit_record("baseline"), visit_record("sixweeks")]))
        said = " ".join(texts(document))
        self.assertIn("No clinical scores were given.", said)
        self.assertIn("Vr (V_T), foramen C6/C7 left (root C7): as measured", said)

    def test_flags_stand_beside_the_result_in_words(self):
        visits = [visit_record("baseline"), visit_record("sixweeks", flags=(POOR,))]
        document = self.document(compare(visits, clinical("baseline", "sixweeks")))
        said = " ".join(texts(document))
        self.assertIn("6.21\u00a0±\u00a00.12\u00a0*", said)
        self.assertIn("sixweeks, as measured: the residuals are 14% of the curve", said)

    def test_what_could_not_be_fitted_is_no_number(self):
        visits = [visit_record("baseline"), unfitted(visit_record("sixweeks"))]
        said = " ".join(texts(self.document(compare(visits, clinical("baseline", "sixweeks")))))
        self.assertIn("n/a", said)
        self.assertIn("no change can be told", said)
        self.assertNotIn("nan", re.findall(r"\w+", said))


class Reader(HTMLParser):
    """Collects what a browser would make of a page."""

    def __init__(self):
        super().__init__()
        self.headings, self.images, self.links, self.ids, self.lang, self.scopes, self.tags = (
            [],
            [],
            [],
            [],
            "",
            [],
            [],
        )
        self.text = ""

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.tags.append(tag)
        self.ids += [known["id"]] if "id" in known else []
        self.links += [known[name] for name in ("src", "href", "srcset", "action") if name in known]
        if re.fullmatch(r"h\d", tag):
            self.headings.append(int(tag[1]))
        if tag == "img":
            self.images.append(known.get("alt", ""))
        if tag == "th":
            self.scopes.append(known.get("scope"))
        if tag == "html":
            self.lang = known.get("lang")

    def handle_data(self, data):
        self.text += data


@unittest.skipUnless(AVAILABLE, "what a report needs is not installed here")
class HtmlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        hard = replace(visit_record("baseline", subject=NASTY), settings={"washout": NASTY})
        cls.document = report.report_document(compare([hard], clinical("baseline")), (picture(),), "fr")
        plain = replace(cls.document, sections=cls.document.sections[:6])
        cls.html = report.html(plain)
        cls.reader = Reader()
        cls.reader.feed(cls.html)

    def test_it_needs_nothing_else(self):
        self.assertTrue(all(link.startswith(("data:image/", "#")) for link in self.reader.links), self.reader.links)
        self.assertNotRegex(self.html, r"https?://")
        self.assertFalse({"script", "link", "iframe", "object"} & set(self.reader.tags))

    def test_it_can_be_read_by_everybody(self):
        self.assertEqual(self.reader.lang, "fr")
        self.assertEqual(self.reader.headings.count(1), 1)
        self.assertEqual(self.reader.headings[0], 1)
        steps = np.diff(self.reader.headings)
        self.assertLessEqual(steps.max(), 1)
        self.assertTrue(self.reader.images and all(len(alt) > 20 for alt in self.reader.images))
        self.assertTrue(self.reader.scopes and set(self.reader.scopes) <= {"row", "col"})
        self.assertEqual(len(self.reader.ids), len(set(self.reader.ids)))
        self.assertIn("#main", self.reader.links)

    def test_what_people_write_is_never_markup(self):
        self.assertNotIn("<b>", self.html)
        self.assertIn('Zoë <b>"O\'Neil"</b> & $x_T$ très long', self.reader.text)

    def test_it_says_what_it_is(self):
        self.assertIn("Réservé à la recherche", self.reader.text)
        self.assertIn("@media print", self.html)


@unittest.skipUnless(importlib.util.find_spec("fpdf"), "fpdf2 is not installed")
class QuietTest(unittest.TestCase):
    def test_a_letter_that_no_font_has_prints_no_line(self):
        section = Section("one", (Paragraph("a syllable of Linear B: \N{LINEAR B SYLLABLE B008 A}"),))
        document = Document("title", "en", "subject", (section,), "footer", "skip", "page")
        with self.assertNoLogs("fpdf", "WARNING"):
            self.assertTrue(pdf(document).startswith(b"%PDF"))

    def test_more_warnings_than_a_page_holds_go_on_to_the_next(self):
        for name, items in (
            ("many", tuple(f"warning {number} of many regions" for number in range(150))),
            ("one", ("a warning that goes on and on " * 500,)),
        ):
            section = Section("one", (Bullets(items, "warning"),))
            document = Document("title", "en", "subject", (section,), "footer", "skip", "page")
            with self.subTest(name):
                pages = re.search(rb"/Count (\d+)", pdf(document))
                self.assertIn(int(pages[1]), (3, 4))


@slow
@unittest.skipUnless(AVAILABLE, "what a report needs is not installed here")
class WriteTest(unittest.TestCase):
    def folder(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        return Path(holder.name)

    def test_missing_packages_are_named(self):
        comparison = two_visits()
        there = mock.patch.object(report, "find_spec", lambda name: None if name in ("fpdf", "jinja2") else name)
        with there, self.assertRaises(InputRefused) as refused:
            report.write_report(self.folder(), comparison)
        self.assertEqual(refused.exception.code, "report-unavailable")
        self.assertIn("pip install jinja2 fpdf2", refused.exception.message)

    def test_nothing_is_left_of_half_a_report(self):
        folder = self.folder()
        half = mock.patch.object(report, "html", lambda _: "<html>")
        broken = mock.patch.object(report, "pdf", side_effect=OSError)
        with half, broken, self.assertRaises(OSError):
            report.write_report(folder, two_visits())
        self.assertEqual(list(folder.iterdir()), [])

    def test_a_folder_that_is_not_there(self):
        html = mock.patch.object(report, "html", lambda _: "")
        pdf = mock.patch.object(report, "pdf", lambda _: b"")
        with html, pdf, self.assertRaises(InputRefused) as refused:
            report.write_report(self.folder() / "none", two_visits())
        self.assertEqual(refused.exception.code, "output-unwritable")

    @slow
    def test_the_whole_report_of_hard_data(self):
        visits = [
            visit_record("baseline", subject=NASTY),
            unfitted(visit_record("sixweeks", subject=NASTY, flags=(POOR,))),
        ]
        comparison = compare(visits, clinical("baseline", "sixweeks"))
        folder = self.folder()
        html, pdf = report.write_report(folder, comparison, [picture("baseline"), picture("sixweeks")], "fr")
        self.assertEqual(sorted(folder.iterdir()), [html, pdf])
        self.assertTrue(html.read_text(encoding="utf-8").endswith("</html>\n"))
        content = pdf.read_bytes()
        self.assertTrue(content.startswith(b"%PDF-"))
        self.assertIn(b"/Lang (fr-FR)", content)
        self.assertIn(b"/Alt ", content)

    @slow
    def test_the_same_comparison_gives_the_same_bytes(self):
        comparison = compare([visit_record("baseline")], clinical("baseline"))
        made = []
        for _ in range(2):
            document = report.report_document(comparison, [picture("baseline")], "en")
            short = replace(document, sections=document.sections[:2])
            made.append((report.html(short), report.pdf(short)))
        self.assertEqual(*made)


if __name__ == "__main__":
    unittest.main()
