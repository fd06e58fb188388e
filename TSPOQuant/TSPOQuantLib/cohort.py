"""Many visits of a PET-BIDS dataset on Dask: each whole or not at all, a failure one row, then the changes."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from . import DISCLAIMER
from .cohort_workers import Workers, client_of, image_bytes
from .messages import InputRefused, Notice, Text
from .outcome.compare import Comparison, compare
from .outcome.record import VisitRecord, read_record
from .outcome.sessions import dated, in_order, order_guesses
from .output import MARKER, check_free, only_run_in, remove_leftovers, remove_results, unwritable, whole_folder
from .pipeline.quantification import quantify_study
from .progress import Progress, part, silent
from .reporting.cohort_files import DERIVATIVES, TABLE, Row, write_cohort
from .reporting.comparison_files import write_comparison
from .reporting.provenance import inputs, versions
from .reporting.visit_files import write_visit
from .settings import restored
from .source import write_source
from .study import LABEL, Study, StudySettings, study_of_bids

IMAGE = re.compile(r"_pet\.nii(\.gz)?$")
NO_SESSION = "baseline"
"""The session of a participant whose visits are not told apart."""


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
class How:
    """How visits are made. force: also those that are up to date. source: of every input function, see study_of_bids.
    choices: settings by name, over the defaults, see study.read_choices. scan: which of several of a session, see
    find_bids.
    """

    force: bool = False
    source: str | None = None
    choices: Mapping[str, Any] = field(default_factory=dict)
    scan: str | None = None

    def study(self, dataset: Path, visit: "Visit") -> Study:
        """The visit's files, and the settings of all."""
        study = study_of_bids(dataset, visit.participant, visit.session, None, self.source, self.scan)
        return replace(study, settings=replace(study.settings, **self.choices))


@dataclass(frozen=True)
class Report:
    """What the command prints. same_images: sentences, see the function of that name. notices: of all visits."""

    visits: tuple[Row, ...]
    comparisons: tuple[Row, ...]
    out: Path
    same_images: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

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
    return {
        "visits": report.visits,
        "comparisons": report.comparisons,
        "out": report.out,
        "same_images": report.same_images,
        "notices": report.notices,
    }


def run(
    dataset: Path,
    out: Path,
    how: How | None = None,
    workers: Workers | None = None,
    participants: Sequence[str] = (),
    progress: Progress = silent,
) -> Report:
    """Quantify every visit with the same settings, compare each participant's visits, and write group tables.

    A folder that an earlier run wrote is continued: visits made from the very same files by the same versions with the
    same settings are kept, others made again. participants: labels; empty for all; the tables tell of these alone,
    until a run with more of them, which finds their visits done.
    Raises InputRefused: "cohort-…", "output-…", "bids-participant".
    """
    visits = find_visits(dataset, participants)
    out = _prepared(out, dataset, bool(how and how.force))
    with only_run_in(out):
        return _run(dataset, out, visits, how or How(), workers or Workers(), progress)


def _run(dataset: Path, out: Path, visits: Sequence[Visit], how: How, workers: Workers, progress: Progress) -> Report:
    """The work of ``run``."""
    try:
        rows = _quantified(dataset, out, visits, how, workers, part(progress, 0, 0.9))
    finally:
        for visit in visits:
            remove_leftovers(out / visit.folder)
    done = [visit for visit, row in zip(visits, rows, strict=True) if row.status in ("done", "kept")]
    records = [read_record(out / visit.folder) for visit in done]
    warned = {
        visit: ";".join(sorted({warning.code for warning in record.warnings}))
        for visit, record in zip(done, records, strict=True)
    }
    rows = tuple(replace(row, warnings=warned.get(visit, "")) for visit, row in zip(visits, rows, strict=True))
    progress(0.9, "Comparing the visits")
    comparison_rows, comparisons = _compared(out, done, records)
    progress(0.95, "Writing the tables")
    named = [(visit.participant, record) for visit, record in zip(done, records, strict=True)]
    write_cohort(out, rows, comparison_rows, named, comparisons)
    progress(1, "Done")
    return Report(rows, comparison_rows, out, same_images(done, records), tuple(_guessed_orders(done, records)))


