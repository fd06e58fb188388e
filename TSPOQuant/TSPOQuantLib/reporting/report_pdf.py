"""A report as one PDF: text that can be selected, bookmarks, page numbers, alternative texts."""

import io
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..typography import TYPOGRAPHY
from .plots import Drawn, png
from .report_document import Bullets, Document, Links, Paragraph, Picture, Row, Section, Table

if TYPE_CHECKING:
    from fpdf import FPDF

MARGIN_MM, BOTTOM_MM = 12.0, 13.0
TEXT_PT, SMALL_PT, HEADINGS_PT = 8.0, 6.8, {1: 14.0, 2: 11.0, 3: 9.5}
LINE = 1.25
"""Line height, of the font's."""
INK, SOFT, ACCENT, RULE, SHADE = (27, 31, 36), (74, 85, 96), (11, 79, 108), (196, 204, 212), (241, 244, 247)
ALARM, ALARM_SHADE = (166, 92, 0), (255, 244, 224)
NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)
"""A PDF must name a date of its making; the same report is the same file, so this is none."""
PIXELS_PER_INCH = 200
SMALLEST_PT = 5.5
PADDING_MM = 1.2
BOX_PADDING_MM = 1.5
MONSTER_SHARE = 0.3
LARGEST_SCALE = 1.0
TYPICAL = 1.2
"""What most cells of a column need, as a multiple of their mean width."""
LEAST_TABLE_MM = 25.0
SPILL_OVER = 0.25
"""A section that would begin a page goes on below what has spilled over onto the upper quarter of one."""
PICTURE_GAP_MM = 3.0
MM_PER_PT, MM_PER_INCH = 25.4 / 72, 25.4


def pdf(document: Document) -> bytes:
    """The document as PDF (A4), the same bytes at every run."""
    page = _Page(document)
    page.add_page()
    page.masthead()
    for section in document.sections:
        page.section(section)
    return page.finished()


