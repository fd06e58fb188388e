"""What a section of the validation says, and how it becomes Markdown, terminal text and pictures."""

import io
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas


COMMAND = "./tspoquant validate"
SELF, INDEPENDENT, HUMAN, EXACT = "self-consistency", "independent scanner", "human data", "independent solver"
"""What a section measures with: the phantom's Gaussian blur is the correction's own formula, and shows no more than
that the program agrees with itself; the reconstructing scanner shares nothing with it."""
NUMBER_BEGINS = tuple("+-<0123456789")


@dataclass(frozen=True)
class Goal:
    """A claim with its measured figure: ``what``: ``found``, wanted ``limit``."""

    what: str
    found: str
    limit: str
    met: bool


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture of the document: file name, what it shows, and how to draw it."""

    name: str
    caption: str
    draw: "Callable[[Canvas], None]"
    size_inches: tuple[float, float] = (7.5, 3.2)


@dataclass(frozen=True, eq=False)
class Section:
    """One section: its title, Markdown text, goals and pictures."""

    title: str
    text: str
    goals: tuple[Goal, ...] = ()
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A figure as it was drawn."""

    name: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Measured:
    """A section with its pictures drawn: plain values that one process hands to another."""

    title: str
    text: str
    goals: tuple[Goal, ...]
    pictures: tuple[Picture, ...]
    ruler: str = SELF


def goal_below(what: str, found: float, limit: float, unit: str = "%") -> Goal:
    """Met where ``found`` is at most ``limit``; a figure far below it is said so, as its digits mean nothing."""
    said = f"below {limit / 100:g}" if found < limit / 100 else f"{found:.2g}"
    return Goal(what, f"{said} {unit}", f"at most {limit:g} {unit}", bool(found <= limit))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns of numbers stand right."""
    numbers = [all(cell.strip("*")[:1] in NUMBER_BEGINS for cell in column) for column in zip(*rows, strict=True)]
    lines = [header, ["---:" if right else "---" for right in numbers], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def prose(text: str) -> str:
    """One paragraph, its lines filled anew."""
    return textwrap.fill(" ".join(text.split()), 119, break_long_words=False, break_on_hyphens=False)


def paragraphs(*texts: str) -> str:
    """Tables stay as they are; all else is prose."""
    return "\n\n".join(text if text.startswith("|") else prose(text) for text in texts)


def goal_line(goal: Goal) -> str:
    return f"{'met' if goal.met else 'MISSED'}: {goal.what}: {goal.found} (goal: {goal.limit})"


GOALS_HEADER = ("section", "what", "measured", "goal", "met", "measured with")


def goal_rows(number: int, section: Measured) -> list[list[str]]:
    return [
        [str(number), goal.what, goal.found, goal.limit, "yes" if goal.met else "**no**", section.ruler]
        for goal in section.goals
    ]


def section_pieces(number: int, section: Measured) -> list[str]:
    """A section's heading, what it is measured with, text and pictures."""
    made = f"Made by `{COMMAND}`; measured with: {section.ruler}."
    pictures = [f"![{picture.caption}]({picture.name})\n\n*{picture.caption}*" for picture in section.pictures]
    return [f"## {number}. {section.title}", made, section.text, *pictures]


def markdown(introduction: str, sections: Sequence[Measured]) -> str:
    """The whole document."""
    rows = [row for n, section in enumerate(sections, start=1) for row in goal_rows(n, section)]
    pieces = ["# Validation", introduction, "## Goals at a glance", table(GOALS_HEADER, rows)]
    for n, section in enumerate(sections, start=1):
        pieces += section_pieces(n, section)
    return "\n\n".join(pieces) + "\n"


def renewed(document: str, number: int, section: Measured) -> str:
    """The document with one section and its goals measured anew; all others stay as they are."""
    head, *old = re.split(r"^(?=## \d+\. )", document, flags=re.MULTILINE)
    by_number = {int(re.match(r"## (\d+)", text)[1]): text.strip() for text in old}  # type: ignore[index]
    by_number[number] = "\n\n".join(section_pieces(number, section))
    lines = [line for line in head.strip().split("\n") if not line.startswith("|")]
    cells = [line.strip("| ").split(" | ") for line in head.split("\n") if re.match(r"\| \d+ \|", line)]
    rows = [row for row in cells if int(row[0]) != number] + goal_rows(number, section)
    goals = table(GOALS_HEADER, sorted(rows, key=lambda row: int(row[0])))
    sections = [by_number[n] for n in sorted(by_number)]
    return "\n\n".join(["\n".join(lines).strip(), goals, *sections]) + "\n"


def plain_text(sections: Sequence[Measured]) -> str:
    """The same for a terminal: without Markdown's marks and pictures."""
    pieces = []
    for n, section in enumerate(sections, start=1):
        text = re.sub(r"\*\*|`", "", section.text)
        text = re.sub(r"^\|[ :|-]+\|$\n?", "", text, flags=re.MULTILINE)
        pieces += [f"{n}. {section.title}", text, *(goal_line(goal) for goal in section.goals), ""]
    return "\n".join(pieces).rstrip()


def png(figure: Figure) -> bytes:
    """The picture, the same bytes at every run."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as NewCanvas

    canvas = NewCanvas(figsize=figure.size_inches, layout="constrained")
    FigureCanvasAgg(canvas)
    figure.draw(canvas)
    for axes in canvas.axes:
        axes.tick_params(axis="x", labelsize=8)
        axes.tick_params(axis="y", labelsize=7)
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    return buffer.getvalue()
