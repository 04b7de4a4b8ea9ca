"""Rotated and deformable RoI operators against their float64 oracles."""

import math
import time

import numpy as np
import oracle_align as oracle
import pytest
from helpers import TAILS, centred_rois, cornered_rois, feature_map, from_layout, long_seeds, to_layout

import fastroi

LAYOUTS = ("NCHW", "NHWC")
MAPS = [
    ((2, 6, 13, 17), (3, 2), 1 / 16),
    ((1, 4, 1, 1), (2, 3), 1 / 4),
    ((3, 4, 1, 23), (1, 4), 0.1),
    ((1, 18, 9, 12), (4, 2), (1 / 8, 1 / 3)),
    ((2, 6, 21, 6), (2, 1), 1.0),
]
RATIOS = (-1, 1, 2, (2, 3), (0, 2))


def run(operator, features, *arguments, layout="NCHW", **options):
    pooled = operator(to_layout(features, layout), *arguments, layout=layout, **options)
    assert pooled.dtype == features.dtype
    return from_layout(pooled, layout)


def assert_close(actual, expected, magnitude, taps, arithmetic=0.0):
    """|error| <= (taps + 4) roundoffs of the sum of |weight * value|, plus what coordinates contribute."""
    unit = 2.0**-24 if actual.dtype == np.float32 else 2.0**-53
    bound = ((taps + 4) * unit + 4096 * 2.0**-53 + arithmetic) * (magnitude + 0.01)
    error = np.abs(actual.astype(np.float64) - expected)
    assert actual.shape == expected.shape
    assert np.isfinite(actual).all()
    at = np.unravel_index(np.argmax(error - bound), error.shape)
    assert (error <= bound).all(), (
        f"{int((error > bound).sum())} of {error.size} beyond their bound; worst at {tuple(map(int, at))}: "
        f"{actual[at]!r} instead of {expected[at]!r}"
    )


def every_way(operator, features, *arguments, **options):
    """The result in both layouts on every instruction set, asserted alike where they are to be."""
    results = {}
    for isa in fastroi.simd.supported():
        with fastroi.simd.use(isa):
            first = run(operator, features, *arguments, layout="NCHW", num_threads=1, **options)
            for layout in LAYOUTS:
                again = run(operator, features, *arguments, layout=layout, num_threads=2, **options)
                assert np.array_equal(first, again), (isa, layout)
            results[isa] = first
    fused = [results[isa] for isa in ("avx512", "avx2", "neon") if isa in results]
    for other in fused[1:]:
        assert np.array_equal(fused[0], other)
    return list(results.values())


# --- against the oracles -------------------------------------------------------------------------


def check_rotated(seed, count, dtype):
    rng = np.random.default_rng(seed)
    for number, (shape, size, scale) in enumerate(MAPS):
        ratio = RATIOS[(seed + number) % len(RATIOS)]
        aligned, clockwise, degrees = (bool((seed + number) >> bit & 1) for bit in range(3))
        rois = centred_rois(rng, count, shape, scale)
        features = feature_map(rng, shape, dtype)
        unit = "degrees" if degrees else "radians"
        if degrees:
            rois[:, 5] = np.round(rois[:, 5] * 180 / math.pi)
        expected = oracle.roi_align_rotated(features, rois, size, scale, ratio, aligned, clockwise, unit)
        options = dict(angle_unit=unit, clockwise=clockwise, aligned=aligned)
        for pooled in every_way(fastroi.roi_align_rotated, features, rois, size, scale, ratio, **options):
            assert_close(pooled, *expected, taps=256)


def check_riroi(seed, count, dtype):
    rng = np.random.default_rng(seed)
    for number, (shape, size, scale) in enumerate(MAPS):
        ratio = RATIOS[(seed + number) % len(RATIOS)]
        orientations, clockwise = (2, 1)[number % 2] if shape[1] != 18 else 6, bool(seed & 1)
        rois = centred_rois(rng, count, shape, scale)
        features = feature_map(rng, shape, dtype)
        expected = oracle.riroi_align_rotated(features, rois, size, scale, ratio, orientations, clockwise)
        options = dict(orientations=orientations, clockwise=clockwise)
        for pooled in every_way(fastroi.riroi_align_rotated, features, rois, size, scale, ratio, **options):
            assert_close(pooled, *expected, taps=260)


