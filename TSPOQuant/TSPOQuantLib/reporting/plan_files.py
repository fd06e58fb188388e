"""A plan as text for a terminal, as JSON, and as a picture."""

import math
from collections.abc import Sequence
from pathlib import Path

from .. import DISCLAIMER
from ..outcome.plan import Detectable, Plan
from .figures import canvas
from .terminal_tables import columns_text

DPI = 110
COLORS = {False: "tab:blue", True: "tab:orange"}


def plan_text(plan: Plan) -> str:
    """The tables and every assumption."""
    protocol = plan.protocol
    first, second = protocol.vt
    title = (
        f"Which change could be detected? {protocol.injected_mbq:g} MBq {protocol.tracer}, {protocol.minutes:g} min, "
        f"{len(protocol.timing)} frames, {protocol.fwhm_mm:g} mm FWHM, {protocol.volume_mm3:g} mm³, {protocol.model}. "
        "Simulated."
    )
    blocks = [
        title,
        _table(plan.by_k1, "K1"),
        "By length of the scan:\n" + _table(plan.by_minutes, "minutes"),
        f"noise: SD of ln V_T by counts, at V_T {first:g} and {second:g}; error: SD of the log ratio with all "
        f"components; fall, rise: smallest change of the tissue's V_T from {first:g} found in "
        f"{100 * protocol.power:g} of 100 studies at two-sided 5 %; power: of finding {first:g} → {second:g}.",
        "\n".join(plan.assumptions),
        DISCLAIMER,
    ]
    return "\n\n".join(blocks)


def _table(rows: Sequence[Detectable], key: str) -> str:
    cells = [["", key, "noise, %", "bias, %", "without V_T", "error, %", "fall", "rise", "power"]]
    cells += [
        [
            "corrected" if row.corrected else "as measured",
            f"{row.k1:.2g}" if key == "K1" else f"{row.minutes:g}",
            " / ".join(_percent(value) for value in row.noise),
            f"{row.bias_percent:+.1f}" if math.isfinite(row.bias_percent) else "n/a",
            f"{100 * row.lost:.0f} %",
            _percent(row.error),
            "none" if row.fall_percent is None else f"{row.fall_percent:.0f} %",
            "none" if math.isinf(row.rise_percent) else f"{row.rise_percent:+.0f} %",
            f"{100 * row.power:.0f} %",
        ]
        for row in rows
    ]
    return columns_text(cells)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if math.isfinite(value) else "n/a"


def write_plan_figure(path: Path, plan: Plan) -> None:
    """The smallest fall that can be detected, over K1 and over the length of the scan."""
    figure = canvas(9.0, 3.9)
    left, right = figure.subplots(1, 2, sharey=True)
    first, second = plan.protocol.vt
    panels = (
        (left, plan.by_k1, "k1", "K1, mL/cm³/min"),
        (right, plan.by_minutes, "minutes", "length of the scan, min"),
    )
    for axes, rows, key, label in panels:
        for corrected, name in ((False, "as measured"), (True, "corrected for partial volume")):
            chosen = [row for row in rows if row.corrected == corrected]
            falls = [math.nan if row.fall_percent is None else -row.fall_percent for row in chosen]
            axes.plot([getattr(row, key) for row in chosen], falls, "o-", color=COLORS[corrected], label=name)
        if second < first:
            axes.axhline(100 * (1 - second / first), color="0.4", linewidth=1, linestyle="--")
        axes.set_xlabel(label, fontsize=9)
        axes.set_ylim(0, 100)
        axes.tick_params(labelsize=8)
        axes.grid(color="0.9")
    if second < first:
        height, label = 100 * (1 - second / first) + 2, f"planned: {first:g} → {second:g}"
        left.text(plan.by_k1[0].k1, height, label, fontsize=8, color="0.3")
    left.set_ylabel("smallest fall of V_T that is found, %", fontsize=9)
    left.legend(fontsize=8)
    figure.suptitle(f"Simulated: power {100 * plan.protocol.power:g} %, two-sided 5 %", fontsize=10)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
