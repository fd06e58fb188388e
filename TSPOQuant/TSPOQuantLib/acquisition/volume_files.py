"""Voxels of NIfTI, NRRD and MetaImage files as they are written, with every check that the files allow.

SimpleITK tells where the voxels lie in space, and no more: ITK before version 6 fills the missing end of a cut file,
does not look at gzip's checksum, and turns NaN and infinity of a NIfTI file into 0.
Sources: nifti1.h (NIfTI-1.1), the NRRD format definition of teem, ITK's MetaIO documentation.
"""

import bz2
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..grid import Grid
from ..lazy_modules import simpleitk
from ..messages import InputRefused, Notice
from .files import content_of
from .large import LET_GO_BYTES, Frames, StoredFrames, is_large, let_go, mapped, of_file, room

NIFTI_SUFFIXES = (".nii", ".nii.gz")
# By NIfTI's datatype code.
NIFTI_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
NRRD_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}
META_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
UNREADABLE = ("nifti-unreadable", "nifti-truncated", "nifti-damaged", "nifti-surplus")
"""Codes of files that are not what their header says."""
UNPLACED = "nifti-unplaced"
"""Code of the notice on a file that does not say where it lies."""
# The patient spaces that SimpleITK turns into LPS; it would take any other for LPS unasked.
NRRD_SPACES = ("left-posterior-superior", "right-anterior-superior", "left-anterior-superior")
SPATIAL_KINDS = ("domain", "space")
# qform and sform may differ by this part of a voxel: beyond it, a region drawn by one lies elsewhere by the other.
SAME_PLACE_VOXELS = 0.5
# Bytes of zeros that may follow the voxels: a block of a tape or of a disk.
PADDING = 4096
# Packed bytes that are unpacked at a time: what they unpack to fits the processor's cache.
CHUNK = 2**16
# A voxel smaller than this is no voxel.
TINY_MM3 = 1e-9
# No image of a person has smaller or larger voxels along an axis; a unit that has slipped shows there (a choice).
SMALLEST_VOXEL_MM, LARGEST_VOXEL_MM = 0.02, 100.0
# What a NIfTI header may say that its lengths are in.
LENGTH_UNITS = {1: "m", 3: "µm"}
# The largest volume that is believed of a header, in voxels: a 4-D PET of 128 GB.
MOST_VOXELS = 2**35


@dataclass(frozen=True)
class VoxelBlock:
    """Where the voxels of one file are and how they are written.

    content: the bytes that hold them, from ``start`` on. sizes: fastest axis first, as all three formats list them.
    packing: "raw", "gzip", "zlib", "bzip2" or "text". slope, intercept: of NIfTI's scaling, None without one.
    listed: the axis (counted as in ``sizes``) that is no axis of space, such as a segmentation's layers; None without.
    """

    name: str
    content: bytes | memoryview
    start: int
    dtype: np.dtype[Any]
    sizes: tuple[int, ...]
    packing: str = "raw"
    slope: float | None = None
    intercept: float = 0.0
    listed: int | None = None

    @property
    def length(self) -> int:
        """Bytes of the voxels, unpacked."""
        return int(np.prod(self.sizes, dtype=object)) * self.dtype.itemsize


@dataclass(frozen=True, eq=False)
class VolumeFile:
    """A file as read: stored values (…, k, j, i), a listed axis last; grid; NRRD's key/value pairs and the like.

    frames: instead of ``values``, of which there are none then, the frames of a large 4-D NIfTI. ceiling: what the
    highest number that its type can store stands for; None of floating-point numbers.
    """

    values: NDArray[Any]
    grid: Grid
    metadata: Mapping[str, str]
    notices: tuple[Notice, ...] = ()
    frames: StoredFrames | None = None
    ceiling: float | None = None


def is_nifti(path: Path) -> bool:
    return path.name.lower().endswith(NIFTI_SUFFIXES)


def is_volume_file(path: Path) -> bool:
    """Whether a path names a NIfTI, NRRD or MetaImage file, none of DICOM."""
    return path.name.lower().endswith((*NIFTI_SUFFIXES, ".nrrd", ".mha"))


