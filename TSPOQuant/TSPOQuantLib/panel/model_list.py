"""The models of the library as a list in which each can be checked."""

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from ..kinetics.models import MODELS
from ..mrml.choices import chosen_models, offered_models


class ModelList:
    """listWidget: a QListWidget. chosen: called with a model's name and whether it is checked."""

    def __init__(self, listWidget, chosen: Callable[[str, bool], None]) -> None:
        self._list, self._chosen = listWidget, chosen
        self._names = offered_models()
        for name in self._names:
            model = MODELS[name]
            item = qt.QListWidgetItem(name)
            outcome = "V_T" if model.outcome == "VT" else "K_i"
            tip = _("{outcome}; {source}").format(outcome=outcome, source=model.source)
            item.setToolTip(tip if model.study_name == name else f"{model.study_name}: {tip}")
            item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
            item.setCheckState(qt.Qt.Unchecked)
            listWidget.addItem(item)
        listWidget.connect("itemChanged(QListWidgetItem*)", self.onItemChanged)

    def show(self, visit, typed: bool) -> None:
        """What the visit has chosen; nothing without one. typed: whether a typed list of models counts instead."""
        chosen = chosen_models(visit) if visit else ()
        wasBlocked = self._list.blockSignals(True)
        for row, name in enumerate(self._names):
            self._list.item(row).setCheckState(qt.Qt.Checked if name in chosen else qt.Qt.Unchecked)
        self._list.blockSignals(wasBlocked)
        self._list.enabled = bool(visit) and not typed

    def onItemChanged(self, item) -> None:
        """Called when a model is checked, or no longer."""
        self._chosen(self._names[self._list.row(item)], item.checkState() == qt.Qt.Checked)
