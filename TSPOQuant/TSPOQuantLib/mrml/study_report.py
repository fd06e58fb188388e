"""All visits of a study compared, and the report on them."""

import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from slicer.i18n import tr as _

from ..messages import InputRefused, Notice, Text
from ..plain import restored, to_json
from ..progress import Progress, part, silent
from . import study_nodes, tables
from .language import refusal, translated
from .panel_state import SECTIONS, State
from .study_review import StudyReview

FINDINGS = "findings"
"""Role of the text that keeps in what the visits differ."""
TALKATIVE = ("PIL", "fontTools", "matplotlib")
"""Packages of reports that tell each of their steps to a log that takes everything, as Slicer's does."""


@dataclass(frozen=True)
class KeptFinding:
    """A TSPOQuantLib.outcome.finding.Finding as a scene keeps it: to be told in the language of the day.

    barring: whether it has to be accepted before visits are compared. said: the sentence, then what each visit has.
    """

    code: str
    barring: bool
    acceptable: bool
    said: tuple[Notice, ...]

    def text(self) -> str:
        first, *values = (translated(notice.message) for notice in self.said)
        return f"{first[:1].upper()}{first[1:]} ({' | '.join(values)})"


def kept(finding) -> KeptFinding:
    """A finding of the comparison, to be kept."""
    said = tuple(Notice(finding.code, Text.of(text)) for text in (finding.message, *finding.values))
    return KeptFinding(finding.code, finding.severity == "refuse", finding.acceptable, said)


