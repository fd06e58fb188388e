"""The command line. Exit codes: 0 done, 1 our fault, 2 bad usage, 3 input refused, 130 stopped by Ctrl-C."""

import argparse
import errno
import io
import json
import math
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from . import DISCLAIMER, __version__
from .messages import Cancelled, InputRefused, Notice, Text
from .progress import Progress, silent

if TYPE_CHECKING:
    from .phantom import PhantomSettings
    from .study import Study

REPOSITORY = Path(__file__).resolve().parents[2]
NOT_OUR_FAULT = frozenset(
    getattr(errno, name)
    for name in ("EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EIO", "ENAMETOOLONG", "ELOOP", "EMFILE", "ENFILE")
    if hasattr(errno, name)  # not every system knows all of them
)
"""Errors of disks, permissions and names, in whatever file they turn up."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the same call serves plain Python, the launcher and Slicer's ``--python-script``."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if arguments[:1] == ["test"]:  # its options are pytest's
            return run_tests(arguments[1:])
        options = build_parser().parse_args(arguments)
        code = int(options.run(options))
        sys.stdout.flush()  # a reader that has gone shows here rather than at exit
        return code
    except SystemExit as stop:  # of the parser
        return int(stop.code or 0)
    except InputRefused as refusal:
        return _refuse(refusal.code, refusal.message)
    except (Cancelled, KeyboardInterrupt):
        _end_progress()
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone: nothing left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        return _refuse("memory", "this needs more memory than there is; close other programs or use a larger machine")
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NOT_OUR_FAULT:
            where = error.filename or "a file could not be read or written"
            return _refuse("system", f"{where}: {error.strerror}; put that right and try again")
        _end_progress()
        traceback.print_exc()
        print("error: internal: this is a fault of the program; please report the lines above", file=sys.stderr)
        return 1


def _refuse(code: str, message: str) -> int:
    _end_progress()
    print(f"error: {code}: {' '.join(message.split())}", file=sys.stderr)
    return 3


class _Parser(argparse.ArgumentParser):
    """Tells a wrong option in one line, as every other refusal."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: usage: {message}; '{self.prog} --help' shows what is possible\n")


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tspoquant",
        description=f"Neuroinflammation in the neck from a dynamic TSPO PET and a CT. {DISCLAIMER}",
        epilog="'test' runs the tests ('test --quick' the fast ones).",
    )
    parser.add_argument("--version", action="version", version=f"tspoquant {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        sub.set_defaults(run=run)
        return sub

    demo = command("demo", run_demo, "the whole study on the simulated digital neck, from DICOM to Table 1")
    demo.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: a new folder out/demo…)")
    demo.add_argument("--fast", action="store_true", help="a coarser neck, in about a minute")
    demo.add_argument("--input", choices=("image-derived", "true"), default="image-derived", help="input function")
    demo.add_argument("--no-report", action="store_true", help="leave out the report, which takes a while")
    _add_phantom_options(demo)
    _add_output_options(demo)

    quantify = command("quantify", run_quantify, "one visit to V_T per region")
    _add_study_options(quantify)
    _add_output_options(quantify)

    maps = command("maps", run_maps, "parametric maps of one visit")
    _add_study_options(maps)
    maps.add_argument("--model", choices=("Logan", "MA1", "1TCM", "2TCM"), required=True)
    maps.add_argument("--force", action="store_true", help="replace a folder of our own results")

    compare = command("compare", run_compare, "what has changed between visits, and how sure that is")
    compare.add_argument("baseline", type=Path, metavar="BASELINE_OUT", help="a folder that quantify wrote")
    compare.add_argument("followups", type=Path, metavar="FOLLOWUP_OUT", nargs="+", help="later visits' folders")
    compare.add_argument("--clinical", type=Path, metavar="C.toml", help="scores and treatment by visit")
    compare.add_argument("--repeatability", type=Path, metavar="RC.toml", help="coefficients, each with its source")
    compare.add_argument("--budget", type=Path, metavar="B.toml", help="other sizes for the errors that are assumed")
    compare.add_argument(
        "--accept", metavar="CODE", action="append", default=[], help="compare although visits differ in this"
    )
    compare.add_argument("--lang", choices=("en", "fr"), default="en", help="language of the report")
    compare.add_argument("--dicom", action="store_true", help="write DICOM SEG, SR and Parametric Map, too")
    compare.add_argument("--deidentify", action="store_true", help="without what could tell who was scanned")
    compare.add_argument("--out", type=Path, metavar="DIR", required=True, help="where to write")
    _add_output_options(compare)

    plan = command("plan", run_plan, "which change a protocol could detect")
    plan.add_argument("protocol", type=Path, metavar="PROTOCOL.toml")
    plan.add_argument("--out", type=Path, metavar="DIR", help="where to write plan.json, plan.txt and plan.png")
    _add_output_options(plan)

    fit = command("fit", run_fit, "kinetic models on ready curves")
    fit.add_argument("tacs", type=Path, metavar="TACS.tsv", help="time-activity curves, as BIDS derivatives have them")
    fit.add_argument("--blood", type=Path, metavar="B.tsv", required=True, action="append", help="blood (repeatable)")
    fit.add_argument("--blood-json", type=Path, metavar="B.json", help="what describes the blood file")
    fit.add_argument("--pet-json", type=Path, metavar="P.json", help="the _pet.json of the scan")
    fit.add_argument("--models", required=True, type=_names, metavar="M,M,…", help="1TCM,2TCM,Logan,MA1,…")
    fit.add_argument("--vb", type=_vb, default="fit", metavar="fit|fixed:F|none", help="blood volume fraction")
    fit.add_argument("--weights", default="uniform", metavar="KIND", help="uniform (default), duration, counts")
    fit.add_argument("--tstar", type=_number_or("auto"), default="auto", metavar="S|auto", help="t* in seconds")
    fit.add_argument("--frames", type=_last, metavar="last:N", help="graphical methods on the last N frames")
    fit.add_argument("--delay", type=_number_or("fit"), default=0.0, metavar="fit|S", help="delay in seconds")
    fit.add_argument("--bounds", type=_bounds, default={}, metavar="k2=0:0.5,…", help="bounds of parameters")
    fit.add_argument("--out", type=Path, metavar="DIR", required=True, help="where to write")
    _add_output_options(fit)

    inspect = command("inspect", run_inspect, "what a folder of DICOM or NIfTI holds, and what is wrong with it")
    inspect.add_argument("path", type=Path, metavar="PATH")
    inspect.add_argument("--json", action="store_true", help="machine-readable, on stdout")

    cohort = command("cohort", run_cohort, "every visit of a PET-BIDS dataset, and the changes, on Dask")
    cohort.add_argument("dataset", type=Path, metavar="BIDS_DIR", help="a PET-BIDS dataset")
    cohort.add_argument("--out", type=Path, metavar="DIR", required=True, help="where to write, or an earlier cohort")
    cohort.add_argument("--scheduler", metavar="ADDRESS", help="a running Dask scheduler (default: own processes)")
    cohort.add_argument(
        "--participants", nargs="+", default=[], metavar="LABEL", help="these alone, with spaces or commas between"
    )
    cohort.add_argument("--force", action="store_true", help="make every visit again, also those that are up to date")
    cohort.add_argument("--json", action="store_true", help="machine-readable results on stdout")

    phantom = command("phantom", run_phantom, "write the simulated digital neck as a site would have it")
    phantom.add_argument("--out", type=Path, metavar="DIR", required=True, help="where to write")
    phantom.add_argument("--fast", action="store_true", help="a coarser neck")
    _add_phantom_options(phantom)
    phantom.add_argument("--force", action="store_true", help="replace a folder of our own results")

    validate = command("validate", run_validate, "measure every accuracy claim and write docs/validation.md")
    validate.add_argument("--data", type=Path, metavar="DIR", help="human curves (default: shared/data beside us)")
    validate.add_argument("--quick", action="store_true", help="a few curves each, and no file written")

    bench = command("bench", run_bench, "measure speed, as ratios within one run")
    bench.add_argument("--peers", action="store_true", help="beside other programs (installed apart, from PyPI)")

    commands.add_parser("test", help="run the tests; --quick leaves out the slow ones", add_help=False)
    return parser


