"""How the program says no, and how it says "yes, but": every sentence is a template with named values.

A sentence is written once, in English, as a plain literal where it is needed; ``languages/<language>.json`` holds its
template in every other language. What is said keeps template and values, so that it can be told in any language later.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Self

HUGE = 1e15
"""No quantity is as large: from here on a number in a sentence has an exponent, for its digits would fill pages."""


class _Huge:
    """A number that is written with an exponent, however a sentence wants it."""

    def __init__(self, value: Real):
        try:
            self.text = f"{float(value):.3g}"
        except OverflowError:
            self.text = f"{'-' if value < 0 else ''}1e+{math.floor(math.log10(abs(value)))}"

    def __format__(self, format_spec: str) -> str:
        return f"+{self.text}" if format_spec.startswith("+") and self.text[0] != "-" else self.text

    def __repr__(self) -> str:
        return self.text


def shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as a sentence takes them."""
    return {
        name: _Huge(value) if issubclass(type(value), Real) and abs(value) >= HUGE else value
        for name, value in values.items()
    }


class Text(str):
    """An English sentence that remembers how it was made: ``Text("{model} maps", model="Logan")``.

    It is a str, and can be used wherever one is. values: by the names in the template; a value may itself be a Text or
    a Listed. Raises KeyError where the template names a value that is not given.
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Self:
        text = super().__new__(cls, template.format(**shown(values)))
        text.template, text.values = template, values
        return text

    @classmethod
    def of(cls, text: str) -> "Text":
        """A finished sentence as a Text: itself, or a template without values; what is listed can still be told."""
        if isinstance(text, Listed):
            return Text("{listed}", listed=text)
        return text if isinstance(text, Text) else Text(text.replace("{", "{{").replace("}", "}}"))

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, Any]]:  # to be copied and sent to other processes
        return (self.template,), self.values


class Listed(str):
    """Several texts in one, each of which can be told in another language."""

    items: tuple[str, ...]
    between: str

    def __new__(cls, items: Iterable[object], between: str = ", ") -> Self:
        texts = tuple(item if isinstance(item, str) else str(item) for item in items)
        text = super().__new__(cls, between.join(texts))
        text.items, text.between = texts, between
        return text

    def __getnewargs__(self) -> tuple[tuple[str, ...], str]:  # type: ignore[override]  # str has one of its own
        return self.items, self.between


NAMED = 3
"""Names that a sentence lists."""


def quoted(names: Iterable[str]) -> Listed:
    """Names of the user's, each in the quotes of the language that it is told in."""
    return Listed(Text("'{name}'", name=name) for name in names)


def named(names: Sequence[str]) -> str:
    """The first names, each in quotes, and how many more there are."""
    more = len(names) - NAMED
    shown = quoted(names[:NAMED])
    return shown if more <= 0 else Text("{names} and {count} more", names=shown, count=more)


class InputRefused(ValueError):
    """Input that cannot be used.

    ``code`` is a stable lower-case key ("pet-units"); ``template`` with its ``values`` is one sentence that says what
    is wrong, where, and what to do about it. The command line prints ``error: CODE: message`` and exits with 3.
    """

    def __init__(self, code: str, template: str, /, **values: Any) -> None:
        self.code = code
        self.message = template if isinstance(template, Text) else Text(template, **values)
        super().__init__(f"{code}: {self.message}")

    def __reduce__(self) -> tuple[Any, ...]:
        return InputRefused, (self.code, self.message)


def located(refusal: InputRefused, where: str) -> InputRefused:
    """A refusal that also says of which file or visit, or by which attribute."""
    return InputRefused(refusal.code, "{where}: {problem}", where=where, problem=refusal.message)


class Cancelled(Exception):
    """Raised by a progress callback when the user has asked to stop."""


@dataclass(frozen=True, init=False)
class Notice:
    """A warning that travels with a result; ``code`` is stable, ``message`` is for people."""

    code: str
    message: Text

    def __init__(self, code: str, template: str, /, **values: Any) -> None:
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "message", template if isinstance(template, Text) else Text(template, **values))

    @classmethod
    def of(cls, code: str, message: str) -> "Notice":
        """A notice from a finished sentence, as files keep it."""
        return cls(code, Text.of(message))

    def __reduce__(self) -> tuple[Any, ...]:
        return Notice, (self.code, self.message)


class Notices(list[Notice]):
    """Notices as they are gathered."""

    def add(self, code: str, template: str, /, **values: Any) -> None:
        self.append(Notice(code, template, **values))
