"""Standardized uptake value: the factor from rescaled pixels, or the reason why there is none.

Source of the rules: QIBA's vendor-neutral pseudo-code for SUV calculation (robust version), with DecayCorrection
ADMIN and NONE added by their definition in DICOM PS3.3 C.8.9.1.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from ..messages import InputRefused, Listed, Notice, Notices, Text
from ..tracers import nuclide, radionuclide_of
from .decay import HALF_LIFE_S, frame_factor, growth, of_half_life
from .dicom_files import GE_CREATOR, PHILIPS_CREATOR
from .dicom_values import date_time, differing_items, first_item, number, single_date_time, states_zone, text, texts
from .image import MAX_DOSE_BQ, MAX_WEIGHT_KG, MIN_DOSE_BQ
from .time_slips import DAY_S, HOUR_S, SAME_CLOCK_S, slip_between, with_slip
from .vendor_timing import FrameTags, at_s, plausible_injection, scan_start_s, tags_of, vendor_of

MADE_WITH_IT = {"SCAT": Text("scatter"), "NORM": Text("the detectors' differences"), "DTIM": Text("dead time")}
"""What every attenuation-corrected series at hand is corrected for as well: 18 scanners of three makers."""
# Time zones differ by whole quarters of an hour, and by an hour and more where one scanner's clock and a file's do.
ZONE_STEP_S = 900.0


@dataclass(frozen=True)
class Injection:
    """What the header says of the injected activity; None where it is silent. ``tracer`` is as written.

    infusion_s: from the start of the injection to its stop.
    """

    tracer: str | None
    nuclide: str | None
    dose_bq: float | None
    half_life_s: float | None
    dated: datetime | None
    time_of_day: datetime | None
    infusion_s: float | None = None
    notices: tuple[Notice, ...] = ()

    def at(self, scan_start: datetime, half_life_s: float) -> datetime | None:
        """The injection's wall clock, None when not known or not plausible for a scan at ``scan_start``."""
        return plausible_injection(self.dated, self.time_of_day, scan_start, half_life_s)


def read_injection(header: Dataset, told: str = "") -> Injection:
    """The first item of RadiopharmaceuticalInformationSequence, whatever is missing in it.

    told: the tracer's name by the user, whose radionuclide counts where the header names none.
    """
    item = first_item(header, "RadiopharmaceuticalInformationSequence")
    several = differing_items(header, "RadiopharmaceuticalInformationSequence")
    code = first_item(item, "RadionuclideCodeSequence")
    agent = first_item(item, "RadiopharmaceuticalCodeSequence")
    tracer = text(item, Tag("Radiopharmaceutical")) or text(agent, Tag("CodeMeaning"))
    name = nuclide(text(code, Tag("CodeMeaning"))) or nuclide(tracer) or radionuclide_of(told)
    dose = _positive(number(item, Tag("RadionuclideTotalDose")))
    half_life = _positive(number(item, Tag("RadionuclideHalfLife")))
    notices = Notices()
    if several > 1:
        dose = None
        notices.add(
            "pet-injections-several",
            "the header tells of {several} injections that differ; the first one's time was taken, and no SUV is "
            "given; correct RadiopharmaceuticalInformationSequence (0054,0016)",
            several=several,
        )
    if half_life is None and name is not None:
        half_life = HALF_LIFE_S[name]
        notices.add(
            "pet-half-life-assumed",
            "no RadionuclideHalfLife: {half_life} s taken for {name}",
            half_life=half_life,
            name=name,
        )
    named = nuclide(tracer)
    if named is not None and name is not None and named != name:
        notices.add(
            "tracer-radionuclide",
            "the tracer '{tracer}' names {named}, the header's radionuclide is {name}; check which one was "
            "injected: the scanner corrected for the decay of {name}",
            tracer=tracer,
            named=named,
            name=name,
        )
    # The time of day belongs to no date yet; any date serves to parse it.
    time_of_day = date_time("20000101", text(item, Tag("RadiopharmaceuticalStartTime")))
    return Injection(
        tracer=tracer or None,
        nuclide=name,
        dose_bq=dose,
        half_life_s=half_life,
        dated=_injected(header, item, time_of_day),
        time_of_day=time_of_day,
        infusion_s=_infusion_s(item),
        notices=tuple(notices),
    )


