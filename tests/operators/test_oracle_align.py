"""The interpolating oracles checked by themselves: direct sums, known numbers, linear maps."""

import numpy as np
import oracle_align as oracle
import pytest

RATIOS = (-1, 0, 1, 2, 3, (2, 1), (1, 4))


def random_rois(rng, count, images, height, width, scale):
    low = rng.uniform(-0.5, 1.2, (count, 2)) * (width, height) / scale
    side = np.exp(rng.uniform(np.log(0.05), np.log(2), (count, 2))) * (width, height) / scale
    side[::7] = 0
    side[::11] *= -1
    return np.c_[rng.integers(0, images, count), low, low + side]


@pytest.mark.parametrize("aligned", (True, False, "image", *oracle.CLAMPED))
@pytest.mark.parametrize("ratio", RATIOS, ids=str)
def test_separable_mean_equals_the_direct_sum(ratio, aligned, rng):
    features = rng.standard_normal((2, 3, 7, 9))
    rois = random_rois(rng, 40, 2, 7, 9, 0.25)
    out, magnitude, taps = oracle.roi_align(features, rois, (2, 3), 0.25, ratio, aligned)
    direct = oracle.roi_align_direct(features, rois, (2, 3), 0.25, ratio, aligned)
    assert np.abs(out - direct).max() <= 1e-13 * max(magnitude.max(), 1)
    assert (magnitude >= np.abs(out) - 1e-13).all()
    assert taps.shape == (40, 2, 3)


@pytest.mark.parametrize("dtype", (np.float32, np.float64))
def test_corners_of_many_points_are_those_of_each(dtype, rng):
    image = rng.standard_normal((3, 5, 7))
    image[:, 2, 3] = np.nan
    points = rng.uniform(-2, 8, (400, 2)).astype(dtype)
    points[::3] = np.round(points[::3])
    points[::50] = np.nextafter(dtype(-1), dtype(-2))
    corners, inside = oracle.corners_of(image, points)
    alone = [oracle.sample_corners(image, y, x) for y, x in points]
    assert inside.tolist() == [one is not None for one in alone]
    nothing = np.zeros((3, 4))
    np.testing.assert_array_equal(corners, np.stack([nothing if one is None else one for one in alone], axis=-1))


def test_known_numbers_of_an_aligned_box():
    features = np.arange(25.0).reshape(1, 1, 5, 5)
    roi = np.array([[0.0, 1, 1, 3, 3]])
    expected = [[4.5, 5, 5.5, 6], [7, 7.5, 8, 8.5], [9.5, 10, 10.5, 11], [12, 12.5, 13, 13.5]]
    assert oracle.roi_align(features, roi, 4, 1.0, 0, False)[0][0, 0].tolist() == (np.array(expected) + 3.0).tolist()
    assert np.allclose(oracle.roi_align(features, roi, 4, 1.0, 0, True)[0][0, 0], expected)


def test_zone_from_minus_one_to_the_extent():
    inside, low, upper = oracle.zone(np.array([-1.0, np.nextafter(-1, -2), -0.5, 3.0, 4.0, 4.1]), 4)
    assert inside.tolist() == [True, False, True, True, True, False]
    assert low[[0, 2, 3, 4]].tolist() == [0, 0, 3, 3]
    assert upper[[0, 2, 3, 4]].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("reduce", ("max", "max_corners", "max_from_zero"))
def test_maxima_on_negative_maps(reduce, rng):
    features = -1 - rng.random((1, 4, 8, 8))
    roi = np.array([[0.0, 2.3, 2.3, 6.1, 6.1]])
    out = oracle.roi_align(features, roi, 2, 1.0, 2, True, reduce)[0]
    if reduce == "max_from_zero":
        assert (out == 0).all()
    elif reduce == "max":
        assert (out < -1).all()
    else:
        assert ((out < 0) & (out > -1)).all()


def test_a_sample_outside_counts_as_zero():
    features = np.full((1, 1, 4, 4), -3.0)
    roi = np.array([[0.0, -4, 0, 4, 4]])
    assert oracle.roi_align(features, roi, 1, 1.0, 4, False, "max")[0].item() == 0
    assert oracle.roi_align(features, roi, 1, 1.0, 4, False, "mean")[0].item() == -2.25


def test_zero_weights_are_not_read():
    features = np.full((1, 1, 4, 4), np.nan)
    features[0, 0, 1:3, 1:3] = 2
    roi = np.array([[0.0, 1.5, 1.5, 2.5, 2.5]])
    for operator in (
        lambda: oracle.roi_align(features, roi, 1, 1.0, 1, True),
        lambda: oracle.roi_align(features, roi, 1, 1.0, 1, True, "max"),
    ):
        assert operator()[0].item() == 2


def test_channel_maps():
    classes = oracle.channel_map(2, 3, 3)
    assert classes(1, 2).tolist() == [5, 14]
    assert oracle.channel_map(2, 3, 3, "bin")(1, 2).tolist() == [10, 11]
    assert oracle.channel_map(1, 2, 7)(6, 0).tolist() == [2]