def check_deform(seed, count, dtype):
    rng = np.random.default_rng(seed)
    for number, (shape, size, scale) in enumerate(MAPS):
        ratio = RATIOS[(seed + number) % len(RATIOS)]
        rois = cornered_rois(rng, count, shape, scale)
        features = feature_map(rng, shape, dtype)
        offsets = rng.standard_normal((count, 2, *size)).astype(dtype) * (seed % 4)
        offsets = None if seed % 5 == 4 else offsets
        expected = oracle.deform_roi_pool(features, rois, offsets, size, scale, ratio, 0.25)

        def operator(features, rois, *arguments, offsets=offsets, **options):
            return fastroi.deform_roi_pool(features, rois, offsets, *arguments, gamma=0.25, **options)

        for pooled in every_way(operator, features, rois, size, scale, ratio):
            assert_close(pooled, *expected, taps=256)


def check_deform_ps(seed, count, dtype):
    rng = np.random.default_rng(seed)
    for number, (shape, size, scale) in enumerate(MAPS):
        classes = 1 + (seed + number) % 2
        group = (size, 1, (1, 2))[(seed + number) % 3]
        groups = math.prod(oracle.pair(group))
        outputs = 2 * (1 + seed % 3)
        shape = (shape[0], outputs * groups, *shape[2:])
        part = (size, (1, 3))[seed % 2]
        samples = 1 + seed % 4
        rois = cornered_rois(rng, count, shape, scale)
        features = feature_map(rng, shape, dtype)
        trans = rng.standard_normal((count, 2 * classes, *oracle.pair(part))).astype(dtype)
        trans = None if seed % 5 == 4 else trans
        expected = oracle.deform_ps_roi_pool(features, rois, trans, size, scale, outputs, group, part, samples, 0.25)

        def operator(features, rois, *arguments, trans=trans, **options):
            return fastroi.deform_ps_roi_pool(features, rois, trans, *arguments, **options)

        options = dict(group_size=group, part_size=part, sample_per_part=samples, trans_std=0.25)
        for pooled in every_way(operator, features, rois, size, scale, **options):
            assert_close(pooled, *expected, taps=128)


CHECKS = (check_rotated, check_riroi, check_deform, check_deform_ps)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("check", CHECKS)
def test_many_rois(check, seed):
    """5,000 RoIs an operator, one oracle for all instruction sets and layouts."""
    check(seed, 125, np.dtype(("float32", "float64")[seed % 2]))


@pytest.mark.long
@pytest.mark.parametrize("seed", long_seeds(40))
@pytest.mark.parametrize("check", CHECKS)
def test_many_rois_long(check, seed):
    check(seed, 500, np.dtype(("float32", "float64")[seed % 2]))


@pytest.mark.parametrize("aligned", (True, False))
def test_rotated_in_float32_arithmetic(aligned, isa, rng):
    for shape, size, scale in MAPS:
        rois = centred_rois(rng, 60, shape, scale)
        rois[:, 3:5] = np.abs(rois[:, 3:5])
        features = np.full(shape, np.float32(0.7))
        features += rng.standard_normal(shape).astype(np.float32) * np.float32(0.01)
        expected = oracle.roi_align_rotated(features, rois, size, scale, 2, aligned, dtype=np.float32)
        pooled = fastroi.roi_align_rotated(features, rois, size, scale, 2, aligned=aligned, arithmetic="float32")
        # A point within a roundoff of the zone's edge may fall on either side of it.
        close = np.abs(pooled - expected[0]) <= 1e-4 * (1 + expected[1])
        assert close.mean() > 0.995


# --- relations -----------------------------------------------------------------------------------


def test_no_turn_is_roi_align(layout, dtype, rng):
    features = feature_map(rng, (2, 9, 14, 11), dtype)
    rois = cornered_rois(rng, 80, features.shape, 0.5)
    rois[:, 3:] = np.maximum(rois[:, 3:], rois[:, 1:3])
    centre, sides = (rois[:, 1:3] + rois[:, 3:]) / 2, rois[:, 3:] - rois[:, 1:3]
    turned = np.concatenate([rois[:, :1], centre, sides, np.zeros((80, 1))], axis=1)
    flat = run(fastroi.roi_align, features, rois, (3, 4), 0.5, 2, layout=layout)
    pooled = run(fastroi.roi_align_rotated, features, turned, (3, 4), 0.5, 2, layout=layout)
    close = np.abs(flat - pooled) <= 1e-5 * (1 + np.abs(flat))
    assert close.mean() > 0.995  # (lo + hi) / 2 rounds: a point on the zone's edge may leave it


