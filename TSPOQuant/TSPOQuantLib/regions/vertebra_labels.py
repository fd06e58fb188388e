"""What the tools that label vertebrae call them: one table of names, codes and numbers."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..acquisition.segmentation import Segment, Segmentation
from ..messages import InputRefused
from .anatomy import without_accents

LEVELS = tuple(f"{part}{n}" for part, most in (("C", 7), ("T", 12), ("L", 5), ("S", 1)) for n in range(1, most + 1))
"""From above downward."""
NECK = LEVELS[: LEVELS.index("T2") + 1]
MOST_SHARED = 0.5
"""Of a label, in another vertebra's: labels that were resampled one by one share a rim. A choice."""
SPACING_MM = {"C": 17.0, "T": 24.0, "L": 36.0, "S": 36.0}
SPACING_RATIO = 1.4
"""From one vertebra's middle to the next one's, by part of the spine, and the factor that it may differ by: choices,
which tell tools apart whose numbers mean a neck with the one and a lumbar spine with the other."""

_LEVEL = r"(?P<part>c|th|t|l|s) ?(?P<number>\d{1,2})"
_WORDS = r"(vertebrae?|vert|vertebre|vertebra|wirbel(korper)?|wervel)"
_PARTS = {
    **dict.fromkeys(("c", "hw", "hals", "cervical", "cervicale"), "C"),
    **dict.fromkeys(("t", "th", "d", "bw", "brust", "thoracic", "thoracique", "dorsale"), "T"),
    **dict.fromkeys(("l", "lw", "lenden", "lumbar", "lombaire"), "L"),
    "s": "S",
}
_NAMES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_WORDS}( (cervicale|thoracique|dorsale|lombaire))? ?{_LEVEL}",  # TotalSegmentator, TotalSpineSeg
        rf"{_LEVEL} (vertebral body|{_WORDS})( structure)?",  # DICOM, Slicer's terminology
        _LEVEL,
        rf"{_WORDS} (?P<part>d) ?(?P<number>\d{{1,2}})",  # French counts thoracic vertebrae as dorsal
        r"(?P<part>hw|bw|lw)[ks]? ?(?P<number>\d{1,2})",
        r"(?P<part>hals|brust|lenden)wirbel(korper)? ?(?P<number>\d{1,2})",
        r"(?P<number>\d{1,2}) (?P<part>hals|brust|lenden)wirbel(korper)?",
        rf"(?P<part>cervical|thoracic|lumbar) {_WORDS} (?P<number>\d{{1,2}})",
    )
)
"""Of a whole name in lower case without accents, its separators turned to spaces."""
_OWN_NAMES = {"atlas": "C1", "atlas c1": "C1", "c1 atlas": "C1", "axis": "C2", "axis c2": "C2", "c2 axis": "C2"}
_BODY = re.compile(r"vertebrae? body( \d+)?|vertebral bod(y|ies)")

# DICOM PS3.16, context group 7603.
_CODES = (
    *("14806007", "39976000", "113205007", "5329002", "36978003", "36054005", "87391001"),  # C1 to C7
    *("64864005", "53733008", "1626008", "73071006", "56401006", "45296009", "62487009"),  # T1 to T7
    *("11068009", "82687006", "7610001", "12989004", "23215003"),  # T8 to T12
    *("66794005", "14293000", "36470004", "11994002", "49668003"),  # L1 to L5
)
SNOMED = dict(zip(_CODES, LEVELS[:-1], strict=True))


@dataclass(frozen=True)
class Numbering:
    """How a tool numbers vertebrae. numbers: level by label value. others: what it may number besides."""

    tools: str
    numbers: Mapping[int, str]
    others: Collection[int]

    @property
    def downward(self) -> bool:
        """Whether a lower vertebra has a larger number."""
        first, second = sorted(self.numbers)[:2]
        return LEVELS.index(self.numbers[first]) < LEVELS.index(self.numbers[second])


def _numbered(*runs: tuple[int, str, int, int]) -> dict[int, str]:
    """Runs of (first number, part, first level, last level)."""
    found = {}
    for start, part, first, last in runs:
        step = 1 if last >= first else -1
        for offset, level in enumerate(range(first, last + step, step)):
            found[start + offset] = f"{part}{level}"
    return found


NUMBERINGS = (
    Numbering(
        "VerSe, SPINEPS, CTSpine1K, RSNA 2022",
        _numbered((1, "C", 1, 7), (8, "T", 1, 12), (20, "L", 1, 5)),
        (25, 26, 27, 28, *range(100, 1000)),
    ),
    Numbering(
        "TotalSegmentator 2",
        _numbered((26, "S", 1, 1), (27, "L", 5, 1), (32, "T", 12, 1), (44, "C", 7, 1)),
        range(1, 118),
    ),
    Numbering("TotalSegmentator 1", _numbered((18, "L", 5, 1), (23, "T", 12, 1), (35, "C", 7, 1)), range(1, 105)),
    Numbering("TotalSegmentator vertebrae_mr", _numbered((2, "L", 5, 1), (7, "T", 12, 1), (19, "C", 7, 1)), (1,)),
    Numbering(
        "TotalSpineSeg",
        _numbered((11, "C", 1, 7), (21, "T", 1, 12), (41, "L", 1, 5)),
        (1, 2, 46, 47, 50, *range(60, 101)),
    ),
)
"""Of label maps whose labels have no names."""


def level_of(segment: Segment) -> str:
    """The vertebra that a segment is, by its name, its ID or its code, else "".

    An ID may be older than the name. Raises InputRefused "vertebrae-code": name and code say different vertebrae.
    """
    named, coded = level_named(segment.name) or level_named(segment.id), _level_coded(segment)
    if coded and level_named(segment.name) not in ("", coded):
        raise InputRefused(
            "vertebrae-code",
            "the label '{name}' has the code of vertebra {coded}; correct its name or its terminology",
            name=segment.name,
            coded=coded,
        )
    return named or coded


