"""Our fits beside the parameters that another program found on the same curves."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..acquisition.parameter_tables import ParameterTable
from ..kinetics import KineticFit
from ..messages import InputRefused, Text
from ..outcome.visit import FittedTable
from .tables import about_columns, write_json, write_tsv

Row = dict[str, str | float | None]
ABOUT = {
    "theirs": "what the other program found, in our units",
    "percent": "ours over theirs, less 1, in percent",
    "ours-se": "our standard error",
    "theirs-se": "theirs, in the unit of the value",
}


def beside_rows(fitted: FittedTable, tables: Sequence[ParameterTable]) -> list[Row]:
    """A row for every table, region, model and quantity that both have.

    A table that names its model stands beside that model alone, one that names none beside all. Raises InputRefused
    ("beside-model", "beside-regions").
    """
    rows: list[Row] = []
    for table in tables:
        if table.model and table.model not in fitted.fits:
            raise InputRefused(
                "beside-model",
                "{file} is of the model {model}, which was not fitted; add it to --models",
                file=table.file,
                model=table.model,
            )
        models = [table.model] if table.model else list(fitted.fits)
        matched = [row for model in models for fit in fitted.fits[model] for row in _rows(table, fit)]
        if not matched:
            raise InputRefused(
                "beside-regions",
                "{file} shares no region and parameter with the curves; name the regions alike",
                file=table.file,
            )
        rows += matched
    return rows


def _rows(table: ParameterTable, fit: KineticFit) -> list[Row]:
    theirs = table.values.get(fit.region, table.values.get("", {}))
    errors = table.errors.get(fit.region, {})
    ours = {**fit.parameters, "delay": fit.delay_s}
    return [
        {
            "file": table.file,
            "region": fit.region,
            "model": fit.model,
            "quantity": key,
            "ours": ours[key],
            "theirs": value,
            "difference": ours[key] - value,
            "percent": 100 * (ours[key] / value - 1) if value else None,
            "ours-se": fit.standard_errors.get(key),
            "theirs-se": errors.get(key),
        }
        for key, value in theirs.items()
        if key in ours
    ]


def write_beside(folder: Path, rows: Sequence[Row]) -> None:
    """``beside.tsv`` and its JSON."""
    write_tsv(folder / "beside.tsv", list(rows[0]), [list(row.values()) for row in rows])
    write_json(folder / "beside.json", about_columns(ABOUT))


def beside_text(rows: Sequence[Row]) -> list[Text]:
    """A line a file, model and quantity: how far apart the two programs are."""
    lines = []
    for file, model, quantity in dict.fromkeys((row["file"], row["model"], row["quantity"]) for row in rows):
        apart = {
            row["region"]: row["percent"]
            for row in rows
            if (row["file"], row["model"], row["quantity"]) == (file, model, quantity)
            and isinstance(row["percent"], float)
        }
        if apart:
            most = max(apart, key=lambda region: abs(apart[region] or 0))
            middle = float(np.median(np.abs([value for value in apart.values() if value is not None])))
            lines.append(
                Text(
                    "beside {file}, {model} {quantity}: {count} regions, half of them within {middle:.2g} %, at most "
                    "{most:+.2g} % ({region})",
                    file=file,
                    model=model,
                    quantity=quantity,
                    count=len(apart),
                    middle=middle,
                    most=apart[most],
                    region=most,
                )
            )
    return lines
