"""SUV, SUVR, target-to-blood ratios and DVR: against sums of their own on made and on real images."""

import json
import math
import shutil
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import convolve
from support import visitrecords as made
from support.exacttissue import EDGES_S, parent_plasma
from support.rawdicom import read_raw
from support.realdata import DATA
from support.tinystudy import LEFT, RIGHT, TRUE_VT, DicomVisit, activity, quantified, quiet
from TSPOQuantLib.acquisition.dicom import read_pet
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import Volume
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.kinetics.ratios import window_mean, window_notices
from TSPOQuantLib.messages import InputRefused, Notice
from TSPOQuantLib.outcome.budget import BudgetSettings
from TSPOQuantLib.outcome.ratio import vt_ratio, with_dvr
from TSPOQuantLib.outcome.record import Reference, Sensitivity, from_json
from TSPOQuantLib.outcome.uptake import region_uptake, uptake_notices, uptake_of, window_of
from TSPOQuantLib.plain import to_json
from TSPOQuantLib.regions.anatomy import Anatomy
from TSPOQuantLib.regions.partial_volume import Corrected
from TSPOQuantLib.regions.peak import hottest, sphere
from TSPOQuantLib.regions.region import Region
from TSPOQuantLib.reporting.visit_files import uptake_records
from TSPOQuantLib.reporting.visit_text import uptake_text

TIMING = FrameTiming(np.array([0.0, 600.0, 1200.0, 2400.0]), np.array([600.0, 600.0, 600.0, 1200.0]))


def ball(grid, center, radius_mm):
    k, j, i = np.indices(grid.shape)
    away = np.stack([i, j, k], -1) * grid.spacing_mm - center
    return Region("ball", Anatomy("other"), np.linalg.norm(away, axis=-1) <= radius_mm, grid)


def cube(spacing=(2.0, 2.0, 2.0), shape=(24, 24, 24)):
    return Grid(shape, np.diag([*spacing, 1.0]))


class WindowTest(unittest.TestCase):
    def test_frames_that_the_window_cuts_count_by_their_overlap(self):
        curve = np.array([1.0, 2.0, 4.0, 8.0])
        # 15 to 50 min: 300 s of the second, all of the third, 600 of 1200 s of the fourth; none for 600 s.
        expected = (300 * 2 + 600 * 4 + 600 * 8) / 1500
        self.assertAlmostEqual(float(window_mean(TIMING, curve, (900, 3000))), expected)
        told = window_notices(TIMING, (900, 3000))
        self.assertEqual([one.code for one in told], ["window-cuts-frames", "window-lacks-data"])
        for words in ("frame 2, 50% of it", "frame 4, 50% of it"):
            self.assertIn(words, told[0].message)
        self.assertIn("600 s", told[1].message)
        self.assertEqual(window_notices(TIMING, (600, 1800)), ())

    def test_edges_at_the_resolution_of_clocks_cut_nothing(self):
        self.assertEqual(window_notices(TIMING, (600.0005, 1799.9995)), ())

    def test_no_frame_in_it(self):
        with self.assertRaises(InputRefused) as refused:
            window_mean(TIMING, np.ones(4), (1850, 2350))
        self.assertEqual(refused.exception.code, "window-empty")

    def test_the_default_takes_whole_frames_of_the_last_20_minutes(self):
        self.assertEqual(window_of(made.visit()), (2400, 3600))
        asked = made.visit(settings={"window_min": [30, 45.5]})
        self.assertEqual(window_of(asked), (1800, 2730))


