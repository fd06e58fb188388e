"""The cervical levels: which root leaves through which foramen, and what a segment's name or tags say of it.

Cervical roots leave above the like-numbered vertebra (C7 through C6/C7); C8 leaves at C7/T1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..acquisition.segmentation import TAG_PREFIX

VERTEBRAE = ("C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2")
FORAMINA = {
    "C2/C3": "C3",
    "C3/C4": "C4",
    "C4/C5": "C5",
    "C5/C6": "C6",
    "C6/C7": "C7",
    "C7/T1": "C8",
}
"""Foramen level to the root that leaves through it."""

STRUCTURES = ("foramen", "cord", "blood-pool", "vertebra", "other")
ANATOMY_ONLY = ("vertebra", "blood-pool")
"""Structures that are drawn for orientation or for the input function, not quantified."""
SIDES = ("left", "right", "midline")
CARRIED_TAG = TAG_PREFIX + "CarriedFrom"
"""On a segment that was brought here from another visit: that visit's session."""


@dataclass(frozen=True)
class Anatomy:
    """What a region is. level: "C6/C7" for a foramen, the vertebral level "C7" for a piece of cord, else ""."""

    structure: str
    level: str = ""
    root: str = ""
    side: str = "midline"


def three_levels_above(level: str) -> str | None:
    """The study's unaffected reference: the foramen or cord level three cervical levels above; None beyond C2."""
    order = list(FORAMINA) if level in FORAMINA else list(VERTEBRAE)
    index = order.index(level) - 3
    return order[index] if index >= 0 else None


def identify(name: str, tags: Mapping[str, str]) -> Anatomy:
    """What a segment is: from its TSPOQuant tags, else from a name like "foramen C6/C7 left" or "cord C7".

    A name that says nothing known is an "other" region: anything can be quantified.
    """
    own = {key.removeprefix(TAG_PREFIX): value for key, value in tags.items() if key.startswith(TAG_PREFIX)}
    if own.get("Structure") in STRUCTURES:
        level = own.get("Level", "")
        return Anatomy(own["Structure"], level, own.get("Root", FORAMINA.get(level, "")), own.get("Side", "midline"))
    text = name.lower().replace("_", " ")
    side = next((s for s in ("left", "right") if re.search(rf"\b{s}\b", text)), "midline")
    pair = re.search(r"\b([ct]\d)\s*[/-]\s*([ct]\d)\b", text)
    if "foramen" in text and pair:
        level = f"{pair[1]}/{pair[2]}".upper()
        return Anatomy("foramen", level, FORAMINA.get(level, ""), side)
    single = re.search(r"\b([ct]\d)\b", text)
    if "cord" in text:
        return Anatomy("cord", single[1].upper() if single else "")
    if re.search(r"\bblood[ -_]?pool\b|\bcarotids?\b|\baort(a|ic)\b", text):
        return Anatomy("blood-pool", side=side)
    if "vertebra" in text:
        return Anatomy("vertebra", single[1].upper() if single else "")
    return Anatomy("other", side=side)
