"""Names and tags of drawn segments that cannot stand: two of one place, tags that say another thing than the name."""

import re
from collections.abc import Sequence

from ..acquisition.segmentation import Segment, Segmentation
from ..levels import LEVELS, OF_ROOT
from ..messages import InputRefused, Notice, Notices, quoted
from .anatomy import ANATOMY_ONLY, STRUCTURES, Anatomy, Named, has_cord, identify, own_tags, read_name
from .region import plain_name

QUANTIFIED = ("foramen", "cord", "blood-pool")
"""Structures that a result rests on."""
MOST_NAMED = 5
"""In one sentence."""


def check_names(segments: Sequence[Segment]) -> tuple[Notice, ...]:
    """What is not understood of the names; to be called before regions are quantified.

    Raises InputRefused: "region-tags" (tags and name disagree), "region-root" (level and root do), "region-twice" (two
    segments are one place, or their results would have one name).
    """
    known: dict[tuple[str, ...], str] = {}
    notices = Notices()
    for segment in segments:
        name, named, tags = plain_name(segment.name), read_name(segment.name), own_tags(segment.tags)
        tagged = tags.get("Structure") in STRUCTURES
        _check_root(name, named)
        if tagged:
            _check_tags(name, named, tags)
        anatomy = identify(segment.name, segment.tags)
        place = _place(name, anatomy)
        if place is not None:
            if known.get(place, name) != name:  # two of one name are refused where regions are made
                raise InputRefused(
                    "region-twice",
                    "'{first}' and '{second}' are the same place, {place}: keep one of them, and remove the other or "
                    "give it a name of another place",
                    first=known[place],
                    second=name,
                    place=_described(anatomy) if anatomy.level else name,
                )
            known[place] = name
        if not tagged:
            _tell_unclear(name, named, notices)
    return tuple(notices)


def undrawn_notices(segmentation: Segmentation) -> tuple[Notice, ...]:
    """Tell of names whose labels hold no voxel, those of what is quantified here first.

    A table of a whole atlas lists much that no image shows: of one in which most is missing, only those are told.
    """
    ours: list[str] = []
    others: list[str] = []
    for name in segmentation.undrawn:
        (ours if read_name(name).structure in QUANTIFIED else others).append(plain_name(name))
    named = [*ours, *others] if len(segmentation.undrawn) <= len(segmentation.segments) else ours
    if not named:
        return ()
    return (
        Notice(
            "segmentation-empty",
            "the segmentation or its table lists {names} ({count} in all), of which nothing is drawn: each was lost "
            "or never drawn, and has no result",
            names=quoted(named[:MOST_NAMED]),
            count=len(named),
        ),
    )


def _place(name: str, anatomy: Anatomy) -> tuple[str, ...] | None:
    """What results are told apart by; None for what is not quantified."""
    if anatomy.structure in ANATOMY_ONLY:
        return None
    if anatomy.structure in ("foramen", "cord") and anatomy.level:
        return anatomy.place
    return (re.sub(r"\W+", "_", name).strip("_"),)


def _check_root(name: str, named: Named) -> None:
    if named.root and named.structure == "foramen" and named.level and LEVELS[named.level].root != named.root:
        raise InputRefused(
            "region-root",
            "'{name}' names the level {level}, where the root {right} leaves, and the root {root}; correct its name",
            name=name,
            level=named.level,
            right=LEVELS[named.level].root,
            root=named.root,
        )


def _check_tags(name: str, named: Named, tags: dict[str, str]) -> None:
    """Where the name says something that the tags say otherwise, none of both can be believed."""
    level, side = tags.get("Level", ""), tags.get("Side", "")
    root = tags.get("Root", "")
    differs = (
        (named.structure != "other" and named.structure != tags["Structure"])
        or (named.level and level and named.level != level)
        or (named.side != "midline" and side and named.side != side)
        or (root and level in LEVELS and root != LEVELS[level].root)
    )
    if differs:
        raise InputRefused(
            "region-tags",
            "the name of '{name}' and its tags ({tags}) say different things; give it the name that its tags say, or "
            "add a segment of the right name and copy it there (Segment Editor, Logical operators)",
            name=name,
            tags=", ".join(value for value in (tags["Structure"], level, side, root) if value),
        )


def _tell_unclear(name: str, named: Named, notices: Notices) -> None:
    """Tell of levels and sides that a name tells, or should tell, and that did not reach the results."""
    places = named.places or ((named.root,) if named.root else ())
    if named.structure == "foramen" and not named.level:
        notices.add(
            "region-level",
            "'{name}' names a foramen and no level that there is; it is taken for a region of its own, without "
            "level: a name like 'foramen C6/C7 left' is understood",
            name=name,
        )
    elif named.structure == "foramen":
        if named.of_nerve:
            notices.add(
                "region-from-root",
                "'{name}' names a root or its ganglion and is read as the foramen where the root leaves, {level}; if "
                "it lies elsewhere, as in the canal, say so in its name ('traversing root')",
                name=name,
                level=named.level,
            )
        if named.side == "midline":
            notices.add("region-side", "'{name}' does not say whether it is the left or the right one", name=name)
    elif named.structure == "cord" and named.level and not has_cord(named.level):
        notices.add(
            "region-level",
            "'{name}' names cord at {level}, where the canal holds roots alone",
            name=name,
            level=named.level,
        )
    elif named.structure == "other" and len(places) == 1 and places[0] in OF_ROOT:
        notices.add(
            "region-level",
            "'{name}' names {place}, and is taken for a region without level: if it is the foramen where the root "
            "{place} leaves, name it '{suggestion}'",
            name=name,
            place=places[0],
            suggestion=f"foramen {OF_ROOT[places[0]].name} {named.side if named.sides else 'left'}",
        )
    elif named.structure != "blood-pool" and places and (named.structure == "other" or not named.level):
        notices.add(
            "region-level",
            "'{name}' names {place}, and is taken for a region without level: names like 'foramen C6/C7 left' and "
            "'cord C7' are understood",
            name=name,
            place=places[0],
        )


def _described(anatomy: Anatomy) -> str:
    side = "" if anatomy.side == "midline" else f" {anatomy.side}"
    return f"{anatomy.structure} {anatomy.level}{side}"
