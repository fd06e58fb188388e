"""PET-BIDS datasets: which files belong to a session, and what its _pet.json says about the scan."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..messages import InputRefused, Listed, Notice, Notices, Text, located
from ..tracers import nuclide, radionuclide_of
from .decay import HALF_LIFE_S, of_half_life
from .frame_checks import decay_zeros
from .frames import FrameTiming
from .image import Scan
from .tables import (
    SHORTEST_STUDY_S,
    kbq_ml_per,
    mbq_per,
    number_in,
    numbers_in,
    parts_of,
    read_json,
    sidecar,
    sidecars,
    text_in,
    truth,
    unboxed,
)
from .time_slips import DAY_S, slip_between, with_slip

# Two statements of one activity agree when they differ by no more than this (our choice: dose calibrators and
# residuals differ by a few percent, a slipped unit by a factor of 1000).
ACTIVITY_AGREEMENT = 0.05
# What a person is injected with for one PET, in MBq; outside it a unit has slipped (our choice).
INJECTED_RANGE_MBQ = (5.0, 5000.0)
# Entities by which tables of blood are told apart, and scans are not.
OF_BLOOD_ALONE = ("recording", "desc")
# Entities by which the scans of one session are told apart.
OF_SCANS = ("task", "acq", "trc", "rec", "run")
# Clock differences above this are named: 1 s is 0.06 % for C-11.
CLOCK_TOLERANCE_S = 1.0
LATEST_START_S = 6 * 3600.0
"""A dynamic scan that starts later than this sees nothing that its models describe."""
NOT_DONE = re.compile(
    r"(none|nac|un-?corrected|not (applied|performed|done|corrected))\b|(no|without)( attenuation)? correction|no$",
    re.IGNORECASE,
)
"""How it is said that there was no attenuation correction, or another one."""
OTHER_CORRECTIONS = {
    "ScatterCorrectionMethod": Text("scatter"),
    "RandomsCorrectionMethod": Text("random coincidences"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class PetSidecar(Scan):
    """What a _pet.json says of the scan and its image; None where it does not say it.

    timing: frames in seconds from time zero. time_zero: its clock time as written, scan_start_s and injection_start_s:
    relative to it. kbq_ml_per_unit: factor from the image's units to kBq/mL. weight_kg: PatientWeight, which
    converters from DICOM keep.
    decay_correction_time_s: the time that the image says it is decay-corrected to; decay_reference_s: the time that
    its frames' decay factors point to. decay_factors: one a frame, where they are kept. injected_mbq is None where the
    file contradicts itself.
    """

    timing: FrameTiming
    time_zero: str | None
    scan_start_s: float | None
    injection_start_s: float | None
    units: str
    kbq_ml_per_unit: float
    radionuclide: str | None
    decay_corrected: bool | None
    decay_correction_time_s: float | None
    decay_reference_s: float | None
    decay_factors: NDArray[np.float64] | None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class BidsPet:
    """The files of one PET session; ``blood`` are raw samples, ``bloodproc`` ready input curves.

    Ready curves are the ``_bloodproc.tsv`` beside the scan; without one, what bloodstream or petfit left of it in the
    derivatives (``_inputfunction.tsv``), one an analysis.
    """

    participant: str
    session: str | None
    pet_json: Path
    image: Path | None
    blood: tuple[Path, ...]
    bloodproc: tuple[Path, ...]
    tacs: tuple[Path, ...]


def find_bids(dataset: Path, participant: str, session: str | None = None, scan: str | None = None) -> BidsPet:
    """The PET files of a participant's session ("01" or "sub-01", "baseline" or "ses-baseline").

    scan: which of several, by the entities of its name ("run-2", "trc-DPA713_rec-OSEM"). Curves are looked for beside
    the image and in ``derivatives/*``. Raises InputRefused ("bids-…") where the participant, the session or its
    _pet.json is missing, or where the session holds several scans.
    """
    dataset = Path(dataset)
    subject = _labeled(dataset, "sub-", participant)
    if session is None and any(subject.glob("ses-*")):
        names = ", ".join(sorted(folder.name for folder in subject.glob("ses-*")))
        if not any(subject.glob("ses-*/pet")):
            raise InputRefused(
                "bids-session",
                "no session of {subject_name} ({names}) holds a folder pet; there is nothing to quantify",
                subject_name=subject.name,
                names=names,
            )
        raise InputRefused(
            "bids-session", "{subject_name} has sessions; name one of {names}", subject_name=subject.name, names=names
        )
    visit = subject if session is None else _labeled(subject, "ses-", session)
    folder = visit / "pet"
    images = sorted([*folder.glob("*_pet.nii.gz"), *folder.glob("*_pet.nii")])
    own = sorted(folder.glob("*_pet.json"))
    where = visit.relative_to(dataset).as_posix()
    several = images or own
    if scan is not None:
        images, own = (
            [file for file in files if set(scan.split("_")) <= set(parts_of(file))] for files in (images, own)
        )
        if several and not (images or own):
            raise InputRefused(
                "bids-scan",
                "{where} holds no PET scan {scan}; it holds {names}",
                where=where,
                scan=scan,
                names=", ".join(file.name for file in several),
            )
    if len(images) > 1 or (not images and len(own) > 1):
        raise InputRefused(
            "bids-several",
            "{where} holds several PET scans ({names}); name one with quantify --scan, such as --scan run-1, or "
            "write a study.toml that names it, with its blood",
            where=where,
            names=", ".join(file.name for file in (images or own)),
        )
    found_sidecars = sidecars(images[0]) if images else own
    if not found_sidecars:
        raise InputRefused(
            "bids-sidecar", "{where}/pet holds no _pet.json; a PET without one cannot be quantified", where=where
        )
    chosen = images[0] if images else own[0]
    derived = sorted(dataset.glob(f"derivatives/*/{where}/pet/*_tacs.tsv"))
    curves = [*sorted(folder.glob("*_tacs.tsv")), *derived]
    return BidsPet(
        participant=subject.name,
        session=None if session is None else visit.name,
        pet_json=found_sidecars[-1],
        image=images[0] if images else None,
        blood=_of_scan(chosen, "blood", where),
        bloodproc=_of_scan(chosen, "bloodproc", where) or _input_functions(dataset, chosen, where),
        tacs=tuple(file for file in curves if _belongs(file, chosen, OF_SCANS)),
    )


