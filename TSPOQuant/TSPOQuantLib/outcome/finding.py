"""One thing in which visits differ, and whether that can fake a change."""

from dataclasses import dataclass
from typing import Literal

from ..messages import Text

Severity = Literal["refuse", "warn"]


@dataclass(frozen=True)
class Finding:
    """One thing in which visits differ, or that no file tells.

    code: stable ("visits-reconstruction"); what ``--accept`` takes. severity: "refuse" where the difference can fake
    a change, else "warn". item: stable name of what was compared ("reconstruction"). values: as each visit has it, in
    the order of the visits. message: one sentence for people. acceptable: False where nothing may override it.
    accepted: whether the user did.
    """

    code: str
    severity: Severity
    item: str
    values: tuple[str, ...]
    message: Text
    acceptable: bool = True
    accepted: bool = False
