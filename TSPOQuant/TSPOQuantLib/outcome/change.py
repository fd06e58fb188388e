"""What a comparison tells: the change of every region, contrasts within a visit, and the study's Table 1."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..messages import Notice
from ..regions.anatomy import REFERENCE_RULES, Anatomy, reference_of
from .budget import BudgetPart, VisitPart, relative_error
from .clinical import FIRST, ClinicalChange, Lesion
from .record import RegionOutcome, VisitRecord
from .repeatability import Verdict

NO_PVC = "none"
ContrastKind = Literal["unaffected", "contralateral", "other levels"]


@dataclass(frozen=True, kw_only=True)
class OfRegion(Anatomy):
    """Whose V_T it is: a region's, under one model and correction.

    outcome: stable key ("VT_foramen_C6C7_left", "…_pvc-GTM").
    """

    outcome: str
    region: str
    model: str
    pvc: str


@dataclass(frozen=True, kw_only=True)
class RegionValue(OfRegion):
    """One region's V_T (mL/cm³) at one visit, under one model, as exactly as the whole error budget knows it.

    VT_se: of the fit alone (noise); total_se: with the whole budget. low, high: 95 % interval
    by that, symmetric on the log scale, Student's t with degrees_of_freedom; 0 and infinity where the size of an error
    is unknown. All three are nan where V_T was not estimated. budget: the error's components.
    """

    session: str
    VT: float
    VT_se: float
    total_se: float
    degrees_of_freedom: float
    low: float
    high: float
    budget: tuple[VisitPart, ...]
    flags: tuple[Notice, ...]


@dataclass(frozen=True, kw_only=True)
class RegionChange(OfRegion):
    """The change of one region's V_T (mL/cm³) between the first visit and a later one, under one model.

    baseline_se, followup_se: of the fit alone (noise); baseline_total_se, followup_total_se: with the whole budget.
    percent = 100 difference / baseline. log_ratio = ln(followup / baseline); log_ratio_se: root of the summed budget;
    degrees_of_freedom: of that error (Welch-Satterthwaite). ratio_low, ratio_high: 95 % interval of
    followup / baseline, symmetric on the log scale; percent_low, percent_high: the same as a change in %. nan where
    V_T was not estimated. primary: the one of Table 1: by the model that tells it, as measured (without partial-volume
    correction).
    """

    primary: bool
    baseline_session: str
    followup_session: str
    baseline: float
    baseline_se: float
    baseline_total_se: float
    followup: float
    followup_se: float
    followup_total_se: float
    difference: float
    difference_se: float
    percent: float
    percent_low: float
    percent_high: float
    log_ratio: float
    log_ratio_se: float
    degrees_of_freedom: float
    ratio_low: float
    ratio_high: float
    budget: tuple[BudgetPart, ...]
    baseline_flags: tuple[Notice, ...]
    followup_flags: tuple[Notice, ...]
    verdict: Verdict

    @property
    def relative_errors(self) -> tuple[float, float]:
        """Standard errors of ln V_T at the first visit and at the later one; infinite where there is none."""
        return (
            relative_error(self.baseline, self.baseline_total_se),
            relative_error(self.followup, self.followup_total_se),
        )


@dataclass(frozen=True)
class Contrast:
    """The affected region against another one of the same visit, or several; errors that both share cancel.

    kind: "unaffected" (by the study's reference), "contralateral" or "other levels": the geometric mean of all
    foramina that do not lie at the affected level, two at least, which all visits have with a V_T under this model and
    correction; against then names them all. There is no choice in it. ratio = value / other with its 95 %
    interval (log scale); difference = value - other, mL/cm³, with its standard error.
    change_*: of the ratio against the first visit's ratio: in %, with 95 % interval; None at the first visit.
    """

    kind: ContrastKind
    session: str
    region: str
    against: str
    structure: str
    model: str
    pvc: str
    value: float
    other: float
    ratio: float
    ratio_se: float
    ratio_low: float
    ratio_high: float
    difference: float
    difference_se: float
    change_percent: float | None
    change_low: float | None
    change_high: float | None


@dataclass(frozen=True, kw_only=True)
class FurtherMeasure(Anatomy):
    """Another measure of the same region, beside V_T of the first model.

    measure: "SUV" (g/mL), "TBR-PP", "TBR-WB" (ratios; see kinetics.ratios) or another model ("Logan", V_T in mL/cm³;
    "Patlak", K_i in mL/cm³/min).
    values: one a visit, nan where it cannot be had. percents: change against the first visit, one a later visit.
    window_s: the frames averaged, None for a model.
    """

    measure: str
    region: str
    pvc: str
    unit: str
    values: tuple[float, ...]
    percents: tuple[float, ...]
    window_s: tuple[float, float] | None


@dataclass(frozen=True)
class Change:
    """One row of Table 1: an outcome at two visits.

    difference = followup - baseline; percent = 100 * difference / baseline (nan where baseline is 0, or where V_T was
    not estimated at both visits).
    baseline_se, followup_se: standard errors of the two values where they have one (V_T, from the fit), else None.
    percent_low, percent_high: 95 % interval of the change with the whole error budget, nan where there is none.
    change_unit: how its change is told, "%", "points" or "grade". primary: the V_T that the study's question is about.
    """

    outcome: str
    title: str
    baseline: float
    followup: float
    change_unit: str
    baseline_se: float | None = None
    followup_se: float | None = None
    remark: str = ""
    percent_low: float = math.nan
    percent_high: float = math.nan
    primary: bool = False
    baseline_session: str = "baseline"
    followup_session: str = "followup"
    estimated: bool = True

    @property
    def difference(self) -> float:
        return self.followup - self.baseline

    @property
    def percent(self) -> float:
        return 100 * self.difference / self.baseline if self.baseline and self.estimated else math.nan

    @property
    def change(self) -> float:
        """The change as the study's table tells it: percent for pain and V_T, else the difference."""
        return self.percent if self.change_unit == "%" else self.difference


def table1(
    changes: Sequence[RegionChange],
    scores: Sequence[ClinicalChange],
    lesion: Lesion | None,
    rule: str = REFERENCE_RULES[0],
) -> tuple[Change, ...]:
    """Arm pain, V_T of the affected foramen, strength and disability, as in the study; then the cord at that level
    and the study's unaffected tissue by ``rule`` (``anatomy.reference_of``). Without a lesion: every foramen and cord.

    changes: of one later visit, each region's by the model that tells it.
    """
    rows = [_of_score(score) for score in scores]
    pain = [row for row, score in zip(rows, scores, strict=True) if score.score.measures in FIRST]
    others = [row for row, score in zip(rows, scores, strict=True) if score.score.measures not in FIRST]
    if lesion is None:
        places = [(*c.place, "") for c in changes if c.structure in ("foramen", "cord")]
        return (*pain, *others, *_at(changes, tuple(dict.fromkeys(places)), None))
    affected = (*lesion.foramen.place, "")
    against = [reference_of(place, rule) for place in (lesion.foramen, lesion.cord) if place.level]
    unaffected = [(*place.place, "unaffected") for place in against if place is not None]
    further = ((*lesion.cord.place, ""), *unaffected)
    return (*pain, *_at(changes, (affected,), affected), *others, *_at(changes, further, affected))


def _at(
    changes: Sequence[RegionChange],
    places: Sequence[tuple[str, str, str, str]],
    affected: tuple[str, str, str, str] | None,
) -> list[Change]:
    """The changes at places (structure, level, side, remark), as measured first and as corrected after it."""
    rows = []
    for place in places:
        *where, remark = place
        if affected is not None and not where[1]:
            continue  # no cord at a lumbar level
        here = [c for c in changes if c.place == tuple(where)]
        rows += [_of_region(c, remark, place == affected) for c in here]
    return rows


def _of_region(change: RegionChange, remark: str, affected: bool) -> Change:
    root = f" (root {change.root})" if change.root else ""
    name = " ".join(part for part in (change.structure, change.level, change.side) if part and part != "midline")
    corrected = "" if change.pvc == NO_PVC else f"corrected ({change.pvc})"
    primary = affected and change.primary
    remarks = ", ".join(part for part in (remark, corrected, "primary" if primary else "") if part)
    return Change(
        outcome=change.outcome,
        title=f"Vr (V_T), {name}{root}",
        baseline=change.baseline,
        followup=change.followup,
        change_unit="%",
        baseline_se=change.baseline_se,
        followup_se=change.followup_se,
        remark=remarks,
        percent_low=change.percent_low,
        percent_high=change.percent_high,
        primary=primary,
        baseline_session=change.baseline_session,
        followup_session=change.followup_session,
        estimated=math.isfinite(change.percent),
    )


def _of_score(score: ClinicalChange) -> Change:
    bands = f"{score.baseline_band} to {score.followup_band}" if score.baseline_band else ""
    return Change(
        outcome=score.score.key,
        title=score.score.title,
        baseline=score.baseline,
        followup=score.followup,
        change_unit=score.score.change,
        remark=", ".join(part for part in (bands, *score.remarks) if part),
        baseline_session=score.baseline_session,
        followup_session=score.followup_session,
    )


def uptake_changes(besides: Sequence[FurtherMeasure], visits: Sequence[VisitRecord], later: int) -> tuple[Change, ...]:
    """Rows of Table 1 where no visit has a V_T: SUV and SUVR, as measured, of every foramen and cord, else of all."""
    uptake = [measure for measure in besides if measure.measure in ("SUV", "SUVR") and measure.pvc == NO_PVC]
    main = [measure for measure in uptake if measure.structure in ("foramen", "cord")] or uptake
    return tuple(
        Change(
            outcome=outcome_key(measure.measure, measure),
            title=f"{measure.measure}, {measure.region}",
            baseline=measure.values[0],
            followup=measure.values[later],
            change_unit="%",
            baseline_session=visits[0].session,
            followup_session=visits[later].session,
        )
        for measure in main
        if math.isfinite(measure.values[0]) and math.isfinite(measure.values[later])
    )


def vt_key(row: RegionOutcome) -> str:
    """The stable key of a V_T outcome: "VT_foramen_C6C7_left", "VT_cord_C7", "VT_cord_C7_pvc-GTM"; a region of no
    known level goes by its name ("VT_my_muscle")."""
    return outcome_key("VT", row)


def outcome_key(quantity: str, row: RegionOutcome | FurtherMeasure) -> str:
    """The key of any quantity of a region."""
    place = [row.structure, row.level.replace("/", "")] if row.level else [re.sub(r"\W+", "_", row.region).strip("_")]
    parts = [quantity, *place]
    parts += [] if row.side == "midline" or not row.level else [row.side]
    return "_".join(parts if row.pvc == NO_PVC else [*parts, f"pvc-{row.pvc}"])
