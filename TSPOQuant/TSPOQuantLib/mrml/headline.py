"""The result of a study in a line a visit, as it stands at the top of the panel."""

import math

from scipy.special import stdtrit
from slicer.i18n import tr as _

from ..kinetics.models import model_named
from ..outcome.record import RegionOutcome, VisitRecord
from ..quantities import BY_KEY, decimals_for


def interval(record: VisitRecord, row: RegionOutcome) -> tuple[float, float]:
    """95 % interval of V_T by Student's t with the fit's degrees of freedom; nan where there are none."""
    fit = record.fit(row.region, row.model, row.pvc)
    free = fit.n_frames - fit.n_parameters
    reach = float(stdtrit(free, 0.975)) * row.VT_se if free > 0 else math.nan
    return row.VT - reach, row.VT + reach


def place(row: RegionOutcome) -> str:
    """What the lines are about: region and model."""
    return _("{region}, {model}: Vr (V_T) ± SE (95 %)").format(
        region=row.region, model=model_named(row.model).study_name
    )


def visit_line(record: VisitRecord, row: RegionOutcome) -> str:
    """Vr (V_T) of one region with its standard error and 95 % interval."""
    digits = decimals_for(row.VT_se, BY_KEY["VT"].decimals)
    low, high = interval(record, row)
    return _("{session}: {vt} ± {se} ({low} to {high})").format(
        session=record.session,
        vt=f"{row.VT:.{digits}f}",
        se=f"{row.VT_se:.{digits}f}",
        low=f"{low:.{digits}f}",
        high=f"{high:.{digits}f}",
    )
