"""The V_T values of a visit as DICOM structured reports (PS3.16, TID 1500), one a model, region by region.

A report holds one group of measurements a region, all with the same items in the same order: 3D Slicer makes one table
of them, and takes the nth group for the nth segment.
"""

import hashlib
import math
from collections.abc import Sequence
from itertools import takewhile

import highdicom
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from scipy.special import stdtrit

from .. import __version__
from ..kinetics.models import MODELS
from ..messages import InputRefused, Notice
from ..outcome.record import RegionOutcome, VisitRecord
from ..outcome.uptake import RegionUptake, uptake_of
from ..plain import to_json
from ..quantities import BY_KEY, COLUMN_KEYS, COLUMNS, UPTAKE
from .dicom_context import (
    DicomContext,
    finish,
    making,
    place_codes,
    private_code,
    region_codes,
    short,
    uid_of,
    unit_code,
)
from .dicom_seg import DicomRegions

SUVBW = Code("126401", "DCM", "SUVbw")
SUVBW_UNIT = Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight")
DERIVATION = {
    "SUV": Code("373098007", "SCT", "Mean"),
    "SUVmax": Code("56851009", "SCT", "Maximum"),
    "SUVpeak": Code("126031", "DCM", "Peak Value Within ROI"),
    "SUVsd": Code("386136009", "SCT", "Standard Deviation"),
}
"""What each SUV is of the region's voxels."""
LEVEL = 0.95
"""Of the confidence interval, Student's t with the fit's own degrees of freedom."""


def report_names(record: VisitRecord) -> dict[tuple[str, str], str]:
    """The reports of a visit by model and partial-volume correction, the primary one first: "sr", "sr-Logan" …"""
    kinds = dict.fromkeys((row.model, row.pvc) for row in record.rows)
    names = {(model, pvc): f"sr-{model}" + ("" if pvc == "none" else f"-{pvc}") for model, pvc in kinds}
    return names | {next(iter(kinds)): "sr"} if kinds else {}


def report_object(
    context: DicomContext,
    record: VisitRecord,
    model: str,
    pvc: str,
    regions: DicomRegions,
    others: Sequence[Dataset] = (),
) -> highdicom.sr.Comprehensive3DSR:
    """The report of one model and partial-volume correction ("none" without).

    regions: the SEG whose segments are referred to. others: further objects made from the visit (its map).
    Raises InputRefused ("dicom-region") where a region of the results is not in the segmentation, "dicom-empty".
    """
    rows = [row for row in record.rows if (row.model, row.pvc) == (model, pvc)]
    if not rows:
        raise InputRefused(
            "dicom-empty",
            "the visit holds no {model} result ({pvc}); there is nothing to report",
            model=model,
            pvc=pvc,
        )
    method = private_code(model, MODELS[model].study_name)
    groups = [_group(context, record, row, regions, method, _measurements(record, row), row.flags) for row in rows]
    number = list(report_names(record)).index((model, pvc))
    title = f"{BY_KEY[MODELS[model].outcome].symbol}, {MODELS[model].study_name}" + (
        "" if pvc == "none" else f", corrected by {pvc}"
    )
    return _report(context, record, groups, regions, others, (f"{model}\n{pvc}", title, 9110 + number))


def uptake_object(
    context: DicomContext, record: VisitRecord, regions: DicomRegions
) -> highdicom.sr.Comprehensive3DSR | None:
    """The report of SUV and its ratios, as measured; None where no region has any."""
    method = private_code("WINDOW-MEAN", "Mean over a window of the scan")
    measured_rows = [
        (row, _without_fit(row)) for row in uptake_of(record) if row.pvc == "none" and math.isfinite(row.value("SUV"))
    ]
    if not measured_rows:
        return None
    groups = [_group(context, record, row, regions, method, measured) for row, measured in measured_rows]
    return _report(context, record, groups, regions, (), ("uptake", "SUV and its ratios", 9190))


def _without_fit(row: RegionUptake) -> list[highdicom.sr.Measurement]:
    """What a region has of quantities.UPTAKE; SUV by its standard code, with what it is of the voxels."""
    measurements = []
    for quantity in UPTAKE:
        value = row.value(quantity.key)
        if not math.isfinite(value):
            continue
        if quantity.key in DERIVATION:
            measured = highdicom.sr.Measurement(SUVBW, value, SUVBW_UNIT, derivation=DERIVATION[quantity.key])
        else:
            measured = highdicom.sr.Measurement(private_code(quantity.key), value, unit_code(quantity.key))
        measurements.append(measured)
    return measurements


