"""What the phantom writes: DICOM, segmentation, blood, truth; on a small field round the foramina to be quick."""

import contextlib
import gzip
import hashlib
import json
import shutil
import subprocess
import tempfile
import tomllib
import unittest
from datetime import datetime
from pathlib import Path
from unittest import mock

import numpy as np
import pydicom
from support.tiers import slow
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import Cancelled, InputRefused
from TSPOQuantLib.phantom import PhantomSettings, visits, write_phantom
from TSPOQuantLib.phantom.dicom import Identity, write_ct, write_pet
from TSPOQuantLib.phantom.neck import FORAMINA
from TSPOQuantLib.phantom.scanner import blur_between
from TSPOQuantLib.phantom.tracer import simulated_tracer

VENDORS = ("ge", "siemens", "philips")
TARGET = "foramen C6/C7 left (root C7)"
QUIET = {"fwhm_mm": 0, "noise_percent": 0, "motion_mm": 0}
DURATIONS = [15] + [5] * 3 + [10] * 3 + [60] * 4 + [150] * 2 + [300] * 2 + [600] * 4
STARTS = np.concatenate([[0], np.cumsum(DURATIONS)[:-1]])
DECAY = np.log(2) / 1221.84


def grid(shape, spacing, center):
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = np.array(center) - np.array(spacing) * (np.array(shape[::-1]) - 1) / 2
    return Grid(shape, matrix)


# The left half of the neck from C3/C4 to C7; and a field so small that only speed is good about it.
CT, PET = grid((84, 130, 70), (0.6, 0.6, 1.0), (14.13, -4.9, 4.17)), grid((41, 38, 20), (2, 2, 2), (14, -5, 4))
SMALL_CT, SMALL_PET = grid((12, 30, 30), (1, 1, 1.5), (14.1, 5, -14)), grid((5, 9, 8), (2, 2, 2), (14, 5, -14))


@contextlib.contextmanager
def field(ct, pet):
    with (
        mock.patch.object(visits, "ct_grid", lambda fast, wide: ct),
        mock.patch.object(visits, "pet_grid", lambda fast, wide: pet),
    ):
        yield


