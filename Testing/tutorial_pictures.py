"""The pictures of docs/tutorial.md without Slicer: the study of the tutorial done step by step in the panel.

    python Testing/tutorial_pictures.py FOLDER

Every step is what its button does, on the simulated neck; Slicer's own widgets are the stand-ins of Testing/host. It
takes some minutes, most of them for the neck itself the first time.
"""

import os
import sys
from pathlib import Path

from panel_pictures import grabbed, opened, save

WIDTH = 400
AFFECTED = "foramen C6/C7 left"


def strokes(node, name, count):
    """So many voxels taken away from a segment; returns what gives them back."""
    import slicer
    from support.mrmlstudy import erase_a_voxel

    segmentation, logic = node.GetSegmentation(), slicer.vtkSlicerSegmentationsModuleLogic
    (segment_id,) = (one for one in segmentation.GetSegmentIDs() if segmentation.GetSegment(one).GetName() == name)
    before = slicer.vtkOrientedImageData()
    node.GetBinaryLabelmapRepresentation(segment_id, before)
    for _ in range(count):
        erase_a_voxel(node, name)
    return lambda: logic.SetBinaryLabelmapToSegment(before, node, segment_id, logic.MODE_REPLACE)


def settle(panel):
    """All that the panel does by itself in the moments after a change."""
    panel.updateGUI()
    while panel.content.live.active:
        panel.content.live.stop()
        panel.followChanges()
    panel.updateGUI()


def main(folder):
    panel, frame = opened("en", "light", WIDTH)
    import slicer

    ui, logic = panel.ui, panel.logic
    shown = {}

    def picture(name, section):
        settle(panel)
        save(grabbed(panel, frame, panel.sections[section]).toImage(), folder / f"tutorial-{name}.png")
        shown[name] = ui.statusLabel.text, ui.headlineLabel.text
        print(name, *shown[name], sep=" | ")

    logic.loadDigitalNeck()
    study = logic.getParameterNode()
    study.subject, study.reportFolder, study.reviewer = "p01", "report", "A. B."
    picture("2-study", "study")
    ui.alignButton.click()
    picture("3-fusion", "fusion")
    ui.checkButton.click()
    picture("4-regions", "regions")
    ui.inputButton.click()
    picture("5-input", "input")
    ui.computeButton.click()
    picture("6-kinetics", "kinetics")
    segmentation = logic.visit(study.currentSession).segmentation
    names = [
        segmentation.GetSegmentation().GetSegment(one).GetName()
        for one in segmentation.GetSegmentation().GetSegmentIDs()
    ]
    (affected,) = (name for name in names if name.startswith(AFFECTED))
    give_back = strokes(segmentation, affected, 25)
    settle(panel)
    picture("7-live", "kinetics")
    give_back()
    settle(panel)
    study.currentSession = "followup"
    ui.computeButton.click()
    picture("8-followup", "kinetics")
    study.currentSession = "baseline"
    settle(panel)
    ui.acceptButton.click()
    picture("9-review", "kinetics")
    ui.compareButton.click()
    ui.reportButton.click()
    picture("10-report", "report")
    slicer.mrmlScene.Clear()


if __name__ == "__main__":
    target = Path(sys.argv[1]).absolute()
    target.mkdir(parents=True, exist_ok=True)
    os.chdir(target)  # the report's folder is shown: no picture tells where the pictures were made
    main(target)
