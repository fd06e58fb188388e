"""Segmentations in and out: Slicer's .seg.nrrd, NIfTI and NRRD label maps with their tables, DICOM SEG, contours."""

import gzip
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from ..grid import Grid, box_of
from ..lazy_modules import ndimage
from ..messages import InputRefused, Notice, Notices
from .contour_files import CONTOURS, read_contours
from .dicom_header import is_dicom
from .dicom_slice import key_of
from .dicom_values import is_lossy, lossy_notices
from .files import bytes_of
from .label_names import names_in_header
from .segmentation import PRIVATE_SCHEME, TAG_PREFIX, TERMINOLOGY, Segment, Segmentation
from .tables import inherited, read_json, read_table
from .volume_files import NRRD_SPACES, UNREADABLE, is_nifti, read_volume

if TYPE_CHECKING:
    import highdicom

TABLE_SUFFIXES = (".tsv", ".csv", ".json", ".ctbl", ".txt", ".label", ".ctab", ".lut")
# nnU-Net keeps the names of what it labels in one file for all label maps of a folder.
NNUNET_TABLE = "dataset.json"
# 3D Slicer's color tables and FreeSurfer's look-up tables; ITK-SNAP's label descriptions.
COLOR_ROW = re.compile(r"\s*(?P<label>\d+)\s+(?P<name>.+?)\s+(?P<r>\d+)\s+(?P<g>\d+)\s+(?P<b>\d+)(\s+\d+)?\s*")
SNAP_ROW = re.compile(
    r"\s*(?P<label>\d+)\s+(?P<r>\d+)\s+(?P<g>\d+)\s+(?P<b>\d+)\s+[\d.]+\s+[01]\s+[01]\s+\"(?P<name>[^\"]*)\"\s*"
)
HEAD_BYTES = 132
"""Of a file, in which DICOM shows itself."""
# Label tables number their labels far below this; a larger value is an image, not a label map.
HIGHEST_LABEL = 100_000
# What tables call label 0.
BACKGROUND = re.compile(
    r"\W*(|.*(background|clear|unknown|none|nothing|air|exterior|empty|unlabel+ed|fond).*)", re.IGNORECASE
)
BINARY_LABELMAP = "Binary labelmap"
SEGMENT_ID = re.compile(r"Segment(\d{1,5})_ID")
# How our own DICOM SEG tell structure, side and level (reporting.dicom_seg).
OWN_MANUFACTURER = "TSPOQuant"
STRUCTURES_BY_CODE = {
    (PRIVATE_SCHEME, "FORAMEN"): "foramen",
    ("SCT", "2748008"): "cord",
    ("SCT", "51114001"): "blood-pool",
    ("SCT", "51282000"): "vertebra",
}
# Of what other makers tell by code, these are one thing alone; an artery may be any, a foramen has no code.
FOREIGN = ("2748008", "51282000")
GENERIC_LABEL = re.compile(r"segment[ _-]?\d*", re.IGNORECASE)
LABEL = "SegmentLabel"
DESCRIBED = (LABEL, "SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence")
ALGORITHM = "SegmentAlgorithmType"
PARTS_OF_CODE = (("CodeValue", "LongCodeValue", "URNCodeValue"), ("CodingSchemeDesignator",), ("CodeMeaning",))
REFERENCES = ("ReferencedSeriesSequence", "SourceImageSequence", "DerivationImageSequence")
FRAME_OF_REFERENCE = "FrameOfReferenceUID"
IDENTIFIERS = ("StudyInstanceUID", "SeriesInstanceUID", FRAME_OF_REFERENCE)
LABELMAP = "LABELMAP"
SIDES_BY_CODE = {"7771000": "left", "24028007": "right"}
LEVEL_MEANING = re.compile(r"Level (?P<Level>[^,]+)(, root (?P<Root>.+))?")


Color = tuple[float, float, float]
Labels = dict[int, tuple[str, Color | None]]
"""Names and colors by label value."""
Rows = Iterator[tuple[float, str, Color | None]]
"""Value, name and color of every label that a table lists."""


@dataclass(frozen=True)
class _Label:
    """What stands for one segment in a file: where it is (layer and value) and what it is called."""

    id: str
    name: str
    layer: int
    value: int
    color: Color | None = None
    tags: Mapping[str, str] | None = None


