"""Visits that were not measured alike: each difference is found, told and, where it can fake a change, refused."""

import unittest
from dataclasses import replace

import numpy as np
from support import visitrecords as made
from TSPOQuantLib.acquisition.blood import SampledCurve
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.alike import Alike
from TSPOQuantLib.outcome.comparability import CODES, checked, findings_of
from TSPOQuantLib.outcome.identity import NEVER as NEVER_ACCEPTED

BASE = made.visit()


def followup(**changes):
    return made.visit("followup", vt={name: 0.9 * vt for name, vt in made.VT.items()}, **changes)


def with_volume(factor):
    later = followup()
    first = replace(later.regions[0], volume_mm3=factor * later.regions[0].volume_mm3)
    return replace(later, regions=(first, *later.regions[1:]))


REFUSES = {
    "visits-tracer": {"acquisition": {"tracer": "[11C]PK11195"}},
    "visits-scanner": {"acquisition": {"scanner_model": "Vision"}},
    "visits-reconstruction": {"acquisition": {"reconstruction": "OSEM"}},
    "visits-filter": {"acquisition": {"filter": None}},
    "visits-voxel": {"acquisition": {"voxel_mm": (2.0, 2.0, 3.0)}},
    "visits-resolution": {"acquisition": {"fwhm_mm": 6.0}},
    "visits-window": {"acquisition": {"frame_starts_s": made.STARTS_S[:5], "frame_durations_s": made.DURATIONS_S[:5]}},
    "visits-model": {"models": ("2TCM", "Logan")},
    "visits-blood-volume": {"settings": {"vb": 0.05}},
    "visits-delay": {"settings": {"delay_s": "fit"}},
    "visits-weights": {"settings": {"weights": "uniform"}},
    "visits-sharing": {"settings": {"coupled": "visits"}},
    "visits-second-tissue": {"settings": {"second_tissue": "as named"}},
    "visits-input": {"settings": {"calibration": "scale"}},
    "visits-sampling": {"input": replace(BASE.input, route="venous")},
    "visits-coverage": {"settings": {"minimum_coverage": 0.3}},
    "visits-motion": {"settings": {"motion_correction": "none"}},
    "visits-genotype": {"genotype": "MAB"},
    "visits-smoothing": {"settings": {"smooth_to_mm": 8.0}},
    "visits-bounds": {"settings": {"bounds": {"k2": [0.0, 1.0]}}},
    "visits-parent-fraction": {"settings": {"parent_fraction_model": "hill"}},
    "visits-plasma-ratio": {"settings": {"plasma_ratio_model": "linear"}},
}
WARNS = {
    "visits-frames": {
        "acquisition": {
            "frame_starts_s": (0.0, 300.0, *made.STARTS_S[1:]),
            "frame_durations_s": (300.0, 300.0, *made.DURATIONS_S[1:]),
        }
    },
    "visits-pvc": {"pvc": "GTM"},
    "visits-attenuation": {"acquisition": {"attenuation": "MR DIXON"}},
    "visits-anatomy": {"acquisition": {"anatomy": "MR"}},
    "visits-program": {"provenance": {"versions": {"TSPOQuant": "0.2.0"}}},
    "visits-motion-reference": {"settings": {"motion_reference": [1, 2]}},
    "visits-registration-window": {"settings": {"registration_window": "early"}},
    "visits-blood-pool": {"settings": {"blood_pool": "aorta"}},
    "visits-dose": {"acquisition": {"injected_mbq": 40.0}},
    "visits-weight": {"acquisition": {"weight_kg": None}},
    "visits-moved": {"motion": replace(BASE.motion, displacement_mm=(0.0, 4.0, 0.0, 0.0, 0.0, 0.0))},
    "visits-order": {"acquisition": {"time_zero_at": "2025-01-01T10:00:00"}},
    "visits-regions": {"regions": followup().regions[1:]},
    "visits-left-out": {"settings": {"leave_out": {"3": "moved"}}},
    "visits-outcome-window": {"settings": {"window_min": [40, 60]}},
    "visits-outcome-reference": {"settings": {"reference": "muscle"}},
}
NEVER = {
    "visits-patient": {"acquisition": {"patient_key": "cd34"}},
    "visits-subject": {"subject": "p2"},
    "visits-session": {"session": "baseline"},
    "visits-simulated": {"acquisition": {"tracer": "[11C]DPA-713 (simulated)"}},
}


