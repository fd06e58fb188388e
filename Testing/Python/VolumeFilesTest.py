"""Volume files: what SimpleITK reads of whole ones; cut, damaged, overlong and misplaced ones are refused by name."""

import gzip
import json
import struct
import unittest
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from support.folders import Folder
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.acquisition.dicom import read_ct, read_dynamic_pet
from TSPOQuantLib.acquisition.frame_of_reference import check_placed
from TSPOQuantLib.acquisition.image import Scan, Volume
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.acquisition.segmentation_files import read_segmentation, write_segmentation
from TSPOQuantLib.acquisition.tables import read_json
from TSPOQuantLib.acquisition.volume_files import read_grid, read_volume
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.messages import InputRefused

SHAPE = (3, 4, 5)
FRAMES = 4
TURN = 0.3
DIRECTION = (np.cos(TURN), -np.sin(TURN), 0, np.sin(TURN), np.cos(TURN), 0, 0, 0, 1)
PACKED = (".nii.gz", "-packed.nrrd", "-packed.mha")
KINDS = (".nii", ".nrrd", ".mha", *PACKED)
TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")
SIDECAR = {
    "FrameTimesStart": [0, 60, 120, 300],
    "FrameDuration": [60, 60, 180, 600],
    "Units": "kBq/mL",
    "TracerRadionuclide": "C11",
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 0,
    "InjectionStart": 0,
}


def image_of(values):
    """A SimpleITK image of (k, j, i) or (frames, k, j, i), turned and off the origin."""
    volumes = [sitk.GetImageFromArray(volume) for volume in (values if values.ndim == 4 else values[None])]
    for volume in volumes:
        volume.SetSpacing((2.0, 1.5, 3.0))
        volume.SetOrigin((-31.0, 17.0, 40.0))
        volume.SetDirection(DIRECTION)
    return sitk.JoinSeries(volumes) if values.ndim == 4 else volumes[0]


def random(shape, kind="f4"):
    return (np.random.default_rng(1).random(shape) * 100 + 1).astype(kind)


class VolumeFolder(Folder):
    def written(self, values, ending=".nii"):
        path = self.folder / f"x{ending}"
        sitk.WriteImage(image_of(values), str(path), "packed" in ending)
        return path

    def refused(self, codes, call, *arguments):
        with self.assertRaises(InputRefused) as caught:
            call(*arguments)
        self.assertIn(caught.exception.code, codes.split())
        return caught.exception.message


class WholeFileTest(VolumeFolder):
    def same(self, path):
        """What we read is what SimpleITK reads."""
        image = sitk.ReadImage(str(path))
        found = read_volume(path)
        np.testing.assert_array_equal(found.values, sitk.GetArrayFromImage(image))
        axes = image.GetDimension()
        corner = image.TransformContinuousIndexToPhysicalPoint([2.0, 3.0, 1.0, 0.0][:axes])
        np.testing.assert_allclose(found.grid.to_lps(np.array([2.0, 3.0, 1.0])), corner[:3], atol=1e-4)
        self.assertEqual(found.grid.shape, SHAPE)

    def test_every_type_of_every_format(self):
        for kind in TYPES:
            for ending in KINDS:
                with self.subTest(kind=kind, ending=ending):
                    self.same(self.written(random(SHAPE, kind), ending))
            self.same(self.written(random((FRAMES, *SHAPE), kind)))

    def test_the_other_byte_order_and_scaling(self):
        stored = random(SHAPE, "i2")
        for order in "<>":
            for slope, intercept in ((0.25, -7.0), (0.0, 0.0), (1.0, 0.0), (np.nan, np.nan)):
                with self.subTest(order=order, slope=slope):
                    path = self.folder / "y.nii"
                    path.write_bytes(nifti_bytes(stored, order, slope, intercept))
                    scaled = stored * slope + intercept if slope == 0.25 else stored  # 0 and NaN: not scaled
                    np.testing.assert_array_equal(read_volume(path).values, scaled)
                    if slope == slope:
                        self.same(path)

    def test_several_gzip_members_and_a_padding_of_zeros(self):
        content = self.written(random(SHAPE)).read_bytes()
        path = self.folder / "members.nii.gz"
        path.write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]) + bytes(512))
        np.testing.assert_array_equal(read_volume(path).values, random(SHAPE))

    def test_an_axis_that_holds_nothing(self):
        path = self.written(random((1, *SHAPE)))
        self.assertEqual(read_volume(path).values.shape, SHAPE)

    def test_an_empty_axis_before_time(self):
        """As some converters write it: x, y, z, 1, time; for SimpleITK an image of five dimensions."""
        values = random((FRAMES, *SHAPE))
        for empty in (1, 2):
            for packed in (False, True):
                path = self.written(values)
                content = bytearray(path.read_bytes())
                struct.pack_into("<8h", content, 40, 4 + empty, *SHAPE[::-1], *[1] * empty, FRAMES, *[1] * (3 - empty))
                struct.pack_into("<8f", content, 76, 1, 2.0, 1.5, 3.0, 1, 1, 1, 1)
                path = self.folder / f"five.nii{'.gz' if packed else ''}"
                path.write_bytes(gzip.compress(content) if packed else content)
                read = read_volume(path)
                np.testing.assert_array_equal(read.values, values)
                self.assertTrue(read.grid.same_as(read_volume(self.written(values)).grid))
                (self.folder / "five.json").write_text(json.dumps(SIDECAR))
                np.testing.assert_allclose(read_dynamic_pet(path).activity, values, rtol=1e-6)
                struct.pack_into("<8h", content, 40, 5, *SHAPE[::-1], 2, 2, 1, 1)
                path.write_bytes(gzip.compress(content) if packed else content)
                self.refused("nifti-dimensions", read_volume, path)

    def test_nan_stays_nan(self):
        values = random(SHAPE)
        values[1, 2, 3], values[0, 0, 0] = np.nan, np.inf
        for ending in KINDS:
            np.testing.assert_array_equal(read_volume(self.written(values, ending)).values, values)


