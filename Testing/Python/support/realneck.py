"""The real neck as it might have been scanned and labeled: other voxels, leaning, turned, spoilt; and its truth."""

import json
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter, map_coordinates
from TSPOQuantLib.acquisition.image import Volume
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.grid import Grid

from support.realdata import DATA

NECK = DATA / "necks" / "vhf_neck"
MIDDLE = np.array([246.0, 252.0, 40.0])
LEVELS = ("C2", "C3", "C4", "C5")


@dataclass(frozen=True, eq=False)
class Judged:
    """A region against its truth: distance of centers in mm, all and along the canal (outward positive); and the
    shares of it that lie inward of the foramen, and in bone of the unspoilt CT."""

    distance: float
    along: float
    inward: float
    bone: float


class RealNeck:
    """The neck turned by ``lean`` (forward), ``turn`` and ``roll`` degrees about its middle.

    spurs: mm that half a ball of bone stands out of the front ("uncus") or back ("facet") wall of every foramen.
    """

    def __init__(self, lean=0.0, turn=0.0, roll=0.0, spurs=0.0, wall="uncus"):
        self._ct, corner = _read("ct.nii.gz")
        self._labels, _ = _read("vertebrae_verse.nii.gz")
        self._grid = _grid(self._ct.shape, 1.0, corner)
        self._turn = _turned(lean, turn, roll)
        self.truth = json.loads((NECK / "foramina_truth.json").read_text())["foramina"]
        if spurs:
            self._ct = self._with_spurs(spurs, wall)

    def ct(self, voxel_mm=1.0, noise_hu=0.0):
        blur = [0.35 * step if step > 1 else 0.0 for step in np.broadcast_to(voxel_mm, 3)[::-1]]
        grid, values = self._scanned(gaussian_filter(self._ct.astype(float), blur), voxel_mm, 1, 40.0)
        values += np.random.default_rng(1).normal(0, noise_hu, values.shape) if noise_hu else 0.0
        return Volume(values.astype(np.float32), grid, "HU")

    def labels(self, voxel_mm=1.0, change=None, shift_mm=(0, 0, 0)):
        grid, numbers = self._scanned(self._labels, voxel_mm, 0, 0)
        matrix = grid.ijk_to_lps.copy()
        matrix[:3, 3] += shift_mm
        change = {"eroded": binary_erosion, "dilated": binary_dilation, None: np.asarray}[change]
        named = [(level, change(numbers == number)) for number, level in enumerate(LEVELS, start=2)]
        return Segmentation(
            Grid(grid.shape, matrix), tuple(Segment(f"vertebrae_{n}", f"vertebrae_{n}", m) for n, m in named)
        )

    def judged(self, name, mask, grid):
        true = self.truth[name]
        points = grid.to_lps(np.argwhere(mask)[:, ::-1].astype(float))
        center, tangent = self.placed(true["center"]), self._turn @ true["tangent"]
        along = (points - center) @ tangent
        index = self._grid.to_ijk((points - MIDDLE) @ self._turn + MIDDLE)[:, ::-1]
        hu = map_coordinates(self._ct.astype(float), index.T, order=1)
        return Judged(
            float(np.linalg.norm(points.mean(axis=0) - center)),
            float(along.mean()),
            float(np.mean(along < -true["length_mm"] / 2)),
            float(np.mean(hu > 200)),
        )

    def placed(self, point):
        """A point of the file where the turned neck has it."""
        return self._turn @ (np.array(point) - MIDDLE) + MIDDLE

    def _scanned(self, values, voxel_mm, order, fill):
        step = np.broadcast_to(np.asarray(voxel_mm, dtype=float), 3)
        size = np.array(self._grid.shape[::-1])
        shape = np.floor(size / step).astype(int)[::-1].tolist()
        grid = _grid(shape, step, self._grid.ijk_to_lps[:3, 3] - 0.5 + step / 2)
        k, j, i = np.indices(grid.shape)
        points = grid.to_lps(np.stack([i, j, k], axis=-1).astype(float))
        index = np.moveaxis(self._grid.to_ijk((points - MIDDLE) @ self._turn + MIDDLE)[..., ::-1], -1, 0)
        return grid, map_coordinates(values, index, order=order, cval=fill)

    def _with_spurs(self, size, wall):
        k, j, i = np.indices(self._ct.shape)
        points = self._grid.to_lps(np.stack([i, j, k], axis=-1).astype(float))
        values = self._ct.astype(float)
        for true in self.truth.values():
            tangent = np.array(true["tangent"])
            up = np.array([0.0, 0.0, 1.0]) - tangent[2] * tangent
            back = np.cross(up / np.linalg.norm(up), tangent)
            back *= np.sign(back[1]) * (1 if wall == "facet" else -1)
            place = true["center"] + back * true["width_mm"] / 2
            share = np.clip(size + 0.5 - np.linalg.norm(points - place, axis=-1), 0, 1)
            values = np.where(share > 0, np.maximum(values, values + (700 - values) * share), values)
        return values


def _read(name):
    image = sitk.ReadImage(str(NECK / name))
    return sitk.GetArrayFromImage(image), np.array(image.GetOrigin())


def _grid(shape, step, corner):
    matrix = np.diag([*np.broadcast_to(step, 3), 1.0])
    matrix[:3, 3] = corner
    return Grid(tuple(shape), matrix)


def _turned(lean, turn, roll):
    a, b, c = np.deg2rad([lean, turn, roll])
    x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    y = np.array([[np.cos(c), 0, np.sin(c)], [0, 1, 0], [-np.sin(c), 0, np.cos(c)]])
    return z @ y @ x
