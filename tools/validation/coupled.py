"""Section 15: curves of one scan fitted with one V_B: do the intervals hold, and what is gained?"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from TSPOQuantLib.kinetics import Coupled, FitOptions, fit_coupled, weights
from TSPOQuantLib.phantom.tracer import HALF_LIFE_S
from TSPOQuantLib.pipeline.curves import CurveChoices, fit_tacs

from .coverage import GOAL_PERCENT, share
from .document import Goal, Section, paragraphs, table
from .people import FOLDER, read, scan_files
from .simulation import REGION_VOXELS, integrate, one_tissue, schedule, true_input, with_noise

Array = NDArray[np.float64]

TITLE = "One V_B for the regions of a scan: simulated noise, and real scans"
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
    if data is None or not (data / FOLDER).is_dir():
        return Section(TITLE, simulation, tuple(goals))
    real = paragraphs(
        """**Real**: the six [11C]PBR28 scans of section 2 (six regions each, ready input, delay 0, weights by
        duration), by the same ratios; the last column counts the scans in which the F-test speaks against one V_B:""",
        table(["model", "scans", "curves", "SE of V_T ×", "SE of V_B ×", "told"], people(data / FOLDER, quick)),
    )
    return Section(TITLE, simulation + "\n\n" + real, tuple(goals))
