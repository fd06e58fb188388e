"""Sentences keep how they were made, wherever they are sent."""

import copy
import math
import pickle
import tempfile
import unittest
from pathlib import Path

from TSPOQuantLib.messages import InputRefused, Listed, Notice, Text
from TSPOQuantLib.outcome.protocol_file import read_protocol
from TSPOQuantLib.reporting.words import Words
from TSPOQuantLib.settings import Number


class MessagesTest(unittest.TestCase):
    def test_a_text_is_its_sentence_and_keeps_template_and_values(self):
        inner = Text("frame {frame}", frame=3)
        text = Text("{where} moved by {shift_mm:.1f} mm", where=inner, shift_mm=2.345)
        self.assertEqual(text, "frame 3 moved by 2.3 mm")
        for again in (text, copy.deepcopy(text), pickle.loads(pickle.dumps(text)), Text.of(text)):
            self.assertEqual(again, text)
            self.assertEqual(again.template, "{where} moved by {shift_mm:.1f} mm")
            self.assertEqual(again.values["where"].template, "frame {frame}")

    def test_a_value_that_is_missing_is_a_fault_of_the_program(self):
        with self.assertRaises(KeyError):
            Text("{path} is no file", file="a")

    def test_braces_of_finished_sentences_and_values_stay(self):
        self.assertEqual(Text.of("{0} is a name"), "{0} is a name")
        self.assertEqual(Text("{path} is no file", path="{a}"), "{a} is no file")

    def test_no_number_fills_pages(self):
        """Whatever digits a template asks for, in every language, and beyond what a float can hold."""
        for value, told in (
            (1e300, "1e+300"),
            (-1e300, "-1e+300"),
            (10**400, "1e+400"),
            (-(10**400), "-1e+400"),
            (10**5000, "1e+5000"),
            (math.inf, "inf"),
        ):
            for template in ("{x}", "{x!r}", "{x:.1f}", "{x:g}"):
                with self.subTest(told=told, template=template):
                    text = Text(template, x=value)
                    self.assertEqual(text, told)
                    self.assertEqual(text.values, {"x": value})
                    self.assertLess(len(Words("fr").message(text)), 10)
        self.assertEqual(Text("{x:+.1f} {y}", x=1e20, y=True), "+1e+20 True")
        self.assertEqual(Text("{x:.1f} {y}", x=123456789.04, y=10**14), "123456789.0 100000000000000")

    def test_a_toml_file_with_an_absurd_number_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "p.toml"
            for digits in (400, 5000):
                path.write_text(f"[scan]\nminutes = {'9' * digits}\n", encoding="utf-8")
                with self.subTest(digits), self.assertRaises(InputRefused) as caught:
                    read_protocol(path)
                self.assertLess(len(caught.exception.message), 120 + len(str(path)))
        with self.assertRaises(ValueError):
            Number().accept(10**400)

    def test_lists_keep_their_items(self):
        listed = pickle.loads(pickle.dumps(Listed([Text("frame {n}", n=1), 2], "; ")))
        self.assertEqual((listed, listed.items), ("frame 1; 2", ("frame 1", "2")))
        self.assertEqual(listed.items[0].template, "frame {n}")

    def test_refusals_and_notices_survive_the_way_to_another_process(self):
        refusal = pickle.loads(pickle.dumps(InputRefused("pet-units", "{path} states no Units", path="a_pet.json")))
        self.assertEqual((refusal.code, refusal.message), ("pet-units", "a_pet.json states no Units"))
        self.assertEqual(str(refusal), "pet-units: a_pet.json states no Units")
        self.assertEqual(refusal.message.template, "{path} states no Units")
        notice = Notice("motion", "frame {frame} moved", frame=4)
        again = pickle.loads(pickle.dumps(notice))
        self.assertEqual(again, notice)
        self.assertEqual(len({again, notice}), 1)
        self.assertEqual(again.message.values, {"frame": 4})
        self.assertEqual(Notice.of("motion", "frame 4 moved"), notice)
