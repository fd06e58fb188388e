"""A visit's record: JSON that gives back every bit, and folders that hold none."""

import dataclasses
import json
import math
import tempfile
import unittest
from pathlib import Path

import visitrecords as made
from TSPOQuantLib.errors import InputRefused
from TSPOQuantLib.outcome.record import from_json, read_record, to_json


def same(one, other):
    """Equal, with nan equal to nan."""
    if dataclasses.is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one)
        )
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    return type(one) is type(other) and one == other


class JsonTest(unittest.TestCase):
    def test_every_bit_comes_back(self):
        odd = (math.nan, math.inf, -math.inf, 0.1 + 0.2, 5e-324, -0.0, 1e300)
        region = dataclasses.replace(made.visit().regions[0], mean=odd, name='<a> "b" é\n')
        record = made.visit(regions=(region,), provenance={"a": [1, {"b": None}], "c": "nan"})
        text = to_json(record)
        again = from_json(text)
        self.assertTrue(same(record, again))
        self.assertEqual(math.copysign(1, again.regions[0].mean[5]), -1)
        self.assertEqual(again.provenance["c"], "nan")
        self.assertEqual(to_json(again), text)
        json.loads(text, parse_constant=lambda name: self.fail(f"{name} is no JSON"))

    def test_more_keys_are_no_harm(self):
        content = json.loads(to_json(made.visit()))
        content["later"] = content["acquisition"]["later"] = 1
        self.assertTrue(same(from_json(json.dumps(content)), made.visit()))

    def test_what_is_not_a_record(self):
        good = json.loads(to_json(made.visit()))
        for change, code in (
            ({"format": 99}, "record-format"),
            ({"session": 3}, "record-unreadable"),
            ({"regions": None}, "record-unreadable"),
            ({"models": "1TCM"}, "record-unreadable"),
            ({"format": True}, "record-unreadable"),
            ({"acquisition": {}}, "record-unreadable"),
        ):
            with self.subTest(change), self.assertRaises(InputRefused) as caught:
                from_json(json.dumps(good | change))
            self.assertEqual(caught.exception.code, code)
        for text in ("", "[]", "3", to_json(made.visit())[:-20], "[" * 100_000):
            with self.subTest(text[:10]), self.assertRaisesRegex(InputRefused, "record-unreadable"):
                from_json(text)


class FolderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def refusal(self, path):
        with self.assertRaises(InputRefused) as caught:
            read_record(path)
        return caught.exception

    def test_reads_a_folder_or_its_file(self):
        (self.folder / "visit.json").write_text(to_json(made.visit()), encoding="utf-8")
        for path in (self.folder, self.folder / "visit.json"):
            self.assertTrue(same(read_record(path), made.visit()))

    def test_folders_without_a_record(self):
        self.assertEqual(self.refusal(self.folder / "absent").code, "results-missing")
        self.assertEqual(self.refusal(self.folder).code, "results-foreign")
        (self.folder / "results.json").write_text("{}")
        self.assertEqual(self.refusal(self.folder).code, "results-foreign")
        (self.folder / "sub-a_ses-b_seg-regions_tacs.tsv").touch()
        old = self.refusal(self.folder)
        self.assertEqual(old.code, "results-old")
        self.assertIn("run quantify again", old.message)

    def test_a_folder_above_names_the_visits_in_it(self):
        (self.folder / "ses-a").mkdir()
        (self.folder / "ses-a" / "visit.json").touch()
        self.assertIn("ses-a", self.refusal(self.folder).message)

    def test_bytes_that_are_no_text(self):
        (self.folder / "visit.json").write_bytes(b"\xff\xfe\x00")
        self.assertEqual(self.refusal(self.folder).code, "record-unreadable")


if __name__ == "__main__":
    unittest.main()
