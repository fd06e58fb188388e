"""A curve that comes ready as the input: parent plasma, total plasma or whole blood, by any name."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from ..messages import InputRefused, Listed
from .blood import BloodSamples
from .blood_files import PARENT_PLASMA, PLASMA, TIME, WHOLE_BLOOD, quantity_of, read_blood
from .pmod import tables_in
from .tables import Column

DOMAINS: Mapping[str, str] = MappingProxyType(
    {"parent-plasma": PARENT_PLASMA, "plasma": PLASMA, "whole-blood": WHOLE_BLOOD}
)
"""What a ready curve can be, with the BIDS name of such a column."""


def read_given(path: Path, domain: str, unit: str | None = None) -> BloodSamples:
    """The curve of a table, as what ``domain`` says that it is; nothing else of the table.

    domain: of ``DOMAINS``. unit: of its activity, where the file says none. The curve is the column that BIDS names
    so, or else the one beside the time.
    Raises InputRefused ("given-columns", and what ``read_blood`` raises).
    """
    table = tables_in(path)[0]
    time = next((column for column in table if quantity_of(path, column) == TIME), None)
    if time is None:
        raise InputRefused("given-columns", "{file} has no column called time; rename the one that is", file=path.name)
    wanted = DOMAINS[domain]
    curve = next((c for c in table if quantity_of(path, c) == wanted), None) or _only(path, table, time)
    return read_blood([path], columns={time.name: TIME, curve.name: wanted}, unit=unit)


def _only(path: Path, table: tuple[Column, ...], time: Column) -> Column:
    others = [column for column in table if column is not time]
    if len(others) != 1:
        raise InputRefused(
            "given-columns",
            "{file} holds {names}, and which is the curve is not said; keep the time and one other column",
            file=path.name,
            names=Listed(column.name for column in others),
        )
    return others[0]


def with_given(samples: BloodSamples, given: BloodSamples, domain: str) -> BloodSamples:
    """Blood samples with the curve that was given: it is the input, and they only lead on from it to parent plasma."""
    samples = replace(
        samples,
        notices=(*samples.notices, *given.notices),
        counted_from=tuple(dict.fromkeys((*samples.counted_from, *given.counted_from))),
    )
    if domain == "parent-plasma":
        return replace(samples, parent_plasma=given.parent_plasma)
    if domain == "plasma":
        return replace(samples, plasma=given.plasma, parent_plasma=None, given=domain)
    return replace(samples, autosampler=given.whole_blood, dispersion_s=None, parent_plasma=None, given=domain)
