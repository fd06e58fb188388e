"""Section 3: do 95 % intervals of V_T hold the truth 95 times in 100, and are the others flagged?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from TSPOQuantLib.kinetics import KineticFit

from .document import Figure, Goal, Section, paragraphs, table
from .simulation import NOISE_PERCENT, REGION_VOXELS, Truth, noisy_fits, one_tissue, schedule, two_tissues

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

Array = NDArray[np.float64]

DRAWS, QUICK_DRAWS = 250, 20
QUICK_TRUTHS = 2
GOAL_PERCENT = (93.0, 97.0)
FAR_OFF = 0.25
"""A V_T further than this from the truth is one that should be flagged."""


def _truth(*rows: tuple[float, ...]) -> Truth:
    """(K1, V_T) or (K1, V_T, BP_ND, k4); V_B is the phantom's in a foramen."""
    columns, vb = np.array(rows).T, np.full(len(rows), 0.05)
    if len(columns) == 2:
        k1, vt = columns
        return one_tissue(k1, vt, vb)
    k1, vt, binding, k4 = columns
    return two_tissues(k1, vt, binding, k4, vb)


KNOWN = {
    "1TCM": _truth((0.5, 13), (0.5, 6), (0.5, 5), (0.25, 6.4), (0.25, 5), (0.2, 6), (0.3, 3), (0.1, 2)),
    "2TCM": _truth(
        (0.5, 6, 2, 0.05),
        (0.5, 9, 3, 0.06),
        (0.3, 4, 2, 0.06),
        (0.3, 5, 1, 0.05),
        (0.2, 3, 1.5, 0.06),
        (0.2, 4, 3, 0.08),
        (0.15, 2, 2, 0.06),
        (0.4, 6, 4, 0.08),
    ),
}
UNKNOWN = {
    "1TCM": (_truth((0.1, 13), (0.05, 13), (0.1, 30), (0.03, 13)), 3.0),
    "2TCM": (_truth((0.1, 13, 3, 0.02), (0.1, 8, 3, 0.02), (0.2, 13, 4, 0.01), (0.1, 4, 1, 0.005)), 1.0),
}
"""Truths that 60 min hardly determine, and the times of the phantom's noise."""


@dataclass(frozen=True, eq=False)
class Reach:
    """Over curves: whether an interval holds the truth (ordinary, and on a log scale), how far V_T is off (a share of
    the truth, infinite where there is none), whether anything was flagged."""

    holds: NDArray[np.bool_]
    holds_log: NDArray[np.bool_]
    off: Array
    flagged: NDArray[np.bool_]


def reach_of(fits: Sequence[KineticFit], vt: float) -> Reach:
    with np.errstate(over="ignore"):  # a hopeless interval on the log scale runs from 0 to infinity
        ends = np.array([(*one.interval("VT"), *one.interval("VT", scale="log")) for one in fits])
    off = np.array([abs(one.parameters["VT"] / vt - 1) for one in fits])
    return Reach(
        (ends[:, 0] <= vt) & (vt <= ends[:, 1]),
        (ends[:, 2] <= vt) & (vt <= ends[:, 3]),
        np.where(np.isfinite(off), off, np.inf),
        np.array([bool(one.flags) for one in fits]),
    )


def measure(model: str, truth: Truth, draws: int, noise: float, seed: int) -> list[Reach]:
    fits = noisy_fits(model, truth, schedule(60), draws, seed, noise)
    return [reach_of(one, float(vt)) for one, vt in zip(fits, truth.values["VT"], strict=True)]


def share(values: NDArray[np.bool_]) -> float:
    return 100 * float(values.mean()) if values.size else float("nan")