def _add_phantom_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="everything random follows from it")
    parser.add_argument("--vendor", choices=("ge", "siemens", "philips"), default="siemens", help="whose DICOM timing")
    parser.add_argument("--fwhm", type=float, default=5.0, metavar="MM", help="resolution; 0: no partial volume")
    parser.add_argument("--noise", type=float, default=20.0, metavar="PERCENT", help="muscle, first 600-s frame")
    parser.add_argument("--motion", type=float, default=1.0, metavar="MM", help="SD of the drift, in mm and degrees")
    parser.add_argument("--truth", type=Path, metavar="FILE.json", help="V_T by region and visit, to replace ours")


def _add_study_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=Path, metavar="STUDY", help="a study.toml, or a PET-BIDS dataset")
    parser.add_argument("--participant", metavar="LABEL", help="of a PET-BIDS dataset")
    parser.add_argument("--session", metavar="LABEL", help="of a PET-BIDS dataset")
    parser.add_argument("--segmentation", type=Path, metavar="FILE", help="regions, for a PET-BIDS dataset")
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="where to write")


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="replace a folder of our own results")
    parser.add_argument("--json", action="store_true", help="machine-readable results on stdout")


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError("say different models with commas between them")
    return names


def _vb(text: str) -> str | float:
    if text in ("fit", "none"):
        return text
    kind, _, value = text.partition(":")
    fraction = _finite(value)
    if kind != "fixed" or fraction is None or not 0 <= fraction < 1:
        raise argparse.ArgumentTypeError("say fit, none or fixed:FRACTION with a fraction from 0 up to 1")
    return fraction


