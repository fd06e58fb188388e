"""Which visit came first: by what labels of sessions say, and whether the dates of the scans say it, too."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from ..messages import Listed, Notice

FIRST_SESSIONS = (
    *("baseline", "bl", "pre", "preop", "before", "test", "screening", "initial", "start", "inclusion", "intake"),
    "first",
)
"""Labels of a first visit that do not come first by letters."""
LATER = re.compile(
    r"post.*|after.*|follow.*|fu\d*|final.*|last.*|end|end(point|of).*|eo[st]|discharge|exit|retest", re.IGNORECASE
)
"""Labels that say that another visit came before."""
DAYS = {"d": 1, "day": 1, "w": 7, "wk": 7, "week": 7, "m": 30, "mo": 30, "month": 30, "y": 365, "yr": 365, "year": 365}
AFTER = re.compile(
    rf"(?P<unit>{'|'.join(DAYS)})s?(?P<number>\d+)|(?P<count>\d+)(?P<name>{'|'.join(DAYS)})s?", re.IGNORECASE
)
"""Labels that say how long after the first visit one was: week12, 6months."""
LONGEST_NUMBER = 20
"""Digits of a number in a label; a date with its time has 14."""
BEFORE_ALL, PLAIN, LATER_BY_WORD, LATER_BY_TIME = range(4)


def session_order(session: str) -> tuple[int, str]:
    """Sessions by label, those of FIRST_SESSIONS first: a dataset without dates tells no other order.

    Numbers in labels count as numbers, and times as times: m6 comes before m12, and week12 before month6. Words of
    LATER come after other words, and a time beyond the first day after all words: month6 after inclusion and followup,
    day1 before post.
    """
    place = BEFORE_ALL if session.lower() in FIRST_SESSIONS else LATER_BY_WORD if LATER.fullmatch(session) else PLAIN
    after = AFTER.fullmatch(session)
    if after:
        unit, number = after["unit"] or after["name"], after["number"] or after["count"]
        days = int(number) * DAYS[unit.lower()]
        session, place = f"day{days}", PLAIN if days <= 1 else LATER_BY_TIME
    return place, re.sub(r"\d+", lambda match: match[0].zfill(LONGEST_NUMBER), session)


def in_order(sessions: Iterable[str]) -> list[str]:
    """One person's sessions by ``session_order``; a word of LATER is no first visit where there is any other."""
    ordered = sorted(sessions, key=session_order)
    first = next((label for label in ordered if session_order(label)[0] != LATER_BY_WORD), None)
    return ordered if first is None else [first, *(label for label in ordered if label != first)]


def labels_tell(first: str, other: str) -> bool:
    """Whether two labels say which visit came first, and are not merely in the order of the alphabet."""
    (place, word), (other_place, other_word) = session_order(first), session_order(other)
    if AFTER.fullmatch(first) and AFTER.fullmatch(other):
        return True
    if place != other_place:  # a follow-up may be before or after the third month
        return {place, other_place} != {LATER_BY_WORD, LATER_BY_TIME}
    counted = (re.sub(r"\d", "", word.lower()), re.sub(r"\d", "", other_word.lower()))
    return counted[0] == counted[1] or len(counted[0]) == len(counted[1]) == 1


def moment(text: str) -> datetime | None:
    """A date and time as ISO 8601 writes it, by the clock of its place; None where it is none."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None


def dated(starts: Sequence[datetime | None]) -> tuple[datetime | None, ...]:
    """When scans began; None for all where they bear one date, as headers do that were made anonymous with it."""
    days = {start.date() for start in starts if start is not None}
    return tuple(starts) if len(days) > 1 else (None,) * len(starts)


def order_guesses(people: Mapping[str, Sequence[tuple[str, datetime | None]]]) -> list[Notice]:
    """Tell of people whose first visit neither labels nor dates tell.

    people: by participant, the sessions in the order in which they are taken, each with its start (see ``dated``).
    """
    found: dict[tuple[str, str], list[str]] = {}
    for who, visits in people.items():
        for (first, start), (other, later) in ((visits[0], visit) for visit in visits[1:]):
            if not labels_tell(first, other) and (start is None or later is None):
                found.setdefault((first, other), []).append(f"sub-{who}")
    return [
        Notice(
            "session-order",
            "neither labels nor dates tell whether {first} or {other} came first ({people}): {first} is taken for the "
            "first visit, and changes have the wrong sign if it is not; call the first one baseline",
            first=first,
            other=other,
            people=Listed(who),
        )
        for (first, other), who in found.items()
    ]
