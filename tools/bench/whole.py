"""Whole runs in processes of their own: a simulated visit quantified, and what memory an image takes by its size."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .machine import child_cpu_s, child_environment
from .problem import DURATIONS_S, Size

TIMES = (1, 2, 4)
"""As many slices as ``Size.shape`` says, and twice and four times as many."""

READ_AND_MAP = """
import json, re, sys, time
from pathlib import Path
import numpy as np
from TSPOQuantLib.acquisition.nifti import read_dynamic_nifti
from TSPOQuantLib.input_function import InputFunction
from TSPOQuantLib.kinetics import FitOptions, make_maps
def peak():
    return 1024 * int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
plasma = np.array([0.0, 50.0, 5.0, 1.0])
source = InputFunction(np.array([0.0, 30.0, 600.0, 6000.0]), plasma, plasma)
before, begin = peak(), time.process_time()
image = read_dynamic_nifti(Path(sys.argv[1]))
make_maps("Logan", image.timing, image.activity, source, FitOptions(tstar_s=1200.0))
print(json.dumps([peak() - before, time.process_time() - begin]))
"""


@dataclass(frozen=True)
class Taken:
    """Of one image: voxels, peak memory in bytes beyond the program's own, CPU seconds to read it and map V_T."""

    voxels: int
    bytes: int
    cpu_s: float


def memory(folder: Path, size: Size) -> list[Taken]:
    """Reading and Logan map of made files, at each of ``TIMES`` the size."""
    found = []
    for times in TIMES:
        path = folder / f"made-{times}_pet.nii"
        _write_image(path, (times * size.shape[0], *size.shape[1:]))
        done = subprocess.run(
            [sys.executable, "-c", READ_AND_MAP, str(path)],
            check=True,
            capture_output=True,
            text=True,
            env=child_environment(),
        )
        peak, cpu_s = json.loads(done.stdout)
        found.append(Taken(times * int(np.prod(size.shape)), peak, cpu_s))
        path.unlink()
    return found


def _write_image(path: Path, shape: tuple[int, int, int]) -> None:
    """A dynamic image (k, j, i) in int16 with its sidecar."""
    rng = np.random.default_rng(1)
    frames = [sitk.GetImageFromArray(rng.integers(500, 1500, shape, dtype=np.int16)) for _ in DURATIONS_S]
    sitk.WriteImage(sitk.JoinSeries(frames), str(path))
    starts = np.cumsum(DURATIONS_S) - DURATIONS_S
    sidecar = {
        "FrameTimesStart": starts.tolist(),
        "FrameDuration": DURATIONS_S.tolist(),
        "Units": "kBq/mL",
        "TimeZero": "10:00:00",
        "ScanStart": 0,
        "InjectionStart": 0,
        "TracerName": "made",
        "TracerRadionuclide": "C11",
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
    }
    path.with_suffix(".json").write_text(json.dumps(sidecar))


def memory_text(taken: Sequence[Taken]) -> str:
    """One sentence: both stay the same a voxel, however large the image is."""
    sizes = ", ".join(f"{one.voxels:,}" for one in taken)
    each = ", ".join(f"{one.bytes / one.voxels:.0f}" for one in taken)
    times = ", ".join(f"{one.cpu_s / one.voxels * 1e6:.2f}" for one in taken)
    return (
        f"Memory: a made NIfTI of {sizes} voxels × {len(DURATIONS_S)} frames, read and mapped by Logan, takes {each} "
        f"bytes a voxel at its peak, beyond the program's own, and {times} µs."
    )


def visit_cpu_s(folder: Path) -> tuple[float, float]:
    """CPU seconds to quantify one visit of the simulated neck, and the same with all regions corrected by GTM."""
    program = ("-m", "TSPOQuantLib.cli")
    child_cpu_s((*program, "phantom", "--out", str(folder)), 1)
    plain = min(folder.glob("*/study.toml"))
    text = plain.read_text().replace("[pet]\n", "[pet]\nfwhm_mm = 5.0\n")
    corrected = plain.with_name("corrected.toml")
    corrected.write_text(text.replace("[segmentation]\n", '[segmentation]\npvc = "GTM"\n'))
    taken = [
        child_cpu_s((*program, "quantify", str(study), "--out", str(folder / study.stem)), 1)
        for study in (plain, corrected)
    ]
    return taken[0], taken[1]