class DamagedFileTest(VolumeFolder):
    def reads(self, ending):
        """A written file, and every way in which the program reads it."""
        yield self.written(random(SHAPE), ending), (read_ct, read_volume)
        labels = np.zeros(SHAPE, np.uint8)
        labels[1:, 2:, 3:] = 1
        if "mha" not in ending:
            yield self.written(labels, ending), (read_segmentation,)

    def test_cut_overlong_and_flipped(self):
        for ending in KINDS:
            for path, readers in self.reads(ending):
                whole = path.read_bytes()
                for part in (0.2, 0.5, 0.95, 0.99):
                    path.write_bytes(whole[: int(len(whole) * part)])
                    for reader in readers:
                        self.refused("nifti-truncated nifti-unreadable segmentation-unreadable", reader, path)
                for surplus in (b"x", b"some other text", bytes(9000), whole):
                    path.write_bytes(whole + surplus)
                    if surplus.strip(b"\0") or ending not in PACKED:
                        for reader in readers:
                            self.refused("nifti-surplus segmentation-unreadable", reader, path)

    def test_no_flipped_byte_of_packed_voxels_gives_other_values(self):
        values = random(SHAPE, "i2")
        for ending in PACKED:
            path = self.written(values, ending)
            whole = path.read_bytes()
            wrong = 0
            for at in range(len(whole) - 60, len(whole)):
                path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
                try:
                    np.testing.assert_array_equal(read_volume(path).values, values)
                except InputRefused:
                    wrong += 1
            self.assertGreaterEqual(wrong, 55, ending)

    def test_segmentation_of_layers(self):
        first, second = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
        first[:2], second[1:] = True, True
        path = self.folder / "r.seg.nrrd"
        grid = Grid(SHAPE, np.eye(4))
        write_segmentation(path, Segmentation(grid, (Segment("a", "a", first), Segment("b", "b", second))))
        np.testing.assert_array_equal(read_segmentation(path).segments[1].mask, second)
        whole = path.read_bytes()
        for changed in (whole[:-5], whole[:-1], whole + b"x", whole[:-6] + b"\x01" + whole[-5:]):
            path.write_bytes(changed)
            self.refused("segmentation-unreadable", read_segmentation, path)
        path.write_bytes(whole.replace(b"sizes: 2 5 4 3", b"sizes: 2 5 4 2"))
        self.refused("segmentation-unreadable", read_segmentation, path)

    def test_pointers_of_git(self):
        for name, reader in (
            ("x_pet.nii.gz", read_dynamic_pet),
            ("regions.seg.nrrd", read_segmentation),
            ("x_blood.tsv", lambda path: read_blood([path])),
            ("x.json", read_json),
            ("pet/1.dcm", lambda path: read_dynamic_pet(path.parent)),
            ("ct/1", read_ct),
        ):
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            (self.folder / "x_pet.json").write_text(json.dumps(SIDECAR))
            for text in (
                "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
                "/annex/objects/MD5E-s123--abc.nii.gz\n",
            ):
                path.write_text(text)
                self.assertIn("git", self.refused("file-pointer", reader, path))
            path.unlink()
            path.symlink_to("../.git/annex/objects/Xx/Yy/MD5E-s1--a/MD5E-s1--a")
            self.assertIn("annex", self.refused("file-pointer", reader, path))


