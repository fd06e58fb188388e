"""What a region is, as its segment's tags or its name say, in full or in usual short forms of several languages."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..acquisition.segmentation import TAG_PREFIX
from ..levels import CORD_SEGMENTS, LEVELS, OF_ROOT, VERTEBRAE, above

FORAMINA = {name: level.root for name, level in LEVELS.items() if level.part == "cervical" and level.bony}
"""Those of the neck, which are proposed and offered: level to the root that leaves through it."""

STRUCTURES = ("foramen", "cord", "blood-pool", "vertebra", "other")
ANATOMY_ONLY = ("vertebra", "blood-pool")
"""Structures that are drawn for orientation or for the input function, not quantified."""
SIDES = ("left", "right", "midline")
OPPOSITE = {"left": "right", "right": "left"}
STEPS_ABOVE = {"three-above": 3, "one-above": 1}
"""Levels above the affected one, on its side; three is the study's own rule."""
CONTRALATERAL = "contralateral"
REFERENCE_RULES = (*STEPS_ABOVE, CONTRALATERAL)
CARRIED_TAG = TAG_PREFIX + "CarriedFrom"
"""On a segment that was brought here from another visit: that visit's session."""

_CORD = re.compile(
    r"\b((hemi|spinal)?cord|moelle|myelon|medulla|medullaire|(rucken|ruecken|hals|brust)mark|midollo|medula|ruggenmerg)\b"
)
_FORAMEN = re.compile(r"foram(en|ina|e\b)|\btrous? de conj|\bagujero\b|\b(nf|ivf|fiv|ln)\b")
_NERVE = re.compile(
    r"\b(roots?|racines?|drg|grd|ganglion|nr|nw[ks]?|(nerven)?wurzel|spinalganglion|spinalnerv|(spinal|exiting) nerve"
    r"|nerf (spinal|rachidien)|radice|raiz|(zenuw)?wortel|(nerf|nerve|nervio|nervo|zenuw)(?= [ctls]h?\d)"
    r"|(?<=\d )nerve)\b"
)
"""A root or its ganglion: it is found in the foramen where the root leaves."""
_IN_CANAL = re.compile(r"\b(traversing|descending|intrathecal|cauda|rootlets?|radicelles?|preganglionic)\b")
"""A root on its way down the canal, above its foramen."""
_BLOOD_POOL = re.compile(
    r"\bblood[ -]?pool\b|\bpool sanguin\b|\bcarotid(s|e|es)?\b|\bcarotis\b|\bbl(ut|oed) ?pool\b|\baort(a|ic|e|ique)\b"
)
_VERTEBRA = re.compile(
    r"\bvertebra[es]?\b|\bvertebres?\b|\bvertebral body\b|\bcorps vertebral\b|\b(wirbel(korper)?|wervel)\b"
)
_NOT_OURS = re.compile(
    r"\bmoelle osseuse\b|\bvocal cord|\bforamen (magnum|oval|transvers|jugul)"
    r"|\bvertebral artery\b|\bartere vertebrale\b|\b(medulla oblongata|moelle allongee)\b"
    r"|\b(stella|sympath|c(o?e)liac|coeliaque|geniculate|trigemin)"
)
"""What only sounds like cord, foramen, vertebra or the ganglion of a root."""
_LEFT = re.compile(
    r"\b(left|lt|gauche|gche|links|linke[rsn]?|sinistr[ao]|sx|lks|izquierd[ao]|izq|izd[ao]|esquerd[ao])\b"
)
_RIGHT = re.compile(r"\b(right|rt|droite?|dte|rechts|rechte[rsn]?|destr[ao]|dx|rts|derech[ao]|dch[ao]|direit[ao])\b")
_LETTERS = {"l": "left", "li": "left", "g": "left", "r": "right", "re": "right", "d": "right"}
_PART = r"(c|th|t|d|l|s)"
_PAIR = re.compile(rf"(?<![a-z0-9]){_PART}(\d\d?) ?(?:[/–—-] ?{_PART}?|{_PART})(\d\d?)([lrgd]?)(?![a-z0-9])")
_SINGLE = re.compile(rf"(?<![a-z0-9]){_PART}(\d\d?)([lrgd]?)(?![a-z0-9])")
_ROOT = re.compile(
    rf"\(?\b(?:root|racine) {_PART}(\d\d?)\b\)?|(?<![a-z0-9/–—-])(?<!\d ){_PART}(\d\d?) (?:nerve )?(?:root|racine)\b"
)
_GLUED = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=[A-Z]?[a-z]{3})|(?<=\d)(?=(?:LEFT|RIGHT|GAUCHE|DROITE?)\b)")
"""Where words of one name touch: "ForamenC6C7Left"."""
_SIDE_FIRST = re.compile(rf"\b(left|right|gauche|droite?|links|rechts|[lr])(?={_PART}\d)")
_RUN = re.compile(r"(?<![a-z0-9])([cl])(\d)[.,]?(\d)(?!\d)")
"""Neighbors written as one number: "L45", "C6.7"."""
_WIRBEL = re.compile(r"\b(hw|bw|lw)[ks]? ?(?=\d)")
"""German short forms of cervical, thoracic and lumbar vertebrae: "HWK 6/7", "BWK 12/LWK 1"."""
_PARTS = {"c": "C", "th": "T", "t": "T", "d": "T", "l": "L", "s": "S"}
"""First letters of vertebrae; French counts thoracic ones as dorsal."""


