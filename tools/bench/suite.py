"""The command ``bench``: every task, its peers, and the table for a terminal."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from TSPOQuantLib.acquisition.dicom import read_dynamic_pet
from TSPOQuantLib.alignment.motion import estimate_motion
from TSPOQuantLib.kinetics import FitOptions, fit, make_maps
from TSPOQuantLib.kinetics.convolution import curve_frame_averages
from TSPOQuantLib.messages import Text
from TSPOQuantLib.progress import Progress, silent
from TSPOQuantLib.regions.partial_volume import correct
from TSPOQuantLib.reporting.provenance import versions

from ..validation.document import Goal, goal_line, prose
from .machine import best_cpu_s, child_cpu_s, processor, product_once, read_once
from .peers import Peer, measure, median_error
from .problem import DURATIONS_S, Problem, Size, followed_neck, moving_neck, simulate, write_series
from .whole import Taken, memory, memory_text, visit_cpu_s

Array = NDArray[np.float64]
Image = NDArray[np.float32]

TSTAR_S = 1200.0
GOAL_US = {
    "Logan map": 0.06,
    "MA1 map": 0.06,
    "1TCM map": 0.6,
    "2TCM map": 20.0,
    "DICOM reading": 1500.0,
    "stroke to V_T": 300_000.0,
    "quantify": 15_000_000.0,
    "quantify with GTM": 30_000_000.0,
    "start of --help": 300_000.0,
    "start of quantify": 1_500_000.0,
}
NONE = "–"


@dataclass(frozen=True)
class Task:
    """One task of ours: ``items`` voxels, curves, files or frames in ``cpu_s``; vt_off as for a peer."""

    name: str
    unit: str
    cpu_s: float
    items: int
    vt_off: float = np.nan

    @property
    def each_us(self) -> float:
        return self.cpu_s / self.items * 1e6


@dataclass(frozen=True)
class Limits:
    """CPU time in us a voxel of reading the image once, and of one matrix product with it."""

    read_us: float
    product_us: float


def run(peers: bool = False, progress: Progress = silent, size: Size | None = None) -> str:
    """Measure everything and return it as text for a terminal.

    peers: also the programs of the Python package index, installed into the user's cache folder on first use.
    Raises InputRefused ("peers-…").
    """
    size = Size() if size is None else size
    progress(0.0, "Benchmark: simulating")
    load = os.getloadavg()[0]
    problem = simulate(size)
    voxels = problem.activity.reshape(len(problem.timing), -1)
    limits = Limits(
        best_cpu_s(lambda: read_once(voxels), size.repeats) / voxels.shape[1] * 1e6,
        best_cpu_s(lambda: product_once(voxels), size.repeats) / voxels.shape[1] * 1e6,
    )
    tasks: list[Task] = []
    beside: list[Peer] = []
    used: dict[str, str] = {}
    absent: dict[str, str] = {}
    taken: list[Taken] = []
    with tempfile.TemporaryDirectory() as scratch:
        series, handed = Path(scratch) / "series", Path(scratch) / "handed"
        handed.mkdir()
        steps: dict[str, Callable[[], None]] = {
            "maps": lambda: tasks.extend(map_tasks(problem, size)),
            "plain loops": lambda: beside.extend(plain_loops(problem, size)),
            "region fits": lambda: tasks.extend(fit_tasks(problem, size)),
            "DICOM": lambda: _add_dicom(tasks, beside, series, size),
            "motion": lambda: tasks.append(motion_task(size)),
            "live results": lambda: tasks.extend(followed_tasks(size)),
            "a visit": lambda: tasks.extend(visit_tasks(Path(scratch) / "visit")),
            "memory": lambda: taken.extend(memory(handed, size)),
            "starts": lambda: tasks.extend(start_tasks(size)),
        }
        if peers:
            steps["peers (2 GB at first use)"] = lambda: _add_peers(beside, used, absent, problem, size, handed)
        for n, (name, step) in enumerate(steps.items()):
            progress((n + 1) / (len(steps) + 1), Text("Benchmark: {name}", name=name))
            step()
    progress(1.0, "Done")
    return report(size, limits, tasks, beside, used, load, taken, absent)


def map_tasks(problem: Problem, size: Size) -> list[Task]:
    """The maps that ``make_maps`` draws, all with standard errors and flags; V_B fitted in compartment models."""
    tasks = []
    options = FitOptions(tstar_s=TSTAR_S)
    all_voxels = problem.activity.reshape(len(problem.timing), 1, 1, -1)

    def work(model: str, image: Image, volume: Array) -> None:
        volume[:] = make_maps(model, problem.timing, image, problem.source, options).VT.ravel()

    for model in ("Logan", "MA1", "1TCM", "2TCM"):
        count = min(problem.true_vt.size, size.two_tissue_voxels) if model == "2TCM" else problem.true_vt.size
        volume = np.empty(count)
        cpu_s = best_cpu_s(partial(work, model, np.ascontiguousarray(all_voxels[..., :count]), volume), size.repeats)
        off = median_error(volume, problem.true_vt.ravel()[:count])
        tasks.append(Task(f"{model} map", "voxels", cpu_s, count, off))
    return tasks


def plain_loops(problem: Problem, size: Size) -> list[Peer]:
    """Logan and MA1 as one writes them first: ``numpy.linalg.lstsq`` in a loop over voxels, no standard errors."""
    timing, count = problem.timing, min(size.loop_voxels, problem.true_vt.size)
    late = timing.mids_s >= TSTAR_S
    minutes = timing.durations_s / 60
    plasma = curve_frame_averages(problem.source.times_s, problem.source.parent_plasma, timing, 0.0)
    area = np.cumsum(plasma * minutes) - plasma * minutes / 2
    voxels = problem.activity.reshape(len(timing), -1)[:, :count].T.astype(float)

    def logan(voxel: Array, tissue: Array) -> float:
        used = late & (voxel > 0)
        columns = np.stack([area / voxel, np.ones_like(area)], axis=1)
        return float(np.linalg.lstsq(columns[used], (tissue / voxel)[used], rcond=None)[0][0])

    def ma1(voxel: Array, tissue: Array) -> float:
        columns = np.stack([area, tissue], axis=1)
        first, second = np.linalg.lstsq(columns[late], voxel[late], rcond=None)[0]
        return float(-first / second)

    def work(method: Callable[[Array, Array], float], volume: Array) -> None:
        with np.errstate(divide="ignore", invalid="ignore"):
            volume[:] = [method(voxel, np.cumsum(voxel * minutes) - voxel * minutes / 2) for voxel in voxels]

    found = []
    for task, method in (("Logan map", logan), ("MA1 map", ma1)):
        volume = np.empty(count)
        cpu_s = best_cpu_s(partial(work, method, volume), 1)
        off = median_error(volume, problem.true_vt.ravel()[:count])
        found.append(Peer(task, "numpy lstsq loop", cpu_s, count, off))
    return found


def fit_tasks(problem: Problem, size: Size) -> list[Task]:
    """All curves in one call, V_B fitted, with everything a region's result has."""

    def cpu_s(model: str) -> float:
        return best_cpu_s(lambda: fit(model, problem.timing, problem.curves, problem.source), size.repeats)

    return [Task(f"{model} fit", "curves", cpu_s(model), len(problem.curves)) for model in ("1TCM", "2TCM")]


