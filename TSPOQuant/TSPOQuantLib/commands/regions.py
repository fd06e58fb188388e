"""Regions without Slicer: ``propose`` them from labels of the vertebrae, ``regions compare`` two segmentations."""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..messages import InputRefused, Listed, Text
from ..progress import Progress
from ..terminal import Result
from .options import add_command, add_json

if TYPE_CHECKING:
    from ..acquisition.segmentation import Segmentation
    from ..pipeline.proposing import ProposedRegions
    from ..regions.proposals import Proposal
    from .options import Commands


def register(commands: "Commands") -> None:
    propose = add_command(
        commands, "propose", run_propose, "foramina, cord and blood pool from labels of the vertebrae, to be looked at"
    )
    propose.add_argument("source", type=Path, metavar="STUDY|CT", help="a study.toml, or a CT: a file or DICOM folder")
    propose.add_argument(
        "--labels", type=Path, required=True, metavar="L", help="labels of vertebrae: a file, or a folder of masks"
    )
    propose.add_argument("--out", type=Path, required=True, metavar="FILE.seg.nrrd", help="the segmentation to write")
    propose.add_argument("--force", action="store_true", help="replace the segmentation and its pictures")
    add_json(propose)

    regions = commands.add_parser("regions", help="compare two segmentations of one visit")
    kinds = regions.add_subparsers(metavar="KIND", required=True)
    compare = add_command(kinds, "compare", run_compare, "how far two segmentations of one visit agree")
    compare.add_argument("first", type=Path, metavar="A")
    compare.add_argument("second", type=Path, metavar="B")
    compare.add_argument("study", type=Path, nargs="?", metavar="STUDY", help="a study.toml, for V_T with either")
    add_json(compare)


def run_propose(options: argparse.Namespace, progress: Progress) -> Result:
    """Writes the segmentation and, in ``…_pictures`` beside it, a picture of each foramen; both or none.

    Raises InputRefused ("output-name", "output-exists", "regions-none").
    """
    from ..output import check_free
    from ..pipeline.proposing import described, propose_for_ct, propose_for_study

    out = options.out
    if not out.name.endswith(".seg.nrrd"):
        raise InputRefused("output-name", "{out} must end in .seg.nrrd; name the segmentation to write", out=out)
    pictures = out.with_name(out.name.removesuffix(".seg.nrrd") + "_pictures")
    if out.is_dir():
        raise InputRefused("output-exists", "{out} is a folder; name a file for the segmentation", out=out)
    if out.exists() and not options.force:
        raise InputRefused("output-exists", "{out} is there already; name another file or add --force", out=out)
    if any(out.resolve() == given.resolve() for given in (options.source, options.labels)):
        raise InputRefused("output-holds-input", "{out} is an input; name another file", out=out)
    check_free(pictures, options.force)
    source = options.source
    work = propose_for_study if source.suffix.lower() == ".toml" else propose_for_ct
    proposed = work(source, options.labels, progress)
    if not proposed.segmentation.segments:
        raise InputRefused(
            "regions-none",
            "no region can be proposed: {reasons}",
            reasons=Listed(dict.fromkeys(proposal.reason for proposal in proposed.proposals), "; "),
        )
    _write(proposed, out, pictures, options.force)
    content = {"regions": [_row(proposal, pictures) for proposal in proposed.proposals], "out": str(out)}
    lines = [described(proposal) for proposal in proposed.proposals]
    return Result(
        "\n".join([*lines, Text("written: {out}; look at {pictures}", out=out, pictures=pictures)]),
        content,
        proposed.notices,
    )


