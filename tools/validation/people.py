"""Section 2: human [11C]PBR28 curves, against an exact multistart solver and against the R package kinfitr."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from TSPOQuantLib.kinetics import FitOptions, KineticFit
from TSPOQuantLib.pipeline.curves import fit_tacs

from .document import Goal, Section, goal_below, paragraphs, table

Array = NDArray[np.float64]
Row = Mapping[str, str]

TITLE = "Real people: [11C]PBR28 in the brain"
FOLDER = "pbr28"
SESSIONS = {"1": "test", "2": "retest"}
# The references' own settings: V_B and the highest rate constant, 1/min.
SETTINGS: dict[str, tuple[str, float]] = {
    "X4_unw_vB0": ("none", 0.5),
    "X5_unw_vBfit": ("fit", 0.5),
    "X5w_unw_vBfit_wide": ("fit", 5.0),
}
WORDS = {
    "X4_unw_vB0": "no V_B",
    "X5_unw_vBfit": "V_B fitted",
    "X5w_unw_vBfit_wide": "V_B fitted, rates up to 5 per minute",
}
OF_KINFITR = {"X4_unw_vB0": "S4_unw_delay0_vB0", "X5_unw_vBfit": "S5_unw_delay0_vBfit"}
GRAPHICAL = {"G1_unw_delay0_vB0_interp": "interpolated", "G2_unw_delay0_vB0_dur": "by frame duration"}
LAST_FRAMES = (8, 10)
# The references' optimum is known to this factor (see the reference's own description).
SAME_WRSS = 1.001


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def scan_files(folder: Path, scan: str) -> tuple[Path, Path]:
    """The curves and the ready parent plasma of a scan named like cgyu_1."""
    subject, number = scan.split("_")
    session = SESSIONS[number]
    stem = f"sub-{subject}_ses-{session}"
    place = folder / f"sub-{subject}" / f"ses-{session}" / "pet"
    return place / f"{stem}_seg-rois_tacs.tsv", place / f"{stem}_bloodproc.tsv"


def fits_of(
    folder: Path, scans: list[str], model: str, options: FitOptions
) -> Iterator[tuple[tuple[str, str], KineticFit]]:
    """((scan, region), fit) of every curve, through the same door as the command ``fit``."""
    for scan in scans:
        tacs, blood = scan_files(folder, scan)
        fitted = fit_tacs(tacs, [blood], [model], options)
        for region, one in zip(fitted.regions, fitted.fits[model], strict=True):
            yield (scan, region), one


@dataclass(frozen=True, eq=False)
class Against:
    """One model in one setting, a value a curve: V_T and its standard error over the reference's, WRSS likewise.

    inside: the reference touches no bound. clean: and neither does the fit. sure: the fit is not flagged as not
    identifiable.
    """

    curves: list[tuple[str, str]]
    vt: Array
    se: Array
    wrss: Array
    inside: NDArray[np.bool_]
    clean: NDArray[np.bool_]
    sure: NDArray[np.bool_]


def compare(folder: Path, exact: list[Row], scans: list[str], model: str, setting: str) -> Against:
    vb, fastest = SETTINGS[setting]
    bounds = {"K1": (0.0, 1.0)} | dict.fromkeys(("k2", "k3", "k4"), (0.0, fastest))
    bounds |= {"VB": (0.0, 0.5)} if vb == "fit" else {}
    by_curve = {(row["PET"], row["ROI"]): row for row in exact if (row["model"], row["setting"]) == (model, setting)}
    keys, found = [], []
    for key, one in fits_of(folder, scans, model, FitOptions(vb=vb, bounds=bounds)):
        row, codes = by_curve[key], [flag.code for flag in one.flags]
        keys.append(key)
        inside = row["at_bound"] == "False"
        found.append(
            (
                one.parameters["VT"] / float(row["Vt"]),
                one.standard_errors["VT"] / float(row["Vt_absSE"]),
                one.wrss / float(row["wRSS"]),
                inside,
                inside and not any(code.startswith("at-bound") for code in codes),
                "not-identifiable" not in codes,
            )
        )
    return Against(keys, *(np.array(column) for column in zip(*found, strict=True)))


def kinfitr_ratios(exact: list[Row], kinfitr: list[Row], setting: str) -> dict[tuple[str, str], float]:
    """V_T of kinfitr's 2TCM fits over that of the exact solver, by curve."""
    reference = {
        (row["PET"], row["ROI"]): float(row["Vt"])
        for row in exact
        if (row["model"], row["setting"]) == ("2TCM", setting)
    }
    return {
        (row["PET"], row["ROI"]): float(row["Vt"]) / reference[row["PET"], row["ROI"]]
        for row in kinfitr
        if (row["model"], row["setting"]) == ("2TCM", OF_KINFITR[setting])
    }


