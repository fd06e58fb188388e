"""What a visit's folder keeps of its alignment, pictures drawn from it, and regions carried from another visit."""

import csv
import importlib.util
import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from support import tinystudy
from support.exacttissue import EDGES_S
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import DynamicImage, Scan, Volume
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.alignment.fused import fused_images, suv_per_kbq_ml
from TSPOQuantLib.alignment.motion import FrameMotion, MotionTable, judged_at
from TSPOQuantLib.alignment.transform_files import read_transform
from TSPOQuantLib.alignment.visits import LevelTransform, VisitAlignment, _half_extent
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.regions.carry import carry_segmentation, level_points
from TSPOQuantLib.regions.region import regions_of
from TSPOQuantLib.reporting.figures import fused_figure, motion_figure, png, round_top
from TSPOQuantLib.reporting.fused_files import read_fused_images, write_fused_images
from TSPOQuantLib.reporting.fused_pictures import fused_pictures

LEFT, RIGHT = "foramen C6/C7 left (root C7)", "foramen C6/C7 right (root C7)"
drawing = unittest.skipUnless(importlib.util.find_spec("matplotlib"), "matplotlib is not installed")


def grid(shape, spacing, center=(0.0, 0.0, 0.0)):
    matrix = np.diag([spacing] * 3 + [1.0])
    matrix[:3, 3] = np.array(center) - spacing * (np.array(shape[::-1]) - 1) / 2
    return Grid(shape, matrix)


def points(on):
    k, j, i = np.indices(on.shape)
    return on.to_lps(np.stack([i, j, k], axis=-1).astype(float))


def ball(on, center, radius):
    return np.linalg.norm(points(on) - center, axis=-1) < radius


CENTERS = {LEFT: (16.0, 2.0, 0.0), RIGHT: (-16.0, 2.0, 0.0), "cord C7": (0.0, 10.0, 0.0)}


def drawn(on):
    colors = ((1.0, 0.4, 0.1), (1.0, 0.8, 0.3), None)
    segments = [
        Segment(f"s{n}", name, ball(on, center, 5.0), color)
        for n, ((name, center), color) in enumerate(zip(CENTERS.items(), colors, strict=True))
    ]
    return Segmentation(on, tuple(segments))


def visit(session="baseline", hot=12.0, weight_kg=80.0):
    """Two foramina of which the left one is hot, in a large field."""
    on_pet, on_ct = grid((30, 60, 60), 4.0), grid((60, 120, 120), 2.0)
    level = np.where(ball(on_pet, CENTERS[LEFT], 6.0), hot, 2.0)
    timing = FrameTiming(np.array([0.0, 60.0, 660.0]), np.array([60.0, 600.0, 300.0]))
    activity = np.stack([0.1 * level, level, 4 * level]).astype(np.float32)
    scan = Scan(injected_mbq=400.0, weight_kg=weight_kg)
    image = DynamicImage(activity, on_pet, timing, "injection", None, "simulated", scan)
    ct = Volume(np.linspace(-200.4, 800.4, np.prod(on_ct.shape), dtype=np.float32).reshape(on_ct.shape), on_ct, "HU")
    reach = np.array([[-21.0, -3, -5], [21, 15, 5]])
    return image, fused_images(image, ct, drawn(grid((40, 60, 60), 1.0)), reach, None, "p1", session), ct


class FusedImagesTest(unittest.TestCase):
    def test_neck_around_the_regions(self):
        image, found, ct = visit()
        self.assertEqual(found.frames, (1, 2))
        np.testing.assert_allclose(found.pet.values.max(), 12 * (600 + 4 * 300) / 900, rtol=1e-5)
        self.assertAlmostEqual(found.suv_per_kbq_ml, 80.0 / 400.0)
        for volume, whole in ((found.ct, ct), (found.pet, image)):
            corner = whole.grid.to_ijk(volume.grid.to_lps(np.zeros(3))).round(6)
            self.assertTrue((corner == corner.round()).all(), "on voxels of the original")
            self.assertLess(np.prod(volume.grid.shape), np.prod(whole.grid.shape))
            low, high = volume.grid.to_lps(np.zeros(3)), volume.grid.to_lps(np.array(volume.grid.shape[::-1]) - 1.0)
            self.assertTrue((low <= (-60, -40, -40)).all() and (high >= (60, 50, 40)).all())
        self.assertIsNone(suv_per_kbq_ml(replace(image, scan=Scan(injected_mbq=400.0))))
        self.assertIsNone(suv_per_kbq_ml(replace(image, time_zero="first frame")))

    def test_comes_back_from_its_files(self):
        _, found, _ = visit()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with self.assertRaisesRegex(InputRefused, "fused-missing.*with its CT"):
                read_fused_images(folder)
            write_fused_images(folder, "sub-p1_ses-baseline_", found)
            back = read_fused_images(folder)
            np.testing.assert_allclose(back.ct.values, found.ct.values, atol=0.501)
            np.testing.assert_array_equal(back.pet.values, found.pet.values)
            self.assertTrue(back.ct.grid.same_as(found.ct.grid) and back.pet.grid.same_as(found.pet.grid))
            self.assertEqual((back.frames, back.session, back.suv_per_kbq_ml), ((1, 2), "baseline", 0.2))
            for was, comes in zip(found.regions.segments, back.regions.segments, strict=True):
                self.assertEqual(was.name, comes.name)
                np.testing.assert_array_equal(was.mask, comes.mask)
            about = next(folder.glob("*desc-mean_pet.json"))
            about.write_text(about.read_text().replace("Frames", "Pictures"))
            with self.assertRaisesRegex(InputRefused, "fused-unreadable"):
                read_fused_images(folder)


