"""Every mark of a table has its reason below it."""

import unittest
from dataclasses import replace

import numpy as np
from support import visitrecords as made
from TSPOQuantLib.acquisition.blood import BloodSamples
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.input_function import InputFunction, InputFunctionResult
from TSPOQuantLib.kinetics import Coupled
from TSPOQuantLib.kinetics.flags import bound_flags
from TSPOQuantLib.messages import Notice
from TSPOQuantLib.outcome.compare import compare
from TSPOQuantLib.outcome.visit import FittedTable
from TSPOQuantLib.reporting.comparison_files import comparison_text
from TSPOQuantLib.reporting.reasons import reasons_text
from TSPOQuantLib.reporting.visit_text import fits_text, visit_text

(LATE,) = bound_flags({"delay": -1.0}, {"delay": (-1.0, 1.0)}, {"delay": "s"})
SMALL = Notice("region-small", "'{name}' rests on {count} voxel", name=made.CORD, count=1)
NO_INPUT = InputFunction(np.array([0.0, 1.0]), np.ones(2), np.ones(2))


def spread(count):
    return Notice("se-large", "the standard error of {name} is {error:.0%} of it", name="VT", error=count)


def flagged(record, flags, notices=None):
    """A record of which fits and rows of some (region, model) are flagged, and regions have notices."""
    fits = tuple(replace(fit, flags=flags.get((fit.region, fit.model), ())) for fit in record.fits)
    rows = tuple(replace(row, flags=flags.get((row.region, row.model), ())) for row in record.rows)
    regions = tuple(replace(one, notices=(notices or {}).get(one.name, ())) for one in record.regions)
    return replace(record, fits=fits, rows=rows, regions=regions)


class ReasonsTest(unittest.TestCase):
    def test_one_paragraph_a_code_within_a_terminal(self):
        told = reasons_text([("a", LATE), *((f"region {n}", LATE) for n in range(108)), ("b", spread(0.3))])
        told += "\n" + reasons_text([("b", spread(0.3)), ("c", spread(0.4)), ("d", spread(0.5))])
        self.assertLessEqual(max(map(len, told.split("\n"))), 80)
        flat = " ".join(told.split())
        self.assertIn("* delay-at-limit: delay stopped at its bound -1 s; it is not an estimate ('a', 'reg", flat)
        self.assertIn("and 106 more)", flat)
        self.assertIn("is 30% of it ('b'); likewise 'c', 'd'", flat)
        self.assertEqual(told.count("* delay-at-limit"), 1)
        self.assertEqual(reasons_text([]), "")

    def test_quantify(self):
        marks = {(made.LEFT, "1TCM"): (LATE,)}
        lines = visit_text(flagged(made.visit(), marks, {made.CORD: (SMALL,)})).split("\n")
        marked = [line.split("  ")[0] for line in lines if "*" in line and "±" in line and "flagged" not in line]
        self.assertEqual(marked, [made.LEFT, made.CORD])
        told = " ".join(" ".join(lines).split())
        self.assertIn(
            f"* delay-at-limit: delay stopped at its bound -1 s; it is not an estimate ('{made.LEFT}, 1T", told
        )
        self.assertIn(f"* region-small: '{made.CORD}' rests on 1 voxel ('{made.CORD}')", told)
        self.assertNotIn("\n* ", visit_text(flagged(made.visit(), {})))

    def test_fit(self):
        fits = {"1TCM": tuple(replace(made.fit(name, "1TCM", 5.0, 0.1), flags=(LATE,)) for name in "ab")}
        source = InputFunctionResult(NO_INPUT, None, None, None, None, (), {})
        both = Coupled(fits["1TCM"], fits["1TCM"], {}, {}, np.eye(2), 1.0, 0.5)
        timing = FrameTiming(np.arange(6.0), np.ones(6))
        table = FittedTable(("a", "b"), timing, np.ones((2, 6)), fits, source, BloodSamples(), "uniform", ())
        self.assertIn("delay stopped at its bound -1 s; it is not an estimate ('a', 'b')", flat(fits_text(table)))
        told = flat(fits_text(replace(table, coupled={"1TCM": both})))
        self.assertIn("('a', 'b', 'a, 1TCM coupled' and 1 more)", told)

    def test_compare(self):
        later = made.visit("followup", vt={name: 0.5 * vt for name, vt in made.VT.items()})
        visits = [made.visit(), flagged(later, {(made.CORD, "1TCM"): (spread(0.4),)})]
        told = comparison_text(compare(visits))
        (line,) = [line for line in told.split("\n") if "*" in line and "±" in line and "flagged" not in line]
        self.assertLess(line.index("±"), line.index("*"))
        self.assertIn(f"* se-large: the standard error of VT is 40% of it ('{made.CORD}, followup')", flat(told))


def flat(text):
    return " ".join(text.split())


if __name__ == "__main__":
    unittest.main()
