"""Files named on the command line: what may be written where, and outputs that appear only when they are whole."""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import stat
import sys
from pathlib import Path

from ._errors import STREAM, UsageError


class InputFile(str):
    """The type of an argument that names a file to be read; - is standard input."""

    def __new__(cls, name):
        return super().__new__(cls, _not_empty(name))


class OutputFile(str):
    """The type of an argument that names a file to be written; - is standard output where a command can do that."""

    def __new__(cls, name):
        return name if isinstance(name, cls) else super().__new__(cls, _not_empty(name))


class OwnFile(OutputFile):
    """The default of such an argument: the command's own file, which the next run replaces without being asked."""


def _not_empty(name):
    if not name:
        raise argparse.ArgumentTypeError(f"{name!r} names no file")
    return name


def add_output(parser, *flags, **options):
    """Add an argument that names an output, and --force beside it."""
    parser.add_argument(*flags, type=OutputFile, **options)
    if not any(action.dest == "force" for action in parser._actions):
        parser.add_argument("--force", action="store_true", help="overwrite outputs that exist")


def check_files(arguments):
    """Refuse outputs that would destroy something, before anything is read or computed.

    Raises
    ------
    UsageError
        An output is an input or another output, or standard input or output has two uses.
    OSError
        An output exists and --force was not given, or nothing can be written there.
    """
    inputs, outputs = _named(arguments, InputFile), _named(arguments, OutputFile)
    for names, stream in ((inputs, "input"), (outputs, "output")):
        if sum(name == STREAM for _, name in names) > 1:
            raise UsageError(f"argument {STREAM}: standard {stream} has one use only")
    for at, (option, name) in enumerate(outputs):
        for _, other in inputs:
            if _same_file(name, other):
                raise UsageError(f"argument {option}: {str(name)!r} is an input")
        for _, other in outputs[:at]:
            if name != STREAM and os.path.realpath(name) == os.path.realpath(other):
                raise UsageError(f"argument {option}: {str(name)!r} is another output too")
    for _, name in outputs:
        if name != STREAM:
            _check_output(name, arguments.force or isinstance(name, OwnFile))


def _named(arguments, kind):
    """Option and name of every file of a kind."""
    found = []
    for option, value in vars(arguments).items():
        flag = "-o" if option == "output" else f"--{option.replace('_', '-')}"
        found += [(flag, name) for name in (value if isinstance(value, list) else [value]) if isinstance(name, kind)]
    return found


def _same_file(name, other) -> bool:
    if STREAM in (name, other):
        return False
    try:
        return os.path.samefile(name, other)
    except OSError:
        return False  # one of them is not there, or cannot be reached: whoever opens it tells


def _check_output(path, force):
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        folder = os.path.dirname(os.path.realpath(path))
        if not os.path.isdir(folder):
            raise OSError(f"{path}: there is no folder {folder}") from None
        effective = os.access in os.supports_effective_ids
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=effective):
            raise OSError(f"{path}: nothing can be written into the folder {folder}") from None
        return
    if not stat.S_ISREG(mode):
        raise OSError(f"{path}: not a regular file, which an output must be")
    if not force:
        raise OSError(f"{path}: it exists; --force overwrites it")


def is_stream(path) -> bool:
    """True for - and for pipes and devices, which can be read only once and have no ending."""
    if path == STREAM:
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False  # whoever opens it tells
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def read_content(path, starts=None) -> bytes:
    """Return the bytes of a file or stream; only the first few if `starts` is given and they begin with none of it.

    A stream may have no end, and what it is shows at its start.

    Raises
    ------
    OSError
        It cannot be read; the error has the file's name.
    """
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if path == STREAM else open(path, "rb") as file:
            start = file.read(6)
            return start if starts and not start.startswith(starts) else start + file.read()
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from None
    except MemoryError:
        raise MemoryError(f"{path}: out of memory") from None


@contextlib.contextmanager
def replacing(path, suffix=".part"):
    """Give a new temporary file's path in the folder of `path`; rename it to `path` at the end.

    If the block raises, KeyboardInterrupt included, the temporary file is removed and whatever
    `path` held before stays.
    """
    path = Path(os.path.realpath(path))
    # A hidden name that no other run has; made with the permissions the umask asks for.
    temporary = path.with_name(f".{path.name[:100]}.{os.getpid()}.{secrets.token_hex(4)}{suffix}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))
    except OSError as error:
        # The name the caller knows, not the temporary one.
        raise type(error)(error.errno, error.strerror, str(path)) from None
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        if error.filename is None or str(error.filename) == str(temporary):
            raise type(error)(error.errno, error.strerror or str(error), str(path)) from None
        raise
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
