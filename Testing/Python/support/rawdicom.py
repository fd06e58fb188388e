"""DICOM PET read from its bytes with numpy alone: what the program's numbers are held against must not share its
reader. Uncompressed little endian, implicit or explicit; standards PS3.5 7.1 and PS3.3 C.8.9."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

LONG = (b"OB", b"OW", b"OF", b"SQ", b"UT", b"UN", b"OD", b"OL", b"UC", b"UR")
ITEM, UNDEFINED, IMPLICIT = b"\xfe\xff\x00\xe0", 0xFFFFFFFF, b"1.2.840.10008.1.2"
SERIES_TIME, ACQUISITION_TIME, WEIGHT = (0x0008, 0x0031), (0x0008, 0x0032), (0x0010, 0x1030)
INJECTION_TIME, DOSE, HALF_LIFE, DURATION_MS = (0x0018, 0x1072), (0x0018, 0x1074), (0x0018, 0x1075), (0x0018, 0x1242)
POSITION, ROWS, COLUMNS = (0x0020, 0x0032), (0x0028, 0x0010), (0x0028, 0x0011)
SPACING, SLOPE, INTERCEPT, PIXELS = (0x0028, 0x0030), (0x0028, 0x1053), (0x0028, 0x1052), (0x7FE0, 0x0010)


def elements(path):
    """Values by tag, those within sequences as well; of one that stands twice the first."""
    data, at, found, explicit = path.read_bytes(), 132, {}, True
    while at + 8 <= len(data):
        tag = struct.unpack_from("<HH", data, at)
        if tag[0] == 0xFFFE:  # an item, or the end of one: what is in it follows
            at += 8
            continue
        if tag[0] != 2 and (0x0002, 0x0010) in found:
            explicit = found[(0x0002, 0x0010)].rstrip(b"\0 ") != IMPLICIT
        if not explicit:
            length, start = struct.unpack_from("<I", data, at + 4)[0], at + 8
        elif data[at + 4 : at + 6] in LONG:
            length, start = struct.unpack_from("<I", data, at + 8)[0], at + 12
        else:
            length, start = struct.unpack_from("<H", data, at + 6)[0], at + 8
        if length == UNDEFINED or data[start : start + 4] == ITEM:
            at = start
            continue
        found.setdefault(tag, data[start : start + length])
        at = start + length
    return found


@dataclass(frozen=True)
class RawPet:
    """starts_s: from the injection. suv (frames, k, j, i), k upward, in g/mL; spacing_mm along k, j, i."""

    starts_s: np.ndarray
    durations_s: np.ndarray
    suv: np.ndarray
    spacing_mm: np.ndarray

    def window_mean(self, begin_min, end_min):
        """The image of the window: every frame by the seconds that lie in it."""
        ends = self.starts_s + self.durations_s
        inside = np.minimum(ends, 60 * end_min) - np.maximum(self.starts_s, 60 * begin_min)
        return np.tensordot(np.clip(inside, 0, None), self.suv, 1) / np.clip(inside, 0, None).sum()


def read_raw(folder: Path, static: bool = False) -> RawPet:
    """A series in Bq/mL that is decay-corrected to its SeriesTime. static: beds of one scan, acquired one by one."""
    slices = [elements(path) for path in sorted(folder.rglob("*")) if path.is_file()]

    def text(one, tag):
        return one[tag].decode().strip(" \0")

    def seconds(one, tag):
        clock = text(one, tag)
        return 3600 * int(clock[:2]) + 60 * int(clock[2:4]) + float(clock[4:])

    def height(one):
        return float(text(one, POSITION).split("\\")[2])

    def values(one):
        shape = [struct.unpack("<H", one[tag])[0] for tag in (ROWS, COLUMNS)]
        stored = np.frombuffer(one[PIXELS], "<i2").reshape(shape)
        return stored * float(text(one, SLOPE)) + float(text(one, INTERCEPT))

    first = slices[0]
    since = seconds(first, SERIES_TIME) - seconds(first, INJECTION_TIME)
    decay = 2 ** (since / float(text(first, HALF_LIFE)))
    per_bq = float(text(first, WEIGHT)) * 1000 / float(text(first, DOSE)) * decay
    times = [0.0] if static else sorted({seconds(one, ACQUISITION_TIME) for one in slices})
    frames = [[one for one in slices if static or seconds(one, ACQUISITION_TIME) == at] for at in times]
    stacks = [sorted(frame, key=height) for frame in frames]
    heights = [height(one) for one in stacks[0]]
    starts = np.array([seconds(frame[0], ACQUISITION_TIME) for frame in frames]) - seconds(first, INJECTION_TIME)
    durations = np.array([float(text(frame[0], DURATION_MS)) / 1000 for frame in frames])
    activity = np.array([[values(one) for one in stack] for stack in stacks])
    between_rows = [float(value) for value in text(first, SPACING).split("\\")]
    return RawPet(starts, durations, activity * per_bq, np.array([np.diff(heights).mean(), *between_rows]))


def sphere_mean(image, spacing_mm, center):
    """Mean over a sphere of 1 cm³ round a voxel, shares of voxels by 21 points along each axis."""
    radius = (3 * 1000 / (4 * np.pi)) ** (1 / 3)
    reach = np.ceil(radius / spacing_mm).astype(int) + 1
    steps = (np.arange(21) + 0.5) / 21 - 0.5
    total = weight = 0.0
    for away in np.ndindex(*(2 * reach + 1)):
        off = np.array(away) - reach
        k, j, i = (((n + steps) * size) ** 2 for n, size in zip(off, spacing_mm, strict=True))
        share = (k[:, None, None] + j[:, None] + i <= radius**2).mean()
        if share:
            total, weight = total + share * image[tuple(center + off)], weight + share
    return total / weight
