"""Many visits on Dask: each whole or not at all, failures as rows, earlier results kept, changes and group tables."""

import csv
import errno
import gzip
import importlib.util
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import warnings
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
from support import tiers, tinystudy
from support import visitrecords as made
from support.folders import Folder
from support.realdata import DATA, needs_data
from support.tiers import slow
from support.without import without_budget
from TSPOQuantLib import cohort, cohort_workers
from TSPOQuantLib.cohort_workers import Workers
from TSPOQuantLib.groups.cohort import read_cohort
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.sessions import in_order, labels_tell, session_order
from TSPOQuantLib.progress import silent
from TSPOQuantLib.reporting import cohort_files
from TSPOQuantLib.study import read_choices

NEEDS_DASK = unittest.skipUnless(importlib.util.find_spec("distributed"), "Dask (distributed) is not installed")


def table(path):
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def dataset(folder):
    """Two whole visits, one that changed not, and three that cannot be quantified."""
    root = folder / "dataset"
    tinystudy.write_bids_visit(root, "01", "followup")
    tinystudy.write_bids_visit(root, "01", "baseline")
    tinystudy.write_bids_visit(root, "02", "baseline")
    broken = next(tinystudy.write_bids_visit(root, "03", "baseline").glob("*_pet.nii.gz"))
    broken.write_bytes(gzip.compress(b"no image"))
    next(tinystudy.write_bids_visit(root, "04", "baseline").glob("*_bloodproc.tsv")).unlink()
    (root / "sub-05" / "anat").mkdir(parents=True)
    return root


