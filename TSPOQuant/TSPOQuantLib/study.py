"""study.toml: one visit's files and choices. Unknown keys are refused with their line; paths are relative to it."""

import math
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .acquisition.bids import find_bids
from .acquisition.blood_files import ROUTES
from .kinetics import MODELS
from .messages import InputRefused, Text
from .regions.partial_volume import METHODS

GENOTYPES = ("HAB", "MAB", "LAB", "unknown")
LABEL = re.compile(r"[A-Za-z0-9+]+")
"""A BIDS label."""


@dataclass(frozen=True)
class StudySettings:
    """Every choice of a visit's analysis. No default is published: each is a choice, printed in every output.

    washout: what was taken before the visit that may change TSPO, in the user's words; changes no number.
    input_source: "image-derived" (from the blood-pool region), "blood" (the samples themselves), or "given" (a ready
    parent-plasma curve, the AIF column of a _bloodproc.tsv).
    calibration: how the image-derived curve meets the samples: "recovery-spill-in" (the method of the study: image =
    RC × blood + m × tissue; docs/validation.md shows what one factor alone costs), "scale", or "none".
    models: PET-BIDS names; the first is the primary one. vb: "fit", "none", or a fixed fraction.
    tstar_s: seconds, or "auto". delay_s: seconds, or "fit".
    pvc: partial-volume correction beside the uncorrected result, "none" or a method of regions.partial_volume; it
    needs fwhm_mm, the scanner's resolution in mm, or "estimate" (regions.resolution). pvc_regions: names of the
    regions to correct; empty for all.
    motion_correction: "rigid": frames to each other and to the CT on which the regions were drawn; "frames": to each
    other only, the scanner's placing of PET and CT kept; or "none". docs/validation.md shows what "none" costs.
    motion_reference: "late" (the last 20 min), or the frames of the reference, counted from 1. registration_window:
    which frames make the mean that is registered to the CT, see alignment.pet_to_ct.
    minimum_coverage: see regions.sampling.
    """

    subject: str = "unnamed"
    session: str = "baseline"
    genotype: str = "unknown"
    washout: str = ""
    blood_pool: str = "blood pool"
    input_source: Literal["image-derived", "blood", "given"] = "image-derived"
    calibration: Literal["scale", "recovery-spill-in", "none"] = "recovery-spill-in"
    recovery: float | None = None
    models: tuple[str, ...] = ("1TCM", "Logan")
    vb: Literal["fit", "none"] | float = "fit"
    weights: str = "counts"
    tstar_s: Literal["auto"] | float = "auto"
    delay_s: Literal["fit"] | float = 0.0
    motion_correction: Literal["none", "frames", "rigid"] = "rigid"
    motion_reference: Literal["late"] | tuple[int, ...] = "late"
    registration_window: Literal["all", "early", "late"] = "all"
    minimum_coverage: float = 0.5
    pvc: str = "none"
    fwhm_mm: Literal["estimate"] | float | None = None
    pvc_regions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Study:
    """A visit's files, absolute, and its settings.

    carried_from: the visit on whose CT the segmentation was drawn, where the regions are carried from another one.
    """

    pet: Path
    ct: Path | None
    segmentation: Path
    blood: tuple[Path, ...]
    route: str
    given_input: Path | None
    settings: StudySettings = field(default_factory=StudySettings)
    file: Path | None = None
    carried_from: "Study | None" = None

    @property
    def files(self) -> list[Path]:
        """Every file and folder that the visit is computed from, the study file first, a sidecar after its file."""
        named = [self.file, self.pet, self.ct, self.segmentation, *self.blood, self.given_input]
        if self.carried_from is not None:
            named += [self.carried_from.file, self.carried_from.ct]
        found = [path for path in named if path is not None]
        return [path for file in found for path in (file, *_sidecar(file))]


def _sidecar(file: Path) -> list[Path]:
    """The JSON beside a NIfTI or a table, which says what their numbers mean."""
    stem = next((file.name.removesuffix(s) for s in (".nii.gz", ".nii", ".tsv") if file.name.endswith(s)), None)
    beside = None if stem is None else file.with_name(f"{stem}.json")
    return [beside] if beside is not None and beside.is_file() else []


