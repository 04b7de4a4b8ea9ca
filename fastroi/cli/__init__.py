"""The command line ``fastroi``: demo, explain, identify, pool, info."""

from __future__ import annotations

import argparse
import os
import sys

from . import demo, explain, identify, info, pool
from ._errors import UsageError, one_line
from ._files import check_files

__all__ = ["main"]

_EPILOG = """\
exit codes: 0 done, 1 bad data, 2 wrong arguments, 130 interrupted
"""


def main(argv=None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : list of str, optional
        Arguments without the program's name; `sys.argv` by default.

    Returns
    -------
    int
        The exit code: 0 done, 1 bad data, 130 interrupted. Wrong arguments leave through
        `SystemExit` with code 2, as `argparse` does.

    Examples
    --------
    >>> from fastroi.cli import main
    >>> main("explain --xywh 296 192 200 145 --stride 32 --output-size 3".split())
    ... # doctest: +ELLIPSIS
    RoI pooling, rule "floor": 3x3 bins, spatial scale 1/32
    ...
    0
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        check_files(arguments)
        arguments.run(arguments)
        sys.stdout.flush()
    except UsageError as error:
        arguments.parser.error(str(error))
    except BrokenPipeError:
        # Python flushes stdout once more at exit; the reader is gone, so let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ImportError, MemoryError, OSError, OverflowError, TypeError, ValueError) as error:
        print(f"fastroi: error: {_told(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fastroi: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="fastroi",
        description="Region-of-interest operators for NumPy arrays.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version)
    for option, folder, what in _FOLDERS:
        parser.add_argument(option, action=_Folder, folder=folder, help=f"show {what} and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in (demo, explain, identify, pool, info):
        command = commands.add_parser(
            module.__name__.rpartition(".")[2],
            help=module.HELP,
            description=module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run, parser=command)
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser, and by inheritance its commands', that answers wrong arguments with one line, not the list of all options."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {one_line(message)} ({self.prog} --help)\n")


_FOLDERS = (
    ("--include", "include", "the folder of fastroi.h and fastroi_capsule.h"),
    ("--cmake-dir", "share", "the value for -Dfastroi_DIR, with which CMake finds fastroi,"),
    ("--pkg-config-dir", "share", "the folder for PKG_CONFIG_PATH"),
)


class _Folder(argparse.Action):
    def __init__(self, option_strings, dest, folder, help):
        super().__init__(option_strings, dest, nargs=0, help=help)
        self.folder = folder

    def __call__(self, parser, namespace, values, option_string=None):
        print(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), self.folder))
        parser.exit()


class _Version(argparse.Action):
    def __init__(self, option_strings, dest):
        super().__init__(option_strings, dest, nargs=0, help="show the version and exit")

    def __call__(self, parser, namespace, values, option_string=None):
        import fastroi

        print(f"fastroi {fastroi.__version__}")
        parser.exit()


def _told(error) -> str:
    if isinstance(error, MemoryError) and not str(error):
        return "out of memory"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return one_line(f"{error.filename}: {error.strerror}")
    return one_line(error) or type(error).__name__
