"""Settings are declared once: everything that must know a setting follows from its declaration."""

import sys
import unittest
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from support import visitrecords as made
from support.folders import Folder
from TSPOQuantLib.acquisition.settings import TracerName
from TSPOQuantLib.alignment.pet_to_ct import PetToCt
from TSPOQuantLib.input_function import ImageDerivedSettings, SampledSettings
from TSPOQuantLib.kinetics.options import FitChoices, FitSettings
from TSPOQuantLib.messages import InputRefused, Text
from TSPOQuantLib.outcome.comparability import findings_of
from TSPOQuantLib.outcome.compared_items import ITEMS
from TSPOQuantLib.outcome.settings import SETTINGS, StudySettings
from TSPOQuantLib.regions.settings import TISSUE_VB
from TSPOQuantLib.reporting.report_document import English
from TSPOQuantLib.reporting.words import Words, catalog
from TSPOQuantLib.settings import (
    Clock,
    Kind,
    Line,
    Moment,
    Number,
    Reasons,
    Several,
    Shared,
    chosen,
    declared,
    part_of,
    restored,
    setting,
    typed,
)
from TSPOQuantLib.study import KEYS, TABLES, read_study
from TSPOQuantLib.typography import LANGUAGES

REPOSITORY = Path(__file__).resolve().parents[2]
OTHERS = {
    "input_source": ["blood", "given", "population"],
    "population_scale": ["suv"],
    "arrival_s": [20],
    "given_domain": ["plasma", "whole-blood"],
    "given_unit": ["Bq/mL"],
    "blood_pool": ["aorta"],
    "calibration": ["scale"],
    "recovery": [0.7],
    "spill_in": [0.2],
    "calibration_from_s": [600],
    "sample_cv": [0.1],
    "plasma_ratio": [1.1],
    "plasma_ratio_model": ["constant"],
    "parent_fraction_model": ["hill"],
    "parent_fraction_weights": ["relative"],
    "parent_fraction_extrapolation": ["hold"],
    "interpolation": ["feng"],
    "autosampler_until_s": [300],
    "dispersion_s": [4.5],
    "sampler_smoothing_s": [8],
    "models": [["2TCM"], ["Logan", "MA1"]],
    "vb": [0.05, "none"],
    "weights": ["uniform"],
    "tstar_s": [1200],
    "last_frames": [8],
    "delay_s": ["fit", 3],
    "bounds": [{"k2": [0, 1]}],
    "coupled": ["visits"],
    "second_tissue": ["as named"],
    "until_min": [40],
    "leave_out": [{"3": "moved", "17": "coughed"}],
    "free_fraction": [0.1],
    "window_min": [[40, 60]],
    "reference": ["muscle"],
    "minimum_coverage": [0.3],
    "pvc": ["GTM"],
    "pvc_regions": [["cord C7"]],
    "pvc_tissue_vb": [0.1],
    "unaffected": ["one-above", "contralateral", "muscle"],
    "fwhm_mm": ["estimate", 6.0],
    "smooth_to_mm": [8.0],
    "anatomical_modality": ["CT", "MR"],
    "motion_correction": ["frames", "none"],
    "motion_reference": [[18, 19]],
    "registration_window": ["early"],
    "injection_time": ["10:02:30", -30],
    "blood_time_zero": ["scan", "injection", "10:02:30", 15.5],
    "subject": ["p2"],
    "session": ["week6"],
    "patient_ids": ["ignore"],
    "tracer": ["[11C]DPA-713", "PBR28", "C-11"],
    "genotype": ["LAB"],
    "washout": ["ibuprofen until the day before"],
}
"""Values that are allowed and are not the default, as TOML and JSON give them."""
WRONG = {
    Kind: ["another", 3, True],
    Number: ["another", True, float("nan"), float("inf"), [1.0]],
    Line: ["", "  ", 3],
    TracerName: ["dope", "[89Zr]antibody", 3],
    Moment: ["noon", "25:00", True, float("nan")],
}
FILES = ("pet", "s.seg.nrrd", "b.tsv", "ready.tsv")
HEAD = {
    "pet": 'path = "pet"',
    "ct": 'path = "pet"',
    "segmentation": 'path = "s.seg.nrrd"',
    "blood": 'paths = ["b.tsv"]',
}


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


