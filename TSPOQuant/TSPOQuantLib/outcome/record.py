"""One visit as a record of plain values: all that comparison and report need, written to and read from JSON.

The record holds no image: a comparison needs none. The command line writes it beside the other results of a visit
(``visit.json``), a scene keeps the same text in a text node.
"""

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..acquisition.blood import SampledCurve
from ..acquisition.frames import FrameTiming
from ..acquisition.image import Acquired
from ..alignment.motion import MotionTable
from ..alignment.pet_to_ct import PetToCt
from ..input_function.curve import InputFunction
from ..kinetics import KineticFit
from ..messages import InputRefused, Notice, Text
from ..plain import plain, restored
from ..regions.anatomy import Anatomy
from ..regions.partial_volume import Corrected
from ..regions.peak import Hottest
from ..tracers import SIMULATED
from .sessions import moment

FORMAT = 1
"""Of the JSON. Keys may be added, with a default for the records that lack them; a change of meaning needs a new
number."""
FILE = "visit.json"
SEAL = "sha256"
"""The key of the file that tells of a change by hand or by a damaged disk; records of before have none."""

Numbers = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Acquisition(Acquired):
    """What was acquired, of ``patient_key`` no more than tells whether two visits are of one patient.

    voxel_mm: along i, j, k. shape: voxels along i, j, k. fwhm_mm: the resolution, as the study states it or
    the images told it; fwhm_se_mm: its standard error where the images did, and fwhm_own_se_mm the part of it that
    another visit on the scanner does not share; fwhm_skin_alone: whether it is the width near the skin.
    frame_starts_s, frame_durations_s: seconds from ``time_zero`` ("injection", "first frame").
    time_zero_at: wall clock in ISO 8601. anatomy: what the regions were drawn on, "CT" or "MR".
    """

    voxel_mm: Numbers
    shape: tuple[int, ...]
    fwhm_mm: float | None
    time_zero: str
    time_zero_at: str | None
    decay_correction: str
    frame_starts_s: Numbers
    frame_durations_s: Numbers
    fwhm_se_mm: float | None = None
    fwhm_own_se_mm: float | None = None
    fwhm_skin_alone: bool = False
    anatomy: str | None = None

    @property
    def timing(self) -> FrameTiming:
        return FrameTiming(np.array(self.frame_starts_s), np.array(self.frame_durations_s))

    @property
    def started(self) -> datetime | None:
        """``time_zero_at`` by the clock of its place; None where it is not told, or is no date and time."""
        return moment(self.time_zero_at or "")

    @property
    def made_by(self) -> tuple[str | None, ...]:
        """What decides the resolution: maker and model of the scanner, reconstruction and filter."""
        return self.manufacturer, self.scanner_model, self.reconstruction, self.filter

    @property
    def simulated(self) -> bool:
        return SIMULATED in (self.tracer or "").lower()


@dataclass(frozen=True, kw_only=True)
class RegionRecord(Anatomy):
    """One region. mean, sd: (frames,) kBq/mL. center_lps_mm: of its voxels, where it was drawn.

    carried_from: the visit that it was drawn at, "" for this one. corrected: None where it was not corrected.
    measurements: size and place by the keys of regions.measurements. hottest: over the window of SUV, kBq/mL.
    accepted_by: who looked at place and fit and accepted them, in that person's words (initials); "" as long as nobody
    did.
    """

    name: str
    volume_mm3: float
    center_lps_mm: Numbers
    effective_voxels: float
    carried_from: str
    mean: Numbers
    sd: Numbers
    notices: tuple[Notice, ...]
    corrected: Corrected | None
    measurements: dict[str, float] = field(default_factory=dict)
    hottest: Hottest | None = None
    accepted_by: str = ""

    def curve(self, pvc: str) -> Numbers:
        """Its mean by frame, kBq/mL, as it went through a partial-volume correction; as measured where it did not."""
        return self.mean if pvc == "none" or self.corrected is None else tuple(self.corrected.mean)


@dataclass(frozen=True)
class Reference:
    """The region that others are divided by. mean: (frames,) kBq/mL."""

    name: str
    mean: Numbers


