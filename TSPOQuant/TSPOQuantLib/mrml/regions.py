"""Regions on nodes: template, two clicks, proposals and what is to be said of them; needs no window.

Every function first works out all that it will write and refuses by then; only at its end is the segmentation
changed. ``before_change`` is called right before that, never where nothing changes: a panel hands in its Segment
Editor's ``saveStateForUndo``, so that one undo takes the whole step back. Segments that are drawn stay as they are
unless the function says otherwise, and no segment takes voxels from another.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
import vtk.util.numpy_support
from numpy.typing import NDArray

from ..acquisition.modality import AUTO
from ..acquisition.segmentation import Segment, Segmentation
from ..grid import Grid
from ..levels import LEVELS
from ..messages import InputRefused, Notice
from ..regions import blood_pool, proposals, quality, two_click
from ..regions.anatomy import REFERENCE_RULES, Anatomy, identify
from ..regions.blood_pool import BloodPoolProposal
from ..regions.carry import drawn_on
from ..regions.measurements import measure
from ..regions.naming import check_names
from ..regions.region import Region, region_of, regions_of
from ..regions.template import name_of, template
from ..regions.vertebra_labels import level_of, vertebra_segments
from .segmentations import LATTICE_TOLERANCE, segmentation_from_node, tags_of
from .sequence_io import dynamic_from_node
from .transforms import LPS_FROM_RAS, matrix_from_array, parent_to_world
from .volumes import anatomical_from_node, is_ct_node, volume_from_node

LEAST_VERTEBRAE = 2
"""So many make a segmentation worth proposing from."""

# None of these is published: choices for drawing the soft tissue between walls of bone.
SOFT_TISSUE_HU = (-200.0, 150.0)
"""From fat to where proposals begin to count a voxel as bone: painting does not spill into the walls."""
BRUSH_MM = 3.0
"""Diameter of the brush: half the width of the narrowest foramen."""


BeforeChange = Callable[[], object] | None
KEPT = "it is drawn already, and was kept"


@dataclass(frozen=True)
class Placed:
    """What became of one proposed region.

    segment_id: where it was written, "" where it was not, for ``reason`` with its stable ``code``. confidence: see
    ``regions.proposals.Proposal``. center_ras: where it lies or would have lain, world mm; None where nothing tells.
    """

    name: str
    segment_id: str
    confidence: float
    reason: str = ""
    code: str = ""
    center_ras: tuple[float, float, float] | None = None


# --- Template and drawing --------------------------------------------------------------------------------------------


def add_template(
    segmentation_node,
    ct_node,
    level: str,
    side: str,
    before_change: BeforeChange = None,
    reference: str = REFERENCE_RULES[0],
) -> tuple[str, ...]:
    """Empty named, colored, tagged segments for one affected foramen (``regions.template.template``).

    A segment that is there already, drawn or empty, is kept. Returns the IDs in the template's order.
    Raises InputRefused ("template-level", "template-side", "segmentation-surfaces", "segmentation-geometry",
    "volume-…", "transform-not-linear").
    """
    ct = volume_from_node(ct_node, "", "CT or MR")
    wanted = template(level, side, Grid((1, 1, 1), ct.grid.ijk_to_lps), reference).segments
    page = _Page(segmentation_node, ct_node, ct.grid)
    return page.write([(segment, None) for segment in wanted], before_change)


def editor_settings(editor_node, segmentation_node, ct_node, segment_id: str = "") -> None:
    """Set a vtkMRMLSegmentEditorNode to draw soft tissue between bone: Paint with a sphere brush in millimeters.

    Only voxels of a CT within ``SOFT_TISSUE_HU`` can be painted or erased (an MR masks nothing, nor does an image of
    which nothing says that it is a CT), and painting takes nothing from other segments. To be called after the
    editor's widget has been given segmentation and CT: it resets the brush when its geometry changes.
    """
    with slicer.util.NodeModify(editor_node):
        editor_node.SetAndObserveSegmentationNode(segmentation_node)
        editor_node.SetAndObserveSourceVolumeNode(ct_node)
        if segment_id:
            editor_node.SetSelectedSegmentID(segment_id)
        editor_node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere)
        editor_node.SetOverwriteMode(slicer.vtkMRMLSegmentEditorNode.OverwriteNone)
        editor_node.SetSourceVolumeIntensityMaskRange(*SOFT_TISSUE_HU)
        editor_node.SetSourceVolumeIntensityMask(is_ct_node(ct_node))
        # What effects read as common parameters (qSlicerSegmentEditorPaintEffect::setMRMLDefaults).
        editor_node.SetAttribute("BrushSphere", "1")
        editor_node.SetAttribute("BrushDiameterIsRelative", "0")
        editor_node.SetAttribute("BrushAbsoluteDiameter", f"{BRUSH_MM:g}")
        editor_node.SetActiveEffectName("Paint")
    editor_node.InvokeCustomModifiedEvent(slicer.vtkMRMLSegmentEditorNode.EffectParameterModified)


def add_two_click(
    segmentation_node,
    ct_node,
    inner_ras: Sequence[float],
    outer_ras: Sequence[float],
    level: str,
    side: str,
    before_change: BeforeChange = None,
    modality: str = AUTO,
) -> str:
    """A foramen between its two mouths, in world RAS mm (``regions.two_click.foramen_between``); its segment's ID.

    What was drawn in that foramen's segment is replaced. Raises InputRefused ("foramen-level", "foramen-clicks",
    "foramen-side", "ct-coarse", "segmentation-surfaces", "segmentation-geometry",
    "segmentation-coarse", "volume-…", "transform-not-linear").
    """
    ct = anatomical_from_node(ct_node, modality=modality)
    inner, outer = (np.array([-point[0], -point[1], point[2]], dtype=float) for point in (inner_ras, outer_ras))
    segment = two_click.foramen_between(inner, outer, level, side, ct)
    page = _Page(segmentation_node, ct_node, ct.grid)
    return page.write([(segment, page.fitted(segment, ct.grid))], before_change)[0]


# --- Proposals -------------------------------------------------------------------------------------------------------


def find_vertebrae() -> tuple:
    """The segmentations of the scene with segments that are vertebrae, by name, ID or code as every labeling tool
    gives them (``regions.vertebra_labels``).

    The one with most levels first; empty where none has two.
    """
    found: list[tuple[int, int, Any]] = []
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        segmentation = node.GetSegmentation()
        if segmentation is None:
            continue
        levels = {_vertebra_of(segmentation, segment_id) for segment_id in segmentation.GetSegmentIDs()} - {""}
        if len(levels) >= LEAST_VERTEBRAE:
            found.append((-len(levels), len(found), node))
    return tuple(node for _, _, node in sorted(found))


def find_foramina() -> tuple:
    """The segmentations of the scene with a segment that is a foramen by its name or tags."""

    def is_foramen(segment) -> bool:
        return identify(segment.GetName() or "", tags_of(segment)).structure == "foramen"

    return tuple(
        node
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        if any(is_foramen(node.GetSegmentation().GetSegment(one)) for one in node.GetSegmentation().GetSegmentIDs())
    )


def propose_foramina(
    labels_node,
    ct_node,
    segmentation_node,
    names: Mapping[int, str] | None = None,
    levels: Collection[str] | None = None,
    replace_drawn: bool = False,
    before_change: BeforeChange = None,
    modality: str = AUTO,
) -> tuple[tuple[Placed, ...], tuple[Notice, ...]]:
    """Foramina on both sides, then pieces of cord, from labels of the vertebrae; what came of each, and what is to be
    known of all.

    labels_node: a segmentation, or a label map whose values ``names`` or its color table name. levels: foramen levels
    to propose, None for all; the cord's pieces are those of the roots that leave there. A segment that is drawn is
    kept unless ``replace_drawn``. Nothing is written where all are declined.
    Raises InputRefused ("vertebrae-missing", "ct-coarse", "segmentation-…", "volume-…", "transform-not-linear").
    """
    ct = anatomical_from_node(ct_node, modality=modality)
    labels = _labels_from(labels_node, names)
    if not vertebra_segments(labels):
        raise InputRefused(
            "vertebrae-missing", "no label is called like a vertebra, such as 'vertebrae_C5'; name them or pick others"
        )
    wanted = LEVELS if levels is None else levels
    pieces = [LEVELS[level].cord for level in wanted]
    foramina, notices = proposals.propose_foramina(labels, ct)
    drawn = [(proposal, ct.grid) for proposal in foramina]
    drawn += [(proposal, labels.grid) for proposal in proposals.propose_cord(labels, notices)]
    page = _Page(segmentation_node, ct_node, ct.grid)
    taken = np.zeros(page.grid.shape, dtype=bool)
    placed: list[Placed] = []
    writes: list[tuple[int, Segment, NDArray[np.bool_]]] = []
    for proposal, grid in drawn:
        anatomy = identify(proposal.name, {})
        if anatomy.level not in (wanted if anatomy.structure == "foramen" else pieces):
            continue
        if proposal.segment is not None and not replace_drawn and page.is_drawn(anatomy):
            placed.append(Placed(proposal.name, "", proposal.confidence, KEPT, "kept", _middle(proposal)))
            continue
        if proposal.segment is not None:
            # Pieces of cord meet in the middle of a voxel: the first one has it.
            mask = page.fitted(proposal.segment, grid) & ~taken
            taken |= mask
            writes.append((len(placed), proposal.segment, mask))
        why = proposal.reason, proposal.code, _middle(proposal)
        placed.append(Placed(proposal.name, "", proposal.confidence, *why))
    ids = page.write([(segment, mask) for _, segment, mask in writes], before_change)
    for (place, _, _), segment_id in zip(writes, ids, strict=True):
        placed[place] = replace(placed[place], segment_id=segment_id)
    return tuple(placed), notices


def _middle(proposal: proposals.Proposal) -> tuple[float, float, float] | None:
    if proposal.canal is None:
        return None
    left, posterior, superior = (float(value) for value in proposal.canal.center)
    return -left, -posterior, superior


def propose_blood_pool(
    sequence_node,
    segmentation_node,
    ct_node=None,
    fwhm_mm: float | None = None,
    replace_drawn: bool = False,
    before_change: BeforeChange = None,
    below_neck: bool = False,
) -> tuple[Placed, BloodPoolProposal]:
    """Both carotids, below the neck the aorta, as one blood-pool segment, from the PET's first frames
    (``regions.blood_pool``).

    ct_node: whose voxels a segmentation that is still empty takes; None: half the PET's. fwhm_mm: the scanner's
    resolution; without it no diameter or recovery is told. Returns what came of it, and the vessels. A blood pool that
    is drawn is kept unless ``replace_drawn``; nothing is written where the proposal is declined.
    Raises InputRefused ("segmentation-…", "sequence-…", "volume-…", "transform-not-linear").
    """
    image = dynamic_from_node(sequence_node)
    grid = volume_from_node(ct_node, "", "CT or MR").grid if ct_node is not None else _halved(image.grid)
    page = _Page(segmentation_node, ct_node, grid)
    found = blood_pool.propose_blood_pool(image, fwhm_mm, page.grid, below_neck, page.regions)
    pool = Anatomy("blood-pool")
    if found.segment is None:
        return Placed(name_of(pool), "", 0.0, found.reason), found
    if not replace_drawn and page.is_drawn(pool):
        return Placed(name_of(pool), "", found.confidence, KEPT), found
    segment_id = page.write([(found.segment, found.segment.mask)], before_change)[0]
    return Placed(name_of(pool), segment_id, found.confidence), found


def _halved(grid: Grid) -> Grid:
    """The same field in voxels half as wide."""
    matrix = grid.ijk_to_lps @ np.diag([0.5, 0.5, 0.5, 1.0])
    matrix[:3, 3] = grid.to_lps(np.full(3, -0.25))
    k, j, i = grid.shape
    return Grid((2 * k, 2 * j, 2 * i), matrix)


def _vertebra_of(segmentation, segment_id: str) -> str:
    """The level of a segment that is a vertebra, else ""."""
    segment = segmentation.GetSegment(segment_id)
    nothing = np.zeros((0, 0, 0), dtype=bool)
    return level_of(Segment(segment_id, segment.GetName() or "", nothing, None, tags_of(segment)))


def _labels_from(node, names: Mapping[int, str] | None) -> Segmentation:
    """Segments of a segmentation, called by ID where the name says nothing, or of a label map."""
    if node.IsA("vtkMRMLSegmentationNode"):
        labels = segmentation_from_node(node, "vertebra labels")
        return Segmentation(labels.grid, tuple(_known(segment) for segment in labels.segments))
    volume = volume_from_node(node, "label", "vertebra labels")
    display = node.GetDisplayNode()
    colors = display.GetColorNode() if display is not None else None
    segments = []
    for value in np.unique(volume.values[volume.values > 0]).astype(int).tolist():
        name = names.get(value) if names is not None else (colors.GetColorName(value) if colors is not None else None)
        if name:
            segments.append(Segment(f"Segment_{value}", name, volume.values == value))
    return Segmentation(volume.grid, tuple(segments))


def _known(segment: Segment) -> Segment:
    """The segment under its ID where that tells more than its name."""
    if identify(segment.name, segment.tags).structure == "other" and identify(segment.id, {}).structure != "other":
        return Segment(segment.id, segment.id, segment.mask, segment.color, segment.tags)
    return segment


# --- Quality and measurements ----------------------------------------------------------------------------------------


def region_quality(segmentation_node, sequence_node=None, fwhm_mm: float | None = None) -> tuple[Notice, ...]:
    """Every objection to the drawn regions (``regions.quality.check``) and their names; with the PET's sequence also
    about its field, with the scanner's resolution also about regions that are too narrow for it.

    Raises what ``segmentation_from_node`` and ``dynamic_from_node`` raise.
    """
    drawn = segmentation_from_node(segmentation_node)
    pet = dynamic_from_node(sequence_node).grid if sequence_node is not None else None
    try:
        names = check_names(drawn.segments)
    except InputRefused as refusal:
        names = (Notice(refusal.code, refusal.message),)
    return (*names, *quality.check(regions_of(drawn), pet, fwhm_mm))


def measurements(segmentation_node, sequence_node=None) -> dict[str, dict[str, float]]:
    """By segment ID, then by key of ``regions.measurements.MEASUREMENTS``, which tells each key's unit.

    With the PET's sequence also the effective number of its voxels.
    Raises what ``segmentation_from_node`` and ``dynamic_from_node`` raise.
    """
    drawn = segmentation_from_node(segmentation_node)
    regions = [region_of(segment, drawn.grid) for segment in drawn.segments]
    pet = dynamic_from_node(sequence_node).grid if sequence_node is not None else None
    return {segment.id: measure(region, regions, pet) for segment, region in zip(drawn.segments, regions, strict=True)}


# --- Writing to a segmentation node ----------------------------------------------------------------------------------


class _Page:
    """A segmentation node that is about to be written to, and the lattice that its voxels are to lie on.

    That of the segments that are drawn, so that none of them is resampled; where none is, the CT's.
    """

    def __init__(self, node, ct_node, ct: Grid) -> None:
        source = node.GetSegmentation()
        name = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
        if source.GetNumberOfSegments() and source.GetSourceRepresentationName() != name:
            raise InputRefused(
                "segmentation-surfaces",
                "the segmentation's source is not a binary labelmap; make it one in the Segmentations module",
            )
        self._node, self._ct_node = node, ct_node
        self._to_world = LPS_FROM_RAS @ parent_to_world(node, "segmentation")
        self._drawn: dict[str, Region] = {}
        self.grid = ct
        try:
            drawn = segmentation_from_node(node)
        except InputRefused as refused:
            if refused.code != "segmentation-empty":
                raise
            return
        self._drawn = {s.id: region_of(s, drawn.grid) for s in drawn.segments if s.mask.any()}
        self.grid = _lattice(drawn.grid, ct)

    @property
    def regions(self) -> tuple[Region, ...]:
        """What is drawn."""
        return tuple(self._drawn.values())

    def find(self, anatomy: Anatomy) -> str:
        """ID of the first segment that is this structure at this level and side, "" if there is none."""
        source = self._node.GetSegmentation()
        for segment_id in source.GetSegmentIDs():
            segment = source.GetSegment(segment_id)
            if identify(segment.GetName(), tags_of(segment)).place == anatomy.place:
                return str(segment_id)
        return ""

    def is_drawn(self, anatomy: Anatomy) -> bool:
        return self.find(anatomy) in self._drawn

    def fitted(self, segment: Segment, grid: Grid) -> NDArray[np.bool_]:
        """The segment's mask on the page's lattice. Raises InputRefused ("segmentation-coarse")."""
        mask = segment.mask if grid is self.grid else drawn_on(region_of(segment, grid), self.grid)
        if not mask.any():
            raise InputRefused(
                "segmentation-coarse",
                "no voxel of the segmentation lies in '{segment_name}': they are too large, or lie elsewhere; "
                "start a segmentation on the CT or MR",
                segment_name=segment.name,
            )
        return mask

    def write(
        self, segments: Sequence[tuple[Segment, NDArray[np.bool_] | None]], before_change: BeforeChange
    ) -> tuple[str, ...]:
        """Write masks (None: leave or make it empty) into segments found by what they are, or new ones; the IDs.

        ``before_change`` is called once, where anything changes.
        """
        ids = [self.find(identify(segment.name, segment.tags)) for segment, _ in segments]
        if all(found and mask is None for found, (_, mask) in zip(ids, segments, strict=True)):
            return tuple(ids)
        if before_change is not None:
            before_change()
        with slicer.util.NodeModify(self._node):
            if not self._drawn:
                self._set_reference_geometry()
            if self._node.GetDisplayNode() is None:
                self._node.CreateDefaultDisplayNodes()
            for place, (segment, mask) in enumerate(segments):
                ids[place] = ids[place] or self._add(segment)
                if mask is not None:
                    self._fill(ids[place], mask)
        return tuple(ids)

    def _set_reference_geometry(self) -> None:
        if self._ct_node is not None:
            self._node.SetReferenceImageGeometryParameterFromVolumeNode(self._ct_node)
            return
        extent = [number for size in self.grid.shape[::-1] for number in (0, size - 1)]
        geometry = slicer.vtkSegmentationConverter.SerializeImageGeometry(self._matrix(), extent)
        name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
        self._node.GetSegmentation().SetConversionParameter(name, geometry)

    def _matrix(self) -> "vtk.vtkMatrix4x4":
        """From the page's voxels to the RAS in which the node keeps them."""
        return matrix_from_array(np.linalg.inv(self._to_world) @ self.grid.ijk_to_lps)

    def _add(self, segment: Segment) -> str:
        source = self._node.GetSegmentation()
        segment_id = str(source.AddEmptySegment(source.GenerateUniqueSegmentID(segment.id), segment.name))
        added = source.GetSegment(segment_id)
        if segment.color is not None:
            added.SetColor(*segment.color)
        for key, value in segment.tags.items():
            added.SetTag(key, value)
        return segment_id

    def _fill(self, segment_id: str, mask: NDArray[np.bool_]) -> None:
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        image = labelmap_of(mask, self._matrix())
        logic.SetBinaryLabelmapToSegment(image, self._node, segment_id, logic.MODE_REPLACE)
        segment = self._node.GetSegmentation().GetSegment(segment_id)
        logic.SetSegmentStatus(segment, logic.InProgress)


