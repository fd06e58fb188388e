"""PET-BIDS sidecars and datasets: what they say, what they contradict, and which files belong together."""

import json
import unittest

import numpy as np
import SimpleITK as sitk
from support.folders import Folder
from support.realdata import DATA, needs_data
from TSPOQuantLib.acquisition.bids import find_bids, read_pet_json
from TSPOQuantLib.acquisition.dicom import read_dynamic_pet
from TSPOQuantLib.acquisition.participants import read_person
from TSPOQuantLib.acquisition.segmentation_files import read_segmentation
from TSPOQuantLib.acquisition.tables import sidecars
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.pipeline.visit_data import weight_notices
from TSPOQuantLib.study import study_of_bids

HALF_LIFE = 1220.04
GOOD = {
    "Units": "Bq/mL",
    "TracerName": "DPA-713",
    "TracerRadionuclide": "C11",
    "RadionuclideHalfLife": HALF_LIFE,
    "TimeZero": "10:00:00",
    "ScanStart": 0,
    "InjectionStart": 0,
    "FrameTimesStart": [0, 60, 120, 300, 900],
    "FrameDuration": [60, 60, 180, 600, 1800],
    "InjectedRadioactivity": 400,
    "InjectedRadioactivityUnits": "MBq",
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 0,
    "ReconMethodName": "OSEM",
}


