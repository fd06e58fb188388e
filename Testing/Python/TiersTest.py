"""What the inner loop leaves out: what was measured to be dear, and nothing that is there no more."""

import tempfile
import unittest
from pathlib import Path

from support import tiers

HERE = "Testing/Python/TiersTest.py"


class TiersTest(unittest.TestCase):
    def test_a_dear_test_and_all_of_a_dear_class_are_left_out(self):
        costs = {"a.py::One::test_x": 1.0, "a.py::Two::*": 2.0, "b.py::test_y": 4.0}
        for name, dear in (
            ("a.py::One::test_x", True),
            ("a.py::One::test_z", False),
            ("a.py::Two::test_z", True),
            ("a.py::Twofold::test_z", False),
            ("b.py::test_y[1TCM-0.01]", True),
            ("b.py::test_yet", False),
        ):
            self.assertEqual(tiers.is_dear(name, costs), dear, name)
        self.assertEqual(tiers.by_file(costs), {"a.py": 3.0, "b.py": 4.0})

    def test_what_is_cheap_gone_or_a_law_is_not_noted(self):
        kept = {f"{HERE}::TiersTest::*": 0.5, f"{HERE}::TiersTest::test_what_is_cheap_gone_or_a_law_is_not_noted": 2.0}
        others = {
            f"{HERE}::TiersTest::test_of_no_name": 2.0,
            f"{HERE}::OtherTest::*": 2.0,
            "Testing/Python/NoFileTest.py::T::test_x": 2.0,
            "Testing/Python/StructureTest.py::CMakeTest::test_every_file_is_installed": 2.0,
            f"{HERE}::TiersTest::test_every_row_is_of_a_test_that_is_there": 0.9 * tiers.LIMIT_S,
        }
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "costs.tsv"
            tiers.write_costs({**others, **kept}, path)
            self.assertEqual(tiers.read_costs(path), kept)

    def test_every_row_is_of_a_test_that_is_there(self):
        costs = tiers.read_costs()
        self.assertEqual([name for name, cost in costs.items() if not tiers.is_kept(name, cost)], [])
        self.assertGreater(len(costs), 100)


if __name__ == "__main__":
    unittest.main()