def read_segmentation(path: Path, table: Path | None = None, on: Grid | None = None) -> Segmentation:
    """Read a segmentation.

    path: a .seg.nrrd (layers that overlap included), a NIfTI or NRRD label map, a DICOM SEG, or
    a DICOM RT Structure Set. on: the grid of the image on whose slices the contours of the latter were drawn.
    table: the names of a label map's labels: a table with index and name (BIDS ``_dseg.tsv``), JSON, a Slicer color
    table, a FreeSurfer look-up table or ITK-SNAP's label descriptions. Without it, one with the label map's own name
    is looked for beside it, then nnU-Net's dataset.json, then the one in a NIfTI file's header (``label_names``);
    labels without a name are called Segment_<label>, with a Notice.
    Raises InputRefused ("segmentation-…", "contours-…", "table-…", "json-…").
    """
    path = Path(path)
    if path.is_dir():
        raise InputRefused("segmentation-missing", "{file} is a folder; name the file of the regions", file=path.name)
    start = bytes_of(path, "segmentation-missing", HEAD_BYTES)
    if is_dicom(start):
        return _read_dicom(path, on)
    nrrd = start.startswith(b"NRRD")
    if not nrrd and not is_nifti(path):
        raise InputRefused(
            "segmentation-format", "{file} is neither .seg.nrrd, NIfTI, DICOM SEG nor RT Structure Set", file=path.name
        )
    try:
        file = read_volume(path)
    except InputRefused as reason:
        code = "segmentation-shape" if reason.code == "nifti-dimensions" else reason.code
        code = "segmentation-unreadable" if reason.code in UNREADABLE else code
        raise InputRefused(code, reason.message) from None
    if file.values.ndim - (nrrd and file.values.ndim == 4) != 3:
        raise InputRefused(
            "segmentation-shape", "{file} has {axes} dimensions instead of 3", file=path.name, axes=file.values.ndim
        )
    if nrrd and file.metadata.get("NRRD_space") not in NRRD_SPACES:
        raise InputRefused(
            "segmentation-space", "{file} does not say that it lies in LPS or RAS; save it anew", file=path.name
        )
    layers = _layers(path.name, file.values)
    notices = Notices(file.notices)
    labels = _slicer_labels(path.name, file.metadata, layers.shape[3]) if nrrd else []
    undrawn: tuple[str, ...] = ()
    if labels:
        notices += _check_voxels(path.name, labels, layers)
    else:
        labels, undrawn = _named_labels(path, layers, table, notices)
    return Segmentation(file.grid, tuple(_segments(labels, layers)), tuple(notices), undrawn=undrawn)


def is_contours(path: Path) -> bool:
    """Whether a file is a DICOM RT Structure Set, which needs the image that it was drawn on."""
    try:
        with path.open("rb") as stream:
            if not is_dicom(stream.read(HEAD_BYTES)):
                return False
        return bool(pydicom.dcmread(path, force=True, specific_tags=["Modality"]).get("Modality") == CONTOURS)
    except Exception:  # pydicom raises whatever its parser met; reading the file tells what is wrong
        return False


def write_segmentation(path: Path, segmentation: Segmentation) -> None:
    """Write a .seg.nrrd that 3D Slicer reads, whole or not at all.

    Segments that do not overlap share a layer. Raises InputRefused where the file exists ("segmentation-exists"), its
    name does not end in .seg.nrrd, the segmentation is empty, or two segments have one id.
    """
    path = Path(path)
    if not path.name.endswith(".seg.nrrd"):
        raise InputRefused(
            "segmentation-name", "{file} must end in .seg.nrrd for Slicer to see a segmentation", file=path.name
        )
    ids = [segment.id for segment in segmentation.segments]
    if not ids or len(set(ids)) < len(ids):
        raise InputRefused(
            "segmentation-ids", "{file}: a segmentation needs segments, each with an id of its own", file=path.name
        )
    if any(segment.mask.shape != segmentation.grid.shape for segment in segmentation.segments):
        raise InputRefused("segmentation-shape", "{file}: a mask is not on the segmentation's grid", file=path.name)
    if path.exists():
        raise InputRefused("segmentation-exists", "{file} exists; remove it or choose another name", file=path.name)
    layers, places = _layered([segment.mask for segment in segmentation.segments])
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            file.write(_header(segmentation, layers, places).encode())
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0, filename="") as packed:
                packed.write(np.ascontiguousarray(layers).data)
        unfinished.rename(path)
    except OSError as error:
        raise InputRefused(
            "segmentation-write", "{file} cannot be written ({strerror})", file=path.name, strerror=error.strerror
        ) from None
    finally:
        unfinished.unlink(missing_ok=True)


