"""The inspection of a folder: its JSON shape, real data, NIfTI with sidecar, the phantom, and silence on names."""

import json
import struct
import tempfile
import unittest
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from support.dicommaker import HALF_LIFE_S, PetPlan, decay_factors, write_ct, write_pet
from support.realdata import DATA, needs_data
from TSPOQuantLib.acquisition.dicom import read_ct, read_dynamic_pet, read_pet
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.inspect import describe, inspect
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.acquisition.segmentation_files import write_segmentation
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.phantom import dicom as phantom_dicom
from TSPOQuantLib.phantom.tracer import FRAME_DURATIONS_S, FRAME_STARTS_S, simulated_tracer

KEYS = {
    "path",
    "kind",
    "modality",
    "manufacturer",
    "files",
    "shape",
    "voxel_mm",
    "units",
    "frames",
    "time_zero",
    "decay_correction",
    "suvbw_factor",
    "suv_refusal",
    "refusals",
    "warnings",
}
SECRETS = ("Verysecret", "Nomen", "SECRET-ID", "4711", "STS_001")


class Folder(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def inspected(self, path: Path) -> dict[str, dict]:
        """The series by kind, after checks that hold for every result."""
        result = inspect(path)
        shown = json.dumps(result) + describe(result)
        for secret in SECRETS:
            self.assertNotIn(secret, shown)
        for entry in result["series"]:
            self.assertLessEqual(KEYS, set(entry))
        return {entry["kind"]: entry for entry in result["series"]}


class DicomTest(Folder):
    def test_a_study_folder(self) -> None:
        plan = PetPlan(vendor="philips", scan_s=30, starts_s=tuple(np.array(PetPlan.starts_s) + 30))
        write_pet(self.folder / "pet", plan)
        write_ct(self.folder / "ct", plan)
        (self.folder / "notes.txt").write_text("hello")
        found = self.inspected(self.folder)
        self.assertEqual(set(found), {"dynamic-pet", "ct"})
        pet = found["dynamic-pet"]
        self.assertEqual((pet["modality"], pet["files"], pet["units"]), ("PT", 15, "BQML"))
        self.assertEqual((pet["shape"], pet["voxel_mm"]), ([5, 3, 4, 5], [2.5, 2.0, 3.0]))
        starts = [frame["start_s"] for frame in pet["frames"]]
        np.testing.assert_allclose(starts, plan.starts_s, atol=1e-3)
        self.assertEqual([frame["duration_s"] for frame in pet["frames"]], list(plan.durations_s))
        self.assertEqual((pet["time_zero"], pet["refusals"]), ("injection", []))
        self.assertEqual([one["code"] for one in pet["warnings"]], ["injection-not-at-start"])
        self.assertIn("30 s before", pet["warnings"][0]["message"])
        self.assertAlmostEqual(pet["suvbw_factor"] / (80e3 / 400e6 * 2 ** (30 / HALF_LIFE_S)), 1, delta=1e-9)
        self.assertEqual((found["ct"]["shape"], found["ct"]["units"]), ([3, 4, 5], "HU"))
        text = describe(inspect(self.folder))
        for word in ("dynamic-pet", "5 frames", "1 x 10, 1 x 30", "SUVbw factor", "1 files that are no images"):
            self.assertIn(word, text)

    def test_all_refusals_at_once(self) -> None:
        def spoiled(header, frame: int, k: int) -> None:
            header.CorrectedImage, header.Units, header.PatientWeight = ["NORM", "DECY"], "PROPCPS", None
            header.RescaleSlope = "nan"

        write_pet(self.folder / "pet", PetPlan(edit=spoiled))
        entry = self.inspected(self.folder)["dynamic-pet"]
        codes = [refusal["code"] for refusal in entry["refusals"]]
        self.assertEqual(sorted(codes), ["dicom-rescale", "pet-attenuation", "pet-units-propcps"])
        self.assertIsNone(entry["suvbw_factor"])
        self.assertIn("PROPCPS", entry["suv_refusal"])
        self.assertIn("refused: pet-attenuation", describe(inspect(self.folder)))

    def plain_object(self, name: str, modality: str, **told) -> None:
        """A DICOM file with no more than a series and what is told."""
        header = Dataset()
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.Modality, header.SeriesInstanceUID, header.SOPInstanceUID = modality, f"1.2.{len(name)}", "1.2.9"
        header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4" if modality == "SEG" else "1.2.840.10008.5.1.4.1.1.481.3"
        for keyword, value in told.items():
            setattr(header, keyword, value)
        (self.folder / name).parent.mkdir(exist_ok=True)
        header.save_as(self.folder / name, enforce_file_format=True)

    def test_sizes_run_as_voxels_do(self) -> None:
        write_pet(self.folder, PetPlan())
        text = describe(inspect(self.folder))
        (entry,) = inspect(self.folder)["series"]
        frames, k, j, i = entry["shape"]
        self.assertEqual(len({k, j, i}), 3)
        self.assertIn(f"{i} x {j} x {k} voxels of {' x '.join(f'{v:g}' for v in entry['voxel_mm'])} mm", text)
        self.assertIn(f"{frames} frames", text)

    def test_a_segmentation_has_frames_and_segments(self) -> None:
        told = {"Rows": 5, "Columns": 4, "NumberOfFrames": 17, "SegmentSequence": [Dataset(), Dataset()]}
        self.plain_object("seg.dcm", "SEG", **told)
        (entry,) = inspect(self.folder)["series"]
        self.assertEqual(
            (entry["kind"], entry["modality"], entry["shape"], entry["segments"]), ("other", "SEG", [17, 5, 4], 2)
        )
        self.assertIn("4 x 5 x 17 voxels", describe(inspect(self.folder)))
        self.assertIn("2 segments", describe(inspect(self.folder)))

    def test_dicom_without_an_image_is_called_so(self) -> None:
        self.plain_object("rt/structures.dcm", "RTSTRUCT")
        with self.assertRaises(InputRefused) as caught:
            inspect(self.folder / "rt")
        self.assertEqual(caught.exception.code, "dicom-no-image")
        self.assertIn("RTSTRUCT", caught.exception.message)

    def test_kinds(self) -> None:
        def gated(header, frame: int, k: int) -> None:
            header.SeriesType = ["GATED", "IMAGE"]

        def static(header, frame: int, k: int) -> None:
            header.SeriesType = ["STATIC", "IMAGE"]

        for edit, frames, kind in ((gated, 2, "other"), (static, 1, "static-pet"), (static, 2, "dynamic-pet")):
            with tempfile.TemporaryDirectory() as folder:
                plan = PetPlan(starts_s=(0, 60)[:frames], durations_s=(60, 60)[:frames], edit=edit)
                write_pet(Path(folder), plan)
                self.assertEqual(set(self.inspected(Path(folder))), {kind})

    def test_values_never_corrected_have_no_one_factor(self) -> None:
        write_pet(self.folder, PetPlan(correction="NONE"))
        entry = self.inspected(self.folder)["dynamic-pet"]
        self.assertIsNone(entry["suvbw_factor"])
        self.assertIn("suv-per-frame", entry["suv_refusal"])

    def test_wrong_paths(self) -> None:
        (self.folder / "empty").mkdir()
        (self.folder / "text").mkdir()
        (self.folder / "text" / "a.txt").write_text("a")
        for name, code in (("nowhere", "path-missing"), ("empty", "folder-empty"), ("text", "dicom-none")):
            with self.assertRaises(InputRefused) as caught:
                inspect(self.folder / name)
            self.assertEqual(caught.exception.code, code)

    def test_images_of_other_formats_are_told_by_name(self) -> None:
        analyze = struct.pack("<i", 348) + bytes(344)
        for name, content, kind in (
            ("a.v", b"MATRIX72v" + bytes(500), "ECAT"),
            ("a.mnc", b"CDF\x01" + bytes(500), "MINC"),
            ("b.mnc", b"\x89HDF\r\n\x1a\n" + bytes(500), "MINC"),
            ("a.hdr", b"!INTERFILE :=\nname of data file := a.img\n", "Interfile"),
            ("a.hv", b"!INTERFILE  :=\nname of data file := a.v\n", "Interfile"),
            ("b.hdr", analyze, "Analyze"),
            ("c.hdr", analyze[:344] + b"ni1\0", "NIfTI in two files"),
            ("a.mhd", b"ObjectType = Image\nNDims = 4\nElementDataFile = a.raw\n", "MetaImage"),
            ("a.nrrd", b"NRRD0004\n", "NRRD"),
            ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(500), "HDF5"),
            ("a.mgz", b"\x1f\x8b" + bytes(500), "FreeSurfer's format"),
            ("a.mat", b"MATLAB 5.0 MAT-file" + bytes(500), "MATLAB's format"),
            ("a.npy", b"\x93NUMPY\x01\0" + bytes(500), "NumPy's format"),
            ("a.tif", b"II*\0" + bytes(500), "TIFF"),
            ("b.tif", b"MM\0*" + bytes(500), "TIFF"),
            ("a.vtk", b"# vtk DataFile Version 3.0\n", "VTK"),
            ("a.gipl", bytes(500), "GIPL"),
            ("a.img", bytes(500), "bare voxels"),
            ("pet.zip", b"PK\3\4" + bytes(500), "an archive"),
            ("slice.dcm.gz", b"\x1f\x8b" + bytes(500), "an archive"),
            ("pet.tar", bytes(500), "an archive"),
        ):
            path = self.folder / name.replace(".", "_") / name
            path.parent.mkdir()
            path.write_bytes(content)
            for given in (path, path.parent):
                for read in (inspect, read_pet):
                    with (
                        self.subTest(name, given=given.name, read=read.__name__),
                        self.assertRaises(InputRefused) as caught,
                    ):
                        read(given)
                    self.assertEqual(caught.exception.code, "format-foreign")
                    self.assertIn(f"is {kind}", caught.exception.message)

    def test_volumes_that_are_read_are_not_told_as_foreign(self) -> None:
        values = np.random.default_rng(1).normal(40, 60, (6, 8, 9)).astype(np.int16)
        values[:, :2], values[:2, 4:6] = -1000, 700
        for name in ("ct.nrrd", "CT.NRRD", "ct.mha"):
            folder = self.folder / name.replace(".", "_")
            folder.mkdir()
            sitk.WriteImage(sitk.GetImageFromArray(values), str(folder / name.lower()))
            (folder / name.lower()).rename(folder / name)
            for path in (folder, folder / name):
                (entry,) = inspect(path)["series"]
                self.assertEqual((entry["kind"], entry["shape"]), ("ct", [6, 8, 9]), name)
        drawn = Segmentation(Grid((6, 8, 9), np.eye(4)), (Segment("a", "cord C7", values > 600),))
        write_segmentation(self.folder / "regions.seg.nrrd", drawn)
        (entry,) = inspect(self.folder / "regions.seg.nrrd")["series"]
        self.assertEqual((entry["kind"], entry["segments"], entry["refusals"]), ("other", 1, []))

    def test_a_folder_of_nifti_frames_is_no_pet(self) -> None:
        for frame in range(2):
            (self.folder / f"frame{frame}.nii.gz").write_bytes(b"")
        with self.assertRaises(InputRefused) as caught:
            read_pet(self.folder)
        self.assertEqual(caught.exception.code, "nifti-folder")
        self.assertIn("frame0.nii.gz", caught.exception.message)

    @needs_data
    def test_the_real_series_is_one_static_volume_of_six_beds(self) -> None:
        entry = self.inspected(DATA / "pet_dicom" / "ge_sts001")["static-pet"]
        self.assertEqual((entry["files"], entry["bed_positions"], entry["shape"]), (267, 6, [267, 128, 128]))
        self.assertEqual((entry["frames"], entry["refusals"]), ([], []))
        self.assertAlmostEqual(entry["suvbw_factor"] / 2.4290295e-4, 1, delta=1e-6)
        self.assertAlmostEqual(entry["suvbw_max"], 66.5215, delta=1e-4)

    @needs_data
    def test_every_real_slice_is_told_alone(self) -> None:
        result = inspect(DATA / "pet_dicom" / "slices")
        self.assertEqual(len(result["series"]), 60)
        self.assertEqual(result["other_files"], 2)
        kinds = [entry["kind"] for entry in result["series"]]
        # Two reprojections, a gated series and three secondary captures are no volumes at one time.
        self.assertEqual({kind: kinds.count(kind) for kind in kinds}, {"static-pet": 54, "other": 6})
        factors = [entry for entry in result["series"] if entry["suvbw_factor"] is not None]
        self.assertEqual(len(factors), 42)
        for entry in result["series"]:
            self.assertEqual(entry["suvbw_factor"] is None, entry["suv_refusal"] is not None)
            alone = inspect(Path(entry["path"]))["series"]
            self.assertEqual(alone, [entry])


