"""Section 15: curves of one scan, or of two visits, with one V_B: do the intervals hold, and what is gained?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.input_function import InputFunction
from TSPOQuantLib.kinetics import (
    Coupled,
    FitOptions,
    KineticFit,
    ScanCurves,
    fit_coupled,
    fit_coupled_scans,
    weights,
)
from TSPOQuantLib.phantom.tracer import HALF_LIFE_S
from TSPOQuantLib.pipeline.curves import CurveChoices, fit_tacs

from .coverage import GOAL_PERCENT, share
from .document import Goal, Section, paragraphs, table
from .people import FOLDER, read, scan_files
from .simulation import REGION_VOXELS, integrate, one_tissue, schedule, true_input, with_noise

Array = NDArray[np.float64]

TITLE = "One V_B for the regions of a scan, or for two visits: simulated noise, and real scans"
DRAWS, FEWER, QUICK_DRAWS = 150, 20, 2
"""Scans with one V_B, with several, and in a quick run: a coupled fit takes seconds."""
K1 = np.array([0.5, 0.5, 0.3, 0.2])
VT = np.array([13.0, 6.0, 4.0, 5.0])
APART = {
    "0.05 in all": np.full(4, 0.05),
    "0.04 to 0.06": np.array([0.04, 0.06, 0.05, 0.045]),
    "0.03 to 0.08": np.array([0.03, 0.08, 0.05, 0.04]),
}
"""True V_B of the four regions: shared, and not."""
MODELS = ("1TCM", "2TCM")
CHANGE_K1 = np.array([0.5, 0.45])
CHANGE_VT = np.array([13.0, 6.2])
VISITS = {"0.05, 0.05": (0.05, 0.05), "0.20, 0.20": (0.2, 0.2), "0.05, 0.06": (0.05, 0.06), "0.05, 0.08": (0.05, 0.08)}
"""True V_B at the two visits of one region."""


def simulated(vb: Array, draws: int, seed: int) -> list[Coupled]:
    """One tissue compartment in four regions of a scan, noise as in section 3; each scan fitted as a whole."""
    timing, source = schedule(60), true_input()
    truth = one_tissue(K1, VT, vb)
    curves = integrate(truth, source, [timing]).averages(timing, vb)
    noisy = with_noise(curves, timing, np.random.default_rng(seed), draws)
    scans = np.swapaxes(noisy, 0, 1)
    return [
        fit_coupled("1TCM", timing, scan, source, FitOptions(weights=weights("counts", timing, scan, HALF_LIFE_S)))
        for scan in scans
    ]


def held(scans: Sequence[Coupled], separate: bool) -> NDArray[np.bool_]:
    """Which 95 % intervals of V_T hold the truth: (scans, regions)."""
    ends = [[one.interval("VT") for one in (scan.separate if separate else scan.fits)] for scan in scans]
    low, high = np.moveaxis(np.array(ends), -1, 0)
    return np.asarray((low <= VT) & (high >= VT))


def gain(scans: Sequence[Coupled], name: str) -> float:
    """Median standard error of the coupled fits over that of the separate ones."""
    pairs = [
        (one.standard_errors[name], apart.standard_errors[name])
        for scan in scans
        for one, apart in zip(scan.fits, scan.separate, strict=True)
    ]
    together, alone = np.array(pairs).T
    known = np.isfinite(together) & np.isfinite(alone) & (alone > 0)
    return float(np.median(together[known] / alone[known]))


@dataclass(frozen=True)
class Changed:
    """ln of V_T at the second visit over the first, its standard error by noise, and half its 95 % interval."""

    log_ratio: float
    error: float
    half: float


def changed(fits: Sequence[KineticFit], covariance: float = 0.0) -> Changed:
    """Of two fits whose outcomes have this covariance."""
    first, second = (one.outcome_value for one in fits)
    own = sum((one.outcome_error / one.outcome_value) ** 2 for one in fits)
    error = float(np.sqrt(max(own - 2 * covariance / (first * second), 0.0)))
    freedom = sum(one.degrees_of_freedom for one in fits)
    return Changed(float(np.log(second / first)), error, float(stdtrit(freedom, 0.975)) * error)


def two_visits(vb: Sequence[float], draws: int, seed: int) -> list[Coupled]:
    """A region that goes from V_T 13 to 6.2, with its V_B at both visits, fitted with one."""
    timing, source = schedule(60), true_input()
    curves = integrate(one_tissue(CHANGE_K1, CHANGE_VT, np.array(vb)), source, [timing]).averages(timing, np.array(vb))
    noisy = with_noise(curves, timing, np.random.default_rng(seed), draws)
    return [
        fit_coupled_scans("1TCM", [_scan(timing, curve, source) for curve in pair])
        for pair in zip(*noisy, strict=True)
    ]


def _scan(timing: FrameTiming, curve: Array, source: InputFunction) -> ScanCurves:
    return ScanCurves(timing, curve[None], source, FitOptions(weights=weights("counts", timing, curve, HALF_LIFE_S)))


def visits_row(name: str, scans: Sequence[Coupled]) -> tuple[list[str], float]:
    """One row of the table of two visits, and the share of intervals that hold the change."""
    truth = float(np.log(CHANGE_VT[1] / CHANGE_VT[0]))
    together = [changed(one.fits, one.covariance[0, 1]) for one in scans]
    apart = [changed(one.separate) for one in scans]
    held_share, apart_share = (
        share(np.array([abs(one.log_ratio - truth) <= one.half for one in found])) for found in (together, apart)
    )
    errors = [a.error / b.error for a, b in zip(together, apart, strict=True)]
    spread = [float(np.std([one.log_ratio for one in found])) for found in (together, apart)]
    off = 100 * np.expm1(np.mean([one.log_ratio for one in together]) - truth)
    told = share(np.array([one.f_chance < 0.05 for one in scans]))
    values = (f"{held_share:.1f}", f"{apart_share:.1f}", f"{np.median(errors):.2f}", f"{spread[0] / spread[1]:.2f}")
    return [name, f"{len(scans)}", *values, f"{off:+.1f}", f"{told:.0f}"], held_share


def test_retest(folder: Path, quick: bool) -> list[list[str]]:
    """Two scans of a person with nothing between them: how much less V_T differs with one V_B a region."""
    names = sorted({row["PET"] for row in read(folder / "reference_exact.csv")})
    people = list(zip(names[::2], names[1::2], strict=True))[: 1 if quick else None]
    rows = []
    for model in MODELS[: 1 if quick else None]:
        found: list[Coupled] = []
        for pair in people:
            tables = [
                fit_tacs(tacs, [blood], [model], FitOptions(), "duration")
                for tacs, blood in (scan_files(folder, name) for name in pair)
            ]
            for number in range(len(tables[0].regions)):
                scans = [
                    ScanCurves(
                        one.timing,
                        one.activity[number : number + 1],
                        one.input.input_function,
                        FitOptions(weights=one.fits[model][number].weights),
                    )
                    for one in tables
                ]
                found.append(fit_coupled_scans(model, scans))
        together = [changed(one.fits, one.covariance[0, 1]) for one in found]
        apart = [changed(one.separate) for one in found]
        known = [(a, b) for a, b in zip(together, apart, strict=True) if np.isfinite([a.error, b.error]).all()]
        ratio = np.median([a.error / b.error for a, b in known])
        told = [(a, b) for a, b in zip(together, apart, strict=True) if np.isfinite([a.log_ratio, b.log_ratio]).all()]
        wcv = [100 * np.sqrt(np.mean([pair[which].log_ratio ** 2 for pair in told]) / 2) for which in (1, 0)]
        against = sum(one.f_chance < 0.05 for one in found)
        rows.append([model, f"{len(told)}", f"{ratio:.2f}", f"{wcv[0]:.1f}", f"{wcv[1]:.1f}", f"{against}"])
    return rows


def people(folder: Path, quick: bool) -> list[list[str]]:
    """The gain on the regions of real scans, and how often the F-test speaks against one V_B."""
    scans = sorted({row["PET"] for row in read(folder / "reference_exact.csv")})[: 1 if quick else None]
    rows = []
    for model in MODELS[: 1 if quick else None]:
        found = []
        for scan in scans:
            tacs, blood = scan_files(folder, scan)
            asked = CurveChoices(coupled=True)
            found.append(fit_tacs(tacs, [blood], [model], FitOptions(), "duration", asked=asked).coupled[model])
        against = sum(one.f_chance < 0.05 for one in found)
        regions = sum(len(one.fits) for one in found)
        rows.append(
            [
                model,
                f"{len(found)}",
                f"{regions}",
                f"{gain(found, 'VT'):.2f}",
                f"{gain(found, 'VB'):.2f}",
                f"{against}",
            ]
        )
    return rows


def section(data: Path | None, quick: bool) -> Section:
    rows, goals = [], []
    low, high = GOAL_PERCENT
    for seed, (name, vb) in enumerate(list(APART.items())[: 1 if quick else None], start=91):
        shared = len(set(vb)) == 1
        draws = QUICK_DRAWS if quick else DRAWS if shared else FEWER
        scans = simulated(vb, draws, seed)
        together, alone = (held(scans, separate) for separate in (False, True))
        against = share(np.array([one.f_chance < 0.05 for one in scans]))
        worst = min(share(column) for column in together.T)
        rows.append(
            [
                name,
                f"{draws}",
                f"{share(together):.1f}",
                f"{worst:.1f}",
                f"{share(alone):.1f}",
                f"{gain(scans, 'VT'):.2f}",
                f"{gain(scans, 'VB'):.2f}",
                f"{against:.0f}",
            ]
        )
        if shared:
            whole = share(together)
            what = "coupled fit: 95 % intervals of V_T that hold the truth"
            goals.append(Goal(what, f"{whole:.1f} %", f"{low:g} to {high:g} %", low <= whole <= high))
    simulation = paragraphs(
        f"""**Simulated**: one tissue compartment in four regions of one scan (V_T {", ".join(f"{v:g}" for v in VT)}),
        60 min, noise of a region of {REGION_VOXELS} voxels as in section 3, weights by counts, true input, delay 0.
        Share of the regions' 95 % intervals that hold the truth, of the worst region alone, and of
        the separate fits; the median standard error of the coupled fit over that of the separate ones; in how many
        scans the F-test speaks against one V_B (p below 0.05):""",
        table(
            [
                "true V_B",
                "scans",
                "held, %",
                "worst region, %",
                "separate, %",
                "SE of V_T ×",
                "SE of V_B ×",
                "told, %",
            ],
            rows,
        ),
        """Regions of one scan share the error of their common V_B and are no independent trials. Where V_B differs,
        the intervals no longer hold, and the F-test is what tells it.""",
    )
    pairs = []
    for seed, (name, both) in enumerate(list(VISITS.items())[: 1 if quick else None], start=95):
        many = both == next(iter(VISITS.values()))
        row, kept = visits_row(name, two_visits(both, QUICK_DRAWS if quick else DRAWS if many else FEWER, seed))
        pairs.append(row)
        if many:
            what = "one V_B over two visits: 95 % intervals of the change that hold the truth"
            goals.append(Goal(what, f"{kept:.1f} %", f"{low:g} to {high:g} %", low <= kept <= high))
    simulation += "\n\n" + paragraphs(
        f"""**Simulated, two visits** of one region whose V_T goes from {CHANGE_VT[0]:g} to {CHANGE_VT[1]:g}, as
        above, by the joint covariance (`compare --coupled visits`, noise alone): share of 95 % intervals of the change
        that hold the truth, together and by separate fits; standard error and true scatter of ln(ratio) over those of
        separate fits; how far the mean change is off; how often the F-test speaks against one V_B:""",
        table(["true V_B", "pairs", "held, %", "separate, %", "SE ×", "SD ×", "off, %", "told, %"], pairs),
        """Where V_B has changed, sharing it biases the change, and the F-test tells a small change of V_B rarely: what
        it gains is for regions of which one knows that it has not.""",
    )
    if data is None or not (data / FOLDER).is_dir():
        return Section(TITLE, simulation, tuple(goals))
    repeated = paragraphs(
        """**Real, test and retest**: the same scans in pairs, one V_B for both scans of a region; pairs with a V_T at
        both scans, standard error of the log ratio by noise over that of separate fits, within-person coefficient of
        variation (%) by separate fits and together, and in how many of the 18 pairs the F-test speaks against one
        V_B:""",
        table(["model", "pairs", "SE ×", "wCV separate", "wCV together", "told"], test_retest(data / FOLDER, quick)),
    )
    real = paragraphs(
        """**Real**: the six [11C]PBR28 scans of section 2 (six regions each, ready input, delay 0, weights by
        duration), by the same ratios; the last column counts the scans in which the F-test speaks against one V_B:""",
        table(["model", "scans", "curves", "SE of V_T ×", "SE of V_B ×", "told"], people(data / FOLDER, quick)),
    )
    return Section(TITLE, "\n\n".join([simulation, real, repeated]), tuple(goals))
