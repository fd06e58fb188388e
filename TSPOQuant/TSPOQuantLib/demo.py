"""The whole study on the simulated neck: DICOM in, Table 1 out, the truth beside it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import DISCLAIMER
from .exports import write_for_others
from .messages import Notice
from .outcome.change import vt_key
from .outcome.clinical import Lesion
from .outcome.clinical_file import read_clinical
from .outcome.compare import Comparison, compare
from .outcome.record import RegionOutcome
from .outcome.visit import VisitResult
from .output import whole_folder
from .phantom import PhantomSettings, write_phantom
from .pipeline.quantification import quantify_study
from .processes import another_process, cores
from .progress import Progress, part, silent
from .regions.anatomy import CONTRALATERAL, REFERENCE_RULES, reference_of
from .regions.template import name_of
from .reporting.comparison_files import main_text, table1_record, write_comparison
from .reporting.figures import fused_figure, write_png
from .reporting.fused_pictures import comparison_pictures
from .reporting.report import missing_packages, write_report
from .reporting.tables import write_json
from .reporting.visit_files import region_record, write_visit
from .source import write_source
from .study import Study, read_study

Truth = Mapping[str, Any]
"""The content of the phantom's truth.json."""

PHANTOM = "phantom"
"""The folder, below the demo's own, that holds what a site would have."""
PVC = "GTM"
"""How the affected foramen and those that it is held against are corrected for partial volume, they alone: all
regions would take a minute more."""
COMPARISON = "comparison"
"""The folder, below the demo's own, that ``compare`` would have written."""


@dataclass(frozen=True)
class DemoReport:
    """What the demo prints: text for a terminal, and the same as a record for other programs."""

    text: str
    record: dict[str, object]
    notices: tuple[Notice, ...] = ()


def run(
    settings: PhantomSettings,
    out: Path | None = None,
    force: bool = False,
    input_source: str = "image-derived",
    progress: Progress = silent,
    report: bool = True,
) -> DemoReport:
    """Write the phantom, quantify both visits from its files, compare, and write the report.

    input_source: "image-derived", or "true" for the phantom's own parent plasma. out: None takes the next free folder
    out/demo, out/demo-2, …. Raises InputRefused.
    """
    missing = missing_packages()
    target = out or _free_folder()
    with whole_folder(target, force) as folder:
        write_phantom(folder / PHANTOM, settings, part(progress, 0, 0.3))
        truth = json.loads((folder / PHANTOM / "truth.json").read_text(encoding="utf-8"))
        clinical = read_clinical(folder / PHANTOM / "clinical.toml")
        lesion = clinical.lesion
        assert lesion is not None, "the phantom names its lesion"
        affected, *against = foramina_of_interest(lesion)
        studies = [
            _study(folder / PHANTOM / f"ses-{session}", settings, input_source, (affected, *against))
            for session in ("baseline", "followup")
        ]
        visits = _both(studies[0], studies[1], part(progress, 0.3, 0.9))
        for study, visit in zip(studies, visits, strict=True):
            where = folder / f"ses-{visit.record.session}"
            write_visit(where, visit)
            write_source(where, study)
        comparison = compare([visit.record for visit in visits], clinical)
        known = true_volumes(visits, truth)
        (folder / COMPARISON).mkdir()
        write_comparison(folder / COMPARISON, comparison, known)
        progress(0.9, "Drawing")
        pictures = comparison_pictures(comparison, [visit.fused for visit in visits if visit.fused])
        titled = [replace(picture, session=f"{picture.session} (simulated)") for picture in pictures]
        if not missing:
            write_png(folder / "fused.png", fused_figure(titled))
        if report and not missing:
            progress(0.92, "Writing the report")
            write_report(folder / COMPARISON, comparison, pictures)
        if report:
            write_for_others(folder / COMPARISON, comparison)
        record = demo_record(visits, comparison, truth, target)
        write_json(folder / "results.json", record)
        text = demo_text(settings, visits, comparison, known, input_source, target)
        (folder / "table1.txt").write_text(text + "\n", encoding="utf-8")
    left_out = Notice(
        "report-left-out",
        "the report and its pictures were left out: they need {names}; run: pip install {packages}",
        names=", ".join(missing),
        packages=" ".join(missing),
    )
    return DemoReport(text, record, (left_out,) if missing else ())


