"""The framework profiles against recorded results of the real packages, and their own behaviour."""

import doctest
import hashlib
import json

import numpy as np
import pytest

import fastroi
from fastroi import compat
from fastroi.compat import (
    caffe,
    detectron2,
    mmcv,
    mxnet,
    onnx,
    openvino,
    paddle,
    tensorflow,
    tensorrt,
    torchvision,
)
from peers import replay

RECORDED = list(replay.cases())
OPERATORS = sorted({(package, case["op"]) for package, case, _ in RECORDED if (package, case["op"]) in replay.REPLAYS})

NO_SAMPLE = "no sample in the grid: NaN or -FLT_MAX there, 0 here"
NO_MAXIMUM = "nothing to take the maximum of: -inf there, 0 here"
SMALL_BIN = "a bin so small that float32 loses its digits"
COUNTED = "samples counted in float32"
BORDER = "a sample within a rounding error of the map's border"
#: How often each documented kind of disagreement occurs in the recorded calls.
DISAGREEMENTS = {
    ("chainer", "roi_max_align_2d"): {NO_MAXIMUM: 121},
    ("chainer", "roi_max_pooling_2d"): {NO_MAXIMUM: 132},
    ("mmcv", "prroi_pool"): {SMALL_BIN: 3},
    ("mmcv", "roi_align"): {NO_SAMPLE: 18, COUNTED: 2},
    ("mnn", "roi_align"): {NO_SAMPLE: 14},
    ("openvino", "ROIAlign"): {NO_SAMPLE: 70},
    ("paddle", "roi_align"): {NO_SAMPLE: 35, BORDER: 2},
    ("torchvision", "ps_roi_align"): {NO_SAMPLE: 48},
}


@pytest.fixture(scope="module")
def inputs():
    with np.load(replay.GOLDEN / "inputs.npz") as data:
        return {name: data[name] for name in data.files}


@pytest.fixture
def ramp():
    """(1, 1, 4, 4) float32 map of 0 .. 15."""
    return np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)


@pytest.mark.parametrize(("package", "op"), OPERATORS, ids=[f"{p}-{o}" for p, o in OPERATORS])
def test_recorded_results(package, op, inputs):
    chosen = [(p, case, expected) for p, case, expected in RECORDED if (p, case["op"]) == (package, op)]
    (row,) = replay.tally(chosen, inputs)
    assert row.rois > 0
    assert row.unexplained == []
    assert dict(row.explained) == DISAGREEMENTS.get((package, op), {})


def test_every_vector_file_belongs_to_the_inputs():
    digest = hashlib.sha256((replay.GOLDEN / "inputs.npz").read_bytes()).hexdigest()
    files = [path for path in replay.GOLDEN.glob("*.npz") if path.stem != "inputs"]
    assert len(files) >= 15
    for path in files:
        with np.load(path) as data:
            assert json.loads(str(data["meta"]))["inputs_sha256"] == digest, path.name


def test_vector_files_are_small():
    sizes = [path.stat().st_size for path in replay.GOLDEN.glob("*.npz")]
    assert max(sizes) < 300_000
    assert sum(sizes) < 4_000_000


@pytest.mark.parametrize("name", compat.__all__)
def test_doctests(name):
    """Of every public name: those that are decorated are not found by `doctest.testmod`."""
    module, runner = getattr(compat, name), doctest.DocTestRunner()
    for item in module.__all__:
        examples = doctest.DocTestFinder().find(getattr(module, item), item, module=False)
        assert any(example.examples for example in examples), item
        for example in examples:
            runner.run(example)
    assert runner.summarize().failed == 0


def test_unknown_profile():
    with pytest.raises(AttributeError, match="caffe2"):
        compat.caffe2  # noqa: B018 (the access is the test)


# -- torchvision ----------------------------------------------------------------------------------


def test_torchvision_takes_a_list_of_boxes(inputs):
    features, rows = inputs["map_edge"], inputs["rois_random_1"]
    order = np.argsort(rows[:, 0], kind="stable")
    tables = [rows[rows[:, 0] == n, 1:] for n in range(2)]
    np.testing.assert_array_equal(
        torchvision.roi_pool(features, tables, (2, 3)), torchvision.roi_pool(features, rows[order], (2, 3))
    )


@pytest.mark.parametrize("op", ["roi_pool", "roi_align"])
def test_torchvision_refuses_mixed_dtypes(op, ramp):
    with pytest.raises(TypeError, match="boxes.*float64.*float32"):
        getattr(torchvision, op)(ramp, np.zeros((1, 5)), 1)


