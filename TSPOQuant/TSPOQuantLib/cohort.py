"""Many visits of a PET-BIDS dataset on Dask: each whole or not at all, a failure one row, then the changes."""

import hashlib
import logging
import math
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from . import DISCLAIMER
from .messages import InputRefused, Text
from .outcome.change import FurtherMeasure
from .outcome.compare import Comparison, compare
from .outcome.record import VisitRecord, read_record
from .outcome.settings import session_order
from .outcome.uptake import MEASURES
from .output import MARKER, check_free, only_run_in, remove_leftovers, remove_results, unwritable, whole_folder
from .pipeline.quantification import quantify_study
from .processes import cores, later_interrupt
from .progress import Progress, part, silent
from .quantities import COLUMN_KEYS
from .reporting.bids import write_derivatives
from .reporting.comparison_files import write_comparison
from .reporting.provenance import inputs, versions
from .reporting.tables import UPTAKE_COLUMNS, cells_of, codes, uptake_records, write_labeled, write_visit
from .settings import restored
from .source import write_source
from .study import LABEL, Study, StudySettings, study_of_bids

TABLE = "cohort.tsv"
DERIVATIVES = "bids"
IMAGE = re.compile(r"_pet\.nii(\.gz)?$")
NO_SESSION = "baseline"
"""The session of a participant whose visits are not told apart."""
COPIES = 6
"""Of an image that a process must have room for: 4.4 were measured over visits of a simulated neck that moves."""
OWN_BYTES = 300_000_000
"""What a process takes before it reads an image: 230 MB were measured."""
CONNECT_S = "10s"
"""How long a scheduler may take to answer: a choice."""


@dataclass(frozen=True)
class Visit:
    """One visit of the dataset by its labels without "sub-" and "ses-"; session None where there are none."""

    participant: str
    session: str | None

    @property
    def folder(self) -> Path:
        """Below the cohort's own folder."""
        return Path(f"sub-{self.participant}") / f"ses-{self.session or NO_SESSION}"


@dataclass(frozen=True)
class Row:
    """What became of a visit or a comparison. status: "done", "kept" (of an earlier run), "refused" or "failed".

    reason: why a visit was made, where an earlier run had it. warnings: codes of what is to be known of its results,
    with semicolons between; their words are in the visit's own folder.
    """

    participant: str
    session: str
    status: str
    code: str = ""
    message: str = ""
    reason: str = ""
    warnings: str = ""


@dataclass(frozen=True)
class How:
    """How visits are made. scheduler, force, source: see ``run``. choices: settings by name, over the defaults.

    jobs: of SLURM, 0 for none; slurm: what they ask for, by dask-jobqueue's names. scan: which of several of a
    session, see find_bids.
    """

    scheduler: str | None = None
    force: bool = False
    source: str | None = None
    choices: Mapping[str, Any] = field(default_factory=dict)
    jobs: int = 0
    slurm: Mapping[str, str] = field(default_factory=dict)
    scan: str | None = None

    def study(self, dataset: Path, visit: "Visit") -> Study:
        """The visit's files, and the settings of all."""
        found = study_of_bids(dataset, visit.participant, visit.session, None, self.source, self.scan)
        return replace(found, settings=replace(found.settings, **self.choices))


