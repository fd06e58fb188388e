"""Images that are larger than memory: the same voxels and the same V_T, of which one frame at a time is in memory."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import SimpleITK as sitk
from support.tiers import slow
from support.tinystudy import LEFT, DicomVisit, write_bids_visit
from TSPOQuantLib.acquisition import large
from TSPOQuantLib.acquisition.dicom import read_dynamic_pet
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.large import Frames, StoredFrames, room
from TSPOQuantLib.alignment.resample import at_rest
from TSPOQuantLib.input_function import InputFunction
from TSPOQuantLib.kinetics import FitOptions, make_maps
from TSPOQuantLib.pipeline.quantification import quantify
from TSPOQuantLib.pipeline.visit_data import read_visit
from TSPOQuantLib.study import read_study

LIBRARY = Path(__file__).resolve().parents[2] / "TSPOQuant"
MEASURED = """
import re, sys
from pathlib import Path
from TSPOQuantLib.acquisition import large
from TSPOQuantLib.acquisition.dicom import read_dynamic_pet
from TSPOQuantLib.alignment.motion import relative_counts
from TSPOQuantLib.alignment.resample import at_rest, mean_image
from TSPOQuantLib.input_function import InputFunction
from TSPOQuantLib.kinetics import FitOptions, make_maps
import numpy as np
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
large.LARGEST_IN_MEMORY = 2**20
before = peak()
image = read_dynamic_pet(Path(sys.argv[1]))
relative_counts(image)
moved = at_rest(image, [np.eye(4)] * len(image.timing))
mask = mean_image(moved, range(len(image.timing))).values > 0
seen = peak()
curve = np.array([0.0, 50.0, 5.0, 1.0])
source = InputFunction(np.array([0.0, 30.0, 600.0, 6000.0]), curve, curve)
for one in (image, moved):
    make_maps("Logan", one.timing, one.activity, source, FitOptions(), mask)
