"""A visit's record: JSON that gives back every bit, and folders that hold none."""

import dataclasses
import json
import math
import unittest
from pathlib import Path

import numpy as np
from support import visitrecords as made
from support.folders import Folder
from TSPOQuantLib.messages import InputRefused, Listed, Notice, Text
from TSPOQuantLib.outcome.record import FORMAT, from_json, read_record, sealed
from TSPOQuantLib.plain import to_json

OLD = Path(__file__).parents[1] / "Data" / "visit-v0.1.json"


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
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and same(one.tolist(), other.tolist()) and one.dtype == other.dtype
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

    def test_a_file_that_was_changed_by_hand_is_told(self):
        text = sealed(made.visit(provenance={"umlaut": "ä", "whole": 10, "part": [0.1 + 0.2, math.nan, 1e300]}))
        self.assertTrue(same(from_json(text).rows, made.visit().rows))
        laid_out = json.dumps(json.loads(text), indent=2, sort_keys=True).replace('"VT": 12.0', '"VT": 12')
        self.assertNotIn('"VT": 12.0', laid_out)
        self.assertTrue(same(from_json(laid_out).rows, made.visit().rows))
        for here, there in (
            ('"VT":12.0', '"VT":3.2'),
            ('"K1":0.5', '"K1":0.6'),
            ('"weight_kg":80.0', '"weight_kg":90.0'),
            ('"injected_mbq":400.0', '"injected_mbq":4.0'),
            ('"session":"baseline"', '"session":"followup"'),
            ('"mean":[12.0', '"mean":[11.0'),
        ):
            self.assertIn(here, text)
            with self.subTest(here), self.assertRaisesRegex(InputRefused, "record-altered: v.json was changed"):
                from_json(text.replace(here, there, 1), "v.json")

    def test_a_notice_keeps_what_it_was_made_of(self):
        notice = Notice(
            "a-code",
            "{share:.0%} of '{name}', {part} and {several}, at {lost:.1f} mm in {file}",
            share=0.42,
            name="cord C7",
            part=Text("the {side} one", side="left"),
            several=Listed([Text("{count} frames", count=3), "x"]),
            lost=math.nan,
            file=Path("a.tsv"),
        )
        (again,) = from_json(to_json(made.visit(quality=(notice,)))).quality
        self.assertEqual(again, notice)
        self.assertEqual(again.message.template, notice.message.template)
        self.assertEqual(again.message.values["part"].template, "the {side} one")
        self.assertEqual(again.message.values["several"].items[0].values, {"count": 3})

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


class OldRecordTest(unittest.TestCase):
    """What version 0.1.0 wrote stays readable, to the last number."""

    @classmethod
    def setUpClass(cls):
        cls.content = json.loads(OLD.read_text(encoding="utf-8"))
        cls.record = read_record(OLD)

    def test_numbers_are_those_of_the_file(self):
        record, content = self.record, self.content
        self.assertEqual((record.subject, record.session, record.models), ("p1", "baseline", ("1TCM", "Logan")))
        told = [(row["region"], row["model"], row["pvc"], row["VT"], row["K1"]) for row in content["rows"]]
        self.assertEqual([(row.region, row.model, row.pvc, row.VT, row.K1) for row in record.rows], told)
        self.assertEqual(len(told), 12)
        self.assertAlmostEqual(record.row("foramen", "C6/C7", "left", "1TCM").VT, 4.0, delta=0.01)
        for number, region in enumerate(content["regions"]):
            self.assertEqual(list(record.regions[number].mean), region["mean"])
            self.assertEqual(record.regions[number].corrected.recovery, region["corrected"]["recovery"])
        for number, fit in enumerate(content["fits"]):
            self.assertEqual(record.fits[number].parameters, fit["parameters"])
            self.assertEqual(record.fits[number].covariance.tolist(), fit["covariance"])
            self.assertEqual(record.fits[number].line is None, fit["line"] is None)
        self.assertEqual(record.motion.translation_mm.tolist(), content["motion"]["translation_mm"])
        self.assertEqual(list(record.input.parent_plasma), content["input"]["parent_plasma"])

    def test_notices_say_what_they_said(self):
        told = [(one["code"], one["message"]) for one in self.content["quality"]]
        self.assertEqual([(one.code, one.message) for one in self.record.quality], told)
        self.assertTrue(any("'foramen C6/C7 left (root C7)'" in message for _, message in told))

    def test_a_field_more_is_no_harm_at_any_depth(self):
        def more(value):
            if isinstance(value, dict):
                return {key: more(item) for key, item in value.items()} | {"of a later version": [1, "x", None]}
            return [more(item) for item in value] if isinstance(value, list) else value

        content = {
            key: more(value) if key not in ("settings", "provenance") else value for key, value in self.content.items()
        }
        for each in ("parameters", "standard_errors"):  # tables of numbers, not of fields
            for changed, given in zip(content["fits"], self.content["fits"], strict=True):
                changed[each] = given[each]
        content["input"] = {**self.content["input"], "of a later version": 1}
        self.assertTrue(same(from_json(json.dumps(content)), self.record))

    def test_a_newer_format_is_refused_by_name(self):
        with self.assertRaises(InputRefused) as caught:
            from_json(json.dumps(self.content | {"format": FORMAT + 1}), "visit.json of ses-a")
        self.assertEqual(caught.exception.code, "record-format")
        for part in ("visit.json of ses-a", str(FORMAT + 1), "newer"):
            self.assertIn(part, caught.exception.message)


class FolderTest(Folder):
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

    def test_what_does_not_belong_together(self):
        good = json.loads(to_json(made.visit()))
        region, fit, scan, source = good["regions"][0], good["fits"][0], good["acquisition"], good["input"]
        rest, fits = good["regions"][1:], good["fits"][1:]
        for change in (  # without a seal, which tells all of them
            {"regions": []},
            {"regions": [region | {"name": "another"}, *rest]},
            {"regions": [region | {"mean": region["mean"][1:]}, *rest]},
            {"regions": [region | {"sd": ["nan"] * len(region["sd"])}, *rest]},
            {"regions": [region | {"volume_mm3": 0.0}, *rest]},
            {"fits": fits},
            {"fits": [fit | {"weights": fit["weights"][1:]}, *fits]},
            {"acquisition": scan | {"frame_durations_s": scan["frame_durations_s"][1:]}},
            {"acquisition": scan | {"frame_starts_s": scan["frame_starts_s"][::-1]}},
            {"input": source | {"parent_plasma": source["parent_plasma"][1:]}},
        ):
            (self.folder / "visit.json").write_text(json.dumps(good | change), encoding="utf-8")
            with self.subTest(list(change)), self.assertRaisesRegex(InputRefused, "record-unreadable"):
                read_record(self.folder)

    def test_bytes_that_are_no_text(self):
        (self.folder / "visit.json").write_bytes(b"\xff\xfe\x00")
        self.assertEqual(self.refusal(self.folder).code, "record-unreadable")


if __name__ == "__main__":
    unittest.main()