def _layers(file: str, stored: NDArray[Any]) -> NDArray[np.integer]:
    """Labels (k, j, i, layer), whatever number type they are stored in."""
    values = stored.reshape(*stored.shape[:3], -1)
    if not np.issubdtype(values.dtype, np.integer):
        rounded = np.rint(values)
        if (
            not np.isfinite(values).all()
            or np.abs(values - rounded).max() > 0
            or np.abs(rounded).max() > HIGHEST_LABEL
        ):
            raise InputRefused(
                "segmentation-values",
                "{file} holds fractions: it is an image, not a label map; name the file of the regions",
                file=file,
            )
        values = rounded.astype(np.int32)
    if values.min() < 0 or values.max() > HIGHEST_LABEL:
        raise InputRefused(
            "segmentation-values",
            "{file} holds {lowest} to {highest}: it is an image, not a label map; name the file of the regions",
            file=file,
            lowest=values.min(),
            highest=values.max(),
        )
    return np.asarray(values.astype(np.int32) if values.dtype.itemsize == 8 else values)


def _segments(labels: Iterable[_Label], layers: NDArray[np.integer]) -> Iterable[Segment]:
    boxes = [_boxes(layers[..., layer]) for layer in range(layers.shape[3])]
    for label in labels:
        box = boxes[label.layer][label.value - 1] if label.value <= len(boxes[label.layer]) else None
        mask = _mask(layers[..., label.layer], label.value, box)
        yield Segment(label.id, label.name, mask, label.color, label.tags or {})


def _boxes(labels: NDArray[np.integer]) -> list[tuple[slice, ...] | None]:
    """The box of each label from 1 on, None where it holds no voxel; they are looked for where anything is drawn."""
    if not labels.any():
        return []
    whole = box_of(labels)
    return [
        box and tuple(slice(a.start + b.start, a.start + b.stop) for a, b in zip(whole, box, strict=True))
        for box in ndimage.find_objects(labels[whole])
    ]


def _mask(labels: NDArray[np.integer], value: int, box: tuple[slice, ...] | None) -> NDArray[np.bool_]:
    """Where the labels are ``value``, all of it within ``box`` (None: nowhere)."""
    # Pages of zeros that are never written take no memory: a small segment on a large grid stays small.
    mask = np.zeros(labels.shape, dtype=bool)
    if box is not None:
        mask[box] = labels[box] == value
    mask.flags.writeable = False
    return mask


# --- Slicer's .seg.nrrd: the keys of vtkMRMLSegmentationStorageNode -------------------------------------------------


def _slicer_labels(file: str, header: Mapping[str, str], layer_count: int) -> list[_Label]:
    """The segments that the header describes; none for a plain label map."""
    indices = sorted(int(found[1]) for key in header if (found := SEGMENT_ID.fullmatch(key)))
    if not indices:
        return []
    if "Segmentation_Extent" in header:
        raise InputRefused(
            "segmentation-legacy", "{file} is in Slicer's format before 4.11; save it from Slicer anew", file=file
        )
    sources = (header.get(f"Segmentation_{name}Representation", BINARY_LABELMAP) for name in ("Master", "Source"))
    source = next((source for source in sources if source != BINARY_LABELMAP), None)
    if source:
        raise InputRefused(
            "segmentation-source", "{file} holds a {source}; save it as a binary labelmap", file=file, source=source
        )
    labels = []
    for index in indices:
        segment_id = header[f"Segment{index}_ID"]
        layer = _whole(file, header.get(f"Segment{index}_Layer", str(index)))
        value = _whole(file, header.get(f"Segment{index}_LabelValue", "1"))
        if not 0 <= layer < layer_count or not 1 <= value <= HIGHEST_LABEL:
            raise InputRefused(
                "segmentation-layer",
                "{file}: segment {index} points to layer {layer}, label {value}, of {layer_count} layers",
                file=file,
                index=index,
                layer=layer,
                value=value,
                layer_count=layer_count,
            )
        labels.append(
            _Label(
                id=segment_id,
                name=header.get(f"Segment{index}_Name", segment_id),
                layer=layer,
                value=value,
                color=_color(header.get(f"Segment{index}_Color", "").split()),
                tags=_tags(header.get(f"Segment{index}_Tags", "")),
            )
        )
    if len({label.id for label in labels}) < len(labels):
        raise InputRefused("segmentation-ids", "{file}: two segments have one id; save it from Slicer anew", file=file)
    return labels


def _check_voxels(file: str, labels: Sequence[_Label], layers: NDArray[np.integer]) -> list[Notice]:
    """Refuse ("segmentation-layer") voxels that two segments claim by one label, and tell of those that none has."""
    unclaimed: list[int] = []
    for layer in range(layers.shape[3]):
        for value, box in enumerate(_boxes(layers[..., layer]), 1):
            names = [label.name for label in labels if (label.layer, label.value) == (layer, value)]
            if box is not None and len(names) > 1:
                raise InputRefused(
                    "segmentation-layer",
                    "{file}: the segments '{one}' and '{other}' point to the same voxels (layer {layer}, label "
                    "{value}); save it from Slicer anew",
                    file=file,
                    one=names[0],
                    other=names[1],
                    layer=layer,
                    value=value,
                )
            if box is not None and not names:
                unclaimed.append(value)
    return _undescribed(file, unclaimed)


