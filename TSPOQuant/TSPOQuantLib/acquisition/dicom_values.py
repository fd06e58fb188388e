"""DICOM attributes as plain Python values: nothing here raises on what a file holds; absent or bad is None or ""."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime, time, timedelta, timezone
from functools import lru_cache

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag, Tag
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

from ..messages import Notice
from .dicom_header import PlainHeader

CHARACTER_SET = 0x00080005

Header = Dataset | PlainHeader


def text(header: Header, tag: BaseTag | int) -> str:
    """The element as text, values joined by a backslash, padding removed; "" when absent."""
    element = header.get_item(tag if isinstance(tag, BaseTag) else BaseTag(tag))
    value = None if element is None else element.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("latin-1").strip(" \0")
    if isinstance(value, Iterable) and not isinstance(value, str):
        return "\\".join(str(part).strip() for part in value)
    return str(value).strip(" \0")


def spoken_text(header: Header, tag: BaseTag | int) -> str:
    """The element as text in the file's own character set, as people would compare it; "" when absent."""
    element = header.get_item(tag if isinstance(tag, BaseTag) else BaseTag(tag))
    value = None if element is None else element.value
    if isinstance(value, bytes) and value.isascii() and b"\x1b" not in value:  # the same in every character set
        return value.decode().strip(" \0")
    if isinstance(value, bytes):
        try:
            sets = convert_encodings([part or "ISO_IR 6" for part in text(header, CHARACTER_SET).split("\\")])
            spoken = decode_bytes(value, sets, set(b"\\^="))
        except (LookupError, ValueError):
            spoken = value.decode("latin-1")
    else:
        spoken = str(value or "")
    return unicodedata.normalize("NFC", spoken.strip(" \0"))


def texts(header: Header, tag: BaseTag | int) -> tuple[str, ...]:
    """The element's values as upper-case text; () when absent."""
    return tuple(part.strip().upper() for part in text(header, tag).split("\\") if part.strip())


def number(header: Header, tag: BaseTag | int) -> float | None:
    """The first value of a DS or IS element (possibly nan); None when absent or not a number."""
    values = numbers(header, tag)
    return values[0] if values else None


def numbers(header: Header, tag: BaseTag | int) -> tuple[float, ...]:
    """All values of a DS or IS element; () when absent or when one is not a number."""
    try:
        return tuple(float(part) for part in text(header, tag).split("\\") if part.strip())
    except ValueError:
        return ()


def integer(header: Header, tag: BaseTag | int) -> int | None:
    """A US, SS, UL, IS or DS element as an integer; None when absent or not one."""
    element = header.get_item(tag if isinstance(tag, BaseTag) else BaseTag(tag))
    value = None if element is None else element.value
    if isinstance(value, bytes) and element is not None and element.VR not in ("IS", "DS") and len(value) in (2, 4):
        little_endian = getattr(element, "is_little_endian", True)
        return int.from_bytes(value, "little" if little_endian else "big")
    found = number(header, tag)
    return int(found) if found is not None and abs(found) < 2**53 and found == int(found) else None


LOSSY_SYNTAXES = (JPEGBaseline8Bit, JPEGExtended12Bit)
"""Those of which no form keeps the pixels."""


def is_lossy(header: Header) -> bool:
    """Whether the pixels went through a compression that changes them (0028,2110): once so, it stays so."""
    syntax = getattr(getattr(header, "file_meta", None), "TransferSyntaxUID", "")
    return syntax in LOSSY_SYNTAXES or text(header, Tag("LossyImageCompression")) == "01"


def lossy_notices(what: str, lossy: bool) -> tuple[Notice, ...]:
    """Tell of it; what: the image or file, in words."""
    if not lossy:
        return ()
    return (
        Notice(
            "dicom-lossy",
            "{what} went through a lossy compression (LossyImageCompression is 01), which changed its values: no "
            "measurement is to be trusted of it; use the original series",
            what=what,
        ),
    )


def real(header: Dataset, keyword: str) -> float | None:
    """An FD or FL element, which is binary; None when absent or not a number."""
    try:
        value = header.get(keyword)
        return None if value is None else float(value)
    except Exception:  # damaged bytes make pydicom raise whatever its decoder met
        return None


def items(header: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """The items of a sequence; none when it is absent, damaged or not a sequence."""
    try:
        value = header.get(keyword)
    except Exception:  # a damaged sequence makes pydicom raise whatever its parser met
        return ()
    return tuple(value) if isinstance(value, Sequence) else ()


def first_item(header: Dataset, keyword: str) -> Dataset:
    """The first item of a sequence; an empty data set when there is none."""
    return next(iter(items(header, keyword)), Dataset())


def differing_items(header: Dataset, keyword: str) -> int:
    """How many different items a sequence holds; 0 when it is absent or damaged."""
    return len({str(item) for item in items(header, keyword)})


_TIME = re.compile(r"(\d{2}):?(\d{2})?:?(\d{2})?(?:\.(\d{1,6}))?\d*$")
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})$")
_OFFSET = re.compile(r"(.*?)([+-])(\d{2})(\d{2})$")


@lru_cache(maxsize=4096)
def date_time(date: str, time_of_day: str) -> datetime | None:
    """DICOM DA and TM as a wall clock; None when either is absent or absurd. Old forms with separators are read."""
    day, clock = _DATE.match(date), _TIME.match(time_of_day)
    if day is None or clock is None:
        return None
    hour, minute, second, fraction = clock.groups()
    # A leap second ("60") is legal DICOM and unknown to datetime.
    seconds = int(second or 0)
    try:
        moment = datetime(int(day[1]), int(day[2]), int(day[3]), int(hour), int(minute or 0), min(seconds, 59))
        return moment + timedelta(seconds=seconds - min(seconds, 59), microseconds=int((fraction or "").ljust(6, "0")))
    except (ValueError, OverflowError):
        return None


def clock_of(text: str) -> time | None:
    """A time of day in 24 hours ("10:30:05.5", "103005"); None when it is none."""
    moment = date_time("20000101", text.strip())
    return moment.time() if moment else None


DAY = datetime(2000, 1, 1).date()
"""Any day, for times of day that belong to none."""


def clock_after(clock: time | None, seconds: float) -> time | None:
    """The time of day so many seconds later."""
    return None if clock is None else (datetime.combine(DAY, clock) + timedelta(seconds=seconds)).time()


def single_date_time(value: str, clock_offset: str = "") -> datetime | None:
    """DICOM DT as a wall clock in the file's own time zone; None when absent or absurd.

    ``clock_offset``: TimezoneOffsetFromUTC of the file. A DT with its own offset is moved to it when both are known,
    and taken as the scanner's wall clock otherwise.
    """
    own = _OFFSET.match(value)
    moment = date_time(*((own[1] if own else value)[:8], (own[1] if own else value)[8:]))
    here = _OFFSET.match("0" + clock_offset)
    if moment is None or own is None or here is None:
        return moment
    try:
        return moment.replace(tzinfo=_zone(own)).astimezone(_zone(here)).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return moment


def states_zone(value: str) -> bool:
    """Whether a DICOM DT states its own offset from UTC."""
    return _OFFSET.match(value) is not None


def _zone(offset: re.Match[str]) -> timezone:
    minutes = int(offset[3]) * 60 + int(offset[4])
    return timezone(timedelta(minutes=-minutes if offset[2] == "-" else minutes))