class StudyFileTest(Folder):
    """Every setting is a key of study.toml, read and refused by its declaration."""

    def setUp(self):
        super().setUp()
        for name in FILES:
            (self.folder / name).touch()

    def read(self, one, value):
        lines = []
        for table in TABLES:
            lines += [f"[{table}]", HEAD[table]] if table in HEAD else [f"[{table}]"] if table == one.table else []
            if table == one.table:
                lines.append(f"{one.key} = {toml(value)}")
                lines += ['path = "ready.tsv"'] if value in ("given", "population") else []
        path = self.folder / "study.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        return read_study(path), lines

    def test_every_setting_has_other_values_here(self):
        self.assertEqual({one.name for one in SETTINGS}, set(OTHERS))

    def test_every_setting_can_be_set_and_is_kept_through_json(self):
        for one in SETTINGS:
            for value in OTHERS[one.name]:
                with self.subTest(setting=one.name, value=value):
                    settings = self.read(one, value)[0].settings
                    self.assertEqual(getattr(settings, one.name), one.kind.accept(value))
                    self.assertNotEqual(getattr(settings, one.name), one.default)
                    self.assertEqual(restored(StudySettings, asdict(settings)), settings)

    def test_what_is_not_allowed_is_refused_with_key_and_line(self):
        for one in SETTINGS:
            kind = next((kind for kind in (Number, Line, Moment) if isinstance(one.kind, kind)), Kind)
            for value in WRONG[kind] if type(one.kind) in (Kind, Number, Line, Moment) else ["another", 3]:
                if one.kind.optional and value == "":
                    continue
                with self.subTest(setting=one.name, value=value), self.assertRaises(InputRefused) as caught:
                    self.read(one, value)
                self.assertEqual(caught.exception.code, "study-value")
                self.assertIn(f"[{one.table}] {one.key} must be {one.kind.wanted}", caught.exception.message)
                line = next(n for n, told in enumerate(self.lines(), start=1) if told.startswith(f"{one.key} ="))
                self.assertIn(f"study.toml, line {line}:", caught.exception.message)

    def lines(self):
        return (self.folder / "study.toml").read_text(encoding="utf-8").splitlines()

    def test_keys_are_known_once(self):
        for table, keys in KEYS.items():
            self.assertEqual(len(set(keys)), len(keys), table)
        self.assertEqual({one.table for one in SETTINGS} - set(TABLES), set())


