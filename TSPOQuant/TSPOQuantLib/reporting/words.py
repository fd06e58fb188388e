"""The words of the report in English and French, and numbers as each language writes them."""

import json
import math
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from ..messages import InputRefused, Notice
from .report_document import English

LANGUAGES = ("en", "fr")
CATALOG = Path(__file__).with_name("words.json")
"""{key: {language: text}}; {name} in a text is replaced by a value."""
MESSAGES = Path(__file__).with_name("words_messages.json")
"""[{"en": what the program says, with {0}, {1} … for what varies, "fr": the same in French}]."""

NARROW, NO_BREAK = "\u202f", "\u00a0"


@cache
def catalog() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(CATALOG.read_text(encoding="utf-8"))
    return found


@cache
def messages() -> tuple[tuple[re.Pattern[str], dict[str, str]], ...]:
    """Every message of the program as a pattern, beside its translations; the longest first, as most particular."""
    entries: list[dict[str, str]] = json.loads(MESSAGES.read_text(encoding="utf-8"))
    entries.sort(key=lambda entry: -len(entry["en"]))
    return tuple((re.compile(_pattern(entry["en"]), re.DOTALL), entry) for entry in entries)


def _pattern(text: str) -> str:
    pieces = re.split(r"\{(\d+)\}", text)
    return "".join(re.escape(piece) if index % 2 == 0 else f"(?P<g{piece}>.*?)" for index, piece in enumerate(pieces))


class Words:
    """The report's words in one language: ``words("key", name=value)``."""

    def __init__(self, language: str):
        """Raises InputRefused ("report-language")."""
        if language not in LANGUAGES:
            known = ", ".join(LANGUAGES)
            raise InputRefused(
                "report-language",
                "there is no report in {language!r}; choose one of {known}",
                language=language,
                known=known,
            )
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        return self.template(key).format(**values)

    def template(self, key: str) -> str:
        """The text of a key before its values are set."""
        return self._spaced(catalog()[key][self.language])

    def maybe(self, key: str) -> str | None:
        """The text of a key that need not exist."""
        return self(key) if key in catalog() else None

    def _spaced(self, text: str) -> str:
        """No line break before a unit or a sign; French signs with the spaces that French sets."""
        if self.language == "fr":
            text = re.sub(r" ([;!?])", NARROW + r"\1", text)
            text = re.sub(r" (:)|(«) | (»)", lambda m: NO_BREAK.join([m[2] or "", m[1] or m[3] or ""]), text)
        return re.sub(r" (%)", self._percent_space + r"\1", text)

    @property
    def _percent_space(self) -> str:
        return NARROW if self.language == "fr" else NO_BREAK

    # --- numbers -----------------------------------------------------------------------------------------------------

    def number(self, value: float | None, digits: int = 2, signed: bool = False) -> str:
        """A number with ``digits`` decimals, "n/a" where there is none."""
        if value is None or not math.isfinite(value):
            return self("no_value")
        return self._localized(f"{value:{'+' if signed else ''}.{digits}f}")

    def significant(self, value: float | None, digits: int = 3) -> str:
        """A number with so many significant digits, without trailing zeros: 4, 0.0123, 1.2e-05."""
        if value is None or not math.isfinite(value):
            return self("no_value")
        return self._localized(f"{value:.{digits}g}")

    def percent(self, value: float | None, digits: int = 1, signed: bool = False) -> str:
        """``value`` is in % already."""
        if value is None or not math.isfinite(value):
            return self("no_value")
        return self.number(value, digits, signed) + self._percent_space + "%"

    def with_error(self, value: float | None, error: float | None, digits: int = 2) -> str:
        """ "12.96 ± 0.41"; without the error where there is none to tell."""
        text = self.number(value, digits)
        if error is None or value is None or not math.isfinite(value):
            return text
        return f"{text}{NO_BREAK}±{NO_BREAK}{self.number(error, digits)}"

    def interval(self, low: float | None, high: float | None, digits: int = 2, percent: bool = False) -> str:
        """ "5.10 to 7.32"."""
        if low is None or high is None or math.isnan(low) or math.isnan(high):
            return self("no_value")
        if math.isinf(low) or math.isinf(high):
            return self("unbounded")
        signed = percent
        text = self("range", low=self.number(low, digits, signed), high=self.number(high, digits, signed))
        return text + self._percent_space + "%" if percent else text

    def estimate(
        self, value: float | None, low: float | None, high: float | None, digits: int = 2, percent: bool = False
    ) -> str:
        """ "12.96 (11.66 to 14.40)", or, in %, "−52.1 % (−58.7 to −44.4 %)"; both with their 95 % interval."""
        text = self.percent(value, digits, signed=True) if percent else self.number(value, digits)
        if value is None or not math.isfinite(value):
            return text
        return f"{text} ({self.interval(low, high, digits, percent)})"

    def _localized(self, text: str) -> str:
        mantissa, _, exponent = text.partition("e")
        if exponent:
            mantissa += f"{NO_BREAK}×{NO_BREAK}10{str(int(exponent)).translate(_SUPERSCRIPT)}"
        if not any(digit in "123456789" for digit in mantissa):
            mantissa = mantissa.replace("-", "").replace("+", "")
        text = mantissa.replace("-", "−")
        return text.replace(".", ",") if self.language == "fr" else text

    # --- what others said --------------------------------------------------------------------------------------------

    def message(self, text: str) -> str:
        """A message of the program in this language; one that has no translation stays English and is marked so."""
        if self.language == "en":
            return text
        for pattern, entry in messages():
            found = pattern.fullmatch(text)
            if found:
                values = [self.value(found[f"g{n}"]) for n in range(found.re.groups)]
                return self._spaced(entry[self.language]).format(*values)
        return English(text)

    def notice(self, notice: Notice) -> str:
        return self.message(notice.message)

    def value(self, text: object) -> str:
        """A stable key, a label or what varies in a message: in words where it has a translation of its own, numbers
        with a comma, all else as it is."""
        known = self.maybe(f"value.{text}")
        if known is not None:
            return known
        said = self.message(str(text))
        if self.language == "en" or not isinstance(said, English):
            return said
        numbers = re.sub(r"(?<![\w.])(-?\d+)\.(\d+)(?![\w.])", r"\1,\2", said)
        return re.sub(r"(?<=\d) ?%", self._percent_space + "%", numbers)

    def pair(self, name: str, value: str) -> str:
        """ "name: value"."""
        return f"{name}{NO_BREAK if self.language == 'fr' else ''}: {value}"

    def listed(self, items: Iterable[str], between: Literal[", ", "; "] = ", ") -> str:
        return (f"{NARROW}; " if self.language == "fr" and between == "; " else between).join(items)


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
