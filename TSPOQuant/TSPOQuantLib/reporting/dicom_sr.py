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
from scipy.special import stdtrit

from .. import __version__
from ..kinetics.models import MODELS
from ..messages import InputRefused
from ..outcome.record import RegionOutcome, VisitRecord
from ..plain import to_json
from ..quantities import COLUMN_KEYS, COLUMNS
from ..regions.anatomy import Anatomy
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
    groups = [_group(context, record, row, regions) for row in rows]
    number = list(report_names(record)).index((model, pvc))
    title = MODELS[model].study_name + ("" if pvc == "none" else f", corrected by {pvc}")
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
    digest = hashlib.sha256("\n".join((model, pvc, str(regions.dataset.SOPInstanceUID), to_json(record))).encode())
    dataset = highdicom.sr.Comprehensive3DSR(
        evidence=[regions.dataset, *others, *context.pet, *context.ct],
        content=content[0],
        is_complete=True,
        **making(context, "SR", 9110 + number, f"TSPOQuant V_T, {title}", digest.hexdigest()),
    )
    finish(dataset, context, "SR")
    return dataset


def _group(
    context: DicomContext, record: VisitRecord, row: RegionOutcome, regions: DicomRegions
) -> highdicom.sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    number = regions.numbers.get(row.region)
    if number is None:
        raise InputRefused(
            "dicom-region",
            "the segmentation holds no '{region}', which the results do; run quantify again",
            region=row.region,
        )
    anatomy = Anatomy(row.structure, row.level, row.root, row.side)
    site, side, level = place_codes(anatomy)
    pvc = private_code(f"PVC-{row.pvc}", "none" if row.pvc == "none" else f"Corrected by {row.pvc}")
    flags = [private_code(flag.code, flag.code.replace("-", " ")) for flag in row.flags]
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
        finding_type=region_codes(anatomy, {})[1],
        method=private_code(row.model, MODELS[row.model].study_name),
        finding_sites=[highdicom.sr.FindingSite(site, side, level)],
        measurements=_measurements(record, row),
        qualitative_evaluations=[highdicom.sr.QualitativeEvaluation(name, value) for name, value in evaluations],
    )


def _measurements(record: VisitRecord, row: RegionOutcome) -> list[highdicom.sr.Measurement]:
    """V_T, the other quantities of the model, V_T's standard error and interval, and the others' standard errors.

    They end at the first that could not be determined, so that no number slips into another's column where readers go
    by position.
    """
    fit = record.fit(row.region, row.model, row.pvc)
    reach = float(stdtrit(fit.degrees_of_freedom, (1 + LEVEL) / 2)) * row.VT_se
    found = {key: getattr(row, key) for key in COLUMN_KEYS}
    others = [one for one in COLUMNS if one.key != "VT" and found[one.key] is not None]
    values = [
        ("VT", row.VT, "VT"),
        *((one.key, found[one.key], one.key) for one in others),
        ("VT-se", row.VT_se, "VT"),
        ("VT-ci95-low", row.VT - reach, "VT"),
        ("VT-ci95-high", row.VT + reach, "VT"),
        *((f"{one.key}-se", found[one.error_key], one.key) for one in others if found[one.error_key] is not None),
    ]
    known = takewhile(lambda entry: math.isfinite(entry[1]), values)
    return [highdicom.sr.Measurement(private_code(name), float(value), unit_code(unit)) for name, value, unit in known]
