"""Were the visits measured alike? What differs, and whether it can fake a change.

A reconstruction that goes from 4 to 6 mm FWHM fakes -35 % in a foramen (simulated), V_T drifts with the length of the
scan by 13 to 25 % (Endres 2009, PMC2883612), and corrected, scaled or otherwise modeled values are different
quantities: such differences refuse the comparison. What changes the noise, or SUV alone, is warned of.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..messages import InputRefused
from .record import VisitRecord

Severity = Literal["refuse", "warn"]

# None of these is published: choices.
RESOLUTION_TOLERANCE_MM = 0.3
"""Estimates of one scanner's resolution from two scans differ by less: a choice."""
VOXEL_TOLERANCE = 0.01
"""Voxel sizes count as equal within this fraction."""
FRAME_TOLERANCE_S = 1.0
WEIGHT_RATIO, DOSE_RATIO = 1.1, 2.0
"""Weights and doses of one person that differ by more are more likely wrong entries than changes."""
VOLUME_WARNS, VOLUME_REFUSES = 1.25, 1.5
"""Volumes of one region that differ by such a factor change its recovery."""
MOTION_MM = 3.0


@dataclass(frozen=True)
class Finding:
    """One thing in which visits differ, or that no file tells.

    code: stable ("visits-reconstruction"); what ``--accept`` takes. severity: "refuse" where the difference can fake
    a change, else "warn". item: stable name of what was compared ("reconstruction"). values: as each visit has it, in
    the order of the visits. message: one sentence for people. acceptable: False where nothing may override it.
    accepted: whether the user did.
    """

    code: str
    severity: Severity
    item: str
    values: tuple[str, ...]
    message: str
    acceptable: bool = True
    accepted: bool = False


@dataclass(frozen=True)
class _Item:
    """What is compared. told: a visit's value in words, None where no file tells it. alike: None for equal words."""

    item: str
    severity: Severity
    told: Callable[[VisitRecord], str | None]
    why: str
    alike: Callable[[VisitRecord, VisitRecord], bool] | None = None

    @property
    def code(self) -> str:
        return f"visits-{self.item}"


def _close(key: Callable[[VisitRecord], Sequence[float] | None]) -> Callable[[VisitRecord, VisitRecord], bool]:
    def alike(a: VisitRecord, b: VisitRecord) -> bool:
        one, other = key(a), key(b)
        if one is None or other is None:
            return one is other
        return len(one) == len(other) and all(
            abs(x - y) <= VOXEL_TOLERANCE * max(abs(x), abs(y)) for x, y in zip(one, other, strict=True)
        )

    return alike


def _resolutions_alike(a: VisitRecord, b: VisitRecord) -> bool:
    one, other = a.acquisition.fwhm_mm, b.acquisition.fwhm_mm
    if one is None or other is None:
        return one is other
    return abs(one - other) <= RESOLUTION_TOLERANCE_MM


def _frames_alike(a: VisitRecord, b: VisitRecord) -> bool:
    one, other = a.acquisition, b.acquisition
    return len(one.frame_starts_s) == len(other.frame_starts_s) and all(
        abs(x - y) <= FRAME_TOLERANCE_S
        for x, y in zip(
            (*one.frame_starts_s, *one.frame_durations_s),
            (*other.frame_starts_s, *other.frame_durations_s),
            strict=True,
        )
    )


def _end_s(visit: VisitRecord) -> float:
    scan = visit.acquisition
    return scan.frame_starts_s[-1] + scan.frame_durations_s[-1]


def _window_told(visit: VisitRecord) -> str:
    tstar = visit.settings.get("tstar_s")
    return f"0 to {_end_s(visit) / 60:g} min, t* {tstar if isinstance(tstar, str) else f'{tstar:g} s'}"


def _windows_alike(a: VisitRecord, b: VisitRecord) -> bool:
    return (
        abs(_end_s(a) - _end_s(b)) <= FRAME_TOLERANCE_S
        and a.settings.get("tstar_s") == b.settings.get("tstar_s")
        and abs(a.acquisition.frame_starts_s[0] - b.acquisition.frame_starts_s[0]) <= FRAME_TOLERANCE_S
    )


def _setting(*keys: str) -> Callable[[VisitRecord], str]:
    def told(visit: VisitRecord) -> str:
        values = [visit.settings.get(key) for key in keys]
        return ", ".join(_words(value) for value in values if value is not None) or "none"

    return told


def _words(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_words(item) for item in value) or "all"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _scanner(visit: VisitRecord) -> str | None:
    scan = visit.acquisition
    return " ".join(part for part in (scan.manufacturer, scan.scanner_model) if part) or None


