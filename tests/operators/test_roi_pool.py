"""roi_pool against the oracle: every rule, layout, dtype and instruction set, compared exactly."""

import numpy as np
import oracle
import pytest
from helpers import (
    CONFIGURATIONS,
    TAILS,
    assert_mean_close,
    assert_same,
    awkward_rois,
    expected_max,
    feature_map,
    from_layout,
    long_seeds,
    roi_pool,
    to_layout,
)

import fastroi

LAYOUTS = ("NCHW", "NHWC")
EVERYDAY = 10_000


def check_random_rois(rule, isas, count, seed):
    """`count` awkward RoIs spread over all configurations, the same ones on each ISA."""
    rng = np.random.default_rng(seed)
    share = count // len(CONFIGURATIONS)
    for number, (shape, output_size, scale) in enumerate(CONFIGURATIONS):
        features = feature_map(rng, shape, (np.float32, np.float64)[number % 2])
        rois = awkward_rois(rng, share, shape, scale)
        expected, expected_argmax = expected_max(features, rois, output_size, scale, rule)
        for isa in isas:
            with fastroi.simd.use(isa):
                for layout in LAYOUTS:
                    options = {"rule": rule, "layout": layout}
                    plain = roi_pool(features, rois, output_size, scale, **options)
                    pooled, argmax = roi_pool(features, rois, output_size, scale, return_argmax=True, **options)
                    assert_same(plain, expected, rois)
                    assert_same(pooled, expected, rois)
                    assert_same(argmax, expected_argmax, rois)


def test_random_rois(rule):
    check_random_rois(rule, fastroi.simd.supported(), EVERYDAY, 20)


@pytest.mark.long
@pytest.mark.parametrize("seed", long_seeds(10))
def test_random_rois_long(rule, seed):
    check_random_rois(rule, fastroi.simd.supported(), 20_000, seed)


@pytest.mark.parametrize("configuration", CONFIGURATIONS[:8], ids=lambda c: str(c[0]))
def test_mean(rule, isa, layout, dtype, configuration, rng):
    shape, output_size, scale = configuration
    features = feature_map(rng, shape, dtype)
    rois = awkward_rois(rng, 60, shape, scale)
    expected, magnitude, taps = oracle.roi_pool(features, rois, output_size, scale, rule, "mean")
    pooled = roi_pool(features, rois, output_size, scale, rule=rule, reduce="mean", layout=layout)
    assert pooled.dtype == dtype
    assert_mean_close(pooled, expected, magnitude, taps)


def test_mean_of_integers_is_exact(isa, layout, dtype, rng):
    """Bins of a power of two cells over small integers have exact means."""
    features = rng.integers(-64, 64, (1, 19, 32, 32)).astype(dtype)
    boxes = np.array([[0, 0, 31, 31], [8, 16, 23, 31], [4, 4, 11, 19]])
    pooled = roi_pool(features, boxes, (4, 2), rule="fast_rcnn", reduce="mean", layout=layout, scale=1.0)
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        region = features[0, :, y1 : y2 + 1, x1 : x2 + 1]
        height, width = region.shape[1] // 4, region.shape[2] // 2
        blocks = region.reshape(19, 4, height, 2, width)
        assert (pooled[k] == blocks.mean(axis=(2, 4))).all()


@pytest.mark.parametrize("channels", TAILS)
def test_every_channel_tail(isa, layout, dtype, channels, rng):
    shape = (2, channels, 11, 13)
    features = feature_map(rng, shape, dtype)
    rois = awkward_rois(rng, 12, shape, 1 / 8)
    expected, expected_argmax = expected_max(features, rois, (3, 4), 1 / 8, "fast_rcnn")
    pooled, argmax = roi_pool(features, rois, (3, 4), 1 / 8, layout=layout, return_argmax=True)
    assert_same(pooled, expected, rois)
    assert_same(argmax, expected_argmax, rois)
    assert_same(roi_pool(features, rois, (3, 4), 1 / 8, layout=layout), expected, rois)


def test_every_channel_count_up_to_129(isa, layout):
    rng = np.random.default_rng(129)
    features = feature_map(rng, (1, 129, 9, 10))
    rois = awkward_rois(rng, 4, features.shape, 1 / 8)
    whole = roi_pool(features, rois, (2, 3), 1 / 8, layout=layout)
    for channels in range(1, 130):
        part = roi_pool(features[:, :channels], rois, (2, 3), 1 / 8, layout=layout)
        assert_same(part, whole[:, :channels])


