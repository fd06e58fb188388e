"""Whatever a DICOM folder holds, it is read rightly or refused by name: random plans, altered tags, damaged bytes."""

import json
import os
import random
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from Python.support.dicommaker import PATIENT_ID, PATIENT_NAME, PetPlan, save, write_pet
from Python.support.tiers import slow
from TSPOQuantLib.acquisition.dicom import read_dynamic_pet
from TSPOQuantLib.acquisition.inspect import describe, inspect
from TSPOQuantLib.messages import InputRefused

SMALL = PetPlan(starts_s=(0, 60, 180), durations_s=(60, 120, 300), shape=(2, 3, 4))
TEXTS = ("", "nan", "inf", "-1", "0", "1", "1e300", "-1e9", "99999999", "240000", "ÄÖ", "1\\2\\3\\4\\5\\6\\7")
ALTERED = [
    "AcquisitionDate",
    "AcquisitionTime",
    "SeriesDate",
    "SeriesTime",
    "ActualFrameDuration",
    "FrameReferenceTime",
    "DecayFactor",
    "DecayCorrection",
    "CorrectedImage",
    "Units",
    "SeriesType",
    "RescaleSlope",
    "RescaleIntercept",
    "ImagePositionPatient",
    "PixelSpacing",
    "ImageOrientationPatient",
    "Rows",
    "Columns",
    "BitsAllocated",
    "PixelRepresentation",
    "NumberOfSlices",
    "NumberOfTimeSlices",
    "ImageIndex",
    "Manufacturer",
    "PatientWeight",
    "PatientID",
    "SOPClassUID",
    "SeriesInstanceUID",
    "SliceThickness",
]
ALTERED_IN_ITEM = [
    "RadionuclideHalfLife",
    "RadionuclideTotalDose",
    "RadiopharmaceuticalStartTime",
    "RadiopharmaceuticalStartDateTime",
]


@st.composite
def plans(draw):
    """A scan of any vendor, anywhere around midnight, with gaps between its frames."""
    durations = draw(st.lists(st.sampled_from([5.0, 10.0, 12.5, 30.0, 60.0, 300.0, 599.999]), min_size=2, max_size=5))
    gaps = draw(st.lists(st.sampled_from([0.0, 0.0, 1.25, 20.0]), min_size=len(durations), max_size=len(durations)))
    scan_s = draw(st.sampled_from([0.0, 30.0, 61.5, 1800.0]))
    starts = scan_s + np.cumsum([0, *np.add(durations, gaps)[:-1]])
    return PetPlan(
        vendor=draw(st.sampled_from(["ge", "siemens", "philips"])),
        starts_s=tuple(starts),
        durations_s=tuple(durations),
        scan_s=scan_s,
        shape=(draw(st.integers(2, 3)), 2, 3),
        correction=draw(st.sampled_from(["START", "ADMIN", "NONE"])),
        injection=datetime(2024, 2, 28, draw(st.sampled_from([0, 9, 23])), draw(st.integers(0, 59))),
        half_life_s=draw(st.sampled_from([1220.4, 6586.2])),
        seed=draw(st.integers(0, 99)),
        edit=draw(st.sampled_from([as_written, without_code])),
    )


def as_written(header, frame, k):
    """Whichever half-life was drawn: neither a code nor a name says which nuclide it is."""
    item = header.RadiopharmaceuticalInformationSequence[0]
    del item.RadionuclideCodeSequence
    item.Radiopharmaceutical = "DPA"


def without_code(header, frame, k):
    as_written(header, frame, k)
    del header.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime


@slow
@settings(max_examples=60, deadline=None)
@given(plans())
def test_any_plan_comes_back(plan):
    with tempfile.TemporaryDirectory() as folder:
        truth = write_pet(Path(folder), plan)
        image = read_dynamic_pet(Path(folder))
    np.testing.assert_allclose(image.timing.starts_s, plan.starts_s, atol=1e-3)
    np.testing.assert_allclose(image.timing.durations_s, plan.durations_s, atol=1e-3)
    np.testing.assert_allclose(image.activity, truth, rtol=1e-6)


