"""Every sentence and word of the program stands in every language, with the values that it takes in."""

import ast
import string
import unittest
from functools import cache
from pathlib import Path

import TSPOQuantLib
from TSPOQuantLib.messages import Listed, Notice, Text, named
from TSPOQuantLib.reporting.report_document import English
from TSPOQuantLib.reporting.words import FOLDER, Words, catalog
from TSPOQuantLib.typography import LANGUAGES

LIBRARY = Path(TSPOQuantLib.__file__).parent
TEMPLATE_AT = {"InputRefused": 1, "Notice": 1, "add": 1, "Declined": 1, "_Declined": 0, "progress": 1, "Text": 0}
"""Where each call, ``add`` of Notices among them, takes its template."""


def called(call):
    return getattr(call.func, "attr" if getattr(call.func, "attr", "") == "add" else "id", "")


@cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path):
    return tuple(ast.walk(parsed(path)))


def templates(path):
    """(line, template, names of its values) of every message that a file makes; template None where it is built."""
    for call in nodes(path):
        if not isinstance(call, ast.Call):
            continue
        at = TEMPLATE_AT.get(called(call))
        if at is None or len(call.args) <= at:
            continue
        given = {keyword.arg for keyword in call.keywords}
        argument = call.args[at]
        for one in (argument.body, argument.orelse) if isinstance(argument, ast.IfExp) else (argument,):
            if isinstance(one, ast.Constant) and isinstance(one.value, str):
                yield call.lineno, one.value, given
            elif isinstance(one, ast.JoinedStr | ast.BinOp):
                yield call.lineno, None, given


@cache
def all_templates():
    return tuple(
        (path.relative_to(LIBRARY), line, template, given)
        for path in sorted(LIBRARY.rglob("*.py"))
        for line, template, given in templates(path)
    )


def pieces(path):
    """(line, sentence part) of every English text that a message takes in as a value, given there or by a variable."""
    for function in nodes(path):
        if not isinstance(function, ast.FunctionDef):
            continue
        inside = tuple(ast.walk(function))
        calls = [node for node in inside if isinstance(node, ast.Call)]
        said = [c for c in calls if len(c.args) > TEMPLATE_AT.get(called(c), 9)]
        values = [keyword.value for call in said for keyword in call.keywords]
        named = {value.id for value in values if isinstance(value, ast.Name)}
        values += [
            node.value
            for node in inside
            if isinstance(node, ast.Assign) and any(getattr(target, "id", "") in named for target in node.targets)
        ]
        for value in values:
            for one in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
                if isinstance(one, ast.JoinedStr):
                    literal = "".join(str(part.value) for part in one.values if isinstance(part, ast.Constant))
                else:
                    literal = one.value if isinstance(one, ast.Constant) else ""
                if isinstance(literal, str) and len(literal.split()) > 1 and literal.replace(" ", "").isalpha():
                    yield one.lineno, literal


def names(template):
    return sorted(name for _, name, _, _ in string.Formatter().parse(template) if name)


def has_words(template):
    """Whether a template holds anything to translate of its own."""
    return any(any(c.isalpha() for c in literal) for literal, *_ in string.Formatter().parse(template))


