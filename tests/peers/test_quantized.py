"""fastroi.quantized against torchvision's quantised roi_align."""

import numpy as np
import pytest

import fastroi
from peers import live, replay

#: float32 sums in another order, in steps of the map: what a result may lie on the other side of a tie by.
TIE = 256 * 32 * np.finfo(np.float32).eps


def cells(dtype):
    """The map of tools/golden/make_torchvision.py."""
    number = np.arange(3 * 14 * 18) * 37 % 256 + np.iinfo(dtype).min
    return number.astype(dtype).reshape(1, 3, 14, 18)


def check(path):
    """Every number equal, or one apart where the exact result is a tie. The numbers, and how many are apart."""
    meta, arrays = replay.load(path)
    total = apart = 0
    for case in meta["cases"]:
        expected, boxes = (arrays[name] for name in case["results"])
        args = dict(case["args"])
        q = cells(args.pop("dtype"))
        got = fastroi.quantized.roi_align(q, boxes, **args, arithmetic="float32", formula="torchvision")
        assert got.dtype == expected.dtype
        different = got != expected
        if different.any():
            del args["scale"]
            steps = q.astype(np.float64) - args.pop("zero_point")
            exact = fastroi.roi_align(steps, boxes, **args, arithmetic="float32")[different]
            assert (abs(abs(exact - np.trunc(exact)) - 0.5) < TIE).all(), case["args"]
            assert (abs(got[different].astype(int) - expected[different]) == 1).all(), case["args"]
        total, apart = total + got.size, apart + different.sum()
    return total, apart


def test_recorded_results():
    total, apart = check(replay.GOLDEN / "torchvision_quantized.npz")
    assert total == 40 * 12 * 3 * 6
    assert apart <= total / 1000


if "torchvision" in live.PACKAGES:

    @pytest.mark.peers
    def test_live_results(tmp_path):
        live.results("torchvision", tmp_path, seed=1, boxes_per_set=20, huge_boxes=1)
        total, apart = check(tmp_path / "torchvision_quantized.npz")
        assert total == 2000 * 12 * 3 * 6
        assert apart <= total / 1000
