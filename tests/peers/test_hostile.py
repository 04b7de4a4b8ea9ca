"""Profiles with scales that float32 cannot hold, float64 maps, lists that end: right values, as numbers."""

import numpy as np
import pytest

import fastroi
from fastroi.compat import mmcv, mxnet, openvino, paddle

MAP = np.random.default_rng(20261128).standard_normal((2, 8, 9, 10)).astype(np.float32)
BOX = np.array([[1, 1, 6, 7], [0.5, 2, 8, 5], [2, 0, 3.5, 8]], np.float32)
INDEX = np.array([0, 1, 1])
ROWS = np.column_stack([INDEX, BOX]).astype(np.float32)
TURNED = np.array([[4, 4, 5, 3, 0.5], [5, 3, 2, 6, 1], [2, 2, 3, 3, 0]], np.float32)
TURNED_ROWS = np.column_stack([INDEX, TURNED]).astype(np.float32)
OFFSETS = np.full((3, 2, 2, 2), 0.1, np.float32)


def ramp(size):
    return np.arange(float(size * size), dtype=np.float32).reshape(1, 1, size, size)


def test_openvino_bilinear_parts_are_scaled():
    coords = np.array([[0, 0, 0, 1, 1]], np.float32)
    assert openvino.psroi_pooling(ramp(4), coords, 1, 1, 0.5, 1, 1, "bilinear").item() == 3.75


def test_paddle_holds_the_scale_in_float32():
    features = np.repeat((np.arange(36.0) ** 2).reshape(1, 1, 6, 6), 8, 1)
    pooled = paddle.psroi_pool(features, np.array([[1.0, 1, 10, 10]]), [1], 2, 1 / 3)
    np.testing.assert_allclose(pooled[0, 0, 0], [73.6666667, 96.5], rtol=1e-6)


@pytest.mark.parametrize("mode", ["average", "bilinear"])
def test_openvino_image_minus_one_ends_position_sensitive_lists(mode):
    coords = np.array([[0, 0, 0, 1, 1], [-1, np.nan, 0, 1, 1], [0, 0, 0, 1, 1]], np.float32)
    pooled = openvino.psroi_pooling(ramp(4) + 1, coords, 1, 1, 1.0, 1, 1, mode)
    assert (pooled.ravel() > 0).tolist() == [True, False, False]
    out = np.full_like(pooled, 9)
    openvino.psroi_pooling(ramp(4) + 1, coords, 1, 1, 1.0, 1, 1, mode, out=out)
    np.testing.assert_array_equal(out, pooled)


def test_openvino_offsets_are_read_in_memory_order():
    features = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1) + ramp(4)
    coords = np.array([[0, 0, 0, 1, 1], [-1, 0, 0, 1, 1], [0, 0, 0, 1, 1]], np.float32)
    offsets = np.random.default_rng(0).uniform(-1, 1, (3, 2, 2, 2)).astype(np.float32)
    pooled = openvino.deformable_psroi_pooling(features, coords, 1, 1.0, 2, offsets=offsets)
    np.testing.assert_allclose(pooled[0].ravel(), [0, 0, 2.0478, 4.0478], atol=1e-4)
    assert not pooled[1:].any()
    few = offsets[:, :, :1, :1]
    with pytest.raises(ValueError, match=r"^offsets: 6 numbers"):
        openvino.deformable_psroi_pooling(features, coords, 1, 1.0, 2, part_size=2, offsets=few)


def test_openvino_spare_channels_and_unequal_bins():
    features = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1) + ramp(4)
    coords = np.array([[0, 0, 0, 1, 1]], np.float32)
    spare = np.concatenate([features, features], axis=1)
    np.testing.assert_array_equal(
        openvino.deformable_psroi_pooling(spare, coords, 1, 1.0, 2),
        openvino.deformable_psroi_pooling(features, coords, 1, 1.0, 2),
    )
    pooled = openvino.deformable_psroi_pooling(features, coords, 1, 1.0, 2, spatial_bins_x=3, spatial_bins_y=2)
    np.testing.assert_allclose(pooled.ravel(), [0.0556, 1.8333, 5.0556, 6.8333], atol=1e-4)
    with pytest.raises(ValueError, match="feature_maps: 4 channels"):
        openvino.deformable_psroi_pooling(features, coords, 2, 1.0, 2)


