"""Other programs on the same data: in an environment of their own, as a process of their own, on one thread."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from TSPOQuantLib.messages import InputRefused

from .problem import Problem, Size

# From the Python package index, the newest of each in November 2026. petpal needs Python 3.12.
PINNED = ("petpal==0.7.1", "niftypad==2.0.0", "vpet-abc==0.1.6")
SIMULATED_VOXELS = 64
"""vPET-ABC compares 200,000 simulated curves with every voxel: a few voxels tell its time."""
SCRIPT = Path(__file__).with_name("peer_script.py")
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True)
class Peer:
    """A program, or a plain way of doing it, on one of our tasks.

    items: how many voxels, curves or files it did in ``cpu_s``. vt_off: median relative error of its V_T, nan where it
    was not asked.
    """

    task: str
    name: str
    cpu_s: float
    items: int
    vt_off: float = np.nan

    @property
    def each_us(self) -> float:
        return self.cpu_s / self.items * 1e6


def environment() -> Path:
    """The Python of an environment that holds the peers, made below the user's cache folder on first use (2 GB).

    One that cannot be installed is left out; why stands in the file ``NAME.failed``. Raises InputRefused
    ("peers-python", "peers-install").
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "tspoquant" / "peers-3.12"
    python, stamp = folder / "bin" / "python", folder / "installed"
    if stamp.is_file() and stamp.read_text().split() == list(PINNED):
        return python
    base = sys.executable if sys.version_info[:2] == (3, 12) else shutil.which("python3.12")
    if base is None:
        raise InputRefused("peers-python", "petpal needs Python 3.12; install it, or leave the peers out")
    failed = [_failure([base, "-m", "venv", str(folder)])]
    for peer in PINNED if not failed[0] else ():
        failed.append(_failure([str(python), "-m", "pip", "install", "-q", peer]))
        if failed[-1]:
            (folder / f"{peer.partition('==')[0]}.failed").write_text(failed[-1])
    if failed[0] or all(failed[1:]):
        raise InputRefused(
            "peers-install",
            "{folder}: {reason}; check the network, or leave the peers out",
            folder=folder,
            reason=failed[0] or failed[-1],
        )
    stamp.write_text("\n".join(PINNED))
    return python


def _failure(command: Sequence[str]) -> str:
    """The last line of why a command failed; empty where it did not."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stderr.strip().splitlines() or ["no reason given"])[-1] if done.returncode else ""


def measure(
    problem: Problem, size: Size, tstar_s: float, folder: Path
) -> tuple[tuple[Peer, ...], dict[str, str], dict[str, str]]:
    """What the peers take, the versions of what they run on, and why a peer is missing; folder: for the data, handed
    over as files.

    Raises InputRefused ("peers-…").
    """
    python = environment()
    voxels = np.ascontiguousarray(np.moveaxis(problem.activity, 0, -1))  # petpal's order: time last
    arrays: dict[str, NDArray[np.generic]] = {
        "voxels": voxels,
        "curves": problem.curves,
        "starts_s": problem.timing.starts_s,
        "durations_s": problem.timing.durations_s,
        "input_min": problem.source.times_s / 60,
        "plasma": problem.source.parent_plasma,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    order = {"tstar_min": tstar_s / 60, "loop_voxels": size.loop_voxels, "repeats": size.repeats}
    order["simulated_voxels"] = SIMULATED_VOXELS
    (folder / "order.json").write_text(json.dumps(order))
    one_thread = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
    done = subprocess.run(
        [str(python), "-P", "-W", "ignore", str(SCRIPT), str(folder)],
        env=one_thread,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputRefused(
            "peers-run", "the peers stopped: {reason}; leave the peers out, or report it", reason=reason
        )
    found = json.loads((folder / "results.json").read_text())
    installing = {file.stem: file.read_text() for file in python.parent.parent.glob("*.failed")}
    peers = tuple(_peer(problem, folder, row) for row in found["results"])
    return peers, found["versions"], {**found["absent"], **installing}


def _peer(problem: Problem, folder: Path, row: Mapping[str, str | float]) -> Peer:
    off = np.nan
    if row["vt"]:
        volume, truth = np.load(folder / str(row["vt"])).ravel(), problem.true_vt.ravel()
        off = median_error(volume, truth[: volume.size])
    return Peer(str(row["task"]), str(row["name"]), float(row["cpu_s"]), int(row["items"]), off)


def median_error(volume: NDArray[np.floating], truth: NDArray[np.float64]) -> float:
    """Median of V_T / truth - 1, over what is finite."""
    ratio = volume / truth - 1
    return float(np.median(ratio[np.isfinite(ratio)]))
