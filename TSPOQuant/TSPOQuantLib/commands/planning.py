"""Before a study: ``plan``, with the simulated blood of the phantom for an input."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages import InputRefused, Listed, Notice
from ..progress import Progress
from ..terminal import Result
from .options import add_command, add_force, add_json, add_output, minutes

if TYPE_CHECKING:
    from ..input_function import InputFunction
    from ..outcome.plan import Protocol
    from .options import Commands


def register(commands: "Commands") -> None:
    plan = add_command(commands, "plan", run_plan, "which change a protocol could detect")
    plan.add_argument("protocol", type=Path, metavar="PROTOCOL.toml")
    plan.add_argument("--tracer", metavar="NAME", help="instead of the one in the file")
    plan.add_argument("--half-life", type=float, metavar="S", help="of its radionuclide, likewise")
    plan.add_argument("--repeatability", type=Path, metavar="RC.toml", help="how V_T repeats, as group writes it")
    plan.add_argument("--out", type=Path, metavar="DIR", help="where to write plan.json, plan.txt and plan.png")
    plan.add_argument(
        "--from", type=Path, dest="noise_of", metavar="VISIT_OUT", help="a folder that quantify wrote, for its noise"
    )
    add_force(plan)
    add_json(plan)

    length = add_command(commands, "length", run_length, "V_T against the length of the scan, from a visit's results")
    length.add_argument("visit", type=Path, metavar="VISIT_OUT", help="a folder that quantify wrote")
    length.add_argument("--ends", type=_ends, default=(), metavar="MIN,MIN,…", help="default: every 10 min from 30 on")
    add_output(length)


def _ends(text: str) -> tuple[float, ...]:
    return tuple(minutes(end.strip()) for end in text.split(","))


def run_length(options: argparse.Namespace, progress: Progress) -> Result:
    from ..outcome.record import read_record
    from ..outcome.scan_length import settled
    from ..output import whole_folder
    from ..pipeline.scan_length import by_length
    from ..reporting.length_files import length_text, write_lengths

    record = read_record(options.visit)
    rows = by_length(record, options.ends)
    whole_min = rows[-1].end_min
    late = Listed(f"{end:g}" for end in dict.fromkeys(options.ends) if end > whole_min)
    if len({row.end_min for row in rows}) < 2 and late:
        raise InputRefused(
            "length-short",
            "the fits end at {minutes:.4g} min, and --ends names no earlier time ({late}); it takes minutes",
            minutes=whole_min,
            late=late,
        )
    if len({row.end_min for row in rows}) < 2:
        raise InputRefused(
            "length-short",
            "the fits end at {minutes:.0f} min, and no length to try is shorter; name some with --ends",
            minutes=rows[0].end_min,
        )
    with whole_folder(options.out, options.force, [options.visit]) as folder:
        write_lengths(folder, rows, record)
    beyond = Notice(
        "length-beyond",
        "the fits end at {minutes:.4g} min: later ends of --ends ({late}) are not tried",
        minutes=whole_min,
        late=late,
    )
    content = {"lengths": rows, "settled": settled(rows), "out": options.out}
    return Result(length_text(rows, record), content, (*record.warnings, *((beyond,) if late else ())))


def run_plan(options: argparse.Namespace, progress: Progress) -> Result:
    from ..outcome.plan import make_plan, with_drift_of, with_noise_of
    from ..outcome.protocol_file import read_protocol, with_coefficient
    from ..outcome.record import read_record
    from ..outcome.repeatability import read_repeatability
    from ..outcome.scan_length import drift
    from ..output import whole_folder
    from ..pipeline.scan_length import by_length
    from ..reporting.plan_files import plan_text, write_plan_figure
    from ..reporting.tables import write_json

    protocol = read_protocol(options.protocol, options.tracer, options.half_life)
    if options.repeatability:
        protocol = with_coefficient(protocol, read_repeatability(options.repeatability))
    if options.noise_of:
        record = read_record(options.noise_of)
        protocol = with_drift_of(with_noise_of(protocol, record), drift(by_length(record), protocol.model))
    plan = make_plan(protocol, simulated_input(protocol), progress=progress)
    text = plan_text(plan)
    read = [path for path in (options.protocol, options.repeatability, options.noise_of) if path]
    if options.out:
        with whole_folder(options.out, options.force, read) as folder:
            write_json(folder / "plan.json", plan)
            (folder / "plan.txt").write_text(text + "\n", encoding="utf-8")
            write_plan_figure(folder / "plan.png", plan)
    return Result(text, plan)


def simulated_input(protocol: "Protocol") -> "InputFunction":
    """The blood of the phantom, scaled to the dose and carried on to the end of the scan."""
    import numpy as np

    from ..input_function import InputFunction
    from ..phantom.tables import true_input_times_min
    from ..phantom.tracer import INJECTED_MBQ, blood_of

    minutes = true_input_times_min()
    minutes = np.append(minutes, np.arange(minutes[-1] + 0.5, protocol.minutes + 1, 0.5))
    blood, scale = blood_of("baseline"), protocol.injected_mbq / INJECTED_MBQ["baseline"]
    return InputFunction(60 * minutes, scale * blood.parent_plasma(minutes), scale * blood.whole_blood(minutes))
