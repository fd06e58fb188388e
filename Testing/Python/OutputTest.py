"""Results are written whole or not at all, and never over somebody's work."""

import tempfile
import unittest
from pathlib import Path

from TSPOQuantLib.errors import InputRefused
from TSPOQuantLib.output import whole_folder


class WholeFolderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.out = self.root / "results"

    def write(self, text, force=False):
        with whole_folder(self.out, force) as folder:
            (folder / "a.txt").write_text(text)

    def test_appears_whole(self):
        with whole_folder(self.out) as folder:
            (folder / "a.txt").write_text("1")
            self.assertFalse(self.out.exists())
        self.assertEqual((self.out / "a.txt").read_text(), "1")
        self.assertEqual(list(self.root.iterdir()), [self.out])

    def test_failure_leaves_nothing(self):
        with self.assertRaises(ZeroDivisionError), whole_folder(self.out) as folder:
            (folder / "a.txt").write_text("1")
            raise ZeroDivisionError
        self.assertEqual(list(self.root.iterdir()), [])

    def test_existing_results_stay_unless_forced(self):
        self.write("1")
        with self.assertRaises(InputRefused) as caught:
            self.write("2")
        self.assertEqual(caught.exception.code, "output-exists")
        self.assertEqual((self.out / "a.txt").read_text(), "1")
        self.write("2", force=True)
        self.assertEqual((self.out / "a.txt").read_text(), "2")

    def test_failed_replacement_keeps_the_old(self):
        self.write("1")
        with self.assertRaises(ZeroDivisionError), whole_folder(self.out, force=True):
            raise ZeroDivisionError
        self.assertEqual((self.out / "a.txt").read_text(), "1")

    def test_foreign_folder_is_never_replaced(self):
        self.out.mkdir()
        (self.out / "thesis.doc").touch()
        with self.assertRaises(InputRefused) as caught:
            self.write("1", force=True)
        self.assertEqual(caught.exception.code, "output-foreign")
        self.assertTrue((self.out / "thesis.doc").exists())


if __name__ == "__main__":
    unittest.main()
