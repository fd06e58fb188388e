"""Fits of curves with one V_B and one delay beside separate ones: files, and text for a terminal."""

import math
from collections.abc import Iterator
from pathlib import Path

from ..outcome.change import RegionChange
from ..outcome.compare import Comparison
from ..outcome.coupled import SharedFit
from .tables import about_columns, write_json, write_tsv
from .terminal_tables import by_pvc, columns_text, value_text

ABOUT = {
    "outcome": "place of the region",
    "model": "kinetic model",
    "pvc": "partial-volume correction",
    "followup_session": "the visit that is compared with the first",
    "percent": "change of V_T with the parameters shared, %",
    "percent_low": "of its 95 % interval",
    "percent_high": "of the same",
    "apart_percent": "change of V_T by separate fits, %",
    "apart_percent_low": "of its 95 % interval",
    "apart_percent_high": "of the same",
    "noise": "standard error of the log ratio by noise alone, shared over separate",
    "error": "standard error of the log ratio with the whole error budget, shared over separate",
}
SHARED = ("VB", "delay")


def pairs(comparison: Comparison) -> Iterator[tuple[RegionChange, RegionChange]]:
    """Every change of fits that share, and the same by separate fits."""
    for change in comparison.changes:
        apart = comparison.apart_from(change)
        if apart is not None:
            yield change, apart


def errors(change: RegionChange, apart: RegionChange) -> tuple[float, float]:
    """Standard errors of the log ratio, shared over separate: of noise alone, and with the whole budget."""
    noise = [next(part.change for part in way.budget if part.component == "noise") for way in (change, apart)]
    whole = [way.log_ratio_se for way in (change, apart)]
    together, alone = zip(noise, whole, strict=True)
    ratios = [a / b if b > 0 and math.isfinite(b) else math.nan for a, b in zip(together, alone, strict=True)]
    return ratios[0], ratios[1]


def write_coupled(folder: Path, comparison: Comparison) -> None:
    """shared.tsv, a row a fit of curves together; of two visits or more coupled.tsv with its JSON, a row a change."""
    header = ["model", "pvc", "regions", "sessions", *(n for name in SHARED for n in (name, f"{name}_se")), "F", "p"]
    header.append("VB_spread")
    write_tsv(folder / "shared.tsv", header, [_shared_row(fit) for fit in comparison.shared])
    if len(comparison.visits) < 2:
        return
    ends = ("percent", "percent_low", "percent_high")
    rows = [
        [
            *(getattr(change, name) for name in ("outcome", "model", "pvc", "followup_session")),
            *(getattr(way, name) for way in (change, apart) for name in ends),
            *errors(change, apart),
        ]
        for change, apart in pairs(comparison)
    ]
    write_tsv(folder / "coupled.tsv", list(ABOUT), rows)
    write_json(folder / "coupled.json", about_columns(ABOUT))


def _shared_row(fit: SharedFit) -> list[object]:
    values = [numbers.get(name) for name in SHARED for numbers in (fit.values, fit.errors)]
    return [
        fit.model,
        fit.pvc,
        ";".join(fit.regions),
        ";".join(fit.sessions),
        *values,
        fit.f,
        fit.f_chance,
        fit.spread,
    ]


def coupled_text(comparison: Comparison) -> str:
    """What is shared, and the primary model's changes of both ways."""
    shown = [fit for fit in comparison.shared if fit.model == comparison.model]
    rows = [["fitted together", "V_B", "delay, s", "p (F-test)"]]
    for fit in shown:
        cells = [value_text(fit.values[name], fit.errors[name]) if name in fit.values else "" for name in SHARED]
        what = ", ".join(fit.regions) + by_pvc(fit.pvc)
        rows.append([f"{what} ({', '.join(fit.sessions)})", *cells, f"{fit.f_chance:.2g}"])
    blocks = [columns_text(rows)] if shown else []
    rows = [["change of V_T", "separate", "together", "95 % interval", "noise", "all errors"]]
    for change, apart in pairs(comparison):
        if change.model == comparison.model_of(change.region):
            noise, whole = errors(change, apart)
            rows.append(
                [
                    change.region + by_pvc(change.pvc),
                    f"{apart.percent:+.1f} %",
                    f"{change.percent:+.1f} %",
                    f"{change.percent_low:+.1f} to {change.percent_high:+.1f} %",
                    f"× {noise:.2f}",
                    f"× {whole:.2f}",
                ]
            )
    blocks += [columns_text(rows)] if len(rows) > 1 else []
    return "\n\n".join(blocks)
