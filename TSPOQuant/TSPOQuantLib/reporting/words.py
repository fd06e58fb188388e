"""The words of the report in every language, messages told in them, and numbers as each language writes them."""

import json
import math
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

from ..messages import InputRefused, Listed, Notice, Text, shown
from ..quantities import decimals_for
from ..typography import LANGUAGES, NARROW, NO_BREAK, TYPOGRAPHY
from .report_document import English

FOLDER = Path(__file__).parents[1] / "languages"
"""A file a language: {"words": {key: text}, "messages": {English template: template}, "former": the same of messages
that only records of earlier versions hold}; English has no messages, they stand where they are needed."""


@cache
def catalog(language: str) -> Mapping[str, Mapping[str, str]]:
    """What a language's file holds: "words", "messages" and "former"."""
    entries: dict[str, dict[str, str]] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return {"messages": {}, "former": {}, **entries}


class Words(string.Formatter):
    """The report's words in one language: ``words("key", name=value)``; ``words.message(text)`` for messages."""

    def __init__(self, language: str):
        """Raises InputRefused ("report-language")."""
        if language not in LANGUAGES:
            raise InputRefused(
                "report-language",
                "there is no report in {language!r}; choose one of {known}",
                language=language,
                known=", ".join(LANGUAGES),
            )
        self.language = language
        self.typography = TYPOGRAPHY[language]
        entries = catalog(language)
        self.words, self.messages = entries["words"], {**entries["former"], **entries["messages"]}

    def __call__(self, key: str, **values: object) -> str:
        return self.template(key).format(**values)

    def columns(self, *keys: str) -> tuple[str, ...]:
        """Headings of a table."""
        return tuple(self(f"column.{key}") for key in keys)

    def template(self, key: str) -> str:
        """The text of a key before its values are set."""
        return self._spaced(self.words[key])

    def maybe(self, key: str) -> str | None:
        """The text of a key that need not exist."""
        return self(key) if key in self.words else None

    def _spaced(self, text: str) -> str:
        """No line break before a unit or a sign, and signs with the spaces that the language sets."""
        if self.typography.spaced_signs:
            text = re.sub(r" ([;!?])", NARROW + r"\1", text)
            text = re.sub(r" (:)|(«) | (»)", lambda m: NO_BREAK.join([m[2] or "", m[1] or m[3] or ""]), text)
        return re.sub(r" (%)", self.typography.percent_space + r"\1", text)

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
        return self.number(value, digits, signed) + self.typography.percent_space + "%"

    def date(self, day: date) -> str:
        return day.strftime(self.typography.date)

    def with_error(self, value: float | None, error: float | None, digits: int = 2) -> str:
        """ "12.96 ± 0.41", to the digit that the error reaches; without it, with ``digits`` decimals."""
        digits = decimals_for(error, digits)
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
        return text + self.typography.percent_space + "%" if percent else text

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
        return text.replace(".", self.typography.decimal)

    # --- what others said --------------------------------------------------------------------------------------------

    def message(self, text: str) -> str:
        """A message of the program in this language; one that has no translation stays English and is marked so."""
        if self.language == "en":
            return text
        if isinstance(text, Listed):
            return text.between.join(self.value(item) for item in text.items)
        known = Text.of(text)
        template = self.messages.get(known.template)
        if template is None:  # made of other messages alone ("{session}: {flags}"), or in no catalogue
            return self._filled(known) if _without_words(known.template) else English(text)
        return self.vformat(self._spaced(template), (), known.values)

    def _filled(self, text: Text) -> str:
        return self.vformat(self._spaced(text.template), (), text.values)

    def format_field(self, value: Any, format_spec: str) -> Any:
        """A value inside a message: another message, a word of the program, or a number as the language writes it."""
        if isinstance(value, str) and not format_spec:
            return self.value(value)
        text = format(value, format_spec)
        if isinstance(value, bool | str) or "." not in text:
            return re.sub("%$", self.typography.percent_space + "%", text)
        return re.sub("%$", self.typography.percent_space + "%", text.replace(".", self.typography.decimal))

    def vformat(self, format_string: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        return str(super().vformat(format_string, args, shown(kwargs)))

    def notice(self, notice: Notice) -> str:
        return self.message(notice.message)

    def value(self, text: object) -> str:
        """A stable key, a label or what varies in a message: in words where it has a translation of its own, else as
        it is."""
        known = self.maybe(f"value.{text}")
        if known is not None:
            return known
        translation = self.message(text if isinstance(text, str) else str(text))
        if not isinstance(translation, English):
            return translation
        numbers = re.sub(r"(?<![\w.])(-?\d+)\.(\d+)(?![\w.])", rf"\1{self.typography.decimal}\2", translation)
        return re.sub(r"(?<=\d) ?%", self.typography.percent_space + "%", numbers)

    def labeled(self, name: str, value: str) -> str:
        """ "name: value"."""
        return f"{name}{NO_BREAK if self.typography.spaced_signs else ''}: {value}"

    def listed(self, items: Iterable[str], between: Literal[", ", "; "] = ", ") -> str:
        return (f"{NARROW}; " if self.typography.spaced_signs and between == "; " else between).join(items)


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _without_words(template: str) -> bool:
    """Whether a template holds nothing to translate of its own."""
    return not any(re.search("[A-Za-z]{2}", literal) for literal, *_ in string.Formatter().parse(template))
