"""Labels of the vertebrae by the extension TotalSegmentator, where it is installed.

What it is asked for is read in its source (github.com/lassoan/SlicerTotalSegmentator, TotalSegmentatorLogic.process).
"""

import slicer
import slicer.util
from slicer.i18n import tr as _

from ..acquisition.modality import AUTO
from ..messages import Cancelled
from ..progress import Progress, silent
from ..regions.vertebra_labels import LEVELS, NECK
from .language import refusal
from .volumes import anatomical_from_node

MODULE = "TotalSegmentator"
CORD = "spinal_cord"
MR_TASK = "vertebrae_mr"
"""Its task that labels every vertebra of an MR, and no cord; for a CT that is part of its default task."""
BELOW = LEVELS[LEVELS.index("T1") :]


def structures(part: str) -> tuple[str, ...]:
    """Its names of what foramina, and pieces of cord, of that part of the spine are proposed from, in a CT."""
    return (*(f"vertebrae_{level}" for level in (NECK if part == "cervical" else BELOW)), CORD)


def why_not() -> str:
    """What is missing before vertebrae can be labeled; empty if nothing."""
    if hasattr(slicer.modules, MODULE.lower()):  # asked for by name, Slicer's module manager writes a log line
        return ""
    return _("Install the extension TotalSegmentator (View, Extensions Manager) and start Slicer again.")


def label_vertebrae(ct_node, part: str = "cervical", progress: Progress = silent, modality: str = AUTO):
    """A new segmentation node with the vertebrae around a part of the spine and the cord, of an MR with all vertebrae
    alone, which takes minutes without a GPU.

    part: of levels.Level. modality: "CT" or "MR" where the user states it. TotalSegmentator cannot be stopped on its
    way: who cancels waits for its end, and nothing is kept. At its first use it downloads packages and weights: a
    panel asks before.
    Raises InputRefused ("labels-missing-extension", "labels-failed", and what ``anatomical_from_node`` raises),
    Cancelled.
    """
    if why_not():
        raise refusal("labels-missing-extension", why_not())
    is_ct = anatomical_from_node(ct_node, modality=modality).is_ct
    wanted: dict = {"subset": list(structures(part))} if is_ct else {"task": MR_TASK}
    logic = slicer.util.getModuleLogic(MODULE)
    stopped: list[Cancelled] = []

    def tell(text: str) -> None:
        try:
            progress(0.5, text)
        except Cancelled as cancelled:
            stopped.append(cancelled)

    progress(0.0, _("TotalSegmentator is labeling the vertebrae"))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{ct_node.GetName()} vertebrae")
    before, logic.logCallback = logic.logCallback, tell
    try:
        logic.setupPythonRequirements()
        logic.process(ct_node, node, quality="normal", interactive=True, **wanted)
    except Exception as error:  # whatever the other extension and its packages raise
        slicer.mrmlScene.RemoveNode(node)
        message = _("TotalSegmentator failed ({error}); try it in its own module first.")
        raise refusal("labels-failed", message.format(error=error)) from error
    finally:
        logic.logCallback = before
    if stopped:
        slicer.mrmlScene.RemoveNode(node)
        raise stopped[0]
    progress(1.0, _("Done"))
    return node