def _undescribed(file: str, labels: Collection[int]) -> list[Notice]:
    """Tell of voxels whose labels no segment has."""
    if not labels:
        return []
    return [
        Notice(
            "segmentation-undescribed",
            "{file}: voxels of label {labels} belong to no segment that its header describes, and were left out; save "
            "it from Slicer anew",
            file=file,
            labels=", ".join(map(str, sorted(set(labels)))),
        )
    ]


def _whole(file: str, text: str) -> int:
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", text) is None:
        raise InputRefused(
            "segmentation-layer", "{file}: '{text}' is not a layer or label value", file=file, text=text[:40]
        )
    return int(text)


def _tags(text: str) -> dict[str, str]:
    pairs = (entry.partition(":") for entry in text.split("|"))
    return {key: value for key, colon, value in pairs if colon}


def _color(parts: Sequence[str]) -> Color | None:
    try:
        red, green, blue = (float(part) for part in parts[:3])
    except ValueError:
        return None
    return (red, green, blue) if all(0 <= part <= 1 for part in (red, green, blue)) else None


def _layered(masks: Sequence[NDArray[np.bool_]]) -> tuple[NDArray[np.integer], list[tuple[int, int]]]:
    """Labels (k, j, i, layer) and each mask's (layer, label): the first layer where it overlaps nothing."""
    dtype = np.uint8 if len(masks) < 256 else np.uint16
    layers: list[NDArray[np.integer]] = []
    counts: list[int] = []
    places = []
    for mask in masks:
        free = (number for number, layer in enumerate(layers) if not layer[mask].any())
        layer = next(free, len(layers))
        if layer == len(layers):
            layers.append(np.zeros(mask.shape, dtype))
            counts.append(0)
        counts[layer] += 1
        layers[layer][mask] = counts[layer]
        places.append((layer, counts[layer]))
    return np.stack(layers, axis=-1), places


def _header(segmentation: Segmentation, layers: NDArray[np.integer], places: Sequence[tuple[int, int]]) -> str:
    matrix = segmentation.grid.ijk_to_lps
    listed = layers.shape[3] > 1
    vectors = " ".join(_vector(matrix[:3, axis]) for axis in range(3))
    sizes = " ".join(str(size) for size in segmentation.grid.shape[::-1])
    lines = [
        "NRRD0004",
        "# Complete NRRD file format specification at:",
        "# http://teem.sourceforge.net/nrrd/format.html",
        f"type: {'unsigned char' if layers.dtype == np.uint8 else 'unsigned short'}",
        f"dimension: {4 if listed else 3}",
        "space: left-posterior-superior",
        f"sizes: {layers.shape[3]} {sizes}" if listed else f"sizes: {sizes}",
        f"space directions: {'none ' if listed else ''}{vectors}",
        f"kinds: {'list ' if listed else ''}domain domain domain",
        *(["endian: little"] if layers.dtype == np.uint16 else []),
        "encoding: gzip",
        f"space origin: {_vector(matrix[:3, 3])}",
    ]
    for index, (segment, (layer, value)) in enumerate(zip(segmentation.segments, places, strict=True)):
        entries = {
            "Color": " ".join(f"{part:.6g}" for part in segment.color or (0.5, 0.5, 0.5)),
            "ColorAutoGenerated": "1" if segment.color is None else "0",
            "Extent": _extent(segment.mask),
            "ID": segment.id,
            "LabelValue": str(value),
            "Layer": str(layer),
            "Name": segment.name,
            "NameAutoGenerated": "0",
            "Tags": "".join(f"{key}:{text}|" for key, text in segment.tags.items()),
        }
        lines += [f"Segment{index}_{key}:={_escaped(text)}" for key, text in entries.items()]
    lines += [
        f"Segmentation_ContainedRepresentationNames:={BINARY_LABELMAP}|",
        f"Segmentation_ConversionParameters:={_reference_geometry(segmentation.grid)}",
        f"Segmentation_MasterRepresentation:={BINARY_LABELMAP}",
        "Segmentation_ReferenceImageExtentOffset:=0 0 0",
    ]
    return "\n".join(lines) + "\n\n"


def _vector(values: NDArray[np.float64]) -> str:
    return "(" + ",".join(repr(float(value)) for value in values) + ")"


