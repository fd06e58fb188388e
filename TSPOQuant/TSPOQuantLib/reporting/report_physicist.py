"""The report's further pages, for the physicist: comparability, error budget, contrasts; then every visit."""

import math
from collections.abc import Sequence
from functools import partial

from ..kinetics.models import MODELS
from ..outcome.change import RegionChange
from ..outcome.compare import Comparison, reference_rule
from ..outcome.compared_items import ITEMS
from ..outcome.finding import Finding
from ..quantities import BY_KEY, Quantity
from ..regions.anatomy import REFERENCE_RULES
from . import plots
from .coupled_files import SHARED, errors, pairs
from .report_document import Block, Bullets, Paragraph, Picture, Section, Table
from .report_terms import (
    Place,
    correction_title,
    main_changes,
    main_places,
    main_values,
    minutes_range,
    model_title,
    place_title,
    rows_of,
)
from .report_visit import visit_pages
from .words import Words

MANY_DEGREES = 1000
"""More degrees of freedom of an error are not told apart."""
SOURCES = (
    "Lutke Schipholt et al., Front Nucl Med 2025, 10.3389/fnume.2025.1569991",
    "Innis et al. 2007, 10.1038/sj.jcbfm.9600493",
    "Logan et al. 1990, 10.1038/jcbfm.1990.127",
    "Erlandsson et al. 2012, 10.1088/0031-9155/57/21/R119",
    "PETPVC, 10.1088/0031-9155/61/22/7975",
    "10.1177/0271678X15610585; 10.1038/jcbfm.2015.61",
    "Raunig et al. 2015, 10.1177/0962280214537344",
    "10.1186/s40658-021-00381-8",
)
"""What the report's methods and claims rest on, in the order of the words "source.0" …"""


def further_pages(comparison: Comparison, words: Words) -> list[Section]:
    """Everything after page one."""
    sections = []
    if len(comparison.visits) > 1:
        sections.append(_comparability(comparison, words))
    if comparison.model:
        sections += _budget(comparison, words) if len(comparison.visits) > 1 else _budget_of_one(comparison, words)
    sections += _coupled(comparison, words)
    sections += _contrasts(comparison, words)
    for visit in comparison.visits:
        sections += visit_pages(comparison, visit, words)
    sections.append(_sources(words))
    return sections


def _comparability(comparison: Comparison, words: Words) -> Section:
    visits = comparison.visits
    differing = {finding.item: finding for finding in comparison.findings}
    rows: list[tuple[str, ...]] = []
    for item in ITEMS:
        values = [item.wording(visit) for visit in visits]
        if not item.acquired and not any(values):
            continue  # a choice that applies to none of the visits
        finding = differing.get(item.item)
        same = words("same") if all(values) else words("not_told")
        assessment = (
            same if finding is None else words("accepted" if finding.accepted else f"severity.{finding.severity}")
        )
        cells = (words("not_told") if value is None else words.value(value) for value in values)
        rows.append((words.value(item.item), *cells, assessment))
    for label, unit, key in (("dose", "MBq", "injected_mbq"), ("weight", "kg", "weight_kg")):
        numbers = [getattr(visit.acquisition, key) for visit in visits]
        cells = (words("not_told") if n is None else f"{words.significant(n, 4)} {unit}" for n in numbers)
        rows.append((words.value(label), *cells, _assessed(differing.get(label), numbers, words)))
    for place in main_places(comparison):
        here = [[region for region in visit.regions if region.place == place.place] for visit in visits]
        volumes = [next((region.volume_mm3 for region in regions), None) for regions in here]
        cells = (words("not_told") if v is None else f"{words.number(v, 0)} mm³" for v in volumes)
        title = words("volume_of", region=place_title(words, place, role=False))
        rows.append((title, *cells, _assessed(None, volumes, words)))
    header = (words("column.item"), *(visit.session for visit in visits), words("column.assessment"))
    table = Table(words("comparability.caption"), header, tuple(rows), "l" * len(header))
    blocks: list[Block] = [Paragraph(words("comparability.text")), table]
    if comparison.findings:
        items = tuple(
            words.labeled(
                f"{words('accepted' if f.accepted else f'severity.{f.severity}')} ({f.code})",
                f"{words.message(f.message)} ({' | '.join(words.value(value) for value in f.values)})",
            )
            for f in comparison.findings
        )
        blocks.append(
            Bullets(items, "warning" if any(f.severity == "refuse" for f in comparison.findings) else "plain")
        )
    else:
        blocks.append(Paragraph(words("comparability.none")))
    return Section(words("title.comparability"), tuple(blocks))


def _assessed(finding: Finding | None, values: Sequence[float | None], words: Words) -> str:
    if finding is not None:
        return words("accepted" if finding.accepted else f"severity.{finding.severity}")
    if any(value is None for value in values):
        return words("not_told")
    return words("same" if len(set(values)) == 1 else "differs")


