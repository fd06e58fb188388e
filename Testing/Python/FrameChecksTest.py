"""One set of checks for the frames of DICOM and NIfTI: times, decay, empty and repeated frames, named one by one."""

import json
import unittest

import numpy as np
import SimpleITK as sitk
from support.dicommaker import HALF_LIFE_S, VENDORS, PetPlan, decay_factors, unchanged, write_pet
from support.folders import Folder
from TSPOQuantLib.acquisition.clock import start_notices
from TSPOQuantLib.acquisition.dicom import read_dynamic_pet
from TSPOQuantLib.acquisition.frame_checks import check_frames, check_slopes, check_timing, saturated_notices
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.tacs import read_frame_table
from TSPOQuantLib.messages import InputRefused

STARTS = np.array([0.0, 10, 40, 100, 400])
DURATIONS = np.array([10.0, 30, 60, 300, 600])
SHAPE = (4, 5, 6)


def measured():
    return np.random.default_rng(1).normal(5, 1, (len(STARTS), *SHAPE)).clip(0.1).astype(np.float32)


class ScanFolder(Folder):
    def nifti(self, values=None, without=(), **changed):
        values = measured() if values is None else values
        sitk.WriteImage(
            sitk.JoinSeries([sitk.GetImageFromArray(frame) for frame in values]), str(self.folder / "x_pet.nii.gz")
        )
        told = {
            "FrameTimesStart": STARTS.tolist(),
            "FrameDuration": DURATIONS.tolist(),
            "Units": "kBq/mL",
            "TracerRadionuclide": "C11",
            "RadionuclideHalfLife": HALF_LIFE_S,
            "ImageDecayCorrected": True,
            "ImageDecayCorrectionTime": 0,
            "InjectionStart": 0,
        } | changed
        (self.folder / "x_pet.json").write_text(json.dumps({k: v for k, v in told.items() if k not in without}))
        return self.folder / "x_pet.nii.gz"


class ActivityTest(ScanFolder):
    def test_a_thousandfold_slip_of_the_image_is_told(self):
        for units, told in (("Bq/mL", True), ("MBq/mL", True), ("kBq/mL", False)):
            codes = [notice.code for notice in read_dynamic_pet(self.nifti(Units=units)).notices]
            self.assertEqual("pet-activity-odd" in codes, told, units)


class TimeSlipTest(ScanFolder):
    def said(self, code, **changed):
        return self.refused(code, read_dynamic_pet, self.nifti(**changed))

    def test_units_of_starts_and_durations(self):
        for key, factor, units in (
            ("FrameDuration", 1000, "seconds and milliseconds"),
            ("FrameDuration", 1 / 1000, "seconds and milliseconds"),
            ("FrameDuration", 1 / 60, "minutes and seconds"),
            ("FrameDuration", 60, "minutes and seconds"),
            ("FrameTimesStart", 1 / 60, "minutes and seconds"),
            ("FrameTimesStart", 1000, "milliseconds"),
        ):
            times = (STARTS if key == "FrameTimesStart" else DURATIONS) * factor
            with self.assertRaises(InputRefused) as caught:
                read_dynamic_pet(self.nifti(**{key: times.tolist()}))
            self.assertIn(units, caught.exception.message, (key, factor))
        self.assertIn("x_pet.json", self.said("frames-overlap", FrameDuration=[10, 40, 60, 300, 600]))
        self.assertIn("times of day", self.said("pet-json-time-units", FrameTimesStart=(STARTS + 36000).tolist()))

    def test_moments_a_day_or_a_unit_off(self):
        """Every time of the sidecar that counts from TimeZero."""
        self.assertIn("one day", self.said("frames-scan-start", ScanStart=-86400))
        self.assertIn("one day", self.said("pet-json-injection", InjectionStart=-86400))
        self.assertIn("10 h", self.said("pet-json-injection", InjectionStart=36000))
        self.assertIn("one day", self.said("pet-decay-reference", ImageDecayCorrectionTime=86400))
        factors = decay_factors(PetPlan(), 120.0)
        for stated in (2, 0.12):
            told = self.said(
                "pet-decay-reference", DecayCorrectionFactor=factors.tolist(), ImageDecayCorrectionTime=stated
            )
            self.assertIn("are mixed up", told)

    def test_a_frame_table_in_minutes(self):
        table = self.folder / "frames.tsv"
        rows = [f"{start / 60}\t{duration / 60}" for start, duration in zip(STARTS, DURATIONS, strict=True)]
        table.write_text("FrameTimesStart\tFrameDuration\n" + "\n".join(rows) + "\n")
        self.assertIn("FrameTimesStart[min]", self.refused("tacs-time-units", read_frame_table, table))
        table.write_text("FrameTimesStart[min]\tFrameDuration[min]\n" + "\n".join(rows) + "\n")
        np.testing.assert_allclose(read_frame_table(table).starts_s, STARTS)
        longer = FrameTiming(STARTS * 1000 / 24, DURATIONS * 1000 / 24)
        slipped = FrameTiming(STARTS / 60, DURATIONS / 60)
        read_dynamic_pet(self.nifti(), longer)
        self.assertIn("minutes", self.refused("frames-time-units", read_dynamic_pet, self.nifti(), slipped))
        write_pet(self.folder / "pet", PetPlan())
        self.assertIn("minutes", self.refused("frames-time-units", read_dynamic_pet, self.folder / "pet", slipped))

    def test_clocks_that_differ_by_whole_hours(self):
        self.assertIn("summer time", start_notices(3600.4, "the header")[0].message)
        self.assertNotIn("summer time", start_notices(3500.0, "the header")[0].message)


