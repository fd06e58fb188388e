"""A map of V_T as a DICOM Parametric Map in the patient's study."""

import hashlib
import inspect
from typing import Any

import highdicom
import numpy as np
from pydicom import Dataset
from pydicom.sr.coding import Code

from ..kinetics.models import MODELS
from ..messages import InputRefused
from ..outcome.visit import VisitMaps
from ..quantities import BY_KEY
from .dicom_context import DicomContext, finish, making, private_code, unit_code, volume_of

PADDING_VT = -1000.0
"""Stored where no V_T was fitted (Float Pixel Padding Value): no V_T comes near it."""
WINDOW_PERCENTILE = 99.0
"""The display reaches from 0 to this percentile of V_T: a choice."""


def map_object(context: DicomContext, result: VisitMaps) -> highdicom.pm.ParametricMap:
    """The model's outcome, V_T or K_i, on the PET's grid, single precision, voxels that were not fitted padded.

    Raises InputRefused ("dicom-empty", "dicom-grid").
    """
    maps = result.maps
    quantity, study_name = BY_KEY[maps.outcome], MODELS[maps.model].study_name
    values = np.asarray(maps.parameters[quantity.key], dtype=np.float32)
    fitted = np.isfinite(values)
    if not fitted.any():
        raise InputRefused("dicom-empty", "{model} fitted no voxel; there is no map to write", model=maps.model)
    low, high = (float(limit) for limit in (values[fitted].min(), values[fitted].max()))
    top = float(np.percentile(values[fitted], WINDOW_PERCENTILE))
    width = top if top > 0 else 1.0
    stored = np.where(fitted, values, np.float32(PADDING_VT))
    volume = volume_of(stored, result.grid, context)
    digest = hashlib.sha256(stored.tobytes() + result.grid.ijk_to_lps.tobytes() + maps.model.encode())
    mapping = highdicom.pm.RealWorldValueMapping(
        lut_label=quantity.key,
        lut_explanation=quantity.meaning,
        unit=unit_code(quantity.key),
        value_range=(low, high),
        slope=1.0,
        intercept=0.0,
        quantity_definition=private_code(quantity.key),
    )
    mapping.QuantityDefinitionSequence.append(
        highdicom.sr.CodeContentItem(
            name=Code("370129005", "SCT", "Measurement Method"),
            value=private_code(maps.model, study_name),
        )
    )
    dataset = highdicom.pm.ParametricMap(
        source_images=list(context.pet),
        pixel_array=stored,
        pixel_measures=volume.get_pixel_measures(),
        plane_orientation=volume.get_plane_orientation(),
        plane_positions=volume.get_plane_positions(),
        contains_recognizable_visual_features=True,  # the field of view may reach the face
        real_world_value_mappings=[mapping],
        **_window(width),
        content_label=quantity.key.upper(),
        content_description=f"{quantity.symbol} by {study_name}",
        **making(context, "PM", 9103, f"TSPOQuant {quantity.symbol} map, {study_name}", digest.hexdigest()),
    )
    dataset.FloatPixelPaddingValue = dataset.FloatPixelPaddingRangeLimit = PADDING_VT
    place = Dataset()
    place.AnatomicRegionSequence, place.FrameLaterality = [highdicom.sr.CodedConcept.from_code(context.field)], "U"
    dataset.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [place]
    finish(dataset, context, "PM")
    return dataset


def _window(width: float) -> dict[str, Any]:
    """The display from 0 to ``width``, as this version of highdicom is told: 0.28 has another word than 0.27."""
    limits = {"window_center": width / 2, "window_width": width}
    if "voi_lut_transformations" not in inspect.signature(highdicom.pm.ParametricMap.__init__).parameters:
        return limits
    return {"voi_lut_transformations": [highdicom.VOILUTTransformation(**limits)]}
