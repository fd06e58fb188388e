"""Which tests belong to the developer's inner loop: those that cost less than ``LIMIT_S``, as measured.

``costs.tsv`` beside this file holds whatever cost as much or more when it was last measured: a test, or a class by
what its tests share (``setUpClass``). ``./tspoquant test --quick`` leaves both out, and every run starts with the
dearest files. ``./tspoquant test --costs`` notes anew what the tests that it runs cost: of everything, of a file, or
with ``--quick`` of what has become dear there. Nothing has to be said about a test by hand.
"""

import os
import re
import unittest
from collections.abc import Mapping
from functools import cache
from pathlib import Path

LIMIT_S = 0.3
"""CPU seconds, own and of ended child processes, that no test of the inner loop reaches."""
COSTS = Path(__file__).with_name("costs.tsv")
REPOSITORY = Path(__file__).resolve().parents[3]
HEADING = "CPU_s\ttest\n"
LAWS = ("StructureTest", "LanguagesTest")
"""Files that read the sources alone and hold what a change breaks first: of the inner loop, whatever they cost."""
SHARED = "::*"
"""Ends the name of what the tests of a class share."""

slow = unittest.skipIf(os.environ.get("TSPOQUANT_QUICK"), "left out of the quick tests")
"""Marks a test, or a class of tests, that is dear and has no row yet."""


def read_costs(path: Path = COSTS) -> dict[str, float]:
    """CPU seconds by pytest's name of a test, or of a class with ``SHARED`` behind it."""
    rows = path.read_text(encoding="utf-8").splitlines()[1:]
    return {name: float(cost) for cost, name in (row.split("\t") for row in rows)}


def write_costs(costs: Mapping[str, float], path: Path = COSTS) -> None:
    """Keep what is dear and still there, by name."""
    rows = (f"{cost:.2g}\t{name}\n" for name, cost in sorted(costs.items()) if is_kept(name, cost))
    path.write_text(HEADING + "".join(rows), encoding="utf-8")


def is_kept(name: str, cost: float) -> bool:
    return cost >= LIMIT_S and Path(name.split("::")[0]).stem not in LAWS and exists(name)


def exists(name: str) -> bool:
    """Whether the file of a row still has the class and the function that it names."""
    file, *parts = name.split("::")
    defined = names_of(REPOSITORY / file)
    return bool(defined) and all(part == "*" or part in defined for part in parts)


@cache
def names_of(path: Path) -> frozenset[str]:
    """Classes and functions of a file; none where there is no such file."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return frozenset(re.findall(r"(?:class|def) (\w+)", text))


def plain(name: str) -> str:
    """A test's name without its parameters: it is left out with all of them."""
    return name.split("[")[0]


def shared(name: str) -> str:
    """The row of what a test shares with its class (without one, with its file)."""
    return plain(name).rpartition("::")[0] + SHARED


def is_dear(name: str, costs: Mapping[str, float]) -> bool:
    """Whether the inner loop leaves a test out."""
    return plain(name) in costs or shared(name) in costs


def by_file(costs: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds of all that is dear in a file."""
    files: dict[str, float] = {}
    for name, cost in costs.items():
        file = name.split("::")[0]
        files[file] = files.get(file, 0.0) + cost
    return files
