"""study.toml: one visit's files and choices. Unknown keys are refused with their line; paths are relative to it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .acquisition.bids import find_bids
from .acquisition.bids_anatomy import drawn_on as image_drawn_on
from .acquisition.blood_files import ROUTES
from .acquisition.files import check_link
from .acquisition.modality import MR
from .acquisition.participants import Person, read_person
from .acquisition.segmentation_files import table_of
from .acquisition.tables import sidecars
from .acquisition.volume_files import is_volume_file
from .kinetics.options import FROM_FILE
from .messages import InputRefused, Notice, Text
from .outcome.settings import GENOTYPES, LABEL, SETTINGS, StudySettings
from .settings import Kind, Line, Several
from .toml_file import TomlFile, read_toml

__all__ = ("GENOTYPES", "KEYS", "LABEL", "TABLES", "Study", "StudySettings", "read_study", "study_of_bids")


@dataclass(frozen=True)
class Study:
    """A visit's files, absolute, and its settings.

    ct: the CT, or the MR in its place. carried_from: the visit on whose CT the segmentation was drawn, where the
    regions are carried from another one. frame_table: starts and durations of the PET's frames, where its own are
    absent or wrong. frame_weights: the table that lists their weights. person: what a dataset's table of participants
    says. further_pet: the later parts of a scan that is kept in several. notices: what is to be known of the choice of
    these files.
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
    frame_weights: Path | None = None
    person: Person = field(default_factory=Person)
    further_pet: tuple[Path, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def blood_files(self) -> list[Path]:
        """What the input function is read from, image aside, the study file first."""
        return [path for path in (self.file, *self.blood, self.given_input) if path is not None]

    @property
    def files(self) -> list[Path]:
        """Every file and folder that the visit is computed from, the study file first, what belongs to a file next."""
        named = [
            self.file,
            self.pet,
            *self.further_pet,
            self.frame_table,
            self.ct,
            self.segmentation,
            *self.blood,
            self.given_input,
        ]
        named.append(self.frame_weights)
        if self.carried_from is not None:
            named += [self.carried_from.file, self.carried_from.ct]
        found = [path for path in named if path is not None]
        return [path for file in found for path in (file, *_read_with(file))]


def _read_with(file: Path) -> list[Path]:
    """What is read with a NIfTI or a table: the JSON that it has or inherits, and a label map's table of names."""
    if not (is_volume_file(file) or file.name.endswith(".tsv")):
        return []
    table = table_of(file) if is_volume_file(file) else None
    return [*sidecars(file), *([table] if table and table not in sidecars(file) else [])]


REGION_FILES = (".seg.nrrd", "_dseg.nii.gz", "_dseg.nii")


def study_of_bids(
    dataset: Path,
    participant: str,
    session: str | None,
    segmentation: Path | None,
    source: str | None = None,
    scan: str | None = None,
) -> Study:
    """A visit of a PET-BIDS dataset as a study, with the default settings, and the genotype of participants.tsv.

    segmentation: the regions; None takes the one .seg.nrrd or _dseg.nii.gz that lies in derivatives/*/ for the visit,
    or else for the subject. source: of the input function; None makes it image-derived where there is raw blood, and
    takes a ready curve (_bloodproc.tsv, _inputfunction.tsv) where there is none. scan: which of several of a session,
    see find_bids. The CT or MR is the image in anat/ whose voxels the regions have, see ``bids_anatomy``. Raises
    InputRefused ("bids-…", "table-…").
    """
    found = find_bids(dataset, participant, session, scan)
    where = "/".join(part for part in (found.participant, found.session) if part)
    if found.image is None:
        raise InputRefused("bids-image", "{where}/pet holds no image; 'fit' quantifies ready curves", where=where)
    if segmentation is None:
        # Some programs keep what is drawn once for all sessions with the subject.
        patterns = (f"derivatives/*/{where}/**/*", f"derivatives/*/{found.participant}/anat/*")
        drawn = ([f for f in sorted(dataset.glob(pattern)) if f.name.endswith(REGION_FILES)] for pattern in patterns)
        regions: list[Path] = next((files for files in drawn if files), [])
        if len(regions) != 1:
            problem = "holds several segmentations" if regions else "has no segmentation in derivatives"
            raise InputRefused(
                "bids-segmentation",
                "{where} {problem}; name one with quantify --segmentation",
                where=where,
                problem=problem,
            )
        segmentation = regions[0]
    source = source or ("given" if found.bloodproc and not found.blood else "image-derived")
    lacking = {"given": not found.bloodproc, "blood": not found.blood}
    if lacking.get(source, False):
        table = "_bloodproc.tsv or _inputfunction.tsv" if source == "given" else "_blood.tsv"
        raise InputRefused(
            "bids-blood", "{where}/pet holds no {table}; choose another --input", where=where, table=table
        )
    if source == "given" and len(found.bloodproc) > 1:
        raise InputRefused(
            "bids-blood",
            "{where} has several ready input functions ({names}); write a study.toml that names one of them as path "
            "under [input]",
            where=where,
            names=", ".join(file.relative_to(dataset).as_posix() for file in found.bloodproc),
        )
    person = read_person(dataset, found.participant, found.session)
    anatomy, modality, notices = image_drawn_on(dataset, found.participant, found.session, found.image, segmentation)
    return Study(
        pet=found.image,
        ct=anatomy,
        segmentation=segmentation,
        blood=found.blood,
        route="unknown",
        given_input=found.bloodproc[0] if source == "given" else None,
        person=person,
        settings=StudySettings(
            genotype=person.genotype,
            subject=found.participant.removeprefix("sub-"),
            session=(found.session or "ses-baseline").removeprefix("ses-"),
            input_source=source,
            anatomical_modality=modality,
        ),
        notices=notices,
    )


FILES = {
    "pet": ("path", "frames"),
    "ct": ("path",),
    "mr": ("path",),
    "segmentation": ("path", "carried_from"),
    "blood": ("paths", "route"),
    "input": ("path",),
    "model": ("weights_path",),
}
"""Keys of a study file that are no settings, by table."""
TABLES = ("subject", "pet", "ct", "mr", "segmentation", "blood", "input", "model", "outcome")
KEYS = {
    table: (*FILES.get(table, ()), *(setting.key for setting in SETTINGS if setting.table == table))
    for table in TABLES
}


CHOICES = {
    table: tuple(setting.key for setting in SETTINGS if setting.table == table)
    for table in TABLES
    if table != "subject" and any(setting.table == table for setting in SETTINGS)
}
"""Keys that a file of choices for many visits may have, by table."""


def read_choices(path: Path) -> dict[str, Any]:
    """Settings by name from a file like a study's, without files and persons: for every visit of a dataset.

    Raises InputRefused: "study-missing", "study-unreadable", "study-key" (with the line), "study-value".
    """
    file = read_toml(path, "study", missing="missing")
    file.check_tables(CHOICES)
    chosen = {}
    for table, content in file.data.items():
        file.check_keys(table, content, CHOICES[table])
        for setting in SETTINGS:
            if setting.table == table and setting.key in content:
                try:
                    chosen[setting.name] = setting.kind.accept(content[setting.key])
                except ValueError as error:
                    raise file.wrong(table, setting.key, setting.kind.wanted) from error
    return chosen


def read_study(path: Path, may_carry: bool = True) -> Study:
    """Read and check a study.toml; may_carry: whether its regions may be carried from yet another visit.

    Raises InputRefused: "study-missing", "study-unreadable", "study-key" (with the line), "study-value".
    """
    return study_file(path, may_carry).study


def study_file(path: Path, may_carry: bool = True) -> "StudyFile":
    """A study file with its keys checked, for what is read before all of its files exist. Raises as read_study."""
    file = read_toml(path, "study", missing="missing")
    file.check_tables(TABLES)
    homes = {key: table for table, keys in KEYS.items() for key in keys if key != "path"}
    for table, content in file.data.items():
        file.check_keys(table, content, KEYS[table], homes=homes)
    return StudyFile(file, may_carry)


@dataclass(frozen=True)
class StudyFile:
    """A study file whose keys are known; what its values say is refused with their line."""

    file: TomlFile
    may_carry: bool

    @property
    def settings(self) -> StudySettings:
        settings = StudySettings(
            **{
                setting.name: self.value(setting.table, setting.key, setting.kind, setting.default)
                for setting in SETTINGS
            }
        )
        return replace(settings, anatomical_modality=MR) if "mr" in self.file.data else settings

    @property
    def study(self) -> Study:
        settings = self.settings
        self.check_choices(settings)
        carried = self.other_visit()
        first, *further = self.pet_parts()
        given = settings.input_source in ("given", "population")
        return Study(
            pet=first,
            further_pet=tuple(further),
            ct=self.anatomical,
            segmentation=carried.segmentation if carried else self.path_at("segmentation"),
            blood=tuple(self.existing("blood", "paths", name) for name in self.value("blood", "paths", Several(), ())),
            route=self.value("blood", "route", Kind(ROUTES), "unknown"),
            given_input=self.path_at("input") if given else None,
            settings=settings,
            file=self.file.path,
            carried_from=carried,
            frame_table=self.frame_table,
            frame_weights=self.path_at("model", "weights_path") if settings.weights == FROM_FILE else None,
        )

    @property
    def frame_table(self) -> Path | None:
        return self.path_at("pet", "frames") if "frames" in self.table("pet") else None

    @property
    def anatomical(self) -> Path | None:
        """The CT or MR. Raises InputRefused ("study-value") for both."""
        if "ct" in self.file.data and "mr" in self.file.data:
            raise self.file.wrong(
                "mr", "path", Text("left out: [ct] path names an image, too, and the regions were drawn on one")
            )
        return self.path_at(self.drawn_on) if self.drawn_on in self.file.data else None

    def check_choices(self, settings: StudySettings) -> None:
        """Refuse files that the settings leave unused."""
        if "path" in self.table("input") and settings.input_source not in ("given", "population"):
            raise self.file.wrong("input", "path", Text('left out, or source be "given" or "population"'))
        if "weights_path" in self.table("model") and settings.weights != FROM_FILE:
            raise self.file.wrong("model", "weights_path", Text('left out, or weights be "file"'))

    def table(self, name: str) -> dict[str, Any]:
        """A table of the file, empty where it has none."""
        content: dict[str, Any] = self.file.data.get(name, {})
        return content

    @property
    def drawn_on(self) -> str:
        """The table of the image on which the regions were drawn."""
        return "mr" if "mr" in self.file.data else "ct"

    def value(self, table: str, key: str, kind: Kind, default: Any = None) -> Any:
        """What the file says, or the default; a key that is there and says nothing is refused."""
        content = self.table(table)
        try:
            return kind.accept(content[key]) if key in content else default
        except ValueError as error:
            raise self.file.wrong(table, key, kind.wanted) from error

    def existing(self, table: str, key: str, name: str) -> Path:
        path = self.file.path.absolute().parent / name
        if not path.exists():
            check_link(path)
            problem = Text(
                "[{table}] {key}: {found} does not exist; correct the path", table=table, key=key, found=path
            )
            raise self.file.refuse("missing", problem, self.file.line(table, 0, key))
        return path

    def path_at(self, table: str, key: str = "path") -> Path:
        """The file or folder that a key must name."""
        name = self.value(table, key, Line())
        if name is None:
            raise self.file.wrong(table, key, Line().wanted)
        return self.existing(table, key, name)

    def pet_parts(self) -> list[Path]:
        """One path, or a list of the scan's parts in their order."""
        if not isinstance(self.table("pet").get("path"), list):
            return [self.path_at("pet")]
        return [self.existing("pet", "path", name) for name in self.value("pet", "path", Several(empty=False))]

    def other_visit(self) -> Study | None:
        """The visit whose regions are to be carried to this one."""
        content = self.table("segmentation")
        if "carried_from" not in content:
            return None
        if "path" in content:
            raise self.wrong_carried(Text("left out where path names regions drawn at this visit"))
        if not self.may_carry:
            raise self.wrong_carried(Text("left out where another visit's regions come from here"))
        other = read_study(self.path_at("segmentation", "carried_from"), may_carry=False)
        if other.ct is None or self.drawn_on not in self.file.data:
            raise self.wrong_carried(Text("left out, or both visits have a CT or an MR, which carries them"))
        return other

    def wrong_carried(self, wanted: Text) -> InputRefused:
        return self.file.wrong("segmentation", "carried_from", wanted)
