"""Between visits: ``compare``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..progress import Progress, part
from ..terminal import Result
from ..typography import LANGUAGES
from .options import above_zero, add_command, add_output, add_setting

if TYPE_CHECKING:
    from ..outcome.alike import PairedChange
    from .options import Commands


def register(commands: "Commands") -> None:
    compare = add_command(commands, "compare", run_compare, "what has changed between visits, and how sure that is")
    compare.add_argument("baseline", type=Path, metavar="BASELINE_OUT", help="a folder that quantify wrote")
    compare.add_argument("followups", type=Path, metavar="FOLLOWUP_OUT", nargs="+", help="later visits' folders")
    compare.add_argument("--repeatability", type=Path, metavar="RC.toml", help="coefficients, each with its source")
    compare.add_argument("--budget", type=Path, metavar="B.toml", help="other sizes for the errors that are assumed")
    compare.add_argument(
        "--accept", metavar="CODE", action="append", default=[], help="compare although visits differ in this"
    )
    compare.add_argument(
        "--common-window",
        action="store_true",
        help="quantify again in the window that all visits have, from their images",
    )
    compare.add_argument(
        "--common-resolution",
        type=above_zero("a resolution in mm, FWHM, of at most 15", 15.0),
        metavar="MM",
        help="quantify again with all images smoothed to this resolution",
    )
    compare.add_argument(
        "--common-choices",
        action="store_true",
        help="quantify again with one t*, one curve of the parent fraction and one estimated resolution for all",
    )
    _add_report(compare)

    report = add_command(commands, "report", run_compare, "the report of one visit")
    report.add_argument("baseline", type=Path, metavar="VISIT_OUT", help="a folder that quantify wrote")
    report.set_defaults(
        followups=[],
        repeatability=None,
        budget=None,
        accept=[],
        common_window=False,
        common_resolution=None,
        common_choices=False,
    )
    _add_report(report)


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clinical", type=Path, metavar="C.toml", help="scores and treatment by visit")
    add_setting(parser, "--coupled", "coupled", choices=("none", "regions", "visits", "all", "similar"))
    parser.add_argument("--lang", choices=LANGUAGES, default="en", help="language of the report")
    parser.add_argument("--dicom", action="store_true", help="write DICOM SEG, SR and Parametric Map, too")
    parser.add_argument("--deidentify", action="store_true", help="without what could tell who was scanned")
    add_output(parser)


def run_compare(options: argparse.Namespace, progress: Progress) -> Result:
    """Of one visit alone its report: contrasts, SUV and pictures need no other one."""
    from ..exports import write_for_others
    from ..messages import Notice
    from ..outcome.alike import Alike, side_by_side
    from ..outcome.budget import read_budget
    from ..outcome.clinical_file import read_clinical
    from ..outcome.comparability import checked
    from ..outcome.compare import compare
    from ..outcome.coupled import sharing_as
    from ..outcome.record import FILE, read_record
    from ..outcome.repeatability import read_repeatability
    from ..output import whole_folder
    from ..pipeline.alike import quantified_alike
    from ..reporting.alike_files import alike_rows, alike_text, write_alike
    from ..reporting.comparison_files import comparison_content, comparison_text, write_comparison
    from ..reporting.deidentify import hide
    from ..reporting.fused_pictures import comparison_pictures
    from ..reporting.report import check_available, write_report
    from ..source import study_of_results

    check_available()
    named = [options.baseline, *options.followups]
    records = [sharing_as(read_record(path), options.coupled) for path in named]
    folders = [path.parent if path.is_file() and path.name == FILE else path for path in named]
    asked = Alike(options.common_window, options.common_resolution, options.common_choices)
    found = checked(records, [*options.accept, *asked.cured])  # of visits as they are: hidden names could not differ
    plain_records = records
    if asked.asked:
        studies = [study_of_results(folder, record) for folder, record in zip(folders, records, strict=True)]
        redone = quantified_alike(studies, asked.changes(records), part(progress, 0, 0.9))
        records = [sharing_as(result.record, options.coupled) for result in redone]
        found = checked(records, options.accept)
    clinical = read_clinical(options.clinical) if options.clinical else None
    shown, shown_clinical, hidden = hide(records, clinical) if options.deidentify else (records, clinical, None)
    comparison = compare(
        shown,
        shown_clinical,
        read_repeatability(options.repeatability) if options.repeatability else (),
        options.accept,
        read_budget(options.budget) if options.budget else None,
    )
    files = [path for path in (options.clinical, options.repeatability, options.budget) if path]
    both: tuple[PairedChange, ...] = ()
    if asked.asked:
        names = hide(plain_records, clinical)[0] if options.deidentify else plain_records
        plain = compare(names, shown_clinical, (), [*options.accept, *asked.cured], comparison.budget)
        both = side_by_side(plain, comparison)
    with whole_folder(options.out, options.force, [*folders, *files]) as folder:
        write_comparison(folder, comparison)
        write_report(folder, comparison, comparison_pictures(comparison, folders, hidden), options.lang)
        sources = list(zip(folders, records, strict=True)) if options.dicom else []
        write_for_others(folder, comparison, sources, hidden, progress)
        if both:
            write_alike(folder, both, asked.changes(plain_records), () if options.deidentify else records)
    text, content = comparison_text(comparison), {**comparison_content(comparison), "out": options.out}
    if both:
        text, content = f"{text}\n\n{alike_text(both)}", {**content, "alike": alike_rows(both)}
    told = {finding.code for finding in comparison.findings}
    unseen = [finding for finding in found if finding.code not in told] if len(records) > 1 else []
    return Result(text, content, [Notice(finding.code, finding.message) for finding in unseen])
