"""V_T against the length of the scan: table, picture and text."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import DISCLAIMER
from ..outcome.record import VisitRecord
from ..outcome.scan_length import Settled, Shortened, settled
from .figures import canvas
from .plots import COLORS, DASHES, SCREEN_PIXELS_PER_INCH, STYLE
from .tables import about_columns, codes, write_json, write_tsv
from .terminal_tables import columns_text

ABOUT = {
    "region": "as it was drawn, as measured",
    "model": "kinetic model; V_T, or K_i where nothing leaves the tissue",
    "end": "of the scan, minutes",
    "value": "mL/cm3, of K_i mL/cm3/min",
    "se": "its standard error",
    "low": "of its 95 % interval",
    "high": "of the same",
    "change": "against the whole scan, %",
    "change_low": "of its 95 % interval",
    "change_high": "of the same",
    "flags": "codes",
}


def write_lengths(folder: Path, shortened: Sequence[Shortened], record: VisitRecord) -> None:
    """length.tsv with its JSON, and length.png, one panel a model."""
    rows = [
        [
            row.region,
            row.model,
            *(row.end_min, row.value, row.error, row.low, row.high),
            *(row.change, row.change_low, row.change_high),
            codes(row.flags),
        ]
        for row in shortened
    ]
    write_tsv(folder / "length.tsv", list(ABOUT), rows)
    about = {"settled": settled(shortened), "provenance": record.provenance}
    write_json(folder / "length.json", about_columns(ABOUT) | about)
    _draw(folder / "length.png", shortened)


def length_text(shortened: Sequence[Shortened], record: VisitRecord) -> str:
    """How far the outcome still moves, by length, for a terminal."""
    cells = [["model, from", "moves by less than", "95 %"]]
    cells += [
        [f"{row.model}, {row.end_min:.0f} min", f"{row.percent:.1f} %", f"{row.percent_high:.1f} %"]
        for row in _shorter(settled(shortened))
    ]
    title = (
        f"{record.subject}, {record.session}: V_T against the length of the scan, all {len(record.regions)} regions"
    )
    return "\n".join([title, columns_text(cells), DISCLAIMER])


def _shorter(rows: Sequence[Settled]) -> list[Settled]:
    """All but the whole scan's, which does not move."""
    last = max(row.end_min for row in rows)
    return [row for row in rows if row.end_min < last]


def _draw(path: Path, shortened: Sequence[Shortened]) -> None:
    from matplotlib import rc_context

    models = list(dict.fromkeys(row.model for row in shortened))
    with rc_context(STYLE):
        figure = canvas(3.4 * len(models), 3.2)
        for axes, model in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
            for at, region in enumerate(dict.fromkeys(row.region for row in shortened)):
                own = [row for row in shortened if (row.model, row.region) == (model, region)]
                ends, values = [row.end_min for row in own], np.array([row.value for row in own])
                color = COLORS[at % len(COLORS)]
                axes.plot(
                    ends, values, color=color, ls=DASHES[at // len(COLORS) % len(DASHES)], marker="o", label=region
                )
                axes.fill_between(
                    ends, [row.low for row in own], [row.high for row in own], color=color, alpha=0.15, lw=0
                )
            axes.set_title(model)
            axes.set_xlabel("end of the scan, min")
            axes.set_ylim(bottom=0, top=1.6 * max((row.value for row in shortened if row.model == model), default=1))
        axes.legend()
        figure.savefig(path, dpi=SCREEN_PIXELS_PER_INCH, metadata={"Software": None})
