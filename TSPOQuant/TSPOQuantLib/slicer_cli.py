"""The command line inside Slicer, with Slicer's own packages:

    Slicer --no-splash --no-main-window --python-script …/TSPOQuantLib/slicer_cli.py quantify study.toml --out DIR

Slicer takes options that it knows itself, such as --help and --version, for its own.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

    from TSPOQuantLib.cli import main

    sys.exit(main(sys.argv[1:]))
