"""What a call allocates beyond its arrays, counted in a process of its own, against the bounds that docs/performance.md states."""

from dataclasses import replace

import pytest

from benchmarks import cases, memory

CALLS = [
    ("roi_pool", "A3", 1),
    ("roi_pool", "A7", 2),
    ("roi_pool", "E", 2),
    ("roi_align", "A7", 2),
    ("roi_align", "E", 1),
    ("ps_roi_align", "G", 2),
    ("roi_align_rotated", "D", 2),
    ("crop_and_resize", "H", 2),
]
LARGE = [("roi_pool", "huge"), ("roi_align", "huge"), ("roi_pool", "tall"), ("roi_pool", "wide"), ("roi_align", "wide")]
PLANS = [("roi_pool", "A7"), ("roi_align", "A7"), ("roi_align", "E"), ("ps_roi_pool", "G"), ("crop_and_resize", "H")]


@pytest.mark.parametrize("op, workload, threads", CALLS)
def test_scratch_is_a_block_of_channels_for_each_thread(op, workload, threads):
    case = cases.find(op, workload).reduced(100)
    counted = memory.measure(case, threads)
    assert 0 < counted.scratch <= memory.scratch_bound(case, threads)


@pytest.mark.parametrize("op, workload", LARGE)
def test_a_roi_larger_than_the_cap_is_taken_in_strips(op, workload, layout, isa):
    case = next(case for case in memory.EDGES if (case.op, case.workload) == (op, workload))
    cells = case.map_shape[2] * case.map_shape[3]
    assert cells * memory.BLOCK_BYTES > memory.CAP
    assert 0 < memory.measure(replace(case, layout=layout), 1, isa).scratch <= memory.CAP


@pytest.mark.parametrize("op, workload", [("roi_pool", "E"), ("roi_align", "A7")])
def test_scratch_does_not_grow_with_channels_or_rois(op, workload):
    case = cases.find(op, workload).reduced(100)
    small = memory.measure(case, 1).scratch
    images, channels, height, width = case.map_shape
    wider = replace(case, map_shape=(images, 2 * channels, height, width))
    assert memory.measure(wider, 1).scratch == pytest.approx(small, abs=256)  # malloc rounds


@pytest.mark.parametrize("op, workload", PLANS)
def test_plans_are_small(op, workload):
    case = cases.find(op, workload)
    size = memory.plan_bytes(case)
    assert 48 < size <= memory.plan_bound(case)  # a copy of the box alone takes 48


def test_a_broken_bound_is_marked():
    case = cases.find("roi_pool", "A7")
    table = memory.call_table([(case, {1: memory.Memory(scratch=1 << 40, other=0, resident=0)})])
    assert "**broken**" in table
    assert "**broken**" in memory.plan_table([(case, 3000.0)])
