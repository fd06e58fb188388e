"""The injection's clock: told where the scan does not start with it, witnessed by the bolus, stated by the user."""

import unittest
from dataclasses import replace
from datetime import timedelta

import numpy as np
from support.dicommaker import HALF_LIFE_S, VENDORS, PetPlan, write_pet
from support.folders import Folder
from TSPOQuantLib.acquisition.blood import BloodSamples, SampledCurve
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.acquisition.clock import at_injection, blood_at
from TSPOQuantLib.acquisition.dicom import read_dynamic_pet
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import Scan
from TSPOQuantLib.acquisition.settings import ClockSettings
from TSPOQuantLib.input_function import GivenSettings
from TSPOQuantLib.input_function.arrival import check_arrival
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.pipeline.visit_data import VisitData, blood_with_given, on_one_clock

STARTS = np.array([0, 10, 20, 30, 40, 60, 80, 120, 180, 300, 600, 1200.0])
DURATIONS = np.array([10, 10, 10, 10, 20, 20, 40, 60, 120, 300, 600, 600.0])


def codes(notices):
    return [notice.code for notice in notices]


class HeaderTest(Folder):
    def series(self, vendor, early_s):
        """A scan that starts with the injection, whose header puts the injection ``early_s`` before that."""

        def edit(header, frame, k):
            item = header.RadiopharmaceuticalInformationSequence[0]
            said = PetPlan.injection - timedelta(seconds=early_s)
            item.RadiopharmaceuticalStartTime = f"{said:%H%M%S.%f}"
            item.RadiopharmaceuticalStartDateTime = f"{said:%Y%m%d%H%M%S.%f}"

        folder = self.folder / f"{vendor}{early_s}"
        truth = write_pet(folder, PetPlan(vendor=vendor, edit=edit, correction="START"))
        return folder, truth

    def test_told_by_every_vendor_in_both_directions(self):
        for vendor in (*VENDORS, "Canon"):
            for early_s in (-120, -10, 0, 10, 60, 360):
                with self.subTest(vendor=vendor, early_s=early_s):
                    image = read_dynamic_pet(self.series(vendor, early_s)[0])
                    told = [notice for notice in image.notices if notice.code == "injection-not-at-start"]
                    self.assertEqual(len(told), int(early_s != 0))
                    if told:
                        self.assertIn(f"{abs(early_s)} s {'before' if early_s > 0 else 'after'}", told[0].message)

    def test_the_stated_injection_gives_the_true_image(self):
        for vendor in (*VENDORS, "Canon"):
            for early_s in (-120, 360):
                folder, truth = self.series(vendor, early_s)
                image = read_dynamic_pet(folder)
                self.assertGreater(np.abs(image.activity / truth - 1)[truth > 0].max(), 0.05)
                for stated in (0, f"{PetPlan.injection:%H:%M:%S}", f"{PetPlan.injection:%H%M%S}"):
                    right = at_injection(image, stated)
                    np.testing.assert_allclose(right.activity, truth, rtol=1e-5)
                    np.testing.assert_allclose(right.timing.starts_s, PetPlan.starts_s, atol=1e-3)
                    self.assertEqual((right.time_zero, right.time_zero_at), ("injection", PetPlan.injection))
                    self.assertNotIn("injection-not-at-start", codes(right.notices))
                    self.assertIn("injection-given", codes(right.notices))

    def test_a_stated_injection_ends_the_doubt_between_two(self):
        """What was taken of two statements in the header was not used after all, and nothing says that it was."""

        def edit(header, frame, k):
            item = header.RadiopharmaceuticalInformationSequence[0]
            item.RadiopharmaceuticalStartTime = f"{PetPlan.injection - timedelta(minutes=7):%H%M%S}"

        write_pet(self.folder / "twice", PetPlan(edit=edit))
        image = read_dynamic_pet(self.folder / "twice")
        self.assertIn("pet-injection-twice", codes(image.notices))
        self.assertNotIn("pet-injection-twice", codes(at_injection(image, -30).notices))

    def test_what_cannot_be_the_injection(self):
        image = read_dynamic_pet(self.series("ge", 0)[0])
        for stated in ("noon", "25:00:00", "22:30:00", 1e9, float("nan")):
            with self.assertRaises(InputRefused) as caught:
                at_injection(image, stated)
            self.assertEqual(caught.exception.code, "injection-time")
        clockless = replace(image, time_zero_at=None)
        with self.assertRaises(InputRefused):
            at_injection(clockless, "10:30:00")
        self.assertEqual(at_injection(clockless, -5).timing.starts_s[0], 5)
        with self.assertRaises(InputRefused) as caught:
            at_injection(replace(image, scan=Scan()), 0)
        self.assertEqual(caught.exception.code, "pet-half-life")

    def test_blood_of_a_dataset_whose_injection_is_given(self):
        image = replace(read_dynamic_pet(self.series("ge", 0)[0]), time_zero_at=None)
        data = VisitData(image, None, BloodSamples(whole_blood=SampledCurve([0, 600], [0, 5])), None)
        for stated, zero, told in ((30, None, True), (30, "scan", False), (0, None, False)):
            found = on_one_clock(data, ClockSettings(injection_time=stated, blood_time_zero=zero)).blood
            self.assertEqual("blood-clock-assumed" in codes(found.notices), told, (stated, zero))

    def test_blood_whose_own_words_say_another_moment(self):
        image = read_dynamic_pet(self.series("ge", 60)[0])  # zero is the injection, 60 s before the first frame
        for counted_from, zero, stated, told in (
            ("", "TimeZero", None, False),
            ("injection", "injection", None, False),
            ("injection", "TimeZero", None, True),
            ("scan", "injection", None, True),
            ("scan", "injection", "scan", False),
        ):
            blood = BloodSamples(whole_blood=SampledCurve([0, 600], [0, 5]), counted_from=(counted_from,))
            data = VisitData(replace(image, time_zero=zero), None, blood, None)
            found = on_one_clock(data, ClockSettings(blood_time_zero=stated)).blood
            self.assertEqual("blood-clock-stated" in codes(found.notices), told, (counted_from, zero, stated))

    def test_a_ready_curve_says_from_when_it_counts(self):
        rows = "\n".join(f"{at},{value}" for at, value in ((0, 0), (30, 50), (600, 5), (3600, 2)))
        path = self.write("curve.csv", f"time [s after injection],curve [kBq/mL]\n{rows}")
        for domain in ("parent-plasma", "plasma", "whole-blood"):
            blood = blood_with_given(path, [], GivenSettings(given_domain=domain))
            self.assertEqual(blood.counted_from, ("injection",))

    def test_two_files_that_count_from_two_moments(self):
        """One of them is on another clock than the image, whichever is read first."""
        image = read_dynamic_pet(self.series("ge", 60)[0])
        files = {}
        for since, times in (("the injection", (0, 30, 600)), ("the start of the scan", (900, 1800, 3600))):
            rows = "\n".join(f"{at},{value}" for at, value in zip(times, (9, 50, 5), strict=True))
            text = f"time [s after {since}],whole_blood_radioactivity [kBq/mL]\n{rows}"
            files[since] = self.write(f"{since.split()[-1]}.csv", text)
        for paths in (list(files.values()), list(files.values())[::-1]):
            data = VisitData(image, None, read_blood(paths), None)
            found = on_one_clock(data, ClockSettings()).blood
            (told,) = (notice for notice in found.notices if notice.code == "blood-clock-stated")
            self.assertIn("the start of the scan", told.message)

    def test_blood_that_counts_from_another_moment(self):
        image = read_dynamic_pet(self.series("ge", 60)[0])  # zero is 60 s before the first frame
        blood = BloodSamples(
            whole_blood=SampledCurve([0, 30, 600], [0, 50, 5]), parent_fraction=SampledCurve([0, 600], [1, 0.5])
        )
        self.assertIs(blood_at(blood, image, "injection"), blood)
        for zero in ("scan", f"{PetPlan.injection:%H:%M:%S}"):
            moved = blood_at(blood, image, zero)
            np.testing.assert_allclose(moved.whole_blood.times_s, [60, 90, 660], atol=1e-3)
            np.testing.assert_allclose(moved.whole_blood.values, np.array([0, 50, 5]) * 2 ** (60 / HALF_LIFE_S))
            np.testing.assert_allclose(moved.parent_fraction.values, [1, 0.5])
            self.assertIn("blood-time-zero", codes(moved.notices))
        with self.assertRaises(InputRefused):
            blood_at(blood, replace(image, time_zero="first frame"), "injection")


