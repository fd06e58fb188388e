"""The languages of reports and messages, and how each sets numbers, signs and dates."""

from dataclasses import dataclass

NARROW, NO_BREAK = "\u202f", "\u00a0"


@dataclass(frozen=True)
class Typography:
    """One language. name: in itself. locale: for PDF readers. percent_space: before %. spaced_signs: ; ! ? : « »
    stand off. date: as strftime takes it."""

    name: str
    locale: str
    decimal: str
    percent_space: str
    spaced_signs: bool
    date: str


TYPOGRAPHY = {
    "en": Typography("English", "en-US", ".", NO_BREAK, spaced_signs=False, date="%Y-%m-%d"),
    "fr": Typography("français", "fr-FR", ",", NARROW, spaced_signs=True, date="%d/%m/%Y"),
}
"""A row a language: this, and a file in ``languages/``, is all that a language needs."""
LANGUAGES = tuple(TYPOGRAPHY)