ODD_MAPS = [(1, 1), (1, 2), (1, 33), (33, 1), (2, 2), (3, 65), (65, 3), (1, 257), (257, 1)]


@pytest.mark.parametrize("size", ODD_MAPS, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("output_size", [(1, 1), (2, 5), (7, 3), (15, 1), (1, 31)])
def test_odd_maps(isa, layout, size, output_size, rng):
    shape = (1, 6, *size)
    features = feature_map(rng, shape)
    rois = awkward_rois(rng, 40, shape, 1 / 4)
    expected, expected_argmax = expected_max(features, rois, output_size, 1 / 4, "fast_rcnn")
    pooled, argmax = roi_pool(features, rois, output_size, 1 / 4, layout=layout, return_argmax=True)
    assert_same(pooled, expected, rois)
    assert_same(argmax, expected_argmax, rois)


def test_large_bins_and_many_boxes(isa, layout, rule):
    """Boxes that cover most of a larger map, so that every way of reducing rows is taken."""
    rng = np.random.default_rng(77)
    shape = (1, 18, 96, 130)
    features = feature_map(rng, shape)
    features[0, ::2] = rng.integers(-3, 3, (9, 96, 130))
    low = rng.uniform(-100, 500, (60, 2))
    high = low + rng.uniform(200, 900, (60, 2))
    rois = np.concatenate([np.zeros((60, 1)), low, high], axis=1)
    expected, expected_argmax = expected_max(features, rois, (2, 3), 1 / 8, rule)
    pooled, argmax = roi_pool(features, rois, (2, 3), 1 / 8, rule=rule, layout=layout, return_argmax=True)
    assert_same(pooled, expected, rois)
    assert_same(argmax, expected_argmax, rois)
    assert_same(roi_pool(features, rois, (2, 3), 1 / 8, rule=rule, layout=layout), expected)


def test_all_negative_bins(isa, layout, dtype):
    features = -np.arange(1, 10).reshape(1, 1, 3, 3).astype(dtype)
    pooled, argmax = roi_pool(features, np.array([[0, 0, 2, 2]]), 1, 1.0, layout=layout, return_argmax=True)
    assert pooled.item() == -1
    assert argmax.item() == 0


def test_values_below_float32_range(isa, layout):
    features = np.full((1, 3, 4, 4), -1e300)
    features[:, :, 2, 1] = -1e299
    pooled, argmax = roi_pool(features, np.array([[0, 0, 3, 3]]), 1, 1.0, layout=layout, return_argmax=True)
    assert (pooled == -1e299).all()
    assert (argmax == 9).all()


def test_first_of_equal_maxima(isa, layout, rule):
    features = np.zeros((1, 21, 8, 8), np.float32)
    boxes = np.array([[0, 0, 7, 7], [2, 3, 6, 7], [5, 1, 7, 2]])
    _, argmax = roi_pool(features, boxes, (2, 3), 1.0, rule=rule, layout=layout, return_argmax=True)
    for k, (x1, y1, x2, y2) in enumerate(boxes):
        rows = oracle.axis_ranges(rule, y1, y2, 1.0, 2, 8)[1]
        columns = oracle.axis_ranges(rule, x1, x2, 1.0, 3, 8)[1]
        for i, (top, bottom) in enumerate(rows):
            for j, (left, right) in enumerate(columns):
                empty = bottom <= top or right <= left
                assert (argmax[k, :, i, j] == (-1 if empty else top * 8 + left)).all()


def test_empty_bins_are_zero_with_argmax_minus_one(isa, layout, dtype, rule):
    features = np.full((1, 20, 5, 5), -7, dtype)
    pooled, argmax = roi_pool(
        features,
        np.array([[100, 100, 120, 130]]),
        (2, 3),
        1.0,
        rule=rule,
        layout=layout,
        return_argmax=True,
    )
    assert (pooled == 0).all()
    assert (argmax == -1).all()
    mean = roi_pool(
        features,
        np.array([[100, 100, 120, 130]]),
        (2, 3),
        1.0,
        rule=rule,
        layout=layout,
        reduce="mean",
    )
    assert (mean == 0).all()


@pytest.mark.parametrize("reduce", ("max", "mean"))
def test_forms_of_rois(layout, reduce, rng):
    shape = (3, 5, 12, 10)
    features = to_layout(feature_map(rng, shape), layout)
    rois = awkward_rois(rng, 30, shape, 1 / 4)
    rois = rois[np.argsort(rois[:, 0], kind="stable")]
    options = {"layout": layout, "reduce": reduce}
    batch = rois[:, 0].astype(int)
    expected = fastroi.roi_pool(features, rois, (2, 3), 1 / 4, **options)
    for ids in (batch, batch.astype(np.int32), batch.astype(np.uint8), batch.tolist()):
        pooled = fastroi.roi_pool(features, rois[:, 1:], (2, 3), 1 / 4, batch_indices=ids, **options)
        assert_same(pooled, expected)
    as_list = [rois[batch == image, 1:] for image in range(3)]
    assert_same(fastroi.roi_pool(features, as_list, (2, 3), 1 / 4, **options), expected)
    assert_same(fastroi.roi_pool(features, tuple(as_list), (2, 3), 1 / 4, **options), expected)
    assert_same(fastroi.roi_pool(features, rois[:, ::1], (2, 3), 1 / 4, **options), expected)


def test_list_with_an_image_without_boxes(layout):
    features = to_layout(np.arange(24, dtype=np.float32).reshape(3, 2, 2, 2), layout)
    boxes = [np.zeros((0, 4)), np.array([[0, 0, 1, 1]]), np.zeros((0, 4), np.float32)]
    pooled = from_layout(fastroi.roi_pool(features, boxes, 1, layout=layout), layout)
    assert pooled.ravel().tolist() == [11, 15]


def test_one_image_of_three_dimensions(isa, layout, rng):
    features = feature_map(rng, (1, 7, 9, 8))
    boxes = awkward_rois(rng, 20, features.shape, 1 / 2)[:, 1:]
    four = fastroi.roi_pool(to_layout(features, layout), boxes, (2, 3), 1 / 2, layout=layout)
    three = fastroi.roi_pool(to_layout(features[0], layout), boxes, (2, 3), 1 / 2, layout=layout)
    assert_same(three, four)


@pytest.mark.parametrize("box_dtype", ("f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"))
def test_box_dtypes(layout, box_dtype, rng):
    features = feature_map(rng, (1, 4, 20, 20))
    boxes = rng.integers(0, 100, (15, 4)).astype(box_dtype)
    expected, _ = expected_max(features, np.c_[np.zeros(15), boxes.astype("f8")], (3, 2), 1 / 8, "fast_rcnn")
    assert_same(roi_pool(features, boxes, (3, 2), 1 / 8, layout=layout), expected)


def test_boxes_keep_float64_precision(layout):
    """0.49999999999999994 rounds to 0 in float64 and would round to 1 in float32."""
    features = to_layout(np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4), layout)
    box = np.array([[0.49999999999999994, 0, 0.49999999999999994, 0]])
    assert fastroi.roi_pool(features, box, 1, layout=layout).item() == 0


