"""Long work with the panel locked: progress, cancel, and one sentence at the end."""

import logging
from collections.abc import Callable

import slicer
import slicer.util
from slicer.i18n import tr as _

from ..messages import Cancelled, InputRefused
from ..mrml.language import told
from ..progress import Progress


class Runner:
    """update: called when work begins and when it has ended, to lock the panel and to show what came of it."""

    def __init__(self, ui, update: Callable[[], None]) -> None:
        self._ui, self._update = ui, update
        self._cancelRequested = False
        self.running = False

    def run(self, work: Callable[[Progress], object], done: str = "") -> None:
        """Do ``work(progress)``; say what it returns, or ``done`` where that is no sentence."""
        if self.running:
            return
        self.running, self._cancelRequested = True, False
        self._update()
        failure = ""
        try:
            with slicer.util.WaitCursor():
                found = work(self._onProgress)
            self.say(found if isinstance(found, str) and found else done)
        except Cancelled:
            self.say(_("Stopped. Nothing was changed."))
        except InputRefused as refused:
            logging.exception("TSPOQuant: %s", refused)
            message = told(refused.message)
            failure = message[:1].upper() + message[1:].removesuffix(".") + "."
        except Exception:
            logging.exception("TSPOQuant")
            failure = _("This failed through a fault of the program. Nothing was changed; the error log has details.")
        finally:
            self.running = False
            self._update()
        if failure:
            self.say(failure)
            slicer.util.errorDisplay(failure)

    def say(self, sentence: str) -> None:
        """Show one sentence until the next."""
        self._ui.statusLabel.text = sentence

    def _onProgress(self, fraction: float, text: str) -> None:
        self._ui.progressBar.value = round(100 * fraction)
        self.say(text)
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
