"""What FrameReferenceTime and DecayFactor mean at each vendor, on sixty real headers and in closed form."""

import csv
import unittest
from datetime import datetime

import numpy as np
from support.realdata import DATA, needs_data
from TSPOQuantLib.acquisition.decay import frame_factor, growth, weighted_mean_s
from TSPOQuantLib.acquisition.dicom_values import date_time, single_date_time
from TSPOQuantLib.acquisition.vendor_timing import (
    CLOCK_TOLERANCE_S,
    CONVENTION,
    Convention,
    Vendor,
    expected_factor,
    frame_clock,
    plausible_injection,
    reference_offset_s,
    scan_start_s,
    tags_of,
    vendor_of,
)
from TSPOQuantLib.tracers import nuclide

NOON = datetime(2021, 5, 6, 12, 0)

# Real files whose FrameReferenceTime fits no convention when counted from AcquisitionTime, and why.
STANDS_STILL = "AcquisitionTime stands at SeriesTime"
NO_DURATION = "no ActualFrameDuration"
NOT_PET = "a secondary capture"
ODD = {
    **dict.fromkeys(
        (
            "acrin_nsclc_fdg_pet_ACRIN-NSCLC-FDG-PET-034_001.dcm",
            "acrin_nsclc_fdg_pet_ACRIN-NSCLC-FDG-PET-051_003.dcm",
            "acrin_nsclc_fdg_pet_ACRIN-NSCLC-FDG-PET-058_007.dcm",
            "acrin_nsclc_fdg_pet_ACRIN-NSCLC-FDG-PET-068_007.dcm",
            "acrin_nsclc_fdg_pet_ACRIN-NSCLC-FDG-PET-196_023.dcm",
            "acrin_nsclc_fdg_pet_ACRIN-NSCLC-FDG-PET-229_004.dcm",
            "nsclc_radiogenomics_R01-106_001.dcm",
            "pseudo_phi_dicom_data_3642991663_026.dcm",
            "soft_tissue_sarcoma_STS_032_005.dcm",
        ),
        STANDS_STILL,
    ),
    **dict.fromkeys(
        (
            "acrin_nsclc_fdg_pet_ACRIN-NSCLC-FDG-PET-020_000.dcm",
            "cmb_gec_CMB-GEC-MSB-06857_018.dcm",
            "cmb_lca_CMB-LCA-MSB-01649_021.dcm",
            "tcga_lusc_TCGA-60-2726_027.dcm",
        ),
        NO_DURATION,
    ),
    **dict.fromkeys(
        (
            "cmb_mml_CMB-MML-MSB-06305_027.dcm",
            "tcga_lusc_TCGA-92-7340_013.dcm",
            "tcga_ucec_TCGA-FI-A2D5_024.dcm",
        ),
        NOT_PET,
    ),
}


def convention_of(
    vendor: Vendor, frame_start_to_reference_s: float, duration_s: float, half_life_s: float
) -> Convention | None:
    """The convention that a single frame's numbers show, the vendor's own first; None when none fits."""
    expected = CONVENTION.get(vendor)
    for convention in sorted(Convention, key=lambda one: one is not expected):
        offset = reference_offset_s(convention, np.array([duration_s]), half_life_s)[0]
        if abs(frame_start_to_reference_s - offset) <= CLOCK_TOLERANCE_S:
            return convention
    return None


