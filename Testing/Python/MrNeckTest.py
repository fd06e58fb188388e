"""The simulated neck on PET/MR: regions proposed, carried and brought to the PET without a single CT number."""

import unittest
from dataclasses import replace

import numpy as np
from support.tiers import slow
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import MR_SIGNAL, DynamicImage, Scan, Volume
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.alignment.motion import FrameMotion
from TSPOQuantLib.alignment.pet_to_ct import align_to_ct
from TSPOQuantLib.alignment.visits import align_visits
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.phantom.anatomy import build_anatomy, ct_grid, pet_grid
from TSPOQuantLib.phantom.mr import mr_signal, with_magnitude_noise
from TSPOQuantLib.phantom.neck import LABEL, VERTEBRAE, Build, draw_pose
from TSPOQuantLib.phantom.scanner import image_frames
from TSPOQuantLib.phantom.tracer import kinetics_of
from TSPOQuantLib.progress import silent
from TSPOQuantLib.regions.proposals import propose_foramina

C7 = "C6/C7"


def built(visit):
    anatomy = build_anatomy(ct_grid(True), Build(), draw_pose(1, visit, np.random.default_rng(0)), silent)
    signal = with_magnitude_noise(mr_signal(anatomy), np.random.default_rng(2))
    return anatomy, Volume(signal, anatomy.grid, MR_SIGNAL)


def centers(anatomy):
    return np.array([one.center_lps_mm for one in anatomy.foramina if one.level == C7])


@slow
class MrNeckTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.anatomy, cls.mr = built("baseline")

    def test_foramina_are_proposed_from_labels_alone(self):
        wanted = VERTEBRAE[1:4]  # T1 to C6: both foramina of two levels
        segments = [
            Segment(v.name, f"vertebra {v.name}", self.anatomy.labels == LABEL[f"vertebra {v.name}"]) for v in wanted
        ]
        found, notices = propose_foramina(Segmentation(self.anatomy.grid, tuple(segments)), self.mr)
        self.assertIn("walls-by-labels", [notice.code for notice in notices])
        true = {one.name: one.center_lps_mm for one in self.anatomy.foramina}
        off = {one.name: np.linalg.norm(one.canal.center - true[one.name]) for one in found if one.segment}
        self.assertEqual(len(off), 4)
        self.assertLess(max(off.values()), 1.0)

    def test_a_level_is_found_at_the_other_visit(self):
        other, mr = built("followup")
        found = align_visits(self.mr, mr, {C7: centers(self.anatomy)}).levels[0]
        moved = centers(self.anatomy) @ found.to_other[:3, :3].T + found.to_other[:3, 3]
        self.assertLess(np.abs(moved - centers(other)).max(), 0.5)

    def test_the_pet_is_brought_to_it(self):
        vt = np.array([[one.vt] for one in kinetics_of("baseline", {}).values()])
        activity = np.array(
            list(image_frames(self.anatomy.labels, self.anatomy.grid, pet_grid(True), vt, np.eye(4)[None], 5.0))
        )
        timing = FrameTiming(np.array([1800.0]), np.array([600.0]))
        pet = DynamicImage(activity, pet_grid(True), timing, "injection", None, "simulated", Scan())
        still = FrameMotion([np.eye(4)], (0,))
        self.assertTrue(align_to_ct(pet, self.mr, still).kept)
        shift = np.eye(4)
        shift[:3, 3] = 5, -4, 3
        away = replace(self.mr, grid=Grid(self.mr.grid.shape, shift @ self.mr.grid.ijk_to_lps))
        np.testing.assert_allclose((align_to_ct(pet, away, still).ct_to_reference @ shift)[:3, 3], 0, atol=1.0)
        upside_down = replace(self.mr, values=np.ascontiguousarray(self.mr.values[::-1]))
        with self.assertRaises(InputRefused) as caught:
            align_to_ct(pet, upside_down, still)
        self.assertEqual(caught.exception.code, "pet-ct-mismatch")


if __name__ == "__main__":
    unittest.main()
