"""Before a study: ``plan``, with the simulated blood of the phantom for an input."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..progress import Progress
from ..terminal import Result
from .options import add_command, add_force, add_json

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


def run_plan(options: argparse.Namespace, progress: Progress) -> Result:
    from ..outcome.plan import make_plan, read_protocol, with_coefficient, with_noise_of
    from ..outcome.record import read_record
    from ..outcome.repeatability import read_repeatability
    from ..output import whole_folder
    from ..reporting.plan_files import plan_text, write_plan_figure
    from ..reporting.tables import write_json

    protocol = read_protocol(options.protocol, options.tracer, options.half_life)
    if options.repeatability:
        protocol = with_coefficient(protocol, read_repeatability(options.repeatability))
    if options.noise_of:
        protocol = with_noise_of(protocol, read_record(options.noise_of))
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
