"""Many people: ``group``, from what ``cohort`` wrote."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages import InputRefused
from ..progress import Progress
from ..terminal import Result
from .options import add_command, add_force, add_json, add_out, add_test_retest

if TYPE_CHECKING:
    from .options import Commands


def register(commands: "Commands") -> None:
    group = add_command(commands, "group", run_group, "what a cohort tells: repeatability, groups, clinic, models")
    group.add_argument("cohort", type=Path, metavar="COHORT_OUT", help="what cohort wrote")
    group.add_argument(
        "--dataset", type=Path, metavar="BIDS_DIR", help="its participants.tsv, sessions.tsv, phenotype/"
    )
    add_test_retest(group)
    group.add_argument("--keep-flagged", action="store_true", help="keep V_T that the data do not tell (see flags)")
    add_out(group)
    add_force(group)
    add_json(group)


def run_group(options: argparse.Namespace, progress: Progress) -> Result:
    from ..groups.cohort import pairs_of, read_cohort, test_retest_pairs
    from ..groups.test_retest import test_retest
    from ..output import whole_folder
    from ..reporting.group_files import test_retest_text, write_test_retest

    progress(0, "Reading the visits")
    cohort = read_cohort(options.cohort, options.dataset, options.keep_flagged)
    pairs = pairs_of(cohort, tuple(options.test_retest)) if options.test_retest else test_retest_pairs(cohort)
    if not pairs:
        raise InputRefused(
            "group-nothing", "nothing was asked of the group; add --test-retest with the labels of two sessions"
        )
    repeats = test_retest(cohort, pairs)
    inputs = [path for path in (options.cohort, options.dataset) if path is not None]
    with whole_folder(options.out, options.force, inputs) as folder:
        write_test_retest(folder, cohort, repeats)
    return Result(test_retest_text(repeats), {"test_retest": repeats.rows, "out": options.out}, repeats.notices)
