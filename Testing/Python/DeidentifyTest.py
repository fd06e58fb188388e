"""No mark of who was scanned survives --deidentify: planted in every tag, path, label and text, sought everywhere."""

import base64
import re
import shutil
import subprocess
import tempfile
import unittest
import warnings
import zlib
from dataclasses import replace
from pathlib import Path

import pydicom
from support import tiers, tinystudy
from support import visitrecords as made
from support.tiers import slow
from TSPOQuantLib.acquisition.dicom_slice import key_of
from TSPOQuantLib.messages import Notice
from TSPOQuantLib.outcome.clinical import Clinical, Lesion
from TSPOQuantLib.outcome.clinical_file import read_clinical
from TSPOQuantLib.outcome.compare import compare
from TSPOQuantLib.outcome.record import Reference
from TSPOQuantLib.plain import to_json
from TSPOQuantLib.reporting.deidentify import hide

MARK = "Vqzsecret"
"""Everything that names somebody holds it."""
SESSIONS = {"baseline": f"{MARK}1", "followup": f"{MARK}2"}
NUMBER = rb"[0-9a-f.]{16,}"
"""UIDs and hashes, of which there are hundreds."""
DATES = ("20210304", "2021-03-04", "20210415", "2021-04-15", "2021-03-05", "20210305", "19610203", "1961-02-03")
NAMES = (tinystudy.LEFT, f"foramen C6/C7 right of {MARK}", f"{MARK}'s lesion")
MARKED = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "OtherPatientNames",
    "PatientAddress",
    "PatientComments",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "OperatorsName",
    "InstitutionName",
    "InstitutionAddress",
    "StationName",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "DeviceSerialNumber",
    "RequestingPhysician",
    "ImageComments",
    "AdditionalPatientHistory",
    "Occupation",
)
CLINICAL = f"""
[lesion]
level = "C6/C7"
side = "left"
[[visit]]
session = "{SESSIONS["baseline"]}"
date = 2021-03-05
vas_arm = 42
[[visit]]
session = "{SESSIONS["followup"]}"
date = 2021-04-15
vas_arm = 6
[[treatment]]
type = "as {MARK} wanted it"
start = 2021-03-05
sessions_planned = 12
components = ["education", "{MARK}'s own"]
pain_during_exercise = "{MARK} said so"
adverse_events = ["{MARK} fell"]
notes = "{MARK}"
"""


def mark(header):
    for keyword in MARKED:
        setattr(header, keyword, MARK)
    header.PatientName = f"{MARK}^Given"


def contents(path):
    """The bytes of a file, and what its packed parts hold."""
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".gz":
        yield zlib.decompress(raw, wbits=31)
    if path.suffix == ".pdf":
        for stream in re.findall(rb"stream\r?\n(.*?)endstream", raw, re.DOTALL):
            try:
                yield zlib.decompress(stream.strip(b"\r\n"))
            except zlib.error:
                yield stream
        if shutil.which("pdftotext"):
            yield subprocess.run(["pdftotext", path, "-"], capture_output=True, check=True).stdout
    if path.suffix == ".html":
        for packed in re.findall(rb"base64,([A-Za-z0-9+/=]+)", raw):
            yield base64.b64decode(packed)