def read_or_refuse(folder: Path):
    """The image, or None when it was refused; nothing else may be raised, and nobody named."""
    try:
        shown = inspect(folder)
        told = json.dumps(shown, allow_nan=False) + describe(shown)
    except InputRefused as reason:
        told = str(reason)
    for secret in (*PATIENT_NAME.split("^"), PATIENT_ID):
        assert secret not in told
    try:
        image = read_dynamic_pet(folder)
    except InputRefused as reason:
        assert reason.code
        assert reason.code == reason.code.lower()
        assert len(reason.message) > 20
        return None
    assert np.isfinite(image.activity).all()
    return image


@slow
def test_altered_tags_are_refused_or_harmless(tmp_path):
    """300 times one attribute of one file, or of all, is absent or absurd. A clock may not be wrong in silence."""
    chooser = random.Random(11)
    truth = write_pet(tmp_path / "whole", SMALL)
    names = sorted(file.name for file in (tmp_path / "whole").iterdir())
    for case in range(300):
        folder = tmp_path / str(case)
        folder.mkdir()
        keyword, value = chooser.choice(ALTERED + ALTERED_IN_ITEM), chooser.choice((None, *TEXTS))
        one = chooser.choice([None, *names])
        for name in names:
            target = folder / name
            source = tmp_path / "whole" / name
            if one not in (None, name):
                target.hardlink_to(source)
                continue
            changed = dcmread(source)
            altered(changed, keyword, value)
            changed.save_as(target)
        image = read_or_refuse(folder)
        if image is None or one is None:
            continue
        # One file out of six was altered, and the series was accepted: it must be what it was.
        assert image.activity.shape == truth.shape
        if keyword not in ("RescaleSlope", "RescaleIntercept", "PixelRepresentation"):
            np.testing.assert_allclose(image.timing.starts_s, SMALL.starts_s, atol=0.5, err_msg=f"{keyword} {value}")
            np.testing.assert_allclose(image.activity, truth, rtol=1e-3, err_msg=f"{keyword} {value}")


def altered(header, keyword, value):
    target = header.RadiopharmaceuticalInformationSequence[0] if keyword in ALTERED_IN_ITEM else header
    if value is None:
        delattr(target, keyword)
    elif target[keyword].VR == "US":
        target[keyword].value = len(value) * 7919 % 2**16
    else:
        target.add_new(keyword, "LO", value)  # a text VR takes any text, as a careless writer does


def test_damaged_bytes_never_crash(tmp_path):
    chooser = random.Random(12)
    write_pet(tmp_path, SMALL)
    files = sorted(tmp_path.iterdir())
    whole = {file: file.read_bytes() for file in files}
    for _ in range(150):
        file = chooser.choice(files)
        content = bytearray(whole[file])
        for _ in range(chooser.choice((1, 3, 30))):
            content[chooser.randrange(len(content))] = chooser.randrange(256)
        if chooser.random() < 0.3:
            content = content[: chooser.randrange(len(content))]
        file.write_bytes(content)
        read_or_refuse(tmp_path)
        file.write_bytes(whole[file])
    assert read_or_refuse(tmp_path) is not None


MEASURED = """
import json, re, sys
from pathlib import Path
from TSPOQuantLib.acquisition.dicom import read_dynamic_pet
peak = lambda: int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
before = peak()
image = read_dynamic_pet(Path(sys.argv[1]))
print(json.dumps([peak() - before, image.activity.nbytes]))
"""


@slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is read from /proc")
def test_hundreds_of_files_take_little_memory(tmp_path):
    """24 frames of 28 slices: at most 1.5 times the array in memory."""
    durations = (10.0,) * 12 + (60.0,) * 6 + (300.0,) * 6
    starts = tuple(np.cumsum([0, *durations[:-1]]))
    write_pet(tmp_path, PetPlan(starts_s=starts, durations_s=durations, shape=(28, 128, 128)))
    assert len(list(tmp_path.iterdir())) == 672
    library = Path(__file__).parents[2] / "TSPOQuant"
    run = subprocess.run(
        [sys.executable, "-c", MEASURED, tmp_path],
        env={**os.environ, "PYTHONPATH": str(library)},
        capture_output=True,
        check=True,
    )
    grown, size = json.loads(run.stdout)
    assert grown < 1.5 * size


def test_saving_keeps_the_maker_honest(tmp_path):
    """A file written twice is the same file: what the tests alter is what they say they alter."""
    write_pet(tmp_path, SMALL)
    file = next(tmp_path.iterdir())
    header = dcmread(file)
    save(header, tmp_path / "again.dcm")
    assert dcmread(tmp_path / "again.dcm") == header
