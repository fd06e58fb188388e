"""Calls that the panel makes soon, none of them after its widgets are gone."""

from collections.abc import Callable

import qt


class Later:
    """The panel's timers. QTimer.singleShot would call widgets that a reload of the module has taken away."""

    def __init__(self) -> None:
        self.over = False
        """Whether the panel is about to go, or has gone: no widget of it may be touched."""

    def timer(self, milliseconds: int, ended: Callable[[], object]):
        """What calls ``ended`` once after its last ``start()``."""
        timer = qt.QTimer()
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.connect("timeout()", lambda: None if self.over else ended())
        return timer

    def stop(self) -> None:
        """The panel is about to go."""
        self.over = True