class DecayTest(ScanFolder):
    def test_factors_by_either_name_are_held_against_what_is_stated(self):
        truth = measured()
        for key in ("DecayCorrectionFactor", "DecayFactor"):
            for zero in (0.0, -8.0):
                factors = decay_factors(PetPlan(), zero).tolist()
                np.testing.assert_allclose(read_dynamic_pet(self.nifti(truth, **{key: factors})).activity, truth)
            for zero in (-600.0, -40.0, 300.0):
                factors = decay_factors(PetPlan(), zero).tolist()
                self.refused("pet-decay-reference", read_dynamic_pet, self.nifti(**{key: factors}))
                image = read_dynamic_pet(self.nifti(truth, ("ImageDecayCorrectionTime",), **{key: factors}))
                np.testing.assert_allclose(image.activity, truth * 2 ** (zero / HALF_LIFE_S), rtol=1e-4)

    def test_frame_times_that_the_factors_contradict(self):
        factors = decay_factors(PetPlan(), 0.0).tolist()
        long = {"FrameTimesStart": (STARTS * 1.05).tolist(), "FrameDuration": (DURATIONS * 1.05).tolist()}
        self.refused("pet-decay-factor", read_dynamic_pet, self.nifti(DecayCorrectionFactor=factors, **long))
        self.refused("pet-decay-factor", read_dynamic_pet, self.nifti(DecayFactor=factors[::-1]))

    def test_what_converters_leave_behind_is_no_factor(self):
        for left in ([1.0] * 5, [46.3], [1.0, 1.1, 1.2], 1.2):
            read_dynamic_pet(
                self.nifti(DecayCorrectionFactor=left, DecayFactor=decay_factors(PetPlan(), 0.0).tolist())
            )

    def test_not_corrected_with_factors(self):
        factors = decay_factors(PetPlan(), 0.0).tolist()
        uncorrected = {"ImageDecayCorrected": False}
        self.refused("pet-decay-contradiction", read_dynamic_pet, self.nifti(DecayFactor=factors, **uncorrected))
        read_dynamic_pet(self.nifti(DecayFactor=[1.0] * 5, **uncorrected))

    def test_a_correction_to_no_moment_of_the_study_is_told(self):
        for changed, told in (
            ({"ImageDecayCorrectionTime": 0}, False),
            ({"ImageDecayCorrectionTime": 8}, False),
            ({"ImageDecayCorrectionTime": 3600}, True),
            ({"ImageDecayCorrectionTime": -1200}, True),
            ({"ImageDecayCorrectionTime": -1200, "InjectionStart": -1200}, False),
            ({"ImageDecayCorrectionTime": -60, "ScanStart": -60}, False),
        ):
            codes = [notice.code for notice in read_dynamic_pet(self.nifti(**changed)).notices]
            self.assertEqual("pet-decay-reference-odd" in codes, told, changed)

    def test_absurd_corrections(self):
        for seconds in (-38000, 38000, 1e7):
            self.refused("pet-decay-reference", read_dynamic_pet, self.nifti(ImageDecayCorrectionTime=seconds))
        late = {"FrameTimesStart": (STARTS + 15000).tolist(), "ImageDecayCorrected": False}
        self.refused("pet-decay-reference", read_dynamic_pet, self.nifti(**late))


