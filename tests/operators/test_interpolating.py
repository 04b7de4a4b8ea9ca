"""The interpolating operators against their oracles, within the rounding error of the sums."""

import time

import numpy as np
import oracle_align as oracle
import pytest
from helpers import awkward_rois, feature_map, from_layout, long_seeds, to_layout

import fastroi

LAYOUTS = ("NCHW", "NHWC")
MAPS = [
    ((2, 5, 13, 17), (3, 5), 1 / 16),
    ((1, 3, 1, 1), (2, 3), 1 / 4),
    ((3, 4, 1, 23), (1, 4), 0.1),
    ((1, 17, 9, 12), (5, 2), (1 / 8, 1 / 3)),
    ((2, 6, 21, 6), (2, 1), 1.0),
]
ALIGNED = (True, False, "image", "least_one", *oracle.CLAMPED)
RATIOS = (-1, 0, 1, 2, 3, (2, 1), (1, 4), (0, 2))


def moderate_rois(rng, count, shape, scale, cells=200):
    """Awkward RoIs whose adaptive grids an oracle can still walk through."""
    rois = awkward_rois(rng, 3 * count, shape, scale)
    limit = cells / np.max(scale)
    near = np.abs(rois[:, 1:]).max(axis=1) < limit
    return np.concatenate([rois[near][:count], *([rois[~near][:3]] if cells > 1e3 else [])])


def maps_of(rng, shape, dtype):
    """A normal, a ReLU-like and a constant map."""
    normal = feature_map(rng, shape, dtype)
    return normal, np.maximum(normal, 0), np.full(shape, dtype.type(0.7))


def run(operator, features, *arguments, layout="NCHW", **options):
    pooled = operator(to_layout(features, layout), *arguments, layout=layout, **options)
    assert pooled.dtype == features.dtype
    return from_layout(pooled, layout)


def assert_within(actual, expected, magnitude, taps, slack=0):
    """|error| <= (rows + columns + 2) * unit roundoff * sum of |weight * value|."""
    unit = 2.0**-24 if actual.dtype == np.float32 else 2.0**-53
    if actual.dtype == np.float64:
        slack += 12
    bound = (taps[:, None] + 2 + slack) * unit * magnitude
    error = np.abs(actual.astype(np.float64) - expected)
    assert actual.shape == expected.shape
    assert np.isfinite(actual).all()
    excess = error - bound
    if excess.max(initial=-1) > 0:
        at = np.unravel_index(excess.argmax(), excess.shape)
        raise AssertionError(
            f"{int((excess > 0).sum())} of {error.size} beyond their bound; worst at "
            f"{tuple(map(int, at))}: {actual[at]!r} instead of {expected[at]!r}, "
            f"error {error[at]:.3g}, bound {bound[at]:.3g}"
        )


@pytest.mark.parametrize("ratio", RATIOS, ids=str)
@pytest.mark.parametrize("aligned", ALIGNED)
def test_roi_align_mean(aligned, ratio, isa, layout, dtype):
    rng = np.random.default_rng(31)
    for shape, size, scale in MAPS:
        rois = moderate_rois(rng, 12, shape, scale)
        for features in maps_of(rng, shape, dtype)[:: 2 if ratio == 3 else 1]:
            expected = oracle.roi_align(features, rois, size, scale, ratio, aligned)
            pooled = run(fastroi.roi_align, features, rois, size, scale, ratio, aligned, layout=layout)
            slack = 64 if dtype == np.float64 else 0
            assert_within(pooled, *expected, slack)


@pytest.mark.parametrize("aligned", ALIGNED)
def test_roi_align_in_float32_arithmetic(aligned, isa, layout):
    rng = np.random.default_rng(32)
    for shape, size, scale in MAPS:
        rois = moderate_rois(rng, 60, shape, scale)
        features = feature_map(rng, shape)
        for ratio in (-1, 2):
            expected = oracle.roi_align(features, rois, size, scale, ratio, aligned, dtype=np.float32)
            pooled = run(
                fastroi.roi_align,
                features,
                rois,
                size,
                scale,
                ratio,
                aligned,
                arithmetic="float32",
                layout=layout,
            )
            assert_within(pooled, *expected)