class PeakTest(unittest.TestCase):
    def test_the_sphere_holds_one_cubic_centimeter(self):
        for spacing in ((2.0, 2.0, 2.0), (5.0, 5.0, 5.0), (1.0, 2.3, 3.27)):
            _, shares = sphere(spacing)
            self.assertAlmostEqual(shares.sum() * np.prod(spacing) / 1000, 1, delta=0.006)

    def test_uniform_activity_has_no_peak_above_it(self):
        grid = cube()
        found = hottest(Volume(np.full(grid.shape, 3.0, np.float32), grid, "kBq/mL"), ball(grid, (23, 23, 23), 5), 0.5)
        self.assertAlmostEqual(found.maximum, 3)
        self.assertAlmostEqual(found.peak, 3, places=6)
        self.assertAlmostEqual(found.sd, 0, places=6)

    def test_a_hot_ball_of_half_a_cubic_centimeter_fills_half_of_its_sphere(self):
        grid = cube((1.0, 1.0, 1.0), (40, 40, 40))
        ball_mm = (500 * 3 / (4 * math.pi)) ** (1 / 3)
        region = ball(grid, (20, 20, 20), ball_mm)
        found = hottest(Volume(region.mask.astype(np.float32) * 10, grid, "kBq/mL"), region, 0.5)
        self.assertAlmostEqual(found.peak, 10 * region.mask.sum() / 1000, delta=0.1)
        self.assertEqual(found.maximum, 10)

    def test_a_sphere_that_leaves_the_field_counts_nowhere(self):
        grid = cube(shape=(4, 24, 24))
        found = hottest(Volume(np.ones(grid.shape, np.float32), grid, "kBq/mL"), ball(grid, (23, 23, 3), 5), 0.5)
        self.assertTrue(math.isnan(found.peak))


@unittest.skipUnless((DATA / "pet_dicom/ge_sts001").is_dir(), "the real series is not here")
class RealSeriesTest(unittest.TestCase):
    """Against numpy and scipy alone: thresholds, plain means, and a convolution for the peak."""

    def test_mean_maximum_peak_and_scatter_of_three_regions(self):
        image = read_pet(DATA / "pet_dicom/ge_sts001")
        volume = Volume(image.activity[0], image.grid, "kBq/mL")
        factor = image.scan.weight_kg / image.scan.injected_mbq
        top = np.unravel_index(volume.values.argmax(), volume.values.shape)
        part = tuple(slice(max(n - 25, 0), n + 26) for n in top)
        values = volume.values[part].astype(float)
        self.assertAlmostEqual(values.max() * factor, 66.5215, delta=1e-3)
        kernel = _fine_sphere(np.array(volume.grid.spacing_mm)[::-1])
        means = convolve(values, kernel / kernel.sum(), mode="constant", cval=-1e9)
        for floor in (5.0, 15.0, 40.0):
            mask = np.zeros(volume.values.shape, bool)
            mask[part] = values * factor > floor
            found = hottest(volume, Region("hot", Anatomy("other"), mask, volume.grid), 0.5)
            inside = mask[part]
            with self.subTest(floor):
                self.assertAlmostEqual(found.maximum * factor, 66.5215, delta=1e-3)
                self.assertAlmostEqual(found.sd / values[inside].std(), 1, places=5)
                self.assertAlmostEqual(found.peak / means[inside].max(), 1, delta=2e-3)


def _fine_sphere(spacing_kji):
    """Shares of voxels in a sphere of 1 cm³, from 31 points along each axis: another sampling than the program's."""
    radius = (1000 * 3 / (4 * math.pi)) ** (1 / 3)
    reach = np.ceil(radius / spacing_kji).astype(int) + 1
    steps = (np.arange(31) + 0.5) / 31 - 0.5
    kernel = np.zeros(2 * reach + 1)
    for where in np.ndindex(*kernel.shape):
        axes = [((n - r + steps) * s) ** 2 for n, r, s in zip(where, reach, spacing_kji, strict=True)]
        kernel[where] = (axes[0][:, None, None] + axes[1][:, None] + axes[2] <= radius**2).mean()
    return kernel


