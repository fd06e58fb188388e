"""The change of V_T and its error, against closed forms and against draws of the errors themselves."""

import json
import math
import tempfile
import unittest
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from support import visitrecords as made
from TSPOQuantLib.acquisition.segmentation import Segment
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused, Notice
from TSPOQuantLib.outcome.budget import BudgetSettings, errors_from, errors_of
from TSPOQuantLib.outcome.clinical import Clinical, Lesion, Treatment
from TSPOQuantLib.outcome.compare import compare, comparison_record
from TSPOQuantLib.outcome.repeatability import Coefficient, coefficient_for, judge
from TSPOQuantLib.outcome.sensitivity import Measured, _of_place, of_correction_model, of_kinetic_model
from TSPOQuantLib.pipeline.quantification import two_tissue_notices, vessel_notices, width_notices
from TSPOQuantLib.plain import plain
from TSPOQuantLib.regions.region import PLACEMENT_TAG, region_of
from TSPOQuantLib.reporting.comparison_files import comparison_text, write_comparison
from TSPOQuantLib.reporting.report import report_document
from TSPOQuantLib.reporting.report_html import html

LESION = Lesion("C6/C7", "left")
CLINICAL = Clinical({"baseline": {"vas_arm": 42.0, "ndi": 28.0}, "followup": {"vas_arm": 6.0, "ndi": 13.0}}, LESION)
NOTHING = BudgetSettings(0, 0, 0, 0, 0, 0)
KEY = "VT_foramen_C6C7_left"
DRAWS = 400_000


def pair(before=(), after=(), error=0.02, later=None):
    """Two visits with the sensitivities given."""
    vt = {name: 0.5 * value for name, value in made.VT.items()} | (later or {})
    return [
        made.visit("baseline", error=error, sensitivities=before),
        made.visit("followup", vt=vt, error=error, sensitivities=after),
    ]


def moved(region, component, factor, step, linear, quadratic, **more):
    """A sensitivity of ln V_T = linear z + quadratic z² for z = nuisance / step."""
    return made.sensitivity(region, component, factor, step, quadratic - linear, quadratic + linear, **more)


