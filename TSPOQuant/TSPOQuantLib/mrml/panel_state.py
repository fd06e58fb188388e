"""What state each section of the panel is in. Decided here, without Qt and without Slicer.

A section is done with the inputs that its result was made from. A result carries the fingerprint of those inputs;
when the fingerprint of the present inputs is another one, the result is out of date. Fingerprints are of contents,
never of node IDs or modification times, so that they mean the same after a scene is saved and loaded.
"""

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

SECTIONS = ("study", "fusion", "regions", "input", "kinetics", "report")


class State(enum.Enum):
    """What is to be done about a section."""

    TO_DO = "to do"
    READY = "ready"
    DONE = "done"
    OUT_OF_DATE = "out of date"


@dataclass(frozen=True)
class Step:
    """One section's case.

    missing: what has to be done before it can be run, "" if nothing. inputs: fingerprint of the present inputs.
    made_from: fingerprint of the inputs that its result was made from, "" without a result.
    """

    missing: str
    inputs: str
    made_from: str


def state_of(step: Step) -> State:
    """A result counts for as long as it was made from what is there now, and all of that is there."""
    if step.missing:
        return State.TO_DO
    if step.made_from:
        return State.DONE if step.made_from == step.inputs else State.OUT_OF_DATE
    return State.READY


def study_state(missing: str, unknown: bool) -> State:
    """The first section computes nothing: it is ready with the images, done when nothing is left open."""
    if missing:
        return State.TO_DO
    return State.READY if unknown else State.DONE


def fingerprint(parts: Mapping[str, object]) -> str:
    """A short hash of what JSON can tell; the order of the parts does not matter."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
