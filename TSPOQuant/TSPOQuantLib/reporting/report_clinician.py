"""The report's first page, for the clinician: Table 1, the pictures, how sure the change is, what was done."""

import math
from collections.abc import Sequence
from functools import partial

from ..outcome.change import RegionChange
from ..outcome.clinical import FIRST, SCORES, Score, Treatment, score_named
from ..outcome.compare import Comparison
from ..outcome.record import RegionOutcome
from . import plots
from .figures import FusedPicture
from .report_document import Block, Bullets, Paragraph, Picture, Row, Section, Table
from .report_terms import (
    Place,
    changes_of,
    correction_title,
    corrections,
    main_places,
    measured_first,
    model_title,
    place_title,
    point_of,
    rows_of,
    short_title,
)
from .words import Words

PICTURES_A_ROW = 4
WORDED_ELSEWHERE = ("affected-flagged", "clinical-missing")
"""Notices of the comparison that page one says in its own words."""


def first_page(comparison: Comparison, pictures: Sequence[FusedPicture], words: Words) -> list[Section]:
    """Page one in the order in which it is read."""
    opening = (*_opening(comparison, words), *_pictures(comparison, pictures, words))
    sections = [Section(words("title.result"), opening)]
    sections.append(Section(words("title.sure"), tuple(_how_sure(comparison, words))))
    if len(comparison.visits) > 1 and comparison.clinical is not None and comparison.clinical.treatments:
        treatments = tuple(Paragraph(_treatment(treatment, words)) for treatment in comparison.clinical.treatments)
        sections.append(Section(words("title.treatment"), treatments))
    clinic = _with_clinic(comparison, words)
    if clinic is not None:
        sections.append(Section(words("title.clinic"), (clinic,), new_page=True))
    return sections


def _opening(comparison: Comparison, words: Words) -> list[Block]:
    """Overrides first, then what is simulated, then the conclusion, the days of the scans and Table 1."""
    blocks: list[Block] = []
    accepted = [finding for finding in comparison.findings if finding.accepted]
    if accepted:
        items = [
            words(
                "override",
                values=" | ".join(words.value(value) for value in finding.values),
                message=words.message(finding.message),
                code=finding.code,
            )
            for finding in accepted
        ]
        blocks.append(Bullets(tuple(items), "warning"))
    if any(visit.acquisition.simulated for visit in comparison.visits):
        blocks.append(Paragraph(words("simulated"), "warning"))
    blocks += [Paragraph(text, "lead") for text in _conclusions(comparison, words)]
    days = _days(comparison, words)
    if days:
        blocks.append(Paragraph(days, "note"))
    blocks.append(_table1(comparison, words))
    return blocks


def _conclusions(comparison: Comparison, words: Words) -> list[str]:
    """What the scans say of the first main place, one sentence a later visit; why there is none."""
    if not comparison.model:
        return [words("no_vt")]
    places = main_places(comparison)
    if not places:
        return []
    changes = [change for change in changes_of(comparison, places[0], comparison.pvc) if change is not None]
    if changes:
        return [verdict(change, words) for change in changes]
    if len(comparison.visits) > 1:
        return [words("no_change")]
    return [
        words(
            "one_visit",
            place=place_title(words, places[0], next(row.region for row in rows if row is not None)),
            visit=comparison.visits[0].session,
            value=words.estimate(point.value, point.low, point.high),
        )
        for rows in [rows_of(comparison, places[0], comparison.pvc)]
        for point in [point_of(comparison, places[0], comparison.pvc, 0)]
        if any(rows)
    ]


def _days(comparison: Comparison, words: Words) -> str:
    """When each visit was scanned, and how many days after the first; "" where no visit tells."""
    starts = {visit.session: visit.acquisition.started for visit in comparison.visits}
    days = {session: start.date() for session, start in starts.items() if start is not None}
    if not days:
        return ""
    first = comparison.visits[0].session
    texts = []
    for session, day in days.items():
        text = words.labeled(session, words.date(day))
        if first in days and session != first:
            text = words("scan.after", day=text, count=(day - days[first]).days)
        texts.append(text)
    return words("scan.days", days=words.listed(texts, "; "))


# --- Table 1 ---------------------------------------------------------------------------------------------------------


