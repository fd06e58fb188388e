"""study.toml and clinical.toml: what is accepted, what is refused and how it is told."""

import tempfile
import unittest
from pathlib import Path

from support.folders import Folder
from support.tinystudy import DicomVisit, quantified, quiet
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.clinical import SCORES
from TSPOQuantLib.outcome.clinical_file import read_clinical
from TSPOQuantLib.study import read_study

GOOD = """
[subject]
id = "p1"
session = "baseline"
genotype = "HAB"
[pet]
path = "pet"
[segmentation]
path = "s.seg.nrrd"
[blood]
paths = ["b.tsv"]
route = "arterial"
[model]
names = ["1TCM"]
vb = 0.05
"""


class StudyTest(Folder):
    def setUp(self):
        super().setUp()
        (self.folder / "pet").mkdir()
        for name in ("s.seg.nrrd", "b.tsv"):
            (self.folder / name).touch()

    def read(self, text):
        path = self.folder / "study.toml"
        path.write_text(text, encoding="utf-8")
        return read_study(path)

    def refusal(self, text):
        with self.assertRaises(InputRefused) as caught:
            self.read(text)
        return caught.exception

    def test_reads_paths_relative_to_the_file(self):
        study = self.read(GOOD)
        self.assertEqual(study.pet, self.folder / "pet")
        self.assertEqual(study.settings.vb, 0.05)
        self.assertEqual(study.settings.models, ("1TCM",))
        self.assertEqual(study.settings.genotype, "HAB")
        self.assertIsNone(study.ct)

    def test_motion_is_corrected_unless_told_otherwise(self):
        settings = self.read(GOOD).settings
        told = (settings.motion_correction, settings.motion_reference, settings.registration_window)
        self.assertEqual(told, ("rigid", "late", "all"))
        more = 'motion_correction = "frames"\nmotion_reference = [14, 15]\nregistration_window = "early"\n'
        settings = self.read(GOOD.replace("[segmentation]", more + "[segmentation]")).settings
        told = (settings.motion_correction, settings.motion_reference, settings.registration_window)
        self.assertEqual(told, ("frames", (14, 15), "early"))
        for wrong in (
            "motion_reference = [0]",
            "motion_reference = []",
            'motion_reference = "early"',
            "motion_reference = [1.5]",
            'registration_window = "middle"',
            'motion_correction = "elastic"',
        ):
            with self.subTest(wrong):
                refusal = self.refusal(GOOD.replace("[segmentation]", wrong + "\n[segmentation]"))
                self.assertEqual(refusal.code, "study-value")

    def test_regions_of_another_visit(self):
        (self.folder / "ct").mkdir()
        with_ct = GOOD.replace("[blood]", '[ct]\npath = "ct"\n[blood]')
        (self.folder / "other.toml").write_text(with_ct.replace('"baseline"', '"earlier"'), encoding="utf-8")
        carried = with_ct.replace('path = "s.seg.nrrd"', 'carried_from = "other.toml"')
        study = self.read(carried)
        self.assertEqual(study.segmentation, self.folder / "s.seg.nrrd")
        self.assertEqual(study.carried_from.settings.session, "earlier")
        self.assertIn(self.folder / "other.toml", study.files)
        for wrong in (
            GOOD.replace('path = "s.seg.nrrd"', 'carried_from = "other.toml"'),  # no CT of its own
            with_ct.replace('path = "s.seg.nrrd"', 'path = "s.seg.nrrd"\ncarried_from = "other.toml"'),
            with_ct.replace('path = "s.seg.nrrd"', 'carried_from = "study.toml"'),  # itself
        ):
            self.assertEqual(self.refusal(wrong).code, "study-value")
        (self.folder / "other.toml").write_text(GOOD, encoding="utf-8")
        self.assertEqual(self.refusal(carried).code, "study-value")

    def test_unknown_key_is_named_with_its_line(self):
        refusal = self.refusal(GOOD.replace('route = "arterial"', 'rout = "arterial"'))
        self.assertEqual(refusal.code, "study-key")
        self.assertIn("line 12", refusal.message)
        self.assertIn("'rout'", refusal.message)

    def test_a_key_under_another_table_is_told_where_it_belongs(self):
        refusal = self.refusal(GOOD.replace('route = "arterial"', "fwhm_mm = 5.0"))
        self.assertEqual(refusal.code, "study-key")
        self.assertIn("'fwhm_mm' belongs in [pet], not in [blood]; move it", refusal.message)

    def test_unknown_table_is_named_with_its_line(self):
        self.assertIn("line 16", self.refusal(GOOD + "[modell]\n").message)

    def test_wrong_values(self):
        for old, new in (
            ('"HAB"', '"high"'),
            ("0.05", '"some"'),
            ('["1TCM"]', '"1TCM"'),
            ('["1TCM"]', "[]"),
            ('"baseline"', "3"),
            ('"p1"', '"../p1"'),
            ('"p1"', '"a b"'),
            ('"p1"', '""'),
            ('"baseline"', '"a/b"'),
            ("0.05", "1.0"),
            ("0.05", "nan"),
            ("vb = 0.05", "tstar_s = inf"),
            ('["1TCM"]', '["1TCM", "1TCM"]'),
            ('["1TCM"]', '["3TCM"]'),
            ("[model]", '[input]\npath = "b.tsv"\n[model]'),
            ("[model]", "[input]\nrecovery = -3\n[model]"),
            ("[pet]", "[pet]\nfwhm_mm = -2"),
            ("[pet]", "[pet]\nfwhm_mm = 0"),
        ):
            with self.subTest(new):
                self.assertEqual(self.refusal(GOOD.replace(old, new)).code, "study-value")

    def test_what_editors_add(self):
        self.assertEqual(self.read("\ufeff" + GOOD.replace("\n", "\r\n")).settings.subject, "p1")

    def test_missing_files_are_named(self):
        for old in ('"pet"', "s.seg.nrrd", "b.tsv"):
            refusal = self.refusal(GOOD.replace(old, old.replace("e", "x").replace("b.", "x.")))
            self.assertEqual(refusal.code, "study-missing")

    def test_not_toml(self):
        for text in ("[pet\n", "x = " + "[" * 5000 + "]" * 5000):
            self.assertEqual(self.refusal(text).code, "study-unreadable")
        path = self.folder / "study.toml"
        path.write_bytes(GOOD.replace("p1", "é").encode("latin-1"))
        with self.assertRaisesRegex(InputRefused, "study-unreadable.*save it as UTF-8"):
            read_study(path)


