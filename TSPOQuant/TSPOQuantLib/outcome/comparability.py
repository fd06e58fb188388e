"""Were the visits measured alike? What differs, and whether it can fake a change.

A reconstruction that goes from 4 to 6 mm FWHM fakes -35 % in a foramen (simulated), V_T drifts with the length of the
scan by 13 to 25 % (Endres 2009, PMC2883612), and corrected, scaled or otherwise modeled values are different
quantities: such differences refuse the comparison. What changes the noise, or SUV alone, is warned of. Which settings
visits must share is declared with each of them.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..acquisition.blood import SampledCurve
from ..input_function.image_derived import FIRST_PASS_S
from ..messages import InputRefused, Listed, Text
from ..settings import Setting, Shared
from ..tracers import same_tracer
from .record import VisitRecord
from .settings import SETTINGS
from .uptake import window_of

Severity = Literal["refuse", "warn"]

# None of these is published: choices.
RESOLUTION_TOLERANCE_MM = 0.3
"""Stated resolutions that differ by less count as one: a choice. Estimates also may by ``TWICE`` their joint error."""
SKIN_MM = 0.2
"""What an estimate is off by beside its standard error, as the skin lies elsewhere at every visit: about what
simulated necks of the reconstructing scanner showed."""
TWICE = 1.96
VOXEL_TOLERANCE = 0.01
"""Voxel sizes count as equal within this fraction."""
CLOCK_TOLERANCE_S = 1.0
"""Times of frames are told to the second."""
START_TOLERANCE_S = 30.0
"""Scans of which one starts so much later after the injection are told apart, not refused: the clocks of two days
differ by as much, and V_T by some 3 % (a start that is believed 60 s early changes it by 6 %, simulated)."""
END_TOLERANCE = 0.03
"""Scans whose ends differ by no more than this part are told apart, not refused: at the steepest published drift,
25 % for a scan half as long again, V_T changes by less than 2 %."""
WEIGHT_RATIO, DOSE_RATIO = 1.1, 2.0
"""Weights and doses of one person that differ by more are more likely wrong entries than changes."""
VOLUME_WARNS, VOLUME_REFUSES = 1.25, 1.5
"""Volumes of one region that differ by such a factor change its recovery."""
MOTION_MM = 3.0
OUTCOME_WINDOW_MIN = 1.0
"""Windows of SUV whose ends differ by less are one: clocks of two days differ by as much."""
UPTAKE_WARNS_MIN, UPTAKE_REFUSES_MIN = 1.0, 10.0
"""Uptake times of single late frames that differ by more are told apart, and refused."""
SAME_SCAN, FEWEST_VALUES = 1e-3, 6
"""Curves of which every frame agrees this closely, as a part of the curve's highest, are one scan's: rounding on its
way through another format changes them by less, while two scans of one person differ by several percent in every
frame. So many values have to agree, as one or two do by chance."""
SAME_SAMPLE, SAME_SAMPLES, FEWEST_SAMPLES = 1e-3, 0.8, 3
"""Samples that agree this closely, in such a part of them and at least so many, are one draw of blood: 1e-3 is what
rounding to three digits changes, while two counts of one sample differ by about a percent."""
CT_METHODS = frozenset({"CT", "CTAC", "ACCT", "LDCT"})
MR_METHODS = frozenset({"DIXON", "UTE", "ZTE", "ATLAS", "LAVA", "PSEUDOCT", "BOSS"})
"""How scanners and papers name the source of an attenuation map; anything that begins with MR is one, too."""


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
    message: Text
    acceptable: bool = True
    accepted: bool = False


@dataclass(frozen=True)
class _Fact:
    """One thing that is compared, as part of an item.

    value: a visit's own, None where no file tells it or where it does not apply. wording: the value in words; values
    that are judged different are told in different words. judged: what a difference amounts to, None for nothing.
    key: of the setting, where the data of each visit may have chosen ("[model] tstar_s").
    """

    shared: Shared
    value: Callable[[VisitRecord], Any]
    wording: Callable[[Any], str]
    judged: Callable[[VisitRecord, VisitRecord], Severity | None]
    key: str = ""


@dataclass(frozen=True)
class Item:
    """What is compared under one name, and accepted under one code."""

    item: str
    facts: tuple[_Fact, ...]

    @property
    def code(self) -> str:
        return f"visits-{self.item}"

    @property
    def acquired(self) -> bool:
        """Whether files have to tell it: what was chosen is always known."""
        return any(fact in ACQUIRED for fact in self.facts)

    def wording(self, visit: VisitRecord) -> str | None:
        """A visit's value in words, without what was left unset; None where no file tells it, or it does not apply."""
        there = [fact for fact in self.facts if fact.value(visit) is not None]
        given = [fact for fact in there if fact.value(visit) != UNSET]
        return (_joined(visit, given) or UNSET) if there else None

    def finding(self, visits: Sequence[VisitRecord]) -> Finding | None:
        """In what of this the visits differ from the first one; None where they are alike."""
        grades = [{fact.judged(visits[0], visit) for visit in visits[1:]} - {None} for fact in self.facts]
        differing = [fact for fact, grade in zip(self.facts, grades, strict=True) if grade]
        if not differing:
            return None
        severity: Severity = "refuse" if any("refuse" in grade for grade in grades) else "warn"
        values = tuple(_joined(visit, differing) or Text("not told") for visit in visits)
        why = Listed(dict.fromkeys(fact.shared.why for fact in differing), "; ")
        message = Text("the visits differ in {item}: {why}", item=self.item, why=why)
        keys = Listed(fact.key for fact in differing if fact.key)
        if severity == "warn" and keys:
            message = Text(
                "{message}; the data of each visit chose, and {keys} at both visits makes it one",
                message=message,
                keys=keys,
            )
        return Finding(self.code, severity, self.item, values, message)