class DynamicTest(VolumeFolder):
    def pet(self, values, ending=".nii.gz"):
        (self.folder / "x_pet.json").write_text(json.dumps(SIDECAR))
        return self.written(values, f"_pet{ending}")

    def test_not_finite(self):
        for bad in (np.nan, np.inf, -np.inf):
            for kind in ("f4", "f8"):
                values = random((FRAMES, *SHAPE), kind)
                values[2, 1, 1, 1] = bad
                said = self.refused("nifti-not-finite", read_dynamic_pet, self.pet(values))
                self.assertIn("frame 3", said)
        volume = random(SHAPE)
        volume[0, 0, 0] = np.nan
        for ending in KINDS:
            self.refused("nifti-not-finite", read_ct, self.written(volume, ending))

    def test_cut(self):
        path = self.pet(random((FRAMES, *SHAPE)), ".nii")
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * 0.95)])
        self.refused("nifti-truncated", read_dynamic_pet, path)
        packed = path.with_name("x_pet.nii.gz")
        for whole in (content, content[:-200]):
            stream = gzip.compress(whole)
            for part in (0.5, 0.7, 0.99):
                packed.write_bytes(stream[: int(len(stream) * part)])
                self.refused("nifti-truncated", read_dynamic_pet, packed)
        packed.write_bytes(gzip.compress(content)[:-6] + b"\0\0\0\0\0\0")
        self.refused("nifti-damaged", read_dynamic_pet, packed)


