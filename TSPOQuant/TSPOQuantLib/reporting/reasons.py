"""Why values of a table are flagged, in lines below it, for a terminal."""

import textwrap
from collections.abc import Iterable

from ..messages import Notice, named

WIDTH = 80


def reasons_text(flagged: Iterable[tuple[str, Notice]]) -> str:
    """One paragraph a code: the first sentence, whom it is about, and whom another sentence of that code is about.

    flagged: what is flagged, in words ("cord C7, Logan"), and why. "" where nothing is.
    """
    codes: dict[str, dict[str, list[str]]] = {}
    for where, notice in flagged:
        places = codes.setdefault(notice.code, {}).setdefault(notice.message, [])
        if where not in places:
            places.append(where)
    paragraphs = []
    for code, sentences in codes.items():
        first, *others = sentences
        text = f"* {code}: {first} ({named(sentences[first])})"
        alike = list(dict.fromkeys(where for other in others for where in sentences[other]))
        if alike:
            text += f"; likewise {named(alike)}"
        paragraphs.append(textwrap.fill(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False))
    return "\n".join(paragraphs)
