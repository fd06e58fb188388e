"""PMOD's text files, made here in the form that its manual and its own exports have, with the trap of each."""

import json
import unittest

import numpy as np
from support import tinystudy
from support.exacttissue import EDGES_S, frame_means, parent_plasma
from support.folders import Folder
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.tacs import read_tacs

STARTS, ENDS = np.array([0.0, 15, 30, 300, 900]), np.array([15.0, 30, 300, 900, 2700])
CORD, FORAMEN = np.array([0.25, 8, 6, 5, 4]), np.array([0.5, 3, 4, 5, 5.5])
SAMPLED = np.array([0.0, 30, 60, 120, 600, 1800, 3600])
WHOLE = np.array([0.0, 40, 20, 9, 5, 4, 3.5])
PARENT = np.array([1.0, 1, 0.98, 0.9, 0.6, 0.3, 0.2])
STATISTICS = """# PMOD_VOI_STATISTICS
# FORMAT[UNI]
# DATE_TIME[2026.01.02_03:04:05]
# VERSION[3.807]
# AXIS[Experiment][VOI][TAC][]
# DATA
"""


class PmodFolder(Folder):
    def write_lines(self, name, lines, end="\n"):
        path = self.folder / name
        text = lines if isinstance(lines, str) else end.join([*lines, ""])
        path.write_bytes(text.encode())
        return path

    def rows(self, *columns):
        return ["\t".join(f"{cell:.15g}" for cell in row) for row in zip(*columns, strict=True)]


class TacTest(PmodFolder):
    """.tac and .crv: the unit of the regions stands behind the name of the second column."""

    def test_seconds_and_minutes(self):
        for unit, scale in (("seconds", 1), ("minutes", 60)):
            head = f"start[{unit}]\tend[kBq/cc]\tcord\tforamen C6/C7 left"
            path = self.write_lines("a.tac", [head, *self.rows(STARTS / scale, ENDS / scale, CORD, FORAMEN)], "\r\n")
            tacs = read_tacs(path)
            np.testing.assert_allclose(tacs.activity, [CORD, FORAMEN], rtol=1e-12)
            np.testing.assert_allclose(tacs.timing.ends_s, ENDS)
            self.assertEqual(tacs.regions, ("cord", "foramen C6/C7 left"))

    def test_corrected_regions_are_told_from_the_measured(self):
        path = self.write_lines(
            "a.tac", ["start[seconds]\tend[Bq/cc]\tcord\tcord_C", *self.rows(STARTS, ENDS, 1e3 * CORD, 2e3 * CORD)]
        )
        tacs = read_tacs(path)
        np.testing.assert_allclose(tacs.activity, [CORD, 2 * CORD], rtol=1e-12)
        self.assertEqual([notice.code for notice in tacs.notices], ["tacs-corrected"])

    def test_regions_without_any_number_are_left_out_and_told(self):
        rows = [f"{row}\tNaN" for row in self.rows(STARTS, ENDS, CORD)]
        tacs = read_tacs(self.write_lines("a.tac", ["start[seconds]\tend[kBq/cc]\tcord\tventricle_C", *rows]))
        self.assertEqual((tacs.regions, [notice.code for notice in tacs.notices]), (("cord",), ["tacs-empty"]))
        rows[0] = rows[0].replace("NaN", "1.5")
        self.refused(
            "table-not-finite",
            read_tacs,
            self.write_lines("b.tac", ["start[seconds]\tend[kBq/cc]\tcord\tventricle", *rows]),
        )

    def test_middles_alone_need_the_frames_from_elsewhere(self):
        middles = (STARTS + ENDS) / 2
        path = self.write_lines(
            "a.crv", ["time[minutes]\tcord[nCi/cc]\tforamen", *self.rows(middles / 60, CORD, FORAMEN)]
        )
        self.assertIn("--pet-json", self.refused("tacs-frames", read_tacs, path))
        frames = FrameTiming(STARTS, ENDS - STARTS)
        np.testing.assert_allclose(read_tacs(path, frames=frames).activity, 0.037 * np.array([CORD, FORAMEN]))
        self.refused("tacs-frames", read_tacs, path, None, FrameTiming(STARTS + 5, ENDS - STARTS))

    def test_a_comment_above_the_title_is_none_of_the_table(self):
        path = self.write_lines(
            "a.tac", ["# study 7", "start[seconds]\tend[kBq/cc]\tcord", *self.rows(STARTS, ENDS, CORD)]
        )
        np.testing.assert_array_equal(read_tacs(path).activity, [CORD])


