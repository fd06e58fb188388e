"""What a visit's record is made of, taken from images, blood, regions and fits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from ..acquisition.blood import BloodSamples, SampledCurve
from ..acquisition.image import Acquired, DynamicImage, Volume
from ..acquisition.modality import CT, MR
from ..input_function import InputFunctionResult
from ..kinetics import KineticFit
from ..plain import plain
from ..quantities import COLUMNS
from ..regions.partial_volume import Corrected
from ..regions.peak import Hottest
from ..regions.planes import center_of
from ..regions.region import Region, TimeActivityCurve
from ..regions.resolution import Resolution
from .record import Acquisition, InputRecord, Numbers, RegionOutcome, RegionRecord

PATIENT_KEY_DIGITS = 4
"""Hexadecimal digits kept of a patient's key: two patients look like one in 1 of 65,536 pairs, while a list of all
possible patient numbers leaves too many that fit to find out whose visit this is. A choice."""


def acquisition_of(
    image: DynamicImage,
    fwhm_mm: float | None,
    resolution: Resolution | None = None,
    anatomical: Volume | None = None,
) -> Acquisition:
    grid, at = image.grid, image.time_zero_at
    known = {field.name: getattr(image.scan, field.name) for field in fields(Acquired)}
    key = image.scan.patient_key
    return Acquisition(
        **(known | {"patient_key": key[:PATIENT_KEY_DIGITS] if key else None}),
        voxel_mm=grid.spacing_mm,
        shape=grid.shape[::-1],
        fwhm_mm=fwhm_mm,
        fwhm_se_mm=resolution.se_mm if resolution else None,
        fwhm_own_se_mm=resolution.own_se_mm if resolution else None,
        fwhm_skin_alone=resolution.skin_alone if resolution else False,
        time_zero=image.time_zero,
        time_zero_at=at.isoformat() if at else None,
        decay_correction=image.decay_correction,
        frame_starts_s=_numbers(image.timing.starts_s),
        frame_durations_s=_numbers(image.timing.durations_s),
        anatomy=None if anatomical is None else CT if anatomical.is_ct else MR,
    )


def region_record(
    region: Region,
    curve: TimeActivityCurve,
    corrected: Corrected | None,
    measurements: Mapping[str, float],
    hot: Hottest | None = None,
) -> RegionRecord:
    return RegionRecord(
        **region.anatomy.named,
        name=region.name,
        volume_mm3=region.volume_mm3,
        center_lps_mm=_numbers(center_of(region)),
        effective_voxels=curve.effective_voxels,
        carried_from=region.carried_from,
        mean=_numbers(curve.mean),
        sd=_numbers(curve.sd),
        notices=curve.notices,
        corrected=corrected,
        measurements=dict(measurements),
        hottest=hot,
    )


def outcome_rows(visit: str, regions: Sequence[RegionRecord], fits: Sequence[KineticFit]) -> tuple[RegionOutcome, ...]:
    """The fits as the rows that tables show; notices of the curve join the fit's flags."""
    by_name = {region.name: region for region in regions}
    return tuple(_row(visit, by_name[fit.region], fit) for fit in fits)


def _row(visit: str, region: RegionRecord, fit: KineticFit) -> RegionOutcome:
    values: dict[str, Any] = {quantity.key: fit.parameters.get(quantity.key) for quantity in COLUMNS}
    values |= {quantity.error_key: fit.standard_errors.get(quantity.key) for quantity in COLUMNS}
    values |= {key: math.nan for key in ("VT", "VT_se") if values[key] is None}
    return RegionOutcome(
        **region.named,
        visit=visit,
        region=region.name,
        model=fit.model,
        pvc=fit.pvc,
        flags=region.notices + fit.flags,
        **values,
    )


def input_record(source: InputFunctionResult, blood: BloodSamples) -> InputRecord:
    """An input function as a visit's record holds it; blood: what it was made with."""
    curve, image = source.input_function, source.image
    kinds = ("whole_blood", "plasma", "parent_fraction", "autosampler", "parent_plasma")
    measured: dict[str, SampledCurve | None] = {kind: getattr(blood, kind) for kind in kinds}
    fraction, ratio = source.parent_fraction, source.plasma_ratio
    return InputRecord(
        source=str(source.settings.get("source", "blood")),
        route=blood.route,
        times_s=_numbers(curve.times_s),
        parent_plasma=_numbers(curve.parent_plasma),
        whole_blood=_numbers(curve.whole_blood),
        samples={kind: samples for kind, samples in measured.items() if samples is not None},
        blood_pool=_numbers(image.blood_pool) if image else None,
        tissue=_numbers(image.tissue) if image and image.tissue is not None else None,
        parent_fraction=_numbers(fraction(curve.times_s)) if fraction else None,
        plasma_ratio=_numbers(ratio(curve.times_s)) if ratio else None,
        settings=plain(source.settings, lossless=False),
    )


def _numbers(values: Any) -> Numbers:
    return tuple(float(value) for value in np.asarray(values).ravel())