class _Page:
    """The paper: where things are put, one below the other."""

    def __init__(self, document: Document):
        self._document = document
        self._pdf = _paper(document)
        self._drawn: dict[int, Drawn] = {}

    def add_page(self) -> None:
        self._pdf.add_page()

    def finished(self) -> bytes:
        return bytes(self._pdf.output())

    def masthead(self) -> None:
        document = self._document
        self._text(document.title, HEADINGS_PT[1], ACCENT, "B")
        self._text(document.subject, TEXT_PT, SOFT)
        self._rule(ACCENT, 0.6)

    def section(self, section: Section) -> None:
        paper = self._pdf
        if section.new_page and paper.get_y() > SPILL_OVER * paper.h:
            paper.add_page()
        size = HEADINGS_PT[section.level]
        self._keep_together(self._line(size) + 4 + (self._least(section.blocks[0]) if section.blocks else 0))
        self._gap(3 if section.level == 2 else 2)
        paper.start_section(section.title, section.level - 2, strict=False)
        self._text(section.title, size, ACCENT, "B")
        for block in section.blocks:
            self._block(block)

    def _least(self, block: Any) -> float:
        """What must follow a heading on its page: a picture whole, the beginning of all else, mm."""
        if isinstance(block, Picture | Row):
            return self._row_height(block.pictures if isinstance(block, Row) else (block,))
        return LEAST_TABLE_MM if isinstance(block, Table) else 2 * self._line(TEXT_PT)

    def _block(self, block: Any) -> None:
        if isinstance(block, Paragraph):
            self._paragraph(block.text, block.kind)
        elif isinstance(block, Bullets):
            self._bullets(block)
        elif isinstance(block, Links):  # a paper leads nowhere
            self._text(", ".join(text for text, _ in block.items), TEXT_PT, INK)
        elif isinstance(block, Table):
            self._table(block)
        elif isinstance(block, Row):
            self._pictures(block.pictures)
        else:
            self._pictures((block,))

    def _paragraph(self, text: str, kind: str) -> None:
        if kind == "warning":
            self._box([text])
        elif kind == "lead":
            self._gap(1)
            top = self._pdf.get_y()
            page = self._pdf.page
            self._text(text, TEXT_PT + 0.5, INK, indent=3)
            if self._pdf.page == page:
                self._bar(top, self._pdf.get_y())
            self._gap(1)
        else:
            self._text(text, *((SMALL_PT, SOFT) if kind == "note" else (TEXT_PT, INK)))

    def _bullets(self, block: Bullets) -> None:
        if block.kind == "warning":
            self._box([f"•\u00a0{item}" for item in block.items])
            return
        size, color = (SMALL_PT, SOFT) if block.kind == "note" else (TEXT_PT, INK)
        for item in block.items:
            self._pdf.set_x(self._pdf.l_margin)
            self._text(f"•\u00a0{item}", size, color)

    def _box(self, texts: Sequence[str]) -> None:
        """Text in a colored box that moves to the next page whole, or in several where it is higher than a page."""
        paper = self._pdf
        self._gap(1)
        self._style(TEXT_PT, INK)
        paper.set_fill_color(*ALARM_SHADE)
        paper.set_draw_color(*ALARM)
        table: dict[str, Any] = {"borders_layout": "ALL", "first_row_as_headings": False, "text_align": "LEFT"}
        width = paper.epw - 2 * (BOX_PADDING_MM + paper.c_margin)
        lines = [line for text in texts for line in self._lines(text, width)]
        most = int((paper.page_break_trigger - paper.t_margin - 2 * BOX_PADDING_MM) / self._line(TEXT_PT))
        parts = [lines[start : start + most] for start in range(0, len(lines), most)] if len(lines) > most else [texts]
        with paper.table(line_height=self._line(TEXT_PT), padding=BOX_PADDING_MM, **table) as box:
            for part in parts:
                box.row(["\n".join(part)], style=self._face(fill_color=ALARM_SHADE))
        self._gap(1)

    def _table(self, block: Table) -> None:
        from fpdf.enums import TableBordersLayout

        paper = self._pdf
        rows = [list(block.header), *map(list, block.rows)] if block.header else [list(row) for row in block.rows]
        if not rows:
            return
        self._gap(1.5)
        self._keep_together(LEAST_TABLE_MM)
        self._text(block.caption, TEXT_PT, INK, "B")
        size = SMALL_PT
        while size > SMALLEST_PT and sum(self._least_widths(rows, size)) > paper.epw:
            size -= 0.5
        widths = self._widths(rows, size)
        self._style(size, INK)
        paper.set_draw_color(*RULE)
        paper.set_fill_color(255)
        heading = self._face(emphasis="BOLD", fill_color=SHADE)
        with paper.table(
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            col_widths=widths,
            first_row_as_headings=bool(block.header),
            headings_style=heading,
            line_height=self._line(size),
            padding=(0.5, PADDING_MM, 0.5, PADDING_MM),
            text_align=tuple("RIGHT" if letter == "r" else "LEFT" for letter in block.align),
            v_align="TOP",
            width=paper.epw,
        ) as table:
            first = 1 if block.header else 0
            for index, row in enumerate(rows):
                strong = index >= first and index - first in block.strong
                table.row(row, style=self._face(emphasis="BOLD", fill_color=SHADE) if strong else None)
        for note in block.notes:
            self._text(note, SMALL_PT, SOFT)
        self._gap(1)

    def _least_widths(self, rows: Sequence[Sequence[str]], size: float) -> list[float]:
        """What each column needs for its longest word, mm; no more than a share of the page for monsters."""
        most = MONSTER_SHARE * self._pdf.epw
        return [min(max(self._word_width(cell, size) for cell in column), most) for column in zip(*rows, strict=True)]

    def _word_width(self, text: str, size: float) -> float:
        self._pdf.set_font("Report", "B", size)
        widths = [self._pdf.get_string_width(word) for word in text.split(" ")]
        return max(widths) + 2 * PADDING_MM + 0.3

    def _widths(self, rows: Sequence[Sequence[str]], size: float) -> tuple[float, ...]:
        """Column widths, mm: room for the longest words, then for what most cells need, then for the rest."""
        least = self._least_widths(rows, size)
        room = self._pdf.epw
        if sum(least) >= room:
            return tuple(least)  # only their proportions count: longer words break
        self._pdf.set_font("Report", "B", size)
        columns = [
            [self._pdf.get_string_width(cell) + 2 * PADDING_MM + 0.3 for cell in c] for c in zip(*rows, strict=True)
        ]
        whole = [max(*column, need) for column, need in zip(columns, least, strict=True)]
        usual = [
            min(max(TYPICAL * sum(column) / len(column), need), most)
            for column, need, most in zip(columns, least, whole, strict=True)
        ]
        return tuple(_between(least, usual, whole, room))

    def _drawn_once(self, picture: Picture) -> Drawn:
        if id(picture) not in self._drawn:
            self._drawn[id(picture)] = png(picture, PIXELS_PER_INCH)
        return self._drawn[id(picture)]

    def _laid_out(self, pictures: Sequence[Picture]) -> list[tuple[Picture, Drawn, float, float]]:
        """Pictures side by side, with width and height in mm: as drawn, or smaller where the page is too narrow."""
        drawn = [self._drawn_once(picture) for picture in pictures]
        room = self._pdf.epw - PICTURE_GAP_MM * (len(pictures) - 1)
        scale = MM_PER_INCH * min(room / (MM_PER_INCH * sum(drawing.width for drawing in drawn)), LARGEST_SCALE)
        return [
            (picture, drawing, scale * drawing.width, scale * drawing.height)
            for picture, drawing in zip(pictures, drawn, strict=True)
        ]

    def _row_height(self, pictures: Sequence[Picture]) -> float:
        laid = self._laid_out(pictures)
        self._style(SMALL_PT, SOFT)
        lines = max(len(self._lines(picture.caption, width)) for picture, _, width, _ in laid)
        return max(height for *_, height in laid) + lines * self._line(SMALL_PT) + 1.5

    def _pictures(self, pictures: Sequence[Picture]) -> None:
        """Pictures side by side with their captions below, never torn apart."""
        if not pictures:
            return
        paper = self._pdf
        self._gap(1)
        whole = self._row_height(pictures)
        self._keep_together(whole)
        top, left = paper.get_y(), paper.l_margin
        for picture, drawn, width, height in self._laid_out(pictures):
            paper.image(io.BytesIO(drawn.content), x=left, y=top, w=width, h=height, alt_text=picture.alt)
            if picture.caption:
                self._style(SMALL_PT, SOFT)
                paper.set_xy(left, top + height + 0.5)
                paper.multi_cell(width, self._line(SMALL_PT), picture.caption, align="L")
            left += width + PICTURE_GAP_MM
        paper.set_xy(paper.l_margin, top + whole)

    # --- small things ------------------------------------------------------------------------------------------------

    def _lines(self, text: str, width: float) -> list[str]:
        if not text:
            return []
        lines: Any = self._pdf.multi_cell(width, text=text, dry_run=True, output="LINES")
        return list(lines)

    def _text(self, text: str, size: float, color: tuple[int, int, int], style: str = "", indent: float = 0.0) -> None:
        paper = self._pdf
        self._style(size, color, style)
        paper.set_x(paper.l_margin + indent)
        paper.multi_cell(paper.epw - indent, self._line(size), str(text), align="L", new_x="LMARGIN", new_y="NEXT")
        self._gap(0.6)

    def _style(self, size: float, color: tuple[int, int, int], style: str = "") -> None:
        self._pdf.set_font("Report", style, size)
        self._pdf.set_text_color(*color)

    def _face(self, **how: Any) -> Any:
        from fpdf.fonts import FontFace

        return FontFace(**how)

    def _line(self, size: float) -> float:
        return size * MM_PER_PT * LINE

    def _gap(self, height: float) -> None:
        paper = self._pdf
        if paper.get_y() > paper.t_margin + 1:
            paper.set_y(min(paper.get_y() + height, paper.page_break_trigger))

    def _keep_together(self, height: float) -> None:
        paper = self._pdf
        if paper.get_y() + height > paper.page_break_trigger:
            paper.add_page()

    def _rule(self, color: tuple[int, int, int], width: float) -> None:
        paper = self._pdf
        paper.set_draw_color(*color)
        paper.set_line_width(width)
        paper.line(paper.l_margin, paper.get_y(), paper.w - paper.r_margin, paper.get_y())
        paper.set_line_width(0.2)
        self._gap(1)

    def _bar(self, top: float, bottom: float) -> None:
        paper = self._pdf
        paper.set_fill_color(*ACCENT)
        paper.rect(paper.l_margin, top, 1, bottom - top - 0.6, style="F")


