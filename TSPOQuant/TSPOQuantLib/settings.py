"""Settings, each declared once, in the room that obeys it.

A setting is a field of a frozen dataclass. What the field says of itself here is all that the study file, ``--help``,
the panel, the comparison of visits and the table in README know of it, so that none of them can forget one.
"""

import dataclasses
import math
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any, Literal, TypeVar

from .messages import Listed, Text

Chosen = TypeVar("Chosen")
DECLARATION = "setting"


@dataclass(frozen=True)
class Kind:
    """Which values a setting takes: one of ``words``, or what a kind allows besides.

    optional: whether it may be left unset (None), where nothing is assumed.
    """

    words: tuple[str, ...] = ()
    optional: bool = False

    @property
    def free(self) -> bool:
        """Whether a value can hold words of the user's own, which may tell who was scanned."""
        return False

    def accept(self, value: object) -> Any:
        """The value as the program keeps it. Raises ValueError for one that is not allowed."""
        if (value is None and self.optional) or (isinstance(value, str) and value in self.words):
            return value
        return self._accept(value)

    def _accept(self, value: object) -> Any:
        raise ValueError(value)

    @property
    def wanted(self) -> str:
        """What is allowed, to end a sentence that begins with "must be"."""
        other, words = self._wanted(), Listed(f'"{word}"' for word in self.words)
        if not other:
            return Text("one of {words}", words=words) if len(self.words) > 1 else words
        return Text("{words} or {other}", words=words, other=other) if words else other

    def _wanted(self) -> str:
        return ""


