"""How cells of tables are shown: their nodes are files for machines, and keep plain numbers with a point."""

from typing import Any

import qt

from ..mrml import tables


class Cells(qt.QStyledItemDelegate):
    """Numbers with the digits that are known, and with the decimal sign of the application's language."""

    def __init__(self, view: Any) -> None:
        super().__init__()
        self._view = view

    def initStyleOption(self, option: Any, index: Any) -> None:
        """Called by Qt for what it draws and measures of a cell."""
        qt.QStyledItemDelegate.initStyleOption(self, option, index)  # super() has no methods of Qt's in Slicer
        node = self._view.mrmlTableNode()
        if node is not None:
            option.text = tables.shown(node, index.row(), index.column())
