"""Results are written whole or not at all, and never over somebody's work."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import TSPOQuantLib
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.output import LOCK, MARKER, files_into, only_run_in, remove_results, whole_folder


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

    def test_old_results_are_there_until_the_new_ones_stand(self):
        self.write("1")
        refusing = self.refuse_the_second_rename(Path.rename)
        with mock.patch.object(Path, "rename", refusing), self.assertRaises(OSError):
            self.write("2", force=True)
        self.assertEqual((self.out / "a.txt").read_text(), "1")
        self.assertEqual(list(self.root.iterdir()), [self.out])

    def refuse_the_second_rename(self, rename):
        """Of a scratch folder to its place, as a full disk or a lost connection would."""

        def refuse(path, target):
            if path.suffix != LOCK and target == self.out and path.suffix != ".old":
                raise OSError(errno.EIO, "lost")
            return rename(path, target)

        return refuse

    def test_what_cannot_be_deleted_costs_nothing(self):
        self.write("1")
        with mock.patch("shutil.rmtree"):  # as where an old file belongs to somebody else
            self.write("2", force=True)
        self.assertEqual((self.out / "a.txt").read_text(), "2")
        self.write("3", force=True)  # finds what stayed, and removes it now that it can
        self.assertEqual((self.out / "a.txt").read_text(), "3")
        self.assertEqual(list(self.root.iterdir()), [self.out])

    def test_a_mount_point_is_filled_and_replaced(self):
        self.out.mkdir()
        (self.out / "lost+found").mkdir()
        with mock.patch("os.path.ismount", lambda path: Path(path) == self.out):
            self.write("1")
            with self.assertRaises(InputRefused):
                self.write("2")
            with whole_folder(self.out, force=True) as folder:
                self.assertEqual(folder.parent, self.out)
                (folder / "b.txt").write_text("3")
                self.assertEqual((self.out / "a.txt").read_text(), "1")
                (self.out / "notes.txt").write_text("mine")
        self.assertEqual({path.name for path in self.out.iterdir()}, {"lost+found", "b.txt", "notes.txt", MARKER})
        self.assertEqual(list(self.root.iterdir()), [self.out])

    def test_a_circle_of_links_is_refused_before_the_work(self):
        (self.root / "other").symlink_to(self.out)
        self.out.symlink_to(self.root / "other")
        with self.assertRaisesRegex(InputRefused, "output-link"), whole_folder(self.out):
            self.fail("no work for nothing")

    def test_a_full_disk_says_where(self):
        with self.assertRaises(OSError) as caught, whole_folder(self.out):
            raise OSError(errno.ENOSPC, "No space left on device")
        self.assertEqual(caught.exception.filename, str(self.out))

    def test_foreign_folder_is_never_replaced(self):
        self.out.mkdir()
        (self.out / "thesis.doc").touch()
        with self.assertRaises(InputRefused) as caught:
            self.write("1", force=True)
        self.assertEqual(caught.exception.code, "output-foreign")
        self.assertTrue((self.out / "thesis.doc").exists())

    def test_files_of_others_among_results_stay(self):
        self.write("1")
        (self.out / "notes.txt").write_text("read twice, AB")
        (self.out / "figures").mkdir()
        (self.out / "figures" / "for the talk.txt").write_text("mine")
        (self.out / "b.txt").write_text("mine, too")
        (self.out / "elsewhere").symlink_to(self.root)
        (self.out / ".DS_Store").touch()
        with whole_folder(self.out / "compared") as folder:  # of a run of its own
            (folder / "a.txt").write_text("other results")
        for text in ("2", "3"):
            with whole_folder(self.out, True) as folder:
                (folder / "a.txt").write_text(text)
                (folder / "b.txt").write_text("a result of this name")
        read = {p.relative_to(self.out).as_posix(): p.read_text() for p in self.out.rglob("*.*")}
        self.assertEqual(read.pop(MARKER), '{"files": ["a.txt", "b.txt"]}\n')
        self.assertIn("a.txt", read.pop(f"compared/{MARKER}"))
        self.assertEqual(
            read,
            {
                "a.txt": "3",
                "b.txt": "a result of this name",
                "b.txt.kept": "mine, too",
                "notes.txt": "read twice, AB",
                "figures/for the talk.txt": "mine",
                "compared/a.txt": "other results",
            },
        )
        self.assertEqual((self.out / "elsewhere").readlink(), self.root)
        self.assertEqual(list(self.root.iterdir()), [self.out])

    def test_where_there_are_no_hard_links_files_of_others_are_copied(self):
        self.write("1")
        (self.out / "notes.txt").write_text("mine")
        with mock.patch("os.link", side_effect=OSError(errno.EPERM, "no links")):
            self.write("2", force=True)
        self.assertEqual((self.out / "notes.txt").read_text(), "mine")

    def test_what_a_failed_run_would_have_kept_is_untouched(self):
        self.write("1")
        (self.out / "notes.txt").write_text("mine")
        refusing = self.refuse_the_second_rename(Path.rename)
        with mock.patch.object(Path, "rename", refusing), self.assertRaises(OSError):
            self.write("2", force=True)
        self.assertEqual((self.out / "notes.txt").read_text(), "mine")

    def test_results_without_a_list_of_their_files_are_not_replaced(self):
        self.write("1")
        for marker in ("", "5f" * 32, '{"files": 3}'):  # an earlier version's, a cohort's, a damaged one
            (self.out / MARKER).write_text(marker)
            with self.assertRaisesRegex(InputRefused, "output-foreign: .*without a list"):
                self.write("2", force=True)
            self.assertEqual((self.out / "a.txt").read_text(), "1")

    def test_results_are_removed_and_files_of_others_are_not(self):
        for own in ((), ("notes.txt", "figures/talk.txt")):
            with whole_folder(self.out, True) as folder:
                (folder / "figures").mkdir()
                for name in ("a.txt", "figures/b.txt"):
                    (folder / name).write_text("1")
            for name in own:
                (self.out / name).write_text("mine")
            remove_results(self.out)
            left = {p.relative_to(self.out).as_posix() for p in self.out.rglob("*") if p.is_file()}
            self.assertEqual((left, self.out.exists()), (set(own), bool(own)))
        remove_results(self.out)  # there is no list any more
        self.assertEqual((self.out / "notes.txt").read_text(), "mine")
        (self.root / "outside.txt").write_text("mine")
        for marker in ("no list", '{"files": ["../outside.txt", "/etc/hostname"]}'):
            (self.out / MARKER).write_text(marker)
            remove_results(self.out)
        self.assertEqual((self.root / "outside.txt").read_text(), "mine")
        self.assertEqual((self.out / "notes.txt").read_text(), "mine")

    def test_files_go_beside_others_and_replace_none(self):
        self.out.mkdir()
        (self.out / MARKER).write_text("of a folder\n")
        (self.out / "RC.toml").write_text("mine")
        for text, names in (("1", ("RC.toml", "a.tsv")), ("2", ("RC.toml",))):
            with files_into(self.out) as folder:
                for name in names:
                    (folder / name).write_text(text)
        with self.assertRaises(ZeroDivisionError), files_into(self.out) as folder:
            (folder / "RC.toml").write_text("3")
            raise ZeroDivisionError
        read = {path.name: path.read_text() for path in self.out.iterdir()}
        self.assertEqual(read, {MARKER: "of a folder\nRC.toml\n", "RC.toml": "2", "RC.toml.kept": "mine"})

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


KILLED = """
import os, signal, sys
from pathlib import Path
from unittest import mock
from TSPOQuantLib import output
real, kill = Path.rename, lambda: os.kill(os.getpid(), signal.SIGKILL)
def rename(path, target):
    if sys.argv[2] == "between" and path.parent == Path(sys.argv[1]).parent and target == Path(sys.argv[1]):
        kill()
    return real(path, target)
