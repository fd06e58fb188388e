"""The same series through dcm2niix, an independent reader: every difference has its reason here.

dcm2niix counts time from the first frame and leaves values as stored, in Bq/mL; we count from the injection and give
kBq/mL at the injection. It stores rows from back to front (NIfTI), we from front to back (DICOM). Past midnight its
frame times are wrong.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import unittest
from datetime import datetime
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from support.dicommaker import VENDORS, PetPlan, write_pet
from support.folders import Folder
from TSPOQuantLib.acquisition.dicom import read_dynamic_pet
from TSPOQuantLib.acquisition.nifti import read_dynamic_nifti
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.phantom.dicom import Identity
from TSPOQuantLib.phantom.dicom import write_pet as write_phantom_pet
from TSPOQuantLib.phantom.tracer import FRAME_DURATIONS_S, FRAME_STARTS_S, simulated_tracer

# Beside the Python that runs the tests is where pip puts it.
PROGRAM = shutil.which(
    "dcm2niix", path=os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
)
# Older ones, as some distributions ship, write a JSON past midnight that no reader takes.
OLDEST_YEAR = 2024


def recent():
    """Whether there is a dcm2niix whose version, a date, is recent enough to be compared with."""
    if PROGRAM is None:
        return False
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"v\d+\.\d+\.(\d{4})\d{4}", said)
    return version is not None and int(version[1]) >= OLDEST_YEAR


def numbered(header, frame, k):
    """What dcm2niix needs to sort a series, and every scanner writes."""
    header.InstanceNumber = frame * header.NumberOfSlices + k + 1
    header.PatientPosition = "HFS"


@unittest.skipUnless(recent(), f"no dcm2niix of {OLDEST_YEAR} or later is installed; pip install dcm2niix brings it")
class DcmToNiixTest(Folder):
    def both(self, series):
        """Our image; dcm2niix's values (frames, k, j, i) in Bq/mL with our order of rows, grid and sidecar."""
        out = self.folder / f"{series.name}-nifti"
        out.mkdir()
        subprocess.run([PROGRAM, "-o", out, "-f", "pet", "-z", "n", series], check=True, capture_output=True)
        image = sitk.ReadImage(str(out / "pet.nii"), sitk.sitkFloat64)
        matrix = np.eye(4)
        direction = np.array(image.GetDirection()).reshape(4, 4)[:3, :3]
        matrix[:3, :3] = direction * np.array(image.GetSpacing()[:3])
        matrix[:3, 3] = image.GetOrigin()[:3]
        values = sitk.GetArrayFromImage(image)[:, :, ::-1]
        matrix[:3, 3] += matrix[:3, 1] * (values.shape[2] - 1)
        matrix[:3, 1] *= -1
        self.nifti = out / "pet.nii"
        sidecar = json.loads((out / "pet.json").read_text(encoding="utf-8"))
        return read_dynamic_pet(series), values, Grid(values.shape[1:], matrix), sidecar

    def assert_same_values(self, ours, theirs, factors=1.0):
        """Equal to single precision, once Bq are kBq and the decay reference is ours."""
        expected = theirs / 1000 * np.reshape(factors, (-1, 1, 1, 1))
        np.testing.assert_allclose(ours, expected, rtol=3e-7, atol=3e-7 * expected.max())

    def test_phantom_of_each_vendor_is_read_alike(self):
        matrix = np.diag([2.0, 2.5, 3.0, 1.0])
        matrix[:3, 3] = (-14.0, -20.0, -30.0)
        grid = Grid((5, 9, 8), matrix)
        random, tracer = np.random.default_rng(1), simulated_tracer("[11C]DPA-713")
        frames = random.gamma(2.0, 5.0, (len(FRAME_STARTS_S), *grid.shape)).astype(np.float32)
        for vendor in VENDORS:
            with self.subTest(vendor=vendor):
                identity = Identity(("dcm2niix", vendor), "baseline")
                write_phantom_pet(self.folder / vendor, iter(frames), grid, identity, vendor, tracer)
                ours, theirs, their_grid, sidecar = self.both(self.folder / vendor)
                np.testing.assert_array_equal(sidecar["FrameTimesStart"], ours.timing.starts_s)
                np.testing.assert_array_equal(sidecar["FrameDuration"], ours.timing.durations_s)
                np.testing.assert_array_equal(ours.timing.starts_s, FRAME_STARTS_S)
                np.testing.assert_array_equal(ours.timing.durations_s, FRAME_DURATIONS_S)
                self.assertTrue(ours.grid.same_as(their_grid, 1e-4))
                self.assert_same_values(ours.activity, theirs)

    def test_scan_that_starts_after_the_injection(self):
        """Theirs counts from the scan's start and is corrected to it; ours is 2^(30 s / half-life) higher."""
        plan = {"scan_s": 30.0, "starts_s": (30.0, 40.0, 100.0), "durations_s": (10.0, 60.0, 60.0)}
        for vendor in VENDORS:
            with self.subTest(vendor=vendor):
                write_pet(self.folder / vendor, PetPlan(vendor=vendor, edit=numbered, **plan))
                ours, theirs, _, sidecar = self.both(self.folder / vendor)
                np.testing.assert_allclose(np.add(sidecar["FrameTimesStart"], 30.0), ours.timing.starts_s, atol=1e-6)
                self.assert_same_values(ours.activity, theirs, 2 ** (30 / PetPlan.half_life_s))

    def test_values_without_decay_correction(self):
        """Theirs are as measured; ours are corrected frame by frame, by the integral of the decay over each."""
        plan = PetPlan(correction="NONE", edit=numbered)
        write_pet(self.folder / "pet", plan)
        ours, theirs, _, sidecar = self.both(self.folder / "pet")
        rate = np.log(2) / plan.half_life_s
        starts, durations = np.array(plan.starts_s), np.array(plan.durations_s)
        left = (np.exp(-rate * starts) - np.exp(-rate * (starts + durations))) / (rate * durations)
        self.assert_same_values(ours.activity, theirs, 1 / left)
        self.assertEqual(sidecar["DecayCorrection"], "NONE")

    def test_midnight(self):
        """Theirs gives the frame past midnight the time 0: such a sidecar is refused, and ours goes on counting."""
        for vendor in VENDORS:
            with self.subTest(vendor=vendor):
                plan = PetPlan(vendor=vendor, injection=datetime(2021, 3, 4, 23, 58), edit=numbered)
                write_pet(self.folder / vendor, plan)
                ours, theirs, _, sidecar = self.both(self.folder / vendor)
                np.testing.assert_allclose(ours.timing.starts_s, plan.starts_s, atol=1e-6)
                self.assert_same_values(ours.activity, theirs)
                if sidecar["FrameTimesStart"] == list(plan.starts_s):
                    self.skipTest("this dcm2niix counts past midnight")
                self.assertEqual(sidecar["FrameTimesStart"], [0, 10, 40, 100, 0])
                with self.assertRaises(InputRefused) as caught:
                    read_dynamic_nifti(self.nifti)
                self.assertEqual(caught.exception.code, "frames-backwards")


if __name__ == "__main__":
    unittest.main()