def check_means(seed, count):
    rng = np.random.default_rng(seed)
    for number, (shape, size, scale) in enumerate(MAPS):
        aligned = ALIGNED[(seed + number) % len(ALIGNED)]
        ratio = RATIOS[(3 * seed + number) % len(RATIOS)]
        rois = moderate_rois(rng, count, shape, scale)
        features = feature_map(rng, shape)
        expected = oracle.roi_align(features, rois, size, scale, ratio, aligned)
        for isa in fastroi.simd.supported():
            with fastroi.simd.use(isa):
                for layout in LAYOUTS:
                    pooled = run(
                        fastroi.roi_align,
                        features,
                        rois,
                        size,
                        scale,
                        ratio,
                        aligned,
                        layout=layout,
                    )
                    assert_within(pooled, *expected)


@pytest.mark.parametrize("seed", range(10))
def test_many_rois(seed):
    """5,000 RoIs in all, every variant, one oracle for all instruction sets and layouts."""
    check_means(seed, 100)


@pytest.mark.long
@pytest.mark.parametrize("seed", long_seeds(40))
def test_many_rois_long(seed):
    check_means(seed, 500)


@pytest.mark.parametrize("reduce", ("max", "max_corners", "max_from_zero", "max_inside"))
@pytest.mark.parametrize("ratio", (1, 2, (3, 1), -1), ids=str)
def test_roi_align_max(reduce, ratio, layout, dtype):
    rng = np.random.default_rng(33)
    for shape, size, scale in MAPS:
        rois = moderate_rois(rng, 12, shape, scale, cells=30)
        for aligned in (True, False, "clamp_half_pixel"):
            for features in maps_of(rng, shape, dtype)[:2]:
                expected = oracle.roi_align(features, rois, size, scale, ratio, aligned, reduce)
                for isa in fastroi.simd.supported():
                    with fastroi.simd.use(isa):
                        pooled = run(
                            fastroi.roi_align,
                            features,
                            rois,
                            size,
                            scale,
                            ratio,
                            aligned,
                            reduce=reduce,
                            layout=layout,
                        )
                        assert_within(pooled, *expected)


def test_reversed_boxes_mirror_when_aligned(isa, layout, rng):
    """The extent is raised to 1 only by the legacy rule; aligned, it stays negative."""
    features = feature_map(rng, (1, 20, 9, 9))
    forth, back = np.array([[2.0, 1, 7, 6]]), np.array([[7.0, 6, 2, 1]])
    a = run(fastroi.roi_align, features, forth, (2, 3), 1.0, 2, True, layout=layout)
    b = run(fastroi.roi_align, features, back, (2, 3), 1.0, 2, True, layout=layout)
    assert np.allclose(a, b[:, :, ::-1, ::-1], atol=1e-5)
    adaptive = run(fastroi.roi_align, features, back, (2, 3), 1.0, -1, True, layout=layout)
    assert (adaptive == 0).all()


@pytest.mark.parametrize("ratio", (-1, 2))
def test_zero_area(ratio, isa, layout, dtype, rng):
    features = feature_map(rng, (1, 7, 6, 6), dtype)
    rois = np.array([[2.0, 3, 2, 3], [2, 1, 2, 4], [1, 3, 4, 3]])
    pooled = run(fastroi.roi_align, features, rois, 2, 1.0, ratio, True, layout=layout)
    if ratio == -1:
        assert (pooled == 0).all()
    assert np.isfinite(pooled).all()


def test_huge_adaptive_boxes(isa, layout):
    """A constant map gives the share of points inside, at once, however many points there are.

    The points of these boxes are the integers, 12 of which lie in [-1, 10] and 22 in [-1, 20].
    """
    features = np.ones((1, 9, 10, 20), np.float32)
    for side in (1e3, 1e5, 1e9, 1e15, 1e30, 1e300, 1.7e308):
        roi = np.array([[-side, -side, side, side]])
        for arithmetic in ("float64", "float32"):
            started = time.thread_time()
            pooled = run(
                fastroi.roi_align,
                features,
                roi,
                1,
                1.0,
                -1,
                True,
                layout=layout,
                arithmetic=arithmetic,
            )
            assert time.thread_time() - started < 1
            share = 12 * 22 / (2 * side) ** 2 if side < 1e100 else 0
            if side < (1e10 if arithmetic == "float64" else 1e4):
                assert np.allclose(pooled, share, rtol=1e-5, atol=0)
            else:
                assert ((pooled >= 0) & (pooled < 1e-6)).all()