class LanguagesTest(unittest.TestCase):
    def test_every_language_has_its_file_and_no_other_lies_there(self):
        self.assertEqual(sorted(path.stem for path in FOLDER.glob("*.json")), sorted(LANGUAGES))

    def test_every_word_exists_in_every_language_with_the_same_values(self):
        english = catalog("en")["words"]
        for language in LANGUAGES:
            words = catalog(language)["words"]
            self.assertEqual(set(words), set(english), language)
            odd = [key for key, text in words.items() if not text or names(text) != names(english[key])]
            self.assertEqual(odd, [], language)

    def test_translations_take_the_values_that_the_english_takes(self):
        for language in LANGUAGES:
            messages = catalog(language)["messages"].items()
            odd = [template for template, translated in messages if set(names(translated)) != set(names(template))]
            self.assertEqual(odd, [], language)

    def test_messages_are_templates_with_all_their_values(self):
        """An f-string or a sum cannot be told in another language."""
        odd = [
            f"{path}:{line}"
            for path, line, template, given in all_templates()
            if template is None or not set(names(template)) <= given
        ]
        self.assertEqual(odd, [])

    def test_every_message_stands_in_every_language(self):
        said = [(path, line, text) for path, line, text, _ in all_templates() if text and has_words(text)]
        for language in LANGUAGES:
            known = catalog(language)["messages"]
            missing = [f"{path}:{line} {text}" for path, line, text in said if language != "en" and text not in known]
            self.assertEqual(missing, [], language)

    def test_every_part_of_a_message_stands_in_every_language(self):
        said = [
            (path.relative_to(LIBRARY), *piece) for path in sorted(LIBRARY.rglob("*.py")) for piece in pieces(path)
        ]
        for language in LANGUAGES:
            known = catalog(language)["messages"]
            missing = [f"{path}:{line} {text}" for path, line, text in said if language != "en" and text not in known]
            self.assertEqual(missing, [], language)

    def test_former_messages_are_none_of_today_and_take_their_values(self):
        for language in LANGUAGES:
            entries = catalog(language)
            self.assertEqual(set(entries["former"]) & set(entries["messages"]), set(), language)
            odd = [one for one, other in entries["former"].items() if set(names(one)) != set(names(other))]
            self.assertEqual(odd, [], language)

    def test_every_translation_is_of_a_sentence_that_the_program_has(self):
        said = {node.value for path in LIBRARY.rglob("*.py") for node in nodes(path) if isinstance(node, ast.Constant)}
        for language in LANGUAGES:
            self.assertEqual(sorted(set(catalog(language)["messages"]) - said), [], language)


class MessageTest(unittest.TestCase):
    def test_a_message_is_told_with_values_as_the_language_writes_them(self):
        french = Words("fr")
        flag = Notice("se-large", "the standard error of {name} is {error:.0%} of it", name="VT", error=0.31)
        self.assertEqual(french.notice(flag), "l’erreur type de VT atteint 31\u202f% de sa valeur")
        moved = Text(
            "{far} moved by more than {limit_mm:g} mm (up to {highest:.1f} mm) against {reference}; look at their "
            "alignment",
            far=Text("frames {frames}", frames="1-3"),
            reference=Text("frame {frame}", frame=19),
            limit_mm=3.0,
            highest=4.2,
        )
        said = french.message(moved)
        self.assertTrue(said.startswith("trames 1-3 :") or said.startswith("trames 1-3\u00a0:"), said)
        self.assertIn("4,2 mm", said)
        self.assertIn("trame 19", said)

    def test_a_message_of_an_earlier_record_is_told(self):
        kept = "{file}: {said} is not what a person is injected with; not taken"
        text = Words("fr").message(Text(kept, file="a_pet.json", said="InjectedRadioactivity 1 MBq"))
        self.assertNotIsInstance(text, English)
        self.assertIn("InjectedRadioactivity 1 MBq n’est pas", text)

    def test_names_in_a_list_are_in_the_quotes_of_the_language(self):
        text = named(["C6/C7 left", "C7", "a", "b"])
        self.assertEqual(text, "'C6/C7 left', 'C7', 'a' and 1 more")
        told = Words("fr").message(text).replace("\u00a0", " ").replace("\u202f", " ")
        self.assertEqual(told, "« C6/C7 left », « C7 », « a » et 1 autres")

    def test_lists_are_told_item_by_item(self):
        text = Text("{session}: {flags}", session="a", flags=Listed([Text("frame {frame}", frame=1), "C6/C7"], "; "))
        self.assertEqual(Words("fr").message(text), "a: trame 1; C6/C7")

    def test_an_unknown_message_stays_english_and_says_so(self):
        self.assertIsInstance(Words("fr").message("quite new"), English)
        self.assertNotIsInstance(Words("en").message("quite new"), English)


if __name__ == "__main__":
    unittest.main()
