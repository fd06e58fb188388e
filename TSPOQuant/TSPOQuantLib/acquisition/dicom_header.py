"""The header of a DICOM file by one walk over its bytes, where the file is as plain as thousands of slices are.

A parser that knows all of DICOM takes milliseconds a file. Anything out of the ordinary ends the walk, and the file is
left to that parser.
"""

from collections.abc import Collection
from dataclasses import dataclass
from struct import Struct, error
from typing import NamedTuple

from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

NATIVE = (str(ImplicitVRLittleEndian), str(ExplicitVRLittleEndian))
PREAMBLE = 128
TRANSFER_SYNTAX, PIXEL_DATA = 0x00020010, 0x7FE00010
ITEM, END_OF_ITEM, END_OF_SEQUENCE = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF
# PS3.5, 7.1.2: whose length takes four bytes after two that are reserved, and the others.
LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
SHORT = frozenset(b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split())

_EXPLICIT = Struct("<HH2sH").unpack_from
_IMPLICIT = Struct("<HHL").unpack_from
_LENGTH = Struct("<L").unpack_from


class Element(NamedTuple):
    """A value as the file has it; VR is None where the file does not state it."""

    VR: str | None
    value: bytes


@dataclass(frozen=True, eq=False)
class PlainHeader:
    """Some elements of a header, by tag; ``dicom_values`` reads them as it reads pydicom's.

    pixels_at: byte at which the pixels start.
    """

    elements: dict[int, Element]
    pixels_at: int

    def get_item(self, tag: BaseTag) -> Element | None:
        return self.elements.get(int(tag))  # a tag of pydicom compares slowly


class _OutOfTheOrdinary(Exception):
    pass


def is_dicom(start: bytes) -> bool:
    """Whether a file that begins so looks like DICOM: with its preamble, or starting with group 0002 or 0008."""
    return start[PREAMBLE : PREAMBLE + 4] == b"DICM" or start[:2] in (b"\x02\0", b"\x08\0")


def plain_header(content: bytes, wanted: Collection[int]) -> PlainHeader | None:
    """The wanted elements of a file with uncompressed little-endian pixels; None where that is not clear.

    content: the file's beginning, with the whole header.
    """
    try:
        return _walked(content, wanted)
    except (_OutOfTheOrdinary, error):  # struct's: the content ends within an element
        return None


def _walked(content: bytes, wanted: Collection[int]) -> PlainHeader:
    if content[PREAMBLE : PREAMBLE + 4] != b"DICM":
        raise _OutOfTheOrdinary
    at, last, syntax = PREAMBLE + 4, 0, ""
    while content[at : at + 2] == b"\x02\0":
        tag, _, length, start = _element(content, at, False)
        if tag <= last or length == UNDEFINED:
            raise _OutOfTheOrdinary
        if tag == TRANSFER_SYNTAX:
            syntax = content[start : start + length].decode("latin-1").strip(" \0")
        at, last = start + length, tag
    if syntax not in NATIVE:
        raise _OutOfTheOrdinary
    implicit = syntax == NATIVE[0]
    if (content[at + 4 : at + 6] in LONG | SHORT) == implicit:  # it states one syntax and is written in the other
        raise _OutOfTheOrdinary
    found: dict[int, Element] = {}
    while True:
        tag, kind, length, start = _element(content, at, implicit)
        if tag <= last or tag > PIXEL_DATA:
            raise _OutOfTheOrdinary
        if tag == PIXEL_DATA:
            if length == UNDEFINED:
                raise _OutOfTheOrdinary
            return PlainHeader(found, start)
        if length == UNDEFINED:
            if kind not in (None, b"SQ") or tag in wanted:
                raise _OutOfTheOrdinary
            at = _end_of_sequence(content, start, implicit)
        else:
            if tag in wanted:
                found[tag] = Element(None if kind is None else kind.decode(), content[start : start + length])
            at = start + length
        last = tag


def _element(content: bytes, at: int, implicit: bool) -> tuple[int, bytes | None, int, int]:
    """Tag, VR, length of the value, and the byte at which it starts."""
    if implicit:
        group, number, length = _IMPLICIT(content, at)
        return group << 16 | number, None, length, at + 8
    group, number, kind, length = _EXPLICIT(content, at)
    if kind in SHORT:
        return group << 16 | number, kind, length, at + 8
    if kind not in LONG:
        raise _OutOfTheOrdinary
    return group << 16 | number, kind, _LENGTH(content, at + 8)[0], at + 12


def _end_of_sequence(content: bytes, at: int, implicit: bool) -> int:
    """The byte after a sequence of undefined length whose first item starts at ``at``."""
    while True:
        group, number, length = _IMPLICIT(content, at)
        at += 8
        if group << 16 | number == END_OF_SEQUENCE and length == 0:
            return at
        if group << 16 | number != ITEM:
            raise _OutOfTheOrdinary
        at = _end_of_item(content, at, implicit) if length == UNDEFINED else at + length


def _end_of_item(content: bytes, at: int, implicit: bool) -> int:
    """The byte after an item of undefined length whose first element starts at ``at``."""
    while True:
        group, number, length = _IMPLICIT(content, at)
        if group << 16 | number == END_OF_ITEM and length == 0:
            return at + 8
        _, kind, length, start = _element(content, at, implicit)
        if length != UNDEFINED:
            at = start + length
        elif kind in (None, b"SQ"):
            at = _end_of_sequence(content, start, implicit)
        else:
            raise _OutOfTheOrdinary