def test_torchvision_refuses_four_columns(ramp):
    with pytest.raises(ValueError, match=r"boxes.*\(K, 5\)"):
        torchvision.roi_pool(ramp, np.zeros((1, 4), np.float32), 1)


@pytest.mark.parametrize("index", [-1, 7])
def test_torchvision_refuses_an_index_out_of_range(index, ramp):
    with pytest.raises(ValueError, match=str(index)):
        torchvision.roi_align(ramp, np.array([[index, 0, 0, 2, 2]], np.float32), 1)


def test_torchvision_layers_call_the_functions(inputs):
    features, boxes = inputs["map_ps"], inputs["rois_random_ordered_1"]
    pairs = [
        (torchvision.RoIPool(3, 1.0), torchvision.roi_pool(features, boxes, 3)),
        (torchvision.RoIAlign(3, 1.0, 2, True), torchvision.roi_align(features, boxes, 3, 1.0, 2, True)),
        (torchvision.PSRoIPool(3, 1.0), torchvision.ps_roi_pool(features, boxes, 3)),
        (torchvision.PSRoIAlign(3, 1.0, 2), torchvision.ps_roi_align(features, boxes, 3, 1.0, 2)),
    ]
    for layer, expected in pairs:
        np.testing.assert_array_equal(layer(features, boxes), expected)
    assert "sampling_ratio=2" in repr(pairs[1][0])


# -- OpenVINO, MXNet, ONNX, TensorFlow, Paddle -----------------------------------------------------


@pytest.mark.parametrize("method", ["max", "bilinear"])
def test_openvino_index_minus_one_ends_the_list(method, ramp):
    coords = np.array([[0, 0, 0, 1, 1], [-1, 0, 0, 1, 1], [0, 0, 0, 1, 1]], np.float32)
    result = openvino.roi_pooling(ramp, coords, (1, 1), 1.0, method)
    assert result.shape == (3, 1, 1, 1)
    assert result[0] > 0
    assert not result[1:].any()


def test_openvino_scales_in_float32():
    """2.5 / 0.3 as float32 times 0.3: 2.5 as a float32 product, 2.4999999 as a float64 one."""
    ramp = np.arange(36, dtype=np.float32).reshape(1, 1, 6, 6)
    box = np.array([[0, 0, 0, 2.5 / 0.3, 0]], np.float32)
    assert openvino.roi_pooling(ramp, box, (1, 1), 0.3).item() == 3
    assert fastroi.roi_pool(ramp, box, 1, 0.3, rule="fast_rcnn").item() == 2


def test_openvino_align_maximum_starts_at_zero(ramp):
    box = np.array([[0, 0, 2, 2]], np.float32)
    assert openvino.roi_align(-ramp - 1, box, [0], 1, 1, 2, 1.0, "max").item() == 0
    assert (
        mmcv.roi_align(
            -ramp - 1, np.array([[0, 0, 0, 2, 2]], np.float32), 1, sampling_ratio=2, pool_mode="max", aligned=False
        ).item()
        < 0
    )


def test_mxnet_rows_of_unknown_images_are_zero(ramp):
    rois = np.array([[0, 0, 0, 1, 1], [-1, 0, 0, 1, 1], [1, 0, 0, 1, 1]], np.float32)
    assert mxnet.ROIPooling(ramp, rois, (1, 1), 1.0).ravel().tolist() == [5, 0, 0]
    assert mxnet.ROIAlign(ramp, rois[:2], (1, 1), 1.0).ravel()[1] == 0


def test_onnx_refusals(ramp):
    box, index = np.zeros((1, 4), np.float32), np.zeros(1, np.int64)
    with pytest.raises(ValueError, match="sampling_ratio"):
        onnx.roi_align(ramp, box, index, sampling_ratio=-1)
    with pytest.raises(ValueError, match="mode"):
        onnx.roi_align(ramp, box, index, mode="mean")
    with pytest.raises(ValueError, match="half_pixel"):
        onnx.roi_align(ramp, box, index, coordinate_transformation_mode="pixel")
    with pytest.raises(TypeError, match="float64"):
        onnx.max_roi_pool(ramp.astype(np.float64), np.zeros((1, 5)), (1, 1))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float64])
def test_tensorflow_results_are_float32(dtype, ramp):
    image = ramp.transpose(0, 2, 3, 1)
    box = np.array([[0, 0, 0.5, 0.5]], np.float32)
    result = tensorflow.crop_and_resize(image.astype(dtype), box, [0], (2, 2))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, tensorflow.crop_and_resize(image, box, [0], (2, 2)))


