"""What speed rests on: nothing is worked out twice. Counts, which no busy machine changes, instead of seconds."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from support.exacttissue import EDGES_S, write_blood
from support.tinystudy import LEFT, PET_MM, PET_SHAPE, activity, grid_of, segmentation
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan
from TSPOQuantLib.alignment import motion
from TSPOQuantLib.kinetics import fit
from TSPOQuantLib.outcome.settings import StudySettings
from TSPOQuantLib.pipeline.quantification import quantify
from TSPOQuantLib.pipeline.visit_data import VisitData
from TSPOQuantLib.regions import sampling, tissues

FRAMES, PLACES = len(EDGES_S) - 1, 3
SETTINGS = StudySettings(
    input_source="given",
    vb="none",
    models=("Logan", "MA1"),
    motion_correction="frames",
    pvc="GTM",
    pvc_regions=(LEFT,),
    fwhm_mm=5.0,
)


def tiny_image():
    timing = FrameTiming(EDGES_S[:-1], np.diff(EDGES_S))
    values = activity("baseline").astype(np.float32)
    scan = Scan(half_life_s=1223.4)
    return DynamicImage(values, grid_of(PET_SHAPE, PET_MM), timing, "injection", None, "none needed", scan)


class CountsTest(unittest.TestCase):
    def test_places_tissues_and_fits_of_a_visit(self):
        with tempfile.TemporaryDirectory() as folder:
            blood = Path(folder) / "sub-x_bloodproc.tsv"
            write_blood(blood)
            data = VisitData(tiny_image(), segmentation(), read_blood([blood]), None)
        moves = np.tile(np.eye(4), (FRAMES, 1, 1))
        moves[:, 0, 3] = 0.25 * (1 + np.arange(FRAMES) % PLACES)
        lying = motion.FrameMotion(moves, (FRAMES - 1,), uncertainty_mm=np.zeros(FRAMES))
        with (
            mock.patch.object(sampling, "_covered", side_effect=sampling._covered) as covered,
            mock.patch("TSPOQuantLib.regions.partial_volume.tissues_in", side_effect=tissues.tissues_in) as looked_up,
            mock.patch("TSPOQuantLib.pipeline.curves.fit", side_effect=fit) as fitted,
        ):
            quantify(data, SETTINGS, (lying, None))
        # Where the frames saw it, where it was drawn, and a step to either side along each axis.
        self.assertEqual(covered.call_count, len(segmentation().segments) * (PLACES + 1 + 6))
        # The corrected region's as well, moved once alone and once with all else.
        self.assertEqual(looked_up.call_count, PLACES + 1 + 6 + 6)
        # As it is and corrected: itself, scale and delay to either side; corrected: resolution, methods, models.
        self.assertEqual(fitted.call_count, len(SETTINGS.models) * (2 * (1 + 4) + 2 + 3 + 2))

    def test_registrations_of_a_scan(self):
        image = tiny_image()
        reference = motion.late_frames(image.timing)
        anchor = max(reference, key=lambda frame: motion.relative_counts(image)[frame])
        runs = [run for run in motion.groups(motion.relative_counts(image)) if anchor not in run]
        self.assertGreater(len(runs), 1)
        with (
            mock.patch.object(motion, "register_rigid", return_value=np.eye(4)) as registered,
            mock.patch.object(motion, "_uncertainty_mm", return_value=0.1) as doubted,
        ):
            motion.estimate_motion(image)
        self.assertEqual(registered.call_count, len(reference) - 1 + len(runs))
        self.assertEqual(doubted.call_count, len(runs))


if __name__ == "__main__":
    unittest.main()
