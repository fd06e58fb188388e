"""The levels of the spine: between which vertebrae a foramen lies, and what belongs to it.

Cervical roots leave above the like-numbered vertebra (C7 through C6/C7), C8 leaves at C7/T1; from there down a root
leaves below the like-numbered vertebra (L5 through L5/S1).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

VERTEBRAE = (
    *(f"C{number}" for number in range(1, 8)),
    *(f"T{number}" for number in range(1, 13)),
    *(f"L{number}" for number in range(1, 6)),
    "S1",
    "S2",
)
"""Downward; of the sacrum those between which the S1 root leaves."""
CORD_SEGMENTS: Mapping[str, str] = MappingProxyType(
    {
        **{f"C{number}": f"C{number + 1}" for number in range(1, 8)},
        **{f"T{number}": f"T{number + 2}" for number in range(1, 7)},
        **{f"T{number}": f"T{number + 3}" for number in range(7, 10)},
        "T10": "L1-L2",
        "T11": "L3-L4",
        "T12": "L5-S1",
        "L1": "S2-Co1",
    }
)
"""Which segment of the cord lies behind a vertebra, by Chipault's rule [textbook]: about one segment varies between
people. The cord ends at the lower third of L1 on average, between T12 and L3 [Saifuddin 1998, Spine 23:1452]: below L1
the canal holds roots, no cord."""
SIZES_MM: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "C2/C3": (10.15, 6.34),
        "C3/C4": (8.09, 5.73),
        "C4/C5": (8.00, 6.03),
        "C5/C6": (8.18, 6.11),
        "C6/C7": (8.43, 6.83),
        "C7/T1": (7.97, 7.33),
    }
)
"""Height and width: a published CT study of 320 people aged 16 to 37. Of lower levels no figures by level, and none of
the length, were at hand: the volume of their foramina is not checked."""
LUMBAR_SIZE_MM = (17.46, 9.08)
"""Height and width, the mean over L1/L2 to L5/S1 of 600 people aged 18 to 35 [Harianja et al., Anatomic Assessment of
L1-S1 Neuroforaminal Dimensions Using Computed Tomography, Loma Linda]; not by level. Its width is the sagittal one."""


@dataclass(frozen=True)
class Level:
    """One level. name: "C6/C7". upper, lower: vertebrae. root: which leaves there.

    cord: the vertebra behind which the piece of cord lies that is compared with this foramen, that of the root's
    number (T1 for C8), "" where there is no cord any more. size_mm: height and width of the foramen as published, None
    where no figure was at hand. bony: the root leaves through a canal between two pedicles (not at C1/C2).
    """

    name: str
    upper: str
    lower: str
    root: str
    cord: str
    size_mm: tuple[float, float] | None
    bony: bool

    @property
    def part(self) -> str:
        """ "cervical", "thoracic", "lumbar" or "sacral", by the upper vertebra."""
        return {"C": "cervical", "T": "thoracic", "L": "lumbar", "S": "sacral"}[self.upper[0]]

    @property
    def code(self) -> str:
        """Of our own coding scheme."""
        return self.name.replace("/", "-")


def _level(upper: str, lower: str) -> Level:
    name = f"{upper}/{lower}"
    root = "C8" if upper == "C7" else lower if upper[0] == "C" else upper
    vertebra = lower if upper[0] == "C" else upper
    cord = vertebra if vertebra in CORD_SEGMENTS else ""
    size = LUMBAR_SIZE_MM if upper[0] == "L" else SIZES_MM.get(name)
    return Level(name, upper, lower, root, cord, size, bony=upper != "C1")


LEVELS: Mapping[str, Level] = MappingProxyType(
    {level.name: level for level in (_level(upper, lower) for upper, lower in pairwise(VERTEBRAE))}
)
"""By name, downward."""
OF_ROOT: Mapping[str, Level] = MappingProxyType({level.root: level for level in LEVELS.values()})


def above(level: str, steps: int) -> str | None:
    """The foramen or the vertebra so many levels above another; None beyond C2 (C2/C3), where foramina begin."""
    order: Sequence[str] = (
        [known.name for known in LEVELS.values() if known.bony] if level in LEVELS else VERTEBRAE[1:]
    )
    if level not in order:
        return None
    index = order.index(level) - steps
    return order[index] if index >= 0 else None


def in_neck(levels: Iterable[str]) -> bool:
    """Whether none of the levels of foramina and cord ("" for a region without one) lies below C7/T1 and the cord at
    T1."""
    return all(level[:1] in ("", "C") or level == "T1" for level in levels)
