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
    rows = [scores.pop("vas_arm", None), _vt_change(baseline, followup, "foramen", lesion.level, lesion.side, model)]
    rows += scores.values()
    rows.append(_vt_change(baseline, followup, "cord", vertebra, "midline", model))
    if above_foramen:
        rows.append(_vt_change(baseline, followup, "foramen", above_foramen, lesion.side, model, "unaffected"))
    if above_cord:
        rows.append(_vt_change(baseline, followup, "cord", above_cord, "midline", model, "unaffected"))
    return tuple(row for row in rows if row is not None)


def vt_key(row: RegionOutcome) -> str:
    """The stable key of a V_T outcome: "VT_foramen_C6C7_left", "VT_cord_C7"."""
    parts = ["VT", row.structure, row.level.replace("/", "")]
    return "_".join(parts if row.side == "midline" else [*parts, row.side])


def _vt_change(
    baseline: VisitResult, followup: VisitResult, structure: str, level: str, side: str, model: str, remark: str = ""
) -> Change | None:
    before, after = (visit.row(structure, level, side, model) for visit in (baseline, followup))
    if before is None or after is None:
        return None
    root = f" (root {before.root})" if before.root else ""
    place = f"{structure} {level}" if side == "midline" else f"{structure} {level} {side}"
    return Change(
        vt_key(before), f"Vr (V_T), {place}{root}", before.VT, after.VT, "%", before.VT_se, after.VT_se, remark
    )


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