@dataclass(frozen=True)
class Anatomy:
    """What a region is. level: "C6/C7" for a foramen, the vertebral level "C7" for a piece of cord, else ""."""

    structure: str
    level: str = ""
    root: str = ""
    side: str = "midline"

    @property
    def place(self) -> tuple[str, str, str]:
        """What regions of one person are told apart by: structure, level and side."""
        return self.structure, self.level, self.side

    @property
    def named(self) -> dict[str, Any]:
        """The four by name, for what is told of this region elsewhere."""
        return {"structure": self.structure, "level": self.level, "root": self.root, "side": self.side}


@dataclass(frozen=True)
class Named:
    """What a name says. level: also of a structure that is not known; "" for none. root: as told beside a level.

    places: every pair and vertebra that the name tells, known or not ("C5/C7").
    sides: those that it tells, in words before letters.
    of_nerve: it names a root or its ganglion, which is read as the foramen where the root leaves.
    """

    structure: str
    level: str
    root: str
    sides: tuple[str, ...]
    places: tuple[str, ...]
    of_nerve: bool = False

    @property
    def side(self) -> str:
        return self.sides[0] if len(self.sides) == 1 else "midline"

    @property
    def anatomy(self) -> Anatomy:
        """A foramen without a level that there is counts as another region, as all whose name says nothing known."""
        if self.structure == "foramen" and self.level:
            return Anatomy("foramen", self.level, LEVELS[self.level].root, self.side)
        if self.structure in ("cord", "vertebra"):
            return Anatomy(self.structure, self.level, side=self.side if self.structure == "cord" else "midline")
        return Anatomy("blood-pool" if self.structure == "blood-pool" else "other", side=self.side)


def reference_of(place: Anatomy, rule: str) -> Anatomy | None:
    """What stands for unaffected tissue beside a foramen or a piece of cord; None where there is no such place.

    rule: one of ``REFERENCE_RULES``, or the name of a region, which serves its own structure alone.
    """
    if rule in STEPS_ABOVE:
        level = above(place.level, STEPS_ABOVE[rule])
        if level is None:
            return None
        return replace(place, level=level, root=LEVELS[level].root if level in LEVELS else "")
    if rule == CONTRALATERAL:
        return replace(place, side=OPPOSITE[place.side]) if place.side in OPPOSITE else None
    named = read_name(rule).anatomy
    return named if named.structure == place.structure and named.level and named != place else None


