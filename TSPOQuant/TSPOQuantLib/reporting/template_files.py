"""A template of one's own cohort: for the program, as curves, as a picture, and what leaving people out came to."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import DISCLAIMER
from ..acquisition.population import FILE, LeftOut, Population
from ..input_function.piecewise_linear import integral_weights
from ..input_function.population import MadeTemplate
from ..plain import to_json
from .figures import canvas
from .plots import COLORS, GRAY, SCREEN_PIXELS_PER_INCH, STYLE
from .provenance import inputs, versions
from .tables import about_columns, number, write_json, write_tsv
from .terminal_tables import columns_text

CURVES = {
    "time": ("s", "after the tracer's arrival in blood"),
    "parent_plasma": ("1/s", "mean over people; every scan divided by the area under its parent plasma"),
    "parent_plasma_sd": ("1/s", "between scans, all people counting alike"),
    "whole_blood": ("1/s", "divided by the area under parent plasma, too"),
    "whole_blood_sd": ("1/s", "as of parent plasma"),
}
ABOUT = {
    "scan": "which was left out, with all other scans of the same person",
    "scaled_by": "suv: injected activity over weight; else parent plasma at these minutes after the arrival",
    "area": "under parent plasma to the end, % above that of the scan's own input",
    "model": "of V_T",
    "curves": "regions that were fitted",
    "median": "of the regions: V_T, % above that with the scan's own input",
    "worst": "of the regions, %",
    "inside": "regions whose 95 % interval by the template holds V_T with the scan's own input",
    "width": "median half width of that interval, as a factor: V_T divided and multiplied by it",
}
EARLY_MIN = 6.0


def write_template(folder: Path, made: MadeTemplate) -> None:
    """template.json, which a study names; template.tsv, leave_one_out.tsv with their JSON, and template.png."""
    population = made.population
    (folder / FILE).write_text(to_json(population), encoding="utf-8")
    about = {"inputs": inputs(made.files), "versions": versions()}
    plasma, whole = _shapes(population)
    columns = [population.times_s, *_mean_and_sd(population, plasma), *_mean_and_sd(population, whole)]
    write_tsv(folder / "template.tsv", list(CURVES), np.column_stack(columns))
    curves = {name: {"Units": unit, "Description": text} for name, (unit, text) in CURVES.items()}
    injected = {"Administration": population.administration, "InfusionSeconds": population.infusion_s}
    who = {"Tracer": population.tracer, "People": population.people, "Scans": len(population.scans)}
    refused = {name: str(refusal) for name, refusal in made.refused.items()}
    write_json(folder / "template_curves.json", {**curves, **who, **injected, "LeftOut": refused, **about})
    write_tsv(folder / "leave_one_out.tsv", list(ABOUT), [list(row.values()) for row in left_out_rows(made)])
    write_json(folder / "leave_one_out.json", about_columns(ABOUT) | about)
    _draw(folder / "template.png", population)


def _shapes(population: Population) -> tuple[Any, Any]:
    """Parent plasma and whole blood of every scan over the area under its parent plasma, (scans, times)."""
    plasma = np.array([scan.parent_plasma for scan in population.scans])
    whole = np.array([scan.whole_blood for scan in population.scans])
    areas = plasma @ integral_weights(population.times_s, population.times_s[-1:])[0]
    return plasma / areas[:, None], whole / areas[:, None]


def _mean_and_sd(population: Population, curves: Any) -> tuple[Any, Any]:
    weights, people = population.weights, population.people
    mean = weights @ curves
    return mean, np.sqrt(weights @ (curves - mean) ** 2 * people / (people - 1))


def left_out_rows(made: MadeTemplate) -> list[dict[str, str]]:
    """One row a scan, way to scale and model, cells as texts."""
    return [
        {
            "scan": made.names[row.scan - 1],
            "scaled_by": row.scaled_by,
            "area": number(100 * (row.area - 1)),
            "model": row.model or "n/a",
            "curves": str(row.curves),
            "median": number(100 * row.median),
            "worst": number(100 * row.worst),
            "inside": str(row.inside),
            "width": number(float(np.exp(row.width))),
        }
        for row in made.population.left_out
    ]


def template_text(made: MadeTemplate) -> str:
    """What the template is of, and per way to scale and model how far off V_T was, for a terminal."""
    population = made.population
    lines = [
        f"{population.tracer}: {len(population.scans)} scans of {population.people} people, "
        f"{population.times_s[-1] / 60:.0f} min from the tracer's arrival"
    ]
    cells = [["scaled by", "model", "area", "V_T", "worst", "held", "× or ÷"]]
    for key, rows in by_way(population.left_out).items():
        curves, inside = sum(row.curves for row in rows), sum(row.inside for row in rows)
        width = statistics.median(row.width for row in rows)
        cells.append(
            [
                *(part or "–" for part in key),
                f"{100 * statistics.median(abs(row.area - 1) for row in rows):.0f} %",
                f"{100 * statistics.median(abs(row.median) for row in rows):.0f} %" if curves else "–",
                f"{100 * max(abs(row.worst) for row in rows):.0f} %" if curves else "–",
                f"{inside} of {curves}" if curves else "–",
                f"{np.exp(width):.3g}" if curves else "–",
            ]
        )
    if len(cells) > 1:
        title = (
            "One person left out at a time: how far off area and V_T are (median of scans, and the worst region), how "
            "many regions' 95 % intervals hold V_T with the own input, and their half width as a factor"
        )
        lines += ["", title, columns_text(cells)]
    else:
        lines.append("two people and no more were left: nothing is known of the error")
    lines += [f"left out: {name}: {refusal.code}: {refusal.message}" for name, refusal in made.refused.items()]
    return "\n".join([*lines, DISCLAIMER])


def by_way(rows: Sequence[LeftOut]) -> dict[tuple[str, str], list[LeftOut]]:
    """Rows by the way to scale and the model."""
    by_way_and_model: dict[tuple[str, str], list[LeftOut]] = {}
    for row in rows:
        by_way_and_model.setdefault((row.scaled_by, row.model), []).append(row)
    return by_way_and_model


def _draw(path: Path, population: Population) -> None:
    """Every scan's shape, and their mean: the whole scan, and its first minutes."""
    from matplotlib import rc_context

    plasma, _ = _shapes(population)
    mean, _ = _mean_and_sd(population, plasma)
    minutes = population.times_s / 60
    with rc_context(STYLE):
        figure = canvas(7.2, 3.6)
        panels = figure.subplots(1, 2)
        for axes in panels:
            for curve in plasma:
                axes.plot(minutes, 60 * curve, color=GRAY, lw=0.8)
            axes.plot(minutes, 60 * mean, color=COLORS[0], lw=2.2)
            axes.set_xlabel("minutes after the arrival")
        panels[0].set_yscale("log")
        panels[0].set_ylim(60 * mean[mean > 0].min() / 3, None)
        panels[0].set_ylabel("parent plasma / its area, 1/min")
        panels[1].set_xlim(-0.5, EARLY_MIN)
        figure.savefig(path, dpi=SCREEN_PIXELS_PER_INCH, metadata={"Software": None})
