"""A PET that shows more of the body than the neck: simulated, with a torso that moves by itself."""

import unittest
from dataclasses import replace

import numpy as np
from AlignmentTest import SHAPE, apart_mm, ct, dynamic, grid, rigid
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.pipeline.placement import align_visit
from TSPOQuantLib.regions.anatomy import Anatomy
from TSPOQuantLib.regions.nearby import NECK_MM, surroundings
from TSPOQuantLib.regions.region import Region
from TSPOQuantLib.study import StudySettings

TORSO = rigid((0, 0, -280), (0, 0, 0))
MOVES = [rigid((0, 0, 0.7 * n), (0.4 * n, 0, 0)) for n in range(7)]
ELSEWHERE = [TORSO @ rigid((-2.5 * n, 1.5 * n, -0.7 * n), (0, 0, -0.5 * n)) for n in range(7)]


def body():
    """The neck where ``AlignmentTest`` has it, and below it a more active torso that moves otherwise."""
    on = grid().part((-72, -6, -6), (72 + SHAPE[0] + 8, SHAPE[1] + 12, SHAPE[2] + 12))
    neck, torso = dynamic(MOVES, on=on), dynamic(ELSEWHERE, seed=2, on=on)
    return replace(neck, activity=neck.activity + 4 * torso.activity)


def region(name="r", structure="other", away_mm=(0, 0, 0)):
    small = grid().part((13, 16, 14), (4, 4, 4))
    matrix = small.ijk_to_lps.copy()
    matrix[:3, 3] += away_mm
    return Region(name, Anatomy(structure), np.ones((4, 4, 4), dtype=bool), Grid(small.shape, matrix))


class WholeBodyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.image = body()

    def aligned(self, regions, anatomy):
        """The alignment, and the frame at whose place the reference lies."""
        motion, to_ct = align_visit(self.image, anatomy, StudySettings(), drawn=regions)
        anchor = next(n for n in motion.reference if np.array_equal(motion.reference_to_frame[n], np.eye(4)))
        return motion, to_ct, MOVES[anchor]

    def worst_mm(self, regions):
        motion, _, anchor = self.aligned(regions, None)
        true = [move @ np.linalg.inv(anchor) for move in MOVES]
        return max(apart_mm(motion.reference_to_frame[n], true[n]) for n in range(2, 7))

    def test_the_neck_is_followed_and_not_the_torso(self):
        self.assertLess(self.worst_mm([region()]), 0.7)
        self.assertGreater(self.worst_mm([]), 3.0)  # where nothing says where the neck is

    def test_a_ct_of_the_neck_fits_into_a_pet_of_the_body(self):
        shift = rigid((5, -4, 6), (2, -1, 3))
        for regions in ([region()], []):
            _, to_ct, anchor = self.aligned(regions, ct(shift))
            self.assertFalse(to_ct.kept)
            self.assertLess(apart_mm(to_ct.ct_to_reference, anchor @ np.linalg.inv(shift)), 1.0)

    def test_what_is_read(self):
        near = surroundings(self.image, [region()])
        self.assertLess(near.grid.shape[0], 0.6 * self.image.grid.shape[0])
        box = self.image.grid.box_around(region().grid.corners, NECK_MM + 2)
        self.assertTrue(near.grid.same_as(self.image.grid.part([side.start for side in box], near.grid.shape)))
        np.testing.assert_array_equal(near.activity, self.image.activity[(slice(None), *box)])
        below = (0, 0, -260)
        self.assertIs(surroundings(self.image, []), self.image)
        spine = surroundings(self.image, [region(), region("v", "vertebra", below)])
        self.assertEqual(spine.grid.shape, near.grid.shape)
        vessel = surroundings(self.image, [region(), region("aorta", "blood-pool", below)])
        self.assertGreater(vessel.grid.shape[0], near.grid.shape[0])


if __name__ == "__main__":
    unittest.main()
