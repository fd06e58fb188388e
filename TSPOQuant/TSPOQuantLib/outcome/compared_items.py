"""What is compared between visits, item by item: what their files tell, and what was chosen.

Which settings visits must share is declared with each of them.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..input_function.image_derived import FIRST_PASS_S
from ..kinetics.models import MODELS
from ..messages import Listed, Text
from ..settings import Setting, Shared
from ..tracers import same_tracer
from .finding import Finding, Severity
from .record import VisitRecord
from .settings import SETTINGS
from .uptake import window_of

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
OUTCOME_WINDOW_MIN = 1.0
"""Windows of SUV whose ends differ by less are one: clocks of two days differ by as much."""
UPTAKE_WARNS_MIN, UPTAKE_REFUSES_MIN = 1.0, 10.0
"""Uptake times of single late frames that differ by more are told apart, and refused."""
CT_METHODS = frozenset({"CT", "CTAC", "ACCT", "LDCT"})
MR_METHODS = frozenset({"DIXON", "UTE", "ZTE", "ATLAS", "LAVA", "PSEUDOCT", "BOSS"})
"""How scanners and papers name the source of an attenuation map; anything that begins with MR is one, too."""


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
    error = scan.fwhm_se_mm if scan.fwhm_own_se_mm is None else scan.fwhm_own_se_mm
    return scan.fwhm_mm, math.hypot(error, SKIN_MM) if error else 0.0


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
_BY_NAME = {setting.name: setting for setting in SETTINGS}


def _plain(value: Any) -> Any:
    """A value as JSON keeps it, so that a record that was written and read compares with one that was not."""
    if value is None or (isinstance(value, Mapping | list | tuple) and not value):
        return UNSET
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def asked(setting: Setting, visit: VisitRecord) -> Any:
    """A setting as it was given. A record from before it existed was made as held then: mostly as its default says."""
    return visit.settings.get(setting.name, visit.input.settings.get(setting.name, setting.unsaid))


def in_effect(setting: Setting, visit: VisitRecord) -> bool:
    """Whether a setting had any effect, as another one was chosen."""
    if setting.name == "pvc_tissue_vb" and not _fits_vb(visit):
        return False
    return setting.applies is None or asked(_BY_NAME[setting.applies[0]], visit) in setting.applies[1]


def _fits_vb(visit: VisitRecord) -> bool:
    """Whether a visit's models fit V_B: lines do not, and one that is given is none of a vessel beside a region."""
    return asked(_BY_NAME["vb"], visit) == "fit" and any(MODELS[model].compartmental for model in visit.models)


def _setting(setting: Setting, shared: Shared) -> _Fact:
    """A setting that visits must share, as far as it had any effect."""
    chosen_by_data = CAME_TO.get(setting.name) or FOLLOWS_DATA.get(setting.name)
    alone = sum(fact.shared is not None and fact.shared.item == shared.item for fact in SETTINGS) == 1

    def value(visit: VisitRecord) -> Any:
        if not visit.models and setting.table in OF_VT:
            return None
        if not in_effect(setting, visit):
            return None
        came_to = chosen_by_data(visit) if chosen_by_data else None
        return _plain(asked(setting, visit) if came_to is None else came_to)

    def in_words(chosen: Any) -> str:
        words = f"{_words(chosen)} {setting.unit}" if setting.unit and not isinstance(chosen, str) else _words(chosen)
        return words if alone or (isinstance(chosen, str) and chosen != UNSET) else f"{setting.key} {words}"

    def judged(a: VisitRecord, b: VisitRecord) -> Severity | None:
        first, other = value(a), value(b)
        if first is None or other is None or first == other:
            return None  # where it applies to one visit alone, the setting that decides so differs
        if setting.table == "outcome" and not (a.models or b.models):
            return "refuse"  # what only stands beside V_T is here the outcome
        one_rule = setting.name in FOLLOWS_DATA and _plain(asked(setting, a)) == _plain(asked(setting, b))
        return "warn" if one_rule else shared.severity

    return _Fact(
        shared, value, in_words, judged, f"[{setting.table}] {setting.key}" if setting.name in FOLLOWS_DATA else ""
    )


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
        *(_setting(setting, setting.shared) for setting in SETTINGS if setting.shared is not None),
    ]
    for name in dict.fromkeys(fact.shared.item for fact in facts):
        yield Item(name, tuple(fact for fact in facts if fact.shared.item == name))


ITEMS = tuple(_items())
"""Compared item by item against the first visit."""
