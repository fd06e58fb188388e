"""Fused slices: what a reader expects to see where, and the same as Slicer's views show, oblique planes included."""

import unittest

import numpy as np
import slicer
from support.exacttissue import centers
from support.mrmlstudy import grid
from support.slicerblending import blended_by_slicer
from TSPOQuantLib.acquisition.image import Volume
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.regions.anatomy import Anatomy
from TSPOQuantLib.regions.planes import plane_of, plane_points
from TSPOQuantLib.reporting.fused_pictures import fused_slice, pet_colors

AXES = {plane: plane_of(Anatomy("cord"), plane, {}) for plane in ("axial", "sagittal", "coronal")}
SIZE_MM = 48.0
SPOT = np.array([20.0, -12.0, 6.0])


class FusedSliceTest(unittest.TestCase):
    def setUp(self):
        on = grid((20, 20, 20), 4.0)
        self.ct = Volume(np.zeros((40, 40, 40), np.float32), grid((40, 40, 40), 2.0), "HU")
        # Left, anterior (LPS: -y) and superior of the middle.
        hot = np.linalg.norm(centers(on) - SPOT, axis=-1) < 7
        self.pet = Volume(np.where(hot, 10.0, 0.0).astype(np.float32), on, "kBq/mL")

    def hot_spot(self, plane, center):
        """Middle (row, column) of the colored pixels, from the middle of the picture, in parts of its side."""
        picture = fused_slice(self.ct, self.pet, plane_points(np.array(center), AXES[plane], 80.0, 160), (0, 10))
        rows, columns = np.nonzero(np.ptp(picture[..., :3].astype(int), axis=2) > 20)
        return rows.mean() / 160 - 0.5, columns.mean() / 160 - 0.5

    def test_sides_are_where_a_reader_expects_them(self):
        for plane in AXES:  # centered on the spot, it is in the middle
            np.testing.assert_allclose(self.hot_spot(plane, SPOT), (0, 0), atol=0.03)
        # Left is on the right, anterior and superior are on top; in the sagittal plane the front is on the left.
        np.testing.assert_allclose(self.hot_spot("axial", (0, 0, 6)), (-12 / 80, 20 / 80), atol=0.03)
        np.testing.assert_allclose(self.hot_spot("coronal", (0, -12, 0)), (-6 / 80, 20 / 80), atol=0.03)
        np.testing.assert_allclose(self.hot_spot("sagittal", (20, 0, 0)), (-6 / 80, -12 / 80), atol=0.03)

    def test_opacity_mixes(self):
        points = plane_points(SPOT, AXES["axial"], 80.0, 100)
        without, half, full = (
            fused_slice(self.ct, self.pet, points, (0, 20), opacity)[50, 50].astype(int) for opacity in (0.0, 0.5, 1.0)
        )
        self.assertEqual(len(set(without[:3])), 1)  # gray
        np.testing.assert_allclose(half[:3], (without[:3] + full[:3]) / 2, atol=2)
        self.assertAlmostEqual(without[0], 255 * 400 / 1400, delta=2)  # 0 HU in the window from -400 to 1000 HU
        np.testing.assert_array_equal(full[:3], pet_colors()[127])

    def test_opaque_and_black_outside(self):
        picture = fused_slice(self.ct, self.pet, plane_points(np.zeros(3), AXES["axial"], 200.0, 100), (0, 10))
        self.assertEqual((picture.shape, picture.dtype), ((100, 100, 4), np.uint8))
        self.assertTrue((picture[..., 3] == 255).all())
        self.assertFalse(picture[0, 0, :3].any())


class SlicerTest(unittest.TestCase):
    """Slicer rounds in its own order, hence a few steps of 255 between a mixture there and here.

    The pictures lie inside both images: beyond the CT, Slicer's mixture is of no defined gray.
    """

    def setUp(self):
        rng = np.random.default_rng(1)
        turned = np.array([[0.98, -0.17, 0.1], [0.17, 0.98, 0.0], [-0.1, 0.02, 0.99]])
        turned = np.linalg.qr(turned)[0] * np.sign(np.diag(np.linalg.qr(turned)[1]))
        matrix = np.eye(4)
        matrix[:3, :3] = turned @ np.diag([1.5, 1.5, 2.0])
        matrix[:3, 3] = matrix[:3, :3] @ -np.array([29.5, 29.5, 19.5]) + (1, 2, 3)
        on_ct, on_pet = Grid((40, 60, 60), matrix), grid((20, 24, 24), 4.0)
        smooth = 300 * np.sin(centers(on_ct) / 9.0).sum(axis=-1) + 300
        self.ct = Volume(np.rint(smooth).astype(np.int16), on_ct, "HU")
        waves = 5 + 3 * np.cos(centers(on_pet) / 11.0).sum(axis=-1) + rng.uniform(0, 0.5, on_pet.shape)
        self.pet = Volume(waves.astype(np.float32), on_pet, "kBq/mL")

    def test_pictures_are_those_of_slicers_views(self):
        foramina = {("C5/C6", "left"): (14, 0, 14), ("C5/C6", "right"): (-15, 1, 15)}
        foramina |= {("C6/C7", "left"): (15, 4, -3), ("C6/C7", "right"): (-14, 3, -2)}
        foramina = {place: np.array(center, dtype=float) for place, center in foramina.items()}
        left = Anatomy("foramen", "C6/C7", "C7", "left")
        for plane in ("axial", "sagittal", "coronal", "across canal", "along canal"):
            axes, center = plane_of(left, plane, foramina), np.array([3.3, 2.1, -4.7])
            theirs = blended_by_slicer(self.ct, self.pet, center, axes, SIZE_MM, 200, (0.0, 14.0)).astype(int)
            ours = fused_slice(self.ct, self.pet, plane_points(center, axes, SIZE_MM, 200), (0.0, 14.0)).astype(int)
            off = np.abs(theirs - ours)[..., :3].max(axis=2)
            with self.subTest(plane):
                self.assertGreater(theirs[..., :3].std(), 20, "something is shown")
                self.assertLessEqual(off.max(), 4)
                self.assertLess(off.mean(), 1.0)
                shifted = np.abs(theirs[:, 2:] - ours[:, :-2])[..., :3]
                self.assertGreater(shifted.mean(), 2 * off.mean(), "two pixels aside would be seen")

    def test_colors_are_those_of_slicers_palette(self):
        node = slicer.vtkMRMLPETProceduralColorNode()
        node.SetTypeToDICOM()
        function = node.GetColorTransferFunction()
        theirs = [function.GetColor(value) for value in np.linspace(*function.GetRange(), 256)]
        np.testing.assert_allclose(pet_colors().astype(int), 255 * np.array(theirs), atol=1.01)


if __name__ == "__main__":
    unittest.main()