def _injected(header: Dataset, item: Dataset, time_of_day: datetime | None) -> datetime | None:
    """RadiopharmaceuticalStartDateTime on the scanner's wall clock.

    Where it states a time zone and the file does not, its time of day beside it is on that clock: whole quarters of an
    hour between the two, and at least one hour, are the time zone. Anything else lies between two events, such as the
    measurement of the dose and the injection, and is left to be told.
    """
    stated, zone = text(item, Tag("RadiopharmaceuticalStartDateTime")), text(header, Tag("TimezoneOffsetFromUTC"))
    dated = single_date_time(stated, zone)
    if dated is None or time_of_day is None or zone or not states_zone(stated):
        return dated
    apart_s = math.remainder((datetime.combine(dated.date(), time_of_day.time()) - dated).total_seconds(), DAY_S)
    zone_s = ZONE_STEP_S * round(apart_s / ZONE_STEP_S)
    is_zone = abs(zone_s) >= HOUR_S and abs(apart_s - zone_s) <= SAME_CLOCK_S
    return dated + timedelta(seconds=zone_s) if is_zone else dated


def check_half_life(injection: Injection) -> None:
    """Refuse ("pet-half-life-odd") a half-life that is not that of the radionuclide which the header names."""
    stated, name = injection.half_life_s, injection.nuclide
    if stated is None or name is None or of_half_life(stated, name):
        return
    refusal = InputRefused(
        "pet-half-life-odd",
        "RadionuclideHalfLife (0018,1075) is {half_life:g} s, and {name}, which the header names as the radionuclide, "
        "has {half_life_s:g} s; correct the one that is wrong",
        half_life=stated,
        name=name,
        half_life_s=HALF_LIFE_S[name],
    )
    raise with_slip(refusal, slip_between(stated, HALF_LIFE_S[name]))


def _infusion_s(item: Dataset) -> float | None:
    begin, end = (
        single_date_time(text(item, Tag(f"Radiopharmaceutical{end}DateTime")), "")
        or date_time("20000101", text(item, Tag(f"Radiopharmaceutical{end}Time")))
        for end in ("Start", "Stop")
    )
    if begin is None or end is None or end.date() != begin.date():
        return None
    return _positive((end.replace(tzinfo=None) - begin.replace(tzinfo=None)).total_seconds())


def suvbw_factor(header: Dataset) -> float:
    """SUVbw (g/mL) per rescaled pixel of one classic PET slice: factor x (slope x stored + intercept) = SUVbw.

    1 for values that are SUVbw already; Philips' own scale for CNTS; weight / (dose decayed to the moment of decay
    correction) for BQML. Raises InputRefused naming the attribute at fault: pet-units, pet-philips-scale,
    pet-attenuation, pet-corrected-image, pet-decay-correction, pet-decay-contradiction, suv-….
    """
    units = text(header, Tag("Units")).upper()
    check_units(units)
    check_corrections(texts(header, Tag("CorrectedImage")), text(header, Tag("DecayCorrection")).upper())
    if units == "GML":
        suv_type = text(header, Tag("SUVType")).upper()
        if suv_type not in ("", "BW"):  # PS3.3 C.8.9.1.1.3: BW when absent
            raise InputRefused(
                "suv-type",
                "values are SUV of type {suv_type}, not body weight; use the BQML series",
                suv_type=suv_type,
            )
        return 1.0
    if units == "CNTS":
        suv_scale, activity_scale = philips_scales(header)
        if activity_scale is None or suv_scale is not None:
            return checked_scale(suv_scale, "SUV scale factor (7053,1000)")
        return becquerel_factor(header) * checked_scale(activity_scale, "activity scale factor (7053,1009)")
    return becquerel_factor(header)