class StatisticsTest(PmodFolder):
    """.voistat: long rows at the middles of frames, beside names of the person; the frames are in .acqtimes."""

    HEADER = (
        "// Component [string]\tFile [string]\tPatientName [string]\tPatientInfo [string]\tStudyDate [date_time]\t"
    )
    HEADER += "VoiName(Region) [string]\tTime [seconds]\tAveraged [kBq/cc]\tPVC [kBq/cc]\tVolume [ccm]"

    def curves(self, files=("pet",), name="p1_TAC.voistat", head=HEADER):
        person = "Doe^Jane\tsize = 0.0, weight = 0.0\t20260102_080000"
        rows = [
            f"/d/{file}.dcm\t{file}\t{person}\t{region}\t{middle:g}\t{value:g}\t{2 * value:g}\t0.12"
            for file in files
            for region, values in (("cord", CORD), ("foramen_l", FORAMEN))
            for middle, value in zip((STARTS + ENDS) / 2, values, strict=True)
        ]
        return self.write_lines(name, STATISTICS + "\n".join([head, *rows]) + "\n")

    def times(self, name="p1.acqtimes", ends=ENDS):
        rows = [f"{start:g}\t{end:g}" for start, end in zip(STARTS, ends, strict=True)]
        text = "\r\n".join(["# Acquisition times (start end)in seconds", "5 # Number of acquisitions", *rows])
        return self.write_lines(name, text)

    def test_averages_and_corrected_ones_with_volumes(self):
        self.times()
        tacs = read_tacs(self.curves())
        self.assertEqual(tacs.regions, ("cord", "cord_C", "foramen_l", "foramen_l_C"))
        np.testing.assert_allclose(tacs.activity, [CORD, 2 * CORD, FORAMEN, 2 * FORAMEN])
        np.testing.assert_array_equal(tacs.timing.starts_s, STARTS)
        self.assertAlmostEqual(tacs.volumes_mm3["cord"], 120.0)
        self.assertEqual([notice.code for notice in tacs.notices], ["tacs-corrected"])
        self.assertNotIn("Doe", " ".join(notice.message for notice in tacs.notices))

    def test_frames_are_never_made_up(self):
        path = self.curves()
        self.refused("tacs-frames", read_tacs, path)
        self.times("other.acqtimes")
        self.refused("tacs-frames", read_tacs, path)
        wrong = self.times(ends=[10, 30, 300, 900, 2700])
        self.refused("tacs-frames", read_tacs, path)
        wrong.unlink()
        listed = {"FrameTimesStart": STARTS.tolist(), "FrameDuration": (ENDS - STARTS).tolist()}
        self.write_lines("p1_TAC.json", json.dumps(listed))
        np.testing.assert_array_equal(read_tacs(path).timing.ends_s, ENDS)

    def test_several_scans_and_maps_are_refused(self):
        self.times()
        told = self.refused("tacs-several", read_tacs, self.curves(("pet1", "pet2")))
        self.assertNotIn("Doe", told)
        self.refused(
            "units-activity", read_tacs, self.curves(head=self.HEADER.replace("Averaged [kBq/cc]", "Averaged [1/1]"))
        )


class BloodTest(PmodFolder):
    """.bld and .crv: a unit stated once; fractions; plasma as a fraction of whole blood."""

    def test_several_columns_share_the_unit_of_the_second(self):
        head = "sample-time[seconds]\tplasma[kBq/cc]\twhole-blood\tparent-fraction[1/1]"
        blood = read_blood([self.write_lines("a.bld", [head, *self.rows(SAMPLED, 1.2 * WHOLE, WHOLE, PARENT)])])
        np.testing.assert_allclose(blood.whole_blood.values, WHOLE)
        np.testing.assert_allclose(blood.plasma.values, 1.2 * WHOLE)
        np.testing.assert_allclose(blood.parent_fraction.values, PARENT)

    def test_the_plasma_fraction_makes_plasma_of_whole_blood(self):
        one = self.write_lines(
            "wb.bld", ["sample-time[minutes]\twhole-blood[kBq/cc]", *self.rows(SAMPLED / 60, WHOLE)]
        )
        other = self.write_lines(
            "pf.bld", ["sample-time[minutes]\tplasma-fraction[1/1]", *self.rows(SAMPLED / 60, 1.1 + 0 * WHOLE)]
        )
        blood = read_blood([one, other])
        np.testing.assert_allclose(blood.plasma.values, 1.1 * WHOLE)
        np.testing.assert_allclose(blood.plasma.times_s, SAMPLED)


class CompositeTest(PmodFolder):
    """.kmData: blood and tissue in sections of one file, between others that are not read."""

    def composite(self, tissue=None):
        seconds = np.concatenate([np.arange(0, 300, 2.0), np.arange(300, 3601, 20.0)])
        curves = self.rows(EDGES_S[:-1], EDGES_S[1:], frame_means(4.0))
        plasma = parent_plasma(seconds / 60)
        sections = [
            "# PMOD",
            "# VERSION",
            "# PATIENT",
            "NAME\tDoe^Jane",
            "# DATA",
            "sample-time[seconds]\twhole-blood[kBq/cc]",
            *self.rows(seconds, 1.2 * plasma),
            "#DATA",
            "sample-time[seconds]\tplasma.1[kBq/cc]",
            *self.rows(seconds, plasma),
            "# DATA",
            "sample-time[minutes]\tparent-fraction.1[1/1]",
            *self.rows(np.array([0, 20, 60.0]), np.ones(3)),
            "# NON_PMOD_COMMENTS",
            "// nothing",
            *(["# DATA", "start[seconds]\tend[kBq/cc]\tcord", *curves] if tissue is None else tissue),
        ]
        return self.write_lines("p1.kmData", sections, "\r\n")

    def test_one_file_is_both_curves_and_blood(self):
        path = self.composite()
        self.assertEqual(read_tacs(path).regions, ("cord",))
        blood = read_blood([path])
        self.assertEqual((blood.parent_fraction.times_s[-1], blood.plasma.times_s[-1]), (3600, 3600))
        out = self.folder / "out"
        code, told = tinystudy.quiet("fit", path, "--blood", path, "--models", "1TCM", "--out", out, "--json")
        self.assertEqual(code, 0, told)
        row = json.loads(told[told.index("{") :])["regions"][0]
        self.assertAlmostEqual(float(row["VT"]), 4.0, delta=0.02)

    def test_without_tissue_or_data_it_is_refused(self):
        self.refused("tacs-regions", read_tacs, self.composite(tissue=[]))
        empty = self.write_lines("e.kmData", ["# PMOD", "# DATA", "# END"])
        self.refused("pmod-sections", read_tacs, empty)
        self.refused("pmod-sections", read_blood, [empty])


if __name__ == "__main__":
    unittest.main()