def _table1(comparison: Comparison, words: Words) -> Table:
    visits = comparison.visits
    scores = _score_rows(comparison, words)
    imaging, strong = _vt_rows(comparison, words) if comparison.model else (_uptake_rows(comparison, words), [])
    # As in the study: pain first, then the affected foramen, then the other scores.
    pain = [row for score, row in scores if score.measures in FIRST]
    others = [row for score, row in scores if score.measures not in FIRST]
    rows = [*pain, *imaging, *others]
    header = [words("column.outcome"), *(visit.session for visit in visits)]
    if len(visits) == 2:
        header.append(words("column.change"))
    else:
        header += [words("column.change_at", visit=visit.session) for visit in visits[1:]]
    if scores and len(visits) > 1:
        header.append(words("column.threshold"))
    citations = _citations(comparison) if len(visits) > 1 else []
    notes = [f"{words('note.primary', what=_primary(comparison, words))} {words('note.vr')}"]
    if not comparison.model:
        notes = [words("note.uptake")]
    apart = {row.region: row.model for row in _measured_rows(comparison) if row.model != comparison.model}
    for model in dict.fromkeys(apart.values()):
        regions = words.listed(name for name, its_model in apart.items() if its_model == model)
        notes.append(words("note.other_model", regions=regions, model=model_title(model)))
    if citations:
        listed = [
            f"[{n}] {words.value(population)} ({citation})"
            for n, (population, citation) in enumerate(citations, start=1)
        ]
        notes.append(words("note.thresholds", citations=words.listed(listed, "; ")))
    notes += _score_remarks(comparison, words)
    if comparison.clinical is None:
        notes.append(words("note.no_clinical"))
    return Table(
        words("table1" if comparison.model else "table1.uptake"),
        tuple(header),
        tuple(row[: len(header)] for row in rows),
        ("l" + "r" * (2 * len(visits) - 1) + "l")[: len(header)],
        tuple(len(pain) + index for index in strong),
        tuple(notes),
    )


def _primary(comparison: Comparison, words: Words) -> str:
    key = "primary" if comparison.lesion else "primary_no_lesion"
    models = [row.model for row in _measured_rows(comparison)]
    model = model_title(next(iter(models), comparison.model))
    return words(key, model=model, correction=correction_title(words, comparison.pvc))


def _vt_rows(comparison: Comparison, words: Words) -> tuple[list[tuple[str, ...]], list[int]]:
    """V_T of the main places, as measured and corrected one below the other; which rows hold the primary outcome."""
    rows: list[tuple[str, ...]] = []
    strong: list[int] = []
    places = _table_places(comparison)
    for place in places:
        for pvc in measured_first(comparison):
            here = rows_of(comparison, place, pvc)
            if not any(here):
                continue
            primary = place == places[0] and place.role == "affected" and pvc == comparison.pvc
            if primary:
                strong.append(len(rows))
            name = next(row.region for row in here if row is not None)
            title = words.labeled(f"Vr (V_T), {place_title(words, place, name)}", correction_title(words, pvc))
            values = ["–" if row is None else _vt_value(row, words) for row in here]
            changes = changes_of(comparison, place, pvc)
            moves = ["–" if change is None else words.percent(change.percent, signed=True) for change in changes]
            rows.append((title, *values, *moves, words("primary_mark") if primary else ""))
    return rows, strong


def _measured_rows(comparison: Comparison) -> list[RegionOutcome]:
    """The rows as measured of the places in Table 1, the primary outcome's first."""
    places = (rows_of(comparison, place, "none") for place in _table_places(comparison))
    return [row for rows in places for row in rows if row is not None]


def _uptake_rows(comparison: Comparison, words: Words) -> list[tuple[str, ...]]:
    """SUV and SUVR, as measured, where there is no V_T: of every foramen and cord, else of every region."""
    uptake = [
        measure for measure in comparison.besides if measure.measure in ("SUV", "SUVR") and measure.pvc == "none"
    ]
    rows = []
    for measure in [m for m in uptake if m.structure in ("foramen", "cord")] or uptake:
        place = place_title(words, Place(*measure.place), measure.region)
        values = [words.number(value) if math.isfinite(value) else "–" for value in measure.values]
        changes = [words.percent(value, signed=True) if math.isfinite(value) else "–" for value in measure.percents]
        rows.append((f"{measure.measure}, {place}", *values, *changes, ""))
    return rows


def _table_places(comparison: Comparison) -> list[Place]:
    """As in the study; the other side stands among the contrasts."""
    return [place for place in main_places(comparison) if place.role != "contralateral"]


def _vt_value(row: RegionOutcome, words: Words) -> str:
    value = words.with_error(row.VT, row.VT_se)
    return words("flag_mark", value=value) if row.flags else value