def _level_coded(segment: Segment) -> str:
    """The vertebra that a segment's terminology says, else ""."""
    for key in ("SegmentedPropertyType", "TerminologyEntry"):
        for scheme, code, meaning in re.findall(r"(\w+)\^([\w-]+)\^([^~^|]+)", segment.tags.get(key, "")):
            if scheme == "SCT" and code in SNOMED:
                return SNOMED[code]
            level = level_named(meaning)
            if level:
                return level
    return ""


def level_named(name: str) -> str:
    """The vertebra that a name means ("vertebrae_C5", "VERT_C5", "C5", "vertèbre C5", "HWK 5"), else ""."""
    text = " ".join(re.sub(r"[_\-.()]+", " ", without_accents(name).lower()).split())
    matches = (pattern.fullmatch(text) for pattern in _NAMES)
    level = next((f"{_PARTS[match['part']]}{int(match['number'])}" for match in matches if match), "")
    return level if level in LEVELS else _OWN_NAMES.get(text, "")


def vertebra_segments(segmentation: Segmentation) -> dict[str, int]:
    """The position of each vertebra's segment, from above downward; empty where no label is one.

    Raises InputRefused "vertebrae-twice", "vertebrae-bodies" (labels of bodies that name no level),
    "vertebrae-numbers" (labels without names whose numbers fit several tools), "vertebrae-code" and
    "vertebrae-overlap" (a label lies in others: a copy under another name).
    """
    drawn = [(place, segment) for place, segment in enumerate(segmentation.segments) if segment.mask.any()]
    levels = [(level_of(segment), place) for place, segment in drawn]
    if not any(level for level, _ in levels):
        if any(_BODY.fullmatch(" ".join(segment.name.lower().split("_"))) for _, segment in drawn):
            raise InputRefused(
                "vertebrae-bodies",
                "the labels hold vertebral bodies and no levels; give labels of whole vertebrae, each with its level",
            )
        levels = _by_number(segmentation, drawn)
    found: dict[str, int] = {}
    for level, place in levels:
        if level and level in found:
            raise InputRefused("vertebrae-twice", "two labels are called vertebra {level}; correct them", level=level)
        if level:
            found[level] = place
    _refuse_overlap({level: segmentation.segments[place].mask for level, place in found.items()})
    return {level: found[level] for level in LEVELS if level in found}


def _refuse_overlap(masks: Mapping[str, NDArray[np.bool_]]) -> None:
    drawn, twice = np.zeros((), dtype=bool), np.zeros((), dtype=bool)
    for mask in masks.values():
        twice, drawn = twice | (drawn & mask), drawn | mask
    for level, mask in masks.items():
        if np.count_nonzero(mask & twice) > MOST_SHARED * np.count_nonzero(mask):
            raise InputRefused(
                "vertebrae-overlap",
                "most of the label of vertebra {level} lies in another vertebra's, too; one of them is a copy: remove "
                "it",
                level=level,
            )


def _by_number(segmentation: Segmentation, drawn: Sequence[tuple[int, Segment]]) -> list[tuple[str, int]]:
    """Levels of labels without names, where one tool's numbers fit their order in the body."""
    heights: dict[int, tuple[float, int]] = {}
    for place, segment in drawn:
        match = re.fullmatch(r"(segment|label|value)?[_ ]*(\d{1,3})", segment.name.lower())
        if match:
            middle = segmentation.grid.to_lps(np.argwhere(segment.mask).mean(axis=0)[::-1])
            heights[int(match[2])] = (float(middle[2]), place)
    middles = {number: height for number, (height, _) in heights.items()}
    fits = [numbering for numbering in NUMBERINGS if _fits(numbering, middles)]
    fits = [fit for fit in fits if _as_far_apart(fit, middles)] or fits
    if not fits:
        return []
    if len(fits) > 1:
        raise InputRefused(
            "vertebrae-numbers",
            "the labels have no names, and their numbers fit several tools ({tools}); put a table of names beside "
            "them",
            tools="; ".join(fit.tools for fit in fits),
        )
    numbers = fits[0].numbers
    return [(numbers[number], place) for number, (_, place) in heights.items() if number in numbers]


def _fits(numbering: Numbering, heights: Mapping[int, float]) -> bool:
    """Whether at least two vertebrae are among the numbers, and all lie in the right order; below the neck, where more
    tools have such numbers, also as far apart as such vertebrae do."""
    present = sorted(number for number in heights if number in numbering.numbers)
    if any(number not in numbering.numbers and number not in numbering.others for number in heights):
        return False
    if len(present) < 2:
        return False
    steps = np.diff([heights[number] for number in present])
    if not ((steps < 0).all() if numbering.downward else (steps > 0).all()):
        return False
    neck = sum(numbering.numbers[number] in NECK for number in present)
    return neck >= 2 or _as_far_apart(numbering, heights)


def _as_far_apart(numbering: Numbering, heights: Mapping[int, float]) -> bool:
    """Whether the vertebrae that the numbers mean would lie so far apart."""
    present = sorted(number for number in heights if number in numbering.numbers)
    steps = np.diff([heights[number] for number in present])
    places = [LEVELS.index(numbering.numbers[number]) for number in present]
    usual = [SPACING_MM[LEVELS[max(pair)][0]] * abs(pair[1] - pair[0]) for pair in pairwise(places)]
    ratio = float(np.median(np.abs(steps) / usual))
    return 1 / SPACING_RATIO <= ratio <= SPACING_RATIO