def _add_dicom(tasks: list[Task], beside: list[Peer], folder: Path, size: Size) -> None:
    """A dynamic series to an image in kBq/mL, beside pydicom that only parses the same files."""
    import pydicom

    count = write_series(folder, size)
    files = sorted(folder.iterdir())
    ours = best_cpu_s(lambda: read_dynamic_pet(folder), size.repeats)
    tasks.append(Task("DICOM reading", "files", ours, count))

    def parse() -> None:
        for file in files:
            pydicom.dcmread(file)

    beside.append(Peer("DICOM reading", "pydicom.dcmread alone", best_cpu_s(parse, size.repeats), count))


def motion_task(size: Size) -> Task:
    """Frame-to-frame motion of the simulated neck, with the uncertainty of each frame's place; once, as it is long."""
    neck = moving_neck(size)
    return Task("motion and its uncertainty", "frames", best_cpu_s(lambda: estimate_motion(neck), 1), len(neck.timing))


def followed_tasks(size: Size) -> list[Task]:
    """Regions of a moving neck: what the panel works out after a stroke of the brush in one of them (curve, fits and
    V_T), and all of them corrected by the geometric transfer matrix, in every frame where it lies."""
    live, regions = followed_neck(size)
    names = [region.name for region in regions]

    def stroke() -> None:
        live.with_changes(live.settings, names, [replace(regions[0])])  # a new one: nothing of it is known

    def corrected() -> None:
        correct(live.placed.image, [replace(region) for region in regions], "GTM", 5.0, live.placed.to_frames)

    return [
        Task("stroke to V_T", "regions", best_cpu_s(stroke, size.repeats), 1),
        Task("GTM", "regions", best_cpu_s(corrected, 1), len(regions)),
    ]


def visit_tasks(folder: Path) -> list[Task]:
    """From the files of a simulated visit to its results, once: a neck with CT, motion, blood and 18 regions."""
    plain, with_gtm = visit_cpu_s(folder)
    return [Task("quantify", "visits", plain, 1), Task("quantify with GTM", "visits", with_gtm, 1)]


def start_tasks(size: Size) -> list[Task]:
    """From nothing to the help of the command line, and to what quantify needs."""
    starts = {
        "start of --help": ("-m", "TSPOQuantLib.cli", "--help"),
        "start of quantify": ("-c", "import TSPOQuantLib.pipeline.quantification"),
    }
    return [Task(name, "starts", child_cpu_s(arguments, size.repeats), 1) for name, arguments in starts.items()]


