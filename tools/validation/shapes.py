"""Foramina proposed on necks that are unlike the textbook's: small, worn, bent, fused, operated, badly labeled."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.phantom.anatomy import Foramen
from TSPOQuantLib.phantom.shape import Shape, shape_of
from TSPOQuantLib.regions.proposals import WITHIN_MM, Proposal, propose_foramina

from .document import Section, goal_below, paragraphs, table
from .regions import labeled, neck

TITLE = "Foramina in necks of every shape: simulated"
SHAPES = (
    "",
    "foramina=0.7",
    "spurs=1",
    "spurs=2",
    "spurs=3",
    "facets=1.5",
    "facets=2.5",
    "foramina=0.8,spurs=2,facets=1",
    "lean=25,turn=15",
    "lean=-25,tilt=15",
    "contrast",
    "fused=C5/C6",
    "missing=C5",
    "metal=C5/C6",
)
SEED = 3
LEVELS = ("C4/C5", "C5/C6", "C6/C7")
BINS = (0.5, 0.8, 0.95, 1.01)


@dataclass(frozen=True, eq=False)
class Found:
    """One foramen that was looked for, and how far its center is from the true one; None where it has none."""

    proposal: Proposal
    distance_mm: float | None

    @property
    def proposed(self) -> bool:
        return self.proposal.segment is not None


def middle_grid() -> Grid:
    """The part of the fast CT in which ``LEVELS`` lie, in any of the postures."""
    matrix = np.diag([1.0, 1.0, 1.5, 1.0])
    matrix[:3, 3] = [-37.87, -33.89, -44.08]
    return Grid((60, 106, 76), matrix)


def proposals(shape: Shape, seed: int) -> tuple[Found, ...]:
    """What is proposed at ``LEVELS`` in one neck of a shape, in the order of its foramina."""
    anatomy, ct = neck(seed, shape, middle_grid())
    found, _ = propose_foramina(labeled(anatomy, seed, shape.missing), ct)
    pairs = zip(found, anatomy.foramina, strict=True)
    return tuple(Found(one, _distance(one, true)) for one, true in pairs if true.level in LEVELS)


def _distance(proposal: Proposal, true: Foramen) -> float | None:
    if proposal.canal is None:
        return None
    return float(np.linalg.norm(proposal.canal.center - true.center_lps_mm))


def row(said: str, found: Sequence[Found]) -> list[str]:
    distances = [one.distance_mm for one in found if one.proposed and one.distance_mm is not None]
    codes = sorted({one.proposal.code for one in found if not one.proposed})
    return [
        said or "plain",
        f"{len(distances)} of {len(found)}",
        f"{np.median(distances):.1f}" if distances else "–",
        f"{max(distances):.1f}" if distances else "–",
        ", ".join(f"`{code}`" for code in codes) or "–",
    ]


def calibration(found: Sequence[Found]) -> list[list[str]]:
    """What was said of proposals, against how many of them were within 2 mm."""
    made = [
        (one.proposal.confidence, one.distance_mm) for one in found if one.proposed and one.distance_mm is not None
    ]
    rows = []
    for low, high in pairwise(BINS):
        inside = [(said, distance) for said, distance in made if low <= said < high]
        if inside:
            said = float(np.mean([one for one, _ in inside]))
            held = sum(distance <= WITHIN_MM for _, distance in inside)
            rows.append(
                [f"{low:.2f} to {min(high, 1):.2f}", f"{len(inside)}", f"{said:.2f}", f"{held / len(inside):.2f}"]
            )
    return rows


def section(quick: bool) -> Section:
    shapes = {said: proposals(shape_of(said), SEED) for said in SHAPES[: 1 if quick else None]}
    every = [one for found in shapes.values() for one in found]
    distances = [one.distance_mm for one in every if one.proposed and one.distance_mm is not None]
    texts = (
        f"""**Simulated**: one neck (seed {SEED}) in each shape, three levels on both sides, CT of 1 × 1 × 1.5 mm with
        noise, labels of 1.5 mm with ±1 voxel of boundary noise. The shape is what `./tspoquant phantom --shape` takes;
        all sizes are assumptions. Distances are those of what was proposed.""",
        table(
            ["shape", "proposed", "median, mm", "largest, mm", "declined as"],
            [row(said, found) for said, found in shapes.items()],
        ),
        f"What the confidence said, against how many lay within {WITHIN_MM:g} mm:",
        table(["confidence", "foramina", "said on average", "within"], calibration(every)),
    )
    goals = (
        goal_below("necks of every shape, proposed foramina: median distance", float(np.median(distances)), 1.5, "mm"),
        goal_below("necks of every shape, proposed foramina: largest distance", max(distances), 3, "mm"),
    )
    return Section(TITLE, paragraphs(*texts), goals)
