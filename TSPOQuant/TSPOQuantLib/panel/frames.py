"""A frame that was clicked in a plot: left out of the fits for a reason, brought back, and the last of that undone."""

from typing import Any

import qt
import slicer.util
from slicer.i18n import tr as _

SHORTCUT = "TSPOQuantFrameShortcut"


def ask_reason(frame: int) -> str:
    """Why a frame, counted from 1, is left out, as the user types it; "" for nothing."""
    label = _("Why is frame {number} left out of the fits?").format(number=frame)
    return qt.QInputDialog.getText(slicer.util.mainWindow(), _("Leave a frame out"), label)


class FrameChoice:
    """panel: study_panel.StudyPanel, which imports this file. ask: asks for the reason, for tests."""

    def __init__(self, panel: Any, ask=ask_reason) -> None:
        self._panel, self.ask = panel, ask
        self._chosen: tuple[str, int] | None = None
        self._before: list[tuple[str, dict[str, str]]] = []
        """Visits with the frames that they left out before a change, the last change last."""

    def listen(self, plotView) -> None:
        """Take Delete and Ctrl+Z while this plot has the focus, as it has after a click."""
        for keys, pressed in (("Del", self.leaveOut), ("Ctrl+Z", self.undo)):
            shortcut = qt.QShortcut(qt.QKeySequence(keys), plotView)
            shortcut.name = SHORTCUT
            shortcut.setContext(qt.Qt.WidgetWithChildrenShortcut)
            shortcut.connect("activated()", pressed)

    @staticmethod
    def unlisten(plotView) -> None:
        """Leave the keys to the next panel: of two that take one, Qt lets none have it."""
        for shortcut in slicer.util.findChildren(plotView, name=SHORTCUT):
            shortcut.enabled = False
            shortcut.deleteLater()

    def choose(self, session: str, frame: int) -> None:
        """A frame's point was clicked; frame: counted from 0."""
        self._chosen = session, frame + 1
        self._panel.updateGUI()

    def forget(self) -> None:
        """Another scene is coming."""
        self._chosen, self._before = None, []

    def number(self) -> int:
        """The chosen frame of the visit that is shown, counted from 1; 0 for none."""
        return self._chosen[1] if self._chosen and self._chosen[0] == self._panel.session else 0

    def about(self) -> str:
        """The chosen frame, and all that are left out."""
        return self._panel.logic.aboutFrames(self._panel.session, self.number())

    def whyNotLeftOut(self) -> str:
        """Why no frame can be left out; empty if one can."""
        if not self.number():
            return _("Click a point of a plot first.")
        if str(self.number()) in self._panel.logic.leftOut(self._panel.session):
            return _("This frame is left out already.")
        return ""

    def whyNotBack(self) -> str:
        """Why no frame can be brought back; empty if one can."""
        left = str(self.number()) in self._panel.logic.leftOut(self._panel.session)
        return "" if left else _("Click the point of a frame that is left out.")

    def leaveOut(self) -> None:
        """Leave the chosen frame out, once there is a reason."""
        panel, number = self._panel, self.number()
        if panel.visit is None or panel.runner.running or self.whyNotLeftOut():
            return
        reason = " ".join(self.ask(number).split())
        if reason:
            self._change(panel.logic.leftOut(panel.session) | {str(number): reason})

    def bringBack(self) -> None:
        """Let the fits see the chosen frame again."""
        left = self._panel.logic.leftOut(self._panel.session)
        left.pop(str(self.number()), None)
        self._change(left)

    def undo(self) -> None:
        """Take the last change back, at the visit where it was made."""
        panel = self._panel
        if panel.visit is None or panel.runner.running or not self._before:
            return
        session, left = self._before.pop()
        if session in panel.logic.sessions():
            panel.logic.leaveOut(session, left)

    def _change(self, left: dict[str, str]) -> None:
        session = self._panel.session
        self._before.append((session, self._panel.logic.leftOut(session)))
        self._panel.logic.leaveOut(session, left)