class PhantomTest(Folder):
    def test_the_phantoms_series_of_every_vendor(self) -> None:
        """Two programs that share no code: the digital neck writes, the readers read."""
        matrix = np.diag([2.0, 2.0, 2.5, 1.0])
        matrix[:3, 3] = (-5, -8, -100)
        grid = Grid((3, 8, 9), matrix)
        truth = np.random.default_rng(1).uniform(0, 90, (len(FRAME_STARTS_S), *grid.shape)).astype(np.float32)
        for vendor in ("ge", "siemens", "philips"):
            folder = self.folder / vendor
            identity = phantom_dicom.Identity(("test",), "baseline")
            tracer = simulated_tracer("[11C]DPA-713")
            phantom_dicom.write_pet(folder / "pet", iter(truth), grid, identity, vendor, tracer)
            image = read_dynamic_pet(folder)
            np.testing.assert_allclose(image.timing.starts_s, FRAME_STARTS_S, atol=1e-3)
            np.testing.assert_allclose(image.timing.durations_s, FRAME_DURATIONS_S, atol=1e-3)
            step = truth.max(axis=(2, 3), keepdims=True) / 32767
            self.assertLessEqual(float((np.abs(image.activity - truth) / step).max()), 0.51)
            self.assertTrue(image.grid.same_as(grid))
            self.assertEqual((image.time_zero, image.notices), ("injection", ()))
            self.assertEqual(set(self.inspected(folder)), {"dynamic-pet"})


