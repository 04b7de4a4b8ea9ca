"""What people try first with a profile: wrong containers, lists, forgotten numbers, the layers' names and settings."""

import inspect
import re

import numpy as np
import pytest

from fastroi.compat import detectron2, mmcv, openvino, paddle, tensorrt, torchvision

from . import test_every_profile as every

MAP = np.arange(2 * 4 * 8 * 8, dtype=np.float32).reshape(2, 4, 8, 8)
BOX = np.array([[0, 0, 4, 4], [1, 1, 6, 5]], np.float32)
ROWS = np.array([[0, 0, 0, 4, 4], [1, 1, 1, 6, 5]], np.float32)
TABLES = [BOX[:1], BOX[1:]]
SHAPES = [(16, 16), (16, 16)]


def pooler(**options):
    return torchvision.MultiScaleRoIAlign(["0", "1"], 2, 2, **options)


PYRAMID = {"0": MAP, "1": MAP[:, :, ::2, ::2]}


@pytest.mark.parametrize("name", ("refer_scale", "refer_level", "min_level", "max_level"))
@pytest.mark.parametrize("value", (None, "x", np.nan, 1.5))
def test_levels_of_paddle_are_integers(name, value):
    arguments = {"min_level": 2, "max_level": 5, "refer_level": 4, "refer_scale": 224, name: value}
    with pytest.raises(TypeError, match=f"^{name}: {value!r} is not an integer"):
        paddle.distribute_fpn_proposals(BOX, **arguments)


@pytest.mark.parametrize("value", (0, -1))
def test_scale_of_paddle_is_positive(value):
    with pytest.raises(ValueError, match=f"^refer_scale: {value} is not positive"):
        paddle.distribute_fpn_proposals(BOX, 2, 5, 4, value)


@pytest.mark.parametrize("name", ("refer_scale", "refer_level", "min_level", "max_level"))
def test_levels_of_paddle_fit_an_int(name):
    arguments = {"min_level": 2, "max_level": 5, "refer_level": 4, "refer_scale": 224, name: 2**31}
    with pytest.raises(OverflowError, match=f"^{name}: 2147483648 does not fit into 32 bits"):
        paddle.distribute_fpn_proposals(BOX, **arguments)


def test_counts_of_paddle_are_integers():
    with pytest.raises(TypeError, match="^rois_num: dtype float64 is not an integer type"):
        paddle.distribute_fpn_proposals(BOX, 2, 5, 4, 224, rois_num=[1.0, 1.0])


@pytest.mark.parametrize("value", (0, -4, np.nan))
def test_strides_of_openvino_are_positive(value):
    with pytest.raises(ValueError, match=r"^pyramid_scales\[1\]: .* positive and finite"):
        openvino.experimental_detectron_roi_feature_extractor([BOX, MAP[:1], MAP[:1, :, ::2, ::2]], 2, 2, [4, value])


def test_image_size_of_tensorrt_has_channels():
    maps = [np.ones((1, 1, 64 >> k, 64 >> k), np.float32) for k in range(5)]
    with pytest.raises(ValueError, match=r"^image_size: \(832, 1344\); \(channels, height, width\) required"):
        tensorrt.multilevel_crop_and_resize(BOX[None], *maps, pooled_size=1, image_size=(832, 1344))


WRONG_CONTAINERS = (
    ("x", "dict", lambda wrong: pooler()(wrong, TABLES, SHAPES), [MAP, MAP]),
    ("x", "dict", lambda wrong: pooler()(wrong, TABLES, SHAPES), MAP),
    ("boxes", "list", lambda wrong: pooler()(PYRAMID, wrong, SHAPES), None),
    ("boxes", "list", lambda wrong: pooler()(PYRAMID, wrong, SHAPES), {"0": BOX}),
    ("image_shapes", "list", lambda wrong: pooler()(PYRAMID, TABLES, wrong), None),
    ("x", "list", lambda wrong: detectron2.ROIPooler(2, [0.5], 2, "ROIAlign")(wrong, TABLES), {"0": MAP}),
    ("box_lists", "list", lambda wrong: detectron2.ROIPooler(2, [0.5], 2, "ROIAlign")([MAP], wrong), None),
    ("inputs", "list", lambda wrong: openvino.experimental_detectron_roi_feature_extractor(wrong, 2, 2, [4]), None),
    ("inputs", "list", lambda wrong: openvino.experimental_detectron_roi_feature_extractor(wrong, 2, 2, [4]), PYRAMID),
)


