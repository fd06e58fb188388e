"""The report of a group: the answer in plain words and one picture, then the tables; every person one click away."""

import math
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from ..groups.analysis import Analysis
from ..groups.association import Association
from ..groups.cohort import FORAMEN, MACRO, NO_PVC, Cohort, Value
from ..groups.comparison import Effect
from ..groups.estimates import FEWEST, Estimate
from ..groups.questions import AFFECTED
from ..groups.test_retest import ALL, INCLUDED, Repeat
from ..kinetics.models import MODELS
from ..messages import Text
from . import group_plots
from .group_files import Compared, primary
from .report_document import Block, Bullets, Document, English, Links, Paragraph, Picture, Section, Table
from .report_html import html
from .report_pdf import pdf
from .words import Words

STEM = "group"
PEOPLE = "people"
MOST_ROWS = 60
"""Of a table in the report; the files hold all."""
MOST_ANSWERS = 6
"""Sentences of each kind on page one: a choice."""
MOST_SCATTERS = 4
"""Pictures of imaging against clinic: a choice."""


def write_group_report(folder: Path, analysis: Analysis, lang: str = "en") -> None:
    """group_<lang>.html and .pdf, and a page for every person in people/. Raises InputRefused ("report-language")."""
    words = Words(lang)
    document = group_document(analysis, words)
    (folder / f"{STEM}_{lang}.html").write_text(html(document), encoding="utf-8")
    (folder / f"{STEM}_{lang}.pdf").write_bytes(pdf(document))
    (folder / PEOPLE).mkdir()
    for who in analysis.cohort.participants:
        page = person_document(analysis.cohort, who, words, analysis.columns)
        (folder / _page_of(who, lang)).write_text(html(page), encoding="utf-8")


def _page_of(who: str, lang: str) -> str:
    return f"{PEOPLE}/sub-{who}_{lang}.html"


def group_document(analysis: Analysis, words: Words) -> Document:
    """The report before it becomes HTML or PDF."""
    say = words.message
    cohort = analysis.cohort
    subject = Text(
        "{people} people, {visits} visits; cohort {name}",
        people=len(cohort.participants),
        visits=len(cohort.visits),
        name=cohort.name,
    )
    sections = [Section(say(Text("The answer")), tuple(_page_one(analysis, words)))]
    parts = (
        (Text("Test and retest"), _repeats(analysis, words)),
        (Text("Differences"), _effects(analysis.effects, words)),
        (Text("Imaging against clinic"), _associations(analysis.associations, words)),
        (Text("Choice of model"), _models(analysis, words)),
        (Text("People"), _people(analysis, words)),
        (Text("Methods, for the paper"), _methods(analysis)),
    )
    filled = [(title, blocks) for title, blocks in parts if blocks]
    sections += [Section(say(title), tuple(blocks), new_page=not n) for n, (title, blocks) in enumerate(filled)]
    return Document(
        title=say(Text("Report of a group")),
        language=words.language,
        subject=say(subject),
        sections=tuple(sections),
        footer=words("disclaimer"),
        skip=words("skip"),
        page=words("page"),
    )


# --- Page one --------------------------------------------------------------------------------------------------------


def answers(analysis: Analysis) -> tuple[Text, ...]:
    """What was found, in sentences: repeatability, then comparisons and associations of the first V_T.

    Those that chance explains least come first, and MOST_ANSWERS are told; the tables tell all.
    """
    first = [
        _repeat_answer(row) for row in (analysis.repeats.coefficients if analysis.repeats else ()) if row.pvc == NO_PVC
    ]
    first += [_effect_answer(effect) for effect in _telling(analysis.effects)[:MOST_ANSWERS]]
    known = [association for association in _telling(analysis.associations) if math.isfinite(association.adjusted)]
    first += [_association_answer(association) for association in known[:MOST_ANSWERS]]
    return tuple(first) or (
        Text("Nothing was compared: add --test-retest, or tables that make groups, visits or scores (--dataset)."),
    )


def _telling(compared: Sequence[Compared]) -> list[Compared]:
    """The primary ones; foramina as affected and unaffected where they are told apart, the least chance first."""
    own = primary(compared)
    apart = any(row.structure == AFFECTED for row in own)
    kept = [row for row in own if not (apart and row.structure == FORAMEN)]
    return sorted(kept, key=lambda row: row.adjusted if math.isfinite(row.adjusted) else 2.0)


def _repeat_answer(row: Repeat) -> Text:
    wcv = row.repeatability.wcv_log
    return Text(
        "{structure}, {model}: without anything between two visits V_T varies by {wcv:.1f} % ({low:.1f} to {high:.1f} "
        "%; {people} people), so that a change of one patient counts from {rc:.0f} % on.",
        structure=row.structure,
        model=row.model,
        wcv=100 * wcv.value,
        low=100 * wcv.low,
        high=100 * wcv.high,
        people=row.repeatability.people,
        rc=row.repeatability.rc_percent.value,
    )


