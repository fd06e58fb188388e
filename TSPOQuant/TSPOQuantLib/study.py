"""study.toml: one visit's files and choices. Unknown keys are refused with their line; paths are relative to it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .acquisition.bids import find_bids
from .acquisition.blood_files import ROUTES
from .messages import InputRefused, Text
from .outcome.settings import GENOTYPES, LABEL, SETTINGS, StudySettings
from .settings import Kind, Line, Several
from .toml_file import TomlFile, read_toml

__all__ = ("GENOTYPES", "KEYS", "LABEL", "TABLES", "Study", "StudySettings", "read_study", "study_of_bids")


@dataclass(frozen=True)
class Study:
    """A visit's files, absolute, and its settings.

    carried_from: the visit on whose CT the segmentation was drawn, where the regions are carried from another one.
    frame_table: starts and durations of the PET's frames, where its own are absent or wrong.
    """

    pet: Path
    ct: Path | None
    segmentation: Path
    blood: tuple[Path, ...]
    route: str
    given_input: Path | None
    settings: StudySettings = field(default_factory=StudySettings)
    file: Path | None = None
    carried_from: "Study | None" = None
    frame_table: Path | None = None

    @property
    def files(self) -> list[Path]:
        """Every file and folder that the visit is computed from, the study file first, a sidecar after its file."""
        named = [self.file, self.pet, self.frame_table, self.ct, self.segmentation, *self.blood, self.given_input]
        if self.carried_from is not None:
            named += [self.carried_from.file, self.carried_from.ct]
        found = [path for path in named if path is not None]
        return [path for file in found for path in (file, *_sidecar(file))]


def _sidecar(file: Path) -> list[Path]:
    """The JSON beside a NIfTI or a table, which says what their numbers mean."""
    stem = next((file.name.removesuffix(s) for s in (".nii.gz", ".nii", ".tsv") if file.name.endswith(s)), None)
    beside = None if stem is None else file.with_name(f"{stem}.json")
    return [beside] if beside is not None and beside.is_file() else []


def study_of_bids(dataset: Path, participant: str, session: str | None, segmentation: Path | None) -> Study:
    """A visit of a PET-BIDS dataset as a study, with the default settings.

    segmentation: the regions; None takes the one .seg.nrrd or _dseg.nii.gz that lies in derivatives/*/ for the visit.
    A ready input curve (_bloodproc.tsv) is used where there is no image-derived one to make: where no raw blood is.
    Raises InputRefused ("bids-…").
    """
    found = find_bids(dataset, participant, session)
    where = "/".join(part for part in (found.participant, found.session) if part)
    if found.image is None:
        raise InputRefused("bids-image", "{where}/pet holds no image; 'fit' quantifies ready curves", where=where)
    if segmentation is None:
        pattern = f"derivatives/*/{where}/**/*"
        regions = sorted(f for f in dataset.glob(pattern) if f.name.endswith((".seg.nrrd", "_dseg.nii.gz")))
        if len(regions) != 1:
            problem = "holds several segmentations" if regions else "has no segmentation in derivatives"
            raise InputRefused(
                "bids-segmentation", "{where} {problem}; name one with --segmentation", where=where, problem=problem
            )
        segmentation = regions[0]
    given = found.bloodproc[0] if found.bloodproc and not found.blood else None
    return Study(
        pet=found.image,
        ct=None,
        segmentation=segmentation,
        blood=found.blood,
        route="unknown",
        given_input=given,
        settings=StudySettings(
            subject=found.participant.removeprefix("sub-"),
            session=(found.session or "ses-baseline").removeprefix("ses-"),
            input_source="given" if given else "image-derived",
        ),
    )


FILES = {
    "pet": ("path", "frames"),
    "ct": ("path",),
    "segmentation": ("path", "carried_from"),
    "blood": ("paths", "route"),
    "input": ("path",),
}
"""Keys of a study file that are no settings, by table."""
TABLES = ("subject", "pet", "ct", "segmentation", "blood", "input", "model")
KEYS = {table: (*FILES.get(table, ()), *(one.key for one in SETTINGS if one.table == table)) for table in TABLES}


def read_study(path: Path, may_carry: bool = True) -> Study:
    """Read and check a study.toml; may_carry: whether its regions may be carried from yet another visit.

    Raises InputRefused: "study-missing", "study-unreadable", "study-key" (with the line), "study-value".
    """
    file = read_toml(path, "study", missing="missing")
    file.check_tables(TABLES)
    for table, content in file.data.items():
        file.check_keys(table, content, KEYS[table])
    return _study(file, may_carry)


def _study(file: TomlFile, may_carry: bool) -> Study:
    data, folder = file.data, file.path.absolute().parent

    def wrong(table: str, key: str, wanted: str) -> InputRefused:
        problem = Text("[{table}] {key} must be {wanted}", table=table, key=key, wanted=wanted)
        return file.refuse("value", problem, file.line(table, 0, key if key in data.get(table, {}) else None))

    def value_of(table: str, key: str, kind: Kind, default: Any = None) -> Any:
        """What the file says, or the default; a key that is there and says nothing is refused."""
        content = data.get(table, {})
        try:
            return kind.accept(content[key]) if key in content else default
        except ValueError as error:
            raise wrong(table, key, kind.wanted) from error

    def existing(table: str, key: str, name: str) -> Path:
        found = folder / name
        if not found.exists():
            problem = Text(
                "[{table}] {key}: {found} does not exist; correct the path", table=table, key=key, found=found
            )
            raise file.refuse("missing", problem, file.line(table, 0, key))
        return found

    def file_of(table: str, key: str = "path") -> Path:
        name = value_of(table, key, Line())
        if name is None:
            raise wrong(table, key, Line().wanted)
        return existing(table, key, name)

    def other_visit() -> Study | None:
        """The visit whose regions are to be carried to this one."""
        content = data.get("segmentation", {})
        if "carried_from" not in content:
            return None
        if "path" in content:
            raise wrong("segmentation", "carried_from", Text("left out where path names regions drawn at this visit"))
        if not may_carry:
            raise wrong("segmentation", "carried_from", Text("left out where another visit's regions come from here"))
        other = read_study(file_of("segmentation", "carried_from"), may_carry=False)
        if other.ct is None or "ct" not in data:
            raise wrong("segmentation", "carried_from", Text("left out, or both visits have a CT, which carries them"))
        return other

    settings = StudySettings(**{one.name: value_of(one.table, one.key, one.kind, one.default) for one in SETTINGS})
    given, carried = settings.input_source == "given", other_visit()
    if not given and "path" in data.get("input", {}):
        raise wrong("input", "path", Text('left out, or source be "given"'))
    return Study(
        pet=file_of("pet"),
        ct=file_of("ct") if "ct" in data else None,
        segmentation=carried.segmentation if carried else file_of("segmentation"),
        blood=tuple(existing("blood", "paths", name) for name in value_of("blood", "paths", Several(), ())),
        route=value_of("blood", "route", Kind(ROUTES), "unknown"),
        given_input=file_of("input") if given else None,
        settings=settings,
        file=file.path,
        carried_from=carried,
        frame_table=file_of("pet", "frames") if "frames" in data.get("pet", {}) else None,
    )