def read_name(name: str) -> Named:
    """What a segment's name tells of it.

    >>> read_name("C6-7 L").anatomy
    Anatomy(structure='foramen', level='C6/C7', root='C7', side='left')
    >>> read_name("moelle C7").anatomy
    Anatomy(structure='cord', level='C7', root='', side='midline')
    """
    text = _spelled(name)
    root = _ROOT.search(text)
    named_root = _vertebra(root[1] or root[3], root[2] or root[4]) if root else ""
    rest = _ROOT.sub(" ", text)
    pair = _PAIR.search(rest)
    singles = [] if pair else list(_SINGLE.finditer(rest))
    level, places = "", [_vertebra(match[1], match[2]) for match in singles]
    structure = _structure(text)
    if pair:
        upper = _vertebra(pair[1], pair[2])
        lower = _vertebra(pair[3] or pair[4] or pair[1], pair[5])
        places = [f"{upper}/{lower}"]
    bare = not re.sub(r"[^a-z]|\b(li|re|[lrgd])\b", "", _RIGHT.sub(" ", _LEFT.sub(" ", _PAIR.sub(" ", rest))))
    elsewhere = _NOT_OURS.search(text) or _IN_CANAL.search(text)
    of_nerve = structure == "other" and bool(_NERVE.search(text)) and not elsewhere
    known = structure != "other" or of_nerve or bool(places or named_root)
    letters = _sides_by_letter(rest, [pair[6]] if pair else [match[3] for match in singles], known)
    sides = tuple(side for side, words in (("left", _LEFT), ("right", _RIGHT)) if words.search(text)) or letters
    of_nerve = of_nerve and len(places) + bool(named_root and not pair) == 1
    if of_nerve or (structure == "other" and pair and bare and sides):
        structure = "foramen"
    if structure in ("foramen", "other") and pair:
        level = places[0] if places[0] in LEVELS else ""
    elif structure == "foramen" and (places or named_root):
        leaves = OF_ROOT.get(places[0] if places else named_root)
        level = leaves.name if leaves and len(places) <= 1 else ""
    elif structure in ("cord", "vertebra") and len(places) == 1 and places[0] in VERTEBRAE:
        level = places[0]
    return Named(structure, level, named_root, sides, tuple(places), of_nerve)


def _spelled(name: str) -> str:
    """In small letters without accents, a space between words."""
    text = " ".join(_GLUED.sub(" ", without_accents(name).replace("_", " ")).lower().split())
    text = _WIRBEL.sub(lambda short: {"hw": "c", "bw": "t", "lw": "l"}[short[1]], text)
    return _RUN.sub(_as_pair, _SIDE_FIRST.sub(r"\1 ", text))


def _as_pair(run: re.Match[str]) -> str:
    part, upper, lower = run.groups()
    return f"{part}{upper}/{lower}" if int(lower) == int(upper) + 1 else run[0]


def _structure(text: str) -> str:
    if _NOT_OURS.search(text):
        return "other"
    known = (("foramen", _FORAMEN), ("cord", _CORD), ("blood-pool", _BLOOD_POOL), ("vertebra", _VERTEBRA))
    return next((structure for structure, pattern in known if pattern.search(text)), "other")


def _sides_by_letter(text: str, behind: Sequence[str], known: bool) -> tuple[str, ...]:
    """behind: letters that follow a level without a space. known: whether the name tells a structure or a place;
    without, G and D are as likely the names of the fourth and the seventh region."""
    letters = re.findall(r"(?<![a-z0-9/])(li|re|[lrgd])(?![a-z0-9/])", text)
    letters = [letter for letter in letters if known or letter in "lr"] + [letter for letter in behind if letter]
    return tuple(dict.fromkeys(_LETTERS[letter] for letter in letters))


def _vertebra(part: str, number: str) -> str:
    return f"{_PARTS[part]}{int(number)}"


def without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def identify(name: str, tags: Mapping[str, str]) -> Anatomy:
    """What a segment is: from its TSPOQuant tags, completed by its name, else from the name alone.

    A name that says nothing known is an "other" region: anything can be quantified.
    """
    own = own_tags(tags)
    by_name = read_name(name).anatomy
    if own.get("Structure") not in STRUCTURES:
        return by_name
    same = by_name if by_name.structure == own["Structure"] else Anatomy("other")
    level = own.get("Level", same.level)
    root = LEVELS[level].root if own["Structure"] == "foramen" and level in LEVELS else ""
    return Anatomy(own["Structure"], level, own.get("Root", root), own.get("Side", same.side))


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that say what a segment is: Structure, Level, Root and Side, as far as they are there."""
    found = {key.removeprefix(TAG_PREFIX): value for key, value in tags.items() if key.startswith(TAG_PREFIX)}
    return {key: value for key, value in found.items() if key in ("Structure", "Level", "Root", "Side") and value}


def has_cord(vertebra: str) -> bool:
    """Whether the cord, not roots alone, lies behind a vertebra."""
    return vertebra in CORD_SEGMENTS
