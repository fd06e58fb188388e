"""The result files: BIDS-derivative tables (_tacs.tsv, _kinpar.tsv/.json), JSON, and the study's Table 1 as text."""

import json
import math
import re
import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import DISCLAIMER
from ..acquisition.curve_tables import MORPH_VOLUME
from ..acquisition.frames import FrameTiming
from ..acquisition.modality import CT
from ..alignment.motion import LIMIT_MM
from ..alignment.transform_files import write_transform
from ..kinetics import Coupled, KineticFit
from ..kinetics.options import FitSettings
from ..messages import Notice
from ..outcome.change import NO_PVC, Change
from ..outcome.record import FILE, InputRecord, RegionOutcome, VisitRecord, sealed
from ..outcome.recording import input_record
from ..outcome.uptake import REGION_FIELDS, RegionUptake, uptake_notices, uptake_of, window_of
from ..outcome.visit import FittedTable, VisitResult
from ..plain import plain
from ..quantities import BY_KEY, UNITS, UPTAKE, Quantity, decimals_for
from ..regions.measurements import MEASUREMENTS
from .fused_files import write_fused_images
from .model_comparison import ABOUT, comparison_rows
from .reasons import WIDTH, reasons_text

INDENT = 4
"""Of what terminals show below a line; tables stay within WIDTH."""
# What a column may add to the name of the quantity whose unit it has.
OF_A_QUANTITY = re.compile("-(se|(profile|bootstrap)-(low|high))$")
WINDOW_HELP = (
    "From time zero. A frame counts by the time that lies in the window; low and high are the lowest and the highest "
    "frame of it."
)
HOW = {
    "SUV": "Mean over region and window, kBq/mL times body weight over injected activity",
    "SUVmax": "Highest voxel of the region in the mean image of the window, frames brought to rest where they moved",
    "SUVpeak": "Highest mean, in that image, of a sphere of 1 cm3 round a voxel of the region; it reaches beyond "
    "a region that is smaller (10.1186/s13550-016-0177-8)",
    "SUVsd": "Over the region's voxels of that image, each by the share that the region covers",
    "SUVR": "Mean over the window over that of the reference region",
    "TBR-PP": "Mean over the window over that of the parent plasma in the same frames (10.3389/fnume.2025.1569991)",
    "TBR-WB": "The same over whole blood",
}
RELATIVE_SE_HELP = (
    "Standard error of a corrected SUV mean and of its ratios as a fraction of them: resolution, model of the "
    "correction and, where the visit has a V_T, place; without noise"
)
TABLE1_COLUMNS = (
    *("outcome", "baseline", "followup", "change", "change_unit", "difference", "percent"),
    *("baseline_se", "followup_se", "percent_low", "percent_high", "primary", "baseline_session", "followup_session"),
)
READY_COLUMNS = ("time", "whole_blood_radioactivity", "AIF")
KINPAR_UNITS = {**UNITS, "WRSS": "(kBq/mL)^2, weights scaled to mean 1", "tstar": "s"}


