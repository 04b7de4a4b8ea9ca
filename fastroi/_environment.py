"""Variables of the environment are judged at import: an exception, but of the command line one line and exit code 2."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def judged() -> Iterator[None]:
    """Where the variables are read; the command line, whose own code runs after the import, cannot catch what is wrong."""
    try:
        yield
    except ValueError as error:
        if not _starts_command_line():
            raise
        print(f"fastroi: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def _starts_command_line() -> bool:
    program = (getattr(sys, "argv", None) or [""])[0]
    if program == "-m":  # while Python imports the package of the module that it is to run
        arguments = sys.orig_argv
        return any(arguments[i : i + 2] == ["-m", "fastroi"] for i in range(len(arguments))) or "-mfastroi" in arguments
    return os.path.splitext(os.path.basename(program))[0] == "fastroi"