class ComparedTest(unittest.TestCase):
    """No setting that can change a result escapes the comparison of visits."""

    def differing(self, **changes):
        corrected = {"pvc": "GTM"} if changes.keys() <= {"pvc_regions", "pvc_tissue_vb"} else {}
        to_ct = PetToCt(np.eye(4), 0.1)
        first = made.visit(settings=corrected, pvc=corrected.get("pvc", "none"), pet_to_ct=to_ct)
        settings = {**corrected, **changes}
        vt = {name: 0.9 * value for name, value in made.VT.items()}
        told = {"pet_to_ct": to_ct} | ({"genotype": settings["genotype"]} if "genotype" in settings else {})
        told |= {"pvc": settings["pvc"]} if "pvc" in settings else {}
        told |= {"models": tuple(settings["models"])} if "models" in settings else {}
        return findings_of([first, made.visit("followup", vt=vt, settings=settings, **told)])

    def test_a_lone_difference_is_found_or_excused_with_a_reason(self):
        sampled = {field.name for field in fields(SampledSettings)} - {
            field.name for field in fields(ImageDerivedSettings)
        }
        for one in SETTINGS:
            if one.name in sampled or one.name == "population_scale":
                continue  # without effect on an image-derived input
            for value in OTHERS[one.name]:
                with self.subTest(setting=one.name, value=value):
                    found = self.differing(**{one.name: value})
                    if one.shared is None:
                        self.assertTrue(one.exempt)
                        continue
                    (finding,) = [each for each in found if each.item == one.shared.item]
                    self.assertNotEqual(*finding.values)
                    self.assertIn(one.shared.why, finding.message)

    def test_the_four_that_were_forgotten(self):
        for changes in (
            {"registration_window": "early"},
            {"motion_reference": [1, 2]},
            {"blood_pool": "aorta"},
            {"pvc_regions": ["cord C7"]},
        ):
            self.assertEqual(len(self.differing(**changes)), 1, changes)

    def test_what_has_no_effect_makes_no_difference(self):
        still = made.visit(settings={"motion_correction": "none", "registration_window": "early"})
        vt = {name: 0.9 * value for name, value in made.VT.items()}
        other = made.visit("followup", vt=vt, settings={"motion_correction": "none", "registration_window": "late"})
        self.assertEqual(findings_of([still, other]), ())

    def test_template(self):
        vt = {name: 0.9 * value for name, value in made.VT.items()}
        first = made.visit(settings={"input_source": "population"})
        other = made.visit("followup", vt=vt, settings={"input_source": "population", "population_scale": "suv"})
        self.assertEqual([each.item for each in findings_of([first, other])], ["input"])

    def test_sampled_input(self):
        vt = {name: 0.9 * value for name, value in made.VT.items()}
        for one in declared(SampledSettings):
            for value in OTHERS[one.name]:
                first = made.visit(settings={"input_source": "blood"})
                other = made.visit("followup", vt=vt, settings={"input_source": "blood", one.name: value})
                with self.subTest(setting=one.name):
                    told = [] if one.shared is None else [one.shared.item]
                    self.assertEqual([each.item for each in findings_of([first, other])], told)


class ReadmeTest(unittest.TestCase):
    @unittest.skipUnless((REPOSITORY / "tools").is_dir(), "README and tools are not installed with the module")
    def test_its_table_is_up_to_date(self):
        sys.path.insert(0, str(REPOSITORY))
        self.addCleanup(sys.path.remove, str(REPOSITORY))
        from tools.settings_table import README, parts, table

        shown = parts(README.read_text(encoding="utf-8"))[1]
        self.assertEqual(shown, table(), "make it again: python -m tools.settings_table")


