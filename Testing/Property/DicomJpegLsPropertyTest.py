"""JPEG-LS slices; not a test for Slicer, whose own JPEG-LS library and pydicom's encoder do not share a process."""

from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless
from Python.support.dicommaker import PetPlan, write_pet
from TSPOQuantLib.acquisition.dicom import read_dynamic_pet


def test_jpeg_ls_gives_the_same_values(tmp_path: Path) -> None:
    plan = PetPlan(starts_s=(0, 60), durations_s=(60, 60), shape=(2, 6, 8))
    truth = write_pet(tmp_path, plan)
    for file in tmp_path.iterdir():
        slice_ = dcmread(file)
        slice_.PixelRepresentation = 0
        slice_.compress(JPEGLSLossless, generate_instance_uid=False)
        slice_.save_as(file, enforce_file_format=True)
    np.testing.assert_allclose(read_dynamic_pet(tmp_path).activity, truth, rtol=1e-6)
