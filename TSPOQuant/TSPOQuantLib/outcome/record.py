"""One visit as a record of plain values: all that comparison and report need, written to and read from JSON.

The record holds no image: a comparison needs none. The command line writes it beside the other results of a visit
(``visit.json``), a scene keeps the same text in a text node.
"""

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..acquisition.frames import FrameTiming
from ..messages import InputRefused, Notice, Text

FORMAT = 1
"""Of the JSON. Keys may be added; a change of meaning needs a new number."""
FILE = "visit.json"
SIMULATED = "simulated"
"""A tracer's name that holds this word tells simulated data."""

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Acquisition:
    """What was acquired; None where the files do not say.

    patient_key: tells whether two visits are of one patient, and nothing else of that patient.
    voxel_mm: along i, j, k. shape: voxels along i, j, k. fwhm_mm: the resolution, as the study states it.
    frame_starts_s, frame_durations_s: seconds from ``time_zero`` ("injection", "first frame").
    time_zero_at: wall clock in ISO 8601. injected_mbq, weight_kg: as the files have them.
    """

    patient_key: str | None
    manufacturer: str | None
    scanner_model: str | None
    reconstruction: str | None
    filter: str | None
    tracer: str | None
    injected_mbq: float | None
    weight_kg: float | None
    half_life_s: float | None
    voxel_mm: Numbers
    shape: tuple[int, ...]
    fwhm_mm: float | None
    time_zero: str
    time_zero_at: str | None
    decay_correction: str
    frame_starts_s: Numbers
    frame_durations_s: Numbers

    @property
    def timing(self) -> FrameTiming:
        return FrameTiming(np.array(self.frame_starts_s), np.array(self.frame_durations_s))

    @property
    def simulated(self) -> bool:
        return SIMULATED in (self.tracer or "").lower()


@dataclass(frozen=True)
class CorrectedRecord:
    """A curve corrected for partial volume, (frames,) kBq/mL; ``finer``, ``coarser``: for 1 mm less or more FWHM.

    noise_amplification, recovery, tissues: see regions.partial_volume.CorrectedCurve.
    """

    mean: Numbers
    sd: Numbers
    finer: Numbers
    coarser: Numbers
    noise_amplification: float
    recovery: float
    tissues: tuple[str, ...]


@dataclass(frozen=True)
class RegionRecord:
    """One region. mean, sd: (frames,) kBq/mL. center_lps_mm: of its voxels, where it was drawn.

    carried_from: the visit that it was drawn at, "" for this one. corrected: None where it was not corrected.
    """

    name: str
    structure: str
    level: str
    root: str
    side: str
    volume_mm3: float
    center_lps_mm: Numbers
    effective_voxels: float
    carried_from: str
    mean: Numbers
    sd: Numbers
    notices: tuple[Notice, ...]
    corrected: CorrectedRecord | None


@dataclass(frozen=True)
class LineRecord:
    """A graphical method in its own coordinates; see kinetics.result.Line."""

    abscissa: Numbers
    ordinate: Numbers
    slope: float
    intercept: float
    used: tuple[bool, ...]
    largest_residual: float


@dataclass(frozen=True)
class FitRecord:
    """One model fitted to one region's curve; all else as in kinetics.result.KineticFit. pvc: "none" or the method."""

    region: str
    model: str
    pvc: str
    parameters: dict[str, float]
    standard_errors: dict[str, float]
    parameter_names: tuple[str, ...]
    covariance: tuple[Numbers, ...]
    predicted: Numbers
    residuals: Numbers
    weights: Numbers
    wrss: float
    n_frames: int
    n_parameters: int
    aic: float
    aicc: float
    bic: float
    tstar_s: float | None
    delay_s: float
    flags: tuple[Notice, ...]
    line: LineRecord | None

    @property
    def degrees_of_freedom(self) -> int:
        return self.n_frames - self.n_parameters


@dataclass(frozen=True)
class Sensitivity:
    """How ln V_T of one region moves when one nuisance moves by ``step`` to either side.

    component: where it belongs in the error budget ("placement"). factor: the nuisance itself ("placement:x"): what
    regions of one visit, or two visits, share under one name moves them together.
    lower, upper: ln(V_T / V_T as reported) for the nuisance ``step`` below and above; nan where no V_T came out.
    sd: the nuisance's standard deviation where the data tell it (a fitted calibration), in ``unit``; None where it
    must be assumed.
    """

    region: str
    model: str
    pvc: str
    component: str
    factor: str
    unit: str
    step: float
    lower: float
    upper: float
    sd: float | None


