"""The serial part of a call, and the program that finds it."""

import pytest

from benchmarks import cases, scaling


def test_share_of_threads():
    share = scaling.Share(serial=10, threads=(40, 20, 30))
    assert (share.total, share.longest_path) == (100, 50)
    assert share.imbalance == pytest.approx(40 / 30)
    alone = scaling.Share(serial=100, threads=())
    assert (alone.total, alone.longest_path, alone.imbalance) == (100, 100, 1)
    assert scaling.amdahl(0, 16) == 16
    assert scaling.amdahl(0.5, 2) == pytest.approx(4 / 3)


def test_a_large_serial_part_is_marked():
    shares = {1: scaling.Share(100, ()), 2: scaling.Share(2, (49, 49))}
    assert "**above**" not in scaling.row(cases.MAIN[0], shares, 0.01)
    assert "**above**" in scaling.row(cases.MAIN[0], shares, 0.04)


def test_skewed_cases_have_one_box_of_the_whole_image():
    for case in scaling.SKEWED:
        boxes = case.boxes()
        height, width = case.image_size
        assert boxes[0].tolist() == [0, 0, 0, width, height]
        assert (boxes[1:, 3:] - boxes[1:, 1:3] <= 64.001).all()


@pytest.mark.native
@pytest.mark.parametrize("op, workload", [("roi_pool", "B2000"), ("roi_align", "C")])
def test_serial_part_is_small(op, workload, tmp_path):
    """Instruction counts repeat, so this is no matter of luck."""
    library = scaling.compile_marks(tmp_path)
    share = scaling.counted(library, scaling.CASES.index(cases.find(op, workload)), 2)
    assert len(share.threads) == 2
    assert 0 < share.serial <= scaling.LIMIT * share.total