def _effect_answer(effect: Effect) -> Text:
    what = {
        "affected": Text("affected against the person's other foramina, {session}", session=effect.session),
        "change": Text("change {session}, {within}", session=effect.session, within=effect.within)
        if effect.within
        else Text("change {session}", session=effect.session),
        "group": Text("{second} against {first}", first=effect.first, second=effect.second),
        "group-change": Text(
            "change {session}, {second} against {first}",
            session=effect.session,
            first=effect.first,
            second=effect.second,
        ),
    }[effect.question]
    return Text(
        "{structure}, {outcome} by {model}: {what}: {size}; {sure}.",
        structure=effect.structure,
        outcome=effect.outcome,
        model=effect.model,
        what=what,
        size=_percent(effect.percent),
        sure=_sure(effect.adjusted),
    )


def _percent(estimate: Estimate) -> Text:
    if not math.isfinite(estimate.low):
        return Text("{value:+.0f} %, without an interval", value=estimate.value)
    return Text(
        "{value:+.0f} % ({low:+.0f} to {high:+.0f} %)", value=estimate.value, low=estimate.low, high=estimate.high
    )


def _sure(chance: float) -> Text:
    if not math.isfinite(chance):
        return Text("not tested, fewer than {fewest} people", fewest=FEWEST)
    if chance < 0.05:
        return Text("more than chance explains (p {chance:.4f}, adjusted)", chance=chance)
    return Text("chance may explain it (p {chance:.2f}, adjusted)", chance=chance)


def _association_answer(association: Association) -> Text:
    return Text(
        "{structure}, {outcome} with {score}: Spearman {value:.2f} ({low:.2f} to {high:.2f}), {people} people; "
        "{sure}.",
        structure=Text("{structure} ({within})", structure=association.structure, within=association.within)
        if association.within
        else association.structure,
        outcome=association.outcome,
        score=group_plots.title_of(association.score),
        value=association.correlation.spearman.value,
        low=association.correlation.spearman.low,
        high=association.correlation.spearman.high,
        people=len(association.who),
        sure=_sure(association.adjusted),
    )


def _page_one(analysis: Analysis, words: Words) -> Iterator[Block]:
    say = words.message
    if analysis.cohort.simulated:
        yield Paragraph(say(Text("Simulated data.")), "warning")
    yield Bullets(tuple(say(text) for text in answers(analysis)))
    yield Paragraph(say(Text("A difference between people or visits does not say what caused it.")), "note")
    if analysis.notices:
        yield Bullets(tuple(words.notice(notice) for notice in analysis.notices), "note")
    picture = _main_picture(analysis, words)
    if picture is not None:
        yield picture


def _main_picture(analysis: Analysis, words: Words) -> Picture | None:
    """Of the first question that has an answer: groups, affected, change, test and retest."""
    effects = _telling(analysis.effects)
    for question in ("group", "affected", "change"):
        for effect in effects:
            if effect.question == question:
                caption = words.message(_effect_answer(effect))
                return Picture(caption, caption, partial(group_plots.people, effect, words))
    rows = _main_rows(analysis)
    return _bland_altman(rows[0], words) if rows else None


def _main_rows(analysis: Analysis) -> list[Repeat]:
    rows = analysis.repeats.rows if analysis.repeats else ()
    return [row for row in rows if row.region == ALL and row.way == INCLUDED and row.outcome in MACRO]


def _bland_altman(row: Repeat, words: Words) -> Picture:
    caption = words.message(
        Text(
            "Each person's second against first visit, {outcome} by {model}, {structure}: mean difference, limits of "
            "agreement, and their 95 % intervals (shaded).",
            outcome=row.outcome,
            model=row.model,
            structure=row.structure,
        )
    )
    return Picture(caption, caption, partial(group_plots.agreement, row, words))


# --- Tables ----------------------------------------------------------------------------------------------------------


