"""Which tissue lies where around a region: the drawn regions, and what the CT shows between them, on fine cells."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..acquisition.image import Volume
from ..grid import Grid, box_of
from .region import Region

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]
Labels = NDArray[np.int16]

# None of these is published: choices.
CLASS_EDGES_HU = (-300.0, -30.0, 150.0)
CLASSES = ("air", "fat", "soft tissue", "bone", "marrow", "around the cord")
CORTEX_MM = 1.0
"""Bone is cortex this far below its surface, and marrow deeper, where the CT shows no more than ``CORTEX_HU``."""
CORTEX_HU = 500.0
AROUND_CORD_MM = 4.0
"""Soft tissue so near to a drawn cord counts as a tissue of its own: cerebrospinal fluid holds next to no tracer, and
CT does not tell it from muscle."""
NOT_TISSUE = ("vertebra",)
"""Drawn for orientation: where there is a CT, bone is told by it."""
BACKGROUND_SMALLEST_MM3 = 8.0
"""A tissue with less than this in the box is left to its neighbor in the list: it could not be measured."""
SLAB_CELLS = 2**15
"""Cells that are looked up at a time: their indices then stay within a core's cache."""
SAME_LATTICE = 1e-6
"""Voxels by which two grids may differ and still count as parts of one lattice; also the index by which a slope may
move the far end of a box and still count as none."""


@dataclass(frozen=True, eq=False)
class _Lattice:
    """Drawn regions of one lattice, looked up at once.

    corner: (k, j, i) of the first voxel in ``grid``. covered: (k, j, i), which of ``sets`` covers the voxel. sets:
    the positions of regions in ``Surroundings.regions``; the first is empty.
    """

    grid: Grid
    corner: Ints
    covered: NDArray[np.uint16]
    sets: tuple[frozenset[int], ...]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """All that tells tissues apart, ready to be looked up.

    regions: smallest first, since the smallest counts where they overlap. ct: in HU, or None.
    """

    regions: tuple[Region, ...]
    ct: Volume | None
    lattices: tuple[_Lattice, ...]

    def tells(self, number: int) -> bool:
        """Whether a region is a tissue of its own."""
        return self.ct is None or self.regions[number].anatomy.structure not in NOT_TISSUE


def surroundings(regions: Sequence[Region], ct: Volume | None) -> Surroundings:
    """Regions and CT of one visit; ct: in the position in which the regions were drawn."""
    ordered = tuple(sorted(regions, key=lambda region: region.volume_mm3))
    references = [ct.grid] if ct is not None else []
    members: list[list[tuple[int, Ints]]] = [[] for _ in references]
    for number, region in enumerate(ordered):
        if not region.mask.any():
            continue
        corners = [_corner(region.grid, reference) for reference in references]
        place = next((n for n, corner in enumerate(corners) if corner is not None), len(references))
        if place == len(references):
            references.append(region.grid)
            members.append([])
            corners.append(np.zeros(3, dtype=np.intp))
        corner = corners[place]
        assert corner is not None
        members[place].append((number, corner))
    lattices = [_lattice(ordered, grid, group) for grid, group in zip(references, members, strict=True) if group]
    return Surroundings(ordered, ct, tuple(lattices))


def _corner(grid: Grid, reference: Grid) -> Ints | None:
    """Where (k, j, i) a grid's first voxel lies in another's lattice; None where that is not its lattice."""
    between = np.linalg.inv(reference.ijk_to_lps) @ grid.ijk_to_lps
    corner = np.round(between[2::-1, 3])
    turned = np.abs(between[:3, :3] - np.eye(3)).max() * max(grid.shape)
    if turned > SAME_LATTICE or np.abs(between[2::-1, 3] - corner).max() > SAME_LATTICE:
        return None
    return corner.astype(np.intp)


def _lattice(regions: Sequence[Region], grid: Grid, members: Sequence[tuple[int, Ints]]) -> _Lattice:
    """members: positions in ``regions``, and the corner of each in the lattice of ``grid``."""
    low = np.min([corner for _, corner in members], axis=0)
    high = np.max([corner + regions[number].mask.shape for number, corner in members], axis=0)
    covered = np.zeros((high - low).tolist(), dtype=np.uint16)
    sets = {frozenset[int](): 0}
    for number, corner in members:
        mask = regions[number].mask
        part = covered[tuple(slice(a, a + n) for a, n in zip(corner - low, mask.shape, strict=True))]
        known = list(sets)
        joined = np.zeros(len(known), dtype=np.uint16)
        for code in np.unique(part[mask]).tolist():
            joined[code] = sets.setdefault(known[code] | {number}, len(sets))
        part[mask] = joined[part[mask]]
    return _Lattice(grid, low, covered, tuple(sets))


