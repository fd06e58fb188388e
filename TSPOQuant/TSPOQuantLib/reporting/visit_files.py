"""The files of one visit: BIDS-derivative tables (_tacs.tsv, _kinpar.tsv/.json and others), transforms and JSON."""

import math
import re
from collections.abc import Mapping, Sequence
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
from ..outcome.record import FILE, InputRecord, RegionOutcome, VisitRecord, sealed
from ..outcome.recording import input_record
from ..outcome.uptake import REGION_FIELDS, uptake_notices, uptake_of, window_of
from ..outcome.visit import FittedTable, VisitResult
from ..quantities import UNITS, UPTAKE
from ..regions.measurements import MEASUREMENTS
from .fused_files import write_fused_images
from .model_comparison import ABOUT, comparison_rows
from .tables import about_columns, cells_of, codes, write_json, write_tsv

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
READY_COLUMNS = ("time", "whole_blood_radioactivity", "AIF")
KINPAR_UNITS = {**UNITS, "WRSS": "(kBq/mL)^2, weights scaled to mean 1", "tstar": "s"}


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
        quantity.key: {"LongName": quantity.name, "Units": quantity.ucum}
        | ({"Description": HOW[quantity.key]} if quantity.key in HOW else {})
        for quantity in UPTAKE
    }
    about["relative_se"] = {"Units": "1", "Description": RELATIVE_SE_HELP}
    about["Window"] = {"Start": begin, "End": end, "Units": "s", "Description": WINDOW_HELP}
    about["Reference"] = None if record.reference is None else record.reference.name
    about["Notes"] = uptake_notices(record)
    write_json(folder / f"{stem}seg-regions_uptake.json", about)


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
            table = np.vstack(
                [timing.starts_s, timing.ends_s, *(1000 * np.array(curve) for curve in values.values())]
            ).T
            write_tsv(folder / f"{stem}desc-preproc_{ending}.tsv", ["frame_start", "frame_end", *values], table)
            # Said of each region as well: a reader inherits what the JSON with fewer entities says of it.
            units = about_columns(dict.fromkeys(values, "Bq/mL"), "Units")
            write_json(folder / f"{stem}desc-preproc_{ending}.json", about | units | more)
    volumes = [[index, region.name, region.volume_mm3] for index, region in enumerate(record.regions, 1)]
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
    known = [m for m in MEASUREMENTS if any(m.key in region.measurements for region in regions)]
    place = ("structure", "level", "root", "side")
    rows = [
        [region.name, *cells_of(region, place), *(region.measurements.get(measurement.key) for measurement in known)]
        for region in regions
    ]
    columns = ["region", *place, *(measurement.key for measurement in known)]
    write_tsv(folder / f"{stem}seg-regions_measurements.tsv", columns, rows)
    about: dict[str, object] = {
        measurement.key: {
            "LongName": measurement.name,
            "Description": measurement.description,
            "Units": measurement.unit,
            "QuantityCode": measurement.quantity,
            "UnitsCode": measurement.unit_code,
        }
        | ({"MethodCode": measurement.method} if measurement.method else {})
        for measurement in known
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
    row = next((s for s in record.sensitivities if (s.region, s.model, s.component) == wanted), None)
    if row is None:
        return {}
    name, value = fit.outcome, fit.outcome_value
    ends = {f"{name}Finer": value * math.exp(row.lower), f"{name}Coarser": value * math.exp(row.upper)}
    return {**ends, "FWHMStep_mm": row.step}


def write_fits(folder: Path, fitted: FittedTable) -> None:
    """A ``_kinpar.tsv`` and its JSON for every model, and the input function."""
    about = {"Notices": fitted.notices, **fitted.provenance}
    write_input(folder, "", input_record(fitted.input, fitted.blood))
    for model, fits in fitted.fits.items():
        write_kinpar(folder, fits, about | _about_population(fitted, model))
    for coupled in fitted.coupled.values():
        write_kinpar(folder, coupled.fits, {**about, "Coupled": _about_coupled(coupled)}, "desc-coupled_")
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


def _about_coupled(coupled: Coupled) -> dict[str, object]:
    """What was shared, and whether sharing it costs more misfit than chance would."""
    return {
        "Shared": coupled.shared,
        "SharedStandardErrors": coupled.shared_errors,
        "OutcomeCovariance": coupled.covariance,
        "F": coupled.f,
        "FChance": coupled.f_chance,
        "About": "one value for all regions; FChance: the chance of so large an F where they do share it",
    }
