"""Input functions of one's own cohort, as ``input template`` keeps them for scans with few blood samples or none."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..messages import InputRefused
from ..plain import restored, to_json

Array = NDArray[np.float64]

FORMAT = 1
FILE = "template.json"
FEWEST_PEOPLE = 3
"""With fewer people nothing is known of how people differ once one is left out: a choice."""


@dataclass(frozen=True, eq=False)
class CohortScan:
    """One scan of the cohort.

    person: tells which scans are of one person, and nothing else. parent_plasma, whole_blood: (times,) kBq/mL at the
    population's times; whole blood nan where it was not measured. injected_mbq, weight_kg: None where not told.
    """

    person: int
    parent_plasma: Array
    whole_blood: Array
    injected_mbq: float | None = None
    weight_kg: float | None = None

    @property
    def suv_scale(self) -> float | None:
        """Injected activity over body weight, MBq/kg; None where either is not known."""
        if self.injected_mbq is None or self.weight_kg is None:
            return None
        return self.injected_mbq / self.weight_kg


@dataclass(frozen=True)
class LeftOut:
    """How far one scan's results lay off with the template of all other people.

    scan: its number in the population, from 1. scaled_by: "suv", or the samples' times. area: under parent plasma,
    over that of its own input. model: of the V_T; "" where the scan has no curves of tissue. curves: how many. median,
    worst: of V_T over that with its own input, minus 1; worst: the one farthest from 0. inside: curves whose 95 %
    interval by the template holds V_T with its own input. width: median half width of that interval, of ln V_T.
    """

    scan: int
    scaled_by: str
    area: float
    model: str = ""
    curves: int = 0
    median: float = float("nan")
    worst: float = float("nan")
    inside: int = 0
    width: float = float("nan")


@dataclass(frozen=True, eq=False)
class Population:
    """Scans of one tracer, injected in one way. times_s: (times,) seconds after the tracer's arrival in blood.

    administration: "bolus" and the like, infusion_s: how long it was injected; None where no file tells it.
    left_out: what leaving out one person at a time came to.
    """

    format: int
    tracer: str | None
    administration: str | None
    infusion_s: float | None
    times_s: Array
    scans: tuple[CohortScan, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def people(self) -> int:
        return len({scan.person for scan in self.scans})

    @property
    def weights(self) -> Array:
        """Of every scan in a mean over people (scans,): all people count alike, however often they were scanned."""
        counts = Counter(scan.person for scan in self.scans)
        return np.array([1 / counts[scan.person] / len(counts) for scan in self.scans])

    @property
    def key(self) -> str:
        """Tells whether two visits used the same one."""
        return hashlib.sha256(to_json(replace(self, left_out=())).encode()).hexdigest()[:12]

    def without(self, person: int) -> "Population":
        return replace(self, scans=tuple(scan for scan in self.scans if scan.person != person))


def read_population(path: Path) -> Population:
    """Read what ``input template`` wrote. Raises InputRefused ("template-…")."""
    try:
        found = restored(Population, json.loads(path.read_text(encoding="utf-8")))
        counts = {len(found.times_s), *(len(curve) for s in found.scans for curve in (s.parent_plasma, s.whole_blood))}
        known = len(counts) == 1 and all(np.isfinite(s.parent_plasma).all() for s in found.scans)
        if found.format > FORMAT or not known or not (np.diff(found.times_s) > 0).all():
            raise ValueError("of a newer version, or with gaps")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputRefused(
            "template-unreadable",
            "{path} is no template that 'input template' wrote; name its {file}",
            path=path,
            file=FILE,
        ) from error
    check_people(found)
    return found


def check_people(population: Population) -> None:
    """Refuse ("template-few-people") a template of fewer than ``FEWEST_PEOPLE`` people."""
    if population.people < FEWEST_PEOPLE:
        raise InputRefused(
            "template-few-people",
            "a template of {people} people tells nothing of how people differ; {fewest} are the least",
            people=population.people,
            fewest=FEWEST_PEOPLE,
        )
