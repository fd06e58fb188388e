"""The change between two visits, beside the clinical scores: the study's Table 1."""

import math
from dataclasses import dataclass

from ..regions.anatomy import three_levels_above
from .clinical import SCORES, Clinical, Lesion, ndi_band
from .visit import RegionOutcome, VisitResult


@dataclass(frozen=True)
class Change:
    """One outcome at two visits.

    difference = followup - baseline; percent = 100 * difference / baseline (nan where baseline is 0).
    baseline_se, followup_se: standard errors of the two values where they have one (V_T), else None.
    told: how its change is told, "%", "points" or "grade".
    """

    outcome: str
    title: str
    baseline: float
    followup: float
    told: str
    baseline_se: float | None = None
    followup_se: float | None = None
    remark: str = ""

    @property
    def difference(self) -> float:
        return self.followup - self.baseline

    @property
    def percent(self) -> float:
        return 100 * self.difference / self.baseline if self.baseline else math.nan

    @property
    def change(self) -> float:
        """The change as the study's table tells it: percent for pain and V_T, else the difference."""
        return self.percent if self.told == "%" else self.difference


def table1(
    baseline: VisitResult, followup: VisitResult, clinical: Clinical | None, lesion: Lesion, model: str
) -> tuple[Change, ...]:
    """Arm pain, V_T of the affected foramen, strength and disability, as in the study; then the cord at that level
    and the study's unaffected tissue, both three levels above (same side)."""
    vertebra = lesion.level.split("/")[1]
    above_foramen, above_cord = three_levels_above(lesion.level), three_levels_above(vertebra)
    scores = {c.outcome: c for c in _score_changes(baseline, followup, clinical)}
    places = [
        ("foramen", lesion.level, lesion.side, ""),
        ("cord", vertebra, "midline", ""),
        ("foramen", above_foramen or "", lesion.side, "unaffected"),
        ("cord", above_cord or "", "midline", "unaffected"),
    ]
    affected, *others = (_vt_changes(baseline, followup, place, model) for place in places)
    rows = [scores.pop("vas_arm", None), *affected, *scores.values(), *(row for rows in others for row in rows)]
    return tuple(row for row in rows if row is not None)


def vt_key(row: RegionOutcome) -> str:
    """The stable key of a V_T outcome: "VT_foramen_C6C7_left", "VT_cord_C7", "VT_cord_C7_pvc-GTM"."""
    parts = ["VT", row.structure, row.level.replace("/", "")]
    parts += [] if row.side == "midline" else [row.side]
    return "_".join(parts if row.pvc == "none" else [*parts, f"pvc-{row.pvc}"])


def _vt_changes(
    baseline: VisitResult, followup: VisitResult, place: tuple[str, str, str, str], model: str
) -> list[Change]:
    """The change at a place (structure, level, side, remark), as measured and, where there is one, as corrected."""
    structure, level, side, remark = place
    changes = []
    for pvc in dict.fromkeys(row.pvc for row in baseline.rows):
        before, after = (visit.row(structure, level, side, model, pvc) for visit in (baseline, followup))
        if before is None or after is None:
            continue
        name = " ".join(part for part in (before.structure, before.level, before.side) if part != "midline")
        root = f" (root {before.root})" if before.root else ""
        told = ", ".join(part for part in (remark, "" if pvc == "none" else f"corrected ({pvc})") if part)
        title = f"Vr (V_T), {name}{root}"
        changes.append(Change(vt_key(before), title, before.VT, after.VT, "%", before.VT_se, after.VT_se, told))
    return changes


def _score_changes(baseline: VisitResult, followup: VisitResult, clinical: Clinical | None) -> list[Change]:
    if clinical is None:
        return []
    before, after = (clinical.visits.get(visit.session, {}) for visit in (baseline, followup))
    changes = []
    for key, score in SCORES.items():
        if key in before and key in after:
            remark = f"{ndi_band(before[key])} to {ndi_band(after[key])}" if key == "ndi" else ""
            changes.append(Change(key, score.title, before[key], after[key], score.change, remark=remark))
    return changes
