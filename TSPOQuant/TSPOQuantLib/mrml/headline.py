"""The result of a study in a line a visit, as it stands at the top of the panel."""

import math

from scipy.special import stdtrit
from slicer.i18n import tr as _

from ..outcome.record import RegionOutcome, VisitRecord
from ..quantities import BY_KEY, decimals_for
from .language import Number


def interval(record: VisitRecord, row: RegionOutcome) -> tuple[float, float]:
    """95 % interval of V_T by Student's t with the fit's degrees of freedom; nan where there are none."""
    fit = record.fit(row.region, row.model, row.pvc)
    free = fit.n_frames - fit.n_parameters
    reach = float(stdtrit(free, 0.975)) * row.VT_se if free > 0 else math.nan
    return row.VT - reach, row.VT + reach


def place(row: RegionOutcome) -> str:
    """What the lines are about: region and model."""
    return _("{region}, {model}: Vr (V_T) ± SE (95 %)").format(region=row.region, model=row.model)


def visit_line(record: VisitRecord, row: RegionOutcome) -> str:
    """Vr (V_T) of one region with its standard error and 95 % interval."""
    return _with_interval(record, row, record.session)


def outcome_line(record: VisitRecord, row: RegionOutcome) -> str:
    """The outcome of one model; K_i alone where nothing leaves the tissue."""
    name = row.model + ("" if row.pvc == "none" else f", {row.pvc}")
    if row.Ki is not None:
        digits = decimals_for(row.Ki_se, BY_KEY["Ki"].decimals)
        value = _number(row.Ki, digits) + ("" if row.Ki_se is None else f" ± {_number(row.Ki_se, digits)}")
        return f"{name}: K_i {value}"
    return _with_interval(record, row, name)


def _with_interval(record: VisitRecord, row: RegionOutcome, what: str) -> str:
    digits = decimals_for(row.VT_se, BY_KEY["VT"].decimals)
    low, high = interval(record, row)
    return _("{what}: {vt} ± {se} ({low} to {high})").format(
        what=what,
        vt=_number(row.VT, digits),
        se=_number(row.VT_se, digits),
        low=_number(low, digits),
        high=_number(high, digits),
    )


def _number(value: float, digits: int) -> str:
    return f"{Number(value):.{digits}f}"
