"""Segments that say what they are: names, tags, codes and colors, and the empty ones of one affected level."""

import numpy as np
from numpy.typing import NDArray

from ..acquisition.segmentation import PRIVATE_SCHEME, TAG_PREFIX, TERMINOLOGY, Segment, Segmentation
from ..grid import Grid
from ..levels import LEVELS
from ..messages import InputRefused
from .anatomy import OPPOSITE, REFERENCE_RULES, Anatomy, reference_of

Color = tuple[float, float, float]

COLORS: dict[str, Color] = {
    "foramen left": (0.95, 0.45, 0.15),
    "foramen right": (0.95, 0.80, 0.30),
    "cord": (0.45, 0.75, 0.95),
    "blood-pool": (0.85, 0.10, 0.10),
}
_ANATOMY, _TISSUE = "SCT^123037004^Anatomical Structure", "SCT^85756007^Tissue"
# No code for a neuroforamen is verified, so it has one of our private scheme. The SNOMED codes are those of
# DICOM's own context groups 7150 and 7151 (PS3.16).
CODES = {
    "foramen": (_TISSUE, f"{PRIVATE_SCHEME}^FORAMEN^Neuroforamen"),
    "cord": (_ANATOMY, "SCT^2748008^Spinal cord"),
    "blood-pool": (_ANATOMY, "SCT^51114001^Artery"),
}


def name_of(anatomy: Anatomy) -> str:
    """The segment's name: "foramen C6/C7 left (root C7)", "cord C7", "blood pool"."""
    if anatomy.structure == "foramen":
        return f"foramen {anatomy.level} {anatomy.side} (root {LEVELS[anatomy.level].root})"
    side = "" if anatomy.side == "midline" else f" {anatomy.side}"
    return f"cord {anatomy.level}{side}" if anatomy.structure == "cord" else anatomy.structure.replace("-", " ")


def codes_of(anatomy: Anatomy) -> tuple[str, str]:
    """Category and type of a structure in ``CODES``; a foramen's says of which part of the spine."""
    category, kind = CODES[anatomy.structure]
    if anatomy.structure == "foramen" and anatomy.level in LEVELS:
        kind = f"{PRIVATE_SCHEME}^FORAMEN^{LEVELS[anatomy.level].part.capitalize()} neuroforamen"
    return category, kind


def segment_of(anatomy: Anatomy, mask: NDArray[np.bool_]) -> Segment:
    """A segment with name, color and tags for a foramen, a piece of cord or a blood pool."""
    name = name_of(anatomy)
    category, kind = codes_of(anatomy)
    tags = {"Structure": anatomy.structure, "Level": anatomy.level, "Side": anatomy.side, "Root": anatomy.root}
    own = {TAG_PREFIX + key: value for key, value in tags.items() if value}
    own["TerminologyEntry"] = TERMINOLOGY.format(category=category, kind=kind)
    color = COLORS[f"foramen {anatomy.side}" if anatomy.structure == "foramen" else anatomy.structure]
    return Segment(name.split(" (")[0].replace(" ", "_").replace("/", "_"), name, mask, color, own)


def foramen_segment(level: str, side: str, mask: NDArray[np.bool_]) -> Segment:
    return segment_of(Anatomy("foramen", level, LEVELS[level].root, side), mask)


def template(level: str, side: str, grid: Grid, reference: str = REFERENCE_RULES[0]) -> Segmentation:
    """Empty segments for one affected foramen: it, its other side, both of the reference, cord, blood pool.

    reference: the rule or region that ``anatomy.reference_of`` takes, three levels above by default.
    The cord's pieces are those of the exiting roots' vertebrae (C7 for C6/C7, where the root leaves above its own), as
    far down as there is cord.
    Raises InputRefused "template-level", "template-side".
    """
    if level not in LEVELS or not LEVELS[level].bony:
        raise InputRefused(
            "template-level",
            "no foramen is called '{level}'; known are {foramina}",
            level=level,
            foramina=", ".join(name for name, level in LEVELS.items() if level.bony),
        )
    if side not in ("left", "right"):
        raise InputRefused("template-side", "the side '{side}' is neither left nor right", side=side)
    affected = Anatomy("foramen", level, LEVELS[level].root, side)
    against = reference_of(affected, reference)
    levels = dict.fromkeys([level] if against is None else [level, against.level])
    wanted = [Anatomy("foramen", at, LEVELS[at].root, on) for at in levels for on in (side, OPPOSITE[side])]
    wanted += [Anatomy("cord", LEVELS[at].cord) for at in levels if LEVELS[at].cord]
    wanted.append(Anatomy("blood-pool"))
    return Segmentation(grid, tuple(segment_of(anatomy, np.zeros(grid.shape, dtype=bool)) for anatomy in wanted))