def weight_kg(header: Dataset) -> float:
    weight = _positive(number(header, Tag("PatientWeight")))
    if weight is None:
        raise InputRefused("suv-weight", "PatientWeight (0010,1030) is absent or not positive; add it to the header")
    if weight > MAX_WEIGHT_KG:
        raise InputRefused(
            "suv-weight", "PatientWeight (0010,1030) of {weight:g} kg is absurd; correct the header", weight=weight
        )
    return weight


def becquerel_factor(header: Dataset) -> float:
    """SUVbw per Bq/mL as stored: weight in g / dose in Bq at the moment the stored values were corrected to."""
    injection = read_injection(header)
    check_half_life(injection)
    dose, half_life = injection.dose_bq, injection.half_life_s
    weight = weight_kg(header)
    if dose is None:
        raise InputRefused("suv-dose", "RadionuclideTotalDose (0018,1074) is absent or not positive; add it")
    if not MIN_DOSE_BQ <= dose <= MAX_DOSE_BQ:
        raise InputRefused(
            "suv-dose",
            "RadionuclideTotalDose (0018,1074) of {dose:g} Bq is absurd (another unit?); correct it",
            dose=dose,
        )
    correction = text(header, Tag("DecayCorrection")).upper()
    if correction == "ADMIN":
        return weight * 1000 / dose
    if half_life is None:
        raise InputRefused("suv-half-life", "RadionuclideHalfLife (0018,1075) is absent or not positive; add it")
    tags = header_tags(header, half_life)
    if correction == "NONE":
        return weight * 1000 / dose * _uncorrected(injection, tags, half_life)
    start_s, _ = scan_start_s(tags, None)
    return weight * 1000 / dose * float(growth(_elapsed_s(injection, tags, start_s, half_life), half_life))


def _uncorrected(injection: Injection, tags: FrameTags, half_life: float) -> float:
    """Decay from the injection over this slice's own frame, for values that were never corrected."""
    if not tags.durations_s[0] > 0 or math.isnan(tags.acquired_s[0]):
        raise InputRefused(
            "suv-scan-time",
            "values are not decay-corrected, and AcquisitionTime or ActualFrameDuration (0018,1242) is absent",
        )
    within = frame_factor(tags.durations_s, half_life)[0]
    return float(within * growth(_elapsed_s(injection, tags, tags.acquired_s[0], half_life), half_life))


def _elapsed_s(injection: Injection, tags: FrameTags, moment_s: float, half_life: float) -> float:
    moment = at_s(tags, moment_s)
    injected = injection.at(moment, half_life)
    if injected is None:
        raise InputRefused(
            "suv-injection-time",
            "RadiopharmaceuticalStartDateTime (0018,1078) and RadiopharmaceuticalStartTime (0018,1072) are absent, "
            "or no plausible time before the scan; correct the header",
        )
    return (moment - injected).total_seconds()


def header_tags(header: Dataset, half_life_s: float) -> FrameTags:
    """The time tags of one slice as a series of one frame."""
    series_at = date_time(text(header, Tag("SeriesDate")), text(header, Tag("SeriesTime")))
    date = text(header, Tag("AcquisitionDate")) or text(header, Tag("SeriesDate"))
    duration = number(header, Tag("ActualFrameDuration"))
    reference = number(header, Tag("FrameReferenceTime"))
    return tags_of(
        vendor_of(text(header, Tag("Manufacturer"))),
        half_life_s,
        [date_time(date, text(header, Tag("AcquisitionTime")))],
        [None if duration is None else duration / 1000],
        [None if reference is None else reference / 1000],
        [number(header, Tag("DecayFactor"))],
        series_at,
        ge_scan_at(header),
        single_date_time(text(header, Tag("DecayCorrectionDateTime"))),
    )


