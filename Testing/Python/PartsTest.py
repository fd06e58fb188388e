"""A scan kept in several parts: joined on one clock, decay and grid, or refused where parts are not of one scan."""

import json
import shutil
import tempfile
import unittest
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from support.exacttissue import EDGES_S
from support.tinystudy import LEFT, TRUE_VT, DicomVisit, quantified, quiet, write_bids_visit
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan
from TSPOQuantLib.alignment.motion import groups
from TSPOQuantLib.alignment.parts import join_parts
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused

HALF_LIFE_S = 1220.4
ZERO = datetime(2026, 1, 5, 10, 30)
SCAN = Scan("aa", "GE", "X", "OSEM", "none", "[11C]DPA-713", 400.0, 80.0, HALF_LIFE_S, frame_of_reference_key="for")


def grid(shape=(4, 5, 6), spacing=2.0, origin=(0.0, 0.0, 0.0)):
    matrix = np.diag([spacing, spacing, spacing, 1.0])
    matrix[:3, 3] = origin
    return Grid(shape, matrix)


def image(starts, durations, seed=0, on=None, **changes):
    on = on or grid()
    values = np.random.default_rng(seed).uniform(1, 9, (len(starts), *on.shape)).astype(np.float32)
    timing = FrameTiming(np.array(starts, float), np.array(durations, float))
    made = DynamicImage(values, on, timing, "injection", ZERO, "none", SCAN)
    return replace(made, **changes)


FIRST = image([0, 60, 120], [60, 60, 60])
SECOND = image([1800, 2100], [300, 300], 1)