class RecordTest(unittest.TestCase):
    def test_suv_needs_dose_weight_and_times_from_the_injection(self):
        """5 MBq/kg; the curve of the record is 0.8 V_T over the last 20 min."""
        missing = {
            "injected_mbq": "injected activity",
            "weight_kg": "body weight",
            "time_zero": "when the injection was",
        }
        for change in ({}, {"injected_mbq": None}, {"weight_kg": None}, {"time_zero": "first frame"}):
            visit = made.visit(acquisition=change)
            found = region_uptake(visit, visit.regions[0])
            self.assertEqual(math.isnan(found.SUV), bool(change), change)
            self.assertAlmostEqual(found.TBR_PP, 4.8)
            said = {one.code: one.message for one in uptake_notices(visit)}
            self.assertEqual("suv-not-known" in said, bool(change), change)
            for name, words in missing.items() if change else ():
                self.assertEqual(words in said["suv-not-known"], name in change, change)

    def test_dose_and_weight_that_nobody_has_give_no_suv(self):
        for change in ({"injected_mbq": 4e-4}, {"injected_mbq": 4e8}, {"weight_kg": 80_000.0}, {"weight_kg": -80.0}):
            visit = made.visit(acquisition=change)
            self.assertTrue(math.isnan(region_uptake(visit, visit.regions[0]).SUV), change)
            self.assertEqual(
                [one.code for one in uptake_notices(visit) if one.code.startswith("suv-")], ["suv-implausible"]
            )

    def test_ratio_to_a_reference_with_the_range_of_its_frames(self):
        visit = made.visit()
        curve = np.array(visit.regions[0].mean)
        below = np.linspace(1, 2, len(curve))
        visit = replace(visit, reference=Reference("blood pool", tuple(below)))
        found = region_uptake(visit, visit.regions[0])
        timing, (begin, end) = visit.acquisition.timing, window_of(visit)
        late = (timing.starts_s >= begin) & (timing.ends_s <= end)
        weights = timing.durations_s[late]
        wanted = np.average(curve[late], weights=weights) / np.average(below[late], weights=weights)
        self.assertAlmostEqual(found.SUVR, wanted)
        ratios = curve[late] / below[late]
        self.assertEqual((found.SUVR_low, found.SUVR_high), (ratios.min(), ratios.max()))

    def test_caution_stands_beside_suvr_of_the_tracer_that_has_one(self):
        for tracer, cautioned in (("(R)-[11C]PK11195", True), ("[11C]DPA-713", False)):
            visit = made.visit(acquisition={"tracer": tracer})
            self.assertNotIn("suvr-caution", [one.code for one in uptake_notices(visit)])
            visit = replace(visit, reference=Reference("muscle", visit.regions[0].mean))
            codes = [one.code for one in uptake_notices(visit)]
            self.assertEqual("suvr-caution" in codes, cautioned, tracer)

    def test_old_records_have_suv_too(self):
        visit = made.visit()
        content = json.loads(to_json(visit))
        content.pop("reference")
        for region in content["regions"]:
            region.pop("hottest")
        old = from_json(json.dumps(content))
        self.assertEqual([row.TBR_PP for row in uptake_of(old)], [row.TBR_PP for row in uptake_of(visit)])
        self.assertTrue(math.isnan(uptake_of(old)[0].SUVmax))


class CorrectedTest(unittest.TestCase):
    """A region corrected for partial volume, its alternatives at -10 and +20 %, 1 mm of FWHM moving it by 8 %."""

    def visit(self, sensitivities=(), **changes):
        visit = made.visit()
        region = visit.regions[0]
        mean = 1.5 * np.array(region.mean)
        alternatives = {"RBV": 0.9 * mean, "IY": 1.2 * mean}
        one = Corrected(
            mean, np.array(region.sd), mean / 1.05, mean * 1.08, 2.0, 0.5, (), (), mean[None], alternatives
        )
        scan = replace(visit.acquisition, **changes)
        regions = (replace(region, corrected=one), *visit.regions[1:])
        return replace(visit, pvc="GTM", regions=regions, acquisition=scan, sensitivities=tuple(sensitivities))

    def test_its_error_by_resolution_model_and_place(self):
        model = (math.log(0.9) ** 2 + math.log(1.2) ** 2) / 2
        moved = [
            Sensitivity(made.LEFT, "1TCM", "GTM", "placement", f"placement:{axis}", "mm", 1.0, -0.1, 0.1, None)
            for axis in "xyz"
        ]
        other = replace(moved[0], component="input-scale", factor="input-scale", lower=-1.0, upper=1.0)
        for sensitivities, changes, wanted in (
            ((), {}, (0.5 * math.log(1.08)) ** 2 + model),  # 0.5 mm are assumed
            ((), {"fwhm_se_mm": 2.0}, (2 * math.log(1.08)) ** 2 + model),
            ((*moved, other), {}, (0.5 * math.log(1.08)) ** 2 + model + 3 * (0.1 / math.sqrt(3)) ** 2),
        ):
            visit = self.visit(sensitivities, **changes)
            rows = {row.pvc: row for row in uptake_of(visit) if row.region == made.LEFT}
            self.assertAlmostEqual(rows["GTM"].relative_se, math.sqrt(wanted))
            self.assertAlmostEqual(rows["GTM"].error("TBR-PP"), rows["GTM"].TBR_PP * math.sqrt(wanted))
            low, high = rows["GTM"].interval("SUV")
            self.assertAlmostEqual(low * high, rows["GTM"].SUV ** 2)
            self.assertAlmostEqual(math.log(high / low), 2 * 1.96 * math.sqrt(wanted))
            self.assertTrue(math.isnan(rows["none"].relative_se))
            (told,) = [one for one in uptake_notices(visit) if one.code == "suv-corrected-error"]
            self.assertEqual("the place" in told.message, bool(sensitivities))

    def test_a_region_of_which_an_error_leaves_nothing_is_told_by_name(self):
        visit = self.visit()
        one = next(region for region in visit.regions if region.corrected is not None)
        emptied = replace(one, corrected=replace(one.corrected, coarser=0 * np.array(one.corrected.coarser)))
        others = [region for region in visit.regions if region is not one]
        found = {told.code: told for told in uptake_notices(replace(visit, regions=(emptied, *others)))}
        self.assertIn(one.name, found["suv-corrected-lost"].message)
        for told in found.values():
            self.assertNotIn("inf", told.message.split())

    def test_every_table_has_it(self):
        visit = self.visit()
        row = next(row for row in uptake_of(visit) if row.pvc == "GTM")
        self.assertIn(f"{row.SUV:.2f} ± {row.error('SUV'):.2f}", uptake_text(visit))
        record = next(one for one in uptake_records(visit) if one["pvc"] == "GTM")
        self.assertEqual(record["relative_se"], row.relative_se)
        self.assertNotIn("±", uptake_text(made.visit()))