def _score_rows(comparison: Comparison, words: Words) -> list[tuple[Score, tuple[str, ...]]]:
    """Every score that some visit has: its values, its changes, its thresholds with what is reached."""
    if comparison.clinical is None:
        return []
    visits, clinical = comparison.visits, comparison.clinical
    by_visit = [clinical.visits.get(visit.session, {}) for visit in visits]
    changes = {(change.score.key, change.followup_session): change for change in comparison.scores}
    numbers = {citation: n for n, citation in enumerate(_citations(comparison), start=1)}
    rows = []
    for key in dict.fromkeys(key for scores in by_visit for key in scores):
        score = score_named(key)
        if score is None:
            continue
        cells = [_score_value(score, scores.get(key), words) for scores in by_visit]
        for visit in visits[1:]:
            change = changes.get((key, visit.session))
            if change is None:
                cells.append("–")
            elif score.change == "%":
                cells.append(words.percent(change.percent, signed=True))
            else:
                unit = words.value(score.change)
                cells.append(f"{words.number(change.difference, _decimals(change.difference), signed=True)} {unit}")
        thresholds = []
        for threshold in score.thresholds:
            low, high = threshold.low, threshold.high
            size = words.significant(low) if low == high else words.interval(low, high, 1)
            text = f"{words.value(threshold.kind)} {size} [{numbers[threshold.population, threshold.citation]}]"
            reached = [
                words(f"reached.{threshold.reached(change.difference)}")
                for visit in visits[1:]
                if (change := changes.get((key, visit.session))) is not None
            ]
            thresholds.append(words.labeled(text, words.listed(reached)) if reached else text)
        rows.append(
            (score, (words.message(score.title), *cells, words.listed(thresholds, "; ") or words("threshold.none")))
        )
    return rows


def _score_value(score: Score, value: float | None, words: Words) -> str:
    if value is None:
        return "–"
    text, band = words.number(value, _decimals(value)), score.band(value)
    return f"{text} ({words.value(f'band {band}')})" if band else text


def _decimals(value: float) -> int:
    return 0 if value == round(value) else 1


def _citations(comparison: Comparison) -> list[tuple[str, str]]:
    """(population, citation) of every threshold that Table 1 shows, in its order."""
    if comparison.clinical is None:
        return []
    shown = dict.fromkeys(
        key for visit in comparison.visits for key in comparison.clinical.visits.get(visit.session, {})
    )
    scores = [score for key in shown if (score := score_named(key)) is not None]
    return list(dict.fromkeys((t.population, t.citation) for score in scores for t in score.thresholds))


def _score_remarks(comparison: Comparison, words: Words) -> list[str]:
    if comparison.clinical is None:
        return []
    return [
        words.labeled(f"{words.message(score.title)}, {session}", words.message(text))
        for session, remarks in comparison.clinical.remarks.items()
        for key, text in remarks.items()
        if (score := score_named(key)) is not None
    ]


# --- Pictures --------------------------------------------------------------------------------------------------------


def _pictures(comparison: Comparison, pictures: Sequence[FusedPicture], words: Words) -> list[Block]:
    """Fused slices, and V_T with intervals after the last of them."""
    titles = [_region_title(comparison, picture.region, words) for picture in pictures]
    shown = [_fused(picture, title, words) for picture, title in zip(pictures, titles, strict=True)]
    if main_places(comparison):
        shown.append(_intervals(comparison, words))
    blocks: list[Block] = [
        Row(tuple(shown[start : start + PICTURES_A_ROW])) for start in range(0, len(shown), PICTURES_A_ROW)
    ]
    if pictures:
        anatomy = words.listed(dict.fromkeys(words(f"anatomy.{picture.anatomy}") for picture in pictures))
        note = words("note.fused", regions=", ".join(dict.fromkeys(titles)), anatomy=anatomy)
        blocks.append(Paragraph(note, "note"))
    return blocks


def _region_title(comparison: Comparison, name: str, words: Words) -> str:
    region = next((region for visit in comparison.visits for region in visit.regions if region.name == name), None)
    return name if region is None else place_title(words, Place(*region.place), name)


def _fused(picture: FusedPicture, region: str, words: Words) -> Picture:
    alt = words(
        "alt.fused",
        anatomy=words.value(picture.anatomy),
        region=region,
        session=picture.session,
        size=words.number(picture.size_mm, 0),
        top=words.significant(picture.top),
        unit=picture.unit,
    )
    return Picture(alt, "", partial(plots.fused, picture, words), raster=True)