def _of_scan(scan: Path, suffix: str, where: str) -> tuple[Path, ...]:
    """The tables of this suffix beside a scan that belong to it: no entity of theirs is another of the scan's, and no
    other scan there is closer to their name.

    Raises InputRefused ("bids-blood") where there are some and none belongs to it.
    """
    there = sorted(scan.parent.glob(f"*_{suffix}.tsv"))
    fitting = tuple(file for file in there if _belongs(file, scan))
    if there and not fitting:
        raise InputRefused(
            "bids-blood",
            "{where}: the blood ({names}) is of another run, tracer or reconstruction than {scan}; name the blood of "
            "this scan alike, or write a study.toml that names both",
            where=where,
            names=", ".join(file.name for file in there),
            scan=scan.name,
        )
    return fitting


def _belongs(file: Path, scan: Path, counted: tuple[str, ...] = ()) -> bool:
    """Whether a table belongs to a scan, by the entities of their names.

    counted: those of the table that count; all but those of blood alone where none are named.
    """
    entities = {
        part
        for part in parts_of(file)[:-1]
        if (part.partition("-")[0] in counted if counted else part.partition("-")[0] not in OF_BLOOD_ALONE)
    }
    own = set(parts_of(scan)[:-1])
    others = (set(parts_of(other)[:-1]) for other in scan.parent.glob("*_pet.*"))
    # run-1 alone is of the scan run-1, though that of another tracer is run-1 as well; what tells no scan is of all.
    closer = any(entities <= other and len(other) < len(own) for other in others)
    return entities <= own and not (closer and any(part.partition("-")[0] in OF_SCANS for part in entities))


