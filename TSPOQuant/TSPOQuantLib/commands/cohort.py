"""Many visits: ``cohort``."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages import InputRefused
from ..progress import Progress
from ..terminal import Result
from .options import add_command, add_input, add_json, add_test_retest, key_and_value

if TYPE_CHECKING:
    from ..cohort import Report
    from .options import Commands


def register(commands: "Commands") -> None:
    cohort = add_command(commands, "cohort", run_cohort, "every visit of a PET-BIDS dataset, and the changes, on Dask")
    cohort.add_argument("dataset", type=Path, metavar="BIDS_DIR", help="a PET-BIDS dataset")
    cohort.add_argument("--out", type=Path, metavar="DIR", required=True, help="where to write, or an earlier cohort")
    cohort.add_argument("--scheduler", metavar="ADDRESS", help="a running Dask scheduler (default: own processes)")
    cohort.add_argument("--slurm", type=_jobs, default=0, metavar="JOBS", help="so many jobs of SLURM, one visit each")
    cohort.add_argument(
        "--slurm-job",
        nargs="+",
        default=[],
        type=key_and_value("queue=normal"),
        metavar="KEY=VALUE",
        help="queue, account, walltime, memory",
    )
    cohort.add_argument("--settings", type=Path, metavar="S.toml", help="a study file without files: for every visit")
    cohort.add_argument(
        "--participants", nargs="+", default=[], metavar="LABEL", help="these alone, with spaces or commas between"
    )
    cohort.add_argument(
        "--scan", metavar="ENTITIES", help="which scan of a session that holds several, such as run-2 or trc-DPA713"
    )
    add_input(cohort)
    add_test_retest(cohort)
    cohort.add_argument("--force", action="store_true", help="make every visit again, also those that are up to date")
    add_json(cohort)


def _jobs(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("say how many jobs, 1 or more")
    return int(text)


def run_cohort(options: argparse.Namespace, progress: Progress) -> Result:
    from ..cohort import How, record_of, run
    from ..cohort_workers import Workers
    from ..reporting.cohort_files import TABLE
    from ..study import read_choices

    choices = read_choices(options.settings) if options.settings else {}
    report = run(
        options.dataset,
        options.out,
        How(options.force, options.input, choices, options.scan),
        Workers(options.scheduler, options.slurm, dict(options.slurm_job)),
        [label for text in options.participants for label in text.split(",") if label],
        progress,
    )
    refusal = None
    if report.empty:
        refusal = InputRefused(
            "cohort-none", "no visit could be quantified; the reasons are in {table}", table=report.out / TABLE
        )
    if report.empty or not options.test_retest:
        return Result(report.text, record_of(report), report.notices, refusal)
    return _with_repeats(report, options.test_retest)


def _with_repeats(report: "Report", sessions: Sequence[str]) -> Result:
    """How two sessions repeat each other, beside the tables; what forbids it is said when these are written."""
    from ..cohort import record_of
    from ..groups.cohort import pairs_of, read_cohort
    from ..groups.test_retest import test_retest
    from ..output import files_into
    from ..reporting.group_files import test_retest_text, write_test_retest

    cohort = read_cohort(report.out)
    try:
        repeats = test_retest(cohort, pairs_of(cohort, (sessions[0], sessions[1])))
    except InputRefused as refusal:
        return Result(report.text, record_of(report), report.notices, refusal)
    with files_into(report.out) as folder:
        write_test_retest(folder, cohort, repeats)
    content = {**record_of(report), "test_retest": repeats.rows}
    return Result(f"{test_retest_text(repeats)}\n\n{report.text}", content, (*report.notices, *repeats.notices))
