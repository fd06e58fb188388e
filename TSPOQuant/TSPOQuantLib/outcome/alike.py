"""Visits that differ in length or resolution, brought to what all of them have, beside what they are as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .change import RegionChange
from .comparability import CURES
from .compare import Comparison
from .compared_items import CLOCK_TOLERANCE_S, END_TOLERANCE, FOLLOWS_DATA, window_s
from .record import VisitRecord


@dataclass(frozen=True)
class Alike:
    """What was asked for: one fit window for all visits; all images at one resolution, mm FWHM; and what the data of
    each visit chose for themselves, chosen once for all."""

    window: bool = False
    resolution_mm: float | None = None
    choices: bool = False

    @property
    def asked(self) -> bool:
        return self.window or self.resolution_mm is not None or self.choices

    @property
    def cured(self) -> tuple[str, ...]:
        """Codes of the differences that this is meant to take away."""
        options: tuple[str, ...] = ("--common-window",) if self.window else ()
        options += ("--common-resolution MM",) if self.resolution_mm is not None else ()
        chosen = ("visits-window", "visits-resolution") if self.choices else ()
        return (*(code for code, option in CURES.items() if option in options and code not in chosen), *chosen)

    def changes(self, visits: Sequence[VisitRecord]) -> dict[str, Any]:
        """The settings, by name, with which every visit is to be quantified again."""
        settings: dict[str, Any] = {}
        if self.window:
            settings["until_min"] = common_end_s(visits) / 60
            settings |= _common_start(visits)
        if self.resolution_mm is not None:
            settings["smooth_to_mm"] = self.resolution_mm
        return (_common_choices(visits) if self.choices else {}) | settings


def common_end_s(visits: Sequence[VisitRecord]) -> float:
    """The latest end of a frame that every visit has, if it lies close to the end of the shortest; else that end."""
    shortest = min(window_s(visit)[1] for visit in visits)
    ends = [[a + b for a, b in zip(*_frames(visit), strict=True)] for visit in visits]
    shared = [
        end
        for end in ends[0]
        if end <= shortest + CLOCK_TOLERANCE_S
        and all(any(abs(end - other) <= CLOCK_TOLERANCE_S for other in others) for others in ends[1:])
    ]
    latest = max(shared, default=0.0)
    if latest < (1 - END_TOLERANCE) * shortest:
        return shortest
    # Clocks differ by up to the tolerance: the same frame must be within it at every visit.
    return max(end for others in ends for end in others if abs(end - latest) <= CLOCK_TOLERANCE_S)


def _frames(visit: VisitRecord) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return visit.acquisition.frame_starts_s, visit.acquisition.frame_durations_s


def _common_start(visits: Sequence[VisitRecord]) -> dict[str, Any]:
    """Where the visits were told different starts of the line, the latest that one of them had; else nothing."""
    rules = {(visit.settings.get("tstar_s", "auto"), visit.settings.get("last_frames")) for visit in visits}
    starts = [fit.tstar_s for visit in visits for fit in visit.fits if fit.tstar_s is not None]
    if len(rules) == 1 or not starts:
        return {}
    return {"tstar_s": max(starts), "last_frames": None}


def _first(chosen: Sequence[Any]) -> Any:
    return chosen[0]


def _common_choices(visits: Sequence[VisitRecord]) -> dict[str, Any]:
    """One rule for what the data of each visit may have chosen otherwise: the latest start of a line, and of the
    samples that calibrate; the curves of parent fraction and plasma ratio as at the first visit; of resolutions
    estimated on one scanner the mean by 1/SE².
    """
    shared: dict[str, Any] = {}
    starts = {fit.tstar_s for visit in visits for fit in visit.fits if fit.tstar_s is not None}
    if len(starts) > 1:
        shared |= {"tstar_s": max(starts), "last_frames": None}
    for name, rule in (
        ("parent_fraction_model", _first),
        ("plasma_ratio_model", _first),
        ("calibration_from_s", max),
    ):
        chosen = [FOLLOWS_DATA[name](visit) for visit in visits]
        if None not in chosen and len(set(chosen)) > 1:
            shared[name] = rule(chosen)
    scans = [visit.acquisition for visit in visits]
    widths = [(scan.fwhm_mm, scan.fwhm_se_mm) for scan in scans if scan.fwhm_mm and scan.fwhm_se_mm]
    one_scanner = len({scan.made_by for scan in scans}) == 1
    if one_scanner and len(widths) == len(visits):
        weights = [1 / se**2 for _, se in widths]
        shared["fwhm_mm"] = round(sum(w * mm for w, (mm, _) in zip(weights, widths, strict=True)) / sum(weights), 2)
    return shared


@dataclass(frozen=True)
class PairedChange:
    """One change as the visits are, and as they are alike. cost: the latter's error over the former's."""

    plain: RegionChange
    alike: RegionChange

    @property
    def cost(self) -> float:
        return self.alike.log_ratio_se / self.plain.log_ratio_se if self.plain.log_ratio_se > 0 else float("nan")


def side_by_side(plain: Comparison, alike: Comparison) -> tuple[PairedChange, ...]:
    """Every change that both comparisons have."""

    def key(change: RegionChange) -> tuple[str, str, str, str]:
        return change.outcome, change.followup_session, change.model, change.pvc

    known = {key(change): change for change in plain.changes}
    return tuple(PairedChange(known[key(change)], change) for change in alike.changes if key(change) in known)