def _budget(comparison: Comparison, words: Words) -> list[Section]:
    changes = [c for c in main_changes(comparison) if c.budget and math.isfinite(c.log_ratio_se)]
    if not changes:
        return []
    titled = [(_change_title(change, comparison, words), change) for change in changes]
    bars = [
        plots.Bars(title, {part.component: part.change for part in change.budget}, change.log_ratio_se)
        for title, change in titled
    ]
    picture = _budget_picture(bars, "axis.budget", "caption.budget", words)
    tables = [_budget_table(title, change, words) for title, change in titled]
    blocks: list[Block] = [Paragraph(words("budget.text")), picture, *tables]
    if comparison.assumptions:
        blocks.append(Bullets(tuple(words.message(text) for text in comparison.assumptions), "note"))
    return [Section(words("title.budget"), tuple(blocks))]


def _budget_of_one(comparison: Comparison, words: Words) -> list[Section]:
    """What one visit's interval of V_T holds: each component as measured and, beside it, as corrected."""
    values = [value for value in main_values(comparison) if math.isfinite(value.total_se)]
    if not values:
        return []
    titles = [correction_title(words, value.pvc) for value in values]
    bars = [
        plots.Bars(title, {part.component: part.size for part in value.budget}, value.total_se / value.VT)
        for title, value in zip(titles, values, strict=True)
    ]
    parts = {part.component: words.value(part.assumed) for value in values for part in value.budget}
    rows = [
        (
            words.value(name),
            *("–" if name not in region.parts else words.percent(100 * region.parts[name]) for region in bars),
            assumed or words("from_data"),
        )
        for name, assumed in parts.items()
    ]
    rows.append((words("budget.sum"), *(words.percent(100 * region.total) for region in bars), ""))
    first = values[0]
    place = _capital(place_title(words, Place(*first.place), first.region))
    table = Table(
        words("budget.caption", place=place, what=words.listed(titles)),
        (words("column.component"), *titles, words("column.assumed")),
        tuple(rows),
        "l" + "r" * len(titles) + "l",
        strong=(len(rows) - 1,),
    )
    picture = _budget_picture(bars, "axis.budget_one", "caption.budget_one", words)
    assumed = tuple(Paragraph(words.message(text), "note") for text in comparison.assumptions)
    return [Section(words("title.budget_one"), (Paragraph(words("budget.text_one")), picture, table, *assumed))]


def _budget_picture(bars: Sequence[plots.Bars], axis: str, caption: str, words: Words) -> Picture:
    shares = [
        words.labeled(
            region.label,
            words.listed(f"{words.value(name)} {words.percent(100 * size)}" for name, size in region.parts.items()),
        )
        for region in bars
    ]
    alt = words("alt.budget", values=words.listed(shares, "; "))
    return Picture(alt, words(caption), partial(plots.budget, bars, axis, words))


def _change_title(change: RegionChange, comparison: Comparison, words: Words) -> str:
    title = correction_title(words, change.pvc)
    if len(comparison.visits) > 2:
        title = f"{title}, {change.baseline_session} → {change.followup_session}"
    return title


