"""Blood files: real PET-BIDS and PMOD ones against their tables, and every way a unit or a clock slips."""

import csv
import unittest
import zipfile

import numpy as np
from support.folders import Folder
from support.realdata import DATA, needs_data
from TSPOQuantLib.acquisition.blood import (
    BloodSamples,
    SampledCurve,
    check_covers,
    check_decay,
    falls_as_decay,
    odd_samples,
    reconcile,
)
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.parameter_tables import read_parameters
from TSPOQuantLib.acquisition.tacs import read_tacs

TIMES = (0, 30, 45, 60, 90, 180, 600, 1800, 3600)
WHOLE = (0, 2, 60, 40, 20, 9, 5, 4, 3.5)
PLASMA = (0, 3, 80, 50, 26, 12, 6, 5, 4.5)
PARENT = (1, 1, 0.99, 0.98, 0.96, 0.9, 0.6, 0.3, 0.2)
JSON = {
    "time": {"Units": "s"},
    "whole_blood_radioactivity": {"Units": "kBq/mL"},
    "plasma_radioactivity": {"Units": "kBq/mL"},
    "metabolite_parent_fraction": {"Units": "arbitrary"},
}
NAMES = ("time", "whole_blood_radioactivity", "plasma_radioactivity", "metabolite_parent_fraction")


def table(columns, names=NAMES, separator="\t"):
    rows = [separator.join(names), *(separator.join(str(cell) for cell in row) for row in zip(*columns, strict=True))]
    return "\n".join(rows) + "\n"


