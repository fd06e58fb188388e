"""The library's own messages in the language of the application, where the report has words for them."""

import functools

import slicer

from ..messages import InputRefused, Text
from ..reporting.words import LANGUAGES, Words


@functools.cache
def _words(language: str) -> Words:
    return Words(language)


def told(message: str) -> str:
    """A message of the library; in English where it has no translation."""
    language = str(slicer.app.applicationLocaleName)[:2]
    return str(_words(language).message(message)) if language in LANGUAGES else message


def refusal(code: str, sentence: str) -> InputRefused:
    """A refusal in a sentence that is in the language of the application already."""
    return InputRefused(code, Text.of(sentence))