@dataclass(frozen=True, eq=False)
class Scene:
    """What lies in cells before any one region is asked for.

    covered: (k, j, i) of the cells, one a lattice of ``around``, into its sets. classes: (k, j, i), the CT's tissue
    class, into ``CLASSES``, the surroundings of the cord not told apart; all 0 without a CT. cord: (k, j, i), drawn as
    cord. background: (k, j, i), the label of what was not drawn, and labels: (k, j, i) of all; see ``_labels_of``.
    """

    cells: Grid
    around: Surroundings
    covered: tuple[NDArray[np.uint16], ...]
    classes: Labels
    cord: Bools
    background: Labels
    labels: Labels

    def part(self, low: Ints, high: Ints) -> "Scene":
        """Some of the cells (k, j, i), high not among them."""
        box = tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))
        corner = self.cells.ijk_to_lps.copy()
        corner[:3, 3] = self.cells.to_lps(low[::-1].astype(float))
        k, j, i = (high - low).tolist()
        return Scene(
            Grid((k, j, i), corner),
            self.around,
            tuple(covered[box] for covered in self.covered),
            self.classes[box],
            self.cord[box],
            self.background[box],
            self.labels[box],
        )


@dataclass(frozen=True, eq=False)
class CellTissues:
    """The tissue of every cell: ``place[labels]``, into ``names``; 0 is the region itself.

    labels: (k, j, i). first: (runs,), the flat index of the first cell of every run of cells with one label along a
    row: there are far fewer runs than cells.
    """

    labels: Labels
    first: Ints
    place: Ints
    names: tuple[str, ...]


def scene_of(cells: Grid, around: Surroundings, move: Floats) -> Scene:
    """move: rigid 4 x 4 (LPS mm) by which the CT and everything that was drawn has moved from where it was drawn."""
    back: Floats = np.asarray(np.linalg.inv(move))
    vertebrae = np.zeros(cells.shape, dtype=bool)
    smallest = np.full(cells.shape, len(around.regions), dtype=np.int16)
    covered = []
    for lattice in around.lattices:
        seen = np.zeros(cells.shape, dtype=np.uint16)
        _look_up(seen, lattice.covered, lattice.grid, lattice.corner, cells, back)
        covered.append(seen)
        drawn = np.flatnonzero(seen)
        sets = seen.ravel()[drawn]
        vertebrae.ravel()[drawn] |= np.array([any(not around.tells(n) for n in each) for each in lattice.sets])[sets]
        smallest.ravel()[drawn] = np.minimum(smallest.ravel()[drawn], _smallest(around, lattice, None)[sets])
    classes = _classes(cells, around.ct, back, vertebrae)
    cord = np.broadcast_to(_drawn_as_cord(around, covered, around.regions), cells.shape)
    background = _background(around, cells, classes, cord)
    labels = background.copy()
    drawn = np.flatnonzero(smallest < len(around.regions))
    labels.ravel()[drawn] = _labels_of(around)[smallest.ravel()[drawn]]
    return Scene(cells, around, tuple(covered), classes, cord, background, labels)


def tissues_in(scene: Scene, region: Region, own_move: Floats) -> CellTissues:
    """The tissues around a region; own_move: rigid 4 x 4 (LPS mm) by which it has moved from where it was drawn."""
    cells, around = scene.cells, scene.around
    own = np.zeros(cells.shape, dtype=bool)
    _look_up(own, region.mask, region.grid, np.zeros(3, dtype=np.intp), cells, np.asarray(np.linalg.inv(own_move)))
    labels, background = scene.labels.copy(), scene.background
    if region.anatomy.structure == "cord" and around.ct is not None:
        others = [drawn for drawn in around.regions if drawn is not region]
        cord = own | _drawn_as_cord(around, scene.covered, others)
        if (cord != scene.cord).any():  # a cord that has moved alone takes its surroundings with it
            background = _background(around, cells, scene.classes, cord)
            np.copyto(labels, background, where=labels <= len(_classes_of(around)))
    label_of = _labels_of(around)
    for label in [label_of[n] for n, drawn in enumerate(around.regions) if drawn is region]:
        left = np.flatnonzero(labels == label)
        smallest = np.full(len(left), len(around.regions), dtype=np.int16)
        for lattice, seen in zip(around.lattices, scene.covered, strict=True):
            np.minimum(smallest, _smallest(around, lattice, region)[seen.ravel()[left]], out=smallest)
        below = label_of[smallest]
        labels.ravel()[left] = np.where(below == 0, background.ravel()[left], below)
    labels[own] = 0
    names = [region.name, *_classes_of(around), *(region.name for region in reversed(around.regions))]
    return _without_slivers(labels, names, cells.voxel_volume_mm3)