def study_of_bids(dataset: Path, participant: str, session: str | None, segmentation: Path | None) -> Study:
    """A visit of a PET-BIDS dataset as a study, with the default settings.

    segmentation: the regions; None takes the one .seg.nrrd or _dseg.nii.gz that lies in derivatives/*/ for the visit.
    A ready input curve (_bloodproc.tsv) is used where there is no image-derived one to make: where no raw blood is.
    Raises InputRefused ("bids-…").
    """
    found = find_bids(dataset, participant, session)
    where = "/".join(part for part in (found.participant, found.session) if part)
    if found.image is None:
        raise InputRefused("bids-image", "{where}/pet holds no image; 'fit' quantifies ready curves", where=where)
    if segmentation is None:
        pattern = f"derivatives/*/{where}/**/*"
        regions = sorted(f for f in dataset.glob(pattern) if f.name.endswith((".seg.nrrd", "_dseg.nii.gz")))
        if len(regions) != 1:
            problem = "holds several segmentations" if regions else "has no segmentation in derivatives"
            raise InputRefused(
                "bids-segmentation", "{where} {problem}; name one with --segmentation", where=where, problem=problem
            )
        segmentation = regions[0]
    given = found.bloodproc[0] if found.bloodproc and not found.blood else None
    return Study(
        pet=found.image,
        ct=None,
        segmentation=segmentation,
        blood=found.blood,
        route="unknown",
        given_input=given,
        settings=StudySettings(
            subject=found.participant.removeprefix("sub-"),
            session=(found.session or "ses-baseline").removeprefix("ses-"),
            input_source="given" if given else "image-derived",
        ),
    )


KEYS = {
    "subject": {"id", "session", "genotype", "washout"},
    "pet": {"path", "motion_correction", "motion_reference", "registration_window", "fwhm_mm"},
    "ct": {"path"},
    "segmentation": {"path", "carried_from", "minimum_coverage", "pvc", "pvc_regions"},
    "blood": {"paths", "route"},
    "input": {"source", "blood_pool", "path", "calibration", "recovery"},
    "model": {"names", "vb", "weights", "tstar_s", "delay_s"},
}


def read_study(path: Path, may_carry: bool = True) -> Study:
    """Read and check a study.toml; may_carry: whether its regions may be carried from yet another visit.

    Raises InputRefused: "study-missing", "study-unreadable", "study-key" (with the line), "study-value".
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        data = tomllib.loads(text)
    except OSError as error:
        raise InputRefused(
            "study-missing", "{path}: {strerror}; name a study.toml", path=path, strerror=error.strerror
        ) from error
    except UnicodeDecodeError as error:
        raise InputRefused(
            "study-unreadable", "{path} is not UTF-8 text; save the study file as UTF-8", path=path
        ) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputRefused("study-unreadable", "{path}: {error}; correct the file", path=path, error=error) from error
    for table, content in data.items():
        known = KEYS.get(table)
        if known is None or not isinstance(content, dict):
            message = Text(
                "{path}, line {line}: '{table}' is no table of a study; known are {tables}",
                path=path,
                line=_line(text, table),
                table=table,
                tables=_tables(),
            )
            raise InputRefused("study-key", message)
        for key in content:
            if key not in known:
                line = _line(text, table, key)
                message = Text(
                    "{path}, line {line}: unknown key '{key}' in [{table}]; known are {known}",
                    path=path,
                    line=line,
                    key=key,
                    table=table,
                    known=", ".join(sorted(known)),
                )
                raise InputRefused("study-key", message)
    return _study(path, data, may_carry)


def _tables() -> str:
    return ", ".join(f"[{table}]" for table in KEYS)


def _line(text: str, table: str, key: str | None = None) -> int:
    """Line of a table's header, or of a key below it; 1 where the file spells it in another way."""
    inside = False
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(rf"\s*\[+\s*[\"']?{re.escape(table)}\b", line) or (key is None and line.strip().startswith(table)):
            if key is None:
                return number
            inside = True
        elif inside and re.match(rf"\s*[\"']?{re.escape(key or '')}[\"']?\s*=", line):
            return number
    return 1


