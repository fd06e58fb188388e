"""Records without what could tell who was scanned, and when: everything that is written from them is free of it.

Removed or replaced: subject and session labels, names of regions that a person chose, names and hashes of files,
clock times and dates, the trace of the patient's ID, free text of the clinical record and the wash-out note. Kept:
what the measurement needs (dose, weight, genotype, scanner, reconstruction, tracer, frames), scores, and the sources
of repeatability coefficients.
"""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from string import Formatter
from typing import Any

from ..acquisition.segmentation import TAG_PREFIX, Segment, Segmentation
from ..alignment.fused import FusedImages
from ..levels import LEVELS, VERTEBRAE
from ..messages import Notice, Text
from ..outcome.clinical import COMPONENTS, Clinical, Treatment
from ..outcome.record import VisitRecord
from ..outcome.settings import SETTINGS
from ..regions.anatomy import Anatomy, identify, read_name
from ..regions.region import plain_name
from ..regions.template import name_of

SUBJECT = "anonymous"
REMOVED = "text removed"
TREATMENT = "neural tissue management"
"""The one kind of treatment that is told by name; other words of the record are not."""
CHOICES = frozenset(setting.name for setting in SETTINGS if not setting.kind.free)
"""Settings whose text is one of the program's own words; other text is removed, unless it is one of these, too."""
WORDS = {setting.name: ("", setting.default, *setting.kind.words) for setting in SETTINGS}
OF_A_REGION = ("unaffected", "reference")
"""Settings that may hold the name of a region."""
PASSED_ON = ("versions", "time_zero", "decay_correction", "mask", "frame_weights")
"""What of the provenance is passed on as it is."""


@dataclass(frozen=True)
class Hidden:
    """What stands for what. names: of regions; sessions: labels; salt: unknown to anyone, one a run, for UIDs.

    texts: of settings, by the setting and its text; two that differ are told apart, as visits may have to share them.
    """

    names: Mapping[str, str]
    sessions: Mapping[str, str]
    salt: str
    texts: Mapping[tuple[str, str], str]

    def region(self, name: str, unknown: str) -> str:
        """The public name of a region, as a study names it."""
        anatomy = _named(name)
        return self.names.get(plain_name(name)) or (name_of(anatomy).strip() if anatomy.level else unknown)

    def segmentation(self, drawn: Segmentation) -> Segmentation:
        """Segments by their public names, without tags but those of their anatomy, and without notices."""
        known = [
            (plain_name(segment.name), _known(identify(segment.name, segment.tags))) for segment in drawn.segments
        ]
        names = public_names(known, self.names)
        segments = []
        for number, (segment, (name, anatomy)) in enumerate(zip(drawn.segments, known, strict=True), start=1):
            tags = {"Structure": anatomy.structure, "Level": anatomy.level, "Root": anatomy.root, "Side": anatomy.side}
            own = {TAG_PREFIX + key: value for key, value in tags.items() if value}
            segments.append(Segment(f"Segment_{number}", names[name], segment.mask, segment.color, own))
        return Segmentation(drawn.grid, tuple(segments))

    def images(self, images: FusedImages) -> FusedImages:
        """What pictures of a visit are drawn from, by its public labels."""
        session = self.sessions[images.session]
        return replace(images, subject=SUBJECT, session=session, regions=self.segmentation(images.regions))


def hide(
    records: Sequence[VisitRecord], clinical: Clinical | None = None
) -> tuple[tuple[VisitRecord, ...], Clinical | None, Hidden]:
    """The records and the clinical record as they may be told, and what stands for what.

    Sessions become visit1, visit2 … in the order given.
    """
    sessions = {label: f"visit{n}" for n, label in enumerate(dict.fromkeys(r.session for r in records), start=1)}
    places = [(r.name, _known(r)) for v in records for r in v.regions]
    places += [(v.reference.name, _named(v.reference.name)) for v in records if v.reference is not None]
    hidden = Hidden(public_names(places), sessions, secrets.token_hex(16), _texts(records))
    keys = dict.fromkeys(record.acquisition.patient_key for record in records)
    people = {key: f"patient{number}" for number, key in enumerate(keys, start=1) if key is not None}
    shown = tuple(_record(record, hidden, people.get(record.acquisition.patient_key or "")) for record in records)
    return shown, _clinical(clinical, sessions) if clinical else None, hidden


def public_names(places: Iterable[tuple[str, Anatomy]], taken: Mapping[str, str] | None = None) -> dict[str, str]:
    """What stands for each name: the program's own name of its anatomy, numbered where it stands twice."""
    names = dict(taken or {})
    for name, anatomy in places:
        if name not in names:
            known = anatomy.structure != "foramen" or anatomy.level in LEVELS
            base = name_of(anatomy).strip() if known else anatomy.structure
            free = (base if number == 1 else f"{base} {number}" for number in range(1, len(names) + 3))
            names[name] = next(label for label in free if label not in names.values())
    return names


def _named(name: str) -> Anatomy:
    """What a name alone tells of a region."""
    return _known(read_name(name).anatomy)


def _known(anatomy: Anatomy) -> Anatomy:
    """An anatomy whose level and root are real ones; tags can hold any text."""
    level = anatomy.level if anatomy.level in (*LEVELS, *VERTEBRAE) else ""
    side = anatomy.side if anatomy.side in ("left", "right") else "midline"
    return Anatomy(anatomy.structure, level, LEVELS[level].root if level in LEVELS else "", side)