def _add_peers(
    beside: list[Peer], used: dict[str, str], absent: dict[str, str], problem: Problem, size: Size, folder: Path
) -> None:
    found, theirs, missing = measure(problem, size, TSTAR_S, folder)
    beside.extend(found)
    used.update(theirs)
    absent.update(missing)


def report(
    size: Size,
    limits: Limits,
    tasks: Sequence[Task],
    beside: Sequence[Peer],
    peer_versions: dict[str, str],
    load: float,
    taken: Sequence[Taken] = (),
    absent: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The aligned table, the goals, and how it was measured; absent: why a peer is not beside."""
    header = ("task", "CPU s", "µs each", "x read", "x product", "beside", "CPU s", "µs each", "ours/theirs")
    rows: list[tuple[str, ...]] = [header]
    for task in tasks:
        rows += _rows(task, [peer for peer in beside if peer.task == task.name], limits)
    k, j, i = size.shape
    frames = len(DURATIONS_S)
    pieces = [
        f"Speed on {processor()}, {os.cpu_count()} cores, load {load:.1f}; simulated data.",
        "",
        aligned(rows),
        "",
        f"Limits, µs a voxel: reading the image once {limits.read_us:.3f}; "
        f"a {frames} × {frames} float32 matrix times the image {limits.product_us:.3f}.",
        "",
        *(goal_line(goal) for goal in goals(tasks)),
        "",
        prose(
            f"Maps: {i} × {j} × {k} × {frames} float32, t* {TSTAR_S / 60:g} min, with standard errors and flags; "
            f"2TCM on the first {min(size.two_tissue_voxels, i * j * k):,} voxels, loops over voxels on the first "
            f"{min(size.loop_voxels, i * j * k):,}. DICOM: slices of {size.pixels} × {size.pixels} pixels. "
            f"CPU seconds are summed over threads: the best of {size.repeats} runs, of one for motion, GTM, "
            "visits and the loops."
        ),
        prose(vt_text(tasks, beside)),
        *([prose(memory_text(taken))] if taken else []),
        prose("Versions: " + _listed(versions()) + "."),
    ]
    if peer_versions:
        pieces.append(
            prose(
                "Peers, on one thread in a process of their own: " + _listed(peer_versions) + ". None gives a map of "
                "standard errors. petpal has no compartment maps: its fits of the regions' curves stand beside ours; "
                "they search from one start. NiftyPAD has no plot for plasma: its plot for a reference region was "
                "given the plasma. vPET-ABC gives posterior means of 200,000 simulations."
            )
        )
    pieces += [prose(f"Not beside: {name} ({reason}).") for name, reason in absent.items()]
    return "\n".join(pieces)


def _rows(task: Task, peers: Sequence[Peer], limits: Limits) -> list[tuple[str, ...]]:
    """One line for a task, and one more for each further peer."""
    is_map = task.unit == "voxels"
    ours = (
        f"{task.name}, {task.items:,} {task.unit}",
        f"{task.cpu_s:.3g}",
        _short(task.each_us),
        _short(task.each_us / limits.read_us) if is_map else NONE,
        _short(task.each_us / limits.product_us) if is_map else NONE,
    )
    theirs = [
        (peer.name, f"{peer.cpu_s:.3g}", _short(peer.each_us), _short(task.each_us / peer.each_us)) for peer in peers
    ] or [(NONE,) * 4]
    return [(*(ours if n == 0 else ("",) * 5), *row) for n, row in enumerate(theirs)]


def goals(tasks: Sequence[Task]) -> list[Goal]:
    """The aims, in us a voxel or a file."""
    return [
        Goal(task.name, f"{_short(task.each_us)} µs each", f"at most {_short(limit)} µs", task.each_us <= limit)
        for task in tasks
        if (limit := GOAL_US.get(task.name)) is not None
    ]


def vt_text(tasks: Sequence[Task], beside: Sequence[Peer]) -> str:
    """How far the V_T of single noisy voxels lie from the truth, so that speed is not bought with wrong numbers."""
    found = [(f"{task.name} ours", task.vt_off) for task in tasks]
    found += [(f"{peer.task} {peer.name}", peer.vt_off) for peer in beside]
    told = [f"{name} {100 * off:+.1f} %" for name, off in found if np.isfinite(off)]
    return "V_T against the truth, median over noisy voxels of two-tissue kinetics: " + "; ".join(told) + "."


def _short(value: float) -> str:
    """Three significant digits without an exponent."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _listed(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns two blanks apart: texts to the left, figures to the right; a rule below the first row."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    texts = (0, 5)
    lines = [
        "  ".join(
            cell.ljust(width) if n in texts else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "─" * max(map(len, lines)), *lines[1:]])