@dataclass(frozen=True)
class Report:
    """What the command prints. same_images: sentences, see the function of that name."""

    visits: tuple[Row, ...]
    comparisons: tuple[Row, ...]
    out: Path
    same_images: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether no visit could be quantified."""
        return not any(row.status in ("done", "kept") for row in self.visits)

    @property
    def text(self) -> str:
        lines = []
        for name, rows in (("visits", self.visits), ("comparisons", self.comparisons)):
            counts = {status: [row.status for row in rows].count(status) for status in ("done", "kept")}
            counts["refused or failed"] = len(rows) - sum(counts.values())
            lines.append(f"{len(rows)} {name}: " + ", ".join(f"{count} {status}" for status, count in counts.items()))
        again = Counter(row.reason for row in self.visits if row.reason)
        lines += [f"{count} made again: {reason}" for reason, count in again.items()]
        warned = Counter(code for row in self.visits for code in row.warnings.split(";") if code)
        lines += [f"warned in {count} visits: {code}" for code, count in warned.most_common()]
        bad = [row for row in (*self.visits, *self.comparisons) if row.code]
        lines += [f"sub-{row.participant} {row.session}: {row.code}: {row.message}" for row in bad]
        lines += self.same_images
        return "\n".join([*lines, f"Everything is in {self.out}. {DISCLAIMER}"])


def record_of(report: Report) -> dict[str, object]:
    """What ``--json`` prints."""
    found = {"visits": report.visits, "comparisons": report.comparisons, "out": report.out}
    return found | {"same_images": report.same_images}


def run(
    dataset: Path,
    out: Path,
    scheduler: str | None = None,
    participants: Sequence[str] = (),
    force: bool = False,
    progress: Progress = silent,
    source: str | None = None,
    choices: Mapping[str, Any] | None = None,
    jobs: int = 0,
    slurm: Mapping[str, str] | None = None,
    scan: str | None = None,
) -> Report:
    """Quantify every visit with the same settings, compare each participant's visits, and write group tables.

    A folder that an earlier run wrote is continued: visits made from the very same files by the same versions are
    kept, others made again; ``force`` makes all again. participants: labels; empty for all; the tables tell of these
    alone, until a run with more of them, which finds their visits done. scheduler: address of a running Dask
    scheduler, whose workers see the same paths and which can import this package; None for processes of our own, one a
    core, or of SLURM where ``jobs`` says how many, see ``slurm_cluster``. source: of every input function, see
    study_of_bids. choices: settings by name, see study.read_choices; visits made with others are made again.
    scan: see How.
    Raises InputRefused: "cohort-…", "output-…", "bids-participant".
    """
    visits = find_visits(dataset, participants)
    out = _prepared(out, dataset, force)
    with only_run_in(out):
        how = How(scheduler, force, source, choices or {}, jobs, slurm or {}, scan)
        return _run(dataset, out, visits, how, progress)


def _run(
    dataset: Path,
    out: Path,
    visits: Sequence[Visit],
    how: How,
    progress: Progress,
) -> Report:
    """The work of ``run``."""
    try:
        rows = _quantified(dataset, out, visits, how, part(progress, 0, 0.9))
    finally:
        for visit in visits:
            remove_leftovers(out / visit.folder)
    done = [visit for visit, row in zip(visits, rows, strict=True) if row.status in ("done", "kept")]
    records = [read_record(out / visit.folder) for visit in done]
    warned = {
        visit: ";".join(sorted({one.code for one in record.warnings}))
        for visit, record in zip(done, records, strict=True)
    }
    rows = tuple(replace(row, warnings=warned.get(visit, "")) for visit, row in zip(visits, rows, strict=True))
    progress(0.9, "Comparing the visits")
    visit_rows, comparisons = _compared(out, done, records)
    progress(0.95, "Writing the tables")
    _write_tables(out, rows, visit_rows, done, records, comparisons)
    progress(1, "Done")
    return Report(rows, visit_rows, out, same_images(done, records))


def same_images(visits: Sequence[Visit], records: Sequence[VisitRecord]) -> tuple[str, ...]:
    """Of every PET that is, byte for byte, that of another person, too: a sentence that says whose."""
    holders: dict[str, list[Visit]] = {}
    for visit, record in zip(visits, records, strict=True):
        inputs = record.provenance.get("inputs", ())
        image = next((one["sha256"] for one in inputs if IMAGE.search(one["name"])), None)
        if image is not None:
            holders.setdefault(image, []).append(visit)
    shared = (same for same in holders.values() if len({one.participant for one in same}) > 1)
    named = (", ".join(f"sub-{one.participant} {one.session or NO_SESSION}" for one in same) for same in shared)
    return tuple(
        f"warning: {who}: one and the same PET file; it is one person's: correct the dataset" for who in named
    )


def find_visits(dataset: Path, participants: Sequence[str] = ()) -> tuple[Visit, ...]:
    """Every visit with a pet folder, in the order of the labels; a participant without any counts as one visit.

    Raises InputRefused: "cohort-dataset", "bids-participant".
    """
    folders = [folder for folder in dataset.glob("sub-*") if folder.is_dir() or folder.is_symlink()]
    known = sorted(folder.name.removeprefix("sub-") for folder in folders)  # a link that leads nowhere is told of
    if not known:
        raise InputRefused(
            "cohort-dataset", "{dataset} holds no sub-… folder; name a PET-BIDS dataset", dataset=dataset
        )
    wanted = [label.removeprefix("sub-") for label in participants]
    unknown = next((label for label in wanted if label not in known), None)
    if unknown is not None:
        raise InputRefused(
            "bids-participant",
            "there is no sub-{unknown} in {dataset_name}; it holds {known}",
            unknown=unknown,
            dataset_name=dataset.name,
            known=", ".join(known[:10]) + (" …" if len(known) > 10 else ""),
        )
    visits = []
    for participant in known:
        if not wanted or participant in wanted:
            folder = dataset / f"sub-{participant}"
            sessions = sorted(path.parent.name.removeprefix("ses-") for path in folder.glob("ses-*/pet"))
            visits += [Visit(participant, session) for session in sorted(sessions, key=session_order)]
            visits += [] if sessions else [Visit(participant, None)]
    return tuple(visits)


def _prepared(out: Path, dataset: Path, force: bool) -> Path:
    """The cohort's folder: new, empty, or an earlier cohort's of the same dataset.

    Its marker holds a hash of the dataset's place, which tells no name, and what ``files_into`` lists.
    """
    out, inside = Path(os.path.realpath(out)), Path(os.path.realpath(dataset))
    if out == inside or inside.is_relative_to(out):
        raise InputRefused("output-holds-input", "{out} holds the dataset; name another folder", out=out)
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MARKER).exists())):
        raise InputRefused("output-exists", "{out} holds files that no cohort wrote; name another folder", out=out)
    if any(path.name != MARKER for path in out.glob("*")) and not (out / TABLE).exists():
        raise InputRefused("output-exists", "{out} holds other results than a cohort's; name another folder", out=out)
    check_free(out / DERIVATIVES, True)
    marker, place = out / MARKER, hashlib.sha256(os.fsencode(inside)).hexdigest()
    earlier, *listed = (marker.read_text(encoding="utf-8") if marker.is_file() else "").splitlines() or [""]
    if earlier not in ("", place) and not force:
        raise InputRefused(
            "output-other",
            "{out} holds the results of another dataset, or of this one from where it lay before; name another "
            "folder, or add --force to make every visit again",
            out=out,
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        marker.write_text("\n".join([place, *listed, ""]), encoding="utf-8")
        (out / TABLE).touch()
    except OSError as error:
        raise unwritable(out, error) from error
    return out


def _refused(dataset: Path, visit: Visit, how: How) -> Row | None:
    """The row of a visit that lacks a file; None where there is something to read."""
    for label in (visit.participant, visit.session or NO_SESSION):
        if not LABEL.fullmatch(label):
            message = Text("'{label}' is no BIDS label, which has letters and digits alone; rename it", label=label)
            return _row(visit, "refused", "bids-label", message)
    try:
        how.study(dataset, visit)
    except InputRefused as refusal:
        return _row(visit, "refused", refusal.code, refusal.message)
    return None


def _row(visit: Visit, status: str, code: str = "", message: str = "", reason: str = "") -> Row:
    return Row(visit.participant, visit.session or NO_SESSION, status, code, " ".join(message.split()), reason)


def without_places(message: str, *folders: Path) -> str:
    """A message without where these folders, and the home folder, lie: tables go round, and such places hold names."""
    places = {place: Path(place).name for one in folders for place in (os.path.abspath(one), os.path.realpath(one))}  # noqa: PTH100 (links stay)
    for place in sorted(places, key=len, reverse=True):
        message = message.replace(f"{place}{os.sep}", "").replace(place, places[place] or place)
    home = str(Path.home())
    return message.replace(f"{home}{os.sep}", f"~{os.sep}") if home != os.sep else message


# --- One visit, in whatever process ----------------------------------------------------------------------------------


def quantify_one(dataset: Path, out: Path, visit: Visit, how: How) -> Row:
    """Quantify one visit into its folder, whole or not at all; whatever goes wrong becomes the row."""
    folder = out / visit.folder
    try:
        study = how.study(dataset, visit)
        reason = "asked for (--force)" if how.force and folder.exists() else made_again(folder, study)
        if reason is None:
            return _row(visit, "kept")
        with whole_folder(folder, True, study.files) as scratch:
            write_visit(scratch, quantify_study(study))
            write_source(scratch, study, folder)
    except InputRefused as refusal:
        return _row(visit, "refused", refusal.code, refusal.message)
    except MemoryError:
        return _row(visit, "failed", "memory", "this needs more memory than there is; use a larger machine")
    except OSError as error:  # a full disk, a folder that may not be written
        return _row(
            visit,
            "failed",
            "system",
            f"{error.filename or folder.name}: {error.strerror}; put that right and run again",
        )
    except Exception as error:  # one visit's fault, ours or the files', must not stop the others
        return _row(visit, "failed", "internal", f"{type(error).__name__}: {error}")
    return _row(visit, "done", reason=reason)


def made_again(folder: Path, study: Study) -> str | None:
    """Why a visit must be made, "" where there is none yet; None where these very files, settings and versions made
    what the folder holds."""
    try:
        record = read_record(folder)
    except InputRefused:
        return ""
    try:
        before = restored(StudySettings, record.settings)
    except (TypeError, ValueError):
        return "another version of the program"
    changed = [one.name for one in fields(before) if getattr(before, one.name) != getattr(study.settings, one.name)]
    if changed:
        return f"settings changed: {', '.join(changed)}"
    known, now = record.provenance.get("inputs"), inputs(study.files, study.person.read)
    if known != now:
        other = [one["name"] for one in now if one not in (known or [])]
        return f"files changed: {', '.join(dict.fromkeys(other)) or 'one is gone'}"
    return None if record.provenance.get("versions") == versions() else "another version of a library or the program"


def _quantified(
    dataset: Path,
    out: Path,
    visits: Sequence[Visit],
    how: How,
    progress: Progress,
) -> tuple[Row, ...]:
    """Every visit's row, in the order of the visits; no message tells where the folders lie."""
    dataset = Path(os.path.abspath(dataset))  # noqa: PTH100 (links stay: workers see the path that was given)
    rows = _rows_of(dataset, out, visits, how, progress)
    return tuple(replace(row, message=without_places(row.message, dataset, out)) for row in rows)


