"""What people and pipes see of a command: one line of progress, warnings, a result, a refusal."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .messages import InputRefused, Notice
from .progress import Progress, silent

REDRAWN_S = 0.1
WIDTH = 78

_last_line = [0.0, 0]
"""When the line of progress was drawn, and how long it is; 0 where none stands."""


@dataclass(frozen=True)
class Result:
    """What a command has to say when its work is done.

    content: for ``--json``. refusal: of results that are written and told, but are not what was asked for.
    """

    text: str
    content: object = None
    notices: Sequence[Notice] = ()
    refusal: InputRefused | None = None


def terminal_progress() -> Progress:
    """Progress as one line on a terminal, redrawn at most ten times a second; nothing in a pipe."""
    if not sys.stderr.isatty():
        return silent

    def report(fraction: float, text: str) -> None:
        now = time.monotonic()
        if now - _last_line[0] >= REDRAWN_S or fraction >= 1:
            line = f"{100 * fraction:3.0f} % {text}"[:WIDTH]
            print("\r" + line.ljust(int(_last_line[1])), end="", file=sys.stderr, flush=True)
            _last_line[:] = [now, len(line)]

    return report


def end_progress() -> None:
    """Clear the progress line, so that what is printed next stands alone."""
    if _last_line[1]:
        print("\r" + " " * int(_last_line[1]) + "\r", end="", file=sys.stderr, flush=True)
        _last_line[1] = 0


def show(result: Result, as_json: bool) -> None:
    """Warnings on standard error, the result on standard output."""
    end_progress()
    for notice in result.notices:
        print(f"warning: {notice.code}: {notice.message}", file=sys.stderr)
    if as_json:
        from .plain import plain

        print(
            json.dumps(plain(result.content, lossless=False), indent=2)
        )  # ASCII: no terminal's encoding can spoil it
    else:
        print(result.text)
    sys.stdout.flush()  # a reader that has gone shows here rather than at exit


def say_error(code: str, message: str) -> None:
    """One line on standard error."""
    end_progress()
    print(f"error: {code}: {' '.join(message.split())}", file=sys.stderr)