class SidecarTest(Folder):
    def path(self, without=(), **changed):
        path = self.folder / "sub-1_pet.json"
        content = {key: value for key, value in (GOOD | changed).items() if key not in without}
        path.write_text(json.dumps(content))
        return path

    def read(self, without=(), **changed):
        return read_pet_json(self.path(without, **changed))

    def codes(self, pet):
        return [notice.code for notice in pet.notices]

    def test_reads_what_is_there(self):
        pet = self.read()
        self.assertEqual(list(pet.timing.starts_s), GOOD["FrameTimesStart"])
        self.assertEqual((pet.units, pet.kbq_ml_per_unit, pet.injected_mbq), ("Bq/mL", 1e-3, 400))
        self.assertEqual((pet.time_zero, pet.scan_start_s, pet.injection_start_s), ("10:00:00", 0, 0))
        self.assertEqual((pet.tracer, pet.radionuclide, pet.half_life_s), ("DPA-713", "C11", HALF_LIFE))
        self.assertEqual((pet.decay_corrected, pet.decay_correction_time_s, pet.reconstruction), (True, 0, "OSEM"))
        self.assertEqual(pet.notices, ())

    def test_weight_that_converters_keep(self):
        self.assertEqual([self.read(PatientWeight=weight).weight_kg for weight in (80, 0, None)], [80, None, None])

    def test_inherits_from_above(self):
        (self.folder / "dataset_description.json").write_text("{}")
        (self.folder / "pet.json").write_text(json.dumps(GOOD))
        deep = self.folder / "sub-1" / "pet"
        deep.mkdir(parents=True)
        (deep / "sub-1_pet.json").write_text(json.dumps({"InjectedRadioactivity": 300}))
        self.assertEqual(read_pet_json(deep / "sub-1_pet.json").injected_mbq, 300)

    def test_what_is_said_to_be_unknown(self):
        """PET-BIDS allows "n/a" where a number is unknown."""
        keys = (
            "InjectedMass",
            "SpecificRadioactivity",
            "InjectedRadioactivity",
            "InjectionEnd",
            "RadionuclideHalfLife",
        )
        for said in ("n/a", "N/A", ["n/a"]):
            unknown = self.read(**dict.fromkeys((*keys, "InjectedMassUnits", "InjectedRadioactivityUnits"), said))
            bare = self.read((*keys, "InjectedRadioactivityUnits"))
            self.assertEqual(unknown.notices, bare.notices)
            self.assertEqual((unknown.injected_mbq, unknown.half_life_s), (None, bare.half_life_s))
            self.assertEqual(self.read(InjectedMass=said).injected_mbq, 400)

    def test_corrections_that_were_not_made_are_told(self):
        for key in ("ScatterCorrectionMethod", "RandomsCorrectionMethod"):
            for stated, told in (("none", True), ("not applied", True), ("model-based", False), ("n/a", False)):
                self.assertEqual("pet-uncorrected" in self.codes(self.read(**{key: stated})), told, (key, stated))

    def test_a_scale_factor_is_told(self):
        for factors in ([1, 1, 1, 1, 1], [1.0], 1, None):
            self.assertNotIn("pet-scale-factor", self.codes(self.read(ScaleFactor=factors)))
        told = self.read(ScaleFactor=[0.5, 1, 2, 2, 3])
        self.assertEqual(self.codes(told), ["pet-scale-factor"])
        self.assertIn("0.5 to 3", told.notices[0].message)

    def test_half_life_of_carbon(self):
        for name in ("C11", "11C", "C-11", "[11C]"):
            half_life = self.read(("RadionuclideHalfLife",), TracerRadionuclide=name).half_life_s
            self.assertAlmostEqual(half_life / 60, 20.35, delta=0.03)
        self.refused("pet-json-half-life", read_pet_json, self.path(RadionuclideHalfLife=6586))
        self.refused("pet-json-half-life", read_pet_json, self.path(RadionuclideHalfLife=0))
        unknown = self.read(("RadionuclideHalfLife",), TracerRadionuclide="Xx99")
        self.assertIsNone(unknown.half_life_s)
        self.assertIn("pet-half-life", self.codes(unknown))

    def test_what_is_refused(self):
        for code, changed in (
            ("pet-json-frames", {"FrameTimesStart": None}),
            ("frames-shape", {"FrameDuration": [60]}),
            ("frames-overlap", {"FrameDuration": [90, 60, 180, 600, 1800]}),
            ("pet-json-time-units", {"FrameTimesStart": [0, 1, 2, 5, 15], "FrameDuration": [1, 1, 3, 10, 30]}),
            ("json-number", {"FrameTimesStart": ["0", 60, 120, 300, 900]}),
            ("json-number", {"FrameTimesStart": 0}),
            ("json-number", {"ScanStart": "10:00"}),
            ("json-number", {"InjectionStart": 10**400}),
            ("pet-json-units", {"Units": None}),
            ("units-activity", {"Units": "SUV"}),
            ("frames-scan-start", {"ScanStart": 600}),
            ("tracer-radionuclide", {"TracerName": "[18F]DPA-714"}),
            (
                "tracer-radionuclide",
                {"TracerName": "[11C]DPA-713", "TracerRadionuclide": "F18", "RadionuclideHalfLife": None},
            ),
            ("units-activity", {"InjectedRadioactivityUnits": "barrels"}),
        ):
            self.refused(code, read_pet_json, self.path(**changed))

    def test_late_frames_and_the_tracers_own_radionuclide_are_right(self):
        late = [600, 660, 720, 900, 1500]
        for changed in (
            {"ScanStart": 600, "FrameTimesStart": late},
            {"FrameTimesStart": late},
            {"TracerName": "[11C]DPA-713"},
            {"TracerName": "PBR28"},
        ):
            self.assertEqual(self.read(**changed).half_life_s, HALF_LIFE, changed)

    def test_injected_activity_with_a_slipped_unit(self):
        slipped = {"InjectedRadioactivity": 400_000, "InjectedRadioactivityUnits": "Bq"}
        alone = self.read(**slipped)
        self.assertIsNone(alone.injected_mbq)
        self.assertEqual(self.codes(alone), ["pet-injected"])
        two = self.read(**slipped, RadionuclideTotalDose=401e6)
        self.assertIsNone(two.injected_mbq)
        self.assertEqual(self.codes(two), ["pet-injected"])
        mass = {"InjectedMass": 8, "InjectedMassUnits": "nmol", "SpecificRadioactivity": 50}
        three = self.read(**slipped, RadionuclideTotalDose=401e6, **mass, SpecificRadioactivityUnits="MBq/nmol")
        self.assertEqual(three.injected_mbq, 401)
        self.assertEqual(self.codes(three), ["pet-injected"])
        other_units = self.read(**slipped, RadionuclideTotalDose=401e6, **mass, SpecificRadioactivityUnits="MBq/ug")
        self.assertIsNone(other_units.injected_mbq)

    def test_decay_factors_tell_the_time_they_refer_to(self):
        starts, durations = np.array(GOOD["FrameTimesStart"]), np.array(GOOD["FrameDuration"])
        rate = np.log(2) / HALF_LIFE
        zero = -7.0
        # The average of exp(-rate t) over each frame, by the trapezoid rule: the factor is its inverse.
        grid = np.linspace(0, 1, 2001)
        averages = [
            np.trapezoid(np.exp(-rate * (s + d * grid - zero)), grid) for s, d in zip(starts, durations, strict=True)
        ]
        middles = np.exp(rate * (starts + durations / 2 - zero))
        for factors in (1 / np.array(averages), middles):
            pet = self.read(DecayFactor=list(factors))
            self.assertAlmostEqual(pet.decay_reference_s, zero, places=3)
            self.assertEqual(self.codes(pet), ["pet-decay-reference"])
        agreeing = self.read(DecayFactor=list(middles), ImageDecayCorrectionTime=zero)
        self.assertEqual(agreeing.notices, ())
        for silent in ([1.0] * 5, list(middles[:4]), list(middles[::-1]), [0, *middles[1:]]):
            self.assertIsNone(self.read(DecayFactor=silent).decay_reference_s)

    def test_an_image_without_attenuation_correction(self):
        for key in ("AttenuationCorrection", "AttenuationCorrectionMethod"):
            for stated in ("none", "No attenuation correction", "NAC", "uncorrected", False, ["none"]):
                self.refused("pet-attenuation", read_pet_json, self.path(**{key: stated}))
        for stated in ("[137Cs]transmission scan", "measured,AC_CT_Brain", "no transmission scan: MRAC", "n/a", True):
            self.read(AttenuationCorrection=stated)

    def test_a_half_life_in_minutes(self):
        for minutes in (20.36, 109.77):
            path = self.path(("TracerRadionuclide", "TracerName"), RadionuclideHalfLife=minutes)
            self.assertIn("minutes", self.refused("pet-json-half-life", read_pet_json, path))

    def test_what_is_odd_is_named(self):
        self.assertIn("pet-decay", self.codes(self.read(ImageDecayCorrected=False)))
        for answer in ("true", "Yes", [True], 1):
            self.assertNotIn("pet-decay", self.codes(self.read(ImageDecayCorrected=answer)))
        self.assertIn("pet-decay", self.codes(self.read(("ImageDecayCorrected",))))
        self.assertIn("pet-first-frame", self.codes(self.read(FrameTimesStart=[29, 89, 149, 329, 929])))
        self.assertIn("pet-injected-unit", self.codes(self.read(("InjectedRadioactivityUnits",))))


