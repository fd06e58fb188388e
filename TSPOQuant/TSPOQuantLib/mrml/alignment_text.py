"""What alignment found, as text that a scene can keep: registering takes minutes, reading it back does not."""

import dataclasses
import json
import math
from typing import Any

import numpy as np

from ..alignment.motion import FrameMotion
from ..alignment.pet_to_ct import PetToCt
from ..messages import InputRefused, Notice

ARRAY = "array"
"""Key of a table that stands for an array."""


def to_text(motion: FrameMotion | None, to_ct: PetToCt | None) -> str:
    """Strict JSON; numbers that JSON lacks stand as "nan" and "inf"."""
    return json.dumps({"motion": _encoded(motion), "pet_to_ct": _encoded(to_ct)}, allow_nan=False)


def from_text(text: str) -> tuple[FrameMotion | None, PetToCt | None]:
    """What ``to_text`` wrote. Raises InputRefused ("alignment-unreadable")."""
    try:
        found = json.loads(text)
        motion, to_ct = _decoded(found["motion"]), _decoded(found["pet_to_ct"])
        return FrameMotion(**motion) if motion else None, PetToCt(**to_ct) if to_ct else None
    except (ValueError, TypeError, KeyError) as error:
        raise InputRefused(
            "alignment-unreadable", "the kept alignment cannot be read ({error}); align again", error=error
        ) from error


def _encoded(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _encoded(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return {ARRAY: _encoded(value.tolist())}
    if isinstance(value, np.generic):
        return _encoded(value.item())
    if isinstance(value, list | tuple):
        return [_encoded(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if ARRAY in value:
            return np.array(value[ARRAY], dtype=float)
        found = {name: _decoded(item) for name, item in value.items()}
        return Notice.of(**found) if set(found) == {"code", "message"} else found
    if isinstance(value, list):
        return tuple(_decoded(item) for item in value)
    return float(value) if value in ("nan", "inf", "-inf") else value
