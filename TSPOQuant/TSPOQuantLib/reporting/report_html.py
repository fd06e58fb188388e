"""A report as one HTML file that needs nothing else: pictures, styles and fonts are inside it or the reader's own."""

import base64
import re
from pathlib import Path
from typing import Any

from .plots import png, svg
from .report_document import Document, English, Picture

PIXELS_PER_INCH = 96
TEMPLATES = Path(__file__).with_name("templates")


def html(document: Document) -> str:
    """The document as HTML, the same bytes at every run."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup, escape

    def typeset(text: str) -> Markup:
        """Escaped; V_T with its index below the line; English marked inside other languages; DOIs may break."""
        safe = re.sub(r"\b(V|K)_([TBi])\b", r"\1<sub>\2</sub>", str(escape(str(text))))
        if isinstance(text, English) and document.language != "en":
            safe = f'<span lang="en">{safe}</span>'
        return Markup(safe)  # escaped above

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )

    def css(text: str) -> Markup:
        """A string of a style sheet: all but letters and digits by code points, which swallow a space after them."""
        codes = (letter if letter.isalnum() else f"\\{ord(letter):06x}" for letter in text)
        return Markup(f'"{"".join(codes)}"')  # escaped above

    def unbroken(text: str) -> int:
        """Letters of the longest word."""
        return max(map(len, text.split()), default=0)

    environment.filters |= {"typeset": typeset, "css": css, "data": _data, "unbroken": unbroken}
    environment.filters["kind"] = lambda block: type(block).__name__
    styles = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))  # our own file
    text: str = environment.get_template("report.html.j2").render(document=document, styles=styles)
    return text


def _data(picture: Picture) -> dict[str, Any]:
    """A picture as the attributes of an img."""
    drawn, kind = (png(picture), "png") if picture.raster else (svg(picture), "svg+xml")
    encoded = base64.b64encode(drawn.content).decode("ascii")
    width, height = round(PIXELS_PER_INCH * drawn.width), round(PIXELS_PER_INCH * drawn.height)
    return {"src": f"data:image/{kind};base64,{encoded}", "width": width, "height": height}
