"""DICOM PET and CT in: values, geometry, frames of each vendor, and every reason to refuse."""

import random
import shutil
import tempfile
import unittest
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedCTImageStorage, EnhancedMRImageStorage, SecondaryCaptureImageStorage
from support.dicommaker import PetPlan, decay_factors, save, write_ct, write_pet
from support.realdata import DATA, needs_data
from TSPOQuantLib.acquisition.dicom import pet_series, read_ct, read_dynamic_pet, read_pet
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan
from TSPOQuantLib.acquisition.inspect import inspect
from TSPOQuantLib.messages import Cancelled, InputRefused
from TSPOQuantLib.pipeline.visit_data import person_notices


class Folder(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def read(self, plan: PetPlan, frame_table: FrameTiming | None = None) -> tuple[DynamicImage, np.ndarray]:
        truth = write_pet(self.folder / "pet", plan)
        return read_dynamic_pet(self.folder / "pet", frame_table), truth

    def refused(self, code: str, plan: PetPlan) -> InputRefused:
        shutil.rmtree(self.folder / "pet", ignore_errors=True)
        write_pet(self.folder / "pet", plan)
        with self.assertRaises(InputRefused) as caught:
            read_dynamic_pet(self.folder / "pet")
        self.assertEqual(caught.exception.code, code, caught.exception.message)
        return caught.exception

    def assertSame(self, image: DynamicImage, plan: PetPlan, truth: np.ndarray) -> None:
        np.testing.assert_allclose(image.timing.starts_s, plan.starts_s, atol=1e-3)
        np.testing.assert_allclose(image.timing.durations_s, plan.durations_s, atol=1e-3)
        np.testing.assert_allclose(image.activity, truth, rtol=1e-6)
        self.assertEqual(image.time_zero, "injection")
        self.assertEqual(image.time_zero_at, plan.injection)

    def codes(self, image: DynamicImage) -> set[str]:
        return {notice.code for notice in image.notices}


def setting(**elements: object):
    """An edit that sets the same elements in every file; None deletes one."""

    def edit(header: Dataset, frame: int, k: int) -> None:
        for keyword, value in elements.items():
            if value is None:
                delattr(header, keyword)
            else:
                setattr(header, keyword, value)

    return edit


def injecting(**elements: object):
    """An edit of the radiopharmaceutical item; None deletes one."""

    def edit(header: Dataset, frame: int, k: int) -> None:
        setting(**elements)(header.RadiopharmaceuticalInformationSequence[0], frame, k)

    return edit


class DynamicTest(Folder):
    def test_every_vendor_and_decay_correction_comes_back_exactly(self) -> None:
        for vendor in ("ge", "siemens", "philips"):
            for correction in ("START", "ADMIN", "NONE"):
                for scan_s in (0.0, 95.25, -12.0)[:: 1 if vendor == "siemens" else 2]:
                    with self.subTest(vendor=vendor, correction=correction, scan_s=scan_s):
                        starts = tuple(np.array(PetPlan.starts_s) + scan_s)
                        plan = PetPlan(vendor=vendor, correction=correction, scan_s=scan_s, starts_s=starts)
                        image, truth = self.read(plan)
                        self.assertSame(image, plan, truth)
                        expected = {"pet-decay-by-us"} if correction == "NONE" else set()
                        expected |= {"injection-not-at-start"} if scan_s else set()
                        self.assertEqual(self.codes(image), expected)
                        self.assertIn({"NONE": "none in the file"}.get(correction, correction), image.decay_correction)

    def test_series_time_before_the_first_frame_is_the_decay_reference(self) -> None:
        for vendor in ("ge", "siemens", "philips"):
            starts = tuple(np.array(PetPlan.starts_s) + 130.0)
            plan = PetPlan(vendor=vendor, scan_s=100.0, starts_s=starts)
            image, truth = self.read(plan)
            self.assertSame(image, plan, truth)

    def test_series_time_after_acquisition_is_not_the_decay_reference(self) -> None:
        """A series written later: the scan start is worked back from FrameReferenceTime, or is GE's private one."""

        def later(header: Dataset, frame: int, k: int) -> None:
            header.SeriesTime = "150000"

        for vendor in ("ge", "siemens", "philips"):
            starts = tuple(np.array(PetPlan.starts_s) + 60.0)
            plan = PetPlan(vendor=vendor, scan_s=60.0, starts_s=starts, edit=later)
            image, truth = self.read(plan)
            self.assertSame(image, plan, truth)

        def private(header: Dataset, frame: int, k: int) -> None:
            later(header, frame, k)
            header.private_block(0x0009, "GEMS_PETD_01", create=True).add_new(0x0D, "DT", "20210304103100.00")
            del header.FrameReferenceTime

        image, truth = self.read(replace(plan, vendor="ge", edit=private))
        np.testing.assert_allclose(image.activity, truth, rtol=1e-6)
        self.assertIn("GE scan start", image.decay_correction)

    def test_older_series_where_only_frame_reference_time_moves(self) -> None:
        for vendor in ("ge", "siemens", "philips"):
            plan = PetPlan(vendor=vendor, edit=lambda header, frame, k: setattr(header, "AcquisitionTime", "103000"))
            image, truth = self.read(plan)
            self.assertSame(image, plan, truth)
            self.assertEqual(self.codes(image), {"frames-by-reference-time"})
        unknown = replace(plan, vendor="CANON_TSUS")
        self.assertIn("frame table", self.refused("frames-unknown-convention", unknown).message)

    def test_other_manufacturers_prove_their_convention(self) -> None:
        def as_vendor(convention: str):
            plan = PetPlan(vendor=convention)

            def edit(header: Dataset, frame: int, k: int) -> None:
                header.Manufacturer = "UIH"

            return replace(plan, edit=edit)

        for convention in ("ge", "siemens", "philips"):
            plan = as_vendor(convention)
            image, truth = self.read(plan)
            self.assertSame(image, plan, truth)
        erratic = PetPlan(
            vendor="UIH", edit=lambda header, frame, k: setattr(header, "FrameReferenceTime", str(1e5 + frame * 3e4))
        )
        self.refused("frames-unknown-convention", erratic)
        silent = PetPlan(vendor="UIH", edit=setting(FrameReferenceTime=None))
        image, _ = self.read(silent)
        self.assertEqual(self.codes(image), {"frames-unconfirmed", "pet-decay-unconfirmed"})

    def test_a_scan_across_midnight(self) -> None:
        for minutes in (1, 15):
            for dated in (True, False):
                injection = datetime(2021, 3, 1, 0, 0) - timedelta(minutes=minutes)
                starts = tuple(np.array(PetPlan.starts_s) + 400)
                edit = setting() if dated else injecting(RadiopharmaceuticalStartDateTime=None)
                plan = PetPlan(injection=injection, scan_s=400, starts_s=starts, edit=edit)
                image, truth = self.read(plan)
                self.assertSame(image, plan, truth)

    def test_a_scan_across_midnight_without_acquisition_dates(self) -> None:
        plan = PetPlan(injection=datetime(2020, 12, 31, 23, 57), edit=setting(AcquisitionDate=None))
        image, truth = self.read(plan)
        self.assertSame(image, plan, truth)

    def test_shifted_dates_of_injection_leave_its_time_of_day(self) -> None:
        for dated in ("20190704103000.00", "19000101000000"):  # the second is no time of day either
            plan = PetPlan(edit=injecting(RadiopharmaceuticalStartDateTime=dated))
            image, truth = self.read(plan)
            self.assertSame(image, plan, truth)
            self.assertEqual(self.codes(image), {"pet-injection-date"})

    def test_two_times_of_injection_are_told(self) -> None:
        for dated, told in (("20210304103000", False), ("20210304093000", True), ("20210304102800", True)):
            image, _ = self.read(PetPlan(edit=injecting(RadiopharmaceuticalStartDateTime=dated)))
            said = {notice.code: notice.message for notice in image.notices}
            self.assertEqual("pet-injection-twice" in said, told, dated)
            if told:
                self.assertIn(f"{dated[8:10]}:{dated[10:12]}:00 was taken", said["pet-injection-twice"])
        self.assertIn("120 s apart", said["pet-injection-twice"])

    def test_frames_that_are_series_of_their_own(self) -> None:
        def apart(header: Dataset, frame: int, k: int) -> None:
            header.SeriesInstanceUID, header.SeriesNumber = f"1.2.3.{frame}", frame
            header.SeriesType, header.NumberOfTimeSlices = ["STATIC", "IMAGE"], 1

        for vendor in ("siemens", "ge", "philips"):
            shutil.rmtree(self.folder / "pet", ignore_errors=True)
            plan = PetPlan(vendor=vendor, edit=apart)
            truth = write_pet(self.folder / "pet", plan)
            image = read_pet(self.folder / "pet")
            np.testing.assert_allclose(image.activity, truth, rtol=1e-5)
            np.testing.assert_allclose(image.timing.starts_s, plan.starts_s, atol=1e-3)
            self.assertEqual(self.codes(image), {"pet-series-joined", "pet-series-type"})
            (entry,) = inspect(self.folder / "pet")["series"]
            self.assertEqual((entry["kind"], len(entry["frames"])), ("dynamic-pet", 5))
            self.assertEqual(pet_series(self.folder / "pet").files, 15)

    def test_series_that_are_no_frames_of_one_scan(self) -> None:
        """Bed positions, reconstructions of one time, one that is not whole, two scans: each stays a series."""

        def apart(header: Dataset, frame: int, k: int) -> None:
            header.SeriesInstanceUID, header.SeriesType = f"1.2.3.{frame}", ["STATIC", "IMAGE"]

        def beds(header: Dataset, frame: int, k: int) -> None:
            apart(header, frame, k)
            header.ImagePositionPatient = [0, 0, 100 * frame + 3 * k]

        def again(header: Dataset, frame: int, k: int) -> None:
            apart(header, frame, k)
            header.AcquisitionTime = "103000"

        two = {"starts_s": PetPlan.starts_s[:2], "durations_s": PetPlan.durations_s[:2]}
        for edit, frames, lost in ((beds, {}, 0), (again, {}, 0), (apart, {}, 1), (apart, two, 0)):
            shutil.rmtree(self.folder / "pet", ignore_errors=True)
            write_pet(self.folder / "pet", PetPlan(edit=edit, **frames))
            for file in sorted((self.folder / "pet").iterdir())[:lost]:
                file.unlink()
            with self.assertRaises(InputRefused) as caught:
                read_pet(self.folder / "pet")
            self.assertEqual(caught.exception.code, "pet-several-static")

    def test_a_time_zone_that_the_injection_alone_states(self) -> None:
        for zone, hours in (("+0000", -2), ("-0700", -9), ("+0545", 3.75), ("+0200", 0)):

            def elsewhere(header: Dataset, frame: int, k: int, zone: str = zone, hours: float = hours) -> None:
                item = header.RadiopharmaceuticalInformationSequence[0]
                there = PetPlan.injection + timedelta(hours=hours)
                item.RadiopharmaceuticalStartDateTime = f"{there:%Y%m%d%H%M%S}{zone}"

            shutil.rmtree(self.folder, ignore_errors=True)
            truth = write_pet(self.folder, PetPlan(edit=elsewhere))
            image = read_dynamic_pet(self.folder)
            np.testing.assert_allclose(image.activity, truth, rtol=1e-5)
            self.assertEqual(image.notices, ())

    def test_minutes_between_dose_and_injection_are_no_time_zone(self) -> None:
        """Ten minutes are not rounded to a quarter of an hour, and a whole quarter is no zone; the clock leads."""
        for minutes in (8.0, 10.0, 15.0, 50.0, 70.0, -20.0):
            measured = PetPlan.injection - timedelta(minutes=minutes)
            edit = injecting(
                RadiopharmaceuticalStartDateTime=f"{PetPlan.injection:%Y%m%d%H%M%S}+0200",
                RadiopharmaceuticalStartTime=f"{measured:%H%M%S}",
            )
            image, truth = self.read(PetPlan(edit=edit))
            self.assertEqual(image.time_zero_at, PetPlan.injection)
            np.testing.assert_allclose(image.activity, truth, rtol=1e-5)
            (told,) = (notice for notice in image.notices if notice.code == "pet-injection-twice")
            self.assertIn(f"{60 * abs(minutes):.0f} s apart", told.message)

    def test_a_series_that_lost_its_identifiers(self) -> None:
        def anonymous(header: Dataset, frame: int, k: int) -> None:
            if k % 2:
                header.SeriesInstanceUID = ""
            else:
                del header.SeriesInstanceUID

        truth = write_pet(self.folder, PetPlan(edit=anonymous))
        np.testing.assert_allclose(read_dynamic_pet(self.folder).activity, truth, rtol=1e-5)
        write_pet(self.folder, PetPlan(edit=anonymous, seed=2), "other")
        with self.assertRaises(InputRefused):
            read_dynamic_pet(self.folder)

    def test_without_a_plausible_injection_times_count_from_the_first_frame(self) -> None:
        starts = tuple(np.array(PetPlan.starts_s) + 100)
        absent = {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": None}
        absurd = {"RadiopharmaceuticalStartDateTime": "99999999", "RadiopharmaceuticalStartTime": "999999"}
        far = {"RadiopharmaceuticalStartDateTime": "20210304020000", "RadiopharmaceuticalStartTime": "020000"}
        for elements in (absent, absurd, far):
            plan = PetPlan(scan_s=100, starts_s=starts, edit=injecting(**elements))
            image, truth = self.read(plan)
            self.assertEqual(image.time_zero, "first frame")
            self.assertEqual(self.codes(image), {"time-zero-first-frame"})
            np.testing.assert_allclose(image.timing.starts_s, PetPlan.starts_s, atol=1e-3)
            np.testing.assert_allclose(image.activity, truth / 2 ** (100 / plan.half_life_s), rtol=1e-6)
            self.refused("pet-decay-reference", replace(plan, correction="ADMIN"))

    def test_a_frame_table_overrides_the_header(self) -> None:
        table = FrameTiming(np.array([5.0, 16, 57, 117, 418]), np.array(PetPlan.durations_s))
        for vendor in ("ge", "siemens", "philips"):
            image, truth = self.read(PetPlan(vendor=vendor), table)
            np.testing.assert_array_equal(image.timing.starts_s, table.starts_s)
            np.testing.assert_allclose(image.activity, truth * 2 ** (5 / PetPlan.half_life_s), rtol=1e-6)
            self.assertEqual(image.time_zero, "frame table")
            self.assertEqual(self.codes(image), {"frames-by-table", "frames-gaps"})
        with self.assertRaises(InputRefused) as caught:
            self.read(PetPlan(), FrameTiming(np.arange(4.0), np.ones(4)))
        self.assertEqual(caught.exception.code, "frames-table-count")

    def test_frames_without_any_times_need_a_table(self) -> None:
        def timeless(header: Dataset, frame: int, k: int) -> None:
            header.AcquisitionTime, header.FrameReferenceTime = "103000", "0"

        plan = PetPlan(edit=timeless)
        self.refused("frames-no-times", plan)
        image, truth = self.read(plan, FrameTiming(np.array(plan.starts_s), np.array(plan.durations_s)))
        np.testing.assert_allclose(image.activity, truth, rtol=1e-6)

    def test_nested_mixed_and_shuffled_files(self) -> None:
        plan = PetPlan()
        truth = write_pet(self.folder / "a", plan)
        write_ct(self.folder / "a", plan)
        capture = dcmread(next((self.folder / "a").glob("pet*.dcm")))
        capture.SOPClassUID = SecondaryCaptureImageStorage
        save(capture, self.folder / "a" / "capture.dcm")
        files = sorted((self.folder / "a").iterdir())
        random.Random(0).shuffle(files)
        for number, file in enumerate(files):
            target = self.folder / "b" / str(number % 3) / str(number % 2)
            target.mkdir(parents=True, exist_ok=True)
            file.rename(target / f"{number:03d}")
        (self.folder / "b" / "notes.txt").write_text("not DICOM")
        (self.folder / "b" / "broken.dcm").write_bytes(bytes(128) + b"DICM" + b"\x02\x00\x00\x00broken")
        image = read_dynamic_pet(self.folder / "b")
        self.assertSame(image, plan, truth)
        self.assertEqual(read_ct(self.folder / "b").values.shape, plan.shape)

    def test_geometry_of_an_oblique_series(self) -> None:
        turn = np.radians(20)
        row = (np.cos(turn), np.sin(turn), 0.0)
        column = (-np.sin(turn) * np.cos(0.3), np.cos(turn) * np.cos(0.3), np.sin(0.3))
        plan = PetPlan(orientation=(*row, *column))
        image, truth = self.read(plan)
        self.assertSame(image, plan, truth)
        self.assertEqual(image.grid.shape, plan.shape)
        for ijk in ((0, 0, 0), (4, 0, 0), (0, 3, 0), (4, 3, 2)):
            expected = plan.position(ijk[2]) + ijk[0] * 2.5 * np.array(row) + ijk[1] * 2.0 * np.array(column)
            np.testing.assert_allclose(image.grid.to_lps(np.array(ijk, float)), expected, atol=1e-4)

    def test_slices_that_run_downward_are_turned_round(self) -> None:
        plan = PetPlan(orientation=(1, 0, 0, 0, -1, 0))
        image, truth = self.read(plan)
        self.assertSame(image, plan, truth)
        self.assertLess(image.grid.ijk_to_lps[2, 2], 0)

    def test_unsigned_pixels_and_an_intercept(self) -> None:
        plan = PetPlan(edit=setting(PixelRepresentation=0, RescaleIntercept="-3.5"))
        image, truth = self.read(plan)
        np.testing.assert_allclose(image.activity, truth - 0.0035, rtol=1e-5, atol=1e-5)

    def test_gaps_between_frames_are_told(self) -> None:
        plan = PetPlan(starts_s=(0, 15), durations_s=(10, 10))
        image, _ = self.read(plan)
        self.assertEqual(self.codes(image), {"frames-gaps"})

    def test_a_missing_half_life_is_taken_from_the_radionuclide(self) -> None:
        image, _ = self.read(PetPlan(edit=injecting(RadionuclideHalfLife=None)))
        self.assertIn("pet-half-life-assumed", self.codes(image))
        self.assertAlmostEqual(image.scan.half_life_s or 0, 1220.4, delta=1.5)

    def test_progress_reaches_the_user_and_can_cancel(self) -> None:
        write_pet(self.folder / "pet")
        told: list[float] = []
        read_dynamic_pet(self.folder / "pet", progress=lambda fraction, _: told.append(fraction))
        self.assertEqual(told, sorted(told))

        def cancel(fraction: float, text: str) -> None:
            raise Cancelled

        with self.assertRaises(Cancelled):
            read_dynamic_pet(self.folder / "pet", progress=cancel)

    def test_nobody_is_named(self) -> None:
        image, _ = self.read(PetPlan())
        words = repr((image.scan, image.notices, image.decay_correction))
        for secret in ("Verysecret", "Nomen", "SECRET-ID", "4711"):
            self.assertNotIn(secret, words)
        self.assertRegex(image.scan.patient_key or "", "^[0-9a-f]{16}$")


class UnitsTest(Folder):
    def philips(self, header: Dataset, suv: str | None, activity: str | None) -> None:
        block = header.private_block(0x7053, "Philips PET Private Group", create=True)
        if suv is not None:
            block.add_new(0x00, "DS", suv)
        if activity is not None:
            block.add_new(0x09, "DS", activity)

    def counts(self, suv: str | None, activity: str | None) -> PetPlan:
        def edit(header: Dataset, frame: int, k: int) -> None:
            header.Units = "CNTS"
            self.philips(header, suv, activity)

        return PetPlan(vendor="philips", edit=edit)

    def test_philips_counts_by_activity_scale(self) -> None:
        image, truth = self.read(self.counts("0.000551", "1.602563"))
        np.testing.assert_allclose(image.activity, truth * 1.602563, rtol=1e-6)

    def test_philips_counts_by_suv_scale_go_back_through_dose_and_weight(self) -> None:
        image, truth = self.read(self.counts("0.000551", None))
        np.testing.assert_allclose(image.activity, truth * 0.000551 * 400e6 / 80e3, rtol=1e-6)

    def test_philips_counts_without_a_usable_scale_are_refused(self) -> None:
        for suv, activity in ((None, None), ("0.000000", None), ("0.0005", "0"), ("nan", None), ("-1", None)):
            self.refused("pet-philips-scale", self.counts(suv, activity))

    def test_grams_per_milliliter_go_back_through_dose_and_weight(self) -> None:
        plan = PetPlan(scan_s=60, starts_s=tuple(np.array(PetPlan.starts_s) + 60), edit=setting(Units="GML"))
        image, truth = self.read(plan)
        dose_at_scan = 400e6 / 2 ** (60 / plan.half_life_s)
        np.testing.assert_allclose(image.activity, truth * dose_at_scan / 80e3, rtol=1e-6)
        self.refused("suv-type", PetPlan(edit=setting(Units="GML", SUVType="LBM")))
        self.refused("suv-weight", PetPlan(edit=setting(Units="GML", PatientWeight=None)))

    def test_units_without_a_calibration_are_refused(self) -> None:
        self.assertIn("PROPCPS", self.refused("pet-units-propcps", PetPlan(edit=setting(Units="PROPCPS"))).message)
        for units in ("CPS", "CM2ML", ""):
            self.refused("pet-units", PetPlan(edit=setting(Units=units)))
        self.refused("pet-units", PetPlan(edit=setting(Units=None)))


class RefusalTest(Folder):
    def test_corrections(self) -> None:
        attenuation = ["NORM", "DECY"]
        self.refused("pet-attenuation", PetPlan(edit=setting(CorrectedImage=attenuation)))
        self.refused("pet-corrected-image", PetPlan(edit=setting(CorrectedImage=None)))
        self.refused("pet-corrected-image", PetPlan(edit=setting(CorrectedImage=[])))
        self.refused("pet-decay-contradiction", PetPlan(edit=setting(CorrectedImage=["ATTN"])))
        self.refused("pet-decay-contradiction", PetPlan(edit=setting(DecayCorrection="NONE")))
        self.refused("pet-decay-correction", PetPlan(edit=setting(DecayCorrection=None)))
        self.refused("pet-decay-correction", PetPlan(edit=setting(DecayCorrection="MAYBE")))

    def test_rescaling(self) -> None:
        for value in ("nan", "inf", "-1", "0"):
            self.refused("dicom-rescale", PetPlan(edit=setting(RescaleSlope=value)))
        self.refused("dicom-rescale", PetPlan(edit=setting(RescaleSlope=None)))

        def one_nan(header: Dataset, frame: int, k: int) -> None:
            if (frame, k) == (3, 2):
                header.RescaleSlope = "nan"

        self.refused("dicom-rescale", PetPlan(edit=one_nan))

    def test_an_empty_slice_may_have_slope_zero(self) -> None:
        def empty(header: Dataset, frame: int, k: int) -> None:
            if (frame, k) == (0, 0):
                header.RescaleSlope, header.PixelData = "0", bytes(len(header.PixelData))

        image, _ = self.read(PetPlan(edit=empty))
        self.assertEqual(float(image.activity[0, 0].max()), 0.0)

    def test_half_life(self) -> None:
        def unknown(header: Dataset, frame: int, k: int) -> None:
            item = header.RadiopharmaceuticalInformationSequence[0]
            item.RadionuclideHalfLife, item.Radiopharmaceutical = None, "tracer"
            item.RadionuclideCodeSequence = Items([])

        self.refused("pet-half-life", PetPlan(edit=unknown))

    def test_a_correction_that_scanners_make_and_this_series_lacks_is_told(self) -> None:
        made = ["NORM", "ATTN", "SCAT", "DTIM", "DECY"]
        for lacking in (None, "SCAT", "NORM", "DTIM"):
            image, _ = self.read(PetPlan(edit=setting(CorrectedImage=[name for name in made if name != lacking])))
            self.assertEqual("pet-uncorrected" in self.codes(image), lacking is not None, lacking)

    def test_the_tracer_of_a_header_that_names_none(self) -> None:
        stripped = setting(RadiopharmaceuticalInformationSequence=None)
        for vendor in ("ge", "siemens", "philips"):
            for correction in ("START", "NONE"):
                plan = PetPlan(vendor=vendor, correction=correction, edit=stripped)
                self.assertIn("[pet] tracer", self.refused("pet-half-life", plan).message)
                image = read_pet(self.folder / "pet", tracer="DPA-713")
                self.assertEqual((image.scan.tracer, image.scan.half_life_s), ("DPA-713", 1220.412))
                self.assertEqual(image.time_zero, "first frame")
                self.assertLessEqual({"tracer-told", "pet-half-life-assumed"}, self.codes(image))
                truth = write_pet(self.folder / "pet", plan)  # the scan starts with the injection
                np.testing.assert_allclose(image.activity, truth, rtol=5e-3)

    def test_a_tracer_by_the_user_beside_that_of_the_header(self) -> None:
        called = PetPlan(edit=injecting(Radiopharmaceutical="Solution"))
        own, _ = self.read(called)
        image = read_dynamic_pet(self.folder / "pet", tracer="[11C]DPA-713")
        self.assertEqual((image.scan.tracer, image.scan.half_life_s), ("[11C]DPA-713", own.scan.half_life_s))
        self.assertEqual(self.codes(image) - self.codes(own), {"tracer-told"})
        np.testing.assert_array_equal(image.activity, own.activity)
        with self.assertRaises(InputRefused) as caught:
            read_dynamic_pet(self.folder / "pet", tracer="[18F]DPA-714")
        self.assertEqual(caught.exception.code, "tracer-radionuclide")
        self.read(PetPlan(edit=injecting(Radiopharmaceutical="[11C]DPA-713 (simulated)")))
        simulated = read_dynamic_pet(self.folder / "pet", tracer="[11C]DPA-713")
        self.assertEqual(simulated.scan.tracer, "[11C]DPA-713 (simulated)")

    def test_a_tracer_that_names_another_radionuclide_is_told(self) -> None:
        for tracer, told in (("[18F]DPA-714", True), ("[11C]PBR28", False), ("PBR28", False)):
            image, _ = self.read(PetPlan(edit=injecting(Radiopharmaceutical=tracer)))
            self.assertEqual("tracer-radionuclide" in [one.code for one in image.notices], told, tracer)

    def test_two_injections_in_one_header_give_no_dose(self) -> None:
        """Where the items differ; an item that is there twice is one injection."""

        def doubled(**changed: str):
            def edit(header: Dataset, frame: int, k: int) -> None:
                second = deepcopy(header.RadiopharmaceuticalInformationSequence[0])
                for keyword, value in changed.items():
                    setattr(second, keyword, value)
                header.RadiopharmaceuticalInformationSequence.append(second)

            return edit

        told, _ = self.read(PetPlan(edit=doubled(RadionuclideTotalDose="100000000")))
        self.assertEqual((self.codes(told), told.scan.injected_mbq), ({"pet-injections-several"}, None))
        same, _ = self.read(PetPlan(edit=doubled()))
        self.assertEqual(self.codes(same), set())
        self.assertGreater(same.scan.injected_mbq, 0)

    def test_empty_and_missing_sequences(self) -> None:
        for sequence in (Items([]), Items([Dataset()]), None):
            self.refused("pet-half-life", PetPlan(edit=setting(RadiopharmaceuticalInformationSequence=sequence)))

    def test_an_altered_decay_factor(self) -> None:
        for vendor in ("ge", "siemens"):
            self.refused("pet-decay-factor", PetPlan(vendor=vendor, edit=setting(DecayFactor="1.0")))
            half_life = injecting(
                RadionuclideHalfLife="6586.2", RadionuclideCodeSequence=None, Radiopharmaceutical="x"
            )
            plan = PetPlan(vendor=vendor, edit=half_life)
            self.refused("frames-times-disagree" if vendor == "siemens" else "pet-decay-factor", plan)

    def test_an_altered_series_time(self) -> None:
        self.refused("pet-decay-reference", PetPlan(vendor="philips", edit=setting(SeriesTime="102500")))
        self.refused("pet-decay-factor", PetPlan(vendor="ge", edit=setting(SeriesTime="102500")))

    def test_a_series_date_of_another_century(self) -> None:
        for vendor in ("ge", "siemens", "philips"):
            self.refused("pet-decay-reference", PetPlan(vendor=vendor, edit=setting(SeriesDate="19010101")))

    def test_a_half_life_of_another_radionuclide_is_said_first(self) -> None:
        for stated, slip in (
            ("20.34", "minutes and seconds"),
            ("1220340", "seconds and milliseconds"),
            ("6586.2", ""),
        ):
            for vendor in ("ge", "siemens", "philips"):
                said = self.refused(
                    "pet-half-life-odd", PetPlan(vendor=vendor, edit=injecting(RadionuclideHalfLife=stated))
                )
                self.assertIn(slip, said.message)
        self.read(PetPlan(edit=injecting(RadionuclideHalfLife="1223.4")))

    def test_times_in_another_unit_and_a_day_off_are_called_so(self) -> None:
        def times(attribute: str, factor: float):
            def edit(header: Dataset, frame: int, k: int) -> None:
                setattr(header, attribute, f"{float(getattr(header, attribute)) * factor:.10g}")

            return edit

        for vendor in ("ge", "siemens", "philips"):
            for factor, units in (
                (0.001, "seconds and milliseconds"),
                (1 / 60_000, "minutes"),
                (1000, "milliseconds"),
            ):
                for attribute in ("FrameReferenceTime", "ActualFrameDuration"):
                    plan = PetPlan(vendor=vendor, edit=times(attribute, factor))
                    with self.assertRaises(InputRefused) as caught:
                        self.read(plan)
                    self.assertIn(units, caught.exception.message, (vendor, attribute, factor))

        def not_advanced(header: Dataset, frame: int, k: int) -> None:
            header.AcquisitionDate = "20210304"

        late = datetime(2021, 3, 4, 23, 58, 0)
        for vendor in ("ge", "siemens", "philips"):
            self.read(PetPlan(vendor=vendor, injection=late))
            said = self.refused("frames-times-disagree", PetPlan(vendor=vendor, injection=late, edit=not_advanced))
            self.assertIn("AcquisitionDate was not advanced", said.message)

    def test_overlapping_frames_say_which_times_they_rest_on(self) -> None:
        """Philips with Siemens' meaning of FrameReferenceTime, and no other times."""

        def edit(header: Dataset, frame: int, k: int) -> None:
            header.Manufacturer, header.AcquisitionTime = "Philips Medical Systems", "103000"

        long = (0.0, 60.0, 1260.0), (60.0, 1200.0, 1200.0)
        said = self.refused("frames-overlap", PetPlan(starts_s=long[0], durations_s=long[1], edit=edit))
        self.assertIn("FrameReferenceTime, taken as the frames' arithmetic middle", said.message)

    def test_lossy_compression_is_told(self) -> None:
        lossy, _ = self.read(PetPlan(edit=setting(LossyImageCompression="01")))
        self.assertEqual(self.codes(lossy), {"dicom-lossy"})
        self.assertEqual(self.codes(self.read(PetPlan(edit=setting(LossyImageCompression="00")))[0]), set())
        write_ct(self.folder / "ct", PetPlan(edit=setting(LossyImageCompression="01")))
        self.assertEqual([notice.code for notice in read_ct(self.folder / "ct").notices], ["dicom-lossy"])

    def test_times_that_contradict_each_other(self) -> None:
        def swapped(header: Dataset, frame: int, k: int) -> None:
            if frame == 3:
                header.FrameReferenceTime = "400000"

        for vendor in ("ge", "siemens", "philips"):
            message = self.refused("frames-times-disagree", PetPlan(vendor=vendor, edit=swapped)).message
            self.assertIn("frame 4", message)

    def test_durations(self) -> None:
        self.refused("frames-no-duration", PetPlan(edit=setting(ActualFrameDuration=None)))
        self.refused("frames-no-duration", PetPlan(edit=setting(ActualFrameDuration="0")))

        def longer(header: Dataset, frame: int, k: int) -> None:
            header.ActualFrameDuration = str(int(float(header.ActualFrameDuration)) + 500)

        self.refused("frames-overlap", PetPlan(vendor="ge", edit=longer))

    def test_absurd_dates(self) -> None:
        for elements in (
            {"AcquisitionDate": "20211399"},
            {"AcquisitionTime": "256199"},
            {"AcquisitionDate": "yesterday"},
            {"AcquisitionTime": ""},
        ):
            with self.subTest(**elements):
                plan = PetPlan(vendor="UIH", edit=setting(**elements, FrameReferenceTime=None))
                self.refused("frames-no-times", plan)

    def test_one_frame_of_another_time(self) -> None:
        def second_bed(header: Dataset, frame: int, k: int) -> None:
            if k >= 1:
                seconds = float(PetPlan.starts_s[frame]) + 2000
                header.AcquisitionTime = f"{PetPlan.injection + timedelta(seconds=seconds):%H%M%S.%f}"

        self.refused("frames-mixed-times", PetPlan(edit=second_bed))

    def without(self, code: str, keep) -> str:
        shutil.rmtree(self.folder / "pet", ignore_errors=True)
        write_pet(self.folder / "pet")
        for file in (self.folder / "pet").iterdir():
            index = dcmread(file, specific_tags=["ImageIndex"]).ImageIndex - 1
            if not keep(index // 3, index % 3):
                file.unlink()
        with self.assertRaises(InputRefused) as caught:
            read_dynamic_pet(self.folder / "pet")
        self.assertEqual(caught.exception.code, code, caught.exception.message)
        return str(caught.exception.message)

    def test_missing_files(self) -> None:
        self.assertIn("frame 3", self.without("dicom-missing-slices", lambda frame, k: (frame, k) != (2, 1)))
        self.without("dicom-missing-slices", lambda frame, k: k != 1)
        self.without("dicom-missing-slices", lambda frame, k: k != 2)
        self.without("pet-missing-frames", lambda frame, k: frame != 4)
        self.without("pet-missing-frames", lambda frame, k: frame == 0)
        self.without("dicom-missing-slices", lambda frame, k: frame == 0 or k != 0)

    def test_duplicates(self) -> None:
        write_pet(self.folder / "pet")
        file = next((self.folder / "pet").iterdir())
        shutil.copy(file, self.folder / "pet" / "copy.dcm")
        with self.assertRaises(InputRefused) as caught:
            read_dynamic_pet(self.folder / "pet")
        self.assertEqual(caught.exception.code, "dicom-duplicate-slice")
        self.assertIn("copy.dcm", caught.exception.message)
        self.assertIn(file.name, caught.exception.message)
        (self.folder / "pet" / "copy.dcm").unlink()
        shutil.copytree(self.folder / "pet", self.folder / "pet" / "again")
        with self.assertRaises(InputRefused) as caught:
            read_dynamic_pet(self.folder / "pet")
        self.assertIn("again/", caught.exception.message)

    def test_a_truncated_file(self) -> None:
        write_pet(self.folder / "pet")
        file = next((self.folder / "pet").iterdir())
        file.write_bytes(file.read_bytes()[:-7])
        with self.assertRaises(InputRefused) as caught:
            read_dynamic_pet(self.folder / "pet")
        self.assertEqual(caught.exception.code, "dicom-truncated")

    def test_mixed_series(self) -> None:
        def in_frame_2(**elements: object):
            return lambda header, frame, k: setting(**elements)(header, frame, k) if frame == 2 else None

        for elements in (
            {"Units": "CNTS"},
            {"PixelSpacing": [2, 3]},
            {"ImageOrientationPatient": [0, 1, 0, 0, 0, 1]},
            {"SeriesTime": "120000"},
            {"DecayCorrection": "ADMIN"},
        ):
            message = self.refused("dicom-mixed-series", PetPlan(edit=in_frame_2(**elements))).message
            self.assertIn("differ in", message)
        self.refused("patient-mismatch", PetPlan(edit=in_frame_2(PatientID="another")))

        def moved(header: Dataset, frame: int, k: int) -> None:
            if frame == 2:
                header.ImagePositionPatient = [0, 0, header.ImagePositionPatient[2]]

        self.refused("dicom-mixed-series", PetPlan(edit=moved))

    def test_geometry(self) -> None:
        def tilted(header: Dataset, frame: int, k: int) -> None:
            x, y, z = header.ImagePositionPatient
            header.ImagePositionPatient = [x, y + 0.5 * k, z]

        def uneven(header: Dataset, frame: int, k: int) -> None:
            x, y, z = header.ImagePositionPatient
            header.ImagePositionPatient = [x, y, z + (1 if k == 2 else 0)]

        self.refused("dicom-gantry-tilt", PetPlan(edit=tilted))
        self.refused("dicom-irregular-spacing", PetPlan(edit=uneven))

        def growing(header: Dataset, frame: int, k: int) -> None:
            x, y, z = header.ImagePositionPatient
            header.ImagePositionPatient = [x, y, z + 0.3 * max(k - 8, 0)]

        few = {"starts_s": (0, 60), "durations_s": (60, 60)}
        self.refused("dicom-irregular-spacing", PetPlan(shape=(16, 4, 4), edit=growing, **few))
        self.refused("dicom-geometry", PetPlan(edit=setting(ImageOrientationPatient=[1, 0, 0, 1, 0, 0])))
        self.refused("dicom-geometry", PetPlan(edit=setting(PixelSpacing=[0, 1])))
        self.refused("dicom-geometry", PetPlan(edit=setting(PixelSpacing=None)))
        self.refused("dicom-pixel-format", PetPlan(edit=setting(SamplesPerPixel=3)))

    def test_positions_of_one_decimal_are_a_regular_stack(self) -> None:
        def rounded(header: Dataset, frame: int, k: int) -> None:
            x, y, z = header.ImagePositionPatient
            header.ImagePositionPatient = [x, y, round(float(z), 1)]

        plan = PetPlan(shape=(16, 4, 4), spacing_mm=(1.0, 1.0, 0.625), edit=rounded)
        write_ct(self.folder, plan)
        self.assertAlmostEqual(read_ct(self.folder).grid.spacing_mm[2], 0.625, delta=0.01)

    def test_series_that_are_not_dynamic(self) -> None:
        self.refused("pet-gated", PetPlan(edit=setting(SeriesType=["GATED", "IMAGE"])))
        self.refused("pet-reprojection", PetPlan(edit=setting(SeriesType=["WHOLE BODY", "REPROJECTION"])))
        static = PetPlan(starts_s=(0,), durations_s=(600,), edit=setting(SeriesType=["STATIC", "IMAGE"]))
        self.refused("pet-not-dynamic", static)

    def test_a_multi_bed_series_is_static(self) -> None:
        def beds(header: Dataset, frame: int, k: int) -> None:
            header.SeriesType = ["STATIC", "IMAGE"]
            header.ImagePositionPatient = [0, 0, float(frame * 9 + k * 3)]
            header.NumberOfSlices, header.NumberOfTimeSlices = 15, frame + 1

        plan = PetPlan(edit=beds)
        self.refused("pet-not-dynamic", plan)
        self.assertEqual(read_pet(self.folder / "pet").activity.shape, (1, 15, 4, 5))

    def test_wrong_places(self) -> None:
        empty = self.folder / "empty"
        empty.mkdir()
        text = self.folder / "text"
        text.mkdir()
        (text / "readme.txt").write_text("hello")
        write_ct(self.folder / "ct")
        for path, code in (
            (self.folder / "nowhere", "path-missing"),
            (empty, "folder-empty"),
            (text, "dicom-none"),
            (text / "readme.txt", "dicom-none"),
            (self.folder / "ct", "pet-none"),
        ):
            with self.assertRaises(InputRefused) as caught:
                read_dynamic_pet(path)
            self.assertEqual(caught.exception.code, code)
        write_pet(self.folder / "pet")
        with self.assertRaises(InputRefused) as caught:
            read_ct(self.folder / "pet")
        self.assertEqual(caught.exception.code, "ct-none")

    def test_two_dynamic_series(self) -> None:
        write_pet(self.folder / "pet", PetPlan(seed=1), "one")
        usable = write_pet(self.folder / "pet", PetPlan(seed=2), "two")
        with self.assertRaises(InputRefused) as caught:
            read_dynamic_pet(self.folder / "pet")
        self.assertEqual(caught.exception.code, "pet-several-dynamic")
        self.assertNotIn("Nomen", caught.exception.message)
        self.assertIn("[pet] path", caught.exception.message)
        for file in (self.folder / "pet").glob("one*"):
            header = dcmread(file)
            header.CorrectedImage = ["DECY", "NORM"]
            save(header, file)
        image = read_dynamic_pet(self.folder / "pet")
        np.testing.assert_allclose(image.activity, usable, rtol=1e-6)
        self.assertEqual(self.codes(image), {"pet-others-passed-over"})


class CtTest(Folder):
    def test_hounsfield_units(self) -> None:
        truth = write_ct(self.folder / "ct")
        volume = read_ct(self.folder / "ct")
        np.testing.assert_array_equal(volume.values, truth)
        self.assertEqual(volume.units, "HU")
        self.assertEqual(volume.grid.spacing_mm, (2.5, 2.0, 3.0))

    def test_refusals(self) -> None:
        def tilted(header: Dataset, frame: int, k: int) -> None:
            header.ImagePositionPatient = [0, 0.6 * k, 3.0 * k]

        for code, edit in (
            ("dicom-gantry-tilt", tilted),
            ("dicom-rescale", setting(RescaleSlope="nan")),
            ("ct-units", setting(RescaleType="OD")),
        ):
            shutil.rmtree(self.folder / "ct", ignore_errors=True)
            write_ct(self.folder / "ct", PetPlan(edit=edit))
            with self.assertRaises(InputRefused) as caught:
                read_ct(self.folder / "ct")
            self.assertEqual(caught.exception.code, code)
        write_ct(self.folder / "two", PetPlan(seed=1), "a")
        write_ct(self.folder / "two", PetPlan(seed=2), "b")
        with self.assertRaises(InputRefused) as caught:
            read_ct(self.folder / "two")
        self.assertEqual(caught.exception.code, "ct-several")

    def test_localizers_are_passed_over(self) -> None:
        write_ct(self.folder / "ct", PetPlan(seed=1))
        write_ct(
            self.folder / "ct", PetPlan(seed=2, edit=setting(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])), "l"
        )
        self.assertEqual(read_ct(self.folder / "ct").values.shape, (3, 4, 5))

    def test_many_frames_in_one_file_are_told(self) -> None:
        for sop_class, code in ((EnhancedCTImageStorage, "ct-enhanced"), (EnhancedMRImageStorage, "mr-enhanced")):
            write_ct(self.folder, PetPlan(edit=setting(SOPClassUID=sop_class)))
            with self.assertRaises(InputRefused) as caught:
                read_ct(self.folder)
            self.assertEqual(caught.exception.code, code)
            self.assertIn("export the classic", caught.exception.message)

    def test_single_images_beside_it_are_passed_over(self) -> None:
        """The scout that is not called one, the picture of a bolus: one slice is no CT where a whole one lies."""
        truth = write_ct(self.folder / "ct", PetPlan(seed=1))
        for prefix, scout in (("a", ["ORIGINAL", "PRIMARY", "SCOUT"]), ("b", ["DERIVED", "SECONDARY", "SCREEN SAVE"])):
            write_ct(self.folder / "ct", PetPlan(shape=(1, 8, 8), seed=2, edit=setting(ImageType=scout)), prefix)
        volume = read_ct(self.folder / "ct")
        np.testing.assert_array_equal(volume.values, truth)
        self.assertEqual([notice.code for notice in volume.notices], ["anatomy-others-passed-over"])
        stray = dcmread(self.folder / "ct" / "ct0001.dcm")
        stray.SeriesInstanceUID = "1.2.3"
        stray.save_as(self.folder / "ct" / "ct0001.dcm")
        with self.assertRaises(InputRefused) as caught:  # it may be a slice of the CT
            read_ct(self.folder / "ct")
        self.assertEqual(caught.exception.code, "ct-several")
        write_ct(self.folder / "ct", PetPlan(seed=3), "c")
        with self.assertRaises(InputRefused) as caught:
            read_ct(self.folder / "ct")
        self.assertEqual(caught.exception.code, "ct-several")


class PersonTest(Folder):
    def test_two_persons_under_one_number_are_told(self) -> None:
        def scan(name: str, **attributes: str) -> Scan:
            write_ct(self.folder / name, PetPlan(edit=setting(**attributes)))
            return read_ct(self.folder / name).scan

        own = scan("a", PatientBirthDate="19700203", PatientSex="F")
        (told,) = person_notices(own, scan("b", PatientBirthDate="19610309", PatientSex="M"))
        self.assertIn("date of birth, sex", told.message)
        (told,) = person_notices(own, scan("c", PatientBirthDate="19700203", PatientSex="M"), own)
        self.assertNotIn("birth", told.message)
        silent = scan("d", PatientBirthDate="", PatientSex="")
        self.assertEqual(person_notices(own, silent, scan("e", PatientBirthDate="19700203", PatientSex="F")), ())
        self.assertNotIn("19700203", repr(own))
        self.assertLess(len(own.birth_key or ""), 3)


class RealSeriesTest(unittest.TestCase):
    @needs_data
    def test_six_bed_positions_are_one_static_volume(self) -> None:
        folder = DATA / "pet_dicom" / "ge_sts001"
        image = read_pet(folder)
        self.assertEqual(image.activity.shape, (1, 267, 128, 128))
        # SUVmax of the IBSI benchmark; the series is decay-corrected to its start, ours to the injection.
        suv_max = float(image.activity.max()) * image.scan.weight_kg / image.scan.injected_mbq
        self.assertAlmostEqual(suv_max, 66.5215, delta=1e-4)
        with self.assertRaises(InputRefused) as caught:
            read_dynamic_pet(folder)
        self.assertEqual(caught.exception.code, "pet-not-dynamic")


class MakerTest(unittest.TestCase):
    def test_the_maker_writes_what_was_measured_on_a_real_series(self) -> None:
        """Discovery ST, 18F: DecayFactor of 240-s beds at 0, 243 and 1215 s."""
        plan = PetPlan(starts_s=(0, 243, 1215), durations_s=(240, 240, 240), half_life_s=6588.0)
        np.testing.assert_allclose(decay_factors(plan, 0.0), (1.01268, 1.0389, 1.15077), atol=6e-6)


if __name__ == "__main__":
    unittest.main()
