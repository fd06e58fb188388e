"""The report's pages of one visit: how it was measured, regions, fits, models, input function, motion, settings."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

from ..acquisition.modality import CT
from ..kinetics import KineticFit
from ..kinetics.models import MODELS
from ..outcome.compare import Comparison
from ..outcome.compared_items import asked, attenuation_source, in_effect
from ..outcome.record import VisitRecord
from ..outcome.settings import SETTINGS
from ..outcome.uptake import RegionUptake, uptake_notices, uptake_of, window_of
from ..quantities import BY_KEY, COLUMNS, UPTAKE
from ..tracers import Sourced, tracer_named
from . import plots
from .report_document import Block, Bullets, Paragraph, Picture, Section, Table
from .report_terms import (
    Place,
    main_places,
    measured_first,
    minutes_range,
    model_title,
    region_title,
    short_title,
)
from .words import Words

MOST_PANELS = 4
MIXED = {"bone": "bone", "marrow": "marrow", "soft tissue": "soft", "fat": "fat"}
"""Tissues around a region that have a column of their own, and its heading's key."""
KINDS = ("whole_blood", "plasma", "parent_fraction", "parent_plasma")
MOST_SAMPLES = 60


def visit_pages(comparison: Comparison, visit: VisitRecord, words: Words) -> list[Section]:
    """Everything of one visit, without the parts that it has not."""

    sizes, uptake = _sizes(visit, words), ("uptake", _uptake(visit, words))
    parts: list[tuple[str, Sequence[Block]]] = [uptake, ("all_regions", [sizes])]
    if visit.models:
        parts = [
            ("all_regions", [_regions(comparison, visit, words), sizes, *_mixtures(visit, words)]),
            uptake,
            ("fits", _fits(comparison, visit, words)),
            ("models", [_models(comparison, visit, words)]),
            ("flags", _flags(visit, words)),
            ("input", _input(visit, words)),
        ]
    parts += [("motion", _motion(visit, words)), ("notices", _notices(visit, words))]
    parts.append(("settings", _settings(visit, words)))
    return [
        Section(words("title.visit", visit=visit.session), (_acquisition(visit, words),), new_page=True),
        *(Section(words(f"title.{key}", visit=visit.session), tuple(part), level=3) for key, part in parts if part),
    ]


def _acquisition(visit: VisitRecord, words: Words) -> Table:
    scan = visit.acquisition
    size = " × ".join(words.number(value) for value in scan.voxel_mm)
    shape = " × ".join(str(value) for value in scan.shape)
    rows = [
        ("subject", visit.subject),
        ("genotype", visit.genotype),
        ("washout", visit.settings.get("washout") or None),
        ("tracer", scan.tracer),
        *_literature(scan.tracer, words),
        ("dose", None if scan.injected_mbq is None else f"{words.significant(scan.injected_mbq, 4)} MBq"),
        ("weight", None if scan.weight_kg is None else f"{words.significant(scan.weight_kg, 4)} kg"),
        ("half_life", None if scan.half_life_s is None else f"{words.significant(scan.half_life_s, 6)} s"),
        ("scanner", " ".join(part for part in (scan.manufacturer, scan.scanner_model) if part) or None),
        ("reconstruction", scan.reconstruction),
        ("filter", scan.filter),
        ("attenuation", _attenuation(visit, words)),
        ("anatomy", None if scan.anatomy is None else words.value(scan.anatomy)),
        ("voxels", words("voxels", size=size, shape=shape)),
        ("fwhm", None if scan.fwhm_mm is None else f"{words.significant(scan.fwhm_mm)} mm"),
        ("time_zero", _time_zero(visit, words)),
        *_uptake_time(visit, words),
        ("decay", words.message(scan.decay_correction)),
        ("frames", _schedule(visit, words)),
        ("motion_correction", words.value(str(visit.settings.get("motion_correction", "none")))),
        ("pvc", _pvc(visit, words)),
    ]
    cells = tuple((words(f"fact.{key}"), words("not_told") if value is None else value) for key, value in rows)
    return Table(words("acquisition.caption", visit=visit.session), (), cells, "ll")


def _uptake_time(visit: VisitRecord, words: Words) -> list[tuple[str, str]]:
    """How long after the injection a single late frame began."""
    scan = visit.acquisition
    if visit.models or scan.time_zero != "injection":
        return []
    return [("uptake_time", words("minutes_list", times=words.significant(scan.frame_starts_s[0] / 60, 3)))]