def test_tensorflow_may_extrapolate_the_last_column():
    """13 * float32(14 / 13) exceeds 14; ONNX Runtime puts the last sample on the end instead."""
    image = np.ones((1, 12, 15, 1), np.float32)
    box = np.array([[0, 0, 1, 1]], np.float32)
    crop = tensorflow.crop_and_resize(image, box, [0], (14, 14), extrapolation_value=-7.0)
    assert (crop[0, :, -1, 0] == -7).all()
    assert (crop[0, :, :-1, 0] == 1).all()
    exact = onnx.crop_and_resize(image.transpose(0, 3, 1, 2), box, np.array([0]), (14, 14), extrapolation_value=-7.0)
    assert (exact == 1).all()


@pytest.mark.parametrize("counts", [[2, 0], [1, 1, 0], [3, -1]])
def test_paddle_refuses_counts_that_do_not_fit(counts, ramp):
    features = np.concatenate([ramp, ramp])
    with pytest.raises(ValueError, match="boxes_num"):
        paddle.roi_pool(features, np.zeros((3, 4), np.float32), counts, 1)


def test_paddle_levels_restore_the_order(inputs):
    boxes = inputs["rois_levels"][:, 1:]
    levels, restore, counts = paddle.distribute_fpn_proposals(boxes, 2, 5, 4, 224)
    np.testing.assert_array_equal(np.concatenate(levels)[restore[:, 0]], boxes)
    assert counts is None


# -- the numbered differences of docs/compat.md ---------------------------------------------------

PROFILES_OF_ALIGN = {
    "torchvision": lambda m, box: torchvision.roi_align(m, box, 1, 1.0, 0, True),
    "onnx": lambda m, box: onnx.roi_align(m, box[:, 1:], box[:, 0].astype(int)),
    "onnx-max": lambda m, box: onnx.roi_align(m, box[:, 1:], box[:, 0].astype(int), mode="max"),
    "openvino": lambda m, box: openvino.roi_align(
        m, box[:, 1:], box[:, 0].astype(int), 1, 1, 0, 1.0, "avg", "half_pixel_for_nn"
    ),
    "openvino-max": lambda m, box: openvino.roi_align(
        m, box[:, 1:], box[:, 0].astype(int), 1, 1, 0, 1.0, "max", "half_pixel_for_nn"
    ),
    "paddle": lambda m, box: paddle.roi_align(m, box[:, 1:], [1], 1),
    "mxnet": lambda m, box: mxnet.ROIAlign(m, box, (1, 1), 1.0, aligned=True),
    "mmcv": lambda m, box: mmcv.roi_align(m, box, 1),
    "mmcv-max": lambda m, box: mmcv.roi_align(m, box, 1, pool_mode="max"),
    "ps": lambda m, box: torchvision.ps_roi_align(m, box, 1),
}
aligned_profiles = pytest.mark.parametrize("align", PROFILES_OF_ALIGN.values(), ids=PROFILES_OF_ALIGN.keys())


@aligned_profiles
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_c1_box_not_finite(align, value, ramp):
    with pytest.raises(ValueError, match=r"^(rois|boxes)\[0\]: "):
        align(ramp, np.array([[0, 0, value, 2, 2]], np.float32))


@aligned_profiles
@pytest.mark.parametrize(
    "box",
    [(1, 1, 1, 1), (3, 0, 1, 2), (0, 3, 2, 1), (3, 3, 1, 1)],
    ids=["no area", "x reversed", "y reversed", "both reversed"],
)
def test_c3_c4_no_sample_gives_zero(align, box, ramp):
    assert align(ramp + 1, np.array([[0, *box]], np.float32)).item() == 0


@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_c5_nothing_but_nan_or_minus_infinity(value, dtype):
    features = np.full((1, 1, 4, 4), value, dtype)
    assert torchvision.roi_pool(features, np.array([[0, 0, 0, 1, 1]], dtype), 1).item() == -np.inf


@pytest.mark.parametrize("cell", [(0, 0), (0, 1), (1, 1)])
def test_c6_nan_in_a_maximum_is_ignored(cell, ramp):
    ramp[0, 0][cell] = np.nan
    rois = np.array([[0, 0, 0, 1, 1]], np.float32)
    expected = 4 if cell == (1, 1) else 5
    assert onnx.max_roi_pool(ramp, rois, (1, 1)).item() == expected
    assert openvino.roi_pooling(ramp, rois, (1, 1), 1.0).item() == expected


@aligned_profiles
def test_c7_nan_far_from_the_box_stays_there(align, ramp):
    ramp[0, 0, 0, 0] = np.nan
    assert align(ramp, np.array([[0, 20, 20, 24, 24]], np.float32)).item() == 0