class StudyReport(StudyReview):
    """All steps of a study: what the module's logic hands on to the panel and to scripts."""

    # The panel's first lines

    def headline(self) -> str:
        """V_T of the affected foramen at every visit with results, and that of the region that is being drawn; ""
        without any."""
        from .headline import place, visit_line

        unreadable, main, drawn = [], [], []
        for session in self.comparable():
            try:
                record = self.shownRecord(session)
            except InputRefused as refused:
                unreadable.append(translated(refused.message))
                continue
            row = self.mainRow(record)
            main.append((session, record, row))
            also = record.row_of(self.liveRegion(session), row.model) if self.liveRecord(session) else None
            if also is not None and also.region != row.region:
                drawn.append((session, record, also))
        below: dict[str, list[str]] = {}
        for session, record, row in (*main, *drawn):
            below.setdefault(place(row), []).append(self._visitLine(session, visit_line(record, row)))
        return "\n".join([*unreadable, *(line for what, lines in below.items() for line in (what, *lines))])

    def _visitLine(self, session: str, line: str) -> str:
        """With a word on how far it can be relied on."""
        if self.liveRecord(session) is not None:
            return _("{line} – live").format(line=line)
        if self.state("kinetics", session) is State.DONE:
            return line
        note = self.liveNote(session)
        return "\n".join(filter(None, (_("{line} – out of date").format(line=line), note)))

    def whatIsNext(self, session: str) -> tuple[str, str]:
        """The section where something is to be done next, and what, in one sentence."""
        for section in SECTIONS[:-1]:
            missing = self.whatIsMissing(section, session) or (
                self.whyUnusable(self.visit(session)) if section == "study" else ""
            )
            if missing:
                return section, missing
        if self.state("kinetics", session) is not State.DONE:
            return "kinetics", _("press Compute, which also aligns and makes the input function.")
        for other in self.sessions():
            if self.state("kinetics", other) is not State.DONE:
                return "study", _("choose the visit '{session}' above.").format(session=other)
        if study_nodes.text_of(study_nodes.WHOLE_STUDY, "verdict") is None and len(self.comparable()) > 1:
            return "report", _("compare the visits.")
        if self.state("report", session) is not State.DONE:
            return "report", _("select a folder and write the report.")
        return "", ""

    # Change and report

    def findings(self):
        """In what the visits with results differ, as TSPOQuantLib.outcome.finding.Finding."""
        from ..outcome.comparability import findings_of

        records = [self.record(session) for session in self.comparable()]
        return findings_of(records) if len(records) > 1 else ()

    def keptFindings(self) -> tuple[KeptFinding, ...]:
        """What the last comparison found; nothing where a scene keeps it in a way that is no longer read."""
        text = study_nodes.text_of(study_nodes.WHOLE_STUDY, FINDINGS) or "[]"
        try:
            return restored(tuple[KeptFinding, ...], json.loads(text))
        except (ValueError, TypeError, KeyError):
            return ()

    def accept(self, code: str, accepted: bool = True) -> None:
        """Take a difference between the visits upon oneself, which the report then says; or no longer."""
        study = self.getParameterNode()
        others = [known for known in study.accepted if known != code]
        study.accepted = [*others, code] if accepted else others

    def whyNotCompared(self) -> str:
        """Why visits cannot be compared yet; empty if they can."""
        few = len(self.comparable()) < 2
        return _("Compute another visit first; a change needs two.") if few else ""

    def compare(self):
        """All visits with results against the first one: a TSPOQuantLib.outcome.compare.Comparison.

        What it finds is kept in the scene; refuses ("visits-…") where results are out of date, and where visits differ
        in what can fake a change and that is not accepted.
        """
        from ..outcome.clinical import Clinical, Lesion
        from ..outcome.clinical_file import read_clinical
        from ..outcome.compare import compare
        from ..outcome.repeatability import read_repeatability

        self._require("report", "")
        self._check(self.whyNotCompared())
        study = self.getParameterNode()
        for session in self.comparable():
            step = self.step("kinetics", session)
            if not step.missing and step.made_from != step.inputs:
                raise refusal(
                    "visits-out-of-date",
                    _("The results of the visit '{session}' are out of date; compute it again.").format(
                        session=session
                    ),
                )
        findings = self.findings()
        codes = {finding.code for finding in findings}
        for role in ("changes", "verdict"):
            study_nodes.remove_role(study_nodes.WHOLE_STUDY, role)
        study_nodes.store_text(study_nodes.WHOLE_STUDY, FINDINGS, to_json([kept(finding) for finding in findings]), "")
        clinical = read_clinical(Path(study.clinicalFile)) if study.clinicalFile else Clinical({}, None)
        if study.level.value and study.side.value:
            chosen = Lesion(study.level.value, study.side.value)
            if clinical.lesion not in (None, chosen):
                raise InputRefused(
                    "lesion-differs", _("The clinical file names another foramen than the first section; correct one.")
                )
            clinical = replace(clinical, lesion=chosen)
        comparison = compare(
            [self.record(session) for session in self.comparable()],
            clinical,
            read_repeatability(Path(study.repeatabilityFile)) if study.repeatabilityFile else (),
            [code for code in study.accepted if code in codes],
        )
        table = study_nodes.find_or_add(study_nodes.WHOLE_STUDY, "changes", "vtkMRMLTableNode", _("TSPOQuant changes"))
        tables.fill_table(table, comparison.changes, tables.change_columns())
        headline = "\n".join(translated(sentence) for sentence in comparison.headline)
        study_nodes.store_text(study_nodes.WHOLE_STUDY, "verdict", headline, "")
        return comparison

    def writeReport(self, folder: str = "", replaceOld: bool = False, progress: Progress = silent) -> str:
        """Write the comparison's tables and the report as HTML and PDF; the path of the HTML file.

        :param folder: a new or empty one; empty takes what is chosen in the panel
        :param replaceOld: whether results that this program wrote there may be replaced
        """
        from ..output import whole_folder
        from ..reporting.comparison_files import write_comparison
        from ..reporting.report import write_report

        for package in TALKATIVE:
            logging.getLogger(package).setLevel(logging.WARNING)
        study = self.getParameterNode()
        target = Path(folder or study.reportFolder)
        self._check("" if folder or study.reportFolder else _("Select a folder for the report."))
        progress(0.0, _("Comparing the visits"))
        comparison = self.compare()
        inputs = self._inputsOf("report", study.currentSession)
        pictures = self._pictures(comparison, part(progress, 0.1, 0.7))
        progress(0.7, _("Writing the report"))
        files = [Path(path) for path in (study.clinicalFile, study.repeatabilityFile) if path]
        with whole_folder(target, replaceOld, files) as scratch:
            write_comparison(scratch, comparison)
            stretch = part(progress, 0.75, 1)
            html, _pdf = write_report(scratch, comparison, pictures, study.language.value, stretch)
        path = str(target / html.name)
        study_nodes.store_text(study_nodes.WHOLE_STUDY, study_nodes.REPORT, path, inputs)
        progress(1.0, _("Done"))
        return path

    @staticmethod
    def ensurePackages() -> None:
        """Install what reports need beyond Slicer, with the user's consent; RuntimeError where that is refused."""
        import slicer.packaging

        requirements = Path(__file__).parents[2] / "Resources" / "requirements.txt"
        slicer.packaging.pip_ensure(slicer.packaging.load_requirements(requirements), requester="TSPOQuant")

    def reportFile(self) -> str:
        """The report that was written last; empty where there is none, or it is no longer there."""
        path = study_nodes.text_of(study_nodes.WHOLE_STUDY, study_nodes.REPORT) or ""
        return path if path and Path(path).is_file() else ""

    def _pictures(self, comparison, progress: Progress):
        """The affected foramen at every visit whose images are in the scene; none unless all are."""
        from .. import pipeline
        from ..reporting.fused_pictures import fused_pictures

        images = []
        lesion = comparison.lesion
        sessions = [record.session for record in comparison.visits]
        for number, session in enumerate(sessions):
            visit = self.visit(session)
            if lesion is None or not (visit.petSequence and visit.ctVolume and visit.segmentation):
                return ()
            progress(number / len(sessions), _("Reading the images"))
            data, settings = self._read(session, regions=True), self.settingsOf(session)
            aligned = self._alignment(session, data, settings, part(progress, number / len(sessions), 1))
            placed = pipeline.place(data, settings, aligned)
            images.append(pipeline.visit_fused(placed, data.segmentation, settings))
        row = comparison.visits[0].row(*lesion.foramen.place, comparison.model)
        return fused_pictures(images, [row.region]) if row else ()
