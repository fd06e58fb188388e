"""One visit: ``quantify``, ``maps``, ``fit`` (ready curves) and ``inspect`` (what files hold)."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages import InputRefused
from ..progress import Progress
from ..terminal import Result
from .options import (
    above_zero,
    add_command,
    add_force,
    add_input,
    add_json,
    add_out,
    add_output,
    add_set,
    add_setting,
    finite,
    minutes,
    settings_of,
)

# An interval's ends rest on the outer 2.5 % of the refits; more than the largest number only takes time.
FEWEST_DRAWS = 100
MOST_DRAWS = 100_000

if TYPE_CHECKING:
    from ..study import Study
    from .options import Commands


def register(commands: "Commands") -> None:
    quantify = add_command(commands, "quantify", run_quantify, "one visit to V_T per region")
    _add_study(quantify)
    add_output(quantify)

    maps = add_command(commands, "maps", run_maps, "parametric maps of one visit")
    _add_study(maps)
    add_out(maps)
    maps.add_argument("--model", required=True, metavar="MODEL", help="any model that fit knows")
    add_force(maps)

    _register_fit(commands)

    inspect = add_command(
        commands, "inspect", run_inspect, "what a folder of DICOM or NIfTI holds, and what is wrong with it"
    )
    inspect.add_argument("path", type=Path, metavar="PATH")
    add_json(inspect)


def _register_fit(commands: "Commands") -> None:
    fit = add_command(commands, "fit", run_fit, "kinetic models on ready curves")
    fit.add_argument("tacs", type=Path, metavar="TACS.tsv", help="time-activity curves, as BIDS derivatives have them")
    fit.add_argument("--blood", type=Path, metavar="B.tsv", default=[], action="append", help="blood (repeatable)")
    fit.add_argument(
        "--given",
        type=Path,
        metavar="G.tsv",
        help="a ready input; --set domain and unit say what it is (default: AIF)",
    )
    fit.add_argument(
        "--template",
        type=Path,
        metavar="T.json",
        help="a template of your own cohort as input, scaled by late --blood; with --pet-json",
    )
    fit.add_argument(
        "--weight", type=above_zero("a weight in kg"), metavar="KG", help="of the person, for a template scaled by SUV"
    )
    fit.add_argument("--blood-json", type=Path, metavar="B.json", help="what describes the blood file")
    fit.add_argument(
        "--beside",
        type=Path,
        metavar="K.tsv",
        default=[],
        action="append",
        help="parameters that petfit, PMOD or another program found, to stand beside ours (repeatable)",
    )
    fit.add_argument("--pet-json", type=Path, metavar="P.json", help="the _pet.json of the scan")
    fit.add_argument("--models", required=True, type=_names, metavar="M,M,…", help="1TCM,2TCM,Logan,MA1,…")
    add_setting(fit, "--vb", "vb", type=_vb, default="fit", metavar="fit|fixed:F|none")
    fit.add_argument(
        "--weights",
        default="uniform",
        metavar="KIND",
        help="uniform (default), duration, counts of all, or a table: file:W.tsv",
    )
    add_setting(fit, "--tstar", "tstar_s", type=_number_or("auto"), default="auto", metavar="S|auto")
    add_setting(fit, "--frames", "last_frames", type=_last, metavar="last:N")
    add_setting(fit, "--delay", "delay_s", type=_number_or("fit"), default=0.0, metavar="fit|S")
    fit.add_argument(
        "--leave-out", type=_frames, default={}, metavar="N,N,…", help="frames to leave out, from 1, or N=REASON,…"
    )
    add_setting(fit, "--until", "until_min", type=minutes, metavar="MIN")
    fit.add_argument("--profile", action="store_true", help="95 %% intervals by profile likelihood")
    fit.add_argument("--bootstrap", type=_draws, default=0, metavar="N", help="95 %% intervals by N bootstrap refits")
    fit.add_argument("--coupled", action="store_true", help="also with one V_B and one delay for all curves, F-tested")
    add_setting(fit, "--bounds", "bounds", type=_bounds, default={}, metavar="k2=0:0.5,…")
    add_set(fit, "free_fraction, or a key of a study file's [input] about samples or a ready curve (repeatable)")
    add_output(fit)


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=Path, metavar="STUDY", help="a study.toml, or a PET-BIDS dataset")
    parser.add_argument("--participant", metavar="LABEL", help="of a PET-BIDS dataset")
    parser.add_argument("--session", metavar="LABEL", help="of a PET-BIDS dataset")
    parser.add_argument("--scan", metavar="ENTITIES", help="which of a session's scans, such as run-2 or trc-DPA713")
    add_input(parser)
    parser.add_argument("--segmentation", type=Path, metavar="FILE", help="regions, for a PET-BIDS dataset")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError("say different models with commas between them")
    return names


def _vb(text: str) -> str | float:
    if text in ("fit", "none"):
        return text
    kind, _, value = text.partition(":")
    fraction = finite(value)
    if kind != "fixed" or fraction is None or not 0 <= fraction < 1:
        raise argparse.ArgumentTypeError("say fit, none or fixed:FRACTION with a fraction from 0 up to 1")
    return fraction


def _number_or(word: str) -> Callable[[str], str | float]:
    def number(text: str) -> str | float:
        value = text if text == word else finite(text)
        if value is None:
            raise argparse.ArgumentTypeError(f"say {word} or a number of seconds")
        return value

    return number


def _last(text: str) -> int:
    kind, _, count = text.partition(":")
    if kind != "last" or not count.isdecimal() or int(count) < 2:
        raise argparse.ArgumentTypeError("say last:N with N of at least 2")
    return int(count)


def _frames(text: str) -> dict[str, str]:
    """The reason, "" without one, by the frame's number."""
    named = [[part.strip() for part in item.partition("=")[::2]] for item in text.split(",")]
    if not all(number.isdecimal() and int(number) > 0 for number, _ in named):
        raise argparse.ArgumentTypeError("say numbers of frames, counted from 1, with commas between them")
    return {str(number): reason for number, reason in sorted((int(number), reason) for number, reason in named)}