@pytest.mark.parametrize("size", [3, (3, 3), [3, 3], np.int64(3), np.array([3, 3])])
def test_forms_of_output_size(size, rng):
    features = feature_map(rng, (1, 4, 9, 9))
    box = np.array([[1.0, 2, 7, 8]])
    assert_same(fastroi.roi_pool(features, box, size), fastroi.roi_pool(features, box, (3, 3)))


def test_scale_per_axis(layout, rule, rng):
    features = feature_map(rng, (1, 4, 16, 8))
    rois = awkward_rois(rng, 50, features.shape, (1 / 2, 1 / 4))
    expected, _ = expected_max(features, rois, (3, 2), (1 / 2, 1 / 4), rule)
    pooled = roi_pool(features, rois, (3, 2), (1 / 2, 1 / 4), rule=rule, layout=layout)
    assert_same(pooled, expected, rois)


def test_nothing_to_pool(isa, layout, dtype):
    def shape(k, c, h, w):
        return (k, c, h, w) if layout == "NCHW" else (k, h, w, c)

    for features, boxes, expected in [
        (np.zeros((2, 3, 4, 4)), np.zeros((0, 5)), shape(0, 3, 2, 5)),
        (np.zeros((1, 3, 4, 4)), np.zeros((0, 4)), shape(0, 3, 2, 5)),
        (np.zeros((0, 3, 4, 4)), np.zeros((0, 5)), shape(0, 3, 2, 5)),
        (np.zeros((2, 3, 0, 4)), np.zeros((0, 5)), shape(0, 3, 2, 5)),
        (np.zeros((2, 0, 4, 4)), np.zeros((6, 5)), shape(6, 0, 2, 5)),
    ]:
        pooled, argmax = fastroi.roi_pool(
            to_layout(features.astype(dtype), layout),
            boxes,
            (2, 5),
            layout=layout,
            return_argmax=True,
        )
        assert pooled.shape == argmax.shape == expected
        assert pooled.dtype == dtype
        assert argmax.dtype == np.int64