class JoinTest(unittest.TestCase):
    def refused(self, code, *parts, registered=True):
        with self.assertRaises(InputRefused) as caught:
            join_parts(parts, registered)
        self.assertEqual(caught.exception.code, code)

    def test_frames_follow_each_other_and_the_gap_is_told(self):
        joined = join_parts([FIRST, SECOND], False)
        self.assertEqual(joined.timing.starts_s.tolist(), [0, 60, 120, 1800, 2100])
        np.testing.assert_array_equal(joined.activity, np.concatenate([FIRST.activity, SECOND.activity]))
        told = {notice.code: notice.message for notice in joined.notices}
        self.assertIn("1620 s after the end of part 1", told["pet-parts"])
        self.assertIn("frames-gaps", told)

    def test_a_part_that_counts_from_its_own_first_frame_is_moved_and_decayed(self):
        """Its zero is 1800 s after the first one's, by the wall clock or by the time of day."""
        own = replace(
            SECOND,
            timing=FrameTiming(np.array([0.0, 300.0]), np.array([300.0, 300.0])),
            time_zero="first frame",
            time_zero_at=ZERO + timedelta(seconds=1800),
            activity=SECOND.activity * np.float32(2 ** (-1800 / HALF_LIFE_S)),
        )
        clock = replace(own, time_zero_at=None, zero_clock=time(11, 0))
        for part in (own, clock):
            joined = join_parts([FIRST, part], False)
            self.assertEqual(joined.timing.starts_s.tolist(), [0, 60, 120, 1800, 2100])
            np.testing.assert_allclose(joined.activity[3:], SECOND.activity, rtol=1e-6)
        self.refused("pet-parts-clock", FIRST, replace(own, time_zero_at=None))

    def test_what_contradicts_is_refused(self):
        self.refused("pet-parts-order", SECOND, FIRST)
        self.refused("pet-parts-order", FIRST, image([170, 500], [300, 300], 1))
        self.refused("pet-parts-order", FIRST, FIRST)
        self.refused("pet-parts-injection", FIRST, replace(SECOND, time_zero_at=ZERO + timedelta(seconds=30)))
        for code, scan in (
            ("patients-differ", {"patient_key": "bb"}),
            ("pet-parts-dose", {"injected_mbq": 390.0}),
            ("pet-parts-tracer", {"tracer": "[18F]DPA-714"}),
            ("pet-parts-tracer", {"tracer": None, "half_life_s": 6586.2}),
        ):
            self.refused(code, FIRST, replace(SECOND, scan=replace(SCAN, **scan)))

    def test_another_weight_and_attenuation_map_are_told(self):
        other = replace(SECOND, scan=replace(SCAN, weight_kg=120.0, attenuation="MR map"))
        joined = join_parts([FIRST, other], False)
        self.assertEqual(joined.scan.weight_kg, 80.0)
        self.assertLessEqual({"pet-parts-weight", "pet-parts-differ"}, {one.code for one in joined.notices})

    def test_another_frame_of_reference_asks_for_registration(self):
        moved = replace(SECOND, scan=replace(SCAN, frame_of_reference_key="other", reconstruction="FBP"))
        self.refused("pet-parts-place", FIRST, moved, registered=False)
        codes = [notice.code for notice in join_parts([FIRST, moved], True).notices]
        self.assertTrue({"pet-parts-place", "pet-parts-differ"} <= set(codes))

    def test_what_one_part_does_not_tell_the_other_may(self):
        silent = replace(FIRST, scan=replace(SCAN, injected_mbq=None, weight_kg=None))
        scan = join_parts([silent, SECOND], False).scan
        self.assertEqual((scan.injected_mbq, scan.weight_kg), (400, 80))

    def test_other_voxels_are_brought_to_the_first_grid_within_the_common_field(self):
        """A linear field survives linear interpolation exactly; what the later part does not reach is cut off."""
        wide, fine = grid((6, 8, 8)), grid((8, 12, 12), 1.5, (-1.0, 1.0, 2.2))

        def ramp(on):
            k, j, i = np.indices(on.shape)
            x, y, z = np.moveaxis(on.to_lps(np.stack([i, j, k], -1).astype(float)), -1, 0)
            return (100 + 3 * x - y + 2 * z).astype(np.float32)

        first = replace(image([0, 60], [60, 60], on=wide), activity=np.stack([ramp(wide), 2 * ramp(wide)]))
        late = replace(image([1800], [600], on=fine), activity=5 * ramp(fine)[None])
        joined = join_parts([first, late], False)
        np.testing.assert_allclose(joined.activity[2], 5 * ramp(joined.grid), rtol=1e-5)
        np.testing.assert_allclose(joined.activity[0], ramp(joined.grid), rtol=1e-6)
        self.assertEqual(joined.grid.shape, (4, 7, 8))
        self.assertIn("pet-parts-grid", [notice.code for notice in joined.notices])
        self.refused("pet-parts-field", first, replace(late, grid=grid((8, 12, 12), 1.5, (500.0, 0.0, 0.0))))

    def test_frames_on_both_sides_of_a_pause_are_not_registered_together(self):
        counts = np.array([1.0, 0.02, 0.02, 0.02, 0.02, 1.0])
        self.assertTrue(any(min(run) < 3 <= max(run) for run in groups(counts)))
        runs = groups(counts, breaks=[3])
        self.assertTrue(all(max(run) < 3 or min(run) >= 3 for run in runs))
        self.assertEqual(sorted(frame for run in runs for frame in run), list(range(6)))