def _report(
    context: DicomContext,
    record: VisitRecord,
    groups: Sequence[highdicom.sr.VolumetricROIMeasurementsAndQualitativeEvaluations],
    regions: DicomRegions,
    others: Sequence[Dataset],
    named: tuple[str, str, int],
) -> highdicom.sr.Comprehensive3DSR:
    """named: what tells the report from the others of the visit, its title, and its series number."""
    what, title, number = named
    device = highdicom.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=highdicom.sr.DeviceObserverIdentifyingAttributes(
            uid=uid_of("software", __version__), name="TSPOQuant", manufacturer_name="TSPOQuant"
        ),
    )
    content = highdicom.sr.MeasurementReport(
        observation_context=highdicom.sr.ObservationContext(observer_device_context=device),
        procedure_reported=codes.LN.PETUnspecifiedBodyRegion,
        imaging_measurements=groups,
        title=codes.DCM.PETMeasurementReport,
    )
    digest = hashlib.sha256("\n".join((what, str(regions.dataset.SOPInstanceUID), to_json(record))).encode())
    dataset = highdicom.sr.Comprehensive3DSR(
        evidence=[regions.dataset, *others, *context.pet, *context.ct],
        content=content[0],
        is_complete=True,
        **making(context, "SR", number, f"TSPOQuant {title}", digest.hexdigest()),
    )
    finish(dataset, context, "SR")
    return dataset


def _group(
    context: DicomContext,
    record: VisitRecord,
    row: RegionOutcome | RegionUptake,
    regions: DicomRegions,
    method: Code,
    measurements: Sequence[highdicom.sr.Measurement],
    flagged: Sequence[Notice] = (),
) -> highdicom.sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    number = regions.numbers.get(row.region)
    if number is None:
        raise InputRefused(
            "dicom-region",
            "the segmentation holds no '{region}', which the results do; run quantify again",
            region=row.region,
        )
    site, side, level = place_codes(row, context.field)
    pvc = private_code(f"PVC-{row.pvc}", "none" if row.pvc == "none" else f"Corrected by {row.pvc}")
    flags = [private_code(flag.code, flag.code.replace("-", " ")) for flag in flagged]
    evaluations = [(private_code("PVC"), pvc), *((private_code("FLAG"), flag) for flag in dict.fromkeys(flags))]
    return highdicom.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=highdicom.sr.TrackingIdentifier(
            uid=context.tracking_uid(row.region), identifier=short(row.region)
        ),
        referenced_segment=highdicom.sr.ReferencedSegment(
            sop_class_uid=regions.dataset.SOPClassUID,
            sop_instance_uid=regions.dataset.SOPInstanceUID,
            segment_number=number,
            source_series=highdicom.sr.SourceSeriesForSegmentation(str(context.image[0].SeriesInstanceUID)),
        ),
        time_point_context=highdicom.sr.TimePointContext(time_point=record.session),
        finding_type=region_codes(row, {})[1],
        method=method,
        finding_sites=[highdicom.sr.FindingSite(site, side, level)],
        measurements=measurements,
        qualitative_evaluations=[highdicom.sr.QualitativeEvaluation(name, value) for name, value in evaluations],
    )


def _measurements(record: VisitRecord, row: RegionOutcome) -> list[highdicom.sr.Measurement]:
    """V_T (or K_i, where nothing leaves the tissue), the other quantities of the model, the first one's standard error
    and interval, and the others' standard errors.

    They end at the first that could not be determined, so that no number slips into another's column where readers go
    by position.
    """
    fit = record.fit(row.region, row.model, row.pvc)
    main = fit.outcome
    value, error = getattr(row, main), getattr(row, f"{main}_se")
    reach = float(stdtrit(fit.degrees_of_freedom, (1 + LEVEL) / 2)) * error
    columns = {key: getattr(row, key) for key in COLUMN_KEYS}
    others = [
        quantity for quantity in COLUMNS if quantity.key not in (main, "VT") and columns[quantity.key] is not None
    ]
    values = [
        (main, value, main),
        *((quantity.key, columns[quantity.key], quantity.key) for quantity in others),
        (f"{main}-se", error, main),
        (f"{main}-ci95-low", value - reach, main),
        (f"{main}-ci95-high", value + reach, main),
        *(
            (f"{quantity.key}-se", columns[quantity.error_key], quantity.key)
            for quantity in others
            if columns[quantity.error_key] is not None
        ),
    ]
    known = takewhile(lambda entry: math.isfinite(entry[1]), values)
    return [highdicom.sr.Measurement(private_code(name), float(value), unit_code(unit)) for name, value, unit in known]
