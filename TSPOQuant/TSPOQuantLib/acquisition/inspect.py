"""What a folder of DICOM or NIfTI holds: every series with its geometry, frames, units, SUV factor and refusals."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.tag import Tag

from ..grid import Grid
from ..messages import InputRefused, Notice
from .dicom import anatomical_stack, enhanced_refusal, is_ct, is_mr, is_pet
from .dicom_files import Series, find_series, read_pixels
from .dicom_geometry import stack_grid
from .dicom_pet import PetSeries, understand_pet
from .dicom_values import integer, number, text
from .foreign_files import refuse_foreign
from .frames import FrameTiming
from .image import HU, MR_SIGNAL, DynamicImage, Volume
from .modality import CT, MR, as_what_it_is, stated_modality
from .nifti import read_dynamic_nifti, read_static_nifti, read_volume_file
from .segmentation_files import read_segmentation
from .sequence_files import read_sequence
from .suv import suvbw_factor
from .tables import sidecar
from .volume_files import is_nifti, is_volume_file, read_grid

Entry = dict[str, Any]
UNKNOWN: Entry = {
    **dict.fromkeys(("path", "kind", "modality", "manufacturer", "files", "shape", "voxel_mm", "units")),
    **{"kind": "other", "files": 1, "frames": []},
    **dict.fromkeys(("time_zero", "decay_correction", "suvbw_factor", "suv_refusal")),
    **{"refusals": [], "warnings": [], "bed_positions": 1, "suvbw_max": None},
}
"""A series of which nothing is known."""


def inspect(path: Path) -> Entry:
    """{"series": [...], "unreadable_files", "other_files"}: each series as the command line's --json prints it.

    shape is (frames, k, j, i) or (k, j, i), voxel_mm along (i, j, k), frame starts count from time_zero.
    suvbw_factor x rescaled pixel = SUVbw; suvbw_max is the largest SUVbw of a static series. Nothing names the
    patient. Raises InputRefused: path-missing, folder-empty, dicom-none, dicom-no-image, format-foreign.
    """
    path = Path(path)
    if _is_read(path):
        return {"series": [_file(path)], "unreadable_files": 0, "other_files": 0}
    found = find_series(path)
    wanted = is_nifti if found.series else _is_read
    files = sorted(file for file in path.rglob("*") if wanted(file)) if path.is_dir() else []
    if not found.series and not files:
        if found.imageless:
            raise InputRefused(
                "dicom-no-image",
                "the DICOM under {path} holds no image ({modalities}); where it is a drawing of regions, load it in "
                "3D Slicer with the series that it was drawn on, and save it as .seg.nrrd or DICOM SEG",
                path=path,
                modalities=", ".join(found.imageless),
            )
        refuse_foreign(path)
        raise InputRefused(
            "dicom-none",
            "there is neither DICOM nor NIfTI under {path}{found}; check the path",
            path=path,
            found=found.damaged,
        )
    series = [_series(series) for series in found.series] + [_file(file) for file in files]
    others = found.others - len(files)
    return {"series": series, "unreadable_files": found.unreadable, "other_files": others}


def _is_read(path: Path) -> bool:
    """Whether a file is NIfTI by its name, or a volume of another format that is read."""
    if is_nifti(path) or not (is_volume_file(path) and path.is_file()):
        return is_nifti(path)
    try:
        read_grid(path)
    except InputRefused:  # told by its format
        return False
    return True


def describe(result: Entry) -> str:
    """The result of ``inspect`` as text for a terminal."""
    parts = [_described(entry) for entry in result["series"]]
    if result["unreadable_files"]:
        parts.append(f"{result['unreadable_files']} damaged DICOM files")
    if result["other_files"]:
        parts.append(f"{result['other_files']} files that are no images")
    return "\n\n".join(parts)


def _series(series: Series) -> Entry:
    facts = series.facts
    first = Path(series.slices[0].path)
    entry = UNKNOWN | {
        "path": str(first if series.files == 1 else first.parent),
        "modality": facts.modality or None,
        "manufacturer": facts.manufacturer or None,
        "files": series.files,
        "shape": [len(series.slices), facts.rows, facts.columns],
        "units": facts.units or None,
        "decay_correction": facts.decay_correction or None,
        "series_number": text(series.header, Tag("SeriesNumber")) or None,
    }
    if is_pet(series):
        return entry | _pet(series)
    if is_ct(series):
        return entry | _anatomical(series, "ct", HU)
    if is_mr(series):
        return entry | _anatomical(series, "mr", MR_SIGNAL)
    enhanced = enhanced_refusal(facts)
    if enhanced is not None:
        return entry | {"refusals": _messages([enhanced])}
    if facts.modality == "PT":
        refusal = InputRefused("pet-sop-class", "stored as another kind of object than PET images: nothing to measure")
        return entry | {"refusals": _messages([refusal]), "suv_refusal": f"{refusal.code}: {refusal.message}"}
    return entry | _multi_frame(series)


def _multi_frame(series: Series) -> Entry:
    """What the header of one file with many frames tells: their number, and a segmentation's segments."""
    if series.files > 1 or len(series.slices) > 1:
        return {}
    try:
        header = series.header
    except InputRefused as reason:
        return {"refusals": _messages([reason])}
    frames, segments = integer(header, Tag("NumberOfFrames")), header.get("SegmentSequence")
    found: Entry = {} if frames is None else {"shape": [frames, series.facts.rows, series.facts.columns]}
    return found if segments is None else found | {"segments": len(segments)}