@pytest.mark.parametrize(("name", "kind", "call", "wrong"), WRONG_CONTAINERS)
def test_containers_are_named(name, kind, call, wrong):
    with pytest.raises(TypeError, match=f"^{name}: a {type(wrong).__name__}; a {kind} .*required"):
        call(wrong)


@pytest.mark.parametrize("wrong", (None, 2.5, {"0": 1.0}, np.array(1.0)))
def test_scales_and_names_are_lists(wrong):
    with pytest.raises(TypeError, match="^scales: a .*; a list of one number for each map required"):
        detectron2.ROIPooler(2, wrong, 2, "ROIAlign")
    if not isinstance(wrong, dict):
        with pytest.raises(TypeError, match="^featmap_names: a .*; a list of the names of maps required"):
            torchvision.MultiScaleRoIAlign(wrong, 2, 2)


@pytest.mark.parametrize("wrong", ([16, 16], [(16,), (16, 16)]))
def test_shapes_of_images_are_pairs(wrong):
    with pytest.raises(
        ValueError, match=rf"^image_shapes\[0\]: {re.escape(repr(wrong[0]))}; \(height, width\) required"
    ):
        pooler()(PYRAMID, TABLES, wrong)


def test_canonical_numbers_have_the_names_of_the_layer():
    with pytest.raises(ValueError, match="^canonical_scale: 0 is not positive"):
        pooler(canonical_scale=0)(PYRAMID, TABLES, SHAPES)
    with pytest.raises(ValueError, match="^canonical_level: nan is not finite"):
        pooler(canonical_level=np.nan)(PYRAMID, TABLES, SHAPES)
    with pytest.raises(ValueError, match="^canonical_box_size: 1e-60 is not positive in float32"):
        detectron2.ROIPooler(2, [0.5, 0.25], 2, "ROIAlign", 1e-60)(list(PYRAMID.values()), TABLES)


INTEGER_MAPS = (
    ("input", lambda wrong: torchvision.roi_pool(wrong, ROWS, 2)),
    ("input", lambda wrong: torchvision.roi_align(wrong, ROWS, 2)),
    ("input", lambda wrong: torchvision.ps_roi_pool(wrong, ROWS, 2)),
    ("input", lambda wrong: torchvision.ps_roi_align(wrong, ROWS, 2)),
    ("x", lambda wrong: paddle.roi_pool(wrong, BOX, [1, 1], 2)),
    ("x", lambda wrong: paddle.roi_align(wrong, BOX, [1, 1], 2)),
    ("x", lambda wrong: paddle.psroi_pool(wrong, BOX, [1, 1], 2)),
)


@pytest.mark.parametrize(("name", "call"), INTEGER_MAPS)
@pytest.mark.parametrize("dtype", (np.int64, np.uint8))
def test_a_map_of_another_type_is_the_maps_fault(name, call, dtype):
    with pytest.raises(TypeError, match=f"^{name}: dtype {np.dtype(dtype)}; float32.* required"):
        call(MAP.astype(dtype))


def test_scale_that_float32_cannot_hold_says_so():
    for value in (1e-50, 1e50):
        with pytest.raises(ValueError, match="^spatial_scale: .* must be positive and finite in float32$"):
            mmcv.roi_align(MAP, ROWS, 2, value)
    with pytest.raises(ValueError, match="^spatial_scale: 0; it must be positive and finite$"):
        mmcv.roi_align(MAP, ROWS, 2, 0)
    assert torchvision.roi_align(MAP, ROWS, 2, 1e-50).shape == (2, 4, 2, 2)


@pytest.mark.parametrize(
    "layer",
    (
        torchvision.RoIPool(2, 0.5),
        torchvision.RoIAlign(2, 0.5, 2),
        torchvision.PSRoIPool(2, 0.5),
        torchvision.PSRoIAlign(2, 0.5, 2),
    ),
    ids=repr,
)
def test_an_empty_list_is_an_image_without_boxes(layer):
    empty = np.empty((0, 4), np.float32)
    np.testing.assert_array_equal(layer(MAP, [[], BOX]), layer(MAP, [empty, BOX]))
    assert layer(MAP, [[], []]).shape == layer(MAP, [empty, empty]).shape