class DatasetTest(Folder):
    def touch(self, *names):
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")

    def test_files_of_a_session(self):
        stem = "sub-1/ses-a/pet/sub-1_ses-a"
        derived = f"derivatives/prep/{stem}_seg-x_tacs.tsv"
        self.touch(f"{stem}_pet.json", f"{stem}_pet.nii.gz", f"{stem}_recording-manual_blood.tsv", derived)
        self.touch(f"{stem}_bloodproc.tsv", "sub-1/ses-b/pet/sub-1_ses-b_pet.json", "sub-10/ses-a/pet/x_pet.json")
        found = find_bids(self.folder, "1", "a")
        self.assertEqual(found, find_bids(self.folder, "sub-1", "ses-a"))
        self.assertEqual((found.participant, found.session), ("sub-1", "ses-a"))
        self.assertEqual(found.image, self.folder / f"{stem}_pet.nii.gz")
        self.assertEqual(found.blood, (self.folder / f"{stem}_recording-manual_blood.tsv",))
        self.assertEqual(found.bloodproc, (self.folder / f"{stem}_bloodproc.tsv",))
        self.assertEqual(found.tacs, (self.folder / derived,))

    def test_dataset_without_sessions(self):
        self.touch("sub-1/pet/sub-1_pet.json")
        self.assertIsNone(find_bids(self.folder, "1").session)

    def test_what_is_refused(self):
        self.touch("sub-1/ses-a/pet/sub-1_ses-a_pet.json", "sub-2/ses-a/pet/none.txt")
        self.touch("sub-3/pet/sub-3_run-1_pet.json", "sub-3/pet/sub-3_run-2_pet.json")
        for code, labels in (
            ("bids-participant", ("9", "a")),
            ("bids-participant", ("../sub-1", "a")),
            ("bids-participant", ("*", "a")),
            ("bids-session", ("1", "b")),
            ("bids-session", ("1", None)),
            ("bids-sidecar", ("2", "a")),
            ("bids-several", ("3", None)),
        ):
            self.refused(code, find_bids, self.folder, *labels)
        self.refused("bids-participant", find_bids, self.folder / "nowhere", "1")
        (self.folder / "sub-4" / "ses-a" / "anat").mkdir(parents=True)
        self.assertIn("no session of sub-4", self.refused("bids-session", find_bids, self.folder, "4"))