def _input_functions(dataset: Path, scan: Path, where: str) -> tuple[Path, ...]:
    """The ``_inputfunction.tsv`` of this scan in the derivatives: of a program, or of its analyses, in pet/ or not."""
    patterns = (f"derivatives/{inner}{where}/{last}" for inner in ("*/", "*/*/") for last in ("", "pet/"))
    there = (file for pattern in patterns for file in dataset.glob(f"{pattern}*_inputfunction.tsv"))
    return tuple(sorted(file for file in there if _belongs(file, scan)))


def read_pet_json(path: Path, told: str = "") -> PetSidecar:
    """Read a PET-BIDS sidecar, or that of an image, what it inherits from folders above included.

    told: the tracer by the user, whose radionuclide counts where the sidecar names none. Raises InputRefused
    ("pet-json-…", "frames-…", "units-activity", "json-…") where frames or units are missing or wrong; what contradicts
    itself becomes a Notice.
    """
    path = Path(path)
    metadata = sidecar(path) | (read_json(path) if path.suffix == ".json" else {})
    notices = Notices()
    timing = _timing(path.name, metadata)
    _tell_scale(path.name, metadata, notices)
    units = unboxed(metadata.get("Units"))
    if not isinstance(units, str):
        raise InputRefused("pet-json-units", "{file} states no Units; write Bq/mL or kBq/mL", file=path.name)
    radionuclide = text_in(metadata, "TracerRadionuclide") or radionuclide_of(told)
    half_life_s = _half_life(path.name, metadata, radionuclide, notices)
    tracer = text_in(metadata, "TracerName")
    _check_tracer(path.name, tracer, half_life_s)
    attenuation = _attenuation(path.name, metadata)
    notices += _uncorrected(path.name, metadata)
    scan_start_s = number_in(metadata, "ScanStart", path.name)
    _check_scan_start(path.name, scan_start_s, float(timing.starts_s[0]))
    corrected = truth(metadata.get("ImageDecayCorrected"))
    corrected_to = number_in(metadata, "ImageDecayCorrectionTime", path.name)
    factors = _decay_factors(path.name, metadata, len(timing))
    reference = None if factors is None else _decay_reference(factors, timing, half_life_s)
    if corrected is not True:
        notices.add(
            "pet-decay",
            "{path_name}: ImageDecayCorrected is {corrected}; a model needs decay-corrected activity",
            path_name=path.name,
            corrected=corrected,
        )
    if reference is not None and corrected_to is not None and abs(reference - corrected_to) > CLOCK_TOLERANCE_S:
        notices.add(
            "pet-decay-reference",
            "{path_name}: the decay factors point to {reference:.1f} s (time zero is 0), "
            "ImageDecayCorrectionTime says {corrected_to:g} s: the clocks of injection and scan differ by "
            "{difference:.1f} s",
            path_name=path.name,
            reference=reference,
            corrected_to=corrected_to,
            difference=abs(reference - corrected_to),
        )
    if timing.starts_s[0] > CLOCK_TOLERANCE_S:
        notices.add(
            "pet-first-frame",
            "{path_name}: the first frame starts {starts_s:g} s after time zero",
            path_name=path.name,
            starts_s=timing.starts_s[0],
        )
    return PetSidecar(
        timing=timing,
        time_zero=text_in(metadata, "TimeZero"),
        scan_start_s=scan_start_s,
        injection_start_s=_injection_start_s(path.name, metadata, timing),
        units=units,
        kbq_ml_per_unit=kbq_ml_per(units, f"{path.name}, Units"),
        tracer=tracer,
        radionuclide=radionuclide,
        half_life_s=half_life_s,
        injected_mbq=_injected_mbq(path.name, metadata, notices),
        decay_corrected=corrected,
        decay_correction_time_s=corrected_to,
        decay_reference_s=reference,
        decay_factors=factors,
        reconstruction=text_in(metadata, "ReconMethodName"),
        manufacturer=text_in(metadata, "Manufacturer"),
        scanner_model=text_in(metadata, "ManufacturersModelName"),
        attenuation=attenuation,
        administration=(text_in(metadata, "ModeOfAdministration") or "").lower() or None,
        infusion_s=_infusion_s(path.name, metadata),
        weight_kg=number_in(metadata, "PatientWeight", path.name) or None,
        notices=tuple(notices),
    )


