"""Every setting that has no control of its own, in a table that follows from their declarations."""

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from ..messages import InputRefused
from ..mrml import further
from ..mrml.language import translated

NAME, VALUE, DEFAULT = range(3)


class SettingsTable:
    """table: a QTableWidget. say: shows a sentence. chosen: called with what the scene is to keep."""

    def __init__(self, table, chosen: Callable[[str], None], say: Callable[[str], None]) -> None:
        self._table, self._chosen, self._say = table, chosen, say
        self._settings = further.offered()
        self._text = ""
        table.setColumnCount(3)
        table.setHorizontalHeaderLabels([_("Setting"), _("Value"), _("Default")])
        table.setRowCount(len(self._settings))
        for row, setting in enumerate(self._settings):
            unit = f" ({setting.unit})" if setting.unit and not setting.name.endswith(f"_{setting.unit}") else ""
            tip = _("[{table}] {key}: {help}. It must be {wanted}.").format(
                table=setting.table,
                key=setting.key,
                help=translated(setting.help),
                wanted=translated(setting.kind.wanted),
            )
            for column, text in (
                (NAME, setting.name + unit),
                (VALUE, ""),
                (DEFAULT, further.as_typed(setting.default)),
            ):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(tip)
                if column != VALUE:
                    item.setFlags(qt.Qt.ItemIsEnabled)
                table.setItem(row, column, item)
        table.resizeColumnsToContents()
        table.horizontalHeader().setSectionResizeMode(VALUE, qt.QHeaderView.Stretch)
        table.connect("cellChanged(int,int)", self.onCellChanged)

    def show(self, visit) -> None:
        """What the visit has chosen; nothing without one."""
        self._text = visit.furtherSettings if visit else ""
        try:
            values = further.kept(self._text)
        except InputRefused as refused:
            values = {}
            self._say(translated(refused.message))
        wasBlocked = self._table.blockSignals(True)
        for row, setting in enumerate(self._settings):
            text = further.as_typed(values[setting.name]) if setting.name in values else ""
            item = self._table.item(row, VALUE)
            if item.text() != text:
                item.setText(text)
        self._table.blockSignals(wasBlocked)

    def onCellChanged(self, row: int, column: int) -> None:
        """Called when the user has typed a value."""
        setting = self._settings[row]
        try:
            self._chosen(further.changed(self._text, setting, self._table.item(row, column).text()))
        except InputRefused as refused:
            self._say(translated(refused.message))
            wasBlocked = self._table.blockSignals(True)
            self._table.item(row, column).setText("")
            self._table.blockSignals(wasBlocked)
