"""Every result has the bits of the record: see digests.py."""

from decimal import Decimal, localcontext
from functools import lru_cache

import digests
import numpy as np
import pytest
from digests import CASES, CLEAR_ANGLES, LAYOUTS, THREADS, name_of, options_of
from helpers import public_operators

import fastroi


@lru_cache(maxsize=1)
def record():
    return digests.recorded()


def check(case, isa, placements_of):
    """Compares each set of options in the layouts and thread counts that `placements_of` gives for its number."""
    placements = [(o, *placement) for i, o in enumerate(options_of(case)) for placement in placements_of(i)]
    differing = [
        f"{name_of(options)}, {layout}, {threads} threads"
        for options, layout, threads in placements
        if digests.digest(digests.run(case, options, layout, threads)) != digests.expected(record(), case, options, isa)
    ]
    if differing:
        count = f"{len(differing)} of {len(placements)} differ"
        pytest.fail("\n".join([f"{' '.join(case)} with {isa}: {count}", *differing[:20]]), pytrace=False)


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_results_are_those_of_the_record(case, isa):
    """Thread counts take turns: each layout and set of options meets another one with each instruction set."""
    turn = fastroi.simd.supported().index(isa)
    check(case, isa, lambda i: [(layout, THREADS[(i + k + turn) % len(THREADS)]) for k, layout in enumerate(LAYOUTS)])


def test_every_operator_has_digests():
    assert {case.operator for case in CASES} == public_operators()


def test_the_record_holds_every_case_and_no_other():
    names = {" ".join(case): {name_of(options) for options in options_of(case)} for case in CASES}
    assert {case: set(entries) for case, entries in record()["fused"].items()} == names
    assert all(set(entries) <= names[case] for case, entries in record()["plain"].items())


def series(x, term, power):
    """term - term x^2 / ((power + 1) (power + 2)) + ...: the cosine from (1, 0), the sine from (x, 1)."""
    total = Decimal(0)
    while power < abs(x) or abs(term) > Decimal("1e-40"):
        total += term
        term *= -x * x / ((power + 1) * (power + 2))
        power += 2
    return total


def units_from_float(exact):
    """How far the nearest float64 lies, in units of its last place."""
    nearest = float(exact)
    return abs(exact - Decimal(nearest)) / Decimal(float(np.spacing(abs(nearest))))


@pytest.mark.parametrize("angle", CLEAR_ANGLES)
def test_cosine_and_sine_of_the_angles_round_alike_everywhere(angle):
    radians = angle * 3.14159265358979323846 / 180
    with localcontext() as context:
        context.prec = 150
        for taken in (float(angle), radians, float(np.float32(radians))):
            x = Decimal(taken)
            assert units_from_float(series(x, Decimal(1), 0)) < 0.4
            assert units_from_float(series(x, x, 1)) < 0.4