def _budget_table(title: str, change: RegionChange, words: Words) -> Table:
    rows: list[tuple[str, ...]] = [
        (
            words.value(part.component),
            words.percent(100 * part.baseline),
            words.percent(100 * part.followup),
            words.number(part.correlation),
            words.percent(100 * part.change),
            words.value(part.assumed) if part.assumed else words("from_data"),
        )
        for part in change.budget
    ]
    rows.append(
        (
            words("budget.sum"),
            *(words.percent(100 * total) for total in change.relative_errors),
            "",
            words.percent(100 * change.log_ratio_se),
            _degrees(change, words),
        )
    )
    sessions = change.baseline_session, change.followup_session
    header = (*words.columns("component"), *sessions, *words.columns("correlation", "of_change", "assumed"))
    place = _capital(place_title(words, Place(*change.place), change.region))
    return Table(
        words("budget.caption", place=place, what=title),
        header,
        tuple(rows),
        "lrrrrl",
        strong=(len(rows) - 1,),
        notes=(words("budget.note"),),
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _degrees(change: RegionChange, words: Words) -> str:
    many = not change.degrees_of_freedom < MANY_DEGREES
    count = f"> {MANY_DEGREES}" if many else words.number(change.degrees_of_freedom, 0)
    return words("budget.degrees", count=count)


def _coupled(comparison: Comparison, words: Words) -> list[Section]:
    """Curves that were fitted with one V_B and delay, and the changes beside those of separate fits."""
    names = {row.region for place in main_places(comparison) for row in rows_of(comparison, place, "none") if row}
    shown = [fit for fit in comparison.shared if fit.model == comparison.model and names & set(fit.regions)]
    if not shown:
        return []
    fits = [
        (
            words.listed(fit.regions),
            words.value(fit.pvc),
            words.listed(fit.sessions),
            *(words.with_error(fit.values.get(name), fit.errors.get(name)) for name in SHARED),
            words.significant(fit.f_chance, 2),
        )
        for fit in shown
    ]
    header = words.columns("region", "pvc", "visits", "shared_vb", "shared_delay", "f_chance")
    caption = words("coupled.caption", model=model_title(comparison.model))
    text = "coupled.text" if shown[0].spread is None else "coupled.similar"
    blocks: list[Block] = [Paragraph(words(text)), Table(caption, header, tuple(fits), "lllrrr")]
    changes = [
        (
            change.region,
            words.value(change.pvc),
            change.followup_session,
            *(
                words.estimate(way.percent, way.percent_low, way.percent_high, 1, percent=True)
                for way in (apart, change)
            ),
            *(words.number(ratio) for ratio in errors(change, apart)),
        )
        for change, apart in pairs(comparison)
        if change.model == comparison.model_of(change.region) and change.region in names
    ]
    if changes:
        ratios = ("change_apart", "change_together", "noise_ratio", "error_ratio")
        header = words.columns("region", "pvc", "visit", *ratios)
        blocks.append(Table(words("coupled.changes"), header, tuple(changes), "lllrrrr"))
    return [Section(words("title.coupled"), tuple(blocks))]


def _reference_note(comparison: Comparison, words: Words) -> str:
    rule = reference_rule(comparison.baseline)
    named = words(f"reference.{rule}") if rule in REFERENCE_RULES else words("reference.named", name=rule)
    return words("contrasts.note", rule=named)


def _contrasts(comparison: Comparison, words: Words) -> list[Section]:
    blocks: list[Block] = []
    shown = [c for c in comparison.contrasts if c.model == comparison.model_of(c.region)]
    if shown:
        rows = [
            (
                words("contrast.row", kind=words.value(c.kind), structure=words.value(c.structure)),
                c.session,
                correction_title(words, c.pvc),
                words.number(c.value),
                words.number(c.other),
                words.estimate(c.ratio, c.ratio_low, c.ratio_high),
                words.with_error(c.difference, c.difference_se),
                "–"
                if c.change_percent is None
                else words.estimate(c.change_percent, c.change_low, c.change_high, 1, percent=True),
            )
            for c in shown
        ]
        keys = ("against", "visit", "correction", "affected", "other", "ratio", "difference", "ratio_change")
        columns = len(keys) if len(comparison.visits) > 1 else len(keys) - 1  # one visit has no change of a ratio
        shortened = tuple(row[:columns] for row in rows)
        caption, notes = words("contrasts.caption"), (_reference_note(comparison, words),)
        blocks.append(Table(caption, words.columns(*keys[:columns]), shortened, "lllrrrrr"[:columns], notes=notes))
    blocks += _besides(comparison, words)
    return [Section(words("title.contrasts"), tuple(blocks))] if blocks else []


def _besides(comparison: Comparison, words: Words) -> list[Block]:
    """SUV, TBR and the other models of the main places."""
    places = {place.place for place in main_places(comparison)}
    shown = [b for b in comparison.besides if b.place in places]
    if not shown:
        return []
    sessions = [visit.session for visit in comparison.visits]
    rows = [
        (
            place_title(words, Place(*b.place), b.region),
            _measure_title(b.measure),
            correction_title(words, b.pvc),
            *(words.number(value, _quantity(b.measure).decimals) for value in b.values),
            *(words.percent(value, signed=True) for value in b.percents),
            "–" if b.unit == "1" else b.unit.replace("cm3", "cm³"),
            "–" if b.window_s is None else minutes_range(words, b.window_s),
        )
        for b in shown
    ]
    header = (
        *words.columns("region", "measure", "correction"),
        *sessions,
        *(words("column.change_at", visit=session) for session in sessions[1:]),
        *words.columns("unit", "window"),
    )
    align = "lll" + "r" * (2 * len(sessions) - 1) + "ll"
    return [Table(words("besides.caption"), header, tuple(rows), align, notes=(words("besides.note"),))]


def _quantity(measure: str) -> Quantity:
    """What a measure beside V_T of the first model is, of a model what that gives."""
    return BY_KEY[MODELS[measure].outcome if measure in MODELS else measure]


def _measure_title(measure: str) -> str:
    """ "SUV", "Logan", "K_i, Patlak"."""
    of_vt = measure not in MODELS or MODELS[measure].outcome == "VT"
    return model_title(measure) if of_vt else f"{_quantity(measure).symbol}, {model_title(measure)}"


def _sources(words: Words) -> Section:
    items = tuple(words.labeled(words(f"source.{n}"), source) for n, source in enumerate(SOURCES))
    return Section(words("title.sources"), (Bullets(items),))
