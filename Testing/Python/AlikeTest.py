"""Visits of another length or resolution, quantified again on what both have, beside what they are as they are."""

import csv
import json
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import pydicom
from scipy.ndimage import gaussian_filter
from support import inputtruth as truth
from support.exacttissue import EDGES_S
from support.tiers import slow
from support.tinystudy import LEFT, TRUE_VT, DicomVisit, quantified, quiet, write_bids_visit
from support.without import without_report
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.input_function import InputFunction
from TSPOQuantLib.kinetics import fit
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.record import read_record
from TSPOQuantLib.regions.anatomy import identify
from TSPOQuantLib.regions.region import Region
from TSPOQuantLib.regions.sampling import sample
from TSPOQuantLib.regions.smoothing import smoothed_to

CUT_MIN = 40


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def cut_files(folder):
    """The scan as if it had ended at CUT_MIN: later frames are no files any more."""
    paths = list((folder / "pet").rglob("*.dcm"))
    headers = {path: pydicom.dcmread(path) for path in paths}
    times = sorted({header.AcquisitionTime for header in headers.values()})
    kept = times[: int(np.searchsorted(EDGES_S, 60 * CUT_MIN))]
    for path, header in headers.items():
        header.NumberOfTimeSlices = len(kept)
        header.save_as(path) if header.AcquisitionTime in kept else path.unlink()