def _rows_of(dataset: Path, out: Path, visits: Sequence[Visit], how: How, progress: Progress) -> tuple[Row, ...]:
    from distributed import as_completed  # 0.5 s to import: only where a cohort is run

    rows = {visit: row for visit in visits if (row := _refused(dataset, visit, how)) is not None}
    waiting = [visit for visit in visits if visit not in rows]
    if not waiting:
        return tuple(rows[visit] for visit in visits)
    images = [how.study(dataset, visit).pet for visit in waiting]
    largest = max(map(image_bytes, images))
    with _client(how, len(waiting), largest, progress) as client:
        futures = {
            client.submit(quantify_one, dataset, out, visit, how, pure=False, retries=0): visit for visit in waiting
        }
        try:
            for future in as_completed(futures):
                visit = futures[future]
                rows[visit] = _row_of(future, visit)
                where = f"sub-{visit.participant} {visit.session or ''}".strip()
                progress(len(rows) / len(visits), Text("{where}: {status}", where=where, status=rows[visit].status))
        except BaseException:
            client.cancel(list(futures), force=True)
            raise
    return tuple(rows[visit] for visit in visits)


def _row_of(future: Any, visit: Visit) -> Row:
    from distributed import KilledWorker

    try:
        found: Row = future.result()
    except KilledWorker:
        return _row(visit, "failed", "worker-lost", "the process that worked on it died; memory is the usual reason")
    except (ImportError, RuntimeError):  # of scheduler and workers: ours would be in the row
        message = "scheduler or workers cannot import this program; put TSPOQuant/ on their PYTHONPATH, same versions"
        return _row(visit, "failed", "worker-import", message)
    except Exception as error:  # whatever a worker of another version or machine met
        return _row(visit, "failed", "internal", f"{type(error).__name__}: {error}")
    return found


