"""One walk over a plain header finds what pydicom's parser finds, and leaves to it whatever is not plain."""

import random
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence as Items
from pydicom.uid import ImplicitVRLittleEndian, JPEGLosslessSV1
from support.dicommaker import PetPlan, write_pet
from support.realdata import DATA, needs_data
from TSPOQuantLib.acquisition import dicom_files
from TSPOQuantLib.acquisition.dicom_header import plain_header

MUTANTS = 150


def with_sequences(header: Dataset, frame: int, k: int) -> None:
    """Sequences in sequences, before and after what is read, of known and of undefined length; and texts."""
    inner, outer = Dataset(), Dataset()
    inner.CodeValue, inner.CodeMeaning = "C-B1031", "Fluorine"
    inner.is_undefined_length_sequence_item = True
    outer.RadionuclideHalfLife = "1220.4"
    outer.RadionuclideCodeSequence = Items([inner, inner])
    outer["RadionuclideCodeSequence"].is_undefined_length = True
    outer.is_undefined_length_sequence_item = True
    header.RadiopharmaceuticalInformationSequence = Items([outer])
    header["RadiopharmaceuticalInformationSequence"].is_undefined_length = True
    header.ReferencedImageSequence = Items([inner])
    header.SpecificCharacterSet, header.PatientID = "ISO_IR 100", "Zoë-1"


class PlainHeaderTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        write_pet(cls.folder / "pet", PetPlan(shape=(2, 4, 5), edit=with_sequences))
        cls.files = sorted((cls.folder / "pet").iterdir())

    def seen(self, path: Path) -> str:
        """Everything that is found there, or what is raised."""
        try:
            return repr(dicom_files.find_series(path))
        except Exception as reason:
            return repr(reason)

    def by_pydicom(self, path: Path) -> str:
        with mock.patch.object(dicom_files, "plain_header", return_value=None):
            return self.seen(path)

    def is_plain(self, content: bytes) -> bool:
        return plain_header(content, dicom_files._WANTED) is not None

    def test_explicit_and_implicit_files_are_plain_and_the_same(self) -> None:
        implicit = self.folder / "implicit"
        implicit.mkdir()
        for file in self.files:
            header = dcmread(file)
            header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
            header.save_as(implicit / file.name, implicit_vr=True, little_endian=True)
        for folder in (self.folder / "pet", implicit):
            self.assertTrue(all(self.is_plain(file.read_bytes()) for file in folder.iterdir()))
            self.assertEqual(self.seen(folder), self.by_pydicom(folder))

    def test_the_parser_is_spared(self) -> None:
        with mock.patch.object(dicom_files, "dcmread") as parser:
            found = dicom_files.find_series(self.folder / "pet")
        self.assertEqual(sum(series.files for series in found.series), len(self.files))
        parser.assert_not_called()

    def test_what_is_not_plain_is_left_to_the_parser(self) -> None:
        content = self.files[0].read_bytes()
        header = dcmread(self.files[0])
        header.file_meta.TransferSyntaxUID = JPEGLosslessSV1
        header.PixelData = encapsulate([header.PixelData])
        header["PixelData"].is_undefined_length = True
        compressed = self.folder / "compressed.dcm"
        header.save_as(compressed)
        pixels = content.index(b"\xe0\x7f\x10\0")
        for name, other in {
            "without preamble": content[132:],
            "compressed": compressed.read_bytes(),
            "without pixels": content[:pixels],
            "cut within an element": content[: pixels - 3],
        }.items():
            with self.subTest(name):
                self.assertFalse(self.is_plain(other))

    def test_damaged_files_are_seen_as_the_parser_sees_them(self) -> None:
        random_ = random.Random(4)
        content, path = self.files[0].read_bytes(), self.folder / "damaged.dcm"
        plain = 0
        for number in range(MUTANTS):
            mutant = bytearray(content)
            at = random_.randrange(132, len(mutant) - 8)
            if number % 3 == 0:
                mutant[at] = random_.randrange(256)
            elif number % 3 == 1:
                del mutant[at : at + random_.randrange(1, 9)]
            else:
                del mutant[at:]
            path.write_bytes(mutant)
            plain += self.is_plain(bytes(mutant))
            self.assertEqual(self.seen(path), self.by_pydicom(path), f"mutant {number}")
        self.assertGreater(plain, MUTANTS / 10)
        path.unlink()

    @needs_data
    def test_real_slices_of_many_scanners(self) -> None:
        folder = DATA / "pet_dicom" / "slices"
        self.assertEqual(self.seen(folder), self.by_pydicom(folder))


if __name__ == "__main__":
    unittest.main()