class TimingTest(ScanFolder):
    def test_gaps_are_told_by_every_door(self):
        starts = STARTS.copy()
        starts[-1] += 3000
        image = read_dynamic_pet(self.nifti(FrameTimesStart=starts.tolist()))
        told = {notice.code: notice.message for notice in image.notices}
        self.assertIn("3000 s", told["frames-gaps"])
        self.assertIn("frame 4", told["frames-gaps"])
        for vendor in VENDORS:
            write_pet(
                self.folder / vendor, PetPlan(vendor=vendor, starts_s=tuple(starts), durations_s=tuple(DURATIONS))
            )
            image = read_dynamic_pet(self.folder / vendor)
            self.assertEqual({n.code: n.message for n in image.notices}["frames-gaps"], told["frames-gaps"])

    def test_times_in_milliseconds(self):
        slow = {"FrameTimesStart": (STARTS * 1000).tolist(), "FrameDuration": (DURATIONS * 1000).tolist()}
        slow["FrameTimesStart"] = [start * 100 for start in slow["FrameTimesStart"]]
        slow["FrameDuration"] = [duration * 100 for duration in slow["FrameDuration"]]
        self.refused("frames-time-units", read_dynamic_pet, self.nifti(**slow))
        self.refused("frames-time-units", check_timing, FrameTiming(STARTS * 6000, DURATIONS * 6000))

    def test_durations_far_below_the_spacing(self):
        for part in (0.001, 0.01, 0.5, 0.9):
            said = self.refused("frames-sparse", check_timing, FrameTiming(STARTS, DURATIONS * part))
            self.assertIn("correct the durations", said)
        for vendor in VENDORS:

            def edit(header, frame, k):
                header.ActualFrameDuration = f"{DURATIONS[frame]:g}"  # seconds for milliseconds

            folder = self.folder / f"{vendor}-sparse"
            write_pet(folder, PetPlan(vendor=vendor, starts_s=tuple(STARTS), durations_s=tuple(DURATIONS), edit=edit))
            with self.assertRaises(InputRefused):
                read_dynamic_pet(folder)
        self.refused("frames-sparse", read_dynamic_pet, self.nifti(FrameDuration=(DURATIONS / 2).tolist()))

    def test_middles_and_ends_are_no_starts(self):
        for part, what in ((0.5, "middles"), (1.0, "ends")):
            for digits in (3, 0):
                times = (STARTS + part * DURATIONS).round(digits)
                said = self.refused("frames-not-starts", read_dynamic_pet, self.nifti(FrameTimesStart=times.tolist()))
                self.assertIn(f"are their {what}", said)

    def test_time_that_is_not_the_last_axis(self):
        turned = np.moveaxis(measured(), 0, -1)
        self.assertIn("end of the four axes", self.refused("frames-table-count", read_dynamic_pet, self.nifti(turned)))

    def test_pauses_of_real_scans_are_only_told(self):
        pause = np.r_[STARTS, 4000, 4300]
        for timing in (
            FrameTiming(pause, np.r_[DURATIONS, 300, 300]),  # out of the scanner for most of an hour
            FrameTiming(np.arange(6) * 60.0, np.full(6, 30.0)),  # two bed positions in turn
            FrameTiming(STARTS, DURATIONS - 2),  # two seconds lost at every frame
        ):
            self.assertEqual([notice.code for notice in check_timing(timing)], ["frames-gaps"])