class RealHeadersTest(unittest.TestCase):
    def rows(self) -> list[dict[str, str]]:
        return list(csv.DictReader((DATA / "pet_dicom" / "slices" / "frame_timing.csv").open()))

    @needs_data
    def test_every_file_shows_its_vendors_convention(self) -> None:
        named = 0
        for row in self.rows():
            with self.subTest(row["file"]):
                vendor = vendor_of(row["manufacturer"])
                if ODD.get(row["file"]) == NO_DURATION:
                    self.assertEqual(row["duration_s"], "")
                elif ODD.get(row["file"]) == NOT_PET:
                    self.assertEqual(row["frame_reference_time_s"], "")
                else:
                    duration, half_life = float(row["duration_s"]), float(row["half_life_s"])
                    shown = convention_of(vendor, float(row["frt_minus_frame_start_s"]), duration, half_life)
                    if row["file"] in ODD:
                        self.assertEqual(float(row["acquisition_minus_series_s"]), 0)
                        self.assertIsNone(shown)
                    else:
                        named += 1
                        self.assertIs(shown, CONVENTION[vendor])
        # The digital reference object is not in frame_timing.csv.
        self.assertEqual((named, len(self.rows())), (43, 59))

    @needs_data
    def test_the_three_formulas_agree_with_the_table(self) -> None:
        for row in self.rows():
            if not row["duration_s"]:
                continue
            duration, half_life = np.array([float(row["duration_s"])]), float(row["half_life_s"])
            middle = reference_offset_s(Convention.MIDDLE, duration, half_life)[0]
            mean = reference_offset_s(Convention.MEAN, duration, half_life)[0]
            self.assertAlmostEqual(middle / float(row["arithmetic_middle_s"]), 1, delta=1e-5)
            self.assertAlmostEqual(mean / float(row["decay_weighted_mean_s"]), 1, delta=1e-5)
            start = float(row["acquisition_minus_series_s"])
            factor = frame_factor(duration, half_life)[0] * growth(start, half_life)
            self.assertAlmostEqual(factor / float(row["decay_factor_frame_averaged"]), 1, delta=1e-5)

    @needs_data
    def test_decay_factors_are_frame_averages_at_ge_and_siemens_and_one_at_philips(self) -> None:
        compared = 0
        for row in self.rows():
            if not row["duration_s"] or not row["decay_factor_header"]:
                continue
            stated, vendor = float(row["decay_factor_header"]), vendor_of(row["manufacturer"])
            if vendor is Vendor.PHILIPS:
                self.assertEqual(stated, 1.0)
                continue
            compared += 1
            if ODD.get(row["file"]) == STANDS_STILL:
                start = float(row["frame_reference_time_s"])  # GE: the frame's start, where the clock stands still
            else:
                start = float(row["acquisition_minus_series_s"])
            duration, half_life = np.array([float(row["duration_s"])]), float(row["half_life_s"])
            expected = frame_factor(duration, half_life)[0] * growth(start, half_life)
            self.assertAlmostEqual(stated / expected, 1, delta=2e-4, msg=row["file"])
        self.assertEqual(compared, 33)


class ClosedFormTest(unittest.TestCase):
    def test_frame_factor_is_the_integral(self) -> None:
        half_life = 1220.4
        for duration in (1e-3, 5.0, 60.0, 600.0, 5000.0):
            middles = (np.arange(200000) + 0.5) / 200000 * duration
            average = np.mean(np.exp2(-middles / half_life))
            self.assertAlmostEqual(frame_factor([duration], half_life)[0] * average, 1, delta=1e-9)
            mean = weighted_mean_s([duration], half_life)[0]
            self.assertAlmostEqual(2 ** (-mean / half_life) / average, 1, delta=1e-9)
        self.assertEqual(frame_factor([0.0], half_life)[0], 1.0)

    def test_nuclides(self) -> None:
        for text, expected in (
            ("^11^Carbon", "C11"),
            ("C-11", "C11"),
            ("[11C]DPA-713", "C11"),
            ("Carbon 11", "C11"),
            ("^18^Fluorine", "F18"),
            ("18F", "F18"),
            ("FDG -- fluorodeoxyglucose", None),
            ("^68^Gallium", None),
            ("^82^Rubidium", None),
            ("", None),
        ):
            self.assertEqual(nuclide(text), expected, text)

    def test_vendors(self) -> None:
        for text, vendor in (
            ("GE MEDICAL SYSTEMS", Vendor.GE),
            ("GE Healthcare", Vendor.GE),
            ("GE", Vendor.GE),
            ("GEMINI", Vendor.OTHER),
            ("SIEMENS", Vendor.SIEMENS),
            ("Siemens Healthineers", Vendor.SIEMENS),
            ("CPS", Vendor.SIEMENS),
            ("Philips Medical Systems", Vendor.PHILIPS),
            ("CANON_TSUS", Vendor.OTHER),
            ("UIH", Vendor.OTHER),
            ("", Vendor.OTHER),
        ):
            self.assertIs(vendor_of(text), vendor, text)