class ChosenRegionsTest(unittest.TestCase):
    """What a study chose by words and by names of regions leads to the same numbers, and names nobody."""

    def test_unaffected_tissue_stays_what_the_study_says(self):
        clinical = Clinical({"baseline": {}, "followup": {}}, Lesion("C6/C7", "left"))
        for rule in ("three-above", "one-above", "contralateral", "foramen C6/C7 right", "C6-7 right", made.ABOVE):
            with self.subTest(rule):
                records = [made.visit(session, settings={"unaffected": rule}) for session in ("baseline", "followup")]
                records[1] = made.visit("followup", vt=dict.fromkeys(made.VT, 3.0), settings={"unaffected": rule})
                shown, public, _ = hide(records, clinical)
                plain, told = compare(records, clinical), compare(shown, public)
                self.assertEqual([c.kind for c in told.contrasts], [c.kind for c in plain.contrasts])
                self.assertEqual([c.ratio for c in told.contrasts], [c.ratio for c in plain.contrasts])
                self.assertEqual([row.remark for row in told.table1], [row.remark for row in plain.table1])

    def test_what_was_accepted_stays_said(self):
        """Two vessels are two, whatever they are called; the program's own word for one is kept."""
        half = {name: vt / 2 for name, vt in made.VT.items()}
        for pools, told in (
            ((f"aorta of {MARK}", f"{MARK}'s left one"), "(text removed | text removed 2)"),
            (("blood pool", MARK), "(blood pool | text removed)"),
        ):
            with self.subTest(pools):
                records = [made.visit(settings={"blood_pool": pools[0]})]
                records.append(made.visit("followup", vt=half, settings={"blood_pool": pools[1]}))
                found = compare(hide(records)[0], accept=["visits-blood-pool"])
                self.assertEqual(found.accepted, ("visits-blood-pool",))
                self.assertIn(told, found.headline[0])

    def test_the_region_that_others_are_divided_by_has_a_public_name(self):
        curve = made.visit().regions[0].mean
        for name, public in ((f"muscle of {MARK}", "other"), (made.CORD, "cord C7")):
            with self.subTest(name):
                record = made.visit(settings={"reference": name, "washout": MARK, "unaffected": MARK})
                clean = hide([replace(record, reference=Reference(name, curve))])[0][0]
                self.assertEqual((clean.reference.name, clean.settings["reference"]), (public, public))
                self.assertEqual(clean.settings["washout"], "text removed")
                self.assertNotIn(MARK, to_json(clean))