def _number_or(word: str) -> Callable[[str], str | float]:
    def number(text: str) -> str | float:
        value = text if text == word else _finite(text)
        if value is None:
            raise argparse.ArgumentTypeError(f"say {word} or a number of seconds")
        return value

    return number


def _last(text: str) -> int:
    kind, _, count = text.partition(":")
    if kind != "last" or not count.isdecimal() or int(count) < 2:
        raise argparse.ArgumentTypeError("say last:N with N of at least 2")
    return int(count)


def _bounds(text: str) -> dict[str, tuple[float, float]]:
    bounds: dict[str, tuple[float, float]] = {}
    for item in text.split(","):
        name, _, limits = item.partition("=")
        low, high = (_finite(limit) for limit in (limits.partition(":")[0], limits.partition(":")[2]))
        if name in bounds or low is None or high is None or not low < high:
            raise argparse.ArgumentTypeError(f"say NAME=LOW:HIGH once for each parameter, not '{item}'")
        bounds[name] = (low, high)
    return bounds


def _finite(text: str) -> float | None:
    """A number that a person would call one, else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


_last_line = [0.0, 0]


def terminal_progress() -> Progress:
    """Progress as one line on a terminal, redrawn at most ten times a second; nothing in a pipe."""
    if not sys.stderr.isatty():
        return silent

    def report(fraction: float, text: str) -> None:
        now = time.monotonic()
        if now - _last_line[0] >= 0.1 or fraction >= 1:
            line = f"{100 * fraction:3.0f} % {text}"[:78]
            print("\r" + line.ljust(int(_last_line[1])), end="", file=sys.stderr, flush=True)
            _last_line[:] = [now, len(line)]

    return report


def _end_progress() -> None:
    """Clear the progress line, so that what is printed next stands alone."""
    if _last_line[1]:
        print("\r" + " " * int(_last_line[1]) + "\r", end="", file=sys.stderr, flush=True)
        _last_line[1] = 0


def _print_json(content: object) -> None:
    from .reporting.tables import plain

    _end_progress()
    print(json.dumps(plain(content), indent=2))  # ASCII: no terminal's encoding can spoil it


def _warn(notices: Sequence[Notice]) -> None:
    _end_progress()
    for notice in notices:
        print(f"warning: {notice.code}: {notice.message}", file=sys.stderr)


def phantom_settings(options: argparse.Namespace) -> "PhantomSettings":
    from .phantom import PhantomSettings

    return PhantomSettings(
        seed=options.seed,
        vendor=options.vendor,
        fwhm_mm=options.fwhm,
        noise_percent=options.noise,
        motion_mm=options.motion,
        fast=options.fast,
        truth=_truth(options.truth) if options.truth else {},
    )


def run_demo(options: argparse.Namespace) -> int:
    from .demo import run

    settings, write = phantom_settings(options), not options.no_report
    report = run(settings, options.out, options.force, options.input, terminal_progress(), write)
    if options.json:
        _print_json(report.record)
    else:
        _end_progress()
        print(report.text)
    return 0


def run_quantify(options: argparse.Namespace) -> int:
    from .output import whole_folder
    from .pipeline import quantify_study
    from .reporting.tables import region_record, visit_text, write_visit
    from .source import write_source

    study = _study(options)
    with whole_folder(options.out, options.force, study.files) as folder:
        result = quantify_study(study, terminal_progress())
        write_visit(folder, result)
        write_source(folder, study)
    _warn(result.notices)
    if options.json:
        regions = [region_record(row) for row in result.rows]
        _print_json({"regions": regions, "table1": [], "out": options.out})
    else:
        print(visit_text(result))
    return 0


def run_compare(options: argparse.Namespace) -> int:
    from .exports import write_for_others
    from .outcome.budget import read_budget
    from .outcome.clinical import read_clinical
    from .outcome.comparability import checked
    from .outcome.compare import compare
    from .outcome.record import FILE, read_record
    from .outcome.repeatability import read_repeatability
    from .output import whole_folder
    from .pipeline import comparison_pictures
    from .reporting.comparison_files import comparison_content, comparison_text, write_comparison
    from .reporting.deidentify import hide
    from .reporting.report import check_available, write_report

    check_available()
    named = [options.baseline, *options.followups]
    records = [read_record(path) for path in named]
    folders = [path.parent if path.is_file() and path.name == FILE else path for path in named]
    checked(records, options.accept)  # of the visits as they are: hidden names could not differ
    clinical = read_clinical(options.clinical) if options.clinical else None
    shown, told, hidden = hide(records, clinical) if options.deidentify else (records, clinical, None)
    comparison = compare(
        shown,
        told,
        read_repeatability(options.repeatability) if options.repeatability else (),
        options.accept,
        read_budget(options.budget) if options.budget else None,
    )
    files = [path for path in (options.clinical, options.repeatability, options.budget) if path]
    with whole_folder(options.out, options.force, [*folders, *files]) as folder:
        write_comparison(folder, comparison)
        write_report(folder, comparison, comparison_pictures(comparison, folders, hidden), options.lang)
        sources = list(zip(folders, records, strict=True)) if options.dicom else []
        write_for_others(folder, comparison, sources, hidden, terminal_progress())
    if options.json:
        _print_json({**comparison_content(comparison), "out": options.out})
    else:
        _end_progress()
        print(comparison_text(comparison))
    return 0


def run_plan(options: argparse.Namespace) -> int:
    from .output import whole_folder
    from .pipeline import plan_protocol
    from .reporting.plan_files import plan_text, write_plan_figure
    from .reporting.tables import write_json

    plan = plan_protocol(options.protocol, terminal_progress())
    text = plan_text(plan)
    if options.out:
        with whole_folder(options.out, options.force, [options.protocol]) as folder:
            write_json(folder / "plan.json", plan)
            (folder / "plan.txt").write_text(text + "\n", encoding="utf-8")
            write_plan_figure(folder / "plan.png", plan)
    if options.json:
        _print_json(plan)
    else:
        _end_progress()
        print(text)
    return 0


def run_maps(options: argparse.Namespace) -> int:
    from .output import whole_folder
    from .pipeline import study_maps
    from .reporting.maps import maps_text, write_maps

    study = _study(options)
    with whole_folder(options.out, options.force, study.files) as folder:
        result = study_maps(study, options.model, terminal_progress())
        write_maps(folder, result)
    _warn(result.notices)
    print(maps_text(result))
    return 0


def _study(options: argparse.Namespace) -> "Study":
    """The visit that the arguments name: a study.toml, or one session of a PET-BIDS dataset."""
    from .study import read_study, study_of_bids

    if not options.study.is_dir():
        unused = next((o for o in ("participant", "session", "segmentation") if getattr(options, o) is not None), None)
        if unused and options.study.exists():
            raise InputRefused(
                "study-options",
                "--{unused} is for a PET-BIDS dataset; say it in {study}",
                unused=unused,
                study=options.study,
            )
        return read_study(options.study)
    if options.participant is None:
        message = Text(
            "{study} is a folder; name its study.toml, or whose visit of a dataset with --participant",
            study=options.study,
        )
        raise InputRefused("bids-participant", message)
    return study_of_bids(options.study, options.participant, options.session, options.segmentation)


def run_fit(options: argparse.Namespace) -> int:
    from .kinetics import FitOptions
    from .output import whole_folder
    from .pipeline import fit_tacs
    from .reporting.tables import fits_text, kinpar_row, write_fits

    settings = FitOptions(
        vb=options.vb,
        bounds=options.bounds,
        tstar_s=options.tstar,
        last_frames=options.frames,
        delay_s=options.delay,
    )
    sidecars = options.blood_json, options.pet_json
    inputs = [path for path in (options.tacs, *options.blood, *sidecars) if path]
    with whole_folder(options.out, options.force, inputs) as folder:
        fitted = fit_tacs(options.tacs, options.blood, options.models, settings, options.weights, *sidecars)
        write_fits(folder, fitted)
    _warn(fitted.notices)
    if options.json:
        rows = [
            {"region": region, "model": model, **kinpar_row(fit)}
            for model, fits in fitted.fits.items()
            for region, fit in zip(fitted.regions, fits, strict=True)
        ]
        _print_json({"regions": rows, "out": options.out})
    else:
        print(fits_text(fitted))
    return 0


def run_inspect(options: argparse.Namespace) -> int:
    from .acquisition.inspect import describe, inspect

    found = inspect(options.path)
    if options.json:
        _print_json(found)
    else:
        print(describe(found))
    return 0


def run_cohort(options: argparse.Namespace) -> int:
    from .cohort import record_of, run

    report = run(
        options.dataset,
        options.out,
        options.scheduler,
        [label for text in options.participants for label in text.split(",") if label],
        options.force,
        terminal_progress(),
    )
    if options.json:
        _print_json(record_of(report))
    else:
        _end_progress()
        print(report.text)
    if report.empty:
        return _refuse("cohort-none", f"no visit could be quantified; the reasons are in {report.out / 'cohort.tsv'}")
    return 0


def run_phantom(options: argparse.Namespace) -> int:
    from .phantom import write_phantom

    write_phantom(options.out, phantom_settings(options), terminal_progress(), options.force)
    _end_progress()
    print(f"A simulated neck, two visits, in {options.out}")
    return 0


def run_validate(options: argparse.Namespace) -> int:
    _need_checkout("tools/validation")
    from tools.validation import run

    data = options.data or REPOSITORY.parent / "shared" / "data"
    if options.data and not options.data.is_dir():
        raise InputRefused("data-missing", "{data} is no folder; name the folder that holds pbr28", data=options.data)
    text = run(REPOSITORY, data if data.is_dir() else None, options.quick, terminal_progress())
    _end_progress()
    print(text)
    return 0


def run_bench(options: argparse.Namespace) -> int:
    _need_checkout("tools/bench")
    from tools.bench import run

    text = run(options.peers, terminal_progress())
    _end_progress()
    print(text)
    return 0


def _need_checkout(needed: str) -> None:
    """Make ``tools`` importable; what developers run is in the repository alone. Raises InputRefused ("checkout")."""
    if not (REPOSITORY / needed).exists():
        message = f"this command belongs to the source code, and {REPOSITORY / needed} is not there; run ./tspoquant"
        raise InputRefused("checkout", "{message} in a clone of the repository", message=message)
    if str(REPOSITORY) not in sys.path:
        sys.path.insert(0, str(REPOSITORY))


def _truth(path: Path) -> dict[str, dict[str, float]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputRefused(
            "truth-unreadable", "{path}: {strerror}; name a JSON file", path=path, strerror=error.strerror
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputRefused("truth-unreadable", "{path}: {error}; correct the file", path=path, error=error) from error
    if not isinstance(content, dict):
        raise InputRefused("truth-unreadable", "{path}: must hold regions with V_T by visit", path=path)
    return content


def run_tests(options: Sequence[str]) -> int:
    """The style checks, the type checker and pytest, as CI runs them; ``--quick`` leaves out what is slow."""
    _need_checkout("Testing/Python")
    quick = "--quick" in options
    rest = [option for option in options if option != "--quick"]
    steps = [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["pytest", "-q", "-n", "2", *rest],
    ]
    # Two workers share the two cores that the tests may count on; more threads would only stand in their way.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "TSPOQUANT_QUICK": "1" if quick else ""}
    failed = []
    for step in steps:
        print(f"── {' '.join(step)}", flush=True)
        if subprocess.run([sys.executable, "-m", *step], cwd=REPOSITORY, env=environment, check=False).returncode:
            failed.append(step[0])
    if failed:
        print("failed: " + ", ".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGHUP):  # leave by the front door, so that no scratch folder stays
        if signal.getsignal(ending) is signal.SIG_DFL:
            signal.signal(ending, lambda number, _: sys.exit(128 + number))
    sys.stdout = sys.stdout or io.StringIO()  # closed by the caller: nobody listens, and that is no error
    sys.stderr = sys.stderr or io.StringIO()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # nor is a terminal without "³"
    sys.exit(main())
