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
            one.region,
            one.model,
            *(one.end_min, one.value, one.error, one.low, one.high),
            *(one.change, one.change_low, one.change_high),
            codes(one.flags),
        ]
        for one in shortened
    ]
    write_tsv(folder / "length.tsv", list(ABOUT), rows)
    about = {"settled": settled(shortened), "provenance": record.provenance}
    write_json(folder / "length.json", about_columns(ABOUT) | about)
    _draw(folder / "length.png", shortened)


def length_text(shortened: Sequence[Shortened], record: VisitRecord) -> str:
    """How far the outcome still moves, by length, for a terminal."""
    cells = [["model, from", "moves by less than", "95 %"]]
    cells += [
        [f"{one.model}, {one.end_min:.0f} min", f"{one.percent:.1f} %", f"{one.percent_high:.1f} %"]
        for one in _shorter(settled(shortened))
    ]
    title = (
        f"{record.subject}, {record.session}: V_T against the length of the scan, all {len(record.regions)} regions"
    )
    return "\n".join([title, columns_text(cells), DISCLAIMER])


def _shorter(rows: Sequence[Settled]) -> list[Settled]:
    """All but the whole scan's, which does not move."""
    last = max(one.end_min for one in rows)
    return [one for one in rows if one.end_min < last]


def _draw(path: Path, shortened: Sequence[Shortened]) -> None:
    from matplotlib import rc_context

    models = list(dict.fromkeys(one.model for one in shortened))
    with rc_context(STYLE):
        figure = canvas(3.4 * len(models), 3.2)
        for axes, model in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
            for at, region in enumerate(dict.fromkeys(one.region for one in shortened)):
                own = [one for one in shortened if (one.model, one.region) == (model, region)]
                ends, values = [one.end_min for one in own], np.array([one.value for one in own])
                color = COLORS[at % len(COLORS)]
                axes.plot(
                    ends, values, color=color, ls=DASHES[at // len(COLORS) % len(DASHES)], marker="o", label=region
                )
                axes.fill_between(
                    ends, [one.low for one in own], [one.high for one in own], color=color, alpha=0.15, lw=0
                )
            axes.set_title(model)
            axes.set_xlabel("end of the scan, min")
            axes.set_ylim(bottom=0, top=1.6 * max((one.value for one in shortened if one.model == model), default=1))
        axes.legend()
        figure.savefig(path, dpi=SCREEN_PIXELS_PER_INCH, metadata={"Software": None})