class StudyTest(unittest.TestCase):
    """The tiny study cut in two: V_T stays what it was, as DICOM and as NIfTI."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        cls.study = DicomVisit(with_ct=False).write(cls.scratch / "visit")

    def vt(self, study, out):
        record = quantified(study, self.scratch / out)
        return record.row("foramen", "C6/C7", "left", "1TCM").VT, record

    def cut(self, keep, name):
        """A copy of the DICOM series with some of its frames, as a series of its own."""
        folder = self.scratch / "visit" / name
        folder.mkdir(exist_ok=True)
        headers = [pydicom.dcmread(path) for path in (self.scratch / "visit" / "pet").rglob("*.dcm")]
        times = sorted({header.AcquisitionTime for header in headers})
        for number, header in enumerate(headers):
            if times.index(header.AcquisitionTime) in keep:
                header.NumberOfTimeSlices = len(keep)
                header.SeriesInstanceUID += name[-1]
                header.save_as(folder / f"{number}.dcm")
        return name

    def test_dicom_in_two_series_with_a_gap(self):
        last = len(EDGES_S) - 1
        one, two = self.cut(range(12), "part1"), self.cut(range(14, last), "part2")
        study = self.study.with_name("parts.toml")
        study.write_text(self.study.read_text().replace('path = "pet"', f'path = ["{one}", "{two}"]', 1))
        found, record = self.vt(study, "parts")
        self.assertAlmostEqual(found, TRUE_VT["baseline"]["left"], delta=0.02)
        self.assertEqual(len(record.acquisition.frame_starts_s), last - 2)
        self.assertTrue({"pet-parts", "frames-gaps"} <= {notice.code for notice in record.notices})
        wrong = self.study.with_name("wrong.toml")
        wrong.write_text(study.read_text().replace(f'["{one}", "{two}"]', f'["{two}", "{one}"]'))
        code, told = quiet("quantify", wrong, "--out", self.scratch / "never")
        self.assertEqual((code, "pet-parts-order" in told), (3, True))

    def test_nifti_with_a_late_static_frame(self):
        """The second file counts from its own start, to which it is decay-corrected."""
        folder = write_bids_visit(self.scratch / "bids", "01", "baseline")
        whole = folder / "sub-01_ses-baseline_pet.nii.gz"
        values, about = sitk.ReadImage(str(whole)), json.loads((folder / "sub-01_ses-baseline_pet.json").read_text())
        starts, durations = np.array(about["FrameTimesStart"]), np.array(about["FrameDuration"])
        cut = len(starts) - 4

        def write(name, frames, zero_s):
            kept = [sitk.Extract(values, [*values.GetSize()[:3], 0], [0, 0, 0, int(f)]) for f in frames]
            late = 2 ** (-zero_s / HALF_LIFE_S)
            scaled = [sitk.Cast(one, sitk.sitkFloat32) * late for one in kept]
            sitk.WriteImage(scaled[0] if len(scaled) == 1 else sitk.JoinSeries(scaled), str(folder / f"{name}.nii.gz"))
            clock = datetime.strptime(about["TimeZero"], "%H:%M:%S") + timedelta(seconds=float(zero_s))
            own = about | {
                "TimeZero": f"{clock:%H:%M:%S}",
                "FrameTimesStart": (starts[frames] - zero_s).tolist(),
                "FrameDuration": durations[frames].tolist(),
                "InjectionStart": -float(zero_s),
                "TracerRadionuclide": "C11",
                "RadionuclideHalfLife": HALF_LIFE_S,
            }
            (folder / f"{name}.json").write_text(json.dumps(own))
            return f"{name}.nii.gz"

        one = write("part1", np.arange(cut), 0.0)
        two = write("part2", np.array([len(starts) - 1]), starts[-1])
        study = folder / "study.toml"
        regions = next((self.scratch / "bids").rglob("*_regions.seg.nrrd"))
        text = self.study.read_text().replace('path = "pet"', f'path = ["{one}", "{two}"]', 1)
        text = text.replace("regions.seg.nrrd", str(regions)).replace(
            "blood_bloodproc.tsv", "sub-01_ses-baseline_bloodproc.tsv"
        )
        study.write_text(text)
        found, record = self.vt(study, "nifti")
        self.assertAlmostEqual(found, TRUE_VT["baseline"]["left"], delta=0.02)
        self.assertEqual(record.acquisition.frame_starts_s[-1], starts[-1])
        self.assertEqual(LEFT, record.regions[0].name)


if __name__ == "__main__":
    unittest.main()
