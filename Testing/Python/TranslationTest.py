"""The panel in French: nothing left out or left over, no broken placeholder, and Qt loads what is written.

The source (.ts) is as Slicer's Utilities/Scripts/update_translations.py makes it for language packs.
"""

import ast
import re
import unittest
from pathlib import Path
from string import Formatter
from xml.etree import ElementTree

try:
    import qt
except ImportError:
    qt = None

MODULE = Path(__file__).resolve().parents[2] / "TSPOQuant"
TRANSLATIONS = MODULE / "Resources" / "Translations"
SOURCE = TRANSLATIONS / "TSPOQuant_fr-FR.ts"
NOT_A_MODULE_OF_OURS = "qSlicerAbstractCoreModule"  # Slicer's own words for its module categories


def python_texts(path):
    """(context, text) of every ``_()`` and ``translate()`` of a file; the context is the one Slicer derives."""
    package = f"{path.parent.name}." if (path.parent / "__init__.py").is_file() else ""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id == "_":
            yield package + path.stem, node.args[0].value
        elif node.func.id == "translate" and path.parent == MODULE:
            yield node.args[0].value, node.args[1].value


def panel_texts(path):
    """(context, text) of every text of a .ui file that Qt translates."""
    root = ElementTree.parse(path).getroot()
    kept = {child for each in root.iter("stringlist") if each.get("notr") == "true" for child in each}
    for element in root.iter("string"):
        if element not in kept and element.get("notr") != "true" and element.text:
            yield root.findtext("class"), element.text


def wanted():
    rooms = [MODULE / "TSPOQuantLib" / room for room in ("mrml", "panel")]
    files = [MODULE / "TSPOQuant.py", *(path for room in rooms for path in sorted(room.glob("*.py")))]
    found = {pair for path in files for pair in python_texts(path)}
    found |= set(panel_texts(MODULE / "Resources" / "UI" / "TSPOQuant.ui"))
    return {pair for pair in found if pair[0] != NOT_A_MODULE_OF_OURS}


def written():
    """{(context, text): (translation, whether it is finished)}"""
    return {
        (context.findtext("name"), message.findtext("source")): (
            message.findtext("translation") or "",
            message.find("translation").get("type") is None,
        )
        for context in ElementTree.parse(SOURCE).getroot().iter("context")
        for message in context.iter("message")
    }


def placeholders(text):
    return sorted((name, spec) for _, name, spec, _ in Formatter().parse(text) if name is not None)


class TranslationTest(unittest.TestCase):
    def test_every_text_is_translated_and_no_other(self):
        self.assertEqual(sorted(wanted() - set(written())), [])
        self.assertEqual(sorted(set(written()) - wanted()), [])

    def test_every_translation_is_finished(self):
        unfinished = [pair for pair, (translation, done) in written().items() if not (translation and done)]
        self.assertEqual(unfinished, [])

    def test_placeholders_tags_and_edges_are_kept(self):
        for (_, text), (translation, _) in written().items():
            with self.subTest(text):
                self.assertEqual(placeholders(translation), placeholders(text))
                self.assertEqual(re.findall(r"</?\w+>", translation), re.findall(r"</?\w+>", text))
                for edge in (r"^\s*", r"\s*$"):
                    self.assertEqual(re.search(edge, translation)[0], re.search(edge, text)[0])

    def test_the_same_text_has_one_translation(self):
        found = {}
        for (_, text), (translation, _) in written().items():
            self.assertEqual(found.setdefault(text, translation), translation)

    def test_no_text_takes_the_image_of_the_anatomy_for_a_ct(self):
        for (_, text), (translation, _) in written().items():
            with self.subTest(text):
                self.assertEqual(*(bool(re.search(rf"\b{name}\b", text)) for name in ("CT", "MR")))
                self.assertEqual(*(bool(re.search(rf"\b{name}\b", translation)) for name in ("TDM", "IRM")))

    @unittest.skipIf(qt is None, "no Qt for Python here")
    def test_what_qt_loads_is_what_is_written(self):
        translator = qt.QTranslator()
        self.assertTrue(translator.load(str(SOURCE.with_suffix(".qm"))))
        for (context, text), (translation, _) in written().items():
            self.assertEqual(translator.translate(context, text), translation, "compile it with lrelease")


if __name__ == "__main__":
    unittest.main()
