"""What a user chooses, as parameter nodes keep it in the scene. Saved scenes hold the names of fields and values."""

import enum
from typing import Annotated

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode, vtkMRMLSequenceNode
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import (
    WithinRange,
    parameterNodeWrapper,
)

from ..kinetics.models import MODELS
from ..levels import LEVELS
from ..regions.partial_volume import METHODS
from ..typography import TYPOGRAPHY


class BloodRoute(enum.Enum):
    """Where the blood samples were drawn."""

    UNKNOWN = "unknown"
    ARTERIAL = "arterial"
    VENOUS = "venous"

    def label(self) -> str:
        return {"UNKNOWN": _("Not known"), "ARTERIAL": _("Artery"), "VENOUS": _("Vein")}[self.name]


class Genotype(enum.Enum):
    """Of rs6971, on which TSPO binding depends."""

    UNKNOWN = "unknown"
    HAB = "HAB"
    MAB = "MAB"
    LAB = "LAB"

    def label(self) -> str:
        return {
            "UNKNOWN": _("Not known"),
            "HAB": _("High-affinity binder"),
            "MAB": _("Mixed-affinity binder"),
            "LAB": _("Low-affinity binder"),
        }[self.name]


class Level(enum.Enum):
    """A neuroforamen, by the vertebrae above and below: a member each bony one, "C6_C7" for C6/C7."""

    _ignore_ = "level"
    UNKNOWN = ""
    for level in LEVELS.values():
        if level.bony:
            vars()[level.name.replace("/", "_")] = level.name

    def label(self) -> str:
        if not self.value:
            return _("Not chosen")
        return _("{level} (root {root})").format(level=self.value, root=LEVELS[self.value].root)


class Side(enum.Enum):
    """Of the patient."""

    UNKNOWN = ""
    LEFT = "left"
    RIGHT = "right"

    def label(self) -> str:
        return {"UNKNOWN": _("Not chosen"), "LEFT": _("Left"), "RIGHT": _("Right")}[self.name]


class Motion(enum.Enum):
    """What is brought in register."""

    RIGID = "rigid"
    FRAMES = "frames"
    NONE = "none"

    def label(self) -> str:
        return {
            "RIGID": _("Frames, and PET to CT or MR"),
            "FRAMES": _("Frames alone"),
            "NONE": _("Not corrected"),
        }[self.name]


class InputSource(enum.Enum):
    """What the input function is made of."""

    IMAGE = "image-derived"
    SAMPLES = "blood"
    GIVEN = "given"
    POPULATION = "population"

    def label(self) -> str:
        return {
            "IMAGE": _("Blood pool in the PET"),
            "SAMPLES": _("Blood samples"),
            "GIVEN": _("Ready, in the blood file"),
            "POPULATION": _("Template of your own cohort, in the blood file"),
        }[self.name]


class Calibration(enum.Enum):
    """How an image-derived curve meets the blood samples."""

    RECOVERY = "recovery-spill-in"
    SCALE = "scale"

    def label(self) -> str:
        return {"RECOVERY": _("Recovery and spill-in"), "SCALE": _("One factor")}[self.name]


class BloodVolume(enum.Enum):
    """What the models do about blood within a region."""

    FITTED = "fit"
    FIXED = "fixed"
    NEGLECTED = "none"

    def label(self) -> str:
        return {"FITTED": _("Fitted"), "FIXED": _("Fixed at"), "NEGLECTED": _("Neglected")}[self.name]


class PartialVolume(enum.Enum):
    """Partial-volume correction beside the uncorrected results: none, or a method of the library."""

    _ignore_ = "method"
    NONE = "none"
    for method in METHODS:
        vars()[method] = method

    def label(self) -> str:
        return _("Not corrected") if self is PartialVolume.NONE else self.value


LONG_NAMES = {
    "1TCM": "ONE_TISSUE",
    "2TCM": "TWO_TISSUE",
    "2TCM3k": "TWO_TISSUE_IRREVERSIBLE",
    "2TCM1K": "TWO_TISSUE_ENDOTHELIAL",
}
"""Of models that scenes already hold in other words than the library's."""


class MapModel(enum.Enum):
    """Model of a map: a member each of the library."""

    _ignore_ = "model"
    for model in MODELS:
        vars()[LONG_NAMES.get(model, model.upper())] = model

    def label(self) -> str:
        return self.value


class Language(enum.Enum):
    """Of the report: a member a language, named by its code in capitals."""

    _ignore_ = "code"
    for code in TYPOGRAPHY:
        vars()[code.upper()] = code

    def label(self) -> str:
        return TYPOGRAPHY[self.value].name


