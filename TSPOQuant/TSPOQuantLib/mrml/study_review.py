"""Reading the results of a study: region after region of all visits, each accepted by a person; two readers."""

from dataclasses import dataclass, replace

from slicer.i18n import tr as _

from ..outcome.record import with_accepted
from ..plain import to_json
from ..progress import Progress, part, silent
from . import segmentations, study_nodes, tables
from .headline import outcome_line
from .language import Number, refusal, sentence
from .panel_state import State
from .study_live import LIVE, StudyLive

READERS = "readers"
"""Role of the table that compares two readers."""


@dataclass(frozen=True)
class ReaderRow:
    """One region of two readers; see regions.observers.Agreement. vt_percent: the other's V_T against this one's."""

    region: str
    dice: float
    distance_mm: float
    along_mm: float | None
    across_mm: float | None
    volume_percent: float
    vt_percent: float | None


class StudyReview(StudyLive):
    """Regions are judged on what a full computation gave: who accepts one accepts its place and its fit."""

    def reviewPlaces(self) -> list[tuple[str, str]]:
        """(visit, region) of all results: visit after visit, the regions in the order of their segments."""
        return [(session, region.name) for session, record in self.readable().items() for region in record.regions]

    def showForReview(self, session: str, region: str, progress: Progress = silent) -> None:
        """Let views and charts show a region: PET over CT at its place, and its fit."""
        progress(0.0, _("Showing PET over anatomy"))
        self.showVisit(session)
        self.showPet(session)
        self.goToRegion(session, region)
        self.showRegion(session, region)
        progress(1.0, _("Done"))

    def aboutReview(self, session: str, region: str) -> str:
        """What is to be known of a region: its results, what they are warned of, and who accepted it.

        Results that follow what is chosen now are told, as the table does; accepted are those of Compute alone.
        """
        record = self.shownRecord(session)
        rows = [row for row in record.rows if row.region == region]
        lines = [outcome_line(record, row) for row in rows]
        warned = [notice for row in rows for notice in row.flags]
        warned += [notice for notice in record.warnings if region in str(notice.message)]
        warned += [LIVE] if self.liveRecord(session) else []
        lines += [sentence(notice.message) for notice in dict.fromkeys(warned)]
        name = self.record(session).region(region).accepted_by
        lines.append(_("Accepted by: {name}").format(name=name) if name else _("Not accepted yet."))
        return "\n".join(lines)

    def whyNotAccepted(self, session: str) -> str:
        """Why results of a visit cannot be accepted; empty if they can."""
        current = self.liveRecord(session) is None and self.state("kinetics", session) is State.DONE
        return "" if current else _("Compute the visit '{session}' first.").format(session=session)

    def acceptRegion(self, session: str, region: str, name: str) -> None:
        """Keep with the results who accepted a region; an empty name takes that back.

        Raises InputRefused ("review-out-of-date").
        """
        if self.whyNotAccepted(session):
            raise refusal("review-out-of-date", self.whyNotAccepted(session))
        node = self._resultOf("kinetics", session)
        record = with_accepted(self.record(session), region, " ".join(name.split()))
        study_nodes.store_text(session, study_nodes.RECORD, to_json(record), node.GetAttribute(study_nodes.MADE_FROM))

    # Two readers

    def whyNoReaders(self, session: str) -> str:
        """Why two readers' regions cannot be compared; empty if they can."""
        visit = self.visit(session)
        if visit.otherReader is None or visit.otherReader is visit.segmentation:
            return _("Select the segmentation of another reader.")
        if visit.segmentation is None:
            return _("Select or create a segmentation.")
        return self.whatIsMissing("kinetics", session)

    def compareReaders(self, session: str, progress: Progress = silent) -> str:
        """How far another reader's regions and V_T agree with this visit's: a table in the scene; what came of it.

        V_T is that of the primary model, uncorrected, with one alignment for both; the input function is that of this
        visit where the other reader drew no blood pool. Raises InputRefused.
        """
        from .. import pipeline
        from ..pipeline.live import live_of
        from ..regions.observers import agreements, placement_mm
        from ..regions.region import plain_name, regions_of

        self._check(self.whyNoReaders(session))
        settings = replace(self.settingsOf(session), pvc="none")
        data = self._read(session, regions=True, progress=part(progress, 0, 0.1))
        other = segmentations.segmentation_from_node(self.visit(session).otherReader, "segmentation of another reader")
        agreed = agreements(regions_of(data.segmentation), regions_of(other))
        aligned = self._alignment(session, data, settings, part(progress, 0.1, 0.5))
        mine = pipeline.quantify(data, settings, aligned, part(progress, 0.5, 0.75)).record
        drawn = [region for region in regions_of(other) if region.mask.any()]
        pool = plain_name(settings.blood_pool)
        without = settings.input_source == "image-derived" and pool not in {region.name for region in drawn}
        if without:  # as a second reader's regions often are
            names = [region.name for region in drawn]
            its = live_of(data.image, aligned, settings, mine).with_changes(settings, names, drawn).record
        else:
            data = replace(data, segmentation=other)
            its = pipeline.quantify(data, settings, aligned, part(progress, 0.75, 1)).record
        values = [{row.region: row.VT for row in one.rows if row.model == one.models[0]} for one in (mine, its)]
        rows = [
            ReaderRow(
                agreement.region,
                agreement.dice,
                agreement.distance_mm,
                agreement.along_mm,
                agreement.across_mm,
                100 * (agreement.volume_ratio - 1),
                100 * (values[1][agreement.other] / values[0][agreement.region] - 1)
                if agreement.region in values[0] and agreement.other in values[1]
                else None,
            )
            for agreement in agreed
        ]
        table = study_nodes.find_or_add(session, READERS, "vtkMRMLTableNode", f"TSPOQuant {session} readers")
        tables.fill_table(table, rows, tables.reader_columns())
        spread = placement_mm(agreed)
        said = [_("{count} regions compared.").format(count=len(rows))]
        if spread is not None:
            told = _("One reader places them within {spread:.1f} mm (SD along an axis).")
            said.append(told.format(spread=Number(spread)))
        if without:
            said.append(_("The other reader drew no blood pool: both have this visit's input function."))
        return " ".join(said)