class DvrTest(unittest.TestCase):
    """Two regions of one scan that an error of the input moves by 6 % and by 4 %: 2 % are left of it."""

    def visit(self):
        def moved(region, by):
            return Sensitivity(region, "1TCM", "none", "input-scale", "input-scale", "", 0.05, -by, by, None)

        rows = [row for row in made.visit().rows if row.model == "1TCM"]
        names = [row.region for row in rows[:2]]
        visit = made.visit()
        errors = (moved(names[0], 0.06), moved(names[1], 0.04))
        return replace(visit, sensitivities=errors, reference=Reference(names[1], visit.regions[1].mean)), rows

    def test_errors_that_both_share_cancel_and_it_is_told_by_how_much(self):
        visit, rows = self.visit()
        noise = [row.VT_se / row.VT for row in rows[:2]]
        found = vt_ratio(visit, rows[0], rows[1], settings=BudgetSettings(input_scale=0.05))
        self.assertAlmostEqual(found.ratio, rows[0].VT / rows[1].VT)
        self.assertAlmostEqual(found.variance, noise[0] ** 2 + noise[1] ** 2 + 0.02**2)
        self.assertAlmostEqual(found.apart, noise[0] ** 2 + noise[1] ** 2 + 0.06**2 + 0.04**2)
        done, told = with_dvr(visit)
        row = next(one for one in done.rows if (one.region, one.model) == (rows[0].region, "1TCM"))
        self.assertAlmostEqual(row.DVR, found.ratio)
        self.assertAlmostEqual(row.DVR_se, found.ratio * math.sqrt(found.variance))
        self.assertEqual([one.code for one in told], ["dvr-error"])

    def test_the_reference_against_itself_is_one_without_error(self):
        done, _ = with_dvr(self.visit()[0])
        row = next(one for one in done.rows if one.region == done.reference.name and one.model == "1TCM")
        self.assertEqual((row.DVR, row.DVR_se), (1, 0))

    def test_none_without_a_reference_that_has_a_vt(self):
        visit, _ = self.visit()
        for reference in (None, Reference("blood pool", visit.regions[0].mean)):
            done, told = with_dvr(replace(visit, reference=reference))
            self.assertEqual(({row.DVR for row in done.rows}, told), ({None}, ()))


