"""The command line in this process."""

import contextlib
import io

from TSPOQuantLib.cli import main


def run(*arguments):
    """A command's exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()