def _draws(text: str) -> int:
    if not text.isdecimal() or not FEWEST_DRAWS <= int(text) <= MOST_DRAWS:
        raise argparse.ArgumentTypeError(f"say a number of refits from {FEWEST_DRAWS} to {MOST_DRAWS}")
    return int(text)


def _bounds(text: str) -> dict[str, tuple[float, float]]:
    bounds: dict[str, tuple[float, float]] = {}
    for item in text.split(","):
        name, _, limits = item.partition("=")
        low, high = (finite(limit) for limit in (limits.partition(":")[0], limits.partition(":")[2]))
        if name in bounds or low is None or high is None or not low < high:
            raise argparse.ArgumentTypeError(f"say NAME=LOW:HIGH once for each parameter, not '{item}'")
        bounds[name] = (low, high)
    return bounds


def study_of(options: argparse.Namespace) -> "Study":
    """The visit that the arguments name: a study.toml, or one session of a PET-BIDS dataset.

    Raises InputRefused ("study-options", "bids-participant") and what reading a study raises.
    """
    from ..study import read_study, study_of_bids

    if not options.study.is_dir():
        unused = next(
            (
                o
                for o in ("participant", "session", "scan", "segmentation", "input")
                if getattr(options, o) is not None
            ),
            None,
        )
        if unused and options.study.exists():
            raise InputRefused(
                "study-options",
                "--{unused} is for a PET-BIDS dataset; say it in {study}",
                unused=unused,
                study=options.study,
            )
        return read_study(options.study)
    if options.participant is None:
        raise InputRefused(
            "bids-participant",
            "{study} is a folder; name its study.toml, or whose visit of a dataset with --participant",
            study=options.study,
        )
    return study_of_bids(
        options.study, options.participant, options.session, options.segmentation, options.input, options.scan
    )


