"""Under pytest alone: the inner loop's tests, the order of all, and what each costs (Python/support/tiers.py)."""

import os
import sys
from collections import defaultdict

import pytest
from Python.support import tiers

ROW = {"setup": tiers.shared, "call": tiers.plain}


def pytest_addoption(parser):
    parser.addoption("--costs", action="store_true", help="note what the tests that run cost (support/costs.tsv)")


def pytest_configure(config):
    keep_bytecode(config)
    if config.getoption("costs") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Bookkeeper())


def keep_bytecode(config):
    """Where Python may write nothing beside the sources, pytest's own folder takes what it compiles.

    Compiling the house costs more than most tests do, and each program that a test starts would do it again.
    """
    if sys.dont_write_bytecode and hasattr(config, "cache"):
        sys.pycache_prefix, sys.dont_write_bytecode = str(config.cache.mkdir("bytecode")), False
        os.environ.update(PYTHONPYCACHEPREFIX=sys.pycache_prefix, PYTHONDONTWRITEBYTECODE="")


def pytest_collection_modifyitems(config, items):
    """The dearest files first: one at the end would keep one worker alone while the other waits."""
    costs = tiers.read_costs()
    of_file = tiers.by_file(costs)
    if os.environ.get("TSPOQUANT_QUICK"):
        left_out = [item for item in items if tiers.is_dear(item.nodeid, costs)]
        items[:] = [item for item in items if not tiers.is_dear(item.nodeid, costs)]
        config.hook.pytest_deselected(items=left_out)
    else:
        items.sort(key=lambda item: -of_file.get(item.nodeid.split("::")[0], 0.0))


def cpu_s():
    """Of this process and of those of its children that have ended."""
    return sum(os.times()[:4])


def timed(phase):
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def run(item):
        began = cpu_s()
        try:
            return (yield)
        finally:
            item.user_properties.append((phase, cpu_s() - began))

    return run


pytest_runtest_setup = timed("setup")
pytest_runtest_call = timed("call")


class Bookkeeper:
    """Gathers what the workers measured."""

    def __init__(self):
        self.measured = {}

    def pytest_runtest_logreport(self, report):
        if report.when == "call" and report.passed:
            self.measured[report.nodeid] = dict(report.user_properties)

    def pytest_sessionfinish(self):
        found = defaultdict(float)
        for name, phases in self.measured.items():
            for phase, cost in phases.items():
                found[ROW[phase](name)] += cost
        tiers.write_costs({**tiers.read_costs(), **found})
