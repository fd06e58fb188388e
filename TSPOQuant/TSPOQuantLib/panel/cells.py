"""How cells of tables are shown: their nodes are files for machines, and keep the decimal point."""

import qt

from ..mrml.language import shown_number


class Cells(qt.QStyledItemDelegate):
    """Numbers with the decimal sign of the application's language."""

    def displayText(self, value, locale) -> str:
        """Called by Qt for what it draws and measures of a cell."""
        return shown_number(str(value))
