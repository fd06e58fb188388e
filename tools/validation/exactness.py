"""Section 1: without noise, does the program return the parameters that made the curve?"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.input_function import continuous_curve
from TSPOQuantLib.input_function.curve import InputFunction
from TSPOQuantLib.input_function.piecewise_linear import evaluate
from TSPOQuantLib.kinetics import DEFAULT_BOUNDS, fit
from TSPOQuantLib.phantom.tracer import ARRIVAL_MIN, blood_of

from .document import Section, goal_below, paragraphs, table
from .simulation import (
    RELATIVE_TOLERANCE,
    VISIT,
    Integrals,
    Truth,
    integrate,
    one_tissue,
    schedule,
    true_input,
    two_tissues,
    without,
)

Array = NDArray[np.float64]

GOAL_VT_PERCENT, GOAL_PARAMETER_PERCENT = 0.01, 0.1
NAMES = {"1TCM": ("K1", "k2"), "2TCM": ("K1", "k2", "k3", "k4")}
SCHEDULES = {
    "20 min, 15 frames": schedule(20),
    "30 min, 16 frames": schedule(30),
    "60 min, 19 frames": schedule(60),
    "60 min, 19 frames, two missing": without(schedule(60), (8, 14)),
    "90 min, 22 frames": schedule(90),
    "120 min, 25 frames": schedule(120),
}
STANDARD = "60 min, 19 frames"


@dataclass(frozen=True)
class Errors:
    """Worst error over curves in %: of V_T, of any rate constant or K1, and of V_B as a fraction (not in %)."""

    curves: int
    vt: float
    parameter: float
    vb: float


def one_tissue_truths(quick: bool) -> Truth:
    k1 = (0.02, 0.2, 1.0) if quick else (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    vt = (0.3, 30.0) if quick else (0.3, 1.0, 3.0, 10.0, 30.0)
    vb = (0.05,) if quick else (0.0, 0.05, 0.15)
    return one_tissue(*np.array(list(product(k1, vt, vb))).T)


def two_tissue_truths(quick: bool) -> Truth:
    """Every combination whose k2 lies within the program's default bounds."""
    k1 = (0.1,) if quick else (0.02, 0.1, 0.4, 1.0)
    vt = (3.0, 13.0) if quick else (0.3, 3.0, 13.0, 30.0)
    binding, k4 = ((2.0,), (0.06,)) if quick else ((0.5, 2.0, 6.0), (0.02, 0.06, 0.2))
    vb = (0.05,) if quick else (0.0, 0.05, 0.15)
    truth = two_tissues(*np.array(list(product(k1, vt, binding, k4, vb))).T)
    inside = truth.values["k2"] < DEFAULT_BOUNDS["k2"][1]
    return Truth({name: values[inside] for name, values in truth.values.items()})


def errors_of(model: str, truth: Truth, timing: FrameTiming, curves: Array, source: InputFunction) -> Errors:
    """Fit noise-free curves (curves, frames) and compare."""
    fits = fit(model, timing, curves, source)
    off = {
        name: np.array([one.parameters[name] for one in fits]) / truth.values[name] - 1
        for name in ("VT", *NAMES[model])
    }
    vb = np.array([one.parameters["VB"] for one in fits]) - truth.values["VB"]
    worst = {name: 100 * float(np.abs(values).max()) for name, values in off.items()}
    return Errors(len(fits), worst["VT"], max(worst[name] for name in NAMES[model]), float(np.abs(vb).max()))


def measure(quick: bool) -> dict[str, dict[str, Errors]]:
    """Worst errors by model and schedule."""
    source = true_input()
    chosen = {STANDARD: SCHEDULES[STANDARD]} if quick else SCHEDULES
    found = {}
    for model, truth in (("1TCM", one_tissue_truths(quick)), ("2TCM", two_tissue_truths(quick))):
        integrals = integrate(truth, source, list(chosen.values()))
        found[model] = {
            name: errors_of(model, truth, timing, integrals.averages(timing, truth.values["VB"]), source)
            for name, timing in chosen.items()
        }
    return found