def test_c8_infinity_beside_a_sample_on_a_cell(ramp):
    ramp[0, 0, 1, 1] = np.inf
    box = np.array([[0, -0.5, -0.5, 0.5, 0.5]], np.float32)
    assert torchvision.roi_align(ramp + 1, box, 1, sampling_ratio=1).item() == 1


def test_c13_no_boxes(ramp):
    assert mxnet.ROIPooling(ramp, np.empty((0, 5), np.float32), (2, 3), 1.0).shape == (0, 1, 2, 3)


# -- profiles without a package to run --------------------------------------------------------------


def test_caffe_is_onnx_runtime(inputs):
    features, rois = inputs["map_edge"], inputs["rois_random_0_3"]
    np.testing.assert_array_equal(
        caffe.roi_pooling(features, rois, pooled_h=3, pooled_w=2, spatial_scale=0.3),
        onnx.max_roi_pool(features, rois, (3, 2), 0.3),
    )


def test_caffe_position_sensitive_is_paddle(inputs):
    features, rois = inputs["map_ps"], inputs["rois_edge_1"]
    boxes, counts = replay._by_image(rois, 2)
    order = np.argsort(rois[:, 0], kind="stable")
    np.testing.assert_array_equal(
        caffe.psroi_pooling(features, rois[order], spatial_scale=1.0, output_dim=2, group_size=3),
        paddle.psroi_pool(features, boxes, counts, 3),
    )


@pytest.mark.parametrize(("number", "name"), [(0, "max"), (1, "avg")])
@pytest.mark.parametrize(("shift", "words"), [(0, "output_half_pixel"), (1, "half_pixel")])
def test_tensorrt_align_is_onnx(number, name, shift, words, inputs):
    features, rois = inputs["map_relu"], inputs["rois_random_ordered_1"]
    boxes, index = rois[:, 1:], rois[:, 0].astype(np.int64)
    np.testing.assert_array_equal(
        tensorrt.roi_align(
            features, boxes, index, mode=number, output_height=2, output_width=3, coordinate_transformation_mode=shift
        ),
        onnx.roi_align(
            features, boxes, index, mode=name, output_height=2, output_width=3, coordinate_transformation_mode=words
        ),
    )


def test_tensorrt_crop_is_tensorflow(inputs):
    features, boxes = inputs["map_normal"], inputs["boxes_unit"][:10]
    cropped = tensorrt.crop_and_resize(features, boxes.reshape(2, 5, 4, 1), crop_height=3, crop_width=4)
    expected = tensorflow.crop_and_resize(features.transpose(0, 2, 3, 1), boxes, np.repeat([0, 1], 5), (3, 4))
    np.testing.assert_array_equal(cropped.reshape(10, 5, 3, 4), expected.transpose(0, 3, 1, 2))


def clamped_sample(plane, y, x):
    """Interpolation at a point inside the map."""
    top, left = int(y), int(x)
    fy, fx = float(y) - top, float(x) - left
    bottom, right = top + (fy > 0), left + (fx > 0)
    upper = plane[:, top, left] * (1 - fx) + plane[:, top, right] * fx
    lower = plane[:, bottom, left] * (1 - fx) + plane[:, bottom, right] * fx
    return upper * (1 - fy) + lower * fy


def clamped_points(low, high, cells, pooled, transform, ratio):
    """(P, g) coordinates on one axis, each operation rounded to float32."""
    one = np.float32
    if transform == -1:
        start, end = low * one(cells - 1), high * one(cells - 1)
        step = (end - start) / one(pooled - 1)
    else:
        shift = one(0.5 if transform == 2 else 0)
        start, end = low * one(cells) - shift, high * one(cells) - shift
        step = (end - start) / one(pooled)
    grid = ratio or max(1, int(np.ceil((end - start) / one(pooled))))
    offset = one(0.5 if transform > 0 else 0)
    points = [
        [start + step * one(p) + step * (one(i) + offset) / one(grid) for i in range(grid)] for p in range(pooled)
    ]
    return np.clip(np.array(points, one), one(0), one(cells - 1))


