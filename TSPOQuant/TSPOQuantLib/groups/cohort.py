"""A group as arrays are made from: every value of every visit, and what the dataset's tables say of each."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..acquisition.tables import MISSING_CELLS, read_table, split_unit
from ..kinetics.models import MODELS
from ..messages import InputRefused, Listed, Notice, Notices, Text, located
from ..outcome.record import FILE, VisitRecord, read_record
from ..outcome.sessions import in_order
from ..outcome.settings import UNNAMED
from ..outcome.uptake import region_uptake
from ..quantities import UNITS
from ..regions.anatomy import ANATOMY_ONLY, identify, read_name
from .covariates import AFFECTED, BOTH, CONDITION, RETEST, TEST, covariates_of, one_spelling
from .estimates import Array

KINPAR = re.compile(r"model-(?P<model>[^_]+?)(_pvc-(?P<pvc>[^_]+))?_kinpar\.tsv")
OUTCOMES = ("VT", "Ki", "K1", "VB", "VT/fP", "VS")
"""Numbers of a fit that a group is told of: macroparameters, and the two that single scans tell well."""
RATIOS = ("SUV", "SUVR", "TBR-PP", "TBR-WB")
NO_MODEL = "none"
"""Of ratios, which need no fit."""
MACRO = ("VT", "Ki", "VT/fP", "VS")
NOT_POSITIVE = "not-positive"
UNDETERMINED = ("not-identifiable", NOT_POSITIVE, "se-large", "vt-beyond-scan")
"""Flags of a fit whose macroparameters the data do not tell: such values are left out, and named. A choice."""
CRITERIA = ("AIC", "AICc", "BIC")
KEPT = (*OUTCOMES, *CRITERIA)
"""Columns that are read of a table of parameters."""
NO_PVC = "none"
FORAMEN = "foramen"


@dataclass(frozen=True)
class Value:
    """One number of one region at one visit, nan where it was not estimated.

    outcome: a key of quantities.BY_KEY. place: "foramen C6/C7 left" where structure, level and side are known, else
    the region's name. flags: codes. criteria: by name, of the fit.
    """

    participant: str
    session: str
    outcome: str
    model: str
    pvc: str
    place: str
    structure: str
    level: str
    side: str
    value: float
    flags: tuple[str, ...] = ()
    criteria: Mapping[str, float] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        return UNITS[self.outcome]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the data do not tell it; empty where they do."""
        undetermined = tuple(flag for flag in self.flags if flag in UNDETERMINED) if self.outcome in MACRO else ()
        if not undetermined and self.outcome in MACRO and self.value <= 0:
            return (NOT_POSITIVE,)
        return undetermined or (() if math.isfinite(self.value) else ("not-estimated",))


ANOTHER_UNIT = 30.0
"""Values further from the usual one of their kind than this factor, up or down, are not of one unit: a choice, between
what people differ by and the slips of 60 and 1000."""
MAY_VANISH = ("VB", "VS", "Ki")
"""What may be next to nothing in a region, and is then in no other unit."""


@dataclass(frozen=True)
class Visit:
    """One visit. covariates: what tables and images say of it, by column. record: where quantify wrote one."""

    participant: str
    session: str
    covariates: Mapping[str, str] = field(default_factory=dict)
    record: VisitRecord | None = None

    @property
    def affected(self) -> str:
        """The place of the affected foramen ("foramen C6/C7 left"), "" where none is told."""
        anatomy = read_name(f"foramen {self.covariates.get(AFFECTED, '')}").anatomy
        return f"foramen {anatomy.level} {anatomy.side}" if anatomy.level and anatomy.side != "midline" else ""

    @property
    def name(self) -> str:
        return f"sub-{self.participant} ses-{self.session}"


@dataclass(frozen=True)
class Lost:
    """A visit, or a comparison of visits, that is missing, and why."""

    participant: str
    session: str
    code: str
    message: str

    @property
    def of_visits(self) -> bool:
        """Whether it is a comparison, whose session names all visits with blanks between."""
        return " " in self.session