def write_json(path: Path, content: object) -> None:
    """For other programs: what is no number is null."""
    path.write_text(json.dumps(plain(content, lossless=False), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def number(value: float | None) -> str:
    """A number for a TSV: nine digits, "n/a" where there is none (BIDS)."""
    return "n/a" if value is None or not math.isfinite(value) else f"{value:.9g}"


def no_formula(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe before a text that begins like one."""
    if cell.lstrip()[:1] not in ("=", "+", "-", "@"):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def cell_text(value: object) -> str:
    """What a TSV holds of a value; a text stays as it is."""
    if value is None or isinstance(value, float):
        return number(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def cells_of(row: object, names: Iterable[str]) -> list[object]:
    """A row's attributes, None for an empty text."""
    values = (getattr(row, name) for name in names)
    return [None if value == "" else value for value in values]


def by_pvc(pvc: str, text: str = ", {}") -> str:
    """What a row's title ends with where its curve was corrected for partial volume, for a terminal."""
    return "" if pvc == NO_PVC else text.format(pvc)


def codes(notices: Iterable[Notice]) -> str:
    """What a row is flagged for, in one cell."""
    return ";".join(notice.code for notice in notices)


def write_tsv(path: Path, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """Write a TSV; tabs and line ends inside a cell become spaces, and no text is a formula."""
    lines = ["\t".join(no_formula(" ".join(cell_text(cell).split())) for cell in row) for row in (columns, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def about_columns(texts: Mapping[str, str], key: str = "Description") -> dict[str, object]:
    """Columns as the JSON beside a table tells of them. key: what the texts are ("Units")."""
    return {name: {key: text} for name, text in texts.items()}


CORRECTED = ", corrected ({})"
LABELED = {
    "participant": "sub-",
    **dict.fromkeys(("session", "baseline_session", "followup_session", "visit"), "ses-"),
}
"""What stands before the labels in these columns of tables of many people: without it, 01 is 1 to a spreadsheet."""


def write_labeled(path: Path, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """The same with people and sessions as BIDS writes them, "sub-01" and "ses-01"; several sessions have blanks
    between."""
    before = [LABELED.get(name, "") for name in columns]
    write_tsv(path, columns, [[_labeled(*pair) for pair in zip(before, row, strict=True)] for row in rows])


def _labeled(before: str, cell: object) -> object:
    return " ".join(f"{before}{label}" for label in str(cell).split()) if before and cell is not None else cell


def write_tacs(path: Path, timing: FrameTiming, curves: Mapping[str, Sequence[float] | NDArray[np.float64]]) -> None:
    """``_tacs.tsv`` with its JSON. curves: (frames,) in kBq/mL by region, which the JSON says."""
    table = np.vstack([timing.starts_s, timing.ends_s, *curves.values()]).T
    write_tsv(path, ["FrameTimesStart", "FrameTimesEnd", *curves], table)
    times = about_columns({"FrameTimesStart": "s", "FrameTimesEnd": "s"}, "Units")
    regions = about_columns(dict.fromkeys(curves, "kBq/mL"), "Units")
    write_json(path.with_suffix(".json"), times | {"ImageDecayCorrected": True} | regions)


def kinpar_row(fit: KineticFit) -> dict[str, object]:
    """One region's cells of a ``_kinpar.tsv`` but its name: parameters, errors, criteria, flags."""
    cells: dict[str, object] = {**fit.parameters}
    cells |= {f"{name}-se": value for name, value in fit.standard_errors.items()}
    for way, (low, high) in fit.intervals.items():
        cells |= {f"{fit.outcome}-{way}-low": low, f"{fit.outcome}-{way}-high": high}
    return cells | {
        "delay": fit.delay_s,
        "WRSS": fit.wrss,
        "AIC": fit.aic,
        "AICc": fit.aicc,
        "BIC": fit.bic,
        "nframes": fit.n_frames,
        "tstar": fit.tstar_s,
        "flags": codes(fit.flags),
    }


def write_kinpar(folder: Path, fits: Sequence[KineticFit], about: Mapping[str, object], prefix: str = "") -> None:
    """``model-<M>_kinpar.tsv`` (one row a region) and its JSON with units, flags in words, and ``about``; for curves
    corrected for partial volume ``model-<M>_pvc-<P>_kinpar.tsv``. fits: of one model and correction. prefix: stands
    before the name."""
    model, pvc = fits[0].model, fits[0].pvc
    rows = [kinpar_row(fit) for fit in fits]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    stem = prefix + (f"model-{model}_kinpar" if pvc == "none" else f"model-{model}_pvc-{pvc}_kinpar")
    cells = [
        [fit.region, *(row.get(column, "n/a") for column in columns)] for fit, row in zip(fits, rows, strict=True)
    ]
    write_tsv(folder / f"{stem}.tsv", ["region", *columns], cells)
    quantity = {column: OF_A_QUANTITY.sub("", column) for column in columns}
    units = {column: {"Units": KINPAR_UNITS[key]} for column, key in quantity.items() if key in KINPAR_UNITS}
    words = {fit.region: {flag.code: flag.message for flag in fit.flags} for fit in fits if fit.flags}
    write_json(folder / f"{stem}.json", {"Model": model, **units, "Flags": words, **about})


def region_record(row: RegionOutcome, truth: float | None = None) -> dict[str, object]:
    """A RegionOutcome as other programs read it: flags by code; with ``truth_VT`` where the truth is known."""
    record = asdict(row) | {"flags": [flag.code for flag in row.flags]}
    return record if truth is None else record | {"truth_VT": truth}


def table1_record(change: Change) -> dict[str, object]:
    """A Change as other programs read it."""
    return {name: getattr(change, name) for name in TABLE1_COLUMNS}


def write_visit(folder: Path, result: VisitResult) -> None:
    """Everything of one visit into ``folder``: curves, input function, fits, and results.json."""
    folder.mkdir(parents=True, exist_ok=True)
    record = result.record
    stem = stem_of(record)
    write_curves(folder, stem, record)
    write_input(folder, stem, record.input)
    for model in record.models:
        fits = [fit for fit in record.fits if fit.model == model]
        write_kinpar(folder, [fit for fit in fits if fit.pvc == "none"], record.provenance)
        corrected = [fit for fit in fits if fit.pvc != "none"]
        if corrected:
            write_kinpar(folder, corrected, _about_correction(record, corrected) | record.provenance)
    write_json(
        folder / "results.json",
        {
            "about": DISCLAIMER,
            "regions": [region_record(row) for row in record.rows],
            "uptake": uptake_records(record),
            "notices": record.warnings,
            "provenance": record.provenance,
        },
    )
    if any(region.measurements for region in record.regions):
        _write_measurements(folder, stem, record)
    write_uptake(folder, stem, record)
    _write_alignment(folder, stem, result)
    if result.fused is not None:
        write_fused_images(folder, stem, result.fused)
    (folder / FILE).write_text(sealed(record), encoding="utf-8")


UPTAKE_COLUMNS = tuple(name.replace("TBR_", "TBR-") for name in REGION_FIELDS)


def uptake_records(record: VisitRecord) -> list[dict[str, Any]]:
    """SUV and its ratios as other programs read them, by the quantities' own keys."""
    return [
        {key: getattr(row, name) for key, name in zip(UPTAKE_COLUMNS, REGION_FIELDS, strict=True)}
        for row in uptake_of(record)
    ]


def write_uptake(folder: Path, stem: str, record: VisitRecord) -> None:
    """``_uptake.tsv``: SUV and its ratios of every region; its JSON says over which window and how they are made."""
    write_tsv(
        folder / f"{stem}seg-regions_uptake.tsv",
        UPTAKE_COLUMNS,
        [cells_of(row, REGION_FIELDS) for row in uptake_of(record)],
    )
    begin, end = window_of(record)
    about: dict[str, object] = {
        one.key: {"LongName": one.name, "Units": one.ucum} | ({"Description": HOW[one.key]} if one.key in HOW else {})
        for one in UPTAKE
    }
    about["relative_se"] = {"Units": "1", "Description": RELATIVE_SE_HELP}
    about["Window"] = {"Start": begin, "End": end, "Units": "s", "Description": WINDOW_HELP}
    about["Reference"] = None if record.reference is None else record.reference.name
    about["Notes"] = uptake_notices(record)
    write_json(folder / f"{stem}seg-regions_uptake.json", about)


def uptake_text(record: VisitRecord) -> str:
    """SUV and its ratios for a terminal; what no region has is left out. "" where there is nothing."""
    rows = uptake_of(record)
    known = [one for one in UPTAKE if any(math.isfinite(row.value(one.key)) for row in rows)]
    if not known:
        return ""
    begin, end = window_of(record)
    against = "" if record.reference is None else f", SUVR against {record.reference.name}"
    title = f"SUV by body weight in g/mL and its ratios, {begin / 60:g} to {end / 60:g} min{against}"
    cells = [[row.region + by_pvc(row.pvc, CORRECTED), *(_shown(row, one) for one in known)] for row in rows]
    return f"{title}\n{columns_text([['region', *(one.symbol for one in known)], *cells])}"


def _shown(row: RegionUptake, one: Quantity) -> str:
    value, error = row.value(one.key), row.error(one.key)
    if not math.isfinite(value):
        return "n/a"
    shown = f"{value:.{one.decimals}f}"
    return f"{shown} ± {error:.{one.decimals}f}" if math.isfinite(error) else shown


def stem_of(record: VisitRecord) -> str:
    """How every file of a visit begins."""
    return f"sub-{record.subject}_ses-{record.session}_"


def write_curves(folder: Path, stem: str, record: VisitRecord) -> None:
    """``_tacs.tsv`` of all regions, and of those that were corrected for partial volume."""
    timing = record.acquisition.timing
    write_tacs(folder / f"{stem}seg-regions_tacs.tsv", timing, {region.name: region.mean for region in record.regions})
    corrected = {region.name: region.corrected.mean for region in record.regions if region.corrected is not None}
    if corrected:
        write_tacs(folder / f"{stem}pvc-{record.pvc}_seg-regions_tacs.tsv", timing, corrected)


def write_for_petfit(folder: Path, stem: str, record: VisitRecord) -> None:
    """Curves and volumes as petprep writes them and petfit reads them: ``_desc-preproc_seg-regions…_tacs.tsv`` in
    Bq/mL by frame_start and frame_end, and ``_seg-regions_morph.tsv``."""
    timing = record.acquisition.timing
    injected = record.acquisition.injected_mbq
    about: dict[str, object] = {
        "FrameTimesStart": timing.starts_s,
        "FrameDuration": timing.durations_s,
        "Units": "Bq/mL",
        "ImageDecayCorrected": True,
        "radioactivity": {"Units": "Bq/mL"},  # where petfit looks for it
    }
    if injected is not None:
        about |= {"InjectedRadioactivity": injected * 1e6, "InjectedRadioactivityUnits": "Bq"}
    corrected = {region.name: region.corrected.mean for region in record.regions if region.corrected is not None}
    psf = dict.fromkeys(("FWHM_x", "FWHM_y", "FWHM_z"), record.pvc_fwhm_mm)
    curves = {region.name: region.mean for region in record.regions}
    for ending, values, more in (
        ("seg-regions_tacs", curves, {}),
        (f"seg-regions_pvc-{record.pvc}_tacs", corrected, {"PVCMethod": record.pvc, **psf}),
    ):
        if values:
            table = np.vstack([timing.starts_s, timing.ends_s, *(1000 * np.array(one) for one in values.values())]).T
            write_tsv(folder / f"{stem}desc-preproc_{ending}.tsv", ["frame_start", "frame_end", *values], table)
            # Said of each region as well: a reader inherits what the JSON with fewer entities says of it.
            units = about_columns(dict.fromkeys(values, "Bq/mL"), "Units")
            write_json(folder / f"{stem}desc-preproc_{ending}.json", about | units | more)
    volumes = [[index, one.name, one.volume_mm3] for index, one in enumerate(record.regions, 1)]
    write_tsv(folder / f"{stem}seg-regions_morph.tsv", ["index", "name", MORPH_VOLUME], volumes)
    write_json(folder / f"{stem}seg-regions_morph.json", {MORPH_VOLUME: {"Units": "mm3"}})


def write_input(folder: Path, stem: str, source: InputRecord) -> None:
    """The input function, its settings in the JSON: ``_bloodproc.tsv``, whole blood and parent plasma, as BIDS raw
    data have it, and ``_inputfunction.tsv``, with total plasma and the parent fraction, as derivatives do.
    Nothing where there is none.
    """
    if not source.times_s:
        return
    nothing = (math.nan,) * len(source.times_s)
    whole, fraction = source.whole_blood, source.parent_fraction or nothing
    plasma = [
        blood * ratio if source.plasma_ratio else (parent / part if part else math.nan)
        for blood, ratio, parent, part in zip(
            whole, source.plasma_ratio or nothing, source.parent_plasma, fraction, strict=True
        )
    ]
    curves = {
        "time": source.times_s,
        "whole_blood_radioactivity": whole,
        "plasma_radioactivity": plasma,
        "metabolite_parent_fraction": fraction,
        "AIF": source.parent_plasma,
    }
    ready = {name: (curves[name], "s" if name == "time" else "kBq/mL") for name in READY_COLUMNS}
    _write_columns(folder / f"{stem}bloodproc", ready, source.settings)
    # kinfitr takes no text among the numbers of a column, and of units only an activity without its volume; that means
    # Bq/mL where whole blood or plasma stands beside parent plasma.
    known = {name: values for name, values in curves.items() if any(map(math.isfinite, values))}
    units = {"time": "s", "metabolite_parent_fraction": "1"}
    unit = "Bq" if len({*known} & {"whole_blood_radioactivity", "plasma_radioactivity"}) else "Bq/mL"
    derived = {
        name: (values, units[name]) if name in units else ([1000 * value for value in values], unit)
        for name, values in known.items()
    }
    about = {"Description": 'Concentrations are in Bq/mL; "Bq" is how bloodstream calls it, and kinfitr reads it'}
    _write_columns(folder / f"{stem}inputfunction", derived, about | source.settings)


def _write_columns(stem: Path, columns: Mapping[str, tuple[Sequence[float], str]], about: dict[str, object]) -> None:
    """A table and its JSON. columns: values and unit by name; exact enough that nothing is lost by reading it."""
    rows = zip(*(values for values, _ in columns.values()), strict=True)
    cells = [[f"{value:.15g}" if math.isfinite(value) else "n/a" for value in row] for row in rows]
    write_tsv(stem.with_name(f"{stem.name}.tsv"), list(columns), cells)
    units = about_columns({name: unit for name, (_, unit) in columns.items()}, "Units")
    write_json(stem.with_name(f"{stem.name}.json"), units | about)


def _write_measurements(folder: Path, stem: str, record: VisitRecord) -> None:
    """Size and place of every quantified region; the JSON tells units and DICOM codes, and what is objected to."""
    regions = record.regions
    known = [one for one in MEASUREMENTS if any(one.key in region.measurements for region in regions)]
    place = ("structure", "level", "root", "side")
    rows = [
        [region.name, *cells_of(region, place), *(region.measurements.get(one.key) for one in known)]
        for region in regions
    ]
    columns = ["region", *place, *(one.key for one in known)]
    write_tsv(folder / f"{stem}seg-regions_measurements.tsv", columns, rows)
    about: dict[str, object] = {
        one.key: {
            "LongName": one.name,
            "Description": one.description,
            "Units": one.unit,
            "QuantityCode": one.quantity,
            "UnitsCode": one.unit_code,
        }
        | ({"MethodCode": one.method} if one.method else {})
        for one in known
    }
    about["Quality"] = record.quality
    write_json(folder / f"{stem}seg-regions_measurements.json", about)


def _write_alignment(folder: Path, stem: str, result: VisitResult) -> None:
    """The motion as a table, one row a frame, and every transform as an ITK file that carries points of the first
    image to the second: Slicer shows the second on the first when it is put under the transform."""
    transforms = folder / "transforms"
    transforms.mkdir(exist_ok=True)
    record = result.record
    motion, fit = record.motion, record.pet_to_ct
    to_ct = np.eye(4) if fit is None else fit.ct_to_reference
    anatomy = record.acquisition.anatomy or CT
    if fit is not None:
        write_transform(transforms / f"{stem}from-{anatomy}_to-PET_xfm.tfm", to_ct)
    if motion is not None:
        for frame, matrix in enumerate(motion.matrices, start=1):
            name = f"{stem}from-{anatomy if fit else 'PET'}_to-frame{frame:02d}_xfm.tfm"
            write_transform(transforms / name, matrix @ to_ct)
    if result.carried is not None:
        carried_from = next(region.carried_from for region in record.regions if region.carried_from)
        for level in result.carried.levels:
            name = f"{stem}from-{carried_from}_to-{anatomy}_desc-{level.level.replace('/', '')}_xfm.tfm"
            write_transform(transforms / name, level.to_other)
    if motion is None:
        return
    columns = ["frame", "start", "end", *(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz")]
    columns += ["displacement", "uncertainty", "beyond_limit"]
    timing = record.acquisition.timing
    rows = [
        [
            frame + 1,
            *(timing.starts_s[frame], timing.ends_s[frame]),
            *(*motion.translation_mm[frame], *motion.rotation_deg[frame]),
            *(motion.displacement_mm[frame], motion.uncertainty_mm[frame]),
            int(motion.displacement_mm[frame] > LIMIT_MM),
        ]
        for frame in range(len(timing))
    ]
    write_tsv(folder / f"{stem}desc-motion_timeseries.tsv", columns, rows)
    units = {c: {"Units": "mm" if c.startswith("trans") else "degrees"} for c in columns if "_" in c and c[:2] != "be"}
    about = {
        "Description": "Where the body lay in each frame against its reference position; axes x to the left, y to the "
        "back, z up; displacement: mean over the centers of the quantified regions",
        "ReferenceFrames": [frame + 1 for frame in motion.reference],
        "Limit": {"Value": LIMIT_MM, "Units": "mm", "Frames": [row[0] for row in rows if row[-1]]},
    }
    others = {"start": {"Units": "s"}, "end": {"Units": "s"}} | {c: {"Units": "mm"} for c in columns[-3:-1]}
    write_json(folder / f"{stem}desc-motion_timeseries.json", about | units | others)


def _about_correction(record: VisitRecord, fits: Sequence[KineticFit]) -> dict[str, object]:
    """What the correction costs in noise, what each region's signal is made of, and how far methods disagree."""
    cost = {}
    for fit in fits:
        corrected = record.region(fit.region).corrected
        assert corrected is not None
        noise = {"NoiseAmplification": corrected.noise_amplification, "Recovery": corrected.recovery}
        mixture = {"Shares": dict(zip(corrected.tissues, corrected.shares, strict=False)), "Spread": corrected.spread}
        cost[fit.region] = noise | mixture | _other_widths(record, fit)
    return {"PartialVolume": {"Method": record.pvc, "FWHM_mm": record.pvc_fwhm_mm, "Regions": cost}}


def _other_widths(record: VisitRecord, fit: KineticFit) -> dict[str, float]:
    """The corrected V_T had the resolution been finer or coarser by the step that is told beside it, mm FWHM."""
    wanted = (fit.region, fit.model, "resolution")
    one = next((s for s in record.sensitivities if (s.region, s.model, s.component) == wanted), None)
    if one is None:
        return {}
    name, value = fit.outcome, fit.outcome_value
    ends = {f"{name}Finer": value * math.exp(one.lower), f"{name}Coarser": value * math.exp(one.upper)}
    return {**ends, "FWHMStep_mm": one.step}


def write_fits(folder: Path, fitted: FittedTable) -> None:
    """A ``_kinpar.tsv`` and its JSON for every model, and the input function."""
    about = {"Notices": fitted.notices, **fitted.provenance}
    write_input(folder, "", input_record(fitted.input, fitted.blood))
    for model, fits in fitted.fits.items():
        write_kinpar(folder, fits, about | _about_population(fitted, model))
    for one in fitted.coupled.values():
        write_kinpar(folder, one.fits, {**about, "Coupled": _about_coupled(one)}, "desc-coupled_")
    rows = comparison_rows(fitted)
    if rows:
        write_tsv(folder / "model-comparison.tsv", list(rows[0]), [list(row.values()) for row in rows])
        write_json(folder / "model-comparison.json", {**ABOUT, **fitted.provenance})


def _about_population(fitted: FittedTable, model: str) -> dict[str, object]:
    """What the template costs, which no standard error of a fit holds."""
    spread = fitted.input.population
    if spread is None:
        return {}
    errors = fitted.population_errors[model]
    return {
        "PopulationInput": {
            "LogVTStandardDeviation": dict(zip(fitted.regions, errors, strict=True)),
            "DegreesOfFreedom": spread.df,
            "About": "of the outcome, by the differences between the template's people; not in the standard errors",
        }
    }


def _about_coupled(one: Coupled) -> dict[str, object]:
    """What was shared, and whether sharing it costs more misfit than chance would."""
    return {
        "Shared": one.shared,
        "SharedStandardErrors": one.shared_errors,
        "OutcomeCovariance": one.covariance,
        "F": one.f,
        "FChance": one.f_chance,
        "About": "one value for all regions; FChance: the chance of so large an F where they do share it",
    }


def fits_text(fitted: FittedTable) -> str:
    """V_T, or K_i where nothing leaves the tissue, of every region and model, for a terminal."""
    best = {row["region"]: row["model"] for row in comparison_rows(fitted) if row["AICc"] == 0}
    rows = [["region", *fitted.fits, *(["by AICc"] if best else [])]]
    for index, region in enumerate(fitted.regions):
        values = [_main_value(fits[index], fits[index].flags) for fits in fitted.fits.values()]
        rows.append([region, *values, *([str(best.get(region, ""))] if best else [])])
    title = "V_T in mL/cm³ (± standard error; * flagged)"
    weights = f"frames weighted: {fitted.weights} (quantify's default: {FitSettings().weights})"
    alone = len(fitted.fits) == 1
    flagged = [
        (fit.region if alone else f"{fit.region}, {model}", flag)
        for model, fits in fitted.fits.items()
        for fit in fits
        for flag in fit.flags
    ]
    flagged += [
        (f"{fit.region}, {model} coupled", flag)
        for model, one in fitted.coupled.items()
        for fit in one.fits
        for flag in fit.flags
    ]
    reasons = reasons_text(flagged)
    lines = [title, columns_text(rows), *([reasons] if reasons else []), weights]
    if fitted.population_errors:
        spreads = ", ".join(
            f"{model} {100 * float(np.median(errors)):.0f} %" for model, errors in fitted.population_errors.items()
        )
        lines.append(f"the input is a template's: SD that this adds to V_T, median of the regions: {spreads}")
    return "\n".join([*lines, DISCLAIMER])


def visit_text(record: VisitRecord) -> str:
    """V_T of every region and model of one visit, as measured and corrected, for a terminal."""
    if not record.models:
        return f"{record.subject}, {record.session}\n\n{uptake_text(record)}\n{DISCLAIMER}"
    rows, flagged = [], []
    for pvc in dict.fromkeys(("none", record.pvc)):
        for region in record.regions:
            if pvc == "none" or region.corrected is not None:
                name = region.name + by_pvc(pvc, CORRECTED)
                fits = {model: record.fit(region.name, model, pvc) for model in record.models}
                flags = {model: region.notices + fit.flags for model, fit in fits.items()}
                rows.append([name, *(_main_value(fit, flags[model]) for model, fit in fits.items())])
                flagged += [(name, flag) for flag in region.notices]
                flagged += [
                    (name if len(fits) == 1 else f"{name}, {model}", flag)
                    for model, fit in fits.items()
                    for flag in fit.flags
                ]
    title = f"{record.subject}, {record.session}: Vr (V_T) in mL/cm³ (± standard error; * flagged)"
    weights = f"frames weighted: {record.settings.get('weights')} (the command fit's default: uniform)"
    reasons = reasons_text(flagged)
    table = "\n".join(
        [title, columns_text([["region", *record.models], *rows]), *([reasons] if reasons else []), weights]
    )
    return "\n\n".join([part for part in (table, uptake_text(record)) if part]) + f"\n{DISCLAIMER}"


def _main_value(fit: KineticFit, flags: Sequence[Notice]) -> str:
    name = fit.outcome
    mark = "*" if flags else ""
    value = value_text(fit.parameters[name], fit.standard_errors.get(name), BY_KEY[name].decimals)
    return value + mark if name == "VT" else f"{BY_KEY[name].symbol} {value}{mark}"


def table1_text(
    changes: Sequence[Change],
    truth: Mapping[str, tuple[float, float]] | None = None,
    flagged: Collection[tuple[str, str]] = (),
) -> str:
    """The study's Table 1 for a terminal; ``truth`` (outcome to baseline, follow-up) adds the phantom's own values.

    flagged: outcome and session of the values that get a mark.
    """
    header = ["outcome", "baseline", "six weeks" if truth else "follow-up", "change", "95 % interval"]
    rows = [header + (["truth", ""] if truth else [])]
    for change in changes:
        bounds = (change.percent_low, change.percent_high)
        line = [
            change.title + (f", {change.remark}" if change.remark else ""),
            value_text(change.baseline, change.baseline_se)
            + "*" * ((change.outcome, change.baseline_session) in flagged),
            value_text(change.followup, change.followup_se)
            + "*" * ((change.outcome, change.followup_session) in flagged),
            _change_text(change),
            f"{bounds[0]:+.1f} to {bounds[1]:+.1f} %" if all(map(math.isfinite, bounds)) else "",
        ]
        if truth:
            known = truth.get(change.outcome)
            line += (
                [f"{known[0]:.2f} → {known[1]:.2f}", f"{100 * (known[1] / known[0] - 1):+.1f} %"]
                if known
                else ["", ""]
            )
        rows.append(line)
    return columns_text(rows)


def _change_text(change: Change) -> str:
    if not math.isfinite(change.change):  # of a value that is not known, or in % of 0
        return "n/a"
    return f"{change.change:+.1f} %" if change.change_unit == "%" else f"{change.change:+.3g} {change.change_unit}"


def columns_text(rows: Sequence[Sequence[str]]) -> str:
    """Cells in aligned columns, the first to the left and the rest to the right, a rule below the header.

    Where that is wider than ``WIDTH``, each row's first cell has a line of its own, with the others aligned below it;
    where even these are wider, each of them has its line, after its header.
    """
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    rest = sum(widths[1:]) + 2 * (len(widths) - 2)
    if widths[0] + 2 + rest <= WIDTH:
        return "\n".join(_ruled([f"{row[0].ljust(widths[0])}  {_aligned(row, widths)}".rstrip() for row in rows]))
    if INDENT + rest <= WIDTH:
        return "\n".join(_ruled([f"{row[0]}\n{' ' * INDENT}{_aligned(row, widths)}".rstrip() for row in rows]))
    names = max(len(name) for name in rows[0][1:])
    blocks = []
    for row in rows[1:]:
        lines = [f"{name.ljust(names)}  {cell}" for name, cell in zip(rows[0][1:], row[1:], strict=True) if cell]
        further = " " * (INDENT + names + 2)
        cells = [textwrap.fill(line, WIDTH, initial_indent=" " * INDENT, subsequent_indent=further) for line in lines]
        blocks.append("\n".join([row[0], *cells]))
    return "\n".join(_ruled([rows[0][0], *blocks]))


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))


def _ruled(lines: Sequence[str]) -> list[str]:
    """With a rule below the first one, as long as the longest line."""
    longest = max(len(line) for text in lines for line in text.split("\n"))
    return [lines[0], "─" * longest, *lines[1:]]


def value_text(value: float, error: float | None, decimals: int = 2) -> str:
    """A value to the digit that its standard error reaches; ``decimals``: where there is none."""
    if not math.isfinite(value):
        return "n/a"
    if error is None:
        return f"{value:g}"
    if not math.isfinite(error):
        return f"{value:.{decimals}f} ± n/a"
    digits = decimals_for(error, decimals)
    return f"{value:.{digits}f} ± {error:.{digits}f}"