@contextmanager
def _client(how: How, visits: int, largest: int, progress: Progress) -> Iterator[Any]:
    """A Dask client: of a running scheduler, of SLURM's jobs, or of processes of our own; the last two end with it.

    largest: bytes of the largest image.
    """
    scheduler = how.scheduler
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is in the rows
    settings = {
        "distributed.scheduler.allowed-failures": 0,
        "distributed.comm.timeouts.connect": CONNECT_S,
        "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
    }
    with dask.config.set(settings):
        if scheduler is not None:
            try:
                client = Client(scheduler, timeout=CONNECT_S)
            except (OSError, ValueError, TimeoutError) as error:
                raise InputRefused(
                    "cohort-scheduler",
                    "no Dask scheduler answers at {scheduler}; start one, or leave --scheduler out",
                    scheduler=scheduler,
                ) from error
            with client:
                yield client
            return
        if how.jobs:
            progress(0, "Asking SLURM for workers")
            with slurm_cluster(min(how.jobs, visits), how.slurm) as cluster, Client(cluster) as client:
                yield client
            return
        with later_interrupt(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Port .* is already in use")  # of a dashboard that nobody asked for
            workers, limit = workers_for(min(cores(), visits), largest, free_bytes())
            progress(
                0,
                Text(
                    "Starting {workers} workers, each with {limit_gb:.1f} GB at most",
                    workers=workers,
                    limit_gb=limit / 1e9,
                ),
            )
            try:
                cluster = LocalCluster(
                    n_workers=workers,
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


# --- Changes and group tables ----------------------------------------------------------------------------------------


def _compared(
    out: Path, visits: Sequence[Visit], records: Sequence[VisitRecord]
) -> tuple[tuple[Row, ...], list[tuple[str, Comparison]]]:
    """Each participant's visits against the first, where there are two or more; visits that differ are a row."""
    rows, comparisons = [], []
    for participant in dict.fromkeys(visit.participant for visit in visits):
        own = [record for visit, record in zip(visits, records, strict=True) if visit.participant == participant]
        if len(own) < 2:
            continue
        sessions = " ".join(record.session for record in own)
        try:
            comparison = compare(own)
            with whole_folder(out / f"sub-{participant}" / "comparison", True) as folder:
                write_comparison(folder, comparison)
            comparisons.append((participant, comparison))
            rows.append(Row(participant, sessions, "done"))
        except InputRefused as refusal:
            remove_results(out / f"sub-{participant}" / "comparison")  # of visits that could be compared once
            message = without_places(" ".join(refusal.message.split()), out)
            rows.append(Row(participant, sessions, "refused", refusal.code, message))
    return tuple(rows), comparisons


REGION_COLUMNS = ("region", "structure", "level", "root", "side", "model", "pvc")
CHANGE_COLUMNS = ("difference", "percent", "log_ratio", "log_ratio_se", "ratio_low", "ratio_high")


def _write_tables(
    out: Path,
    rows: Sequence[Row],
    comparison_rows: Sequence[Row],
    visits: Sequence[Visit],
    records: Sequence[VisitRecord],
    comparisons: Sequence[tuple[str, Comparison]],
) -> None:
    """cohort.tsv, regions.tsv, comparisons.tsv, changes.tsv, group_regions.tsv, group_changes.tsv, uptake.tsv,
    group_uptake.tsv, besides.tsv and bids/.
    """
    columns = [one.name for one in fields(Row)]
    for name, found in (("comparisons.tsv", comparison_rows), (TABLE, rows)):
        write_labeled(out / name, columns, [cells_of(row, columns) for row in found])
    regions = [(visit.participant, row) for visit, record in zip(visits, records, strict=True) for row in record.rows]
    write_labeled(
        out / "regions.tsv",
        ["participant", "session", *REGION_COLUMNS, *COLUMN_KEYS, "flags"],
        [
            [participant, row.visit, *cells_of(row, (*REGION_COLUMNS, *COLUMN_KEYS)), codes(row.flags) or None]
            for participant, row in regions
        ],
    )
    uptake = [
        (visit.participant, row)
        for visit, record in zip(visits, records, strict=True)
        for row in uptake_records(record)
    ]
    cells = [[participant, *(None if value == "" else value for value in row.values())] for participant, row in uptake]
    write_labeled(out / "uptake.tsv", ["participant", *UPTAKE_COLUMNS], cells)
    named = UPTAKE_COLUMNS[: UPTAKE_COLUMNS.index("SUV")]
    _write_group(
        out / "group_uptake.tsv",
        (*named, "measure"),
        [((*(row[name] for name in named), key), row[key]) for _, row in uptake for key in MEASURES],
    )
    _write_group(
        out / "group_regions.tsv",
        ("session", *REGION_COLUMNS),
        [((row.visit, *(getattr(row, name) for name in REGION_COLUMNS)), row.VT) for _, row in regions],
    )
    changes = [(participant, change) for participant, comparison in comparisons for change in comparison.changes]
    pair = ("baseline_session", "followup_session")
    columns = [*pair, *REGION_COLUMNS, "baseline", "followup", *CHANGE_COLUMNS]
    write_labeled(
        out / "changes.tsv",
        ["participant", *columns],
        [[participant, *cells_of(change, columns)] for participant, change in changes],
    )
    _write_group(
        out / "group_changes.tsv",
        (*pair, *REGION_COLUMNS),
        [(tuple(getattr(c, name) for name in (*pair, *REGION_COLUMNS)), c.log_ratio) for _, c in changes],
    )
    besides = [
        [participant, one.measure, one.region, one.pvc, one.unit, *pairs]
        for participant, comparison in comparisons
        for one in comparison.besides
        for pairs in _pairs(comparison, one)
    ]
    about = ("measure", "region", "pvc", "unit")
    write_labeled(out / "besides.tsv", ["participant", *about, *pair, "baseline", "followup", "percent"], besides)
    if records:
        with whole_folder(out / DERIVATIVES, True) as folder:
            write_derivatives(folder, records)
    else:
        remove_results(out / DERIVATIVES)


def _pairs(comparison: Comparison, one: FurtherMeasure) -> Iterator[list[object]]:
    """Both sessions, both values and the change in percent, for every later visit."""
    first, *later = comparison.visits
    for visit, value, percent in zip(later, one.values[1:], one.percents, strict=True):
        yield [first.session, visit.session, one.values[0], value, percent]


def _write_group(path: Path, keys: Sequence[str], values: Sequence[tuple[tuple[str, ...], float]]) -> None:
    """One row a group: number, mean, standard deviation, median and range of V_T (mL/cm3) or of the log ratio."""
    groups: dict[tuple[str, ...], list[float]] = {}
    for key, value in values:
        if math.isfinite(value):
            groups.setdefault(key, []).append(value)
    statistic: list[tuple[str, Callable[[list[float]], float]]] = [
        ("mean", statistics.fmean),
        ("sd", lambda found: statistics.stdev(found) if len(found) > 1 else math.nan),
        ("median", statistics.median),
        ("min", min),
        ("max", max),
    ]
    rows = [
        [*(cell or None for cell in key), len(found), *(function(found) for _, function in statistic)]
        for key, found in groups.items()
    ]
    write_labeled(path, [*keys, "n", *(name for name, _ in statistic)], rows)
