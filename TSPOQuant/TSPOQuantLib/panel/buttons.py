"""The buttons of the panel, one row each: a name in the .ui file, an icon, a step, and why it cannot be pressed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slicer.i18n import tr as _

from ..mrml import labeling, study_nodes, views
from ..progress import Progress

Panel = Any
"""panel.study_panel.StudyPanel, which imports this file."""


def _always(panel: Panel) -> str:
    """A button that can be pressed at any time but while work is running."""
    return ""


@dataclass(frozen=True)
class Button:
    """name: of the widget in the .ui file, without "Button". icon: a file of Resources/Icons, "" for none.

    step: what is done with the panel locked and progress shown; it returns a sentence, or nothing where ``done`` says
    it all. press: in place of a step, what is done at once, such as a question. missing: what has to be done before
    the button can be pressed, "" if nothing; it becomes the tool tip.
    """

    name: str
    icon: str = ""
    step: Callable[[Panel, Progress], object] | None = None
    press: Callable[[Panel], object] | None = None
    missing: Callable[[Panel], str] = _always
    done: str = ""


def _section(*sections: str) -> Callable[[Panel], str]:
    """What is missing for these sections of the panel, the first thing first."""
    return lambda panel: next(filter(None, map(panel.missing, sections)), "")


def _any(*reasons: Callable[[Panel], str]) -> Callable[[Panel], str]:
    return lambda panel: next(filter(None, (reason(panel) for reason in reasons)), "")


def _ct(panel: Panel) -> str:
    return "" if panel.visit and panel.visit.ctVolume else _("Select a CT or MR.")


def _regions(panel: Panel) -> str:
    return "" if panel.visit and panel.visit.segmentation else _("Select or create a segmentation.")


def _vertebrae(panel: Panel) -> str:
    return "" if panel.visit and panel.visit.labels else _("Select a segmentation with vertebrae.")


def _foramen(panel: Panel) -> str:
    study = panel.study
    known = study and study.level.value and study.side.value
    return "" if known else _("Choose the affected foramen in the first section.")


def _folder(panel: Panel) -> str:
    return "" if panel.study and panel.study.reportFolder else _("Select a folder for the report.")


def _label(panel: Panel) -> str:
    label = panel.ui.newVisitLineEdit.text.strip()
    return panel.logic.whyNotAdded(label) if label else _("Type a label first.")


def _reviewable(panel: Panel) -> str:
    return "" if panel.review.places() else _("Compute at least one visit.")


def _chart(role: str) -> Callable[[Panel], str]:
    def missing(panel: Panel) -> str:
        there = study_nodes.find(panel.session, f"chart {role}", "vtkMRMLPlotChartNode") is not None
        return "" if panel.visit and there else _("Nothing was computed yet that could be plotted.")

    return missing


def buttons() -> tuple[Button, ...]:
    """All of them, in the language of the application."""
    compute = Button(
        "compute",
        "Compute",
        lambda panel, progress: panel.compute(progress),
        missing=_section("fusion", "kinetics"),
    )
    return compute, *_of_study(), *_of_fusion(), *_of_regions(), *_of_input(), *_of_kinetics(), *_of_report()


def _of_study() -> tuple[Button, ...]:
    return (
        Button("addVisit", step=lambda panel, progress: panel.addVisit(), missing=_label),
        Button("removeVisit", press=lambda panel: panel.removeVisit()),
        Button("loadPet", press=lambda panel: panel.loadPet()),
        Button("loadAnatomical", press=lambda panel: panel.loadAnatomical()),
    )


def _of_fusion() -> tuple[Button, ...]:
    pictures = _any(_section("study"), _ct)
    return (
        Button(
            "align",
            "Align",
            lambda panel, progress: panel.logic.align(panel.session, progress),
            missing=_section("fusion"),
            done=_("Aligned."),
        ),
        Button("motionPlot", "Plot", press=lambda panel: panel.showChart("motion"), missing=_chart("motion")),
        Button("fuse", "Fuse", lambda panel, progress: panel.showFused(progress), missing=pictures),
        Button("beside", "Beside", lambda panel, progress: panel.showBeside(), missing=pictures),
        Button("blink", press=lambda panel: views.blink(), missing=pictures),
    )


def _of_regions() -> tuple[Button, ...]:
    drawing = _any(_ct, _regions)
    return (
        Button(
            "template",
            "Template",
            lambda panel, progress: panel.logic.addTemplate(panel.session, panel.editor.saveStateForUndo),
            missing=_any(drawing, _foramen),
        ),
        Button(
            "bloodPool",
            "Propose",
            lambda panel, progress: panel.logic.proposeBloodPool(
                panel.session, panel.editor.saveStateForUndo, progress
            ),
            missing=_any(_section("study"), _regions),
        ),
        Button(
            "label",
            "Propose",
            press=lambda panel: panel.labelVertebrae(),
            missing=_any(_ct, lambda panel: labeling.why_not()),
        ),
        Button(
            "propose",
            "Propose",
            lambda panel, progress: panel.logic.proposeForamina(
                panel.session, panel.editor.saveStateForUndo, progress
            ),
            missing=_any(drawing, _vertebrae),
        ),
        Button(
            "carry",
            "Align",
            lambda panel, progress: panel.carryRegions(progress),
            missing=_any(_ct, lambda panel: panel.logic.whyNotCarried(panel.session)),
        ),
        Button(
            "twoClick",
            "Template",
            lambda panel, progress: panel.logic.addTwoClick(panel.session, panel.editor.saveStateForUndo),
            missing=_any(drawing, lambda panel: panel.logic.whyNoTwoClick(panel.session)),
            done=_("The foramen is made; look at it before it is used."),
        ),
        Button("check", "Check", lambda panel, progress: panel.checkRegions(), missing=_section("regions")),
        Button(
            "readers",
            "Compare",
            lambda panel, progress: panel.logic.compareReaders(panel.session, progress),
            missing=lambda panel: panel.logic.whyNoReaders(panel.session),
        ),
    )


def _of_input() -> tuple[Button, ...]:
    return (
        Button(
            "input",
            "Blood",
            lambda panel, progress: panel.makeInput(progress),
            missing=_section("input"),
            done=_("The input function is made."),
        ),
        Button("inputPlot", "Plot", press=lambda panel: panel.showChart("input"), missing=_chart("input")),
    )


def _of_kinetics() -> tuple[Button, ...]:
    return (
        Button("curvesPlot", "Plot", press=lambda panel: panel.showChart("curves"), missing=_chart("curves")),
        Button("linePlot", "Plot", press=lambda panel: panel.showChart("line"), missing=_chart("line")),
        Button(
            "leaveOut", press=lambda panel: panel.frames.leaveOut(), missing=lambda panel: panel.frames.whyNotLeftOut()
        ),
        Button(
            "bringBack", press=lambda panel: panel.frames.bringBack(), missing=lambda panel: panel.frames.whyNotBack()
        ),
        Button("previous", step=lambda panel, progress: panel.review.show(-1, progress), missing=_reviewable),
        Button("next", step=lambda panel, progress: panel.review.show(1, progress), missing=_reviewable),
        Button(
            "accept",
            "Check",
            press=lambda panel: panel.review.accept(),
            missing=lambda panel: panel.review.whyNotAccepted(),
        ),
        Button(
            "map",
            "Map",
            lambda panel, progress: panel.logic.makeMap(panel.session, progress),
            missing=_section("fusion", "input"),
            done=_("The map is made."),
        ),
    )


def _of_report() -> tuple[Button, ...]:
    compared = _any(_section("report"), lambda panel: panel.logic.whyNotCompared())
    return (
        Button(
            "compare",
            "Compare",
            lambda panel, progress: panel.logic.compare(),
            missing=compared,
            done=_("Compared."),
        ),
        Button("report", "Report", press=lambda panel: panel.writeReport(), missing=_any(compared, _folder)),
        Button(
            "openReport",
            press=lambda panel: panel.openReport(),
            missing=lambda panel: "" if panel.logic.reportFile() else _("Write a report first."),
        ),
    )