print(seen - before, peak() - before, image.activity.nbytes)
"""


def on_disk():
    """As if every image were larger than memory."""
    return mock.patch.object(large, "LARGEST_IN_MEMORY", 0)


class RoomTest(unittest.TestCase):
    def test_it_is_an_array_whose_frames_stay_what_they_were(self):
        with on_disk():
            array = room((3, 4, 5))
        self.assertIsInstance(array, Frames)
        for number, frame in enumerate(array):
            frame[...] = number
        np.testing.assert_array_equal(array.sum(axis=(1, 2)), [0, 20, 40])
        np.testing.assert_array_equal(array.reshape(3, -1)[:, 7], [0, 1, 2])
        self.assertNotIsInstance(array[1], Frames)

    def test_a_full_disk_leaves_memory(self):
        with on_disk(), mock.patch("os.posix_fallocate", side_effect=OSError):
            self.assertNotIsInstance(room((3, 4)), Frames)


@unittest.skipUnless(hasattr(os, "posix_fallocate"), "such files are not made on this system")
class SameTest(unittest.TestCase):
    def read(self, path):
        there = read_dynamic_pet(path)
        with on_disk():
            here = read_dynamic_pet(path)
            moved = at_rest(here, [np.eye(4)] * len(here.timing))
        self.assertIsInstance(here.activity, StoredFrames)
        self.assertIsInstance(moved.activity, Frames)
        np.testing.assert_array_equal(here.activity, there.activity)
        np.testing.assert_array_equal(moved.activity, there.activity)

    def test_nifti_packed_or_not(self):
        with tempfile.TemporaryDirectory() as name:
            packed = next(write_bids_visit(Path(name), "01", "baseline").glob("*_pet.nii.gz"))
            self.read(packed)
            image = sitk.ReadImage(str(packed))
            stored = (100 * sitk.GetArrayFromImage(image)).astype(np.int16)
            whole = sitk.JoinSeries([sitk.GetImageFromArray(frame) for frame in stored])
            whole.CopyInformation(image)
            sitk.WriteImage(whole, str(packed.with_suffix("")))
            self.read(packed.with_suffix(""))

    def test_maps_of_voxels_here_and_there(self):
        image = np.random.default_rng(3).integers(100, 900, (12, 3, 4, 5)).astype(np.int16)
        timing = FrameTiming(np.arange(12) * 120.0, np.full(12, 120.0))
        curve = np.array([0.0, 50.0, 5.0, 1.0])
        source = InputFunction(np.array([0.0, 30.0, 600.0, 6000.0]), curve, curve)
        mask = np.random.default_rng(4).random(image.shape[1:]) > 0.5
        there = image.astype(np.float32)
        with on_disk():
            moved = room(there.shape)
        moved[...] = there
        maps = [
            make_maps("Logan", timing, frames, source, FitOptions(tstar_s=600.0), mask)
            for frames in (there, StoredFrames(image), moved)
        ]
        for one in maps[1:]:
            np.testing.assert_array_equal(one.VT, maps[0].VT)

    def test_dicom_to_vt(self):
        with tempfile.TemporaryDirectory() as name:
            study = read_study(DicomVisit(names=(LEFT,), with_ct=False).write(Path(name) / "visit"))
            settings = replace(study.settings, models=("1TCM",))
            there = read_visit(study)
            with on_disk():
                here = read_visit(study)
                self.assertIsInstance(here.image.activity, Frames)
                found = quantify(here, settings).record
        self.assertEqual(found.rows, quantify(there, settings).record.rows)


class StoredTest(unittest.TestCase):
    def test_they_are_what_a_copy_in_float32_would_be(self):
        stored = np.random.default_rng(4).integers(-9, 3000, (4, 5, 6, 7)).astype(np.int16)
        first, second = np.linspace(0.7, 1.3, 4), np.full(4, np.float32(1.1))
        copy = (stored * 0.37 + 2.5).astype(np.float32)
        for frame, one, other in zip(copy, first, second, strict=True):
            frame *= one
            frame *= other
        frames = StoredFrames(stored, 0.37, 2.5).times(first) * np.float32(1.1)
        np.testing.assert_array_equal(frames, copy)
        self.assertEqual((frames.shape, frames.nbytes, len(frames)), (copy.shape, copy.nbytes, len(copy)))
        voxels, some = np.array([3, 200, 77]), np.array([True, False, True, False])
        for key in (2, (1, 3), (3, slice(1, 4), 2), [3, 0], slice(1, 3), some, np.int64(1)):
            np.testing.assert_array_equal(frames[key], copy[key])
        flat = frames.reshape(4, -1)
        for key in ((2, voxels), (slice(None), voxels), (slice(None), slice(4, 9))):
            np.testing.assert_array_equal(flat[key], copy.reshape(4, -1)[key])
        self.assertEqual((frames.min(), frames.max()), (copy.min(), copy.max()))
        np.testing.assert_array_equal(frames.astype(float), copy)

    @unittest.skipUnless(Path("/proc/self/status").is_file(), "memory is read from /proc")
    def test_voxels_of_all_frames_are_let_go_of_again(self):
        """Maps look at a block of voxels after another, each in every frame of a file of 48 MB."""
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "frames"
            path.write_bytes(bytes(48 * 2**20))
            store = large.mapped(path)
            stored = large.of_file(np.frombuffer(store, np.int16).reshape(4, 48, 256, 512), store)
            voxels = StoredFrames(stored).reshape(4, -1)
            blocks = np.split(np.arange(voxels.shape[1]), 96)
            before = in_memory()
            most = before
            for block in blocks:
                self.assertEqual(voxels[:, block].shape, (4, len(block)))
                most = max(most, in_memory())
        self.assertLess(most - before, 16 * 2**20)


def in_memory():
    """Bytes of this process."""
    return int(re.search(r"VmRSS:\s*(\d+)", Path("/proc/self/status").read_text())[1]) * 1024


@slow
@unittest.skipUnless(Path("/proc/self/status").is_file(), "peak memory is read from /proc")
class PeakTest(unittest.TestCase):
    def test_frames_are_in_memory_one_at_a_time(self):
        """24 frames of 0.8 million voxels, 77 MB: read, moved and averaged in half of its own memory, and mapped."""
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "x_pet.nii"
            frame = np.random.default_rng(1).integers(1, 3000, (50, 128, 128)).astype(np.int16)
            frames = [sitk.GetImageFromArray(frame + number) for number in range(24)]
            sitk.WriteImage(sitk.JoinSeries(frames), str(path))
            told = {
                "FrameTimesStart": list(range(0, 24 * 60, 60)),
                "FrameDuration": [60] * 24,
                "Units": "Bq/mL",
                "TracerRadionuclide": "F18",
                "TimeZero": "10:00:00",
                "ImageDecayCorrected": True,
                "ImageDecayCorrectionTime": 0,
                "InjectionStart": 0,
                "ScanStart": 0,
            }
            path.with_name("x_pet.json").write_text(json.dumps(told), encoding="utf-8")
            run = subprocess.run(
                [sys.executable, "-c", MEASURED, path],
                env={**os.environ, "PYTHONPATH": str(LIBRARY)},
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual(run.returncode, 0, run.stderr)
        seen, mapped, size = map(int, run.stdout.split())
        self.assertLess(seen, size / 2)
        self.assertLess(mapped, 2 * size)  # the maps and the work space of a block, not the frames


if __name__ == "__main__":
    unittest.main()