@pytest.mark.parametrize("aligned", oracle.CLAMPED)
def test_points_far_off_the_map_lie_on_its_outer_cells(aligned, isa, layout):
    """However many there are: a huge box reads the corner cells alone, by the share of its points on each side."""
    features = np.zeros((1, 9, 10, 20), np.float32)
    features[:, :, 0, 0], features[:, :, 0, -1], features[:, :, -1, 0], features[:, :, -1, -1] = 1, 2, 4, 8
    for side in (1e6, 1e9, 1e15, 1e30, 1e300):
        rois = np.array(
            [[-side, -side, side, side], [-3 * side, -3 * side, side, -2 * side], [side, -side, -side, side]]
        )
        for arithmetic in ("float64", "float32"):
            if arithmetic == "float32" and side > 1e37:
                continue  # not finite on the map: off it
            started = time.thread_time()
            one = run(fastroi.roi_align, features, rois, 1, 1.0, -1, aligned, layout=layout, arithmetic=arithmetic)
            four = run(
                fastroi.roi_align, features, rois[:1], (2, 2), 1.0, 3, aligned, layout=layout, arithmetic=arithmetic
            )
            assert time.thread_time() - started < 2
            in_the_middle = oracle.CLAMPED[aligned][1] == 0.5
            # the third box is reversed: its one column of points lies in the middle or at the start
            third = (1 + 4) / 2 if in_the_middle else (2 + 8) / 2
            for value, wanted in zip(one, (15 / 4, (3 * 1 + 2) / 4, third), strict=True):
                assert np.allclose(value, wanted, atol=1e-4)
            if in_the_middle:
                assert np.allclose(four[0], [[1, 2], [4, 8]], atol=1e-4)


def test_a_clamped_grid_has_a_point_where_others_have_none(isa, layout):
    features = np.arange(1.0, 17).reshape(1, 1, 4, 4)
    rois = np.array([[1.5, 1.5, 1.5, 1.5], [40.0, 40, 50, 50], [3, 3, 1, 1]])
    assert (run(fastroi.roi_align, features, rois, 1, 1.0, -1, True, layout=layout) == 0).all()
    clamped = run(fastroi.roi_align, features, rois, 1, 1.0, -1, "clamp_half_pixel", layout=layout)
    assert clamped.ravel().tolist() == [6, 16, 8.5]


def test_a_cell_elsewhere_never_leaks(isa, layout, dtype):
    """NaN and infinity reach only bins whose taps have weight on them."""
    features = np.ones((1, 18, 8, 8), dtype)
    features[0, :, 0, 0] = np.nan
    features[0, :, 4, 4] = np.inf
    rois = np.array([[20.0, 20, 30, 30], [1.5, 1.5, 2.5, 2.5], [-9, -9, -3, -3], [5.5, 0.5, 7.5, 2.5]])
    pooled = run(fastroi.roi_align, features, rois, 2, 1.0, 1, True, layout=layout)
    assert np.isfinite(pooled).all()
    touching = run(
        fastroi.roi_align,
        features,
        np.array([[3.2, 3.2, 5.2, 5.2]]),
        1,
        1.0,
        2,
        True,
        layout=layout,
    )
    assert np.isinf(touching).all()


@pytest.mark.parametrize("order", ("class", "bin"))
@pytest.mark.parametrize("rule", ("rfcn", "openvino", "torchvision", "chainercv"))
def test_ps_roi_pool(rule, order, isa, layout, dtype):
    rng = np.random.default_rng(34)
    for (images, channels, height, width), size, scale in MAPS:
        for group in (None, (2, 2), (1, 3)):
            groups = size if group is None else group
            shape = (images, channels * groups[0] * groups[1], height, width)
            features = feature_map(rng, shape, dtype)
            rois = awkward_rois(rng, 12, shape, scale)
            expected = oracle.ps_roi_pool(features, rois, size, scale, channels, group, rule, order)
            pooled = run(
                fastroi.ps_roi_pool,
                features,
                rois,
                size,
                scale,
                rule=rule,
                group_size=group,
                channel_order=order,
                layout=layout,
            )
            assert_within(pooled, *expected)