def plain(path):
    """Columns of a table, read the simplest way there is."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    return {
        name: np.array([np.nan if row[i] in ("", "n/a") else float(row[i]) for row in rows[1:] if row])
        for i, name in enumerate(rows[0])
    }


class BloodFolder(Folder):
    def blood(self, columns=(TIMES, WHOLE, PLASMA, PARENT), metadata=JSON, name="sub-1_recording-manual_blood"):
        path = self.write(f"{name}.tsv", table(columns, NAMES[: len(columns)]))
        if metadata is not None:
            self.write(f"{name}.json", metadata)
        return path

    def codes(self, blood):
        return [notice.code for notice in blood.notices]


class ReadBidsTest(BloodFolder):
    def test_reads_every_column(self):
        blood = read_blood([self.blood()], route="arterial")
        for curve, values in ((blood.whole_blood, WHOLE), (blood.plasma, PLASMA), (blood.parent_fraction, PARENT)):
            np.testing.assert_array_equal(curve.times_s, TIMES)
            np.testing.assert_array_equal(curve.values, values)
        self.assertEqual((blood.route, self.codes(blood)), ("arterial", []))

    def test_missing_cells_leave_samples_out_of_their_column_only(self):
        whole = list(WHOLE)
        whole[3] = "n/a"
        blood = read_blood([self.blood((TIMES, whole, PLASMA))])
        self.assertNotIn(60, blood.whole_blood.times_s)
        self.assertIn(60, blood.plasma.times_s)
        self.assertIsNone(blood.parent_fraction)

    def test_units_of_the_json_are_converted(self):
        metadata = JSON | {"time": {"Units": "min"}, "whole_blood_radioactivity": {"Units": "Bq/mL"}}
        metadata["plasma_radioactivity"] = {"Units": "nCi/cc"}
        minutes = [time / 60 for time in TIMES]
        columns = (minutes, [value * 1000 for value in WHOLE], [value / 0.037 for value in PLASMA], PARENT)
        blood = read_blood([self.blood(columns, metadata)])
        np.testing.assert_allclose(blood.whole_blood.times_s, TIMES)
        np.testing.assert_allclose(blood.whole_blood.values, WHOLE)
        np.testing.assert_allclose(blood.plasma.values, PLASMA)

    def test_without_units_the_bids_ones_are_taken_and_named(self):
        blood = read_blood([self.blood(metadata=None)])
        self.assertIn("blood-units-assumed", self.codes(blood))

    def test_metadata_is_inherited_up_to_the_dataset(self):
        self.write("dataset_description.json", {})
        self.write("recording-manual_blood.json", JSON | {"time": {"Units": "min"}})
        self.write("recording-autosampler_blood.json", JSON)
        deep = self.folder / "sub-1" / "pet"
        deep.mkdir(parents=True)
        path = deep / "sub-1_recording-manual_blood.tsv"
        path.write_text(table(([time / 60 for time in TIMES], WHOLE), NAMES[:2]))
        np.testing.assert_allclose(read_blood([path]).whole_blood.times_s, TIMES)

    def test_given_json_leads(self):
        path = self.blood(([time / 60 for time in TIMES], WHOLE))
        given = self.write("mine.json", JSON | {"time": {"Units": "min"}})
        np.testing.assert_allclose(read_blood([path], json=given).whole_blood.times_s, TIMES)

    def test_ready_plasma(self):
        path = self.write("sub-1_bloodproc.tsv", table((TIMES, PLASMA, WHOLE), ("time", "AIF", NAMES[1])))
        blood = read_blood([path])
        np.testing.assert_array_equal(blood.parent_plasma.values, PLASMA)
        self.assertIsNone(blood.plasma)
        self.refused("blood-mixed", read_blood, [path, self.blood()])

    def test_autosampler_by_other_names(self):
        for label in ("AutoSampler", "automatic", "continuous"):
            auto = self.blood((range(0, 600, 10), range(1, 61)), name=f"sub-1_recording-{label}_blood")
            blood = read_blood([auto, self.blood()])
            self.assertEqual((len(blood.autosampler.times_s), len(blood.whole_blood.times_s)), (60, len(TIMES)))

    def test_autosampler_and_manual_are_kept_apart(self):
        seconds = range(1, 301)
        sampled = [90 * np.exp(-second / 100) for second in seconds]
        metadata = JSON | {"DispersionCorrected": False, "DispersionConstant": 0.05, "DispersionConstantUnits": "min"}
        auto = self.blood((seconds, sampled), metadata, "sub-1_recording-autosampler_blood")
        blood = read_blood([self.blood(), auto])
        np.testing.assert_array_equal(blood.autosampler.values, sampled)
        np.testing.assert_array_equal(blood.whole_blood.values, WHOLE)
        self.assertAlmostEqual(blood.dispersion_s, 3.0)
        for metadata, code in (
            ({"DispersionConstant": "2.6"}, "json-number"),
            ({"DispersionConstant": 10**400}, "json-number"),
            ({"DispersionConstant": 2600}, "blood-dispersion"),
            ({"DispersionConstant": 2.6, "DispersionConstantUnits": "mL"}, "units-time"),
        ):
            self.blood((seconds, sampled), JSON | metadata, "sub-1_recording-autosampler_blood")
            self.refused(code, read_blood, [self.blood(), auto])
        self.blood((seconds, sampled), JSON | {"DispersionCorrected": "true"}, "sub-1_recording-autosampler_blood")
        self.assertIsNone(read_blood([self.blood(), auto]).dispersion_s)
        self.blood((seconds, sampled), JSON, "sub-1_recording-autosampler_blood")
        self.assertIn("blood-dispersion-unknown", self.codes(read_blood([self.blood(), auto])))

    def test_an_autosampler_in_another_unit_than_manual_blood(self):
        seconds = range(1, 601, 5)
        sampled = np.interp(seconds, TIMES, WHOLE)
        manual = self.blood()
        for scale in (1, 0.7, 1 / 20, 20):
            auto = self.blood((seconds, sampled * scale), name="sub-1_recording-autosampler_blood")
            self.assertIsNotNone(read_blood([manual, auto]).autosampler, scale)
        for scale in (1 / 37, 1 / 500, 33):
            auto = self.blood((seconds, sampled * scale), name="sub-1_recording-autosampler_blood")
            self.refused("blood-sampler-units", read_blood, [manual, auto])

    def test_two_recordings_of_one_time_are_told(self):
        later = [time + 7 for time in TIMES[:-1]]
        first, second = self.blood(name="a_blood"), self.blood((later, WHOLE[:-1]), name="b_blood")
        told = {n.code: n.message for n in read_blood([first, second]).notices}
        self.assertIn("a_blood.tsv and b_blood.tsv", told["blood-recordings-merged"])

    def test_names_and_units_in_other_capitals(self):
        names = ("Time", "Whole_Blood_Radioactivity", "Plasma_Radioactivity", "Metabolite Parent Fraction")
        activities = [[value / 0.037 for value in values] for values in (WHOLE, PLASMA)]
        path = self.write("capitals_blood.tsv", table((TIMES, *activities, PARENT), names))
        units = {"time": {"Unit": "s"}, names[1]: {"units": "nCi/mL"}, names[2].upper(): {"UNITS": "nCi/mL"}}
        self.write("capitals_blood.json", units)
        blood = read_blood([path])
        np.testing.assert_allclose(blood.whole_blood.values, WHOLE)
        np.testing.assert_allclose(blood.plasma.values, PLASMA)
        np.testing.assert_array_equal(blood.parent_fraction.values, PARENT)
        self.assertNotIn("blood-units-assumed", self.codes(blood))

    def test_from_when_times_count(self):
        for unit, description, counted_from in (
            ("s", "", ""),
            ("s", "Time in relation to time zero defined by the _pet.json", ""),
            ("seconds since injection", "", "injection"),
            ("s after start of the injection", "", "injection"),
            ("s p.i.", "", "injection"),
            ("s", "sampling time relative to the start of the PET scan", "scan"),
            ("s from scan start", "", "scan"),
        ):
            metadata = JSON | {"time": {"Units": unit, "Description": description}}
            found = read_blood([self.blood(metadata=metadata)]).counted_from
            self.assertEqual(found, (counted_from,) if counted_from else (), unit)

    def test_manual_files_are_merged(self):
        first = self.blood((TIMES[:5], WHOLE[:5]), name="a_blood")
        second = self.blood((TIMES[4:], WHOLE[4:]), name="b_blood")
        blood = read_blood([second, first])
        np.testing.assert_array_equal(blood.whole_blood.times_s, TIMES)
        self.assertIn("blood-repeated", self.codes(blood))
        other = self.blood((TIMES[4:], [value + 1 for value in WHOLE[4:]]), name="b_blood")
        self.refused("blood-times", read_blood, [first, other])

    def test_unused_columns_are_named_and_may_hold_words(self):
        path = self.write("x_blood.tsv", table((TIMES, WHOLE, ["tube"] * len(TIMES)), ("time", NAMES[1], "remark")))
        blood = read_blood([path])
        self.assertIn("blood-columns-unused", self.codes(blood))


class RefusedBloodTest(BloodFolder):
    def test_minutes_taken_for_seconds(self):
        minutes = [time / 60 for time in TIMES]
        for metadata in (JSON, None):
            message = self.refused("blood-time-units", read_blood, [self.blood((minutes, WHOLE), metadata)])
            self.assertIn("minutes", message)

    def test_minutes_beside_an_autosampler_in_seconds_and_the_other_way_round(self):
        seconds = np.arange(1.0, 601)
        sampled = 90 * np.exp(-seconds / 100)
        minutes = [time / 60 for time in TIMES]
        auto = self.blood((seconds, sampled), name="sub-1_recording-autosampler_blood")
        self.refused("blood-time-units", read_blood, [self.blood((minutes, WHOLE)), auto])
        auto = self.blood((seconds / 60, sampled), name="sub-1_recording-autosampler_blood")
        self.refused("blood-time-units", read_blood, [self.blood(), auto])

    def test_seconds_said_to_be_minutes(self):
        metadata = JSON | {"time": {"Units": "min"}}
        self.refused("blood-time-units", read_blood, [self.blood((TIMES, WHOLE), metadata)])

    def test_becquerel_and_kilobecquerel(self):
        bq = self.blood((TIMES, [value * 1000 for value in WHOLE]))
        self.refused("blood-activity-units", read_blood, [bq])
        kbq = self.blood((TIMES, WHOLE), JSON | {"whole_blood_radioactivity": {"Units": "Bq/mL"}})
        self.refused("blood-activity-units", read_blood, [kbq])

    def test_units_as_people_spell_them(self):
        spelled = {"time": "Seconds since injection", "whole_blood_radioactivity": "kbq/ml"}
        spelled |= {"plasma_radioactivity": "kBq/cc", "metabolite_parent_fraction": "Dimensionless"}
        blood = read_blood([self.blood(metadata={name: {"Units": unit} for name, unit in spelled.items()})])
        np.testing.assert_array_equal(blood.whole_blood.times_s, TIMES)
        np.testing.assert_array_equal(blood.whole_blood.values, WHOLE)
        np.testing.assert_array_equal(blood.parent_fraction.values, PARENT)

    def test_unknown_units(self):
        for quantity, code in (("time", "units-time"), ("whole_blood_radioactivity", "units-activity")):
            for unit in ("furlong", "kBq", "mBq/mL", "kBq/mL/s", "g/mL"):
                path = self.blood((TIMES, WHOLE), JSON | {quantity: {"Units": unit}})
                self.refused(code, read_blood, [path])
        self.refused(
            "parent-fraction-units",
            read_blood,
            [self.blood(metadata=JSON | {"metabolite_parent_fraction": {"Units": "kBq/mL"}})],
        )

    def test_decay_state(self):
        for entry in (
            {"DecayCorrected": False},
            {"PlasmaDecayCorrected": "false"},
            {"BloodDecayCorrectionTime": 1200},
            {"DecayCorrected": "no"},
            {"PlasmaDecayCorrected": 0},
            {"DecayCorrection": "NONE"},
            {"DecayCorrection": [False]},
        ):
            self.refused("blood-decay", read_blood, [self.blood(metadata=JSON | entry)])
        for entry in ({"DecayCorrected": True}, {"DecayCorrected": "yes"}, {"DecayCorrected": None}):
            read_blood([self.blood(metadata=JSON | entry | {"BloodDecayCorrectionTime": 0})])

    def test_decay_state_in_words(self):
        def described(words):
            return self.blood(metadata=JSON | {"plasma_radioactivity": {"Units": "kBq/mL", "Description": words}})

        for words in (
            "counts, not decay-corrected",
            "not corrected for decay",
            "Uncorrected for radioactive decay",
            "activity at the time of counting, without decay correction",
            "no decay correction applied",
            "decay correction was not applied",
            "decay not corrected",
            "has not yet been decay corrected",
        ):
            with self.subTest(words):
                self.refused("blood-decay", read_blood, [described(words)])
        for words in (
            "decay-corrected to time zero, not corrected for dispersion",
            "corrected for decay to the injection",
            "decay correction was applied",
        ):
            read_blood([described(words)])

    def test_plasma_in_another_unit_than_whole_blood(self):
        for factor in (1 / 37, 20.0):
            plasma = [factor * value for value in PLASMA]
            self.refused("blood-plasma-units", read_blood, [self.blood((TIMES, WHOLE, plasma))])
            ready = self.write("sub-1_bloodproc.tsv", table((TIMES, WHOLE, plasma), (*NAMES[:2], "AIF")))
            if factor > 1:
                self.refused("blood-plasma-units", read_blood, [ready])
        seconds = [*range(0, 300, 2)]
        sampled = np.interp(seconds, TIMES, WHOLE)
        auto = self.blood((seconds, 0.01 * sampled), name="sub-1_recording-autosampler_blood")
        manual = self.write("sub-1_recording-manual_blood.tsv", table((TIMES, PLASMA), (NAMES[0], NAMES[2])))
        self.refused("blood-plasma-units", read_blood, [auto, manual])

    def test_cells(self):
        for cell, code in (
            ("NaN", "table-not-finite"),
            ("inf", "table-not-finite"),
            ("-Infinity", "table-not-finite"),
            ("1e999", "table-not-finite"),
            ("4,5", "table-number"),
            ("1_0", "table-number"),
            ("x", "table-number"),
        ):
            whole = list(WHOLE)
            whole[4] = cell
            message = self.refused(code, read_blood, [self.blood((TIMES, whole))])
            self.assertIn("line 6", message)

    def test_times(self):
        for times in ((0, 30, 20, *TIMES[3:]), (0, 30, 30, *TIMES[3:]), (0, "n/a", *TIMES[2:])):
            self.refused("blood-times", read_blood, [self.blood((times, WHOLE))])

    def test_times_as_a_clock_writes_them(self):
        """hours:minutes:seconds from time zero are as plain as seconds; minutes:seconds may be hours and minutes."""

        def clocked(write, metadata=JSON):
            return [self.blood((tuple(map(write, TIMES)), WHOLE, PLASMA, PARENT), metadata)]

        def elapsed(seconds, start=0):
            return f"{start + seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"

        for metadata in (JSON, {key: value for key, value in JSON.items() if key != "time"}):
            blood = read_blood(clocked(elapsed, metadata))
            np.testing.assert_array_equal(blood.plasma.times_s, TIMES)
            np.testing.assert_array_equal(blood.plasma.values, PLASMA)
        self.refused("blood-units", read_blood, clocked(elapsed, JSON | {"time": {"Units": "min"}}))

        def under(header, count):
            written = table((tuple(map(elapsed, TIMES[:count])), WHOLE[:count]), (header, "Whole blood (kBq/mL)"))
            return [self.write("clock.tsv", written)]

        for header in ("time", "time [s]", "time [h:mm:ss]", "time (HH:MM:SS)", "time [seconds after injection]"):
            np.testing.assert_array_equal(read_blood(under(header, 9)).whole_blood.times_s, TIMES)
        self.assertIn("the header says min", self.refused("blood-units", read_blood, under("time [min]", 5)))
        said = self.refused("blood-time-units", read_blood, clocked(lambda seconds: elapsed(seconds, 10)))
        self.assertIn("like a clock", said)
        said = self.refused("table-clock", read_blood, clocked(lambda seconds: f"{seconds // 60}:{seconds % 60:02d}"))
        self.assertIn("in seconds from time zero", said)

    def test_what_the_metadata_says_of_values(self):
        for key, quantity in (
            ("PlasmaAvail", "plasma_radioactivity"),
            ("WholeBloodAvail", "whole_blood_radioactivity"),
            ("MetaboliteAvail", "metabolite_parent_fraction"),
        ):
            for said in (False, "false"):
                blood = read_blood([self.blood(metadata=JSON | {key: said})])
                self.assertEqual(self.codes(blood), ["blood-availability"])
                self.assertIn(quantity, blood.notices[0].message)
            self.assertEqual(self.codes(read_blood([self.blood(metadata=JSON | {key: True})])), [])
        for key in ("CalibrationFactor", "WellCounterCalibrationFactor", "cross_calibration_factor"):
            blood = read_blood([self.blood(metadata=JSON | {key: 1.4})])
            self.assertEqual(self.codes(blood), ["blood-calibration"])
            np.testing.assert_array_equal(blood.plasma.values, PLASMA)
            self.assertEqual(self.codes(read_blood([self.blood(metadata=JSON | {key: 1})])), [])

    def test_a_row_written_twice_is_named(self):
        blood = read_blood([self.blood(((0, 30, 45, 45, *TIMES[3:]), (0, 2, 60, 60, *WHOLE[3:])))])
        self.assertEqual(self.codes(blood), ["blood-repeated"])
        np.testing.assert_array_equal(blood.whole_blood.times_s, TIMES)

    def test_negative_noise_is_kept_and_more_refused(self):
        blood = read_blood([self.blood((TIMES, (-0.3, *WHOLE[1:])))])
        self.assertEqual(blood.whole_blood.values[0], -0.3)
        self.refused("blood-negative", read_blood, [self.blood((TIMES, (-9, *WHOLE[1:])))])

    def test_shape(self):
        self.refused("table-row", read_blood, [self.write("a_blood.tsv", "time\tAIF\n0\t1\n5\n")])
        self.refused("table-row", read_blood, [self.write("a_blood.tsv", "time\tAIF\n0\t1\t7\n")])
        self.refused("table-header", read_blood, [self.write("a_blood.tsv", "time\tAIF\tAIF\n0\t1\t7\n")])
        self.refused("table-empty", read_blood, [self.write("a_blood.tsv", "time\tAIF\n")])
        self.refused("table-missing", read_blood, [self.folder / "none.tsv"])
        self.refused("blood-columns", read_blood, [self.write("a_blood.tsv", "time\tfoo\n0\t1\n")])
        self.refused("blood-columns", read_blood, [self.write("a_blood.tsv", "t\tAIF\n0\t1\n")])
        self.refused("blood-empty", read_blood, [self.write("a_blood.tsv", "time\tAIF\n0\tn/a\n900\tn/a\n")])
        self.refused("blood-files", read_blood, [])
        self.refused("blood-route", read_blood, [self.blood()], route="capillary")
        binary = self.folder / "b_blood.tsv"
        binary.write_bytes(b"\xff\xfet\x00i\x00")
        self.refused("table-encoding", read_blood, [binary])

    def test_json(self):
        path = self.blood()
        for text in ("{", "[]", '{"time": NaN}', "[" * 100_000):
            self.write("sub-1_recording-manual_blood.json", text)
            self.refused("json-invalid", read_blood, [path])
        self.refused("json-missing", read_blood, [path], json=self.folder / "none.json")


class ParentFractionTest(BloodFolder):
    def read(self, fractions, unit="arbitrary"):
        metadata = JSON | {"metabolite_parent_fraction": {"Units": unit}}
        return read_blood([self.blood((TIMES, WHOLE, PLASMA, fractions), metadata)])

    def test_percent_said_or_seen(self):
        percent = [100 * value for value in PARENT]
        said = self.read(percent, "percent")
        np.testing.assert_allclose(said.parent_fraction.values, PARENT)
        self.assertEqual(self.codes(said), [])
        seen = self.read(percent)
        np.testing.assert_allclose(seen.parent_fraction.values, PARENT)
        self.assertEqual(self.codes(seen), ["parent-fraction-percent"])

    def test_contradictions_are_refused(self):
        percent = [100 * value for value in PARENT]
        for fractions, unit in (
            (percent, "1/1"),
            (PARENT, "%"),
            ((1, 97, *PARENT[2:]), "arbitrary"),  # one slipped decimal point
            ((-0.1, *PARENT[1:]), "arbitrary"),
            ((1.4, *PARENT[1:]), "arbitrary"),
            ((1000, *percent[1:]), "arbitrary"),
            ([0] * len(TIMES), "arbitrary"),
        ):
            self.refused("parent-fraction-range", self.read, fractions, unit)

    def test_the_metabolites_share_in_its_place(self):
        share = [1 - value for value in PARENT]
        for fractions, unit in ((share, "arbitrary"), ([100 * value for value in share], "%"), (share, "unitless")):
            self.assertIn("write 1 - value", self.refused("parent-fraction-metabolites", self.read, fractions, unit))
        self.refused("parent-fraction-metabolites", self.read, ["n/a", "n/a", *share[2:]])
        for fractions in (PARENT, (0.6, *PARENT[1:]), (*PARENT[:-1], 0.95), (0.55, 0.9, *PARENT[2:])):
            self.assertIsNotNone(self.read(fractions).parent_fraction)  # one low or high sample is noise

    def test_what_is_odd_is_named(self):
        first = self.read((0.97, 0.97, *PARENT[2:]))
        self.assertIn("parent-fraction-first", self.codes(first))
        self.assertEqual(first.parent_fraction.values[0], 0.97)
        above = self.read((1.02, *PARENT[1:]))
        self.assertIn("parent-fraction-above-1", self.codes(above))
        self.assertEqual(above.parent_fraction.values.max(), 1)
        rises = self.read((*PARENT[:-1], 0.5))
        self.assertIn("parent-fraction-rises", self.codes(rises))
        zero = self.read((0, *PARENT[1:]))
        self.assertIn("parent-fraction-zero-first", self.codes(zero))
        self.assertEqual(zero.parent_fraction.times_s[0], 30)

    def test_venous_is_named(self):
        self.assertIn("parent-fraction-venous", self.codes(read_blood([self.blood()], route="venous")))


class OtherTablesTest(BloodFolder):
    def test_csv_with_stated_columns(self):
        names = ("t (min)", "Cwb [Bq/mL]", "who")
        columns = ([time / 60 for time in TIMES], [value * 1000 for value in WHOLE], ["ab"] * len(TIMES))
        path = self.write("samples.csv", table(columns, names, ","))
        stated = {"t (min)": "time", "Cwb": "whole_blood_radioactivity"}
        blood = read_blood([path], columns=stated)
        np.testing.assert_allclose(blood.whole_blood.times_s, TIMES)
        np.testing.assert_allclose(blood.whole_blood.values, WHOLE)
        self.refused("blood-columns", read_blood, [path])
        self.refused("blood-columns", read_blood, [path], columns={"t": "time", "nowhere": "AIF"})
        self.refused("blood-columns", read_blood, [path], columns={"t": "time", "Cwb": "blood"})

    def test_csv_without_units_is_refused(self):
        path = self.write("samples.csv", table((TIMES, WHOLE), ("time", "whole_blood_radioactivity"), ";"))
        self.refused("blood-units", read_blood, [path])

    def test_header_and_json_must_not_contradict(self):
        path = self.write("a_blood.tsv", table((TIMES, WHOLE), ("time[min]", "whole_blood_radioactivity[kBq/cc]")))
        self.write("a_blood.json", JSON)
        self.refused("blood-units", read_blood, [path])

    def test_ratio_needs_whole_blood(self):
        ratio = self.write("PlasmaWholeBloodRatio.txt", "time[sec]\tvalue[kBq/cc]\n30\t1.2\n1800\t1.5\n")
        whole = self.write("wb.bld", table((TIMES, WHOLE), ("time[sec]", "whole-blood[kBq/cc]")))
        blood = read_blood([whole, ratio])
        np.testing.assert_allclose(blood.plasma.values, (2.4, 6))
        self.assertIn("blood-plasma-from-ratio", self.codes(blood))
        self.refused("blood-ratio", read_blood, [ratio])

    def test_value_column_needs_a_telling_name(self):
        self.refused("blood-columns", read_blood, [self.write("x.txt", "time[sec]\tvalue[kBq/cc]\n30\t1.2\n")])

    def test_the_sheet_that_is_shown_first(self):
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        names = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"

        def sheet(value):
            rows = (("time[s]", "plasma[kBq/mL]"), ("0", "0"), ("3600", value))
            cells = ("".join(f'<c r="{at}{n}" t="str"><v>{cell}</v></c>' for at, cell in zip("AB", row, strict=True))
                     for n, row in enumerate(rows, 1))  # fmt: skip
            return (
                f'<worksheet xmlns="{main}"><sheetData><row>{"</row><row>".join(cells)}</row></sheetData></worksheet>'
            )

        for states, shown in ((("visible", "visible"), 9), (("hidden", "visible"), 5)):
            path = self.folder / "blood.xlsx"
            listed = "".join(
                f'<sheet name="{n}" sheetId="{n}" state="{state}" r:id="r{n}"/>'
                for n, state in zip((2, 1), states, strict=True)
            )
            files = "".join(f'<Relationship Id="r{n}" Target="worksheets/sheet{n}.xml"/>' for n in (1, 2))
            with zipfile.ZipFile(path, "w") as archive:
                book = f'<workbook xmlns="{main}" xmlns:r="{names}"><sheets>{listed}</sheets></workbook>'
                archive.writestr("xl/workbook.xml", book)
                archive.writestr("xl/_rels/workbook.xml.rels", f"<Relationships>{files}</Relationships>")
                archive.writestr("xl/worksheets/sheet1.xml", sheet(5))
                archive.writestr("xl/worksheets/sheet2.xml", sheet(9))
            np.testing.assert_array_equal(read_blood([path]).plasma.values, (0, shown))

    def test_a_formula_without_its_result(self):
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        path = self.folder / "blood.xlsx"
        for result, whole in (("<v>5</v>", True), ("", False)):
            rows = (
                '<c r="A1" t="str"><v>time[s]</v></c><c r="B1" t="str"><v>plasma[kBq/mL]</v></c>'
                '<c r="C1" t="str"><v>drawn by</v></c>',
                '<c r="A2"><v>0</v></c><c r="B2"><v>1</v></c><c r="C2"><f>C9</f></c>',  # nothing is read there
                f'<c r="A3"><v>600</v></c><c r="B3"><f>B2*5</f>{result}</c>',
                '<c r="A4"><v>3600</v></c><c r="B4"><v>2</v></c>',
            )
            with zipfile.ZipFile(path, "w") as archive:
                sheet = f'<worksheet xmlns="{main}"><sheetData><row>{"</row><row>".join(rows)}</row></sheetData>'
                archive.writestr("xl/worksheets/sheet1.xml", f"{sheet}</worksheet>")
            if whole:
                np.testing.assert_array_equal(read_blood([path]).plasma.values, (1, 5, 2))
            else:
                self.assertIn("line 3", self.refused("table-formula", read_blood, [path]))

    def test_a_name_that_is_a_formula_without_its_result(self):
        """A region, a label or a column that nobody knows the name of."""
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        path = self.folder / "model-1TCM_kinpar.xlsx"
        for head, name, refused in (
            ("<v>VT</v>", "<v>cord</v>", False),
            ("<v>VT</v>", "<f>C9</f>", True),
            ("<f>C9</f>", "<v>cord</v>", True),
        ):
            rows = (
                f'<c r="A1" t="str"><v>region</v></c><c r="B1" t="str">{head}</c>',
                f'<c r="A2" t="str">{name}</c><c r="B2"><v>5</v></c>',
            )
            with zipfile.ZipFile(path, "w") as archive:
                sheet = f'<worksheet xmlns="{main}"><sheetData><row>{"</row><row>".join(rows)}</row></sheetData>'
                archive.writestr("xl/worksheets/sheet1.xml", f"{sheet}</worksheet>")
            if refused:
                self.refused("table-formula", read_parameters, path, {})
            else:
                self.assertEqual(read_parameters(path, {}).values, {"cord": {"VT": 5.0}})

    def test_broken_spreadsheet(self):
        path = self.folder / "x.bld"
        path.write_bytes(b"PK\x03\x04 no archive")
        self.refused("table-spreadsheet", read_blood, [path])
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("xl/worksheets/sheet1.xml", "<a>")
        self.refused("table-spreadsheet", read_blood, [path])


class FitToScanTest(BloodFolder):
    timing = FrameTiming(np.arange(0.0, 3600, 60), np.full(60, 60.0))

    def samples(self, **curves):
        return BloodSamples(**{name: SampledCurve(np.array(t, float), np.array(v)) for name, (t, v) in curves.items()})

    def test_curve_refuses_what_is_no_curve(self):
        for times, values, code in (
            ([0, 1], [1], "curve-shape"),
            ([], [], "curve-shape"),
            ([0, np.nan], [1, 2], "curve-not-finite"),
            ([0, 0], [1, 2], "curve-times"),
        ):
            self.refused(code, SampledCurve, np.array(times, float), np.array(values, float))

    def test_mean_is_the_integral_over_the_time(self):
        curve = SampledCurve(np.array([0.0, 10, 30]), np.array([0.0, 20, 0]))
        self.assertAlmostEqual(curve.mean_over(0, 30), 10)  # two triangles: 100 + 200
        self.assertAlmostEqual(curve.mean_over(5, 15), (0.5 * (10 + 20) * 5 + 0.5 * (20 + 15) * 5) / 10)

    def test_a_sample_that_its_neighbors_speak_against_is_odd(self):
        times = np.array([10.0, 20, 30, 45, 60, 120, 300, 600, 1200, 1800, 2400, 3000, 3600])
        smooth = 40 * np.exp(-times / 90) + 6 * (times / 300 + 1) ** -0.8
        smooth[:2] = (0.1, 12)
        self.assertEqual(odd_samples(SampledCurve(times, smooth)), [])
        for at, factor in ((6, 10), (7, 0.1), (9, 3), (11, 10), (11, 100), (12, 10), (12, 0.1)):
            slipped = smooth.copy()
            slipped[at] *= factor
            self.assertEqual(odd_samples(SampledCurve(times, slipped)), [at], (at, factor))
        slipped = smooth.copy()
        slipped[[7, 10]] *= 10
        self.assertEqual(odd_samples(SampledCurve(times, slipped)), [7, 10])

    def test_coverage(self):
        blood = self.samples(whole_blood=(TIMES, WHOLE))
        self.assertEqual([notice.code for notice in check_covers(blood, 600)], [])
        self.assertEqual([notice.code for notice in check_covers(blood, 3700)], ["blood-short"])
        self.assertEqual(len(check_covers(blood, 3600 / 0.8)), 1)
        self.refused("blood-ends-early", check_covers, blood, 3600 / 0.79)
        self.refused("blood-none", check_covers, BloodSamples(), 3600)

    def test_ready_plasma_decides_coverage(self):
        blood = self.samples(parent_plasma=((0, 1800), (0, 5)), whole_blood=(TIMES, WHOLE))
        self.refused("blood-ends-early", check_covers, blood, 3600)

    def test_minutes_are_named(self):
        blood = self.samples(whole_blood=([time / 60 for time in TIMES], WHOLE))
        self.refused("blood-time-units", check_covers, blood, 3600)
        self.refused("blood-time-units", reconcile, blood, self.timing, np.full((1, 60), 5.0))

    def test_units_against_the_image(self):
        blood = self.samples(whole_blood=(TIMES, WHOLE))
        tissue = np.full((2, 60), 5.0)
        self.assertIs(type(reconcile(blood, self.timing, tissue)), BloodSamples)
        for factor in (1000, 1 / 1000):
            self.refused("blood-image-units", reconcile, blood, self.timing, tissue * factor)

    def test_real_ratios_pass(self):
        blood = self.samples(whole_blood=(TIMES, WHOLE))
        for tissue in (0.5, 100.0):  # a tenth of the blood, and twenty times it
            reconcile(blood, self.timing, np.full((1, 60), tissue))

    def test_clocks_that_share_nothing(self):
        blood = self.samples(whole_blood=(np.array(TIMES) + 9000, WHOLE))
        self.refused("blood-image-clock", reconcile, blood, self.timing, np.full((1, 60), 5.0))

    def test_late_blood_is_named(self):
        blood = self.samples(whole_blood=(TIMES[4:], WHOLE[4:]))
        named = reconcile(blood, self.timing, np.full((1, 60), 5.0))
        self.assertEqual([notice.code for notice in named.notices], ["blood-after-start"])


@needs_data
class RealBloodTest(BloodFolder):
    def assert_same(self, curve, columns, name):
        known = ~np.isnan(columns[name])
        np.testing.assert_allclose(curve.times_s, columns["time"][known], rtol=1e-12)
        np.testing.assert_allclose(curve.values, columns[name][known], rtol=1e-12)

    def test_pbr28_raw(self):
        folders = sorted(DATA.glob("pbr28/sub-*/ses-*/pet"))
        self.assertEqual(len(folders), 6)
        for folder in folders:
            files = sorted(folder.glob("*_blood.tsv"))
            auto, manual = plain(files[0]), plain(files[1])
            blood = read_blood(files, route="arterial")
            self.assert_same(blood.autosampler, auto, "whole_blood_radioactivity")
            self.assert_same(blood.whole_blood, manual, "whole_blood_radioactivity")
            self.assert_same(blood.plasma, manual, "plasma_radioactivity")
            self.assert_same(blood.parent_fraction, manual, "metabolite_parent_fraction")
            self.assertEqual(blood.dispersion_s, 2.6)
            self.assertEqual(blood.notices, ())

    def test_pbr28_ready(self):
        for folder in sorted(DATA.glob("pbr28/sub-*/ses-*/pet")):
            file = next(folder.glob("*_bloodproc.tsv"))
            blood = read_blood([file])
            self.assert_same(blood.parent_plasma, plain(file), "AIF")
            self.assert_same(blood.whole_blood, plain(file), "whole_blood_radioactivity")
            tacs = read_tacs(next(folder.glob("*_tacs.tsv")))
            self.assertEqual(reconcile(blood, tacs.timing, tacs.activity).notices, ())
            end = float(tacs.timing.ends_s[-1])
            self.assertTrue(170 < end - blood.parent_plasma.end_s < 220)
            self.assertEqual([notice.code for notice in check_covers(blood, end)], ["blood-short"])

    def test_ds004869(self):
        folders = sorted(DATA.glob("pet_bids_ds004869/sub-*/ses-*/pet"))
        self.assertEqual(len(folders), 8)
        for folder in folders:
            file = next(folder.glob("*_blood.tsv"))
            entities = folder.relative_to(DATA / "pet_bids_ds004869")
            tacs = read_tacs(next((DATA / "pet_bids_ds004869/derivatives/petprep" / entities).glob("*_tacs.tsv")))
            given = None
            if "sub-01_ses-blocked" in file.name:  # its JSON says Bq/mL of a plasma peak of 77: the numbers are kBq/mL
                self.assertIn("kBq/mL", self.refused("blood-activity-units", read_blood, [file]))
                given = self.write("right.json", JSON)
            blood = read_blood([file], json=given)
            self.assert_same(blood.plasma, plain(file), "plasma_radioactivity")
            self.assert_same(blood.parent_fraction, plain(file), "metabolite_parent_fraction")
            self.assertIn("parent-fraction-first", self.codes(blood))
            reconcile(blood, tacs.timing, tacs.activity)
            self.refused("blood-image-units", reconcile, blood, tacs.timing, tacs.activity * 1000)
            check_covers(blood, float(tacs.timing.ends_s[-1]))

    def test_pmod_spreadsheets(self):
        folder = DATA / "blood_pmod" / "Ex_bld_manual_and_autosampled_mixed"
        blood = read_blood(sorted(folder.glob("S001_*.bld")))
        auto = plain(folder / "converted_recording-autosampler_blood.tsv")
        manual = plain(folder / "converted_recording-manual_blood.tsv")
        self.assert_same(blood.parent_fraction, manual, "metabolite_parent_fraction")
        self.assert_holds(blood.whole_blood, manual, "whole_blood_radioactivity")
        self.assert_holds(blood.whole_blood, auto, "whole_blood_radioactivity")
        self.assertEqual(blood.whole_blood.times_s.size, auto["time"].size + manual["time"].size)
        # At 0 s the converter wrote the first plasma-to-blood ratio as plasma; the file has no plasma before 6 s.
        later = {name: column[1:] for name, column in manual.items()}
        self.assert_holds(blood.plasma, later, "plasma_radioactivity")
        self.assertEqual(blood.plasma.times_s[0], 6)

    def test_pmod_text(self):
        folder = DATA / "blood_pmod" / "Ex_txt_manual_and_autosampled_mixed"
        files = [
            folder / name for name in ("WholeBloodActivity.txt", "ParentFraction.txt", "PlasmaWholeBloodRatio.txt")
        ]
        blood = read_blood(files)
        auto = plain(folder / "converted_recording-autosampler_blood.tsv")
        manual = plain(folder / "converted_recording-manual_blood.tsv")
        self.assert_holds(blood.whole_blood, auto, "whole_blood_radioactivity")
        np.testing.assert_allclose(blood.plasma.times_s, manual["time"][1:])
        np.testing.assert_allclose(blood.plasma.values[1:], manual["plasma_radioactivity"][2:], rtol=1e-5)
        # For 95 s the converter took the sample of 96 s (3.488 kBq/mL); the one of 94.98 s is 3.865.
        self.assertAlmostEqual(blood.plasma.values[0], 0.98 * 3.8655, delta=0.98 * 0.007)
        self.assertIn("parent-fraction-zero-first", self.codes(blood))
        np.testing.assert_allclose(blood.parent_fraction.values, manual["metabolite_parent_fraction"][1:])

    def test_pmod_parent_plasma(self):
        folder = DATA / "blood_pmod" / "Ex_bld_wholeblood_and_plasma_only"
        blood = read_blood([folder / "whole_blood.bld", folder / "plasma_parent.bld"])
        converted = plain(folder / "converted__recording-manual_blood.tsv")
        self.assert_same(blood.whole_blood, converted, "whole_blood_radioactivity")
        # Its header says Parent: the converter called it plasma.
        self.assert_same(blood.parent_plasma, converted, "plasma_radioactivity")
        self.assertIsNone(blood.plasma)

    def test_spreadsheet_with_two_clocks(self):
        path = DATA / "blood_pmod" / "blood_example.xlsx"
        self.refused("blood-columns", read_blood, [path])
        stated = {"time_manual": "time", "manual_whole_blood": "whole_blood_radioactivity"}
        self.refused("blood-units", read_blood, [path], columns=stated)

    def assert_holds(self, curve, columns, name):
        """Every sample of the table is among the curve's."""
        where = np.abs(curve.times_s[:, None] - columns["time"]).argmin(axis=0)
        np.testing.assert_allclose(curve.times_s[where], columns["time"], atol=0.03)
        np.testing.assert_allclose(curve.values[where], columns[name], rtol=1e-9)


