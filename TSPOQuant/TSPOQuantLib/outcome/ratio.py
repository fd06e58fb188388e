"""V_T of one region over another's of the same scan (DVR), or over several: errors of what all share cancel."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..messages import Notice
from .budget import BudgetSettings, Errors, errors_of
from .record import RegionOutcome, VisitRecord


@dataclass(frozen=True)
class VtRatio:
    """V_T of one region over another's, or over the geometric mean of several. other: that, mL/cm³.

    variance: of the ratio's logarithm, with what both share; errors: its parts. own, others: variances of both
    logarithms.
    """

    other: float
    ratio: float
    errors: Errors
    variance: float
    own: float
    others: float

    @property
    def apart(self) -> float:
        """Variance of the logarithm, had the errors of both nothing in common."""
        return self.own + self.others

    @property
    def error(self) -> float:
        """Standard error of the ratio."""
        return self.ratio * math.sqrt(self.variance)


def vt_ratio(visit: VisitRecord, row: RegionOutcome, *others: RegionOutcome, settings: BudgetSettings) -> VtRatio:
    """One row over another, or over the geometric mean of several, of one visit, model and correction, all with a V_T
    above 0."""
    own, *several = (errors_of(visit, one.region, one.model, one.pvc, settings) for one in (row, *others))
    mean = Errors.mean_of(several)
    joint = own.minus(mean)
    other = math.prod(one.VT for one in others) ** (1 / len(others))
    return VtRatio(other, row.VT / other, joint, joint.variance(), own.variance(), mean.variance())


def with_dvr(visit: VisitRecord) -> tuple[VisitRecord, tuple[Notice, ...]]:
    """The visit with DVR against its reference region, where that has a V_T, and by how much shared errors cancel."""
    rows, ratios = [], []
    for row in visit.rows:
        quotient = _against_reference(visit, row)
        rows.append(row if quotient is None else replace(row, DVR=quotient.ratio, DVR_se=quotient.error))
        of_itself = visit.reference is not None and row.region == visit.reference.name
        ratios += [] if quotient is None or of_itself else [quotient]
    return replace(visit, rows=tuple(rows)), _error_notices(visit, ratios)


def _against_reference(visit: VisitRecord, row: RegionOutcome) -> VtRatio | None:
    other = visit.row_of(visit.reference.name, row.model, row.pvc) if visit.reference else None
    if other is None or not all(math.isfinite(one.VT) and one.VT > 0 for one in (row, other)):
        return None
    return vt_ratio(visit, row, other, settings=BudgetSettings())


def _error_notices(visit: VisitRecord, ratios: Sequence[VtRatio]) -> tuple[Notice, ...]:
    known = [one for one in ratios if math.isfinite(one.variance) and math.isfinite(one.apart)]
    if not known or visit.reference is None:
        return ()
    both = ([one.variance for one in known], [one.apart for one in known])
    joint, apart = (sorted(math.sqrt(value) for value in values)[len(known) // 2] for values in both)
    return (
        Notice(
            "dvr-error",
            "DVR against {reference}: the standard error is {joint:.1%} (median), for errors of the input, which "
            "both share, cancel; with errors of their own it were {apart:.1%}",
            reference=visit.reference.name,
            joint=joint,
            apart=apart,
        ),
    )