def _literature(name: str | None, words: Words) -> list[tuple[str, str]]:
    """What is known of the tracer, and from where; what is not."""
    tracer = tracer_named(name)
    if tracer is None:
        return [] if name is None else [("tracer_model", words("tracer.unknown"))]

    def in_words(fact: Sourced | None) -> str:
        return words("tracer.not_found") if fact is None else words.labeled(words.message(fact.statement), fact.source)

    return [
        ("tracer_model", in_words(tracer.preferred)),
        ("tracer_genotype", in_words(tracer.genotype_source)),
        ("tracer_repeatability", in_words(tracer.repeatability)),
    ]


def _attenuation(visit: VisitRecord, words: Words) -> str | None:
    """The file's own words, and what a map made from an MR means for foramina."""
    stated = visit.acquisition.attenuation
    return words("attenuation.mr", told=stated) if stated and attenuation_source(stated) == "MR" else stated


def _time_zero(visit: VisitRecord, words: Words) -> str:
    """ "injection (2026-01-05 10:30:00)", as far as the files tell."""
    name = words.value(visit.acquisition.time_zero)
    moment = visit.acquisition.started
    if moment is None:
        return name
    return f"{name} ({words.date(moment)} {moment:%H:%M:%S})"


def _schedule(visit: VisitRecord, words: Words) -> str:
    """ "1 × 15 s, 3 × 5 s, …; 60 min"."""
    scan = visit.acquisition
    runs = [(duration, len(list(run))) for duration, run in groupby(round(d, 3) for d in scan.frame_durations_s)]
    text = ", ".join(f"{count} × {words.significant(duration, 6)} s" for duration, count in runs)
    total = float(scan.timing.ends_s[-1]) / 60
    if len(scan.frame_starts_s) == 1:
        return words("schedule_one", run=text, minutes=words.significant(total))
    return words("schedule", frames=len(scan.frame_starts_s), runs=text, minutes=words.significant(total))


def _pvc(visit: VisitRecord, words: Words) -> str:
    if visit.pvc == "none" or visit.pvc_fwhm_mm is None:
        return words.value("none")
    size = " × ".join(words.significant(value) for value in visit.pvc_fwhm_mm)
    return words("pvc.with_fwhm", method=visit.pvc, size=size)


def _parameter_columns(visit: VisitRecord) -> list[str]:
    names = {name for fit in visit.fits for name in fit.parameters}
    return [
        quantity.key
        for quantity in COLUMNS
        if quantity.key in names or (quantity.key == "DVR" and visit.reference is not None)
    ]


def _regions(comparison: Comparison, visit: VisitRecord, words: Words) -> Table:
    """Every region under every model and correction."""
    names = _parameter_columns(visit)
    first = next((place.place for place in main_places(comparison)), None)
    rows: list[tuple[str, ...]] = []
    strong: list[int] = []
    for row in visit.rows:
        fit = visit.fit(row.region, row.model, row.pvc)
        if row.place == first and row.model == comparison.model_of(row.region):
            strong.append(len(rows))
        values = {name: (value, fit.standard_errors.get(name)) for name, value in fit.parameters.items()}
        values |= {} if row.DVR is None else {"DVR": (row.DVR, row.DVR_se)}
        cells = [words.with_error(*values[name], BY_KEY[name].decimals) if name in values else "–" for name in names]
        flags = ", ".join(flag.code for flag in row.flags)
        name = region_title(words, row.region, Place(*row.place))
        rows.append((name, row.model, words.value(row.pvc), *cells, flags or "–"))
    units = [f"{BY_KEY[key].symbol}, {BY_KEY[key].shown_unit}" for key in names]
    header = (*words.columns("region", "model", "pvc"), *units, *words.columns("flags"))
    caption, align = words("regions.caption", visit=visit.session), "lll" + "r" * len(names) + "l"
    return Table(caption, header, tuple(rows), align, strong=tuple(strong), notes=(words("note.se"),))