@pytest.mark.parametrize("group", ((7, 7), (3, 4), (9, 9), (7, 1), (1, 7)), ids=str)
@pytest.mark.parametrize("channels", (1, 4, 10, 15, 16, 17, 21, 31, 33))
def test_windows_side_by_side(channels, group, isa, dtype, rng):
    """Planar windows are packed and joined by rows, channels-last ones are neither: the same bits for any threads."""
    rows, columns = group
    shape = (2, channels * rows * columns, 19, 23)
    by_bin = feature_map(rng, shape, dtype)
    by_class = by_bin.reshape(2, rows * columns, channels, 19, 23).swapaxes(1, 2).reshape(shape)
    rois = awkward_rois(rng, 80, shape, 1 / 8)
    for operator in (fastroi.ps_roi_pool, fastroi.ps_roi_align):
        options = {"group_size": group, "channel_order": "bin"}
        expected = run(operator, by_bin, rois, 7, 1 / 8, layout="NHWC", **options)
        for threads in (1, 2, 16):
            pooled = operator(by_class, rois, 7, 1 / 8, group_size=group, num_threads=threads)
            assert pooled.tobytes() == np.ascontiguousarray(expected).tobytes()
        assert operator(by_bin, rois, 7, 1 / 8, **options).tobytes() == pooled.tobytes()


@pytest.mark.parametrize("order", ("class", "bin"))
@pytest.mark.parametrize("ratio", (-1, 2, (1, 3)), ids=str)
def test_ps_roi_align(ratio, order, isa, layout, dtype):
    rng = np.random.default_rng(35)
    for (images, channels, height, width), size, scale in MAPS:
        for aligned in (True, False, "clamp_asymmetric"):
            shape = (images, channels * size[0] * size[1], height, width)
            features = feature_map(rng, shape, dtype)
            rois = moderate_rois(rng, 10, shape, scale)
            expected = oracle.ps_roi_align(features, rois, size, scale, channels, None, ratio, aligned, order)
            pooled = run(
                fastroi.ps_roi_align,
                features,
                rois,
                size,
                scale,
                ratio,
                aligned=aligned,
                channel_order=order,
                layout=layout,
            )
            assert_within(pooled, *expected, 64)


def test_roi_warp(isa, layout, dtype):
    rng = np.random.default_rng(36)
    for shape, size, scale in MAPS:
        for features in maps_of(rng, shape, dtype):
            rois = awkward_rois(rng, 60, shape, scale)
            expected = oracle.roi_warp(features, rois, size, scale)
            pooled = run(fastroi.roi_warp, features, rois, size, scale, layout=layout)
            assert_within(pooled, *expected)


def test_prroi_pool(isa, layout, dtype):
    rng = np.random.default_rng(37)
    for shape, size, scale in MAPS:
        for features in maps_of(rng, shape, dtype):
            rois = moderate_rois(rng, 30, shape, scale, cells=100)
            expected, magnitude, taps = oracle.prroi_pool(features, rois, size, scale)
            # A bin edge is a rounded sum: a bin that only grazes the surface has weights near that rounding.
            magnitude = np.maximum(magnitude, 1e-6 * np.abs(features).max())
            pooled = run(fastroi.prroi_pool, features, rois, size, scale, layout=layout)
            if dtype == np.float32:
                assert_within(pooled, expected, magnitude, taps)
            else:
                assert np.allclose(pooled, expected, rtol=0, atol=1e-11)


def test_prroi_pool_of_tiny_boxes_far_out(layout):
    """The mean of a constant is that constant, however small the box is next to its coordinates."""
    features = np.ones((1, 6, 4, 900), np.float32)
    for side in (1e-3, 1e-6, 1e-9, 1e-12, 2e-13):
        roi = np.array([[801.3, 1.2, 801.3 + side, 1.2 + side]])
        pooled = run(fastroi.prroi_pool, features, roi, (2, 3), 1.0, layout=layout)
        assert np.allclose(pooled, 1, atol=1e-5), side


