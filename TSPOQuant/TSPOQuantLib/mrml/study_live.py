"""Results that follow the brush: what changes at a computed visit while regions are drawn or models chosen."""

from dataclasses import dataclass, field
from typing import Any

from slicer.i18n import tr as _

from ..messages import InputRefused, Notice
from ..outcome.record import VisitRecord
from ..outcome.settings import StudySettings
from . import content, study_nodes
from .drawing import Drawing
from .language import refusal, sentence
from .panel_state import State, fingerprint
from .study_steps import StudySteps

LIVE = Notice(
    "live",
    "these results follow what is drawn and chosen now, without partial-volume correction and error budget; a full "
    "computation gives the rest",
)


@dataclass(eq=False)
class Followed:
    """A visit since it was computed in full.

    basis: fingerprint of what live results rest on and no brush changes. settings, drawn: of the full computation.
    full: its pipeline.live.Live, None until it is needed. live: the present one, None as long as nothing was changed.
    seen, names: the regions that were looked at last; waiting: IDs of segments that changed and were not read yet.
    region: the one that was changed last. note: why results cannot follow, "" while they do.
    """

    basis: str
    settings: StudySettings
    drawn: Drawing
    seen: Drawing
    names: tuple[str, ...]
    full: Any = None
    live: Any = None
    waiting: list[str] = field(default_factory=list)
    region: str = ""
    note: str = ""


class StudyLive(StudySteps):
    """One visit at a time is followed, that which the panel shows: its image is held in memory."""

    _followed: tuple[str, Followed] | None = None

    def follow(self, session: str) -> bool:
        """Begin to follow a visit whose results are up to date; others are no longer followed. Whether it is."""
        if self._of(session) is not None:
            return True
        self.unfollow()
        if study_nodes.has_record(session) and self.state("kinetics", session) is State.DONE:
            drawn = content.drawing(self.visit(session).segmentation)
            settings = self.settingsOf(session)
            self._followed = session, Followed(self._basis(session), settings, drawn, drawn, drawn.names)
        return self._followed is not None

    def unfollow(self) -> None:
        """Forget what was held for it."""
        self._followed = None

    def forget(self) -> None:
        """Also what is followed: another scene may come."""
        super().forget()
        self.unfollow()

    def _computed(self, session: str, data, aligned, settings: StudySettings) -> None:
        from ..pipeline.live import live_of

        self.unfollow()
        self.follow(session)
        followed = self._of(session)
        if followed is not None:
            followed.full = live_of(data.image, aligned, settings, self.record(session))

    def _of(self, session: str) -> Followed | None:
        return self._followed[1] if self._followed is not None and self._followed[0] == session else None

    def _basis(self, session: str) -> str:
        visit = self.visit(session)
        return fingerprint(
            {
                "pet": content.sequence_key(visit.petSequence),
                "ct": content.volume_key(visit.ctVolume),
                "blood": content.file_key(visit.bloodFile),
                "route": visit.bloodRoute.value,
            }
        )

    def liveRecord(self, session: str) -> VisitRecord | None:
        """Results as they follow what is drawn and chosen now; None where there are none but Compute's."""
        followed = self._of(session)
        return followed.live.record if followed and followed.live is not None and not followed.note else None

    def liveRegion(self, session: str) -> str:
        """Name of the region that was changed last, "" without one."""
        followed = self._of(session)
        return followed.region if followed else ""

    def liveNote(self, session: str) -> str:
        """Why results cannot follow what was changed, "" while they do."""
        followed = self._of(session)
        return followed.note if followed else ""

    def shownRecord(self, session: str) -> VisitRecord:
        """What the panel shows: live results where there are any, else those of the last full computation."""
        return self.liveRecord(session) or self.record(session)

    def followChanges(self, session: str) -> bool:
        """Bring results, table and charts up to what is drawn and chosen now; whether anything was worked out.

        One region is read at a time, first that of the chart: to be called again until nothing is worked out.
        """
        followed = self._of(session)
        if followed is None:
            return False
        before = followed.live, followed.note
        shown = self.chartRegion(session)
        try:
            self._followChanges(session, followed, shown)
            followed.note = ""
        except InputRefused as refused:
            followed.note = sentence(refused.message)
        if (followed.live, followed.note) == before:
            return False
        record = self.shownRecord(session)
        names = [region.name for region in record.regions]
        self._fillTable(session, record, None if followed.live is None else (LIVE, *record.notices))
        self.showRegion(session, next((name for name in (followed.region, shown) if name in names), names[0]))
        return True

    def _followChanges(self, session: str, followed: Followed, shown: str) -> None:
        from ..regions.region import check_apart, plain_name

        self._require("kinetics", session)
        settings, now = self.settingsOf(session), content.drawing(self.visit(session).segmentation)
        if settings == followed.settings and not now.changed_since(followed.drawn):
            followed.live, followed.seen, followed.names = None, now, now.names
            followed.waiting, followed.region = [], ""
            return
        if followed.full is None:
            followed.full = self._liveOf(session, followed.settings)
        live = followed.live or followed.full
        if self._basis(session) != followed.basis or not live.follows(settings):
            raise refusal("live-basis", _("Alignment or input function are no longer those of the results."))
        if settings.input_source == "image-derived" and self._poolChanged(followed, now, settings.blood_pool):
            raise refusal("live-basis", _("The blood pool was changed, and with it the input function."))
        changed = now.changed_since(followed.seen)
        followed.waiting = [
            *changed,
            *(
                segment_id
                for segment_id in followed.waiting
                if segment_id not in changed and segment_id in now.segments
            ),
        ]
        followed.seen, renamed = now, now.names != followed.names
        followed.names = now.names
        names = {segment_id: plain_name(name) for segment_id, (name, _tags) in now.segments.items()}
        first = sorted(followed.waiting, key=lambda segment_id: names[segment_id] != shown)[:1]
        again = settings != live.settings
        unfitted = sorted(live.missing, key=lambda name: name != shown)
        if not (first or again or unfitted or renamed):
            return
        check_apart(list(names.values()))
        targets = [region.name for region in live.record.regions]
        at_once = [] if first else unfitted[:1] if not again else [shown if shown in targets else targets[0]]
        followed.live = live.with_changes(
            settings, list(names.values()), [now.region(segment_id) for segment_id in first], at_once
        )
        followed.waiting = [segment_id for segment_id in followed.waiting if segment_id not in first]
        if first and names[first[0]] in {region.name for region in followed.live.record.regions}:
            followed.region = names[first[0]]

    @staticmethod
    def _poolChanged(followed: Followed, now: Drawing, pool: str) -> bool:
        from ..regions.region import plain_name

        names = {plain_name(now.segments[segment_id][0]) for segment_id in now.changed_since(followed.drawn)}
        return plain_name(pool) in names or plain_name(pool) not in map(plain_name, now.names)

    def _liveOf(self, session: str, settings: StudySettings):
        """What results rest on, read anew: after a scene was loaded, or another visit was shown."""
        from ..pipeline.live import live_of

        aligned = study_nodes.stored_alignment(session) if settings.motion_correction != "none" else None
        image = self._read(session, regions=False).image
        return live_of(image, aligned or (None, None), settings, self.record(session))