ITEMS = (
    _Item("tracer", "refuse", lambda v: v.acquisition.tracer, "another tracer has another V_T"),
    _Item("scanner", "refuse", _scanner, "another scanner has another resolution and calibration"),
    _Item(
        "reconstruction",
        "refuse",
        lambda v: v.acquisition.reconstruction,
        "it changes resolution, and with it every small region",
    ),
    _Item("filter", "refuse", lambda v: v.acquisition.filter, "it changes resolution, and with it every small region"),
    _Item(
        "voxel",
        "refuse",
        lambda v: " × ".join(f"{size:.2f}" for size in v.acquisition.voxel_mm) + " mm",
        "voxels of another size see another share of a small region",
        _close(lambda v: v.acquisition.voxel_mm),
    ),
    _Item(
        "resolution",
        "refuse",
        lambda v: None if v.acquisition.fwhm_mm is None else f"{v.acquisition.fwhm_mm:g} mm FWHM",
        "4 mm against 6 mm fakes -35 % in a foramen",
        _resolutions_alike,
    ),
    _Item(
        "window",
        "refuse",
        _window_told,
        "V_T of TSPO tracers drifts with the length of the scan",
        _windows_alike,
    ),
    _Item(
        "frames",
        "warn",
        lambda v: f"{len(v.acquisition.frame_starts_s)} frames",
        "noise and, for short frames, the fit's shape differ",
        _frames_alike,
    ),
    _Item("model", "refuse", lambda v: v.models[0], "another model has another bias"),
    _Item("blood-volume", "refuse", _setting("vb"), "V_T depends on how V_B is treated"),
    _Item("delay", "refuse", _setting("delay_s"), "V_T depends on how the delay is treated"),
    _Item("weights", "refuse", _setting("weights"), "V_T depends on the weights where the model does not fit"),
    _Item(
        "input",
        "refuse",
        _setting("input_source", "calibration", "recovery"),
        "another input method has another bias",
    ),
    _Item("sampling", "refuse", lambda v: v.input.route, "venous blood differs from arterial"),
    _Item("pvc", "warn", lambda v: v.pvc, "corrected values are compared only where both visits have them alike"),
    _Item("coverage", "refuse", _setting("minimum_coverage"), "regions were read off the PET by another rule"),
    _Item("motion", "refuse", _setting("motion_correction"), "uncorrected motion blurs, and with it small regions"),
    _Item("genotype", "refuse", lambda v: v.genotype, "one person has one genotype: an entry is wrong"),
)
"""Compared item by item against the first visit."""

IDENTITY = ("visits-patient", "visits-subject", "visits-same", "visits-session", "visits-simulated")
"""Never acceptable."""
OTHERS = (
    "visits-volume",
    "visits-regions",
    "visits-dose",
    "visits-weight",
    "visits-not-told",
    "visits-moved",
    "visits-order",
)
CODES = tuple(item.code for item in ITEMS) + OTHERS


def findings_of(visits: Sequence[VisitRecord]) -> tuple[Finding, ...]:
    """Everything in which visits differ, those that refuse first."""
    found = [*_identities(visits)]
    unknown = []
    for item in ITEMS:
        values = [item.told(visit) for visit in visits]
        if all(value is None for value in values):
            unknown.append(item.item)
        elif not _alike(item, visits):
            told = tuple(value or "not told" for value in values)
            found.append(
                Finding(item.code, item.severity, item.item, told, f"the visits differ in {item.item}: {item.why}")
            )
    if unknown:
        names = ", ".join(unknown)
        message = f"no visit tells its {names}: whether they are equal could not be checked"
        found.append(Finding("visits-not-told", "warn", names, ("not told",) * len(visits), message))
    found += [*_volumes(visits), *_entries(visits), *_moved(visits), *_order(visits)]
    return tuple(sorted(found, key=lambda finding: (finding.acceptable, finding.severity == "warn")))


def checked(visits: Sequence[VisitRecord], accept: Sequence[str] = ()) -> tuple[Finding, ...]:
    """The findings, those marked that the user accepts.

    Raises InputRefused: "accept-unknown" for a code that is none; "accept-never" for one that nothing overrides; else
    the code of the first difference that can fake a change and was not accepted. The message names all of them.
    """
    for code in accept:
        if code in IDENTITY:
            message = "only different visits of one person compare; put right what is wrong, and leave this code out"
            raise InputRefused("accept-never", "{code_} cannot be accepted: {message}", code_=code, message=message)
        if code not in CODES:
            raise InputRefused(
                "accept-unknown",
                "no finding is called '{code_}'; known are {codes}",
                code_=code,
                codes=", ".join(CODES),
            )
    found = tuple(replace(f, accepted=f.acceptable and f.code in accept) for f in findings_of(visits))
    barring = [f for f in found if f.severity == "refuse" and not f.accepted]
    if barring:
        first = barring[0]
        more = f"; also {', '.join(f.code for f in barring[1:])}" if len(barring) > 1 else ""
        what = (
            f"to compare all the same, accept it (--accept {first.code})" if first.acceptable else "check the folders"
        )
        values = " | ".join(first.values)
        raise InputRefused(
            first.code,
            "{first_message} ({values}){more}; {what}",
            first_message=first.message,
            values=values,
            more=more,
            what=what,
        )
    return found