def test_openvino_computes_in_float32_what_it_returns_in_float64():
    pooled = openvino.roi_align(ramp(4).astype(float) / 3, BOX[:1], [0], 1, 1, 2, 1 / 3, "avg")
    assert pooled.dtype == np.float64
    np.testing.assert_array_equal(pooled, pooled.astype(np.float32))


def test_openvino_pyramids_of_float64_are_computed_in_float32():
    maps = [MAP[:1].astype(float), MAP[:1, :, ::2, ::2].astype(float)]
    pooled, boxes = openvino.experimental_detectron_roi_feature_extractor([BOX.astype(float), *maps], 2, 2, [4, 8])
    single = openvino.experimental_detectron_roi_feature_extractor(
        [BOX, *(level.astype(np.float32) for level in maps)], 2, 2, [4, 8]
    )[0]
    assert pooled.dtype == np.float64
    np.testing.assert_array_equal(pooled, single)
    np.testing.assert_array_equal(boxes, BOX)


def test_mxnet_rows_keep_their_numbers_in_errors():
    rows = ROWS.copy()
    rows[0, 0], rows[2, 3] = -1, np.nan
    with pytest.raises(ValueError, match=r"^rois\[2\]"):
        mxnet.ROIPooling(MAP, rows, (2, 2), 1.0)


def test_images_out_of_range_are_named_where_they_stand():
    rows = ROWS.copy()
    rows[1, 0] = 9
    with pytest.raises(ValueError, match=r"^rois\[1, 0\]: batch index 9 "):
        mmcv.roi_align(MAP, rows, 2)


def test_layers_call_their_functions():
    layers = [
        (mmcv.RoIPool(2, 0.5), (MAP, ROWS), mmcv.roi_pool(MAP, ROWS, 2, 0.5)),
        (mmcv.RoIAlign(2, 0.5, 2, "max", False), (MAP, ROWS), mmcv.roi_align(MAP, ROWS, 2, 0.5, 2, "max", False)),
        (mmcv.RoIAlignRotated(2, 0.5), (MAP, TURNED_ROWS), mmcv.roi_align_rotated(MAP, TURNED_ROWS, 2, 0.5)),
        (mmcv.RiRoIAlignRotated(2, 0.5), (MAP, TURNED_ROWS), mmcv.riroi_align_rotated(MAP, TURNED_ROWS, 2, 0.5)),
        (mmcv.PrRoIPool(2, 0.5), (MAP, ROWS), mmcv.prroi_pool(MAP, ROWS, 2, 0.5)),
        (mmcv.DeformRoIPool(2, 0.5), (MAP, ROWS, OFFSETS), mmcv.deform_roi_pool(MAP, ROWS, OFFSETS, 2, 0.5)),
        (paddle.RoIPool(2, 0.5), (MAP, BOX, [1, 2]), paddle.roi_pool(MAP, BOX, [1, 2], 2, 0.5)),
        (paddle.RoIAlign(2, 0.5), (MAP, BOX, [1, 2], False), paddle.roi_align(MAP, BOX, [1, 2], 2, 0.5, aligned=False)),
        (paddle.PSRoIPool(2, 0.5), (MAP, BOX, [1, 2]), paddle.psroi_pool(MAP, BOX, [1, 2], 2, 0.5)),
    ]
    for layer, inputs, expected in layers:
        out = np.empty_like(expected)
        assert layer(*inputs, out=out, num_threads=1) is out
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(layer(*inputs), expected)
    assert "pool_mode='max'" in repr(layers[1][0])
    assert layers[1][0].sampling_ratio == 2


def test_native_calls_know_nothing_of_profiles():
    """A native error after a profile's call is in native words."""
    mmcv.roi_pool(MAP, ROWS, 2)
    with pytest.raises(ValueError, match="^features"):
        fastroi.roi_pool(MAP[0, 0], BOX, 2)