def _series(comparison: Comparison, words: Words) -> list[plots.Series]:
    series = []
    for number, place in enumerate(main_places(comparison)[:4]):
        for pvc in measured_first(comparison):
            if any(rows_of(comparison, place, pvc)):
                points = tuple(point_of(comparison, place, pvc, n) for n in range(len(comparison.visits)))
                series.append(plots.Series(short_title(words, place, pvc), points, number, hollow=pvc != "none"))
    return series


def _intervals(comparison: Comparison, words: Words) -> Picture:
    series = _series(comparison, words)
    sessions = [visit.session for visit in comparison.visits]
    lines = [
        words(
            "alt.point",
            label=line.label,
            session=session,
            value=words.number(point.value),
            interval=words.interval(point.low, point.high),
        )
        for line in series
        for session, point in zip(sessions, line.points, strict=True)
    ]
    return Picture(
        words("alt.intervals", points=words.listed(lines, "; ")),
        words("caption.intervals"),
        partial(plots.intervals, sessions, series, words),
    )


def _with_clinic(comparison: Comparison, words: Words) -> Picture | None:
    """V_T of the affected foramen beside the scores, over the visits; None without scores or with one visit."""
    places, clinical = main_places(comparison), comparison.clinical
    sessions = [visit.session for visit in comparison.visits]
    if clinical is None or len(sessions) < 2 or not places:
        return None
    by_session = [clinical.visits.get(session, {}) for session in sessions]
    scores: list[tuple[str, list[float]]] = []
    drawn: set[str] = set()
    given = sorted({key for values in by_session for key in values})
    for key in (*(key for key in SCORES if key in given), *(key for key in given if key not in SCORES)):
        score = score_named(key)
        if score is None or (score.measures and score.measures in drawn):
            continue  # another scale has shown the same
        drawn.add(score.measures)
        span = score.high - score.low
        shares = [100 * (values[key] - score.low) / span if key in values else math.nan for values in by_session]
        scores.append((words.message(score.title), shares))
    if not scores:
        return None
    points = tuple(point_of(comparison, places[0], comparison.pvc, n) for n in range(len(sessions)))
    vt = plots.Series(f"V_T, {place_title(words, places[0], role=False)}", points)
    values = [
        words.labeled(vt.label, words.listed(words.number(point.value) for point in points)),
        *(words.labeled(label, words.listed(words.percent(share, 0) for share in shares)) for label, shares in scores),
    ]
    return Picture(
        words("alt.clinic", values=words.listed(values, "; ")),
        words("caption.clinic"),
        partial(plots.with_clinic, sessions, vt, scores, words),
    )


# --- How sure --------------------------------------------------------------------------------------------------------


def _how_sure(comparison: Comparison, words: Words) -> list[Block]:
    places = main_places(comparison)
    if not comparison.model:
        notes = [words.notice(n) for visit in comparison.visits for n in (*visit.notices, *comparison.notices)]
        return [Paragraph(words("no_vt"), "note"), Bullets(tuple(dict.fromkeys(notes)), "note")]
    if not places:
        return [Paragraph(words("no_region"), "warning")]
    place = places[0]
    blocks: list[Block] = [_side_by_side(comparison, place, words)]
    changes = [change for change in changes_of(comparison, place, comparison.pvc) if change is not None]
    blocks += [Paragraph(text, "note") for change in changes if (text := limits(change, words))]
    if len(comparison.visits) > 1:
        blocks.append(Paragraph(f"{words('interval_means')} {words('no_cause')}", "note"))
    flags = _flags(comparison, words)
    if flags:
        blocks.append(Bullets(tuple(flags), "warning"))
    notes = [words.notice(n) for n in comparison.notices if n.code not in WORDED_ELSEWHERE]
    if notes:
        blocks.append(Bullets(tuple(notes), "note"))
    warned = sum(not finding.accepted for finding in comparison.findings)
    if warned:
        blocks.append(Paragraph(words("warned_one" if warned == 1 else "warned", count=warned), "note"))
    return blocks