@dataclass(frozen=True)
class Cohort:
    """name: of the folder. lost: what could not be quantified or compared. left_out: values that the data do not tell.

    values: all the others. notices: what the dataset's tables leave unsaid.
    """

    name: str
    visits: tuple[Visit, ...]
    values: tuple[Value, ...]
    lost: tuple[Lost, ...] = ()
    left_out: tuple[Value, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def participants(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(visit.participant for visit in self.visits))

    @property
    def simulated(self) -> bool:
        return any(visit.record is not None and visit.record.acquisition.simulated for visit in self.visits)

    @property
    def affected(self) -> dict[str, str]:
        """The place of the affected foramen by participant, as the first visit that tells one has it."""
        told: dict[str, str] = {}
        for visit in self.visits:
            if visit.affected:
                told.setdefault(visit.participant, visit.affected)
        return told

    def sessions(self, participant: str) -> tuple[str, ...]:
        """A person's visits, in the order of the cohort."""
        return tuple(visit.session for visit in self.visits if visit.participant == participant)

    def first_visits(self) -> tuple[Visit, ...]:
        """Each person's first visit; nobody's whose first one is missing, see ``without_first``."""
        first = {visit.participant: visit for visit in reversed(self.visits)}
        missing = self.without_first()
        return tuple(first[who] for who in self.participants if who not in missing)

    def without_first(self) -> tuple[str, ...]:
        """People whose first visit is a later one of others, or who lost an earlier one."""
        own = {who: self.sessions(who) for who in self.participants}
        later = {session for sessions in own.values() for session in sessions[1:]}
        lost = {who: [visit.session for visit in self.lost_visits if visit.participant == who] for who in own}
        return tuple(
            who for who, (first, *_) in own.items() if first in later or in_order([first, *lost[who]])[0] != first
        )

    @property
    def lost_visits(self) -> tuple[Lost, ...]:
        """Those of ``lost`` that are visits."""
        return tuple(lost for lost in self.lost if not lost.of_visits)

    def session_pairs(self) -> tuple[tuple[str, str], ...]:
        """Each person's first session with each later one, by label."""
        missing = self.without_first()
        own = [self.sessions(who) for who in self.participants if who not in missing]
        return tuple(dict.fromkeys((first, session) for first, *later in own for session in later))

    def visit(self, participant: str, session: str) -> Visit | None:
        return next((v for v in self.visits if (v.participant, v.session) == (participant, session)), None)

    def kinds(self) -> tuple[tuple[str, str, str], ...]:
        """(outcome, model, correction) of all values, each once."""
        return tuple(dict.fromkeys((value.outcome, value.model, value.pvc) for value in self.values))

    def of_kind(self, outcome: str, model: str, pvc: str) -> tuple[Value, ...]:
        return tuple(v for v in self.values if (v.outcome, v.model, v.pvc) == (outcome, model, pvc))


def matrix(values: Iterable[Value], visits: Sequence[tuple[str, str]], places: Sequence[str]) -> Array:
    """(visits, places): the values, nan where there is none. visits: (participant, session)."""
    rows = {visit: row for row, visit in enumerate(visits)}
    columns = {place: column for column, place in enumerate(places)}
    table = np.full((len(visits), len(places)), np.nan)
    for value in values:
        row, column = rows.get((value.participant, value.session)), columns.get(value.place)
        if row is not None and column is not None:
            table[row, column] = value.value
    return table


# --- Reading ---------------------------------------------------------------------------------------------------------


def read_cohort(folder: Path, dataset: Path | None = None, keep_flagged: bool = False) -> Cohort:
    """What ``cohort`` wrote, or folders ``sub-…/ses-…`` that ``quantify`` or ``fit`` did, with a dataset's own tables.

    keep_flagged: values that the data do not tell stay, as long as they are numbers.

    Raises InputRefused: "group-empty", what covariates_of raises, and what reading a record or a table raises.
    """
    visits: list[Visit] = []
    values: list[Value] = []
    unread = Notices()
    sessions: dict[str, dict[str, Path]] = {}
    for path in sorted(folder.glob("sub-*/ses-*")):
        sessions.setdefault(path.parent.name[4:], {})[path.name[4:]] = path
    for participant, session in ((who, label) for who, places in sessions.items() for label in in_order(places)):
        read = _of_folder(sessions[participant][session], participant, session, unread)
        if read is not None:
            visits.append(read[0])
            values += read[1]
    unread += _misnamed(folder)
    if not visits:
        raise InputRefused(
            "group-empty",
            "{folder} holds no sub-…/ses-… folder with results{unread}; name what cohort wrote, or put what quantify "
            "or fit wrote into such folders",
            folder=folder,
            unread=Text(" ({message})", message=unread[0].message) if unread else "",
        )
    notices: tuple[Notice, ...] = ()
    if dataset is not None:
        labels = [(visit.participant, visit.session) for visit in visits]
        by_visit, notices = covariates_of(dataset, labels, [visit.covariates for visit in visits])
        merged = one_spelling([{**visit.covariates, **cells} for visit, cells in zip(visits, by_visit, strict=True)])
        visits = [replace(visit, covariates=cells) for visit, cells in zip(visits, merged, strict=True)]
    values = [value for value in values if value.outcome not in RATIOS or math.isfinite(value.value)]
    spelled = one_spelling([{"": value.place} for value in values])
    values = [replace(value, place=place[""]) for value, place in zip(values, spelled, strict=True)]
    _check_once(values)
    notices = (*notices, *unread, *_of_others(visits), *_odd([value for value in values if not value.reasons]))
    out = [value for value in values if (value.reasons and not keep_flagged) or not math.isfinite(value.value)]
    dropped = set(map(id, out))
    kept = tuple(value for value in values if id(value) not in dropped)
    return Cohort(folder.resolve().name, tuple(visits), kept, _lost(folder), tuple(out), notices)


def _of_folder(place: Path, participant: str, session: str, unread: Notices) -> tuple[Visit, list[Value]] | None:
    """A visit and its values; None where there are none. unread: gathers what could not be read."""
    record = read_record(place) if (place / FILE).is_file() else None
    visit = Visit(participant, session, {} if record is None else _covariates_in(record), record)
    if record is not None:
        return visit, _of_record(visit, record)
    tables = [(path, known) for path in sorted(place.glob("*_kinpar.tsv")) if (known := KINPAR.search(path.name))]
    try:
        values = [
            value
            for path, known in tables
            for value in _of_table(visit, path, known["model"], known["pvc"] or NO_PVC, unread)
        ]
    except InputRefused as reason:
        raise located(reason, visit.name) from None
    if not values and not tables:
        unread.add(
            "group-unread",
            "the folder of {visit} holds neither a {record} nor a _kinpar.tsv, and is left out",
            visit=visit.name,
            record=FILE,
        )
    return (visit, values) if values else None


def _misnamed(folder: Path) -> list[Notice]:
    """Folders of visits with results that are not called as such."""
    files = [path for name in (FILE, "*_kinpar.tsv") for path in folder.glob(f"*/*/{name}")]
    places = {path.parent.relative_to(folder) for path in files}
    right = {p for p in places if p.parts[0].startswith("sub-") and p.parts[1].startswith("ses-")}
    odd = sorted(str(p) for p in places - right if not any(part.startswith(".") for part in p.parts))
    if not odd:
        return []
    return [
        Notice(
            "group-folders",
            "results in folders that are not called sub-…/ses-… are left out ({folders}); rename them",
            folders=Listed(odd),
        )
    ]


def _of_others(visits: Sequence[Visit]) -> list[Notice]:
    """Tell of folders that hold the results of another person or session than they are called by."""
    notices = Notices()
    for visit in visits:
        record = visit.record
        if record is None or record.subject == UNNAMED:
            continue
        if (record.subject.casefold(), record.session.casefold()) != (
            visit.participant.casefold(),
            visit.session.casefold(),
        ):
            notices.add(
                "group-other",
                "the folder of {visit} holds results that were made as {subject}, {session}; make sure that they "
                "are of this visit",
                visit=visit.name,
                subject=record.subject,
                session=record.session,
            )
    return notices


def _check_once(values: Sequence[Value]) -> None:
    """Refuse ("group-place") two values of one place, model and visit, of which only one can be right."""
    known: set[tuple[str, ...]] = set()
    for value in values:
        key = (value.participant, value.session, value.outcome, value.model, value.pvc, value.place)
        if key in known:
            raise InputRefused(
                "group-place",
                "sub-{participant} ses-{session} has two values of {outcome} by {model} in {place}; remove one of the "
                "two regions from its results",
                participant=value.participant,
                session=value.session,
                outcome=value.outcome,
                model=value.model,
                place=value.place,
            )
        known.add(key)


def _odd(values: Sequence[Value]) -> list[Notice]:
    """Tell of values that are in another unit than all others of their kind: no two people differ so much."""
    kinds: dict[tuple[str, ...], list[Value]] = {}
    for value in values:
        if value.value > 0:
            kinds.setdefault((value.outcome, value.model, value.pvc, value.structure), []).append(value)
    notices = []
    for same in kinds.values():
        usual = float(np.median([value.value for value in same]))
        notices += [
            Notice(
                "group-value-odd",
                "sub-{participant} ses-{session}: {outcome} by {model} in {place} is {value:.3g}, where {usual:.3g} "
                "is usual here: is it in another unit? correct it, or leave the visit out",
                participant=value.participant,
                session=value.session,
                outcome=value.outcome,
                model=value.model,
                place=value.place,
                value=value.value,
                usual=usual,
            )
            for value in same
            if value.value > ANOTHER_UNIT * usual
            or (value.value < usual / ANOTHER_UNIT and value.outcome not in MAY_VANISH)
        ]
    return notices


def _covariates_in(record: VisitRecord) -> dict[str, str]:
    """Covariates that images and study tell: see README."""
    scan = record.acquisition
    scanner = " ".join(part for part in (scan.manufacturer, scan.scanner_model) if part)
    covariates = {"genotype": record.genotype, "scanner": scanner}
    if scan.injected_mbq is not None:
        covariates["injected_mbq"] = f"{scan.injected_mbq:.6g}"
    if record.motion is not None:
        covariates["motion_mm"] = f"{float(np.max(record.motion.displacement_mm)):.4g}"
    return {name: cell for name, cell in covariates.items() if cell and cell != "unknown"}


def _of_record(visit: Visit, record: VisitRecord) -> list[Value]:
    values = []
    # A model that only some curves asked for was fitted to a choice of the cohort, which is no cohort.
    named = record.settings.get("models", record.models)
    for fit in (fit for fit in record.fits if fit.model in named):
        region = record.region(fit.region)
        criteria = {"AIC": fit.aic, "AICc": fit.aicc, "BIC": fit.bic}
        flags = tuple(flag.code for flag in fit.flags)
        values += [
            _value(visit, name, fit.model, fit.pvc, region.name, region.place, fit.parameters[name], flags, criteria)
            for name in OUTCOMES
            if name in fit.parameters
        ]
    for region in record.regions:
        for pvc in dict.fromkeys((NO_PVC, record.pvc if region.corrected else NO_PVC)):
            try:
                uptake = region_uptake(record, region, pvc)
            except InputRefused:  # a window without frames
                continue
            values += [
                _value(visit, name, NO_MODEL, pvc, region.name, region.place, uptake.value(name), (), {})
                for name in RATIOS
            ]
    return values


def _of_table(visit: Visit, path: Path, named: str, pvc: str, unread: Notices) -> list[Value]:
    """Values of a table of one model; unread: gathers tables without a model, regions or the model's own number."""
    columns = {split_unit(column.name)[0].casefold(): column for column in read_table(path, units=False)}
    model = next((model for model in MODELS if model.casefold() == named.casefold()), None)
    if model is None or not {"region", MODELS[model].outcome.casefold()} <= set(columns):
        wanted = Listed(MODELS) if model is None else Listed(("region", MODELS[model].outcome))
        unread.add(
            "group-unread",
            "{file} of {visit} is left out: the model in its name must be one of {wanted}"
            if model is None
            else "{file} of {visit} is left out: it must have the columns {wanted}",
            file=path.name,
            visit=visit.name,
            wanted=wanted,
        )
        return []
    numbers = {name: columns[name.casefold()].numbers() for name in KEPT if name.casefold() in columns}
    values = []
    for row, name in enumerate(columns["region"].words()):
        anatomy = identify(name, {})
        cell = columns["flags"].cells[row] if "flags" in columns else ""
        flags = tuple(flag for flag in re.split(r"[;,\s]+", cell) if flag and flag not in MISSING_CELLS)
        criteria = {key: float(numbers[key][row]) for key in CRITERIA if key in numbers}
        values += [
            _value(visit, key, model, pvc, name, anatomy.place, float(numbers[key][row]), flags, criteria)
            for key in OUTCOMES
            if key in numbers and anatomy.structure not in ANATOMY_ONLY
        ]
    return values


def _value(
    visit: Visit,
    outcome: str,
    model: str,
    pvc: str,
    region: str,
    where: tuple[str, str, str],
    value: float,
    flags: tuple[str, ...],
    criteria: Mapping[str, float],
) -> Value:
    structure, level, side = where
    place = " ".join((structure, level, *([] if side == "midline" else [side]))) if level else region
    return Value(
        visit.participant, visit.session, outcome, model, pvc, place, structure, level, side, value, flags, criteria
    )


def _lost(folder: Path) -> tuple[Lost, ...]:
    """The rows of cohort.tsv and comparisons.tsv that tell of a refusal or a failure."""
    lost = []
    for name in ("cohort.tsv", "comparisons.tsv"):
        path = folder / name
        if path.is_file() and len(path.read_text(encoding="utf-8").splitlines()) > 1:
            columns = {column.name: column.cells for column in read_table(path, units=False)}
            rows = zip(*(columns[key] for key in ("participant", "session", "status", "code", "message")), strict=True)
            lost += [
                Lost(who.removeprefix("sub-"), " ".join(label.removeprefix("ses-") for label in session.split()), *why)
                for who, session, status, *why in rows
                if status not in ("done", "kept")
            ]
    return tuple(lost)


# --- Which visits belong together ------------------------------------------------------------------------------------

Pair = tuple[str, str, str]
"""Participant, first and second session."""


def pairs_of(cohort: Cohort, sessions: tuple[str, str]) -> tuple[Pair, ...]:
    """Everybody with both sessions. Raises InputRefused ("group-session") where nobody has."""
    first, second = (label.removeprefix("ses-") for label in sessions)
    pairs = [(who, first, second) for who in cohort.participants if {first, second} <= set(cohort.sessions(who))]
    if not pairs or first == second:
        known = Listed(dict.fromkeys(visit.session for visit in cohort.visits))
        raise InputRefused(
            "group-session",
            "nobody has both sessions, {first} and {second}; the sessions are {known}: name two of them",
            first=first,
            second=second,
            known=known,
        )
    return tuple(pairs)


def half_pairs(cohort: Cohort, pairs: Sequence[Pair]) -> tuple[str, ...]:
    """People whom the column "condition" marks, and who make no pair."""
    whole = {who for who, _, _ in pairs}
    marked = dict.fromkeys(v.participant for v in cohort.visits if v.covariates.get(CONDITION) in (TEST, RETEST, BOTH))
    return tuple(who for who in marked if who not in whole)


def test_retest_pairs(cohort: Cohort) -> tuple[Pair, ...]:
    """Pairs that a column "condition" marks: "test" and "retest" of two sessions, or "test-retest" of a person with
    two; empty where none does."""
    pairs = []
    for who in cohort.participants:
        own = [visit for visit in cohort.visits if visit.participant == who]
        conditions = [visit.covariates.get(CONDITION, "") for visit in own]
        if conditions.count(TEST) == conditions.count(RETEST) == 1:
            pairs.append((who, own[conditions.index(TEST)].session, own[conditions.index(RETEST)].session))
        elif conditions == [BOTH, BOTH]:
            pairs.append((who, own[0].session, own[1].session))
    return tuple(pairs)