def read_volume(path: Path, content: bytes | None = None, as_stored: bool = False) -> VolumeFile:
    """The stored voxels of a NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr) or MetaImage (.mha) file, scaled as it says.

    content: the file's, where it is known already. as_stored: whether frames that lie in a large file stay there.
    Values keep their type unless a NIfTI file scales them (float32 then). Raises InputRefused: "path-missing",
    "file-pointer"; and, whatever the format: UNREADABLE (none of these, cut, damaged, too long), "nifti-type"
    (colors), "nifti-scale", "nifti-orientation" (qform and sform differ), "nifti-sheared", "nifti-dimensions",
    "volume-unit" (voxels of an impossible size).
    """
    content = _content(path) if content is None else content
    block = _block(path, content)
    notices = _orientation_notices(path, content, block.sizes)
    grid, metadata = _placed(path, block)
    _check_placing(path, content, grid)
    _check_size(path, content, grid)
    if content[:4] == b"NRRD" and metadata.get("NRRD_space") not in NRRD_SPACES:
        notices = (*notices, _unspaced(path.name))
    values = _voxels(block)
    if as_stored and isinstance(values, Frames) and len(block.sizes) == len(grid.shape) + 1:
        frames = StoredFrames(values, 1.0 if block.slope is None else block.slope, block.intercept)
        return VolumeFile(values[:0], grid, metadata, notices, frames, _ceiling(block))
    return VolumeFile(_scaled(block, values), grid, metadata, notices, ceiling=_ceiling(block))


def read_grid(path: Path) -> Grid:
    """Where the voxels of such a file lie, by its header alone. Raises what ``read_volume`` raises of a header."""
    content = _content(path)
    grid = _placed(path, _block(path, content))[0]
    _check_placing(path, content, grid)
    return grid


def _content(path: Path) -> bytes:
    """The whole file; a large NIfTI file as memory that is read where it is looked at."""
    if is_nifti(path) and path.is_file() and is_large(path.stat().st_size):
        return cast(bytes, mapped(path))  # sliced it is bytes, and no more is asked of it
    return content_of(path)


def _block(path: Path, content: bytes) -> VoxelBlock:
    if is_nifti(path):
        return _nifti_block(path.name, content)
    if content[:4] == b"NRRD":
        return _nrrd_block(path, content)
    if b"ElementDataFile" in content[:10000]:
        return _meta_block(path.name, content)
    raise unreadable(path.name)


def unreadable(name: str) -> InputRefused:
    return InputRefused(
        "nifti-unreadable", "{file} cannot be read as a NIfTI, NRRD or MetaImage volume; export it again", file=name
    )


# --- The voxels -----------------------------------------------------------------------------------------------------


def _voxels(block: VoxelBlock) -> NDArray[Any]:
    """Stored values in numpy's order (slowest axis first), a listed axis moved to the end.

    Raises InputRefused: "nifti-truncated", "nifti-damaged", "nifti-surplus".
    """
    unpacked = memoryview(_unpacked(block))
    values = of_file(np.frombuffer(unpacked, block.dtype).reshape(block.sizes[::-1]), unpacked.obj)
    if not block.dtype.isnative:
        values = values.astype(block.dtype.newbyteorder("="))
    return values if block.listed is None else np.moveaxis(values, len(block.sizes) - 1 - block.listed, -1)


def _unpacked(block: VoxelBlock) -> bytes | memoryview:
    stored = memoryview(block.content)[block.start :]
    if block.packing == "text":
        return _from_text(block, stored)
    if block.packing == "raw":
        return _exactly(block, stored)
    if block.packing == "bzip2":
        try:
            return _exactly(block, memoryview(bz2.decompress(stored)))
        except (OSError, ValueError) as reason:
            raise damaged(block.name) from reason
    return _exactly(block, inflated(stored, block.length, block.name, block.packing))


def _exactly(block: VoxelBlock, found: memoryview) -> memoryview:
    """The voxels; nothing but a padding of zeros may follow them."""
    if len(found) < block.length:
        raise truncated(block.name, len(found) / max(block.length, 1))
    if len(found) > block.length + PADDING or any(found[block.length :]):
        raise _surplus(block.name)
    return found[: block.length]


def _from_text(block: VoxelBlock, stored: memoryview) -> bytes:
    try:
        numbers = np.array(bytes(stored).split(), dtype=block.dtype)
    except ValueError as reason:
        raise damaged(block.name) from reason
    wanted = block.length // block.dtype.itemsize
    if numbers.size < wanted:
        raise truncated(block.name, numbers.size / max(wanted, 1))
    if numbers.size > wanted:
        raise _surplus(block.name)
    return numbers.tobytes()