def _uptake(visit: VisitRecord, words: Words) -> list[Block]:
    """What needs no fit, of every region, and what is to be known of it."""
    rows = uptake_of(visit)
    known = [quantity for quantity in UPTAKE if any(math.isfinite(row.value(quantity.key)) for row in rows)]
    if not known:
        return [Paragraph(words("uptake.none"), "note")]
    table = [
        (
            region_title(words, row.region, Place(*row.place)),
            words.value(row.pvc),
            *(_with_range(row, quantity.key, words) for quantity in known),
        )
        for row in rows
    ]
    heads = [
        quantity.symbol if quantity.unit == "1" else f"{quantity.symbol}, {quantity.shown_unit}" for quantity in known
    ]
    reference = visit.reference
    about = words("uptake.window", window=minutes_range(words, window_of(visit)))
    against = [words("uptake.against", region=reference.name)] if reference else []
    cautions = [words.notice(notice) for notice in uptake_notices(visit)]
    return [
        Table(
            words("uptake.caption", visit=visit.session),
            (*words.columns("region", "pvc"), *heads),
            tuple(table),
            "ll" + "r" * len(known),
            notes=(" ".join([about, *against]), words("uptake.how"), *cautions),
        )
    ]


def _with_range(row: RegionUptake, key: str, words: Words) -> str:
    """A value, with the lowest and the highest frame of the window where there are several; a corrected one with its
    95 % interval."""
    value = row.value(key)
    if not math.isfinite(value):
        return "–"
    frames = tuple(getattr(row, f"{key}_{end}", math.nan) for end in ("low", "high"))
    low, high = frames if math.isnan(row.relative_se) else row.interval(key)
    shown = words.number(value)
    return words.labeled(shown, words.interval(low, high)) if math.isfinite(low) and math.isfinite(high) else shown


def _sizes(visit: VisitRecord, words: Words) -> Table:
    """How large each region is, and what a correction could make of it."""
    rows = []
    for region in visit.regions:
        corrected = region.corrected
        rows.append(
            (
                region_title(words, region.name, Place(*region.place)),
                words.number(region.volume_mm3, 0),
                words.number(region.effective_voxels, 1),
                words.number(corrected.recovery) if corrected else "–",
                words.number(corrected.noise_amplification) if corrected else "–",
                region.carried_from or "–",
                region.accepted_by or "–",
            )
        )
    header = words.columns("region", "volume", "voxels", "recovery", "noise", "carried", "accepted")
    caption, notes = words("sizes.caption", visit=visit.session), (words("sizes.note"),)
    return Table(caption, header, tuple(rows), "lrrrrll", notes=notes)


def _mixtures(visit: VisitRecord, words: Words) -> list[Table]:
    """What a region's signal is made of, and how far methods and models of the neighbors disagree."""
    mixed = [
        (region, region.corrected)
        for region in visit.regions
        if region.corrected is not None and region.corrected.shares
    ]
    if not mixed:
        return []
    # Without a CT nothing tells these tissues apart, and a share of 0 would claim to.
    told_apart = any(name in MIXED for _, corrected in mixed for name in corrected.tissues[1:])
    columns = MIXED if told_apart else {}
    rows = []
    for region, corrected in mixed:
        by_tissue = dict(zip(corrected.tissues[1:], corrected.shares[1:], strict=True))
        known = [by_tissue.pop(name, 0.0) for name in columns]
        shares = [corrected.shares[0], *known, sum(by_tissue.values()), corrected.spread]
        name = region_title(words, region.name, Place(*region.place))
        rows.append((name, *(words.number(100 * share, 0) for share in shares)))
    header = words.columns("region", "own", *columns.values(), "other_tissues", "spread")
    caption, note = words("mixtures.caption", visit=visit.session), words("mixtures.note")
    return [Table(caption, header, tuple(rows), "l" + "r" * (len(header) - 1), notes=(note,))]


def _shown_fits(comparison: Comparison, visit: VisitRecord, model: str, words: Words) -> list[tuple[str, KineticFit]]:
    """Titles and fits of the main places: as measured, and the first one also corrected."""
    shown: list[tuple[str, KineticFit]] = []
    for index, place in enumerate(main_places(comparison)):
        for pvc in measured_first(comparison) if index == 0 else ["none"]:
            row = visit.row(*place.place, model, pvc)
            if row is not None:
                shown.append((short_title(words, place, pvc), visit.fit(row.region, model, pvc)))
    return shown[:MOST_PANELS]


