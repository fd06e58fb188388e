"""The table of settings in README, made from their declarations: ``python -m tools.settings_table`` writes it anew."""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
README = REPOSITORY / "README.md"
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"
VISITS = {"refuse": "alike, or refused", "warn": "told", None: "free"}


def table() -> str:
    """Every setting of a study file, one row each, in Markdown."""
    from TSPOQuantLib.outcome.settings import SETTINGS
    from TSPOQuantLib.study import TABLES

    rows = ["| key | default | must be | what it does | visits |", "|---|---|---|---|---|"]
    for one in sorted(SETTINGS, key=lambda one: TABLES.index(one.table)):
        default = "–" if one.default in (None, "", (), {}) else _toml(one.default)
        wanted = f"{one.kind.wanted}{f' ({one.unit})' if one.unit else ''}"
        visits = VISITS[one.shared.severity if one.shared else None]
        cells = (f"`[{one.table}] {one.key}`", default, wanted, one.help, visits)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"`[{', '.join(_toml(item).strip('`') for item in value)}]`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value:g}`"


def parts(text: str) -> tuple[str, str, str]:
    """README before the table, the table, and README after it."""
    before, rest = text.split(BEGIN)
    inside, after = rest.split(END)
    return before + BEGIN, inside, END + after


if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY / "TSPOQuant"))
    before, _, after = parts(README.read_text(encoding="utf-8"))
    README.write_text(f"{before}{table()}{after}", encoding="utf-8")
