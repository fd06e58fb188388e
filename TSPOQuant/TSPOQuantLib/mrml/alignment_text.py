"""What alignment found, as text that a scene can keep: registering takes minutes, reading it back does not."""

import json
from dataclasses import dataclass

from ..alignment.motion import FrameMotion
from ..alignment.pet_to_ct import PetToCt
from ..messages import InputRefused
from ..plain import restored, to_json


@dataclass(frozen=True)
class _Kept:
    motion: FrameMotion | None
    pet_to_ct: PetToCt | None


def to_text(motion: FrameMotion | None, to_ct: PetToCt | None) -> str:
    return to_json(_Kept(motion, to_ct))


def from_text(text: str) -> tuple[FrameMotion | None, PetToCt | None]:
    """What ``to_text`` wrote. Raises InputRefused ("alignment-unreadable")."""
    try:
        kept = restored(_Kept, json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise InputRefused(
            "alignment-unreadable", "the kept alignment cannot be read ({error}); align again", error=error
        ) from error
    return kept.motion, kept.pet_to_ct