def _fits(comparison: Comparison, visit: VisitRecord, words: Words) -> list[Block]:
    """Curves with residuals of the primary model, and the lines of the graphical methods."""
    blocks: list[Block] = []
    for model in visit.models:
        shown = _shown_fits(comparison, visit, model, words)
        if not shown:
            continue
        about = [
            words(
                "alt.fit",
                region=title,
                value=words.with_error(fit.parameters.get("VT"), fit.standard_errors.get("VT")),
                residual=words.number(_residual_sd(fit)),
            )
            for title, fit in shown
        ]
        title = model_title(model)
        if shown[0][1].line is None:
            draw = partial(plots.fits, visit, shown, words)
            alt = words("alt.fits", model=title, visit=visit.session, fits=words.listed(about, "; "))
            blocks.append(Picture(alt, words("caption.fits", model=title), draw))
        elif math.isfinite(shown[0][1].line.slope):
            draw = partial(plots.lines, shown, words)
            alt = words("alt.lines", model=title, visit=visit.session, fits=words.listed(about, "; "))
            tstar = ", ".join(
                dict.fromkeys(words.significant(fit.tstar_s / 60) for _, fit in shown if fit.tstar_s is not None)
            )
            blocks.append(Picture(alt, words("caption.lines", model=title, tstar=tstar), draw))
    return blocks


def _residual_sd(fit: KineticFit) -> float:
    """Root mean square of the weighted residuals over the frames used, kBq/mL."""
    used = [(w, r) for w, r in zip(fit.weights, fit.residuals, strict=True) if w > 0 and math.isfinite(r)]
    total = sum(w for w, _ in used)
    return math.sqrt(sum(w * r * r for w, r in used) / total) if total else math.nan


def _models(comparison: Comparison, visit: VisitRecord, words: Words) -> Table:
    """Every model on the main regions: criteria side by side; the smallest of each among comparable fits is marked."""
    regions = {
        row.region: region_title(words, row.region, place)
        for place in main_places(comparison)
        for model in visit.models
        if (row := visit.row(*place.place, model)) is not None
    }
    rows = []
    for region, title in regions.items():
        fits = [fit for fit in visit.fits if fit.region == region and fit.pvc == "none"]
        compared = [fit for fit in fits if fit.model in MODELS and MODELS[fit.model].compartmental]
        for fit in fits:
            cells = []
            for key in ("aic", "aicc", "bic"):
                value = words.number(getattr(fit, key), 1)
                best = len(compared) > 1 and fit in compared and fit is min(compared, key=lambda f: getattr(f, key))
                cells.append(words("best", value=value) if best else value)
            rows.append(
                (
                    title,
                    model_title(fit.model),
                    words.with_error(fit.parameters.get("VT"), fit.standard_errors.get("VT")),
                    str(fit.n_frames),
                    str(fit.n_parameters),
                    words.significant(fit.wrss, 4),
                    *cells,
                    "–" if fit.tstar_s is None else words.number(fit.tstar_s, 0),
                )
            )
    columns = words.columns("region", "model", "vt", "n", "p", "wrss")
    header = (*columns, "AIC", "AICc", "BIC", *words.columns("tstar"))
    caption, notes = words("models.caption", visit=visit.session), (words("models.note"),)
    return Table(caption, header, tuple(rows), "llrrrrrrrr", notes=notes)


def _flags(visit: VisitRecord, words: Words) -> list[Block]:
    """Every flag in words, those of one kind together."""
    places: dict[tuple[str, str], list[str]] = {}
    for row in visit.rows:
        name = region_title(words, row.region, Place(*row.place))
        where = f"{name}, {row.model}" + ("" if row.pvc == "none" else f", {row.pvc}")
        for flag in row.flags:
            places.setdefault((flag.code, words.notice(flag)), []).append(where)
    if not places:
        return [Paragraph(words("no_flags"))]
    return [
        Bullets(
            tuple(
                words.labeled(code, f"{message} ({words.listed(where, '; ')})")
                for (code, message), where in places.items()
            )
        )
    ]


def _input(visit: VisitRecord, words: Words) -> list[Block]:
    source = visit.input
    picture = Picture(
        words(
            "alt.input",
            visit=visit.session,
            peak=words.significant(max(source.parent_plasma, default=math.nan)),
            samples=len(_sample_times(visit)),
        ),
        words("caption.input"),
        partial(plots.input_function, visit, words),
    )
    findings = source.settings.get("found") or {}
    rows = [
        (words("input.source"), words.value(source.source)),
        (words("input.route"), words.value(source.route)),
        *_population(findings.get("population"), words),
        *_calibration(findings.get("calibration"), words),
        *_fitted("parent_fraction", findings.get("parent_fraction"), words),
        *_fitted("plasma_ratio", findings.get("plasma_ratio"), words),
    ]
    facts = Table(words("input.caption", visit=visit.session), (), tuple(rows), "ll")
    return [picture, facts, *_samples(visit, words)]