def _pet(series: Series) -> Entry:
    pet = understand_pet(series)
    factor, refusal = _suv(pet)
    return {
        "kind": pet.kind,
        **_geometry(pet.grid, len(pet.timing) if pet.timing else None),
        "frames": _frames(pet.timing),
        "time_zero": pet.time_zero,
        "decay_correction": pet.decay_correction or None,
        "suvbw_factor": factor,
        "suv_refusal": refusal,
        "refusals": _messages(pet.refusals),
        "warnings": _messages(pet.notices),
        "bed_positions": pet.bed_positions,
        "suvbw_max": None if factor is None or pet.kind != "static-pet" else _largest(pet, factor),
        "tracer": pet.scan.tracer,
        "half_life_s": pet.scan.half_life_s,
    }


def _suv(pet: PetSeries) -> tuple[float | None, str | None]:
    try:
        if pet.series.facts.decay_correction == "NONE" and (pet.kind == "dynamic-pet" or pet.bed_positions > 1):
            raise InputRefused("suv-per-frame", "values are not decay-corrected: every frame has a factor of its own")
        scales = {piece.philips_suv for piece in pet.series.slices}
        if pet.series.facts.units == "CNTS" and len(scales) > 1:
            raise InputRefused("suv-per-slice", "Philips' SUV scale (7053,1000) differs from slice to slice")
        return suvbw_factor(pet.series.header), None
    except InputRefused as reason:
        return None, f"{reason.code}: {reason.message}"


def _largest(pet: PetSeries, factor: float) -> float | None:
    try:
        largest = (
            float(read_pixels(piece).max()) * (piece.slope or 0.0) + (piece.intercept or 0.0)
            for piece in pet.series.slices
        )
        value = max(largest) * factor
    except InputRefused:
        return None
    return value if np.isfinite(value) else None


def _anatomical(series: Series, kind: str, units: str) -> Entry:
    try:
        grid = stack_grid(anatomical_stack(series), number(series.header, Tag("SliceThickness")))
    except InputRefused as reason:
        return {"kind": kind, "units": units, "refusals": _messages([reason])}
    return {"kind": kind, "units": units, **_geometry(grid, None)}


def _file(path: Path) -> Entry:
    """A NIfTI, NRRD or MetaImage file."""
    refused = "suv-weight: a NIfTI, NRRD or MetaImage file does not state the weight that SUV needs"
    entry = UNKNOWN | {"path": str(path), "suv_refusal": refused}
    try:
        if path.name.lower().endswith(".seg.nrrd"):
            drawn = read_segmentation(path)
            segments = {"modality": "SEG", "segments": len(drawn.segments), "warnings": _messages(drawn.notices)}
            return entry | _geometry(drawn.grid, None) | segments
        if path.name.lower().endswith(".seq.nrrd"):
            return entry | _dynamic_file(read_sequence(path))
        metadata = sidecar(path)
        if not metadata or stated_modality(metadata) in (CT, MR):
            return entry | _anatomical_file(path)
        try:
            image = read_dynamic_nifti(path)
        except InputRefused as reason:
            if reason.code != "pet-not-dynamic":
                raise
            return entry | _pet_file("static-pet", read_static_nifti(path))
    except InputRefused as reason:
        return entry | {"refusals": _messages([reason])}
    return entry | _dynamic_file(image)