def _joined(visit: VisitRecord, facts: Sequence[_Fact]) -> str | None:
    words = [fact.wording(value) for fact in facts if (value := fact.value(visit)) is not None]
    return Listed(words) if words else None


# --- What was acquired -----------------------------------------------------------------------------------------------


def _acquired(
    item: str,
    why: Text,
    value: Callable[[VisitRecord], Any],
    wording: Callable[[Any], str] = str,
    alike: Callable[[Any, Any], bool] = lambda one, other: one == other,
    severity: Severity = "refuse",
    smoothed: bool = False,
) -> _Fact:
    """Something that a visit's files tell; a visit that does not tell it differs from one that does.

    smoothed: whether a difference is only told of images that were brought to one resolution.
    """

    def judged(a: VisitRecord, b: VisitRecord) -> Severity | None:
        one, other = value(a), value(b)
        if (one is None and other is None) or (one is not None and other is not None and alike(one, other)):
            return None
        width = a.settings.get("smooth_to_mm")
        return "warn" if smoothed and width is not None and width == b.settings.get("smooth_to_mm") else severity

    return _Fact(Shared(item, why, severity), value, wording, judged)


def _scanner(visit: VisitRecord) -> str | None:
    scan = visit.acquisition
    return " ".join(part for part in (scan.manufacturer, scan.scanner_model) if part) or None