def _guessed_orders(visits: Sequence[Visit], records: Sequence[VisitRecord]) -> list[Notice]:
    """Whose first visit is a guess."""
    people: dict[str, list[tuple[str, datetime | None]]] = {}
    starts = dated([record.acquisition.started for record in records])
    for visit, start in zip(visits, starts, strict=True):
        people.setdefault(visit.participant, []).append((visit.session or NO_SESSION, start))
    return order_guesses(people)


def same_images(visits: Sequence[Visit], records: Sequence[VisitRecord]) -> tuple[str, ...]:
    """Of every PET that is, byte for byte, that of another person, too: a sentence that says whose."""
    holders: dict[str, list[Visit]] = {}
    for visit, record in zip(visits, records, strict=True):
        inputs = record.provenance.get("inputs", ())
        image = next((file["sha256"] for file in inputs if IMAGE.search(file["name"])), None)
        if image is not None:
            holders.setdefault(image, []).append(visit)
    shared = (same for same in holders.values() if len({visit.participant for visit in same}) > 1)
    named = (", ".join(f"sub-{visit.participant} {visit.session or NO_SESSION}" for visit in same) for same in shared)
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
            sessions = in_order(path.parent.name.removeprefix("ses-") for path in folder.glob("ses-*/pet"))
            visits += [Visit(participant, session) for session in sessions]
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
    spelled = [spelling(folder) for folder in folders for spelling in (os.path.abspath, os.path.realpath)]
    places = {place: Path(place).name for place in spelled}
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
    names = [field.name for field in fields(before)]
    changed = [name for name in names if getattr(before, name) != getattr(study.settings, name)]
    if changed:
        return f"settings changed: {', '.join(changed)}"
    known, now = record.provenance.get("inputs"), inputs(study.files, study.person.read)
    if known != now:
        other = [file["name"] for file in now if file not in (known or [])]
        return f"files changed: {', '.join(dict.fromkeys(other)) or 'one is gone'}"
    return None if record.provenance.get("versions") == versions() else "another version of a library or the program"


def _quantified(
    dataset: Path,
    out: Path,
    visits: Sequence[Visit],
    how: How,
    workers: Workers,
    progress: Progress,
) -> tuple[Row, ...]:
    """Every visit's row, in the order of the visits; no message tells where the folders lie."""
    dataset = Path(os.path.abspath(dataset))  # noqa: PTH100 (links stay: workers see the path that was given)
    rows = _rows_of(dataset, out, visits, how, workers, progress)
    return tuple(replace(row, message=without_places(row.message, dataset, out)) for row in rows)


def _rows_of(
    dataset: Path, out: Path, visits: Sequence[Visit], how: How, workers: Workers, progress: Progress
) -> tuple[Row, ...]:
    from distributed import as_completed  # 0.5 s to import: only where a cohort is run

    rows = {visit: row for visit in visits if (row := _refused(dataset, visit, how)) is not None}
    waiting = [visit for visit in visits if visit not in rows]
    if not waiting:
        return tuple(rows[visit] for visit in visits)
    images = [how.study(dataset, visit).pet for visit in waiting]
    largest = max(map(image_bytes, images))
    with client_of(workers, len(waiting), largest, progress) as client:
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
        row: Row = future.result()
    except KilledWorker:
        return _row(visit, "failed", "worker-lost", "the process that worked on it died; memory is the usual reason")
    except (ImportError, RuntimeError):  # of scheduler and workers: ours would be in the row
        message = "scheduler or workers cannot import this program; put TSPOQuant/ on their PYTHONPATH, same versions"
        return _row(visit, "failed", "worker-import", message)
    except Exception as error:  # whatever a worker of another version or machine met
        return _row(visit, "failed", "internal", f"{type(error).__name__}: {error}")
    return row


# --- Changes ----------------------------------------------------------------------------------------


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
        except OSError:  # a full disk is everybody's
            raise
        except Exception as error:  # as of a visit: one person's fault must not cost the others their tables
            remove_results(out / f"sub-{participant}" / "comparison")
            message = without_places(f"{type(error).__name__}: {error}", out)
            rows.append(Row(participant, sessions, "failed", "internal", message))
    return tuple(rows), comparisons