def pyramid_align(
    rois,
    maps,
    pooled,
    image_size,
    fpn_scale=224,
    absolute=True,
    swap=False,
    plus_one=False,
    transform=2,
    ratio=0,
    legacy=False,
):
    """PyramidROIAlign, box by box and sample by sample, from its definition."""
    one = np.float32
    height, width = (one(side) for side in image_size)
    out = np.zeros((*rois.shape[:2], maps[0].shape[1], pooled, pooled))
    for n, k in np.ndindex(rois.shape[:2]):
        a, b, c, d = rois[n, k] if swap else rois[n, k, [1, 0, 3, 2]]
        edges = []
        for low, high, side in ((min(a, c), max(a, c), height), (min(b, d), max(b, d), width)):
            limit = side if absolute else one(1)
            edges.append([max(one(0), min(limit, v)) / limit for v in (low, high)])
        (y1, y2), (x1, x2) = edges
        area = (y2 - y1 + one(1) / height) * (x2 - x1 + one(1) / width) if plus_one else (y2 - y1) * (x2 - x1)
        if legacy:
            threshold = one(224 * 224 * 2) / one(1024 * 1024) / one(16)
        else:
            threshold = np.sqrt(one(fpn_scale) * one(fpn_scale) / (height * width)) ** 2 / one(4)
        level = int(area > threshold) + int(area > 4 * threshold) + int(area > 16 * threshold)
        plane = maps[level][n].astype(np.float64)
        ys = clamped_points(y1, y2, plane.shape[1], pooled, transform, ratio)
        xs = clamped_points(x1, x2, plane.shape[2], pooled, transform, ratio)
        for i, j in np.ndindex(pooled, pooled):
            out[n, k, :, i, j] = np.mean([clamped_sample(plane, y, x) for y in ys[i] for x in xs[j]], axis=0)
    return out


def pyramid_boxes(inputs):
    """(2, R, 4) boxes: on, across and off an image of 768 x 1024, reversed, flat, and at the thresholds."""
    rng = np.random.default_rng(77)
    centre = rng.uniform(-0.2, 1.2, (90, 2)) * (1024, 768)
    half = np.exp(rng.uniform(np.log(0.5), np.log(500), (90, 2)))
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    boxes[::7] = boxes[::7][:, [2, 1, 0, 3]]
    boxes[1::9, 2] = boxes[1::9, 0]
    boxes = np.concatenate([inputs["rois_levels"][:25, 1:], boxes]).astype(np.float32)
    return np.stack([boxes, boxes[::-1]])


@pytest.mark.parametrize("transform", [-1, 0, 1, 2])
@pytest.mark.parametrize("ratio", [0, 1, 2])
@pytest.mark.parametrize(("absolute", "swap", "plus_one"), [(True, False, False), (False, True, True)])
def test_tensorrt_pyramid(transform, ratio, absolute, swap, plus_one, inputs):
    maps = [inputs[f"pyramid_{n}"] for n in range(4)]
    rois = pyramid_boxes(inputs)
    if not absolute:
        rois = rois / np.float32([1024, 768, 1024, 768])
    rois = rois[..., [1, 0, 3, 2]] if swap else rois
    expected = pyramid_align(rois, maps, 3, (768, 1024), 224, absolute, swap, plus_one, transform, ratio)
    pooled = tensorrt.pyramid_roi_align(
        rois,
        *maps,
        pooled_size=3,
        image_size=(768, 1024),
        roi_coords_absolute=absolute,
        roi_coords_swap=swap,
        roi_coords_plusone=plus_one,
        roi_coords_transform=transform,
        sampling_ratio=ratio,
    )
    assert pooled.dtype == np.float32
    np.testing.assert_allclose(pooled, expected, rtol=0, atol=2e-5)


def test_tensorrt_pyramid_of_older_releases(inputs):
    maps = [inputs[f"pyramid_{n}"] for n in range(4)]
    rois = (pyramid_boxes(inputs) / np.float32(1024))[..., [1, 0, 3, 2]]
    expected = pyramid_align(rois, maps, 4, (1024, 1024), absolute=False, swap=True, transform=-1, ratio=1, legacy=True)
    pooled = tensorrt.pyramid_roi_align(rois, *maps, pooled_size=4, image_size=(77, 88), legacy=True)
    np.testing.assert_allclose(pooled, expected, rtol=0, atol=2e-5)


def test_tensorrt_levels_are_strict():
    """Squares of exactly 112, 224 and 448 pixels lie one level below torchvision's (D36); 112, not 112.5, is P3's limit."""
    maps = [np.full((1, 1, 256 >> n, 256 >> n), n + 2, np.float32) for n in range(4)]
    sides = np.float32([1, 112, 112.01, 224, 224.01, 448, 448.01, 1024])
    rois = np.zeros((1, 8, 4), np.float32)
    rois[0, :, 2] = rois[0, :, 3] = sides
    levels = tensorrt.pyramid_roi_align(rois, *maps, pooled_size=1, sampling_ratio=1).ravel()
    assert levels.tolist() == [2, 2, 3, 3, 4, 4, 5, 5]
    assert fastroi.fpn_levels(rois[0], 2, 5, rule="tensorrt").tolist() == levels.tolist()
    assert fastroi.fpn_levels(rois[0], 2, 5).tolist() == [2, 3, 3, 4, 4, 5, 5, 5]