class ScanTest(Folder):
    """Which blood, JSON, table and person belong to a scan."""

    ENTITIES = ("run-1", "trc-PBR28", "rec-osem", "task-rest")

    def setUp(self):
        super().setUp()
        self.pet = self.folder / "sub-1" / "ses-a" / "pet"
        self.pet.mkdir(parents=True)
        (self.folder / "dataset_description.json").write_text("{}")

    def touch(self, *names):
        for name in names:
            (self.pet / name).touch()

    def blood(self):
        return [path.name for path in find_bids(self.folder, "1", "a").blood]

    def test_blood_of_another_run_tracer_or_reconstruction_is_not_taken(self):
        for entity in self.ENTITIES:
            key = entity.partition("-")[0]
            for own in (f"_{entity}", ""):
                for file in self.pet.iterdir():
                    file.unlink()
                self.touch(f"sub-1_ses-a{own}_pet.nii.gz", f"sub-1_ses-a{own}_pet.json")
                other = f"sub-1_ses-a_{key}-other_recording-manual_blood.tsv"
                self.touch(other)
                with self.subTest(entity=entity, own=own):
                    self.assertIn(other, self.refused("bids-blood", self.blood))
                    mine = f"sub-1_ses-a{own}_recording-manual_blood.tsv"
                    self.touch(mine, "sub-1_ses-a_recording-autosampler_blood.tsv")
                    self.assertEqual(self.blood(), sorted({mine, "sub-1_ses-a_recording-autosampler_blood.tsv"}))

    def test_the_json_of_the_image_among_several(self):
        self.touch("sub-1_ses-a_run-2_pet.nii.gz", "sub-1_ses-a_run-1_pet.json", "sub-1_ses-a_run-2_pet.json")
        self.assertEqual(find_bids(self.folder, "1", "a").pet_json.name, "sub-1_ses-a_run-2_pet.json")

    def test_a_json_of_the_whole_dataset(self):
        image = sitk.JoinSeries([sitk.GetImageFromArray(np.full((2, 2, 2), v, np.float32)) for v in range(1, 6)])
        path = self.pet / "sub-1_ses-a_pet.nii.gz"
        sitk.WriteImage(image, str(path))
        self.refused("bids-sidecar", find_bids, self.folder, "1", "a")
        self.refused("nifti-no-sidecar", read_dynamic_pet, path)
        (self.folder / "pet.json").write_text(json.dumps(GOOD))
        (self.folder / "sub-1" / "sub-1_pet.json").write_text(json.dumps({"Units": "kBq/mL"}))
        self.assertEqual(find_bids(self.folder, "1", "a").pet_json.name, "sub-1_pet.json")
        np.testing.assert_allclose(read_dynamic_pet(path).activity[4], 5.0)  # the nearer file's kBq/mL

    def test_files_that_git_annex_keeps_behind_links(self):
        kept = self.folder / ".git" / "annex" / "objects" / "a1"
        kept.mkdir(parents=True)
        image = sitk.JoinSeries([sitk.GetImageFromArray(np.full((2, 2, 2), v, np.float32)) for v in range(1, 6)])
        sitk.WriteImage(image, str(kept / "key.nii.gz"))
        (kept / "key.json").write_text(json.dumps(GOOD))
        for ending in (".nii.gz", ".json"):
            (self.pet / f"sub-1_ses-a_pet{ending}").symlink_to(kept / f"key{ending}")
        (self.folder / "pet.json").write_text(json.dumps({"Units": "Bq/mL", "ReconFilterSize": 2}))
        found = find_bids(self.folder, "1", "a")
        self.assertEqual(found.pet_json.name, "sub-1_ses-a_pet.json")
        self.assertEqual([path.name for path in sidecars(found.image)], ["pet.json", "sub-1_ses-a_pet.json"])
        np.testing.assert_allclose(read_dynamic_pet(found.image).activity[4], 5e-3)

    def test_regions_of_the_subject_with_the_table_of_the_dataset(self):
        self.touch("sub-1_ses-a_pet.nii.gz", "sub-1_ses-a_pet.json")
        derived = self.folder / "derivatives" / "petprep"
        (derived / "sub-1" / "anat").mkdir(parents=True)
        (derived / "dataset_description.json").write_text("{}")
        labels = np.zeros((3, 3, 3), np.uint8)
        labels[1, 1, 1] = 7
        path = derived / "sub-1" / "anat" / "sub-1_desc-neck_dseg.nii.gz"
        sitk.WriteImage(sitk.GetImageFromArray(labels), str(path))
        table = derived / "desc-neck_dseg.tsv"
        table.write_text("index\tname\n7\tcord C7\n")
        (derived / "desc-other_dseg.tsv").write_text("index\tname\n7\twrong\n")
        study = study_of_bids(self.folder, "1", "a", None)
        self.assertEqual(study.segmentation, path)
        self.assertEqual([one.name for one in read_segmentation(path).segments], ["cord C7"])
        self.assertIn(table.resolve(), [file.resolve() for file in study.files])

    def test_every_file_that_is_read_belongs_to_the_study(self):
        self.touch("sub-1_ses-a_pet.nii.gz", "sub-1_ses-a_pet.json", "sub-1_ses-a_recording-manual_blood.tsv")
        for name in ("pet.json", "blood.json", "sub-1/sub-1_recording-manual_blood.json", "other_pet.json"):
            (self.folder / name).write_text("{}")
        regions = self.folder / "regions.seg.nrrd"
        regions.touch()
        named = {path.name for path in study_of_bids(self.folder, "1", "a", regions).files}
        self.assertLessEqual({"pet.json", "blood.json", "sub-1_recording-manual_blood.json"}, named)
        self.assertNotIn("other_pet.json", named)

    def test_the_input_is_chosen(self):
        self.touch("sub-1_ses-a_pet.nii.gz", "sub-1_ses-a_pet.json")
        regions = self.folder / "regions.seg.nrrd"
        regions.touch()

        def study(source=None):
            return study_of_bids(self.folder, "1", "a", regions, source)

        for source in ("blood", "given"):
            self.refused("bids-blood", study, source)
        self.touch("sub-1_ses-a_recording-manual_blood.tsv", "sub-1_ses-a_bloodproc.tsv")
        for source in ("blood", "image-derived", "given"):
            made = study(source)
            self.assertEqual(made.settings.input_source, source)
            self.assertEqual(made.given_input is not None, source == "given")
        self.assertEqual(study().settings.input_source, "image-derived")


