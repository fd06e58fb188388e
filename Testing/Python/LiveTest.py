"""V_T that follows the brush: the numbers of the full computation, of what changed alone."""

import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
from scipy.spatial.transform import Rotation
from support.exacttissue import EDGES_S, centers, write_blood
from support.tinystudy import CORD, LEFT, MIDDLE_LPS_MM, PET_MM, PET_SHAPE, RIGHT, activity, grid_of, segmentation
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.alignment.motion import FrameMotion
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.record import from_json
from TSPOQuantLib.outcome.settings import StudySettings
from TSPOQuantLib.pipeline.live import live_of
from TSPOQuantLib.pipeline.mapping import make_visit_maps
from TSPOQuantLib.pipeline.quantification import quantify
from TSPOQuantLib.pipeline.visit_data import VisitData
from TSPOQuantLib.plain import to_json
from TSPOQuantLib.regions.region import PLACEMENT_TAG, regions_of
from TSPOQuantLib.regions.smoothing import smoothed_to

NAMES = (LEFT, RIGHT, CORD)
SETTINGS = StudySettings(input_source="given", vb="none", models=("1TCM", "Logan"), motion_correction="frames")


def shaken():
    """A pose of the neck for every frame."""
    rng = np.random.default_rng(2)
    frames = np.tile(np.eye(4), (len(EDGES_S) - 1, 1, 1))
    frames[:, :3, :3] = Rotation.from_euler("xyz", rng.normal(0, 1, (len(frames), 3)), degrees=True).as_matrix()
    frames[:, :3, 3] = rng.normal(0, 0.5, (len(frames), 3)) + MIDDLE_LPS_MM - frames[:, :3, :3] @ MIDDLE_LPS_MM
    return FrameMotion(frames, (len(frames) - 1,), uncertainty_mm=np.zeros(len(frames)))


def redrawn(drawn, name):
    """The same with one segment drawn as a smaller ball."""
    ball = np.linalg.norm(centers(drawn.grid) - (MIDDLE_LPS_MM + np.array([10, 1, 1])), axis=-1) < 4.2
    segments = tuple(replace(one, mask=ball) if one.name == name else one for one in drawn.segments)
    return Segmentation(drawn.grid, segments)


def region(drawn, name):
    return next(one for one in regions_of(drawn) if one.name == name)


class LiveTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        blood = Path(folder.name) / "sub-x_bloodproc.tsv"
        write_blood(blood)
        rng = np.random.default_rng(1)
        clean = activity("baseline")
        image = DynamicImage(
            activity=(clean * rng.normal(1, 0.05, clean.shape)).astype(np.float32),
            grid=grid_of(PET_SHAPE, PET_MM),
            timing=FrameTiming(EDGES_S[:-1], np.diff(EDGES_S)),
            time_zero="injection",
            time_zero_at=None,
            decay_correction="none needed",
            scan=Scan(half_life_s=1223.4),
        )
        cls.data = VisitData(image, segmentation(), read_blood([blood]), None)
        cls.aligned = shaken(), None
        cls.full = cls.computed(cls.data.segmentation)
        # As a scene gives it back.
        cls.live = live_of(image, cls.aligned, SETTINGS, from_json(to_json(cls.full)))

    @classmethod
    def computed(cls, drawn, settings=SETTINGS):
        # What hangs on neighbors and resolution is not followed, and takes the longest.
        with mock.patch("TSPOQuantLib.pipeline.quantification.sensitivities", return_value=()):
            return quantify(replace(cls.data, segmentation=drawn), settings, cls.aligned).record

    def assert_same(self, found, wanted):
        self.assertEqual([(one.region, one.model) for one in found], [(one.region, one.model) for one in wanted])
        for one, other in zip(found, wanted, strict=True):
            for key in ("VT", "VT_se", "K1", "k2", "VB"):
                ours, theirs = getattr(one, key), getattr(other, key)
                self.assertEqual(ours is None, theirs is None, key)
                if theirs is not None:
                    np.testing.assert_allclose(ours, theirs, rtol=1e-9, err_msg=f"{one.region} {one.model} {key}")
            self.assertEqual([flag.code for flag in one.flags], [flag.code for flag in other.flags])

    def test_a_redrawn_region_has_the_numbers_of_the_full_computation(self):
        drawn = redrawn(self.data.segmentation, LEFT)
        found = self.live.with_changes(SETTINGS, NAMES, [region(drawn, LEFT)])
        wanted = self.computed(drawn)
        self.assert_same(found.record.rows, wanted.rows)
        self.assertNotAlmostEqual(found.record.rows[0].VT, self.full.rows[0].VT, places=4)
        self.assertEqual(found.record.region(LEFT).mean, wanted.region(LEFT).mean)

    def test_only_what_changed_is_read_and_fitted(self):
        from TSPOQuantLib.kinetics import fit
        from TSPOQuantLib.regions.sampling import coverage

        drawn = redrawn(self.data.segmentation, LEFT)
        with (
            mock.patch("TSPOQuantLib.regions.sampling.coverage", side_effect=coverage) as covered,
            mock.patch("TSPOQuantLib.pipeline.curves.fit", side_effect=fit) as fitted,
        ):
            self.live.with_changes(SETTINGS, NAMES, [region(drawn, LEFT)])
            self.assertEqual({call.args[0].name for call in covered.call_args_list}, {LEFT})
            # t* of a graphical method is that of all curves.
            self.assertEqual([len(call.args[2]) for call in fitted.call_args_list], [1, 3])
            covered.reset_mock()
            fitted.reset_mock()
            self.live.with_changes(replace(SETTINGS, models=("1TCM", "Logan", "MA1")), NAMES)
            self.assertEqual((covered.call_count, fitted.call_count), (0, 1))

    def test_other_choices_of_the_model_are_fitted_for_the_region_that_is_looked_at(self):
        for chosen in (
            {"vb": "fit"},
            {"weights": "duration", "tstar_s": 600.0, "models": ("1TCM", "MA1")},
        ):
            with self.subTest(**chosen):
                settings = replace(SETTINGS, **chosen)
                self.assertTrue(self.live.follows(settings))
                found = self.live.with_changes(settings, NAMES, at_once=[RIGHT])
                self.assertEqual(found.missing, (LEFT, CORD))
                model = settings.models[0]
                self.assertEqual([row.region for row in found.record.rows if row.model == model], [RIGHT])
                while found.missing:
                    found = found.with_changes(settings, NAMES, at_once=found.missing[:1])
                self.assert_same(found.record.rows, self.computed(self.data.segmentation, settings).rows)

    def test_another_input_or_place_is_not_followed(self):
        for chosen in (
            {"motion_correction": "none"},
            {"input_source": "blood"},
            {"until_min": 40.0},
            {"minimum_coverage": 0.7},
            {"parent_fraction_model": "hill"},
        ):
            self.assertFalse(self.live.follows(replace(SETTINGS, **chosen)), chosen)
        image_derived = replace(self.live, settings=replace(SETTINGS, input_source="image-derived"))
        self.assertTrue(image_derived.follows(replace(image_derived.settings, until_min=40.0)))
        smoothed = replace(self.live, settings=replace(SETTINGS, fwhm_mm=4.0, smooth_to_mm=6.0))
        self.assertFalse(smoothed.follows(replace(smoothed.settings, fwhm_mm=5.0)))
        for chosen in ({"pvc": "GTM"}, {"genotype": "HAB"}, {"delay_s": 4.0}, {"fwhm_mm": 5.0}):
            self.assertTrue(self.live.follows(replace(SETTINGS, **chosen)), chosen)

    def test_regions_come_and_go(self):
        found = self.live.with_changes(SETTINGS, (LEFT, RIGHT))
        without = Segmentation(self.data.segmentation.grid, self.data.segmentation.segments[:2])
        self.assert_same(found.record.rows, self.computed(without).rows)
        again = found.with_changes(SETTINGS, NAMES, [region(self.data.segmentation, CORD)])
        self.assert_same(again.record.rows, self.full.rows)

    def test_a_proposed_region_that_covers_no_voxel_is_left_out(self):
        """Nobody drew it: the other regions are measured as without it. What was drawn is refused."""
        mask = np.zeros_like(self.data.segmentation.segments[0].mask)
        mask[mask.shape[0] // 2, mask.shape[1] // 2, mask.shape[2] // 2] = True
        speck = Segment("speck", "foramen C3/C4 left", mask)
        proposed = replace(speck, tags={PLACEMENT_TAG: "0.5"})
        drawn = self.data.segmentation
        found = self.computed(Segmentation(drawn.grid, (*drawn.segments, proposed)))
        self.assert_same(found.rows, self.full.rows)
        self.assertIn("region-too-small", [notice.code for notice in found.notices])
        at_the_width = replace(SETTINGS, fwhm_mm="estimate")
        with mock.patch("TSPOQuantLib.pipeline.quantification.with_resolution") as estimated:
            estimated.side_effect = lambda placed, settings, _: (replace(settings, fwhm_mm=5.0), None)
            self.computed(Segmentation(drawn.grid, (*drawn.segments, proposed)), at_the_width)
            with mock.patch("TSPOQuantLib.pipeline.mapping.with_resolution", estimated):
                both = Segmentation(drawn.grid, (*drawn.segments, proposed))
                smoothed = replace(at_the_width, smooth_to_mm=6.0)
                make_visit_maps(replace(self.data, segmentation=both), smoothed, "1TCM", (None, None))
        for call in estimated.call_args_list:
            self.assertEqual([region.name for region in call.args[0].targets], list(NAMES))
        corrected = replace(SETTINGS, pvc="GTM", fwhm_mm=5.0, pvc_regions=(speck.name, LEFT))
        found = self.computed(Segmentation(drawn.grid, (*drawn.segments, proposed)), corrected)
        self.assertEqual({row.region for row in found.rows if row.pvc == "GTM"}, {LEFT})
        for segments in ((*drawn.segments, speck), (proposed,)):
            with self.assertRaisesRegex(InputRefused, "region-too-small"):
                self.computed(Segmentation(drawn.grid, segments))

    def test_a_frame_that_does_not_fit_the_others_is_told_of_maps_too(self):
        image = self.data.image
        wrong = image.activity.copy()
        wrong[12] *= -1
        for measured, expected in ((image.activity, False), (wrong, True)):
            data = replace(self.data, image=replace(image, activity=measured))
            found = make_visit_maps(data, SETTINGS, "1TCM", (None, None))
            self.assertEqual(any("frame 13 of 'the body'" in notice.message for notice in found.notices), expected)

    def test_maps_show_the_resolution_that_is_asked_for(self):
        asked = replace(SETTINGS, fwhm_mm=4.0, smooth_to_mm=8.0)
        smoothed = smoothed_to(self.data.image, 4.0, 8.0)
        data = replace(self.data, image=replace(smoothed, activity=np.asarray(smoothed.activity)))
        maps = make_visit_maps(self.data, asked, "1TCM", (None, None)).maps.VT
        np.testing.assert_array_equal(maps, make_visit_maps(data, SETTINGS, "1TCM", (None, None)).maps.VT)
        nothing_drawn = replace(self.data, segmentation=replace(self.data.segmentation, segments=()))
        np.testing.assert_array_equal(maps, make_visit_maps(nothing_drawn, asked, "1TCM", (None, None)).maps.VT)
        with self.assertRaisesRegex(InputRefused, "smooth-unknown"):
            make_visit_maps(self.data, replace(asked, fwhm_mm=None), "1TCM", (None, None))

    def test_what_compute_refuses_is_refused(self):
        speck = region(redrawn(self.data.segmentation, LEFT), LEFT)
        mask = np.zeros_like(speck.mask)
        mask[0, 0, 0] = True
        for drawn, names, code in (
            ([replace(speck, mask=mask)], NAMES, "region-too-small"),
            ([replace(speck, mask=np.zeros_like(mask))], NAMES, "region-empty"),
            ([], (), "regions-missing"),
        ):
            with self.subTest(code), self.assertRaises(InputRefused) as caught:
                self.live.with_changes(SETTINGS, names, drawn)
            self.assertEqual(caught.exception.code, code)


if __name__ == "__main__":
    unittest.main()
