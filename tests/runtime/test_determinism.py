"""A result has the same bits with every number of threads, in every layout, in pieces and in every process."""

import inspect
import itertools
import multiprocessing

import digests
import numpy as np
import pytest
from bad_inputs import is_per_box
from digests import CASES, LAYOUTS, digest, options_of
from helpers import long_share
from test_threads import COUNTS

import fastroi

EVERYDAY = [
    case
    for case in CASES
    if case.dtype == "float32" and case.scene == ("large map" if case.operator in digests.MASKED else "many boxes")
]


def is_cut(name, arguments):
    return name == "out" or is_per_box(name, arguments)


def in_pieces(case, options, layout, threads, cuts):
    """The parts of the result when the boxes between two cuts are a call each."""
    operator = getattr(fastroi, case.operator)
    given, named = digests.call_of(case, options, layout, threads)
    arguments = inspect.signature(operator).bind(*given, **named).arguments
    cut = [name for name, value in arguments.items() if value is not None and is_cut(name, arguments)]
    results = []
    for low, high in itertools.pairwise(cuts):
        piece = {name: value[low:high] if name in cut else value for name, value in arguments.items()}
        results.append(digests.parts_of(operator(**piece), layout))
    return [np.concatenate(parts) for parts in zip(*results)]


def splits(count):
    """Where the boxes are cut: one alone at either end, nothing at all, halves, many."""
    yield 0, 1, count - 1, count
    yield 0, 0, count // 2, count // 2, count
    yield *range(0, count, 1 + count // 9), count


def check(case, isa, choices, counts, layouts=LAYOUTS):
    """Compares whole and cut calls with one call on one thread; how many were compared."""
    compared = 0
    turns = itertools.cycle(COUNTS)
    for options, layout in itertools.product(choices, layouts):
        expected = digest(digests.run(case, options, "NCHW", 1))
        for threads in counts:
            assert digest(digests.run(case, options, layout, threads)) == expected, (
                case,
                isa,
                options,
                layout,
                threads,
            )
            compared += 1
        for cuts, threads in zip(splits(digests.SCENES[case.scene].count), turns):
            cut = in_pieces(case, options, layout, threads, cuts)
            assert digest(cut) == expected, (case, isa, options, layout, threads, cuts)
            compared += 1
    return compared


@pytest.mark.parametrize("case", EVERYDAY, ids=" ".join)
def test_pieces_on_any_number_of_threads(case, isa):
    assert check(case, isa, options_of(case)[:2], counts=(), layouts=("NHWC",)) > 0


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_every_number_of_threads_and_layout(case, isa, tried):
    tried("determinism", check(case, isa, long_share(options_of(case)), COUNTS))


def digests_in_a_process(work):
    case, isa, threads = work
    with fastroi.simd.use(isa):
        return [
            digest(digests.run(case, options, layout, threads)) for options in options_of(case) for layout in LAYOUTS
        ]


@pytest.mark.long
def test_processes_of_their_own(isa, tried):
    """Each with addresses, a pool of threads and a state of the allocator of its own."""
    cases = long_share(CASES)
    spawning = multiprocessing.get_context("spawn")
    with spawning.Pool(1) as first, spawning.Pool(1) as second:
        alone = first.map_async(digests_in_a_process, [(case, isa, 1) for case in cases])
        together = second.map_async(digests_in_a_process, [(case, isa, 4) for case in reversed(cases)])
        one, other = alone.get(), together.get()[::-1]
    for case, own, others in zip(cases, one, other):
        assert own == others, (case, isa)
    tried("determinism", sum(map(len, one)))