def _same_voxels(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whatever order the files list their axes in."""
    return len(one) == len(other) and all(
        abs(x - y) <= VOXEL_TOLERANCE * max(abs(x), abs(y)) for x, y in zip(sorted(one), sorted(other), strict=True)
    )


def _same_words(one: str, other: str) -> bool:
    """Converters write the words of one header in other cases, and with "_" for a space."""
    return re.sub(r"[\s_]+", " ", one).strip().lower() == re.sub(r"[\s_]+", " ", other).strip().lower()


def _frames(visit: VisitRecord) -> tuple[tuple[float, float], ...]:
    """Start after the first frame's, and duration, of every frame in seconds."""
    scan = visit.acquisition
    starts = (start - scan.frame_starts_s[0] for start in scan.frame_starts_s)
    return tuple(zip(starts, scan.frame_durations_s, strict=True))


def _same_frames(one: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> bool:
    return len(one) == len(other) and all(
        abs(x - y) <= CLOCK_TOLERANCE_S for a, b in zip(one, other, strict=True) for x, y in zip(a, b, strict=True)
    )


def _frames_in_words(frames: Sequence[tuple[float, float]]) -> str:
    """Runs of frames of one length, and the gaps between frames: "6 × 10 s, gap of 30 s, 4 × 600 s"."""
    pieces: list[str] = []
    end_s = 0.0
    for start_s, duration_s in frames:
        if start_s - end_s > CLOCK_TOLERANCE_S:
            pieces.append(Text("gap of {seconds:.4g} s", seconds=start_s - end_s))
        pieces.append(f"{duration_s:.4g} s")
        end_s = start_s + duration_s
    runs = ((piece, len(list(run))) for piece, run in itertools.groupby(pieces))
    return Listed(piece if isinstance(piece, Text) else f"{count} × {piece}" for piece, count in runs)


def _resolution(visit: VisitRecord) -> tuple[float, float] | None:
    """FWHM and its error (SD), mm; the latter 0 where a study states the former."""
    scan = visit.acquisition
    if scan.fwhm_mm is None:
        return None
    return scan.fwhm_mm, math.hypot(scan.fwhm_se_mm, SKIN_MM) if scan.fwhm_se_mm else 0.0


def window_s(visit: VisitRecord) -> tuple[float, float]:
    """From the first frame to the end of the last one that was fitted, in seconds from time zero."""
    scan, until_min = visit.acquisition, visit.settings.get("until_min")
    ends = [a + b for a, b in zip(scan.frame_starts_s, scan.frame_durations_s, strict=True)]
    out = visit.settings.get("leave_out", {})
    seen = [end for number, end in enumerate(ends, start=1) if str(number) not in out]
    fitted = [end for end in seen if until_min is None or end <= 60 * until_min]
    return scan.frame_starts_s[0], max(fitted, default=ends[-1])


def _window_in_words(window: tuple[float, float]) -> str:
    start, end = (f"{round(seconds) // 60}:{round(seconds) % 60:02d}" for seconds in window)
    return Text("{start} to {end} min", start=start, end=end)


def _windows_judged(a: VisitRecord, b: VisitRecord) -> Severity | None:
    if not (a.models or b.models):
        return None  # told as uptake time
    (first_start, first_end), (start, end) = window_s(a), window_s(b)
    late, long = abs(first_start - start), abs(first_end - end)
    if max(late, long) <= CLOCK_TOLERANCE_S:
        return None
    return "warn" if late <= START_TOLERANCE_S and long <= END_TOLERANCE * min(first_end, end) else "refuse"


def attenuation_source(text: str) -> str:
    """What an attenuation map was made from, by what a file calls its method: "CT", "MR", or "" where none says it."""
    words = set(re.findall(r"[A-Z]+", text.upper()))
    if words & MR_METHODS or any(word.startswith("MR") for word in words):
        return "MR"
    return "CT" if words & CT_METHODS else ""


def _attenuation_judged(a: VisitRecord, b: VisitRecord) -> Severity | None:
    """Another source of the map can fake a change; the same one in other words, or none told, is only told."""
    first, other = a.acquisition.attenuation, b.acquisition.attenuation
    if first == other:
        return None
    sources = {attenuation_source(stated or "") for stated in (first, other)}
    return "refuse" if sources == {"CT", "MR"} else "warn"


def _uptake_time_min(visit: VisitRecord) -> float | None:
    """From the injection to the start of a single late frame; None where that is not told or V_T is compared."""
    scan = visit.acquisition
    return None if visit.models or scan.time_zero != "injection" else scan.frame_starts_s[0] / 60


def _uptake_judged(a: VisitRecord, b: VisitRecord) -> Severity | None:
    one, other = _uptake_time_min(a), _uptake_time_min(b)
    if one is None or other is None:
        return None
    apart = abs(one - other)
    return None if apart <= UPTAKE_WARNS_MIN else "warn" if apart <= UPTAKE_REFUSES_MIN else "refuse"


def _own_window_min(visit: VisitRecord) -> tuple[float, float] | None:
    """What SUV is the mean over where the study states no window, from the scan's end; None where it does, and for a
    single late frame, of which the uptake time is told."""
    if not visit.models or visit.settings.get("window_min"):
        return None
    start_s, end_s = window_of(visit)
    return start_s / 60, end_s / 60


def _template(visit: VisitRecord) -> tuple[str, int] | None:
    """Which template the input is, and of how many people; None for one that was measured."""
    population = visit.input.settings.get("found", {}).get("population")
    return (population["template"], population["people"]) if population else None


SHARPNESS = Text("it changes resolution, and with it every small region")
ACQUIRED = (
    _acquired("tracer", Text("another tracer has another V_T"), lambda v: v.acquisition.tracer, alike=same_tracer),
    _acquired("scanner", Text("another scanner has another resolution and calibration"), _scanner, alike=_same_words),
    _acquired("reconstruction", SHARPNESS, lambda v: v.acquisition.reconstruction, alike=_same_words, smoothed=True),
    _acquired("filter", SHARPNESS, lambda v: v.acquisition.filter, alike=_same_words, smoothed=True),
    _acquired(
        "voxel",
        Text("voxels of another size see another share of a small region"),
        lambda v: v.acquisition.voxel_mm,
        lambda sizes: " × ".join(f"{size:.4g}" for size in sizes) + " mm",
        _same_voxels,
    ),
    _acquired(
        "resolution",
        Text("4 mm against 6 mm fakes -35 % in a foramen"),
        _resolution,
        lambda width: f"{width[0]:g} mm FWHM" + (f" ± {width[1]:.2g} mm" if width[1] else ""),
        lambda one, other: (
            abs(one[0] - other[0]) <= max(RESOLUTION_TOLERANCE_MM, TWICE * math.hypot(one[1], other[1]))
        ),
    ),
    _Fact(
        Shared("window", Text("V_T of TSPO tracers drifts with the length of the scan")),
        window_s,
        _window_in_words,
        _windows_judged,
    ),
    _acquired(
        "window",
        Text("times count from different moments"),
        lambda v: v.acquisition.time_zero,
        lambda moment: Text("counted from {moment}", moment=moment),
        severity="warn",
    ),
    _acquired(
        "frames",
        Text("noise and, for short frames, the fit's shape differ"),
        _frames,
        _frames_in_words,
        _same_frames,
        "warn",
    ),
    _acquired("sampling", Text("venous blood differs from arterial"), lambda v: v.input.route),
)
SEEN = (
    _Fact(
        Shared("attenuation", Text("maps made from CT and MR differ near bone, and with them what foramina show")),
        lambda v: v.acquisition.attenuation,
        str,
        _attenuation_judged,
    ),
    _acquired(
        "anatomy",
        Text("regions drawn on a CT and on an MR need not lie in the same place"),
        lambda v: v.acquisition.anatomy,
        severity="warn",
    ),
    _acquired(
        "outcome-window",
        Text("SUV and its ratios change with time (V_T does not need them)"),
        _own_window_min,
        lambda window: Text("{start:.0f} to {end:.0f} min", start=window[0], end=window[1]),
        lambda one, other: max(abs(a - b) for a, b in zip(one, other, strict=True)) < OUTCOME_WINDOW_MIN,
        "warn",
    ),
    _acquired(
        "input",
        Text("another template is another input"),
        _template,
        lambda found: Text("template {key} of {people} people", key=found[0], people=found[1]),
    ),
)
"""Compared where a file tells it, and not missed where none does."""
UPTAKE_TIME = _Fact(
    Shared("uptake-time", Text("SUV and its ratios change with the time since the injection")),
    _uptake_time_min,
    lambda minutes: Text("{minutes:.1f} min after the injection", minutes=minutes),
    _uptake_judged,
)
"""Of single late frames alone."""
PROGRAM = _acquired(
    "program",
    Text("another version may choose, correct or fit in another way"),
    lambda v: v.provenance.get("versions", {}).get("TSPOQuant"),
    severity="warn",
)

# --- What was chosen -------------------------------------------------------------------------------------------------


def _motion(visit: VisitRecord) -> str:
    """What was done: without a CT only frames can be brought together."""
    asked = visit.settings.get("motion_correction", "none")
    return "frames" if asked == "rigid" and visit.pet_to_ct is None else str(asked)


def _came_to(step: str, key: str) -> Callable[[VisitRecord], Any]:
    """What a step of the input function ended with, None where it was not taken."""
    return lambda visit: (visit.input.settings.get("found", {}).get(step) or {}).get(key)


def _tstar(visit: VisitRecord) -> str | None:
    """Where each graphical method began, in seconds after the scan's start, whose clock is another matter; region by
    region unless one t* holds for all. None without any.
    """
    starts, start_s = [], visit.acquisition.frame_starts_s[0]
    for model in visit.models:
        found = [fit.tstar_s for fit in visit.fits if fit.model == model and fit.tstar_s is not None]
        if found:
            shown = found[:1] if len(set(found)) == 1 else found
            starts.append(f"{model} t* {', '.join(f'{tstar_s - start_s:.0f}' for tstar_s in shown)} s")
    return "; ".join(starts) or None


def _calibrated_from_s(visit: VisitRecord) -> float | None:
    """From when on blood samples calibrated: as stated; else the first pass's end, or 0 where its samples did, too."""
    if (stated := asked(_BY_NAME["calibration_from_s"], visit)) is not None:
        return float(stated)
    times_s = _came_to("calibration", "sample_times_s")(visit)
    if not times_s:
        return None
    return 0.0 if min(times_s) < FIRST_PASS_S else FIRST_PASS_S


CAME_TO: dict[str, Callable[[VisitRecord], Any]] = {
    "genotype": lambda visit: visit.genotype,
    "models": lambda visit: visit.models[0],
    "pvc": lambda visit: visit.pvc,
    "input_source": lambda visit: visit.input.settings.get("source"),
    "calibration": _came_to("calibration", "method"),
    "weights": lambda visit: visit.provenance.get("frame_weights"),
}
"""What a setting came to, where that need not be what was asked for; None: what was asked for."""
FOLLOWS_DATA: dict[str, Callable[[VisitRecord], Any]] = {
    "motion_correction": _motion,
    "parent_fraction_model": _came_to("parent_fraction", "model"),
    "plasma_ratio_model": _came_to("plasma_ratio", "model"),
    "calibration_from_s": _calibrated_from_s,
    "tstar_s": _tstar,
}
"""The same where the data choose by one rule: a difference is told, and refused only where the rules differ, too."""
OF_VT = ("blood", "input", "model")
"""Tables of the study file that have no effect where no V_T is asked for: on a single late frame."""
UNSET = "none"
_BY_NAME = {one.name: one for one in SETTINGS}


def _plain(value: Any) -> Any:
    """A value as JSON keeps it, so that a record that was written and read compares with one that was not."""
    if value is None or (isinstance(value, Mapping | list | tuple) and not value):
        return UNSET
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def asked(one: Setting, visit: VisitRecord) -> Any:
    """A setting as it was given. A record from before it existed was made as its default says."""
    return visit.settings.get(one.name, visit.input.settings.get(one.name, one.default))


def in_effect(one: Setting, visit: VisitRecord) -> bool:
    """Whether a setting had any effect, as another one was chosen."""
    return one.applies is None or asked(_BY_NAME[one.applies[0]], visit) in one.applies[1]


def _setting(one: Setting, shared: Shared) -> _Fact:
    """A setting that visits must share, as far as it had any effect."""
    chosen_by_data = CAME_TO.get(one.name) or FOLLOWS_DATA.get(one.name)
    alone = sum(fact.shared is not None and fact.shared.item == shared.item for fact in SETTINGS) == 1

    def value(visit: VisitRecord) -> Any:
        if not visit.models and one.table in OF_VT:
            return None
        if not in_effect(one, visit):
            return None
        came_to = chosen_by_data(visit) if chosen_by_data else None
        return _plain(asked(one, visit) if came_to is None else came_to)

    def in_words(chosen: Any) -> str:
        words = f"{_words(chosen)} {one.unit}" if one.unit and not isinstance(chosen, str) else _words(chosen)
        return words if alone or (isinstance(chosen, str) and chosen != UNSET) else f"{one.key} {words}"

    def judged(a: VisitRecord, b: VisitRecord) -> Severity | None:
        first, other = value(a), value(b)
        if first is None or other is None or first == other:
            return None  # where it applies to one visit alone, the setting that decides so differs
        if one.table == "outcome" and not (a.models or b.models):
            return "refuse"  # what only stands beside V_T is here the outcome
        one_rule = one.name in FOLLOWS_DATA and _plain(asked(one, a)) == _plain(asked(one, b))
        return "warn" if one_rule else shared.severity

    return _Fact(shared, value, in_words, judged, f"[{one.table}] {one.key}" if one.name in FOLLOWS_DATA else "")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _items() -> Iterator[Item]:
    """What is acquired and what is chosen, by the name that it is compared under."""
    facts = [
        *ACQUIRED,
        *SEEN,
        UPTAKE_TIME,
        PROGRAM,
        *(_setting(one, one.shared) for one in SETTINGS if one.shared is not None),
    ]
    for name in dict.fromkeys(fact.shared.item for fact in facts):
        yield Item(name, tuple(fact for fact in facts if fact.shared.item == name))


ITEMS = tuple(_items())
"""Compared item by item against the first visit."""

IDENTITY = ("visits-patient", "visits-subject", "visits-same", "visits-session", "visits-simulated")
"""Never acceptable."""
OTHERS = (
    "visits-blood-same",
    "visits-volume",
    "visits-regions",
    "visits-dose",
    "visits-weight",
    "visits-not-told",
    "visits-moved",
    "visits-order",
)
CURES = {
    "visits-window": "--common-window",
    **dict.fromkeys(("visits-resolution", "visits-filter", "visits-reconstruction"), "--common-resolution MM"),
}
"""The option that may take a difference away, by its code."""
CODES = tuple(item.code for item in ITEMS) + OTHERS


def findings_of(visits: Sequence[VisitRecord]) -> tuple[Finding, ...]:
    """Everything in which visits differ, those that refuse first."""
    findings = [*_identities(visits)]
    unknown = []
    for item in ITEMS:
        if item.acquired and all(item.wording(visit) is None for visit in visits):
            unknown.append(item.item)
        elif finding := item.finding(visits):
            findings.append(finding)
    if unknown:
        names = Listed(unknown)
        message = Text("no visit tells its {names}: whether they are equal could not be checked", names=names)
        findings.append(Finding("visits-not-told", "warn", names, (Text("not told"),) * len(visits), message))
    findings += [*_same_blood(visits), *_volumes(visits), *_entries(visits), *_moved(visits), *_order(visits)]
    return tuple(sorted(findings, key=lambda finding: (finding.acceptable, finding.severity == "warn")))


def checked(visits: Sequence[VisitRecord], accept: Sequence[str] = ()) -> tuple[Finding, ...]:
    """The findings, those marked that the user accepts.

    Raises InputRefused: "accept-unknown" for a code that is none; "accept-never" for one that nothing overrides; else
    the code of the first difference that can fake a change and was not accepted. The message names all of them.
    """
    for code in accept:
        if code in IDENTITY:
            raise InputRefused(
                "accept-never",
                "{finding} cannot be accepted: only different visits of one person compare; put right what is wrong, "
                "and leave this code out",
                finding=code,
            )
        if code not in CODES:
            raise InputRefused(
                "accept-unknown",
                "no finding is called '{finding}'; known are {codes}",
                finding=code,
                codes=Listed(CODES),
            )
    findings = tuple(replace(f, accepted=f.acceptable and f.code in accept) for f in findings_of(visits))
    barring = [f for f in findings if f.severity == "refuse" and not f.accepted]
    if barring:
        raise _refusal(barring[0], Listed(f.code for f in barring[1:]))
    return findings


def _refusal(first: Finding, others: Listed) -> InputRefused:
    """others: the codes of what bars the comparison besides."""
    what = Text("check the folders")
    if first.acceptable:
        what = Text(
            "to compare all the same, accept it (its check box in the panel, --accept {finding} of compare)",
            finding=first.code,
        )
    if first.code in CURES:
        what = Text(
            "quantify the visits again on what all of them have ({option} of compare), or compare all the same (its "
            "check box in the panel, --accept {finding} of compare)",
            option=CURES[first.code],
            finding=first.code,
        )
    values = Listed(first.values, " | ")
    if others:
        return InputRefused(
            first.code,
            "{message} ({values}); also {others}; {what}",
            message=first.message,
            values=values,
            others=others,
            what=what,
        )
    return InputRefused(first.code, "{message} ({values}); {what}", message=first.message, values=values, what=what)


def _identities(visits: Sequence[VisitRecord]) -> list[Finding]:
    sessions = tuple(visit.session for visit in visits)
    keys = [visit.acquisition.patient_key for visit in visits]
    known = {key for key in keys if key is not None}
    subjects = tuple(visit.subject for visit in visits)
    findings = []
    if len(known) > 1:
        findings.append(_never("visits-patient", "patient", sessions, Text("the visits are of different patients")))
    if len(set(subjects)) > 1:
        message = Text("the visits name different subjects; if they are of one person, give both one [subject] id")
        findings.append(_never("visits-subject", "subject", subjects, message))
    if len({visit.acquisition.simulated for visit in visits}) > 1:
        kinds = tuple("simulated" if visit.acquisition.simulated else "measured" for visit in visits)
        message = Text("simulated and measured visits do not compare")
        findings.append(_never("visits-simulated", "simulated", kinds, message))
    same = [v.acquisition.time_zero_at for v in visits if v.acquisition.time_zero_at is not None]
    if len(set(same)) < len(same) or any(_one_scan(*pair) for pair in itertools.combinations(visits, 2)):
        message = Text(
            "one scan was given twice: the same start, or curves that agree in every frame, which those of two scans "
            "never do; give two different visits"
        )
        findings.append(_never("visits-same", "scan", sessions, message))
    if len(set(sessions)) < len(sessions):
        message = Text("visits have the same session label; give each its own under [subject] session")
        findings.append(_never("visits-session", "session", sessions, message))
    return findings


def _one_scan(one: VisitRecord, other: VisitRecord) -> bool:
    """Whether the curves of all regions that two visits share are one scan's, maybe rounded on the way."""
    pairs = [(region.mean, same.mean) for region in one.regions if (same := other.same_place(region)) is not None]
    if [region.mean for region in one.regions] == [region.mean for region in other.regions]:
        return True
    if sum(len(mean) for mean, _ in pairs) < FEWEST_VALUES or any(len(a) != len(b) for a, b in pairs):
        return False
    return all(
        bool((np.abs(np.subtract(a, b)) <= SAME_SCAN * max(np.abs(a).max(), np.abs(b).max())).all()) for a, b in pairs
    )


def _same_blood(visits: Sequence[VisitRecord]) -> list[Finding]:
    """Blood of one draw under two visits; of the parent fraction alone it may be a population's."""
    pairs = list(itertools.combinations((visit.input.samples for visit in visits), 2))
    kinds = [kind for kind in BLOOD if any(kind in a and kind in b and _one_draw(a[kind], b[kind]) for a, b in pairs)]
    if not kinds:
        return []
    samples = tuple(_samples_in_words(visit, kinds) for visit in visits)
    if kinds == ["parent_fraction"]:
        message = Text(
            "visits have one parent fraction in all samples: a population's, or that of another visit by mistake; a "
            "change of metabolism does not show in V_T"
        )
        return [Finding("visits-blood-same", "warn", "blood", samples, message)]
    message = Text(
        "visits have the same blood: {kinds} agree in every sample, which two draws never do; give each visit its own",
        kinds=Listed(BLOOD[kind] for kind in kinds),
    )
    return [Finding("visits-blood-same", "refuse", "blood", samples, message)]


BLOOD = {
    "whole_blood": Text("whole blood"),
    "plasma": Text("plasma"),
    "autosampler": Text("the automatic sampler's blood"),
    "parent_plasma": Text("parent plasma"),
    "parent_fraction": Text("parent fraction"),
}
"""What may have been measured in blood, in words."""


def _one_draw(one: SampledCurve, other: SampledCurve) -> bool:
    """Samples by their number where there are as many, else by their times."""
    if len(one.values) == len(other.values):
        a, b = one.values, other.values
    else:
        _, here, there = np.intersect1d(one.times_s, other.times_s, return_indices=True)
        a, b = one.values[here], other.values[there]
    seen = (a != 0) | (b != 0)
    alike = np.isclose(a[seen], b[seen], rtol=SAME_SAMPLE, atol=0.0)
    return bool(alike.sum() >= FEWEST_SAMPLES and alike.mean() >= SAME_SAMPLES)


def _samples_in_words(visit: VisitRecord, kinds: Sequence[str]) -> str:
    """How many samples a visit has of each kind."""
    here = [(kind, visit.input.samples[kind]) for kind in kinds if kind in visit.input.samples]
    counts = (Text("{kind}: {count} samples", kind=BLOOD[kind], count=len(one.values)) for kind, one in here)
    return Listed(counts) if here else Text("not told")


def _never(code: str, item: str, values: tuple[str, ...], message: Text) -> Finding:
    return Finding(code, "refuse", item, values, message, acceptable=False)


def _volumes(visits: Sequence[VisitRecord]) -> list[Finding]:
    """Regions that a visit lacks, and those whose volumes differ from the first visit's."""
    first, findings = visits[0], []
    places = [[one, *(visit.same_place(one) for visit in visits[1:])] for one in first.regions]
    alone = {one.name: one for one, here in zip(first.regions, places, strict=True) if None in here}
    for number, visit in enumerate(visits[1:], start=1):
        matched = {region.name for here in places if (region := here[number]) is not None}
        if not matched:
            raise InputRefused("visits-regions", "the visits share no region; name regions alike")
        alone |= {region.name: region for region in visit.regions if region.name not in matched}
    if alone:
        names = Listed(sorted(alone))
        message = Text("not every visit has {names}: not compared with those that lack it", names=names)
        lacking = [Listed(name for name in sorted(alone) if visit.same_place(alone[name]) is None) for visit in visits]
        held = tuple(Text("without {names}", names=lacks) if lacks else Text("with each of them") for lacks in lacking)
        findings.append(Finding("visits-regions", "warn", "regions", held, message))
    for one, here in zip(first.regions, places, strict=True):
        own, sizes = one.volume_mm3, [region.volume_mm3 for region in here if region is not None]
        ratio = max(max(size, own) / min(size, own) for size in sizes)
        if ratio > VOLUME_WARNS:
            severity: Severity = "refuse" if ratio > VOLUME_REFUSES else "warn"
            volumes = tuple("none" if region is None else f"{region.volume_mm3:.3g} mm³" for region in here)
            message = Text("'{name}' was drawn in another size: its recovery, and so its V_T, differs", name=one.name)
            findings.append(Finding("visits-volume", severity, "volume", volumes, message))
    return findings


def _entries(visits: Sequence[VisitRecord]) -> list[Finding]:
    findings = []
    for item, unit, limit in (("weight", "kg", WEIGHT_RATIO), ("dose", "MBq", DOSE_RATIO)):
        field = {"weight": "weight_kg", "dose": "injected_mbq"}[item]
        values: list[float | None] = [getattr(visit.acquisition, field) for visit in visits]
        shown: tuple[str, ...] = tuple(Text("not told") if value is None else f"{value:g} {unit}" for value in values)
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            message = Text(
                "the {item} is not told for every visit: SUV cannot be compared (V_T does not need it)", item=item
            )
            findings.append(Finding(f"visits-{item}", "warn", item, shown, message))
        elif max(known) > limit * min(known):
            message = Text(
                "the {item} differs by more than a factor of {limit:g}: check the entries (V_T does not need it)",
                item=item,
                limit=limit,
            )
            findings.append(Finding(f"visits-{item}", "warn", item, shown, message))
    return findings


def _moved(visits: Sequence[VisitRecord]) -> list[Finding]:
    most = [max(visit.motion.displacement_mm, default=0.0) if visit.motion else 0.0 for visit in visits]
    if max(most) <= MOTION_MM:
        return []
    sizes = tuple(Text("up to {size:.1f} mm", size=value) for value in most)
    message = Text(
        "the body moved by more than {limit:g} mm: what moved so far between frames also moved within them",
        limit=MOTION_MM,
    )
    return [Finding("visits-moved", "warn", "moved", sizes, message)]


def _order(visits: Sequence[VisitRecord]) -> list[Finding]:
    times = [visit.acquisition.time_zero_at for visit in visits]
    if None in times or times == sorted(time or "" for time in times):
        return []
    sessions = tuple(visit.session for visit in visits)
    message = Text("a later visit was scanned before an earlier one: name the baseline first")
    return [Finding("visits-order", "warn", "order", sessions, message)]