def _write(proposed: "ProposedRegions", out: Path, pictures: Path, force: bool) -> None:
    from ..acquisition.segmentation_files import write_segmentation
    from ..output import unwritable, whole_folder
    from ..reporting.region_pictures import draw_canal

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise unwritable(out, error) from error
    try:
        write_segmentation(scratch / out.name, proposed.segmentation)
        with whole_folder(pictures, force) as folder:
            for proposal in proposed.proposals:
                if proposal.canal is not None:
                    title = proposal.name if proposal.segment is not None else f"{proposal.name}: {proposal.code}"
                    draw_canal(
                        folder / _picture(proposal), proposed.ct, proposal.canal, title, proposal.segment is not None
                    )
        (scratch / out.name).replace(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _picture(proposal: "Proposal") -> str:
    return proposal.name.split(" (")[0].replace(" ", "_").replace("/", "_") + ".png"


def _row(proposal: "Proposal", pictures: Path) -> dict[str, Any]:
    from ..regions.anatomy import identify

    anatomy, canal, passage = identify(proposal.name, {}), proposal.canal, proposal.passage
    return {
        "region": proposal.name,
        "structure": anatomy.structure,
        "level": anatomy.level,
        "root": anatomy.root,
        "side": anatomy.side,
        "proposed": proposal.segment is not None,
        "code": proposal.code,
        "reason": str(proposal.reason),
        "confidence": round(proposal.confidence, 3),
        "placement_mm": proposal.placement_mm,
        "center_lps_mm": None if canal is None else [round(float(x), 2) for x in canal.center],
        "height_mm": None if passage is None else passage.height,
        "width_mm": None if passage is None else passage.width,
        "radius_mm": None if passage is None else passage.radius,
        "picture": None if canal is None else str(pictures / _picture(proposal)),
    }


def run_compare(options: argparse.Namespace, progress: Progress) -> Result:
    from ..regions.observers import agreements, placement_mm, swapped_sides
    from ..regions.region import regions_of

    first, second = both_segmentations(options)
    drawn = regions_of(first), regions_of(second)
    agreed, swapped = agreements(*drawn), swapped_sides(*drawn)
    values = _vt_of(options, progress) if options.study is not None else ({}, {})
    rows = []
    lines = [f"{'region':34s} {'Dice':>5s} {'mm apart':>8s} {'along':>6s} {'across':>6s} {'volume':>7s} {'V_T':>7s}"]
    for agreement in agreed:
        change = _change(values[0].get(agreement.region), values[1].get(agreement.other))
        rows.append(
            {
                "region": agreement.region,
                "dice": agreement.dice,
                "distance_mm": agreement.distance_mm,
                "along_mm": agreement.along_mm,
                "across_mm": agreement.across_mm,
                "volume_ratio": agreement.volume_ratio,
                "VT_change": change,
            }
        )
        along, across = ("" if x is None else f"{x:.1f}" for x in (agreement.along_mm, agreement.across_mm))
        vt_change = "" if change is None else f"{change:+.1%}"
        lines.append(
            f"{agreement.region[:34]:34s} {agreement.dice:5.2f} {agreement.distance_mm:8.1f} {along:>6s} {across:>6s} "
            f"{agreement.volume_ratio - 1:+7.0%} {vt_change:>7s}"
        )
    spread = placement_mm(agreed)
    if spread is not None:
        lines.append(Text("placement of one observer along each axis: SD {spread:.2f} mm", spread=spread))
    return Result(
        "\n".join(lines), {"regions": rows, "placement_mm": spread}, (*first.notices, *second.notices, *swapped)
    )


def both_segmentations(options: argparse.Namespace) -> "tuple[Segmentation, Segmentation]":
    """Both segmentations; contours on the grid of the study's CT or MR, or else of the other one."""
    from ..acquisition.segmentation_files import is_contours, read_segmentation
    from ..pipeline.visit_data import anatomical_of
    from ..study import read_study

    paths = (options.first, options.second)
    contours = [is_contours(path) for path in paths]
    on = None
    if any(contours) and options.study is not None:
        drawn_on = anatomical_of(read_study(options.study))
        on = drawn_on.grid if drawn_on else None
    elif any(contours) and not all(contours):
        on = read_segmentation(paths[contours.index(False)]).grid
    first, second = (read_segmentation(path, on=on) for path in paths)
    return first, second


def _change(first: float | None, second: float | None) -> float | None:
    return second / first - 1 if first and second is not None else None


def _vt_of(options: argparse.Namespace, progress: Progress) -> tuple[dict[str, float], dict[str, float]]:
    """V_T by region with the first and with the second segmentation; the first model's, as measured."""
    from dataclasses import replace

    from ..pipeline.quantification import quantify_study
    from ..progress import part
    from ..study import read_study

    study = read_study(options.study)
    volumes = []
    for share, path in ((0.0, options.first), (0.5, options.second)):
        with_regions = replace(study, segmentation=path.absolute(), carried_from=None)
        record = quantify_study(with_regions, part(progress, share, share + 0.5)).record
        model = next(iter(record.models), "")  # a single late frame has none
        volumes.append({row.region: row.VT for row in record.rows if row.model == model and row.pvc == "none"})
    first, second = volumes
    return first, second
