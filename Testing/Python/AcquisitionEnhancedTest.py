"""Enhanced PET: one file of many frames, native and compressed; and compressed classic files."""

import shutil
import tempfile
import unittest
from datetime import timedelta
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    EnhancedPETImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    RLELossless,
)
from support.dicommaker import HALF_LIFE_S, STUDY_UID, PetPlan, write_pet
from TSPOQuantLib.acquisition.dicom import read_dynamic_pet
from TSPOQuantLib.acquisition.inspect import inspect
from TSPOQuantLib.messages import InputRefused


def item(**elements: object) -> Dataset:
    found = Dataset()
    for keyword, value in elements.items():
        setattr(found, keyword, value)
    return found


def one(**elements: object) -> Items:
    return Items([item(**elements)])


def enhanced(plan: PetPlan, units: str = "Bq/ml", corrected: str = "YES") -> tuple[Dataset, np.ndarray]:
    """The object, and its true activity in kBq/mL corrected to the injection."""
    random = np.random.default_rng(5)
    frames, slices = len(plan.starts_s), plan.shape[0]
    stored = random.integers(0, 30000, (frames, *plan.shape)).astype("<u2")
    slopes = random.uniform(0.1, 3, (frames, slices))
    header = item(
        SOPClassUID=EnhancedPETImageStorage,
        SOPInstanceUID="1.2.3.4",
        StudyInstanceUID=STUDY_UID,
        SeriesInstanceUID="1.2.3",
        Modality="PT",
        Manufacturer="Philips Medical Systems",
        ImageType=["ORIGINAL", "PRIMARY", "DYNAMIC", "NONE"],
        PatientID="SECRET-ID-4711",
        PatientName="Verysecret^Nomen",
        PatientWeight="80",
        SeriesDate=f"{plan.injection:%Y%m%d}",
        SeriesTime="235900",  # written late: it must not matter
        Rows=plan.shape[1],
        Columns=plan.shape[2],
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        BitsAllocated=16,
        BitsStored=16,
        HighBit=15,
        PixelRepresentation=0,
        NumberOfFrames=frames * slices,
        AttenuationCorrected="YES",
        DecayCorrected=corrected,
        DecayCorrectionDateTime=f"{plan.injection + timedelta(seconds=plan.scan_s):%Y%m%d%H%M%S.%f}",
        RadiopharmaceuticalInformationSequence=one(
            RadionuclideTotalDose="400",
            RadionuclideHalfLife=f"{HALF_LIFE_S}",
            RadiopharmaceuticalStartDateTime=f"{plan.injection:%Y%m%d%H%M%S}",
        ),
        SharedFunctionalGroupsSequence=one(
            PixelMeasuresSequence=one(PixelSpacing=[2.0, 2.5], SliceThickness=3.0),
            PlaneOrientationSequence=one(ImageOrientationPatient=list(plan.orientation)),
        ),
        PerFrameFunctionalGroupsSequence=Items([]),
        PixelData=stored.tobytes(),
    )
    for frame in range(frames):
        for k in range(slices):
            acquired = plan.injection + timedelta(seconds=plan.starts_s[frame])
            header.PerFrameFunctionalGroupsSequence.append(
                item(
                    FrameContentSequence=one(
                        FrameAcquisitionDateTime=f"{acquired:%Y%m%d%H%M%S.%f}",
                        FrameAcquisitionDuration=plan.durations_s[frame] * 1000,
                    ),
                    PlanePositionSequence=one(ImagePositionPatient=list(plan.position(k))),
                    RealWorldValueMappingSequence=one(
                        RealWorldValueSlope=float(slopes[frame, k]),
                        RealWorldValueIntercept=0.0,
                        MeasurementUnitsCodeSequence=one(CodeValue=units, CodingSchemeDesignator="UCUM"),
                    ),
                )
            )
    truth = stored * slopes[:, :, None, None] * 2 ** (plan.scan_s / HALF_LIFE_S) / 1000
    return header, truth


