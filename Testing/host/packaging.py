"""Stand-in for ``slicer.packaging``: installs nothing, and says what is missing as a user who declines."""

import importlib.metadata
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement


def load_requirements(path):
    lines = (line.split("#")[0].strip() for line in Path(path).read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def pip_ensure(requirements, requester=None):
    for requirement in requirements:
        try:
            importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError as error:
            raise RuntimeError(f"{requester} needs {requirement}") from error


def module() -> ModuleType:
    made = ModuleType("slicer.packaging")
    made.load_requirements, made.pip_ensure = load_requirements, pip_ensure
    return made