class DeclarationTest(unittest.TestCase):
    def test_a_setting_cannot_be_silent_about_other_visits(self):
        with self.assertRaises(TypeError):
            setting("a", "pet", Kind(("a", "b")), "help")
        with self.assertRaises(TypeError):
            setting("a", "pet", Kind(("a", "b")), "help", shared=Shared("a", Text("why")), exempt="why not")
        with self.assertRaises(ValueError):
            setting("c", "pet", Kind(("a", "b")), "help", exempt="why not")

    def test_a_field_that_is_no_setting_is_found(self):
        @dataclass(frozen=True)
        class Forgotten:
            choice: str = "a"

        with self.assertRaises(TypeError):
            list(declared(Forgotten))

    def test_a_room_gets_its_own_part(self):
        chosen = StudySettings(vb=0.05, recovery=0.7, interpolation="feng", weights="uniform")
        self.assertEqual(part_of(ImageDerivedSettings, chosen), ImageDerivedSettings(recovery=0.7))
        self.assertEqual(part_of(SampledSettings, chosen), SampledSettings(interpolation="feng"))
        self.assertEqual(part_of(FitSettings, chosen), FitSettings(vb=0.05, weights="uniform"))
        self.assertEqual(part_of(FitChoices, chosen), FitChoices(vb=0.05))

    def test_what_was_chosen_is_what_is_not_as_it_comes(self):
        self.assertEqual(chosen(StudySettings()), {})
        self.assertEqual(chosen(StudySettings(vb=0.05, models=("Logan",))), {"vb": 0.05, "models": ("Logan",)})

    def test_what_another_equation_made_is_not_what_would_be_made_now(self):
        """Corrected results in a scene from before blood lay beside tissue are out of date; all others are not."""
        self.assertEqual(chosen(StudySettings(pvc="GTM")), {"pvc": "GTM", "pvc_tissue_vb": TISSUE_VB})
        self.assertEqual(chosen(StudySettings(pvc="GTM", pvc_tissue_vb=1.0)), {"pvc": "GTM"})

    def test_kept_settings_that_are_not_known_or_allowed(self):
        with self.assertRaises(TypeError):
            restored(StudySettings, {"colour": "red"})
        with self.assertRaises(ValueError):
            restored(StudySettings, {"vb": 3.0})

    def test_values_as_people_type_them(self):
        for name, text, value in (
            ("vb", "0.05", 0.05),
            ("vb", "fit", "fit"),
            ("input_source", '"blood"', "blood"),
            ("models", "1TCM, MA1", ("1TCM", "MA1")),
            ("models", '["Logan"]', ("Logan",)),
            ("motion_reference", "3, 4", (3, 4)),
            ("bounds", "{k2 = [0, 0.5]}", {"k2": (0.0, 0.5)}),
            ("pvc_regions", "cord C7", ("cord C7",)),
            ("leave_out", '{17 = "coughed", 3 = "moved"}', {"3": "moved", "17": "coughed"}),
        ):
            kind = next(one.kind for one in SETTINGS if one.name == name)
            self.assertEqual(typed(kind, text), value)
        with self.assertRaises(ValueError):
            typed(next(one.kind for one in SETTINGS if one.name == "vb"), "half")

    def test_every_comparison_has_its_word(self):
        for language in LANGUAGES:
            words = catalog(language)["words"]
            self.assertEqual([item.item for item in ITEMS if f"value.{item.item}" not in words], [], language)

    def test_every_choice_that_visits_must_share_has_its_word(self):
        names = {"HAB", "MAB", "LAB", "GTM", "RBV", "IY", "STC"}  # the same in every language
        kept = {"blood"}  # an input from blood samples is compared as "samples"
        for language in LANGUAGES:
            words = catalog(language)["words"]
            choices = {word for one in SETTINGS if one.shared for word in one.kind.words}
            self.assertEqual({one for one in choices if f"value.{one}" not in words} - names - kept, set(), language)

    def test_what_a_setting_is_for_is_told_in_every_language(self):
        for language in LANGUAGES:
            words = Words(language)
            untold = [one.name for one in SETTINGS if isinstance(words.message(one.help), English)]
            self.assertEqual(untold, [], language)

    def test_kinds(self):
        self.assertEqual(Clock().accept("10:02:30"), "10:02:30")
        for kind, values in (
            (Number(low=0, high=1, above=True, below=True), (0, 1, -1, 2)),
            (Number(whole=True), (1.5,)),
            (Several(each=Kind(("a", "b")), empty=False), ([], ["a", "a"], ["c"], "a")),
            (Moment(), (True, "noon", float("inf"))),
            (Clock(), ("25:00", "noon", 3, "10:02:30+01:00")),
            (Line(), ("", " ", None)),
            (Reasons(), ([3], {"0": "moved"}, {"3": ""}, {"3": 1}, {"3": "moved", "03": "moved"}, {"x": "moved"})),
        ):
            for value in values:
                with self.subTest(kind=kind, value=value), self.assertRaises(ValueError):
                    kind.accept(value)
        self.assertEqual(Number(low=0, high=1, above=True).wanted, "a number above 0, at most 1")


if __name__ == "__main__":
    unittest.main()