@dataclass(frozen=True)
class CurveRecord:
    """Points of a curve: seconds from time zero, and kBq/mL or a fraction of 1."""

    times_s: Numbers
    values: Numbers


@dataclass(frozen=True)
class InputRecord:
    """The input function. times_s, parent_plasma, whole_blood: its knots, kBq/mL (whole blood nan where unknown).

    samples: what was measured, by kind: "whole_blood", "plasma", "parent_fraction", "autosampler", "parent_plasma".
    route: where blood was drawn. blood_pool, tissue: (frames,) kBq/mL of an image-derived input, else None.
    parent_fraction, plasma_ratio: the fitted curves at ``times_s``, None where there was none to fit.
    settings: every choice and finding, as in provenance: ``settings["found"]["calibration"]`` and so on.
    """

    source: str
    route: str
    times_s: Numbers
    parent_plasma: Numbers
    whole_blood: Numbers
    samples: dict[str, CurveRecord]
    blood_pool: Numbers | None
    tissue: Numbers | None
    parent_fraction: Numbers | None
    plasma_ratio: Numbers | None
    settings: dict[str, Any]


@dataclass(frozen=True)
class MotionRecord:
    """Where the neck lay in each frame, at the quantified regions: one row a frame.

    translation_mm, rotation_deg: (frames, 3) along and about L, P, S. displacement_mm, uncertainty_mm: (frames,).
    reference: indices of the frames of the reference. matrices: (frames, 4, 4), reference to frame, LPS mm.
    """

    translation_mm: tuple[Numbers, ...]
    rotation_deg: tuple[Numbers, ...]
    displacement_mm: Numbers
    uncertainty_mm: Numbers
    reference: tuple[int, ...]
    matrices: tuple[tuple[Numbers, ...], ...]


@dataclass(frozen=True)
class PetToCtRecord:
    """How CT and PET were brought together; fields as in alignment.pet_to_ct.PetToCt."""

    shift_mm: float
    rotation_deg: float
    information_before: float
    information_after: float
    kept: bool
    ct_to_reference: tuple[Numbers, ...]


@dataclass(frozen=True)
class RegionOutcome:
    """One region under one model. V_T in mL/cm³ (shown to clinicians as Vr), K1 in mL/cm³/min, k2 in 1/min.

    pvc: the partial-volume correction that the curve went through, "none" without one.
    """

    visit: str
    region: str
    structure: str
    level: str
    root: str
    side: str
    model: str
    pvc: str
    VT: float
    VT_se: float
    K1: float | None
    k2: float | None
    VB: float | None
    flags: tuple[Notice, ...]


@dataclass(frozen=True)
class VisitRecord:
    """One visit. rows: V_T per region, model and correction, as every table shows it.

    settings: the study's choices (study.StudySettings) by name. quality: objections to the drawn regions.
    notices: every warning of the visit. provenance: names and hashes of the inputs, versions of the programs.
    """

    format: int
    subject: str
    session: str
    genotype: str
    acquisition: Acquisition
    settings: dict[str, Any]
    models: tuple[str, ...]
    rows: tuple[RegionOutcome, ...]
    regions: tuple[RegionRecord, ...]
    fits: tuple[FitRecord, ...]
    sensitivities: tuple[Sensitivity, ...]
    pvc: str
    pvc_fwhm_mm: Numbers | None
    input: InputRecord
    motion: MotionRecord | None
    pet_to_ct: PetToCtRecord | None
    quality: tuple[Notice, ...]
    notices: tuple[Notice, ...]
    provenance: dict[str, Any]

    def region(self, name: str) -> RegionRecord:
        return next(region for region in self.regions if region.name == name)

    def same_place(self, other: RegionRecord) -> RegionRecord | None:
        """This visit's region of the same name as another visit's, else of the same structure, level and side."""
        by_name = next((region for region in self.regions if region.name == other.name), None)
        if by_name is not None or not other.level:
            return by_name
        place = (other.structure, other.level, other.side)
        return next((r for r in self.regions if (r.structure, r.level, r.side) == place), None)

    def fit(self, region: str, model: str, pvc: str = "none") -> FitRecord:
        return next(fit for fit in self.fits if (fit.region, fit.model, fit.pvc) == (region, model, pvc))

    def row(self, structure: str, level: str, side: str, model: str, pvc: str = "none") -> RegionOutcome | None:
        """The first row of that place, model and correction, or None."""
        wanted = (structure, level, side, model, pvc)
        return next((r for r in self.rows if (r.structure, r.level, r.side, r.model, r.pvc) == wanted), None)