def _labeled(folder: Path, prefix: str, label: str) -> Path:
    """The folder that an entity's label names; the label must be one that exists, never a path."""
    known = sorted(entry.name for entry in folder.glob(f"{prefix}*") if entry.is_dir())
    name = label if label.startswith(prefix) else prefix + label
    if name not in known:
        code = {"sub-": "bids-participant", "ses-": "bids-session"}[prefix]
        raise InputRefused(
            code,
            "there is no {name} in {folder_name}; it holds {known}",
            name=name,
            folder_name=folder.name,
            known=", ".join(known) or "none",
        )
    return folder / name


def _timing(file: str, metadata: Mapping[str, Any]) -> FrameTiming:
    starts, durations = (numbers_in(metadata, key, file) for key in ("FrameTimesStart", "FrameDuration"))
    if starts is None or durations is None:
        raise InputRefused(
            "pet-json-frames", "{file} lacks FrameTimesStart or FrameDuration; add the frames", file=file
        )
    if len(starts) != len(durations) or not starts:
        raise InputRefused(
            "frames-shape",
            "{file} lists {starts} FrameTimesStart and {durations} FrameDuration; every frame needs one of each",
            file=file,
            starts=len(starts),
            durations=len(durations),
        )
    try:
        timing = FrameTiming(np.array(starts), np.array(durations))
    except InputRefused as reason:
        raise located(reason, Text("{file}, FrameTimesStart and FrameDuration", file=file)) from None
    if len(timing) > 1 and timing.ends_s[-1] < SHORTEST_STUDY_S:
        raise InputRefused(
            "pet-json-time-units",
            "{file}: the last frame ends at {ends_s:g} s: the times look like minutes; BIDS wants seconds",
            file=file,
            ends_s=timing.ends_s[-1],
        )
    if len(timing) > 1 and timing.starts_s[0] > LATEST_START_S:
        raise InputRefused(
            "pet-json-time-units",
            "{file}: the first of several frames starts at {starts_s:g} s, {hours:.1f} h after TimeZero: the times "
            "look like times of day; BIDS counts them from TimeZero",
            file=file,
            starts_s=timing.starts_s[0],
            hours=timing.starts_s[0] / 3600,
        )
    return timing


def _tell_scale(file: str, metadata: Mapping[str, Any], notices: Notices) -> None:
    """Tell of PET-BIDS' ScaleFactor, one a frame: the specification leaves open whether the voxels hold it already."""
    factors = metadata.get("ScaleFactor")
    listed = factors if isinstance(factors, list) else [factors]
    scales = {float(factor) for factor in listed if isinstance(factor, int | float)} - {1.0}
    if scales:
        notices.add(
            "pet-scale-factor",
            "{file} states a ScaleFactor of {lowest:g} to {highest:g}, which its values are taken to hold already, as "
            "converters leave it behind; where they do not, multiply each frame by it",
            file=file,
            lowest=min(scales),
            highest=max(scales),
        )


def _check_tracer(file: str, tracer: str | None, half_life_s: float | None) -> None:
    """Refuse ("tracer-radionuclide") a tracer whose name says another radionuclide than the half-life."""
    named = nuclide(tracer or "")
    if named is not None and half_life_s is not None and not of_half_life(half_life_s, named):
        raise InputRefused(
            "tracer-radionuclide",
            "{file}: TracerName '{tracer}' names {named}, whose half-life is {known:g} s, and the radionuclide has "
            "{stated:g} s; correct the one that is wrong",
            file=file,
            tracer=tracer,
            named=named,
            known=HALF_LIFE_S[named],
            stated=half_life_s,
        )


def _uncorrected(file: str, metadata: Mapping[str, Any]) -> tuple[Notice, ...]:
    """Tell of corrections that the sidecar says were not made."""
    stated = {name: text_in(metadata, key) for key, name in OTHER_CORRECTIONS.items()}
    lacking = [name for name, method in stated.items() if method and NOT_DONE.match(method.strip())]
    if not lacking:
        return ()
    return (
        Notice(
            "pet-uncorrected",
            "{file} says that the values are not corrected for {lacking}: activity is wrong by a part that is not "
            "known, and V_T with it; use the image with all corrections",
            file=file,
            lacking=Listed(lacking),
        ),
    )


