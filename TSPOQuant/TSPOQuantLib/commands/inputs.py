"""Input functions: ``input candidates``, what one could be made of, and ``input template``, one of your own cohort."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages import InputRefused
from ..progress import Progress
from ..terminal import Result
from .options import add_command, add_output, add_set, finite, minutes, settings_of

EARLIEST_SAMPLE_MIN = 10
"""As input_function.population has it, which is not loaded for the help."""

if TYPE_CHECKING:
    from .options import Commands


def register(commands: "Commands") -> None:
    about = commands.add_parser(
        "input", help="input functions: what one could be made of, and a template of your own cohort"
    )
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
    add_output(candidates)

    template = add_command(
        kinds, "template", run_template, "an input for scans without blood, from your own cohort, and what it costs"
    )
    template.add_argument("dataset", type=Path, metavar="DATASET", help="PET-BIDS, with blood or ready curves")
    template.add_argument("--participants", nargs="+", default=[], metavar="LABEL", help="these alone")
    template.add_argument("--sessions", nargs="+", default=[], metavar="LABEL", help="these alone")
    template.add_argument(
        "--samples",
        type=_minutes,
        default=(30.0, 60.0),
        metavar="MIN,MIN",
        help="when late samples would be drawn, in the trial of leaving people out (default: 30,60)",
    )
    template.add_argument(
        "--models", type=_models, default=("1TCM", "Logan"), metavar="M,M", help="of that trial (default: 1TCM,Logan)"
    )
    add_set(template, "a key of a study file's [input] about blood samples (repeatable)")
    add_output(template)


def _minutes(text: str) -> tuple[float, ...]:
    values = [finite(part) for part in text.split(",")]
    if not all(value is not None and value >= EARLIEST_SAMPLE_MIN for value in values):
        raise argparse.ArgumentTypeError(f"say minutes of at least {EARLIEST_SAMPLE_MIN}, with commas between them")
    return tuple(sorted({value for value in values if value is not None}))


def _models(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


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
        candidates, files = candidates_of_study(study, options.until, progress), study.blood_files
    else:
        chosen = SampledSettings(**settings_of(options.set, SampledSettings))
        candidates = candidates_of_files(sources, options.blood_json, chosen, options.until)
        files = [*sources, *([options.blood_json] if options.blood_json else [])]
    with whole_folder(options.out, options.force, files) as folder:
        write_candidates(folder, candidates, files)
    notices = candidates.input.notices if candidates.input else candidates.blood.notices
    return Result(candidates_text(candidates), {"candidates": candidate_rows(candidates), "out": options.out}, notices)


def run_template(options: argparse.Namespace, progress: Progress) -> Result:
    """Raises InputRefused ("template-scans" where no visit is left, "model-unknown", "template-…")."""
    from ..cohort import find_visits
    from ..input_function import SampledSettings
    from ..kinetics.models import model_named
    from ..output import whole_folder
    from ..pipeline.population import template_of_dataset
    from ..reporting.template_files import left_out_rows, template_text, write_template

    for model in options.models:
        model_named(model)
    wanted = [label.removeprefix("ses-") for label in options.sessions]
    visits = [
        (visit.participant, visit.session)
        for visit in find_visits(options.dataset, options.participants)
        if not wanted or visit.session in wanted
    ]
    if not visits:
        raise InputRefused("template-scans", "{dataset} holds no scan of these sessions", dataset=options.dataset)
    chosen = SampledSettings(**settings_of(options.set, SampledSettings))
    with whole_folder(options.out, options.force, [options.dataset]) as folder:
        made = template_of_dataset(options.dataset, visits, chosen, options.samples, options.models, progress)
        write_template(folder, made)
    content = {"people": made.population.people, "left_out": left_out_rows(made), "out": options.out}
    return Result(template_text(made), content, made.notices)
