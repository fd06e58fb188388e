"""What is kept comes back: every type of a field, arrays among them, and what an earlier version did not have."""

import json
import math
import unittest
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from TSPOQuantLib.messages import Listed, Text
from TSPOQuantLib.plain import plain, restored, to_json


@dataclass(frozen=True, eq=False)
class Inner:
    matrix: NDArray[np.float64]
    used: NDArray[np.bool_]
    frames: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Kept:
    name: str
    inner: Inner | None
    choice: Literal["a", "b"]
    pair: tuple[int, float]
    many: tuple[Inner, ...]
    by_name: dict[str, float]
    either: str | tuple[int, ...]
    anything: Any = None
    later: int = 7
    table: dict[str, float] = field(default_factory=dict)


INNER = Inner(np.array([[math.nan, 5e-324], [-math.inf, 1 / 3]]), np.array([True, False]), np.array([3, -1]))
KEPT = Kept("é", INNER, "b", (1, 2.5), (INNER,), {"VT": math.inf}, (1, 2), {"x": [1, None]})


def back(value):
    return restored(type(value), json.loads(to_json(value)))


class PlainTest(unittest.TestCase):
    def assert_inner(self, found):
        for name, wanted in vars(INNER).items():
            np.testing.assert_array_equal(getattr(found, name), wanted)
            self.assertEqual(getattr(found, name).dtype, wanted.dtype)

    def test_every_type_comes_back(self):
        found = back(KEPT)
        self.assert_inner(found.inner)
        self.assert_inner(found.many[0])
        for name in ("name", "choice", "pair", "by_name", "either", "anything", "later", "table"):
            self.assertEqual(getattr(found, name), getattr(KEPT, name), name)

    def test_a_sentence_can_still_be_told_in_another_language(self):
        made = Text("{size:.1f} mm; {which}", size=1.25, which=Listed([Text("frame {number}", number=3), "last"]))
        found = back(replace(KEPT, name=made)).name
        self.assertEqual(found, "1.2 mm; frame 3, last")
        self.assertEqual((found.template, found.values["size"]), (made.template, 1.25))
        self.assertEqual(found.values["which"].items[0].values, {"number": 3})
        self.assertEqual(plain({"a": made}, lossless=False), {"a": str(made)})

    def test_fields_of_later_versions_take_their_defaults_or_are_passed_over(self):
        content = plain(KEPT)
        del content["later"], content["table"]
        content["unknown"] = content["inner"]["unknown"] = 1
        found = restored(Kept, content)
        self.assertEqual((found.later, found.table), (7, {}))
        self.assert_inner(found.inner)

    def test_what_is_of_another_type_is_refused(self):
        for name, value in (
            ("name", 3),
            ("inner", [1]),
            ("choice", "c"),
            ("pair", [1]),
            ("pair", [1, 2, 3]),
            ("pair", [True, 1.0]),
            ("many", {}),
            ("by_name", {"VT": "high"}),
            ("either", 1.5),
            ("later", 1.5),
            ("inner", {**plain(INNER), "matrix": [["1.5", 2]]}),
            ("inner", {**plain(INNER), "used": [1, 0]}),
            ("inner", {**plain(INNER), "matrix": [[1, 2], [3]]}),
        ):
            with self.subTest(name, value=value), self.assertRaises((TypeError, ValueError)):
                restored(Kept, plain(KEPT) | {name: value})
        with self.assertRaises(KeyError):
            restored(Kept, {})

    def test_other_programs_get_null_for_what_is_no_number(self):
        self.assertEqual(
            plain({"a": np.array([1.0, math.nan]), 2: math.inf}, lossless=False), {"a": [1, None], "2": None}
        )


if __name__ == "__main__":
    unittest.main()
