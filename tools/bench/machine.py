"""The machine: its name, how CPU time is taken on it, and the limits that no program on it can pass."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CPU_INFO = Path("/proc/cpuinfo")
READ_VOXELS = 4096
# OpenBLAS starts threads above 4 x 65536 multiplications; these blocks stay below, within a core's cache.
PRODUCT_VOXELS = 512


def processor() -> str:
    """The processor's name as Linux or Python tells it."""
    if CPU_INFO.is_file():
        for line in CPU_INFO.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def best_cpu_s(work: Callable[[], object], repeats: int) -> float:
    """The least CPU time of ``repeats`` runs, in seconds, summed over all threads of this process.

    The least, because other programs on the machine can only add to it.
    """
    taken = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return min(taken)


def child_environment() -> dict[str, str]:
    """Of a process of our own Python that finds what we find, and keeps what it compiles as an installed one does."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    compiled = os.environ.get("PYTHONPYCACHEPREFIX") or str(Path(tempfile.gettempdir()) / "tspoquant-bench-compiled")
    return {**kept, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONPYCACHEPREFIX": compiled}


def child_cpu_s(arguments: Sequence[str], repeats: int) -> float:
    """The least CPU time of ``repeats`` runs of a process of our own Python, in seconds."""
    taken = []
    for _ in range(repeats):
        before = os.times()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=child_environment())
        after = os.times()
        taken.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(taken)


def read_once(voxels: NDArray[np.float32]) -> float:
    """Every value of (frames, voxels) read once, in blocks of voxels as the maps do."""
    return float(sum(voxels[:, n : n + READ_VOXELS].sum() for n in range(0, voxels.shape[1], READ_VOXELS)))


def product_once(voxels: NDArray[np.float32]) -> None:
    """A (frames, frames) float32 matrix times (frames, voxels): 2 frames² operations a voxel, what any linear
    map of all frames to as many needs; on one thread."""
    frames = len(voxels)
    matrix = np.full((frames, frames), 1 / frames, dtype=np.float32)
    result = np.empty((frames, PRODUCT_VOXELS), dtype=np.float32)
    for n in range(0, voxels.shape[1], PRODUCT_VOXELS):
        block = voxels[:, n : n + PRODUCT_VOXELS]
        np.matmul(matrix, block, out=result[:, : block.shape[1]])
