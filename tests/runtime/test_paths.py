"""The two ways of finding maxima: the choice between them, and the program that times it on a grid."""

from dataclasses import replace

import pytest

from benchmarks import paths
from benchmarks.paths import SCAN, TABLES, Point, Way

CASE = paths.grid()[0]

AGREEMENT = """
import numpy as np
from dataclasses import replace
from benchmarks.calls import fastroi_call
import fastroi

core = paths.dictated_core()
compared = 0
for case in paths.grid():
    images, channels, height, width = case.map_shape
    case = replace(case, map_shape=(2, 41, height, width), rois_per_image=min(case.rois_per_image, 12))
    for layout in ("NCHW", "NHWC"):
        for isa in fastroi.simd.supported():
            with fastroi.simd.use(isa):
                call = fastroi_call(case, layout=layout, threads=2, preallocated=False)
                results = []
                for way in paths.ways_of(case):
                    core.dictate(*way)
                    results.append(call())
                assert all((result == results[0]).all() for result in results), (case, layout, isa)
                compared += len(results) - 1
print(compared)
"""


def test_a_choice_that_takes_longer_is_marked():
    seconds = {Way(SCAN): 2.0, Way(TABLES, 0, 0): 3.0, Way(TABLES, 1, 0): 1.0}
    chosen = [Point(CASE, "NCHW", way, seconds) for way in seconds]
    assert [point.ratio for point in chosen] == [2, 3, 1]
    assert ["**above**" in paths.row(point) for point in chosen] == [True, True, False]
    assert "tables (1, 0)" in paths.row(chosen[0])
    assert paths.summary(chosen).startswith("3 points, 2 above")


def test_ways_reach_the_longest_bin():
    case = replace(CASE, sides=("square", 7 * 8 / CASE.scale, 0))
    assert Way(TABLES, 3, 3) in paths.ways_of(case)
    assert Way(TABLES, 4, 0) not in paths.ways_of(case)


@pytest.mark.native
def test_every_way_finds_the_same_maxima():
    done = paths.run_dictated(AGREEMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 2000