def ge_scan_at(header: Dataset) -> datetime | None:
    """GE's private scan start, None when absent."""
    return single_date_time(_private(header, 0x0009, GE_CREATOR, 0x0D))


def philips_scales(header: Dataset) -> tuple[float | None, float | None]:
    """Philips' SUV scale (7053,1000) and activity concentration scale (7053,1009); None where absent."""

    def scale(offset: int) -> float | None:
        try:
            return float(_private(header, 0x7053, PHILIPS_CREATOR, offset))
        except ValueError:
            return None

    return scale(0x00), scale(0x09)


def _private(header: Dataset, group: int, creator: str, offset: int) -> str:
    try:
        return text(header, header.private_block(group, creator).get_tag(offset))
    except KeyError:
        return ""


def checked_scale(scale: float | None, name: str) -> float:
    """A Philips scale that can be used. Raises InputRefused: pet-philips-scale."""
    if scale is None or not math.isfinite(scale) or scale <= 0:
        state = "absent" if scale is None else f"{scale:g}"
        raise InputRefused(
            "pet-philips-scale",
            "values are counts (CNTS) and Philips' {name} is {state}; export the series in BQML",
            name=name,
            state=state,
        )
    return scale


def check_units(units: str) -> None:
    """Refuse units that have no calibration, with the reason: pet-units, pet-units-propcps."""
    if units == "PROPCPS":
        raise InputRefused(
            "pet-units-propcps",
            "Units (0054,1001) is PROPCPS: counts per second up to an unknown calibration; export the series in BQML",
        )
    if units not in ("BQML", "CNTS", "GML"):
        raise InputRefused(
            "pet-units",
            "Units (0054,1001) is {units}; only BQML, CNTS with Philips' scales and GML can be brought to kBq/mL",
            units=units or "absent",
        )


def check_corrections(corrected: tuple[str, ...], decay_correction: str) -> None:
    """Refuse values whose corrections are missing or contradictory.

    Raises InputRefused: pet-corrected-image, pet-attenuation, pet-decay-correction, pet-decay-contradiction.
    """
    if not corrected:
        raise InputRefused(
            "pet-corrected-image",
            "CorrectedImage (0028,0051) is absent, so that the values cannot be trusted; use the original series",
        )
    if "ATTN" not in corrected:
        raise InputRefused(
            "pet-attenuation",
            "the images are not attenuation-corrected (no ATTN in CorrectedImage), so that their values are not "
            "activities; use the corrected series",
        )
    if decay_correction not in ("START", "ADMIN", "NONE"):
        raise InputRefused(
            "pet-decay-correction",
            "DecayCorrection (0054,1102) is {decay_correction}, not START, ADMIN or NONE",
            decay_correction=decay_correction or "absent",
        )
    if ("DECY" in corrected) != (decay_correction != "NONE"):
        raise InputRefused(
            "pet-decay-contradiction",
            "DecayCorrection (0054,1102) is {decay_correction} but CorrectedImage (0028,0051) {states} DECY; use "
            "the original series",
            decay_correction=decay_correction,
            states="has" if "DECY" in corrected else "lacks",
        )


def correction_notices(corrected: tuple[str, ...]) -> tuple[Notice, ...]:
    """Tell of attenuation-corrected values without another correction that scanners make together with it."""
    lacking = [name for code, name in MADE_WITH_IT.items() if code not in corrected]
    if "ATTN" not in corrected or not lacking:
        return ()
    return (
        Notice(
            "pet-uncorrected",
            "by CorrectedImage (0028,0051) the values are not corrected for {lacking}: activity is wrong by a part "
            "that is not known, and V_T with it; use the series with all corrections",
            lacking=Listed(lacking),
        ),
    )


def _positive(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) and value > 0 else None