class PicturesTest(unittest.TestCase):
    def test_visits_share_one_scale_and_sides_are_named(self):
        before, after = visit()[1], visit("followup", hot=6.0, weight_kg=100.0)[1]
        pictures = fused_pictures([before, after], [LEFT], size_mm=80.0)
        self.assertEqual(
            [(p.session, p.region, p.unit) for p in pictures], [(s, LEFT, "SUV") for s in ("baseline", "followup")]
        )
        self.assertEqual({p.top for p in pictures}, {5.0})  # 24 kBq/mL are 4.8 SUV
        self.assertEqual({p.edges for p in pictures}, {("R", "L", "A", "P")})
        middle = [p.rgba[250:262, 250:262, :3].astype(float).mean(axis=(0, 1)) for p in pictures]
        self.assertGreater(middle[0].sum(), middle[1].sum() + 30, "hotter is brighter")
        doses = fused_pictures([before, replace(after, suv_per_kbq_ml=None)], [LEFT])
        self.assertEqual({(p.unit, p.top) for p in doses}, {("kBq/mL", 25.0)})

    def test_outlines_lie_where_the_regions_are(self):
        (picture,) = fused_pictures([visit()[1]], [LEFT], size_mm=80.0, top=5.0)
        ink = np.rint(255 * np.array((1.0, 0.4, 0.1)))
        rows, columns = np.nonzero((picture.rgba[..., :3] == ink).all(axis=2))
        millimeters = (np.stack([columns, 512 - 1 - rows]) / 512 - 0.5) * 80.0
        radius = np.hypot(*millimeters)
        self.assertTrue(((radius > 4.1) & (radius < 5.4)).all(), (radius.min(), radius.max()))
        # The other foramen's lies 32 mm to the patient's right, which is on the left.
        rows, columns = np.nonzero((picture.rgba[..., :3] == np.rint(255 * np.array((1.0, 0.8, 0.3)))).all(axis=2))
        self.assertAlmostEqual((columns.mean() / 512 - 0.5) * 80.0, -32.0, delta=0.5)

    def test_a_foramen_is_found_again_under_another_name(self):
        before, after = visit()[1], visit("followup")[1]
        renamed = tuple(replace(s, name=s.name.replace(" (root C7)", "")) for s in after.regions.segments)
        after = replace(after, regions=replace(after.regions, segments=renamed))
        found = fused_pictures([before, after], [LEFT], plane="across canal")
        self.assertEqual([p.region for p in found], [LEFT, "foramen C6/C7 left"])
        only = replace(after, regions=replace(after.regions, segments=renamed[1:]))
        self.assertEqual([p.session for p in fused_pictures([before, only], [LEFT])], ["baseline"])
        with self.assertRaisesRegex(InputRefused, "region-missing"):
            fused_pictures([before, after], ["foramen C3/C4 left"])

    def test_ends_of_scales_are_easy_to_read(self):
        self.assertEqual([round_top(v) for v in (4.8, 24.0, 0.11, 1.0, 8.1)], [5.0, 25.0, 0.12, 1.0, 10.0])

    @drawing
    def test_figures_are_the_same_at_every_run(self):
        pictures = fused_pictures([visit()[1], visit("followup")[1]], [LEFT, RIGHT])
        timing = FrameTiming(np.array([0.0, 60, 360]), np.array([60.0, 300, 600]))
        table = MotionTable(
            np.ones((3, 3)),
            np.zeros((3, 3)),
            np.array([0.0, 4.0, 1.0]),
            np.full(3, 0.1),
            (2,),
            np.tile(np.eye(4), (3, 1, 1)),
        )
        for draw in (lambda: fused_figure(pictures), lambda: motion_figure(table, timing)):
            first = png(draw())
            self.assertTrue(first.startswith(b"\x89PNG"))
            self.assertEqual(first, png(draw()))
        with self.assertRaises(ValueError):
            fused_figure([pictures[0], replace(pictures[1], top=1.5)])