class ClockTest(unittest.TestCase):
    def tags(self, vendor: Vendor, acquired: list[float], durations: list[float], reference: list[float]):
        moments = [NOON.replace(minute=int(s // 60), second=int(s % 60)) for s in acquired]
        none: list[float | None] = [None] * len(acquired)
        return tags_of(vendor, 1220.4, moments, durations, reference, none, NOON, None)

    def test_equal_durations_are_told_apart_by_their_zero(self) -> None:
        """Frames of one length fit all three conventions up to a constant; that constant must be the scan's start."""
        acquired, durations = [0.0, 300.0, 600.0], [300.0, 300.0, 300.0]
        for convention in Convention:
            offset = reference_offset_s(convention, np.array(durations), 1220.4)
            clock = frame_clock(self.tags(Vendor.OTHER, acquired, durations, list(np.array(acquired) + offset)))
            self.assertIs(clock.convention, convention)
            np.testing.assert_array_equal(clock.starts_s, acquired)

    def test_expected_factor(self) -> None:
        tags = self.tags(Vendor.GE, [0.0, 60.0], [60.0, 60.0], [0.0, 60.0])
        clock = frame_clock(tags)
        start, rule = scan_start_s(tags, clock)
        self.assertEqual((start, rule), (0.0, "SeriesTime"))
        ratio = expected_factor(tags, clock.starts_s, start)
        self.assertAlmostEqual(ratio[1] / ratio[0], 2 ** (60 / 1220.4), delta=1e-12)

    def test_plausible_injection(self) -> None:
        half_life = 1220.4
        for dated, time_of_day, expected in (
            (NOON.replace(hour=11), None, NOON.replace(hour=11)),
            (NOON.replace(year=2001, hour=11), None, NOON.replace(hour=11)),
            (None, datetime(2000, 1, 1, 11, 30), NOON.replace(hour=11, minute=30)),
            (None, datetime(2000, 1, 1, 12, 5), NOON.replace(minute=5)),
            (None, datetime(2000, 1, 1, 12, 30), None),
            (None, datetime(2000, 1, 1, 3, 0), None),
            (None, None, None),
        ):
            self.assertEqual(plausible_injection(dated, time_of_day, NOON, half_life), expected)


class ValuesTest(unittest.TestCase):
    def test_dates_and_times(self) -> None:
        for date, time, expected in (
            ("20210304", "103000", datetime(2021, 3, 4, 10, 30)),
            ("20210304", "1030", datetime(2021, 3, 4, 10, 30)),
            ("20210304", "10", datetime(2021, 3, 4, 10)),
            ("20210304", "103000.5", datetime(2021, 3, 4, 10, 30, 0, 500000)),
            ("20210304", "103000.000123", datetime(2021, 3, 4, 10, 30, 0, 123)),
            ("2021.03.04", "10:30:00", datetime(2021, 3, 4, 10, 30)),
            ("20210304", "235960", datetime(2021, 3, 5)),
            ("20210230", "103000", None),
            ("20210304", "253000", None),
            ("99991231", "235960", None),
            ("", "103000", None),
            ("20210304", "", None),
            ("noon", "noon", None),
        ):
            self.assertEqual(date_time(date, time), expected, (date, time))

    def test_date_times_with_offsets(self) -> None:
        at = datetime(2021, 3, 4, 10, 30)
        self.assertEqual(single_date_time("20210304103000.00"), at)
        self.assertEqual(single_date_time("20210304103000+0100"), at)
        self.assertEqual(single_date_time("20210304103000+0100", "+0100"), at)
        self.assertEqual(single_date_time("20210304093000+0000", "+0100"), at)
        self.assertEqual(single_date_time("20210304053000-0500", "+0000"), at)
        self.assertIsNone(single_date_time(""))
        self.assertIsNone(single_date_time("20210304"))


if __name__ == "__main__":
    unittest.main()
