"""Who makes a cohort's visits: a running Dask scheduler's workers, processes of our own, or jobs of SLURM."""

import logging
import math
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .messages import InputRefused, Text
from .processes import cores, later_interrupt
from .progress import Progress

COPIES = 6
"""Of an image that a process must have room for: 4.4 were measured over visits of a simulated neck that moves."""
OWN_BYTES = 300_000_000
"""What a process takes before it reads an image: 230 MB were measured."""
CONNECT_S = "10s"
"""How long a scheduler may take to answer: a choice."""


@dataclass(frozen=True)
class Workers:
    """Processes of our own, one a core, unless it says otherwise.

    scheduler: address of a running Dask scheduler, whose workers see the same paths and can import this package. jobs:
    of SLURM, 0 for none; slurm: what they ask for, see ``slurm_cluster``.
    """

    scheduler: str | None = None
    jobs: int = 0
    slurm: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def client_of(workers: Workers, visits: int, largest: int, progress: Progress) -> Iterator[Any]:
    """A Dask client: of a running scheduler, of SLURM's jobs, or of processes of our own; the last two end with it.

    largest: bytes of the largest image.
    """
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is in the rows
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.comm.timeouts.connect": CONNECT_S,
        "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
    }
    with dask.config.set(settings):
        if workers.scheduler is not None:
            try:
                client = Client(workers.scheduler, timeout=CONNECT_S)
            except (OSError, ValueError, TimeoutError) as error:
                raise InputRefused(
                    "cohort-scheduler",
                    "no Dask scheduler answers at {scheduler}; start one, or leave --scheduler out",
                    scheduler=workers.scheduler,
                ) from error
            with client:
                yield client
            return
        if workers.jobs:
            progress(0, "Asking SLURM for workers")
            with slurm_cluster(min(workers.jobs, visits), workers.slurm) as cluster, Client(cluster) as client:
                yield client
            return
        with later_interrupt(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Port .* is already in use")  # of a dashboard that nobody asked for
            processes, limit = workers_for(min(cores(), visits), largest, free_bytes())
            progress(
                0,
                Text(
                    "Starting {workers} workers, each with {limit_gb:.1f} GB at most",
                    workers=processes,
                    limit_gb=limit / 1e9,
                ),
            )
            try:
                cluster = LocalCluster(
                    n_workers=processes,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    memory_limit=limit,
                )
            except (RuntimeError, OSError, TimeoutError) as error:  # one that died while it started among them
                raise InputRefused(
                    "cohort-workers",
                    "the processes that make the visits could not be started ({error}); memory is the usual reason: "
                    "free some, and run the same command again",
                    error=error,
                ) from error
        with cluster, Client(cluster) as client:
            yield client


def image_bytes(path: Path) -> int:
    """What all frames of an image take in memory, in double precision; 0 where its header tells no size."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:  # it becomes a row when it is read
        return 0
    return int(8 * math.prod(reader.GetSize()) * reader.GetNumberOfComponents())


def free_bytes() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


def workers_for(most: int, largest: int, free: int) -> tuple[int, int]:
    """How many processes share the free memory, each with room for itself and COPIES of the largest image, and each
    one's limit.

    A process that goes beyond its limit is ended, and its visit becomes a row.
    """
    workers = max(1, min(most, free // (OWN_BYTES + COPIES * largest)))
    return workers, free // workers


def slurm_cluster(jobs: int, asked: Mapping[str, str]) -> Any:
    """Jobs of SLURM, one visit at a time in each.

    asked: what a job asks for, by dask-jobqueue's names (queue, account, walltime, memory, …), over what its own
    configuration says. Raises InputRefused: "cohort-slurm".
    """
    if shutil.which("sbatch") is None:
        raise InputRefused(
            "cohort-slurm",
            "there is no sbatch on this machine; run this where SLURM's commands are, or leave --slurm out",
        )
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise InputRefused("cohort-slurm", "dask-jobqueue is not installed; run: pip install dask-jobqueue") from error
    here = Path(__file__).resolve().parents[1]
    settings = {"cores": 1, "processes": 1, "memory": "8GB", "python": sys.executable}
    try:
        cluster = SLURMCluster(
            **{**settings, **asked},
            job_script_prologue=[f"export PYTHONPATH={shlex.quote(str(here))}"],
            scheduler_options={"dashboard_address": None},  # that nobody asked for
        )
    except (TypeError, ValueError) as error:
        raise InputRefused(
            "cohort-slurm", "SLURM's jobs cannot be asked for: {error}; correct --slurm-job", error=error
        ) from error
    with tempfile.NamedTemporaryFile("w", suffix=".sh", encoding="utf-8") as script:
        script.write(cluster.job_script())
        script.flush()
        command = ["sbatch", "--test-only", script.name]  # a job that SLURM refuses would be waited for without end
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        cluster.close()
        raise InputRefused(
            "cohort-slurm",
            "SLURM refuses such a job ({error}); correct --slurm-job",
            error=" ".join(tried.stderr.split()) or tried.returncode,
        )
    cluster.scale(jobs=jobs)
    return cluster