def _dynamic_file(image: DynamicImage) -> Entry:
    return _pet_file("dynamic-pet", image, len(image.timing)) | {
        "frames": _frames(image.timing),
        "time_zero": image.time_zero,
        "decay_correction": image.decay_correction,
        "tracer": image.scan.tracer,
        "half_life_s": image.scan.half_life_s,
    }


def _pet_file(kind: str, image: DynamicImage | Volume, frames: int | None = None) -> Entry:
    return {
        "kind": kind,
        **_geometry(image.grid, frames),
        "modality": "PT",
        "manufacturer": image.scan.manufacturer,
        "units": "kBq/mL",
        "warnings": _messages(image.notices),
    }


def _anatomical_file(path: Path) -> Entry:
    """A volume file that is no PET: a CT or an MR, where it says or shows that it is one."""
    volume = read_volume_file(path, "")
    entry = _geometry(volume.grid, None)
    try:
        volume = as_what_it_is(path, volume)
    except InputRefused:
        return entry
    kind = CT if volume.is_ct else MR
    return entry | {
        "kind": kind.lower(),
        "modality": kind,
        "units": volume.units,
        "warnings": _messages(volume.notices),
    }


def _geometry(grid: Grid | None, frames: int | None) -> Entry:
    if grid is None:
        return {}
    shape = [*grid.shape] if frames is None else [frames, *grid.shape]
    return {"shape": shape, "voxel_mm": [round(size, 6) for size in grid.spacing_mm]}


def _frames(timing: FrameTiming | None) -> list[Entry]:
    if timing is None:
        return []
    return [
        {"start_s": round(float(start), 6), "duration_s": round(float(duration), 6)}
        for start, duration in zip(timing.starts_s, timing.durations_s, strict=True)
    ]


def _messages(messages: Iterable[InputRefused | Notice]) -> list[Entry]:
    return [{"code": message.code, "message": message.message} for message in messages]


def _described(entry: Entry) -> str:
    shape = " x ".join(map(str, reversed((entry["shape"] or ())[-3:])))  # along i, j, k, as the voxels' sizes are
    voxel = " x ".join(f"{size:.4g}" for size in entry["voxel_mm"] or ())
    lines = [
        f"{entry['kind']}  {entry['path']}",
        f"  {entry['modality'] or '?'}, {entry['manufacturer'] or 'unknown manufacturer'}, {entry['files']} files",
        f"  {shape} voxels" + (f" of {voxel} mm" if voxel else "") + f", {entry['units'] or 'no units'}",
        *([f"  {entry['segments']} segments"] if "segments" in entry else []),
    ]
    if entry["bed_positions"] > 1:
        lines.append(f"  {entry['bed_positions']} bed positions")
    frames = entry["frames"]
    if frames:
        end = frames[-1]["start_s"] + frames[-1]["duration_s"]
        lines.append(f"  {len(frames)} frames, {frames[0]['start_s']:g} to {end:g} s from {entry['time_zero']}")
        lines.append("  durations (s): " + _runs([frame["duration_s"] for frame in frames]))
    if entry["decay_correction"]:
        lines.append(f"  decay correction: {entry['decay_correction']}")
    if entry["suvbw_factor"] is not None:
        largest = "" if entry["suvbw_max"] is None else f", SUVbw up to {entry['suvbw_max']:.6g}"
        lines.append(f"  SUVbw factor {entry['suvbw_factor']:.8g}{largest}")
    elif entry["kind"].endswith("-pet"):
        lines.append(f"  no SUV: {entry['suv_refusal']}")
    lines += [f"  refused: {refusal['code']}: {refusal['message']}" for refusal in entry["refusals"]]
    lines += [f"  note: {warning['code']}: {warning['message']}" for warning in entry["warnings"]]
    return "\n".join(lines)


def _runs(durations: list[float]) -> str:
    """6 x 10, 3 x 60: durations in the order of the frames."""
    runs: list[tuple[int, float]] = []
    for duration in durations:
        if runs and runs[-1][1] == duration:
            runs[-1] = (runs[-1][0] + 1, duration)
        else:
            runs.append((1, duration))
    return ", ".join(f"{count} x {duration:g}" for count, duration in runs)