def save(header: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> None:
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if syntax == RLELossless:
        header["PixelData"].VR = "OW"
        header.compress(syntax, generate_instance_uid=False)
    header.save_as(path, enforce_file_format=True)


class Folder(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)


class EnhancedTest(Folder):
    plan = PetPlan(scan_s=45, starts_s=tuple(np.array(PetPlan.starts_s) + 45))

    def test_one_file_of_many_frames(self) -> None:
        header, truth = enhanced(self.plan)
        for syntax in (ExplicitVRLittleEndian, RLELossless):
            path = self.folder / "enhanced.dcm"
            save(header, path, syntax)
            image = read_dynamic_pet(path)
            np.testing.assert_allclose(image.activity, truth, rtol=1e-6)
            np.testing.assert_allclose(image.timing.starts_s, self.plan.starts_s, atol=1e-3)
            np.testing.assert_allclose(image.timing.durations_s, self.plan.durations_s, atol=1e-3)
            np.testing.assert_allclose(image.grid.to_lps(np.array([4.0, 0, 2])), (-20, -40, 56), atol=1e-4)
            self.assertEqual(image.time_zero, "injection")
            self.assertEqual([notice.code for notice in image.notices], ["injection-not-at-start"])
            self.assertIn("DecayCorrectionDateTime", image.decay_correction)
            self.assertEqual(image.scan.injected_mbq, 400)

    def test_inspection_and_suv(self) -> None:
        header, _ = enhanced(self.plan)
        save(header, self.folder / "enhanced.dcm")
        (entry,) = inspect(self.folder)["series"]
        self.assertEqual((entry["kind"], entry["files"], entry["shape"]), ("dynamic-pet", 1, [5, 3, 4, 5]))
        self.assertAlmostEqual(entry["suvbw_factor"] / (80e3 / 400e6 * 2 ** (45 / HALF_LIFE_S)), 1, delta=1e-9)

    def test_units_as_they_are_written(self) -> None:
        """In Bq/mL where that is one of several mappings, whatever else they are told in and in which order."""
        per_suv = 80 * 1000 / 4e8 * 2 ** (self.plan.scan_s / HALF_LIFE_S)

        def suv(header: Dataset, code: str, first: bool, both: bool) -> None:
            for group in header.PerFrameFunctionalGroupsSequence:
                activity = group.RealWorldValueMappingSequence[0]
                uptake = item(
                    RealWorldValueSlope=activity.RealWorldValueSlope * per_suv,
                    RealWorldValueIntercept=0.0,
                    MeasurementUnitsCodeSequence=one(CodeValue=code, CodingSchemeDesignator="UCUM"),
                )
                mappings = [uptake, activity] if first else [activity, uptake]
                group.RealWorldValueMappingSequence = Items(mappings if both else [uptake])

        for code in ("g/ml{SUVbw}", "{SUVbw}g/ml"):
            for first, both, weighed in ((True, True, False), (False, True, False), (True, False, True)):
                header, truth = enhanced(self.plan)
                suv(header, code, first, both)
                if not weighed:
                    del header.PatientWeight
                save(header, self.folder / "enhanced.dcm")
                np.testing.assert_allclose(read_dynamic_pet(self.folder).activity, truth, rtol=1e-6)

    def test_time_zones_of_a_file_that_states_none(self) -> None:
        header, truth = enhanced(self.plan)
        for group in header.PerFrameFunctionalGroupsSequence:
            group.FrameContentSequence[0].FrameAcquisitionDateTime += "+0200"
        header.DecayCorrectionDateTime += "+0200"
        agent = header.RadiopharmaceuticalInformationSequence[0]
        agent.RadiopharmaceuticalStartDateTime = f"{self.plan.injection - timedelta(hours=2):%Y%m%d%H%M%S}+0000"
        save(header, self.folder / "enhanced.dcm")
        image = read_dynamic_pet(self.folder)
        np.testing.assert_allclose(image.activity, truth, rtol=1e-6)
        np.testing.assert_allclose(image.timing.starts_s, self.plan.starts_s, atol=1e-3)

    def test_two_injections(self) -> None:
        header, _ = enhanced(self.plan)
        agent = header.RadiopharmaceuticalInformationSequence[0]
        other = item(RadionuclideTotalDose="20", RadionuclideHalfLife=agent.RadionuclideHalfLife)
        header.RadiopharmaceuticalInformationSequence = Items([agent, other])
        save(header, self.folder / "enhanced.dcm")
        self.assertIn("pet-injections-several", [notice.code for notice in read_dynamic_pet(self.folder).notices])
        self.assertIsNone(read_dynamic_pet(self.folder).scan.injected_mbq)

    def test_frames_that_are_not_described(self) -> None:
        header, _ = enhanced(self.plan)
        slices = self.plan.shape[0]
        groups = list(header.PerFrameFunctionalGroupsSequence)
        header.PerFrameFunctionalGroupsSequence = Items(groups[:-slices])
        save(header, self.folder / "enhanced.dcm")
        with self.assertRaises(InputRefused) as caught:
            read_dynamic_pet(self.folder)
        self.assertIn("export the series again", caught.exception.message)

    def test_refusals(self) -> None:
        for code, changed in (
            ("pet-units", {"units": "{propcounts}"}),
            ("pet-units-propcps", {"units": "{propcounts}/s"}),
            ("pet-attenuation", {"AttenuationCorrected": "NO"}),
            ("pet-corrected-image", {"DecayCorrected": None}),
            ("pet-corrected-image", {"DecayCorrected": "UNKNOWN"}),
            ("pet-corrected-image", {"AttenuationCorrected": "UNKNOWN"}),
            ("pet-gated", {"ImageType": ["ORIGINAL", "PRIMARY", "CARDIAC_GATED", "NONE"]}),
            ("pet-reprojection", {"ImageType": ["DERIVED", "PRIMARY", "DYNAMIC", "MAX_IP"]}),
        ):
            header, _ = enhanced(self.plan, **{key: value for key, value in changed.items() if key == "units"})
            for keyword, value in changed.items():
                if keyword != "units":
                    setattr(header, keyword, value)
            save(header, self.folder / "enhanced.dcm")
            with self.assertRaises(InputRefused) as caught:
                read_dynamic_pet(self.folder)
            self.assertEqual(caught.exception.code, code)

    def test_a_truncated_file(self) -> None:
        header, _ = enhanced(self.plan)
        path = self.folder / "enhanced.dcm"
        save(header, path)
        path.write_bytes(path.read_bytes()[:-9])
        with self.assertRaises(InputRefused) as caught:
            read_dynamic_pet(path)
        self.assertEqual(caught.exception.code, "dicom-truncated")


class TransferSyntaxTest(Folder):
    def test_every_syntax_gives_the_same_values(self) -> None:
        plan = PetPlan(starts_s=(0, 60), durations_s=(60, 60), shape=(2, 6, 8))
        truth = write_pet(self.folder / "plain", plan)
        for syntax in (ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless):
            with self.subTest(syntax.name):
                shutil.rmtree(self.folder / "other", ignore_errors=True)
                (self.folder / "other").mkdir()
                for file in (self.folder / "plain").iterdir():
                    header = dcmread(file)
                    if syntax == RLELossless:
                        header.PixelRepresentation = 0
                        header.compress(syntax, generate_instance_uid=False)
                    elif syntax == ExplicitVRBigEndian:
                        header.PixelData = np.frombuffer(header.PixelData, "<i2").astype(">i2").tobytes()
                        header["PixelData"].VR = "OW"
                    header.file_meta.TransferSyntaxUID = syntax
                    if syntax in (ImplicitVRLittleEndian, ExplicitVRBigEndian):
                        changed = Dataset()
                        changed.update(header)
                        changed.file_meta = header.file_meta
                        header = changed
                    header.save_as(self.folder / "other" / file.name, enforce_file_format=True)
                image = read_dynamic_pet(self.folder / "other")
                np.testing.assert_allclose(image.activity, truth, rtol=1e-6)

    def test_jpeg_lossless(self) -> None:
        """The syntax that archives like best, encoded by another library."""
        plan = PetPlan(starts_s=(0, 60), durations_s=(60, 60), shape=(2, 6, 8))
        truth = write_pet(self.folder / "pet", plan)
        encoded = self.folder / "encoded.dcm"
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.SetFileName(str(encoded))
        writer.UseCompressionOn()
        writer.SetCompressor("JPEG")
        for file in (self.folder / "pet").iterdir():
            header = dcmread(file)
            stored = np.frombuffer(header.PixelData, "<u2").reshape(1, 6, 8)
            writer.Execute(sitk.GetImageFromArray(stored))
            other = dcmread(encoded)
            self.assertEqual(other.file_meta.TransferSyntaxUID, JPEGLosslessSV1)
            header.PixelRepresentation, header.PixelData = 0, other.PixelData
            header["PixelData"].VR, header["PixelData"].is_undefined_length = "OB", True
            header.file_meta.TransferSyntaxUID = JPEGLosslessSV1
            header.save_as(file)
        image = read_dynamic_pet(self.folder / "pet")
        np.testing.assert_allclose(image.activity, truth, rtol=1e-6)

    def test_what_cannot_be_decoded_is_refused(self) -> None:
        plan = PetPlan(starts_s=(0, 60), durations_s=(60, 60), shape=(2, 6, 8))
        write_pet(self.folder, plan)
        for file in self.folder.iterdir():
            header = dcmread(file)
            header.compress(RLELossless, generate_instance_uid=False)
            header.file_meta.TransferSyntaxUID = JPEGLosslessSV1
            header.save_as(file)
        with self.assertRaises(InputRefused) as caught:
            read_dynamic_pet(self.folder)
        self.assertEqual(caught.exception.code, "dicom-compressed")


if __name__ == "__main__":
    unittest.main()
