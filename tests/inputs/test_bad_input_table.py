"""The table of bad input, each line of it a test of its own in one process: refused by name, row and value, or defined.

The lines are made of the table of operators, so that a new operator brings its own. A refusal leaves inputs and result as they are
and takes no memory to speak of.
"""

import contextlib
import tracemalloc
from functools import partial
from pathlib import Path

import bad_calls
import bad_commands
import bad_inputs
import numpy as np
import pytest
from helpers import digest

from fastroi import _core
from fastroi.cli import main

MOST_BYTES = 64 << 20  # that all calls of an operator may take at once
MOST_PYTHON_BYTES = 1 << 20  # of a refusal: messages, small copies of boxes, files of a few kilobytes
PROMISED = {"Python": 2900, "C ABI": 2400, "capsule": 2400, "command line": 250}
OPERATORS = tuple(_core.OPERATORS)


def resident(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) << 10


@contextlib.contextmanager
def small_memory(what):
    """No call of these takes memory to speak of, the core's and NumPy's included."""
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest use is counted anew
    yield
    assert resident("VmHWM") - before < MOST_BYTES, what


@contextlib.contextmanager
def small_objects():
    """A refusal makes a message and a few small copies."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST_PYTHON_BYTES
    finally:
        tracemalloc.stop()


def arrays_of(arguments):
    """Every array of a call that is small enough to hash."""
    for value in arguments.values():
        for part in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(part, np.ndarray) and part.dtype != object and part.nbytes < 1e6:
                yield part


def says(message, words):
    for word in words:
        assert word in message, f"{word!r} is not in {message!r}"


def check_refused(case):
    """Inputs are as they were, and so is the result, which every call is given one for."""
    arguments = {"out": bad_inputs.unwritten(case.operator)} | case.arguments
    given = list(arrays_of(arguments))
    before = digest(*given)
    with pytest.raises(case.error) as caught:
        bad_inputs.call(case.operator, arguments)
    says(str(caught.value), case.words)
    assert digest(*given) == before


def check_defined(case):
    pooled = bad_inputs.call(case.operator, case.arguments)
    if case.good is not None:
        assert np.array_equal(pooled, bad_inputs.call(case.operator, case.good))
    else:
        assert ((pooled >= 0) & (pooled <= 1 + 1e-6)).all()


@contextlib.contextmanager
def named(line):
    """A fault found in a line of the table says which."""
    try:
        yield
    except (Exception, pytest.fail.Exception) as error:
        raise AssertionError(f"{line}: {error}") from error


def python_lines(operator):
    for case in bad_inputs.python_cases(operator):
        with named(case.name):
            if case.error:
                with small_objects():
                    check_refused(case)
            else:
                check_defined(case)
        yield case.name


def c_lines(door, operator):
    for kind in bad_calls.kinds(operator):
        with named(kind.name):
            check_c(bad_calls.DOORS[door], operator, kind)
        yield kind.name


def check_c(go, operator, kind):
    call, error = bad_calls.CCall(operator), bad_calls.Error()
    kind.spoil(call)
    before = call.memory()
    status = go(call, error)
    message = error.message.decode()
    assert (status, error.status, error.row) == (kind.status, kind.status, kind.row), message
    says(message, kind.words)
    if status != bad_calls.OK:
        assert call.memory() == before


def command_lines(folder, capsys, operator):
    for name, spoil, words in bad_commands.kinds(operator):
        command = bad_commands.Command(operator)
        spoil(command)
        with named(name):
            check_command(command, words, folder, capsys)
        yield name


def check_command(command, words, folder, capsys):
    """One line that says what is wrong, and no result."""
    arguments = command.arguments(folder)
    try:
        status = main(arguments)
    except SystemExit as end:  # argparse
        status = end.code
    said = capsys.readouterr()
    assert status not in (0, None), said.out
    assert "Traceback" not in said.err
    says(said.err, words)
    assert not (folder / "out.npy").exists()
    for file in folder.iterdir():
        file.unlink()


def test_bad_input(tmp_path, capsys, tried):
    """Every line at every door."""
    doors = {
        "Python": python_lines,
        **{door: partial(c_lines, door) for door in bad_calls.DOORS},
        "command line": partial(command_lines, tmp_path, capsys),
    }
    counts = dict.fromkeys(doors, 0)
    for door, lines in doors.items():
        for operator in OPERATORS:
            with named(f"{door}, {operator}"), small_memory(f"{door}, {operator}"):
                seen = list(lines(operator))
            assert len(seen) == len(set(seen)) > 0, f"{door}, {operator}: lines of one name, or none"
            counts[door] += len(seen)
    tried("bad input", sum(counts.values()))
    assert all(counts[door] >= PROMISED[door] for door in PROMISED), f"{counts}; promised are {PROMISED}"
