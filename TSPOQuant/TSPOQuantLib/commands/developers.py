"""From a clone of the repository alone: ``validate``, ``bench`` and ``test``, which need what is not installed."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages import InputRefused
from ..progress import Progress
from ..terminal import Result
from .options import add_command

if TYPE_CHECKING:
    from .options import Commands

REPOSITORY = Path(__file__).resolve().parents[3]


def register(commands: "Commands") -> None:
    validate = add_command(
        commands, "validate", run_validate, "measure every accuracy claim and write docs/validation.md"
    )
    validate.add_argument("--data", type=Path, metavar="DIR", help="human curves (default: shared/data beside us)")
    validate.add_argument("--quick", action="store_true", help="a few curves each, and no file written")

    validate.add_argument(
        "--section",
        action="append",
        default=[],
        metavar="NAME",
        help="renew this section of the document alone (repeatable); an unknown name lists them",
    )

    bench = add_command(commands, "bench", run_bench, "measure speed, as ratios within one run")
    bench.add_argument("--peers", action="store_true", help="beside other programs (installed apart, from PyPI)")

    commands.add_parser("test", help="run the tests; --quick leaves out the slow ones", add_help=False)


def run_validate(options: argparse.Namespace, progress: Progress) -> Result:
    need_checkout("tools/validation")
    from tools.validation import run

    data = options.data or REPOSITORY.parent / "shared" / "data"
    if options.data and not options.data.is_dir():
        raise InputRefused("data-missing", "{data} is no folder; name the folder that holds pbr28", data=options.data)
    return Result(run(REPOSITORY, data if data.is_dir() else None, options.quick, progress, options.section))


def run_bench(options: argparse.Namespace, progress: Progress) -> Result:
    need_checkout("tools/bench")
    from tools.bench import run

    return Result(run(options.peers, progress))


def need_checkout(needed: str) -> None:
    """Make ``tools`` importable; what developers run is in the repository alone. Raises InputRefused ("checkout")."""
    if not (REPOSITORY / needed).exists():
        raise InputRefused(
            "checkout",
            "this command needs {folder}, which is not installed; run ./tspoquant in a clone of the repository",
            folder=REPOSITORY / needed,
        )
    if str(REPOSITORY) not in sys.path:
        sys.path.insert(0, str(REPOSITORY))


SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
"""Two workers; a file stays with one of them, so that what its tests share is made once."""


def run_tests(options: Sequence[str]) -> int:
    """The style checks, the type checker and pytest, as CI runs them; ``--quick`` leaves out what is slow."""
    need_checkout("Testing/Python")
    quick = "--quick" in options
    rest = [option for option in options if option != "--quick"]
    # Two workers share the two cores that the tests may count on; more threads would only stand in their way.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "TSPOQUANT_QUICK": "1" if quick else ""}
    python = (sys.executable, "-m")
    steps = [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["pytest", "-q", *SIDE_BY_SIDE, *rest]]
    failed = []
    # The types take a minute of one core, in which the tests need not leave the other one idle.
    with tempfile.TemporaryFile() as output:
        with subprocess.Popen(
            [*python, "mypy"], stdout=output, stderr=output, cwd=REPOSITORY, env=environment
        ) as types:
            for step in steps:
                print(f"── {' '.join(step)}", flush=True)
                if subprocess.run([*python, *step], cwd=REPOSITORY, env=environment, check=False).returncode:
                    failed.append(step[0])
        output.seek(0)
        print(f"── mypy\n{output.read().decode()}", end="", flush=True)
    if types.returncode:
        failed.append("mypy")
    if failed:
        print("failed: " + ", ".join(failed), file=sys.stderr)
    return 1 if failed else 0