class PersonTest(Folder):
    """Images that were made anonymous one by one name different patients."""

    def test_images_that_name_different_patients(self):
        records = []
        for session in ("baseline", "followup"):

            def apart(header, session=session):
                header.PatientID = f"{session}{header.Modality}"

            study = DicomVisit(session, edit=apart).write(self.folder / session)
            code, told = quiet("quantify", study, "--out", self.folder / "refused")
            self.assertEqual((code, "error: patients-differ" in told, "patient_ids" in told), (3, True, True), told)
            text = study.read_text(encoding="utf-8")
            study.write_text(text.replace("[subject]\n", '[subject]\npatient_ids = "ignore"\n'), encoding="utf-8")
            records.append(quantified(study, self.folder / f"out-{session}"))
            self.assertIn("patients-ignored", [notice.code for notice in records[-1].notices])
            self.assertIsNone(records[-1].acquisition.patient_key)
        outs = [self.folder / f"out-{record.session}" for record in records]
        code, told = quiet("compare", *outs, "--out", self.folder / "compared")
        self.assertEqual(code, 0, told)


class ClinicalTest(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clinical.toml"
            path.write_text(text, encoding="utf-8")
            return read_clinical(path)

    def test_scores_and_lesion(self):
        clinical = self.read(
            '[lesion]\nlevel = "C6/C7"\nside = "left"\n[[visit]]\nsession = "baseline"\nvas_arm = 42\nndi = 28\n'
        )
        self.assertEqual(clinical.visits["baseline"], {"vas_arm": 42.0, "ndi": 28.0})
        self.assertEqual(clinical.lesion.root, "C7")

    def test_off_the_scale_or_unknown(self):
        head = '[[visit]]\nsession = "a"\n'
        for text, code in (
            (head + "ndi = 51\n", "clinical-scale"),
            (head + "mrc_elbow_extension = true\n", "clinical-scale"),
            (head + "pain = 3\n", "clinical-key"),
            (head + head, "clinical-session"),
            ('[lesion]\nlevel = "C7"\nside = "left"\n', "clinical-lesion"),
            ("x = 1\n", "clinical-key"),
            ("visit = 3\n", "clinical-key"),
            ("[visit]\nndi = 3\n", "clinical-key"),
            ("visit = [1]\n", "clinical-key"),
            ("lesion = 3\n", "clinical-key"),
        ):
            with self.subTest(text), self.assertRaises(InputRefused) as caught:
                self.read(text)
            self.assertEqual(caught.exception.code, code)

    def test_ndi_bands(self):
        self.assertEqual(
            [SCORES["ndi"].band(s) for s in (4, 5, 14, 24, 28, 34, 35)],
            ["none", "mild", "mild", "moderate", "severe", "severe", "complete"],
        )


if __name__ == "__main__":
    unittest.main()