def _escaped(text: str) -> str:
    """NRRD key/value pairs write a backslash as \\\\ and a line break as \\n."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "")


def _extent(mask: NDArray[np.bool_]) -> str:
    """First and last voxel along i, j and k, as Slicer writes it; "0 -1 0 -1 0 -1" for an empty segment."""
    if not mask.any():
        return "0 -1 0 -1 0 -1"
    return " ".join(f"{side.start} {side.stop - 1}" for side in reversed(box_of(mask)))


def _reference_geometry(grid: Grid) -> str:
    """Slicer's conversion parameter that keeps the grid: IJK to RAS by rows, then the extent."""
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.ijk_to_lps
    extent = [number for size in grid.shape[::-1] for number in (0, size - 1)]
    values = "".join(f"{value};" for value in [*(repr(float(v)) for v in to_ras.ravel()), *extent])
    return f"Reference image geometry|{values}|Image geometry description string.&"


# --- Label maps and their tables ------------------------------------------------------------------------------------


def _named_labels(
    path: Path, layers: NDArray[np.integer], table: Path | None, notices: Notices
) -> tuple[list[_Label], tuple[str, ...]]:
    """The labels that hold voxels, and the names of those that hold none; 0 is the background."""
    if layers.shape[3] > 1:
        raise InputRefused(
            "segmentation-shape", "{file} holds several values a voxel and names no segment", file=path.name
        )
    beside = [] if table else _tables_beside(path)
    table = table or table_of(path)
    names = _label_table(table) if table else {}
    for other in beside:
        _check_same_names(table, names, other)
    own = names_in_header(path) if is_nifti(path) else {}
    if table:
        notices += _other_names(path, table, names, own)
    else:
        names = {value: (name, None) for value, name in own.items()}
    values = [index for index, box in enumerate(ndimage.find_objects(layers[..., 0]), 1) if box is not None]
    unnamed = [value for value in values if value not in names]
    if not values:
        raise InputRefused(
            "segmentation-empty", "{file} holds no label; draw the regions, or name another file", file=path.name
        )
    if table and unnamed and 0 in names and not BACKGROUND.fullmatch(names[0][0]) and max(values) == max(names) + 1:
        raise InputRefused(
            "segmentation-table",
            "{table} counts from 0, where '{name}' stands and a label map has its background, and {file} holds "
            "labels up to {highest}: number the table's rows as the labels are",
            table=table.name,
            name=names[0][0],
            file=path.name,
            highest=max(values),
        )
    if unnamed:
        where = table.name if table else "no table beside it"
        notices.add(
            "segmentation-unnamed",
            "{path_name}: {n_unnamed} labels without a name ({where}), such as {unnamed}",
            path_name=path.name,
            n_unnamed=len(unnamed),
            where=where,
            unnamed=unnamed[0],
        )
    known = {value: names.get(value, (f"Segment_{value}", None)) for value in values}
    undrawn = tuple(name for value, (name, _) in names.items() if value and value not in values)
    return [_Label(f"Segment_{value}", name, 0, value, color) for value, (name, color) in known.items()], undrawn


def _tables_beside(path: Path) -> list[Path]:
    """The files of a label map's own name that may hold the names of its labels, the one that is taken first."""
    stem = re.sub(r"(\.nii(\.gz)?|\.nrrd|\.nhdr)$", "", path.name, flags=re.IGNORECASE)
    found = (path.with_name(stem + suffix) for suffix in TABLE_SUFFIXES)
    return [file for file in found if file.is_file()]


def _check_same_names(table: Path | None, names: Labels, other: Path) -> None:
    """Refuse ("segmentation-tables") a second table that calls a label otherwise; what is no table says nothing."""
    try:
        its = _label_table(other)
    except InputRefused:
        return
    differs = next((value for value, (name, _) in its.items() if value in names and names[value][0] != name), None)
    if table is not None and differs is not None:
        raise InputRefused(
            "segmentation-tables",
            "{table} calls label {value} '{name}', and {other} calls it '{its}'; keep one of the two tables",
            table=table.name,
            value=differs,
            name=names[differs][0],
            other=other.name,
            its=its[differs][0],
        )


def _other_names(path: Path, table: Path, names: Labels, own: Mapping[int, str]) -> list[Notice]:
    """Tell of a table that calls a label otherwise than the file's own header, but for how it is spelled."""

    def plainly(name: str) -> str:
        return re.sub(r"[^a-z0-9]", "", name.lower())

    for value, name in own.items():
        listed = names[value][0] if value in names else name
        here, there = plainly(listed), plainly(name)
        if not (here.endswith(there) or there.endswith(here)):
            return [
                Notice(
                    "segmentation-names",
                    "{table} calls label {value} '{listed}', and the header of {file} calls it '{name}'; the table is "
                    "taken",
                    table=table.name,
                    value=value,
                    listed=listed,
                    file=path.name,
                    name=name,
                )
            ]
    return []


