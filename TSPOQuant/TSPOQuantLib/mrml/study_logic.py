"""A study in the scene: its visits, their choices, and what is to be done about each section of the panel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
import slicer.util
from slicer import vtkMRMLSegmentationNode
from slicer.i18n import tr as _

from ..alignment.settings import MotionSettings
from ..input_function.settings import ImageDerivedSettings, SampledSettings, SourceSettings
from ..messages import InputRefused
from ..outcome.record import VisitRecord
from ..outcome.settings import StudySettings
from ..progress import Progress, silent
from ..regions.anatomy import identify
from ..settings import chosen, part_of
from . import content, further, segmentations, study_nodes
from .choices import (
    BloodRoute,
    BloodVolume,
    Genotype,
    InputSource,
    Language,
    Level,
    Motion,
    Side,
    TSPOQuantParameterNode,
    TSPOQuantVisitParameterNode,
    chosen_models,
)
from .language import refusal, translated
from .panel_state import State, Step, fingerprint, state_of, study_state


def application_language() -> Language:
    """The report's language is that of the application, where it has it, until another is chosen."""
    locale = str(slicer.app.applicationLocaleName)[:2]
    return next((language for language in Language if language.value == locale), Language("en"))


class StudyLogic:
    """Visits are named by their labels.

    moduleName: begins the tags of the study's parameter nodes. quantify: replaces pipeline.quantify, for tests.
    """

    SESSIONS = ("baseline", "followup")

    def __init__(self, moduleName: str = "TSPOQuant", quantify: Callable[..., Any] | None = None) -> None:
        self.moduleName = moduleName
        self._quantify = quantify
        self._wrapped: dict[str, tuple[Any, Any]] = {}

    def forget(self) -> None:
        """Wrap parameter nodes anew: a wrapper remembers what it read."""
        self._wrapped.clear()

    # Visits and choices

    def _parameters(self, wrapper: type, tag: str, name: str) -> Any:
        """A parameter node of the scene in its wrapper, which is made once a node: it reads every parameter."""
        node = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(tag)
            node.SetName(name)
            node = slicer.mrmlScene.AddNode(node)
        if node.GetAttribute("ModuleName") != self.moduleName:  # closing a scene takes it away
            node.SetAttribute("ModuleName", self.moduleName)
        if self._wrapped.get(tag, (None,))[0] is not node:
            self._wrapped[tag] = node, wrapper(node)
        return self._wrapped[tag][1]

    def getParameterNode(self) -> TSPOQuantParameterNode:
        """The choices that all visits share, which are kept in the scene."""
        study: TSPOQuantParameterNode = self._parameters(TSPOQuantParameterNode, self.moduleName, self.moduleName)
        if not study.sessions:  # a new one
            study.sessions = list(self.SESSIONS)
            study.language = application_language()
        return study

    def sessions(self) -> list[str]:
        """Labels of all visits, the first one is the baseline."""
        return list(self.getParameterNode().sessions)

    def visit(self, session: str) -> TSPOQuantVisitParameterNode:
        """The choices of a visit, which are kept in the scene."""
        if session not in self.sessions():
            raise refusal("visit-unknown", _("No visit is called '{session}'; add it.").format(session=session))
        tag, name = self._tag(session), f"{self.moduleName} {session}"
        found: TSPOQuantVisitParameterNode = self._parameters(TSPOQuantVisitParameterNode, tag, name)
        chosen = (found.petSequence, found.ctVolume, found.segmentation, found.labels, found.otherReader)
        if any(node is not None and not slicer.mrmlScene.IsNodePresent(node) for node in chosen):
            self._wrapped.pop(tag)  # it remembers a node that was deleted
            found = self._parameters(TSPOQuantVisitParameterNode, tag, name)
        return found

    def _tag(self, session: str) -> str:
        """Of a visit's parameter node."""
        return f"{self.moduleName}-{session}"

    def whyNotAdded(self, session: str) -> str:
        """Why a visit cannot have this label; empty if it can."""
        from ..study import LABEL

        if LABEL.fullmatch(session) and session not in self.getParameterNode().sessions:
            return ""
        return _("A visit needs a label of its own, of letters and digits alone, such as 'week12'.")

    def addVisit(self, session: str) -> TSPOQuantVisitParameterNode:
        """Add a visit after the others; refuses ("visit-label") what is no label or is there already."""
        study, objection = self.getParameterNode(), self.whyNotAdded(session)
        if objection:
            raise refusal("visit-label", objection)
        study.sessions = [*study.sessions, session]
        return self.visit(session)

    def removeVisit(self, session: str) -> None:
        """Forget a visit's choices and results; its images, regions and files stay. The last visit cannot go."""
        study = self.getParameterNode()
        left = [other for other in study.sessions if other != session]
        if not left:
            raise InputRefused("visit-last", _("A study needs at least one visit; add another one first."))
        node = slicer.mrmlScene.GetSingletonNode(self._tag(session), "vtkMRMLScriptedModuleNode")
        study.sessions = left
        if study.currentSession == session:
            study.currentSession = left[0]
        study_nodes.remove_results(session)
        slicer.mrmlScene.RemoveNode(node)

    def settingsOf(self, session: str) -> StudySettings:
        """A visit's choices as TSPOQuantLib.study.StudySettings.

        Raises InputRefused ("settings-unreadable") where the scene holds further settings that are not allowed.
        """
        study, visit = self.getParameterNode(), self.visit(session)
        fixed = visit.bloodVolume is BloodVolume.FIXED
        values = {
            "subject": study.subject,
            "session": session,
            "genotype": study.genotype.value,
            "washout": visit.washout,
            "blood_pool": self.bloodPoolName(visit),
            "input_source": visit.inputSource.value,
            "calibration": visit.calibration.value,
            "models": chosen_models(visit),
            "vb": visit.fixedBloodVolume if fixed else visit.bloodVolume.value,
            "delay_s": "fit" if visit.fitDelay else 0.0,
            "motion_correction": visit.motion.value,
            "pvc": visit.pvc.value,
            "fwhm_mm": visit.fwhm or None,
        }
        return StudySettings(**(values | further.kept(visit.furtherSettings)))

    def leftOut(self, session: str) -> dict[str, str]:
        """Frames that the fits of a visit do not see, by their number counted from 1, with the reason."""
        try:
            return dict(further.kept(self.visit(session).furtherSettings).get("leave_out", {}))
        except InputRefused:  # which the panel tells where it shows the settings
            return {}

    def leaveOut(self, session: str, frames: dict[str, str]) -> None:
        """Let the fits of a visit see all frames but these, as ``leftOut`` tells them."""
        visit = self.visit(session)
        visit.furtherSettings = further.with_value(visit.furtherSettings, "leave_out", frames or None)

    def bloodPoolName(self, visit: TSPOQuantVisitParameterNode) -> str:
        """Name of the chosen blood pool; empty if none is chosen, or it is no longer in the segmentation."""
        if visit.segmentation is None:
            return ""
        segment = visit.segmentation.GetSegmentation().GetSegment(visit.bloodPoolSegmentID)
        return segment.GetName() if segment else ""

    def findBloodPool(self, segmentation: vtkMRMLSegmentationNode | None) -> str:
        """ID of the first segment that is called or tagged a blood pool; empty if there is none."""
        if segmentation is None:
            return ""
        for segmentID in segmentation.GetSegmentation().GetSegmentIDs():
            segment = segmentation.GetSegmentation().GetSegment(segmentID)
            if identify(segment.GetName(), segmentations.tags_of(segment)).structure == "blood-pool":
                return segmentID
        return ""

    def loadDigitalNeck(self, progress: Progress = silent, settings=None) -> list[str]:
        """Put the simulated neck into the scene, and fill in the study with its two visits; their labels.

        :param settings: TSPOQuantLib.phantom.PhantomSettings; None takes a quick one
        """
        from . import sample_data

        visits = sample_data.load_neck(progress, settings)
        study = self.getParameterNode()
        study.sessions = [neck.session for neck in visits]
        study.subject, study.genotype = "phantom", Genotype.HAB
        study.level, study.side = Level("C6/C7"), Side.LEFT
        study.clinicalFile = str(visits[0].blood.parents[1] / "clinical.toml")
        for neck in visits:
            visit = self.visit(neck.session)
            visit.petSequence, visit.ctVolume = neck.sequence_node, neck.ct_node
            visit.segmentation = neck.segmentation_node
            visit.bloodPoolSegmentID = self.findBloodPool(neck.segmentation_node)
            visit.bloodFile, visit.bloodRoute = str(neck.blood), BloodRoute.ARTERIAL
        study.currentSession = visits[0].session
        return list(study.sessions)

    def comparable(self) -> list[str]:
        """Labels of the visits that have results, in the order of the study."""
        return [session for session in self.sessions() if study_nodes.has_record(session)]

    def readable(self) -> dict[str, VisitRecord]:
        """By label, the results of those of them that can be read."""
        found = {}
        for session in self.comparable():
            try:
                record = study_nodes.stored_record(session)
            except InputRefused:
                continue
            if record is not None:
                found[session] = record
        return found

    # States

    def whatIsMissing(self, section: str, session: str) -> str:
        """What the user has to do before a section can be run; empty if all is there."""
        from ..study import LABEL

        if section == "report":
            return "" if self.comparable() else _("Compute at least one visit.")
        study, visit = self.getParameterNode(), self.visit(session)
        if not LABEL.fullmatch(study.subject):
            return _("Give the subject a label of letters and digits.")
        try:
            further.kept(visit.furtherSettings)
        except InputRefused as refused:
            return translated(refused.message)
        if not visit.petSequence:
            return _("Select a PET sequence.")
        if section == "study":
            return ""
        if section == "fusion":
            needsCt = visit.motion is Motion.RIGID and not visit.ctVolume
            return _("Select a CT or MR, or leave the images where they lie.") if needsCt else ""
        if section in ("regions", "kinetics") or visit.inputSource is InputSource.IMAGE:
            if not visit.segmentation:
                return _("Select a segmentation with the regions to quantify.")
            if segmentations.is_blank(visit.segmentation):
                return _("Draw the regions to quantify.")
        if section == "regions":
            return ""
        if visit.inputSource is InputSource.IMAGE and not self.bloodPoolName(visit):
            return _("Select the segment that is the blood pool, or another source of the input function.")
        if not visit.bloodFile:
            return _("Select a file with blood measurements.")
        if not Path(visit.bloodFile).is_file():
            return _("The file with blood measurements does not exist.")
        if section == "kinetics":
            if not self.settingsOf(session).models:
                return _("Check at least one model.")
            if visit.pvc.value != "none" and not self.settingsOf(session).fwhm_mm:
                return _("Give the scanner's resolution, which partial-volume correction needs.")
        return ""

    def whyUnusable(self, visit: TSPOQuantVisitParameterNode) -> str:
        """Why the chosen PET sequence cannot be used, as far as its description tells; empty if it can, or is not
        chosen."""
        try:
            self._header(visit)
        except InputRefused as refused:
            return translated(refused.message)
        return ""

    @staticmethod
    def _header(visit: TSPOQuantVisitParameterNode):
        """What the chosen sequence says of itself, or None. Raises InputRefused ("sequence-…")."""
        from ..acquisition.sequence_files import sequence_header

        node = visit.petSequence
        if node is None:
            return None
        attributes = {name: node.GetAttribute(name) for name in node.GetAttributeNames()}
        starts = [node.GetNthIndexValue(frame) for frame in range(node.GetNumberOfDataNodes())]
        return sequence_header(attributes, node.GetIndexUnit(), starts)

    def step(self, section: str, session: str) -> Step:
        """A section's case: what is missing, from what it would be made, and from what its result was made."""
        missing = self.whatIsMissing(section, session)
        node = self._resultOf(section, session)
        madeFrom = (node.GetAttribute(study_nodes.MADE_FROM) or "") if node is not None else ""
        inputs = "" if missing else self._inputsOf(section, session)
        if section == "fusion" and self.visit(session).motion is Motion.NONE and not missing:
            madeFrom = inputs  # nothing to be done is done
        return Step(missing, inputs, madeFrom)

    def state(self, section: str, session: str) -> State:
        """What is to be done about a section of a visit."""
        if section == "study":
            study, visit = self.getParameterNode(), self.visit(session)
            openQuestions = (study.level is Level.UNKNOWN, study.side is Side.UNKNOWN, not visit.ctVolume)
            missing = self.whatIsMissing(section, session) or self.whyUnusable(visit)
            return study_state(missing, any(openQuestions))
        return state_of(self.step(section, session))

    _RESULTS = {
        "fusion": (study_nodes.ALIGNMENT, "vtkMRMLTextNode"),
        "regions": (study_nodes.QUALITY, "vtkMRMLTextNode"),
        "input": ("chart input", "vtkMRMLPlotChartNode"),
        "kinetics": (study_nodes.RECORD, "vtkMRMLTextNode"),
    }

    def _resultOf(self, section: str, session: str):
        if section == "report":
            return study_nodes.find(study_nodes.WHOLE_STUDY, study_nodes.REPORT, "vtkMRMLTextNode")
        return study_nodes.find(session, *self._RESULTS[section]) if section in self._RESULTS else None

    def _inputsOf(self, section: str, session: str) -> str:
        """Fingerprint of everything that a section's result depends on."""
        study, visit = self.getParameterNode(), self.visit(session)
        if section == "report":
            steps = {label: self.step("kinetics", label) for label in study.sessions}
            # Results that are out of date, and visits without any, are not those that the report is about.
            parts: dict[str, object] = {label: [step.made_from, state_of(step).value] for label, step in steps.items()}
            parts |= {
                " clinical": content.file_key(study.clinicalFile),
                " repeatability": content.file_key(study.repeatabilityFile),
                " choices": [sorted(study.accepted), study.level.value, study.side.value, study.language.value],
            }
            accepted = [
                [session, region.name, region.accepted_by]
                for session, record in self.readable().items()
                for region in record.regions
                if region.accepted_by
            ]
            return fingerprint(parts | ({" accepted": accepted} if accepted else {}))
        pet = {"pet": content.sequence_key(visit.petSequence)}
        drawn = {"regions": content.segmentation_key(visit.segmentation)}
        if section in ("study", "regions"):
            return fingerprint(pet | drawn)
        settings = self.settingsOf(session)
        placed = pet | {"ct": content.volume_key(visit.ctVolume)} | chosen(part_of(MotionSettings, settings))
        if section == "fusion":
            return fingerprint(placed)
        blood = {"blood": content.file_key(visit.bloodFile), "route": visit.bloodRoute.value}
        source = blood | chosen(part_of(SourceSettings, settings))
        if section == "input" and visit.inputSource is not InputSource.IMAGE:
            return fingerprint(pet | source | chosen(part_of(SampledSettings, settings)))
        if section == "input":
            return fingerprint(placed | drawn | source | chosen(part_of(ImageDerivedSettings, settings)))
        scan = {"dose": visit.injectedDose, "weight": visit.weight}
        return fingerprint(placed | drawn | blood | scan | chosen(settings))
