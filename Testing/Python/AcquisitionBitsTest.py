"""What of a DICOM file are pixels: which bits of a cell count, and where pixels start without a transfer syntax."""

import unittest

import numpy as np
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from support.dicommaker import PetPlan, write_ct, write_pet
from support.folders import Folder
from TSPOQuantLib.acquisition.dicom import read_ct, read_dynamic_pet
from TSPOQuantLib.messages import InputRefused

SHAPE = (2, 4, 5)


def cells(values, bits, stored, high, garbage):
    """Whole numbers as cells of ``bits`` in which ``stored`` bits below ``high`` count and all others are garbage."""
    low = high - stored + 1
    mask = ((1 << stored) - 1) << low
    field = (values.astype("i8") << low) & mask
    return (field | (garbage & ~mask & ((1 << bits) - 1))).astype(f"u{bits // 8}")


class BitsTest(Folder):
    def combinations(self):
        for bits in (8, 16, 32):
            for stored in {1, bits // 2, bits - 4, bits - 1, bits}:
                for high in {stored - 1, bits - 1}:
                    for signed in (False, True):
                        yield bits, stored, high, signed

    def edit(self, values, bits, stored, high, signed):
        random = np.random.default_rng(3)

        def edit(header, frame, k):
            garbage = random.integers(0, 1 << bits, SHAPE[1:], dtype="i8")
            header.BitsAllocated, header.BitsStored, header.HighBit = bits, stored, high
            header.PixelRepresentation = int(signed)
            header.PixelData = cells(values[max(frame, 0), k], bits, stored, high, garbage).tobytes()
            header.RescaleSlope, header.RescaleIntercept = "2", "-10" if frame < 0 else "0"

        return edit

    def test_every_combination(self):
        for bits, stored, high, signed in self.combinations():
            with self.subTest(bits=bits, stored=stored, high=high, signed=signed):
                lowest = -(1 << (stored - 1)) if signed else 0
                values = np.random.default_rng(stored).integers(
                    lowest, lowest + (1 << stored), (2, *SHAPE), dtype="i8"
                )
                values[0, 0, 0, :2] = lowest, lowest + (1 << stored) - 1
                folder = self.folder / f"{bits}-{stored}-{high}-{signed}"
                plan = PetPlan(
                    shape=SHAPE,
                    starts_s=(0, 60),
                    durations_s=(60, 120),
                    edit=self.edit(values, bits, stored, high, signed),
                )
                write_ct(folder / "ct", plan)
                expected = 2.0 * values[0] - 10
                np.testing.assert_allclose(read_ct(folder / "ct").values, expected, rtol=1e-6)
                if bits == 16 and high == stored - 1 > 0:  # GDCM neither shifts nor cleans others
                    file = sorted((folder / "ct").iterdir())[0]
                    np.testing.assert_allclose(sitk.GetArrayFromImage(sitk.ReadImage(str(file)))[0], expected[0])
                write_pet(folder / "pet", plan)
                np.testing.assert_allclose(
                    read_dynamic_pet(folder / "pet").activity, values * 2e-3, rtol=1e-6, atol=1e-9
                )

    def test_numbers_above_the_bits_that_count_are_told(self):
        """Overlays, which take a bit each, and copies of the sign are not."""

        def plan(stored, signed, change, slices):
            def edit(header, frame, k):
                values = np.frombuffer(header.PixelData, "<i2").astype(int)
                if k in slices:
                    header.BitsStored, header.HighBit = stored, stored - 1
                header.PixelRepresentation = int(signed)
                header.PixelData = change(values).astype("<i2").tobytes()

            return PetPlan(shape=SHAPE, edit=edit)

        def overlay(values):
            return np.where(np.arange(values.size) % 2, values % 2048, values % 2048 - 32768)

        both = range(SHAPE[0])
        for number, (stored, signed, change, slices, told) in enumerate(
            (
                (8, False, lambda values: values, both, True),
                (8, False, lambda values: values, (1,), True),
                (8, False, lambda values: values % 768, (1,), True),
                (12, False, lambda values: values % 4096, both, False),
                (12, True, lambda values: values % 4096 - 2048, both, False),
                (12, False, overlay, both, False),
            )
        ):
            folder = self.folder / str(number)
            write_pet(folder, plan(stored, signed, change, slices))
            codes = [notice.code for notice in read_dynamic_pet(folder).notices]
            self.assertEqual("dicom-bits" in codes, told, number)

    def test_impossible_bits(self):
        for stored, high in ((17, 16), (0, 0), (12, 5), (16, 20)):

            def edit(header, frame, k, stored=stored, high=high):
                header.BitsStored, header.HighBit = stored, high

            folder = self.folder / f"{stored}-{high}"
            write_ct(folder, PetPlan(edit=edit))
            with self.assertRaises(InputRefused) as caught:
                read_ct(folder)
            self.assertEqual(caught.exception.code, "dicom-pixel-format")


class TransferSyntaxTest(Folder):
    def rewritten(self, folder, implicit, preamble):
        """Every file anew, without a word of how it is encoded."""
        for file in folder.iterdir():
            stream = DicomBytesIO()
            stream.is_implicit_VR, stream.is_little_endian = implicit, True
            write_dataset(stream, dcmread(file))
            file.write_bytes((bytes(128) + b"DICM" if preamble else b"") + stream.getvalue())

    def test_files_that_do_not_state_their_encoding(self):
        for implicit, preamble in ((False, False), (False, True), (True, False), (True, True)):
            with self.subTest(implicit=implicit, preamble=preamble):
                folder = self.folder / f"{implicit}{preamble}"
                hu, activity = write_ct(folder / "ct"), write_pet(folder / "pet")
                self.rewritten(folder / "ct", implicit, preamble)
                self.rewritten(folder / "pet", implicit, preamble)
                np.testing.assert_allclose(read_ct(folder / "ct").values, hu)
                np.testing.assert_allclose(read_dynamic_pet(folder / "pet").activity, activity, rtol=1e-5)


if __name__ == "__main__":
    unittest.main()
