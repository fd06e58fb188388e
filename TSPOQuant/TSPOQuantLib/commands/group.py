"""Many people: ``group``, from what ``cohort`` wrote."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..progress import Progress
from ..terminal import Result
from ..typography import LANGUAGES
from .options import add_command, add_output, add_test_retest

if TYPE_CHECKING:
    from .options import Commands


def register(commands: "Commands") -> None:
    group = add_command(commands, "group", run_group, "what a cohort tells: repeatability, groups, clinic, models")
    group.add_argument("cohort", type=Path, metavar="COHORT_OUT", help="what cohort wrote")
    group.add_argument(
        "--dataset", type=Path, metavar="BIDS_DIR", help="its participants.tsv, sessions.tsv, phenotype/"
    )
    add_test_retest(group)
    group.add_argument("--by", type=_columns, default=(), metavar="COLUMN,…", help="make groups (group, genotype)")
    group.add_argument(
        "--covariates", type=_columns, default=("genotype",), metavar="COLUMN,…", help="of groups (genotype); or none"
    )
    group.add_argument("--scores", type=_columns, default=(), metavar="COLUMN,…", help="more clinical scores")
    group.add_argument("--keep-flagged", action="store_true", help="keep V_T that the data do not tell (see flags)")
    group.add_argument("--lang", choices=LANGUAGES, default="en", help="language of the report")
    add_output(group)


def _columns(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip() not in ("", "none")))


def run_group(options: argparse.Namespace, progress: Progress) -> Result:
    from ..groups.analysis import analyze
    from ..groups.cohort import pairs_of, read_cohort, test_retest_pairs
    from ..output import whole_folder
    from ..reporting.group_files import group_content, group_text, write_group
    from ..reporting.group_report import write_group_report
    from ..reporting.report import check_available

    check_available()
    progress(0, "Reading the visits")
    cohort = read_cohort(options.cohort, options.dataset, options.keep_flagged)
    sessions = options.test_retest
    pairs = pairs_of(cohort, (sessions[0], sessions[1])) if sessions else test_retest_pairs(cohort)
    progress(0.3, "Comparing people")
    analysis = analyze(cohort, pairs, options.by, options.covariates, options.scores)
    inputs = [path for path in (options.cohort, options.dataset) if path is not None]
    with whole_folder(options.out, options.force, inputs) as folder:
        write_group(folder, analysis)
        progress(0.6, "Writing the report")
        write_group_report(folder, analysis, options.lang)
    return Result(group_text(analysis), {**group_content(analysis), "out": options.out}, analysis.notices)
