"""Outcomes that need no fit, of every region of one visit: SUV, SUVR and the target-to-blood ratios over a window.

They are computed from the visit's record, so that records of earlier versions have them, too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..acquisition.frames import FrameTiming
from ..acquisition.image import possible_for_suv
from ..kinetics.ratios import blood_mean, suv, window_mean, window_notices, window_seconds
from ..messages import InputRefused, Listed, Notice, Notices, Text
from ..quantities import UPTAKE
from ..regions.anatomy import Anatomy
from ..regions.partial_volume import FWHM_STEP_MM
from ..tracers import tracer_named
from .budget import BudgetSettings, errors_from
from .record import RegionRecord, VisitRecord

Array = NDArray[np.float64]

WINDOW_S = 1200.0
"""Where the study names no window: the frames whose middle lies in the last so many seconds of the scan. The
study's own window is not published: a choice."""
NO_PVC = "none"
NAN = math.nan


@dataclass(frozen=True, kw_only=True)
class RegionUptake(Anatomy):
    """One region at one visit: the quantities of quantities.UPTAKE, nan where they cannot be had.

    SUVs in g/mL. SUV, SUVR, TBR_PP, TBR_WB: means over the window; SUV_low, SUV_high and so on: the lowest and the
    highest frame of it. SUVmax, SUVpeak, SUVsd: of the image that is the mean over the window, without correction.
    relative_se: of a corrected mean and of its ratios, as a fraction of them, see ``correction_error``.
    """

    visit: str
    region: str
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
    relative_se: float = NAN

    def value(self, key: str) -> float:
        """Of a quantity by its key ("TBR-PP")."""
        return float(getattr(self, key.replace("-", "_")))

    def error(self, key: str) -> float:
        """Standard error of a corrected quantity; nan where none is known."""
        return self.value(key) * self.relative_se

    def interval(self, key: str) -> tuple[float, float]:
        """95 % of a corrected quantity, symmetric in its logarithm, as V_T's; nan where no error is known."""
        factor = math.exp(1.96 * self.relative_se)
        return self.value(key) / factor, self.value(key) * factor


REGION_FIELDS = tuple(dict.fromkeys(("visit", "region", *(field.name for field in fields(RegionUptake)))))
"""Names of the columns: what names the region, then the quantities with their ranges."""
MEASURES = tuple(quantity.key for quantity in UPTAKE)


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
    scan = _scan_of(visit)
    return tuple(
        region_uptake(visit, region, pvc, scan)
        for pvc in dict.fromkeys((NO_PVC, visit.pvc))
        for region in visit.regions
        if pvc == NO_PVC or region.corrected is not None
    )


@dataclass(frozen=True, eq=False)
class _Scan:
    """What all regions of a visit share. blood: what TBR divides by, nan where that cannot be had."""

    timing: FrameTiming
    window: tuple[float, float]
    inside: NDArray[np.bool_]
    suv_factor: float
    blood: dict[str, float]


def _scan_of(visit: VisitRecord) -> _Scan:
    """Raises InputRefused: window-empty."""
    timing, window = visit.acquisition.timing, window_of(visit)
    blood = {kind: _blood_mean(visit, timing, window, kind) for kind in ("PP", "WB")}
    return _Scan(timing, window, window_seconds(timing, window) > 0, suv_factor(visit), blood)


def region_uptake(
    visit: VisitRecord, region: RegionRecord, pvc: str = NO_PVC, scan: _Scan | None = None
) -> RegionUptake:
    """One region, as measured or, where it was corrected, by ``pvc``. Raises InputRefused: window-empty."""
    scan = scan or _scan_of(visit)
    curve = np.array(region.curve(pvc))
    factor, mean = scan.suv_factor, float(window_mean(scan.timing, curve, scan.window))
    quantities: dict[str, Any] = {"SUV": factor * mean} | _range("SUV", factor * curve[scan.inside])
    if region.hottest is not None and pvc == NO_PVC:
        hot = region.hottest
        quantities |= {"SUVmax": factor * hot.maximum, "SUVpeak": factor * hot.peak, "SUVsd": factor * hot.sd}
    if visit.reference is not None:
        quantities |= _ratio(scan, curve, np.array(visit.reference.mean))
    quantities |= {f"TBR_{blood}": mean / below for blood, below in scan.blood.items()}
    if pvc != NO_PVC and region.corrected is not None:
        quantities["relative_se"] = math.sqrt(sum(variance for _, variance in correction_error(visit, region)))
    return RegionUptake(visit=visit.session, region=region.name, **region.named, pvc=pvc, **quantities)


