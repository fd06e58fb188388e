"""The command line. Exit codes: 0 done, 1 our fault, 2 bad usage, 3 input refused, 130 stopped by Ctrl-C."""

import argparse
import errno
import io
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

from . import DISCLAIMER, __version__
from .commands import cohort, comparison, developers, group, inputs, planning, regions, simulated, visit
from .messages import Cancelled, InputRefused
from .terminal import end_progress, say_error, show, terminal_progress

GROUPS = (simulated, regions, inputs, visit, comparison, planning, cohort, group, developers)
"""In the order of the list that ``--help`` prints."""
DONE, OUR_FAULT, REFUSED, STOPPED = 0, 1, 3, 130
NOT_OUR_FAULT = frozenset(
    getattr(errno, name)
    for name in (
        "EACCES",
        "EPERM",
        "EROFS",
        "ENOSPC",
        "EDQUOT",
        "EFBIG",
        "EIO",
        "ENAMETOOLONG",
        "ELOOP",
        "EMFILE",
        "ENFILE",
    )
    if hasattr(errno, name)  # not every system knows all of them
)
"""Errors of disks, permissions and names, in whatever file they turn up."""


class _Parser(argparse.ArgumentParser):
    """Tells a wrong option in one line, as every other refusal."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: usage: {message}; '{self.prog} --help' shows what is possible\n")


def build_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tspoquant",
        description=f"Neuroinflammation of nerve roots and spinal cord from a TSPO PET and a CT or MR. {DISCLAIMER}",
        epilog="'test' runs the tests ('test --quick' the fast ones).",
    )
    parser.add_argument("--version", action="version", version=f"tspoquant {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in GROUPS:
        module.register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the same call serves plain Python, the launcher and Slicer's ``--python-script``."""
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except SystemExit as stop:  # of the parser
        return int(stop.code or 0)
    except InputRefused as refusal:
        say_error(refusal.code, refusal.message)
        return REFUSED
    except (Cancelled, KeyboardInterrupt):
        end_progress()
        print("stopped", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # the reader of our output has gone: nothing left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except MemoryError:
        say_error("memory", "this needs more memory than there is; close other programs or use a larger machine")
        return REFUSED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NOT_OUR_FAULT:
            where = error.filename or "a file could not be read or written"
            say_error("system", f"{where}: {error.strerror}; put that right and try again")
            return REFUSED
        return _our_fault()


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["test"]:  # its options are pytest's
        return developers.run_tests(arguments[1:])
    options = build_parser().parse_args(arguments)
    _check_names([Path.cwd(), *vars(options).values()])
    result = options.run(options, terminal_progress())
    show(result, options.json)
    if result.refusal is not None:
        raise result.refusal
    return DONE


def _check_names(values: Iterable[object]) -> None:
    """Refuse ("path-name") paths, alone or in lists, whose names are not UTF-8: libraries below end the process."""
    for value in values:
        if isinstance(value, list):
            _check_names(value)
        elif isinstance(value, Path):
            full = os.fsencode(os.path.realpath(value))
            try:
                full.decode("utf-8")
            except UnicodeDecodeError:
                raise InputRefused(
                    "path-name", "{path}: the name is not UTF-8; rename it", path=full.decode("utf-8", "replace")
                ) from None


def _our_fault() -> int:
    import traceback

    end_progress()
    traceback.print_exc()
    print("error: internal: this is a fault of the program; please report the lines above", file=sys.stderr)
    return OUR_FAULT


def command() -> NoReturn:
    """Run the command line as a process of its own."""
    for ending in (signal.SIGTERM, signal.SIGHUP):  # leave by the front door, so that no scratch folder stays
        if signal.getsignal(ending) is signal.SIG_DFL:
            signal.signal(ending, lambda number, _: sys.exit(128 + number))
    sys.stdout = sys.stdout or io.StringIO()  # closed by the caller: nobody listens, and that is no error
    sys.stderr = sys.stderr or io.StringIO()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # nor is a terminal without "³"
    sys.exit(main())


if __name__ == "__main__":
    command()
