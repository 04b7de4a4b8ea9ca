"""Pyramids off the textbook, against what torchvision returned for them, and detectron2's layer against its definition."""

import numpy as np
import pytest

from fastroi.compat import detectron2, torchvision
from peers import live, replay


def cells(height, width, level):
    """The maps of tools/golden/make_torchvision.py."""
    number = np.arange(4 * height * width, dtype=np.float64) * 37 % 101 + 100 * level
    return number.reshape(2, 2, height, width)


def check(path):
    meta, arrays = replay.load(path)
    for case in meta["cases"]:
        args = case["args"]
        first, scales, second, boxes = (arrays[name] for name in case["results"])
        maps = {name: cells(h, w, int(name)).astype(args["dtype"]) for name, h, w in args["levels"]}
        pooler = torchvision.MultiScaleRoIAlign(
            args["featmap_names"],
            2,
            args["sampling_ratio"],
            canonical_scale=args["canonical_scale"],
            canonical_level=args["canonical_level"],
        )
        bound = 600 * 2000 * np.finfo(args["dtype"]).eps
        got = pooler(maps, list(boxes), args["image_shapes"])
        assert pooler.scales == scales.tolist(), args
        np.testing.assert_allclose(got, first, rtol=0, atol=bound, err_msg=str(args))
        others = {name: level for name, level in maps.items() if name in args["second_names"]}
        if any(name in args["featmap_names"] for name in others):
            got = pooler(others, list(boxes), [(9, 9)] * 2)
            np.testing.assert_allclose(got, second, rtol=0, atol=bound, err_msg=str(args))
    return len(meta["cases"])


def test_recorded_pyramids():
    assert check(replay.GOLDEN / "torchvision_pyramids.npz") == 30


if "torchvision" in live.PACKAGES:

    @pytest.mark.peers
    def test_live_pyramids(tmp_path):
        live.results("torchvision", tmp_path, seed=1, boxes_per_set=20, huge_boxes=1)
        assert check(tmp_path / "torchvision_pyramids.npz") == 3000


def test_torchvision_refuses_what_has_no_scale():
    ramp, boxes = np.ones((1, 1, 4, 4), np.float32), [np.zeros((1, 4), np.float32)]
    for x, shapes, message in (
        ({"b": ramp}, [(4, 4)], "x: none of 'a'"),
        ({"a": ramp}, [], "image_shapes: no image"),
        ({"a": ramp}, [(0, 4)], "image_shapes: 0"),
    ):
        with pytest.raises(ValueError, match=message):
            torchvision.MultiScaleRoIAlign(["a"], 1, 2)(x, boxes, shapes)


TURNED = [[20, 20, 16, 30, 33], [60, 60, 300, 200, -70], [60, 60, 130, 120, 0]]
UPRIGHT = [[3, 5, 20, 30], [0, 0, 500, 500], [1, 1, 230, 260], [30, 30, 10, 50]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["ROIAlign", "ROIAlignV2", "ROIPool", "ROIAlignRotated"])
def test_detectron2_pools_each_box_from_its_level(kind, dtype):
    maps = [cells(64 >> n, 64 >> n, n).astype(dtype) for n in range(3)]
    boxes = TURNED if kind == "ROIAlignRotated" else UPRIGHT
    levels = [0, 2, 1] if kind == "ROIAlignRotated" else [0, 2, 2, None]
    pooled = detectron2.ROIPooler((2, 2), [1 / 4, 1 / 8, 1 / 16], 0.0, kind)(maps, [boxes, []])
    assert pooled.dtype == dtype
    assert pooled.shape == (len(boxes), 2, 2, 2)
    for box, level, got in zip(boxes, levels, pooled, strict=True):
        if level is None:
            assert not got.any()
            continue
        row, scale = np.array([[0, *box]], dtype), 0.25 / 2**level
        single = {
            "ROIAlign": lambda m, r, s: torchvision.roi_align(m, r, 2, s, 0, False),
            "ROIAlignV2": lambda m, r, s: torchvision.roi_align(m, r, 2, s, 0, True),
            "ROIPool": lambda m, r, s: torchvision.roi_pool(m, r, 2, s),
            "ROIAlignRotated": lambda m, r, s: detectron2.roi_align_rotated(m, r, 2, s, 0),
        }[kind](maps[level], row, scale)
        np.testing.assert_array_equal(got, single[0])


def test_detectron2_no_boxes():
    maps = [np.ones((2, 3, 8, 8), np.float32)]
    assert detectron2.ROIPooler(2, [1.0], 0, "ROIPool")(maps, [[], []]).shape == (0, 3, 2, 2)


@pytest.mark.parametrize("scales", [[], [0.3], [2.0], [1 / 4, 1 / 16], [1 / 8, 1 / 4], [1 / 4, 1 / 4], [0.0], [-1.0]])
def test_detectron2_refuses_scales_that_are_no_pyramid(scales):
    with pytest.raises(ValueError, match="scales"):
        detectron2.ROIPooler(2, scales, 0, "ROIAlignV2")


def test_detectron2_numbers_that_float32_cannot_hold():
    maps = [np.ones((1, 1, 8, 8))]
    with pytest.raises(ValueError, match=r"box_lists\[0\]\[1\]: .*inf.* not finite in float32"):
        detectron2.ROIPooler(2, [1.0], 0, "ROIAlign")(maps, [[[0, 0, 1, 1], [0, 0, 1e40, 5]]])
    for scale in (1e40, 1e-50, 0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="spatial_scale"):
            detectron2.roi_align_rotated(maps[0], [[0, 2, 2, 3, 3, 0]], 2, scale, 0)


def test_detectron2_masks_are_cast_to_bool():
    y, x = np.ogrid[:28, :28]
    disc = ((y - 14) ** 2 + (x - 14) ** 2 <= 100)[None]
    box = np.array([[3.3, 2.2, 25.1, 26.7]], np.float32)
    expected = detectron2.crop_and_resize_masks(disc, box, 14)
    assert 0 < expected.sum() < 196
    for masks in (disc * np.uint8(255), disc * np.uint8(1), disc * 0.2, disc * np.int64(7)):
        np.testing.assert_array_equal(detectron2.crop_and_resize_masks(masks, box, 14), expected)
