"""The library's own messages in the language of the application, where the report has words for them."""

import functools
from collections.abc import Iterable

import slicer

from ..messages import InputRefused, Notice, Text
from ..reporting.words import Words
from ..typography import LANGUAGES


@functools.cache
def _words(language: str) -> Words:
    return Words(language)


def told(message: str) -> str:
    """A message of the library; in English where it has no translation."""
    language = str(slicer.app.applicationLocaleName)[:2]
    return str(_words(language).message(message)) if language in LANGUAGES else message


def sentence(message: str) -> str:
    """A message as a line of its own begins: with a capital letter, unless with a file's name or a symbol."""
    text = told(message)
    word = text.split(" ", 1)[0].rstrip(",:;.")
    return text if any(sign in "._/\\" or sign.isdigit() for sign in word) else text[:1].upper() + text[1:]


def lines(notices: Iterable[Notice]) -> str:
    """What notices say, a line each."""
    return "\n".join(sentence(notice.message) for notice in notices)


def refusal(code: str, sentence: str) -> InputRefused:
    """A refusal in a sentence that is in the language of the application already."""
    return InputRefused(code, Text.of(sentence))