class NiftiTest(Folder):
    sidecar = {
        "TimeZero": "10:30:00",
        "ScanStart": 0,
        "InjectionStart": 0,
        "FrameTimesStart": list(PetPlan.starts_s),
        "FrameDuration": list(PetPlan.durations_s),
        "Units": "Bq/mL",
        "TracerName": "DPA-713",
        "TracerRadionuclide": "C11",
        "RadionuclideHalfLife": HALF_LIFE_S,
        "InjectedRadioactivity": 400,
        "InjectedRadioactivityUnits": "MBq",
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
        "Manufacturer": "Siemens",
    }

    def write(self, name: str = "sub-01_pet.nii.gz", frames: int = 5, **changed: object) -> np.ndarray:
        values = np.random.default_rng(3).uniform(0, 9e4, (frames, 3, 4, 5)).astype(np.float32)
        volumes = [sitk.GetImageFromArray(frame) for frame in values]
        for volume in volumes:
            volume.SetSpacing((2.5, 2.0, 3.0))
            volume.SetOrigin((-30.0, -40.0, 50.0))
        image = sitk.JoinSeries(volumes) if frames > 1 else volumes[0]
        sitk.WriteImage(image, str(self.folder / name))
        content = {key: value for key, value in (self.sidecar | changed).items() if value is not None}
        (self.folder / name.replace(".nii.gz", ".json")).write_text(json.dumps(content))
        return values / 1000

    def test_dynamic(self) -> None:
        truth = self.write()
        image = read_dynamic_pet(self.folder / "sub-01_pet.nii.gz")
        np.testing.assert_allclose(image.activity, truth, rtol=1e-6)
        np.testing.assert_array_equal(image.timing.starts_s, PetPlan.starts_s)
        self.assertEqual(image.time_zero, "injection")
        np.testing.assert_allclose(image.grid.to_lps(np.array([0.0, 0, 2])), (-30, -40, 56), atol=1e-4)
        entry = self.inspected(self.folder)["dynamic-pet"]
        self.assertEqual((entry["shape"], entry["voxel_mm"]), ([5, 3, 4, 5], [2.5, 2.0, 3.0]))

    def test_decay_correction_to_another_moment_or_none(self) -> None:
        truth = self.write(ImageDecayCorrectionTime=120)
        image = read_dynamic_pet(self.folder / "sub-01_pet.nii.gz")
        np.testing.assert_allclose(image.activity, truth * 2 ** (120 / HALF_LIFE_S), rtol=1e-6)
        truth = self.write(ImageDecayCorrected=False)
        image = read_dynamic_pet(self.folder / "sub-01_pet.nii.gz")
        factors = decay_factors(PetPlan(), 0.0)
        np.testing.assert_allclose(image.activity, truth * factors[:, None, None, None], rtol=1e-6)
        self.assertIn("pet-decay-by-us", {notice.code for notice in image.notices})

    def test_a_frame_table_overrides(self) -> None:
        self.write()
        table = FrameTiming(np.array(PetPlan.starts_s) + 3, np.array(PetPlan.durations_s))
        image = read_dynamic_pet(self.folder / "sub-01_pet.nii.gz", table)
        np.testing.assert_array_equal(image.timing.starts_s, table.starts_s)
        self.assertIn("frames-by-table", {notice.code for notice in image.notices})

    def test_a_late_injection_is_told(self) -> None:
        self.write(InjectionStart=12)
        image = read_dynamic_pet(self.folder / "sub-01_pet.nii.gz")
        self.assertEqual(image.time_zero, "TimeZero")
        self.assertIn("time-zero-not-injection", {notice.code for notice in image.notices})

    def test_refusals(self) -> None:
        path = self.folder / "sub-01_pet.nii.gz"
        for code, changed in (
            ("frames-table-count", {"frames": 4}),
            ("pet-not-dynamic", {"frames": 1}),
            ("units-activity", {"Units": "SUV"}),
            ("pet-decay-correction", {"ImageDecayCorrected": None}),
            ("frames-overlap", {"FrameDuration": [10, 30, 600, 300, 600]}),
        ):
            self.write(**changed)
            with self.assertRaises(InputRefused) as caught:
                read_dynamic_pet(path)
            self.assertEqual(caught.exception.code, code)
        path.with_name("sub-01_pet.json").unlink()
        with self.assertRaises(InputRefused) as caught:
            read_dynamic_pet(path)
        self.assertEqual(caught.exception.code, "nifti-no-sidecar")
        path.write_bytes(b"nothing")
        with self.assertRaises(InputRefused) as caught:
            read_ct(path)
        self.assertEqual(caught.exception.code, "nifti-unreadable")

    def test_static_pet_is_no_ct(self) -> None:
        truth = self.write(frames=1, FrameTimesStart=[0], FrameDuration=[600])
        np.testing.assert_allclose(read_pet(self.folder / "sub-01_pet.nii.gz").activity[0], truth[0], rtol=1e-6)
        with self.assertRaises(InputRefused) as caught:
            read_ct(self.folder / "sub-01_pet.nii.gz")
        self.assertEqual(caught.exception.code, "anatomy-unlabeled")
        self.assertEqual(set(self.inspected(self.folder)), {"static-pet"})


if __name__ == "__main__":
    unittest.main()