class CommonWindowTest(unittest.TestCase):
    """The baseline's scan ends at 40 min and its resolution is 4 mm; the follow-up's at 60 min, and 6 mm."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.studies = {
            session: DicomVisit(session, names=(LEFT,), with_ct=False).write(cls.folder / session)
            for session in TRUE_VT
        }
        cls.write("baseline", 4)
        cls.write("followup", 6)
        cut_files(cls.folder / "baseline")
        for session, study in cls.studies.items():
            quantified(study, cls.folder / f"out-{session}")

    @classmethod
    def write(cls, session, fwhm_mm, *lines):
        study = cls.studies[session]
        text = study.read_text(encoding="utf-8").replace('["1TCM", "Logan"]', '["1TCM"]')
        text = text.replace('path = "pet"', f'path = "pet"\nfwhm_mm = {fwhm_mm}')
        study.write_text("\n".join([text, *lines]) + "\n", encoding="utf-8")

    def compare(self, *more, out="compared"):
        results = (self.folder / f"out-{session}" for session in TRUE_VT)
        with without_report():
            return quiet("compare", *results, "--out", self.folder / out, "--force", *more)

    def test_the_refusal_names_the_option_that_takes_the_difference_away(self):
        for more, finding, option in (
            ((), "visits-resolution", "--common-resolution MM"),
            (("--common-resolution", "6"), "visits-window", "--common-window"),
        ):
            code, told = self.compare(*more)
            self.assertEqual(code, 3)
            self.assertIn(f"error: {finding}", told)
            self.assertIn(option, told)

    @slow
    def test_both_are_fitted_as_the_shorter_one_is(self):
        code, told = self.compare("--common-window", "--common-resolution", "6")
        self.assertEqual(code, 0, told)
        cut = self.folder / "cut.toml"
        cut.write_text(
            self.studies["followup"].read_text(encoding="utf-8") + f"until_min = {CUT_MIN}\n", encoding="utf-8"
        )
        cut = cut.rename(self.studies["followup"].with_name("cut.toml"))
        wanted = quantified(cut, self.folder / "out-cut").fit(LEFT, "1TCM")
        alike = read_record(self.folder / "compared" / "alike_ses-followup").fit(LEFT, "1TCM")
        self.assertEqual(alike.n_frames, wanted.n_frames)
        self.assertEqual(alike.parameters, wanted.parameters)
        self.assertEqual(alike.standard_errors, wanted.standard_errors)
        shorter = shutil.copytree(self.folder / "followup", self.folder / "shorter")
        cut_files(shorter)
        for key, value in (
            quantified(shorter / "study.toml", self.folder / "out-shorter").fit(LEFT, "1TCM").parameters.items()
        ):
            np.testing.assert_allclose(alike.parameters[key], value, rtol=1e-9, err_msg=key)
        before = read_record(self.folder / "out-baseline")
        again = read_record(self.folder / "compared" / "alike_ses-baseline")
        self.assertEqual((before.acquisition.fwhm_mm, again.acquisition.fwhm_mm), (4, 6))
        self.assertEqual((before.settings["smooth_to_mm"], again.settings["smooth_to_mm"]), (None, 6))
        self.assertNotEqual(again.fit(LEFT, "1TCM").parameters, before.fit(LEFT, "1TCM").parameters)
        (row,) = rows_of(self.folder / "compared" / "alike.tsv")
        self.assertAlmostEqual(float(row["percent"]), -25, delta=1)
        self.assertAlmostEqual(float(row["alike_percent"]), -25, delta=5)  # half of the neck lies beside the other
        self.assertIn("As the visits are, and both quantified again", told)
        self.assertGreater(float(row["cost"]), 0)
        about = json.loads((self.folder / "compared" / "alike.json").read_text(encoding="utf-8"))
        self.assertAlmostEqual(about["settings"]["until_min"], CUT_MIN, places=6)

    def test_what_it_cannot_take_away_stays_refused(self):
        code, told = self.compare("--common-resolution", "5", "--accept", "visits-window")
        self.assertEqual((code, "smooth-finer" in told), (3, True), told)
        self.assertEqual(self.compare("--common-resolution", "0")[0], 2)
        self.assertEqual(self.compare("--common-resolution", "1e300")[0], 2)


class BidsVisitsTest(unittest.TestCase):
    """Visits of a PET-BIDS dataset have no study file: their results name the files."""

    def test_they_are_quantified_again_too(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for session in TRUE_VT:
                write_bids_visit(root / "data", "01", session)
                named = ("--participant", "01", "--session", session, "--input", "given")
                code, told = quiet("quantify", root / "data", *named, "--out", root / session)
                self.assertEqual(code, 0, told)
            results = [root / session for session in TRUE_VT]
            with without_report():
                code, told = quiet("compare", *results, "--common-window", "--out", root / "compared")
            self.assertEqual(code, 0, told)
            row = next(row for row in rows_of(root / "compared" / "alike.tsv") if "left" in row["outcome"])
            self.assertEqual(row["percent"], row["alike_percent"])  # the windows were alike before
            gone = next((root / "data").rglob("*ses-baseline_pet.nii.gz"))
            gone.rename(gone.with_name("elsewhere.nii.gz"))
            code, told = quiet("compare", *results, "--common-window", "--out", root / "again")
            self.assertEqual((code, "error: dicom-source:" in told), (3, True), told)


VOXEL_MM, SHAPE = 2.0, (16, 16, 16)
FINE_MM, COARSE_MM = 4.0, 6.0
VT, AROUND = 4.0, 0.5
NOISE = 0.01
SEEDS = 10


class CommonResolutionTest(unittest.TestCase):
    """A simulated root of 5 mm that does not change, seen once with 4 and once with 6 mm."""

    @classmethod
    def setUpClass(cls):
        matrix = np.diag([VOXEL_MM] * 3 + [1.0])
        cls.grid = Grid(SHAPE, matrix)
        k, j, i = np.indices(SHAPE) - 7.5
        distance = VOXEL_MM * np.sqrt(k**2 + j**2 + i**2)
        cls.region = Region("root", identify("foramen C6/C7 left", {}), distance < 3.0, cls.grid)
        cls.inside = (distance < 3.0)[None].astype(float)
        plasma = truth.gamma_bolus(truth.TIMES_S)
        curves = [truth.frame_means(truth.tissue(plasma, 0.3, volume)) for volume in (VT, AROUND)]
        cls.curves = [curve[:, None, None, None] for curve in curves]
        cls.timing = FrameTiming(truth.STARTS_S, truth.DURATIONS_S)
        keep = slice(None, None, 60)
        cls.input = InputFunction(truth.TIMES_S[keep], plasma[keep], plasma[keep])

    def image(self, fwhm_mm, seed):
        sharp = self.inside * self.curves[0] + (1 - self.inside) * self.curves[1]
        sigma = fwhm_mm / 2.3548 / VOXEL_MM
        seen = np.stack([gaussian_filter(frame, sigma, mode="nearest") for frame in sharp])
        noise = np.random.default_rng(seed).normal(size=seen.shape) * NOISE * seen.max()
        noise = np.stack([gaussian_filter(frame, sigma, mode="nearest") for frame in noise])
        return DynamicImage(
            (seen + noise).astype(np.float32), self.grid, self.timing, "injection", None, "START", Scan()
        )

    def volumes(self, images):
        curves = np.array([sample(image, self.region).mean for image in images])
        return np.array([one.outcome_value for one in fit("1TCM", self.timing, curves, self.input)])

    def test_a_change_that_the_resolution_alone_made_goes_away(self):
        fine = [self.image(FINE_MM, seed) for seed in range(SEEDS)]
        coarse = [self.image(COARSE_MM, 100 + seed) for seed in range(SEEDS)]
        again = [smoothed_to(image, FINE_MM, COARSE_MM) for image in fine]
        sharp, blurred, alike = np.split(self.volumes([*fine, *coarse, *again]), 3)
        plain, alike = blurred / sharp - 1, blurred / alike - 1
        self.assertLess(np.mean(plain), -0.3)
        self.assertGreater(np.mean(plain), -0.45)
        self.assertLess(abs(np.mean(alike)), 0.02)
        self.assertLess(np.abs(alike).max(), 0.05)

    def test_nothing_is_done_to_what_is_there_already_and_no_image_is_sharpened(self):
        image = self.image(COARSE_MM, 1)
        np.testing.assert_array_equal(smoothed_to(image, COARSE_MM, COARSE_MM).activity, image.activity)
        for width, code in ((None, "smooth-unknown"), (COARSE_MM, "smooth-finer")):
            with self.assertRaises(InputRefused) as caught:
                smoothed_to(image, width, FINE_MM)
            self.assertEqual(caught.exception.code, code)


if __name__ == "__main__":
    unittest.main()