def _attenuation(file: str, metadata: Mapping[str, Any]) -> str | None:
    """How attenuation was corrected, in words; refused ("pet-attenuation") where it says that it was not."""
    for key in ("AttenuationCorrection", "AttenuationCorrectionMethod"):
        stated = unboxed(metadata.get(key))
        if truth(stated) is False or (isinstance(stated, str) and NOT_DONE.match(stated.strip())):
            raise InputRefused(
                "pet-attenuation",
                "{file}: {key} is '{stated}': values that are not attenuation-corrected are no activities; use the "
                "corrected image",
                file=file,
                key=key,
                stated=str(stated),
            )
    return text_in(metadata, "AttenuationCorrection") or text_in(metadata, "AttenuationCorrectionMethod")


def _check_scan_start(file: str, scan_start_s: float | None, first_s: float) -> None:
    """Refuse ("frames-scan-start") frames that start before the scan, which were counted from its start; or a day
    after it."""
    if scan_start_s is not None and not -CLOCK_TOLERANCE_S <= first_s - scan_start_s < DAY_S - CLOCK_TOLERANCE_S:
        refusal = InputRefused(
            "frames-scan-start",
            "{file}: the first frame starts at {first_s:g} s and the scan at {scan_start_s:g} s: BIDS counts both "
            "from TimeZero; add ScanStart to FrameTimesStart, or correct ScanStart",
            file=file,
            first_s=first_s,
            scan_start_s=scan_start_s,
        )
        raise with_slip(refusal, slip_between(scan_start_s, first_s))


def _injection_start_s(file: str, metadata: Mapping[str, Any], timing: FrameTiming) -> float | None:
    """InjectionStart; refused ("pet-json-injection") after the scan's end, or a day or more before TimeZero."""
    stated = number_in(metadata, "InjectionStart", file)
    if stated is None or -DAY_S / 2 <= stated <= timing.ends_s[-1]:
        return stated
    refusal = InputRefused(
        "pet-json-injection",
        "{file}: InjectionStart is {stated:g} s, and the scan runs from {first_s:g} to {end_s:g} s; BIDS counts all "
        "in seconds from TimeZero: correct the one that is wrong",
        file=file,
        stated=stated,
        first_s=float(timing.starts_s[0]),
        end_s=float(timing.ends_s[-1]),
    )
    raise with_slip(refusal, slip_between(stated, 0.0))


def _half_life(file: str, metadata: Mapping[str, Any], radionuclide: str | None, notices: Notices) -> float | None:
    stated = number_in(metadata, "RadionuclideHalfLife", file)
    known = HALF_LIFE_S.get(nuclide(radionuclide or "") or "")
    if stated is not None and stated <= 0:
        raise InputRefused(
            "pet-json-half-life", "{file}: RadionuclideHalfLife is {stated:g} s; correct it", file=file, stated=stated
        )
    if stated is not None and known is not None and abs(stated / known - 1) > 0.01:
        raise InputRefused(
            "pet-json-half-life",
            "{file}: RadionuclideHalfLife is {stated:g} s, {radionuclide} has {known:.1f} s; correct one",
            file=file,
            stated=stated,
            radionuclide=radionuclide,
            known=known,
        )
    minutes = 0.0 if stated is None else stated
    in_minutes = [name for name in HALF_LIFE_S if of_half_life(60 * minutes, name)]
    if in_minutes:
        raise InputRefused(
            "pet-json-half-life",
            "{file}: RadionuclideHalfLife is {stated:g} s, which is the half-life of {radionuclide} in minutes; write "
            "it in seconds",
            file=file,
            stated=stated,
            radionuclide=in_minutes[0],
        )
    if stated is None and known is None:
        notices.add("pet-half-life", "{file} states no RadionuclideHalfLife and no radionuclide known here", file=file)
    return known if stated is None else stated