@parameterNodeWrapper
class TSPOQuantParameterNode:
    """
    What all visits of a study share.

    subject - Label of the subject.
    level, side - The affected foramen.
    genotype - Of rs6971; only warned of.
    sessions - Labels of the visits in their order.
    currentSession - The visit that the panel shows.
    clinicalFile - Scores and treatment; may be empty.
    repeatabilityFile - Repeatability coefficients; may be empty.
    accepted - Codes of differences between visits that the user accepts.
    language - Of the report.
    reportFolder - Where the report goes.
    showOtherVisits - Whether the views show the other visits' regions as well.
    reviewer - Who accepts regions, in a few letters of that person's own.
    """

    subject: str = "unnamed"
    level: Level = Level.UNKNOWN
    side: Side = Side.UNKNOWN
    genotype: Genotype = Genotype.UNKNOWN
    sessions: list[str]
    currentSession: str = "baseline"
    clinicalFile: str
    repeatabilityFile: str
    accepted: list[str]
    language: Language = Language("en")
    reportFolder: str
    showOtherVisits: bool = False
    reviewer: str


@parameterNodeWrapper
class TSPOQuantVisitParameterNode:
    """
    The choices of one visit.

    petSequence - The dynamic PET: one volume a frame, with frame times.
    ctVolume - The CT of the same visit; may be missing.
    injectedDose - MBq at injection; 0 takes what the images say.
    weight - kg; 0 takes what the images say.
    washout - A note; changes no number.
    motion - What is brought in register.
    segmentation - The regions to quantify, and the blood pool.
    labels - Segmentation with vertebrae, from which regions are proposed.
    otherReader - The regions as another reader drew them.
    clickedLevel, clickedSide - The foramen that two points mark.
    inputSource - What the input function is made of.
    bloodPoolSegmentID - The segment that holds blood only; needed for an image-derived input.
    calibration - How an image-derived curve meets the samples.
    bloodFile - Blood measurements of the visit.
    bloodRoute - Where the blood samples were drawn.
    oneTissue, twoTissue, logan, ma1 - Which of the usual models are fitted.
    furtherModels - Which others of the library are fitted, by name.
    bloodVolume - How the models treat the blood fraction V_B of a region.
    fixedBloodVolume - V_B if it is fixed. 0.05 is a common value for brain, assumed here.
    fitDelay - Whether the input's delay is fitted.
    pvc - Partial-volume correction.
    fwhm - Resolution in mm; 0 where it is not known.
    mapModel - Model of the map.
    furtherSettings - JSON: what was typed for settings that have no control of their own, by name (mrml.further).
    """

    petSequence: vtkMRMLSequenceNode
    ctVolume: vtkMRMLScalarVolumeNode
    injectedDose: Annotated[float, WithinRange(0, 2000)] = 0.0
    weight: Annotated[float, WithinRange(0, 300)] = 0.0
    washout: str
    motion: Motion = Motion.RIGID
    segmentation: vtkMRMLSegmentationNode
    labels: vtkMRMLSegmentationNode
    otherReader: vtkMRMLSegmentationNode
    clickedLevel: Level = Level.UNKNOWN
    clickedSide: Side = Side.UNKNOWN
    inputSource: InputSource = InputSource.IMAGE
    bloodPoolSegmentID: str
    calibration: Calibration = Calibration.RECOVERY
    bloodFile: str
    bloodRoute: BloodRoute = BloodRoute.UNKNOWN
    oneTissue: bool = True
    twoTissue: bool = False
    logan: bool = True
    ma1: bool = False
    furtherModels: list[str]
    bloodVolume: BloodVolume = BloodVolume.FITTED
    fixedBloodVolume: Annotated[float, WithinRange(0, 0.5)] = 0.05
    fitDelay: bool = False
    pvc: PartialVolume = PartialVolume.NONE
    fwhm: Annotated[float, WithinRange(0, 20)] = 0.0
    mapModel: MapModel = MapModel("Logan")
    furtherSettings: str


USUAL = {"1TCM": "oneTissue", "2TCM": "twoTissue", "Logan": "logan", "MA1": "ma1"}
"""Models that have a field of their own."""


def offered_models() -> tuple[str, ...]:
    """Every model of the library: those that give V_T first, since the first that is chosen is the primary one."""
    return tuple(sorted(MODELS, key=lambda name: MODELS[name].outcome != "VT"))


def chosen_models(visit: TSPOQuantVisitParameterNode) -> tuple[str, ...]:
    """Those that a visit is fitted with, in the order in which they are offered."""
    chosen = {name for name, field in USUAL.items() if getattr(visit, field)} | set(visit.furtherModels)
    return tuple(name for name in offered_models() if name in chosen)


def choose_model(visit: TSPOQuantVisitParameterNode, name: str, chosen: bool) -> None:
    """Fit a visit with a model, or no longer."""
    if name in USUAL:
        setattr(visit, USUAL[name], chosen)
        return
    others = [one for one in visit.furtherModels if one != name]
    visit.furtherModels = [*others, name] if chosen else others