@dataclass(frozen=True)
class Sensitivity:
    """How ln V_T of one region moves when one nuisance moves by ``step`` to either side.

    component: where it belongs in the error budget ("placement"). factor: the nuisance itself ("placement:x"): what
    regions of one visit, or two visits, share under one name moves them together.
    lower, upper: ln(V_T / V_T as reported) for the nuisance ``step`` below and above; nan where no V_T came out.
    sd: the nuisance's standard deviation where the data tell it (a fitted calibration), in ``unit``; None where it
    must be assumed. df: degrees of freedom of that sd, where so few data tell it that it matters; those of one
    component count once.
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
    df: int | None = None


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
    samples: dict[str, SampledCurve]
    blood_pool: Numbers | None
    tissue: Numbers | None
    parent_fraction: Numbers | None
    plasma_ratio: Numbers | None
    settings: dict[str, Any]

    @property
    def function(self) -> InputFunction:
        """As fits take it."""
        return InputFunction(np.array(self.times_s), np.array(self.parent_plasma), np.array(self.whole_blood))


POPULATION = "population"
"""Source of an input that is a template's."""
NO_INPUT = InputRecord("none", "unknown", (), (), (), {}, None, None, None, None, {})
"""Of a visit without a V_T: a single late frame."""


@dataclass(frozen=True, kw_only=True)
class RegionOutcome(Anatomy):
    """One region under one model: the quantities that have a column (quantities.COLUMNS), with their standard errors.

    A number is None where the model has no such parameter, and nan where the data do not tell it. pvc: the
    partial-volume correction that the curve went through, "none" without one.
    """

    visit: str
    region: str
    model: str
    pvc: str
    VT: float
    VT_se: float
    K1: float | None
    k2: float | None
    VB: float | None
    flags: tuple[Notice, ...]
    K1_se: float | None = None
    k2_se: float | None = None
    k3: float | None = None
    k3_se: float | None = None
    k4: float | None = None
    k4_se: float | None = None
    VB_se: float | None = None
    Ki: float | None = None
    Ki_se: float | None = None
    DVR: float | None = None
    DVR_se: float | None = None


@dataclass(frozen=True)
class VisitRecord:
    """One visit. rows: V_T per region, model and correction, as every table shows it.

    settings: the study's choices (study.StudySettings) by name. motion: where the neck lay in each frame, at the
    quantified regions. pet_to_ct: how CT and PET were brought together. quality: objections to the drawn regions.
    notices: every other warning of the visit. provenance: names and hashes of the inputs, versions of the programs.
    reference: what SUVR divides by, None without.
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
    fits: tuple[KineticFit, ...]
    sensitivities: tuple[Sensitivity, ...]
    pvc: str
    pvc_fwhm_mm: Numbers | None
    input: InputRecord
    motion: MotionTable | None
    pet_to_ct: PetToCt | None
    quality: tuple[Notice, ...]
    notices: tuple[Notice, ...]
    provenance: dict[str, Any]
    reference: Reference | None = None

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """All that the visit is warned of, objections to its regions too, each once."""
        return tuple(dict.fromkeys(self.notices + self.quality))

    def region(self, name: str) -> RegionRecord:
        return next(region for region in self.regions if region.name == name)

    def same_place(self, other: RegionRecord) -> RegionRecord | None:
        """This visit's region of the same name as another visit's, else of the same structure, level and side."""
        by_name = next((region for region in self.regions if region.name == other.name), None)
        if by_name is not None or not other.level:
            return by_name
        return next((region for region in self.regions if region.place == other.place), None)

    def fit(self, region: str, model: str, pvc: str = "none") -> KineticFit:
        return next(fit for fit in self.fits if (fit.region, fit.model, fit.pvc) == (region, model, pvc))

    def row(self, structure: str, level: str, side: str, model: str, pvc: str = "none") -> RegionOutcome | None:
        """The first row of that place, model and correction, or None."""
        wanted = ((structure, level, side), model, pvc)
        return next((row for row in self.rows if (row.place, row.model, row.pvc) == wanted), None)

    def row_of(self, region: str, model: str, pvc: str = "none") -> RegionOutcome | None:
        """The row of a region by its name, or None."""
        return next((r for r in self.rows if (r.region, r.model, r.pvc) == (region, model, pvc)), None)


def with_accepted(record: VisitRecord, region: str, name: str) -> VisitRecord:
    """The record with who accepted a region; "" for nobody."""
    regions = tuple(replace(r, accepted_by=name) if r.name == region else r for r in record.regions)
    return replace(record, regions=regions)


def accepted_as(record: VisitRecord, before: VisitRecord) -> VisitRecord:
    """A record computed again, with who accepted its regions before, where curve and results are still the same."""

    def seen(visit: VisitRecord, region: RegionRecord) -> tuple[object, ...]:
        rows = sorted((row.model, row.pvc, row.VT) for row in visit.rows if row.region == region.name)
        return (region.mean, *rows)

    accepted = {region.name: region for region in before.regions if region.accepted_by}
    for region in record.regions:
        was = accepted.get(region.name)
        if was is not None and seen(record, region) == seen(before, was):
            record = with_accepted(record, region.name, was.accepted_by)
    return record


# --- JSON ------------------------------------------------------------------------------------------------------------


def sealed(record: VisitRecord) -> str:
    """The record as its file holds it: the JSON of ``plain.to_json`` with its own digest as one key more."""
    content = plain(record)
    content[SEAL] = _digest(content)
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def _digest(content: dict[str, Any]) -> str:
    """SHA-256 of what a file says, however it is laid out and whether it writes 10.0 or 10."""
    text = json.dumps(content)
    return hashlib.sha256(json.dumps(json.loads(text, parse_int=float), sort_keys=True).encode()).hexdigest()


def from_json(text: str, where: str = "the record") -> VisitRecord:
    """The record that ``plain.to_json`` or ``sealed`` wrote. where: what a refusal names.

    Raises InputRefused: "record-unreadable", "record-format" (of a newer program), "record-altered" (a number or word
    is no longer the one that was written).
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
    seal = content.pop(SEAL, None) if isinstance(content, dict) else None
    if seal is not None and seal != _digest(content):
        raise InputRefused(
            "record-altered",
            "{where} was changed after it had been written, so that its numbers need not be those of the scan; run "
            "quantify again",
            where=where,
        )
    try:
        return restored(VisitRecord, content)
    except (TypeError, ValueError, KeyError) as error:
        raise _not_ours(where, error) from error


