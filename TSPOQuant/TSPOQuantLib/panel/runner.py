"""Long work with the panel locked: progress, cancel, and one sentence at the end."""

import contextlib
import logging
from collections.abc import Callable

import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from ..messages import Cancelled, InputRefused
from ..mrml.language import sentence
from ..progress import Progress
from .later import Later


class Runner:
    """update: called when work begins and when it has ended, to lock the panel and to show what came of it."""

    def __init__(self, later: Later, ui, update: Callable[[], None]) -> None:
        self._later, self._ui, self._update = later, ui, update
        self._cancelRequested = False
        self.running = False
        self.say("")

    def run(self, work: Callable[[Progress], object], done: str = "") -> None:
        """Do ``work(progress)``; say what it returns, or ``done`` where that is no sentence."""
        if self.running or self._later.over:
            return
        self.running, self._cancelRequested = True, False
        self.say(_("Working…"))  # what was said of the work before is no longer true
        place = self._lock()
        failure = ""
        try:
            with slicer.util.WaitCursor():
                found = work(self._onProgress)
            self.say(found if isinstance(found, str) and found else done)
        except Cancelled:
            self.say(_("Stopped. Nothing was changed."))
        except InputRefused as refused:
            logging.exception("TSPOQuant: %s", refused)
            failure = sentence(refused.message).removesuffix(".") + "."
        except Exception:
            logging.exception("TSPOQuant")
            failure = _("This failed through a fault of the program. Nothing was changed; the error log has details.")
        finally:
            self.running = False
            self._unlock(place)
        if failure:
            self.say(failure)
            slicer.util.errorDisplay(failure)

    def _lock(self):
        """Lock the panel and leave it where it is scrolled; the widget that had the focus, and where it is."""
        scrolled = self._ui.sectionsScrollArea.verticalScrollBar()
        # A window that a dialog was in front of a moment ago is not active yet.
        place = qt.QApplication.focusWidget() or self._window().focusWidget(), scrolled.value
        # Qt hands the focus of a widget that is disabled to the next one, and the scroll area follows it.
        self._ui.cancelButton.enabled = True
        self._ui.cancelButton.setFocus()
        self._ui.progressBar.value = 0
        self._update()
        scrolled.value = place[1]
        return place

    def _unlock(self, place) -> None:
        if self._later.over:
            return
        focus, scrolled = place
        held = self._window().focusWidget() is self._ui.cancelButton  # which is about to be disabled
        self._update()
        if held and focus is not None:
            with contextlib.suppress(ValueError, RuntimeError):  # a new layout has taken it away with its view
                focus.setFocus()
        self._ui.sectionsScrollArea.verticalScrollBar().value = scrolled

    def _window(self):
        """That of the panel, which Slicer lets float."""
        return self._ui.cancelButton.window()

    def say(self, sentence: str) -> None:
        """Show one sentence until the next."""
        if self._later.over:
            return
        self._ui.statusLabel.text = sentence
        self._ui.statusLabel.visible = bool(sentence)

    def _onProgress(self, fraction: float, text: str) -> None:
        if not self._later.over:
            self._ui.progressBar.value = round(100 * fraction)
            self.say(sentence(text))
            slicer.app.processEvents()
        if self._cancelRequested:
            raise Cancelled

    def stop(self) -> None:
        """Ask the running work to stop; it does so at its next report."""
        self._cancelRequested = True

    def onCancel(self) -> None:
        """Called when the user presses Cancel."""
        self.stop()
        self.say(_("Stopping…"))