def _classes_of(around: Surroundings) -> tuple[str, ...]:
    return ("rest",) if around.ct is None else CLASSES


def _labels_of(around: Surroundings) -> Labels:
    """The label of every region, and of none. 0 is a region that is asked for, then come the classes, and behind these
    the largest region first, so that the smallest of what is too small is left to its like."""
    count = len(around.regions)
    return np.append(len(_classes_of(around)) + count - np.arange(count), 0).astype(np.int16)


def _smallest(around: Surroundings, lattice: _Lattice, but: Region | None) -> Labels:
    """The smallest region of each of a lattice's sets that tells tissues apart, ``but`` one; their number for none."""
    others = ([n for n in each if around.tells(n) and around.regions[n] is not but] for each in lattice.sets)
    return np.array([min(each, default=len(around.regions)) for each in others], dtype=np.int16)


def _background(around: Surroundings, cells: Grid, classes: Labels, cord: Bools) -> Labels:
    """The labels of what was not drawn: the classes, with the surroundings of the cord told apart."""
    labels = classes + np.int16(1)
    if around.ct is not None:
        near = within(cord, AROUND_CORD_MM, cells.spacing_mm[::-1])
        labels[near & (classes == CLASSES.index("soft tissue"))] = 1 + CLASSES.index("around the cord")
    return labels


def _drawn_as_cord(around: Surroundings, covered: Sequence[NDArray[np.uint16]], regions: Sequence[Region]) -> Bools:
    """The cells that some of the regions cover as cord; covered: as in ``Scene``."""
    cords = {n for n, region in enumerate(around.regions) if region in regions and region.anatomy.structure == "cord"}
    found: Bools = np.zeros(1, dtype=bool)
    for lattice, seen in zip(around.lattices, covered, strict=True):
        for number, each in enumerate(lattice.sets):
            if not cords.isdisjoint(each):
                found = found | (seen == number)
    return found


def _classes(cells: Grid, ct: Volume | None, back: Floats, vertebrae: Bools) -> Labels:
    """The CT's tissue class of every cell, those beyond the CT as its last voxels; 0 without a CT.

    Marrow lies deep in what the CT shows as bone or what is drawn as vertebra: old marrow is no denser than muscle.
    """
    classes = np.zeros(cells.shape, dtype=np.int16)
    if ct is None:
        return classes
    to_index = np.linalg.inv(ct.grid.ijk_to_lps) @ back @ cells.ijk_to_lps
    values = np.empty(cells.shape, dtype=ct.values.dtype)
    for slab in _slabs(cells.shape):
        places = zip(_nearest(to_index, cells.shape, slab), ct.values.shape, strict=True)
        here = values[slab] = _taken(ct.values, [np.clip(at, 0, n - 1, out=at) for at, n in places])
        for edge in CLASS_EDGES_HU:
            classes[slab] += here >= edge
    deep = np.zeros(cells.shape, dtype=bool)
    for solid in (classes == CLASSES.index("bone"), vertebrae):
        deep |= ~within(~solid, CORTEX_MM, cells.spacing_mm[::-1])
    classes[deep & (values < CORTEX_HU) & (values >= CLASS_EDGES_HU[0])] = CLASSES.index("marrow")
    return classes


def within(mask: Bools, reach_mm: float, spacing_mm: Sequence[float]) -> Bools:
    """Voxels whose middle is no farther than ``reach_mm`` from that of a voxel of the mask; spacing: along its axes.

    The mask moved by every step within reach, whole rows at once: for a few voxels of reach faster than distances.
    """
    found = np.zeros(mask.shape, dtype=bool)
    if not mask.any():
        return found
    steps = [int(reach_mm / spacing) for spacing in spacing_mm]
    box = tuple(slice(max(side.start - n, 0), side.stop + n) for side, n in zip(box_of(mask), steps, strict=True))
    padded = np.pad(mask[box], [(n, n) for n in steps])
    grown = [padded.ravel()]  # along the last axis, by 0, 1, … voxels
    for n in range(1, steps[2] + 1):
        longer = grown[-1].copy()
        for shift in (n, -n):
            _join(longer, grown[0], shift)
        grown.append(longer)
    reached = grown[0].copy()
    lengths = np.arange(steps[2] + 1) * spacing_mm[2]
    for k in range(-steps[0], steps[0] + 1):
        for j in range(-steps[1], steps[1] + 1):
            fits = np.sqrt((k * spacing_mm[0]) ** 2 + (j * spacing_mm[1]) ** 2 + lengths**2) <= reach_mm
            if fits.any():
                _join(reached, grown[int(fits.sum()) - 1], (k * padded.shape[1] + j) * padded.shape[2])
    inner = tuple(slice(n, size - n) for n, size in zip(steps, padded.shape, strict=True))
    found[box] = reached.reshape(padded.shape)[inner]
    return found