@slow
@NEEDS_DASK
class CohortTest(unittest.TestCase):
    """One run on a scheduler of this process, looked at from all sides."""

    @classmethod
    def setUpClass(cls):
        from distributed import LocalCluster

        cls.enterClassContext(without_budget())
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        cls.dataset, cls.out = dataset(cls.folder), cls.folder / "out"
        cluster = LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None)
        cls.addClassCleanup(cluster.close)
        cls.scheduler = cluster.scheduler_address
        cls.workers = Workers(cls.scheduler)
        cls.code, cls.told = tinystudy.quiet(
            "cohort", cls.dataset, "--out", cls.out, "--scheduler", cls.scheduler, "--json"
        )

    def test_every_visit_is_a_row_in_order(self):
        self.assertEqual(self.code, 0, self.told)
        rows = table(self.out / "cohort.tsv")
        self.assertEqual(
            [(row["participant"], row["session"], row["status"]) for row in rows],
            [
                ("sub-01", "ses-baseline", "done"),
                ("sub-01", "ses-followup", "done"),
                ("sub-02", "ses-baseline", "done"),
                ("sub-03", "ses-baseline", "refused"),
                ("sub-04", "ses-baseline", "refused"),
                ("sub-05", "ses-baseline", "refused"),
            ],
        )
        codes = [row["code"] for row in rows]
        self.assertEqual(codes[:3], ["n/a"] * 3)
        self.assertEqual(codes[4:], ["blood-missing", "bids-sidecar"])
        self.assertEqual([v["code"] for v in json.loads(self.told)["visits"]], [c.replace("n/a", "") for c in codes])

    def test_one_image_of_two_persons_is_told(self):
        """The simulated images of the first and second person are one; those of one person's visits are not."""
        (told,) = json.loads(self.told)["same_images"]
        self.assertIn("sub-01 baseline, sub-02 baseline: one and the same PET file", told)

    def test_what_visits_are_warned_of_stands_in_their_rows(self):
        """Regions larger than any foramen, as in each visit's own results; a disk's fault is none of the program."""
        for row in table(self.out / "cohort.tsv"):
            if row["status"] == "done":
                folder = self.out / row["participant"] / row["session"]
                told = {one["code"] for one in json.loads((folder / "results.json").read_text())["notices"]}
                self.assertIn("suv-not-known", told)
                self.assertEqual(set(row["warnings"].split(";")), told)
        with mock.patch.object(cohort, "quantify_study", side_effect=OSError(errno.ENOSPC, "No space left on device")):
            row = cohort.quantify_one(self.dataset, self.folder / "full", cohort.Visit("01", "baseline"), cohort.How())
        self.assertEqual((row.status, row.code), ("failed", "system"))
        self.assertIn("No space left", row.message)

    def test_numbers_in_labels_order_the_visits(self):
        labels = ["m12", "m6", "BL", "2021-11-03", "m0"]
        self.assertEqual(sorted(labels, key=session_order), ["BL", "2021-11-03", "m0", "m6", "m12"])
        for order in (
            ("preop", "followup"),
            ("start", "end"),
            ("before", "after"),
            ("week12", "month6", "1year"),
            ("day0", "D14", "6w", "month3", "24months"),
            ("visit2", "visit10"),
            ("T0", "T1"),
            ("baseline", "followup", "month6"),
            ("inclusion", "month3"),
            ("visit1", "week12"),
            ("pretreatment", "6w", "month6"),
            ("day0", "followup", "12months"),
            ("day1", "post"),
            ("pretreatment", "posttreatment"),
            ("PreNTM", "PostNTM"),
            ("inclusion", "followup"),
            ("surgery", "discharge"),
            ("V1", "EOS"),
            ("screening", "EndOfTreatment"),
        ):
            self.assertEqual(tuple(sorted(order, key=session_order)), order)
            self.assertEqual(tuple(in_order(order)), order)
        self.assertEqual(in_order(["followup", "day7"]), ["day7", "followup"])
        self.assertEqual(in_order(["endpoint", "week24"]), ["week24", "endpoint"])
        self.assertEqual(in_order(["followup"]), ["followup"])

    def test_labels_that_say_which_visit_came_first_and_those_that_do_not(self):
        for first, other, told in (
            ("baseline", "followup", True),
            ("pretreatment", "posttreatment", True),
            ("inclusion", "month3", True),
            ("day7", "month3", True),
            ("01", "02", True),
            ("a", "b", True),
            ("visit1", "visit2", True),
            ("test", "retest", True),
            ("day7", "followup", False),
            ("week24", "endpoint", False),
            ("V1", "eot", True),
            ("active", "sham", False),
            ("baseline", "screening", False),
        ):
            with self.subTest(first=first, other=other):
                self.assertEqual(labels_tell(first, other), told)

    def test_a_person_whose_folder_is_a_link_that_leads_nowhere_is_a_row(self):
        root = self.folder / "linked"
        tinystudy.write_bids_visit(root, "01", "baseline")
        (root / "sub-02").symlink_to(self.folder / "not mounted")
        self.assertEqual([visit.participant for visit in cohort.find_visits(root)], ["01", "02"])
        row = cohort._refused(root, cohort.find_visits(root)[1], cohort.How())
        self.assertEqual(row.code, "bids-participant")

    def test_no_message_tells_where_the_files_lie(self):
        """A table is handed on; the folder's place has a user's name in it."""
        root, out = self.folder / "J. Doe", self.folder / "out of J. Doe"
        folder = tinystudy.write_bids_visit(root, "01", "baseline")
        image = next(folder.glob("*_pet.nii.gz"))
        image.unlink()
        image.symlink_to("not fetched")
        report = cohort.run(root, out, workers=self.workers)
        self.assertIn("sub-01/ses-baseline/pet/sub-01_ses-baseline_pet.nii.gz", report.visits[0].message)
        self.assertNotIn("Doe", (out / "cohort.tsv").read_text(encoding="utf-8"))

    def test_no_label_is_a_number_to_a_spreadsheet(self):
        for name in ("cohort", "comparisons", "regions", "uptake", "changes", "besides"):
            for row in table(self.out / f"{name}.tsv"):
                self.assertTrue(row["participant"].startswith("sub-0"), name)
                sessions = [cell for key, cell in row.items() if key.endswith("session") or key == "visit"]
                self.assertTrue(all(word.startswith("ses-") for cell in sessions for word in cell.split()), name)
        lost = {(one.participant, one.session) for one in read_cohort(self.out).lost}
        self.assertEqual(lost, {("03", "baseline"), ("04", "baseline"), ("05", "baseline")})

    def test_done_visits_are_whole_and_others_leave_nothing(self):
        self.assertTrue((self.out / "sub-01" / "ses-baseline" / "visit.json").is_file())
        left = sorted(path.name for path in self.out.glob("sub-03/*"))
        self.assertEqual(left, [])
        self.assertEqual(list(self.out.rglob(".ses-*")), [])

    def test_values_and_changes_are_right(self):
        regions = table(self.out / "regions.tsv")
        found = {
            (row["participant"], row["session"], row["region"]): float(row["VT"])
            for row in regions
            if row["model"] == "1TCM"
        }
        self.assertEqual(len(found), 9)
        self.assertAlmostEqual(found["sub-01", "ses-baseline", tinystudy.LEFT], 4.0, delta=0.02)
        self.assertAlmostEqual(found["sub-01", "ses-followup", tinystudy.LEFT], 3.0, delta=0.02)
        changes = [
            r for r in table(self.out / "changes.tsv") if r["model"] == "1TCM" and r["region"] == tinystudy.LEFT
        ]
        self.assertEqual([(r["participant"], r["followup_session"]) for r in changes], [("sub-01", "ses-followup")])
        self.assertAlmostEqual(float(changes[0]["percent"]), -25.0, delta=0.5)
        group = {
            (row["session"], row["region"]): row
            for row in table(self.out / "group_regions.tsv")
            if row["model"] == "1TCM"
        }
        both = group["ses-baseline", tinystudy.RIGHT]
        self.assertEqual(both["n"], "2")
        values = [found[who, "ses-baseline", tinystudy.RIGHT] for who in ("sub-01", "sub-02")]
        self.assertAlmostEqual(float(both["mean"]), sum(values) / 2, places=6)
        self.assertAlmostEqual(float(both["sd"]), abs(values[0] - values[1]) / 2**0.5, places=6)
        self.assertEqual([row["status"] for row in table(self.out / "comparisons.tsv")], ["done"])
        self.assertTrue((self.out / "sub-01" / "comparison" / "comparison.json").is_file())
        self.assertTrue((self.out / "bids" / "sub-02" / "ses-baseline" / "pet").is_dir())

    def test_two_sessions_may_be_test_and_retest(self):
        out = self.folder / "retest"
        shutil.copytree(self.out, out)
        how = ("cohort", self.dataset, "--out", out, "--scheduler", self.scheduler, "--test-retest")
        code, told = tinystudy.quiet(*how, "baseline", "followup")
        self.assertEqual((code, "error: group-pairs: 01 alone" in told), (3, True), told)  # one person alone has both
        shutil.copytree(self.out / "sub-01", out / "sub-02", dirs_exist_ok=True)
        code, told = tinystudy.quiet("group", out, "--test-retest", "baseline", "followup", "--out", out / "group")
        self.assertEqual(code, 3, told)  # results do not go into what they are made from
        code, told = tinystudy.quiet(
            "group", out, "--test-retest", "baseline", "followup", "--out", self.folder / "group"
        )
        self.assertEqual(code, 0, told)
        row = table(self.folder / "group" / "test-retest.tsv")[0]
        self.assertEqual((row["outcome"], row["model"], row["people"], row["regions"]), ("VT", "1TCM", "2", "2"))
        self.assertAlmostEqual(float(row["mean"]), 2.75, delta=0.05)  # of 4 and 2, then 3 and 2

    def test_second_run_keeps_what_is_up_to_date(self):
        out = self.folder / "second"
        shutil.copytree(self.out, out)
        written = out / "sub-01" / "ses-baseline" / "visit.json"
        before = written.stat().st_mtime_ns
        sidecar = next((self.dataset / "sub-02" / "ses-baseline" / "pet").glob("*_pet.json"))
        text = sidecar.read_text(encoding="utf-8")
        sidecar.write_text(text.replace("OSEM", "FBP"), encoding="utf-8")
        self.addCleanup(sidecar.write_text, text, encoding="utf-8")
        own = [out / "bids" / "notes.txt", out / "sub-01" / ".ses-baseline-notes" / "mine.txt"]
        for path in own:
            path.parent.mkdir(exist_ok=True)
            path.write_text("mine", encoding="utf-8")
        report = cohort.run(self.dataset, out, workers=self.workers)
        self.assertEqual([path.read_text(encoding="utf-8") for path in own], ["mine", "mine"])
        self.assertEqual([row.status for row in report.visits], ["kept", "kept", "done", *["refused"] * 3])
        self.assertEqual(written.stat().st_mtime_ns, before)
        self.assertEqual(len(table(out / "regions.tsv")), 18)
        forced = cohort.run(self.dataset, out, cohort.How(force=True), self.workers, ["sub-02"])
        self.assertEqual([row.status for row in forced.visits], ["done"])

    def test_a_setting_that_changes_makes_again_what_depends_on_it_and_says_so(self):
        out, choices = self.folder / "settings", self.folder / "s.toml"
        shutil.copytree(self.out, out)
        choices.write_text('[model]\nnames = ["1TCM"]\nvb = "none"\n', encoding="utf-8")
        how = (
            "cohort",
            self.dataset,
            "--out",
            out,
            "--scheduler",
            self.scheduler,
            "--participants",
            "02",
            "--settings",
        )
        code, told = tinystudy.quiet(*how, choices)
        self.assertEqual((code, "1 made again: settings changed: vb, models" in told), (0, True), told)
        self.assertEqual({row["model"] for row in table(out / "regions.tsv")}, {"1TCM"})
        self.assertEqual(table(out / "cohort.tsv")[0]["reason"], "settings changed: vb, models")
        self.assertIn("1 kept", tinystudy.quiet(*how, choices)[1])

    def test_one_of_several_scans_of_a_session(self):
        """Two runs of one session, whose V_T differ: refused until one is named, made again where another is."""
        root, out = self.folder / "runs", self.folder / "runs-out"
        for run, truth in (("run-1", "baseline"), ("run-2", "followup")):
            folder = tinystudy.write_bids_visit(self.folder / run, "01", "baseline", truth)
            for path in folder.iterdir():
                named = path.name.replace("ses-baseline_", f"ses-baseline_{run}_")
                (kept := root / "sub-01" / "ses-baseline" / "pet" / named).parent.mkdir(parents=True, exist_ok=True)
                path.rename(kept)
        shutil.copytree(self.folder / "run-1" / "derivatives", root / "derivatives")
        choices = {"models": ("1TCM",), "motion_correction": "none"}
        (row,) = cohort.run(root, out, cohort.How(choices=choices), self.workers).visits
        self.assertEqual(row.code, "bids-several")
        for run, truth in (("run-1", "baseline"), ("run-2", "followup")):
            (row,) = cohort.run(root, out, cohort.How(choices=choices, scan=run), self.workers).visits
            self.assertEqual(row.status, "done", row)
            (left,) = [one for one in table(out / "regions.tsv") if "left" in one["region"] and one["pvc"] == "none"]
            self.assertAlmostEqual(float(left["VT"]), tinystudy.TRUE_VT[truth]["left"], delta=0.01)
        (row,) = cohort.run(root, out, cohort.How(choices=choices, scan="run-2"), self.workers).visits
        self.assertEqual(row.status, "kept")

    @unittest.skipUnless(hasattr(os, "fork"), "processes cannot be forked here")
    def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(self):
        """Seeded moments while a visit is made: whatever lies there then, the next run ends as if nothing had been."""
        root, out = self.dataset, self.folder / "killed"
        visits, moments = cohort.find_visits(root, ["01"]), np.random.default_rng(20).uniform(0, 1, 6)
        shutil.copytree(self.out, out, ignore=lambda *_: ["sub-01"])
        ended = 0
        for number, moment in enumerate(moments):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # threads: a child that waits is killed as well
                child = os.fork()
            if not child:
                cohort.quantify_one(root, out, visits[number % 2], cohort.How(force=True))
                os._exit(0)
            time.sleep(moment)
            os.kill(child, signal.SIGKILL)  # one that has ended waits to be asked
            ended += os.waitpid(child, 0)[1] == 0
        self.assertLess(ended, len(moments))  # some were killed
        reference = self.folder / "whole"
        shutil.copytree(self.out, reference)
        for folder in (out, out, reference):
            cohort.run(root, folder, workers=self.workers)
        files = [{p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in (out, reference)]
        self.assertEqual([str(p) for p in files[1] if files[0].get(p) != files[1][p]], [])
        self.assertEqual(set(files[0]) - set(files[1]), set())

    def test_what_is_inherited_makes_a_visit_out_of_date(self):
        out = self.folder / "inherited"
        shutil.copytree(self.out, out)
        self.assertEqual(
            cohort.run(self.dataset, out, workers=self.workers, participants=["01"]).visits[0].status, "kept"
        )
        for name, text in (
            ("pet.json", '{"ReconFilterSize": 2}'),
            ("participants.tsv", "participant_id\tgenotype\nsub-01\tMAB\n"),
        ):
            path = self.dataset / name
            path.write_text(text, encoding="utf-8")
            self.addCleanup(path.unlink)
            report = cohort.run(self.dataset, out, workers=self.workers, participants=["01"])
            self.assertEqual([row.status for row in report.visits], ["done", "done"], name)
            self.assertEqual(
                [
                    row.status
                    for row in cohort.run(self.dataset, out, workers=self.workers, participants=["01"]).visits
                ],
                ["kept"] * 2,
            )

    def test_what_cannot_begin_is_refused(self):
        def code(*arguments, **chosen):
            with self.assertRaises(InputRefused) as caught:
                cohort.run(*arguments, **chosen)
            return caught.exception.code

        foreign = self.folder / "foreign"
        foreign.mkdir()
        (foreign / "thesis.doc").touch()
        new = self.folder / "new"
        self.assertEqual(code(self.dataset, foreign), "output-exists")
        self.assertEqual(code(self.dataset, self.folder), "output-holds-input")
        self.assertEqual(code(self.dataset, new, participants=["99"]), "bids-participant")
        self.assertEqual(code(foreign, new), "cohort-dataset")
        self.assertEqual(code(self.dataset, new, workers=Workers("nowhere:://")), "cohort-scheduler")
        told = tinystudy.quiet("cohort", self.dataset, "--out", new, "--participants", "05")
        self.assertEqual(told[0], 3)
        self.assertIn("error: cohort-none", told[1])


class ScaleTest(unittest.TestCase):
    def test_workers_share_the_memory_and_never_have_less_than_a_visit_needs(self):
        gigabyte = 10**9
        self.assertEqual(cohort_workers.workers_for(8, gigabyte, 64 * gigabyte), (8, 8 * gigabyte))
        self.assertEqual(cohort_workers.workers_for(32, gigabyte, 64 * gigabyte)[0], 64 // cohort_workers.COPIES)
        self.assertEqual(cohort_workers.workers_for(4, 100 * gigabyte, 16 * gigabyte), (1, 16 * gigabyte))
        self.assertEqual(cohort_workers.workers_for(4, 0, gigabyte)[0], 3)  # each needs room for itself

    def test_the_size_of_an_image_is_known_before_it_is_read(self):
        with tempfile.TemporaryDirectory() as name:
            folder = tinystudy.write_bids_visit(Path(name), "01", "baseline")
            frames = len(tinystudy.EDGES_S) - 1
            voxels = math.prod(tinystudy.PET_SHAPE)
            self.assertEqual(cohort_workers.image_bytes(next(folder.glob("*_pet.nii.gz"))), 8 * voxels * frames)
            self.assertEqual(cohort_workers.image_bytes(folder / "nothing.nii.gz"), 0)

    @NEEDS_DASK
    def test_a_worker_that_dies_while_it_starts_is_a_refusal(self):
        import dask
        import distributed  # noqa: F401 (its defaults come before ours)

        with (
            dask.config.set({"distributed.worker.preload": ["import os; os._exit(9)"]}),
            self.assertRaises(InputRefused) as caught,
            cohort_workers.client_of(Workers(), 1, 0, silent),
        ):
            self.fail("it has started")
        self.assertEqual(caught.exception.code, "cohort-workers")

    def test_places_are_not_told_and_names_are(self):
        with tempfile.TemporaryDirectory() as name:
            real, link = Path(name) / "J. Doe" / "data", Path(name) / "link"
            real.mkdir(parents=True)
            link.symlink_to(real)
            for said, told in (
                (f"{real.resolve()}/sub-01/x.nii: no image", "sub-01/x.nii: no image"),
                (f"{link}/sub-01/x.nii: no image", "sub-01/x.nii: no image"),
                (f"{link} holds nothing", "link holds nothing"),
                (f"{Path.home()}/.cache/y: Permission denied", "~/.cache/y: Permission denied"),
                ("foramen C6/C7 left: no voxel", "foramen C6/C7 left: no voxel"),
            ):
                self.assertEqual(cohort.without_places(said, link), told)

    def test_slurm_is_refused_where_it_is_not(self):
        with (
            mock.patch.object(cohort_workers.shutil, "which", return_value=None),
            self.assertRaises(InputRefused) as caught,
        ):
            cohort_workers.slurm_cluster(2, {})
        self.assertEqual(caught.exception.code, "cohort-slurm")

    @unittest.skipUnless(importlib.util.find_spec("dask_jobqueue"), "dask-jobqueue is not installed")
    def test_slurm_is_asked_for_what_the_user_says(self):
        """A stand-in for sbatch keeps the script that it is given: what a cluster would run."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            sbatch = folder / "sbatch"
            sbatch.write_text(
                f'#!/bin/sh\n[ "$1" = --test-only ] && exit 0\ncat "$1" > {folder}/job.$$\n'
                'echo "Submitted batch job 1"\n',
                encoding="utf-8",
            )
            sbatch.chmod(0o755)
            (folder / "scancel").symlink_to("/bin/true")
            with mock.patch.dict(os.environ, PATH=f"{folder}{os.pathsep}{os.environ['PATH']}"):
                asked = {"queue": "night", "account": "pet", "walltime": "02:00:00", "memory": "6GB"}
                with cohort_workers.slurm_cluster(1, asked) as cluster:
                    until = time.monotonic() + 60
                    while not list(folder.glob("job.*")) and time.monotonic() < until:
                        time.sleep(0.1)
                    script = cluster.job_script()
            self.assertTrue(list(folder.glob("job.*")))
        for said in (
            "#SBATCH -p night",
            "#SBATCH -A pet",
            "#SBATCH -t 02:00:00",
            "#SBATCH --mem=6G",
            "export PYTHONPATH=",
        ):
            self.assertIn(said, script)
        self.assertIn(sys.executable, script)

    @unittest.skipUnless(importlib.util.find_spec("dask_jobqueue"), "dask-jobqueue is not installed")
    def test_a_job_that_slurm_refuses_is_not_waited_for(self):
        with tempfile.TemporaryDirectory() as name:
            sbatch = Path(name) / "sbatch"
            sbatch.write_text('#!/bin/sh\necho "sbatch: error: invalid partition" >&2\nexit 1\n', encoding="utf-8")
            sbatch.chmod(0o755)
            with (
                mock.patch.dict(os.environ, PATH=f"{name}{os.pathsep}{os.environ['PATH']}"),
                self.assertRaisesRegex(InputRefused, "invalid partition") as caught,
            ):
                cohort_workers.slurm_cluster(1, {"queue": "nigth"})
        self.assertEqual(caught.exception.code, "cohort-slurm")

    def test_choices_are_settings_alone(self):
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / "s.toml"
            path.write_text('[model]\nnames = ["1TCM", "2TCM"]\nvb = "none"\n[segmentation]\npvc = "none"\n')
            self.assertEqual(read_choices(path), {"models": ("1TCM", "2TCM"), "vb": "none", "pvc": "none"})
            for text, code in (
                ('[pet]\npath = "x"\n', "study-key"),
                ('[subject]\nid = "x"\n', "study-key"),
                ('[model]\nvb = "much"\n', "study-value"),
            ):
                path.write_text(text)
                with self.assertRaises(InputRefused) as caught:
                    read_choices(path)
                self.assertEqual(caught.exception.code, code)


class FolderTest(unittest.TestCase):
    def test_another_dataset_needs_another_folder(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for dataset in ("one", "other"):
                (folder / dataset / "sub-01").mkdir(parents=True)
            cohort._prepared(folder / "out", folder / "one", False)
            cohort._prepared(folder / "out", folder / "one", False)
            with self.assertRaisesRegex(InputRefused, "output-other"):
                cohort._prepared(folder / "out", folder / "other", False)
            cohort._prepared(folder / "out", folder / "other", True)

    def test_a_run_that_was_killed_between_its_first_two_files_goes_on(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "dataset" / "sub-01").mkdir(parents=True)
            cohort._prepared(folder / "out", folder / "dataset", False)
            (folder / "out" / cohort_files.TABLE).unlink()
            cohort._prepared(folder / "out", folder / "dataset", False)
            self.assertTrue((folder / "out" / cohort_files.TABLE).exists())

    def test_a_first_visit_that_is_a_guess_is_told(self):
        for labels, at, codes in (
            (("day7", "followup"), None, ["session-order"]),
            (("day7", "followup"), ("2026-01-05T10:00:00", "2026-02-16T10:00:00"), []),
            (("day7", "followup"), ("2000-01-01T10:00:00", "2000-01-01T11:00:00"), ["session-order"]),
            (("baseline", "followup"), None, []),
        ):
            with self.subTest(labels=labels, at=at):
                visits = [cohort.Visit("01", label) for label in labels]
                records = [made.visit(acquisition={"time_zero_at": start}) for start in at or (None, None)]
                self.assertEqual([notice.code for notice in cohort._guessed_orders(visits, records)], codes)

    def test_a_comparison_that_breaks_is_a_row(self):
        visits = [cohort.Visit(who, session) for who in ("01", "02") for session in ("baseline", "followup")]
        half = {name: vt / 2 for name, vt in made.VT.items()}
        pair = [made.visit(), made.visit("followup", vt=half)]
        told = [ZeroDivisionError("of the first person"), cohort.compare(pair)]
        with tempfile.TemporaryDirectory() as name, mock.patch.object(cohort, "compare", side_effect=told):
            rows, comparisons = cohort._compared(Path(name), visits, pair * 2)
        self.assertEqual([row.status for row in rows], ["failed", "done"])
        self.assertEqual(rows[0].message, "ZeroDivisionError: of the first person")
        self.assertEqual([who for who, _ in comparisons], ["02"])

    def test_what_no_list_names_as_ours_is_refused_before_the_work(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "dataset" / "sub-01").mkdir(parents=True)
            cohort._prepared(folder / "out", folder / "dataset", False)
            (folder / "out" / "bids").mkdir()
            (folder / "out" / "bids" / "notes.txt").write_text("mine", encoding="utf-8")
            with self.assertRaisesRegex(InputRefused, "output-foreign: .*bids"):
                cohort._prepared(folder / "out", folder / "dataset", True)

    def test_labels_are_those_that_a_study_may_have(self):
        for label in ("=cmd", "<b>x", "a b", "..x"):
            for visit in (cohort.Visit(label, "1"), cohort.Visit("1", label)):
                self.assertEqual(cohort._refused(Path("nowhere"), visit, None).code, "bids-label")


@NEEDS_DASK
class RealDatasetTest(unittest.TestCase):
    @needs_data
    def test_sessions_without_images_are_rows(self):
        with tempfile.TemporaryDirectory() as folder:
            report = cohort.run(DATA / "pet_bids_ds004869", Path(folder) / "out")
        self.assertEqual({row.code for row in report.visits}, {"bids-image"})
        self.assertEqual(len(report.visits), 8)
        self.assertTrue(report.empty)


@NEEDS_DASK
@tiers.slow
class ProcessesTest(Folder):
    """Processes of our own, as the command line starts them."""

    def start(self, dataset):
        library = str(Path(cohort.__file__).resolve().parents[1])
        return subprocess.Popen(
            [sys.executable, "-m", "TSPOQuantLib.cli", "cohort", str(dataset), "--out", str(self.folder / "out")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            env={**os.environ, "PYTHONPATH": library},
        )

    def test_stops_cleanly_on_ctrl_c_and_goes_on_later(self):
        root, out = self.folder / "dataset", self.folder / "out"
        for participant in range(1, 6):
            tinystudy.write_bids_visit(root, f"{participant:02d}", "baseline")
        process = self.start(root)
        self.addCleanup(process.kill)
        until = time.monotonic() + 300
        while not any(out.glob("sub-*/ses-*/visit.json")) and process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        printed, told = process.communicate(timeout=60)
        self.assertEqual((process.returncode, printed, told), (130, "", "stopped\n"))
        # A process that is ended while it tidies up may leave its empty lock, which the next run removes.
        self.assertEqual([path for path in out.rglob(".ses-*") if path.is_dir()], [])
        done = len(list(out.glob("sub-*/ses-*/visit.json")))
        self.assertTrue(1 <= done < 5, done)
        from distributed import LocalCluster

        with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
            report = cohort.run(root, out, workers=Workers(cluster.scheduler_address))
        self.assertEqual(sorted(row.status for row in report.visits), ["done"] * (5 - done) + ["kept"] * done)


if __name__ == "__main__":
    unittest.main()
