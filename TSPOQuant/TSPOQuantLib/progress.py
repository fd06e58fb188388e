"""Progress of long work: a callable ``progress(fraction, text)`` that may raise ``Cancelled``."""

from collections.abc import Callable

Progress = Callable[[float, str], None]


def silent(fraction: float, text: str) -> None:
    """Report to nobody."""


def part(progress: Progress, begin: float, end: float) -> Progress:
    """The stretch of ``progress`` from ``begin`` to ``end`` (fractions of the whole), for one stage of the work."""

    def report(fraction: float, text: str) -> None:
        progress(begin + (end - begin) * fraction, text)

    return report
