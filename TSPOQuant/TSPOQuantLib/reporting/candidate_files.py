"""What an input function could be made of: as a table, as curves, as a picture and for a terminal."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import DISCLAIMER
from ..acquisition.blood import SampledCurve
from ..input_function.candidates import FRACTION, PLASMA, RATIO, Candidate, Candidates
from .figures import canvas
from .plots import COLORS, DASHES, GRAY, MARKERS, SCREEN_PIXELS_PER_INCH, STYLE
from .provenance import inputs, versions
from .tables import about_columns, number, write_json, write_tsv
from .terminal_tables import columns_text

ABOUT = {
    "step": "what the curve is of",
    "key": "of the setting that chooses it, [input] in a study file",
    "choice": "what to write there",
    "used": "1: what the settings take now",
    "AICc": "of the fit to the samples; n/a where nothing is fitted",
    "dAICc": "above the lowest of the step",
    "last": "value at the last sample",
    "end": "value at the end of the scan",
    "area": "under parent plasma to the end, % above that of the input as it is used; n/a where the image makes it",
    "flags": "of the fit, or why there is none",
}
EARLY_MIN = 6.0
"""What the picture shows of the bolus: a choice."""
UNITS = {FRACTION: "1", RATIO: "1", PLASMA: "kBq/mL"}


def write_candidates(folder: Path, input_candidates: Candidates, files: Sequence[Path]) -> None:
    """candidates.tsv with its JSON, candidates_curves.tsv, candidates.png. files: what was read."""
    write_tsv(folder / "candidates.tsv", list(ABOUT), [list(row.values()) for row in candidate_rows(input_candidates)])
    made_from = {"inputs": inputs(files), "versions": versions()}
    write_json(folder / "candidates.json", about_columns(ABOUT) | made_from)
    names = [f"{candidate.step.replace(' ', '_')}_{candidate.choice}" for candidate in input_candidates.candidates]
    rows = np.column_stack([input_candidates.times_s, *(candidate.curve for candidate in input_candidates.candidates)])
    write_tsv(folder / "candidates_curves.tsv", ["time", *names], rows)
    units = {name: UNITS[candidate.step] for name, candidate in zip(names, input_candidates.candidates, strict=True)}
    write_json(folder / "candidates_curves.json", about_columns({"time": "s", **units}, "Units"))
    _draw(folder / "candidates.png", input_candidates)


def candidate_rows(input_candidates: Candidates) -> list[dict[str, str]]:
    """One row a candidate, cells as texts."""
    best = {
        step: min(
            (c.aicc for c in input_candidates.candidates if c.step == step and math.isfinite(c.aicc)), default=math.nan
        )
        for step in UNITS
    }
    return [
        {
            "step": candidate.step,
            "key": candidate.key,
            "choice": candidate.choice,
            "used": str(int(candidate.used)),
            "AICc": number(candidate.aicc),
            "dAICc": number(candidate.aicc - best[candidate.step]),
            "last": number(candidate.last),
            "end": number(candidate.end),
            "area": number(100 * (candidate.area - 1)),
            "flags": str(candidate.refused) if candidate.refused else ";".join(candidate.flags),
        }
        for candidate in input_candidates.candidates
    ]


def candidates_text(input_candidates: Candidates) -> str:
    """The table for a terminal."""
    cells = [["choice", "AICc", "at last sample", "at the end", "area"]]
    for candidate in input_candidates.candidates:
        mark = " (used)" if candidate.used else ""
        values = [
            "–" if candidate.refused else _short(value) for value in (candidate.aicc, candidate.last, candidate.end)
        ]
        change = f"{100 * (candidate.area - 1):+.1f} %" if math.isfinite(candidate.area) else "n/a"
        cells.append([f"{candidate.key} = {candidate.choice}{mark}", *values, "–" if candidate.refused else change])
    title = "What the input function could be made of; area: under parent plasma, against the one in use"
    return "\n".join([title, columns_text(cells), DISCLAIMER])


def _short(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "n/a"


def _draw(path: Path, input_candidates: Candidates) -> None:
    """One panel a step, samples as points, what is used as a full line; of parent plasma the first minutes, too."""
    from matplotlib import rc_context

    steps = list(dict.fromkeys(candidate.step for candidate in input_candidates.candidates))
    count = len(steps) + (PLASMA in steps)
    with rc_context(STYLE):
        figure = canvas(3.6 * count, 3.6)
        panels = figure.subplots(1, count, squeeze=False)[0]
        for axes, step in zip(panels, [*steps, PLASMA], strict=False):
            _panel(axes, step, input_candidates)
        if PLASMA in steps:
            panels[-2].set_yscale("symlog", linthresh=1.0)
            panels[-2].yaxis.set_major_formatter("{x:g}")
            panels[-1].set_xlim(-0.2, EARLY_MIN)
        for axes in panels:
            axes.set_ylim(bottom=0)
        figure.savefig(path, dpi=SCREEN_PIXELS_PER_INCH, metadata={"Software": None})


def _panel(axes: Any, step: str, input_candidates: Candidates) -> None:
    shown = [
        candidate for candidate in input_candidates.candidates if candidate.step == step and candidate.refused is None
    ]
    for at, candidate in enumerate(shown):
        dash = "-" if candidate.used else DASHES[1 + at % (len(DASHES) - 1)]
        axes.plot(
            input_candidates.times_s / 60,
            candidate.curve,
            color=COLORS[at % len(COLORS)],
            ls=dash,
            lw=2.2 if candidate.used else 1.0,
            label=f"{candidate.choice}{_difference(candidate, shown)}",
        )
    for at, (name, samples) in enumerate(_samples(step, input_candidates).items()):
        axes.plot(
            samples.times_s / 60, samples.values, color=GRAY, marker=MARKERS[at], mfc="none", ls="none", label=name
        )
    axes.set_title(step)
    axes.set_xlabel("minutes")
    axes.set_ylabel("kBq/mL" if step == PLASMA else "")
    axes.legend()


def _samples(step: str, input_candidates: Candidates) -> dict[str, SampledCurve]:
    """What was measured of a step; of parent plasma, the blood that it was made from."""
    if step != PLASMA:
        return {"samples": input_candidates.samples[step]}
    blood = input_candidates.blood
    measured = {
        "parent plasma": blood.parent_plasma,
        "plasma": blood.plasma,
        "whole blood": blood.whole_blood,
        "autosampler": blood.autosampler,
    }
    return {name: curve for name, curve in measured.items() if curve is not None}


def _difference(candidate: Candidate, shown: Sequence[Candidate]) -> str:
    """How far its AICc lies above the lowest of those that were fitted."""
    lowest = min((other.aicc for other in shown if math.isfinite(other.aicc)), default=math.nan)
    return f", ΔAICc {candidate.aicc - lowest:.1f}" if math.isfinite(candidate.aicc) else ""
