"""Review of the results: one region after the other, of all visits, in the order of the logic's ``reviewPlaces``."""

from typing import Any

from slicer.i18n import tr as _

from ..progress import Progress


class Review:
    """panel: study_panel.StudyPanel, which imports this file. Where one is follows from what the charts show."""

    def __init__(self, panel: Any) -> None:
        self._panel = panel

    def places(self) -> list[tuple[str, str]]:
        """(visit, region) of all results."""
        return self._panel.logic.reviewPlaces() if self._panel.visit else []

    def place(self) -> tuple[str, str] | None:
        """Which of them is shown; None where the visit that is shown has no results."""
        panel = self._panel
        if panel.visit is None or panel.session not in panel.logic.readable():
            return None
        return panel.session, panel.logic.chartRegion(panel.session)

    def show(self, step: int, progress: Progress) -> None:
        """Go on by a number of places, and around at the end: the visit, its views and its charts follow."""
        panel, places, place = self._panel, self.places(), self.place()
        session, region = places[(places.index(place) + step) % len(places)] if place in places else places[0]
        panel.study.currentSession = session
        panel.logic.showForReview(session, region, progress)
        panel.showChart("curves")

    def about(self) -> str:
        """Where one is, and what is to be known of it."""
        place, places = self.place(), self.places()
        if place not in places:
            return ""
        where = _("{session}, {region} ({number} of {count})").format(
            session=place[0], region=place[1], number=places.index(place) + 1, count=len(places)
        )
        return "\n".join([where, self._panel.logic.aboutReview(*place)])

    def whyNotAccepted(self) -> str:
        """Why what is shown cannot be accepted; empty if it can."""
        place = self.place()
        if place is None:
            return _("Compute the visit '{session}' first.").format(session=self._panel.session)
        if not self._panel.study.reviewer.strip():
            return _("Type your initials first.")
        return self._panel.logic.whyNotAccepted(place[0])

    def accept(self) -> None:
        """Accept what is shown; take that back where the same person accepted it before."""
        panel, place = self._panel, self.place()
        if place is None:
            return
        name = " ".join(panel.study.reviewer.split())
        before = panel.logic.record(place[0]).region(place[1]).accepted_by
        panel.runner.run(lambda progress: panel.logic.acceptRegion(*place, "" if before == name else name))
