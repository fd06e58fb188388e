"""The simulated neck: ``phantom`` writes it as a site would have it, ``demo`` computes a whole study from that."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages import InputRefused
from ..progress import Progress
from ..terminal import Result
from .options import add_command, add_force, add_json, add_out

if TYPE_CHECKING:
    from ..phantom import PhantomSettings
    from .options import Commands


def register(commands: "Commands") -> None:
    demo = add_command(
        commands, "demo", run_demo, "the whole study on the simulated digital neck, from DICOM to Table 1"
    )
    demo.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: a new folder out/demo…)")
    demo.add_argument("--fast", action="store_true", help="a coarser neck, which takes less time")
    demo.add_argument("--input", choices=("image-derived", "true"), default="image-derived", help="input function")
    demo.add_argument("--no-report", action="store_true", help="leave out the report, which takes a while")
    _add_settings(demo)
    add_force(demo)
    add_json(demo)

    phantom = add_command(commands, "phantom", run_phantom, "write the simulated digital neck as a site would have it")
    add_out(phantom)
    phantom.add_argument("--fast", action="store_true", help="a coarser neck")
    _add_settings(phantom)
    add_force(phantom)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="everything random follows from it")
    parser.add_argument("--vendor", choices=("ge", "siemens", "philips"), default="siemens", help="whose DICOM timing")
    parser.add_argument("--fwhm", type=float, default=5.0, metavar="MM", help="resolution; 0: no partial volume")
    parser.add_argument("--noise", type=float, default=20.0, metavar="PERCENT", help="muscle, first 600-s frame")
    parser.add_argument("--motion", type=float, default=1.0, metavar="MM", help="SD of the drift, in mm and degrees")
    parser.add_argument(
        "--scanner",
        default="gaussian",
        metavar="SCANNER",
        help="gaussian: one blur, independent voxels; osem[:ITERATIONS,SUBSETS,psf,tof]: projected and reconstructed",
    )
    parser.add_argument(
        "--neighbors",
        choices=("hot", "plain"),
        help="hot: marrow apart from cortex, glands, epidural veins; as the scanner: hot with osem",
    )
    parser.add_argument("--two-tissue", action="store_true", help="a second compartment in cord, marrow and glands")
    parser.add_argument("--foramen-k1", type=float, default=0.5, metavar="K1", help="mL/cm3/min")
    parser.add_argument(
        "--tracer",
        default="[11C]DPA-713",
        metavar="NAME",
        help="whose name, code and half-life; the kinetics stay those of the phantom",
    )
    parser.add_argument(
        "--shape",
        default="",
        metavar="SHAPE",
        help="ailments and posture, such as foramina=0.75,spurs=2,facets=1,lean=20,turn=10,tilt=5,fused=C5/C6,"
        "missing=C5,metal=C6/C7,contrast",
    )
    parser.add_argument("--spine", choices=("cervical", "lumbar"), default="cervical", help="which part of it")
    parser.add_argument("--anatomy", choices=("ct", "mr"), default="ct", help="mr: a PET/MR, with an MR for the CT")
    parser.add_argument("--truth", type=Path, metavar="FILE.json", help="V_T by region and visit, to replace ours")


def run_demo(options: argparse.Namespace, progress: Progress) -> Result:
    from ..demo import run

    settings, write = _settings(options), not options.no_report
    report = run(settings, options.out, options.force, options.input, progress, write)
    return Result(report.text, report.record, report.notices)


def run_phantom(options: argparse.Namespace, progress: Progress) -> Result:
    from ..phantom import write_phantom

    write_phantom(options.out, _settings(options), progress, options.force)
    what = "neck" if options.spine == "cervical" else f"{options.spine} spine"
    return Result(f"A simulated {what}, two visits, in {options.out}")


def _settings(options: argparse.Namespace) -> "PhantomSettings":
    from ..phantom import PhantomSettings

    return PhantomSettings(
        seed=options.seed,
        vendor=options.vendor,
        fwhm_mm=options.fwhm,
        noise_percent=options.noise,
        motion_mm=options.motion,
        fast=options.fast,
        scanner=options.scanner,
        hot_neighbors={"hot": True, "plain": False, None: None}[options.neighbors],
        two_tissue=options.two_tissue,
        foramen_k1=options.foramen_k1,
        tracer=options.tracer,
        shape=options.shape,
        anatomy=options.anatomy,
        spine=options.spine,
        truth=_truth(options.truth) if options.truth else {},
    )


def _truth(path: Path) -> dict[str, dict[str, float]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputRefused(
            "truth-unreadable", "{path}: {strerror}; name a JSON file", path=path, strerror=error.strerror
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputRefused("truth-unreadable", "{path}: {error}; correct the file", path=path, error=error) from error
    if not isinstance(content, dict):
        raise InputRefused("truth-unreadable", "{path}: must hold regions with V_T by visit", path=path)
    return content