@slow
class DeidentifyTest(unittest.TestCase):
    """Two visits of one marked patient, in a marked folder."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = Path(folder.name)
        cls.folder = cls.root / f"Patient_{MARK}"
        cls.folder.mkdir()
        cls.results, cls.records, cls.uids = [], [], set()
        for session, label in SESSIONS.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # marks where numbers belong
                visit = tinystudy.DicomVisit(session, MARK, NAMES, edit=mark)
                study = visit.write(cls.folder / session)
            text = study.read_text(encoding="utf-8").replace(f'"{session}"', f'"{label}"')
            text = text.replace("[pet]", f'washout = "none, says {MARK}"\n[pet]')
            study.write_text(text, encoding="utf-8")
            for path in sorted((study.parent / "pet").iterdir()):
                path.rename(path.with_name(f"{MARK}-{path.name}"))
            cls.results.append(cls.folder / f"results-{session}")
            cls.records.append(tinystudy.quantified(study, cls.results[-1]))
            for file in (*(study.parent / "pet").iterdir(), *(study.parent / "ct").iterdir()):
                header = pydicom.dcmread(file, stop_before_pixels=True)
                cls.uids |= {header.SOPInstanceUID, header.SeriesInstanceUID}
                cls.uids |= {header.StudyInstanceUID, header.FrameOfReferenceUID}
        cls.clinical = cls.folder / "clinical.toml"
        cls.clinical.write_text(CLINICAL, encoding="utf-8")

        hashes = [key_of(MARK), *(e["sha256"] for r in cls.records for e in r.provenance["inputs"])]
        sought = [text.encode().lower() for text in (MARK, "Nomen", *DATES, *hashes, *cls.uids)]
        cls.numbers = [text for text in sought if re.fullmatch(NUMBER, text)]
        cls.others = [text for text in sought if text not in cls.numbers]
        assert len(cls.numbers) > 100

    def assert_clean(self, content, where):
        lowered = content.lower()
        numbers = b"\n".join(re.findall(NUMBER, lowered))  # whatever number is sought is a part of one of these
        found = [text for text in self.others if text in lowered] + [text for text in self.numbers if text in numbers]
        self.assertEqual(found, [], where)

    def test_records_are_free_of_marks_and_hold_every_number(self):
        shown, clinical, hidden = hide(self.records, read_clinical(self.clinical))
        for record, clean in zip(self.records, shown, strict=True):
            self.assertIn(MARK.encode(), to_json(record).encode())  # or there was nothing to remove
            self.assert_clean(to_json(clean).encode(), clean.session)
            self.assertEqual([row.VT for row in clean.rows], [row.VT for row in record.rows])
            self.assertEqual(clean.acquisition.weight_kg, 80)
            self.assertEqual(clean.fit(clean.rows[0].region, "1TCM").wrss, record.fits[0].wrss)
        self.assertEqual([record.session for record in shown], ["visit1", "visit2"])
        self.assertEqual(
            [region.name for region in shown[0].regions],
            [tinystudy.LEFT, tinystudy.RIGHT, "other"],
        )
        self.assertEqual(shown[0].acquisition.patient_key, shown[1].acquisition.patient_key)
        self.assertEqual(clinical.visits, {"visit1": {"vas_arm": 42.0}, "visit2": {"vas_arm": 6.0}})
        self.assertEqual(clinical.treatments[0].sessions_planned, 12)
        self.assertNotIn(MARK, repr(clinical))
        self.assertNotIn("2021", repr(clinical.dates) + repr(clinical.treatments))
        self.assertNotEqual(hidden.salt, hide(self.records)[2].salt)

    def test_messages_lose_names_and_whatever_stands_in_quotes(self):
        one = self.records[0]
        lesion = NAMES[2]
        told = (
            Notice("region-small", f"'{lesion}' rests on 3 PET voxels"),
            Notice("regions-overlap", f"42% of '{NAMES[1]}' lies in 'O'{MARK}'s vertebra'"),
        )
        shown, _, _ = hide([replace(one, quality=told, notices=(Notice("blood-file", f"{MARK}.tsv is odd"),))])
        self.assertEqual(
            [notice.message for notice in shown[0].quality],
            ["'other' rests on 3 PET voxels", f"42% of '{tinystudy.RIGHT}' lies in (text removed)"],
        )
        self.assertEqual(shown[0].notices, (Notice("blood-file", "blood file"),))

    def test_two_patients_are_told_apart_and_a_place_drawn_twice_keeps_two_names(self):
        other = replace(self.records[1], acquisition=replace(self.records[1].acquisition, patient_key="f00"))
        shown, _, _ = hide([self.records[0], other])
        self.assertNotEqual(shown[0].acquisition.patient_key, shown[1].acquisition.patient_key)
        region = self.records[0].regions[0]
        doubled = replace(self.records[0], regions=(*self.records[0].regions, replace(region, name="left again")))
        names = [r.name for r in hide([doubled])[0][0].regions]
        self.assertEqual(names[3], f"{tinystudy.LEFT} 2")

    @tiers.slow
    def test_no_byte_of_any_output_holds_a_mark(self):
        out = self.root / "out"
        code, told = tinystudy.quiet(
            "compare", *self.results, "--clinical", self.clinical, "--dicom", "--deidentify", "--out", out
        )
        self.assertEqual(code, 0, told)
        self.assertNotIn(MARK, told)
        files = [path for path in out.rglob("*") if path.is_file()]
        kinds = {path.suffix for path in files}
        self.assertLessEqual({".dcm", ".gz", ".pdf", ".html", ".json", ".tsv", ".csv", ".txt"}, kinds)
        for path in files:
            self.assert_clean(str(path.relative_to(out)).encode(), path)
            for content in contents(path):
                self.assert_clean(content, path)
        self.check_dicom(out / "dicom")

    def check_dicom(self, folder):
        spaces = []
        for visit in ("visit1", "visit2"):
            seg, sr, vt = (
                pydicom.dcmread(folder / f"ses-{visit}" / f"{name}.dcm") for name in ("seg", "sr", "vt-map")
            )
            for dataset in (seg, sr, vt):
                self.assertEqual(dataset.PatientIdentityRemoved, "YES")
                self.assertTrue(dataset.DeidentificationMethod)
                self.assertEqual((dataset.PatientID, str(dataset.PatientName)), ("anonymous", ""))
                self.assertEqual((dataset.StudyDate, dataset.ContentDate), ("", "19000101"))
                self.assertEqual(dataset.StudyInstanceUID, seg.StudyInstanceUID)
            self.assertEqual(seg.FrameOfReferenceUID, vt.FrameOfReferenceUID)
            spaces.append(seg.FrameOfReferenceUID)
            referred = {
                instance.ReferencedSOPInstanceUID
                for study in sr.CurrentRequestedProcedureEvidenceSequence
                for series in study.ReferencedSeriesSequence
                for instance in series.ReferencedSOPSequence
            }
            self.assertIn(seg.SOPInstanceUID, referred)
            self.assertIn(vt.SOPInstanceUID, referred)
            images = {
                item.ReferencedSOPInstanceUID for item in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
            }
            self.assertLessEqual(images, referred)
            self.assertEqual(
                [segment.SegmentLabel for segment in seg.SegmentSequence],
                [tinystudy.LEFT, tinystudy.RIGHT, "other"],
            )
        self.assertNotEqual(*spaces)


if __name__ == "__main__":
    unittest.main()