def _study(path: Path, data: dict[str, dict[str, Any]], may_carry: bool) -> Study:
    folder = path.absolute().parent

    def wrong(table: str, key: str, wanted: str) -> InputRefused:
        return InputRefused(
            "study-value", "{path}: [{table}] {key} must be {wanted}", path=path, table=table, key=key, wanted=wanted
        )

    def text_of(table: str, key: str, default: str | None, choices: tuple[str, ...] = ()) -> str:
        value = data.get(table, {}).get(key, default)
        if not isinstance(value, str) or not value or (choices and value not in choices):
            raise wrong(table, key, "one of " + ", ".join(choices) if choices else "a text that is not empty")
        return value

    def label_of(key: str, default: str) -> str:
        label = text_of("subject", key, default)
        if not LABEL.fullmatch(label):  # it becomes part of file names
            raise wrong("subject", key, "letters and digits alone, as a BIDS label is")
        return label

    def number_of(table: str, key: str, default: Any, words: tuple[str, ...] = ()) -> Any:
        value = data.get(table, {}).get(key, default)
        if value in words or value is None:
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise wrong(table, key, " or ".join([*(f'"{w}"' for w in words), "a number"]))
        return float(value)

    def existing(table: str, key: str, name: str) -> Path:
        found = folder / name
        if not found.exists():
            raise InputRefused(
                "study-missing",
                "{path}: [{table}] {key}: {found} does not exist; correct the path",
                path=path,
                table=table,
                key=key,
                found=found,
            )
        return found

    def file_of(table: str) -> Path:
        return existing(table, "path", text_of(table, "path", None))

    def texts_of(table: str, key: str, default: list[str]) -> tuple[str, ...]:
        value = data.get(table, {}).get(key, default)
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise wrong(table, key, "a list of texts")
        return tuple(value)

    def frames_of(table: str, key: str) -> Literal["late"] | tuple[int, ...]:
        value = data.get(table, {}).get(key, "late")
        if value == "late":
            return "late"
        if not isinstance(value, list) or not value or not all(type(v) is int and v > 0 for v in value):
            raise wrong(table, key, '"late" or a list of frames, counted from 1')
        return tuple(sorted(set(value)))

    def other_visit() -> Study | None:
        """The visit whose regions are to be carried to this one."""
        content = data.get("segmentation", {})
        if "carried_from" not in content:
            return None
        if "path" in content:
            raise wrong("segmentation", "carried_from", "left out where path names regions drawn at this visit")
        if not may_carry:
            raise wrong("segmentation", "carried_from", "left out where another visit's regions come from here")
        name = text_of("segmentation", "carried_from", None)
        other = read_study(existing("segmentation", "carried_from", name), may_carry=False)
        if other.ct is None or "ct" not in data:
            raise wrong("segmentation", "carried_from", "left out, or both visits have a CT, which carries them")
        return other

    defaults, carried = StudySettings(), other_visit()
    source = text_of("input", "source", defaults.input_source, ("image-derived", "blood", "given"))
    if source != "given" and "path" in data.get("input", {}):
        raise wrong("input", "path", 'left out, or source be "given"')
    models = texts_of("model", "names", list(defaults.models))
    to_vt = [name for name, model in MODELS.items() if model.outcome == "VT"]
    if not models or len(set(models)) < len(models) or not set(models) <= set(to_vt):
        raise wrong("model", "names", f"one or more, each once, of {', '.join(to_vt)}")
    vb = number_of("model", "vb", defaults.vb, ("fit", "none"))
    if not isinstance(vb, str) and not 0 <= vb < 1:
        raise wrong("model", "vb", '"fit", "none" or a fraction from 0 up to 1')
    coverage = number_of("segmentation", "minimum_coverage", defaults.minimum_coverage)
    if not 0 < coverage <= 1:
        raise wrong("segmentation", "minimum_coverage", "above 0 and at most 1")
    recovery = number_of("input", "recovery", None)
    if recovery is not None and recovery <= 0:
        raise wrong("input", "recovery", "a number above 0")
    fwhm = number_of("pet", "fwhm_mm", None, ("estimate",))
    if isinstance(fwhm, float) and fwhm <= 0:
        raise wrong("pet", "fwhm_mm", '"estimate" or a number above 0')
    return Study(
        pet=file_of("pet"),
        ct=file_of("ct") if "ct" in data else None,
        segmentation=carried.segmentation if carried else file_of("segmentation"),
        blood=tuple(existing("blood", "paths", name) for name in texts_of("blood", "paths", [])),
        route=text_of("blood", "route", "unknown", ROUTES),
        given_input=file_of("input") if source == "given" else None,
        settings=StudySettings(
            subject=label_of("id", defaults.subject),
            session=label_of("session", defaults.session),
            genotype=text_of("subject", "genotype", defaults.genotype, GENOTYPES),
            washout=text_of("subject", "washout", defaults.washout) if "washout" in data.get("subject", {}) else "",
            blood_pool=text_of("input", "blood_pool", defaults.blood_pool),
            input_source=source,  # type: ignore[arg-type]  # one of the choices, checked above
            calibration=text_of(  # type: ignore[arg-type]
                "input", "calibration", defaults.calibration, ("scale", "recovery-spill-in", "none")
            ),
            recovery=recovery,
            models=models,
            vb=vb,
            weights=text_of("model", "weights", defaults.weights),
            tstar_s=number_of("model", "tstar_s", defaults.tstar_s, ("auto",)),
            delay_s=number_of("model", "delay_s", defaults.delay_s, ("fit",)),
            motion_correction=text_of(  # type: ignore[arg-type]
                "pet", "motion_correction", defaults.motion_correction, ("none", "frames", "rigid")
            ),
            motion_reference=frames_of("pet", "motion_reference"),
            registration_window=text_of(  # type: ignore[arg-type]
                "pet", "registration_window", defaults.registration_window, ("all", "early", "late")
            ),
            minimum_coverage=coverage,
            pvc=text_of("segmentation", "pvc", defaults.pvc, ("none", *METHODS)),
            fwhm_mm=fwhm,
            pvc_regions=texts_of("segmentation", "pvc_regions", []),
        ),
        file=path,
        carried_from=carried,
    )