def _not_ours(where: str, error: Exception) -> InputRefused:
    return InputRefused(
        "record-unreadable",
        "{where} is not what quantify writes ({error}); run quantify again",
        where=where,
        error=error,
    )


def _check_whole(record: VisitRecord) -> None:
    """Raise ValueError where a record says things that do not belong together, as one that was edited may."""
    scan, source, names = record.acquisition, record.input, {region.name for region in record.regions}
    told = [*(row.region for row in record.rows), *(fit.region for fit in record.fits)]
    if not names or not names >= set(told):
        raise ValueError("regions: rows and fits are not of them")
    for region in record.regions:
        if not (np.isfinite((*region.mean, *region.sd)).all() and region.volume_mm3 > 0 and region.center_lps_mm):
            raise ValueError(f"{region.name}: it is nowhere, or without activity")
    of_frames: list[Any] = [
        scan.frame_durations_s,
        *(curve for region in record.regions for curve in (region.mean, region.sd)),
    ]
    of_frames += [curve for fit in record.fits for curve in (fit.weights, fit.predicted, fit.residuals)]
    of_knots = (source.parent_plasma, source.whole_blood, source.parent_fraction, source.plasma_ratio)
    for times, curves in (
        (scan.frame_starts_s, (*of_frames, source.blood_pool, source.tissue)),
        (source.times_s, of_knots),
    ):
        if any(curve is not None and len(curve) != len(times) for curve in curves):
            raise ValueError("curves: not as many values as times")
        if (np.diff(times) < 0).any():
            raise ValueError("times: not in their order")
    fitted = {(fit.region, fit.model) for fit in record.fits if fit.pvc == "none"}
    if any((name, model) not in fitted for name in names for model in record.models):
        raise ValueError("fits: a region lacks one")


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
        visits = sorted(visit_file.parent.name for visit_file in path.glob(f"*/{FILE}"))
        hint = f"; it holds the visits {', '.join(visits)}: name these" if visits else "; name one that quantify wrote"
        raise InputRefused("results-foreign", "{path} holds no results of one visit{hint}", path=path, hint=hint)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused("record-unreadable", "{file} cannot be read; run quantify again", file=file) from error
    record = from_json(text, str(file))
    try:
        _check_whole(record)
    except ValueError as error:
        raise _not_ours(str(file), error) from error
    return record