def test_ps_roi_pool_rules():
    assert oracle.ps_ranges("torchvision", 0, 100, 1.0, 1, 8) == [(0, 7)]
    assert oracle.ps_ranges("rfcn", 0, 100, 1.0, 1, 8) == [(0, 8)]
    assert oracle.ps_ranges("rfcn", -1.5, -1.5, 1.0, 1, 8) == [(0, 0)]
    assert oracle.ps_ranges("rfcn", -0.5, -0.5, 1.0, 1, 8) == [(0, 0)]
    assert oracle.ps_ranges("openvino", -0.5, -0.5, 1.0, 1, 8) == [(0, 1)]
    assert oracle.ps_ranges("rfcn", 4, 3, 1.0, 2, 8) == [(4, 5), (4, 5)]


def test_ps_operators_on_constant_channels(rng):
    features = np.broadcast_to(np.arange(18.0)[None, :, None, None], (1, 18, 9, 9))
    roi = np.array([[0.0, 1, 1, 6, 6]])
    expected = np.arange(18.0).reshape(2, 3, 3)
    for operator in (oracle.ps_roi_pool, oracle.ps_roi_align):
        assert np.allclose(operator(features, roi, 3, 1.0, 2)[0][0], expected)
        by_bin = operator(features, roi, 3, 1.0, 2, order="bin")[0][0]
        assert np.allclose(by_bin, np.arange(18.0).reshape(3, 3, 2).transpose(2, 0, 1))


def test_roi_warp_on_a_linear_map():
    y, x = np.mgrid[:9, :11]
    features = (10.0 * y + x)[None, None]
    out = oracle.roi_warp(features, np.array([[0.0, 2, 1, 6, 7]]), (3, 4), 1.0)[0][0, 0]
    assert np.allclose(out, 10 * (1 + 2.0 * np.arange(3))[:, None] + 2 + np.arange(4.0))
    assert oracle.roi_warp(features, np.array([[0.0, 40, 1, 60, 7]]), 2, 1.0)[0].max() == 0


def test_prroi_pool_equals_numerical_integration(rng):
    features = rng.standard_normal((1, 2, 5, 6))
    padded = np.pad(features, ((0, 0), (0, 0), (2, 2), (2, 2)))
    x1, y1, x2, y2 = -0.8, 0.3, 4.1, 4.9
    out = oracle.prroi_pool(features, np.array([[0, x1, y1, x2, y2]]), (2, 1), 1.0)[0][0]
    steps = 400
    for i in range(2):
        a = y1 + (y2 - y1) * i / 2
        ys = a + (np.arange(steps) + 0.5) / steps * (y2 - y1) / 2 + 2
        xs = x1 + (np.arange(steps) + 0.5) / steps * (x2 - x1) + 2
        yl, xl = np.floor(ys).astype(int), np.floor(xs).astype(int)
        fy, fx = (ys - yl)[:, None], xs - xl
        rows, cols = yl[:, None], xl[None]
        surface = (
            padded[0][:, rows, cols] * (1 - fy) * (1 - fx)
            + padded[0][:, rows, cols + 1] * (1 - fy) * fx
            + padded[0][:, rows + 1, cols] * fy * (1 - fx)
            + padded[0][:, rows + 1, cols + 1] * fy * fx
        )
        assert np.allclose(out[:, i, 0], surface.mean(axis=(1, 2)), atol=1e-4)


@pytest.mark.parametrize("box", [(1, 1, 1, 3), (2, 2, 1, 1), (3, 1, 3, 1), (50, 50, 60, 60)])
def test_prroi_pool_without_area_or_off_the_map(box):
    out = oracle.prroi_pool(np.ones((1, 1, 4, 4)), np.array([[0.0, *box]]), 2, 1.0)[0]
    assert (out == 0).all()


def test_prroi_weights_add_up_to_one_inside(rng):
    for _ in range(50):
        lo = rng.uniform(1, 5)
        hi = lo + 10.0 ** rng.uniform(-9, 0.6)
        taps = oracle.precise_taps(lo, hi, 1.0, 3, 12)
        assert all(abs(weights.sum() - 1) < 1e-12 for _, weights in taps)


def test_crop_and_resize():
    image = np.arange(16.0).reshape(1, 4, 4, 1)
    whole = oracle.crop_and_resize(image, [[0, 0, 1, 1]], [0], 4)[0]
    assert (whole[0] == image[0]).all()
    flipped = oracle.crop_and_resize(image, [[1, 0, 0, 1]], [0], 4)[0]
    assert (flipped[0] == image[0, ::-1]).all()
    centre = oracle.crop_and_resize(image, [[0, 0, 1, 1]], [0], 1)[0]
    assert centre.item() == 7.5
    outside = oracle.crop_and_resize(image, [[0, 0, 2, 1]], [0], (3, 1), extrapolation=-7)[0]
    assert outside.ravel().tolist() == [1.5, 13.5, -7]
    nearest = oracle.crop_and_resize(image, [[0.5, 0.5, 0.5, 0.5]], [0], 1, "nearest")[0]
    assert nearest.item() == 10


