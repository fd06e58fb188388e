"""A visit's result as a record of plain values."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..acquisition.blood import BloodSamples, SampledCurve
from ..acquisition.image import DynamicImage
from ..alignment.motion import FrameMotion, motion_table
from ..alignment.pet_to_ct import PetToCt
from ..input_function import InputFunctionResult
from ..kinetics import KineticFit
from ..messages import Notice
from ..regions.partial_volume import CorrectedCurve
from ..regions.region import Region, TimeActivityCurve
from .record import (
    FORMAT,
    Acquisition,
    CorrectedRecord,
    CurveRecord,
    FitRecord,
    InputRecord,
    LineRecord,
    MotionRecord,
    Numbers,
    PetToCtRecord,
    RegionRecord,
    Sensitivity,
    VisitRecord,
)
from .visit import VisitResult

PATIENT_KEY_DIGITS = 4
"""Hexadecimal digits kept of a patient's key: two patients look like one in 1 of 65,536 pairs, while a list of all
possible patient numbers leaves too many that fit to find out whose visit this is. A choice."""


def record_of(
    result: VisitResult,
    image: DynamicImage,
    blood: BloodSamples,
    regions: Sequence[Region],
    settings: Mapping[str, Any],
    sensitivities: Sequence[Sensitivity] = (),
    quality: Sequence[Notice] = (),
) -> VisitRecord:
    """The record of a visit from its result and what it was computed from.

    regions: those that were quantified. settings: study.StudySettings by name.
    """
    by_name = {region.name: region for region in regions}
    corrected = {} if result.corrected is None else {c.measured.region: c for c in result.corrected.curves}
    pvc = result.corrected.method if result.corrected else "none"
    fits = [
        _fit_record(curve.region, fit, "none")
        for each in result.fits.values()
        for curve, fit in zip(result.curves, each, strict=True)
    ]
    fits += [
        _fit_record(name, fit, pvc)
        for each in result.corrected_fits.values()
        for name, fit in zip(corrected, each, strict=True)
    ]
    centers = np.array([_center(region) for region in regions])
    return VisitRecord(
        format=FORMAT,
        subject=result.subject,
        session=result.session,
        genotype=str(settings.get("genotype", "unknown")),
        acquisition=_acquisition(image, settings),
        settings=_jsonable(settings),
        models=tuple(result.fits),
        rows=result.rows,
        regions=tuple(
            _region_record(by_name[curve.region], curve, corrected.get(curve.region)) for curve in result.curves
        ),
        fits=tuple(fits),
        sensitivities=tuple(sensitivities),
        pvc=pvc,
        pvc_fwhm_mm=result.corrected.fwhm_mm if result.corrected else None,
        input=input_record(result.input, blood),
        motion=_motion_record(result.motion, centers) if result.motion else None,
        pet_to_ct=_pet_to_ct_record(result.pet_to_ct) if result.pet_to_ct else None,
        quality=tuple(quality),
        notices=result.notices,
        provenance=_jsonable(result.provenance),
    )


def _acquisition(image: DynamicImage, settings: Mapping[str, Any]) -> Acquisition:
    scan, grid = image.scan, image.grid
    at = image.time_zero_at
    return Acquisition(
        patient_key=scan.patient_key[:PATIENT_KEY_DIGITS] if scan.patient_key else None,
        manufacturer=scan.manufacturer,
        scanner_model=scan.scanner_model,
        reconstruction=scan.reconstruction,
        filter=scan.filter,
        tracer=scan.tracer,
        injected_mbq=scan.injected_mbq,
        weight_kg=scan.weight_kg,
        half_life_s=scan.half_life_s,
        voxel_mm=grid.spacing_mm,
        shape=grid.shape[::-1],
        fwhm_mm=settings.get("fwhm_mm"),
        time_zero=image.time_zero,
        time_zero_at=at.isoformat() if at else None,
        decay_correction=image.decay_correction,
        frame_starts_s=_numbers(image.timing.starts_s),
        frame_durations_s=_numbers(image.timing.durations_s),
    )


def _region_record(region: Region, curve: TimeActivityCurve, corrected: CorrectedCurve | None) -> RegionRecord:
    anatomy = region.anatomy
    return RegionRecord(
        name=region.name,
        structure=anatomy.structure,
        level=anatomy.level,
        root=anatomy.root,
        side=anatomy.side,
        volume_mm3=region.volume_mm3,
        center_lps_mm=_numbers(_center(region)),
        effective_voxels=curve.effective_voxels,
        carried_from=region.carried_from,
        mean=_numbers(curve.mean),
        sd=_numbers(curve.sd),
        notices=curve.notices,
        corrected=None if corrected is None else _corrected_record(corrected),
    )


def _corrected_record(curve: CorrectedCurve) -> CorrectedRecord:
    return CorrectedRecord(
        mean=_numbers(curve.corrected.mean),
        sd=_numbers(curve.corrected.sd),
        finer=_numbers(curve.finer),
        coarser=_numbers(curve.coarser),
        noise_amplification=float(curve.noise_amplification),
        recovery=float(curve.recovery),
        tissues=curve.tissues,
    )


def _fit_record(region: str, fit: KineticFit, pvc: str) -> FitRecord:
    line = fit.line
    return FitRecord(
        region=region,
        model=fit.model,
        pvc=pvc,
        parameters={name: float(value) for name, value in fit.parameters.items()},
        standard_errors={name: float(value) for name, value in fit.standard_errors.items()},
        parameter_names=fit.parameter_names,
        covariance=_rows(fit.covariance),
        predicted=_numbers(fit.predicted),
        residuals=_numbers(fit.residuals),
        weights=_numbers(fit.weights),
        wrss=float(fit.wrss),
        n_frames=fit.n_frames,
        n_parameters=fit.n_parameters,
        aic=float(fit.aic),
        aicc=float(fit.aicc),
        bic=float(fit.bic),
        tstar_s=None if fit.tstar_s is None else float(fit.tstar_s),
        delay_s=float(fit.delay_s),
        flags=fit.flags,
        line=None
        if line is None
        else LineRecord(
            abscissa=_numbers(line.abscissa),
            ordinate=_numbers(line.ordinate),
            slope=float(line.slope),
            intercept=float(line.intercept),
            used=tuple(bool(used) for used in line.used),
            largest_residual=float(line.largest_residual),
        ),
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
        samples={
            kind: CurveRecord(_numbers(samples.times_s), _numbers(samples.values))
            for kind, samples in measured.items()
            if samples is not None
        },
        blood_pool=_numbers(image.blood_pool) if image else None,
        tissue=_numbers(image.tissue) if image and image.tissue is not None else None,
        parent_fraction=_numbers(fraction(curve.times_s / 60)) if fraction else None,
        plasma_ratio=_numbers(ratio(curve.times_s / 60)) if ratio else None,
        settings=_jsonable(source.settings),
    )


def _motion_record(motion: FrameMotion, centers_lps: NDArray[np.float64]) -> MotionRecord:
    table = motion_table(motion, centers_lps)
    return MotionRecord(
        translation_mm=_rows(table.translation_mm),
        rotation_deg=_rows(table.rotation_deg),
        displacement_mm=_numbers(table.displacement_mm),
        uncertainty_mm=_numbers(motion.uncertainty_mm),
        reference=tuple(int(frame) for frame in motion.reference),
        matrices=tuple(_rows(matrix) for matrix in motion.reference_to_frame),
    )


def _pet_to_ct_record(fit: PetToCt) -> PetToCtRecord:
    return PetToCtRecord(
        shift_mm=float(fit.shift_mm),
        rotation_deg=float(fit.rotation_deg),
        information_before=float(fit.information_before),
        information_after=float(fit.information_after),
        kept=fit.kept,
        ct_to_reference=_rows(fit.ct_to_reference),
    )


def _center(region: Region) -> NDArray[np.float64]:
    grid = region.grid
    return grid.to_lps(np.argwhere(region.mask).mean(axis=0)[::-1])


def _numbers(values: Any) -> Numbers:
    return tuple(float(value) for value in np.asarray(values).ravel())


def _rows(values: Any) -> tuple[Numbers, ...]:
    return tuple(_numbers(row) for row in np.asarray(values))


def _jsonable(value: Any) -> Any:
    """Settings as JSON would give them back: lists for tuples and arrays, null for what is no number."""
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, np.generic):
        return _jsonable(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