def _population(findings: Mapping[str, Any] | None, words: Words) -> list[tuple[str, str]]:
    """Whose curve stands for this person's, and what it was scaled by."""
    if not findings:
        return []
    sentence = words(
        "input.population_told",
        people=findings["people"],
        scans=findings["scans"],
        template=findings["template"],
        spread=words.significant(100 * findings["area_sd"]),
    )
    times = findings["sample_times_s"]
    scaled = words.value(f"{findings['scaled_by']}-late" if times else findings["scaled_by"])
    if times:
        minutes = words.listed((words.significant(t / 60) for t in times), "; ")
        scaled = f"{scaled} ({words('minutes_list', times=minutes)})"
    return [(words("input.population"), sentence), (words("input.scaled_by"), scaled)]


def _calibration(findings: Mapping[str, Any] | None, words: Words) -> list[tuple[str, str]]:
    if not findings:
        return [(words("input.calibration"), words("none"))]
    rows = [(words("input.calibration"), words.value(findings["method"]))]
    for key in ("scale", "recovery", "spill_in"):
        value = words.with_error(findings.get(key), findings.get(f"{key}_se"), 3)
        rows.append((words(f"input.{key}"), value))
    times = findings.get("sample_times_s") or []
    if times:
        rows.append(
            (
                words("input.calibration_samples"),
                words("minutes_list", times=words.listed((words.significant(t / 60) for t in times), "; ")),
            )
        )
    if findings.get("flags"):
        rows.append((words("column.flags"), ", ".join(findings["flags"])))
    return rows


def _fitted(kind: str, findings: Mapping[str, Any] | None, words: Words) -> list[tuple[str, str]]:
    if not findings:
        return []
    parameters, errors = findings.get("parameters") or {}, findings.get("standard_errors") or {}
    named = words.listed(
        (f"{name} = {words.with_error(value, errors.get(name), 4)}" for name, value in parameters.items()), "; "
    )
    text = words(
        "input.fitted", model=findings.get("model", ""), count=findings.get("samples", 0), parameters=named or "–"
    )
    return [(words(f"input.{kind}"), text)]


def _sample_times(visit: VisitRecord) -> list[float]:
    return sorted(
        {time for kind in KINDS if kind in visit.input.samples for time in visit.input.samples[kind].times_s}
    )


def _samples(visit: VisitRecord, words: Words) -> list[Block]:
    """The samples that were drawn by hand, one row a time; a long automatic curve is only counted."""
    samples, times = visit.input.samples, _sample_times(visit)
    blocks: list[Block] = []
    kinds = [kind for kind in KINDS if kind in samples]
    if times and len(times) <= MOST_SAMPLES:
        values = {kind: dict(zip(samples[kind].times_s, samples[kind].values, strict=True)) for kind in kinds}
        rows = tuple(
            (
                words.significant(time, 6),
                *(words.number(values[kind][time], 3) if time in values[kind] else "–" for kind in kinds),
            )
            for time in times
        )
        header = words.columns("seconds", *kinds)
        blocks.append(Table(words("samples.caption", visit=visit.session), header, rows, "r" * len(header)))
    elif times:
        blocks.append(Paragraph(words("samples.many", count=len(times))))
    if "autosampler" in samples:
        curve = samples["autosampler"]
        blocks.append(
            Paragraph(
                words(
                    "samples.automatic",
                    count=len(curve.times_s),
                    first=words.significant(curve.times_s[0] / 60),
                    last=words.significant(curve.times_s[-1] / 60),
                )
            )
        )
    return blocks


