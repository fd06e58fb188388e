"""Human [11C]PBR28 curves against an exact multistart solver and against kinfitr (see the data's own README)."""

import csv
import unittest

import numpy as np
from support.realdata import DATA, needs_data
from support.tiers import slow
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.tacs import read_tacs
from TSPOQuantLib.input_function.curve import InputFunction
from TSPOQuantLib.input_function.from_samples import SampledSettings, sampled_input
from TSPOQuantLib.kinetics import FitOptions, fit

FOLDER = DATA / "pbr28"
MC1 = DATA / "pet_bids_ds004869"
SETTINGS = {
    "X4_unw_vB0": ("none", 0.5),
    "X5_unw_vBfit": ("fit", 0.5),
    "X5w_unw_vBfit_wide": ("fit", 5.0),
}


def read_scan(name):
    subject, number = name.split("_")
    session = {"1": "test", "2": "retest"}[number]
    stem = f"sub-{subject}_ses-{session}"
    folder = FOLDER / f"sub-{subject}" / f"ses-{session}" / "pet"
    with (folder / f"{stem}_seg-rois_tacs.tsv").open(encoding="utf-8") as stream:
        header, *rows = list(csv.reader(stream, delimiter="\t"))
    table = np.array(rows, dtype=float)
    blood = np.loadtxt(folder / f"{stem}_bloodproc.tsv", skiprows=1)
    timing = FrameTiming(table[:, 0], table[:, 1] - table[:, 0])
    return timing, header[2:], table[:, 2:].T, InputFunction(blood[:, 0], blood[:, 2], blood[:, 1])


def read_reference(name, *keys):
    with (FOLDER / name).open(encoding="utf-8") as stream:
        return {tuple(row[key] for key in keys): row for row in csv.DictReader(stream)}


@needs_data
class KineticsRealCurvesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.exact = read_reference("reference_exact.csv", "PET", "ROI", "model", "setting")
        cls.scans = {name: read_scan(name) for name in sorted({key[0] for key in cls.exact})}

    def fits(self, model, setting):
        vb, fastest = SETTINGS[setting]
        bounds = {"K1": (0, 1), "k2": (0, fastest), "k3": (0, fastest), "k4": (0, fastest), "VB": (0, 0.5)}
        options = FitOptions(vb=vb, bounds=bounds if vb == "fit" else {k: v for k, v in bounds.items() if k != "VB"})
        for scan, (timing, regions, curves, plasma) in self.scans.items():
            for region, one in zip(regions, fit(model, timing, curves, plasma, options), strict=True):
                reference = self.exact.get((scan, region, model, setting))
                if reference is not None:
                    yield reference, one

    def test_one_tissue(self):
        count = 0
        for setting in ("X4_unw_vB0", "X5_unw_vBfit"):
            for reference, one in self.fits("1TCM", setting):
                if reference["at_bound"] == "False":
                    count += 1
                    self.assertAlmostEqual(one.parameters["VT"] / float(reference["Vt"]), 1.0, delta=0.001)
                    self.assertAlmostEqual(one.standard_errors["VT"] / float(reference["Vt_absSE"]), 1.0, delta=0.03)
        self.assertGreater(count, 60)

    @slow
    def test_two_tissues_reach_the_global_optimum(self):
        compared = 0
        for setting in SETTINGS:
            for reference, one in self.fits("2TCM", setting):
                self.assertLessEqual(one.wrss, float(reference["wRSS"]) * 1.001)
                same = abs(one.parameters["VT"] / float(reference["Vt"]) - 1) < 0.001
                if same and reference["at_bound"] == "False" and not any("bound" in n.code for n in one.flags):
                    compared += 1
                    self.assertAlmostEqual(one.standard_errors["VT"] / float(reference["Vt_absSE"]), 1.0, delta=0.03)
        self.assertGreater(compared, 30)

    def test_logan_and_ma1(self):
        keys = ("PET", "ROI", "model", "setting", "tstar_frames")
        reference = read_reference("reference_kinfitr.csv", *keys)
        compared = 0
        for model in ("Logan", "MA1"):
            for count in (8, 10):
                for scan, (timing, regions, curves, plasma) in self.scans.items():
                    fits = fit(model, timing, curves, plasma, FitOptions(vb="none", last_frames=count))
                    for setting in ("G1_unw_delay0_vB0_interp", "G2_unw_delay0_vB0_dur"):
                        for region, one in zip(regions, fits, strict=True):
                            row = reference[scan, region, model, setting, str(count)]
                            self.assertAlmostEqual(one.parameters["VT"] / float(row["Vt"]), 1.0, delta=0.005)
                            compared += 1
        self.assertEqual(compared, 2 * 2 * 2 * 36)


@needs_data
class LongCarbonElevenTest(unittest.TestCase):
    def test_one_start_a_scan_and_volumes_that_keep_to_those_of_two_tissues(self):
        # 120 min of [11C]MC1 in 108 regions: the last frames scatter by 10 % and more.
        stem = "sub-01_ses-baseline"
        tacs = read_tacs(MC1 / f"derivatives/petprep/sub-01/ses-baseline/pet/{stem}_desc-preproc_seg-gtm_tacs.tsv")
        folder = MC1 / "sub-01" / "ses-baseline" / "pet"
        blood = read_blood([folder / f"{stem}_recording-manual_blood.tsv"], None)
        plasma = sampled_input(blood, float(tacs.timing.ends_s[-1]), SampledSettings()).input_function
        some = slice(0, None, 9)
        two = [one.parameters["VT"] for one in fit("2TCM", tacs.timing, tacs.activity[some], plasma)]
        for model in ("MA1", "Logan"):
            fits = fit(model, tacs.timing, tacs.activity, plasma)
            starts = {one.tstar_s for one in fits}
            self.assertEqual(len(starts), 1)
            self.assertLess(starts.pop(), 3600)
            ratio = np.array([one.parameters["VT"] for one in fits[some]]) / two
            self.assertLess(ratio.std(), 0.05)
            self.assertAlmostEqual(ratio.mean(), 1.0, delta=0.06)


if __name__ == "__main__":
    unittest.main()