def run_quantify(options: argparse.Namespace, progress: Progress) -> Result:
    from ..output import whole_folder
    from ..pipeline.quantification import quantify_study
    from ..reporting.visit_files import region_record, uptake_records, write_visit
    from ..reporting.visit_text import visit_text
    from ..source import write_source

    study = study_of(options)
    with whole_folder(options.out, options.force, study.files) as folder:
        result = quantify_study(study, progress)
        write_visit(folder, result)
        write_source(folder, study, options.out)
    record = result.record
    regions = [region_record(row) for row in record.rows]
    return Result(
        visit_text(record),
        {"regions": regions, "uptake": uptake_records(record), "table1": [], "out": options.out},
        record.warnings,
    )


def run_maps(options: argparse.Namespace, progress: Progress) -> Result:
    from ..output import whole_folder
    from ..pipeline.mapping import study_maps
    from ..reporting.maps import maps_text, write_maps

    study = study_of(options)
    with whole_folder(options.out, options.force, study.files) as folder:
        maps = study_maps(study, options.model, progress)
        write_maps(folder, maps)
    return Result(maps_text(maps), notices=maps.notices)


def run_fit(options: argparse.Namespace, progress: Progress) -> Result:
    from ..acquisition.parameter_tables import read_parameters
    from ..input_function import GivenSettings, PopulationSettings, SampledSettings
    from ..kinetics import FitOptions
    from ..kinetics.models import SPELLINGS
    from ..output import whole_folder
    from ..pipeline.curves import CurveChoices, fit_tacs
    from ..reporting.beside import beside_rows, beside_text, write_beside
    from ..reporting.model_comparison import comparison_rows
    from ..reporting.tables import cell_text
    from ..reporting.visit_files import kinpar_row, write_fits
    from ..reporting.visit_text import fits_text

    kinds = SampledSettings, GivenSettings, PopulationSettings
    chosen = settings_of(options.set, *kinds, free=("free_fraction",))
    settings = FitOptions(
        vb=options.vb,
        bounds=options.bounds,
        tstar_s=options.tstar,
        last_frames=options.frames,
        delay_s=options.delay,
        free_fraction=chosen.pop("free_fraction", None),
    )
    sidecars = options.blood_json, options.pet_json
    if not (options.blood or options.given or options.template):
        raise InputRefused("blood-missing", "fit needs an input; name blood files with --blood, or --given a curve")
    if options.given and options.template:
        raise InputRefused("input-twice", "--given and --template both name the input; leave one of them out")
    ready = options.given, options.template
    inputs = [path for path in (options.tacs, *options.blood, *ready, *sidecars, *options.beside) if path]
    about = GivenSettings(**{key: chosen.pop(key) for key in ("given_domain", "given_unit") if key in chosen})
    scaled = {key: chosen.pop(key) for key in ("population_scale", "arrival_s") if key in chosen}
    with whole_folder(options.out, options.force, inputs) as folder:
        asked = CurveChoices(
            options.leave_out,
            options.until,
            options.profile,
            options.bootstrap,
            SampledSettings(**chosen),
            options.coupled,
            options.given,
            about,
            options.template,
            PopulationSettings(**scaled),
            options.weight,
        )
        fitted = fit_tacs(options.tacs, options.blood, options.models, settings, options.weights, *sidecars, asked)
        write_fits(folder, fitted)
        tables = [read_parameters(path, SPELLINGS) for path in options.beside]
        beside = beside_rows(fitted, tables)
        if beside:
            write_beside(folder, beside)
    rows = [
        {"region": region, "model": model, **{name: cell_text(cell) for name, cell in kinpar_row(fit).items()}}
        for model, fits in fitted.fits.items()
        for region, fit in zip(fitted.regions, fits, strict=True)
    ]
    content = {"regions": rows, "comparison": comparison_rows(fitted), "beside": beside, "out": options.out}
    notices = [*fitted.notices, *(notice for table in tables for notice in table.notices)]
    return Result("\n".join([fits_text(fitted), *beside_text(beside)]), content, notices)


def run_inspect(options: argparse.Namespace, progress: Progress) -> Result:
    from ..acquisition.inspect import describe, inspect

    content = inspect(options.path)
    return Result(describe(content), content)
