"""The one exception of the command line's own, and files' names in those of the library."""

from __future__ import annotations

import contextlib
import re
import sys

STREAM = "-"
_MOST_OF_A_LINE = 1000  # characters: a file may have a header of a million columns


class UsageError(Exception):
    """Arguments that argparse accepts one by one but that do not go together: exit code 2."""


def shown(path) -> str:
    """The name of a file in messages."""
    return "standard input" if path == STREAM else str(path)


def one_line(text) -> str:
    """A message for a terminal, whatever a file put into it: one line of bounded length, without control characters."""
    text = _shortened(" ".join(str(text).split()))
    return _shortened("".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text))


def _shortened(text):
    if len(text) <= _MOST_OF_A_LINE:
        return text
    return f"{text[: _MOST_OF_A_LINE * 2 // 3]} ... {text[-_MOST_OF_A_LINE // 4 :]}"


def tell(note):
    """Print a note on standard error."""
    print(f"fastroi: {one_line(note)}", file=sys.stderr)


@contextlib.contextmanager
def naming_files(files, place=lambda file, row: ""):
    """Put a file's name before a message of the library that begins with the name of an argument.

    Parameters
    ----------
    files : dict
        From arguments to the file they come from, or to the list of files whose arrays they hold.
    place : callable
        From a file and the row that the message names to the row's place in the file.
    """
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        text = " ".join(str(error).split())
        name, row = re.match(r"(\w*)(?:\[(\d+))?", text).groups()
        file = files.get(name)
        if file is None:
            raise
        if isinstance(file, list):
            file, row = file[int(row or 0)], None
        raise type(error)(f"{shown(file)}: {place(file, int(row)) if row else ''}{text}") from None