class PersonTest(Folder):
    def person(self, head, row, described=None, sessions=None):
        (self.folder / "participants.tsv").write_text(f"participant_id\t{head}\nsub-2\t{row}\nsub-3\tn/a\tn/a\n")
        (self.folder / "participants.json").write_text(json.dumps(described or {}))
        if sessions:
            (self.folder / "sub-2").mkdir(exist_ok=True)
            (self.folder / "sub-2" / "sub-2_sessions.tsv").write_text(sessions)
        return read_person(self.folder, "sub-2", "ses-a")

    def test_two_weights_of_one_person_are_told(self):
        self.assertEqual([notice.code for notice in weight_notices(0.08, 80.0)], ["weights-differ"])
        for weights in ((80.0, 76.0), (None, 80.0), (80.0, None)):
            self.assertEqual(weight_notices(*weights), ())

    def test_genotype_and_weight_as_laboratories_write_them(self):
        for cell, genotype in (
            ("HAB", "HAB"),
            ("mab", "MAB"),
            ("low affinity binder", "LAB"),
            ("C/C", "HAB"),
            ("C/T", "MAB"),
            ("TT", "LAB"),
            ("Ala/Thr", "MAB"),
            ("n/a", "unknown"),
        ):
            for column in ("genotype", "rs6971", "TSPO_genotype"):
                with self.subTest(cell=cell, column=column):
                    self.assertEqual(self.person(f"{column}\tweight", f"{cell}\t70").genotype, genotype)
        self.assertEqual(self.person("genotype\tweight", "HAB\t70").weight_kg, 70)
        grams = {"weight": {"Units": "g"}}
        self.assertEqual(self.person("genotype\tweight", "HAB\t70000", grams).weight_kg, 70)
        own = "session_id\tweight\nses-a\t71.5\nses-b\t60\n"
        self.assertEqual(self.person("genotype\tweight", "HAB\t70", None, own).weight_kg, 71.5)

    def test_two_genotypes_of_one_person(self):
        for cells, refused in (("HAB\tC/T", True), ("HAB\tCC", False), ("HAB\tn/a", False), ("HAB\tyes", False)):
            (self.folder / "participants.tsv").write_text(f"participant_id\tgenotype\trs6971\nsub-2\t{cells}\n")
            if refused:
                self.refused("participants-genotypes", read_person, self.folder, "sub-2", None)
            else:
                self.assertEqual(read_person(self.folder, "sub-2", None).genotype, "HAB")

    def test_what_is_not_used_is_told(self):
        odd = self.person("genotype\tweight", "A/A\t70000")
        self.assertEqual((odd.genotype, odd.weight_kg), ("unknown", None))
        self.assertEqual([one.code for one in odd.notices], ["participants-genotype", "participants-weight"])

    def test_a_person_without_a_row_is_told(self):
        for table in ("participant_id\tgenotype\n2\tHAB\n02\tHAB\n", "id\tgenotype\nsub-2\tHAB\n"):
            (self.folder / "participants.tsv").write_text(table)
            codes = [one.code for one in read_person(self.folder, "sub-002", None).notices]
            self.assertEqual(codes, ["participants-row"])

    def test_two_rows_of_one_person(self):
        for own in (None, "session_id\tweight\nses-a\t71\nses-a\t60\n"):
            rows = "HAB\t70" if own else "HAB\t70\nsub-2\tLAB\t60"
            with self.assertRaises(InputRefused) as caught:
                self.person("genotype\tweight", rows, None, own)
            self.assertEqual(caught.exception.code, "participants-twice")
        (self.folder / "sub-2" / "sub-2_sessions.tsv").unlink()
        again = "HAB\t70\nsub-2\tHAB\tn/a"
        self.assertEqual(self.person("genotype\tweight", again).weight_kg, 70)
        by_visit = "ses-a\tHAB\t70\nsub-2\tses-b\tHAB\t60"
        (self.folder / "participants.tsv").write_text(
            f"participant_id\tsession_id\tgenotype\tweight\nsub-2\t{by_visit}\n"
        )
        weights = [read_person(self.folder, "sub-2", session).weight_kg for session in ("ses-a", "ses-b")]
        self.assertEqual(weights, [70, 60])

    def test_only_the_person_s_own_row_is_read(self):
        mine = self.person("genotype\tweight", "HAB\t70").read
        (self.folder / "participants.tsv").write_text(
            "participant_id\tgenotype\tweight\nsub-2\tHAB\t70\nsub-9\tLAB\t9\n"
        )
        self.assertEqual(read_person(self.folder, "sub-2", "ses-a").read, mine)
        self.assertEqual(read_person(self.folder, "sub-5", None).read, "")
        self.assertEqual(read_person(self.folder / "nowhere", "sub-2", None).genotype, "unknown")