class IntervalTest(unittest.TestCase):
    def test_noise_alone(self):
        change = compare(pair(), budget=NOTHING).change(KEY, "followup")
        self.assertAlmostEqual(change.log_ratio, math.log(0.5))
        self.assertAlmostEqual(change.percent, -50)
        self.assertAlmostEqual(change.difference, -6)
        self.assertAlmostEqual(change.log_ratio_se, 0.02 * math.sqrt(2))
        self.assertAlmostEqual(change.difference_se, math.hypot(0.02 * 12, 0.02 * 6))
        # Two equal errors of 16 degrees of freedom each have 32 (Welch-Satterthwaite), t(32) = 2.0369.
        self.assertAlmostEqual(change.degrees_of_freedom, 32)
        half = 2.0369 * 0.02 * math.sqrt(2)
        self.assertAlmostEqual(change.ratio_low, 0.5 * math.exp(-half), places=5)
        self.assertAlmostEqual(change.percent_high, 100 * (0.5 * math.exp(half) - 1), places=3)

    def test_what_the_scale_of_the_input_adds(self):
        change = compare(pair([made.scale_of(made.LEFT)], [made.scale_of(made.LEFT)])).change(KEY, "followup")
        parts = {part.component: part for part in change.budget}
        self.assertAlmostEqual(parts["input-scale"].baseline, 0.05, places=3)
        self.assertAlmostEqual(parts["input-scale"].change, 0.05 * math.sqrt(2), places=3)
        self.assertEqual(parts["input-scale"].assumed, "5 %")
        self.assertEqual(parts["noise"].assumed, "")
        self.assertAlmostEqual(change.log_ratio_se, math.hypot(*(part.change for part in change.budget)))

    def test_a_visit_alone_has_the_error_that_it_has_beside_another(self):
        rows = [made.scale_of(made.LEFT), moved(made.LEFT, "resolution", "resolution", 1.0, 0.20, 0.03)]
        both = compare(pair(rows, rows))
        alone = compare(both.visits[:1])
        value, change = alone.values[0], both.change(KEY, "followup")
        self.assertEqual(value, both.values[0])
        self.assertEqual(
            {part.component: part.size for part in value.budget},
            {part.component: part.baseline for part in change.budget},
        )
        self.assertAlmostEqual(value.total_se, change.baseline_total_se, places=12)
        # Noise of 16 degrees of freedom is the smaller part: the quantile is close to the normal one.
        self.assertAlmostEqual(math.log(value.high / value.VT) / (value.total_se / value.VT), 1.96, delta=0.02)
        self.assertAlmostEqual(value.low * value.high, value.VT**2)
        self.assertNotIn("correlation", " ".join(part.assumed for part in value.budget))

    def test_an_interval_is_unknown_where_an_error_is(self):
        unknown = moved(made.LEFT, "resolution", "resolution", 1.0, math.nan, math.nan)
        value = compare(pair([unknown], [unknown])[:1]).values[0]
        self.assertEqual((value.low, value.high), (0.0, math.inf))

    def test_moments_meet_draws(self):
        """Resolution with the stated correlation, placement without: mean squares of the drawn errors."""
        budget = BudgetSettings(0, 0, placement_mm=math.sqrt(3), registration_mm=0, fwhm_mm=0.8)

        def seen(component, factor, linear, quadratic, size=1.0):
            """With the slope (root mean square) that a nuisance of this size in the data themselves leaves."""
            slope = math.copysign(math.hypot(linear, 2 * quadratic * size), linear)
            return moved(made.LEFT, component, factor, 1.0, slope, quadratic)

        before = [
            seen("resolution", "resolution", 0.20, 0.03, 0.8),
            seen("placement", "placement:x", 0.02, -0.05),
            seen("placement", "placement:y", 0.01, -0.02),
        ]
        after = [
            seen("resolution", "resolution", 0.15, 0.01, 0.8),
            seen("placement", "placement:x", -0.03, -0.01),
            seen("placement", "placement:y", 0.0, -0.04),
        ]
        change = compare(pair(before, after, error=0.0), budget=budget).change(KEY, "followup")
        parts = {part.component: part.change for part in change.budget}
        rng = np.random.default_rng(3)
        shared, own = rng.standard_normal(DRAWS), rng.standard_normal((2, DRAWS))
        z1, z2 = (0.8 * (math.sqrt(0.9) * shared + math.sqrt(0.1) * one) for one in own)
        resolution = 0.15 * z2 + 0.01 * z2**2 - 0.20 * z1 - 0.03 * z1**2
        x1, y1, x2, y2 = rng.standard_normal((4, DRAWS))
        place = -0.03 * x2 - 0.01 * x2**2 - 0.04 * y2**2 - (0.02 * x1 - 0.05 * x1**2 + 0.01 * y1 - 0.02 * y1**2)
        for name, drawn in (("resolution", resolution), ("placement", place)):
            self.assertAlmostEqual(parts[name] / math.sqrt((drawn**2).mean()), 1, delta=0.01, msg=name)

    def test_a_region_out_of_place_sees_a_slope_because_it_is(self):
        """V_T that falls off beside a place: its slope where the region was drawn holds the error itself."""
        budget, linear, quadratic = BudgetSettings(0, 0, math.sqrt(3), 0), 0.15, -0.04
        z = np.random.default_rng(5).standard_normal(2000)
        slopes = linear + 2 * quadratic * z
        stated = [
            errors_from("region", 0.0, 9, [moved("region", "placement", "placement:x", 1.0, slope, quadratic)], budget)
            for slope in slopes.tolist()
        ]
        found = np.mean((linear * z + quadratic * z**2) ** 2)
        self.assertAlmostEqual(np.mean([one.variance() for one in stated]) / found, 1, delta=0.08)

    def test_an_error_that_both_visits_share_cancels(self):
        same = [moved(made.LEFT, "resolution", "resolution", 1.0, 0.2, 0.05)]
        change = compare(
            pair(same, same, error=0.0), budget=BudgetSettings(0, 0, 0, 0, 0.5, resolution_correlation=1)
        ).change(KEY, "followup")
        self.assertAlmostEqual(change.log_ratio_se, 0)
        self.assertGreater(change.baseline_total_se, 0.09 * 12)
        self.assertAlmostEqual(change.difference_se, 0.5 * change.baseline_total_se, places=6)  # of 12 and of 6

    def test_two_estimates_of_one_resolution(self):
        """V_T moves by 20 % a mm. Estimates with SE of 1 mm that differ by 0.3 mm, of a scanner whose resolution may
        change by 0.5 sqrt(0.2) mm, leave that difference; those of two scanners, or that differ by more, err as they
        did, as do estimates better than that."""
        per_mm, drift = 0.2, 0.5 * math.sqrt(0.2)
        apart = math.hypot(1.2, 1.1)
        for widths, errors, models, expected in (
            ((4.0, 4.3), (1.2, 1.1), ("A", "A"), per_mm * math.hypot(0.3, drift)),
            ((4.0, 4.3), (1.2, 1.1), ("A", "B"), per_mm * apart),
            ((4.0, 7.0), (1.2, 1.1), ("A", "A"), per_mm * apart),
            ((5.0, 5.05), (0.05, 0.04), ("A", "A"), per_mm * math.hypot(0.05, 0.04)),
            ((5.0, 5.0), (None, None), ("A", "A"), per_mm * drift),
        ):
            visits = [
                replace(
                    visit,
                    acquisition=replace(visit.acquisition, fwhm_mm=width, fwhm_se_mm=error, scanner_model=model),
                    sensitivities=(
                        moved(made.LEFT, "resolution", "resolution", 1.0, per_mm, 0.0, unit="mm", sd=error),
                    ),
                )
                for visit, width, error, model in zip(pair(error=0.0), widths, errors, models, strict=True)
            ]
            accepted = ["visits-resolution"] * (widths[1] == 7.0) + ["visits-scanner"] * (models[0] != models[1])
            with self.subTest(widths=widths, models=models):
                change = compare(visits, accept=accepted).change(KEY, "followup")
                self.assertAlmostEqual(change.log_ratio_se, expected)

    def test_what_two_estimates_of_a_resolution_do_not_share_bounds_the_error_of_their_difference(self):
        """Estimates that differ by x, with e² = 2 · 0.3² mm² of their own and c² = 0.2 · 0.5² of a change between the
        visits: by drawing both and keeping the pairs that differ by about x."""
        rng, per_mm = np.random.default_rng(4), 0.2
        errors = rng.normal(0, math.sqrt(2) * 0.3, DRAWS)
        seen = errors + rng.normal(0, 0.5 * math.sqrt(0.2), DRAWS)
        for apart in (0.0, 0.4):
            visits = [
                replace(
                    visit,
                    acquisition=replace(
                        visit.acquisition, fwhm_mm=width, fwhm_se_mm=1.0, fwhm_own_se_mm=0.3, scanner_model="A"
                    ),
                    sensitivities=(moved(made.LEFT, "resolution", "resolution", 1.0, per_mm, 0.0, unit="mm", sd=1.0),),
                )
                for visit, width in zip(pair(error=0.0), (5.0, 5.0 + apart), strict=True)
            ]
            known = math.sqrt(np.mean(errors[abs(seen - apart) < 0.02] ** 2))
            found = compare(visits).change(KEY, "followup").log_ratio_se
            self.assertAlmostEqual(found / (per_mm * known), 1, delta=0.03)
        # Near the skin and at the regions are two places, whose widths agree by chance.
        scan = replace(visits[1].acquisition, fwhm_skin_alone=True)
        found = compare([visits[0], replace(visits[1], acquisition=scan)]).change(KEY, "followup").log_ratio_se
        self.assertAlmostEqual(found, per_mm * math.sqrt(2))

    def test_one_side_stands_for_both(self):
        change = {}
        for name, ends in (("both", (-0.1, 0.1)), ("lower", (-0.1, math.nan)), ("none", (math.nan, math.nan))):
            one = made.sensitivity(made.LEFT, "delay", "delay", 2.0, *ends, "s")
            change[name] = compare(pair([one], [one])).change(KEY, "followup")
        self.assertEqual(change["lower"].log_ratio_se, change["both"].log_ratio_se)
        self.assertEqual((change["none"].ratio_low, change["none"].ratio_high), (0.0, math.inf))

    def test_no_volume_no_change(self):
        change = compare(pair(later={made.LEFT: math.nan})).change(KEY, "followup")
        self.assertTrue(math.isnan(change.percent) and math.isnan(change.ratio_low))
        self.assertEqual(change.verdict.code, "not-estimated")
        wide = compare(pair(error=math.inf)).change(KEY, "followup")
        self.assertEqual((wide.ratio_low, wide.ratio_high), (0.0, math.inf))

    def test_sizes_follow_the_settings(self):
        record = made.visit(sensitivities=[moved(made.LEFT, "delay", "delay", 2.0, 0.03, 0.0, unit="s")])
        for size in (0.0, 1.0, 4.0):
            errors = errors_of(record, made.LEFT, "1TCM", "none", BudgetSettings(delay_s=size))
            self.assertAlmostEqual(math.sqrt(errors.variance("delay")), 0.03 * size / 2)


