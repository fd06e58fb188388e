"""What a report consists of, before it becomes HTML or PDF: sections of paragraphs, lists, tables and pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class English(str):
    """Text that stays English in a report of another language, and is marked as such."""

    __slots__ = ()


@dataclass(frozen=True)
class Paragraph:
    """kind: "plain"; "note" for small print; "warning" for what must not be passed over; "lead" for the main thing."""

    text: str
    kind: Literal["plain", "note", "warning", "lead"] = "plain"


@dataclass(frozen=True)
class Bullets:
    """A list. kind: as for Paragraph."""

    items: tuple[str, ...]
    kind: Literal["plain", "note", "warning"] = "plain"


@dataclass(frozen=True)
class Table:
    """A table; the first cell of every row is the row's header. align: one letter a column, "l" or "r".

    strong: indices of the rows that matter most. notes: small print below it.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    align: str
    strong: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture, made by matplotlib. alt: what it shows, for who cannot see it. caption: below it, "" for none.

    raster: True where it holds an image, which no vector format makes sharper.
    """

    alt: str
    caption: str
    make: "Callable[[], Figure]"
    raster: bool = False

    @cached_property
    def figure(self) -> "Figure":
        """The picture itself, made once for HTML and PDF."""
        return self.make()


@dataclass(frozen=True, eq=False)
class Row:
    """Pictures side by side where there is room."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Links:
    """Texts that lead to other files, each with its address relative to the report."""

    items: tuple[tuple[str, str], ...]


Block = Paragraph | Bullets | Links | Table | Picture | Row


@dataclass(frozen=True, eq=False)
class Section:
    """level: 2 or 3, its heading's. new_page: in print it begins a page."""

    title: str
    blocks: tuple[Block, ...]
    level: int = 2
    new_page: bool = False


@dataclass(frozen=True, eq=False)
class Document:
    """A whole report. language: one of LANGUAGES. footer: stands on every page. skip: the text of the skip link."""

    title: str
    language: str
    subject: str
    sections: tuple[Section, ...]
    footer: str
    skip: str
    page: str
