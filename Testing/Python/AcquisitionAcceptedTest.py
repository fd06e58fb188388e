"""What real files hold and must be read: other conventions, jitter, character sets, PMOD's headers, a frame table."""

import unittest
from datetime import timedelta
from unittest import mock

import numpy as np
import pydicom
from highdicom.legacy import LegacyConvertedEnhancedPETImage
from pydicom import dcmread
from pydicom.uid import generate_uid
from support.dicommaker import VENDORS, PetPlan, decay_factors, reference_times_s, write_ct, write_pet
from support.folders import Folder
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.acquisition.dicom import read_ct, read_dynamic_pet
from TSPOQuantLib.acquisition.tacs import read_frame_table, read_tacs
from TSPOQuantLib.messages import InputRefused


class TimesTest(Folder):
    def test_a_convention_that_is_not_the_vendor_s_own(self):
        """HRRT: manufacturer CPS, FrameReferenceTime at the frame's start; and every other pair."""
        for number, (vendor, other) in enumerate(
            (vendor, other)
            for vendor in ("CPS", "SIEMENS", "GE MEDICAL SYSTEMS", "Philips Medical Systems")
            for other in ("ge", "siemens", "philips")
        ):
            plan = PetPlan(vendor=other)
            references, factors = reference_times_s(plan), decay_factors(plan, 0.0)

            def edit(header, frame, k, vendor=vendor, references=references, factors=factors):
                header.Manufacturer = vendor
                header.FrameReferenceTime = f"{references[frame] * 1000:.12g}"
                header.DecayFactor = f"{1.0 if vendor.startswith('Philips') else factors[frame]:.6g}"

            folder = self.folder / str(number)
            truth = write_pet(folder, PetPlan(vendor=other, edit=edit))
            image = read_dynamic_pet(folder)
            np.testing.assert_allclose(image.activity, truth, rtol=1e-5)
            np.testing.assert_allclose(image.timing.starts_s, PetPlan.starts_s, atol=1e-3)

    def test_series_time_when_the_protocol_was_started(self):
        for vendor in ("ge", "siemens"):
            for before_s in (20, 60, 120):

                def edit(header, frame, k, before_s=before_s):
                    header.SeriesTime = f"{PetPlan.injection - timedelta(seconds=before_s):%H%M%S.%f}"

                folder = self.folder / f"{vendor}{before_s}"
                truth = write_pet(folder, PetPlan(vendor=vendor, edit=edit))
                image = read_dynamic_pet(folder)
                np.testing.assert_allclose(image.activity, truth, rtol=1e-5)
                self.assertIn("FrameReferenceTime and DecayFactor", image.decay_correction)

    def test_a_frame_table_where_the_header_tells_nothing(self):
        def edit(header, frame, k):
            header.AcquisitionTime, header.FrameReferenceTime = "103000", "0"

        truth = write_pet(self.folder / "pet", PetPlan(edit=edit))
        self.assertIn("[pet] frames", self.refused("frames-no-times", read_dynamic_pet, self.folder / "pet"))
        starts, durations = np.array(PetPlan.starts_s), np.array(PetPlan.durations_s)
        for head, columns in (
            ("FrameTimesStart\tFrameDuration", (starts, durations)),
            ("frame_start\tframe_end", (starts, starts + durations)),
            ("start[min]\tend[min]", (starts / 60, (starts + durations) / 60)),
            ("start[seconds]\tend[kBq/cc]", (starts, starts + durations)),
        ):
            rows = "\n".join("\t".join(repr(float(value)) for value in row) for row in zip(*columns, strict=True))
            table = read_frame_table(self.write("frames.tsv", f"{head}\n{rows}\n"))
            np.testing.assert_allclose(read_dynamic_pet(self.folder / "pet", table).activity, truth, rtol=1e-5)
            np.testing.assert_allclose(table.durations_s, durations)
        self.refused("tacs-frames", read_frame_table, self.write("bad.tsv", "onset\tduration\n0\t10\n"))


def placed(header, frame, k):
    """What a conversion asks of every file, and small tests leave out."""
    header.FrameOfReferenceUID = "1.2.826.0.1.3680043.10.1.1"
    header.StudyDate, header.StudyTime, header.StudyID, header.AccessionNumber = "20210304", "100000", "S", "A"
    header.PatientBirthDate, header.ReferringPhysicianName, header.InstanceNumber = "", "", header.ImageIndex
    header.ContentDate, header.ContentTime = header.AcquisitionDate, header.AcquisitionTime
    header.ImageType = ["ORIGINAL", "PRIMARY"]


