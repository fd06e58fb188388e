"""What makes a neck unlike the textbook's: narrow foramina, spurs, thick facets, posture, fused levels, implants.

Every size here is an assumption. Nothing of it is in the plain neck.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..levels import SIZES_MM
from ..messages import InputRefused

LEVELS = tuple(SIZES_MM)
VERTEBRAE = ("C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2")
RANGES = {
    "foramina": (0.6, 1.2),
    "spurs": (0.0, 3.0),
    "facets": (0.0, 2.5),
    "lean": (-30.0, 30.0),
    "turn": (-20.0, 20.0),
    "tilt": (-20.0, 20.0),
}
"""Beyond these a neck is none, leaves the field, or has no foramina left."""
LISTED = {"fused": LEVELS, "metal": LEVELS, "missing": VERTEBRAE}


@dataclass(frozen=True)
class Shape:
    """One neck's ailments and posture.

    foramina: their height and width over the published ones. spurs: how far, in mm, half a ball of bone stands out of
    the front wall (the uncus) of every foramen. facets: by how much, in mm, the joints' hypertrophy narrows every
    foramen from behind. lean, turn, tilt: of the whole neck in degrees, forward, to the left and to the left shoulder.
    fused: levels whose bodies and joints are one bone. missing: vertebrae that the segmentation leaves out. metal:
    levels whose disc is an implant (its streaks are not simulated). contrast: whether arteries are full of it.
    """

    foramina: float = 1.0
    spurs: float = 0.0
    facets: float = 0.0
    lean: float = 0.0
    turn: float = 0.0
    tilt: float = 0.0
    fused: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    metal: tuple[str, ...] = ()
    contrast: bool = False

    @property
    def turned(self) -> NDArray[np.float64]:
        """4 x 4 about the origin, LPS: turned to the left, tilted, then leant forward."""
        a, b, c = np.deg2rad([self.lean, self.tilt, self.turn])
        forward = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        sideways = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
        about_up = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        matrix = np.eye(4)
        matrix[:3, :3] = forward @ sideways @ about_up
        return matrix


PLAIN = Shape()


def shape_of(words: str) -> Shape:
    """What "foramina=0.75,spurs=2,fused=C5/C6+C6/C7,contrast" says. Raises InputRefused ("phantom-shape")."""
    found: dict[str, float | bool | tuple[str, ...]] = {}
    for part in (word.strip() for word in words.split(",") if word.strip()):
        name, _, value = part.partition("=")
        names = tuple(word.strip() for word in value.split("+"))
        low, high = RANGES.get(name, (math.inf, -math.inf))
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        new = name not in found
        if new and low <= number <= high:
            found[name] = number
        elif new and name in LISTED and set(names) <= set(LISTED[name]):
            found[name] = names
        elif new and part == "contrast":
            found[name] = True
        else:
            raise InputRefused(
                "phantom-shape",
                "'{part}' is no shape of the phantom's neck; give, with commas between, some of {ranges}, "
                "fused=C5/C6, metal=C5/C6, missing=C5 (several joined by +), contrast",
                part=part,
                ranges=", ".join(f"{name}={low:g} to {high:g}" for name, (low, high) in RANGES.items()),
            )
    return Shape(**found)  # type: ignore[arg-type]


def described(shape: Shape) -> dict[str, object]:
    """What is unlike the plain neck, for the truth's file."""
    factors = {field.name: getattr(shape, field.name) for field in fields(shape)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in factors.items()
        if value != getattr(PLAIN, name)
    }