def inflated(stored: memoryview, length: int, name: str, packing: str = "gzip") -> memoryview:
    """``length`` bytes, and padding of at most PADDING, of gzip or zlib data whose checksums are right.

    Several gzip members in a row are one stream; zeros may follow. Raises InputRefused: "nifti-truncated",
    "nifti-damaged", "nifti-surplus".
    """
    kind, count, kept = zlib.MAX_WBITS | (16 if packing == "gzip" else 32), 0, 0
    store = room((length + PADDING,), np.uint8)
    found = memoryview(store)
    while any(stored[:PADDING]):
        if count and (packing != "gzip" or bytes(stored[:2]) != b"\x1f\x8b"):
            raise _surplus(name)
        member, at = zlib.decompressobj(kind), 0
        try:
            while not member.eof:
                part = member.decompress(stored[at : at + CHUNK])
                at += CHUNK
                if count + len(part) > len(found):
                    raise _surplus(name)
                found[count : count + len(part)] = part
                count += len(part)
                if count - kept > LET_GO_BYTES:
                    kept = count
                    let_go(store)
                if at >= len(stored) and not member.eof:
                    raise truncated(name, count / max(length, 1))
        except zlib.error as reason:
            raise damaged(name) from reason
        stored = stored[min(at, len(stored)) - len(member.unused_data) :]
    return found[:count]


def truncated(name: str, part: float) -> InputRefused:
    return InputRefused(
        "nifti-truncated",
        "{file} ends after {part:.1%} of its voxels; copy it again from its source",
        file=name,
        part=min(part, 0.999),
    )


def damaged(name: str) -> InputRefused:
    return InputRefused(
        "nifti-damaged", "{file} is damaged: its compressed data or their checksum are wrong; copy it again", file=name
    )


def _surplus(name: str) -> InputRefused:
    return InputRefused(
        "nifti-surplus",
        "{file} goes on after the voxels that its header counts; its header or its end is wrong: export it again",
        file=name,
    )


def _scaled(block: VoxelBlock, values: NDArray[Any]) -> NDArray[Any]:
    """NIfTI's slope x stored + intercept in float32, worked in double precision; as stored without a slope."""
    if block.slope is None:
        return values
    scaled = room(values.shape)
    for into, stored in zip(scaled.reshape(len(scaled), -1), values.reshape(len(values), -1), strict=True):
        np.add(stored * np.float64(block.slope), block.intercept, out=into, casting="unsafe")
    return scaled


def _ceiling(block: VoxelBlock) -> float | None:
    if block.dtype.kind not in "iu":
        return None
    return float(np.iinfo(block.dtype).max) * (block.slope or 1.0) + block.intercept


def _count(name: str, sizes: tuple[int, ...]) -> tuple[int, ...]:
    if not sizes or min(sizes) < 1 or np.prod(sizes, dtype=object) > MOST_VOXELS:
        raise unreadable(name)
    return sizes


# --- NIfTI ----------------------------------------------------------------------------------------------------------

_NIFTI_1 = {
    "dim": (40, "8h"), "datatype": (70, "h"), "pixdim": (76, "8f"), "vox_offset": (108, "f"), "scale": (112, "2f"),
    "units": (123, "B"), "codes": (252, "2h"), "quaternion": (256, "6f"), "srow": (280, "12f"),
}  # fmt: skip
_NIFTI_HEADER = 352


def _nifti_bytes(name: str, content: bytes) -> tuple[bytes, bool]:
    """The beginning of the file, unpacked, and whether it is packed."""
    packed = content[:2] == b"\x1f\x8b"
    if not packed:
        return content[:_NIFTI_HEADER], False
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content[:CHUNK], _NIFTI_HEADER), True
    except zlib.error as reason:
        raise damaged(name) from reason


@dataclass(frozen=True)
class _NiftiHeader:
    """The beginning of a NIfTI-1 file; order: "<" or ">"."""

    head: bytes
    order: str

    def __getitem__(self, field: str) -> tuple[Any, ...]:
        at, kind = _NIFTI_1[field]
        return struct.unpack_from(self.order + kind, self.head, at)


