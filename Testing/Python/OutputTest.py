"""Results are written whole or not at all, and never over somebody's work."""

import tempfile
import unittest
from pathlib import Path

from TSPOQuantLib.messages import InputRefused
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

    def test_inputs_are_neither_replaced_nor_written_into(self):
        self.write("1")
        (self.root / "link").symlink_to(self.out)
        for out, given, code in (
            (self.out, self.out, "output-holds-input"),
            (self.out, self.out / "a.txt", "output-holds-input"),
            (self.root / "link", self.out / "a.txt", "output-holds-input"),
            (self.out / "new", self.out, "output-inside-input"),
        ):
            with (
                self.subTest(out=out.name, given=given.name),
                self.assertRaises(InputRefused) as caught,
                whole_folder(out, True, [self.root / "other", given]),
            ):
                pass
            self.assertEqual(caught.exception.code, code)
        self.assertEqual((self.out / "a.txt").read_text(), "1")

    def test_a_link_leads_to_the_results(self):
        (self.root / "real").mkdir()
        self.out = self.root / "link"
        self.out.symlink_to(self.root / "real")
        self.write("1")
        self.assertTrue(self.out.is_symlink())
        self.assertEqual((self.root / "real" / "a.txt").read_text(), "1")

    def test_failure_leaves_no_folder_above(self):
        with self.assertRaises(ZeroDivisionError), whole_folder(self.root / "a" / "b"):
            raise ZeroDivisionError
        self.assertEqual(list(self.root.iterdir()), [])

    def test_names_that_no_disk_takes(self):
        for name in ("x" * 254, "x" * 300):
            with self.assertRaises(InputRefused) as caught, whole_folder(self.root / name):
                pass
            self.assertEqual(caught.exception.code, "output-unwritable")


if __name__ == "__main__":
    unittest.main()