class SeriesTest(Folder):
    def test_orientation_that_differs_in_its_last_digits(self):
        jitter = np.random.default_rng(1)

        def edit(header, frame, k):
            noise = jitter.uniform(-6e-6, 6e-6, 6)
            header.ImageOrientationPatient = [f"{v:.8f}" for v in np.array([1, 0, 0, 0, 1, 0]) + noise]
            header.PixelSpacing = [f"{2 + noise[0]:.7f}", f"{2.5 + noise[1]:.7f}"]

        truth = write_pet(self.folder / "pet", PetPlan(edit=edit))
        np.testing.assert_allclose(read_dynamic_pet(self.folder / "pet").activity, truth, rtol=1e-5)
        hu = write_ct(self.folder / "ct", PetPlan(edit=edit))
        np.testing.assert_allclose(read_ct(self.folder / "ct").values, hu)

        def turned(header, frame, k):
            if k == 1:
                header.ImageOrientationPatient = ["0.9998", "0.02", "0", "-0.02", "0.9998", "0"]

        write_ct(self.folder / "turned", PetPlan(edit=turned))
        self.refused("dicom-mixed-series", read_ct, self.folder / "turned")

    def test_a_series_converted_to_one_file(self):
        for vendor in VENDORS:
            for correction in ("START", "NONE"):
                plan = PetPlan(vendor=vendor, correction=correction, edit=placed)
                folder = self.folder / f"{vendor}{correction}"
                truth = write_pet(folder / "classic", plan)
                with mock.patch.object(pydicom.config, "datetime_conversion", True):
                    files = [dcmread(file) for file in sorted((folder / "classic").iterdir())]
                    made = LegacyConvertedEnhancedPETImage(files, generate_uid(), 9, generate_uid(), 1)
                slopes = {file.SOPInstanceUID: file.RescaleSlope for file in files}
                for frame in made.PerFrameFunctionalGroupsSequence:  # highdicom keeps no slope of a PET
                    source = frame.ConversionSourceAttributesSequence[0].ReferencedSOPInstanceUID
                    item = pydicom.Dataset()
                    item.RescaleSlope, item.RescaleIntercept, item.RescaleType = slopes[source], "0", "US"
                    frame.PixelValueTransformationSequence = pydicom.Sequence([item])
                (folder / "one").mkdir()
                made.save_as(folder / "one" / "all.dcm")
                image = read_dynamic_pet(folder / "one")
                np.testing.assert_allclose(image.activity, truth, rtol=1e-5)
                np.testing.assert_allclose(image.timing.starts_s, plan.starts_s, atol=1e-3)
                np.testing.assert_allclose(image.timing.durations_s, plan.durations_s, atol=1e-3)
                self.assertEqual(image.scan.tracer, read_dynamic_pet(folder / "classic").scan.tracer)
                content = (folder / "one" / "all.dcm").read_bytes()
                (folder / "one" / "all.dcm").write_bytes(content[:-100])
                with self.assertRaises(InputRefused):
                    read_dynamic_pet(folder / "one")

    def test_one_patient_in_two_character_sets(self):
        keys = set()
        for number, (character_set, encoding) in enumerate(
            (("ISO_IR 100", "latin-1"), ("ISO_IR 192", "utf-8"), ("GB18030", "gb18030"), ("ISO_IR 101", "iso8859-2"))
        ):

            def edit(header, frame, k, character_set=character_set, encoding=encoding):
                header.SpecificCharacterSet = character_set
                header.PatientID = "Müller-7"

            write_ct(self.folder / str(number), PetPlan(edit=edit))
            content = next((self.folder / str(number)).iterdir()).read_bytes()
            self.assertIn("Müller-7".encode(encoding), content)
            keys.add(read_ct(self.folder / str(number)).scan.patient_key)
        self.assertEqual(len(keys), 1)