def _side_by_side(comparison: Comparison, place: Place, words: Words) -> Table:
    """The first main place: one row a visit, as measured and corrected in columns."""
    pvcs = [pvc for pvc in measured_first(comparison) if any(rows_of(comparison, place, pvc))]
    several = len(comparison.visits) > 1
    header = [words("column.visit")]
    for pvc in pvcs:
        title = correction_title(words, pvc)
        header.append(words("column.vt_interval", what=title))
        if several:
            header.append(words("column.change_interval", what=title))
    rows = []
    for index, visit in enumerate(comparison.visits):
        cells = [visit.session]
        for pvc in pvcs:
            point = point_of(comparison, place, pvc, index)
            cells.append(words.estimate(point.value, point.low, point.high))
            if several and index == 0:
                cells.append("–")
            elif several:
                change = changes_of(comparison, place, pvc)[index - 1]
                cells.append(
                    "–"
                    if change is None
                    else words.estimate(change.percent, change.percent_low, change.percent_high, 1, percent=True)
                )
        rows.append(tuple(cells))
    name = next(row.region for pvc in pvcs for row in rows_of(comparison, place, pvc) if row is not None)
    return Table(
        words("table2" if len(pvcs) > 1 else "table2_measured", place=place_title(words, place, name)),
        tuple(header),
        tuple(rows),
        "l" + "r" * (len(header) - 1),
        notes=(
            words("note.pvc" if len(pvcs) > 1 else "note.no_pvc"),
            *(() if len(comparison.visits) > 1 else (words("note.one_visit"),)),
        ),
    )


def verdict(change: RegionChange, words: Words) -> str:
    """Whether a change is beyond measurement error, in plain words."""
    judged = change.verdict
    start = words(
        "verdict.change",
        followup=change.followup_session,
        baseline=change.baseline_session,
        place=place_title(words, Place(*change.place), change.region),
        percent=words.percent(change.percent, signed=True),
        interval=words.interval(change.percent_low, change.percent_high, 1, percent=True),
    )
    if judged.code == "not-estimated":
        return words("verdict.not-estimated")
    if judged.code == "unknown":
        return f"{start} {words('verdict.unknown')}"
    rule = words("rule.log" if judged.beyond_by_log else "rule.difference")
    sentence = f"{start} {words(f'verdict.{judged.code}', rule=rule)}"
    if judged.misfit is None:
        return sentence
    own, allowed = (words.percent(size, 0) for size in judged.misfit)
    return f"{sentence} {words('verdict.misfit', own=own, allowed=allowed)}"


def limits(change: RegionChange, words: Words) -> str:
    """What measurement error is held to be, and from where; what is published where nothing is."""
    judged = change.verdict
    if judged.code == "unknown":
        return words("verdict.published")
    if judged.limit_percent is None or judged.limit_log is None or judged.wcv is None:
        return ""
    return words(
        "verdict.limits",
        limit=words.percent(judged.limit_percent),
        low=words.percent(100 * math.expm1(-judged.limit_log), signed=True),
        high=words.percent(100 * math.expm1(judged.limit_log), signed=True),
        wcv=words.percent(100 * judged.wcv),
        source=judged.source,
    )


def _flags(comparison: Comparison, words: Words) -> list[str]:
    """Why numbers of Table 1 may not be trusted: what is said of the first place stands first, without its name."""
    doubts = []
    for place in _table_places(comparison):
        where = "" if place == main_places(comparison)[0] else f", {place_title(words, place, role=False)}"
        for pvc in corrections(comparison):
            for visit, row in zip(comparison.visits, rows_of(comparison, place, pvc), strict=True):
                label = f"{visit.session}{where}, {correction_title(words, pvc)}"
                doubts += [words.labeled(label, words.notice(flag)) for flag in (row.flags if row else ())]
                if row and not math.isfinite(row.VT):
                    doubts.append(words.labeled(label, words("not_fitted")))
    return list(dict.fromkeys(doubts))


# --- Treatment -------------------------------------------------------------------------------------------------------


def _treatment(treatment: Treatment, words: Words) -> str:
    """What was recorded, in one paragraph."""
    start, end = (
        words("not_recorded") if day is None else words.date(day) for day in (treatment.start, treatment.end)
    )
    parts = {
        "kind": words.value(treatment.kind),
        "period": words("treatment.from_to", start=start, end=end) if treatment.start or treatment.end else "",
        "sessions": _sessions(treatment, words),
        "components": words.listed(words.value(component) for component in treatment.components),
        "pain": words.value(treatment.pain_during_exercise),
        "events": words.listed(words.value(event) for event in treatment.adverse_events)
        or words("none" if treatment.adverse_events_recorded else "not_recorded"),
        "notes": words.value(treatment.notes),
    }
    items = [words.labeled(words(f"treatment.{part}"), text) for part, text in parts.items() if text]
    return words.listed(items, "; ") + "."


def _sessions(treatment: Treatment, words: Words) -> str:
    """How many were done of how many planned, as far as it was recorded."""
    done, planned = treatment.sessions_done, treatment.sessions_planned
    if done is not None and planned is not None:
        return words("treatment.done_of", done=done, planned=planned)
    if done is not None:
        return words("treatment.done", done=done)
    return words("not_recorded") if planned is None else words("treatment.planned", planned=planned)