def table_of(path: Path) -> Path | None:
    """The table that names a label map's labels: of its own name beside it, else inherited in a BIDS dataset, else
    nnU-Net's of the folder."""
    beside = next(iter(_tables_beside(path)), None)
    of_folder = path.with_name(NNUNET_TABLE)
    return beside or next(reversed(inherited(path, ".tsv")), of_folder if of_folder.is_file() else None)


def _label_table(path: Path) -> Labels:
    """Names and colors by label value.

    Raises InputRefused ("segmentation-table") for what is no label value, and for one that has two names; and what
    reading the table raises.
    """
    rows = _of_json if path.suffix == ".json" else _of_columns if path.suffix in (".tsv", ".csv") else _of_text
    labels: Labels = {}
    for value, name, color in rows(path):
        if not 0 <= value <= HIGHEST_LABEL or value != int(value):
            raise InputRefused(
                "segmentation-table",
                "{file}: {value:g} is no value of a label; write whole numbers from 0 to {highest}",
                file=path.name,
                value=value,
                highest=HIGHEST_LABEL,
            )
        if int(value) in labels:
            raise InputRefused(
                "segmentation-table", "{file}: label {value:g} has two names; keep one", file=path.name, value=value
            )
        labels[int(value)] = (name, color)
    return labels


def _of_text(path: Path) -> Rows:
    """3D Slicer's and FreeSurfer's color tables, ITK-SNAP's label descriptions."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InputRefused("table-encoding", "{file} is not a readable UTF-8 text", file=path.name) from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = SNAP_ROW.fullmatch(line) or COLOR_ROW.fullmatch(line)
        if match is None:
            raise InputRefused(
                "table-row",
                "{file} line {number} is not: label name red green blue alpha (as 3D Slicer and FreeSurfer write "
                "them), nor one of ITK-SNAP's label descriptions; name the labels in a .tsv with the columns index "
                "and name",
                file=path.name,
                number=number,
            )
        yield int(match["label"]), match["name"], _color([str(int(part) / 255) for part in match.group("r", "g", "b")])


def _of_json(path: Path) -> Rows:
    """{"1": "cord"} or {"cord": 1}, alone or, among other things, under "labels"; none in JSON of another kind.

    Raises InputRefused ("segmentation-table") for one name of several labels, as nnU-Net's regions have it.
    """
    content = read_json(path)
    nested = content.get("labels")
    listed = nested if isinstance(nested, dict) else content
    by_value = {key: name for key, name in listed.items() if key.isdecimal() and isinstance(name, str)}
    # A bool is no label.
    by_name = {name: value for name, value in listed.items() if type(value) is int and 0 <= value <= HIGHEST_LABEL}
    if len(by_value) + len(by_name) < len(listed):
        if isinstance(nested, dict):
            raise InputRefused(
                "segmentation-table",
                "{file}: '{key}' is no name of one label; name every label by itself",
                file=path.name,
                key=next(key for key in listed if key not in by_value and key not in by_name),
            )
        by_name = {}  # numbers in JSON that describes an image are no labels
    for value, name in [*by_value.items(), *((value, name) for name, value in by_name.items())]:
        yield float(value), name, None


def _of_columns(path: Path) -> Rows:
    """Tables with a column of values and one of names, such as BIDS' index and name, and perhaps one of colors."""
    columns = {re.sub(r"[^a-z]", "", column.name.lower()): column for column in read_table(path)}
    index = next((columns[name] for name in ("index", "labelvalue", "label", "value", "id") if name in columns), None)
    name = next((columns[key] for key in ("name", "labelname", "region") if key in columns), None)
    if index is None or name is None:
        raise InputRefused(
            "segmentation-table",
            "{file} needs the columns index and name, a row for every label; add them",
            file=path.name,
        )
    colors = columns["color"].cells if "color" in columns else ("",) * len(name.cells)
    for value, text, color in zip(index.numbers(), name.words(), colors, strict=True):
        digits = re.fullmatch(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})", color)
        yield float(value), text, _color([str(int(part, 16) / 255) for part in digits.groups()]) if digits else None


# --- DICOM ----------------------------------------------------------------------------------------------------------