class ContrastTest(unittest.TestCase):
    def test_the_input_cancels_between_regions_of_one_visit(self):
        own = [made.scale_of(name) for name in made.VT]
        comparison = compare(pair(own, own), CLINICAL)
        chosen = [c for c in comparison.contrasts if c.model == "1TCM"]
        self.assertEqual(
            [(c.kind, c.against, c.session) for c in chosen],
            [
                ("unaffected", made.ABOVE, "baseline"),
                ("unaffected", made.ABOVE, "followup"),
                ("contralateral", made.RIGHT, "baseline"),
                ("contralateral", made.RIGHT, "followup"),
                ("unaffected", made.CORD_ABOVE, "baseline"),
                ("unaffected", made.CORD_ABOVE, "followup"),
            ],
        )
        first, second = chosen[:2]
        self.assertAlmostEqual(first.ratio, 3)
        self.assertAlmostEqual(first.ratio_se, 3 * 0.02 * math.sqrt(2), places=6)
        self.assertAlmostEqual(first.difference, 8)
        # The scale moves both by the same share: 8 · 5 % beside the noise of either.
        expected = math.sqrt((0.02 * 12) ** 2 + (0.02 * 4) ** 2 + (8 * 0.0501) ** 2)
        self.assertAlmostEqual(first.difference_se, expected, places=2)
        self.assertIsNone(first.change_percent)
        self.assertAlmostEqual(second.change_percent, 0)
        self.assertLess(second.change_low, 0)

    def test_change_of_a_contrast(self):
        comparison = compare(pair(later={made.ABOVE: made.VT[made.ABOVE]}), CLINICAL)
        contrast = next(c for c in comparison.contrasts if c.session == "followup" and c.model == "1TCM")
        self.assertAlmostEqual(contrast.change_percent, -50)
        spread = math.log(contrast.change_high / 100 + 1) - math.log(0.5)
        self.assertAlmostEqual(spread, 1.998 * 0.04, delta=1e-3)  # four noises of 2 %, t(64)

    def four_foramina(self, later=None):
        """The right foramen at another level, so that two lie elsewhere than the affected one; scale moves all."""

        def at_c4(record):
            rows, regions = (
                tuple(replace(one, level="C4/C5") if name(one) == made.RIGHT else one for one in some)
                for some, name in ((record.rows, lambda row: row.region), (record.regions, lambda one: one.name))
            )
            return replace(record, rows=rows, regions=regions)

        own = [made.scale_of(name) for name in made.VT]
        return [at_c4(record) for record in pair(own, own, later=later)]

    def test_the_mean_of_all_other_levels_is_less_noisy_than_one_of_them(self):
        comparison = compare(self.four_foramina({made.ABOVE: 4.0, made.RIGHT: 5.0}), CLINICAL)
        chosen = [c for c in comparison.contrasts if c.kind == "other levels" and c.model == "1TCM"]
        self.assertEqual([c.session for c in chosen], ["baseline", "followup"])
        self.assertEqual({c.against for c in chosen}, {f"{made.RIGHT}, {made.ABOVE}"})
        first, second = chosen
        self.assertAlmostEqual(first.other, math.sqrt(5 * 4))
        self.assertAlmostEqual(first.ratio, 12 / math.sqrt(5 * 4))
        self.assertAlmostEqual(first.ratio_se / first.ratio, 0.02 * math.sqrt(1 + 1 / 2), places=6)  # no scale in it
        self.assertAlmostEqual(second.change_percent, -50)
        spread = math.log(second.change_high / 100 + 1) - math.log(0.5)
        self.assertAlmostEqual(spread, 1.99 * 0.02 * math.sqrt(2 * (1 + 1 / 2)), delta=1e-3)
        self.assertIn(f"{made.RIGHT}, {made.ABOVE}, other levels", comparison_text(comparison))

    def test_other_levels_are_the_same_at_every_visit_or_none(self):
        visits = self.four_foramina({made.ABOVE: math.nan})
        self.assertNotIn("other levels", {c.kind for c in compare(visits, CLINICAL).contrasts})
        self.assertNotIn("other levels", {c.kind for c in compare(pair(), CLINICAL).contrasts})  # one foramen alone