class PmodTest(Folder):
    TIMES = (0, 20, 60, 300, 1200, 3600)

    def table(self, name, *columns, values=((0, 50, 30, 8, 4, 3),)):
        rows = zip(self.TIMES, *values, strict=True)
        return self.write(name, "\t".join(columns) + "\n" + "\n".join("\t".join(map(str, row)) for row in rows) + "\n")

    def test_documented_headers(self):
        for header in ("whole-blood[kBq/cc]", "whole blood[kBq/mL]", "Whole-Blood [kBq/cc]"):
            blood = read_blood([self.table("x.crv", "sample-time[seconds]", header)])
            np.testing.assert_allclose(blood.whole_blood.times_s, self.TIMES)
        minutes = self.table("y.bld", "sample-time[minutes]", "plasma[kBq/cc]")
        np.testing.assert_allclose(read_blood([self.only_hours(minutes)]).plasma.times_s, np.array(self.TIMES))

    def only_hours(self, path):
        rows = path.read_text().splitlines()
        moved = [f"{float(row.split()[0]) / 60!r}\t{row.split()[1]}" for row in rows[1:]]
        path.write_text("\n".join([rows[0], *moved]) + "\n")
        return path

    def test_what_only_the_file_s_name_tells(self):
        for name, quantity in (
            ("p1_whole-blood.crv", "whole_blood"),
            ("p1 plasma curve.txt", "plasma"),
            ("parent-plasma_p1.bld", "parent_plasma"),
        ):
            blood = read_blood([self.table(name, "sample-time[seconds]", "value[kBq/cc]")])
            self.assertIsNotNone(getattr(blood, quantity), name)
        said = self.refused("blood-columns", read_blood, [self.table("p1.crv", "sample-time[sec]", "value[kBq/cc]")])
        self.assertIn("call them so", said)

    def test_tac(self):
        activity = np.array([[1.5, 3, 2, 1], [2, 4, 3, 2]])
        for unit, scale in (("kBq/cc", 1), ("Bq/cc", 1000)):
            rows = zip((0, 60, 180, 600), (60, 180, 600, 3600), *(activity * scale), strict=True)
            lines = [f"start[seconds]\tend[{unit}]\tcord\tC6/C7 left", *("\t".join(map(str, row)) for row in rows)]
            tacs = read_tacs(self.write("p1.tac", "\n".join(lines) + "\n"))
            np.testing.assert_allclose(tacs.activity, activity)
            np.testing.assert_allclose(tacs.timing.ends_s, [60, 180, 600, 3600])
            self.assertEqual((tacs.notices, tacs.regions), ((), ("cord", "C6/C7 left")))


class BloodColumnsTest(Folder):
    def blood(self, plasma, whole, fraction):
        rows = "\n".join(
            f"{t}\t{p}\t{w}\t{f}" for t, p, w, f in zip(PmodTest.TIMES, plasma, whole, fraction, strict=True)
        )
        head = "time\tplasma_radioactivity\twhole_blood_radioactivity\tmetabolite_parent_fraction"
        return read_blood([self.write("x_blood.tsv", f"{head}\n{rows}\n")])

    PLASMA, WHOLE, FRACTION = (0, 60, 40, 11, 5.5, 4), (0, 50, 30, 8, 4, 3), (1, 0.996, 0.95, 0.8, 0.5, 0.3)

    def codes(self, *arguments):
        return {notice.code for notice in self.blood(*arguments).notices} - {"blood-units-assumed"}

    def test_an_ordinary_study_is_not_warned_of(self):
        self.assertEqual(self.codes(self.PLASMA, self.WHOLE, (0.996, *self.FRACTION[1:])), set())

    def test_exchanged_plasma_and_whole_blood(self):
        self.assertEqual(self.codes(self.WHOLE, self.PLASMA, self.FRACTION), {"plasma-below-whole-blood"})

    def test_one_column_twice(self):
        self.assertIn("blood-columns-same", self.codes(self.WHOLE, self.WHOLE, self.FRACTION))
        nearly = (*self.WHOLE[:-1], 3.01)
        self.assertNotIn("blood-columns-same", self.codes(nearly, self.WHOLE, self.FRACTION))

    def test_one_column_worked_out_from_the_other(self):
        for ratio in (1.2, 0.63):
            scaled = [round(ratio * one, 3) for one in self.WHOLE]
            self.assertIn("blood-columns-scaled", self.codes(scaled, self.WHOLE, self.FRACTION))
        measured = [*scaled[:-1], 1.01 * scaled[-1]]
        self.assertNotIn("blood-columns-scaled", self.codes(measured, self.WHOLE, self.FRACTION))


if __name__ == "__main__":
    unittest.main()
