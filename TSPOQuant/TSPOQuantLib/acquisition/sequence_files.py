"""A dynamic PET as a Slicer sequence holds it: what its attributes say, and a .seq.nrrd file read without Slicer.

The sequence's index is the frame start in seconds from time zero (name "time", unit "s"). What an index cannot hold
stands in attributes of the sequence, whose names are stable because saved scenes and .seq.nrrd files have them:

- ``TSPOQuant.FrameDurations_s``: one duration a frame, in seconds, separated by spaces. A sequence without it is
  refused ("sequence-no-times"): the time to the next frame is not a duration where the scan had gaps.
- ``TSPOQuant.Units``: "kBq/mL" or "Bq/mL".
- ``TSPOQuant.TimeZero``: what zero is, "injection" or "first frame".
- ``TSPOQuant.TimeZeroAt``: its wall clock in ISO 8601, absent if unknown.
- ``TSPOQuant.DecayCorrection``: how the values were brought to time zero, in words, or as JSON with the words and what
  they were made of, for other languages.
- ``TSPOQuant.Scan``: the fields of ``Scan`` that are known, as JSON.
- ``TSPOQuant.Notices``: what the reader warned of, as a JSON list of [code, message], or of tables with code, message
  and what it was made of; absent if nothing.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid
from ..messages import InputRefused, Notice, Text
from ..plain import plain, restored
from .files import content_of
from .frame_checks import check_frames, check_timing
from .frames import FrameTiming
from .image import OF_PERSON, DynamicImage, Scan

DURATIONS = "TSPOQuant.FrameDurations_s"
UNITS = "TSPOQuant.Units"
TIME_ZERO = "TSPOQuant.TimeZero"
TIME_ZERO_AT = "TSPOQuant.TimeZeroAt"
DECAY_CORRECTION = "TSPOQuant.DecayCorrection"
SCAN = "TSPOQuant.Scan"
NOTICES = "TSPOQuant.Notices"
NAMES = (DURATIONS, UNITS, TIME_ZERO, TIME_ZERO_AT, DECAY_CORRECTION, SCAN, NOTICES)

# To kBq/mL.
FACTORS = {"kBq/mL": 1.0, "Bq/mL": 1e-3}


@dataclass(frozen=True, eq=False)
class SequenceHeader:
    """All that a sequence says beside its voxels; to_kbq: kBq/mL for a voxel of 1."""

    timing: FrameTiming
    to_kbq: float
    time_zero: str
    time_zero_at: datetime | None
    decay_correction: str
    scan: Scan
    notices: tuple[Notice, ...]

    def image(self, values: NDArray[np.float32], grid: Grid, sources: tuple[str, ...] = ()) -> DynamicImage:
        """The image whose stored voxels (frames, k, j, i) are ``values``, which are scaled in place.

        Raises InputRefused: sequence-not-finite.
        """
        values *= np.float32(self.to_kbq)
        if not np.isfinite(values).all():
            raise InputRefused(
                "sequence-not-finite", "the PET sequence holds values that are no numbers; correct the image"
            )
        check_timing(self.timing)  # gaps were told of by the reader that made the sequence
        check_frames(values)
        return DynamicImage(
            activity=values,
            grid=grid,
            timing=self.timing,
            time_zero=self.time_zero,
            time_zero_at=self.time_zero_at,
            decay_correction=self.decay_correction,
            scan=self.scan,
            notices=self.notices,
            sources=sources,
        )


def words_of(scan: Scan) -> str:
    """What ``scan_of`` reads back; nothing of ``OF_PERSON``."""
    known = {key: value for key, value in asdict(scan).items() if value is not None and key not in OF_PERSON}
    return json.dumps(known)


def scan_of(words: str | None) -> Scan:
    """What is known of a scan; raises TypeError or ValueError where the words are of another kind."""
    return Scan(**json.loads(words or "{}"))


def attributes_of(image: DynamicImage) -> dict[str, str]:
    """What ``sequence_header`` reads back, for voxels in kBq/mL."""
    words = plain(image.decay_correction)
    attributes = {
        DURATIONS: " ".join(repr(float(duration)) for duration in image.timing.durations_s),
        UNITS: "kBq/mL",
        TIME_ZERO: image.time_zero,
        DECAY_CORRECTION: words if isinstance(words, str) else json.dumps(words),
        SCAN: words_of(image.scan),
    }
    if image.time_zero_at is not None:
        attributes[TIME_ZERO_AT] = image.time_zero_at.isoformat()
    if image.notices:
        attributes[NOTICES] = json.dumps(plain(image.notices))
    return attributes


def sequence_header(attributes: Mapping[str, str], index_unit: str, index_values: Sequence[str]) -> SequenceHeader:
    """Check and read what a sequence says; index_values: one a frame, as text.

    Raises InputRefused: sequence-no-times, sequence-index-unit, sequence-times, sequence-units, sequence-time-zero,
    sequence-scan, frames-….
    """
    timing = _timing(attributes, index_unit, index_values)
    units = attributes.get(UNITS)
    if units not in FACTORS:
        raise InputRefused(
            "sequence-units",
            "the PET sequence is in {units}; set attribute {units_2} to one of {factors}",
            units=units or "unknown units",
            units_2=UNITS,
            factors=", ".join(FACTORS),
        )
    time_zero, time_zero_at = _time_zero(attributes)
    scan, notices = _scan(attributes)
    return SequenceHeader(
        timing=timing,
        to_kbq=FACTORS[units],
        time_zero=time_zero,
        time_zero_at=time_zero_at,
        decay_correction=_decay_correction(attributes),
        scan=scan,
        notices=notices,
    )


def read_sequence(path: Path) -> DynamicImage:
    """A dynamic PET from a .seq.nrrd file that Slicer wrote, in kBq/mL, with the times and units of its attributes.

    The layout is that of vtkMRMLVolumeSequenceStorageNode: one axis of kind "list", whose index values are the field
    "axis N index values" and whose unit is the axis' unit. Parent transforms are not in the file.
    Raises InputRefused: path-missing, sequence-unreadable, sequence-not-volumes, and as ``sequence_header`` does.
    """
    from .volume_files import (  # here, because Slicer's start need not wait for SimpleITK
        UNREADABLE,
        nrrd_fields,
        read_volume,
    )

    content = content_of(path)
    fields, _ = nrrd_fields(content[: 2**20])
    kinds = fields.get("kinds", "").split()
    if kinds.count("list") != 1 or len(kinds) != 4:
        raise InputRefused(
            "sequence-not-volumes", "{file} is no sequence of scalar volumes; give the dynamic PET", file=path.name
        )
    axis = kinds.index("list")
    units = re.findall(r'"([^"]*)"', fields.get("units", ""))
    try:
        file = read_volume(path, content)
    except InputRefused as reason:
        code = "sequence-unreadable" if reason.code in UNREADABLE else reason.code
        raise InputRefused(code, reason.message) from None
    if file.values.ndim != 4:
        raise InputRefused(
            "sequence-unreadable",
            "{file} cannot be read as a sequence of volumes; save it again from Slicer",
            file=path.name,
        )
    attributes = {name: file.metadata[name] for name in NAMES if name in file.metadata}
    starts = file.metadata.get(f"axis {axis} index values", "").split()
    header = sequence_header(attributes, units[axis] if len(units) == 4 else "", starts)
    frames = file.values.shape[-1]
    if frames != len(header.timing):
        raise InputRefused(
            "sequence-times",
            "{file} has {shape} frames and {n_timing} index values",
            file=path.name,
            shape=frames,
            n_timing=len(header.timing),
        )
    values = np.array(np.moveaxis(file.values, -1, 0), dtype=np.float32, order="C")
    image = header.image(values, file.grid, (str(path),))
    return replace(image, notices=(*image.notices, *file.notices))


def _timing(attributes: Mapping[str, str], index_unit: str, index_values: Sequence[str]) -> FrameTiming:
    durations = attributes.get(DURATIONS)
    if not durations:
        raise InputRefused(
            "sequence-no-times",
            "the PET sequence does not say how long its frames last (attribute {durations}); load the series "
            "with TSPOQuant's DICOM plugin or by Load… in its panel, or set that attribute to the durations in "
            "seconds, separated by spaces",
            durations=DURATIONS,
        )
    if index_unit != "s":
        raise InputRefused(
            "sequence-index-unit",
            "the index of the PET sequence is in '{index_unit}'; it must be the frame start in s",
            index_unit=index_unit,
        )
    try:
        starts = np.array([float(value) for value in index_values])
        return FrameTiming(starts, np.array([float(word) for word in durations.split()]))
    except InputRefused:
        raise
    except ValueError as error:
        raise InputRefused("sequence-times", "a frame start or duration of the PET sequence is no number") from error


def _time_zero(attributes: Mapping[str, str]) -> tuple[str, datetime | None]:
    name, at = attributes.get(TIME_ZERO), attributes.get(TIME_ZERO_AT)
    if not name:
        raise InputRefused(
            "sequence-time-zero",
            "the PET sequence does not say what its time zero is; set attribute {time_zero}",
            time_zero=TIME_ZERO,
        )
    try:
        return name, datetime.fromisoformat(at) if at else None
    except ValueError as error:
        raise InputRefused(
            "sequence-time-zero",
            "attribute {time_zero_at} of the PET sequence is no ISO 8601 date and time",
            time_zero_at=TIME_ZERO_AT,
        ) from error


def _decay_correction(attributes: Mapping[str, str]) -> str:
    words = attributes.get(DECAY_CORRECTION) or Text("not stated by the sequence")
    try:
        return restored(str, json.loads(words))
    except (TypeError, KeyError, ValueError):  # words, of an earlier version or of another program
        return words


def _scan(attributes: Mapping[str, str]) -> tuple[Scan, tuple[Notice, ...]]:
    try:
        scan = scan_of(attributes.get(SCAN))
        kept = json.loads(attributes.get(NOTICES) or "[]")
        notices = (restored(Notice, row) if isinstance(row, dict) else Notice.of(*map(str, row)) for row in kept)
        return scan, tuple(notices)
    except (TypeError, KeyError, ValueError) as error:
        raise InputRefused(
            "sequence-scan",
            "attribute {scan} or {notices} of the PET sequence cannot be read",
            scan=SCAN,
            notices=NOTICES,
        ) from error