def _record(record: VisitRecord, hidden: Hidden, patient: str | None) -> VisitRecord:
    session = hidden.sessions[record.session]
    settings = _settings(record.settings, session, hidden)
    input_settings = _plain(record.input.settings)
    provenance = {key: record.provenance[key] for key in PASSED_ON if key in record.provenance}
    return replace(
        record,
        subject=SUBJECT,
        session=session,
        acquisition=replace(record.acquisition, patient_key=patient, time_zero_at=None),
        settings=settings,
        rows=tuple(
            replace(
                row,
                visit=session,
                region=hidden.names[row.region],
                **_known(row).named,
                flags=_notices(row.flags, hidden),
            )
            for row in record.rows
        ),
        regions=tuple(
            replace(
                region,
                name=hidden.names[region.name],
                **_known(region).named,
                carried_from=hidden.sessions.get(region.carried_from, "another visit") if region.carried_from else "",
                notices=_notices(region.notices, hidden),
            )
            for region in record.regions
        ),
        fits=tuple(
            replace(fit, region=hidden.names[fit.region], flags=_notices(fit.flags, hidden)) for fit in record.fits
        ),
        sensitivities=tuple(
            replace(sensitivity, region=hidden.names[sensitivity.region]) for sensitivity in record.sensitivities
        ),
        input=replace(record.input, settings=input_settings),
        quality=_notices(record.quality, hidden),
        # They name files.
        notices=tuple(Notice.of(notice.code, notice.code.replace("-", " ")) for notice in record.notices),
        provenance={"inputs": [], **provenance, "settings": settings, "input_function": input_settings},
        reference=record.reference and replace(record.reference, name=hidden.names[record.reference.name]),
    )


def _settings(settings: Mapping[str, Any], session: str, hidden: Hidden) -> dict[str, Any]:
    choices: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, str):
            text = hidden.texts.get((key, value), value)
            choices[key] = hidden.region(value, text) if key in OF_A_REGION and text != value else text
        elif key in CHOICES or not _holds_text(value):
            choices[key] = value
    names = [hidden.names[name] for name in settings.get("pvc_regions", []) if name in hidden.names]
    choices["leave_out"] = dict.fromkeys(settings.get("leave_out", {}), REMOVED)
    return {**choices, "subject": SUBJECT, "session": session, "pvc_regions": names}


def _free(key: str, value: Any) -> bool:
    """Whether a setting's value is a text in somebody's own words."""
    return isinstance(value, str) and key not in CHOICES and value not in WORDS.get(key, ("",))


def _texts(records: Sequence[VisitRecord]) -> dict[tuple[str, str], str]:
    """What stands for each text of settings, numbered where a setting has several."""
    texts: dict[tuple[str, str], str] = {}
    for key, value in (item for record in records for item in record.settings.items() if _free(*item)):
        number = 1 + sum(known == key for known, _ in texts)
        texts.setdefault((key, value), REMOVED if number == 1 else f"{REMOVED} {number}")
    return texts


def _holds_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and any(_holds_text(item) for item in value))


def _plain(value: Any) -> Any:
    """Settings of the input function: numbers, and texts that are a word of the program's own."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if not isinstance(value, str) or re.fullmatch(r"[A-Za-z0-9-]{0,32}", value) else REMOVED


def _notices(notices: Sequence[Notice], hidden: Hidden) -> tuple[Notice, ...]:
    return tuple(Notice(notice.code, _passed_on(notice.message, hidden.names)) for notice in notices)


def _passed_on(message: Text, names: Mapping[str, str]) -> Text:
    """A message as it may be told, with its values where these tell no more than that."""
    safe = _without_names(message, names)
    shown = {key for _, key, _, _ in Formatter().parse(message.template) if key}
    values = {key: value for key, value in message.values.items() if key in shown}
    values |= {key: names[value] for key, value in values.items() if isinstance(value, str) and value in names}
    renamed = Text(message.template, **values)
    return renamed if renamed == safe else Text.of(safe)


def _without_names(message: str, names: Mapping[str, str]) -> str:
    """A message about regions: their public names for their own, and nothing in quotes that is not one of these."""
    ordered = sorted(names, key=len, reverse=True)
    for number, name in enumerate(ordered):
        message = message.replace(f"'{name}'", f"\0{number}\0")
    message = re.sub(r"'.*'", f"({REMOVED})", message, flags=re.DOTALL)
    return re.sub("\0(\\d+)\0", lambda match: f"'{names[ordered[int(match[1])]]}'", message)


def _clinical(clinical: Clinical, sessions: Mapping[str, str]) -> Clinical:
    return replace(
        clinical,
        visits={sessions[label]: scores for label, scores in clinical.visits.items() if label in sessions},
        remarks={sessions[label]: remark for label, remark in clinical.remarks.items() if label in sessions},
        dates={},
        treatments=tuple(_treatment(treatment) for treatment in clinical.treatments),
    )


def _treatment(treatment: Treatment) -> Treatment:
    return replace(
        treatment,
        kind=treatment.kind if treatment.kind == TREATMENT else REMOVED,
        start=None,
        end=None,
        components=tuple(component if component in COMPONENTS else REMOVED for component in treatment.components),
        pain_during_exercise=REMOVED if treatment.pain_during_exercise else "",
        adverse_events=tuple(REMOVED for _ in treatment.adverse_events),
        notes=REMOVED if treatment.notes else "",
    )
