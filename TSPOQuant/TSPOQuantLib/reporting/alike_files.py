"""Changes as the visits are beside changes of the visits brought to what all of them have: files and text."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..outcome.alike import PairedChange
from ..outcome.record import FILE, VisitRecord, sealed
from .tables import about_columns, write_json, write_tsv
from .terminal_tables import by_pvc, columns_text

ABOUT = {
    "outcome": "place of the region",
    "model": "kinetic model",
    "pvc": "partial-volume correction",
    "followup_session": "the visit that is compared with the first",
    "percent": "change as the visits are, %; what they differ in may have made it",
    "percent_low": "of its 95 % interval, which does not hold what the visits differ in",
    "percent_high": "of the same",
    "alike_percent": "change with both visits quantified again alike, %",
    "alike_percent_low": "of its 95 % interval",
    "alike_percent_high": "of the same",
    "cost": "standard error of the log ratio alike over that as they are: what it cost",
}


def alike_rows(both: Sequence[PairedChange]) -> list[dict[str, Any]]:
    """One row a change."""
    return [
        {
            "outcome": pair.alike.outcome,
            "model": pair.alike.model,
            "pvc": pair.alike.pvc,
            "followup_session": pair.alike.followup_session,
            **{name: getattr(pair.plain, name) for name in ("percent", "percent_low", "percent_high")},
            **{f"alike_{name}": getattr(pair.alike, name) for name in ("percent", "percent_low", "percent_high")},
            "cost": pair.cost,
        }
        for pair in both
    ]


def write_alike(
    folder: Path, both: Sequence[PairedChange], changes: Mapping[str, Any], records: Sequence[VisitRecord] = ()
) -> None:
    """alike.tsv with its JSON, and every visit as it was quantified again in a folder of its own, to compare again.

    changes: the settings that made the visits alike, by name.
    """
    write_tsv(folder / "alike.tsv", list(ABOUT), [list(row.values()) for row in alike_rows(both)])
    write_json(folder / "alike.json", about_columns(ABOUT) | {"settings": dict(changes)})
    for record in records:
        own = folder / f"alike_ses-{record.session}"
        own.mkdir()
        (own / FILE).write_text(sealed(record), encoding="utf-8")


def alike_text(both: Sequence[PairedChange]) -> str:
    """The primary changes of both ways, for a terminal."""
    cells = [["change of V_T", "as they are", "alike", "95 % interval", "error"]]
    for pair in both:
        if pair.alike.primary or pair.alike.pvc != "none":
            low, high = pair.alike.percent_low, pair.alike.percent_high
            cells.append(
                [
                    f"{pair.alike.region}, {pair.alike.model}{by_pvc(pair.alike.pvc)}",
                    f"{pair.plain.percent:+.1f} %",
                    f"{pair.alike.percent:+.1f} %",
                    f"{low:+.1f} to {high:+.1f} %",
                    f"× {pair.cost:.2f}" if math.isfinite(pair.cost) else "n/a",
                ]
            )
    return "\n".join(["As the visits are, and both quantified again on what both have", columns_text(cells)])