with mock.patch.object(Path, "rename", rename), output.whole_folder(Path(sys.argv[1]), True) as folder:
    (folder / "a.txt").write_text("2")
    if sys.argv[2] == "wait":
        print("there", flush=True)
        sys.stdin.read()
    elif sys.argv[2] == "work":
        kill()
"""


@unittest.skipIf(sys.platform == "win32" or not Path(sys.executable).name.startswith("python"), "needs processes")
class KilledTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(os.path.realpath(folder.name))
        self.out = self.root / "results"

    def start(self, where):
        settings = {**os.environ, "PYTHONPATH": str(Path(TSPOQuantLib.__file__).parents[1])}
        command = [sys.executable, "-c", KILLED, str(self.out), where]
        return subprocess.Popen(command, env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def killed(self, where):
        process = self.start(where)
        process.communicate()
        self.assertEqual(process.returncode, -signal.SIGKILL)
        self.assertGreater(len(list(self.root.iterdir())), 0)

    def write(self, text):
        with whole_folder(self.out, True) as folder:
            (folder / "a.txt").write_text(text)

    def test_leftovers_are_removed_by_the_next_run(self):
        self.write("1")
        self.killed("work")
        self.write("3")
        self.assertEqual(list(self.root.iterdir()), [self.out])

    def test_old_results_come_back_from_between_the_two(self):
        self.write("1")
        self.killed("between")
        self.assertFalse(self.out.exists())
        with self.assertRaisesRegex(InputRefused, "output-exists"), whole_folder(self.out):
            pass
        self.assertEqual((self.out / "a.txt").read_text(), "1")
        self.assertEqual(list(self.root.iterdir()), [self.out])

    def test_a_run_that_goes_on_is_left_alone(self):
        with self.start("wait") as process:
            self.assertEqual(process.stdout.readline(), "there\n")
            self.write("3")
            process.communicate("")
        self.assertEqual(process.returncode, 0)
        self.assertEqual((self.out / "a.txt").read_text(), "2")
        self.assertEqual(list(self.root.iterdir()), [self.out])

    def test_one_run_at_a_time_in_a_shared_folder(self):
        self.out.mkdir()
        with only_run_in(self.out), self.assertRaisesRegex(InputRefused, "output-busy"), only_run_in(self.out):
            pass
        with only_run_in(self.out):
            pass
        self.assertEqual(list(self.out.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
