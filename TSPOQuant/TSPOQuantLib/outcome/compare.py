"""Two visits or more against the first: what has changed, and how sure that is."""

from dataclasses import dataclass
from typing import Literal

from ..errors import Notice
from .change import Change
from .clinical import Clinical, Lesion
from .comparability import Finding
from .record import VisitRecord


@dataclass(frozen=True)
class BudgetSettings:
    """Assumed sizes of what no scan tells: standard deviations. None is published: each is a choice of ours.

    input_scale: of scanner against blood counter, as a fraction. delay_s: of the input against the tissue.
    placement_mm, registration_mm: root mean square distance in space (1/sqrt(3) of it along each axis) of the drawn
    region and of the CT against the PET. fwhm_mm: of the assumed resolution.
    resolution_correlation: between visits on one scanner: the same wrong FWHM is used at both, so that its error
    cancels in part. All other errors count as independent between visits, which is the cautious choice.
    """

    input_scale: float = 0.05
    delay_s: float = 2.0
    placement_mm: float = 1.0
    registration_mm: float = 0.5
    fwhm_mm: float = 0.5
    resolution_correlation: float = 0.9


@dataclass(frozen=True)
class BudgetPart:
    """One component of the error of a change, as standard deviations of ln V_T.

    component: stable: "noise", "input-calibration", "input-scale", "plasma-ratio", "parent-fraction", "delay",
    "placement", "registration", "resolution". baseline, followup: of each visit's V_T. change: of the log ratio, with
    the correlation between the visits. assumed: the size that was assumed, in words ("5 %"); "" where data told it.
    """

    component: str
    baseline: float
    followup: float
    correlation: float
    change: float
    assumed: str


@dataclass(frozen=True)
class Verdict:
    """Whether a change is beyond measurement error, which only a repeatability coefficient can tell.

    code: "beyond" (both rules), "within" (neither), "rules-differ", "unknown" (no coefficient for this model and
    structure), "not-estimated" (no V_T at one visit). wcv: within-subject coefficient of variation, a fraction.
    limit_percent: the difference rule's limit, % of the baseline. limit_log: the log rule's limit of the size of
    ln(followup / baseline).
    source: of the coefficient. text: one or two English sentences.
    """

    code: Literal["beyond", "within", "rules-differ", "unknown", "not-estimated"]
    wcv: float | None
    limit_percent: float | None
    limit_log: float | None
    beyond_by_difference: bool | None
    beyond_by_log: bool | None
    source: str
    text: str


@dataclass(frozen=True)
class RegionChange:
    """The change of one region's V_T (mL/cm³) between the first visit and a later one, under one model.

    outcome: stable key ("VT_foramen_C6C7_left", "…_pvc-GTM"). baseline_se, followup_se: of the fit alone (noise);
    baseline_total_se, followup_total_se: with the whole budget. percent = 100 difference / baseline.
    log_ratio = ln(followup / baseline); log_ratio_se: root of the summed budget; degrees_of_freedom: of that error
    (Welch-Satterthwaite). ratio_low, ratio_high: 95 % interval of followup / baseline, symmetric on the log scale;
    percent_low, percent_high: the same as a change in %. nan where V_T was not estimated.
    primary: the one of Table 1: first model, as measured (without partial-volume correction).
    """

    baseline_session: str
    followup_session: str
    outcome: str
    region: str
    structure: str
    level: str
    root: str
    side: str
    model: str
    pvc: str
    primary: bool
    baseline: float
    followup: float
    baseline_se: float
    followup_se: float
    baseline_total_se: float
    followup_total_se: float
    difference: float
    difference_se: float
    percent: float
    log_ratio: float
    log_ratio_se: float
    degrees_of_freedom: float
    ratio_low: float
    ratio_high: float
    percent_low: float
    percent_high: float
    budget: tuple[BudgetPart, ...]
    baseline_flags: tuple[Notice, ...]
    followup_flags: tuple[Notice, ...]
    verdict: Verdict


@dataclass(frozen=True)
class Contrast:
    """The affected region against another one of the same visit; errors that both share cancel.

    kind: "unaffected" (same side, three levels above) or "contralateral". ratio = value / other with its 95 %
    interval (log scale); difference = value - other, mL/cm³, with its standard error.
    change_*: of the ratio against the first visit's ratio: in %, with 95 % interval; None at the first visit.
    """

    kind: Literal["unaffected", "contralateral"]
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


@dataclass(frozen=True)
class Beside:
    """Another measure of the same region, beside V_T of the first model.

    measure: "SUV" (g/mL), "TBR-PP", "TBR-WB" (ratios; see kinetics.ratios) or another model ("Logan", V_T in mL/cm³).
    values: one a visit, nan where it cannot be had. percents: change against the first visit, one a later visit.
    window_s: the frames averaged, None for a model.
    """

    measure: str
    region: str
    structure: str
    level: str
    root: str
    side: str
    pvc: str
    unit: str
    values: tuple[float, ...]
    percents: tuple[float, ...]
    window_s: tuple[float, float] | None


@dataclass(frozen=True)
class Coefficient:
    """How well V_T repeats where nothing changed. wcv: within-subject coefficient of variation, a fraction.

    kind, value: as stated ("wCV" or "RC%", in %). model, structure ("foramen", "cord", "any"), pvc: what it is for.
    """

    kind: Literal["wCV", "RC%"]
    value: float
    wcv: float
    model: str
    structure: str
    pvc: str
    source: str


@dataclass(frozen=True)
class Comparison:
    """Everything that the tables and the report say about two visits or more.

    visits: in the order given, the first is the baseline. model, pvc: of the primary outcome.
    headline: English sentences that stand first, overrides foremost. table1: the study's Table 1, one block a later
    visit. assumptions: English sentences, one for each assumed size.
    """

    visits: tuple[VisitRecord, ...]
    model: str
    pvc: str
    headline: tuple[str, ...]
    findings: tuple[Finding, ...]
    accepted: tuple[str, ...]
    changes: tuple[RegionChange, ...]
    contrasts: tuple[Contrast, ...]
    besides: tuple[Beside, ...]
    table1: tuple[Change, ...]
    clinical: Clinical | None
    lesion: Lesion | None
    repeatability: tuple[Coefficient, ...]
    budget: BudgetSettings
    assumptions: tuple[str, ...]
    notices: tuple[Notice, ...]

    def change(self, outcome: str, followup: str, model: str | None = None) -> RegionChange | None:
        """The change of an outcome key at a later session, under the primary or the named model."""
        wanted = (outcome, followup, model or self.model)
        return next((c for c in self.changes if (c.outcome, c.followup_session, c.model) == wanted), None)
