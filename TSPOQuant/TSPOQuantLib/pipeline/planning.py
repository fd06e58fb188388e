"""Which change could a protocol detect, with the phantom's blood for an input."""

from pathlib import Path

import numpy as np

from ..input_function import InputFunction
from ..outcome.plan import Plan, make_plan, read_protocol
from ..phantom.tables import true_input_times_min
from ..phantom.tracer import HALF_LIFE_S, INJECTED_MBQ, blood_of
from ..progress import Progress, silent


def plan_protocol(path: Path, progress: Progress = silent) -> Plan:
    """Which change a protocol could detect, with the phantom's blood for an input. Raises InputRefused."""
    protocol = read_protocol(path)
    minutes = true_input_times_min()
    minutes = np.append(minutes, np.arange(minutes[-1] + 0.5, protocol.minutes + 1, 0.5))
    blood, scale = blood_of("baseline"), protocol.injected_mbq / INJECTED_MBQ["baseline"]
    source = InputFunction(60 * minutes, scale * blood.parent_plasma(minutes), scale * blood.whole_blood(minutes))
    return make_plan(protocol, source, HALF_LIFE_S, progress=progress)
