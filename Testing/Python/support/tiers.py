"""Which tests belong to the developer's inner loop."""

import os
import unittest

slow = unittest.skipIf(os.environ.get("TSPOQUANT_QUICK"), "left out of the quick tests")
"""Marks a test, or a class of tests, that takes more than a few seconds."""