def _motion(visit: VisitRecord, words: Words) -> list[Block]:
    """Frames, their schedule and, where it was estimated, the motion; then the PET on the CT."""
    scan, moved = visit.acquisition, visit.motion
    blocks: list[Block] = []
    if moved is None:
        blocks.append(Paragraph(words("motion.none")))
    else:
        worst = max(range(len(moved.displacement_mm)), key=lambda n: moved.displacement_mm[n])
        alt = words(
            "alt.motion",
            visit=visit.session,
            most=words.number(moved.displacement_mm[worst], 1),
            frame=worst + 1,
        )
        blocks.append(Picture(alt, words("caption.motion"), partial(plots.motion, visit, words)))
    if visit.pet_to_ct is not None:
        fit = visit.pet_to_ct
        blocks.append(
            Paragraph(
                words(
                    "pet_to_ct.kept" if fit.kept else "pet_to_ct.moved",
                    anatomy=words.value(scan.anatomy or CT),
                    shift=words.number(fit.shift_mm, 1),
                    angle=words.number(fit.rotation_deg, 1),
                    before=words.number(fit.information_before),
                    after=words.number(fit.information_after),
                )
            )
        )
    columns = ["frame", "start", "duration"]
    if moved is not None:
        columns += ["displacement", "uncertainty", *(f"{how}_{axis}" for how in ("shift", "turn") for axis in "LPS")]
    rows = []
    for n, (start, duration) in enumerate(zip(scan.frame_starts_s, scan.frame_durations_s, strict=True)):
        row = [str(n + 1), words.significant(start, 6), words.significant(duration, 6)]
        if moved is not None:
            unsure = moved.uncertainty_mm[n] if n < len(moved.uncertainty_mm) else math.nan
            row += [words.number(moved.displacement_mm[n]), words.number(unsure)]
            row += [words.number(value) for value in (*moved.translation_mm[n], *moved.rotation_deg[n])]
        rows.append(tuple(row))
    notes: tuple[str, ...] = ()
    if moved is not None:
        notes = (words("note.reference", frames=_spans([n + 1 for n in moved.reference])),)
    caption, header = words("frames.caption", visit=visit.session), words.columns(*columns)
    return [*blocks, Table(caption, header, tuple(rows), "r" * len(header), notes=notes)]


def _spans(numbers: Sequence[int]) -> str:
    """ "1–3, 7"."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][-1] + 1:
            spans[-1].append(number)
        else:
            spans.append([number])
    return ", ".join(f"{span[0]}–{span[-1]}" if len(span) > 1 else str(span[0]) for span in spans)


def _notices(visit: VisitRecord, words: Words) -> list[Block]:
    lines = dict.fromkeys(words.labeled(n.code, words.notice(n)) for n in (*visit.quality, *visit.notices))
    return [Bullets(tuple(lines))] if lines else [Paragraph(words("no_notices"))]


def _settings(visit: VisitRecord, words: Words) -> list[Block]:
    """Choices by their keys in the study file, versions, and hashes of the inputs."""
    # What was found from the samples stands with the input function: its setting, which was not used, would mislead.
    findings = (visit.input.settings.get("found") or {}).get("calibration") or {}
    elsewhere = {*findings, "anatomical_modality"}  # what the image turned out to be stands with the acquisition
    used = [setting for setting in SETTINGS if setting.name not in elsewhere and in_effect(setting, visit)]
    asked_for = {
        f"[{setting.table}] {setting.key}": asked(setting, visit)
        for setting in sorted(used, key=lambda setting: setting.table)
    }
    known = {"source", "found", *(setting.name for setting in SETTINGS)}
    further = {f"input.{key}": value for key, value in visit.input.settings.items() if key not in known}
    rows = tuple((key, _plain(value, words)) for key, value in {**asked_for, **further}.items())
    blocks: list[Block] = [
        Table(words("settings.caption", visit=visit.session), (), rows, "ll", notes=(words("note.settings"),))
    ]
    versions = visit.provenance.get("versions") or {}
    if versions:
        listed = ", ".join(f"{name} {version}" for name, version in versions.items())
        blocks.append(Paragraph(words("versions", versions=listed)))
    inputs = visit.provenance.get("inputs") or []
    if inputs:
        hashed = tuple((entry["name"], entry["sha256"]) for entry in inputs)
        header = (words("column.input"), "SHA-256")
        blocks.append(Table(words("inputs.caption", visit=visit.session), header, hashed, "ll"))
    else:
        blocks.append(Paragraph(words("no_inputs")))
    return blocks


def _plain(value: Any, words: Words) -> str:
    if value is None or value in ("", [], (), {}):
        return "–"
    if isinstance(value, bool):
        return words("yes" if value else "no")
    if isinstance(value, int | float):
        return words.significant(value, 6)
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item, words) for item in value)
    if isinstance(value, Mapping):
        return words.listed((f"{key} = {_plain(item, words)}" for key, item in value.items()), "; ")
    return str(value)
