"""Thousands of calls, answered and refused, keep no memory and no reference to what they were given."""

import gc
import os
import sys
from collections import Counter

import bad_inputs
import numpy as np
import pytest
from bad_inputs import OPERATORS, good_call, refusals

CALLS = 10_000
MOST_GROWTH = 1 << 20


def resident():
    with open("/proc/self/statm") as sizes:
        return int(sizes.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def references(arguments):
    """How many there are to each array, those in lists too."""
    held = []
    for value in arguments.values():
        held += [sys.getrefcount(item) for item in (value if isinstance(value, list) else [value]) if is_array(item)]
    return held


def is_array(value):
    return isinstance(value, np.ndarray)


def growth(work, calls):
    """Bytes of memory that so many calls keep, after the first ones, which fill caches."""
    for number in range(500):
        work(number)
    gc.collect()
    before = resident()
    for number in range(calls):
        work(number)
    gc.collect()
    return resident() - before


@pytest.mark.long
@pytest.mark.parametrize("operator", OPERATORS)
def test_answered_calls_keep_nothing(operator, tried):
    arguments = good_call(operator)
    before = references(arguments)
    assert growth(lambda _: bad_inputs.call(operator, arguments), CALLS) < MOST_GROWTH
    assert references(arguments) == before
    tried("leaks", CALLS)


@pytest.mark.long
@pytest.mark.parametrize("operator", OPERATORS)
def test_refused_calls_keep_nothing(operator, tried):
    cases = [case for case in refusals(operator) if case.error]
    before = [references(case.arguments) for case in cases]
    refused = Counter()

    def call(number):
        case = cases[number % len(cases)]
        try:
            bad_inputs.call(operator, case.arguments)
        except case.error:
            refused[case.name] += 1

    assert growth(call, CALLS) < MOST_GROWTH
    assert sum(refused.values()) == CALLS + 500
    assert [references(case.arguments) for case in cases] == before
    tried("leaks", CALLS)