class EmptyTest(ScanFolder):
    def test_an_empty_frame_is_named(self):
        for frame in (1, 3, 4):
            values = measured()
            values[frame] = 0
            said = self.refused("pet-frame-empty", read_dynamic_pet, self.nifti(values))
            self.assertIn(f"frame {frame + 1} ", said)
        before = measured()
        before[:2] = 0  # nothing has arrived yet
        read_dynamic_pet(self.nifti(before))
        slowly = measured() * np.array([0.001, 0.03, 0.0, 1.0, 1.0], dtype=np.float32).reshape(-1, 1, 1, 1)
        self.assertIn("frame 3 ", self.refused("pet-frame-empty", read_dynamic_pet, self.nifti(slowly)))

    def test_an_empty_slice_is_named(self):
        for frame, k in ((2, 0), (3, 2), (4, 3)):
            values = measured()
            values[frame, k] = 0
            said = self.refused("pet-slice-empty", read_dynamic_pet, self.nifti(values))
            self.assertIn(f"slice {k + 1} of frame {frame + 1} ", said)
        dead = measured()
        dead[:, 2] = 0
        self.refused("pet-slice-empty", read_dynamic_pet, self.nifti(dead))
        masked = measured()
        masked[:, 0], masked[:, 3] = 0, 0  # the ends of the field
        read_dynamic_pet(self.nifti(masked))

    def test_a_repeated_frame_is_named(self):
        values = measured()
        values[3] = values[1]
        said = self.refused("pet-frame-repeated", read_dynamic_pet, self.nifti(values))
        self.assertIn("frames 2 and 4 ", said)
        raw = {"ImageDecayCorrected": False}
        self.refused("pet-frame-repeated", read_dynamic_pet, self.nifti(values, **raw))

    def test_dicom_of_every_vendor(self):
        for vendor in VENDORS:
            for kind, code in (("frame", "pet-frame-empty"), ("slice", "pet-slice-empty")):

                def edit(header, frame, k, kind=kind):
                    if frame == 3 and (kind == "frame" or k == 1):
                        header.PixelData = bytes(len(header.PixelData))

                folder = self.folder / f"{vendor}-{kind}"
                write_pet(folder, PetPlan(vendor=vendor, edit=edit))
                self.assertIn("frame 4", self.refused(code, read_dynamic_pet, folder))
        for vendor in VENDORS:
            first = {}

            def edit(header, frame, k, first=first):
                first.setdefault((frame, k), (header.PixelData, header.RescaleSlope))
                if frame == 4:
                    header.PixelData, header.RescaleSlope = first[2, k]

            folder = self.folder / f"{vendor}-copy"
            write_pet(folder, PetPlan(vendor=vendor, edit=edit))
            self.assertIn("frames 3 and 5 ", self.refused("pet-frame-repeated", read_dynamic_pet, folder))

    def test_a_copy_is_seen_in_images_of_few_values(self):
        tissues = np.arange(5.0).repeat(24).reshape(SHAPE)
        frames = np.stack([tissues * (1 + 0.1 * frame) for frame in range(len(STARTS))]).astype(np.float32)
        check_frames(frames)
        frames[3] = frames[2]
        self.assertIn("frames 3 and 4", self.refused("pet-frame-repeated", check_frames, frames))

    def test_frames_in_reverse(self):
        rising = measured() * np.array([0.001, 1, 0.9, 0.7, 0.5], np.float32)[:, None, None, None]
        check_frames(rising)
        self.assertIn("frame 4", self.refused("pet-frame-order", check_frames, rising[::-1]))

    def test_slopes_that_one_constant_has_replaced(self):
        own = measured()
        ones = np.ones(len(own))
        full = own / own.max(axis=(2, 3), keepdims=True) * 32767
        check_slopes(full, ones, {0.1, 0.2})
        check_slopes(own, ones, {0.1})
        self.refused("dicom-slopes-alike", check_slopes, full, ones, {0.1})
        factors = np.linspace(1, 2, len(own))
        scaled = full * factors[:, None, None, None]
        self.refused("dicom-slopes-alike", check_slopes, scaled, factors, {0.1})

    def test_voxels_that_were_cut_off_are_told(self):
        own = measured()
        highest = own.max()
        for ceiling, kind, told in ((1.0, np.int16, False), (0.7, np.int16, True), (0.7, np.uint16, True)):
            stored = np.minimum(np.rint(own / (highest * ceiling) * np.iinfo(kind).max), np.iinfo(kind).max)
            path = self.nifti(stored.astype(kind))
            codes = [notice.code for notice in read_dynamic_pet(path).notices]
            self.assertEqual("pet-saturated" in codes, told, (ceiling, kind))
        self.assertNotIn("pet-saturated", [n.code for n in read_dynamic_pet(self.nifti(own)).notices])

    def test_frames_whose_highest_voxels_may_be_so_are_not_counted(self):
        (told,) = saturated_notices([3, 12, 9, 20])
        self.assertTrue(told.message.startswith("32 voxels of 2 frames, the first of them frame 2"), told.message)
        self.assertEqual(saturated_notices([3, 9]), ())

    def test_dicom_slices_that_were_cut_off_are_told(self):
        def cut(header, frame, k):
            stored = np.frombuffer(header.PixelData, "<i2")
            header.PixelData = (
                np.minimum(stored.astype(float) * (2 if frame == 3 else 1), 32767).astype("<i2").tobytes()
            )

        for edit, told in ((unchanged, False), (cut, True)):
            folder = self.folder / f"cut{told}"
            write_pet(folder, PetPlan(shape=(3, 8, 9), edit=edit))
            said = {n.code: n.message for n in read_dynamic_pet(folder).notices}
            self.assertEqual("pet-saturated" in said, told)
            self.assertTrue(not told or "frame 4" in said["pet-saturated"])

    def test_durations_in_milliseconds(self):
        self.refused("frames-time-units", FrameTiming, STARTS, 1000 * DURATIONS)

    def test_a_key_twice(self):
        path = self.nifti()
        sidecar = self.folder / "x_pet.json"
        text = sidecar.read_text()
        sidecar.write_text(text[:-1] + ', "ImageDecayCorrectionTime": 600}')
        self.assertIn("ImageDecayCorrectionTime", self.refused("json-twice", read_dynamic_pet, path))

    def test_made_images_that_are_the_same_everywhere_are_no_copies(self):
        check_frames(np.full((3, *SHAPE), 5, np.float32))


if __name__ == "__main__":
    unittest.main()