def shortcuts() -> dict[str, tuple[float, float, float]]:
    """What two shortcuts cost: (lowest, median, highest) V_T error in %; 1TCM, 60 min, K1 0.1 to 0.5, V_T 3 to 13."""
    source, timing = true_input(), schedule(60)
    truth = one_tissue(*np.array(list(product((0.1, 0.2, 0.5), (3.0, 6.0, 13.0), (0.05,)))).T)
    integrals = integrate(truth, source, [timing])
    curves = integrals.averages(timing, truth.values["VB"])
    instants = FrameTiming(timing.mids_s - 0.005, np.full(len(timing), 0.01))
    exact, joined = inputs_from_frames(integrals, timing)

    def off(frames: FrameTiming, plasma: InputFunction) -> tuple[float, float, float]:
        fits = fit("1TCM", frames, curves, plasma)
        errors = 100 * (np.array([one.parameters["VT"] for one in fits]) / truth.values["VT"] - 1)
        return float(errors.min()), float(np.median(errors)), float(errors.max())

    return {
        "this program, true input": off(timing, source),
        "model read at mid-frame instead of averaged over the frame, true input": off(instants, source),
        "this program, input from the frame averages of blood": off(timing, exact),
        "input from straight lines through mid-frame values of blood": off(timing, joined),
    }


def inputs_from_frames(integrals: Integrals, timing: FrameTiming) -> tuple[InputFunction, ...]:
    """Inputs from nothing but blood's frame averages: the program's, and straight lines through mid-frame values.

    The ratio of parent plasma to whole blood is the true one in both.
    """
    blood = integrals.blood_averages(timing)
    curve = continuous_curve(timing, blood)
    seconds = np.arange(0.0, timing.ends_s[-1] + 0.5, 0.5)
    truth, arrived = blood_of(VISIT), np.maximum(seconds / 60, ARRIVAL_MIN + 0.01)
    ratio = truth.parent_plasma(arrived) / truth.whole_blood(arrived)
    smooth = evaluate(curve.knots_s, curve.values, seconds)
    joined = np.interp(seconds, np.append(0.0, timing.mids_s), np.append(0.0, blood))
    return tuple(InputFunction(seconds, whole * ratio, whole) for whole in (smooth, joined))


def section(quick: bool) -> Section:
    found = measure(quick)
    rows = [
        [model, name, str(one.curves), percent(one.vt), percent(one.parameter), percent(100 * one.vb)]
        for model, by_schedule in found.items()
        for name, one in by_schedule.items()
    ]
    goals = []
    for model, by_schedule in found.items():
        worst = list(by_schedule.values())
        goals.append(goal_below(f"{model}, noise-free: worst V_T error", max(e.vt for e in worst), GOAL_VT_PERCENT))
        goals.append(
            goal_below(
                f"{model}, noise-free: worst error of K1 and rate constants",
                max(e.parameter for e in worst),
                GOAL_PARAMETER_PERCENT,
            )
        )
    cost = [
        [name, f"{low:+.2f}", f"{middle:+.2f}", f"{high:+.2f}"] for name, (low, middle, high) in shortcuts().items()
    ]
    return Section(
        "Exactness: simulated curves without noise",
        paragraphs(
            f"""**Simulated**: curves of known parameters by a general ODE solver (DOP853, relative tolerance
            {RELATIVE_TOLERANCE:g}), which shares nothing with the program's closed forms. The input is the
            phantom's, with straight lines between its knots. 1TCM: K1 0.02 to 1, V_T 0.3 to 30, V_B 0 to 0.15. 2TCM:
            the same ranges with BP_ND 0.5 to 6 and k4 0.02 to 0.2 per minute, wherever k2 lies within the default
            bounds. Default fit: V_B fitted, uniform weights. Worst error over all curves:""",
            table(["model", "scan", "curves", "V_T, %", "K1 and rates, %", "V_B, % of volume"], rows),
            "What shortcuts cost, on the 60-min scan (1TCM, K1 0.1 to 0.5, V_T 3 to 13): error of V_T in %.",
            table(["way", "lowest", "median", "highest"], cost),
        ),
        tuple(goals),
    )


def percent(value: float) -> str:
    """So few digits that another machine's rounding does not show."""
    return "< 0.0001" if value < 1e-4 else f"{value:.2g}"