def _decay_factors(file: str, metadata: Mapping[str, Any], frames: int) -> NDArray[np.float64] | None:
    """The frames' decay factors by PET-BIDS' name, or by DICOM's; None where they were not kept.

    Lists of another length than the frames', and factors of 1.0 throughout, are what converters leave behind.
    """
    for key in ("DecayCorrectionFactor", "DecayFactor"):
        listed = metadata.get(key)
        factors = numbers_in(metadata, key, file) if isinstance(listed, list) else None
        if factors is not None and len(factors) == frames and min(factors) > 0 and set(factors) != {1.0}:
            return np.array(factors)
    return None


def _decay_reference(factors: NDArray[np.float64], timing: FrameTiming, half_life_s: float | None) -> float | None:
    """The time zero, in seconds, that the frames' decay factors were computed for; None where they do not tell."""
    if half_life_s is None:
        return None
    zeros = decay_zeros(factors, timing, half_life_s)
    return float(np.median(zeros)) if np.ptp(zeros) <= CLOCK_TOLERANCE_S else None


def _injected_mbq(file: str, metadata: Mapping[str, Any], notices: Notices) -> float | None:
    """The injected activity, if what the file says about it agrees.

    InjectedRadioactivity with its units, RadionuclideTotalDose (DICOM 0018,1074, in Bq) and InjectedMass times
    SpecificRadioactivity are independent statements; a value that two of them support is taken.
    """
    stated: dict[str, float] = {}
    injected = number_in(metadata, "InjectedRadioactivity", file)
    unit = text_in(metadata, "InjectedRadioactivityUnits") or text_in(metadata, "InjectedRadioActivityUnits")
    if injected is not None and unit is None:
        notices.add("pet-injected-unit", "{file}: InjectedRadioactivity has no unit; it was not used", file=file)
    elif injected is not None and unit is not None:
        stated["InjectedRadioactivity"] = injected * mbq_per(unit, f"{file}, InjectedRadioactivityUnits")
    dose = number_in(metadata, "RadionuclideTotalDose", file)
    if dose is not None:
        stated["RadionuclideTotalDose"] = dose / 1e6
    product = _mass_times_specific(file, metadata)
    if product is not None:
        stated["InjectedMass x SpecificRadioactivity"] = product
    if not stated:
        return None
    doses = ", ".join(f"{name} {value:.4g} MBq" for name, value in stated.items())
    values = list(stated.values())
    agreeing = [v for v in values if sum(abs(v - other) <= ACTIVITY_AGREEMENT * abs(other) for other in values) > 1]
    if len(values) == len(agreeing) or len(values) == 1:
        value = values[0]
    elif agreeing:
        value = agreeing[0]
        notices.add(
            "pet-injected",
            "{file}: {doses}; {value:.4g} MBq was taken, which two of them support",
            file=file,
            doses=doses,
            value=value,
        )
    else:
        notices.add(
            "pet-injected",
            "{file}: {doses}: they contradict each other, none was taken; correct one",
            file=file,
            doses=doses,
        )
        return None
    if not INJECTED_RANGE_MBQ[0] <= value <= INJECTED_RANGE_MBQ[1]:
        notices.add(
            "pet-injected", "{file}: {doses} is not what a person is injected with; not taken", file=file, doses=doses
        )
        return None
    return value


def _infusion_s(file: str, metadata: Mapping[str, Any]) -> float | None:
    """How long the tracer was injected, where the file says when that ended."""
    begin, end = (number_in(metadata, key, file) for key in ("InjectionStart", "InjectionEnd"))
    return end - begin if begin is not None and end is not None and end > begin else None


def _mass_times_specific(file: str, metadata: Mapping[str, Any]) -> float | None:
    """InjectedMass times SpecificRadioactivity in MBq, where both have units that fit ("nmol", "MBq/nmol")."""
    mass = number_in(metadata, "InjectedMass", file)
    specific = number_in(metadata, "SpecificRadioactivity", file)
    per = (text_in(metadata, "SpecificRadioactivityUnits") or "").split("/")
    if mass is None or specific is None or len(per) != 2 or per[1] != text_in(metadata, "InjectedMassUnits"):
        return None
    return mass * specific * mbq_per(per[0], f"{file}, SpecificRadioactivityUnits")