class ArrivalTest(unittest.TestCase):
    def pool(self, arrival_s, shift_s=0.0):
        """Frame times moved by ``shift_s``, and the pool's frame averages of a bolus that arrives at ``arrival_s``."""
        grid = np.linspace(0, 1, 201)
        times = STARTS[:, None] + DURATIONS[:, None] * grid
        since = np.maximum(times - arrival_s, 0)
        curve = 100 * (since / 10) * np.exp(1 - since / 10) + 8 * (1 - np.exp(-since / 30))
        return FrameTiming(STARTS + shift_s, DURATIONS), curve.mean(axis=1)

    def test_ordinary_scans_are_not_doubted(self):
        for arrival_s in (8, 15, 25, 35):
            for shift_s in (0, 2, -2, 10):
                self.assertEqual(check_arrival(*self.pool(arrival_s, shift_s), BloodSamples()), ())

    def test_an_injection_that_is_too_early_or_too_late(self):
        for early_s in (70, 120, 360):
            self.assertEqual(codes(check_arrival(*self.pool(15, early_s), BloodSamples())), ["bolus-late"])
        for late_s in (60, 120):
            with self.assertRaises(InputRefused) as caught:
                check_arrival(*self.pool(15, -late_s), BloodSamples())
            self.assertEqual(caught.exception.code, "injection-after-bolus")
            self.assertIn("frame 2", caught.exception.message)
        self.assertEqual(codes(check_arrival(*self.pool(15, -16), BloodSamples())), ["bolus-early"])

    def test_a_scan_that_starts_after_the_bolus_says_nothing_of_its_arrival(self):
        timing, pool = self.pool(-200)
        self.assertEqual(
            check_arrival(FrameTiming(timing.starts_s + 240, timing.durations_s), pool, BloodSamples()), ()
        )

    def test_image_and_blood_that_do_not_share_a_clock(self):
        times = np.arange(0, 600, 5.0)
        for shift_s, told in ((0, []), (20, []), (90, ["arrivals-differ"])):
            sampler = SampledCurve(
                times, 100 * np.exp(-np.maximum(times - 15 - shift_s, 0) / 60) * (times > 15 + shift_s)
            )
            blood = BloodSamples(autosampler=sampler)
            self.assertEqual(codes(check_arrival(*self.pool(15), blood)), told)


if __name__ == "__main__":
    unittest.main()