def section(data: Path | None, quick: bool) -> Section:
    if data is None or not (data / FOLDER).is_dir():
        return Section(TITLE, "Skipped: the data (Matheson 2017, 10.1186/s13550-017-0304-1) are not on this machine.")
    folder = data / FOLDER
    exact, kinfitr = read(folder / "reference_exact.csv"), read(folder / "reference_kinfitr.csv")
    scans = sorted({row["PET"] for row in exact})[: 1 if quick else None]
    one_rows, two_rows, goals = [], [], []
    one_worst, two_worst = 0.0, 0.0
    for setting, words in WORDS.items():
        if setting in OF_KINFITR:
            one = compare(folder, exact, scans, "1TCM", setting)
            off = 100 * np.abs(one.vt - 1)[one.inside]
            one_worst = max(one_worst, float(off.max()))
            one_rows.append(
                [words, f"{off.size}", small(np.median(off)), small(off.max()), ratios(one.se[one.inside])]
            )
        two = compare(folder, exact, scans, "2TCM", setting)
        two_worst = max(two_worst, float(two.wrss.max()))
        same = two.clean & (np.abs(two.vt - 1) < 0.001)
        theirs = "not run"
        if setting in OF_KINFITR:
            ratio = kinfitr_ratios(exact, kinfitr, setting)
            theirs = far_off(np.array([ratio[curve] for curve in two.curves]), two.sure)
        two_rows.append(
            [
                words,
                f"{np.median(two.wrss):.5f}",
                f"{two.wrss.max():.5f}",
                f"{two.wrss.min():.5f}",
                f"{(two.wrss <= SAME_WRSS).sum()} of {two.wrss.size}",
                far_off(two.vt, two.sure),
                theirs,
                f"{ratios(two.se[same])} ({same.sum()})",
            ]
        )
    goals.append(goal_below("1TCM V_T against the exact solver, off bounds: worst", one_worst, 0.1))
    goals.append(
        Goal(
            "2TCM WRSS over the exact solver's: worst",
            f"{two_worst:.5f}",
            f"at most {SAME_WRSS}",
            two_worst <= SAME_WRSS,
        )
    )
    graphical_rows, graphical_worst = graphical(folder, kinfitr, scans)
    goals.append(goal_below("Logan and MA1 V_T against kinfitr: worst", graphical_worst, 0.5))
    return Section(
        TITLE,
        paragraphs(
            f"""**Real**: {len(scans)} scans of healthy brains with arterial blood, 6 regions, 37 frames (Matheson
            2017, 10.1186/s13550-017-0304-1), fitted through the same door as `./tspoquant fit`, with uniform
            weights, delay 0 and the reference's bounds. The exact solver is another program: closed forms, many
            starts. Its optimum is an upper bound: a WRSS below it is a better fit.""",
            "One tissue, where no bound is touched: difference of V_T, and standard error over the reference's.",
            table(["setting", "curves", "median, %", "worst, %", "SE ratio, lowest to highest"], one_rows),
            """Two tissues: sum of squares over the exact solver's, and how many V_T lie more than 5 % from the exact
            solver's among the curves that determine V_T + among those that this program flags as not identifiable
            (there, a slightly better fit has quite another V_T). kinfitr 0.9.1 fits from one start. The last column
            is the ratio of standard errors where V_T agrees to 0.1 % and no bound is touched (number of curves).""",
            table(
                [
                    "setting",
                    "WRSS, median",
                    "worst",
                    "best",
                    "within 1.001",
                    "V_T > 5 % off",
                    "V_T > 5 % off, kinfitr",
                    "SE ratio",
                ],
                two_rows,
            ),
            "Graphical methods, no V_B: V_T against kinfitr's, by both of its ways to integrate the curve.",
            table(["method", "last frames", "kinfitr's integral", "median, %", "worst, %"], graphical_rows),
        ),
        tuple(goals),
    )


def graphical(folder: Path, kinfitr: list[Row], scans: list[str]) -> tuple[list[list[str]], float]:
    reference = {
        (row["PET"], row["ROI"], row["model"], row["setting"], row["tstar_frames"]): float(row["Vt"])
        for row in kinfitr
    }
    rows, worst = [], 0.0
    for model in ("Logan", "MA1"):
        for count in LAST_FRAMES:
            fits = list(fits_of(folder, scans, model, FitOptions(vb="none", last_frames=count)))
            for setting, words in GRAPHICAL.items():
                off = np.array(
                    [
                        100 * abs(one.parameters["VT"] / reference[*key, model, setting, str(count)] - 1)
                        for key, one in fits
                    ]
                )
                worst = max(worst, float(off.max()))
                rows.append([model, f"{count}", words, small(np.median(off)), small(off.max())])
    return rows, worst


def far_off(ratio: Array, sure: NDArray[np.bool_]) -> str:
    off = np.abs(ratio - 1) > 0.05
    return f"{(off & sure).sum()} of {sure.sum()} + {(off & ~sure).sum()} of {(~sure).sum()}"


def small(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def ratios(values: Array) -> str:
    return f"{values.min():.3f} to {values.max():.3f}" if values.size else "none"
