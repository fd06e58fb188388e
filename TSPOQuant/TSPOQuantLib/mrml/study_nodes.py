"""What the scene keeps of a study's results: texts, and tables, charts and maps that are made from them.

Every such node names its visit and its role in attributes, by which it is found again, also after a scene was loaded.
Results carry the fingerprint of what they were made from (see panel_state).
"""

import json
from dataclasses import dataclass

import slicer
import slicer.util

from ..alignment.motion import FrameMotion
from ..alignment.pet_to_ct import PetToCt
from ..messages import InputRefused
from ..outcome.record import VisitRecord, from_json
from ..plain import restored, to_json

SESSION = "TSPOQuant.Session"
ROLE = "TSPOQuant.Role"
MADE_FROM = "TSPOQuant.MadeFrom"
RECORD, ALIGNMENT, QUALITY, REPORT, MAP = "record", "alignment", "quality", "report", "map"
WHOLE_STUDY = "*"
"""In place of a visit's label, which has letters and digits alone."""


def find(session: str, role: str, class_name: str):
    """The first node of that visit and role, or None."""
    for node in slicer.util.getNodesByClass(class_name):
        if node.GetAttribute(SESSION) == session and node.GetAttribute(ROLE) == role:
            return node
    return None


def find_or_add(session: str, role: str, class_name: str, name: str):
    """That node; a new one under ``name`` where there is none."""
    node = find(session, role, class_name)
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass(class_name, name)
        node.SetAttribute(SESSION, session)
        node.SetAttribute(ROLE, role)
    return node


def store_text(session: str, role: str, text: str, made_from: str):
    """Keep a text, in place of an earlier one; the node."""
    node = find_or_add(session, role, "vtkMRMLTextNode", f"TSPOQuant {session} {role}")
    node.SetText(text)
    node.SetAttribute(MADE_FROM, made_from)
    return node


def text_of(session: str, role: str) -> str | None:
    node = find(session, role, "vtkMRMLTextNode")
    return node.GetText() if node is not None else None


def store_record(record: VisitRecord, made_from: str):
    """Keep a visit's record; the node."""
    return store_text(record.session, RECORD, to_json(record), made_from)


_read: dict[str, tuple[str, VisitRecord]] = {}
"""Visits' records with the text that they were read from: reading takes longer than a click may."""


def stored_record(session: str) -> VisitRecord | None:
    """The record of a visit, or None. Raises InputRefused ("record-…") where it cannot be read."""
    text = text_of(session, RECORD)
    if text is None:
        return None
    if _read.get(session, ("",))[0] != text:
        _read[session] = text, from_json(text, f"the results of visit '{session}'")
    return _read[session][1]


def has_record(session: str) -> bool:
    return find(session, RECORD, "vtkMRMLTextNode") is not None


@dataclass(frozen=True)
class _Aligned:
    """What alignment found, as a scene keeps it: registering takes minutes, reading it back does not."""

    motion: FrameMotion | None
    pet_to_ct: PetToCt | None


def store_alignment(session: str, aligned: tuple[FrameMotion | None, PetToCt | None], made_from: str):
    """Keep what ``pipeline.align_visit`` found; the node."""
    return store_text(session, ALIGNMENT, to_json(_Aligned(*aligned)), made_from)


def stored_alignment(session: str):
    """What ``store_alignment`` kept, or None. Raises InputRefused ("alignment-unreadable")."""
    text = text_of(session, ALIGNMENT)
    if text is None:
        return None
    try:
        kept = restored(_Aligned, json.loads(text))
    except (ValueError, TypeError, KeyError) as error:
        raise InputRefused(
            "alignment-unreadable", "the kept alignment cannot be read ({error}); align again", error=error
        ) from error
    return kept.motion, kept.pet_to_ct


def remove_role(session: str, role: str) -> None:
    """Take what a visit has in one role out of the scene."""
    for node in slicer.util.getNodesByClass("vtkMRMLNode"):
        if (node.GetAttribute(SESSION), node.GetAttribute(ROLE)) == (session, role):
            slicer.mrmlScene.RemoveNode(node)


def remove_results(session: str) -> None:
    """Take everything out of the scene that was made for a visit; its images, regions and choices stay."""
    for node in slicer.util.getNodesByClass("vtkMRMLNode"):
        if node.GetAttribute(SESSION) == session and node.GetAttribute(ROLE):
            slicer.mrmlScene.RemoveNode(node)