@pytest.mark.parametrize("reduce", ("max", "mean"))
def test_out(isa, layout, dtype, reduce, rng):
    features = to_layout(feature_map(rng, (2, 6, 9, 11), dtype), layout)
    rois = awkward_rois(rng, 25, (2, 6, 9, 11), 1 / 2)
    options = {"layout": layout, "reduce": reduce}
    fresh = fastroi.roi_pool(features, rois, (2, 3), 1 / 2, **options)
    out = np.full(fresh.shape, np.nan, dtype)
    assert fastroi.roi_pool(features, rois, (2, 3), 1 / 2, out=out, **options) is out
    assert_same(out, fresh)


def test_out_with_argmax(layout, rng):
    features = to_layout(feature_map(rng, (1, 6, 9, 11)), layout)
    rois = awkward_rois(rng, 25, (1, 6, 9, 11), 1 / 2)
    fresh, argmax = fastroi.roi_pool(features, rois, (2, 3), 1 / 2, layout=layout, return_argmax=True)
    out = np.empty_like(fresh)
    pooled, again = fastroi.roi_pool(features, rois, (2, 3), 1 / 2, layout=layout, return_argmax=True, out=out)
    assert pooled is out
    assert_same(out, fresh)
    assert_same(again, argmax)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2), (2, 3, 0, 1)])
@pytest.mark.parametrize("step", (1, 2, -1))
def test_out_of_any_strides(isa, layout, order, step, rng):
    features = to_layout(feature_map(rng, (2, 19, 9, 11)), layout)
    rois = awkward_rois(rng, 18, (2, 19, 9, 11), 1 / 2)
    fresh = fastroi.roi_pool(features, rois, (4, 3), 1 / 2, layout=layout)
    stored = [fresh.shape[axis] for axis in order]
    base = np.full([abs(step) * size for size in stored], np.nan, np.float32)
    view = base[tuple(slice(None, None, step) for _ in stored)]
    out = view.transpose(np.argsort(order))
    assert fastroi.roi_pool(features, rois, (4, 3), 1 / 2, layout=layout, out=out) is out
    assert_same(out, fresh)
    assert np.count_nonzero(np.isnan(base)) == base.size - fresh.size


def test_defaults(rng):
    features = feature_map(rng, (1, 3, 9, 9))
    boxes = np.array([[0.5, 1.5, 6.5, 7.5]])
    pooled = fastroi.roi_pool(features, boxes, 2)
    expected, _ = expected_max(features, np.c_[0, boxes], (2, 2), 1.0, "fast_rcnn")
    assert_same(pooled, expected)
    assert pooled.flags.c_contiguous
    assert pooled.flags.writeable


def test_a_pooled_array_of_features_that_are_not_contiguous(isa, layout, rng):
    whole = feature_map(rng, (4, 24, 18, 22))
    features = whole[::2, 1::3, ::-1, 3:17:2]
    rois = awkward_rois(rng, 40, features.shape, 1 / 2)
    expected, _ = expected_max(np.ascontiguousarray(features), rois, (2, 3), 1 / 2, "fast_rcnn")
    view = features if layout == "NCHW" else features.transpose(0, 2, 3, 1)
    pooled = fastroi.roi_pool(view, rois, (2, 3), 1 / 2, layout=layout)
    assert_same(from_layout(pooled, layout), expected, rois)
