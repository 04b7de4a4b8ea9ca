"""Every operator with every array flush against a page that nobody may touch, and the same with one array a byte too far."""

import subprocess
from functools import cache

import pytest
from gates import GATES
from helpers import LONG_SCALE, SEED
from native_build import unit_program

import fastroi
from fastroi._core import OPERATORS, TAKES_LEVELS, TAKES_MASKS

pytestmark = pytest.mark.native

PROMISED = GATES["guard pages"].cases
CHANNELS, LAYOUTS, ENDS = 129, 3, 2
ROLES = {"map": 0, "boxes": 1, "indices": 2, "arrays of params": 3, "results": 4}
PAIRS = {
    False: 22,
    True: 16,
}  # each element to itself, to float32 and from float32; of masks floats and uint8 are results


@cache
def program():
    return unit_program("guard_pages", room="abi/native")


def run(*arguments):
    return subprocess.run([program(), *arguments], capture_output=True, text=True, check=False)


def test_no_byte_beside_an_array_is_touched(tried):
    done = run(f"--share={LONG_SCALE}", f"--least={PROMISED}", f"--seed={SEED}")
    assert done.returncode == 0, done.stdout + done.stderr
    got = dict(line.split() for line in done.stdout.splitlines())
    rows = sum(PAIRS[bool(row.flags & TAKES_MASKS)] for row in OPERATORS.values())
    isas = len(fastroi.simd.supported())
    assert (int(got["rows"]), int(got["isas"])) == (rows, isas)
    assert int(got["whole"]) == max(PROMISED, rows * CHANNELS * LAYOUTS * ENDS * isas)
    assert int(got["calls"]) >= LONG_SCALE * int(got["whole"])
    tried("guard pages", got["calls"])


def has_role(operator, role):
    row = OPERATORS[operator]
    if role == "indices":
        return operator != "paste_masks"
    if role == "arrays of params":
        return bool(row.flags & TAKES_LEVELS) or not {"offset", "trans"}.isdisjoint(row.fields)
    return True


@pytest.mark.parametrize(
    ("operator", "role"), [(operator, role) for operator in OPERATORS for role in ROLES if has_role(operator, role)]
)
def test_a_byte_too_far_is_found_and_named(operator, role):
    code = list(OPERATORS).index(operator)
    done = run(f"--operator={code}", f"--displaced={ROLES[role]}", f"--seed={SEED}")
    assert done.returncode == -11, done.stdout + done.stderr
    assert f"while checking {operator} on " in done.stdout and "again: guard_pages --case=" in done.stdout


def test_unknown_arguments_are_refused():
    done = run("--sed=1")
    assert (done.returncode, done.stdout) == (2, "") and "unknown argument --sed=1" in done.stderr