class VerdictTest(unittest.TestCase):
    def known(self, wcv, **more):
        return Coefficient(
            "wCV", 100 * wcv, wcv, **{"model": "1TCM", "structure": "foramen", "pvc": "none", **more}, source="S"
        )

    def test_thresholds_of_both_rules(self):
        """-52.08 % exceeds RC for wCV < 18.8 % by the difference rule and 27 % by the log rule."""
        for wcv, code in ((0.187, "beyond"), (0.189, "rules-differ"), (0.269, "rules-differ"), (0.2706, "within")):
            with self.subTest(wcv):
                verdict = judge(12.96, 6.21, self.known(wcv))
                self.assertEqual(verdict.code, code)
                self.assertIn("S", verdict.text)
        self.assertAlmostEqual(judge(12.96, 6.21, self.known(0.1)).limit_percent, 27.72, places=2)

    def test_nothing_is_beyond_that_its_own_interval_does_not_tell_from_no_change(self):
        visits = pair(later={made.LEFT: 0.6 * made.VT[made.LEFT]}, error=0.2)
        change = compare(visits, CLINICAL, repeatability=(self.known(0.1),)).change(KEY, "followup")
        self.assertLess(change.percent_low, 0)
        self.assertGreater(change.percent_high, 0)
        self.assertEqual(change.verdict.code, "own-interval")
        sure = compare(pair(error=0.02), CLINICAL, repeatability=(self.known(0.1),)).change(KEY, "followup")
        self.assertEqual((sure.verdict.code, sure.verdict.misfit), ("beyond", None))

    def test_no_rule_alone_is_beyond_what_the_own_interval_does_not_tell_from_no_change(self):
        """ln(6.21 / 12.96) is -0.736, beyond the log rule alone for a wCV of 20 %; a rise of 50 % beyond the other."""
        for baseline, followup, wcv, half, code in (
            (12.96, 6.21, 0.2, 0.73, "rules-differ"),
            (12.96, 6.21, 0.2, 0.74, "own-interval"),
            (12.96, 6.21, 0.2, math.inf, "own-interval"),
            (4.0, 6.0, 0.16, 0.40, "rules-differ"),
            (4.0, 6.0, 0.16, 0.41, "own-interval"),
            (4.0, 6.0, 0.3, 0.1, "within"),
        ):
            with self.subTest(followup=followup, half=half):
                self.assertEqual(judge(baseline, followup, self.known(wcv), 0.1, half).code, code)

    def test_a_coefficient_that_these_scans_cannot_have(self):
        """wCV 10 % lets the log ratio have a SD of 14 %; the fits alone have 0.15 sqrt(2), 21 %, or 3 %."""
        for error, misfit in ((0.15, True), (0.02, False)):
            comparison = compare(pair(error=error), CLINICAL, repeatability=(self.known(0.1),))
            verdict = comparison.change(KEY, "followup").verdict
            self.assertEqual("does not fit these scans" in verdict.text, misfit)
            self.assertIn(verdict.text, comparison.headline)
            if misfit:
                self.assertAlmostEqual(verdict.misfit[1], 100 * math.sqrt(2 * math.log1p(0.01)))
                self.assertGreaterEqual(verdict.misfit[0], 15 * math.sqrt(2))

    def test_as_measured_and_as_corrected_that_disagree_are_told(self):
        def with_corrected(visit, factor):
            rows = [replace(row, pvc="GTM", VT=factor * row.VT) for row in visit.rows if row.region == made.LEFT]
            fits = [
                replace(fit, pvc="GTM", parameters={**fit.parameters, "VT": factor * fit.parameters["VT"]})
                for fit in visit.fits
                if fit.region == made.LEFT
            ]
            return replace(visit, rows=(*visit.rows, *rows), fits=(*visit.fits, *fits), pvc="GTM")

        for factor, told in ((2.0, True), (1.0, False)):  # a fall to the half that correction undoes, or leaves
            before, after = pair()
            headline = compare([with_corrected(before, 1.0), with_corrected(after, factor)], CLINICAL).headline
            self.assertEqual(any("same conclusion" in line for line in headline), told)
        visits = [with_corrected(visit, 1.0) for visit in pair()]
        for pvc, told in (("none", False), ("GTM", True)):  # without a coefficient of its own there is no verdict
            known = (self.known(0.1), self.known(0.9, pvc=pvc))[: 1 if pvc == "none" else 2]
            headline = compare(visits, CLINICAL, repeatability=known).headline
            self.assertEqual(any("same conclusion" in line for line in headline), told)

    def test_a_measured_volume_of_zero_leaves_the_error_of_the_correction_unknown(self):
        def corrected(visit):
            here = [fit for fit in visit.fits if fit.region == made.LEFT]
            rest = [fit for fit in visit.fits if fit.region != made.LEFT]
            zero = [replace(fit, parameters={**fit.parameters, "VT": 0.0}) for fit in here]
            none = [replace(row, VT=0.0) if row.region == made.LEFT else row for row in visit.rows]
            rows = (*none, *(replace(row, pvc="GTM") for row in visit.rows if row.region == made.LEFT))
            fits = (*rest, *zero, *(replace(fit, pvc="GTM") for fit in here))
            return replace(visit, rows=rows, fits=fits, pvc="GTM")

        comparison = compare([corrected(visit) for visit in pair()], CLINICAL)
        change = comparison.change(f"{KEY}_pvc-GTM", "followup")
        self.assertEqual((round(change.percent), change.log_ratio_se), (-50, math.inf))
        self.assertEqual(change.percent_low, -100)
        self.assertIn("inf", comparison_text(comparison))
        html(report_document(comparison, [], "en"))

    def test_the_correction_of_a_cord_is_trusted_less(self):
        """Half of what it adds in the cord and three tenths elsewhere, on a log scale."""
        visit, settings = made.visit(error=0.0), replace(NOTHING, correction_share=0.3, correction_share_cord=0.5)
        regions = {one.name: one.structure for one in visit.regions}
        self.assertLessEqual({"cord", "foramen"}, set(regions.values()))
        for name, structure in regions.items():
            (fit,) = (one for one in visit.fits if one.region == name and one.model == "1TCM")
            twice = replace(fit, pvc="GTM", parameters={**fit.parameters, "VT": 2 * fit.parameters["VT"]})
            errors = errors_of(replace(visit, fits=(*visit.fits, twice)), name, "1TCM", "GTM", settings)
            share = 0.5 if structure == "cord" else 0.3
            self.assertAlmostEqual(errors.variance("correction-model"), (share * math.log(2)) ** 2)
            # Half of it where the images told the width at the regions, whose error is in the budget by itself.
            scan = replace(visit.acquisition, fwhm_se_mm=0.6, fwhm_own_se_mm=0.3)
            by_images = replace(visit, fits=(*visit.fits, twice), acquisition=scan)
            errors = errors_of(by_images, name, "1TCM", "GTM", settings)
            self.assertAlmostEqual(errors.variance("correction-model"), (share / 2 * math.log(2)) ** 2)
            near_skin = replace(by_images, acquisition=replace(scan, fwhm_skin_alone=True))
            errors = errors_of(near_skin, name, "1TCM", "GTM", settings)
            self.assertAlmostEqual(errors.variance("correction-model"), (share * math.log(2)) ** 2)

    def test_none_known_says_so_and_quotes_what_is(self):
        verdict = compare(pair()).change(KEY, "followup").verdict
        self.assertEqual(verdict.code, "unknown")
        for words in ("±70 %", "10.1186/s40658-021-00381-8", "No repeatability coefficient"):
            self.assertIn(words, verdict.text)

    def test_only_for_what_it_was_stated(self):
        any_structure, foramen = self.known(0.1, structure="any"), self.known(0.2)
        known = (any_structure, foramen, self.known(0.3, pvc="GTM"))
        self.assertIs(coefficient_for(known, "1TCM", "foramen", "none"), foramen)
        self.assertIs(coefficient_for(known, "1TCM", "cord", "none"), any_structure)
        self.assertIsNone(coefficient_for(known, "Logan", "foramen", "none"))
        self.assertIsNone(coefficient_for((foramen,), "1TCM", "cord", "none"))
        changes = compare(pair(), repeatability=(foramen,)).changes
        self.assertEqual({c.model for c in changes if c.verdict.code != "unknown"}, {"1TCM"})


