"""The targets of libFuzzer beside this file: the corpus, then as many new calls as the gate promises."""

import fuzzing
import gates
import pytest
from helpers import SEED

from fastroi._core import OPERATORS

pytestmark = pytest.mark.native

# What is promised, divided so that no target takes much longer than the others: an axis is listed in microseconds, and a call
# with every instruction set takes a millisecond.
SHARES = {"axes": 0.45, "descriptors": 0.2, "operators": 0.2, "plans": 0.09, "instruction_sets": 0.06}

# The operators by turns: what libFuzzer likes best, it would take at the cost of the others.
CASES = [
    (target, operator) for target in fuzzing.TARGETS for operator in (OPERATORS if target == "operators" else (None,))
]


def runs_of(target):
    """A target's share of what is promised, a little more than it."""
    cases = sum(name == target for name, _ in CASES)
    return int(gates.GATES["fuzzing"].promised(gates.LONG_SCALE) * SHARES[target] / cases) + 1


def test_every_target_has_a_share():
    assert set(SHARES) == set(fuzzing.TARGETS)
    assert sum(SHARES.values()) == pytest.approx(1)


@pytest.mark.parametrize(("target", "operator"), CASES)
def test_no_bytes_break_a_promise(target, operator, tmp_path, tried):
    done = fuzzing.run_target(target, tmp_path, f"-runs={runs_of(target)}", f"-seed={SEED + 1}", operator=operator)
    print(done)
    tried("fuzzing", done.executions)
