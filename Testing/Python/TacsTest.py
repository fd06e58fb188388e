"""Regional curves: what BIDS derivatives write, in any of their spellings, and what is refused."""

import json
import unittest

import numpy as np
from support.folders import Folder
from support.realdata import DATA, needs_data
from TSPOQuantLib.acquisition.tacs import read_tacs
from TSPOQuantLib.messages import InputRefused

STARTS = np.array([0.0, 60, 120, 300, 900])
DURATIONS = np.array([60.0, 60, 180, 600, 1800])
CORD = np.array([1.0, 8, 6, 5, 4])
FORAMEN = np.array([0.5, 3, 4, 5, 5.5])


class ReadTacsTest(Folder):
    def write_tacs(self, columns, metadata=None):
        names = "\t".join(columns)
        rows = ["\t".join(str(value) for value in row) for row in zip(*columns.values(), strict=True)]
        path = self.folder / "sub-1_seg-x_tacs.tsv"
        path.write_text("\n".join([names, *rows]) + "\n")
        sidecar = self.folder / "sub-1_seg-x_tacs.json"
        sidecar.unlink(missing_ok=True)
        if metadata is not None:
            sidecar.write_text(json.dumps(metadata))
        return path

    def columns(self, scale=1000.0, **changed):
        columns = {"FrameTimesStart": STARTS, "FrameTimesEnd": STARTS + DURATIONS}
        return columns | {"cord": CORD * scale, "C6/C7 left": FORAMEN * scale} | changed

    def refused_to_read(self, code, path):
        with self.assertRaises(InputRefused) as caught:
            read_tacs(path)
        self.assertEqual(caught.exception.code, code)

    def test_becquerel_unless_said_otherwise(self):
        tacs = read_tacs(self.write_tacs(self.columns()))
        self.assertEqual(tacs.regions, ("cord", "C6/C7 left"))
        np.testing.assert_allclose(tacs.activity, [CORD, FORAMEN])
        np.testing.assert_array_equal(tacs.timing.starts_s, STARTS)
        np.testing.assert_array_equal(tacs.timing.durations_s, DURATIONS)
        self.assertEqual([notice.code for notice in tacs.notices], ["tacs-units-assumed"])

    def test_units_of_the_json(self):
        each = {"cord": {"Units": "kBq/mL"}, "C6/C7 left": {"Units": "Bq/mL"}}
        tacs = read_tacs(self.write_tacs(self.columns(1, **{"C6/C7 left": FORAMEN * 1000}), each))
        np.testing.assert_allclose(tacs.activity, [CORD, FORAMEN])
        self.assertEqual(tacs.notices, ())
        np.testing.assert_allclose(read_tacs(self.write_tacs(self.columns(1), {"Units": "kBq/mL"})).activity[0], CORD)

    def test_brackets_hold_a_unit_or_belong_to_the_name(self):
        columns = self.columns()
        columns |= {"root (left) [kBq/mL]": columns.pop("cord") / 1000, "root (right)": columns.pop("C6/C7 left")}
        tacs = read_tacs(self.write_tacs(columns))
        self.assertEqual(tacs.regions, ("root (left)", "root (right)"))
        np.testing.assert_allclose(tacs.activity, [CORD, FORAMEN])
        self.refused_to_read("units-activity", self.write_tacs(self.columns(**{"disc [SUV]": CORD})))
        self.refused_to_read("table-header", self.write_tacs(self.columns(**{"cord [kBq/mL]": CORD})))

    def test_other_frame_columns(self):
        for start, end, values in (
            ("frame_start", "frame_end", STARTS + DURATIONS),
            ("FrameTimesStart", "FrameDuration", DURATIONS),
            ("frame_start", "frame_duration", DURATIONS),
        ):
            tacs = read_tacs(self.write_tacs({start: STARTS, end: values, "cord": CORD * 1000}))
            np.testing.assert_array_equal(tacs.timing.durations_s, DURATIONS)
            self.assertEqual(tacs.regions, ("cord",))

    def test_columns_that_are_no_regions(self):
        middles = STARTS + DURATIONS / 2
        beside = {"frame": range(1, 6), "Weights": DURATIONS, "mid_time": middles, "duration": DURATIONS}
        tacs = read_tacs(self.write_tacs({"": range(5)} | self.columns() | beside))
        self.assertEqual(tacs.regions, ("cord", "C6/C7 left"))
        self.assertIn("tacs-columns-unused", [notice.code for notice in tacs.notices])
        self.refused_to_read("tacs-frames", self.write_tacs(self.columns(duration=DURATIONS + 30)))

    def test_spreads_and_sizes_are_no_regions(self):
        for name in ("cord_sd", "cord (SD)", "cord_std", "C6/C7 left.sem", "sd"):
            tacs = read_tacs(self.write_tacs(self.columns(**{name: CORD * 90})))
            self.assertEqual(tacs.regions, ("cord", "C6/C7 left"), name)
            self.assertIn(name, {n.code: n.message for n in tacs.notices}["tacs-columns-unused"])
        for name, value in (("volume", 1234.5), ("n_voxels", 87), ("decay", 1.0)):
            tacs = read_tacs(self.write_tacs(self.columns(**{name: [value] * 5}), {"Units": "Bq/mL"}))
            self.assertEqual(tacs.regions, ("cord", "C6/C7 left"), name)
        # Regions of a short late scan, rounded, may be the same in every frame.
        late = {
            "FrameTimesStart": [3600, 3900, 4200],
            "FrameDuration": [300] * 3,
            "cord": [5] * 3,
            "muscle": [4, 4, 3],
        }
        tacs = read_tacs(self.write_tacs(late, {"Units": "kBq/mL"}))
        self.assertEqual((tacs.regions, tacs.notices), (("cord", "muscle"), ()))
        # A region whose name only ends so, and one that holds nothing, stay.
        tacs = read_tacs(self.write_tacs(self.columns(**{"disc_sd": CORD * 900, "air": [0] * 5})))
        self.assertEqual(tacs.regions, ("cord", "C6/C7 left", "disc_sd", "air"))

    def test_a_region_called_as_the_middles_are_is_not_lost(self):
        middles = STARTS + DURATIONS / 2
        for right in (middles, middles / 60, middles.round(), STARTS, STARTS + DURATIONS, (middles / 60).round(1)):
            self.assertEqual(len(read_tacs(self.write_tacs(self.columns(frame_mid=right))).regions), 2)
        # Another clock, milliseconds, whole minutes, times of day, a time that is missing.
        of_day = [f"10:{int(s) // 60:02}:{int(s) % 60:02}" for s in STARTS]
        for right in (middles + 36000, middles * 1000, (middles / 60).round(), of_day, [*STARTS[:4], "n/a"]):
            self.assertEqual(read_tacs(self.write_tacs(self.columns(time=right))).regions, ("cord", "C6/C7 left"))
        for numbers in (range(5), range(1, 6)):
            self.assertEqual(read_tacs(self.write_tacs(self.columns(time=numbers))).regions, ("cord", "C6/C7 left"))
        for wrong in (FORAMEN * 1000, FORAMEN, CORD * 1000, CORD, range(2, 7), [1, 2, 3, 4, 6]):
            self.refused_to_read("tacs-frames", self.write_tacs(self.columns(time=wrong)))

    def test_times_that_only_a_slip_brings_about(self):
        late = {"FrameTimesStart": STARTS * 1000, "FrameTimesEnd": (STARTS + DURATIONS) * 1000}
        self.refused_to_read("frames-time-units", self.write_tacs(self.columns(**late)))
        gap = self.columns(FrameTimesEnd=STARTS + np.minimum(DURATIONS, 600 * (STARTS > 200) + 120))
        self.assertIn("frames-gaps", [notice.code for notice in read_tacs(self.write_tacs(gap)).notices])

    def test_a_unit_that_one_region_lacks(self):
        columns = self.columns(1)
        self.refused_to_read("tacs-units-mixed", self.write_tacs(columns, {"cord": {"Units": "kBq/mL"}}))
        both = {"cord": {"Units": "kBq/mL"}, "C6/C7 left": {"Units": "Bq/mL"}}
        self.refused_to_read("tacs-units-mixed", self.write_tacs(columns, both))

    def test_an_artery_peaks_far_above_tissue(self):
        artery = np.array([1.0, 90, 6, 4, 3])
        stated = {"cord": {"Units": "Bq/mL"}, "C6/C7 left": {"Units": "Bq/mL"}, "artery": {"Units": "kBq/mL"}}
        tacs = read_tacs(self.write_tacs(self.columns(250, artery=artery), stated))
        self.assertEqual(tacs.activity.max(axis=1).tolist(), [2, 1.375, 90])
        self.refused_to_read("tacs-units-mixed", self.write_tacs(self.columns(0.25, artery=artery), stated))

    def test_minutes(self):
        minutes = {"FrameTimesStart": STARTS / 60, "FrameTimesEnd": (STARTS + DURATIONS) / 60}
        self.refused_to_read("tacs-time-units", self.write_tacs(self.columns(**minutes)))
        stated = {"FrameTimesStart": {"Units": "min"}, "FrameTimesEnd": {"Units": "min"}}
        np.testing.assert_allclose(read_tacs(self.write_tacs(self.columns(**minutes), stated)).timing.starts_s, STARTS)

    def test_thousandfold_slips(self):
        self.refused_to_read("tacs-activity-units", self.write_tacs(self.columns(1)))  # kBq/mL taken for Bq/mL
        self.refused_to_read("tacs-activity-units", self.write_tacs(self.columns(), {"Units": "kBq/mL"}))
        self.refused_to_read("units-activity", self.write_tacs(self.columns(), {"Units": "SUV"}))

    def test_frames(self):
        self.refused_to_read("frames-overlap", self.write_tacs(self.columns(FrameTimesEnd=STARTS + DURATIONS + 30)))
        self.refused_to_read("frames-duration", self.write_tacs(self.columns(FrameTimesEnd=STARTS)))
        self.refused_to_read("tacs-frames", self.write_tacs({"FrameTimesStart": STARTS, "cord": CORD}))
        self.refused_to_read("tacs-frames", self.write_tacs({"FrameTimesEnd": STARTS, "cord": CORD}))
        self.refused_to_read("tacs-frames", self.write_tacs(self.columns(FrameTimesStart=["n/a", *STARTS[1:]])))
        self.refused_to_read(
            "tacs-frames", self.write_tacs(self.columns(), {"FrameTimesStart": [0, 60, 120, 300, 960]})
        )
        self.refused_to_read("tacs-frames", self.write_tacs(self.columns(), {"FrameTimesStart": [0, 60]}))
        self.refused_to_read("json-number", self.write_tacs(self.columns(), {"FrameTimesStart": [None] * 5}))
        self.refused_to_read("json-number", self.write_tacs(self.columns(), {"FrameTimesStart": [10**400] * 5}))
        self.refused_to_read("tacs-regions", self.write_tacs({"FrameTimesStart": STARTS, "FrameDuration": DURATIONS}))

    def test_missing_values(self):
        self.refused_to_read("tacs-missing", self.write_tacs(self.columns(cord=["n/a", *CORD[1:]])))
        self.refused_to_read("table-not-finite", self.write_tacs(self.columns(cord=["nan", *CORD[1:]])))


@needs_data
class RealTacsTest(unittest.TestCase):
    def test_every_table_as_the_simplest_reader_reads_it(self):
        tables = sorted(DATA.glob("pbr28/*/*/pet/*_tacs.tsv"))
        derived = sorted(DATA.glob("pet_bids_ds004869/derivatives/petprep/*/*/pet/*_tacs.tsv"))
        self.assertEqual((len(tables), len(derived)), (6, 8))
        for path in (*tables, *derived):
            header = path.read_text().splitlines()[0].split("\t")
            values = np.loadtxt(path, skiprows=1, delimiter="\t")
            tacs = read_tacs(path)
            self.assertEqual(list(tacs.regions), header[2:])
            np.testing.assert_allclose(tacs.timing.starts_s, values[:, 0])
            np.testing.assert_allclose(tacs.timing.ends_s, values[:, 1])
            scale = 1 if path in tables else 1e-3  # pbr28 states kBq/mL, the other set Bq/mL
            np.testing.assert_allclose(tacs.activity, values[:, 2:].T * scale)
            self.assertEqual(tacs.notices, ())


if __name__ == "__main__":
    unittest.main()
