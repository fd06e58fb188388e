"""Makes ``tools`` importable in tests: Slicer's Python knows the installed module, not the checkout around it."""

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]

if str(REPOSITORY) not in sys.path:
    sys.path.append(str(REPOSITORY))