def _join(into: Bools, one: Bools, shift: int) -> None:
    """Add a flat mask, moved by ``shift``, to another."""
    if shift >= 0:
        into[shift:] |= one[: len(one) - shift]
    else:
        into[:shift] |= one[-shift:]


def _look_up(into: NDArray[Any], values: NDArray[Any], grid: Grid, corner: Ints, cells: Grid, back: Floats) -> None:
    """Fill ``into`` (k, j, i) of the cells from the nearest voxels; only cells near them are looked at.

    corner: (k, j, i) in ``grid`` of the first voxel of ``values``; back: rigid 4 x 4 (LPS mm) from where the
    cells are to where it was drawn.
    """
    to_index = np.linalg.inv(grid.ijk_to_lps) @ back @ cells.ijk_to_lps
    to_index[:3, 3] -= corner[::-1]
    far = np.array(values.shape[::-1]) - 0.5
    corners = np.array([[i, j, k, 1] for i in (-0.5, far[0]) for j in (-0.5, far[1]) for k in (-0.5, far[2])])
    reached = (corners @ np.linalg.inv(to_index).T)[:, 2::-1]
    low = np.maximum(np.floor(reached.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(reached.max(axis=0)).astype(int) + 1, np.array(cells.shape))
    if (low >= high).any():
        return
    to_index[:3, 3] += to_index[:3, :3] @ low[::-1]
    box = into[tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))]
    for slab in _slabs(box.shape):
        places = _nearest(to_index, box.shape, slab)
        inside = np.ones((1, 1, 1), dtype=bool)
        for at, n in zip(places, values.shape, strict=True):
            inside = inside & (at >= 0) & (at < n)
            np.clip(at, 0, n - 1, out=at)
        np.copyto(box[slab], _taken(values, places), where=inside)


def _slabs(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of cells (k, j, i), a few at a time, whose indices stay within a core's cache."""
    step = max(1, SLAB_CELLS // (shape[1] * shape[2]))
    return (slice(first, min(first + step, shape[0])) for first in range(0, shape[0], step))


def _nearest(to_index: Floats, shape: tuple[int, ...], slab: slice) -> list[NDArray[np.int32]]:
    """Index (k, j, i) of the voxel in which every cell's middle lies; each of size 1 along axes that do not matter.

    to_index: 4 x 4 from indices (i, j, k) of the cells, of whom there are ``shape`` (k, j, i); slab: the k to look at.
    """
    ranges = [np.arange(slab.start, slab.stop), np.arange(shape[1]), np.arange(shape[2])]
    found = []
    for xyz in (2, 1, 0):
        at = np.full((1, 1, 1), to_index[xyz, 3] + 0.5)
        for axis, numbers in enumerate(ranges):
            slope = to_index[xyz, 2 - axis]
            if abs(slope) * shape[axis] > SAME_LATTICE:
                along = [1, 1, 1]
                along[axis] = len(numbers)
                at = at + slope * numbers.reshape(along)
        found.append(np.floor(at, out=at).astype(np.int32))
    return found


def _taken(values: NDArray[Any], places: Sequence[NDArray[np.int32]]) -> NDArray[Any]:
    """Values (k, j, i) at indices that are broadcast against each other."""
    k, j, i = places
    rows = (np.multiply(k, values.shape[1], dtype=np.intp) + j) * values.shape[2]
    return np.asarray(values.reshape(-1).take(rows + i))


def _without_slivers(labels: Labels, names: list[str], cell_mm3: float) -> CellTissues:
    """Tissues of next to no volume join the one before them in the list; the region itself stays."""
    rows = labels.reshape(-1, labels.shape[-1])
    begins = np.ones(rows.shape, dtype=bool)
    np.not_equal(rows[:, 1:], rows[:, :-1], out=begins[:, 1:])
    first = np.flatnonzero(begins)
    lengths = np.diff(first, append=labels.size)
    volumes = np.bincount(labels.ravel()[first], weights=lengths, minlength=len(names)) * cell_mm3
    kept = [0] + [n for n in range(1, len(names)) if volumes[n] >= BACKGROUND_SMALLEST_MM3]
    place = np.searchsorted(kept, np.arange(len(names)), side="right") - 1
    place[1:] = np.maximum(place[1:], min(1, len(kept) - 1))
    return CellTissues(labels, first, place, tuple(names[n] for n in kept))