class ComparisonTest(unittest.TestCase):
    def test_table1_in_the_studys_order(self):
        rows = compare(pair(), CLINICAL).table1
        self.assertEqual(
            [row.outcome for row in rows],
            ["vas_arm", KEY, "ndi", "VT_cord_C7", "VT_foramen_C3C4_left", "VT_cord_C4"],
        )
        self.assertEqual([row.outcome for row in rows if row.primary], [KEY])
        self.assertEqual(rows[2].remark, "severe to mild")
        self.assertEqual((rows[0].change, rows[2].change), (rows[0].percent, -15))

    def test_one_place_by_two_names(self):
        first, second = pair()
        name = "Foramen C6-C7 links"
        renamed = [
            replace(second, **{kind: (replace(getattr(second, kind)[0], **{key: name}), *getattr(second, kind)[1:])})
            for kind, key in (("regions", "name"), ("rows", "region"), ("fits", "region"))
        ]
        second = replace(second, regions=renamed[0].regions, rows=renamed[1].rows, fits=renamed[2].fits)
        comparison = compare([first, second], CLINICAL)
        self.assertAlmostEqual(comparison.change(KEY, "followup").percent, -50)
        self.assertEqual(next(b.percents for b in comparison.besides if b.region == made.LEFT), (-50.0,))

    def test_three_visits(self):
        visits = [*pair(), made.visit("month6", vt={name: 0.75 * vt for name, vt in made.VT.items()})]
        comparison = compare(visits, CLINICAL)
        self.assertAlmostEqual(comparison.change(KEY, "month6").percent, -25)
        self.assertEqual(len([c for c in comparison.changes if c.model == "1TCM"]), 10)
        self.assertEqual([row.followup_session for row in comparison.table1 if row.primary], ["followup", "month6"])
        text = comparison_text(comparison)
        self.assertIn("no clinical data for month6", text)
        self.assertEqual(text.count("Table 1"), 2)

    def test_besides(self):
        """Over the last 20 min the curve is 0.8 V_T, parent plasma 2 and whole blood 4 kBq/mL; 5 MBq/kg."""
        found = {b.measure: b for b in compare(pair()).besides if b.region == made.LEFT}
        self.assertEqual(set(found), {"SUV", "TBR-PP", "TBR-WB", "Logan"})
        for measure, value in (("SUV", 9.6 / 5), ("TBR-PP", 4.8), ("TBR-WB", 2.4), ("Logan", 12)):
            self.assertAlmostEqual(found[measure].values[0], value, msg=measure)
            self.assertAlmostEqual(found[measure].percents[0], -50)
        self.assertEqual(found["SUV"].window_s, (2400, 3600))
        heavy = [made.visit(acquisition={"weight_kg": None}), pair()[1]]
        found = {b.measure: b for b in compare(heavy).besides if b.region == made.LEFT}
        self.assertTrue(math.isnan(found["SUV"].values[0]) and math.isnan(found["SUV"].percents[0]))

    def test_overrides_stand_first(self):
        visits = [made.visit(), made.visit("followup", vt=dict.fromkeys(made.VT, 3.0), genotype="MAB")]
        with self.assertRaises(InputRefused):
            compare(visits)
        comparison = compare(visits, accept=["visits-genotype"])
        self.assertEqual(comparison.accepted, ("visits-genotype",))
        self.assertIn("Compared although", comparison.headline[0])
        self.assertTrue(comparison_text(comparison).startswith("Compared although"))

    def test_why_a_change_may_vary_less_than_its_visits(self):
        missed = (moved("foramen C6/C7 left (root C7)", "placement", "placement-x", 1.0, 0.0, -0.1),)
        comparison = compare(pair(missed, missed), CLINICAL)
        (change,) = [c for c in comparison.changes if c.outcome == KEY and c.pvc == "none"][:1]
        part = next(part for part in change.budget if part.component == "placement")
        self.assertLess(part.change, math.hypot(part.baseline, part.followup))
        self.assertIn("cancels in the change", comparison_text(comparison))

    def test_a_resolution_that_each_visit_tells_errs_independently(self):
        region = "foramen C6/C7 left (root C7)"

        def resolution(**more):
            one = (moved(region, "resolution", "resolution", 0.5, 0.1, 0.0, **more),)
            (change,) = [c for c in compare(pair(one, one), CLINICAL).changes if c.outcome == KEY and c.pvc == "none"][
                :1
            ]
            return next(part for part in change.budget if part.component == "resolution")

        assumed, known = resolution(), resolution(sd=0.5)
        self.assertAlmostEqual(assumed.change, 0.1 * math.sqrt(2 * (1 - 0.9)))  # one scanner, one wrong width
        self.assertEqual((assumed.correlation, bool(assumed.assumed)), (0.9, True))
        self.assertAlmostEqual(known.change, 0.1 * math.sqrt(2))  # its standard error, which holds all it is off by
        self.assertEqual((known.correlation, bool(known.assumed)), (0.0, True))

    def test_what_corrections_disagree_in_at_both_visits_cancels_in_the_change(self):
        region = "foramen C6/C7 left (root C7)"

        def disagree(away):
            sd = 1 / math.sqrt(2)
            return tuple(
                moved(region, "correction-model", f"correction-model:{name}", 1.0, away * sign, 0.0, sd=sd)
                for name, sign in (("RBV", 1), ("STC", -0.5))
            )

        comparison = compare(pair(disagree(0.2), disagree(0.3)), CLINICAL)
        (change,) = [c for c in comparison.changes if c.outcome == KEY and c.pvc == "none"][:1]
        part = next(part for part in change.budget if part.component == "correction-model")
        self.assertAlmostEqual(part.baseline, 0.2 * math.sqrt((1 + 0.25) / 2))  # the root of the mean square
        self.assertAlmostEqual(part.change, 0.1 * math.sqrt((1 + 0.25) / 2))
        self.assertEqual((part.correlation, part.assumed), (1.0, ""))

    def test_a_proposed_region_brings_the_error_of_its_place(self):
        segment = Segment("1", "foramen C6/C7 left", np.ones((2, 2, 2), dtype=bool), tags={PLACEMENT_TAG: "0.80"})
        grid = Grid((2, 2, 2), np.eye(4))
        for tags, expected in (
            (segment.tags, 0.8),
            ({}, None),
            ({PLACEMENT_TAG: "-1"}, None),
            ({PLACEMENT_TAG: "x"}, None),
        ):
            self.assertEqual(region_of(replace(segment, tags=tags), grid).placement_mm, expected)
        measured = Measured("none", (region_of(segment, grid),), np.ones((1, 4)), {"1TCM": ()})
        moves = {"placement": [(0.0, 0.1)] * 3, "registration": [(0.0, 0.1)] * 3}
        told = {one.component: one.sd for one in _of_place(measured, 0, moves)}
        self.assertEqual(told, {"placement": 0.8, "registration": None})

    def test_alternative_corrections_are_refitted_as_the_chosen_one(self):
        curve = SimpleNamespace(
            corrected=SimpleNamespace(mean=np.ones(4), alternatives={"RBV": 2 * np.ones(4), "STC": np.ones(4) / 2})
        )
        fit = SimpleNamespace(outcome_value=5.0)
        measured = Measured("GTM", (SimpleNamespace(name="foramen"),), np.ones((1, 4)), {"1TCM": (fit,)})

        def refit(model, curves, source, near, pvc):
            self.assertEqual(pvc, "GTM")
            return [SimpleNamespace(outcome_value=5.0 * one.mean()) for one in curves]

        source = SimpleNamespace(input_function=None)
        found = of_correction_model(measured, SimpleNamespace(curves=(curve,)), source, refit)
        self.assertEqual([one.factor for one in found], ["correction-model:RBV", "correction-model:STC"])
        np.testing.assert_allclose([one.upper for one in found], [math.log(2), -math.log(2)])
        np.testing.assert_allclose([one.sd for one in found], 1 / math.sqrt(2))

    def test_a_second_tissue_that_aicc_asks_for_is_in_the_budget(self):
        """10 % more V_T by two tissues; asked for, not asked for, hardly determined."""
        names = ("asked", "enough", "unsure")
        one = tuple(SimpleNamespace(outcome_value=5.0, aicc=0.0) for _ in names)
        two = [SimpleNamespace(outcome_value=5.5, outcome_error=e, aicc=a) for e, a in ((0.3, -9), (0.3, 7), (2, -9))]
        regions = tuple(SimpleNamespace(name=name) for name in names)
        measured = Measured("GTM", regions, np.ones((3, 4)), {"1TCM": one})
        source = SimpleNamespace(input_function=None)
        found = of_kinetic_model(
            measured, source, lambda model, *rest: two if (model, rest[-1]) == ("2TCM", "GTM") else None
        )
        self.assertEqual([row.region for row in found], ["asked"])
        self.assertAlmostEqual(found[0].upper, math.log(1.1))
        self.assertEqual(of_kinetic_model(replace(measured, fits={"Logan": one}), source, None), [])
        (told,) = two_tissue_notices([*found, replace(found[0], region="alike", upper=0.001)], {})
        self.assertTrue("fit asked better" in told.message and "by +10 %, which" in told.message, told.message)
        self.assertEqual(two_tissue_notices([replace(found[0], upper=-0.001)], {}), [])
        rows = (moved(made.LEFT, "kinetic-model", "kinetic-model", 1.0, 0.1, 0.0, sd=1.0),)
        (part,) = [
            p for p in compare(pair(rows, rows)).change(KEY, "followup").budget if p.component == rows[0].component
        ]
        self.assertEqual((part.baseline, part.change), (0.1, 0.0))  # the same tissue at both visits

    def test_more_blood_than_tissue_holds_is_told_of_corrected_regions(self):
        def fitted(region, blood, error, pvc="GTM", model="1TCM"):
            values, errors = {"VB": blood}, {"VB": error}
            return SimpleNamespace(model=model, region=region, pvc=pvc, parameters=values, standard_errors=errors)

        fits = [
            fitted("beside a vessel", 0.31, 0.05),
            fitted("tissue", 0.05, 0.01),
            fitted("unsure", 0.2, 0.06),
            fitted("fixed", 0.2, math.nan),
            fitted("as measured", 0.3, 0.01, pvc="none"),
            fitted("by another model", 0.3, 0.01, model="2TCM"),
            SimpleNamespace(model="1TCM", region="none", pvc="GTM", parameters={}, standard_errors={}),
        ]
        (told,) = vessel_notices(fits, "1TCM", 0.05)
        self.assertEqual(told.code, "pvc-vessel")
        self.assertIn("finds up to 31% of blood (V_B) in beside a vessel, more", told.message)
        self.assertIn("what is beyond 5% takes nothing from the tissue there", told.message)
        self.assertIn("V_T is too high, as all of it takes", vessel_notices(fits, "1TCM", 1.0)[0].message)
        self.assertEqual(vessel_notices(fits[1:], "1TCM", 0.05), [])

    def test_a_resolution_that_makes_corrected_values_worthless_is_told(self):
        """The estimate's error of 1.2 mm: 0.2 a mm makes 24 %."""
        known = moved(made.LEFT, "resolution", "resolution", 1.0, 0.2, 0.0, sd=1.2)
        (told,) = width_notices([known, replace(known, region="hardly", upper=0.1, lower=-0.1)])
        self.assertTrue(made.LEFT in told.message and "24 %" in told.message, told.message)
        self.assertNotIn("hardly", told.message)
        self.assertEqual(width_notices([replace(known, sd=None)]), [])  # a stated one is the user's
        self.assertEqual(len(width_notices([replace(known, lower=math.nan)])), 1)

    def test_scores_are_told_in_three_digits(self):
        visits = {"baseline": {"ndi": 260 / 9}, "followup": {"ndi": 15.0}}  # one item was missing
        text = comparison_text(compare(pair(), Clinical(visits, LESION)))
        self.assertIn("-13.9 points", text)
        self.assertIn("changed by -13.9;", text)

    def test_no_word_of_a_cause(self):
        text = comparison_text(compare(pair(), CLINICAL)).lower()
        for word in ("because of", "due to", "caused by", "effect of", "thanks to", "improved by"):
            self.assertNotIn(word, text)

    def test_flags_of_the_affected_region_are_told(self):
        row = made.outcome("baseline", made.LEFT, "1TCM", 12.0, 0.2, [Notice("se-large", "it is large")])
        first = made.visit()
        visits = [made.visit(rows=(row, *first.rows[1:])), pair()[1]]
        self.assertIn("it is large", comparison_text(compare(visits, CLINICAL)))

    def test_one_visit_alone(self):
        comparison = compare([made.visit()], CLINICAL)
        self.assertEqual((comparison.changes, comparison.table1, comparison.findings), ((), (), ()))
        self.assertTrue(comparison.contrasts and comparison.besides)
        comparison_text(comparison)

    def test_tables_of_changes_are_those_of_two_visits(self):
        for visits, changes in (([made.visit()], False), (pair(), True)):
            with self.subTest(changes=changes), tempfile.TemporaryDirectory() as folder:
                write_comparison(Path(folder), compare(visits, CLINICAL))
                files = {path.name for path in Path(folder).iterdir()}
                self.assertLessEqual({"values.tsv", "contrasts.tsv", "besides.tsv", "table1.txt"}, files)
                told = {"changes.tsv", "changes.json", "budget.tsv", "findings.tsv", "table1.tsv"} & files
                self.assertEqual(len(told), 5 if changes else 0)

    def test_changes_begin_with_the_affected_foramen(self):
        """Whatever the order in which regions were drawn, and at every later visit."""
        visits = [
            made.visit(session, vt={name: part * vt for name, vt in made.VT.items()})
            for session, part in (("baseline", 1), ("followup", 0.5), ("month6", 0.4))
        ]
        for lesion, name in ((Lesion("C6/C7", "right"), made.RIGHT), (Lesion("C3/C4", "left"), made.ABOVE)):
            found = compare(visits, replace(CLINICAL, lesion=lesion)).changes
            self.assertEqual(len(found), 2 * len(visits[0].rows))
            for session in ("followup", "month6"):
                first = next(change for change in found if change.followup_session == session)
                self.assertEqual((first.region, first.primary), (name, True))
            self.assertEqual(found[0].followup_session, "followup")

    def test_what_is_not_known_is_no_number(self):
        """Pain that begins at 0 has no change in %, and a V_T of 0 none at all."""
        scores = {"baseline": {"vas_arm": 0.0}, "followup": {"vas_arm": 10.0}}
        for volume in (0.0, math.nan):
            told = comparison_text(compare(pair(later={made.LEFT: volume}), Clinical(scores, LESION)))
            self.assertNotIn("nan", told.replace("n/a", ""))
            self.assertIn("the change from baseline to followup is not known", told)
            self.assertNotIn("V_T as measured lies below", told)

    def test_an_interval_without_an_end_is_no_number(self):
        open_ended = moved(made.LEFT, "delay", "delay", 1.0, math.nan, math.nan)
        known = (Coefficient("wCV", 10.0, 0.1, "1TCM", "foramen", "none", "us"),)
        comparison = compare(pair([open_ended]), CLINICAL, known)
        self.assertIn("-50.0 % (95 % interval unknown", comparison.headline[0])
        self.assertIsNone(comparison.change(KEY, "followup").verdict.misfit)
        self.assertNotIn("inf", " ".join(comparison.headline))

    def test_one_visit_with_a_volume_of_zero(self):
        told = comparison_text(compare([made.visit(vt={made.LEFT: 0.0})]))
        row = next(line for line in told.splitlines() if line.startswith("all "))
        self.assertIn("n/a", row)

    def test_a_model_of_influx_is_no_volume(self):
        """Patlak, named first: V_T is the next model's, and K_i stands beside it with its own unit."""

        def with_patlak(visit, factor, *models):
            influx = dict.fromkeys(made.VT, factor * 0.01)
            rows = [
                made.outcome(visit.session, name, "Patlak", math.nan, math.nan, Ki=ki, Ki_se=0.001)
                for name, ki in influx.items()
            ]
            fits = [
                made.fit(name, "Patlak", 0.0, 0.0, parameters={"Ki": ki}, standard_errors={"Ki": 0.001})
                for name, ki in influx.items()
            ]
            kept = [one.model in models for one in visit.rows]
            return replace(
                visit,
                models=("Patlak", *models),
                rows=(*rows, *(one for one, keep in zip(visit.rows, kept, strict=True) if keep)),
                fits=(*fits, *(one for one in visit.fits if one.model in models)),
            )

        first, later = pair()
        both = compare([with_patlak(first, 1.0, "1TCM"), with_patlak(later, 0.5, "1TCM")], CLINICAL)
        self.assertEqual(both.model, "1TCM")
        (influx,) = [one for one in both.besides if (one.measure, one.region) == ("Patlak", made.LEFT)]
        self.assertEqual((influx.values, influx.unit), ((0.01, 0.005), "mL/cm3/min"))
        self.assertIn("K_i, Patlak", comparison_text(both))
        self.assertIn("0.0100", comparison_text(both))
        alone = compare([with_patlak(first, 1.0), with_patlak(later, 0.5)], CLINICAL)
        self.assertIn("comparison-no-vt", [notice.code for notice in alone.notices])
        self.assertEqual(next(one.values for one in alone.besides if one.measure == "Patlak"), (0.01, 0.005))

    def test_dates_that_belong_to_another_visit_are_told(self):
        def codes(dates, *treatments):
            told = replace(CLINICAL, dates=dates, treatments=treatments)
            return [notice.code for notice in compare(pair(), told).notices]

        first, later = date(2026, 1, 6), date(2026, 2, 15)  # scanned on 5 January and 16 February
        between, before = Treatment("rest", first, later), Treatment("rest", date(2025, 11, 3), later)
        self.assertFalse(
            {"clinical-date", "treatment-outside"} & {*codes({"baseline": first, "followup": later}, between)}
        )
        self.assertEqual(codes({"baseline": later, "followup": first}).count("clinical-date"), 2)
        self.assertIn("treatment-outside", codes({}, before))
        self.assertIn("treatment-outside", codes({}, Treatment("rest", date(2026, 3, 1))))
        for at in (("2000-01-01T10:00:00", "2000-01-01T11:00:00"), ("6 January 2026", "2026-02-16T10:00:00")):
            visits = [
                replace(visit, acquisition=replace(visit.acquisition, time_zero_at=start))
                for visit, start in zip(pair(), at, strict=True)
            ]
            told = compare(visits, replace(CLINICAL, treatments=(before,))).notices
            self.assertNotIn("treatment-outside", [notice.code for notice in told])

    def test_without_clinical_data(self):
        comparison = compare(pair())
        self.assertIn("clinical-missing", [notice.code for notice in comparison.notices])
        self.assertEqual(len(comparison.table1), 5)
        self.assertEqual(plain(comparison_record(comparison))["changes"][0]["outcome"], KEY)

    def test_dates_are_json(self):
        treated = replace(CLINICAL, treatments=(Treatment("rest", start=date(2026, 1, 2)),))
        text = json.dumps(plain(comparison_record(compare(pair(), treated))))
        self.assertIn("2026-01-02", text)


if __name__ == "__main__":
    unittest.main()