def digest(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def read_pet(folder):
    """(frames, k, j, i) in kBq/mL with k upwards, straight from the files' own tags."""
    files = [pydicom.dcmread(path) for path in folder.iterdir()]
    slices = files[0].NumberOfSlices
    planes = {}
    for file in files:
        frame = (file.ImageIndex - 1) // slices
        planes[frame, float(file.ImagePositionPatient[2])] = file.pixel_array * float(file.RescaleSlope) / 1000
    heights = sorted({z for _, z in planes})
    return np.array([[planes[f, z] for z in heights] for f in range(files[0].NumberOfTimeSlices)])


def read_segments(path):
    """Header entries and labels of a .seg.nrrd."""
    head, data = path.read_bytes().split(b"\n\n", 1)
    lines = head.decode().splitlines()[1:]
    entries = dict(line.split(":=", 1) if ":=" in line else line.split(": ", 1) for line in lines)
    shape = [int(n) for n in entries["sizes"].split()][::-1]
    return entries, np.frombuffer(gzip.decompress(data), np.uint8).reshape(shape)


class Scratch(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.scratch)


@slow
class RecoverableTruthTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        cls.out = cls.scratch / "phantom"
        with field(CT, PET):
            write_phantom(cls.out, PhantomSettings(vendor="ge", **QUIET))
        cls.truth = json.loads((cls.out / "truth.json").read_text())

    def test_means_over_half_covered_voxels_are_the_true_curves(self):
        names = (TARGET, "foramen C3/C4 left (root C4)", "cord C7", "cord C4", "blood pool")
        share = blur_between(CT, PET, PET.spacing_mm, 0.0)
        for visit in ("baseline", "followup"):
            truth = self.truth["visits"][visit]
            image = read_pet(self.out / f"ses-{visit}" / "pet")
            entries, labels = read_segments(self.out / f"ses-{visit}" / "segmentation.seg.nrrd")
            for name in names:
                with self.subTest(visit=visit, name=name):
                    number = next(n for n in range(1, 99) if entries[f"Segment{n - 1}_Name"] == name)
                    covered = share((labels == number).astype(np.float32)) >= 0.5
                    self.assertGreater(covered.sum(), 10)
                    wanted = truth["regions"][truth["segments"][name][0]]["activity_kbq_per_ml"]
                    # What is left is the rounding to 16 bits.
                    step = image.max(axis=(1, 2, 3)) / 32767
                    found = image[:, covered].mean(axis=1)
                    np.testing.assert_array_less(np.abs(found - wanted), step + 1e-9)

    def test_truth_says_what_it_is(self):
        self.assertIs(self.truth["simulated"], True)
        self.assertGreater(len(self.truth["assumptions"]), 5)
        for visit, foramen, cord in (("baseline", 12.96, 6.43), ("followup", 6.21, 5.38)):
            regions = self.truth["visits"][visit]["regions"]
            self.assertEqual((regions[TARGET]["VT"], regions["cord C7"]["VT"]), (foramen, cord))
            self.assertAlmostEqual(regions[TARGET]["K1"] / regions[TARGET]["k2"], foramen)
            np.testing.assert_array_equal(
                self.truth["visits"][visit]["motion_ct_to_frame_lps"], np.stack([np.eye(4)] * 19)
            )

    def test_head_lies_elsewhere_at_the_second_visit(self):
        before, after = (
            np.array(self.truth["visits"][v]["foramina"][TARGET]["center_lps_mm"]) for v in ("baseline", "followup")
        )
        self.assertGreater(np.linalg.norm(after - before), 2)

    def test_segmentation_is_in_slicers_format(self):
        entries, labels = read_segments(self.out / "ses-baseline" / "segmentation.seg.nrrd")
        names = [entries[f"Segment{n}_Name"] for n in range(27)]
        cord = [f"cord {level}" for level in ("C3", "C4", "C5", "C6", "C7", "T1")]
        bones = [f"vertebra {level}" for level in ("C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2")]
        self.assertEqual(names, [*FORAMINA, *cord, "blood pool", *bones])
        self.assertEqual(entries["space"], "left-posterior-superior")
        self.assertEqual(labels.shape, CT.shape)
        n = names.index(TARGET)
        tags = dict(tag.split(":", 1) for tag in entries[f"Segment{n}_Tags"].rstrip("|").split("|"))
        self.assertEqual(
            {key.removeprefix("TSPOQuant."): value for key, value in tags.items() if key.startswith("TSPOQuant.")},
            {"Structure": "foramen", "Level": "C6/C7", "Side": "left", "Root": "C7"},
        )
        self.assertIn("TerminologyEntry", tags)
        self.assertNotIn("Root", entries[f"Segment{names.index('cord C7')}_Tags"])
        extent = [int(v) for v in entries[f"Segment{n}_Extent"].split()]
        where = np.argwhere(labels == int(entries[f"Segment{n}_LabelValue"]))[:, ::-1]
        self.assertEqual(extent, np.stack([where.min(axis=0), where.max(axis=0)], axis=1).ravel().tolist())

    def test_noise_free_blood(self):
        folder = self.out / "ses-baseline"
        header, *rows = (folder / "sub-phantom_ses-baseline_recording-manual_blood.tsv").read_text().splitlines()
        columns = dict(zip(header.split("\t"), np.array([r.split("\t") for r in rows], float).T, strict=True))
        header, *rows = (folder / "sub-phantom_ses-baseline_desc-truth_bloodproc.tsv").read_text().splitlines()
        true = dict(zip(header.split("\t"), np.array([r.split("\t") for r in rows], float).T, strict=True))
        aif = columns["plasma_radioactivity"] * columns["metabolite_parent_fraction"]
        np.testing.assert_allclose(aif, np.interp(columns["time"], true["time"], true["AIF"]), rtol=1e-6)
        wanted = np.interp(columns["time"], true["time"], true["whole_blood_radioactivity"])
        np.testing.assert_allclose(columns["whole_blood_radioactivity"], wanted, rtol=1e-6)
        self.assertEqual((len(columns["time"]), true["time"][-1]), (12, 3600))
        described = json.loads((folder / "sub-phantom_ses-baseline_recording-manual_blood.json").read_text())
        self.assertEqual(described["plasma_radioactivity"]["Units"], "kBq/mL")
        self.assertTrue(described["PlasmaAvail"] and described["MetaboliteAvail"] and described["WholeBloodAvail"])

    def test_study_and_scores(self):
        study = tomllib.loads((self.out / "ses-followup" / "study.toml").read_text())
        self.assertEqual(study["subject"], {"id": "phantom", "session": "followup", "genotype": "HAB"})
        self.assertEqual(study["pet"], {"path": "pet", "motion_correction": "none"})
        for path in (study["ct"]["path"], study["segmentation"]["path"], *study["blood"]["paths"]):
            self.assertTrue((self.out / "ses-followup" / path).exists(), path)
        scores = tomllib.loads((self.out / "clinical.toml").read_text())["visit"]
        self.assertEqual([v["ndi"] for v in scores], [28, 13])

    def test_ct_shows_the_labels_in_the_same_place(self):
        files = [pydicom.dcmread(path) for path in (self.out / "ses-baseline" / "ct").iterdir()]
        files.sort(key=lambda file: float(file.ImagePositionPatient[2]))
        volume = np.array([f.pixel_array * float(f.RescaleSlope) + float(f.RescaleIntercept) for f in files])
        entries, labels = read_segments(self.out / "ses-baseline" / "segmentation.seg.nrrd")
        n = next(n for n in range(27) if entries[f"Segment{n}_Name"] == "vertebra C6")
        self.assertGreater(np.median(volume[labels == n + 1]), 200)
        origin = [float(v) for v in entries["space origin"].strip("()").split(",")]
        np.testing.assert_allclose([float(v) for v in files[0].ImagePositionPatient], origin, atol=1e-6)


class WholeOrNotAtAllTest(Scratch):
    def test_same_settings_same_bytes_other_seed_other_noise(self):
        with field(SMALL_CT, SMALL_PET):
            for name, seed in (("a", 1), ("b", 1), ("c", 2)):
                write_phantom(self.scratch / name, PhantomSettings(seed=seed))
        first, second, other = (digest(self.scratch / name) for name in "abc")
        self.assertEqual(first, second)
        self.assertEqual(first.keys(), other.keys())
        pet = "ses-baseline/pet/PT00040.dcm"
        self.assertNotEqual(first[pet], other[pet])
        self.assertEqual(sorted(p.name for p in self.scratch.iterdir()), ["a", "b", "c"])

    def test_motion_changes_neither_blood_nor_anatomy(self):
        with field(SMALL_CT, SMALL_PET):
            for name, motion in (("still", 0), ("moving", 1)):
                write_phantom(self.scratch / name, PhantomSettings(motion_mm=motion))
        still, moving = (digest(self.scratch / name) for name in ("still", "moving"))
        for path in still:
            if "_blood" in path or path.endswith("nrrd"):
                self.assertEqual(still[path], moving[path], path)
        study = (self.scratch / "moving" / "ses-baseline" / "study.toml").read_text()
        self.assertEqual(tomllib.loads(study)["pet"]["motion_correction"], "rigid")

    def test_a_folder_that_holds_something_is_refused(self):
        (self.scratch / "mine").write_text("precious")
        with self.assertRaises(InputRefused) as refused:
            write_phantom(self.scratch, PhantomSettings())
        self.assertEqual(refused.exception.code, "output-exists")
        with self.assertRaises(InputRefused):
            write_phantom(self.scratch / "mine", PhantomSettings())
        with self.assertRaises(InputRefused) as refused:
            write_phantom(self.scratch / "mine" / "out", PhantomSettings())
        self.assertEqual(refused.exception.code, "output-unwritable")
        self.assertEqual([p.name for p in self.scratch.iterdir()], ["mine"])

    def test_nothing_is_left_when_the_user_stops(self):
        def stop(fraction, text):
            if fraction > 0.6:
                raise Cancelled

        with field(SMALL_CT, SMALL_PET), self.assertRaises(Cancelled):
            write_phantom(self.scratch / "out", PhantomSettings(), stop)
        self.assertEqual(list(self.scratch.iterdir()), [])

    def test_unknown_truth_is_refused_before_anything_is_written(self):
        with self.assertRaises(InputRefused) as refused:
            write_phantom(self.scratch / "out", PhantomSettings(truth={"left toe": {"baseline": 3.0}}))
        self.assertEqual(refused.exception.code, "phantom-truth")
        self.assertEqual(list(self.scratch.iterdir()), [])


class DicomTest(Scratch):
    def written(self, vendor):
        """A small PET of known activity and a CT."""
        ramp = np.linspace(0, 50, np.prod(SMALL_PET.shape), dtype=np.float32).reshape(SMALL_PET.shape)
        identity = Identity(("test",), "followup")
        write_pet(
            self.scratch / vendor / "pet",
            iter([ramp * (f + 1) for f in range(19)]),
            SMALL_PET,
            identity,
            vendor,
            simulated_tracer("[11C]DPA-713"),
        )
        write_ct(self.scratch / vendor / "ct", np.full(SMALL_CT.shape, 40, np.float32), SMALL_CT, identity, vendor)
        return ramp, sorted((self.scratch / vendor / "pet").iterdir())

    def test_timing_of_each_vendor(self):
        x = DECAY * np.array(DURATIONS)
        factor = x / (1 - np.exp(-x)) * np.exp(DECAY * STARTS)
        weighted = STARTS + np.log(x / (1 - np.exp(-x))) / DECAY
        for vendor, reference, factors in (
            ("ge", STARTS, factor),
            ("siemens", weighted, factor),
            ("philips", STARTS + np.array(DURATIONS) / 2, np.ones(19)),
        ):
            _, paths = self.written(vendor)
            for f in range(19):
                file = pydicom.dcmread(paths[f * SMALL_PET.shape[0] + 2], stop_before_pixels=True)
                with self.subTest(vendor=vendor, frame=f):
                    self.assertAlmostEqual(float(file.FrameReferenceTime), reference[f] * 1000, delta=0.01)
                    self.assertAlmostEqual(float(file.DecayFactor), factors[f], delta=1e-6)
                    self.assertEqual(file.ActualFrameDuration, DURATIONS[f] * 1000)
                    started = datetime.strptime(file.AcquisitionTime, "%H%M%S.%f")
                    series = datetime.strptime(file.SeriesTime, "%H%M%S.%f")
                    self.assertEqual((started - series).total_seconds(), STARTS[f])
                    self.assertEqual(file.ImageIndex, f * SMALL_PET.shape[0] + 3)
                    drug = file.RadiopharmaceuticalInformationSequence[0]
                    self.assertEqual(drug.RadiopharmaceuticalStartDateTime, file.SeriesDate + file.SeriesTime)
                    self.assertIn("DECY", file.CorrectedImage)
                    self.assertEqual((file.Units, file.DecayCorrection), ("BQML", "START"))

    def test_activity_survives_storage(self):
        for vendor in VENDORS:
            with self.subTest(vendor):
                ramp, paths = self.written(vendor)
                image = read_pet(self.scratch / vendor / "pet")
                for f in (0, 18):
                    step = ramp.max(axis=(1, 2), keepdims=True) * (f + 1) / 32767
                    self.assertTrue((np.abs(image[f] - ramp * (f + 1)) <= 0.51 * step + 1e-12).all())
                self.assertEqual(len({pydicom.dcmread(p).SOPInstanceUID for p in paths}), 19 * SMALL_PET.shape[0])

    def test_both_series_share_patient_study_and_frame_of_reference(self):
        for vendor in VENDORS:
            _, paths = self.written(vendor)
            pet = pydicom.dcmread(paths[0])
            ct = pydicom.dcmread(next((self.scratch / vendor / "ct").iterdir()))
            for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID", "Manufacturer"):
                self.assertEqual(pet[keyword].value, ct[keyword].value, keyword)
            self.assertNotEqual(pet.SeriesInstanceUID, ct.SeriesInstanceUID)
            self.assertEqual((str(pet.PatientName), pet.PatientID), ("Phantom^Digital", "PHANTOM"))
            self.assertEqual(pet.file_meta.MediaStorageSOPInstanceUID, pet.SOPInstanceUID)

    def test_second_visit_is_42_days_later(self):
        dates = []
        for visit in ("baseline", "followup"):
            folder = self.scratch / visit
            write_ct(folder, np.zeros(SMALL_CT.shape, np.float32), SMALL_CT, Identity(("x",), visit), "ge")
            dates.append(datetime.strptime(pydicom.dcmread(folder / "CT00001.dcm").StudyDate, "%Y%m%d"))
        self.assertEqual((dates[1] - dates[0]).days, 42)

    @unittest.skipUnless(shutil.which("dciodvfy"), "dciodvfy is not installed (Debian package dicom3tools)")
    def test_dciodvfy_finds_no_error(self):
        for vendor in VENDORS:
            _, paths = self.written(vendor)
            for path in (paths[0], paths[-1], self.scratch / vendor / "ct" / "CT00002.dcm"):
                found = subprocess.run(["dciodvfy", "-new", path], capture_output=True, text=True, check=False)
                errors = [line for line in found.stderr.splitlines() if line.startswith("Error")]
                self.assertEqual(errors, [], f"{vendor} {path.name}")
                self.assertIn("Image", found.stderr)


if __name__ == "__main__":
    unittest.main()