def test_tensorrt_pyramid_clamps_where_others_drop(ramp):
    """A box off the image takes the corner cell; another RoIAlign gives 0 (D22)."""
    rois = np.array([[[60, 60, 90, 80], [0, 0, 0, 0]]], np.float32)
    pooled = tensorrt.pyramid_roi_align(rois, ramp + 1, ramp, ramp, ramp, pooled_size=2, image_size=(16, 16))
    assert (pooled[0, 0] == 16).all()
    assert (pooled[0, 1] == 1).all()
    assert torchvision.roi_align(ramp + 1, np.array([[0, 60, 60, 90, 80]], np.float32), 2, 0.25).max() == 0


def test_tensorrt_pyramid_of_one_bin_and_one_cell():
    """C18: P = 1 under transform -1 divides by 0 in the plugin; a map of one cell has nowhere else to read."""
    maps = [np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), *(np.full((1, 1, 1, 1), 7, np.float32),) * 3]
    rois = np.array([[[4, 8, 8, 12], [0, 0, 16, 16]]], np.float32)
    pooled = tensorrt.pyramid_roi_align(
        rois, *maps, pooled_size=1, image_size=(16, 16), fpn_scale=16, roi_coords_transform=-1, sampling_ratio=1
    )
    assert pooled.ravel().tolist() == [1.5 * 4 + 0.75, 7]


@pytest.mark.parametrize("half", [False, True])
def test_tensorrt_multilevel_crop(half, inputs):
    maps = [inputs[f"pyramid_{n}"] for n in range(4)]
    maps.append(np.ascontiguousarray(maps[3][:, :, ::2, ::2]))
    rois = pyramid_boxes(inputs)[..., [1, 0, 3, 2]] / np.float32(1 + half)
    pooled = tensorrt.multilevel_crop_and_resize(rois, *maps, pooled_size=3, image_size=(3, 768, 1024))
    assert 0.2 < (pooled != 0).any(axis=(2, 3, 4)).mean() < 0.95
    for n, k in np.ndindex(rois.shape[:2]):
        y1, x1, y2, x2 = rois[n, k]
        expected = np.zeros((3, 3, 3))
        if 0 <= y1 < y2 <= 768 and 0 <= x1 < x2 <= 1024:
            level = sum((y2 - y1) * (x2 - x1) > np.float32(side * side) for side in (112, 224, 448, 896))
            plane = maps[level][n].astype(np.float64)
            stride = np.float32(4 << level)
            ys, xs = (
                np.clip(
                    [
                        float(low / stride) + float((high / stride - low / stride) / np.float32(3)) * (p + 0.5)
                        for p in range(3)
                    ],
                    0,
                    cells - 1,
                )
                for low, high, cells in ((y1, y2, plane.shape[1]), (x1, x2, plane.shape[2]))
            )
            for i, j in np.ndindex(3, 3):
                expected[:, i, j] = clamped_sample(plane, ys[i], xs[j])
        # the plugin adds and multiplies in double here: 2 units in the last place of 64, times a slope of 32
        np.testing.assert_allclose(pooled[n, k], expected, rtol=0, atol=2e-4)


def test_tensorrt_refusals(ramp):
    box = np.zeros((1, 1, 4), np.float32)
    with pytest.raises(ValueError, match="roi_coords_transform: 3"):
        tensorrt.pyramid_roi_align(box, *(ramp,) * 4, roi_coords_transform=3)
    with pytest.raises(ValueError, match="sampling_ratio: -1"):
        tensorrt.pyramid_roi_align(box, *(ramp,) * 4, sampling_ratio=-1)
    with pytest.raises(ValueError, match="fpn_scale: 0"):
        tensorrt.pyramid_roi_align(box, *(ramp,) * 4, fpn_scale=0)
    with pytest.raises(ValueError, match="image_size: 0"):
        tensorrt.pyramid_roi_align(box, *(ramp,) * 4, image_size=(0, 4))
    with pytest.raises(ValueError, match="p4: 1 images of 2 channels; 1 of 1 as in p2"):
        tensorrt.pyramid_roi_align(box, ramp, ramp, np.zeros((1, 2, 4, 4), np.float32), ramp)
    with pytest.raises(ValueError, match=r"rois: shape \(2, 1, 4\)"):
        tensorrt.multilevel_crop_and_resize(np.zeros((2, 1, 4)), *(ramp,) * 5, pooled_size=1)
    with pytest.raises(ValueError, match=r"rois\[0, 1\].*not finite"):
        tensorrt.multilevel_crop_and_resize(np.array([[[0, 0, 1, 1], [0, np.nan, 1, 1]]]), *(ramp,) * 5, pooled_size=1)
    assert tensorrt.pyramid_roi_align(np.zeros((1, 0, 4)), *(ramp,) * 4).shape == (1, 0, 1, 7, 7)
    assert tensorrt.pyramid_roi_align(np.zeros((0, 3, 4)), *(ramp[:0],) * 4).shape == (0, 3, 1, 7, 7)


