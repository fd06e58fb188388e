"""Where the real data lies that some tests read; they are skipped, and counted as skipped, without it."""

import os
import unittest
from pathlib import Path

DATA = Path(os.environ.get("TSPOQUANT_DATA") or Path(__file__).resolve().parents[4] / "shared" / "data")

needs_data = unittest.skipUnless(DATA.is_dir(), f"real data not found in {DATA}; set TSPOQUANT_DATA")