def correction_error(visit: VisitRecord, region: RegionRecord) -> tuple[tuple[Text, float], ...]:
    """What a corrected region's mean over the window may be off by, cause and variance of its logarithm.

    The resolution by its standard error, or by what the error budget assumes where nothing told it. The model of the
    correction by how far the other methods and models of the neighbors lie from it, as in the budget of V_T. The place
    where the visit's error budget has it, which takes a V_T. Noise is not in it, nor what no method knows of.
    """
    corrected = region.corrected
    assert corrected is not None
    timing, window, sizes = visit.acquisition.timing, window_of(visit), BudgetSettings()

    def away(curve: Array) -> float:
        here, there = (float(window_mean(timing, np.array(each), window)) for each in (corrected.mean, curve))
        return math.log(there / here) if here > 0 and there > 0 else math.inf

    width = visit.acquisition.fwhm_se_mm or sizes.fwhm_mm
    resolution = max(abs(away(corrected.finer)), abs(away(corrected.coarser))) * width / FWHM_STEP_MM
    models = [away(curve) ** 2 for curve in corrected.alternatives.values()]
    causes = [(Text("the resolution"), resolution**2)]
    if models:
        causes.append((Text("the model of the correction"), sum(models) / len(models)))
    place = [
        row
        for row in visit.sensitivities
        if (row.region, row.pvc, row.model) == (region.name, visit.pvc, visit.models[0])
        and row.component in ("placement", "registration")
    ]
    if place:
        causes.append((Text("the place"), errors_from(region.name, 0.0, 0, place, sizes).variance()))
    return tuple(causes)


def suv_factor(visit: VisitRecord) -> float:
    """SUVbw in g/mL for 1 kBq/mL; nan where dose or weight is not told, or activity does not count from injection."""
    scan = visit.acquisition
    if scan.injected_mbq is None or scan.weight_kg is None or scan.time_zero != "injection":
        return NAN
    if not possible_for_suv(scan.injected_mbq, scan.weight_kg):
        return NAN
    return float(suv(np.array(1.0), scan.injected_mbq, scan.weight_kg))


def _missing_for_suv(visit: VisitRecord) -> list[Text]:
    """What SUV needs and the image does not tell, in words."""
    scan = visit.acquisition
    needed = (
        (Text("the injected activity"), scan.injected_mbq is not None),
        (Text("the body weight"), scan.weight_kg is not None),
        (Text("when the injection was"), scan.time_zero == "injection"),
    )
    return [what for what, known in needed if not known]


def _range(name: str, values: Array) -> dict[str, float]:
    """The lowest and the highest of several frames; one alone has no range."""
    return {f"{name}_low": float(values.min()), f"{name}_high": float(values.max())} if len(values) > 1 else {}


def _ratio(scan: _Scan, curve: Array, reference: Array) -> dict[str, float]:
    below = float(window_mean(scan.timing, reference, scan.window))
    if not below > 0:
        return {}
    alive = scan.inside & (reference > 0)
    by_frame = curve[alive] / reference[alive]
    return {"SUVR": float(window_mean(scan.timing, curve, scan.window)) / below} | _range("SUVR", by_frame)


def _blood_mean(visit: VisitRecord, timing: FrameTiming, window: tuple[float, float], blood: str) -> float:
    source = visit.input.function
    if not len(source.times_s) or (blood == "WB" and not source.has_whole_blood):
        return NAN
    try:
        return float(blood_mean(timing, source, window, blood))
    except InputRefused:  # blood without activity in the window
        return NAN


def uptake_notices(visit: VisitRecord) -> tuple[Notice, ...]:
    """What is to be known of SUV and its ratios. Raises InputRefused: window-empty."""
    notices = Notices(window_notices(visit.acquisition.timing, window_of(visit)))
    scan = visit.acquisition
    dose, weight = scan.injected_mbq, scan.weight_kg
    if dose is not None and weight is not None and not possible_for_suv(dose, weight):
        notices.add(
            "suv-implausible",
            "an injected activity of {dose:g} MBq in {weight:g} kg is not possible, so that there is no SUV; "
            "correct dose (Bq, or MBq in a sidecar) or weight (kg) in the header",
            dose=dose,
            weight=weight,
        )
    elif math.isnan(suv_factor(visit)):
        notices.add(
            "suv-not-known",
            "there is no SUV, since the image does not tell {missing}; add that to the DICOM header or to the "
            "sidecar (InjectedRadioactivity with its units, PatientWeight in kg, InjectionStart), or see [pet] "
            "injection_time; ratios do not need it",
            missing=Listed(_missing_for_suv(visit)),
        )
    notices += _correction_notices(visit)
    tracer = tracer_named(visit.acquisition.tracer)
    if visit.reference is not None and tracer is not None and tracer.suvr_caution is not None:
        caution = tracer.suvr_caution
        notices.add(
            "suvr-caution",
            "SUVR of {tracer} is to be read with caution: {said} ({source})",
            tracer=tracer.name,
            said=caution.statement,
            source=caution.source,
        )
    return tuple(notices)


def _correction_notices(visit: VisitRecord) -> list[Notice]:
    """How far corrected SUVs may be off, and through what."""
    errors = {region.name: correction_error(visit, region) for region in visit.regions if region.corrected is not None}
    sds = {name: math.sqrt(sum(variance for _, variance in parts)) for name, parts in errors.items()}
    known = [sd for sd in sds.values() if math.isfinite(sd)]
    unknown = [name for name, sd in sds.items() if not math.isfinite(sd)]
    notices = Notices()
    if known:
        notices.add(
            "suv-corrected-error",
            "SUV corrected for partial volume and its ratios have a standard error of at most {highest:.0%} "
            "through {causes}; noise comes on top",
            highest=max(known),
            causes=Listed(dict.fromkeys(cause for parts in errors.values() for cause, _ in parts)),
        )
    if unknown:
        notices.add(
            "suv-corrected-lost",
            "SUV corrected for partial volume has no error that could be stated in {regions}: within the errors "
            "of the resolution and the correction's model nothing is left there; lead with the measured one",
            regions=Listed(unknown),
        )
    return notices