def test_detectron2_align_is_torchvision_aligned(inputs):
    features, rois = inputs["map_normal"], inputs["rois_random_ordered_1"]
    np.testing.assert_array_equal(
        detectron2.ROIAlign((3, 2), 1.0, 0)(features, rois), torchvision.roi_align(features, rois, (3, 2), 1.0, 0, True)
    )


def test_detectron2_pooler_is_torchvision_away_from_the_thresholds(inputs):
    """The two level rules differ only within 1e-6 of a threshold and for boxes without area."""
    rows = inputs["rois_levels"]
    sides = np.sqrt(np.abs((rows[:, 3] - rows[:, 1]) * (rows[:, 4] - rows[:, 2])))
    far = np.abs(np.log2(sides / 224 + 1e-9) - np.round(np.log2(sides / 224 + 1e-9))) > 1e-4
    tables = [rows[far & (rows[:, 0] == n), 1:] for n in range(2)]
    maps = [inputs[f"pyramid_{n}"] for n in range(4)]
    pooler = detectron2.ROIPooler(3, [1 / 4, 1 / 8, 1 / 16, 1 / 32], 2, "ROIAlign")
    other = torchvision.MultiScaleRoIAlign(list("abcd"), 3, 2)
    np.testing.assert_array_equal(
        pooler(maps, tables), other(dict(zip("abcd", maps, strict=True)), tables, [(192, 256)] * 2)
    )


def test_detectron2_level_just_below_a_threshold(inputs):
    """Side 223.9999: level 3 for detectron2, 4 for torchvision (D36)."""
    box = np.array([[3.0, 5.0, 3.0 + 223.9999, 5.0 + 223.9999]], np.float32)
    maps = [np.full((1, 1, 192 >> n, 256 >> n), n, np.float32) for n in range(4)]
    pooler = detectron2.ROIPooler(1, [1 / 4, 1 / 8, 1 / 16, 1 / 32], 2, "ROIAlign")
    other = torchvision.MultiScaleRoIAlign(list("abcd"), 1, 2)
    image = [(768, 1024)]
    assert pooler(maps, [box]).item() == 1
    assert other(dict(zip("abcd", maps, strict=True)), [box], image).item() == 2


def test_detectron2_refusals():
    with pytest.raises(ValueError, match="pooler_type"):
        detectron2.ROIPooler(7, [1 / 4], 0, "ROIPool3D")
    with pytest.raises(ValueError, match="scales"):
        detectron2.ROIPooler(7, [1 / 4, 1 / 16], 0, "ROIAlign")
    with pytest.raises(ValueError, match=r"rois\[0\]"):
        detectron2.roi_align_rotated(
            np.zeros((1, 1, 4, 4), np.float32), np.array([[0, 1, 1, -1, 1, 0]], np.float32), 1, 1.0, 0
        )


def test_detectron2_angles_are_degrees_counter_clockwise(inputs):
    features, rois = inputs["map_relu"], inputs["rois_rotated"]
    degrees = np.column_stack([rois[:, :5], np.degrees(rois[:, 5])]).astype(np.float32)
    np.testing.assert_allclose(
        detectron2.ROIAlignRotated((3, 2), 0.5, 2)(features, degrees),
        openvino.roi_align_rotated(features, rois[:, 1:], rois[:, 0].astype(int), 3, 2, 2, 0.5, False),
        atol=2e-5,
    )


SCALED = {
    "mmcv.roi_pool": lambda m, box, turned, scale: mmcv.roi_pool(m, box, 2, scale),
    "mmcv.roi_align": lambda m, box, turned, scale: mmcv.roi_align(m, box, 2, scale),
    "mmcv.roi_align_rotated": lambda m, box, turned, scale: mmcv.roi_align_rotated(m, turned, 2, scale),
    "mmcv.riroi_align_rotated": lambda m, box, turned, scale: mmcv.riroi_align_rotated(
        m, turned, 2, scale, num_orientations=1
    ),
    "mmcv.prroi_pool": lambda m, box, turned, scale: mmcv.prroi_pool(m, box, 2, scale),
    "mmcv.deform_roi_pool": lambda m, box, turned, scale: mmcv.deform_roi_pool(m, box, None, 2, scale),
    "detectron2.roi_align_rotated": lambda m, box, turned, scale: detectron2.roi_align_rotated(m, turned, 2, scale, 0),
}