@pytest.mark.parametrize("method", ("bilinear", "nearest"))
def test_crop_and_resize(method, isa, layout, dtype):
    rng = np.random.default_rng(38)
    for images, channels, height, width in ((2, 5, 13, 17), (1, 3, 1, 1), (3, 4, 1, 23)):
        image = feature_map(rng, (images, channels, height, width), dtype)
        boxes = rng.uniform(-0.3, 1.3, (80, 4))
        boxes[::3] = rng.choice([0.0, 0.5, 1.0, 2.0, -1.0], (len(boxes[::3]), 4))
        boxes = boxes.astype(np.float32)
        indices = rng.integers(0, images, 80)
        for size in ((1, 1), (3, 5), (1, 4), (7, 2)):
            expected, magnitude = oracle.crop_and_resize(
                image.transpose(0, 2, 3, 1), boxes, indices, size, method, -3.5, np.float32
            )
            crops = fastroi.crop_and_resize(to_layout(image, layout), boxes, indices, size, method, -3.5, layout=layout)
            crops = from_layout(crops, layout)
            expected, magnitude = (np.moveaxis(v, -1, 1) for v in (expected, magnitude))
            assert_within(crops, expected, magnitude, np.full((80, *size), 4))
            outside = magnitude == 0
            assert (crops[outside & (expected == -3.5)] == -3.5).all()


LEVEL_RULES = {
    "torchvision": "torchvision",
    "epsilon_1e-6": "torchvision_old",
    "maskrcnn_benchmark": "maskrcnn_benchmark",
    "detectron2": "detectron2",
    "msra": "fpn",
    "tf_models": "tensorflow",
    "tensorrt": "tensorrt",
}


@pytest.mark.parametrize("rule", sorted(LEVEL_RULES))
@pytest.mark.parametrize("dtype", (np.float32, np.float64))
def test_pyramid_levels(rule, dtype, rng):
    sides = np.concatenate(
        [
            [112, 224, 448, 223.9999, 223.99995, 111.9997, 111.9999, 224.0001, 447.9999, 0.5, 1e4],
            np.exp(rng.uniform(1, 8, 200)),
        ]
    )
    boxes = np.stack([np.zeros_like(sides), np.zeros_like(sides), sides, sides], 1).astype(dtype)
    levels = fastroi.fpn_levels(boxes, 2, 5, rule=rule)
    expected = [oracle.pyramid_level(LEVEL_RULES[rule], box, 2, 5, dtype) for box in boxes]
    assert levels.tolist() == expected


def test_multiscale_equals_its_levels(isa, layout, dtype, rng):
    shapes = [(2, 6, 48, 64), (2, 6, 24, 32), (2, 6, 12, 16), (2, 6, 6, 8)]
    scales = [1 / 4, 1 / 8, 1 / 16, 1 / 32]
    maps = [feature_map(rng, shape, dtype) for shape in shapes]
    low = rng.uniform(-20, 150, (120, 2))
    side = np.exp(rng.uniform(np.log(4), np.log(2500), (120, 2)))
    side[::13] = 0
    rois = np.c_[rng.integers(0, 2, 120), low, low + side]
    levels = fastroi.fpn_levels(rois[:, 1:], 2, 5)
    pyramid = [to_layout(level, layout) for level in maps]
    pooled = fastroi.multiscale_roi_align(pyramid, rois, (3, 2), scales, 2, layout=layout)
    by_hand = fastroi.multiscale_roi_align(pyramid, rois, (3, 2), scales, 2, layout=layout, levels=levels - 2)
    assert pooled.tobytes() == by_hand.tobytes()
    assert len(set(levels.tolist())) == 4
    for k in range(120):
        alone = fastroi.roi_align(
            pyramid[levels[k] - 2],
            rois[k : k + 1],
            (3, 2),
            scales[levels[k] - 2],
            2,
            layout=layout,
        )
        assert alone.tobytes() == pooled[k : k + 1].tobytes()


OPERATORS = {
    "roi_align": lambda f, r, **o: fastroi.roi_align(f, r, (2, 3), 1 / 4, **o),
    "roi_align_max": lambda f, r, **o: fastroi.roi_align(f, r, (2, 3), 1 / 4, 2, reduce="max", **o),
    "ps_roi_pool": lambda f, r, **o: fastroi.ps_roi_pool(f, r, (2, 3), 1 / 4, **o),
    "ps_roi_align": lambda f, r, **o: fastroi.ps_roi_align(f, r, (2, 3), 1 / 4, **o),
    "roi_warp": lambda f, r, **o: fastroi.roi_warp(f, r, (2, 3), 1 / 4, **o),
    "area_pool": lambda f, r, **o: fastroi.area_pool(f, r, (2, 3), 1 / 4, **o),
    "prroi_pool": lambda f, r, **o: fastroi.prroi_pool(f, r, (2, 3), 1 / 4, **o),
}