@needs_data
class RealDatasetTest(unittest.TestCase):
    def test_pbr28_zero_is_not_the_first_frame(self):
        starts = []
        for folder in sorted((DATA / "pbr28").glob("sub-*/ses-*")):
            pet = read_pet_json(find_bids(DATA / "pbr28", folder.parent.name, folder.name).pet_json)
            starts.append(pet.timing.starts_s[0])
            self.assertEqual([notice.code for notice in pet.notices], ["pet-first-frame"])
            self.assertTrue(350 < pet.injected_mbq < 450)
        self.assertEqual(sorted(starts), [4, 11, 15, 19, 20, 29])

    def test_ds004869_contradictions_are_named(self):
        root = DATA / "pet_bids_ds004869"
        # The sessions whose mass and specific activity have units that fit, which settles the activity.
        settled = {
            "sub-01 baseline": 654.16,
            "sub-02 baseline": 698.93,
            "sub-02 blocked": 714.1,
            "sub-03 baseline": 740.74,
        }
        for folder in sorted(root.glob("sub-*/ses-*")):
            found = find_bids(root, folder.parent.name, folder.name)
            self.assertEqual((len(found.blood), len(found.tacs), found.image), (1, 1, None))
            pet = read_pet_json(found.pet_json)
            codes = [notice.code for notice in pet.notices]
            self.assertEqual(codes, ["pet-decay-reference", "pet-injected"])
            # Whole seconds, as clock times are written.
            self.assertIn(round(pet.decay_reference_s), (-5, -4, -3, -2))
            self.assertAlmostEqual(pet.decay_reference_s, round(pet.decay_reference_s), delta=0.03)
            name = f"{found.participant} {found.session.removeprefix('ses-')}"
            self.assertEqual(pet.injected_mbq, settled.get(name))


if __name__ == "__main__":
    unittest.main()
