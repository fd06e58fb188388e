"""Outcomes that need no fit, of every region of one visit: SUV, SUVR and the target-to-blood ratios over a window.

They are computed from the visit's record, so that records of earlier versions have them, too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..acquisition.image import possible_for_suv
from ..input_function import InputFunction
from ..kinetics.ratios import suv, tbr, window_mean, window_notices, window_seconds
from ..messages import InputRefused, Notice
from ..quantities import UPTAKE
from ..tracers import tracer_named
from .record import RegionRecord, VisitRecord

Array = NDArray[np.float64]

WINDOW_S = 1200.0
"""Where the study names no window: the frames whose middle lies in the last so many seconds of the scan. The
study's own window is not published: a choice."""
NO_PVC = "none"
NAN = math.nan


@dataclass(frozen=True)
class RegionUptake:
    """One region at one visit: the quantities of quantities.UPTAKE, nan where they cannot be had.

    SUVs in g/mL. SUV, SUVR, TBR_PP, TBR_WB: means over the window; SUV_low, SUV_high and so on: the lowest and the
    highest frame of it. SUVmax, SUVpeak, SUVsd: of the image that is the mean over the window, without correction.
    """

    visit: str
    region: str
    structure: str
    level: str
    root: str
    side: str
    pvc: str
    SUV: float
    SUV_low: float = NAN
    SUV_high: float = NAN
    SUVmax: float = NAN
    SUVpeak: float = NAN
    SUVsd: float = NAN
    SUVR: float = NAN
    SUVR_low: float = NAN
    SUVR_high: float = NAN
    TBR_PP: float = NAN
    TBR_WB: float = NAN

    def value(self, key: str) -> float:
        """Of a quantity by its key ("TBR-PP")."""
        return float(getattr(self, key.replace("-", "_")))


TOLD = tuple(field.name for field in fields(RegionUptake))
"""Names of the columns: what names the region, then the quantities with their ranges."""
MEASURES = tuple(one.key for one in UPTAKE)


def window_of(visit: VisitRecord) -> tuple[float, float]:
    """From when to when SUV and its ratios of a visit are means, in seconds from time zero."""
    return window_s(visit.acquisition.timing, visit.settings.get("window_min"))


def window_s(timing: FrameTiming, window_min: Sequence[float] | None) -> tuple[float, float]:
    """The window in seconds, the last part of the scan where none is asked for."""
    if window_min:
        return 60 * float(window_min[0]), 60 * float(window_min[1])
    end = float(timing.ends_s[-1])
    first = int(np.argmax(timing.mids_s >= end - WINDOW_S))  # whole frames, the window is ours
    return float(timing.starts_s[first]), end


def uptake_of(visit: VisitRecord) -> tuple[RegionUptake, ...]:
    """Every region of a visit, as measured and, where it was corrected for partial volume, as corrected."""
    return tuple(
        region_uptake(visit, region, pvc)
        for pvc in dict.fromkeys((NO_PVC, visit.pvc))
        for region in visit.regions
        if pvc == NO_PVC or region.corrected is not None
    )


def region_uptake(visit: VisitRecord, region: RegionRecord, pvc: str = NO_PVC) -> RegionUptake:
    """One region, as measured or, where it was corrected, by ``pvc``. Raises InputRefused: window-empty."""
    curve = np.array(region.mean if pvc == NO_PVC or region.corrected is None else region.corrected.mean)
    timing, window = visit.acquisition.timing, window_of(visit)
    inside = window_seconds(timing, window) > 0
    factor = suv_factor(visit)
    found = {"SUV": factor * float(window_mean(timing, curve, window))} | _range("SUV", factor * curve[inside])
    if region.hottest is not None and pvc == NO_PVC:
        hot = region.hottest
        found |= {"SUVmax": factor * hot.maximum, "SUVpeak": factor * hot.peak, "SUVsd": factor * hot.sd}
    if visit.reference is not None:
        found |= _ratio(visit, curve, inside)
    for blood in ("PP", "WB"):
        found[f"TBR_{blood}"] = _to_blood(visit, curve, blood)
    return RegionUptake(
        visit.session, region.name, region.structure, region.level, region.root, region.side, pvc, **found
    )


def suv_factor(visit: VisitRecord) -> float:
    """SUVbw in g/mL for 1 kBq/mL; nan where dose or weight is not told, or activity does not count from injection."""
    scan = visit.acquisition
    if scan.injected_mbq is None or scan.weight_kg is None or scan.time_zero != "injection":
        return NAN
    if not possible_for_suv(scan.injected_mbq, scan.weight_kg):
        return NAN
    return float(suv(np.array(1.0), scan.injected_mbq, scan.weight_kg))


def _range(name: str, values: Array) -> dict[str, float]:
    """The lowest and the highest of several frames; one alone has no range."""
    return {f"{name}_low": float(values.min()), f"{name}_high": float(values.max())} if len(values) > 1 else {}


def _ratio(visit: VisitRecord, curve: Array, inside: NDArray[np.bool_]) -> dict[str, float]:
    assert visit.reference is not None
    timing, window, reference = visit.acquisition.timing, window_of(visit), np.array(visit.reference.mean)
    below = float(window_mean(timing, reference, window))
    if not below > 0:
        return {}
    alive = inside & (reference > 0)
    by_frame = curve[alive] / reference[alive]
    return {"SUVR": float(window_mean(timing, curve, window)) / below} | _range("SUVR", by_frame)


def _to_blood(visit: VisitRecord, curve: Array, blood: str) -> float:
    known = visit.input
    if not known.times_s:
        return NAN
    source = InputFunction(np.array(known.times_s), np.array(known.parent_plasma), np.array(known.whole_blood))
    if blood == "WB" and not source.has_whole_blood:
        return NAN
    try:
        return float(tbr(visit.acquisition.timing, curve, source, window_of(visit), blood))
    except InputRefused:  # blood without activity in the window
        return NAN


def uptake_notices(visit: VisitRecord) -> tuple[Notice, ...]:
    """What is to be known of SUV and its ratios. Raises InputRefused: window-empty."""
    found = list(window_notices(visit.acquisition.timing, window_of(visit)))
    scan = visit.acquisition
    dose, weight = scan.injected_mbq, scan.weight_kg
    asked = visit.settings.get("window_min") or visit.reference is not None or not visit.models
    if dose is not None and weight is not None and not possible_for_suv(dose, weight):
        found.append(
            Notice(
                "suv-implausible",
                "an injected activity of {dose:g} MBq in {weight:g} kg is not possible, so that there is no SUV; "
                "correct dose (Bq, or MBq in a sidecar) or weight (kg) in the header",
                dose=dose,
                weight=weight,
            )
        )
    elif asked and math.isnan(suv_factor(visit)):
        found.append(
            Notice(
                "suv-not-known",
                "SUV needs the injected activity, the body weight and times that count from the injection, and one of "
                "them is not told; ratios do not need them",
            )
        )
    tracer = tracer_named(visit.acquisition.tracer)
    if visit.reference is not None and tracer is not None and tracer.suvr_caution is not None:
        caution = tracer.suvr_caution
        found.append(
            Notice(
                "suvr-caution",
                "SUVR of {tracer} is to be read with caution: {said} ({source})",
                tracer=tracer.name,
                said=caution.said,
                source=caution.source,
            )
        )
    return tuple(found)
