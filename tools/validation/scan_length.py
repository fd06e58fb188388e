"""Section 4: bias and scatter of V_T against the length of the scan."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.input_function import InputFunction
from TSPOQuantLib.kinetics import FitOptions, KineticFit, fit, fit_by_duration, weights, with_start_of
from TSPOQuantLib.phantom.tracer import HALF_LIFE_S

from .document import Figure, Section, paragraphs, table
from .simulation import REGION_VOXELS, Truth, integrate, one_tissue, schedule, true_input, with_noise

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

Array = NDArray[np.float64]

VT, VB = 13.0, 0.05
K1 = (0.5, 0.2, 0.1)
MODELS = ("1TCM", "Logan", "MA1")
MINUTES = (30, 40, 50, 60, 70, 80, 90)
NOISES = (1.0, 3.0)
DRAWS, QUICK_DRAWS = 200, 10
SEED = 51
SHOWN_MINUTES = (30, 60, 90)


@dataclass(frozen=True)
class Spread:
    """V_T over curves, % from the truth: median, 16th and 84th percentile; flagged: share of curves with any flag.

    lost: share of curves without any V_T; they are left out of the percentiles.
    """

    median: float
    low: float
    high: float
    flagged: float
    lost: float

    @property
    def scatter(self) -> float:
        return (self.high - self.low) / 2


Key = tuple[float, float, str, int]
"""Noise, K1, model, minutes."""


def truth() -> Truth:
    k1 = np.array(K1)
    return one_tissue(k1, np.full_like(k1, VT), np.full_like(k1, VB))


def measure(quick: bool) -> dict[Key, Spread]:
    minutes = (30, 60) if quick else MINUTES
    timing, source, draws = schedule(max(minutes)), true_input(), QUICK_DRAWS if quick else DRAWS
    curves = integrate(truth(), source, [timing]).averages(timing, truth().values["VB"])
    found = {}
    for n, noise in enumerate(NOISES):
        noisy = with_noise(curves, timing, np.random.default_rng(SEED + n), draws, noise)
        for k1, curve, same in zip(K1, curves, noisy, strict=True):
            options = FitOptions(weights=weights("counts", timing, same, HALF_LIFE_S))
            for model in MODELS:
                for length in minutes:
                    fits = fits_at(60.0 * length, model, timing, same, curve, source, options)
                    off = 100 * (np.array([one.parameters["VT"] for one in fits]) / VT - 1)
                    known = off[np.isfinite(off)]
                    low, median, high = np.percentile(known, (16, 50, 84)) if known.size else (math.nan,) * 3
                    flagged = 100 * float(np.mean([bool(one.flags) for one in fits]))
                    lost = 100 * float(np.isnan(off).mean())
                    found[noise, k1, model, length] = Spread(float(median), float(low), float(high), flagged, lost)
    return found


def fits_at(
    end_s: float,
    model: str,
    timing: FrameTiming,
    noisy: Array,
    curve: Array,
    source: InputFunction,
    options: FitOptions,
) -> tuple[KineticFit, ...]:
    """Fits of ``noisy`` (draws, frames) up to a time; t* is that of ``curve`` (frames,), which has no noise.

    An automatic t* is one for the curves of a scan, and each draw is a scan.
    """
    (exact,) = fit_by_duration(model, timing, curve[None], source, [end_s], options)
    (fits,) = fit_by_duration(model, timing, noisy, source, [end_s], with_start_of(options, exact))
    return fits


def section(quick: bool) -> Section:
    found = measure(quick)
    shown = [length for length in SHOWN_MINUTES if (NOISES[0], K1[0], MODELS[0], length) in found]
    rows = []
    for noise in NOISES:
        for k1 in K1:
            for model in MODELS:
                cells = [found[noise, k1, model, length] for length in shown]
                rows.append(
                    [
                        f"noise × {noise:g}, K1 {k1:g}, {model}",
                        *(
                            "–" if math.isnan(one.median) else f"{one.median:+.1f} ± {one.scatter:.1f}"
                            for one in cells
                        ),
                        *(f"{one.flagged:.0f}" for one in cells),
                    ]
                )
    lost = max(one.lost for one in found.values())
    return Section(
        "Bias and scatter against scan length: simulated noise",
        paragraphs(
            f"""**Simulated**: one tissue, V_T {VT:g}, V_B {VB:g}, K1 0.5, 0.2 and 0.1 (half-lives of 18, 45 and 90
            min), Poisson counts of {REGION_VOXELS} voxels at one and three times the phantom's noise, the same
            draws for every length, {QUICK_DRAWS if quick else DRAWS} each. 1TCM with V_B fitted; Logan and MA1
            without V_B, which alone makes them about 5 % too low here, and with the automatic t* of the curve
            without noise, as a scan's many regions have one (their lines are flagged as they are measured, noise
            included); weights by counts.
            Median error of V_T in %, ± half of the range that holds the middle 68 % of curves; then the share of
            curves with any flag, in %. Where no washout can be told from 0 there is no V_T, and the curve is left
            out: {lost:.1f} % of curves in the worst case.""",
            table(
                [
                    "truth, model",
                    *(f"{length} min" for length in shown),
                    *(f"flagged, {length} min" for length in shown),
                ],
                rows,
            ),
            """V_T 13 with K1 0.1 is hard in 60 min, as most of it is still to come: its scatter is several times
            that with K1 0.5. Noise makes Logan's V_T too low, the more so the slower the tissue.""",
        ),
        (),
        (
            Figure(
                "validation-scan-length.png", CAPTION_LENGTH, lambda canvas: draw_lengths(canvas, found), (7.5, 3.4)
            ),
            Figure("validation-fit.png", CAPTION_FIT, draw_fit, (7.5, 3.6)),
        ),
    )