def _nifti_header(name: str, head: bytes) -> _NiftiHeader:
    for order in "<>":
        size = struct.unpack_from(f"{order}i", head)[0] if len(head) >= 348 else 0
        if size == 348 and head[344:348] == b"n+1\0":
            return _NiftiHeader(head, order)
        if size == 540:
            raise InputRefused("nifti-version", "{file} is NIfTI-2, which is not read; save it as NIfTI-1", file=name)
    raise unreadable(name)


def _nifti_block(name: str, content: bytes) -> VoxelBlock:
    head, packed = _nifti_bytes(name, content)
    header = _nifti_header(name, head)
    axes, *dim = header["dim"]
    if not 1 <= axes <= 7 or min(dim[:axes]) < 1:
        raise unreadable(name)
    kind = NIFTI_TYPES.get(header["datatype"][0])
    if kind is None:
        raise InputRefused(
            "nifti-type", "{file} holds colors or complex numbers, not one number a voxel; export it anew", file=name
        )
    (offset,) = header["vox_offset"]
    if not np.isfinite(offset) or (offset != 0 and offset < 348):
        raise unreadable(name)
    slope, intercept = header["scale"]
    scales = np.isfinite(slope) and slope != 0 and (slope, intercept) != (1.0, 0.0)
    if np.isinf(slope) or (scales and not np.isfinite(intercept)):
        raise InputRefused("nifti-scale", "{file}: scl_slope or scl_inter is no number; export it again", file=name)
    sizes = _without_empty_axes(tuple(int(size) for size in dim[:axes]))
    block = VoxelBlock(
        name,
        content,
        int(offset) or _NIFTI_HEADER,
        np.dtype(header.order + kind),
        _count(name, sizes),
        slope=float(slope) if scales else None,
        intercept=float(intercept) if scales else 0.0,
    )
    if not packed:
        return block
    return replace(block, content=inflated(memoryview(content), block.start + block.length, name))