class SilentTest(BloodFolder):
    """What a laboratory may leave unsaid."""

    def test_a_late_sample_of_nothing(self):
        plasma = (*PLASMA[:-2], 0, PLASMA[-1])
        self.assertIn("blood-sample-odd", self.codes(read_blood([self.blood((TIMES, WHOLE, plasma, PARENT))])))
        self.assertNotIn("blood-sample-odd", self.codes(read_blood([self.blood()])))

    def test_a_parent_fraction_that_was_not_measured(self):
        for value in (1, 0.97):
            flat = (value,) * len(TIMES)
            found = self.codes(read_blood([self.blood((TIMES, WHOLE, PLASMA, flat))]))
            self.assertIn("parent-fraction-constant", found, value)
        lost = (*PARENT[:-1], 0)
        self.assertIn("parent-fraction-zero", self.codes(read_blood([self.blood((TIMES, WHOLE, PLASMA, lost))])))
        self.assertNotIn("parent-fraction-constant", self.codes(read_blood([self.blood()])))

    def test_metabolites_taken_out_twice(self):
        def described(words):
            return JSON | {"plasma_radioactivity": {"Units": "kBq/mL", "Description": words}}

        for words in ("metabolite-corrected plasma", "Plasma, corrected for metabolites", "intact radioligand"):
            with self.subTest(words):
                self.refused("blood-parent-twice", read_blood, [self.blood(metadata=described(words))])
        for words in ("Total plasma", "plasma, not corrected for metabolites", "parent tracer and metabolites"):
            with self.subTest(words):
                read_blood([self.blood(metadata=described(words))])

    def test_a_parent_fraction_that_is_called_the_metabolites(self):
        def codes(words):
            metadata = {"metabolite_parent_fraction": {"Description": words, "Units": "unitless"}}
            return [notice.code for notice in read_blood([self.blood(metadata=metadata)]).notices]

        for words in (
            "fraction of metabolites",
            "Percentage of radiolabelled metabolites",
            "radiometabolite fraction",
            "share of the metabolites in plasma",
        ):
            self.assertIn("parent-fraction-described", codes(words), words)
        for words in (
            "Parent fraction of the radiotracer",
            "fraction of unmetabolised tracer",
            "1 - fraction of metabolites",
            "parent fraction after removal of metabolites",
            "",
        ):
            self.assertNotIn("parent-fraction-described", codes(words), words)

    def test_samples_that_were_not_decay_corrected(self):
        half_life = 1221.84
        times = np.array([200.0, 400, 800, 1200, 2000, 3000, 3600])
        whole = SampledCurve(times, 9 * np.exp(-times / 2500))
        for exponent in (0.7, 1.0, 1.4):  # of plasma against whole blood, as tracers differ
            plasma = SampledCurve(times, 1.3 * whole.values * (times / 600) ** (exponent - 1))
            decayed = SampledCurve(times, plasma.values * 2 ** (-times / half_life))
            self.assertIsNone(check_decay(plasma, whole, half_life))
            self.assertIsNone(check_decay(decayed, whole, 3 * half_life))
        self.assertEqual(
            check_decay(SampledCurve(times, whole.values * 2 ** (-times / half_life)), whole, half_life), "first"
        )
        self.assertEqual(
            check_decay(whole, SampledCurve(times, whole.values * 2 ** (-times / half_life)), half_life), "second"
        )

    def test_total_activity_that_falls_as_the_tracer_decays(self):
        half_life = 1221.84
        times = np.array([200.0, 400, 800, 1200, 2000, 3000, 3600])
        for slope in (-0.11, 0.0, 0.28):  # of real blood, in units of the decay
            corrected = SampledCurve(times, 9 * 2 ** (-slope * times / half_life))
            decayed = SampledCurve(times, corrected.values * 2 ** (-times / half_life))
            self.assertEqual([falls_as_decay(one, half_life) for one in (corrected, decayed)], [False, True])
            self.assertFalse(falls_as_decay(SampledCurve(times[:5], decayed.values[:5]), half_life))
            self.assertFalse(falls_as_decay(decayed, 6586.2))  # fluorine-18 hardly decays within the scan
        self.assertFalse(falls_as_decay(SampledCurve(times, 9 * 2 ** (-2.0 * times / half_life)), half_life))


if __name__ == "__main__":
    unittest.main()