CAPTION_LENGTH = (
    f"Simulated: error of V_T ({VT:g}) against scan length at three times the phantom's noise; bands hold 68 %"
)
CAPTION_FIT = "Simulated: one noisy curve each, its fit by 1TCM, and the residuals in standard deviations"


def draw_lengths(canvas: "Canvas", found: dict[Key, Spread]) -> None:
    minutes = sorted({key[3] for key in found})
    panels = canvas.subplots(1, len(K1), sharey=True)
    for axes, k1 in zip(panels, K1, strict=True):
        for model, color in zip(MODELS, ("tab:blue", "tab:orange", "tab:green"), strict=True):
            line = [found[NOISES[-1], k1, model, length] for length in minutes]
            axes.fill_between(
                minutes, [one.low for one in line], [one.high for one in line], color=color, alpha=0.2, linewidth=0
            )
            axes.plot(minutes, [one.median for one in line], color=color, label=model)
        axes.axhline(0, color="0.5", linewidth=1)
        axes.set_title(f"K1 {k1:g} (simulated)", fontsize=9)
        axes.set_xlabel("scan length, min", fontsize=8)
        axes.set_ylim(-60, 60)
    panels[0].set_ylabel("error of V_T, %", fontsize=8)
    panels[0].legend(fontsize=8)


def draw_fit(canvas: "Canvas") -> None:
    timing, source = schedule(60), true_input()
    curves = integrate(truth(), source, [timing]).averages(timing, truth().values["VB"])
    noisy = with_noise(curves, timing, np.random.default_rng(SEED), 1)[:, 0]
    options = FitOptions(weights=weights("counts", timing, noisy, HALF_LIFE_S))
    upper, lower = canvas.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (3, 1)})
    minutes = timing.mids_s / 60
    for k1, curve, one, color in zip(
        K1, noisy, fit("1TCM", timing, noisy, source, options), ("tab:blue", "tab:orange", "tab:green"), strict=True
    ):
        upper.plot(minutes, curve, "o", markersize=4, color=color)
        low, high = one.interval("VT")
        upper.plot(
            minutes,
            one.predicted,
            color=color,
            label=f"K1 {k1:g}: V_T {one.parameters['VT']:.2f} ({low:.2f}–{high:.2f})",
        )
        spread = np.sqrt(one.wrss / one.degrees_of_freedom / one.weights)
        lower.plot(minutes, one.residuals / spread, "o", markersize=4, color=color)
    upper.set_title(f"true V_T {VT:g} (simulated)", fontsize=9)
    upper.set_ylabel("kBq/mL", fontsize=8)
    upper.set_ylim(0, 1.35 * float(noisy.max()))
    upper.legend(fontsize=7, title="1TCM, 95 % interval", title_fontsize=7, ncols=len(K1), loc="upper right")
    lower.axhline(0, color="0.5", linewidth=1)
    lower.set_ylim(-3.5, 3.5)
    lower.set_ylabel("residual, SD", fontsize=8)
    lower.set_xlabel("min", fontsize=8)