def test_conventions_of_angles(dtype, rng):
    features = feature_map(rng, (1, 5, 16, 16), dtype)
    rois = centred_rois(rng, 40, features.shape, 1.0)
    degrees, mirrored = rois.copy(), rois.copy()
    degrees[:, 5] = np.degrees(rois[:, 5])
    mirrored[:, 5] = -rois[:, 5]
    pooled = fastroi.roi_align_rotated(features, rois, 3, 1.0, 2)
    again = fastroi.roi_align_rotated(features, degrees, 3, 1.0, 2, angle_unit="degrees")
    clockwise = fastroi.roi_align_rotated(features, mirrored, 3, 1.0, 2, clockwise=True)
    assert np.allclose(pooled, again, atol=1e-5)
    assert np.array_equal(pooled, clockwise)


@pytest.mark.parametrize("channels", TAILS)
def test_tails(channels, isa, dtype, rng):
    features = feature_map(rng, (1, channels, 8, 9), dtype)
    rois = centred_rois(rng, 12, features.shape, 1.0)
    corners = cornered_rois(rng, 12, features.shape, 1.0)
    offsets = rng.standard_normal((12, 2, 2, 3))
    for layout in LAYOUTS:
        pooled = run(fastroi.roi_align_rotated, features, rois, (2, 3), layout=layout)
        moved = run(fastroi.deform_roi_pool, features, corners, offsets, (2, 3), layout=layout)
        for c in {0, channels // 2, channels - 1}:
            one = features[:, c : c + 1]
            alone = fastroi.roi_align_rotated(one, rois, (2, 3))
            assert np.array_equal(pooled[:, c : c + 1], alone)
            assert np.array_equal(moved[:, c : c + 1], fastroi.deform_roi_pool(one, corners, offsets, (2, 3)))


def test_strided_features_and_out(dtype, rng):
    features = feature_map(rng, (2, 7, 12, 10), dtype)
    rois = centred_rois(rng, 30, features.shape, 1.0)
    expected = fastroi.roi_align_rotated(features, rois, (3, 2))
    wide = np.zeros((4, 14, 24, 20), dtype)
    wide[::2, ::2, ::2, ::2] = features
    out = np.full((30, 14, 6, 4), 7, dtype)[:, ::2, ::-2, ::2]
    result = fastroi.roi_align_rotated(wide[::2, ::2, ::2, ::2], rois, (3, 2), out=out)
    assert result is out
    assert np.array_equal(out, expected)


def test_images_are_told_apart(rng):
    features = feature_map(rng, (3, 4, 10, 10))
    rois = centred_rois(rng, 50, features.shape, 1.0)
    pooled = fastroi.roi_align_rotated(features, rois, 2)
    indices = rois[:, 0].astype(np.int32)
    assert np.array_equal(pooled, fastroi.roi_align_rotated(features, rois[:, 1:], 2, batch_indices=indices))
    order = np.argsort(indices, kind="stable")
    tables = [rois[indices == image, 1:] for image in range(3)]
    assert np.array_equal(pooled[order], fastroi.roi_align_rotated(features, tables, 2))
    for image in range(3):
        alone = fastroi.roi_align_rotated(features[image], rois[indices == image, 1:], 2)
        assert np.array_equal(pooled[indices == image], alone)


# --- edges ----------------------------------------------------------------------------------------


def test_nan_reaches_only_the_bins_that_touch_it(layout, isa):
    features = np.ones((1, 3, 9, 9), np.float32)
    features[:, :, 4, 4] = np.nan
    box = [[4.5, 4.5, 8, 8, math.pi / 2]]
    pooled = run(fastroi.roi_align_rotated, features, box, 8, 1.0, 1, layout=layout)
    touched = np.isnan(pooled[0, 0])
    assert touched.any() and touched.sum() <= 4
    assert np.allclose(pooled[0, 0][~touched], 1)
    # On cell centres, at no angle: each point reads its own cell alone.
    pooled = run(fastroi.roi_align_rotated, features, [[4.5, 4.5, 9, 9, 0]], 9, 1.0, 1, layout=layout)
    assert np.isnan(pooled[0, 0, 4, 4]) and np.isnan(pooled[0, 0]).sum() == 1
    corners = [[0.0, 0.0, 9.0, 9.0]]
    for offset in (None, np.zeros((1, 2, 9, 9))):
        pooled = run(fastroi.deform_roi_pool, features, corners, offset, 9, 1.0, 1, layout=layout)
        assert np.isnan(pooled[0, 0, 4, 4]) and np.isnan(pooled[0, 0]).sum() == 1


def test_zero_area_and_off_the_map(layout, dtype):
    features = np.ones((1, 20, 6, 6), dtype)
    boxes = [[3, 3, 0, 0, 1], [3, 3, 2, 0, 1], [900, 3, 4, 4, 1], [3, -900, 4, 4, 1], [3, 3, -2, 2, 0]]
    assert not run(fastroi.roi_align_rotated, features, boxes, 2, layout=layout).any()
    corners = [[3, 3, 3, 3], [900, 0, 904, 4], [5, 5, 2, 2]]
    assert not run(fastroi.deform_roi_pool, features, corners, None, 2, layout=layout).any()
    far = [[900.0, 0, 904, 4]]
    assert not run(fastroi.deform_ps_roi_pool, features, far, None, 2, layout=layout).any()
    one = run(fastroi.deform_ps_roi_pool, features, [[3, 3, 3, 3]], None, 2, layout=layout)
    assert np.allclose(one, 1)


HUGE = (46341.0, 65537.0, 1e5, 1e9, 1e12, 1e18, 1e30, 1e300)


@pytest.mark.parametrize("side", HUGE)
def test_huge_boxes_cost_little(side):
    """Only the points near the map are visited: 10^10 and more lie elsewhere."""
    features = np.ones((1, 2, 20, 30), np.float32)
    for arithmetic in ("float64", "float32"):
        start = time.thread_time()
        for angle in (0.0, 0.3, math.pi / 2):
            boxes = [[10, 10, side, side, angle], [10, 10, side, 5, angle], [10, 10, 5, side, angle]]
            for size in (1, 7):
                pooled = fastroi.roi_align_rotated(features, boxes, size, arithmetic=arithmetic)
                assert np.isfinite(pooled).all() and (pooled >= 0).all() and (pooled <= 1.001).all()
        corners = [[-side, -side, side, side], [0, -side, 5, side]]
        offset = np.ones((2, 2, 3, 3))
        pooled = fastroi.deform_roi_pool(features, corners, offset, 3, arithmetic=arithmetic)
        assert np.isfinite(pooled).all()
        assert np.isfinite(fastroi.deform_ps_roi_pool(features, corners, None, 1)).all()
        assert time.thread_time() - start < 5


def test_a_huge_box_has_the_share_of_the_map():
    features = np.ones((1, 1, 20, 30))
    for angle in (0.0, 0.5, math.pi / 2):
        pooled = fastroi.roi_align_rotated(features, [[10, 10, 1e6, 2e6, angle]], 1)
        assert 20 * 30 < pooled[0, 0, 0, 0] * 2e12 < 22.5 * 32.5  # points a cell apart in [-1, 20] x [-1, 30]


def test_long_rows_of_points_match_short_ones(rng):
    """Grids past the length that is walked point by point."""
    features = feature_map(rng, (1, 3, 15, 25), np.float64)
    rois = centred_rois(rng, 30, features.shape, 1.0)
    rois[:, 3:5] = np.abs(rois[:, 3:5]) * 12
    pooled = fastroi.roi_align_rotated(features, rois, 1)
    expected = oracle.roi_align_rotated(features, rois, 1, 1.0)
    assert_close(pooled, *expected, taps=3000)
    dense = fastroi.roi_align_rotated(features, rois[:5], 2, 1.0, 90)
    expected = oracle.roi_align_rotated(features, rois[:5], 2, 1.0, 90)
    assert_close(dense, *expected, taps=3000)


def test_empty(layout):
    features = np.zeros((1, 3, 5, 5), np.float32)
    nothing = np.zeros((0, 5))
    shape = (0, 3, 2, 2) if layout == "NCHW" else (0, 2, 2, 3)
    maps = to_layout(features, layout)
    assert fastroi.roi_align_rotated(maps, nothing, 2, layout=layout).shape == shape
    offset = np.zeros((0, 2, 2, 2))
    assert fastroi.deform_roi_pool(maps, nothing[:, 1:], offset, 2, layout=layout).shape == shape
    none = to_layout(features[:, :0], layout)
    assert fastroi.roi_align_rotated(none, [[1, 1, 2, 2, 0]], 2, layout=layout).size == 0


BAD_BOXES = (
    ([[1, 1, 2, 2, math.nan]], ValueError, r"rois\[0\]: angle is"),
    ([[1, 1, 2, 2, 0], [1, 1, math.inf, 2, 0]], ValueError, r"rois\[1\]: w is"),
    ([[7, 1, 1, 2, 2, 0]], ValueError, r"rois\[0\]: batch index"),
    ([[0.5, 1, 1, 2, 2, 0]], ValueError, r"rois\[0\]: batch index"),
    ([[1, 1, 2, 2]], ValueError, r"\(K, 5\), \(K, 6\) with the image first"),
)


@pytest.mark.parametrize(("boxes", "error", "words"), BAD_BOXES, ids=range(len(BAD_BOXES)))
def test_bad_boxes(boxes, error, words):
    features = np.zeros((1, 8, 5, 5), np.float32)
    for operator in (fastroi.roi_align_rotated, fastroi.riroi_align_rotated):
        out = np.full((len(boxes), 8, 2, 2), 7, np.float32)
        with pytest.raises(error, match=words):
            operator(features, boxes, 2, out=out)
        assert (out == 7).all()


def test_bad_arguments():
    features = np.zeros((1, 8, 5, 5), np.float32)
    box, corners = [[2, 2, 2, 2, 0]], [[1.0, 1, 3, 3]]
    rotated, moved, parts = fastroi.roi_align_rotated, fastroi.deform_roi_pool, fastroi.deform_ps_roi_pool
    for call, error, words in (
        (lambda: rotated(features, box, 2, angle_unit="grad"), ValueError, "angle_unit"),
        (lambda: rotated(features, box, 2, clockwise=1), TypeError, "clockwise"),
        (lambda: rotated(features, box, 2, aligned="image"), TypeError, "aligned"),
        (lambda: rotated(features, box, 2, sampling_ratio=65537), ValueError, "sampling_ratio"),
        (lambda: rotated(features, box, 2, arithmetic="float16"), ValueError, "arithmetic"),
        (lambda: rotated(features, box, 0), ValueError, "output_size"),
        (lambda: rotated(features, box, 2, 0.0), ValueError, "spatial_scale"),
        (lambda: fastroi.riroi_align_rotated(features, box, 2, orientations=3), ValueError, "orientations"),
        (lambda: fastroi.riroi_align_rotated(features, box, 2, orientations=0), ValueError, "orientations"),
        (lambda: moved(features, corners, np.zeros((1, 2, 2, 3)), 2), ValueError, "offset"),
        (lambda: moved(features, corners, np.zeros((1, 2, 2, 2), int), 2), TypeError, "offset"),
        (lambda: moved(features, corners, np.full((1, 2, 2, 2), np.nan), 2), ValueError, r"offset\[0, 0, 0, 0\]"),
        (lambda: moved(features, corners, None, 2, gamma=math.inf), ValueError, "gamma"),
        (lambda: parts(features, corners, np.zeros((1, 3, 2, 2)), 2), ValueError, "trans"),
        (lambda: parts(features, corners, np.zeros((1, 6, 2, 2)), 2), ValueError, "trans"),
        (lambda: parts(features, corners, None, 3), ValueError, "group_size"),
        (lambda: parts(features, corners, None, 2, sample_per_part=0), ValueError, "sample_per_part"),
        (lambda: parts(features, corners, None, 2, sample_per_part=5000), ValueError, "sample_per_part"),
    ):
        with pytest.raises(error, match=words):
            call()


def test_out_may_not_be_the_offsets():
    features = np.zeros((1, 2, 5, 5))
    offset = np.zeros((1, 2, 2, 2))
    with pytest.raises(ValueError, match="shares memory"):
        fastroi.deform_roi_pool(features, [[1.0, 1, 3, 3]], offset, 2, out=offset)


def test_many_bins_are_planned_in_parts(rng):
    """More bins than one plan holds: the parts join without a seam."""
    features = feature_map(rng, (1, 1, 40, 50))
    box = [[24, 19, 60, 50, 0.4]]
    pooled = fastroi.roi_align_rotated(features, box, (1500, 1000), sampling_ratio=1)
    rows = [0, 700, 1048, 1049, 1499]
    expected = oracle.rotated_points(box[0], (1500, 1000), 1.0, 1, True, False, "radians", np.float64)
    for i in rows:
        for j in (0, 500, 999):
            value, magnitude = oracle.gather_mean(features[0], *expected(i, j))
            assert abs(pooled[0, 0, i, j] - value[0]) <= 1e-6 * (magnitude[0] + 1)
