"""Section 7: how often the corrected Akaike criterion picks the model that made the curve."""

import numpy as np
from TSPOQuantLib.kinetics import FitOptions, fit, preferred, weights
from TSPOQuantLib.phantom.tracer import HALF_LIFE_S

from .coverage import KNOWN, QUICK_TRUTHS, label
from .document import Section, paragraphs, table
from .simulation import REGION_VOXELS, Truth, integrate, schedule, true_input, with_noise

MODELS = ("1TCM", "2TCM")
DRAWS, QUICK_DRAWS = 100, 5
SEED = 71
NOISES = (1.0, 3.0)


def measure(true_model: str, truth: Truth, draws: int, noise: float) -> list[float]:
    """Share of curves, in %, for which the true model has the lowest AICc: one of each truth."""
    timing, source = schedule(60), true_input()
    curves = integrate(truth, source, [timing]).averages(timing, truth.values["VB"])
    right = []
    for same in with_noise(curves, timing, np.random.default_rng(SEED), draws, noise):
        options = FitOptions(weights=weights("counts", timing, same, HALF_LIFE_S))
        pairs = zip(*(fit(model, timing, same, source, options) for model in MODELS), strict=True)
        right.append(100 * float(np.mean([preferred(pair, "aicc").model == true_model for pair in pairs])))
    return right


def section(quick: bool) -> Section:
    draws = QUICK_DRAWS if quick else DRAWS
    rows = []
    for true_model in MODELS:
        truth = KNOWN[true_model].first(QUICK_TRUTHS) if quick else KNOWN[true_model]
        right = [measure(true_model, truth, draws, noise) for noise in NOISES]
        rows += [
            [f"{true_model}, {label(truth, n)}", *(f"{value:.0f}" for value in values)]
            for n, values in enumerate(zip(*right, strict=True))
        ]
        rows.append([f"**{true_model}, all**", *(f"**{np.mean(values):.0f}**" for values in right)])
    return Section(
        "Model selection: simulated noise",
        paragraphs(
            f"""**Simulated**: as in section 3, {draws} curves of {REGION_VOXELS} voxels for each truth, fitted by
            1TCM and 2TCM (V_B fitted). How often AICc prefers the model that made the curve, in %:""",
            table(["truth", *(f"noise × {noise:g}" for noise in NOISES)], rows),
            """A 2TCM curve is taken for a 1TCM one where its second tissue lies below the noise: that AICc prefers
            one tissue in a small region does not show that there is only one.""",
        ),
    )