class StudyTest(unittest.TestCase):
    """The tiny study: halves of one activity each, so that means are known from the image itself."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        cls.study = DicomVisit(with_ct=False).write(cls.scratch / "visit")
        text = cls.study.read_text()
        cls.study.write_text(text + f'[outcome]\nwindow_min = [35, 55]\nreference = "{RIGHT}"\n')
        cls.record = quantified(cls.study, cls.scratch / "out")
        overlap = np.minimum(EDGES_S[1:], 55 * 60) - np.maximum(EDGES_S[:-1], 35 * 60)
        cls.weights = np.clip(overlap, 0, None)

    def test_suv_and_ratios_of_the_window(self):
        image = activity("baseline")
        left, right = image[:, :, :, -1].mean(axis=(1, 2)), image[:, :, :, 0].mean(axis=(1, 2))
        means = [np.average(curve, weights=self.weights) for curve in (left, right)]
        found = {row.region: row for row in uptake_of(self.record)}
        per_kbq = 80.0 / 400.0  # kg over MBq, as written
        self.assertAlmostEqual(found[LEFT].SUV, means[0] * per_kbq, delta=2e-3 * means[0])
        self.assertAlmostEqual(found[LEFT].SUVR, means[0] / means[1], delta=2e-3)
        self.assertAlmostEqual(found[RIGHT].SUVR, 1)
        self.assertAlmostEqual(found[LEFT].SUVmax, found[LEFT].SUV, delta=2e-3)
        self.assertAlmostEqual(found[LEFT].SUVsd, 0, delta=2e-3)

    def test_suv_ratio_and_tbr_against_the_bytes_of_the_files(self):
        """DICOM read by numpy alone; blood from its closed form; frames 30-40 and 50-60 min count by half."""
        raw = read_raw(self.study.parent / "pet")
        late = raw.window_mean(35, 55)
        left, right = late[:, :, -1].mean(), late[:, :, 0].mean()
        points = (np.arange(400) + 0.5) / 400
        seconds = EDGES_S[:-1, None] + points * np.diff(EDGES_S)[:, None]
        plasma = np.average(parent_plasma(seconds / 60).mean(axis=1), weights=self.weights)
        found = {row.region: row for row in uptake_of(self.record)}
        for name, wanted in (
            ("SUV", left),
            ("SUVR", left / right),
            ("TBR_PP", left / (80 / 400) / plasma),
            ("TBR_WB", left / (80 / 400) / plasma / 1.2),
        ):
            self.assertAlmostEqual(getattr(found[LEFT], name) / wanted, 1, delta=1e-4, msg=name)
        inside = {frame for frame in range(len(self.weights)) if self.weights[frame]}
        values = [raw.suv[frame][:, :, -1].mean() for frame in sorted(inside)]
        np.testing.assert_allclose((found[LEFT].SUV_low, found[LEFT].SUV_high), (min(values), max(values)), rtol=1e-4)

    def test_dvr_is_the_ratio_of_the_true_volumes(self):
        row = next(one for one in self.record.rows if (one.region, one.model) == (LEFT, "1TCM"))
        truth = TRUE_VT["baseline"]
        self.assertAlmostEqual(row.DVR, truth["left"] / truth["right"], delta=0.01)

    def test_files_and_notices(self):
        (table,) = (self.scratch / "out").glob("*_uptake.tsv")
        self.assertIn("SUVpeak", table.read_text())
        about = json.loads(table.with_suffix(".json").read_text())
        self.assertEqual((about["Window"]["Start"], about["Window"]["End"], about["Reference"]), (2100, 3300, RIGHT))
        self.assertIn("1 cm3", about["SUVpeak"]["Description"])
        cut = [notice for notice in self.record.notices if notice.code == "window-cuts-frames"]
        self.assertEqual(len(cut), 1)
        self.assertIsInstance(cut[0], Notice)

    def test_a_reference_that_is_not_there_and_a_window_without_frames(self):
        for old, new, code in (
            (f'reference = "{RIGHT}"', 'reference = "liver"', "reference-region"),
            ("[35, 55]", "[80, 90]", "window-empty"),
            ("[segmentation]\n", '[segmentation]\nunaffected = "liver"\n', "unaffected-region"),
        ):
            other = self.study.with_name("other.toml")
            other.write_text(self.study.read_text().replace(old, new))
            done, told = quiet("quantify", other, "--out", self.scratch / "never")
            self.assertEqual(done, 3)
            self.assertIn(code, told)


if __name__ == "__main__":
    unittest.main()