def _without_empty_axes(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Of a NIfTI file: axes beyond space that are written and hold nothing are none, such as one before time."""
    return (*sizes[:3], *(size for size in sizes[3:] if size > 1))


def _nifti_placings(name: str, content: bytes) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Voxel index to NIfTI's RAS space, in mm, by qform and by sform; None where the file says that it has none."""
    header = _nifti_header(name, _nifti_bytes(name, content)[0])
    qform_code, sform_code = header["codes"]
    to_mm = {1: 1000.0, 3: 0.001}.get(header["units"][0] & 7, 1.0)
    qform = sform = None
    if qform_code > 0:
        b, c, d, *shift = header["quaternion"]
        flip, *sizes = header["pixdim"][:4]
        a = np.sqrt(max(0.0, 1.0 - b * b - c * c - d * d))
        unit = np.array([a, b, c, d]) / np.linalg.norm([a, b, c, d])
        a, b, c, d = unit.tolist()
        turn = np.array(
            [
                [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
                [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
                [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
            ]
        )
        qform = np.eye(4)
        qform[:3, :3] = turn * np.array([sizes[0], sizes[1], sizes[2] * (-1 if flip < 0 else 1)])
        qform[:3, 3] = shift
        qform[:3] *= to_mm
    if sform_code > 0:
        sform = np.eye(4)
        sform[:3] = np.reshape(header["srow"], (3, 4)) * to_mm
    return qform, sform


def _orientation_notices(path: Path, content: bytes, sizes: tuple[int, ...]) -> tuple[Notice, ...]:
    """Hold a NIfTI file's two placings against each other. Raises InputRefused: "nifti-orientation"."""
    if not is_nifti(path):
        return ()
    qform, sform = _nifti_placings(path.name, content)
    if qform is None and sform is None:
        return (
            Notice(
                UNPLACED,
                "{file} says neither by qform nor by sform where it lies in the patient, and which side is left; its "
                "axes were taken as they are",
                file=path.name,
            ),
        )
    if qform is None or sform is None:
        return ()
    if abs(np.linalg.det(qform[:3, :3])) < TINY_MM3 or abs(np.linalg.det(sform[:3, :3])) < TINY_MM3:
        raise InputRefused(
            "nifti-orientation", "{file}: its qform or sform has no volume; export it again", file=path.name
        )
    far = [float(size - 1) for size in (*sizes, 1, 1)[:3]]
    apart = _voxels_apart(qform, sform, far)
    if not apart <= SAME_PLACE_VOXELS:
        raise InputRefused(
            "nifti-orientation",
            "{file}: its qform and sform place it up to {apart:.3g} voxels apart, so that it is not known where it "
            "lies; write the right one over the other",
            file=path.name,
            apart=apart,
        )
    return ()


def _unspaced(name: str) -> Notice:
    return Notice(
        UNPLACED,
        "{file} does not say in its header (space) where it lies in the patient, and which side is left; its axes "
        "were taken as they are",
        file=name,
    )


def _check_placing(path: Path, content: bytes, grid: Grid) -> None:
    """Refuse ("nifti-orientation") a NIfTI file that SimpleITK places elsewhere than its qform or sform does: of an
    sform alone it takes the directions, and the sizes of the voxels from pixdim."""
    stated = (
        next((placing for placing in _nifti_placings(path.name, content) if placing is not None), None)
        if is_nifti(path)
        else None
    )
    if stated is None:
        return
    far = [float(size - 1) for size in grid.shape[::-1]]
    apart = _voxels_apart(np.diag([-1.0, -1.0, 1.0, 1.0]) @ stated, grid.ijk_to_lps, far)
    if not apart <= SAME_PLACE_VOXELS:
        raise InputRefused(
            "nifti-orientation",
            "{file}: its header contradicts itself by up to {apart:.3g} voxels on where it lies: the voxels are of "
            "another size by pixdim than by its qform or sform; correct the one that is wrong",
            file=path.name,
            apart=apart,
        )


def _voxels_apart(one: NDArray[np.float64], other: NDArray[np.float64], far: Sequence[float]) -> float:
    """How far a volume's corners lie apart by two placings, in voxels of the first; far: the last voxel's index."""
    corners = np.array([[i, j, k, 1.0] for i in (0.0, far[0]) for j in (0.0, far[1]) for k in (0.0, far[2])])
    return float(np.abs(corners @ (np.linalg.inv(one) @ other - np.eye(4)).T).max())


def _check_size(path: Path, content: bytes, grid: Grid) -> None:
    """Refuse ("volume-unit") voxels of a size that only a slip of unit can bring about."""
    size = next((step_mm for step_mm in grid.spacing_mm if not SMALLEST_VOXEL_MM <= step_mm <= LARGEST_VOXEL_MM), None)
    if size is None:
        return
    code = _nifti_header(path.name, _nifti_bytes(path.name, content)[0])["units"][0] & 7 if is_nifti(path) else 0
    raise InputRefused(
        "volume-unit",
        "{file}: its voxels are {size:.4g} mm long, since its header says that its lengths are in {unit} "
        "(xyzt_units); write there the unit that they are in, most likely mm"
        if code in LENGTH_UNITS
        else "{file}: its voxels are {size:.4g} mm long, as those of no scanner are: the lengths in its header are in "
        "another unit than mm; correct them",
        file=path.name,
        size=size,
        unit=LENGTH_UNITS.get(code),
    )


# --- NRRD -----------------------------------------------------------------------------------------------------------


def nrrd_fields(content: bytes) -> tuple[dict[str, str], int]:
    """Fields (names in lower case) of an NRRD header, and the byte after the header; 0 where it does not end."""
    fields: dict[str, str] = {}
    at = 0
    while at < len(content):
        end = content.find(b"\n", at)
        if end < 0:
            break
        line = content[at:end].rstrip(b"\r")
        at = end + 1
        if not line:
            return fields, at
        name, separator, value = line.decode("utf-8", "replace").partition(": ")
        if separator and ":=" not in name and not line.startswith(b"#"):
            fields[name.strip().lower()] = value.strip()
    return fields, 0


def listed_axis(fields: Mapping[str, str]) -> int | None:
    """The one axis that is no axis of space, counted from the fastest; None where every one is."""
    kinds = fields.get("kinds", "").lower().split()
    directions = re.findall(r"none|\([^)]*\)", fields.get("space directions", "").lower())
    marks = [direction == "none" for direction in directions] or [kind not in SPATIAL_KINDS for kind in kinds]
    return marks.index(True) if marks.count(True) == 1 else None


def _nrrd_block(path: Path, content: bytes) -> VoxelBlock:
    fields, start = nrrd_fields(content)
    kind = NRRD_TYPES.get(fields.get("type", "").lower())
    packing = {"gz": "gzip", "bz2": "bzip2", "txt": "text", "ascii": "text"}.get(
        fields.get("encoding", "").lower(), fields.get("encoding", "").lower()
    )
    try:
        sizes = tuple(int(size) for size in fields.get("sizes", "").split())
        skip = int(fields.get("byte skip", fields.get("byteskip", "0")))
        lines = int(fields.get("line skip", fields.get("lineskip", "0")))
    except ValueError as reason:
        raise unreadable(path.name) from reason
    if kind is None or packing not in ("raw", "gzip", "bzip2", "text"):
        raise unreadable(path.name)
    order = ">" if fields.get("endian", "little").lower() == "big" else "<"
    detached = fields.get("data file", fields.get("datafile"))
    name = path.name
    if detached is not None:
        content, start, name = content_of(path.parent / detached), 0, Path(detached).name
    elif not start:
        raise truncated(name, 0.0)
    for _ in range(lines):
        start = content.find(b"\n", start) + 1
    block = VoxelBlock(
        name, content, start, np.dtype(order + kind), _count(name, sizes), packing, listed=listed_axis(fields)
    )
    if skip == -1 and packing == "raw":
        skip = max(len(content) - block.length - start, 0)
    if skip and packing in ("gzip", "bzip2"):
        raise unreadable(path.name)
    return replace(block, start=start + skip)


# --- MetaImage ------------------------------------------------------------------------------------------------------


def _meta_block(name: str, content: bytes) -> VoxelBlock:
    end = content.find(b"\n", content.find(b"ElementDataFile"))
    fields = dict(re.findall(r"^\s*(\w+)\s*=\s*(.*?)\s*$", content[: max(end, 0)].decode("latin-1"), re.MULTILINE))
    kind = META_TYPES.get(fields.get("ElementType", ""))
    if (
        kind is None
        or fields.get("ElementDataFile") != "LOCAL"
        or int(fields.get("ElementNumberOfChannels", "1")) != 1
    ):
        raise unreadable(name)
    try:
        sizes = tuple(int(size) for size in fields["DimSize"].split())
    except (KeyError, ValueError) as reason:
        raise unreadable(name) from reason
    big = "true" in (fields.get("BinaryDataByteOrderMSB", "").lower(), fields.get("ElementByteOrderMSB", "").lower())
    packing = "zlib" if fields.get("CompressedData", "").lower() == "true" else "raw"
    if fields.get("BinaryData", "True").lower() != "true":
        packing = "text"
    return VoxelBlock(name, content, end + 1, np.dtype((">" if big else "<") + kind), _count(name, sizes), packing)


# --- Where they lie -------------------------------------------------------------------------------------------------


def _placed(path: Path, block: VoxelBlock) -> tuple[Grid, dict[str, str]]:
    """The grid in LPS mm as SimpleITK reads it from the header, and the header's key/value pairs."""
    reader = simpleitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as reason:
        if "orthonormal" in str(reason):
            raise InputRefused(
                "nifti-sheared", "{file} is sheared: its axes are not perpendicular; resample it", file=path.name
            ) from reason
        raise unreadable(path.name) from reason
    axes = reader.GetDimension()
    spatial = tuple(size for axis, size in enumerate(block.sizes) if axis != block.listed)
    seen = tuple(int(size) for size in reader.GetSize())
    if is_nifti(path):
        seen = _without_empty_axes(seen)
    if len(spatial) not in (3, 4) or len(seen) not in (3, 4) or (*spatial, 1)[: len(seen)] != seen:
        raise InputRefused(
            "nifti-dimensions",
            "{file} has {axes} dimensions; give a volume of three, or a series of volumes of four",
            file=path.name,
            axes=len(spatial),
        )
    matrix = np.eye(4)
    direction = np.array(reader.GetDirection()).reshape(axes, axes)[:3, :3]
    matrix[:3, :3] = direction * np.array(reader.GetSpacing()[:3])
    matrix[:3, 3] = reader.GetOrigin()[:3]
    keys = [key for key in reader.GetMetaDataKeys() if key.isprintable()]  # others are no text that can be asked for
    metadata = {key: reader.GetMetaData(key) for key in keys}
    return Grid((spatial[2], spatial[1], spatial[0]), matrix), metadata
