"""A visit, ready curves and the study's Table 1 as text for a terminal."""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from .. import DISCLAIMER
from ..kinetics import KineticFit
from ..kinetics.options import FitSettings
from ..messages import Notice
from ..outcome.change import Change
from ..outcome.record import VisitRecord
from ..outcome.uptake import RegionUptake, uptake_of, window_of
from ..outcome.visit import FittedTable
from ..quantities import BY_KEY, UPTAKE, Quantity
from .model_comparison import comparison_rows
from .reasons import reasons_text
from .terminal_tables import CORRECTED, by_pvc, columns_text, value_text


def fits_text(fitted: FittedTable) -> str:
    """V_T, or K_i where nothing leaves the tissue, of every region and model, for a terminal."""
    best = {row["region"]: row["model"] for row in comparison_rows(fitted) if row["AICc"] == 0}
    rows = [["region", *fitted.fits, *(["by AICc"] if best else [])]]
    for index, region in enumerate(fitted.regions):
        values = [_main_value(fits[index], fits[index].flags) for fits in fitted.fits.values()]
        rows.append([region, *values, *([str(best.get(region, ""))] if best else [])])
    title = "V_T in mL/cm³ (± standard error; * flagged)"
    weights = f"frames weighted: {fitted.weights} (quantify's default: {FitSettings().weights})"
    alone = len(fitted.fits) == 1
    flagged = [
        (fit.region if alone else f"{fit.region}, {model}", flag)
        for model, fits in fitted.fits.items()
        for fit in fits
        for flag in fit.flags
    ]
    flagged += [
        (f"{fit.region}, {model} coupled", flag)
        for model, coupled in fitted.coupled.items()
        for fit in coupled.fits
        for flag in fit.flags
    ]
    reasons = reasons_text(flagged)
    lines = [title, columns_text(rows), *([reasons] if reasons else []), weights]
    if fitted.population_errors:
        spreads = ", ".join(
            f"{model} {100 * float(np.median(errors)):.0f} %" for model, errors in fitted.population_errors.items()
        )
        lines.append(f"the input is a template's: SD that this adds to V_T, median of the regions: {spreads}")
    return "\n".join([*lines, DISCLAIMER])


def visit_text(record: VisitRecord) -> str:
    """V_T of every region and model of one visit, as measured and corrected, for a terminal."""
    if not record.models:
        return f"{record.subject}, {record.session}\n\n{uptake_text(record)}\n{DISCLAIMER}"
    rows, flagged = [], []
    for pvc in dict.fromkeys(("none", record.pvc)):
        for region in record.regions:
            if pvc == "none" or region.corrected is not None:
                name = region.name + by_pvc(pvc, CORRECTED)
                fits = {model: record.fit(region.name, model, pvc) for model in record.models}
                flags = {model: region.notices + fit.flags for model, fit in fits.items()}
                rows.append([name, *(_main_value(fit, flags[model]) for model, fit in fits.items())])
                flagged += [(name, flag) for flag in region.notices]
                flagged += [
                    (name if len(fits) == 1 else f"{name}, {model}", flag)
                    for model, fit in fits.items()
                    for flag in fit.flags
                ]
    title = f"{record.subject}, {record.session}: Vr (V_T) in mL/cm³ (± standard error; * flagged)"
    weights = f"frames weighted: {record.settings.get('weights')} (the command fit's default: uniform)"
    reasons = reasons_text(flagged)
    table = "\n".join(
        [title, columns_text([["region", *record.models], *rows]), *([reasons] if reasons else []), weights]
    )
    return "\n\n".join([part for part in (table, uptake_text(record)) if part]) + f"\n{DISCLAIMER}"


def _main_value(fit: KineticFit, flags: Sequence[Notice]) -> str:
    name = fit.outcome
    mark = "*" if flags else ""
    value = value_text(fit.parameters[name], fit.standard_errors.get(name), BY_KEY[name].decimals)
    return value + mark if name == "VT" else f"{BY_KEY[name].symbol} {value}{mark}"


def table1_text(
    changes: Sequence[Change],
    truth: Mapping[str, tuple[float, float]] | None = None,
    flagged: Collection[tuple[str, str]] = (),
) -> str:
    """The study's Table 1 for a terminal; ``truth`` (outcome to baseline, follow-up) adds the phantom's own values.

    flagged: outcome and session of the values that get a mark.
    """
    header = ["outcome", "baseline", "six weeks" if truth else "follow-up", "change", "95 % interval"]
    rows = [header + (["truth", ""] if truth else [])]
    for change in changes:
        bounds = (change.percent_low, change.percent_high)
        line = [
            change.title + (f", {change.remark}" if change.remark else ""),
            value_text(change.baseline, change.baseline_se)
            + "*" * ((change.outcome, change.baseline_session) in flagged),
            value_text(change.followup, change.followup_se)
            + "*" * ((change.outcome, change.followup_session) in flagged),
            _change_text(change),
            f"{bounds[0]:+.1f} to {bounds[1]:+.1f} %" if all(map(math.isfinite, bounds)) else "",
        ]
        if truth:
            known = truth.get(change.outcome)
            line += (
                [f"{known[0]:.2f} → {known[1]:.2f}", f"{100 * (known[1] / known[0] - 1):+.1f} %"]
                if known
                else ["", ""]
            )
        rows.append(line)
    return columns_text(rows)


def _change_text(change: Change) -> str:
    if not math.isfinite(change.change):  # of a value that is not known, or in % of 0
        return "n/a"
    return f"{change.change:+.1f} %" if change.change_unit == "%" else f"{change.change:+.3g} {change.change_unit}"


def uptake_text(record: VisitRecord) -> str:
    """SUV and its ratios for a terminal; what no region has is left out. "" where there is nothing."""
    rows = uptake_of(record)
    known = [quantity for quantity in UPTAKE if any(math.isfinite(row.value(quantity.key)) for row in rows)]
    if not known:
        return ""
    begin, end = window_of(record)
    against = "" if record.reference is None else f", SUVR against {record.reference.name}"
    title = f"SUV by body weight in g/mL and its ratios, {begin / 60:g} to {end / 60:g} min{against}"
    cells = [[row.region + by_pvc(row.pvc, CORRECTED), *(_shown(row, quantity) for quantity in known)] for row in rows]
    return f"{title}\n{columns_text([['region', *(quantity.symbol for quantity in known)], *cells])}"


def _shown(row: RegionUptake, quantity: Quantity) -> str:
    value, error = row.value(quantity.key), row.error(quantity.key)
    if not math.isfinite(value):
        return "n/a"
    shown = f"{value:.{quantity.decimals}f}"
    return f"{shown} ± {error:.{quantity.decimals}f}" if math.isfinite(error) else shown
