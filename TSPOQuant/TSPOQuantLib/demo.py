"""The whole study on the simulated neck: DICOM in, Table 1 out, the truth beside it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import DISCLAIMER
from .dicom_out import write_source
from .outcome.change import Change, table1, vt_key
from .outcome.clinical import read_clinical
from .outcome.visit import RegionOutcome, VisitResult
from .output import whole_folder
from .phantom import PhantomSettings, write_phantom
from .pipeline import fused_pictures, quantify_visit, read_visit
from .progress import Progress, part, silent
from .reporting import tables
from .reporting.figures import fused_figure, write_png
from .study import read_study

Truth = Mapping[str, Any]
"""The content of the phantom's truth.json."""

PHANTOM = "phantom"
"""The folder, below the demo's own, that holds what a site would have."""
PVC = "GTM"
"""How the affected foramen is corrected for partial volume, it alone: all regions would take minutes."""


@dataclass(frozen=True)
class DemoReport:
    """What the demo prints: text for a terminal, and the same as a record for other programs."""

    text: str
    record: dict[str, object]


def run(
    settings: PhantomSettings,
    out: Path | None = None,
    force: bool = False,
    input_source: str = "image-derived",
    progress: Progress = silent,
) -> DemoReport:
    """Write the phantom, quantify both visits from its files, and compare.

    input_source: "image-derived", or "true" for the phantom's own parent plasma. out: None takes the next free folder
    out/demo, out/demo-2, …
    """
    target = out or _free_folder()
    with whole_folder(target, force) as folder:
        write_phantom(folder / PHANTOM, settings, part(progress, 0, 0.3))
        truth = json.loads((folder / PHANTOM / "truth.json").read_text(encoding="utf-8"))
        clinical = read_clinical(folder / PHANTOM / "clinical.toml")
        lesion = clinical.lesion
        assert lesion is not None, "the phantom names its lesion"
        affected = f"foramen {lesion.level} {lesion.side} (root {lesion.root})"
        visits = []
        for index, session in enumerate(("baseline", "followup")):
            study = read_study(folder / PHANTOM / f"ses-{session}" / "study.toml")
            if input_source == "true":
                given = next((folder / PHANTOM / f"ses-{session}").glob("*desc-truth_bloodproc.tsv"))
                study = replace(study, given_input=given, settings=replace(study.settings, input_source="given"))
            if settings.fwhm_mm > 0:
                corrects = replace(study.settings, pvc=PVC, fwhm_mm=settings.fwhm_mm, pvc_regions=(affected,))
                study = replace(study, settings=corrects)
            stretch = part(progress, 0.3 + 0.35 * index, 0.65 + 0.35 * index)
            data = read_visit(study, part(stretch, 0, 0.2))
            visits.append(quantify_visit(study, data, part(stretch, 0.2, 1)))
            tables.write_visit(folder / f"ses-{session}", visits[-1])
            write_source(folder / f"ses-{session}", study)
        pictures = fused_pictures([visit.fused for visit in visits if visit.fused], [affected])
        titled = [replace(picture, session=f"{picture.session} (simulated)") for picture in pictures]
        write_png(folder / "fused.png", fused_figure(titled))
        model = next(iter(visits[0].fits))
        changes = table1(visits[0], visits[1], clinical, lesion, model)
        record = demo_record(visits, changes, truth, target)
        tables.write_json(folder / "results.json", record)
        text = demo_text(settings, visits, changes, truth, model, input_source, target)
        (folder / "table1.txt").write_text(text + "\n", encoding="utf-8")
    return DemoReport(text, record)


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


def demo_record(visits: list[VisitResult], changes: tuple[Change, ...], truth: Truth, out: Path) -> dict[str, object]:
    """What ``--json`` prints."""
    regions = [tables.region_record(row, true_vt(truth, row)) for visit in visits for row in visit.rows]
    return {
        "about": f"Simulated data. {DISCLAIMER}",
        "regions": regions,
        "table1": [tables.table1_record(change) for change in changes],
        "out": str(out),
    }


def demo_text(
    settings: PhantomSettings,
    visits: list[VisitResult],
    changes: tuple[Change, ...],
    truth: Truth,
    model: str,
    input_source: str,
    out: Path,
) -> str:
    """Table 1 with the truth beside it, what was simulated, and every warning once."""
    known = {}
    for before in visits[0].rows:
        after = visits[1].row(before.structure, before.level, before.side, before.model, before.pvc)
        if after is not None:
            known[vt_key(before)] = (true_vt(truth, before), true_vt(truth, after))
    warnings = dict.fromkeys(f"{n.code}: {n.message}" for visit in visits for n in visit.notices)
    lines = [
        "Table 1. Simulated data: the digital neck, two visits, computed from its DICOM files",
        "",
        tables.table1_text(changes, known),
        "",
        f"V_T in mL/cm³ ± standard error by {model}, V_B fitted, {input_source} input.",
        f"Scanner: {settings.vendor}, {settings.fwhm_mm:g} mm FWHM, {settings.noise_percent:g} % noise, "
        f"{settings.motion_mm:g} mm motion; seed {settings.seed}.",
    ]
    if settings.fwhm_mm > 0:
        lines += [
            "The truth is the V_T of the tissue itself. A scanner blurs: what is measured in a foramen of 8 × 7 mm",
            f"lies below it. The row called corrected undoes that ({PVC}), with the resolution that was simulated.",
        ]
    lines += [f"warning: {warning}" for warning in warnings]
    lines += [f"Everything is in {out}. {DISCLAIMER}"]
    return "\n".join(lines)
