"""What both halves of the report need: which regions matter, and what they, models and corrections are called."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..kinetics.models import MODELS
from ..levels import LEVELS, in_neck
from ..outcome.change import RegionChange, RegionValue, vt_key
from ..outcome.compare import Comparison, reference_rule
from ..outcome.record import RegionOutcome, VisitRecord
from ..regions.anatomy import OPPOSITE, reference_of
from .plots import Point
from .words import Words


@dataclass(frozen=True)
class Place:
    """A region by what it is. role: "affected", "unaffected" (by the reference rule), "contralateral", or ""."""

    structure: str
    level: str
    side: str
    role: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        return self.structure, self.level, self.side


def part_of(visits: Sequence[VisitRecord]) -> str:
    """ "neck" where no region lies below the root C8 and the cord beside it, else "spine"."""
    return "neck" if in_neck(region.level for visit in visits for region in visit.regions) else "spine"


def main_places(comparison: Comparison) -> tuple[Place, ...]:
    """The affected foramen, the cord at its level, their references, and the other side; without a lesion
    every foramen and piece of cord. Only those that some visit has."""
    lesion = comparison.lesion
    if lesion is None:
        rows = [row for row in _rows(comparison) if row.structure in ("foramen", "cord")]
        return tuple(dict.fromkeys(Place(*row.place) for row in rows))
    affected = [place for place in (lesion.foramen, lesion.cord) if place.level]
    against = [reference_of(place, reference_rule(comparison.baseline)) for place in affected]
    contralateral = Place("foramen", lesion.level, OPPOSITE[lesion.side], "contralateral")
    unaffected = [Place(*place.place, "unaffected") for place in against if place is not None]
    wanted = (
        Place(*lesion.foramen.place, "affected"),
        Place(*lesion.cord.place),
        *(place for place in unaffected if replace(place, role=contralateral.role) != contralateral),
        contralateral,
    )
    there = {row.place for row in _rows(comparison)}
    return tuple(place for place in wanted if place.level and place.place in there)


def _rows(comparison: Comparison) -> list[RegionOutcome]:
    return [row for visit in comparison.visits for row in visit.rows if row.model == comparison.model_of(row.region)]


def corrections(comparison: Comparison) -> tuple[str, ...]:
    """ "none" and the partial-volume corrections that some visit has, the primary one first."""
    methods = dict.fromkeys([comparison.pvc, "none", *(row.pvc for row in _rows(comparison))])
    return tuple(methods)


def measured_first(comparison: Comparison) -> list[str]:
    """The same, "none" first."""
    return sorted(corrections(comparison), key=lambda pvc: pvc != "none")


def rows_of(comparison: Comparison, place: Place, pvc: str) -> tuple[RegionOutcome | None, ...]:
    """The rows of a place under the model that tells it, one a visit."""
    here = [[row for row in visit.rows if (row.place, row.pvc) == (place.place, pvc)] for visit in comparison.visits]
    return tuple(next((row for row in rows if row.model == comparison.model_of(row.region)), None) for rows in here)


def changes_of(comparison: Comparison, place: Place, pvc: str) -> tuple[RegionChange | None, ...]:
    """The changes of a place under the model that tells it, one a later visit."""
    known = next((row for row in rows_of(comparison, place, pvc) if row is not None), None)
    later = comparison.visits[1:]
    if known is None:
        return (None,) * len(later)
    return tuple(comparison.change(vt_key(known), visit.session) for visit in later)


def main_values(comparison: Comparison) -> tuple[RegionValue, ...]:
    """V_T of the first main place at the first visit under the model that tells it, the primary correction first."""
    places = main_places(comparison)
    rows = [rows_of(comparison, places[0], pvc)[0] for pvc in corrections(comparison)] if places else []
    return tuple(comparison.value(comparison.baseline.session, row) for row in rows if row is not None)


def main_changes(comparison: Comparison) -> tuple[RegionChange, ...]:
    """The changes of the first main place under the model that tells it, the primary correction first."""
    places = main_places(comparison)
    if not places:
        return ()
    changes = [change for pvc in corrections(comparison) for change in changes_of(comparison, places[0], pvc)]
    return tuple(change for change in changes if change is not None)


def point_of(comparison: Comparison, place: Place, pvc: str, index: int) -> Point:
    """V_T at a visit with its 95 % interval by the whole error budget."""
    row = rows_of(comparison, place, pvc)[index]
    if row is None:
        return Point(math.nan, math.nan, math.nan)
    known = comparison.value(comparison.visits[index].session, row)
    return Point(known.VT, known.low, known.high)


def place_title(words: Words, place: Place, name: str = "", role: bool = True) -> str:
    """ "foramen C6/C7 left (root C7), affected"; the region's own name where it is no foramen or cord."""
    if place.structure not in ("foramen", "cord") or not place.level:
        return name or words.value(place.structure)
    side = "" if place.side == "midline" else words.value(place.side)
    root = LEVELS[place.level].root if place.structure == "foramen" and place.level in LEVELS else ""
    text = words(f"place.{place.structure}", level=place.level, side=side, root=root).strip()
    return f"{text}, {words.value(place.role)}" if role and place.role else text


def short_title(words: Words, place: Place, pvc: str = "none") -> str:
    """ "C6/C7 left, GTM", "cord C7": for pictures."""
    side = "" if place.side == "midline" else words.value(place.side)
    text = words(f"short.{place.structure}", level=place.level, side=side).strip()
    return text if pvc == "none" else f"{text}, {pvc}"


def region_title(words: Words, name: str, place: Place) -> str:
    """A region's own name; in other languages than English what it is, where that is told: "foramen C6/C7 gauche"."""
    if words.language == "en" or place.structure not in ("foramen", "cord") or not place.level:
        return name
    side = "" if place.side == "midline" else words.value(place.side)
    return " ".join(filter(None, (words.value(place.structure), place.level, side)))


def model_title(name: str) -> str:
    """ "1TCM (1T2k)": the name in files and the one in the study."""
    study = MODELS[name].study_name if name in MODELS else name
    return name if study == name else f"{name} ({study})"


def correction_title(words: Words, pvc: str) -> str:
    return words("pvc.none") if pvc == "none" else words("pvc.by", method=pvc)


def minutes_range(words: Words, window_s: tuple[float, float]) -> str:
    low, high = (words.significant(end / 60) for end in window_s)
    return words("minutes_range", low=low, high=high)