def _alike(item: _Item, visits: Sequence[VisitRecord]) -> bool:
    first = visits[0]
    if item.alike is not None:
        return all(item.alike(first, visit) for visit in visits[1:])
    return all(item.told(visit) == item.told(first) for visit in visits[1:])


def _identities(visits: Sequence[VisitRecord]) -> list[Finding]:
    sessions = tuple(visit.session for visit in visits)
    keys = [visit.acquisition.patient_key for visit in visits]
    known = {key for key in keys if key is not None}
    subjects = tuple(visit.subject for visit in visits)
    found = []
    if len(known) > 1:
        found.append(_never("visits-patient", "patient", sessions, "the visits are of different patients"))
    if len(set(subjects)) > 1:
        message = "the visits name different subjects; if they are of one person, give both one [subject] id"
        found.append(_never("visits-subject", "subject", subjects, message))
    if len({visit.acquisition.simulated for visit in visits}) > 1:
        kinds = tuple("simulated" if visit.acquisition.simulated else "measured" for visit in visits)
        found.append(_never("visits-simulated", "simulated", kinds, "simulated and measured visits do not compare"))
    same = [v.acquisition.time_zero_at for v in visits if v.acquisition.time_zero_at is not None]
    curves = [tuple(region.mean for region in visit.regions) for visit in visits]
    if len(set(same)) < len(same) or len(set(curves)) < len(curves):
        found.append(_never("visits-same", "scan", sessions, "one scan was given twice; name another visit's folder"))
    if len(set(sessions)) < len(sessions):
        message = "visits have the same session label; give each its own under [subject] session"
        found.append(_never("visits-session", "session", sessions, message))
    return found


def _never(code: str, item: str, values: tuple[str, ...], message: str) -> Finding:
    return Finding(code, "refuse", item, values, message, acceptable=False)


def _volumes(visits: Sequence[VisitRecord]) -> list[Finding]:
    """Regions that a visit lacks, and those whose volumes differ from the first visit's."""
    first, found = visits[0], []
    places = [[one, *(visit.same_place(one) for visit in visits[1:])] for one in first.regions]
    alone = {one.name for one, here in zip(first.regions, places, strict=True) if None in here}
    for number, visit in enumerate(visits[1:], start=1):
        matched = {region.name for here in places if (region := here[number]) is not None}
        if not matched:
            raise InputRefused("visits-regions", "the visits share no region; name regions alike")
        alone |= {region.name for region in visit.regions} - matched
    if alone:
        message = f"not every visit has {', '.join(sorted(alone))}: not compared with those that lack it"
        told = tuple(f"{len(visit.regions)} regions" for visit in visits)
        found.append(Finding("visits-regions", "warn", "regions", told, message))
    for one, here in zip(first.regions, places, strict=True):
        own, sizes = one.volume_mm3, [region.volume_mm3 for region in here if region is not None]
        ratio = max(max(size, own) / min(size, own) for size in sizes)
        if ratio > VOLUME_WARNS:
            severity: Severity = "refuse" if ratio > VOLUME_REFUSES else "warn"
            told = tuple("none" if region is None else f"{region.volume_mm3:.0f} mm³" for region in here)
            message = f"'{one.name}' was drawn in another size: its recovery, and so its V_T, differs"
            found.append(Finding("visits-volume", severity, "volume", told, message))
    return found


def _entries(visits: Sequence[VisitRecord]) -> list[Finding]:
    found = []
    for item, unit, limit in (("weight", "kg", WEIGHT_RATIO), ("dose", "MBq", DOSE_RATIO)):
        field = {"weight": "weight_kg", "dose": "injected_mbq"}[item]
        values: list[float | None] = [getattr(visit.acquisition, field) for visit in visits]
        told = tuple("not told" if value is None else f"{value:g} {unit}" for value in values)
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            message = f"the {item} is not told for every visit: SUV cannot be compared (V_T does not need it)"
            found.append(Finding(f"visits-{item}", "warn", item, told, message))
        elif max(known) > limit * min(known):
            message = (
                f"the {item} differs by more than a factor of {limit:g}: check the entries (V_T does not need it)"
            )
            found.append(Finding(f"visits-{item}", "warn", item, told, message))
    return found


def _moved(visits: Sequence[VisitRecord]) -> list[Finding]:
    most = [max(visit.motion.displacement_mm, default=0.0) if visit.motion else 0.0 for visit in visits]
    if max(most) <= MOTION_MM:
        return []
    told = tuple(f"up to {value:.1f} mm" for value in most)
    message = f"the neck moved by more than {MOTION_MM:g} mm: what moved so far between frames also moved within them"
    return [Finding("visits-moved", "warn", "moved", told, message)]


def _order(visits: Sequence[VisitRecord]) -> list[Finding]:
    times = [visit.acquisition.time_zero_at for visit in visits]
    if None in times or times == sorted(time or "" for time in times):
        return []
    sessions = tuple(visit.session for visit in visits)
    message = "a later visit was scanned before an earlier one: name the baseline first"
    return [Finding("visits-order", "warn", "order", sessions, message)]