@pytest.mark.parametrize(
    ("rule", "side", "level"),
    [
        ("torchvision", 223.9999, 4),
        ("detectron2", 223.9999, 3),
        ("mmdet", 223.99995, 4),
        ("tensorflow", 223.9999, 3),
        ("torchvision_old", 111.9999, 3),
        ("torchvision", 111.9999, 2),
        *((rule, 224, 4) for rule in ("torchvision", "torchvision_old", "detectron2", "mmdet", "tensorflow", "fpn")),
        ("tensorrt", 224, 3),
        ("tensorrt", 225, 4),
        ("torchvision", 0, 2),
    ],
)
def test_pyramid_levels(rule, side, level):
    assert oracle.pyramid_level(rule, (0, 0, side, side), 2, 5) == level


def test_a_negative_area_has_no_level():
    assert oracle.pyramid_level("torchvision", (0, 0, 5, -5), 2, 5) is None


@pytest.mark.parametrize("aligned", (True, False))
def test_rotation_by_nothing_is_roi_align(aligned, rng):
    features = rng.standard_normal((1, 3, 9, 9))
    box = np.array([[0.0, 1.5, 2, 6.5, 7]])
    rotated = np.array([[0.0, 4, 4.5, 5, 5, 0]])
    flat = oracle.roi_align(features, box, (2, 3), 1.0, 2, aligned)[0]
    assert np.allclose(oracle.roi_align_rotated(features, rotated, (2, 3), 1.0, 2, aligned)[0], flat)


def test_rotation_by_right_angles(rng):
    features = rng.standard_normal((1, 2, 9, 9))
    roi = np.array([[0.0, 4.5, 4.5, 4, 4, 0]])
    flat = oracle.roi_align_rotated(features, roi, 3, 1.0, 2)[0][0]
    roi[0, 5] = 90
    turned = oracle.roi_align_rotated(features, roi, 3, 1.0, 2, unit="degrees")[0][0]
    back = oracle.roi_align_rotated(features, roi, 3, 1.0, 2, clockwise=True, unit="degrees")[0][0]
    assert np.allclose(turned, np.rot90(flat, -1, axes=(1, 2)))
    assert np.allclose(back, np.rot90(flat, 1, axes=(1, 2)))


def test_riroi_shifts_orientations():
    features = np.broadcast_to(np.arange(8.0)[None, :, None, None], (1, 8, 9, 9))
    for steps in range(8):
        angle = 2 * np.pi * (steps + 1e-9) / 8
        out = oracle.riroi_align_rotated(features, np.array([[0, 4, 4, 3, 3, angle]]), 1, 1.0, 1, 8)[0]
        assert np.allclose(out.ravel(), (np.arange(8) - steps) % 8)


def test_deform_roi_pool(rng):
    features = rng.standard_normal((1, 3, 9, 9))
    roi = np.array([[0.0, 1.5, 2, 6.5, 7]])
    flat = oracle.roi_align(features, roi, (2, 3), 1.0, 2, True)[0]
    still = oracle.deform_roi_pool(features, roi, np.zeros((1, 2, 2, 3)), (2, 3), 1.0, 2)[0]
    assert np.allclose(still, flat)
    assert np.allclose(oracle.deform_roi_pool(features, roi, None, (2, 3), 1.0, 2)[0], flat)
    offsets = np.zeros((1, 2, 2, 3))
    offsets[:, 0] = 2.0
    moved = oracle.deform_roi_pool(features, roi, offsets, (2, 3), 1.0, 2)[0]
    shifted = oracle.roi_align(features, roi + np.array([0, 1, 0, 1, 0]), (2, 3), 1.0, 2, True)[0]
    assert np.allclose(moved, shifted)


def test_deform_ps_roi_pool(rng):
    features = np.broadcast_to(np.arange(8.0)[None, :, None, None], (1, 8, 9, 9))
    roi = np.array([[0.0, 1, 1, 6, 6]])
    still = oracle.deform_ps_roi_pool(features, roi, None, 2, 1.0, 2, 2)[0]
    assert np.allclose(still[0], np.arange(8.0).reshape(2, 2, 2))
    outside = np.array([[0.0, 5, 5, 20, 20]])
    half = oracle.deform_ps_roi_pool(np.ones((1, 4, 9, 9)), outside, None, 2, 1.0, 1, 2)[0]
    assert set(half.ravel()) <= {0.0, 1.0}


def test_masks(rng):
    ones = np.ones((1, 4, 4))
    pasted = oracle.paste_masks(ones, np.array([[2.0, 2, 6, 6]]), (8, 8))[0][0]
    assert (pasted[2:6, 2:6] == 1).all()
    assert (pasted >= 0.5).sum() == 16
    image = np.zeros((1, 8, 8))
    image[0, 2:6, 2:6] = 1
    cropped = oracle.crop_masks(image, np.array([[2.0, 2, 6, 6]]), 4)[0][0]
    assert (cropped >= 0.5).all()
