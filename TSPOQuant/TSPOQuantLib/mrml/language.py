"""The library's own messages and numbers in the language of the application, where the report has words for them."""

import functools
import re
from collections.abc import Iterable

import slicer

from ..messages import InputRefused, Notice, Text
from ..reporting.words import Words
from ..typography import LANGUAGES, TYPOGRAPHY


@functools.cache
def _words(language: str) -> Words:
    return Words(language)


def _language() -> str:
    language = str(slicer.app.applicationLocaleName)[:2]
    return language if language in LANGUAGES else "en"


def translated(message: str) -> str:
    """A message of the library; in English where it has no translation."""
    return str(_words(_language()).message(message))


class Number(float):
    """A number that is formatted for people, with the decimal sign of the application's language."""

    def __format__(self, format_spec: str) -> str:
        return shown_number(super().__format__(format_spec))


def shown_number(text: str) -> str:
    """What a cell of a table holds as people see it: another decimal sign where all of it is a number."""
    decimal = TYPOGRAPHY[_language()].decimal
    return text.replace(".", decimal) if re.fullmatch(r"[-+]?\d+\.\d+(e[-+]\d+)?", text) else text


def sentence(message: str) -> str:
    """A message as a line of its own begins: with a capital letter, unless with a file's name or a symbol."""
    text = translated(message)
    word = text.split(" ", 1)[0].rstrip(",:;.")
    return text if any(sign in "._/\\" or sign.isdigit() for sign in word) else text[:1].upper() + text[1:]


def lines(notices: Iterable[Notice]) -> str:
    """What notices say, a line each."""
    return "\n".join(sentence(notice.message) for notice in notices)


def refusal(code: str, sentence: str) -> InputRefused:
    """A refusal in a sentence that is in the language of the application already."""
    return InputRefused(code, Text.of(sentence))