def _study(folder: Path, settings: PhantomSettings, input_source: str, corrected: tuple[str, ...]) -> Study:
    """A simulated visit as a study. corrected: regions to correct for partial volume, where there is any blur."""
    study = read_study(folder / "study.toml")
    if input_source == "true":
        given = next(folder.glob("*desc-truth_bloodproc.tsv"))
        study = replace(study, given_input=given, settings=replace(study.settings, input_source="given"))
    if settings.fwhm_mm > 0:
        corrects = replace(study.settings, pvc=PVC, fwhm_mm=settings.fwhm_mm, pvc_regions=corrected)
        study = replace(study, settings=corrects)
    return study


def _both(first: Study, second: Study, progress: Progress) -> list[VisitResult]:
    """Both visits side by side where there are two cores; each takes the memory of its own images."""
    if cores() < 2:
        return [quantify_study(first, part(progress, 0, 0.5)), quantify_study(second, part(progress, 0.5, 1))]
    with another_process(quantify_study, first) as answer:
        after = quantify_study(second, progress)
        return [answer(), after]


def foramina_of_interest(lesion: Lesion) -> tuple[str, ...]:
    """Names of the affected foramen, the contralateral one, and the one three levels above."""
    others = (reference_of(lesion.foramen, rule) for rule in (CONTRALATERAL, REFERENCE_RULES[0]))
    return tuple(name_of(place) for place in (lesion.foramen, *others) if place is not None)


def _free_folder() -> Path:
    number = 1
    while True:
        folder = Path("out") / ("demo" if number == 1 else f"demo-{number}")
        if not folder.exists() or not any(folder.iterdir()):
            return folder
        number += 1


def true_vt(truth: Truth, row: RegionOutcome) -> float:
    """The phantom's V_T of a row's region at its visit, mL/cm³."""
    return float(truth["visits"][row.visit]["regions"][row.region]["VT"])


def true_volumes(visits: list[VisitResult], truth: Truth) -> dict[str, tuple[float, float]]:
    """The phantom's V_T at both visits, by outcome."""
    known = {}
    for before in visits[0].record.rows:
        after = visits[1].record.row(*before.place, before.model, before.pvc)
        if after is not None:
            known[vt_key(before)] = (true_vt(truth, before), true_vt(truth, after))
    return known


def demo_record(visits: list[VisitResult], comparison: Comparison, truth: Truth, out: Path) -> dict[str, object]:
    """What ``--json`` prints."""
    regions = [region_record(row, true_vt(truth, row)) for visit in visits for row in visit.record.rows]
    return {
        "about": f"Simulated data. {DISCLAIMER}",
        "regions": regions,
        "table1": [table1_record(change) for change in comparison.table1],
        "out": str(out),
    }


def demo_text(
    settings: PhantomSettings,
    visits: list[VisitResult],
    comparison: Comparison,
    known: Mapping[str, tuple[float, float]],
    input_source: str,
    out: Path,
) -> str:
    """Table 1 with the truth beside it, what was simulated, and every visit's warnings."""
    warnings = (f"{visit.record.session}: {n.code}: {n.message}" for visit in visits for n in visit.record.warnings)
    lines = [
        "Simulated data: the digital neck, two visits, computed from its DICOM files",
        "",
        main_text(comparison, known),
        "",
        f"V_B fitted, {input_source} input.",
        f"Scanner: {settings.vendor}, {settings.fwhm_mm:g} mm FWHM, {settings.noise_percent:g} % noise, "
        f"{settings.motion_mm:g} mm motion; seed {settings.seed}.",
    ]
    if settings.fwhm_mm > 0:
        lines += [
            "The truth is the V_T of the tissue itself. A scanner blurs: what is measured in a foramen of 8 × 7 mm",
            f"lies below it. The rows called corrected undo that ({PVC}), with the resolution that was simulated.",
        ]
    lines += [f"warning: {warning}" for warning in warnings]
    lines += [f"Everything is in {out}, the whole comparison in its folder {COMPARISON}. {DISCLAIMER}"]
    return "\n".join(lines)