# --- JSON ------------------------------------------------------------------------------------------------------------


def to_json(record: VisitRecord) -> str:
    """Strict JSON. Numbers come back to the last bit; those that JSON lacks stand as "nan", "inf" and "-inf"."""
    return json.dumps(_encoded(record), ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def from_json(text: str, where: str = "the record") -> VisitRecord:
    """The record that ``to_json`` wrote. where: what a refusal names.

    Raises InputRefused: "record-unreadable", "record-format" (of a newer program).
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputRefused(
            "record-unreadable", "{where} is no JSON ({error}); run quantify again", where=where, error=error
        ) from error
    number = content.get("format") if isinstance(content, dict) else None
    if isinstance(number, int) and number > FORMAT:
        raise InputRefused(
            "record-format",
            "{where} is of format {number}, this program knows {format}; use the newer program",
            where=where,
            number=number,
            format=FORMAT,
        )
    try:
        found: VisitRecord = _decoded(VisitRecord, content)
    except (TypeError, ValueError, KeyError) as error:
        raise InputRefused(
            "record-unreadable",
            "{where} is not what quantify writes ({error}); run quantify again",
            where=where,
            error=error,
        ) from error
    return found


def read_record(path: Path) -> VisitRecord:
    """The record of a visit: from the folder that ``quantify --out`` wrote, or its visit.json itself.

    Raises InputRefused: "results-missing", "results-foreign" (no visit's results), "results-old" (written before
    records were), and what ``from_json`` raises.
    """
    path = Path(path)
    file = path / FILE if path.is_dir() else path
    if not path.exists():
        raise InputRefused("results-missing", "{path} does not exist; name a folder that quantify wrote", path=path)
    if not file.is_file():
        if (path / "results.json").is_file() and any(path.glob("*_tacs.tsv")):
            message = Text(
                "{path} was written by an older version and holds no {file}; run quantify again", path=path, file=FILE
            )
            raise InputRefused("results-old", message)
        visits = sorted(found.parent.name for found in path.glob(f"*/{FILE}"))
        hint = f"; it holds the visits {', '.join(visits)}: name these" if visits else "; name one that quantify wrote"
        raise InputRefused("results-foreign", "{path} holds no results of one visit{hint}", path=path, hint=hint)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused("record-unreadable", "{file} cannot be read; run quantify again", file=file) from error
    return from_json(text, str(file))


def _encoded(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _encoded(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    return value


def _decoded(hint: Any, value: Any) -> Any:
    """A value of JSON as the type that the field has. Raises TypeError or KeyError where it cannot be."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return _decoded(next(a for a in arguments if a is not type(None)), value)
    if dataclasses.is_dataclass(hint):
        return _decoded_dataclass(typing.cast("type[Any]", hint), value)
    if origin is tuple:
        if not isinstance(value, list):
            raise TypeError(f"expected a list, found {type(value).__name__}")
        return tuple(_decoded(arguments[0], item) for item in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise TypeError(f"expected a table, found {type(value).__name__}")
        return {key: _decoded(arguments[1], item) for key, item in value.items()}
    if hint is float and value in ("nan", "inf", "-inf"):
        return float(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is not bool and isinstance(value, bool)):
        raise TypeError(f"expected {hint.__name__}, found {type(value).__name__}")
    return value


def _decoded_dataclass(hint: type[Any], value: Any) -> Any:
    if not isinstance(value, dict):
        raise TypeError(f"expected a table, found {type(value).__name__}")
    if hint is Notice:
        return Notice.of(str(value["code"]), str(value["message"]))
    hints = typing.get_type_hints(hint)
    known = {}
    for field in dataclasses.fields(hint):
        if field.name in value:
            known[field.name] = _decoded(hints[field.name], value[field.name])
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise KeyError(f"{hint.__name__} lacks {field.name}")
    return hint(**known)