def _repeats(analysis: Analysis, words: Words) -> list[Block]:
    say = words.message
    if analysis.repeats is None:
        return []
    rows = []
    for row in analysis.repeats.rows:
        if row.outcome in MACRO:
            repeats = row.repeatability
            place = words.value(row.structure) if row.region == ALL else row.region
            out = say(Text("without {who}", who=", ".join(row.outliers))) if row.way != INCLUDED else ""
            rows.append(
                (
                    _named(row.outcome, row.model, row.pvc, place, out),
                    f"{repeats.people} × {repeats.regions}",
                    words.estimate(
                        100 * repeats.wcv_log.value, 100 * repeats.wcv_log.low, 100 * repeats.wcv_log.high, 1
                    ),
                    words.number(repeats.rc_percent.value, 1),
                    words.estimate(repeats.icc21.value, repeats.icc21.low, repeats.icc21.high),
                    words.estimate(repeats.icc31.value, repeats.icc31.low, repeats.icc31.high),
                    words.estimate(repeats.percent.value, repeats.percent.low, repeats.percent.high, 1, percent=True),
                )
            )
    header = ("", "n", "wCV, %", "RC, %", "ICC(2,1)", "ICC(3,1)", say(Text("shift")))
    note = say(
        Text("n: people × regions. All numbers, limits of agreement and tests: {file}.", file="test-retest.tsv")
    )
    blocks: list[Block] = [_table(Text("How V_T repeats"), header, rows, words, note)]
    return blocks + [_bland_altman(row, words) for row in _main_rows(analysis)[1:3]]


def _table(
    caption: Text, header: Sequence[str], rows: Sequence[tuple[str, ...]], words: Words, note: str = ""
) -> Table:
    """The first MOST_ROWS rows; numbers to the right."""
    notes = [note] if note else []
    if len(rows) > MOST_ROWS:
        more = Text("{shown} of {all} rows; the files hold all.", shown=MOST_ROWS, all=len(rows))
        notes.append(words.message(more))
    align = "l" + "r" * (len(header) - 1)
    return Table(words.message(caption), tuple(header), tuple(rows[:MOST_ROWS]), align, notes=tuple(notes))


def _effects(effects: Sequence[Effect], words: Words) -> list[Block]:
    say = words.message
    rows = []
    for effect in effects:
        pvc = "" if effect.pvc == NO_PVC else effect.pvc
        pair = f"{words.value(effect.second)} / {words.value(effect.first)}" if effect.by else effect.session
        title = [
            effect.question,
            effect.outcome,
            "" if effect.model == "none" else effect.model,
            pvc,
            words.value(effect.structure),
        ]
        title += [words.value(effect.within)] if effect.within else []
        rows.append(
            (
                _named(*title, pair, effect.session if effect.question == "group-change" else ""),
                str(effect.people[0]) if not effect.by else f"{effect.people[0]} / {effect.people[1]}",
                words.estimate(effect.percent.value, effect.percent.low, effect.percent.high, 1, percent=True),
                words.estimate(effect.size.value, effect.size.low, effect.size.high),
                words.number(effect.chance, 4),
                words.number(effect.adjusted, 4),
            )
        )
    header = ("", "n", say(Text("difference")), "g", "p", "p (Holm)")
    return [_table(Text("Differences between places, visits and groups"), header, rows, words)] if rows else []


def _associations(associations: Sequence[Association], words: Words) -> list[Block]:
    rows = []
    for association in associations:
        spearman, pearson = association.correlation.spearman, association.correlation.pearson
        rows.append(
            (
                _named(
                    association.outcome,
                    association.model,
                    association.pvc,
                    words.value(association.structure),
                    words.message(group_plots.title_of(association.score)),
                    words.value(association.session),
                    words.value(association.within),
                ),
                str(len(association.who)),
                words.estimate(spearman.value, spearman.low, spearman.high),
                words.estimate(pearson.value, pearson.low, pearson.high),
                words.number(association.correlation.chance, 4),
                words.number(association.adjusted, 4),
            )
        )
    if not rows:
        return []
    header = ("", "n", "Spearman", "Pearson", "p", "p (Holm)")
    blocks: list[Block] = [_table(Text("Imaging and clinical scores across people"), header, rows, words)]
    for association in _telling(associations)[:MOST_SCATTERS]:
        caption = words.message(_association_answer(association))
        blocks.append(Picture(caption, caption, partial(group_plots.association, association, words)))
    return blocks