def _between(least: Sequence[float], usual: Sequence[float], whole: Sequence[float], room: float) -> list[float]:
    """Widths that fill ``room``: between the least and the usual ones, or beyond these towards the whole ones."""
    for low, high in ((least, usual), (usual, whole)):
        if sum(high) > room:
            part = (room - sum(low)) / (sum(high) - sum(low))
            return [a + part * (b - a) for a, b in zip(low, high, strict=True)]
    return [width + (room - sum(whole)) / len(whole) for width in whole]


def _paper(document: Document) -> "FPDF":
    """An empty A4 document with its fonts, metadata and footer."""
    import matplotlib
    from fpdf import FPDF

    logging.getLogger("fpdf").setLevel(logging.ERROR)  # a letter without a glyph shows as a box, and needs no line

    class Paper(FPDF):
        def footer(self) -> None:
            self.set_y(-10)
            self.set_font("Report", "", SMALL_PT)
            self.set_text_color(*SOFT)
            self.cell(self.epw / 2 + 40, 4, document.footer)
            self.cell(0, 4, f"{document.page} {self.page_no()} / {{nb}}", align="R")

    paper = Paper("portrait", "mm", "A4")
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
        paper.add_font("Report", style, fonts / name)
    paper.set_margins(MARGIN_MM, MARGIN_MM - 2)
    paper.set_auto_page_break(True, BOTTOM_MM)
    paper.set_lang(TYPOGRAPHY[document.language].locale)
    paper.set_title(document.title)
    paper.set_subject(document.subject)
    paper.set_creator("TSPOQuant")
    paper.set_creation_date(NO_DATE)
    paper.set_display_mode("fullwidth")
    return paper