def _read_dicom(path: Path, on: Grid | None) -> Segmentation:
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)  # some systems write no preamble
        if dataset.get("Modality") == CONTOURS:
            return read_contours(path.name, dataset, on)
        if dataset.get("Modality") != "SEG":
            raise InputRefused(
                "segmentation-format",
                "{file} is DICOM {dataset}, neither SEG nor RTSTRUCT",
                file=path.name,
                dataset=dataset.get("Modality"),
            )
        if dataset.get("SegmentationType") == "FRACTIONAL" and not dataset.get("MaximumFractionalValue"):
            raise InputRefused(
                "segmentation-fractional",
                "{file} holds fractional segments and does not state which value is a whole voxel "
                "(MaximumFractionalValue); save it as binary",
                file=path.name,
            )
        bits = tuple(dataset.get(name) for name in ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"))
        if None not in bits and bits not in ((1, 1, 0, 0), (8, 8, 7, 0), (16, 16, 15, 0)):  # PS3.3, C.8.20.2
            raise InputRefused(
                "segmentation-bits",
                "{file} states {bits} (BitsAllocated, BitsStored, HighBit, PixelRepresentation), as no segmentation "
                "may; export it again",
                file=path.name,
                bits=", ".join(map(str, bits)),
            )
        import highdicom  # slow to load, and needed here alone

        notices = Notices(lossy_notices(path.name, is_lossy(dataset)))
        numbers = _segment_numbers(path.name, dataset, notices)
        described = len(dataset.get("PerFrameFunctionalGroupsSequence", ()))
        if dataset.get("NumberOfFrames") != described:
            raise InputRefused(
                "segmentation-dicom",
                "{file} states {stated} frames (NumberOfFrames) and describes {described}; export it again",
                file=path.name,
                stated=str(dataset.get("NumberOfFrames")),
                described=described,
            )
        reference = str(dataset.get(FRAME_OF_REFERENCE) or "")
        whole = _completed(path.name, pydicom.dcmread(path, force=True), notices)
        file = highdicom.seg.Segmentation.from_dataset(whole, copy=False)
        return replace(
            _dicom_segments(path.name, file, numbers, notices),
            notices=tuple(notices),
            frame_of_reference_key=key_of(reference) if reference else None,
        )
    except InputRefused:
        raise
    except Exception as error:  # highdicom and pydicom raise many kinds for files that break the standard
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise InputRefused(
            "segmentation-dicom",
            "{file} is not a usable DICOM SEG or RTSTRUCT: {reason}; export it again, or save it in 3D Slicer as "
            ".seg.nrrd",
            file=path.name,
            reason=reason[0][:160],
        ) from None


def _segment_numbers(file: str, dataset: pydicom.Dataset, notices: Notices) -> list[int]:
    """The numbers of the segments, without a label map's background; frames of no described segment are told.

    Raises InputRefused ("segmentation-ids") where two segments have one number.
    """
    labels = dataset.get("SegmentationType") == LABELMAP
    numbers = [int(segment.SegmentNumber) for segment in dataset.get("SegmentSequence", ())]
    twice = next((number for number in numbers if numbers.count(number) > 1), None)
    if twice is not None:
        raise InputRefused(
            "segmentation-ids",
            "{file}: two segments have the number {number}, so that it is not known which is which; export it again",
            file=file,
            number=twice,
        )
    used = {
        int(item.ReferencedSegmentNumber)
        for group in _groups(dataset)
        for item in group.get("SegmentIdentificationSequence", ())
        if "ReferencedSegmentNumber" in item
    }
    if not labels:
        notices += _undescribed(file, used - set(numbers))
    return [number for number in numbers if number > 0 or not labels]


def _completed(file: str, dataset: pydicom.Dataset, notices: Notices) -> pydicom.Dataset:
    """The object with what the standard wants and some makers and anonymizers leave out, and without the references
    to its images; no voxel rests on either. What is said of a segment in their place is told."""
    for segment in dataset.SegmentSequence:
        lacking = [keyword for keyword in DESCRIBED if not _is_described(segment, keyword)]
        for keyword in lacking:
            setattr(segment, keyword, f"Segment {segment.SegmentNumber}" if keyword == LABEL else [_tissue()])
        if not segment.get(ALGORITHM):
            setattr(segment, ALGORITHM, "MANUAL")
        if lacking:
            notices.add(
                "segmentation-undescribed",
                "{file}: segment {number} states no {lacking}; make sure that it is what it is taken for: {label}",
                file=file,
                number=int(segment.SegmentNumber),
                lacking=", ".join(lacking),
                label=str(segment.SegmentLabel),
            )
    for keyword in IDENTIFIERS:
        if not dataset.get(keyword):
            setattr(dataset, keyword, pydicom.uid.generate_uid())
    for item in (dataset, *_groups(dataset)):
        for keyword in REFERENCES:
            if keyword in item:
                delattr(item, keyword)
        for measures in item.get("PixelMeasuresSequence", ()):
            if not measures.get("SliceThickness") and measures.get("SpacingBetweenSlices"):
                measures.SliceThickness = measures.SpacingBetweenSlices
    return dataset


def _groups(dataset: pydicom.Dataset) -> list[pydicom.Dataset]:
    """The functional groups that all frames share, and those of every frame."""
    return [*dataset.get("SharedFunctionalGroupsSequence", ()), *dataset.get("PerFrameFunctionalGroupsSequence", ())]


def _is_described(segment: pydicom.Dataset, keyword: str) -> bool:
    """Whether a segment states this of DESCRIBED, a code with all that makes one."""
    stated = segment.get(keyword)
    if keyword == LABEL or not stated:
        return bool(stated)
    return all(any(stated[0].get(part) for part in either) for either in PARTS_OF_CODE)


def _tissue() -> pydicom.Dataset:
    code = pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "85756007", "SCT", "Tissue"
    return code


def _dicom_segments(
    file: str, read: "highdicom.seg.Segmentation", numbers: Sequence[int], notices: Notices
) -> Segmentation:
    segments = []
    grid = None
    # Asked for one segment alone, highdicom takes the numbers of a label map by their last eight bits.
    whole = read.get_volume(combine_segments=True) if read.get("SegmentationType") == LABELMAP else None
    for number in numbers:
        volume = whole or read.get_volume(segment_numbers=[number])
        if grid is None:
            # highdicom orders (slice, row, column) and maps to LPS.
            grid = Grid(volume.spatial_shape, volume.affine[:, [2, 1, 0, 3]])
        description = read.get_segment_description(number)
        tags = _dicom_tags(description, read.get("Manufacturer") == OWN_MANUFACTURER)
        label = description.segment_label
        if GENERIC_LABEL.fullmatch(label.strip()) and TAG_PREFIX + "Structure" in tags:
            label = f"{description.segmented_property_type.meaning} ({label})"
        mask = _drawn(file, label, volume.array[..., 0]) if whole is None else whole.array == number
        mask.flags.writeable = False
        segments.append(Segment(f"Segment_{number}", label, mask, None, tags))
    if grid is None:
        raise InputRefused(
            "segmentation-empty", "{file} holds no segment; draw the regions, or name another file", file=file
        )
    if whole is not None:
        background = {0, read.get("PixelPaddingValue", 0)}
        notices += _undescribed(file, set(np.unique(whole.array).tolist()) - background - set(numbers))
    return Segmentation(grid, tuple(segments))


def _drawn(file: str, label: str, values: NDArray[Any]) -> NDArray[np.bool_]:
    """A segment's voxels; of a fractional one, which may hold nothing but 0 and all of a voxel.

    Raises InputRefused ("segmentation-fractional").
    """
    if not np.isin(values, (0, 1)).all():
        raise InputRefused(
            "segmentation-fractional",
            "{file}: the segment '{label}' holds fractions of voxels; save it as binary",
            file=file,
            label=label,
        )
    box = next(iter(ndimage.find_objects(values.astype(np.uint8))), None)
    return _mask(values, 1, box)


def _dicom_tags(description: "highdicom.seg.SegmentDescription", own: bool) -> dict[str, str]:
    """Category and type, alone and as Slicer's terminology tag; with the tags that our own objects were made from."""
    category, kind = (
        f"{code.scheme_designator}^{code.value}^{code.meaning}"
        for code in (description.segmented_property_category, description.segmented_property_type)
    )
    tags = {"SegmentedPropertyCategory": category, "SegmentedPropertyType": kind}
    tags["TerminologyEntry"] = TERMINOLOGY.format(category=category, kind=kind)
    code = description.segmented_property_type
    structure = STRUCTURES_BY_CODE.get((code.scheme_designator, code.value)) if own else None
    if not own and GENERIC_LABEL.fullmatch(description.segment_label.strip()):
        from pydicom.sr.coding import Code  # brings long lists, which nothing else needs

        # pydicom takes the SNOMED codes of old, "SRT", for those of now.
        known = Code(code.value, code.scheme_designator, code.meaning)
        structure = next(
            (STRUCTURES_BY_CODE["SCT", concept] for concept in FOREIGN if Code(concept, "SCT", code.meaning) == known),
            None,
        )
    if structure is None:
        return tags
    found = {"Structure": structure, "Side": "midline"}
    for modifier in description.SegmentedPropertyTypeCodeSequence[0].get(
        "SegmentedPropertyTypeModifierCodeSequence", ()
    ):
        found["Side"] = SIDES_BY_CODE.get(str(modifier.get("CodeValue")), found["Side"])
    for region in description.get("AnatomicRegionSequence", ()):
        for modifier in region.get("AnatomicRegionModifierSequence", ()):
            place = LEVEL_MEANING.fullmatch(str(modifier.get("CodeMeaning")))
            if modifier.get("CodingSchemeDesignator") == PRIVATE_SCHEME and place:
                found |= {name: value for name, value in place.groupdict().items() if value}
    return tags | {TAG_PREFIX + name: value for name, value in found.items()}