def section(quick: bool) -> Section:
    draws = QUICK_DRAWS if quick else DRAWS
    rows, goals, bars = [], [], {}
    for seed, (model, every) in enumerate(KNOWN.items(), start=31):
        truth = every.first(QUICK_TRUTHS) if quick else every
        found = measure(model, truth, draws, 1.0, seed)
        single = [share(one.holds) for one in found]
        bars[model] = [(label(truth, n), value) for n, value in enumerate(single)]
        whole = share(np.concatenate([one.holds for one in found]))
        log = share(np.concatenate([one.holds_log for one in found]))
        flagged = share(np.concatenate([one.flagged for one in found]))
        rows.append(
            [
                model,
                f"{draws * len(truth)}",
                f"{whole:.1f}",
                f"{min(single):.1f} to {max(single):.1f}",
                f"{log:.1f}",
                f"{flagged:.1f}",
            ]
        )
        low, high = GOAL_PERCENT
        goals.append(
            Goal(
                f"{model}: 95 % intervals of V_T that hold the truth",
                f"{whole:.1f} %",
                f"{low:g} to {high:g} %",
                low <= whole <= high,
            )
        )
    hard = []
    for seed, (model, (every, noise)) in enumerate(UNKNOWN.items(), start=41):
        truth = every.first(QUICK_TRUTHS) if quick else every
        for n, one in enumerate(measure(model, truth, draws, noise, seed)):
            far = one.off > FAR_OFF
            hard.append(
                [
                    f"{model}, {label(truth, n)}, noise × {noise:g}",
                    f"{share(one.holds):.0f}",
                    f"{share(one.holds_log):.0f}",
                    f"{share(one.flagged):.0f}",
                    f"{share(far):.0f}",
                    f"{share(one.flagged[far]):.0f}" if far.any() else "none",
                ]
            )
    return Section(
        "Coverage of the 95 % intervals: simulated noise",
        paragraphs(
            f"""**Simulated**: 60 min, 19 frames, Poisson counts of a region of {REGION_VOXELS} voxels at the
            phantom's default noise ({NOISE_PERCENT:g} % in a voxel of muscle), weights by counts, V_B fitted, true
            input. An interval is V_T ± Student's t times its standard error. Truths that the data determine, {draws}
            draws of each:""",
            table(
                ["model", "curves", "hold the truth, %", "by truth, %", "on a log scale, %", "flagged at all, %"], rows
            ),
            f"""Truths that 60 min hardly determine: there the interval fails too, and what counts is whether the fit
            says so. A V_T is far off when it is more than {100 * FAR_OFF:g} % from the truth.""",
            table(
                ["truth", "hold, %", "log scale, %", "flagged, %", "far off, %", "of these flagged, %"],
                hard,
            ),
            """No flag can know of a tissue that the scan does not show: where the second tissue has a half-life of
            hours (the last truth), a fit can find another volume and look sure of it.""",
        ),
        tuple(goals),
        (Figure("validation-coverage.png", CAPTION, lambda canvas: draw(canvas, bars, draws)),),
    )


CAPTION = "Simulated: share of 95 % intervals that hold the true V_T, by truth, with the range of chance"


def label(truth: Truth, n: int) -> str:
    values = {name: column[n] for name, column in truth.values.items()}
    text = f"K1 {values['K1']:g}, V_T {values['VT']:g}"
    return f"{text}, k3 {values['k3']:.3g}, k4 {values['k4']:g}" if values["k3"] else text


def draw(canvas: "Canvas", bars: dict[str, list[tuple[str, float]]], draws: int) -> None:
    """One panel a model; the gray band is where 95 % of shares of so many draws lie by chance alone."""
    reach = 1.96 * 100 * float(np.sqrt(0.95 * 0.05 / draws))
    for axes, (model, shares) in zip(canvas.subplots(1, len(bars), sharex=True), bars.items(), strict=True):
        names, values = zip(*shares, strict=True)
        axes.axvspan(95 - reach, 95 + reach, color="0.88")
        axes.axvline(95, color="0.5", linewidth=1)
        axes.plot(values, np.arange(len(values)), "o", color="tab:blue")
        axes.set_yticks(np.arange(len(values)), names, fontsize=7)
        axes.invert_yaxis()
        axes.set_xlim(85, 100)
        axes.set_title(f"{model} (simulated)", fontsize=9)
        axes.set_xlabel("intervals that hold the truth, %", fontsize=8)