class EachDifferenceTest(unittest.TestCase):
    def refused(self, later, accept=()):
        with self.assertRaises(InputRefused) as caught:
            checked([BASE, later], accept)
        return caught.exception

    def test_estimated_resolutions_may_differ_by_their_joint_error(self):
        def codes(width, error, own=None):
            told = {"fwhm_se_mm": error, "fwhm_own_se_mm": own}
            visits = [made.visit(acquisition=told), followup(acquisition=told | {"fwhm_mm": width})]
            return [finding.code for finding in findings_of(visits)]

        apart = BASE.acquisition.fwhm_mm + 0.8
        self.assertIn("visits-resolution", codes(apart, None))
        self.assertIn("visits-resolution", codes(apart, 0.1))  # 0.62 mm is what two such estimates differ by
        self.assertNotIn("visits-resolution", codes(apart, 0.4))
        self.assertIn("visits-resolution", codes(apart, 0.7, 0.1))  # what both visits err by alike explains nothing
        self.assertNotIn("visits-resolution", codes(apart, 0.7, 0.4))

    def test_alike(self):
        self.assertEqual(checked([BASE, followup()]), ())

    def test_what_the_data_of_each_visit_chose_is_chosen_once(self):
        def chosen(visit, width, error, curve):
            scan = replace(visit.acquisition, fwhm_mm=width, fwhm_se_mm=error)
            found = {"parent_fraction": {"model": curve}}
            return replace(visit, acquisition=scan, input=replace(visit.input, settings={"found": found}))

        asked = Alike(choices=True)
        first, later = chosen(BASE, 4.0, 0.1, "hill"), chosen(followup(), 5.0, 0.2, "power")
        self.assertEqual(asked.changes([first, later]), {"parent_fraction_model": "hill", "fwhm_mm": 4.2})
        self.assertEqual(asked.changes([first, first]), {"fwhm_mm": 4.0})
        self.assertEqual(asked.changes([chosen(BASE, 4.0, None, "hill"), first]), {})  # one of them was stated

    def test_what_can_fake_a_change_is_refused_unless_accepted(self):
        later = {code: followup(**changes) for code, changes in REFUSES.items()} | {"visits-volume": with_volume(1.6)}
        for code, visit in later.items():
            with self.subTest(code):
                refusal = self.refused(visit)
                self.assertEqual(refusal.code, code)
                self.assertIn(f"--accept {code}", refusal.message)
                found = checked([BASE, visit], [code])
                self.assertEqual([f.code for f in found if f.accepted], [code])
                self.assertEqual({f.severity for f in found if not f.accepted} - {"warn"}, set())
                self.assertTrue(all(len(f.values) == 2 for f in found))

    def test_what_cannot_is_warned_of(self):
        later = {code: followup(**changes) for code, changes in WARNS.items()} | {"visits-volume": with_volume(1.3)}
        for code, visit in later.items():
            with self.subTest(code):
                (finding,) = checked([BASE, visit])
                self.assertEqual((finding.code, finding.severity, finding.accepted), (code, "warn", False))

    def test_a_record_from_before_blood_lay_beside_tissue_says_so(self):
        """It was made as 1 makes it, and its corrected values are not those of the default."""
        old, asked = made.visit(settings={"pvc": "GTM"}, pvc="GTM"), {"pvc": "GTM", "pvc_tissue_vb": 0.05}
        new = followup(settings=asked, pvc="GTM")
        (finding,) = findings_of([old, new])
        self.assertEqual((finding.code, finding.severity), ("visits-corrected-blood", "refuse"))
        self.assertEqual(finding.values, ("1", "0.05"))
        as_before = replace(new, settings={**new.settings, "pvc_tissue_vb": 1.0})
        self.assertEqual(findings_of([old, as_before]), ())

    def test_a_part_of_v_b_that_no_model_fits_keeps_no_visits_apart(self):
        """Lines fit none, and one that is given is all within the tissue."""
        for changed in ({"models": ("Logan",)}, {"vb": "fixed:0.05"}, {"vb": "none"}):
            with self.subTest(changed):
                models = changed.get("models", ("1TCM",))
                old, new = (
                    {"pvc": "GTM", **{key: value for key, value in changed.items() if key != "models"}, **also}
                    for also in ({}, {"pvc_tissue_vb": 0.05})
                )
                visits = [made.visit(settings=old, pvc="GTM"), followup(settings=new, pvc="GTM")]
                self.assertEqual(findings_of([replace(visit, models=models) for visit in visits]), ())

    def test_windows_of_suv_that_frames_set_are_told(self):
        """The last 20 min in whole frames: from 40 min on of frames of 10 min, from 45 min on of such of 15."""
        quarters = {"frame_starts_s": (0.0, 900.0, 1800.0, 2700.0), "frame_durations_s": 4 * (900.0,)}
        found = {one.code: one for one in checked([BASE, followup(acquisition=quarters)])}
        self.assertEqual(found["visits-outcome-window"].values, ("40 to 60 min", "45 to 60 min"))
        stated = [
            replace(one, settings={**one.settings, "window_min": [45, 60]})
            for one in (BASE, followup(acquisition=quarters))
        ]
        self.assertNotIn("visits-outcome-window", [one.code for one in checked(stated)])

    def test_other_people_are_never_compared(self):
        for code, changes in NEVER.items():
            with self.subTest(code):
                visit = followup(**{k: v for k, v in changes.items() if k != "session"})
                visit = replace(visit, **{k: v for k, v in changes.items() if k == "session"})
                self.assertIn(code, [f.code for f in findings_of([BASE, visit]) if not f.acceptable])
                self.assertEqual(self.refused(visit).code, code)
                self.assertEqual(self.refused(visit, [code]).code, "accept-never")
        again = replace(BASE, session="later")
        self.assertEqual(self.refused(again).code, "visits-same")

    def test_headers_with_one_invented_date_are_no_objection(self):
        """Anonymous headers share a date, and two injections may be at ten o'clock; one scan has one dose."""
        for first, second, dose, codes in (
            ("2000-01-01T14:00:00", "2000-01-01T09:00:00", 371.3, set()),
            ("2000-01-01T10:00:00", "2000-01-01T10:00:00", 371.3, set()),
            ("2000-01-01T10:00:00", "2000-01-01T10:00:00", 400.0, {"visits-same"}),
            ("2000-01-01T10:00:00", "2000-01-01T10:00:00", None, {"visits-same"}),
            ("6 January 2026", "2026-02-16T10:00:00", 371.3, set()),
            ("2026-02-16T10:00:00", "2026-02-15T11:00:00", 371.3, {"visits-order"}),
        ):
            with self.subTest(first=first, second=second, dose=dose):
                visits = [
                    made.visit(acquisition={"time_zero_at": first}),
                    followup(acquisition={"time_zero_at": second, "injected_mbq": dose}),
                ]
                told = {f.code for f in findings_of(visits)}
                self.assertEqual(told & {"visits-same", "visits-order"}, codes)

    def test_labels_tell_the_order_where_dates_do_not(self):
        for sessions, at, told in (
            (("followup", "baseline"), None, True),
            (("posttreatment", "pretreatment"), None, True),
            (("month6", "baseline", "week6"), None, True),
            (("baseline", "month6", "week6"), None, False),  # every change is against the first
            (("sham", "active"), None, False),
            (("baseline", "followup"), None, False),
            (("followup", "baseline"), ("2026-01-05T10:00:00", "2026-02-16T10:00:00"), False),
        ):
            with self.subTest(sessions=sessions, at=at):
                times = at or (None,) * len(sessions)
                visits = [
                    made.visit(session, vt={name: vt * (1 + n) for name, vt in made.VT.items()})
                    for n, session in enumerate(sessions)
                ]
                visits = [
                    replace(visit, acquisition=replace(visit.acquisition, time_zero_at=start))
                    for visit, start in zip(visits, times, strict=True)
                ]
                self.assertEqual("visits-order" in [finding.code for finding in findings_of(visits)], told)

    def drawn(self, visit, **kinds):
        times = np.array((30.0, 60.0, 300.0, 900.0, 2400.0))
        samples = {kind: SampledCurve(times[: len(values)], np.array(values)) for kind, values in kinds.items()}
        return replace(visit, input=replace(visit.input, samples=samples))

    def test_one_scan_that_went_through_another_format_is_one_scan(self):
        def scanned(noise, session="followup"):
            rng = np.random.default_rng(1)
            regions = tuple(
                replace(one, mean=tuple(np.array(one.mean) * (1 + noise * rng.standard_normal(6))))
                for one in BASE.regions
            )
            return replace(made.visit(session), regions=regions)

        self.assertEqual(self.refused(scanned(2e-4)).code, "visits-same")
        redrawn = replace(scanned(2e-4), regions=(*scanned(2e-4).regions[1:], scanned(0.3).regions[0]))
        for other in (scanned(0.01), redrawn):  # as close as a simulated pair of one V_T and no motion
            self.assertNotIn("visits-same", [f.code for f in findings_of([BASE, other])])
        third = replace(scanned(2e-4), session="month6", acquisition=made.visit("month6").acquisition)
        self.assertIn("visits-same", [f.code for f in findings_of([BASE, followup(), third])])

    def test_one_draw_of_blood_under_two_visits(self):
        drawn = (9.0, 7.0, 3.0, 1.5, 0.8)
        rounded, one_off = (9.004, 7.002, 2.999, 1.5, 0.8), (9.0, 7.0, 3.0, 1.5, 0.6)
        first = self.drawn(BASE, whole_blood=drawn, parent_fraction=(1.0, 0.9, 0.5, 0.3, 0.2))
        for values, severity in (
            (drawn, "refuse"),
            (rounded, "refuse"),
            (one_off, "refuse"),  # one sample corrected
            (drawn[:3], "refuse"),  # later ones lost
            ((9.1, 7.08, 3.03, 1.51, 0.79), None),  # another draw that came out close
            (drawn[:2], None),  # too few to tell chance from a copy
        ):
            with self.subTest(values):
                other = self.drawn(followup(), whole_blood=values, parent_fraction=(1.0, 0.91, 0.52, 0.31, 0.19))
                found = {f.code: f for f in findings_of([first, other])}
                self.assertEqual(found.pop("visits-blood-same", None) is not None, severity is not None)
                self.assertEqual(found, {})
        copied = self.drawn(followup(), plasma=drawn, whole_blood=drawn)
        with self.assertRaisesRegex(InputRefused, "visits-blood-same: .*whole blood agree.*--accept visits"):
            checked([first, copied])
        assumed = self.drawn(followup(), parent_fraction=(1.0, 0.9, 0.5, 0.3, 0.2), plasma=drawn)
        (finding,) = findings_of([first, assumed])
        self.assertEqual((finding.code, finding.severity), ("visits-blood-same", "warn"))
        self.assertIn("a population's", finding.message)

    def test_nothing_told_is_said_once(self):
        silent = {"filter": None, "reconstruction": None}
        visits = [made.visit(acquisition=silent), followup(acquisition=silent)]
        (finding,) = checked(visits)
        self.assertEqual((finding.code, finding.item), ("visits-not-told", "reconstruction, filter"))

    def window(self, late_s=0.0, longer_s=0.0, **more):
        durations = (*made.DURATIONS_S[:5], made.DURATIONS_S[5] + longer_s)
        starts = tuple(start + late_s for start in made.STARTS_S)
        return followup(acquisition={"frame_starts_s": starts, "frame_durations_s": durations, **more})

    def test_clocks_that_differ_by_seconds_are_told_and_not_refused(self):
        for late, longer, severity in (
            (0.6, 0.0, None),
            (10.0, 0.0, "warn"),
            (-10.0, 20.0, "warn"),
            (0.0, 100.0, "warn"),
            (45.0, 0.0, "refuse"),
            (0.0, 300.0, "refuse"),
        ):
            with self.subTest(late=late, longer=longer):
                found = {f.code: f for f in findings_of([BASE, self.window(late, longer)])}
                window = found.get("visits-window")
                self.assertEqual(window and window.severity, severity)
                if window:
                    self.assertNotEqual(*window.values)
        told = {f.code: f.values for f in findings_of([BASE, self.window(10.0)])}
        self.assertEqual(told, {"visits-window": ("0:00 to 60:00 min", "0:10 to 60:10 min")})

    def test_a_common_window_is_the_one_that_was_fitted(self):
        longer = {"frame_starts_s": (*made.STARTS_S, 3600.0), "frame_durations_s": (600.0,) * 7}
        codes = {f.code for f in findings_of([BASE, followup(acquisition=longer)])}
        self.assertIn("visits-window", codes)
        cut = followup(acquisition=longer, settings={"until_min": 60.0})
        # The fits end alike; SUV is still the mean over the end of each scan.
        self.assertEqual({f.code for f in findings_of([BASE, cut])}, {"visits-frames", "visits-outcome-window"})

    def test_times_that_count_from_another_moment_are_told(self):
        (finding,) = findings_of([BASE, followup(acquisition={"time_zero": "TimeZero"})])
        self.assertEqual((finding.code, finding.severity), ("visits-window", "warn"))

    def fitted(self, visit, tstar_s=None, fraction=None, **asked):
        """A visit with what its data chose."""
        fits = tuple(replace(fit, tstar_s=tstar_s if fit.model == "Logan" else None) for fit in visit.fits)
        found = {"parent_fraction": {"model": fraction}} if fraction else {}
        settings = {**visit.settings, **asked}
        return replace(visit, fits=fits, input=replace(visit.input, settings={"found": found}), settings=settings)

    def test_samples_of_the_first_pass_calibrate_at_one_visit_alone(self):
        def calibrated(visit, *times_s, **asked):
            settings = {**visit.input.settings, "found": {"calibration": {"sample_times_s": times_s}}}
            return replace(visit, input=replace(visit.input, settings=settings), settings={**visit.settings, **asked})

        late, early = calibrated(BASE, 120.0, 600.0), calibrated(followup(), 40.0, 120.0, 600.0)
        (finding,) = findings_of([late, early])
        self.assertEqual((finding.code, finding.severity), ("visits-input", "warn"))
        self.assertIn("[input] calibration_from_s at both visits", finding.message)
        self.assertEqual(findings_of([late, calibrated(followup(), 300.0, 600.0)]), ())
        self.assertEqual(Alike(choices=True).changes([late, early]), {"calibration_from_s": 120.0})
        stated = calibrated(followup(), 120.0, 600.0, calibration_from_s=120.0)
        self.assertEqual(findings_of([late, stated]), ())
        (finding,) = findings_of([late, calibrated(followup(), 600.0, 900.0, calibration_from_s=600.0)])
        self.assertEqual(finding.severity, "refuse")

    def test_what_the_data_chose_is_compared_not_what_was_asked_for(self):
        for code, one, other in (
            ("visits-window", {"tstar_s": 300.0}, {"tstar_s": 450.0}),
            ("visits-parent-fraction", {"fraction": "gamma"}, {"fraction": "hill"}),
        ):
            (finding,) = findings_of([self.fitted(BASE, **one), self.fitted(followup(), **other)])
            self.assertEqual((finding.code, finding.severity), (code, "warn"))
            self.assertIn("[model] tstar_s" if "tstar_s" in one else "[input] parent_fraction_model", finding.message)
            self.assertNotEqual(*finding.values)
            self.assertEqual(findings_of([self.fitted(BASE, **one), self.fitted(followup(), **one)]), ())
        fixed = followup(settings={"parent_fraction_model": "hill"})
        (finding,) = findings_of([self.fitted(BASE, fraction="gamma"), self.fitted(fixed, fraction="hill")])
        self.assertEqual(finding.severity, "refuse")
        self.assertEqual(findings_of([self.fitted(BASE, fraction="hill"), self.fitted(fixed, fraction="hill")]), ())

    def test_each_region_has_its_own_start_of_the_line(self):
        def starts(visit, *each):
            logan = iter(each)
            fits = (replace(f, tstar_s=next(logan) if f.model == "Logan" else None) for f in visit.fits)
            return replace(visit, fits=tuple(fits))

        one, other = starts(BASE, 300, 450, 300, 300, 300), starts(followup(), 450, 300, 300, 300, 300)
        (finding,) = findings_of([one, other])
        self.assertEqual(finding.values[0], "Logan t* 300, 450, 300, 300, 300 s")
        self.assertNotEqual(*finding.values)

    def test_what_two_converters_write_of_one_header_is_alike(self):
        scan = BASE.acquisition
        words = {
            name: (getattr(scan, name) or "").upper().replace(" ", "_") for name in ("manufacturer", "reconstruction")
        }
        first = made.visit(acquisition={"voxel_mm": (2.0, 2.0, 3.0)})
        other = followup(acquisition={**words, "voxel_mm": (2.0, 3.0, 2.0)})
        codes = {finding.code for finding in findings_of([first, other])}
        self.assertEqual(codes & {"visits-scanner", "visits-reconstruction", "visits-voxel"}, set())

    def test_no_two_equal_texts_stand_side_by_side(self):
        smaller = tuple(replace(region, volume_mm3=1.0) for region in BASE.regions)
        larger = tuple(replace(region, volume_mm3=1.4) for region in BASE.regions)
        pairs = [(BASE, followup(**changes)) for changes in (*REFUSES.values(), *WARNS.values())]
        pairs += [
            (replace(BASE, regions=smaller), replace(followup(), regions=larger)),
            (replace(BASE, regions=BASE.regions[1:]), replace(followup(), regions=followup().regions[:-1])),
            (BASE, followup(acquisition={"voxel_mm": (2.0, 2.0, 2.03)})),
            (BASE, followup(acquisition={"fwhm_mm": 5.31})),
            (BASE, self.window(1.2)),
            (BASE, followup(settings={"vb": 0.1000001})),
        ]
        for first, other in pairs:
            found = [f for f in findings_of([first, other]) if f.acceptable]
            self.assertTrue(found)
            for finding in found:
                if finding.code not in ("visits-not-told", "visits-order"):
                    self.assertNotEqual(*finding.values, finding.code)

    def test_every_code_is_tested(self):
        tested = {
            *REFUSES,
            *WARNS,
            "visits-corrected-blood",
            "visits-volume",
            "visits-not-told",
            "visits-uptake-time",
            "visits-blood-same",
        }
        self.assertEqual(tested, set(CODES))
        self.assertEqual({*NEVER, "visits-same"}, set(NEVER_ACCEPTED))

    def test_all_differences_are_named_at_once(self):
        both = followup(acquisition={"filter": "none", "voxel_mm": (4.0, 4.0, 4.0)})
        self.assertIn("visits-voxel", self.refused(both).message)
        self.assertEqual(self.refused(both, ["visits-filter"]).code, "visits-voxel")

    def test_unknown_codes_are_refused(self):
        self.assertEqual(self.refused(followup(), ["visits-colour"]).code, "accept-unknown")

    def test_visits_without_a_common_region(self):
        lone = replace(followup(), regions=(replace(BASE.regions[0], name="another", level=""),))
        self.assertEqual(self.refused(lone).code, "visits-regions")

    def test_three_visits_have_three_values(self):
        lacking = replace(followup(), session="week3", regions=followup().regions[1:])
        name = BASE.regions[0].name
        for visits in ([BASE, lacking, with_volume(1.3)], [BASE, with_volume(1.3), lacking]):
            visits[1] = replace(visits[1], session="week1")
            found = {f.code: f for f in findings_of(visits) if f.acceptable}
            lacks = tuple("with each of them" if len(v.regions) == 5 else f"without {name}" for v in visits)
            self.assertEqual(found["visits-regions"].values, lacks)
            self.assertIn(name, found["visits-regions"].message)
            here = [next((r.volume_mm3 for r in v.regions if r.name == name), None) for v in visits]
            told = tuple("none" if volume is None else f"{volume:.0f} mm³" for volume in here)
            self.assertEqual(found["visits-volume"].values, told)

    def test_what_is_never_accepted_is_not_always_another_person(self):
        self.assertNotIn("different people", self.refused(replace(BASE, session="later"), ["visits-same"]).message)

    def test_the_third_visit_counts_too(self):
        third = made.visit("month6", vt=dict.fromkeys(made.VT, 3.0), acquisition={"filter": "other"})
        with self.assertRaisesRegex(InputRefused, "visits-filter.*3 mm | Gaussian 3 mm | other"):
            checked([BASE, followup(), third])


if __name__ == "__main__":
    unittest.main()