class PlaceTest(VolumeFolder):
    def file(self, qform=None, sform=None, units=2, order="<"):
        path = self.folder / "p.nii"
        path.write_bytes(nifti_bytes(random(SHAPE, "i2"), order, 1.0, 0.0, qform, sform, units))
        return path

    def test_two_placings_that_agree_or_not(self):
        scanner = np.array([[2.0, 0, 0, -20], [0, 3.0, 0, -30], [0, 0, 4.0, 5]])
        near, shifted, mirrored, template = (scanner.copy() for _ in range(4))
        near[0, 3] += 0.9  # of a voxel of 2 mm
        shifted[2, 3] += 2.2  # of 4 mm
        mirrored[0, 0], mirrored[0, 3] = -2.0, -20 + 2.0 * (SHAPE[2] - 1)
        template[:, :3] *= 1.2
        read_volume(self.file(scanner, scanner))
        read_volume(self.file(scanner, near))
        read_volume(self.file(scanner, None))
        read_volume(self.file(None, shifted))
        for other in (shifted, mirrored, template):
            for order in "<>":
                said = self.refused("nifti-orientation", read_volume, self.file(scanner, other, order=order))
                self.assertIn("voxels apart", said)
                self.refused("nifti-orientation", read_volume, self.file(other, scanner, order=order))

    def test_sizes_of_voxels_that_contradict_the_placing(self):
        scanner = np.array([[2.0, 0, 0, -20], [0, 3.0, 0, -30], [0, 0, 4.0, 5]])
        for order in "<>":
            path = self.file(None, scanner, order=order)
            stored = bytearray(path.read_bytes())
            for sizes, right in (((2.0, 3.0, 4.0), True), ((2.05, 3.0, 4.0), True), ((1.0, 1.0, 1.0), False)):
                struct.pack_into(f"{order}3f", stored, 80, *sizes)
                path.write_bytes(stored)
                if right:
                    np.testing.assert_allclose(read_grid(path).spacing_mm, sizes)
                else:
                    self.assertIn("pixdim", self.refused("nifti-orientation", read_volume, path))
                    self.refused("nifti-orientation", read_grid, path)

    def test_a_file_that_is_not_placed_is_told(self):
        self.assertEqual([notice.code for notice in read_volume(self.file()).notices], ["nifti-unplaced"])

    def test_a_nrrd_file_without_a_known_space_is_told(self):
        path = self.folder / "x.nrrd"
        sitk.WriteImage(image_of(random(SHAPE)), str(path))
        stored = path.read_bytes()
        for space, told in (
            (b"space: left-posterior-superior", []),
            (b"space: scanner-xyz", ["nifti-unplaced"]),
            (b"space dimension: 3", ["nifti-unplaced"]),
        ):
            path.write_bytes(stored.replace(b"space: left-posterior-superior", space))
            self.assertEqual([notice.code for notice in read_volume(path).notices], told, space)

    def test_a_file_that_is_not_placed_stands_beside_none_of_other_voxels(self):
        scanner = np.array([[2.0, 0, 0, -20], [0, 1.5, 0, -30], [0, 0, 3.0, 5]])
        unplaced, placed = (Volume(*self.volume(self.file(*codes))) for codes in ((), (None, scanner)))
        here, there = Path("pet.nii"), Path("regions.nii")
        for images in ([(here, unplaced), (there, placed)], [(here, placed), (there, unplaced)]):
            self.assertIn("orientation", self.refused("nifti-unplaced", check_placed, images))
        check_placed([(here, unplaced), (there, unplaced)])
        check_placed([(here, placed), (there, placed)])
        check_placed([(here, unplaced), (Path("drawn.seg.nrrd"), placed)])

    def volume(self, path):
        file = read_volume(path)
        return file.values, file.grid, "HU", Scan(), file.notices

    def test_lengths_in_another_unit(self):
        scanner = np.array([[2.0, 0, 0, -20], [0, 3.0, 0, -30], [0, 0, 4.0, 5]])
        for units, name in ((1, " m "), (3, " µm ")):
            said = self.refused("volume-unit", read_volume, self.file(scanner, None, units))
            self.assertIn(name, said)
        meters = scanner / [1000, 1000, 1000, 1000]
        self.assertAlmostEqual(read_volume(self.file(meters, None, 1)).grid.spacing_mm[0], 2.0, places=4)
        for units in (0, 2):
            read_volume(self.file(scanner, None, units))
            self.refused("volume-unit", read_volume, self.file(meters, None, units))
        image = image_of(random(SHAPE))
        for spacing in ((0.002, 0.002, 0.002), (2000.0, 2000.0, 3000.0)):
            image.SetSpacing(spacing)
            for ending in (".nrrd", ".mha"):
                sitk.WriteImage(image, str(self.folder / f"u{ending}"))
                self.refused("volume-unit", read_volume, self.folder / f"u{ending}")


def nifti_bytes(stored, order, slope, intercept, qform=None, sform=None, units=2):
    """A NIfTI-1 file of int16, field by field as nifti1.h lists them; qform and sform 3 x 4 (RAS), axis-aligned."""
    head = bytearray(352)
    pixdim = [1.0, 2.0, 1.5, 3.0, 1, 1, 1, 1]
    quaternion = [0.0] * 6
    if qform is not None:
        along = np.diag(qform[:, :3])
        pixdim[1:4] = np.abs(along)
        if along[0] < 0:  # half a turn about y reverses x and z, and qfac turns z back
            quaternion[1], pixdim[0] = 1.0, -1.0
        quaternion[3:] = qform[:, 3]
    elif sform is not None:
        pixdim[1:4] = np.abs(np.diag(sform[:, :3]))
    rows = np.zeros((3, 4)) if sform is None else sform
    for at, form, values in (
        (0, "i", [348]),
        (40, "8h", [3, *stored.shape[::-1], 1, 1, 1, 1]),
        (70, "2h", [4, 16]),
        (76, "8f", pixdim),
        (108, "3f", [352, slope, intercept]),
        (123, "B", [units]),
        (252, "2h", [int(qform is not None), int(sform is not None)]),
        (256, "6f", quaternion),
        (280, "12f", rows.ravel()),
    ):
        struct.pack_into(order + form, head, at, *values)
    head[344:348] = b"n+1\0"
    return bytes(head) + stored.astype(stored.dtype.newbyteorder(order)).tobytes()


if __name__ == "__main__":
    unittest.main()