@pytest.fixture(params=sorted(OPERATORS))
def operator(request):
    return OPERATORS[request.param]


def test_threads_batches_and_layouts_agree(operator, isa, dtype):
    rng = np.random.default_rng(39)
    features = feature_map(rng, (2, 72, 18, 21), dtype)
    rois = moderate_rois(rng, 150, features.shape, 1 / 4, cells=60)
    results = {
        np.ascontiguousarray(
            from_layout(
                operator(to_layout(features, layout), rois, layout=layout, num_threads=threads),
                layout,
            )
        ).tobytes()
        for layout in LAYOUTS
        for threads in (1, 2, 3, 8)
    }
    assert len(results) == 1
    whole = operator(features, rois)
    for part in (slice(0, 1), slice(7, 60), slice(100, 150)):
        assert operator(features, rois[part]).tobytes() == whole[part].tobytes()


def test_out_and_strides(operator, isa, layout, rng):
    features = to_layout(feature_map(rng, (2, 18, 9, 10)), layout)
    rois = moderate_rois(rng, 20, (2, 18, 9, 10), 1 / 4, cells=60)
    fresh = operator(features, rois, layout=layout)
    store = np.full([2 * size for size in fresh.shape], np.nan, np.float32)
    out = store[::2, ::-2, ::2, ::2]
    assert operator(features, rois, layout=layout, out=out) is out
    assert (out == fresh).all()
    wide = np.repeat(features, 2, axis=2)[:, :, ::2]
    assert operator(wide, rois, layout=layout).tobytes() == fresh.tobytes()


@pytest.mark.parametrize("bad", (np.nan, np.inf))
def test_bad_rows_are_refused(operator, bad):
    features = np.zeros((2, 6, 5, 5), np.float32)
    rois = np.array([[0.0, 1, 1, 3, 3], [1, 0, 0, 4, 4]])
    for row, column, value in ((1, 3, bad), (1, 0, 2), (0, 0, -1), (1, 0, 0.5)):
        wrong = rois.copy()
        wrong[row, column] = value
        with pytest.raises(ValueError, match=rf"rois\[{row}\]"):
            operator(features, wrong)


def test_nothing_to_pool(operator, layout):
    features = to_layout(np.zeros((1, 6, 5, 5), np.float32), layout)
    assert len(operator(features, np.zeros((0, 4)), layout=layout)) == 0
    empty = to_layout(np.zeros((1, 0, 5, 5), np.float32), layout)
    assert operator(empty, np.array([[0.0, 0, 3, 3]]), layout=layout).size == 0


@pytest.mark.parametrize("box", [(-1e308, -1e308, 1e308, 1e308), (1e308, 0, 1e308, 3)])
def test_boxes_that_overflow_lie_outside(operator, box, layout):
    features = to_layout(np.ones((1, 6, 5, 5), np.float32), layout)
    pooled = operator(features, np.array([box]) * 1.7, layout=layout)
    assert np.isfinite(pooled).all()


@pytest.mark.parametrize("ratio", (2**20 + 1, 2**40, (1, 2**31)))
def test_sampling_ratios_are_bounded(ratio):
    with pytest.raises((ValueError, OverflowError), match="sampling_ratio"):
        fastroi.roi_align(np.zeros((1, 1, 4, 4)), [[0, 0, 3, 3]], 1, 1.0, ratio)


@pytest.mark.parametrize("ratio", (1.5, True, "2", (1, 2, 3), None))
def test_bad_sampling_ratios(ratio):
    with pytest.raises((TypeError, ValueError), match="sampling_ratio"):
        fastroi.roi_align(np.zeros((1, 1, 4, 4)), [[0, 0, 3, 3]], 1, 1.0, ratio)


def test_channels_must_divide():
    with pytest.raises(ValueError, match="channels"):
        fastroi.ps_roi_pool(np.zeros((1, 7, 4, 4)), [[0, 0, 3, 3]], 2)
    with pytest.raises(ValueError, match="channels"):
        fastroi.ps_roi_align(np.zeros((1, 12, 4, 4)), [[0, 0, 3, 3]], 2, group_size=(5, 1))