def test_an_empty_list_in_a_pyramid():
    empty = np.empty((0, 4), np.float32)
    np.testing.assert_array_equal(pooler()(PYRAMID, [[], BOX], SHAPES), pooler()(PYRAMID, [empty, BOX], SHAPES))


def test_mmcv_by_way_of_torchvision():
    """torchvision reads the image from the row as it is and has no maximum."""
    plain = mmcv.RoIAlign(2, 0.5, 2)(MAP, ROWS)
    np.testing.assert_array_equal(mmcv.RoIAlign(2, 0.5, 2, use_torchvision=False)(MAP, ROWS), plain)
    for aligned in (True, False):
        layer = mmcv.RoIAlign(2, 0.5, 2, "max", aligned, True)
        np.testing.assert_array_equal(layer(MAP, ROWS), torchvision.roi_align(MAP, ROWS, 2, 0.5, 2, aligned))
    out = np.empty_like(plain)
    assert mmcv.RoIAlign(2, 0.5, 2, use_torchvision=True)(MAP, ROWS, out=out, num_threads=2) is out
    with pytest.raises(TypeError, match="^use_torchvision: 'no' is not a bool"):
        mmcv.RoIAlign(2, use_torchvision="no")


def test_layers_show_and_keep_their_settings():
    assert repr(pooler()) == (
        "MultiScaleRoIAlign(featmap_names=['0', '1'], output_size=2, sampling_ratio=2, canonical_scale=224, canonical_level=4)"
    )
    assert repr(detectron2.ROIAlignRotated(2, 0.5, 0)) == (
        "ROIAlignRotated(output_size=2, spatial_scale=0.5, sampling_ratio=0)"
    )
    assert repr(detectron2.ROIPooler(2, [0.5], 0.0, "ROIPool")) == (
        "ROIPooler(output_size=2, scales=[0.5], sampling_ratio=0, pooler_type='ROIPool', canonical_box_size=224, "
        "canonical_level=4)"
    )
    for layer in (torchvision.RoIAlign(2, 0.5, 2), mmcv.RoIAlign(2, 0.5, 2), detectron2.ROIAlign(2, 0.5, 2)):
        layer.output_size = 3
        assert "output_size=3" in repr(layer)
        assert layer(MAP, ROWS).shape == (2, 4, 3, 3)


def array_arguments():
    """Every argument of every profile that holds an array or several, with a good call."""
    layers = [
        (layer, dict(zip(inspect.signature(layer.__call__).parameters, inputs))) for layer, inputs in every.layers()
    ]
    for call, arguments in [*((function, row[0]) for function, row in every.CALLS.items()), *layers]:
        for name, value in arguments.items():
            if isinstance(value, (np.ndarray, list, dict)):
                label = (
                    getattr(call, "__module__", "").rpartition(".")[2]
                    + "."
                    + getattr(call, "__name__", type(call).__name__)
                )
                yield pytest.param(call, arguments, name, id=f"{label}-{name}")


@pytest.mark.parametrize(("call", "arguments", "name"), list(array_arguments()))
def test_what_is_no_array_is_refused_by_name(call, arguments, name):
    """None is an offset that is left out, a row of numbers a whole table of one's own: those are not here."""
    for wrong in (2.5, {1: arguments[name]}, [[1], [1, 2]], "x", np.array(None)):
        with pytest.raises((TypeError, ValueError), match=rf"^{name}\b"):
            call(**{**arguments, name: wrong})
    with pytest.raises(TypeError, match=rf"^{name}: .*(a dict|cannot be read)"):
        call(
            **{**arguments, name: {1: arguments[name]}}
            if not isinstance(arguments[name], dict)
            else {**arguments, name: [[1], [1, 2]]}
        )


def test_layers_of_torchvision_say_rois():
    with pytest.raises(ValueError, match=r"^rois\[0\]: shape"):
        torchvision.RoIAlign(2, 0.5, 2)(MAP, [ROWS, BOX])
    with pytest.raises(TypeError, match=r"^rois: dtype float64, but input is float32"):
        torchvision.RoIPool(2, 0.5)(MAP, ROWS.astype(float))