def _lattice(drawn: Grid, ct: Grid) -> Grid:
    """The CT's grid where ``drawn`` lies on its voxels, else the voxels of ``drawn`` as far as the CT reaches."""
    shift = np.linalg.inv(ct.ijk_to_lps) @ drawn.ijk_to_lps
    on_voxels = np.abs(shift[:3, 3] - np.rint(shift[:3, 3])).max() <= LATTICE_TOLERANCE
    steps = np.abs(shift[:3, :3] - np.eye(3)) * np.array(ct.shape[::-1])
    if on_voxels and steps.max() <= LATTICE_TOLERANCE:
        return ct
    far = np.array(ct.shape[::-1]) - 1.0
    corners = np.array([[i, j, k] for i in (0, far[0]) for j in (0, far[1]) for k in (0, far[2])])
    reached = drawn.to_ijk(ct.to_lps(corners))
    low, high = np.floor(reached.min(axis=0)).astype(int), np.ceil(reached.max(axis=0)).astype(int) + 1
    matrix = drawn.ijk_to_lps.copy()
    matrix[:3, 3] = drawn.to_lps(low.astype(float))
    i, j, k = (high - low).tolist()
    return Grid((k, j, i), matrix)


def labelmap_of(mask: NDArray[np.bool_], ijk_to_ras: "vtk.vtkMatrix4x4") -> "slicer.vtkOrientedImageData":
    """A mask as Slicer keeps one: only the box that holds it, on the lattice of the whole."""
    image = slicer.vtkOrientedImageData()
    image.SetGeometryFromImageToWorldMatrix(ijk_to_ras)
    voxels = np.argwhere(mask)
    first, last = voxels.min(axis=0), voxels.max(axis=0)
    image.SetExtent([int(n) for pair in zip(first[::-1], last[::-1], strict=True) for n in pair])
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    box = tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))
    vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())[:] = mask[box].ravel()
    return image
