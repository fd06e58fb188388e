"""How the program says no, and how it says "yes, but"."""

from dataclasses import dataclass


class InputRefused(ValueError):
    """Input that cannot be used.

    ``code`` is a stable lower-case key ("pet-units"); ``message`` is one sentence that says what is wrong, where,
    and what to do about it. The command line prints ``error: CODE: message`` and exits with 3.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Cancelled(Exception):
    """Raised by a progress callback when the user has asked to stop."""


@dataclass(frozen=True)
class Notice:
    """A warning that travels with a result; ``code`` is stable, ``message`` is for people."""

    code: str
    message: str
