"""Results as BIDS derivatives and flat tables: named by the draft, readable by ourselves, by Slicer and validators."""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from dataclasses import replace
from datetime import date
from pathlib import Path

import SimpleITK as sitk
import slicer
from support import tinystudy
from TSPOQuantLib.acquisition.tacs import read_tacs
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.compare import compare
from TSPOQuantLib.pipeline.mapping import study_maps
from TSPOQuantLib.plain import plain
from TSPOQuantLib.regions.partial_volume import Corrected
from TSPOQuantLib.reporting.bids import write_derivatives
from TSPOQuantLib.reporting.csv_files import write_changes_csv, write_regions_csv
from TSPOQuantLib.study import read_study

PLACES = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
VALIDATOR = shutil.which("bids-validator-deno", path=PLACES) or shutil.which("bids-validator", path=PLACES)


class BidsOutTest(unittest.TestCase):
    """Two visits, one region of the first as if it had been corrected for partial volume."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        studies = {session: tinystudy.DicomVisit(session).write(cls.folder / session) for session in tinystudy.TRUE_VT}
        records = [tinystudy.quantified(study, cls.folder / f"r-{session}") for session, study in studies.items()]
        cls.records = [corrected(records[0]), records[1]]
        cls.out = cls.folder / "bids"
        cls.out.mkdir()
        write_derivatives(cls.out, cls.records, [study_maps(read_study(studies["baseline"]), "Logan")])
        cls.pet = cls.out / "sub-p1" / "ses-baseline" / "pet"

    def test_files_are_named_by_the_draft(self):
        stem = "sub-p1_ses-baseline_"
        tables = [
            "seg-regions_tacs",
            "seg-regions_uptake",
            "inputfunction",
            "pvc-GTM_seg-regions_tacs",
            "model-1TCM_kinpar",
            "model-1TCM_pvc-GTM_kinpar",
        ]
        tables += ["model-Logan_kinpar", "bloodproc", "inputfunction", "seg-regions_morph"]
        tables += ["desc-preproc_seg-regions_tacs", "desc-preproc_seg-regions_pvc-GTM_tacs"]
        maps = [f"model-Logan_meas-{name}_mimap" for name in ("VT", "VTse", "intercept", "flags")]
        expected = {f"{stem}{name}{end}" for name in tables for end in (".tsv", ".json")}
        expected |= {f"{stem}{name}{end}" for name in maps for end in (".nii.gz", ".json")}
        found = {path.name for path in self.pet.iterdir()}
        self.assertLessEqual(expected - {n for n in expected if "intercept" in n}, found)
        self.assertLessEqual({name for name in found if "mimap" not in name}, expected)

    def test_dataset_says_what_made_it(self):
        about = json.loads((self.out / "dataset_description.json").read_text(encoding="utf-8"))
        self.assertEqual((about["DatasetType"], about["BIDSVersion"]), ("derivative", "1.11.0"))
        makers = {entry["Name"]: entry["Version"] for entry in about["GeneratedBy"]}
        self.assertEqual(makers["TSPOQuant"], self.records[0].provenance["versions"]["TSPOQuant"])
        self.assertIn("numpy", makers)
        sidecar = json.loads((self.pet / "sub-p1_ses-baseline_model-1TCM_kinpar.json").read_text(encoding="utf-8"))
        self.assertEqual(sidecar["VT"], {"Units": "mL/cm3"})
        self.assertEqual(sidecar["inputs"], self.records[0].provenance["inputs"])

    def test_curves_and_input_are_read_back_and_fitted_alike(self):
        stem = self.pet / "sub-p1_ses-baseline_"
        tacs = read_tacs(Path(f"{stem}seg-regions_tacs.tsv"))
        self.assertEqual(list(tacs.regions), [region.name for region in self.records[0].regions])
        self.assertAlmostEqual(tacs.activity[0][-1], self.records[0].regions[0].mean[-1], places=6)
        code, told = tinystudy.quiet(
            *("fit", f"{stem}seg-regions_tacs.tsv", "--blood", f"{stem}bloodproc.tsv"),
            *("--models", "1TCM", "--out", self.folder / "fit", "--json"),
        )
        self.assertEqual(code, 0, told)
        found = json.loads(told[told.index("{") :])["regions"][0]
        self.assertAlmostEqual(float(found["VT"]), 4.0, delta=0.001)

    def test_what_petfit_and_kinfitr_read_gives_the_same_numbers(self):
        """Their columns and units: frame_start, frame_end and Bq/mL; "Bq", numbers alone; volumes by name."""
        stem = self.pet / "sub-p1_ses-baseline_"
        found = []
        for curves, blood in (("seg-regions_tacs", "bloodproc"), ("desc-preproc_seg-regions_tacs", "inputfunction")):
            code, told = tinystudy.quiet(
                *("fit", f"{stem}{curves}.tsv", "--blood", f"{stem}{blood}.tsv"),
                *("--models", "1TCM", "--out", self.folder / f"fit-{blood}", "--json"),
            )
            self.assertEqual(code, 0, told)
            found.append(json.loads(told[told.index("{") :])["regions"][0])
        for key in ("VT", "K1", "k2"):
            self.assertAlmostEqual(
                float(found[0][key]), float(found[1][key]), delta=1e-9 * float(found[1][key]) + 1e-9
            )
        with Path(f"{stem}inputfunction.tsv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        self.assertEqual((rows[0]["time"], {"n/a"} & {cell for row in rows for cell in row.values()}), ("0", set()))
        about = json.loads(Path(f"{stem}inputfunction.json").read_text(encoding="utf-8"))
        self.assertEqual((about["AIF"]["Units"], about["whole_blood_radioactivity"]["Units"]), ("Bq", "Bq"))
        tacs = read_tacs(Path(f"{stem}desc-preproc_seg-regions_pvc-GTM_tacs.tsv"))
        self.assertEqual(tacs.pvc, "GTM")
        region = self.records[0].regions[0]
        self.assertAlmostEqual(tacs.volumes_mm3[region.name], region.volume_mm3, places=4)
        header = Path(f"{stem}desc-preproc_seg-regions_tacs.tsv").read_text(encoding="utf-8").split("\n")[0]
        self.assertEqual(header.split("\t")[:2], ["frame_start", "frame_end"])

    def test_map_holds_the_true_values(self):
        image = sitk.ReadImage(str(self.pet / "sub-p1_ses-baseline_model-Logan_meas-VT_mimap.nii.gz"))
        values = sitk.GetArrayFromImage(image)
        self.assertAlmostEqual(float(values[3, 5, 10]), 4.0, delta=0.05)
        self.assertAlmostEqual(float(values[3, 5, 1]), 2.0, delta=0.05)

    def test_one_label_for_two_visits_is_refused(self):
        empty = self.folder / "twice"
        empty.mkdir()
        with self.assertRaises(InputRefused) as caught:
            write_derivatives(empty, [self.records[0], self.records[0]])
        self.assertEqual(caught.exception.code, "bids-twice")
        self.assertEqual(list(empty.iterdir()), [])

    @unittest.skipUnless(VALIDATOR, "no bids-validator is installed")
    def test_validator_finds_no_error(self):
        told = subprocess.run([VALIDATOR, str(self.out), "--format", "json"], capture_output=True, check=False)
        issues = json.loads(told.stdout)["issues"]["issues"]
        self.assertEqual([issue for issue in issues if issue["severity"] == "error"], [])


class FlatTablesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        records = []
        for session in tinystudy.TRUE_VT:
            study = tinystudy.DicomVisit(session, names=(tinystudy.LEFT, tinystudy.RIGHT, "odd, name; é"))
            study = study.write(cls.folder / session)
            records.append(tinystudy.quantified(study, cls.folder / f"r-{session}"))
        cls.comparison = compare(records)
        write_regions_csv(cls.folder / "regions.csv", records)
        write_changes_csv(cls.folder / "changes.csv", cls.comparison)

    def rows(self, name):
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def test_every_value_is_one_row(self):
        rows = self.rows("regions.csv")
        self.assertEqual(len(rows), 12)
        self.assertEqual(rows[2]["region"], "odd, name; é")
        self.assertAlmostEqual(float(rows[0]["VT"]), 4.0, delta=0.001)
        changes = self.rows("changes.csv")
        self.assertEqual(len(changes), 6)
        self.assertAlmostEqual(float(changes[0]["percent"]), -25.0, delta=0.1)

    def test_slicer_reads_the_tables(self):
        for name in ("regions.csv", "changes.csv"):
            rows = self.rows(name)
            table = slicer.vtkMRMLTableNode()
            storage = slicer.vtkMRMLTableStorageNode()
            storage.SetFileName(str(self.folder / name))
            self.assertEqual(storage.ReadData(table), 1)
            self.assertEqual(table.GetNumberOfRows(), len(rows))
            self.assertEqual([table.GetColumnName(c) for c in range(table.GetNumberOfColumns())], list(rows[0]))
            column = list(rows[0]).index("region")
            self.assertEqual([table.GetCellText(row, column) for row in range(len(rows))], [r["region"] for r in rows])

    def test_dates_are_plain(self):
        self.assertEqual(plain({"day": date(2021, 3, 5)}), {"day": "2021-03-05"})


def corrected(record):
    """The record as if its first region had been corrected for partial volume, to twice the activity."""
    first = record.regions[0]
    twice = tuple(2 * value for value in first.mean)
    curve = Corrected(twice, first.sd, twice, twice, 2.0, 0.5, ("muscle",))
    fit = replace(record.fits[0], pvc="GTM")
    return replace(
        record, pvc="GTM", regions=(replace(first, corrected=curve), *record.regions[1:]), fits=(*record.fits, fit)
    )


if __name__ == "__main__":
    unittest.main()
