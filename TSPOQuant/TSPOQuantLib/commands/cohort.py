"""Many visits: ``cohort``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages import InputRefused
from ..progress import Progress
from ..terminal import Result
from .options import add_command, add_input, add_json

if TYPE_CHECKING:
    from .options import Commands


def register(commands: "Commands") -> None:
    cohort = add_command(commands, "cohort", run_cohort, "every visit of a PET-BIDS dataset, and the changes, on Dask")
    cohort.add_argument("dataset", type=Path, metavar="BIDS_DIR", help="a PET-BIDS dataset")
    cohort.add_argument("--out", type=Path, metavar="DIR", required=True, help="where to write, or an earlier cohort")
    cohort.add_argument("--scheduler", metavar="ADDRESS", help="a running Dask scheduler (default: own processes)")
    cohort.add_argument(
        "--participants", nargs="+", default=[], metavar="LABEL", help="these alone, with spaces or commas between"
    )
    add_input(cohort)
    cohort.add_argument("--force", action="store_true", help="make every visit again, also those that are up to date")
    add_json(cohort)


def run_cohort(options: argparse.Namespace, progress: Progress) -> Result:
    from ..cohort import TABLE, record_of, run

    report = run(
        options.dataset,
        options.out,
        options.scheduler,
        [label for text in options.participants for label in text.split(",") if label],
        options.force,
        progress,
        options.input,
    )
    refusal = None
    if report.empty:
        refusal = InputRefused(
            "cohort-none", "no visit could be quantified; the reasons are in {table}", table=report.out / TABLE
        )
    return Result(report.text, record_of(report), refusal=refusal)
