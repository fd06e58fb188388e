"""What a message tells people to do can be done: every option, key, column and command that it names exists."""

import argparse
import json
import re
import unittest
from pathlib import Path

import TSPOQuantLib
from TSPOQuantLib.cli import build_parser
from TSPOQuantLib.outcome import protocol_file
from TSPOQuantLib.outcome.settings import SETTINGS
from TSPOQuantLib.study import KEYS

CATALOG = Path(TSPOQuantLib.__file__).parent / "languages" / "fr.json"
TEMPLATES = tuple(json.loads(CATALOG.read_text(encoding="utf-8"))["messages"])
"""Every English template: LanguagesTest holds the catalogue complete."""
TABLES_OF_OTHER_FILES = {"lesion", "treatment"}
"""Of clinical.toml, whose messages name a table and go on in words."""
COLUMNS = {"session_id", "metabolite_parent_fraction", "whole_blood_radioactivity"}
"""Of BIDS tables."""
FIELDS = {"scl_slope", "scl_inter", "xyzt_units"}
"""Of a NIfTI header."""
PROGRAMS = {"mri_convert", "nifti_tool", "concat_images"}
"""Of others, which make NIfTI of what is not read: FreeSurfer's, AFNI's, nibabel's."""


def found(pattern):
    """(what a pattern finds, the template it is in)"""
    return [(match, template) for template in TEMPLATES for match in re.findall(pattern, template)]


def options_of(parser):
    """Of a command and of what stands below it ("input template")."""
    below = [action.choices.values() for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return set(parser._option_string_actions).union(*(options_of(one) for some in below for one in some))


class AdviceTest(unittest.TestCase):
    def setUp(self):
        action = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
        self.commands = action.choices
        self.keys = {table: {*KEYS.get(table, ())} for table in (*KEYS, *protocol_file.KEYS)}
        for table, keys in (*protocol_file.KEYS.items(), *protocol_file.OTHER_KEYS.items()):
            self.keys[table] |= set(keys)

    def test_options(self):
        known = set().union(*map(options_of, self.commands.values()))
        named = found(r"(?<![\w-])--[a-z][a-z-]+")
        self.assertGreater(len(named), 10)
        for option, template in named:
            with self.subTest(template):
                self.assertIn(option, known)

    def test_keys_with_their_table(self):
        named = found(r"\[([a-z]+)\] ([A-Za-z0-9_]+)")
        self.assertGreater(len(named), 10)
        for (table, key), template in named:
            if table not in TABLES_OF_OTHER_FILES:
                with self.subTest(template):
                    self.assertIn(key, self.keys[table])

    def test_keys_without_it(self):
        known = {key for keys in self.keys.values() for key in keys} | COLUMNS | FIELDS | PROGRAMS
        known |= {setting.name for setting in SETTINGS}  # as the panel's further settings name them
        for template in TEMPLATES:
            for name in re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b", re.sub(r"\{[^}]*\}", "", template)):
                with self.subTest(template):
                    self.assertIn(name, known)

    def test_commands(self):
        named = found(r"(?:run|tspoquant) (quantify|fit|maps|compare|cohort|inspect|report|propose)\b")
        named += found(r"'([a-z]+)' quantifies") + found(r"one with ([a-z]+) --") + found(r"--[a-z]+ of ([a-z]+)\b")
        self.assertGreater(len(named), 3)
        for command, template in named:
            with self.subTest(template):
                self.assertIn(command, self.commands)


if __name__ == "__main__":
    unittest.main()