@pytest.mark.parametrize("name", SCALED)
def test_scale_is_a_float_for_float64_maps_too(name, ramp):
    box, turned = np.array([[0, 1, 2, 9, 12.0]]), np.array([[0, 6, 5, 7, 8, 0.5]])
    call, features = SCALED[name], ramp.astype(np.float64) ** 2
    np.testing.assert_array_equal(call(features, box, turned, 0.3), call(features, box, turned, float(np.float32(0.3))))


def test_mmcv_factor_of_offsets_is_a_float(ramp):
    box, offset = np.array([[0, 0, 0, 3, 3.0]]), np.ones((1, 2, 1, 1))
    features = ramp.astype(np.float64) ** 2
    np.testing.assert_array_equal(
        mmcv.deform_roi_pool(features, box, offset, 1, gamma=0.1),
        mmcv.deform_roi_pool(features, box, offset, 1, gamma=float(np.float32(0.1))),
    )


def test_mmcv_rotated_is_openvino(inputs):
    features, rois = inputs["map_relu"], inputs["rois_rotated"]
    for clockwise in (False, True):
        np.testing.assert_array_equal(
            mmcv.roi_align_rotated(features, rois, (3, 2), 0.5, 2, clockwise=clockwise),
            openvino.roi_align_rotated(features, rois[:, 1:], rois[:, 0].astype(int), 3, 2, 2, 0.5, clockwise),
        )


def test_mmcv_deformable_without_offsets_is_aligned(inputs):
    features, rois = inputs["map_normal"], inputs["rois_random_ordered_1"]
    plain = mmcv.roi_align(features, rois, (3, 2), 1.0, 2)
    np.testing.assert_allclose(mmcv.deform_roi_pool(features, rois, None, (3, 2), 1.0, 2), plain, atol=2e-6)
    zeros = np.zeros((len(rois), 2, 3, 2), np.float32)
    np.testing.assert_allclose(mmcv.deform_roi_pool(features, rois, zeros, (3, 2), 1.0, 2), plain, atol=2e-6)


def test_detectron2_masks_are_the_soft_ones_above_the_threshold(inputs):
    masks, boxes = inputs["masks"], inputs["boxes_masks"]
    (soft,) = [results[0] for package, case, results in RECORDED if case["op"] == "grid_sample"]
    pasted = detectron2.paste_masks_in_image(masks, boxes, (40, 50))
    clear = np.abs(soft - 0.5) > 1e-5
    assert pasted.dtype == bool
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(pasted[clear], (soft >= 0.5)[clear])
    levels = detectron2.paste_masks_in_image(masks, boxes, (40, 50), threshold=-1)
    assert levels.dtype == np.uint8
    assert np.abs(levels - soft * 255).max() <= 1.001


def test_detectron2_mask_targets_are_aligned(inputs):
    masks, boxes = inputs["masks_image"] > 0, inputs["boxes_masks"]
    rows = np.column_stack([np.arange(len(boxes)), boxes]).astype(np.float32)
    soft = mmcv.roi_align(inputs["masks_image"][:, None], rows, 14)[:, 0]
    targets = detectron2.crop_and_resize_masks(masks, boxes, 14)
    clear = np.abs(soft - 0.5) > 1e-5
    np.testing.assert_array_equal(targets[clear], (soft >= 0.5)[clear])


def test_masks_of_boxes_off_the_image_are_empty():
    """torchvision raises here."""
    masks, box = np.ones((1, 1, 14, 14), np.float32), np.array([[60, 50, 70, 60]], np.float32)
    assert not torchvision.paste_masks_in_image(masks, box, (40, 50)).any()
    assert not detectron2.paste_masks_in_image(masks[:, 0], box, (40, 50)).any()


def test_mask_refusals():
    box = np.zeros((1, 4), np.float32)
    with pytest.raises(ValueError, match="padding"):
        torchvision.paste_masks_in_image(np.ones((1, 1, 2, 2), np.float32), box, (4, 4), padding=2)
    with pytest.raises(ValueError, match="masks"):
        torchvision.paste_masks_in_image(np.ones((1, 3, 2, 2), np.float32), box, (4, 4))
    with pytest.raises(ValueError, match="square"):
        detectron2.paste_masks_in_image(np.ones((1, 2, 3), np.float32), box, (4, 4))
