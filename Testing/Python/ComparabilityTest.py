"""Visits that were not measured alike: each difference is found, told and, where it can fake a change, refused."""

import unittest
from dataclasses import replace

import visitrecords as made
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.comparability import CODES, IDENTITY, checked, findings_of

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
    "visits-input": {"settings": {"calibration": "scale"}},
    "visits-sampling": {"input": replace(BASE.input, route="venous")},
    "visits-coverage": {"settings": {"minimum_coverage": 0.3}},
    "visits-motion": {"settings": {"motion_correction": "none"}},
    "visits-genotype": {"genotype": "MAB"},
}
WARNS = {
    "visits-frames": {
        "acquisition": {
            "frame_starts_s": (0.0, 300.0, *made.STARTS_S[1:]),
            "frame_durations_s": (300.0, 300.0, *made.DURATIONS_S[1:]),
        }
    },
    "visits-pvc": {"pvc": "GTM"},
    "visits-dose": {"acquisition": {"injected_mbq": 40.0}},
    "visits-weight": {"acquisition": {"weight_kg": None}},
    "visits-moved": {"motion": replace(BASE.motion, displacement_mm=(0.0, 4.0, 0.0, 0.0, 0.0, 0.0))},
    "visits-order": {"acquisition": {"time_zero_at": "2025-01-01T10:00:00"}},
    "visits-regions": {"regions": followup().regions[1:]},
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

    def test_alike(self):
        self.assertEqual(checked([BASE, followup()]), ())

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

    def test_nothing_told_is_said_once(self):
        silent = {"filter": None, "reconstruction": None}
        visits = [made.visit(acquisition=silent), followup(acquisition=silent)]
        (finding,) = checked(visits)
        self.assertEqual((finding.code, finding.item), ("visits-not-told", "reconstruction, filter"))

    def test_every_code_is_tested(self):
        tested = {*REFUSES, *WARNS, "visits-volume", "visits-not-told"}
        self.assertEqual(tested, set(CODES))
        self.assertEqual({*NEVER, "visits-same"}, set(IDENTITY))

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
            self.assertEqual(found["visits-regions"].values, tuple(f"{len(v.regions)} regions" for v in visits))
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
