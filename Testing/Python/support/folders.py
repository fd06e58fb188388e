"""A test with a folder of its own, which is gone when it ends."""

import json
import tempfile
import unittest
from pathlib import Path

from TSPOQuantLib.messages import InputRefused


class Folder(unittest.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name, content):
        """A file of a text, or of anything else as JSON."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def refused(self, code, call, *arguments, **keywords):
        """The message with which a call is refused under that code."""
        with self.assertRaises(InputRefused) as caught:
            call(*arguments, **keywords)
        self.assertEqual(caught.exception.code, code)
        return caught.exception.message
