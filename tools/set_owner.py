"""Fill in who keeps this extension: the account on GitHub and, where given, the people with their institutions.

    python tools/set_owner.py ACCOUNT ["Name (Institution), Name (Institution)"]

rewrites every line that names them; nothing else has to be edited before the extension is handed in to Slicer's
Extensions Index. ExtensionTest holds that all lines agree. It can be run again with another account.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
FILES = (
    "CMakeLists.txt",
    "TSPOQuant.json",
    "README.md",
    "TSPOQuant/TSPOQuant.py",
    "DICOMDynamicPETPlugin/DICOMDynamicPETPlugin.py",
)
PROJECT = "SlicerTSPOQuant"
ADDRESS = re.compile(rf"(https://(?:raw\.githubusercontent|github)\.com/)([^/\s\"]+)(/{PROJECT}\b)")
PEOPLE = (
    re.compile(r'(set\(EXTENSION_CONTRIBUTORS ")([^"]*)("\))'),
    re.compile(r'(parent\.contributors = \[")([^"]*)("\])'),
)
ACCOUNT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}")
UNKNOWN = "OWNER"


def accounts(folder: Path) -> Iterator[tuple[str, str]]:
    """(file, account) of every address of the project."""
    for name in FILES:
        for found in ADDRESS.finditer((folder / name).read_text(encoding="utf-8")):
            yield name, found[2]


def people(folder: Path) -> Iterator[tuple[str, str]]:
    """(file, contributors) of every line that names them."""
    for name in FILES:
        text = (folder / name).read_text(encoding="utf-8")
        for pattern in PEOPLE:
            for found in pattern.finditer(text):
                yield name, found[2]


def fill_in(folder: Path, account: str, contributors: str = "") -> None:
    """Rewrite the lines of the files in a clone. Raises ValueError for what is no account of GitHub, or would break a
    line."""
    if not ACCOUNT.fullmatch(account) or account == UNKNOWN:
        raise ValueError(f"{account!r} is no account of GitHub")
    if re.search(r'["\\\n]', contributors):
        raise ValueError("contributors cannot hold quotation marks, backslashes or line breaks")
    for name in FILES:
        file = folder / name
        text = ADDRESS.sub(rf"\g<1>{account}\g<3>", file.read_text(encoding="utf-8"))
        for pattern in PEOPLE if contributors else ():
            text = pattern.sub(lambda found: f"{found[1]}{contributors}{found[3]}", text)
        file.write_text(text, encoding="utf-8", newline="\n")


def main(arguments: list[str]) -> int:
    if not 1 <= len(arguments) <= 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        fill_in(REPOSITORY, *arguments)
    except ValueError as error:
        print(f"error: owner: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
