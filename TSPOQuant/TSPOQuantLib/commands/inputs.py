"""The input function before it is used: ``input candidates``, what it could be made of."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages import InputRefused
from ..progress import Progress
from ..terminal import Result
from .options import add_command, add_force, add_json, add_out, add_set, minutes, settings_of

if TYPE_CHECKING:
    from .options import Commands


def register(commands: "Commands") -> None:
    about = commands.add_parser("input", help="input functions: what one could be made of")
    kinds = about.add_subparsers(metavar="KIND", required=True)
    candidates = add_command(
        kinds, "candidates", run_candidates, "every curve that an input could be made of, by AICc"
    )
    candidates.add_argument(
        "sources", type=Path, nargs="+", metavar="STUDY|B.tsv", help="a study.toml, or the blood files of one scan"
    )
    candidates.add_argument("--blood-json", type=Path, metavar="B.json", help="what describes the blood files")
    candidates.add_argument("--until", type=minutes, metavar="MIN", help="end of the scan; default: of fits, or blood")
    add_set(candidates, "a key of a study file's [input] about blood samples (repeatable)")
    add_out(candidates)
    add_force(candidates)
    add_json(candidates)


def run_candidates(options: argparse.Namespace, progress: Progress) -> Result:
    """Raises InputRefused ("candidates-study") where a study file is given together with anything else."""
    from ..input_function import SampledSettings
    from ..output import whole_folder
    from ..pipeline.input_choices import candidates_of_files, candidates_of_study
    from ..reporting.candidate_files import candidate_rows, candidates_text, write_candidates
    from ..study import read_study

    sources = list(options.sources)
    if any(path.suffix.lower() == ".toml" for path in sources):
        if len(sources) > 1 or options.set or options.blood_json:
            raise InputRefused(
                "candidates-study",
                "a study file says all of its blood; name it alone, and change its keys, such as "
                "[input] parent_fraction_model",
            )
        study = read_study(sources[0])
        found, files = candidates_of_study(study, options.until, progress), study.blood_files
    else:
        chosen = SampledSettings(**settings_of(options.set, SampledSettings))
        found = candidates_of_files(sources, options.blood_json, chosen, options.until)
        files = [*sources, *([options.blood_json] if options.blood_json else [])]
    with whole_folder(options.out, options.force, files) as folder:
        write_candidates(folder, found, files)
    notices = found.input.notices if found.input else found.blood.notices
    return Result(candidates_text(found), {"candidates": candidate_rows(found), "out": options.out}, notices)