def _models(analysis: Analysis, words: Words) -> list[Block]:
    say = words.message
    blocks: list[Block] = []
    if analysis.preferred:
        rows = [
            (
                _named(words.value(row.structure), row.pvc, row.criterion),
                str(row.curves),
                counts,
            )
            for row in analysis.preferred
            for counts in (", ".join(f"{model} {wins}" for model, wins in row.wins),)
        ]
        header = ("", say(Text("curves")), say(Text("lowest with")))
        blocks.append(_table(Text("Compartment models by information criteria"), header, rows, words))
    if any(row.lost for row in analysis.lost):
        lost = [
            (
                _named(words.value(row.structure), row.model, row.pvc),
                f"{row.lost} / {row.curves}",
                ", ".join(f"{reason} {count}" for reason, count in row.reasons),
            )
            for row in analysis.lost
            if row.lost
        ]
        header = ("", say(Text("lost")), say(Text("why")))
        blocks.append(_table(Text("Curves whose V_T the data do not tell"), header, lost, words))
    if analysis.agreements:
        rows_of = [
            (
                _named(words.value(agreement.structure), agreement.measure, agreement.pvc),
                f"{agreement.people} / {agreement.curves}",
                words.estimate(agreement.r.value, agreement.r.low, agreement.r.high, 3),
                words.estimate(agreement.slope.value, agreement.slope.low, agreement.slope.high),
                words.estimate(
                    agreement.percent.value, agreement.percent.low, agreement.percent.high, 1, percent=True
                ),
            )
            for agreement in analysis.agreements
        ]
        header5 = ("", say(Text("people / curves")), "r", say(Text("slope")), say(Text("difference")))
        blocks.append(_table(Text("Other measures against V_T of 1TCM"), header5, rows_of, words))
        first = analysis.agreements[0]
        caption = say(Text("{measure} against V_T of 1TCM, one point a curve", measure=first.measure))
        blocks.append(Picture(caption, caption, partial(group_plots.model_agreement, first, words)))
    return blocks


def _named(*parts: str) -> str:
    """What a row is of; no model and no correction need no word."""
    return ", ".join(part for part in parts if part not in (NO_PVC, ""))


def _people(analysis: Analysis, words: Words) -> list[Block]:
    say = words.message
    header, *rows = analysis.methods.table1
    blocks: list[Block] = [
        _table(Text("People at their first visit"), (header[0], *map(words.value, header[1:])), rows, words),
        _table(
            Text("From the dataset to the analysis"),
            ("", say(Text("people")), say(Text("visits"))),
            [(English(line.step), str(line.people), str(line.visits)) for line in analysis.methods.flow],
            words,
        ),
    ]
    missing = analysis.methods.exclusions
    if missing:
        gone = [
            (f"sub-{x.participant} {x.session}", x.what, " ".join(filter(None, (x.code, x.message)))) for x in missing
        ]
        blocks.append(_table(Text("Who is missing, and why"), ("", say(Text("what")), say(Text("why"))), gone, words))
    links = tuple((f"sub-{who}", _page_of(who, words.language)) for who in analysis.cohort.participants)
    return [*blocks, Paragraph(say(Text("Every person:"))), Links(links)]


def _methods(analysis: Analysis) -> list[Block]:
    text = analysis.methods
    sources = tuple(
        English(f"[{source.key}] {source.authors} ({source.year}) {source.title}. {source.doi}")
        for source in text.sources
    )
    return [Paragraph(English(text.paragraph)), Bullets(sources, "note")]


# --- One person ------------------------------------------------------------------------------------------------------


def person_document(cohort: Cohort, who: str, words: Words, shown: Collection[str]) -> Document:
    """Every number that the group holds of one person, and the columns ``shown`` of what tables say of the visits.

    Others, which nothing was made of, may be names or dates.
    """
    say = words.message
    sessions = cohort.sessions(who)
    visits = [visit for visit in cohort.visits if visit.participant == who]
    names = dict.fromkeys(name for visit in visits for name in visit.covariates if name in shown)
    facts = [(name, *(visit.covariates.get(name, "") for visit in visits)) for name in names]
    rows = []
    own = [v for v in (*cohort.values, *cohort.left_out) if v.participant == who and _shown(v)]
    for key in dict.fromkeys((v.outcome, v.model, v.pvc, v.place) for v in own):
        by_session = {v.session: v for v in own if (v.outcome, v.model, v.pvc, v.place) == key}
        name = " ".join(part for part in key if part not in (NO_PVC, ""))
        rows.append((name, *(_cell(by_session.get(session), words) for session in sessions)))
    header = ("", *sessions)
    return Document(
        title=f"sub-{who}",
        language=words.language,
        subject=say(Text("cohort {name}", name=cohort.name)),
        sections=(
            Section(
                say(Text("What is told of the visits")),
                (
                    _table(Text("What is told of the visits"), header, facts, words),
                    Links(((say(Text("Report of a group")), f"../{STEM}_{words.language}.html"),)),
                ),
            ),
            Section(
                say(Text("Numbers")), (Table(say(Text("Numbers")), header, tuple(rows), "l" + "r" * len(sessions)),)
            ),
        ),
        footer=words("disclaimer"),
        skip=words("skip"),
        page=words("page"),
    )


def _shown(value: Value) -> bool:
    return value.model not in MODELS or value.outcome == MODELS[value.model].outcome


def _cell(value: Value | None, words: Words) -> str:
    """A number, with the reasons why it is left out."""
    if value is None:
        return ""
    return " ".join((words.number(value.value), *value.reasons))