@dataclass(frozen=True)
class Number(Kind):
    """A finite number from ``low`` to ``high``; above, below: whether the ends themselves are not allowed."""

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    whole: bool = False

    def _accept(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            raise ValueError(value)
        outside = value < self.low or value > self.high or (self.whole and value != int(value))
        if outside or (self.above and value == self.low) or (self.below and value == self.high):
            raise ValueError(value)
        return int(value) if self.whole else float(value)

    def _wanted(self) -> str:
        limits = []
        if self.low > -math.inf:
            limits.append(Text("above {low:g}" if self.above else "at least {low:g}", low=self.low))
        if self.high < math.inf:
            limits.append(Text("below {high:g}" if self.below else "at most {high:g}", high=self.high))
        number = Text("a whole number") if self.whole else Text("a number")
        return Text("{number} {limits}", number=number, limits=Listed(limits)) if limits else number


@dataclass(frozen=True)
class Line(Kind):
    """A text that is not empty (unless it is optional); pattern: what it must match, told by ``like``."""

    pattern: str = ""
    like: str = ""

    @property
    def free(self) -> bool:
        return True

    def _accept(self, value: object) -> str:
        if self.optional and value == "":
            return ""
        if not isinstance(value, str) or not value.strip() or (self.pattern and not re.fullmatch(self.pattern, value)):
            raise ValueError(value)
        return value

    def _wanted(self) -> str:
        return self.like or Text("a text that is not empty")


@dataclass(frozen=True)
class Several(Kind):
    """A list of values of one kind, each once; empty: whether it may hold none."""

    each: Kind = dataclasses.field(default_factory=Line)
    empty: bool = True

    @property
    def free(self) -> bool:
        return self.each.free

    def _accept(self, value: object) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or (not value and not self.empty):
            raise ValueError(value)
        found = tuple(self.each.accept(item) for item in value)
        if len(set(found)) < len(found):
            raise ValueError(value)
        return found

    def _wanted(self) -> str:
        return Text("a list without repetition, and each of it {each}", each=self.each.wanted)


@dataclass(frozen=True)
class Frames(Kind):
    """Frames by their number, counted from 1, kept in order."""

    def _accept(self, value: object) -> tuple[int, ...]:
        if not isinstance(value, list | tuple) or not value or not all(type(v) is int and v > 0 for v in value):
            raise ValueError(value)
        return tuple(sorted(set(value)))

    def _wanted(self) -> str:
        return Text("a list of frames, counted from 1")


@dataclass(frozen=True)
class Reasons(Kind):
    """Frames by their number, counted from 1, each with the reason for naming it; kept in order, numbers as text."""

    @property
    def free(self) -> bool:
        return True

    def _accept(self, value: object) -> dict[str, str]:
        if not isinstance(value, Mapping):
            raise ValueError(value)
        found: dict[int, str] = {}
        for frame, reason in value.items():
            number = int(frame) if str(frame).isascii() and str(frame).isdecimal() else 0
            if number < 1 or number in found or not isinstance(reason, str) or not reason.strip():
                raise ValueError(value)
            found[number] = reason
        return {str(number): found[number] for number in sorted(found)}

    def _wanted(self) -> str:
        return Text('a table such as {{ 3 = "moved" }}: frames, counted from 1, each with the reason')


@dataclass(frozen=True)
class Span(Kind):
    """From one number to a larger one; low: the smallest that there may be."""

    low: float = -math.inf

    def _accept(self, value: object) -> tuple[float, float]:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise ValueError(value)
        begin, end = (Number(low=self.low).accept(part) for part in value)
        if not begin < end:
            raise ValueError(value)
        return begin, end

    def _wanted(self) -> str:
        return Text("a list of two numbers, the smaller first, such as [40, 60]")


@dataclass(frozen=True)
class Limits(Kind):
    """The lower and the upper bound of parameters, by the parameter's name."""

    names: tuple[str, ...] = ()

    def _accept(self, value: object) -> dict[str, tuple[float, float]]:
        if not isinstance(value, Mapping) or not set(value) <= set(self.names):
            raise ValueError(value)
        found = {}
        for name, ends in value.items():
            if not isinstance(ends, list | tuple) or len(ends) != 2:
                raise ValueError(value)
            low, high = (Number().accept(end) for end in ends)
            if low > high:
                raise ValueError(value)
            found[str(name)] = (low, high)
        return found

    def _wanted(self) -> str:
        return Text(
            "a table such as {{ {name} = [0, 0.5] }}, of {names}", name=self.names[0], names=Listed(self.names)
        )


@dataclass(frozen=True)
class Clock(Kind):
    """A time of day, kept as text ("10:02:30"); TOML's own times are understood."""

    @property
    def free(self) -> bool:
        return True

    def _accept(self, value: object) -> Any:
        if isinstance(value, str):
            value = time.fromisoformat(value)
        if not isinstance(value, time) or value.tzinfo is not None:
            raise ValueError(value)
        return value.isoformat()

    def _wanted(self) -> str:
        return Text("a time of day such as 10:02:30, on the clock of the images")


@dataclass(frozen=True)
class Moment(Clock):
    """A time of day, or seconds after the start of the first frame (negative before it)."""

    def _accept(self, value: object) -> Any:
        return Number().accept(value) if isinstance(value, int | float) else super()._accept(value)

    def _wanted(self) -> str:
        return Text("{clock}, or seconds after the start of the first frame", clock=super()._wanted())


@dataclass(frozen=True)
class Shared:
    """That visits must have a setting alike. item: what is compared ("input"), which several settings may be part of.

    why: what a difference does. severity: "refuse" where it can fake a change, "warn" where it is only told.
    """

    item: str
    why: Text
    severity: Literal["refuse", "warn"] = "refuse"


@dataclass(frozen=True)
class Setting:
    """One declared setting.

    name: of the field. table, key: where the study file has it. help: one line for people. default: what holds where
    nothing is said. None of the defaults is published where its room does not name a source: each is a choice.
    shared: how visits are compared; None where they need not be alike, for the reason that ``exempt`` tells.
    applies: another setting's name, and its values with which this one has any effect; None for always.
    before: what held in records from before there was the setting; None: the default did.
    """

    name: str
    default: Any
    table: str
    key: str
    kind: Kind
    help: str
    unit: str
    shared: Shared | None
    exempt: str
    applies: tuple[str, tuple[Any, ...]] | None
    before: Any

    @property
    def unsaid(self) -> Any:
        """What held for whoever knew nothing of the setting."""
        return self.default if self.before is None else self.before


def setting(
    default: Any,
    where: str,
    kind: Kind,
    help: str,  # as argparse calls it
    *,
    unit: str = "",
    shared: Shared | None = None,
    exempt: str = "",
    applies: tuple[str, tuple[Any, ...]] | None = None,
    before: Any = None,
) -> Any:
    """A dataclass field that declares a setting.

    where: table of the study file ("pet"), with the key where that is not the field's name ("subject.id").
    Raises TypeError unless it says either how visits are compared in it or why they need not be, and ValueError for a
    default that is not allowed.
    """
    if (shared is None) == (not exempt):
        raise TypeError(f"the setting in [{where}] must say either what visits share or why they need not share it")
    table, _, key = where.partition(".")
    kept = kind.accept(default)
    declared = Setting("", kept, table, key, kind, help, unit, shared, exempt, applies, before)
    default_of = {"default_factory": lambda: dict(kept)} if isinstance(kept, dict) else {"default": kept}
    return dataclasses.field(**default_of, metadata={DECLARATION: declared})


def declared(settings: type) -> Iterator[Setting]:
    """Every setting of a dataclass, in its order. Raises TypeError for a field that is not declared as one."""
    for field in dataclasses.fields(settings):
        if DECLARATION not in field.metadata:
            raise TypeError(f"{settings.__name__}.{field.name} is not declared as a setting")
        found: Setting = field.metadata[DECLARATION]
        yield dataclasses.replace(found, name=field.name, key=found.key or field.name)


def typed(kind: Kind, text: str) -> Any:
    """A value as a person types it: as a study file would have it, with or without quotation marks and brackets.

    Raises ValueError for what is not allowed.
    """
    for reading in _readings(kind, text):
        try:
            return kind.accept(reading)
        except ValueError:
            continue
    raise ValueError(text)


def _readings(kind: Kind, text: str) -> Iterator[object]:
    if text in kind.words:
        yield text
    for written in (text, f"[{text}]"):
        try:
            yield tomllib.loads(f"value = {written}")["value"]
        except tomllib.TOMLDecodeError:
            continue
    yield text
    yield [item.strip() for item in text.split(",")]


def chosen(settings: object) -> dict[str, Any]:
    """By name, the settings that are not as they come: one that a later version adds is not among them, and what
    was made before it stays what would be made now. One that took the place of something else (``before``) is."""
    found = {}
    for setting in declared(type(settings)):
        value, of = getattr(settings, setting.name), setting.applies
        idle = of is not None and getattr(settings, of[0], None) not in of[1]
        if value != (setting.default if idle else setting.unsaid):
            found[setting.name] = value
    return found


def part_of(wanted: type[Chosen], settings: object) -> Chosen:
    """Of all settings those that one room obeys, as the room declares them."""
    return wanted(**{field.name: getattr(settings, field.name) for field in dataclasses.fields(wanted)})  # type: ignore[arg-type]


def restored(wanted: type[Chosen], kept: Mapping[str, Any]) -> Chosen:
    """Settings from what JSON kept of them; what it does not hold has its default.

    Raises ValueError for a value that is not allowed, TypeError for a name that is not known.
    """
    kinds = {setting.name: setting.kind for setting in declared(wanted)}
    unknown = sorted(set(kept) - set(kinds))
    if unknown:
        raise TypeError(f"{wanted.__name__} has no {unknown[0]}")
    return wanted(**{name: kinds[name].accept(value) for name, value in kept.items()})