class FolderTest(unittest.TestCase):
    """quantify keeps its alignment as a table, transforms, and what pictures are drawn from."""

    def test_quantify_keeps_what_it_did(self):
        with tempfile.TemporaryDirectory() as name:
            study = tinystudy.DicomVisit().write(Path(name) / "in")
            study.write_text(study.read_text().replace('"none"', '"frames"\nmotion_reference = [17, 18]', 1))
            out = Path(name) / "out"
            record = tinystudy.quantified(study, out)
            frames = len(EDGES_S) - 1
            files = sorted((out / "transforms").iterdir())
            self.assertEqual(len(files), frames)
            np.testing.assert_allclose(read_transform(files[3]), record.motion.matrices[3], atol=1e-9)
            with next(out.glob("*_desc-motion_timeseries.tsv")).open() as file:
                rows = list(csv.DictReader(file, delimiter="\t"))
            self.assertEqual([row["frame"] for row in rows], [str(n + 1) for n in range(frames)])
            self.assertEqual({row["beyond_limit"] for row in rows}, {"0"})
            about = json.loads(next(out.glob("*_desc-motion_timeseries.json")).read_text())
            self.assertEqual(about["ReferenceFrames"], [17, 18])
            (picture,) = fused_pictures([out], [tinystudy.LEFT], size_mm=40.0)
            self.assertEqual((picture.session, picture.region), ("baseline", tinystudy.LEFT))


class LargeMotionTest(unittest.TestCase):
    def test_is_told_where_it_matters(self):
        turn = np.eye(4)
        turn[:2, :2] = [[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]]
        motion = FrameMotion(np.array([np.eye(4), turn]), (0,))
        self.assertEqual(judged_at(motion, np.zeros((1, 3))).notices, ())
        far = judged_at(motion, np.array([[50.0, 0, 0]]))
        self.assertRegex(far.notices[0].message, r"^frame 2 moved by more than 3 mm \(up to 5.0 mm\)")
        self.assertEqual(judged_at(far, np.zeros((1, 3))).notices, ())


class CarriedTest(unittest.TestCase):
    def test_how_far_an_image_reaches_whatever_order_its_axes_have(self):
        image = sitk.Image([10, 20, 30], sitk.sitkUInt8)
        image.SetSpacing((1.0, 2.0, 3.0))
        image.SetDirection((0, 0, -1, 1, 0, 0, 0, 1, 0))  # sagittal: i runs front to back, j up, k to the right
        np.testing.assert_allclose(_half_extent(image), (45.0, 5.0, 20.0))

    def test_segments_land_with_their_levels_and_say_so(self):
        on = grid((80, 60, 60), 1.0)
        names = {"foramen C6/C7 left": (12.0, 0, -20), "foramen C4/C5 left": (12.0, 0, 20)}
        segments = [Segment(n, n, ball(on, center, 4.0), None, {"mine": "kept"}) for n, center in names.items()]
        pole = (np.hypot(*(points(on)[..., :2] + (10, 0)).transpose(3, 0, 1, 2)) < 4) & (abs(points(on)[..., 2]) < 30)
        segments += [Segment("pool", "blood pool", pole), Segment("empty", "cord C7", np.zeros(on.shape, bool))]
        segmentation = Segmentation(on, tuple(segments))
        levels = level_points(regions_of(segmentation))
        self.assertEqual(set(levels), {"C6/C7", "C4/C5"})

        def shifted(x):
            matrix = np.eye(4)
            matrix[0, 3] = x
            return matrix

        alignment = VisitAlignment(
            np.eye(4),
            tuple(
                LevelTransform(n, shifted(x), levels[n].mean(axis=0), 0.4, 0.9)
                for n, x in (("C6/C7", 2.0), ("C4/C5", -3.0))
            ),
        )
        found = carry_segmentation(segmentation, alignment, on, "baseline")
        self.assertEqual(found.notices[-1].code, "regions-carried")
        self.assertIn("baseline", found.notices[-1].message)
        for region, x in zip(regions_of(found)[:2], (2.0, -3.0), strict=True):
            self.assertEqual(region.carried_from, "baseline")
            center = region.grid.to_lps(np.argwhere(region.mask).mean(axis=0)[::-1])
            np.testing.assert_allclose(center, np.add(names[region.name], (x, 0, 0)), atol=0.3)
        self.assertEqual(found.segments[0].tags, {"mine": "kept", "TSPOQuant.CarriedFrom": "baseline"})
        below, above = points(on)[..., 2] < -2, points(on)[..., 2] > 2
        for half, x in ((below, 2.0), (above, -3.0)):
            middle = points(on)[found.segments[2].mask & half].mean(axis=0)
            self.assertAlmostEqual(middle[0], -10 + x, delta=0.3)
        self.assertAlmostEqual(found.segments[2].mask.sum() / pole.sum(), 1.0, delta=0.02)
        self.assertFalse(found.segments[3].mask.any())
        self.assertNotIn("regions-carried-cut", [notice.code for notice in found.notices])
        for low in (0, 20):  # a CT that ends within what is carried, and one that ends before all of one region
            matrix = on.ijk_to_lps.copy()
            matrix[:3, 3] = on.to_lps(np.array([0.0, 0.0, low + 20.0]))
            upper = carry_segmentation(segmentation, alignment, Grid((60 - low, 60, 60), matrix), "baseline")
            told = {notice.code: notice.message for notice in upper.notices}["regions-carried-cut"]
            self.assertIn("'foramen C6/C7 left'", told)
            self.assertNotIn("C4/C5", told)
        self.assertEqual(level_points([]), {})


if __name__ == "__main__":
    unittest.main()
