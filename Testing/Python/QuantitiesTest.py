"""A quantity is said once: rows, tables, units and codes follow from it."""

import csv
import dataclasses
import math
import unittest

from support import visitrecords as made
from support.folders import Folder
from TSPOQuantLib.kinetics.models import MODELS
from TSPOQuantLib.outcome.record import RegionOutcome
from TSPOQuantLib.outcome.recording import outcome_rows
from TSPOQuantLib.quantities import BY_KEY, COLUMN_KEYS, QUANTITIES, UNITS, decimals_for
from TSPOQuantLib.reporting.csv_files import write_regions_csv
from TSPOQuantLib.reporting.dicom_context import private_code, unit_code
from TSPOQuantLib.reporting.tables import write_tsv
from TSPOQuantLib.reporting.words import Words

TWO_TISSUE = {"K1": (0.1, 0.004), "k2": (0.05, math.nan), "k3": (0.03, 0.002), "k4": (0.02, 0.003), "VB": (0.04, 0.01)}


def two_tissue():
    """A record with a fit of the two-tissue model: values and errors as above, V_T 5 ± 0.3."""
    numbers = TWO_TISSUE | {"VT": (5.0, 0.3)}
    fit = dataclasses.replace(
        made.fit(made.LEFT, "2TCM", 5.0, 0.3),
        parameters={name: value for name, (value, _) in numbers.items()},
        standard_errors={name: error for name, (_, error) in numbers.items()},
    )
    record = made.visit(vt={made.LEFT: 5.0})
    fit = dataclasses.replace(fit, region=made.LEFT)
    return dataclasses.replace(record, rows=outcome_rows("baseline", record.regions, [fit]), fits=(fit,))


class QuantityTest(unittest.TestCase):
    def test_every_column_is_a_field_of_a_row_and_every_number_of_a_row_a_column(self):
        texts = {"visit", "region", "structure", "level", "root", "side", "model", "pvc", "flags"}
        self.assertEqual({field.name for field in dataclasses.fields(RegionOutcome)} - texts, set(COLUMN_KEYS))

    def test_all_that_a_model_reports_is_a_quantity(self):
        for model in MODELS.values():
            self.assertLessEqual(set(model.units), set(BY_KEY), model.name)

    def test_keys_and_codes_tell_quantities_apart(self):
        self.assertEqual(len(BY_KEY), len(QUANTITIES))
        meanings = [private_code(one.key).meaning for one in QUANTITIES]
        self.assertEqual(len(set(meanings)), len(meanings))
        self.assertTrue(all(len(meaning) <= 64 for meaning in meanings))
        self.assertEqual(unit_code("k3").value, "/min")
        self.assertEqual((UNITS["VT"], unit_code("VT").value), ("mL/cm3", "mL/cm3"))

    def test_every_language_has_a_name(self):
        french = Words("fr")
        for one in QUANTITIES:
            self.assertNotEqual(french.message(one.name), one.name)


class TableTest(Folder):
    def test_parameters_and_their_errors_reach_the_rows(self):
        (row,) = two_tissue().rows
        for name, (value, error) in TWO_TISSUE.items():
            self.assertEqual(getattr(row, name), value)
            self.assertTrue(getattr(row, f"{name}_se") == error or math.isnan(error))
        self.assertIsNone(row.Ki)

    def test_and_from_there_the_csv(self):
        write_regions_csv(self.folder / "a.csv", [two_tissue()])
        with (self.folder / "a.csv").open(encoding="utf-8") as file:
            (row,) = csv.DictReader(file)
        self.assertEqual(
            (row["K1_se"], row["k2_se"], row["k3"], row["k4_se"], row["Ki"]), ("0.004", "", "0.03", "0.003", "")
        )

    def test_no_name_is_a_formula_in_a_spreadsheet(self):
        names = ("=1+1", "+x", "-x", "@x", " =x", "-", "foramen C6/C7 left")
        record = two_tissue()
        rows = [dataclasses.replace(record.rows[0], region=name, VT=-1.5) for name in names]
        write_regions_csv(self.folder / "a.csv", [dataclasses.replace(record, subject="=s", rows=tuple(rows))])
        with (self.folder / "a.csv").open(encoding="utf-8") as file:
            found = list(csv.DictReader(file))
        self.assertEqual([row["region"] for row in found], [*(f"'{name}" for name in names[:-1]), names[-1]])
        self.assertEqual({(row["subject"], row["VT"]) for row in found}, {("'=s", "-1.5")})
        write_tsv(self.folder / "a.tsv", ["=a", "b"], [["@x", "-2e-05"], ["-inf", "n/a"]])
        text = (self.folder / "a.tsv").read_text(encoding="utf-8")
        self.assertEqual(text, "'=a\tb\n'@x\t-2e-05\n-inf\tn/a\n")

    def test_a_model_without_v_t_has_none(self):
        record = two_tissue()
        fit = dataclasses.replace(
            record.fits[0], model="Patlak", parameters={"Ki": 0.02}, standard_errors={"Ki": 0.001}
        )
        (row,) = outcome_rows("baseline", record.regions, [fit])
        self.assertTrue(math.isnan(row.VT))
        self.assertEqual((row.Ki, row.Ki_se), (0.02, 0.001))


class DigitsTest(unittest.TestCase):
    def test_a_value_ends_where_its_error_does(self):
        words = Words("en")
        for value, error, text in (
            (12.9612, 0.4123, "12.96 ± 0.41"),
            (129.612, 12.3, "130 ± 12"),
            (5.0, 0.0312, "5.000 ± 0.031"),
            (4.00012, 0.0000012, "4.0001 ± 0.0000"),
            (4.0, math.nan, "4.00 ± n/a"),
        ):
            self.assertEqual(words.with_error(value, error).replace("\u00a0", " "), text)
        self.assertEqual(decimals_for(None, 3), 3)
        self.assertEqual(decimals_for(0.0, 3), 3)


if __name__ == "__main__":
    unittest.main()
